// SPDX-License-Identifier: GPL-2.0
/* core/verdict.h: a verdict is applied to the move that it is about, while it is fresh, or not at all. */
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/policy.h"
#include "core/verdict.h"
#include "src/util/random.h"

#define AGE 1000ull

static uint64_t new_seed(void)
{
	uint64_t seed = (uint64_t)time(NULL);

	printf("# seed %" PRIu64 "\n", seed);
	return seed;
}

static void moves_have_numbers_of_their_own(void **state)
{
	static const u32 cpus[] = { 0, 1, 2, 3, 511, 512, 1022, 1023 };
	u32 seen[4096], n = 0;

	(void)state;
	for (u32 kind = 0; kind < MLS_POLICY_KINDS; kind++) {
		for (u32 i = 0; i < 64; i++) {
			u32 move = mls_verdict_move(kind, cpus[i / 8], cpus[i % 8]);

			assert_true(move < 1u << MLS_VERDICT_MOVE_BITS);
			assert_true(mls_verdict_place(move) < MLS_VERDICT_QUESTIONS);
			for (u32 k = 0; k < n; k++)
				assert_int_not_equal(seen[k], move);
			seen[n++] = move;
		}
	}
}

static void candidates_of_one_wakeup_have_places_of_their_own(void **state)
{
	(void)state;
	/* Three are offered in turn; neighbours, on a small machine. */
	for (u32 dst = 1; dst < 4; dst++) {
		for (u32 other = 0; other < dst; other++)
			assert_int_not_equal(
				mls_verdict_place(mls_verdict_move(MLS_POLICY_WAKEUP, 9, dst)),
				mls_verdict_place(mls_verdict_move(MLS_POLICY_WAKEUP, 9, other)));
	}
}

static void a_verdict_is_found_by_its_own_move_alone(void **state)
{
	u32 move = mls_verdict_move(MLS_POLICY_STEAL, 5, 7);
	u64 what = mls_verdict_what(77, move), answer = mls_verdict_answer(77, 1);

	(void)state;
	assert_int_equal(mls_verdict_find(what, 100, move, answer, 200, AGE), MLS_VERDICT_MIGRATE);
	assert_int_equal(mls_verdict_find(what, 100, move, mls_verdict_answer(77, 0), 200, AGE),
			 MLS_VERDICT_KEEP);
	for (u32 bit = 0; bit < MLS_VERDICT_MOVE_BITS; bit++)
		assert_int_equal(mls_verdict_find(what, 100, move ^ 1u << bit, answer, 200, AGE),
				 MLS_VERDICT_OTHER);
	for (u32 bit = 0; bit < 40; bit++)
		assert_int_equal(mls_verdict_find(what, 100, move,
						  mls_verdict_answer(77 ^ 1ull << bit, 1), 200,
						  AGE),
				 MLS_VERDICT_WAITING);
	assert_int_equal(mls_verdict_find(0, 100, 0, 0, 200, AGE), MLS_VERDICT_NONE);
}

static void a_verdict_is_too_old_at_its_limit(void **state)
{
	u32 move = mls_verdict_move(MLS_POLICY_WAKEUP, 0, 1);
	u64 what = mls_verdict_what(1, move), answer = mls_verdict_answer(1, 0);

	(void)state;
	assert_int_equal(mls_verdict_find(what, 50, move, answer, 50 + AGE - 1, AGE),
			 MLS_VERDICT_KEEP);
	assert_int_equal(mls_verdict_find(what, 50, move, answer, 50 + AGE, AGE),
			 MLS_VERDICT_EXPIRED);
	assert_int_equal(mls_verdict_find(what, 50, move, 0, 50 + AGE - 1, AGE),
			 MLS_VERDICT_WAITING);
	assert_int_equal(mls_verdict_find(what, 50, move, 0, 50 + AGE, AGE), MLS_VERDICT_LATE);
	/* The clock of the CPU that asks is a little behind that of the one that asked. */
	assert_int_equal(mls_verdict_find(what, 50, move, answer, 40, AGE), MLS_VERDICT_KEEP);
	/* Clocks that wrap. */
	assert_int_equal(mls_verdict_find(what, ~0ull - 5, move, answer, 5, AGE), MLS_VERDICT_KEEP);
	assert_int_equal(mls_verdict_find(what, ~0ull - 5, move, answer, AGE, AGE),
			 MLS_VERDICT_EXPIRED);
}

static void numbers_of_questions_survive_their_wrap(void **state)
{
	u32 move = mls_verdict_move(MLS_POLICY_BALANCE, 1023, 0);

	(void)state;
	for (u64 id = (1ull << 40) - 3; id < (1ull << 40) + 3; id++) {
		u64 what = mls_verdict_what(id, move);

		assert_int_equal(what & ((1u << MLS_VERDICT_MOVE_BITS) - 1), move);
		assert_int_equal(mls_verdict_slot(mls_verdict_id(what)), mls_verdict_slot(id));
		assert_int_equal(mls_verdict_find(what, 0, move, mls_verdict_answer(id, 1), 1, AGE),
				 MLS_VERDICT_MIGRATE);
		assert_int_equal(mls_verdict_find(what, 0, move, mls_verdict_answer(id - 1, 1), 1,
						  AGE),
				 MLS_VERDICT_WAITING);
	}
}

