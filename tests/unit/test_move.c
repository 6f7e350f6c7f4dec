// SPDX-License-Identifier: GPL-2.0
/*
 * Slots of the recorder's ring, made up, and what is read out of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "src/host/move.h"

#define WINDOW      100000000u
#define RUNNING(ns) (((uint64_t)(ns) + 1) << 32)

static struct recorder_decision slot;
static struct mls_move move;

static int setup(void **state)
{
	(void)state;
	slot = (struct recorder_decision){
		.id = 7,
		.time = 1000,
		.wait = 41,
		.pid = 12,
		.tgid = 11,
		.comm = "worker",
		.features = { 3 << 16, 1 << 16, 2 << 16, 32768, 65536 },
		.src_cpu = 3,
		.dst_cpu = 900,
		.ran_on = 900,
		.src_domain = 1,
		.dst_domain = 63,
		.kind = RECORDER_BALANCE,
		.flags = RECORDER_FOLLOW,
	};
	return 0;
}

static void what_was_known_is_copied(void **state)
{
	(void)state;
	slot.flags |= RECORDER_FORCED | RECORDER_KTHREAD | RECORDER_ASLEEP;
	mls_move_finish(&slot, WINDOW, &move);
	assert_int_equal(move.id, 7);
	assert_int_equal(move.pid, 12);
	assert_string_equal(move.comm, "worker");
	assert_int_equal(move.dst_cpu, 900);
	assert_int_equal(move.dst_domain, 63);
	assert_int_equal(move.kind, MLS_MOVE_BALANCE);
	assert_string_equal(mls_move_kind_name(move.kind), "balance");
	assert_true(move.forced && move.kthread && move.asleep && move.followed);
	assert_int_equal(move.features[4], 65536);
	assert_int_equal(move.features[9], 0);
	assert_int_equal(move.idle_for, -1);
	slot.flags |= RECORDER_LAST_RUN;
	slot.idle_for = 5;
	mls_move_finish(&slot, WINDOW, &move);
	assert_int_equal(move.idle_for, 5);
}

static void a_run_that_goes_on_counts_to_the_end(void **state)
{
	(void)state;
	slot.run = RUNNING(60000000) | 5000000;
	mls_move_finish(&slot, WINDOW, &move);
	assert_int_equal(move.run_time, 45000000);
	/* It began to run at once, and never stopped. */
	slot.run = RUNNING(0);
	mls_move_finish(&slot, WINDOW, &move);
	assert_int_equal(move.run_time, WINDOW);
}

static void a_finished_run_counts_as_it_is(void **state)
{
	(void)state;
	slot.run = 1234;
	mls_move_finish(&slot, WINDOW, &move);
	assert_int_equal(move.run_time, 1234);
	assert_true(move.ran && move.ran_there);
	assert_int_equal(move.wait, 41);
}

static void what_never_ran_waited_all_the_time(void **state)
{
	(void)state;
	slot.wait = 0;
	mls_move_finish(&slot, WINDOW, &move);
	assert_false(move.ran);
	assert_false(move.ran_there);
	assert_int_equal(move.wait, WINDOW);
	assert_int_equal(move.run_time, 0);
}

static void running_elsewhere_first_is_told(void **state)
{
	(void)state;
	slot.ran_on = 3;
	slot.moved = slot.back = 77;
	mls_move_finish(&slot, WINDOW, &move);
	assert_true(move.ran);
	assert_false(move.ran_there);
	assert_int_equal(move.moved, 77);
	assert_int_equal(move.back, 77);
}

static void a_task_that_moved_too_often_is_followed_until_then(void **state)
{
	(void)state;
	slot.observed = 2001;
	slot.run = 900;
	mls_move_finish(&slot, WINDOW, &move);
	assert_int_equal(move.observed, 2001);
	assert_int_equal(move.run_time, 900);
	slot.wait = 0;
	mls_move_finish(&slot, WINDOW, &move);
	assert_int_equal(move.wait, 2001);
}

static void stopping_early_shortens_the_window(void **state)
{
	(void)state;
	slot.run = RUNNING(500);
	mls_move_finish(&slot, 800, &move);
	assert_int_equal(move.observed, 800);
	assert_int_equal(move.run_time, 300);
}

static void without_follow_nothing_is_claimed(void **state)
{
	(void)state;
	slot.flags = 0;
	slot.run = RUNNING(1) | 5;
	slot.moved = 3;
	mls_move_finish(&slot, WINDOW, &move);
	assert_false(move.followed);
	assert_false(move.ran);
	assert_int_equal(move.observed, 0);
	assert_int_equal(move.moved, 0);
	assert_int_equal(move.run_time, 0);
}

static void a_name_without_end_is_ended(void **state)
{
	(void)state;
	memset(slot.comm, 'x', sizeof(slot.comm));
	mls_move_finish(&slot, WINDOW, &move);
	assert_int_equal(strlen(move.comm), 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_was_known_is_copied, setup),
		cmocka_unit_test_setup(a_run_that_goes_on_counts_to_the_end, setup),
		cmocka_unit_test_setup(a_finished_run_counts_as_it_is, setup),
		cmocka_unit_test_setup(what_never_ran_waited_all_the_time, setup),
		cmocka_unit_test_setup(running_elsewhere_first_is_told, setup),
		cmocka_unit_test_setup(a_task_that_moved_too_often_is_followed_until_then, setup),
		cmocka_unit_test_setup(stopping_early_shortens_the_window, setup),
		cmocka_unit_test_setup(without_follow_nothing_is_claimed, setup),
		cmocka_unit_test_setup(a_name_without_end_is_ended, setup),
	};

	return cmocka_run_group_tests_name("move", tests, NULL, NULL);
}
