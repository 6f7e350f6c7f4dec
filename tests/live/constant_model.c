// SPDX-License-Identifier: GPL-2.0
/*
 * Writes a SavedModel that always says the same, of seed10 by its width unless told otherwise.
 *
 *	constant_model LOGIT DIRECTORY [INPUTS [SCHEMA [INPUT WEIGHT]]]
 *
 * With INPUT it says LOGIT + WEIGHT * that input.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mlsched/mlsched.h>

int main(int argc, char **argv)
{
	static float weights[MLSCHED_MAX_WIDTH];
	struct mlsched_layer layer = { 10, 1, MLSCHED_SIGMOID, 0, weights, NULL };
	struct mlsched_meta meta = { .threshold = 0.5f };
	struct mlsched_model_desc desc = {
		.size = sizeof(desc),
		.n_layers = 1,
		.layers = &layer,
		.meta = &meta,
	};
	struct mlsched_model *model;
	struct mlsched_error err;
	float logit;

	if (argc < 3)
		return 2;
	logit = strtof(argv[1], NULL);
	layer.bias = &logit;
	if (argc > 3)
		layer.n_in = (uint32_t)atoi(argv[3]);
	if (argc > 4)
		strncpy(meta.schema, argv[4], sizeof(meta.schema) - 1);
	if (argc > 6)
		weights[(uint32_t)atoi(argv[5]) % MLSCHED_MAX_WIDTH] = strtof(argv[6], NULL);
	if (mlsched_model_create(&desc, &err, &model) != 0 ||
	    mlsched_model_save(model, argv[2], MLSCHED_SAVEDMODEL_VARIABLES, &err) != 0) {
		fprintf(stderr, "constant_model: %s\n", err.message);
		return 1;
	}
	mlsched_model_free(model);
	return 0;
}
