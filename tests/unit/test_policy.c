// SPDX-License-Identifier: GPL-2.0
/* core/policy.h: what the scheduler and the simulator decide alike. */
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "core/policy.h"
#include "src/util/random.h"

#define TRIALS 100000

static const struct mls_policy policy = MLS_POLICY_INITIAL;

#define LENGTHY (50 * MLS_POLICY_SLICE)

static uint64_t new_seed(void)
{
	uint64_t seed = (uint64_t)time(NULL);

	printf("# seed %" PRIu64 "\n", seed);
	return seed;
}

static void slices_shrink_with_the_queue_and_stay_above_the_least(void **state)
{
	u64 last = policy.slice;

	(void)state;
	assert_int_equal(mls_policy_slice(&policy, 0), policy.slice);
	assert_int_equal(mls_policy_slice(&policy, MLS_POLICY_FEW), policy.slice);
	for (u32 queued = 1; queued < 1000; queued++) {
		u64 slice = mls_policy_slice(&policy, queued);

		assert_true(slice <= last && slice >= policy.slice_min);
		last = slice;
	}
	assert_int_equal(last, policy.slice_min);
	/* A queue's length that could not be read looks enormous. */
	assert_int_equal(mls_policy_slice(&policy, (u32)-2), policy.slice_min);
}

/* EEVDF's base slice is 0.7 ms times 1 + log2 of its CPUs, 8 at most (kernel/sched/fair.c). */
static void a_slice_is_no_longer_than_that_of_eevdf(void **state)
{
	const u64 ms = 1000000, on_4_cpus = 700000 * 3;

	(void)state;
	assert_true(policy.slice <= on_4_cpus);
	/* In whole ticks of HZ=1000 it is longer than the least, or nothing would shrink. */
	assert_true((policy.slice + ms - 1) / ms > (policy.slice_min + ms - 1) / ms);
	assert_true(policy.slice_min > ms);
}

/* The waiting that a move spares is foreseen by turns as they are, not by the slice. */
static void waiting_is_foreseen_in_turns(void **state)
{
	(void)state;
	assert_int_equal(mls_policy_spared(&policy, 1, LENGTHY), policy.turn);
	assert_int_equal(mls_policy_spared(&policy, 3, LENGTHY), 3 * policy.turn);
	assert_int_equal(mls_policy_spared(&policy, 3, policy.turn / 2), 3 * (policy.turn / 2));
	for (int l = 0; l < MLS_POLICY_LEVELS; l++)
		assert_true(mls_policy_spared(&policy, 1, LENGTHY) >= policy.worth[l]);
}

static void time_costs_by_weight(void **state)
{
	(void)state;
	assert_int_equal(mls_policy_charge(1000, MLS_POLICY_WEIGHT), 1000);
	assert_int_equal(mls_policy_charge(1000, 10 * MLS_POLICY_WEIGHT), 100);
	assert_int_equal(mls_policy_charge(1000, MLS_POLICY_WEIGHT / 100), 100000);
	/* Nobody divides by a weight that is not there. */
	assert_int_equal(mls_policy_charge(1000, 0), 1000 * MLS_POLICY_WEIGHT);
}

static void order_survives_the_wrap(void **state)
{
	(void)state;
	assert_true(mls_policy_before(1, 2));
	assert_false(mls_policy_before(2, 2));
	assert_true(mls_policy_before(~0ull - 5, 5));
	assert_false(mls_policy_before(5, ~0ull - 5));
}

static void placement_is_within_bounds_of_the_clock(void **state)
{
	struct mls_random random;

	(void)state;
	mls_random_seed(&random, new_seed(), 0);
	for (int i = 0; i < TRIALS; i++) {
		u64 clock = mls_random_next(&random);
		u64 own = clock + (u64)(((s64)mls_random_next(&random)) >> 20);
		u32 weight = 1 + (u32)(mls_random_next(&random) % 10000);
		u64 credit = mls_policy_apart(policy.credit, MLS_POLICY_WEIGHT,
					      1 + (u32)(mls_random_next(&random) % 100000));
		int went_on = i & 1;
		u64 ahead = went_on ? policy.limit : 2 * policy.slice;
		u64 placed = mls_policy_place(&policy, credit, own, clock, weight, went_on);

		assert_false(mls_policy_before(placed, clock - credit));
		assert_false(mls_policy_before(clock + mls_policy_charge(ahead, weight), placed));
		/* What is within the bounds stays what it is. */
		assert_int_equal(mls_policy_place(&policy, credit, placed, clock, weight, went_on),
				 placed);
	}
}

/*
 * One task and three lighter ones that weigh as much together, all always runnable, as
 * the BPF program serves them with a tick of 4 ms: @phase apart from each other at first.
 */
