// SPDX-License-Identifier: GPL-2.0
/*
 * src/sim/policy_eevdf.c: the rules of kernel/sched/fair.c by which tasks are placed and
 * moved, each in a scene made for it, on both sides of its bound.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/sim/cpus.h"
#include "src/util/array.h"
#include "tests/lib/sim_world.h"

#define MIGRATION_COST (500 * SIM_US) /* sysctl_sched_migration_cost: who ran later is hot */
#define FULL           1023 /* the load of a task that is always runnable */

static const struct sim_options plain = { .limit = 100 * SIM_S };

/* ---- scenes ------------------------------------------------------------------------ */

/* All tasks have slept for ten seconds, all CPUs are idle, and it is a tick. */
static struct sim *scene(const char *machine, u32 n_tasks)
{
	struct sim *s;

	world_machine(machine);
	world_program(0, 100, SIM_US, 1000 * SIM_S, 1);
	world_tasks(0, n_tasks, 0);
	s = sim_new(&world.machine, &world.workload, &sim_policy_eevdf, &plain, 1, NULL);
	assert_non_null(s);
	assert_int_equal(sim_run(s, 10 * SIM_S), 0);
	assert_int_equal(s->now, 10 * SIM_S);
	/* Who has nothing to do looks at each level: it was worth it each time. */
	for (u32 cpu = 0; cpu < s->machine->n_cpus; cpu++)
		for (u32 level = 0; level < 3; level++)
			s->cpus[cpu].policy.fair.newidle[level].ratio = 1024;
	return s;
}

/* A CPU's tasks are runnable for so much less of late, as core/load.h. */
static void lacks(struct sim *s, u32 cpu, s64 more)
{
	cpu_load_change(&s->cpus[cpu].policy.fair.load, more, s->now, &s->decay);
}

/* It was runnable for so many 1024ths of the time of late. */
static void has_load(struct sim *s, u32 task, u32 load)
{
	struct sim_task *t = &s->tasks[task];
	enum mls_load_state is = t->state == SIM_BLOCKED ? MLS_LOAD_IDLE : MLS_LOAD_BUSY;
	s64 was = mls_load_at(t->policy.fair.load, s->now, &s->decay);

	t->policy.fair.load = mls_load_word(is, s->now, load << CPU_LOAD_SHIFT);
	if (is == MLS_LOAD_BUSY)
		lacks(s, t->cpu, was - (s64)(load << CPU_LOAD_SHIFT));
}

static void runs(struct sim *s, u32 task, u32 cpu, u32 load)
{
	struct sim_task *t = &s->tasks[task];
	struct sim_cpu *c = &s->cpus[cpu];

	assert_int_equal(c->current, SIM_NONE);
	t->cpu = cpu;
	t->state = SIM_RUNNING;
	t->left = SIM_S;
	c->current = task;
	c->began = c->picked = s->now;
	c->loads = mls_load_word(MLS_LOAD_BUSY, s->now, MLS_LOAD_ONE);
	sim_policy_eevdf.running(s, cpu, task);
	lacks(s, cpu, MLS_LOAD_ONE - mls_load_at(t->policy.fair.load, s->now, &s->decay));
	has_load(s, task, load);
}

/* It waits for a CPU on which another one runs, for so many ns. */
static void waits(struct sim *s, u32 task, u32 cpu, u32 load, u64 for_ns)
{
	struct sim_task *t = &s->tasks[task];

	t->cpu = cpu;
	t->state = SIM_QUEUED;
	t->since = s->now - for_ns;
	sim_policy_eevdf.enqueue(s, task, SIM_WOKEN);
	has_load(s, task, load);
}

/* The only one that waits on its CPU does so no longer. */
static void leaves_queue(struct sim *s, u32 task)
{
	struct sim_cpu *c = &s->cpus[s->tasks[task].cpu];

	assert_int_equal(c->queue.n, 1);
	sim_queue_remove(s, &c->queue, task);
	take_out(s->queued, s->tasks[task].cpu);
}

static void sleeps(struct sim *s, u32 task, u32 cpu, u32 load)
{
	s->tasks[task].cpu = s->tasks[task].policy.fair.recent = cpu;
	has_load(s, task, load);
}

/* So many tasks have just begun to run, each on the CPU of its number. */
static void all_run(struct sim *s, u32 n)
{
	for (u32 i = 0; i < n; i++) {
		runs(s, i, i, FULL);
		s->cpus[i].loads = mls_load_word(MLS_LOAD_BUSY, s->now, 0);
	}
}

static void becomes_idle(struct sim *s, u32 cpu)
{
	struct sim_task *t = &s->tasks[s->cpus[cpu].current];

	lacks(s, cpu, (s64)mls_load_at(t->policy.fair.load, s->now, &s->decay) - MLS_LOAD_ONE);
	t->state = SIM_BLOCKED;
	s->cpus[cpu].current = SIM_NONE;
	put_in(s->idle, cpu);
}

/* Where the task would wake up; the scene stays as it is. */
static u32 woken(const struct sim *s, u32 task, u32 by)
{
	struct sim *copy = sim_clone(s);
	u32 cpu;

	assert_non_null(copy);
	cpu = sim_policy_eevdf.select(copy, task, SIM_WOKEN, by);
	sim_free(copy);
	return cpu;
}

