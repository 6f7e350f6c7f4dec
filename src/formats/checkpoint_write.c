// SPDX-License-Identifier: GPL-2.0
/*
 * Writing TensorFlow's checkpoints: the same bytes as SaveV2 writes for the
 * same tensors.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "src/formats/checkpoint.h"
#include "src/formats/checkpoint_write.h"
#include "src/util/crc32c.h"

/* Bytes that grow; @failed stays set when memory ran out. */
struct buffer {
	struct mls_arena *arena;
	uint8_t *data;
	size_t size, room;
	bool failed;
};

static void put(struct buffer *b, const void *data, size_t size)
{
	if (size > b->room - b->size) {
		size_t room = (b->room + size) * 2 + 256;
		uint8_t *grown = mls_arena_alloc(b->arena, room);

		if (!grown) {
			b->failed = true;
			return;
		}
		if (b->size)
			memcpy(grown, b->data, b->size);
		b->data = grown;
		b->room = room;
	}
	if (size)
		memcpy(b->data + b->size, data, size);
	b->size += size;
}

static void put_varint(struct buffer *b, uint64_t value)
{
	uint8_t bytes[10];
	size_t n = 0;

	for (; value > 127; value >>= 7)
		bytes[n++] = (uint8_t)(value | 128);
	bytes[n++] = (uint8_t)value;
	put(b, bytes, n);
}

static void put_le32(struct buffer *b, uint32_t value)
{
	value = htole32(value);
	put(b, &value, sizeof(value));
}

/* Entries of one block: keys ascending, each without what it shares with the one before. */
struct block {
	struct buffer bytes;
	struct buffer restarts;
	uint32_t n_entries, n_restarts;
	const char *last_key;
};

static void add_entry(struct block *block, const char *key, const void *value, size_t size)
{
	size_t shared = 0;

	if (block->n_entries % MLS_TABLE_RESTART == 0) {
		put_le32(&block->restarts, (uint32_t)block->bytes.size);
		block->n_restarts++;
	} else {
		while (key[shared] && key[shared] == block->last_key[shared])
			shared++;
	}
	put_varint(&block->bytes, shared);
	put_varint(&block->bytes, strlen(key) - shared);
	put_varint(&block->bytes, size);
	put(&block->bytes, key + shared, strlen(key) - shared);
	put(&block->bytes, value, size);
	block->last_key = key;
	block->n_entries++;
}

/* Appends a block with its trailer; returns its place as two varints in @handle. */
static void end_block(struct block *block, struct buffer *table, struct buffer *handle)
{
	size_t offset = table->size, size;
	const uint8_t uncompressed = 0;

	if (!block->n_restarts) {
		put_le32(&block->restarts, 0);
		block->n_restarts = 1;
	}
	put(table, block->bytes.data, block->bytes.size);
	put(table, block->restarts.data, block->restarts.size);
	put_le32(table, block->n_restarts);
	size = table->size - offset;
	put(table, &uncompressed, 1);
	table->failed = table->failed || block->bytes.failed || block->restarts.failed;
	if (table->failed)
		return;
	put_le32(table, mls_crc32c_mask(mls_crc32c(0, table->data + offset, size + 1)));
	put_varint(handle, offset);
	put_varint(handle, size);
}

/* LevelDB's short successor: the key of an index block need only be no smaller than the last. */
static void short_successor(const char *key, char to[2])
{
	to[0] = (char)((unsigned char)key[0] + 1);
	to[1] = '\0';
}

static void put_message(struct buffer *b, const ProtobufCMessage *message)
{
	size_t size = protobuf_c_message_get_packed_size(message);
	uint8_t *bytes = mls_arena_alloc(b->arena, size);

	if (!bytes) {
		b->failed = true;
		return;
	}
	protobuf_c_message_pack(message, bytes);
	put(b, bytes, size);
}

