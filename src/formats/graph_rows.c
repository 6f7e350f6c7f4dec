// SPDX-License-Identifier: GPL-2.0
/*
 * What happens to rows that are computed from the input, and the operations
 * that mean the same in every kind of graph.  Which of them there are, and how
 * they are called, is for the tables (graph_ops.c, onnx_ops.c,
 * tflite_ops.c).
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "src/formats/graph_rows.h"

/* ---- rows: what is computed from the input ------------------------------------ */

/* A new step behind @from; its place is the node, for messages. */
struct mls_step *mls_row_step(struct mls_walk *w, const struct mls_here *here,
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

int mls_row_of(struct mls_walk *w, const struct mls_value *from, struct mls_step *step,
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

int mls_op_placeholder(struct mls_walk *w, const struct mls_here *here, int argument,
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
	step = mls_row_step(w, here, MLS_STEP_INPUT, NULL);
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
		w->rows = dims[0];
	}
	return mls_row_of(w, &input, step, value);
}

/* Nothing converts by itself: a row of floats and a tensor of integers have no sum and no product. */
static int row_floats(struct mls_walk *w, const struct mls_here *here,
		      const struct mls_value *tensor)
{
	if (mls_is_float(tensor->dtype))
		return 0;
	return mls_walk_refuse(w, here->scope, here->node, -EINVAL,
			       "expected float numbers for a computed row, found %s",
			       mls_dtype_name(tensor->dtype));
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

int mls_row_binary(struct mls_walk *w, const struct mls_here *here, enum mls_step_kind kind,
		   const struct mls_value *row, const struct mls_value *tensor,
		   struct mls_value **value)
{
	struct mls_step *step;
	int ret = row_floats(w, here, tensor);

	if (!ret)
		ret = row_vector(w, here, row, tensor);
	if (ret)
		return ret;
	step = mls_row_step(w, here, kind, row->step);
	if (step) {
		step->numbers = tensor->numbers;
		step->n = (uint32_t)tensor->n;
		if (tensor->n > 1)
			step->width = (uint32_t)tensor->n;
	}
	return mls_row_of(w, row, step, value);
}

int mls_op_pass(struct mls_walk *w, const struct mls_here *here, int argument,
		struct mls_value **value)
{
	(void)argument;
	return mls_walk_input(w, here, here->ref->index, value);
}

bool mls_is_row(const struct mls_value *v)
{
	return v->kind == MLS_VALUE_ROW;
}

bool mls_is_tensor(const struct mls_value *v)
{
	return v->kind == MLS_VALUE_TENSOR;
}

int mls_op_two_inputs(struct mls_walk *w, const struct mls_here *here, struct mls_value **a,
		      struct mls_value **b)
{
	int ret = mls_walk_input(w, here, 0, a);

	if (!ret)
		ret = mls_walk_input(w, here, 1, b);
	if (ret)
		return ret;
	if (mls_is_row(*a) && mls_is_row(*b))
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected weights as one input, found two inputs that are "
				       "both computed: not a chain of dense layers");
	if ((*a)->kind == MLS_VALUE_HANDLE || (*b)->kind == MLS_VALUE_HANDLE)
		return mls_walk_refuse(w, here->scope, here->node, -EINVAL,
				       "expected numbers, found a variable that is not read");
	return 0;
}

int mls_op_optional_input(struct mls_walk *w, const struct mls_here *here, uint32_t n,
			  struct mls_value **value)
{
	*value = NULL;
	if (n >= here->node->n_input || !here->node->input[n][0])
		return 0;
	return mls_walk_input(w, here, n, value);
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

int mls_op_binary(struct mls_walk *w, const struct mls_here *here, int argument,
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
	int ret = mls_op_two_inputs(w, here, &a, &b);
	enum mls_step_kind kind;

	if (ret)
		return ret;
	if (mls_is_tensor(a) && mls_is_tensor(b))
		return fold_floats(w, here, (enum mls_binary)argument, a, b, value);
	kind = steps[argument][mls_is_row(b)];
	if (kind == MLS_STEP_INPUT)
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected an operation of dense layers, found one that "
				       "is none on computed values");
	return mls_row_binary(w, here, kind, mls_is_row(a) ? a : b, mls_is_row(a) ? b : a, value);
}

int mls_op_unary(struct mls_walk *w, const struct mls_here *here, int argument,
		 struct mls_value **value)
{
	struct mls_value *a;
	int ret = mls_walk_input(w, here, 0, &a);

	if (ret)
		return ret;
	if (!mls_is_tensor(a))
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected it on weights only, found it on a computed "
				       "value");
	return mls_fold_unary(w, here, (enum mls_unary)argument, a, value);
}

