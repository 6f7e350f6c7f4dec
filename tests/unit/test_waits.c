// SPDX-License-Identifier: GPL-2.0
/* The kernel's own counts of how long threads wait, from files as it writes them. */
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

#include "src/host/waits.h"

static char proc[] = "/tmp/mlsched-waits-XXXXXX";

static void write_in(const char *name, const char *text)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", proc, name);
	/* In place: it stays open, as the kernel's files do. */
	file = fopen(path, "r+");
	if (!file)
		file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void remove_in(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/%s", proc, name);
	unlink(path);
}

static int make(void **state)
{
	char path[64];

	(void)state;
	if (!mkdtemp(proc))
		return -1;
	snprintf(path, sizeof(path), "%s/pressure", proc);
	return mkdir(path, 0700);
}

static int clear(void **state)
{
	(void)state;
	remove_in("pressure/cpu");
	remove_in("schedstat");
	return 0;
}

static int remove_all(void **state)
{
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "%s/pressure", proc);
	return rmdir(path) || rmdir(proc);
}

static void they_are_counted_from_when_it_was_opened(void **state)
{
	struct mls_waits_source *source;
	struct mls_waits w;

	(void)state;
	write_in("pressure/cpu", "some avg10=54.76 avg60=73.76 avg300=80.12 total=10625231836\n"
				 "full avg10=0.00 avg60=0.00 avg300=0.00 total=77\n");
	write_in("schedstat",
		 "version 17\ntimestamp 4294937296\n"
		 "cpu0 0 0 0 0 0 0 5000 700 30\n"
		 "domain0 MC 3 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22\n"
		 "cpu1 0 0 0 0 0 0 6000 300 20\n");
	source = mls_waits_open(proc);
	assert_non_null(source);
	mls_waits_read(source, &w);
	assert_true(w.has_some && w.has_turns);
	assert_true(w.some == 0 && w.turns == 0 && w.waited == 0);
	write_in("pressure/cpu", "some avg10=54.76 avg60=73.76 avg300=80.12 total=10625231936\n"
				 "full avg10=0.00 avg60=0.00 avg300=0.00 total=99\n");
	write_in("schedstat",
		 "version 17\ntimestamp 4294937296\n"
		 "cpu0 0 0 0 0 0 0 5000 750 31\n"
		 "domain0 MC 3 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22\n"
		 "cpu1 0 0 0 0 0 0 6000 900 21\n");
	mls_waits_read(source, &w);
	assert_int_equal(w.some, 100000);
	assert_int_equal(w.waited, 650);
	assert_int_equal(w.turns, 2);
	mls_waits_close(source);
}

/* What is offline is not in the file; who comes while it is open counts from there. */
static void cpus_may_come_and_go(void **state)
{
	struct mls_waits_source *source;
	struct mls_waits w;

	(void)state;
	write_in("schedstat", "cpu0 0 0 0 0 0 0 5 700 30\ncpu1 0 0 0 0 0 0 5 900 90\n");
	source = mls_waits_open(proc);
	/* As long as what was there, so that nothing of it is left. */
	write_in("schedstat", "cpu0 0 0 0 0 0 0 5 750 31\ncpu7 0 0 0 0 0 0 5 800 80\n");
	mls_waits_read(source, &w);
	assert_int_equal(w.waited, 50);
	assert_int_equal(w.turns, 1);
	write_in("schedstat", "cpu0 0 0 0 0 0 0 5 760 33\ncpu7 0 0 0 0 0 0 5 815 85\n");
	mls_waits_read(source, &w);
	assert_int_equal(w.waited, 60 + 15);
	assert_int_equal(w.turns, 3 + 5);
	mls_waits_close(source);
}

/* A line of a domain is longer than any buffer, and holds what looks like a CPU. */
static void long_lines_are_one(void **state)
{
	char text[2000] = "cpu0 0 0 0 0 0 0 1 10 1\ndomain0 ";
	struct mls_waits_source *source;
	struct mls_waits w;

	(void)state;
	while (strlen(text) < 1800)
		strcat(text, "cpu1 0 0 0 0 0 0 1 99 9 ");
	strcat(text, "\n");
	write_in("schedstat", text);
	source = mls_waits_open(proc);
	text[strlen("cpu0 0 0 0 0 0 0 1 ")] = '3';
	write_in("schedstat", text);
	mls_waits_read(source, &w);
	assert_true(w.has_turns && !w.has_some);
	assert_int_equal(w.waited, 20);
	mls_waits_close(source);
}

static void what_the_kernel_has_not_is_not_there(void **state)
{
	struct mls_waits_source *source = mls_waits_open(proc);
	struct mls_waits w = { .has_some = true, .has_turns = true };

	(void)state;
	mls_waits_read(source, &w);
	assert_false(w.has_some || w.has_turns);
	mls_waits_close(source);
	write_in("pressure/cpu", "something else\n");
	write_in("schedstat", "version 99\ncpu0 1 2\n");
	source = mls_waits_open(proc);
	mls_waits_read(source, &w);
	assert_false(w.has_some || w.has_turns);
	mls_waits_close(source);
	mls_waits_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(they_are_counted_from_when_it_was_opened, clear),
		cmocka_unit_test_teardown(cpus_may_come_and_go, clear),
		cmocka_unit_test_teardown(long_lines_are_one, clear),
		cmocka_unit_test_teardown(what_the_kernel_has_not_is_not_there, clear),
	};

	return cmocka_run_group_tests(tests, make, remove_all);
}
