// SPDX-License-Identifier: GPL-2.0
/* core/coin.h: the coin takes exactly its share, gives both answers alike, and the chances that go
 * into recordings are those of what is decided: counted over every random number that matters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/coin.h"
#include "src/util/array.h"

static const u32 shares[] = { 0, 1, 2, 3, 655, 6553, MLS_COIN_CERTAIN / 5, MLS_COIN_CERTAIN };

/* Low half and highest bit are what is looked at; the bits between are set and not set in turn. */
static u32 random_number(u32 low, u32 high)
{
	return high << 31 | (low % 2 ? 0x7fff0000 : 0) | low;
}

/* How often each verdict comes of all numbers where @own is decided without the coin; returns how
 * often the coin took it. */
static u32 decide_all(u32 share, int own, u32 times[2])
{
	u32 taken = 0;

	times[0] = times[1] = 0;
	for (u32 low = 0; low < MLS_COIN_CERTAIN; low++) {
		for (u32 high = 0; high < 2; high++) {
			u32 random = random_number(low, high);
			int takes = mls_coin_takes(random, share);

			taken += (u32)takes;
			times[takes ? mls_coin_answer(random) : own]++;
		}
	}
	return taken;
}

static void takes_its_share(void **state)
{
	u32 times[2];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(shares); i++) {
		assert_int_equal(decide_all(shares[i], 0, times), 2 * shares[i]);
		assert_int_equal(times[1], shares[i]); /* of the coin alone */
	}
}

static void chances_are_how_often_it_is_decided(void **state)
{
	u32 times[2];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(shares); i++) {
		for (int own = 0; own < 2; own++) {
			decide_all(shares[i], own, times);
			for (int verdict = 0; verdict < 2; verdict++) {
				u32 chance = mls_coin_chance(shares[i], own, verdict);

				/* Of twice as many; an odd share is halved to one below. */
				assert_in_range(times[verdict] + 1 - 2 * chance, 0, 2);
			}
			assert_int_equal(mls_coin_chance(shares[i], own, 0) +
						 mls_coin_chance(shares[i], own, 1),
					 MLS_COIN_CERTAIN);
		}
	}
}

static void no_share_changes_nothing(void **state)
{
	(void)state;
	for (u32 low = 0; low < MLS_COIN_CERTAIN; low++)
		assert_false(mls_coin_takes(low, 0));
	assert_int_equal(mls_coin_chance(0, 1, 1), MLS_COIN_CERTAIN);
	assert_int_equal(mls_coin_chance(0, 0, 0), MLS_COIN_CERTAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_its_share),
		cmocka_unit_test(chances_are_how_often_it_is_decided),
		cmocka_unit_test(no_share_changes_nothing),
	};

	return cmocka_run_group_tests_name("coin", tests, NULL, NULL);
}
