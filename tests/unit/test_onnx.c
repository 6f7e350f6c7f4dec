// SPDX-License-Identifier: GPL-2.0
/*
 * ONNX graphs made here: each operation gives the numbers that its definition
 * gives, and what is no chain of dense layers, or is damaged, is refused word
 * for word.
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
#include "src/formats/onnx.h"
#include "tests/lib/files.h"
#include "tests/lib/golden.h"

#define HEAD "Invalid ONNX format: m.onnx: "

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static struct mls_arena arena = MLS_ARENA_INIT(64 << 20);

/* ---- making files --------------------------------------------------------------------- */

static Mls__Onnx__Model pb;
static Mls__Onnx__Graph graph;
static Mls__Onnx__OperatorSet sets[2], *set_list[2];
static Mls__Onnx__Node *nodes[512];
static Mls__Onnx__Tensor *tensors[32];
static Mls__Onnx__ValueInfo *inputs[8], *outputs[2];

static void *take(size_t n, size_t size)
{
	void *piece = mls_arena_array(&arena, n, size);

	assert_non_null(piece);
	return piece;
}

static char *copy(const char *text)
{
	return strcpy(take(1, strlen(text) + 1), text);
}

/* An empty graph of operators of this version. */
static void start(int64_t opset)
{
	mls_arena_free(&arena);
	mls__onnx__model__init(&pb);
	mls__onnx__graph__init(&graph);
	pb.has_ir_version = true;
	pb.ir_version = 8;
	pb.graph = &graph;
	for (size_t i = 0; i < 2; i++) {
		mls__onnx__operator_set__init(&sets[i]);
		set_list[i] = &sets[i];
	}
	sets[0].has_version = true;
	sets[0].version = opset;
	pb.n_opset_import = 1;
	pb.opset_import = set_list;
	graph.node = nodes;
	graph.initializer = tensors;
	graph.input = inputs;
	graph.output = outputs;
}

/* rank -1: a shape is not given; dimensions below 0 have names instead. */
static Mls__Onnx__ValueInfo *info(const char *name, int32_t type, int rank, int64_t rows,
				  int64_t columns)
{
	const int64_t dims[] = { rows, columns, 1 };
	Mls__Onnx__ValueInfo *v = take(1, sizeof(*v));

	mls__onnx__value_info__init(v);
	v->name = copy(name);
	v->type = take(1, sizeof(*v->type));
	mls__onnx__type__init(v->type);
	v->type->tensor_type = take(1, sizeof(*v->type->tensor_type));
	mls__onnx__tensor_type__init(v->type->tensor_type);
	v->type->tensor_type->has_elem_type = true;
	v->type->tensor_type->elem_type = type;
	if (rank < 0)
		return v;
	v->type->tensor_type->shape = take(1, sizeof(*v->type->tensor_type->shape));
	mls__onnx__shape__init(v->type->tensor_type->shape);
	v->type->tensor_type->shape->dim = take(3, sizeof(Mls__Onnx__Dim *));
	for (int i = 0; i < rank; i++) {
		Mls__Onnx__Dim *dim = take(1, sizeof(*dim));

		mls__onnx__dim__init(dim);
		dim->value_case = dims[i] < 0 ? MLS__ONNX__DIM__VALUE_DIM_PARAM :
						MLS__ONNX__DIM__VALUE_DIM_VALUE;
		if (dims[i] < 0)
			dim->dim_param = copy("n");
		else
			dim->dim_value = dims[i];
		v->type->tensor_type->shape->dim[v->type->tensor_type->shape->n_dim++] = dim;
	}
	return v;
}

static Mls__Onnx__Node *node(const char *op, const char *in, const char *out)
{
	Mls__Onnx__Node *n = take(1, sizeof(*n));
	char *save, *names = copy(in);

	mls__onnx__node__init(n);
	n->op_type = copy(op);
	n->input = take(8, sizeof(*n->input));
	n->output = take(2, sizeof(*n->output));
	n->attribute = take(8, sizeof(*n->attribute));
	for (char *word = strtok_r(names, " ", &save); word; word = strtok_r(NULL, " ", &save))
		n->input[n->n_input++] = strcmp(word, "-") == 0 ? copy("") : word;
	names = copy(out);
	for (char *word = strtok_r(names, " ", &save); word; word = strtok_r(NULL, " ", &save))
		n->output[n->n_output++] = word;
	assert_true(graph.n_node < ARRAY_SIZE(nodes));
	return nodes[graph.n_node++] = n;
}

static Mls__Onnx__Attribute *attr(Mls__Onnx__Node *of, const char *name, int32_t type)
{
	Mls__Onnx__Attribute *a = take(1, sizeof(*a));

	mls__onnx__attribute__init(a);
	a->name = copy(name);
	a->has_type = true;
	a->type = type;
	a->has_f = a->has_i = true;
	return of->attribute[of->n_attribute++] = a;
}

static Mls__Onnx__Node *with_f(Mls__Onnx__Node *of, const char *name, float f)
{
	attr(of, name, MLS_ONNX_FLOAT)->f = f;
	return of;
}

