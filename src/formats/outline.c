// SPDX-License-Identifier: GPL-2.0
/* What a file tells of a model that cannot be loaded; see outline.h. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "src/formats/format.h"
#include "src/formats/outline.h"

void mls_outline_free(struct mls_outline *outline)
{
	mls_arena_free(&outline->arena);
}

const char *mls_outline_text(struct mls_outline *outline, const char *format, ...)
{
	char text[256], *copy;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	copy = mls_arena_string(&outline->arena, text, strlen(text));
	if (!copy)
		return "";
	mls_clean_text(copy);
	return copy;
}

struct mls_outline_part *mls_outline_add(struct mls_outline *outline, const char *name,
					 const char *kind)
{
	struct mls_outline_part *part = NULL;

	if (outline->n_parts < MLS_OUTLINE_PARTS)
		part = mls_arena_alloc(&outline->arena, sizeof(*part));
	if (!part) {
		outline->n_left_out++;
		return NULL;
	}
	part->name = mls_outline_text(outline, "%.100s", name);
	part->kind = mls_outline_text(outline, "%.60s", kind);
	part->detail = part->place = part->group = part->within = part->objection = "";
	if (outline->last)
		outline->last->next = part;
	else
		outline->first = part;
	outline->last = part;
	outline->n_parts++;
	return part;
}

static bool has_operation(const struct mls_dialect *dialect, const char *op)
{
	for (size_t i = 0; i < dialect->n_operations; i++) {
		if (strcmp(dialect->operations[i].op, op) == 0)
			return true;
	}
	return false;
}

struct mls_outline_part *mls_outline_node(struct mls_outline *outline,
					  const struct mls_dialect *dialect, const char *name,
					  const char *op)
{
	struct mls_outline_part *part = mls_outline_add(outline, name, op);

	if (!part)
		return NULL;
	/* As mls_walk_refuse() has it. */
	part->place = mls_outline_text(outline, "node %.120s (%.60s)", name, op);
	if (!has_operation(dialect, op))
		part->objection = "no operation of dense layers";
	return part;
}

void mls_outline_append(struct mls_outline_line *line, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line->text + line->used, sizeof(line->text) - line->used, format, args);
	va_end(args);
	line->used += n > 0 ? (size_t)n : 0;
	if (line->used >= sizeof(line->text))
		line->used = sizeof(line->text) - 1;
}

void mls_outline_dims(struct mls_outline_line *line, const int64_t *dims, size_t n)
{
	char text[64];

	mls_outline_append(line, "%s",
			   mls_shape_text(dims, n < MLS_MAX_RANK ? (int)n : MLS_MAX_RANK, text,
					  sizeof(text)));
}

/* What @message says behind @place, NULL when it does not say anything of it. */
static const char *said_of(const char *message, const char *within, const char *place)
{
	char text[400];
	const char *at;
	int n;

	if (!place[0])
		return NULL;
	n = snprintf(text, sizeof(text), ": %s%s%s: ", within, within[0] ? ": " : "", place);
	at = strstr(message, text);
	return at ? at + n : NULL;
}

/* The same of what is stored below @group. */
static const char *said_below(const char *message, const char *group)
{
	const char *at = group[0] ? strstr(message, group) : NULL;

	at = at ? strstr(at, ": ") : NULL;
	return at ? at + 2 : NULL;
}

const struct mls_outline_part *mls_outline_in_the_way(const struct mls_outline *outline,
						      const char *message, const char **why,
						      uint32_t *index)
{
	/* Nodes of different functions may be called the same. */
	for (int pass = 0; pass < 3; pass++) {
		*index = 0;
		for (const struct mls_outline_part *part = outline->first; part;
		     part = part->next, ++*index) {
			*why = pass < 2 ? said_of(message, pass == 0 ? part->within : "",
						  part->place) :
					  said_below(message, part->group);
			if (*why)
				return part;
		}
	}
	*index = 0;
	for (const struct mls_outline_part *part = outline->first; part;
	     part = part->next, ++*index) {
		*why = part->objection;
		if (part->objection[0])
			return part;
	}
	return NULL;
}
