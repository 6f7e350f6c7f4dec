// SPDX-License-Identifier: GPL-2.0
/* The forward pass in NEON (Advanced SIMD of AArch64). */
#include <arm_neon.h>

#include "src/nn/model.h"

typedef float32x4_t vec;

#define LANES 4
#define GROUP 1
#define BLOCK 16
#define SUB   4

#define v_load(p)       vld1q_f32(p)
#define v_loadu(p)      vld1q_f32(p)
#define v_store(p, x)   vst1q_f32(p, x)
#define v_storeu(p, x)  vst1q_f32(p, x)
#define v_set1(x)       vdupq_n_f32(x)
#define v_add(a, b)     vaddq_f32(a, b)
#define v_sub(a, b)     vsubq_f32(a, b)
#define v_mul(a, b)     vmulq_f32(a, b)
#define v_div(a, b)     vdivq_f32(a, b)
#define v_min(a, b)     vminq_f32(a, b)
#define v_fma(a, b, c)  vfmaq_f32(c, a, b)
#define v_fnma(a, b, c) vfmsq_f32(c, a, b)
#define v_fnms(a, b, c) vnegq_f32(vfmaq_f32(c, a, b))
#define v_first(x)      vgetq_lane_f32(x, 0)
#define v_round(x)      vrndnq_f32(x)
#define v_group(p)      vld1q_dup_f32(p)
#define v_join(a, b)    (a)
#define v_sum(x)        vaddvq_f32(x)

static inline uint64_t v_mask_positive(vec x)
{
	static const uint32_t bits[LANES] = { 1, 2, 4, 8 };

	return vaddvq_u32(vandq_u32(vld1q_u32(bits), vcgtzq_f32(x)));
}

static inline vec v_select_positive(vec x, vec yes, vec no)
{
	return vbslq_f32(vcgtzq_f32(x), yes, no);
}

/* As on x86: the second operand if either is a NaN, which makes ReLU of a NaN zero. */
static inline vec v_max(vec a, vec b)
{
	return vbslq_f32(vcgtq_f32(a, b), a, b);
}

/* x 2^n in two steps, because 2^n alone may be beyond the exponents of a float. */
static inline vec v_scale(vec x, vec n)
{
	int32x4_t whole = vcvtq_s32_f32(n), half = vshrq_n_s32(whole, 1);
	int32x4_t rest = vsubq_s32(whole, half), one = vdupq_n_s32(127);

	half = vshlq_n_s32(vaddq_s32(half, one), 23);
	rest = vshlq_n_s32(vaddq_s32(rest, one), 23);
	return vmulq_f32(vmulq_f32(x, vreinterpretq_f32_s32(half)), vreinterpretq_f32_s32(rest));
}

static inline vec v_load_part(const float *p, size_t n)
{
	float lanes[LANES] = { 0 };

	for (size_t i = 0; i < n && i < LANES; i++)
		lanes[i] = p[i];
	return vld1q_f32(lanes);
}

static inline void v_store_part(float *p, vec x, size_t n)
{
	float lanes[LANES];

	vst1q_f32(lanes, x);
	for (size_t i = 0; i < n && i < LANES; i++)
		p[i] = lanes[i];
}

#include "src/nn/forward_simd.h"

const struct mls_simd mls_simd_neon = {
	.forward = forward,
	.lanes = LANES,
	.group = GROUP,
	.block = BLOCK,
};
