// SPDX-License-Identifier: GPL-2.0
/*
 * What mlsched writes: the same bytes as the hand-made SavedModel that every
 * TensorFlow from 2.12 to 2.21 loads, and everything that a model can hold
 * survives being written and read.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <mlsched/mlsched.h>

#include "tests/lib/files.h"
#include "tests/lib/models.h"

#define FIXTURE "tests/golden/savedmodel/models/hand-variables-savedmodel/model"

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
	/* In memory where that is possible: the disk is asked to keep its promise thousands of times. */
	snprintf(scratch, sizeof(scratch), "%s/mlsched-write-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(scratch));
	snprintf(target, sizeof(target), "%s/model", scratch);
	return 0;
}

static int remove_scratch(void **state)
{
	(void)state;
	remove_all(scratch);
	return 0;
}

static struct mlsched_model *load(const char *path)
{
	struct mlsched_model *model;
	struct mlsched_error err;

	if (mlsched_model_load(path, &err, &model) != 0)
		fail_msg("%s", err.message);
	return model;
}

static void save(const struct mlsched_model *model, enum mlsched_savedmodel_form form)
{
	struct mlsched_error err;

	if (mlsched_model_save(model, target, form, &err) != 0)
		fail_msg("%s", err.message);
}

static size_t read_file(const char *directory, const char *name, char *to, size_t size)
{
	char path[512];
	size_t n;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "rb");
	assert_non_null(file);
	n = fread(to, 1, size, file);
	fclose(file);
	assert_true(n < size);
	return n;
}

static void compare_file(const char *name)
{
	static char expected[1 << 16], found[1 << 16];
	size_t n = read_file(FIXTURE, name, expected, sizeof(expected));

	assert_int_equal(read_file(target, name, found, sizeof(found)), n);
	assert_memory_equal(expected, found, n);
}

static void writer_gives_the_bytes_that_tensorflow_writes(void **state)
{
	struct mlsched_model *model = load(FIXTURE);

	(void)state;
	save(model, MLSCHED_SAVEDMODEL_VARIABLES);
	compare_file("variables/variables.index");
	compare_file("variables/variables.data-00000-of-00001");
	/* Made by hand from the recipe, loaded by TensorFlow 2.12 to 2.21. */
	compare_file("saved_model.pb");
	mlsched_model_free(model);
}

/* A network with everything in it; @activation is that of every layer but the last. */
static struct mlsched_model *make_model(enum mlsched_activation activation,
					enum mlsched_activation last, uint32_t n_layers)
{
	static float weights[MLSCHED_MAX_LAYERS][7 * 7], bias[MLSCHED_MAX_LAYERS][7];
	const float mean[7] = { 1, -2, 3, 0.5f, 0, 100, 1e-3f };
	const float deviation[7] = { 1, 2, 0.25f, 3, 1e-2f, 50, 7 };
	const float low[7] = { -1, -2, -3, 0, 0, 0.1f, 1e-7f },
		    high[7] = { 1, 2, 3, 4, 5, 6, 1e7f };
	struct mlsched_layer layers[MLSCHED_MAX_LAYERS];
	struct mlsched_meta meta = {
		.schema = "of a later day",
		.threshold = 0.3f,
		.tuned = true,
		.mechanisms = "fork-in-place,ask-again",
		.offers_us = { 0, 100.5, 1e6 },
		.n_calibration = 7,
		.input_min = low,
		.input_max = high,
		.provenance = "{\"data\":\"x\",\"seed\":7,\"note\":\"\303\244\"}",
	};
	struct mlsched_model_desc desc = {
		.size = sizeof(desc),
		.n_layers = n_layers,
		.layers = layers,
		.mean = mean,
		.deviation = deviation,
		.meta = &meta,
	};
	struct mlsched_model *model;

	for (uint32_t l = 0; l < n_layers; l++) {
		for (int i = 0; i < 7 * 7; i++)
			weights[l][i] = (float)((i * 37 + (int)l * 11) % 41 - 20) / 16;
		for (int i = 0; i < 7; i++)
			bias[l][i] = (float)((i * 13 + (int)l) % 17 - 8) / 8;
		layers[l] = (struct mlsched_layer){
			.n_in = 7,
			.n_out = 7,
			.activation = activation,
			.alpha = activation == MLSCHED_LEAKY_RELU ? 0.125f :
				 activation == MLSCHED_ELU        ? 1 :
								    0,
			.weights = weights[l],
			.bias = l % 2 ? NULL : bias[l],
		};
	}
	layers[n_layers - 1].n_out = last == MLSCHED_SOFTMAX ? 2 : 1;
	layers[n_layers - 1].activation = last;
	layers[n_layers - 1].alpha = 0;
	assert_int_equal(mlsched_model_create(&desc, NULL, &model), 0);
	return model;
}

