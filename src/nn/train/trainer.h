/* SPDX-License-Identifier: GPL-2.0 */
/* The inside of struct mls_trainer: for train.c and checkpoint.c. */
#ifndef MLS_NN_TRAIN_TRAINER_H
#define MLS_NN_TRAIN_TRAINER_H

#include "src/nn/train/kernels.h"
#include "src/util/pool.h"
#include "src/nn/train/train.h"

/* Chunks whose gradients are held before they are summed: bounds the memory of large batches. */
#define MLS_TRAIN_WAVE 16

/* A layer's place in the flat array of all weights. */
struct mls_train_layer {
	uint32_t n_in;
	uint32_t n_out;
	uint32_t stride; /* of an input's weights; of the last layer: n_in padded, one column */
	enum mlsched_activation activation;
	float alpha;
	size_t weights; /* [n_in][stride], of the last layer [stride] */
	size_t bias; /* [stride], of the last layer [16] with one in use */
	size_t transposed; /* where the transposed weights lie: [n_out][n_in padded] */
};

/* What changes while training and what a checkpoint holds, besides four arrays of weights. */
struct mls_train_state {
	uint32_t epoch; /* epochs finished */
	uint32_t row; /* training rows seen in this one */
	uint64_t step; /* steps of Adam in all */
	double beta1_power; /* beta1^step */
	double beta2_power;
	double rate; /* of the last step */
	double epoch_rate; /* step and exponential decay: rate of this epoch */
	double loss_sum; /* over the rows of this epoch */
	double loss; /* of the last epoch */
	double validation_loss;
	double best_loss;
	uint32_t best_epoch; /* from 1; 0: none yet */
	uint32_t finished; /* early stopping or the last epoch */
};

struct mls_trainer {
	struct mls_train_options options;
	const struct mls_dataset *data;
	const struct mls_split *split;
	const struct mls_train_kernels *kernels;
	struct mls_pool *pool;
	uint32_t n_threads;
	uint32_t n_layers;
	struct mls_train_layer layers[MLSCHED_MAX_LAYERS];
	uint32_t in_stride; /* inputs, padded */
	uint32_t max_stride;

	size_t n_transposed;
	size_t n_weights; /* in each of the arrays below, padding included */
	float *weights;
	float *first; /* Adam's averages */
	float *second;
	float *best;
	float *gradient;
	float *wave; /* [MLS_TRAIN_WAVE][n_weights]: gradients of chunks */
	float *transposed; /* of the hidden layers after the first */
	float *mean; /* [in_stride], zeros without normalisation */
	float *deviation; /* [in_stride], ones without */
	float *scratch; /* [n_threads][scratch_size] */
	size_t scratch_size;
	uint32_t *order; /* [n_train] rows of this epoch */
	uint32_t order_epoch; /* whose order that is, or UINT32_MAX */
	void *memory; /* all of the above */

	struct mls_train_state state;
};

/** mls_train_describe() - the options that shape the result, as text for comparison */
void mls_train_describe(const struct mls_train_options *options, uint32_t n_inputs, char *text,
			size_t size);

#define MLS_TRAIN_DESCRIPTION_SIZE 1024

#endif /* MLS_NN_TRAIN_TRAINER_H */