int mls_row_activate(struct mls_walk *w, const struct mls_here *here,
		     enum mlsched_activation activation, const char *alpha_name,
		     float alpha_default, const struct mls_value *row, struct mls_value **value)
{
	const Mls__AttrValue *alpha =
		alpha_name ? mls_node_attr(here->node, alpha_name, MLS__ATTR_VALUE__VALUE_F) : NULL;
	struct mls_step *step;

	if (!mls_is_row(row))
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected an activation of computed values, found one of "
				       "weights");
	if (activation == MLSCHED_SOFTMAX && row->flat)
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "Expected shape [?, n], got [?]");
	step = mls_row_step(w, here, MLS_STEP_ACTIVATE, row->step);
	if (step) {
		step->activation = activation;
		if (activation == MLSCHED_LEAKY_RELU || activation == MLSCHED_ELU)
			step->alpha = alpha ? alpha->f : alpha_default;
	}
	return mls_row_of(w, row, step, value);
}

/* x > 0: Keras makes an ELU with an alpha of its own with it, see mls_op_select(). */
int mls_op_greater(struct mls_walk *w, const struct mls_here *here, int argument,
		   struct mls_value **value)
{
	struct mls_value *a, *b;
	int ret = mls_op_two_inputs(w, here, &a, &b);

	(void)argument;
	if (ret)
		return ret;
	if (!mls_is_row(a) || !mls_is_tensor(b) || b->n != 1 || b->numbers[0] != 0)
		return mls_walk_refuse(
			w, here->scope, here->node, -ENOTSUP,
			"expected the comparison x > 0 of an ELU, found another one");
	return mls_row_of(w, a, mls_row_step(w, here, MLS_STEP_POSITIVE, a->step), value);
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

int mls_op_select(struct mls_walk *w, const struct mls_here *here, int argument,
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
	if (!mls_is_row(inputs[0]) || !mls_is_row(inputs[1]) || !mls_is_row(inputs[2]) ||
	    !is_scaled_elu(inputs[0]->step, inputs[1]->step, inputs[2]->step))
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected x > 0 ? elu(x) : alpha * elu(x), found another "
				       "choice");
	step = mls_row_step(w, here, MLS_STEP_ACTIVATE, inputs[1]->step->previous);
	if (step) {
		step->activation = MLSCHED_ELU;
		step->alpha = inputs[2]->step->numbers[0];
	}
	return mls_row_of(w, inputs[1], step, value);
}

/* A slope of its own for each column would be another activation for each. */
int mls_op_prelu(struct mls_walk *w, const struct mls_here *here, int argument,
		 struct mls_value **value)
{
	struct mls_value *row, *slope;
	int ret = mls_op_two_inputs(w, here, &row, &slope);
	bool same;

	(void)argument;
	if (ret)
		return ret;
	same = mls_is_row(row) && slope->n > 0;
	for (size_t i = 1; same && i < slope->n; i++)
		same = slope->numbers[i] == slope->numbers[0];
	if (!same)
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected one slope for all columns, found several");
	return mls_row_activate(w, here, MLSCHED_LEAKY_RELU, NULL, slope->numbers[0], row, value);
}

/* Sum, Max and Min take any number of inputs; a maximum with 0 is a ReLU. */
int mls_op_variadic(struct mls_walk *w, const struct mls_here *here, int argument,
		    struct mls_value **value)
{
	struct mls_value *a, *b;
	int ret;

	if (here->node->n_input != 2)
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected two inputs, found %zu", here->node->n_input);
	ret = mls_op_two_inputs(w, here, &a, &b);
	if (ret)
		return ret;
	if (argument == MLS_MAX && mls_is_row(a) && b->n == 1 && b->numbers[0] == 0)
		return mls_row_activate(w, here, MLSCHED_RELU, NULL, 0, a, value);
	if (argument == MLS_MAX && mls_is_row(b) && a->n == 1 && a->numbers[0] == 0)
		return mls_row_activate(w, here, MLSCHED_RELU, NULL, 0, b, value);
	return mls_op_binary(w, here, argument, value);
}

