// SPDX-License-Identifier: GPL-2.0
/*
 * What the forward passes promise besides the right numbers: no allocation, no
 * lock, little stack, no access beyond the rows, the same bits from any number
 * of threads; and the activations where single precision gets difficult.
 * Random networks are tests/property/test_networks.c.
 */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include <mlsched/mlsched.h>

#include "tests/lib/networks.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* ---- every call that could allocate or lock, counted (ld --wrap) ---------------- */

static __thread unsigned int calls;

#define COUNT(result, name, parameters, arguments) \
	result __real_##name parameters;           \
	result __wrap_##name parameters;           \
	result __wrap_##name parameters            \
	{                                          \
		calls++;                           \
		return __real_##name arguments;    \
	}

COUNT(void *, malloc, (size_t size), (size))
COUNT(void *, calloc, (size_t n, size_t size), (n, size))
COUNT(void *, realloc, (void *p, size_t size), (p, size))
COUNT(void, free, (void *p), (p))
COUNT(void *, aligned_alloc, (size_t alignment, size_t size), (alignment, size))
COUNT(int, posix_memalign, (void **p, size_t alignment, size_t size), (p, alignment, size))
COUNT(void *, mmap, (void *p, size_t size, int prot, int flags, int fd, off_t offset),
      (p, size, prot, flags, fd, offset))
COUNT(int, pthread_mutex_lock, (pthread_mutex_t * lock), (lock))
COUNT(int, pthread_rwlock_rdlock, (pthread_rwlock_t * lock), (lock))
COUNT(int, pthread_spin_lock, (pthread_spinlock_t * lock), (lock))

/* ---- models ---------------------------------------------------------------------- */

static const enum mlsched_isa isas[] = { MLSCHED_ISA_SCALAR, MLSCHED_ISA_AVX2, MLSCHED_ISA_AVX512,
					 MLSCHED_ISA_NEON };

/* A clone of a network for one instruction set; NULL where that is not there. */
static struct mlsched_model *model_for(const struct test_network *net, enum mlsched_isa isa)
{
	struct mlsched_model *best, *model = NULL;
	int ret;

	assert_int_equal(mlsched_model_create(&net->desc, NULL, &best), 0);
	ret = mlsched_model_clone_for_isa(best, isa, NULL, &model);
	assert_true(ret == 0 || ret == -ENOTSUP);
	mlsched_model_free(best);
	return ret == 0 ? model : NULL;
}

/* Calls @check for a few networks of every kind in every form that this machine has. */
static void for_networks(void (*check)(struct mlsched_model *model, struct test_random *random))
{
	static const uint32_t shapes[][5] = { { 10, 64, 64, 1 },       { 15, 10, 1 },
					      { 10, 128, 128, 64, 1 }, { 7, 2 },
					      { 256, 256, 255, 3 },    { 1, 3, 1 } };
	struct test_random random = { 42 };

	for (size_t s = 0; s < ARRAY_SIZE(shapes); s++) {
		for (int a = 0; a < MLSCHED_ACTIVATION_COUNT; a++) {
			struct test_network net;
			uint32_t n = 0;

			while (n < 4 && shapes[s][n + 1])
				n++;
			test_network_shape(&net, &random, n, shapes[s], a,
					   a % 2 ? MLSCHED_SIGMOID : a);
			for (size_t i = 0; i < ARRAY_SIZE(isas); i++) {
				struct mlsched_model *model = model_for(&net, isas[i]);

				if (model)
					check(model, &random);
				mlsched_model_free(model);
			}
			test_network_free(&net);
		}
	}
}

/* ---- promises -------------------------------------------------------------------- */

static void count_calls(struct mlsched_model *model, struct test_random *random)
{
	static float rows[9 * MLSCHED_MAX_WIDTH], out[9 * MLSCHED_MAX_WIDTH];
	unsigned int before, after;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		rows[i] = test_random_float(random, -1, 1);
	before = calls;
	mlsched_model_predict(model, rows, 1, out);
	mlsched_model_predict(model, rows, 9, out);
	mlsched_model_logit(model, rows, 9, out);
	after = calls;
	assert_int_equal(after, before);
}

static void forward_pass_neither_allocates_nor_locks(void **state)
{
	unsigned int before = calls;
	struct test_network net;
	struct test_random random = { 1 };

	(void)state;
	/* The counter itself: making a model allocates. */
	test_network_random(&net, &random);
	mlsched_model_free(model_for(&net, MLSCHED_ISA_SCALAR));
	test_network_free(&net);
	assert_true(calls > before);
	for_networks(count_calls);
}

