/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The loops of struct bench_peak, written once for all instruction sets, whose
 * files define vec, LANES, v_load(), v_fma(), v_opaque() and PEAK, and include
 * this one.
 *
 * Twelve chains: more than the four or five cycles of a multiply-add times two
 * a cycle.  The multiplier is one that leaves the sums finite for good.
 */
#include <stdint.h>

#include "bench/peak.h"

static void registers(void *context, size_t n)
{
	const float *from = context;
	vec a = v_load(from), b = v_load(from + LANES), sum[BENCH_PEAK_STEPS];

#pragma GCC unroll 16
	for (int i = 0; i < BENCH_PEAK_STEPS; i++)
		sum[i] = v_load(from);
	for (size_t k = 0; k < n; k++) {
#pragma GCC unroll 16
		for (int i = 0; i < BENCH_PEAK_STEPS; i++) {
			sum[i] = v_fma(a, b, sum[i]);
			v_opaque(sum[i]);
		}
	}
}

static void memory(void *context, size_t n)
{
	const float *from = context;
	const size_t whole = BENCH_PEAK_BYTES / sizeof(float) / (BENCH_PEAK_STEPS * LANES);
	vec a = v_load(from), sum[BENCH_PEAK_STEPS];
	size_t at = 0;

#pragma GCC unroll 16
	for (int i = 0; i < BENCH_PEAK_STEPS; i++)
		sum[i] = v_load(from);
	for (size_t k = 0; k < n; k++) {
		const float *row = from + at * BENCH_PEAK_STEPS * LANES;

#pragma GCC unroll 16
		for (int i = 0; i < BENCH_PEAK_STEPS; i++) {
			sum[i] = v_fma(a, v_load(row + i * LANES), sum[i]);
			v_opaque(sum[i]);
		}
		at = at + 1 < whole ? at + 1 : 0;
	}
}
