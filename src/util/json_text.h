/* SPDX-License-Identifier: GPL-2.0 */
/* Values of JSON as text: whole, in error messages, and how much of it there is. */
#ifndef MLS_UTIL_JSON_TEXT_H
#define MLS_UTIL_JSON_TEXT_H

#include <jansson.h>

/**
 * mls_json_dump() - the whole text of a value, as json_dumps() makes it
 *
 * That one may leave out keys when memory runs out, and call it success (jansson 2.14).
 *
 * Return: the caller's, for free(); NULL when there is no memory, or when it has no text.
 */
char *mls_json_dump(const json_t *value, size_t flags);

/**
 * mls_json_load() - what json_loadb() makes of a text, and be it that memory runs out
 * @error: of the text; with an empty text when there was no memory
 *
 * That one may call it an error of the text, or lose a byte of a word, and call it success
 * (jansson 2.14): what counts is what it says twice in a row.  Duplicate keys are errors.
 * Return: for json_decref(), or NULL.
 */
json_t *mls_json_load(const void *text, size_t size, json_error_t *error);

/**
 * mls_json_weight() - what jansson would allocate for a text at most, found without it
 * @text:  [size] bytes of anything
 * @depth: receives how many lists and objects stand inside each other
 *
 * Three bytes can be an object of some hundred: a small text is not small when it is parsed.
 */
size_t mls_json_weight(const void *text, size_t size, int *depth);

#define MLS_JSON_TEXT 64 /* bytes for one value */

/**
 * mls_json_text() - what stands there, behind "found"
 * @value: NULL: nothing does
 * @text:  receives it: the value in ASCII, cut where it is long; of objects and arrays
 *         only that they are one, and of how many
 *
 * Return: @text.
 */
const char *mls_json_text(const json_t *value, char text[MLS_JSON_TEXT]);

#endif /* MLS_UTIL_JSON_TEXT_H */
