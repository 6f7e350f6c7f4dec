// SPDX-License-Identifier: GPL-2.0
/* src/sim: the rules of the simulated schedulers, each on a workload made for it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/sim/contenders.h"
#include "src/util/array.h"
#include "tests/lib/sim_world.h"

static const struct sim_options plain = { .limit = 100 * SIM_S };
static const struct sim_policy *const policies[] = { &sim_policy_eevdf, &sim_policy_mlsched,
						     &sim_policy_rusty };

static struct sim *start(const struct sim_policy *policy, struct sim_results *results)
{
	struct sim *s = sim_new(&world.machine, &world.workload, policy, &plain, 1, results);

	assert_non_null(s);
	return s;
}

/* Weights of 300, 100 and 50 on one CPU: it is shared by them, under both. */
static void a_cpu_is_shared_by_weights(void **state)
{
	static const uint32_t weights[] = { 300, 100, 50 };

	(void)state;
	for (int p = 0; p < 2; p++) {
		struct sim *s;

		world_machine("1c1l");
		for (uint32_t i = 0; i < 3; i++) {
			world_program(i, weights[i], 100 * SIM_S, 0, 1);
			world_tasks((uint16_t)i, 1, 0);
		}
		s = start(policies[p], NULL);
		assert_int_equal(sim_run(s, 9 * SIM_S), 0);
		sim_settle(s, 9 * SIM_S);
		for (uint32_t i = 0; i < 3; i++) {
			double share = (double)s->tasks[i].ran / (9.0 * (double)SIM_S);

			if (fabs(share - weights[i] / 450.0) > 0.01)
				fail_msg("%s: weight %u has %.3f of the CPU", policies[p]->name,
					 weights[i], share);
		}
		sim_free(s);
	}
}

/*
 * A base slice of 0.7 ms on one CPU ends with the next tick of HZ=250; our slice of 2.1 ms
 * does, too: equals take turns of 4 ms.
 */
static void turns_end_with_a_tick(void **state)
{
	(void)state;
	for (int p = 0; p < 2; p++) {
		struct sim *s;
		uint64_t switches;

		world_machine("1c1l");
		world_program(0, 100, 100 * SIM_S, 0, 1);
		world_tasks(0, 3, 0);
		s = start(policies[p], NULL);
		assert_int_equal(sim_run(s, SIM_S), 0);
		switches = s->sum.switches;
		assert_int_equal(sim_run(s, 5 * SIM_S), 0);
		assert_in_range(s->sum.switches - switches, 999, 1001);
		sim_free(s);
	}
}

/* As many tasks as CPUs, made on one of them: each gets one, and none moves after that. */
static void new_tasks_find_the_idle_cpus(void **state)
{
	(void)state;
	for (int p = 0; p < 2; p++) {
		bool taken[8] = { false };
		struct sim *s;

		world_machine("8c2l2n");
		world_program(0, 100, SIM_S, 0, 1);
		world_tasks(0, 8, 0);
		s = start(policies[p], NULL);
		assert_int_equal(sim_run(s, SIM_S / 2), 0);
		for (uint32_t i = 0; i < 8; i++) {
			assert_false(taken[s->tasks[i].cpu]);
			taken[s->tasks[i].cpu] = true;
		}
		assert_int_equal(sim_moves(&s->sum, SIM_NEAR), 0);
		assert_int_equal(sim_run(s, SIM_NEVER - 1), 1);
		assert_int_equal(s->ended, SIM_S);
		sim_free(s);
	}
}

/* A task that sleeps and finds its CPU idle stays there for ever. */
static void a_task_with_an_idle_cpu_stays(void **state)
{
	(void)state;
	for (int p = 0; p < 3; p++) {
		struct sim *s;

		world_machine("4c2l");
		world_program(0, 100, SIM_MS, 3 * SIM_MS, 200);
		world_tasks(0, 4, 0);
		s = start(policies[p], NULL);
		assert_int_equal(sim_run(s, SIM_NEVER - 1), 1);
		assert_int_equal(sim_moves(&s->sum, SIM_NEAR), 0);
		sim_free(s);
	}
}

