// SPDX-License-Identifier: GPL-2.0
/*
 * What each operation of a LiteRT model does to what is known about its inputs.
 * An operation that is not in the table at the end is refused by name; a new
 * one is a function and a line there.
 */
#include <errno.h>
#include <string.h>

#include "src/formats/graph_rows.h"
#include "src/formats/tflite.h"
#include "src/util/array.h"

/* Weights of integers mean something by scales and offsets, and lose bits. */
static int op_constant(struct mls_walk *w, const struct mls_here *here, int argument,
		       struct mls_value **value)
{
	const Mls__AttrValue *attr =
		mls_node_attr(here->node, "value", MLS__ATTR_VALUE__VALUE_TENSOR);
	int32_t type = attr ? attr->tensor->dtype : 0;

	(void)argument;
	if (type != MLS_DT_FLOAT && type != MLS_DT_HALF && type != MLS_DT_INT32 &&
	    type != MLS_DT_INT64)
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected float32 or float16 numbers, found %s (quantised "
				       "models are to be converted again, without optimisations)",
				       mls_dtype_name(type));
	return mls_const_value(w, here, value);
}

static bool is_constant(const struct mls_here *here, const char *input)
{
	struct mls_ref ref;

	return input && mls_ref_parse(here->scope->body, input, &ref) &&
	       strcmp(ref.node->op, MLS_TFLITE_CONSTANT) == 0;
}

/* Of weights that are stored as float16, which float32 holds exactly. */
static int op_dequantize(struct mls_walk *w, const struct mls_here *here, int argument,
			 struct mls_value **value)
{
	struct mls_value *from;
	int ret;

	(void)argument;
	if (!is_constant(here, mls_node_input(here->node, 0)))
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected stored float16 weights, found computed numbers: "
				       "quantised models are to be converted again, without "
				       "optimisations");
	ret = mls_walk_input(w, here, 0, &from);
	if (ret)
		return ret;
	if (from->dtype != MLS_DT_HALF)
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected stored float16 weights, found %s",
				       mls_dtype_name(from->dtype));
	return mls_row_cast(w, here, MLS_DT_FLOAT, value);
}

static int op_quantize(struct mls_walk *w, const struct mls_here *here, int argument,
		       struct mls_value **value)
{
	(void)argument;
	(void)value;
	return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
			       "expected float numbers, found that they are quantised: quantised "
			       "models are to be converted again, without optimisations");
}

/* Many operators have an activation with them. */
static int fused(struct mls_walk *w, const struct mls_here *here, struct mls_value **value)
{
	static const char *const names[] = {
		[MLS_TFLITE_RELU_N1_TO_1] = "RELU_N1_TO_1",
		[MLS_TFLITE_SIGN_BIT] = "SIGN_BIT",
	};
	int64_t activation = mls_node_int(here->node, MLS_TFLITE_FUSED, MLS_TFLITE_NONE);
	enum mlsched_activation ours;

	switch (activation) {
	case MLS_TFLITE_NONE:
		return 0;
	case MLS_TFLITE_RELU:
		ours = MLSCHED_RELU;
		break;
	case MLS_TFLITE_RELU6:
		ours = MLSCHED_RELU6;
		break;
	case MLS_TFLITE_TANH:
		ours = MLSCHED_TANH;
		break;
	default:
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected NONE, RELU, RELU6 or TANH as its fused "
				       "activation, found %lld (%s)",
				       (long long)activation,
				       activation > 0 && activation < (int64_t)ARRAY_SIZE(names) &&
						       names[activation] ?
					       names[activation] :
					       "unknown");
	}
	return mls_row_activate(w, here, ours, NULL, 0, *value, value);
}

/*
 * A stored input of an operator of float numbers: LiteRT computes with no
 * integers there, and with float16 only behind a DEQUANTIZE.
 */
static int stored_float(struct mls_walk *w, const struct mls_here *here, uint32_t n)
{
	struct mls_value *v;
	int ret = mls_op_optional_input(w, here, n, &v);

	if (ret || !v || !mls_is_tensor(v) || v->dtype == MLS_DT_FLOAT)
		return ret;
	return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
			       "expected float32 numbers as input %u, found %s", n,
			       mls_dtype_name(v->dtype));
}

static int stored_floats(struct mls_walk *w, const struct mls_here *here)
{
	int ret = stored_float(w, here, 0);

	return ret ? ret : stored_float(w, here, 1);
}

/* x W^T + b: each unit's weights stand together. */
static int op_fully_connected(struct mls_walk *w, const struct mls_here *here, int argument,
			      struct mls_value **value)
{
	const struct mls_transposed transposed = { .weights = true };
	int64_t format = mls_node_int(here->node, MLS_TFLITE_FORMAT, 0);
	struct mls_value *row, *weights, *bias;
	int ret;

	(void)argument;
	if (format != 0)
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected weights in the default format, found format %lld",
				       (long long)format);
	ret = mls_op_two_inputs(w, here, &row, &weights);
	if (!ret)
		ret = stored_floats(w, here);
	if (!ret)
		ret = mls_row_matmul(w, here, row, weights, transposed, value);
	if (!ret)
		ret = stored_float(w, here, 2);
	if (!ret)
		ret = mls_op_optional_input(w, here, 2, &bias);
	if (!ret && bias)
		ret = mls_op_add_bias(w, here, bias, value);
	return ret ? ret : fused(w, here, value);
}

