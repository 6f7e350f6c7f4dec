// SPDX-License-Identifier: GPL-2.0
/*
 * Numbers that stand in the graph itself, and arithmetic on them: the mean
 * and the variance of a normalisation are often computed from constants.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "src/formats/graph_eval.h"

/* Where the values of a Const stand: as raw bytes, or one by one in a list of its type. */
static int fill_from_list(const Mls__Tensor *t, size_t i, float *to)
{
	switch (t->dtype) {
	case MLS_DT_FLOAT:
		if (!t->n_float_val)
			break;
		*to = t->float_val[i < t->n_float_val ? i : t->n_float_val - 1];
		return 0;
	case MLS_DT_DOUBLE:
		if (!t->n_double_val)
			break;
		*to = (float)t->double_val[i < t->n_double_val ? i : t->n_double_val - 1];
		return 0;
	case MLS_DT_INT32:
		if (!t->n_int_val)
			break;
		*to = (float)t->int_val[i < t->n_int_val ? i : t->n_int_val - 1];
		return 0;
	case MLS_DT_INT64:
		if (!t->n_int64_val)
			break;
		*to = (float)t->int64_val[i < t->n_int64_val ? i : t->n_int64_val - 1];
		return 0;
	case MLS_DT_HALF:
	case MLS_DT_BFLOAT16:
		if (t->n_half_val) {
			int32_t bits = t->half_val[i < t->n_half_val ? i : t->n_half_val - 1];
			uint8_t raw[2] = { (uint8_t)bits, (uint8_t)(bits >> 8) };

			mls_to_float(t->dtype, raw, 1, to);
			return 0;
		}
		break;
	default:
		return -ENOTSUP;
	}
	*to = 0; /* no value at all: all zeros */
	return 0;
}

static size_t list_length(const Mls__Tensor *t)
{
	switch (t->dtype) {
	case MLS_DT_FLOAT:
		return t->n_float_val;
	case MLS_DT_DOUBLE:
		return t->n_double_val;
	case MLS_DT_INT64:
		return t->n_int64_val;
	case MLS_DT_INT32:
		return t->n_int_val;
	default:
		return t->n_half_val;
	}
}

static int const_shape(struct mls_walk *w, const struct mls_here *here, const Mls__Tensor *tensor,
		       struct mls_value *v)
{
	size_t rank = tensor->shape ? tensor->shape->n_dim : 0;

	if (rank > MLS_MAX_RANK)
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected at most %d dimensions, found %zu", MLS_MAX_RANK,
				       rank);
	v->rank = (int)rank;
	v->n = 1;
	for (size_t i = 0; i < rank; i++) {
		int64_t dim = tensor->shape->dim[i]->size;

		v->dims[i] = dim;
		if (dim < 0 || dim > MLS_MAX_ELEMENTS || (v->n *= (size_t)dim) > MLS_MAX_ELEMENTS)
			return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
					       "expected at most %d numbers, found dimension %zu "
					       "of %" PRId64,
					       MLS_MAX_ELEMENTS, i, dim);
	}
	return 0;
}

int mls_const_value(struct mls_walk *w, const struct mls_here *here, struct mls_value **value)
{
	const Mls__AttrValue *attr =
		mls_node_attr(here->node, "value", MLS__ATTR_VALUE__VALUE_TENSOR);
	const Mls__Tensor *t = attr ? attr->tensor : NULL;
	struct mls_value *v;
	float *numbers;
	size_t size;
	int ret;

	if (!t)
		return mls_walk_refuse(w, here->scope, here->node, -EINVAL,
				       "expected an attribute \"value\", found none");
	if (!mls_is_float(t->dtype) && t->dtype != MLS_DT_INT32 && t->dtype != MLS_DT_INT64)
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected numbers, found %s", mls_dtype_name(t->dtype));
	v = mls_walk_value(w, MLS_VALUE_TENSOR, t->dtype);
	if (!v)
		return mls_walk_memory(w);
	ret = const_shape(w, here, t, v);
	if (ret)
		return ret;
	/* A list may hold one value for all: what it unfolds to is bounded by const_shape(). */
	mls_arena_raise(w->arena, v->n * sizeof(*numbers));
	numbers = mls_arena_array(w->arena, v->n, sizeof(*numbers));
	if (!numbers)
		return mls_walk_memory(w);
	v->numbers = numbers;
	size = v->n * mls_dtype_size(t->dtype);
	if (t->content.len && t->content.len != size)
		return mls_walk_refuse(w, here->scope, here->node, -EINVAL,
				       "expected %zu bytes of numbers, found %zu", size,
				       t->content.len);
	if (w->dialect->whole_lists && list_length(t) != (t->content.len ? 0 : v->n))
		return mls_walk_refuse(w, here->scope, here->node, -EINVAL,
				       "expected %zu numbers, as bytes or as a list, found a list "
				       "of %zu and %zu bytes",
				       v->n, list_length(t), t->content.len);
	if (t->content.len)
		mls_to_float(t->dtype, t->content.data, v->n, numbers);
	for (size_t i = 0; !t->content.len && i < v->n; i++)
		fill_from_list(t, i, &numbers[i]);
	*value = v;
	return mls_check_finite(w, here, "", v);
}

