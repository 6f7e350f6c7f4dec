// SPDX-License-Identifier: GPL-2.0
/*
 * Walking the architecture of a Keras model: a list of layers (Sequential), or a graph
 * of them (Functional) that has to be a chain, either with models inside.
 *
 * A graph is walked backwards from its output, as TensorFlow's is: what does not lead
 * there does not count.
 */
#include <errno.h>
#include <string.h>

#include "src/formats/keras.h"
#include "src/util/error.h"

#define MAX_LAYERS 256 /* in a row, and in a list */
#define MAX_NESTED 32 /* lists and objects of a node's arguments */

/* A list of layers. */
struct model {
	const char *place;
	const json_t *layers;
	const char *outer;
	const char *within;
	int depth;
};

/* An output of a layer: which of its calls it is from. */
struct tensor {
	const char *layer;
	json_int_t node;
};

static int add_model(struct mls_keras *k, const json_t *object, const struct model *above,
		     const struct mls_keras_layer *layer);

/* Up to Keras 2.2.2 the name stands beside the settings only in graphs. */
const char *mls_keras_name_of(const json_t *layer)
{
	const char *name = mls_keras_text(json_object_get(layer, "config"), "name");

	return name ? name : mls_keras_text(layer, "name");
}

/* The first layer says how wide rows are; a number that is left open says nothing. */
static int take_input(struct mls_keras *k, const struct mls_keras_layer *layer)
{
	const json_t *shape = json_object_get(layer->config, "batch_shape"), *dim;
	uint64_t width = 1;
	size_t i;

	if (!shape)
		shape = json_object_get(layer->config, "batch_input_shape");
	if (!json_is_array(shape) || k->last || k->width)
		return 0;
	if (json_array_size(shape) < 2 || json_array_size(shape) > 8)
		return mls_keras_bad(k, -ENOTSUP, layer->place,
				     "expected rows of numbers as input, found %zu dimensions",
				     json_array_size(shape));
	json_array_foreach(shape, i, dim) {
		json_int_t n = json_integer_value(dim);

		if (i == 0 || json_is_null(dim)) {
			width = i == 0 ? width : 0;
			continue;
		}
		if (!json_is_integer(dim) || n < 1 || n > MLSCHED_MAX_WIDTH)
			return mls_keras_bad(k, -ENOTSUP, layer->place,
					     "expected an input of 1 to %d in dimension %zu, found "
					     "%lld",
					     MLSCHED_MAX_WIDTH, i, (long long)n);
		width *= (uint64_t)n;
	}
	if (width > MLSCHED_MAX_WIDTH)
		return mls_keras_bad(k, -ENOTSUP, layer->place,
				     "expected at most %d numbers as input, found more",
				     MLSCHED_MAX_WIDTH);
	k->width = (uint32_t)width;
	k->n_dims = (uint32_t)json_array_size(shape) - 1;
	return 0;
}

uint32_t mls_keras_count(const json_t *layers, size_t n, const char *group)
{
	uint32_t found = 0;

	for (size_t i = 0; i < n; i++) {
		const char *class_name = mls_keras_text(json_array_get(layers, i), "class_name");
		const char *other = class_name ? mls_keras_group_of(class_name) : NULL;

		found += other && strcmp(other, group) == 0;
	}
	return found;
}

static int add_layer(struct mls_keras *k, const struct model *model, size_t index)
{
	const json_t *object = json_array_get(model->layers, index);
	struct mls_keras_layer layer = { .class_name = mls_keras_text(object, "class_name") };
	int ret;

	layer.config = json_object_get(object, "config");
	layer.name = mls_keras_name_of(object);
	if (!layer.class_name || !layer.config)
		return mls_keras_bad(
			k, -EINVAL, model->place,
			"layer %zu: expected \"class_name\" and \"config\", found none", index);
	layer.name = layer.name ? layer.name : "without a name";
	layer.place = mls_arena_printf(k->arena, MLS_KERAS_PLACE, layer.name, layer.class_name);
	if (!layer.place)
		return mls_no_memory(k->arena, k->path, k->err);
	layer.group = mls_keras_group_of(layer.class_name);
	if (!layer.group)
		return mls_keras_add_layer(k, &layer);
	layer.outer = model->outer ? model->outer : layer.name;
	layer.within = model->within;
	layer.index = mls_keras_count(model->layers, index, layer.group);
	layer.count = mls_keras_count(model->layers, json_array_size(model->layers), layer.group);
	ret = take_input(k, &layer);
	if (ret)
		return ret;
	if (strcmp(layer.group, "sequential") == 0 || strcmp(layer.group, "functional") == 0)
		return add_model(k, object, model, &layer);
	return mls_keras_add_layer(k, &layer);
}

/* ---- graphs ------------------------------------------------------------------------------------ */

/* ["dense", 0, 0] or ["dense", 0, 0, {}] */
static bool is_tensor(const json_t *value, struct tensor *tensor)
{
	if (!json_is_array(value) || json_array_size(value) < 3 ||
	    !json_is_string(json_array_get(value, 0)) ||
	    !json_is_integer(json_array_get(value, 1)) ||
	    !json_is_integer(json_array_get(value, 2)))
		return false;
	tensor->layer = json_string_value(json_array_get(value, 0));
	tensor->node = json_integer_value(json_array_get(value, 1));
	return true;
}

