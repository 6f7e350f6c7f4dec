// SPDX-License-Identifier: GPL-2.0
/*
 * What each operation of a TensorFlow graph does to what is known about its
 * inputs.  An operation that is not in the table at the end is refused by
 * name; a new one is a function and a line there.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "src/formats/graph_eval.h"
#include "src/util/array.h"

/* ---- rows: what is computed from the input ------------------------------------ */

/* A new step behind @from; its place is the node, for messages. */
static struct mls_step *add_step(struct mls_walk *w, const struct mls_here *here,
				 enum mls_step_kind kind, const struct mls_step *from)
{
	const char *function = here->scope->body->name;
	struct mls_step *step = mls_arena_alloc(w->arena, sizeof(*step));

	if (!step)
		return NULL;
	step->kind = kind;
	step->previous = from;
	step->width = from ? from->width : 0;
	step->place = mls_arena_printf(w->arena, "%s%.100s%snode %.120s (%.60s)",
				       function ? "function " : "", function ? function : "",
				       function ? ": " : "", here->node->name, here->node->op);
	return step->place ? step : NULL;
}

static int row_of(struct mls_walk *w, const struct mls_value *from, struct mls_step *step,
		  struct mls_value **value)
{
	struct mls_value *v = mls_walk_value(w, MLS_VALUE_ROW, from->dtype);

	if (!v || !step)
		return mls_walk_memory(w);
	v->flat = from->flat;
	v->step = step;
	*value = v;
	return 0;
}

static int op_placeholder(struct mls_walk *w, const struct mls_here *here, int argument,
			  struct mls_value **value)
{
	const Mls__AttrValue *dtype =
		mls_node_attr(here->node, "dtype", MLS__ATTR_VALUE__VALUE_TYPE);
	const Mls__AttrValue *attr =
		mls_node_attr(here->node, "shape", MLS__ATTR_VALUE__VALUE_SHAPE);
	const Mls__Shape *shape = attr ? attr->shape : NULL;
	struct mls_value input = { .dtype = dtype ? dtype->type : MLS_DT_FLOAT };
	struct mls_step *step;
	char text[128];

	(void)argument;
	if (here->scope != w->main || strcmp(here->node->name, w->input_name) != 0)
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected the signature's only input %s, found a second "
				       "input",
				       w->input_name);
	if (!mls_is_float(input.dtype))
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected an input of float numbers, found %s",
				       mls_dtype_name(input.dtype));
	step = add_step(w, here, MLS_STEP_INPUT, NULL);
	if (step && shape && !shape->unknown_rank) {
		int64_t dims[MLS_MAX_RANK] = { 0 };
		int rank = shape->n_dim < MLS_MAX_RANK ? (int)shape->n_dim : MLS_MAX_RANK;

		for (int i = 0; i < rank; i++)
			dims[i] = shape->dim[i]->size;
		if (rank != 2 || dims[1] == 0 || dims[1] > MLSCHED_MAX_WIDTH)
			return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
					       "Expected shape [?, n] with n up to %d, got %s",
					       MLSCHED_MAX_WIDTH,
					       mls_shape_text(dims, rank, text, sizeof(text)));
		step->width = dims[1] > 0 ? (uint32_t)dims[1] : 0;
	}
	return row_of(w, &input, step, value);
}

/* One number for all columns, or one for each. */
static int row_vector(struct mls_walk *w, const struct mls_here *here, const struct mls_value *row,
		      const struct mls_value *tensor)
{
	bool fits = tensor->n == 1 ||
		    (!row->flat && (row->step->width == 0 || tensor->n == row->step->width));
	char text[128];

	/* All but the last dimension must be 1: each row gets the same. */
	for (int d = 0; d + 1 < tensor->rank; d++)
		fits = fits && tensor->dims[d] == 1;
	if (fits && tensor->rank <= (row->flat ? 1 : 2) && tensor->n >= 1 &&
	    tensor->n <= MLSCHED_MAX_WIDTH)
		return 0;
	return mls_walk_refuse(w, here->scope, here->node, -EINVAL,
			       "expected one number or %u of them, found shape %s",
			       row->step->width,
			       mls_shape_text(tensor->dims, tensor->rank, text, sizeof(text)));
}

