// SPDX-License-Identifier: GPL-2.0
/*
 * libhdf5 in a process of its own, when it crashes, hangs, lies or has been taken over:
 * each time there is an error that names the file, and nothing is left behind.  The
 * library is tests/fake/fake_hdf5.c here, found in the place of the real one.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <mlsched/mlsched.h>

#include "src/formats/format.h"
#include "src/formats/hdf5.h"
#include "src/formats/hdf5_process.h"
#include "src/formats/keras.h"
#include "src/util/array.h"
#include "tests/lib/files.h"

#define FAILED(how)                                                                       \
	"Invalid Keras format: some.h5: expected a file that the HDF5 library can read, " \
	"found one on which it failed: " how

static const uint8_t content[64] = { 0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n' };
static const struct mls_blob some_file = { "some.h5", content, sizeof(content) };

static void pretend(const char *mode)
{
	assert_int_equal(setenv("MLS_FAKE_HDF5", mode, 1), 0);
}

static int count_files(void)
{
	return (int)test_count_entries("/proc/self/fd");
}

static void nothing_is_left(int n_files)
{
	assert_int_equal(count_files(), n_files);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* ---- with the usual limits: reading a model ------------------------------------------------- */

static const struct {
	const char *mode;
	int code;
	const char *message;
} failures[] = {
	{ "crash-loading", -EINVAL, FAILED("signal 11 (Segmentation fault)") },
	{ "crash", -EINVAL, FAILED("signal 11 (Segmentation fault)") },
	{ "crash-later", -EINVAL, FAILED("signal 11 (Segmentation fault)") },
	{ "exit", -EINVAL, FAILED("its process has ended with status 3") },
	{ "lie-long", -EINVAL,
	  FAILED("its process answered with a code or a length that makes no sense") },
	{ "lie-code", -EINVAL,
	  FAILED("its process answered with a code or a length that makes no sense") },
	{ "lie-silent", -EINVAL, FAILED("its process answered with a code without a message") },
	{ "lie-other", -EINVAL, FAILED("its process answered with what was not asked") },
};

static void what_becomes_of_the_library_is_an_error_of_the_file(void **state)
{
	int n_files = count_files();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
		struct mlsched_model *model = NULL;
		struct mlsched_error err;

		pretend(failures[i].mode);
		assert_int_equal(mls_keras_read(&some_file, &err, &model), failures[i].code);
		assert_string_equal(err.message, failures[i].message);
		assert_null(model);
		nothing_is_left(n_files);
	}
}

static void an_abort_is_an_error_of_the_file(void **state)
{
	static const char head[] = FAILED("signal ");
	struct mlsched_model *model = NULL;
	struct mlsched_error err;

	/* The filter refuses the signal; what abort() does then depends on the C library. */
	(void)state;
	pretend("abort");
	assert_int_equal(mls_keras_read(&some_file, &err, &model), -EINVAL);
	assert_memory_equal(err.message, head, sizeof(head) - 1);
}

/* ---- with short ones ---------------------------------------------------------------------------- */

struct session {
	struct mls_arena arena;
	struct mlsched_error err;
	struct mls_h5_process process;
};

static int open_within(struct session *s, struct mls_h5_limits limits,
		       const struct mls_h5_starter *starter)
{
	static const char names[] = "Keras\0some.h5";
	const struct mls_h5_frame question = { .what = MLS_H5_ASK_OPEN,
					       .values = { 1 << 20 },
					       .size = sizeof(names) };
	struct mls_h5_frame answer;
	const char *nothing;
	int ret;

	*s = (struct session){ .arena = MLS_ARENA_INIT(1 << 20) };
	ret = mls_h5_process_start(&some_file, "Keras", &limits, starter, &s->err, &s->process);
	if (!ret)
		ret = mls_h5_process_ask(&s->process, &question, names, &s->arena, &answer,
					 &nothing);
	return ret;
}

static void fails_within(const char *mode, struct mls_h5_limits limits, const char *message)
{
	int n_files = count_files();
	struct session s;

	pretend(mode);
	assert_int_equal(open_within(&s, limits, NULL), -EINVAL);
	assert_string_equal(s.err.message, message);
	mls_arena_free(&s.arena);
	nothing_is_left(n_files);
}

static void open_starter(const char *mode, struct mls_h5_starter *starter)
{
	struct mlsched_error err;

	pretend(mode);
	if (mls_h5_starter_open(&err, starter) != 0)
		fail_msg("%s", err.message);
}

