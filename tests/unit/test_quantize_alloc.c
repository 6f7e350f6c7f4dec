// SPDX-License-Identifier: GPL-2.0
/*
 * Each allocation of the quantiser fails in turn: nothing crashes or leaks,
 * and the error is -ENOMEM.  The linker puts the __wrap_ functions in front of
 * the real ones (tests/tests.mk).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <mlsched/mlsched.h>

/* Counts down: the allocation that finds 0 fails. -1: none does. */
static long left = -1;
static long live_blocks;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void __wrap_free(void *block);

static void *unless_it_fails(void *block)
{
	if (left >= 0 && left-- == 0) {
		__real_free(block);
		return NULL;
	}
	live_blocks += block != NULL;
	return block;
}

void *__wrap_malloc(size_t size)
{
	return unless_it_fails(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return unless_it_fails(__real_calloc(n, size));
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	return unless_it_fails(__real_aligned_alloc(alignment, size));
}

void __wrap_free(void *block)
{
	live_blocks -= block != NULL;
	__real_free(block);
}

/* A layer of each kind that is folded, so that every allocation is there. */
static struct mlsched_model *make_model(void)
{
	static float weights[64], bias[8];
	static const float min[8] = { -1, -1, -1, -1, -1, -1, -1, -1 };
	static const float max[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };
	const struct mlsched_layer layers[] = {
		{ 8, 8, MLSCHED_LEAKY_RELU, 0.25f, weights, bias },
		{ 8, 8, MLSCHED_LINEAR, 0, weights, NULL },
		{ 8, 8, MLSCHED_RELU6, 0, weights, bias },
		{ 8, 8, MLSCHED_RELU, 0, weights, bias },
		{ 8, 2, MLSCHED_SOFTMAX, 0, weights, bias },
	};
	const struct mlsched_meta meta = {
		.threshold = 0.5f, .n_calibration = 8, .input_min = min, .input_max = max
	};
	const struct mlsched_model_desc desc = {
		.size = sizeof(desc), .n_layers = 5, .layers = layers, .meta = &meta
	};
	struct mlsched_model *model;

	for (int i = 0; i < 64; i++)
		weights[i] = (float)(i * 37 % 64 - 31) / 32;
	for (int i = 0; i < 8; i++)
		bias[i] = (float)(i - 3) / 8;
	assert_int_equal(mlsched_model_create(&desc, NULL, &model), 0);
	return model;
}

static void every_failing_allocation_of_quantize_is_reported_and_leaks_nothing(void **state)
{
	const struct mlsched_quantize_opts opts = { sizeof(opts), 0.5 };
	struct mlsched_model *model = make_model();
	long blocks = live_blocks, n;
	struct mlsched_qmodel *q;
	struct mlsched_error err;
	int ret = -ENOMEM;

	(void)state;
	for (n = 0; ret == -ENOMEM; n++) {
		left = n;
		ret = mlsched_quantize(model, NULL, 0, &opts, NULL, &err, &q);
		left = -1;
		if (ret == 0) {
			mlsched_qmodel_free(q);
		} else {
			assert_int_equal(ret, -ENOMEM);
			assert_int_equal(err.code, -ENOMEM);
		}
		assert_int_equal(live_blocks, blocks);
	}
	assert_int_equal(ret, 0);
	assert_true(n > 20);
	mlsched_model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			every_failing_allocation_of_quantize_is_reported_and_leaks_nothing),
	};

	return cmocka_run_group_tests_name("quantize_alloc", tests, NULL, NULL);
}
