// SPDX-License-Identifier: GPL-2.0
/*
 * An ONNX graph as one that graph.c walks: its inputs and initializers become
 * nodes, its attributes those of TensorFlow's form; numbers stay where they
 * are.  What the operations mean is onnx_ops.c's to say.
 */
#include <errno.h>
#include <string.h>

#include "src/formats/lower.h"
#include "src/formats/onnx.h"
#include "src/util/array.h"
#include "src/util/error.h"

struct lowering {
	const char *path;
	struct mls_arena *arena;
	struct mlsched_error *err;
	const Mls__Onnx__Graph *graph;
	struct mls_lowered to;
	const Mls__Node *input;
};

static int no_memory(const struct lowering *l)
{
	return mls_no_memory(l->arena, l->path, l->err);
}

int32_t mls_onnx_dtype(int32_t onnx)
{
	/* ONNX's numbers, in their order, as TensorFlow's. */
	static const int32_t types[] = {
		[1] = MLS_DT_FLOAT,
		[2] = 4,
		[3] = 6,
		[4] = 17,
		[5] = 5,
		[6] = MLS_DT_INT32,
		[7] = MLS_DT_INT64,
		[8] = MLS_DT_STRING,
		[9] = MLS_DT_BOOL,
		[10] = MLS_DT_HALF,
		[11] = MLS_DT_DOUBLE,
		[12] = 22,
		[13] = 23,
		[14] = 8,
		[16] = MLS_DT_BFLOAT16,
	};

	return onnx >= 0 && (size_t)onnx < ARRAY_SIZE(types) ? types[onnx] : 0;
}

/* A file that it names is not opened: the file would choose what we read. */
static int check_inside(const struct lowering *l, const Mls__Onnx__Tensor *from, const char *place)
{
	const char *location = "";

	if (from->data_location != 1 && from->n_external_data == 0)
		return 0;
	for (size_t i = 0; i < from->n_external_data; i++) {
		if (strcmp(from->external_data[i]->key, "location") == 0)
			location = from->external_data[i]->value;
	}
	return mls_error(l->err, -ENOTSUP,
			 "Invalid ONNX format: %s: %.120s: expected numbers in this file, found "
			 "external data in \"%.100s\": save the model as one file",
			 l->path, place, location);
}

static int lower_tensor(struct lowering *l, const Mls__Onnx__Tensor *from, const char *place,
			Mls__Tensor **tensor)
{
	Mls__Tensor *t = mls_arena_alloc(l->arena, sizeof(*t));
	int ret = check_inside(l, from, place);

	if (ret)
		return ret;
	if (!t)
		return no_memory(l);
	mls__tensor__init(t);
	t->dtype = mls_onnx_dtype(from->data_type);
	t->shape = mls_lower_shape(l->arena, from->n_dims);
	if (!t->shape)
		return no_memory(l);
	for (size_t i = 0; i < from->n_dims; i++)
		t->shape->dim[i]->size = from->dims[i];
	t->content = from->raw_data;
	t->n_float_val = from->n_float_data;
	t->float_val = from->float_data;
	t->n_double_val = from->n_double_data;
	t->double_val = from->double_data;
	t->n_int64_val = from->n_int64_data;
	t->int64_val = from->int64_data;
	t->n_int_val = from->n_int32_data;
	t->int_val = from->int32_data;
	t->n_half_val = from->n_int32_data;
	t->half_val = from->int32_data;
	*tensor = t;
	return 0;
}

/* A list of numbers is a tensor of one dimension. */
static Mls__Tensor *list_tensor(struct lowering *l, size_t n, float *numbers)
{
	Mls__Tensor *t = mls_arena_alloc(l->arena, sizeof(*t));

	if (!t)
		return NULL;
	mls__tensor__init(t);
	t->shape = mls_lower_shape(l->arena, 1);
	if (!t->shape)
		return NULL;
	t->dtype = MLS_DT_FLOAT;
	t->shape->dim[0]->size = (int64_t)n;
	t->n_float_val = n;
	t->float_val = numbers;
	return t;
}

