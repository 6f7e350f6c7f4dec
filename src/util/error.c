// SPDX-License-Identifier: GPL-2.0
/*
 * Filling in a struct mlsched_error.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "src/util/error.h"

int mls_error(struct mlsched_error *err, int code, const char *format, ...)
{
	va_list args;

	if (!err)
		return code;
	err->code = code;
	va_start(args, format);
	vsnprintf(err->message, sizeof(err->message), format, args);
	va_end(args);
	return code;
}

int mls_error_prefix(struct mlsched_error *err, int code, const char *format, ...)
{
	char tail[MLSCHED_ERROR_SIZE];
	va_list args;
	size_t used;
	int n;

	if (!err)
		return code;
	memcpy(tail, err->message, sizeof(tail));
	va_start(args, format);
	n = vsnprintf(err->message, sizeof(err->message), format, args);
	va_end(args);
	if (n < 0)
		return code;
	used = (size_t)n < sizeof(err->message) ? (size_t)n : sizeof(err->message) - 1;
	snprintf(err->message + used, sizeof(err->message) - used, ": %s", tail);
	err->code = code;
	return code;
}
