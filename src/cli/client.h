/* SPDX-License-Identifier: GPL-2.0 */
/* The other end of the control socket: for `model`, `stats` and `top`. */
#ifndef MLS_CLI_CLIENT_H
#define MLS_CLI_CLIENT_H

#include <jansson.h>

#include <mlsched/error.h>

/* Seconds until it accepts, takes a request, and answers all but what waits for the end of a swap. */
#define CLIENT_PATIENCE 10

struct client;

/**
 * client_open() - reach the scheduler that listens at @path
 * @path: NULL: RUN_CONTROL_SOCKET
 *
 * Return: 0; -ENOENT or -ECONNREFUSED when none runs, -EACCES without the right
 * to, -ETIMEDOUT when it accepts nobody, -ENAMETOOLONG.
 */
int client_open(const char *path, struct mlsched_error *err, struct client **client);

/** client_attach() - send a descriptor along with the next request; it stays the caller's; -1: none */
void client_attach(struct client *client, int fd);

/**
 * client_ask() - one request, one answer
 * @request: freed
 * @seconds: to wait for the answer at most; 0: as long as it takes
 * @answer:  receives it, an object, to be freed, also where the scheduler says no
 *
 * Return: 0; -EREMOTEIO when the scheduler says no (its words are the message);
 * -ETIMEDOUT, -EPIPE when it is gone, -EBADMSG when it answers something else.
 */
int client_ask(struct client *client, json_t *request, double seconds, json_t **answer,
	       struct mlsched_error *err);

/** client_close() - NULL is allowed */
void client_close(struct client *client);

#endif /* MLS_CLI_CLIENT_H */
