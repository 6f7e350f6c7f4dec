// SPDX-License-Identifier: GPL-2.0
/*
 * The reader of TensorFlow's checkpoints on tables made here: what it reads
 * (several blocks, several data files, every float type, strings) and what it
 * refuses, word for word.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "src/formats/checkpoint.h"
#include "src/formats/checkpoint_write.h"
#include "src/util/crc32c.h"

/* ---- CRC-32C ---------------------------------------------------------------------- */

static uint32_t crc_by_definition(const uint8_t *p, size_t size)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < size; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

static void crc32c_gives_the_known_answers(void **state)
{
	uint8_t bytes[32];

	(void)state;
	/* RFC 3720, appendix B.4. */
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(mls_crc32c(0, bytes, 32), 0x8a9136aa);
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(mls_crc32c(0, bytes, 32), 0x62a8ab43);
	for (int i = 0; i < 32; i++)
		bytes[i] = (uint8_t)i;
	assert_int_equal(mls_crc32c(0, bytes, 32), 0x46dd794e);
	assert_int_equal(mls_crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(mls_crc32c(0, NULL, 0), 0);
}

static void crc32c_agrees_with_its_definition_at_every_length_and_offset(void **state)
{
	uint8_t bytes[100];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 73 + 5);
	for (size_t from = 0; from < 9; from++) {
		for (size_t size = 0; size + from <= sizeof(bytes); size++) {
			uint32_t expected = crc_by_definition(bytes + from, size);

			assert_int_equal(mls_crc32c(0, bytes + from, size), expected);
			/* In two pieces. */
			assert_int_equal(mls_crc32c(mls_crc32c(0, bytes + from, size / 3),
						    bytes + from + size / 3, size - size / 3),
					 expected);
		}
	}
}

/* ---- making tables ----------------------------------------------------------------- */

struct bytes {
	uint8_t data[16384];
	size_t size;
};

static struct bytes index_file, data_files[2];

static void put(struct bytes *b, const void *from, size_t size)
{
	assert_true(size <= sizeof(b->data) - b->size);
	memcpy(b->data + b->size, from, size);
	b->size += size;
}

static void put_varint(struct bytes *b, uint64_t value)
{
	for (; value > 127; value >>= 7)
		put(b, &(uint8_t){ (uint8_t)(value | 128) }, 1);
	put(b, &(uint8_t){ (uint8_t)value }, 1);
}

static void put_le32(struct bytes *b, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		put(b, &(uint8_t){ (uint8_t)(value >> 8 * i) }, 1);
}

static void put_entry(struct bytes *block, size_t shared, const char *rest,
		      const struct bytes *value)
{
	put_varint(block, shared);
	put_varint(block, strlen(rest));
	put_varint(block, value->size);
	put(block, rest, strlen(rest));
	put(block, value->data, value->size);
}

/* Ends a block with one restart, appends it to the table, its place to @handle. */
static void put_block(struct bytes *block, uint8_t type, struct bytes *handle)
{
	size_t offset = index_file.size;

	put_le32(block, 0);
	put_le32(block, 1);
	put(&index_file, block->data, block->size);
	put(&index_file, &type, 1);
	put_le32(&index_file,
		 mls_crc32c_mask(mls_crc32c(0, index_file.data + offset, block->size + 1)));
	put_varint(handle, offset);
	put_varint(handle, block->size);
}

static void pack(const ProtobufCMessage *message, struct bytes *to)
{
	assert_true(protobuf_c_message_get_packed_size(message) <= sizeof(to->data));
	to->size = protobuf_c_message_pack(message, to->data);
}

static struct bytes header_of(int shards, int endianness)
{
	Mls__BundleHeader header = MLS__BUNDLE_HEADER__INIT;
	struct bytes value = { .size = 0 };

	header.num_shards = shards;
	header.endianness = endianness;
	pack(&header.base, &value);
	return value;
}