/* ---- against a model that remembers everything --------------------------------------- */

#define TASKS 8
#define CPUS  4
#define OPEN  10000 /* more than there are answers: slots are used again */

struct asked {
	u32 task;
	u32 move;
	u64 time;
	int answered;
	int migrate;
};

/*
 * Tasks that decide at random times, come and go; answers that come soon, late,
 * in any order, or never.  What is found must be what the book says of the very
 * question, and the sums must hold.
 */
static void whatever_is_applied_was_said_of_this_task_and_move_and_is_fresh(void **state)
{
	static struct asked book[OPEN];
	static u64 answers[MLS_VERDICT_ANSWERS];
	struct mls_question questions[TASKS][MLS_VERDICT_QUESTIONS] = { 0 };
	u64 now = 1000000, n = 0, found_n[MLS_VERDICTS] = { 0 }, decisions = 0;
	struct mls_random random;

	(void)state;
	mls_random_seed(&random, new_seed(), 0);
	memset(answers, 0, sizeof(answers));
	while (n + 1 < OPEN) {
		u32 task = mls_random_below(&random, TASKS), src, dst, move, id;
		struct mls_question *q;
		enum mls_verdict found;
		u64 time, what;

		now += mls_random_below(&random, 60);
		/* One of the last few hundred is answered, or one long ago. */
		if (n && mls_random_below(&random, 3)) {
			id = (u32)n - mls_random_below(&random, n < 300 ? (u32)n : 300);
			if (!book[id].answered) {
				book[id].answered = 1;
				book[id].migrate = (int)mls_random_below(&random, 2);
				answers[mls_verdict_slot(id)] =
					mls_verdict_answer(id, book[id].migrate);
			}
		}
		/* A task ends, another gets its number. */
		if (mls_random_below(&random, 500) == 0)
			memset(questions[task], 0, sizeof(questions[task]));
		src = mls_random_below(&random, CPUS);
		dst = (src + 1 + mls_random_below(&random, CPUS - 1)) % CPUS;
		move = mls_verdict_move(mls_random_below(&random, MLS_POLICY_KINDS), src, dst);
		q = &questions[task][mls_verdict_place(move)];
		what = mls_verdict_get(q, &time);
		found = mls_verdict_find(what, time, move,
					 answers[mls_verdict_slot(mls_verdict_id(what))], now, AGE);
		decisions++;
		found_n[found]++;
		id = (u32)mls_verdict_id(what);
		switch (found) {
		case MLS_VERDICT_KEEP:
		case MLS_VERDICT_MIGRATE:
			assert_true(book[id].answered);
			assert_int_equal(book[id].migrate, found == MLS_VERDICT_MIGRATE);
			assert_int_equal(book[id].task, task);
			assert_int_equal(book[id].move, move);
			assert_true(now - book[id].time < AGE);
			continue;
		case MLS_VERDICT_WAITING:
			assert_int_equal(book[id].move, move);
			assert_true(now - book[id].time < AGE);
			assert_false(book[id].answered);
			continue;
		case MLS_VERDICT_LATE:
		case MLS_VERDICT_EXPIRED:
			assert_int_equal(book[id].move, move);
			assert_true(now - book[id].time >= AGE);
			break;
		default:
			break;
		}
		n++;
		book[n] = (struct asked){ .task = task, .move = move, .time = now };
		mls_verdict_put(q, mls_verdict_what(n, move), now);
	}
	/* Every way was gone, and each decision was counted once. */
	for (int i = 0; i < MLS_VERDICTS; i++) {
		assert_true(found_n[i] > 0);
		decisions -= found_n[i];
	}
	assert_int_equal(decisions, 0);
}

/* ---- at the same time ------------------------------------------------------------------ */

#define SEEN 3000

struct race {
	struct mls_question question;
	u32 stop;
};

/* Puts questions whose time is their number: who finds another pair found half of one. */
static void *put_questions(void *argument)
{
	struct race *race = argument;

	for (u64 id = 1; !__atomic_load_n(&race->stop, __ATOMIC_ACQUIRE); id++)
		mls_verdict_put(&race->question, mls_verdict_what(id, 3), id);
	return NULL;
}

static void a_question_is_never_found_with_the_time_of_another(void **state)
{
	struct race race = { 0 };
	pthread_t writer;
	u64 seen = 0;

	(void)state;
	assert_int_equal(pthread_create(&writer, NULL, put_questions, &race), 0);
	for (u64 last = 0; seen < SEEN;) {
		u64 time, what = mls_verdict_get(&race.question, &time);

		if (!what || what == last)
			continue;
		seen += last != 0;
		last = what;
		assert_int_equal(mls_verdict_id(what), time);
	}
	__atomic_store_n(&race.stop, 1, __ATOMIC_RELEASE);
	pthread_join(writer, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moves_have_numbers_of_their_own),
		cmocka_unit_test(candidates_of_one_wakeup_have_places_of_their_own),
		cmocka_unit_test(a_verdict_is_found_by_its_own_move_alone),
		cmocka_unit_test(a_verdict_is_too_old_at_its_limit),
		cmocka_unit_test(numbers_of_questions_survive_their_wrap),
		cmocka_unit_test(whatever_is_applied_was_said_of_this_task_and_move_and_is_fresh),
		cmocka_unit_test(a_question_is_never_found_with_the_time_of_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
