/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Libraries of others that are looked up at run time: by the system's loader,
 * then inside the Python packages that hold them.  What they are asked is the
 * caller's to know.
 */
#ifndef MLS_HOST_FOREIGN_H
#define MLS_HOST_FOREIGN_H

#include <stddef.h>

#include <mlsched/error.h>

/* Names that the system's loader is asked for. */
#define MLS_FOREIGN_NAMES 2

/**
 * struct mls_foreign - a library and where it may be
 * @title:       what people call it: "TensorFlow"
 * @option:      by which they name the file: "--tensorflow-library"
 * @by_name:     for the system's loader; NULL ends the list early
 * @environment: virtual environment beside the program, as `make install-deps-...` links it
 * @in_package:  below site-packages, a pattern; the last match in order is taken
 */
struct mls_foreign {
	const char *title;
	const char *option;
	const char *by_name[MLS_FOREIGN_NAMES];
	const char *environment;
	const char *in_package;
};

/**
 * mls_foreign_open() - find the library and load it
 * @library: the file, or NULL: looked for
 * @handle:  receives what dlsym() takes
 * @path:    [@size], receives where it came from
 *
 * A program that runs as root takes code from no place that the caller's
 * directory decides.
 * Return: 0; -ENOENT with all places that were looked at; -ENOTSUP when @library is none.
 */
int mls_foreign_open(const struct mls_foreign *foreign, const char *library, void **handle,
		     char *path, size_t size, struct mlsched_error *err);

#endif /* MLS_HOST_FOREIGN_H */
