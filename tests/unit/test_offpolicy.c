// SPDX-License-Identifier: GPL-2.0
/*
 * Off-policy estimates where the truth is known: a world in which what each answer is
 * worth can be computed, decisions by one policy, and the value of another.
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

#include "src/data/offpolicy.h"
#include "src/util/random.h"

#define ROWS    40000
#define EPSILON 0.2
/*
 * Of the world below, in us a decision.  The judged policy: 1000 x - 300 for x above 0.4,
 * 100 below: 240 + 40.  The recorded one is worth 235, its opposite 65, and it does the
 * opposite one time in ten: 218.
 */
#define TRUTH      280.0
#define TRUTH_GAIN 62.0
/* Over the recorded one without a coin, which is the rival. */
#define TRUTH_LEAD 45.0

static struct mls_offpolicy_row rows[ROWS];

/*
 * A situation x is uniform in [0, 1) and known to both policies.  To migrate is worth
 * 1000 x - 300, to keep 100, both with noise of 500 on average; times change slowly, so that
 * neighbours are alike.  Recorded: migrate if x > 0.7, with EPSILON a coin.  Judged:
 * migrate if x > 0.4, the best there is.
 */
static void make_world(uint64_t seed, double epsilon)
{
	struct mls_random random;
	double season = 0;

	mls_random_seed(&random, seed, 0);
	for (uint64_t i = 0; i < ROWS; i++) {
		struct mls_offpolicy_row *row = &rows[i];
		float x = mls_random_unit(&random);
		bool own = x > 0.7f, explores = mls_random_unit(&random) < (float)epsilon;
		double noise = 1000 * ((double)mls_random_unit(&random) +
				       (double)mls_random_unit(&random) - 1);
		double move, keep;

		if (i % 500 == 0)
			season = 200 * ((double)mls_random_unit(&random) - 0.5);
		move = 1000 * (double)x - 300 + season;
		keep = 100 + season;
		*row = (struct mls_offpolicy_row){
			.time = 5000 + i * 1000000,
			.session = 1,
			.kind = x > 0.5f,
			.policy = x > 0.4f,
			.rival = own,
			.accepted = explores ? mls_random_below(&random, 2) : own
		};
		row->propensity = (float)(row->accepted == own ? 1 - epsilon / 2 : epsilon / 2);
		row->benefit = (row->accepted ? move : keep) + noise;
	}
}

static int holds(const struct mls_estimate *e, double truth)
{
	return e->low <= truth && truth <= e->high;
}

static void both_estimates_are_right_within_their_intervals(void **state)
{
	int inverse = 0, robust = 0, gain = 0, lead = 0, better = 0;
	double width_inverse = 0, width_robust = 0;
	const int worlds = 100;

	(void)state;
	for (int seed = 1; seed <= worlds; seed++) {
		struct mls_offpolicy found;
		struct mlsched_error err = { 0 };

		make_world((uint64_t)seed, EPSILON);
		if (mls_offpolicy_estimate(rows, ROWS, &found, &err) != 0)
			fail_msg("%s", err.message);
		assert_int_equal(found.n, ROWS);
		assert_int_equal(found.unsupported, 0);
		assert_int_equal(found.blocks, 80);
		inverse += holds(&found.inverse, TRUTH);
		robust += holds(&found.robust, TRUTH);
		gain += holds(&found.gain, TRUTH_GAIN);
		lead += holds(&found.lead, TRUTH_LEAD);
		better += found.gain.low > 0;
		width_inverse += found.inverse.high - found.inverse.low;
		width_robust += found.robust.high - found.robust.low;
	}
	print_message(
		"# of %d intervals %d (inverse propensity), %d (doubly robust), %d (gain) and "
		"%d (lead) hold the truth; widths %.1f and %.1f us\n",
		worlds, inverse, robust, gain, lead, width_inverse / worlds, width_robust / worlds);
	/* 95 expected; fixed seeds, so this is no matter of luck. */
	assert_in_range(inverse, 88, 100);
	assert_in_range(robust, 88, 100);
	assert_in_range(gain, 88, 100);
	assert_in_range(lead, 88, 100);
	/* The judged policy is better, and that is found. */
	assert_in_range(better, 95, 100);
	assert_true(width_robust < width_inverse);
}

static void what_was_never_tried_is_not_judged(void **state)
{
	struct mlsched_error err = { 0 };
	struct mls_offpolicy found;

	(void)state;
	make_world(1, 0);
	assert_int_equal(mls_offpolicy_estimate(rows, ROWS, &found, &err), -EDOM);
	assert_non_null(strstr(err.message, "could not have done: record with --explore"));
	/* A policy that does what was done can be judged without. */
	for (int i = 0; i < ROWS; i++)
		rows[i].policy = rows[i].accepted;
	assert_int_equal(mls_offpolicy_estimate(rows, ROWS, &found, &err), 0);
	assert_true(fabs(found.inverse.mean - found.recorded.mean) < 1e-9);
	assert_true(fabs(found.gain.mean) < 1e-9);
}

static void a_recording_that_is_too_short_is_refused(void **state)
{
	struct mlsched_error err = { 0 };
	struct mls_offpolicy found;

	(void)state;
	make_world(1, EPSILON);
	assert_int_equal(mls_offpolicy_estimate(rows, 0, &found, &err), -ENODATA);
	assert_int_equal(mls_offpolicy_estimate(rows, 3499, &found, &err), -ENODATA);
	assert_non_null(strstr(err.message, "at least 8 blocks of 500 ms, found 3499 in 7"));
	assert_int_equal(mls_offpolicy_estimate(rows, 3501, &found, &err), 0);
}

/* Clocks of sessions differ, and rows come in the order in which windows end. */
static void sessions_and_order_do_not_matter(void **state)
{
	struct mlsched_error err = { 0 };
	struct mls_offpolicy one, two;

	(void)state;
	make_world(3, EPSILON);
	assert_int_equal(mls_offpolicy_estimate(rows, ROWS, &one, &err), 0);
	for (int i = 0; i < ROWS / 2; i++) {
		rows[i].session = 2;
		rows[i].time += 1000000000000ull;
	}
	for (int i = 0; i + 1 < ROWS / 2; i += 2) {
		struct mls_offpolicy_row row = rows[i];

		rows[i] = rows[i + 1];
		rows[i + 1] = row;
	}
	assert_int_equal(mls_offpolicy_estimate(rows, ROWS, &two, &err), 0);
	assert_int_equal(two.blocks, one.blocks);
	assert_true(fabs(one.inverse.mean - two.inverse.mean) < 1e-6);
	assert_true(fabs(one.inverse.low - two.inverse.low) < 1e-6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_estimates_are_right_within_their_intervals),
		cmocka_unit_test(what_was_never_tried_is_not_judged),
		cmocka_unit_test(a_recording_that_is_too_short_is_refused),
		cmocka_unit_test(sessions_and_order_do_not_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
