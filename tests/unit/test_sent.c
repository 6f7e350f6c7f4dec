// SPDX-License-Identifier: GPL-2.0
/*
 * src/host/sent.c: a model arrives as it was sent, bit by bit, and what is no model in a
 * sealed file in memory is not even read.
 */
#include <errno.h>
#include <fcntl.h>
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

#include "src/host/sent.h"
#include "src/util/memory_file.h"
#include "tests/lib/models.h"
#include "tests/lib/networks.h"

#define NETWORKS 200

/* Bytes of it that JSON's reader makes almost as much of as may be. */
#define LONG_PROVENANCE (130 << 10)

/* Of any shape, with all that a model may say. */
static struct mlsched_model *random_model(struct test_random *random)
{
	float low[MLSCHED_MAX_WIDTH], high[MLSCHED_MAX_WIDTH];
	struct mlsched_meta meta = {
		.threshold = test_random_float(random, 0.01f, 0.99f),
		.input_min = low,
		.input_max = high,
		.provenance = "{\"seed\":7,\"words\":[\"a\xc3\xa9\",null]}",
		.tuned = true,
		.mechanisms = "fork-in-place,ask-again",
		.offers_us = { 100, 300.5, 333333.125 }, /* nine digits, as files have them */
	};
	struct mlsched_model *model;
	struct mlsched_error err;
	struct test_network net;

	test_network_random(&net, random);
	/* As in models that were read: others have no slope. */
	for (uint32_t i = 0; i < net.desc.n_layers; i++) {
		if (net.layers[i].activation != MLSCHED_LEAKY_RELU &&
		    net.layers[i].activation != MLSCHED_ELU)
			net.layers[i].alpha = 0;
	}
	meta.n_calibration = net.layers[0].n_in;
	for (uint32_t i = 0; i < meta.n_calibration; i++) {
		low[i] = test_random_float(random, -3, 1);
		high[i] = test_random_float(random, 1, 300);
	}
	net.desc.meta = &meta;
	if (mlsched_model_create(&net.desc, &err, &model) != 0)
		fail_msg("%s", err.message);
	test_network_free(&net);
	return model;
}

static void a_model_arrives_bit_by_bit(void **state)
{
	struct test_random random = { test_seed(20261129) };

	(void)state;
	for (int i = 0; i < NETWORKS; i++) {
		struct mlsched_model *model = random_model(&random), *arrived = NULL;
		struct mlsched_error err;
		int fd;

		if (mls_sent_make(model, "/here", &err, &fd) != 0 ||
		    mls_sent_check(fd, &err) != 0 ||
		    mls_sent_read(fd, "/here", &err, &arrived) != 0)
			fail_msg("network %d: %s", i, err.message);
		assert_int_equal(fcntl(fd, F_GETFD), -1);
		test_same_model(model, arrived);
		assert_int_equal(mlsched_model_checksum(model), mlsched_model_checksum(arrived));
		mlsched_model_free(model);
		mlsched_model_free(arrived);
	}
}

/* The largest that there is, with meta data up to their limit. */
static void the_largest_model_is_sent(void **state)
{
	static float weights[256 * 256], bias[256];
	static char provenance[800 << 10];
	const struct mlsched_meta meta = { .threshold = 0.5f, .provenance = provenance };
	struct mlsched_layer layers[MLSCHED_MAX_LAYERS];
	const struct mlsched_model_desc desc = {
		.size = sizeof(desc),
		.n_layers = MLSCHED_MAX_LAYERS,
		.layers = layers,
		.meta = &meta,
	};
	struct mlsched_model *model, *arrived = NULL;
	struct mlsched_error err;
	int fd;

	(void)state;
	for (int i = 0; i < MLSCHED_MAX_LAYERS; i++)
		layers[i] = (struct mlsched_layer){ 256, 256, MLSCHED_ELU, 0.3f, weights, bias };
	memset(provenance, 'x', sizeof(provenance) - 1);
	memcpy(provenance, "{\"\":\"", 5);
	strcpy(provenance + LONG_PROVENANCE, "\"}");
	assert_int_equal(mlsched_model_create(&desc, NULL, &model), 0);
	if (mls_sent_make(model, "/here", &err, &fd) != 0 || mls_sent_check(fd, &err) != 0 ||
	    mls_sent_read(fd, "/here", &err, &arrived) != 0)
		fail_msg("%s", err.message);
	assert_int_equal(mlsched_model_checksum(model), mlsched_model_checksum(arrived));
	mlsched_model_free(arrived);
	mlsched_model_free(model);

	/* Meta data beyond it: the client has to be told. */
	memset(provenance + LONG_PROVENANCE, 'x', 3);
	strcpy(provenance + sizeof(provenance) - 3, "\"}");
	assert_int_equal(mlsched_model_create(&desc, NULL, &model), 0);
	assert_int_equal(mls_sent_make(model, "/here", &err, &fd), -EFBIG);
	assert_non_null(strstr(err.message, "/here"));
	mlsched_model_free(model);
}

