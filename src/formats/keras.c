// SPDX-License-Identifier: GPL-2.0
/*
 * Reading Keras models: .h5 files of Keras 2 and 3, with an architecture or without,
 * and .keras archives.
 *
 * What is allocated stays below 8 times the size of the file and 1 MiB: the arena's
 * limit sees to what is read, a look at the text of JSON to what jansson makes of it.
 * What libzip takes besides is within it, too, since the number of members is bounded
 * before it looks at them.  (What libhdf5 allocates, it allocates in another process,
 * which has its limit.)
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "src/formats/format.h"
#include "src/formats/hdf5_starter.h"
#include "src/formats/keras.h"
#include "src/formats/metadata.h"
#include "src/formats/outline.h"
#include "src/formats/zip.h"
#include "src/util/array.h"
#include "src/util/error.h"
#include "src/util/json_text.h"
#include "src/util/text.h"

/* Eight layers of 256 units with an optimiser's three copies are 8 MiB. */
#define MAX_FILE   ((size_t)64 << 20)
#define MAX_CONFIG ((size_t)1 << 20)
/* For each byte of the file: itself, unpacked, and as tensors. */
#define UNFOLD 5
#define BASE   ((size_t)400 << 10)
/* JSON in memory: what all of it may take, by mls_json_weight(), and how deep it may be. */
#define JSON_BASE  ((size_t)512 << 10)
#define JSON_DEPTH 64

/* What is read of a file. */
struct reading {
	const struct mls_h5_starter *starter; /* NULL: processes are ours to start */
	struct mls_arena *arena;
	struct mlsched_error *err;
	struct mls_blob file;
	struct mls_keras keras;
	struct mls_keras_store store;
	const char *format;
	const char *version; /* of Keras, NULL: the file does not say */
	bool is_bare;
	struct mls_blob metadata;
};