/* Of a CPU without work: the task that it comes to run; SIM_NONE.  The scene stays as it is. */
static u32 pulled(const struct sim *s, u32 cpu)
{
	struct sim *copy = sim_clone(s);
	u32 task;

	assert_non_null(copy);
	task = sim_policy_eevdf.pick(copy, cpu, SIM_NONE);
	if (task != SIM_NONE)
		assert_int_equal(copy->sum.moves[SIM_MOVED_STEAL][SIM_NEAR] +
					 copy->sum.moves[SIM_MOVED_STEAL][SIM_NODE] +
					 copy->sum.moves[SIM_MOVED_STEAL][SIM_FAR],
				 1);
	sim_free(copy);
	return task;
}

/* Where the task is after the CPUs' timers; the scene stays as it is. */
static u32 balanced(const struct sim *s, u32 task)
{
	struct sim *copy = sim_clone(s);
	u32 cpu;

	assert_non_null(copy);
	sim_policy_eevdf.timer(copy);
	cpu = copy->tasks[task].cpu;
	sim_free(copy);
	return cpu;
}

/* ---- waking up: wake_affine(), wake_wide() -------------------------------------------- */

/* wake_affine_idle(): its own CPU is free, so that the waker's is not asked for. */
static void a_task_stays_on_its_idle_cpu_whoever_wakes_it(void **state)
{
	struct sim *s = scene("2c2l", 2);

	(void)state;
	runs(s, 0, 0, 0);
	sleeps(s, 1, 1, 0);
	assert_int_equal(woken(s, 1, 0), 1);
	sim_free(s);
}

/*
 * wake_affine_weight(): what the waker's CPU would have with the task must be less than 108 %
 * (half of the domain's imbalance of 117) of what its own has without it.
 */
