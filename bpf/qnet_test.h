/* SPDX-License-Identifier: GPL-2.0 */
/* What bpf/qnet_test.bpf.c and its user share. */
#ifndef MLS_BPF_QNET_TEST_H
#define MLS_BPF_QNET_TEST_H

#include "core/qnet.h"

#define QNET_TEST_ROWS 256

/**
 * struct qnet_test_rows - the value of the map "rows"
 * @n_features: of each row
 * @features:   Q16.16
 * @logits:     written by the program
 */
struct qnet_test_rows {
	u32 n_features;
	u32 reserved;
	s32 features[QNET_TEST_ROWS][QNET_MAX_WIDTH];
	s64 logits[QNET_TEST_ROWS];
};

#endif /* MLS_BPF_QNET_TEST_H */
