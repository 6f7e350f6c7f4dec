/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The forward pass on vector registers, written once: forward_avx2.c,
 * forward_avx512.c and forward_neon.c define the vector type, its operations
 * and the sizes below, and include this file.
 *
 * A dense layer is cut into blocks of 64 units or less whose sums stay in
 * registers while the inputs pass by.
 *
 * One row alone uses every weight once, so that loading them is the limit; it
 * therefore leaves out the inputs that are zero, as about half of them are
 * behind a ReLU.  Four rows together load every weight once for four rows and
 * reach the limit of the multiply-adds.
 *
 * Both add the same products in the same order (with GROUP 2, even and odd
 * inputs apart), a product with zero changes no sum, and a sum of -0 is made
 * +0: so the bits of a row do not depend on the rows beside it.
 *
 * Needed: vec, LANES, GROUP, BLOCK, SUB (registers a row in the four-row form)
 * and the v_*() operations.  Stack: 9 KiB, nothing is allocated.
 */
#include <math.h>
#include <string.h>

#include "src/nn/simd.h"

#define INLINE   static inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))

#define ROWS 4

/* Registers of 64 units, and so of one word of a mask. */
#define ONE (64 / LANES)
_Static_assert(BLOCK == ONE * GROUP, "a block is 64 units");

/* Rows of values on their way from layer to layer, in whole registers. */
typedef float row_buffer[MLSCHED_MAX_WIDTH] __attribute__((aligned(64)));

/* ---- exp() and what is made of it ----------------------------------------------- */

/*
 * exp(r) - 1 for |r| <= ln 2 / 2.  The polynomial is the minimax one of
 * (exp(r) - 1 - r) / r^2, with a relative error of 3e-9 in exp(r); even and odd
 * terms apart shorten the chain.
 */
INLINE vec expm1_small(vec r)
{
	vec r2 = v_mul(r, r), even, odd;

	even = v_fma(r2, v_set1(0.0013950540451332927f), v_set1(0.04166620597243309f));
	odd = v_fma(r2, v_set1(0.008368917740881443f), v_set1(0.166665181517601f));
	even = v_fma(r2, even, v_set1(0.5f));
	return v_fma(r2, v_fma(r, odd, even), r);
}

/* ln 2 in two parts, the first of so few bits that its multiples are exact. */
#define LN2_HIGH 0.693359375f
#define LN2_LOW  -2.12194440e-4f
#define LOG2_E   1.44269504f

/* Splits x into n ln 2 + r, returns exp(r) - 1. */
INLINE vec expm1_reduced(vec x, vec *n)
{
	vec r;

	*n = v_round(v_mul(x, v_set1(LOG2_E)));
	r = v_fnma(*n, v_set1(LN2_HIGH), x);
	return expm1_small(v_fnma(*n, v_set1(LN2_LOW), r));
}

/* The bound is the second operand: a NaN in x stays one (as the instructions have it). */
INLINE vec clamp(vec x, float low, float high)
{
	return v_min(v_set1(high), v_max(v_set1(low), x));
}

/* Below the smallest normal number it stays there: denormal ones cost 40 ns and are of no use. */
INLINE vec v_exp(vec x)
{
	vec n, p = expm1_reduced(clamp(x, -87.33f, 89.0f), &n);

	return v_scale(v_add(p, v_set1(1.0f)), n);
}

/* For |x| up to 87; relative error of a few units in the last place also near 0. */
INLINE vec v_expm1(vec x)
{
	vec n, p = expm1_reduced(x, &n), two_n = v_scale(v_set1(1.0f), n);

	return v_fma(two_n, p, v_sub(two_n, v_set1(1.0f)));
}

/*
 * 1 + exp(-x) with exp(-x) = 2^n + 2^n (exp(r) - 1): what depends on n alone is
 * ready before the polynomial.
 */
INLINE vec one_plus_exp_minus(vec x)
{
	vec one = v_set1(1.0f), n, r, two_n;

	x = clamp(x, -87.33f, 87.33f);
	n = v_round(v_mul(x, v_set1(-LOG2_E)));
	r = v_fnma(n, v_set1(LN2_LOW), v_fnms(n, v_set1(LN2_HIGH), x));
	two_n = v_scale(one, n);
	return v_fma(two_n, expm1_small(r), v_add(two_n, one));
}

INLINE vec v_sigmoid(vec x)
{
	return v_div(v_set1(1.0f), one_plus_exp_minus(x));
}

