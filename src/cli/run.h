/* SPDX-License-Identifier: GPL-2.0 */
/* What `mlsched run` shows, as text and as JSON; the loop is run.c. */
#ifndef MLS_CLI_RUN_H
#define MLS_CLI_RUN_H

#include "core/policy.h"
#include "src/cli/cli.h"
#include "src/cli/run_control.h"
#include "src/cli/run_record.h"
#include "src/host/engine.h"
#include "src/host/kfuncs.h"
#include "src/host/notify.h"
#include "src/host/requests.h"
#include "src/host/shadow.h"

/* Status of `mlsched run` when the kernel has thrown its scheduler out. */
#define RUN_EJECTED 3

struct run_options {
	struct cli_common common;
	const char *backend;
	bool automatic; /* nobody named a backend: @backend is ours */
	const char *engine;
	const char *model;
	bool model_is_ours; /* nobody named one */
	const char *mode; /* NULL: default */
	double duration; /* seconds, 0: until stopped */
	double interval; /* seconds */
	double half_life; /* ms, 0: default */
	double window; /* ms, 0: default */
	double limit; /* ms, 0: default */
	double threshold; /* 0: the model's */
	double verdict_age; /* ms, 0: default */
	const char *tensorflow_library; /* NULL: looked for */
	uint32_t n_domains;
	bool stats;
	bool no_sandbox;
	double explore; /* share of decisions */
	bool partial;
	struct run_record_options record;
	uint32_t mechanisms; /* bits 1 << enum mls_policy_mechanism, if */
	bool mechanisms_given;
	struct run_control_options control;
	struct mls_kfuncs kernel; /* what choosing a backend found */
};

/**
 * struct run_view - everything there is to show
 * @common:      --json, -q, -v
 * @model_path:  as the user named it
 * @model:       the network
 * @backend_why: why this backend
 * @mode_why:    why the model does not decide although nobody said so, or NULL
 * @engine_why:  why this engine
 * @fixed:       the network in fixed point if the engine is "kernel", or NULL
 * @engine:      who computes it if that is not the kernel, or NULL
 * @report:      how well that stands for @model
 * @tuning:      that it was trained for
 * @mechanisms:  that the scheduler has: named, or the model's
 * @half_life:   of the loads, ns
 * @shadow:      the backend
 * @started:     CLOCK_MONOTONIC, ns
 * @interval:    sums since the last line
 * @total:       sums since the start
 * @lines:       printed since the last header line
 * @notify:      the service manager, if one started us
 * @record:      the recording, or NULL
 * @recorded:    what became of it, at the end; or NULL
 */
struct run_view {
	const struct cli_common *common;
	const char *model_path;
	const struct mlsched_model *model;
	const char *backend_why;
	const char *mode_why;
	const char *engine_why;
	const struct mlsched_qmodel *fixed;
	struct mls_engine *engine;
	struct mlsched_quantize_report report;
	struct mls_tuning tuning;
	uint32_t mechanisms;
	uint64_t half_life;
	struct mls_shadow *shadow;
	uint64_t started;
	struct mls_account interval;
	struct mls_account total;
	uint32_t lines;
	struct mls_notify notify;
	struct run_record *record;
	json_t *recorded;
};

/** run_model_text() - "PATH: 10-64-64-1, 4929 parameters, schema seed10, ..." */
void run_model_text(const struct run_view *view, char *text, size_t size);

/** run_time_text() - "71 ns", "12.3 us", "4.56 ms", "1.20 s" */
const char *run_time_text(char text[32], double ns);

/** run_show_domains() - what the domains are, and their CPUs */
void run_show_domains(const struct mls_topology *topology);

/** run_timer() - a file descriptor that becomes readable after @first and then every @again s */
int run_timer(double first, double again);

/**
 * run_sandbox() - give up what is not needed from here on, unless --no-sandbox
 *
 * To be called when everything is open and no other thread runs.
 *
 * Return: CLI_OK, or CLI_FAILURE with the reason printed: then nothing may go on.
 */
int run_sandbox(const struct run_options *options);

/**
 * run_scx() - the scx backend, until it is told to stop
 * @view:    with model, quantised or NULL, and the reasons
 * @signals: a signalfd
 *
 * Return: an exit status; RUN_EJECTED when the kernel has thrown it out; -errno
 * when it could not be attached, with the reason in @err and nothing printed.
 */
int run_scx(const struct run_options *options, struct run_view *view, int signals,
	    struct mlsched_error *err);

/** run_wants_kernel() - whether the network is to be computed in fixed point in the kernel */
bool run_wants_kernel(const struct run_options *options);

/** run_engine_why() - why this engine */
const char *run_engine_why(const struct run_options *options);

/** run_engine_name() - "kernel", "native", "tensorflow"; "none" without a model */
const char *run_engine_name(const struct run_view *view);

/**
 * run_open_engine() - the engine of user space that the options ask for, into @view->engine
 *
 * Return: 0, also when it is none; an exit status, with the reason printed.
 */
int run_open_engine(const struct run_options *options, struct run_view *view);

/**
 * run_verdicts_json() - how many decisions had their verdict in time
 * @daemon: of an engine of user space, or NULL
 */
json_t *run_verdicts_json(const struct run_view *view, const struct scheduler_counts *counts,
			  const struct mls_requests_counts *daemon);

/** run_show_verdicts() - the same as text */
void run_show_verdicts(const struct run_view *view, const struct scheduler_counts *counts,
		       const struct mls_requests_counts *daemon);

/** run_requests_subtract() - what came since @before */
void run_requests_subtract(struct mls_requests_counts *counts,
			   const struct mls_requests_counts *before);

/** run_show_start() - machine, kernel, backend and engine with the reasons, domains, model */
void run_show_start(struct run_view *view);

/** run_show_decision() - one decision with its outcome, one line */
void run_show_decision(const struct run_view *view, const struct mls_decision *decision);

/**
 * run_output_waits() - something is to be printed, and would wait for whoever reads it
 *
 * As behind a pager or on a terminal that was stopped: what comes every now and then is left
 * out then, and everything else goes on.
 */
bool run_output_waits(const struct cli_common *common);

/** run_show_interval() - one line on @interval */
void run_show_interval(struct run_view *view, uint64_t now);

/** run_show_summary() - the table at the end */
void run_show_summary(const struct run_view *view, uint64_t now);

#endif /* MLS_CLI_RUN_H */