static int row_binary(struct mls_walk *w, const struct mls_here *here, enum mls_step_kind kind,
		      const struct mls_value *row, const struct mls_value *tensor,
		      struct mls_value **value)
{
	struct mls_step *step;
	int ret = row_vector(w, here, row, tensor);

	if (ret)
		return ret;
	step = add_step(w, here, kind, row->step);
	if (step) {
		step->numbers = tensor->numbers;
		step->n = (uint32_t)tensor->n;
		if (tensor->n > 1)
			step->width = (uint32_t)tensor->n;
	}
	return row_of(w, row, step, value);
}

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

static int op_pass(struct mls_walk *w, const struct mls_here *here, int argument,
		   struct mls_value **value)
{
	(void)argument;
	return mls_walk_input(w, here, here->ref->index, value);
}

static bool is_row(const struct mls_value *v)
{
	return v->kind == MLS_VALUE_ROW;
}

static bool is_tensor(const struct mls_value *v)
{
	return v->kind == MLS_VALUE_TENSOR;
}

static int two_inputs(struct mls_walk *w, const struct mls_here *here, struct mls_value **a,
		      struct mls_value **b)
{
	int ret = mls_walk_input(w, here, 0, a);

	if (!ret)
		ret = mls_walk_input(w, here, 1, b);
	if (ret)
		return ret;
	if (is_row(*a) && is_row(*b))
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected weights as one input, found two inputs that are "
				       "both computed: not a chain of dense layers");
	if ((*a)->kind == MLS_VALUE_HANDLE || (*b)->kind == MLS_VALUE_HANDLE)
		return mls_walk_refuse(w, here->scope, here->node, -EINVAL,
				       "expected numbers, found a variable that is not read");
	return 0;
}

/* Integers are shapes, where -1 is no number: there is nothing to compute with them. */
static int fold_floats(struct mls_walk *w, const struct mls_here *here, enum mls_binary op,
		       const struct mls_value *a, const struct mls_value *b,
		       struct mls_value **value)
{
	if (!mls_is_float(a->dtype) || !mls_is_float(b->dtype))
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected float numbers, found %s and %s",
				       mls_dtype_name(a->dtype), mls_dtype_name(b->dtype));
	return mls_fold_binary(w, here, op, a, b, value);
}

static int op_binary(struct mls_walk *w, const struct mls_here *here, int argument,
		     struct mls_value **value)
{
	/* With the row on the left and on the right; INPUT: not possible. */
	static const enum mls_step_kind steps[][2] = {
		[MLS_ADD] = { MLS_STEP_ADD, MLS_STEP_ADD },
		[MLS_SUB] = { MLS_STEP_SUBTRACT, MLS_STEP_SUBTRACT_FROM },
		[MLS_MUL] = { MLS_STEP_MULTIPLY, MLS_STEP_MULTIPLY },
		[MLS_DIV] = { MLS_STEP_DIVIDE, MLS_STEP_INPUT },
		[MLS_MAX] = { MLS_STEP_INPUT, MLS_STEP_INPUT },
		[MLS_MIN] = { MLS_STEP_INPUT, MLS_STEP_INPUT },
	};
	struct mls_value *a, *b;
	int ret = two_inputs(w, here, &a, &b);
	enum mls_step_kind kind;

	if (ret)
		return ret;
	if (is_tensor(a) && is_tensor(b))
		return fold_floats(w, here, (enum mls_binary)argument, a, b, value);
	kind = steps[argument][is_row(b)];
	if (kind == MLS_STEP_INPUT)
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected an operation of dense layers, found one that "
				       "is none on computed values");
	return row_binary(w, here, kind, is_row(a) ? a : b, is_row(a) ? b : a, value);
}

static int op_unary(struct mls_walk *w, const struct mls_here *here, int argument,
		    struct mls_value **value)
{
	struct mls_value *a;
	int ret = mls_walk_input(w, here, 0, &a);

	if (ret)
		return ret;
	if (!is_tensor(a))
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected it on weights only, found it on a computed "
				       "value");
	return mls_fold_unary(w, here, (enum mls_unary)argument, a, value);
}

