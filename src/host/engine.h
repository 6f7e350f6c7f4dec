/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Engines of user space: who computes the network when it is not the kernel.
 * "native" is the library's own forward pass, "tensorflow" TensorFlow's C
 * library, looked up at run time.  Both take rows of float32 and give float32:
 * another type cannot be handed over by mistake.
 */
#ifndef MLS_HOST_ENGINE_H
#define MLS_HOST_ENGINE_H

#include <stddef.h>

#include <mlsched/decide.h>
#include <mlsched/model.h>

struct mls_engine;

/**
 * struct mls_engine_type - what an engine is made of
 * @name:    as in --engine
 * @predict: [n_rows][inputs] to [n_rows][outputs]; 0 or -errno with a message
 * @decide:  rows to verdicts, or NULL: made of what @predict gives
 * @close:   frees the engine
 */
struct mls_engine_type {
	const char *name;
	int (*predict)(struct mls_engine *engine, const float *rows, size_t n_rows, float *out,
		       struct mlsched_error *err);
	int (*decide)(struct mls_engine *engine, const float *rows, size_t n_rows,
		      struct mlsched_verdict *verdicts, struct mlsched_error *err);
	void (*close)(struct mls_engine *engine);
};

/**
 * struct mls_engine - the head of each engine's object
 * @model: what it computes; the caller's, must outlive the engine
 * @owned: the same if it is the engine's own, freed with it, or NULL
 * @users: that hold it; 1 when it was opened
 * @what:  for people: "float32, avx2 code", "TensorFlow 2.21.0, /usr/lib/..."
 */
struct mls_engine {
	const struct mls_engine_type *type;
	const struct mlsched_model *model;
	struct mlsched_model *owned;
	int users;
	char what[512];
};

/**
 * mls_engine_open_native() - the library's own forward pass
 *
 * Computing neither allocates nor locks.
 * Return: 0; -ENOMEM.
 */
int mls_engine_open_native(const struct mlsched_model *model, struct mlsched_error *err,
			   struct mls_engine **engine);

/**
 * mls_engine_open_tensorflow() - TensorFlow's C library
 * @model:   read from @path by us, so that everything in it has been checked:
 *           TensorFlow itself does not survive every bad file
 * @path:    a SavedModel directory; of a model of another format one is made of @model, in
 *           $TMPDIR or /tmp, and removed when it has been read
 * @library: file to take TensorFlow from, or NULL: looked for
 *
 * Slow: some tenths of a second, hundreds of megabytes.  Starts no thread that
 * computes: that does the caller.  What it computes is compared with @model on
 * a few rows, which also makes it ready.
 * Return: 0; -ENOENT when there is no TensorFlow, with the places that were
 * looked at; -ENOTSUP when the file is none or the model needs another type
 * than float32; -EINVAL when TensorFlow refuses the model; -EBADMSG when it
 * computes something else than we do; -ENOMEM.
 */
int mls_engine_open_tensorflow(const struct mlsched_model *model, const char *path,
			       const char *library, struct mlsched_error *err,
			       struct mls_engine **engine);

/**
 * mls_engine_open() - by name, "native" or "tensorflow"
 *
 * Return: as above; -EINVAL for another name.
 */
int mls_engine_open(const char *name, const struct mlsched_model *model, const char *path,
		    const char *library, struct mlsched_error *err, struct mls_engine **engine);

/** mls_engine_reads_path() - whether the engine of this name reads the model's files by itself */
bool mls_engine_reads_path(const char *name);

/** mls_engine_predict() - [n_rows][inputs] to [n_rows][outputs]; one thread at a time */
int mls_engine_predict(struct mls_engine *engine, const float *rows, size_t n_rows, float *out,
		       struct mlsched_error *err);

/**
 * mls_engine_decide() - as mlsched_decide_features(), by this engine
 *
 * Of engines that give outputs and no sums in front of the last sigmoid, the
 * logit is computed from the output: where that is 0 or 1, it is infinite.
 */
int mls_engine_decide(struct mls_engine *engine, const float *rows, size_t n_rows,
		      struct mlsched_verdict *verdicts, struct mlsched_error *err);

/** mls_engine_hold() - one more mls_engine_close() is needed to free it; any thread */
struct mls_engine *mls_engine_hold(struct mls_engine *engine);

/** mls_engine_close() - free it if nobody else holds it; NULL is allowed; any thread */
void mls_engine_close(struct mls_engine *engine);

#endif /* MLS_HOST_ENGINE_H */
