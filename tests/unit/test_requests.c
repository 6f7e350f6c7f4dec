// SPDX-License-Identifier: GPL-2.0
/* src/host/requests.c: which of the scheduler's questions are answered, and how. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "src/host/prepare.h"
#include "src/host/requests.h"
#include "src/util/array.h"

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

/* Of a schema, with one output: what an engine can be asked with. */
static struct mlsched_model *small_model(uint32_t n_in, const char *schema)
{
	static const float kernel[MLS_FEATURES_MOST], bias[1];
	const struct mlsched_layer layer = {
		.n_in = n_in,
		.n_out = 1,
		.activation = MLSCHED_SIGMOID,
		.weights = kernel,
		.bias = bias,
	};
	struct mlsched_meta meta = { .threshold = 0.5f };
	const struct mlsched_model_desc desc = {
		.size = sizeof(desc), .n_layers = 1, .layers = &layer, .meta = &meta
	};
	struct mlsched_error err;
	struct mlsched_model *model;

	snprintf(meta.schema, sizeof(meta.schema), "%s", schema);
	assert_int_equal(mlsched_model_create(&desc, &err, &model), 0);
	return model;
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
	s->fake.engine.owned = small_model(10, "seed10");
	s->fake.engine.model = s->fake.engine.owned;
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	mlsched_model_free(((struct state *)*state)->fake.engine.owned);
	free(*state);
	return 0;
}

