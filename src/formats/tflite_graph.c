// SPDX-License-Identifier: GPL-2.0
/*
 * A LiteRT model as a graph that graph.c walks: its input, its stored tensors
 * and its operators become nodes, options become attributes; numbers stay where
 * they are.  Tensors are numbered, so that is what they are called; the names
 * that the file gives them are for people.  What the operators mean is
 * tflite_ops.c's to say.
 *
 * Source: tensorflow/compiler/mlir/lite/schema/schema.fbs, version 3.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "src/formats/lower.h"
#include "src/formats/outline.h"
#include "src/formats/tflite.h"
#include "src/util/array.h"
#include "src/util/error.h"

/* ---- the schema ------------------------------------------------------------------------ */

static const struct mls_fb_field model_codes = { "the operator codes", 1, 4 };
static const struct mls_fb_field model_subgraphs = { "the subgraphs", 2, 4 };
static const struct mls_fb_field model_buffers = { "the buffers", 4, 4 };
static const struct mls_fb_field code_old = { "an operator's code", 0, 1 };
static const struct mls_fb_field code_custom = { "a custom operator's name", 1, 1 };
static const struct mls_fb_field code_builtin = { "an operator's code", 3, 4 };
static const struct mls_fb_field graph_tensors = { "the tensors", 0, 4 };
static const struct mls_fb_field graph_inputs = { "the model's inputs", 1, 4 };
static const struct mls_fb_field graph_outputs = { "the model's outputs", 2, 4 };
static const struct mls_fb_field graph_operators = { "the operators", 3, 4 };
static const struct mls_fb_field tensor_shape = { "a tensor's shape", 0, 4 };
static const struct mls_fb_field tensor_type = { "a tensor's type", 1, 1 };
static const struct mls_fb_field tensor_buffer = { "a tensor's buffer", 2, 4 };
static const struct mls_fb_field tensor_name = { "a tensor's name", 3, 1 };
static const struct mls_fb_field tensor_variable = { "whether a tensor is a variable", 5, 1 };
static const struct mls_fb_field tensor_sparsity = { "a tensor's sparsity", 6, 4 };
static const struct mls_fb_field tensor_signature = { "a tensor's open shape", 7, 4 };
static const struct mls_fb_field tensor_external = { "a tensor's external buffer", 10, 4 };
static const struct mls_fb_field operator_code = { "an operator's code index", 0, 4 };
static const struct mls_fb_field operator_inputs = { "an operator's inputs", 1, 4 };
static const struct mls_fb_field operator_outputs = { "an operator's outputs", 2, 4 };
static const struct mls_fb_field operator_options_type = { "an operator's kind of options", 3, 1 };
static const struct mls_fb_field operator_options = { "an operator's options", 4, 4 };
static const struct mls_fb_field buffer_data = { "a buffer's numbers", 0, 1 };
static const struct mls_fb_field buffer_offset = { "a buffer's offset", 1, 8 };

