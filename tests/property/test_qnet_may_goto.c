// SPDX-License-Identifier: GPL-2.0
/* tests/property/test_qnet_bpf.c for the loops as the scheduler has them. */
#define QNET_MAY_GOTO
#include "tests/property/test_qnet_bpf.c"
