// SPDX-License-Identifier: GPL-2.0
/*
 * The quantiser on numbers done by hand, what it folds and what it refuses.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <mlsched/mlsched.h>

#include "src/nn/qnet.h"

static const float ones[2] = { 1, 1 }, minus_ones[2] = { -1, -1 };
static const float w2x3[6] = { 1, -1, 2, 0.5f, 1, -3 };
static const float b3[3] = { 0, 1, 0.5f };
static const float w3[3] = { 1, 2, -1 };

static struct mlsched_layer layers[3];
static struct mlsched_meta meta;
static struct mlsched_model_desc desc;
static struct mlsched_quantize_report report;
static struct mlsched_error err;

static int setup(void **state)
{
	(void)state;
	layers[0] = (struct mlsched_layer){ 2, 3, MLSCHED_RELU, 0, w2x3, b3 };
	layers[1] = (struct mlsched_layer){ 3, 1, MLSCHED_SIGMOID, 0, w3, NULL };
	meta = (struct mlsched_meta){
		.threshold = 0.5f, .n_calibration = 2, .input_min = minus_ones, .input_max = ones
	};
	desc = (struct mlsched_model_desc){
		.size = sizeof(desc), .n_layers = 2, .layers = layers, .meta = &meta
	};
	return 0;
}

static int quantize(const float *rows, size_t n_rows, double min_agreement,
		    struct mlsched_qmodel **q)
{
	struct mlsched_quantize_opts opts = { sizeof(opts), min_agreement };
	struct mlsched_model *model;
	int ret;

	assert_int_equal(mlsched_model_create(&desc, NULL, &model), 0);
	ret = mlsched_quantize(model, rows, n_rows, &opts, &report, &err, q);
	mlsched_model_free(model);
	return ret;
}

static void one_layer_has_the_integers_done_by_hand(void **state)
{
	static const float w[2] = { 1, -2 }, b[1] = { 0.5f };
	const float row[2] = { 1, 0.5f };
	struct mlsched_qmodel *q;
	int64_t logit;

	(void)state;
	desc.n_layers = 1;
	layers[0] = (struct mlsched_layer){ 2, 1, MLSCHED_LINEAR, 0, w, b };
	assert_int_equal(quantize(NULL, 0, 0.995, &q), 0);
	/*
	 * 511 steps per unit; v = (2^20 - 1) / 2 and -(2^20 - 1), so one unit of logit is
	 * 511 * (2^20 - 1) / 2 = 267910912.5; x = 511 and 255.5, which rounds up.
	 */
	assert_true(fabs(mlsched_qmodel_scale(q) - 267910912.5) < 1e-3);
	mlsched_qmodel_logit_float(q, row, 1, &logit);
	assert_int_equal(logit, 511 * 524288 - 256 * 1048575 + 133955456);
	assert_int_equal(mlsched_qmodel_threshold(q), 0);
	mlsched_qmodel_free(q);
}

static void hidden_layer_approximates_the_floats(void **state)
{
	const float rows[4] = { 1, 1, -1, 0.25f };
	struct mlsched_qmodel *q;
	int64_t logits[2];

	(void)state;
	assert_int_equal(quantize(NULL, 0, 0.995, &q), 0);
	mlsched_qmodel_logit_float(q, rows, 2, logits);
	/* Sums 1.5, 1, -0.5: 1.5 + 2.  Sums -0.875, 2.25, -2.25: 4.5. */
	assert_true(fabs((double)logits[0] / mlsched_qmodel_scale(q) - 3.5) < 0.02);
	assert_true(fabs((double)logits[1] / mlsched_qmodel_scale(q) - 4.5) < 0.02);
	assert_int_equal(report.range, MLSCHED_RANGE_META);
	assert_true(report.rows_made);
	assert_int_equal(report.n_hidden, 1);
	assert_int_equal(report.units[0], 3);
	mlsched_qmodel_free(q);
}

