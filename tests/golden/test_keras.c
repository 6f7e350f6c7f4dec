// SPDX-License-Identifier: GPL-2.0
/*
 * Real files of Keras 2 and 3, .h5 and .keras: those in models/ give the outputs that
 * Keras computed, those in bad/ are refused with a message for a person.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <mlsched/mlsched.h>

#include "src/util/array.h"
#include "tests/lib/files.h"
#include "tests/lib/golden.h"

#define MODELS "tests/golden/keras/models/"
#define BAD    "tests/golden/keras/bad/"

/* The names that files have in their directories, and what they are read as. */
static const struct {
	const char *name;
	const char *format;
} files[] = {
	{ "model.h5", "h5" },
	{ "model.weights.h5", "h5" },
	{ "model.keras", "keras" },
};

struct golden {
	const char *name;
	const char *producer;
};

#define BARE "keras weights only; assumed: relu inside, sigmoid last"

static const struct golden models[] = {
	{ "keras3-activations", "keras 3.15.1" },
	{ "keras3-batchnorm", "keras 3.15.1" },
	{ "keras3-deflated", "keras 3.15.1" },
	{ "keras3-double", "keras 3.15.1" },
	{ "keras3-flatten", "keras 3.15.1" },
	{ "keras3-functional", "keras 3.15.1" },
	{ "keras3-gaps", "keras 3.15.1" },
	{ "keras3-gzip", "keras 3.15.1" },
	{ "keras3-half", "keras 3.15.1" },
	{ "keras3-inverted", "keras 3.15.1" },
	{ "keras3-latest", "keras 3.15.1" },
	{ "keras3-legacy-weights", BARE },
	{ "keras3-nested", "keras 3.15.1" },
	{ "keras3-rescale", "keras 3.15.1" },
	{ "keras3-shards", "keras 3.15.1" },
	{ "keras3-shared", "keras 3.15.1" },
	{ "keras3-softmax", "keras 3.15.1" },
	{ "keras3-twelve", "keras 3.15.1" },
	{ "keras3-two-shards", "keras 3.15.1" },
	{ "keras3-windows", "keras 3.15.1" },
	{ "tf215-keras2-15-10-1-h5", "keras 2.15.0" },
	{ "tf215-keras2-h5", "keras 2.15.0" },
	{ "tf215-keras2-keras", "keras 2.15.0" },
	{ "tf215-keras2-norm-h5", "keras 2.15.0" },
	{ "tf215-keras2-norm-keras", "keras 2.15.0" },
	{ "tf215-keras2-weights-h5", BARE },
	{ "tf221-keras3-15-10-1-h5", "keras 3.15.1" },
	{ "tf221-keras3-h5", "keras 3.15.1" },
	{ "tf221-keras3-keras", "keras 3.15.1" },
	{ "tf221-keras3-norm-h5", "keras 3.15.1" },
	{ "tf221-keras3-norm-keras", "keras 3.15.1" },
	{ "tf221-keras3-weights-h5", BARE },
};

static void keras_model_gives_the_outputs_of_its_tool(void **state)
{
	const struct golden *g = *state;
	int n_files = 0;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char path[256], expected[256];
		const struct mlsched_meta *meta;
		struct mlsched_model *model;

		snprintf(path, sizeof(path), MODELS "%s/%s", g->name, files[i].name);
		snprintf(expected, sizeof(expected), MODELS "%s/expected.json", g->name);
		if (access(path, R_OK) != 0)
			continue;
		n_files++;
		model = golden_load(path, expected);
		meta = mlsched_model_meta(model);
		assert_string_equal(meta->format, files[i].format);
		assert_string_equal(meta->producer, g->producer);
		assert_string_equal(meta->schema,
				    mlsched_model_inputs(model) == 10 ? "seed10" : "");
		mlsched_model_free(model);
	}
	assert_true(n_files > 0);
}

struct refusal {
	const char *path;
	int code;
	const char *message; /* behind the head and the path */
};

