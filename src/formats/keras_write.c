// SPDX-License-Identifier: GPL-2.0
/*
 * Writing Keras models, .h5, .keras and .weights.h5, which Keras 2 and Keras 3 both read.  The .h5
 * is laid out as Keras 2 does it, which Keras 3 reads as well.  The .keras says nothing that
 * only one of them understands: no InputLayer, whose argument has another name in either,
 * but the shape for which the model is to be built; and the weights are found at the
 * paths of Keras 3, which are those of Keras 2.13 to 2.15, and at those of Keras 2.12.  The same
 * weights without the rest are a .weights.h5.
 *
 * What is more than weights is a Sequential model with a Normalization in front if the model has
 * one, and a Dense layer for each of ours; activations that Keras 2 knows as layers only are layers
 * behind it.  Weights are bit by bit what they are.
 */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/formats/format.h"
#include "src/formats/hdf5.h"
#include "src/formats/metadata.h"
#include "src/formats/replace.h"
#include "src/formats/zip.h"
#include "src/util/error.h"
#include "src/util/json_text.h"
#include "src/util/text.h"

/* What the files say that they are of: the Keras 2 that TensorFlow 2.12 has, and the first of Keras 3. */
#define VERSION_H5    "2.12.0"
#define VERSION_KERAS "3.0.0"
#define MODEL_NAME    "mlsched"
#define INPUT_NAME    "features"
/* Where Keras 2.12 has the layers in a .keras. */
#define OLD_LAYERS "_layer_checkpoint_dependencies"
/* Of a file by that name Keras loads and saves weights alone. */
#define BARE ".weights.h5"
#define ELSE "a name that ends in .h5 but not in " BARE ", or in .keras, is one of a whole model"
/* Keras divides by no less, whatever the variance. */
#define MIN_DEVIATION 1e-7f
/* The square of a larger one is none of float32. */
#define MAX_DEVIATION 1.8446742e19f
/* All that is sent, and the file, twice. */
#define MEMORY ((size_t)64 << 20)

/* A model while it is written. */
struct writer {
	const struct mlsched_model *model;
	const char *path;
	struct mls_arena arena;
	struct mlsched_error *err;
	bool archive; /* .keras, else .h5, */
	bool bare; /* of weights alone */
	char *metadata;
	json_t *layers; /* of the configuration */
	struct mls_h5 *h5;
};

static int no_memory(const struct writer *w)
{
	return mls_error(w->err, -ENOMEM, "Cannot write model: %s: no memory", w->path);
}

/* ---- architecture -------------------------------------------------------------------------- */

/* Appends a layer and takes its settings over: Keras 3 says where it finds the class. */
static int add_layer(struct writer *w, const char *class_name, json_t *config)
{
	json_t *layer = json_pack("{s:s, s:o}", "class_name", class_name, "config", config);

	if (w->archive && layer &&
	    (json_object_set_new(layer, "module", json_string("keras.layers")) != 0 ||
	     json_object_set_new(layer, "registered_name", json_null()) != 0)) {
		json_decref(layer);
		layer = NULL;
	}
	return json_array_append_new(w->layers, layer) == 0 ? 0 : no_memory(w);
}

/* Of a .h5, where every Keras takes it. */
static int add_input(struct writer *w)
{
	json_t *config = json_pack("{s:[n, i], s:s, s:s}", "batch_input_shape",
				   (int)mlsched_model_inputs(w->model), "dtype", "float32", "name",
				   INPUT_NAME);

	return add_layer(w, "InputLayer", config);
}

