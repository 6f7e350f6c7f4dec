// SPDX-License-Identifier: GPL-2.0
/*
 * No model makes us allocate more than eight times the size of its files and a
 * mebibyte, itself included, whether it is read or refused: counted for every
 * golden file, every one that is to be refused, every one that a fuzzer kept,
 * damaged copies, and files that were made to unfold.
 *
 * What libhdf5 allocates is in a process of its own that has its limit; what libzip
 * allocates counts in test_memory_zip.c.
 */
#include <errno.h>
#include <ftw.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include <mlsched/mlsched.h>

#include "src/formats/checkpoint.h"
#include "src/formats/lower.h"
#include "src/formats/onnx.h"
#include "src/formats/outline.h"
#include "src/formats/savedmodel.h"
#include "src/formats/tflite.h"
#include "src/util/crc32c.h"
#include "tests/fuzz/archive.h"
#include "tests/lib/counting.h"
#include "tests/lib/files.h"

#define MODELS "tests/golden/savedmodel/models/"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/*
 * With a sanitizer every piece of an arena is a block with a head of its own,
 * which is not part of the limit: there it is memory that is looked after.
 */
#ifdef MLS_SANITIZED
#define HEADS 4
#else
#define HEADS 1
#endif

static void within(const char *what, size_t size, size_t before)
{
	size_t used = peak_bytes - before, most = MLS_UNFOLD * size + MLS_UNFOLD_BASE;

	if (used > HEADS * most)
		fail_msg("%s: of %zu bytes: expected at most %zu bytes, found %zu allocated", what,
			 size, most, used);
}

/* ---- files ------------------------------------------------------------------------------- */

static size_t found_size;

static int add_size(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)path;
	(void)ftw;
	found_size += kind == FTW_F ? (size_t)st->st_size : 0;
	return 0;
}

/* Loads what is there, whatever comes of it, and tells of it; true when it is a model. */
static bool load_within(const char *path)
{
	struct mlsched_model *model = NULL;
	struct mls_outline outline;
	long blocks = live_blocks;
	struct mlsched_error err;
	size_t before;
	int ret;

	found_size = 0;
	assert_int_equal(nftw(path, add_size, 8, FTW_PHYS), 0);
	before = peak_bytes = live_bytes;
	ret = mlsched_model_load(path, &err, &model);
	within(path, found_size, before);
	mlsched_model_free(model);
	assert_int_equal(live_blocks, blocks);
	peak_bytes = live_bytes;
	mls_model_outline(path, &outline);
	within(path, found_size, before);
	mls_outline_free(&outline);
	assert_int_equal(live_blocks, blocks);
	return ret == 0;
}

static size_t load_all(const char *pattern, size_t *n_models)
{
	glob_t found;
	size_t n;

	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	*n_models = 0;
	for (size_t i = 0; i < found.gl_pathc; i++)
		*n_models += load_within(found.gl_pathv[i]);
	n = found.gl_pathc;
	globfree(&found);
	return n;
}

static void every_golden_model_is_within_the_limit(void **state)
{
	size_t n_models, n = load_all("tests/golden/*/models/*/model*", &n_models);

	(void)state;
	/* Libraries that some of them need may not be there. */
	assert_true(n >= 60 && n_models >= 30);
}

static void every_model_to_refuse_is_within_the_limit(void **state)
{
	size_t n_models, n = load_all("tests/golden/*/bad/*/model*", &n_models);

	(void)state;
	assert_true(n >= 50);
	/* Two are models, but of another width than those who ask for them want. */
	assert_true(n_models <= 2);
}

/* ---- in memory --------------------------------------------------------------------------- */

static void outline_savedmodel(const struct mls_files *files)
{
	struct mls_outline outline = { .arena = MLS_ARENA_INIT(MLS_UNFOLD_BASE) };

	outline.arena.fixed = true;
	mls_savedmodel_outline(files, &outline);
	mls_outline_free(&outline);
}

