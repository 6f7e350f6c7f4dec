// SPDX-License-Identifier: GPL-2.0
/*
 * The graph walk on SavedModels made here: what counts as a chain of dense
 * layers and gives the right numbers, and what is refused, word for word.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/formats/graph.h"
#include "src/formats/savedmodel.h"

#define MAX_NODES 1024
#define HEAD      "Invalid SavedModel format: m/saved_model.pb: "

static struct mls_arena arena = MLS_ARENA_INIT(64 << 20);

/* ---- making graphs --------------------------------------------------------------------- */

static void *take(size_t n, size_t size)
{
	void *piece = mls_arena_array(&arena, n, size);

	assert_non_null(piece);
	return piece;
}

static char *copy(const char *text)
{
	return strcpy(take(1, strlen(text) + 1), text);
}

struct nodes {
	Mls__Node *list[MAX_NODES];
	size_t n;
};

static struct nodes main_nodes;
static Mls__Function *functions[64];
static struct nodes bodies[64];
static size_t n_functions;
static Mls__TensorInfoEntry *inputs[2], *outputs[2];
static size_t n_inputs, n_outputs;
static const char *signature_name;

/* A node with its inputs, blank-separated. */
static Mls__Node *add(struct nodes *to, const char *name, const char *op, const char *input_names)
{
	Mls__Node *node = take(1, sizeof(*node));
	char *save, *names = copy(input_names);

	mls__node__init(node);
	node->name = copy(name);
	node->op = copy(op);
	node->input = take(8, sizeof(*node->input));
	node->attr = take(4, sizeof(*node->attr));
	for (char *word = strtok_r(names, " ", &save); word; word = strtok_r(NULL, " ", &save))
		node->input[node->n_input++] = word;
	assert_true(to->n < MAX_NODES);
	to->list[to->n++] = node;
	return node;
}

static Mls__Node *node(const char *name, const char *op, const char *input_names)
{
	return add(&main_nodes, name, op, input_names);
}

static Mls__AttrValue *attr(Mls__Node *of, const char *key, Mls__AttrValue__ValueCase kind)
{
	Mls__Attr *entry = take(1, sizeof(*entry));

	mls__attr__init(entry);
	entry->key = copy(key);
	entry->value = take(1, sizeof(*entry->value));
	mls__attr_value__init(entry->value);
	entry->value->value_case = kind;
	of->attr[of->n_attr++] = entry;
	return entry->value;
}

static Mls__Shape *shape(int rank, int64_t a, int64_t b, int64_t c)
{
	const int64_t sizes[3] = { a, b, c };
	Mls__Shape *made = take(1, sizeof(*made));

	mls__shape__init(made);
	made->dim = take(3, sizeof(*made->dim));
	for (int i = 0; i < rank; i++) {
		made->dim[i] = take(1, sizeof(*made->dim[i]));
		mls__dim__init(made->dim[i]);
		made->dim[i]->size = sizes[i];
	}
	made->n_dim = (size_t)rank;
	return made;
}

static Mls__Tensor *tensor(Mls__Node *of, int32_t dtype, Mls__Shape *of_shape)
{
	Mls__Tensor *made = take(1, sizeof(*made));

	mls__tensor__init(made);
	made->dtype = dtype;
	made->shape = of_shape;
	attr(of, "value", MLS__ATTR_VALUE__VALUE_TENSOR)->tensor = made;
	return made;
}

/* A float constant: [n], or [rows, n / rows]. */
static Mls__Node *constant(const char *name, int rows, size_t n, const float *values)
{
	Mls__Node *made = node(name, "Const", "");
	Mls__Tensor *t =
		tensor(made, MLS_DT_FLOAT,
		       rows ? shape(2, rows, (int64_t)n / rows, 0) : shape(1, (int64_t)n, 0, 0));

	t->float_val = take(n, sizeof(float));
	memcpy(t->float_val, values, n * sizeof(float));
	t->n_float_val = n;
	return made;
}

static void integers(const char *name, size_t n, int32_t a, int32_t b)
{
	const int32_t values[2] = { a, b };
	Mls__Tensor *t = tensor(node(name, "Const", ""), MLS_DT_INT32, shape(1, (int64_t)n, 0, 0));

	t->int_val = take(2, sizeof(int32_t));
	memcpy(t->int_val, values, sizeof(values));
	t->n_int_val = n;
}

#define CONSTANT(name, rows, ...)                                                    \
	constant(name, rows, sizeof((const float[]){ __VA_ARGS__ }) / sizeof(float), \
		 (const float[]){ __VA_ARGS__ })