static Mls__Onnx__Node *with_i(Mls__Onnx__Node *of, const char *name, int64_t i)
{
	attr(of, name, MLS_ONNX_INT)->i = i;
	return of;
}

static Mls__Onnx__Node *with_ints(Mls__Onnx__Node *of, const char *name, size_t n, int64_t a,
				  int64_t b)
{
	Mls__Onnx__Attribute *attribute = attr(of, name, MLS_ONNX_INTS);

	attribute->ints = take(2, sizeof(*attribute->ints));
	attribute->ints[0] = a;
	attribute->ints[1] = b;
	attribute->n_ints = n;
	return of;
}

/* rank 2: [rows, columns]; 1: [rows]; 0: one number. */
static Mls__Onnx__Tensor *make_tensor(const char *name, int rank, int64_t rows, int64_t columns)
{
	Mls__Onnx__Tensor *t = take(1, sizeof(*t));

	mls__onnx__tensor__init(t);
	t->name = copy(name);
	t->dims = take(2, sizeof(*t->dims));
	t->n_dims = (size_t)rank;
	t->dims[0] = rows;
	t->dims[1] = columns;
	t->has_data_type = true;
	t->data_type = MLS_ONNX_DT_FLOAT;
	return t;
}

static Mls__Onnx__Tensor *stored(Mls__Onnx__Tensor *t)
{
	assert_true(graph.n_initializer < ARRAY_SIZE(tensors));
	return tensors[graph.n_initializer++] = t;
}

static Mls__Onnx__Tensor *numbers(const char *name, int rank, int64_t rows, int64_t columns,
				  const float *from)
{
	Mls__Onnx__Tensor *t = stored(make_tensor(name, rank, rows, columns));
	size_t n = (size_t)(rank > 0 ? rows : 1) * (size_t)(rank > 1 ? columns : 1);

	t->has_raw_data = true;
	t->raw_data.len = n * sizeof(float);
	t->raw_data.data = take(n, sizeof(float));
	mls_from_float(from, n, t->raw_data.data);
	return t;
}

static Mls__Onnx__Tensor *number(const char *name, float value)
{
	return numbers(name, 0, 0, 0, &value);
}

static Mls__Onnx__Tensor *integers(const char *name, int64_t n, int64_t a, int64_t b)
{
	Mls__Onnx__Tensor *t = stored(make_tensor(name, 1, n, 0));

	t->data_type = 7;
	t->int64_data = take(2, sizeof(*t->int64_data));
	t->int64_data[0] = a;
	t->int64_data[1] = b;
	t->n_int64_data = (size_t)n;
	return t;
}

static const float kernel[6] = { 1, -2, 0.5f, 3, -1, 0.25f }; /* [3][2] */
static const float bias[2] = { 0.5f, -1 };
static const float row[3] = { 2, -3, 4 };

/* x [n, 3] and numbers w [3, 2], b [2]; the graph's output is y. */
static void start_three(int64_t opset)
{
	start(opset);
	inputs[graph.n_input++] = info("x", MLS_ONNX_DT_FLOAT, 2, -1, 3);
	outputs[graph.n_output++] = info("y", MLS_ONNX_DT_FLOAT, 2, -1, 2);
	numbers("w", 2, 3, 2, kernel);
	numbers("b", 1, 2, 0, bias);
}

static int read_packed(const uint8_t *bytes, size_t size, struct mlsched_error *err,
		       struct mlsched_model **model)
{
	const struct mls_blob blob = { "m.onnx", bytes, size };
	struct mls_arena own = mls_lower_arena("ONNX", size);
	int ret;

	ret = mls_onnx_read(&blob, &own, err, model);
	assert_true(own.used <= ((size_t)1 << 20) + 8 * size);
	mls_arena_free(&own);
	return ret;
}

static uint8_t *pack(size_t *size)
{
	uint8_t *bytes;

	*size = mls__onnx__model__get_packed_size(&pb);
	bytes = take(*size, 1);
	mls__onnx__model__pack(&pb, bytes);
	return bytes;
}

static int read_it(struct mlsched_error *err, struct mlsched_model **model)
{
	size_t size;
	uint8_t *bytes = pack(&size);

	return read_packed(bytes, size, err, model);
}

static struct mlsched_model *accept(void)
{
	struct mlsched_model *model;
	struct mlsched_error err;

	if (read_it(&err, &model) != 0)
		fail_msg("%s", err.message);
	return model;
}

static void gives(float first, float second)
{
	struct mlsched_model *model = accept();

	golden_gives(model, row, first, second);
	mlsched_model_free(model);
}

static void refuse(int code, const char *message)
{
	struct mlsched_model *untouched = (struct mlsched_model *)&pb, *model = untouched;
	struct mlsched_error err = { 0 };
	char expected[2 * MLSCHED_ERROR_SIZE];

	snprintf(expected, sizeof(expected), HEAD "%s", message);
	assert_int_equal(read_it(&err, &model), code);
	assert_string_equal(err.message, expected);
	assert_int_equal(err.code, code);
	assert_ptr_equal(model, untouched);
}

/* row w + b = 2 - 1.5 - 4 + 0.5 and -4 - 9 + 1 - 1. */
#define Y0 (-3.0f)
#define Y1 (-13.0f)

