// SPDX-License-Identifier: GPL-2.0
/* src/sim/policy_rusty.c: the documented rules of scx_rusty, each on a workload made for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/sim_world.h"

#define SECONDS (1000 * SIM_S)

static const struct sim_options plain = { .limit = SECONDS };

static struct sim *start(void)
{
	struct sim *s =
		sim_new(&world.machine, &world.workload, &sim_policy_rusty, &plain, 1, NULL);

	assert_non_null(s);
	return s;
}

static void run_until(struct sim *s, uint64_t time)
{
	assert_int_equal(sim_run(s, time), 0);
}

static uint32_t domain_of(const struct sim *s, uint32_t task)
{
	return s->tasks[task].policy.rusty.domain;
}

/* Made on one CPU, eight tasks are dealt to four domains in turn, and tied ones are not. */
static void new_tasks_are_dealt_to_the_domains_in_turn(void **state)
{
	struct sim *s;

	(void)state;
	world_machine("8c4l2n");
	world_program(0, 100, SIM_S, 0, 1);
	world_tasks(0, 8, 0);
	world_tasks(0, 3, 2);
	s = start();
	for (uint32_t i = 0; i < 8; i++)
		assert_int_equal(domain_of(s, i), (i + 1) % 4);
	for (uint32_t i = 8; i < 11; i++)
		assert_int_equal(domain_of(s, i), 1);
	sim_free(s);
}

/*
 * The queue is in the order of deadlines.  All sleep as long, and are owed as much when
 * they wake up: those that run for short times are served first.
 */
static void short_tasks_have_early_deadlines(void **state)
{
	uint64_t behind[2] = { 0 };
	struct sim *s;

	(void)state;
	world_machine("1c1l");
	world_program(0, 100, 10 * SIM_MS, 30 * SIM_MS, 1000000);
	world_program(1, 100, 200 * SIM_US, 30 * SIM_MS, 1000000);
	world_tasks(0, 8, 0);
	world_tasks(1, 2, 0);
	s = start();
	run_until(s, 10 * SIM_S);
	for (uint32_t i = 0; i < 10; i++)
		behind[i >= 8] +=
			s->tasks[i].policy.rusty.deadline - s->tasks[i].policy.rusty.vtime;
	assert_true(behind[0] / 8 > 10 * SIM_MS);
	assert_true(behind[1] / 2 < SIM_MS + SIM_MS / 2);
	/* Of 331 turns nearly all: they wait for one turn of another at most. */
	assert_true(s->tasks[8].times[0] > 304 && s->tasks[9].times[0] > 304);
	sim_free(s);
}

/*
 * 20 ms while some CPU is idle; 1 ms, which is the next tick of 4 ms, when none has been
 * for 100 ms.  A task with its CPU to itself is not switched at all.
 */
static void turns_are_short_on_a_busy_machine(void **state)
{
	uint64_t switches;
	struct sim *s;

	(void)state;
	world_machine("1c1l");
	world_program(0, 100, SECONDS, 0, 1);
	world_tasks(0, 3, 0);
	s = start();
	run_until(s, 99 * SIM_MS);
	assert_in_range(s->sum.switches, 5, 6); /* 0, 20, 40, 60, 80 ms */
	run_until(s, 200 * SIM_MS);
	switches = s->sum.switches;
	run_until(s, 1200 * SIM_MS);
	assert_in_range(s->sum.switches - switches, 248, 252);
	sim_free(s);

	/* The other node's CPU is idle and may not help: turns stay long. */
	world_machine("2c2l2n");
	world_program(0, 100, SECONDS, 0, 1);
	world_tasks(0, 3, 1);
	s = start();
	run_until(s, 200 * SIM_MS);
	switches = s->sum.switches;
	run_until(s, 1200 * SIM_MS);
	assert_in_range(s->sum.switches - switches, 49, 51);
	sim_free(s);

	world_machine("1c1l");
	world_program(0, 100, SECONDS, 0, 1);
	world_tasks(0, 1, 0);
	s = start();
	run_until(s, SIM_S);
	assert_int_equal(s->sum.switches, 1);
	sim_free(s);
}

