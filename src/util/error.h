/* SPDX-License-Identifier: GPL-2.0 */
/* Filling in a struct mlsched_error in one line. */
#ifndef MLS_UTIL_ERROR_H
#define MLS_UTIL_ERROR_H

#include <mlsched/error.h>

/**
 * mls_error() - set code and message, return the code
 * @err:  may be NULL
 * @code: -errno, returned as it is: "return mls_error(err, -EINVAL, ...)"
 */
int mls_error(struct mlsched_error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * mls_error_prefix() - put "PREFIX: " in front of the message that is there
 *
 * Return: err->code, or @code when @err is NULL.
 */
int mls_error_prefix(struct mlsched_error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif /* MLS_UTIL_ERROR_H */