/* ---- dense layers --------------------------------------------------------------------- */

static void integers_are_no_weights_and_no_bias(void **state)
{
	(void)state;
	start_three(13);
	integers("i", 2, 1, 2);
	node("Gemm", "x w i", "y");
	refuse(-EINVAL, "node y (Gemm): expected float numbers for a computed row, found int64");
	start_three(13);
	integers("i", 2, 1, 2);
	tensors[graph.n_initializer - 1]->n_dims = 2;
	tensors[graph.n_initializer - 1]->dims[1] = 1;
	graph.input[0]->type->tensor_type->shape->dim[1]->dim_value = 2;
	node("MatMul", "x i", "y");
	refuse(-EINVAL, "node y (MatMul): expected float numbers for a computed row, found int64");
	start_three(13);
	integers("i", 2, 1, 2);
	node("MatMul", "x w", "h");
	node("Mul", "h i", "y");
	refuse(-EINVAL, "node y (Mul): expected float numbers for a computed row, found int64");
}

static void gemm_has_factors_and_transposed_weights(void **state)
{
	static const float turned[6] = { 1, 0.5f, -1, -2, 3, 0.25f };
	Mls__Onnx__Node *n;

	(void)state;
	start_three(13);
	node("Gemm", "x w b", "y");
	gives(Y0, Y1);
	/* The bias may be left out in two ways. */
	start_three(13);
	node("Gemm", "x w", "y");
	gives(-3.5f, -12);
	start_three(13);
	node("Gemm", "x w -", "y");
	gives(-3.5f, -12);
	start_three(13);
	numbers("v", 2, 2, 3, turned);
	n = with_f(with_f(node("Gemm", "x v b", "y"), "alpha", 2), "beta", -3);
	with_i(with_i(n, "transB", 1), "transA", 0);
	gives(2 * -3.5f - 1.5f, 2 * -12 + 3);
	start_three(13);
	with_f(node("Gemm", "x w b", "y"), "beta", 0);
	gives(-3.5f, -12);
	start_three(13);
	number("one", 10);
	node("Gemm", "x w one", "y");
	gives(6.5f, -2);
}

static void matmul_and_add_are_a_layer(void **state)
{
	(void)state;
	start_three(13);
	node("MatMul", "x w", "a:0");
	node("Add", "b a:0", "y");
	gives(Y0, Y1);
	start_three(13);
	node("MatMul", "x w", "a");
	node("Sum", "a b", "y");
	gives(Y0, Y1);
}

static void normalization_in_front_is_kept(void **state)
{
	const float mean[3] = { 1, 2, 3 }, deviation[3] = { 2, 4, 8 };
	const float *found_mean, *found_deviation;
	struct mlsched_model *model;

	(void)state;
	start_three(13);
	numbers("mean", 2, 1, 3, mean);
	numbers("deviation", 1, 3, 0, deviation);
	node("Sub", "x mean", "c");
	node("Div", "c deviation", "d");
	node("Gemm", "d w b", "y");
	/* 0.5, -1.25, 0.125 */
	gives(0.5f - 0.625f - 0.125f + 0.5f, -1 - 3.75f + 0.03125f - 1);
	model = accept();
	mlsched_model_normalization(model, &found_mean, &found_deviation);
	assert_memory_equal(found_mean, mean, sizeof(mean));
	assert_memory_equal(found_deviation, deviation, sizeof(deviation));
	mlsched_model_free(model);
	/* As converters write it that have folded the division. */
	start_three(13);
	for (int i = 0; i < 3; i++)
		((float *)deviation)[i] = 1 / deviation[i];
	numbers("mean", 2, 1, 3, mean);
	numbers("factor", 1, 3, 0, deviation);
	node("Sub", "x mean", "c");
	node("Mul", "factor c", "d");
	node("Gemm", "d w b", "y");
	gives(0.5f - 0.625f - 0.125f + 0.5f, -1 - 3.75f + 0.03125f - 1);
}

static void batch_normalization_folds_on_both_sides(void **state)
{
	const float scale[2] = { 2, -1 }, shift[2] = { 0.5f, 1 }, mean[2] = { -1, -10 };
	const float variance[2] = { 3.75f, 8.75f };
	const float three[3] = { 1, 1, 2 }, zeros[3] = { 0, 0, 0 };

	(void)state;
	start_three(13);
	numbers("s", 1, 2, 0, scale);
	numbers("o", 1, 2, 0, shift);
	numbers("m", 1, 2, 0, mean);
	numbers("v", 1, 2, 0, variance);
	node("Gemm", "x w b", "a");
	with_f(node("BatchNormalization", "a s o m v", "y"), "epsilon", 0.25f);
	gives((Y0 + 1) / 2 * 2 + 0.5f, -(Y1 + 10) / 3 + 1);
	/* In front of everything, with the usual epsilon. */
	start_three(13);
	numbers("one", 1, 3, 0, three);
	numbers("zero", 1, 3, 0, zeros);
	node("BatchNormalization", "x one zero zero one", "a");
	node("Gemm", "a w b", "y");
	gives((2 - 1.5f) / sqrtf(1 + 1e-5f) - 2 * 4 / sqrtf(2 + 1e-5f) + 0.5f,
	      (-4 - 9) / sqrtf(1 + 1e-5f) + 0.25f * 2 * 4 / sqrtf(2 + 1e-5f) - 1);
}

