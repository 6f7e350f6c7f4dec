// SPDX-License-Identifier: GPL-2.0
/*
 * What each operation of an ONNX graph does to what is known about its inputs,
 * for operators of versions 7 to 28.  An operation that is not in the table at
 * the end is refused by name; a new one is a function and a line there.
 */
#include <endian.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "src/formats/graph_rows.h"
#include "src/formats/onnx.h"
#include "src/util/array.h"

/* Numbers that no node holds, to compute with. */
static struct mls_value *new_tensor(struct mls_walk *w, uint32_t n, int rank, float **numbers)
{
	struct mls_value *v = mls_walk_value(w, MLS_VALUE_TENSOR, MLS_DT_FLOAT);

	*numbers = mls_arena_array(w->arena, n, sizeof(**numbers));
	if (!v || !*numbers)
		return NULL;
	v->rank = rank;
	v->dims[0] = n;
	v->n = n;
	v->numbers = *numbers;
	return v;
}

static int only_rows(struct mls_walk *w, const struct mls_here *here, const struct mls_value *v)
{
	if (mls_is_row(v))
		return 0;
	return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
			       "expected it on computed values, found it on weights");
}

/* ---- constants ---------------------------------------------------------------------- */

static double double_at(const uint8_t *from)
{
	uint64_t bits;
	double wide;

	memcpy(&bits, from, sizeof(bits));
	bits = le64toh(bits);
	memcpy(&wide, &bits, sizeof(wide));
	return wide;
}

/* Wide numbers are taken where they lose nothing. */
static int check_exact(struct mls_walk *w, const struct mls_here *here, const Mls__Tensor *t,
		       const struct mls_value *v)
{
	for (size_t i = 0; i < v->n; i++) {
		double wide;

		if (t->content.len)
			wide = double_at(t->content.data + i * sizeof(wide));
		else
			wide = t->double_val[i];
		if ((double)v->numbers[i] != wide)
			return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
					       "expected float64 numbers that float32 holds "
					       "exactly, found %.17g at index %zu",
					       wide, i);
	}
	return 0;
}

/* A yes or no: of them only single ones mean something here. */
static int bool_value(struct mls_walk *w, const struct mls_here *here, const Mls__Tensor *t,
		      struct mls_value **value)
{
	float *number;

	*value = new_tensor(w, 1, 0, &number);
	if (!*value)
		return mls_walk_memory(w);
	(*value)->dtype = MLS_DT_BOOL;
	if (t->content.len == 1 && t->n_int_val == 0)
		*number = t->content.data[0] != 0;
	else if (t->content.len == 0 && t->n_int_val == 1)
		*number = t->int_val[0] != 0;
	else
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected one bool, found another number of them");
	return 0;
}

static int op_initializer(struct mls_walk *w, const struct mls_here *here, int argument,
			  struct mls_value **value)
{
	const Mls__AttrValue *attr =
		mls_node_attr(here->node, "value", MLS__ATTR_VALUE__VALUE_TENSOR);
	const Mls__Tensor *t = attr ? attr->tensor : NULL;
	int ret;

	(void)argument;
	if (t && t->dtype == MLS_DT_BOOL)
		return bool_value(w, here, t, value);
	ret = mls_const_value(w, here, value);
	return ret || t->dtype != MLS_DT_DOUBLE ? ret : check_exact(w, here, t, *value);
}

/* Since version 12 a Constant may spell small values in other ways than as a tensor. */
static int op_constant(struct mls_walk *w, const struct mls_here *here, int argument,
		       struct mls_value **value)
{
	const Mls__Node *node = here->node;
	const Mls__AttrValue *one = mls_node_attr(node, "value_float", MLS__ATTR_VALUE__VALUE_F);
	const Mls__AttrValue *integer = mls_node_attr(node, "value_int", MLS__ATTR_VALUE__VALUE_I);
	const Mls__AttrValue *many =
		mls_node_attr(node, "value_floats", MLS__ATTR_VALUE__VALUE_TENSOR);
	const Mls__AttrValue *list = mls_node_attr(node, "value_ints", MLS__ATTR_VALUE__VALUE_LIST);
	const int64_t *integers = integer ? &integer->i : list ? list->list->i : NULL;
	size_t n = integer ? 1 : list ? list->list->n_i : one ? 1 : 0;
	float *numbers;

