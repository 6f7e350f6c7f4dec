/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The arithmetic of training, written once with the compiler's vector types.
 * Included by kernels_base.c, kernels_avx2.c and kernels_avx512.c, which say
 *
 *   WIDTH        lanes of a register
 *   TILE_ROWS    rows of a tile of the matrix product
 *   TILE_VECTORS registers of columns of a tile
 *   KERNELS      name of the table
 *   VECTOR_SQRT  lane-wise square root
 *
 * None of these may change a single bit of a result: see kernels.h.
 */
#include <float.h>

#include "src/nn/train/kernels.h"

#if FLT_EVAL_METHOD != 0
#error "float arithmetic with excess precision: results would differ between machines"
#endif

#define LANES     16 /* of the one sum across lanes, on every machine */
#define REGISTERS (LANES / WIDTH)

typedef float vf __attribute__((vector_size(WIDTH * 4), may_alias));
typedef int32_t vi __attribute__((vector_size(WIDTH * 4), may_alias));

#define INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

INLINE vf load(const float *p)
{
	return *(const vf *)p;
}

INLINE void store(float *p, vf x)
{
	*(vf *)p = x;
}

INLINE vf splat(float x)
{
	vf v;

	UNROLL
	for (int i = 0; i < WIDTH; i++)
		v[i] = x;
	return v;
}

/* Lane-wise mask ? a : b. */
INLINE vf pick(vi mask, vf a, vf b)
{
	return (vf)(((vi)a & mask) | ((vi)b & ~mask));
}

INLINE vf absolute(vf x)
{
	return (vf)((vi)x & 0x7fffffff);
}

/*
 * exp(x) within 2 units in the last place: x = n log 2 + r, a polynomial for
 * exp(r), n into the exponent.  log 2 in two parts, the first with so few
 * bits that n times it is exact.  Beyond +-87 the result stays where it is
 * there: still finite, not denormal.
 */
INLINE vf exponential(vf x)
{
	const vf magic = splat(0x1.8p23f);
	vf n, r, p;
	vi power;

	x = pick((vi)(x > splat(87)), splat(87), x);
	x = pick((vi)(x < splat(-87)), splat(-87), x);
	n = x * 1.44269504f + magic;
	power = (vi)n - (vi)magic;
	n = n - magic;
	r = x - n * 0x1.63p-1f;
	r = r + n * 2.12194440e-4f;
	p = r * (1.0f / 5040) + 1.0f / 720;
	p = p * r + 1.0f / 120;
	p = p * r + 1.0f / 24;
	p = p * r + 1.0f / 6;
	p = p * r + 0.5f;
	p = p * r * r + r + 1.0f;
	return (vf)((vi)p + (power << 23));
}

/* log(1 + u) for u in [0, 1]: 2 artanh(s) with s = u / (2 + u) <= 1/3, as a series. */
INLINE vf log_one_plus(vf u)
{
	vf s = u / (u + 2.0f);
	vf t = s * s;
	vf p = t * (1.0f / 15) + 1.0f / 13;

	p = p * t + 1.0f / 11;
	p = p * t + 1.0f / 9;
	p = p * t + 1.0f / 7;
	p = p * t + 1.0f / 5;
	p = p * t + 1.0f / 3;
	return s * 2.0f + s * 2.0f * (t * p);
}

/* exp(x) - 1 for x <= 0, without cancellation close to zero. */
INLINE vf exponential_less_one(vf x)
{
	vf p = x * (1.0f / 5040) + 1.0f / 720;

	p = p * x + 1.0f / 120;
	p = p * x + 1.0f / 24;
	p = p * x + 1.0f / 6;
	p = p * x + 0.5f;
	p = p * x * x + x;
	return pick((vi)(x > splat(-0.35f)), p, exponential(x) - 1.0f);
}

/* From e = exp(-|x|), which cannot overflow. */
INLINE vf sigmoid(vf x)
{
	vf e = exponential(-absolute(x));
	vf one = splat(1);

	return pick((vi)(x >= splat(0)), one, e) / (e + 1.0f);
}

INLINE vf hyperbolic_tangent(vf x)
{
	vf e = exponential_less_one(absolute(x) * -2.0f);
	vf t = -e / (e + 2.0f);

	return (vf)((vi)t | ((vi)x & (int32_t)0x80000000));
}