/* No queue belongs to a CPU: three tasks wander over the two CPUs of their domain. */
static void the_queue_is_of_all_cpus_of_a_domain(void **state)
{
	struct sim *s;

	(void)state;
	world_machine("2c1l");
	world_program(0, 100, SECONDS, 0, 1);
	world_tasks(0, 3, 0);
	s = start();
	run_until(s, 3 * SIM_S);
	sim_settle(s, 3 * SIM_S);
	assert_in_range(sim_moves(&s->sum, SIM_NEAR), 300, 2000);
	for (uint32_t i = 0; i < 3; i++)
		assert_in_range(s->tasks[i].ran, 1950 * SIM_MS, 2050 * SIM_MS);
	sim_free(s);
}

/* A CPU without work takes tasks of other domains of its node, and of no other node. */
static void greed_ends_at_the_node(void **state)
{
	uint64_t far[2];

	(void)state;
	for (int nodes = 1; nodes <= 2; nodes++) {
		struct sim *s;

		world_machine(nodes == 1 ? "4c2l" : "4c2l2n");
		/* Those of domain 1 are done after 10 ms; the others wait for one of two CPUs. */
		world_program(0, 100, 10 * SIM_MS, 0, 1);
		world_program(1, 100, SIM_S, 0, 1);
		for (int i = 0; i < 4; i++) {
			world_tasks(0, 1, 0);
			world_tasks(1, 1, 0);
		}
		s = start();
		run_until(s, SIM_S);
		far[nodes - 1] = sim_moves(&s->sum, SIM_NODE);
		for (uint32_t i = 0; i < 8; i++)
			assert_int_equal(domain_of(s, i), (i + 1) % 2); /* still its own */
		sim_free(s);
	}
	assert_true(far[0] >= 2);
	assert_int_equal(far[1], 0);
}

/* Who wakes up finds its own CPU, if idle, and stays there for ever. */
static void an_idle_cpu_of_its_own_comes_first(void **state)
{
	struct sim *s;

	(void)state;
	world_machine("4c2l");
	world_program(0, 100, SIM_MS, 3 * SIM_MS, 200);
	world_tasks(0, 4, 0);
	s = start();
	assert_int_equal(sim_run(s, SIM_NEVER - 1), 1);
	assert_int_equal(sim_moves(&s->sum, SIM_NEAR), 0);
	sim_free(s);
}

/*
 * Its own CPU is taken: a task is put onto an idle one of another domain, at once, where
 * that domain was less than 90 % busy of late.
 */
static void tasks_go_directly_to_domains_with_little_to_do(void **state)
{
	struct sim_results *results = calloc(1, sizeof(*results));
	struct sim *s;

	(void)state;
	assert_non_null(results);
	world_machine("2c2l");
	world_program(0, 100, SECONDS, 0, 1);
	world_program(1, 100, 200 * SIM_US, 5 * SIM_MS, 400);
	world_tasks(0, 1, 2); /* has the second domain to itself */
	world_tasks(1, 2, 0);
	s = sim_new(&world.machine, &world.workload, &sim_policy_rusty, &plain, 1, results);
	assert_non_null(s);
	assert_int_equal(sim_run(s, 1500 * SIM_MS), 0);
	/* One of them is of the busy domain: without that it would wait for 20 ms each time. */
	assert_int_not_equal(domain_of(s, 1), domain_of(s, 2));
	assert_true(s->cpus[0].policy.rusty.direct);
	assert_false(s->cpus[1].policy.rusty.direct);
	assert_true(sim_durations_at(&results->wakeup, 0.9) < SIM_MS);
	sim_free(s);
	free(results);
}

/* Nobody is preempted: a short task waits for the end of a long one's turn. */
static void nobody_is_preempted(void **state)
{
	struct sim_results *results = calloc(1, sizeof(*results));
	struct sim *s;

	(void)state;
	assert_non_null(results);
	world_machine("1c1l");
	world_program(0, 100, SECONDS, 0, 1);
	world_program(1, 100, 100 * SIM_US, 50 * SIM_MS, 100);
	world_tasks(0, 1, 0);
	world_tasks(1, 1, 0);
	s = sim_new(&world.machine, &world.workload, &sim_policy_rusty, &plain, 1, results);
	assert_non_null(s);
	assert_int_equal(sim_run(s, 4 * SIM_S), 0);
	assert_true(sim_durations_at(&results->wakeup, 0.5) > SIM_MS);
	sim_free(s);
	free(results);
}

