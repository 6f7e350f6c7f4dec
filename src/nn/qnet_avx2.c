// SPDX-License-Identifier: GPL-2.0
/* The fixed-point forward pass in AVX2 with vpmaddwd. */
#include <immintrin.h>

#include "src/nn/qnet.h"

typedef __m256i vec;
typedef __m256i wide;

#define LANES 8

#define v_load(p)   _mm256_load_si256((const __m256i *)(p))
#define v_zero()    _mm256_setzero_si256()
#define v_add(a, b) _mm256_add_epi32(a, b)
#define v_dot(acc, w, x) \
	_mm256_add_epi32(acc, _mm256_madd_epi16(_mm256_load_si256((const __m256i *)(w)), x))
#define v_widen(p) _mm256_cvtepi16_epi32(_mm_load_si128((const __m128i *)(p)))
#define v_relu(s)  _mm256_max_epi32(s, _mm256_setzero_si256())
#define w_zero()   _mm256_setzero_si256()

static inline vec v_pair(const int16_t *p)
{
	int32_t pair;

	__builtin_memcpy(&pair, p, sizeof(pair));
	return _mm256_set1_epi32(pair);
}

static inline void v_store_shifted(int16_t *p, vec s, uint32_t n)
{
	vec h = _mm256_srl_epi32(s, _mm_cvtsi32_si128((int)n));

	h = _mm256_min_epi32(h, _mm256_set1_epi32(QNET_ACTIVATION_LIMIT));
	_mm_store_si128((__m128i *)p, _mm_packus_epi32(_mm256_castsi256_si128(h),
						       _mm256_extracti128_si256(h, 1)));
}

static inline wide w_mul(wide acc, vec s, vec v)
{
	acc = _mm256_add_epi64(acc, _mm256_mul_epi32(s, v));
	return _mm256_add_epi64(acc, _mm256_mul_epi32(_mm256_srli_epi64(s, 32),
						      _mm256_srli_epi64(v, 32)));
}

static inline int64_t w_sum(wide acc)
{
	__m128i s = _mm_add_epi64(_mm256_castsi256_si128(acc), _mm256_extracti128_si256(acc, 1));

	return _mm_extract_epi64(s, 0) + _mm_extract_epi64(s, 1);
}

/* (feature * mult + offset) >> 32 of four inputs, in the high halves of 64 bits. */
static inline __m256i four_inputs(const struct mlsched_qmodel *q, __m128i features, uint32_t i)
{
	__m256i f = _mm256_cvtepi32_epi64(features);
	__m256i m = _mm256_cvtepi32_epi64(_mm_load_si128((const __m128i *)(q->in_mult + i)));

	return _mm256_add_epi64(_mm256_mul_epi32(f, m),
				_mm256_load_si256((const __m256i *)(q->in_offset + i)));
}

static inline __m256i eight_inputs(const struct mlsched_qmodel *q, const int32_t *features,
				   uint32_t i)
{
	const __m256i numbers = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
	__m256i there = _mm256_cmpgt_epi32(_mm256_set1_epi32((int)(q->n_inputs - i)), numbers);
	__m256i f = _mm256_maskload_epi32(features + i, there);
	__m256i a = four_inputs(q, _mm256_castsi256_si128(f), i);
	__m256i b = four_inputs(q, _mm256_extracti128_si256(f, 1), i + 4);
	/* The high halves: a0 a1 b0 b1 a2 a3 b2 b3. */
	__m256i x = _mm256_castps_si256(
		_mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), 0xdd));

	return _mm256_permute4x64_epi64(x, 0xd8);
}

static inline void make_inputs(const struct mlsched_qmodel *q, const int32_t *features, int16_t *x)
{
	for (uint32_t i = 0; i < q->n_inputs; i += 8) {
		__m256i v = eight_inputs(q, features, i);

		v = _mm256_max_epi32(v, v_load(q->in_lo + i));
		v = _mm256_min_epi32(v, v_load(q->in_hi + i));
		_mm_store_si128((__m128i *)(x + i),
				_mm_packs_epi32(_mm256_castsi256_si128(v),
						_mm256_extracti128_si256(v, 1)));
	}
	if ((q->n_inputs + 7) / 8 % 2)
		_mm_store_si128((__m128i *)(x + (q->n_inputs + 7) / 8 * 8), _mm_setzero_si128());
}

#include "src/nn/qnet_simd.h"

void mls_qnet_avx2(const struct mlsched_qmodel *q, const int32_t *features, size_t n_rows,
		   int64_t *logits)
{
	forward(q, features, n_rows, logits);
}