/* Every operator of the schema by its code: those that we do not know are refused by name, too. */
static const char *const operator_names[] = {
	/* clang-format off */
	"ADD", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE",
	"DEQUANTIZE", "EMBEDDING_LOOKUP", "FLOOR", "FULLY_CONNECTED", "HASHTABLE_LOOKUP",
	"L2_NORMALIZATION", "L2_POOL_2D", "LOCAL_RESPONSE_NORMALIZATION", "LOGISTIC",
	"LSH_PROJECTION", "LSTM", "MAX_POOL_2D", "MUL", "RELU", "RELU_N1_TO_1", "RELU6", "RESHAPE",
	"RESIZE_BILINEAR", "RNN", "SOFTMAX", "SPACE_TO_DEPTH", "SVDF", "TANH", "CONCAT_EMBEDDINGS",
	"SKIP_GRAM", "CALL", "CUSTOM", "EMBEDDING_LOOKUP_SPARSE", "PAD",
	"UNIDIRECTIONAL_SEQUENCE_RNN", "GATHER", "BATCH_TO_SPACE_ND", "SPACE_TO_BATCH_ND",
	"TRANSPOSE", "MEAN", "SUB", "DIV", "SQUEEZE", "UNIDIRECTIONAL_SEQUENCE_LSTM",
	"STRIDED_SLICE", "BIDIRECTIONAL_SEQUENCE_RNN", "EXP", "TOPK_V2", "SPLIT", "LOG_SOFTMAX",
	"DELEGATE", "BIDIRECTIONAL_SEQUENCE_LSTM", "CAST", "PRELU", "MAXIMUM", "ARG_MAX", "MINIMUM",
	"LESS", "NEG", "PADV2", "GREATER", "GREATER_EQUAL", "LESS_EQUAL", "SELECT", "SLICE", "SIN",
	"TRANSPOSE_CONV", "SPARSE_TO_DENSE", "TILE", "EXPAND_DIMS", "EQUAL", "NOT_EQUAL", "LOG",
	"SUM", "SQRT", "RSQRT", "SHAPE", "POW", "ARG_MIN", "FAKE_QUANT", "REDUCE_PROD",
	"REDUCE_MAX", "PACK", "LOGICAL_OR", "ONE_HOT", "LOGICAL_AND", "LOGICAL_NOT", "UNPACK",
	"REDUCE_MIN", "FLOOR_DIV", "REDUCE_ANY", "SQUARE", "ZEROS_LIKE", "FILL", "FLOOR_MOD",
	"RANGE", "RESIZE_NEAREST_NEIGHBOR", "LEAKY_RELU", "SQUARED_DIFFERENCE", "MIRROR_PAD", "ABS",
	"SPLIT_V", "UNIQUE", "CEIL", "REVERSE_V2", "ADD_N", "GATHER_ND", "COS", "WHERE", "RANK",
	"ELU", "REVERSE_SEQUENCE", "MATRIX_DIAG", "QUANTIZE", "MATRIX_SET_DIAG", "ROUND",
	"HARD_SWISH", "IF", "WHILE", "NON_MAX_SUPPRESSION_V4", "NON_MAX_SUPPRESSION_V5",
	"SCATTER_ND", "SELECT_V2", "DENSIFY", "SEGMENT_SUM", "BATCH_MATMUL",
	"PLACEHOLDER_FOR_GREATER_OP_CODES", "CUMSUM", "CALL_ONCE", "BROADCAST_TO", "RFFT2D",
	"CONV_3D", "IMAG", "REAL", "COMPLEX_ABS", "HASHTABLE", "HASHTABLE_FIND", "HASHTABLE_IMPORT",
	"HASHTABLE_SIZE", "REDUCE_ALL", "CONV_3D_TRANSPOSE", "VAR_HANDLE", "READ_VARIABLE",
	"ASSIGN_VARIABLE", "BROADCAST_ARGS", "RANDOM_STANDARD_NORMAL", "BUCKETIZE",
	"RANDOM_UNIFORM", "MULTINOMIAL", "GELU", "DYNAMIC_UPDATE_SLICE", "RELU_0_TO_1",
	"UNSORTED_SEGMENT_PROD", "UNSORTED_SEGMENT_MAX", "UNSORTED_SEGMENT_SUM", "ATAN2",
	"UNSORTED_SEGMENT_MIN", "SIGN", "BITCAST", "BITWISE_XOR", "RIGHT_SHIFT",
	"STABLEHLO_LOGISTIC", "STABLEHLO_ADD", "STABLEHLO_DIVIDE", "STABLEHLO_MULTIPLY",
	"STABLEHLO_MAXIMUM", "STABLEHLO_RESHAPE", "STABLEHLO_CLAMP", "STABLEHLO_CONCATENATE",
	"STABLEHLO_BROADCAST_IN_DIM", "STABLEHLO_CONVOLUTION", "STABLEHLO_SLICE",
	"STABLEHLO_CUSTOM_CALL", "STABLEHLO_REDUCE", "STABLEHLO_ABS", "STABLEHLO_AND",
	"STABLEHLO_COSINE", "STABLEHLO_EXPONENTIAL", "STABLEHLO_FLOOR", "STABLEHLO_LOG",
	"STABLEHLO_MINIMUM", "STABLEHLO_NEGATE", "STABLEHLO_OR", "STABLEHLO_POWER",
	"STABLEHLO_REMAINDER", "STABLEHLO_RSQRT", "STABLEHLO_SELECT", "STABLEHLO_SUBTRACT",
	"STABLEHLO_TANH", "STABLEHLO_SCATTER", "STABLEHLO_COMPARE", "STABLEHLO_CONVERT",
	"STABLEHLO_DYNAMIC_SLICE", "STABLEHLO_DYNAMIC_UPDATE_SLICE", "STABLEHLO_PAD",
	"STABLEHLO_IOTA", "STABLEHLO_DOT_GENERAL", "STABLEHLO_REDUCE_WINDOW", "STABLEHLO_SORT",
	"STABLEHLO_WHILE", "STABLEHLO_GATHER", "STABLEHLO_TRANSPOSE", "DILATE",
	"STABLEHLO_RNG_BIT_GENERATOR", "REDUCE_WINDOW", "STABLEHLO_COMPOSITE",
	"STABLEHLO_SHIFT_LEFT", "STABLEHLO_CBRT", "STABLEHLO_CASE",
	/* clang-format on */
};

/* Codes were of 8 bits once; this one says that the other field has the code. */
#define CODE_CUSTOM 32

enum option_kind { OPTION_NONE, OPTION_BYTE, OPTION_FLOAT, OPTION_INTS };

#define MAX_OPTIONS 2

/**
 * struct options - of an operator
 * @op:     its name
 * @type:   the schema's BuiltinOptions
 * @fields: [MAX_OPTIONS], those that say something about float numbers
 */
struct options {
	const char *op;
	int64_t type;
	struct {
		enum option_kind kind;
		struct mls_fb_field field;
	} fields[MAX_OPTIONS];
};