/* Rows end where the page does, and so does the output: one float too far is a fault. */
static void use_last_bytes_of_a_page(struct mlsched_model *model, struct test_random *random)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size = 8 * page;
	uint32_t n_in = mlsched_model_inputs(model), n_out = mlsched_model_outputs(model);

	for (size_t n_rows = 1; n_rows <= 7; n_rows += 2) {
		size_t in_size = n_rows * n_in * sizeof(float);
		size_t out_size = n_rows * n_out * sizeof(float);
		char *in = mmap(NULL, 2 * (size + page), PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		char *out = in + size + page;
		float *rows = (float *)(in + size - in_size);

		assert_true(in != MAP_FAILED);
		assert_int_equal(mprotect(in + size, page, PROT_NONE), 0);
		assert_int_equal(mprotect(out + size, page, PROT_NONE), 0);
		for (size_t i = 0; i < n_rows * n_in; i++)
			rows[i] = test_random_float(random, -1, 1);
		mlsched_model_predict(model, rows, n_rows, (float *)(out + size - out_size));
		for (size_t i = 0; i < size - out_size; i++)
			assert_int_equal(out[i], 0);
		munmap(in, 2 * (size + page));
	}
}

static void forward_pass_stays_within_rows_and_outputs(void **state)
{
	(void)state;
	for_networks(use_last_bytes_of_a_page);
}

#define N_THREADS 8
#define N_SHARED  64

struct sharing {
	const struct mlsched_model *model;
	const float *rows, *expected;
	int bad;
};

static void *predict_again_and_again(void *argument)
{
	struct sharing *sharing = argument;
	float out[N_SHARED];

	for (int k = 0; k < 200; k++) {
		mlsched_model_predict(sharing->model, sharing->rows, N_SHARED, out);
		sharing->bad |= memcmp(out, sharing->expected, sizeof(out)) != 0;
		for (int r = 0; r < N_SHARED; r++)
			mlsched_model_predict(sharing->model, sharing->rows + r * 10, 1, out + r);
		sharing->bad |= memcmp(out, sharing->expected, sizeof(out)) != 0;
	}
	return NULL;
}

static void threads_on_one_model_get_the_same_bits(void **state)
{
	static const uint32_t widths[] = { 10, 64, 64, 1 };
	float rows[N_SHARED * 10], expected[N_SHARED];
	struct test_random random = { 5 };
	struct test_network net;

	(void)state;
	test_network_shape(&net, &random, 3, widths, MLSCHED_RELU, MLSCHED_SIGMOID);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		rows[i] = test_random_float(&random, -1, 1);
	for (size_t i = 0; i < ARRAY_SIZE(isas); i++) {
		struct mlsched_model *model = model_for(&net, isas[i]);
		struct sharing sharing[N_THREADS];
		pthread_t threads[N_THREADS];

		if (!model)
			continue;
		mlsched_model_predict(model, rows, N_SHARED, expected);
		for (int t = 0; t < N_THREADS; t++) {
			sharing[t] = (struct sharing){ model, rows, expected, 0 };
			assert_int_equal(pthread_create(&threads[t], NULL, predict_again_and_again,
							&sharing[t]),
					 0);
		}
		for (int t = 0; t < N_THREADS; t++) {
			pthread_join(threads[t], NULL);
			assert_int_equal(sharing[t].bad, 0);
		}
		mlsched_model_free(model);
	}
	test_network_free(&net);
}

/* ---- stack: painted, then looked at ------------------------------------------------ */

#define STACK_SIZE (256 * 1024)
#define PAINT      0xa5

/* Without the sanitizers, which put more on the stack than we do. */
#ifndef MLS_SANITIZED
static void *predict_nothing_or_rows(void *argument)
{
	static float rows[9 * MLSCHED_MAX_WIDTH], out[9 * MLSCHED_MAX_WIDTH];

	if (argument)
		mlsched_model_predict(argument, rows, 9, out);
	return NULL;
}