static const struct refusal refusals[] = {
	{ "h5-empty/model.h5", -EINVAL, ": expected an HDF5 file or a zip archive, found 0 bytes" },
	{ "h5-lstm/model.h5", -ENOTSUP,
	  ": layer lstm (LSTM): expected a layer of dense networks, found LSTM" },
	{ "h5-truncated/model.h5", -EINVAL,
	  ": expected an HDF5 file, found that libhdf5 says: truncated file: eof = 45640, sblock->base_addr = 0, stored_eof = 91280" },
	{ "keras-no-weights/model.keras", -EINVAL,
	  ": expected the member model.weights.h5, found no weights" },
	{ "keras-not-zip/model.keras", -EINVAL,
	  ": expected an HDF5 file or a zip archive, found a file that begins otherwise" },
	{ "keras3-bomb/model.keras", -EINVAL,
	  ": config.json: expected a member that unfolds to at most 100 times its size, found 1695 bytes that become 928529" },
	{ "keras3-cycle/model.h5", -EINVAL,
	  ": expected a model of its size, found one that unfolds to more than 606840 bytes" },
	{ "keras3-deep/model.keras", -EINVAL,
	  "/config.json: expected lists and objects at most 64 deep, found more" },
	{ "keras3-escape/model.keras", -EINVAL,
	  ": expected members below the archive's own directory, found ../../etc/cron.d/x" },
	{ "keras3-external-data/model.h5", -ENOTSUP,
	  ": model_weights/batch_normalization/sequential/batch_normalization/gamma: expected numbers in this file, found them in another one" },
	{ "keras3-external-link/model.h5", -ENOTSUP,
	  ": model_weights/batch_normalization/sequential/batch_normalization/beta: expected an object of this file, found a link to another file" },
	{ "keras3-huge/model.h5", -EINVAL,
	  ": model_weights/dense/sequential/dense/kernel: expected 1 to 256 in dimension 0, found 1048576" },
	{ "keras3-integers/model.h5", -ENOTSUP,
	  ": model_weights/batch_normalization/sequential/batch_normalization/gamma: expected floating point numbers, found another type" },
	{ "keras3-lzf/model.h5", -ENOTSUP,
	  ": model_weights/batch_normalization/sequential/batch_normalization/gamma: expected shuffle and gzip as filters at most, found number 32000 as filter 0" },
	{ "keras3-nan/model.h5", -EINVAL,
	  ": model_weights/dense/sequential/dense/kernel: expected finite numbers, found nan at [1, 0]" },
	{ "keras3-nine/model.keras", -ENOTSUP,
	  "/config.json: layer dense_8 (Dense): expected at most 8 layers, found more" },
	{ "keras3-npz/model.keras", -ENOTSUP,
	  ": expected the member model.weights.h5, found model.weights.npz" },
	{ "keras3-objects/model.keras", -EINVAL,
	  "/config.json: expected JSON in keeping with the size of the file, found too many values" },
	{ "keras3-prelu/model.keras", -ENOTSUP,
	  "/config.json: layer p_re_lu (PReLU): expected a layer of dense networks, found PReLU" },
	{ "keras3-residual/model.keras", -ENOTSUP,
	  "/config.json: the model: layer add: expected one input, found 2: not a chain of layers" },
	{ "keras3-rows/model.keras", -ENOTSUP,
	  "/config.json: layer dense (Dense): expected rows of numbers, found 2 dimensions: a Flatten in front of it is missing" },
	{ "keras3-selu/model.keras", -ENOTSUP,
	  "/config.json: layer dense (Dense): activation: expected linear, relu, relu6, leaky_relu, elu, sigmoid, tanh or softmax, found selu" },
	{ "keras3-soft-link/model.h5", -ENOTSUP,
	  ": model_weights/batch_normalization/sequential/batch_normalization/beta: expected an object of this file, found a link by name" },
	{ "keras3-twice/model.keras", -EINVAL, ": config.json: expected one such member, found 2" },
	{ "keras3-two-inputs/model.keras", -ENOTSUP,
	  "/config.json: the model: input_layers: expected one, found 2" },
	{ "keras3-virtual/model.h5", -ENOTSUP,
	  ": model_weights/batch_normalization/sequential/batch_normalization/gamma: expected numbers in this data set, found a virtual one" },
	{ "keras3-weights-activation/model.weights.h5", -ENOTSUP,
	  ": layer re_lu: expected dense layers and a normalization, found another layer, and the file has no architecture: save the whole model: model.save(\"model.keras\")" },
	{ "keras3-weights-two-outputs/model.weights.h5", -ENOTSUP,
	  ": layer dense_1: expected one output, a probability, found another number, and the file "
	  "has no architecture: save the whole model: model.save(\"model.keras\")" },
	{ "keras3-wide/model.keras", -EINVAL,
	  "/model.weights.h5: layers/dense/vars/0: expected 1 to 256 in dimension 1, found 257" },
};

