// SPDX-License-Identifier: GPL-2.0
/* src/sim/contenders.c: what is compared is what its name says. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/sim/contenders.h"

static struct sim_machine machine_of(const char *name, uint32_t times)
{
	struct sim_machine m;

	assert_int_equal(sim_machine_parse(&m, name, NULL), 0);
	for (uint32_t d = 0; d < SIM_DISTANCES; d++)
		m.costs.refill_per_kib[d] *= times;
	return m;
}

/* One run; how often each mechanism acted in @uses, if it is not NULL. */
static struct sim_results run(const struct sim_machine *machine, const char *workload,
			      const char *name, uint64_t *uses)
{
	struct sim_results results = { 0 };
	struct sim_contender c;
	struct sim_options options;
	struct sim_workload w;
	struct sim *s;

	assert_int_equal(sim_contender_find(&c, name, NULL), 0);
	assert_int_equal(sim_workload_make(&w, workload, machine->n_cpus, NULL), 0);
	options = sim_contender_options(&c, 600 * SIM_S);
	s = sim_new(machine, &w, c.policy, &options, 2, &results);
	assert_non_null(s);
	assert_int_equal(sim_run(s, SIM_NEVER - 1), 1);
	for (uint32_t i = 0; uses && i < MLS_POLICY_MECHANISMS; i++)
		uses[i] = s->mechanisms[i];
	sim_free(s);
	return results;
}

static void every_contender_has_a_name_and_says_what_it_is(void **state)
{
	struct mlsched_error err;
	struct sim_contender c;
	uint32_t i;

	(void)state;
	assert_int_equal(sim_contender_find(&c, "nobody", &err), -EINVAL);
	for (i = 0; sim_contender_name(i); i++) {
		assert_int_equal(sim_contender_find(&c, sim_contender_name(i), NULL), 0);
		assert_string_equal(c.name, sim_contender_name(i));
		assert_true(strlen(sim_contender_about(i)) > 5);
		assert_non_null(strstr(err.message, sim_contender_name(i)));
	}
	assert_in_range(i, 12, 100);
	assert_null(sim_contender_about(i));
}

/*
 * The bound is EEVDF where nothing is to be refilled and no memory is far: the same run as
 * on a machine on which that costs nothing, to the bit.
 */
static void the_bound_is_eevdf_without_refills(void **state)
{
	static const char *const workloads[] = { "make", "message", "mixed" };
	struct sim_machine machine = machine_of("8c4l2n", 10), none = machine;

	(void)state;
	memset(none.costs.refill_per_kib, 0, sizeof(none.costs.refill_per_kib));
	none.costs.remote_percent = 0;
	for (int i = 0; i < 3; i++) {
		struct sim_results bound = run(&machine, workloads[i], "eevdf-free", NULL);
		struct sim_results free = run(&none, workloads[i], "eevdf", NULL);
		struct sim_results dear = run(&machine, workloads[i], "eevdf", NULL);

		assert_memory_equal(&bound, &free, sizeof(bound));
		assert_int_equal(bound.sum.refill, 0);
		assert_true(dear.sum.refill > SIM_MS);
		assert_true(bound.makespan < dear.makespan);
	}
}

/* The dearer caches are, the more it refuses; where they cost nothing it takes what spares a wait. */
static void hysteresis_weighs_waiting_against_refills(void **state)
{
	double taken[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		static const uint32_t times[] = { 1, 10, 100 };
		struct sim_machine machine = machine_of("8c2l", times[i]);
		struct sim_results r = run(&machine, "message", "hysteresis", NULL);
		uint64_t asked = 0, accepted = 0;

		for (int kind = 0; kind < MLS_POLICY_KINDS; kind++) {
			asked += r.decisions[kind];
			accepted += r.accepted[kind];
		}
		assert_true(asked > 100);
		taken[i] = (double)accepted / (double)asked;
	}
	assert_true(taken[0] > taken[1]);
	assert_true(taken[1] > taken[2] + 0.2);
}

static void mechanisms_are_those_of_the_name(void **state)
{
	struct sim_machine machine = machine_of("8c2l", 1);
	uint64_t none[MLS_POLICY_MECHANISMS], all[MLS_POLICY_MECHANISMS];
	struct sim_results free, near;

	(void)state;
	run(&machine, "mixed", "base", none);
	free = run(&machine, "mixed", "mechanisms", all);
	near = run(&machine, "mixed", "mechanisms-refuse-llc", NULL);
	for (int i = 0; i < MLS_POLICY_MECHANISMS; i++)
		assert_int_equal(none[i], 0);
	assert_true(all[MLS_POLICY_PREEMPT_SHORT] > 0);
	assert_true(near.accepted[MLS_POLICY_STEAL] < near.decisions[MLS_POLICY_STEAL]);
	assert_int_equal(free.accepted[MLS_POLICY_STEAL], free.decisions[MLS_POLICY_STEAL]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_contender_has_a_name_and_says_what_it_is),
		cmocka_unit_test(the_bound_is_eevdf_without_refills),
		cmocka_unit_test(hysteresis_weighs_waiting_against_refills),
		cmocka_unit_test(mechanisms_are_those_of_the_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