static const struct options all_options[] = {
	{ "ADD", 11, { { OPTION_BYTE, { MLS_TFLITE_FUSED, 0, 1 } } } },
	{ "DIV", 29, { { OPTION_BYTE, { MLS_TFLITE_FUSED, 0, 1 } } } },
	{ "FULLY_CONNECTED",
	  8,
	  { { OPTION_BYTE, { MLS_TFLITE_FUSED, 0, 1 } },
	    { OPTION_BYTE, { MLS_TFLITE_FORMAT, 1, 1 } } } },
	{ "LEAKY_RELU", 75, { { OPTION_FLOAT, { MLS_TFLITE_ALPHA, 0, 4 } } } },
	{ "MUL", 21, { { OPTION_BYTE, { MLS_TFLITE_FUSED, 0, 1 } } } },
	{ "RESHAPE", 17, { { OPTION_INTS, { MLS_TFLITE_SHAPE, 0, 4 } } } },
	{ "SOFTMAX", 9, { { OPTION_FLOAT, { MLS_TFLITE_BETA, 0, 4 } } } },
	{ "SUB", 28, { { OPTION_BYTE, { MLS_TFLITE_FUSED, 0, 1 } } } },
};

/* ---- lowering -------------------------------------------------------------------------- */

/* What is known about a tensor. */
struct tensor {
	const char *name; /* in our graph; NULL as long as no operator needs it */
	const char *place; /* for people: tensor 5 "dense/kernel" */
	bool made; /* by an operator, or given from outside */
	bool stored;
};

struct lowering {
	const char *path;
	struct mls_arena *arena;
	struct mlsched_error *err;
	struct mls_fb *fb;
	struct mls_fb_vector codes, buffers, tensors, inputs, outputs, operators;
	struct tensor *known; /* [tensors.n] */
	struct mls_lowered to;
};

static int no_memory(const struct lowering *l)
{
	return mls_no_memory(l->arena, l->path, l->err);
}

static int damaged(const struct lowering *l)
{
	return mls_tflite_damaged(l->fb, l->path, l->err);
}

/* The schema's TensorType as enum mls_dtype; 0 for those that have no name there. */
static int32_t dtype_of(int64_t type)
{
	static const int32_t types[] = {
		MLS_DT_FLOAT,
		MLS_DT_HALF,
		MLS_DT_INT32,
		4, /* uint8 */
		MLS_DT_INT64,
		MLS_DT_STRING,
		MLS_DT_BOOL,
		5, /* int16 */
		8, /* complex64 */
		6, /* int8 */
		MLS_DT_DOUBLE,
		18, /* complex128 */
		23, /* uint64 */
		MLS_DT_RESOURCE,
		21, /* variant */
		22, /* uint32 */
		17, /* uint16 */
		29, /* int4 */
		MLS_DT_BFLOAT16,
	};

	return type >= 0 && type < (int64_t)ARRAY_SIZE(types) ? types[type] : 0;
}

/* The input's shape may leave the number of rows open in a second list. */
static int lower_shape(struct lowering *l, const struct mls_fb_table *t, const char *place,
		       bool open, Mls__Shape **shape)
{
	struct mls_fb_vector dims, signature;

	if (!mls_fb_vector(t, &tensor_shape, &dims) ||
	    !mls_fb_vector(t, &tensor_signature, &signature))
		return damaged(l);
	if (open && signature.n)
		dims = signature;
	if (dims.n > MLS_MAX_RANK)
		return mls_error(l->err, -ENOTSUP,
				 "Invalid LiteRT format: %s: %s: expected at most %d dimensions, "
				 "found %" PRIu32,
				 l->path, place, MLS_MAX_RANK, dims.n);
	*shape = mls_lower_shape(l->arena, dims.n);
	if (!*shape)
		return no_memory(l);
	for (uint32_t i = 0; i < dims.n; i++)
		(*shape)->dim[i]->size = mls_fb_int32_at(&dims, i);
	return 0;
}

/* A file that it names, or what stands behind the tables, is not read. */
static int check_inside(const struct lowering *l, const struct mls_fb_table *t, const char *place)
{
	int64_t external;
	bool sparse;
	struct mls_fb_table inner;

	if (!mls_fb_int(t, &tensor_external, 0, &external) ||
	    !mls_fb_table(t, &tensor_sparsity, &sparse, &inner))
		return damaged(l);
	if (external)
		return mls_error(l->err, -ENOTSUP,
				 "Invalid LiteRT format: %s: %s: expected numbers in this file, "
				 "found external buffer %" PRId64,
				 l->path, place, external);
	if (sparse)
		return mls_error(l->err, -ENOTSUP,
				 "Invalid LiteRT format: %s: %s: expected dense numbers, found "
				 "sparse ones",
				 l->path, place);
	return 0;
}