/* An entry for a vector of [n] whose raw bytes are appended to a data file. */
static struct bytes entry_of(int32_t dtype, int64_t n, int shard, const void *raw, size_t size)
{
	Mls__BundleEntry entry = MLS__BUNDLE_ENTRY__INIT;
	Mls__Shape shape = MLS__SHAPE__INIT;
	Mls__Dim dim = MLS__DIM__INIT, *dims = &dim;
	struct bytes value = { .size = 0 };

	dim.size = n;
	shape.n_dim = n >= 0;
	shape.dim = &dims;
	entry.dtype = dtype;
	entry.shape = &shape;
	entry.shard_id = shard;
	entry.offset = (int64_t)data_files[shard].size;
	entry.size = (int64_t)size;
	entry.crc32c = mls_crc32c_mask(mls_crc32c(0, raw, size));
	put(&data_files[shard], raw, size);
	pack(&entry.base, &value);
	return value;
}

/* The rest of a table behind its data blocks: [n] of them, at @handles. */
static void finish(const struct bytes *handles, const char *const *last_keys, int n)
{
	static struct bytes meta, top, footer;
	static const uint8_t zeros[40];

	meta.size = top.size = footer.size = 0;
	put_block(&meta, 0, &footer);
	for (int i = 0; i < n; i++)
		put_entry(&top, 0, last_keys[i], &handles[i]);
	put_block(&top, 0, &footer);
	put(&footer, zeros, 40 - footer.size);
	put_le32(&footer, (uint32_t)MLS_TABLE_MAGIC);
	put_le32(&footer, (uint32_t)(MLS_TABLE_MAGIC >> 32));
	put(&index_file, footer.data, footer.size);
}

static int clear(void **state)
{
	(void)state;
	index_file.size = data_files[0].size = data_files[1].size = 0;
	return 0;
}

static void finish_one(struct bytes *block, uint8_t type)
{
	static struct bytes handle;
	const char *last = "z";

	handle.size = 0;
	put_block(block, type, &handle);
	finish(&handle, &last, 1);
}

/* ---- reading them -------------------------------------------------------------------- */

struct opened {
	struct mls_blob blobs[3];
	struct mls_files files;
	struct mls_arena arena;
	struct mls_checkpoint checkpoint;
	struct mlsched_error err;
};

static int open_tables(struct opened *o, int n_shards)
{
	memset(o, 0, sizeof(*o));
	o->blobs[0] =
		(struct mls_blob){ "variables/variables.index", index_file.data, index_file.size };
	o->blobs[1] = (struct mls_blob){ n_shards == 1 ? "variables/variables.data-00000-of-00001" :
							 "variables/variables.data-00000-of-00002",
					 data_files[0].data, data_files[0].size };
	o->blobs[2] = (struct mls_blob){ "variables/variables.data-00001-of-00002",
					 data_files[1].data, data_files[1].size };
	o->files = (struct mls_files){ .path = "m", .dir = -1, .blobs = o->blobs };
	o->files.n_blobs = 1 + (uint32_t)n_shards;
	o->arena.limit = 1 << 20;
	return mls_checkpoint_open(&o->checkpoint, &o->files, &o->arena, &o->err);
}

static void close_tables(struct opened *o)
{
	mls_checkpoint_close(&o->checkpoint);
	mls_arena_free(&o->arena);
}

static void refuse_at_opening(int code, const char *message)
{
	struct opened o;

	assert_int_equal(open_tables(&o, 1), code);
	assert_string_equal(o.err.message, message);
	close_tables(&o);
}

#define HEAD "Invalid SavedModel format: m/variables/variables.index: "
#define DATA "Invalid SavedModel format: m/variables/variables.data-00000-of-00001: "

static void expect_floats(struct opened *o, const char *key, const float *expected, size_t n)
{
	struct mls_stored *tensor = mls_checkpoint_find(&o->checkpoint, key);
	float *numbers;

	assert_non_null(tensor);
	if (mls_checkpoint_floats(&o->checkpoint, tensor, &o->err, &numbers) != 0)
		fail_msg("%s", o->err.message);
	assert_int_equal(tensor->elements, n);
	assert_memory_equal(numbers, expected, n * sizeof(float));
}

