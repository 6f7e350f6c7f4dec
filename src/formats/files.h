/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reading the files of one model: from a directory that stays the same one
 * even when it is replaced meanwhile, or from memory (tests, fuzzing).
 */
#ifndef MLS_FORMATS_FILES_H
#define MLS_FORMATS_FILES_H

#include <stdint.h>

#include <mlsched/error.h>

#include "src/formats/arena.h"

/* What was read in: @path is for messages. */
struct mls_blob {
	const char *path;
	const uint8_t *data;
	size_t size;
};

/**
 * struct mls_files - where the files are
 * @path:    of the model, for messages
 * @dir:     descriptor of the directory, or -1: then they are in memory
 * @n_blobs: files in memory
 * @blobs:   [n_blobs], their paths relative to @path
 */
struct mls_files {
	const char *path;
	int dir;
	uint32_t n_blobs;
	const struct mls_blob *blobs;
};

/* One open file. */
struct mls_file {
	const char *path;
	const char *format; /* of the model that it belongs to, for messages */
	int fd; /* or -1: in memory */
	const uint8_t *data;
	uint64_t size;
};

/**
 * mls_file_open() - open one file of a model for reading
 * @name:  relative to the model
 * @arena: keeps the path
 *
 * Return: 0; -ENOENT with no message written; else -errno with one.
 */
int mls_file_open(const struct mls_files *files, const char *name, struct mls_arena *arena,
		  struct mlsched_error *err, struct mls_file *file);

/** mls_file_read() - read exactly [size] bytes at @offset; a shorter file is an error */
int mls_file_read(const struct mls_file *file, uint64_t offset, void *to, size_t size,
		  struct mlsched_error *err);

void mls_file_close(struct mls_file *file);

/* Bytes that a model makes us allocate at most, itself included: for each of its files' bytes, and for any. */
#define MLS_UNFOLD      8
#define MLS_UNFOLD_BASE ((size_t)1 << 20)

/**
 * mls_file_slurp() - read a whole file into @arena, which MLS_UNFOLD times its size is added to
 * @max: largest size that makes sense; a larger file is refused unread
 *
 * Return: as mls_file_open(); -EFBIG.
 */
int mls_file_slurp(const struct mls_files *files, const char *name, size_t max,
		   struct mls_arena *arena, struct mlsched_error *err, struct mls_blob *blob);

/**
 * mls_file_slurp_path() - read a model that is a single file into @arena
 * @max:    largest size that makes sense; a larger file is refused unread
 * @unfold: bytes that may be allocated for each byte of the file, its own among them
 *
 * Return: 0; -ENOENT, -EFBIG, -EINVAL when it is no regular file, or what the
 * system calls return, each with a message.
 */
int mls_file_slurp_path(const char *path, size_t max, size_t unfold, struct mls_arena *arena,
			struct mlsched_error *err, struct mls_blob *blob);

/**
 * mls_file_slurp_open() - the same of a regular file that is open, and is closed by it
 * @path: what messages call it
 */
int mls_file_slurp_open(int fd, const char *path, size_t max, size_t unfold,
			struct mls_arena *arena, struct mlsched_error *err, struct mls_blob *blob);

/** mls_no_memory() - the error of an arena that is exhausted, for the file at @path */
int mls_no_memory(const struct mls_arena *arena, const char *path, struct mlsched_error *err);

#endif /* MLS_FORMATS_FILES_H */
