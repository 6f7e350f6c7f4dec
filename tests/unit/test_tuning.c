// SPDX-License-Identifier: GPL-2.0
/* What a model says of its scheduler, into bits and back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "src/host/tuning.h"

static struct mlsched_model *model_of(const struct mlsched_meta *meta)
{
	const float weights[10] = { 1 };
	const struct mlsched_layer layer = { 10, 1, MLSCHED_SIGMOID, 0, weights, NULL };
	const struct mlsched_model_desc desc = {
		.size = sizeof(desc), .n_layers = 1, .layers = &layer, .meta = meta
	};
	struct mlsched_error err;
	struct mlsched_model *model;

	if (mlsched_model_create(&desc, &err, &model) != 0)
		fail_msg("%s", err.message);
	return model;
}

static void every_set_of_mechanisms_comes_back(void **state)
{
	const u64 worth[MLS_POLICY_LEVELS] = { 0, 300500, 1000000000 };

	(void)state;
	for (uint32_t set = 0; set < 1u << MLS_POLICY_MECHANISMS; set++) {
		struct mlsched_meta meta = { .threshold = 0.5f };
		struct mlsched_model *model;
		struct mlsched_error err;
		struct mls_tuning tuning;

		mls_tuning_state(set, worth, &meta);
		model = model_of(&meta);
		assert_int_equal(mls_tuning_of(model, &tuning, &err), 0);
		assert_true(tuning.stated);
		assert_int_equal(tuning.mechanisms, set);
		assert_memory_equal(tuning.worth, worth, sizeof(worth));
		mlsched_model_free(model);
	}
}

static void a_model_that_says_nothing_states_nothing(void **state)
{
	const struct mlsched_meta meta = { .threshold = 0.5f };
	struct mlsched_model *model = model_of(&meta);
	struct mlsched_error err;
	struct mls_tuning tuning;

	(void)state;
	assert_int_equal(mls_tuning_of(model, &tuning, &err), 0);
	assert_false(tuning.stated);
	mlsched_model_free(model);
}

static void a_mechanism_that_is_not_here_is_refused(void **state)
{
	const struct mlsched_meta meta = { .threshold = 0.5f,
					   .tuned = true,
					   .mechanisms = "ask-again,mind-reading" };
	struct mlsched_model *model = model_of(&meta);
	struct mlsched_error err;
	struct mls_tuning tuning;

	(void)state;
	assert_int_equal(mls_tuning_of(model, &tuning, &err), -ENOTSUP);
	assert_non_null(strstr(err.message, "the mechanism \"mind-reading\""));
	mlsched_model_free(model);
}

static void names_are_cut_where_there_is_no_room(void **state)
{
	char text[16];

	(void)state;
	mls_mechanisms_text(0, text, sizeof(text));
	assert_string_equal(text, "none");
	mls_mechanisms_text(UINT32_MAX, text, sizeof(text));
	assert_string_equal(text, "fork-in-place,p");
	assert_int_equal(mls_mechanism_find("fork"), -1);
	assert_int_equal(mls_mechanism_find("level-large"), MLS_POLICY_LEVEL_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_set_of_mechanisms_comes_back),
		cmocka_unit_test(a_model_that_says_nothing_states_nothing),
		cmocka_unit_test(a_mechanism_that_is_not_here_is_refused),
		cmocka_unit_test(names_are_cut_where_there_is_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