	if (many)
		n = many->tensor->n_float_val;
	if (!one && !many && !integer && !list)
		return op_initializer(w, here, argument, value);
	if (n > MLS_MAX_ELEMENTS)
		return mls_walk_refuse(w, here->scope, node, -ENOTSUP,
				       "expected at most %d numbers, found %zu", MLS_MAX_ELEMENTS,
				       n);
	*value = new_tensor(w, (uint32_t)n, one || integer ? 0 : 1, &numbers);
	if (!*value)
		return mls_walk_memory(w);
	if (integers)
		(*value)->dtype = MLS_DT_INT64;
	for (size_t i = 0; i < n; i++)
		numbers[i] = integers ? (float)integers[i] :
			     one      ? one->f :
					many->tensor->float_val[i];
	return mls_check_finite(w, here, "", *value);
}

/* ---- dense layers --------------------------------------------------------------------- */

/* The same numbers times a factor, which usually is 1. */
static int scale(struct mls_walk *w, const struct mls_here *here, float factor,
		 struct mls_value **value)
{
	struct mls_value *by;
	float *number;

	if (factor == 1 || !mls_is_tensor(*value))
		return 0;
	by = new_tensor(w, 1, 0, &number);
	if (!by)
		return mls_walk_memory(w);
	*number = factor;
	return mls_fold_binary(w, here, MLS_MUL, *value, by, value);
}

static int op_gemm(struct mls_walk *w, const struct mls_here *here, int argument,
		   struct mls_value **value)
{
	const struct mls_transposed transposed = {
		.row = mls_node_int(here->node, "transA", 0) != 0,
		.weights = mls_node_int(here->node, "transB", 0) != 0,
	};
	float beta = mls_node_float(here->node, "beta", 1);
	struct mls_value *row, *weights, *bias;
	int ret = mls_op_two_inputs(w, here, &row, &weights);

	(void)argument;
	if (!ret)
		ret = scale(w, here, mls_node_float(here->node, "alpha", 1), &weights);
	if (!ret)
		ret = mls_row_matmul(w, here, row, weights, transposed, value);
	if (!ret)
		ret = mls_op_optional_input(w, here, 2, &bias);
	if (ret || !bias || beta == 0)
		return ret;
	ret = scale(w, here, beta, &bias);
	return ret ? ret : mls_op_add_bias(w, here, bias, value);
}

static int op_matmul(struct mls_walk *w, const struct mls_here *here, int argument,
		     struct mls_value **value)
{
	const struct mls_transposed none = { 0 };
	struct mls_value *row, *weights;
	int ret = mls_op_two_inputs(w, here, &row, &weights);

	(void)argument;
	return ret ? ret : mls_row_matmul(w, here, row, weights, none, value);
}

/* (x - mean) / sqrt(variance + epsilon) * scale + shift, as one product and one sum. */
static int op_batch_normalization(struct mls_walk *w, const struct mls_here *here, int argument,
				  struct mls_value **value)
{
	double epsilon = (double)mls_node_float(here->node, "epsilon", 1e-5f);
	struct mls_value *row, *of[4], *factor, *shift;
	float *factors, *shifts;
	int ret = mls_walk_input(w, here, 0, &row);

	(void)argument;
	if (!ret)
		ret = only_rows(w, here, row);
	for (uint32_t i = 0; !ret && i < 4; i++) {
		ret = mls_walk_input(w, here, 1 + i, &of[i]);
		if (!ret && (!mls_is_tensor(of[i]) || of[i]->rank != 1 || of[i]->n != of[0]->n ||
			     of[i]->n > MLSCHED_MAX_WIDTH))
			ret = mls_walk_refuse(w, here->scope, here->node, -EINVAL,
					      "expected a list of numbers as input %u, as long as "
					      "the others, found something else",
					      1 + i);
	}
	if (ret)
		return ret;
	if (mls_node_int(here->node, "training_mode", 0) != 0)
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected statistics from training, found training_mode");
	factor = new_tensor(w, (uint32_t)of[0]->n, 1, &factors);
	shift = new_tensor(w, (uint32_t)of[0]->n, 1, &shifts);
	if (!factor || !shift)
		return mls_walk_memory(w);
	for (size_t i = 0; i < factor->n; i++) {
		double k = (double)of[0]->numbers[i] / sqrt((double)of[3]->numbers[i] + epsilon);

		factors[i] = (float)k;
		shifts[i] = (float)((double)of[1]->numbers[i] - (double)of[2]->numbers[i] * k);
	}
	ret = mls_check_finite(w, here, "", factor);
	if (!ret)
		ret = mls_check_finite(w, here, "", shift);
	if (!ret)
		ret = mls_row_binary(w, here, MLS_STEP_MULTIPLY, row, factor, &row);
	return ret ? ret : mls_row_binary(w, here, MLS_STEP_ADD, row, shift, value);
}

