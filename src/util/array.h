/* SPDX-License-Identifier: GPL-2.0 */
/* Lengths of arrays. */
#ifndef MLS_UTIL_ARRAY_H
#define MLS_UTIL_ARRAY_H

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif /* MLS_UTIL_ARRAY_H */
