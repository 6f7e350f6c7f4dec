// SPDX-License-Identifier: GPL-2.0
/* What groups with weights make of a task's weight (core/group.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/group.h"
#include "src/util/random.h"

static u32 in_group(u32 task, u32 weight, u64 sum)
{
	return mls_group_weight(task, mls_group_factor(MLS_GROUP_ONE, weight, sum));
}

static void outside_of_groups_a_task_keeps_its_weight(void **state)
{
	(void)state;
	assert_int_equal(mls_group_weight(100, MLS_GROUP_ONE), MLS_POLICY_WEIGHT);
	for (u32 weight = 1; weight <= MLS_GROUP_MOST; weight++)
		assert_int_equal(mls_group_weight(weight, MLS_GROUP_ONE), weight * MLS_POLICY_FINE);
}

static void a_groups_members_have_its_weight_together(void **state)
{
	struct mls_random random;

	(void)state;
	mls_random_seed(&random, 7, 0);
	for (int i = 0; i < 2000; i++) {
		u32 weight = 1 + (u32)(mls_random_next(&random) % MLS_GROUP_MOST), tasks[16];
		u64 sum = 0, together = 0, wanted = (u64)weight * MLS_POLICY_FINE;
		u32 n = 1 + (u32)(mls_random_next(&random) % 16);

		for (u32 k = 0; k < n; k++)
			sum += tasks[k] = 1 + (u32)(mls_random_next(&random) % MLS_GROUP_MOST);
		for (u32 k = 0; k < n; k++)
			together += in_group(tasks[k], weight, sum);
		/* Each is rounded down, or up to the least there is; the factor once more. */
		assert_in_range(together, wanted - wanted / 100 - (wanted > 2 * n ? 2 * n : wanted),
				wanted + n);
	}
}

/* Weights 100 and 300 at one level, 100 and 200 in the first: 1/3 and 2/3 of its 100. */
static void a_group_in_a_group_has_its_part(void **state)
{
	u64 outer = mls_group_factor(MLS_GROUP_ONE, 100, 100 + 200);
	u64 from_inside = mls_group_factor(mls_group_factor(MLS_GROUP_ONE, 200, 100), 100, 300);

	(void)state;
	assert_in_range(mls_group_weight(100, mls_group_factor(outer, 100, 100)),
			MLS_POLICY_WEIGHT / 3 - 1, MLS_POLICY_WEIGHT / 3 + 1);
	assert_in_range(mls_group_weight(100, mls_group_factor(outer, 200, 100)),
			MLS_POLICY_WEIGHT * 2 / 3 - 1, MLS_POLICY_WEIGHT * 2 / 3 + 1);
	assert_in_range(mls_group_weight(100, from_inside), MLS_POLICY_WEIGHT * 2 / 3 - 1,
			MLS_POLICY_WEIGHT * 2 / 3 + 1);
	assert_int_equal(in_group(100, 300, 100), 3 * MLS_POLICY_WEIGHT);
}

static void extremes_neither_overflow_nor_vanish(void **state)
{
	u64 factor = MLS_GROUP_ONE;

	(void)state;
	/* The sum is about to be counted. */
	assert_int_equal(in_group(MLS_GROUP_MOST, MLS_GROUP_MOST, 0),
			 MLS_GROUP_MOST * MLS_POLICY_FINE);
	for (int level = 0; level < 32; level++)
		factor = mls_group_factor(factor, MLS_GROUP_MOST, 0);
	assert_int_equal(mls_group_weight(MLS_GROUP_MOST, factor),
			 MLS_GROUP_MOST * MLS_POLICY_FINE);
	for (int level = 0; level < 32; level++)
		factor = mls_group_factor(factor, 1, 1000 * MLS_GROUP_MOST);
	assert_int_equal(mls_group_weight(1, factor), 1);
	/* 500 tasks in a group of the default weight still differ by nice values. */
	assert_in_range(in_group(200, 100, 500 * 100), 2 * in_group(100, 100, 500 * 100) - 1,
			2 * in_group(100, 100, 500 * 100) + 1);
}

static void a_group_counts_outside_while_it_has_something_to_do(void **state)
{
	(void)state;
	assert_int_equal(mls_group_gives(300, 0, 0), 0);
	assert_int_equal(mls_group_gives(300, 1, 0), 300);
	assert_int_equal(mls_group_gives(300, 7, 0), 300);
	assert_int_equal(mls_group_gives(300, 7, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(outside_of_groups_a_task_keeps_its_weight),
		cmocka_unit_test(a_groups_members_have_its_weight_together),
		cmocka_unit_test(a_group_in_a_group_has_its_part),
		cmocka_unit_test(extremes_neither_overflow_nor_vanish),
		cmocka_unit_test(a_group_counts_outside_while_it_has_something_to_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