static int row_activate(struct mls_walk *w, const struct mls_here *here,
			enum mlsched_activation activation, const char *alpha_name,
			float alpha_default, const struct mls_value *row, struct mls_value **value)
{
	const Mls__AttrValue *alpha =
		mls_node_attr(here->node, alpha_name, MLS__ATTR_VALUE__VALUE_F);
	struct mls_step *step;

	if (!is_row(row))
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected an activation of computed values, found one of "
				       "weights");
	if (activation == MLSCHED_SOFTMAX && row->flat)
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "Expected shape [?, n], got [?]");
	step = add_step(w, here, MLS_STEP_ACTIVATE, row->step);
	if (step) {
		step->activation = activation;
		if (activation == MLSCHED_LEAKY_RELU)
			step->alpha = alpha ? alpha->f : alpha_default;
		if (activation == MLSCHED_ELU)
			step->alpha = 1;
	}
	return row_of(w, row, step, value);
}

static int op_activation(struct mls_walk *w, const struct mls_here *here, int argument,
			 struct mls_value **value)
{
	struct mls_value *a;
	int ret = mls_walk_input(w, here, 0, &a);

	/* 0.2: TensorFlow's default of LeakyRelu's alpha, which may be left out. */
	return ret ? ret :
		     row_activate(w, here, (enum mlsched_activation)argument, "alpha", 0.2f, a,
				  value);
}

/* x > 0: Keras makes an ELU with an alpha of its own with it, see op_select(). */
static int op_greater(struct mls_walk *w, const struct mls_here *here, int argument,
		      struct mls_value **value)
{
	struct mls_value *a, *b;
	int ret = two_inputs(w, here, &a, &b);

	(void)argument;
	if (ret)
		return ret;
	if (!is_row(a) || !is_tensor(b) || b->n != 1 || b->numbers[0] != 0)
		return mls_walk_refuse(
			w, here->scope, here->node, -ENOTSUP,
			"expected the comparison x > 0 of an ELU, found another one");
	return row_of(w, a, add_step(w, here, MLS_STEP_POSITIVE, a->step), value);
}

/* Is this where(x > 0, Elu(x), alpha * Elu(x)), with the same x and the same Elu? */
static bool is_scaled_elu(const struct mls_step *condition, const struct mls_step *elu,
			  const struct mls_step *scaled)
{
	return condition->kind == MLS_STEP_POSITIVE && elu->kind == MLS_STEP_ACTIVATE &&
	       elu->activation == MLSCHED_ELU && elu->alpha == 1 &&
	       condition->previous == elu->previous && scaled->kind == MLS_STEP_MULTIPLY &&
	       scaled->n == 1 && scaled->previous == elu;
}

static int op_select(struct mls_walk *w, const struct mls_here *here, int argument,
		     struct mls_value **value)
{
	struct mls_value *inputs[3];
	struct mls_step *step;

	(void)argument;
	for (uint32_t i = 0; i < 3; i++) {
		int ret = mls_walk_input(w, here, i, &inputs[i]);

		if (ret)
			return ret;
	}
	if (!is_row(inputs[0]) || !is_row(inputs[1]) || !is_row(inputs[2]) ||
	    !is_scaled_elu(inputs[0]->step, inputs[1]->step, inputs[2]->step))
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected x > 0 ? elu(x) : alpha * elu(x), found another "
				       "choice");
	step = add_step(w, here, MLS_STEP_ACTIVATE, inputs[1]->step->previous);
	if (step) {
		step->activation = MLSCHED_ELU;
		step->alpha = inputs[2]->step->numbers[0];
	}
	return row_of(w, inputs[1], step, value);
}

static int row_matmul(struct mls_walk *w, const struct mls_here *here, struct mls_value *row,
		      struct mls_value *weights, struct mls_value **value)
{
	struct mls_step *step;
	char text[128];
	int ret;