/* ---- activations ------------------------------------------------------------------------ */

/* Behind x w + b; y is the output. */
static Mls__Onnx__Node *activated(int64_t opset, const char *op, const char *inputs_after)
{
	char names[64];

	start_three(opset);
	snprintf(names, sizeof(names), "a%s%s", *inputs_after ? " " : "", inputs_after);
	node("Gemm", "x w b", "a");
	return node(op, names, "y");
}

static void activations_are_those_of_onnx(void **state)
{
	float e0 = expf(Y0 - Y0), e1 = expf(Y1 - Y0);

	(void)state;
	activated(13, "Relu", "");
	gives(0, 0);
	activated(13, "Sigmoid", "");
	gives(1 / (1 + expf(-Y0)), 1 / (1 + expf(-Y1)));
	activated(13, "Tanh", "");
	gives(tanhf(Y0), tanhf(Y1));
	/* ONNX's own slopes, where none is named. */
	activated(13, "LeakyRelu", "");
	gives(0.01f * Y0, 0.01f * Y1);
	with_f(activated(16, "LeakyRelu", ""), "alpha", 0.25f);
	gives(0.25f * Y0, 0.25f * Y1);
	activated(13, "Elu", "");
	gives(expf(Y0) - 1, expf(Y1) - 1);
	with_f(activated(22, "Elu", ""), "alpha", 0.5f);
	gives(0.5f * (expf(Y0) - 1), 0.5f * (expf(Y1) - 1));
	activated(13, "PRelu", "slope");
	number("slope", 0.125f);
	gives(0.125f * Y0, 0.125f * Y1);
	activated(13, "Softmax", "");
	gives(e0 / (e0 + e1), e1 / (e0 + e1));
	with_i(activated(11, "Softmax", ""), "axis", 1);
	gives(e0 / (e0 + e1), e1 / (e0 + e1));
	activated(13, "Max", "zero");
	number("zero", 0);
	gives(0, 0);
	with_f(with_f(activated(7, "Clip", ""), "min", 0), "max", 6);
	gives(0, 0);
	activated(13, "Clip", "zero");
	number("zero", 0);
	gives(0, 0);
	activated(13, "Clip", "zero six");
	number("zero", 0);
	number("six", 6);
	gives(0, 0);
}

static void scaled_elu_of_keras_is_one(void **state)
{
	(void)state;
	start_three(13);
	number("zero", 0);
	number("alpha", 0.75f);
	node("Gemm", "x w b", "a");
	node("Greater", "a zero", "c");
	node("Elu", "a", "e");
	node("Mul", "alpha e", "s");
	node("Where", "c e s", "y");
	gives(0.75f * (expf(Y0) - 1), 0.75f * (expf(Y1) - 1));
}

/* ---- what changes nothing ----------------------------------------------------------------- */

static void what_changes_nothing_vanishes(void **state)
{
	Mls__Onnx__Tensor *t;

	(void)state;
	start_three(13);
	integers("rows", 2, -1, 3);
	integers("same", 2, 0, -1);
	integers("axis", 1, 1, 0);
	number("ratio", 0.5f);
	t = stored(make_tensor("no", 0, 0, 0));
	t->data_type = 9;
	t->n_int32_data = 1;
	t->int32_data = take(1, sizeof(*t->int32_data));
	node("Identity", "x", "a");
	node("Flatten", "a", "c");
	node("Reshape", "c rows", "d");
	node("Reshape", "d same", "e");
	node("Dropout", "e ratio no", "f mask");
	with_i(node("Cast", "f", "g"), "to", MLS_ONNX_DT_FLOAT);
	with_ints(node("Transpose", "g", "h"), "perm", 2, 0, 1);
	node("Gemm", "h w b", "y");
	gives(Y0, Y1);
}

/* x.view(x.size(0), -1), as PyTorch writes it. */
static void shape_that_is_computed_is_followed(void **state)
{
	(void)state;
	start_three(13);
	number("unused", 1);
	integers("axes", 1, 0, 0);
	integers("rest", 1, -1, 0);
	with_i(node("Constant", "", "zero"), "value_int", 0);
	node("Shape", "x", "s");
	node("Gather", "s zero", "r");
	node("Unsqueeze", "r axes", "u");
	with_i(node("Concat", "u rest", "t"), "axis", 0);
	node("Reshape", "x t", "v");
	node("Gemm", "v w b", "y");
	gives(Y0, Y1);
}

static void rows_may_be_fixed_at_one(void **state)
{
	(void)state;
	start_three(13);
	inputs[0] = info("x", MLS_ONNX_DT_FLOAT, 2, 1, 3);
	integers("shape", 2, 1, 3);
	node("Reshape", "x shape", "v");
	node("Gemm", "v w b", "y");
	gives(Y0, Y1);
	start_three(13);
	integers("shape", 2, 1, 3);
	node("Reshape", "x shape", "v");
	node("Gemm", "v w b", "y");
	refuse(-ENOTSUP, "node v (Reshape): expected rows of 3 numbers to stay such rows, found a "
			 "reshape to [1, 3]");
}

