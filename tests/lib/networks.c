// SPDX-License-Identifier: GPL-2.0
/*
 * Random networks and their reference, see networks.h.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/networks.h"

/* Half a unit in the last place of 1.0f. */
#define EPSILON 0x1p-24

uint64_t test_random_u64(struct test_random *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

uint32_t test_random_range(struct test_random *random, uint32_t low, uint32_t high)
{
	return low + (uint32_t)(test_random_u64(random) % (high - low + 1));
}

float test_random_float(struct test_random *random, float low, float high)
{
	return low + (high - low) * (float)(test_random_u64(random) >> 40) * 0x1p-24f;
}

uint64_t test_seed(uint64_t fixed)
{
	const char *text = getenv("SEED");
	uint64_t seed = text ? strtoull(text, NULL, 0) : fixed;

	printf("# SEED=%" PRIu64 "\n", seed);
	return seed;
}

static float *random_array(struct test_random *random, size_t n, float limit)
{
	float *x = malloc(n * sizeof(*x));

	if (!x)
		abort();
	for (size_t i = 0; i < n; i++)
		x[i] = test_random_float(random, -limit, limit);
	return x;
}

static void add_layer(struct test_network *net, struct test_random *random, uint32_t n_in,
		      uint32_t n_out, enum mlsched_activation activation)
{
	uint32_t l = net->desc.n_layers++;

	net->weights[l] = random_array(random, (size_t)n_in * n_out, sqrtf(6.0f / (float)n_in));
	net->bias[l] = random_array(random, n_out, 0.5f);
	net->layers[l] = (struct mlsched_layer){
		.n_in = n_in,
		.n_out = n_out,
		.activation = activation,
		.alpha = test_random_float(random, 0, 1),
		.weights = net->weights[l],
		.bias = net->bias[l],
	};
}

static void begin(struct test_network *net)
{
	memset(net, 0, sizeof(*net));
	net->desc.size = sizeof(net->desc);
	net->desc.layers = net->layers;
}

void test_network_shape(struct test_network *net, struct test_random *random, uint32_t n_layers,
			const uint32_t *widths, enum mlsched_activation hidden,
			enum mlsched_activation output)
{
	begin(net);
	for (uint32_t l = 0; l < n_layers; l++)
		add_layer(net, random, widths[l], widths[l + 1],
			  l + 1 < n_layers ? hidden : output);
}

/* Mostly narrow, sometimes anything, often next to a multiple of a register. */
static uint32_t random_width(struct test_random *random)
{
	int width;

	switch (test_random_range(random, 0, 3)) {
	case 0:
		return test_random_range(random, 1, 6);
	case 1:
		width = 8 * (int)test_random_range(random, 1, 16) +
			(int)test_random_range(random, 0, 2) - 1;
		return (uint32_t)width;
	case 2:
		return test_random_range(random, 1, 64);
	default:
		return test_random_range(random, 1, MLSCHED_MAX_WIDTH);
	}
}

void test_network_random(struct test_network *net, struct test_random *random)
{
	uint32_t n_layers = test_random_range(random, 1, MLSCHED_MAX_LAYERS);
	uint32_t n_in = random_width(random), first = n_in;

	begin(net);
	for (uint32_t l = 0; l < n_layers; l++) {
		uint32_t n_out = random_width(random);

		add_layer(net, random, n_in, n_out,
			  test_random_range(random, 0, MLSCHED_ACTIVATION_COUNT - 1));
		if (test_random_range(random, 0, 4) == 0)
			net->layers[l].bias = NULL;
		n_in = n_out;
	}
	if (test_random_range(random, 0, 1))
		return;
	for (uint32_t i = 0; i < first; i++) {
		net->mean[i] = test_random_float(random, -3, 3);
		net->deviation[i] = test_random_float(random, 0.25f, 4);
	}
	net->desc.mean = net->mean;
	net->desc.deviation = net->deviation;
}

void test_network_free(struct test_network *net)
{
	for (uint32_t l = 0; l < net->desc.n_layers; l++) {
		free(net->weights[l]);
		free(net->bias[l]);
	}
}

static void activate(const struct mlsched_layer *layer, double *x, double *error)
{
	double alpha = layer->alpha, max = x[0], sum = 0, worst = 0;
	uint32_t n = layer->n_out;

	for (uint32_t i = 0; i < n; i++) {
		max = fmax(max, x[i]);
		worst = fmax(worst, error[i]);
	}
	for (uint32_t i = 0; layer->activation == MLSCHED_SOFTMAX && i < n; i++)
		sum += exp(x[i] - max);
	for (uint32_t i = 0; i < n; i++) {
		switch (layer->activation) {
		case MLSCHED_RELU:
			x[i] = fmax(x[i], 0);
			break;
		case MLSCHED_RELU6:
			x[i] = fmin(fmax(x[i], 0), 6);
			break;
		case MLSCHED_LEAKY_RELU:
			x[i] = x[i] > 0 ? x[i] : alpha * x[i];
			break;
		case MLSCHED_ELU:
			x[i] = x[i] > 0 ? x[i] : alpha * expm1(x[i]);
			break;
		case MLSCHED_SIGMOID:
			x[i] = 1 / (1 + exp(-x[i]));
			break;
		case MLSCHED_TANH:
			x[i] = tanh(x[i]);
			break;
		case MLSCHED_SOFTMAX:
			/* Its slopes are y_i (1 - y_i) and -y_i y_j. */
			x[i] = exp(x[i] - max) / sum;
			error[i] = x[i] * (worst + EPSILON * sqrt(n));
			break;
		default:
			break;
		}
		/* None is steeper than 1 (alpha is below it); each adds a few roundings. */
		error[i] += 4 * EPSILON * fabs(x[i]);
	}
}

void test_network_reference(const struct test_network *net, const float *row, double *out,
			    double *error, bool sums)
{
	uint32_t n_in = net->layers[0].n_in, last = net->desc.n_layers - 1;
	double x[MLSCHED_MAX_WIDTH], e[MLSCHED_MAX_WIDTH];
	double y[MLSCHED_MAX_WIDTH], y_error[MLSCHED_MAX_WIDTH];

	for (uint32_t i = 0; i < n_in; i++) {
		x[i] = row[i];
		e[i] = 0;
		if (!net->desc.mean)
			continue;
		x[i] = (x[i] - net->mean[i]) / net->deviation[i];
		e[i] = 2 * EPSILON * (fabs(x[i]) + fabs(net->mean[i] / net->deviation[i]));
	}
	for (uint32_t l = 0; l <= last; l++) {
		const struct mlsched_layer *layer = &net->layers[l];

		for (uint32_t j = 0; j < layer->n_out; j++) {
			double sum = layer->bias ? layer->bias[j] : 0, size = fabs(sum),
			       carried = 0;

			for (uint32_t i = 0; i < layer->n_in; i++) {
				double w = layer->weights[(size_t)i * layer->n_out + j];

				sum += w * x[i];
				size += fabs(w * x[i]);
				carried += w * w * e[i] * e[i];
			}
			y[j] = sum;
			y_error[j] = sqrt(carried) + EPSILON * size;
		}
		if (l < last || !sums)
			activate(layer, y, y_error);
		memcpy(x, y, layer->n_out * sizeof(*x));
		memcpy(e, y_error, layer->n_out * sizeof(*e));
	}
	memcpy(out, y, net->layers[last].n_out * sizeof(*out));
	memcpy(error, y_error, net->layers[last].n_out * sizeof(*error));
}
