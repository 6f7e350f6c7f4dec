/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reading FlatBuffers: every offset, length and table is checked against the
 * file before it is used, and nothing is allocated.  What the tables mean is
 * for the readers of formats.
 *
 * All functions return false when the file is damaged there; the first damage
 * is described in struct mls_fb.  Source: FlatBuffers' "internals" page.
 */
#ifndef MLS_FORMATS_FLATBUFFER_H
#define MLS_FORMATS_FLATBUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct mls_fb - a file
 * @why: "byte 24: expected ..., found ...", for messages; "" as long as nothing was damaged
 */
struct mls_fb {
	const uint8_t *data;
	size_t size;
	char why[200];
};

/* Found by mls_fb_root() and its kind. */
struct mls_fb_table {
	struct mls_fb *fb;
	size_t at;
	size_t vtable;
	uint16_t vtable_size;
	uint16_t size;
};

/**
 * struct mls_fb_vector - a list
 * @at: its first element
 * @n:  0 also when it is not there
 */
struct mls_fb_vector {
	struct mls_fb *fb;
	size_t at;
	uint32_t n;
};

/**
 * struct mls_fb_field - one field of a table, as its schema says
 * @name: for messages
 * @slot: its number
 * @size: bytes of the number that it is, or of an element of the list that it is; 4 for
 *        tables, strings' characters have 1
 */
struct mls_fb_field {
	const char *name;
	uint16_t slot;
	uint8_t size;
};

/** mls_fb_root() - the table that the file is */
bool mls_fb_root(struct mls_fb *fb, struct mls_fb_table *root);

/** mls_fb_int() - a signed integer of 1, 4 or 8 bytes; @otherwise when the table has none */
bool mls_fb_int(const struct mls_fb_table *t, const struct mls_fb_field *field, int64_t otherwise,
		int64_t *value);

/** mls_fb_float() - a float32 */
bool mls_fb_float(const struct mls_fb_table *t, const struct mls_fb_field *field, float otherwise,
		  float *value);

/** mls_fb_table() - a table in the table; *found is false when there is none */
bool mls_fb_table(const struct mls_fb_table *t, const struct mls_fb_field *field, bool *found,
		  struct mls_fb_table *inner);

/** mls_fb_vector() - a list, or a string without the zero behind it */
bool mls_fb_vector(const struct mls_fb_table *t, const struct mls_fb_field *field,
		   struct mls_fb_vector *vector);

/** mls_fb_element() - the i-th of a list of tables; i < n */
bool mls_fb_element(const struct mls_fb_vector *vector, uint32_t i,
		    const struct mls_fb_field *field, struct mls_fb_table *t);

/** mls_fb_int32_at() - the i-th of a list of int32; i < n */
int32_t mls_fb_int32_at(const struct mls_fb_vector *vector, uint32_t i);

#endif /* MLS_FORMATS_FLATBUFFER_H */
