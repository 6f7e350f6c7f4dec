/* SPDX-License-Identifier: GPL-2.0 */
/*
 * TensorFlow SavedModels: a directory with saved_model.pb (the graph),
 * variables/ (the weights, unless they are constants of the graph) and
 * assets/mlsched.json (ours).
 */
#ifndef MLS_FORMATS_SAVEDMODEL_H
#define MLS_FORMATS_SAVEDMODEL_H

#include <mlsched/model.h>

#include "src/formats/files.h"

/**
 * mls_savedmodel_read() - read a SavedModel from an open directory or from memory
 *
 * Return: 0; -ENOENT with a message when there is no saved_model.pb; -EINVAL;
 * -EBADMSG; -ENOTSUP; -ENOMEM; what open() and read() return.
 */
int mls_savedmodel_read(const struct mls_files *files, struct mlsched_error *err,
			struct mlsched_model **model);

#define MLS_SIGNATURE_NAME 256
#define MLS_SIGNATURE_DIMS 4

/**
 * struct mls_signature - how a model is called
 * @input:    tensor, as "serving_default_features:0"
 * @output:   the same
 * @in_type:  TensorFlow's DataType; 1 is float32
 * @out_type: the same
 * @n_dims:   of the input's shape; 0 when the file does not say
 * @dims:     -1 where it may be anything; the first is that of the rows
 */
struct mls_signature {
	char input[MLS_SIGNATURE_NAME];
	char output[MLS_SIGNATURE_NAME];
	int32_t in_type;
	int32_t out_type;
	uint32_t n_dims;
	int64_t dims[MLS_SIGNATURE_DIMS];
};

/**
 * mls_savedmodel_signature() - what another program that runs the model must know
 * @path: of a SavedModel that mlsched_model_load() takes
 *
 * Return: 0; -ENOTSUP when a name or a shape is longer than any that is in use;
 * as mls_savedmodel_read().
 */
int mls_savedmodel_signature(const char *path, struct mls_signature *signature,
			     struct mlsched_error *err);

#endif /* MLS_FORMATS_SAVEDMODEL_H */
