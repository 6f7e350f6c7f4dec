// SPDX-License-Identifier: GPL-2.0
/*
 * Real ONNX files of several tools: those in models/ give the outputs that
 * their tool computed, also after they were written again, those in bad/ are
 * refused with a message for a person.
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
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <mlsched/mlsched.h>

#include "src/formats/format.h"
#include "tests/lib/files.h"
#include "tests/lib/golden.h"
#include "tests/lib/models.h"

#define MODELS "tests/golden/onnx/models/"
#define BAD    "tests/golden/onnx/bad/"

static char scratch[64];
static char target[128];

static void remove_all(const char *path)
{
	char command[256];

	snprintf(command, sizeof(command), "rm -rf '%s'", path);
	assert_int_equal(system(command), 0);
}

static int make_scratch(void **state)
{
	(void)state;
	snprintf(scratch, sizeof(scratch), "%s/mlsched-onnx-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(scratch));
	snprintf(target, sizeof(target), "%s/model.onnx", scratch);
	return 0;
}

static int remove_scratch(void **state)
{
	(void)state;
	remove_all(scratch);
	return 0;
}

static void onnx_gives_the_outputs_of_its_tool(void **state)
{
	struct mlsched_model *model;
	char path[256], expected[256];

	snprintf(path, sizeof(path), MODELS "%s/model.onnx", (char *)*state);
	snprintf(expected, sizeof(expected), MODELS "%s/expected.json", (char *)*state);
	model = golden_load(path, expected);
	assert_string_equal(mlsched_model_meta(model)->format, "onnx");
	assert_string_equal(mlsched_model_meta(model)->schema, "seed10");
	mlsched_model_free(model);
}

static char models[][64] = {
	"onnx-helper-gemm", "onnx-helper-gemm-transb-floatdata",
	"onnx-tf2onnx",     "onnx-tf2onnx-norm",
	"onnx-torch113",    "onnx-torch215",
};

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

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
	{ "onnx-missing-initializer", -EINVAL,
	  "node z1 (Gemm): expected an initializer, an input or an output of a node for its input "
	  "\"w1\", found none" },
	{ "onnx-shape-mismatch", -EINVAL,
	  "node w1 (graph initializer): expected 36 bytes of numbers, found 32" },
	{ "onnx-truncated", -EINVAL,
	  "expected an ONNX model, found one that is cut or damaged: at byte 2, graph says 564 "
	  "bytes, but 397 are left" },
	{ "onnx-unknown-op", -ENOTSUP,
	  "node a0 (FancyActivation): expected an operation of dense layers, found "
	  "FancyActivation" },
};

static void onnx_is_refused_with_a_reason(void **state)
{
	const struct refusal *r = *state;
	char path[256], message[2 * MLSCHED_ERROR_SIZE];

	snprintf(path, sizeof(path), BAD "%s/model.onnx", r->name);
	snprintf(message, sizeof(message), "Invalid ONNX format: %s: %s", path, r->message);
	golden_refuse(path, r->code, message);
}

static void every_bad_fixture_has_a_test(void **state)
{
	(void)state;
	assert_int_equal(test_count_entries(BAD), ARRAY_SIZE(refusals));
}

/* ---- writing ---------------------------------------------------------------------------- */

static struct mlsched_model *load(const char *path)
{
	struct mlsched_model *model;
	struct mlsched_error err;

	if (mlsched_model_load(path, &err, &model) != 0)
		fail_msg("%s", err.message);
	return model;
}

static int save(const struct mlsched_model *model, struct mlsched_error *err)
{
	return mls_format_find("onnx")->write(model, target, MLSCHED_SAVEDMODEL_VARIABLES, err);
}

static void onnx_is_written_again_to_the_same_bits(void **state)
{
	struct mlsched_model *first, *second;
	char path[256];

	snprintf(path, sizeof(path), MODELS "%s/model.onnx", (char *)*state);
	first = load(path);
	remove_all(target);
	assert_int_equal(save(first, NULL), 0);
	second = load(target);
	assert_int_equal(mlsched_model_checksum(first), mlsched_model_checksum(second));
	assert_string_equal(mlsched_model_meta(second)->schema, "seed10");
	mlsched_model_free(first);
	mlsched_model_free(second);
}

/* A network with everything in it; without a bias where the index is odd. */
static struct mlsched_model *make_model(enum mlsched_activation activation, float alpha,
					enum mlsched_activation last, uint32_t n_layers)
{
	static float weights[MLSCHED_MAX_LAYERS][7 * 7], bias[MLSCHED_MAX_LAYERS][7];
	const float mean[7] = { 1, -2, 3, 0.5f, 0, 100, 1e-3f };
	const float deviation[7] = { 1, 2, 0.25f, 3, 1e-2f, 50, 7 };
	const float low[7] = { -1, -2, -3, 0, 0, 0.1f, 1e-7f };
	const struct mlsched_meta meta = {
		.schema = "a schema of its own",
		.threshold = 0.7f,
		.n_calibration = 7,
		.input_min = low,
		.input_max = deviation,
		.provenance = "{\"seed\":7,\"why\":\"\\\"\xc3\xa4\\\"\"}",
		.tuned = true,
		.mechanisms = "ask-again,fork-in-place",
		.offers_us = { 100, 0.5, 1e6 },
	};
	struct mlsched_layer layers[MLSCHED_MAX_LAYERS];
	const struct mlsched_model_desc desc = {
		.size = sizeof(desc),
		.n_layers = n_layers,
		.layers = layers,
		.mean = n_layers > 1 ? mean : NULL,
		.deviation = n_layers > 1 ? deviation : NULL,
		.meta = &meta,
	};
	struct mlsched_model *model;
	struct mlsched_error err;

