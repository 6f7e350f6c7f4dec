/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The forward pass on vector registers, written once: forward_avx2.c,
 * forward_avx512.c and forward_neon.c define the vector type, its operations
 * and the sizes below, and include this file.
 *
 * A dense layer is cut into blocks of units whose sums stay in registers while
 * the inputs pass by.  One row alone takes the widest block that fits, so that
 * enough independent sums hide the latency of the multiply-add; four rows
 * together take half a block or less each and so load every weight once for
 * four rows.  Both add the same products in the same order: the bits of a row
 * do not depend on its neighbours.
 *
 * Needed: vec, LANES, GROUP, BLOCK, SUB (registers a row in the four-row form)
 * and the v_*() operations.  Stack: 9 KiB, nothing is allocated.
 */
#include <math.h>
#include <string.h>

#include "src/nn/simd.h"

#define INLINE static inline __attribute__((always_inline))

#define ROWS 4

/* Rows of values on their way from layer to layer, in whole registers. */
typedef float row_buffer[MLSCHED_MAX_WIDTH] __attribute__((aligned(64)));

/* ---- exp() and what is made of it ----------------------------------------------- */

/*
 * Splits x into n ln 2 + r, returns exp(r) - 1.  The polynomial is the minimax
 * one of (exp(r) - 1 - r) / r^2 for |r| <= ln 2 / 2 with a relative error of
 * 3e-9 in exp(r); even and odd terms apart shorten the chain.
 */
INLINE vec expm1_reduced(vec x, vec *n)
{
	vec r, r2, even, odd;

	*n = v_round(v_mul(x, v_set1(1.44269504f)));
	r = v_fnma(*n, v_set1(0.693359375f), x);
	r = v_fnma(*n, v_set1(-2.12194440e-4f), r);
	r2 = v_mul(r, r);
	even = v_fma(r2, v_set1(0.0013950540451332927f), v_set1(0.04166620597243309f));
	odd = v_fma(r2, v_set1(0.008368917740881443f), v_set1(0.166665181517601f));
	even = v_fma(r2, even, v_set1(0.5f));
	return v_fma(r2, v_fma(r, odd, even), r);
}

/* The bound is the second operand: a NaN in x stays one (as the instructions have it). */
INLINE vec clamp(vec x, float low, float high)
{
	return v_min(v_set1(high), v_max(v_set1(low), x));
}

INLINE vec v_exp(vec x)
{
	vec n, p = expm1_reduced(clamp(x, -104.0f, 89.0f), &n);

	return v_scale(v_add(p, v_set1(1.0f)), n);
}

/* For |x| up to 87; relative error of a few units in the last place also near 0. */
INLINE vec v_expm1(vec x)
{
	vec n, p = expm1_reduced(x, &n), two_n = v_scale(v_set1(1.0f), n);

	return v_fma(two_n, p, v_sub(two_n, v_set1(1.0f)));
}

INLINE vec v_sigmoid(vec x)
{
	vec one = v_set1(1.0f);

	return v_div(one, v_add(one, v_exp(v_sub(v_set1(0.0f), x))));
}

/* (exp(2x) - 1) / (exp(2x) + 1); beyond 10 it is 1 in single precision. */
INLINE vec v_tanh(vec x)
{
	vec e, bounded = clamp(x, -10.0f, 10.0f);

	e = v_expm1(v_add(bounded, bounded));
	return v_div(e, v_add(e, v_set1(2.0f)));
}

INLINE vec v_elu(vec x, vec alpha)
{
	return v_select_positive(x, x, v_mul(alpha, v_expm1(clamp(x, -87.0f, 0.0f))));
}