/* Attributes of other kinds (graphs, types) belong to no operation that we know. */
static int lower_attribute(struct lowering *l, Mls__Node *node, const Mls__Onnx__Attribute *from)
{
	static const Mls__AttrValue__ValueCase kinds[] = {
		[MLS_ONNX_FLOAT] = MLS__ATTR_VALUE__VALUE_F,
		[MLS_ONNX_INT] = MLS__ATTR_VALUE__VALUE_I,
		[MLS_ONNX_STRING] = MLS__ATTR_VALUE__VALUE_S,
		[MLS_ONNX_TENSOR] = MLS__ATTR_VALUE__VALUE_TENSOR,
		[MLS_ONNX_FLOATS] = MLS__ATTR_VALUE__VALUE_TENSOR,
		[MLS_ONNX_INTS] = MLS__ATTR_VALUE__VALUE_LIST,
	};
	Mls__AttrValue__ValueCase kind = MLS__ATTR_VALUE__VALUE__NOT_SET;
	Mls__AttrValue *value;

	if (from->type > 0 && (size_t)from->type < ARRAY_SIZE(kinds))
		kind = kinds[from->type];
	if (from->type == MLS_ONNX_TENSOR && !from->t)
		kind = MLS__ATTR_VALUE__VALUE__NOT_SET;
	value = mls_lower_attr(l->arena, node, from->name, kind);
	if (!value)
		return no_memory(l);
	switch (kind == MLS__ATTR_VALUE__VALUE__NOT_SET ? 0 : from->type) {
	case MLS_ONNX_FLOAT:
		value->f = from->f;
		break;
	case MLS_ONNX_INT:
		value->i = from->i;
		break;
	case MLS_ONNX_STRING:
		value->s = from->s;
		break;
	case MLS_ONNX_TENSOR:
		value->tensor = NULL;
		return lower_tensor(l, from->t, node->name, &value->tensor);
	case MLS_ONNX_FLOATS:
		value->tensor = list_tensor(l, from->n_floats, from->floats);
		return value->tensor ? 0 : no_memory(l);
	case MLS_ONNX_INTS:
		value->list = mls_lower_integers(l->arena, from->n_ints, from->ints);
		return value->list ? 0 : no_memory(l);
	default:
		break;
	}
	return 0;
}

/* Our own operators by their names, others with the domain in front: nothing here knows them. */
static char *operation_name(struct lowering *l, const Mls__Onnx__Node *from)
{
	if (!from->domain[0] || strcmp(from->domain, "ai.onnx") == 0)
		return from->op_type;
	return mls_arena_printf(l->arena, "%.60s.%.60s", from->domain, from->op_type);
}

static int lower_node(struct lowering *l, const Mls__Onnx__Node *from)
{
	const char *name = from->name[0] ? from->name : from->n_output ? from->output[0] : "";
	const char *op = operation_name(l, from);
	Mls__Node *node = op ? mls_lower_node(&l->to, name, op, from->n_attribute) : NULL;
	int ret = 0;

	if (!node)
		return no_memory(l);
	if (!from->op_type[0] || strchr(op, ' '))
		return mls_error(l->err, -EINVAL,
				 "Invalid ONNX format: %s: node %.120s: expected an operation, "
				 "found \"%.60s\"",
				 l->path, name, op);
	for (size_t i = 0; i < from->n_input; i++) {
		/* In the form of graphs that this becomes, such an input would be something else. */
		if (from->input[i][0] == '^')
			return mls_error(l->err, -ENOTSUP,
					 "Invalid ONNX format: %s: node %.120s (%.60s): expected "
					 "the name of a tensor, found \"%.100s\"",
					 l->path, name, op, from->input[i]);
	}
	node->n_input = from->n_input;
	node->input = from->input;
	for (size_t i = 0; i < from->n_output; i++) {
		if (from->output[i][0])
			mls_lower_output(&l->to, from->output[i], (uint32_t)i);
	}
	for (size_t i = 0; !ret && i < from->n_attribute; i++)
		ret = lower_attribute(l, node, from->attribute[i]);
	return ret;
}

