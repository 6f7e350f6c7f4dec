/* SPDX-License-Identifier: GPL-2.0 */
/* Labelled rows made from documented load patterns: what the default model is trained on. */
#ifndef MLS_DATA_SYNTHETIC_H
#define MLS_DATA_SYNTHETIC_H

#include <stdbool.h>
#include <stdint.h>

#include "src/data/dataset.h"

/* Share of the labels that are turned round. */
#define MLS_SYNTHETIC_NOISE 0.1f

/**
 * mls_synthetic_seed10() - rows of schema seed10
 * @n_rows: how many, 1 or more
 * @seed:   the same seed gives the same rows; fewer rows are the first of more
 * @data:   empty; receives the rows, to be freed with mls_dataset_clear()
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int mls_synthetic_seed10(uint32_t n_rows, uint64_t seed, struct mls_dataset *data,
			 struct mlsched_error *err);

/** mls_synthetic_rule() - the label of a row of seed10 without noise */
bool mls_synthetic_rule(const float *row);

#endif /* MLS_DATA_SYNTHETIC_H */
