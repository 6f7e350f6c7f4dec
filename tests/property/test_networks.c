// SPDX-License-Identifier: GPL-2.0
/*
 * Random networks of every shape through every forward pass: each must stay
 * within what rounding allows around a reference in double precision, and give
 * each row the same bits whatever stands beside it.
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

#include <mlsched/mlsched.h>

#include "tests/lib/networks.h"

#ifdef MLS_SANITIZED
#define N_NETWORKS 600
#else
#define N_NETWORKS 6000
#endif
#define MAX_ROWS 21

/* Errors reach 4.4 times the expected ones in 100,000 networks; single precision ends at TINY. */
#define SLACK 16
#define TINY  1e-37

static const enum mlsched_isa isas[] = { MLSCHED_ISA_SCALAR, MLSCHED_ISA_AVX2, MLSCHED_ISA_AVX512,
					 MLSCHED_ISA_NEON };

struct trial {
	struct test_network net;
	uint32_t n_in, n_out, n_rows;
	float *rows; /* in a block of exactly their size, for the address sanitizer */
	double *expected, *error;
	double worst; /* error found as a multiple of the expected one */
	struct mlsched_model *model;
};

static void describe(const struct trial *t, enum mlsched_isa isa)
{
	printf("# %s, %u rows, normalisation %d:", mlsched_isa_name(isa), t->n_rows,
	       t->net.desc.mean != NULL);
	for (uint32_t l = 0; l < t->net.desc.n_layers; l++)
		printf(" %u-%u %s", t->net.layers[l].n_in, t->net.layers[l].n_out,
		       mlsched_activation_name(t->net.layers[l].activation));
	putchar('\n');
}

static void trial_begin(struct trial *t, struct test_random *random)
{
	test_network_random(&t->net, random);
	t->worst = 0;
	t->n_in = t->net.layers[0].n_in;
	t->n_out = t->net.layers[t->net.desc.n_layers - 1].n_out;
	t->n_rows = test_random_range(random, 1, MAX_ROWS);
	t->rows = malloc((size_t)t->n_rows * t->n_in * sizeof(float));
	t->expected = malloc((size_t)t->n_rows * t->n_out * sizeof(double));
	t->error = malloc((size_t)t->n_rows * t->n_out * sizeof(double));
	assert_true(t->rows && t->expected && t->error);
	for (size_t i = 0; i < (size_t)t->n_rows * t->n_in; i++)
		t->rows[i] = test_random_float(random, -4, 4);
	for (uint32_t r = 0; r < t->n_rows; r++)
		test_network_reference(&t->net, t->rows + (size_t)r * t->n_in,
				       t->expected + (size_t)r * t->n_out,
				       t->error + (size_t)r * t->n_out, false);
	assert_int_equal(mlsched_model_create(&t->net.desc, NULL, &t->model), 0);
}

static void trial_end(struct trial *t)
{
	mlsched_model_free(t->model);
	free(t->rows);
	free(t->expected);
	free(t->error);
	test_network_free(&t->net);
}

static void check_isa(struct trial *t, enum mlsched_isa isa)
{
	size_t n = (size_t)t->n_rows * t->n_out;
	float *batch = malloc(n * sizeof(float)), *single = malloc(n * sizeof(float));
	struct mlsched_model *model;

	assert_true(batch && single);
	assert_int_equal(mlsched_model_clone_for_isa(t->model, isa, NULL, &model), 0);
	assert_int_equal(mlsched_model_checksum(model), mlsched_model_checksum(t->model));
	mlsched_model_predict(model, t->rows, t->n_rows, batch);
	for (uint32_t r = 0; r < t->n_rows; r++)
		mlsched_model_predict(model, t->rows + (size_t)r * t->n_in, 1,
				      single + (size_t)r * t->n_out);
	for (size_t i = 0; i < n; i++) {
		double off = fabs((double)batch[i] - t->expected[i]);

		t->worst = fmax(t->worst, off / (t->error[i] + TINY));
		if (off <= SLACK * t->error[i] + TINY)
			continue;
		describe(t, isa);
		fail_msg("output %zu: expected %.9g within %.3g, got %.9g", i, t->expected[i],
			 SLACK * t->error[i], (double)batch[i]);
	}
	if (memcmp(batch, single, n * sizeof(float)) != 0) {
		describe(t, isa);
		fail_msg("a row alone gives other bits than in its batch");
	}
	mlsched_model_free(model);
	free(batch);
	free(single);
}

