/* SPDX-License-Identifier: GPL-2.0 */
/* Names that anybody gave. */
#ifndef MLS_UTIL_TEXT_H
#define MLS_UTIL_TEXT_H

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/**
 * mls_plain_text() - printable ASCII stays, every other byte becomes '?'
 * @text:  changed in place
 * @but:   of printable ASCII what does not stay either, as it means something where the text goes
 */
void mls_plain_text(char *text, const char *but);

/** mls_has_suffix() - whether a path ends so, in capitals or not, and is more than that */
static inline bool mls_has_suffix(const char *path, const char *suffix)
{
	size_t length = strlen(path), size = strlen(suffix);

	return length > size && strcasecmp(path + length - size, suffix) == 0;
}

#endif /* MLS_UTIL_TEXT_H */
