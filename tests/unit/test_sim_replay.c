// SPDX-License-Identifier: GPL-2.0
/* src/sim/replay.c: recordings as workloads, and files that are none. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "src/sim/contenders.h"
#include "src/sim/record.h"
#include "src/sim/replay.h"

static char path[] = "/tmp/test_sim_replay.XXXXXX.db";
static struct sim_machine machine;
static struct sim_workload original, replayed;
static struct sim_contender mlsched;

static void remove_file(void)
{
	char beside[64];

	unlink(path);
	for (int i = 0; i < 2; i++) {
		snprintf(beside, sizeof(beside), "%s%s", path, i ? "-shm" : "-wal");
		unlink(beside);
	}
}

/* ---- a load that is known --------------------------------------------------------------- */

enum { SPAWNER, CHILD, BATCH, WEB, N_PROGRAMS };

static void add(struct sim_instruction instruction)
{
	original.code[original.n_code++] = instruction;
}

static void program(uint32_t number, const char *name)
{
	original.programs[number] = (struct sim_program){
		.name = name, .code = &original.code[original.n_code], .kib = 64, .weight = 100
	};
}

static void cycle(uint64_t run, uint64_t sleep, enum sim_vary vary)
{
	add((struct sim_instruction){
		.op = SIM_RUN, .vary = (uint8_t)vary, .stream = 1, .stride = 1, .mean = run });
	add((struct sim_instruction){
		.op = SIM_SLEEP, .vary = (uint8_t)vary, .stream = 2, .stride = 1, .mean = sleep });
}

static void loop(uint32_t n)
{
	add((struct sim_instruction){ .op = SIM_LOOP, .to = 0, .count = n });
}

/* More work than four CPUs do: all wait now and then, and moves are offered to all. */
static void make_original(void)
{
	memset(&original, 0, sizeof(original));
	snprintf(original.name, sizeof(original.name), "known");
	program(SPAWNER, "spawner");
	cycle(2 * SIM_MS, 60 * SIM_MS, SIM_AROUND);
	add((struct sim_instruction){ .op = SIM_SPAWN, .to = CHILD, .count = 1 });
	loop(40);
	add((struct sim_instruction){ .op = SIM_WAIT, .count = 1 });
	add((struct sim_instruction){ .op = SIM_EXIT });
	program(CHILD, "child");
	cycle(10 * SIM_MS, 2 * SIM_MS, SIM_AROUND);
	loop(3);
	add((struct sim_instruction){ .op = SIM_EXIT });
	program(BATCH, "batch");
	cycle(8 * SIM_MS, 3 * SIM_MS, SIM_EXPONENTIAL);
	loop(200);
	add((struct sim_instruction){ .op = SIM_EXIT });
	program(WEB, "web");
	cycle(1 * SIM_MS, 5 * SIM_MS, SIM_EXPONENTIAL);
	loop(400);
	add((struct sim_instruction){ .op = SIM_EXIT });
	original.starts[0] = (struct sim_start){ .program = SPAWNER, .n = 1 };
	original.starts[1] = (struct sim_start){ .program = BATCH, .n = 6 };
	original.starts[2] = (struct sim_start){ .program = WEB, .n = 8 };
	original.n_starts = 3;
	original.numbers = 40;
	original.most_tasks = 1 + 40 + 6 + 8;
}

/* What a program did: its tasks, and how long they ran. */
struct account {
	uint32_t n;
	struct {
		const char *name;
		uint64_t ran, known; /* in all, and while its tasks are known of */
		uint32_t tasks, found; /* and those of which there is a decision */
	} of[SIM_MAX_PROGRAMS];
	uint64_t makespan;
};

#define MOST_TASKS 64

/* From when to when the recording knows of a task; its number is that of the recording. */
static struct {
	uint64_t from, until;
} known[MOST_TASKS + 1];

struct counter {
	struct account account;
	uint32_t number[MOST_TASKS]; /* of the task in each slot */
	uint32_t n;
};

