// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched_decide(): what it answers, what it refuses, one or many alike.
 */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <mlsched/mlsched.h>

#define N_REQUESTS 100

/* logit = 0.25 cpu - cpu_idle + 2 cpu_not_idle + 4 src_dom_load - 8 dst_dom_load + 0.5 */
static const float weights[10] = { 0.25f, -1, 2, 4, -8, 100, 100, 100, 100, 100 };
static const float bias[1] = { 0.5f };

static struct mlsched_meta meta;
static struct mlsched_error err;

static struct mlsched_model *make_model(uint32_t n_in, uint32_t n_out, const char *schema)
{
	static const float zeros[15 * 3];
	struct mlsched_layer layer = { n_in,
				       n_out,
				       n_out == 1 ? MLSCHED_SIGMOID : MLSCHED_LINEAR,
				       0,
				       n_in == 10 && n_out == 1 ? weights : zeros,
				       n_out == 1 ? bias : NULL };
	struct mlsched_model_desc desc = {
		.size = sizeof(desc), .n_layers = 1, .layers = &layer, .meta = &meta
	};
	struct mlsched_model *model;

	memset(&meta, 0, sizeof(meta));
	meta.threshold = 0.5f;
	strcpy(meta.schema, schema);
	assert_int_equal(mlsched_model_create(&desc, NULL, &model), 0);
	return model;
}

static struct mlsched_request request(uint32_t i)
{
	return (struct mlsched_request){
		.size = sizeof(struct mlsched_request),
		.cpu = i,
		.cpu_idle = i % 7,
		.cpu_not_idle = i % 3,
		.src_dom_load = (float)(i % 11) / 11,
		.dst_dom_load = (float)(i % 13) / 13,
	};
}

static void verdict_is_logit_above_threshold(void **state)
{
	struct mlsched_model *model = make_model(10, 1, "seed10");
	struct mlsched_request r = { sizeof(r), 4, 1, 1, 0.5f, 0.5f };
	struct mlsched_verdict v;

	(void)state;
	/* 1 - 1 + 2 + 2 - 4 + 0.5 = 0.5 */
	assert_int_equal(mlsched_decide(model, &r, 1, &v, NULL), 0);
	assert_true(v.logit == 0.5f);
	assert_true(v.migrate);
	assert_true(fabsf(v.probability - 0.622459331f) < 1e-6f);
	r.cpu_idle = 2;
	assert_int_equal(mlsched_decide(model, &r, 1, &v, NULL), 0);
	assert_true(v.logit == -0.5f);
	assert_false(v.migrate);
	mlsched_model_free(model);
}

static void model_without_schema_and_ten_inputs_is_seed10(void **state)
{
	struct mlsched_model *model = make_model(10, 1, "");
	struct mlsched_request r = request(1);
	struct mlsched_verdict v;

	(void)state;
	assert_int_equal(mlsched_decide(model, &r, 1, &v, NULL), 0);
	mlsched_model_free(model);
}

static void batch_gives_the_bits_of_single_calls(void **state)
{
	struct mlsched_model *model = make_model(10, 1, "seed10");
	struct mlsched_request requests[N_REQUESTS];
	struct mlsched_verdict batch[N_REQUESTS], single;

	(void)state;
	for (uint32_t i = 0; i < N_REQUESTS; i++)
		requests[i] = request(i);
	assert_int_equal(mlsched_decide(model, requests, N_REQUESTS, batch, NULL), 0);
	for (uint32_t i = 0; i < N_REQUESTS; i++) {
		assert_int_equal(mlsched_decide(model, &requests[i], 1, &single, NULL), 0);
		assert_memory_equal(&single.logit, &batch[i].logit, sizeof(float));
		assert_int_equal(single.migrate, batch[i].migrate);
	}
	assert_int_equal(mlsched_decide(model, NULL, 0, NULL, NULL), 0);
	mlsched_model_free(model);
}

static void features_give_the_bits_of_requests(void **state)
{
	struct mlsched_model *model = make_model(10, 1, "seed10");
	struct mlsched_request r = request(17);
	const float row[10] = { (float)r.cpu, (float)r.cpu_idle, (float)r.cpu_not_idle,
				r.src_dom_load, r.dst_dom_load };
	struct mlsched_verdict a, b;

	(void)state;
	assert_int_equal(mlsched_decide(model, &r, 1, &a, NULL), 0);
	assert_int_equal(mlsched_decide_features(model, row, 1, 10, &b, NULL), 0);
	assert_memory_equal(&a.logit, &b.logit, sizeof(float));
	mlsched_model_free(model);
}

