// SPDX-License-Identifier: GPL-2.0
/* bpf/qnet_test.bpf.c with the loops of the scheduler, for kernels from 6.9 on. */
#define QNET_MAY_GOTO
#include "bpf/qnet_test.bpf.c"
