/* SPDX-License-Identifier: GPL-2.0 */
/* Values of JSON as text: whole, and in error messages. */
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
