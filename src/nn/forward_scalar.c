// SPDX-License-Identifier: GPL-2.0
/*
 * The forward pass in portable C: the reference for every other one.
 */
#include <math.h>
#include <string.h>

#include "src/nn/model.h"

static void softmax(float *x, uint32_t n)
{
	float max = x[0], sum = 0;

	for (uint32_t i = 1; i < n; i++)
		max = x[i] > max ? x[i] : max;
	for (uint32_t i = 0; i < n; i++) {
		x[i] = expf(x[i] - max);
		sum += x[i];
	}
	for (uint32_t i = 0; i < n; i++)
		x[i] /= sum;
}

void mls_activate(enum mlsched_activation activation, float alpha, float *x, uint32_t n)
{
	switch (activation) {
	case MLSCHED_RELU:
		for (uint32_t i = 0; i < n; i++)
			x[i] = x[i] > 0 ? x[i] : 0;
		break;
	case MLSCHED_RELU6:
		for (uint32_t i = 0; i < n; i++)
			x[i] = x[i] > 0 ? (x[i] < 6 ? x[i] : 6) : 0;
		break;
	case MLSCHED_LEAKY_RELU:
		for (uint32_t i = 0; i < n; i++)
			x[i] = x[i] > 0 ? x[i] : alpha * x[i];
		break;
	case MLSCHED_ELU:
		for (uint32_t i = 0; i < n; i++)
			x[i] = x[i] > 0 ? x[i] : alpha * expm1f(x[i]);
		break;
	case MLSCHED_SIGMOID:
		for (uint32_t i = 0; i < n; i++)
			x[i] = 1 / (1 + expf(-x[i]));
		break;
	case MLSCHED_TANH:
		for (uint32_t i = 0; i < n; i++)
			x[i] = tanhf(x[i]);
		break;
	case MLSCHED_SOFTMAX:
		softmax(x, n);
		break;
	case MLSCHED_LINEAR:
	case MLSCHED_ACTIVATION_COUNT:
		break;
	}
}

static void dense(const struct mls_layer *layer, const float *in, float *out)
{
	memcpy(out, layer->padded_bias, layer->n_out * sizeof(*out));
	for (uint32_t i = 0; i < layer->n_in; i++) {
		const float *row = layer->weights + (size_t)i * layer->n_out;

		for (uint32_t j = 0; j < layer->n_out; j++)
			out[j] += in[i] * row[j];
	}
}

void mls_forward_scalar(const struct mlsched_model *model, const float *rows, size_t n_rows,
			float *out, enum mls_forward_end end)
{
	uint32_t n_in = model->layers[0].n_in;
	uint32_t last = model->n_layers - 1;
	float buffer[2][MLSCHED_MAX_WIDTH];

	for (size_t r = 0; r < n_rows; r++) {
		const float *in = rows + r * n_in;

		if (model->mean) {
			for (uint32_t i = 0; i < n_in; i++)
				buffer[1][i] = (in[i] - model->mean[i]) / model->deviation[i];
			in = buffer[1];
		}
		for (uint32_t l = 0; l <= last; l++) {
			const struct mls_layer *layer = &model->layers[l];

			dense(layer, in, buffer[l & 1]);
			if (l < last || end == MLS_FORWARD_OUTPUT)
				mls_activate(layer->activation, layer->alpha, buffer[l & 1],
					     layer->n_out);
			in = buffer[l & 1];
		}
		memcpy(out, in, model->layers[last].n_out * sizeof(*out));
		out += model->layers[last].n_out;
	}
}
