// SPDX-License-Identifier: GPL-2.0
/*
 * LiteRT files made here: each operator and each of its options gives the
 * numbers that its definition gives; what is no chain of dense layers, or is
 * damaged, is refused word for word; and no file makes us allocate more than it
 * may.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/formats/lower.h"
#include "src/formats/tflite.h"
#include "tests/lib/golden.h"
#include "tests/lib/tflite.h"

#define HEAD "Invalid LiteRT format: m.tflite: "

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* The inputs of an operator; -1 is one that is left out. */
#define IN(...) ((const int32_t[]){ __VA_ARGS__, -2 })

/* The schema's BuiltinOptions. */
enum {
	OPTIONS_FULLY_CONNECTED = 8,
	OPTIONS_SOFTMAX = 9,
	OPTIONS_ADD = 11,
	OPTIONS_RESHAPE = 17,
	OPTIONS_MUL = 21,
	OPTIONS_SUB = 28,
	OPTIONS_DIV = 29,
	OPTIONS_LEAKY_RELU = 75,
};

static struct test_tflite m;

/* ---- making files ------------------------------------------------------------------------ */

/* [2][3]: the weights of a unit stand together. */
static const float weights[6] = { 1, 0.5f, -1, -2, 3, 0.25f };
static const float bias[2] = { 0.5f, -1 };
static const float row[3] = { 2, -3, 4 };

/* The tensors that every model here begins with. */
enum { X, W, B };

static int32_t numbers(int rank, int32_t rows, int32_t columns, const float *from)
{
	const int32_t dims[] = { rows, columns };
	size_t n = (size_t)(rank > 0 ? rows : 1) * (size_t)(rank > 1 ? columns : 1);

	return test_tflite_stored(&m, TEST_TFLITE_FLOAT32, rank, dims, from, n * sizeof(*from));
}

/* Numbers that are needed until the file is made. */
static int32_t number(float value)
{
	static float kept[16];
	static size_t n;

	kept[n = (n + 1) % ARRAY_SIZE(kept)] = value;
	return numbers(0, 0, 0, &kept[n]);
}

static int32_t integers(int32_t n, const int32_t *from)
{
	return test_tflite_stored(&m, TEST_TFLITE_INT32, 1, &n, from, (size_t)n * sizeof(*from));
}

static int32_t output_of(int32_t tensor)
{
	m.n_outputs = 1;
	return m.outputs[0] = tensor;
}

/* x [?, 3], weights and a bias; no operator yet. */
static void start_three(void)
{
	test_tflite_start(&m);
	test_tflite_computed(&m, 1, 3);
	m.tensors[X].n_signature = 2;
	m.tensors[X].signature[0] = -1;
	m.tensors[X].signature[1] = 3;
	m.n_inputs = 1;
	m.inputs[0] = X;
	numbers(2, 2, 3, weights);
	numbers(1, 2, 0, bias);
}

/* What it makes is the model's output, until the next one. */
static struct test_tflite_operator *operator(int32_t code, const int32_t *inputs)
{
	return test_tflite_operator(&m, code, inputs, output_of(test_tflite_computed(&m, 1, 2)));
}

static int32_t last(void)
{
	return m.outputs[0];
}

/* A dense layer of x; its output. */
static int32_t dense(void)
{
	start_three();
	operator(TEST_TFLITE_FULLY_CONNECTED, IN(X, W, B));
	return last();
}

static struct test_tflite_option *option(struct test_tflite_operator *op, uint8_t type, int slot)
{
	struct test_tflite_option *o = &op->options[op->n_options++];

	op->options_type = type;
	o->slot = slot;
	return o;
}

static struct test_tflite_operator *with_byte(struct test_tflite_operator *op, uint8_t type,
					      int slot, int8_t value)
{
	option(op, type, slot)->byte = value;
	return op;
}

static struct test_tflite_operator *with_real(struct test_tflite_operator *op, uint8_t type,
					      int slot, float value)
{
	struct test_tflite_option *o = option(op, type, slot);

	o->kind = TEST_TFLITE_REAL;
	o->real = value;
	return op;
}

static struct test_tflite_operator *with_ints(struct test_tflite_operator *op, uint8_t type,
					      int slot, int n, const int32_t *values)
{
	struct test_tflite_option *o = option(op, type, slot);

	o->kind = TEST_TFLITE_INTS;
	o->n_ints = n;
	memcpy(o->ints, values, (size_t)n * sizeof(*values));
	return op;
}

/* ---- reading them ------------------------------------------------------------------------- */

/* In memory of just this size, so that a sanitizer sees a byte too many. */
static int read_bytes(const uint8_t *bytes, size_t size, struct mlsched_error *err,
		      struct mlsched_model **model)
{
	struct mls_arena arena = mls_lower_arena("LiteRT", size);
	uint8_t *copy = malloc(size ? size : 1);
	const struct mls_blob blob = { "m.tflite", copy, size };
	int ret;

	assert_non_null(copy);
	memcpy(copy, bytes, size);
	*err = (struct mlsched_error){ 0 };
	ret = mls_tflite_read(&blob, &arena, err, model);
	assert_true(arena.used <= arena.limit);
	mls_arena_free(&arena);
	free(copy);
	if (ret == 0)
		return 0;
	/* One line that names the file, whatever it is. */
	assert_int_equal(err->code, ret);
	assert_int_equal(strncmp(err->message, HEAD, strlen(HEAD)), 0);
	assert_null(strchr(err->message, '\n'));
	return ret;
}

static int read_it(struct mlsched_error *err, struct mlsched_model **model)
{
	size_t size;
	uint8_t *bytes = test_tflite_pack(&m, &size);
	int ret = read_bytes(bytes, size, err, model);

	free(bytes);
	return ret;
}

/* How often each operator was part of a file that was taken, by its newer code. */
static unsigned int n_taken[256];

static struct mlsched_model *accept(void)
{
	struct mlsched_model *model;
	struct mlsched_error err;

	if (read_it(&err, &model) != 0)
		fail_msg("%s", err.message);
	for (int i = 0; i < m.n_operators; i++)
		n_taken[m.operators[i].code]++;
	return model;
}

static void gives(float first, float second)
{
	struct mlsched_model *model = accept();

	golden_gives(model, row, first, second);
	mlsched_model_free(model);
}

static void refuse_bytes(const uint8_t *bytes, size_t size, int code, const char *message)
{
	struct mlsched_model *untouched = (struct mlsched_model *)&m, *model = untouched;
	struct mlsched_error err;
	char expected[2 * MLSCHED_ERROR_SIZE];
	int ret = read_bytes(bytes, size, &err, &model);

	snprintf(expected, sizeof(expected), HEAD "%s", message);
	assert_string_equal(err.message, expected);
	assert_int_equal(ret, code);
	assert_ptr_equal(model, untouched);
}

static void refuse(int code, const char *message)
{
	size_t size;
	uint8_t *bytes = test_tflite_pack(&m, &size);

	refuse_bytes(bytes, size, code, message);
	free(bytes);
}

/* x w^T + b: 2 - 1.5 - 4 + 0.5 and -4 - 9 + 1 - 1. */
#define Y0 (-3.0f)
#define Y1 (-13.0f)

/* ---- dense layers ------------------------------------------------------------------------- */

static void fully_connected_has_a_bias_or_none(void **state)
{
	(void)state;
	dense();
	gives(Y0, Y1);
	/* It may be left out in two ways. */
	start_three();
	operator(TEST_TFLITE_FULLY_CONNECTED, IN(X, W));
	gives(-3.5f, -12);
	start_three();
	operator(TEST_TFLITE_FULLY_CONNECTED, IN(X, W, -1));
	gives(-3.5f, -12);
}

