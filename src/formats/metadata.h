/* SPDX-License-Identifier: GPL-2.0 */
/*
 * assets/mlsched.json inside a SavedModel: what a model needs to say beyond
 * its weights.  TensorFlow ignores it.
 */
#ifndef MLS_FORMATS_METADATA_H
#define MLS_FORMATS_METADATA_H

#include <mlsched/model.h>

#include "src/formats/files.h"

#define MLS_METADATA_NAME "assets/mlsched.json"

/* What it may unfold to in memory: less than the mebibyte that may be allocated for any model. */
#define MLS_METADATA_MEMORY ((size_t)900 << 10)

/**
 * mls_metadata_read() - read and check the file, if it is there
 * @meta: keys that are in the file are filled in, the rest stays as it is;
 *        strings and arrays belong to @arena
 * @path: receives the file's path for messages, NULL when it is not there
 *
 * Return: 0, also when there is no such file; -EINVAL; -EFBIG; -ENOTSUP; -ENOMEM; -EIO.
 */
int mls_metadata_read(const struct mls_files *files, struct mls_arena *arena,
		      struct mlsched_error *err, struct mlsched_meta *meta, const char **path);

/** mls_metadata_weight() - what mls_metadata_parse() would allocate for a text at most */
size_t mls_metadata_weight(const struct mls_blob *text);

/**
 * mls_metadata_fits() - may a text be parsed that was found in a model?
 * @text:  and how messages name the place where it was found
 * @arena: of the reader: what is left there is the limit, and MLS_METADATA_MEMORY
 *
 * Return: 0; -EFBIG.
 */
int mls_metadata_fits(const struct mls_blob *text, const struct mls_arena *arena,
		      struct mlsched_error *err);

/**
 * mls_metadata_parse() - the same for a text that another format keeps elsewhere
 * @blob: the text, and how messages name the place where it was found
 */
int mls_metadata_parse(const struct mls_blob *blob, struct mls_arena *arena,
		       struct mlsched_error *err, struct mlsched_meta *meta);

/** mls_metadata_check() - does it fit a model of this many inputs? @path NULL: there is none */
int mls_metadata_check(const struct mlsched_meta *meta, const struct mls_arena *arena,
		       const char *path, uint32_t n_inputs, struct mlsched_error *err);

/** mls_metadata_text() - the file's content for a model; to be freed with free() */
int mls_metadata_text(const struct mlsched_model *model, struct mlsched_error *err, char **text);

/** mls_metadata_readable() - may @text be written to the model @path, or could it not be read again (-EFBIG)? */
int mls_metadata_readable(const char *text, const char *path, struct mlsched_error *err);

#endif /* MLS_FORMATS_METADATA_H */
