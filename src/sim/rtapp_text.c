// SPDX-License-Identifier: GPL-2.0
/* rt-app's loose JSON made strict. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/sim/rtapp_text.h"

#define MOST_DEEP  64
#define MOST_NAMES 4096

/* A name of an object that is open, as it stands in the result. */
struct name {
	size_t at, length; /* without its quotes */
	unsigned int depth;
	unsigned int times; /* that it was there */
};

struct strict {
	const char *text;
	size_t n, i;
	char *out;
	size_t size, length;
	char open[MOST_DEEP]; /* '{' or '[' */
	unsigned int depth;
	struct name names[MOST_NAMES];
	unsigned int n_names;
	bool failed; /* no memory */
};

static void put(struct strict *s, const char *text, size_t n)
{
	if (s->length + n + 1 > s->size) {
		size_t size = 2 * (s->size + n) + 64;
		char *out = realloc(s->out, size);

		if (!out) {
			s->failed = true;
			return;
		}
		s->out = out;
		s->size = size;
	}
	memcpy(s->out + s->length, text, n);
	s->length += n;
	s->out[s->length] = '\0';
}

/* Blanks and comments; of these only the ends of lines go on into the result. */
static void skip(struct strict *s)
{
	while (s->i < s->n) {
		const char *at = s->text + s->i;
		size_t left = s->n - s->i, length = 0;

		if (strchr(" \t\r\n", *at) && *at) {
			put(s, at, 1);
			s->i++;
			continue;
		}
		if (left >= 2 && at[0] == '/' && at[1] == '/') {
			while (length < left && at[length] != '\n')
				length++;
		} else if (left >= 2 && at[0] == '/' && at[1] == '*') {
			length = 2;
			while (length < left &&
			       !(at[length] == '/' && at[length - 1] == '*' && length > 2))
				length++;
			length += length < left;
		} else {
			return;
		}
		for (size_t k = 0; k < length; k++)
			if (at[k] == '\n')
				put(s, "\n", 1);
		s->i += length;
	}
}

/* A string with its quotes, or what is left of one that does not end. */
static size_t string_length(const struct strict *s)
{
	size_t k = s->i + 1;

	while (k < s->n && s->text[k] != '"')
		k += s->text[k] == '\\' ? 2 : 1;
	return (k < s->n ? k + 1 : s->n) - s->i;
}

/* Which time is it that the object has this name?  @at: where it is put into the result. */
static unsigned int times_before(struct strict *s, size_t at, const char *name, size_t length)
{
	for (unsigned int k = s->n_names; k-- && s->names[k].depth == s->depth;) {
		struct name *before = &s->names[k];

		if (before->length == length && memcmp(s->out + before->at, name, length) == 0)
			return before->times++;
	}
	if (s->n_names < MOST_NAMES)
		s->names[s->n_names++] =
			(struct name){ .at = at, .length = length, .depth = s->depth, .times = 1 };
	return 0;
}

static void put_name(struct strict *s)
{
	size_t length = string_length(s), at = s->length + 1;
	const char *name = s->text + s->i;
	unsigned int times;
	char number[16];

	put(s, name, length);
	if (s->failed || length < 2 || name[length - 1] != '"')
		goto out;
	times = times_before(s, at, name + 1, length - 2);
	if (times) {
		s->length--;
		put(s, number, (size_t)snprintf(number, sizeof(number), "~%u\"", times));
	}
out:
	s->i += length;
	skip(s);
	if (s->i < s->n && s->text[s->i] != ':')
		put(s, ": \"\"", 4);
}

static void leave(struct strict *s)
{
	while (s->n_names && s->names[s->n_names - 1].depth == s->depth)
		s->n_names--;
	if (s->depth)
		s->depth--;
}

/* Takes back a comma behind which nothing came but blanks. */
static void drop_comma(struct strict *s)
{
	size_t k = s->length;

	while (k && strchr(" \t\r\n", s->out[k - 1]))
		k--;
	if (k && s->out[k - 1] == ',')
		s->out[k - 1] = ' ';
}

static void rewrite(struct strict *s)
{
	bool name_next = false;

	for (skip(s); s->i < s->n && !s->failed; skip(s)) {
		char c = s->text[s->i];
		bool in_object = s->depth && s->depth < MOST_DEEP && s->open[s->depth] == '{';

		if (c == '"' && name_next && in_object) {
			put_name(s);
			name_next = false;
			continue;
		}
		if (c == '"') {
			size_t length = string_length(s);

			put(s, s->text + s->i, length);
			s->i += length;
			continue;
		}
		if (c == '}' || c == ']') {
			drop_comma(s);
			leave(s);
		}
		put(s, &c, 1);
		s->i++;
		if (c == '{' || c == '[') {
			s->depth++;
			if (s->depth < MOST_DEEP)
				s->open[s->depth] = c;
			name_next = c == '{';
		} else if (c == ',') {
			name_next = true;
		}
	}
}

char *rtapp_strict(const char *text, size_t n)
{
	struct strict *s = calloc(1, sizeof(*s));
	char *out;

	if (!s)
		return NULL;
	s->text = text;
	s->n = n;
	put(s, "", 0);
	rewrite(s);
	/* Behind the last brace a comma may stand, too. */
	if (!s->failed && !s->depth)
		drop_comma(s);
	out = s->out;
	if (s->failed) {
		free(out);
		out = NULL;
	}
	free(s);
	return out;
}