static void input_of(Mls__Shape *of_shape)
{
	Mls__Node *x = node("x", "Placeholder", "");

	attr(x, "dtype", MLS__ATTR_VALUE__VALUE_TYPE)->type = MLS_DT_FLOAT;
	if (of_shape)
		attr(x, "shape", MLS__ATTR_VALUE__VALUE_SHAPE)->shape = of_shape;
}

static Mls__TensorInfoEntry *info(const char *key, const char *name)
{
	Mls__TensorInfoEntry *entry = take(1, sizeof(*entry));

	mls__tensor_info_entry__init(entry);
	entry->key = copy(key);
	entry->value = take(1, sizeof(*entry->value));
	mls__tensor_info__init(entry->value);
	entry->value->name = copy(name);
	return entry;
}

/* A function of @args (blank-separated) with one result, which is the tensor @result. */
static struct nodes *function(const char *name, const char *args, const char *result)
{
	Mls__Function *made = take(1, sizeof(*made));
	char *save, *names = copy(args);

	mls__function__init(made);
	made->signature = take(1, sizeof(*made->signature));
	mls__op_def__init(made->signature);
	made->signature->name = copy(name);
	made->signature->input_arg = take(8, sizeof(Mls__Arg *));
	made->signature->output_arg = take(1, sizeof(Mls__Arg *));
	for (char *word = strtok_r(names, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		Mls__Arg *arg = take(1, sizeof(*arg));

		mls__arg__init(arg);
		arg->name = word;
		made->signature->input_arg[made->signature->n_input_arg++] = arg;
	}
	made->signature->output_arg[0] = take(1, sizeof(Mls__Arg));
	mls__arg__init(made->signature->output_arg[0]);
	made->signature->output_arg[0]->name = copy("result");
	made->signature->n_output_arg = 1;
	made->ret = take(1, sizeof(*made->ret));
	made->ret[0] = take(1, sizeof(*made->ret[0]));
	mls__ret__init(made->ret[0]);
	made->ret[0]->key = copy("result");
	made->ret[0]->value = copy(result);
	made->n_ret = 1;
	bodies[n_functions].n = 0;
	made->node = bodies[n_functions].list;
	functions[n_functions] = made;
	return &bodies[n_functions++];
}

static void call(struct nodes *in, const char *name, const char *of, const char *args)
{
	Mls__FuncName *f = take(1, sizeof(*f));

	mls__func_name__init(f);
	f->name = copy(of);
	attr(add(in, name, "PartitionedCall", args), "f", MLS__ATTR_VALUE__VALUE_FUNC)->func = f;
}

static int set_up(void **state)
{
	(void)state;
	main_nodes.n = n_functions = 0;
	inputs[0] = info("x", "x:0");
	outputs[0] = info("y", "y:0");
	n_inputs = n_outputs = 1;
	signature_name = "serving_default";
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	mls_arena_free(&arena);
	return 0;
}

/* ---- reading them ------------------------------------------------------------------------ */

static struct mls_blob pack(void)
{
	Mls__SavedModel saved = MLS__SAVED_MODEL__INIT;
	Mls__MetaGraph meta = MLS__META_GRAPH__INIT, *metas = &meta;
	Mls__MetaInfo meta_info = MLS__META_INFO__INIT;
	Mls__SignatureEntry entry = MLS__SIGNATURE_ENTRY__INIT, *entries = &entry;
	Mls__Signature signature = MLS__SIGNATURE__INIT;
	Mls__Library library = MLS__LIBRARY__INIT;
	Mls__Graph graph = MLS__GRAPH__INIT;
	struct mls_blob blob = { .path = "saved_model.pb" };
	char *tag = copy("serve");
	uint8_t *bytes;

	for (size_t i = 0; i < n_functions; i++)
		functions[i]->n_node = bodies[i].n;
	meta_info.tags = &tag;
	meta_info.n_tags = 1;
	graph.node = main_nodes.list;
	graph.n_node = main_nodes.n;
	graph.library = &library;
	library.function = functions;
	library.n_function = n_functions;
	signature.inputs = inputs;
	signature.n_inputs = n_inputs;
	signature.outputs = outputs;
	signature.n_outputs = n_outputs;
	entry.key = copy(signature_name);
	entry.value = &signature;
	meta.meta_info = &meta_info;
	meta.graph = &graph;
	meta.signature = &entries;
	meta.n_signature = 1;
	saved.schema_version = 1;
	saved.meta_graphs = &metas;
	saved.n_meta_graphs = 1;
	blob.size = mls__saved_model__get_packed_size(&saved);
	bytes = take(1, blob.size);
	mls__saved_model__pack(&saved, bytes);
	blob.data = bytes;
	return blob;
}

static int read_blobs(const struct mls_blob *blobs, uint32_t n, struct mlsched_error *err,
		      struct mlsched_model **model)
{
	const struct mls_files files = { .path = "m", .dir = -1, .n_blobs = n, .blobs = blobs };