/* One tile of @n_rows by @n_vectors registers, both known to the compiler. */
INLINE void tile(const struct mls_gemm *g, uint32_t row, uint32_t col, const uint32_t n_rows,
		 const uint32_t n_vectors)
{
	const float *a = g->a + row * g->a_row;
	const float *b = g->b + col;
	float *c = g->c + row * g->c_row + col;
	vf sum[TILE_ROWS][TILE_VECTORS];

	UNROLL
	for (uint32_t i = 0; i < n_rows; i++) {
		UNROLL
		for (uint32_t j = 0; j < n_vectors; j++)
			sum[i][j] = g->init ? load(g->init + col + j * WIDTH) : splat(0);
	}
	for (uint32_t k = 0; k < g->depth; k++) {
		UNROLL
		for (uint32_t i = 0; i < n_rows; i++) {
			UNROLL
			for (uint32_t j = 0; j < n_vectors; j++)
				sum[i][j] += load(b + j * WIDTH) * a[i * g->a_row];
		}
		a += g->a_col;
		b += g->b_row;
	}
	UNROLL
	for (uint32_t i = 0; i < n_rows; i++) {
		UNROLL
		for (uint32_t j = 0; j < n_vectors; j++)
			store(c + i * g->c_row + j * WIDTH, sum[i][j]);
	}
}

static void gemm(const struct mls_gemm *g)
{
	const uint32_t wide = TILE_VECTORS * WIDTH;
	uint32_t col = 0, row;

	for (; col + wide <= g->cols; col += wide) {
		for (row = 0; row + TILE_ROWS <= g->rows; row += TILE_ROWS)
			tile(g, row, col, TILE_ROWS, TILE_VECTORS);
		for (; row < g->rows; row++)
			tile(g, row, col, 1, TILE_VECTORS);
	}
	for (; col < g->cols; col += WIDTH) {
		for (row = 0; row + TILE_ROWS <= g->rows; row += TILE_ROWS)
			tile(g, row, col, TILE_ROWS, 1);
		for (; row < g->rows; row++)
			tile(g, row, col, 1, 1);
	}
}

static void column_sums(const float *x, uint32_t rows, uint32_t stride, float *out)
{
	for (uint32_t j = 0; j < stride; j += WIDTH) {
		vf sum = splat(0);

		for (uint32_t r = 0; r < rows; r++)
			sum += load(x + (size_t)r * stride + j);
		store(out + j, sum);
	}
}

INLINE vf activate_one(enum mlsched_activation activation, float alpha, vf x)
{
	const vf zero = splat(0);
	const vi positive = (vi)(x > zero);

	switch (activation) {
	case MLSCHED_RELU:
		return pick(positive, x, zero);
	case MLSCHED_RELU6:
		return pick(positive, pick((vi)(x < splat(6)), x, splat(6)), zero);
	case MLSCHED_LEAKY_RELU:
		return pick(positive, x, x * alpha);
	case MLSCHED_ELU:
		return pick(positive, x, exponential_less_one(pick(positive, zero, x)) * alpha);
	case MLSCHED_SIGMOID:
		return sigmoid(x);
	case MLSCHED_TANH:
		return hyperbolic_tangent(x);
	default:
		return x;
	}
}

INLINE void activate_all(enum mlsched_activation activation, float alpha, float *x, size_t n)
{
	for (size_t i = 0; i < n; i += WIDTH)
		store(x + i, activate_one(activation, alpha, load(x + i)));
}

/* The switch stands outside of the loop: one loop for each activation. */
#define FOR_EACH_ACTIVATION(call)         \
	switch (activation) {             \
	case MLSCHED_RELU:                \
		call(MLSCHED_RELU);       \
		break;                    \
	case MLSCHED_RELU6:               \
		call(MLSCHED_RELU6);      \
		break;                    \
	case MLSCHED_LEAKY_RELU:          \
		call(MLSCHED_LEAKY_RELU); \
		break;                    \
	case MLSCHED_ELU:                 \
		call(MLSCHED_ELU);        \
		break;                    \
	case MLSCHED_SIGMOID:             \
		call(MLSCHED_SIGMOID);    \
		break;                    \
	case MLSCHED_TANH:                \
		call(MLSCHED_TANH);       \
		break;                    \
	default:                          \
		call(MLSCHED_LINEAR);     \
	}

static void activate(enum mlsched_activation activation, float alpha, float *x, uint32_t rows,
		     uint32_t n, uint32_t stride)
{
#define CALL(constant) activate_all(constant, alpha, x, (size_t)rows *stride)
	FOR_EACH_ACTIVATION(CALL)
#undef CALL
	/* A sigmoid of nothing is 0.5; the lanes behind the last unit are to stay zero. */
	for (uint32_t r = 0; n < stride && r < rows; r++) {
		for (uint32_t j = n; j < stride; j++)
			x[(size_t)r * stride + j] = 0;
	}
}

