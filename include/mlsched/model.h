/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A small multilayer perceptron: made from arrays or read from a file, then
 * never changed again.
 *
 * An object of this type may be used by any number of threads at once.  The
 * forward pass neither allocates nor locks.
 */
#ifndef MLSCHED_MODEL_H
#define MLSCHED_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mlsched/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Limits of a network (design section 6). */
#define MLSCHED_MAX_LAYERS 8
#define MLSCHED_MAX_WIDTH  256

/* Longest name of a feature schema in bytes, the terminating zero included. */
#define MLSCHED_SCHEMA_NAME_SIZE 32

/* Longest list of mechanisms that a model names, the terminating zero included. */
#define MLSCHED_MECHANISMS_SIZE 128

/* Distances of a move: within a domain, to another one, to another node. */
#define MLSCHED_OFFERS 3

enum mlsched_activation {
	MLSCHED_LINEAR, /* y = x */
	MLSCHED_RELU, /* y = max(x, 0) */
	MLSCHED_RELU6, /* y = min(max(x, 0), 6) */
	MLSCHED_LEAKY_RELU, /* y = x > 0 ? x : alpha * x */
	MLSCHED_ELU, /* y = x > 0 ? x : alpha * (exp(x) - 1) */
	MLSCHED_SIGMOID, /* y = 1 / (1 + exp(-x)) */
	MLSCHED_TANH, /* y = tanh(x) */
	MLSCHED_SOFTMAX, /* over all units of the layer */
	MLSCHED_ACTIVATION_COUNT
};

/**
 * struct mlsched_layer - one dense layer, y = act(x W + b)
 * @n_in:       inputs, 1 to MLSCHED_MAX_WIDTH
 * @n_out:      units, 1 to MLSCHED_MAX_WIDTH
 * @activation: what follows the sum
 * @alpha:      slope or scale of leaky ReLU and ELU, else ignored
 * @weights:    [n_in][n_out], row-major, as a Keras kernel
 * @bias:       [n_out], or NULL for none
 */
struct mlsched_layer {
	uint32_t n_in;
	uint32_t n_out;
	enum mlsched_activation activation;
	float alpha;
	const float *weights;
	const float *bias;
};

/**
 * struct mlsched_meta - what a model needs to say beyond its weights
 * @schema:      name of the feature schema, "" when the file does not say
 * @format:      what it was read from ("savedmodel", ...), "" for none
 * @producer:    tool and version that wrote it, as far as the file tells
 * @threshold:   migrate when the probability is above it; (0, 1), usually 0.5
 * @n_calibration: entries of the two arrays below, 0 or the model's inputs
 * @input_min:   smallest value of each input seen in training
 * @input_max:   largest value of each input seen in training
 * @provenance:  JSON object as text (data set, seed, date, version, scores),
 *               or NULL
 * @tuned:       the next two are stated: for which scheduler it was trained
 * @mechanisms:  that this has, as `mlsched run --mechanisms` takes them, "": none
 * @offers_us:   us of waiting that a move from so far must spare a task before the
 *               model is asked
 */
struct mlsched_meta {
	char schema[MLSCHED_SCHEMA_NAME_SIZE];
	char format[32];
	char producer[64];
	float threshold;
	uint32_t n_calibration;
	const float *input_min;
	const float *input_max;
	const char *provenance;
	bool tuned;
	char mechanisms[MLSCHED_MECHANISMS_SIZE];
	double offers_us[MLSCHED_OFFERS];
};

/**
 * struct mlsched_model_desc - everything that makes a model
 * @size:     sizeof(struct mlsched_model_desc), for later growth
 * @n_layers: 1 to MLSCHED_MAX_LAYERS
 * @layers:   [n_layers], each layer's n_in is the n_out of the one before
 * @mean:     [n_in of the first layer] or NULL: x' = (x - mean) / deviation
 * @deviation: like @mean; both or none, no zero
 * @meta:     or NULL for an empty one with threshold 0.5
 *
 * Nothing in it is kept: all arrays are copied.
 */
struct mlsched_model_desc {
	size_t size;
	uint32_t n_layers;
	const struct mlsched_layer *layers;
	const float *mean;
	const float *deviation;
	const struct mlsched_meta *meta;
};