static void fails_started_within(const char *mode, struct mls_h5_limits limits, const char *message)
{
	int n_files = count_files();
	struct mls_h5_starter starter;
	struct session s;

	open_starter(mode, &starter);
	assert_int_equal(open_within(&s, limits, &starter), -EINVAL);
	assert_string_equal(s.err.message, message);
	mls_arena_free(&s.arena);
	assert_int_equal(count_files(), n_files + 1);
	mls_h5_starter_close(&starter);
	nothing_is_left(n_files);
}

static void one_that_computes_for_ever_is_stopped(void **state)
{
	(void)state;
	fails_within("busy", (struct mls_h5_limits){ 1, 600 },
		     FAILED("more than 1 s of a processor's time"));
	fails_within("busy-loading", (struct mls_h5_limits){ 1, 600 },
		     FAILED("more than 1 s of a processor's time"));
	fails_started_within("busy", (struct mls_h5_limits){ 1, 600 },
			     FAILED("more than 1 s of a processor's time"));
}

static void one_that_waits_for_ever_is_stopped(void **state)
{
	(void)state;
	fails_within("wait", (struct mls_h5_limits){ 600, 1 }, FAILED("no answer in 1 s"));
	fails_started_within("wait", (struct mls_h5_limits){ 600, 1 }, FAILED("no answer in 1 s"));
}

static void one_that_hangs_up_and_lives_on_is_ended(void **state)
{
	(void)state;
	fails_within("hang-up", (struct mls_h5_limits){ 600, 600 }, FAILED("signal 9 (Killed)"));
}

/* A caller whose children vanish without anybody waiting for them. */
static void a_crash_is_seen_where_children_are_ignored(void **state)
{
	struct session s;

	(void)state;
	pretend("crash");
	signal(SIGCHLD, SIG_IGN);
	assert_int_equal(open_within(&s, (struct mls_h5_limits)MLS_H5_LIMITS, NULL), -EINVAL);
	signal(SIGCHLD, SIG_DFL);
	assert_string_equal(s.err.message, FAILED("its process has ended"));
	mls_arena_free(&s.arena);
}

/*
 * Another thread of the caller makes a copy of the caller at the worst moment: it has
 * everything that was open then, the process's end of the socket, too, and lives on.
 */
static pid_t copy;
static int copy_lives[2];
static bool makes_copy;

int __real_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *files,
		       const posix_spawnattr_t *attributes, char *const argv[], char *const env[]);
int __wrap_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *files,
		       const posix_spawnattr_t *attributes, char *const argv[], char *const env[]);
int __wrap_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *files,
		       const posix_spawnattr_t *attributes, char *const argv[], char *const env[])
{
	char byte;

	if (makes_copy) {
		copy = fork();
		if (copy == 0) {
			close(copy_lives[1]);
			if (read(copy_lives[0], &byte, 1) >= 0)
				_exit(0);
		}
	}
	return __real_posix_spawn(pid, path, files, attributes, argv, env);
}

static void a_crash_is_seen_while_a_copy_of_the_caller_has_the_socket(void **state)
{
	struct session s;

	(void)state;
	pretend("crash");
	assert_int_equal(pipe(copy_lives), 0);
	makes_copy = true;
	assert_int_equal(open_within(&s, (struct mls_h5_limits){ 600, 600 }, NULL), -EINVAL);
	makes_copy = false;
	assert_string_equal(s.err.message, FAILED("signal 11 (Segmentation fault)"));
	/* It has lived until now. */
	assert_int_equal(waitpid(copy, NULL, WNOHANG), 0);
	close(copy_lives[0]);
	close(copy_lives[1]);
	assert_int_equal(waitpid(copy, NULL, 0), copy);
	mls_arena_free(&s.arena);
}

/* ---- what it may do ------------------------------------------------------------------------------- */

static void who_takes_it_over_finds_nothing_to_do(void **state)
{
	struct mlsched_model *model = NULL;
	struct mlsched_error err;
	/* Something that a careless caller leaves open. */
	int careless = open("/etc/passwd", O_RDONLY);

	(void)state;
	assert_true(careless >= 0);
	pretend("try");
	assert_int_equal(mls_keras_read(&some_file, &err, &model), -EINVAL);
	close(careless);
	assert_string_equal(err.message,
			    "Invalid Keras format: some.h5: expected an HDF5 file, found that "
			    "libhdf5 says: succeeded:");
}

/* ---- answers to the other questions ------------------------------------------------------------------ */

static struct mls_h5 *open_lying(struct session *s, const char *mode)
{
	struct mls_h5 *h5 = NULL;

