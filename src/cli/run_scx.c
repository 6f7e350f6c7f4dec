// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched run with the scx backend: attaches our scheduler and follows the
 * exit protocol: ask every now and then whether the kernel has taken it out,
 * say why, load it anew when a CPU came or went.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "core/qnet_packed.h"
#include "src/cli/run_control_state.h"
#include "src/cli/run_scx.h"
#include "src/nn/qnet.h"
#include "src/util/clock.h"

#define LOOK_SECONDS    0.05
#define RECORDS_SECONDS 0.02
/* Attempts to come back after a CPU came or went: more may follow meanwhile. */
#define RESTARTS 10

/* ---- the recording ------------------------------------------------------------------ */

/* Of the network that the program began with: those that came later do not bring theirs. */
static double scale_of(const struct scx_run *r, uint32_t slot)
{
	const struct qnet_slot *s = slot ? mls_scx_slot(r->scx, (int)slot - 1) : NULL;

	if (!s || !r->view->fixed || s->checksum != mlsched_qmodel_checksum(r->view->fixed))
		return 0;
	return mlsched_qmodel_scale(r->view->fixed);
}

static void on_record(void *context, const struct scheduler_record *record, uint64_t end)
{
	const struct scx_run *r = context;
	struct mls_recorded row;

	mls_record_scheduler(record, end, scale_of(r, record->slot), r->schema->n_features, &row);
	run_record_row(r->view->record, &row);
}

/* After anything that may have changed it. */
static void record_model(struct scx_run *r)
{
	int slot = mls_swap_active(r->control->swap);
	const struct mls_swap_model *model = slot < 0 ? NULL :
							mls_swap_model(r->control->swap, slot);
	enum mls_policy_mode mode = mls_scx_mode(r->scx);
	uint32_t source = model ? model->source : 0;

	if (!r->view->record ||
	    (r->recorded.mode == mode && r->recorded.slot == slot && r->recorded.source == source))
		return;
	r->recorded.mode = mode;
	r->recorded.slot = slot;
	r->recorded.source = source;
	run_record_model(r->view->record, snapshot_mode_names[mode],
			 model ? run_engine_name(r->view) : "none", model ? model->path : NULL,
			 r->view->model && source == mlsched_model_checksum(r->view->model) ?
				 r->view->model :
				 NULL,
			 source);
}

static void count_records(struct scx_run *r)
{
	struct scheduler_counts counts;

	mls_scx_counts(r->scx, &counts);
	run_record_scheduler(r->view->record, &counts);
	run_record_look(r->view->record);
}

static int open_record(struct scx_run *r)
{
	r->recorded.slot = MLS_SCX_NO_SLOT - 1;
	return run_record_open(&r->options->common, &r->options->record, mls_scx_topology(r->scx),
			       "scx", r->schema->name, r->window, mls_scx_since(r->scx),
			       &r->view->record);
}

/* The kernel has taken the scheduler out because a CPU came or went. */
static void restart(struct scx_run *r)
{
	struct mlsched_error err;
	int ret = -EAGAIN;

	mls_scx_records_poll(r->scx, true, on_record, r);

	for (int i = 0; i < RESTARTS && ret; i++) {
		r->restarts++;
		ret = mls_scx_restart(r->scx, &err);
	}
	if (ret) {
		r->status = cli_fail(r->view->common, "starting again: %s", err.message);
		r->done = true;
		return;
	}
	run_control_restarted(r->control, r->restarts);
	cli_note(r->view->common, "a CPU came or went (%s): attached again, %u CPUs online",
		 r->reason, mls_scx_topology(r->scx)->n_online);
	r->reason[0] = '\0';
	r->end = MLS_SCX_RUNS;
}

static void look(struct scx_run *r)
{
	mls_notify_alive(&r->view->notify, mls_now_ns());
	if (r->view->record)
		count_records(r);
	r->end = mls_scx_end(r->scx, r->reason, sizeof(r->reason));
	if (r->end == MLS_SCX_RUNS)
		return;
	if (r->end == MLS_SCX_RESTART) {
		restart(r);
		return;
	}
	r->status = RUN_EJECTED;
	r->done = true;
}