static double share_of_heavy(u64 phase)
{
	enum { TASKS = 4, TURNS = 3000 };
	const u64 turn = 4000000;
	u64 own[TASKS], deadline[TASKS], ran[TASKS] = { 0 }, clock = 0, sum = 0;
	u32 weight[TASKS];

	for (u32 i = 0; i < TASKS; i++) {
		weight[i] = i ? MLS_POLICY_WEIGHT / 3 : MLS_POLICY_WEIGHT;
		own[i] = i * phase;
		deadline[i] = mls_policy_deadline(&policy, own[i], policy.slice, weight[i]);
	}
	for (u32 n = 0; n < TURNS; n++) {
		u64 first = UINT64_MAX, run = turn;
		u32 next = 0;

		for (u32 i = 0; i < TASKS; i++) {
			if (deadline[i] < deadline[next])
				next = i;
		}
		for (u32 i = 0; i < TASKS; i++) {
			if (i != next && weight[i] < weight[next] && deadline[i] < first)
				first = deadline[i];
		}
		while (!next &&
		       mls_policy_deadline(&policy, own[0] + mls_policy_charge(run, weight[0]),
					   policy.slice, weight[0]) <= first)
			run += turn;
		if (mls_policy_before(clock, own[next]))
			clock = own[next];
		own[next] += mls_policy_charge(run, weight[next]);
		ran[next] += run;
		clock = mls_policy_clock(clock, own[next], run, TASKS - 1);
		own[next] = mls_policy_place(&policy, policy.credit * weight[0] / weight[next],
					     own[next], clock, weight[next], run > turn);
		deadline[next] =
			mls_policy_deadline(&policy, own[next], policy.slice, weight[next]);
	}
	for (u32 i = 0; i < TASKS; i++)
		sum += ran[i];
	return (double)ran[0] / (double)sum;
}

static void a_heavy_task_gets_its_share_in_every_phase(void **state)
{
	(void)state;
	for (u64 phase = 0; phase <= 12000000; phase += 500000) {
		double share = share_of_heavy(phase);

		if (fabs(share - 0.5) > 0.005)
			print_error("%.1f ms apart: %.3f\n", (double)phase / 1e6, share);
		assert_true(fabs(share - 0.5) <= 0.005);
	}
}

static void in_a_group_short_times_are_as_short(void **state)
{
	(void)state;
	/* In no group, or in one whose weight is its members': as it is. */
	assert_int_equal(mls_policy_apart(policy.credit, MLS_POLICY_WEIGHT, MLS_POLICY_WEIGHT),
			 policy.credit);
	/* With the fiftieth part of a weight a task is charged fifty times as much. */
	assert_int_equal(mls_policy_apart(policy.credit, MLS_POLICY_WEIGHT, MLS_POLICY_WEIGHT / 50),
			 mls_policy_charge(policy.credit, MLS_POLICY_WEIGHT / 50));
	/* A weight of its own changes nothing: nice is not a group. */
	assert_int_equal(mls_policy_apart(policy.credit, 3 * MLS_POLICY_FINE, 3 * MLS_POLICY_FINE),
			 policy.credit);
	assert_int_equal(mls_policy_apart(0, MLS_POLICY_WEIGHT, 0), 0);
}

static void a_change_of_queue_keeps_what_a_task_is_ahead(void **state)
{
	(void)state;
	assert_int_equal(mls_policy_move(1010, 1000, 50), 60);
	assert_int_equal(mls_policy_move(990, 1000, 50), 40);
	assert_int_equal(mls_policy_move(mls_policy_move(7, 3, 900), 900, 3), 7);
}

static void short_bursts_are_served_first(void **state)
{
	u64 brief = mls_policy_deadline(&policy, 1000, 100000, MLS_POLICY_WEIGHT);
	u64 lengthy = mls_policy_deadline(&policy, 1000, policy.slice, MLS_POLICY_WEIGHT);

	(void)state;
	assert_true(mls_policy_before(brief, lengthy));
	/* A burst counts up to a slice. */
	assert_int_equal(mls_policy_deadline(&policy, 1000, 50 * policy.slice, MLS_POLICY_WEIGHT),
			 lengthy);
	assert_false(mls_policy_preempts(policy.granularity, lengthy, lengthy));
	assert_false(
		mls_policy_preempts(policy.granularity, lengthy - policy.granularity, lengthy));
	assert_true(
		mls_policy_preempts(policy.granularity, lengthy - policy.granularity - 1, lengthy));
}

