// SPDX-License-Identifier: GPL-2.0
/*
 * Real LiteRT files: those in models/ give the outputs that the runtime of
 * their TensorFlow computed, those in bad/ are refused with a message for a
 * person, and none that is cut or changed somewhere does any harm.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <mlsched/mlsched.h>

#include "src/formats/lower.h"
#include "src/formats/tflite.h"
#include "tests/lib/files.h"
#include "tests/lib/golden.h"

#define MODELS "tests/golden/tflite/models/"
#define BAD    "tests/golden/tflite/bad/"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static char models[][64] = {
	"tf212-small",
	"tf215-tflite",
	"tf221-float16",
	"tf221-tflite",
};

static void tflite_gives_the_outputs_of_its_runtime(void **state)
{
	struct mlsched_model *model;
	char path[256], expected[256], version[64];
	const char *name = *state, *producer;

	snprintf(path, sizeof(path), MODELS "%s/model.tflite", name);
	snprintf(expected, sizeof(expected), MODELS "%s/expected.json", name);
	model = golden_load(path, expected);
	assert_string_equal(mlsched_model_meta(model)->format, "tflite");
	assert_string_equal(mlsched_model_meta(model)->schema, "seed10");
	/* tf221: the version that the converter wrote into a buffer of its own. */
	snprintf(version, sizeof(version), "tensorflow %c.%.2s.", name[2], name + 3);
	producer = mlsched_model_meta(model)->producer;
	if (strncmp(producer, version, strlen(version)) != 0 ||
	    !strstr(producer, ": MLIR Converted."))
		fail_msg("expected %s...: MLIR Converted., found %s", version, producer);
	mlsched_model_free(model);
}

static void every_model_fixture_has_a_test(void **state)
{
	(void)state;
	assert_int_equal(test_count_entries(MODELS), ARRAY_SIZE(models));
}

struct refusal {
	const char *name;
	int code;
	const char *message;
};

static const struct refusal refusals[] = {
	{ "tflite-bad-offset", -EINVAL,
	  "byte 0: expected the root table within the file's 21808 bytes, found an "
	  "offset of 2147483632" },
	{ "tflite-conv", -ENOTSUP,
	  "node 5 for tensor 16 "
	  "\"sequential_19/conv1d/BiasAdd;sequential_19/conv1d/Conv1D/Squeeze;sequential_19/c\" "
	  "(CONV_2D): expected an operation of dense layers, found CONV_2D" },
	{ "tflite-gelu", -ENOTSUP,
	  "node 1 for tensor 6 "
	  "\"sequential_22_1/dense_49_1/Gelu/mul_2;sequential_22_1/dense_49_1/Gelu/mul/x;sequ\" "
	  "(GELU): expected an operation of dense layers, found GELU" },
	{ "tflite-int8", -ENOTSUP,
	  "node 4 for tensor 9 \"StatefulPartitionedCall_1:0\" (DEQUANTIZE): expected "
	  "stored float16 weights, found computed numbers: quantised models are to be "
	  "converted again, without optimisations" },
	{ "tflite-int8-weights", -ENOTSUP,
	  "node tensor 6 \"sequential_20_1/dense_45_1/MatMul\" (constant tensor): "
	  "expected float32 or float16 numbers, found int8 (quantised models are to be "
	  "converted again, without optimisations)" },
	{ "tflite-skip", -ENOTSUP,
	  "node 1 for tensor 6 \"functional_24_1/add_1/Add\" (ADD): expected weights as "
	  "one input, found two inputs that are both computed: not a chain of dense "
	  "layers" },
	{ "tflite-truncated", -EINVAL,
	  "byte 52: expected the operator codes within the file's 10904 bytes, found an "
	  "offset of 21708" },
	{ "tflite-two-outputs", -ENOTSUP, "expected one output, found 2" },
};

