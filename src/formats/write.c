// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched_model_write(): from the name of a format, or of a file, to its writer.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <mlsched/format.h>

#include "src/formats/format.h"
#include "src/util/error.h"

static void describe(const struct mls_format *format, struct mlsched_format *about)
{
	*about = (struct mlsched_format){
		.name = format->name,
		.summary = format->summary,
		.suffix = format->suffix,
		.can_write = format->write != NULL,
	};
}

int mlsched_format_at(size_t index, struct mlsched_format *format)
{
	if (!mls_format_at(index))
		return -EINVAL;
	describe(mls_format_at(index), format);
	return 0;
}

static int no_such_format(const char *name, struct mlsched_error *err)
{
	char names[256] = "";
	size_t used = 0;

	for (size_t i = 0; mls_format_at(i) && used < sizeof(names); i++) {
		if (mls_format_at(i)->write)
			used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
						 used ? ", " : "", mls_format_at(i)->name);
	}
	return mls_error(err, -EINVAL, "no such format of models: expected one of %s, found \"%s\"",
			 names, name);
}

int mlsched_model_write(const struct mlsched_model *model, const char *path,
			const struct mlsched_write_opts *opts, struct mlsched_format *about,
			struct mlsched_error *err)
{
	struct mlsched_write_opts o = { .size = sizeof(o) };
	const struct mls_format *format;
	int ret;

	if (opts && opts->size < sizeof(o))
		return mls_error(err, -EINVAL,
				 "struct mlsched_write_opts: expected %zu bytes, found %zu",
				 sizeof(o), opts->size);
	if (opts)
		o = *opts;
	format = o.format ? mls_format_find(o.format) : mls_format_for_path(path);
	if (!format)
		return no_such_format(o.format, err);
	if (about)
		describe(format, about);
	if (!format->write)
		return mls_error(
			err, -ENOTSUP,
			"%s: expected a name of a format that can be written, found that of a %s, "
			"which can only be read (format savedmodel writes one under this name)",
			path, format->summary);
	if (o.form != MLSCHED_SAVEDMODEL_VARIABLES && strcmp(format->name, "savedmodel") != 0)
		return mls_error(err, -EINVAL,
				 "%s: expected a SavedModel for the form frozen, found that it is "
				 "to be: %s",
				 path, format->summary);
	ret = format->write(model, path, o.form, err);
	if (ret && err)
		mls_clean_text(err->message);
	return ret;
}
