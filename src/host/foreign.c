// SPDX-License-Identifier: GPL-2.0
/*
 * Finds libraries of others, see foreign.h.
 */
#include <dlfcn.h>
#include <errno.h>
#include <glob.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/host/foreign.h"
#include "src/util/array.h"
#include "src/util/error.h"

/* Where Python packages lie, in this order. */
static const struct {
	enum { ANYWHERE, BESIDE_PROGRAM, VIRTUAL_ENVIRONMENT } base;
	const char *pattern;
} sites[] = {
	{ VIRTUAL_ENVIRONMENT, "/lib/python3*/site-packages/" },
	{ BESIDE_PROGRAM, "/lib/python3*/site-packages/" },
	{ ANYWHERE, "/usr/local/lib/python3*/site-packages/" },
	{ ANYWHERE, "/usr/local/lib/python3*/dist-packages/" },
	{ ANYWHERE, "/usr/lib/python3*/site-packages/" },
	{ ANYWHERE, "/usr/lib/python3*/dist-packages/" },
};

/* What was looked at, for the message when nothing was found. */
struct tried {
	char text[420];
	size_t used;
};

static void note(struct tried *tried, const char *what)
{
	size_t left = sizeof(tried->text) - tried->used;
	int n = snprintf(tried->text + tried->used, left, "%s%s", tried->used ? ", " : "", what);

	if (n > 0)
		tried->used += (size_t)n < left ? (size_t)n : left - 1;
}

static int open_library(const char *name, void **handle, char *path, size_t size)
{
	struct link_map *map;

	*handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
	if (!*handle)
		return -ENOENT;
	/* Where the loader found what has only a name. */
	if (dlinfo(*handle, RTLD_DI_LINKMAP, &map) == 0 && map->l_name[0])
		name = map->l_name;
	snprintf(path, size, "%s", name);
	return 0;
}

static int base_of(const struct mls_foreign *foreign, int base, char *text, size_t size)
{
	const char *environment = getenv("VIRTUAL_ENV");
	ssize_t n;

	text[0] = '\0';
	if (base == ANYWHERE)
		return 0;
	if (base == VIRTUAL_ENVIRONMENT) {
		if (!environment || environment[0] != '/')
			return -ENOENT;
		snprintf(text, size, "%s", environment);
		return 0;
	}
	n = readlink("/proc/self/exe", text, size - 1);
	if (n <= 0)
		return -ENOENT;
	text[n] = '\0';
	snprintf(strrchr(text, '/'), size - (size_t)(strrchr(text, '/') - text), "/%s",
		 foreign->environment);
	return 0;
}

static int open_package(const struct mls_foreign *foreign, size_t index, struct tried *tried,
			void **handle, char *path, size_t size)
{
	char base[256], pattern[512];
	int ret = base_of(foreign, sites[index].base, base, sizeof(base));
	glob_t found;

	if (ret)
		return ret;
	snprintf(pattern, sizeof(pattern), "%s%s%s", base, sites[index].pattern,
		 foreign->in_package);
	note(tried, pattern);
	if (glob(pattern, 0, NULL, &found) != 0)
		return -ENOENT;
	/* The last in order: the newest Python's. */
	ret = open_library(found.gl_pathv[found.gl_pathc - 1], handle, path, size);
	globfree(&found);
	return ret;
}

int mls_foreign_open(const struct mls_foreign *foreign, const char *library, void **handle,
		     char *path, size_t size, struct mlsched_error *err)
{
	struct tried tried = { .used = 0 };
	int ret = -ENOENT;

	if (library) {
		if (open_library(library, handle, path, size))
			return mls_error(err, access(library, F_OK) ? -ENOENT : -ENOTSUP,
					 "%s's C library: %.400s", foreign->title, dlerror());
		return 0;
	}
	for (size_t i = 0; ret && i < ARRAY_SIZE(foreign->by_name) && foreign->by_name[i]; i++) {
		note(&tried, foreign->by_name[i]);
		ret = open_library(foreign->by_name[i], handle, path, size);
	}
	for (size_t i = 0; ret && i < ARRAY_SIZE(sites); i++)
		ret = open_package(foreign, i, &tried, handle, path, size);
	if (ret)
		return mls_error(err, ret, "found no %s: looked for %s; %s names one",
				 foreign->title, tried.text, foreign->option);
	return 0;
}
