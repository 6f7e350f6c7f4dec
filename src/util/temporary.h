/* SPDX-License-Identifier: GPL-2.0 */
/* Directories for what others have to read, and that is in nobody's way afterwards. */
#ifndef MLS_UTIL_TEMPORARY_H
#define MLS_UTIL_TEMPORARY_H

#include <stddef.h>

/**
 * mls_temporary_make() - a new directory in $TMPDIR, or in /tmp
 * @name: that its own begins with
 * @path: [size] receives where it is, or was to be
 *
 * Return: 0; -ENAMETOOLONG; -errno of mkdtemp().
 */
int mls_temporary_make(const char *name, char *path, size_t size);

/** mls_temporary_remove() - it, with all that is in it */
void mls_temporary_remove(const char *path);

#endif /* MLS_UTIL_TEMPORARY_H */