static void refuses(int fd, int code, const char *found)
{
	struct mlsched_error err;

	assert_true(fd >= 0);
	assert_int_equal(mls_sent_check(fd, &err), code);
	if (!strstr(err.message, found))
		fail_msg("expected \"%s\" in: %s", found, err.message);
	close(fd);
}

static int unsealed(int seals)
{
	int fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_int_equal(write(fd, "x", 1), 1);
	while (fcntl(fd, F_ADD_SEALS, seals) != 0)
		assert_int_equal(errno, EBUSY); /* the kernel moves its page */
	return fd;
}

static void only_sealed_files_in_memory_of_some_size_are_taken(void **state)
{
	static uint8_t bytes[MLS_SENT_MAX + 1];
	struct mlsched_error err;
	int ends[2], fd;

	(void)state;
	refuses(open("/dev/zero", O_RDONLY | O_CLOEXEC), -EINVAL, "something else");
	refuses(open("/proc/self/exe", O_RDONLY | O_CLOEXEC), -EINVAL, "something else");
	refuses(open("/", O_RDONLY | O_CLOEXEC), -EINVAL, "something else");
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	refuses(ends[0], -EINVAL, "something else");
	close(ends[1]);
	refuses(unsealed(0), -EINVAL, "can still be changed");
	refuses(unsealed(F_SEAL_WRITE), -EINVAL, "can still be changed");
	refuses(unsealed(F_SEAL_WRITE | F_SEAL_GROW), -EINVAL, "can still be changed");
	refuses(unsealed(F_SEAL_WRITE | F_SEAL_SHRINK), -EINVAL, "can still be changed");
	refuses(unsealed(F_SEAL_GROW | F_SEAL_SHRINK), -EINVAL, "can still be changed");
	refuses(mls_memory_file("x", 0, bytes, 0), -EFBIG, "found 0");
	refuses(mls_memory_file("x", 0, bytes, sizeof(bytes)), -EFBIG, "found 4194305");
	fd = mls_memory_file("x", 0, bytes, MLS_SENT_MAX);
	assert_int_equal(mls_sent_check(fd, &err), 0);
	close(fd);
}

static void what_is_no_model_is_refused_by_name(void **state)
{
	struct test_random random = { test_seed(20261129) };
	struct mlsched_model *model = random_model(&random), *arrived = NULL;
	struct mlsched_error err;
	uint8_t bytes[4096];
	ssize_t n;
	int fd, cut;

	(void)state;
	assert_int_equal(mls_sent_make(model, "/here", &err, &fd), 0);
	mlsched_model_free(model);
	n = pread(fd, bytes, sizeof(bytes), 0);
	close(fd);
	assert_true(n > 100);
	cut = mls_memory_file("x", 0, bytes, 100);
	assert_int_equal(mls_sent_check(cut, &err), 0);
	assert_int_equal(mls_sent_read(cut, "/the\033[31m/path", &err, &arrived), -EINVAL);
	/* A name of the client's stands in it, which may be anything. */
	assert_non_null(
		strstr(err.message, "Invalid ONNX format: /the?[31m/path, as it was sent: "));
	assert_null(arrived);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_model_arrives_bit_by_bit),
		cmocka_unit_test(the_largest_model_is_sent),
		cmocka_unit_test(only_sealed_files_in_memory_of_some_size_are_taken),
		cmocka_unit_test(what_is_no_model_is_refused_by_name),
	};

	return cmocka_run_group_tests_name("sent", tests, NULL, NULL);
}
