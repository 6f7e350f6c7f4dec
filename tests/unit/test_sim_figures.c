// SPDX-License-Identifier: GPL-2.0
/* src/sim/figures.c: paired differences and how sure they are. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "src/sim/figures.h"

static void near(double found, double expected)
{
	if (fabs(found - expected) > 1e-6 * (1 + fabs(expected)))
		fail_msg("%.9g, expected %.9g", found, expected);
}

static struct sim_results *runs(const uint64_t *ms, uint32_t n)
{
	struct sim_results *r = calloc(n, sizeof(*r));

	assert_non_null(r);
	for (uint32_t i = 0; i < n; i++)
		r[i].makespan = ms[i] * 1000000;
	return r;
}

/*
 * Differences of -10, -20 and -30 ms against a mean of 200: -10 %, with a deviation of 10
 * ms and Student's 4.303 at two degrees of freedom.
 */
static void differences_are_paired_and_students(void **state)
{
	static const uint64_t before[] = { 100, 200, 300 }, after[] = { 90, 180, 270 };
	struct sim_results *a = runs(before, 3), *b = runs(after, 3);
	struct sim_change c = sim_change(b, a, 3, SIM_MAKESPAN);
	double half = 4.303 * 10 / sqrt(3) / 2;

	(void)state;
	near(c.mean, -10);
	near(c.low, -10 - half);
	near(c.high, -10 + half);
	/* Of a figure with itself nothing is left to doubt. */
	c = sim_change(a, a, 3, SIM_MAKESPAN);
	near(c.mean, 0);
	near(c.low, 0);
	near(c.high, 0);
	free(a);
	free(b);
}

static void what_cannot_be_compared_is_unbounded(void **state)
{
	static const uint64_t ms[] = { 100, 200 };
	struct sim_results *a = runs(ms, 2), *b = runs(ms, 2);
	struct sim_change c = sim_change(b, a, 1, SIM_MAKESPAN);

	(void)state;
	near(c.mean, 0);
	assert_true(isinf(c.low) && c.low < 0 && isinf(c.high) && c.high > 0);
	/* No moves before, and some now. */
	b[0].sum.moves[SIM_MOVED_STEAL][SIM_NEAR] = 3;
	c = sim_change(b, a, 2, SIM_MOVES);
	assert_true(isinf(c.mean) && c.mean > 0 && isinf(c.low));
	free(a);
	free(b);
}

/* Student's quantile at the end of the table and behind it, against published ones. */
static void the_quantile_goes_on_behind_the_table(void **state)
{
	static const struct {
		uint32_t n;
		double t;
	} cases[] = { { 21, 2.086 }, { 22, 2.080 }, { 61, 2.000 }, { 1001, 1.962 } };

	(void)state;
	for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
		uint32_t n = cases[k].n;
		struct sim_results *a = calloc(n, sizeof(*a)), *b = calloc(n, sizeof(*b));
		double squares = 0, half;
		struct sim_change c;

		assert_true(a && b);
		for (uint32_t i = 0; i < n; i++) {
			a[i].makespan = 100000000;
			b[i].makespan = 100000000 + i * 1000000;
		}
		c = sim_change(b, a, n, SIM_MAKESPAN);
		for (uint32_t i = 0; i < n; i++)
			squares += (i - c.mean) * (i - c.mean);
		half = sqrt(squares / (n - 1) / n);
		if (fabs((c.high - c.mean) / half - cases[k].t) > 0.001)
			fail_msg("%u: %.4f, expected %.3f", n - 1, (c.high - c.mean) / half,
				 cases[k].t);
		free(a);
		free(b);
	}
}

static void figures_are_those_of_the_run(void **state)
{
	struct sim_results *r = calloc(1, sizeof(*r));

	(void)state;
	assert_non_null(r);
	r->makespan = 1234567890;
	r->sum.refill = 5000000;
	r->sum.moves[SIM_MOVED_WAKEUP][SIM_NEAR] = 1;
	r->sum.moves[SIM_MOVED_STEAL][SIM_NODE] = 10;
	r->sum.moves[SIM_MOVED_BALANCE][SIM_FAR] = 100;
	r->sum.moves[SIM_MOVED_FORK][SIM_FAR] = 1000; /* no migration */
	for (uint64_t i = 1; i <= 100; i++) {
		sim_durations_add(&r->wakeup, i * 100000);
		sim_durations_add(&r->wait, i * 1000000);
	}
	near(sim_figure(r, SIM_MAKESPAN), 1234.56789);
	near(sim_figure(r, SIM_REFILL), 5);
	near(sim_figure(r, SIM_MOVES), 111);
	near(sim_figure(r, SIM_MOVES_LLC), 110);
	near(sim_figure(r, SIM_MOVES_NODE), 100);
	/* Buckets are 3 % wide. */
	assert_true(fabs(sim_figure(r, SIM_WAKEUP_P50) - 5.1) < 0.2);
	assert_true(fabs(sim_figure(r, SIM_WAKEUP_P99) - 10) < 0.3);
	assert_true(fabs(sim_figure(r, SIM_WAIT_P99) - 100) < 3);
	near(sim_figure(r, SIM_LONGEST), 100);
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(differences_are_paired_and_students),
		cmocka_unit_test(what_cannot_be_compared_is_unbounded),
		cmocka_unit_test(the_quantile_goes_on_behind_the_table),
		cmocka_unit_test(figures_are_those_of_the_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
