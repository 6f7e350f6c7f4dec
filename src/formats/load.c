// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched_model_load(): finds out by content which format a path holds and
 * hands over to its reader.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <mlsched/model.h>

#include "src/formats/savedmodel.h"
#include "src/util/error.h"

/* How often a directory may be replaced while it is being read. */
#define MAX_REPLACED 20

/* Length of the UTF-8 sequence at @p, 0 when it is none. */
static size_t utf8_length(const unsigned char *p)
{
	size_t n = p[0] < 0x80 ? 1 :
		   p[0] < 0xc2 ? 0 :
		   p[0] < 0xe0 ? 2 :
		   p[0] < 0xf0 ? 3 :
		   p[0] < 0xf5 ? 4 :
				 0;

	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((n == 3 && ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f))) ||
	    (n == 4 && ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))))
		return 0;
	return n;
}

/* Names in a file are anybody's: nothing but text reaches the terminal. */
static void clean_message(struct mlsched_error *err)
{
	unsigned char *p = (unsigned char *)err->message;

	while (*p) {
		size_t n = utf8_length(p);

		if (n == 0 || *p < 0x20 || *p == 0x7f) {
			*p = '?';
			n = 1;
		}
		p += n;
	}
}

/* True when another directory stands at @path by now. */
static bool was_replaced(const char *path, int dir)
{
	struct stat now, then;

	return stat(path, &now) == 0 && fstat(dir, &then) == 0 &&
	       (now.st_ino != then.st_ino || now.st_dev != then.st_dev);
}

/*
 * A writer puts a new directory in the place of the old one and then removes
 * the old: who had opened the old one may miss files, and looks again.
 */
static int read_directory(const char *path, struct mlsched_error *err, struct mlsched_model **model)
{
	bool again = true;
	int ret = 0;

	for (int i = 0; again && i < MAX_REPLACED; i++) {
		struct mls_files files = { .path = path };

		files.dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (files.dir < 0)
			return mls_error(err, -errno, "Cannot read model: %s: %s", path,
					 strerror(errno));
		ret = mls_savedmodel_read(&files, err, model);
		again = ret && ret != -ENOMEM && was_replaced(path, files.dir);
		close(files.dir);
	}
	return ret;
}

static int load(const char *path, struct mlsched_error *err, struct mlsched_model **model)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return errno == ENOENT || errno == ENOTDIR ?
			       mls_error(err, -ENOENT, "Model not found at path: %s: %s", path,
					 strerror(errno)) :
			       mls_error(err, -errno, "Cannot read model: %s: %s", path,
					 strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return mls_error(err, -EINVAL,
				 "Invalid SavedModel format: %s: expected a directory with "
				 "saved_model.pb, found a file",
				 path);
	return read_directory(path, err, model);
}

int mlsched_model_load(const char *path, struct mlsched_error *err, struct mlsched_model **model)
{
	int ret = load(path, err, model);

	if (ret && err)
		clean_message(err);
	return ret;
}

int mlsched_model_expect_inputs(const struct mlsched_model *model, uint32_t n_inputs,
				const char *name, struct mlsched_error *err)
{
	uint32_t found = mlsched_model_inputs(model);

	if (found == n_inputs)
		return 0;
	return mls_error(err, -EINVAL, "Expected shape [?, %u], got [?, %u]%s%s", n_inputs, found,
			 name ? ": " : "", name ? name : "");
}
