// SPDX-License-Identifier: GPL-2.0
/*
 * Reading a TensorFlow SavedModel: puts graph.c, checkpoint.c, network.c and
 * metadata.c together.
 *
 * Files of n bytes in all make us allocate at most 8 n bytes and 1 MiB, the
 * model included.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/formats/format.h"
#include "src/formats/graph.h"
#include "src/formats/metadata.h"
#include "src/formats/outline.h"
#include "src/formats/savedmodel.h"
#include "src/util/error.h"

#define GRAPH_NAME "saved_model.pb"

/* A graph of a small network is 4 to 100 KB. */
#define MAX_GRAPH ((size_t)64 << 20)

/* How often a directory may be replaced while it is being read. */
#define MAX_REPLACED 20

static bool has_tag(const Mls__MetaGraph *meta, const char *tag)
{
	for (size_t i = 0; meta->meta_info && i < meta->meta_info->n_tags; i++) {
		if (strcmp(meta->meta_info->tags[i], tag) == 0)
			return true;
	}
	return false;
}

static int choose_meta_graph(const Mls__SavedModel *pb, const char *path, struct mlsched_error *err,
			     const Mls__MetaGraph **meta)
{
	if (pb->schema_version < 0 || pb->schema_version > 1)
		return mls_error(err, -ENOTSUP,
				 "Invalid SavedModel format: %s: expected schema version 1, found "
				 "%" PRId64,
				 path, pb->schema_version);
	for (size_t i = 0; i < pb->n_meta_graphs; i++) {
		if (has_tag(pb->meta_graphs[i], "serve")) {
			*meta = pb->meta_graphs[i];
			return 0;
		}
	}
	return mls_error(err, -EINVAL,
			 "Invalid SavedModel format: %s: expected a graph with the tag \"serve\", "
			 "found %zu graphs without it",
			 path, pb->n_meta_graphs);
}

static int parse(const struct mls_blob *blob, struct mls_arena *arena, struct mlsched_error *err,
		 const Mls__SavedModel **pb)
{
	char text[256];

	if (blob->size == 0)
		return mls_error(err, -EINVAL,
				 "Invalid SavedModel format: %s: expected a SavedModel message, "
				 "found 0 bytes",
				 blob->path);
	*pb = mls_pb_unpack(&mls__saved_model__descriptor, arena, blob->data, blob->size);
	if (*pb)
		return 0;
	/* The parser does not say why; memory is asked first. */
	mls_pb_where(&mls__saved_model__descriptor, blob->data, blob->size, text, sizeof(text));
	if (mls_arena_exhausted(arena))
		return mls_no_memory(arena, blob->path, err);
	return mls_error(err, -EINVAL,
			 "Invalid SavedModel format: %s: expected a SavedModel message, found %s",
			 blob->path, text);
}

/* Says which of the other ways to store a graph it is, if it is one. */
static int no_graph(const struct mls_files *files, struct mls_arena *arena,
		    struct mlsched_error *err)
{
	static const char *const others[] = { "saved_model.pbtxt", "saved_model.cpb" };
	struct mls_file file;

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		int ret = mls_file_open(files, others[i], arena, err, &file);

		if (ret == -ENOENT)
			continue;
		if (ret)
			return ret;
		mls_file_close(&file);
		return mls_error(err, -ENOTSUP,
				 "Invalid SavedModel format: %s: expected " GRAPH_NAME
				 ", found only %s",
				 files->path, others[i]);
	}
	return mls_error(err, -ENOENT,
			 "Model not found at path: %s: expected " GRAPH_NAME
			 " in the directory, found none",
			 files->path);
}

static void fill_meta(const Mls__MetaGraph *graph, uint32_t n_inputs, bool has_file,
		      struct mlsched_meta *meta)
{
	const char *version = graph->meta_info ? graph->meta_info->tensorflow_version : "";

	snprintf(meta->format, sizeof(meta->format), "savedmodel");
	if (!meta->producer[0] && version[0])
		snprintf(meta->producer, sizeof(meta->producer), "tensorflow %.40s", version);
	if (!has_file && n_inputs == 10)
		snprintf(meta->schema, sizeof(meta->schema), "seed10");
	mls_clean_text(meta->producer);
	mls_clean_text(meta->schema);
}

static int read_into(const struct mls_files *files, struct mls_arena *arena,
		     struct mlsched_error *err, struct mlsched_model **model)
{
	struct mlsched_meta meta = { .threshold = 0.5f };
	const struct mls_step *last = NULL;
	const Mls__SavedModel *pb = NULL;
	const Mls__MetaGraph *graph = NULL;
	struct mls_network network;
	struct mls_blob blob = { 0 };
	const char *meta_path;
	int ret;

	ret = mls_file_slurp(files, GRAPH_NAME, MAX_GRAPH, arena, err, &blob);
	if (ret == -ENOENT)
		return no_graph(files, arena, err);
	if (!ret)
		ret = parse(&blob, arena, err, &pb);
	if (!ret)
		ret = choose_meta_graph(pb, blob.path, err, &graph);
	if (!ret)
		ret = mls_graph_walk(graph, blob.path, files, arena, err, &last);
	if (!ret)
		ret = mls_network_fold(last, blob.path, arena, err, &network);
	if (!ret)
		ret = mls_metadata_read(files, arena, err, &meta, &meta_path);
	if (!ret)
		ret = mls_metadata_check(&meta, arena, meta_path, network.layers[0].n_in, err);
	if (ret)
		return ret;
	fill_meta(graph, network.layers[0].n_in, meta_path != NULL, &meta);
	return mls_network_model(&network, &meta, blob.path, arena, err, model);
}