static int read_savedmodel(const char *what, const struct mls_blob *blobs, uint32_t n,
			   struct mlsched_error *err)
{
	const struct mls_files files = { .path = "m", .dir = -1, .n_blobs = n, .blobs = blobs };
	struct mlsched_model *model = NULL;
	size_t size = 0, before;
	int ret;

	for (uint32_t i = 0; i < n; i++)
		size += blobs[i].size;
	before = peak_bytes = live_bytes;
	ret = mls_savedmodel_read(&files, err, &model);
	within(what, size, before);
	mlsched_model_free(model);
	peak_bytes = before;
	outline_savedmodel(&files);
	within(what, size, before);
	return ret;
}

static int corpus_savedmodel(const uint8_t *data, size_t size)
{
	struct mls_blob blobs[ARCHIVE_FILES];
	int n = archive_take(data, size, blobs);
	struct mlsched_error err;

	if (n >= 0)
		read_savedmodel("corpus", blobs, (uint32_t)n, &err);
	archive_free(blobs, n);
	return 0;
}

/* As mls_lower_load() does, but that the file is in memory, and so once less in ours. */
static int read_lowered(const char *format, mls_lower_reader *read,
			void (*tell)(const struct mls_blob *, struct mls_outline *),
			const uint8_t *data, size_t size)
{
	struct mls_outline outline = { .arena = mls_lower_arena(format, size) };
	struct mls_arena arena = mls_lower_arena(format, size);
	const struct mls_blob blob = { "m", data, size };
	struct mlsched_model *model = NULL;
	size_t before = peak_bytes = live_bytes;
	struct mlsched_error err;

	read(&blob, &arena, &err, &model);
	within(format, size, before);
	mlsched_model_free(model);
	mls_arena_free(&arena);
	peak_bytes = before;
	tell(&blob, &outline);
	within(format, size, before);
	mls_outline_free(&outline);
	return 0;
}

static int corpus_onnx(const uint8_t *data, size_t size)
{
	return read_lowered("ONNX", mls_onnx_read, mls_onnx_outline, data, size);
}

static int corpus_tflite(const uint8_t *data, size_t size)
{
	return read_lowered("LiteRT", mls_tflite_read, mls_tflite_outline, data, size);
}

static void everything_that_a_fuzzer_kept_is_within_the_limit(void **state)
{
	(void)state;
	test_corpus("tests/fuzz/corpus/savedmodel", corpus_savedmodel);
	test_corpus("tests/fuzz/corpus/onnx", corpus_onnx);
	test_corpus("tests/fuzz/corpus/tflite", corpus_tflite);
}

static void damaged_copies_are_within_the_limit(void **state)
{
	static const char *const fixtures[] = {
		"hand-frozen-savedmodel",
		"hand-variables-savedmodel",
		"hand-objects-savedmodel",
		"tf221-keras3-norm-savedmodel",
	};
	size_t n_read = 0, n_refused = 0;

	(void)state;
	for (size_t f = 0; f < ARRAY_SIZE(fixtures); f++) {
		struct mls_blob blobs[ARCHIVE_FILES];
		uint8_t *data[ARCHIVE_FILES];
		uint32_t n = 0;

		for (int i = 0; i < 3; i++) {
			char path[256];
			size_t size;

			snprintf(path, sizeof(path), MODELS "%s/model/%s", fixtures[f],
				 archive_names[i]);
			data[n] = test_read_whole(path, &size);
			if (data[n]) {
				blobs[n] = (struct mls_blob){ archive_names[i], data[n], size };
				n++;
			}
		}
		assert_true(n > 0);
		/* Prime steps, so that they fall on all kinds of bytes. */
		for (uint32_t i = 0; i < n; i++) {
			for (size_t at = 0; at < blobs[i].size; at += 1 + blobs[i].size / 211) {
				for (int change = 1; change < 256; change += 127) {
					struct mlsched_error err;
					int ret;

					data[i][at] ^= (uint8_t)change;
					ret = read_savedmodel(fixtures[f], blobs, n, &err);
					data[i][at] ^= (uint8_t)change;
					*(ret ? &n_refused : &n_read) += 1;
				}
			}
		}
		for (uint32_t i = 0; i < n; i++)
			free(data[i]);
	}
	assert_true(n_read > 100 && n_refused > 100);
}

