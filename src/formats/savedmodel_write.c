// SPDX-License-Identifier: GPL-2.0
/*
 * Writing a TensorFlow SavedModel: the smallest one that every TensorFlow from
 * 2.12 on loads, runs, re-saves and converts.
 *
 * It is a graph in the style of the first TensorFlow (variables, a saver that
 * restores them, a collection that lists them) without functions and without
 * an object graph: tf.saved_model.load() makes an object with variables and
 * signatures of it.  replace.c puts it in its place.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mlsched/model.h>

#include "src/formats/checkpoint_write.h"
#include "src/formats/metadata.h"
#include "src/formats/pb.h"
#include "src/formats/replace.h"
#include "src/util/error.h"

/* GraphDef.versions.producer of TensorFlow 2.12: old enough for all readers that we know. */
#define GRAPH_PRODUCER 1087

#define INPUT_NODE "serving_default_features"

#define MAX_NODES  160
#define MAX_INPUTS (MLS_MAX_TENSORS + 3)
#define MAX_ATTRS  3

/* A graph that grows; whether memory ran out, the arena knows. */
struct builder {
	struct mls_arena *arena;
	bool frozen;
	Mls__Node *nodes[MAX_NODES];
	size_t n_nodes;
	struct mls_tensor variables[MLS_MAX_TENSORS];
	uint32_t n_variables;
};

/* A node, or NULL when memory ran out: all functions below take NULL. */
static Mls__Node *add_node(struct builder *b, const char *name, const char *op)
{
	Mls__Node *node = mls_arena_array(b->arena, 1, sizeof(*node));

	if (!node)
		return NULL;
	mls__node__init(node);
	node->name = mls_arena_printf(b->arena, "%s", name);
	node->op = mls_arena_printf(b->arena, "%s", op);
	node->input = mls_arena_array(b->arena, MAX_INPUTS, sizeof(*node->input));
	node->attr = mls_arena_array(b->arena, MAX_ATTRS, sizeof(*node->attr));
	if (mls_arena_exhausted(b->arena))
		return NULL;
	b->nodes[b->n_nodes++] = node;
	return node;
}

static void add_input(struct builder *b, Mls__Node *node, const char *prefix, const char *name)
{
	char *input = mls_arena_printf(b->arena, "%s%s", prefix, name);

	if (node && input)
		node->input[node->n_input++] = input;
}

/* A new attribute; keys are to be added in ascending order, as TensorFlow writes maps. */
static Mls__AttrValue *add_attr(struct builder *b, Mls__Node *node, const char *key,
				Mls__AttrValue__ValueCase kind)
{
	Mls__Attr *attr = mls_arena_array(b->arena, 1, sizeof(*attr));
	Mls__AttrValue *value = mls_arena_array(b->arena, 1, sizeof(*value));

	if (!attr || !value || !node)
		return NULL;
	mls__attr__init(attr);
	mls__attr_value__init(value);
	attr->key = mls_arena_printf(b->arena, "%s", key);
	attr->value = value;
	value->value_case = kind;
	if (!attr->key)
		return NULL;
	node->attr[node->n_attr++] = attr;
	return value;
}

static void add_type(struct builder *b, Mls__Node *node, const char *key, int32_t type)
{
	Mls__AttrValue *value = add_attr(b, node, key, MLS__ATTR_VALUE__VALUE_TYPE);

	if (value)
		value->type = type;
}

static Mls__Shape *make_shape(struct builder *b, uint32_t rank, int64_t rows, int64_t columns)
{
	const int64_t sizes[2] = { rows, columns };
	Mls__Shape *shape = mls_arena_array(b->arena, 1, sizeof(*shape));

	if (!shape)
		return NULL;
	mls__shape__init(shape);
	shape->dim = mls_arena_array(b->arena, rank, sizeof(*shape->dim));
	for (uint32_t i = 0; shape->dim && i < rank; i++) {
		Mls__Dim *dim = mls_arena_array(b->arena, 1, sizeof(*dim));

		if (!dim)
			return NULL;
		mls__dim__init(dim);
		dim->size = sizes[i];
		shape->dim[shape->n_dim++] = dim;
	}
	return shape->dim ? shape : NULL;
}

