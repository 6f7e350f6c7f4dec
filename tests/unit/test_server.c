// SPDX-License-Identifier: GPL-2.0
/*
 * src/host/server.c: what clients may do, and that none of it stalls the server
 * or another client.  Client and server are this one thread: what one sends is
 * there when the other looks.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include <cmocka.h>

#include "src/host/server.h"

#define LONGEST 64
#define REFUSED "too long\n"
#define NOBODY  65534

/* For what takes a second at most. */
#define HANGS_SECONDS 120

/**
 * struct state - a server of lines
 * @answers:  each message is answered at once by "<MESSAGE>"; false: it waits in
 *            @waiting, which has room for the last one
 * @handled:  messages
 * @last:     the last one, of @n_last bytes
 * @gone:     clients that left before they were answered
 * @takes:    what comes with a message is taken, to @taken: -1, or a descriptor
 */
struct state {
	char directory[64];
	char path[96];
	struct mls_server *server;
	bool answers;
	int handled;
	char last[LONGEST + 1];
	size_t n_last;
	struct mls_client *waiting;
	int gone;
	bool takes;
	int taken;
};

static size_t line_length(const char *data, size_t n)
{
	const char *end = memchr(data, '\n', n);

	return end ? (size_t)(end - data) + 1 : 0;
}

static void answer(struct mls_client *client, const char *message, size_t n)
{
	char text[LONGEST + 3];

	text[0] = '<';
	memcpy(text + 1, message, n - 1);
	text[n] = '>';
	text[n + 1] = '\n';
	mls_server_answer(client, text, n + 2, false);
}

static void handle(void *context, struct mls_client *client, const char *message, size_t n)
{
	struct state *s = context;

	s->handled++;
	/* All bytes that are promised, for the sanitizer to see. */
	memcpy(s->last, message, n + 1);
	s->n_last = n;
	assert_int_equal(message[n], '\0');
	if (s->takes)
		s->taken = mls_server_take(client);
	if (s->answers)
		answer(client, message, n);
	else
		s->waiting = client;
}

static void gone(void *context, struct mls_client *client)
{
	struct state *s = context;

	s->gone++;
	if (s->waiting == client)
		s->waiting = NULL;
}

static void open_server(struct state *s, bool descriptors, struct mls_server **server)
{
	const struct mls_server_options options = {
		.longest = LONGEST,
		.length = line_length,
		.handle = handle,
		.gone = gone,
		.refuse = REFUSED,
		.owner = true,
		.descriptors = descriptors,
		.context = s,
	};
	struct mlsched_error err;

	assert_int_equal(mls_server_open(&options, &err, server), 0);
}

static int setup(void **state)
{
	struct state *s = calloc(1, sizeof(*s));
	struct mlsched_error err;

	s->answers = true;
	snprintf(s->directory, sizeof(s->directory), "/tmp/mlsched-server-XXXXXX");
	assert_non_null(mkdtemp(s->directory));
	assert_int_equal(chmod(s->directory, 0755), 0);
	snprintf(s->path, sizeof(s->path), "%s/s", s->directory);
	open_server(s, true, &s->server);
	assert_int_equal(mls_server_listen_unix(s->server, s->path, 0600, &err), 0);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct state *s = *state;

	mls_server_close(s->server);
	unlink(s->path);
	assert_int_equal(rmdir(s->directory), 0);
	free(s);
	return 0;
}

/* ---- the client's side ---------------------------------------------------------------- */

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static bool has_work(const struct state *s)
{
	struct pollfd fd = { .fd = mls_server_fd(s->server), .events = POLLIN };

	return poll(&fd, 1, 0) == 1;
}

/* Until there is nothing left to do: a server that is never done has lost its mind. */
static void serve(struct state *s)
{
	int turns = 0;

	while (has_work(s)) {
		mls_server_poll(s->server);
		assert_true(++turns < 10000);
	}
}

static int new_client(struct state *s)
{
	int fd = connect_to(s->path);

	serve(s);
	return fd;
}

