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

#endif /* MLS_FORMATS_SAVEDMODEL_H */