/* Inference drops nothing. */
static int op_dropout(struct mls_walk *w, const struct mls_here *here, int argument,
		      struct mls_value **value)
{
	struct mls_value *training;
	int ret = mls_op_optional_input(w, here, 2, &training);

	(void)argument;
	if (ret)
		return ret;
	if (training && (!mls_is_tensor(training) || training->n != 1 || training->numbers[0] != 0))
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected training_mode to be false, found another value");
	return mls_walk_input(w, here, 0, value);
}

/* ---- activations ------------------------------------------------------------------------ */

static int op_activation(struct mls_walk *w, const struct mls_here *here, int argument,
			 struct mls_value **value)
{
	const float alpha = argument == MLSCHED_LEAKY_RELU ? 0.01f : 1;
	struct mls_value *a;
	int ret = mls_walk_input(w, here, 0, &a);

	return ret ? ret :
		     mls_row_activate(w, here, (enum mlsched_activation)argument, "alpha", alpha, a,
				      value);
}

/* Over the last of two axes; which axis is meant when none is named depends on the version. */
static int op_softmax(struct mls_walk *w, const struct mls_here *here, int argument,
		      struct mls_value **value)
{
	int64_t axis = mls_node_int(here->node, "axis", w->opset < 13 ? 1 : -1);

	if (axis != 1 && axis != -1)
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected axis 1 or -1, found %lld", (long long)axis);
	return op_activation(w, here, argument, value);
}

/* One limit of a Clip: an attribute before version 11, then an input. */
static int clip_limit(struct mls_walk *w, const struct mls_here *here, uint32_t input,
		      const char *attr, float none, float *limit)
{
	struct mls_value *v;
	int ret;

	*limit = none;
	if (w->opset < 11) {
		*limit = mls_node_float(here->node, attr, none);
		return 0;
	}
	ret = mls_op_optional_input(w, here, input, &v);
	if (ret || !v)
		return ret;
	if (!mls_is_tensor(v) || v->n != 1)
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected one constant number as %s, found something else",
				       attr);
	*limit = v->numbers[0];
	return 0;
}

static int op_clip(struct mls_walk *w, const struct mls_here *here, int argument,
		   struct mls_value **value)
{
	enum mlsched_activation activation = MLSCHED_RELU6;
	struct mls_value *a;
	float low, high;
	int ret = clip_limit(w, here, 1, "min", -FLT_MAX, &low);

	(void)argument;
	if (!ret)
		ret = clip_limit(w, here, 2, "max", FLT_MAX, &high);
	if (!ret)
		ret = mls_walk_input(w, here, 0, &a);
	if (ret)
		return ret;
	if (low == 0 && high == FLT_MAX)
		activation = MLSCHED_RELU;
	else if (low != 0 || high != 6)
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected limits 0 and 6, or 0 alone, found %g and %g",
				       (double)low, (double)high);
	return mls_row_activate(w, here, activation, NULL, 0, a, value);
}

/* ---- shapes --------------------------------------------------------------------------- */

static int op_cast(struct mls_walk *w, const struct mls_here *here, int argument,
		   struct mls_value **value)
{
	int64_t to = mls_node_int(here->node, "to", 0);

	(void)argument;
	return mls_row_cast(w, here, to > 0 && to < 64 ? mls_onnx_dtype((int32_t)to) : 0, value);
}

static int op_reshape(struct mls_walk *w, const struct mls_here *here, int argument,
		      struct mls_value **value)
{
	bool copies = mls_node_int(here->node, "allowzero", 0) == 0;
	int64_t dims[MLS_MAX_RANK];
	struct mls_value *from;
	int rank, ret = mls_walk_input(w, here, 0, &from);

	(void)argument;
	if (!ret)
		ret = mls_op_integers(w, here, 1, dims, &rank);
	if (ret)
		return ret;
	/* 0: as it was.  Of a row, that is as many rows as there are, or as many columns. */
	for (int i = 0; copies && i < rank; i++) {
		if (dims[i] == 0 && mls_is_row(from))
			dims[i] = i == 0 || from->flat ? -1 : (int64_t)from->step->width;
		else if (dims[i] == 0 && i < from->rank)
			dims[i] = from->dims[i];
	}
	return mls_op_reshape(w, here, from, dims, rank, value);
}

/* To two dimensions, cut in front of the axis. */
static int op_flatten(struct mls_walk *w, const struct mls_here *here, int argument,
		      struct mls_value **value)
{
	int64_t axis = mls_node_int(here->node, "axis", 1), dims[2] = { 1, 1 };
	struct mls_value *from;
	int ret = mls_walk_input(w, here, 0, &from);

