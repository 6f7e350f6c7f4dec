/* SPDX-License-Identifier: GPL-2.0 */
/* Reading as much of a file as was asked for, however the kernel hands it out. */
#ifndef MLS_UTIL_READ_H
#define MLS_UTIL_READ_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * mls_read_at() - read [size] bytes at @offset, fewer only where the file ends
 *
 * A read that comes short is continued, and one that a signal interrupts is
 * made again.
 *
 * Return: the number of bytes, or -errno.
 */
ssize_t mls_read_at(int fd, void *to, size_t size, uint64_t offset);

#endif /* MLS_UTIL_READ_H */
