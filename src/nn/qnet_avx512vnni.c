// SPDX-License-Identifier: GPL-2.0
/* The fixed-point forward pass in AVX-512 with vpdpwssd. */
#include <immintrin.h>

#include "src/nn/qnet.h"

typedef __m512i vec;
typedef __m512i wide;

#define LANES 16

#define v_load(p)        _mm512_load_si512(p)
#define v_zero()         _mm512_setzero_si512()
#define v_add(a, b)      _mm512_add_epi32(a, b)
#define v_dot(acc, w, x) _mm512_dpwssd_epi32(acc, _mm512_load_si512(w), x)
#define v_widen(p)       _mm512_cvtepi16_epi32(_mm256_load_si256((const __m256i *)(p)))
#define v_relu(s)        _mm512_max_epi32(s, _mm512_setzero_si512())
#define w_zero()         _mm512_setzero_si512()
#define w_sum(acc)       _mm512_reduce_add_epi64(acc)

static inline vec v_pair(const int16_t *p)
{
	int32_t pair;

	__builtin_memcpy(&pair, p, sizeof(pair));
	return _mm512_set1_epi32(pair);
}

static inline void v_store_shifted(int16_t *p, vec s, uint32_t n)
{
	vec h = _mm512_srl_epi32(s, _mm_cvtsi32_si128((int)n));

	h = _mm512_min_epi32(h, _mm512_set1_epi32(QNET_ACTIVATION_LIMIT));
	_mm256_store_si256((__m256i *)p, _mm512_cvtepi32_epi16(h));
}

static inline wide w_mul(wide acc, vec s, vec v)
{
	acc = _mm512_add_epi64(acc, _mm512_mul_epi32(s, v));
	return _mm512_add_epi64(acc, _mm512_mul_epi32(_mm512_srli_epi64(s, 32),
						      _mm512_srli_epi64(v, 32)));
}

/* (feature * mult + offset) >> 32 of eight inputs, in 32 bits. */
static inline __m256i eight_inputs(const struct mlsched_qmodel *q, const int32_t *features,
				   uint32_t i)
{
	uint32_t left = q->n_inputs - i;
	__mmask8 there = (__mmask8)(left >= 8 ? 0xff : (1u << left) - 1);
	__m512i f = _mm512_cvtepi32_epi64(_mm256_maskz_loadu_epi32(there, features + i));
	__m512i m = _mm512_cvtepi32_epi64(_mm256_load_si256((const __m256i *)(q->in_mult + i)));
	__m512i x = _mm512_add_epi64(_mm512_mul_epi32(f, m), _mm512_load_si512(q->in_offset + i));

	return _mm512_cvtepi64_epi32(_mm512_srli_epi64(x, QNET_INPUT_SHIFT));
}

static inline void make_inputs(const struct mlsched_qmodel *q, const int32_t *features, int16_t *x)
{
	for (uint32_t i = 0; i < q->n_inputs; i += 8) {
		__m256i v = eight_inputs(q, features, i);

		v = _mm256_max_epi32(v, _mm256_load_si256((const __m256i *)(q->in_lo + i)));
		v = _mm256_min_epi32(v, _mm256_load_si256((const __m256i *)(q->in_hi + i)));
		_mm_store_si128((__m128i *)(x + i), _mm256_cvtepi32_epi16(v));
	}
	if ((q->n_inputs + 7) / 8 % 2)
		_mm_store_si128((__m128i *)(x + (q->n_inputs + 7) / 8 * 8), _mm_setzero_si128());
}

#include "src/nn/qnet_simd.h"

void mls_qnet_avx512vnni(const struct mlsched_qmodel *q, const int32_t *features, size_t n_rows,
			 int64_t *logits)
{
	forward(q, features, n_rows, logits);
}
