// SPDX-License-Identifier: GPL-2.0
/* The forward pass in AVX2 with FMA. */
#include <immintrin.h>

#include "src/nn/model.h"

typedef __m256 vec;

#define LANES 8
#define GROUP 1
#define BLOCK 8
#define SUB   2

#define v_load(p)       _mm256_load_ps(p)
#define v_loadu(p)      _mm256_loadu_ps(p)
#define v_store(p, x)   _mm256_store_ps(p, x)
#define v_storeu(p, x)  _mm256_storeu_ps(p, x)
#define v_set1(x)       _mm256_set1_ps(x)
#define v_add(a, b)     _mm256_add_ps(a, b)
#define v_sub(a, b)     _mm256_sub_ps(a, b)
#define v_mul(a, b)     _mm256_mul_ps(a, b)
#define v_div(a, b)     _mm256_div_ps(a, b)
#define v_max(a, b)     _mm256_max_ps(a, b)
#define v_min(a, b)     _mm256_min_ps(a, b)
#define v_fma(a, b, c)  _mm256_fmadd_ps(a, b, c)
#define v_fnma(a, b, c) _mm256_fnmadd_ps(a, b, c)
#define v_fnms(a, b, c) _mm256_fnmsub_ps(a, b, c)
#define v_first(x)      _mm256_cvtss_f32(x)
#define v_round(x)      _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
#define v_group(p)      _mm256_broadcast_ss(p)
#define v_join(a, b)    (a)

/* x 2^n in two steps, because 2^n alone may be beyond the exponents of a float. */
static inline vec v_scale(vec x, vec n)
{
	__m256i whole = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(whole, 1);
	__m256i rest = _mm256_sub_epi32(whole, half), one = _mm256_set1_epi32(127);

	half = _mm256_slli_epi32(_mm256_add_epi32(half, one), 23);
	rest = _mm256_slli_epi32(_mm256_add_epi32(rest, one), 23);
	return _mm256_mul_ps(_mm256_mul_ps(x, _mm256_castsi256_ps(half)),
			     _mm256_castsi256_ps(rest));
}

static inline __m256i first_lanes(size_t n)
{
	return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n),
				  _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static inline vec v_load_part(const float *p, size_t n)
{
	return _mm256_maskload_ps(p, first_lanes(n));
}

static inline void v_store_part(float *p, vec x, size_t n)
{
	_mm256_maskstore_ps(p, first_lanes(n), x);
}

static inline vec v_select_positive(vec x, vec yes, vec no)
{
	return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_GT_OQ));
}

static inline uint64_t v_mask_positive(vec x)
{
	return (uint64_t)_mm256_movemask_ps(_mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_GT_OQ));
}

static inline float v_sum(vec x)
{
	__m128 q = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));

	q = _mm_add_ps(q, _mm_movehl_ps(q, q));
	return _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
}

#include "src/nn/forward_simd.h"

const struct mls_simd mls_simd_avx2 = {
	.forward = forward,
	.lanes = LANES,
	.group = GROUP,
	.block = BLOCK,
};
