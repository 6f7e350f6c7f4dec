// SPDX-License-Identifier: GPL-2.0
/*
 * Finds TensorFlow's C library and its functions.
 */
#include <dlfcn.h>
#include <errno.h>
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/host/tensorflow_api.h"
#include "src/util/array.h"
#include "src/util/error.h"

/* In a Python package; its own search path finds the second library beside it. */
#define IN_PACKAGE "tensorflow/libtensorflow_cc.so.2"

/* By the system's loader: TensorFlow's own archive, and a distribution's. */
static const char *const by_name[] = { "libtensorflow.so.2", "libtensorflow_cc.so.2" };

/*
 * Patterns, the first that matches; %s is what stands in @base.  A program that
 * runs as root takes code from no place that the caller's directory decides.
 */
static const struct {
	enum { ANYWHERE, BESIDE_PROGRAM, VIRTUAL_ENVIRONMENT } base;
	const char *pattern;
} packages[] = {
	{ VIRTUAL_ENVIRONMENT, "%s/lib/python3*/site-packages/" IN_PACKAGE },
	{ BESIDE_PROGRAM, "%s/tensorflow/lib/python3*/site-packages/" IN_PACKAGE },
	{ ANYWHERE, "/usr/local/lib/python3*/site-packages/" IN_PACKAGE },
	{ ANYWHERE, "/usr/local/lib/python3*/dist-packages/" IN_PACKAGE },
	{ ANYWHERE, "/usr/lib/python3*/site-packages/" IN_PACKAGE },
	{ ANYWHERE, "/usr/lib/python3*/dist-packages/" IN_PACKAGE },
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

static int resolve(struct mls_tensorflow *tf, struct mlsched_error *err)
{
	void *symbol;

#define RESOLVE(name, result, parameters)                                                \
	symbol = dlsym(tf->handle, #name);                                               \
	if (!symbol)                                                                     \
		return mls_error(err, -ENOTSUP,                                          \
				 "%s: expected TensorFlow's C library, found no " #name, \
				 tf->path);                                              \
	memcpy(&tf->name, &symbol, sizeof(symbol));
	MLS_TF_FUNCTIONS(RESOLVE)
#undef RESOLVE
	return 0;
}

static int open_library(const char *name, struct mls_tensorflow *tf)
{
	/* Before it starts: it tells standard error about itself, and about oneDNN, which would
	 * add in another order. */
	setenv("TF_CPP_MIN_LOG_LEVEL", "2", 0);
	setenv("TF_ENABLE_ONEDNN_OPTS", "0", 0);
	tf->handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
	snprintf(tf->path, sizeof(tf->path), "%s", name);
	return tf->handle ? 0 : -ENOENT;
}

static int base_of(int base, char *text, size_t size)
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
	*strrchr(text, '/') = '\0';
	return 0;
}

static int open_package(size_t index, struct mls_tensorflow *tf, struct tried *tried)
{
	char base[256], pattern[512];
	int ret = base_of(packages[index].base, base, sizeof(base));
	glob_t found;

	if (ret)
		return ret;
	/* One %s at most, and the patterns are ours. */
	if (packages[index].base == ANYWHERE)
		snprintf(pattern, sizeof(pattern), "%s", packages[index].pattern);
	else
		snprintf(pattern, sizeof(pattern), "%s%s", base, packages[index].pattern + 2);
	note(tried, pattern);
	if (glob(pattern, 0, NULL, &found) != 0)
		return -ENOENT;
	/* The last in order: the newest Python's. */
	ret = open_library(found.gl_pathv[found.gl_pathc - 1], tf);
	globfree(&found);
	return ret;
}

int mls_tensorflow_load(const char *library, struct mls_tensorflow *tf, struct mlsched_error *err)
{
	struct tried tried = { .used = 0 };
	int ret = -ENOENT;

	memset(tf, 0, sizeof(*tf));
	if (library) {
		if (open_library(library, tf))
			return mls_error(err, access(library, F_OK) ? -ENOENT : -ENOTSUP,
					 "TensorFlow's C library: %.400s", dlerror());
		return resolve(tf, err);
	}
	for (size_t i = 0; ret && i < ARRAY_SIZE(by_name); i++) {
		note(&tried, by_name[i]);
		ret = open_library(by_name[i], tf);
	}
	for (size_t i = 0; ret && i < ARRAY_SIZE(packages); i++)
		ret = open_package(i, tf, &tried);
	if (ret)
		return mls_error(err, ret,
				 "found no TensorFlow: looked for %s; --tensorflow-library names "
				 "one",
				 tried.text);
	return resolve(tf, err);
}