static void several_blocks_and_data_files_are_read(void **state)
{
	static struct bytes blocks[2], handles[2], value;
	static const char *const last_keys[] = { "a/kernel", "b/kernel" };
	const float one[2] = { 1, 2 }, two[3] = { -3, 4, 5 }, three[1] = { 6 };
	struct opened o;

	(void)state;
	memset(handles, 0, sizeof(handles));
	blocks[0].size = blocks[1].size = 0;
	value = header_of(2, 0);
	put_entry(&blocks[0], 0, "", &value);
	value = entry_of(MLS_DT_FLOAT, 2, 0, one, sizeof(one));
	put_entry(&blocks[0], 0, "a/bias", &value);
	value = entry_of(MLS_DT_FLOAT, 3, 1, two, sizeof(two));
	put_entry(&blocks[0], 2, "kernel", &value);
	value = entry_of(MLS_DT_FLOAT, 1, 0, three, sizeof(three));
	put_entry(&blocks[1], 0, "b/kernel", &value);
	put_block(&blocks[0], 0, &handles[0]);
	put_block(&blocks[1], 0, &handles[1]);
	finish(handles, last_keys, 2);
	if (open_tables(&o, 2) != 0)
		fail_msg("%s", o.err.message);
	assert_int_equal(o.checkpoint.n_tensors, 3);
	expect_floats(&o, "a/bias", one, 2);
	expect_floats(&o, "a/kernel", two, 3);
	expect_floats(&o, "b/kernel", three, 1);
	assert_null(mls_checkpoint_find(&o.checkpoint, "a/"));
	assert_null(mls_checkpoint_find(&o.checkpoint, "b/kernel2"));
	assert_int_equal(mls_checkpoint_verify(&o.checkpoint, &o.err), 0);
	close_tables(&o);
}

static void missing_data_file_is_named(void **state)
{
	struct bytes block = { .size = 0 }, value = header_of(2, 0);
	struct opened o;

	(void)state;
	put_entry(&block, 0, "", &value);
	finish_one(&block, 0);
	assert_int_equal(open_tables(&o, 1), -EINVAL);
	assert_string_equal(o.err.message,
			    "Invalid SavedModel format: m/variables/variables.data-00000-of-00002: "
			    "expected the file of weights that variables/variables.index names, "
			    "found none");
	close_tables(&o);
}

static void every_float_type_is_converted(void **state)
{
	/* 1, -2, 65504, 2^-24 (the smallest denormal of float16), and what bfloat16 makes of pi. */
	static const uint8_t half[] = { 0x00, 0x3c, 0x00, 0xc0, 0xff, 0x7b, 0x01, 0x00 };
	static const uint8_t bfloat[] = { 0x49, 0x40 };
	static const double wide[] = { 0.1, -1e30 };
	const float half_expected[] = { 1, -2, 65504, 0x1p-24f };
	const float bfloat_expected[] = { 3.140625f }, wide_expected[] = { 0.1f, -1e30f };
	struct bytes block = { .size = 0 }, value = header_of(1, 0);
	struct opened o;

	(void)state;
	put_entry(&block, 0, "", &value);
	value = entry_of(MLS_DT_BFLOAT16, 1, 0, bfloat, sizeof(bfloat));
	put_entry(&block, 0, "b", &value);
	value = entry_of(MLS_DT_DOUBLE, 2, 0, wide, sizeof(wide));
	put_entry(&block, 0, "d", &value);
	value = entry_of(MLS_DT_HALF, 4, 0, half, sizeof(half));
	put_entry(&block, 0, "h", &value);
	finish_one(&block, 0);
	assert_int_equal(open_tables(&o, 1), 0);
	expect_floats(&o, "b", bfloat_expected, 1);
	expect_floats(&o, "d", wide_expected, 2);
	expect_floats(&o, "h", half_expected, 4);
	close_tables(&o);
}