/* The checksum covers shapes, activations, weights and normalisation, bit by bit. */
static void assert_same(const struct mlsched_model *a, const struct mlsched_model *b)
{
	assert_int_equal(mlsched_model_checksum(a), mlsched_model_checksum(b));
	test_same_model(a, b);
}

static void round_trip(enum mlsched_activation activation, enum mlsched_activation last,
		       uint32_t n_layers, enum mlsched_savedmodel_form form)
{
	struct mlsched_model *model = make_model(activation, last, n_layers), *again;
	struct mlsched_layer layer;

	save(model, form);
	again = load(target);
	assert_same(model, again);
	if (n_layers > 1) {
		assert_int_equal(mlsched_model_layer(again, 1, &layer), 0);
		assert_null(layer.bias);
	}
	mlsched_model_free(model);
	mlsched_model_free(again);
}

static void every_activation_survives_writing_and_reading(void **state)
{
	static const enum mlsched_activation all[] = {
		MLSCHED_LINEAR, MLSCHED_RELU,    MLSCHED_RELU6, MLSCHED_LEAKY_RELU,
		MLSCHED_ELU,    MLSCHED_SIGMOID, MLSCHED_TANH,  MLSCHED_SOFTMAX,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		round_trip(all[i], MLSCHED_SIGMOID, 3, MLSCHED_SAVEDMODEL_VARIABLES);
		round_trip(all[i], MLSCHED_SOFTMAX, 2, MLSCHED_SAVEDMODEL_FROZEN);
		round_trip(all[i], MLSCHED_LINEAR, 1, MLSCHED_SAVEDMODEL_VARIABLES);
	}
}

static void largest_network_survives_writing_and_reading(void **state)
{
	(void)state;
	round_trip(MLSCHED_TANH, MLSCHED_SIGMOID, MLSCHED_MAX_LAYERS, MLSCHED_SAVEDMODEL_VARIABLES);
	round_trip(MLSCHED_TANH, MLSCHED_SIGMOID, MLSCHED_MAX_LAYERS, MLSCHED_SAVEDMODEL_FROZEN);
}

/* Eight of them, with biases and variables, are also the most nodes that a graph of ours has. */
static void elu_with_another_alpha_survives_writing_and_reading(void **state)
{
	static const enum mlsched_savedmodel_form forms[] = { MLSCHED_SAVEDMODEL_VARIABLES,
							      MLSCHED_SAVEDMODEL_FROZEN };
	const float weights[] = { 1, -2, 0.5f, 3 }, bias[] = { 0.25f, -1 };
	const float mean[] = { 1, 2 }, deviation[] = { 3, 4 };
	struct mlsched_layer layers[MLSCHED_MAX_LAYERS];
	struct mlsched_model_desc desc = {
		.size = sizeof(desc),
		.n_layers = MLSCHED_MAX_LAYERS,
		.layers = layers,
		.mean = mean,
		.deviation = deviation,
	};
	struct mlsched_model *model, *again;

	(void)state;
	for (uint32_t i = 0; i < MLSCHED_MAX_LAYERS; i++)
		layers[i] = (struct mlsched_layer){ 2,       2,   MLSCHED_ELU, 0.5f + 0.25f * i,
						    weights, bias };
	assert_int_equal(mlsched_model_create(&desc, NULL, &model), 0);
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		save(model, forms[i]);
		again = load(target);
		assert_int_equal(mlsched_model_checksum(model), mlsched_model_checksum(again));
		mlsched_model_free(again);
	}
	mlsched_model_free(model);
}