int mls_row_matmul(struct mls_walk *w, const struct mls_here *here, struct mls_value *row,
		   struct mls_value *weights, struct mls_transposed transposed,
		   struct mls_value **value)
{
	struct mls_step *step;
	char text[128];
	int ret;

	if (!mls_is_row(row) || !mls_is_tensor(weights))
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected x W with weights on the right, found %s",
				       mls_is_row(weights) ? "W x" : "a product of weights");
	ret = row_floats(w, here, weights);
	if (ret)
		return ret;
	if (transposed.row || row->flat)
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected rows [?, n], found them transposed");
	if (transposed.weights) {
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
	step = mls_row_step(w, here, MLS_STEP_MATMUL, row->step);
	if (step) {
		step->numbers = weights->numbers;
		step->n = (uint32_t)weights->n;
		step->width = (uint32_t)weights->dims[1];
	}
	return mls_row_of(w, row, step, value);
}

int mls_row_cast(struct mls_walk *w, const struct mls_here *here, int32_t to,
		 struct mls_value **value)
{
	struct mls_value *from, *v;
	int ret = mls_walk_input(w, here, 0, &from);

	if (ret)
		return ret;
	if (!mls_is_float(to) || from->kind == MLS_VALUE_HANDLE || from->symbolic)
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected a cast of numbers to float numbers, found one "
				       "from %s to %s",
				       mls_dtype_name(from->dtype),
				       to ? mls_dtype_name(to) : "nothing");
	v = mls_walk_value(w, from->kind, to);
	if (!v)
		return mls_walk_memory(w);
	*v = *from;
	v->dtype = to;
	*value = v;
	return 0;
}

int mls_op_transpose(struct mls_walk *w, const struct mls_here *here, const struct mls_value *from,
		     const int64_t *order, size_t n, struct mls_value **value)
{
	if (!mls_is_tensor(from) || n != 2 || order[0] != 1 || order[1] != 0)
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected a matrix of weights to transpose, found "
				       "something else");
	return mls_fold_transpose(w, here, from, value);
}

/* Small integers: shapes and axes. */
int mls_op_integers(struct mls_walk *w, const struct mls_here *here, uint32_t input, int64_t *to,
		    int *n)
{
	struct mls_value *v;
	int ret = mls_walk_input(w, here, input, &v);

	if (ret)
		return ret;
	if (!mls_is_tensor(v) || v->n > MLS_MAX_RANK || v->rank > 1 ||
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
int mls_row_shape(struct mls_walk *w, const struct mls_here *here, const struct mls_value *row,
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
		return mls_row_shape(w, here, row, true, value);
	/* Some tools fix the number of rows at 1; to each of them the same happens all the same. */
	if (rank == 2 && width && (dims[0] == -1 || dims[1] == -1 || dims[0] == w->rows) &&
	    (dims[1] == width || (dims[1] == -1 && (dims[0] == -1 || dims[0] == w->rows))))
		return mls_row_shape(w, here, row, false, value);
	return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
			       "expected rows of %u numbers to stay such rows, found a reshape "
			       "to %s",
			       width, mls_shape_text(dims, rank, text, sizeof(text)));
}

int mls_op_reshape(struct mls_walk *w, const struct mls_here *here, const struct mls_value *from,
		   const int64_t *dims, int rank, struct mls_value **value)
{
	return mls_is_row(from) ? row_reshape(w, here, from, dims, rank, value) :
				  mls_fold_reshape(w, here, from, dims, rank, value);
}

int mls_op_add_bias(struct mls_walk *w, const struct mls_here *here, const struct mls_value *bias,
		    struct mls_value **value)
{
	if (!mls_is_tensor(bias))
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected a constant bias, found a computed one");
	return mls_row_binary(w, here, MLS_STEP_ADD, *value, bias, value);
}

/* A small list of integers; -1 stands for the number of rows, which nobody knows yet. */
int mls_make_integers(struct mls_walk *w, const int64_t *from, int n, int rank,
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
int mls_op_shape(struct mls_walk *w, const struct mls_here *here, int argument,
		 struct mls_value **value)
{
	struct mls_value *from;
	int ret = mls_walk_input(w, here, 0, &from);
	int64_t dims[2] = { -1, 0 };

	(void)argument;
	if (ret)
		return ret;
	if (!mls_is_row(from) || !from->step->width)
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected the shape of rows [?, n], found another one");
	dims[1] = from->step->width;
	return mls_make_integers(w, dims, from->flat ? 1 : 2, 1, value);
}
