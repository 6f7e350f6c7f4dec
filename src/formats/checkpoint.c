// SPDX-License-Identifier: GPL-2.0
/*
 * Reading TensorFlow's checkpoints.  Which variable a key belongs to is the
 * graph's business (graph.c).
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "src/formats/checkpoint.h"
#include "src/util/crc32c.h"
#include "src/util/error.h"

#define INDEX_NAME "variables/variables.index"

/* Larger than any that belongs to 8 layers of 256 units, with its optimizer's state. */
#define MAX_INDEX  ((size_t)16 << 20)
#define MAX_STRING ((size_t)16 << 20)
#define MAX_DATA   ((uint64_t)1 << 30) /* all shards: every tensor is read for its checksum */
#define MAX_KEY    4096
#define MAX_SHARDS 1024

/* A cursor over bytes that nobody vouches for. */
struct cursor {
	const uint8_t *at, *end;
};

static bool get_varint(struct cursor *c, uint64_t *value)
{
	*value = 0;
	for (int shift = 0; shift < 64 && c->at < c->end; shift += 7) {
		uint8_t byte = *c->at++;

		if (shift == 63 && byte > 1)
			return false;
		*value |= (uint64_t)(byte & 127) << shift;
		if (byte < 128)
			return true;
	}
	return false;
}

static uint32_t le32(const uint8_t *p)
{
	uint32_t value;

	memcpy(&value, p, sizeof(value));
	return le32toh(value);
}

/* A fuzzer cannot guess checksums: its build (never an installed one) takes any. */
static bool crc_differs(uint32_t expected, uint32_t found)
{
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
	(void)expected;
	(void)found;
	return false;
#else
	return expected != found;
#endif
}