	return mls_savedmodel_read(&files, err, model);
}

/* Reads it and computes one row. */
static void expect(uint32_t n_layers, const float *row, float expected)
{
	struct mls_blob blob = pack();
	struct mlsched_model *model;
	struct mlsched_error err;
	float out[MLSCHED_MAX_WIDTH];

	if (read_blobs(&blob, 1, &err, &model) != 0)
		fail_msg("%s", err.message);
	assert_int_equal(mlsched_model_layers(model), n_layers);
	mlsched_model_predict(model, row, 1, out);
	if (!(fabsf(out[0] - expected) <= 1e-6f))
		fail_msg("expected %.9g, found %.9g", (double)expected, (double)out[0]);
	mlsched_model_free(model);
}

static void refuse(int code, const char *message)
{
	struct mls_blob blob = pack();
	struct mlsched_model *model;
	struct mlsched_error err;

	assert_int_equal(read_blobs(&blob, 1, &err, &model), code);
	assert_string_equal(err.message, message);
}

static const float row[2] = { 3, -1 };

static void input_and_weights(void)
{
	input_of(shape(2, -1, 2, 0));
	CONSTANT("W", 2, 1, 2, 3, 4);
	CONSTANT("v", 2, 1, 2);
}

/* ---- what is read ---------------------------------------------------------------------------- */

static void integers_are_no_weights_and_no_bias(void **state)
{
	(void)state;
	input_and_weights();
	integers("i", 2, 1, 2);
	node("p", "MatMul", "x W");
	node("y", "BiasAdd", "p i");
	refuse(-EINVAL, HEAD "node y (BiasAdd): expected float numbers for a computed row, found "
			     "int32");
	set_up(state);
	input_of(shape(2, -1, 2, 0));
	integers("i", 2, 1, 2);
	main_nodes.list[1]->attr[0]->value->tensor->shape = shape(2, 2, 1, 0);
	node("y", "MatMul", "x i");
	refuse(-EINVAL, HEAD "node y (MatMul): expected float numbers for a computed row, found "
			     "int32");
}

static void bias_stands_on_either_side(void **state)
{
	(void)state;
	input_and_weights();
	CONSTANT("b", 0, 0.5f, -1);
	node("p", "MatMul", "x W");
	node("q", "AddV2", "b p");
	node("r", "Relu", "q");
	node("s", "MatMul", "r v:0");
	CONSTANT("c", 0, 10);
	node("y", "BiasAdd", "s c");
	/* x W = (0, 2), with b (0.5, 1); 0.5 + 2 + 10. */
	expect(2, row, 12.5f);
}

static void transposed_weights_are_turned(void **state)
{
	Mls__Node *product;

	(void)state;
	input_and_weights();
	product = node("p", "MatMul", "x W");
	attr(product, "transpose_b", MLS__ATTR_VALUE__VALUE_B)->b = 1;
	node("y", "MatMul", "p v");
	/* x W^T = (1, 5); 1 + 10. */
	expect(2, row, 11);
}

static void missing_bias_and_activation_are_fine(void **state)
{
	(void)state;
	input_and_weights();
	node("y", "MatMul", "x v");
	expect(1, row, 1);
}

static void arithmetic_on_constants_is_done(void **state)
{
	(void)state;
	input_and_weights();
	CONSTANT("variance", 1, 4, 0);
	CONSTANT("epsilon", 0, 0.5f);
	node("root", "Sqrt", "variance");
	node("deviation", "Maximum", "root epsilon");
	CONSTANT("mean", 1, 1, 1);
	node("centred", "Sub", "x mean");
	node("scaled", "RealDiv", "centred deviation");
	node("y", "MatMul", "scaled v");
	/* ((3 - 1) / 2, (-1 - 1) / 0.5) = (1, -4); 1 - 8. */
	expect(1, row, -7);
}

static void scaling_between_layers_goes_into_the_weights(void **state)
{
	(void)state;
	input_and_weights();
	CONSTANT("scale", 0, 2, -1);
	CONSTANT("shift", 0, 1, 3);
	node("p", "MatMul", "x W");
	node("r", "Relu", "p");
	node("a", "Mul", "scale r");
	node("b", "AddV2", "a shift");
	node("c", "Sub", "shift b");
	node("y", "MatMul", "c v");
	/* relu(0, 2); * (2, -1) = (0, -2); + (1, 3) = (1, 1); (1, 3) - it = (0, 2); 4. */
	expect(2, row, 4);
}

static void width_may_be_left_to_the_weights(void **state)
{
	(void)state;
	input_of(NULL);
	CONSTANT("v", 2, 1, 2);
	CONSTANT("half", 0, 0.5f);
	node("h", "Mul", "x half");
	node("y", "MatMul", "h v");
	expect(1, row, 0.5f);
}

static void reshape_to_as_many_rows_as_there_are(void **state)
{
	Mls__Node *slice;

	(void)state;
	input_and_weights();
	integers("zero", 1, 0, 0);
	integers("one", 1, 1, 0);
	integers("two", 1, 2, 0);
	node("size", "Shape", "x");
	slice = node("rows", "StridedSlice", "size zero one one");
	attr(slice, "shrink_axis_mask", MLS__ATTR_VALUE__VALUE_I)->i = 1;
	node("to", "Pack", "rows two");
	node("same", "Reshape", "x to");
	node("z", "MatMul", "same v");
	integers("flat", 1, -1, 0);
	node("y", "Reshape", "z flat");
	expect(1, row, 1);
}

static void one_function_called_twice_is_two_layers(void **state)
{
	struct nodes *dense = function("dense", "input weights", "out:y:0");

	(void)state;
	add(dense, "product", "MatMul", "input weights");
	add(dense, "out", "Tanh", "product:product:0");
	input_and_weights();
	call(&main_nodes, "first", "dense", "x W ^v");
	call(&main_nodes, "second", "dense", "first:0 v");
	node("y", "Identity", "second");
	expect(2, row, tanhf(tanhf(0) + 2 * tanhf(2)));
}

static void function_used_as_an_operation_is_called(void **state)
{
	struct nodes *dense = function("dense", "input weights", "product:product:0");

	(void)state;
	add(dense, "product", "MatMul", "input weights");
	input_and_weights();
	node("y", "dense", "x v");
	expect(1, row, 1);
}

static void only_signature_may_have_any_name(void **state)
{
	(void)state;
	signature_name = "mine";
	input_and_weights();
	node("y", "MatMul", "x v");
	expect(1, row, 1);
}

/* ---- what is refused --------------------------------------------------------------------------- */

static void unknown_operation_is_named(void **state)
{
	(void)state;
	input_and_weights();
	node("p", "MatMul", "x v");
	node("y", "Selu", "p");
	refuse(-ENOTSUP, HEAD "node y (Selu): expected an operation of dense layers, found Selu");
}

static void skip_connection_is_refused(void **state)
{
	(void)state;
	input_and_weights();
	node("p", "MatMul", "x W");
	node("s", "AddV2", "p x");
	node("y", "MatMul", "s v");
	refuse(-ENOTSUP,
	       HEAD "node s (AddV2): expected weights as one input, found two inputs that "
		    "are both computed: not a chain of dense layers");
}

static void shapes_that_do_not_chain_are_refused(void **state)
{
	(void)state;
	input_of(shape(2, -1, 3, 0));
	CONSTANT("v", 2, 1, 2);
	node("y", "MatMul", "x v");
	refuse(-EINVAL, HEAD "node y (MatMul): expected weights of 3 inputs, found shape [2, 1]");
}

static void bias_of_another_width_is_refused(void **state)
{
	(void)state;
	input_and_weights();
	CONSTANT("b", 0, 1, 2, 3);
	node("p", "MatMul", "x W");
	node("y", "BiasAdd", "p b");
	refuse(-EINVAL, HEAD "node y (BiasAdd): expected one number or 2 of them, found shape [3]");
}

static void input_of_another_rank_is_refused(void **state)
{
	(void)state;
	input_of(shape(3, -1, 10, 1));
	CONSTANT("v", 2, 1, 2);
	node("y", "MatMul", "x v");
	refuse(-ENOTSUP,
	       HEAD "node x (Placeholder): Expected shape [?, n] with n up to 256, got [?, 10, 1]");
}

static void too_wide_an_input_is_refused(void **state)
{
	(void)state;
	input_of(shape(2, -1, 257, 0));
	node("y", "Relu", "x");
	refuse(-ENOTSUP,
	       HEAD "node x (Placeholder): Expected shape [?, n] with n up to 256, got [?, 257]");
}

static void second_input_is_refused(void **state)
{
	(void)state;
	input_and_weights();
	node("y", "MatMul", "x v");
	inputs[1] = info("z", "z:0");
	n_inputs = 2;
	refuse(-ENOTSUP, HEAD "signature serving_default: expected one input, found 2");
	n_inputs = 1;
	outputs[1] = info("z", "x:0");
	n_outputs = 2;
	refuse(-ENOTSUP, HEAD "signature serving_default: expected one output, found 2");
}

static void input_behind_the_signatures_back_is_refused(void **state)
{
	(void)state;
	input_and_weights();
	node("other", "Placeholder", "");
	node("y", "MatMul", "other v");
	refuse(-ENOTSUP, HEAD "node other (Placeholder): expected the signature's only input x, "
			      "found a second input");
}

static void missing_nodes_and_inputs_are_named(void **state)
{
	(void)state;
	input_and_weights();
	node("y", "MatMul", "x nothing");
	refuse(-EINVAL, HEAD "main graph: expected a node for \"nothing\", found none");
	main_nodes.list[main_nodes.n - 1]->n_input = 1;
	refuse(-EINVAL, HEAD "node y (MatMul): expected input 1, found 1 inputs");
}

static void node_named_twice_is_refused(void **state)
{
	(void)state;
	input_and_weights();
	node("y", "MatMul", "x v");
	node("y", "MatMul", "x W");
	refuse(-EINVAL, HEAD "main graph: expected nodes with different names, found two named "
			     "\"y\"");
}

static void function_that_calls_itself_is_refused(void **state)
{
	struct nodes *body = function("f", "input", "again:output:0");

	(void)state;
	call(body, "again", "f", "input");
	input_and_weights();
	call(&main_nodes, "y", "f", "x");
	refuse(-EINVAL, HEAD "function f: node again (PartitionedCall): expected at most 32 nested "
			     "calls, found more: does function f call itself?");
}

static void call_that_is_its_own_argument_is_refused(void **state)
{
	(void)state;
	function("same", "input", "input");
	input_and_weights();
	call(&main_nodes, "y", "same", "y");
	refuse(-ENOTSUP, HEAD "main graph: expected a small network, found more than 400 nested "
			      "operations at y");
}

static void missing_function_is_named(void **state)
{
	(void)state;
	input_and_weights();
	call(&main_nodes, "y", "f", "x");
	refuse(-EINVAL, HEAD "node y (PartitionedCall): expected function \"f\" in the library, "
			     "found none");
}

static void calls_that_double_at_every_level_are_cut_short(void **state)
{
	(void)state;
	for (int i = 0; i < 30; i++) {
		char name[16], next[16];
		struct nodes *body;

		snprintf(name, sizeof(name), "f%d", i);
		snprintf(next, sizeof(next), "f%d", i + 1);
		body = function(name, "input", "sum:z:0");
		call(body, "a", next, "input");
		call(body, "b", next, "input");
		add(body, "sum", "AddV2", "a:output:0 b:output:0");
	}
	function("f30", "input", "input");
	CONSTANT("v", 0, 0);
	input_of(NULL);
	call(&main_nodes, "y", "f0", "v");
	refuse(-ENOTSUP,
	       HEAD "function f28: node a (PartitionedCall): expected at most 1000 calls, "
		    "found more");
}

static void long_chain_does_not_exhaust_the_stack(void **state)
{
	char name[16], previous[16] = "x";

	(void)state;
	input_and_weights();
	for (int i = 0; i < MAX_NODES - 10; i++) {
		snprintf(name, sizeof(name), "i%d", i);
		node(name, "Identity", previous);
		memcpy(previous, name, sizeof(previous));
	}
	node("y", "MatMul", strcat(previous, " v"));
	refuse(-ENOTSUP, HEAD "main graph: expected a small network, found more than 400 nested "
			      "operations at i614");
}

/* Control inputs, which every search for a real input passes. */
static void control_inputs(Mls__Node *of, size_t n, const char *name)
{
	char **all = take(n + of->n_input, sizeof(*all));

	for (size_t i = 0; i < n; i++)
		all[i] = (char *)(uintptr_t)name;
	memcpy(all + n, of->input, of->n_input * sizeof(*all));
	of->input = all;
	of->n_input += n;
}

static void many_fused_operations_are_cut_short(void **state)
{
	const size_t n = 600;
	Mls__AttrList *list = take(1, sizeof(*list));
	Mls__Node *fused;

	(void)state;
	input_and_weights();
	fused = node("y", "_FusedMatMul", "x v");
	control_inputs(fused, 60000, "^control-input");
	mls__attr_list__init(list);
	list->s = take(n, sizeof(*list->s));
	for (size_t i = 0; i < n; i++)
		list->s[i] = (ProtobufCBinaryData){ 4, (uint8_t *)copy("Relu") };
	list->n_s = n;
	attr(fused, "fused_ops", MLS__ATTR_VALUE__VALUE_LIST)->list = list;
	refuse(-ENOTSUP, HEAD "node y (_FusedMatMul): expected a small network, found too many "
			      "fused operations");
}

static void reshape_with_three_open_dimensions_is_refused(void **state)
{
	static const int32_t open[3] = { -1, -1, -1 };
	Mls__Tensor *t;

	(void)state;
	input_and_weights();
	t = tensor(node("to", "Const", ""), MLS_DT_INT32, shape(1, 3, 0, 0));
	t->int_val = take(3, sizeof(*t->int_val));
	memcpy(t->int_val, open, sizeof(open));
	t->n_int_val = 3;
	node("w", "Reshape", "v to");
	node("y", "MatMul", "x w");
	refuse(-EINVAL, HEAD "node w (Reshape): expected a shape of 2 numbers, found [?, ?, ?] for "
			     "[2, 1]");
}

static void ninth_layer_is_refused(void **state)
{
	char name[16], names[40] = "x W";

	(void)state;
	input_and_weights();
	for (int i = 1; i <= 9; i++) {
		snprintf(name, sizeof(name), i == 9 ? "y" : "l%d", i);
		node(name, "MatMul", names);
		snprintf(names, sizeof(names), "%s W", name);
	}
	refuse(-ENOTSUP, HEAD "node y (MatMul): expected at most 8 layers, found more");
}

static void activations_need_a_layer(void **state)
{
	(void)state;
	input_and_weights();
	node("r", "Relu", "x");
	node("y", "MatMul", "r v");
	refuse(-ENOTSUP,
	       HEAD "node r (Relu): expected a dense layer in front of the activation, found none");
}

static void arithmetic_behind_the_last_activation_is_refused(void **state)
{
	(void)state;
	input_and_weights();
	CONSTANT("two", 0, 2);
	node("p", "MatMul", "x v");
	node("s", "Sigmoid", "p");
	node("y", "Mul", "s two");
	refuse(-ENOTSUP, HEAD "node y (Mul): expected the output behind a dense layer or its "
			      "activation, found arithmetic on it");
}

static void division_by_zero_is_refused(void **state)
{
	(void)state;
	input_and_weights();
	CONSTANT("deviation", 0, 1, 0);
	node("d", "RealDiv", "x deviation");
	node("y", "MatMul", "d v");
	refuse(-EINVAL, HEAD "node d (RealDiv): expected a divisor for input 1, found 0");
}

static void names_with_control_characters_reach_no_terminal(void **state)
{
	char path[] = "/tmp/mlsched-graph-XXXXXX", file[64];
	struct mlsched_model *model;
	struct mlsched_error err;
	struct mls_blob blob;
	FILE *out;

	(void)state;
	input_and_weights();
	node("y", "\033[31m\n\xff\xc2\x9b", "x");
	blob = pack();
	assert_non_null(mkdtemp(path));
	snprintf(file, sizeof(file), "%s/saved_model.pb", path);
	out = fopen(file, "wb");
	assert_non_null(out);
	assert_int_equal(fwrite(blob.data, 1, blob.size, out), blob.size);
	fclose(out);
	assert_int_equal(mlsched_model_load(path, &err, &model), -ENOTSUP);
	assert_non_null(strstr(err.message, "node y (?[31m?\?\?\?): "));
	remove(file);
	remove(path);
}

static void text_form_is_refused_by_name(void **state)
{
	const struct mls_blob blob = { "saved_model.pbtxt", (const uint8_t *)"", 0 };
	struct mlsched_model *model;
	struct mlsched_error err;

	(void)state;
	assert_int_equal(read_blobs(&blob, 1, &err, &model), -ENOTSUP);
	assert_string_equal(err.message, "Invalid SavedModel format: m: expected saved_model.pb, "
					 "found only saved_model.pbtxt");
}

/* ---- variables --------------------------------------------------------------------------------- */

#define OBJECTS "tests/golden/savedmodel/models/hand-objects-savedmodel/model/"

static Mls__SavedModel *fixture;
static struct mls_blob fixture_blobs[3];

static void read_fixture_file(struct mls_blob *blob, const char *name)
{
	char path[256];
	uint8_t *data = take(1, 65536);
	FILE *file;

	snprintf(path, sizeof(path), OBJECTS "%s", name);
	file = fopen(path, "rb");
	assert_non_null(file);
	*blob = (struct mls_blob){ name, data, fread(data, 1, 65536, file) };
	fclose(file);
}

static int set_up_fixture(void **state)
{
	(void)state;
	read_fixture_file(&fixture_blobs[0], "saved_model.pb");
	read_fixture_file(&fixture_blobs[1], "variables/variables.index");
	read_fixture_file(&fixture_blobs[2], "variables/variables.data-00000-of-00001");
	fixture = mls_pb_unpack(&mls__saved_model__descriptor, &arena, fixture_blobs[0].data,
				fixture_blobs[0].size);
	assert_non_null(fixture);
	return 0;
}

static int read_changed_fixture(struct mlsched_error *err)
{
	size_t size = mls__saved_model__get_packed_size(fixture);
	uint8_t *bytes = take(1, size);
	struct mlsched_model *model;
	int ret;

	mls__saved_model__pack(fixture, bytes);
	fixture_blobs[0].data = bytes;
	fixture_blobs[0].size = size;
	ret = read_blobs(fixture_blobs, 3, err, &model);
	if (ret == 0)
		mlsched_model_free(model);
	return ret;
}

static void refuse_fixture(int code, const char *message)
{
	struct mlsched_error err;

	assert_int_equal(read_changed_fixture(&err), code);
	assert_string_equal(err.message, message);
}

static Mls__Node *fixture_node(const char *name)
{
	Mls__Graph *graph = fixture->meta_graphs[0]->graph;

	for (size_t i = 0; i < graph->n_node; i++) {
		if (strcmp(graph->node[i]->name, name) == 0)
			return graph->node[i];
	}
	fail_msg("no node %s", name);
	return NULL;
}

static Mls__AttrValue *fixture_attr(const char *node_name, const char *key)
{
	Mls__Node *of = fixture_node(node_name);

	for (size_t i = 0; i < of->n_attr; i++) {
		if (strcmp(of->attr[i]->key, key) == 0)
			return of->attr[i]->value;
	}
	fail_msg("no attribute %s", key);
	return NULL;
}

static void two_mappings_that_differ_are_refused(void **state)
{
	int32_t *bound =
		fixture->meta_graphs[0]->object_graph->concrete_functions[0]->value->bound_inputs;
	int32_t first_bias = bound[1];

	(void)state;
	/* The biases of the first and the second layer have the same shape. */
	bound[1] = bound[3];
	bound[3] = first_bias;
	refuse_fixture(-EINVAL,
		       HEAD "node dense/bias (VarHandleOp): expected one value, found that the "
			    "restore operation's tensor variables/1/.ATTRIBUTES/VARIABLE_VALUE and "
			    "the object graph's variables/3/.ATTRIBUTES/VARIABLE_VALUE differ");
}

static void either_mapping_is_enough(void **state)
{
	struct mlsched_error err;

	(void)state;
	fixture->meta_graphs[0]->object_graph = NULL;
	assert_int_equal(read_changed_fixture(&err), 0);
	set_up_fixture(NULL);
	fixture->meta_graphs[0]->saver = NULL;
	assert_int_equal(read_changed_fixture(&err), 0);
	fixture->meta_graphs[0]->object_graph = NULL;
	refuse_fixture(-EINVAL,
		       HEAD "function __inference_signature_wrapper_1: node dense_kernel_read "
			    "(ReadVariableOp): expected the checkpoint to restore variable "
			    "dense/kernel, found neither a restore operation nor an object for it");
}

static void variable_of_another_shape_is_refused(void **state)
{
	(void)state;
	fixture_attr("dense_1/bias", "shape")->shape->dim[0]->size = 32;
	refuse_fixture(-EINVAL, HEAD "node dense_1/bias (VarHandleOp): expected shape [32] as in "
				     "the graph, found [64] in the checkpoint (tensor "
				     "variables/3/.ATTRIBUTES/VARIABLE_VALUE)");
}

static void variable_of_another_type_is_refused(void **state)
{
	(void)state;
	fixture_attr("dense_1/bias", "dtype")->type = MLS_DT_HALF;
	refuse_fixture(-EINVAL,
		       HEAD "node dense_1/bias (VarHandleOp): expected float16 as in the graph, "
			    "found float32 in the checkpoint (tensor "
			    "variables/3/.ATTRIBUTES/VARIABLE_VALUE)");
}

static void missing_tensor_is_named(void **state)
{
	ProtobufCBinaryData *key =
		&fixture_attr("save/tensor_names", "value")->tensor->string_val[2];

	(void)state;
	key->data[10] = 'x';
	refuse_fixture(-EINVAL,
		       "Invalid SavedModel format: m/variables/variables.index: expected tensor "
		       "\"variables/x/.ATTRIBUTES/VARIABLE_VALUE\" of variable dense_1/kernel, "
		       "found no such key");
}

static void version_with_control_characters_is_cleaned(void **state)
{
	size_t size;
	struct mlsched_model *model;
	struct mlsched_error err;
	uint8_t *bytes;

	(void)state;
	fixture->meta_graphs[0]->meta_info->tensorflow_version = copy("2\033[2J\xc2\x9b");
	size = mls__saved_model__get_packed_size(fixture);
	bytes = take(1, size);
	mls__saved_model__pack(fixture, bytes);
	fixture_blobs[0].data = bytes;
	fixture_blobs[0].size = size;
	assert_int_equal(read_blobs(fixture_blobs, 3, &err, &model), 0);
	assert_string_equal(mlsched_model_meta(model)->producer, "tensorflow 2?[2J?\?");
	mlsched_model_free(model);
}

/* 6000 assignments, each of which asks one node with 6000 inputs for its first real one. */
static void long_search_for_variables_is_cut_short(void **state)
{
	Mls__Graph *graph = fixture->meta_graphs[0]->graph;
	Mls__Node **all = take(graph->n_node + 3, sizeof(*all));
	struct nodes more = { .n = 0 };

	(void)state;
	control_inputs(add(&more, "many", "NoOp", ""), 6000, "^assign");
	add(&more, "assign", "AssignVariableOp", "identity identity");
	control_inputs(add(&more, "identity", "Identity", "x"), 6000, "^x");
	memcpy(all, graph->node, graph->n_node * sizeof(*all));
	memcpy(all + graph->n_node, more.list, 3 * sizeof(*all));
	graph->node = all;
	graph->n_node += 3;
	fixture->meta_graphs[0]->saver->restore_op_name = copy("many");
	refuse_fixture(-ENOTSUP,
		       HEAD "expected a small network, found too much to search for its variables");
}

static void partitioned_variable_is_refused(void **state)
{
	ProtobufCBinaryData *slice = &fixture_attr("save/slices", "value")->tensor->string_val[0];

	(void)state;
	slice->data = (uint8_t *)copy("10 64 0,5:-");
	slice->len = 11;
	refuse_fixture(-ENOTSUP, HEAD "node dense/kernel (VarHandleOp): expected a whole variable, "
				      "found slice \"10 64 0,5:-\" of "
				      "variables/0/.ATTRIBUTES/VARIABLE_VALUE");
}

#define with_graph(test)   cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define with_fixture(test) cmocka_unit_test_setup_teardown(test, set_up_fixture, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_graph(integers_are_no_weights_and_no_bias),
		with_graph(bias_stands_on_either_side),
		with_graph(transposed_weights_are_turned),
		with_graph(missing_bias_and_activation_are_fine),
		with_graph(arithmetic_on_constants_is_done),
		with_graph(scaling_between_layers_goes_into_the_weights),
		with_graph(width_may_be_left_to_the_weights),
		with_graph(reshape_to_as_many_rows_as_there_are),
		with_graph(one_function_called_twice_is_two_layers),
		with_graph(function_used_as_an_operation_is_called),
		with_graph(only_signature_may_have_any_name),
		with_graph(unknown_operation_is_named),
		with_graph(skip_connection_is_refused),
		with_graph(shapes_that_do_not_chain_are_refused),
		with_graph(bias_of_another_width_is_refused),
		with_graph(input_of_another_rank_is_refused),
		with_graph(too_wide_an_input_is_refused),
		with_graph(second_input_is_refused),
		with_graph(input_behind_the_signatures_back_is_refused),
		with_graph(missing_nodes_and_inputs_are_named),
		with_graph(node_named_twice_is_refused),
		with_graph(function_that_calls_itself_is_refused),
		with_graph(call_that_is_its_own_argument_is_refused),
		with_graph(missing_function_is_named),
		with_graph(calls_that_double_at_every_level_are_cut_short),
		with_graph(long_chain_does_not_exhaust_the_stack),
		with_graph(many_fused_operations_are_cut_short),
		with_graph(reshape_with_three_open_dimensions_is_refused),
		with_graph(ninth_layer_is_refused),
		with_graph(activations_need_a_layer),
		with_graph(arithmetic_behind_the_last_activation_is_refused),
		with_graph(division_by_zero_is_refused),
		with_graph(names_with_control_characters_reach_no_terminal),
		with_graph(text_form_is_refused_by_name),
		with_fixture(two_mappings_that_differ_are_refused),
		with_fixture(either_mapping_is_enough),
		with_fixture(variable_of_another_shape_is_refused),
		with_fixture(variable_of_another_type_is_refused),
		with_fixture(missing_tensor_is_named),
		with_fixture(version_with_control_characters_is_cleaned),
		with_fixture(long_search_for_variables_is_cut_short),
		with_fixture(partitioned_variable_is_refused),
	};

	return cmocka_run_group_tests_name("graph", tests, NULL, NULL);
}