static void add_header(struct block *block, struct mls_arena *arena)
{
	struct buffer value = { .arena = arena };
	Mls__Version version = MLS__VERSION__INIT;
	Mls__BundleHeader header = MLS__BUNDLE_HEADER__INIT;

	version.producer = 1;
	header.num_shards = 1;
	header.version = &version;
	put_message(&value, &header.base);
	add_entry(block, "", value.data, value.size);
	block->bytes.failed = block->bytes.failed || value.failed;
}

static void add_tensor(struct block *block, struct buffer *data, const struct mls_tensor *tensor)
{
	struct buffer value = { .arena = data->arena };
	Mls__BundleEntry entry = MLS__BUNDLE_ENTRY__INIT;
	Mls__Shape shape = MLS__SHAPE__INIT;
	Mls__Dim dims[2], *dim_pointers[2] = { &dims[0], &dims[1] };
	size_t offset = data->size, n = 1;

	for (uint32_t i = 0; i < tensor->rank; i++) {
		mls__dim__init(&dims[i]);
		dims[i].size = tensor->dims[i];
		n *= tensor->dims[i];
	}
	for (size_t i = 0; i < n; i++) {
		uint32_t bits;

		memcpy(&bits, &tensor->numbers[i], sizeof(bits));
		put_le32(data, bits);
	}
	if (data->failed)
		return;
	shape.n_dim = tensor->rank;
	shape.dim = dim_pointers;
	entry.dtype = MLS_DT_FLOAT;
	entry.shape = &shape;
	entry.offset = (int64_t)offset;
	entry.size = (int64_t)(n * sizeof(float));
	entry.crc32c = mls_crc32c_mask(mls_crc32c(0, data->data + offset, n * sizeof(float)));
	put_message(&value, &entry.base);
	add_entry(block, tensor->key, value.data, value.size);
	block->bytes.failed = block->bytes.failed || value.failed;
}

static int compare_keys(const void *a, const void *b)
{
	const struct mls_tensor *const *x = a, *const *y = b;

	return strcmp((*x)->key, (*y)->key);
}

static void put_table(struct buffer *table, struct buffer *data,
		      const struct mls_tensor *const *sorted, uint32_t n)
{
	struct mls_arena *arena = table->arena;
	struct block block = { .bytes.arena = arena, .restarts.arena = arena };
	struct block meta = block, index = block;
	struct buffer place = { .arena = arena }, footer = { .arena = arena };
	const uint64_t magic = htole64(MLS_TABLE_MAGIC);
	static const uint8_t zeros[MLS_TABLE_FOOTER];
	char successor[2];

	add_header(&block, arena);
	for (uint32_t i = 0; i < n; i++)
		add_tensor(&block, data, sorted[i]);
	end_block(&block, table, &place);
	end_block(&meta, table, &footer);
	short_successor(sorted[n - 1]->key, successor);
	add_entry(&index, successor, place.data, place.size);
	end_block(&index, table, &footer);
	if (place.failed || footer.failed || table->failed || data->failed) {
		table->failed = true;
		return;
	}
	put(&footer, zeros, MLS_TABLE_FOOTER - sizeof(magic) - footer.size);
	put(&footer, &magic, sizeof(magic));
	put(table, footer.data, footer.size);
	table->failed = table->failed || footer.failed;
}

int mls_checkpoint_bytes(struct mls_arena *arena, const struct mls_tensor *tensors, uint32_t n,
			 struct mls_blob *index, struct mls_blob *data)
{
	const struct mls_tensor *sorted[MLS_MAX_TENSORS];
	struct buffer table = { .arena = arena }, numbers = { .arena = arena };

	for (uint32_t i = 0; i < n; i++)
		sorted[i] = &tensors[i];
	qsort(sorted, n, sizeof(*sorted), compare_keys);
	put_table(&table, &numbers, sorted, n);
	if (table.failed || numbers.failed)
		return -ENOMEM;
	index->data = table.data;
	index->size = table.size;
	data->data = numbers.data;
	data->size = numbers.size;
	return 0;
}
