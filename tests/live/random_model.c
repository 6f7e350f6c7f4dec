// SPDX-License-Identifier: GPL-2.0
/*
 * A 10-64-64-1 network with random weights, as a SavedModel: verdicts that make no
 * sense, and with large weights sums that are as large as float allows.
 *
 *	random_model SEED SCALE DIRECTORY
 *
 * Weights and biases lie evenly between -SCALE and SCALE.
 */
#include <stdio.h>
#include <stdlib.h>

#include <mlsched/mlsched.h>

#include "src/util/random.h"

#define LAYERS 3
#define WIDEST 64

static const uint32_t widths[LAYERS + 1] = { 10, WIDEST, WIDEST, 1 };
static float weights[LAYERS][WIDEST * WIDEST], biases[LAYERS][WIDEST];

static void fill(struct mls_random *random, float *values, uint32_t n, float scale)
{
	for (uint32_t i = 0; i < n; i++)
		values[i] = (mls_random_unit(random) * 2 - 1) * scale;
}

int main(int argc, char **argv)
{
	struct mlsched_layer layers[LAYERS];
	struct mlsched_meta meta = { .threshold = 0.5f };
	struct mlsched_model_desc desc = {
		.size = sizeof(desc),
		.n_layers = LAYERS,
		.layers = layers,
		.meta = &meta,
	};
	struct mlsched_model *model;
	struct mlsched_error err;
	struct mls_random random;
	float scale;

	if (argc != 4)
		return 2;
	mls_random_seed(&random, strtoull(argv[1], NULL, 10), 0);
	scale = strtof(argv[2], NULL);
	for (uint32_t l = 0; l < LAYERS; l++) {
		fill(&random, weights[l], widths[l] * widths[l + 1], scale);
		fill(&random, biases[l], widths[l + 1], scale);
		layers[l] = (struct mlsched_layer){
			.n_in = widths[l],
			.n_out = widths[l + 1],
			.activation = l + 1 < LAYERS ? MLSCHED_RELU : MLSCHED_SIGMOID,
			.weights = weights[l],
			.bias = biases[l],
		};
	}
	if (mlsched_model_create(&desc, &err, &model) != 0 ||
	    mlsched_model_save(model, argv[3], MLSCHED_SAVEDMODEL_VARIABLES, &err) != 0) {
		fprintf(stderr, "random_model: %s\n", err.message);
		return 1;
	}
	mlsched_model_free(model);
	return 0;
}
