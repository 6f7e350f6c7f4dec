/* SPDX-License-Identifier: GPL-2.0 */
/* What bpf/qnet_bench.bpf.c and its user share. */
#ifndef MLS_BPF_QNET_BENCH_H
#define MLS_BPF_QNET_BENCH_H

#include "core/types.h"

#define QNET_BENCH_ROWS   4096 /* a power of two */
#define QNET_BENCH_INPUTS 16 /* what is copied for each row; the last is zero */

/**
 * struct qnet_bench_rows - the value of the map "vectors"
 * @x:        converted inputs, as they stand in struct qnet_scratch
 * @features: of the same rows, Q16.16
 * @from_x:   logits, written by qnet_bench_check
 * @from_features: the same
 */
struct qnet_bench_rows {
	s16 x[QNET_BENCH_ROWS][QNET_BENCH_INPUTS];
	s32 features[QNET_BENCH_ROWS][QNET_BENCH_INPUTS];
	s64 from_x[QNET_BENCH_ROWS];
	s64 from_features[QNET_BENCH_ROWS];
};

#endif /* MLS_BPF_QNET_BENCH_H */