static void strings_are_read_with_both_checksums(void **state)
{
	static const char text[] = "an object graph";
	struct bytes raw = { .size = 0 }, covered = { .size = 0 };
	struct bytes block = { .size = 0 }, value = header_of(1, 0);
	struct mls_blob bytes;
	struct opened o;

	(void)state;
	put_le32(&covered, sizeof(text));
	put_varint(&raw, sizeof(text));
	put_le32(&raw, mls_crc32c_mask(mls_crc32c(0, covered.data, 4)));
	put(&raw, text, sizeof(text));
	put(&covered, raw.data + 1, raw.size - 1);
	put_entry(&block, 0, "", &value);
	value = entry_of(MLS_DT_STRING, -1, 0, raw.data, raw.size);
	/* The checksum covers the lengths as 32-bit numbers, not as they are stored. */
	value.size -= 4;
	put_le32(&value, mls_crc32c_mask(mls_crc32c(0, covered.data, covered.size)));
	put_entry(&block, 0, "s", &value);
	finish_one(&block, 0);
	assert_int_equal(open_tables(&o, 1), 0);
	if (mls_checkpoint_string(&o.checkpoint, &o.checkpoint.tensors[0], &o.err, &bytes) != 0)
		fail_msg("%s", o.err.message);
	assert_int_equal(bytes.size, sizeof(text));
	assert_memory_equal(bytes.data, text, sizeof(text));
	close_tables(&o);
	data_files[0].data[1] ^= 1;
	assert_int_equal(open_tables(&o, 1), 0);
	assert_int_equal(mls_checkpoint_verify(&o.checkpoint, &o.err), -EBADMSG);
	assert_non_null(strstr(o.err.message, "tensor s: expected checksum"));
	assert_non_null(strstr(o.err.message, "of its lengths"));
	close_tables(&o);
}

static void flipped_bit_in_a_tensor_nobody_reads_is_found(void **state)
{
	const float numbers[2] = { 1, 2 };
	struct bytes block = { .size = 0 }, value = header_of(1, 0);
	char expected[256];
	struct opened o;

	(void)state;
	put_entry(&block, 0, "", &value);
	value = entry_of(MLS_DT_FLOAT, 2, 0, numbers, sizeof(numbers));
	put_entry(&block, 0, "optimizer/v", &value);
	finish_one(&block, 0);
	data_files[0].data[5] ^= 0x10;
	assert_int_equal(open_tables(&o, 1), 0);
	assert_int_equal(mls_checkpoint_verify(&o.checkpoint, &o.err), -EBADMSG);
	snprintf(expected, sizeof(expected),
		 DATA "tensor optimizer/v: expected checksum %08x, found %08x",
		 mls_crc32c_mask(mls_crc32c(0, numbers, sizeof(numbers))),
		 mls_crc32c_mask(mls_crc32c(0, data_files[0].data, sizeof(numbers))));
	assert_string_equal(o.err.message, expected);
	close_tables(&o);
}

static void snappy_is_refused_by_name(void **state)
{
	struct bytes block = { .size = 0 }, value = header_of(1, 0);

	(void)state;
	put_entry(&block, 0, "", &value);
	finish_one(&block, 1);
	refuse_at_opening(-ENOTSUP,
			  HEAD "data block at offset 0: expected no compression (type 0), found "
			       "type 1 (snappy)");
}

static void keys_out_of_order_are_refused(void **state)
{
	const float numbers[2] = { 1, 2 };
	struct bytes block = { .size = 0 }, value = header_of(1, 0);

	(void)state;
	put_entry(&block, 0, "", &value);
	value = entry_of(MLS_DT_FLOAT, 2, 0, numbers, sizeof(numbers));
	put_entry(&block, 0, "b", &value);
	put_entry(&block, 0, "a", &value);
	finish_one(&block, 0);
	refuse_at_opening(-EINVAL, HEAD "data block at offset 0: expected ascending keys, found "
					"\"b\" out of order");
}

