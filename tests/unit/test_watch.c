// SPDX-License-Identifier: GPL-2.0
/*
 * src/host/watch.c: what replaces a path is noticed, what happens beside it is not, and
 * that nothing more can come is said.
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

#include "src/host/watch.h"

/**
 * struct state - DIRECTORY/models/mine is watched; neither it nor what lies beside it is there
 * @directory: that holds all
 * @models:    the one around the path
 */
struct state {
	char directory[64];
	char models[96];
	char mine[128];
	struct mls_watch *watch;
};

static void make_file(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static int setup(void **state)
{
	struct state *s = calloc(1, sizeof(*s));
	struct mlsched_error err;

	snprintf(s->directory, sizeof(s->directory), "/tmp/mlsched-watch-XXXXXX");
	assert_non_null(mkdtemp(s->directory));
	snprintf(s->models, sizeof(s->models), "%s/models", s->directory);
	snprintf(s->mine, sizeof(s->mine), "%s/mine", s->models);
	assert_int_equal(mkdir(s->models, 0700), 0);
	assert_int_equal(mls_watch_open(s->mine, &err, &s->watch), 0);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct state *s = *state;

	mls_watch_close(s->watch);
	unlink(s->mine);
	rmdir(s->models);
	assert_int_equal(rmdir(s->directory), 0);
	free(s);
	return 0;
}

static void a_file_that_takes_its_place_is_noticed_once(void **state)
{
	struct state *s = *state;
	char new[160];

	snprintf(new, sizeof(new), "%s/new", s->models);
	make_file(new);
	assert_int_equal(mls_watch_poll(s->watch), 0);
	assert_int_equal(rename(new, s->mine), 0);
	assert_int_equal(mls_watch_poll(s->watch), 1);
	assert_int_equal(mls_watch_poll(s->watch), 0);
}

static void a_file_that_was_written_to_is_noticed(void **state)
{
	struct state *s = *state;

	make_file(s->mine);
	assert_int_equal(mls_watch_poll(s->watch), 1);
}

static void a_directory_that_is_removed_is_said_to_be_gone(void **state)
{
	struct state *s = *state;

	assert_int_equal(rmdir(s->models), 0);
	assert_int_equal(mls_watch_poll(s->watch), -ESTALE);
}

/* The whole directory is exchanged: what comes to the path now comes to another one. */
static void a_directory_that_is_moved_is_said_to_be_gone(void **state)
{
	struct state *s = *state;
	char old[96];

	snprintf(old, sizeof(old), "%s/old", s->directory);
	assert_int_equal(rename(s->models, old), 0);
	assert_int_equal(mkdir(s->models, 0700), 0);
	make_file(s->mine);
	assert_int_equal(mls_watch_poll(s->watch), -ESTALE);
	assert_int_equal(rmdir(old), 0);
}

static void a_directory_that_is_not_there_is_named(void **state)
{
	struct state *s = *state;
	struct mls_watch *watch;
	struct mlsched_error err;

	assert_int_equal(rmdir(s->models), 0);
	assert_int_equal(mls_watch_open(s->mine, &err, &watch), -ENOENT);
	assert_non_null(strstr(err.message, s->models));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_that_takes_its_place_is_noticed_once),
		TEST(a_file_that_was_written_to_is_noticed),
		TEST(a_directory_that_is_removed_is_said_to_be_gone),
		TEST(a_directory_that_is_moved_is_said_to_be_gone),
		TEST(a_directory_that_is_not_there_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
