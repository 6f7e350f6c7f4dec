/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A small server for local clients: messages in, one answer each, in order.
 * It never blocks, whatever clients do: one that is silent, slow, endless or
 * gone costs one of a few places and a bounded buffer.  Everything that it
 * waits for is behind one descriptor, for the loop of whoever owns it.
 *
 * Leaves to others: what messages mean.
 */
#ifndef MLS_HOST_SERVER_H
#define MLS_HOST_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/types.h>

#include <mlsched/error.h>

/* Clients at a time; for one more the one that has been idle longest must go. */
#define MLS_SERVER_CLIENTS 16

/* Answers that a client may leave unread: a larger one is not sent. */
#define MLS_SERVER_LONGEST_ANSWER (4u << 20)

struct mls_server;
struct mls_client;

/**
 * struct mls_server_options - what makes a protocol
 * @longest: bytes of a message
 * @length:  bytes of the first message in @data, 0: it is not whole yet
 * @handle:  a message came, with a zero behind its @n bytes, which may hold
 *           others: answer it by mls_server_answer(), now or later; until then the
 *           client's next one waits
 * @gone:    a client left whose message has not been answered; NULL: who cares
 * @refuse:  a message became longer than @longest: what to say before the
 *           connection is closed, a static string
 * @owner:   only root and we ourselves may connect to a Unix socket
 * @descriptors: a message at a Unix socket may come with a descriptor, see
 *           mls_server_take(); false: those that come are closed unseen
 * @context: for the functions
 */
struct mls_server_options {
	size_t longest;
	size_t (*length)(const char *data, size_t n);
	void (*handle)(void *context, struct mls_client *client, const char *message, size_t n);
	void (*gone)(void *context, struct mls_client *client);
	const char *refuse;
	bool owner;
	bool descriptors;
	void *context;
};

/** mls_server_open() - without an address yet; 0, -ENOMEM, or what epoll_create1() returns */
int mls_server_open(const struct mls_server_options *options, struct mlsched_error *err,
		    struct mls_server **server);

/**
 * mls_server_listen_unix() - at a path
 * @mode: of the socket's file
 *
 * Directories of @path that are missing are made.  A socket that nobody
 * listens to is replaced; one that somebody listens to, and any other file, is
 * not.
 * Return: 0; -EADDRINUSE, -EEXIST, -ENAMETOOLONG, or what the system says.
 */
int mls_server_listen_unix(struct mls_server *server, const char *path, mode_t mode,
			   struct mlsched_error *err);

/** mls_server_listen_tcp() - at a numeric address; port 0: any that is free */
int mls_server_listen_tcp(struct mls_server *server, const char *address, uint16_t port,
			  struct mlsched_error *err);

/** mls_server_port() - the TCP port that it listens at, or 0 */
uint16_t mls_server_port(const struct mls_server *server);

/** mls_server_fd() - readable when mls_server_poll() has something to do */
int mls_server_fd(const struct mls_server *server);

/** mls_server_poll() - do it; does not block */
void mls_server_poll(struct mls_server *server);

/**
 * mls_server_answer() - to the message of a client that has not been answered
 * @last: close the connection behind it
 */
void mls_server_answer(struct mls_client *client, const char *data, size_t n, bool last);

/**
 * mls_server_take() - the descriptor that came with a message, for @handle to ask
 *
 * One that nobody takes before @handle returns is closed, and so are several that
 * come at once.
 * Return: the descriptor, to be closed; -1: there was none.
 */
int mls_server_take(struct mls_client *client);

/** mls_server_close() - and remove the socket's file; NULL is allowed */
void mls_server_close(struct mls_server *server);

#endif /* MLS_HOST_SERVER_H */
