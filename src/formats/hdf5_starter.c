// SPDX-License-Identifier: GPL-2.0
/*
 * The starter, from the side of who uses it.  An order is one message with descriptors, to
 * which there is no answer: so nothing has to be locked, and who is not served sees that
 * his sockets are closed.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/formats/hdf5_spawn.h"
#include "src/formats/hdf5_starter.h"
#include "src/util/error.h"

/* Until it has loaded libhdf5: a machine may be busy. */
#define READY_MS 120000

/* One message, or the end: 0 bytes. */
static ssize_t receive(int socket, int wait_ms, void *to, size_t size)
{
	struct pollfd pfd = { .fd = socket, .events = POLLIN };
	ssize_t n;

	do {
		n = poll(&pfd, 1, wait_ms);
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		errno = ETIME;
	return n > 0 ? recv(socket, to, size, MSG_DONTWAIT) : -1;
}

/* What it says when it is ready: an error with its message, or nothing. */
static int wait_until_ready(const struct mls_h5_starter *starter, struct mlsched_error *err)
{
	char bytes[sizeof(struct mls_h5_ready) + 1] = "";
	struct mls_h5_ready ready;
	ssize_t n = receive(starter->socket, READY_MS, bytes, sizeof(ready));

	if (n != sizeof(ready))
		return mls_error(err, n < 0 ? -errno : -EPIPE,
				 "the process that starts those of the HDF5 library: %s",
				 n < 0 ? strerror(errno) : "it has ended");
	memcpy(&ready, bytes, sizeof(ready));
	ready.message[sizeof(ready.message) - 1] = '\0';
	return ready.code ? mls_error(err, ready.code == -ENOTSUP ? -ENOTSUP : -EIO, "%s",
				      ready.message) :
			    0;
}

int mls_h5_starter_open(struct mlsched_error *err, struct mls_h5_starter *starter)
{
	const char *what = "a socket";
	int sockets[2], theirs, error, ret;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0)
		return mls_error(err, -errno, "no process to start those of the HDF5 library: %s",
				 strerror(errno));
	starter->socket = sockets[0];
	theirs = mls_h5_move_up(sockets[1]);
	error = theirs < 0 ? errno : mls_h5_spawn(MLS_H5_STARTER, theirs, -1, &starter->pid, &what);
	if (theirs >= 0)
		close(theirs);
	if (error) {
		close(starter->socket);
		return mls_error(err, -error,
				 "no process to start those of the HDF5 library: %s: %s", what,
				 strerror(error));
	}
	ret = wait_until_ready(starter, err);
	if (ret)
		mls_h5_starter_close(starter);
	return ret;
}

/* Where waiting is forbidden, so is killing: it ends by itself when it has read all orders. */
void mls_h5_starter_close(struct mls_h5_starter *starter)
{
	siginfo_t info = { 0 };
	int ret;

	close(starter->socket);
	if (waitid(P_PID, (id_t)starter->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0)
		return;
	if (info.si_pid == 0)
		kill(starter->pid, SIGKILL);
	do {
		ret = waitid(P_PID, (id_t)starter->pid, &info, WEXITED);
	} while (ret != 0 && errno == EINTR);
}

static int send_order(const struct mls_h5_starter *starter, unsigned int cpu_s,
		      const int files[MLS_H5_ORDER_FILES])
{
	struct mls_h5_order order = { .cpu_s = cpu_s };
	struct iovec part = { &order, sizeof(order) };
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(MLS_H5_ORDER_FILES * sizeof(int))];
	} control = { 0 };
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.room),
	};
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	ssize_t n;

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(MLS_H5_ORDER_FILES * sizeof(int));
	memcpy(CMSG_DATA(head), files, MLS_H5_ORDER_FILES * sizeof(int));
	do {
		n = sendmsg(starter->socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	return n == sizeof(order) ? 0 : n < 0 ? errno : EIO;
}

int mls_h5_starter_order(const struct mls_h5_starter *starter, unsigned int cpu_s, int socket,
			 int image, int *ending)
{
	int sockets[2], error;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0)
		return errno;
	error = send_order(starter, cpu_s, (int[]){ socket, sockets[1], image });
	close(sockets[1]);
	if (error)
		close(sockets[0]);
	*ending = error ? -1 : sockets[0];
	return error;
}

int mls_h5_starter_ended(int ending, unsigned int wait_s, struct mls_h5_ended *ended)
{
	ssize_t n = receive(ending, (int)wait_s * 1000, ended, sizeof(*ended));

	return n == sizeof(*ended) ? 0 : n < 0 ? -errno : -EPIPE;
}
