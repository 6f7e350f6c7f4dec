// SPDX-License-Identifier: GPL-2.0
/*
 * libhdf5 in a process of its own.
 *
 * It is a large parser of a format with many corners, and releases that are in use read
 * beyond their buffers when a file is damaged.  So it never runs where the scheduler, or
 * the program that links with this library, has its memory.  A program is started for
 * it, not a copy of the caller made by fork(): the caller may have threads, whose locks
 * a copy would inherit as they happen to be (malloc()'s, the dynamic loader's, or those
 * of a libhdf5 that the caller itself uses); it may be large; and its memory holds what
 * a file that takes libhdf5 over must not find.
 *
 * Whoever uses a library has no program of ours that could be found for sure, so the
 * program (hdf5_child/, some 50 KiB) is part of the library: it goes into a file in
 * memory, and that is executed.  It gets the content of the file, a socket, and nothing
 * else; it gives up the rest before it looks at the file (hdf5_child/main.c).
 *
 * Nothing here is global, and nothing locks: any number of threads may read at a time.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "src/formats/hdf5_process.h"
#include "src/util/error.h"
#include "src/util/memory_file.h"

/* Milliseconds after which an answer is late enough to see whether anybody is there. */
#define LOOK_MS 500

/* The program, as an executable file has it: hdf5_program.c. */
extern const uint8_t mls_h5_program[], mls_h5_program_end[];

extern char **environ;

/* ---- starting ---------------------------------------------------------------------------- */

static const char *doing(const struct mls_h5_process *p)
{
	return p->file->size ? "read" : "write";
}

static int cannot_start(const struct mls_h5_process *p, const char *what, int error)
{
	return mls_error(p->err, -error,
			 "Cannot %s model: %s: no process in which the HDF5 library could %s it: "
			 "%s: %s",
			 doing(p), p->file->path, doing(p), what, strerror(error));
}

/*
 * In the sandbox of `mlsched run` a new process would be the end of this one.  It is
 * the only place where even this question is not answered: other filters let everybody
 * ask whether there is one.
 */
static int check_sandbox(const struct mls_h5_process *p)
{
	if (prctl(PR_GET_SECCOMP) >= 0 || errno != EPERM)
		return 0;
	if (!p->file->size)
		return cannot_start(p, "the sandbox starts none", ENOTSUP);
	return mls_error(p->err, -ENOTSUP,
			 "Cannot read model: %s: a %s file is read in a process of its own, and "
			 "the sandbox of a running scheduler starts none: `mlsched model swap` "
			 "reads it elsewhere and sends it, `mlsched convert` makes a SavedModel or "
			 "an ONNX file of it, which can be read here",
			 p->file->path, p->format);
}

/* The first numbers are the ones that the process gets; they may be free here. */
static int move_up(int fd)
{
	int up = fd < 0 || fd > MLS_H5_IMAGE ? fd : fcntl(fd, F_DUPFD_CLOEXEC, MLS_H5_IMAGE + 1);

	if (up != fd)
		close(fd);
	return up;
}

/* Signals of a terminal are for the caller; everything about them as it is in a new program. */
static int set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t all, none;
	int error;

	sigfillset(&all);
	sigemptyset(&none);
	error = posix_spawnattr_setsigdefault(attributes, &all);
	if (!error)
		error = posix_spawnattr_setsigmask(attributes, &none);
	if (!error)
		error = posix_spawnattr_setpgroup(attributes, 0);
	if (!error)
		error = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF |
								     POSIX_SPAWN_SETSIGMASK |
								     POSIX_SPAWN_SETPGROUP);
	return error;
}

static int set_files(posix_spawn_file_actions_t *files, int socket, int image)
{
	int error = posix_spawn_file_actions_adddup2(files, socket, MLS_H5_SOCKET);

	for (int fd = MLS_H5_SOCKET + 1; !error && fd < MLS_H5_IMAGE; fd++)
		error = posix_spawn_file_actions_addopen(files, fd, "/dev/null", O_RDWR, 0);
	if (!error && image >= 0)
		error = posix_spawn_file_actions_adddup2(files, image, MLS_H5_IMAGE);
	if (!error && image < 0)
		error = posix_spawn_file_actions_addopen(files, MLS_H5_IMAGE, "/dev/null", O_RDWR,
							 0);
	return error;
}

