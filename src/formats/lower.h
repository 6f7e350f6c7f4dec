/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Graphs of other formats (ONNX, LiteRT) as those that graph.c walks: nodes,
 * attributes and names in the form of TensorFlow's, made one by one; and how a
 * file of them is loaded.  What they are made of, and what is checked before, is for the
 * readers of the formats.
 */
#ifndef MLS_FORMATS_LOWER_H
#define MLS_FORMATS_LOWER_H

#include <mlsched/model.h>

#include "src/formats/files.h"
#include "src/formats/graph_scope.h"

struct mls_outline;

/**
 * struct mls_lowered - a graph that grows
 * @nodes: room for all of them, given by the reader, as @names
 * @names: of all tensors
 */
struct mls_lowered {
	struct mls_arena *arena;
	Mls__Node **nodes;
	uint32_t n_nodes;
	struct mls_named *names;
	uint32_t n_names;
};

/** mls_lower_node() - the next node, with room for @n_attr attributes; NULL without memory */
Mls__Node *mls_lower_node(struct mls_lowered *to, const char *name, const char *op, size_t n_attr);

/** mls_lower_output() - @name is the tensor that the newest node makes as its @output-th */
void mls_lower_output(struct mls_lowered *to, const char *name, uint32_t output);

/** mls_lower_attr() - one more attribute, to be filled in; NULL without memory */
Mls__AttrValue *mls_lower_attr(struct mls_arena *arena, Mls__Node *node, const char *key,
			       Mls__AttrValue__ValueCase kind);

/** mls_lower_shape() - of @rank dimensions, all of them open; NULL without memory */
Mls__Shape *mls_lower_shape(struct mls_arena *arena, size_t rank);

/** mls_lower_integers() - @integers as an attribute has them; NULL without memory */
Mls__AttrList *mls_lower_integers(struct mls_arena *arena, size_t n, int64_t *integers);

/* As messages call its format; @size: bytes of the file that are in memory already. */
static inline struct mls_arena mls_lower_arena(const char *format, size_t size)
{
	return (struct mls_arena){
		.format = format,
		.limit = MLS_UNFOLD_BASE + MLS_UNFOLD * size,
		.fixed = true,
	};
}

/* Makes a model of a file's content; the arena is one of mls_lower_arena(). */
typedef int mls_lower_reader(const struct mls_blob *blob, struct mls_arena *arena,
			     struct mlsched_error *err, struct mlsched_model **model);

/** mls_lower_load() - mlsched_model_load() for a model that is one file, as messages call its format */
int mls_lower_load(const char *path, const char *format, mls_lower_reader *read,
		   struct mlsched_error *err, struct mlsched_model **model);

/**
 * mls_lower_load_open() - the same of a regular file that is open, and is closed by it
 * @path: what messages call it
 * @max:  bytes of it
 */
int mls_lower_load_open(int fd, const char *path, size_t max, const char *format,
			mls_lower_reader *read, struct mlsched_error *err,
			struct mlsched_model **model);

/** mls_lower_outline() - what a file tells that is not taken (outline.h) */
void mls_lower_outline(const char *path, const char *format,
		       void (*tell)(const struct mls_blob *blob, struct mls_outline *outline),
		       struct mls_outline *outline);

#endif /* MLS_FORMATS_LOWER_H */