	if (!is_row(row) || !is_tensor(weights))
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected x W with weights on the right, found %s",
				       is_row(weights) ? "W x" : "a product of weights");
	if (mls_node_flag(here->node, "transpose_a") || row->flat)
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected rows [?, n], found them transposed");
	if (mls_node_flag(here->node, "transpose_b")) {
		ret = mls_fold_transpose(w, here, weights, &weights);
		if (ret)
			return ret;
	}
	if (weights->rank != 2 || weights->dims[0] < 1 || weights->dims[1] < 1 ||
	    weights->dims[0] > MLSCHED_MAX_WIDTH || weights->dims[1] > MLSCHED_MAX_WIDTH)
		return mls_walk_refuse(
			w, here->scope, here->node, -ENOTSUP,
			"expected weights of at most %d inputs and %d units, found shape %s",
			MLSCHED_MAX_WIDTH, MLSCHED_MAX_WIDTH,
			mls_shape_text(weights->dims, weights->rank, text, sizeof(text)));
	if (row->step->width && row->step->width != weights->dims[0])
		return mls_walk_refuse(
			w, here->scope, here->node, -EINVAL,
			"expected weights of %u inputs, found shape %s", row->step->width,
			mls_shape_text(weights->dims, weights->rank, text, sizeof(text)));
	step = add_step(w, here, MLS_STEP_MATMUL, row->step);
	if (step) {
		step->numbers = weights->numbers;
		step->n = (uint32_t)weights->n;
		step->width = (uint32_t)weights->dims[1];
	}
	return row_of(w, row, step, value);
}

static int op_matmul(struct mls_walk *w, const struct mls_here *here, int argument,
		     struct mls_value **value)
{
	struct mls_value *a, *b;
	int ret = two_inputs(w, here, &a, &b);

	(void)argument;
	return ret ? ret : row_matmul(w, here, a, b, value);
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
		if (ret)
			return ret;
		if (!is_tensor(bias))
			return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
					       "expected a constant bias, found a computed one");
		return row_binary(w, here, MLS_STEP_ADD, *value, bias, value);
	}
	for (size_t i = 0; i < ARRAY_SIZE(fused_activations); i++) {
		if (bytes_are(name, fused_activations[i].op))
			return row_activate(w, here, fused_activations[i].activation,
					    "leakyrelu_alpha", 0.2f, *value, value);
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
	struct mls_value *from, *v;
	int ret = mls_walk_input(w, here, 0, &from);

	(void)argument;
	if (ret)
		return ret;
	if (!to || from->kind == MLS_VALUE_HANDLE || !mls_is_float(to->type) || from->symbolic)
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected a cast of numbers to float numbers, found one "
				       "from %s to %s",
				       mls_dtype_name(from->dtype),
				       to ? mls_dtype_name(to->type) : "nothing");
	v = mls_walk_value(w, from->kind, to->type);
	if (!v)
		return mls_walk_memory(w);
	*v = *from;
	v->dtype = to->type;
	*value = v;
	return 0;
}

/* Small integers: shapes and axes. */
static int integers(struct mls_walk *w, const struct mls_here *here, uint32_t input, int64_t *to,
		    int *n)
{
	struct mls_value *v;
	int ret = mls_walk_input(w, here, input, &v);

	if (ret)
		return ret;
	if (!is_tensor(v) || v->n > MLS_MAX_RANK || v->rank > 1 ||
	    (v->dtype != MLS_DT_INT32 && v->dtype != MLS_DT_INT64))
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected constant integers as input %u, found something "
				       "else",
				       input);
	*n = (int)v->n;
	for (size_t i = 0; i < v->n; i++) {
		float x = v->numbers[i];

		to[i] = x < -1 ? -2 : x > MLS_MAX_ELEMENTS ? MLS_MAX_ELEMENTS + 1 : (int64_t)x;
	}
	return 0;
}

/* A row that only changes between [?, 1] and [?], or not at all. */
static int row_shape(struct mls_walk *w, const struct mls_here *here, const struct mls_value *row,
		     bool flat, struct mls_value **value)
{
	struct mls_value *v = mls_walk_value(w, MLS_VALUE_ROW, row->dtype);

	(void)here;
	if (!v)
		return mls_walk_memory(w);
	*v = *row;
	v->flat = flat;
	*value = v;
	return 0;
}

static int row_reshape(struct mls_walk *w, const struct mls_here *here, const struct mls_value *row,
		       const int64_t *dims, int rank, struct mls_value **value)
{
	uint32_t width = row->step->width;
	char text[128];

	if (rank == 1 && dims[0] == -1 && width == 1)
		return row_shape(w, here, row, true, value);
	if (rank == 2 && width && (dims[0] == -1 || dims[1] == -1) &&
	    (dims[1] == width || (dims[1] == -1 && dims[0] == -1)))
		return row_shape(w, here, row, false, value);
	return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
			       "expected rows of %u numbers to stay such rows, found a reshape "
			       "to %s",
			       width, mls_shape_text(dims, rank, text, sizeof(text)));
}

