// SPDX-License-Identifier: GPL-2.0
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/util/crc32c.h"
#include "src/util/json_text.h"

/* Counted first, so that nothing on the way can run out of room. */
char *mls_json_dump(const json_t *value, size_t flags)
{
	size_t size = json_dumpb(value, NULL, 0, flags);
	char *text = size ? malloc(size + 1) : NULL;

	if (!text)
		return NULL;
	text[size] = '\0';
	if (json_dumpb(value, text, size, flags) == size)
		return text;
	free(text);
	return NULL;
}

static int add_to_sum(const char *piece, size_t n, void *sum)
{
	*(uint32_t *)sum = mls_crc32c(*(uint32_t *)sum, piece, n);
	return 0;
}

/* What came of parsing once. */
struct attempt {
	bool parsed, summed;
	uint32_t sum; /* of the value, for comparison */
	json_error_t error;
};

static json_t *parse(const void *text, size_t size, struct attempt *a)
{
	json_t *value = json_loadb(text, size, JSON_REJECT_DUPLICATES, &a->error);
	const size_t how = JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17);

	a->parsed = value != NULL;
	a->sum = 0;
	a->summed = value && json_dump_callback(value, add_to_sum, &a->sum, how) == 0;
	return value;
}

static bool alike(const struct attempt *a, const struct attempt *b)
{
	if (a->parsed || b->parsed)
		return a->summed && b->summed && a->sum == b->sum;
	return a->error.text[0] && strcmp(a->error.text, b->error.text) == 0 &&
	       a->error.position == b->error.position &&
	       json_error_code(&a->error) != json_error_out_of_memory;
}

json_t *mls_json_load(const void *text, size_t size, json_error_t *error)
{
	struct attempt before, now;
	json_t *value = parse(text, size, &before);

	for (int i = 0; i < 2; i++) {
		json_decref(value);
		value = parse(text, size, &now);
		if (alike(&before, &now)) {
			*error = now.error;
			return value;
		}
		before = now;
	}
	json_decref(value);
	memset(error, 0, sizeof(*error));
	return NULL;
}

/* What jansson allocates for an object, and for a list or another value, at most. */
#define JSON_OBJECT_SIZE 400
#define JSON_VALUE_SIZE  100

size_t mls_json_weight(const void *text, size_t size, int *depth)
{
	const unsigned char *bytes = text;
	size_t weight = 2 * size;
	bool in_string = false;
	int now = 0;

	*depth = 0;
	for (size_t i = 0; i < size; i++) {
		unsigned char c = bytes[i];

		if (in_string) {
			i += c == '\\';
			in_string = c != '"';
			continue;
		}
		in_string = c == '"';
		weight += c == '{'                         ? JSON_OBJECT_SIZE :
			  c == '[' || c == ',' || c == ':' ? JSON_VALUE_SIZE :
							     0;
		now += (c == '{' || c == '[') - (c == '}' || c == ']');
		*depth = now > *depth ? now : *depth;
	}
	return weight;
}

struct beginning {
	char *text;
	size_t n; /* of all */
};

/* Anything but 0 would end it: what is too long is counted only. */
static int take(const char *piece, size_t n, void *to)
{
	struct beginning *b = to;
	size_t room = b->n < MLS_JSON_TEXT ? MLS_JSON_TEXT - b->n : 0;

	if (room)
		memcpy(b->text + b->n, piece, n < room ? n : room);
	b->n += n;
	return 0;
}

const char *mls_json_text(const json_t *value, char text[MLS_JSON_TEXT])
{
	static const char more[] = "...";
	struct beginning b = { .text = text };

	if (!value)
		return strcpy(text, "nothing");
	if (json_is_object(value))
		return strcpy(text, "an object");
	if (json_is_array(value)) {
		snprintf(text, MLS_JSON_TEXT, "an array of %zu", json_array_size(value));
		return text;
	}
	if (json_dump_callback(value, take, &b, JSON_ENCODE_ANY | JSON_ENSURE_ASCII) != 0)
		return strcpy(text, "what has no text");
	if (b.n < MLS_JSON_TEXT)
		text[b.n] = '\0';
	else
		memcpy(text + MLS_JSON_TEXT - sizeof(more), more, sizeof(more));
	return text;
}
