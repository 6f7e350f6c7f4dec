// SPDX-License-Identifier: GPL-2.0
/*
 * What each operation of a TensorFlow graph does to what is known about its
 * inputs.  An operation that is not in the table at the end is refused by
 * name; a new one is a function and a line there.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "src/formats/graph_rows.h"
#include "src/util/array.h"

/* ---- operations ----------------------------------------------------------------- */

static int op_const(struct mls_walk *w, const struct mls_here *here, int argument,
		    struct mls_value **value)
{
	(void)argument;
	return mls_const_value(w, here, value);
}

static int op_handle(struct mls_walk *w, const struct mls_here *here, int argument,
		     struct mls_value **value)
{
	(void)argument;
	if (here->scope != w->main)
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected variables in the main graph, found one in a "
				       "function");
	*value = mls_walk_value(w, MLS_VALUE_HANDLE, MLS_DT_RESOURCE);
	if (!*value)
		return mls_walk_memory(w);
	(*value)->handle = here->ref->node_index;
	return 0;
}

static int op_read(struct mls_walk *w, const struct mls_here *here, int argument,
		   struct mls_value **value)
{
	struct mls_value *handle;
	int ret = mls_walk_input(w, here, 0, &handle);

	(void)argument;
	if (ret)
		return ret;
	if (handle->kind != MLS_VALUE_HANDLE)
		return mls_walk_refuse(w, here->scope, here->node, -EINVAL,
				       "expected a variable to read, found something else");
	return mls_read_variable(w, here, handle->handle, value);
}

/* A variable of the first TensorFlow: the node is its own value. */
static int op_old_variable(struct mls_walk *w, const struct mls_here *here, int argument,
			   struct mls_value **value)
{
	struct mls_value *handle;
	int ret = op_handle(w, here, argument, &handle);

	return ret ? ret : mls_read_variable(w, here, handle->handle, value);
}

/* Only LeakyRelu has an alpha, which may be left out when it is TensorFlow's 0.2. */
static int activate(struct mls_walk *w, const struct mls_here *here,
		    enum mlsched_activation activation, const char *alpha_name,
		    const struct mls_value *row, struct mls_value **value)
{
	bool leaky = activation == MLSCHED_LEAKY_RELU;

	return mls_row_activate(w, here, activation, leaky ? alpha_name : NULL, leaky ? 0.2f : 1,
				row, value);
}

static int op_activation(struct mls_walk *w, const struct mls_here *here, int argument,
			 struct mls_value **value)
{
	struct mls_value *a;
	int ret = mls_walk_input(w, here, 0, &a);

	return ret ? ret : activate(w, here, (enum mlsched_activation)argument, "alpha", a, value);
}

static int op_matmul(struct mls_walk *w, const struct mls_here *here, int argument,
		     struct mls_value **value)
{
	const struct mls_transposed transposed = {
		.row = mls_node_flag(here->node, "transpose_a"),
		.weights = mls_node_flag(here->node, "transpose_b"),
	};
	struct mls_value *a, *b;
	int ret = mls_op_two_inputs(w, here, &a, &b);

	(void)argument;
	return ret ? ret : mls_row_matmul(w, here, a, b, transposed, value);
}

static const struct {
	const char *op;
	enum mlsched_activation activation;
} fused_activations[] = {
	{ "Relu", MLSCHED_RELU },
	{ "Relu6", MLSCHED_RELU6 },
	{ "LeakyRelu", MLSCHED_LEAKY_RELU },
	{ "Elu", MLSCHED_ELU },
	{ "Sigmoid", MLSCHED_SIGMOID },
	{ "Tanh", MLSCHED_TANH },
};

static bool bytes_are(const ProtobufCBinaryData *bytes, const char *text)
{
	return bytes->len == strlen(text) && memcmp(bytes->data, text, bytes->len) == 0;
}

static int fused_step(struct mls_walk *w, const struct mls_here *here,
		      const ProtobufCBinaryData *name, uint32_t *argument, struct mls_value **value)
{
	struct mls_value *bias;
	int ret;

	if (bytes_are(name, "BiasAdd")) {
		ret = mls_walk_input(w, here, (*argument)++, &bias);
		return ret ? ret : mls_op_add_bias(w, here, bias, value);
	}
	for (size_t i = 0; i < ARRAY_SIZE(fused_activations); i++) {
		if (bytes_are(name, fused_activations[i].op))
			return activate(w, here, fused_activations[i].activation, "leakyrelu_alpha",
					*value, value);
	}
	return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
			       "expected BiasAdd and an activation, found fused operation %.*s",
			       (int)(name->len < 60 ? name->len : 60), (const char *)name->data);
}