static void add_shape(struct builder *b, Mls__Node *node, uint32_t rank, int64_t rows,
		      int64_t columns)
{
	Mls__AttrValue *value = add_attr(b, node, "shape", MLS__ATTR_VALUE__VALUE_SHAPE);
	Mls__Shape *shape = make_shape(b, rank, rows, columns);

	if (value && shape)
		value->shape = shape;
	else if (value)
		value->value_case = MLS__ATTR_VALUE__VALUE__NOT_SET;
}

static Mls__Tensor *add_tensor(struct builder *b, Mls__Node *node, int32_t dtype, uint32_t rank,
			       int64_t rows, int64_t columns)
{
	Mls__AttrValue *value;
	Mls__Tensor *tensor = mls_arena_array(b->arena, 1, sizeof(*tensor));

	add_type(b, node, "dtype", dtype);
	value = add_attr(b, node, "value", MLS__ATTR_VALUE__VALUE_TENSOR);
	if (!tensor || !value)
		return NULL;
	mls__tensor__init(tensor);
	tensor->dtype = dtype;
	tensor->shape = make_shape(b, rank, rows, columns);
	value->tensor = tensor;
	return tensor;
}

static void add_float_const(struct builder *b, const char *name, const struct mls_tensor *from)
{
	size_t n = from->rank == 1 ? from->dims[0] : (size_t)from->dims[0] * from->dims[1];
	Mls__Node *node = add_node(b, name, "Const");
	Mls__Tensor *tensor =
		add_tensor(b, node, MLS_DT_FLOAT, from->rank, from->dims[0], from->dims[1]);
	uint8_t *bytes = mls_arena_array(b->arena, n, sizeof(float));

	if (!tensor || !bytes)
		return;
	mls_from_float(from->numbers, n, bytes);
	tensor->content.data = bytes;
	tensor->content.len = n * sizeof(float);
}

/* The node that gives a weight's value: a constant, or a variable that is read. */
static char *add_weight(struct builder *b, const char *layer, const char *what,
			const struct mls_tensor *from)
{
	char *name = mls_arena_printf(b->arena, "%s/%s", layer, what), *read;
	Mls__AttrValue *shared;
	Mls__Node *node;

	if (!name)
		return NULL;
	if (b->frozen) {
		add_float_const(b, name, from);
		return name;
	}
	read = mls_arena_printf(b->arena, "%s/Read", name);
	node = add_node(b, name, "VarHandleOp");
	add_type(b, node, "dtype", MLS_DT_FLOAT);
	add_shape(b, node, from->rank, from->dims[0], from->dims[1]);
	shared = add_attr(b, node, "shared_name", MLS__ATTR_VALUE__VALUE_S);
	if (shared)
		shared->s = (ProtobufCBinaryData){ strlen(name), (uint8_t *)name };
	node = add_node(b, read ? read : "", "ReadVariableOp");
	add_input(b, node, "", name);
	add_type(b, node, "dtype", MLS_DT_FLOAT);
	b->variables[b->n_variables] = *from;
	b->variables[b->n_variables++].key = name;
	return read;
}

/* One operation of a row; returns its name. */
static char *add_operation(struct builder *b, const char *layer, const char *what, const char *op,
			   const char *left, const char *right)
{
	char *name = mls_arena_printf(b->arena, "%s/%s", layer, what);
	Mls__Node *node = add_node(b, name ? name : "", op);

	add_input(b, node, "", left ? left : "");
	if (right)
		add_input(b, node, "", right);
	add_type(b, node, "T", MLS_DT_FLOAT);
	return name;
}