static void handle(struct scx_run *r, enum run_scx_event event)
{
	struct signalfd_siginfo info;
	uint64_t times;

	if (event == RUN_SCX_CONTROL) {
		run_control_handle(r->control);
		record_model(r);
		return;
	}
	if (event == RUN_SCX_SIGNAL) {
		while (read(r->fds[event], &info, sizeof(info)) == sizeof(info))
			r->done = true;
		return;
	}
	if (read(r->fds[event], &times, sizeof(times)) != sizeof(times))
		return;
	if (event == RUN_SCX_LOOK)
		look(r);
	else if (event == RUN_SCX_RECORDS)
		mls_scx_records_poll(r->scx, false, on_record, r);
	else if (event == RUN_SCX_INTERVAL)
		run_scx_show_interval(r);
	else
		r->done = true;
}

static int open_loop(struct scx_run *r)
{
	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	r->fds[RUN_SCX_LOOK] = run_timer(LOOK_SECONDS, LOOK_SECONDS);
	r->fds[RUN_SCX_INTERVAL] = run_timer(r->options->interval, r->options->interval);
	r->fds[RUN_SCX_DURATION] = run_timer(r->options->duration, 0);
	/* Without a recording it is never armed. */
	r->fds[RUN_SCX_RECORDS] = run_timer(r->view->record ? RECORDS_SECONDS : 0, RECORDS_SECONDS);
	r->fds[RUN_SCX_CONTROL] = run_control_fd(r->control);
	if (r->epoll < 0)
		return -errno;
	for (int i = 0; i < RUN_SCX_EVENTS; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = (uint32_t)i };

		if (r->fds[i] < 0 || epoll_ctl(r->epoll, EPOLL_CTL_ADD, r->fds[i], &event) != 0)
			return -errno;
	}
	return 0;
}

static void close_loop(struct scx_run *r)
{
	for (int i = 0; i < RUN_SCX_EVENTS; i++) {
		if (i != RUN_SCX_SIGNAL && i != RUN_SCX_CONTROL && r->fds[i] >= 0)
			close(r->fds[i]);
	}
	if (r->epoll >= 0)
		close(r->epoll);
}

static int run_loop(struct scx_run *r)
{
	struct epoll_event events[RUN_SCX_EVENTS];

	while (!r->done) {
		int n = epoll_wait(r->epoll, events, RUN_SCX_EVENTS, -1);

		if (n < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < n && !r->done; i++)
			handle(r, (enum run_scx_event)events[i].data.u32);
	}
	return 0;
}

/* After the sandbox was entered, for it holds of threads that are started later. */
static int start_requests(struct scx_run *r)
{
	struct mlsched_error err;

	if (!r->requests || mls_requests_start(r->requests, &err) == 0)
		return CLI_OK;
	return cli_fail(r->view->common, "%s", err.message);
}

static void run_attached(struct scx_run *r)
{
	struct mlsched_error err;
	int ret, recorded;

	r->started = mls_now_ns();
	if (run_control_start(r->control, r->scx, r->requests, r->started, &err) != 0) {
		r->status = cli_fail(r->view->common, "%s", err.message);
		return;
	}
	if (open_record(r) != CLI_OK) {
		r->status = CLI_FAILURE;
		return;
	}
	record_model(r);
	ret = open_loop(r);
	if (!ret && (run_sandbox(r->options) != CLI_OK || start_requests(r) != CLI_OK ||
		     run_record_start(r->view->record) != CLI_OK)) {
		run_record_end(r->view->record, NULL);
		close_loop(r);
		r->status = CLI_FAILURE;
		return;
	}
	if (!ret) {
		run_scx_show_start(r);
		mls_notify(&r->view->notify, "READY=1\nSTATUS=scx, %s: attached",
			   snapshot_mode_names[r->mode]);
		ret = run_loop(r);
		mls_notify(&r->view->notify, "STOPPING=1%s%s", r->reason[0] ? "\nSTATUS=" : "",
			   r->reason);
	}
	close_loop(r);
	mls_scx_detach(r->scx);
	mls_scx_records_poll(r->scx, true, on_record, r);
	if (r->view->record)
		count_records(r);
	recorded = run_record_end(r->view->record, &r->view->recorded);
	if (ret)
		r->status = cli_fail(r->view->common, "waiting for events: %s", strerror(-ret));
	else if (r->status == RUN_EJECTED && r->view->common->json)
		run_scx_show_ejected(r);
	if (!ret)
		run_scx_show_summary(r);
	json_decref(r->view->recorded);
	if (r->status == CLI_OK)
		r->status = recorded;
	if (r->status == RUN_EJECTED && !r->view->common->json)
		fprintf(stderr, "%s: the kernel has taken the scheduler out: %s\n",
			r->view->common->command, r->reason);
}