/* What TensorFlow's optimizer makes of MatMul, BiasAdd and an activation. */
static int op_fused_matmul(struct mls_walk *w, const struct mls_here *here, int argument,
			   struct mls_value **value)
{
	const Mls__AttrValue *ops =
		mls_node_attr(here->node, "fused_ops", MLS__ATTR_VALUE__VALUE_LIST);
	uint32_t next = 2;
	int ret = op_matmul(w, here, argument, value);

	for (size_t i = 0; !ret && ops && ops->list && i < ops->list->n_s; i++) {
		/* Each looks for its input or its attribute from the first on. */
		if (!mls_walk_charge(w, here->node->n_input + here->node->n_attr))
			return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
					       "expected a small network, found too many fused "
					       "operations");
		ret = fused_step(w, here, &ops->list->s[i], &next, value);
	}
	return ret;
}

static int op_cast(struct mls_walk *w, const struct mls_here *here, int argument,
		   struct mls_value **value)
{
	const Mls__AttrValue *to = mls_node_attr(here->node, "DstT", MLS__ATTR_VALUE__VALUE_TYPE);

	(void)argument;
	return mls_row_cast(w, here, to ? to->type : 0, value);
}

static int op_reshape(struct mls_walk *w, const struct mls_here *here, int argument,
		      struct mls_value **value)
{
	int64_t dims[MLS_MAX_RANK];
	struct mls_value *from;
	int rank, ret = mls_walk_input(w, here, 0, &from);

	(void)argument;
	if (!ret)
		ret = mls_op_integers(w, here, 1, dims, &rank);
	if (ret)
		return ret;
	return mls_op_reshape(w, here, from, dims, rank, value);
}

static int op_expand_dims(struct mls_walk *w, const struct mls_here *here, int argument,
			  struct mls_value **value)
{
	int64_t axis[MLS_MAX_RANK], dims[MLS_MAX_RANK];
	struct mls_value *from;
	int n, ret = mls_walk_input(w, here, 0, &from);

	(void)argument;
	if (!ret)
		ret = mls_op_integers(w, here, 1, axis, &n);
	if (ret)
		return ret;
	if (mls_is_row(from) && from->flat && n == 1 && (axis[0] == 1 || axis[0] == -1))
		return mls_row_shape(w, here, from, false, value);
	if (!mls_is_tensor(from) || n != 1 || from->rank >= MLS_MAX_RANK || axis[0] < -1 ||
	    axis[0] > from->rank)
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected rows [?, n] to stay such rows, found one more "
				       "dimension");
	if (axis[0] < 0)
		axis[0] = from->rank;
	for (int d = 0; d <= from->rank; d++)
		dims[d] = d == axis[0] ? 1 : from->dims[d > axis[0] ? d - 1 : d];
	return mls_fold_reshape(w, here, from, dims, from->rank + 1, value);
}

static int op_squeeze(struct mls_walk *w, const struct mls_here *here, int argument,
		      struct mls_value **value)
{
	const Mls__AttrValue *attr =
		mls_node_attr(here->node, "squeeze_dims", MLS__ATTR_VALUE__VALUE_LIST);
	const Mls__AttrList *axes = attr ? attr->list : NULL;
	int64_t dims[MLS_MAX_RANK];
	struct mls_value *from;
	int rank = 0, ret = mls_walk_input(w, here, 0, &from);

	(void)argument;
	if (ret)
		return ret;
	if (mls_is_row(from) && !from->flat && from->step->width == 1 && axes && axes->n_i == 1 &&
	    (axes->i[0] == 1 || axes->i[0] == -1))
		return mls_row_shape(w, here, from, true, value);
	/* Of weights: which of several ones goes does not matter unless only some are named. */
	if (!mls_is_tensor(from) || (axes && axes->n_i > 0))
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected rows [?, n] to stay such rows, found one "
				       "dimension less");
	for (int d = 0; d < from->rank; d++) {
		if (from->dims[d] != 1)
			dims[rank++] = from->dims[d];
	}
	return mls_fold_reshape(w, here, from, dims, rank, value);
}

static int op_strided_slice(struct mls_walk *w, const struct mls_here *here, int argument,
			    struct mls_value **value)
{
	int64_t from[MLS_MAX_RANK], begin[MLS_MAX_RANK];
	int n, n_begin, ret = mls_op_integers(w, here, 0, from, &n);