static void writer_replaces_only_savedmodels(void **state)
{
	struct mlsched_model *model = make_model(MLSCHED_RELU, MLSCHED_SIGMOID, 2);
	char path[256], expected[MLSCHED_ERROR_SIZE];
	struct mlsched_error err;

	(void)state;
	assert_int_equal(mkdir(target, 0755), 0);
	save(model, MLSCHED_SAVEDMODEL_VARIABLES); /* an empty directory */
	save(model, MLSCHED_SAVEDMODEL_FROZEN); /* a model */
	snprintf(path, sizeof(path), "%s/notes.txt", target);
	close(open(path, O_CREAT | O_WRONLY, 0644));
	assert_int_equal(mlsched_model_save(model, target, MLSCHED_SAVEDMODEL_FROZEN, &err),
			 -EEXIST);
	snprintf(expected, sizeof(expected),
		 "Cannot write model: %s: expected a SavedModel or an empty directory to replace, "
		 "found notes.txt in it",
		 target);
	assert_string_equal(err.message, expected);
	assert_int_equal(mlsched_model_save(model, path, MLSCHED_SAVEDMODEL_FROZEN, &err),
			 -ENOTDIR);
	snprintf(expected, sizeof(expected),
		 "Cannot write model: %s: expected a directory or nothing, found a file", path);
	assert_string_equal(err.message, expected);
	assert_int_equal(test_count_entries(scratch), 1);
	mlsched_model_free(model);
}

static void writer_leaves_alone_directories_that_are_only_named_alike(void **state)
{
	struct mlsched_model *model = make_model(MLSCHED_RELU, MLSCHED_SIGMOID, 2);
	char assets[256], path[300], expected[MLSCHED_ERROR_SIZE];
	struct mlsched_error err;

	(void)state;
	snprintf(assets, sizeof(assets), "%s/assets", target);
	snprintf(path, sizeof(path), "%s/photo.jpg", assets);
	assert_int_equal(mkdir(target, 0755), 0);
	assert_int_equal(mkdir(assets, 0755), 0);
	close(open(path, O_CREAT | O_WRONLY, 0644));
	assert_int_equal(mlsched_model_save(model, target, MLSCHED_SAVEDMODEL_FROZEN, &err),
			 -EEXIST);
	snprintf(expected, sizeof(expected),
		 "Cannot write model: %s: expected a SavedModel or an empty directory to replace, "
		 "found no saved_model.pb in it",
		 target);
	assert_string_equal(err.message, expected);
	assert_int_equal(access(path, F_OK), 0);
	mlsched_model_free(model);
}

static void writer_refuses_provenance_that_no_reader_takes(void **state)
{
	const float weight = 1;
	const struct mlsched_layer layer = { .n_in = 1, .n_out = 1, .weights = &weight };
	const struct mlsched_meta meta = { .threshold = 0.5f, .provenance = "[1]" };
	const struct mlsched_model_desc desc = {
		.size = sizeof(desc), .n_layers = 1, .layers = &layer, .meta = &meta
	};
	struct mlsched_model *model;
	struct mlsched_error err;

	(void)state;
	assert_int_equal(mlsched_model_create(&desc, &err, &model), 0);
	assert_int_equal(mlsched_model_save(model, target, MLSCHED_SAVEDMODEL_FROZEN, &err),
			 -EINVAL);
	assert_string_equal(err.message, "provenance: expected a JSON object as text, found: [1]");
	assert_int_not_equal(access(target, F_OK), 0);
	mlsched_model_free(model);
}

