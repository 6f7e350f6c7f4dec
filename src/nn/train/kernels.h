/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The arithmetic of training: one table of functions for each instruction
 * set, all compiled from kernels_impl.h.
 *
 * The contract that makes a seed mean the same model on every machine: each
 * number comes from the same additions, multiplications, divisions and square
 * roots in the same order whatever the vector width.  So products are never
 * fused with sums (not every processor can), sums run over rows or inputs in
 * ascending order, the one sum across lanes has 16 lanes everywhere, and exp
 * and log are our own.
 *
 * All arrays are aligned to 64 bytes and rows are a multiple of 16 floats
 * apart, zeros behind the last unit.
 */
#ifndef MLS_NN_TRAIN_KERNELS_H
#define MLS_NN_TRAIN_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include <mlsched/model.h>

/**
 * struct mls_gemm - C = init + A B
 * @rows:  of A and C
 * @cols:  of B and C, a multiple of 16
 * @depth: columns of A, rows of B
 * @a:     element (m, k) stands at a[m * a_row + k * a_col]
 * @b:     [depth][b_row]
 * @c:     [rows][c_row]
 * @init:  [cols], the same for each row, or NULL for zeros
 */
struct mls_gemm {
	uint32_t rows;
	uint32_t cols;
	uint32_t depth;
	const float *a;
	size_t a_row;
	size_t a_col;
	const float *b;
	size_t b_row;
	float *c;
	size_t c_row;
	const float *init;
};

/**
 * struct mls_adam - one step of Adam as Keras does it
 * @rate:     learning rate with the correction for the bias of young averages
 * @one_less_beta1: 1 - beta1
 * @one_less_beta2: 1 - beta2
 * @epsilon:  added to the root
 */
struct mls_adam {
	float rate;
	float one_less_beta1;
	float one_less_beta2;
	float epsilon;
};

/**
 * struct mls_train_kernels - see kernels_impl.h for each
 * @gemm:          C = init + A B
 * @column_sums:   out[j] = sum over rows of x[r][j]
 * @activate:      in place on [rows][stride], zeros kept behind @n
 * @activate_back: delta = (delta + penalty * sign(h)) * f'(h), in place
 * @dot_rows:      out[r] = bias + x[r] . w over @stride lanes
 * @outer:         out[r][j] = d[r] * w[j]
 * @loss:          from logits to losses and d(loss)/d(logit), [n] a multiple of 16
 * @add:           to += from
 * @add_scaled:    to += factor * from
 * @adam:          one step on [n] weights
 */
struct mls_train_kernels {
	void (*gemm)(const struct mls_gemm *g);
	void (*column_sums)(const float *x, uint32_t rows, uint32_t stride, float *out);
	void (*activate)(enum mlsched_activation activation, float alpha, float *x, uint32_t rows,
			 uint32_t n, uint32_t stride);
	void (*activate_back)(enum mlsched_activation activation, float alpha, float penalty,
			      const float *h, float *delta, uint32_t rows, uint32_t stride);
	void (*dot_rows)(const float *x, uint32_t rows, uint32_t stride, const float *w, float bias,
			 float *out);
	void (*outer)(const float *d, uint32_t rows, const float *w, uint32_t stride, float *out);
	void (*loss)(const float *logits, const float *labels, const float *weights, float scale,
		     uint32_t n, float *losses, float *deltas);
	void (*add)(float *to, const float *from, size_t n);
	void (*add_scaled)(float *to, const float *from, float factor, size_t n);
	void (*adam)(const struct mls_adam *adam, const float *gradient, float *w, float *m,
		     float *v, size_t n);
};

extern const struct mls_train_kernels mls_train_kernels_base;
extern const struct mls_train_kernels mls_train_kernels_avx2;
extern const struct mls_train_kernels mls_train_kernels_avx512;

/**
 * mls_train_kernels_for() - the table for an instruction set
 * @isa: MLSCHED_ISA_BEST for the best that this processor has
 *
 * Return: NULL when this processor or this build lacks it.
 */
const struct mls_train_kernels *mls_train_kernels_for(enum mlsched_isa isa);

#endif /* MLS_NN_TRAIN_KERNELS_H */