	for (uint32_t l = 0; l < n_layers; l++) {
		for (uint32_t i = 0; i < 49; i++)
			weights[l][i] = (float)((i * 37 + l * 11) % 101) / 77 - 0.6f;
		for (uint32_t i = 0; i < 7; i++)
			bias[l][i] = (float)i / 3 - (float)l;
		layers[l] = (struct mlsched_layer){
			.n_in = 7,
			.n_out = l + 1 == n_layers ? 2 : 7,
			.activation = l + 1 == n_layers ? last : activation,
			.alpha = alpha,
			.weights = weights[l],
			.bias = l % 2 ? NULL : bias[l],
		};
	}
	if (mlsched_model_create(&desc, &err, &model) != 0)
		fail_msg("%s", err.message);
	return model;
}

static void everything_in_a_model_survives_being_written(void **state)
{
	(void)state;
	remove_all(target);
	for (int a = MLSCHED_LINEAR; a < MLSCHED_ACTIVATION_COUNT; a++) {
		for (uint32_t n = 1; n <= MLSCHED_MAX_LAYERS; n++) {
			/* An alpha of 0 is a value, too. */
			struct mlsched_model *model =
				make_model((enum mlsched_activation)a, n % 3 ? 0.3f : 0,
					   n % 2 ? MLSCHED_SOFTMAX : (enum mlsched_activation)a, n);
			struct mlsched_model *found;

			assert_int_equal(save(model, NULL), 0);
			found = load(target);
			test_same_model(model, found);
			mlsched_model_free(model);
			mlsched_model_free(found);
		}
	}
}

/* ---- where it is written ------------------------------------------------------------------ */

static void write_text(const char *path, const char *content)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(content, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void only_models_are_replaced(void **state)
{
	struct mlsched_model *model = make_model(MLSCHED_RELU, 0, MLSCHED_SIGMOID, 2);
	char message[256], link[160];
	struct mlsched_error err;
	struct stat st;

	(void)state;
	remove_all(target);
	write_text(target, "Dear diary");
	assert_int_equal(save(model, &err), -EEXIST);
	snprintf(message, sizeof(message),
		 "Cannot write model: %s: expected a model to replace, found another file", target);
	assert_string_equal(err.message, message);
	assert_int_equal(stat(target, &st), 0);
	assert_int_equal(st.st_size, 10);
	remove_all(target);
	assert_int_equal(mkdir(target, 0777), 0);
	assert_int_equal(save(model, &err), -EISDIR);
	remove_all(target);
	write_text(target, "");
	assert_int_equal(save(model, NULL), 0);
	assert_int_equal(test_count_entries(scratch), 1);
	/* A link stays one, and what it names is replaced. */
	snprintf(link, sizeof(link), "%s/link.onnx", scratch);
	assert_int_equal(symlink(target, link), 0);
	assert_int_equal(mls_format_find("onnx")->write(model, link, 0, NULL), 0);
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(unlink(link), 0);
	mlsched_model_free(model);
}

static void file_that_is_none_is_refused_unopened(void **state)
{
	struct mlsched_model *model;
	struct mlsched_error err;
	char message[256];

	(void)state;
	remove_all(target);
	assert_int_equal(mkfifo(target, 0600), 0);
	snprintf(message, sizeof(message), "Invalid model format: %s: ", target);
	/* That it returns at all shows that it does not wait for a writer. */
	assert_int_equal(mlsched_model_load(target, &err, &model), -EINVAL);
	assert_memory_equal(err.message, message, strlen(message));
	remove_all(target);
}

int main(void)
{
	struct CMUnitTest tests[2 * ARRAY_SIZE(models) + ARRAY_SIZE(refusals) + 5];
	static char names[2 * ARRAY_SIZE(models) + ARRAY_SIZE(refusals)][96];
	size_t n = 0;

	memset(tests, 0, sizeof(tests));
	for (size_t i = 0; i < ARRAY_SIZE(models); i++, n++) {
		snprintf(names[n], sizeof(names[n]), "loads_%.60s", models[i]);
		tests[n] = (struct CMUnitTest){ names[n], onnx_gives_the_outputs_of_its_tool, NULL,
						NULL, models[i] };
	}
	for (size_t i = 0; i < ARRAY_SIZE(models); i++, n++) {
		snprintf(names[n], sizeof(names[n]), "writes_%.60s_again", models[i]);
		tests[n] = (struct CMUnitTest){ names[n], onnx_is_written_again_to_the_same_bits,
						NULL, NULL, models[i] };
	}
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++, n++) {
		snprintf(names[n], sizeof(names[n]), "refuses_%s", refusals[i].name);
		tests[n] = (struct CMUnitTest){ names[n], onnx_is_refused_with_a_reason, NULL, NULL,
						(void *)&refusals[i] };
	}
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(every_model_fixture_has_a_test);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(every_bad_fixture_has_a_test);
	tests[n++] =
		(struct CMUnitTest)cmocka_unit_test(everything_in_a_model_survives_being_written);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(only_models_are_replaced);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(file_that_is_none_is_refused_unopened);
	return cmocka_run_group_tests_name("onnx", tests, make_scratch, remove_scratch);
}
