// SPDX-License-Identifier: GPL-2.0
/*
 * Writing an ONNX file: Gemm and an activation for each layer, weights as they
 * are, raw and little-endian.  Operators of version 13 and IR version 8 are
 * what every ONNX Runtime since 1.10 takes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mlsched/version.h>

#include "src/formats/metadata.h"
#include "src/formats/onnx.h"
#include "src/formats/replace.h"
#include "src/util/error.h"

#define WRITE_IR    8
#define WRITE_OPSET 13

#define INPUT_NAME "features"

/* Normalisation, and for each layer a product, a sum and an activation with two limits. */
#define MAX_NODES        (2 + 2 * MLSCHED_MAX_LAYERS)
#define MAX_INITIALIZERS (2 + 4 * MLSCHED_MAX_LAYERS)

/* A graph that grows; whether memory ran out, the arena knows. */
struct builder {
	struct mls_arena *arena;
	Mls__Onnx__Node *nodes[MAX_NODES];
	size_t n_nodes;
	Mls__Onnx__Tensor *initializers[MAX_INITIALIZERS];
	size_t n_initializers;
};

/* Numbers by name; @columns 0: a list of @rows, and @rows 0: a single one. */
static char *add_numbers(struct builder *b, char *name, uint32_t rows, uint32_t columns,
			 const float *numbers)
{
	size_t n = (size_t)(rows ? rows : 1) * (columns ? columns : 1);
	Mls__Onnx__Tensor *tensor = mls_arena_array(b->arena, 1, sizeof(*tensor));
	uint8_t *bytes = mls_arena_array(b->arena, n, sizeof(float));
	int64_t *dims = mls_arena_array(b->arena, 2, sizeof(*dims));

	if (mls_arena_exhausted(b->arena) || !name)
		return NULL;
	mls__onnx__tensor__init(tensor);
	tensor->name = name;
	tensor->dims = dims;
	if (rows)
		dims[tensor->n_dims++] = rows;
	if (columns)
		dims[tensor->n_dims++] = columns;
	tensor->has_data_type = true;
	tensor->data_type = MLS_ONNX_DT_FLOAT;
	mls_from_float(numbers, n, bytes);
	tensor->has_raw_data = true;
	tensor->raw_data = (ProtobufCBinaryData){ n * sizeof(float), bytes };
	b->initializers[b->n_initializers++] = tensor;
	return name;
}

/* A node; inputs that are NULL are left out.  Returns its output, which has its name. */
static char *add_node(struct builder *b, char *name, const char *op, char *first, char *second,
		      char *third)
{
	char *const inputs[] = { first, second, third };
	Mls__Onnx__Node *node = mls_arena_array(b->arena, 1, sizeof(*node));
	char **names = mls_arena_array(b->arena, 4, sizeof(*names));
	char *type = mls_arena_printf(b->arena, "%s", op);

	if (mls_arena_exhausted(b->arena) || !name)
		return NULL;
	mls__onnx__node__init(node);
	node->name = name;
	node->op_type = type;
	node->input = names;
	for (size_t i = 0; i < 3; i++) {
		if (inputs[i])
			names[node->n_input++] = inputs[i];
	}
	node->output = &names[3];
	names[3] = name;
	node->n_output = 1;
	b->nodes[b->n_nodes++] = node;
	return name;
}

/* The last node's only attribute. */
static void add_alpha(struct builder *b, float alpha)
{
	Mls__Onnx__Attribute *attribute = mls_arena_array(b->arena, 1, sizeof(*attribute));
	Mls__Onnx__Attribute **list = mls_arena_array(b->arena, 1, sizeof(*list));
	char *name = mls_arena_printf(b->arena, "alpha");
	Mls__Onnx__Node *node;

	if (mls_arena_exhausted(b->arena))
		return;
	mls__onnx__attribute__init(attribute);
	attribute->name = name;
	attribute->has_type = true;
	attribute->type = MLS_ONNX_FLOAT;
	attribute->has_f = true;
	attribute->f = alpha;
	list[0] = attribute;
	node = b->nodes[b->n_nodes - 1];
	node->attribute = list;
	node->n_attribute = 1;
}