/* ---- files that unfold -------------------------------------------------------------------- */

/* A message, or a part of one, as it is being written. */
struct bytes {
	uint8_t *data;
	size_t size, room;
};

static void put(struct bytes *to, const void *data, size_t size)
{
	/* There may be no memory yet, and none to copy from. */
	if (!size)
		return;
	if (to->size + size > to->room) {
		to->room = 2 * (to->size + size);
		to->data = realloc(to->data, to->room);
		assert_non_null(to->data);
	}
	memcpy(to->data + to->size, data, size);
	to->size += size;
}

static void put_varint(struct bytes *to, uint64_t value)
{
	do {
		uint8_t byte = (uint8_t)((value & 127) | (value > 127 ? 128 : 0));

		put(to, &byte, 1);
		value >>= 7;
	} while (value);
}

static void put_number(struct bytes *to, int field, uint64_t value)
{
	put_varint(to, (uint64_t)field << 3);
	put_varint(to, value);
}

static void put_data(struct bytes *to, int field, const void *data, size_t size)
{
	put_varint(to, (uint64_t)field << 3 | 2);
	put_varint(to, size);
	put(to, data, size);
}

static void put_text(struct bytes *to, int field, const char *text)
{
	put_data(to, field, text, strlen(text));
}

/* A message in another one; it is empty from then on. */
static void put_message(struct bytes *to, int field, struct bytes *inner)
{
	put_data(to, field, inner->data ? inner->data : (uint8_t *)"", inner->size);
	free(inner->data);
	*inner = (struct bytes){ 0 };
}

/* The SavedModel of a graph that is its only one; @graph is given up. */
static void put_savedmodel(struct bytes *to, struct bytes *graph)
{
	struct bytes meta = { 0 }, info = { 0 }, entry = { 0 }, signature = { 0 }, tensor = { 0 };
	struct bytes input = { 0 };

	put_text(&info, 4, "serve");
	put_message(&meta, 1, &info);
	put_message(&meta, 2, graph);
	for (int i = 1; i <= 2; i++) {
		put_text(&tensor, 1, i == 1 ? "x:0" : "y:0");
		put_number(&tensor, 2, 1);
		put_text(&input, 1, i == 1 ? "x" : "y");
		put_message(&input, 2, &tensor);
		put_message(&signature, i, &input);
	}
	put_text(&entry, 1, "serving_default");
	put_message(&entry, 2, &signature);
	put_message(&meta, 5, &entry);
	put_number(to, 1, 1);
	put_message(to, 2, &meta);
}

static void refuse_pb(const char *what, struct bytes *pb, const char *words)
{
	const struct mls_blob blob = { archive_names[0], pb->data, pb->size };
	struct mlsched_error err;

	assert_true(read_savedmodel(what, &blob, 1, &err) < 0);
	if (!strstr(err.message, words))
		fail_msg("%s: expected \"%s\", found: %s", what, words, err.message);
	free(pb->data);
	*pb = (struct bytes){ 0 };
}