static int out_of_memory(const struct reading *r)
{
	return mls_no_memory(r->arena, r->file.path, r->err);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static int bad_json(struct reading *r, const struct mls_blob *blob, const char *what)
{
	return mls_error(r->err, -EINVAL, "Invalid %s format: %s: %s", r->arena->format, blob->path,
			 what);
}

static int weigh_json(struct reading *r, const struct mls_blob *blob)
{
	int depth;
	size_t weight = mls_json_weight(blob->data, blob->size, &depth);

	if (depth > JSON_DEPTH)
		return bad_json(r, blob, "expected lists and objects at most 64 deep, found more");
	return weight <= JSON_BASE + 2 * r->file.size ?
		       0 :
		       bad_json(r, blob,
				"expected JSON in keeping with the size of the file, found "
				"too many values");
}

static int read_json(struct reading *r, const struct mls_blob *blob, json_t **root)
{
	json_error_t error;
	int ret = weigh_json(r, blob);

	if (ret)
		return ret;
	*root = mls_json_load(blob->data, blob->size, &error);
	if (*root)
		return 0;
	if (!error.text[0])
		return mls_error(r->err, -ENOMEM, "%s: no memory to read it", blob->path);
	return mls_error(r->err, -EINVAL,
			 "Invalid %s format: %s: line %d, column %d: expected JSON, found: %s",
			 r->arena->format, blob->path, error.line, error.column, error.text);
}

/* ---- all formats ------------------------------------------------------------------------------- */

static void fill_meta(const struct reading *r, uint32_t n_inputs, struct mlsched_meta *meta)
{
	snprintf(meta->format, sizeof(meta->format), "%s", r->format);
	if (!meta->producer[0] && r->is_bare)
		snprintf(meta->producer, sizeof(meta->producer),
			 "keras weights only; assumed: relu inside, sigmoid last");
	else if (!meta->producer[0] && r->version)
		snprintf(meta->producer, sizeof(meta->producer), "keras %.40s", r->version);
	if (!r->metadata.data && n_inputs == 10)
		snprintf(meta->schema, sizeof(meta->schema), "seed10");
	mls_clean_text(meta->producer);
	mls_clean_text(meta->schema);
}

/* The steps are there: makes the model. */
static int finish(struct reading *r, struct mlsched_model **model)
{
	struct mlsched_meta meta = { .threshold = 0.5f };
	struct mls_network network;
	int ret = mls_network_fold(r->keras.last, r->keras.path, r->arena, r->err, &network);

	if (!ret && r->metadata.data)
		ret = mls_metadata_parse(&r->metadata, r->arena, r->err, &meta);
	if (!ret)
		ret = mls_metadata_check(&meta, r->arena, r->metadata.path, network.layers[0].n_in,
					 r->err);
	if (ret)
		return ret;
	fill_meta(r, network.layers[0].n_in, &meta);
	return mls_network_model(&network, &meta, r->keras.path, r->arena, r->err, model);
}

/* Walks the architecture, or does without when @config is NULL. */
static int take_steps(struct reading *r, const struct mls_blob *config, const char *path)
{
	json_t *root;
	int ret;

	r->keras = (struct mls_keras){
		.path = path,
		.arena = r->arena,
		.err = r->err,
		.store = &r->store,
		.n_dims = 1,
	};
	r->is_bare = !config;
	if (!config)
		return mls_keras_bare(&r->keras);
	ret = read_json(r, config, &root);
	if (ret)
		return ret;
	ret = mls_keras_walk(&r->keras, root);
	json_decref(root);
	if (!ret && !r->keras.last)
		ret = mls_keras_bad(&r->keras, -ENOTSUP, "the model",
				    "expected at least one dense layer, found none");
	return ret;
}

/* Which of the layouts of weights it is, by the names in the root. */
static int choose_root(struct reading *r)
{
	static const char *const roots[] = { "layers", "_layer_checkpoint_dependencies" };

	for (size_t i = 0; i < ARRAY_SIZE(roots); i++) {
		struct mls_keras_member *members;
		uint32_t n;
		int ret = mls_keras_members(&r->keras, roots[i], &members, &n);

		if (ret)
			return ret;
		r->store.root = roots[i];
		if (n > 0)
			return 0;
	}
	return mls_error(r->err, -EINVAL,
			 "Invalid %s format: %s: expected the group \"layers\" of a Keras model, "
			 "found none",
			 r->arena->format, mls_h5_path(r->store.files[0]));
}

/* ---- .h5 ------------------------------------------------------------------------------------------ */

static int read_h5_metadata(struct reading *r, struct mls_h5 *h5)
{
	const char *text;
	int ret = mls_h5_text(h5, "", "mlsched", &text);

	if (ret || !text)
		return ret;
	r->metadata.path = mls_arena_printf(r->arena, "%s: attribute mlsched", r->file.path);
	if (!r->metadata.path)
		return out_of_memory(r);
	r->metadata.data = (const uint8_t *)text;
	r->metadata.size = strlen(text);
	return 0;
}

static int read_h5_layers(struct reading *r, struct mls_h5 *h5, const char *config)
{
	struct mls_blob blob = { .data = (const uint8_t *)config };
	struct mls_h5_names names;
	enum mls_h5_kind kind;
	int ret;

	r->keras = (struct mls_keras){
		.path = r->file.path, .arena = r->arena, .err = r->err, .store = &r->store
	};
	if (config) {
		r->store.by_name = true;
		r->store.root = "model_weights";
		blob.size = strlen(config);
		blob.path = mls_arena_printf(r->arena, "%s: attribute model_config", r->file.path);
		return blob.path ? take_steps(r, &blob, r->file.path) : out_of_memory(r);
	}
	/* model.save_weights(): the groups in the root itself, or those of model.weights.h5. */
	ret = mls_h5_texts(h5, "", "layer_names", &names);
	if (!ret)
		ret = mls_h5_look(h5, "model_weights", &kind);
	if (ret)
		return ret;
	r->store.by_name = names.n > 0 || kind == MLS_H5_GROUP;
	r->store.root = names.n == 0 && kind == MLS_H5_GROUP ? "model_weights" : "";
	if (!r->store.by_name)
		ret = choose_root(r);
	return ret ? ret : take_steps(r, NULL, r->file.path);
}

static int read_h5(struct reading *r)
{
	struct mls_h5 *h5 = NULL;
	const char *config;
	int ret = mls_h5_open_by(&r->file, r->starter, r->arena, r->err, &h5);

	if (ret)
		return ret;
	r->store.files[0] = h5;
	r->store.n = 1;
	ret = mls_h5_text(h5, "", "model_config", &config);
	if (!ret)
		ret = mls_h5_text(h5, "", "keras_version", &r->version);
	if (!ret)
		ret = read_h5_metadata(r, h5);
	if (!ret)
		ret = read_h5_layers(r, h5, config);
	mls_h5_close(h5);
	return ret;
}

/* ---- .keras ----------------------------------------------------------------------------------------- */

static int read_version(struct reading *r, struct mls_zip *zip)
{
	struct mls_blob blob;
	const char *version;
	json_t *root;
	int ret = mls_zip_read(zip, "metadata.json", MAX_CONFIG, &blob);

	if (ret)
		return ret == -ENOENT ? 0 : ret;
	ret = read_json(r, &blob, &root);
	if (ret)
		return ret;
	version = json_string_value(json_object_get(root, "keras_version"));
	if (version) {
		r->version = mls_arena_string(r->arena, version, strlen(version));
		ret = r->version ? 0 : out_of_memory(r);
	}
	json_decref(root);
	return ret;
}

static int add_shard(struct reading *r, struct mls_zip *zip, const char *name,
		     struct mls_blob *blobs)
{
	char path[256];
	int ret;

	for (uint32_t i = 0; i < r->store.n; i++) {
		if (strcmp(strrchr(blobs[i].path, '/') + 1, name) == 0)
			return 0;
	}
	if (r->store.n == MLS_KERAS_MAX_SHARDS)
		return mls_error(r->err, -EINVAL,
				 "Invalid %s format: %s: expected at most %d shards, found %.60s "
				 "beyond them",
				 r->arena->format, r->file.path, MLS_KERAS_MAX_SHARDS, name);
	snprintf(path, sizeof(path), "%s", name);
	ret = strchr(name, '/') ? -ENOENT : mls_zip_read(zip, path, MAX_FILE, &blobs[r->store.n]);
	if (ret == -ENOENT)
		return mls_error(r->err, -EINVAL,
				 "Invalid %s format: %s: expected the shard %.60s, found no such "
				 "member",
				 r->arena->format, r->file.path, name);
	return ret ? ret : (r->store.n++, 0);
}

/* model.weights.json: { "weight_map": { "/layers/dense/vars": "model_00000.weights.h5" or a list } } */
static int read_shards(struct reading *r, struct mls_zip *zip, const struct mls_blob *index,
		       struct mls_blob *blobs)
{
	const json_t *map, *value, *name;
	const char *key;
	json_t *root;
	size_t i;
	int ret = read_json(r, index, &root);

	if (ret)
		return ret;
	map = json_object_get(root, "weight_map");
	if (!json_is_object(map))
		ret = bad_json(r, index, "key \"weight_map\": expected an object, found none");
	json_object_foreach((json_t *)(uintptr_t)map, key, value) {
		if (!ret && json_is_string(value))
			ret = add_shard(r, zip, json_string_value(value), blobs);
		json_array_foreach(value, i, name) {
			if (!ret && json_is_string(name))
				ret = add_shard(r, zip, json_string_value(name), blobs);
		}
	}
	if (!ret && r->store.n == 0)
		ret = bad_json(r, index,
			       "key \"weight_map\": expected names of shards, found none");
	json_decref(root);
	return ret;
}

static int no_weights(struct reading *r, struct mls_zip *zip)
{
	struct mls_blob blob;
	int ret = mls_zip_read(zip, "model.weights.npz", MAX_FILE, &blob);

	if (ret && ret != -ENOENT)
		return ret;
	return mls_error(r->err, ret ? -EINVAL : -ENOTSUP,
			 "Invalid %s format: %s: expected the member model.weights.h5, found %s",
			 r->arena->format, r->file.path, ret ? "no weights" : "model.weights.npz");
}

/* The files of weights, still closed. */
static int read_weights(struct reading *r, struct mls_zip *zip, struct mls_blob *blobs)
{
	struct mls_blob index;
	int ret = mls_zip_read(zip, "model.weights.h5", MAX_FILE, &blobs[0]);

	if (ret != -ENOENT) {
		r->store.n = 1;
		return ret;
	}
	ret = mls_zip_read(zip, "model.weights.json", MAX_CONFIG, &index);
	if (ret == -ENOENT)
		return no_weights(r, zip);
	return ret ? ret : read_shards(r, zip, &index, blobs);
}

static int read_layers(struct reading *r, const struct mls_blob *config,
		       const struct mls_blob *blobs)
{
	uint32_t n = r->store.n;
	int ret = 0;

	r->keras = (struct mls_keras){
		.path = config->path, .arena = r->arena, .err = r->err, .store = &r->store
	};
	r->store.n = 0;
	while (!ret && r->store.n < n) {
		ret = mls_h5_open_by(&blobs[r->store.n], r->starter, r->arena, r->err,
				     &r->store.files[r->store.n]);
		r->store.n += !ret;
	}
	if (!ret)
		ret = choose_root(r);
	if (!ret)
		ret = take_steps(r, config, config->path);
	for (uint32_t i = 0; i < r->store.n; i++)
		mls_h5_close(r->store.files[i]);
	return ret;
}

static int read_members(struct reading *r, struct mls_zip *zip)
{
	struct mls_blob blobs[MLS_KERAS_MAX_SHARDS], config;
	int ret = mls_zip_read(zip, "config.json", MAX_CONFIG, &config);

	if (ret == -ENOENT)
		return mls_error(r->err, -EINVAL,
				 "Invalid %s format: %s: expected the member config.json, found no "
				 "architecture",
				 r->arena->format, r->file.path);
	if (!ret)
		ret = read_version(r, zip);
	if (!ret)
		ret = read_weights(r, zip, blobs);
	if (!ret)
		ret = mls_zip_read(zip, MLS_METADATA_NAME, MAX_CONFIG, &r->metadata);
	if (ret && ret != -ENOENT)
		return ret;
	return read_layers(r, &config, blobs);
}

static int read_archive(struct reading *r)
{
	struct mls_zip *zip;
	int ret = mls_zip_open(&r->file, r->arena, r->err, &zip);

	if (ret)
		return ret;
	ret = read_members(r, zip);
	mls_zip_close(zip);
	return ret;
}

/* ---- what load.c calls -------------------------------------------------------------------------------- */

/* Keras itself has written .h5 under the name .keras: the content counts. */
static int read_any(struct reading *r, struct mlsched_model **model)
{
	bool is_zip = mls_zip_detect(r->file.data, r->file.size);
	int ret;

	if (!is_zip && !mls_h5_detect(r->file.data, r->file.size))
		return mls_error(r->err, -EINVAL,
				 "Invalid %s format: %s: expected an HDF5 file or a zip archive, "
				 "found %s",
				 r->arena->format, r->file.path,
				 r->file.size ? "a file that begins otherwise" : "0 bytes");
	r->format = is_zip ? "keras" : "h5";
	ret = is_zip ? read_archive(r) : read_h5(r);
	return ret ? ret : finish(r, model);
}

int mls_keras_read(const struct mls_blob *file, struct mlsched_error *err,
		   struct mlsched_model **model)
{
	struct mls_arena arena = mls_keras_arena(file->size);
	struct reading r = { .arena = &arena, .err = err, .file = *file };
	int ret;

	ret = read_any(&r, model);
	mls_arena_free(&arena);
	return ret;
}

int mls_keras_load(const char *path, struct mlsched_error *err, struct mlsched_model **model)
{
	return mls_keras_load_by(path, NULL, err, model);
}

int mls_keras_load_by(const char *path, const struct mls_h5_starter *starter,
		      struct mlsched_error *err, struct mlsched_model **model)
{
	struct mls_arena arena = mls_keras_arena(0);
	struct reading r = { .starter = starter, .arena = &arena, .err = err };
	int ret;

	ret = mls_file_slurp_path(path, MAX_FILE, UNFOLD, &arena, err, &r.file);
	if (!ret)
		ret = read_any(&r, model);
	mls_arena_free(&arena);
	return ret;
}

/* ---- what of it can be told, where it is not taken ---------------------------------------- */

static void outline_config(struct reading *r, bool by_name, const struct mls_blob *config,
			   struct mls_outline *outline)
{
	json_t *root;

	if (read_json(r, config, &root) != 0)
		return;
	mls_keras_outline_layers(outline, by_name, root);
	json_decref(root);
}

/* Of a file that holds weights alone: groups that are called like layers. */
static void outline_groups(struct reading *r, struct mls_h5 *h5, struct mls_outline *outline)
{
	static const char *const roots[] = { "model_weights", "layers",
					     "_layer_checkpoint_dependencies", "" };
	struct mls_keras_member *members;
	uint32_t n = 0;

	r->keras = (struct mls_keras){
		.path = r->file.path, .arena = r->arena, .err = r->err, .store = &r->store
	};
	r->store.files[0] = h5;
	r->store.n = 1;
	for (size_t i = 0; n == 0 && i < ARRAY_SIZE(roots); i++) {
		if (mls_keras_members(&r->keras, roots[i], &members, &n) != 0)
			return;
	}
	for (uint32_t i = 0; i < n; i++) {
		struct mls_outline_part *part =
			mls_outline_add(outline, members[i].name, "weights alone");

		if (part)
			part->place = mls_outline_text(outline, "layer %.100s", members[i].name);
	}
}

static void outline_h5(struct reading *r, struct mls_outline *outline)
{
	struct mls_blob config = { .path = r->file.path };
	const char *text;
	struct mls_h5 *h5;

	if (mls_h5_open(&r->file, r->arena, r->err, &h5) != 0)
		return;
	if (mls_h5_text(h5, "", "keras_version", &r->version) != 0)
		r->version = NULL;
	if (mls_h5_text(h5, "", "model_config", &text) == 0) {
		config.data = (const uint8_t *)text;
		config.size = text ? strlen(text) : 0;
		if (text)
			outline_config(r, true, &config, outline);
		else
			outline_groups(r, h5, outline);
	}
	mls_h5_close(h5);
}

static void outline_archive(struct reading *r, struct mls_outline *outline)
{
	struct mls_blob config;
	struct mls_zip *zip;

	if (mls_zip_open(&r->file, r->arena, r->err, &zip) != 0)
		return;
	if (read_version(r, zip) != 0)
		r->version = NULL;
	if (mls_zip_read(zip, "config.json", MAX_CONFIG, &config) == 0)
		outline_config(r, false, &config, outline);
	mls_zip_close(zip);
}

void mls_keras_outline(const struct mls_blob *blob, struct mls_outline *outline)
{
	struct mlsched_error err;
	struct reading r = { .arena = &outline->arena, .err = &err, .file = *blob };

	outline->what = "layer";
	if (mls_zip_detect(blob->data, blob->size))
		outline_archive(&r, outline);
	else if (mls_h5_detect(blob->data, blob->size))
		outline_h5(&r, outline);
	if (r.version)
		snprintf(outline->producer, sizeof(outline->producer), "keras %.40s", r.version);
	mls_clean_text(outline->producer);
}

struct mls_arena mls_keras_arena(size_t size)
{
	struct mls_arena arena = MLS_ARENA_INIT(BASE + size * UNFOLD);

	arena.format = "Keras";
	return arena;
}

void mls_keras_outline_path(const char *path, struct mls_outline *outline)
{
	struct mls_blob blob = { 0 };
	struct mlsched_error err;

	outline->arena = mls_keras_arena(0);
	if (mls_file_slurp_path(path, MAX_FILE, UNFOLD, &outline->arena, &err, &blob) == 0)
		mls_keras_outline(&blob, outline);
}

int mls_keras_ahead(struct mls_h5_starter *starter, struct mlsched_error *err)
{
	mls_zip_ahead();
	return mls_h5_starter_open(err, starter);
}

static bool is_called(const struct mls_look *look, const char *suffix)
{
	return !look->is_directory && mls_has_suffix(look->path, suffix);
}

/* What has the name of a format and nothing of its content is refused by its reader: it says why. */
bool mls_h5_format_detect(const struct mls_look *look)
{
	return mls_h5_detect(look->head, look->n_head) ||
	       (!mls_zip_detect(look->head, look->n_head) &&
		(is_called(look, ".h5") || is_called(look, ".hdf5")));
}

bool mls_keras_format_detect(const struct mls_look *look)
{
	return mls_zip_detect(look->head, look->n_head) || is_called(look, ".keras");
}
