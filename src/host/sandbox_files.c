// SPDX-License-Identifier: GPL-2.0
/*
 * Which files the daemon may open, by Landlock (landlock(7)): kernels from 5.13 on
 * that have it switched on.  Files that are open stay usable.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/landlock.h>

#include "src/host/sandbox_parts.h"
#include "src/util/error.h"

/* The numbers are the same on every architecture; headers of Linux 6.1 lack what came later. */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule       445
#define SYS_landlock_restrict_self  446
#endif
#define FS_FIRST     (LANDLOCK_ACCESS_FS_MAKE_SYM * 2 - 1) /* EXECUTE to MAKE_SYM */
#define FS_REFER     (1ull << 13)
#define FS_TRUNCATE  (1ull << 14)
#define FS_IOCTL_DEV (1ull << 15)
#define NET_TCP      (1ull << 0 | 1ull << 1) /* bind, connect */
#define SCOPED       (1ull << 0 | 1ull << 1) /* abstract Unix sockets, signals */

/* struct landlock_ruleset_attr as of version 6; older kernels take it while the rest is 0. */
struct ruleset {
	uint64_t files;
	uint64_t net;
	uint64_t scoped;
};

/* What each version has added. */
static const struct {
	int version;
	struct ruleset adds;
} versions[] = {
	{ 1, { .files = FS_FIRST } },     { 2, { .files = FS_REFER } },
	{ 3, { .files = FS_TRUNCATE } },  { 4, { .net = NET_TCP } },
	{ 5, { .files = FS_IOCTL_DEV } }, { 6, { .scoped = SCOPED } },
};

#define READ_FILE  (LANDLOCK_ACCESS_FS_READ_FILE)
#define READ_BELOW (READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE_FILE (READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE)
#define WRITE_BELOW                                                                             \
	(READ_BELOW | WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE)

static int allow(int ruleset, uint64_t handled, const char *path, uint64_t file, uint64_t below,
		 struct mlsched_error *err)
{
	struct landlock_path_beneath_attr rule = { 0 };
	struct stat st;
	int ret = 0;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return errno == ENOENT ? 0 :
					 mls_error(err, -errno, "%s: %s", path, strerror(errno));
	if (fstat(rule.parent_fd, &st) != 0)
		ret = mls_error(err, -errno, "%s: %s", path, strerror(errno));
	rule.allowed_access = handled & (S_ISDIR(st.st_mode) ? below : file);
	if (!ret && syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0))
		ret = mls_error(err, -errno, "Landlock, a rule for %s: %s", path, strerror(errno));
	close(rule.parent_fd);
	return ret;
}

static int allow_all(int ruleset, uint64_t handled, const struct mls_sandbox_options *options,
		     struct mlsched_error *err)
{
	const char *const *path;
	int ret = 0;

	for (path = options->readable; path && *path && !ret; path++)
		ret = allow(ruleset, handled, *path, READ_FILE, READ_BELOW, err);
	for (path = options->writable; path && *path && !ret; path++)
		ret = allow(ruleset, handled, *path, WRITE_FILE, WRITE_BELOW, err);
	return ret;
}

int mls_sandbox_files(const struct mls_sandbox_options *options, struct mls_sandbox_report *report,
		      struct mlsched_error *err)
{
	struct ruleset handled = { 0 };
	long version, ruleset;
	int ret;

	version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (version < 1) {
		mls_sandbox_lacks(report, "Landlock", errno);
		return 0;
	}
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		if (versions[i].version > version)
			break;
		handled.files |= versions[i].adds.files;
		handled.net |= versions[i].adds.net;
		handled.scoped |= versions[i].adds.scoped;
	}
	ruleset = syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0);
	if (ruleset < 0)
		return mls_error(err, -errno, "Landlock, a ruleset of version %ld: %s", version,
				 strerror(errno));
	ret = allow_all((int)ruleset, handled.files, options, err);
	if (!ret && syscall(SYS_landlock_restrict_self, (int)ruleset, 0) != 0)
		ret = mls_error(err, -errno, "Landlock: %s", strerror(errno));
	close((int)ruleset);
	if (!ret)
		report->landlock = (int)version;
	return ret;
}
