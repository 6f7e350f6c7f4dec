// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched train --from FILE.db --init MODEL, in worlds where it is known what each answer
 * is worth: a refinement that pays is written, one that does not pay is not, and where
 * nobody explored nothing is said.
 */
#include <errno.h>
#include <math.h>
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

#include "src/cli/train_options.h"
#include "src/data/recording.h"
#include "src/util/random.h"

#define MS 1000000ull

#define ROWS     40000
#define EPSILON  0.2f
#define BOUNDARY 0.7f /* the first model migrates above it */

static char directory[] = "/tmp/mlsched-refine-XXXXXX";
static char recording[64], before[64], after[64], output[64];

static int make_directory(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(recording, sizeof(recording), "%s/r.db", directory);
	snprintf(before, sizeof(before), "%s/before", directory);
	snprintf(after, sizeof(after), "%s/after", directory);
	snprintf(output, sizeof(output), "%s/output", directory);
	return 0;
}

static int clean_up(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s/*", directory);
	return system(command) ? -1 : 0;
}

static int remove_directory(void **state)
{
	return clean_up(state) || rmdir(directory) ? -1 : 0;
}

/* One input counts, the load of the source's domain: migrate above BOUNDARY. */
static void make_model(const char *schema, uint32_t n_inputs)
{
	float first[2 * MLSCHED_MAX_WIDTH] = { 0 }, min[MLSCHED_MAX_WIDTH] = { 0 },
			max[MLSCHED_MAX_WIDTH];
	const float bias[2] = { 0, 0 }, second[2] = { 8, 0.1f }, last = -8 * BOUNDARY;
	const struct mlsched_layer layers[] = {
		{ n_inputs, 2, MLSCHED_RELU, 0, first, bias },
		{ 2, 1, MLSCHED_SIGMOID, 0, second, &last },
	};
	struct mlsched_meta meta = { .threshold = 0.5f,
				     .n_calibration = n_inputs,
				     .input_min = min,
				     .input_max = max,
				     .provenance = "{\"from\":\"by hand\"}" };
	struct mlsched_model_desc desc = {
		.size = sizeof(desc), .n_layers = 2, .layers = layers, .meta = &meta
	};
	struct mlsched_error err = { 0 };
	struct mlsched_model *model;

	for (uint32_t i = 0; i < n_inputs; i++)
		max[i] = 0.5f;
	first[3 * 2] = 1;
	snprintf(meta.schema, sizeof(meta.schema), "%s", schema);
	if (mlsched_model_create(&desc, &err, &model) != 0 ||
	    mlsched_model_save(model, before, MLSCHED_SAVEDMODEL_VARIABLES, &err) != 0)
		fail_msg("%s", err.message);
	mlsched_model_free(model);
}

static struct mls_recording *begin(void)
{
	struct mls_recording_session session = {
		.source = "scx", .schema = "seed10", .began = 1, .window = 20 * MS
	};
	const struct mls_recording_cpu cpus[2] = { { 0, true, 0, 0, 0, 0 },
						   { 1, true, 1, 0, 0, 0 } };
	struct mlsched_error err = { 0 };
	struct mls_recording *r;

	if (mls_recording_create(recording, false, &err, &r) != 0 ||
	    mls_recording_begin(r, &session, cpus, 2, &err) != 0)
		fail_msg("%s", err.message);
	return r;
}

/*
 * With a load x of the source, a move is worth 1000 x - 300 and staying 100, in us, with
 * noise of up to 500: right is to migrate above 0.4.  From row @turns on it is the other
 * way round.  What is recorded is what the first model says, but for a coin.
 */
static void make_recording(float epsilon, uint32_t turns)
{
	struct mls_recording *r = begin();
	struct mls_random random;

	mls_random_seed(&random, 1, 0);
	for (uint32_t i = 0; i < ROWS; i++) {
		float x = mls_random_unit(&random);
		bool own = x > BOUNDARY, explores = mls_random_unit(&random) < epsilon;
		bool moves = explores ? mls_random_below(&random, 2) : own;
		double noise = 1000 * ((double)mls_random_unit(&random) - 0.5);
		double worth = (moves != (i >= turns) ? 1000 * (double)x - 300 : 100) + noise;
		struct mls_recorded d = {
			.time = MS * (i + 1),
			.pid = 1,
			.kind = MLS_RECORDED_STEAL,
			.decider = explores ? MLS_RECORDED_BY_EXPLORATION : MLS_RECORDED_BY_MODEL,
			.result = moves ? MLS_RECORDED_MOVED : MLS_RECORDED_REFUSED,
			.verdict = own,
			.accepted = moves,
			.followed = true,
			.ran = true,
			.ran_there = moves,
			.dst = 1,
			.logit = NAN,
			.propensity = moves == own ? 1 - epsilon / 2 : epsilon / 2,
			.observed = 20 * MS,
			/* A move costs 500 us there, and nobody runs for less than nothing. */
			.run_time = (uint64_t)(1e3 * (5000 + worth + (moves ? 500 : 0))),
			.n_features = 10,
			.features = { [3] = x },
		};
		struct mlsched_error err = { 0 };

		snprintf(d.comm, sizeof(d.comm), "program-%u", i % 40);
		if (mls_recording_add(r, &d, d.time, &err) != 0)
			fail_msg("%s", err.message);
	}
	assert_int_equal(mls_recording_end(r, 1, NULL), 0);
	mls_recording_close(r);
}

/* The exit status; all that it prints is in @text. */
static int refine(char *text, size_t size, const char *more, const char *value)
{
	char *argv[] = { (char *)"mlsched train",
			 (char *)"--from",
			 recording,
			 (char *)"--init",
			 before,
			 (char *)"-o",
			 after,
			 (char *)"--seed",
			 (char *)"1",
			 (char *)more,
			 (char *)value,
			 NULL };
	int argc = 9 + (more != NULL) + (value != NULL), status;
	FILE *printed;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child == 0) {
		if (!freopen(output, "w", stdout) || dup2(fileno(stdout), STDERR_FILENO) < 0)
			_exit(99);
		status = cli_train(argc, argv);
		fflush(NULL);
		_exit(status);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	printed = fopen(output, "r");
	assert_non_null(printed);
	text[fread(text, 1, size - 1, printed)] = '\0';
	fclose(printed);
	return WEXITSTATUS(status);
}

/* Share of situations in which a model says what is right in the world. */
static double right(const char *path)
{
	struct mlsched_error err = { 0 };
	struct mlsched_model *model;
	uint32_t n = 0;

	if (mlsched_model_load(path, &err, &model) != 0)
		fail_msg("%s", err.message);
	for (uint32_t i = 0; i < 1000; i++) {
		float x = ((float)i + 0.5f) / 1000, row[10] = { [3] = x };
		struct mlsched_verdict verdict;

		assert_int_equal(mlsched_decide_features(model, row, 1, 10, &verdict, &err), 0);
		n += verdict.migrate == (x > 0.4f);
	}
	mlsched_model_free(model);
	return n / 1000.0;
}

static void what_pays_is_learned_and_written(void **state)
{
	struct mlsched_error err = { 0 };
	const struct mlsched_meta *meta;
	struct mlsched_model *model;
	char text[4096];
	int status;

	(void)state;
	make_model("seed10", 10);
	make_recording(EPSILON, ROWS);
	assert_true(fabs(right(before) - 0.7) < 0.01);
	status = refine(text, sizeof(text), "--rate", "0.01");
	print_message("# %s", text);
	assert_int_equal(status, 0);
	assert_true(right(after) > 0.92);
	assert_int_equal(mlsched_model_load(after, &err, &model), 0);
	meta = mlsched_model_meta(model);
	assert_string_equal(meta->schema, "seed10");
	/* The range of both, and where it comes from. */
	assert_true(meta->input_max[3] > 0.99f && meta->input_max[4] == 0.5f);
	assert_non_null(strstr(meta->provenance, "\"init\":{\"from\":\"by hand\"}"));
	assert_non_null(strstr(meta->provenance, "\"lead\":{"));
	mlsched_model_free(model);
}

/* What was right when it learned is wrong afterwards. */
static void what_does_not_pay_is_not_written(void **state)
{
	char text[4096];
	int status;

	(void)state;
	make_model("seed10", 10);
	make_recording(EPSILON, ROWS * 4 / 5);
	status = refine(text, sizeof(text), "--rate", "0.01");
	print_message("# %s", text);
	assert_int_equal(status, CLI_WORSE);
	assert_non_null(
		strstr(text, "not written: that the refined model is not worse is not sure: "));
	assert_int_equal(access(after, F_OK), -1);
	/* Who does not mind how much worse it is gets it. */
	assert_int_equal(refine(text, sizeof(text), "--rate=0.01", "--margin=1000"), 0);
	assert_int_equal(access(after, F_OK), 0);
}

static void the_same_recording_gives_the_same_model(void **state)
{
	char text[4096], command[256];

	(void)state;
	make_model("seed10", 10);
	make_recording(EPSILON, ROWS);
	assert_int_equal(refine(text, sizeof(text), "--threads", "3"), 0);
	snprintf(command, sizeof(command), "mv %s %s/first", after, directory);
	assert_int_equal(system(command), 0);
	assert_int_equal(refine(text, sizeof(text), "--threads", "1"), 0);
	snprintf(command, sizeof(command), "diff -r %s %s/first", after, directory);
	assert_int_equal(system(command), 0);
}

static void without_exploration_nothing_is_estimated(void **state)
{
	char text[4096];

	(void)state;
	make_model("seed10", 10);
	make_recording(0, ROWS);
	assert_int_equal(refine(text, sizeof(text), "--rate", "0.01"), CLI_NO_ESTIMATE);
	assert_non_null(strstr(text, "cannot be estimated"));
	assert_non_null(strstr(text, "record with --explore"));
	assert_int_equal(access(after, F_OK), -1);
}

static void a_recording_that_is_too_short_is_not_judged_by(void **state)
{
	char text[4096];

	(void)state;
	make_model("seed10", 10);
	make_recording(EPSILON, ROWS);
	/* 2 s of 40 */
	assert_int_equal(refine(text, sizeof(text), "--time-share=0.05", "--program-share=0"),
			 CLI_NO_ESTIMATE);
	assert_non_null(strstr(text, "record for longer, or hold out more"));
	assert_int_equal(access(after, F_OK), -1);
}

static void another_schema_is_refused(void **state)
{
	char text[4096];

	(void)state;
	make_model("mig15", 15);
	make_recording(EPSILON, ROWS / 40);
	assert_int_equal(refine(text, sizeof(text), NULL, NULL), 1);
	assert_non_null(strstr(text, "expected decisions of schema mig15 as of "));
	assert_non_null(strstr(text, ", found seed10"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(what_pays_is_learned_and_written, clean_up),
		cmocka_unit_test_teardown(what_does_not_pay_is_not_written, clean_up),
		cmocka_unit_test_teardown(the_same_recording_gives_the_same_model, clean_up),
		cmocka_unit_test_teardown(without_exploration_nothing_is_estimated, clean_up),
		cmocka_unit_test_teardown(a_recording_that_is_too_short_is_not_judged_by, clean_up),
		cmocka_unit_test_teardown(another_schema_is_refused, clean_up),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