static void every_option_of_fully_connected_is_looked_at(void **state)
{
	struct test_tflite_operator *op;

	(void)state;
	/* Fused activation, format of the weights, kept dimensions, asymmetric inputs, bias type. */
	dense();
	op = with_byte(&m.operators[0], OPTIONS_FULLY_CONNECTED, 0, MLS_TFLITE_NONE);
	gives(Y0, Y1);
	op->options[0].byte = MLS_TFLITE_RELU;
	gives(0, 0);
	op->options[0].byte = MLS_TFLITE_RELU6;
	gives(0, 0);
	op->options[0].byte = MLS_TFLITE_TANH;
	gives(tanhf(Y0), tanhf(Y1));
	op->options[0].byte = MLS_TFLITE_RELU_N1_TO_1;
	refuse(-ENOTSUP, "node 0 for tensor 3 \"t\" (FULLY_CONNECTED): expected NONE, RELU, RELU6 "
			 "or TANH as its fused activation, found 2 (RELU_N1_TO_1)");
	op->options[0].byte = MLS_TFLITE_SIGN_BIT;
	refuse(-ENOTSUP, "node 0 for tensor 3 \"t\" (FULLY_CONNECTED): expected NONE, RELU, RELU6 "
			 "or TANH as its fused activation, found 5 (SIGN_BIT)");
	op->options[0].byte = -1;
	refuse(-ENOTSUP, "node 0 for tensor 3 \"t\" (FULLY_CONNECTED): expected NONE, RELU, RELU6 "
			 "or TANH as its fused activation, found -1 (unknown)");
	op->options[0].byte = MLS_TFLITE_NONE;
	with_byte(op, OPTIONS_FULLY_CONNECTED, 1, 0);
	gives(Y0, Y1);
	op->options[1].byte = 1;
	refuse(-ENOTSUP, "node 0 for tensor 3 \"t\" (FULLY_CONNECTED): expected weights in the "
			 "default format, found format 1");
	op->options[1].byte = 0;
	/* Of rows [?, n] it keeps the dimensions anyway, and of float numbers nothing is asymmetric. */
	for (int slot = 2; slot < 5; slot++)
		with_byte(op, OPTIONS_FULLY_CONNECTED, slot, 1);
	gives(Y0, Y1);
	/* Options of another operator, and options that are said to be none. */
	op->options_type = OPTIONS_SOFTMAX;
	refuse(-EINVAL, "node 0 for tensor 3 \"t\" (FULLY_CONNECTED): expected options of kind 8, "
			"found kind 9");
	op->options_type = 200;
	refuse(-EINVAL, "node 0 for tensor 3 \"t\" (FULLY_CONNECTED): expected options of kind 8, "
			"found kind -56");
}

static void version_of_an_operator_changes_nothing(void **state)
{
	(void)state;
	dense();
	for (int32_t version = 0; version < 15; version++) {
		m.operators[0].version = version;
		gives(Y0, Y1);
	}
	m.operators[0].version = INT32_MAX;
	gives(Y0, Y1);
}

/* One byte in files of 2020 and before; the larger of the two is meant. */
static void operators_are_known_by_the_old_and_by_the_new_code(void **state)
{
	(void)state;
	dense();
	m.operators[0].no_code = true;
	gives(Y0, Y1);
	m.operators[0].no_code = false;
	m.operators[0].old_code = 0;
	gives(Y0, Y1);
	/* A code that no byte holds has 127 there. */
	dense();
	operator(201, IN(last()));
	refuse(-ENOTSUP, "node 1 for tensor 4 \"t\" (STABLEHLO_GATHER): expected an operation of "
			 "dense layers, found STABLEHLO_GATHER");
	m.operators[1].no_code = true;
	refuse(-ENOTSUP, "node 1 for tensor 4 \"t\" (PLACEHOLDER_FOR_GREATER_OP_CODES): expected "
			 "an operation of dense layers, found PLACEHOLDER_FOR_GREATER_OP_CODES");
	m.operators[1].no_code = false;
	m.operators[1].code = 100000;
	refuse(-ENOTSUP, "node 1 for tensor 4 \"t\" (code 100000): expected an operation of dense "
			 "layers, found code 100000");
	m.operators[1].old_code = m.operators[1].code = -1;
	refuse(-ENOTSUP, "node 1 for tensor 4 \"t\" (code -1): expected an operation of dense "
			 "layers, found code -1");
}

static void weights_of_float16_are_dequantised(void **state)
{
	/* The weights, and in the same order, in float16. */
	static const uint16_t halves[] = { 0x3c00, 0x3800, 0xbc00, 0xc000, 0x4200, 0x3400 };
	int32_t half;

	(void)state;
	start_three();
	half = test_tflite_stored(&m, TEST_TFLITE_FLOAT16, 2, (const int32_t[]){ 2, 3 }, halves,
				  sizeof(halves));
	operator(TEST_TFLITE_DEQUANTIZE, IN(half));
	operator(TEST_TFLITE_FULLY_CONNECTED, IN(X, last(), B));
	gives(Y0, Y1);
	start_three();
	operator(TEST_TFLITE_DEQUANTIZE, IN(W));
	operator(TEST_TFLITE_FULLY_CONNECTED, IN(X, last(), B));
	refuse(-ENOTSUP, "node 0 for tensor 3 \"t\" (DEQUANTIZE): expected stored float16 weights, "
			 "found float32");
	dense();
	operator(TEST_TFLITE_DEQUANTIZE, IN(last()));
	refuse(-ENOTSUP, "node 1 for tensor 4 \"t\" (DEQUANTIZE): expected stored float16 weights, "
			 "found computed numbers: quantised models are to be converted again, "
			 "without optimisations");
}

/* ---- arithmetic --------------------------------------------------------------------------- */

struct arithmetic {
	int32_t code;
	uint8_t options_type;
	bool row_right; /* number op row, else row op number */
	float first, second; /* without a fused activation */
};

/* With 2 and -4 behind the layer. */
static const struct arithmetic behind[] = {
	{ TEST_TFLITE_ADD, OPTIONS_ADD, false, Y0 + 2, Y1 - 4 },
	{ TEST_TFLITE_ADD, OPTIONS_ADD, true, Y0 + 2, Y1 - 4 },
	{ TEST_TFLITE_SUB, OPTIONS_SUB, false, Y0 - 2, Y1 + 4 },
	{ TEST_TFLITE_SUB, OPTIONS_SUB, true, 2 - Y0, -4 - Y1 },
	{ TEST_TFLITE_MUL, OPTIONS_MUL, false, Y0 * 2, Y1 * -4 },
	{ TEST_TFLITE_MUL, OPTIONS_MUL, true, Y0 * 2, Y1 * -4 },
	{ TEST_TFLITE_DIV, OPTIONS_DIV, false, Y0 / 2, Y1 / -4 },
};

static void arithmetic_behind_a_layer_folds_with_its_fused_activation(void **state)
{
	static const float two[2] = { 2, -4 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(behind); i++) {
		const struct arithmetic *a = &behind[i];
		int32_t layer = dense(), by = numbers(1, 2, 0, two);
		struct test_tflite_operator *op = operator(a->code, a->row_right ? IN(by, layer) :
										   IN(layer, by));

		gives(a->first, a->second);
		with_byte(op, a->options_type, 0, MLS_TFLITE_NONE);
		gives(a->first, a->second);
		op->options[0].byte = MLS_TFLITE_RELU;
		gives(fmaxf(a->first, 0), fmaxf(a->second, 0));
		op->options[0].byte = MLS_TFLITE_RELU6;
		gives(fminf(fmaxf(a->first, 0), 6), fminf(fmaxf(a->second, 0), 6));
		op->options[0].byte = MLS_TFLITE_TANH;
		gives(tanhf(a->first), tanhf(a->second));
		op->options[0].byte = MLS_TFLITE_SIGN_BIT;
		{
			struct mlsched_model *model;
			struct mlsched_error err;

			assert_int_equal(read_it(&err, &model), -ENOTSUP);
			assert_non_null(strstr(err.message, "found 5 (SIGN_BIT)"));
		}
	}
}

static void numbers_by_a_row_are_no_arithmetic_of_dense_layers(void **state)
{
	int32_t layer = dense();

	(void)state;
	operator(TEST_TFLITE_DIV, IN(number(1), layer));
	refuse(-ENOTSUP, "node 1 for tensor 5 \"t\" (DIV): expected an operation of dense layers, "
			 "found one that is none on computed values");
	layer = dense();
	operator(TEST_TFLITE_ADD, IN(layer, X));
	refuse(-ENOTSUP, "node 1 for tensor 4 \"t\" (ADD): expected weights as one input, found "
			 "two inputs that are both computed: not a chain of dense layers");
	layer = dense();
	operator(TEST_TFLITE_ADD, IN(layer, numbers(1, 3, 0, row)));
	refuse(-EINVAL, "node 1 for tensor 5 \"t\" (ADD): expected one number or 2 of them, found "
			"shape [3]");
}

static void one_number_is_for_all_columns(void **state)
{
	int32_t layer = dense();

	(void)state;
	operator(TEST_TFLITE_MUL, IN(layer, number(3)));
	gives(3 * Y0, 3 * Y1);
	layer = dense();
	operator(TEST_TFLITE_ADD, IN(numbers(2, 1, 2, bias), layer));
	gives(Y0 + 0.5f, Y1 - 1);
}