/*
 * TensorFlow's Elu has no scale: where(sum > 0, Elu(sum), alpha * Elu(sum)), as Keras writes it.
 */
static char *add_scaled_elu(struct builder *b, const char *layer, const float *alpha,
			    const char *sum)
{
	static const float zero;
	struct mls_tensor constant = { .rank = 1, .dims = { 1 } };
	char *zero_name = mls_arena_printf(b->arena, "%s/zero", layer),
	     *alpha_name = mls_arena_printf(b->arena, "%s/alpha", layer);
	char *elu = add_operation(b, layer, "Elu", "Elu", sum, NULL), *positive, *scaled, *name;
	Mls__Node *node;

	constant.numbers = &zero;
	add_float_const(b, zero_name ? zero_name : "", &constant);
	positive = add_operation(b, layer, "Greater", "Greater", sum, zero_name);
	constant.numbers = alpha;
	add_float_const(b, alpha_name ? alpha_name : "", &constant);
	scaled = add_operation(b, layer, "mul", "Mul", alpha_name, elu);
	name = mls_arena_printf(b->arena, "%s/SelectV2", layer);
	node = add_node(b, name ? name : "", "SelectV2");
	add_input(b, node, "", positive ? positive : "");
	add_input(b, node, "", elu ? elu : "");
	add_input(b, node, "", scaled ? scaled : "");
	add_type(b, node, "T", MLS_DT_FLOAT);
	return name;
}

static char *add_activation(struct builder *b, const char *layer, const struct mlsched_layer *from,
			    char *row)
{
	static const char *const ops[MLSCHED_ACTIVATION_COUNT] = {
		[MLSCHED_RELU] = "Relu",
		[MLSCHED_RELU6] = "Relu6",
		[MLSCHED_LEAKY_RELU] = "LeakyRelu",
		[MLSCHED_ELU] = "Elu",
		[MLSCHED_SIGMOID] = "Sigmoid",
		[MLSCHED_TANH] = "Tanh",
		[MLSCHED_SOFTMAX] = "Softmax",
	};
	const char *op = ops[from->activation];
	Mls__AttrValue *alpha;

	if (!op)
		return row;
	if (from->activation == MLSCHED_ELU && from->alpha != 1)
		return add_scaled_elu(b, layer, &from->alpha, row);
	row = add_operation(b, layer, op, op, row, NULL);
	if (from->activation != MLSCHED_LEAKY_RELU || mls_arena_exhausted(b->arena))
		return row;
	alpha = add_attr(b, b->nodes[b->n_nodes - 1], "alpha", MLS__ATTR_VALUE__VALUE_F);
	if (alpha)
		alpha->f = from->alpha;
	return row;
}

static char *add_normalization(struct builder *b, const struct mlsched_model *model, char *row)
{
	struct mls_tensor mean = { .rank = 2, .dims = { 1, mlsched_model_inputs(model) } };
	struct mls_tensor deviation = mean;

	mlsched_model_normalization(model, &mean.numbers, &deviation.numbers);
	if (!mean.numbers)
		return row;
	add_float_const(b, "normalization/mean", &mean);
	row = add_operation(b, "normalization", "sub", "Sub", row, "normalization/mean");
	add_float_const(b, "normalization/deviation", &deviation);
	return add_operation(b, "normalization", "truediv", "RealDiv", row,
			     "normalization/deviation");
}

