// SPDX-License-Identifier: GPL-2.0
/*
 * Random numbers, splits and synthetic rows: the same everywhere, and what
 * their documentation says.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/data/synthetic.h"
#include "src/util/random.h"

/* Reference outputs of xoshiro256** for the state 1, 2, 3, 4, by the authors' program. */
static void random_numbers_are_those_of_xoshiro256(void **state)
{
	struct mls_random random = { { 1, 2, 3, 4 } };

	(void)state;
	assert_true(mls_random_next(&random) == 11520);
	assert_true(mls_random_next(&random) == 0);
	assert_true(mls_random_next(&random) == 1509978240);
	assert_true(mls_random_next(&random) == 1215971899390074240);
}

static void streams_of_a_seed_differ(void **state)
{
	struct mls_random a, b;

	(void)state;
	mls_random_seed(&a, 1, 2);
	mls_random_seed(&b, 2, 1);
	assert_true(mls_random_next(&a) != mls_random_next(&b));
}

static void a_shuffle_loses_nothing(void **state)
{
	uint32_t index[1000], seen[1000] = { 0 }, moved = 0;
	struct mls_random random;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++)
		index[i] = i;
	mls_random_seed(&random, 4, 0);
	mls_random_shuffle(&random, index, 1000);
	for (uint32_t i = 0; i < 1000; i++) {
		seen[index[i]]++;
		moved += index[i] != i;
	}
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(seen[i], 1);
	assert_true(moved > 950);
}

static void a_split_by_time_takes_the_last_rows(void **state)
{
	struct mls_dataset data = { 0 };
	struct mls_split split;

	(void)state;
	assert_int_equal(mls_synthetic_seed10(10, 1, &data, NULL), 0);
	assert_int_equal(mls_split_make(&data, 0.39, MLS_SPLIT_TIME, 1, &split, NULL), 0);
	assert_int_equal(split.n_train, 7);
	assert_int_equal(split.n_validation, 3);
	for (uint32_t i = 0; i < 7; i++)
		assert_int_equal(split.train[i], i);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(split.validation[i], 7 + i);
	free(split.train);
	mls_dataset_clear(&data);
}

static void a_random_split_is_drawn_by_the_seed(void **state)
{
	struct mls_split a, b, c;
	struct mls_dataset data = { 0 };
	uint32_t seen[500] = { 0 };

	(void)state;
	assert_int_equal(mls_synthetic_seed10(500, 1, &data, NULL), 0);
	assert_int_equal(mls_split_make(&data, 0.2, MLS_SPLIT_RANDOM, 1, &a, NULL), 0);
	assert_int_equal(mls_split_make(&data, 0.2, MLS_SPLIT_RANDOM, 1, &b, NULL), 0);
	assert_int_equal(mls_split_make(&data, 0.2, MLS_SPLIT_RANDOM, 2, &c, NULL), 0);
	assert_int_equal(a.n_validation, 100);
	assert_memory_equal(a.train, b.train, 500 * sizeof(*a.train));
	assert_memory_not_equal(a.train, c.train, 500 * sizeof(*a.train));
	for (uint32_t i = 0; i < 400; i++)
		seen[a.train[i]]++;
	for (uint32_t i = 0; i < 100; i++)
		seen[a.validation[i]]++;
	for (uint32_t i = 0; i < 500; i++)
		assert_int_equal(seen[i], 1);
	free(a.train);
	free(b.train);
	free(c.train);
	mls_dataset_clear(&data);
}

static void a_split_without_training_rows_is_refused(void **state)
{
	struct mls_dataset data = { 0 };
	struct mlsched_error err;
	struct mls_split split;

	(void)state;
	assert_int_equal(mls_split_make(&data, 0, MLS_SPLIT_TIME, 1, &split, &err), -EINVAL);
	assert_string_equal(err.message, "no row is left for training: 0 rows in all");
	assert_int_equal(mls_split_make(&data, 1, MLS_SPLIT_TIME, 1, &split, &err), -EINVAL);
	assert_string_equal(err.message,
			    "expected a validation fraction from 0 to less than 1, got 1");
}

static void synthetic_rows_are_machines_in_range(void **state)
{
	uint32_t small = 0, large = 0, none_idle = 0, noisy = 0, positive = 0;
	enum { N = 50000 };
	struct mls_dataset data = { 0 };

	(void)state;
	assert_int_equal(mls_synthetic_seed10(N, 1, &data, NULL), 0);
	for (uint32_t r = 0; r < N; r++) {
		const float *x = data.inputs + (size_t)r * 10;
		float cpus = x[1] + x[2];

		assert_true(cpus >= 2 && cpus <= 128 && x[0] >= 0 && x[0] < cpus);
		for (int i = 0; i < 10; i++)
			assert_true(x[i] >= data.schema->features[i].min &&
				    x[i] <= data.schema->features[i].max);
		assert_true(x[0] == rintf(x[0]) && x[1] == rintf(x[1]) && x[2] == rintf(x[2]));
		small += cpus == 2;
		large += cpus == 128;
		none_idle += x[1] == 0;
		positive += mls_synthetic_rule(x);
		noisy += mls_synthetic_rule(x) != (data.labels[r] > 0.5f);
	}
	assert_true(small > N / 20 && large > N / 40 && none_idle > N / 10);
	assert_true(positive > N / 5 && positive < N / 2);
	assert_true(fabs(noisy / (double)N - 0.1) < 0.006); /* four standard deviations */
	mls_dataset_clear(&data);
}

static void fewer_synthetic_rows_are_the_first_of_more(void **state)
{
	struct mls_dataset few = { 0 }, many = { 0 }, other = { 0 };

	(void)state;
	assert_int_equal(mls_synthetic_seed10(100, 7, &few, NULL), 0);
	assert_int_equal(mls_synthetic_seed10(5000, 7, &many, NULL), 0);
	assert_int_equal(mls_synthetic_seed10(100, 8, &other, NULL), 0);
	assert_memory_equal(few.inputs, many.inputs, 1000 * sizeof(float));
	assert_memory_equal(few.labels, many.labels, 100 * sizeof(float));
	assert_memory_not_equal(few.inputs, other.inputs, 1000 * sizeof(float));
	mls_dataset_clear(&few);
	mls_dataset_clear(&many);
	mls_dataset_clear(&other);
}

/* On another machine or with another compiler this may not change. */
static void synthetic_rows_are_the_same_everywhere(void **state)
{
	struct mls_dataset data = { 0 };

	(void)state;
	assert_int_equal(mls_synthetic_seed10(65536, 1, &data, NULL), 0);
	assert_int_equal(mls_dataset_checksum(&data), 0xad548551);
	mls_dataset_clear(&data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_numbers_are_those_of_xoshiro256),
		cmocka_unit_test(streams_of_a_seed_differ),
		cmocka_unit_test(a_shuffle_loses_nothing),
		cmocka_unit_test(a_split_by_time_takes_the_last_rows),
		cmocka_unit_test(a_random_split_is_drawn_by_the_seed),
		cmocka_unit_test(a_split_without_training_rows_is_refused),
		cmocka_unit_test(synthetic_rows_are_machines_in_range),
		cmocka_unit_test(fewer_synthetic_rows_are_the_first_of_more),
		cmocka_unit_test(synthetic_rows_are_the_same_everywhere),
	};

	return cmocka_run_group_tests_name("dataset", tests, NULL, NULL);
}