static void normalization_in_front_is_kept(void **state)
{
	static const float mean[3] = { 1, 2, 3 }, deviation[3] = { 2, 4, 8 };
	const float *found_mean, *found_deviation;
	struct mlsched_model *model;

	(void)state;
	start_three();
	operator(TEST_TFLITE_SUB, IN(X, numbers(2, 1, 3, mean)));
	operator(TEST_TFLITE_DIV, IN(last(), numbers(1, 3, 0, deviation)));
	operator(TEST_TFLITE_FULLY_CONNECTED, IN(last(), W, B));
	/* 0.5, -1.25, 0.125 */
	gives(0.5f - 0.625f - 0.125f + 0.5f, -1 - 3.75f + 0.03125f - 1);
	model = accept();
	mlsched_model_normalization(model, &found_mean, &found_deviation);
	assert_memory_equal(found_mean, mean, sizeof(mean));
	assert_memory_equal(found_deviation, deviation, sizeof(deviation));
	mlsched_model_free(model);
}

static void arithmetic_on_stored_numbers_is_computed(void **state)
{
	static const float sixteen[2] = { 16, 16 };
	int32_t root, inverse;

	(void)state;
	start_three();
	operator(TEST_TFLITE_SQRT, IN(numbers(1, 2, 0, sixteen)));
	root = last();
	operator(TEST_TFLITE_RSQRT, IN(root));
	inverse = last();
	operator(TEST_TFLITE_NEG, IN(inverse));
	operator(TEST_TFLITE_ADD, IN(last(), B)); /* 0, -1.5 */
	operator(TEST_TFLITE_FULLY_CONNECTED, IN(X, W, last()));
	gives(-3.5f, -13.5f);
	operator(TEST_TFLITE_NEG, IN(last()));
	refuse(-ENOTSUP, "node 5 for tensor 9 \"t\" (NEG): expected it on weights only, found it "
			 "on a computed value");
}

/* ---- activations -------------------------------------------------------------------------- */

static void activations_are_those_of_litert(void **state)
{
	float e0 = expf(Y0 - Y0), e1 = expf(Y1 - Y0);
	struct test_tflite_operator *op;

	(void)state;
	dense();
	operator(TEST_TFLITE_LOGISTIC, IN(last()));
	gives(1 / (1 + expf(-Y0)), 1 / (1 + expf(-Y1)));
	dense();
	operator(TEST_TFLITE_RELU, IN(last()));
	gives(0, 0);
	dense();
	operator(TEST_TFLITE_MUL, IN(last(), number(-1)));
	operator(TEST_TFLITE_RELU, IN(last()));
	gives(3, 13);
	dense();
	operator(TEST_TFLITE_MUL, IN(last(), number(-1)));
	operator(TEST_TFLITE_RELU6, IN(last()));
	gives(3, 6);
	dense();
	operator(TEST_TFLITE_TANH, IN(last()));
	gives(tanhf(Y0), tanhf(Y1));
	dense();
	operator(TEST_TFLITE_ELU, IN(last()));
	gives(expm1f(Y0), expm1f(Y1));
	/* What is not written down is the schema's default: 0. */
	dense();
	op = operator(TEST_TFLITE_LEAKY_RELU, IN(last()));
	gives(0, 0);
	with_real(op, OPTIONS_LEAKY_RELU, 0, 0.25f);
	gives(0.25f * Y0, 0.25f * Y1);
	dense();
	op = with_real(operator(TEST_TFLITE_SOFTMAX, IN(last())), OPTIONS_SOFTMAX, 0, 1);
	gives(e0 / (e0 + e1), e1 / (e0 + e1));
	op->options[0].real = 2;
	refuse(-ENOTSUP, "node 1 for tensor 4 \"t\" (SOFTMAX): expected beta 1, found 2");
	op->options[0].real = NAN;
	refuse(-ENOTSUP, "node 1 for tensor 4 \"t\" (SOFTMAX): expected beta 1, found nan");
	op->n_options = 0;
	refuse(-ENOTSUP, "node 1 for tensor 4 \"t\" (SOFTMAX): expected beta 1, found 0");
	start_three();
	operator(TEST_TFLITE_RELU, IN(W));
	operator(TEST_TFLITE_FULLY_CONNECTED, IN(X, last(), B));
	refuse(-ENOTSUP, "node 0 for tensor 3 \"t\" (RELU): expected an activation of computed "
			 "values, found one of weights");
	start_three();
	operator(TEST_TFLITE_RELU, IN(X));
	operator(TEST_TFLITE_FULLY_CONNECTED, IN(last(), W, B));
	refuse(-ENOTSUP, "node 0 for tensor 3 \"t\" (RELU): expected a dense layer in front of the "
			 "activation, found none");
}

static void slopes_that_are_no_numbers_are_refused(void **state)
{
	static const float slopes[] = { NAN, INFINITY, -INFINITY };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(slopes); i++) {
		struct mlsched_model *model;
		struct mlsched_error err;

		dense();
		with_real(operator(TEST_TFLITE_LEAKY_RELU, IN(last())), OPTIONS_LEAKY_RELU, 0,
			  slopes[i]);
		assert_int_equal(read_it(&err, &model), -EINVAL);
	}
}

static void slopes_of_a_prelu_are_the_same_for_all_columns(void **state)
{
	static const float same[2] = { 0.125f, 0.125f }, other[2] = { 0.125f, 0.25f };
	int32_t layer = dense();

	(void)state;
	operator(TEST_TFLITE_PRELU, IN(layer, numbers(1, 2, 0, same)));
	gives(0.125f * Y0, 0.125f * Y1);
	layer = dense();
	operator(TEST_TFLITE_PRELU, IN(layer, numbers(1, 2, 0, other)));
	refuse(-ENOTSUP, "node 1 for tensor 5 \"t\" (PRELU): expected one slope for all columns, "
			 "found several");
	layer = dense();
	operator(TEST_TFLITE_PRELU, IN(W, layer));
	refuse(-ENOTSUP, "node 1 for tensor 4 \"t\" (PRELU): expected one slope for all columns, "
			 "found several");
}

static void maximum_with_zero_is_a_relu(void **state)
{
	int32_t layer = dense();

	(void)state;
	operator(TEST_TFLITE_MAXIMUM, IN(layer, number(0)));
	gives(0, 0);
	layer = dense();
	operator(TEST_TFLITE_MAXIMUM, IN(number(0), layer));
	gives(0, 0);
	layer = dense();
	operator(TEST_TFLITE_MAXIMUM, IN(layer, number(1)));
	refuse(-ENOTSUP, "node 1 for tensor 5 \"t\" (MAXIMUM): expected an operation of dense "
			 "layers, found one that is none on computed values");
	layer = dense();
	operator(TEST_TFLITE_MAXIMUM, IN(layer));
	refuse(-ENOTSUP, "node 1 for tensor 4 \"t\" (MAXIMUM): expected two inputs, found 1");
}

/* where(x > 0, elu(x), alpha * elu(x)), as converters from Keras write it. */
static int32_t scaled_elu(int32_t select, float above, float alpha)
{
	int32_t layer = dense(), positive, elu;

	operator(TEST_TFLITE_GREATER, IN(layer, number(above)));
	positive = last();
	operator(TEST_TFLITE_ELU, IN(layer));
	elu = last();
	operator(TEST_TFLITE_MUL, IN(elu, number(alpha)));
	operator(select, IN(positive, elu, last()));
	return positive;
}

static void scaled_elu_of_keras_is_one(void **state)
{
	int32_t positive;

	(void)state;
	scaled_elu(TEST_TFLITE_SELECT, 0, 0.75f);
	gives(0.75f * expm1f(Y0), 0.75f * expm1f(Y1));
	scaled_elu(TEST_TFLITE_SELECT_V2, 0, 0.75f);
	gives(0.75f * expm1f(Y0), 0.75f * expm1f(Y1));
	scaled_elu(TEST_TFLITE_SELECT, 1, 0.75f);
	refuse(-ENOTSUP, "node 1 for tensor 5 \"t\" (GREATER): expected the comparison x > 0 of an "
			 "ELU, found another one");
	scaled_elu(TEST_TFLITE_SELECT, 0, 0.75f);
	m.operators[4].inputs[2] = m.operators[4].inputs[1];
	refuse(-ENOTSUP, "node 4 for tensor 9 \"t\" (SELECT): expected x > 0 ? elu(x) : alpha * "
			 "elu(x), found another choice");
	positive = scaled_elu(TEST_TFLITE_SELECT, 0, 0.75f);
	output_of(positive);
	refuse(-ENOTSUP, "node 1 for tensor 5 \"t\" (GREATER): expected a comparison as part of an "
			 "ELU only, found one by itself");
}

/* ---- shapes ------------------------------------------------------------------------------- */