	*s = (struct session){ .arena = MLS_ARENA_INIT(1 << 20) };
	s->arena.format = "Keras";
	pretend(mode);
	if (mls_h5_open(&some_file, &s->arena, &s->err, &h5) != 0)
		fail_msg("%s", s->err.message);
	return h5;
}

static void close_lying(struct session *s, struct mls_h5 *h5, const char *message)
{
	enum mls_h5_kind kind;

	assert_string_equal(s->err.message, message);
	/* It has ended, and whoever goes on asking is told so. */
	assert_int_equal(mls_h5_look(h5, "x", &kind), -EINVAL);
	assert_string_equal(s->err.message, FAILED("its process has ended"));
	mls_h5_close(h5);
	mls_arena_free(&s->arena);
}

static void no_answer_is_believed_that_makes_no_sense(void **state)
{
	int n_files = count_files();
	struct mls_h5_tensor tensor;
	struct mls_h5_names names;
	enum mls_h5_kind kind;
	struct mls_h5 *h5;
	struct session s;

	(void)state;
	h5 = open_lying(&s, "lie-kind");
	assert_int_equal(mls_h5_look(h5, "a", &kind), -EINVAL);
	assert_int_equal(kind, MLS_H5_NOTHING);
	close_lying(&s, h5, FAILED("its process answered with no kind of object"));
	h5 = open_lying(&s, "lie-names");
	assert_int_equal(mls_h5_list(h5, "a", &names), -EINVAL);
	close_lying(&s, h5, FAILED("its process answered with too many names"));
	h5 = open_lying(&s, "lie-fewer");
	assert_int_equal(mls_h5_list(h5, "a", &names), -EINVAL);
	close_lying(&s, h5, FAILED("its process answered with another number of names"));
	h5 = open_lying(&s, "lie-open-end");
	assert_int_equal(mls_h5_list(h5, "a", &names), -EINVAL);
	close_lying(&s, h5, FAILED("its process answered with another number of names"));
	h5 = open_lying(&s, "lie-shape");
	assert_int_equal(mls_h5_tensor(h5, "a", &tensor), -EINVAL);
	close_lying(&s, h5, FAILED("its process answered with no tensor"));
	h5 = open_lying(&s, "lie-size");
	assert_int_equal(mls_h5_tensor(h5, "a", &tensor), -EINVAL);
	close_lying(&s, h5, FAILED("its process answered with no tensor"));
	h5 = open_lying(&s, "lie-infinite");
	assert_int_equal(mls_h5_tensor(h5, "a", &tensor), -EINVAL);
	close_lying(&s, h5, FAILED("its process answered with numbers that are not finite"));
	nothing_is_left(n_files);
}

/* ---- by a starter, which is there before -------------------------------------------------------------- */

/* The questions of a reader; the last is one that a process must have lived until. */
static int read_started(const struct mls_h5_starter *starter, struct session *s)
{
	enum mls_h5_kind kind;
	const char *text;
	struct mls_h5 *h5;
	int ret;

	*s = (struct session){ .arena = MLS_ARENA_INIT(1 << 20) };
	s->arena.format = "Keras";
	ret = mls_h5_open_by(&some_file, starter, &s->arena, &s->err, &h5);
	if (!ret) {
		ret = mls_h5_text(h5, "", "model_config", &text);
		if (!ret)
			ret = mls_h5_look(h5, "x", &kind);
		mls_h5_close(h5);
	}
	mls_arena_free(&s->arena);
	return ret;
}

static void what_becomes_of_a_started_process_is_an_error_of_the_file(void **state)
{
	int n_files = count_files();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
		struct mls_h5_starter starter;
		struct session s;

		/* There a starter would not have come to be one. */
		if (strcmp(failures[i].mode, "crash-loading") == 0)
			continue;
		open_starter(failures[i].mode, &starter);
		/* It outlives them. */
		for (int times = 0; times < 3; times++) {
			assert_int_equal(read_started(&starter, &s), failures[i].code);
			assert_string_equal(s.err.message, failures[i].message);
		}
		assert_int_equal(count_files(), n_files + 1);
		mls_h5_starter_close(&starter);
		nothing_is_left(n_files);
	}
}

static void who_takes_a_started_process_over_finds_nothing_to_do(void **state)
{
	int careless = open("/etc/passwd", O_RDONLY);
	struct mls_h5_starter starter;
	struct session s;

	(void)state;
	assert_true(careless >= 0);
	open_starter("try", &starter);
	assert_int_equal(read_started(&starter, &s), -EINVAL);
	close(careless);
	assert_string_equal(s.err.message,
			    "Invalid Keras format: some.h5: expected an HDF5 file, found that "
			    "libhdf5 says: succeeded:");
	mls_h5_starter_close(&starter);
}

