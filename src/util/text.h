/* SPDX-License-Identifier: GPL-2.0 */
/* Names that anybody gave. */
#ifndef MLS_UTIL_TEXT_H
#define MLS_UTIL_TEXT_H

/**
 * mls_plain_text() - printable ASCII stays, every other byte becomes '?'
 * @text:  changed in place
 * @but:   of printable ASCII what does not stay either, as it means something where the text goes
 */
void mls_plain_text(char *text, const char *but);

#endif /* MLS_UTIL_TEXT_H */