static uint32_t place_of(struct account *a, const struct sim *s, u32 task)
{
	const char *name = s->workload->programs[s->tasks[task].program].name;
	uint32_t i;

	for (i = 0; i < a->n && strcmp(a->of[i].name, name) != 0; i++)
		;
	if (i == a->n) {
		a->of[i].name = name;
		a->n++;
	}
	return i;
}

static void ran(void *observer, const struct sim *s, u32 cpu, u32 task, u64 from)
{
	struct counter *c = observer;
	uint32_t place = place_of(&c->account, s, task), number = c->number[task];
	u64 first = from, last = s->now;

	(void)cpu;
	c->account.of[place].ran += last - first;
	first = first > known[number].from ? first : known[number].from;
	last = last < known[number].until ? last : known[number].until;
	c->account.of[place].known += last > first ? last - first : 0;
}

static void arrives(void *watcher, const struct sim *s, u32 task)
{
	struct counter *c = watcher;
	uint32_t place = place_of(&c->account, s, task);

	assert_true(c->n < MOST_TASKS);
	c->number[task] = ++c->n;
	c->account.of[place].tasks++;
	c->account.of[place].found += known[c->n].until > 0;
}

static const struct sim_watch counting = { .arrives = arrives };

/* @results: NULL, or those of the run */
static struct account account_of(const struct sim_workload *w, uint64_t seed,
				 struct sim_results *results)
{
	struct sim_options options = sim_contender_options(&mlsched, 600 * SIM_S);
	struct counter c = { 0 };
	struct sim *s;

	options.ran = ran;
	options.observer = &c;
	options.watch = &counting;
	options.watcher = &c;
	s = sim_new(&machine, w, mlsched.policy, &options, seed, results);
	assert_non_null(s);
	assert_int_equal(sim_run(s, SIM_NEVER - 1), 1);
	c.account.makespan = s->ended - s->started;
	sim_free(s);
	return c.account;
}

static uint32_t find_account(const struct account *a, const char *name)
{
	for (uint32_t i = 0; i < a->n; i++)
		if (strcmp(a->of[i].name, name) == 0)
			return i;
	fail_msg("no program %s", name);
	return 0;
}

/* From its first decision to the end of its last window. */
static void read_known(void)
{
	struct mls_recording_reader *reader;
	struct mls_recorded d;

	memset(known, 0, sizeof(known));
	assert_int_equal(mls_recording_open(path, NULL, &reader), 0);
	while (mls_recording_next(reader, &d, NULL) == 1) {
		uint64_t until = d.time + d.observed;

		assert_in_range(d.pid, 1, MOST_TASKS);
		if (!known[d.pid].until)
			known[d.pid].from = d.time;
		if (until > known[d.pid].until)
			known[d.pid].until = until;
	}
	mls_recording_reader_close(reader);
}

static void record(const struct sim_workload *w, uint64_t seed, uint64_t window)
{
	const struct sim_record_options o = { .window = window };
	struct sim_record_counts counts;
	struct mls_recording *recording;
	struct mlsched_error err;

	remove_file();
	if (mls_recording_create(path, false, &err, &recording) != 0 ||
	    sim_record(recording, &machine, w, &mlsched, seed, 600 * SIM_S, &o, &counts, &err) != 0)
		fail_msg("%s", err.message);
	mls_recording_close(recording);
}

static void load(const char *name)
{
	struct mlsched_error err;

	if (sim_replay_load(&replayed, name, &err) != 0)
		fail_msg("%s", err.message);
}

/* In %, of CPU time between the first and the last moment that the recording knows of a task. */
#define TOLERANCE       20
#define TOLERANCE_TOTAL 5
/* In ns: what a program that does little may be off by in any case, of some 13 s in all. */
#define SMALL 50e6

