// SPDX-License-Identifier: GPL-2.0
/* src/sim/cpu_load.h: two numbers against the sum over all tasks, and the bound against what it bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "src/sim/cpu_load.h"
#include "src/sim/machine.h"
#include "src/sim/random.h"
#include "src/util/array.h"

#define HALF_LIFE (32 * SIM_MS)

static u64 chance(u64 below)
{
	static u64 n;

	return sim_draw(1, 1, n++) % below;
}

/* Tasks wake up and fall asleep by chance: the sum that is kept is the sum of them all, at any time. */
static void two_numbers_know_the_sum_of_all_tasks(void **state)
{
	struct mls_load_decay decay = mls_load_decay_of(HALF_LIFE);
	struct cpu_load load = { 0, 0 };
	u64 word[40], now = 0;
	bool runnable[ARRAY_SIZE(word)] = { false };
	u32 n = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(word); i++)
		word[i] = mls_load_word(MLS_LOAD_IDLE, 0, 0);
	for (u32 step = 0; step < 100000; step++) {
		size_t i = chance(ARRAY_SIZE(word));
		u64 sum = 0, own;

		now += chance(SIM_MS);
		own = mls_load_at(word[i], now, &decay);
		/* What it was while it slept is no longer to be taken off, but what it lacks added. */
		cpu_load_change(&load, runnable[i] ? -(s64)MLS_LOAD_ONE : MLS_LOAD_ONE, now,
				&decay);
		n += runnable[i] ? -1u : 1u;
		runnable[i] = !runnable[i];
		word[i] = mls_load_word(runnable[i] ? MLS_LOAD_BUSY : MLS_LOAD_IDLE, now, (u32)own);
		now += chance(10 * SIM_MS);
		for (size_t k = 0; k < ARRAY_SIZE(word); k++)
			sum += mls_load_at(word[k], now, &decay);
		assert_in_range(cpu_load_at(&load, n, now, &decay) + 2, (sum >> CPU_LOAD_SHIFT) + 1,
				(sum >> CPU_LOAD_SHIFT) + 3);
	}
}

static void what_is_at_most_is_never_less(void **state)
{
	struct mls_load_decay decay = mls_load_decay_of(HALF_LIFE);

	(void)state;
	for (u32 step = 0; step < 2000000; step++) {
		u32 n = (u32)chance(step % 2 ? 4 : 1000);
		u64 most = ((u64)n + 1) * MLS_LOAD_ONE;
		struct cpu_load load = { (s64)chance(2 * most) - (s64)most, chance(SIM_S) };
		u64 passed = chance(1ull << (step % 44)), now = load.at + passed;
		u64 bound = cpu_load_at_most(&load, n, now, &decay);
		u64 is = cpu_load_at(&load, n, now, &decay);

		assert_true(is <= bound);
		/* And shortly after a change hardly more, or it would bound nothing. */
		if (passed < SIM_MS && load.lacking >= 0 && load.lacking <= (s64)n * MLS_LOAD_ONE)
			assert_true(bound <= is + 2 + n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_numbers_know_the_sum_of_all_tasks),
		cmocka_unit_test(what_is_at_most_is_never_less),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