static void normalization_is_folded(void **state)
{
	const float mean[2] = { 0.5f, -0.25f }, deviation[2] = { 0.5f, 2 };
	const float row[2] = { 0.75f, -0.5f };
	struct mlsched_model *model;
	struct mlsched_qmodel *q;
	int64_t logit;
	float expected;

	(void)state;
	desc.mean = mean;
	desc.deviation = deviation;
	assert_int_equal(quantize(NULL, 0, 0.99, &q), 0);
	assert_int_equal(mlsched_model_create(&desc, NULL, &model), 0);
	assert_int_equal(mlsched_model_logit(model, row, 1, &expected), 0);
	mlsched_qmodel_logit_float(q, row, 1, &logit);
	assert_true(fabs((double)logit / mlsched_qmodel_scale(q) - (double)expected) < 0.03);
	mlsched_model_free(model);
	mlsched_qmodel_free(q);
}

/* @activation between the two layers: the integers must follow the floats. */
static void follows_floats(enum mlsched_activation activation, uint32_t n_hidden, uint32_t units)
{
	struct mlsched_qmodel *q;

	layers[0].activation = activation;
	layers[0].alpha = 0.25f;
	assert_int_equal(quantize(NULL, 0, 0.99, &q), 0);
	assert_int_equal(report.n_hidden, n_hidden);
	assert_int_equal(report.units[0], units);
	assert_true(report.max_error < 0.05);
	mlsched_qmodel_free(q);
}

static void linear_layers_are_folded_into_the_next(void **state)
{
	(void)state;
	follows_floats(MLSCHED_LINEAR, 0, 0);
}

static void leaky_relu_becomes_two_units(void **state)
{
	(void)state;
	follows_floats(MLSCHED_LEAKY_RELU, 1, 6);
}

static void relu6_becomes_two_units(void **state)
{
	static const float big[6] = { 6, -6, 2, 5, 6, -9 };

	(void)state;
	layers[0].weights = big;
	follows_floats(MLSCHED_RELU6, 1, 6);
}

static void softmax_of_two_becomes_their_difference(void **state)
{
	static const float w3x2[6] = { 1, 2, -1, 1, 0.5f, -0.5f }, b[2] = { 0.5f, -0.25f };
	struct mlsched_qmodel *q;

	(void)state;
	layers[1] = (struct mlsched_layer){ 3, 2, MLSCHED_SOFTMAX, 0, w3x2, b };
	assert_int_equal(quantize(NULL, 0, 0.99, &q), 0);
	assert_true(report.max_error < 0.05);
	mlsched_qmodel_free(q);
}

static void refuse(int code, const char *expected)
{
	struct mlsched_qmodel *q;

	assert_int_equal(quantize(NULL, 0, 0.995, &q), code);
	assert_int_equal(err.code, code);
	assert_string_equal(err.message, expected);
}

static void quantize_refuses_what_has_no_integer_form(void **state)
{
	(void)state;
	layers[0].activation = MLSCHED_TANH;
	refuse(-ENOTSUP, "layer 0: expected relu, leaky_relu, relu6 or linear between layers in "
			 "fixed point, got tanh; the native engine takes this model");
	setup(NULL);
	layers[1].activation = MLSCHED_RELU;
	refuse(-ENOTSUP, "output layer: expected one linear or sigmoid unit or two with softmax in "
			 "fixed point, got 1 of relu; the native engine takes this model");
}

static void quantize_refuses_unknown_ranges(void **state)
{
	(void)state;
	meta.n_calibration = 0;
	refuse(-EINVAL, "no range of the inputs is known: expected calibration rows, or input_min "
			"and input_max or a known schema in the model, got schema \"\"");
	strcpy(meta.schema, "seed10");
	refuse(-EINVAL, "schema seed10: expected 10 inputs, got 2");
}

static void quantize_refuses_rows_that_are_not_finite(void **state)
{
	const float rows[4] = { 0, 1, 1, INFINITY };
	struct mlsched_qmodel *q;

	(void)state;
	assert_int_equal(quantize(rows, 2, 0.995, &q), -EINVAL);
	assert_string_equal(err.message,
			    "calibration row 1, input 1: expected a finite number, got inf");
}