static void replay_once(uint64_t seed)
{
	static const char *const names[N_PROGRAMS] = { "spawner", "child", "batch", "web" };
	struct account before, after;
	double was_all = 0, is_all = 0;

	record(&original, seed, 200 * SIM_MS);
	read_known();
	before = account_of(&original, seed, NULL);
	memset(known, 0, sizeof(known));
	load(path);
	after = account_of(&replayed, seed, NULL);
	print_message("# %s\n", replayed.replay->about);
	for (int i = 0; i < N_PROGRAMS; i++) {
		uint32_t b = find_account(&before, names[i]), a;
		double was = (double)before.of[b].known, is;

		/* Where no decision was about any of its tasks. */
		if (!before.of[b].found)
			continue;
		a = find_account(&after, names[i]);
		is = (double)after.of[a].ran;
		print_message(
			"# %s: of %u tasks %u are in the recording and %u replayed; of %.1f ms "
			"of CPU time it knows %.1f, replayed %.1f (%+.1f %%)\n",
			names[i], before.of[b].tasks, before.of[b].found, after.of[a].tasks,
			(double)before.of[b].ran / 1e6, was / 1e6, is / 1e6, 100 * (is / was - 1));
		assert_int_equal(after.of[a].tasks, before.of[b].found);
		assert_true(fabs(is - was) < was * TOLERANCE / 100 + SMALL);
		was_all += was;
		is_all += is;
	}
	print_message("# together %+.1f %%; makespan %.0f ms, replayed %.0f\n",
		      100 * (is_all / was_all - 1), (double)before.makespan / 1e6,
		      (double)after.makespan / 1e6);
	assert_true(fabs(is_all / was_all - 1) < TOLERANCE_TOTAL / 100.0);
	assert_true(after.makespan > before.makespan * 8 / 10 &&
		    after.makespan < before.makespan * 13 / 10);
	sim_workload_clear(&replayed);
}

static void a_replay_has_the_tasks_and_the_cpu_time_of_each_program(void **state)
{
	(void)state;
	assert_int_equal(sim_machine_parse(&machine, "4c2l", NULL), 0);
	make_original();
	for (uint64_t seed = 1; seed <= 5; seed++)
		replay_once(seed);
}

static void a_seed_says_how_time_falls_into_runs_and_nothing_else(void **state)
{
	struct sim_results *results = calloc(3, sizeof(*results));
	uint64_t run = 0;

	(void)state;
	assert_int_equal(sim_machine_parse(&machine, "4c2l", NULL), 0);
	make_original();
	record(&original, 2, 200 * SIM_MS);
	load(path);
	for (uint32_t i = 0; i < replayed.replay->n_steps; i++)
		run += replayed.replay->steps[i].run;
	for (int i = 0; i < 3; i++) {
		account_of(&replayed, i == 2 ? 1 : (uint64_t)i + 1, &results[i]);
		/* The launcher has 1 ns for each of its tasks. */
		assert_int_equal(results[i].sum.useful, run + replayed.replay->n_tasks);
	}
	assert_memory_equal(&results[0], &results[2], sizeof(results[0]));
	assert_true(results[0].makespan != results[1].makespan);
	sim_workload_clear(&replayed);
	free(results);
}

/* ---- recordings by hand ------------------------------------------------------------------- */

#define BEGAN (1000 * SIM_MS)

static const struct mls_recorded row = {
	.kind = MLS_RECORDED_WAKEUP,
	.decider = MLS_RECORDED_BY_MODEL,
	.result = MLS_RECORDED_MOVED,
	.verdict = 1,
	.accepted = true,
	.followed = true,
	.ran = true,
	.dst = 1,
	.propensity = 1,
	.observed = 100 * SIM_MS,
};

static void set_time(struct mls_recorded *d, int input, uint64_t ns)
{
	d->features[input] = (float)mls_feature_time(ns) / 65536;
}

/* @n: 0: a session with no decision */
static void write_rows(const char *schema, const struct mls_recorded *rows, uint32_t n)
{
	const struct mls_recording_cpu cpus[2] = { { .online = true },
						   { .cpu = 1, .online = true } };
	struct mls_recording_session session = { .began = BEGAN, .window = 100 * SIM_MS };
	struct mls_recording *recording;
	struct mlsched_error err;

	remove_file();
	snprintf(session.source, sizeof(session.source), "scx");
	snprintf(session.schema, sizeof(session.schema), "%s", schema);
	assert_int_equal(mls_recording_create(path, false, &err, &recording), 0);
	assert_int_equal(mls_recording_begin(recording, &session, cpus, 2, &err), 0);
	for (uint32_t i = 0; i < n; i++) {
		struct mls_recorded d = rows[i];

		d.n_features = session.n_features;
		assert_int_equal(mls_recording_add(recording, &d, d.time, &err), 0);
	}
	assert_int_equal(mls_recording_end(recording, BEGAN + 10 * SIM_S, &err), 0);
	mls_recording_close(recording);
}

