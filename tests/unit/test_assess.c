// SPDX-License-Identifier: GPL-2.0
/* mlsched assess: what it counts, and which sentence it ends with, on recordings made for it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "src/cli/cli.h"
#include "src/data/recording.h"
#include "src/util/array.h"
#include "tests/lib/files.h"

#define MS     1000000ull
#define S      (1000 * MS)
#define BEGAN  (5 * S)
#define LASTED 10 /* seconds of each recording */

static char directory[] = "/tmp/mlsched-assess-XXXXXX";
static char path[64], output[64];
static struct mls_recording *recording;

static int make_directory(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/own.db", directory);
	snprintf(output, sizeof(output), "%s/output", directory);
	return 0;
}

static int remove_files(void **state)
{
	char other[80];

	(void)state;
	mls_recording_close(recording);
	recording = NULL;
	for (int i = 0; i < 3; i++) {
		snprintf(other, sizeof(other), "%s%s", path,
			 (const char *[]){ "", "-wal", "-shm" }[i]);
		unlink(other);
	}
	unlink(output);
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	return rmdir(directory);
}

/* ---- recordings ------------------------------------------------------------------------- */

/* Sixteen CPUs: cores of two, caches of four, nodes of eight. */
static void begin_session(const char *source, bool append)
{
	struct mls_recording_session session = {
		.schema = "seed10",
		.kernel = "6.18",
		.machine = "x86_64",
		.domains = "caches",
		.began = BEGAN,
		.window = 100 * MS,
	};
	struct mls_recording_cpu cpus[16];
	struct mlsched_error err = { 0 };

	snprintf(session.source, sizeof(session.source), "%s", source);
	for (uint16_t i = 0; i < 16; i++)
		cpus[i] = (struct mls_recording_cpu){ i,         true,      i / 2 * 2,
						      i / 4 * 4, i / 8 * 8, i / 4 };
	if (mls_recording_create(path, append, &err, &recording) != 0 ||
	    mls_recording_begin(recording, &session, cpus, 16, &err) != 0)
		fail_msg("%s", err.message);
}

static void begin(const char *source)
{
	begin_session(source, false);
}

/* A move of CPU 0's while half of sixteen CPUs' time was busy; after it the task ran for @run_time. */
static struct mls_recorded move(uint16_t dst, uint64_t run_time)
{
	return (struct mls_recorded){
		.time = BEGAN + S,
		.pid = 7,
		.tgid = 7,
		.comm = "task",
		.kind = MLS_RECORDED_BALANCE,
		.result = MLS_RECORDED_MOVED,
		.verdict = -1,
		.accepted = true,
		.followed = true,
		.ran = true,
		.ran_there = true,
		.dst = dst,
		.logit = NAN,
		.propensity = 1,
		.observed = 100 * MS,
		.wait = 2 * MS,
		.run_time = run_time,
		.n_features = 10,
		.features = { 0, 6, 10, 0.25f, 0.75f },
	};
}

static void add(struct mls_recorded row)
{
	struct mlsched_error err = { 0 };

	if (mls_recording_add(recording, &row, row.time, &err) != 0)
		fail_msg("%s", err.message);
}

static void end(void)
{
	struct mlsched_error err = { 0 };

	if (mls_recording_end(recording, BEGAN + LASTED * S, &err) != 0)
		fail_msg("%s", err.message);
	mls_recording_close(recording);
	recording = NULL;
}

/* What it prints, to be freed; @status: that it returns. */
static char *assess(char *option, int *status)
{
	char *argv[] = { "mlsched assess", path, option, NULL };
	int kept = dup(STDOUT_FILENO);
	uint8_t *text;
	char *copy;
	size_t size;

	assert_true(kept >= 0);
	fflush(stdout);
	assert_non_null(freopen(output, "w", stdout));
	*status = cli_assess(option ? 3 : 2, argv);
	fflush(stdout);
	assert_true(dup2(kept, STDOUT_FILENO) >= 0);
	close(kept);
	text = test_read_whole(output, &size);
	assert_non_null(text);
	copy = strndup((char *)text, size);
	free(text);
	assert_non_null(copy);
	return copy;
}

