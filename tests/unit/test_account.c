// SPDX-License-Identifier: GPL-2.0
/*
 * The sums over judged migrations, fed with made-up ones.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "src/host/account.h"

static struct mls_account account;

static int setup(void **state)
{
	(void)state;
	memset(&account, 0, sizeof(account));
	return 0;
}

static struct mls_move move(uint64_t wait, uint64_t back)
{
	return (struct mls_move){
		.kind = MLS_MOVE_WAKEUP,
		.followed = true,
		.ran = true,
		.observed = 100000000,
		.wait = wait,
		.run_time = 2 * wait,
		.moved = back,
		.back = back,
	};
}

static void add(struct mls_move m, bool accepted)
{
	mls_account_add(&account, &m, accepted, 70);
}

static void refused_and_accepted_are_kept_apart(void **state)
{
	(void)state;
	add(move(10, 0), true);
	add(move(30, 500), true);
	add(move(100, 0), false);
	assert_int_equal(mls_account_moves(&account), 3);
	assert_true(fabs(mls_account_refused_share(&account) - 1.0 / 3) < 1e-12);
	assert_true(mls_tally_mean_wait(&account.tally[MLS_ACCEPTED]) == 20);
	assert_true(mls_tally_mean_wait(&account.tally[MLS_REFUSED]) == 100);
	assert_true(mls_tally_mean_run_time(&account.tally[MLS_ACCEPTED]) == 40);
	assert_true(mls_tally_bounced_share(&account.tally[MLS_ACCEPTED]) == 0.5);
	assert_true(mls_tally_bounced_share(&account.tally[MLS_REFUSED]) == 0);
}

static void forced_moves_are_nobodys_to_refuse(void **state)
{
	struct mls_move m = move(10, 0);

	(void)state;
	m.forced = true;
	add(m, false);
	add(m, true);
	add(move(10, 0), true);
	assert_int_equal(account.tally[MLS_FORCED].n, 2);
	assert_true(mls_account_refused_share(&account) == 0);
	assert_int_equal(mls_account_moves(&account), 3);
}

static void moving_on_is_not_bouncing(void **state)
{
	struct mls_move m = move(10, 0);

	(void)state;
	m.moved = 12345;
	add(m, true);
	assert_int_equal(account.tally[MLS_ACCEPTED].moved, 1);
	assert_int_equal(account.tally[MLS_ACCEPTED].bounced, 0);
}

static void sleepers_do_not_count_in_the_wait(void **state)
{
	struct mls_move m = move(90000000, 0);

	(void)state;
	m.asleep = true;
	add(m, true);
	add(move(10, 0), true);
	assert_int_equal(account.tally[MLS_ACCEPTED].followed, 2);
	assert_true(mls_tally_mean_wait(&account.tally[MLS_ACCEPTED]) == 10);
}

static void moves_without_outcome_count_only_as_moves(void **state)
{
	struct mls_move m = move(50, 60);

	(void)state;
	m.followed = false;
	add(m, false);
	assert_int_equal(account.tally[MLS_REFUSED].n, 1);
	assert_int_equal(account.tally[MLS_REFUSED].followed, 0);
	assert_true(mls_tally_bounced_share(&account.tally[MLS_REFUSED]) == 0);
	assert_true(mls_account_refused_share(&account) == 1);
}

static void kinds_are_counted(void **state)
{
	struct mls_move m = move(1, 0);

	(void)state;
	add(m, true);
	m.kind = MLS_MOVE_EXEC;
	add(m, true);
	add(m, false);
	assert_int_equal(account.kinds[MLS_MOVE_WAKEUP], 1);
	assert_int_equal(account.kinds[MLS_MOVE_EXEC], 2);
	assert_int_equal(account.kinds[MLS_MOVE_BALANCE], 0);
}

static void nothing_gives_zeros_not_nans(void **state)
{
	(void)state;
	assert_true(mls_account_refused_share(&account) == 0);
	assert_true(mls_tally_mean_wait(&account.tally[MLS_ACCEPTED]) == 0);
	assert_true(mls_times_median(&account.inference) == 0);
}

static void median_is_within_three_percent(void **state)
{
	static const uint64_t times[] = { 0,   1,    63,     64,       65,        71,
					  100, 1000, 123456, 99999999, 1ull << 39 };

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		double found;

		setup(NULL);
		mls_times_add(&account.inference, 1ull << 38);
		for (int n = 0; n < 3; n++)
			mls_times_add(&account.inference, times[i]);
		mls_times_add(&account.inference, 0);
		found = mls_times_median(&account.inference);
		assert_true(fabs(found - (double)times[i]) <= 0.03 * (double)times[i]);
	}
	/* What is beyond the table ends in its last place. */
	mls_times_add(&account.inference, UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(refused_and_accepted_are_kept_apart, setup),
		cmocka_unit_test_setup(forced_moves_are_nobodys_to_refuse, setup),
		cmocka_unit_test_setup(moving_on_is_not_bouncing, setup),
		cmocka_unit_test_setup(sleepers_do_not_count_in_the_wait, setup),
		cmocka_unit_test_setup(moves_without_outcome_count_only_as_moves, setup),
		cmocka_unit_test_setup(kinds_are_counted, setup),
		cmocka_unit_test_setup(nothing_gives_zeros_not_nans, setup),
		cmocka_unit_test_setup(median_is_within_three_percent, setup),
	};

	return cmocka_run_group_tests_name("account", tests, NULL, NULL);
}