/* The same for one value: dividing one lane takes half as long as dividing sixteen. */
INLINE float sigmoid_one(float x)
{
	return 1.0f / v_first(one_plus_exp_minus(v_set1(x)));
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

INLINE vec activate_any(enum mlsched_activation activation, vec alpha, vec x)
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
		v_storeu(x + i, activate_any(activation, alpha, v_loadu(x + i)));
	if (i < n)
		v_store_part(x + i, activate_any(activation, alpha, v_load_part(x + i, n - i)),
			     n - i);
}

static NOINLINE void softmax(float *x, uint32_t n)
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
static NOINLINE void activate(enum mlsched_activation activation, float alpha, float *x, size_t n)
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

static NOINLINE float activate_one(const struct mls_layer *layer, float x)
{
	vec y = activate_any(layer->activation, v_set1(layer->alpha), v_set1(x));

	return v_first(y);
}

/* ---- dense layers ----------------------------------------------------------------- */

/* -0 could tell a sum with zeros left out from one with them; max(-0, +0) is +0 as well. */
INLINE vec end_of_sum(vec y, bool relu)
{
	return relu ? v_max(y, v_set1(0.0f)) : v_add(y, v_set1(0.0f));
}

/* Takes one input into the sums of a block; @w are its weights. */
INLINE void add_input(vec *sum, float input, const float *w, const int regs)
{
	vec x = v_set1(input);

#pragma GCC unroll 16
	for (int c = 0; c < regs; c++)
		sum[c] = v_fma(x, v_load(w + c * LANES), sum[c]);
}

/*
 * The lowest of the inputs that are left.  The address is finished before it is
 * used: a multiply-add that reads at base plus index is two instructions inside
 * Intel's cores, and the reordering window holds so many fewer of them.
 */
INLINE void add_next(vec *sum, uint64_t *left, const float *packed, const float *in, const int regs)
{
	uint32_t i = (uint32_t)__builtin_ctzll(*left);
	const float *w = packed + (size_t)i * regs * LANES;

	__asm__("" : "+r"(w));
	add_input(sum, in[i], w, regs);
	*left &= *left - 1;
}

/* All inputs that are active, 64 to a word of the mask. */
INLINE void add_active(vec (*sum)[ONE], const uint64_t *active, uint32_t n_in, const float *packed,
		       const float *in, const int regs)
{
	for (uint32_t i = 0; i < n_in; i += 64, in += 64, packed += (size_t)64 * regs * LANES) {
		uint64_t left[2] = { *active++, 0 };

		if (GROUP == 2) {
			left[1] = left[0] & 0xaaaaaaaaaaaaaaaau;
			left[0] &= 0x5555555555555555u;
			while (left[0] && left[1]) {
				add_next(sum[0], &left[0], packed, in, regs);
				add_next(sum[1], &left[1], packed, in, regs);
			}
			while (left[1])
				add_next(sum[1], &left[1], packed, in, regs);
		}
		while (left[0])
			add_next(sum[0], &left[0], packed, in, regs);
	}
}

/* All inputs. */
INLINE void add_all(vec (*sum)[ONE], uint32_t n_in, const float *packed, const float *in,
		    const int regs)
{
	const size_t pitch = (size_t)regs * LANES;
	uint32_t i = 0;

#pragma GCC unroll 2
	for (; i + 2 <= n_in; i += 2, packed += 2 * pitch) {
		add_input(sum[0], in[i], packed, regs);
		add_input(sum[GROUP - 1], in[i + 1], packed + pitch, regs);
	}
	if (i < n_in)
		add_input(sum[0], in[i], packed, regs);
}

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
	vec sum[ROWS][SUB];

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
			vec y = end_of_sum(v_join(sum[r][c], sum[r][c + GROUP - 1]), relu);

			v_store(out + (size_t)r * MLSCHED_MAX_WIDTH + c / GROUP * LANES, y);
		}
	}
}

/*
 * The same for all of a block's units (@regs whole registers) and one row,
 * whose inputs are skipped where @active has no bit; NULL: few are.  With @unit,
 * the weights of a last unit behind this block, its sum is returned and nothing
 * is stored.
 */
