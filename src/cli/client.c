// SPDX-License-Identifier: GPL-2.0
/*
 * Asking a running scheduler.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "src/cli/client.h"
#include "src/cli/run_control.h"
#include "src/util/clock.h"
#include "src/util/error.h"
#include "src/util/json_text.h"

#define LONGEST_ANSWER (8u << 20)

struct client {
	int fd;
	int attached; /* to the next request, or -1 */
	char *text;
	size_t n;
	size_t room;
};

static int silent(struct mlsched_error *err)
{
	return mls_error(err, -ETIMEDOUT, "the scheduler does not answer: is it stopped?");
}

int client_open(const char *path, struct mlsched_error *err, struct client **client)
{
	/* One that is stopped accepts nobody, and connect() would wait for it. */
	const struct timeval patience = { .tv_sec = CLIENT_PATIENCE };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct client *c;
	int ret;

	path = path ? path : RUN_CONTROL_SOCKET;
	if (!path[0] || strlen(path) >= sizeof(address.sun_path))
		return mls_error(err, -ENAMETOOLONG,
				 "--socket: expected a path of 1 to %zu bytes, got \"%.200s\"",
				 sizeof(address.sun_path) - 1, path);
	strcpy(address.sun_path, path);
	c = calloc(1, sizeof(*c));
	if (!c)
		return mls_error(err, -ENOMEM, "no memory for a connection");
	c->attached = -1;
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd >= 0)
		setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (c->fd >= 0 && connect(c->fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
		*client = c;
		return 0;
	}
	ret = -errno;
	client_close(c);
	if (ret == -EAGAIN)
		return silent(err);
	if (ret == -ENOENT || ret == -ECONNREFUSED)
		return mls_error(err, ret,
				 "no scheduler listens at %s (%s): `mlsched run --backend scx` "
				 "starts one, and --socket says where it is",
				 path, strerror(-ret));
	return mls_error(err, ret, "%s: %s%s", path, strerror(-ret),
			 ret == -EACCES ? ": only root and the scheduler's owner may" : "");
}

void client_attach(struct client *c, int fd)
{
	c->attached = fd;
}

/* As send(), with the descriptor that is attached: it goes with the first byte. */
static ssize_t send_some(struct client *c, const char *text, size_t n)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .space = { 0 } };
	struct iovec bytes = { (char *)text, n };
	struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1 };
	ssize_t sent;

	if (c->attached >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &c->attached, sizeof(int));
	}
	sent = sendmsg(c->fd, &message, MSG_NOSIGNAL);
	if (sent > 0)
		c->attached = -1;
	return sent;
}

static int send_all(struct client *c, const char *text, size_t n, struct mlsched_error *err)
{
	while (n) {
		ssize_t sent = send_some(c, text, n);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno == EAGAIN)
			return silent(err);
		if (sent < 0)
			return mls_error(err, -EPIPE, "the scheduler is gone: %s", strerror(errno));
		text += sent;
		n -= (size_t)sent;
	}
	return 0;
}

static int wait_for_more(struct client *c, double deadline, struct mlsched_error *err)
{
	struct pollfd fd = { .fd = c->fd, .events = POLLIN };
	double left = deadline > 0 ? deadline - mls_now_s() : 0;
	int ret;

	if (deadline > 0 && left <= 0)
		ret = 0;
	else
		ret = poll(&fd, 1, deadline > 0 ? (int)(left * 1000) + 1 : -1);
	if (ret > 0 || (ret < 0 && errno == EINTR))
		return 0;
	return silent(err);
}

static int receive_some(struct client *c, struct mlsched_error *err)
{
	ssize_t n;

	if (c->room - c->n < 4096) {
		size_t room = c->room ? 2 * c->room : 16384;
		char *text = room <= LONGEST_ANSWER ? realloc(c->text, room) : NULL;

		if (!text)
			return mls_error(err, -EBADMSG, "the scheduler's answer has no end");
		c->text = text;
		c->room = room;
	}
	n = recv(c->fd, c->text + c->n, c->room - c->n, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return mls_error(err, -EPIPE, "the scheduler is gone%s%s", n ? ": " : "",
				 n ? strerror(errno) : "");
	c->n += (size_t)n;
	return 0;
}

static int take_answer(struct client *c, size_t length, json_t **answer, struct mlsched_error *err)
{
	json_error_t wrong;
	const char *why;

	*answer = json_loadb(c->text, length, 0, &wrong);
	c->n -= length;
	memmove(c->text, c->text + length, c->n);
	if (!json_is_object(*answer)) {
		json_decref(*answer);
		*answer = NULL;
		return mls_error(err, -EBADMSG, "the scheduler's answer is no JSON object");
	}
	if (json_is_true(json_object_get(*answer, "ok")))
		return 0;
	why = json_string_value(json_object_get(*answer, "error"));
	return mls_error(err, -EREMOTEIO, "%s", why ? why : "the scheduler says no, and not why");
}

int client_ask(struct client *c, json_t *request, double seconds, json_t **answer,
	       struct mlsched_error *err)
{
	double deadline = seconds > 0 ? mls_now_s() + seconds : 0;
	char *text = mls_json_dump(request, JSON_COMPACT), *end = NULL;
	int ret;

	*answer = NULL;
	json_decref(request);
	if (!text)
		return mls_error(err, -EINVAL, "the request is not UTF-8, which JSON has to be");
	ret = send_all(c, text, strlen(text), err);
	free(text);
	if (!ret)
		ret = send_all(c, "\n", 1, err);
	while (!ret && !(end = c->n ? memchr(c->text, '\n', c->n) : NULL)) {
		ret = wait_for_more(c, deadline, err);
		if (!ret)
			ret = receive_some(c, err);
	}
	return ret ? ret : take_answer(c, (size_t)(end - c->text) + 1, answer, err);
}

void client_close(struct client *c)
{
	if (!c)
		return;
	if (c->fd >= 0)
		close(c->fd);
	free(c->text);
	free(c);
}
