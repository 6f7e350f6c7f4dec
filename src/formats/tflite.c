// SPDX-License-Identifier: GPL-2.0
/*
 * Reading a LiteRT file: puts tflite_graph.c and network.c together.
 *
 * A file of n bytes makes us allocate at most 8 n bytes and 1 MiB, the model
 * included.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "src/formats/lower.h"
#include "src/formats/outline.h"
#include "src/formats/tflite.h"
#include "src/util/error.h"
#include "src/util/text.h"

/* The schema's file_identifier, behind the root's offset, and the only version that it had. */
#define MARK    "TFL3"
#define MARK_AT 4
#define VERSION 3

static const struct mls_fb_field model_version = { "the schema's version", 0, 4 };
static const struct mls_fb_field model_description = { "the model's description", 3, 1 };

/*
 * What TensorFlow's converter says of itself: a FlatBuffer within one of the buffers, as
 * tensorflow/compiler/mlir/lite/schema/conversion_metadata.fbs has it.
 */
#define CONVERSION "CONVERSION_METADATA"
/* Entries that are looked at; the converter writes two. */
#define MAX_METADATA 64

static const struct mls_fb_field model_buffers = { "the buffers", 4, 4 };
static const struct mls_fb_field model_metadata = { "the model's metadata", 6, 4 };
static const struct mls_fb_field buffer_data = { "a buffer's numbers", 0, 1 };
static const struct mls_fb_field metadata_name = { "a metadata's name", 0, 1 };
static const struct mls_fb_field metadata_buffer = { "a metadata's buffer", 1, 4 };
static const struct mls_fb_field conversion_environment = { "the environment", 0, 4 };
static const struct mls_fb_field environment_version = { "TensorFlow's version", 0, 1 };

bool mls_tflite_detect(const struct mls_look *look)
{
	if (look->is_directory)
		return false;
	return (look->n_head >= MARK_AT + strlen(MARK) &&
		memcmp(look->head + MARK_AT, MARK, strlen(MARK)) == 0) ||
	       mls_has_suffix(look->path, ".tflite");
}

int mls_tflite_damaged(const struct mls_fb *fb, const char *path, struct mlsched_error *err)
{
	return mls_error(err, -EINVAL, "Invalid LiteRT format: %s: %s", path, fb->why);
}

static int check_mark(const struct mls_blob *blob, struct mlsched_error *err)
{
	if (blob->size < MARK_AT + strlen(MARK))
		return mls_error(err, -EINVAL,
				 "Invalid LiteRT format: %s: expected \"" MARK
				 "\" at byte %d, found a file of %zu bytes",
				 blob->path, MARK_AT, blob->size);
	if (memcmp(blob->data + MARK_AT, MARK, strlen(MARK)) != 0)
		return mls_error(err, -EINVAL,
				 "Invalid LiteRT format: %s: expected \"" MARK
				 "\" at byte %d, found \"%.4s\"",
				 blob->path, MARK_AT, (const char *)blob->data + MARK_AT);
	return 0;
}

static int open_model(struct mls_fb *fb, const char *path, struct mlsched_error *err,
		      struct mls_fb_table *root)
{
	int64_t version;

	if (!mls_fb_root(fb, root) || !mls_fb_int(root, &model_version, 0, &version))
		return mls_tflite_damaged(fb, path, err);
	if (version != VERSION)
		return mls_error(err, -ENOTSUP,
				 "Invalid LiteRT format: %s: expected version %d of the schema, "
				 "found %" PRId64,
				 path, VERSION, version);
	return 0;
}

static bool is_text(const struct mls_fb_vector *vector, const char *text)
{
	return vector->n == strlen(text) &&
	       memcmp(vector->fb->data + vector->at, text, vector->n) == 0;
}

/* The buffer of metadata @entry; false when it is no such, or is damaged. */
static bool conversion_buffer(const struct mls_fb_vector *buffers, const struct mls_fb_table *entry,
			      struct mls_fb_vector *content)
{
	struct mls_fb_vector name;
	struct mls_fb_table buffer;
	int64_t index;

	return mls_fb_vector(entry, &metadata_name, &name) && is_text(&name, CONVERSION) &&
	       mls_fb_int(entry, &metadata_buffer, 0, &index) && index >= 0 && index < buffers->n &&
	       mls_fb_element(buffers, (uint32_t)index, &model_buffers, &buffer) &&
	       mls_fb_vector(&buffer, &buffer_data, content) && content->n;
}

