/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Formats of model files: which there are, and writing a model in one of them.
 * Reading needs none of this: mlsched_model_load() finds the format by content.
 */
#ifndef MLSCHED_FORMAT_H
#define MLSCHED_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

#include <mlsched/error.h>
#include <mlsched/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct mlsched_format - one format of model files
 * @name:      as in struct mlsched_meta and `mlsched convert --to`: "savedmodel", ...
 * @summary:   for people
 * @suffix:    what names in this format end with, as ".onnx"; "" for a directory
 * @can_write: mlsched_model_write() takes it; all are read
 *
 * The strings are constants of the library.
 */
struct mlsched_format {
	const char *name;
	const char *summary;
	const char *suffix;
	bool can_write;
};

/**
 * mlsched_format_at() - the index-th format
 * @index:  from 0
 * @format: filled in
 *
 * Neither allocates nor locks.
 * Return: 0, or -EINVAL past the last.
 */
int mlsched_format_at(size_t index, struct mlsched_format *format);

/**
 * struct mlsched_write_opts - what mlsched_model_write() is asked for
 * @size:   sizeof(struct mlsched_write_opts), for later growth
 * @format: name of a format, or NULL: that whose suffix the path has, else a SavedModel
 * @form:   of a SavedModel; 0 (MLSCHED_SAVEDMODEL_VARIABLES) with any other format
 */
struct mlsched_write_opts {
	size_t size;
	const char *format;
	enum mlsched_savedmodel_form form;
};

/**
 * mlsched_model_write() - write a model in any format that can be written
 * @model:  what to write
 * @path:   file or directory to make or replace, as mlsched_model_save() does: as a
 *          whole, and nothing but a model or an empty directory
 * @opts:   or NULL for what the path's name says
 * @format: the format that was taken, filled in also when writing failed; or NULL
 * @err:    message on failure, or NULL
 *
 * Allocates.  Thread safe.
 * Return: 0; -EINVAL when there is no such format, @form is not for it, or the
 * provenance is no JSON object; -ENOTSUP when the format can only be read or
 * has no place for this model; else as mlsched_model_save().
 */
int mlsched_model_write(const struct mlsched_model *model, const char *path,
			const struct mlsched_write_opts *opts, struct mlsched_format *format,
			struct mlsched_error *err);

#ifdef __cplusplus
}
#endif

#endif /* MLSCHED_FORMAT_H */