static void batch_and_idle_interrupt_nobody_and_idle_is_in_nobodys_way(void **state)
{
	enum { NORMAL = 0, BATCH = MLS_POLICY_SCHED_BATCH, IDLE = MLS_POLICY_SCHED_IDLE, EXT = 7 };
	static const struct {
		u32 task, running;
		int never, always;
	} cases[] = {
		{ NORMAL, NORMAL, 0, 0 }, { NORMAL, BATCH, 0, 0 }, { NORMAL, IDLE, 0, 1 },
		{ BATCH, NORMAL, 1, 0 },  { BATCH, BATCH, 1, 0 },  { BATCH, IDLE, 0, 1 },
		{ IDLE, NORMAL, 1, 0 },   { IDLE, BATCH, 1, 0 },   { IDLE, IDLE, 1, 0 },
		{ EXT, EXT, 0, 0 },       { EXT, IDLE, 0, 1 },
	};
	u64 late = 1000 * policy.slice, early = late - policy.granularity - 1;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		u32 task = cases[i].task, running = cases[i].running;

		assert_int_equal(mls_policy_wakes_over(policy.granularity, task, running, early,
						       late),
				 !cases[i].never);
		assert_int_equal(mls_policy_wakes_over(policy.granularity, task, running, late,
						       early),
				 cases[i].always);
	}
}

static void the_average_burst_approaches_what_is_measured(void **state)
{
	u64 burst = policy.slice;

	(void)state;
	for (int i = 0; i < 60; i++)
		burst = mls_policy_burst(burst, 80000);
	assert_in_range(burst, 79990, 80010);
}

static void a_clock_never_stands_still_for_those_that_wait(void **state)
{
	u64 clock = 1000, now = 0;

	(void)state;
	/* Alone it follows the task. */
	assert_int_equal(mls_policy_clock(0, 5000, 5000, 0), 5000);
	/* Never ahead of who ran, never back. */
	assert_int_equal(mls_policy_clock(0, 100, 5000, 0), 100);
	assert_int_equal(mls_policy_clock(1000, 100, 5000, 0), 1000);
	/*
	 * New tasks without end, each placed at the clock: one that has waited since the
	 * beginning with a whole slice's deadline is before them after as many slices as
	 * tasks wait.
	 */
	while (!mls_policy_before(
		mls_policy_deadline(&policy, 1000, policy.slice, MLS_POLICY_WEIGHT), clock)) {
		clock = mls_policy_clock(clock, clock + policy.slice, policy.slice, 9);
		assert_true(++now <= 11);
	}
}

static void short_idle_periods_are_not_worth_a_move(void **state)
{
	u64 mean = 0;

	(void)state;
	for (int level = 0; level < MLS_POLICY_LEVELS; level++) {
		enum mls_policy_level l = (enum mls_policy_level)level;
		u64 least = level ? MLS_POLICY_IDLE_FAR : MLS_POLICY_IDLE_NEAR;
		struct mls_policy eager = policy;

		assert_false(mls_policy_is_worth(&policy, l, least - 1));
		assert_true(mls_policy_is_worth(&policy, l, least));
		/* Within what the average can reach, as is what the last one that waits asks for. */
		assert_true(least < MLS_POLICY_IDLE_MOST);
		/* Farther is dearer. */
		assert_true(!level || policy.worth[level] > policy.worth[level - 1]);
		/* Who offers cheaper moves asks for no more than they cost. */
		eager.worth[level] = 50000;
		assert_true(mls_policy_is_worth(&eager, l, 50000));
		assert_false(mls_policy_is_worth(&eager, l, 49999));
	}
	assert_true(MLS_POLICY_IDLE_LONE < MLS_POLICY_IDLE_MOST);
	/* A long one is, whatever the others were like. */
	assert_int_equal(mls_policy_expected(5, 7), 7);
	assert_int_equal(mls_policy_expected(7, 5), 7);
	/* One long night does not make a CPU idle for ever. */
	for (int i = 0; i < 20; i++)
		mean = mls_policy_idle(mean, 3600ull * 1000000000);
	assert_true(mean <= MLS_POLICY_IDLE_MOST);
	for (int i = 0; i < 20; i++)
		mean = mls_policy_idle(mean, 100000);
	assert_true(mean < 2 * MLS_POLICY_IDLE_NEAR);
}

static void who_is_overdue_is_found_within_the_limit_or_one_round(void **state)
{
	(void)state;
	assert_int_equal(mls_policy_overdue(&policy, 0) + mls_policy_look(&policy), policy.limit);
	assert_int_equal(mls_policy_overdue(&policy, 1000), 1001 * policy.slice_min);
	for (u32 queued = 0; queued < 1000; queued++)
		assert_true(mls_policy_overdue(&policy, queued) + mls_policy_look(&policy) >=
			    policy.limit);
}

