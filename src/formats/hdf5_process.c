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
 * Who will not be able to start a process has a starter (hdf5_starter.h), which does it.
 *
 * Nothing here is global, and nothing locks: any number of threads may read at a time.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "src/formats/hdf5_process.h"
#include "src/formats/hdf5_spawn.h"
#include "src/util/error.h"
#include "src/util/memory_file.h"

/* Milliseconds after which an answer is late enough to see whether anybody is there. */
#define LOOK_MS 500

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

/* In a process of our own. */
static int start_here(struct mls_h5_process *p, int socket, int image)
{
	char seconds[16];
	const char *what;
	int error;

	snprintf(seconds, sizeof(seconds), "%u", p->limits.cpu_s);
	error = mls_h5_spawn(seconds, socket, image, &p->pid, &what);
	return error ? cannot_start(p, what, error) : 0;
}

/* In one of the starter's. */
static int start_there(struct mls_h5_process *p, const struct mls_h5_starter *starter, int socket,
		       int image)
{
	int error = mls_h5_starter_order(starter, p->limits.cpu_s, socket, image, &p->ending);

	return error ? cannot_start(p, "the process that starts it", error) : 0;
}

int mls_h5_process_start(const struct mls_blob *file, const char *format,
			 const struct mls_h5_limits *limits, const struct mls_h5_starter *starter,
			 struct mlsched_error *err, struct mls_h5_process *process)
{
	int sockets[2], image = -1, theirs = -1, ret;

	*process = (struct mls_h5_process){ .file = file,
					    .format = format,
					    .err = err,
					    .limits = *limits,
					    .pid = -1,
					    .ending = -1 };
	if (!file->size)
		starter = NULL;
	ret = starter ? 0 : check_sandbox(process);
	if (ret)
		return ret;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0)
		return cannot_start(process, "a socket", errno);
	process->socket = sockets[0];
	theirs = mls_h5_move_up(sockets[1]);
	if (theirs >= 0 && file->size)
		image = mls_h5_move_up(mls_memory_file("mlsched-model", 0, file->data, file->size));
	if (theirs < 0 || (image < 0 && file->size))
		ret = cannot_start(process, "a file in memory", errno);
	else if (starter)
		ret = start_there(process, starter, theirs, image);
	else
		ret = start_here(process, theirs, image);
	process->runs = !ret;
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

/*
 * One of the starter's: it kills it, if it still runs, when it sees that nobody wants to
 * say anything any more, and says in any case how it ended.
 */
static bool reap_there(struct mls_h5_process *p, siginfo_t *info)
{
	struct mls_h5_ended ended;
	bool known;

	shutdown(p->ending, SHUT_WR);
	known = mls_h5_starter_ended(p->ending, p->limits.wait_s, &ended) == 0;
	close(p->ending);
	p->ending = -1;
	info->si_code = known ? ended.code : 0;
	info->si_status = known ? ended.status : 0;
	return known;
}

static bool reap(struct mls_h5_process *p, siginfo_t *info)
{
	bool known = false;

	p->runs = false;
	close(p->socket);
	if (p->ending >= 0)
		return reap_there(p, info);
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

	if (process->runs)
		reap(process, &info);
}

/* ---- asking -------------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool has_ended(const struct mls_h5_process *p)
{
	struct pollfd pfd = { .fd = p->ending, .events = POLLIN };
	siginfo_t info;

	if (p->ending >= 0)
		return poll(&pfd, 1, 0) > 0;
	return !is_ours(p->pid, &info) || info.si_pid != 0;
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

		n = poll(&pfd, 1, left > LOOK_MS ? LOOK_MS : left > 0 ? (int)left : 0);
		if (n > 0)
			return 0;
		if (n == 0 && left <= LOOK_MS)
			return -ETIME;
		if (n == 0 && has_ended(p))
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
	static const int codes[] = { MLS_H5_CODES };
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

	if (!process->runs)
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
	if (answer->code && !bytes[0])
		return mls_h5_process_distrust(process, "a code without a message");
	if (answer->code)
		return mls_error(process->err, answer->code, "%s", bytes);
	*answered = bytes;
	return 0;
}