static int lower_initializer(struct lowering *l, const Mls__Onnx__Tensor *from)
{
	Mls__Node *node = mls_lower_node(&l->to, from->name, MLS_ONNX_INITIALIZER, 1);
	Mls__AttrValue *value;

	if (!node)
		return no_memory(l);
	mls_lower_output(&l->to, from->name, 0);
	value = mls_lower_attr(l->arena, node, "value", MLS__ATTR_VALUE__VALUE_TENSOR);
	return value ? lower_tensor(l, from, from->name, &value->tensor) : no_memory(l);
}

/* An input as TensorFlow's Placeholder. */
static int lower_input(struct lowering *l, const Mls__Onnx__ValueInfo *from)
{
	const Mls__Onnx__TensorType *type = from->type ? from->type->tensor_type : NULL;
	Mls__Node *node = mls_lower_node(&l->to, from->name, MLS_ONNX_INPUT, 2);
	Mls__AttrValue *value;

	if (!node)
		return no_memory(l);
	if (!type)
		return mls_error(l->err, -ENOTSUP,
				 "Invalid ONNX format: %s: input %.100s: expected a tensor, found "
				 "another type",
				 l->path, from->name);
	mls_lower_output(&l->to, from->name, 0);
	l->input = node;
	value = mls_lower_attr(l->arena, node, "dtype", MLS__ATTR_VALUE__VALUE_TYPE);
	if (!value)
		return no_memory(l);
	value->type = mls_onnx_dtype(type->elem_type);
	if (!type->shape)
		return 0;
	value = mls_lower_attr(l->arena, node, "shape", MLS__ATTR_VALUE__VALUE_SHAPE);
	if (!value)
		return no_memory(l);
	value->shape = mls_lower_shape(l->arena, type->shape->n_dim);
	if (!value->shape)
		return no_memory(l);
	for (size_t i = 0; i < type->shape->n_dim; i++) {
		const Mls__Onnx__Dim *dim = type->shape->dim[i];

		if (dim->value_case == MLS__ONNX__DIM__VALUE_DIM_VALUE)
			value->shape->dim[i]->size = dim->dim_value;
	}
	return 0;
}

static int twice(const struct lowering *l, const char *duplicate)
{
	if (!duplicate)
		return no_memory(l);
	return mls_error(l->err, -EINVAL,
			 "Invalid ONNX format: %s: expected tensors with different names, found "
			 "two named \"%.150s\"",
			 l->path, duplicate);
}

/* Those that are not given by an initializer, as all were before IR version 4. */
static int lower_inputs(struct lowering *l)
{
	struct mls_named *names = mls_arena_array(l->arena, l->to.n_names, sizeof(*names));
	const char *duplicate;
	struct mls_body *given;
	uint32_t n = 0, index;
	int ret = 0;

	if (!names)
		return no_memory(l);
	memcpy(names, l->to.names, l->to.n_names * sizeof(*names));
	given = mls_body_of_tensors(l->arena, l->to.nodes, l->to.n_nodes, names, l->to.n_names,
				    &duplicate);
	if (!given)
		return twice(l, duplicate);
	for (size_t i = 0; !ret && i < l->graph->n_input; i++) {
		const Mls__Onnx__ValueInfo *from = l->graph->input[i];

		if (mls_body_find(given, from->name, strlen(from->name), &index))
			continue;
		if (n++ == 0)
			ret = lower_input(l, from);
	}
	if (ret || n == 1)
		return ret;
	return mls_error(l->err, -ENOTSUP,
			 "Invalid ONNX format: %s: graph: expected one input, found %u", l->path,
			 n);
}

