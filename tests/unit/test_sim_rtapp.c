// SPDX-License-Identifier: GPL-2.0
/* src/sim: rt-app's workloads. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "src/sim/policy.h"
#include "src/sim/rtapp.h"
#include "src/sim/rtapp_text.h"
#include "src/util/random.h"

static const struct sim_options plain = { .limit = 100 * SIM_S };
static struct sim_machine machine;
static struct sim_workload workload;
static struct mlsched_error err;

/* Loads a text as a file. */
static int load_bytes(const char *text, size_t n)
{
	char path[] = "/tmp/test_sim_rtapp-XXXXXX.json";
	int fd = mkstemps(path, 5), ret;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n), (ssize_t)n);
	close(fd);
	ret = sim_rtapp_load(&workload, path, &err);
	unlink(path);
	return ret;
}

static int load(const char *text)
{
	return load_bytes(text, strlen(text));
}

static struct sim *run(const char *text, const char *name)
{
	struct sim *s;

	if (load(text) != 0)
		fail_msg("%s", err.message);
	assert_int_equal(sim_machine_parse(&machine, name, NULL), 0);
	memset(&machine.costs, 0, sizeof(machine.costs));
	machine.costs.private_kib = machine.costs.shared_kib = 1024;
	s = sim_new(&machine, &workload, &sim_policy_eevdf, &plain, 1, NULL);
	assert_non_null(s);
	return s;
}

/* The two figures of its tutorial: 5 of work and a sleep of 10; a timer of 19 keeps its period. */
static void sleeps_and_timers_differ(void **state)
{
	struct sim *s = run("{\"tasks\": {\"a\": {\"loop\": 10, \"run\": 5000, \"sleep\": 10000}}}",
			    "1c1l");

	(void)state;
	assert_int_equal(sim_run(s, SIM_NEVER - 1), 1);
	assert_int_equal(s->ended, 150 * SIM_MS);
	sim_free(s);
	s = run("{\"tasks\": {\"a\": {\"loop\": 10, \"run\": 5000, \"timer\": {\"ref\": \"tick\", "
		"\"period\": 19000}}}}",
		"1c1l");
	assert_int_equal(sim_run(s, SIM_NEVER - 1), 1);
	assert_int_equal(s->ended, 190 * SIM_MS);
	sim_free(s);
}

/* A run of 50 misses its timer of 20: a relative one goes on from there, an absolute one catches up. */
static void missed_timers_are_relative_or_absolute(void **state)
{
	static const char form[] =
		"{\"tasks\": {\"a\": {\"phases\": {"
		"\"long\": {\"run\": 50000, \"timer\": {\"ref\": \"unique\", \"period\": "
		"20000, \"mode\": \"%s\"}},"
		"\"short\": {\"loop\": 3, \"run\": 10000, \"timer\": {\"ref\": \"unique\", "
		"\"period\": 20000, \"mode\": \"%s\"}}}, \"loop\": 1}}}";
	char text[512];
	struct sim *s;

	(void)state;
	snprintf(text, sizeof(text), form, "relative", "relative");
	s = run(text, "1c1l");
	assert_int_equal(sim_run(s, SIM_NEVER - 1), 1);
	assert_int_equal(s->ended, 110 * SIM_MS);
	sim_free(s);
	snprintf(text, sizeof(text), form, "absolute", "absolute");
	s = run(text, "1c1l");
	assert_int_equal(sim_run(s, SIM_NEVER - 1), 1);
	/* Due at 20 (missed), 40 (missed at 60), 60 (missed at 70), 80. */
	assert_int_equal(s->ended, 80 * SIM_MS);
	sim_free(s);
}

/* However they are called: each instance has its own, and none is there without one that is named. */
static void timers_of_instances_are_their_own(void **state)
{
	/* "a" and "unique/unique" are together what "a/unique" and "unique" are. */
	struct sim *s =
		run("{\"tasks\": {"
		    "\"a\": {\"instance\": 1, \"loop\": 3, \"run\": 1000, \"timer\": "
		    "{\"ref\": \"unique/unique\", \"period\": 2000}}, "
		    "\"a/unique\": {\"instance\": 5, \"loop\": 3, \"run\": 1000, \"timer\": "
		    "{\"ref\": \"unique\", \"period\": 2000}}, "
		    "\"none\": {\"instance\": 0, \"run\": 1000, \"timer\": "
		    "{\"ref\": \"unique\", \"period\": 2000}}}}",
		    "8c2l");

	(void)state;
	assert_int_equal(s->workload->n_objects, 1 + 5 + 1);
	assert_int_equal(sim_run(s, SIM_NEVER - 1), 1);
	assert_int_equal(s->ended, 6 * SIM_MS);
	sim_free(s);
}

