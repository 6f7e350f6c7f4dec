// SPDX-License-Identifier: GPL-2.0
/*
 * Networks and rows to compare forward passes by, see subject.h.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mlsched/schema.h>

#include "bench/subject.h"
#include "src/util/array.h"
#include "src/util/error.h"

/* SplitMix64: the same networks everywhere. */
static float random_float(uint64_t *state, float low, float high)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	z ^= z >> 31;
	return low + (high - low) * (float)(z >> 40) * 0x1p-24f;
}

/* Range of input i: what the model was calibrated with, what its schema says, or -1 to 1. */
static void input_range(const struct mlsched_model *model, uint32_t i, float *low, float *high)
{
	const struct mlsched_meta *meta = mlsched_model_meta(model);
	const struct mlsched_schema *schema = mlsched_schema_find(meta->schema);

	*low = -1;
	*high = 1;
	if (meta->n_calibration) {
		*low = meta->input_min[i];
		*high = meta->input_max[i];
	} else if (schema && i < schema->n_features) {
		*low = schema->features[i].min;
		*high = schema->features[i].max;
	}
}

static int fill_rows(struct bench_subject *s, struct mlsched_error *err)
{
	struct mlsched_quantize_opts opts = { .size = sizeof(opts), .min_agreement = 0.9 };
	size_t n = (size_t)BENCH_MAX_ROWS * mlsched_model_inputs(s->model);
	size_t n_out = (size_t)BENCH_MAX_ROWS * mlsched_model_outputs(s->model);
	struct mlsched_error why;
	uint64_t state = 7;

	s->n_in = mlsched_model_inputs(s->model);
	s->n_out = mlsched_model_outputs(s->model);
	for (uint32_t l = 0; l < mlsched_model_layers(s->model); l++) {
		struct mlsched_layer layer;

		mlsched_model_layer(s->model, l, &layer);
		s->multiply_adds += (double)layer.n_in * layer.n_out;
	}
	s->rows = malloc(n * sizeof(*s->rows));
	s->features = malloc(n * sizeof(*s->features));
	s->expected = malloc(n_out * sizeof(*s->expected));
	s->allowed = malloc(n_out * sizeof(*s->allowed));
	if (!s->rows || !s->features || !s->expected || !s->allowed)
		return mls_error(err, -ENOMEM, "no memory for rows");
	for (size_t i = 0; i < n; i++) {
		float low, high;

		input_range(s->model, i % s->n_in, &low, &high);
		s->rows[i] = random_float(&state, low, high);
		s->features[i] = mlsched_feature_to_q16(s->rows[i]);
	}
	s->activity = bench_reference(s->model, s->rows, BENCH_MAX_ROWS, s->expected, s->allowed);
	if (mlsched_quantize(s->model, s->rows, BENCH_MAX_ROWS, &opts, NULL, &why, &s->q) != 0) {
		s->q = NULL;
		memcpy(s->no_q, why.message, sizeof(s->no_q));
	}
	return 0;
}

void bench_subject_free(struct bench_subject *s)
{
	mlsched_qmodel_free(s->q);
	mlsched_model_free(s->model);
	free(s->rows);
	free(s->features);
	free(s->expected);
	free(s->allowed);
}

struct shape {
	const char *name;
	float bias; /* of the hidden units */
	uint32_t widths[6];
};

static const struct shape shapes[] = {
	{ "10-64-64-1", 0, { 10, 64, 64, 1 } },
	{ "10-64-64-1, no hidden unit at zero", 40, { 10, 64, 64, 1 } },
	{ "15-10-1", 0, { 15, 10, 1 } },
	{ "10-128-128-64-1", 0, { 10, 128, 128, 64, 1 } },
};

size_t bench_subject_shapes(void)
{
	return ARRAY_SIZE(shapes);
}

/* He-uniform weights, ReLU, a sigmoid at the end; inputs from -1 to 1, as rows are drawn. */
int bench_subject_random(struct bench_subject *s, size_t index, struct mlsched_error *err)
{
	const struct shape *shape = &shapes[index];
	struct mlsched_layer layers[MLSCHED_MAX_LAYERS];
	struct mlsched_model_desc desc = { .size = sizeof(desc), .layers = layers };
	static float weights[ARRAY_SIZE(shape->widths)][MLSCHED_MAX_WIDTH * MLSCHED_MAX_WIDTH];
	static float bias[ARRAY_SIZE(shape->widths)][MLSCHED_MAX_WIDTH];
	float low[MLSCHED_MAX_WIDTH], high[MLSCHED_MAX_WIDTH];
	struct mlsched_meta meta = {
		.threshold = 0.5f,
		.n_calibration = shape->widths[0],
		.input_min = low,
		.input_max = high,
	};
	uint64_t state = 1;
	int ret;

	for (uint32_t i = 0; i < shape->widths[0]; i++) {
		low[i] = -1;
		high[i] = 1;
	}
	desc.meta = &meta;
	snprintf(s->name, sizeof(s->name), "%s", shape->name);
	s->variant = shape->bias != 0;
	while (shape->widths[desc.n_layers + 1]) {
		uint32_t l = desc.n_layers++, n_in = shape->widths[l], n_out = shape->widths[l + 1];
		float limit = sqrtf(6.0f / (float)n_in);

		for (uint32_t i = 0; i < n_in * n_out; i++)
			weights[l][i] = random_float(&state, -limit, limit);
		for (uint32_t i = 0; i < n_out; i++)
			bias[l][i] = shape->bias * powf(100, (float)l);
		layers[l] = (struct mlsched_layer){
			.n_in = n_in,
			.n_out = n_out,
			.activation = shape->widths[l + 2] ? MLSCHED_RELU : MLSCHED_SIGMOID,
			.weights = weights[l],
			.bias = shape->widths[l + 2] ? bias[l] : NULL,
		};
	}
	/* The constant that the biases carry through would push the output out of the sigmoid. */
	for (uint32_t i = 0; shape->bias != 0 && i < layers[desc.n_layers - 1].n_in; i++)
		weights[desc.n_layers - 1][i] *= 1e-4f;
	ret = mlsched_model_create(&desc, err, &s->model);
	return ret ? ret : fill_rows(s, err);
}

int bench_subject_load(struct bench_subject *s, const char *path, struct mlsched_error *err)
{
	int ret = mlsched_model_load(path, err, &s->model);

	snprintf(s->name, sizeof(s->name), "%s", path);
	return ret ? ret : fill_rows(s, err);
}
