// SPDX-License-Identifier: GPL-2.0
/*
 * Scores on numbers done by hand, and against their definitions written the
 * slow way.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "src/data/scores.h"
#include "src/util/random.h"

static void near(double found, double expected)
{
	if (!(fabs(found - expected) < 1e-6))
		fail_msg("expected %.9g, got %.9g", expected, found);
}

/* logit(0.8) and so on, so that the calibration can be done by hand. */
static float logit(double p)
{
	return (float)log(p / (1 - p));
}

static void scores_of_six_rows_are_those_by_hand(void **state)
{
	const float logits[6] = { logit(0.95), logit(0.85), logit(0.65),
				  logit(0.35), logit(0.25), logit(0.05) };
	const float labels[6] = { 1, 0, 1, 1, 0, 0 };
	struct mls_scores s;

	(void)state;
	assert_int_equal(mls_scores_compute(logits, labels, 6, 0, &s, NULL), 0);
	assert_int_equal(s.true_positive, 2);
	assert_int_equal(s.false_positive, 1);
	assert_int_equal(s.true_negative, 2);
	assert_int_equal(s.false_negative, 1);
	near(s.accuracy, 4 / 6.0);
	near(s.balanced_accuracy, 4 / 6.0);
	near(s.precision, 2 / 3.0);
	near(s.recall, 2 / 3.0);
	near(s.false_positive_rate, 1 / 3.0);
	near(s.false_negative_rate, 1 / 3.0);
	near(s.refused, 0.5);
	/* Of nine pairs the positive is above in 3 + 2 + 2. */
	near(s.auc, 7 / 9.0);
	near(s.brier,
	     (0.05 * 0.05 + 0.85 * 0.85 + 0.35 * 0.35 + 0.65 * 0.65 + 0.25 * 0.25 + 0.05 * 0.05) /
		     6);
	near(s.log_loss,
	     -(log(0.95) + log(0.15) + log(0.65) + log(0.35) + log(0.75) + log(0.95)) / 6);
	/* Each row in a bin of its own. */
	near(s.calibration_error, (0.05 + 0.85 + 0.35 + 0.65 + 0.25 + 0.05) / 6);
	assert_int_equal(s.bins[9].n_rows, 1);
	assert_int_equal(s.bins[7].n_rows, 0);
	near(s.bins[6].mean_probability, 0.65);
	near(s.bins[6].share_positive, 1);
	assert_true(isnan(s.bins[7].mean_probability));
}

static void a_logit_at_the_threshold_is_kept(void **state)
{
	const float logits[2] = { 1, 1.5f }, labels[2] = { 1, 1 };
	struct mls_scores s;

	(void)state;
	assert_int_equal(mls_scores_compute(logits, labels, 2, 1, &s, NULL), 0);
	assert_int_equal(s.true_positive, 1);
	assert_int_equal(s.false_negative, 1);
}

static void equal_logits_count_half(void **state)
{
	const float logits[4] = { 1, 1, 1, 1 }, labels[4] = { 0, 1, 0, 1 };
	struct mls_scores s;

	(void)state;
	assert_int_equal(mls_scores_compute(logits, labels, 4, 0, &s, NULL), 0);
	near(s.auc, 0.5);
}

static void area_is_the_share_of_ordered_pairs(void **state)
{
	enum { N = 400 };
	float logits[N], labels[N];
	struct mls_random random;
	struct mls_scores s;

	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		double pairs = 0, ordered = 0;

		mls_random_seed(&random, seed, 0);
		for (int i = 0; i < N; i++) {
			labels[i] = (float)mls_random_below(&random, 2);
			/* Few values: many ties. */
			logits[i] = (float)mls_random_below(&random, 20) + labels[i] * 3;
		}
		for (int i = 0; i < N; i++) {
			for (int j = 0; j < N; j++) {
				if (labels[i] < 0.5f || labels[j] > 0.5f)
					continue;
				pairs++;
				ordered += logits[i] > logits[j]  ? 1 :
					   logits[i] == logits[j] ? 0.5 :
								    0;
			}
		}
		assert_int_equal(mls_scores_compute(logits, labels, N, 0, &s, NULL), 0);
		near(s.auc, ordered / pairs);
	}
}

static void what_has_no_denominator_is_not_a_number(void **state)
{
	const float logits[2] = { -1, -2 }, labels[2] = { 0, 0 };
	struct mls_scores s;

	(void)state;
	assert_int_equal(mls_scores_compute(logits, labels, 2, 0, &s, NULL), 0);
	assert_true(isnan(s.precision) && isnan(s.recall) && isnan(s.auc));
	near(s.accuracy, 1);
	near(s.refused, 1);
}

static void controls_know_nothing(void **state)
{
	const float labels[5] = { 1, 0, 0, 1, 0 };
	const uint8_t always[5] = { 1, 1, 1, 1, 1 }, never[5] = { 0 };
	struct mls_scores s;

	(void)state;
	mls_scores_verdicts(always, labels, 5, &s);
	near(s.accuracy, 0.4);
	near(s.recall, 1);
	near(s.false_positive_rate, 1);
	near(s.refused, 0);
	assert_true(isnan(s.auc) && isnan(s.brier));
	mls_scores_verdicts(never, labels, 5, &s);
	near(s.accuracy, 0.6);
	near(s.recall, 0);
	near(s.balanced_accuracy, 0.5);
	near(s.refused, 1);
}

static void best_threshold_is_that_of_all_thresholds(void **state)
{
	enum { N = 300 };
	float logits[N], labels[N], threshold;
	struct mls_random random;
	struct mls_scores s;

	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		double best = 0;

		mls_random_seed(&random, seed, 0);
		for (int i = 0; i < N; i++) {
			labels[i] = mls_random_unit(&random) < 0.2f;
			logits[i] = (float)mls_random_below(&random, 60) / 10 + labels[i] * 2;
		}
		for (float t = -1; t < 9; t += 0.05f) {
			assert_int_equal(mls_scores_compute(logits, labels, N, t, &s, NULL), 0);
			best = fmax(best, s.balanced_accuracy);
		}
		assert_int_equal(mls_scores_best_threshold(logits, labels, N, &threshold, NULL), 0);
		assert_int_equal(mls_scores_compute(logits, labels, N, threshold, &s, NULL), 0);
		near(s.balanced_accuracy, best);
	}
}

static void a_logit_that_is_no_number_is_refused(void **state)
{
	const float logits[3] = { 1, NAN, 2 }, labels[3] = { 1, 0, 1 };
	struct mlsched_error err;
	struct mls_scores s;
	float threshold;

	(void)state;
	assert_int_equal(mls_scores_compute(logits, labels, 3, 0, &s, &err), -EDOM);
	assert_string_equal(err.message, "row 2: the logit is not a number: its inputs are too "
					 "large for the network");
	assert_int_equal(mls_scores_best_threshold(logits, labels, 3, &threshold, NULL), -EDOM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scores_of_six_rows_are_those_by_hand),
		cmocka_unit_test(a_logit_at_the_threshold_is_kept),
		cmocka_unit_test(equal_logits_count_half),
		cmocka_unit_test(area_is_the_share_of_ordered_pairs),
		cmocka_unit_test(what_has_no_denominator_is_not_a_number),
		cmocka_unit_test(controls_know_nothing),
		cmocka_unit_test(best_threshold_is_that_of_all_thresholds),
		cmocka_unit_test(a_logit_that_is_no_number_is_refused),
	};

	return cmocka_run_group_tests_name("scores", tests, NULL, NULL);
}