static char *add_activation(struct builder *b, uint32_t index, const struct mlsched_layer *layer,
			    char *row)
{
	static const char *const ops[MLSCHED_ACTIVATION_COUNT] = {
		[MLSCHED_RELU] = "Relu",
		[MLSCHED_RELU6] = "Clip",
		[MLSCHED_LEAKY_RELU] = "LeakyRelu",
		[MLSCHED_ELU] = "Elu",
		[MLSCHED_SIGMOID] = "Sigmoid",
		[MLSCHED_TANH] = "Tanh",
		[MLSCHED_SOFTMAX] = "Softmax",
	};
	static const float zero, six = 6;
	const char *op = ops[layer->activation];
	char *name, *low = NULL, *high = NULL;

	if (!op)
		return row;
	name = mls_arena_printf(b->arena, "dense_%u/%s", index, op);
	if (layer->activation == MLSCHED_RELU6) {
		low = add_numbers(b, mls_arena_printf(b->arena, "dense_%u/min", index), 0, 0,
				  &zero);
		high = add_numbers(b, mls_arena_printf(b->arena, "dense_%u/max", index), 0, 0,
				   &six);
	}
	row = add_node(b, name, op, row, low, high);
	if (layer->activation == MLSCHED_LEAKY_RELU || layer->activation == MLSCHED_ELU)
		add_alpha(b, layer->alpha);
	return row;
}

static char *add_layer(struct builder *b, uint32_t index, const struct mlsched_layer *layer,
		       char *row)
{
	char *kernel = add_numbers(b, mls_arena_printf(b->arena, "dense_%u/kernel", index),
				   layer->n_in, layer->n_out, layer->weights);
	char *bias = NULL;

	if (layer->bias)
		bias = add_numbers(b, mls_arena_printf(b->arena, "dense_%u/bias", index),
				   layer->n_out, 0, layer->bias);
	/* A Gemm may lack its bias as well; a plain product says the same to older readers. */
	row = add_node(b,
		       mls_arena_printf(b->arena, "dense_%u/%s", index, bias ? "Gemm" : "MatMul"),
		       layer->bias ? "Gemm" : "MatMul", row, kernel, bias);
	return add_activation(b, index, layer, row);
}

/* The nodes of the whole network; the last one's output gets the name of the graph's. */
static void add_network(struct builder *b, const struct mlsched_model *model, char *output)
{
	uint32_t n_in = mlsched_model_inputs(model);
	char *row = mls_arena_printf(b->arena, INPUT_NAME), *numbers;
	const float *mean, *deviation;
	struct mlsched_layer layer;

	mlsched_model_normalization(model, &mean, &deviation);
	if (mean) {
		numbers = add_numbers(b, mls_arena_printf(b->arena, "normalization/mean"), 1, n_in,
				      mean);
		row = add_node(b, mls_arena_printf(b->arena, "normalization/Sub"), "Sub", row,
			       numbers, NULL);
		numbers = add_numbers(b, mls_arena_printf(b->arena, "normalization/deviation"), 1,
				      n_in, deviation);
		row = add_node(b, mls_arena_printf(b->arena, "normalization/Div"), "Div", row,
			       numbers, NULL);
	}
	for (uint32_t i = 0; mlsched_model_layer(model, i, &layer) == 0; i++)
		row = add_layer(b, i, &layer, row);
	if (!mls_arena_exhausted(b->arena))
		b->nodes[b->n_nodes - 1]->output[0] = output;
}

/* float32 [rows, @columns], whose number of rows is left open. */
static Mls__Onnx__ValueInfo *make_info(struct builder *b, char *name, uint32_t columns)
{
	struct {
		Mls__Onnx__ValueInfo info;
		Mls__Onnx__Type type;
		Mls__Onnx__TensorType tensor;
		Mls__Onnx__Shape shape;
		Mls__Onnx__Dim dims[2];
		Mls__Onnx__Dim *pointers[2];
	} *m = mls_arena_array(b->arena, 1, sizeof(*m));
	char *rows = mls_arena_printf(b->arena, "rows");

	if (mls_arena_exhausted(b->arena) || !name)
		return NULL;
	mls__onnx__value_info__init(&m->info);
	mls__onnx__type__init(&m->type);
	mls__onnx__tensor_type__init(&m->tensor);
	mls__onnx__shape__init(&m->shape);
	for (size_t i = 0; i < 2; i++) {
		mls__onnx__dim__init(&m->dims[i]);
		m->pointers[i] = &m->dims[i];
	}
	m->dims[0].value_case = MLS__ONNX__DIM__VALUE_DIM_PARAM;
	m->dims[0].dim_param = rows;
	m->dims[1].value_case = MLS__ONNX__DIM__VALUE_DIM_VALUE;
	m->dims[1].dim_value = columns;
	m->shape.n_dim = 2;
	m->shape.dim = m->pointers;
	m->tensor.has_elem_type = true;
	m->tensor.elem_type = MLS_ONNX_DT_FLOAT;
	m->tensor.shape = &m->shape;
	m->type.tensor_type = &m->tensor;
	m->info.name = name;
	m->info.type = &m->type;
	return &m->info;
}