static void say(struct state *s, int fd, const char *text, size_t n)
{
	assert_int_equal(send(fd, text, n, MSG_NOSIGNAL), n);
	serve(s);
}

static void say_text(struct state *s, int fd, const char *text)
{
	say(s, fd, text, strlen(text));
}

#define NOTHING "(nothing)"
#define CLOSED  "(closed)"

/* What is there for a client now. */
static const char *heard(int fd)
{
	static char text[4096];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return CLOSED;
	if (n < 0) {
		assert_int_equal(errno, EAGAIN);
		return NOTHING;
	}
	text[n] = '\0';
	return text;
}

/* ---- descriptors ------------------------------------------------------------------------ */

/* A message with the same descriptor @n times. */
static void say_with(struct state *s, int fd, const char *text, int sent, int n)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(3 * sizeof(int))];
	} control = { .space = { 0 } };
	struct iovec bytes = { (char *)text, strlen(text) };
	struct msghdr message = {
		.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE((size_t)n * sizeof(int)),
	};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
	for (int i = 0; i < n; i++)
		memcpy(CMSG_DATA(&control.header) + (size_t)i * sizeof(int), &sent, sizeof(int));
	assert_int_equal(sendmsg(fd, &message, MSG_NOSIGNAL), bytes.iov_len);
	serve(s);
}

/* The reading end of a pipe in which nobody has written. */
static int make_pipe(int *writes)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	*writes = ends[1];
	return ends[0];
}

/* Nobody has the reading end any more. */
static bool is_closed(int writes)
{
	struct pollfd fd = { .fd = writes };

	return poll(&fd, 1, 0) == 1 && fd.revents & POLLERR;
}

static void a_descriptor_comes_with_its_message(void **state)
{
	struct state *s = *state;
	int fd = new_client(s), writes, reads = make_pipe(&writes);
	char byte;

	s->takes = true;
	/* In two pieces: it is there when the message is whole. */
	say_with(s, fd, "wi", reads, 1);
	assert_int_equal(s->handled, 0);
	say_text(s, fd, "th\n");
	assert_string_equal(heard(fd), "<with>\n");
	assert_true(s->taken >= 0 && s->taken != reads);
	assert_int_equal(fcntl(s->taken, F_GETFD), FD_CLOEXEC);
	close(reads);
	assert_int_equal(write(writes, "x", 1), 1);
	assert_int_equal(read(s->taken, &byte, 1), 1);
	close(s->taken);
	assert_true(is_closed(writes));
	/* The next one has none. */
	say_text(s, fd, "without\n");
	assert_int_equal(s->taken, -1);
	close(writes);
	close(fd);
}

static void a_descriptor_that_nobody_takes_is_closed(void **state)
{
	struct state *s = *state;
	int fd = new_client(s), writes, reads = make_pipe(&writes);

	say_with(s, fd, "unwanted\n", reads, 1);
	close(reads);
	assert_string_equal(heard(fd), "<unwanted>\n");
	assert_true(is_closed(writes));
	close(writes);
	close(fd);
}

static void of_several_descriptors_none_is_taken(void **state)
{
	struct state *s = *state;
	int fd = new_client(s), writes, reads = make_pipe(&writes);

	s->takes = true;
	for (int n = 2; n <= 3; n++) {
		s->taken = 0;
		say_with(s, fd, "many\n", reads, n);
		assert_string_equal(heard(fd), "<many>\n");
		assert_int_equal(s->taken, -1);
	}
	close(reads);
	assert_true(is_closed(writes));
	close(writes);
	close(fd);
}

static void of_descriptors_with_pieces_the_last_one_counts(void **state)
{
	struct state *s = *state;
	int fd = new_client(s), first, last, reads = make_pipe(&first);

	s->takes = true;
	say_with(s, fd, "pie", reads, 1);
	close(reads);
	assert_false(is_closed(first));
	reads = make_pipe(&last);
	say_with(s, fd, "ces\n", reads, 1);
	close(reads);
	assert_true(is_closed(first));
	assert_false(is_closed(last));
	close(s->taken);
	close(first);
	close(last);
	close(fd);
}

