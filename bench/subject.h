/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is computed when forward passes are compared: a network, rows for it,
 * and what a right answer is.
 */
#ifndef MLS_BENCH_SUBJECT_H
#define MLS_BENCH_SUBJECT_H

#include <mlsched/model.h>
#include <mlsched/quantize.h>

#include "bench/runtime.h"

/**
 * struct bench_subject - one network and rows for it, as floats and as Q16.16
 * @name:          for people: its path or its shape
 * @variant:       of a network of random weights: like the one before but for its biases
 * @q:             the same in fixed point, or NULL: @no_q says why
 * @multiply_adds: of a forward pass that leaves none out
 * @activity:      share of the hidden units that are not zero; 1 when there are none
 * @rows:          [BENCH_MAX_ROWS][n_in]
 * @features:      the same
 * @expected:      [BENCH_MAX_ROWS][n_out], in double precision
 * @allowed:       how far a float32 answer may be off, see bench_reference()
 */
struct bench_subject {
	char name[128];
	bool variant;
	struct mlsched_model *model;
	struct mlsched_qmodel *q;
	char no_q[MLSCHED_ERROR_SIZE];
	uint32_t n_in;
	uint32_t n_out;
	double multiply_adds;
	double activity;
	float *rows;
	int32_t *features;
	double *expected;
	double *allowed;
};

/** bench_subject_shapes() - how many networks of random weights there are */
size_t bench_subject_shapes(void);

/**
 * bench_subject_random() - a network of random weights, the same everywhere
 * @shape:   below bench_subject_shapes()
 * @subject: all zero; to be freed with bench_subject_free() also after an error
 */
int bench_subject_random(struct bench_subject *subject, size_t shape, struct mlsched_error *err);

/** bench_subject_load() - the network of a file; as above */
int bench_subject_load(struct bench_subject *subject, const char *path, struct mlsched_error *err);

void bench_subject_free(struct bench_subject *subject);

/**
 * bench_reference() - the forward pass in double precision, and how far a
 *                     float32 one may be from it
 * @expected: [@n_rows][outputs]
 * @allowed:  the same: a bound on the difference of whoever computes in float32
 *            in whatever order, with fused multiply-adds or without
 *
 * Of a sum of n products and a bias each of n + 1 operations is rounded, by at
 * most u = 2^-24 of a partial sum, which is at most M = |b| + sum |w||x|.  Taken
 * as independent and evenly spread (Higham and Mary, A New Approach to
 * Probabilistic Rounding Error Analysis, 2019), they leave a standard deviation
 * of at most M u sqrt((n + 1) / 3); those of the inputs are carried through w and
 * the slope of the activation, which adds what its own approximation may be off
 * by.  Six standard deviations are allowed.  The bound that always holds,
 * (n + 1) u M and sum |w| times it layer by layer, is a hundred times as wide
 * for 10-64-64-1, wide enough for wrong answers.
 *
 * Return: the share of hidden units that are not zero; 1 when there are none.
 */
double bench_reference(const struct mlsched_model *model, const float *rows, size_t n_rows,
		       double *expected, double *allowed);

#endif /* MLS_BENCH_SUBJECT_H */