/* The first buffer stands for "none": what it held would be the numbers of every computed tensor. */
static int check_no_buffer(const struct lowering *l)
{
	struct mls_fb_table buffer;
	struct mls_fb_vector numbers;
	int64_t offset;

	if (l->buffers.n == 0)
		return 0;
	if (!mls_fb_element(&l->buffers, 0, &model_buffers, &buffer) ||
	    !mls_fb_vector(&buffer, &buffer_data, &numbers) ||
	    !mls_fb_int(&buffer, &buffer_offset, 0, &offset))
		return damaged(l);
	if (offset)
		return mls_error(l->err, -EINVAL,
				 "Invalid LiteRT format: %s: buffer 0: expected no numbers, found "
				 "some at byte %" PRId64,
				 l->path, offset);
	if (numbers.n)
		return mls_error(l->err, -EINVAL,
				 "Invalid LiteRT format: %s: buffer 0: expected no numbers, found "
				 "%" PRIu32 " bytes of them",
				 l->path, numbers.n);
	return 0;
}

/* A variable begins as zeros: LiteRT takes none that is given numbers. */
static int check_variable(const struct lowering *l, const struct mls_fb_table *t, const char *place,
			  const struct mls_fb_vector *numbers)
{
	int64_t variable;

	if (!mls_fb_int(t, &tensor_variable, 0, &variable))
		return damaged(l);
	if (variable && numbers->n)
		return mls_error(l->err, -EINVAL,
				 "Invalid LiteRT format: %s: %s: expected a variable without "
				 "numbers in its buffer, found %" PRIu32 " bytes of them",
				 l->path, place, numbers->n);
	return 0;
}

/* The numbers of a tensor; none for one that is computed. */
static int find_numbers(const struct lowering *l, const struct mls_fb_table *t, const char *place,
			struct mls_fb_vector *numbers)
{
	struct mls_fb_table buffer;
	int64_t index, offset;

	if (!mls_fb_int(t, &tensor_buffer, 0, &index))
		return damaged(l);
	if (index < 0 || index >= l->buffers.n)
		return mls_error(l->err, -EINVAL,
				 "Invalid LiteRT format: %s: %s: expected one of the file's "
				 "%" PRIu32 " buffers, found buffer %" PRId64,
				 l->path, place, l->buffers.n, index);
	if (!mls_fb_element(&l->buffers, (uint32_t)index, &model_buffers, &buffer) ||
	    !mls_fb_vector(&buffer, &buffer_data, numbers) ||
	    !mls_fb_int(&buffer, &buffer_offset, 0, &offset))
		return damaged(l);
	if (offset)
		return mls_error(l->err, -ENOTSUP,
				 "Invalid LiteRT format: %s: %s: expected numbers among the "
				 "tables, found them behind, at byte %" PRId64,
				 l->path, place, offset);
	return 0;
}

static int lower_constant(struct lowering *l, uint32_t index, const struct mls_fb_table *t,
			  int64_t type, const struct mls_fb_vector *numbers)
{
	struct tensor *known = &l->known[index];
	Mls__Node *node = mls_lower_node(&l->to, known->place, MLS_TFLITE_CONSTANT, 1);
	Mls__Tensor *tensor = mls_arena_alloc(l->arena, sizeof(*tensor));
	Mls__AttrValue *value;

	if (!node || !tensor)
		return no_memory(l);
	known->stored = true;
	mls_lower_output(&l->to, known->name, 0);
	mls__tensor__init(tensor);
	tensor->dtype = dtype_of(type);
	/* They are only read from here on. */
	tensor->content.data = (uint8_t *)l->fb->data + numbers->at;
	tensor->content.len = numbers->n;
	value = mls_lower_attr(l->arena, node, "value", MLS__ATTR_VALUE__VALUE_TENSOR);
	if (!value)
		return no_memory(l);
	value->tensor = tensor;
	return lower_shape(l, t, known->place, false, &tensor->shape);
}

/* Names go into messages, and so to a terminal. */
static char *tensor_place(const struct lowering *l, uint32_t index,
			  const struct mls_fb_vector *name)
{
	char *place = mls_arena_printf(l->arena, "tensor %" PRIu32 " \"%.*s\"", index,
				       name->n < 80 ? (int)name->n : 80,
				       name->n ? (const char *)l->fb->data + name->at : "");

	if (place)
		mls_clean_text(place);
	return place;
}

/* Also of tensors that the output does not need: a file that is damaged is not trusted in part. */
static int lower_tensor(struct lowering *l, uint32_t index)
{
	struct tensor *known = &l->known[index];
	struct mls_fb_vector name, numbers;
	struct mls_fb_table t;
	int64_t type;
	char *place;
	int ret;

	if (!mls_fb_element(&l->tensors, index, &graph_tensors, &t) ||
	    !mls_fb_vector(&t, &tensor_name, &name) || !mls_fb_int(&t, &tensor_type, 0, &type))
		return damaged(l);
	known->name = mls_arena_printf(l->arena, "tensor %" PRIu32, index);
	place = tensor_place(l, index, &name);
	if (!known->name || !place)
		return no_memory(l);
	known->place = place;
	ret = check_inside(l, &t, known->place);
	if (!ret)
		ret = find_numbers(l, &t, known->place, &numbers);
	if (!ret)
		ret = check_variable(l, &t, known->place, &numbers);
	if (ret || numbers.n == 0)
		return ret;
	return lower_constant(l, index, &t, type, &numbers);
}