static void a_task_follows_its_waker_to_the_lighter_cpu(void **state)
{
	static const struct {
		u32 task, waker, own;
		u32 expected;
	} cases[] = {
		/* 1079 x 100 < 1000 x 108, and 1080 is not. */
		{ 0, 539, 500, 0 },
		{ 0, 540, 500, 1 },
		/* 971 x 100 < 900 x 108, and 972 is not: its own load counts on both sides. */
		{ 50, 435, 500, 0 },
		{ 50, 436, 500, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sim *s = scene("2c2l", 3);

		runs(s, 0, 0, cases[i].waker);
		runs(s, 1, 1, cases[i].own);
		sleeps(s, 2, 1, cases[i].task);
		assert_int_equal(woken(s, 2, 0), cases[i].expected);
		sim_free(s);
	}
}

/* What it may not run on is no place to follow anybody to: it stays, if others are lighter or not. */
static void a_tied_task_follows_nobody(void **state)
{
	struct sim *s = scene("4c2l", 5);

	(void)state;
	all_run(s, 4);
	has_load(s, 0, 0);
	has_load(s, 2, 100);
	sleeps(s, 4, 3, 0);
	assert_int_equal(woken(s, 4, 0), 0);
	s->tasks[4].tied = 2;
	assert_int_equal(woken(s, 4, 0), 3);
	sim_free(s);
}

/*
 * wake_wide(): one of the two has changed whom it wakes as often as a cache has CPUs, and the
 * other that many times more often: the waker of many is not followed, nor is one of many.
 */
static void who_wakes_many_is_not_followed(void **state)
{
	static const struct {
		u32 waker, wakee;
		bool follows;
	} cases[] = {
		{ 5, 2, true },    { 6, 2, true },  { 9, 3, false },
		{ 8, 3, true },    { 3, 9, false }, { 3, 8, true },
		{ 1000, 2, true }, { 3, 3, true },  { 12, 4, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sim *s = scene("6c2l", 7); /* caches of three */

		all_run(s, 6);
		has_load(s, 0, 0);
		sleeps(s, 6, 5, 0);
		s->tasks[0].policy.fair.flips = cases[i].waker;
		s->tasks[0].policy.fair.flips_at = s->now;
		s->tasks[0].policy.fair.wakee = 6; /* and once more is no change */
		s->tasks[6].policy.fair.flips = cases[i].wakee;
		assert_int_equal(woken(s, 6, 0), cases[i].follows ? 0 : 5);
		sim_free(s);
	}
}

/* record_wakee(): changes are counted, and what is older than a second counts half. */
static void changes_of_whom_a_task_wakes_are_counted(void **state)
{
	struct sim *s = scene("2c2l", 4);
	u32 *flips = &s->tasks[0].policy.fair.flips;

	(void)state;
	all_run(s, 2);
	s->tasks[0].policy.fair.flips_at = s->now;
	for (u32 i = 0; i < 8; i++)
		sim_policy_eevdf.select(s, 2 + i % 2, SIM_WOKEN, 0);
	assert_int_equal(*flips, 8);
	for (u32 i = 0; i < 8; i++)
		sim_policy_eevdf.select(s, 3, SIM_WOKEN, 0);
	assert_int_equal(*flips, 8);
	s->now += SIM_S;
	sim_policy_eevdf.select(s, 3, SIM_WOKEN, 0);
	assert_int_equal(*flips, 8);
	s->now++;
	sim_policy_eevdf.select(s, 3, SIM_WOKEN, 0);
	assert_int_equal(*flips, 4);
	sim_policy_eevdf.select(s, 3, SIM_WOKEN, 0);
	assert_int_equal(*flips, 4);
	sim_free(s);
}

/* ---- waking up: select_idle_sibling() ---------------------------------------------------- */

/*
 * Its own CPU, then the one that it had before, then those of the cache, from its own on and
 * round; those of other caches never.
 */
static void idle_cpus_are_looked_for_in_their_order(void **state)
{
	static const u32 order[] = { 2, 0, 3, 1 };
	struct sim *s = scene("8c2l", 9);

	(void)state;
	all_run(s, 8);
	sleeps(s, 8, 2, 0);
	s->tasks[8].policy.fair.recent = 0;
	becomes_idle(s, 5);
	assert_int_equal(woken(s, 8, 2), 2); /* where it waits */
	for (u32 i = ARRAY_SIZE(order); i-- > 0;) {
		becomes_idle(s, order[i]);
		assert_int_equal(woken(s, 8, 2), order[i]);
	}
	sim_free(s);
}

/* The CPU that it had before is one only where it is below the same cache. */
static void a_cpu_of_before_in_another_cache_is_left_alone(void **state)
{
	struct sim *s = scene("8c2l", 9);

	(void)state;
	all_run(s, 8);
	sleeps(s, 8, 2, 0);
	s->tasks[8].policy.fair.recent = 5;
	becomes_idle(s, 5);
	assert_int_equal(woken(s, 8, 2), 2);
	sim_free(s);
}

/* Who follows its waker finds an idle CPU beside it. */
static void a_follower_looks_around_its_waker(void **state)
{
	struct sim *s = scene("8c2l", 9);

	(void)state;
	all_run(s, 8);
	has_load(s, 1, 0);
	sleeps(s, 8, 6, 0);
	assert_int_equal(woken(s, 8, 1), 1);
	becomes_idle(s, 0);
	assert_int_equal(woken(s, 8, 1), 0);
	becomes_idle(s, 3);
	assert_int_equal(woken(s, 8, 1), 3);
	becomes_idle(s, 6); /* its own is free again */
	assert_int_equal(woken(s, 8, 1), 6);
	sim_free(s);
}

/*
 * SIS_UTIL: of the cache as many CPUs are looked at as 1 - (1.17 u)^2 of them, u being how
 * busy it was: none from 86 % on.
 */
static void a_busy_cache_is_not_searched_for_long(void **state)
{
	static const struct {
		u32 percent, looks;
	} cases[] = { { 0, 7 }, { 25, 7 }, { 55, 4 }, { 80, 0 }, { 90, 0 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sim *s = scene("8c1l", 9);

		all_run(s, 8);
		sleeps(s, 8, 0, 0);
		for (u32 cpu = 0; cpu < 8; cpu++)
			s->cpus[cpu].loads =
				mls_load_word(MLS_LOAD_BUSY, s->now,
					      (u32)((u64)MLS_LOAD_ONE * cases[i].percent / 100));
		for (u32 cpu = 7; cpu > 0; cpu--) {
			becomes_idle(s, cpu);
			assert_int_equal(woken(s, 8, 0), cpu <= cases[i].looks ? cpu : 0);
		}
		sim_free(s);
	}
}

/* DELAY_DEQUEUE: who still owes something is in its queue, and wakes up there. */
static void who_owes_wakes_up_where_it_was(void **state)
{
	struct sim *s = scene("2c1l", 2);
	u64 zero;

	(void)state;
	runs(s, 0, 0, FULL);
	sleeps(s, 1, 0, 0);
	zero = s->cpus[0].policy.fair.vruntime;
	s->tasks[1].policy.fair.lag_on = 0;
	s->tasks[1].policy.fair.lag = -1;
	s->tasks[1].policy.fair.vruntime = zero + 1;
	assert_int_equal(woken(s, 1, 0), 0);
	/* The others have come to where it is: its debt is paid. */
	s->tasks[1].policy.fair.vruntime = zero;
	assert_int_equal(woken(s, 1, 0), 1);
	/* It is owed something. */
	s->tasks[1].policy.fair.lag = 1;
	s->tasks[1].policy.fair.vruntime = zero + 1;
	assert_int_equal(woken(s, 1, 0), 1);
	sim_free(s);
}

/* ---- the idlest CPU ------------------------------------------------------------------------- */

/* exec(): a program that is alone is on the idlest CPU; one that is not goes to it. */
static void a_program_that_begins_goes_to_the_idlest_cpu(void **state)
{
	struct sim *s = scene("4c2l", 5);

	(void)state;
	all_run(s, 4);
	becomes_idle(s, 2);
	becomes_idle(s, 3);
	assert_int_equal(sim_policy_eevdf.exec(s, 0), 0);
	runs(s, 2, 2, FULL);
	waits(s, 4, 0, FULL, SIM_MS);
	assert_int_equal(sim_policy_eevdf.exec(s, 0), 3);
	/* Within its cache: to who has less by far than it would leave. */
	s->tasks[0].tied = 1;
	assert_int_equal(sim_policy_eevdf.exec(s, 0), 0);
	has_load(s, 1, 875);
	assert_int_equal(sim_policy_eevdf.exec(s, 0), 0);
	has_load(s, 1, 874);
	assert_int_equal(sim_policy_eevdf.exec(s, 0), 1);
	sim_free(s);
}

/* find_idlest_group(): where nobody is idle, another cache must have less by 117 %. */
static void a_new_task_leaves_its_cache_for_one_that_is_lighter_by_far(void **state)
{
	static const struct {
		u32 own, other, expected;
	} cases[] = { { 585, 500, 0 }, { 586, 500, 1 }, { 500, 500, 0 } };

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		struct sim *s = scene(i % 2 ? "2c1l" : "2c2l", 3);

		runs(s, 0, 0, cases[i / 2].own);
		runs(s, 1, 1, cases[i / 2].other);
		sleeps(s, 2, 0, 0);
		assert_int_equal(sim_policy_eevdf.select(s, 2, SIM_FORKED, 0),
				 cases[i / 2].expected);
		sim_free(s);
	}
}

/* cfs_rq->avg.load_avg: who sleeps leaves a load behind, which decays, and takes it along when it goes. */
static void those_that_sleep_are_a_load_for_a_while(void **state)
{
	struct sim *s = scene("2c2l", 4);

	(void)state;
	runs(s, 1, 1, FULL);
	sim_policy_eevdf.stopping(s, 1, 1, 0, false);
	becomes_idle(s, 1);
	runs(s, 0, 0, 700);
	runs(s, 2, 1, 500);
	sleeps(s, 3, 0, 0);
	assert_int_equal(sim_policy_eevdf.select(s, 3, SIM_FORKED, 0), 0);
	/* Woken elsewhere. */
	s->tasks[1].cpu = 0;
	waits(s, 1, 0, 10, 0);
	assert_int_equal(sim_policy_eevdf.select(s, 3, SIM_FORKED, 0), 1);
	sim_free(s);
}

/* ---- periodic balancing ---------------------------------------------------------------------- */

/* Two CPUs with these loads, each with one that waits; task 2 does for the first and is a light one. */
static struct sim *two_busy(const char *machine, u32 most, u32 least)
{
	struct sim *s = scene(machine, 4);

	runs(s, 0, 0, most - 10);
	runs(s, 1, 1, least - 10);
	waits(s, 2, 0, 10, SIM_MS);
	waits(s, 3, 1, 10, SIM_MS);
	return s;
}

/* imbalance_pct: of two CPUs that have too much, one has more than 117 % of the other's load. */
static void busy_cpus_are_balanced_beyond_117_percent(void **state)
{
	static const char *const machines[] = { "2c1l", "2c2l", "2c2l2n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
		struct sim *s = two_busy(machines[i], 585, 500);

		assert_int_equal(balanced(s, 2), 0);
		sim_free(s);
		s = two_busy(machines[i], 586, 500);
		assert_int_equal(balanced(s, 2), 1);
		sim_free(s);
	}
}

/* group_is_overloaded(): nothing is taken from a CPU that has time left, though two share it. */
static void a_busy_cpu_takes_from_none_that_has_time_left(void **state)
{
	(void)state;
	for (u32 busy = 875; busy <= 876; busy++) {
		struct sim *s = scene("2c1l", 3);

		runs(s, 0, 0, 500);
		runs(s, 1, 1, 100);
		waits(s, 2, 0, 10, SIM_MS);
		s->cpus[0].loads = mls_load_word(MLS_LOAD_BUSY, s->now, busy << CPU_LOAD_SHIFT);
		assert_int_equal(balanced(s, 2), busy == 876 ? 1 : 0);
		sim_free(s);
	}
}

/* Between caches it is the whole cache's load that counts, not that of two CPUs. */
static void caches_are_balanced_as_wholes(void **state)
{
	static const struct {
		u32 beside, expected;
	} cases[] = { { 455, 0 }, { 454, 2 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sim *s = scene("4c2l", 6);

		/* 700 + 470 against 1000 is 117 %; the queue is twice as long as that of CPU 2. */
		runs(s, 0, 0, 690);
		runs(s, 1, 1, 470);
		runs(s, 2, 2, 535);
		runs(s, 3, 3, cases[i].beside);
		waits(s, 4, 0, 10, SIM_MS);
		waits(s, 5, 2, 10, SIM_MS);
		/* In the cache itself it has been done just now. */
		for (u32 cpu = 0; cpu < 4; cpu++)
			s->cpus[cpu].policy.fair.balanced_at[0] = s->now;
		assert_int_equal(balanced(s, 4), cases[i].expected);
		sim_free(s);
	}
}

/* For a CPU without work there is no such bound. */
static void an_idle_cpu_takes_who_waits_whatever_the_loads(void **state)
{
	struct sim *s = scene("2c1l", 2);

	(void)state;
	runs(s, 0, 0, 0);
	waits(s, 1, 0, 1, SIM_MS);
	assert_int_equal(balanced(s, 1), 1);
	assert_int_equal(balanced(s, 0), 0); /* who runs stays */
	sim_free(s);
}

/* can_migrate_task(): who ran within 0.5 ms stays, until two attempts have come to nothing. */
static void a_hot_task_stays_until_attempts_have_failed(void **state)
{
	struct sim *s = scene("2c1l", 2);
	struct sim_task *t = &s->tasks[1];
	u32 *failed = &s->cpus[1].policy.fair.failed[0];

	(void)state;
	runs(s, 0, 0, FULL);
	waits(s, 1, 0, FULL, MIGRATION_COST);
	assert_int_equal(balanced(s, 1), 1);
	for (u32 i = 0; i < 2; i++) {
		t->since = s->now - MIGRATION_COST + 1;
		assert_int_equal(*failed, i);
		sim_policy_eevdf.timer(s);
		assert_int_equal(t->cpu, 0);
		s->now += SIM_TICK;
	}
	t->since = s->now;
	assert_int_equal(*failed, 2);
	sim_policy_eevdf.timer(s);
	assert_int_equal(t->cpu, 1);
	assert_int_equal(*failed, 0); /* and the next one is hot again */
	assert_int_equal(s->sum.moves[SIM_MOVED_BALANCE][SIM_NEAR], 1);
	sim_free(s);
}

/* detach_tasks(): no more than half of the difference goes; each failure lets twice as much. */
static void a_busy_cpu_takes_no_task_that_would_turn_the_imbalance(void **state)
{
	static const struct {
		u32 load, failed, expected;
	} cases[] = { { 200, 0, 1 }, { 201, 0, 0 }, { 401, 1, 1 }, { 402, 1, 0 }, { 402, 2, 1 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sim *s = scene("2c1l", 3);

		/* 800 against 400. */
		runs(s, 0, 0, 800 - cases[i].load);
		runs(s, 1, 1, 400);
		waits(s, 2, 0, cases[i].load, SIM_MS);
		s->cpus[1].policy.fair.failed[0] = cases[i].failed;
		assert_int_equal(balanced(s, 2), cases[i].expected);
		sim_free(s);
	}
}

/* A CPU looks again after as many ms as there are CPUs, one that is busy after 16 times that less a tick. */
static void busy_cpus_look_more_rarely_than_idle_ones(void **state)
{
	(void)state;
	for (u32 busy = 0; busy < 2; busy++) {
		struct sim *s = scene("4c1l", 3);
		u32 *failed = &s->cpus[1].policy.fair.failed[0];

		runs(s, 0, 0, FULL);
		if (busy)
			runs(s, 1, 1, 0);
		waits(s, 2, 0, FULL, 0); /* hot: each attempt fails */
		for (u32 k = 0; k < 2; k++) {
			sim_policy_eevdf.timer(s);
			assert_int_equal(*failed, 1);
			s->now += (busy ? 16 * 4 * SIM_MS - SIM_TICK : 4 * SIM_MS) - 1;
			s->tasks[2].since = s->now;
			sim_policy_eevdf.timer(s);
			assert_int_equal(*failed, 1);
			s->now++;
			*failed = 0;
		}
		sim_free(s);
	}
}

/* sd->balance_interval: after twice as long where all was level, to a bound; and failures are forgotten. */
static void who_finds_all_level_looks_more_rarely(void **state)
{
	struct sim *s = scene("4c1l", 4);
	u32 *interval = &s->cpus[1].policy.fair.interval[0];
	u32 *failed = &s->cpus[1].policy.fair.failed[0];

	(void)state;
	runs(s, 0, 0, FULL);
	runs(s, 1, 1, FULL);
	waits(s, 2, 0, 10, 0); /* hot */
	*interval = 4;
	sim_policy_eevdf.timer(s);
	assert_int_equal(*interval, 4);
	assert_int_equal(*failed, 1);
	has_load(s, 0, 10); /* nothing to gain there any more */
	for (u32 k = 0; k < 2; k++) {
		s->now += 16 * 8 * SIM_MS;
		s->tasks[2].since = s->now;
		has_load(s, 0, 10);
		has_load(s, 1, FULL);
		has_load(s, 2, 10);
		sim_policy_eevdf.timer(s);
		assert_int_equal(*interval, 8);
		assert_int_equal(*failed, 0);
	}
	sim_free(s);
}

/* should_we_balance(): beyond its cache a busy CPU looks only for all of them, as the first. */
static void the_first_cpu_of_a_cache_looks_beyond_it_or_an_idle_one(void **state)
{
	struct sim *s = scene("4c2l", 5);

	(void)state;
	for (u32 cpu = 0; cpu < 4; cpu++)
		runs(s, cpu, cpu, cpu < 2 ? FULL : 100);
	waits(s, 4, 0, 10, SIM_MS);
	s->cpus[1].policy.fair.balanced_at[0] = s->now; /* not beside it */
	assert_int_equal(balanced(s, 4), 2);
	s->cpus[2].policy.fair.balanced_at[1] = s->now; /* it is not due */
	assert_int_equal(balanced(s, 4), 0);
	becomes_idle(s, 3);
	assert_int_equal(balanced(s, 4), 3);
	sim_free(s);
}

/* Who has found something near is no longer idle, and does not look further. */
static void a_cpu_that_has_found_work_looks_no_further(void **state)
{
	struct sim *s = scene("4c2l", 6);

	(void)state;
	runs(s, 0, 0, FULL);
	runs(s, 1, 1, FULL);
	runs(s, 2, 2, 100);
	waits(s, 4, 0, 10, SIM_MS);
	waits(s, 5, 2, 100, SIM_MS);
	s->cpus[1].policy.fair.balanced_at[0] = s->now; /* these two are not due */
	s->cpus[2].policy.fair.balanced_at[1] = s->now;
	assert_int_equal(balanced(s, 5), 3);
	assert_int_equal(balanced(s, 4), 0);
	leaves_queue(s, 5);
	assert_int_equal(balanced(s, 4), 3);
	sim_free(s);
}

/* group_has_capacity(): CPUs with time left have none to spare where more than 117 % is runnable. */
static void a_cache_with_too_many_spares_nothing(void **state)
{
	(void)state;
	for (u32 few = 0; few < 2; few++) {
		struct sim *s = scene("4c2l", 8);

		for (u32 cpu = 0; cpu < 4; cpu++)
			runs(s, cpu, cpu, FULL);
		waits(s, 4, 2, few ? 0 : FULL, SIM_MS);
		/* The other cache has two more, and hardly more load. */
		for (u32 task = 5; task < 8; task++)
			waits(s, task, 0, 250, SIM_MS);
		s->cpus[2].loads = s->cpus[3].loads = mls_load_word(MLS_LOAD_BUSY, s->now, 0);
		for (u32 cpu = 0; cpu < 4; cpu++)
			s->cpus[cpu].policy.fair.balanced_at[0] = s->now;
		assert_int_equal(balanced(s, 5) + balanced(s, 6) + balanced(s, 7), few ? 2 : 0);
		sim_free(s);
	}
}

/* LBF_ALL_PINNED: what may not come has not failed to. */
static void those_that_may_not_come_are_no_failures(void **state)
{
	(void)state;
	for (u32 tied = 0; tied < 2; tied++) {
		struct sim *s = scene("2c2l", 3);

		runs(s, 0, 0, FULL);
		runs(s, 1, 1, 10);
		waits(s, 2, 0, FULL, 0); /* it is hot */
		s->tasks[2].tied = (u16)tied;
		sim_policy_eevdf.timer(s);
		assert_int_equal(
			s->cpus[1].policy.fair.failed[2] + s->cpus[1].policy.fair.failed[1], !tied);
		sim_free(s);
	}
}

/* ---- newly idle balancing ---------------------------------------------------------------------- */

/* CPU 0 of eight in four caches of two nodes has nothing to do; others have, from the farthest on. */
static struct sim *queues_near_and_far(void)
{
	struct sim *s = scene("8c4l2n", 16);

	for (u32 cpu = 1; cpu < 8; cpu++)
		runs(s, cpu, cpu, FULL);
	waits(s, 9, 1, 1, SIM_MS);
	waits(s, 10, 2, 100, SIM_MS);
	waits(s, 11, 3, 50, SIM_MS);
	waits(s, 12, 4, 1000, SIM_MS);
	return s;
}

/* From its own cache, then from its node, then from anywhere; each time from the largest load. */
static void a_cpu_without_work_pulls_from_near_first(void **state)
{
	static const u32 order[] = { 9, 10, 11, 12 };
	struct sim *s = queues_near_and_far();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		assert_int_equal(pulled(s, 0), order[i]);
		leaves_queue(s, order[i]);
	}
	assert_int_equal(pulled(s, 0), SIM_NONE);
	sim_free(s);
}

/* sched_balance_newidle(): to another cache goes who fits into what this one has left of its CPUs. */
static void between_caches_a_task_must_fit_into_the_spare_capacity(void **state)
{
	(void)state;
	for (u32 fits = 0; fits < 2; fits++) {
		struct sim *s = scene("4c2l", 5);

		for (u32 cpu = 1; cpu < 4; cpu++)
			runs(s, cpu, cpu, FULL);
		waits(s, 4, 2, FULL, SIM_MS);
		/* CPU 0 was busy until now: of two CPUs there is next to nothing left. */
		s->cpus[0].loads = mls_load_word(MLS_LOAD_IDLE, s->now, 1000 << CPU_LOAD_SHIFT);
		s->tasks[4].policy.fair.util =
			mls_load_word(MLS_LOAD_IDLE, s->now, (fits ? 24 : 30) << CPU_LOAD_SHIFT);
		assert_int_equal(pulled(s, 0), fits ? 4 : SIM_NONE);
		sim_free(s);
	}
}

/* NI_RANDOM: a newly idle CPU looks as often, by dice, as there was something to be had. */
static void who_finds_little_looks_rarely(void **state)
{
	static const struct {
		u32 ratio, least, most; /* of 1024 */
	} cases[] = { { 0, 1, 8 }, { 256, 200, 320 }, { 512, 450, 580 }, { 1024, 1024, 1024 } };
	struct sim *s = scene("2c1l", 2);

	(void)state;
	runs(s, 0, 0, FULL);
	waits(s, 1, 0, FULL, SIM_MS);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		u32 looked = 0;

		s->cpus[1].policy.fair.newidle[0].ratio = cases[i].ratio;
		for (u32 k = 0; k < 1024; k++) {
			s->cpus[1].policy.fair.dice = k;
			looked += pulled(s, 1) == 1;
		}
		assert_in_range(looked, cases[i].least, cases[i].most);
	}
	sim_free(s);
}

/* update_newidle_stats(): over the last thousand, and each look stands for those that were left out. */
static void what_was_to_be_had_is_counted(void **state)
{
	struct sim *s = scene("2c1l", 2);

	(void)state;
	runs(s, 0, 0, FULL);
	waits(s, 1, 0, FULL, 0); /* hot: nothing is to be had */
	for (u32 k = 0; k < 511; k++)
		sim_policy_eevdf.pick(s, 1, SIM_NONE);
	assert_int_equal(s->cpus[1].policy.fair.newidle[0].ratio, 1024);
	assert_int_equal(s->cpus[1].policy.fair.newidle[0].calls, 1023);
	sim_policy_eevdf.pick(s, 1, SIM_NONE);
	assert_int_equal(s->cpus[1].policy.fair.newidle[0].ratio, 256);
	assert_int_equal(s->cpus[1].policy.fair.newidle[0].calls, 512);
	assert_int_equal(s->cpus[1].policy.fair.newidle[0].successes, 128);
	/* One in four looks are made: what one finds counts for four. */
	s->tasks[1].since -= SIM_MS;
	while (sim_policy_eevdf.pick(s, 1, SIM_NONE) == SIM_NONE)
		;
	assert_int_equal(s->cpus[1].policy.fair.newidle[0].successes, 132);
	sim_free(s);
}

/* rq->avg_idle: nobody looks for longer than it is likely to be idle. */
static void looking_must_not_cost_more_than_the_cpu_is_idle(void **state)
{
	static const struct {
		u32 task;
		u64 cost; /* of all levels up to there */
	} levels[] = { { 9, 100 * SIM_US }, { 10, 300 * SIM_US }, { 12, 600 * SIM_US } };
	struct sim *s = queues_near_and_far();

	(void)state;
	world.machine.costs.balance = 100 * SIM_US;
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		s->cpus[0].policy.fair.idle_mean = levels[i].cost - 1;
		assert_int_equal(pulled(s, 0), SIM_NONE);
		s->cpus[0].policy.fair.idle_mean = levels[i].cost;
		assert_int_equal(pulled(s, 0), levels[i].task);
		leaves_queue(s, levels[i].task);
		if (levels[i].task == 10)
			leaves_queue(s, 11);
	}
	sim_free(s);
}

/* update_avg(): an eighth of what is new, and never more than twice the cost of a migration. */
static void how_long_a_cpu_is_idle_is_an_average(void **state)
{
	struct sim *s = scene("1c1l", 1);
	u64 *mean = &s->cpus[0].policy.fair.idle_mean;

	(void)state;
	*mean = 800 * SIM_US;
	sim_policy_eevdf.idle(s, 0, true);
	sim_policy_eevdf.idle(s, 0, false);
	assert_int_equal(*mean, 700 * SIM_US);
	sim_policy_eevdf.idle(s, 0, true);
	s->now += 1500 * SIM_US;
	sim_policy_eevdf.idle(s, 0, false);
	assert_int_equal(*mean, 800 * SIM_US);
	sim_policy_eevdf.idle(s, 0, true);
	s->now += SIM_S;
	sim_policy_eevdf.idle(s, 0, false);
	assert_int_equal(*mean, 2 * MIGRATION_COST);
	sim_free(s);
}

/* A hot task is not pulled either; the one before it in the queue is. */
static void a_hot_task_is_not_pulled(void **state)
{
	struct sim *s = scene("2c1l", 3);

	(void)state;
	runs(s, 0, 0, FULL);
	waits(s, 1, 0, FULL, MIGRATION_COST - 1);
	assert_int_equal(pulled(s, 1), SIM_NONE);
	s->tasks[1].since--;
	assert_int_equal(pulled(s, 1), 1);
	/* The last one is the first to go. */
	waits(s, 2, 0, FULL, MIGRATION_COST);
	assert_true(s->tasks[1].key <= s->tasks[2].key);
	assert_int_equal(pulled(s, 1), 2);
	s->tasks[2].since++;
	assert_int_equal(pulled(s, 1), 1);
	sim_free(s);
}

/* Where nobody runs yet, nobody is pulled from: that CPU is just about to begin. */
static void who_is_about_to_run_is_not_pulled(void **state)
{
	struct sim *s = scene("2c1l", 2);

	(void)state;
	waits(s, 1, 0, FULL, SIM_MS);
	assert_int_equal(pulled(s, 1), SIM_NONE);
	runs(s, 0, 0, FULL);
	assert_int_equal(pulled(s, 1), 1);
	sim_free(s);
}

/* cpus_ptr: neither way takes a task to where it may not run. */
static void a_tied_task_is_not_moved(void **state)
{
	struct sim *s = scene("2c2l", 2);

	(void)state;
	runs(s, 0, 0, FULL);
	waits(s, 1, 0, FULL, SIM_MS);
	assert_int_equal(pulled(s, 1), 1);
	assert_int_equal(balanced(s, 1), 1);
	s->tasks[1].tied = 1;
	assert_int_equal(pulled(s, 1), SIM_NONE);
	assert_int_equal(balanced(s, 1), 0);
	sim_free(s);
}

/* ... and is placed at the idlest CPU of those where it may run, however little others have to do. */
static void a_tied_task_begins_at_the_idlest_of_its_cpus(void **state)
{
	(void)state;
	for (u32 parent = 0; parent < 8; parent++) {
		struct sim *s = scene("8c4l2n", 9);

		for (u32 cpu = 0; cpu < 8; cpu++)
			runs(s, cpu, cpu, cpu == 4 ? FULL : cpu == 5 ? 600 : 10);
		sleeps(s, 8, parent, 0);
		s->tasks[8].tied = 3;
		assert_int_equal(sim_policy_eevdf.select(s, 8, SIM_FORKED, parent), 5);
		sim_free(s);
	}
}

/* What the dice left out has cost nothing. */
static void a_level_that_is_not_looked_at_costs_nothing(void **state)
{
	struct sim *s = queues_near_and_far();

	(void)state;
	world.machine.costs.balance = 100 * SIM_US;
	s->cpus[0].policy.fair.newidle[0].ratio = 0;
	s->cpus[0].policy.fair.idle_mean = 200 * SIM_US - 1;
	assert_int_equal(pulled(s, 0), SIM_NONE);
	s->cpus[0].policy.fair.idle_mean = 200 * SIM_US;
	assert_int_equal(pulled(s, 0), 10);
	sim_free(s);
}

/* post_init_entity_util_avg(): of where it begins, not of where it was made. */
static void a_new_task_is_taken_to_need_half_of_what_its_cpu_has_left(void **state)
{
	struct sim *s = scene("2c2l", 2);

	(void)state;
	runs(s, 0, 0, FULL);
	s->tasks[1].cpu = 1;
	s->cpus[1].loads = mls_load_word(MLS_LOAD_BUSY, s->now, 400 << CPU_LOAD_SHIFT);
	sim_policy_eevdf.enqueue(s, 1, SIM_FORKED);
	assert_in_range(mls_load_at(s->tasks[1].policy.fair.util, s->now, &s->decay) >>
				CPU_LOAD_SHIFT,
			311, 312);
	sim_free(s);
}

/* ---- whole runs ------------------------------------------------------------------------ */

/* What is kept of a CPU is what its tasks, those that sleep among them, say now. */
static void assert_kept(const struct sim *s, u32 cpu)
{
	const struct sim_cpu *c = &s->cpus[cpu];
	u64 load = 0, kept;
	u32 n = 0;

	for (u32 task = 0; task < s->most_tasks; task++) {
		const struct sim_task *t = &s->tasks[task];
		bool runnable = t->state == SIM_QUEUED || t->state == SIM_RUNNING;

		n += runnable && t->cpu == cpu;
		if (runnable ? t->cpu == cpu :
			       t->state == SIM_BLOCKED && t->policy.fair.asleep_on == cpu + 1)
			load += mls_load_at(t->policy.fair.load, s->now, &s->decay);
	}
	load >>= CPU_LOAD_SHIFT;
	kept = cpu_load_at(&c->policy.fair.load, n, s->now, &s->decay);
	assert_in_range(kept + 2, load, load + 4);
	assert_int_equal(n, c->queue.n + (c->current != SIM_NONE));
	assert_int_equal(is_in(s->idle, cpu), c->current == SIM_NONE);
	assert_int_equal(is_in(s->queued, cpu), c->queue.n > 0);
}

/* Through forks, execs, exits, sleeps, affinity and each kind of move. */
static void loads_are_those_of_the_tasks_at_any_time(void **state)
{
	static const char *const names[] = { "make", "message", "mixed", "imbalance", "server" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct sim *s;
		u32 kinds = 0;

		world_machine("8c4l2n");
		assert_int_equal(sim_workload_make(&world.workload, names[i], 8, NULL), 0);
		s = sim_new(&world.machine, &world.workload, &sim_policy_eevdf, &plain, 1, NULL);
		assert_non_null(s);
		for (u32 ms = 10; ms <= 2000 && sim_run(s, ms * SIM_MS) == 0; ms += 10)
			for (u32 cpu = 0; cpu < 8; cpu++)
				assert_kept(s, cpu);
		for (u32 kind = 0; kind < SIM_MOVE_KINDS; kind++) {
			u64 moves = 0;

			for (u32 level = 0; level < SIM_DISTANCES; level++)
				moves += s->sum.moves[kind][level];
			kinds += moves > 0;
		}
		assert_true(kinds > 1);
		sim_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_task_stays_on_its_idle_cpu_whoever_wakes_it),
		cmocka_unit_test(a_task_follows_its_waker_to_the_lighter_cpu),
		cmocka_unit_test(a_tied_task_follows_nobody),
		cmocka_unit_test(who_wakes_many_is_not_followed),
		cmocka_unit_test(changes_of_whom_a_task_wakes_are_counted),
		cmocka_unit_test(idle_cpus_are_looked_for_in_their_order),
		cmocka_unit_test(a_cpu_of_before_in_another_cache_is_left_alone),
		cmocka_unit_test(a_follower_looks_around_its_waker),
		cmocka_unit_test(a_busy_cache_is_not_searched_for_long),
		cmocka_unit_test(who_owes_wakes_up_where_it_was),
		cmocka_unit_test(a_program_that_begins_goes_to_the_idlest_cpu),
		cmocka_unit_test(a_new_task_leaves_its_cache_for_one_that_is_lighter_by_far),
		cmocka_unit_test(those_that_sleep_are_a_load_for_a_while),
		cmocka_unit_test(busy_cpus_are_balanced_beyond_117_percent),
		cmocka_unit_test(a_busy_cpu_takes_from_none_that_has_time_left),
		cmocka_unit_test(who_finds_all_level_looks_more_rarely),
		cmocka_unit_test(between_caches_a_task_must_fit_into_the_spare_capacity),
		cmocka_unit_test(who_finds_little_looks_rarely),
		cmocka_unit_test(what_was_to_be_had_is_counted),
		cmocka_unit_test(caches_are_balanced_as_wholes),
		cmocka_unit_test(an_idle_cpu_takes_who_waits_whatever_the_loads),
		cmocka_unit_test(a_hot_task_stays_until_attempts_have_failed),
		cmocka_unit_test(a_busy_cpu_takes_no_task_that_would_turn_the_imbalance),
		cmocka_unit_test(busy_cpus_look_more_rarely_than_idle_ones),
		cmocka_unit_test(the_first_cpu_of_a_cache_looks_beyond_it_or_an_idle_one),
		cmocka_unit_test(a_cpu_that_has_found_work_looks_no_further),
		cmocka_unit_test(a_cpu_without_work_pulls_from_near_first),
		cmocka_unit_test(looking_must_not_cost_more_than_the_cpu_is_idle),
		cmocka_unit_test(how_long_a_cpu_is_idle_is_an_average),
		cmocka_unit_test(a_hot_task_is_not_pulled),
		cmocka_unit_test(who_is_about_to_run_is_not_pulled),
		cmocka_unit_test(a_tied_task_is_not_moved),
		cmocka_unit_test(a_cache_with_too_many_spares_nothing),
		cmocka_unit_test(those_that_may_not_come_are_no_failures),
		cmocka_unit_test(a_level_that_is_not_looked_at_costs_nothing),
		cmocka_unit_test(a_new_task_is_taken_to_need_half_of_what_its_cpu_has_left),
		cmocka_unit_test(a_tied_task_begins_at_the_idlest_of_its_cpus),
		cmocka_unit_test(loads_are_those_of_the_tasks_at_any_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
