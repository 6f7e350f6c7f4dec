/* SPDX-License-Identifier: GPL-2.0 */
/* What the files behind run_control.h share. */
#ifndef MLS_CLI_RUN_CONTROL_STATE_H
#define MLS_CLI_RUN_CONTROL_STATE_H

#include "src/cli/run.h"
#include "src/cli/run_control.h"
#include "src/formats/hdf5_starter.h"
#include "src/host/prepare.h"
#include "src/host/server.h"
#include "src/host/watch.h"
#include "src/nn/qnet_pack.h"

enum run_control_event {
	RUN_CONTROL_TIMER,
	RUN_CONTROL_PREPARED,
	RUN_CONTROL_SOCKET_READY,
	RUN_CONTROL_METRICS_READY,
	RUN_CONTROL_WATCH_READY,
	RUN_CONTROL_EVENTS
};

/**
 * struct run_control - the ways into a running scheduler
 * @socket:   path of @control, the socket, which is NULL where there is none, like @metrics and @watch
 * @requests: to the engine of user space, or NULL: the kernel computes
 * @engine:   of the model that is being changed to, held until that is settled, or NULL
 * @lacking:  why there is no socket although one was wanted, or ""
 * @prepare:  a model that is being read, or NULL
 * @starter:  of processes that read Keras files, with @starts; the sandbox lets nobody else start any
 * @waiting:  the client that waits for how the swap ends, or NULL
 * @replaced: the watched model was replaced while another swap was under way
 * @reported: number and outcome of the swap that was reported last
 */
struct run_control {
	const struct run_options *options;
	struct run_view *view;
	struct mls_scx *scx;
	struct mls_requests *requests;
	struct mls_engine *engine;
	uint64_t started;
	uint32_t restarts;
	int epoll;
	int timer;
	const char *socket;
	char lacking[MLSCHED_ERROR_SIZE];
	struct mls_server *control;
	struct mls_server *metrics;
	struct mls_watch *watch;
	struct mls_swap *swap;
	struct mls_prepare *prepare;
	bool starts;
	struct mls_h5_starter starter;
	struct mls_client *waiting;
	bool replaced;
	uint32_t reported;
	enum mls_swap_outcome reported_outcome;
};

/**
 * run_control_swap() - begin to change the model
 * @path: of it; what a client calls it where it is @sent
 * @sent: a descriptor that mls_sent_check() is content with, closed here, or -1
 */
int run_control_swap(struct run_control *control, const char *path, int sent,
		     const struct mls_swap_limits *limits, uint32_t repeat,
		     struct mlsched_error *err);

#define RUN_CONTROL_WARNING 512

/** run_control_warning() - whether the model is one for other mechanisms, and what to say then */
bool run_control_warning(const struct run_control *control, const struct mls_swap_model *model,
			 char *text, size_t size);

/** run_control_candidate() - slot of the model on trial, or -1 */
int run_control_candidate(const struct run_control *control);

/** run_control_settle() - after anything that may have begun or ended a swap */
void run_control_settle(struct run_control *control);

/** run_control_request() - one line of a client */
void run_control_request(void *context, struct mls_client *client, const char *line, size_t n);

/** run_control_record_json() - one swap */
json_t *run_control_record_json(const struct mls_swap_record *record);

/** run_control_answer_record() - to the client that waited for it */
void run_control_answer_record(const struct run_control *control, struct mls_client *client,
			       const struct mls_swap_record *record);

/** run_metrics_open() - where --metrics says */
int run_metrics_open(struct run_control *control, struct mlsched_error *err);

/** run_metrics_address() - for people: "http://127.0.0.1:9464/metrics" */
void run_metrics_address(const struct run_control *control, char *text, size_t size);

#endif /* MLS_CLI_RUN_CONTROL_STATE_H */