static void row_that_stays_a_row_may_be_reshaped(void **state)
{
	static const int32_t open[2] = { -1, 3 }, fixed[2] = { 1, 3 }, other[2] = { 3, 1 };
	static const int32_t long_list[TEST_TFLITE_MAX_RANK] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 3 };
	struct test_tflite_operator *op;

	(void)state;
	/* As an input; then what the options say does not count. */
	start_three();
	op = operator(TEST_TFLITE_RESHAPE, IN(X, integers(2, open)));
	operator(TEST_TFLITE_FULLY_CONNECTED, IN(last(), W, B));
	gives(Y0, Y1);
	with_ints(op, OPTIONS_RESHAPE, 0, 2, other);
	gives(Y0, Y1);
	/* In old models among the options alone. */
	start_three();
	op = with_ints(operator(TEST_TFLITE_RESHAPE, IN(X)), OPTIONS_RESHAPE, 0, 2, open);
	operator(TEST_TFLITE_FULLY_CONNECTED, IN(last(), W, B));
	gives(Y0, Y1);
	memcpy(op->options[0].ints, other, sizeof(other));
	refuse(-ENOTSUP, "node 0 for tensor 3 \"t\" (RESHAPE): expected rows of 3 numbers to stay "
			 "such rows, found a reshape to [3, 1]");
	memcpy(op->options[0].ints, long_list, sizeof(long_list));
	op->options[0].n_ints = 9;
	refuse(-ENOTSUP, "node 0 for tensor 3 \"t\" (RESHAPE): new_shape: expected at most 8 "
			 "dimensions, found 9");
	op->n_options = 0;
	refuse(-ENOTSUP, "node 0 for tensor 3 \"t\" (RESHAPE): expected rows of 3 numbers to stay "
			 "such rows, found a reshape to []");
	op->options_type = 0;
	refuse(-EINVAL, "node 0 for tensor 3 \"t\" (RESHAPE): expected a new shape as input 1 or "
			"among its options, found none");
	/* One row is meant where the input has one; nobody knows how many have been left open. */
	start_three();
	m.tensors[X].n_signature = 0;
	operator(TEST_TFLITE_RESHAPE, IN(X, integers(2, fixed)));
	operator(TEST_TFLITE_FULLY_CONNECTED, IN(last(), W, B));
	gives(Y0, Y1);
	m.tensors[X].n_signature = 2;
	refuse(-ENOTSUP, "node 0 for tensor 4 \"t\" (RESHAPE): expected rows of 3 numbers to stay "
			 "such rows, found a reshape to [1, 3]");
	/* Weights too. */
	start_three();
	operator(TEST_TFLITE_RESHAPE, IN(numbers(1, 6, 0, weights), integers(2, IN(2, -1))));
	operator(TEST_TFLITE_FULLY_CONNECTED, IN(X, last(), B));
	gives(Y0, Y1);
}

static void shape_that_is_computed_is_no_shape(void **state)
{
	(void)state;
	start_three();
	operator(TEST_TFLITE_RESHAPE, IN(X, W));
	operator(TEST_TFLITE_FULLY_CONNECTED, IN(last(), W, B));
	refuse(-ENOTSUP, "node 0 for tensor 3 \"t\" (RESHAPE): expected constant integers as input "
			 "1, found something else");
}

static void input_is_of_rows(void **state)
{
	(void)state;
	dense();
	m.tensors[X].n_signature = 0;
	gives(Y0, Y1); /* [1, 3] */
	m.tensors[X].dims[0] = -1;
	gives(Y0, Y1);
	m.tensors[X].rank = 1;
	m.tensors[X].dims[0] = 3;
	refuse(-ENOTSUP, "node tensor 0 (model input): Expected shape [?, n] with n up to 256, got "
			 "[3]");
	m.tensors[X].rank = -1;
	refuse(-ENOTSUP,
	       "node tensor 0 (model input): Expected shape [?, n] with n up to 256, got []");
	m.tensors[X].rank = 9;
	refuse(-ENOTSUP, "tensor 0 \"t\": expected at most 8 dimensions, found 9");
	m.tensors[X].rank = 2;
	m.tensors[X].dims[1] = 257;
	refuse(-ENOTSUP, "node tensor 0 (model input): Expected shape [?, n] with n up to 256, got "
			 "[3, 257]");
	m.tensors[X].dims[1] = 4;
	refuse(-EINVAL,
	       "node 0 for tensor 3 \"t\" (FULLY_CONNECTED): expected weights of 4 inputs, "
	       "found shape [3, 2]");
}

static void weights_are_a_matrix(void **state)
{
	(void)state;
	dense();
	m.tensors[W].rank = 1;
	m.tensors[W].dims[0] = 6;
	refuse(-ENOTSUP, "node 0 for tensor 3 \"t\" (FULLY_CONNECTED): expected a matrix to "
			 "transpose, found [6]");
	dense();
	m.operators[0].inputs[0] = W;
	m.operators[0].inputs[1] = X;
	refuse(-ENOTSUP, "node 0 for tensor 3 \"t\" (FULLY_CONNECTED): expected x W with weights "
			 "on the right, found W x");
	dense();
	m.operators[0].inputs[2] = X;
	refuse(-ENOTSUP, "node 0 for tensor 3 \"t\" (FULLY_CONNECTED): expected a constant bias, "
			 "found a computed one");
	dense();
	m.operators[0].n_inputs = 1;
	refuse(-EINVAL, "node 0 for tensor 3 \"t\" (FULLY_CONNECTED): expected input 1, found 1 "
			"inputs");
	dense();
	m.operators[0].inputs[1] = -1;
	refuse(-EINVAL, "main graph: expected a node for \"\", found none");
}

/* ---- what is refused ---------------------------------------------------------------------- */

/* Those that are none of ours, each by its name, also where the file is newer than we are. */
static void every_other_operator_is_refused_by_name(void **state)
{
	static const struct {
		int32_t code;
		const char *name;
	} known[] = {
		{ 3, "CONV_2D" },
		{ 16, "LSTM" },
		{ 31, "CALL" },
		{ 118, "IF" },
		{ 119, "WHILE" },
		{ 126, "BATCH_MATMUL" },
		{ 129, "CALL_ONCE" },
		{ 142, "VAR_HANDLE" },
		{ 143, "READ_VARIABLE" },
		{ 150, "GELU" },
		{ 199, "STABLEHLO_SORT" },
		{ 200, "STABLEHLO_WHILE" },
		{ 206, "STABLEHLO_COMPOSITE" },
		{ 209, "STABLEHLO_CASE" },
	};
	size_t n_known = 0, n_refused = 0;

	(void)state;
	for (int32_t code = 0; code < (int32_t)ARRAY_SIZE(n_taken); code++) {
		char message[256], name[64];
		struct mlsched_model *model;
		struct mlsched_error err;
		const char *found;
		int ret;

		if (n_taken[code] || code == TEST_TFLITE_CUSTOM || code == TEST_TFLITE_QUANTIZE)
			continue;
		dense();
		operator(code, IN(last()));
		ret = read_it(&err, &model);
		assert_int_equal(ret, -ENOTSUP);
		found = strstr(err.message, "expected an operation of dense layers, found ");
		if (!found)
			fail_msg("%d: %s", code, err.message);
		snprintf(name, sizeof(name), "%s", strrchr(found, ' ') + 1);
		if (code >= 210)
			snprintf(name, sizeof(name), "code %d", code);
		snprintf(message, sizeof(message),
			 HEAD "node 1 for tensor 4 \"t\" (%s): expected an operation of dense "
			      "layers, found %s",
			 name, name);
		assert_string_equal(err.message, message);
		for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
			if (known[i].code != code)
				continue;
			assert_string_equal(name, known[i].name);
			n_known++;
		}
		n_refused++;
	}
	assert_int_equal(n_known, ARRAY_SIZE(known));
	assert_true(n_refused > 200);
}

static void custom_operators_are_refused_by_name(void **state)
{
	(void)state;
	dense();
	operator(TEST_TFLITE_CUSTOM, IN(last()))->custom = "FlexErf";
	refuse(-ENOTSUP, "node 1 for tensor 4 \"t\" (custom FlexErf): expected an operation of "
			 "dense layers, found custom FlexErf");
	/* Names go to a terminal. */
	m.operators[1].custom = "Flex\x1b[31m\n";
	refuse(-ENOTSUP, "node 1 for tensor 4 \"t\" (custom Flex?[31m?): expected an operation of "
			 "dense layers, found custom Flex?[31m?");
	m.operators[1].custom = NULL;
	refuse(-ENOTSUP, "node 1 for tensor 4 \"t\" (custom ): expected an operation of dense "
			 "layers, found custom ");
	/* Not one of ours because it is called so. */
	m.operators[1].custom = "";
	m.operators[1].old_code = m.operators[1].code = TEST_TFLITE_CUSTOM;
	refuse(-ENOTSUP, "node 1 for tensor 4 \"t\" (custom ): expected an operation of dense "
			 "layers, found custom ");
}

