/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a file tells of a model that cannot be loaded, for a person who wants to
 * know what is in the way: its layers, nodes or operators, with their shapes as
 * far as the file says them.
 *
 * Nothing here judges a model: that is for its reader, which has refused it before.
 * A file of which less can be understood has a shorter outline, down to none.
 */
#ifndef MLS_FORMATS_OUTLINE_H
#define MLS_FORMATS_OUTLINE_H

#include "src/formats/files.h"
#include "src/formats/graph_eval.h"

/* Parts beyond these are counted alone. */
#define MLS_OUTLINE_PARTS 1000

/**
 * struct mls_outline_part - a layer, node or operator; all texts are clean
 * @name:      its own
 * @kind:      class or operation
 * @detail:    shapes and settings, or ""
 * @place:     how messages of the reader call it
 * @group:     how messages begin that are about its stored numbers: "layers/dense/"; ""
 * @within:    the function it stands in, as messages call that; ""
 * @objection: why it can be no part of what we compute, as far as can be told from
 *             it alone; "" where nothing is known against it
 * @large:     and that is its size alone
 */
struct mls_outline_part {
	struct mls_outline_part *next;
	const char *name;
	const char *kind;
	const char *detail;
	const char *place;
	const char *group;
	const char *within;
	const char *objection;
	bool large;
};

/**
 * struct mls_outline - what a file tells
 * @arena:    keeps it; limited as that of a reader
 * @format:   as --to has it
 * @what:     parts are called: "layer", "node", "operator"
 * @producer: "" when the file does not say
 * @input:    shape, "" when it is not known
 * @n_parts:  of the list
 * @n_left_out: parts of the file that are not in the list
 */
struct mls_outline {
	struct mls_arena arena;
	const char *format;
	const char *what;
	char producer[64];
	char input[64];
	struct mls_outline_part *first, *last;
	uint32_t n_parts;
	uint64_t n_left_out;
};

/**
 * mls_model_outline() - look at what mlsched_model_load() has refused
 * @outline: filled in; to be given back with mls_outline_free()
 *
 * No more is allocated than for reading.  Return: 0, however little is found; -EINVAL when it is
 * nothing of which the format is known; what the system calls return.
 */
int mls_model_outline(const char *path, struct mls_outline *outline);

void mls_outline_free(struct mls_outline *outline);

/**
 * mls_outline_in_the_way() - the part that a message is about
 * @message: of mlsched_model_load(), or ""
 * @why:     receives what it says of it
 * @index:   receives the number of the part
 *
 * Return: that part, else the first that has an objection; NULL when there is none.
 */
const struct mls_outline_part *mls_outline_in_the_way(const struct mls_outline *outline,
						      const char *message, const char **why,
						      uint32_t *index);

/* ---- for the readers of formats ------------------------------------------------------------ */

/** mls_outline_add() - one more part; NULL where it can only be counted */
struct mls_outline_part *mls_outline_add(struct mls_outline *outline, const char *name,
					 const char *kind);

/** mls_outline_node() - the same of a graph, with place, and an objection to what @dialect has not */
struct mls_outline_part *mls_outline_node(struct mls_outline *outline,
					  const struct mls_dialect *dialect, const char *name,
					  const char *op);

/** mls_outline_text() - clean text for a part; "" without memory */
const char *mls_outline_text(struct mls_outline *outline, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A line that grows up to its size. */
struct mls_outline_line {
	char text[200];
	size_t used;
};

void mls_outline_append(struct mls_outline_line *line, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** mls_outline_dims() - "[?, 10]", as many of them as there is room for */
void mls_outline_dims(struct mls_outline_line *line, const int64_t *dims, size_t n);

/* What each format tells.  The limit of @outline's arena is that for a file of this size. */
void mls_onnx_outline(const struct mls_blob *blob, struct mls_outline *outline);
void mls_tflite_outline(const struct mls_blob *blob, struct mls_outline *outline);
void mls_keras_outline(const struct mls_blob *blob, struct mls_outline *outline);
void mls_savedmodel_outline(const struct mls_files *files, struct mls_outline *outline);

/** mls_savedmodel_outline_graph() - the graph that has been chosen */
void mls_savedmodel_outline_graph(const Mls__MetaGraph *meta, struct mls_outline *outline);

#endif /* MLS_FORMATS_OUTLINE_H */