static void near(uint64_t found, uint64_t expected)
{
	/* Inputs are logarithms. */
	assert_in_range(found, expected - expected / 100, expected + expected / 100);
}

static void same_step(const struct sim_step *step, uint64_t run, uint64_t sleep, uint32_t cycles)
{
	near(step->run, run * SIM_MS);
	near(step->sleep, sleep * SIM_MS);
	assert_int_equal(step->cycles, cycles);
}

static void steps_are_what_windows_and_inputs_say(void **state)
{
	enum { SINCE_RUN = 8, AVG_SLEEP = 12 };
	struct mls_recorded rows[4] = { row, row, row, row };
	const struct sim_replay *r;

	(void)state;
	/* A new task: 10 ms until it runs, 60 on a CPU, three times 10 asleep. */
	rows[0].kind = MLS_RECORDED_FORK;
	rows[0].pid = 10;
	rows[0].time = BEGAN + 20 * SIM_MS;
	rows[0].wait = 10 * SIM_MS;
	rows[0].run_time = 60 * SIM_MS;
	snprintf(rows[0].comm, sizeof(rows[0].comm), "make");
	/* It is another program by then, has slept for 20 ms, and ends. */
	rows[1].pid = 10;
	rows[1].time = BEGAN + 320 * SIM_MS;
	rows[1].run_time = 40 * SIM_MS;
	set_time(&rows[1], SINCE_RUN, 20 * SIM_MS);
	set_time(&rows[1], AVG_SLEEP, 10 * SIM_MS);
	snprintf(rows[1].comm, sizeof(rows[1].comm), "cc");
	/* Whose window overlaps with that says nothing new. */
	rows[2] = rows[1];
	rows[2].time += 50 * SIM_MS;
	/* Another one of this number. */
	rows[3] = rows[0];
	rows[3].time = BEGAN + 500 * SIM_MS;
	rows[3].followed = false;
	write_rows("mig15", rows, 4);
	load(path);
	r = replayed.replay;
	assert_int_equal(r->n_tasks, 2);
	assert_int_equal(r->tasks[0].start, 0);
	assert_int_equal(r->tasks[0].n, 4);
	assert_string_equal(replayed.programs[r->tasks[0].program].name, "cc");
	assert_int_equal(r->tasks[1].start, 480 * SIM_MS);
	assert_int_equal(r->tasks[1].n, 0);
	assert_string_equal(replayed.programs[r->tasks[1].program].name, "make");
	same_step(&r->steps[0], 60, 30, 3);
	/* Between the windows as before, until it fell asleep. */
	same_step(&r->steps[1], 108, 54, 5);
	same_step(&r->steps[2], 0, 20, 1);
	/* The last one: two runs, as the program's other runs of 20 ms would have it, and a wake-up. */
	same_step(&r->steps[3], 40, 20, 2);
	sim_workload_clear(&replayed);
}

/* Of a kernel without our scheduler: that it woke up is all. */
static void without_sleeps_wakeups_are_counted(void **state)
{
	struct mls_recorded rows[3] = { row, row, row };
	const struct sim_replay *r;

	(void)state;
	for (int i = 0; i < 3; i++) {
		rows[i].pid = 7;
		rows[i].time = BEGAN + (uint64_t)i * 30 * SIM_MS;
		rows[i].run_time = 60 * SIM_MS;
		snprintf(rows[i].comm, sizeof(rows[i].comm), "web");
	}
	write_rows("seed10", rows, 3);
	load(path);
	r = replayed.replay;
	assert_int_equal(r->n_tasks, 1);
	assert_int_equal(r->n_steps, 1);
	same_step(&r->steps[0], 60, 40, 3);
	sim_workload_clear(&replayed);
}

