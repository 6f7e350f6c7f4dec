// SPDX-License-Identifier: GPL-2.0
/* src/host/requests.c: which of the scheduler's questions are answered, and how. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/host/requests.h"

#define AGE 1000ull

/* Migrate when the first input is above 2.5; fails when told to. */
struct fake {
	struct mls_engine engine;
	size_t calls;
	size_t rows;
	int fails;
};

static int fake_decide(struct mls_engine *engine, const float *rows, size_t n,
		       struct mlsched_verdict *verdicts, struct mlsched_error *err)
{
	struct fake *fake = (struct fake *)engine;

	(void)err;
	fake->calls++;
	fake->rows += n;
	for (size_t i = 0; i < n; i++)
		verdicts[i].migrate = rows[i * 10] > 2.5f && rows[i * 10 + 9] == 0;
	return fake->fails ? -EINVAL : 0;
}

static const struct mls_engine_type fake_type = { .name = "fake", .decide = fake_decide };

static struct scheduler_request question(u64 id, u64 time, double first)
{
	return (struct scheduler_request){
		.id = id,
		.time = time,
		.features = { (s32)(first * 65536) },
	};
}

struct state {
	struct fake fake;
	struct mls_requests_counts counts;
	uint64_t answers[MLS_VERDICT_ANSWERS];
};

static int setup(void **state)
{
	struct state *s = calloc(1, sizeof(*s));

	s->fake.engine.type = &fake_type;
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static void each_fresh_question_gets_its_own_answer(void **state)
{
	struct scheduler_request batch[] = { question(7, 500, 3), question(8, 600, 2),
					     question(1024 + 9, 700, 2.625) };
	struct state *s = *state;

	assert_int_equal(mls_requests_answer(&s->fake.engine, AGE, batch, 3, 1000, s->answers,
					     &s->counts),
			 3);
	assert_int_equal(s->answers[7], mls_verdict_answer(7, 1));
	assert_int_equal(s->answers[8], mls_verdict_answer(8, 0));
	assert_int_equal(s->answers[9], mls_verdict_answer(1024 + 9, 1));
	for (int i = 0; i < MLS_VERDICT_ANSWERS; i++)
		assert_true(s->answers[i] == 0 || (i >= 7 && i <= 9));
	assert_int_equal(s->counts.received, 3);
	assert_int_equal(s->counts.answered, 3);
	assert_int_equal(s->counts.batches, 1);
}

static void old_questions_are_left_out_and_the_engine_is_spared(void **state)
{
	struct scheduler_request batch[] = { question(1, 0, 3), question(2, 1001, 3),
					     question(3, 1000, 3) };
	struct state *s = *state;

	assert_int_equal(mls_requests_answer(&s->fake.engine, AGE, batch, 3, 2000, s->answers,
					     &s->counts),
			 1);
	assert_int_equal(batch[0].id, 2);
	assert_int_equal(s->answers[1], 0);
	assert_int_equal(s->answers[2], mls_verdict_answer(2, 1));
	assert_int_equal(s->answers[3], 0);
	assert_int_equal(s->counts.stale, 2);
	assert_int_equal(s->fake.rows, 1);
	assert_int_equal(mls_requests_answer(&s->fake.engine, AGE, batch, 1, 9000, s->answers,
					     &s->counts),
			 0);
	assert_int_equal(s->fake.calls, 1);
	assert_int_equal(s->counts.received, 4);
	assert_int_equal(s->counts.answered + s->counts.stale + s->counts.failed, 4);
}

static void an_engine_that_fails_answers_nothing(void **state)
{
	struct scheduler_request batch[] = { question(1, 1000, 3), question(2, 1000, 3) };
	struct state *s = *state;

	s->fake.fails = 1;
	assert_int_equal(mls_requests_answer(&s->fake.engine, AGE, batch, 2, 1001, s->answers,
					     &s->counts),
			 0);
	assert_int_equal(s->answers[1], 0);
	assert_int_equal(s->answers[2], 0);
	assert_int_equal(s->counts.failed, 2);
	assert_int_equal(s->counts.received, 2);
	assert_int_equal(s->counts.answered, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_fresh_question_gets_its_own_answer, setup,
						teardown),
		cmocka_unit_test_setup_teardown(old_questions_are_left_out_and_the_engine_is_spared,
						setup, teardown),
		cmocka_unit_test_setup_teardown(an_engine_that_fails_answers_nothing, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