static void input_without_a_shape_gets_its_width_from_the_weights(void **state)
{
	(void)state;
	start_three(13);
	inputs[0] = info("x", MLS_ONNX_DT_FLOAT, -1, 0, 0);
	node("Gemm", "x w b", "y");
	gives(Y0, Y1);
}

/* ---- numbers --------------------------------------------------------------------------- */

static void initializers_may_be_listed_as_inputs(void **state)
{
	(void)state;
	start_three(7);
	pb.ir_version = 3;
	inputs[graph.n_input++] = info("w", MLS_ONNX_DT_FLOAT, 2, 3, 2);
	inputs[graph.n_input++] = info("b", MLS_ONNX_DT_FLOAT, 1, 2, 0);
	node("Gemm", "x w b", "y");
	gives(Y0, Y1);
}

static void constants_may_be_nodes(void **state)
{
	Mls__Onnx__Attribute *a;

	(void)state;
	start_three(13);
	a = attr(node("Constant", "", "c"), "value", MLS_ONNX_TENSOR);
	a->t = make_tensor("", 1, 2, 0);
	a->t->n_float_data = 2;
	a->t->float_data = (float *)bias;
	a = attr(node("Constant", "", "d"), "value_floats", MLS_ONNX_FLOATS);
	a->n_floats = 2;
	a->floats = (float *)bias;
	with_f(node("Constant", "", "e"), "value_float", 2);
	node("MatMul", "x w", "m");
	node("Add", "m c", "n");
	node("Add", "n d", "o");
	node("Mul", "o e", "y");
	gives(2 * (Y0 + 0.5f), 2 * (Y1 - 1));
}

static void arithmetic_on_constants_is_computed(void **state)
{
	const float four[2] = { 4, 4 };

	(void)state;
	start_three(13);
	numbers("f", 1, 2, 0, four);
	integers("order", 2, 2, 3);
	node("Sqrt", "f", "two");
	node("Reciprocal", "two", "half");
	node("Neg", "half", "minus");
	node("Add", "minus b", "sum"); /* 0, -1.5 */
	node("Transpose", "w", "turned");
	with_i(node("Gemm", "x turned sum", "y"), "transB", 1);
	gives(-3.5f, -13.5f);
}

static void types_that_lose_nothing_are_taken(void **state)
{
	/* 1, -2, 0.5, 3, -1, 0.25 in float16, and 0.5, -1 in bfloat16. */
	static int32_t halves[] = { 0x3c00, 0xc000, 0x3800, 0x4200, 0xbc00, 0x3400 };
	static uint8_t brains[] = { 0x00, 0x3f, 0x80, 0xbf };
	static double wide[] = { 0.5, -1 };
	Mls__Onnx__Tensor *t;

	(void)state;
	start_three(13);
	t = stored(make_tensor("half", 2, 3, 2));
	t->data_type = 10;
	t->n_int32_data = 6;
	t->int32_data = halves;
	t = stored(make_tensor("brain", 1, 2, 0));
	t->data_type = 16;
	t->has_raw_data = true;
	t->raw_data = (ProtobufCBinaryData){ sizeof(brains), brains };
	node("Gemm", "x half brain", "y");
	gives(Y0, Y1);
	for (int raw = 0; raw < 2; raw++) {
		start_three(13);
		t = stored(make_tensor("d", 1, 2, 0));
		t->data_type = 11;
		if (raw) {
			t->has_raw_data = true;
			t->raw_data = (ProtobufCBinaryData){ sizeof(wide), (uint8_t *)wide };
		} else {
			t->n_double_data = 2;
			t->double_data = wide;
		}
		node("Gemm", "x w d", "y");
		gives(Y0, Y1);
		wide[1] = 0.1;
		refuse(-ENOTSUP,
		       "node d (graph initializer): expected float64 numbers that float32 holds "
		       "exactly, found 0.10000000000000001 at index 1");
		wide[1] = -1;
	}
}

/* ---- what is refused ---------------------------------------------------------------------- */

static void versions_beyond_what_is_known_are_refused(void **state)
{
	(void)state;
	start_three(6);
	node("Gemm", "x w b", "y");
	refuse(-ENOTSUP, "opset_import: expected ONNX's operators of version 7 to 28, found 6");
	sets[0].version = 29;
	refuse(-ENOTSUP, "opset_import: expected ONNX's operators of version 7 to 28, found 29");
	sets[0].domain = copy("ai.onnx.ml");
	refuse(-ENOTSUP, "opset_import: expected ONNX's operators of version 7 to 28, found 0");
	sets[0].domain = copy("ai.onnx");
	sets[0].version = 13;
	sets[1].has_version = true;
	sets[1].version = 14;
	pb.n_opset_import = 2;
	refuse(-EINVAL, "opset_import: expected one version of ONNX's operators, found 13 and 14");
	pb.n_opset_import = 1;
	gives(Y0, Y1);
	pb.ir_version = 2;
	refuse(-ENOTSUP, "ir_version: expected 3 to 14, found 2");
	pb.ir_version = 15;
	refuse(-ENOTSUP, "ir_version: expected 3 to 14, found 15");
	pb.ir_version = 14;
	pb.graph = NULL;
	refuse(-EINVAL, "expected a graph, found none");
}