/* Of the model: there must be one of each, and it must be float numbers. */
static int only_one(struct lowering *l, const struct mls_fb_vector *list, const char *what,
		    int32_t *index)
{
	struct mls_fb_table t;
	int64_t type;

	if (list->n != 1)
		return mls_error(l->err, -ENOTSUP,
				 "Invalid LiteRT format: %s: expected one %s, found %" PRIu32,
				 l->path, what, list->n);
	*index = mls_fb_int32_at(list, 0);
	if (*index < 0 || (uint32_t)*index >= l->tensors.n)
		return mls_error(l->err, -EINVAL,
				 "Invalid LiteRT format: %s: expected one of the model's %" PRIu32
				 " tensors as its %s, found tensor %" PRId32,
				 l->path, l->tensors.n, what, *index);
	if (!mls_fb_element(&l->tensors, (uint32_t)*index, &graph_tensors, &t) ||
	    !mls_fb_int(&t, &tensor_type, 0, &type))
		return damaged(l);
	if (dtype_of(type) == MLS_DT_FLOAT)
		return 0;
	return mls_error(l->err, -ENOTSUP,
			 "Invalid LiteRT format: %s: %s: expected float32 numbers as the model's "
			 "%s, found %s (quantised models are to be converted again, without "
			 "optimisations)",
			 l->path, l->known[*index].place, what, mls_dtype_name(dtype_of(type)));
}

static int lower_input(struct lowering *l, const Mls__Node **input)
{
	struct mls_fb_table t;
	Mls__AttrValue *value;
	struct tensor *known;
	Mls__Node *node;
	int32_t index;
	int ret = only_one(l, &l->inputs, "input", &index);

	if (ret)
		return ret;
	known = &l->known[index];
	if (known->stored)
		return mls_error(l->err, -EINVAL,
				 "Invalid LiteRT format: %s: %s: expected an input to be given, "
				 "found stored numbers",
				 l->path, known->place);
	node = mls_lower_node(&l->to, known->name, MLS_TFLITE_INPUT, 2);
	if (!node)
		return no_memory(l);
	known->made = true;
	mls_lower_output(&l->to, known->name, 0);
	value = mls_lower_attr(l->arena, node, "dtype", MLS__ATTR_VALUE__VALUE_TYPE);
	if (!value)
		return no_memory(l);
	value->type = MLS_DT_FLOAT;
	value = mls_lower_attr(l->arena, node, "shape", MLS__ATTR_VALUE__VALUE_SHAPE);
	if (!value)
		return no_memory(l);
	*input = node;
	if (!mls_fb_element(&l->tensors, (uint32_t)index, &graph_tensors, &t))
		return damaged(l);
	return lower_shape(l, &t, known->place, true, &value->shape);
}

/* ---- operators ------------------------------------------------------------------------- */

static int operator_name(struct lowering *l, uint32_t number, const struct mls_fb_table *t,
			 const char **name)
{
	struct mls_fb_vector custom;
	struct mls_fb_table code;
	int64_t index, old, code_number;
	char *made;

	if (!mls_fb_int(t, &operator_code, 0, &index))
		return damaged(l);
	if (index < 0 || index >= l->codes.n)
		return mls_error(l->err, -EINVAL,
				 "Invalid LiteRT format: %s: operator %" PRIu32
				 ": expected one of the file's %" PRIu32
				 " operator codes, found code %" PRId64,
				 l->path, number, l->codes.n, index);
	if (!mls_fb_element(&l->codes, (uint32_t)index, &model_codes, &code) ||
	    !mls_fb_int(&code, &code_old, 0, &old) ||
	    !mls_fb_int(&code, &code_builtin, 0, &code_number) ||
	    !mls_fb_vector(&code, &code_custom, &custom))
		return damaged(l);
	if (old > code_number)
		code_number = old;
	if (code_number == CODE_CUSTOM) {
		made = mls_arena_printf(l->arena, "custom %.*s", custom.n < 50 ? (int)custom.n : 50,
					custom.n ? (const char *)l->fb->data + custom.at : "");
	} else if (code_number >= 0 && code_number < (int64_t)ARRAY_SIZE(operator_names)) {
		*name = operator_names[code_number];
		return 0;
	} else {
		made = mls_arena_printf(l->arena, "code %" PRId64, code_number);
	}
	*name = made;
	if (made)
		mls_clean_text(made);
	return made ? 0 : no_memory(l);
}

