// SPDX-License-Identifier: GPL-2.0
/*
 * Reading FlatBuffers.
 *
 * A table begins with the distance back to its vtable; that has its own size,
 * the size of the table, and for each field where in the table it is, 0 for
 * one that is not there.  Lists, strings and tables are found by offsets, which
 * count forward from where they stand; so nothing can contain itself.
 */
#include <endian.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "src/formats/flatbuffer.h"

/* Sizes of what stands in front: of a vtable, its size and that of its tables. */
#define VTABLE_HEAD 4
#define TABLE_HEAD  4

static bool damaged(struct mls_fb *fb, size_t at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static bool damaged(struct mls_fb *fb, size_t at, const char *format, ...)
{
	va_list args;
	int used;

	if (fb->why[0])
		return false;
	used = snprintf(fb->why, sizeof(fb->why), "byte %zu: ", at);
	va_start(args, format);
	vsnprintf(fb->why + used, sizeof(fb->why) - (size_t)used, format, args);
	va_end(args);
	return false;
}

/* @at may be anything. */
static bool inside(const struct mls_fb *fb, size_t at, size_t size)
{
	return at <= fb->size && size <= fb->size - at;
}

/* Only what is inside. */
static uint16_t u16_at(const struct mls_fb *fb, size_t at)
{
	uint16_t value;

	memcpy(&value, fb->data + at, sizeof(value));
	return le16toh(value);
}

static uint32_t u32_at(const struct mls_fb *fb, size_t at)
{
	uint32_t value;

	memcpy(&value, fb->data + at, sizeof(value));
	return le32toh(value);
}

static uint64_t u64_at(const struct mls_fb *fb, size_t at)
{
	uint64_t value;

	memcpy(&value, fb->data + at, sizeof(value));
	return le64toh(value);
}

static bool open_table(struct mls_fb *fb, size_t at, const char *what, struct mls_fb_table *t)
{
	int64_t vtable;

	if (!inside(fb, at, TABLE_HEAD))
		return damaged(fb, at, "expected %s, found the end of the file (%zu bytes)", what,
			       fb->size);
	/* Both are below 2^63: a file is no larger. */
	vtable = (int64_t)at - (int32_t)u32_at(fb, at);
	if (vtable < 0 || !inside(fb, (size_t)vtable, VTABLE_HEAD))
		return damaged(fb, at,
			       "expected the layout of %s within the file's %zu bytes, found it at "
			       "byte %" PRId64,
			       what, fb->size, vtable);
	*t = (struct mls_fb_table){
		.fb = fb,
		.at = at,
		.vtable = (size_t)vtable,
		.vtable_size = u16_at(fb, (size_t)vtable),
		.size = u16_at(fb, (size_t)vtable + 2),
	};
	if (t->vtable_size < VTABLE_HEAD || t->vtable_size % 2 ||
	    !inside(fb, t->vtable, t->vtable_size))
		return damaged(fb, t->vtable,
			       "expected the layout of %s, found one of %u bytes of which %zu are "
			       "left",
			       what, t->vtable_size, fb->size - t->vtable);
	if (t->size < TABLE_HEAD || !inside(fb, at, t->size))
		return damaged(fb, at, "expected %s, found one of %u bytes of which %zu are left",
			       what, t->size, fb->size - at);
	return true;
}

/* From an offset, which is inside, to where it leads: in front of the end, behind itself. */
static bool follow(struct mls_fb *fb, size_t at, const char *what, size_t *to)
{
	uint32_t offset = u32_at(fb, at);

	if (offset == 0 || !inside(fb, at, offset))
		return damaged(
			fb, at,
			"expected %s within the file's %zu bytes, found an offset of %" PRIu32,
			what, fb->size, offset);
	*to = at + offset;
	return true;
}

bool mls_fb_root(struct mls_fb *fb, struct mls_fb_table *root)
{
	size_t at;

	if (!inside(fb, 0, sizeof(uint32_t)))
		return damaged(fb, 0, "expected the root table, found a file of %zu bytes",
			       fb->size);
	return follow(fb, 0, "the root table", &at) && open_table(fb, at, "the root table", root);
}

/* Where a field of @size bytes stands; *at is 0 when it is not there. */
static bool find(const struct mls_fb_table *t, const struct mls_fb_field *field, size_t size,
		 size_t *at)
{
	size_t entry = VTABLE_HEAD + 2 * (size_t)field->slot;
	uint16_t offset = 0;

	*at = 0;
	if (entry + 2 <= t->vtable_size)
		offset = u16_at(t->fb, t->vtable + entry);
	if (offset == 0)
		return true;
	if (offset < TABLE_HEAD || offset + size > t->size)
		return damaged(t->fb, t->vtable + entry,
			       "expected %s within its table's %u bytes, found it at %u",
			       field->name, t->size, offset);
	*at = t->at + offset;
	return true;
}

bool mls_fb_int(const struct mls_fb_table *t, const struct mls_fb_field *field, int64_t otherwise,
		int64_t *value)
{
	size_t at;

	*value = otherwise;
	if (!find(t, field, field->size, &at))
		return false;
	if (at)
		*value = field->size == 1 ? (int8_t)t->fb->data[at] :
			 field->size == 4 ? (int32_t)u32_at(t->fb, at) :
					    (int64_t)u64_at(t->fb, at);
	return true;
}

bool mls_fb_float(const struct mls_fb_table *t, const struct mls_fb_field *field, float otherwise,
		  float *value)
{
	uint32_t bits;
	size_t at;

	*value = otherwise;
	if (!find(t, field, sizeof(bits), &at))
		return false;
	if (at) {
		bits = u32_at(t->fb, at);
		memcpy(value, &bits, sizeof(bits));
	}
	return true;
}

bool mls_fb_table(const struct mls_fb_table *t, const struct mls_fb_field *field, bool *found,
		  struct mls_fb_table *inner)
{
	size_t at;

	if (!find(t, field, sizeof(uint32_t), &at))
		return false;
	*found = at != 0;
	return !at ||
	       (follow(t->fb, at, field->name, &at) && open_table(t->fb, at, field->name, inner));
}

bool mls_fb_vector(const struct mls_fb_table *t, const struct mls_fb_field *field,
		   struct mls_fb_vector *vector)
{
	struct mls_fb *fb = t->fb;
	size_t at, left;

	*vector = (struct mls_fb_vector){ .fb = fb };
	if (!find(t, field, sizeof(uint32_t), &at))
		return false;
	if (!at)
		return true;
	if (!follow(fb, at, field->name, &at))
		return false;
	if (!inside(fb, at, sizeof(uint32_t)))
		return damaged(fb, at, "expected the length of %s, found the end of the file",
			       field->name);
	vector->n = u32_at(fb, at);
	vector->at = at + sizeof(uint32_t);
	left = fb->size - vector->at;
	if (vector->n > left / field->size)
		return damaged(fb, at,
			       "expected %s within the file's %zu bytes, found %" PRIu32
			       " of %u bytes each, but %zu are left",
			       field->name, fb->size, vector->n, field->size, left);
	return true;
}

bool mls_fb_element(const struct mls_fb_vector *vector, uint32_t i,
		    const struct mls_fb_field *field, struct mls_fb_table *t)
{
	size_t at = vector->at + sizeof(uint32_t) * i;

	return follow(vector->fb, at, field->name, &at) &&
	       open_table(vector->fb, at, field->name, t);
}

int32_t mls_fb_int32_at(const struct mls_fb_vector *vector, uint32_t i)
{
	return (int32_t)u32_at(vector->fb, vector->at + sizeof(uint32_t) * i);
}