/* Of the same task two events with the same name, and be it long, share one. */
static void a_long_name_is_a_name(void **state)
{
	static const char form[] = "{\"tasks\": {\"%s\": {\"instance\": 3, \"loop\": 3, "
				   "\"timer\": {\"ref\": \"unique%s\", \"period\": 2000}, "
				   "\"timer1\": {\"ref\": \"unique%s\", \"period\": 2000}}}}";
	static const char more[] = "-of-a-name-with-just-as-many-letters-as-are-allowed-here";
	char text[512];
	struct sim *s;

	(void)state;
	snprintf(text, sizeof(text), form, more, more, more);
	s = run(text, "4c2l");
	assert_int_equal(s->workload->n_objects, 3);
	sim_free(s);
}

/* Two instances that need a mutex for 10 ms of their 10 do not run side by side. */
static void mutexes_exclude(void **state)
{
	struct sim *s = run("{\"tasks\": {\"a\": {\"instance\": 4, \"loop\": 5, \"lock\": \"m\", "
			    "\"run\": 10000, \"unlock\": \"m\"}}}",
			    "4c2l");

	(void)state;
	assert_int_equal(sim_run(s, SIM_NEVER - 1), 1);
	assert_int_equal(s->ended, 200 * SIM_MS);
	sim_free(s);
}

static void semaphores_remember(void **state)
{
	struct sim *s = run("{\"tasks\": {"
			    "\"maker\": {\"loop\": 10, \"run\": 1000, \"sem_post\": \"s\"},"
			    "\"taker\": {\"loop\": 10, \"sem_wait\": \"s\", \"run\": 3000}}}",
			    "2c1l");

	(void)state;
	assert_int_equal(sim_run(s, SIM_NEVER - 1), 1);
	assert_int_equal(s->ended, 31 * SIM_MS);
	sim_free(s);
}

/* Three tasks of 1, 2 and 5 ms that meet after each turn take 5 ms for it. */
static void barriers_wait_for_all(void **state)
{
	struct sim *s = run("{\"tasks\": {"
			    "\"a\": {\"loop\": 20, \"run\": 1000, \"barrier\": \"b\"},"
			    "\"b\": {\"loop\": 20, \"run\": 2000, \"barrier\": \"b\"},"
			    "\"c\": {\"loop\": 20, \"run\": 5000, \"barrier\": \"b\"}}}",
			    "4c1l");

	(void)state;
	assert_int_equal(sim_run(s, SIM_NEVER - 1), 1);
	assert_int_equal(s->ended, 100 * SIM_MS);
	sim_free(s);
}

/* What tasks without instances name is no part of it, and their code is sound all the same. */
static void a_barrier_of_no_instances_has_a_size(void **state)
{
	struct sim *s =
		run("{\"tasks\": {"
		    "\"a\": {\"loop\": 2, \"instance\": 3, \"run\": 1000, \"barrier\": \"b\"},"
		    "\"b\": {\"loop\": 2, \"instance\": 0, \"run\": 9000, \"barrier\": \"b\"},"
		    "\"c\": {\"loop\": 2, \"instance\": 0, \"run\": 9000, \"barrier\": \"c\"}}}",
		    "4c1l");
	int seen[4] = { 0 };

	(void)state;
	for (uint32_t i = 0; i < s->workload->n_code; i++)
		if (s->workload->code[i].op == SIM_BARRIER) {
			assert_in_range(s->workload->code[i].count, 1, 3);
			seen[s->workload->code[i].count]++;
		}
	assert_int_equal(seen[3], 2);
	assert_int_equal(seen[1], 1);
	assert_int_equal(sim_run(s, SIM_NEVER - 1), 1);
	assert_int_equal(s->ended, 2 * SIM_MS);
	sim_free(s);
}

/* Of its tutorial: A runs and suspends, B resumes it and runs. */
static void suspended_tasks_are_resumed(void **state)
{
	struct sim *s = run("{\"global\": {\"duration\": 1}, \"tasks\": {"
			    "\"A\": {\"run\": 5000, \"suspend\": \"\"},"
			    "\"B\": {\"sleep\": 20000, \"resume\": \"A\"}}}",
			    "2c1l");

	(void)state;
	assert_int_equal(sim_run(s, SIM_NEVER - 1), 1);
	assert_int_equal(s->ended, SIM_S);
	/* Once at the beginning and once for each of the resumes at 20, 40, ..., 980. */
	assert_int_equal(s->tasks[0].ran, 50 * 5 * SIM_MS);
	sim_free(s);
}