static void a_client_that_leaves_takes_its_descriptor_along(void **state)
{
	struct state *s = *state;
	int fd = new_client(s), writes, reads = make_pipe(&writes);

	say_with(s, fd, "not who", reads, 1);
	close(reads);
	assert_false(is_closed(writes));
	close(fd);
	serve(s);
	assert_true(is_closed(writes));
	close(writes);
}

static void a_server_that_wants_no_descriptors_gets_none(void **state)
{
	struct state *s = *state;
	struct mlsched_error err;
	int fd, writes, reads;

	mls_server_close(s->server);
	open_server(s, false, &s->server);
	assert_int_equal(mls_server_listen_unix(s->server, s->path, 0600, &err), 0);
	fd = new_client(s);
	reads = make_pipe(&writes);
	s->takes = true;
	say_with(s, fd, "hello\n", reads, 1);
	close(reads);
	assert_string_equal(heard(fd), "<hello>\n");
	assert_int_equal(s->taken, -1);
	assert_true(is_closed(writes));
	close(writes);
	close(fd);
}

/* ---- messages -------------------------------------------------------------------------- */

static void a_message_is_answered(void **state)
{
	struct state *s = *state;
	int fd = new_client(s);

	say_text(s, fd, "hello\n");
	assert_string_equal(heard(fd), "<hello>\n");
	say_text(s, fd, "again\n");
	assert_string_equal(heard(fd), "<again>\n");
	assert_int_equal(s->handled, 2);
	close(fd);
	serve(s);
	assert_int_equal(s->gone, 0);
}

static void a_message_in_pieces_is_handled_when_it_is_whole(void **state)
{
	const char *text = "in pieces\n";
	struct state *s = *state;
	int fd = new_client(s);

	for (size_t i = 0; text[i]; i++) {
		assert_int_equal(s->handled, 0);
		say(s, fd, text + i, 1);
	}
	assert_int_equal(s->handled, 1);
	assert_string_equal(heard(fd), "<in pieces>\n");
	close(fd);
}

static void messages_in_one_piece_are_answered_in_order(void **state)
{
	struct state *s = *state;
	int fd = new_client(s);

	say_text(s, fd, "one\ntwo\nthree\nfo");
	assert_string_equal(heard(fd), "<one>\n<two>\n<three>\n");
	assert_int_equal(s->handled, 3);
	say_text(s, fd, "ur\n");
	assert_string_equal(heard(fd), "<four>\n");
	close(fd);
}

static void the_next_message_waits_for_the_answer(void **state)
{
	struct state *s = *state;
	int fd = new_client(s);

	s->answers = false;
	say_text(s, fd, "slow\nnext\n");
	say_text(s, fd, "and more\n");
	assert_int_equal(s->handled, 1);
	assert_string_equal(heard(fd), NOTHING);
	/* Nor does it keep the loop busy meanwhile. */
	assert_false(has_work(s));
	s->answers = true;
	answer(s->waiting, s->last, s->n_last);
	serve(s);
	assert_string_equal(heard(fd), "<slow>\n<next>\n<and more>\n");
	close(fd);
}

static void zeros_and_garbage_are_handed_on_whole(void **state)
{
	const char text[] = "a\0\xff\x80{\"\0\0\n";
	struct state *s = *state;
	int fd = new_client(s);

	say(s, fd, text, sizeof(text) - 1);
	assert_int_equal(s->n_last, sizeof(text) - 1);
	assert_memory_equal(s->last, text, sizeof(text));
	assert_int_equal(recv(fd, s->last, sizeof(s->last), 0), sizeof(text) + 1);
	close(fd);
}

