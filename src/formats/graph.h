/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Walking a TensorFlow graph backwards from the output of its serving
 * signature: what computes this tensor, and from which weights?
 */
#ifndef MLS_FORMATS_GRAPH_H
#define MLS_FORMATS_GRAPH_H

#include <mlsched/model.h>

#include "src/formats/checkpoint.h"

/* What happens to a row of numbers, one operation after the other. */
enum mls_step_kind {
	MLS_STEP_INPUT,
	MLS_STEP_ADD, /* x + v */
	MLS_STEP_SUBTRACT, /* x - v */
	MLS_STEP_SUBTRACT_FROM, /* v - x */
	MLS_STEP_MULTIPLY, /* x * v */
	MLS_STEP_DIVIDE, /* x / v */
	MLS_STEP_MATMUL, /* x W */
	MLS_STEP_ACTIVATE,
	MLS_STEP_POSITIVE, /* x > 0, the condition of a scaled ELU; stands in no network by itself */
};

/**
 * struct mls_step - one operation
 * @previous: the one before; NULL for the input
 * @place:  "node X (MatMul)" for messages
 * @width:  numbers that come out; 0 as long as nobody knows
 * @numbers: [1] or [width] for v, [width before][width] for W
 * @n:      length of @numbers
 */
struct mls_step {
	enum mls_step_kind kind;
	const struct mls_step *previous;
	const char *place;
	uint32_t width;
	const float *numbers;
	uint32_t n;
	enum mlsched_activation activation;
	float alpha;
};

/**
 * mls_graph_walk() - find the steps from the input to the output
 * @meta:       the graph and its signatures
 * @path:       of saved_model.pb, for messages
 * @files:      where variables/ is looked for when the graph reads variables
 * @arena:      keeps the result
 * @last:       receives the last step
 *
 * Return: 0; -EINVAL; -EBADMSG; -ENOTSUP; -ENOMEM; -EIO.
 */
int mls_graph_walk(const Mls__MetaGraph *meta, const char *path, const struct mls_files *files,
		   struct mls_arena *arena, struct mlsched_error *err,
		   const struct mls_step **last);

/**
 * mls_graph_signature() - the signature that mls_graph_walk() follows
 * @chosen: receives it: one input and one output; belongs to @meta
 *
 * Return: 0; -EINVAL; -ENOTSUP.
 */
int mls_graph_signature(const Mls__MetaGraph *meta, const char *path, struct mlsched_error *err,
			const Mls__Signature **chosen);

/* Dense layers, ready for mls_network_model(); arrays belong to the arena. */
struct mls_network {
	struct mlsched_model_desc desc;
	struct mlsched_layer layers[MLSCHED_MAX_LAYERS];
};

/**
 * mls_network_fold() - make dense layers of the steps
 * @last: from mls_graph_walk()
 * @path: of the file, for messages
 *
 * Return: 0; -ENOTSUP when they are no chain of dense layers; -ENOMEM.
 */
int mls_network_fold(const struct mls_step *last, const char *path, struct mls_arena *arena,
		     struct mlsched_error *err, struct mls_network *network);

/**
 * mls_network_model() - make the model
 * @path: of the file, for messages, which begin with the arena's format
 *
 * Weights that stand in a file once may be used by several layers: the model has them all.
 * If the arena's limit is fixed, it holds for them, too.
 * Return: 0, or what mlsched_model_create() returns.
 */
int mls_network_model(struct mls_network *network, const struct mlsched_meta *meta,
		      const char *path, struct mls_arena *arena, struct mlsched_error *err,
		      struct mlsched_model **model);

#endif /* MLS_FORMATS_GRAPH_H */
