// SPDX-License-Identifier: GPL-2.0
/*
 * Replacing a model as a whole: a directory, or a single file.
 *
 * The new directory is made beside the old one under a name of its own, its
 * files and then the directories themselves are written to the disk, and one
 * renameat2(RENAME_EXCHANGE) puts it in the place of the old one, which is
 * then removed.  A writer that is killed leaves its directory behind; the next
 * writer removes it.  Whether its owner still lives is told by a lock on the
 * directory, which the kernel gives up with the process.
 *
 * A file system that cannot exchange (RENAME_EXCHANGE needs ext4, XFS, Btrfs,
 * tmpfs, overlayfs or the like) gets two renames instead; for a moment there
 * is then no model at all, and after a crash in just that moment the next
 * writer brings the old one back.
 *
 * A file goes the same way with a plain rename(), which replaces a file at once
 * everywhere.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/formats/format.h"
#include "src/formats/replace.h"
#include "src/util/error.h"

#define PREFIX    ".mlsched-save-"
#define ASIDE     ".mlsched-old-"
#define MAX_DEPTH 8
#define MAX_TRIES 1000

struct replacing {
	const char *path; /* as given, for messages */
	struct mlsched_error *err;
	char target[PATH_MAX]; /* symbolic links followed, so that a link stays a link */
	const char *name; /* last part of @target */
	int parent; /* descriptor of the directory that holds it */
	char temporary[64]; /* name beside it */
	int dir; /* descriptor of the new directory, or file, locked */
	bool exists;
};

static int fail(const struct replacing *r, const char *what)
{
	int code = -errno;

	return mls_error(r->err, code, "Cannot write model: %s: %s: %s", r->path, what,
			 strerror(-code));
}

/* Removes what stands at @name, a directory with all that is in it as well. */
static void remove_tree(int parent, const char *name, int depth)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd >= 0 && depth < MAX_DEPTH ? fdopendir(fd) : NULL;
	struct dirent *entry;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		unlinkat(parent, name, 0);
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    unlinkat(fd, entry->d_name, 0) != 0)
			remove_tree(fd, entry->d_name, depth + 1);
	}
	closedir(dir);
	unlinkat(parent, name, AT_REMOVEDIR);
}

/* Removes what writers left that are no more. */
static void remove_leftovers(const struct replacing *r)
{
	int fd = openat(r->parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		int left;

		if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0)
			continue;
		left = openat(fd, entry->d_name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
		if (left < 0)
			continue;
		if (flock(left, LOCK_EX | LOCK_NB) == 0)
			remove_tree(fd, entry->d_name, 0);
		close(left);
	}
	closedir(dir);
}

