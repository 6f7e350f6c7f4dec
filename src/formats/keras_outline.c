// SPDX-License-Identifier: GPL-2.0
/*
 * What the architecture of a Keras model tells that is no model of ours: all its layers, as
 * they stand in the file, also those that do not lead to the output.
 */
#include <stdio.h>
#include <string.h>

#include "src/formats/keras.h"
#include "src/formats/outline.h"
#include "src/util/array.h"

/* A shape as Keras writes it: null is open. */
static bool append_shape(struct mls_outline_line *line, const json_t *shape)
{
	int64_t dims[MLS_MAX_RANK];
	const json_t *dim;
	size_t i;

	if (!json_is_array(shape) || json_array_size(shape) > MLS_MAX_RANK)
		return false;
	json_array_foreach(shape, i, dim) {
		if (!json_is_integer(dim) && !json_is_null(dim))
			return false;
		dims[i] = json_is_null(dim) ? -1 : json_integer_value(dim);
	}
	mls_outline_dims(line, dims, json_array_size(shape));
	return true;
}

/* By name, or by the class that it is an object of. */
static const char *function_name(const json_t *value)
{
	if (json_is_object(value) && json_is_string(json_object_get(value, "config")))
		return mls_keras_text(value, "config");
	return json_is_object(value) ? mls_keras_text(value, "class_name") :
				       json_string_value(value);
}

static void describe(struct mls_outline *outline, const json_t *layer, const json_t *config,
		     struct mls_outline_part *part)
{
	/* What says how large a layer is; of Keras's own layers each has one of them at most. */
	static const char *const sizes[] = { "units", "filters", "output_dim", "rate" };
	const char *function = function_name(json_object_get(config, "activation"));
	const json_t *built = json_object_get(layer, "build_config");
	struct mls_outline_line line = { 0 };

	if (!append_shape(&line, json_object_get(config, "batch_shape")) &&
	    !append_shape(&line, json_object_get(config, "batch_input_shape")))
		append_shape(&line, json_object_get(built, "input_shape"));
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		const json_t *size = json_object_get(config, sizes[i]);

		if (!json_is_number(size))
			continue;
		mls_outline_append(&line, "%s%s %g", line.used ? ", " : "", sizes[i],
				   json_number_value(size));
		if (i == 0 && !part->objection[0] &&
		    !(json_number_value(size) <= MLSCHED_MAX_WIDTH)) {
			part->objection =
				mls_outline_text(outline, "more than %d units", MLSCHED_MAX_WIDTH);
			part->large = true;
		}
	}
	if (function)
		mls_outline_append(&line, "%s%.40s", line.used ? ", " : "", function);
	part->detail = mls_outline_text(outline, "%s", line.text);
}

/* Where its weights are, of a layer that is in no other one. */
static const char *group_of(struct mls_outline *outline, bool by_name, const char *name,
			    const char *group, uint32_t before)
{
	if (by_name)
		return mls_outline_text(outline, ": model_weights/%.100s/", name);
	if (!group)
		return "";
	return before ? mls_outline_text(outline, ": layers/%.60s_%u/", group, before) :
			mls_outline_text(outline, ": layers/%.60s/", group);
}

static void show_layers(struct mls_outline *outline, bool by_name, const json_t *model, int depth);

static void show_layer(struct mls_outline *outline, bool by_name, const json_t *layers,
		       size_t index, int depth)
{
	const json_t *layer = json_array_get(layers, index);
	const json_t *config = json_object_get(layer, "config");
	const char *kind = mls_keras_text(layer, "class_name"), *name = mls_keras_name_of(layer);
	const char *group = kind ? mls_keras_group_of(kind) : NULL;
	struct mls_outline_part *part;

	name = name ? name : "without a name";
	part = mls_outline_add(outline, name, kind ? kind : "no class");
	if (!part)
		return;
	part->place = mls_outline_text(outline, MLS_KERAS_PLACE, name, kind ? kind : "");
	if (!group)
		part->objection = "no layer of dense networks";
	describe(outline, layer, config, part);
	if (depth == 0)
		part->group = group_of(outline, by_name, name, group,
				       group ? mls_keras_count(layers, index, group) : 0);
	if (group && (strcmp(group, "sequential") == 0 || strcmp(group, "functional") == 0))
		show_layers(outline, by_name, layer, depth + 1);
}

static void show_layers(struct mls_outline *outline, bool by_name, const json_t *model, int depth)
{
	const json_t *config = json_object_get(model, "config"), *layers;

	layers = json_is_array(config) ? config : json_object_get(config, "layers");
	if (depth > MLS_KERAS_INSIDE)
		return;
	for (size_t i = 0; i < json_array_size(layers); i++)
		show_layer(outline, by_name, layers, i, depth);
}

static const json_t *first_shape(const json_t *model, int depth)
{
	const json_t *config = json_object_get(model, "config"), *layers, *first, *shape;

	shape = json_object_get(config, "batch_shape");
	if (!shape)
		shape = json_object_get(config, "batch_input_shape");
	if (!shape)
		shape = json_object_get(config, "build_input_shape");
	if (shape || depth > MLS_KERAS_INSIDE)
		return shape;
	layers = json_is_array(config) ? config : json_object_get(config, "layers");
	first = json_array_get(layers, 0);
	return first ? first_shape(first, depth + 1) : NULL;
}

void mls_keras_outline_layers(struct mls_outline *outline, bool by_name, const json_t *root)
{
	struct mls_outline_line line = { 0 };

	if (append_shape(&line, first_shape(root, 0)))
		snprintf(outline->input, sizeof(outline->input), "%.63s", line.text);
	show_layers(outline, by_name, root, 0);
}
