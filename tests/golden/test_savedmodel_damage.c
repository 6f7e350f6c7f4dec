// SPDX-License-Identifier: GPL-2.0
/*
 * Damaged SavedModels: every fixture cut at many places and with many single
 * bytes changed.  Each is refused with a message or gives a model; with the
 * sanitizers (make test SANITIZE=address,undefined) this also proves that
 * nothing is read or written out of bounds.  (What the fuzzer found worth keeping
 * is replayed by tests/fuzz.)
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

#include "src/formats/savedmodel.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/files.h"

#define MODELS "tests/golden/savedmodel/models/"

/* Cuts and changes of each file: prime steps, so that they fall on all kinds of bytes. */
#ifdef MLS_SANITIZED
#define PLACES 150
#else
#define PLACES 400
#endif

static const char *const fixtures[] = {
	"hand-frozen-savedmodel",          "hand-objects-savedmodel",
	"hand-variables-savedmodel",       "tf215-keras2-15-10-1-savedmodel",
	"tf215-keras2-norm-savedmodel",    "tf215-module-savedmodel",
	"tf221-keras3-15-10-1-savedmodel", "tf221-keras3-norm-savedmodel",
};

static const char *const names[] = {
	"saved_model.pb",
	"variables/variables.index",
	"variables/variables.data-00000-of-00001",
};

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

struct fixture {
	struct mls_blob blobs[ARRAY_SIZE(names)];
	struct mls_files files;
	uint32_t checksum;
};

static void open_fixture(struct fixture *f, const char *name)
{
	struct mlsched_model *model;

	*f = (struct fixture){ .files = { .path = name, .dir = -1 } };
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct mls_blob *blob = &f->blobs[f->files.n_blobs];
		char path[256];

		snprintf(path, sizeof(path), MODELS "%s/model/%s", name, names[i]);
		blob->data = test_read_whole(path, &blob->size);
		blob->path = names[i];
		f->files.n_blobs += blob->data != NULL;
	}
	f->files.blobs = f->blobs;
	assert_int_equal(mls_savedmodel_read(&f->files, NULL, &model), 0);
	f->checksum = mlsched_model_checksum(model);
	mlsched_model_free(model);
}

static void close_fixture(struct fixture *f)
{
	for (uint32_t i = 0; i < f->files.n_blobs; i++)
		free((void *)f->blobs[i].data);
}

/* 0 when it is refused; else the model's checksum. */
static uint32_t try_to_read(const struct fixture *f)
{
	struct mlsched_error err = { 0 };
	struct mlsched_model *model;
	uint32_t checksum;
	int ret = mls_savedmodel_read(&f->files, &err, &model);

	if (ret) {
		assert_true(ret < 0 && err.code == ret && err.message[0]);
		assert_null(strchr(err.message, '\n'));
		return 0;
	}
	use(model);
	checksum = mlsched_model_checksum(model);
	mlsched_model_free(model);
	return checksum;
}

static size_t step_for(size_t size)
{
	return size / PLACES / 2 * 2 + 1;
}

/* A copy that ends where the file is cut, so that the sanitizer sees a byte too much. */
static uint32_t read_cut(struct fixture *f, struct mls_blob *blob, size_t size)
{
	const struct mls_blob whole = *blob;
	uint8_t *cut = malloc(size ? size : 1);
	uint32_t checksum;

	assert_non_null(cut);
	memcpy(cut, whole.data, size);
	blob->data = cut;
	blob->size = size;
	checksum = try_to_read(f);
	free(cut);
	*blob = whole;
	return checksum;
}

static void cut_everywhere(const char *name)
{
	struct fixture f;

	open_fixture(&f, name);
	for (uint32_t i = 0; i < f.files.n_blobs; i++) {
		struct mls_blob *blob = &f.blobs[i];

		for (size_t size = 0; size < blob->size; size += step_for(blob->size)) {
			uint32_t checksum = read_cut(&f, blob, size);

			/* A message may be cut between two fields and still be one, but a table not. */
			if (checksum && i > 0)
				fail_msg("%s: %s cut to %zu bytes is accepted", name, blob->path,
					 size);
		}
	}
	close_fixture(&f);
}

static void change_everywhere(const char *name)
{
	struct fixture f;

	open_fixture(&f, name);
	for (uint32_t i = 0; i < f.files.n_blobs; i++) {
		uint8_t *data = (uint8_t *)f.blobs[i].data;
		size_t step = step_for(f.blobs[i].size);

		for (size_t at = 0; at < f.blobs[i].size; at += step) {
			uint8_t change = (uint8_t)(1 << at % 8);
			uint32_t checksum;

			data[at] ^= change;
			checksum = try_to_read(&f);
			data[at] ^= change;
			/* Every byte of the data is under a checksum; so is the index but its padding. */
			if (checksum && i > 0 && (i == 2 || checksum != f.checksum))
				fail_msg("%s: %s with byte %zu changed is accepted", name,
					 f.blobs[i].path, at);
		}
	}
	close_fixture(&f);
}

static void cut_files_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fixtures); i++)
		cut_everywhere(fixtures[i]);
}

static void changed_bytes_of_weights_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fixtures); i++)
		change_everywhere(fixtures[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_files_are_refused),
		cmocka_unit_test(changed_bytes_of_weights_are_refused),
	};

	return cmocka_run_group_tests_name("savedmodel_damage", tests, NULL, NULL);
}
