// SPDX-License-Identifier: GPL-2.0
/*
 * Measures multiply-add throughput; and the loops for the instructions that
 * every processor of this kind has, where a multiply-add is two of them.
 */
#include <errno.h>
#include <stdlib.h>

#include "bench/peak.h"

#if defined(__x86_64__)
#include <xmmintrin.h>

typedef __m128 vec;

#define LANES          4
#define v_load(p)      _mm_load_ps(p)
#define v_fma(a, b, c) _mm_add_ps(_mm_mul_ps(a, b), c)
#define v_opaque(x)    __asm__ volatile("" : "+x"(x))
#define METHOD         "12 independent chains of mulps and addps on 4 lanes"
#else
typedef float vec;

#define LANES          1
#define v_load(p)      (*(p))
#define v_fma(a, b, c) ((a) * (b) + (c))
#define v_opaque(x)    __asm__ volatile("" : "+w"(x))
#define METHOD         "12 independent chains of scalar multiplications and additions"
#endif

#include "bench/peak_loops.h"

const struct bench_peak bench_peak_scalar = {
	.isa = MLSCHED_ISA_SCALAR,
	.name = "scalar",
	.lanes = LANES,
	.method = METHOD,
	.registers = registers,
	.memory = memory,
};

int bench_peak_measure(struct bench_peak *peak)
{
	size_t n = BENCH_PEAK_BYTES / sizeof(float);
	float *numbers = aligned_alloc(64, BENCH_PEAK_BYTES);
	struct bench_result result;

	if (!numbers)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		numbers[i] = 1e-3f;
	bench_measure(peak->registers, numbers, &result);
	peak->per_cycle = BENCH_PEAK_STEPS / result.cycles;
	bench_measure(peak->memory, numbers, &result);
	peak->fed_per_cycle = BENCH_PEAK_STEPS / result.cycles;
	free(numbers);
	return 0;
}