static void quantised_numbers_are_refused(void **state)
{
	static const int8_t small[6] = { 1, 2, 3, 4, 5, 6 };
	static const struct {
		int8_t type;
		const char *name;
	} types[] = {
		{ 3, "uint8" },
		{ 5, "string" },
		{ 6, "bool" },
		{ 7, "int16" },
		{ 8, "complex64" },
		{ 9, "int8" },
		{ 10, "float64" },
		{ 19, "an unknown type" },
		{ 127, "an unknown type" },
		{ -1, "an unknown type" },
	};
	char message[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		dense();
		m.tensors[W].type = types[i].type;
		snprintf(message, sizeof(message),
			 "node tensor 1 \"t\" (constant tensor): expected float32 or float16 "
			 "numbers, found %s (quantised models are to be converted again, without "
			 "optimisations)",
			 types[i].name);
		refuse(-ENOTSUP, message);
		dense();
		m.tensors[X].type = types[i].type;
		snprintf(message, sizeof(message),
			 "tensor 0 \"t\": expected float32 numbers as the model's input, found %s "
			 "(quantised models are to be converted again, without optimisations)",
			 types[i].name);
		refuse(-ENOTSUP, message);
		dense();
		m.tensors[last()].type = types[i].type;
		snprintf(message, sizeof(message),
			 "tensor 3 \"t\": expected float32 numbers as the model's output, found "
			 "%s (quantised models are to be converted again, without optimisations)",
			 types[i].name);
		refuse(-ENOTSUP, message);
	}
	start_three();
	operator(TEST_TFLITE_QUANTIZE, IN(X));
	operator(TEST_TFLITE_FULLY_CONNECTED, IN(last(), W, B));
	refuse(-ENOTSUP, "node 0 for tensor 3 \"t\" (QUANTIZE): expected float numbers, found that "
			 "they are quantised: quantised models are to be converted again, without "
			 "optimisations");
	start_three();
	operator(TEST_TFLITE_DEQUANTIZE,
		 IN(test_tflite_stored(&m, TEST_TFLITE_INT8, 2, (const int32_t[]){ 2, 3 }, small,
				       sizeof(small))));
	operator(TEST_TFLITE_FULLY_CONNECTED, IN(X, last(), B));
	refuse(-ENOTSUP, "node tensor 3 \"t\" (constant tensor): expected float32 or float16 "
			 "numbers, found int8 (quantised models are to be converted again, without "
			 "optimisations)");
	/* Ranges that a converter noted do not make numbers of others. */
	dense();
	for (int i = 0; i < m.n_tensors; i++)
		m.tensors[i].ranges = true;
	gives(Y0, Y1);
}

static void numbers_that_are_not_in_the_tables_are_refused(void **state)
{
	(void)state;
	dense();
	m.tensors[W].external = 1;
	refuse(-ENOTSUP, "tensor 1 \"t\": expected numbers in this file, found external buffer 1");
	m.tensors[W].external = UINT32_MAX;
	refuse(-ENOTSUP, "tensor 1 \"t\": expected numbers in this file, found external buffer -1");
	dense();
	m.tensors[W].sparse = true;
	refuse(-ENOTSUP, "tensor 1 \"t\": expected dense numbers, found sparse ones");
	dense();
	m.buffers[m.tensors[W].buffer].behind = 4096;
	refuse(-ENOTSUP, "tensor 1 \"t\": expected numbers among the tables, found them behind, at "
			 "byte 4096");
	dense();
	m.tensors[W].buffer = 3;
	refuse(-EINVAL, "tensor 1 \"t\": expected one of the file's 3 buffers, found buffer 3");
	m.tensors[W].buffer = UINT32_MAX;
	refuse(-EINVAL, "tensor 1 \"t\": expected one of the file's 3 buffers, found buffer -1");
}

/* LiteRT computes with no integers among float numbers, and with float16 only behind a DEQUANTIZE. */
static void numbers_that_are_no_float32_are_refused_by_each_operator(void **state)
{
	static const struct {
		int8_t type;
		const char *name;
	} types[] = {
		{ TEST_TFLITE_INT32, "int32" },
		{ TEST_TFLITE_INT64, "int64" },
		{ TEST_TFLITE_FLOAT16, "float16" },
	};
	static const struct {
		int32_t code;
		const char *name;
	} operators[] = {
		{ TEST_TFLITE_ADD, "ADD" },         { TEST_TFLITE_SUB, "SUB" },
		{ TEST_TFLITE_MUL, "MUL" },         { TEST_TFLITE_DIV, "DIV" },
		{ TEST_TFLITE_PRELU, "PRELU" },     { TEST_TFLITE_MAXIMUM, "MAXIMUM" },
		{ TEST_TFLITE_GREATER, "GREATER" },
	};
	static const int64_t raw[6] = { 0 };
	char message[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		const enum test_tflite_type type = (enum test_tflite_type)types[i].type;
		size_t size = type == TEST_TFLITE_FLOAT16 ? 2 : type == TEST_TFLITE_INT32 ? 4 : 8;
		int32_t stored;

		/* Weights, then a bias. */
		start_three();
		stored = test_tflite_stored(&m, type, 2, (const int32_t[]){ 2, 3 }, raw, 6 * size);
		operator(TEST_TFLITE_FULLY_CONNECTED, IN(X, stored, B));
		snprintf(message, sizeof(message),
			 "node 0 for tensor 4 \"t\" (FULLY_CONNECTED): expected float32 numbers "
			 "as input 1, found %s",
			 types[i].name);
		refuse(-ENOTSUP, message);
		start_three();
		stored = test_tflite_stored(&m, type, 1, (const int32_t[]){ 2 }, raw, 2 * size);
		operator(TEST_TFLITE_FULLY_CONNECTED, IN(X, W, stored));
		snprintf(message, sizeof(message),
			 "node 0 for tensor 4 \"t\" (FULLY_CONNECTED): expected float32 numbers "
			 "as input 2, found %s",
			 types[i].name);
		refuse(-ENOTSUP, message);
		for (size_t k = 0; k < ARRAY_SIZE(operators); k++) {
			/* Behind a layer, and with what is stored. */
			dense();
			stored = test_tflite_stored(&m, type, 0, NULL, raw, size);
			operator(operators[k].code, IN(last(), stored));
			snprintf(
				message, sizeof(message),
				"node 1 for tensor 5 \"t\" (%s): expected float32 numbers as input "
				"1, found %s",
				operators[k].name, types[i].name);
			refuse(-ENOTSUP, message);
		}
		/* Also where it would have become float numbers, had it been computed. */
		start_three();
		stored = test_tflite_stored(&m, type, 1, (const int32_t[]){ 2 }, raw, 2 * size);
		operator(TEST_TFLITE_ADD, IN(stored, B));
		operator(TEST_TFLITE_FULLY_CONNECTED, IN(X, W, last()));
		snprintf(message, sizeof(message),
			 "node 0 for tensor 4 \"t\" (ADD): expected float32 numbers as input 0, "
			 "found %s",
			 types[i].name);
		refuse(-ENOTSUP, message);
		start_three();
		stored = test_tflite_stored(&m, type, 1, (const int32_t[]){ 2 }, raw, 2 * size);
		operator(TEST_TFLITE_SQRT, IN(stored));
		operator(TEST_TFLITE_FULLY_CONNECTED, IN(X, W, last()));
		snprintf(message, sizeof(message),
			 "node 0 for tensor 4 \"t\" (SQRT): expected float32 numbers as input 0, "
			 "found %s",
			 types[i].name);
		refuse(-ENOTSUP, message);
	}
}

/* It begins as zeros, and LiteRT refuses one that is given numbers. */
static void variable_with_numbers_is_refused(void **state)
{
	(void)state;
	dense();
	m.tensors[W].variable = true;
	refuse(-EINVAL, "tensor 1 \"t\": expected a variable without numbers in its buffer, found "
			"24 bytes of them");
	/* One without them that nothing needs is nobody's business. */
	dense();
	m.tensors[test_tflite_computed(&m, 1, 2)].variable = true;
	gives(Y0, Y1);
}