static void a_wakeup_goes_far_only_past_a_queue(void **state)
{
	(void)state;
	assert_true(mls_policy_offers_wakeup(&policy, MLS_POLICY_NEAR, 0, LENGTHY));
	assert_false(mls_policy_offers_wakeup(&policy, MLS_POLICY_NODE, 0, LENGTHY));
	assert_false(mls_policy_offers_wakeup(&policy, MLS_POLICY_FAR, 0, LENGTHY));
	assert_true(mls_policy_offers_wakeup(&policy, MLS_POLICY_FAR, 1, LENGTHY));
	/* Who runs is through in a moment: that is not worth a cache. */
	assert_false(mls_policy_offers_wakeup(&policy, MLS_POLICY_NEAR, 0, 100000));
	assert_true(mls_policy_offers_wakeup(&policy, MLS_POLICY_NEAR, 20, 100000));
}

static void who_is_woken_from_elsewhere_follows_in_the_end(void **state)
{
	u32 pulls = 0;

	(void)state;
	for (int i = 1; i < MLS_POLICY_PULLS; i++) {
		pulls = mls_policy_pulls(pulls, MLS_POLICY_FAR);
		assert_false(mls_policy_offers_pull(MLS_POLICY_FAR, pulls, 9, 0));
	}
	pulls = mls_policy_pulls(pulls, MLS_POLICY_NODE);
	assert_true(mls_policy_offers_pull(MLS_POLICY_NODE, pulls, 1, 1));
	/* Not into a longer queue. */
	assert_false(mls_policy_offers_pull(MLS_POLICY_NODE, pulls, 1, 2));
	/* Wakers at home count against it. */
	assert_false(mls_policy_offers_pull(MLS_POLICY_NODE,
					    mls_policy_pulls(pulls, MLS_POLICY_NEAR), 1, 1));
	for (int i = 0; i < 100; i++)
		pulls = mls_policy_pulls(pulls, MLS_POLICY_FAR);
	for (int i = 0; i < MLS_POLICY_PULLS_MOST; i++)
		pulls = mls_policy_pulls(pulls, MLS_POLICY_NEAR);
	assert_int_equal(pulls, 0);
	/* Nearby only the queues count. */
	assert_true(mls_policy_offers_pull(MLS_POLICY_NEAR, 0, 2, 0));
	assert_false(mls_policy_offers_pull(MLS_POLICY_NEAR, 8, 1, 0));
}

static void a_steal_leaves_one_runnable_task(void **state)
{
	(void)state;
	for (int level = 0; level < MLS_POLICY_LEVELS; level++) {
		enum mls_policy_level l = (enum mls_policy_level)level;

		assert_false(mls_policy_offers_steal(&policy, l, 0, 0, LENGTHY, LENGTHY));
		assert_false(mls_policy_offers_steal(&policy, l, 0, 1, LENGTHY, LENGTHY));
		assert_false(mls_policy_offers_steal(&policy, l, 1, 0, LENGTHY, LENGTHY));
		assert_true(mls_policy_offers_steal(&policy, l, 1, 1, LENGTHY, LENGTHY));
		assert_true(mls_policy_offers_steal(&policy, l, 2, 0, LENGTHY, LENGTHY));
		/* Who would be served in a moment stays. */
		assert_false(
			mls_policy_offers_steal(&policy, l, 1, 1, policy.worth[l] - 1, LENGTHY));
	}
}

static void the_only_one_that_waits_goes_to_who_is_idle_for_long(void **state)
{
	(void)state;
	for (int level = 0; level < MLS_POLICY_LEVELS; level++) {
		enum mls_policy_level l = (enum mls_policy_level)level;
		struct mls_policy eager = policy;

		assert_false(mls_policy_offers_steal(&policy, l, 1, 1, LENGTHY,
						     MLS_POLICY_IDLE_LONE - 1));
		assert_true(
			mls_policy_offers_steal(&policy, l, 1, 1, LENGTHY, MLS_POLICY_IDLE_LONE));
		/* Of several that wait one goes anyway. */
		assert_true(mls_policy_offers_steal(&policy, l, 2, 1, LENGTHY, 0));
		eager.worth[level] = 0;
		assert_true(mls_policy_offers_steal(&eager, l, 1, 1, LENGTHY, 0));
	}
}

static void balancing_of_equal_tasks_goes_by_their_numbers(void **state)
{
	(void)state;
	for (u32 src = 0; src < 50; src++) {
		for (u32 dst = 0; dst < 50; dst++) {
			s64 excess = ((s64)src - dst) * MLS_POLICY_WEIGHT;
			int near =
				mls_policy_offers_balance(src, dst, 1, excess, MLS_POLICY_WEIGHT);
			int far = mls_policy_offers_balance(src, dst, 0, excess, MLS_POLICY_WEIGHT);

			/* Of equal tasks: a difference of two, and of three from afar. */
			assert_int_equal(near, src >= dst + 2);
			assert_int_equal(far, src >= dst + 3);
		}
	}
}

#define HEAP 8

