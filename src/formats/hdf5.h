/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reading groups, attributes and tensors of an HDF5 file that nobody vouches for.
 *
 * libhdf5 reads it, in a process of its own (hdf5_process.c) that has the file in
 * memory: no file that it names (external links, external data, virtual data sets) is
 * ever opened, no plugin loaded.  What is handed out has been measured first.  Should
 * libhdf5 crash, hang, or be taken over, there is an error like any other.
 *
 * These functions are there twice: in hdf5.c, which asks the process, and within that
 * in hdf5_child/read.c (mls_h5_open(), look, list, texts and tensor).
 */
#ifndef MLS_FORMATS_HDF5_H
#define MLS_FORMATS_HDF5_H

#include "src/formats/files.h"

/* Everything of ours lies at most this deep in a file. */
#define MLS_H5_MAX_DEPTH 16

struct mls_h5;

enum mls_h5_kind {
	MLS_H5_NOTHING,
	MLS_H5_GROUP,
	MLS_H5_TENSOR,
};

/** mls_h5_detect() - does a file begin like this? libhdf5 also takes later places: we do not */
bool mls_h5_detect(const uint8_t *head, size_t n);

/**
 * mls_h5_open() - begin to read
 * @file:  its content stays as it is until mls_h5_close()
 * @arena: for what is read; its limit bounds it
 *
 * Return: 0; -EINVAL with what libhdf5 says; -ENOTSUP without libhdf5, or where no
 * process may be started; -errno.
 */
int mls_h5_open(const struct mls_blob *file, struct mls_arena *arena, struct mlsched_error *err,
		struct mls_h5 **h5);

/** mls_h5_open_by() - the same in a process of @starter; NULL: as mls_h5_open() */
struct mls_h5_starter;
int mls_h5_open_by(const struct mls_blob *file, const struct mls_h5_starter *starter,
		   struct mls_arena *arena, struct mlsched_error *err, struct mls_h5 **h5);

void mls_h5_close(struct mls_h5 *h5);

/** mls_h5_path() - of the file, for messages */
const char *mls_h5_path(const struct mls_h5 *h5);

/**
 * mls_h5_look() - what is at a path below the root, without a slash in front?
 *
 * Return: 0, also when there is nothing; -ENOTSUP when the way leads through a link
 * that is no plain one; -EINVAL.
 */
int mls_h5_look(struct mls_h5 *h5, const char *path, enum mls_h5_kind *kind);

/* Names, in the order of the file: for groups that is the alphabet. */
struct mls_h5_names {
	uint32_t n;
	const char **names;
};

/** mls_h5_list() - what is in a group */
int mls_h5_list(struct mls_h5 *h5, const char *group, struct mls_h5_names *names);

/**
 * mls_h5_text() - an attribute that is one string; "" is the root
 *
 * Return: 0, @text NULL when there is no such attribute; -EINVAL.
 */
int mls_h5_text(struct mls_h5 *h5, const char *object, const char *attribute, const char **text);

/** mls_h5_texts() - an attribute that is a list of strings; n is 0 when there is none */
int mls_h5_texts(struct mls_h5 *h5, const char *object, const char *attribute,
		 struct mls_h5_names *texts);

/**
 * struct mls_h5_tensor - float32, whatever the file has
 * @path: "m.h5: dense/kernel:0" for messages
 * @rank: 0 to 2
 */
struct mls_h5_tensor {
	const char *path;
	uint32_t rank;
	uint32_t dims[2];
	uint32_t n;
	const float *numbers;
};

/**
 * mls_h5_tensor() - read one; all its numbers are finite
 *
 * Return: 0; -EINVAL; -ENOTSUP; -ENOMEM.
 */
int mls_h5_tensor(struct mls_h5 *h5, const char *path, struct mls_h5_tensor *tensor);

/* ---- making a file ------------------------------------------------------------------------ */

/**
 * mls_h5_make() - begin a new file, which is made in memory
 * @file:  its path, for messages; no content; stays until mls_h5_close()
 * @arena: for what is sent
 *
 * Return: 0; -ENOTSUP without libhdf5, or where no process may be started; -errno.
 */
int mls_h5_make(const struct mls_blob *file, struct mls_arena *arena, struct mlsched_error *err,
		struct mls_h5 **h5);

/** mls_h5_put_group() - the group above it is there already */
int mls_h5_put_group(struct mls_h5 *h5, const char *path);

/** mls_h5_put_link() - what is at @to is to be found at @path as well; the group above that is there */
int mls_h5_put_link(struct mls_h5 *h5, const char *path, const char *to);

/** mls_h5_put_text() - an attribute that is one string of any length; "" is the root */
int mls_h5_put_text(struct mls_h5 *h5, const char *object, const char *attribute, const char *text);

/** mls_h5_put_texts() - an attribute that is a list of short strings */
int mls_h5_put_texts(struct mls_h5 *h5, const char *object, const char *attribute,
		     const struct mls_h5_names *texts);

/** mls_h5_put_tensor() - float32 [rows, columns], or [rows] when @columns is 0 */
int mls_h5_put_tensor(struct mls_h5 *h5, const char *path, uint32_t rows, uint32_t columns,
		      const float *numbers);

/** mls_h5_content() - the whole file so far, in the arena */
int mls_h5_content(struct mls_h5 *h5, struct mls_blob *content);

#endif /* MLS_FORMATS_HDF5_H */