INLINE float single(const float *packed, uint32_t n_in, const uint64_t *active, const float *in,
		    float *out, uint64_t *out_active, bool relu, const float *unit, const int regs)
{
	vec sum[GROUP][ONE], dot[2] = { v_set1(0.0f), v_set1(0.0f) };
	uint64_t mask = 0;

#pragma GCC unroll 16
	for (int c = 0; c < regs; c++) {
		sum[GROUP - 1][c] = v_set1(0.0f);
		sum[0][c] = v_load(packed + c * LANES);
	}
	packed += regs * LANES;
	if (active)
		add_active(sum, active, n_in, packed, in, regs);
	else
		add_all(sum, n_in, packed, in, regs);
#pragma GCC unroll 16
	for (int c = 0; c < regs; c++) {
		vec y = GROUP == 1 ? sum[0][c] : v_add(sum[0][c], sum[1][c]);

		/* Of the sum, because the bits are needed sooner than its maximum with 0. */
		if (relu && !unit)
			mask |= (uint64_t)v_mask_positive(y) << c * LANES;
		y = end_of_sum(y, relu);
		if (unit) {
			/* The same steps as in dot_unit(). */
			vec w = v_load(unit + c * LANES);

			dot[c % 2] = c == 0 ? v_mul(y, w) : v_fma(y, w, dot[c % 2]);
			continue;
		}
		v_store(out + c * LANES, y);
	}
	if (relu)
		*out_active = mask;
	return unit ? v_sum(v_add(dot[0], dot[1])) : 0;
}

/*
 * Whether leaving out idle inputs pays: finding the others costs as much as a
 * third of their multiply-adds.
 */
INLINE bool worth_skipping(const uint64_t *active, uint32_t n_in)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < n_in; i += 64)
		n += (uint32_t)__builtin_popcountll(*active++);
	return 4 * n < 3 * n_in;
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

/* Weights of one unit of a small layer, in whole registers. */
INLINE uint32_t dot_stride(const struct mls_layer *layer)
{
	return (layer->n_in + LANES - 1) / LANES * LANES;
}

/* One unit's sum as a dot product along the inputs. */
INLINE float dot_unit(const float *w, const float *in, uint32_t stride)
{
	/* single() does the same with sums that are still in registers. */
	vec even = v_mul(v_load(in), v_load(w)), odd = v_set1(0.0f);
	uint32_t i = LANES;

	for (; i + LANES < stride; i += 2 * LANES) {
		odd = v_fma(v_load(in + i), v_load(w + i), odd);
		even = v_fma(v_load(in + i + LANES), v_load(w + i + LANES), even);
	}
	if (i < stride)
		odd = v_fma(v_load(in + i), v_load(w + i), odd);
	return v_sum(v_add(even, odd));
}

/* The sums of a small layer for one row. */
INLINE void dot(const struct mls_layer *layer, const float *in, float *out)
{
	uint32_t stride = dot_stride(layer);
	const float *w = layer->packed, *bias = w + (size_t)layer->n_out * stride;

	for (uint32_t j = 0; j < layer->n_out; j++, w += stride)
		out[j] = dot_unit(w, in, stride) + bias[j];
}

/* Sums of one layer for four rows, with ReLU if that is what follows. */
INLINE void dense_rows(const struct mls_layer *layer, const float *in, size_t in_stride, float *out,
		       bool relu)
{
	uint32_t n_groups = (layer->n_in + GROUP - 1) / GROUP;
	uint32_t left = (layer->n_out + LANES - 1) / LANES * GROUP;
	const float *packed = layer->packed;

	while (left) {
		uint32_t regs = left < BLOCK ? left : BLOCK;

		block_rows(packed, regs, n_groups, in, in_stride, out, relu);
		packed += (size_t)(n_groups + 1) * regs * LANES;
		out += regs / GROUP * LANES;
		left -= regs;
	}
}

/*
 * The same for one row.  @active says which inputs are not zero, or is NULL
 * where that is not known; @out_active receives the same of the outputs.
 * Return: whether it is known of the outputs.  @unit: as in single(), with at
 * most 64 units in this layer, or NULL.
 */