static void refuse(struct mlsched_model *model, const char *expected)
{
	struct mlsched_request r = request(0);
	struct mlsched_verdict v;

	assert_int_equal(mlsched_decide(model, &r, 1, &v, &err), -EINVAL);
	assert_string_equal(err.message, expected);
	assert_int_equal(mlsched_decide(model, &r, 1, &v, NULL), -EINVAL);
	/* Of no request, too: it is the model that is wrong. */
	assert_int_equal(mlsched_decide(model, NULL, 0, NULL, &err), -EINVAL);
	assert_string_equal(err.message, expected);
	assert_int_equal(mlsched_model_fits_scheduler(model, NULL), -EINVAL);
	mlsched_model_free(model);
}

static void models_of_another_shape_are_refused(void **state)
{
	(void)state;
	refuse(make_model(5, 1, ""),
	       "Expected shape [?, 10], got [?, 5]: decisions need a model of schema seed10, this "
	       "one's is \"\"");
	refuse(make_model(15, 1, "mllb15"),
	       "Expected shape [?, 10], got [?, 15]: decisions need a model of schema seed10, this "
	       "one's is \"mllb15\"");
	refuse(make_model(10, 1, "other"),
	       "decisions need a model of schema seed10, this one's is \"other\"");
	refuse(make_model(10, 3, "seed10"),
	       "Expected shape [?, 1], got [?, 3]: the model's outputs have no single logit");
}

static void rows_of_another_width_are_refused(void **state)
{
	struct mlsched_model *model = make_model(10, 1, "seed10");
	const float row[5] = { 0 };
	struct mlsched_verdict v;

	(void)state;
	assert_int_equal(mlsched_decide_features(model, row, 1, 5, &v, &err), -EINVAL);
	assert_string_equal(err.message, "Expected shape [?, 10], got [?, 5]");
	mlsched_model_free(model);
}

/* A request as a later header may define it. */
struct later_request {
	struct mlsched_request now;
	uint64_t more;
};

static void longer_requests_pass_if_they_say_nothing_new(void **state)
{
	struct mlsched_model *model = make_model(10, 1, "seed10");
	struct later_request requests[3] = { { request(1), 0 },
					     { request(2), 0 },
					     { request(3), 0 } };
	struct mlsched_request plain = request(3);
	struct mlsched_verdict verdicts[3], v;

	(void)state;
	for (int i = 0; i < 3; i++)
		requests[i].now.size = sizeof(requests[i]);
	assert_int_equal(mlsched_decide(model, &requests[0].now, 3, verdicts, &err), 0);
	assert_int_equal(mlsched_decide(model, &plain, 1, &v, NULL), 0);
	assert_true(verdicts[2].logit == v.logit);
	requests[1].more = 1;
	assert_int_equal(mlsched_decide(model, &requests[0].now, 3, verdicts, &err), -E2BIG);
	requests[1].more = 0;
	requests[2].now.size = 1;
	assert_int_equal(mlsched_decide(model, &requests[0].now, 3, verdicts, &err), -EINVAL);
	assert_string_equal(err.message,
			    "request 2: expected a size of 40 bytes as the first, got 1");
	mlsched_model_free(model);
}

static void shorter_requests_are_refused(void **state)
{
	struct mlsched_model *model = make_model(10, 1, "seed10");
	struct mlsched_request r = request(0);
	struct mlsched_verdict v;

	(void)state;
	r.size = 8;
	assert_int_equal(mlsched_decide(model, &r, 1, &v, &err), -EINVAL);
	assert_string_equal(err.message, "a request of 8 bytes, expected 32");
	mlsched_model_free(model);
}

static void *decide_many(void *argument)
{
	struct mlsched_request requests[N_REQUESTS];
	static const int rounds = 200;

	for (uint32_t i = 0; i < N_REQUESTS; i++)
		requests[i] = request(i);
	for (int round = 0; round < rounds; round++) {
		struct mlsched_verdict verdicts[N_REQUESTS];

		if (mlsched_decide(argument, requests, N_REQUESTS, verdicts, NULL) != 0)
			return argument;
		for (uint32_t i = 0; i < N_REQUESTS; i++) {
			struct mlsched_verdict v;

			mlsched_decide(argument, &requests[i], 1, &v, NULL);
			if (v.logit != verdicts[i].logit)
				return argument;
		}
	}
	return NULL;
}

static void threads_share_a_model(void **state)
{
	struct mlsched_model *model = make_model(10, 1, "seed10");
	pthread_t threads[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, decide_many, model), 0);
	for (int i = 0; i < 4; i++) {
		void *failed;

		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	mlsched_model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdict_is_logit_above_threshold),
		cmocka_unit_test(model_without_schema_and_ten_inputs_is_seed10),
		cmocka_unit_test(batch_gives_the_bits_of_single_calls),
		cmocka_unit_test(features_give_the_bits_of_requests),
		cmocka_unit_test(models_of_another_shape_are_refused),
		cmocka_unit_test(rows_of_another_width_are_refused),
		cmocka_unit_test(longer_requests_pass_if_they_say_nothing_new),
		cmocka_unit_test(shorter_requests_are_refused),
		cmocka_unit_test(threads_share_a_model),
	};

	return cmocka_run_group_tests_name("decide", tests, NULL, NULL);
}
