// SPDX-License-Identifier: GPL-2.0
/*
 * core/load.h against the same average in double precision: single steps,
 * long random histories, and readers on other CPUs.
 */
#include <math.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/load.h"
#include "src/util/random.h"

#define SECOND 1000000000ull

static double fraction(uint32_t load)
{
	return (double)load / MLS_LOAD_ONE;
}

static void decay_is_within_5e_6_of_two_to_the_minus_x(void **state)
{
	double worst = 0;

	(void)state;
	for (uint64_t x = 0; x < 30ull << 40; x += (1ull << 40) / 997) {
		double expected = exp2(-(double)x / 0x1p40);
		double found = (double)mls_load_exp2_neg(x) / 0x1p30;
		double relative = fabs(found - expected) - 0x1p-30;

		/* Small results end in their last bit: the rest is relative. */
		if (relative / expected > worst)
			worst = relative / expected;
	}
	print_message("# worst relative error %.2e\n", worst);
	assert_true(worst < 5e-6);
	assert_int_equal(mls_load_exp2_neg(0), 1 << 30);
}

static void half_is_left_after_one_half_life(void **state)
{
	static const uint64_t half_lives[] = { MLS_LOAD_MIN_HALF_LIFE, 32000000, SECOND,
					       MLS_LOAD_MAX_HALF_LIFE };

	(void)state;
	for (size_t i = 0; i < sizeof(half_lives) / sizeof(half_lives[0]); i++) {
		struct mls_load_decay decay = mls_load_decay_of(half_lives[i]);
		uint64_t start = 5 * SECOND;
		uint64_t idle = mls_load_word(MLS_LOAD_IDLE, start, MLS_LOAD_ONE);
		uint64_t busy = mls_load_word(MLS_LOAD_BUSY, start, 0);

		for (int n = 0; n < 8; n++) {
			double left = exp2(-n);
			uint64_t now = start + (uint64_t)n * half_lives[i];

			assert_true(fabs(fraction(mls_load_at(idle, now, &decay)) - left) < 2e-3);
			assert_true(fabs(fraction(mls_load_at(busy, now, &decay)) - (1 - left)) <
				    2e-3);
		}
	}
}

/* The same history in floating point. */
struct reference {
	double load;
	uint64_t since;
	bool busy;
};

static double reference_at(const struct reference *r, uint64_t now, double half_life)
{
	double left = exp2(-(double)(now - r->since) / half_life);

	return r->busy ? 1 - (1 - r->load) * left : r->load * left;
}

/* One random history: intervals around @mean ns, busy for about @share of the time. */
static double worst_difference(struct mls_random *random, uint64_t half_life, double mean,
			       double share)
{
	struct mls_load_decay decay = mls_load_decay_of(half_life);
	uint64_t now = 7 * SECOND, word = mls_load_word(MLS_LOAD_IDLE, now, 0);
	struct reference r = { 0, now, false };
	double worst = 0;

	for (int i = 0; i < 20000; i++) {
		double length = mean * 2 * (r.busy ? share : 1 - share);
		double at, difference;

		now += (uint64_t)(-log(1 - (double)mls_random_unit(random)) * length);
		at = reference_at(&r, now, (double)half_life);
		difference = fabs(fraction(mls_load_at(word, now, &decay)) - at);
		worst = difference > worst ? difference : worst;
		r = (struct reference){ at, now, !r.busy };
		word = mls_load_change(word, MLS_LOAD_UNKNOWN,
				       r.busy ? MLS_LOAD_BUSY : MLS_LOAD_IDLE, now, &decay);
	}
	return worst;
}