/* Two bytes are a message of more than a hundred, wherever one may stand many times. */
static void empty_messages_by_the_hundred_thousand_are_within_the_limit(void **state)
{
	static const struct {
		const char *what;
		int fields[8]; /* from the outermost in, up to a 0; the last one is repeated */
	} places[] = {
		{ "meta graphs", { 2 } },
		{ "tags", { 2, 1, 4 } },
		{ "nodes", { 2, 2, 1 } },
		{ "inputs of a node", { 2, 2, 1, 3 } },
		{ "attributes of a node", { 2, 2, 1, 5 } },
		{ "dimensions", { 2, 2, 1, 5, 2, 7, 2 } },
		{ "strings of a tensor", { 2, 2, 1, 5, 2, 8, 8 } },
		{ "functions", { 2, 2, 2, 1 } },
		{ "nodes of a function", { 2, 2, 2, 1, 3 } },
		{ "collections", { 2, 4 } },
		{ "signatures", { 2, 5 } },
		{ "objects", { 2, 7, 1 } },
		{ "concrete functions", { 2, 7, 2 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct bytes inner = { 0 }, outer = { 0 };
		size_t depth = 0;

		while (depth < 8 && places[i].fields[depth])
			depth++;
		for (int n = 0; n < 200000; n++)
			put_data(&inner, places[i].fields[depth - 1], "", 0);
		while (--depth > 0) {
			put_message(&outer, places[i].fields[depth - 1], &inner);
			inner = outer;
			outer = (struct bytes){ 0 };
		}
		refuse_pb(places[i].what, &inner, "found one that unfolds to more than ");
	}
}

/* The same of ONNX, whose reader and what tells of its files unpack them alike. */
static void empty_nodes_of_onnx_are_within_the_limit(void **state)
{
	struct bytes graph = { 0 }, pb = { 0 };

	(void)state;
	for (int n = 0; n < 200000; n++)
		put_data(&graph, 1, "", 0);
	put_number(&pb, 1, 8);
	put_message(&pb, 7, &graph);
	read_lowered("ONNX", mls_onnx_read, mls_onnx_outline, pb.data, pb.size);
	free(pb.data);
}

static void put_node(struct bytes *graph, int field, const char *name, const char *op,
		     const char *a, const char *b, struct bytes *attr)
{
	struct bytes node = { 0 };

	put_text(&node, 1, name);
	put_text(&node, 2, op);
	if (a)
		put_text(&node, 3, a);
	if (b)
		put_text(&node, 3, b);
	if (attr)
		put_message(&node, 5, attr);
	put_message(graph, field, &node);
}

static void put_input(struct bytes *graph)
{
	put_node(graph, 1, "x", "Placeholder", NULL, NULL, NULL);
}

/* Zeros [256, @width] that stand nowhere: a shape alone says that there are so many. */
static void put_zeros(struct bytes *graph, const char *name, uint64_t width)
{
	struct bytes tensor = { 0 }, shape = { 0 }, dim = { 0 }, value = { 0 }, attr = { 0 };

	put_number(&tensor, 1, 1);
	for (int i = 0; i < 2; i++) {
		put_number(&dim, 1, i ? width : 256);
		put_message(&shape, 2, &dim);
	}
	put_message(&tensor, 2, &shape);
	put_message(&value, 8, &tensor);
	put_text(&attr, 1, "value");
	put_message(&attr, 2, &value);
	put_node(graph, 1, name, "Const", NULL, NULL, &attr);
}

static void tensors_that_a_few_bytes_name_are_within_the_limit(void **state)
{
	struct bytes graph = { 0 }, pb = { 0 };
	char name[32], sum[32], before[32] = "c0";

	(void)state;
	put_input(&graph);
	put_zeros(&graph, "c0", 256);
	for (int i = 1; i < 200; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		snprintf(sum, sizeof(sum), "s%d", i);
		put_zeros(&graph, name, 256);
		put_node(&graph, 1, sum, "Add", before, name, NULL);
		strcpy(before, sum);
	}
	put_node(&graph, 1, "y", "MatMul", "x", before, NULL);
	put_savedmodel(&pb, &graph);
	refuse_pb("zeros", &pb, "found one that unfolds to more than ");
	/* One of them takes what there is, where a processor wants it in two orders. */
	put_input(&graph);
	put_zeros(&graph, "c", 256);
	put_node(&graph, 1, "y", "MatMul", "x", "c", NULL);
	put_savedmodel(&pb, &graph);
	refuse_pb("one layer of zeros", &pb, "found one that unfolds to more than ");
	/* A smaller one is a layer that any model may have. */
	put_input(&graph);
	put_zeros(&graph, "c", 240);
	put_node(&graph, 1, "y", "MatMul", "x", "c", NULL);
	put_savedmodel(&pb, &graph);
	{
		const struct mls_blob blob = { archive_names[0], pb.data, pb.size };
		struct mlsched_error err;

		if (read_savedmodel("one layer of zeros", &blob, 1, &err) != 0)
			fail_msg("%s", err.message);
	}
	free(pb.data);
}

/* Each call of a function is looked at by itself, with all nodes of the function. */
static void functions_that_are_called_again_and_again_are_within_the_limit(void **state)
{
	struct bytes graph = { 0 }, library = { 0 }, function = { 0 }, signature = { 0 };
	struct bytes arg = { 0 }, ret = { 0 }, attr = { 0 }, value = { 0 }, name = { 0 };
	struct bytes pb = { 0 };
	char text[32], before[32] = "x";

	(void)state;
	put_text(&signature, 1, "f");
	put_text(&arg, 1, "a");
	put_message(&signature, 2, &arg);
	put_text(&arg, 1, "r");
	put_message(&signature, 3, &arg);
	put_message(&function, 1, &signature);
	put_node(&function, 3, "i", "Identity", "a", NULL, NULL);
	for (int i = 0; i < 2000; i++) {
		snprintf(text, sizeof(text), "n%d", i);
		put_node(&function, 3, text, "NoOp", NULL, NULL, NULL);
	}
	put_text(&ret, 1, "r");
	put_text(&ret, 2, "i:output:0");
	put_message(&function, 4, &ret);
	put_message(&library, 1, &function);
	put_input(&graph);
	for (int i = 0; i < 390; i++) {
		snprintf(text, sizeof(text), i == 389 ? "y" : "c%d", i);
		put_text(&name, 1, "f");
		put_message(&value, 10, &name);
		put_text(&attr, 1, "f");
		put_message(&attr, 2, &value);
		put_node(&graph, 1, text, "PartitionedCall", before, NULL, &attr);
		strcpy(before, text);
	}
	put_message(&graph, 2, &library);
	put_savedmodel(&pb, &graph);
	refuse_pb("calls", &pb, "found one that unfolds to more than ");
}

static void meta_data_that_unfold_are_within_the_limit(void **state)
{
	struct mls_blob blobs[2] = { { .path = archive_names[0] }, { .path = archive_names[3] } };
	static const char head[] = "{\"mlsched\":1,\"provenance\":{\"\":[[]";
	struct bytes json = { 0 };
	struct mlsched_error err;
	uint8_t *pb;

	(void)state;
	pb = test_read_whole(MODELS "hand-frozen-savedmodel/model/saved_model.pb", &blobs[0].size);
	assert_non_null(pb);
	blobs[0].data = pb;
	for (size_t n = 1; n < 300000; n *= 4) {
		int ret;

		json.size = 0;
		put(&json, head, strlen(head));
		for (size_t i = 0; i < n; i++)
			put(&json, ",[]", 3);
		put(&json, "]}}", 3);
		blobs[1].data = json.data;
		blobs[1].size = json.size;
		ret = read_savedmodel("meta data", blobs, 2, &err);
		if (ret != (n < 4096 ? 0 : -EFBIG))
			fail_msg("%zu lists: %d: %s", n, ret, err.message);
		if (ret)
			assert_non_null(strstr(err.message, "m/assets/mlsched.json: expected JSON "
							    "that unfolds to less than "));
	}
	free(json.data);
	free(pb);
}

/* ---- an index of very many variables -------------------------------------------------------- */

static uint64_t take_varint(const uint8_t **at)
{
	uint64_t value = 0;

	for (int shift = 0;; shift += 7) {
		value |= (uint64_t)(**at & 127) << shift;
		if (*(*at)++ < 128)
			return value;
	}
}

static void put_le32(struct bytes *to, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		put(to, &(uint8_t){ (uint8_t)(value >> 8 * i) }, 1);
}

static void put_entry(struct bytes *block, const char *before, const char *key,
		      const struct bytes *value)
{
	size_t shared = 0;

	while (key[shared] && before[shared] == key[shared])
		shared++;
	put_varint(block, shared);
	put_varint(block, strlen(key + shared));
	put_varint(block, value->size);
	put(block, key + shared, strlen(key + shared));
	put(block, value->data, value->size);
}

/* Ends a block and appends it to the table, its place to @handle. */
static void end_block(struct bytes *table, struct bytes *block, struct bytes *handle)
{
	size_t offset = table->size, size;

	put_le32(block, 0);
	put_le32(block, 1);
	put(table, block->data, block->size);
	size = block->size;
	put(table, "", 1);
	put_le32(table, mls_crc32c_mask(mls_crc32c(0, table->data + offset, size + 1)));
	put_varint(handle, offset);
	put_varint(handle, size);
	free(block->data);
	*block = (struct bytes){ 0 };
}

/* The bytes of the only block of data that a small index has, which begins it. */
static size_t data_block(const uint8_t *index, size_t size)
{
	const uint8_t *at = index + size - MLS_TABLE_FOOTER;
	uint64_t offset, length;

	take_varint(&at);
	take_varint(&at);
	at = index + take_varint(&at);
	/* The key of its first entry, of which it has one, and the place. */
	assert_int_equal(take_varint(&at), 0);
	length = take_varint(&at);
	take_varint(&at);
	at += length;
	offset = take_varint(&at);
	assert_int_equal(offset, 0);
	return (size_t)take_varint(&at) + MLS_TABLE_TRAILER;
}

/* An index as it was, with @n entries of that value behind its own. */
static void put_index(struct bytes *table, const uint8_t *index, size_t size, size_t n,
		      const struct bytes *value)
{
	struct bytes block = { 0 }, top = { 0 }, place = { 0 }, handles = { 0 };
	const uint64_t magic = htole64(MLS_TABLE_MAGIC);
	size_t own = data_block(index, size);
	char key[16], before[16] = "";

	put(table, index, own);
	put_varint(&place, 0);
	put_varint(&place, own - MLS_TABLE_TRAILER);
	put_entry(&top, "", "y", &place);
	place.size = 0;
	for (size_t i = 0; i < n; i++) {
		/* Of as few bytes as ascending keys can have. */
		snprintf(key, sizeof(key), "z%c%c%c%c", (int)(i >> 15 & 31) + 'A',
			 (int)(i >> 10 & 31) + 'A', (int)(i >> 5 & 31) + 'A', (int)(i & 31) + 'A');
		put_entry(&block, before, key, value);
		strcpy(before, key);
	}
	end_block(table, &block, &place);
	put_entry(&top, "", "z~", &place);
	end_block(table, &block, &handles);
	end_block(table, &top, &handles);
	while (handles.size < MLS_TABLE_FOOTER - sizeof(magic))
		put(&handles, "", 1);
	put(table, handles.data, handles.size);
	put(table, &magic, sizeof(magic));
	free(place.data);
	free(handles.data);
}

/* One byte of an index may be one byte of a key, and that a whole variable. */
static void index_of_very_many_variables_is_within_the_limit(void **state)
{
	static const char fixture[] = MODELS "hand-variables-savedmodel/model/";
	const struct bytes nothing = { 0 };
	struct bytes empty_tensor = { 0 }, dim = { 0 }, shape = { 0 };
	const struct bytes *const values[] = { &nothing, &empty_tensor };
	size_t n_read = 0, n_refused = 0, sizes[3];
	struct mls_blob blobs[3];
	uint8_t *data[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		char path[256];

		snprintf(path, sizeof(path), "%s%s", fixture, archive_names[i]);
		data[i] = test_read_whole(path, &sizes[i]);
		assert_non_null(data[i]);
		blobs[i] = (struct mls_blob){ archive_names[i], data[i], sizes[i] };
	}
	put_number(&empty_tensor, 1, 1);
	put_message(&shape, 2, &dim);
	put_message(&empty_tensor, 2, &shape);
	put_varint(&empty_tensor, 6 << 3 | 5);
	put_le32(&empty_tensor, mls_crc32c_mask(0));
	for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
		for (size_t n = 1; n <= 1000000; n = n < 4096 ? 4 * n : 3 * n / 2) {
			struct bytes index = { 0 };
			struct mlsched_error err;
			bool unfolds;
			int ret;

			put_index(&index, data[1], sizes[1], n, values[v]);
			blobs[1].data = index.data;
			blobs[1].size = index.size;
			ret = read_savedmodel("index", blobs, 3, &err);
			n_read += ret == 0;
			unfolds = ret && strstr(err.message, "variables.index: expected a model of "
							     "its size, found one that unfolds to");
			n_refused += unfolds;
			/* What is empty has no checksum that would be right. */
			if (ret && !unfolds && (v == 1 || !strstr(err.message, "checksum")))
				fail_msg("%zu variables: %s", n, err.message);
			free(index.data);
		}
	}
	/* A thousand are no reason to refuse a file, whatever their size. */
	if (n_read < 6 || n_refused < 20)
		fail_msg("%zu were read, %zu refused", n_read, n_refused);
	for (int i = 0; i < 3; i++)
		free(data[i]);
	free(empty_tensor.data);
}

/* The widest network that there is is no reason to refuse a file. */
static void widest_network_is_read_within_the_limit(void **state)
{
	static const enum mlsched_savedmodel_form forms[] = { MLSCHED_SAVEDMODEL_VARIABLES,
							      MLSCHED_SAVEDMODEL_FROZEN };
	static float weights[256 * 256];
	struct mlsched_layer layers[MLSCHED_MAX_LAYERS];
	struct mlsched_model_desc desc = { .size = sizeof(desc),
					   .n_layers = MLSCHED_MAX_LAYERS,
					   .layers = layers };
	char path[] = "/tmp/mlsched-memory-XXXXXX", model_path[64], command[128];
	struct mlsched_model *model;

	(void)state;
	assert_non_null(mkdtemp(path));
	for (int i = 0; i < MLSCHED_MAX_LAYERS; i++)
		layers[i] = (struct mlsched_layer){ 256, 256, MLSCHED_RELU, 0, weights, NULL };
	assert_int_equal(mlsched_model_create(&desc, NULL, &model), 0);
	snprintf(model_path, sizeof(model_path), "%s/model", path);
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		assert_int_equal(mlsched_model_save(model, model_path, forms[i], NULL), 0);
		assert_true(load_within(model_path));
	}
	mlsched_model_free(model);
	snprintf(command, sizeof(command), "rm -rf '%s'", path);
	assert_int_equal(system(command), 0);
}

