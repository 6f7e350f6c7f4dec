// SPDX-License-Identifier: GPL-2.0
/*
 * Real SavedModels of several tools: those in models/ give the outputs that
 * their tool computed, those in bad/ are refused with a message for a person.
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

#include "tests/lib/files.h"
#include "tests/lib/golden.h"

#define MODELS "tests/golden/savedmodel/models/"
#define BAD    "tests/golden/savedmodel/bad/"

static void check_model(const char *name)
{
	struct mlsched_model *model;
	char path[512], expected[512];

	snprintf(path, sizeof(path), MODELS "%s/model", name);
	snprintf(expected, sizeof(expected), MODELS "%s/expected.json", name);
	model = golden_load(path, expected);
	assert_string_equal(mlsched_model_meta(model)->format, "savedmodel");
	assert_string_equal(mlsched_model_meta(model)->schema,
			    mlsched_model_inputs(model) == 10 ? "seed10" : "");
	mlsched_model_free(model);
}

static void savedmodel_gives_the_outputs_of_its_tool(void **state)
{
	check_model(*state);
}

static void every_model_fixture_has_a_test(void **state)
{
	assert_int_equal(test_count_entries(MODELS), *(size_t *)*state);
}

struct refusal {
	const char *name;
	int code;
	const char *message; /* behind the head; %s is the directory */
};

static void refuse(const struct refusal *r)
{
	char path[256], expected[2 * MLSCHED_ERROR_SIZE];

	snprintf(path, sizeof(path), BAD "%s/model", r->name);
	snprintf(expected, sizeof(expected), "Invalid SavedModel format: %s/%s", path, r->message);
	golden_refuse(path, r->code, expected);
}

static void savedmodel_is_refused_with_a_reason(void **state)
{
	refuse(*state);
}

static const struct refusal refusals[] = {
	{ "savedmodel-conv", -ENOTSUP,
	  "saved_model.pb: function __inference__wrapped_model_443: node sequential_1/conv1d/Conv1D "
	  "(Conv2D): expected an operation of dense layers, found Conv2D" },
	{ "savedmodel-cycle", -EINVAL,
	  "saved_model.pb: node dense_1/Relu (Relu): expected no cycle, found that it depends on "
	  "itself" },
	{ "savedmodel-data-crc", -EBADMSG,
	  "variables/variables.data-00000-of-00001: tensor k/1/.ATTRIBUTES/VARIABLE_VALUE: expected "
	  "checksum 56a985a5, found 2d471aed" },
	{ "savedmodel-data-short", -EINVAL,
	  "variables/variables.data-00000-of-00001: tensor _CHECKPOINTABLE_OBJECT_GRAPH: expected "
	  "520 bytes at offset 19716, found a file of 20136 bytes" },
	{ "savedmodel-empty-pb", -EINVAL,
	  "saved_model.pb: expected a SavedModel message, found 0 bytes" },
	{ "savedmodel-index-crc", -EBADMSG,
	  "variables/variables.index: data block at offset 0: expected checksum c3579150, found "
	  "a382818c" },
	{ "savedmodel-index-truncated", -EINVAL,
	  "variables/variables.index: footer: expected db4775248b80fb57 in the last 8 bytes, found "
	  "495241562f534554: cut, or not a table of checkpoints" },
	{ "savedmodel-inf-bias", -EINVAL,
	  "saved_model.pb: node dense/bias (Const): expected finite numbers, found inf at [7]" },
	{ "savedmodel-nan", -EINVAL,
	  "saved_model.pb: node dense_1/kernel (VarHandleOp): tensor dense_1/kernel: expected finite "
	  "numbers, found nan at [3, 5]" },
	{ "savedmodel-no-signature", -EINVAL,
	  "saved_model.pb: signatures: expected \"serving_default\" or \"serve\", found none" },
	{ "savedmodel-no-variables", -EINVAL,
	  "variables/variables.index: expected the variables that the graph reads, found no such "
	  "file" },
	{ "tf212-layers-residual", -ENOTSUP,
	  "saved_model.pb: function __inference__wrapped_model_2952: node model/add/add (AddV2): "
	  "expected weights as one input, found two inputs that are both computed: not a chain of "
	  "dense layers" },
	{ "tf212-layers-two-inputs", -ENOTSUP,
	  "saved_model.pb: signature serving_default: expected one input, found 2" },
	{ "tf221-layers-selu", -ENOTSUP,
	  "saved_model.pb: function __inference___call___5733: node sequential_8_1/dense_18_1/Selu "
	  "(Selu): expected an operation of dense layers, found Selu" },
	{ "savedmodel-truncated-pb", -EINVAL,
	  "saved_model.pb: expected a SavedModel message, found one that is cut or damaged: at byte "
	  "2, meta_graphs says 22132 bytes, but 13276 are left" },
};

