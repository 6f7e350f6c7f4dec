// SPDX-License-Identifier: GPL-2.0
/* Models of other tools against the outputs that these computed themselves. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "tests/lib/golden.h"

static float number(const json_t *value)
{
	assert_true(json_is_number(value));
	return (float)json_number_value(value);
}

/* outputs[i] is a number, or an array when the model has several outputs. */
static float expected_at(const json_t *outputs, size_t row, uint32_t column)
{
	const json_t *value = json_array_get(outputs, row);

	return number(json_is_array(value) ? json_array_get(value, column) : value);
}

static void compare_row(const struct mlsched_model *model, const json_t *inputs,
			const json_t *outputs, size_t row, double tolerance)
{
	uint32_t n_in = mlsched_model_inputs(model), n_out = mlsched_model_outputs(model);
	const json_t *input = json_array_get(inputs, row);
	float in[MLSCHED_MAX_WIDTH], out[MLSCHED_MAX_WIDTH], logit, limit;
	struct mlsched_layer last;

	assert_int_equal(json_array_size(input), n_in);
	for (uint32_t i = 0; i < n_in; i++)
		in[i] = number(json_array_get(input, i));
	mlsched_model_predict(model, in, 1, out);
	for (uint32_t i = 0; i < n_out; i++) {
		float expected = expected_at(outputs, row, i);

		if (!(fabs((double)out[i] - (double)expected) <= tolerance))
			fail_msg("row %zu: expected %.9g, found %.9g", row, (double)expected,
				 (double)out[i]);
	}
	assert_int_equal(mlsched_model_logit(model, in, 1, &logit), 0);
	/* A linear output is a logit itself: that of 0.5 is 0. */
	mlsched_model_layer(model, mlsched_model_layers(model) - 1, &last);
	limit = last.activation == MLSCHED_LINEAR ? 0 : 0.5f;
	if (fabs((double)expected_at(outputs, row, n_out - 1) - (double)limit) <= tolerance)
		return;
	assert_int_equal(logit > mlsched_model_threshold(model),
			 expected_at(outputs, row, n_out - 1) > limit);
}

/* 2e-6, or what the file says because TensorFlow itself computed with fewer digits. */
static double tolerance_of(const struct mlsched_model *model, const json_t *root)
{
	const json_t *outputs = json_object_get(root, "outputs");
	const json_t *stated = json_object_get(root, "tolerance");
	double tolerance = stated ? json_number_value(stated) : 2e-6;
	struct mlsched_layer last;
	double largest = 0;

	mlsched_model_layer(model, mlsched_model_layers(model) - 1, &last);
	if (last.activation == MLSCHED_SIGMOID || last.activation == MLSCHED_SOFTMAX)
		return tolerance;
	for (size_t i = 0; i < json_array_size(outputs); i++)
		for (uint32_t o = 0; o < mlsched_model_outputs(model); o++)
			largest = fmax(largest, fabs((double)expected_at(outputs, i, o)));
	return tolerance * largest;
}

/* "10-64-64-1 relu,relu,sigmoid" as expected.json has it. */
static void compare_layers(const struct mlsched_model *model, const char *expected)
{
	char shape[128] = "", activations[128] = "", text[256];
	struct mlsched_layer layer;

	snprintf(shape, sizeof(shape), "%u", mlsched_model_inputs(model));
	for (uint32_t i = 0; mlsched_model_layer(model, i, &layer) == 0; i++) {
		snprintf(shape + strlen(shape), sizeof(shape) - strlen(shape), "-%u", layer.n_out);
		snprintf(activations + strlen(activations),
			 sizeof(activations) - strlen(activations), "%s%s", i ? "," : "",
			 mlsched_activation_name(layer.activation));
	}
	snprintf(text, sizeof(text), "%s %s", shape, activations);
	assert_non_null(strstr(expected, text));
}

struct mlsched_model *golden_load(const char *path, const char *expected)
{
	json_t *root = json_load_file(expected, 0, NULL), *inputs, *outputs;
	struct mlsched_model *model;
	struct mlsched_error err;

	assert_non_null(root);
	inputs = json_object_get(root, "inputs");
	outputs = json_object_get(root, "outputs");
	if (mlsched_model_load(path, &err, &model) != 0)
		fail_msg("%s", err.message);
	if (json_object_get(root, "layers"))
		compare_layers(model, json_string_value(json_object_get(root, "layers")));
	assert_true(json_array_size(inputs) == 64 && json_array_size(outputs) == 64);
	for (size_t row = 0; row < 64; row++)
		compare_row(model, inputs, outputs, row, tolerance_of(model, root));
	json_decref(root);
	return model;
}

void golden_refuse(const char *path, int code, const char *message)
{
	static int nobody;
	struct mlsched_model *untouched = (struct mlsched_model *)&nobody, *model = untouched;
	struct mlsched_error err;

	assert_int_equal(mlsched_model_load(path, &err, &model), code);
	assert_string_equal(err.message, message);
	assert_int_equal(err.code, code);
	assert_ptr_equal(model, untouched);
	assert_int_equal(mlsched_model_load(path, NULL, &model), code);
}

void golden_gives(const struct mlsched_model *model, const float *row, float first, float second)
{
	float out[2];

	assert_int_equal(mlsched_model_outputs(model), 2);
	mlsched_model_predict(model, row, 1, out);
	if (!(fabsf(out[0] - first) <= 1e-5f * fmaxf(1, fabsf(first))) ||
	    !(fabsf(out[1] - second) <= 1e-5f * fmaxf(1, fabsf(second))))
		fail_msg("expected %g and %g, found %g and %g", (double)first, (double)second,
			 (double)out[0], (double)out[1]);
}