static json_t *numbers(const float *values, uint32_t n, bool square)
{
	json_t *list = json_array();

	/* The root of a square is the number itself, bit by bit, as long as it is in range. */
	for (uint32_t i = 0; i < n; i++) {
		float value = square ? values[i] * values[i] : values[i];

		if (json_array_append_new(list, json_real((double)value)) != 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static int add_normalization(struct writer *w)
{
	uint32_t n = mlsched_model_inputs(w->model);
	const float *mean, *deviation;

	mlsched_model_normalization(w->model, &mean, &deviation);
	if (!mean)
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		if (!(deviation[i] >= MIN_DEVIATION && deviation[i] <= MAX_DEVIATION))
			return mls_error(
				w->err, -ENOTSUP,
				"Cannot write model: %s: normalization: expected deviations "
				"between %g and %g, as a Normalization of Keras can have "
				"them, found %g at [%u]",
				w->path, (double)MIN_DEVIATION, (double)MAX_DEVIATION,
				(double)deviation[i], i);
	}
	return add_layer(w, "Normalization",
			 json_pack("{s:s, s:b, s:s, s:[i], s:o, s:o}", "name", "normalization",
				   "trainable", 1, "dtype", "float32", "axis", -1, "mean",
				   numbers(mean, n, false), "variance",
				   numbers(deviation, n, true)));
}

/* As Keras names them: dense, dense_1, ... */
static const char *dense_name(uint32_t index, char name[32])
{
	snprintf(name, 32, index ? "dense_%u" : "dense", index);
	return name;
}

/* What an activation is within a Dense layer; NULL: a layer of its own. */
static const char *function_of(const struct mlsched_layer *layer)
{
	static const char *const functions[MLSCHED_ACTIVATION_COUNT] = {
		[MLSCHED_LINEAR] = "linear",   [MLSCHED_RELU] = "relu",
		[MLSCHED_SIGMOID] = "sigmoid", [MLSCHED_TANH] = "tanh",
		[MLSCHED_SOFTMAX] = "softmax", [MLSCHED_ELU] = "elu",
	};

	return layer->activation == MLSCHED_ELU && layer->alpha != 1 ? NULL :
								       functions[layer->activation];
}

static int add_activation(struct writer *w, const char *dense, const struct mlsched_layer *layer)
{
	char name[64];

	snprintf(name, sizeof(name), "%s_activation", dense);
	switch (layer->activation) {
	case MLSCHED_RELU6:
		return add_layer(w, "ReLU",
				 json_pack("{s:s, s:b, s:s, s:f, s:f, s:f}", "name", name,
					   "trainable", 1, "dtype", "float32", "max_value", 6.0,
					   "negative_slope", 0.0, "threshold", 0.0));
	case MLSCHED_LEAKY_RELU:
		/* Keras 3 takes the old name, too. */
		return add_layer(w, "LeakyReLU",
				 json_pack("{s:s, s:b, s:s, s:f}", "name", name, "trainable", 1,
					   "dtype", "float32", "alpha", (double)layer->alpha));
	case MLSCHED_ELU:
		return add_layer(w, "ELU",
				 json_pack("{s:s, s:b, s:s, s:f}", "name", name, "trainable", 1,
					   "dtype", "float32", "alpha", (double)layer->alpha));
	default:
		return mls_error(w->err, -ENOTSUP,
				 "Cannot write model: %s: layer %s: expected an activation that "
				 "Keras has, found number %d",
				 w->path, dense, (int)layer->activation);
	}
}

static int add_dense(struct writer *w, uint32_t index, const struct mlsched_layer *layer)
{
	const char *function = function_of(layer);
	char name[32];
	int ret;

	ret = add_layer(w, "Dense",
			json_pack("{s:s, s:b, s:s, s:i, s:s, s:b}", "name", dense_name(index, name),
				  "trainable", 1, "dtype", "float32", "units", (int)layer->n_out,
				  "activation", function ? function : "linear", "use_bias",
				  layer->bias != NULL));
	return ret || function ? ret : add_activation(w, name, layer);
}

static int add_layers(struct writer *w)
{
	struct mlsched_layer layer;
	int ret;

	w->layers = json_array();
	if (!w->layers)
		return no_memory(w);
	ret = w->archive ? 0 : add_input(w);
	if (!ret)
		ret = add_normalization(w);
	for (uint32_t i = 0; !ret && mlsched_model_layer(w->model, i, &layer) == 0; i++)
		ret = add_dense(w, i, &layer);
	return ret;
}

/* The model's configuration as text, in the arena. */
static int make_config(struct writer *w, const char **text)
{
	json_t *model = json_pack("{s:s, s:{s:s, s:O}}", "class_name", "Sequential", "config",
				  "name", MODEL_NAME, "layers", w->layers);
	char *dumped;

	if (w->archive && model &&
	    (json_object_set_new(model, "module", json_string("keras")) != 0 ||
	     json_object_set_new(model, "registered_name", json_null()) != 0 ||
	     json_object_set_new(json_object_get(model, "config"), "build_input_shape",
				 json_pack("[n, i]", (int)mlsched_model_inputs(w->model))) != 0)) {
		json_decref(model);
		return no_memory(w);
	}
	dumped = mls_json_dump(model, JSON_COMPACT);
	json_decref(model);
	*text = dumped ? mls_arena_string(&w->arena, dumped, strlen(dumped)) : NULL;
	free(dumped);
	return *text ? 0 : no_memory(w);
}

/* ---- weights --------------------------------------------------------------------------------- */

static int put_group(struct writer *w, const char *path)
{
	return path ? mls_h5_put_group(w->h5, path) : no_memory(w);
}

static int put_tensor(struct writer *w, const char *path, uint32_t rows, uint32_t columns,
		      const float *values)
{
	return path ? mls_h5_put_tensor(w->h5, path, rows, columns, values) : no_memory(w);
}

/* .h5: model_weights/dense/dense/kernel:0, and lists of what there is. */
static int put_named(struct writer *w, const char *name, const struct mlsched_layer *layer)
{
	struct mls_arena *arena = &w->arena;
	const char *weights[2];
	const struct mls_h5_names names = { layer ? 1 + (layer->bias != NULL) : 0, weights };
	const char *group = mls_arena_printf(arena, "model_weights/%s", name);
	int ret = put_group(w, group);

	if (!ret && layer) {
		weights[0] = mls_arena_printf(arena, "%s/kernel:0", name);
		weights[1] = mls_arena_printf(arena, "%s/bias:0", name);
		if (!weights[0] || !weights[1])
			return no_memory(w);
		ret = put_group(w, mls_arena_printf(arena, "%s/%s", group, name));
	}
	if (!ret)
		ret = mls_h5_put_texts(w->h5, group, "weight_names", &names);
	if (!ret && layer)
		ret = put_tensor(w, mls_arena_printf(arena, "%s/%s", group, weights[0]),
				 layer->n_in, layer->n_out, layer->weights);
	if (!ret && layer && layer->bias)
		ret = put_tensor(w, mls_arena_printf(arena, "%s/%s", group, weights[1]),
				 layer->n_out, 0, layer->bias);
	return ret;
}

static int put_version(struct writer *w, const char *object)
{
	int ret = mls_h5_put_text(w->h5, object, "keras_version", VERSION_H5);

	return ret ? ret : mls_h5_put_text(w->h5, object, "backend", "tensorflow");
}

static int put_all_named(struct writer *w)
{
	const char *list[3 + 2 * MLSCHED_MAX_LAYERS];
	struct mls_h5_names names = { 0, list };
	const json_t *layer;
	uint32_t n_dense = 0;
	size_t i;
	int ret = put_group(w, "model_weights");

	if (!ret)
		ret = put_version(w, "model_weights");
	json_array_foreach(w->layers, i, layer) {
		const char *class_name = json_string_value(json_object_get(layer, "class_name"));
		bool is_dense = strcmp(class_name, "Dense") == 0;
		struct mlsched_layer weights;

		/* Keras 2 does not count the input among the layers. */
		if (ret || i == 0)
			continue;
		if (is_dense)
			mlsched_model_layer(w->model, n_dense++, &weights);
		list[names.n] = json_string_value(
			json_object_get(json_object_get(layer, "config"), "name"));
		ret = put_named(w, list[names.n++], is_dense ? &weights : NULL);
	}
	return ret ? ret : mls_h5_put_texts(w->h5, "model_weights", "layer_names", &names);
}

/*
 * Keras 2.12 finds a layer where it meets it first, in a list that has each of those with
 * weights twice, counted on in between; and it wants the model's own variables, of which
 * there are none.
 */
static int put_old_path(struct writer *w, uint32_t index, const char *group)
{
	char name[32];
	const char *path =
		mls_arena_printf(&w->arena, OLD_LAYERS "/%s", dense_name(2 * index, name));

	return path && group ? mls_h5_put_link(w->h5, path, group) : no_memory(w);
}

/* model.weights.h5: layers/dense_1/vars/0 and 1. */
static int put_all_counted(struct writer *w)
{
	struct mlsched_layer layer;
	int ret = put_group(w, "layers");

	if (!ret)
		ret = put_group(w, OLD_LAYERS);
	if (!ret)
		ret = put_group(w, "vars");
	for (uint32_t i = 0; !ret && mlsched_model_layer(w->model, i, &layer) == 0; i++) {
		char name[32];
		const char *group = mls_arena_printf(&w->arena, "layers/%s", dense_name(i, name));
		const char *variables = mls_arena_printf(&w->arena, "%s/vars", group ? group : "");

		ret = put_group(w, group);
		if (!ret)
			ret = put_group(w, variables);
		if (!ret)
			ret = put_tensor(w, mls_arena_printf(&w->arena, "%s/0", variables),
					 layer.n_in, layer.n_out, layer.weights);
		if (!ret && layer.bias)
			ret = put_tensor(w, mls_arena_printf(&w->arena, "%s/1", variables),
					 layer.n_out, 0, layer.bias);
		if (!ret)
			ret = put_old_path(w, i, group);
	}
	return ret;
}

/* ---- files -------------------------------------------------------------------------------------- */

static int make_h5(struct writer *w, struct mls_blob *content)
{
	const struct mls_blob file = { .path = w->path };
	const char *config;
	int ret = mls_h5_make(&file, &w->arena, w->err, &w->h5);

	if (ret)
		return ret;
	if (w->bare)
		ret = mls_h5_put_text(w->h5, "", "mlsched", w->metadata);
	if (!ret && (w->archive || w->bare)) {
		ret = put_all_counted(w);
	} else if (!ret) {
		ret = put_version(w, "");
		if (!ret)
			ret = make_config(w, &config);
		if (!ret)
			ret = mls_h5_put_text(w->h5, "", "model_config", config);
		if (!ret)
			ret = mls_h5_put_text(w->h5, "", "mlsched", w->metadata);
		if (!ret)
			ret = put_all_named(w);
	}
	if (!ret)
		ret = mls_h5_content(w->h5, content);
	mls_h5_close(w->h5);
	return ret;
}

static struct mls_blob text_blob(const char *name, const char *text)
{
	return (struct mls_blob){ name, (const uint8_t *)text, strlen(text) };
}

static int make_archive(struct writer *w, struct mls_blob *content)
{
	struct mls_blob members[4] = { { 0 } };
	const char *config;
	int ret = make_config(w, &config);

	if (ret)
		return ret;
	members[0] = text_blob("metadata.json", "{\"keras_version\": \"" VERSION_KERAS "\"}");
	members[1] = text_blob("config.json", config);
	members[3] = text_blob(MLS_METADATA_NAME, w->metadata);
	ret = make_h5(w, &members[2]);
	members[2].path = "model.weights.h5";
	return ret ? ret : mls_zip_make(w->path, members, 4, &w->arena, w->err, content);
}

/*
 * Weights alone say nothing of a normalisation, which would be lost, nor of activations, which
 * would be others: such a file is read as ReLU inside and a sigmoid at the end.
 */
static int refuse_more_than_weights(const struct writer *w)
{
	uint32_t n = mlsched_model_layers(w->model);
	const float *mean, *deviation;

	if (!w->bare)
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		enum mlsched_activation assumed = i + 1 < n ? MLSCHED_RELU : MLSCHED_SIGMOID;
		struct mlsched_layer layer;

		mlsched_model_layer(w->model, i, &layer);
		if (layer.activation != assumed)
			return mls_error(w->err, -ENOTSUP,
					 "Cannot write model: %s: layer %u: expected activation "
					 "%s, which a file of weights alone is read as, found "
					 "%s; " ELSE,
					 w->path, i, mlsched_activation_name(assumed),
					 mlsched_activation_name(layer.activation));
	}
	mlsched_model_normalization(w->model, &mean, &deviation);
	if (!mean)
		return 0;
	return mls_error(w->err, -ENOTSUP,
			 "Cannot write model: %s: normalization: expected none, for which a file "
			 "of weights alone has a place, found that of %u inputs; " ELSE,
			 w->path, mlsched_model_inputs(w->model));
}

static int save(const struct mlsched_model *model, const char *path, bool archive,
		struct mlsched_error *err)
{
	struct writer w = {
		.model = model,
		.path = path,
		.arena = MLS_ARENA_INIT(MEMORY),
		.err = err,
		.archive = archive,
		.bare = !archive && mls_has_suffix(path, BARE),
	};
	struct mls_blob content = { .path = path };
	int ret = mls_metadata_text(model, err, &w.metadata);

	w.arena.format = "Keras";
	if (!ret)
		ret = refuse_more_than_weights(&w);
	if (!ret)
		ret = add_layers(&w);
	if (!ret)
		ret = archive ? make_archive(&w, &content) : make_h5(&w, &content);
	if (!ret)
		ret = mls_replace_file(path, &content, err);
	json_decref(w.layers);
	free(w.metadata);
	mls_arena_free(&w.arena);
	return ret;
}

int mls_h5_save(const struct mlsched_model *model, const char *path,
		enum mlsched_savedmodel_form form, struct mlsched_error *err)
{
	(void)form;
	return save(model, path, false, err);
}

int mls_keras_save(const struct mlsched_model *model, const char *path,
		   enum mlsched_savedmodel_form form, struct mlsched_error *err)
{
	(void)form;
	return save(model, path, true, err);
}