static size_t stack_used(const struct mlsched_model *model)
{
	unsigned char *stack =
		mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_attr_t attributes;
	pthread_t thread;
	size_t untouched = 0;

	assert_true(stack != MAP_FAILED);
	memset(stack, PAINT, STACK_SIZE);
	pthread_attr_init(&attributes);
	assert_int_equal(pthread_attr_setstack(&attributes, stack, STACK_SIZE), 0);
	assert_int_equal(
		pthread_create(&thread, &attributes, predict_nothing_or_rows, (void *)model), 0);
	pthread_join(thread, NULL);
	pthread_attr_destroy(&attributes);
	while (untouched < STACK_SIZE && stack[untouched] == PAINT)
		untouched++;
	munmap(stack, STACK_SIZE);
	return STACK_SIZE - untouched;
}

static void check_stack(struct mlsched_model *model, struct test_random *random)
{
	size_t nothing = stack_used(NULL), rows = stack_used(model);

	(void)random;
	assert_true(rows >= nothing);
	assert_true(rows - nothing <= 16 * 1024);
}

static void forward_pass_needs_at_most_16_KiB_of_stack(void **state)
{
	(void)state;
	for_networks(check_stack);
}
#endif

/* ---- activations ------------------------------------------------------------------- */

/* One layer that hands its input on, so that the activation is all there is. */
static struct mlsched_model *identity(enum mlsched_activation activation, float alpha,
				      enum mlsched_isa isa)
{
	static float weights[16 * 16];
	struct test_network net = {
		.layers = { { 16, 16, activation, alpha, weights, NULL } },
	};

	for (int i = 0; i < 16; i++)
		weights[i * 16 + i] = 1;
	net.desc = (struct mlsched_model_desc){ .size = sizeof(net.desc),
						.n_layers = 1,
						.layers = net.layers };
	return model_for(&net, isa);
}

static double exactly(enum mlsched_activation activation, double x)
{
	switch (activation) {
	case MLSCHED_SIGMOID:
		return 1 / (1 + exp(-x));
	case MLSCHED_TANH:
		return tanh(x);
	default:
		return x > 0 ? x : expm1(x);
	}
}

/* Relative error over the whole range, in units of 2^-24, beyond two smallest normal numbers. */
static double worst_error(enum mlsched_activation activation, enum mlsched_isa isa)
{
	struct mlsched_model *model = identity(activation, 1, isa);
	double worst = 0;

	if (!model)
		return 0;
	for (int k = 0; k < 40000; k++) {
		float row[16], out[16];

		for (int i = 0; i < 16; i++) {
			/* Both evenly in x and evenly in its exponent. */
			row[i] = (float)(k * 16 + i - 320000) / 3200.0f;
			if (i % 2)
				row[i] = copysignf(exp2f((float)k / 800.0f - 43), row[i]);
		}
		mlsched_model_predict(model, row, 1, out);
		for (int i = 0; i < 16; i++) {
			double y = exactly(activation, (double)row[i]);

			worst = fmax(worst, (fabs((double)out[i] - y) - 0x1p-125) / fabs(y));
		}
	}
	mlsched_model_free(model);
	return worst * 0x1p24;
}

static void activations_are_accurate_to_a_few_units_in_the_last_place(void **state)
{
	static const enum mlsched_activation transcendental[] = { MLSCHED_ELU, MLSCHED_SIGMOID,
								  MLSCHED_TANH };

	(void)state;
	for (size_t a = 0; a < ARRAY_SIZE(transcendental); a++) {
		for (size_t i = 0; i < ARRAY_SIZE(isas); i++) {
			double worst = worst_error(transcendental[a], isas[i]);

			printf("# %s, %s: %.2f half units\n",
			       mlsched_activation_name(transcendental[a]),
			       mlsched_isa_name(isas[i]), worst);
			assert_true(worst < 8);
		}
	}
}

static void activations_saturate_without_nan(void **state)
{
	static const float row[16] = { -3e38f, -1e30f, -1000, -104,  -90,   -88,  -87.4f, -1e-40f,
				       0,      1e-40f, 87.4f, 88.8f, 89.5f, 1000, 1e30f,  3e38f };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(isas); i++) {
		for (int a = 0; a < MLSCHED_ACTIVATION_COUNT; a++) {
			struct mlsched_model *fast = identity(a, 0.5f, isas[i]);
			struct mlsched_model *scalar = identity(a, 0.5f, MLSCHED_ISA_SCALAR);
			float out[16], expected[16];

			if (fast) {
				mlsched_model_predict(fast, row, 1, out);
				mlsched_model_predict(scalar, row, 1, expected);
				for (int k = 0; k < 16; k++) {
					assert_true(isfinite(out[k]));
					assert_true(fabsf(out[k] - expected[k]) <=
						    4e-7f * fabsf(expected[k]) + 1e-37f);
				}
			}
			mlsched_model_free(fast);
			mlsched_model_free(scalar);
		}
	}
}