/* A pile of tasks of random weights on each of two CPUs. */
struct heap {
	u32 n;
	u32 weights[2 * HEAP];
	s64 sum;
};

static void carry(struct heap *from, struct heap *to, u32 i)
{
	from->sum -= from->weights[i];
	to->sum += from->weights[i];
	to->weights[to->n++] = from->weights[i];
	from->weights[i] = from->weights[--from->n];
}

/* Return: a task of @from that is offered to @to, or @from->n. */
static u32 find_offered(const struct heap *from, const struct heap *to, int near)
{
	u32 i = 0;

	while (i < from->n && !mls_policy_offers_balance(from->n, to->n, near, from->sum - to->sum,
							 from->weights[i]))
		i++;
	return i;
}

static void balancing_by_weight_comes_to_rest_with_weights_level(void **state)
{
	double left[2] = { 0 };
	struct mls_random random;

	(void)state;
	mls_random_seed(&random, new_seed(), 0);
	for (int trial = 0; trial < 20000; trial++) {
		struct heap heaps[2] = { 0 };
		int near = trial % 2;
		s64 apart;
		u32 moves = 0;

		for (u32 i = 0; i < HEAP; i++) {
			struct heap *heap = &heaps[i && mls_random_below(&random, 2)];

			/* nice 19 to nice -10 */
			heap->weights[heap->n] =
				(u32)(MLS_POLICY_WEIGHT *
				      exp2(-6 + 9 * (double)mls_random_unit(&random)));
			heap->sum += heap->weights[heap->n];
			heap->n++;
		}
		for (;;) {
			struct heap *from = &heaps[0], *to = &heaps[1];
			u32 i = find_offered(from, to, near);

			if (i == from->n) {
				from = &heaps[1], to = &heaps[0];
				i = find_offered(from, to, near);
			}
			if (i == from->n)
				break;
			apart = from->sum - to->sum;
			if (to->n)
				assert_true(llabs(apart - 2 * (s64)from->weights[i]) < apart);
			carry(from, to, i);
			/* Each move lessens the difference: there is an end. */
			assert_true(++moves <= 4 * HEAP);
		}
		left[near] += (double)llabs(heaps[0].sum - heaps[1].sum) /
			      (double)(heaps[0].sum + heaps[1].sum) / 10000;
	}
	/* One task is often heavier than all others: level is as level as they can be. */
	printf("# left in the mean: %.3f nearby, %.3f from afar\n", left[1], left[0]);
	assert_true(left[1] < 0.33 && left[0] < 0.45);
}

/* Two groups of weights 1 and 3, two tasks of each, begin on CPUs of their own. */
static void balancing_brings_light_and_heavy_tasks_together(void **state)
{
	struct heap light = { 2, { 100, 100 }, 200 }, heavy = { 2, { 300, 300 }, 600 };
	u32 i;

	(void)state;
	i = find_offered(&heavy, &light, 1);
	assert_true(i < heavy.n);
	carry(&heavy, &light, i);
	/* And a light one back, not the heavy one. */
	i = find_offered(&light, &heavy, 1);
	assert_true(i < light.n);
	assert_int_equal(light.weights[i], 100);
	carry(&light, &heavy, i);
	assert_int_equal(light.sum, heavy.sum);
	assert_int_equal(find_offered(&light, &heavy, 1), light.n);
	assert_int_equal(find_offered(&heavy, &light, 1), heavy.n);
}

/* Equal tasks take turns where one queue is longer by one, and from afar where it is by two. */
static void equal_tasks_take_turns(void **state)
{
	const u32 one = MLS_POLICY_WEIGHT;

	(void)state;
	for (u32 src = 1; src < 50; src++) {
		for (u32 dst = 0; dst < 50; dst++) {
			s64 excess = ((s64)src - dst) * one;
			const struct mls_policy_turns lasts = { 1000, 1000 }, is_new = { 0, 0 };

			for (int near = 0; near < 2; near++) {
				u32 seen = 0;
				int level = mls_policy_offers_balance(src, dst, near, excess, one);

				/* What has just begun may be over in a moment. */
				assert_false(mls_policy_offers_level(&is_new, &seen, src, dst, near,
								     excess, one));
				if (level)
					assert_int_equal(seen, MLS_POLICY_SEEN_UNEVEN);
				/* An idle CPU asks for itself. */
				assert_int_equal(!!seen,
						 level || (dst && src > dst && src <= dst + 8));
				assert_int_equal(mls_policy_offers_level(&lasts, &seen, src, dst,
									 near, excess, one),
						 !!seen);
			}
		}
	}
}

