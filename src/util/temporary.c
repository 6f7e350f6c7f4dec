// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "src/util/temporary.h"

int mls_temporary_make(const char *name, char *path, size_t size)
{
	const char *top = getenv("TMPDIR");
	int n = snprintf(path, size, "%s/%s-XXXXXX", top && *top ? top : "/tmp", name);

	if ((size_t)n >= size)
		return -ENAMETOOLONG;
	return mkdtemp(path) ? 0 : -errno;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path);
}

void mls_temporary_remove(const char *path)
{
	nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}
