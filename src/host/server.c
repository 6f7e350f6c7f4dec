// SPDX-License-Identifier: GPL-2.0
/*
 * The server for local clients.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "src/host/server.h"
#include "src/util/error.h"

#define EVENTS_AT_ONCE 16
#define BACKLOG        16
/* For the lock of a directory: who starts as well has it for a millisecond. */
#define LOCK_TRIES 100
#define LOCK_PAUSE 10000000 /* ns */

/**
 * struct mls_client - one connection
 * @fd:     -1: the place is free
 * @turn:   when it was last heard of: of the server's turns
 * @busy:   a message of its has not been answered
 * @ended:  it will send nothing more
 * @last:   close when everything is sent
 * @sent_fd: a descriptor that came with the message that is not handled yet, or -1
 * @in:     [options.longest + 1], @n_in bytes are there
 * @out:    answers, of which @sent bytes of @n_out are gone
 */
struct mls_client {
	struct mls_server *server;
	int fd;
	uint64_t turn;
	bool busy;
	bool ended;
	bool last;
	int sent_fd;
	char *in;
	size_t n_in;
	char *out;
	size_t n_out;
	size_t sent;
};

struct mls_server {
	struct mls_server_options options;
	int epoll;
	int fd; /* that is listened to */
	int spare; /* a descriptor to let go of, see turn_away() */
	uint16_t port;
	uint64_t turn;
	char *path;
	dev_t device; /* of the socket's file, like @inode: that we remove no other's */
	ino_t inode;
	struct mls_client clients[MLS_SERVER_CLIENTS];
};

int mls_server_open(const struct mls_server_options *options, struct mlsched_error *err,
		    struct mls_server **server)
{
	struct mls_server *s = calloc(1, sizeof(*s));

	if (!s)
		return mls_error(err, -ENOMEM, "no memory for a server");
	s->options = *options;
	s->fd = -1;
	s->spare = eventfd(0, EFD_CLOEXEC);
	for (int i = 0; i < MLS_SERVER_CLIENTS; i++) {
		s->clients[i].server = s;
		s->clients[i].fd = -1;
		s->clients[i].sent_fd = -1;
	}
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll < 0) {
		int ret = mls_error(err, -errno, "epoll_create1: %s", strerror(errno));

		close(s->spare);
		free(s);
		return ret;
	}
	*server = s;
	return 0;
}

/* ---- addresses -------------------------------------------------------------------- */

static int listen_at(struct mls_server *s, const struct sockaddr *address, socklen_t size,
		     const char *name, struct mlsched_error *err)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
	int one = 1;

	s->fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return mls_error(err, -errno, "%s: %s", name, strerror(errno));
	if (address->sa_family != AF_UNIX)
		setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(s->fd, address, size) != 0 || listen(s->fd, BACKLOG) != 0 ||
	    epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->fd, &event) != 0)
		return mls_error(err, -errno, "cannot listen at %s: %s", name, strerror(errno));
	return 0;
}

/* Whether there is a server behind a socket's file: one that is stopped counts, too. */
static bool is_alive(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool alive;

	if (fd < 0)
		return true;
	alive = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
		errno != ECONNREFUSED;
	close(fd);
	return alive;
}

static int clear_path(const struct sockaddr_un *address, struct mlsched_error *err)
{
	const char *path = address->sun_path;
	struct stat st;

	if (lstat(path, &st) != 0)
		return errno == ENOENT ? 0 :
					 mls_error(err, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return mls_error(err, -EEXIST, "%s: expected a socket or nothing, found a file",
				 path);
	if (is_alive(address))
		return mls_error(err, -EADDRINUSE, "%s: somebody else listens there", path);
	if (unlink(path) != 0)
		return mls_error(err, -errno, "%s: cannot replace what nobody listens to: %s", path,
				 strerror(errno));
	return 0;
}

static void make_directories(char *path)
{
	for (char *c = path + 1; *c; c++) {
		if (*c != '/')
			continue;
		*c = '\0';
		mkdir(path, 0755);
		*c = '/';
	}
	mkdir(path, 0755);
}

/*
 * Whoever may read the directory may lock it, and for as long as he likes.  So nobody is
 * waited for without end: without the lock two that start in the same moment may replace
 * each other's socket, and that is all.
 */
static void lock_for_a_while(int fd)
{
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE };

	for (int i = 0; i < LOCK_TRIES && flock(fd, LOCK_EX | LOCK_NB) != 0; i++)
		nanosleep(&pause, NULL);
}