static void a_starter_that_cannot_load_the_library_says_so(void **state)
{
	int n_files = count_files();
	struct mls_h5_starter starter;
	struct mlsched_error err;

	(void)state;
	pretend("crash-loading");
	assert_int_equal(mls_h5_starter_open(&err, &starter), -EPIPE);
	assert_string_equal(err.message,
			    "the process that starts those of the HDF5 library: it has ended");
	nothing_is_left(n_files);
	pretend("old");
	assert_int_equal(mls_h5_starter_open(&err, &starter), -ENOTSUP);
	assert_string_equal(err.message,
			    "Cannot read model: Keras files: reading HDF5 needs libhdf5 "
			    "1.10 or later (Debian: apt install libhdf5-103-1), found "
			    "1.8.23");
	nothing_is_left(n_files);
}

static void without_its_starter_a_file_is_refused(void **state)
{
	static const char head[] =
		"Cannot read model: some.h5: no process in which the HDF5 library "
		"could read it: the process that starts it: ";
	int n_files = count_files();
	struct mls_h5_starter starter;
	siginfo_t info;
	struct session s;

	(void)state;
	open_starter("wait", &starter);
	assert_int_equal(kill(starter.pid, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)starter.pid, &info, WEXITED | WNOWAIT), 0);
	assert_true(read_started(&starter, &s) < 0);
	assert_memory_equal(s.err.message, head, sizeof(head) - 1);
	mls_h5_starter_close(&starter);
	nothing_is_left(n_files);
}

static void what_is_started_ends_with_the_starter(void **state)
{
	int n_files = count_files();
	struct mls_h5_starter starter;
	struct mls_h5_process process;
	struct mlsched_error err;
	struct pollfd pfd = { .events = POLLIN };

	(void)state;
	open_starter("wait", &starter);
	assert_int_equal(mls_h5_process_start(&some_file, "Keras",
					      &(struct mls_h5_limits){ 600, 600 }, &starter, &err,
					      &process),
			 0);
	mls_h5_starter_close(&starter);
	/* Its end of the socket is nobody's any more. */
	pfd.fd = process.socket;
	assert_int_equal(poll(&pfd, 1, -1), 1);
	assert_true(pfd.revents & POLLHUP);
	mls_h5_process_end(&process);
	nothing_is_left(n_files);
}

/* An order with that many descriptors, and so many bytes of it. */
static void send_some_order(const struct mls_h5_starter *starter, int n, size_t size,
			    uint32_t cpu_s)
{
	uint32_t order[2] = { cpu_s };
	struct iovec part = { order, size };
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(8 * sizeof(int))];
	} control = { 0 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	const int files[8] = { 0 };

	if (n > 0) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE((size_t)n * sizeof(int));
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
		memcpy(CMSG_DATA(&control.head), files, (size_t)n * sizeof(int));
	}
	assert_int_equal(sendmsg(starter->socket, &message, MSG_NOSIGNAL), (ssize_t)size);
}

static void what_is_no_order_is_passed_over(void **state)
{
	struct mls_h5_starter starter;
	struct session s;

	(void)state;
	open_starter("exit", &starter);
	for (int i = 0; i < 100; i++) {
		for (int n = 0; n <= 8; n++) {
			if (n != MLS_H5_ORDER_FILES)
				send_some_order(&starter, n, sizeof(struct mls_h5_order), 5);
		}
		send_some_order(&starter, MLS_H5_ORDER_FILES, 1, 5);
		send_some_order(&starter, MLS_H5_ORDER_FILES, sizeof(struct mls_h5_order), 0);
	}
	/* None of all those descriptors has stayed open: the limit is far below their number. */
	assert_int_equal(read_started(&starter, &s), -EINVAL);
	assert_string_equal(s.err.message, FAILED("its process has ended with status 3"));
	mls_h5_starter_close(&starter);
}

