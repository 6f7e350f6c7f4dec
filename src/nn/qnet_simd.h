/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The fixed-point forward pass in SIMD, included by one file for each
 * instruction set, which defines before:
 *
 *	vec, LANES		a register of 32-bit sums, and how many
 *	wide			a register of 64-bit sums
 *	v_load(p), v_pair(p)	LANES sums; one pair of 16-bit inputs everywhere
 *	v_add(a, b), v_zero()
 *	v_dot(acc, w, pair)	acc += two products each, w from LANES * 2 weights
 *	v_widen(p)		LANES 16-bit inputs as 32 bits
 *	v_relu(s)		max(s, 0)
 *	v_store_shifted(p, s, n) min(s >> n, 255) as 16 bits, s not negative
 *	w_zero(), w_sum(acc)
 *	w_mul(acc, s, v)	acc += s * v in 64 bits
 *	make_inputs(q, features, x)
 *
 * Sums wrap modulo 2^32 on the way, as in C; the proof says that the final one
 * fits.  Two chains of sums hide the latency of the multiply.
 */
#include "src/nn/qnet.h"

/* A width of accumulators that the registers hold twice. */
#define BLOCK 4

#define INLINE static inline __attribute__((always_inline))

/* The sums of @n (a constant) vectors of units, from the @first-th on. */
INLINE void block_sums(const struct mls_qlayer *l, const int16_t *in, size_t first, size_t n,
		       vec *sums)
{
	const int16_t *w = l->pairs + first * LANES * 2;
	size_t step = (size_t)l->stride * 2;
	vec odd[BLOCK];

	for (size_t k = 0; k < n; k++) {
		sums[k] = v_load(l->bias + (first + k) * LANES);
		odd[k] = v_zero();
	}
	/* An even number of pairs: padded with zeros. */
	for (size_t p = 0; p < l->n_pairs; p += 2, in += 4, w += 2 * step) {
		__typeof__(v_pair(in)) a = v_pair(in), b = v_pair(in + 2);

		for (size_t k = 0; k < n; k++) {
			sums[k] = v_dot(sums[k], w + k * LANES * 2, a);
			odd[k] = v_dot(odd[k], w + step + k * LANES * 2, b);
		}
	}
	for (size_t k = 0; k < n; k++)
		sums[k] = v_relu(v_add(sums[k], odd[k]));
}

INLINE void hidden_block(const struct mls_qlayer *l, const int16_t *in, size_t first, size_t n,
			 int16_t *out)
{
	vec sums[BLOCK];

	block_sums(l, in, first, n, sums);
	for (size_t k = 0; k < n; k++)
		v_store_shifted(out + (first + k) * LANES, sums[k], l->shift);
}

INLINE wide last_block(const struct mlsched_qmodel *q, const struct mls_qlayer *l,
		       const int16_t *in, size_t first, size_t n, wide logit)
{
	vec sums[BLOCK];

	block_sums(l, in, first, n, sums);
	for (size_t k = 0; k < n; k++)
		logit = w_mul(logit, sums[k], v_load(q->output + (first + k) * LANES));
	return logit;
}

static void hidden_layer(const struct mls_qlayer *l, const int16_t *in, int16_t *out)
{
	size_t n = l->stride / LANES, k = 0;

	for (; k + BLOCK <= n; k += BLOCK)
		hidden_block(l, in, k, BLOCK, out);
	if (n - k >= 2) {
		hidden_block(l, in, k, 2, out);
		k += 2;
	}
	if (n - k)
		hidden_block(l, in, k, 1, out);
}

static int64_t last_layer(const struct mlsched_qmodel *q, const struct mls_qlayer *l,
			  const int16_t *in)
{
	size_t n = l->stride / LANES, k = 0;
	wide logit = w_zero();

	for (; k + BLOCK <= n; k += BLOCK)
		logit = last_block(q, l, in, k, BLOCK, logit);
	if (n - k >= 2) {
		logit = last_block(q, l, in, k, 2, logit);
		k += 2;
	}
	if (n - k)
		logit = last_block(q, l, in, k, 1, logit);
	return q->bias + w_sum(logit);
}

/* A network without hidden layers. */
static int64_t inputs_only(const struct mlsched_qmodel *q, const int16_t *x)
{
	wide logit = w_zero();

	for (size_t k = 0; k < q->last_stride; k += LANES)
		logit = w_mul(logit, v_widen(x + k), v_load(q->output + k));
	return q->bias + w_sum(logit);
}

static void forward(const struct mlsched_qmodel *q, const int32_t *features, size_t n_rows,
		    int64_t *logits)
{
	int16_t buffers[2][MLS_QNET_PAD(QNET_MAX_WIDTH)] __attribute__((aligned(64)));

	for (size_t r = 0; r < n_rows; r++, features += q->n_inputs) {
		int16_t *in = buffers[0], *out = buffers[1], *swap;

		make_inputs(q, features, in);
		if (!q->n_hidden) {
			logits[r] = inputs_only(q, in);
			continue;
		}
		for (uint32_t l = 0; l + 1 < q->n_hidden; l++) {
			hidden_layer(&q->hidden[l], in, out);
			swap = in;
			in = out;
			out = swap;
		}
		logits[r] = last_layer(q, &q->hidden[q->n_hidden - 1], in);
	}
}
