/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ONNX files: reading (onnx.c), their graphs as those that graph.c walks
 * (onnx_graph.c), their operations (onnx_ops.c), writing (onnx_write.c).
 */
#ifndef MLS_FORMATS_ONNX_H
#define MLS_FORMATS_ONNX_H

#include "src/formats/files.h"
#include "src/formats/format.h"
#include "src/formats/graph_eval.h"
#include "src/formats/onnx.pb-c.h"

/* Operators before 7 broadcast by rules of their own; later than the last nobody has shown us. */
#define MLS_ONNX_MIN_OPSET 7
#define MLS_ONNX_MAX_OPSET 28

/* Before 3 a model did not say which operators it means. */
#define MLS_ONNX_MIN_IR 3
#define MLS_ONNX_MAX_IR 14

/* Where our meta data is among a model's properties, as the text of assets/mlsched.json. */
#define MLS_ONNX_METADATA "mlsched"

/* How graph inputs and stored tensors are called among the operations; no operation has a blank. */
#define MLS_ONNX_INPUT       "graph input"
#define MLS_ONNX_INITIALIZER "graph initializer"

/* ONNX's AttributeProto.AttributeType. */
enum mls_onnx_attribute {
	MLS_ONNX_FLOAT = 1,
	MLS_ONNX_INT = 2,
	MLS_ONNX_STRING = 3,
	MLS_ONNX_TENSOR = 4,
	MLS_ONNX_FLOATS = 6,
	MLS_ONNX_INTS = 7,
};

/* ONNX's TensorProto.DataType of what we write. */
#define MLS_ONNX_DT_FLOAT 1

extern const struct mls_dialect mls_onnx;

/** mls_onnx_dtype() - ONNX's type of numbers as enum mls_dtype; 0 for those that no weights have */
int32_t mls_onnx_dtype(int32_t onnx);

/**
 * mls_onnx_walk() - find the steps from the input of a graph to its output
 * @opset: version of ONNX's own operators
 * @path:  of the file, for messages
 * @arena: keeps the result
 * @last:  receives the last step
 *
 * Return: 0; -EINVAL; -ENOTSUP; -ENOMEM.
 */
int mls_onnx_walk(const Mls__Onnx__Graph *graph, int64_t opset, const char *path,
		  struct mls_arena *arena, struct mlsched_error *err, const struct mls_step **last);

/**
 * mls_onnx_read() - make a model of an ONNX file's content
 * @blob:  the file
 * @arena: limited to what may be allocated for a file of this size
 *
 * Return: as mlsched_model_load().
 */
int mls_onnx_read(const struct mls_blob *blob, struct mls_arena *arena, struct mlsched_error *err,
		  struct mlsched_model **model);

/** mls_onnx_detect() - does it begin like an ONNX model? */
bool mls_onnx_detect(const struct mls_look *look);

/** mls_onnx_load() - mlsched_model_load() for ONNX files */
int mls_onnx_load(const char *path, struct mlsched_error *err, struct mlsched_model **model);

/* More than the file of any model needs. */
#define MLS_ONNX_WRITE_MEMORY ((size_t)64 << 20)

/**
 * mls_onnx_pack() - the bytes of such a file
 * @arena: keeps them
 * @blob:  its path is for messages; receives the bytes
 *
 * Return: 0; -EFBIG when the meta data unfold to more than is read again; -ENOMEM.
 */
int mls_onnx_pack(const struct mlsched_model *model, struct mls_arena *arena,
		  struct mlsched_error *err, struct mls_blob *blob);

/** mls_onnx_save() - write one, atomically; @form is not for ONNX */
int mls_onnx_save(const struct mlsched_model *model, const char *path,
		  enum mlsched_savedmodel_form form, struct mlsched_error *err);

#endif /* MLS_FORMATS_ONNX_H */