static void the_longest_message_is_taken_and_a_longer_one_refused(void **state)
{
	struct state *s = *state;
	char text[LONGEST + 2];
	int fd = new_client(s);

	memset(text, 'x', sizeof(text));
	text[LONGEST - 1] = '\n';
	say(s, fd, text, LONGEST);
	assert_int_equal(s->n_last, LONGEST);
	assert_int_equal(strlen(heard(fd)), LONGEST + 2);

	text[LONGEST - 1] = 'x';
	text[LONGEST] = '\n';
	say(s, fd, text, LONGEST + 1);
	assert_int_equal(s->handled, 1);
	assert_string_equal(heard(fd), REFUSED);
	assert_string_equal(heard(fd), CLOSED);
	close(fd);
}

static void who_sends_without_end_is_refused_and_closed(void **state)
{
	struct state *s = *state;
	char text[LONGEST];
	int fd = new_client(s);

	memset(text, 'x', sizeof(text));
	say(s, fd, text, LONGEST);
	assert_string_equal(heard(fd), NOTHING);
	say(s, fd, text, 1);
	assert_string_equal(heard(fd), REFUSED);
	assert_string_equal(heard(fd), CLOSED);
	assert_int_equal(s->handled, 0);
	assert_int_equal(s->gone, 0);
	close(fd);
}

static void who_ends_in_the_middle_of_a_message_is_closed(void **state)
{
	struct state *s = *state;
	int fd = new_client(s);

	say_text(s, fd, "whole\npar");
	shutdown(fd, SHUT_WR);
	serve(s);
	assert_string_equal(heard(fd), "<whole>\n");
	assert_string_equal(heard(fd), CLOSED);
	assert_int_equal(s->handled, 1);
	assert_false(has_work(s));
	close(fd);
}

static void who_has_said_all_still_hears_all(void **state)
{
	struct state *s = *state;
	int fd = new_client(s);

	s->answers = false;
	say_text(s, fd, "last\n");
	shutdown(fd, SHUT_WR);
	serve(s);
	assert_string_equal(heard(fd), NOTHING);
	assert_false(has_work(s));
	answer(s->waiting, s->last, s->n_last);
	serve(s);
	assert_string_equal(heard(fd), "<last>\n");
	assert_string_equal(heard(fd), CLOSED);
	assert_int_equal(s->gone, 0);
	close(fd);
}

/* ---- several clients ------------------------------------------------------------------- */

static void two_clients_get_their_own_answers(void **state)
{
	struct state *s = *state;
	int a = new_client(s), b = new_client(s);

	s->answers = false;
	say_text(s, a, "of a\n");
	s->answers = true;
	say_text(s, b, "of b\n");
	assert_string_equal(heard(b), "<of b>\n");
	assert_string_equal(heard(a), NOTHING);
	answer(s->waiting, "of a\n", 5);
	serve(s);
	assert_string_equal(heard(a), "<of a>\n");
	assert_string_equal(heard(b), NOTHING);
	close(a);
	close(b);
}

static void who_leaves_unanswered_is_told_of_once(void **state)
{
	struct state *s = *state;
	struct mls_client *left;
	int fd = new_client(s);

	s->answers = false;
	say_text(s, fd, "never mind\n");
	left = s->waiting;
	close(fd);
	/* Nobody reads from it meanwhile, so that it shows only when it is written to, or hangs up. */
	serve(s);
	assert_int_equal(s->gone, 1);
	assert_null(s->waiting);
	/* An answer that comes all the same goes nowhere. */
	mls_server_answer(left, "late\n", 5, false);
	serve(s);
	s->answers = true;
	fd = new_client(s);
	say_text(s, fd, "next\n");
	assert_string_equal(heard(fd), "<next>\n");
	assert_int_equal(s->gone, 1);
	close(fd);
}

