// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/util/error.h"
#include "src/util/json_file.h"
#include "src/util/json_text.h"

#define VALUES_FOR_A_BYTE 6
#define DEEPEST           64

/* Bytes until the end, or one more than @most: [allocated] at @text, which may grow. */
static ssize_t read_all(int fd, size_t most, char **text, size_t allocated)
{
	size_t n = 0;

	while (n <= most) {
		ssize_t more;

		if (n + 1 == allocated) {
			char *larger = realloc(*text, 2 * allocated);

			if (!larger)
				return -ENOMEM;
			*text = larger;
			allocated *= 2;
		}
		more = read(fd, *text + n, allocated - 1 - n);
		if (more < 0 && errno == EINTR)
			continue;
		if (more <= 0) {
			(*text)[n] = '\0';
			return more < 0 ? -errno : (ssize_t)n;
		}
		n += (size_t)more;
	}
	return (ssize_t)n;
}

static int read_open_file(int fd, const char *path, size_t most, char **text, size_t *n,
			  struct mlsched_error *err)
{
	size_t allocated = 4096;
	struct stat st;
	ssize_t size;

	if (fstat(fd, &st) != 0)
		return mls_error(err, -errno, "%s: %s", path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return mls_error(err, -EISDIR, "%s: %s", path, strerror(EISDIR));
	if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode))
		return mls_error(err, -EINVAL, "%s: expected a file or a pipe, found a device",
				 path);
	if (S_ISREG(st.st_mode) && (uint64_t)st.st_size > most)
		return mls_error(err, -EFBIG, "%s: expected at most %zu bytes, found %lld", path,
				 most, (long long)st.st_size);
	/* With room for the byte behind its end: then it need not grow. */
	if (S_ISREG(st.st_mode))
		allocated = (size_t)st.st_size + 2;
	*text = malloc(allocated);
	size = *text ? read_all(fd, most, text, allocated) : -ENOMEM;
	if (size >= 0 && (size_t)size <= most) {
		*n = (size_t)size;
		return 0;
	}
	free(*text);
	if (size == -ENOMEM)
		return mls_error(err, -ENOMEM, "%s: no memory to read it", path);
	if (size < 0)
		return mls_error(err, (int)size, "%s: %s", path, strerror((int)-size));
	return mls_error(err, -EFBIG, "%s: expected at most %zu bytes, found more", path, most);
}

int mls_text_file(const char *path, size_t most, char **text, size_t *n, struct mlsched_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), ret;

	if (fd < 0)
		return mls_error(err, -errno, "%s: %s", path, strerror(errno));
	ret = read_open_file(fd, path, most, text, n, err);
	close(fd);
	return ret;
}

int mls_json_parse(const char *path, const char *text, size_t n, size_t size, size_t base,
		   json_t **root, struct mlsched_error *err)
{
	int depth;
	size_t weight = mls_json_weight(text, n, &depth);
	json_error_t where;

	if (depth > DEEPEST)
		return mls_error(err, -EINVAL,
				 "%s: expected lists and objects at most %d deep, found %d", path,
				 DEEPEST, depth);
	if (weight > base + VALUES_FOR_A_BYTE * size)
		return mls_error(err, -EFBIG,
				 "%s: expected JSON in keeping with the size of the file, %zu "
				 "bytes, found too many values",
				 path, size);
	*root = mls_json_load(text, n, &where);
	if (*root)
		return 0;
	if (!where.text[0])
		return mls_error(err, -ENOMEM, "%s: no memory to read it", path);
	return mls_error(err, -EINVAL, "%s: line %d, column %d: expected JSON, found: %s", path,
			 where.line, where.column, where.text);
}
