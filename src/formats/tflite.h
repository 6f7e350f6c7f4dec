/* SPDX-License-Identifier: GPL-2.0 */
/*
 * LiteRT (TensorFlow Lite) .tflite files: reading (tflite.c), their graphs as
 * those that graph.c walks (tflite_graph.c), their operations (tflite_ops.c).
 */
#ifndef MLS_FORMATS_TFLITE_H
#define MLS_FORMATS_TFLITE_H

#include "src/formats/files.h"
#include "src/formats/flatbuffer.h"
#include "src/formats/format.h"
#include "src/formats/graph_eval.h"

/* How the input and stored tensors are called among the operations; no operation has a blank. */
#define MLS_TFLITE_INPUT    "model input"
#define MLS_TFLITE_CONSTANT "constant tensor"

/* The attributes that the options of an operator become. */
#define MLS_TFLITE_FUSED  "fused_activation_function"
#define MLS_TFLITE_FORMAT "weights_format"
#define MLS_TFLITE_BETA   "beta"
#define MLS_TFLITE_ALPHA  "alpha"
#define MLS_TFLITE_SHAPE  "new_shape"

/* The schema's ActivationFunctionType. */
enum mls_tflite_activation {
	MLS_TFLITE_NONE = 0,
	MLS_TFLITE_RELU = 1,
	MLS_TFLITE_RELU_N1_TO_1 = 2,
	MLS_TFLITE_RELU6 = 3,
	MLS_TFLITE_TANH = 4,
	MLS_TFLITE_SIGN_BIT = 5,
};

extern const struct mls_dialect mls_tflite;

/** mls_tflite_damaged() - the error that says where the file is damaged */
int mls_tflite_damaged(const struct mls_fb *fb, const char *path, struct mlsched_error *err);

/**
 * mls_tflite_walk() - find the steps from the input of a model to its output
 * @model: the root table
 * @path:  of the file, for messages
 * @arena: keeps the result
 * @last:  receives the last step
 *
 * Return: 0; -EINVAL; -ENOTSUP; -ENOMEM.
 */
int mls_tflite_walk(const struct mls_fb_table *model, const char *path, struct mls_arena *arena,
		    struct mlsched_error *err, const struct mls_step **last);

/**
 * mls_tflite_read() - make a model of a LiteRT file's content
 * @blob:  the file
 * @arena: limited to what may be allocated for a file of this size
 *
 * Return: as mlsched_model_load().
 */
int mls_tflite_read(const struct mls_blob *blob, struct mls_arena *arena, struct mlsched_error *err,
		    struct mlsched_model **model);

/** mls_tflite_outline_graph() - operators and stored tensors, as far as they can be read */
struct mls_outline;
void mls_tflite_outline_graph(const struct mls_fb_table *model, struct mls_outline *outline);

/** mls_tflite_detect() - has it LiteRT's mark, or is it called .tflite? */
bool mls_tflite_detect(const struct mls_look *look);

/** mls_tflite_load() - mlsched_model_load() for LiteRT files */
int mls_tflite_load(const char *path, struct mlsched_error *err, struct mlsched_model **model);

#endif /* MLS_FORMATS_TFLITE_H */