static void *jansson_malloc(size_t size)
{
	return malloc(size);
}

static void jansson_free(void *block)
{
	free(block);
}

static int set_up(void **state)
{
	(void)state;
	json_set_alloc_funcs(jansson_malloc, jansson_free);
	/* So that blocks are no larger than was asked for, but for some bytes: no pages of their own. */
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_golden_model_is_within_the_limit),
		cmocka_unit_test(every_model_to_refuse_is_within_the_limit),
		cmocka_unit_test(everything_that_a_fuzzer_kept_is_within_the_limit),
		cmocka_unit_test(damaged_copies_are_within_the_limit),
		cmocka_unit_test(empty_messages_by_the_hundred_thousand_are_within_the_limit),
		cmocka_unit_test(empty_nodes_of_onnx_are_within_the_limit),
		cmocka_unit_test(tensors_that_a_few_bytes_name_are_within_the_limit),
		cmocka_unit_test(functions_that_are_called_again_and_again_are_within_the_limit),
		cmocka_unit_test(meta_data_that_unfold_are_within_the_limit),
		cmocka_unit_test(index_of_very_many_variables_is_within_the_limit),
		cmocka_unit_test(widest_network_is_read_within_the_limit),
	};

	return cmocka_run_group_tests_name("memory", tests, set_up, NULL);
}