static enum mls_policy_mode mode_of(const struct run_options *o)
{
	enum mls_policy_mode mode = MLS_POLICY_ACTIVE;

	/* The parser has checked it. */
	if (o->mode)
		snapshot_mode(o->mode, &mode);
	return mode;
}

/* NULL in *slot when no model is wanted. */
static int make_slot(const struct mlsched_qmodel *fixed, void **slot, struct mlsched_error *err)
{
	*slot = NULL;
	if (!fixed)
		return 0;
	*slot = calloc(1, mls_qnet_slot_size(MLS_SCX_SLOT_WIDTH));
	if (!*slot) {
		snprintf(err->message, sizeof(err->message), "no memory for the network's slot");
		return -ENOMEM;
	}
	return mls_qnet_pack(mls_qmodel_net(fixed), MLS_SCX_SLOT_WIDTH, false, *slot, err);
}

static uint64_t verdict_age(const struct run_options *o)
{
	return o->verdict_age > 0 ? (uint64_t)(o->verdict_age * 1e6) : MLS_VERDICT_AGE;
}

/* What the model is asked with; without one, what the next is to be trained with. */
static const struct mlsched_schema *schema_of(const struct run_view *view)
{
	bool seed10 = view->model && mlsched_model_inputs(view->model) == MLS_SEED10_INPUTS;

	return mlsched_schema_find(seed10 ? "seed10" : "mig15");
}

int run_scx(const struct run_options *o, struct run_view *view, int signals,
	    struct mlsched_error *err)
{
	struct scx_run r = {
		.options = o,
		.view = view,
		.mode = mode_of(o),
		.status = CLI_OK,
		.epoll = -1,
		.schema = schema_of(view),
		.window = o->window > 0 ? (uint64_t)(o->window * 1e6) : MLS_RECORDER_WINDOW,
		.fds = { -1, -1, -1, signals, -1, -1 },
	};
	struct mls_scx_options options = {
		.n_domains = o->n_domains,
		.half_life = (uint64_t)(o->half_life * 1e6),
		.limit = (uint64_t)(o->limit * 1e6),
		.mode = r.mode,
		.partial = o->partial,
		.record = o->record.path ? r.window : 0,
		.records_mig15 = r.schema->n_features == MLS_MIG15_INPUTS,
		.explore = o->explore,
		.kernel = o->kernel,
	};
	void *slot;
	int ret = make_slot(view->fixed, &slot, err);

	if (!ret && view->model)
		ret = mls_tuning_of(view->model, &view->tuning, err);
	view->mechanisms = o->mechanisms_given || !view->tuning.stated ? o->mechanisms :
									 view->tuning.mechanisms;
	options.mechanisms = view->mechanisms;
	options.slot = slot;
	if (!ret && view->engine)
		ret = mls_requests_open(view->engine, verdict_age(o), err, &r.requests);
	options.requests = r.requests;
	if (!ret)
		ret = run_control_open(o, view, err, &r.control);
	if (ret)
		r.status = cli_fail(&o->common, "%s", err->message);
	else if (o->record.path && o->record.append &&
		 mls_recording_takes(o->record.path, r.schema->name, err) != 0)
		/* Before a scheduler is attached for nothing. */
		r.status = cli_fail(&o->common, "%s", err->message);
	if (!r.status)
		r.status = mls_scx_open(&options, err, &r.scx);
	if (!r.status)
		run_attached(&r);
	run_control_close(r.control);
	mls_scx_close(r.scx);
	mls_requests_close(r.requests);
	free(slot);
	return r.status;
}