/* Four tasks tied to a cache with two of four CPUs leave the others idle: affinity. */
static void ties_are_kept(void **state)
{
	(void)state;
	for (int p = 0; p < 3; p++) {
		struct sim *s;

		world_machine("4c2l");
		world_program(0, 100, 100 * SIM_MS, SIM_MS, 5);
		world_tasks(0, 4, 2);
		s = start(policies[p], NULL);
		while (sim_step(s) == 0) {
			assert_int_equal(s->cpus[0].current, SIM_NONE);
			assert_int_equal(s->cpus[1].current, SIM_NONE);
		}
		assert_true(s->ended >= SIM_S);
		assert_true(s->ended < SIM_S + 100 * SIM_MS);
		sim_free(s);
	}
}

/*
 * newidle_balance(): a CPU whose task is done takes one that waits, if it is idle for
 * longer than looking costs; one that ran within 0.5 ms is hot and stays.
 */
static void an_eevdf_cpu_without_work_pulls(void **state)
{
	struct sim *s;

	(void)state;
	world_machine("2c1l");
	world_program(0, 100, 100 * SIM_MS, 0, 1);
	world_tasks(0, 4, 0);
	world_program(1, 100, 50 * SIM_MS, 0, 1);
	s = start(&sim_policy_eevdf, NULL);
	assert_int_equal(sim_run(s, SIM_NEVER - 1), 1);
	/* Four times 100 ms on two CPUs, and nothing is lost but what is hot. */
	assert_in_range(s->ended, 200 * SIM_MS, 208 * SIM_MS);
	sim_free(s);

	world_machine("2c1l");
	world.machine.costs.balance = 2000000;
	world_program(0, 100, 100 * SIM_MS, 0, 1);
	world_program(1, 100, 10 * SIM_MS, 0, 1);
	world_tasks(0, 3, 0);
	world_tasks(1, 1, 0);
	s = start(&sim_policy_eevdf, NULL);
	assert_int_equal(sim_run(s, SIM_NEVER - 1), 1);
	/* Where looking costs more than it is ever idle, nobody looks. */
	assert_int_equal(s->sum.moves[SIM_MOVED_STEAL][SIM_NEAR], 0);
	sim_free(s);
}

/* wake_affine() and select_idle_sibling(): a task is woken to an idle CPU of its cache. */
static void eevdf_wakes_to_an_idle_cpu_of_the_cache(void **state)
{
	struct sim_results *results = calloc(1, sizeof(*results));
	struct sim *s;

	(void)state;
	assert_non_null(results);
	world_machine("4c2l");
	/* Three that always run leave one CPU; the sleepers of both caches find it or wait. */
	world_program(0, 100, 10 * SIM_S, 0, 1);
	world_program(1, 100, 100 * SIM_US, SIM_MS, 1000);
	world_tasks(0, 3, 0);
	world_tasks(1, 1, 0);
	s = start(&sim_policy_eevdf, results);
	assert_int_equal(sim_run(s, SIM_S), 0);
	/* It has the fourth CPU to itself. */
	assert_true(sim_durations_at(&results->wakeup, 0.99) < 10 * SIM_US);
	sim_free(s);
	free(results);
}

/*
 * A task that slept for long and wakes up where nobody runs is not owed the time for which it
 * slept: who wakes up beside it waits as long as its weight says, not until it has caught up.
 */
static void who_starts_at_once_is_owed_no_more_than_others(void **state)
{
	struct sim_results *results = calloc(1, sizeof(*results));
	struct sim *s;

	(void)state;
	assert_non_null(results);
	world_machine("1c1l");
	/* Of the CPU's time half is nobody's: heavy ones often wake up in that half. */
	world_program(0, 300, 100 * SIM_MS, 997 * SIM_MS, 20);
	world_program(1, 100, 4 * SIM_MS, 4 * SIM_MS, 2500);
	world_tasks(0, 1, 0);
	world_tasks(1, 1, 0);
	s = start(&sim_policy_mlsched, results);
	assert_int_equal(sim_run(s, SIM_NEVER - 1), 1);
	/* A turn of 4 ms, three times one for three times the weight, one begun before. */
	assert_in_range(results->wakeup.longest, 4 * SIM_MS, 16 * SIM_MS);
	sim_free(s);
	free(results);
}