static void quantize_refuses_too_little_agreement(void **state)
{
	/* The logit is x0 of a range so wide that the threshold lies inside one step. */
	static const float w[2] = { 1, 0 }, b[1] = { 0 };
	float rows[2 * 100];
	struct mlsched_qmodel *q;

	(void)state;
	desc.n_layers = 1;
	layers[0] = (struct mlsched_layer){ 2, 1, MLSCHED_LINEAR, 0, w, b };
	for (int r = 0; r < 100; r++) {
		rows[2 * r] = (r - 50) / 16.0f;
		rows[2 * r + 1] = 0;
	}
	rows[0] = -30000;
	rows[2] = 30000;
	assert_int_equal(quantize(rows, 100, 0.995, &q), -ERANGE);
	assert_non_null(strstr(err.message, "fixed point agrees with float32 in "));
	assert_true(report.disagreements > 10);
	assert_true(report.worst_margin > 0 && report.worst_margin < 0.01);
	assert_int_equal(quantize(rows, 100, 0.1, &q), 0);
	mlsched_qmodel_free(q);
}

static void a_constant_input_is_dead(void **state)
{
	const float rows[6] = { -1, 0.5f, 0, 0.5f, 1, 0.5f };
	struct mlsched_qmodel *q;
	int64_t a, b;

	(void)state;
	meta.n_calibration = 0;
	assert_int_equal(quantize(rows, 3, 0.99, &q), 0);
	assert_int_equal(report.n_live_inputs, 1);
	assert_true(report.max_error < 0.02);
	mlsched_qmodel_logit(q, (const int32_t[]){ 32768, 32768 }, 1, &a);
	mlsched_qmodel_logit(q, (const int32_t[]){ 32768, -100 }, 1, &b);
	assert_int_equal(a, b);
	mlsched_qmodel_free(q);
}

static void features_are_rounded_and_limited(void **state)
{
	(void)state;
	assert_int_equal(mlsched_feature_to_q16(1.5f), 98304);
	assert_int_equal(mlsched_feature_to_q16(-0.25f), -16384);
	assert_int_equal(mlsched_feature_to_q16(1e9f), INT32_MAX);
	assert_int_equal(mlsched_feature_to_q16(-1e9f), INT32_MIN);
	assert_int_equal(mlsched_feature_to_q16(NAN), 0);
}

static void options_and_their_size_are_checked(void **state)
{
	struct mlsched_quantize_opts opts = { 1, 0.5 };
	struct mlsched_model *model;
	struct mlsched_qmodel *q;

	(void)state;
	assert_int_equal(mlsched_model_create(&desc, NULL, &model), 0);
	assert_int_equal(mlsched_quantize(model, NULL, 0, &opts, NULL, &err, &q), -EINVAL);
	opts = (struct mlsched_quantize_opts){ sizeof(opts), 1.5 };
	assert_int_equal(mlsched_quantize(model, NULL, 0, &opts, NULL, &err, &q), -EINVAL);
	assert_string_equal(err.message, "expected an agreement between 0 and 1, got 1.5");
	mlsched_model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(one_layer_has_the_integers_done_by_hand, setup),
		cmocka_unit_test_setup(hidden_layer_approximates_the_floats, setup),
		cmocka_unit_test_setup(normalization_is_folded, setup),
		cmocka_unit_test_setup(linear_layers_are_folded_into_the_next, setup),
		cmocka_unit_test_setup(leaky_relu_becomes_two_units, setup),
		cmocka_unit_test_setup(relu6_becomes_two_units, setup),
		cmocka_unit_test_setup(softmax_of_two_becomes_their_difference, setup),
		cmocka_unit_test_setup(quantize_refuses_what_has_no_integer_form, setup),
		cmocka_unit_test_setup(quantize_refuses_unknown_ranges, setup),
		cmocka_unit_test_setup(quantize_refuses_rows_that_are_not_finite, setup),
		cmocka_unit_test_setup(quantize_refuses_too_little_agreement, setup),
		cmocka_unit_test_setup(a_constant_input_is_dead, setup),
		cmocka_unit_test(features_are_rounded_and_limited),
		cmocka_unit_test_setup(options_and_their_size_are_checked, setup),
	};

	return cmocka_run_group_tests_name("quantize", tests, NULL, NULL);
}
