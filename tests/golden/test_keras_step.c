// SPDX-License-Identifier: GPL-2.0
/*
 * The trainer's steps of Adam against Keras's: keras_step.json, which
 * make_keras_step.py makes.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "src/nn/train/train.h"

#define GOLDEN    "tests/golden/keras_step.json"
#define TOLERANCE 1e-6
#define MAX       64

static json_t *golden;

static int setup(void **state)
{
	json_error_t err;

	(void)state;
	golden = json_load_file(GOLDEN, 0, &err);
	if (!golden)
		print_error(GOLDEN ":%d: %s\n", err.line, err.text);
	return golden ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	json_decref(golden);
	return 0;
}

static double number(json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	assert_true(json_is_number(value));
	return json_number_value(value);
}

static void numbers(json_t *array, float *to, size_t n)
{
	assert_int_equal(json_array_size(array), n);
	for (size_t i = 0; i < n; i++)
		to[i] = (float)json_number_value(json_array_get(array, i));
}

/* [n_in][n_out] weights and [n_out] bias of one layer. */
static void layer_of(json_t *layer, uint32_t n_in, uint32_t n_out, float *weights, float *bias)
{
	json_t *rows = json_object_get(layer, "weights");

	assert_int_equal(json_array_size(rows), n_in);
	for (uint32_t i = 0; i < n_in; i++)
		numbers(json_array_get(rows, i), weights + (size_t)i * n_out, n_out);
	numbers(json_object_get(layer, "bias"), bias, n_out);
}

static uint32_t width_of(const struct mls_train_options *o, uint32_t n_inputs, uint32_t layer)
{
	return layer == 0 ? n_inputs : layer > o->n_hidden ? 1 : o->width[layer - 1];
}

static double largest_difference(struct mls_trainer *t, const struct mls_train_options *o,
				 uint32_t n_inputs, json_t *expected)
{
	float a[MAX], b[MAX], bias_a[MAX], bias_b[MAX];
	double largest = 0;

	for (uint32_t l = 0; l <= o->n_hidden; l++) {
		uint32_t n_in = width_of(o, n_inputs, l), n_out = width_of(o, n_inputs, l + 1);

		layer_of(json_array_get(expected, l), n_in, n_out, a, bias_a);
		mls_trainer_get_layer(t, l, b, bias_b);
		for (uint32_t i = 0; i < n_in * n_out; i++)
			largest = fmax(largest, fabs((double)a[i] - (double)b[i]));
		for (uint32_t j = 0; j < n_out; j++)
			largest = fmax(largest, fabs((double)bias_a[j] - (double)bias_b[j]));
	}
	return largest;
}

static void options_of(json_t *item, struct mls_train_options *o)
{
	const char *name = json_string_value(json_object_get(item, "activation"));
	json_t *class_weight = json_object_get(item, "class_weight");

	mls_train_options_init(o);
	o->width[0] = 7;
	o->width[1] = 4;
	o->normalize = false;
	o->decay.kind = MLS_DECAY_CONSTANT;
	o->rate = number(item, "rate");
	o->l2 = number(item, "l2");
	o->activation_penalty = number(item, "activation_penalty");
	for (size_t i = 0; i < 2; i++) {
		o->class_weight[i] = json_number_value(json_array_get(class_weight, i));
		o->alpha[i] = (float)number(item, "alpha");
		for (int a = 0; a < MLSCHED_ACTIVATION_COUNT; a++) {
			if (strcmp(name, mlsched_activation_name(a)) == 0)
				o->activation[i] = a;
		}
		assert_string_equal(mlsched_activation_name(o->activation[i]), name);
	}
}

static void rows_of(json_t *item, struct mls_dataset *data)
{
	json_t *inputs = json_object_get(item, "inputs"), *labels = json_object_get(item, "labels");
	float row[MAX];

	*data = (struct mls_dataset){ .n_inputs = (uint32_t)json_array_size(
					      json_array_get(inputs, 0)) };
	for (size_t r = 0; r < json_array_size(inputs); r++) {
		float label = (float)json_number_value(json_array_get(labels, r));

		numbers(json_array_get(inputs, r), row, data->n_inputs);
		assert_int_equal(mls_dataset_append(data, row, label, NULL), 0);
	}
}

static void check_case(json_t *item, uint32_t n)
{
	float weights[MAX], bias[MAX];
	struct mls_train_options o;
	struct mls_dataset data;
	struct mls_trainer *t;
	struct mls_split split;
	double difference;

	options_of(item, &o);
	rows_of(item, &data);
	assert_int_equal(data.n_rows, 3 * n);
	assert_int_equal(mls_split_make(&data, 0, MLS_SPLIT_TIME, 0, &split, NULL), 0);
	assert_int_equal(mls_trainer_create(&o, &data, &split, 1, MLSCHED_ISA_BEST, NULL, &t), 0);
	for (uint32_t l = 0; l <= o.n_hidden; l++) {
		layer_of(json_array_get(json_object_get(item, "begin"), l),
			 width_of(&o, data.n_inputs, l), width_of(&o, data.n_inputs, l + 1),
			 weights, bias);
		mls_trainer_set_layer(t, l, weights, bias);
	}
	for (uint32_t step = 1; step <= 3; step++) {
		char key[16];

		mls_trainer_step(t, split.train + (step - 1) * n, n);
		if (step == 2)
			continue;
		snprintf(key, sizeof(key), "after_%u", step);
		difference = largest_difference(t, &o, data.n_inputs, json_object_get(item, key));
		print_message("# %s, step %u: largest difference %.2g\n",
			      mlsched_activation_name(o.activation[0]), step, difference);
		assert_true(difference < TOLERANCE);
	}
	mls_trainer_free(t);
	free(split.train);
	mls_dataset_clear(&data);
}

static void steps_are_those_of_keras(void **state)
{
	json_t *cases = json_object_get(golden, "cases");
	uint32_t n = (uint32_t)number(golden, "rows_per_step");

	(void)state;
	assert_true(json_array_size(cases) >= 6);
	for (size_t i = 0; i < json_array_size(cases); i++)
		check_case(json_array_get(cases, i), n);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(steps_are_those_of_keras) };

	return cmocka_run_group_tests_name("keras step", tests, setup, teardown);
}