static void external_data_is_refused_unopened(void **state)
{
	Mls__Onnx__Entry entry = MLS__ONNX__ENTRY__INIT, *entries = &entry;

	(void)state;
	start_three(13);
	node("Gemm", "x w b", "y");
	entry.key = copy("location");
	entry.value = copy("../../etc/passwd");
	tensors[0]->has_data_location = true;
	tensors[0]->data_location = 1;
	tensors[0]->n_external_data = 1;
	tensors[0]->external_data = &entries;
	refuse(-ENOTSUP, "w: expected numbers in this file, found external data in "
			 "\"../../etc/passwd\": save the model as one file");
}

static void damaged_numbers_are_refused(void **state)
{
	float nan_kernel[6] = { 1, 2, 3, NAN, 5, 6 };

	(void)state;
	start_three(13);
	node("Gemm", "x w b", "y");
	tensors[0]->raw_data.len -= 4;
	refuse(-EINVAL, "node w (graph initializer): expected 24 bytes of numbers, found 20");
	tensors[0]->raw_data.len = 0;
	refuse(-EINVAL, "node w (graph initializer): expected 6 numbers, as bytes or as a list, "
			"found a list of 0 and 0 bytes");
	tensors[0]->n_float_data = 2;
	tensors[0]->float_data = (float *)bias;
	refuse(-EINVAL, "node w (graph initializer): expected 6 numbers, as bytes or as a list, "
			"found a list of 2 and 0 bytes");
	tensors[0]->dims[0] = INT64_MAX;
	refuse(-ENOTSUP, "node w (graph initializer): expected at most 65536 numbers, found "
			 "dimension 0 of 9223372036854775807");
	tensors[0]->dims[0] = -3;
	refuse(-ENOTSUP, "node w (graph initializer): expected at most 65536 numbers, found "
			 "dimension 0 of -3");
	start_three(13);
	mls_from_float(nan_kernel, 6, tensors[0]->raw_data.data);
	node("Gemm", "x w b", "y");
	refuse(-EINVAL, "node w (graph initializer): expected finite numbers, found nan at [1, 1]");
	start_three(13);
	node("Gemm", "x w b", "y");
	tensors[0]->data_type = 17; /* float8 */
	refuse(-ENOTSUP, "node w (graph initializer): expected numbers, found an unknown type");
}

static void graph_that_is_no_chain_is_refused(void **state)
{
	(void)state;
	start_three(13);
	node("Gemm", "x w b", "a");
	node("Gemm", "x w b", "c");
	node("Add", "a c", "y");
	refuse(-ENOTSUP, "node y (Add): expected weights as one input, found two inputs that are "
			 "both computed: not a chain of dense layers");
	start_three(13);
	node("Relu", "y", "a");
	node("Relu", "a", "y");
	refuse(-EINVAL, "node y (Relu): expected no cycle, found that it depends on itself");
	start_three(13);
	node("Gemm", "x w b", "y");
	node("Relu", "x", "y");
	refuse(-EINVAL, "expected tensors with different names, found two named \"y\"");
	start_three(13);
	node("Gemm", "x w b", "a");
	refuse(-EINVAL, "main graph: expected a node for \"y\", found none");
	start_three(13);
	node("Gemm", "x w nowhere", "y")->name = copy("first");
	refuse(-EINVAL, "node first (Gemm): expected an initializer, an input or an output of a "
			"node for its input \"nowhere\", found none");
	start_three(13);
	inputs[graph.n_input++] = info("z", MLS_ONNX_DT_FLOAT, 2, -1, 3);
	node("Gemm", "x w b", "y");
	refuse(-ENOTSUP, "graph: expected one input, found 2");
	graph.n_input = 0;
	refuse(-ENOTSUP, "graph: expected one input, found 0");
	start_three(13);
	outputs[graph.n_output++] = outputs[0];
	node("Gemm", "x w b", "y");
	refuse(-ENOTSUP, "graph: expected one output, found 2");
	start_three(13);
	node("Identity", "w", "y");
	refuse(-ENOTSUP,
	       "graph: expected output y to be computed from the input, found one that is not");
	start_three(13);
	node("Dropout", "x", "a mask");
	node("Gemm", "mask w b", "y");
	refuse(-EINVAL, "node a (Dropout): expected one output, found a use of output 1");
}

static void depth_is_bounded(void **state)
{
	char in[8] = "x", out[8];

	(void)state;
	start_three(13);
	for (int i = 0; i < 500; i++) {
		snprintf(out, sizeof(out), "n%d", i);
		node("Identity", in, out);
		memcpy(in, out, sizeof(in));
	}
	node("Gemm", "n499 w b", "y");
	refuse(-ENOTSUP, "main graph: expected a small network, found more than 400 nested "
			 "operations at n100");
}