static bool available(const struct mlsched_model *model, enum mlsched_isa isa)
{
	struct mlsched_model *clone;

	if (mlsched_model_clone_for_isa(model, isa, NULL, &clone) != 0)
		return false;
	mlsched_model_free(clone);
	return true;
}

static void every_isa_stays_within_rounding_and_batch_equals_single(void **state)
{
	struct test_random random = { test_seed(20261121) };
	uint32_t checked[sizeof(isas) / sizeof(isas[0])] = { 0 };
	double worst = 0, loosest = 0;

	(void)state;
	for (int k = 0; k < N_NETWORKS; k++) {
		struct trial t;

		trial_begin(&t, &random);
		for (size_t i = 0; i < sizeof(isas) / sizeof(isas[0]); i++) {
			if (!available(t.model, isas[i]))
				continue;
			check_isa(&t, isas[i]);
			checked[i]++;
		}
		for (size_t i = 0; i < (size_t)t.n_rows * t.n_out; i++)
			loosest = fmax(loosest, t.error[i] / fmax(1, fabs(t.expected[i])));
		worst = fmax(worst, t.worst);
		trial_end(&t);
	}
	for (size_t i = 0; i < sizeof(isas) / sizeof(isas[0]); i++)
		printf("# %s: %u networks\n", mlsched_isa_name(isas[i]), checked[i]);
	printf("# errors up to %.3g times the expected ones; loosest bound %.3g\n", worst,
	       SLACK * loosest);
	assert_int_equal(checked[0], N_NETWORKS);
}

/* What TensorFlow agreement needs: probabilities of ordinary networks within 2e-6. */
static void probabilities_of_ordinary_networks_are_within_2e_6(void **state)
{
	static const uint32_t shapes[][4] = { { 10, 64, 64, 1 },
					      { 15, 10, 1, 0 },
					      { 10, 128, 64, 2 } };
	struct test_random random = { test_seed(7) };

	(void)state;
	for (int k = 0; k < N_NETWORKS; k++) {
		const uint32_t *widths = shapes[k % 3];
		uint32_t n_layers = widths[3] ? 3 : 2;
		struct test_network net;
		struct mlsched_model *model;
		float row[16], out[2];
		double expected[2], error[2];

		test_network_shape(&net, &random, n_layers, widths,
				   test_random_range(&random, 0, MLSCHED_TANH),
				   widths[n_layers] == 1 ? MLSCHED_SIGMOID : MLSCHED_SOFTMAX);
		for (uint32_t i = 0; i < widths[0]; i++)
			row[i] = test_random_float(&random, -2, 2);
		test_network_reference(&net, row, expected, error, false);
		assert_int_equal(mlsched_model_create(&net.desc, NULL, &model), 0);
		for (size_t i = 0; i < sizeof(isas) / sizeof(isas[0]); i++) {
			struct mlsched_model *clone;

			if (mlsched_model_clone_for_isa(model, isas[i], NULL, &clone) != 0)
				continue;
			mlsched_model_predict(clone, row, 1, out);
			for (uint32_t j = 0; j < widths[n_layers]; j++)
				assert_true(fabs((double)out[j] - expected[j]) <= 2e-6);
			mlsched_model_free(clone);
		}
		mlsched_model_free(model);
		test_network_free(&net);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_isa_stays_within_rounding_and_batch_equals_single),
		cmocka_unit_test(probabilities_of_ordinary_networks_are_within_2e_6),
	};

	return cmocka_run_group_tests_name("networks", tests, NULL, NULL);
}