	(void)argument;
	if (ret)
		return ret;
	if (mls_is_row(from) && (axis == 1 || (axis == -1 && !from->flat)))
		return mls_row_shape(w, here, from, false, value);
	if (axis < 0)
		axis += from->rank;
	if (!mls_is_tensor(from) || axis < 0 || axis > from->rank)
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected rows [?, n] to stay such rows, found axis %lld",
				       (long long)mls_node_int(here->node, "axis", 1));
	for (int d = 0; d < from->rank; d++)
		dims[d >= axis] *= from->dims[d];
	return mls_fold_reshape(w, here, from, dims, 2, value);
}

/* Axes are an attribute before version 13, then an input; *n is -1 when there are none. */
static int read_axes(struct mls_walk *w, const struct mls_here *here, int64_t *axes, int *n)
{
	const Mls__AttrValue *attr = mls_node_attr(here->node, "axes", MLS__ATTR_VALUE__VALUE_LIST);
	const Mls__AttrList *list = attr ? attr->list : NULL;

	*n = -1;
	if (w->opset >= 13)
		return here->node->n_input > 1 && here->node->input[1][0] ?
			       mls_op_integers(w, here, 1, axes, n) :
			       0;
	if (!list)
		return 0;
	if (list->n_i > MLS_MAX_RANK)
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected at most %d axes, found %zu", MLS_MAX_RANK,
				       list->n_i);
	*n = (int)list->n_i;
	for (int i = 0; i < *n; i++)
		axes[i] = list->i[i];
	return 0;
}

/* Axes are counted in @rank; *mask gets a bit for each. */
static bool mask_of(const int64_t *axes, int n, int rank, unsigned int *mask)
{
	*mask = 0;
	for (int i = 0; i < n; i++) {
		int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];

		if (axis < 0 || axis >= rank || (*mask & 1U << axis))
			return false;
		*mask |= 1U << axis;
	}
	return true;
}

static int op_squeeze(struct mls_walk *w, const struct mls_here *here, int argument,
		      struct mls_value **value)
{
	int64_t axes[MLS_MAX_RANK], dims[MLS_MAX_RANK];
	struct mls_value *from;
	unsigned int mask;
	bool fits = true;
	int n, rank = 0, ret = mls_walk_input(w, here, 0, &from);

	(void)argument;
	if (!ret)
		ret = read_axes(w, here, axes, &n);
	if (ret)
		return ret;
	if (mls_is_row(from) && !from->flat && from->step->width == 1 && n == 1 &&
	    (axes[0] == 1 || axes[0] == -1))
		return mls_row_shape(w, here, from, true, value);
	fits = mls_is_tensor(from) && mask_of(axes, n, from->rank, &mask);
	for (int d = 0; fits && d < from->rank; d++) {
		bool goes = n < 0 ? from->dims[d] == 1 : mask >> d & 1;

		fits = !goes || from->dims[d] == 1;
		if (!goes)
			dims[rank++] = from->dims[d];
	}
	if (!fits)
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected rows [?, n] to stay such rows, found one "
				       "dimension less");
	return mls_fold_reshape(w, here, from, dims, rank, value);
}

static int op_unsqueeze(struct mls_walk *w, const struct mls_here *here, int argument,
			struct mls_value **value)
{
	int64_t axes[MLS_MAX_RANK], dims[MLS_MAX_RANK];
	struct mls_value *from;
	unsigned int mask;
	int n, rank, next = 0, ret = mls_walk_input(w, here, 0, &from);

	(void)argument;
	if (!ret)
		ret = read_axes(w, here, axes, &n);
	if (ret)
		return ret;
	if (mls_is_row(from) && from->flat && n == 1 && (axes[0] == 1 || axes[0] == -1))
		return mls_row_shape(w, here, from, false, value);
	rank = from->rank + n;
	if (!mls_is_tensor(from) || n < 1 || rank > MLS_MAX_RANK || !mask_of(axes, n, rank, &mask))
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected rows [?, n] to stay such rows, found one more "
				       "dimension");
	for (int d = 0; d < rank; d++)
		dims[d] = mask >> d & 1 ? 1 : from->dims[next++];
	/* Reshaping forgets nothing that a shape is marked with: -1 as the number of rows stays. */
	return mls_fold_reshape(w, here, from, dims, rank, value);
}

static int op_transpose(struct mls_walk *w, const struct mls_here *here, int argument,
			struct mls_value **value)
{
	const Mls__AttrValue *attr = mls_node_attr(here->node, "perm", MLS__ATTR_VALUE__VALUE_LIST);
	const Mls__AttrList *order = attr ? attr->list : NULL;
	struct mls_value *from;
	int ret = mls_walk_input(w, here, 0, &from);