/* "2.21.0"; "" where the file does not say, or not so that it can be read: nothing depends on it. */
static void converter_version(const struct mls_fb_table *root, char *version, size_t size)
{
	struct mls_fb_vector metadata, buffers, content = { 0 }, text;
	struct mls_fb_table entry, conversion, environment;
	bool found = false;
	struct mls_fb inner;

	version[0] = '\0';
	if (!mls_fb_vector(root, &model_metadata, &metadata) ||
	    !mls_fb_vector(root, &model_buffers, &buffers))
		return;
	for (uint32_t i = 0; !found && i < metadata.n && i < MAX_METADATA; i++)
		found = mls_fb_element(&metadata, i, &model_metadata, &entry) &&
			conversion_buffer(&buffers, &entry, &content);
	if (!found)
		return;
	inner = (struct mls_fb){ .data = content.fb->data + content.at, .size = content.n };
	if (mls_fb_root(&inner, &conversion) &&
	    mls_fb_table(&conversion, &conversion_environment, &found, &environment) && found &&
	    mls_fb_vector(&environment, &environment_version, &text) && text.n)
		snprintf(version, size, "%.*s", (int)(text.n < size ? text.n : size - 1),
			 (const char *)inner.data + text.at);
}

static int fill_meta(const struct mls_fb_table *root, const char *path, struct mlsched_error *err,
		     uint32_t n_inputs, struct mlsched_meta *meta)
{
	struct mls_fb_vector text;
	char version[24];
	int n;

	snprintf(meta->format, sizeof(meta->format), "tflite");
	if (n_inputs == 10)
		snprintf(meta->schema, sizeof(meta->schema), "seed10");
	if (!mls_fb_vector(root, &model_description, &text))
		return mls_tflite_damaged(root->fb, path, err);
	converter_version(root, version, sizeof(version));
	n = text.n < sizeof(meta->producer) ? (int)text.n : (int)sizeof(meta->producer) - 1;
	if (version[0])
		snprintf(meta->producer, sizeof(meta->producer), "tensorflow %s%s%.*s", version,
			 n ? ": " : "", n < 24 ? n : 24, (const char *)text.fb->data + text.at);
	else if (n > 0)
		snprintf(meta->producer, sizeof(meta->producer), "%.*s", n,
			 (const char *)text.fb->data + text.at);
	mls_clean_text(meta->producer);
	return 0;
}

int mls_tflite_read(const struct mls_blob *blob, struct mls_arena *arena, struct mlsched_error *err,
		    struct mlsched_model **model)
{
	struct mls_fb fb = { .data = blob->data, .size = blob->size };
	struct mlsched_meta meta = { .threshold = 0.5f };
	const struct mls_step *last = NULL;
	struct mls_network network;
	struct mls_fb_table root;
	int ret;

	ret = check_mark(blob, err);
	if (!ret)
		ret = open_model(&fb, blob->path, err, &root);
	if (!ret)
		ret = mls_tflite_walk(&root, blob->path, arena, err, &last);
	if (!ret)
		ret = mls_network_fold(last, blob->path, arena, err, &network);
	if (!ret)
		ret = fill_meta(&root, blob->path, err, network.layers[0].n_in, &meta);
	if (ret)
		return ret;
	return mls_network_model(&network, &meta, blob->path, arena, err, model);
}

int mls_tflite_load(const char *path, struct mlsched_error *err, struct mlsched_model **model)
{
	return mls_lower_load(path, "LiteRT", mls_tflite_read, err, model);
}

void mls_tflite_outline(const struct mls_blob *blob, struct mls_outline *outline)
{
	struct mls_fb fb = { .data = blob->data, .size = blob->size };
	struct mlsched_meta meta = { 0 };
	struct mlsched_error err;
	struct mls_fb_table root;

	outline->what = "operator";
	if (check_mark(blob, &err) != 0 || !mls_fb_root(&fb, &root))
		return;
	fill_meta(&root, blob->path, &err, 0, &meta);
	snprintf(outline->producer, sizeof(outline->producer), "%s", meta.producer);
	mls_tflite_outline_graph(&root, outline);
}

void mls_tflite_outline_path(const char *path, struct mls_outline *outline)
{
	mls_lower_outline(path, "LiteRT", mls_tflite_outline, outline);
}