INLINE vec activate_vec(enum mlsched_activation activation, vec alpha, vec x)
{
	switch (activation) {
	case MLSCHED_RELU:
		return v_max(x, v_set1(0.0f));
	case MLSCHED_RELU6:
		return v_min(v_max(x, v_set1(0.0f)), v_set1(6.0f));
	case MLSCHED_LEAKY_RELU:
		return v_select_positive(x, x, v_mul(alpha, x));
	case MLSCHED_ELU:
		return v_elu(x, alpha);
	case MLSCHED_SIGMOID:
		return v_sigmoid(x);
	case MLSCHED_TANH:
		return v_tanh(x);
	default:
		return x;
	}
}

/* [n] values anywhere in memory; nothing beyond them is touched. */
INLINE void activate_each(enum mlsched_activation activation, vec alpha, float *x, size_t n)
{
	size_t i = 0;

	for (; i + LANES <= n; i += LANES)
		v_storeu(x + i, activate_vec(activation, alpha, v_loadu(x + i)));
	if (i < n)
		v_store_part(x + i, activate_vec(activation, alpha, v_load_part(x + i, n - i)),
			     n - i);
}

static void softmax(float *x, uint32_t n)
{
	float max = x[0];
	vec sum = v_set1(0.0f);
	uint32_t i;

	for (i = 1; i < n; i++)
		max = x[i] > max ? x[i] : max;
	for (i = 0; i < n; i += LANES) {
		uint32_t left = n - i < LANES ? n - i : LANES;
		vec e = v_exp(v_sub(v_load_part(x + i, left), v_set1(max)));

		v_store_part(x + i, e, left);
		sum = v_add(sum, v_load_part(x + i, left));
	}
	sum = v_set1(v_sum(sum));
	for (i = 0; i < n; i += LANES) {
		uint32_t left = n - i < LANES ? n - i : LANES;

		v_store_part(x + i, v_div(v_load_part(x + i, left), sum), left);
	}
}

/* Not inlined: the transcendental ones would crowd the loop that has none. */
static __attribute__((noinline)) void activate(enum mlsched_activation activation, float alpha,
					       float *x, size_t n)
{
	vec a = v_set1(alpha);

	switch (activation) {
	case MLSCHED_RELU:
		activate_each(MLSCHED_RELU, a, x, n);
		break;
	case MLSCHED_RELU6:
		activate_each(MLSCHED_RELU6, a, x, n);
		break;
	case MLSCHED_LEAKY_RELU:
		activate_each(MLSCHED_LEAKY_RELU, a, x, n);
		break;
	case MLSCHED_ELU:
		activate_each(MLSCHED_ELU, a, x, n);
		break;
	case MLSCHED_SIGMOID:
		activate_each(MLSCHED_SIGMOID, a, x, n);
		break;
	case MLSCHED_TANH:
		activate_each(MLSCHED_TANH, a, x, n);
		break;
	case MLSCHED_SOFTMAX:
	case MLSCHED_LINEAR:
	case MLSCHED_ACTIVATION_COUNT:
		break;
	}
}

/* ---- dense layers ----------------------------------------------------------------- */

/*
 * Sums of @regs of a block's registers for @rows rows.  @packed points at the
 * first of these registers in the row of biases, @pitch is the length of such a
 * row; the values of row r stand at in + r * MLSCHED_MAX_WIDTH (@in_stride),
 * the sums go to out + r * MLSCHED_MAX_WIDTH.  All loops but the one over the
 * inputs have constant bounds and vanish.
 */
INLINE void block(const float *packed, size_t pitch, uint32_t n_groups, const float *in,
		  size_t in_stride, float *out, bool relu, const int rows, const int regs)
{
	vec sum[ROWS][BLOCK];

#pragma GCC unroll 16
	for (int r = 0; r < rows; r++) {
#pragma GCC unroll 16
		for (int c = 0; c < regs; c++)
			sum[r][c] = v_load(packed + c * LANES);
	}
	for (uint32_t g = 0; g < n_groups; g++) {
		packed += pitch;
#pragma GCC unroll 16
		for (int r = 0; r < rows; r++) {
			vec x = v_group(in + r * in_stride);

#pragma GCC unroll 16
			for (int c = 0; c < regs; c++)
				sum[r][c] = v_fma(x, v_load(packed + c * LANES), sum[r][c]);
		}
		in += GROUP;
	}
#pragma GCC unroll 16
	for (int r = 0; r < rows; r++) {
#pragma GCC unroll 16
		for (int c = 0; c < regs; c += GROUP) {
			vec y = v_join(sum[r][c], sum[r][c + GROUP - 1]);

			if (relu)
				y = v_max(y, v_set1(0.0f));
			v_store(out + (size_t)r * MLSCHED_MAX_WIDTH + c / GROUP * LANES, y);
		}
	}
}