static json_t *assess_json(int expected)
{
	int status;
	char *text = assess("--json", &status);
	json_t *said = json_loads(text, 0, NULL);

	assert_int_equal(status, expected);
	assert_non_null(said);
	free(text);
	return said;
}

static void says(const char *sentence)
{
	json_t *said = assess_json(CLI_OK);
	const char *verdict = json_string_value(json_object_get(said, "verdict"));
	int status;
	char *text = assess(NULL, &status), *last;

	assert_non_null(verdict);
	if (strncmp(verdict, sentence, strlen(sentence)) != 0)
		fail_msg("expected \"%s...\", found \"%s\"", sentence, verdict);
	/* The text ends with the same. */
	assert_int_equal(status, CLI_OK);
	assert_true(strlen(text) > strlen(verdict) + 2);
	last = text + strlen(text) - strlen(verdict) - 2;
	assert_true(last[0] == '\n' && last[strlen(verdict) + 1] == '\n');
	assert_memory_equal(last + 1, verdict, strlen(verdict));
	free(text);
	json_decref(said);
}

/* ---- the sentence ------------------------------------------------------------------------- */

#define NOTHING_MOVED "Nothing moved: there is nothing to win here."
#define NOTHING       "There is nothing to win here in time"
#define LITTLE        "There is little to win here"
#define SOMETHING     "There may be something to win here"
#define UNKNOWN       "What there is to win is not known"

static void on_a_quiet_machine_there_is_nothing_to_win(void **state)
{
	struct mls_recorded row = move(1, 50 * MS);

	(void)state;
	begin("shadow");
	end();
	says(NOTHING_MOVED);
	remove_files(NULL);

	/* What nobody could have refused is nothing either. */
	begin("shadow");
	row.flags = MLS_RECORDED_FORCED;
	add(row);
	row.flags = MLS_RECORDED_KTHREAD;
	add(row);
	row.flags = 0;
	row.kind = MLS_RECORDED_FORK;
	add(row);
	row.kind = MLS_RECORDED_EXEC;
	add(row);
	end();
	says(NOTHING_MOVED);
	remove_files(NULL);

	/* One move in ten seconds. */
	begin("shadow");
	add(move(8, 50 * MS));
	end();
	says(NOTHING);
}

/*
 * The share of the busy time: half of sixteen CPUs for one second.  Each move costs as much as
 * the task ran, 100 us: of 8 s, 400 are half a percent and 2400 are three.
 */
static void the_sentence_goes_by_what_moves_cost_of_the_busy_time(void **state)
{
	static const struct {
		uint32_t moves;
		const char *sentence;
	} cases[] = { { 1, NOTHING },   { 399, NOTHING },    { 400, LITTLE },
		      { 2399, LITTLE }, { 2400, SOMETHING }, { 5000, SOMETHING } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct mls_recorded row = move(8, 100000), before = move(8, 0);

		before.time -= S;
		begin("shadow");
		add(before);
		for (uint32_t k = 0; k < cases[i].moves; k++)
			add(row);
		end();
		says(cases[i].sentence);
		remove_files(NULL);
	}
}

/* Moves of one moment, or inputs without loads: a share of an unknown time is not "nothing". */
static void what_cannot_be_known_is_said_to_be_unknown(void **state)
{
	(void)state;
	for (uint32_t enough = 0; enough < 2; enough++) {
		int status;
		char *text;
		json_t *said;

		begin("shadow");
		/* Half a percent of one CPU's ten seconds, but for one move. */
		for (uint32_t k = enough ? 0 : 1; k < 500; k++)
			add(move(8, 100000));
		end();
		says(enough ? UNKNOWN : NOTHING);
		said = assess_json(CLI_OK);
		text = assess(NULL, &status);
		assert_null(strstr(text, "of the busy time"));
		assert_null(strstr(text, "of them busy"));
		assert_true(json_is_null(json_object_get(said, "busy_cpus")));
		assert_true(json_is_null(json_object_get(
			json_array_get(json_object_get(said, "refill"), 0), "percent_of_busy")));
		free(text);
		json_decref(said);
		remove_files(NULL);
	}
}

