// SPDX-License-Identifier: GPL-2.0
/*
 * How often fixed point and float32 come to the same verdict, on networks
 * trained on load patterns and on random ones whose threshold is the median
 * logit, where most inputs are near it.
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

#include "src/data/synthetic.h"
#include "src/nn/train/train.h"
#include "tests/lib/networks.h"

#ifdef MLS_SANITIZED
#define N_ROWS    4000
#define N_RANDOM  4
#define N_TRAINED 1
#else
#define N_ROWS    20000
#define N_RANDOM  40
#define N_TRAINED 4
#endif

/* How far from the threshold a wrong verdict may be, in standard deviations of the logit. */
#define MARGIN 0.06

struct sums {
	double mean;
	double worst;
	double margin;
	uint32_t n;
};

static void add(struct sums *sums, const struct mlsched_quantize_report *r)
{
	sums->worst = sums->n && sums->worst < r->agreement ? sums->worst : r->agreement;
	sums->margin = fmax(sums->margin, r->worst_margin);
	sums->mean = (sums->mean * sums->n + r->agreement) / (sums->n + 1);
	sums->n++;
}

static void print(const char *what, const struct sums *sums)
{
	printf("# %u %s networks: verdicts agree %.3f %% (worst %.3f %%), wrong ones within %.4f "
	       "standard deviations\n",
	       sums->n, what, 100 * sums->mean, 100 * sums->worst, sums->margin);
}

/* Quantises @model on [N_ROWS] and measures it on other rows of the same kind. */
static void quantize_on(const struct mlsched_model *model, const float *rows, struct sums *sums)
{
	struct mlsched_quantize_opts opts = { sizeof(opts), 0 };
	struct mlsched_quantize_report report;
	struct mlsched_error err;
	struct mlsched_qmodel *q;

	if (mlsched_quantize(model, rows, N_ROWS, &opts, &report, &err, &q))
		fail_msg("%s", err.message);
	assert_int_equal(report.n_rows, N_ROWS);
	assert_false(report.rows_made);
	add(sums, &report);
	mlsched_qmodel_free(q);
}

static struct mlsched_model *train(uint64_t seed, double penalty, uint32_t width)
{
	struct mls_train_options options;
	struct mls_dataset data = { 0 };
	struct mls_trainer *trainer;
	struct mls_split split;
	struct mlsched_model *model;

	assert_int_equal(mls_synthetic_seed10(N_ROWS, seed, &data, NULL), 0);
	assert_int_equal(mls_split_make(&data, 0.1, MLS_SPLIT_RANDOM, seed, &split, NULL), 0);
	mls_train_options_init(&options);
	options.n_hidden = 2;
	options.width[0] = options.width[1] = width;
	options.epochs = 6;
	options.activation_penalty = penalty;
	options.seed = seed;
	assert_int_equal(mls_trainer_create(&options, &data, &split, 1, MLSCHED_ISA_BEST, NULL,
					    &trainer),
			 0);
	assert_int_equal(mls_trainer_run(trainer, NULL, NULL, NULL), 0);
	assert_int_equal(mls_trainer_model(trainer, NULL, NULL, &model), 0);
	mls_trainer_free(trainer);
	free(split.train);
	mls_dataset_clear(&data);
	return model;
}

static void trained_networks_keep_their_verdicts(void **state)
{
	struct sums sums = { 0 };
	uint64_t seed = test_seed(1);

	(void)state;
	for (uint32_t k = 0; k < N_TRAINED; k++) {
		struct mlsched_model *model =
			train(seed + k, k % 2 ? 1e-3 : 0, k < 2 ? 64 : 16 * k);
		struct mls_dataset other = { 0 };

		assert_int_equal(mls_synthetic_seed10(N_ROWS, seed + 1000 + k, &other, NULL), 0);
		quantize_on(model, other.inputs, &sums);
		mls_dataset_clear(&other);
		mlsched_model_free(model);
	}
	print("trained", &sums);
	assert_true(sums.worst >= 0.995 && sums.margin <= MARGIN);
}

