// SPDX-License-Identifier: GPL-2.0
/*
 * Reading an ONNX file: puts onnx_graph.c, network.c and metadata.c together.
 *
 * A file of n bytes makes us allocate at most 8 n bytes and 1 MiB, the model
 * included.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "src/formats/lower.h"
#include "src/formats/metadata.h"
#include "src/formats/onnx.h"
#include "src/util/error.h"

/* Names of fields 2 to 8, 14, 20 and 25 of a model, behind the version that comes first. */
static bool is_next_tag(uint8_t tag, uint8_t more)
{
	return (tag >= 0x12 && tag <= 0x42 && (tag & 7) == (tag == 0x28 ? 0 : 2)) || tag == 0x72 ||
	       ((tag == 0xa2 || tag == 0xca) && more == 1);
}

/*
 * ONNX has no magic number: its first field is the version of the format, then
 * comes another field of a model.
 */
bool mls_onnx_detect(const struct mls_look *look)
{
	return look->n_head >= 4 && look->head[0] == 0x08 && look->head[1] > 0 &&
	       look->head[1] < 0x80 && is_next_tag(look->head[2], look->head[3]);
}

static int parse(const struct mls_blob *blob, struct mls_arena *arena, struct mlsched_error *err,
		 const Mls__Onnx__Model **pb)
{
	char text[256];

	*pb = mls_pb_unpack(&mls__onnx__model__descriptor, arena, blob->data, blob->size);
	if (*pb)
		return 0;
	/* The parser does not say why; memory is asked first. */
	if (mls_arena_exhausted(arena))
		return mls_no_memory(arena, blob->path, err);
	mls_pb_where(&mls__onnx__model__descriptor, blob->data, blob->size, text, sizeof(text));
	return mls_error(err, -EINVAL, "Invalid ONNX format: %s: expected an ONNX model, found %s",
			 blob->path, text);
}

/* Which operators its graph means. */
static int find_opset(const Mls__Onnx__Model *pb, const char *path, struct mlsched_error *err,
		      int64_t *opset)
{
	*opset = 0;
	for (size_t i = 0; i < pb->n_opset_import; i++) {
		const Mls__Onnx__OperatorSet *set = pb->opset_import[i];

		if (set->domain[0] && strcmp(set->domain, "ai.onnx") != 0)
			continue;
		if (*opset && *opset != set->version)
			return mls_error(err, -EINVAL,
					 "Invalid ONNX format: %s: opset_import: expected one "
					 "version of ONNX's operators, found %" PRId64
					 " and %" PRId64,
					 path, *opset, set->version);
		*opset = set->version;
	}
	return 0;
}

static int check_versions(const Mls__Onnx__Model *pb, const char *path, struct mlsched_error *err,
			  int64_t *opset)
{
	int ret;

	if (pb->ir_version < MLS_ONNX_MIN_IR || pb->ir_version > MLS_ONNX_MAX_IR)
		return mls_error(err, -ENOTSUP,
				 "Invalid ONNX format: %s: ir_version: expected %d to %d, found "
				 "%" PRId64,
				 path, MLS_ONNX_MIN_IR, MLS_ONNX_MAX_IR, pb->ir_version);
	ret = find_opset(pb, path, err, opset);
	if (ret)
		return ret;
	if (*opset < MLS_ONNX_MIN_OPSET || *opset > MLS_ONNX_MAX_OPSET)
		return mls_error(err, -ENOTSUP,
				 "Invalid ONNX format: %s: opset_import: expected ONNX's operators "
				 "of version %d to %d, found %" PRId64,
				 path, MLS_ONNX_MIN_OPSET, MLS_ONNX_MAX_OPSET, *opset);
	if (!pb->graph)
		return mls_error(err, -EINVAL,
				 "Invalid ONNX format: %s: expected a graph, found none", path);
	return 0;
}

static int read_metadata(const Mls__Onnx__Model *pb, const char *path, struct mls_arena *arena,
			 struct mlsched_error *err, struct mlsched_meta *meta, const char **place)
{
	struct mls_blob text = { 0 };
	int ret;

	*place = NULL;
	for (size_t i = 0; !text.data && i < pb->n_metadata_props; i++) {
		if (strcmp(pb->metadata_props[i]->key, MLS_ONNX_METADATA) == 0)
			text.data = (const uint8_t *)pb->metadata_props[i]->value;
	}
	if (!text.data)
		return 0;
	text.size = strlen((const char *)text.data);
	text.path = *place =
		mls_arena_printf(arena, "%s: metadata_props: " MLS_ONNX_METADATA, path);
	if (!text.path)
		return mls_no_memory(arena, path, err);
	ret = mls_metadata_fits(&text, arena, err);
	return ret ? ret : mls_metadata_parse(&text, arena, err, meta);
}

static void fill_meta(const Mls__Onnx__Model *pb, uint32_t n_inputs, bool has_metadata,
		      struct mlsched_meta *meta)
{
	snprintf(meta->format, sizeof(meta->format), "onnx");
	if (!meta->producer[0] && pb->producer_name[0])
		snprintf(meta->producer, sizeof(meta->producer), "%.30s%s%.30s", pb->producer_name,
			 pb->producer_version[0] ? " " : "", pb->producer_version);
	if (!has_metadata && n_inputs == 10)
		snprintf(meta->schema, sizeof(meta->schema), "seed10");
	mls_clean_text(meta->producer);
	mls_clean_text(meta->schema);
}

int mls_onnx_read(const struct mls_blob *blob, struct mls_arena *arena, struct mlsched_error *err,
		  struct mlsched_model **model)
{
	struct mlsched_meta meta = { .threshold = 0.5f };
	const struct mls_step *last = NULL;
	const Mls__Onnx__Model *pb = NULL;
	struct mls_network network;
	const char *place = NULL;
	int64_t opset = 0;
	int ret;

	ret = parse(blob, arena, err, &pb);
	if (!ret)
		ret = check_versions(pb, blob->path, err, &opset);
	if (!ret)
		ret = mls_onnx_walk(pb->graph, opset, blob->path, arena, err, &last);
	if (!ret)
		ret = mls_network_fold(last, blob->path, arena, err, &network);
	if (!ret)
		ret = read_metadata(pb, blob->path, arena, err, &meta, &place);
	if (!ret)
		ret = mls_metadata_check(&meta, arena, place, network.layers[0].n_in, err);
	if (ret)
		return ret;
	fill_meta(pb, network.layers[0].n_in, place != NULL, &meta);
	return mls_network_model(&network, &meta, blob->path, arena, err, model);
}

int mls_onnx_load(const char *path, struct mlsched_error *err, struct mlsched_model **model)
{
	return mls_lower_load(path, "ONNX", mls_onnx_read, err, model);
}