static void random_histories_stay_within_a_quarter_percent_of_double(void **state)
{
	static const double means[] = { 2e3, 2e4, 3e5, 5e6, 1e8 };
	static const double shares[] = { 0.02, 0.3, 0.5, 0.9, 0.99 };
	static const uint64_t half_lives[] = { 4000000, 32000000, 500000000 };
	uint64_t seed = 20261121;
	struct mls_random random;
	double worst = 0;

	(void)state;
	print_message("# seed %llu\n", (unsigned long long)seed);
	mls_random_seed(&random, seed, 0);
	for (size_t h = 0; h < 3; h++) {
		for (size_t m = 0; m < 5; m++) {
			for (size_t s = 0; s < 5; s++) {
				double w = worst_difference(&random, half_lives[h], means[m],
							    shares[s]);

				worst = w > worst ? w : worst;
			}
		}
	}
	print_message("# worst difference %.5f\n", worst);
	assert_true(worst < 0.0025);
}

static void first_change_takes_the_past_for_steady(void **state)
{
	struct mls_load_decay decay = mls_load_decay_of(32000000);
	uint64_t word = mls_load_change(0, MLS_LOAD_BUSY, MLS_LOAD_IDLE, SECOND, &decay);

	(void)state;
	assert_int_equal(mls_load_state(0), MLS_LOAD_UNKNOWN);
	assert_int_equal(mls_load_state(word), MLS_LOAD_IDLE);
	assert_int_equal(mls_load_at(word, SECOND, &decay), MLS_LOAD_ONE);
	word = mls_load_change(0, MLS_LOAD_IDLE, MLS_LOAD_BUSY, SECOND, &decay);
	assert_int_equal(mls_load_at(word, SECOND, &decay), 0);
}

static void reader_with_a_clock_behind_sees_the_last_value(void **state)
{
	struct mls_load_decay decay = mls_load_decay_of(32000000);
	uint64_t word = mls_load_word(MLS_LOAD_BUSY, 10 * SECOND, MLS_LOAD_ONE / 2);

	(void)state;
	assert_int_equal(mls_load_at(word, 10 * SECOND - 50000, &decay), MLS_LOAD_ONE / 2);
}

static void time_may_wrap_in_the_word(void **state)
{
	struct mls_load_decay decay = mls_load_decay_of(32000000);
	uint64_t wrap = (MLS_LOAD_TIME_MASK + 1) << MLS_LOAD_UNIT_SHIFT;
	uint64_t word = mls_load_word(MLS_LOAD_IDLE, wrap - 16000000, MLS_LOAD_ONE);

	(void)state;
	assert_true(fabs(fraction(mls_load_at(word, wrap + 16000000, &decay)) - 0.5) < 1e-3);
}

static void nothing_is_left_after_thirty_half_lives(void **state)
{
	struct mls_load_decay decay = mls_load_decay_of(32000000);
	uint64_t busy = mls_load_word(MLS_LOAD_BUSY, SECOND, 0);
	uint64_t idle = mls_load_word(MLS_LOAD_IDLE, SECOND, MLS_LOAD_ONE);

	(void)state;
	assert_int_equal(mls_load_at(busy, 3600 * SECOND, &decay), MLS_LOAD_ONE);
	assert_int_equal(mls_load_at(idle, 3600 * SECOND, &decay), 0);
}

static void q16_ends_at_one(void **state)
{
	(void)state;
	assert_int_equal(mls_load_q16(MLS_LOAD_ONE), 65536);
	assert_int_equal(mls_load_q16(0), 0);
	assert_int_equal(mls_load_q16(MLS_LOAD_ONE / 2), 32768);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decay_is_within_5e_6_of_two_to_the_minus_x),
		cmocka_unit_test(half_is_left_after_one_half_life),
		cmocka_unit_test(random_histories_stay_within_a_quarter_percent_of_double),
		cmocka_unit_test(first_change_takes_the_past_for_steady),
		cmocka_unit_test(reader_with_a_clock_behind_sees_the_last_value),
		cmocka_unit_test(time_may_wrap_in_the_word),
		cmocka_unit_test(nothing_is_left_after_thirty_half_lives),
		cmocka_unit_test(q16_ends_at_one),
	};

	return cmocka_run_group_tests_name("load", tests, NULL, NULL);
}
