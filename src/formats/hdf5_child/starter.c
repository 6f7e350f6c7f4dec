// SPDX-License-Identifier: GPL-2.0
/*
 * The program as a starter: for a daemon whose sandbox starts no process.
 *
 * It loads libhdf5 while it still can, gives up all that copying itself does not need, and
 * waits for orders (hdf5_protocol.h).  It never looks at a file, nor at what goes over the
 * sockets that it hands on.  Its copies are those that main.c has of one file each, and
 * limit themselves further, as if they had been executed; that their memory is arranged
 * alike is no secret to keep, since there is nothing to be got by it.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/formats/hdf5_child/api.h"
#include "src/formats/hdf5_child/limits.h"
#include "src/formats/hdf5_child/starter.h"
#include "src/formats/hdf5_protocol.h"

/* How it ends. */
enum {
	END_ASKED_NO_MORE = 0,
	END_NOT_LIMITED = 2,
};

enum { ORDER_SOCKET, ORDER_ENDING, ORDER_IMAGE };

/* The numbers are the same on every architecture; older headers lack it. */
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

/**
 * struct started - one of its copies
 * @fd:     readable once it has ended
 * @ending: socket of who has ordered it
 * @wanted: he has not let go of it yet
 */
static struct started {
	pid_t pid;
	int fd;
	int ending;
	bool wanted;
} all[MLS_H5_STARTED];

static int n_started;
/* This process itself. */
static pid_t starter;

static void say_ready(int code, const char *message)
{
	struct mls_h5_ready ready = { .code = code };

	snprintf(ready.message, sizeof(ready.message), "%s", message);
	if (send(MLS_H5_SOCKET, &ready, sizeof(ready), MSG_NOSIGNAL) != sizeof(ready) || code)
		_exit(END_ASKED_NO_MORE);
}

/* ---- orders ------------------------------------------------------------------------------ */

/* Returns whether it is an order.  Descriptors that there is no place for are closed by the kernel. */
static bool receive(struct mls_h5_order *order, int files[MLS_H5_ORDER_FILES])
{
	struct iovec part = { order, sizeof(*order) };
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(MLS_H5_ORDER_FILES * sizeof(int))];
	} control;
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.room),
	};
	const struct cmsghdr *head;
	ssize_t size = recvmsg(MLS_H5_SOCKET, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	size_t n;

	if (size < 0 && (errno == EINTR || errno == EAGAIN))
		return false;
	/* Its copies go with it (mls_limit_resources()). */
	if (size <= 0)
		_exit(END_ASKED_NO_MORE);
	head = CMSG_FIRSTHDR(&message);
	if (!head || head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
		return false;
	n = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(files, CMSG_DATA(head), n * sizeof(int));
	/* An order that is none: whoever waits sees his sockets closed. */
	if (n == MLS_H5_ORDER_FILES && size == sizeof(*order) && order->cpu_s > 0 &&
	    n_started < MLS_H5_STARTED)
		return true;
	while (n > 0)
		close(files[--n]);
	return false;
}

static void bury(struct started *s)
{
	struct mls_h5_ended ended;
	siginfo_t info = { 0 };

	while (waitid(P_PID, (id_t)s->pid, &info, WEXITED) != 0 && errno == EINTR)
		;
	ended = (struct mls_h5_ended){ .code = info.si_code, .status = info.si_status };
	/* Who has closed his end does not want to know. */
	(void)!send(s->ending, &ended, sizeof(ended), MSG_NOSIGNAL | MSG_DONTWAIT);
	close(s->ending);
	if (s->fd >= 0)
		close(s->fd);
	*s = all[--n_started];
}

/* In the copy: the two descriptors that it is about; main.c closes the others. */
static void take_place(const int files[MLS_H5_ORDER_FILES])
{
	/* It goes with the starter, and no signal tells of one that is gone by now. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != starter)
		_exit(END_NOT_LIMITED);
	/* They are above these numbers, which are taken. */
	if (dup2(files[ORDER_SOCKET], MLS_H5_SOCKET) < 0 ||
	    dup2(files[ORDER_IMAGE], MLS_H5_IMAGE) < 0)
		_exit(END_NOT_LIMITED);
}

/* Returns true in the copy. */
static bool start(const int files[MLS_H5_ORDER_FILES])
{
	struct started *s = &all[n_started];
	pid_t pid = fork();

	if (pid == 0) {
		take_place(files);
		return true;
	}
	close(files[ORDER_SOCKET]);
	close(files[ORDER_IMAGE]);
	if (pid < 0) {
		close(files[ORDER_ENDING]);
		return false;
	}
	*s = (struct started){ .pid = pid, .ending = files[ORDER_ENDING], .wanted = true };
	s->fd = (int)syscall(SYS_pidfd_open, pid, 0);
	n_started++;
	/* Its end would not be seen. */
	if (s->fd < 0) {
		kill(pid, SIGKILL);
		bury(s);
	}
	return false;
}

/* ---- waiting -------------------------------------------------------------------------------- */

/* What has happened to the copies; from the last one on, since the last takes the place of one that goes. */
static void look_after(const struct pollfd *fds)
{
	for (int i = n_started - 1; i >= 0; i--) {
		struct started *s = &all[i];

		if (s->wanted && fds[2 * i + 1].revents) {
			s->wanted = false;
			kill(s->pid, SIGKILL);
		}
		if (fds[2 * i].revents)
			bury(s);
	}
}

/* Returns whether there may be an order. */
static bool wait_for_events(void)
{
	struct pollfd fds[2 * MLS_H5_STARTED + 1];
	struct pollfd *orders = &fds[2 * n_started];
	for (int i = 0; i < n_started; i++) {
		fds[2 * i] = (struct pollfd){ .fd = all[i].fd, .events = POLLIN };
		/* Nothing is ever said there: what can be read is that it was shut down. */
		fds[2 * i + 1] = (struct pollfd){ .fd = all[i].wanted ? all[i].ending : -1,
						  .events = POLLIN };
	}
	*orders = (struct pollfd){ .fd = MLS_H5_SOCKET, .events = POLLIN };
	if (poll(fds, 2 * (nfds_t)n_started + 1, -1) < 0)
		return false;
	look_after(fds);
	return orders->revents != 0;
}

unsigned int mls_starter_serve(void)
{
	struct mls_h5_order order;
	int files[MLS_H5_ORDER_FILES];
	const struct mls_h5_api *api;
	struct mlsched_error err;
	int ret = mls_h5_api_get("Keras files", false, &err, &api);

	starter = getpid();
	if (!ret && mls_limit_starter() != 0)
		_exit(END_NOT_LIMITED);
	say_ready(ret, ret ? err.message : "");
	while (1) {
		if (wait_for_events() && receive(&order, files) && start(files))
			return order.cpu_s;
	}
}
