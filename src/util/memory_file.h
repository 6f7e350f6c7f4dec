/* SPDX-License-Identifier: GPL-2.0 */
/* Files in memory that nobody can change any more: what one process hands to another. */
#ifndef MLS_UTIL_MEMORY_FILE_H
#define MLS_UTIL_MEMORY_FILE_H

#include <stddef.h>
#include <stdint.h>

/* Headers of older C libraries lack them; kernels before 6.3 answer them with EINVAL. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

/* With these a file keeps its content and its size, whatever its maker does. */
#define MLS_MEMORY_SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

/**
 * mls_memory_file() - a file of these [size] bytes, sealed
 * @name:  for people who look into /proc
 * @flags: of memfd_create(), besides those for closing and sealing; one that the
 *         kernel does not know is left out
 *
 * Return: a descriptor, the caller's to close; -1 with errno.
 */
int mls_memory_file(const char *name, unsigned int flags, const uint8_t *data, size_t size);

#endif /* MLS_UTIL_MEMORY_FILE_H */
