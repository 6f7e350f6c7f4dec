/* SPDX-License-Identifier: GPL-2.0 */
/* What the process that runs libhdf5 gives up, in two steps around loading it. */
#ifndef MLS_FORMATS_HDF5_CHILD_LIMITS_H
#define MLS_FORMATS_HDF5_CHILD_LIMITS_H

#include <stddef.h>

/** mls_limit_resources() - at the start: processor time, memory, no files, no children */
void mls_limit_resources(unsigned int cpu_s, size_t file_size);

/**
 * mls_limit_calls() - for good, once the library is there: memory, the socket, the end
 *
 * Return: 0, also where the kernel has no filters of system calls; -errno.
 */
int mls_limit_calls(void);

/**
 * mls_limit_starter() - for good, once the library is there: copying itself, and what those
 * above need; they tighten it further
 *
 * Return: as mls_limit_calls().
 */
int mls_limit_starter(void);

#endif /* MLS_FORMATS_HDF5_CHILD_LIMITS_H */