static void writer_follows_a_symbolic_link(void **state)
{
	struct mlsched_model *model = make_model(MLSCHED_RELU, MLSCHED_SIGMOID, 2);
	char real[256];
	struct stat st;

	(void)state;
	snprintf(real, sizeof(real), "%s/real", scratch);
	assert_int_equal(mkdir(real, 0755), 0);
	assert_int_equal(symlink("real", target), 0);
	save(model, MLSCHED_SAVEDMODEL_VARIABLES);
	assert_int_equal(lstat(target, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	mlsched_model_free(load(real));
	mlsched_model_free(model);
}

/* ---- killed writers ------------------------------------------------------------------ */

static void run_writer(const struct mlsched_model *model)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		_exit(100);
	raise(SIGSTOP);
	_exit(mlsched_model_save(model, target, MLSCHED_SAVEDMODEL_VARIABLES, NULL) ? 101 : 0);
}

/*
 * Runs a writer and kills it at its n-th system call (each counts twice: on
 * the way in and on the way out).  Returns false when it was done before.
 */
static bool kill_writer_at(const struct mlsched_model *model, int n)
{
	int status, stops = 0;
	pid_t child = fork();

	if (child == 0)
		run_writer(model);
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 100)
		skip();
	assert_true(WIFSTOPPED(status));
	ptrace(PTRACE_SETOPTIONS, child, NULL, (void *)PTRACE_O_EXITKILL);
	for (;;) {
		if (stops++ == n) {
			kill(child, SIGKILL);
			assert_int_equal(waitpid(child, &status, 0), child);
			return true;
		}
		assert_int_equal(ptrace(PTRACE_SYSCALL, child, NULL, NULL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		if (WIFEXITED(status)) {
			assert_int_equal(WEXITSTATUS(status), 0);
			return false;
		}
		assert_true(WIFSTOPPED(status));
	}
}

static void killed_writer_leaves_the_old_model_or_the_new_one(void **state)
{
	struct mlsched_model *old = make_model(MLSCHED_RELU, MLSCHED_SIGMOID, 2);
	struct mlsched_model *new = make_model(MLSCHED_TANH, MLSCHED_SIGMOID, 3);
	int n_old = 0, n_new = 0;
	bool killed = true;

	(void)state;
	for (int n = 0; killed; n++) {
		struct mlsched_model *found;

		save(old, MLSCHED_SAVEDMODEL_FROZEN);
		/* What an earlier killed writer left is gone again. */
		assert_int_equal(test_count_entries(scratch), 1);
		killed = kill_writer_at(new, n);
		found = load(target);
		if (mlsched_model_checksum(found) == mlsched_model_checksum(old))
			n_old++;
		else if (mlsched_model_checksum(found) == mlsched_model_checksum(new))
			n_new++;
		else
			fail_msg("killed at stop %d: neither the old model nor the new one", n);
		mlsched_model_free(found);
	}
	/* The writer was killed before and after the moment that counts. */
	assert_true(n_old > 20 && n_new > 5);
	mlsched_model_free(old);
	mlsched_model_free(new);
}

static void killed_writer_of_a_new_model_leaves_all_or_nothing(void **state)
{
	struct mlsched_model *model = make_model(MLSCHED_TANH, MLSCHED_SIGMOID, 3);
	int n_none = 0, n_new = 0;
	bool killed = true;

	(void)state;
	for (int n = 0; killed; n++) {
		remove_all(target);
		killed = kill_writer_at(model, n);
		if (access(target, F_OK) != 0) {
			n_none++;
			continue;
		}
		mlsched_model_free(load(target));
		n_new++;
	}
	assert_true(n_none > 20 && n_new > 1);
	mlsched_model_free(model);
}

static void reader_never_sees_a_mixture_while_models_are_replaced(void **state)
{
	struct mlsched_model *one = make_model(MLSCHED_RELU, MLSCHED_SIGMOID, 2);
	struct mlsched_model *two = make_model(MLSCHED_TANH, MLSCHED_SIGMOID, 3);
	pid_t child;
	int status;

	(void)state;
	save(one, MLSCHED_SAVEDMODEL_VARIABLES);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		for (int i = 0; i < 100; i++) {
			if (mlsched_model_save(i % 2 ? one : two, target,
					       MLSCHED_SAVEDMODEL_VARIABLES, NULL) != 0)
				_exit(1);
		}
		_exit(0);
	}
	while (waitpid(child, &status, WNOHANG) == 0) {
		struct mlsched_model *found = load(target);
		uint32_t checksum = mlsched_model_checksum(found);

		assert_true(checksum == mlsched_model_checksum(one) ||
			    checksum == mlsched_model_checksum(two));
		mlsched_model_free(found);
	}
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	mlsched_model_free(one);
	mlsched_model_free(two);
}

#define in_scratch(test) cmocka_unit_test_setup_teardown(test, make_scratch, remove_scratch)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_scratch(writer_gives_the_bytes_that_tensorflow_writes),
		in_scratch(every_activation_survives_writing_and_reading),
		in_scratch(largest_network_survives_writing_and_reading),
		in_scratch(elu_with_another_alpha_survives_writing_and_reading),
		in_scratch(writer_replaces_only_savedmodels),
		in_scratch(writer_leaves_alone_directories_that_are_only_named_alike),
		in_scratch(writer_refuses_provenance_that_no_reader_takes),
		in_scratch(writer_follows_a_symbolic_link),
		in_scratch(killed_writer_leaves_the_old_model_or_the_new_one),
		in_scratch(killed_writer_of_a_new_model_leaves_all_or_nothing),
		in_scratch(reader_never_sees_a_mixture_while_models_are_replaced),
	};

	return cmocka_run_group_tests_name("savedmodel_write", tests, NULL, NULL);
}