/* Placeholder, layers; returns the name of the output. */
static char *add_network(struct builder *b, const struct mlsched_model *model)
{
	Mls__Node *input = add_node(b, INPUT_NODE, "Placeholder");
	char *row = mls_arena_printf(b->arena, INPUT_NODE);
	struct mlsched_layer layer;

	add_type(b, input, "dtype", MLS_DT_FLOAT);
	add_shape(b, input, 2, -1, mlsched_model_inputs(model));
	row = add_normalization(b, model, row);
	for (uint32_t i = 0; mlsched_model_layer(model, i, &layer) == 0; i++) {
		char name[sizeof("dense_4294967295")] = "dense";
		struct mls_tensor kernel = {
			.rank = 2,
			.dims = { layer.n_in, layer.n_out },
			.numbers = layer.weights,
		};
		struct mls_tensor bias = {
			.rank = 1,
			.dims = { layer.n_out },
			.numbers = layer.bias,
		};
		const char *w, *v = NULL;

		if (i > 0)
			snprintf(name, sizeof(name), "dense_%u", i);
		w = add_weight(b, name, "kernel", &kernel);
		if (layer.bias)
			v = add_weight(b, name, "bias", &bias);
		row = add_operation(b, name, "MatMul", "MatMul", row, w ? w : "");
		if (layer.bias)
			row = add_operation(b, name, "BiasAdd", "BiasAdd", row, v ? v : "");
		row = add_activation(b, name, &layer, row);
	}
	return row;
}

/* A constant list of strings: the variables' names, or as many empty ones. */
static void add_strings(struct builder *b, const char *name, bool names)
{
	Mls__Node *node = add_node(b, name, "Const");
	Mls__Tensor *tensor = add_tensor(b, node, MLS_DT_STRING, 1, b->n_variables, 0);
	ProtobufCBinaryData *strings = mls_arena_array(b->arena, b->n_variables, sizeof(*strings));

	if (!tensor || !strings)
		return;
	for (uint32_t i = 0; names && i < b->n_variables; i++) {
		strings[i].data = (uint8_t *)b->variables[i].key;
		strings[i].len = strlen(b->variables[i].key);
	}
	tensor->string_val = strings;
	tensor->n_string_val = b->n_variables;
}

/* Inputs and types that RestoreV2 and SaveV2 have in common. */
static Mls__Node *add_bundle_op(struct builder *b, const char *name, const char *op)
{
	Mls__Node *node = add_node(b, name, op);
	Mls__AttrValue *value = add_attr(b, node, "dtypes", MLS__ATTR_VALUE__VALUE_LIST);
	Mls__AttrList *list = mls_arena_array(b->arena, 1, sizeof(*list));
	int32_t *types = mls_arena_array(b->arena, b->n_variables, sizeof(*types));

	add_input(b, node, "", "save/filename");
	add_input(b, node, "", "save/tensor_names");
	add_input(b, node, "", "save/slices");
	if (!value || !list || !types)
		return NULL;
	mls__attr_list__init(list);
	for (uint32_t i = 0; i < b->n_variables; i++)
		types[i] = MLS_DT_FLOAT;
	list->type = types;
	list->n_type = b->n_variables;
	value->list = list;
	return node;
}

static void add_saver_nodes(struct builder *b)
{
	Mls__Node *node = add_node(b, "save/filename", "Placeholder");

	add_type(b, node, "dtype", MLS_DT_STRING);
	add_shape(b, node, 0, 0, 0);
	add_strings(b, "save/tensor_names", true);
	add_strings(b, "save/slices", false);
	add_bundle_op(b, "save/RestoreV2", "RestoreV2");
	for (uint32_t i = 0; i < b->n_variables; i++) {
		char name[32], output[32] = "";

		snprintf(name, sizeof(name), "save/Assign_%u", i);
		if (i > 0)
			snprintf(output, sizeof(output), ":%u", i);
		node = add_node(b, name, "AssignVariableOp");
		add_input(b, node, "", b->variables[i].key);
		add_input(b, node, "save/RestoreV2", output);
		add_type(b, node, "dtype", MLS_DT_FLOAT);
	}
	node = add_node(b, "save/restore_all", "NoOp");
	for (uint32_t i = 0; i < b->n_variables; i++) {
		char name[32];

		snprintf(name, sizeof(name), "save/Assign_%u", i);
		add_input(b, node, "^", name);
	}
	node = add_bundle_op(b, "save/SaveV2", "SaveV2");
	for (uint32_t i = 0; i < b->n_variables; i++) {
		char *read = mls_arena_printf(b->arena, "%s/Read", b->variables[i].key);

		add_input(b, node, "", read ? read : "");
	}
	node = add_node(b, "save/done", "Identity");
	add_input(b, node, "", "save/filename");
	add_input(b, node, "^", "save/SaveV2");
	add_type(b, node, "T", MLS_DT_STRING);
}