static void all_that_wait_for_each_other_is_an_end(void **state)
{
	struct sim *s =
		run("{\"tasks\": {\"a\": {\"loop\": 1, \"run\": 10, \"suspend\": \"x\"}}}", "1c1l");

	(void)state;
	/* EEVDF's tick goes on for ever. */
	assert_int_equal(sim_run(s, SIM_NEVER - 1), -ETIMEDOUT);
	sim_free(s);
}

static void loose_text_becomes_strict(void **state)
{
	static const char loose[] = "/* a\n * comment */\n{ // another\n\"tasks\": {\"t\": {\n"
				    "\"run\": 1, \"run\": 2, \"run\" : 3,\n\"suspend\",\n"
				    "\"phases\": {\"p\": {\"run\": 4,}, \"q\": {\"run\": 5}, },\n"
				    "\"cpus\": [1, 2,],\n\"x\": \"a, \\\"b}\"}},\n}\n";
	char *strict = rtapp_strict(loose, sizeof(loose) - 1);
	json_error_t where;
	json_t *all, *root;

	(void)state;
	assert_non_null(strict);
	all = json_loads(strict, JSON_REJECT_DUPLICATES, &where);
	if (!all)
		fail_msg("%s, line %d: %s", where.text, where.line, strict);
	root = json_object_get(json_object_get(all, "tasks"), "t");
	assert_int_equal(json_integer_value(json_object_get(root, "run")), 1);
	assert_int_equal(json_integer_value(json_object_get(root, "run~1")), 2);
	assert_int_equal(json_integer_value(json_object_get(root, "run~2")), 3);
	assert_string_equal(json_string_value(json_object_get(root, "suspend")), "");
	assert_string_equal(json_string_value(json_object_get(root, "x")), "a, \"b}");
	assert_int_equal(json_array_size(json_object_get(root, "cpus")), 2);
	assert_int_equal(json_object_size(json_object_get(root, "phases")), 2);
	json_decref(all);
	free(strict);
}

static void errors_say_where(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "{\"tasks\": {}}", "expected an object \"tasks\"" },
		{ "[", "line 1" },
		{ "{\"tasks\": {\"a\": {\"fork\": \"b\"}}}",
		  "task a, fork: the simulator has no such" },
		{ "{\"tasks\": {\"a\": {\"run\": -1}}}",
		  "task a, run: expected microseconds from 0 to 86400000000, found -1" },
		{ "{\"tasks\": {\"a\": {\"run\": \"x\"}}}",
		  "task a, run: expected microseconds from 0 to 86400000000, found \"x\"" },
		{ "{\"tasks\": {\"a\": {\"loop\": 0, \"run\": 1}}}", "task a, loop: expected" },
		{ "{\"tasks\": {\"a\": {\"policy\": \"SCHED_FIFO\"}}}",
		  "task a, policy: expected SCHED_OTHER" },
		{ "{\"tasks\": {\"a\": {\"priority\": 20}}}",
		  "task a, priority: expected a nice value" },
		{ "{\"tasks\": {\"a\": {\"timer\": 5}}}",
		  "task a, timer: expected {\"ref\": NAME, \"period\": US}, found 5" },
		{ "{\"tasks\": {\"a\": {\"timer\": {\"ref\": \"t\"}}}}",
		  "task a, timer: expected microseconds from 0 to 86400000000, found nothing" },
		{ "{\"tasks\": {\"a\": {\"run\": {}}}}", "found an object" },
		{ "{\"tasks\": {\"a\": {\"run\": []}}}", "found an array of 0" },
		{ "{\"tasks\": {\"a\": {\"run\": \"0123456789012345678901234567890123456789"
		  "012345678901234567890123456789\"}}}",
		  "found \"01234567890123456789012345678901234567890123456789012345678..." },
		{ "{\"tasks\": {\"a\": {\"wait\": {\"ref\": \"c\"}}}}",
		  "task a, wait: expected {\"ref\"" },
		{ "{\"tasks\": {\"a\": {\"instance\": 200000}}}", "task a, instance: expected" },
		{ "{\"tasks\": {\"a\": {\"instance\": 0}}}", "no task has an instance" },
		{ "{\"tasks\": {\"a\": {\"phases\": 3}}}", "task a, phases: expected an object" },
		{ "{\"tasks\": {\"a\": {}}, \"global\": {\"duration\": 0}}",
		  "global, duration: expected" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(&err, 0, sizeof(err));
		if (load(cases[i].text) == 0)
			fail_msg("%s was taken", cases[i].text);
		if (!strstr(err.message, cases[i].message))
			fail_msg("%s: %s, expected %s", cases[i].text, err.message,
				 cases[i].message);
	}
	assert_int_equal(sim_rtapp_load(&workload, "/nonexistent.json", &err), -ENOENT);
}

