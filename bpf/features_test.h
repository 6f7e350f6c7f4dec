/* SPDX-License-Identifier: GPL-2.0 */
/* What bpf/features_test.bpf.c and its user share. */
#ifndef MLS_BPF_FEATURES_TEST_H
#define MLS_BPF_FEATURES_TEST_H

#include "core/features.h"

#define FEATURES_TEST_ROWS 4096 /* a power of two */

/**
 * struct features_test_rows - the value of the map "rows"
 * @facts:    what to compute from
 * @features: written by the program
 * @log:      mls_log2() of the low 30 bits of @facts.waited and one, too
 */
struct features_test_rows {
	struct mls_move_facts facts[FEATURES_TEST_ROWS];
	s32 features[FEATURES_TEST_ROWS][16];
	u64 log[FEATURES_TEST_ROWS];
};

#endif /* MLS_BPF_FEATURES_TEST_H */