static void tflite_is_refused_with_a_reason(void **state)
{
	const struct refusal *r = *state;
	char path[256], message[2 * MLSCHED_ERROR_SIZE];

	snprintf(path, sizeof(path), BAD "%s/model.tflite", r->name);
	snprintf(message, sizeof(message), "Invalid LiteRT format: %s: %s", path, r->message);
	golden_refuse(path, r->code, message);
}

static void every_bad_fixture_has_a_test(void **state)
{
	(void)state;
	assert_int_equal(test_count_entries(BAD), ARRAY_SIZE(refusals));
}

/* ---- damage ------------------------------------------------------------------------------ */

/* In memory of just this size, so that a sanitizer sees a byte too many. */
static int read_copy(const uint8_t *bytes, size_t size)
{
	struct mls_arena arena = mls_lower_arena("LiteRT", size);
	uint8_t *copy = malloc(size ? size : 1);
	const struct mls_blob blob = { "m.tflite", copy, size };
	struct mlsched_model *model = NULL;
	struct mlsched_error err = { 0 };
	int ret;

	assert_non_null(copy);
	memcpy(copy, bytes, size);
	ret = mls_tflite_read(&blob, &arena, &err, &model);
	assert_true(arena.used <= arena.limit);
	mls_arena_free(&arena);
	free(copy);
	if (ret) {
		assert_null(model);
		assert_int_equal(err.code, ret);
		assert_non_null(strstr(err.message, "Invalid LiteRT format: m.tflite: "));
		assert_non_null(strcasestr(err.message, "expected"));
		if (!strstr(err.message, "found") && !strstr(err.message, "got"))
			fail_msg("%s", err.message);
	}
	mlsched_model_free(model);
	return ret;
}

static void tflite_that_is_cut_anywhere_is_refused_or_whole(void **state)
{
	size_t size, n_taken = 0;
	uint8_t *bytes = test_read_whole(MODELS "tf212-small/model.tflite", &size);

	(void)state;
	assert_int_equal(read_copy(bytes, size), 0);
	for (size_t n = 0; n < size; n++)
		n_taken += read_copy(bytes, n) == 0;
	/* What stands last may be what nobody reads: the list of operators of old readers. */
	assert_true(n_taken < 64);
	free(bytes);
}

static void tflite_with_any_byte_changed_does_no_harm(void **state)
{
	static const uint8_t changes[] = { 0x01, 0x80, 0xff };
	size_t size, n_refused = 0;
	uint8_t *bytes = test_read_whole(MODELS "tf212-small/model.tflite", &size);

	(void)state;
	for (size_t i = 0; i < size; i++) {
		for (size_t c = 0; c < ARRAY_SIZE(changes); c++) {
			bytes[i] ^= changes[c];
			n_refused += read_copy(bytes, size) != 0;
			bytes[i] ^= changes[c];
		}
	}
	/* Names and the lowest bits of weights may be anything; tables may not. */
	assert_true(n_refused > size / 2);
	free(bytes);
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_SIZE(models) + ARRAY_SIZE(refusals) + 4];
	static char names[ARRAY_SIZE(models) + ARRAY_SIZE(refusals)][96];
	size_t n = 0;

	memset(tests, 0, sizeof(tests));
	for (size_t i = 0; i < ARRAY_SIZE(models); i++, n++) {
		snprintf(names[n], sizeof(names[n]), "loads_%.60s", models[i]);
		tests[n] = (struct CMUnitTest){ names[n], tflite_gives_the_outputs_of_its_runtime,
						NULL, NULL, models[i] };
	}
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++, n++) {
		snprintf(names[n], sizeof(names[n]), "refuses_%s", refusals[i].name);
		tests[n] = (struct CMUnitTest){ names[n], tflite_is_refused_with_a_reason, NULL,
						NULL, (void *)&refusals[i] };
	}
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(every_model_fixture_has_a_test);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(every_bad_fixture_has_a_test);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(
		tflite_that_is_cut_anywhere_is_refused_or_whole);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(tflite_with_any_byte_changed_does_no_harm);
	return cmocka_run_group_tests_name("tflite", tests, NULL, NULL);
}