static void one_more_than_a_starter_may_have_is_refused(void **state)
{
	static struct mls_h5_process processes[MLS_H5_STARTED + 1];
	struct mls_h5_limits limits = { 600, 600 };
	int n_files = count_files();
	struct mls_h5_starter starter;
	struct mls_h5_ended ended;
	struct mlsched_error err;
	struct session s;

	(void)state;
	open_starter("exit", &starter);
	for (size_t i = 0; i < ARRAY_SIZE(processes); i++) {
		assert_int_equal(mls_h5_process_start(&some_file, "Keras", &limits, &starter, &err,
						      &processes[i]),
				 0);
	}
	assert_int_equal(mls_h5_starter_ended(processes[MLS_H5_STARTED].ending, 600, &ended),
			 -EPIPE);
	for (size_t i = 0; i < ARRAY_SIZE(processes); i++)
		mls_h5_process_end(&processes[i]);
	/* Their places are free again. */
	assert_int_equal(read_started(&starter, &s), -EINVAL);
	assert_string_equal(s.err.message, FAILED("its process has ended with status 3"));
	mls_h5_starter_close(&starter);
	nothing_is_left(n_files);
}

/* ---- with the real library ----------------------------------------------------------------------------- */

#define REAL "tests/golden/keras/models/keras3-shards/model.keras"

struct readers {
	uint32_t checksum;
	const struct mls_h5_starter *starter;
};

static void *load_often(void *context)
{
	const struct readers *r = context;

	for (int i = 0; i < 4; i++) {
		struct mlsched_model *model;
		struct mlsched_error err;

		if (mls_model_load_by(REAL, r->starter, &err, &model) != 0)
			return strdup(err.message);
		if (mlsched_model_checksum(model) != r->checksum)
			return strdup("another model");
		mlsched_model_free(model);
	}
	return NULL;
}

static void read_by_threads(const struct mls_h5_starter *starter)
{
	struct readers readers = { .starter = starter };
	struct mlsched_model *model;
	struct mlsched_error err;
	pthread_t threads[4];

	if (mlsched_model_load(REAL, &err, &model) != 0)
		fail_msg("%s", err.message);
	readers.checksum = mlsched_model_checksum(model);
	mlsched_model_free(model);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, load_often, &readers), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		void *message;

		pthread_join(threads[i], &message);
		if (message)
			fail_msg("%s", (char *)message);
	}
}

static void threads_read_at_the_same_time(void **state)
{
	struct mls_h5_starter starter;
	struct mlsched_error err;

	(void)state;
	unsetenv("LD_LIBRARY_PATH");
	read_by_threads(NULL);
	if (mls_keras_ahead(&starter, &err) != 0)
		fail_msg("%s", err.message);
	read_by_threads(&starter);
	mls_h5_starter_close(&starter);
}

/* A service may be started without any of the first three. */
static void it_is_read_where_nothing_is_open(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	assert_true(child >= 0);
	if (child == 0) {
		struct mlsched_model *model;

		for (int fd = 0; fd < 64; fd++)
			close(fd);
		if (mlsched_model_load(REAL, NULL, &model) != 0)
			_exit(1);
		mlsched_model_free(model);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static int use_fake_library(void **state)
{
	const char *build = getenv("O");
	char path[4096];

	(void)state;
	snprintf(path, sizeof(path), "%s/tests/fake/hdf5", build ? build : "build");
	return setenv("LD_LIBRARY_PATH", path, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_becomes_of_the_library_is_an_error_of_the_file),
		cmocka_unit_test(an_abort_is_an_error_of_the_file),
		cmocka_unit_test(one_that_computes_for_ever_is_stopped),
		cmocka_unit_test(one_that_waits_for_ever_is_stopped),
		cmocka_unit_test(one_that_hangs_up_and_lives_on_is_ended),
		cmocka_unit_test(a_crash_is_seen_where_children_are_ignored),
		cmocka_unit_test(a_crash_is_seen_while_a_copy_of_the_caller_has_the_socket),
		cmocka_unit_test(who_takes_it_over_finds_nothing_to_do),
		cmocka_unit_test(no_answer_is_believed_that_makes_no_sense),
		cmocka_unit_test(what_becomes_of_a_started_process_is_an_error_of_the_file),
		cmocka_unit_test(who_takes_a_started_process_over_finds_nothing_to_do),
		cmocka_unit_test(a_starter_that_cannot_load_the_library_says_so),
		cmocka_unit_test(without_its_starter_a_file_is_refused),
		cmocka_unit_test(what_is_started_ends_with_the_starter),
		cmocka_unit_test(what_is_no_order_is_passed_over),
		cmocka_unit_test(one_more_than_a_starter_may_have_is_refused),
		cmocka_unit_test(threads_read_at_the_same_time),
		cmocka_unit_test(it_is_read_where_nothing_is_open),
	};

	return cmocka_run_group_tests_name("hdf5", tests, use_fake_library, NULL);
}