static void same_key_twice_is_refused(void **state)
{
	const float numbers[2] = { 1, 2 };
	struct bytes block = { .size = 0 }, value = header_of(1, 0);

	(void)state;
	put_entry(&block, 0, "", &value);
	value = entry_of(MLS_DT_FLOAT, 2, 0, numbers, sizeof(numbers));
	put_entry(&block, 0, "b", &value);
	put_entry(&block, 1, "", &value);
	finish_one(&block, 0);
	refuse_at_opening(-EINVAL, HEAD "data block at offset 0: expected ascending keys, found "
					"\"b\" out of order");
}

static void entry_beyond_its_block_is_refused(void **state)
{
	struct bytes block = { .size = 0 };

	(void)state;
	put_varint(&block, 0);
	put_varint(&block, 0);
	put_varint(&block, 1000);
	put(&block, "xx", 2);
	finish_one(&block, 0);
	refuse_at_opening(-EINVAL, HEAD "data block at offset 0: expected an entry within 2 bytes, "
					"found a key of 0+0 and a value of 1000 bytes");
}

static void missing_header_is_refused(void **state)
{
	const float number = 1;
	struct bytes block = { .size = 0 }, value;

	(void)state;
	value = entry_of(MLS_DT_FLOAT, 1, 0, &number, sizeof(number));
	put_entry(&block, 0, "a", &value);
	finish_one(&block, 0);
	refuse_at_opening(-EINVAL, HEAD "expected a header under the empty key first, found \"a\"");
}

static void big_endian_checkpoint_is_refused(void **state)
{
	struct bytes block = { .size = 0 }, value = header_of(1, 1);

	(void)state;
	put_entry(&block, 0, "", &value);
	finish_one(&block, 0);
	refuse_at_opening(-ENOTSUP,
			  HEAD "header: expected little-endian numbers, found big-endian ones");
}

static void size_that_does_not_match_the_shape_is_refused(void **state)
{
	const float numbers[2] = { 1, 2 };
	struct bytes block = { .size = 0 }, value = header_of(1, 0);

	(void)state;
	put_entry(&block, 0, "", &value);
	value = entry_of(MLS_DT_FLOAT, 3, 0, numbers, sizeof(numbers));
	put_entry(&block, 0, "a", &value);
	finish_one(&block, 0);
	refuse_at_opening(-EINVAL, HEAD "tensor a: expected 12 bytes for float32 [3], found 8");
}

static void tensor_beyond_its_data_file_is_refused(void **state)
{
	const float numbers[2] = { 1, 2 };
	struct bytes block = { .size = 0 }, value = header_of(1, 0);

	(void)state;
	put_entry(&block, 0, "", &value);
	value = entry_of(MLS_DT_FLOAT, 2, 0, numbers, sizeof(numbers));
	put_entry(&block, 0, "a", &value);
	finish_one(&block, 0);
	data_files[0].size = 7;
	refuse_at_opening(-EINVAL, DATA "tensor a: expected 8 bytes at offset 0, found a file of 7 "
					"bytes");
}

static void tensors_that_overlap_are_refused(void **state)
{
	const float numbers[2] = { 1, 2 };
	struct bytes block = { .size = 0 }, value = header_of(1, 0);

	(void)state;
	put_entry(&block, 0, "", &value);
	value = entry_of(MLS_DT_FLOAT, 2, 0, numbers, sizeof(numbers));
	put_entry(&block, 0, "a", &value);
	put_entry(&block, 0, "b", &value);
	finish_one(&block, 0);
	refuse_at_opening(-EINVAL,
			  HEAD "tensor b: expected tensors side by side, found that they overlap");
}

