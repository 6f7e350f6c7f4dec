/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ways into a running scheduler: the control socket, the metrics, the
 * watch over the model's directory.  One descriptor stands for all of them in
 * the loop of `run`; nothing here blocks.
 *
 * Protocol of the socket: JSON objects, one a line, each answered by one line
 * with "ok" true or false and, then, "error".  docs/architecture.md has them.
 */
#ifndef MLS_CLI_RUN_CONTROL_H
#define MLS_CLI_RUN_CONTROL_H

#include "src/cli/snapshot.h"
#include "src/cli/swap_options.h"

#define RUN_CONTROL_SOCKET "/run/mlsched/control.sock"

/* Of a request. */
#define RUN_CONTROL_LONGEST 8192

/**
 * struct run_control_options - of `mlsched run`
 * @socket:  path; "none": no socket; NULL: RUN_CONTROL_SOCKET, or none where
 *           that cannot be made
 * @metrics: "unix:PATH" or "[ADDRESS:]PORT"; NULL: no metrics
 * @watch:   take a model that replaces the one at --model
 * @swap:    limits of a change of model, unless a request says others
 */
struct run_control_options {
	const char *socket;
	const char *metrics;
	bool watch;
	struct swap_options swap;
};

#define RUN_CONTROL_OPTIONS                            \
	{                                              \
		.swap = { .limits = MLS_SWAP_LIMITS }, \
	}

/* A child parser; its input is a struct run_control_options. */
extern const struct argp run_control_argp;

struct run_options;
struct run_view;
struct run_control;

/**
 * run_control_open() - open everything that is listened to and watched
 *
 * Before the scheduler is attached: whatever is lacking is said while nothing
 * has changed, and afterwards no socket has to be made.
 */
int run_control_open(const struct run_options *options, struct run_view *view,
		     struct mlsched_error *err, struct run_control **control);

/**
 * run_control_start() - it is attached: requests are answered from now on
 * @requests: to the engine of user space, or NULL: the kernel computes
 */
int run_control_start(struct run_control *control, struct mls_scx *scx,
		      struct mls_requests *requests, uint64_t started, struct mlsched_error *err);

/** run_control_fd() - readable when run_control_handle() has something to do */
int run_control_fd(const struct run_control *control);

/** run_control_handle() - do it; does not block */
void run_control_handle(struct run_control *control);

/** run_control_restarted() - the scheduler was attached anew, @restarts times so far */
void run_control_restarted(struct run_control *control, uint32_t restarts);

/** run_control_snapshot() - the scheduler now; @domains: look at these, too */
void run_control_snapshot(const struct run_control *control, bool domains,
			  struct snapshot *snapshot);

/** run_control_text() - where it listens: lines for the head of `run`'s output; "" if nowhere */
void run_control_text(const struct run_control *control, char *text, size_t size);

/** run_control_json() - the same as a document */
json_t *run_control_json(const struct run_control *control);

/** run_control_close() - NULL is allowed */
void run_control_close(struct run_control *control);

#endif /* MLS_CLI_RUN_CONTROL_H */
