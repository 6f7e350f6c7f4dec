/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counting what is allocated, and letting the n-th allocation fail.  For one
 * file of a test program, whose allocator the linker replaces by this one
 * (-Wl,--wrap=malloc and so on, tests/tests.mk).
 */
#ifndef MLS_TESTS_COUNTING_H
#define MLS_TESTS_COUNTING_H

#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>

/* Counts down: the call that finds 0 fails. -1: none does. */
static long allocations_left = -1;
static long live_blocks;

static bool fails(long *left)
{
	if (*left < 0)
		return false;
	return (*left)-- == 0;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void __wrap_free(void *block);

/* What is allocated now, and the most that it was. */
static size_t live_bytes, peak_bytes;

static void *counted(void *block)
{
	live_blocks += block != NULL;
	live_bytes += block ? malloc_usable_size(block) : 0;
	peak_bytes = live_bytes > peak_bytes ? live_bytes : peak_bytes;
	return block;
}

void *__wrap_malloc(size_t size)
{
	return fails(&allocations_left) ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails(&allocations_left) ? NULL : counted(__real_calloc(n, size));
}

void *__wrap_realloc(void *old, size_t size)
{
	size_t before = old ? malloc_usable_size(old) : 0;
	void *block = fails(&allocations_left) ? NULL : __real_realloc(old, size);

	live_bytes -= block ? before : 0;
	live_blocks -= block && old;
	return counted(block);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	return fails(&allocations_left) ? NULL : counted(__real_aligned_alloc(alignment, size));
}

void __wrap_free(void *block)
{
	live_blocks -= block != NULL;
	live_bytes -= block ? malloc_usable_size(block) : 0;
	__real_free(block);
}

#endif /* MLS_TESTS_COUNTING_H */
