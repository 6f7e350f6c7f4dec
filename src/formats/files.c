// SPDX-License-Identifier: GPL-2.0
/*
 * Reading the files of one model.  Nothing is mapped: a file that shrinks
 * under a mapping would be a SIGBUS, under read() it is an error.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/formats/files.h"
#include "src/util/error.h"
#include "src/util/read.h"

int mls_no_memory(const struct mls_arena *arena, const char *path, struct mlsched_error *err)
{
	if (arena->over_limit)
		return mls_error(err, -EINVAL,
				 "Invalid %s format: %s: expected a model of its size, found one "
				 "that unfolds to more than %zu bytes",
				 arena->format, path, arena->limit);
	return mls_error(err, -ENOMEM, "%s: no memory to read it", path);
}

static int open_in_memory(const struct mls_files *files, const char *name, struct mls_file *file)
{
	for (uint32_t i = 0; i < files->n_blobs; i++) {
		if (strcmp(files->blobs[i].path, name) != 0)
			continue;
		file->fd = -1;
		file->data = files->blobs[i].data;
		file->size = files->blobs[i].size;
		return 0;
	}
	return -ENOENT;
}

/* Opens what stands at @name, seen from the directory @dir; @file has its path already. */
static int open_at(int dir, const char *name, struct mlsched_error *err, struct mls_file *file)
{
	struct stat st;

	/* O_NONBLOCK: opening a FIFO that somebody put there must not hang. */
	file->fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (file->fd < 0)
		return errno == ENOENT ? -ENOENT :
					 mls_error(err, -errno, "Cannot read model: %s: %s",
						   file->path, strerror(errno));
	if (fstat(file->fd, &st) != 0) {
		int ret = mls_error(err, -errno, "Cannot read model: %s: %s", file->path,
				    strerror(errno));

		mls_file_close(file);
		return ret;
	}
	if (!S_ISREG(st.st_mode)) {
		mls_file_close(file);
		return mls_error(err, -EINVAL,
				 "Invalid %s format: %s: expected a regular file, found %s",
				 file->format, file->path,
				 S_ISDIR(st.st_mode) ? "a directory" : "a device");
	}
	file->size = (uint64_t)st.st_size;
	return 0;
}

int mls_file_open(const struct mls_files *files, const char *name, struct mls_arena *arena,
		  struct mlsched_error *err, struct mls_file *file)
{
	const char *slash;

	*file = (struct mls_file){ .format = arena->format, .fd = -1 };
	slash = files->path[0] && files->path[strlen(files->path) - 1] == '/' ? "" : "/";
	file->path = mls_arena_printf(arena, "%s%s%s", files->path, slash, name);
	if (!file->path)
		return mls_no_memory(arena, files->path, err);
	return files->dir < 0 ? open_in_memory(files, name, file) :
				open_at(files->dir, name, err, file);
}

void mls_file_close(struct mls_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}

int mls_file_read(const struct mls_file *file, uint64_t offset, void *to, size_t size,
		  struct mlsched_error *err)
{
	ssize_t n;

	if (offset > file->size || size > file->size - offset)
		return mls_error(err, -EINVAL,
				 "Invalid %s format: %s: expected %zu bytes at offset %" PRIu64
				 ", found a file of %" PRIu64 " bytes",
				 file->format, file->path, size, offset, file->size);
	if (file->fd < 0) {
		if (size)
			memcpy(to, file->data + offset, size);
		return 0;
	}
	n = mls_read_at(file->fd, to, size, offset);
	if (n < 0)
		return mls_error(err, (int)n, "Cannot read model: %s: %s", file->path,
				 strerror((int)-n));
	if ((size_t)n < size)
		return mls_error(err, -EIO,
				 "Cannot read model: %s: expected %" PRIu64 " bytes, found %" PRIu64
				 ": it shrank while it was read",
				 file->path, file->size, offset + (uint64_t)n);
	return 0;
}

/* Reads the rest of an open file and closes it; @unfold bytes may be allocated for each of its own. */
static int slurp(struct mls_file *file, size_t max, size_t unfold, struct mls_arena *arena,
		 struct mlsched_error *err, struct mls_blob *blob)
{
	uint8_t *data;
	int ret;

	blob->path = file->path;
	blob->size = (size_t)file->size;
	if (file->size > max) {
		ret = mls_error(err, -EFBIG,
				"Invalid %s format: %s: expected at most %zu bytes, found %" PRIu64,
				file->format, file->path, max, file->size);
		goto out_close;
	}
	arena->limit += blob->size * unfold;
	data = mls_arena_alloc(arena, blob->size);
	if (!data) {
		ret = mls_no_memory(arena, file->path, err);
		goto out_close;
	}
	ret = mls_file_read(file, 0, data, blob->size, err);
	blob->data = data;
out_close:
	mls_file_close(file);
	return ret;
}

int mls_file_slurp(const struct mls_files *files, const char *name, size_t max,
		   struct mls_arena *arena, struct mlsched_error *err, struct mls_blob *blob)
{
	struct mls_file file;
	int ret = mls_file_open(files, name, arena, err, &file);

	/* What is in the file may be allocated, and what it unfolds to (messages, nodes). */
	return ret ? ret : slurp(&file, max, MLS_UNFOLD, arena, err, blob);
}

int mls_file_slurp_path(const char *path, size_t max, size_t unfold, struct mls_arena *arena,
			struct mlsched_error *err, struct mls_blob *blob)
{
	struct mls_file file = { .path = path, .format = arena->format };
	int ret = open_at(AT_FDCWD, path, err, &file);

	if (ret == -ENOENT)
		return mls_error(err, ret, "Model not found at path: %s: %s", path,
				 strerror(ENOENT));
	return ret ? ret : slurp(&file, max, unfold, arena, err, blob);
}

int mls_file_slurp_open(int fd, const char *path, size_t max, size_t unfold,
			struct mls_arena *arena, struct mlsched_error *err, struct mls_blob *blob)
{
	struct mls_file file = { .path = path, .format = arena->format, .fd = fd };
	struct stat st;

	if (fstat(fd, &st) != 0) {
		int ret =
			mls_error(err, -errno, "Cannot read model: %s: %s", path, strerror(errno));

		mls_file_close(&file);
		return ret;
	}
	file.size = (uint64_t)st.st_size;
	return slurp(&file, max, unfold, arena, err, blob);
}