#define bad(c, code, err, format, ...) \
	mls_error(err, code, "Invalid SavedModel format: %s: " format, (c)->path, ##__VA_ARGS__)

/* One block, its checksum seen to match. */
struct block {
	const char *what;
	size_t offset;
	struct cursor entries;
};

static int read_block(struct mls_checkpoint *c, const struct mls_blob *index, struct cursor *handle,
		      const char *what, struct mlsched_error *err, struct block *block)
{
	size_t limit = index->size - MLS_TABLE_FOOTER;
	uint64_t offset, size;
	const uint8_t *p;
	uint32_t n_restarts, crc, stored;

	if (!get_varint(handle, &offset) || !get_varint(handle, &size))
		return bad(c, -EINVAL, err, "expected the place of the %s, found a cut number",
			   what);
	if (offset > limit || limit - offset < MLS_TABLE_TRAILER ||
	    size > limit - offset - MLS_TABLE_TRAILER)
		return bad(c, -EINVAL, err,
			   "%s: expected it within %zu bytes, found offset %" PRIu64
			   " and size %" PRIu64,
			   what, limit, offset, size);
	/* So nobody makes us read the same bytes a million times. */
	if (size + MLS_TABLE_TRAILER > c->unread)
		return bad(c, -EINVAL, err,
			   "%s at offset %" PRIu64
			   ": expected blocks side by side, found that they overlap",
			   what, offset);
	c->unread -= (size_t)size + MLS_TABLE_TRAILER;
	p = index->data + offset;
	stored = le32(p + size + 1);
	crc = mls_crc32c_mask(mls_crc32c(0, p, (size_t)size + 1));
	if (crc_differs(stored, crc))
		return bad(c, -EBADMSG, err,
			   "%s at offset %" PRIu64 ": expected checksum %08x, found %08x", what,
			   offset, stored, crc);
	if (p[size] != 0)
		return bad(c, -ENOTSUP, err,
			   "%s at offset %" PRIu64
			   ": expected no compression (type 0), found type %u%s",
			   what, offset, p[size], p[size] == 1 ? " (snappy)" : "");
	n_restarts = size >= 4 ? le32(p + size - 4) : 0;
	if (size < 4 || n_restarts > (size - 4) / 4)
		return bad(c, -EINVAL, err,
			   "%s at offset %" PRIu64 ": expected room for %u restarts, found %" PRIu64
			   " bytes",
			   what, offset, n_restarts, size);
	block->what = what;
	block->offset = (size_t)offset;
	block->entries = (struct cursor){ p, p + size - 4 - (size_t)n_restarts * 4 };
	return 0;
}

/* The entry under the cursor; @key holds the one before and receives this one. */
struct entry {
	uint8_t key[MAX_KEY];
	size_t key_size;
	struct cursor value;
};

static int next_entry(const struct mls_checkpoint *c, struct block *block, bool first,
		      struct mlsched_error *err, struct entry *e)
{
	uint64_t shared, own, value_size;
	struct cursor *at = &block->entries;
	size_t old_size = e->key_size, left, common;
	int order;

	if (!get_varint(at, &shared) || !get_varint(at, &own) || !get_varint(at, &value_size))
		return bad(c, -EINVAL, err, "%s at offset %zu: expected an entry, found its end",
			   block->what, block->offset);
	left = (size_t)(at->end - at->at);
	if (shared > e->key_size || own > MAX_KEY - shared || own > left || value_size > left - own)
		return bad(c, -EINVAL, err,
			   "%s at offset %zu: expected an entry within %zu bytes, found a key of "
			   "%" PRIu64 "+%" PRIu64 " and a value of %" PRIu64 " bytes",
			   block->what, block->offset, left, shared, own, value_size);
	/* Ascending: the new bytes must be greater than the ones that they replace. */
	common = own < old_size - shared ? (size_t)own : old_size - (size_t)shared;
	order = common ? memcmp(at->at, e->key + shared, common) : 0;
	if (!first && (order < 0 || (order == 0 && shared + own <= old_size)))
		return bad(c, -EINVAL, err,
			   "%s at offset %zu: expected ascending keys, found \"%.*s\" out of order",
			   block->what, block->offset, (int)old_size, (const char *)e->key);
	memcpy(e->key + shared, at->at, (size_t)own);
	e->key_size = (size_t)(shared + own);
	at->at += own;
	e->value = (struct cursor){ at->at, at->at + value_size };
	at->at += value_size;
	return 0;
}

static int read_header(struct mls_checkpoint *c, const struct cursor *value,
		       struct mlsched_error *err)
{
	Mls__BundleHeader *header = mls_pb_unpack(&mls__bundle_header__descriptor, c->arena,
						  value->at, (size_t)(value->end - value->at));

	if (!header && mls_arena_exhausted(c->arena))
		return mls_no_memory(c->arena, c->path, err);
	if (!header)
		return bad(c, -EINVAL, err,
			   "expected a header under the empty key, found %zu "
			   "bytes that are none",
			   (size_t)(value->end - value->at));
	if (header->endianness != 0)
		return bad(c, -ENOTSUP, err,
			   "header: expected little-endian numbers, found big-endian ones");
	if (header->num_shards < 1 || header->num_shards > MAX_SHARDS)
		return bad(c, -EINVAL, err, "header: expected 1 to %d data files, found %d",
			   MAX_SHARDS, header->num_shards);
	if (header->version && header->version->min_consumer > 1)
		return bad(c, -ENOTSUP, err,
			   "header: expected a checkpoint for readers of version "
			   "1, found one for version %d",
			   header->version->min_consumer);
	c->n_shards = (uint32_t)header->num_shards;
	return 0;
}

/* Shape and number of elements, without overflow. */
static int read_shape(const struct mls_checkpoint *c, const Mls__Shape *shape,
		      struct mlsched_error *err, struct mls_stored *t)
{
	size_t rank = shape ? shape->n_dim : 0;

	if (rank > MLS_MAX_RANK)
		return bad(c, -ENOTSUP, err, "tensor %s: expected at most %d dimensions, found %zu",
			   t->key, MLS_MAX_RANK, rank);
	t->rank = (int)rank;
	t->elements = 1;
	for (size_t i = 0; i < rank; i++) {
		int64_t dim = shape->dim[i]->size;

		t->dims[i] = dim;
		if (dim < 0 || (dim > 0 && t->elements > (uint64_t)INT64_MAX / 16 / (uint64_t)dim))
			return bad(c, -EINVAL, err,
				   "tensor %s: expected a size, found dimension "
				   "%zu of %" PRId64,
				   t->key, i, dim);
		t->elements *= (uint64_t)dim;
	}
	return 0;
}

static int read_tensor_entry(struct mls_checkpoint *c, const struct entry *e,
			     struct mlsched_error *err, struct mls_stored *t)
{
	size_t size = (size_t)(e->value.end - e->value.at);
	Mls__BundleEntry *pb;
	int ret;

	t->key = mls_arena_string(c->arena, e->key, e->key_size);
	if (!t->key)
		return mls_no_memory(c->arena, c->path, err);
	t->key_size = e->key_size;
	pb = mls_pb_unpack(&mls__bundle_entry__descriptor, c->arena, e->value.at, size);
	if (!pb && mls_arena_exhausted(c->arena))
		return mls_no_memory(c->arena, c->path, err);
	if (!pb)
		return bad(c, -EINVAL, err,
			   "tensor %s: expected an entry, found %zu bytes that are none", t->key,
			   size);
	t->dtype = pb->dtype;
	t->shard = pb->shard_id;
	t->offset = (uint64_t)pb->offset;
	t->size = (uint64_t)pb->size;
	t->crc = pb->crc32c;
	t->sliced = pb->n_slices > 0;
	ret = read_shape(c, pb->shape, err, t);
	if (ret)
		return ret;
	if (pb->shard_id < 0 || (uint32_t)pb->shard_id >= c->n_shards)
		return bad(c, -EINVAL, err,
			   "tensor %s: expected a data file below %u, found number %d", t->key,
			   c->n_shards, pb->shard_id);
	if (pb->offset < 0 || pb->size < 0)
		return bad(c, -EINVAL, err,
			   "tensor %s: expected an offset and a size, found %" PRId64
			   " and %" PRId64,
			   t->key, pb->offset, pb->size);
	if (!t->sliced && mls_dtype_size(t->dtype) &&
	    t->size != t->elements * mls_dtype_size(t->dtype)) {
		char text[128];

		return bad(c, -EINVAL, err,
			   "tensor %s: expected %" PRIu64 " bytes for %s %s, found %" PRIu64,
			   t->key, t->elements * mls_dtype_size(t->dtype), mls_dtype_name(t->dtype),
			   mls_shape_text(t->dims, t->rank, text, sizeof(text)), t->size);
	}
	return 0;
}

/* Room for one more tensor: doubles, so that the count need not be believed beforehand. */
static struct mls_stored *add_tensor(struct mls_checkpoint *c, uint32_t *room)
{
	if (c->n_tensors == *room) {
		uint32_t more = *room ? *room * 2 : 16;
		struct mls_stored *grown = mls_arena_array(c->arena, more, sizeof(*grown));

		if (!grown)
			return NULL;
		if (c->n_tensors)
			memcpy(grown, c->tensors, c->n_tensors * sizeof(*grown));
		c->tensors = grown;
		*room = more;
	}
	return &c->tensors[c->n_tensors++];
}

static int read_data_block(struct mls_checkpoint *c, struct block *block, uint32_t *room,
			   struct entry *e, bool *first, struct mlsched_error *err)
{
	e->value = (struct cursor){ 0 };
	while (block->entries.at < block->entries.end) {
		struct mls_stored *tensor;
		int ret = next_entry(c, block, *first, err, e);

		if (ret)
			return ret;
		if (*first) {
			if (e->key_size)
				return bad(c, -EINVAL, err,
					   "expected a header under the empty key first, found "
					   "\"%.*s\"",
					   (int)e->key_size, (const char *)e->key);
			*first = false;
			ret = read_header(c, &e->value, err);
			if (ret)
				return ret;
			continue;
		}
		tensor = add_tensor(c, room);
		if (!tensor)
			return mls_no_memory(c->arena, c->path, err);
		ret = read_tensor_entry(c, e, err, tensor);
		if (ret)
			return ret;
	}
	return 0;
}

static int read_table(struct mls_checkpoint *c, const struct mls_blob *index,
		      struct mlsched_error *err)
{
	struct entry *in_index = mls_arena_alloc(c->arena, 2 * sizeof(*in_index));
	struct entry *in_data;
	struct block meta, top, block;
	struct cursor footer;
	uint64_t magic;
	uint32_t room = 0;
	bool first_block = true, first_key = true;
	int ret;

	if (!in_index)
		return mls_no_memory(c->arena, c->path, err);
	in_data = in_index + 1;
	if (index->size < MLS_TABLE_FOOTER)
		return bad(c, -EINVAL, err,
			   "expected a table with a footer of %d bytes, found %zu bytes",
			   MLS_TABLE_FOOTER, index->size);
	footer.end = index->data + index->size - 8;
	footer.at = footer.end - (MLS_TABLE_FOOTER - 8);
	memcpy(&magic, footer.end, sizeof(magic));
	if (le64toh(magic) != MLS_TABLE_MAGIC)
		return bad(c, -EINVAL, err,
			   "footer: expected %016" PRIx64 " in the last 8 bytes, found %016" PRIx64
			   ": cut, or not a table of checkpoints",
			   MLS_TABLE_MAGIC, le64toh(magic));
	ret = read_block(c, index, &footer, "metaindex block", err, &meta);
	if (!ret)
		ret = read_block(c, index, &footer, "index block", err, &top);
	while (!ret && top.entries.at < top.entries.end) {
		ret = next_entry(c, &top, first_block, err, in_index);
		first_block = false;
		if (!ret)
			ret = read_block(c, index, &in_index->value, "data block", err, &block);
		/* A block begins with a whole key; the order goes on from block to block. */
		if (!ret)
			ret = read_data_block(c, &block, &room, in_data, &first_key, err);
	}
	if (!ret && first_key)
		ret = bad(c, -EINVAL, err, "expected a header under the empty key, found no key");
	return ret;
}

static int open_shards(struct mls_checkpoint *c, struct mlsched_error *err)
{
	uint32_t n = c->n_shards;

	c->n_shards = 0;
	c->shards = mls_arena_array(c->arena, n, sizeof(*c->shards));
	if (!c->shards)
		return mls_no_memory(c->arena, c->path, err);
	for (uint32_t i = 0; i < n; i++) {
		const char *name =
			mls_arena_printf(c->arena, "variables/variables.data-%05u-of-%05u", i, n);
		int ret;

		if (!name)
			return mls_no_memory(c->arena, c->path, err);
		ret = mls_file_open(c->files, name, c->arena, err, &c->shards[i]);
		if (ret == -ENOENT)
			return mls_error(err, -EINVAL,
					 "Invalid SavedModel format: %s: expected the file of "
					 "weights that %s names, found none",
					 c->shards[i].path, INDEX_NAME);
		if (ret)
			return ret;
		c->n_shards++;
	}
	return 0;
}

/*
 * Every tensor lies in its file, and all together are no more than the files:
 * so nobody makes us read the same bytes a million times.
 */
static int check_places(struct mls_checkpoint *c, struct mlsched_error *err)
{
	uint64_t all = 0;

	for (uint32_t i = 0; i < c->n_shards; i++) {
		if (c->shards[i].size > MAX_DATA - all)
			return bad(&c->shards[i], -EFBIG, err,
				   "expected at most %" PRIu64
				   " bytes of variables, found %" PRIu64,
				   MAX_DATA, c->shards[i].size);
		all += c->shards[i].size;
	}
	/* What a tensor becomes counts as what a file does that is read as a whole. */
	c->arena->limit += (size_t)all * MLS_UNFOLD;
	for (uint32_t i = 0; i < c->n_tensors; i++) {
		const struct mls_stored *t = &c->tensors[i];
		const struct mls_file *file = &c->shards[t->shard];

		if (t->offset > file->size || t->size > file->size - t->offset)
			return bad(file, -EINVAL, err,
				   "tensor %s: expected %" PRIu64 " bytes at offset %" PRIu64
				   ", found a file of %" PRIu64 " bytes",
				   t->key, t->size, t->offset, file->size);
		if (t->size > all)
			return bad(c, -EINVAL, err,
				   "tensor %s: expected tensors side by side, found that they "
				   "overlap",
				   t->key);
		all -= t->size;
	}
	return 0;
}

int mls_checkpoint_open(struct mls_checkpoint *checkpoint, const struct mls_files *files,
			struct mls_arena *arena, struct mlsched_error *err)
{
	struct mls_blob index = { 0 };
	int ret;

	*checkpoint = (struct mls_checkpoint){ .files = files, .arena = arena };
	ret = mls_file_slurp(files, INDEX_NAME, MAX_INDEX, arena, err, &index);
	if (ret == -ENOENT)
		return mls_error(err, -EINVAL,
				 "Invalid SavedModel format: %s/%s: expected the variables that "
				 "the graph reads, found no such file",
				 files->path, INDEX_NAME);
	if (ret)
		return ret;
	checkpoint->path = index.path;
	checkpoint->unread = index.size;
	ret = read_table(checkpoint, &index, err);
	if (!ret)
		ret = open_shards(checkpoint, err);
	else
		checkpoint->n_shards = 0;
	return ret ? ret : check_places(checkpoint, err);
}

void mls_checkpoint_close(struct mls_checkpoint *checkpoint)
{
	for (uint32_t i = 0; i < checkpoint->n_shards; i++)
		mls_file_close(&checkpoint->shards[i]);
	checkpoint->n_shards = 0;
}

struct mls_stored *mls_checkpoint_find(const struct mls_checkpoint *checkpoint, const char *key)
{
	size_t size = strlen(key);
	uint32_t low = 0, high = checkpoint->n_tensors;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		struct mls_stored *t = &checkpoint->tensors[middle];
		int order = memcmp(key, t->key, size < t->key_size ? size : t->key_size);

		if (order == 0)
			order = (size > t->key_size) - (size < t->key_size);
		if (order == 0)
			return t;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static int check_crc(const struct mls_checkpoint *c, struct mls_stored *t, uint32_t crc,
		     struct mlsched_error *err)
{
	if (crc_differs(t->crc, mls_crc32c_mask(crc)))
		return bad(&c->shards[t->shard], -EBADMSG, err,
			   "tensor %s: expected checksum %08x, found %08x", t->key, t->crc,
			   mls_crc32c_mask(crc));
	t->checked = true;
	return 0;
}

int mls_checkpoint_floats(struct mls_checkpoint *checkpoint, struct mls_stored *tensor,
			  struct mlsched_error *err, float **numbers)
{
	const struct mls_file *file = &checkpoint->shards[tensor->shard];
	char text[128];
	size_t room;
	void *raw;
	int ret;

	if (tensor->sliced)
		return bad(checkpoint, -ENOTSUP, err,
			   "tensor %s: expected it in one piece, found a partitioned variable",
			   tensor->key);
	if (!mls_is_float(tensor->dtype))
		return bad(checkpoint, -ENOTSUP, err, "tensor %s: expected float numbers, found %s",
			   tensor->key, mls_dtype_name(tensor->dtype));
	if (tensor->elements < 1 || tensor->elements > MLS_MAX_ELEMENTS)
		return bad(checkpoint, -ENOTSUP, err,
			   "tensor %s: expected at most 256 inputs and 256 units, found %s",
			   tensor->key,
			   mls_shape_text(tensor->dims, tensor->rank, text, sizeof(text)));
	/* The file is at least as large: check_places(). */
	room = (size_t)tensor->elements * sizeof(float);
	room = room > tensor->size ? room : (size_t)tensor->size;
	*numbers = mls_arena_alloc(checkpoint->arena, room);
	if (!*numbers)
		return mls_no_memory(checkpoint->arena, checkpoint->path, err);
	/* At the end, so that what becomes wider never gets ahead of what is still to be read. */
	raw = (char *)*numbers + (room - tensor->size);
	ret = mls_file_read(file, tensor->offset, raw, (size_t)tensor->size, err);
	if (!ret)
		ret = check_crc(checkpoint, tensor, mls_crc32c(0, raw, (size_t)tensor->size), err);
	if (!ret)
		mls_to_float(tensor->dtype, raw, (size_t)tensor->elements, *numbers);
	return ret;
}

/* Lengths as varints, their checksum, then the bytes; the tensor's checksum covers another form. */
static int read_strings(struct mls_checkpoint *c, struct mls_stored *t, struct mlsched_error *err,
			struct mls_blob *first)
{
	const struct mls_file *file = &c->shards[t->shard];
	struct cursor at;
	uint64_t total = 0, length = 0;
	uint32_t crc = 0, stored, masked;
	uint8_t *raw;
	int ret;

	if (t->size > MAX_STRING || t->elements > t->size)
		return bad(file, -ENOTSUP, err,
			   "tensor %s: expected a short string, found %" PRIu64
			   " strings in %" PRIu64 " bytes",
			   t->key, t->elements, t->size);
	raw = mls_arena_alloc(c->arena, (size_t)t->size);
	if (!raw)
		return mls_no_memory(c->arena, c->path, err);
	ret = mls_file_read(file, t->offset, raw, (size_t)t->size, err);
	if (ret)
		return ret;
	at = (struct cursor){ raw, raw + t->size };
	for (uint64_t i = 0; i < t->elements; i++) {
		uint32_t le;

		if (!get_varint(&at, &length) || length > t->size || total > t->size)
			return bad(file, -EINVAL, err,
				   "tensor %s: expected the length of string %" PRIu64
				   ", found a cut or too large number",
				   t->key, i);
		le = htole32((uint32_t)length);
		crc = mls_crc32c(crc, &le, sizeof(le));
		total += length;
	}
	if ((size_t)(at.end - at.at) != total + 4)
		return bad(file, -EINVAL, err,
			   "tensor %s: expected %" PRIu64 " bytes of strings, found %zu", t->key,
			   total + 4, (size_t)(at.end - at.at));
	stored = le32(at.at);
	masked = mls_crc32c_mask(crc);
	if (crc_differs(stored, masked))
		return bad(file, -EBADMSG, err,
			   "tensor %s: expected checksum %08x of its lengths, found %08x", t->key,
			   stored, masked);
	ret = check_crc(c, t, mls_crc32c(crc, at.at, (size_t)(at.end - at.at)), err);
	if (!ret && first)
		*first = (struct mls_blob){ file->path, at.at + 4, (size_t)total };
	return ret;
}

int mls_checkpoint_string(struct mls_checkpoint *checkpoint, struct mls_stored *tensor,
			  struct mlsched_error *err, struct mls_blob *bytes)
{
	if (tensor->dtype != MLS_DT_STRING || tensor->elements != 1 || tensor->sliced)
		return bad(checkpoint, -EINVAL, err,
			   "tensor %s: expected one string, found %" PRIu64 " of %s", tensor->key,
			   tensor->elements, mls_dtype_name(tensor->dtype));
	return read_strings(checkpoint, tensor, err, bytes);
}

/* The checksum of a tensor that nobody needs, in pieces. */
static int verify_stream(struct mls_checkpoint *c, struct mls_stored *t, uint8_t *buffer,
			 size_t buffer_size, struct mlsched_error *err)
{
	uint32_t crc = 0;

	for (uint64_t done = 0; done < t->size;) {
		size_t piece = t->size - done < buffer_size ? (size_t)(t->size - done) :
							      buffer_size;
		int ret = mls_file_read(&c->shards[t->shard], t->offset + done, buffer, piece, err);

		if (ret)
			return ret;
		crc = mls_crc32c(crc, buffer, piece);
		done += piece;
	}
	return check_crc(c, t, crc, err);
}

int mls_checkpoint_verify(struct mls_checkpoint *checkpoint, struct mlsched_error *err)
{
	const size_t buffer_size = 16 << 10;
	uint8_t *buffer = NULL;

	for (uint32_t i = 0; i < checkpoint->n_tensors; i++) {
		struct mls_stored *t = &checkpoint->tensors[i];
		int ret;

		if (t->checked || t->sliced)
			continue;
		if (!buffer) {
			buffer = mls_arena_alloc(checkpoint->arena, buffer_size);
			if (!buffer)
				return mls_no_memory(checkpoint->arena, checkpoint->path, err);
		}
		ret = t->dtype == MLS_DT_STRING ?
			      read_strings(checkpoint, t, err, NULL) :
			      verify_stream(checkpoint, t, buffer, buffer_size, err);
		if (ret)
			return ret;
	}
	return 0;
}
