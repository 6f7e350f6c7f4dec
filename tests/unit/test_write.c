// SPDX-License-Identifier: GPL-2.0
/*
 * Writing by the public headers alone: formats by name and by suffix, what is
 * refused, other metadata, and whether the kernel's engine would take a network.
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

static char directory[] = "/tmp/mlsched-test-write-XXXXXX";
static float weights[10 * MLSCHED_MAX_WIDTH], last_weights[MLSCHED_MAX_WIDTH];

/* 10-@width-1 of schema seed10. */
static struct mlsched_model *network(uint32_t width)
{
	const struct mlsched_layer layers[] = {
		{ 10, width, MLSCHED_RELU, 0, weights, NULL },
		{ width, 1, MLSCHED_SIGMOID, 0, last_weights, NULL },
	};
	struct mlsched_meta meta = { .schema = "seed10", .threshold = 0.25f };
	struct mlsched_model_desc desc = {
		.size = sizeof(desc), .n_layers = 2, .layers = layers, .meta = &meta
	};
	struct mlsched_model *model;

	for (size_t i = 0; i < sizeof(weights) / sizeof(weights[0]); i++)
		weights[i] = (float)((int)(i * 37 % 21) - 10) / 8;
	for (size_t i = 0; i < MLSCHED_MAX_WIDTH; i++)
		last_weights[i] = (float)((int)(i * 11 % 7) - 3) / 4;
	assert_int_equal(mlsched_model_create(&desc, NULL, &model), 0);
	return model;
}

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static void every_format_is_listed_once_and_the_list_ends(void **state)
{
	struct mlsched_format format, other;
	size_t n = 0, without_suffix = 0;

	(void)state;
	for (; mlsched_format_at(n, &format) == 0; n++) {
		assert_true(format.name[0] && format.summary[0]);
		without_suffix += !format.suffix[0];
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(mlsched_format_at(i, &other), 0);
			assert_string_not_equal(format.name, other.name);
			assert_string_not_equal(format.suffix, other.suffix);
		}
	}
	assert_true(n >= 4);
	assert_int_equal(without_suffix, 1);
	assert_int_equal(mlsched_format_at(SIZE_MAX, &format), -EINVAL);
}

static void check_written(const struct mlsched_model *model, const char *path, const char *format)
{
	struct mlsched_model *again;

	assert_int_equal(mlsched_model_load(path, NULL, &again), 0);
	assert_string_equal(mlsched_model_meta(again)->format, format);
	assert_string_equal(mlsched_model_meta(again)->schema, "seed10");
	assert_true(mlsched_model_meta(again)->threshold == 0.25f);
	assert_int_equal(mlsched_model_checksum(again), mlsched_model_checksum(model));
	mlsched_model_free(again);
}

static void whatever_can_be_written_is_read_back_with_the_same_weights(void **state)
{
	struct mlsched_model *model = network(12);
	struct mlsched_format format, taken;
	char name[64];

	(void)state;
	for (size_t i = 0; mlsched_format_at(i, &format) == 0; i++) {
		struct mlsched_write_opts opts = { .size = sizeof(opts), .format = format.name };

		if (!format.can_write)
			continue;
		snprintf(name, sizeof(name), "by-suffix%s", format.suffix);
		memset(&taken, 0, sizeof(taken));
		assert_int_equal(mlsched_model_write(model, path_of(name), NULL, &taken, NULL), 0);
		assert_string_equal(taken.name, format.name);
		check_written(model, path_of(name), format.name);
		snprintf(name, sizeof(name), "by-name-%s", format.name);
		assert_int_equal(mlsched_model_write(model, path_of(name), &opts, NULL, NULL), 0);
		check_written(model, path_of(name), format.name);
	}
	mlsched_model_free(model);
}

static void the_form_of_a_savedmodel_is_that_asked_for(void **state)
{
	struct mlsched_write_opts opts = { .size = sizeof(opts),
					   .form = MLSCHED_SAVEDMODEL_FROZEN };
	struct mlsched_model *model = network(12);

	(void)state;
	assert_int_equal(mlsched_model_write(model, path_of("form"), &opts, NULL, NULL), 0);
	check_written(model, path_of("form"), "savedmodel");
	assert_int_equal(access(path_of("form/variables"), F_OK), -1);
	opts.form = MLSCHED_SAVEDMODEL_VARIABLES;
	assert_int_equal(mlsched_model_write(model, path_of("form"), &opts, NULL, NULL), 0);
	check_written(model, path_of("form"), "savedmodel");
	assert_int_equal(access(path_of("form/variables"), F_OK), 0);
	mlsched_model_free(model);
}

static void refuse(const struct mlsched_model *model, const char *name,
		   const struct mlsched_write_opts *opts, int code, const char *expected)
{
	struct mlsched_error err = { 0 };
	struct stat st;

	assert_int_equal(mlsched_model_write(model, path_of(name), opts, NULL, &err), code);
	assert_int_equal(err.code, code);
	if (!strstr(err.message, expected))
		fail_msg("expected \"%s\" in \"%s\"", expected, err.message);
	assert_int_equal(mlsched_model_write(model, path_of(name), opts, NULL, NULL), code);
	assert_int_equal(lstat(path_of(name), &st), -1);
}