static void the_one_idle_longest_makes_room(void **state)
{
	struct state *s = *state;
	int fds[MLS_SERVER_CLIENTS], more;

	for (int i = 0; i < MLS_SERVER_CLIENTS; i++)
		fds[i] = new_client(s);
	/* The first one is heard of again: the second is the one that has been silent longest. */
	say_text(s, fds[0], "here\n");
	assert_string_equal(heard(fds[0]), "<here>\n");
	more = new_client(s);
	assert_string_equal(heard(fds[1]), CLOSED);
	say_text(s, more, "new\n");
	assert_string_equal(heard(more), "<new>\n");
	for (int i = 2; i < MLS_SERVER_CLIENTS; i++)
		assert_string_equal(heard(fds[i]), NOTHING);
	assert_string_equal(heard(fds[0]), NOTHING);
	for (int i = 0; i < MLS_SERVER_CLIENTS; i++)
		close(fds[i]);
	close(more);
}

static void nobody_who_waits_for_an_answer_makes_room(void **state)
{
	struct state *s = *state;
	int fds[MLS_SERVER_CLIENTS], more;

	s->answers = false;
	for (int i = 0; i < MLS_SERVER_CLIENTS; i++) {
		fds[i] = new_client(s);
		say_text(s, fds[i], "wait\n");
	}
	more = new_client(s);
	assert_string_equal(heard(more), CLOSED);
	for (int i = 0; i < MLS_SERVER_CLIENTS; i++) {
		assert_string_equal(heard(fds[i]), NOTHING);
		close(fds[i]);
	}
	close(more);
	serve(s);
	assert_int_equal(s->gone, MLS_SERVER_CLIENTS);
}

/* Otherwise the loop is called again and again, for one whom nobody can accept. */
static void who_finds_no_descriptor_left_is_sent_away(void **state)
{
	struct state *s = *state;
	int fd = connect_to(s->path), next = dup(fd);
	struct rlimit before, none;

	assert_true(next >= 0);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = (rlim_t)next;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	mls_server_poll(s->server);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_false(has_work(s));
	assert_string_equal(heard(fd), CLOSED);
	close(fd);
	fd = new_client(s);
	say_text(s, fd, "next\n");
	assert_string_equal(heard(fd), "<next>\n");
	close(fd);
}

static void closing_the_server_does_not_call_back(void **state)
{
	struct state *s = *state;
	int fd = new_client(s);

	s->answers = false;
	say_text(s, fd, "wait\n");
	mls_server_close(s->server);
	s->server = NULL;
	assert_int_equal(s->gone, 0);
	assert_string_equal(heard(fd), CLOSED);
	close(fd);
}

/* ---- answers that are not taken ---------------------------------------------------------- */

static void a_slow_reader_gets_all_and_delays_nobody(void **state)
{
	struct state *s = *state;
	const size_t size = 3u << 20;
	int slow = new_client(s), other = new_client(s);
	char *large = malloc(size), *read = malloc(size);
	size_t n = 0;

	for (size_t i = 0; i < size; i++)
		large[i] = (char)(i * 31 + i / 4096);
	s->answers = false;
	say_text(s, slow, "large\n");
	mls_server_answer(s->waiting, large, size, false);
	s->answers = true;
	/* As much as the socket takes, then it is waited for. */
	serve(s);
	say_text(s, other, "quick\n");
	assert_string_equal(heard(other), "<quick>\n");
	/* It is not listened to until it has taken its answer. */
	assert_int_equal(send(slow, "next\n", 5, MSG_NOSIGNAL), 5);
	serve(s);
	assert_int_equal(s->handled, 2);
	while (n < size) {
		ssize_t got = recv(slow, read + n, size - n, 0);

		assert_true(got > 0);
		n += (size_t)got;
		serve(s);
	}
	assert_memory_equal(read, large, size);
	assert_string_equal(heard(slow), "<next>\n");
	free(large);
	free(read);
	close(slow);
	close(other);
}

