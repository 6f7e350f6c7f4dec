// SPDX-License-Identifier: GPL-2.0
/* Multiply-add throughput of NEON. */
#include <arm_neon.h>

typedef float32x4_t vec;

#define LANES          4
#define v_load(p)      vld1q_f32(p)
#define v_fma(a, b, c) vfmaq_f32(c, a, b)
#define v_opaque(x)    __asm__ volatile("" : "+w"(x))

#include "bench/peak_loops.h"

const struct bench_peak bench_peak_neon = {
	.isa = MLSCHED_ISA_NEON,
	.name = "neon",
	.lanes = LANES,
	.method = "12 independent chains of fused multiply-adds on 4 lanes",
	.registers = registers,
	.memory = memory,
};