static int lower_option(struct lowering *l, Mls__Node *node, enum option_kind kind,
			const struct mls_fb_field *field, const struct mls_fb_table *t)
{
	static const Mls__AttrValue__ValueCase cases[] = {
		[OPTION_BYTE] = MLS__ATTR_VALUE__VALUE_I,
		[OPTION_FLOAT] = MLS__ATTR_VALUE__VALUE_F,
		[OPTION_INTS] = MLS__ATTR_VALUE__VALUE_LIST,
	};
	Mls__AttrValue *value = mls_lower_attr(l->arena, node, field->name, cases[kind]);
	struct mls_fb_vector list;
	int64_t *integers;

	if (!value)
		return no_memory(l);
	if (kind == OPTION_BYTE)
		return mls_fb_int(t, field, 0, &value->i) ? 0 : damaged(l);
	if (kind == OPTION_FLOAT)
		return mls_fb_float(t, field, 0, &value->f) ? 0 : damaged(l);
	if (!mls_fb_vector(t, field, &list))
		return damaged(l);
	if (list.n > MLS_MAX_RANK)
		return mls_error(l->err, -ENOTSUP,
				 "Invalid LiteRT format: %s: node %.120s (%.60s): %s: expected at "
				 "most %d dimensions, found %" PRIu32,
				 l->path, node->name, node->op, field->name, MLS_MAX_RANK, list.n);
	integers = mls_arena_array(l->arena, list.n, sizeof(*integers));
	value->list = integers ? mls_lower_integers(l->arena, list.n, integers) : NULL;
	if (!value->list)
		return no_memory(l);
	for (uint32_t i = 0; i < list.n; i++)
		integers[i] = mls_fb_int32_at(&list, i);
	return 0;
}

static int lower_options(struct lowering *l, Mls__Node *node, const struct mls_fb_table *t)
{
	const struct options *options = NULL;
	struct mls_fb_table table;
	bool found;
	int64_t type;
	int ret = 0;

	for (size_t i = 0; i < ARRAY_SIZE(all_options); i++) {
		if (strcmp(all_options[i].op, node->op) == 0)
			options = &all_options[i];
	}
	if (!mls_fb_int(t, &operator_options_type, 0, &type) ||
	    !mls_fb_table(t, &operator_options, &found, &table))
		return damaged(l);
	if (!options || !found || type == 0)
		return 0;
	if (type != options->type)
		return mls_error(l->err, -EINVAL,
				 "Invalid LiteRT format: %s: node %.120s (%.60s): expected options "
				 "of kind %" PRId64 ", found kind %" PRId64,
				 l->path, node->name, node->op, options->type, type);
	for (size_t i = 0; !ret && i < MAX_OPTIONS; i++) {
		if (options->fields[i].kind != OPTION_NONE)
			ret = lower_option(l, node, options->fields[i].kind,
					   &options->fields[i].field, &table);
	}
	return ret;
}

static int bad_tensor(const struct lowering *l, uint32_t number, const char *op, const char *what,
		      int32_t index)
{
	return mls_error(l->err, -EINVAL,
			 "Invalid LiteRT format: %s: operator %" PRIu32
			 " (%.60s): expected one of the model's %" PRIu32
			 " tensors as its %s, found tensor %" PRId32,
			 l->path, number, op, l->tensors.n, what, index);
}

/* What it makes must be nobody else's. */
static int lower_outputs(struct lowering *l, uint32_t number, const char *op,
			 const struct mls_fb_vector *outputs)
{
	for (uint32_t i = 0; i < outputs->n; i++) {
		int32_t index = mls_fb_int32_at(outputs, i);
		struct tensor *known;

		if (index < 0 || (uint32_t)index >= l->tensors.n)
			return bad_tensor(l, number, op, "output", index);
		known = &l->known[index];
		if (known->made || known->stored)
			return mls_error(l->err, -EINVAL,
					 "Invalid LiteRT format: %s: operator %" PRIu32
					 " (%.60s): expected an output that nothing else makes, "
					 "found %s",
					 l->path, number, op, known->place);
		known->made = true;
		mls_lower_output(&l->to, known->name, i);
	}
	return 0;
}

static int lower_operator(struct lowering *l, uint32_t number)
{
	struct mls_fb_vector inputs, outputs;
	const char *op, *name, *place = "";
	struct mls_fb_table t;
	Mls__Node *node;
	int ret;

	if (!mls_fb_element(&l->operators, number, &graph_operators, &t))
		return damaged(l);
	ret = operator_name(l, number, &t, &op);
	if (ret)
		return ret;
	if (!mls_fb_vector(&t, &operator_inputs, &inputs) ||
	    !mls_fb_vector(&t, &operator_outputs, &outputs))
		return damaged(l);
	if (outputs.n) {
		int32_t first = mls_fb_int32_at(&outputs, 0);

		if (first < 0 || (uint32_t)first >= l->tensors.n)
			return bad_tensor(l, number, op, "output", first);
		place = l->known[first].place;
	}
	name = mls_arena_printf(l->arena, "%" PRIu32 " for %s", number, place);
	node = name ? mls_lower_node(&l->to, name, op, MAX_OPTIONS) : NULL;
	if (!node)
		return no_memory(l);
	node->input = mls_arena_array(l->arena, inputs.n, sizeof(*node->input));
	if (!node->input)
		return no_memory(l);
	node->n_input = inputs.n;
	for (uint32_t i = 0; i < inputs.n; i++) {
		int32_t index = mls_fb_int32_at(&inputs, i);

		if (index < -1 || (index >= 0 && (uint32_t)index >= l->tensors.n))
			return bad_tensor(l, number, op, "input", index);
		/* -1 is one that is left out. */
		node->input[i] = index < 0 ? (char *)"" : (char *)l->known[index].name;
	}
	ret = lower_outputs(l, number, op, &outputs);
	return ret ? ret : lower_options(l, node, &t);
}

