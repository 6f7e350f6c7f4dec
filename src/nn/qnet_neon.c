// SPDX-License-Identifier: GPL-2.0
/* The fixed-point forward pass in NEON (Advanced SIMD of AArch64). */
#include <arm_neon.h>

#include "src/nn/qnet.h"

typedef int32x4_t vec;
typedef int64x2_t wide;

#define LANES 4

#define v_load(p)   vld1q_s32(p)
#define v_zero()    vdupq_n_s32(0)
#define v_add(a, b) vaddq_s32(a, b)
#define v_widen(p)  vmovl_s16(vld1_s16(p))
#define v_relu(s)   vmaxq_s32(s, vdupq_n_s32(0))
#define w_zero()    vdupq_n_s64(0)
#define w_sum(acc)  vaddvq_s64(acc)

struct pair {
	int16x4_t even;
	int16x4_t odd;
};

static inline struct pair v_pair(const int16_t *p)
{
	return (struct pair){ vld1_dup_s16(p), vld1_dup_s16(p + 1) };
}

static inline vec v_dot(vec acc, const int16_t *w, struct pair x)
{
	int16x4x2_t both = vld2_s16(w);

	return vmlal_s16(vmlal_s16(acc, both.val[0], x.even), both.val[1], x.odd);
}

static inline void v_store_shifted(int16_t *p, vec s, uint32_t n)
{
	vec h = vshlq_s32(s, vdupq_n_s32(-(int32_t)n));

	vst1_s16(p, vmovn_s32(vminq_s32(h, vdupq_n_s32(QNET_ACTIVATION_LIMIT))));
}

static inline wide w_mul(wide acc, vec s, vec v)
{
	acc = vmlal_s32(acc, vget_low_s32(s), vget_low_s32(v));
	return vmlal_high_s32(acc, s, v);
}

static inline void make_inputs(const struct mlsched_qmodel *q, const int32_t *features, int16_t *x)
{
	uint32_t i;

	for (i = 0; i < q->n_inputs; i++)
		x[i] = (int16_t)qnet_input_value(&q->inputs[i], features[i]);
	for (; i % MLS_QNET_LANES; i++)
		x[i] = 0;
}

#include "src/nn/qnet_simd.h"

void mls_qnet_neon(const struct mlsched_qmodel *q, const int32_t *features, size_t n_rows,
		   int64_t *logits)
{
	forward(q, features, n_rows, logits);
}