static void wrong_width_is_refused_by_who_expects_ten(void **state)
{
	const char *path = BAD "savedmodel-wrong-width/model";
	struct mlsched_model *model;
	struct mlsched_error err;

	(void)state;
	assert_int_equal(mlsched_model_load(path, &err, &model), 0);
	assert_int_equal(mlsched_model_expect_inputs(model, 5, path, NULL), 0);
	assert_int_equal(mlsched_model_expect_inputs(model, 10, path, &err), -EINVAL);
	assert_string_equal(err.message, "Expected shape [?, 10], got [?, 5]: " BAD
					 "savedmodel-wrong-width/model");
	assert_int_equal(mlsched_model_expect_inputs(model, 10, NULL, NULL), -EINVAL);
	mlsched_model_free(model);
}

static void missing_model_is_not_found(void **state)
{
	struct mlsched_model *model;
	struct mlsched_error err;

	(void)state;
	assert_int_equal(mlsched_model_load(BAD "nothing", &err, &model), -ENOENT);
	assert_string_equal(err.message,
			    "Model not found at path: " BAD "nothing: No such file or directory");
	assert_int_equal(mlsched_model_load(BAD "savedmodel-nan", &err, &model), -ENOENT);
	assert_string_equal(err.message, "Model not found at path: " BAD
					 "savedmodel-nan: expected saved_model.pb in the "
					 "directory, found none");
	assert_int_equal(mlsched_model_load(BAD "savedmodel-nan/why.txt", &err, &model), -EINVAL);
	assert_non_null(strstr(err.message, "Invalid model format: " BAD
					    "savedmodel-nan/why.txt: expected one of: "
					    "TensorFlow SavedModel directory"));
	assert_non_null(strstr(err.message, "; found a file that is none"));
}

static char models[][64] = {
	"hand-frozen-savedmodel",
	"hand-objects-savedmodel",
	"hand-variables-savedmodel",
	"tf215-keras2-15-10-1-savedmodel",
	"tf215-keras2-norm-savedmodel",
	"tf215-keras2-savedmodel",
	"tf215-module-savedmodel",
	"tf221-keras3-15-10-1-savedmodel",
	"tf221-keras3-norm-savedmodel",
	"tf221-keras3-savedmodel",
	"tf212-layers-flatten",
	"tf212-layers-leaky",
	"tf212-layers-squeeze",
	"tf221-layers-batchnorm",
	"tf221-layers-bfloat16",
	"tf221-layers-double",
	"tf221-layers-elu",
	"tf221-layers-half",
	"tf221-layers-matrices",
	"tf221-layers-relu6",
	"tf221-layers-rescale",
	"tf221-layers-reshape",
	"tf221-layers-softmax",
	"tf221-module-savedmodel",
};

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static size_t n_models = ARRAY_SIZE(models);

int main(void)
{
	struct CMUnitTest tests[ARRAY_SIZE(models) + ARRAY_SIZE(refusals) + 3];
	static char names[ARRAY_SIZE(models) + ARRAY_SIZE(refusals)][96];
	size_t n = 0;

	memset(tests, 0, sizeof(tests));
	for (size_t i = 0; i < ARRAY_SIZE(models); i++, n++) {
		snprintf(names[n], sizeof(names[n]), "loads_%s", models[i]);
		tests[n] = (struct CMUnitTest){
			.name = names[n],
			.test_func = savedmodel_gives_the_outputs_of_its_tool,
			.initial_state = models[i],
		};
	}
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++, n++) {
		snprintf(names[n], sizeof(names[n]), "refuses_%s", refusals[i].name);
		tests[n] = (struct CMUnitTest){
			.name = names[n],
			.test_func = savedmodel_is_refused_with_a_reason,
			.initial_state = (void *)&refusals[i],
		};
	}
	tests[n++] = (struct CMUnitTest){ "every_model_fixture_has_a_test",
					  every_model_fixture_has_a_test, NULL, NULL, &n_models };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(wrong_width_is_refused_by_who_expects_ten);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(missing_model_is_not_found);
	return cmocka_run_group_tests_name("savedmodel", tests, NULL, NULL);
}