/* "No buffer" is buffer 0; what it held would be the numbers of every tensor that is computed. */
static void first_buffer_that_is_not_empty_is_refused(void **state)
{
	(void)state;
	dense();
	m.buffers[0] = (struct test_tflite_buffer){ .data = bias, .size = sizeof(bias) };
	refuse(-EINVAL, "buffer 0: expected no numbers, found 8 bytes of them");
	/* Weights that are the first buffer of the file, as a writer without the rule would have it. */
	dense();
	m.buffers[0] = m.buffers[m.tensors[W].buffer];
	m.tensors[W].buffer = 0;
	refuse(-EINVAL, "buffer 0: expected no numbers, found 24 bytes of them");
	dense();
	m.buffers[0].behind = 4096;
	refuse(-EINVAL, "buffer 0: expected no numbers, found some at byte 4096");
}

static void numbers_that_are_none_are_refused(void **state)
{
	static float bad[6] = { 1, 0.5f, -1, -2, 3, NAN };

	(void)state;
	dense();
	m.buffers[m.tensors[W].buffer].data = bad;
	refuse(-EINVAL,
	       "node tensor 1 \"t\" (constant tensor): expected finite numbers, found nan at "
	       "[1, 2]");
	bad[5] = -INFINITY;
	refuse(-EINVAL,
	       "node tensor 1 \"t\" (constant tensor): expected finite numbers, found -inf at "
	       "[1, 2]");
	/* One that is no number only when it has been computed. */
	start_three();
	operator(TEST_TFLITE_RSQRT, IN(number(0)));
	operator(TEST_TFLITE_FULLY_CONNECTED, IN(X, W, last()));
	refuse(-EINVAL, "node 0 for tensor 4 \"t\" (RSQRT): expected finite numbers, found inf at "
			"[]");
	start_three();
	operator(TEST_TFLITE_SQRT, IN(number(-1)));
	operator(TEST_TFLITE_FULLY_CONNECTED, IN(X, W, last()));
	refuse(-EINVAL, "node 0 for tensor 4 \"t\" (SQRT): expected finite numbers, found nan at "
			"[]");
}

static void shapes_that_do_not_fit_their_numbers_are_refused(void **state)
{
	(void)state;
	dense();
	m.tensors[W].dims[0] = 3;
	refuse(-EINVAL, "node tensor 1 \"t\" (constant tensor): expected 36 bytes of numbers, "
			"found 24");
	m.tensors[W].dims[0] = INT32_MAX;
	refuse(-ENOTSUP, "node tensor 1 \"t\" (constant tensor): expected at most 65536 numbers, "
			 "found dimension 0 of 2147483647");
	m.tensors[W].dims[0] = -2;
	refuse(-ENOTSUP, "node tensor 1 \"t\" (constant tensor): expected at most 65536 numbers, "
			 "found dimension 0 of -2");
	m.tensors[W].dims[0] = 0;
	refuse(-EINVAL, "node tensor 1 \"t\" (constant tensor): expected 0 bytes of numbers, "
			"found 24");
	/* 2^32 and more: each fits, their product does not. */
	m.tensors[W].rank = 4;
	for (int i = 0; i < 4; i++)
		m.tensors[W].dims[i] = 65536;
	refuse(-ENOTSUP, "node tensor 1 \"t\" (constant tensor): expected at most 65536 numbers, "
			 "found dimension 1 of 65536");
	m.tensors[W].rank = 9;
	refuse(-ENOTSUP, "tensor 1 \"t\": expected at most 8 dimensions, found 9");
	dense();
	m.buffers[m.tensors[W].buffer].size = 23;
	refuse(-EINVAL, "node tensor 1 \"t\" (constant tensor): expected 24 bytes of numbers, "
			"found 23");
}

static void graph_that_is_no_chain_is_refused(void **state)
{
	int32_t first, second;

	(void)state;
	/* Two that wait for one another, and one that waits for itself. */
	start_three();
	operator(TEST_TFLITE_RELU, IN(4));
	first = last();
	operator(TEST_TFLITE_RELU, IN(first));
	second = last();
	assert_int_equal(second, 4);
	refuse(-EINVAL, "node 1 for tensor 4 \"t\" (RELU): expected no cycle, found that it "
			"depends on itself");
	start_three();
	operator(TEST_TFLITE_RELU, IN(3));
	refuse(-EINVAL, "node 0 for tensor 3 \"t\" (RELU): expected no cycle, found that it "
			"depends on itself");
	/* Two that make the same, one that makes the input, one that makes what is stored. */
	dense();
	test_tflite_operator(&m, TEST_TFLITE_RELU, IN(X), last());
	refuse(-EINVAL, "operator 1 (RELU): expected an output that nothing else makes, found "
			"tensor 3 \"t\"");
	dense();
	test_tflite_operator(&m, TEST_TFLITE_RELU, IN(last()), X);
	refuse(-EINVAL, "operator 1 (RELU): expected an output that nothing else makes, found "
			"tensor 0 \"t\"");
	dense();
	test_tflite_operator(&m, TEST_TFLITE_RELU, IN(last()), W);
	refuse(-EINVAL, "operator 1 (RELU): expected an output that nothing else makes, found "
			"tensor 1 \"t\"");
	/* What nothing makes. */
	start_three();
	first = test_tflite_computed(&m, 1, 3);
	operator(TEST_TFLITE_FULLY_CONNECTED, IN(first, W, B));
	refuse(-EINVAL, "node 0 for tensor 4 \"t\" (FULLY_CONNECTED): expected numbers, the "
			"model's input or an output of an operator as its input 0, found none of "
			"them: tensor 3");
	dense();
	output_of(test_tflite_computed(&m, 1, 2));
	refuse(-EINVAL, "tensor 4 \"t\": expected an operator that makes the model's output, found "
			"none");
	/* Not computed from the input. */
	start_three();
	operator(TEST_TFLITE_NEG, IN(B));
	refuse(-ENOTSUP, "tensor 3 \"t\": expected the model's output to be computed from its "
			 "input, found one that is not");
	/* The second output of an operator that has one. */
	dense();
	m.operators[0].n_outputs = 2;
	m.operators[0].outputs[1] = output_of(test_tflite_computed(&m, 1, 2));
	refuse(-EINVAL, "node 0 for tensor 3 \"t\" (FULLY_CONNECTED): expected one output, found a "
			"use of output 1");
	/* No operator at all. */
	start_three();
	output_of(X);
	{
		struct mlsched_model *model;
		struct mlsched_error err;

		assert_true(read_it(&err, &model) < 0);
	}
}

static void tensors_beyond_the_last_are_refused(void **state)
{
	(void)state;
	dense();
	m.operators[0].inputs[1] = 4;
	refuse(-EINVAL,
	       "operator 0 (FULLY_CONNECTED): expected one of the model's 4 tensors as its "
	       "input, found tensor 4");
	m.operators[0].inputs[1] = INT32_MAX;
	refuse(-EINVAL,
	       "operator 0 (FULLY_CONNECTED): expected one of the model's 4 tensors as its "
	       "input, found tensor 2147483647");
	m.operators[0].inputs[1] = INT32_MIN;
	refuse(-EINVAL,
	       "operator 0 (FULLY_CONNECTED): expected one of the model's 4 tensors as its "
	       "input, found tensor -2147483648");
	dense();
	m.operators[0].outputs[0] = 4;
	refuse(-EINVAL,
	       "operator 0 (FULLY_CONNECTED): expected one of the model's 4 tensors as its "
	       "output, found tensor 4");
	m.operators[0].outputs[0] = -1;
	refuse(-EINVAL,
	       "operator 0 (FULLY_CONNECTED): expected one of the model's 4 tensors as its "
	       "output, found tensor -1");
	dense();
	m.inputs[0] = 4;
	refuse(-EINVAL, "expected one of the model's 4 tensors as its input, found tensor 4");
	m.inputs[0] = -1;
	refuse(-EINVAL, "expected one of the model's 4 tensors as its input, found tensor -1");
	dense();
	m.outputs[0] = 4;
	refuse(-EINVAL, "expected one of the model's 4 tensors as its output, found tensor 4");
	dense();
	m.inputs[0] = W;
	refuse(-EINVAL, "tensor 1 \"t\": expected an input to be given, found stored numbers");
	dense();
	m.operators[0].index = 1;
	refuse(-EINVAL, "operator 0: expected one of the file's 1 operator codes, found code 1");
	m.operators[0].index = INT32_MAX;
	refuse(-EINVAL,
	       "operator 0: expected one of the file's 1 operator codes, found code 2147483647");
	dense();
	m.operators[0].n_outputs = 0;
	refuse(-EINVAL, "tensor 3 \"t\": expected an operator that makes the model's output, found "
			"none");
}