static void softmax_of_large_logits_is_a_distribution(void **state)
{
	float row[16];

	(void)state;
	for (int i = 0; i < 16; i++)
		row[i] = 3e4f + (float)i;
	row[3] = -3e38f;
	for (size_t i = 0; i < ARRAY_SIZE(isas); i++) {
		struct mlsched_model *model = identity(MLSCHED_SOFTMAX, 0, isas[i]);
		float out[16], sum = 0;

		if (!model)
			continue;
		mlsched_model_predict(model, row, 1, out);
		for (int k = 0; k < 16; k++)
			sum += out[k];
		assert_true(fabsf(sum - 1) < 1e-6f);
		assert_true(out[3] >= 0 && out[3] < 1e-37f);
		/* Neighbours are a factor of e apart. */
		assert_true(fabsf(out[15] / out[14] - 2.71828183f) < 1e-5f);
		mlsched_model_free(model);
	}
}

static void denormal_numbers_are_kept(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(isas); i++) {
		struct mlsched_model *model = identity(MLSCHED_LINEAR, 0, isas[i]);
		float row[16], out[16];

		if (!model)
			continue;
		for (int k = 0; k < 16; k++)
			row[k] = (k % 2 ? -1e-42f : 1e-44f) * (float)(k + 1);
		mlsched_model_predict(model, row, 1, out);
		assert_memory_equal(out, row, sizeof(row));
		mlsched_model_free(model);
	}
}

/* ---- logits ------------------------------------------------------------------------ */

static void logit_of_two_softmax_units_is_their_difference(void **state)
{
	static const uint32_t widths[] = { 10, 30, 2 };
	struct test_random random = { 9 };
	float rows[100 * 10], logits[100], out[200];
	struct test_network net;

	(void)state;
	test_network_shape(&net, &random, 2, widths, MLSCHED_TANH, MLSCHED_SOFTMAX);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		rows[i] = test_random_float(&random, -1, 1);
	for (size_t i = 0; i < ARRAY_SIZE(isas); i++) {
		struct mlsched_model *model = model_for(&net, isas[i]);

		if (!model)
			continue;
		assert_int_equal(mlsched_model_logit(model, rows, 100, logits), 0);
		mlsched_model_predict(model, rows, 100, out);
		for (int r = 0; r < 100; r++)
			assert_true(fabs(1 / (1 + exp(-(double)logits[r])) -
					 (double)out[2 * r + 1]) < 1e-6);
		mlsched_model_free(model);
	}
	test_network_free(&net);
}

static void best_isa_is_the_last_that_works(void **state)
{
	static const uint32_t widths[] = { 3, 2 };
	enum mlsched_isa best = MLSCHED_ISA_BEST;
	struct test_random random = { 3 };
	struct mlsched_model *model;
	struct test_network net;

	(void)state;
	test_network_shape(&net, &random, 1, widths, MLSCHED_RELU, MLSCHED_LINEAR);
	for (size_t i = 0; i < ARRAY_SIZE(isas); i++) {
		model = model_for(&net, isas[i]);
		if (model)
			best = isas[i];
		mlsched_model_free(model);
	}
	model = model_for(&net, MLSCHED_ISA_BEST);
	assert_int_equal(mlsched_model_isa(model), best);
	mlsched_model_free(model);
	test_network_free(&net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forward_pass_neither_allocates_nor_locks),
		cmocka_unit_test(forward_pass_stays_within_rows_and_outputs),
		cmocka_unit_test(threads_on_one_model_get_the_same_bits),
#ifndef MLS_SANITIZED
		cmocka_unit_test(forward_pass_needs_at_most_16_KiB_of_stack),
#endif
		cmocka_unit_test(activations_are_accurate_to_a_few_units_in_the_last_place),
		cmocka_unit_test(activations_saturate_without_nan),
		cmocka_unit_test(softmax_of_large_logits_is_a_distribution),
		cmocka_unit_test(denormal_numbers_are_kept),
		cmocka_unit_test(logit_of_two_softmax_units_is_their_difference),
		cmocka_unit_test(best_isa_is_the_last_that_works),
	};

	return cmocka_run_group_tests_name("forward", tests, NULL, NULL);
}