/* What a writer left that was killed between the two renames of exchange_in_two_steps(). */
static void recover_old(const struct replacing *r)
{
	char aside[NAME_MAX + sizeof(ASIDE)];

	snprintf(aside, sizeof(aside), ASIDE "%s", r->name);
	if (faccessat(r->parent, aside, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
		return;
	if (faccessat(r->parent, r->name, F_OK, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT)
		renameat(r->parent, aside, r->parent, r->name);
	else
		remove_tree(r->parent, aside, 0);
}

/* Only what a SavedModel consists of is replaced: a wrong path must not cost anybody their files. */
static int check_replaceable(struct replacing *r)
{
	static const char *const known[] = {
		".",
		"..",
		"saved_model.pb",
		"saved_model.pbtxt",
		"variables",
		"keras_metadata.pb",
		"assets",
		"assets.extra",
		"debug",
		"fingerprint.pb",
	};
	int fd = openat(r->parent, r->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool has_graph = false, has_other = false;
	struct dirent *entry;
	int ret = 0;
	DIR *dir;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 && errno == ENOTDIR)
		return mls_error(r->err, -ENOTDIR,
				 "Cannot write model: %s: expected a directory or nothing, found "
				 "a file",
				 r->path);
	dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (!dir) {
		ret = fail(r, "cannot read it");
		if (fd >= 0)
			close(fd);
		return ret;
	}
	r->exists = true;
	while (!ret && (entry = readdir(dir)) != NULL) {
		size_t i = 0;

		while (i < sizeof(known) / sizeof(known[0]) && strcmp(known[i], entry->d_name) != 0)
			i++;
		if (i == sizeof(known) / sizeof(known[0]))
			ret = mls_error(r->err, -EEXIST,
					"Cannot write model: %s: expected a SavedModel or an empty "
					"directory to replace, found %.200s in it",
					r->path, entry->d_name);
		has_graph = has_graph || strncmp(entry->d_name, "saved_model.pb", 14) == 0;
		has_other = has_other || entry->d_name[0] != '.';
	}
	closedir(dir);
	/* Anybody has directories named assets or debug. */
	if (!ret && has_other && !has_graph)
		ret = mls_error(r->err, -EEXIST,
				"Cannot write model: %s: expected a SavedModel or an empty "
				"directory to replace, found no saved_model.pb in it",
				r->path);
	return ret;
}

/* Splits the path into an open parent directory and a name. */
static int open_parent(struct replacing *r)
{
	size_t size = strlen(r->path);
	const char *parent = ".";
	char *slash;

	while (size > 1 && r->path[size - 1] == '/')
		size--;
	if (size == 0 || size >= sizeof(r->target)) {
		errno = size ? ENAMETOOLONG : ENOENT;
		return fail(r, "cannot use this path");
	}
	/* What exists is named without links; what does not is taken as it was given. */
	if (!realpath(r->path, r->target)) {
		if (errno != ENOENT)
			return fail(r, "cannot use this path");
		memcpy(r->target, r->path, size);
		r->target[size] = '\0';
	}
	slash = strrchr(r->target, '/');
	r->name = slash ? slash + 1 : r->target;
	if (slash) {
		*slash = '\0';
		parent = slash == r->target ? "/" : r->target;
	}
	if (!r->name[0] || strcmp(r->name, ".") == 0 || strcmp(r->name, "..") == 0) {
		errno = EINVAL;
		return fail(r, "expected the name of a model");
	}
	r->parent = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return r->parent < 0 ? fail(r, "cannot open the directory above it") : 0;
}

/* Makes what is to be locked; false with EEXIST when somebody has this name. */
static bool make_named(struct replacing *r, bool directory)
{
	int flags = directory ? O_RDONLY | O_DIRECTORY : O_WRONLY | O_CREAT | O_EXCL;

	if (directory && mkdirat(r->parent, r->temporary, 0777) != 0)
		return false;
	r->dir = openat(r->parent, r->temporary, flags | O_NOFOLLOW | O_CLOEXEC, 0666);
	return directory || r->dir >= 0;
}

/* New, under a name that nobody has, and locked before anybody can take it for a leftover. */
static int make_temporary(struct replacing *r, bool directory)
{
	for (int i = 0; i < MAX_TRIES; i++) {
		struct stat st;

		snprintf(r->temporary, sizeof(r->temporary), PREFIX "%ld-%d", (long)getpid(), i);
		if (!make_named(r, directory)) {
			if (errno == EEXIST)
				continue;
			break;
		}
		if (r->dir >= 0 && flock(r->dir, LOCK_EX | LOCK_NB) == 0 &&
		    fstat(r->dir, &st) == 0 && st.st_nlink > 0)
			return 0;
		/* Another writer was quicker and took it for a leftover: once more. */
		if (r->dir >= 0)
			close(r->dir);
		r->dir = -1;
	}
	r->temporary[0] = '\0';
	return fail(r, directory ? "cannot make a directory beside it" :
				   "cannot make a file beside it");
}

static int write_all(int fd, const uint8_t *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

static int write_file(const struct replacing *r, int dir, const struct mls_new_file *file)
{
	int fd = openat(dir, file->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	int ret = 0;

	if (fd < 0)
		return fail(r, file->name);
	if (write_all(fd, file->content->data, file->content->size) != 0 || fsync(fd) != 0)
		ret = fail(r, file->name);
	if (close(fd) != 0 && !ret)
		ret = fail(r, file->name);
	return ret;
}

/* The files of one directory; *done counts them. */
static int write_directory(const struct replacing *r, const struct mls_new_file *files, size_t n,
			   size_t *done)
{
	const char *name = files[0].directory;
	int dir = r->dir, ret = 0;

	if (name) {
		if (mkdirat(r->dir, name, 0777) != 0)
			return fail(r, name);
		dir = openat(r->dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir < 0)
			return fail(r, name);
	}
	for (*done = 0; !ret && *done < n; (*done)++) {
		const char *next = files[*done].directory;

		if (next != name && (!next || !name || strcmp(next, name) != 0))
			break;
		ret = write_file(r, dir, &files[*done]);
	}
	if (!ret && name && fsync(dir) != 0)
		ret = fail(r, name);
	if (name)
		close(dir);
	return ret;
}

static bool cannot_exchange(int error)
{
	return error == EINVAL || error == ENOSYS || error == EOPNOTSUPP;
}

/* For file systems without RENAME_EXCHANGE: the old one aside, the new one in. */
static int exchange_in_two_steps(struct replacing *r)
{
	char aside[NAME_MAX + sizeof(ASIDE)];

	snprintf(aside, sizeof(aside), ASIDE "%s", r->name);
	if (renameat(r->parent, r->name, r->parent, aside) != 0)
		return fail(r, "cannot put it aside");
	if (renameat(r->parent, r->temporary, r->parent, r->name) != 0) {
		int ret = fail(r, "cannot put the new one in its place");

		renameat(r->parent, aside, r->parent, r->name);
		return ret;
	}
	remove_tree(r->parent, aside, 0);
	r->temporary[0] = '\0';
	return 0;
}

/* From here on the new model is the one that is found. */
static int put_in_place(struct replacing *r)
{
	unsigned int flags = r->exists ? RENAME_EXCHANGE : RENAME_NOREPLACE;
	int ret = 0;

	if (renameat2(r->parent, r->temporary, r->parent, r->name, flags) == 0) {
		if (!r->exists)
			r->temporary[0] = '\0';
	} else if (!cannot_exchange(errno)) {
		ret = fail(r, "cannot put the new one in its place");
	} else if (r->exists) {
		ret = exchange_in_two_steps(r);
	} else if (renameat(r->parent, r->temporary, r->parent, r->name) != 0) {
		ret = fail(r, "cannot put the new one in its place");
	} else {
		r->temporary[0] = '\0';
	}
	if (!ret && fsync(r->parent) != 0)
		ret = fail(r, "cannot write the directory above it to the disk");
	return ret;
}

int mls_replace_check(const char *path, struct mlsched_error *err)
{
	struct replacing r = { .path = path, .err = err, .parent = -1, .dir = -1 };
	int ret = open_parent(&r);

	if (!ret)
		ret = check_replaceable(&r);
	if (!ret && faccessat(r.parent, ".", W_OK | X_OK, AT_EACCESS) != 0)
		ret = fail(&r, "cannot write to its parent directory");
	if (r.parent >= 0)
		close(r.parent);
	return ret;
}

int mls_replace_directory(const char *path, const struct mls_new_file *files, size_t n,
			  struct mlsched_error *err)
{
	struct replacing r = { .path = path, .err = err, .parent = -1, .dir = -1 };
	int ret;

	ret = open_parent(&r);
	if (!ret) {
		recover_old(&r);
		ret = check_replaceable(&r);
	}
	if (ret)
		goto out;
	remove_leftovers(&r);
	ret = make_temporary(&r, true);
	for (size_t i = 0, done = 0; !ret && i < n; i += done)
		ret = write_directory(&r, files + i, n - i, &done);
	if (!ret && fsync(r.dir) != 0)
		ret = fail(&r, "cannot write the new directory to the disk");
	if (!ret)
		ret = put_in_place(&r);
	/* The old one now, or the new one when something failed. */
	if (r.temporary[0])
		remove_tree(r.parent, r.temporary, 0);
out:
	if (r.dir >= 0)
		close(r.dir);
	if (r.parent >= 0)
		close(r.parent);
	return ret;
}

/* Only a model of ours or another tool's is replaced: a wrong path must not cost anybody a file. */
static int check_file(struct replacing *r)
{
	const struct mls_format *format;
	struct stat st;
	int ret;

	if (fstatat(r->parent, r->name, &st, 0) != 0)
		return errno == ENOENT ? 0 : fail(r, "cannot look at it");
	if (S_ISDIR(st.st_mode))
		return mls_error(r->err, -EISDIR,
				 "Cannot write model: %s: expected a file or nothing, found a "
				 "directory",
				 r->path);
	if (S_ISREG(st.st_mode) && st.st_size == 0)
		return 0;
	ret = mls_format_of(r->path, r->err, &format);
	if (ret || format)
		return ret;
	return mls_error(r->err, -EEXIST,
			 "Cannot write model: %s: expected a model to replace, found another file",
			 r->path);
}

int mls_replace_file(const char *path, const struct mls_blob *content, struct mlsched_error *err)
{
	struct replacing r = { .path = path, .err = err, .parent = -1, .dir = -1 };
	int ret;

	ret = open_parent(&r);
	if (!ret)
		ret = check_file(&r);
	if (ret)
		goto out;
	remove_leftovers(&r);
	ret = make_temporary(&r, false);
	if (!ret && write_all(r.dir, content->data, content->size) != 0)
		ret = fail(&r, "cannot write it");
	if (!ret && fsync(r.dir) != 0)
		ret = fail(&r, "cannot write it to the disk");
	if (!ret && renameat(r.parent, r.temporary, r.parent, r.name) != 0)
		ret = fail(&r, "cannot put the new one in its place");
	if (ret && r.temporary[0])
		unlinkat(r.parent, r.temporary, 0);
	else if (!ret && fsync(r.parent) != 0)
		ret = fail(&r, "cannot write the directory above it to the disk");
out:
	if (r.dir >= 0)
		close(r.dir);
	if (r.parent >= 0)
		close(r.parent);
	return ret;
}