static void more_programs_than_there_is_room_for_go_together(void **state)
{
	struct mls_recorded *rows = calloc(100, sizeof(*rows));

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		rows[i] = row;
		rows[i].pid = i + 1;
		rows[i].time = BEGAN + i;
		rows[i].run_time = SIM_MS;
		snprintf(rows[i].comm, sizeof(rows[i].comm), "program%u", i);
	}
	write_rows("mig15", rows, 100);
	load(path);
	assert_int_equal(replayed.replay->n_tasks, 100);
	assert_string_equal(replayed.programs[1].name, "program0");
	assert_string_equal(replayed.programs[SIM_MAX_PROGRAMS - 1].name, "(others)");
	assert_int_equal(replayed.replay->tasks[99].program, SIM_MAX_PROGRAMS - 1);
	assert_int_equal(sim_machine_parse(&machine, "2c1l", NULL), 0);
	sim_workload_clear(&replayed);
	free(rows);
}

static void names_of_programs_are_text(void **state)
{
	struct mls_recorded one = row;

	(void)state;
	one.pid = 1;
	one.time = BEGAN;
	one.run_time = SIM_MS;
	memcpy(one.comm, "a\"b\\<c>&\n\xff d", 13);
	write_rows("mig15", &one, 1);
	load(path);
	assert_string_equal(replayed.programs[1].name, "a?b??c???? d");
	sim_workload_clear(&replayed);
}

/* ---- files that are none -------------------------------------------------------------------- */

static void refused(const char *name, int code, const char *what)
{
	struct mlsched_error err = { 0 };
	int ret = sim_replay_load(&replayed, name, &err);

	if (ret != code || !strstr(err.message, what) || !strstr(err.message, path))
		fail_msg("expected %d and \"%s\", found %d: %s", code, what, ret, err.message);
	sim_workload_clear(&replayed);
}

/* A good recording with one thing changed. */
static void refused_with(const char *sql, int code, const char *what)
{
	struct mls_recorded rows[2] = { row, row };
	sqlite3 *db;

	for (int i = 0; i < 2; i++) {
		rows[i].pid = 1;
		rows[i].time = BEGAN + (uint64_t)i * SIM_MS;
		rows[i].run_time = SIM_MS;
		rows[i].comm[0] = 'x';
	}
	write_rows("mig15", rows, 2);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	refused(path, code, what);
}

static void times_that_cannot_be_are_refused(void **state)
{
	(void)state;
	refused_with("UPDATE decisions SET time = 1 WHERE id = 2", -EINVAL,
		     "decisions, row 2, time: expected 1000000000 to 11000000000 ns, found 1");
	refused_with("UPDATE decisions SET time = 12000000000 WHERE id = 2", -EINVAL,
		     "row 2, time: expected 1000000000 to 11000000000 ns, found 12000000000");
	refused_with("UPDATE sessions SET ended = NULL;"
		     "UPDATE decisions SET time = 9000000000000000000 WHERE id = 1",
		     -EINVAL, "row 1, time: expected 1000000000 to 86401000000000 ns");
	refused_with("UPDATE decisions SET observed = 100000001", -EINVAL,
		     "row 1, observed: expected 0 to 100000000 ns, found 100000001");
	refused_with("UPDATE decisions SET wait = 100000001", -EINVAL,
		     "row 1, wait: expected 0 to 100000000 ns, found 100000001");
	refused_with("UPDATE decisions SET run_time = 100000001 WHERE id = 2", -EINVAL,
		     "row 2, run_time: expected 0 to 100000000 ns, found 100000001");
	refused_with("UPDATE decisions SET ran = 0, wait = observed", -EINVAL,
		     "row 1, run_time: expected 0 to 0 ns, found 1000000");
	refused_with("UPDATE decisions SET run_time = -1", -EBADMSG,
		     "row 1, run_time: expected 0 to");
	refused_with("UPDATE sessions SET window = 0", -EINVAL,
		     "session 1, window: expected 1 to 10000000000 ns, found 0");
	refused_with("UPDATE sessions SET window = 10000000001", -EINVAL,
		     "session 1, window: expected 1 to 10000000000 ns, found 10000000001");
}