int mls_check_finite(struct mls_walk *w, const struct mls_here *here, const char *what,
		     const struct mls_value *tensor)
{
	int64_t index[MLS_MAX_RANK];
	char text[128];
	size_t i = 0, rest;

	while (i < tensor->n && isfinite(tensor->numbers[i]))
		i++;
	if (i == tensor->n)
		return 0;
	rest = i;
	for (int d = tensor->rank - 1; d >= 0; d--) {
		index[d] = (int64_t)(rest % (size_t)tensor->dims[d]);
		rest /= (size_t)tensor->dims[d];
	}
	return mls_walk_refuse(w, here->scope, here->node, -EINVAL,
			       "%sexpected finite numbers, found %s at %s", what,
			       isnan(tensor->numbers[i]) ? "nan" :
			       tensor->numbers[i] > 0    ? "inf" :
							   "-inf",
			       mls_shape_text(index, tensor->rank, text, sizeof(text)));
}

static float compute(enum mls_binary op, float a, float b)
{
	switch (op) {
	case MLS_ADD:
		return a + b;
	case MLS_SUB:
		return a - b;
	case MLS_MUL:
		return a * b;
	case MLS_DIV:
		return a / b;
	case MLS_MAX:
		return a > b ? a : b;
	default:
		return a < b ? a : b;
	}
}

/* A dimension counted from the last; 1 where the tensor has none. */
static int64_t dim_from_end(const struct mls_value *v, int from_end)
{
	return from_end < v->rank ? v->dims[v->rank - 1 - from_end] : 1;
}

/* The shape of an elementwise operation by NumPy's rules, as TensorFlow has them. */
static int broadcast(struct mls_walk *w, const struct mls_here *here, const struct mls_value *a,
		     const struct mls_value *b, struct mls_value *v)
{
	v->rank = a->rank > b->rank ? a->rank : b->rank;
	v->n = 1;
	for (int d = 0; d < v->rank; d++) {
		int64_t x = dim_from_end(a, d), y = dim_from_end(b, d);
		char left[128], right[128];

		v->dims[v->rank - 1 - d] = x == 1 ? y : x;
		v->n *= (size_t)(x == 1 ? y : x);
		if ((x != y && x != 1 && y != 1) || v->n > MLS_MAX_ELEMENTS)
			return mls_walk_refuse(w, here->scope, here->node, -EINVAL,
					       "expected shapes that fit, found %s and %s",
					       mls_shape_text(a->dims, a->rank, left, sizeof(left)),
					       mls_shape_text(b->dims, b->rank, right,
							      sizeof(right)));
	}
	return 0;
}

/* Index into @v of element @i of the result. */
static size_t source_index(const struct mls_value *v, const struct mls_value *result, size_t i)
{
	size_t index = 0, stride = 1;

	for (int d = 0; d < result->rank; d++) {
		size_t size = (size_t)result->dims[result->rank - 1 - d];
		int64_t own = dim_from_end(v, d);

		if (own != 1)
			index += i % size * stride;
		stride *= (size_t)own;
		i /= size;
	}
	return index;
}

