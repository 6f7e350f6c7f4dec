// SPDX-License-Identifier: GPL-2.0
/*
 * Rows in memory and their split.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "src/data/dataset.h"
#include "src/util/crc32c.h"
#include "src/util/error.h"
#include "src/util/random.h"

/* Which sequence of a seed this file draws from; others draw from others. */
#define SPLIT_STREAM 0x73706c6974 /* "split" */

static int grow(struct mls_dataset *data, struct mlsched_error *err)
{
	uint64_t n = data->allocated ? 2 * (uint64_t)data->allocated : 1024;
	float *inputs, *labels;

	if (n > UINT32_MAX)
		n = UINT32_MAX;
	if (n == data->allocated)
		return mls_error(err, -EFBIG, "more than %u rows", data->allocated);
	inputs = realloc(data->inputs, n * data->n_inputs * sizeof(*inputs));
	if (!inputs)
		goto no_memory;
	data->inputs = inputs;
	labels = realloc(data->labels, n * sizeof(*labels));
	if (!labels)
		goto no_memory;
	data->labels = labels;
	data->allocated = (uint32_t)n;
	return 0;

no_memory:
	return mls_error(err, -ENOMEM, "no memory for %llu rows of %u inputs",
			 (unsigned long long)n, data->n_inputs);
}

int mls_dataset_append(struct mls_dataset *data, const float *inputs, float label,
		       struct mlsched_error *err)
{
	if (data->n_rows == data->allocated) {
		int ret = grow(data, err);

		if (ret)
			return ret;
	}
	memcpy(data->inputs + (size_t)data->n_rows * data->n_inputs, inputs,
	       data->n_inputs * sizeof(*inputs));
	data->labels[data->n_rows++] = label;
	return 0;
}

void mls_dataset_clear(struct mls_dataset *data)
{
	free(data->inputs);
	free(data->labels);
	*data = (struct mls_dataset){ 0 };
}

uint32_t mls_dataset_checksum(const struct mls_dataset *data)
{
	const uint32_t shape[2] = { data->n_rows, data->n_inputs };
	uint32_t crc = mls_crc32c(0, shape, sizeof(shape));

	crc = mls_crc32c(crc, data->inputs, (size_t)data->n_rows * data->n_inputs * sizeof(float));
	crc = mls_crc32c(crc, data->labels, (size_t)data->n_rows * sizeof(float));
	if (data->weights)
		crc = mls_crc32c(crc, data->weights, (size_t)data->n_rows * sizeof(float));
	return crc;
}

void mls_dataset_range(const struct mls_dataset *data, const uint32_t *rows, uint32_t n, float *min,
		       float *max)
{
	for (uint32_t r = 0; r < n; r++) {
		const float *x = data->inputs + (size_t)rows[r] * data->n_inputs;

		for (uint32_t i = 0; i < data->n_inputs; i++) {
			min[i] = r == 0 || x[i] < min[i] ? x[i] : min[i];
			max[i] = r == 0 || x[i] > max[i] ? x[i] : max[i];
		}
	}
}

int mls_split_make(const struct mls_dataset *data, double fraction, enum mls_split_kind kind,
		   uint64_t seed, struct mls_split *split, struct mlsched_error *err)
{
	struct mls_random random;
	uint32_t *index, n_validation;

	if (!(fraction >= 0 && fraction < 1))
		return mls_error(err, -EINVAL,
				 "expected a validation fraction from 0 to less than 1, got %g",
				 fraction);
	n_validation = (uint32_t)(fraction * data->n_rows);
	if (data->n_rows == 0 || n_validation >= data->n_rows)
		return mls_error(err, -EINVAL, "no row is left for training: %u rows in all",
				 data->n_rows);
	index = malloc(data->n_rows * sizeof(*index));
	if (!index)
		return mls_error(err, -ENOMEM, "no memory for %u row numbers", data->n_rows);
	for (uint32_t i = 0; i < data->n_rows; i++)
		index[i] = i;
	if (kind == MLS_SPLIT_RANDOM) {
		mls_random_seed(&random, seed, SPLIT_STREAM);
		mls_random_shuffle(&random, index, data->n_rows);
	}
	split->train = index;
	split->n_train = data->n_rows - n_validation;
	split->validation = index + split->n_train;
	split->n_validation = n_validation;
	return 0;
}
