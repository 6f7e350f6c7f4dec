/* SPDX-License-Identifier: GPL-2.0 */
/*
 * TensorFlow's checkpoints ("tensor bundles"): variables.index, a sorted table
 * of keys, and variables.data-NNNNN-of-NNNNN, the numbers.
 *
 * Source: tensorflow/core/util/tensor_bundle, tensorflow/core/lib/io/table*
 * (LevelDB's table_format).
 */
#ifndef MLS_FORMATS_CHECKPOINT_H
#define MLS_FORMATS_CHECKPOINT_H

#include "src/formats/files.h"
#include "src/formats/pb.h"

/* One entry of the index. */
struct mls_stored {
	const char *key; /* zero behind it, but may hold zeros */
	size_t key_size;
	int32_t dtype;
	int rank;
	int64_t dims[MLS_MAX_RANK];
	uint64_t elements;
	int32_t shard;
	uint64_t offset;
	uint64_t size;
	uint32_t crc; /* masked */
	bool sliced; /* in pieces under other keys */
	bool checked; /* its checksum has been seen to match */
};

/* An open checkpoint; all memory is the arena's. */
struct mls_checkpoint {
	const struct mls_files *files;
	struct mls_arena *arena;
	const char *path; /* of the index, for messages */
	uint32_t n_tensors;
	struct mls_stored *tensors; /* [n_tensors], ascending by key */
	uint32_t n_shards;
	struct mls_file *shards; /* [n_shards] */
	size_t unread; /* bytes of the index that no block has been read from */
};

/**
 * mls_checkpoint_open() - read variables/variables.index, open the data files
 *
 * Checks structure, checksums of the blocks, and that every tensor lies inside
 * its data file.  End with mls_checkpoint_close(), after a failure as well.
 * Return: 0; -ENOENT; -EINVAL; -EBADMSG; -ENOTSUP; -ENOMEM; -EIO.
 */
int mls_checkpoint_open(struct mls_checkpoint *checkpoint, const struct mls_files *files,
			struct mls_arena *arena, struct mlsched_error *err);

void mls_checkpoint_close(struct mls_checkpoint *checkpoint);

/** mls_checkpoint_find() - the entry of a key, NULL if there is none */
struct mls_stored *mls_checkpoint_find(const struct mls_checkpoint *checkpoint, const char *key);

/**
 * mls_checkpoint_floats() - the numbers of a tensor as float32, from the arena
 *
 * Checks the tensor's checksum.  At most MLS_MAX_ELEMENTS.
 */
int mls_checkpoint_floats(struct mls_checkpoint *checkpoint, struct mls_stored *tensor,
			  struct mlsched_error *err, float **numbers);

/** mls_checkpoint_string() - the bytes of a scalar string tensor, from the arena */
int mls_checkpoint_string(struct mls_checkpoint *checkpoint, struct mls_stored *tensor,
			  struct mlsched_error *err, struct mls_blob *bytes);

/** mls_checkpoint_verify() - check the checksums of all tensors not read yet */
int mls_checkpoint_verify(struct mls_checkpoint *checkpoint, struct mlsched_error *err);

/** mls_crc32c_mask() - a CRC-32C as tables store it: data may hold checksums itself */
static inline uint32_t mls_crc32c_mask(uint32_t crc)
{
	/* Of the sum the lower 32 bits. */
	return (uint32_t)((uint64_t)(crc >> 15 | crc << 17) + 0xa282ead8);
}

/* What the reader and the writer of tables agree on. */
#define MLS_TABLE_FOOTER  48
#define MLS_TABLE_MAGIC   UINT64_C(0xdb4775248b80fb57)
#define MLS_TABLE_TRAILER 5 /* type, checksum */
#define MLS_TABLE_RESTART 16

#endif /* MLS_FORMATS_CHECKPOINT_H */
