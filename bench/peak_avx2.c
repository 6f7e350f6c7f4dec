// SPDX-License-Identifier: GPL-2.0
/* Multiply-add throughput of AVX2. */
#include <immintrin.h>

typedef __m256 vec;

#define LANES          8
#define v_load(p)      _mm256_load_ps(p)
#define v_fma(a, b, c) _mm256_fmadd_ps(a, b, c)
#define v_opaque(x)    __asm__ volatile("" : "+x"(x))

#include "bench/peak_loops.h"

const struct bench_peak bench_peak_avx2 = {
	.isa = MLSCHED_ISA_AVX2,
	.name = "avx2",
	.lanes = LANES,
	.method = "12 independent chains of fused multiply-adds on 8 lanes",
	.registers = registers,
	.memory = memory,
};