/* ---- what is counted ------------------------------------------------------------------------ */

static void is_near(const json_t *found, double expected)
{
	if (fabs(json_number_value(found) - expected) > 1e-6)
		fail_msg("expected %.9g, found %.9g", expected, json_number_value(found));
}

static void moves_are_counted_by_distance_and_charged_by_size(void **state)
{
	/*
	 * ms for 64, 256, 1024 and 4096 KiB: to a cache of the same node 0.5 us a KiB, to another
	 * node 0.8, within a cache 0.2 for up to 1 MiB, within a core nothing; and none of
	 * them more than its task ran.
	 */
	static const double expected[] = { 0.032 + 0.0512 + 0.0512 + 0.0128,
					   0.128 + 0.2048 + 0.1 + 0.0512,
					   0.512 + 0.8192 + 0.1 + 0.2048,
					   2.048 + 3.2768 + 0.1 + 0.2048 };
	struct mls_recorded row;
	json_t *said, *moves, *refill;

	(void)state;
	begin("shadow");
	row = move(1, 50 * MS);
	row.time -= S;
	row.wait = 9 * MS;
	row.ran = false; /* how long it would have waited nobody knows */
	add(row);
	add(move(2, 50 * MS));
	row = move(4, 50 * MS);
	row.back = MS;
	add(row);
	add(move(8, 50 * MS));
	row = move(9, 100000);
	row.wait = 4 * MS;
	add(row);
	row = move(10, 50 * MS);
	row.followed = false; /* nor what became of this one */
	add(row);
	row = move(11, 50 * MS);
	row.kind = MLS_RECORDED_FORK;
	add(row);
	end();
	said = assess_json(CLI_OK);
	moves = json_object_get(said, "moves");
	for (uint32_t i = 0; i < MLS_RECORDED_LOCALITIES; i++)
		is_near(json_object_get(moves, mls_recorded_locality_name(i)),
			i == MLS_RECORDED_FAR ? 3 : 1);
	is_near(json_object_get(said, "others"), 1);
	is_near(json_object_get(said, "moved_back"), 1);
	is_near(json_object_get(said, "seconds"), LASTED);
	is_near(json_object_get(said, "cpus"), 16);
	is_near(json_object_get(said, "busy_cpus"), 8.0 / LASTED); /* for one of ten seconds */
	assert_in_range((uint64_t)(1e6 * json_number_value(json_object_get(said, "wait_p50_ms"))),
			19 * MS / 10, 21 * MS / 10);
	assert_in_range((uint64_t)(1e6 * json_number_value(json_object_get(said, "wait_p99_ms"))),
			38 * MS / 10, 42 * MS / 10);
	refill = json_object_get(said, "refill");
	assert_int_equal(json_array_size(refill), ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		is_near(json_object_get(json_array_get(refill, i), "ms"), expected[i]);
		is_near(json_object_get(json_array_get(refill, i), "percent_of_busy"),
			expected[i] / 8000 * 100);
	}
	json_decref(said);
}

/* What was recorded until somebody was killed has no length, and is left out with its moves. */
static void sessions_without_an_end_are_passed_over(void **state)
{
	json_t *said;

	(void)state;
	begin("shadow");
	add(move(8, 50 * MS));
	end();
	begin_session("shadow", true);
	for (uint32_t i = 0; i < 9; i++)
		add(move(8, 50 * MS));
	/* Written, and not ended. */
	assert_int_equal(mls_recording_tick(recording, BEGAN + 2 * S, NULL), 0);
	mls_recording_close(recording);
	begin_session("shadow", true);
	add(move(8, 50 * MS));
	end();
	said = assess_json(CLI_OK);
	is_near(json_object_get(json_object_get(said, "moves"), "far"), 2);
	is_near(json_object_get(said, "seconds"), 2 * LASTED);
	json_decref(said);
}

static void count(uint64_t time, const char *name, uint64_t value)
{
	struct mlsched_error err = { 0 };

	if (mls_recording_counter(recording, time, name, value, &err) != 0)
		fail_msg("%s", err.message);
}

