// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
