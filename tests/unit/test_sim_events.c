// SPDX-License-Identifier: GPL-2.0
/* src/sim/events.h: the next event is the earliest, as in a list that is searched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/sim/events.h"
#include "src/util/random.h"

#define CPUS  100
#define SLOTS (2 * CPUS + 1)
#define TASKS 1000
#define TIMES 100000

static struct sim_machine machine;
static u64 heap[SLOTS + SIM_CHILDREN], sleepers[TASKS + SIM_CHILDREN];
static u32 place[SLOTS];
static u64 slot_at[SLOTS], task_at[TASKS]; /* the list; SIM_NEVER */

static struct sim new_world(void)
{
	struct sim s = { .machine = &machine,
			 .heap = heap,
			 .sleepers = sleepers,
			 .place = place,
			 .slot_bits = 8,
			 .task_bits = 10 };

	machine.n_cpus = CPUS;
	memset(heap, 0xff, sizeof(heap));
	memset(sleepers, 0xff, sizeof(sleepers));
	memset(place, 0xff, sizeof(place));
	memset(slot_at, 0xff, sizeof(slot_at));
	memset(task_at, 0xff, sizeof(task_at));
	return s;
}

static u32 earliest(const u64 *at, u32 n)
{
	u32 found = 0;

	for (u32 i = 1; i < n; i++)
		if (at[i] < at[found])
			found = i;
	return found;
}

/* Set, changed, taken back, slept and woken at random; equal times, too, which go by number. */
static void the_next_event_is_the_earliest(void **state)
{
	struct mls_random random;
	struct sim s = new_world();
	u64 now = 0, most = 0;
	u32 n_woken = 0, n_equal = 0;

	(void)state;
	mls_random_seed(&random, 5, 0);
	for (u32 k = 0; k < TIMES; k++) {
		u32 slot = mls_random_below(&random, SLOTS),
		    task = mls_random_below(&random, TASKS);
		u64 time = now + mls_random_below(&random, 1000);
		u32 first = earliest(slot_at, SLOTS), woken = earliest(task_at, TASKS);
		u64 next = slot_at[first] < task_at[woken] ? slot_at[first] : task_at[woken];

		assert_true(event_next(&s) == next);
		if (slot_at[first] != SIM_NEVER)
			assert_int_equal(event_who(heap[0], s.slot_bits), first);
		n_equal += slot_at[first] == task_at[woken] && next != SIM_NEVER;
		switch (mls_random_below(&random, 5)) {
		case 0:
		case 1:
			event_set(&s, slot, time);
			slot_at[slot] = time;
			break;
		case 2:
			event_set(&s, slot, SIM_NEVER);
			slot_at[slot] = SIM_NEVER;
			break;
		case 3:
			if (task_at[task] != SIM_NEVER)
				break;
			event_sleep(&s, task, time);
			task_at[task] = time;
			break;
		default:
			if (task_at[woken] == SIM_NEVER)
				break;
			now = task_at[woken];
			assert_int_equal(event_wake(&s), woken);
			task_at[woken] = SIM_NEVER;
			n_woken++;
			/* As in a run, nobody's time is over: they are set anew. */
			for (u32 i = 0; i < SLOTS; i++) {
				if (slot_at[i] >= now)
					continue;
				slot_at[i] = now;
				event_set(&s, i, now);
			}
		}
		most = s.n_sleepers > most ? s.n_sleepers : most;
	}
	assert_in_range(n_woken, 10000, TIMES);
	assert_in_range(n_equal, 10, TIMES);
	assert_in_range(most, 75, TASKS); /* more than three levels */
	while (s.n_sleepers) {
		u32 woken = earliest(task_at, TASKS);

		assert_int_equal(event_wake(&s), woken);
		task_at[woken] = SIM_NEVER;
	}
	assert_true(event_next_sleeper(&s) == SIM_NEVER);
}

/* What would not fit into a word is at the limit, at which a run is given up. */
static void times_end_at_the_limit(void **state)
{
	struct sim s = new_world();

	(void)state;
	event_sleep(&s, TASKS - 1, SIM_NEVER - 1);
	event_sleep(&s, 3, event_limit(&s) - 1);
	assert_true(event_next(&s) == event_limit(&s) - 1);
	assert_int_equal(event_wake(&s), 3);
	assert_true(event_next(&s) >= event_limit(&s));
	assert_true(event_next(&s) != SIM_NEVER);
	assert_int_equal(event_wake(&s), TASKS - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_next_event_is_the_earliest),
		cmocka_unit_test(times_end_at_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
