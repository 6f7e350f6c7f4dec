/* SPDX-License-Identifier: GPL-2.0 */
/* Replacing a model as a whole: a reader, or a crash, finds the old one or the new one. */
#ifndef MLS_FORMATS_REPLACE_H
#define MLS_FORMATS_REPLACE_H

#include "src/formats/files.h"

/* One file to be written: @directory is NULL or one level below the new directory. */
struct mls_new_file {
	const char *directory;
	const char *name;
	const struct mls_blob *content;
};

/**
 * mls_replace_directory() - write files into a new directory and put it at @path
 * @path:  nothing, an empty directory, or a SavedModel
 * @files: [n]; those of one directory stand side by side
 *
 * Return: 0; -ENOTDIR when @path is a file; -EEXIST when it is a directory
 * with other files than those of a SavedModel, which would be lost; what the
 * file system calls return.
 */
int mls_replace_directory(const char *path, const struct mls_new_file *files, size_t n,
			  struct mlsched_error *err);

/**
 * mls_replace_file() - write a file beside @path and put it in its place
 * @path: nothing, an empty file, or a model of a format that is one file
 *
 * Return: 0; -EISDIR; -EEXIST when it is another file; what the file system
 * calls return.
 */
int mls_replace_file(const char *path, const struct mls_blob *content, struct mlsched_error *err);

/**
 * mls_replace_check() - would mls_replace_directory() accept @path?
 *
 * For whoever has long work to do before there is something to write.
 * Return: 0, or what it would return, with the same message.
 */
int mls_replace_check(const char *path, struct mlsched_error *err);

#endif /* MLS_FORMATS_REPLACE_H */
