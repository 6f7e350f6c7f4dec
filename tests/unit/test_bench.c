// SPDX-License-Identifier: GPL-2.0
/*
 * What mlsched bench rests on when it refuses runtimes that compute something
 * else, and the files that it writes for them.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/paths.h"
#include "tests/lib/networks.h"

#define N_NETWORKS 40
#define N_ROWS     64

/* Rows of a random network, and what bench_reference() says of them. */
struct fixture {
	struct test_network net;
	struct mlsched_model *model;
	uint32_t n_in, n_out;
	float *rows;
	double *expected, *allowed;
};

/* Of the network that stands in it. */
static void fixture_fill(struct fixture *f, struct test_random *random)
{
	struct mlsched_error err;

	if (mlsched_model_create(&f->net.desc, &err, &f->model) != 0)
		fail_msg("%s", err.message);
	f->n_in = mlsched_model_inputs(f->model);
	f->n_out = mlsched_model_outputs(f->model);
	f->rows = calloc((size_t)N_ROWS * f->n_in, sizeof(float));
	f->expected = calloc((size_t)N_ROWS * f->n_out, sizeof(double));
	f->allowed = calloc((size_t)N_ROWS * f->n_out, sizeof(double));
	assert_true(f->rows && f->expected && f->allowed);
	for (size_t i = 0; i < (size_t)N_ROWS * f->n_in; i++)
		f->rows[i] = test_random_float(random, -2, 2);
	bench_reference(f->model, f->rows, N_ROWS, f->expected, f->allowed);
}

static void fixture_make(struct fixture *f, struct test_random *random)
{
	test_network_random(&f->net, random);
	fixture_fill(f, random);
}

static void fixture_free(struct fixture *f)
{
	mlsched_model_free(f->model);
	test_network_free(&f->net);
	free(f->rows);
	free(f->expected);
	free(f->allowed);
}

/* The farthest of all answers, in what is allowed. */
static double farthest(const struct fixture *f, const float *out)
{
	double most = 0;

	for (size_t i = 0; i < (size_t)N_ROWS * f->n_out; i++)
		most = fmax(most, fabs((double)out[i] - f->expected[i]) / f->allowed[i]);
	return most;
}

static double farthest_of(const struct fixture *f, const struct mlsched_model *model)
{
	float *out = calloc((size_t)N_ROWS * f->n_out, sizeof(*out));
	double most;

	assert_non_null(out);
	mlsched_model_predict(model, f->rows, N_ROWS, out);
	most = farthest(f, out);
	free(out);
	return most;
}

static void reference_is_that_of_the_tests(void **state)
{
	struct test_random random = { test_seed(1) };

	(void)state;
	for (int n = 0; n < N_NETWORKS; n++) {
		double out[MLSCHED_MAX_WIDTH], error[MLSCHED_MAX_WIDTH];
		struct fixture f;

		fixture_make(&f, &random);
		for (size_t r = 0; r < N_ROWS; r++) {
			test_network_reference(&f.net, f.rows + r * f.n_in, out, error, false);
			for (uint32_t j = 0; j < f.n_out; j++) {
				double other = f.expected[r * f.n_out + j];

				assert_true(fabs(out[j] - other) <= 1e-9 * fmax(1, fabs(out[j])));
			}
		}
		fixture_free(&f);
	}
}

static void float32_in_any_order_is_allowed(void **state)
{
	static const enum mlsched_isa isas[] = { MLSCHED_ISA_SCALAR, MLSCHED_ISA_AVX2,
						 MLSCHED_ISA_AVX512, MLSCHED_ISA_NEON };
	struct test_random random = { test_seed(2) };

	(void)state;
	for (int n = 0; n < N_NETWORKS; n++) {
		float plain[N_ROWS * MLSCHED_MAX_WIDTH];
		struct fixture f;

		fixture_make(&f, &random);
		bench_plain_predict(f.model, f.rows, N_ROWS, plain);
		assert_true(farthest(&f, plain) <= 1);
		for (size_t i = 0; i < sizeof(isas) / sizeof(isas[0]); i++) {
			struct mlsched_model *clone;

			if (mlsched_model_clone_for_isa(f.model, isas[i], NULL, &clone) != 0)
				continue;
			assert_true(farthest_of(&f, clone) <= 1);
			mlsched_model_free(clone);
		}
		fixture_free(&f);
	}
}