static void an_answer_that_is_too_large_closes_the_connection(void **state)
{
	const size_t size = MLS_SERVER_LONGEST_ANSWER + 1;
	struct state *s = *state;
	char *large = calloc(1, size);
	int fd = new_client(s);

	s->answers = false;
	say_text(s, fd, "large\n");
	mls_server_answer(s->waiting, large, size, false);
	assert_string_equal(heard(fd), CLOSED);
	assert_int_equal(s->gone, 0);
	serve(s);
	free(large);
	close(fd);
}

static void the_last_answer_closes_the_connection(void **state)
{
	struct state *s = *state;
	int fd = new_client(s);

	s->answers = false;
	say_text(s, fd, "bye\nmore\n");
	mls_server_answer(s->waiting, "bye\n", 4, true);
	serve(s);
	assert_string_equal(heard(fd), "bye\n");
	assert_string_equal(heard(fd), CLOSED);
	assert_int_equal(s->handled, 1);
	close(fd);
}

/* ---- addresses --------------------------------------------------------------------------- */

static void the_socket_is_its_owners_and_goes_with_the_server(void **state)
{
	struct state *s = *state;
	struct stat st;

	assert_int_equal(stat(s->path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0600);
	mls_server_close(s->server);
	s->server = NULL;
	assert_int_equal(stat(s->path, &st), -1);
}

static void what_others_have_put_there_stays(void **state)
{
	struct state *s = *state;
	struct stat st;
	int fd;

	assert_int_equal(unlink(s->path), 0);
	fd = open(s->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	mls_server_close(s->server);
	s->server = NULL;
	assert_int_equal(stat(s->path, &st), 0);
}

static void a_path_is_taken_from_nobody_who_listens(void **state)
{
	struct state *s = *state;
	struct mls_server *other;
	struct mlsched_error err;
	char path[160];
	int fd;

	open_server(s, true, &other);
	assert_int_equal(mls_server_listen_unix(other, s->path, 0600, &err), -EADDRINUSE);
	assert_non_null(strstr(err.message, s->path));
	mls_server_close(other);
	/* And still answers. */
	serve(s);
	fd = new_client(s);
	say_text(s, fd, "mine\n");
	assert_string_equal(heard(fd), "<mine>\n");
	close(fd);

	open_server(s, true, &other);
	snprintf(path, sizeof(path), "%s/file", s->directory);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	assert_int_equal(mls_server_listen_unix(other, path, 0600, &err), -EEXIST);
	assert_int_equal(unlink(path), 0);
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(mls_server_listen_unix(other, path, 0600, &err), -ENAMETOOLONG);
	assert_int_equal(mls_server_listen_unix(other, "", 0600, &err), -ENAMETOOLONG);
	mls_server_close(other);
}

static void a_socket_that_was_left_behind_is_replaced(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct state *s = *state;
	struct mls_server *other;
	struct mlsched_error err;
	char directory[80];
	struct stat st;
	int fd;

	/* In directories that are made for it. */
	snprintf(directory, sizeof(directory), "%s/made", s->directory);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", directory);
	assert_int_equal(mkdir(directory, 0755), 0);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	open_server(s, true, &other);
	assert_int_equal(mls_server_listen_unix(other, address.sun_path, 0600, &err), 0);
	fd = connect_to(address.sun_path);
	close(fd);
	mls_server_close(other);
	assert_int_equal(rmdir(directory), 0);

	open_server(s, true, &other);
	assert_int_equal(mls_server_listen_unix(other, address.sun_path, 0600, &err), 0);
	assert_int_equal(stat(directory, &st), 0);
	mls_server_close(other);
	assert_int_equal(rmdir(directory), 0);
}

/* Who may read a directory may lock it, and every user may read /run/mlsched. */
static void who_keeps_the_directory_locked_stops_nobody(void **state)
{
	struct state *s = *state;
	struct mls_server *other;
	struct mlsched_error err;
	char path[96];
	int lock = open(s->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;

	assert_true(lock >= 0);
	assert_int_equal(flock(lock, LOCK_EX), 0);
	snprintf(path, sizeof(path), "%s/o", s->directory);
	open_server(s, true, &other);
	/* A server that waits for the lock waits for this process: then this ends it. */
	alarm(HANGS_SECONDS);
	assert_int_equal(mls_server_listen_unix(other, path, 0600, &err), 0);
	alarm(0);
	fd = connect_to(path);
	close(fd);
	mls_server_close(other);
	close(lock);
}

static void other_users_are_not_answered(void **state)
{
	struct state *s = *state;
	int status, fd;
	pid_t child;

	if (geteuid() != 0)
		skip();
	/* Even where the file lets them. */
	assert_int_equal(chmod(s->path, 0666), 0);
	child = fork();
	if (child == 0) {
		if (setuid(NOBODY) != 0)
			_exit(2);
		fd = connect_to(s->path);
		/* The parent serves when we are gone: what comes is in the socket by then. */
		_exit(send(fd, "me\n", 3, MSG_NOSIGNAL) == 3 ? 0 : 1);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	serve(s);
	assert_int_equal(s->handled, 0);
	fd = new_client(s);
	say_text(s, fd, "root\n");
	assert_string_equal(heard(fd), "<root>\n");
	close(fd);
}

static void a_port_answers_too(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	struct state *s = *state;
	struct mls_server *unix_server = s->server;
	struct mlsched_error err;
	struct pollfd answered;
	int fd;

	open_server(s, true, &s->server);
	assert_int_equal(mls_server_listen_tcp(s->server, "localhost", 0, &err), -EINVAL);
	assert_int_equal(mls_server_listen_tcp(s->server, "127.0.0.1", 0, &err), 0);
	address.sin_port = htons(mls_server_port(s->server));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_not_equal(address.sin_port, 0);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(send(fd, "port\n", 5, MSG_NOSIGNAL), 5);
	/* On the way through the stack, if only for a moment. */
	answered = (struct pollfd){ .fd = fd, .events = POLLIN };
	while (poll(&answered, 1, 1) == 0)
		serve(s);
	assert_string_equal(heard(fd), "<port>\n");
	close(fd);
	mls_server_close(s->server);
	s->server = unix_server;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_descriptor_comes_with_its_message),
		TEST(a_descriptor_that_nobody_takes_is_closed),
		TEST(of_several_descriptors_none_is_taken),
		TEST(of_descriptors_with_pieces_the_last_one_counts),
		TEST(a_client_that_leaves_takes_its_descriptor_along),
		TEST(a_server_that_wants_no_descriptors_gets_none),
		TEST(a_message_is_answered),
		TEST(a_message_in_pieces_is_handled_when_it_is_whole),
		TEST(messages_in_one_piece_are_answered_in_order),
		TEST(the_next_message_waits_for_the_answer),
		TEST(zeros_and_garbage_are_handed_on_whole),
		TEST(the_longest_message_is_taken_and_a_longer_one_refused),
		TEST(who_sends_without_end_is_refused_and_closed),
		TEST(who_ends_in_the_middle_of_a_message_is_closed),
		TEST(who_has_said_all_still_hears_all),
		TEST(two_clients_get_their_own_answers),
		TEST(who_leaves_unanswered_is_told_of_once),
		TEST(the_one_idle_longest_makes_room),
		TEST(nobody_who_waits_for_an_answer_makes_room),
		TEST(who_finds_no_descriptor_left_is_sent_away),
		TEST(closing_the_server_does_not_call_back),
		TEST(a_slow_reader_gets_all_and_delays_nobody),
		TEST(an_answer_that_is_too_large_closes_the_connection),
		TEST(the_last_answer_closes_the_connection),
		TEST(the_socket_is_its_owners_and_goes_with_the_server),
		TEST(what_others_have_put_there_stays),
		TEST(a_path_is_taken_from_nobody_who_listens),
		TEST(a_socket_that_was_left_behind_is_replaced),
		TEST(who_keeps_the_directory_locked_stops_nobody),
		TEST(other_users_are_not_answered),
		TEST(a_port_answers_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