/* The directory, made if it is missing, and locked against others that start, too. */
static int lock_directory(const char *path, struct mlsched_error *err)
{
	const char *slash = strrchr(path, '/');
	char *directory = slash == path ? strdup("/") :
			  slash         ? strndup(path, (size_t)(slash - path)) :
					  strdup(".");
	int fd, ret;

	if (!directory)
		return mls_error(err, -ENOMEM, "no memory for a path");
	make_directories(directory);
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ret = fd < 0 ? mls_error(err, -errno, "%s: %s", directory, strerror(errno)) : fd;
	if (fd >= 0)
		lock_for_a_while(fd);
	free(directory);
	return ret;
}

static int bind_unix(struct mls_server *s, const struct sockaddr_un *address, mode_t mode,
		     struct mlsched_error *err)
{
	mode_t old;
	struct stat st;
	int ret = clear_path(address, err);

	if (ret)
		return ret;
	/* From the first moment on: a chmod() would come too late. */
	old = umask(0777 & ~mode);
	ret = listen_at(s, (const struct sockaddr *)address, sizeof(*address), address->sun_path,
			err);
	umask(old);
	if (ret || lstat(address->sun_path, &st) != 0)
		return ret;
	s->device = st.st_dev;
	s->inode = st.st_ino;
	s->path = strdup(address->sun_path);
	return 0;
}

int mls_server_listen_unix(struct mls_server *s, const char *path, mode_t mode,
			   struct mlsched_error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int directory, ret;

	if (!path[0] || strlen(path) >= sizeof(address.sun_path))
		return mls_error(err, -ENAMETOOLONG,
				 "%s: expected 1 to %zu bytes as the path of a socket", path,
				 sizeof(address.sun_path) - 1);
	strcpy(address.sun_path, path);
	directory = lock_directory(path, err);
	if (directory < 0)
		return directory;
	ret = bind_unix(s, &address, mode, err);
	close(directory);
	return ret;
}

int mls_server_listen_tcp(struct mls_server *s, const char *address, uint16_t port,
			  struct mlsched_error *err)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} a = { 0 };
	socklen_t size = sizeof(a);
	char name[128];
	int ret;

	snprintf(name, sizeof(name), strchr(address, ':') ? "[%s]:%u" : "%s:%u", address, port);
	if (inet_pton(AF_INET, address, &a.v4.sin_addr) == 1) {
		a.v4.sin_family = AF_INET;
		a.v4.sin_port = htons(port);
		size = sizeof(a.v4);
	} else if (inet_pton(AF_INET6, address, &a.v6.sin6_addr) == 1) {
		a.v6.sin6_family = AF_INET6;
		a.v6.sin6_port = htons(port);
		size = sizeof(a.v6);
	} else {
		return mls_error(err, -EINVAL, "%s: expected an IPv4 or IPv6 address", address);
	}
	ret = listen_at(s, &a.any, size, name, err);
	if (ret || getsockname(s->fd, &a.any, &size) != 0)
		return ret;
	s->port = ntohs(a.any.sa_family == AF_INET ? a.v4.sin_port : a.v6.sin6_port);
	return 0;
}

uint16_t mls_server_port(const struct mls_server *s)
{
	return s->port;
}

int mls_server_fd(const struct mls_server *s)
{
	return s->epoll;
}

/* ---- clients ------------------------------------------------------------------------ */