static void one_graph_with_one_input_and_one_output_is_expected(void **state)
{
	(void)state;
	dense();
	m.n_subgraphs = 2;
	refuse(-ENOTSUP, "expected one subgraph, found 2");
	m.n_subgraphs = 0;
	refuse(-EINVAL, "expected one subgraph, found 0");
	dense();
	m.inputs[m.n_inputs++] = W;
	refuse(-ENOTSUP, "expected one input, found 2");
	m.n_inputs = 0;
	refuse(-ENOTSUP, "expected one input, found 0");
	dense();
	m.outputs[m.n_outputs++] = last();
	refuse(-ENOTSUP, "expected one output, found 2");
	m.n_outputs = 0;
	refuse(-ENOTSUP, "expected one output, found 0");
	dense();
	m.version = 2;
	refuse(-ENOTSUP, "expected version 3 of the schema, found 2");
	m.version = UINT32_MAX;
	refuse(-ENOTSUP, "expected version 3 of the schema, found -1");
}

static void text_of_a_file_is_shown_as_text(void **state)
{
	static char long_name[300];
	struct mlsched_model *model;
	struct mlsched_error err;

	(void)state;
	dense();
	m.description = "\033[2J\nwiped";
	model = accept();
	assert_null(strchr(mlsched_model_meta(model)->producer, '\033'));
	assert_null(strchr(mlsched_model_meta(model)->producer, '\n'));
	mlsched_model_free(model);
	memset(long_name, 'n', sizeof(long_name) - 1);
	m.description = long_name;
	m.tensors[W].name = long_name;
	m.tensors[W].type = TEST_TFLITE_INT8;
	assert_int_equal(read_it(&err, &model), -ENOTSUP);
	m.tensors[W].name = "\033[2J\n";
	assert_int_equal(read_it(&err, &model), -ENOTSUP);
	assert_null(strchr(err.message, '\033'));
}

static void depth_is_bounded(void **state)
{
	(void)state;
	dense();
	for (int i = 0; i < 500; i++)
		operator(TEST_TFLITE_RELU, IN(last()));
	refuse(-ENOTSUP, "main graph: expected a small network, found more than 400 nested "
			 "operations at tensor 103");
}

/* ---- damage ------------------------------------------------------------------------------- */

static uint8_t *everything(size_t *size)
{
	test_tflite_everything(&m);
	return test_tflite_pack(&m, size);
}

static void file_that_is_cut_anywhere_is_refused(void **state)
{
	size_t size, n_whole = 0;
	uint8_t *bytes = everything(&size);

	(void)state;
	for (size_t n = 0; n <= size; n++) {
		struct mlsched_model *model = NULL;
		struct mlsched_error err;

		/* What the writer puts last is the last number. */
		n_whole += read_bytes(bytes, n, &err, &model) == 0;
		mlsched_model_free(model);
	}
	assert_int_equal(n_whole, 1);
	free(bytes);
}

static void file_with_any_bit_or_byte_changed_does_no_harm(void **state)
{
	static const uint8_t changes[] = { 1, 2, 4, 8, 16, 32, 64, 128, 255 };
	size_t size, n_read = 0;
	uint8_t *bytes = everything(&size);

	(void)state;
	for (size_t i = 0; i < size; i++) {
		for (size_t c = 0; c < ARRAY_SIZE(changes); c++) {
			struct mlsched_model *model = NULL;
			struct mlsched_error err;

			bytes[i] ^= changes[c];
			n_read += read_bytes(bytes, size, &err, &model) == 0;
			mlsched_model_free(model);
			bytes[i] ^= changes[c];
		}
	}
	/* There is no checksum: a weight may be another one, but a length or an offset may not. */
	assert_true(n_read > 0 && n_read < size * ARRAY_SIZE(changes) * 2 / 3);
	free(bytes);
}

/* Where the parts of a file that tests damage are. */
struct places {
	uint8_t *bytes;
	size_t size;
	size_t root, graph, tensors, operators, weights; /* tables, and first elements of lists */
};

static struct places places_of_dense(void)
{
	struct places p = { 0 };

	dense();
	p.bytes = test_tflite_pack(&m, &p.size);
	p.root = test_fb_follow(p.bytes, 0);
	p.graph = test_fb_follow(p.bytes, test_fb_list(p.bytes, p.root, 2));
	p.tensors = test_fb_list(p.bytes, p.graph, 0);
	p.operators = test_fb_list(p.bytes, p.graph, 3);
	p.weights = test_fb_follow(p.bytes, p.tensors + 4 * W);
	return p;
}

/* @value at a place, for this once; the message has the place in it, and the file's size. */
static void refuse_changed(struct places *p, size_t at, uint32_t value, size_t named,
			   const char *format)
{
	uint32_t before = test_fb_u32(p->bytes, at);
	char message[256];

	test_fb_set(p->bytes, at, value);
	/* The formats are those below, with %1$zu for the place and %2$zu for the size. */
	snprintf(message, sizeof(message), format, named, p->size);
	refuse_bytes(p->bytes, p->size, -EINVAL, message);
	test_fb_set(p->bytes, at, before);
}

static void offsets_that_lead_out_of_the_file_or_wrap_are_refused(void **state)
{
	struct places p = places_of_dense();
	size_t field = test_fb_field(p.bytes, p.root, 2);

	(void)state;
	refuse_changed(&p, 0, 0xfffffff0, 0,
		       "byte %1$zu: expected the root table within the file's %2$zu bytes, found "
		       "an offset of 4294967280");
	refuse_changed(&p, 0, 0, 0,
		       "byte %1$zu: expected the root table within the file's %2$zu bytes, found "
		       "an offset of 0");
	/* Backwards, as nothing can lead: to the field itself, and by all of 2^32. */
	refuse_changed(&p, field, 0, field,
		       "byte %1$zu: expected the subgraphs within the file's %2$zu bytes, found "
		       "an offset of 0");
	refuse_changed(&p, field, UINT32_MAX, field,
		       "byte %1$zu: expected the subgraphs within the file's %2$zu bytes, found "
		       "an offset of 4294967295");
	refuse_changed(&p, field, 0x80000000, field,
		       "byte %1$zu: expected the subgraphs within the file's %2$zu bytes, found "
		       "an offset of 2147483648");
	/* To the very end, where no length is any more. */
	refuse_changed(&p, field, (uint32_t)(p.size - field), p.size,
		       "byte %1$zu: expected the length of the subgraphs, found the end of the "
		       "file");
	refuse_changed(&p, p.tensors + 4 * W, 0x7fffffff, p.tensors + 4 * W,
		       "byte %1$zu: expected the tensors within the file's %2$zu bytes, found an "
		       "offset of 2147483647");
	free(p.bytes);
}

static void lengths_beyond_the_file_are_refused(void **state)
{
	struct places p = places_of_dense();
	size_t at = p.tensors - 4, left = p.size - p.tensors;
	char format[256];

	(void)state;
	for (int i = 0; i < 3; i++) {
		/* One too many; so many that their bytes wrap round in 32 bits; all there are. */
		const uint32_t n[] = { (uint32_t)(left / 4 + 1), 0x40000001, UINT32_MAX };

		snprintf(format, sizeof(format),
			 "byte %%1$zu: expected the tensors within the file's %%2$zu bytes, found "
			 "%u of 4 bytes each, but %zu are left",
			 n[i], left);
		refuse_changed(&p, at, n[i], at, format);
	}
	free(p.bytes);
}

static void layouts_of_tables_outside_the_file_are_refused(void **state)
{
	struct places p = places_of_dense();
	size_t table = p.weights, vtable = test_fb_vtable(p.bytes, table);
	char format[256];

	(void)state;
	/* In front of the file, behind it, and as far away as an offset gets. */
	for (int i = 0; i < 4; i++) {
		const int32_t back[] = { (int32_t)table + 1, -(int32_t)(p.size - table), INT32_MIN,
					 INT32_MAX };

		snprintf(format, sizeof(format),
			 "byte %%1$zu: expected the layout of the tensors within the file's "
			 "%%2$zu bytes, found it at byte %lld",
			 (long long)table - back[i]);
		refuse_changed(&p, table, (uint32_t)back[i], table, format);
	}
	/* Of no size, of an odd one, and of more than is left. */
	for (int i = 0; i < 3; i++) {
		const uint16_t size[] = { 0, 7, 0xfffe };
		uint32_t before = test_fb_u32(p.bytes, vtable);

		snprintf(format, sizeof(format),
			 "byte %%1$zu: expected the layout of the tensors, found one of %u bytes "
			 "of which %zu are left",
			 size[i], p.size - vtable);
		refuse_changed(&p, vtable, (before & 0xffff0000) | size[i], vtable, format);
	}
	/* And tables that are smaller than their own head, or larger than the rest. */
	for (int i = 0; i < 2; i++) {
		const uint32_t size[] = { 3, 0xffff };
		uint32_t before = test_fb_u32(p.bytes, vtable);

		snprintf(format, sizeof(format),
			 "byte %%1$zu: expected the tensors, found one of %u bytes of which %zu "
			 "are left",
			 size[i], p.size - table);
		refuse_changed(&p, vtable, (before & 0xffff) | size[i] << 16, table, format);
	}
	free(p.bytes);
}