/* What was killed counted every second: so long it was. */
static void a_session_that_was_killed_ends_where_it_counted_last(void **state)
{
	json_t *said;

	(void)state;
	begin("shadow");
	for (uint32_t i = 0; i < 9; i++)
		add(move(8, 50 * MS));
	count(BEGAN + 2 * S, "kernel.taken", 5);
	count(BEGAN + 4 * S, "kernel.taken", 9);
	assert_int_equal(mls_recording_tick(recording, BEGAN + 5 * S, NULL), 0);
	mls_recording_close(recording);
	recording = NULL;
	said = assess_json(CLI_OK);
	is_near(json_object_get(json_object_get(said, "moves"), "far"), 9);
	is_near(json_object_get(said, "seconds"), 4);
	json_decref(said);
}

/* By the kernel's own counters: what each said last, of the sessions that have them. */
static void waits_of_all_threads_are_said_where_the_kernel_counts_them(void **state)
{
	struct mls_recorded row = move(8, 50 * MS);
	json_t *said;
	char *text;
	int status;

	(void)state;
	begin("shadow");
	add(move(8, 50 * MS));
	end();
	said = assess_json(CLI_OK);
	assert_true(json_is_null(json_object_get(said, "some_waited_percent")));
	assert_true(json_is_null(json_object_get(said, "turn_wait_ms")));
	json_decref(said);

	begin_session("shadow", true);
	add(row);
	row.time += 8 * S;
	add(row);
	count(BEGAN + S, MLS_COUNTER_SOME_WAITED, S / 2);
	count(BEGAN + 9 * S, MLS_COUNTER_SOME_WAITED, 4 * S);
	count(BEGAN + 9 * S, MLS_COUNTER_TURNS, 2000);
	count(BEGAN + 9 * S, MLS_COUNTER_WAITED, 3 * S);
	end();
	said = assess_json(CLI_OK);
	is_near(json_object_get(said, "some_waited_percent"), 40);
	is_near(json_object_get(said, "turn_wait_ms"), 1.5);
	json_decref(said);
	/* Half of sixteen CPUs are busy for 8 of 20 seconds: no refill tells of the others. */
	text = assess(NULL, &status);
	assert_non_null(strstr(text, "waits of all threads: mean 1.500 ms, 200 turns a second"));
	assert_non_null(strstr(
		text, "some thread waited for a CPU in 40.0 % of the time, while 12.8 CPUs were "
		      "idle in the mean"));
	free(text);
}

/* ---- what it refuses -------------------------------------------------------------------------- */

static void recordings_that_say_nothing_of_the_kernel_are_refused(void **state)
{
	json_t *said;

	(void)state;
	begin("scx");
	end();
	said = assess_json(CLI_FAILURE);
	assert_non_null(strstr(json_string_value(json_object_get(said, "error")),
			       "session 1 is of scx: expected one of the kernel's own scheduler"));
	json_decref(said);
	remove_files(NULL);

	/* Whoever recorded it was killed. */
	begin("shadow");
	mls_recording_close(recording);
	recording = NULL;
	said = assess_json(CLI_FAILURE);
	assert_non_null(strstr(json_string_value(json_object_get(said, "error")),
			       "no session has an end or counted anything"));
	json_decref(said);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(on_a_quiet_machine_there_is_nothing_to_win, remove_files),
		cmocka_unit_test_teardown(the_sentence_goes_by_what_moves_cost_of_the_busy_time,
					  remove_files),
		cmocka_unit_test_teardown(what_cannot_be_known_is_said_to_be_unknown, remove_files),
		cmocka_unit_test_teardown(moves_are_counted_by_distance_and_charged_by_size,
					  remove_files),
		cmocka_unit_test_teardown(sessions_without_an_end_are_passed_over, remove_files),
		cmocka_unit_test_teardown(a_session_that_was_killed_ends_where_it_counted_last,
					  remove_files),
		cmocka_unit_test_teardown(
			waits_of_all_threads_are_said_where_the_kernel_counts_them, remove_files),
		cmocka_unit_test_teardown(recordings_that_say_nothing_of_the_kernel_are_refused,
					  remove_files),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