/* What is waited for: room for an answer, else a message unless one is being answered. */
static void set_interest(struct mls_client *c)
{
	struct epoll_event event = { .data.ptr = c };

	if (c->n_out > c->sent)
		event.events = EPOLLOUT;
	else if (!c->busy && !c->ended)
		event.events = EPOLLIN;
	epoll_ctl(c->server->epoll, EPOLL_CTL_MOD, c->fd, &event);
}

static void close_sent(struct mls_client *c)
{
	if (c->sent_fd >= 0)
		close(c->sent_fd);
	c->sent_fd = -1;
}

static void drop(struct mls_client *c)
{
	const struct mls_server_options *o = &c->server->options;
	bool busy = c->busy;

	close(c->fd);
	close_sent(c);
	free(c->in);
	free(c->out);
	c->fd = -1;
	c->in = NULL;
	c->out = NULL;
	c->n_in = c->n_out = c->sent = 0;
	c->busy = c->ended = c->last = false;
	if (busy && o->gone)
		o->gone(o->context, c);
}

/* A place for one more: a free one, or that of whoever has been silent longest. */
static struct mls_client *place(struct mls_server *s)
{
	struct mls_client *found = NULL;

	for (int i = 0; i < MLS_SERVER_CLIENTS; i++) {
		struct mls_client *c = &s->clients[i];

		if (c->fd < 0)
			return c;
		if (!c->busy && (!found || c->turn < found->turn))
			found = c;
	}
	if (found)
		drop(found);
	return found;
}

static bool may_connect(const struct mls_server *s, int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (!s->options.owner || !s->path)
		return true;
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
	       (peer.uid == 0 || peer.uid == geteuid());
}

static void accept_one(struct mls_server *s, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct mls_client *c = may_connect(s, fd) ? place(s) : NULL;

	if (c)
		c->in = malloc(s->options.longest + 1);
	event.data.ptr = c;
	if (!c || !c->in || epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
		if (c) {
			free(c->in);
			c->in = NULL;
		}
		close(fd);
		return;
	}
	c->fd = fd;
	c->turn = ++s->turn;
}

/*
 * There is no descriptor for one more, and as long as somebody waits to be accepted the
 * loop would be called again at once: the spare one makes room, and he is sent away.
 */
static void turn_away(struct mls_server *s)
{
	int fd;

	close(s->spare);
	fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0)
		close(fd);
	s->spare = eventfd(0, EFD_CLOEXEC);
}

static void accept_all(struct mls_server *s)
{
	/* As many as there are places: whoever connects without end gets no more of our time. */
	for (int i = 0; i < MLS_SERVER_CLIENTS; i++) {
		int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0)
			accept_one(s, fd);
		else if (errno == EMFILE || errno == ENFILE)
			turn_away(s);
		else
			return;
	}
}

static void send_some(struct mls_client *c)
{
	while (c->n_out > c->sent) {
		ssize_t n = send(c->fd, c->out + c->sent, c->n_out - c->sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			if (errno != EAGAIN)
				drop(c);
			return;
		}
		c->sent += (size_t)n;
	}
	c->n_out = c->sent = 0;
	if (c->last)
		drop(c);
}

void mls_server_answer(struct mls_client *c, const char *data, size_t n, bool last)
{
	char *out;

	if (c->fd < 0)
		return;
	c->busy = false;
	c->last |= last;
	out = c->n_out + n <= MLS_SERVER_LONGEST_ANSWER ? realloc(c->out, c->n_out + n + 1) : NULL;
	if (!out) {
		drop(c);
		return;
	}
	c->out = out;
	memcpy(c->out + c->n_out, data, n);
	c->n_out += n;
	set_interest(c);
}