static int op_reshape(struct mls_walk *w, const struct mls_here *here, int argument,
		      struct mls_value **value)
{
	int64_t dims[MLS_MAX_RANK];
	struct mls_value *from;
	int rank, ret = mls_walk_input(w, here, 0, &from);

	(void)argument;
	if (!ret)
		ret = integers(w, here, 1, dims, &rank);
	if (ret)
		return ret;
	if (is_row(from))
		return row_reshape(w, here, from, dims, rank, value);
	return mls_fold_reshape(w, here, from, dims, rank, value);
}

static int op_expand_dims(struct mls_walk *w, const struct mls_here *here, int argument,
			  struct mls_value **value)
{
	int64_t axis[MLS_MAX_RANK], dims[MLS_MAX_RANK];
	struct mls_value *from;
	int n, ret = mls_walk_input(w, here, 0, &from);

	(void)argument;
	if (!ret)
		ret = integers(w, here, 1, axis, &n);
	if (ret)
		return ret;
	if (is_row(from) && from->flat && n == 1 && (axis[0] == 1 || axis[0] == -1))
		return row_shape(w, here, from, false, value);
	if (!is_tensor(from) || n != 1 || from->rank >= MLS_MAX_RANK || axis[0] < -1 ||
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
	if (is_row(from) && !from->flat && from->step->width == 1 && axes && axes->n_i == 1 &&
	    (axes->i[0] == 1 || axes->i[0] == -1))
		return row_shape(w, here, from, true, value);
	/* Of weights: which of several ones goes does not matter unless only some are named. */
	if (!is_tensor(from) || (axes && axes->n_i > 0))
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected rows [?, n] to stay such rows, found one "
				       "dimension less");
	for (int d = 0; d < from->rank; d++) {
		if (from->dims[d] != 1)
			dims[rank++] = from->dims[d];
	}
	return mls_fold_reshape(w, here, from, dims, rank, value);
}

/* A small list of integers; -1 stands for the number of rows, which nobody knows yet. */
static int make_integers(struct mls_walk *w, const int64_t *from, int n, int rank,
			 struct mls_value **value)
{
	struct mls_value *v = mls_walk_value(w, MLS_VALUE_TENSOR, MLS_DT_INT32);
	float *numbers = mls_arena_array(w->arena, (size_t)n, sizeof(*numbers));

	if (!v || !numbers)
		return mls_walk_memory(w);
	for (int i = 0; i < n; i++)
		numbers[i] = (float)from[i];
	v->rank = rank;
	v->dims[0] = n;
	v->n = (size_t)n;
	v->numbers = numbers;
	v->symbolic = true;
	*value = v;
	return 0;
}

/* Shape, StridedSlice and Pack are how Keras spells "as many rows as there are". */
static int op_shape(struct mls_walk *w, const struct mls_here *here, int argument,
		    struct mls_value **value)
{
	struct mls_value *from;
	int ret = mls_walk_input(w, here, 0, &from);
	int64_t dims[2] = { -1, 0 };

	(void)argument;
	if (ret)
		return ret;
	if (!is_row(from) || !from->step->width)
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected the shape of rows [?, n], found another one");
	dims[1] = from->step->width;
	return make_integers(w, dims, from->flat ? 1 : 2, 1, value);
}

static int64_t int_attr(const Mls__Node *node, const char *key)
{
	const Mls__AttrValue *value = mls_node_attr(node, key, MLS__ATTR_VALUE__VALUE_I);

	return value ? value->i : 0;
}

static int op_strided_slice(struct mls_walk *w, const struct mls_here *here, int argument,
			    struct mls_value **value)
{
	int64_t from[MLS_MAX_RANK], begin[MLS_MAX_RANK];
	int n, n_begin, ret = integers(w, here, 0, from, &n);

	(void)argument;
	if (!ret)
		ret = integers(w, here, 1, begin, &n_begin);
	if (ret)
		return ret;
	if (n_begin != 1 || begin[0] < 0 || begin[0] >= n ||
	    int_attr(here->node, "shrink_axis_mask") != 1 ||
	    int_attr(here->node, "begin_mask") != 0 || int_attr(here->node, "new_axis_mask") != 0 ||
	    int_attr(here->node, "ellipsis_mask") != 0)
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected one dimension of a shape, found another slice");
	return make_integers(w, &from[begin[0]], 1, 0, value);
}

