/* SPDX-License-Identifier: GPL-2.0 */
/* The scx backend of `mlsched run`: the loop is run_scx.c, what it shows run_scx_show.c. */
#ifndef MLS_CLI_RUN_SCX_H
#define MLS_CLI_RUN_SCX_H

#include "src/cli/run.h"
#include "src/host/scx.h"

enum run_scx_event {
	RUN_SCX_LOOK,
	RUN_SCX_INTERVAL,
	RUN_SCX_DURATION,
	RUN_SCX_SIGNAL,
	RUN_SCX_CONTROL,
	RUN_SCX_RECORDS,
	RUN_SCX_EVENTS
};

/**
 * struct scx_run - one run
 * @control: the ways into it from outside
 * @mode:    at the start; afterwards mls_scx_mode() says
 * @requests: to the engine of user space; NULL: the kernel computes
 * @last:    counts at the last line, like @last_requests
 * @started: CLOCK_MONOTONIC, ns
 * @recorded: what the recording says of who is in charge
 * @end:     what the kernel has done to it, and @reason why
 */
struct scx_run {
	const struct run_options *options;
	struct run_view *view;
	struct mls_scx *scx;
	struct run_control *control;
	enum mls_policy_mode mode;
	struct mls_requests *requests;
	struct scheduler_counts last;
	struct mls_requests_counts last_requests;
	uint64_t started;
	const struct mlsched_schema *schema; /* of a recording */
	uint64_t window; /* ns for which a recording follows tasks */
	uint32_t restarts;
	struct {
		enum mls_policy_mode mode;
		int slot;
		uint32_t source;
	} recorded;
	enum mls_scx_end end;
	char reason[512];
	bool done;
	int status;
	int epoll;
	int fds[RUN_SCX_EVENTS];
};

/** run_scx_show_start() - machine, kernel, backend, mode, engine, domains, model */
void run_scx_show_start(const struct scx_run *run);

/** run_scx_show_interval() - one line on what was counted since the last */
void run_scx_show_interval(struct scx_run *run);

/** run_scx_show_ejected() - the kernel has taken it out, as a JSON document of its own */
void run_scx_show_ejected(const struct scx_run *run);

/** run_scx_show_summary() - the tables at the end */
void run_scx_show_summary(const struct scx_run *run);

#endif /* MLS_CLI_RUN_SCX_H */