/* Hands out what is there, as long as each is answered at once and taken by the client. */
static void hand_out(struct mls_client *c)
{
	const struct mls_server_options *o = &c->server->options;

	while (c->fd >= 0 && !c->busy && !c->last && c->n_out == c->sent && c->n_in) {
		size_t n = o->length(c->in, c->n_in);
		char *message;

		if (!n && c->n_in <= o->longest)
			break;
		if (!n || n > o->longest) {
			mls_server_answer(c, o->refuse, strlen(o->refuse), true);
			break;
		}
		/* All of it: there may be zeros in it. */
		message = malloc(n + 1);
		if (!message) {
			drop(c);
			return;
		}
		memcpy(message, c->in, n);
		message[n] = '\0';
		c->n_in -= n;
		memmove(c->in, c->in + n, c->n_in);
		c->busy = true;
		o->handle(o->context, c, message, n);
		free(message);
		close_sent(c);
		if (c->fd >= 0)
			send_some(c);
	}
	if (c->fd < 0)
		return;
	send_some(c);
	/* It has sent all, and has been told all. */
	if (c->fd >= 0 && c->ended && !c->busy && c->n_out == c->sent)
		drop(c);
}

int mls_server_take(struct mls_client *c)
{
	int fd = c->sent_fd;

	c->sent_fd = -1;
	return fd;
}

/* One that comes alone is kept; of several nobody could say which is meant. */
static void keep_descriptors(struct mls_client *c, struct msghdr *message)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(message); h; h = CMSG_NXTHDR(message, h)) {
		size_t n = h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS ?
				   (h->cmsg_len - CMSG_LEN(0)) / sizeof(int) :
				   0;

		for (size_t i = 0; i < n; i++) {
			close_sent(c);
			memcpy(&c->sent_fd, CMSG_DATA(h) + i * sizeof(int), sizeof(int));
		}
	}
	if (message->msg_flags & MSG_CTRUNC)
		close_sent(c);
}

/* As recv(). Where no descriptors are wanted the kernel throws them away. */
static ssize_t receive_into(struct mls_client *c, void *to, size_t size)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec bytes = { to, size };
	struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1 };
	ssize_t n;

	if (c->server->options.descriptors) {
		message.msg_control = &control;
		/* Without the padding, in which there would be room for a second one. */
		message.msg_controllen = CMSG_LEN(sizeof(int));
	}
	n = recvmsg(c->fd, &message, MSG_CMSG_CLOEXEC);
	if (n >= 0 && message.msg_control)
		keep_descriptors(c, &message);
	return n;
}

static void receive(struct mls_client *c)
{
	const struct mls_server_options *o = &c->server->options;
	ssize_t n = receive_into(c, c->in + c->n_in, o->longest + 1 - c->n_in);

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			drop(c);
		return;
	}
	c->turn = ++c->server->turn;
	c->ended = n == 0;
	c->n_in += (size_t)n;
}

static void serve(struct mls_client *c, uint32_t events)
{
	/* An event of one that has been dropped in this turn. */
	if (c->fd < 0)
		return;
	if (events & (EPOLLERR | EPOLLHUP) && !(events & EPOLLIN)) {
		drop(c);
		return;
	}
	if (events & EPOLLOUT)
		send_some(c);
	if (c->fd >= 0 && events & EPOLLIN)
		receive(c);
	if (c->fd >= 0)
		hand_out(c);
	if (c->fd >= 0)
		set_interest(c);
}

void mls_server_poll(struct mls_server *s)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int n = epoll_wait(s->epoll, events, EVENTS_AT_ONCE, 0);

	for (int i = 0; i < n; i++) {
		if (events[i].data.ptr)
			serve(events[i].data.ptr, events[i].events);
	}
	/* Then: a place must not change hands while events of its old owner are to be served. */
	for (int i = 0; i < n; i++) {
		if (!events[i].data.ptr)
			accept_all(s);
	}
}

void mls_server_close(struct mls_server *s)
{
	struct stat st;

	if (!s)
		return;
	s->options.gone = NULL;
	for (int i = 0; i < MLS_SERVER_CLIENTS; i++) {
		if (s->clients[i].fd >= 0)
			drop(&s->clients[i]);
	}
	if (s->path && lstat(s->path, &st) == 0 && st.st_dev == s->device && st.st_ino == s->inode)
		unlink(s->path);
	if (s->fd >= 0)
		close(s->fd);
	close(s->spare);
	close(s->epoll);
	free(s->path);
	free(s);
}
