/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Training of a multilayer perceptron with one logit: mini-batch Adam on
 * binary cross-entropy.
 *
 * The same options, rows and seed give the same weights bit for bit, whatever
 * the number of threads, the processor, and however often training was
 * interrupted and resumed.  Order of all sums: kernels.h, and chunk after
 * chunk of MLS_TRAIN_CHUNK rows in a batch.
 */
#ifndef MLS_NN_TRAIN_TRAIN_H
#define MLS_NN_TRAIN_TRAIN_H

#include <stdbool.h>
#include <stdint.h>

#include <mlsched/model.h>

#include "src/data/dataset.h"

/* Rows that one thread takes at a time.  Part of the result: sums go by chunks. */
#define MLS_TRAIN_CHUNK 64

/* Largest batch and number of threads. */
#define MLS_TRAIN_MAX_BATCH   65536
#define MLS_TRAIN_MAX_THREADS 256

/* How the learning rate falls. */
enum mls_decay_kind {
	MLS_DECAY_CONSTANT, /* not at all */
	MLS_DECAY_STEP, /* times @factor after every @every epochs */
	MLS_DECAY_EXPONENTIAL, /* times @factor after every epoch */
	MLS_DECAY_COSINE, /* half a cosine from the full rate to 0, batch by batch */
};

struct mls_decay {
	enum mls_decay_kind kind;
	double factor;
	uint32_t every;
};

/**
 * struct mls_train_options - everything that shapes a model besides the rows
 * @n_hidden:    hidden layers, 0 to MLSCHED_MAX_LAYERS - 1
 * @width:       units of each hidden layer
 * @activation:  of each hidden layer, anything but softmax
 * @alpha:       of each hidden layer: leaky ReLU and ELU, not negative
 * @output:      MLSCHED_SIGMOID, or MLSCHED_LINEAR for a model that gives logits
 * @epochs:      passes over the training rows
 * @batch:       rows between two steps of Adam
 * @rate:        learning rate to begin with
 * @decay:       how it falls
 * @l2:          adds l2 * sum of squared weights (not biases) to the loss
 * @activation_penalty: adds penalty * sum of |hidden activation| to each row's loss
 * @class_weight: factors of the losses of the rows to keep [0] and to migrate [1]
 * @patience:    stop after so many epochs without a better validation loss; 0: never
 * @normalize:   fit a normalisation to the training rows and make it part of the model
 * @seed:        of initial weights and of the order of rows
 */
struct mls_train_options {
	uint32_t n_hidden;
	uint32_t width[MLSCHED_MAX_LAYERS - 1];
	enum mlsched_activation activation[MLSCHED_MAX_LAYERS - 1];
	float alpha[MLSCHED_MAX_LAYERS - 1];
	enum mlsched_activation output;
	uint32_t epochs;
	uint32_t batch;
	double rate;
	struct mls_decay decay;
	double l2;
	double activation_penalty;
	double class_weight[2];
	uint32_t patience;
	bool normalize;
	uint64_t seed;
};

/**
 * struct mls_train_progress - where training stands
 * @epoch:       epochs finished
 * @epochs:      of how many
 * @row:         training rows seen in the epoch that runs; 0 between epochs
 * @rows:        training rows in an epoch
 * @loss:        mean weighted cross-entropy over the epoch so far (the weights
 *               change under way), without penalties
 * @validation_loss: of the last epoch finished, NaN before or without validation rows
 * @best_loss:   smallest validation loss, NaN without
 * @best_epoch:  when that was, from 1; 0 before
 * @rate:        learning rate of the last step
 * @epoch_ended: this is the report at the end of an epoch
 */
struct mls_train_progress {
	uint32_t epoch;
	uint32_t epochs;
	uint32_t row;
	uint32_t rows;
	double loss;
	double validation_loss;
	double best_loss;
	uint32_t best_epoch;
	double rate;
	bool epoch_ended;
};

/* Called after each batch and at the end of each epoch; anything but 0 interrupts training. */
typedef int mls_train_callback(void *context, const struct mls_train_progress *progress);

struct mls_trainer;

/** mls_train_options_init() - the defaults: 64-64 ReLU, sigmoid, 20 epochs of batch 64 */
void mls_train_options_init(struct mls_train_options *options);

/**
 * mls_trainer_create() - check options, fit the normalisation, draw weights
 * @options:   copied
 * @data:      rows; must stay as they are until mls_trainer_free()
 * @split:     the same
 * @n_threads: 1 or more; does not change the result
 * @isa:       MLSCHED_ISA_BEST unless a test says otherwise; does not change the result
 * @trainer:   receives the new object, to be freed with mls_trainer_free()
 *
 * An object may be used by one thread at a time.
 * Return: 0; -EINVAL for an option out of range; -ENOTSUP for an @isa that is
 * not here; -ENOMEM; -EAGAIN when threads cannot be made.
 */
