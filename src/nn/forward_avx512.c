// SPDX-License-Identifier: GPL-2.0
/*
 * The forward pass in AVX-512.  Two inputs share a broadcast (GROUP 2): with one
 * a register, every fourth load would be a broadcast, and two loads a cycle, not
 * two multiply-adds, would be the limit.
 */
#include <immintrin.h>

#include "src/nn/model.h"

typedef __m512 vec;

#define LANES 16
#define GROUP 2
#define BLOCK 8
#define SUB   4

#define v_load(p)       _mm512_load_ps(p)
#define v_loadu(p)      _mm512_loadu_ps(p)
#define v_store(p, x)   _mm512_store_ps(p, x)
#define v_storeu(p, x)  _mm512_storeu_ps(p, x)
#define v_set1(x)       _mm512_set1_ps(x)
#define v_add(a, b)     _mm512_add_ps(a, b)
#define v_sub(a, b)     _mm512_sub_ps(a, b)
#define v_mul(a, b)     _mm512_mul_ps(a, b)
#define v_div(a, b)     _mm512_div_ps(a, b)
#define v_max(a, b)     _mm512_max_ps(a, b)
#define v_min(a, b)     _mm512_min_ps(a, b)
#define v_fma(a, b, c)  _mm512_fmadd_ps(a, b, c)
#define v_fnma(a, b, c) _mm512_fnmadd_ps(a, b, c)
#define v_fnms(a, b, c) _mm512_fnmsub_ps(a, b, c)
#define v_first(x)      _mm512_cvtss_f32(x)
#define v_round(x)      _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
#define v_scale(x, n)   _mm512_scalef_ps(x, n)

static inline vec v_load_part(const float *p, size_t n)
{
	return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
}

static inline void v_store_part(float *p, vec x, size_t n)
{
	_mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), x);
}

static inline vec v_select_positive(vec x, vec yes, vec no)
{
	return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_GT_OQ), no,
				    yes);
}

/* Two inputs into all pairs of lanes. */
static inline vec v_group(const float *p)
{
	return _mm512_castpd_ps(
		_mm512_broadcastsd_pd(_mm_load_sd((const double *)(const void *)p)));
}

/* Even plus odd lanes of both, in the order of pack.c. */
static inline vec v_join(vec a, vec b)
{
	return _mm512_add_ps(_mm512_shuffle_ps(a, b, 0x88), _mm512_shuffle_ps(a, b, 0xdd));
}

static inline uint64_t v_mask_positive(vec x)
{
	return _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_GT_OQ);
}

static inline float v_sum(vec x)
{
	__m256 h = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
	__m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));

	q = _mm_add_ps(q, _mm_movehl_ps(q, q));
	return _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
}

#include "src/nn/forward_simd.h"

const struct mls_simd mls_simd_avx512 = {
	.forward = forward,
	.lanes = LANES,
	.group = GROUP,
	.block = BLOCK,
};