static int op_pack(struct mls_walk *w, const struct mls_here *here, int argument,
		   struct mls_value **value)
{
	uint32_t n_inputs = mls_node_inputs(here->node);
	int64_t all[MLS_MAX_RANK], one[MLS_MAX_RANK];

	(void)argument;
	for (uint32_t i = 0; i < n_inputs && i < MLS_MAX_RANK; i++) {
		int n, ret = integers(w, here, i, one, &n);

		if (ret)
			return ret;
		if (n != 1)
			n_inputs = UINT32_MAX;
		all[i] = one[0];
	}
	if (n_inputs < 1 || n_inputs > MLS_MAX_RANK)
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected the dimensions of a shape, found something else");
	return make_integers(w, all, (int)n_inputs, 1, value);
}

static int op_transpose(struct mls_walk *w, const struct mls_here *here, int argument,
			struct mls_value **value)
{
	int64_t order[MLS_MAX_RANK];
	struct mls_value *from;
	int n, ret = mls_walk_input(w, here, 0, &from);

	(void)argument;
	if (!ret)
		ret = integers(w, here, 1, order, &n);
	if (ret)
		return ret;
	if (!is_tensor(from) || n != 2 || order[0] != 1 || order[1] != 0)
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected a matrix of weights to transpose, found "
				       "something else");
	return mls_fold_transpose(w, here, from, value);
}

static const struct mls_operation operations[] = {
	{ "Add", op_binary, MLS_ADD },
	{ "AddV2", op_binary, MLS_ADD },
	{ "BiasAdd", op_binary, MLS_ADD },
	{ "Cast", op_cast, 0 },
	{ "CheckNumerics", op_pass, 0 },
	{ "Const", op_const, 0 },
	{ "Div", op_binary, MLS_DIV },
	{ "Elu", op_activation, MLSCHED_ELU },
	{ "EnsureShape", op_pass, 0 },
	{ "ExpandDims", op_expand_dims, 0 },
	{ "Greater", op_greater, 0 },
	{ "Identity", op_pass, 0 },
	{ "IdentityN", op_pass, 0 },
	{ "LeakyRelu", op_activation, MLSCHED_LEAKY_RELU },
	{ "MatMul", op_matmul, 0 },
	{ "Maximum", op_binary, MLS_MAX },
	{ "Minimum", op_binary, MLS_MIN },
	{ "Mul", op_binary, MLS_MUL },
	{ "Neg", op_unary, MLS_NEG },
	{ "Pack", op_pack, 0 },
	{ "Placeholder", op_placeholder, 0 },
	{ "PreventGradient", op_pass, 0 },
	{ "ReadVariableOp", op_read, 0 },
	{ "RealDiv", op_binary, MLS_DIV },
	{ "Reciprocal", op_unary, MLS_RECIPROCAL },
	{ "Relu", op_activation, MLSCHED_RELU },
	{ "Relu6", op_activation, MLSCHED_RELU6 },
	{ "Reshape", op_reshape, 0 },
	{ "Rsqrt", op_unary, MLS_RSQRT },
	{ "SelectV2", op_select, 0 },
	{ "Shape", op_shape, 0 },
	{ "Sigmoid", op_activation, MLSCHED_SIGMOID },
	{ "Snapshot", op_pass, 0 },
	{ "Softmax", op_activation, MLSCHED_SOFTMAX },
	{ "Sqrt", op_unary, MLS_SQRT },
	{ "Square", op_unary, MLS_SQUARE },
	{ "Squeeze", op_squeeze, 0 },
	{ "StopGradient", op_pass, 0 },
	{ "StridedSlice", op_strided_slice, 0 },
	{ "Sub", op_binary, MLS_SUB },
	{ "Tanh", op_activation, MLSCHED_TANH },
	{ "Transpose", op_transpose, 0 },
	{ "VarHandleOp", op_handle, 0 },
	{ "Variable", op_old_variable, 0 },
	{ "VariableV2", op_old_variable, 0 },
	{ "_FusedMatMul", op_fused_matmul, 0 },
};

const struct mls_operation *mls_find_operation(const char *op)
{
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
		if (strcmp(operations[i].op, op) == 0)
			return &operations[i];
	}
	return NULL;
}