static void keras_model_is_refused_with_a_reason(void **state)
{
	const struct refusal *r = *state;
	char path[256], expected[2 * MLSCHED_ERROR_SIZE];

	snprintf(path, sizeof(path), BAD "%s", r->path);
	snprintf(expected, sizeof(expected), "Invalid Keras format: %s%s", path, r->message);
	golden_refuse(path, r->code, expected);
}

static void every_fixture_has_a_test(void **state)
{
	(void)state;
	/* Two more: metadata_is_read_from_its_place_in_each_format(). */
	assert_int_equal(test_count_entries(MODELS), ARRAY_SIZE(models) + 2);
	/* One more: the wrong width is refused by whoever expects another one. */
	assert_int_equal(test_count_entries(BAD), ARRAY_SIZE(refusals) + 1);
}

static void wrong_width_is_refused_by_who_expects_ten(void **state)
{
	const char *path = BAD "h5-wrong-width/model.h5";
	struct mlsched_model *model;
	struct mlsched_error err;

	(void)state;
	assert_int_equal(mlsched_model_load(path, &err, &model), 0);
	assert_int_equal(mlsched_model_expect_inputs(model, 10, path, &err), -EINVAL);
	assert_string_equal(err.message,
			    "Expected shape [?, 10], got [?, 5]: " BAD "h5-wrong-width/model.h5");
	mlsched_model_free(model);
}

static void metadata_is_read_from_its_place_in_each_format(void **state)
{
	static const char *const paths[] = {
		MODELS "keras3-metadata-attribute/model.h5",
		MODELS "keras3-metadata-member/model.keras",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		const struct mlsched_meta *meta;
		struct mlsched_model *model;
		struct mlsched_error err;

		if (mlsched_model_load(paths[i], &err, &model) != 0)
			fail_msg("%s", err.message);
		meta = mlsched_model_meta(model);
		assert_string_equal(meta->schema, "seed10");
		assert_true(meta->threshold == 0.25f);
		assert_string_equal(meta->provenance, "{\"seed\":7}");
		mlsched_model_free(model);
	}
}

/* Whoever opens a pipe that nobody writes to waits for ever, if it does not take care. */
static void what_is_no_regular_file_is_refused_at_once(void **state)
{
	char directory[] = "/tmp/mlsched-keras-XXXXXX", path[64], expected[256];
	struct mlsched_model *model;
	struct mlsched_error err;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/pipe.h5", directory);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(mlsched_model_load(path, &err, &model), -EINVAL);
	snprintf(expected, sizeof(expected),
		 "Invalid Keras format: %s: expected a regular file, found a device", path);
	assert_string_equal(err.message, expected);
	unlink(path);
	rmdir(directory);
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_SIZE(models) + ARRAY_SIZE(refusals) + 4];
	static char names[ARRAY_SIZE(models) + ARRAY_SIZE(refusals)][96];
	size_t n = 0;

	memset(tests, 0, sizeof(tests));
	for (size_t i = 0; i < ARRAY_SIZE(models); i++, n++) {
		snprintf(names[n], sizeof(names[n]), "loads_%s", models[i].name);
		tests[n] = (struct CMUnitTest){
			.name = names[n],
			.test_func = keras_model_gives_the_outputs_of_its_tool,
			.initial_state = (void *)(uintptr_t)&models[i],
		};
	}
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++, n++) {
		snprintf(names[n], sizeof(names[n]), "refuses_%.*s",
			 (int)strcspn(refusals[i].path, "/"), refusals[i].path);
		tests[n] = (struct CMUnitTest){
			.name = names[n],
			.test_func = keras_model_is_refused_with_a_reason,
			.initial_state = (void *)(uintptr_t)&refusals[i],
		};
	}
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(every_fixture_has_a_test);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(wrong_width_is_refused_by_who_expects_ten);
	tests[n++] =
		(struct CMUnitTest)cmocka_unit_test(what_is_no_regular_file_is_refused_at_once);
	tests[n++] =
		(struct CMUnitTest)cmocka_unit_test(metadata_is_read_from_its_place_in_each_format);
	return cmocka_run_group_tests_name("keras", tests, NULL, NULL);
}