/* What goes for fairness alone leaves nothing more uneven than it was, or than weights are known. */
static void turns_make_nothing_more_uneven(void **state)
{
	struct mls_random random;
	u32 n = 0;

	(void)state;
	mls_random_seed(&random, new_seed(), 0);
	for (int trial = 0; trial < 100000; trial++) {
		u32 weight = 1 + mls_random_below(&random, 100 * MLS_POLICY_WEIGHT);
		s64 excess = (s64)mls_random_below(&random, 400 * MLS_POLICY_WEIGHT) -
			     200 * MLS_POLICY_WEIGHT;

		if (!mls_policy_is_unfair(1, excess, weight))
			continue;
		n++;
		assert_true(excess > 0);
		assert_true(2 * llabs(excess - 2 * (s64)weight) <= 3 * excess);
		assert_false(mls_policy_is_unfair(0, excess, weight));
	}
	assert_true(n > 1000);
	/* Two light ones and a heavy one, and a heavy one alone: a light one should go. */
	assert_true(mls_policy_is_unfair(1, 100, 50));
	/* Two heavy ones, and two light ones: a heavy one, and a light one back. */
	assert_true(mls_policy_is_unfair(2, 400, 300));
	assert_true(mls_policy_is_unfair(2, 200, 100));
	assert_false(mls_policy_is_unfair(2, 200, 300));
}

static void unfairness_is_to_last(void **state)
{
	struct mls_policy_turns turns = { 0, 0 };
	u32 seen = MLS_POLICY_SEEN_UNFAIR, lasts = 0;

	(void)state;
	for (u32 i = 1; i <= 2 * MLS_POLICY_UNFAIR; i++) {
		u32 what = 0;

		mls_policy_turn(&turns, seen, 0);
		if (!lasts && mls_policy_offers_level(&turns, &what, 2, 1, 1, 100, 100))
			lasts = i;
	}
	assert_int_equal(lasts, MLS_POLICY_UNFAIR);
	/* Somebody passes by: not from the beginning. */
	mls_policy_turn(&turns, 0, 0);
	assert_int_equal(turns.unfair, MLS_POLICY_UNFAIR - 2);
	mls_policy_turn(&turns, seen, 1);
	assert_int_equal(turns.unfair, 0);
	mls_policy_turn(&turns, 0, 0);
	assert_int_equal(turns.unfair, 0);
	for (int i = 0; i < 3; i++)
		mls_policy_turn(&turns, MLS_POLICY_SEEN_UNEVEN, 0);
	assert_int_equal(turns.uneven, 3);
	mls_policy_turn(&turns, 0, 0);
	assert_int_equal(turns.uneven, 0);
}

static void hard_rules_stand_above_safety_and_safety_above_verdicts(void **state)
{
	u64 over = policy.limit + 1;

	(void)state;
	assert_int_equal(mls_policy_rule(&policy, 0, 0, over, over), MLS_POLICY_FORBIDDEN);
	assert_int_equal(mls_policy_rule(&policy, 0, 1, 0, 0), MLS_POLICY_FORBIDDEN);
	assert_int_equal(mls_policy_rule(&policy, 1, 0, over, 0), MLS_POLICY_FORCED);
	assert_int_equal(mls_policy_rule(&policy, 1, 1, over, 0), MLS_POLICY_WAITED);
	assert_int_equal(mls_policy_rule(&policy, 1, 1, 0, over), MLS_POLICY_KEPT);
	assert_int_equal(mls_policy_rule(&policy, 1, 1, policy.limit, policy.limit),
			 MLS_POLICY_OPEN);
}

static void only_an_active_model_decides(void **state)
{
	(void)state;
	for (int model = 0; model < 2; model++) {
		for (int mode = 0; mode < MLS_POLICY_MODES; mode++) {
			int counts = mode == MLS_POLICY_ACTIVE;

			assert_int_equal(mls_policy_verdict((enum mls_policy_mode)mode, 1, model,
							    !model),
					 counts ? model : !model);
			assert_int_equal(mls_policy_verdict((enum mls_policy_mode)mode, 0, model,
							    !model),
					 !model);
		}
	}
	/* An always-accepting model is the heuristic. */
	for (int kind = 0; kind < MLS_POLICY_KINDS; kind++)
		assert_true(mls_policy_heuristic((enum mls_policy_kind)kind));
}

static void who_sleeps_after_each_task_it_makes_is_known_by_the_first(void **state)
{
	u32 blocks = 0;

	(void)state;
	assert_false(mls_policy_forks_in_place(blocks, 0));
	blocks = mls_policy_blocks(blocks, 1);
	assert_true(mls_policy_forks_in_place(blocks, 0));
	/* Somebody waits there already: the new one would wait for both. */
	assert_false(mls_policy_forks_in_place(blocks, 1));
	/* One exception is forgiven to who has done so again and again, two are not. */
	for (int k = 0; k < 20; k++)
		blocks = mls_policy_blocks(blocks, 1);
	assert_in_range(blocks, MLS_POLICY_BLOCKS_ONE - 2, MLS_POLICY_BLOCKS_ONE);
	blocks = mls_policy_blocks(blocks, 0);
	blocks = mls_policy_blocks(blocks, 1);
	assert_true(mls_policy_forks_in_place(blocks, 0));
	blocks = mls_policy_blocks(blocks, 0);
	blocks = mls_policy_blocks(blocks, 0);
	assert_false(mls_policy_forks_in_place(blocks, 0));
	for (int k = 0; k < 20; k++)
		blocks = mls_policy_blocks(blocks, 0);
	assert_int_equal(blocks, 0);
}