int mls_fold_binary(struct mls_walk *w, const struct mls_here *here, enum mls_binary op,
		    const struct mls_value *a, const struct mls_value *b, struct mls_value **value)
{
	struct mls_value *v = mls_walk_value(w, MLS_VALUE_TENSOR, a->dtype);
	float *numbers;
	int ret;

	if (!v)
		return mls_walk_memory(w);
	ret = broadcast(w, here, a, b, v);
	if (ret)
		return ret;
	numbers = mls_arena_array(w->arena, v->n, sizeof(*numbers));
	if (!numbers)
		return mls_walk_memory(w);
	if (!mls_walk_charge(w, v->n))
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected a small network, found too much to compute");
	for (size_t i = 0; i < v->n; i++)
		numbers[i] = compute(op, a->numbers[source_index(a, v, i)],
				     b->numbers[source_index(b, v, i)]);
	v->numbers = numbers;
	*value = v;
	return mls_check_finite(w, here, "", v);
}

int mls_fold_unary(struct mls_walk *w, const struct mls_here *here, enum mls_unary op,
		   const struct mls_value *a, struct mls_value **value)
{
	struct mls_value *v = mls_walk_value(w, MLS_VALUE_TENSOR, a->dtype);
	float *numbers = mls_arena_array(w->arena, a->n, sizeof(*numbers));

	if (!v || !numbers)
		return mls_walk_memory(w);
	*v = *a;
	v->numbers = numbers;
	for (size_t i = 0; i < a->n; i++) {
		float x = a->numbers[i];

		switch (op) {
		case MLS_SQRT:
			numbers[i] = sqrtf(x);
			break;
		case MLS_RSQRT:
			numbers[i] = 1 / sqrtf(x);
			break;
		case MLS_SQUARE:
			numbers[i] = x * x;
			break;
		case MLS_NEG:
			numbers[i] = -x;
			break;
		case MLS_RECIPROCAL:
			numbers[i] = 1 / x;
			break;
		}
	}
	*value = v;
	return mls_check_finite(w, here, "", v);
}

int mls_fold_transpose(struct mls_walk *w, const struct mls_here *here, const struct mls_value *a,
		       struct mls_value **value)
{
	struct mls_value *v = mls_walk_value(w, MLS_VALUE_TENSOR, a->dtype);
	float *numbers = mls_arena_array(w->arena, a->n, sizeof(*numbers));
	size_t rows, columns;
	char text[128];

	if (!v || !numbers)
		return mls_walk_memory(w);
	if (a->rank != 2)
		return mls_walk_refuse(w, here->scope, here->node, -ENOTSUP,
				       "expected a matrix to transpose, found %s",
				       mls_shape_text(a->dims, a->rank, text, sizeof(text)));
	rows = (size_t)a->dims[0];
	columns = (size_t)a->dims[1];
	for (size_t i = 0; i < rows; i++) {
		for (size_t j = 0; j < columns; j++)
			numbers[j * rows + i] = a->numbers[i * columns + j];
	}
	*v = *a;
	v->dims[0] = a->dims[1];
	v->dims[1] = a->dims[0];
	v->numbers = numbers;
	*value = v;
	return 0;
}

int mls_fold_reshape(struct mls_walk *w, const struct mls_here *here, const struct mls_value *a,
		     const int64_t *dims, int rank, struct mls_value **value)
{
	struct mls_value *v = mls_walk_value(w, MLS_VALUE_TENSOR, a->dtype);
	char from[128], to[128];
	int64_t known = 1;
	int open = -1;

	if (!v)
		return mls_walk_memory(w);
	*v = *a;
	v->rank = rank;
	for (int d = 0; d < rank; d++) {
		v->dims[d] = dims[d];
		if (dims[d] < 0)
			open = open == -1 ? d : -2;
		else if (known <= MLS_MAX_ELEMENTS && dims[d] <= MLS_MAX_ELEMENTS)
			known *= dims[d];
		else
			known = INT32_MAX;
	}
	if (open >= 0 && known > 0)
		known *= v->dims[open] = (int64_t)a->n / known;
	if (open == -2 || known != (int64_t)a->n)
		return mls_walk_refuse(w, here->scope, here->node, -EINVAL,
				       "expected a shape of %zu numbers, found %s for %s", a->n,
				       mls_shape_text(dims, rank, to, sizeof(to)),
				       mls_shape_text(a->dims, a->rank, from, sizeof(from)));
	*value = v;
	return 0;
}
