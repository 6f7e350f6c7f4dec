/* SPDX-License-Identifier: GPL-2.0 */
/* What must hold whatever a reader was fed with: for all fuzz targets. */
#ifndef MLS_TESTS_FUZZ_H
#define MLS_TESTS_FUZZ_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <mlsched/model.h>

#include "src/formats/lower.h"
#include "src/formats/outline.h"
#include "src/util/memory_file.h"

/* What must hold for every model that the reader lets pass. */
static inline void use(const struct mlsched_model *model)
{
	float row[MLSCHED_MAX_WIDTH], out[MLSCHED_MAX_WIDTH];
	struct mlsched_layer layer;

	for (uint32_t i = 0; i < mlsched_model_inputs(model); i++)
		row[i] = (float)i / 8 - 3;
	mlsched_model_predict(model, row, 1, out);
	for (uint32_t l = 0; mlsched_model_layer(model, l, &layer) == 0; l++) {
		for (uint32_t i = 0; i < layer.n_in * layer.n_out; i++) {
			if (!isfinite(layer.weights[i]))
				abort();
		}
	}
}

/* A message for a person: one line, with the code that was returned. */
static inline void check_message(int ret, const struct mlsched_error *err)
{
	if (ret >= 0 || err->code != ret || !err->message[0] ||
	    !memchr(err->message, 0, sizeof(err->message)))
		abort();
}

/* Whatever a reader of models made of its input; a model is freed. */
static inline void check_outcome(int ret, struct mlsched_model *model,
				 const struct mlsched_error *err)
{
	if (ret) {
		check_message(ret, err);
		return;
	}
	use(model);
	mlsched_model_free(model);
}

/* What must be true, and a person who looks for the place. */
#define must(condition)                                                                          \
	do {                                                                                     \
		if (!(condition)) {                                                              \
			fprintf(stderr, "%s:%d: expected %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                                 \
		}                                                                                \
	} while (0)

/* What goes to a terminal: no bytes that command it. */
static inline void check_text(const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		must(*c >= ' ' && *c != 0x7f);
		/* The second half of the control characters, as UTF-8 has them. */
		must(*c != 0xc2 || c[1] < 0x80 || c[1] >= 0xa0);
	}
}

/* What is told of a model, which goes to a terminal as well; its arena has been used. */
static inline void check_outline(struct mls_outline *outline, const struct mlsched_error *err)
{
	const struct mls_outline_part *way;
	const char *why = "";
	uint32_t n = 0;

	check_text(outline->producer);
	check_text(outline->input);
	for (const struct mls_outline_part *p = outline->first; p; p = p->next, n++) {
		check_text(p->name);
		check_text(p->kind);
		check_text(p->detail);
		check_text(p->objection);
	}
	must(n == outline->n_parts && n <= MLS_OUTLINE_PARTS);
	way = mls_outline_in_the_way(outline, err->message, &why, &n);
	must(!way || (why && n < outline->n_parts));
	mls_outline_free(outline);
}

/*
 * A file in memory with that content, for a reader that wants a path.
 *
 * Return: a descriptor to be closed.
 */
static inline int as_file(const uint8_t *data, size_t size, char path[32])
{
	int fd = mls_memory_file("fuzz", 0, data, size);

	must(fd >= 0);
	snprintf(path, 32, "/proc/self/fd/%d", fd);
	return fd;
}

/* The content of a model that is one file, to its reader, and to what tells of it. */
static inline int feed_file(const char *format, mls_lower_reader *read,
			    void (*tell)(const struct mls_blob *, struct mls_outline *),
			    const uint8_t *data, size_t size)
{
	struct mls_outline outline = { .arena = mls_lower_arena(format, size) };
	const struct mls_blob blob = { "fuzz", data, size };
	struct mls_arena arena = mls_lower_arena(format, size);
	struct mlsched_model *model = NULL;
	struct mlsched_error err = { 0 };
	int ret = read(&blob, &arena, &err, &model);

	mls_arena_free(&arena);
	check_outcome(ret, model, &err);
	tell(&blob, &outline);
	check_outline(&outline, &err);
	return 0;
}

#endif /* MLS_TESTS_FUZZ_H */
