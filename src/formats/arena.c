// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that is given back all at once.
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/formats/arena.h"

/* With a sanitizer every piece is a chunk of its own, so that it sees each overrun. */
#ifdef MLS_SANITIZED
#define CHUNK       0
#define BOOKKEEPING 0
#else
#define CHUNK       ((size_t)32 << 10)
/* Of a chunk: ours, and malloc()'s. */
#define BOOKKEEPING (sizeof(struct mls_arena_chunk) + 16)
#endif
#define ALIGN 16

struct mls_arena_chunk {
	struct mls_arena_chunk *next;
	size_t size;
	size_t used;
	_Alignas(ALIGN) char bytes[];
};

/* A large piece is a chunk of its own, behind the one that small ones are taken from. */
static struct mls_arena_chunk *add_chunk(struct mls_arena *arena, size_t rounded)
{
	size_t left = arena->used < arena->limit ? arena->limit - arena->used : 0;
	size_t want = rounded > CHUNK / 4 ? rounded : CHUNK;
	struct mls_arena_chunk *chunk, **link;

	/* Less than a whole chunk where that is all there may be. */
	if (want > left || BOOKKEEPING > left - want)
		want = rounded;
	if (want > left || BOOKKEEPING > left - want) {
		arena->over_limit = true;
		return NULL;
	}
	chunk = malloc(sizeof(*chunk) + want);
	if (!chunk) {
		arena->failed = true;
		return NULL;
	}
	link = want == rounded && arena->chunks ? &arena->chunks->next : &arena->chunks;
	chunk->next = *link;
	chunk->size = want;
	chunk->used = 0;
	*link = chunk;
	arena->used += want + BOOKKEEPING;
	return chunk;
}

void *mls_arena_alloc(struct mls_arena *arena, size_t size)
{
	struct mls_arena_chunk *chunk = arena->chunks;
	size_t rounded = (size + ALIGN - 1) / ALIGN * ALIGN;
	void *piece;

	if (rounded < size) {
		arena->over_limit = true;
		return NULL;
	}
	if (!chunk || chunk->size - chunk->used < rounded)
		chunk = add_chunk(arena, rounded);
	if (!chunk)
		return NULL;
	piece = chunk->bytes + chunk->used;
	chunk->used += rounded;
	return memset(piece, 0, rounded);
}

void *mls_arena_array(struct mls_arena *arena, size_t n, size_t size)
{
	if (size && n > SIZE_MAX / size) {
		arena->over_limit = true;
		return NULL;
	}
	return mls_arena_alloc(arena, n * size);
}

char *mls_arena_string(struct mls_arena *arena, const void *from, size_t size)
{
	char *copy = size < SIZE_MAX ? mls_arena_alloc(arena, size + 1) : NULL;

	if (copy && size)
		memcpy(copy, from, size);
	return copy;
}

char *mls_arena_printf(struct mls_arena *arena, const char *format, ...)
{
	va_list args;
	char *text;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (n < 0)
		return NULL;
	text = mls_arena_alloc(arena, (size_t)n + 1);
	if (!text)
		return NULL;
	va_start(args, format);
	vsnprintf(text, (size_t)n + 1, format, args);
	va_end(args);
	return text;
}

void mls_arena_free(struct mls_arena *arena)
{
	while (arena->chunks) {
		struct mls_arena_chunk *next = arena->chunks->next;

		free(arena->chunks);
		arena->chunks = next;
	}
	arena->used = 0;
}