/* To the nearest number with @bits bits: what would come of float16 (11) or bfloat16 (8). */
static float rounded(float x, int bits)
{
	int exponent;
	double mantissa = frexp((double)x, &exponent);

	return (float)ldexp(rint(ldexp(mantissa, bits)), exponent - bits);
}

static void narrower_weights_are_refused(void **state)
{
	static const uint32_t widths[] = { 10, 64, 64, 1 };
	struct test_random random = { test_seed(3) };

	(void)state;
	for (int bits = 8; bits <= 16; bits++) {
		struct mlsched_model *narrow;
		struct fixture f;

		test_network_shape(&f.net, &random, 3, widths, MLSCHED_RELU, MLSCHED_SIGMOID);
		fixture_fill(&f, &random);
		for (uint32_t l = 0; l < 3; l++) {
			for (uint32_t i = 0; i < widths[l] * widths[l + 1]; i++)
				f.net.weights[l][i] = rounded(f.net.weights[l][i], bits);
		}
		assert_int_equal(mlsched_model_create(&f.net.desc, NULL, &narrow), 0);
		assert_true(farthest_of(&f, f.model) <= 1);
		assert_true(farthest_of(&f, narrow) > 1);
		mlsched_model_free(narrow);
		fixture_free(&f);
	}
}

static void check_layers(const struct mlsched_model *written, const struct mlsched_model *read)
{
	struct mlsched_layer ours, theirs;

	assert_int_equal(mlsched_model_layers(written), mlsched_model_layers(read));
	for (uint32_t l = 0; l < mlsched_model_layers(written); l++) {
		mlsched_model_layer(written, l, &ours);
		mlsched_model_layer(read, l, &theirs);
		assert_int_equal(ours.n_in, theirs.n_in);
		assert_int_equal(ours.n_out, theirs.n_out);
		assert_int_equal(ours.activation, theirs.activation);
		assert_memory_equal(ours.weights, theirs.weights,
				    (size_t)ours.n_in * ours.n_out * sizeof(float));
	}
}

static bool has_elu_of_another_alpha(const struct mlsched_model *model)
{
	struct mlsched_layer layer;

	for (uint32_t l = 0; mlsched_model_layer(model, l, &layer) == 0; l++) {
		if (layer.activation == MLSCHED_ELU && layer.alpha != 1)
			return true;
	}
	return false;
}

/* Written for LiteRT, read by our own reader, which trusts nothing in a file. */
static void litert_files_read_back(void **state)
{
	char path[] = "/tmp/mlsched-test-XXXXXX";
	struct test_random random = { test_seed(4) };
	int fd = mkstemp(path), n_written = 0;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	for (int n = 0; n < N_NETWORKS; n++) {
		const float *mean, *deviation;
		struct mlsched_error err;
		struct mlsched_model *read;
		struct fixture f;
		int ret;

		fixture_make(&f, &random);
		ret = bench_litert_write(f.model, path, &err);
		if (has_elu_of_another_alpha(f.model)) {
			assert_int_equal(ret, -ENOTSUP);
			assert_non_null(strstr(err.message, "expected an alpha of 1"));
			fixture_free(&f);
			continue;
		}
		assert_int_equal(ret, 0);
		if (mlsched_model_load(path, &err, &read) != 0)
			fail_msg("network %d: %s", n, err.message);
		mlsched_model_normalization(f.model, &mean, &deviation);
		if (!mean)
			check_layers(f.model, read);
		assert_true(farthest_of(&f, read) <= 1);
		mlsched_model_free(read);
		fixture_free(&f);
		n_written++;
	}
	assert_true(n_written >= N_NETWORKS / 3);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reference_is_that_of_the_tests),
		cmocka_unit_test(float32_in_any_order_is_allowed),
		cmocka_unit_test(narrower_weights_are_refused),
		cmocka_unit_test(litert_files_read_back),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