static void operations_that_mean_something_else_are_refused(void **state)
{
	const float two[2] = { 1, 2 };
	Mls__Onnx__Tensor *t;

	(void)state;
	start_three(13);
	with_i(node("Gemm", "x w b", "y"), "transA", 1);
	refuse(-ENOTSUP, "node y (Gemm): expected rows [?, n], found them transposed");
	start_three(13);
	node("Gemm", "w x", "y");
	refuse(-ENOTSUP, "node y (Gemm): expected x W with weights on the right, found W x");
	start_three(13);
	node("FusedGemm", "x w b", "y")->domain = copy("com.microsoft");
	refuse(-ENOTSUP, "node y (com.microsoft.FusedGemm): expected an operation of dense layers, "
			 "found com.microsoft.FusedGemm");
	start_three(13);
	node("graph input", "", "y")->name = copy("x");
	refuse(-EINVAL, "node x: expected an operation, found \"graph input\"");
	with_i(activated(13, "Softmax", ""), "axis", 0);
	refuse(-ENOTSUP, "node y (Softmax): expected axis 1 or -1, found 0");
	activated(13, "Clip", "zero one");
	number("zero", 0);
	number("one", 1);
	refuse(-ENOTSUP, "node y (Clip): expected limits 0 and 6, or 0 alone, found 0 and 1");
	activated(13, "PRelu", "slopes");
	numbers("slopes", 1, 2, 0, two);
	refuse(-ENOTSUP, "node y (PRelu): expected one slope for all columns, found several");
	activated(13, "Dropout", "- yes");
	t = stored(make_tensor("yes", 0, 0, 0));
	t->data_type = 9;
	t->n_int32_data = 1;
	t->int32_data = take(1, sizeof(*t->int32_data));
	t->int32_data[0] = 1;
	refuse(-ENOTSUP,
	       "node y (Dropout): expected training_mode to be false, found another value");
	with_i(activated(13, "Cast", ""), "to", 7);
	refuse(-ENOTSUP, "node y (Cast): expected a cast of numbers to float numbers, found one "
			 "from float32 to int64");
	with_i(activated(13, "Flatten", ""), "axis", 0);
	refuse(-ENOTSUP, "node y (Flatten): expected rows [?, n] to stay such rows, found axis 0");
	start_three(13);
	inputs[0] = info("x", MLS_ONNX_DT_FLOAT, 3, -1, 3);
	node("Gemm", "x w b", "y");
	refuse(-ENOTSUP,
	       "node x (graph input): Expected shape [?, n] with n up to 256, got [?, 3, 1]");
	start_three(13);
	inputs[0] = info("x", 7, 2, -1, 3);
	node("Gemm", "x w b", "y");
	refuse(-ENOTSUP, "node x (graph input): expected an input of float numbers, found int64");
	start_three(13);
	inputs[0] = info("x", MLS_ONNX_DT_FLOAT, 2, -1, 4);
	node("Gemm", "x w b", "y");
	refuse(-EINVAL, "node y (Gemm): expected weights of 4 inputs, found shape [3, 2]");
}

static void metadata_is_checked(void **state)
{
	Mls__Onnx__Entry entry = MLS__ONNX__ENTRY__INIT, *entries = &entry;
	struct mlsched_model *model;
	struct mlsched_error err;
	char *text;

	(void)state;
	start_three(13);
	node("Gemm", "x w b", "y");
	entry.key = copy("mlsched");
	entry.value = copy("{\"mlsched\": 1, \"threshold\": 2}");
	pb.n_metadata_props = 1;
	pb.metadata_props = &entries;
	refuse(-EINVAL, "metadata_props: mlsched: key \"threshold\": expected a number between 0 "
			"and 1, found 2");
	/* {"mlsched": 1, "provenance": {"": [{},{},...]}}: three bytes, and two objects in memory. */
	text = entry.value = take(16384, 1);
	strcpy(text, "{\"mlsched\":1,\"provenance\":{\"\":[{}");
	while (strlen(text) < 9000)
		strcat(text, ",{}");
	strcat(text, "]}}");
	assert_int_equal(read_it(&err, &model), -EFBIG);
	assert_non_null(strstr(err.message,
			       "metadata_props: mlsched: expected JSON that unfolds to "
			       "less than 921600 bytes, found "));
	/* Of other tools it may be anything. */
	entry.key = copy("author");
	gives(Y0, Y1);
}

/* ---- limits --------------------------------------------------------------------------------- */

/* Weights that stand in the file once, and are used by eight layers. */
static void weights_used_again_and_again_are_refused_beyond_the_limit(void **state)
{
	struct mlsched_model *model;
	struct mlsched_error err;
	Mls__Onnx__Tensor *t;
	char in[8] = "x", out[8];
	float *numbers_of;

	(void)state;
	start(13);
	inputs[graph.n_input++] = info("x", MLS_ONNX_DT_FLOAT, 2, -1, 256);
	outputs[graph.n_output++] = info("n7", MLS_ONNX_DT_FLOAT, 2, -1, 256);
	numbers_of = take(256 * 256, sizeof(*numbers_of));
	t = numbers("w", 2, 256, 256, numbers_of);
	for (int i = 0; i < 8; i++) {
		char names[24];

		snprintf(out, sizeof(out), "n%d", i);
		snprintf(names, sizeof(names), "%s w", in);
		node("MatMul", names, out);
		memcpy(in, out, sizeof(in));
	}
	assert_int_equal(read_it(&err, &model), -EINVAL);
	assert_non_null(strstr(err.message, "found one that unfolds to more than "));
	/* Once is what any model may do. */
	outputs[0]->name = copy("n0");
	graph.n_node = 1;
	assert_int_equal(read_it(&err, &model), 0);
	mlsched_model_free(model);
	assert_non_null(t);
}

