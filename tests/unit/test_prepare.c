// SPDX-License-Identifier: GPL-2.0
/*
 * src/host/prepare.c: a model that a thread prepares is taken when it is there, and not
 * before.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "src/formats/hdf5_starter.h"
#include "src/host/prepare.h"

#define KERAS_MODEL "tests/golden/keras/models/tf221-keras3-h5/model.h5"
#define SAVED_MODEL "tests/golden/savedmodel/models/tf221-keras3-savedmodel/model"

static const struct mls_topology topology = { .n_cpus = 2, .n_online = 2 };

static void wait_until_done(const struct mls_prepare *p)
{
	struct pollfd done = { .fd = mls_prepare_fd(p), .events = POLLIN };

	assert_int_equal(poll(&done, 1, -1), 1);
}

/* A starter of processes who does not answer keeps the thread waiting, until he is gone. */
static void nothing_is_taken_before_it_is_there(void **state)
{
	struct mls_h5_starter starter = { .pid = -1 };
	const struct mls_prepare_options options = {
		.path = KERAS_MODEL,
		.sent = -1,
		.starter = &starter,
		.topology = &topology,
	};
	struct mls_prepared prepared = { 0 };
	struct mlsched_error err;
	struct mls_prepare *p;
	int ends[2], ret;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	starter.socket = ends[0];
	assert_int_equal(mls_prepare_start(&options, &err, &p), 0);
	assert_int_equal(mls_prepare_end(p, &prepared, &err), -EINPROGRESS);
	assert_int_equal(mls_prepare_end(p, &prepared, &err), -EINPROGRESS);
	close(ends[1]);
	wait_until_done(p);
	ret = mls_prepare_end(p, &prepared, &err);
	assert_int_not_equal(ret, 0);
	assert_int_not_equal(ret, -EINPROGRESS);
	assert_non_null(strstr(err.message, KERAS_MODEL));
	assert_null(prepared.slot);
	close(ends[0]);
}

static void what_is_there_is_taken(void **state)
{
	const struct mls_prepare_options options = {
		.path = SAVED_MODEL,
		.sent = -1,
		.topology = &topology,
	};
	struct mls_prepared prepared = { 0 };
	struct mlsched_error err;
	struct mls_prepare *p;

	(void)state;
	assert_int_equal(mls_prepare_start(&options, &err, &p), 0);
	wait_until_done(p);
	assert_int_equal(mls_prepare_end(p, &prepared, &err), 0);
	assert_non_null(prepared.slot);
	assert_int_not_equal(prepared.checksum, 0);
	free(prepared.slot);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_taken_before_it_is_there),
		cmocka_unit_test(what_is_there_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