static ProtobufCBinaryData pack(struct builder *b, const ProtobufCMessage *message)
{
	ProtobufCBinaryData bytes = { .len = protobuf_c_message_get_packed_size(message) };

	bytes.data = mls_arena_array(b->arena, bytes.len, 1);
	if (bytes.data)
		protobuf_c_message_pack(message, bytes.data);
	return bytes;
}

/* What tf.saved_model.load() makes tf.Variable objects from. */
static void fill_variable_list(struct builder *b, Mls__BytesList *list)
{
	list->value = mls_arena_array(b->arena, b->n_variables, sizeof(*list->value));
	for (uint32_t i = 0; list->value && i < b->n_variables; i++) {
		Mls__VariableDef variable = MLS__VARIABLE_DEF__INIT;

		variable.variable_name = mls_arena_printf(b->arena, "%s:0", b->variables[i].key);
		variable.initializer_name = mls_arena_printf(b->arena, "save/Assign_%u", i);
		variable.snapshot_name =
			mls_arena_printf(b->arena, "%s/Read:0", b->variables[i].key);
		variable.is_resource = 1;
		variable.trainable = 1;
		if (mls_arena_exhausted(b->arena))
			return;
		list->value[list->n_value++] = pack(b, &variable.base);
	}
}

/* Everything around the nodes, packed. */
static ProtobufCBinaryData pack_model(struct builder *b, const struct mlsched_model *model,
				      const char *output)
{
	Mls__BytesList list = MLS__BYTES_LIST__INIT;
	Mls__Collection collection = MLS__COLLECTION__INIT;
	Mls__CollectionEntry entries[2] = { MLS__COLLECTION_ENTRY__INIT,
					    MLS__COLLECTION_ENTRY__INIT };
	Mls__CollectionEntry *entry_pointers[2] = { &entries[0], &entries[1] };
	Mls__Saver saver = MLS__SAVER__INIT;
	Mls__TensorInfo in = MLS__TENSOR_INFO__INIT, out = MLS__TENSOR_INFO__INIT;
	Mls__TensorInfoEntry in_entry = MLS__TENSOR_INFO_ENTRY__INIT;
	Mls__TensorInfoEntry out_entry = MLS__TENSOR_INFO_ENTRY__INIT;
	Mls__TensorInfoEntry *in_pointer = &in_entry, *out_pointer = &out_entry;
	Mls__Signature signature = MLS__SIGNATURE__INIT;
	Mls__SignatureEntry signature_entry = MLS__SIGNATURE_ENTRY__INIT;
	Mls__SignatureEntry *signature_pointer = &signature_entry;
	Mls__MetaInfo info = MLS__META_INFO__INIT;
	Mls__Version version = MLS__VERSION__INIT;
	Mls__Graph graph = MLS__GRAPH__INIT;
	Mls__MetaGraph meta = MLS__META_GRAPH__INIT;
	Mls__MetaGraph *meta_pointer = &meta;
	Mls__SavedModel saved = MLS__SAVED_MODEL__INIT;
	char *tag = "serve";

	info.n_tags = 1;
	info.tags = &tag;
	version.producer = GRAPH_PRODUCER;
	graph.n_node = b->n_nodes;
	graph.node = b->nodes;
	graph.versions = &version;
	in.name = INPUT_NODE ":0";
	in.dtype = MLS_DT_FLOAT;
	in.shape = make_shape(b, 2, -1, mlsched_model_inputs(model));
	out.name = mls_arena_printf(b->arena, "%s:0", output ? output : "");
	out.dtype = MLS_DT_FLOAT;
	out.shape = make_shape(b, 2, -1, mlsched_model_outputs(model));
	in_entry.key = "features";
	in_entry.value = &in;
	out_entry.key = mlsched_model_outputs(model) == 1 ? "migrate" : "outputs";
	out_entry.value = &out;
	signature.n_inputs = signature.n_outputs = 1;
	signature.inputs = &in_pointer;
	signature.outputs = &out_pointer;
	signature.method_name = "tensorflow/serving/predict";
	signature_entry.key = "serving_default";
	signature_entry.value = &signature;
	meta.meta_info = &info;
	meta.graph = &graph;
	meta.n_signature = 1;
	meta.signature = &signature_pointer;
	if (!b->frozen) {
		saver.filename_tensor_name = "save/filename:0";
		saver.save_tensor_name = "save/done:0";
		saver.restore_op_name = "save/restore_all";
		saver.version = 2;
		fill_variable_list(b, &list);
		collection.bytes_list = &list;
		entries[0].key = "variables";
		entries[1].key = "trainable_variables";
		entries[0].value = entries[1].value = &collection;
		meta.saver = &saver;
		meta.n_collection = 2;
		meta.collection = entry_pointers;
	}
	saved.schema_version = 1;
	saved.n_meta_graphs = 1;
	saved.meta_graphs = &meta_pointer;
	if (mls_arena_exhausted(b->arena))
		return (ProtobufCBinaryData){ 0 };
	return pack(b, &saved.base);
}