INLINE void block_one(const float *packed, uint32_t regs, uint32_t n_groups, const float *in,
		      float *out, bool relu)
{
	size_t pitch = (size_t)regs * LANES;

#define CASE(n)                                                         \
	case n:                                                         \
		block(packed, pitch, n_groups, in, 0, out, relu, 1, n); \
		break
	switch (regs) {
		CASE(8);
		CASE(6);
		CASE(4);
		CASE(2);
#if GROUP == 1
		CASE(7);
		CASE(5);
		CASE(3);
		CASE(1);
#endif
	}
#undef CASE
}

INLINE void block_rows(const float *packed, uint32_t regs, uint32_t n_groups, const float *in,
		       size_t in_stride, float *out, bool relu)
{
	size_t pitch = (size_t)regs * LANES;
	uint32_t c = 0;

	for (; c + SUB <= regs; c += SUB)
		block(packed + c * LANES, pitch, n_groups, in, in_stride, out + c / GROUP * LANES,
		      relu, ROWS, SUB);
	for (; c < regs; c += GROUP)
		block(packed + c * LANES, pitch, n_groups, in, in_stride, out + c / GROUP * LANES,
		      relu, ROWS, GROUP);
}

/* One row's units of a small layer, as dot products along the inputs. */
INLINE void dot(const struct mls_layer *layer, const float *in, float *out)
{
	uint32_t stride = (layer->n_in + LANES - 1) / LANES * LANES;
	const float *w = layer->packed, *bias = w + (size_t)layer->n_out * stride;

	for (uint32_t j = 0; j < layer->n_out; j++, w += stride) {
		vec even = v_mul(v_load(in), v_load(w)), odd = v_set1(0.0f);
		uint32_t i = LANES;

		for (; i + LANES < stride; i += 2 * LANES) {
			odd = v_fma(v_load(in + i), v_load(w + i), odd);
			even = v_fma(v_load(in + i + LANES), v_load(w + i + LANES), even);
		}
		if (i < stride)
			odd = v_fma(v_load(in + i), v_load(w + i), odd);
		out[j] = v_sum(v_add(even, odd)) + bias[j];
	}
}

/* Sums of one layer for one row or four, with ReLU if that is what follows. */
INLINE void dense(const struct mls_layer *layer, const float *in, size_t in_stride, float *out,
		  bool relu, const int rows)
{
	uint32_t n_groups = (layer->n_in + GROUP - 1) / GROUP;
	uint32_t left = (layer->n_out + LANES - 1) / LANES * GROUP;
	const float *packed = layer->packed;

	while (left) {
		uint32_t regs = left < BLOCK ? left : BLOCK;

		if (rows == 1)
			block_one(packed, regs, n_groups, in, out, relu);
		else
			block_rows(packed, regs, n_groups, in, in_stride, out, relu);
		packed += (size_t)(n_groups + 1) * regs * LANES;
		out += regs / GROUP * LANES;
		left -= regs;
	}
}

/* A small layer in the middle: zeros behind its units, because the next one reads whole registers. */
INLINE void dot_middle(const struct mls_layer *layer, const float *in, float *out)
{
	_Static_assert(MLS_DOT_UNITS <= LANES, "a small layer fits a register");
	v_store(out, v_set1(0.0f));
	dot(layer, in, out);
}

/* ---- rows -------------------------------------------------------------------------- */

