// SPDX-License-Identifier: GPL-2.0
/*
 * A libhdf5 that does what a damaged file may make the real one do, or what somebody
 * would do who has taken it over: MLS_FAKE_HDF5 says what.  tests/unit/test_hdf5.c lets
 * the process of hdf5_process.c find it in the place of the real one.  The functions
 * that nothing is made of are in fake_hdf5_rest.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/formats/hdf5_child/api.h"
#include "src/formats/hdf5_protocol.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT int64_t H5P_CLS_FILE_ACCESS_ID_g = 1, H5P_CLS_DATASET_CREATE_ID_g = 2;
EXPORT int64_t H5T_NATIVE_FLOAT_g = 3, H5T_IEEE_F32LE_g = 4, H5T_C_S1_g = 5;
EXPORT int H5open(void);
EXPORT int H5get_libversion(unsigned int *major, unsigned int *minor, unsigned int *release);
EXPORT int H5Ewalk2(mls_hid stack, int direction,
		    int (*take)(unsigned int, const struct mls_h5e_error *, void *), void *data);
EXPORT mls_hid H5Fopen(const char *name, unsigned int flags, mls_hid access);
EXPORT int H5Lexists(mls_hid file, const char *name, mls_hid access);

static char says[512];

static bool is_mode(const char *mode)
{
	const char *found = getenv("MLS_FAKE_HDF5");

	return found && strcmp(found, mode) == 0;
}

static int *volatile nowhere;

static void crash(void)
{
	*nowhere = 0;
}

/* ---- what an intruder would try ------------------------------------------------------------ */

static long open_file(void)
{
	return open("/etc/passwd", O_RDONLY | O_CLOEXEC);
}

static long make_file(void)
{
	return open("/tmp/mlsched-fake-hdf5", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

static long make_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static long make_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid;
}

static long execute(void)
{
	char *const shell[] = { (char *)"/bin/sh", (char *)"-c", (char *)"exit 7", NULL };

	return execv(shell[0], shell);
}

static long signal_parent(void)
{
	return kill(getppid(), 0);
}

/* getppid() itself is refused, and says so by a number that is none. */
static long trace_parent(void)
{
	return ptrace(PTRACE_ATTACH, getppid(), 0, 0);
}

static long map_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -1 : 0;
}

static long make_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -1 : mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