static void each_fresh_question_gets_its_own_answer(void **state)
{
	struct scheduler_request batch[] = { question(7, 500, 3), question(8, 600, 2),
					     question(1024 + 9, 700, 2.625) };
	struct state *s = *state;

	assert_int_equal(mls_requests_answer(&s->fake.engine, NULL, AGE, batch, 3, 1000, s->answers,
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

	assert_int_equal(mls_requests_answer(&s->fake.engine, NULL, AGE, batch, 3, 2000, s->answers,
					     &s->counts),
			 1);
	assert_int_equal(batch[0].id, 2);
	assert_int_equal(s->answers[1], 0);
	assert_int_equal(s->answers[2], mls_verdict_answer(2, 1));
	assert_int_equal(s->answers[3], 0);
	assert_int_equal(s->counts.stale, 2);
	assert_int_equal(s->fake.rows, 1);
	assert_int_equal(mls_requests_answer(&s->fake.engine, NULL, AGE, batch, 1, 9000, s->answers,
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
	assert_int_equal(mls_requests_answer(&s->fake.engine, NULL, AGE, batch, 2, 1001, s->answers,
					     &s->counts),
			 0);
	assert_int_equal(s->answers[1], 0);
	assert_int_equal(s->answers[2], 0);
	assert_int_equal(s->counts.failed, 2);
	assert_int_equal(s->counts.received, 2);
	assert_int_equal(s->counts.answered, 0);
}

/* ---- two engines, one of which is handed out ------------------------------------------ */

static int closed;

static void fake_close(struct mls_engine *engine)
{
	closed++;
	free(engine);
}

static int say_always(struct mls_engine *engine, const float *rows, size_t n,
		      struct mlsched_verdict *verdicts, struct mlsched_error *err)
{
	(void)rows;
	(void)err;
	for (size_t i = 0; i < n; i++)
		verdicts[i].migrate = ((struct fake *)engine)->fails;
	return 0;
}

static const struct mls_engine_type constant_type = { "fake", NULL, say_always, fake_close };

static struct mls_engine *constant_of(int verdict, uint32_t n_in, const char *schema)
{
	struct fake *fake = calloc(1, sizeof(*fake));

	fake->engine.type = &constant_type;
	fake->engine.owned = small_model(n_in, schema);
	fake->engine.model = fake->engine.owned;
	fake->engine.users = 1;
	fake->fails = verdict;
	return &fake->engine;
}

static struct mls_engine *constant(int verdict)
{
	return constant_of(verdict, 10, "seed10");
}

/* Active: an engine that accepts. */
static struct mls_requests *opened(uint64_t *answers)
{
	struct mls_engine *accept = constant(1);
	struct mls_requests *requests;
	struct mlsched_error err;

	closed = 0;
	assert_int_equal(mls_requests_open(accept, MLS_VERDICT_MAX_AGE, &err, &requests), 0);
	mls_engine_close(accept);
	assert_int_equal(mls_requests_attach(requests, -1, answers, &err), 0);
	return requests;
}

static void put(struct mls_requests *requests, int index, int verdict)
{
	struct mls_engine *engine = constant(verdict);
	struct mlsched_error err;

	assert_int_equal(mls_requests_put(requests, index, engine, &err), 0);
	mls_engine_close(engine);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static void put_question(struct mls_requests *requests, u64 id)
{
	struct scheduler_request batch = question(id, now_ns(), 1);

	/* A busy machine may let it grow old before anybody has looked at it, though hardly again and again. */
	for (int tries = 0; mls_requests_answer_these(requests, &batch, 1) != 1; tries++) {
		assert_true(tries < 100);
		batch = question(id, now_ns(), 1);
	}
}

static void a_candidate_is_asked_besides_and_its_verdicts_go_nowhere(void **state)
{
	struct state *s = *state;
	struct mls_requests *requests = opened(s->answers);
	struct scheduler_counts n = { .trial = 5 };

	put(requests, 1, 0);
	put_question(requests, 1);
	mls_requests_set_candidate(requests, 1);
	put_question(requests, 2);
	put_question(requests, 3);
	mls_requests_set_candidate(requests, MLS_REQUESTS_NO_SLOT);
	put_question(requests, 4);
	for (u64 id = 1; id <= 4; id++)
		assert_int_equal(s->answers[id], mls_verdict_answer(id, 1));
	mls_requests_counts(requests, &s->counts);
	assert_int_equal(s->counts.answered, 4);
	assert_int_equal(s->counts.trial, 2);
	assert_int_equal(s->counts.trial_migrates, 0);
	assert_int_equal(s->counts.trial_same, 0);
	mls_requests_add(requests, &n);
	assert_int_equal(n.trial, 7);
	assert_int_equal(n.trial_same, 0);
	mls_requests_close(requests);
	assert_int_equal(closed, 2);
}

static void after_a_switch_no_verdict_of_the_engine_before_is_found(void **state)
{
	struct state *s = *state;
	struct mls_requests *requests = opened(s->answers);
	const u32 move = mls_verdict_move(0, 1, 2);
	uint64_t now;

	put(requests, 1, 0);
	for (u64 id = 1; id <= 2000; id++)
		put_question(requests, id);
	now = now_ns();
	assert_int_equal(mls_verdict_find(mls_verdict_what(2000, move), now, move,
					  s->answers[mls_verdict_slot(2000)], now, AGE),
			 MLS_VERDICT_MIGRATE);
	mls_requests_set_active(requests, 1);
	assert_int_equal(mls_requests_active(requests), 1);
	for (u64 id = 1; id <= 2000; id++)
		assert_int_equal(mls_verdict_find(mls_verdict_what(id, move), now, move,
						  s->answers[mls_verdict_slot(id)], now, AGE),
				 MLS_VERDICT_WAITING);
	/* What was asked before the switch and taken out after it has the new one's verdict. */
	put_question(requests, 2000);
	assert_int_equal(s->answers[mls_verdict_slot(2000)], mls_verdict_answer(2000, 0));
	mls_requests_close(requests);
}

static void engines_are_kept_as_long_as_they_have_a_place(void **state)
{
	struct state *s = *state;
	struct mls_requests *requests = opened(s->answers);
	struct mls_engine *engine = constant(0);
	struct mlsched_error err;

	assert_int_equal(mls_requests_put(requests, 0, engine, &err), -EBUSY);
	assert_null(mls_requests_slot(requests, 1));
	assert_int_equal(mls_requests_put(requests, 1, engine, &err), 0);
	assert_ptr_equal(*mls_requests_slot(requests, 1), engine);
	mls_requests_set_candidate(requests, 1);
	assert_int_equal(mls_requests_put(requests, 1, engine, &err), -EBUSY);
	mls_requests_set_candidate(requests, MLS_REQUESTS_NO_SLOT);
	/* Over itself: held once, as before. */
	assert_int_equal(mls_requests_put(requests, 1, engine, &err), 0);
	mls_engine_close(engine);
	assert_int_equal(closed, 0);
	put_question(requests, 1);
	put(requests, 1, 1);
	assert_int_equal(closed, 1);
	mls_requests_close(requests);
	assert_int_equal(closed, 3);
}

static int see_last_input(struct mls_engine *engine, const float *rows, size_t n,
			  struct mlsched_verdict *verdicts, struct mlsched_error *err)
{
	(void)engine;
	(void)err;
	for (size_t i = 0; i < n; i++)
		verdicts[i].migrate = rows[i * 15 + 14] > 0;
	return 0;
}

static void fifteen_inputs_arrive_and_the_width_stays(void **state)
{
	static const struct mls_engine_type type = { "fake", NULL, see_last_input, fake_close };
	struct mls_engine *mig15 = constant_of(0, 15, "mig15"), *seed10 = constant(0);
	struct scheduler_request batch[2] = { question(1, now_ns(), 0), question(2, now_ns(), 0) };
	struct state *s = *state;
	struct mls_requests *requests;
	struct mlsched_error err;

	mig15->type = &type;
	assert_int_equal(mls_requests_open(mig15, MLS_VERDICT_MAX_AGE, &err, &requests), 0);
	assert_int_equal(mls_requests_width(requests), 15);
	assert_int_equal(mls_requests_attach(requests, -1, s->answers, &err), 0);
	batch[0].features[14] = 65536;
	batch[1].features[14] = -65536;
	assert_int_equal(mls_requests_answer_these(requests, batch, 2), 2);
	assert_int_equal(s->answers[1], mls_verdict_answer(1, 1));
	assert_int_equal(s->answers[2], mls_verdict_answer(2, 0));
	/* The scheduler goes on asking with fifteen. */
	assert_int_equal(mls_requests_put(requests, 1, seed10, &err), -EINVAL);
	assert_non_null(strstr(err.message, "expected a model of 15 inputs, got one of 10"));
	assert_int_equal(mls_requests_put(requests, 1, mig15, &err), 0);
	mls_engine_close(seed10);
	mls_engine_close(mig15);
	mls_requests_close(requests);
}

static void models_of_other_schemas_do_not_fit(void **state)
{
	static const struct {
		uint32_t n_in;
		const char *schema;
		const char *message; /* NULL: it fits */
	} cases[] = {
		{ 10, "seed10", NULL },
		{ 10, "", NULL },
		{ 15, "mig15", NULL },
		{ 10, "mig15", "Expected shape [?, 15], got [?, 10]" },
		{ 15, "mllb15", "decisions need a model of schema seed10 or mig15" },
		{ 15, "",
		  "this one's is \"\"; if its inputs are mig15's, `mlsched convert --schema "
		  "mig15` says so" },
	};
	struct mlsched_error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct mlsched_model *model = small_model(cases[i].n_in, cases[i].schema);

		assert_int_equal(mlsched_model_fits_scheduler(model, &err),
				 cases[i].message ? -EINVAL : 0);
		assert_true(!cases[i].message || strstr(err.message, cases[i].message));
		assert_int_equal(mls_model_is_mig15(model), strcmp(cases[i].schema, "mig15") == 0);
		mlsched_model_free(model);
	}
}

/* The thread that asks, against whoever changes what it asks; for the sanitizers. */
struct asking {
	struct mls_requests *requests;
	bool enough;
	u64 asked;
};

static void *ask_all_the_time(void *context)
{
	struct asking *asking = context;

	while (!__atomic_load_n(&asking->enough, __ATOMIC_ACQUIRE)) {
		put_question(asking->requests, asking->asked + 1);
		__atomic_add_fetch(&asking->asked, 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void engines_change_while_they_are_asked(void **state)
{
	struct state *s = *state;
	struct asking asking = { .requests = opened(s->answers) };
	pthread_t thread;
	int active = 0;

	assert_int_equal(pthread_create(&thread, NULL, ask_all_the_time, &asking), 0);
	for (int i = 0; i < 500; i++) {
		u64 asked = __atomic_load_n(&asking.asked, __ATOMIC_ACQUIRE);

		put(asking.requests, !active, i % 2);
		mls_requests_set_candidate(asking.requests, !active);
		/* Each is asked at least once on trial, before it decides. */
		while (__atomic_load_n(&asking.asked, __ATOMIC_ACQUIRE) < asked + 2)
			sched_yield();
		mls_requests_set_active(asking.requests, !active);
		mls_requests_set_candidate(asking.requests, MLS_REQUESTS_NO_SLOT);
		active = !active;
	}
	__atomic_store_n(&asking.enough, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	mls_requests_counts(asking.requests, &s->counts);
	assert_int_equal(s->counts.answered, asking.asked);
	assert_true(s->counts.trial >= 500);
	mls_requests_close(asking.requests);
	assert_int_equal(closed, 501);
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
		cmocka_unit_test_setup_teardown(
			a_candidate_is_asked_besides_and_its_verdicts_go_nowhere, setup, teardown),
		cmocka_unit_test_setup_teardown(
			after_a_switch_no_verdict_of_the_engine_before_is_found, setup, teardown),
		cmocka_unit_test_setup_teardown(engines_are_kept_as_long_as_they_have_a_place,
						setup, teardown),
		cmocka_unit_test_setup_teardown(fifteen_inputs_arrive_and_the_width_stays, setup,
						teardown),
		cmocka_unit_test(models_of_other_schemas_do_not_fit),
		cmocka_unit_test_setup_teardown(engines_change_while_they_are_asked, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