/* Two bytes in the file, a hundred in memory. */
static void many_empty_messages_are_refused_beyond_the_limit(void **state)
{
	struct mlsched_model *model;
	struct mlsched_error err;
	size_t size = 200000;
	uint8_t *bytes;

	(void)state;
	start(13);
	bytes = take(size + 6, 1);
	bytes[0] = 0x08;
	bytes[1] = 8;
	bytes[2] = 0x3a; /* graph, of @size bytes */
	bytes[3] = (uint8_t)(size & 127) | 128;
	bytes[4] = (uint8_t)(size >> 7 & 127) | 128;
	bytes[5] = (uint8_t)(size >> 14);
	for (size_t i = 0; i < size; i += 2)
		bytes[6 + i] = 0x0a; /* a node, of 0 bytes */
	assert_int_equal(read_packed(bytes, size + 6, &err, &model), -EINVAL);
	assert_non_null(strstr(err.message, "found one that unfolds to more than "));
}

static void cut_and_changed_files_do_no_harm(void **state)
{
	struct mlsched_error err;
	size_t size, accepted = 0;
	uint8_t *bytes;

	(void)state;
	start_three(13);
	number("zero", 0);
	number("alpha", 0.75f);
	with_f(node("Gemm", "x w b", "a"), "alpha", 1);
	node("Greater", "a zero", "c");
	node("Elu", "a", "e");
	node("Mul", "alpha e", "s");
	node("Where", "c e s", "y");
	bytes = pack(&size);
	for (size_t i = 0; i < size; i++) {
		/* A copy that ends where the file is cut, so that a sanitizer sees a byte too much. */
		uint8_t *part = malloc(i ? i : 1);
		struct mlsched_model *model;

		assert_non_null(part);
		memcpy(part, bytes, i);
		err = (struct mlsched_error){ 0 };
		if (read_packed(part, i, &err, &model) == 0)
			mlsched_model_free(model);
		else
			assert_true(err.message[0] && !strchr(err.message, '\n'));
		free(part);
	}
	for (size_t i = 0; i < size; i++) {
		for (int bit = 0; bit < 8; bit++) {
			struct mlsched_model *model;

			bytes[i] ^= (uint8_t)(1 << bit);
			err = (struct mlsched_error){ 0 };
			if (read_packed(bytes, size, &err, &model) == 0) {
				accepted++;
				mlsched_model_free(model);
			} else {
				assert_true(err.message[0]);
			}
			bytes[i] ^= (uint8_t)(1 << bit);
		}
	}
	/* There is no checksum: a weight may be another one, but a name or a length may not. */
	assert_true(accepted > 0 && accepted < size * 8 / 2);
}

static int free_all(void **state)
{
	(void)state;
	mls_arena_free(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_are_no_weights_and_no_bias),
		cmocka_unit_test(gemm_has_factors_and_transposed_weights),
		cmocka_unit_test(matmul_and_add_are_a_layer),
		cmocka_unit_test(normalization_in_front_is_kept),
		cmocka_unit_test(batch_normalization_folds_on_both_sides),
		cmocka_unit_test(activations_are_those_of_onnx),
		cmocka_unit_test(scaled_elu_of_keras_is_one),
		cmocka_unit_test(what_changes_nothing_vanishes),
		cmocka_unit_test(shape_that_is_computed_is_followed),
		cmocka_unit_test(rows_may_be_fixed_at_one),
		cmocka_unit_test(input_without_a_shape_gets_its_width_from_the_weights),
		cmocka_unit_test(initializers_may_be_listed_as_inputs),
		cmocka_unit_test(constants_may_be_nodes),
		cmocka_unit_test(arithmetic_on_constants_is_computed),
		cmocka_unit_test(types_that_lose_nothing_are_taken),
		cmocka_unit_test(versions_beyond_what_is_known_are_refused),
		cmocka_unit_test(external_data_is_refused_unopened),
		cmocka_unit_test(damaged_numbers_are_refused),
		cmocka_unit_test(graph_that_is_no_chain_is_refused),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(operations_that_mean_something_else_are_refused),
		cmocka_unit_test(metadata_is_checked),
		cmocka_unit_test(weights_used_again_and_again_are_refused_beyond_the_limit),
		cmocka_unit_test(many_empty_messages_are_refused_beyond_the_limit),
		cmocka_unit_test(cut_and_changed_files_do_no_harm),
	};

	return cmocka_run_group_tests_name("onnx", tests, NULL, free_all);
}