int mls_savedmodel_read(const struct mls_files *files, struct mlsched_error *err,
			struct mlsched_model **model)
{
	struct mls_arena arena = MLS_ARENA_INIT(MLS_UNFOLD_BASE);
	int ret;

	arena.fixed = true;
	ret = read_into(files, &arena, err, model);
	mls_arena_free(&arena);
	return ret;
}

static int fill_signature(const Mls__Signature *from, const char *path,
			  struct mls_signature *signature, struct mlsched_error *err)
{
	const Mls__TensorInfo *in = from->inputs[0]->value, *out = from->outputs[0]->value;

	if (strlen(in->name) >= MLS_SIGNATURE_NAME || strlen(out->name) >= MLS_SIGNATURE_NAME ||
	    (in->shape && in->shape->n_dim > MLS_SIGNATURE_DIMS))
		return mls_error(err, -ENOTSUP,
				 "Invalid SavedModel format: %s: expected a signature with names "
				 "below %d bytes and at most %d dimensions, found a longer one",
				 path, MLS_SIGNATURE_NAME, MLS_SIGNATURE_DIMS);
	strcpy(signature->input, in->name);
	strcpy(signature->output, out->name);
	signature->in_type = in->dtype;
	signature->out_type = out->dtype;
	signature->n_dims = in->shape ? (uint32_t)in->shape->n_dim : 0;
	for (uint32_t i = 0; i < signature->n_dims; i++)
		signature->dims[i] = in->shape->dim[i]->size;
	return 0;
}

int mls_savedmodel_signature(const char *path, struct mls_signature *signature,
			     struct mlsched_error *err)
{
	struct mls_arena arena = MLS_ARENA_INIT(MLS_UNFOLD_BASE);
	struct mls_files files = { .path = path };
	const Mls__Signature *chosen = NULL;
	const Mls__MetaGraph *graph = NULL;
	const Mls__SavedModel *pb = NULL;
	struct mls_blob blob = { 0 };
	int ret;

	memset(signature, 0, sizeof(*signature));
	files.dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (files.dir < 0 && errno == ENOTDIR)
		return mls_error(
			err, -ENOTSUP,
			"Invalid SavedModel format: %s: expected a directory with " GRAPH_NAME
			", found a file: `mlsched convert` makes a SavedModel of it",
			path);
	if (files.dir < 0)
		return mls_error(err, -errno, "Cannot read model: %s: %s", path, strerror(errno));
	ret = mls_file_slurp(&files, GRAPH_NAME, MAX_GRAPH, &arena, err, &blob);
	if (!ret)
		ret = parse(&blob, &arena, err, &pb);
	if (!ret)
		ret = choose_meta_graph(pb, blob.path, err, &graph);
	if (!ret)
		ret = mls_graph_signature(graph, blob.path, err, &chosen);
	if (!ret)
		ret = fill_signature(chosen, blob.path, signature, err);
	close(files.dir);
	mls_arena_free(&arena);
	return ret;
}

void mls_savedmodel_outline(const struct mls_files *files, struct mls_outline *outline)
{
	const Mls__MetaGraph *graph = NULL;
	const Mls__SavedModel *pb = NULL;
	struct mlsched_meta meta = { 0 };
	struct mls_blob blob = { 0 };
	struct mlsched_error err;

	outline->what = "node";
	if (mls_file_slurp(files, GRAPH_NAME, MAX_GRAPH, &outline->arena, &err, &blob) != 0 ||
	    parse(&blob, &outline->arena, &err, &pb) != 0 ||
	    choose_meta_graph(pb, blob.path, &err, &graph) != 0)
		return;
	fill_meta(graph, 0, false, &meta);
	snprintf(outline->producer, sizeof(outline->producer), "%s", meta.producer);
	mls_savedmodel_outline_graph(graph, outline);
}

void mls_savedmodel_outline_path(const char *path, struct mls_outline *outline)
{
	struct mls_files files = { .path = path };

	outline->arena = (struct mls_arena)MLS_ARENA_INIT(MLS_UNFOLD_BASE);
	outline->arena.fixed = true;
	files.dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (files.dir < 0)
		return;
	mls_savedmodel_outline(&files, outline);
	close(files.dir);
}

bool mls_savedmodel_detect(const struct mls_look *look)
{
	return look->is_directory;
}

/* True when another directory stands at @path by now. */
static bool was_replaced(const char *path, int dir)
{
	struct stat now, then;

	return stat(path, &now) == 0 && fstat(dir, &then) == 0 &&
	       (now.st_ino != then.st_ino || now.st_dev != then.st_dev);
}

/*
 * A writer puts a new directory in the place of the old one and then removes
 * the old: who had opened the old one may miss files, and looks again.
 */
int mls_savedmodel_load(const char *path, struct mlsched_error *err, struct mlsched_model **model)
{
	bool again = true;
	int ret = 0;

	for (int i = 0; again && i < MAX_REPLACED; i++) {
		struct mls_files files = { .path = path };

		files.dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (files.dir < 0)
			return mls_error(err, -errno, "Cannot read model: %s: %s", path,
					 strerror(errno));
		ret = mls_savedmodel_read(&files, err, model);
		again = ret && ret != -ENOMEM && was_replaced(path, files.dir);
		close(files.dir);
	}
	return ret;
}