/* The inputs as the first layer wants them: normalised, zeros up to a whole register. */
INLINE void load_row(const struct mlsched_model *model, const float *from, float *to)
{
	uint32_t n = model->layers[0].n_in;

	for (uint32_t i = 0; i < n; i += LANES) {
		vec x = n - i < LANES ? v_load_part(from + i, n - i) : v_loadu(from + i);

		if (model->mean)
			x = v_div(v_sub(x, v_load(model->mean + i)), v_load(model->deviation + i));
		v_store(to + i, x);
	}
}

/*
 * One row, or four at @in_stride, through the network; out is [rows][outputs].
 * The activation of a small last layer is left to the caller, who has more rows.
 */
INLINE void forward_rows(const struct mlsched_model *model, const float *in, float *out,
			 enum mls_forward_end end, row_buffer (*buffer)[ROWS], const int rows)
{
	uint32_t last = model->n_layers - 1;
	size_t in_stride = model->layers[0].n_in;

	if (model->mean || in_stride % GROUP || model->layers[0].n_out <= MLS_DOT_UNITS) {
#pragma GCC unroll 16
		for (int r = 0; r < rows; r++)
			load_row(model, in + (size_t)r * in_stride, buffer[1][r]);
		in = buffer[1][0];
		in_stride = MLSCHED_MAX_WIDTH;
	}
	for (uint32_t l = 0;; l++) {
		const struct mls_layer *layer = &model->layers[l];
		bool sums = l == last && end == MLS_FORWARD_SUM;
		row_buffer *to = buffer[l & 1];

		if (layer->n_out > MLS_DOT_UNITS) {
			dense(layer, in, in_stride, to[0],
			      layer->activation == MLSCHED_RELU && !sums, rows);
		} else if (l == last) {
			for (int r = 0; r < rows; r++)
				dot(layer, in + r * in_stride, out + r * layer->n_out);
			return;
		} else {
			for (int r = 0; r < rows; r++)
				dot_middle(layer, in + r * in_stride, to[r]);
		}
		if (!sums && layer->activation != MLSCHED_LINEAR &&
		    (layer->activation != MLSCHED_RELU || layer->n_out <= MLS_DOT_UNITS)) {
			for (int r = 0; r < rows; r++) {
				if (layer->activation == MLSCHED_SOFTMAX)
					softmax(to[r], layer->n_out);
				else
					activate(layer->activation, layer->alpha, to[r],
						 layer->n_out);
			}
		}
		if (l == last) {
			for (int r = 0; r < rows; r++)
				memcpy(out + r * layer->n_out, to[r], layer->n_out * sizeof(*out));
			return;
		}
		in = to[0];
		in_stride = MLSCHED_MAX_WIDTH;
	}
}

/* What forward_rows() left open. */
INLINE void finish(const struct mls_layer *last, float *out, size_t n_rows)
{
	if (last->activation == MLSCHED_SOFTMAX) {
		for (size_t r = 0; r < n_rows; r++)
			softmax(out + r * last->n_out, last->n_out);
	} else if (last->activation != MLSCHED_LINEAR) {
		activate(last->activation, last->alpha, out, n_rows * last->n_out);
	}
}

static void forward(const struct mlsched_model *model, const float *rows, size_t n_rows, float *out,
		    enum mls_forward_end end)
{
	const struct mls_layer *last = &model->layers[model->n_layers - 1];
	uint32_t n_in = model->layers[0].n_in;
	row_buffer buffer[2][ROWS];
	float *first = out;
	size_t r = 0;

	for (; r + ROWS <= n_rows; r += ROWS, out += (size_t)ROWS * last->n_out)
		forward_rows(model, rows + r * n_in, out, end, buffer, ROWS);
	for (; r < n_rows; r++, out += last->n_out)
		forward_rows(model, rows + r * n_in, out, end, buffer, 1);
	if (last->n_out <= MLS_DOT_UNITS && end == MLS_FORWARD_OUTPUT)
		finish(last, first, n_rows);
}