static int make_file(struct mls_arena *arena, const struct mlsched_model *model, char *metadata,
		     struct mls_blob *blob)
{
	struct builder *b = mls_arena_alloc(arena, sizeof(*b));
	Mls__Onnx__OperatorSet set = MLS__ONNX__OPERATOR_SET__INIT, *sets = &set;
	Mls__Onnx__Entry entry = MLS__ONNX__ENTRY__INIT, *entries = &entry;
	Mls__Onnx__Model pb = MLS__ONNX__MODEL__INIT;
	Mls__Onnx__Graph graph = MLS__ONNX__GRAPH__INIT;
	Mls__Onnx__ValueInfo *input, *output;
	uint32_t n_out = mlsched_model_outputs(model);
	uint8_t *bytes;

	if (!b)
		return -ENOMEM;
	b->arena = arena;
	input = make_info(b, mls_arena_printf(b->arena, INPUT_NAME), mlsched_model_inputs(model));
	output =
		make_info(b, mls_arena_printf(b->arena, n_out == 1 ? "migrate" : "outputs"), n_out);
	if (mls_arena_exhausted(b->arena))
		return -ENOMEM;
	add_network(b, model, output->name);
	if (mls_arena_exhausted(b->arena))
		return -ENOMEM;
	graph.name = (char *)"mlsched";
	graph.n_node = b->n_nodes;
	graph.node = b->nodes;
	graph.n_initializer = b->n_initializers;
	graph.initializer = b->initializers;
	graph.n_input = graph.n_output = 1;
	graph.input = &input;
	graph.output = &output;
	/* The empty name is that of ONNX's own operators, and is written: some readers ask for it. */
	set.domain = (char *)"";
	set.has_version = true;
	set.version = WRITE_OPSET;
	entry.key = (char *)MLS_ONNX_METADATA;
	entry.value = metadata;
	pb.has_ir_version = true;
	pb.ir_version = WRITE_IR;
	pb.producer_name = (char *)"mlsched";
	pb.producer_version = (char *)MLSCHED_VERSION;
	pb.graph = &graph;
	pb.n_opset_import = pb.n_metadata_props = 1;
	pb.opset_import = &sets;
	pb.metadata_props = &entries;
	blob->size = mls__onnx__model__get_packed_size(&pb);
	bytes = mls_arena_array(b->arena, blob->size, 1);
	if (!bytes)
		return -ENOMEM;
	mls__onnx__model__pack(&pb, bytes);
	blob->data = bytes;
	return 0;
}

int mls_onnx_pack(const struct mlsched_model *model, struct mls_arena *arena,
		  struct mlsched_error *err, struct mls_blob *blob)
{
	char *metadata = NULL;
	int ret = mls_metadata_text(model, err, &metadata);

	if (!ret)
		ret = mls_metadata_readable(metadata, blob->path, err);
	if (!ret && make_file(arena, model, metadata, blob) != 0)
		ret = mls_error(err, -ENOMEM, "Cannot write model: %s: no memory", blob->path);
	free(metadata);
	return ret;
}

int mls_onnx_save(const struct mlsched_model *model, const char *path,
		  enum mlsched_savedmodel_form form, struct mlsched_error *err)
{
	struct mls_arena arena = MLS_ARENA_INIT(MLS_ONNX_WRITE_MEMORY);
	struct mls_blob blob = { .path = path };
	int ret = mls_onnx_pack(model, &arena, err, &blob);

	(void)form;
	if (!ret)
		ret = mls_replace_file(path, &blob, err);
	mls_arena_free(&arena);
	return ret;
}
