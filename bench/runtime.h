/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The runtimes of others that a forward pass is compared with, behind one small
 * interface.  None of them is linked: each is looked up when it is asked for,
 * and says what is missing.  A runtime more is a file with a type in it and a
 * line in bench_runtimes[].
 */
#ifndef MLS_BENCH_RUNTIME_H
#define MLS_BENCH_RUNTIME_H

#include <stdbool.h>
#include <sys/types.h>

#include <mlsched/model.h>

#include "bench/harness.h"

/* Most rows of one call. */
#define BENCH_MAX_ROWS 1024

struct bench_runtime;

/**
 * struct bench_runtime_type - what a runtime is made of
 * @key:      as in --engine and in JSON
 * @title:    in tables
 * @language: whose interface is called: "C", or "Python" where there is no other
 * @option:   by which a person names the file that it is, without dashes
 * @install:  command that installs it
 * @save:     write what @open reads into @directory; its path into @path [@size]; NULL:
 *            @open takes the model from memory
 * @open:     load it; @from is what @option gave, or NULL: looked for
 * @predict:  [@n_rows][inputs] to [@n_rows][outputs]; 0 or -errno with a message
 * @measure:  time its calls itself, as whoever is no part of this process must;
 *            NULL: the caller times @predict
 * @overhead: find out what the object's @overhead is; NULL: that is 0
 * @reload:   load the model once more and say how long that took; NULL: @open does it
 * @kernel_bytes: what it holds of the kernel's memory, -1: not known; NULL: none
 * @close:    frees all
 */
struct bench_runtime_type {
	const char *key;
	const char *title;
	const char *language;
	const char *option;
	const char *install;
	int (*save)(const struct mlsched_model *model, const char *directory, char *path,
		    size_t size, struct mlsched_error *err);
	int (*open)(const struct bench_runtime_type *type, const struct mlsched_model *model,
		    const char *path, const char *from, struct mlsched_error *err,
		    struct bench_runtime **runtime);
	int (*predict)(struct bench_runtime *runtime, const float *rows, size_t n_rows, float *out,
		       struct mlsched_error *err);
	int (*measure)(struct bench_runtime *runtime, const float *rows, size_t n_rows,
		       bool dependent, struct bench_result *result, struct mlsched_error *err);
	int (*overhead)(struct bench_runtime *runtime, struct mlsched_error *err);
	int (*reload)(struct bench_runtime *runtime, double *us, struct mlsched_error *err);
	long (*kernel_bytes)(const struct bench_runtime *runtime);
	void (*close)(struct bench_runtime *runtime);
};

/**
 * struct bench_runtime - the head of each runtime's object
 * @model:    what it computes; the caller's, must outlive it
 * @version:  its own word
 * @from:     the file that it is
 * @overhead: ns of one call that computes nothing, where the interface is not C; else 0
 * @process:  that computes, when it is not this one, or 0
 */
struct bench_runtime {
	const struct bench_runtime_type *type;
	const struct mlsched_model *model;
	char version[64];
	char from[256];
	double overhead;
	pid_t process;
};

#define BENCH_RUNTIMES 6

/* In the order of the tables. */
extern const struct bench_runtime_type *const bench_runtimes[BENCH_RUNTIMES];

extern const struct bench_runtime_type bench_openblas;
extern const struct bench_runtime_type bench_tensorflow;
extern const struct bench_runtime_type bench_onnxruntime;
extern const struct bench_runtime_type bench_litert;
extern const struct bench_runtime_type bench_pytorch;
extern const struct bench_runtime_type bench_torchscript;

/**
 * bench_runtime_open() - write the model for it, and load that
 *
 * Nothing of what is written remains.
 * Return: 0; -ENOENT when the runtime is not there; what @save and @open return.
 */
int bench_runtime_open(const struct bench_runtime_type *type, const struct mlsched_model *model,
		       const char *from, struct mlsched_error *err, struct bench_runtime **runtime);

/**
 * struct bench_saved - a model as a file that a runtime reads
 * @directory: that holds it, or ""
 * @path:      of the file
 */
struct bench_saved {
	char directory[256];
	char path[300];
};

/**
 * bench_runtime_save() - write what it reads; nothing where it reads no file
 *
 * Return: 0, then bench_runtime_unsave() is due; what @save of the type returns.
 */
int bench_runtime_save(const struct bench_runtime_type *type, const struct mlsched_model *model,
		       struct bench_saved *saved, struct mlsched_error *err);

void bench_runtime_unsave(const struct bench_saved *saved);

/**
 * bench_directory_make() - a directory of our own below $TMPDIR, for mls_temporary_remove()
 * @path: [@size], receives its path
 */
int bench_directory_make(char *path, size_t size, struct mlsched_error *err);

/**
 * bench_litert_write() - a model as a LiteRT file (.tflite)
 *
 * One FULLY_CONNECTED for each layer, as TensorFlow's converter makes them, with
 * ReLU fused and other activations behind; the number of rows is left open.
 * Return: 0; -ENOMEM; what the file system calls return.
 */
int bench_litert_write(const struct mlsched_model *model, const char *path,
		       struct mlsched_error *err);

#endif /* MLS_BENCH_RUNTIME_H */