static void one_block_named_many_times_is_refused(void **state)
{
	static struct bytes handles[20];
	struct bytes block = { .size = 0 }, empty = { .size = 0 }, value = header_of(1, 0);
	char names[20][2], expected[256];
	const char *keys[20];
	size_t offset;

	(void)state;
	memset(handles, 0, sizeof(handles));
	put_entry(&block, 0, "", &value);
	put_block(&block, 0, &handles[0]);
	/* No entries, so no keys that could be out of order: only the places tell. */
	offset = index_file.size;
	put_block(&empty, 0, &handles[1]);
	for (int i = 0; i < 20; i++) {
		snprintf(names[i], sizeof(names[i]), "%c", 'a' + i);
		keys[i] = names[i];
		if (i > 1)
			handles[i] = handles[1];
	}
	finish(handles, keys, 20);
	snprintf(expected, sizeof(expected),
		 HEAD "data block at offset %zu: expected blocks side by side, found that they "
		      "overlap",
		 offset);
	refuse_at_opening(-EINVAL, expected);
}

static void reader_reads_what_the_writer_wrote(void **state)
{
	static const float numbers[300];
	struct mls_tensor tensors[MLS_MAX_TENSORS];
	static char keys[MLS_MAX_TENSORS][32];
	struct mls_arena arena = MLS_ARENA_INIT(1 << 20);

	(void)state;
	for (uint32_t n = 1; n <= MLS_MAX_TENSORS; n++) {
		struct mls_blob index, data;
		struct opened o;

		for (uint32_t i = 0; i < n; i++) {
			snprintf(keys[i], sizeof(keys[i]), "dense_%u/kernel", i * 7 % 16);
			tensors[i] = (struct mls_tensor){ .key = keys[i],
							  .rank = 2,
							  .dims = { i + 1, 300 / (i + 1) } };
			tensors[i].numbers = numbers;
		}
		clear(NULL);
		assert_int_equal(mls_checkpoint_bytes(&arena, tensors, n, &index, &data), 0);
		put(&index_file, index.data, index.size);
		memset(&o, 0, sizeof(o));
		o.blobs[0] =
			(struct mls_blob){ "variables/variables.index", index.data, index.size };
		o.blobs[1] = (struct mls_blob){ "variables/variables.data-00000-of-00001",
						data.data, data.size };
		o.files = (struct mls_files){
			.path = "m", .dir = -1, .n_blobs = 2, .blobs = o.blobs
		};
		o.arena.limit = 1 << 20;
		if (mls_checkpoint_open(&o.checkpoint, &o.files, &o.arena, &o.err) != 0)
			fail_msg("%s", o.err.message);
		assert_int_equal(o.checkpoint.n_tensors, n);
		for (uint32_t i = 0; i < n; i++)
			expect_floats(&o, keys[i], numbers,
				      (size_t)tensors[i].dims[0] * tensors[i].dims[1]);
		close_tables(&o);
	}
	mls_arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc32c_gives_the_known_answers),
		cmocka_unit_test(crc32c_agrees_with_its_definition_at_every_length_and_offset),
		cmocka_unit_test_setup(several_blocks_and_data_files_are_read, clear),
		cmocka_unit_test_setup(missing_data_file_is_named, clear),
		cmocka_unit_test_setup(every_float_type_is_converted, clear),
		cmocka_unit_test_setup(strings_are_read_with_both_checksums, clear),
		cmocka_unit_test_setup(flipped_bit_in_a_tensor_nobody_reads_is_found, clear),
		cmocka_unit_test_setup(snappy_is_refused_by_name, clear),
		cmocka_unit_test_setup(keys_out_of_order_are_refused, clear),
		cmocka_unit_test_setup(same_key_twice_is_refused, clear),
		cmocka_unit_test_setup(entry_beyond_its_block_is_refused, clear),
		cmocka_unit_test_setup(missing_header_is_refused, clear),
		cmocka_unit_test_setup(big_endian_checkpoint_is_refused, clear),
		cmocka_unit_test_setup(size_that_does_not_match_the_shape_is_refused, clear),
		cmocka_unit_test_setup(tensor_beyond_its_data_file_is_refused, clear),
		cmocka_unit_test_setup(tensors_that_overlap_are_refused, clear),
		cmocka_unit_test_setup(one_block_named_many_times_is_refused, clear),
		cmocka_unit_test(reader_reads_what_the_writer_wrote),
	};

	return cmocka_run_group_tests_name("checkpoint", tests, NULL, NULL);
}