INLINE bool dense_one(const struct mls_layer *layer, const float *in, const uint64_t *active,
		      float *out, uint64_t *out_active, bool relu, const float *unit)
{
	uint32_t left = (layer->n_out + LANES - 1) / LANES;
	const float *packed = layer->packed_one;

	if (active && !worth_skipping(active, layer->n_in))
		active = NULL;
	while (left) {
		uint32_t regs = left < ONE ? left : ONE;
		float sum = 0;

		switch (regs) {
#define CASE(n)                                                                                  \
	case n:                                                                                  \
		sum = single(packed, layer->n_in, active, in, out, out_active++, relu, unit, n); \
		break
			CASE(4);
			CASE(3);
			CASE(2);
			CASE(1);
#if ONE > 4
			CASE(8);
			CASE(7);
			CASE(6);
			CASE(5);
#endif
#if ONE > 8
			CASE(16);
			CASE(15);
			CASE(14);
			CASE(13);
			CASE(12);
			CASE(11);
			CASE(10);
			CASE(9);
#endif
#undef CASE
		}
		if (unit)
			*out = sum;
		packed += (size_t)(layer->n_in + 1) * regs * LANES;
		out += regs * LANES;
		left -= regs;
	}
	return relu;
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
static NOINLINE void load_row(const struct mlsched_model *model, const float *from, float *to)
{
	uint32_t n = model->layers[0].n_in;

	for (uint32_t i = 0; i < n; i += LANES) {
		vec x = n - i < LANES ? v_load_part(from + i, n - i) : v_loadu(from + i);

		if (model->mean)
			x = v_div(v_sub(x, v_load(model->mean + i)), v_load(model->deviation + i));
		v_store(to + i, x);
	}
}

/* Applied to a whole layer of one row; ReLU behind many units is part of the sums. */
INLINE void activate_row(const struct mls_layer *layer, float *x)
{
	if (layer->activation == MLSCHED_SOFTMAX)
		softmax(x, layer->n_out);
	else if (layer->activation != MLSCHED_LINEAR &&
		 (layer->activation != MLSCHED_RELU || layer->n_out <= MLS_DOT_UNITS))
		activate(layer->activation, layer->alpha, x, layer->n_out);
}

/* The last layer of one unit, behind its sum. */
INLINE void end_with_unit(const struct mls_layer *layer, float y, float *out, bool sums)
{
	y += layer->packed[dot_stride(layer)];
	if (sums || layer->activation == MLSCHED_LINEAR)
		*out = y;
	else if (layer->activation == MLSCHED_SIGMOID)
		*out = sigmoid_one(y);
	else
		*out = activate_one(layer, y);
}

/* Whether layer l can go without its way through memory into a last layer of one unit. */
INLINE bool ends_behind(const struct mlsched_model *model, uint32_t l)
{
	const struct mls_layer *layer = &model->layers[l], *last = layer + 1;

	return l + 2 == model->n_layers && layer->n_out <= 64 && last->n_out == 1 &&
	       last->activation != MLSCHED_SOFTMAX &&
	       (layer->activation == MLSCHED_RELU || layer->activation == MLSCHED_LINEAR);
}

static NOINLINE void forward_one(const struct mlsched_model *model, const float *in, float *out,
				 enum mls_forward_end end)
{
	uint64_t active[2][MLSCHED_MAX_WIDTH / 64];
	bool known = false;
	uint32_t last = model->n_layers - 1;
	row_buffer buffer[2];

	if (model->mean || model->layers[0].n_out <= MLS_DOT_UNITS) {
		load_row(model, in, buffer[1]);
		in = buffer[1];
	}
	for (uint32_t l = 0;; l++) {
		const struct mls_layer *layer = &model->layers[l];
		bool sums = l == last && end == MLS_FORWARD_SUM;
		float *to = buffer[l & 1];

		if (layer->n_out > MLS_DOT_UNITS && ends_behind(model, l)) {
			float sum;

			dense_one(layer, in, known ? active[~l & 1] : NULL, &sum, active[l & 1],
				  layer->activation == MLSCHED_RELU, layer[1].packed);
			end_with_unit(layer + 1, sum, out, end == MLS_FORWARD_SUM);
			return;
		}
		if (layer->n_out > MLS_DOT_UNITS) {
			known = dense_one(layer, in, known ? active[~l & 1] : NULL, to,
					  active[l & 1], layer->activation == MLSCHED_RELU && !sums,
					  NULL);
		} else if (l == last && layer->n_out == 1 && layer->activation != MLSCHED_SOFTMAX) {
			end_with_unit(layer, dot_unit(layer->packed, in, dot_stride(layer)), out,
				      sums);
			return;
		} else {
			dot_middle(layer, in, to);
			known = false;
		}
		if (!sums)
			activate_row(layer, to);
		if (l == last) {
			memcpy(out, to, layer->n_out * sizeof(*out));
			return;
		}
		in = to;
	}
}

/*
 * Whether forward_narrow() does it: hidden layers of one full block of units and
 * ReLU, then one unit.  That is the network of this scheduler.
 */
INLINE bool is_narrow(const struct mlsched_model *model)
{
	uint32_t last = model->n_layers - 1;

	if (last < 2 || model->mean || model->layers[0].n_in > 64 ||
	    model->layers[last].n_out != 1 || model->layers[last].activation == MLSCHED_SOFTMAX)
		return false;
	for (uint32_t l = 0; l < last; l++) {
		const struct mls_layer *layer = &model->layers[l];

		if (layer->n_out > 64 || layer->n_out <= 64 - LANES ||
		    layer->activation != MLSCHED_RELU)
			return false;
	}
	return true;
}

/*
 * A hidden layer of forward_narrow(), which is single() with all that is known
 * of it: what is left is one loop over the bits of one word.
 */
INLINE float narrow(const struct mls_layer *layer, const float *in, uint64_t active, float *out,
		    uint64_t *out_active, const float *unit)
{
	if (4 * (uint32_t)__builtin_popcountll(active) < 3 * layer->n_in)
		return single(layer->packed_one, 64, &active, in, out, out_active, true, unit, ONE);
	return single(layer->packed_one, layer->n_in, NULL, in, out, out_active, true, unit, ONE);
}

/*
 * forward_one() without its choices.  They are all predicted, but the hundred
 * instructions that they are keep the next row out of the reordering window.
 */
static NOINLINE void forward_narrow(const struct mlsched_model *model, const float *in, float *out,
				    enum mls_forward_end end)
{
	const struct mls_layer *layer = model->layers, *last = layer + model->n_layers - 1;
	float row[2][64] __attribute__((aligned(64)));
	uint64_t active;
	uint32_t to = 0;
	float sum;

	single(layer->packed_one, layer->n_in, NULL, in, row[to], &active, true, NULL, ONE);
	while (++layer + 1 < last) {
		narrow(layer, row[to], active, row[!to], &active, NULL);
		to = !to;
	}
	sum = narrow(layer, row[to], active, row[!to], &active, last->packed);
	end_with_unit(last, sum, out, end == MLS_FORWARD_SUM);
}

/* One row, by the shorter way where there is one. */
INLINE void one_row(const struct mlsched_model *model, const float *in, float *out,
		    enum mls_forward_end end)
{
	if (is_narrow(model))
		forward_narrow(model, in, out, end);
	else
		forward_one(model, in, out, end);
}

/* The activation of a small last layer is left to the caller, who has more rows. */
static NOINLINE void forward_four(const struct mlsched_model *model, const float *in, float *out,
				  enum mls_forward_end end)
{
	uint32_t last = model->n_layers - 1;
	size_t in_stride = model->layers[0].n_in;
	row_buffer buffer[2][ROWS];

	if (model->mean || in_stride % GROUP || model->layers[0].n_out <= MLS_DOT_UNITS) {
		for (int r = 0; r < ROWS; r++)
			load_row(model, in + (size_t)r * in_stride, buffer[1][r]);
		in = buffer[1][0];
		in_stride = MLSCHED_MAX_WIDTH;
	}
	for (uint32_t l = 0;; l++) {
		const struct mls_layer *layer = &model->layers[l];
		bool sums = l == last && end == MLS_FORWARD_SUM;
		row_buffer *to = buffer[l & 1];

		if (layer->n_out > MLS_DOT_UNITS)
			dense_rows(layer, in, in_stride, to[0],
				   layer->activation == MLSCHED_RELU && !sums);
		for (int r = 0; r < ROWS; r++) {
			if (layer->n_out <= MLS_DOT_UNITS && l == last) {
				dot(layer, in + r * in_stride, out + r * layer->n_out);
				continue;
			}
			if (layer->n_out <= MLS_DOT_UNITS)
				dot_middle(layer, in + r * in_stride, to[r]);
			if (!sums)
				activate_row(layer, to[r]);
			if (l == last)
				memcpy(out + r * layer->n_out, to[r], layer->n_out * sizeof(*out));
		}
		if (l == last)
			return;
		in = to[0];
		in_stride = MLSCHED_MAX_WIDTH;
	}
}

/* What forward_four() left open. */
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
	size_t r = 0;

	if (n_rows == 1) {
		one_row(model, rows, out, end);
		return;
	}
	for (; r + ROWS <= n_rows; r += ROWS)
		forward_four(model, rows + r * n_in, out + r * last->n_out, end);
	if (last->n_out <= MLS_DOT_UNITS && end == MLS_FORWARD_OUTPUT && r)
		finish(last, out, r);
	for (; r < n_rows; r++)
		one_row(model, rows + r * n_in, out + r * last->n_out, end);
}
