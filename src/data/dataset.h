/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Labelled rows in memory, and which of them are for training and which for
 * validation.  Where they come from is csv.h and synthetic.h.
 */
#ifndef MLS_DATA_DATASET_H
#define MLS_DATA_DATASET_H

#include <stdint.h>

#include <mlsched/error.h>
#include <mlsched/schema.h>

/**
 * struct mls_dataset - labelled rows
 * @n_rows:   rows
 * @n_inputs: numbers in a row
 * @inputs:   [n_rows][n_inputs]
 * @labels:   [n_rows], 1 for migrate, 0 for keep
 * @weights:  [n_rows], factors of the rows' losses, or NULL: 1 each; the owner's
 * @schema:   what the inputs mean, or NULL
 */
struct mls_dataset {
	uint32_t n_rows;
	uint32_t n_inputs;
	float *inputs;
	float *labels;
	const float *weights;
	const struct mlsched_schema *schema;
	uint32_t allocated; /* rows that there is room for */
};

/** mls_dataset_append() - one more row; returns 0, -EFBIG past 2^32 - 1 rows or -ENOMEM */
int mls_dataset_append(struct mls_dataset *data, const float *inputs, float label,
		       struct mlsched_error *err);

/** mls_dataset_clear() - free the rows */
void mls_dataset_clear(struct mls_dataset *data);

/** mls_dataset_checksum() - CRC-32C of shape, inputs, labels and, if there are any, weights */
uint32_t mls_dataset_checksum(const struct mls_dataset *data);

/** mls_dataset_range() - smallest and largest value of each input over [n] @rows (n > 0) */
void mls_dataset_range(const struct mls_dataset *data, const uint32_t *rows, uint32_t n, float *min,
		       float *max);

enum mls_split_kind {
	MLS_SPLIT_RANDOM, /* validation rows are drawn by the seed */
	MLS_SPLIT_TIME, /* validation rows are the last ones of the file */
};

/**
 * struct mls_split - row numbers for training and for validation
 *
 * Both lists lie in one block: free @train.
 */
struct mls_split {
	uint32_t *train;
	uint32_t *validation;
	uint32_t n_train;
	uint32_t n_validation;
};

/**
 * mls_split_make() - choose validation rows
 * @fraction: of the rows, 0 to less than 1; rounded down
 * @kind:     which rows
 * @seed:     for MLS_SPLIT_RANDOM
 *
 * Return: 0; -EINVAL when no row is left for training; -ENOMEM.
 */
int mls_split_make(const struct mls_dataset *data, double fraction, enum mls_split_kind kind,
		   uint64_t seed, struct mls_split *split, struct mlsched_error *err);

#endif /* MLS_DATA_DATASET_H */