/* Threads of a core share it: two busy ones have 60 % of its speed each. */
static void siblings_share_a_core(void **state)
{
	(void)state;
	for (int p = 0; p < 3; p++) {
		struct sim *s;

		world_machine("2c1l2t");
		/* world_machine() takes the default of a name without "t": 2 threads here. */
		assert_int_equal(world.machine.threads, 2);
		world_program(0, 100, 60 * SIM_MS, 0, 1);
		world_tasks(0, 2, 0);
		s = start(policies[p], NULL);
		assert_int_equal(sim_run(s, SIM_NEVER - 1), 1);
		assert_in_range(s->ended, 100 * SIM_MS - SIM_US, 101 * SIM_MS);
		sim_free(s);
	}
}

/* A task that finds nothing of its working set owes the time for it, and no more. */
static void a_move_costs_what_the_caches_say(void **state)
{
	struct sim *s;

	(void)state;
	world_machine("2c2l");
	world.machine.costs.refill_per_kib[SIM_NODE] = 500;
	world_program(0, 100, 50 * SIM_MS, 0, 1);
	world.workload.programs[0].kib = 1000;
	world_tasks(0, 3, 0);
	s = start(&sim_policy_mlsched, NULL);
	assert_int_equal(sim_run(s, SIM_NEVER - 1), 1);
	/* Each move between the caches costs 1000 KiB times 0.5 us, what is displaced less. */
	if (sim_moves(&s->sum, SIM_NODE))
		assert_true(s->sum.refill >= 500 * SIM_US);
	assert_int_equal(s->sum.useful, 150 * SIM_MS);
	sim_free(s);
}

/* Three equal tasks on two CPUs: each has as much time as the others in the end, for few moves. */
static void tasks_take_turns_where_queues_cannot_be_level(void **state)
{
	static const char *const machines[] = { "2c1l", "2c2l" };

	(void)state;
	for (int i = 0; i < 2; i++) {
		u64 least = UINT64_MAX, most = 0;
		struct sim *s;

		world_machine(machines[i]);
		world_program(0, 100, 100 * SIM_S, 0, 1);
		world_tasks(0, 3, 0);
		s = start(&sim_policy_mlsched, NULL);
		assert_int_equal(sim_run(s, 12 * SIM_S), 0);
		for (u32 t = 0; t < 3; t++) {
			u64 ran = s->tasks[t].policy.mls.ran;

			least = ran < least ? ran : least;
			most = ran > most ? ran : most;
		}
		/* By weight alone, 3 s for two of them and 12 for the third. */
		assert_true(least > 9 * most / 10);
		/* One move for each time that it has lasted. */
		assert_in_range(sim_moves(&s->sum, SIM_NEAR), 40,
				12 * SIM_S / (MLS_POLICY_UNFAIR * 10 * SIM_MS));
		sim_free(s);
	}
}

/* Far queues are level in the end, be one longer by two or heavier. */
static void far_queues_are_levelled_when_it_lasts(void **state)
{
	struct sim *s;

	(void)state;
	/* Three that end leave one task to one CPU, and three to the other. */
	world_machine("2c2l");
	world_program(0, 100, SIM_S, 0, 1);
	world_program(1, 100, 100 * SIM_S, 0, 1);
	world_tasks(0, 3, 1);
	world_tasks(1, 4, 0);
	s = start(&sim_policy_mlsched, NULL);
	assert_int_equal(sim_run(s, 10 * SIM_S), 0);
	assert_int_equal(s->cpus[0].queue.n, 1);
	assert_int_equal(s->cpus[1].queue.n, 1);
	sim_free(s);

	world_machine("2c2l");
	world_program(0, 100, 100 * SIM_S, 0, 1);
	world_program(1, 300, 100 * SIM_S, 0, 1);
	world_tasks(0, 2, 1);
	world_tasks(1, 2, 0);
	s = start(&sim_policy_mlsched, NULL);
	assert_int_equal(sim_run(s, 50 * SIM_MS), 0);
	assert_int_equal(s->tasks[2].cpu, 1);
	assert_int_equal(s->tasks[3].cpu, 1);
	assert_int_equal(sim_run(s, 2 * SIM_S), 0);
	assert_true(s->tasks[2].cpu != s->tasks[3].cpu);
	sim_free(s);
}

