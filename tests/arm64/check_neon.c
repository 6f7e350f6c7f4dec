// SPDX-License-Identifier: GPL-2.0
/*
 * NEON against the scalar path and a reference in double precision, on AArch64
 * or in its emulator.  A program of its own that prints TAP: it is linked with
 * nothing but src/nn and src/util, because a cross compiler rarely has more.
 * tests/unit/test_neon.sh runs it.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mlsched/model.h>

#include "tests/lib/networks.h"

#define N_NETWORKS 500
#define MAX_ROWS   9

/* As in tests/property/test_networks.c. */
#define SLACK 16
#define TINY  1e-37

struct outcome {
	const char *name;
	uint64_t checked, bad;
	double worst;
};

static void judge(struct outcome *outcome, double off, double allowed)
{
	outcome->checked++;
	outcome->worst = fmax(outcome->worst, off / (allowed + TINY));
	if (!(off <= allowed + TINY))
		outcome->bad++;
}

static struct mlsched_model *create(const struct test_network *net, enum mlsched_isa isa)
{
	struct mlsched_model *best, *model;
	struct mlsched_error err;

	if (mlsched_model_create(&net->desc, &err, &best) != 0 ||
	    mlsched_model_clone_for_isa(best, isa, &err, &model) != 0) {
		printf("Bail out! %s\n", err.message);
		exit(1);
	}
	mlsched_model_free(best);
	return model;
}

static void check_network(struct test_random *random, struct outcome *reference,
			  struct outcome *scalar, struct outcome *batch)
{
	static float rows[MAX_ROWS * MLSCHED_MAX_WIDTH], out[MAX_ROWS * MLSCHED_MAX_WIDTH];
	double expected[MLSCHED_MAX_WIDTH], error[MLSCHED_MAX_WIDTH];
	float alone[MLSCHED_MAX_WIDTH], slow[MLSCHED_MAX_WIDTH];
	struct mlsched_model *neon_model, *scalar_model;
	struct test_network net;
	uint32_t n_in, n_out, n_rows = test_random_range(random, 1, MAX_ROWS);

	test_network_random(&net, random);
	neon_model = create(&net, MLSCHED_ISA_NEON);
	scalar_model = create(&net, MLSCHED_ISA_SCALAR);
	n_in = mlsched_model_inputs(neon_model);
	n_out = mlsched_model_outputs(neon_model);
	for (uint32_t i = 0; i < n_rows * n_in; i++)
		rows[i] = test_random_float(random, -4, 4);
	mlsched_model_predict(neon_model, rows, n_rows, out);
	for (uint32_t r = 0; r < n_rows; r++) {
		test_network_reference(&net, rows + r * n_in, expected, error, false);
		mlsched_model_predict(neon_model, rows + r * n_in, 1, alone);
		mlsched_model_predict(scalar_model, rows + r * n_in, 1, slow);
		judge(batch, memcmp(alone, out + r * n_out, n_out * sizeof(*out)) != 0, 0);
		for (uint32_t j = 0; j < n_out; j++) {
			judge(reference, fabs((double)alone[j] - expected[j]), SLACK * error[j]);
			judge(scalar, fabs((double)alone[j] - (double)slow[j]),
			      2 * SLACK * error[j]);
		}
	}
	mlsched_model_free(neon_model);
	mlsched_model_free(scalar_model);
	test_network_free(&net);
}

/* Numbers worked out by hand, so that not everything rests on one reference. */
static void check_by_hand(struct outcome *outcome)
{
	static const float weights_1[2 * 5] = { 1, -1, 2, 0.5f, 1, -3, 1, 1, 1, 1 };
	static const float bias_1[5] = { 0, 1, 0.5f, 0, -20 };
	static const float weights_2[5] = { 1, 2, -1, 0.25f, 7 };
	static const float row[2] = { 2, 1 };
	struct test_network net = {
		.layers = { { 2, 5, MLSCHED_RELU, 0, weights_1, bias_1 },
			    { 5, 1, MLSCHED_SIGMOID, 0, weights_2, NULL } },
	};
	struct mlsched_model *model;
	float logit, probability;

	/* x W + b = -1, 0, 5.5, 2, -17; after ReLU 0, 0, 5.5, 2, 0; the sum is -5. */
	net.desc = (struct mlsched_model_desc){ .size = sizeof(net.desc),
						.n_layers = 2,
						.layers = net.layers };
	model = create(&net, MLSCHED_ISA_NEON);
	mlsched_model_logit(model, row, 1, &logit);
	mlsched_model_predict(model, row, 1, &probability);
	judge(outcome, fabs((double)logit + 5), 0);
	judge(outcome, fabs((double)probability - 0.0066928509242848554), 1e-9);
	mlsched_model_free(model);
}

int main(void)
{
	struct outcome outcomes[] = {
		{ .name = "neon_computes_by_hand_numbers" },
		{ .name = "neon_stays_within_rounding_of_the_reference" },
		{ .name = "neon_agrees_with_scalar" },
		{ .name = "neon_batch_equals_single" },
	};
	struct test_random random = { test_seed(64) };
	int n = sizeof(outcomes) / sizeof(outcomes[0]), bad = 0;

	check_by_hand(&outcomes[0]);
	for (int k = 0; k < N_NETWORKS; k++)
		check_network(&random, &outcomes[1], &outcomes[2], &outcomes[3]);
	for (int i = 0; i < n; i++) {
		printf("# %llu comparisons, at most %.3g of what is allowed\n",
		       (unsigned long long)outcomes[i].checked, outcomes[i].worst);
		printf("%s %d - %s\n", outcomes[i].bad ? "not ok" : "ok", i + 1, outcomes[i].name);
		bad |= outcomes[i].bad != 0;
	}
	printf("1..%d\n", n);
	return bad;
}