static void what_cannot_be_written_so_is_refused_and_leaves_nothing(void **state)
{
	struct mlsched_write_opts opts = { .size = sizeof(opts), .format = "pickle" };
	struct mlsched_model *model = network(12);
	struct mlsched_format format;
	char name[64];

	(void)state;
	refuse(model, "none", &opts, -EINVAL, "expected one of savedmodel, ");
	refuse(model, "none", &opts, -EINVAL, ", found \"pickle\"");
	opts = (struct mlsched_write_opts){ .size = sizeof(opts) - 1 };
	refuse(model, "none", &opts, -EINVAL, "struct mlsched_write_opts: expected ");
	opts = (struct mlsched_write_opts){ .size = sizeof(opts),
					    .form = MLSCHED_SAVEDMODEL_FROZEN };
	refuse(model, "none.onnx", &opts, -EINVAL,
	       "none.onnx: expected a SavedModel for the form frozen, found that it is to be: ");
	for (size_t i = 0; mlsched_format_at(i, &format) == 0; i++) {
		snprintf(name, sizeof(name), "none%s", format.suffix);
		if (!format.can_write)
			refuse(model, name, NULL, -ENOTSUP, "which can only be read");
	}
	mlsched_model_free(model);
}

static void the_kernel_takes_layers_of_128_units_and_says_why_not_more(void **state)
{
	(void)state;
	for (uint32_t width = 1; width <= MLSCHED_MAX_WIDTH; width *= 2) {
		struct mlsched_quantize_opts opts = { .size = sizeof(opts) };
		struct mlsched_model *model = network(width);
		struct mlsched_error err = { 0 };
		struct mlsched_qmodel *q;

		assert_int_equal(mlsched_quantize(model, NULL, 0, &opts, NULL, &err, &q), 0);
		assert_int_equal(mlsched_qmodel_fits_kernel(q, &err), width <= 128 ? 0 : -ENOTSUP);
		assert_int_equal(mlsched_qmodel_fits_kernel(q, NULL), width <= 128 ? 0 : -ENOTSUP);
		assert_true((err.message[0] != 0) == (width > 128));
		mlsched_qmodel_free(q);
		mlsched_model_free(model);
	}
}

static void other_metadata_is_of_another_model_with_the_same_weights(void **state)
{
	static const float low[10] = { -1 }, high[10] = { 1 };
	struct mlsched_model *model = network(12), *changed, *none = NULL;
	struct mlsched_meta meta = *mlsched_model_meta(model);
	struct mlsched_error err = { 0 };
	const float row[10] = { 1, 2, 3 };
	float a, b;

	(void)state;
	meta.threshold = 0.75f;
	meta.provenance = "{}";
	meta.n_calibration = 10;
	meta.input_min = low;
	meta.input_max = high;
	meta.schema[0] = '\0';
	assert_int_equal(mlsched_model_with_meta(model, &meta, NULL, &changed), 0);
	assert_true(mlsched_model_meta(model)->threshold == 0.25f);
	assert_string_equal(mlsched_model_meta(model)->schema, "seed10");
	assert_int_equal(mlsched_model_meta(model)->n_calibration, 0);
	assert_true(mlsched_model_meta(changed)->threshold == 0.75f);
	assert_string_equal(mlsched_model_meta(changed)->schema, "");
	assert_string_equal(mlsched_model_meta(changed)->provenance, "{}");
	assert_true(mlsched_model_meta(changed)->input_min != low);
	assert_memory_equal(mlsched_model_meta(changed)->input_max, high, sizeof(high));
	assert_int_equal(mlsched_model_checksum(changed), mlsched_model_checksum(model));
	mlsched_model_predict(model, row, 1, &a);
	mlsched_model_free(model);
	mlsched_model_predict(changed, row, 1, &b);
	assert_memory_equal(&a, &b, sizeof(a));

	strcpy(meta.schema, "mig15");
	assert_int_equal(mlsched_model_with_meta(changed, &meta, &err, &none), -EINVAL);
	assert_string_equal(err.message, "Expected shape [?, 15], got [?, 10]: the model's inputs "
					 "are not those of schema mig15");
	strcpy(meta.schema, "from-elsewhere");
	meta.threshold = 1;
	assert_int_equal(mlsched_model_with_meta(changed, &meta, &err, &none), -EINVAL);
	assert_non_null(strstr(err.message, "threshold"));
	assert_null(none);
	mlsched_model_free(changed);
}

static int make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", directory);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_format_is_listed_once_and_the_list_ends),
		cmocka_unit_test(whatever_can_be_written_is_read_back_with_the_same_weights),
		cmocka_unit_test(the_form_of_a_savedmodel_is_that_asked_for),
		cmocka_unit_test(what_cannot_be_written_so_is_refused_and_leaves_nothing),
		cmocka_unit_test(other_metadata_is_of_another_model_with_the_same_weights),
		cmocka_unit_test(the_kernel_takes_layers_of_128_units_and_says_why_not_more),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
