/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory that is given back all at once: what a reader needs while it reads.
 * A limit keeps a small hostile file from asking for a lot.
 */
#ifndef MLS_FORMATS_ARENA_H
#define MLS_FORMATS_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct mls_arena_chunk;

/**
 * struct mls_arena - start with MLS_ARENA_INIT(limit), end with mls_arena_free()
 * @format: of the model that is read, as messages call it: "Invalid ONNX format: ..."
 * @limit: most bytes that may be allocated; a reader raises it with the bytes
 *         that it has read
 * @fixed: @limit holds for all that is computed, too: see mls_arena_raise()
 * @used:  bytes allocated so far: what was handed out, and what is kept for more
 * @over_limit: an allocation failed because of @limit
 * @failed:     an allocation failed for want of memory
 */
struct mls_arena {
	const char *format;
	struct mls_arena_chunk *chunks;
	size_t limit;
	bool fixed;
	size_t used;
	bool over_limit;
	bool failed;
};

#define MLS_ARENA_INIT(bytes) { .format = "SavedModel", .limit = (bytes) }

/** mls_arena_raise() - allow for what is bounded by other things than the size of the file */
static inline void mls_arena_raise(struct mls_arena *arena, size_t bytes)
{
	if (!arena->fixed)
		arena->limit += bytes;
}

/** mls_arena_alloc() - zeroed, aligned for any type; NULL if there is no more */
void *mls_arena_alloc(struct mls_arena *arena, size_t size);

/** mls_arena_array() - mls_arena_alloc(n * size) without overflow */
void *mls_arena_array(struct mls_arena *arena, size_t n, size_t size);

/** mls_arena_string() - a copy of [size] bytes with a zero behind them */
char *mls_arena_string(struct mls_arena *arena, const void *from, size_t size);

/** mls_arena_printf() - a formatted string */
char *mls_arena_printf(struct mls_arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** mls_arena_exhausted() - has an allocation failed, whatever the reason? */
static inline bool mls_arena_exhausted(const struct mls_arena *arena)
{
	return arena->over_limit || arena->failed;
}

/** mls_arena_free() - give everything back */
void mls_arena_free(struct mls_arena *arena);

#endif /* MLS_FORMATS_ARENA_H */
