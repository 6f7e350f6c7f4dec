// SPDX-License-Identifier: GPL-2.0
/*
 * Damaged Keras files: cut at many places and with many bytes changed.  Each is refused
 * with a message or gives a model.  The reader of HDF5 is a library that has had its
 * faults: each file is read in a process of its own, so that one of them is a result
 * here and not the end of the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <mlsched/mlsched.h>

#include "src/formats/keras.h"
#include "src/util/array.h"
#include "src/util/random.h"
#include "tests/lib/files.h"

#define MODELS "tests/golden/keras/models/"

/* Prime steps, so that they fall on all kinds of bytes. */
#ifdef MLS_SANITIZED
#define PLACES 150
#else
#define PLACES 400
#endif

static const char *const fixtures[] = {
	"tf215-keras2-norm-h5/model.h5",
	"tf221-keras3-norm-keras/model.keras",
	"keras3-latest/model.h5",
	"keras3-gzip/model.h5",
	"keras3-shards/model.keras",
	"keras3-deflated/model.keras",
	"keras3-legacy-weights/model.weights.h5",
};

static uint8_t *read_fixture(const char *name, size_t *size)
{
	char path[256];
	uint8_t *data;

	snprintf(path, sizeof(path), MODELS "%s", name);
	data = test_read_whole(path, size);
	assert_non_null(data);
	return data;
}

/* A model, or a refusal that says something; abort() otherwise. */
static void read_one(const uint8_t *data, size_t size)
{
	const struct mls_blob blob = { .path = "m", .data = data, .size = size };
	struct mlsched_model *model = NULL;
	struct mlsched_error err = { 0 };
	int ret = mls_keras_read(&blob, &err, &model);

	if (ret ? !(ret == err.code && err.message[0]) : !model)
		abort();
	mlsched_model_free(model);
}

/* Reads copies of a file that are cut, or changed at one place or at several. */
static void read_damaged(const uint8_t *data, size_t size, uint64_t seed)
{
	size_t step = size / PLACES | 1;
	uint8_t *copy = malloc(size);
	struct mls_random random;

	if (!copy)
		abort();
	mls_random_seed(&random, seed, 0);
	for (size_t at = 0; at < size; at += step) {
		memcpy(copy, data, at);
		read_one(copy, at);
	}
	for (size_t at = 0; at < size; at += step) {
		memcpy(copy, data, size);
		copy[at] ^= (uint8_t)(1 + mls_random_unit(&random) * 254);
		read_one(copy, size);
		for (int i = 0; i < 8; i++)
			copy[(size_t)(mls_random_unit(&random) * 0.999f * (float)size)] =
				i % 2 ? 0xff : (uint8_t)(mls_random_unit(&random) * 255);
		read_one(copy, size);
	}
	free(copy);
}

static void damaged_file_is_refused_or_read(void **state)
{
	size_t size;
	uint8_t *data;
	int status;
	pid_t child;

#ifdef MLS_SANITIZED
	print_message("# skipped: libhdf5 1.10.8 itself reads a few bytes beyond its buffers in "
		      "damaged files, and the sanitizers end the reader\n");
	skip();
#endif
	data = read_fixture(*state, &size);
	child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		read_damaged(data, size, 20261128);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("%s: the reader ended with status %x", (const char *)*state, status);
	free(data);
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_SIZE(fixtures)];
	static char names[ARRAY_SIZE(fixtures)][96];

	memset(tests, 0, sizeof(tests));
	for (size_t i = 0; i < ARRAY_SIZE(fixtures); i++) {
		snprintf(names[i], sizeof(names[i]), "damaged_%.*s", (int)strcspn(fixtures[i], "/"),
			 fixtures[i]);
		tests[i] = (struct CMUnitTest){
			.name = names[i],
			.test_func = damaged_file_is_refused_or_read,
			.initial_state = (void *)(uintptr_t)fixtures[i],
		};
	}
	return cmocka_run_group_tests_name("keras_damage", tests, NULL, NULL);
}