/* Which code computes the float32 forward pass. */
enum mlsched_isa {
	MLSCHED_ISA_BEST, /* the best that this processor has */
	MLSCHED_ISA_SCALAR,
	MLSCHED_ISA_AVX2, /* AVX2 and FMA */
	MLSCHED_ISA_AVX512, /* AVX-512F, VL, BW, DQ */
	MLSCHED_ISA_NEON,
};

struct mlsched_model;

/**
 * mlsched_model_create() - make a model from arrays
 * @desc:  shapes and weights; copied
 * @err:   message on failure, or NULL
 * @model: receives the new model, to be freed with mlsched_model_free()
 *
 * Allocates.  Thread safe.
 * Return: 0; -EINVAL when shapes do not chain, a limit is passed or a number
 * is not finite; -ENOMEM.
 */
int mlsched_model_create(const struct mlsched_model_desc *desc, struct mlsched_error *err,
			 struct mlsched_model **model);

/**
 * mlsched_model_with_meta() - the same network with other metadata
 * @model:   the network; stays as it is
 * @meta:    as of struct mlsched_model_desc; copied.  What mlsched_model_meta() gave,
 *           changed in places, will do
 * @err:     message on failure, or NULL
 * @changed: receives the new model, to be freed with mlsched_model_free()
 *
 * Allocates.  Thread safe.
 * Return: as mlsched_model_create(); -EINVAL also when the schema is known and has
 * another number of inputs.
 */
int mlsched_model_with_meta(const struct mlsched_model *model, const struct mlsched_meta *meta,
			    struct mlsched_error *err, struct mlsched_model **changed);

/**
 * mlsched_model_load() - read a model from a file or directory
 * @path:  a SavedModel directory, an ONNX file, a LiteRT file (.tflite), or a file of
 *         Keras (.h5, .keras); the format is found by content
 * @err:   message on failure, or NULL
 * @model: receives the new model, to be freed with mlsched_model_free()
 *
 * Nothing in the file is trusted: structure, shapes, checksums, finiteness and
 * size are checked.  Allocates.  Thread safe.
 * Return: 0; -ENOENT when there is nothing at @path ("Model not found at
 * path"); -EINVAL ("Invalid SavedModel format", "Invalid ONNX format", "Invalid
 * LiteRT format", "Invalid Keras format"); -EBADMSG when a checksum does not match; -ENOTSUP when the model is valid for its tool and not for
 * us; -EFBIG when a file is larger than any model; -ENOMEM; -EIO and what open()
 * and read() return.
 */
int mlsched_model_load(const char *path, struct mlsched_error *err, struct mlsched_model **model);

/**
 * mlsched_model_expect_inputs() - does a model take rows of this many numbers?
 * @model:    the model
 * @n_inputs: how many there will be, as of a schema's n_features
 * @name:     what the message calls the model, as its path; or NULL
 * @err:      message on failure ("Expected shape [?, 10], got [?, 5]"), or NULL
 *
 * mlsched_model_load() takes a model of any width; who feeds it rows of one
 * schema asks here first.  Neither allocates nor locks.
 * Return: 0, or -EINVAL.
 */
int mlsched_model_expect_inputs(const struct mlsched_model *model, uint32_t n_inputs,
				const char *name, struct mlsched_error *err);

/* How mlsched_model_save() stores the weights. */
enum mlsched_savedmodel_form {
	MLSCHED_SAVEDMODEL_VARIABLES, /* saved_model.pb and variables/ */
	MLSCHED_SAVEDMODEL_FROZEN, /* constants in saved_model.pb */
};

/**
 * mlsched_model_save() - write a TensorFlow SavedModel directory
 * @model: what to write
 * @path:  directory to make or replace
 * @form:  where the weights go
 * @err:   message on failure, or NULL
 *
 * Atomic: a reader, or a crash at any moment, finds the old directory or the
 * new one, never a mixture, and what a killed writer left beside it the next
 * one removes.  (A file system without RENAME_EXCHANGE has no model for the
 * moment between two renames.)  Only a SavedModel, an empty directory or
 * nothing is replaced; a symbolic link stays one.  Allocates.  Thread safe.
 * Return: 0; -ENOMEM; -ENOTDIR when @path is a file; -EEXIST when it is a
 * directory with other files in it; -EINVAL when the provenance is no JSON
 * object; what the file system calls return.
 */