static int preempts(u64 burst, u64 running_burst, u64 deadline, u64 running)
{
	return mls_policy_preempts_short(0, 0, burst, running_burst, deadline, running,
					 policy.slice);
}

static void a_short_task_takes_the_place_of_a_long_one_and_no_other_does(void **state)
{
	const u64 us = 1000, at = 1ull << 63, wrap = ~0ull - 1000;

	(void)state;
	assert_true(preempts(500 * us, 1000 * us, at, at));
	assert_false(preempts(500 * us, 999 * us, at, at));
	/* Not one that is gone before it matters, nor one that is not short. */
	assert_false(preempts(MLS_POLICY_SHORT_LEAST, 1000 * us, at, at));
	assert_true(preempts(MLS_POLICY_SHORT_LEAST + 1, 1000 * us, at, at));
	assert_true(preempts(MLS_POLICY_SHORT_MOST - 1, 10000 * us, at, at));
	assert_false(preempts(MLS_POLICY_SHORT_MOST, 10000 * us, at, at));
	/* Who has used more than the other, by a turn or more, waits. */
	assert_true(preempts(500 * us, 1000 * us, at + policy.slice - 1, at));
	assert_false(preempts(500 * us, 1000 * us, at + policy.slice, at));
	assert_true(preempts(500 * us, 1000 * us, wrap + 2000, wrap));
	assert_false(preempts(500 * us, 1000 * us, wrap + policy.slice, wrap));
	/* By what they asked for: batch and idle interrupt nobody, idle is in nobody's way. */
	assert_false(mls_policy_preempts_short(MLS_POLICY_SCHED_BATCH, 0, 500 * us, 1000 * us, at,
					       at, 0));
	assert_false(mls_policy_preempts_short(MLS_POLICY_SCHED_IDLE, 0, 500 * us, 1000 * us, at,
					       at, 0));
	assert_true(mls_policy_preempts_short(0, MLS_POLICY_SCHED_IDLE, 500 * us, 0, at, 0, 0));
}

static void a_large_imbalance_needs_no_model(void **state)
{
	(void)state;
	assert_false(mls_policy_is_large(4, 0));
	assert_true(mls_policy_is_large(5, 0));
	assert_false(mls_policy_is_large(6, 1));
	assert_true(mls_policy_is_large(7, 1));
	/* A move makes the difference smaller, never the other one the longer. */
	for (u32 src = 0; src < 200; src++) {
		for (u32 dst = 0; dst < 200; dst++) {
			if (mls_policy_is_large(src, dst))
				assert_true(src - 1 > dst + 1);
		}
	}
	/* A queue's length that could not be read looks enormous. */
	assert_false(mls_policy_is_large(~0u, ~0u));
}

static void mechanisms_are_asked_for_one_by_one(void **state)
{
	(void)state;
	for (int one = 0; one < MLS_POLICY_MECHANISMS; one++) {
		assert_false(mls_policy_has(0, (enum mls_policy_mechanism)one));
		for (int other = 0; other < MLS_POLICY_MECHANISMS; other++)
			assert_int_equal(mls_policy_has(1u << other,
							(enum mls_policy_mechanism)one),
					 one == other);
	}
}

static void bits_are_counted_and_found(void **state)
{
	struct mls_random random;

	(void)state;
	mls_random_seed(&random, new_seed(), 0);
	for (int i = 0; i < TRIALS; i++) {
		u64 word = mls_random_next(&random) & mls_random_next(&random) &
			   mls_random_next(&random);
		u32 start = (u32)(mls_random_next(&random) % 64), found;

		assert_int_equal(mls_policy_count(word), __builtin_popcountll(word));
		if (!word)
			continue;
		assert_int_equal(mls_policy_first(word), __builtin_ctzll(word));
		found = start;
		while (!(word >> found & 1))
			found = (found + 1) % 64;
		assert_int_equal(mls_policy_from(word, start), found);
	}
	assert_int_equal(mls_policy_count(~0ull), 64);
	assert_int_equal(mls_policy_first(1ull << 63), 63);
}