static long take_memory(void)
{
	void *p = mmap(NULL, (size_t)1 << 40, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? -1 : 0;
}

static long raise_limit(void)
{
	const struct rlimit limit = { 16, 16 };

	return setrlimit(RLIMIT_NOFILE, &limit);
}

static long lift_filter(void)
{
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

/* Whatever its caller had open without a flag that closes it. */
static long read_others(void)
{
	char byte;
	long found = -1;

	for (int fd = 3; fd < 1024; fd++) {
		if (read(fd, &byte, 1) >= 0 || errno != EBADF)
			found = fd;
	}
	return found;
}

static const struct {
	const char *name;
	long (*act)(void);
} attempts[] = {
	{ "open", open_file },          { "create", make_file },      { "socket", make_socket },
	{ "fork", make_process },       { "execve", execute },        { "kill", signal_parent },
	{ "ptrace", trace_parent },     { "mmap", map_code },         { "mprotect", make_code },
	{ "memory", take_memory },      { "setrlimit", raise_limit }, { "prctl", lift_filter },
	{ "descriptors", read_others },
};

static void try_all(void)
{
	snprintf(says, sizeof(says), "succeeded:");
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		if (attempts[i].act() != -1)
			snprintf(says + strlen(says), sizeof(says) - strlen(says), " %s",
				 attempts[i].name);
	}
}

/* ---- answers that lie: in the place of the program's own -------------------------------------- */

static void put(const void *bytes, size_t size)
{
	const char *at = bytes;

	while (size > 0) {
		ssize_t n = write(MLS_H5_SOCKET, at, size);

		if (n <= 0)
			_exit(9);
		at += n;
		size -= (size_t)n;
	}
}

static void lie(struct mls_h5_frame frame, const void *payload, size_t size)
{
	struct mls_h5_frame opened = { .what = MLS_H5_ASK_OPEN };
	char bytes[4096];

	/* The first question is the one that is being answered. */
	if (frame.what != MLS_H5_ASK_OPEN) {
		put(&opened, sizeof(opened));
		if (read(MLS_H5_SOCKET, bytes, sizeof(bytes)) <= 0)
			_exit(9);
	}
	put(&frame, sizeof(frame));
	put(payload, size);
	/* Until nobody wants to know any more. */
	while (read(MLS_H5_SOCKET, bytes, sizeof(bytes)) > 0)
		;
	_exit(0);
}

static void answer_by_mode(void)
{
	static const float numbers[4] = { 1, 2, 3, INFINITY };
	struct mls_h5_frame frame = { .what = MLS_H5_ASK_OPEN };

	if (is_mode("lie-long"))
		frame.size = UINT32_MAX;
	else if (is_mode("lie-code"))
		frame.code = -1;
	else if (is_mode("lie-silent"))
		frame.code = -EINVAL;
	else if (is_mode("lie-other"))
		frame.what = MLS_H5_ASK_LOOK;
	else
		frame.what = 0;
	if (frame.what || is_mode("lie-other"))
		lie(frame, NULL, 0);
	if (is_mode("lie-kind"))
		lie((struct mls_h5_frame){ MLS_H5_ASK_LOOK, 0, { 3 }, 0 }, NULL, 0);
	if (is_mode("lie-names"))
		lie((struct mls_h5_frame){ MLS_H5_ASK_LIST, 0, { 1u << 30 }, 4 }, "a\0b", 4);
	if (is_mode("lie-fewer"))
		lie((struct mls_h5_frame){ MLS_H5_ASK_LIST, 0, { 3 }, 4 }, "a\0b", 4);
	if (is_mode("lie-open-end"))
		lie((struct mls_h5_frame){ MLS_H5_ASK_LIST, 0, { 2 }, 3 }, "a\0b", 3);
	if (is_mode("lie-shape"))
		lie((struct mls_h5_frame){ MLS_H5_ASK_TENSOR, 0, { 2, 1u << 16, 1u << 16 }, 0 },
		    NULL, 0);
	if (is_mode("lie-size"))
		lie((struct mls_h5_frame){ MLS_H5_ASK_TENSOR, 0, { 2, 2, 3 }, 16 }, numbers, 16);
	if (is_mode("lie-infinite"))
		lie((struct mls_h5_frame){ MLS_H5_ASK_TENSOR, 0, { 2, 2, 2 }, 16 }, numbers, 16);
}

/* ---- the library -------------------------------------------------------------------------------- */

int H5open(void)
{
	if (is_mode("crash-loading"))
		crash();
	while (is_mode("busy-loading"))
		;
	/* Hangs up, and lives on: later it could not. */
	if (is_mode("hang-up")) {
		close(MLS_H5_SOCKET);
		while (1)
			;
	}
	return 0;
}

int H5get_libversion(unsigned int *major, unsigned int *minor, unsigned int *release)
{
	*major = 1;
	*minor = 10;
	*release = 8;
	if (is_mode("old")) {
		*minor = 8;
		*release = 23;
	}
	return 0;
}

int H5Ewalk2(mls_hid stack, int direction,
	     int (*take)(unsigned int, const struct mls_h5e_error *, void *), void *data)
{
	const struct mls_h5e_error error = { .text = says };

	(void)stack;
	(void)direction;
	return take(0, &error, data);
}

mls_hid H5Fopen(const char *name, unsigned int flags, mls_hid access)
{
	char byte;

	(void)name;
	(void)flags;
	(void)access;
	if (is_mode("crash"))
		crash();
	if (is_mode("abort"))
		abort();
	if (is_mode("exit"))
		exit(3);
	while (is_mode("busy"))
		;
	/* Waits for a question that nobody asks before there is an answer. */
	if (is_mode("wait"))
		return read(MLS_H5_SOCKET, &byte, 1) + 1;
	if (is_mode("try")) {
		try_all();
		return -1;
	}
	answer_by_mode();
	return 5;
}

int H5Lexists(mls_hid file, const char *name, mls_hid access)
{
	(void)file;
	(void)name;
	(void)access;
	if (is_mode("crash-later"))
		crash();
	return 0;
}
