/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the forward pass is compared with: the loops that one writes first, and
 * OpenBLAS.
 */
#ifndef MLS_BENCH_PEERS_H
#define MLS_BENCH_PEERS_H

#include <mlsched/model.h>

/* Most rows of one call, which sizes the buffers of bench_blas_predict(). */
#define BENCH_MAX_ROWS 1024

/** bench_plain_predict() - three nested loops over the weights as they are given */
void bench_plain_predict(const struct mlsched_model *model, const float *rows, size_t n_rows,
			 float *out);

/**
 * bench_hidden_activity() - share of the hidden units that are not zero
 *
 * Over @n_rows rows; 1 for a network without hidden layers.
 */
double bench_hidden_activity(const struct mlsched_model *model, const float *rows, size_t n_rows);

struct bench_blas;

/**
 * bench_blas_open() - load OpenBLAS, which nothing here is linked with
 * @model: whose forward pass it is to compute; must outlive the result
 * @err:   says what is missing
 * @blas:  receives the object, to be freed with bench_blas_close()
 *
 * It is told to use one thread.
 * Return: 0; -ENOENT when libopenblas.so.0 is not installed; -ENOMEM.
 */
int bench_blas_open(const struct mlsched_model *model, struct mlsched_error *err,
		    struct bench_blas **blas);

/** bench_blas_predict() - sgemv for one row, sgemm for up to BENCH_MAX_ROWS of them */
void bench_blas_predict(const struct bench_blas *blas, const float *rows, size_t n_rows,
			float *out);

void bench_blas_close(struct bench_blas *blas);

#endif /* MLS_BENCH_PEERS_H */