static int spawn(struct mls_h5_process *p, int program, int socket, int image)
{
	char path[32], seconds[16], *nothing[] = { NULL };
	char *const arguments[] = { (char *)"mlsched-hdf5", seconds, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	int error = posix_spawnattr_init(&attributes);

	if (error)
		return error;
	error = posix_spawn_file_actions_init(&files);
	if (error)
		goto out_attributes;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", program);
	snprintf(seconds, sizeof(seconds), "%u", p->limits.cpu_s);
	error = set_attributes(&attributes);
	if (!error)
		error = set_files(&files, socket, image);
	/* Where the caller has more rights than its user, the user's settings do not count. */
	if (!error)
		error = posix_spawn(&p->pid, path, &files, &attributes, arguments,
				    getauxval(AT_SECURE) ? nothing : environ);
	posix_spawn_file_actions_destroy(&files);
out_attributes:
	posix_spawnattr_destroy(&attributes);
	return error;
}

int mls_h5_process_start(const struct mls_blob *file, const char *format,
			 const struct mls_h5_limits *limits, struct mlsched_error *err,
			 struct mls_h5_process *process)
{
	int sockets[2], program = -1, image = -1, theirs = -1, ret;

	*process = (struct mls_h5_process){
		.file = file, .format = format, .err = err, .limits = *limits, .pid = -1
	};
	ret = check_sandbox(process);
	if (ret)
		return ret;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0)
		return cannot_start(process, "a socket", errno);
	process->socket = sockets[0];
	theirs = move_up(sockets[1]);
	if (theirs >= 0 && file->size)
		image = move_up(mls_memory_file("mlsched-model", 0, file->data, file->size));
	if (theirs >= 0 && (image >= 0 || !file->size))
		program = move_up(mls_memory_file("mlsched-hdf5", MFD_EXEC, mls_h5_program,
						  (size_t)(mls_h5_program_end - mls_h5_program)));
	if (program < 0) {
		ret = cannot_start(process, "a file in memory", errno);
	} else {
		int error = spawn(process, program, theirs, image);

		if (error)
			ret = cannot_start(process, "executing a file in memory", error);
	}
	if (program >= 0)
		close(program);
	if (image >= 0)
		close(image);
	if (theirs >= 0)
		close(theirs);
	if (ret)
		close(process->socket);
	return ret;
}

/* ---- its end ------------------------------------------------------------------------------ */

/*
 * The caller may have set up that its children vanish, or may have waited for this one
 * already: then its number can be somebody else's, and is left alone.
 */