/* The fifth column and those behind it are zero in half of the networks, as in seed10. */
static float *make_rows(struct test_random *random, bool with_zeros)
{
	float *rows = malloc(sizeof(*rows) * N_ROWS * 10);

	assert_non_null(rows);
	for (uint32_t r = 0; r < N_ROWS; r++) {
		float *row = rows + (size_t)r * 10;

		row[0] = (float)test_random_range(random, 0, 15);
		row[1] = (float)test_random_range(random, 0, 16);
		row[2] = 16 - row[1];
		for (uint32_t i = 3; i < 10; i++)
			row[i] = with_zeros && i > 4 ? 0 : test_random_float(random, 0, 1);
	}
	return rows;
}

static int compare(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

/* Moves the output's bias so that the threshold is the median of the logits. */
static struct mlsched_model *with_median(struct test_network *net, const float *rows)
{
	float *logits = malloc(sizeof(*logits) * N_ROWS);
	struct mlsched_model *model;

	assert_non_null(logits);
	assert_int_equal(mlsched_model_create(&net->desc, NULL, &model), 0);
	assert_int_equal(mlsched_model_logit(model, rows, N_ROWS, logits), 0);
	qsort(logits, N_ROWS, sizeof(*logits), compare);
	net->bias[net->desc.n_layers - 1][0] -= logits[N_ROWS / 2];
	mlsched_model_free(model);
	free(logits);
	assert_int_equal(mlsched_model_create(&net->desc, NULL, &model), 0);
	return model;
}

static void random_networks(const uint32_t *widths, uint32_t n_layers, uint64_t seed,
			    struct sums *sums)
{
	static const float mean[10] = { 7.5f, 8, 8, .5f, .5f, .5f, .5f, .5f, .5f, .5f };
	static const float deviation[10] = { 4.6f, 4.9f, 4.9f, .3f, .3f, .3f, .3f, .3f, .3f, .3f };
	struct test_random random = { test_seed(seed) };

	for (uint32_t k = 0; k < N_RANDOM; k++) {
		float *rows = make_rows(&random, k % 2);
		struct mlsched_model *model;
		struct test_network net;

		test_network_shape(&net, &random, n_layers, widths, MLSCHED_RELU, MLSCHED_SIGMOID);
		net.desc.mean = mean;
		net.desc.deviation = deviation;
		model = with_median(&net, rows);
		quantize_on(model, rows, sums);
		mlsched_model_free(model);
		test_network_free(&net);
		free(rows);
	}
}

static void random_networks_keep_their_verdicts(void **state)
{
	static const uint32_t widths[] = { 10, 64, 64, 1 };
	struct sums sums = { 0 };

	(void)state;
	random_networks(widths, 3, 2, &sums);
	print("random", &sums);
	/* One network's figure has a sampling error of 0.04 % by itself. */
	assert_true(sums.mean >= 0.995 && sums.worst >= 0.993 && sums.margin <= MARGIN);
}

/*
 * Every layer that is rounded to 8 bits adds its error: here three of them.
 * With the shift of the first layer for all it would be 96 % (worst 93 %, up to 0.7 deviations off).
 */
static void deep_networks_keep_nearly_all_of_their_verdicts(void **state)
{
	static const uint32_t widths[] = { 10, 32, 32, 32, 32, 1 };
	struct sums sums = { 0 };

	(void)state;
	random_networks(widths, 5, 3, &sums);
	print("deep random", &sums);
	assert_true(sums.mean >= 0.988 && sums.worst >= 0.97 && sums.margin <= 6 * MARGIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trained_networks_keep_their_verdicts),
		cmocka_unit_test(random_networks_keep_their_verdicts),
		cmocka_unit_test(deep_networks_keep_nearly_all_of_their_verdicts),
	};

	return cmocka_run_group_tests_name("qnet_agreement", tests, NULL, NULL);
}
