// SPDX-License-Identifier: GPL-2.0
/*
 * The model object: what it refuses, what it computes on numbers done by hand.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <mlsched/mlsched.h>

static const float weights_1[2 * 3] = { 1, -1, 2, 0.5f, 1, -3 };
static const float bias_1[3] = { 0, 1, 0.5f };
static const float weights_2[3] = { 1, 2, -1 };

static struct mlsched_layer layers[2];
static struct mlsched_model_desc desc;

static int setup(void **state)
{
	(void)state;
	layers[0] = (struct mlsched_layer){ 2, 3, MLSCHED_RELU, 0, weights_1, bias_1 };
	layers[1] = (struct mlsched_layer){ 3, 1, MLSCHED_SIGMOID, 0, weights_2, NULL };
	desc = (struct mlsched_model_desc){ .size = sizeof(desc), .n_layers = 2, .layers = layers };
	return 0;
}

static void predict_computes_by_hand_numbers(void **state)
{
	/* x = (2, 1): sums 2.5, 0, 1.5; after ReLU the same; output sum 2.5 - 1.5 = 1. */
	const float row[2] = { 2, 1 };
	struct mlsched_model *model;
	float out, logit;

	(void)state;
	assert_int_equal(mlsched_model_create(&desc, NULL, &model), 0);
	mlsched_model_predict(model, row, 1, &out);
	assert_true(fabsf(out - 0.731058579f) < 1e-6f);
	assert_int_equal(mlsched_model_logit(model, row, 1, &logit), 0);
	assert_true(fabsf(logit - 1) < 1e-6f);
	mlsched_model_free(model);
}

static void normalization_stands_in_front(void **state)
{
	const float mean[2] = { 1, -1 }, deviation[2] = { 2, 0.5f };
	const float raw[2] = { 5, -0.5f }, row[2] = { 2, 1 };
	struct mlsched_model *plain, *normalized;
	float a, b;

	(void)state;
	assert_int_equal(mlsched_model_create(&desc, NULL, &plain), 0);
	desc.mean = mean;
	desc.deviation = deviation;
	assert_int_equal(mlsched_model_create(&desc, NULL, &normalized), 0);
	mlsched_model_predict(plain, row, 1, &a);
	mlsched_model_predict(normalized, raw, 1, &b);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_not_equal(mlsched_model_checksum(plain), mlsched_model_checksum(normalized));
	mlsched_model_free(plain);
	mlsched_model_free(normalized);
}

static void refuse(const char *expected)
{
	struct mlsched_model *model;
	struct mlsched_error err;

	assert_int_equal(mlsched_model_create(&desc, &err, &model), -EINVAL);
	assert_int_equal(err.code, -EINVAL);
	assert_string_equal(err.message, expected);
	assert_int_equal(mlsched_model_create(&desc, NULL, &model), -EINVAL);
}

static void create_refuses_shapes_that_do_not_chain(void **state)
{
	(void)state;
	layers[1].n_in = 2;
	refuse("layer 1: expected 3 inputs, got 2");
}

static void create_refuses_what_is_beyond_the_limits(void **state)
{
	(void)state;
	layers[0].n_out = 257;
	refuse("layer 0: expected 1 to 256 inputs and units, got 2 and 257");
	setup(NULL);
	desc.n_layers = 0;
	refuse("expected 1 to 8 layers, got 0");
	desc.n_layers = 9;
	refuse("expected 1 to 8 layers, got 9");
}

static void create_refuses_arrays_that_are_missing(void **state)
{
	struct mlsched_meta meta = { .threshold = 0.5f, .n_calibration = 2 };

	(void)state;
	layers[1].weights = NULL;
	refuse("layer 1: no weights");
	setup(NULL);
	desc.meta = &meta;
	refuse("calibration without ranges");
	setup(NULL);
	desc.layers = NULL;
	refuse("a model description without layers");
}

static void create_refuses_numbers_that_are_not_finite(void **state)
{
	float bad[6];

	(void)state;
	memcpy(bad, weights_1, sizeof(bad));
	bad[4] = NAN;
	layers[0].weights = bad;
	refuse("layer 0: a weight is not finite");
}

static void threshold_becomes_a_logit(void **state)
{
	struct mlsched_meta meta = { .threshold = 0.731058579f };
	struct mlsched_model *model;

	(void)state;
	desc.meta = &meta;
	assert_int_equal(mlsched_model_create(&desc, NULL, &model), 0);
	assert_true(fabsf(mlsched_model_threshold(model) - 1) < 1e-6f);
	mlsched_model_free(model);
	meta.threshold = 1;
	refuse("expected a threshold between 0 and 1, got 1");
}

static void schemas_have_the_documented_widths(void **state)
{
	(void)state;
	assert_int_equal(mlsched_schema_find("seed10")->n_features, 10);
	assert_int_equal(mlsched_schema_find("mllb15")->n_features, 15);
	assert_string_equal(mlsched_schema_find("seed10")->features[3].name, "src_dom_load");
	assert_null(mlsched_schema_find("nothing"));
	assert_null(mlsched_schema_at(1000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(predict_computes_by_hand_numbers, setup),
		cmocka_unit_test_setup(normalization_stands_in_front, setup),
		cmocka_unit_test_setup(create_refuses_shapes_that_do_not_chain, setup),
		cmocka_unit_test_setup(create_refuses_what_is_beyond_the_limits, setup),
		cmocka_unit_test_setup(create_refuses_arrays_that_are_missing, setup),
		cmocka_unit_test_setup(create_refuses_numbers_that_are_not_finite, setup),
		cmocka_unit_test_setup(threshold_becomes_a_logit, setup),
		cmocka_unit_test(schemas_have_the_documented_widths),
	};

	return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