/* All tensors in a value, wherever they stand; the last is kept, and their number. */
static void find_tensors(const json_t *value, int depth, struct tensor *tensor, uint32_t *n)
{
	const json_t *inner;
	const char *key;
	size_t i;

	if (depth > MAX_NESTED)
		return;
	if (is_tensor(value, tensor)) {
		++*n;
		return;
	}
	if (json_is_object(value)) {
		inner = json_object_get(json_object_get(value, "config"), "keras_history");
		if (inner) {
			find_tensors(inner, depth + 1, tensor, n);
			return;
		}
	}
	json_array_foreach(value, i, inner)
		find_tensors(inner, depth + 1, tensor, n);
	json_object_foreach((json_t *)(uintptr_t)value, key, inner)
		find_tensors(inner, depth + 1, tensor, n);
}

static size_t index_of(const struct model *model, const char *name)
{
	const json_t *layer;
	size_t i;

	json_array_foreach(model->layers, i, layer) {
		const char *other = mls_keras_text(layer, "name");

		if (!other)
			other = mls_keras_name_of(layer);
		if (other && strcmp(other, name) == 0)
			return i;
	}
	return json_array_size(model->layers);
}

/* The one tensor that one call of a layer takes; a layer without calls is an input. */
static int step_back(struct mls_keras *k, const struct model *model, struct tensor *tensor,
		     size_t *index, bool *is_input)
{
	const json_t *nodes, *node;
	uint32_t n = 0;

	*index = index_of(model, tensor->layer);
	if (*index == json_array_size(model->layers))
		return mls_keras_bad(k, -EINVAL, model->place,
				     "expected a layer called %.60s, found none", tensor->layer);
	nodes = json_object_get(json_array_get(model->layers, *index), "inbound_nodes");
	*is_input = json_array_size(nodes) == 0;
	if (*is_input)
		return 0;
	node = tensor->node < 0 ? NULL : json_array_get(nodes, (size_t)tensor->node);
	if (!node)
		return mls_keras_bad(k, -EINVAL, model->place,
				     "layer %.60s: expected call %lld, found %zu calls",
				     tensor->layer, (long long)tensor->node,
				     json_array_size(nodes));
	find_tensors(node, 0, tensor, &n);
	if (n == 1)
		return 0;
	return mls_keras_bad(k, -ENOTSUP, model->place,
			     "layer %.60s: expected one input, found %u: not a chain of layers",
			     mls_keras_name_of(json_array_get(model->layers, *index)), n);
}

static int one_end(struct mls_keras *k, const struct model *model, const json_t *config,
		   const char *key, struct tensor *end)
{
	uint32_t n = 0;

	find_tensors(json_object_get(config, key), 0, end, &n);
	return n == 1 ? 0 :
			mls_keras_bad(k, -ENOTSUP, model->place, "%s: expected one, found %u", key,
				      n);
}

static int add_graph(struct mls_keras *k, const struct model *model, const json_t *config)
{
	struct tensor tensor = { 0 }, input = { 0 };
	size_t chain[MAX_LAYERS];
	bool is_input = false;
	uint32_t n = 0;
	int ret = one_end(k, model, config, "input_layers", &input);

	if (!ret)
		ret = one_end(k, model, config, "output_layers", &tensor);
	while (!ret && !is_input) {
		if (n == MAX_LAYERS)
			return mls_keras_bad(
				k, -EINVAL, model->place,
				"expected at most %d layers in a row, found more, or a "
				"cycle",
				MAX_LAYERS);
		ret = step_back(k, model, &tensor, &chain[n++], &is_input);
	}
	while (!ret && n > 0)
		ret = add_layer(k, model, chain[--n]);
	return ret;
}

/* ---- models ------------------------------------------------------------------------------------- */

static int add_list(struct mls_keras *k, const struct model *model)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < json_array_size(model->layers); i++)
		ret = add_layer(k, model, i);
	return ret;
}

/* @layer: what it is in @above; both NULL for the whole model. */
static int add_model(struct mls_keras *k, const json_t *object, const struct model *above,
		     const struct mls_keras_layer *layer)
{
	const char *class_name = mls_keras_text(object, "class_name"), *group = NULL;
	const json_t *config = json_object_get(object, "config");
	struct model model = {
		.place = layer ? layer->place : "the model",
		.layers = json_is_array(config) ? config : json_object_get(config, "layers"),
		.outer = layer ? layer->outer : NULL,
		.within = k->store->root,
		.depth = above ? above->depth + 1 : 0,
	};
	int ret = 0;

	if (class_name)
		group = mls_keras_group_of(class_name);
	if (!group || (strcmp(group, "sequential") != 0 && strcmp(group, "functional") != 0))
		return mls_keras_bad(k, -ENOTSUP, model.place,
				     "expected a Sequential or a Functional model, found %.60s",
				     class_name ? class_name : "none");
	if (!json_is_array(model.layers) || json_array_size(model.layers) > MAX_LAYERS)
		return mls_keras_bad(k, -EINVAL, model.place,
				     "expected a list of at most %d layers, found %s", MAX_LAYERS,
				     json_is_array(model.layers) ? "more" : "none");
	if (model.depth > MLS_KERAS_INSIDE)
		return mls_keras_bad(k, -ENOTSUP, model.place,
				     "expected at most %d models inside each other",
				     MLS_KERAS_INSIDE);
	if (layer)
		ret = mls_keras_inside(k, layer, &model.within);
	if (ret)
		return ret;
	return strcmp(group, "sequential") == 0 ? add_list(k, &model) :
						  add_graph(k, &model, config);
}

int mls_keras_walk(struct mls_keras *k, const json_t *root)
{
	if (!json_is_object(root))
		return mls_keras_bad(k, -EINVAL, "the model", "expected an object of JSON");
	return add_model(k, root, NULL, NULL);
}