int mls_trainer_create(const struct mls_train_options *options, const struct mls_dataset *data,
		       const struct mls_split *split, uint32_t n_threads, enum mlsched_isa isa,
		       struct mlsched_error *err, struct mls_trainer **trainer);

/** mls_trainer_free() - free a trainer and end its threads; NULL is allowed */
void mls_trainer_free(struct mls_trainer *trainer);

/**
 * mls_trainer_run() - train to the end, or until @callback says stop
 * @callback: or NULL
 *
 * A later call goes on where this one was interrupted.
 * Return: 0 when training is finished, 1 when it was interrupted, -ERANGE when
 * the loss is no longer finite (a smaller learning rate helps).
 */
int mls_trainer_run(struct mls_trainer *trainer, mls_train_callback *callback, void *context,
		    struct mlsched_error *err);

/** mls_trainer_step() - one step of Adam on these [n] rows, n up to the batch: for tests */
void mls_trainer_step(struct mls_trainer *trainer, const uint32_t *rows, uint32_t n);

/**
 * mls_trainer_restore_best() - take the weights of the best validation loss
 *
 * Does nothing without validation rows.
 */
void mls_trainer_restore_best(struct mls_trainer *trainer);

/** mls_trainer_progress() - where it stands */
void mls_trainer_progress(const struct mls_trainer *trainer, struct mls_train_progress *progress);

/**
 * mls_trainer_get_layer() - copy weights out in the form of struct mlsched_layer
 * @layer:   0 to n_hidden
 * @weights: [n_in][n_out]
 * @bias:    [n_out]
 */
void mls_trainer_get_layer(const struct mls_trainer *trainer, uint32_t layer, float *weights,
			   float *bias);

/** mls_trainer_set_layer() - the reverse */
void mls_trainer_set_layer(struct mls_trainer *trainer, uint32_t layer, const float *weights,
			   const float *bias);

/**
 * mls_train_options_from() - the network of a model, to go on training it
 * @options: gets layers, activations, output and normalize; the rest stays as it is
 * @name:    what messages call the model
 *
 * Return: 0; -ENOTSUP for one that cannot be trained: with another output than one
 * sigmoid or linear unit, or a softmax before it.
 */
int mls_train_options_from(const struct mlsched_model *model, const char *name,
			   struct mls_train_options *options, struct mlsched_error *err);

/**
 * mls_trainer_start_from() - take weights and normalisation of a model
 *
 * The trainer was made with options of mls_train_options_from(), and has not run yet.
 */
void mls_trainer_start_from(struct mls_trainer *trainer, const struct mlsched_model *model);

/** mls_trainer_get_gradient() - of the last step's loss, like mls_trainer_get_layer() */
void mls_trainer_get_gradient(const struct mls_trainer *trainer, uint32_t layer, float *weights,
			      float *bias);

/**
 * mls_trainer_active_share() - share of the hidden units that are above zero
 * @rows: [n], n > 0
 *
 * What fewer of costs the kernel side less.  Return: 0 to 1, 0 without hidden layers.
 */
double mls_trainer_active_share(struct mls_trainer *trainer, const uint32_t *rows, uint32_t n);

/**
 * mls_trainer_logits() - of rows, by the code that trains
 * @rows:   [n]
 * @logits: [n]
 */
void mls_trainer_logits(struct mls_trainer *trainer, const uint32_t *rows, uint32_t n,
			float *logits);

/**
 * mls_trainer_model() - the model of the present weights
 * @meta: what else it says, or NULL
 *
 * Return: what mlsched_model_create() returns.
 */
int mls_trainer_model(const struct mls_trainer *trainer, const struct mlsched_meta *meta,
		      struct mlsched_error *err, struct mlsched_model **model);

/**
 * mls_trainer_may_save() - whether a checkpoint may be written at @path
 *
 * It replaces what is there, and that may be somebody's only copy of something else.
 * Return: 0 where nothing is, or an empty file, or what begins as a checkpoint; -EEXIST for any
 * other file, and for devices, pipes and directories; -errno of stat(), open() and read().
 */
int mls_trainer_may_save(const char *path, struct mlsched_error *err);

/**
 * mls_trainer_save() - write a checkpoint: all that mls_trainer_run() needs to go on
 *
 * Atomic: a crash at any moment leaves the old file or the new one.
 * Return: 0, or -errno of the file system's calls.
 */
int mls_trainer_save(const struct mls_trainer *trainer, const char *path,
		     struct mlsched_error *err);

/**
 * mls_trainer_load() - go on from a checkpoint
 *
 * The trainer is unchanged when this fails.
 * Return: 0; -EINVAL when the file is no checkpoint, or one of other options or
 * other rows, or has numbers that no training has (the message says which); -EBADMSG when its checksum is wrong;
 * -ENOMEM; -errno of open() and read().
 */
int mls_trainer_load(struct mls_trainer *trainer, const char *path, struct mlsched_error *err);

#endif /* MLS_NN_TRAIN_TRAIN_H */