/* Wherever it stands: the text in front of it may be a workload by itself, or it be within a comment. */
static void a_zero_byte_is_refused(void **state)
{
	static const char text[] = "{\"tasks\": {\n\"a\": { /* x */\n\"run\": \"1\"\n}}}\n\n";
	char changed[2 * sizeof(text)];
	size_t line = 1, column = 1;

	(void)state;
	memset(&err, 0, sizeof(err));
	for (size_t at = 0; at < sizeof(text); at++) {
		char expected[128];

		memcpy(changed, text, at);
		changed[at] = '\0';
		memcpy(changed + at + 1, text + at, sizeof(text) - 1 - at);
		snprintf(expected, sizeof(expected),
			 ".json: line %zu, column %zu: expected text, found a zero byte", line,
			 column);
		assert_int_equal(load_bytes(changed, sizeof(text)), -EINVAL);
		if (!strstr(err.message, expected))
			fail_msg("%s, expected %s", err.message, expected);
		column = text[at] == '\n' ? 1 : column + 1;
		line += text[at] == '\n';
	}
	/* What is right without it. */
	assert_int_equal(load("{\"tasks\": {\"a\": {\"run\": 1}}}"), 0);
	assert_int_equal(load_bytes("{\"tasks\": {\"a\": {\"run\": 1}}}\0", 30), -EINVAL);
}

/* Bytes that are changed, left out and doubled at random: an error or a workload, no crash. */
static void damaged_files_are_errors(void **state)
{
	static const char text[] =
		"/* c */{\"tasks\": {\"a\": {\"instance\": 2, \"loop\": 3, \"run\": 5, "
		"\"timer\": {\"ref\": \"unique\", \"period\": 7}, \"lock\": \"m\", \"unlock\": "
		"\"m\",}, \"b\": {\"phases\": {\"p\": {\"sem_wait\": \"s\"}}}}}";
	struct mls_random random;
	int taken = 0;

	(void)state;
	mls_random_seed(&random, 1, 0);
	for (int n = 0; n < 20000; n++) {
		char damaged[sizeof(text) + 16], *strict;
		size_t length = sizeof(text) - 1, at;
		json_t *root;

		memcpy(damaged, text, sizeof(text));
		for (uint32_t k = mls_random_below(&random, 3) + 1; k; k--) {
			at = mls_random_below(&random, (uint32_t)length);
			switch (mls_random_below(&random, 3)) {
			case 0:
				damaged[at] = (char)mls_random_below(&random, 256);
				break;
			case 1:
				memmove(damaged + at, damaged + at + 1, length - at);
				length--;
				break;
			default:
				memmove(damaged + at + 1, damaged + at, length - at);
				length++;
			}
		}
		strict = rtapp_strict(damaged, length);
		assert_non_null(strict);
		root = json_loads(strict, JSON_REJECT_DUPLICATES, NULL);
		taken += root != NULL;
		json_decref(root);
		free(strict);
	}
	assert_in_range(taken, 1000, 19000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sleeps_and_timers_differ),
		cmocka_unit_test(missed_timers_are_relative_or_absolute),
		cmocka_unit_test(timers_of_instances_are_their_own),
		cmocka_unit_test(a_long_name_is_a_name),
		cmocka_unit_test(mutexes_exclude),
		cmocka_unit_test(semaphores_remember),
		cmocka_unit_test(barriers_wait_for_all),
		cmocka_unit_test(a_barrier_of_no_instances_has_a_size),
		cmocka_unit_test(suspended_tasks_are_resumed),
		cmocka_unit_test(all_that_wait_for_each_other_is_an_end),
		cmocka_unit_test(loose_text_becomes_strict),
		cmocka_unit_test(errors_say_where),
		cmocka_unit_test(a_zero_byte_is_refused),
		cmocka_unit_test(damaged_files_are_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
