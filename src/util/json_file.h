/* SPDX-License-Identifier: GPL-2.0 */
/* Files of JSON that somebody else wrote: read and parsed in keeping with their size. */
#ifndef MLS_UTIL_JSON_FILE_H
#define MLS_UTIL_JSON_FILE_H

#include <jansson.h>

struct mlsched_error;

/**
 * mls_text_file() - a whole file, or all that comes through a pipe
 * @most: bytes that it may have
 * @text: receives [n] bytes and a zero, for free()
 *
 * Return: 0; -errno; -EINVAL: a device; -EFBIG; -ENOMEM.
 */
int mls_text_file(const char *path, size_t most, char **text, size_t *n, struct mlsched_error *err);

/**
 * mls_json_parse() - what the text of a file means
 * @path: for messages
 * @text: [n] bytes
 * @size: of the file: with it grows what the values may take, six bytes for each and
 *        @base; both by mls_json_weight(), which is twice of what they take in the end
 * @root: receives the value, for json_decref()
 *
 * Return: 0; -EINVAL, with line and column; -EFBIG: too many values; -ENOMEM.
 */
int mls_json_parse(const char *path, const char *text, size_t n, size_t size, size_t base,
		   json_t **root, struct mlsched_error *err);

#endif /* MLS_UTIL_JSON_FILE_H */