/* Its initializers, then its inputs, then its nodes. */
static int lower_graph(struct lowering *l)
{
	const Mls__Onnx__Graph *graph = l->graph;
	size_t n_names = graph->n_initializer + 1;
	int ret = 0;

	for (size_t i = 0; i < graph->n_node; i++)
		n_names += graph->node[i]->n_output;
	l->to.names = mls_arena_array(l->arena, n_names, sizeof(*l->to.names));
	l->to.nodes = mls_arena_array(l->arena, graph->n_initializer + 1 + graph->n_node,
				      sizeof(*l->to.nodes));
	if (!l->to.names || !l->to.nodes)
		return no_memory(l);
	if (graph->n_sparse_initializer)
		return mls_error(l->err, -ENOTSUP,
				 "Invalid ONNX format: %s: initializer %.100s: expected dense "
				 "numbers, found sparse ones",
				 l->path,
				 graph->sparse_initializer[0]->values ?
					 graph->sparse_initializer[0]->values->name :
					 "");
	for (size_t i = 0; !ret && i < graph->n_initializer; i++)
		ret = lower_initializer(l, graph->initializer[i]);
	if (!ret)
		ret = lower_inputs(l);
	for (size_t i = 0; !ret && i < graph->n_node; i++)
		ret = lower_node(l, graph->node[i]);
	return ret;
}

/* Also of nodes that the output does not need: a file that is damaged is not trusted in part. */
static int check_names(const struct lowering *l, const struct mls_body *body)
{
	uint32_t index;

	for (uint32_t i = 0; i < l->to.n_nodes; i++) {
		const Mls__Node *node = l->to.nodes[i];

		for (size_t n = 0; n < node->n_input; n++) {
			const char *name = node->input[n];

			if (name[0] && !mls_body_find(body, name, strlen(name), &index))
				return mls_error(l->err, -EINVAL,
						 "Invalid ONNX format: %s: node %.120s (%.60s): "
						 "expected an initializer, an input or an output "
						 "of a node for its input \"%.100s\", found none",
						 l->path, node->name, node->op, name);
		}
	}
	return 0;
}

int mls_onnx_walk(const Mls__Onnx__Graph *graph, int64_t opset, const char *path,
		  struct mls_arena *arena, struct mlsched_error *err, const struct mls_step **last)
{
	struct lowering l = {
		.path = path,
		.arena = arena,
		.err = err,
		.graph = graph,
		.to.arena = arena,
	};
	struct mls_walk w = {
		.dialect = &mls_onnx,
		.opset = opset,
		.rows = -1,
		.path = path,
		.arena = arena,
		.err = err,
	};
	const char *duplicate, *output;
	struct mls_value *value;
	struct mls_body *body;
	int ret = lower_graph(&l);

	if (ret)
		return ret;
	body = mls_body_of_tensors(arena, l.to.nodes, l.to.n_nodes, l.to.names, l.to.n_names,
				   &duplicate);
	if (!body)
		return twice(&l, duplicate);
	ret = check_names(&l, body);
	if (ret)
		return ret;
	if (graph->n_output != 1)
		return mls_error(err, -ENOTSUP,
				 "Invalid ONNX format: %s: graph: expected one output, found %zu",
				 path, graph->n_output);
	w.input_name = l.input->name;
	output = graph->output[0]->name;
	ret = mls_walk_begin(&w, body);
	if (!ret)
		ret = mls_walk_eval(&w, w.main, output, &value);
	if (ret)
		return ret;
	if (value->kind != MLS_VALUE_ROW)
		return mls_error(err, -ENOTSUP,
				 "Invalid ONNX format: %s: graph: expected output %.100s to be "
				 "computed from the input, found one that is not",
				 path, output);
	*last = value->step;
	return 0;
}