/* The contents of all files; those that there are none of have no data. */
struct contents {
	struct mls_blob graph, index, data, metadata;
};

static int make_contents(struct mls_arena *arena, const struct mlsched_model *model, bool frozen,
			 struct contents *c)
{
	struct builder *b = mls_arena_alloc(arena, sizeof(*b));
	ProtobufCBinaryData packed;
	const char *output;

	if (!b)
		return -ENOMEM;
	b->arena = arena;
	b->frozen = frozen;
	output = add_network(b, model);
	if (!mls_arena_exhausted(b->arena) && !frozen)
		add_saver_nodes(b);
	packed = pack_model(b, model, output);
	if (mls_arena_exhausted(b->arena))
		return -ENOMEM;
	c->graph.data = packed.data;
	c->graph.size = packed.len;
	if (frozen)
		return 0;
	return mls_checkpoint_bytes(arena, b->variables, b->n_variables, &c->index, &c->data);
}

static int write_contents(const char *path, const struct contents *c, struct mlsched_error *err)
{
	const struct mls_new_file files[] = {
		{ NULL, "saved_model.pb", &c->graph },
		{ "assets", "mlsched.json", &c->metadata },
		{ "variables", "variables.index", &c->index },
		{ "variables", "variables.data-00000-of-00001", &c->data },
	};

	/* The last two only when there are variables. */
	return mls_replace_directory(path, files, c->index.data ? 4 : 2, err);
}

int mlsched_model_save(const struct mlsched_model *model, const char *path,
		       enum mlsched_savedmodel_form form, struct mlsched_error *err)
{
	/* Names and messages take little; weights are there twice at most, in buffers that double. */
	struct mls_arena arena = MLS_ARENA_INIT((size_t)64 << 20);
	struct contents contents = { 0 };
	char *metadata = NULL;
	int ret;

	ret = make_contents(&arena, model, form == MLSCHED_SAVEDMODEL_FROZEN, &contents);
	if (ret)
		ret = mls_error(err, ret, "Cannot write model: %s: no memory", path);
	else
		ret = mls_metadata_text(model, err, &metadata);
	if (!ret)
		ret = mls_metadata_readable(metadata, path, err);
	if (!ret) {
		contents.metadata.data = (const uint8_t *)metadata;
		contents.metadata.size = strlen(metadata);
		ret = write_contents(path, &contents, err);
	}
	free(metadata);
	mls_arena_free(&arena);
	return ret;
}