/* ---- the graph ------------------------------------------------------------------------- */

static int open_graph(struct lowering *l, const struct mls_fb_table *model)
{
	struct mls_fb_vector subgraphs;
	struct mls_fb_table graph;

	if (!mls_fb_vector(model, &model_codes, &l->codes) ||
	    !mls_fb_vector(model, &model_buffers, &l->buffers) ||
	    !mls_fb_vector(model, &model_subgraphs, &subgraphs))
		return damaged(l);
	if (subgraphs.n != 1)
		return mls_error(l->err, subgraphs.n ? -ENOTSUP : -EINVAL,
				 "Invalid LiteRT format: %s: expected one subgraph, found "
				 "%" PRIu32,
				 l->path, subgraphs.n);
	if (!mls_fb_element(&subgraphs, 0, &model_subgraphs, &graph) ||
	    !mls_fb_vector(&graph, &graph_tensors, &l->tensors) ||
	    !mls_fb_vector(&graph, &graph_inputs, &l->inputs) ||
	    !mls_fb_vector(&graph, &graph_outputs, &l->outputs) ||
	    !mls_fb_vector(&graph, &graph_operators, &l->operators))
		return damaged(l);
	return check_no_buffer(l);
}

/* Its stored tensors, then its input, then its operators. */
static int lower_graph(struct lowering *l, const Mls__Node **input)
{
	size_t n_nodes = (size_t)l->tensors.n + 1 + l->operators.n;
	int ret = 0;

	l->known = mls_arena_array(l->arena, l->tensors.n, sizeof(*l->known));
	l->to.arena = l->arena;
	l->to.nodes = mls_arena_array(l->arena, n_nodes, sizeof(*l->to.nodes));
	l->to.names = mls_arena_array(l->arena, l->tensors.n, sizeof(*l->to.names));
	if (!l->known || !l->to.nodes || !l->to.names)
		return no_memory(l);
	for (uint32_t i = 0; !ret && i < l->tensors.n; i++)
		ret = lower_tensor(l, i);
	if (!ret)
		ret = lower_input(l, input);
	for (uint32_t i = 0; !ret && i < l->operators.n; i++)
		ret = lower_operator(l, i);
	return ret;
}

/* Nothing may need what nothing makes; tensors that nobody needs may be empty. */
static int check_origins(const struct lowering *l, const struct mls_body *body)
{
	for (uint32_t i = 0; i < l->to.n_nodes; i++) {
		const Mls__Node *node = l->to.nodes[i];

		for (size_t n = 0; n < node->n_input; n++) {
			const char *name = node->input[n];
			uint32_t index;

			if (name[0] && !mls_body_find(body, name, strlen(name), &index))
				return mls_error(l->err, -EINVAL,
						 "Invalid LiteRT format: %s: node %.120s (%.60s): "
						 "expected numbers, the model's input or an output "
						 "of an operator as its input %zu, found none of "
						 "them: %s",
						 l->path, node->name, node->op, n, name);
		}
	}
	return 0;
}

int mls_tflite_walk(const struct mls_fb_table *model, const char *path, struct mls_arena *arena,
		    struct mlsched_error *err, const struct mls_step **last)
{
	struct lowering l = { .path = path, .arena = arena, .err = err, .fb = model->fb };
	struct mls_walk w = {
		.dialect = &mls_tflite,
		.rows = -1,
		.path = path,
		.arena = arena,
		.err = err,
	};
	const Mls__Node *input = NULL;
	const char *duplicate;
	struct mls_value *value;
	struct mls_body *body;
	int32_t output;
	int ret = open_graph(&l, model);

	if (!ret)
		ret = lower_graph(&l, &input);
	if (!ret)
		ret = only_one(&l, &l.outputs, "output", &output);
	if (ret)
		return ret;
	/* No two tensors have the same number. */
	body = mls_body_of_tensors(arena, l.to.nodes, l.to.n_nodes, l.to.names, l.to.n_names,
				   &duplicate);
	if (!body)
		return no_memory(&l);
	ret = check_origins(&l, body);
	if (ret)
		return ret;
	if (!l.known[output].made)
		return mls_error(err, -EINVAL,
				 "Invalid LiteRT format: %s: %s: expected an operator that makes "
				 "the model's output, found none",
				 path, l.known[output].place);
	w.input_name = input->name;
	ret = mls_walk_begin(&w, body);
	if (!ret)
		ret = mls_walk_eval(&w, w.main, l.known[output].name, &value);
	if (ret)
		return ret;
	if (value->kind != MLS_VALUE_ROW)
		return mls_error(err, -ENOTSUP,
				 "Invalid LiteRT format: %s: %s: expected the model's output to be "
				 "computed from its input, found one that is not",
				 path, l.known[output].place);
	*last = value->step;
	return 0;
}

/* ---- what of it can be told, where it is not taken ---------------------------------------- */