int mlsched_model_save(const struct mlsched_model *model, const char *path,
		       enum mlsched_savedmodel_form form, struct mlsched_error *err);

/** mlsched_model_free() - free a model; NULL is allowed */
void mlsched_model_free(struct mlsched_model *model);

/** mlsched_model_inputs() - width of one row of inputs, in floats */
uint32_t mlsched_model_inputs(const struct mlsched_model *model);

/** mlsched_model_outputs() - width of one row of outputs, in floats */
uint32_t mlsched_model_outputs(const struct mlsched_model *model);

/** mlsched_model_layers() - number of dense layers */
uint32_t mlsched_model_layers(const struct mlsched_model *model);

/**
 * mlsched_model_layer() - shape and weights of one dense layer
 * @model: the model
 * @index: 0 to mlsched_model_layers() - 1
 * @layer: filled in; its pointers belong to @model and live as long
 *
 * Return: 0, or -EINVAL when @index is out of range.
 */
int mlsched_model_layer(const struct mlsched_model *model, uint32_t index,
			struct mlsched_layer *layer);

/**
 * mlsched_model_normalization() - the normalisation in front, if there is one
 * @mean:      receives [inputs], owned by @model, or NULL for none
 * @deviation: the same
 */
void mlsched_model_normalization(const struct mlsched_model *model, const float **mean,
				 const float **deviation);

/** mlsched_model_meta() - owned by @model, lives as long */
const struct mlsched_meta *mlsched_model_meta(const struct mlsched_model *model);

/** mlsched_model_checksum() - CRC-32C of shapes, activations and weights */
uint32_t mlsched_model_checksum(const struct mlsched_model *model);

/**
 * mlsched_model_predict() - forward pass for a batch of rows
 * @model:  the network
 * @rows:   [n_rows][inputs], row-major
 * @n_rows: 0 or more
 * @out:    [n_rows][outputs]; must not overlap @rows
 *
 * Neither allocates nor locks; uses at most 16 KiB of stack.  Thread safe.
 * A row's outputs do not depend on the rows beside it: one row at a time or
 * all in one call give the same bits.
 */
void mlsched_model_predict(const struct mlsched_model *model, const float *rows, size_t n_rows,
			   float *out);

/**
 * mlsched_model_logit() - what decides: the sum in front of the last sigmoid
 * @model:  a network with one output, or two with softmax (then the
 *          difference of the second and the first sum)
 * @rows:   [n_rows][inputs]
 * @n_rows: 0 or more
 * @logits: [n_rows]
 *
 * With a linear output, the output itself.  Same conditions as
 * mlsched_model_predict().
 * Return: 0, or -EINVAL when the model has no single logit.
 */
int mlsched_model_logit(const struct mlsched_model *model, const float *rows, size_t n_rows,
			float *logits);

/**
 * mlsched_model_threshold() - the logit above which the verdict is "migrate"
 *
 * log(t / (1 - t)) of the threshold t in the meta data when the network ends
 * in a sigmoid or softmax; of a linear output, t itself is a probability of
 * the same logit.
 */
float mlsched_model_threshold(const struct mlsched_model *model);

/** mlsched_model_isa() - the code that computes this model's forward pass */
enum mlsched_isa mlsched_model_isa(const struct mlsched_model *model);

/**
 * mlsched_model_clone_for_isa() - the same model computed by other code
 *
 * For tests and benchmarks.
 * Return: 0; -ENOTSUP when this processor or this build lacks @isa; -ENOMEM.
 */
int mlsched_model_clone_for_isa(const struct mlsched_model *model, enum mlsched_isa isa,
				struct mlsched_error *err, struct mlsched_model **clone);

/** mlsched_activation_name() - "relu", as Keras spells it; NULL if unknown */
const char *mlsched_activation_name(enum mlsched_activation activation);

/** mlsched_isa_name() - "avx512", ...; NULL if unknown */
const char *mlsched_isa_name(enum mlsched_isa isa);

#ifdef __cplusplus
}
#endif

#endif /* MLSCHED_MODEL_H */