/*
 * The balancer acts each 2 s: six tasks that always run in one of two nodes become three
 * and three, and nothing is moved before.
 */
static void nodes_are_balanced_each_two_seconds(void **state)
{
	uint32_t there = 0;
	struct sim *s;

	(void)state;
	world_machine("4c2l2n");
	/* Every other one ends at once: what remains is of one domain. */
	world_program(0, 100, SIM_MS, 0, 1);
	world_program(1, 100, 30 * SIM_MS, SIM_MS, 1000000);
	for (int i = 0; i < 6; i++) {
		world_tasks(0, 1, 0);
		world_tasks(1, 1, 0);
	}
	s = start();
	run_until(s, 1990 * SIM_MS);
	for (uint32_t i = 1; i < 12; i += 2)
		assert_int_equal(domain_of(s, i), 0);
	assert_int_equal(sim_moves(&s->sum, SIM_NODE), 0);
	run_until(s, 8 * SIM_S);
	for (uint32_t i = 1; i < 12; i += 2)
		there += domain_of(s, i);
	assert_in_range(there, 2, 3);
	assert_true(sim_moves(&s->sum, SIM_FAR) >= 2);
	sim_free(s);
}

/* Loads that are off by less than 17 % are left alone: seven tasks against six, 8 %. */
static void balanced_nodes_are_left_alone(void **state)
{
	struct sim *s;

	(void)state;
	world_machine("4c2l2n");
	world_program(0, 100, 30 * SIM_MS, SIM_MS, 1000000);
	world_tasks(0, 13, 0);
	s = start();
	run_until(s, 10 * SIM_S);
	assert_int_equal(sim_moves(&s->sum, SIM_FAR), 0);
	sim_free(s);
}

/* An affinity that is opened deals the tasks anew: the load called imbalance is none for it. */
static void opened_affinity_picks_a_domain_anew(void **state)
{
	uint32_t in[2] = { 0 };
	struct sim *s;

	(void)state;
	world_machine("4c2l");
	world.workload.programs[0] = (struct sim_program){
		.name = "test", .code = world.workload.code, .kib = 64, .weight = 100
	};
	world.workload.code[0] = (struct sim_instruction){ .op = SIM_RUN, .mean = SIM_MS };
	world.workload.code[1] = (struct sim_instruction){ .op = SIM_UNTIE };
	world.workload.code[2] = (struct sim_instruction){ .op = SIM_RUN, .mean = 10 * SIM_S };
	world.workload.code[3] = (struct sim_instruction){ .op = SIM_EXIT };
	world_tasks(0, 8, 1);
	s = start();
	for (uint32_t i = 0; i < 8; i++)
		assert_int_equal(domain_of(s, i), 0);
	run_until(s, SIM_S);
	for (uint32_t i = 0; i < 8; i++)
		in[domain_of(s, i)]++;
	assert_int_equal(in[0], 4);
	assert_int_equal(in[1], 4);
	sim_free(s);
}

/* A whole idle core comes before a thread beside a busy one. */
static void whole_cores_come_first(void **state)
{
	struct sim *s;

	(void)state;
	world_machine("4c1l2t");
	world_program(0, 100, SIM_S, 0, 1);
	world_tasks(0, 2, 0);
	s = start();
	assert_int_not_equal(s->tasks[0].cpu / 2, s->tasks[1].cpu / 2);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_tasks_are_dealt_to_the_domains_in_turn),
		cmocka_unit_test(short_tasks_have_early_deadlines),
		cmocka_unit_test(turns_are_short_on_a_busy_machine),
		cmocka_unit_test(the_queue_is_of_all_cpus_of_a_domain),
		cmocka_unit_test(greed_ends_at_the_node),
		cmocka_unit_test(an_idle_cpu_of_its_own_comes_first),
		cmocka_unit_test(tasks_go_directly_to_domains_with_little_to_do),
		cmocka_unit_test(nobody_is_preempted),
		cmocka_unit_test(nodes_are_balanced_each_two_seconds),
		cmocka_unit_test(balanced_nodes_are_left_alone),
		cmocka_unit_test(opened_affinity_picks_a_domain_anew),
		cmocka_unit_test(whole_cores_come_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
