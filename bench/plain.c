// SPDX-License-Identifier: GPL-2.0
/*
 * The forward pass that one writes first.
 */
#include <string.h>

#include "bench/paths.h"
#include "src/nn/model.h"

void bench_plain_predict(const struct mlsched_model *model, const float *rows, size_t n_rows,
			 float *out)
{
	uint32_t n_layers = mlsched_model_layers(model);
	uint32_t n_in = mlsched_model_inputs(model), n_out = mlsched_model_outputs(model);
	float buffer[2][MLSCHED_MAX_WIDTH], normal[MLSCHED_MAX_WIDTH];
	const float *mean, *deviation;

	mlsched_model_normalization(model, &mean, &deviation);
	for (size_t r = 0; r < n_rows; r++) {
		const float *x = rows + r * n_in;

		for (uint32_t i = 0; mean && i < n_in; i++)
			normal[i] = (x[i] - mean[i]) / deviation[i];
		x = mean ? normal : x;

		for (uint32_t l = 0; l < n_layers; l++) {
			float *y = buffer[l & 1];
			struct mlsched_layer layer;

			mlsched_model_layer(model, l, &layer);
			for (uint32_t j = 0; j < layer.n_out; j++) {
				float sum = layer.bias ? layer.bias[j] : 0;

				for (uint32_t i = 0; i < layer.n_in; i++)
					sum += x[i] * layer.weights[i * layer.n_out + j];
				y[j] = sum;
			}
			mls_activate(layer.activation, layer.alpha, y, layer.n_out);
			x = y;
		}
		memcpy(out + r * n_out, x, n_out * sizeof(*out));
	}
}
