// SPDX-License-Identifier: GPL-2.0
/*
 * Every allocation and every thread that training asks for fails once: each
 * time there is an error and nothing is lost (the sanitizers look).
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/data/csv.h"
#include "src/data/scores.h"
#include "src/data/synthetic.h"
#include "src/nn/train/train.h"

/* The linker sends the calls of the whole program here (tests/tests.mk). */
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *),
			  void *argument);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *),
			  void *argument);

/* Which call from now on fails; 0: none. */
static unsigned int countdown;
static bool failed;

static bool fails_now(void)
{
	if (countdown == 0 || --countdown > 0)
		return false;
	failed = true;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails_now() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return fails_now() ? NULL : __real_realloc(old, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	return fails_now() ? NULL : __real_aligned_alloc(alignment, size);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *),
			  void *argument)
{
	return fails_now() ? EAGAIN : __real_pthread_create(thread, attr, start, argument);
}

static const char csv[] = "cpu,cpu_idle,cpu_not_idle,src_dom_load,dst_dom_load,migrate\n"
			  "0,1,1,0.9,0.1,1\n1,1,1,0.1,0.9,0\n";

static int read_csv(struct mls_dataset *data, struct mlsched_error *err)
{
	unsigned int kept = countdown;
	FILE *stream;
	int ret;

	countdown = 0; /* the stream is the test's, not the library's */
	stream = fmemopen((void *)csv, sizeof(csv) - 1, "r");
	countdown = kept;
	assert_non_null(stream);
	ret = mls_csv_read(stream, "x", mlsched_schema_find("seed10"), "migrate", data, NULL, err);
	kept = countdown;
	countdown = 0;
	fclose(stream);
	countdown = kept;
	return ret;
}

/* All that a training allocates, from the rows to the scores of its model. */
static int all_of_it(struct mlsched_error *err)
{
	struct mls_dataset data = { 0 }, read = { 0 };
	struct mlsched_model *model = NULL;
	struct mls_trainer *trainer = NULL;
	struct mls_train_options options;
	struct mls_split split = { 0 };
	struct mls_scores scores;
	float logits[200], threshold;
	int ret;

	mls_train_options_init(&options);
	options.epochs = 1;
	options.batch = 100;
	ret = mls_synthetic_seed10(200, 1, &data, err);
	if (!ret)
		ret = read_csv(&read, err);
	if (!ret)
		ret = mls_split_make(&data, 0, MLS_SPLIT_TIME, 1, &split, err);
	if (!ret)
		ret = mls_trainer_create(&options, &data, &split, 3, MLSCHED_ISA_BEST, err,
					 &trainer);
	if (!ret)
		ret = mls_trainer_run(trainer, NULL, NULL, err);
	if (!ret)
		ret = mls_trainer_model(trainer, NULL, err, &model);
	if (!ret) {
		mls_trainer_logits(trainer, split.train, 200, logits);
		ret = mls_scores_compute(logits, data.labels, 200, 0, &scores, err);
	}
	if (!ret)
		ret = mls_scores_best_threshold(logits, data.labels, 200, &threshold, err);
	mlsched_model_free(model);
	mls_trainer_free(trainer);
	free(split.train);
	mls_dataset_clear(&data);
	mls_dataset_clear(&read);
	return ret;
}

static void every_allocation_and_thread_may_fail(void **state)
{
	struct mlsched_error err;
	unsigned int n;

	(void)state;
	for (n = 1;; n++) {
		int ret;

		failed = false;
		err = (struct mlsched_error){ 0 };
		countdown = n;
		ret = all_of_it(&err);
		countdown = 0;
		if (!failed) {
			assert_int_equal(ret, 0);
			break;
		}
		assert_true(ret == -ENOMEM || ret == -EAGAIN);
		assert_int_equal(err.code, ret);
		assert_true(strlen(err.message) > 10);
	}
	print_message("# %u places\n", n - 1);
	assert_true(n > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_allocation_and_thread_may_fail),
	};

	return cmocka_run_group_tests_name("train without memory", tests, NULL, NULL);
}
