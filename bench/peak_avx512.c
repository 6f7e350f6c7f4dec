// SPDX-License-Identifier: GPL-2.0
/* Multiply-add throughput of AVX-512. */
#include <immintrin.h>

typedef __m512 vec;

#define LANES          16
#define v_load(p)      _mm512_load_ps(p)
#define v_fma(a, b, c) _mm512_fmadd_ps(a, b, c)
#define v_opaque(x)    __asm__ volatile("" : "+v"(x))

#include "bench/peak_loops.h"

const struct bench_peak bench_peak_avx512 = {
	.isa = MLSCHED_ISA_AVX512,
	.name = "avx512",
	.lanes = LANES,
	.method = "12 independent chains of fused multiply-adds on 16 lanes",
	.registers = registers,
	.memory = memory,
};
