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
#include "src/formats/tflite.h"
#include "src/util/error.h"

/* The schema's file_identifier, behind the root's offset, and the only version that it had. */
#define MARK    "TFL3"
#define MARK_AT 4
#define VERSION 3

static const struct mls_fb_field model_version = { "the schema's version", 0, 4 };
static const struct mls_fb_field model_description = { "the model's description", 3, 1 };

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), size = strlen(end);

	return n > size && strcmp(text + n - size, end) == 0;
}

bool mls_tflite_detect(const struct mls_look *look)
{
	if (look->is_directory)
		return false;
	return (look->n_head >= MARK_AT + strlen(MARK) &&
		memcmp(look->head + MARK_AT, MARK, strlen(MARK)) == 0) ||
	       ends_with(look->path, ".tflite");
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

static int fill_meta(const struct mls_fb_table *root, const char *path, struct mlsched_error *err,
		     uint32_t n_inputs, struct mlsched_meta *meta)
{
	struct mls_fb_vector text;
	int n;

	snprintf(meta->format, sizeof(meta->format), "tflite");
	if (n_inputs == 10)
		snprintf(meta->schema, sizeof(meta->schema), "seed10");
	if (!mls_fb_vector(root, &model_description, &text))
		return mls_tflite_damaged(root->fb, path, err);
	n = text.n < sizeof(meta->producer) ? (int)text.n : (int)sizeof(meta->producer) - 1;
	if (n > 0)
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
