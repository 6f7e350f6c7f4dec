// SPDX-License-Identifier: GPL-2.0
/*
 * The right answer and its tolerance, see bench_reference().
 */
#include <math.h>

#include "bench/subject.h"

/* Half the distance from 1 to the next float. */
#define UNIT 0x1p-24

/*
 * What exp(), tanh() and their like may be off by, of a result of at most 1:
 * runtimes compute them by polynomials that are good to about 1e-7, in float32
 * and with some operations behind.
 */
#define APPROXIMATED (16 * UNIT)

/* Standard deviations that an answer may be off by. */
#define DEVIATIONS 6

/* A value, and the variance of what float32 makes of it. */
struct uncertain {
	double value;
	double variance;
};

static double square(double x)
{
	return x * x;
}

static struct uncertain sum_of(const struct mlsched_layer *layer, uint32_t unit,
			       const struct uncertain *x)
{
	double bias = layer->bias ? (double)layer->bias[unit] : 0;
	double value = bias, magnitude = fabs(bias), carried = 0;

	for (uint32_t i = 0; i < layer->n_in; i++) {
		double weight = (double)layer->weights[(size_t)i * layer->n_out + unit];

		value += weight * x[i].value;
		magnitude += fabs(weight * x[i].value);
		carried += square(weight) * x[i].variance;
	}
	return (struct uncertain){ value,
				   carried + (layer->n_in + 1) / 3.0 * square(UNIT * magnitude) };
}

/* @slope: the steepest there is; @approximated: what the function itself may be off by. */
static struct uncertain through(double y, const struct uncertain *z, double slope,
				double approximated)
{
	return (struct uncertain){ y, square(slope) * z->variance +
					      square(approximated / DEVIATIONS) };
}

static struct uncertain activate(const struct mlsched_layer *layer, struct uncertain z)
{
	double alpha = (double)layer->alpha, steepest = fmax(1, fabs(alpha));

	switch (layer->activation) {
	case MLSCHED_RELU:
		return through(fmax(z.value, 0), &z, 1, 0);
	case MLSCHED_RELU6:
		return through(fmin(fmax(z.value, 0), 6), &z, 1, 0);
	case MLSCHED_LEAKY_RELU:
		return through(z.value > 0 ? z.value : alpha * z.value, &z, steepest,
			       UNIT * steepest * fabs(z.value));
	case MLSCHED_ELU:
		return through(z.value > 0 ? z.value : alpha * expm1(z.value), &z, steepest,
			       APPROXIMATED * steepest);
	case MLSCHED_SIGMOID:
		return through(1 / (1 + exp(-z.value)), &z, 0.25, APPROXIMATED);
	case MLSCHED_TANH:
		return through(tanh(z.value), &z, 1, APPROXIMATED);
	default:
		return z;
	}
}

/* d softmax / dz is at most 1/4 for a unit's own z, and as much for all others together. */
static void softmax(struct uncertain *y, uint32_t n)
{
	double most = -INFINITY, sum = 0;
	struct uncertain widest = { 0 };

	for (uint32_t i = 0; i < n; i++) {
		most = fmax(most, y[i].value);
		widest.variance = fmax(widest.variance, y[i].variance);
	}
	for (uint32_t i = 0; i < n; i++)
		sum += exp(y[i].value - most);
	for (uint32_t i = 0; i < n; i++)
		y[i] = through(exp(y[i].value - most) / sum, &widest, 0.5, APPROXIMATED);
}

/* Two operations, each of which rounds its result. */
static struct uncertain normalised(float x, float mean, float deviation)
{
	double difference = (double)x - (double)mean, y = difference / (double)deviation;

	return (struct uncertain){ y, 2 / 3.0 * square(UNIT * y) };
}

double bench_reference(const struct mlsched_model *model, const float *rows, size_t n_rows,
		       double *expected, double *allowed)
{
	uint32_t n_layers = mlsched_model_layers(model), n_in = mlsched_model_inputs(model);
	uint32_t n_out = mlsched_model_outputs(model);
	const float *mean, *deviation;
	size_t units = 0, active = 0;

	mlsched_model_normalization(model, &mean, &deviation);
	for (size_t r = 0; r < n_rows; r++) {
		struct uncertain buffers[2][MLSCHED_MAX_WIDTH], *x = buffers[1];

		for (uint32_t i = 0; i < n_in; i++)
			x[i] = mean ? normalised(rows[r * n_in + i], mean[i], deviation[i]) :
				      (struct uncertain){ (double)rows[r * n_in + i], 0 };
		for (uint32_t l = 0; l < n_layers; l++) {
			struct uncertain *y = buffers[l & 1];
			struct mlsched_layer layer;

			mlsched_model_layer(model, l, &layer);
			for (uint32_t j = 0; j < layer.n_out; j++)
				y[j] = activate(&layer, sum_of(&layer, j, x));
			if (layer.activation == MLSCHED_SOFTMAX)
				softmax(y, layer.n_out);
			for (uint32_t j = 0; l + 1 < n_layers && j < layer.n_out; j++)
				active += y[j].value != 0;
			units += l + 1 < n_layers ? layer.n_out : 0;
			x = y;
		}
		for (uint32_t j = 0; j < n_out; j++) {
			expected[r * n_out + j] = x[j].value;
			allowed[r * n_out + j] = DEVIATIONS * sqrt(x[j].variance);
		}
	}
	return units ? (double)active / (double)units : 1;
}