static void files_that_are_no_recordings_are_refused(void **state)
{
	char name[64];

	(void)state;
	refused_with("PRAGMA user_version = 2", -ENOTSUP, "a newer mlsched made it");
	refused_with("PRAGMA application_id = 7", -EINVAL, "another program's SQLite file");
	refused_with("UPDATE sessions SET schema = 'mig99'", -EINVAL,
		     "session 1: schema mig99, version 1, is not known here");
	refused_with("UPDATE sessions SET schema_version = 9", -EINVAL,
		     "session 1: schema mig15, version 9, is not known here");
	refused_with("DELETE FROM decisions", -ENODATA,
		     "session 1: expected decisions, found none: nothing can be replayed");
	refused_with("UPDATE decisions SET features = zeroblob(8)", -EBADMSG,
		     "features: expected 15 float32, found 8 bytes");
	refused_with("DROP TABLE cpus", -EINVAL, "no such table: cpus");
	refused_with("DELETE FROM sessions", -EINVAL,
		     "expected a session of number 1, found 0 sessions");
	/* The last change left a file with no session; here there is one. */
	write_rows("mig15", &row, 0);
	snprintf(name, sizeof(name), "%s:2", path);
	refused(name, -EINVAL, "expected a session of number 2, found 1 sessions");
	remove_file();
	refused(path, -ENOENT, "No such file or directory");
}

/* Cut anywhere it is whole enough to be read, or refused; never more than that. */
static void files_that_were_cut_are_refused(void **state)
{
	uint32_t failed = 0, n = 0;
	struct stat was;
	long size;

	(void)state;
	assert_int_equal(sim_machine_parse(&machine, "4c2l", NULL), 0);
	make_original();
	record(&original, 1, 100 * SIM_MS);
	assert_int_equal(stat(path, &was), 0);
	for (size = was.st_size - 4096; size >= 0; size -= 4096 + 17) {
		struct mlsched_error err = { 0 };

		assert_int_equal(truncate(path, size), 0);
		n++;
		if (sim_replay_load(&replayed, path, &err) != 0) {
			failed++;
			assert_non_null(strstr(err.message, path));
		}
		sim_workload_clear(&replayed);
	}
	assert_true(n > 5);
	assert_int_equal(failed, n);
}

static void names_of_recordings_end_with_db(void **state)
{
	(void)state;
	assert_true(sim_replay_is("a.db") && sim_replay_is("a.db:1") &&
		    sim_replay_is("/x/a.db:12"));
	assert_false(sim_replay_is(".db") || sim_replay_is("a.db:") || sim_replay_is("a.dbx") ||
		     sim_replay_is("a.json") || sim_replay_is("a.db:x") || sim_replay_is("make") ||
		     sim_replay_is("a.db:12345678") || sim_replay_is(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_replay_has_the_tasks_and_the_cpu_time_of_each_program),
		cmocka_unit_test(a_seed_says_how_time_falls_into_runs_and_nothing_else),
		cmocka_unit_test(steps_are_what_windows_and_inputs_say),
		cmocka_unit_test(without_sleeps_wakeups_are_counted),
		cmocka_unit_test(more_programs_than_there_is_room_for_go_together),
		cmocka_unit_test(names_of_programs_are_text),
		cmocka_unit_test(times_that_cannot_be_are_refused),
		cmocka_unit_test(files_that_are_no_recordings_are_refused),
		cmocka_unit_test(files_that_were_cut_are_refused),
		cmocka_unit_test(names_of_recordings_end_with_db),
	};
	int fd = mkstemps(path, 3), ret;

	if (fd < 0)
		return 1;
	close(fd);
	assert_int_equal(sim_contender_find(&mlsched, "mlsched", NULL), 0);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	remove_file();
	return ret;
}
