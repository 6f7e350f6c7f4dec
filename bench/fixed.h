/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The packed fixed-point network for benchmarks: in user space, and inside the
 * running kernel.
 */
#ifndef MLS_BENCH_FIXED_H
#define MLS_BENCH_FIXED_H

#include <stddef.h>
#include <stdint.h>

#include <mlsched/quantize.h>

struct bench_packed;

/**
 * bench_packed_open() - fill a slot
 * @q: copied into the slot
 *
 * Return: 0; -ENOTSUP when it does not fit; -ENOMEM.
 */
int bench_packed_open(const struct mlsched_qmodel *q, struct mlsched_error *err,
		      struct bench_packed **packed);

/** bench_packed_predict() - as mlsched_qmodel_logit() */
void bench_packed_predict(const struct bench_packed *packed, const int32_t *features, size_t n_rows,
			  int64_t *logits);

void bench_packed_close(struct bench_packed *packed);

struct bench_kernel;

/**
 * bench_kernel_open() - load a BPF program that computes the network
 *
 * Return: 0; -EPERM without root; -ENOTSUP when the network does not fit; what
 * the kernel returns.
 */
int bench_kernel_open(const struct mlsched_qmodel *q, struct mlsched_error *err,
		      struct bench_kernel **kernel);

/** bench_kernel_predict() - as mlsched_qmodel_logit(), in the kernel; returns 0 or -errno */
int bench_kernel_predict(struct bench_kernel *kernel, const int32_t *features, size_t n_rows,
			 int64_t *logits);

/**
 * bench_kernel_repeat() - compute the rows of the last call @n_rows times in
 *                         all, in one call to the kernel
 */
void bench_kernel_repeat(struct bench_kernel *kernel, size_t n_rows);

/**
 * bench_kernel_bytes() - what the slot and the machine code of the program take in the kernel
 *
 * Return: that, the slot being as large for every network; -1 when the kernel does not say.
 */
long bench_kernel_bytes(const struct bench_kernel *kernel);

void bench_kernel_close(struct bench_kernel *kernel);

#endif /* MLS_BENCH_FIXED_H */