/* From any bit of several words each that is set is found, in its order, and no other. */
static void a_search_goes_through_all_words(void **state)
{
	enum { WORDS = 3, BITS = WORDS * 64 };
	struct mls_random random;

	(void)state;
	mls_random_seed(&random, new_seed(), 0);
	for (int i = 0; i < TRIALS; i++) {
		u64 words[WORDS], left[WORDS];
		u32 from = (u32)(mls_random_next(&random) % BITS), n_words = 1 + i % WORDS;

		from %= n_words * 64;
		for (u32 w = 0; w < n_words; w++)
			words[w] = left[w] = mls_random_next(&random) & mls_random_next(&random) &
					     mls_random_next(&random);
		for (u32 k = 0, place = from; k <= n_words; k++) {
			u32 w = (from / 64 + k) % n_words;
			u64 part = mls_policy_part(words[w], k, n_words, from);

			while (part) {
				u32 found = w * 64 + mls_policy_first(part);

				for (; place != found; place = (place + 1) % (n_words * 64))
					assert_false(words[place / 64] >> place % 64 & 1);
				assert_true(words[place / 64] >> place % 64 & 1);
				place = (place + 1) % (n_words * 64);
				part &= part - 1;
				left[w] &= ~(1ull << found % 64);
			}
		}
		for (u32 w = 0; w < n_words; w++)
			assert_int_equal(left[w], 0);
	}
}

/* A search over a set that changes, from anywhere: each number once, then it is around. */
static void a_search_goes_around_once(void **state)
{
	enum { N = 5 };

	(void)state;
	for (u32 begin = 0; begin < N; begin++) {
		for (u32 steps = 1; steps < 1 << N; steps++) {
			u32 seen = 0, from = begin;

			/* Found in this order, wherever the set has a hole. */
			for (u32 k = 0; k < N; k++) {
				u32 found = (begin + k) % N;

				if (!(steps >> found & 1))
					continue;
				if (seen)
					assert_false(mls_policy_is_around(begin, from, found));
				seen |= 1u << found;
				/* Those that were met already are, should they be met again. */
				from = found + 1;
				for (u32 again = 0; again < N; again++)
					if (seen >> again & 1)
						assert_true(
							mls_policy_is_around(begin, from, again));
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slices_shrink_with_the_queue_and_stay_above_the_least),
		cmocka_unit_test(a_slice_is_no_longer_than_that_of_eevdf),
		cmocka_unit_test(waiting_is_foreseen_in_turns),
		cmocka_unit_test(time_costs_by_weight),
		cmocka_unit_test(order_survives_the_wrap),
		cmocka_unit_test(placement_is_within_bounds_of_the_clock),
		cmocka_unit_test(a_heavy_task_gets_its_share_in_every_phase),
		cmocka_unit_test(in_a_group_short_times_are_as_short),
		cmocka_unit_test(a_change_of_queue_keeps_what_a_task_is_ahead),
		cmocka_unit_test(short_bursts_are_served_first),
		cmocka_unit_test(batch_and_idle_interrupt_nobody_and_idle_is_in_nobodys_way),
		cmocka_unit_test(the_average_burst_approaches_what_is_measured),
		cmocka_unit_test(a_clock_never_stands_still_for_those_that_wait),
		cmocka_unit_test(short_idle_periods_are_not_worth_a_move),
		cmocka_unit_test(who_is_overdue_is_found_within_the_limit_or_one_round),
		cmocka_unit_test(a_wakeup_goes_far_only_past_a_queue),
		cmocka_unit_test(who_is_woken_from_elsewhere_follows_in_the_end),
		cmocka_unit_test(a_steal_leaves_one_runnable_task),
		cmocka_unit_test(the_only_one_that_waits_goes_to_who_is_idle_for_long),
		cmocka_unit_test(balancing_of_equal_tasks_goes_by_their_numbers),
		cmocka_unit_test(balancing_by_weight_comes_to_rest_with_weights_level),
		cmocka_unit_test(balancing_brings_light_and_heavy_tasks_together),
		cmocka_unit_test(equal_tasks_take_turns),
		cmocka_unit_test(turns_make_nothing_more_uneven),
		cmocka_unit_test(unfairness_is_to_last),
		cmocka_unit_test(a_search_goes_through_all_words),
		cmocka_unit_test(a_search_goes_around_once),
		cmocka_unit_test(hard_rules_stand_above_safety_and_safety_above_verdicts),
		cmocka_unit_test(only_an_active_model_decides),
		cmocka_unit_test(who_sleeps_after_each_task_it_makes_is_known_by_the_first),
		cmocka_unit_test(a_short_task_takes_the_place_of_a_long_one_and_no_other_does),
		cmocka_unit_test(a_large_imbalance_needs_no_model),
		cmocka_unit_test(mechanisms_are_asked_for_one_by_one),
		cmocka_unit_test(bits_are_counted_and_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