/*
 * A model that refuses everything, and tasks that begin on one CPU and wait there for less than
 * the limit: the idle ones have one each by the safety rule, whatever their number.
 */
static void who_is_kept_from_work_has_some_in_the_end(void **state)
{
	static const char *const machines[] = { "6c1l", "8c1l", "12c1l", "8c2l", "16c2l2n" };
	struct sim_contender refuse;
	struct sim_options options;
	struct mlsched_error err;

	(void)state;
	assert_int_equal(sim_contender_find(&refuse, "refuse", &err), 0);
	options = sim_contender_options(&refuse, plain.limit);
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
		struct sim *s;

		world_machine(machines[i]);
		world_program(0, 100, 100 * SIM_S, 0, 1);
		world_tasks(0, 6, 0);
		s = sim_new(&world.machine, &world.workload, refuse.policy, &options, 1, NULL);
		assert_non_null(s);
		assert_int_equal(sim_run(s, 2 * SIM_S), 0);
		for (u32 cpu = 0; cpu < world.machine.n_cpus; cpu++)
			if (s->cpus[cpu].queue.n)
				fail_msg("%s: %u tasks wait on CPU %u", machines[i],
					 s->cpus[cpu].queue.n, cpu);
		sim_free(s);
	}
}

/* How many tasks of one queue were offered at the same moment, and whether they were different ones. */
struct offers {
	u64 when;
	u32 src, dst, task, n, most;
	bool same;
};

static int refuse_all(void *context, struct sim *s, const struct sim_decision *d)
{
	struct offers *o = context;

	if (d->kind != MLS_POLICY_STEAL)
		return 0;
	if (o->n && o->when == s->now && o->src == d->src && o->dst == d->dst) {
		o->same |= o->task == d->task;
		o->n++;
	} else {
		o->n = 1;
	}
	o->when = s->now;
	o->src = d->src;
	o->dst = d->dst;
	o->task = d->task;
	o->most = o->n > o->most ? o->n : o->most;
	return 0;
}

/* One that is refused is not the end of it: the next has been waiting for longer, or sleeps more. */
static void tasks_of_a_queue_are_offered_in_turn(void **state)
{
	struct sim_options options = plain;
	struct offers offers = { 0 };
	struct sim *s;

	(void)state;
	options.decide = refuse_all;
	options.context = &offers;
	world_machine("2c1l");
	world_program(0, 100, 100 * SIM_S, 0, 1);
	world_tasks(0, 6, 0);
	s = sim_new(&world.machine, &world.workload, &sim_policy_mlsched, &options, 1, NULL);
	assert_non_null(s);
	assert_int_equal(sim_run(s, 50 * SIM_MS), 0);
	assert_int_equal(offers.most, MLS_POLICY_CANDIDATES);
	assert_false(offers.same);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cpu_is_shared_by_weights),
		cmocka_unit_test(turns_end_with_a_tick),
		cmocka_unit_test(new_tasks_find_the_idle_cpus),
		cmocka_unit_test(a_task_with_an_idle_cpu_stays),
		cmocka_unit_test(ties_are_kept),
		cmocka_unit_test(an_eevdf_cpu_without_work_pulls),
		cmocka_unit_test(eevdf_wakes_to_an_idle_cpu_of_the_cache),
		cmocka_unit_test(who_starts_at_once_is_owed_no_more_than_others),
		cmocka_unit_test(siblings_share_a_core),
		cmocka_unit_test(a_move_costs_what_the_caches_say),
		cmocka_unit_test(tasks_take_turns_where_queues_cannot_be_level),
		cmocka_unit_test(far_queues_are_levelled_when_it_lasts),
		cmocka_unit_test(who_is_kept_from_work_has_some_in_the_end),
		cmocka_unit_test(tasks_of_a_queue_are_offered_in_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
