/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ways to compute one network: ours for each instruction set, in float32
 * and in fixed point, in the kernel, the loop that one writes first, and the
 * runtimes of others.
 */
#ifndef MLS_BENCH_PATHS_H
#define MLS_BENCH_PATHS_H

#include <stdbool.h>

#include "bench/subject.h"

struct bench_path;

/**
 * struct bench_path_type - a way to compute a subject, for one instruction set
 * @name:    in tables; NULL where that is the path's own
 * @isa:     whose multiply-adds bound it
 * @ours:    our float32: the last of these is what the library takes
 * @fixed:   rows are int32_t, outputs int64_t logits
 * @at_once: 0, or rows that one operation computes: it is measured so only
 */
struct bench_path_type {
	const char *name;
	enum mlsched_isa isa;
	bool ours;
	bool fixed;
	size_t at_once;
	int (*open)(struct bench_path *path, const struct bench_subject *subject,
		    struct mlsched_error *err);
	void (*close)(struct bench_path *path);
	bench_fn *run; /* context: struct work of paths.c */
};

/* Ours, and behind them those of bench_runtimes[]. */
#define BENCH_PATHS 24

/**
 * struct bench_path - one of them, opened
 * @name:    in tables
 * @runtime: whose it is, when it is not ours
 * @from:    file of a runtime, or NULL: looked for
 * @object:  model, qmodel, runtime, ...; NULL when it is not there
 * @missing: why
 */
struct bench_path {
	const struct bench_path_type *type;
	const char *name;
	const struct bench_runtime_type *runtime;
	const char *from;
	void *object;
	char missing[MLSCHED_ERROR_SIZE];
};

/** bench_paths_fill() - all that there are, none opened; returns how many */
size_t bench_paths_fill(struct bench_path paths[BENCH_PATHS]);

/**
 * bench_path_open() - ready to compute @subject, or @missing says why not
 *
 * Return: 0 either way; -EBADMSG when it is there and computes something else.
 */
int bench_path_open(struct bench_path *path, const struct bench_subject *subject,
		    struct mlsched_error *err);

/**
 * bench_path_check() - let it compute all rows, and compare
 *
 * Float32 with the bounds of bench_reference(); fixed point by verdicts, of
 * which a tenth may differ.
 * Return: 0; -ERANGE when it computes something else; what a runtime returns.
 */
int bench_path_check(const struct bench_path *path, const struct bench_subject *subject,
		     struct mlsched_error *err);

/**
 * bench_path_measure() - times of one row
 * @batch:     rows of a call; @at_once of its type goes before
 * @dependent: each row waits for the last result
 */
int bench_path_measure(const struct bench_path *path, const struct bench_subject *subject,
		       size_t batch, bool dependent, struct bench_result *result,
		       struct mlsched_error *err);

void bench_path_close(struct bench_path *path);

/** bench_plain_predict() - three nested loops over the weights as they are given */
void bench_plain_predict(const struct mlsched_model *model, const float *rows, size_t n_rows,
			 float *out);

#endif /* MLS_BENCH_PATHS_H */