	(void)argument;
	if (ret)
		return ret;
	if (order && order->n_i == 2 && order->i[0] == 0 && order->i[1] == 1) {
		*value = from;
		return 0;
	}
	/* Without an order it is the reverse one. */
	return order ? mls_op_transpose(w, here, from, order->i, order->n_i, value) :
		       mls_op_transpose(w, here, from, (const int64_t[]){ 1, 0 }, 2, value);
}

/* Shape, Gather, Unsqueeze and Concat are how PyTorch spells "as many rows as there are". */
static int op_gather(struct mls_walk *w, const struct mls_here *here, int argument,
		     struct mls_value **value)
{
	int64_t from[MLS_MAX_RANK], index[MLS_MAX_RANK];
	int n, n_index, ret = mls_op_integers(w, here, 0, from, &n);

	(void)argument;
	if (!ret)
		ret = mls_op_integers(w, here, 1, index, &n_index);
	if (ret)
		return ret;
	if (n_index != 1 || mls_node_int(here->node, "axis", 0) != 0 || index[0] < -1 ||
	    index[0] >= n)
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected one dimension of a shape, found another choice");
	return mls_make_integers(w, &from[index[0] < 0 ? n - 1 : index[0]], 1, 0, value);
}

static int op_concat(struct mls_walk *w, const struct mls_here *here, int argument,
		     struct mls_value **value)
{
	int64_t all[MLS_MAX_RANK], some[MLS_MAX_RANK];
	int total = 0;

	(void)argument;
	for (uint32_t i = 0; i < here->node->n_input; i++) {
		int n, ret = mls_op_integers(w, here, i, some, &n);

		if (ret)
			return ret;
		if (total + n > MLS_MAX_RANK || mls_node_int(here->node, "axis", 0) != 0)
			return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
					       "expected the dimensions of a shape, found "
					       "something else");
		memcpy(&all[total], some, (size_t)n * sizeof(*some));
		total += n;
	}
	return mls_make_integers(w, all, total, 1, value);
}

static const struct mls_operation operations[] = {
	{ MLS_ONNX_INITIALIZER, op_initializer, 0 },
	{ MLS_ONNX_INPUT, mls_op_placeholder, 0 },
	{ "Add", mls_op_binary, MLS_ADD },
	{ "BatchNormalization", op_batch_normalization, 0 },
	{ "Cast", op_cast, 0 },
	{ "Clip", op_clip, 0 },
	{ "Concat", op_concat, 0 },
	{ "Constant", op_constant, 0 },
	{ "Div", mls_op_binary, MLS_DIV },
	{ "Dropout", op_dropout, 0 },
	{ "Elu", op_activation, MLSCHED_ELU },
	{ "Flatten", op_flatten, 0 },
	{ "Gather", op_gather, 0 },
	{ "Gemm", op_gemm, 0 },
	{ "Greater", mls_op_greater, 0 },
	{ "Identity", mls_op_pass, 0 },
	{ "LeakyRelu", op_activation, MLSCHED_LEAKY_RELU },
	{ "MatMul", op_matmul, 0 },
	{ "Max", mls_op_variadic, MLS_MAX },
	{ "Min", mls_op_variadic, MLS_MIN },
	{ "Mul", mls_op_binary, MLS_MUL },
	{ "Neg", mls_op_unary, MLS_NEG },
	{ "PRelu", mls_op_prelu, 0 },
	{ "Reciprocal", mls_op_unary, MLS_RECIPROCAL },
	{ "Relu", op_activation, MLSCHED_RELU },
	{ "Reshape", op_reshape, 0 },
	{ "Shape", mls_op_shape, 0 },
	{ "Sigmoid", op_activation, MLSCHED_SIGMOID },
	{ "Softmax", op_softmax, MLSCHED_SOFTMAX },
	{ "Sqrt", mls_op_unary, MLS_SQRT },
	{ "Squeeze", op_squeeze, 0 },
	{ "Sub", mls_op_binary, MLS_SUB },
	{ "Sum", mls_op_variadic, MLS_ADD },
	{ "Tanh", op_activation, MLSCHED_TANH },
	{ "Transpose", op_transpose, 0 },
	{ "Unsqueeze", op_unsqueeze, 0 },
	{ "Where", mls_op_select, 0 },
};

const struct mls_dialect mls_onnx = {
	.operations = operations,
	.n_operations = ARRAY_SIZE(operations),
	.whole_lists = true,
};
