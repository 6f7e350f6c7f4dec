// SPDX-License-Identifier: GPL-2.0
/*
 * Damaged Keras files: cut at many places and with many bytes changed.  Each is refused
 * with a message or gives a model, whatever becomes of the process in which libhdf5 reads
 * it: in 1.10.8 some of these crash it, and some keep it busy until it is stopped.
 *
 * PLACES=N damages each file at as many places (the default is quick), SEED=N otherwise.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <mlsched/mlsched.h>

#include "src/formats/keras.h"
#include "src/util/array.h"
#include "src/util/random.h"
#include "tests/lib/files.h"

#define MODELS "tests/golden/keras/models/"

#define PLACES 40
#define SEED   20261128

static const char *const fixtures[] = {
	"tf215-keras2-norm-h5/model.h5",
	"tf221-keras3-norm-keras/model.keras",
	"keras3-latest/model.h5",
	"keras3-gzip/model.h5",
	"keras3-shards/model.keras",
	"keras3-deflated/model.keras",
	"keras3-legacy-weights/model.weights.h5",
	"tf221-keras3-weights-h5/model.weights.h5",
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

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

/* How it ended: for a person, and for who looks for what libhdf5 does not stand. */
struct tally {
	unsigned int n_models, n_refused, n_failed;
};

/* A model, or a refusal that says something. */
static void read_one(const uint8_t *data, size_t size, struct tally *tally)
{
	const struct mls_blob blob = { .path = "m", .data = data, .size = size };
	struct mlsched_model *model = NULL;
	struct mlsched_error err = { 0 };
	int ret = mls_keras_read(&blob, &err, &model);

	if (ret) {
		assert_null(model);
		assert_int_equal(ret, err.code);
		assert_true(err.message[0]);
		tally->n_refused++;
		if (strstr(err.message, "found one on which it failed")) {
			tally->n_failed++;
			print_message("# %s\n", err.message);
		}
	} else {
		assert_non_null(model);
		tally->n_models++;
	}
	mlsched_model_free(model);
}

/* Reads copies of a file that are cut, or changed at one place or at several. */
static void read_damaged(const uint8_t *data, size_t size, struct tally *tally)
{
	size_t step = size / setting("PLACES", PLACES) | 1;
	uint8_t *copy = malloc(size);
	struct mls_random random;

	assert_non_null(copy);
	mls_random_seed(&random, setting("SEED", SEED), 0);
	for (size_t at = 0; at < size; at += step) {
		memcpy(copy, data, at);
		read_one(copy, at, tally);
	}
	for (size_t at = 0; at < size; at += step) {
		memcpy(copy, data, size);
		copy[at] ^= (uint8_t)(1 + mls_random_unit(&random) * 254);
		read_one(copy, size, tally);
		for (int i = 0; i < 8; i++)
			copy[(size_t)(mls_random_unit(&random) * 0.999f * (float)size)] =
				i % 2 ? 0xff : (uint8_t)(mls_random_unit(&random) * 255);
		read_one(copy, size, tally);
	}
	free(copy);
}

static void damaged_file_is_refused_or_read(void **state)
{
	struct tally tally = { 0 };
	size_t size;
	uint8_t *data = read_fixture(*state, &size);

	read_damaged(data, size, &tally);
	free(data);
	print_message("# %s: %u read, %u refused, on %u of them libhdf5 failed\n",
		      (const char *)*state, tally.n_models, tally.n_refused, tally.n_failed);
	assert_true(tally.n_refused > 0);
	/* An archive has checksums of all that is in it. */
	assert_true(tally.n_models > 0 || strstr(*state, ".keras"));
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