/* Operators, or tensors, that are looked at: of a damaged file hardly any may be a part. */
#define MOST_TOLD (16 * MLS_OUTLINE_PARTS)

static bool outline_tensor(const struct lowering *l, int32_t index, bool open,
			   struct mls_outline_line *line)
{
	struct mls_fb_vector dims, signature;
	int64_t type, sizes[MLS_MAX_RANK];
	struct mls_fb_table t;

	if (index < 0 || (uint32_t)index >= l->tensors.n ||
	    !mls_fb_element(&l->tensors, (uint32_t)index, &graph_tensors, &t) ||
	    !mls_fb_int(&t, &tensor_type, 0, &type) || !mls_fb_vector(&t, &tensor_shape, &dims) ||
	    !mls_fb_vector(&t, &tensor_signature, &signature))
		return false;
	if (open && signature.n)
		dims = signature;
	for (uint32_t i = 0; i < dims.n && i < MLS_MAX_RANK; i++)
		sizes[i] = mls_fb_int32_at(&dims, i);
	if (dtype_of(type) != MLS_DT_FLOAT)
		mls_outline_append(line, "%s ", mls_dtype_name(dtype_of(type)));
	mls_outline_dims(line, sizes, dims.n);
	return true;
}

static void outline_tensors(const struct lowering *l, const struct mls_fb_vector *list,
			    struct mls_outline_line *line)
{
	/* An operator of ours has three inputs at most. */
	for (uint32_t i = 0; i < list->n && i < 8; i++) {
		mls_outline_append(line, "%s", i ? ", " : "");
		if (!outline_tensor(l, mls_fb_int32_at(list, i), true, line))
			mls_outline_append(line, "none");
	}
}

static void outline_operator(struct lowering *l, uint32_t number, struct mls_outline *outline)
{
	struct mls_fb_vector inputs, outputs, text;
	struct mls_outline_line line = { 0 };
	struct mls_outline_part *part;
	struct mls_fb_table t, made;
	const char *op, *name, *place = NULL;

	if (!mls_fb_element(&l->operators, number, &graph_operators, &t) ||
	    operator_name(l, number, &t, &op) != 0 ||
	    !mls_fb_vector(&t, &operator_inputs, &inputs) ||
	    !mls_fb_vector(&t, &operator_outputs, &outputs)) {
		outline->n_left_out++;
		return;
	}
	if (outputs.n) {
		int32_t first = mls_fb_int32_at(&outputs, 0);

		if (first >= 0 && (uint32_t)first < l->tensors.n &&
		    mls_fb_element(&l->tensors, (uint32_t)first, &graph_tensors, &made) &&
		    mls_fb_vector(&made, &tensor_name, &text))
			place = tensor_place(l, (uint32_t)first, &text);
	}
	name = mls_arena_printf(l->arena, "%" PRIu32 " for %s", number, place ? place : "");
	part = mls_outline_node(outline, &mls_tflite, place ? place : "", op);
	if (!part)
		return;
	/* As lower_operator() calls it. */
	part->place = mls_outline_text(outline, "node %.120s (%.60s)", name ? name : "", op);
	outline_tensors(l, &inputs, &line);
	mls_outline_append(&line, " -> ");
	outline_tensors(l, &outputs, &line);
	part->detail = mls_outline_text(outline, "%s", line.text);
}

/* Those that are stored. */
static void outline_constant(struct lowering *l, uint32_t index, struct mls_outline *outline)
{
	struct mls_outline_line line = { 0 };
	struct mls_fb_vector name, numbers;
	struct mls_outline_part *part;
	struct mls_fb_table t;
	const char *place;

	if (!mls_fb_element(&l->tensors, index, &graph_tensors, &t) ||
	    !mls_fb_vector(&t, &tensor_name, &name) || find_numbers(l, &t, "", &numbers) != 0 ||
	    numbers.n == 0)
		return;
	place = tensor_place(l, index, &name);
	part = mls_outline_node(outline, &mls_tflite, place ? place : "", MLS_TFLITE_CONSTANT);
	if (part && outline_tensor(l, (int32_t)index, false, &line))
		part->detail = mls_outline_text(outline, "%s", line.text);
}

void mls_tflite_outline_graph(const struct mls_fb_table *model, struct mls_outline *outline)
{
	struct mlsched_error err;
	struct mls_outline_line line = { 0 };
	struct lowering l = { .path = "", .arena = &outline->arena, .err = &err, .fb = model->fb };
	uint32_t i;

	if (open_graph(&l, model) != 0)
		return;
	if (l.inputs.n && outline_tensor(&l, mls_fb_int32_at(&l.inputs, 0), true, &line))
		snprintf(outline->input, sizeof(outline->input), "%.63s", line.text);
	for (i = 0; i < l.operators.n && outline->n_parts < MLS_OUTLINE_PARTS && i < MOST_TOLD; i++)
		outline_operator(&l, i, outline);
	outline->n_left_out += l.operators.n - i;
	for (i = 0; i < l.tensors.n && outline->n_parts < MLS_OUTLINE_PARTS && i < MOST_TOLD; i++)
		outline_constant(&l, i, outline);
}