static bool is_ours(pid_t pid, siginfo_t *info)
{
	info->si_pid = 0;
	return waitid(P_PID, (id_t)pid, info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static bool reap(struct mls_h5_process *p, siginfo_t *info)
{
	bool known = false;

	close(p->socket);
	if (is_ours(p->pid, info)) {
		if (info->si_pid == 0)
			kill(p->pid, SIGKILL);
		do {
			known = waitid(P_PID, (id_t)p->pid, info, WEXITED) == 0;
		} while (!known && errno == EINTR);
	}
	p->pid = -1;
	return known;
}

static int failed(struct mls_h5_process *p, const char *how)
{
	if (!p->file->size)
		return mls_error(
			p->err, -EIO,
			"Cannot write model: %s: expected the HDF5 library to make it, found "
			"that it failed: %s",
			p->file->path, how);
	return mls_error(p->err, -EINVAL,
			 "Invalid %s format: %s: expected a file that the HDF5 library can read, "
			 "found one on which it failed: %s",
			 p->format, p->file->path, how);
}

static int fail_by_end(struct mls_h5_process *p)
{
	siginfo_t info;
	char how[96];

	/* What a process dies of is settled before its socket is closed: SIGKILL changes nothing then. */
	if (!reap(p, &info))
		return failed(p, "its process has ended");
	if (info.si_code == CLD_EXITED)
		snprintf(how, sizeof(how), "its process has ended with status %d", info.si_status);
	else if (info.si_status == SIGXCPU)
		snprintf(how, sizeof(how), "more than %u s of a processor's time", p->limits.cpu_s);
	else
		snprintf(how, sizeof(how), "signal %d (%s)", info.si_status,
			 strsignal(info.si_status));
	return failed(p, how);
}

static int fail_by_silence(struct mls_h5_process *p)
{
	siginfo_t info;
	char how[64];

	reap(p, &info);
	snprintf(how, sizeof(how), "no answer in %u s", p->limits.wait_s);
	return failed(p, how);
}

int mls_h5_process_distrust(struct mls_h5_process *process, const char *what)
{
	siginfo_t info;
	char how[128];

	reap(process, &info);
	snprintf(how, sizeof(how), "its process answered with %s", what);
	return failed(process, how);
}

void mls_h5_process_end(struct mls_h5_process *process)
{
	siginfo_t info;

	if (process->pid >= 0)
		reap(process, &info);
}

/* ---- asking -------------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/*
 * Until the socket can be used, or @until has come: -ETIME.  A fork() of another thread
 * while the process was started has a copy of its end of the socket, and keeps that
 * from being closed with it: so it is looked after, too, now and then (-EPIPE).
 */
static int wait_for(const struct mls_h5_process *p, short events, int64_t until)
{
	struct pollfd pfd = { .fd = p->socket, .events = events };
	int n = 0;

	while (n == 0 || (n < 0 && errno == EINTR)) {
		int64_t left = until - now_ms();
		siginfo_t info;

		n = poll(&pfd, 1, left > LOOK_MS ? LOOK_MS : left > 0 ? (int)left : 0);
		if (n > 0)
			return 0;
		if (n == 0 && left <= LOOK_MS)
			return -ETIME;
		if (n == 0 && (!is_ours(p->pid, &info) || info.si_pid != 0))
			return poll(&pfd, 1, 0) > 0 ? 0 : -EPIPE;
	}
	return -errno;
}

/* Sends, or receives, all bytes; -ETIME, -EPIPE when the other end is gone, -errno. */
static int transfer(const struct mls_h5_process *p, void *bytes, size_t size, bool sends,
		    int64_t until)
{
	for (size_t done = 0; done < size;) {
		int ret = wait_for(p, sends ? POLLOUT : POLLIN, until);
		char *at = (char *)bytes + done;
		ssize_t n;

		if (ret)
			return ret;
		n = sends ? send(p->socket, at, size - done, MSG_NOSIGNAL | MSG_DONTWAIT) :
			    recv(p->socket, at, size - done, MSG_DONTWAIT);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return n == 0 || errno == ECONNRESET ? -EPIPE : -errno;
		done += (size_t)n;
	}
	return 0;
}

static int fail_transfer(struct mls_h5_process *p, int ret)
{
	if (ret == -EPIPE)
		return fail_by_end(p);
	if (ret == -ETIME)
		return fail_by_silence(p);
	mls_h5_process_end(p);
	return cannot_start(p, "its socket", -ret);
}

static int check_answer(struct mls_h5_process *p, const struct mls_h5_frame *question,
			const struct mls_h5_frame *answer)
{
	static const int codes[] = { 0, -EINVAL, -ENOTSUP, -EFBIG, -ENOMEM, -EBADMSG };
	bool known = false;

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		known = known || answer->code == codes[i];
	if (answer->what != question->what)
		return mls_h5_process_distrust(p, "what was not asked");
	if (!known || answer->size > MLS_H5_MAX_ANSWER)
		return mls_h5_process_distrust(p, "a code or a length that makes no sense");
	return 0;
}

int mls_h5_process_ask(struct mls_h5_process *process, const struct mls_h5_frame *question,
		       const void *payload, struct mls_arena *arena, struct mls_h5_frame *answer,
		       const char **answered)
{
	int64_t until = now_ms() + (int64_t)process->limits.wait_s * 1000;
	struct mls_h5_frame head = *question;
	char *bytes = NULL;
	int ret;

	if (process->pid < 0)
		return failed(process, "its process has ended");
	ret = transfer(process, &head, sizeof(head), true, until);
	if (!ret)
		ret = transfer(process, (void *)(uintptr_t)payload, head.size, true, until);
	if (!ret)
		ret = transfer(process, answer, sizeof(*answer), false, until);
	if (!ret) {
		ret = check_answer(process, question, answer);
		if (ret)
			return ret;
		bytes = mls_arena_array(arena, answer->size + (size_t)1, 1);
		if (!bytes)
			return mls_no_memory(arena, process->file->path, process->err);
		ret = transfer(process, bytes, answer->size, false, until);
	}
	if (ret)
		return fail_transfer(process, ret);
	if (answer->code)
		return mls_error(process->err, answer->code, "%s", bytes);
	*answered = bytes;
	return 0;
}
