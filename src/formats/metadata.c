// SPDX-License-Identifier: GPL-2.0
/*
 * Reading and writing what assets/mlsched.json holds, wherever a format keeps it.
 *
 * Unknown keys are refused: a misspelt "threshold" that is silently ignored
 * would change every decision.  A later layout gets a later number in "mlsched".
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <mlsched/schema.h>
#include <mlsched/version.h>

#include "src/formats/metadata.h"
#include "src/util/error.h"
#include "src/util/array.h"
#include "src/util/json_text.h"

#define LAYOUT   1
#define MAX_SIZE ((size_t)1 << 20)
/* us: nobody is idle for longer than that beside work. */
#define MOST_OFFER 1e6

struct reading {
	const char *path;
	struct mls_arena *arena;
	struct mlsched_error *err;
	struct mlsched_meta *meta;
	json_int_t schema_version; /* 0: not given */
	bool has_mechanisms;
};

#define bad(r, code, text, ...)                                                                  \
	mls_error((r)->err, code, "Invalid %s format: %s: " text, (r)->arena->format, (r)->path, \
		  ##__VA_ARGS__)

/* @format: the key, and what was expected there in place of @found. */
__attribute__((format(printf, 3, 4))) static int unlike(struct reading *r, const json_t *found,
							const char *format, ...)
{
	char expected[160], text[MLS_JSON_TEXT];
	va_list args;

	va_start(args, format);
	vsnprintf(expected, sizeof(expected), format, args);
	va_end(args);
	return bad(r, -EINVAL, "%s, found %s", expected, mls_json_text(found, text));
}

static int read_layout(struct reading *r, const char *key, json_t *value)
{
	if (!json_is_integer(value))
		return unlike(r, value, "key \"%s\": expected an integer", key);
	if (json_integer_value(value) != LAYOUT)
		return bad(r, -ENOTSUP, "key \"%s\": expected layout %d, found %lld", key, LAYOUT,
			   (long long)json_integer_value(value));
	return 0;
}

static int copy_string(struct reading *r, const char *key, const json_t *value, char *to,
		       size_t size)
{
	if (!json_is_string(value))
		return unlike(r, value, "key \"%s\": expected a string", key);
	if (json_string_length(value) >= size)
		return bad(r, -EINVAL, "key \"%s\": expected at most %zu bytes, found %zu", key,
			   size - 1, json_string_length(value));
	memcpy(to, json_string_value(value), json_string_length(value) + 1);
	return 0;
}

static int read_schema(struct reading *r, const char *key, json_t *value)
{
	return copy_string(r, key, value, r->meta->schema, sizeof(r->meta->schema));
}

static int read_producer(struct reading *r, const char *key, json_t *value)
{
	return copy_string(r, key, value, r->meta->producer, sizeof(r->meta->producer));
}

static int read_schema_version(struct reading *r, const char *key, json_t *value)
{
	if (!json_is_integer(value) || json_integer_value(value) < 1)
		return unlike(r, value, "key \"%s\": expected a positive integer", key);
	r->schema_version = json_integer_value(value);
	return 0;
}

static int read_threshold(struct reading *r, const char *key, json_t *value)
{
	float t;

	if (!json_is_number(value))
		return unlike(r, value, "key \"%s\": expected a number", key);
	t = (float)json_number_value(value);
	if (!(t > 0 && t < 1))
		return bad(r, -EINVAL, "key \"%s\": expected a number between 0 and 1, found %g",
			   key, json_number_value(value));
	r->meta->threshold = t;
	return 0;
}

static int read_limits(struct reading *r, const json_t *object, const char *key, uint32_t *n,
		       const float **numbers)
{
	const json_t *array = json_object_get(object, key);
	size_t size = json_array_size(array);
	float *to;

	if (!json_is_array(array) || size < 1 || size > MLSCHED_MAX_WIDTH)
		return unlike(r, array,
			      "key \"calibration.%s\": expected an array of 1 to %d numbers", key,
			      MLSCHED_MAX_WIDTH);
	to = mls_arena_array(r->arena, size, sizeof(*to));
	if (!to)
		return mls_no_memory(r->arena, r->path, r->err);
	for (size_t i = 0; i < size; i++) {
		const json_t *value = json_array_get(array, i);

		to[i] = (float)json_number_value(value);
		if (!json_is_number(value) || !isfinite(to[i]))
			return unlike(
				r, value,
				"key \"calibration.%s\": expected a finite number at index %zu",
				key, i);
	}
	*n = (uint32_t)size;
	*numbers = to;
	return 0;
}

static int read_calibration(struct reading *r, const char *key, json_t *value)
{
	const float *min = NULL, *max = NULL;
	uint32_t n_min = 0, n_max = 0;
	int ret;

	if (!json_is_object(value) || json_object_size(value) != 2)
		return unlike(r, value, "key \"%s\": expected an object of \"min\" and \"max\"",
			      key);
	ret = read_limits(r, value, "min", &n_min, &min);
	if (!ret)
		ret = read_limits(r, value, "max", &n_max, &max);
	if (ret)
		return ret;
	if (n_min != n_max)
		return bad(r, -EINVAL,
			   "key \"%s\": expected as many minima as maxima, found %u and %u", key,
			   n_min, n_max);
	for (uint32_t i = 0; i < n_min; i++) {
		if (min[i] > max[i])
			return bad(r, -EINVAL,
				   "key \"%s\": expected min <= max, found %g and %g at index %u",
				   key, (double)min[i], (double)max[i], i);
	}
	r->meta->n_calibration = n_min;
	r->meta->input_min = min;
	r->meta->input_max = max;
	return 0;
}

static int read_provenance(struct reading *r, const char *key, json_t *value)
{
	char *text;

	if (!json_is_object(value))
		return unlike(r, value, "key \"%s\": expected an object", key);
	text = mls_json_dump(value, JSON_COMPACT | JSON_REAL_PRECISION(17));
	if (!text)
		return mls_error(r->err, -ENOMEM, "%s: no memory to read it", r->path);
	r->meta->provenance = mls_arena_string(r->arena, text, strlen(text));
	free(text);
	return r->meta->provenance ? 0 : mls_no_memory(r->arena, r->path, r->err);
}

static bool is_name(const char *name)
{
	return *name && !name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")];
}

/* What they mean is for whoever schedules: names that are not known there may be known here. */
static int read_mechanisms(struct reading *r, const char *key, json_t *value)
{
	char *to = r->meta->mechanisms;
	size_t used = 0, i;
	const json_t *name;

	if (!json_is_array(value))
		return unlike(r, value, "key \"%s\": expected an array", key);
	json_array_foreach(value, i, name) {
		if (!json_is_string(name) || !is_name(json_string_value(name)))
			return unlike(r, name, "key \"%s\": expected a name at index %zu", key, i);
		used += (size_t)snprintf(to + used, MLSCHED_MECHANISMS_SIZE - used, "%s%s",
					 i ? "," : "", json_string_value(name));
		if (used >= MLSCHED_MECHANISMS_SIZE)
			return bad(r, -EINVAL,
				   "key \"%s\": expected less than %d bytes of names, found %zu up "
				   "to index %zu",
				   key, MLSCHED_MECHANISMS_SIZE, used, i);
	}
	r->has_mechanisms = true;
	return 0;
}

static int read_offers(struct reading *r, const char *key, json_t *value)
{
	if (!json_is_array(value) || json_array_size(value) != MLSCHED_OFFERS)
		return unlike(r, value, "key \"%s\": expected an array of %d numbers", key,
			      MLSCHED_OFFERS);
	for (size_t i = 0; i < MLSCHED_OFFERS; i++) {
		const json_t *number = json_array_get(value, i);
		double us = json_number_value(number);

		if (!json_is_number(number) || !(us >= 0 && us <= MOST_OFFER))
			return unlike(r, number,
				      "key \"%s\": expected a number from 0 to %g at index %zu",
				      key, MOST_OFFER, i);
		r->meta->offers_us[i] = us;
	}
	r->meta->tuned = true;
	return 0;
}

static const struct {
	const char *key;
	int (*read)(struct reading *r, const char *key, json_t *value);
} keys[] = {
	{ "mlsched", read_layout },
	{ "schema", read_schema },
	{ "schema_version", read_schema_version },
	{ "threshold", read_threshold },
	{ "producer", read_producer },
	{ "calibration", read_calibration },
	{ "mechanisms", read_mechanisms },
	{ "offers_us", read_offers },
	{ "provenance", read_provenance },
};

static int read_object(struct reading *r, json_t *root)
{
	const char *key;
	json_t *value;

	if (!json_is_object(root))
		return unlike(r, root, "expected an object");
	if (!json_object_get(root, "mlsched"))
		return bad(r, -EINVAL,
			   "expected key \"mlsched\" with the number of the layout, "
			   "found none");
	json_object_foreach(root, key, value) {
		size_t i = 0;
		int ret;

		while (i < ARRAY_SIZE(keys) && strcmp(keys[i].key, key) != 0)
			i++;
		if (i == ARRAY_SIZE(keys))
			return bad(r, -EINVAL, "expected keys of layout %d, found \"%.60s\"",
				   LAYOUT, key);
		ret = keys[i].read(r, key, value);
		if (ret)
			return ret;
	}
	if (r->has_mechanisms != r->meta->tuned)
		return bad(r, -EINVAL,
			   "expected \"mechanisms\" and \"offers_us\", or neither, found \"%s\" "
			   "alone",
			   r->has_mechanisms ? "mechanisms" : "offers_us");
	return 0;
}

static int check_schema(struct reading *r)
{
	const struct mlsched_schema *schema = mlsched_schema_find(r->meta->schema);

	if (schema && r->schema_version && r->schema_version != schema->version)
		return bad(r, -ENOTSUP, "schema %s: expected version %u, found %lld", schema->name,
			   schema->version, (long long)r->schema_version);
	return 0;
}

/* The provenance is there a third time as text, and once more parsed while that is checked. */
size_t mls_metadata_weight(const struct mls_blob *text)
{
	int depth;

	return 2 * mls_json_weight(text->data, text->size, &depth) + 2 * text->size;
}

int mls_metadata_fits(const struct mls_blob *text, const struct mls_arena *arena,
		      struct mlsched_error *err)
{
	size_t left = arena->used < arena->limit ? arena->limit - arena->used : 0;
	size_t most = left < MLS_METADATA_MEMORY ? left : MLS_METADATA_MEMORY;
	size_t weight = mls_metadata_weight(text);

	if (weight <= most)
		return 0;
	return mls_error(err, -EFBIG,
			 "Invalid %s format: %s: expected JSON that unfolds to less than %zu "
			 "bytes, found %zu",
			 arena->format, text->path, most, weight);
}

int mls_metadata_parse(const struct mls_blob *blob, struct mls_arena *arena,
		       struct mlsched_error *err, struct mlsched_meta *meta)
{
	struct reading r = { .path = blob->path, .arena = arena, .err = err, .meta = meta };
	json_error_t error;
	json_t *root;
	int ret;

	if (blob->size > MAX_SIZE)
		return bad(&r, -EFBIG, "expected at most %zu bytes, found %zu", MAX_SIZE,
			   blob->size);
	root = mls_json_load(blob->data, blob->size, &error);
	if (!root && !error.text[0])
		return mls_error(err, -ENOMEM, "%s: no memory to read it", r.path);
	if (!root)
		return bad(&r, -EINVAL, "line %d, column %d: expected JSON, found: %s", error.line,
			   error.column, error.text);
	ret = read_object(&r, root);
	json_decref(root);
	return ret ? ret : check_schema(&r);
}

int mls_metadata_read(const struct mls_files *files, struct mls_arena *arena,
		      struct mlsched_error *err, struct mlsched_meta *meta, const char **path)
{
	struct mls_blob blob = { 0 };
	int ret;

	*path = NULL;
	ret = mls_file_slurp(files, MLS_METADATA_NAME, MAX_SIZE, arena, err, &blob);
	if (ret)
		return ret == -ENOENT ? 0 : ret;
	*path = blob.path;
	ret = mls_metadata_fits(&blob, arena, err);
	return ret ? ret : mls_metadata_parse(&blob, arena, err, meta);
}

int mls_metadata_check(const struct mlsched_meta *meta, const struct mls_arena *arena,
		       const char *path, uint32_t n_inputs, struct mlsched_error *err)
{
	const struct mlsched_schema *schema = mlsched_schema_find(meta->schema);

	if (!path)
		return 0;
	if (schema && schema->n_features != n_inputs)
		return mls_error(err, -EINVAL,
				 "Expected shape [?, %u], got [?, %u]: %s: the model's inputs are "
				 "not those of schema %s",
				 schema->n_features, n_inputs, path, schema->name);
	if (meta->n_calibration && meta->n_calibration != n_inputs)
		return mls_error(err, -EINVAL,
				 "Invalid %s format: %s: key \"calibration\": expected %u "
				 "inputs, found %u",
				 arena->format, path, n_inputs, meta->n_calibration);
	return 0;
}

static json_t *limits(const float *numbers, uint32_t n)
{
	json_t *array = json_array();

	for (uint32_t i = 0; array && i < n; i++) {
		if (json_array_append_new(array, json_real((double)numbers[i])) != 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

/* Names between commas. */
static json_t *names_json(const char *names)
{
	json_t *array = json_array();

	while (array && *names) {
		size_t n = strcspn(names, ",");

		if (json_array_append_new(array, json_stringn(names, n)) != 0) {
			json_decref(array);
			return NULL;
		}
		names += n + (names[n] == ',');
	}
	return array;
}

static json_t *offers_json(const double offers_us[MLSCHED_OFFERS])
{
	json_t *array = json_array();

	for (int i = 0; array && i < MLSCHED_OFFERS; i++) {
		if (json_array_append_new(array, json_real(offers_us[i])) != 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static int fill(json_t *root, const struct mlsched_meta *meta)
{
	const struct mlsched_schema *schema = mlsched_schema_find(meta->schema);
	json_error_t error;
	json_t *provenance;
	int bad = json_object_set_new(root, "mlsched", json_integer(LAYOUT));

	if (meta->schema[0])
		bad |= json_object_set_new(root, "schema", json_string(meta->schema));
	if (schema)
		bad |= json_object_set_new(root, "schema_version", json_integer(schema->version));
	bad |= json_object_set_new(root, "threshold", json_real((double)meta->threshold));
	bad |= json_object_set_new(root, "producer", json_string("mlsched " MLSCHED_VERSION));
	if (meta->n_calibration) {
		json_t *calibration = json_object();

		bad |= json_object_set_new(calibration, "min",
					   limits(meta->input_min, meta->n_calibration));
		bad |= json_object_set_new(calibration, "max",
					   limits(meta->input_max, meta->n_calibration));
		bad |= json_object_set_new(root, "calibration", calibration);
	}
	if (meta->tuned) {
		bad |= json_object_set_new(root, "mechanisms", names_json(meta->mechanisms));
		bad |= json_object_set_new(root, "offers_us", offers_json(meta->offers_us));
	}
	if (!meta->provenance || bad)
		return bad ? -ENOMEM : 0;
	provenance = mls_json_load(meta->provenance, strlen(meta->provenance), &error);
	if (provenance && !json_is_object(provenance)) {
		json_decref(provenance);
		return -EINVAL;
	}
	if (provenance)
		return json_object_set_new(root, "provenance", provenance) ? -ENOMEM : 0;
	return json_error_code(&error) == json_error_invalid_syntax ? -EINVAL : -ENOMEM;
}

int mls_metadata_text(const struct mlsched_model *model, struct mlsched_error *err, char **text)
{
	json_t *root = json_object();
	int ret = root ? fill(root, mlsched_model_meta(model)) : -ENOMEM;
	char *dump = NULL;

	if (!ret) {
		/* Nine digits name a float32; more would only look precise. */
		dump = mls_json_dump(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
		ret = dump ? 0 : -ENOMEM;
	}
	json_decref(root);
	if (ret == -EINVAL)
		return mls_error(err, ret,
				 "provenance: expected a JSON object as text, found: %.60s",
				 mlsched_model_meta(model)->provenance);
	if (ret)
		return mls_error(err, ret, "no memory for the text of " MLS_METADATA_NAME);
	*text = dump;
	return 0;
}

int mls_metadata_readable(const char *text, const char *path, struct mlsched_error *err)
{
	const struct mls_blob blob = { path, (const uint8_t *)text, strlen(text) };
	size_t weight = mls_metadata_weight(&blob);

	if (weight <= MLS_METADATA_MEMORY)
		return 0;
	return mls_error(err, -EFBIG,
			 "Cannot write model: %s: expected meta data that unfold to less than %zu "
			 "bytes, found %zu: is the provenance that long?",
			 path, MLS_METADATA_MEMORY, weight);
}