static void fields_outside_their_table_are_refused(void **state)
{
	struct places p = places_of_dense();
	size_t vtable = test_fb_vtable(p.bytes, p.weights), entry = vtable + 4; /* of its shape */
	uint32_t before = test_fb_u32(p.bytes, entry);
	uint32_t table_size = test_fb_u32(p.bytes, vtable) >> 16;
	char format[256];

	(void)state;
	for (int i = 0; i < 3; i++) {
		/* On its head; with one byte beyond its end; as far as a field gets. */
		const uint32_t offset[] = { 3, table_size - 3, 0xffff };

		snprintf(format, sizeof(format),
			 "byte %%1$zu: expected a tensor's shape within its table's %u bytes, "
			 "found it at %u",
			 table_size, offset[i]);
		refuse_changed(&p, entry, (before & 0xffff0000) | offset[i], entry, format);
	}
	free(p.bytes);
}

/* Any two tables may have the same layout, and any two lists the same elements. */
static void parts_that_are_shared_are_read_and_counted_as_often_as_they_are_named(void **state)
{
	static struct places p;
	struct mlsched_model *model;
	struct mlsched_error err;
	uint32_t n = 400000;
	uint8_t *bytes;
	size_t at;

	(void)state;
	p = places_of_dense();
	/* Two of the operator that there is: its output is made twice. */
	at = (p.size + 3) / 4 * 4;
	bytes = calloc(1, at + 4 + 4 * (size_t)n);
	assert_non_null(bytes);
	memcpy(bytes, p.bytes, p.size);
	free(p.bytes);
	/* A list behind everything; offsets lead forward, so the first tensor follows it, too. */
	test_fb_set(bytes, test_fb_field(bytes, p.graph, 0),
		    (uint32_t)(at - test_fb_field(bytes, p.graph, 0)));
	test_fb_set(bytes, at, n);
	p.size = at + 4 + 4 * (size_t)n;
	/* A table of 8 bytes and its layout of 8 at the very end, in place of the last elements. */
	test_fb_set(bytes, at, n - 4);
	test_fb_set(bytes, p.size - 16, 4 | 4 << 16);
	test_fb_set(bytes, p.size - 12, 4);
	for (uint32_t i = 0; i < n - 4; i++)
		test_fb_set(bytes, at + 4 + 4 * (size_t)i,
			    (uint32_t)(p.size - 12 - (at + 4 + 4 * (size_t)i)));
	assert_int_equal(read_bytes(bytes, p.size, &err, &model), -EINVAL);
	assert_non_null(strstr(err.message, "found one that unfolds to more than "));
	free(bytes);
}

/* 256 KiB that eight layers share would be a model of 4 MiB. */
static void weights_used_again_and_again_are_refused_beyond_the_limit(void **state)
{
	static float zeros[256 * 256];
	struct mlsched_model *model;
	struct mlsched_error err;
	int32_t shared;

	(void)state;
	start_three();
	m.tensors[X].signature[1] = 256;
	shared = numbers(2, 256, 256, zeros);
	operator(TEST_TFLITE_FULLY_CONNECTED, IN(X, shared));
	/* Once is what any model may do. */
	assert_int_equal(read_it(&err, &model), 0);
	mlsched_model_free(model);
	for (int i = 1; i < 8; i++)
		operator(TEST_TFLITE_FULLY_CONNECTED, IN(last(), shared));
	assert_int_equal(read_it(&err, &model), -EINVAL);
	assert_non_null(strstr(err.message, "found one that unfolds to more than "));
	operator(TEST_TFLITE_FULLY_CONNECTED, IN(last(), shared));
	assert_true(read_it(&err, &model) < 0);
}

static void marks_of_other_files_are_refused(void **state)
{
	struct places p = places_of_dense();
	char message[128];

	(void)state;
	memcpy(p.bytes + 4, "TFL2", 4);
	refuse_bytes(p.bytes, p.size, -EINVAL, "expected \"TFL3\" at byte 4, found \"TFL2\"");
	snprintf(message, sizeof(message), "expected \"TFL3\" at byte 4, found a file of %d bytes",
		 7);
	refuse_bytes(p.bytes, 7, -EINVAL, message);
	refuse_bytes(p.bytes, 0, -EINVAL, "expected \"TFL3\" at byte 4, found a file of 0 bytes");
	free(p.bytes);
}

/* ---- the table of operators --------------------------------------------------------------- */

/* A new line in the table of operators is a new file above. */
static void every_operator_of_the_table_was_taken_from_a_file_above(void **state)
{
	size_t n = 0;

	(void)state;
	for (size_t code = 0; code < ARRAY_SIZE(n_taken); code++)
		n += n_taken[code] > 0;
	/* Inputs and stored numbers are none of the schema; QUANTIZE is there to be refused. */
	assert_int_equal(n, mls_tflite.n_operations - 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fully_connected_has_a_bias_or_none),
		cmocka_unit_test(every_option_of_fully_connected_is_looked_at),
		cmocka_unit_test(version_of_an_operator_changes_nothing),
		cmocka_unit_test(operators_are_known_by_the_old_and_by_the_new_code),
		cmocka_unit_test(weights_of_float16_are_dequantised),
		cmocka_unit_test(arithmetic_behind_a_layer_folds_with_its_fused_activation),
		cmocka_unit_test(numbers_by_a_row_are_no_arithmetic_of_dense_layers),
		cmocka_unit_test(one_number_is_for_all_columns),
		cmocka_unit_test(normalization_in_front_is_kept),
		cmocka_unit_test(arithmetic_on_stored_numbers_is_computed),
		cmocka_unit_test(activations_are_those_of_litert),
		cmocka_unit_test(slopes_that_are_no_numbers_are_refused),
		cmocka_unit_test(slopes_of_a_prelu_are_the_same_for_all_columns),
		cmocka_unit_test(maximum_with_zero_is_a_relu),
		cmocka_unit_test(scaled_elu_of_keras_is_one),
		cmocka_unit_test(row_that_stays_a_row_may_be_reshaped),
		cmocka_unit_test(shape_that_is_computed_is_no_shape),
		cmocka_unit_test(input_is_of_rows),
		cmocka_unit_test(weights_are_a_matrix),
		/* From here on n_taken has all that is taken. */
		cmocka_unit_test(every_operator_of_the_table_was_taken_from_a_file_above),
		cmocka_unit_test(every_other_operator_is_refused_by_name),
		cmocka_unit_test(custom_operators_are_refused_by_name),
		cmocka_unit_test(quantised_numbers_are_refused),
		cmocka_unit_test(numbers_that_are_not_in_the_tables_are_refused),
		cmocka_unit_test(numbers_that_are_no_float32_are_refused_by_each_operator),
		cmocka_unit_test(variable_with_numbers_is_refused),
		cmocka_unit_test(first_buffer_that_is_not_empty_is_refused),
		cmocka_unit_test(numbers_that_are_none_are_refused),
		cmocka_unit_test(shapes_that_do_not_fit_their_numbers_are_refused),
		cmocka_unit_test(graph_that_is_no_chain_is_refused),
		cmocka_unit_test(tensors_beyond_the_last_are_refused),
		cmocka_unit_test(one_graph_with_one_input_and_one_output_is_expected),
		cmocka_unit_test(text_of_a_file_is_shown_as_text),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(file_that_is_cut_anywhere_is_refused),
		cmocka_unit_test(file_with_any_bit_or_byte_changed_does_no_harm),
		cmocka_unit_test(offsets_that_lead_out_of_the_file_or_wrap_are_refused),
		cmocka_unit_test(lengths_beyond_the_file_are_refused),
		cmocka_unit_test(layouts_of_tables_outside_the_file_are_refused),
		cmocka_unit_test(fields_outside_their_table_are_refused),
		cmocka_unit_test(
			parts_that_are_shared_are_read_and_counted_as_often_as_they_are_named),
		cmocka_unit_test(weights_used_again_and_again_are_refused_beyond_the_limit),
		cmocka_unit_test(marks_of_other_files_are_refused),
	};

	return cmocka_run_group_tests_name("tflite", tests, NULL, NULL);
}