	(void)argument;
	if (!ret)
		ret = mls_op_integers(w, here, 1, begin, &n_begin);
	if (ret)
		return ret;
	if (n_begin != 1 || begin[0] < 0 || begin[0] >= n ||
	    mls_node_int(here->node, "shrink_axis_mask", 0) != 1 ||
	    mls_node_int(here->node, "begin_mask", 0) != 0 ||
	    mls_node_int(here->node, "new_axis_mask", 0) != 0 ||
	    mls_node_int(here->node, "ellipsis_mask", 0) != 0)
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected one dimension of a shape, found another slice");
	return mls_make_integers(w, &from[begin[0]], 1, 0, value);
}

static int op_pack(struct mls_walk *w, const struct mls_here *here, int argument,
		   struct mls_value **value)
{
	uint32_t n_inputs = mls_node_inputs(here->node);
	int64_t all[MLS_MAX_RANK], one[MLS_MAX_RANK];

	(void)argument;
	for (uint32_t i = 0; i < n_inputs && i < MLS_MAX_RANK; i++) {
		int n, ret = mls_op_integers(w, here, i, one, &n);

		if (ret)
			return ret;
		if (n != 1)
			n_inputs = UINT32_MAX;
		all[i] = one[0];
	}
	if (n_inputs < 1 || n_inputs > MLS_MAX_RANK)
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected the dimensions of a shape, found something else");
	return mls_make_integers(w, all, (int)n_inputs, 1, value);
}

static int op_transpose(struct mls_walk *w, const struct mls_here *here, int argument,
			struct mls_value **value)
{
	int64_t order[MLS_MAX_RANK];
	struct mls_value *from;
	int n, ret = mls_walk_input(w, here, 0, &from);

	(void)argument;
	if (!ret)
		ret = mls_op_integers(w, here, 1, order, &n);
	if (ret)
		return ret;
	return mls_op_transpose(w, here, from, order, (size_t)n, value);
}

static const struct mls_operation operations[] = {
	{ "Add", mls_op_binary, MLS_ADD },
	{ "AddV2", mls_op_binary, MLS_ADD },
	{ "BiasAdd", mls_op_binary, MLS_ADD },
	{ "Cast", op_cast, 0 },
	{ "CheckNumerics", mls_op_pass, 0 },
	{ "Const", op_const, 0 },
	{ "Div", mls_op_binary, MLS_DIV },
	{ "Elu", op_activation, MLSCHED_ELU },
	{ "EnsureShape", mls_op_pass, 0 },
	{ "ExpandDims", op_expand_dims, 0 },
	{ "Greater", mls_op_greater, 0 },
	{ "Identity", mls_op_pass, 0 },
	{ "IdentityN", mls_op_pass, 0 },
	{ "LeakyRelu", op_activation, MLSCHED_LEAKY_RELU },
	{ "MatMul", op_matmul, 0 },
	{ "Maximum", mls_op_binary, MLS_MAX },
	{ "Minimum", mls_op_binary, MLS_MIN },
	{ "Mul", mls_op_binary, MLS_MUL },
	{ "Neg", mls_op_unary, MLS_NEG },
	{ "Pack", op_pack, 0 },
	{ "Placeholder", mls_op_placeholder, 0 },
	{ "PreventGradient", mls_op_pass, 0 },
	{ "ReadVariableOp", op_read, 0 },
	{ "RealDiv", mls_op_binary, MLS_DIV },
	{ "Reciprocal", mls_op_unary, MLS_RECIPROCAL },
	{ "Relu", op_activation, MLSCHED_RELU },
	{ "Relu6", op_activation, MLSCHED_RELU6 },
	{ "Reshape", op_reshape, 0 },
	{ "Rsqrt", mls_op_unary, MLS_RSQRT },
	{ "SelectV2", mls_op_select, 0 },
	{ "Shape", mls_op_shape, 0 },
	{ "Sigmoid", op_activation, MLSCHED_SIGMOID },
	{ "Snapshot", mls_op_pass, 0 },
	{ "Softmax", op_activation, MLSCHED_SOFTMAX },
	{ "Sqrt", mls_op_unary, MLS_SQRT },
	{ "Square", mls_op_unary, MLS_SQUARE },
	{ "Squeeze", op_squeeze, 0 },
	{ "StopGradient", mls_op_pass, 0 },
	{ "StridedSlice", op_strided_slice, 0 },
	{ "Sub", mls_op_binary, MLS_SUB },
	{ "Tanh", op_activation, MLSCHED_TANH },
	{ "Transpose", op_transpose, 0 },
	{ "VarHandleOp", op_handle, 0 },
	{ "Variable", op_old_variable, 0 },
	{ "VariableV2", op_old_variable, 0 },
	{ "_FusedMatMul", op_fused_matmul, 0 },
};

const struct mls_dialect mls_tensorflow = {
	.operations = operations,
	.n_operations = ARRAY_SIZE(operations),
};