static int op_arithmetic(struct mls_walk *w, const struct mls_here *here, int argument,
			 struct mls_value **value)
{
	int ret = stored_floats(w, here);

	if (!ret)
		ret = mls_op_binary(w, here, argument, value);
	return ret ? ret : fused(w, here, value);
}

static int op_greater(struct mls_walk *w, const struct mls_here *here, int argument,
		      struct mls_value **value)
{
	int ret = stored_floats(w, here);

	return ret ? ret : mls_op_greater(w, here, argument, value);
}

static int op_maximum(struct mls_walk *w, const struct mls_here *here, int argument,
		      struct mls_value **value)
{
	int ret = stored_floats(w, here);

	return ret ? ret : mls_op_variadic(w, here, argument, value);
}

static int op_prelu(struct mls_walk *w, const struct mls_here *here, int argument,
		    struct mls_value **value)
{
	int ret = stored_floats(w, here);

	return ret ? ret : mls_op_prelu(w, here, argument, value);
}

/* Of stored numbers; NEG would be of integers, too, but what takes them here takes none. */
static int op_unary(struct mls_walk *w, const struct mls_here *here, int argument,
		    struct mls_value **value)
{
	int ret = stored_float(w, here, 0);

	return ret ? ret : mls_op_unary(w, here, argument, value);
}

static int op_activation(struct mls_walk *w, const struct mls_here *here, int argument,
			 struct mls_value **value)
{
	/* An alpha that is not written down is the schema's default, 0; that of an ELU is always 1. */
	const float alpha = argument == MLSCHED_ELU ? 1 : 0;
	struct mls_value *a;
	int ret = mls_walk_input(w, here, 0, &a);

	return ret ? ret :
		     mls_row_activate(w, here, (enum mlsched_activation)argument, MLS_TFLITE_ALPHA,
				      alpha, a, value);
}

static int op_softmax(struct mls_walk *w, const struct mls_here *here, int argument,
		      struct mls_value **value)
{
	float beta = mls_node_float(here->node, MLS_TFLITE_BETA, 0);

	if (beta != 1)
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected beta 1, found %g", (double)beta);
	return op_activation(w, here, argument, value);
}

/* The new shape is an input, or, in old models, one of the options. */
static int op_reshape(struct mls_walk *w, const struct mls_here *here, int argument,
		      struct mls_value **value)
{
	const Mls__AttrValue *attr =
		mls_node_attr(here->node, MLS_TFLITE_SHAPE, MLS__ATTR_VALUE__VALUE_LIST);
	int64_t dims[MLS_MAX_RANK];
	struct mls_value *from;
	int rank = 0, ret = mls_walk_input(w, here, 0, &from);

	(void)argument;
	if (ret)
		return ret;
	if (here->node->n_input > 1) {
		ret = mls_op_integers(w, here, 1, dims, &rank);
		if (ret)
			return ret;
	} else if (attr) {
		/* No longer than that: whoever made the list has seen to it. */
		rank = (int)attr->list->n_i;
		memcpy(dims, attr->list->i, attr->list->n_i * sizeof(*dims));
	} else {
		return mls_walk_refuse(w, here->scope, here->node, -EINVAL,
				       "expected a new shape as input 1 or among its options, "
				       "found none");
	}
	return mls_op_reshape(w, here, from, dims, rank, value);
}

static const struct mls_operation operations[] = {
	{ MLS_TFLITE_CONSTANT, op_constant, 0 },
	{ MLS_TFLITE_INPUT, mls_op_placeholder, 0 },
	{ "ADD", op_arithmetic, MLS_ADD },
	{ "DEQUANTIZE", op_dequantize, 0 },
	{ "DIV", op_arithmetic, MLS_DIV },
	{ "ELU", op_activation, MLSCHED_ELU },
	{ "FULLY_CONNECTED", op_fully_connected, 0 },
	{ "GREATER", op_greater, 0 },
	{ "LEAKY_RELU", op_activation, MLSCHED_LEAKY_RELU },
	{ "LOGISTIC", op_activation, MLSCHED_SIGMOID },
	{ "MAXIMUM", op_maximum, MLS_MAX },
	{ "MUL", op_arithmetic, MLS_MUL },
	{ "NEG", op_unary, MLS_NEG },
	{ "PRELU", op_prelu, 0 },
	{ "QUANTIZE", op_quantize, 0 },
	{ "RELU", op_activation, MLSCHED_RELU },
	{ "RELU6", op_activation, MLSCHED_RELU6 },
	{ "RESHAPE", op_reshape, 0 },
	{ "RSQRT", op_unary, MLS_RSQRT },
	{ "SELECT", mls_op_select, 0 },
	{ "SELECT_V2", mls_op_select, 0 },
	{ "SOFTMAX", op_softmax, MLSCHED_SOFTMAX },
	{ "SQRT", op_unary, MLS_SQRT },
	{ "SUB", op_arithmetic, MLS_SUB },
	{ "TANH", op_activation, MLSCHED_TANH },
};

const struct mls_dialect mls_tflite = {
	.operations = operations,
	.n_operations = ARRAY_SIZE(operations),
	.whole_lists = true,
};