/* The derivative by the sum in front, from the result @h alone (alpha is not negative). */
INLINE vf slope(enum mlsched_activation activation, float alpha, vf h)
{
	const vf zero = splat(0), one = splat(1);
	const vi positive = (vi)(h > zero);

	switch (activation) {
	case MLSCHED_RELU:
		return pick(positive, one, zero);
	case MLSCHED_RELU6:
		return pick(positive & (vi)(h < splat(6)), one, zero);
	case MLSCHED_LEAKY_RELU:
		return pick(positive, one, splat(alpha));
	case MLSCHED_ELU:
		return pick(positive, one, h + alpha);
	case MLSCHED_SIGMOID:
		return h * (one - h);
	case MLSCHED_TANH:
		return one - h * h;
	default:
		return one;
	}
}

INLINE void activate_back_all(enum mlsched_activation activation, float alpha, float penalty,
			      const float *h, float *delta, size_t n)
{
	const vf zero = splat(0);

	for (size_t i = 0; i < n; i += WIDTH) {
		vf x = load(h + i), d = load(delta + i);

		/* The penalty is on |h|: its slope is that of the sign. */
		d += pick((vi)(x > zero), splat(penalty),
			  pick((vi)(x < zero), splat(-penalty), zero));
		store(delta + i, d * slope(activation, alpha, x));
	}
}

static void activate_back(enum mlsched_activation activation, float alpha, float penalty,
			  const float *h, float *delta, uint32_t rows, uint32_t stride)
{
#define CALL(constant) activate_back_all(constant, alpha, penalty, h, delta, (size_t)rows *stride)
	FOR_EACH_ACTIVATION(CALL)
#undef CALL
}

/* Sixteen partial sums on every machine, then halves onto halves. */
static void dot_rows(const float *x, uint32_t rows, uint32_t stride, const float *w, float bias,
		     float *out)
{
	for (uint32_t r = 0; r < rows; r++, x += stride) {
		float lane[LANES] __attribute__((aligned(64)));
		vf sum[REGISTERS];

		UNROLL
		for (int j = 0; j < REGISTERS; j++)
			sum[j] = splat(0);
		for (uint32_t i = 0; i < stride; i += LANES) {
			UNROLL
			for (int j = 0; j < REGISTERS; j++)
				sum[j] += load(x + i + j * WIDTH) * load(w + i + j * WIDTH);
		}
		UNROLL
		for (int j = 0; j < REGISTERS; j++)
			store(lane + j * WIDTH, sum[j]);
		for (int half = LANES / 2; half > 0; half /= 2) {
			for (int j = 0; j < half; j++)
				lane[j] += lane[j + half];
		}
		out[r] = lane[0] + bias;
	}
}

static void outer(const float *d, uint32_t rows, const float *w, uint32_t stride, float *out)
{
	for (uint32_t r = 0; r < rows; r++, out += stride) {
		for (uint32_t j = 0; j < stride; j += WIDTH)
			store(out + j, load(w + j) * d[r]);
	}
}

/*
 * Binary cross-entropy from the logit z and the label y, which cannot
 * overflow: max(z, 0) - z y + log(1 + exp(-|z|)); its slope is sigmoid(z) - y.
 */
static void loss(const float *logits, const float *labels, const float *weights, float scale,
		 uint32_t n, float *losses, float *deltas)
{
	const vf zero = splat(0);

	for (uint32_t i = 0; i < n; i += WIDTH) {
		vf z = load(logits + i), y = load(labels + i), w = load(weights + i);
		vf e = exponential(-absolute(z));
		vf s = pick((vi)(z >= zero), splat(1), e) / (e + 1.0f);

		store(losses + i, w * (pick((vi)(z > zero), z, zero) - z * y + log_one_plus(e)));
		store(deltas + i, w * (s - y) * scale);
	}
}

static void add(float *to, const float *from, size_t n)
{
	for (size_t i = 0; i < n; i += WIDTH)
		store(to + i, load(to + i) + load(from + i));
}

static void add_scaled(float *to, const float *from, float factor, size_t n)
{
	for (size_t i = 0; i < n; i += WIDTH)
		store(to + i, load(to + i) + load(from + i) * factor);
}

static void adam(const struct mls_adam *step, const float *gradient, float *w, float *m, float *v,
		 size_t n)
{
	for (size_t i = 0; i < n; i += WIDTH) {
		vf g = load(gradient + i);
		vf mean = load(m + i), square = load(v + i);

		mean += (g - mean) * step->one_less_beta1;
		square += (g * g - square) * step->one_less_beta2;
		store(m + i, mean);
		store(v + i, square);
		store(w + i,
		      load(w + i) - mean * step->rate / (VECTOR_SQRT(square) + step->epsilon));
	}
}

const struct mls_train_kernels KERNELS = {
	.gemm = gemm,
	.column_sums = column_sums,
	.activate = activate,
	.activate_back = activate_back,
	.dot_rows = dot_rows,
	.outer = outer,
	.loss = loss,
	.add = add,
	.add_scaled = add_scaled,
	.adam = adam,
};
