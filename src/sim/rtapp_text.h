/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What people write for rt-app is looser than JSON, and its own script workgen makes it
 * strict.  So does this: comments go, and commas behind the last member; a name without a
 * value gets an empty string; a name that an object has had already gets a number.
 */
#ifndef MLS_SIM_RTAPP_TEXT_H
#define MLS_SIM_RTAPP_TEXT_H

#include <stddef.h>

/**
 * rtapp_strict() - JSON, as far as the text is anything like it
 * @text: [n], none of them zero: that is the caller's to look for
 *
 * Lines stay lines.  What is no JSON for other reasons stays so, for the parser to say.
 * Return: a string to be freed; NULL without memory.
 */
char *rtapp_strict(const char *text, size_t n);

#endif /* MLS_SIM_RTAPP_TEXT_H */
