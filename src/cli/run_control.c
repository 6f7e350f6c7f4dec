// SPDX-License-Identifier: GPL-2.0
/*
 * The ways into a running scheduler.  What requests do is in
 * run_requests.c, how metrics are asked for in run_metrics.c.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "src/cli/run_control_state.h"
#include "src/formats/format.h"
#include "src/nn/qnet.h"
#include "src/util/clock.h"
#include "src/util/error.h"

enum { OPTION_SOCKET = 0x400, OPTION_METRICS, OPTION_WATCH };

static const struct argp_option options[] = {
	{ "socket", OPTION_SOCKET, "PATH", 0,
	  "Where `mlsched stats`, `top` and `model` reach the scheduler (" RUN_CONTROL_SOCKET
	  "; none: nowhere) (scx)",
	  1 },
	{ "metrics", OPTION_METRICS, "ADDRESS", 0,
	  "Serve counters as OpenMetrics: unix:PATH, or PORT of this machine's own address, or "
	  "ADDRESS:PORT (scx)",
	  1 },
	{ "watch", OPTION_WATCH, NULL, 0,
	  "When the model at --model is replaced, change to it, within the limits (scx)", 1 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct run_control_options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->swap;
		return 0;
	case OPTION_SOCKET:
		o->socket = arg;
		return 0;
	case OPTION_METRICS:
		o->metrics = arg;
		return 0;
	case OPTION_WATCH:
		o->watch = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = { { &swap_options_argp, 0, NULL, 2 }, { 0 } };

const struct argp run_control_argp = {
	.options = options,
	.parser = parse,
	.children = children,
};

static int add(struct run_control *c, int fd, enum run_control_event what)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = what };

	return epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

/* After @ns; one that is armed already is armed anew. */
static void arm(struct run_control *c, uint64_t ns)
{
	struct itimerspec spec = { 0 };

	/* 0 would disarm it. */
	ns = ns ? ns : 1;
	spec.it_value.tv_sec = (time_t)(ns / 1000000000ull);
	spec.it_value.tv_nsec = (long)(ns % 1000000000ull);
	timerfd_settime(c->timer, 0, &spec, NULL);
}

/* ---- changes of the model ---------------------------------------------------------- */

static struct run_control *of(void *context)
{
	return context;
}

/* The kernel's engine: what is changed is a network in one of the kernel's slots. */

/*
 * Only a model that decides is offered what it was trained to refuse.  To be called after
 * anything that may have changed who decides; a restart keeps what was said last.
 */
static void tune(struct run_control *c)
{
	int active = mls_swap_active(c->swap);
	const struct mls_swap_model *model = active < 0 ? NULL : mls_swap_model(c->swap, active);
	bool decides = model && model->tuning.stated && mls_scx_mode(c->scx) == MLS_POLICY_ACTIVE;

	mls_scx_set_worth(c->scx, decides ? model->tuning.worth : NULL);
}

bool run_control_warning(const struct run_control *c, const struct mls_swap_model *model,
			 char *text, size_t size)
{
	char trained[128], runs[128];

	text[0] = '\0';
	if (!model->tuning.stated || model->tuning.mechanisms == c->view->mechanisms)
		return false;
	mls_mechanisms_text(model->tuning.mechanisms, trained, sizeof(trained));
	mls_mechanisms_text(c->view->mechanisms, runs, sizeof(runs));
	snprintf(text, size,
		 "the model was trained for a scheduler with the mechanisms %s, and this one has "
		 "%s: it may decide badly, until mlsched run is started anew with --mechanisms %s",
		 trained, runs, trained);
	return true;
}

static int put(void *context, int index, const void *slot, struct mlsched_error *err)
{
	return mls_scx_put(of(context)->scx, index, slot, err);
}

static const void *slot(void *context, int index)
{
	return mls_scx_slot(of(context)->scx, index);
}

static void set_active(void *context, int index)
{
	mls_scx_set_active(of(context)->scx, index);
}

static void set_candidate(void *context, int index)
{
	mls_scx_set_candidate(of(context)->scx, index);
}

static void counts(void *context, struct scheduler_counts *n)
{
	mls_scx_counts(of(context)->scx, n);
}

static enum mls_policy_mode mode(void *context)
{
	return mls_scx_mode(of(context)->scx);
}

/* One of user space: it is a pointer to an engine, in one of the daemon's. */

static int put_engine(void *context, int index, const void *engine, struct mlsched_error *err)
{
	return mls_requests_put(of(context)->requests, index, *(struct mls_engine *const *)engine,
				err);
}

static const void *engine_slot(void *context, int index)
{
	return mls_requests_slot(of(context)->requests, index);
}

static void set_active_engine(void *context, int index)
{
	mls_requests_set_active(of(context)->requests, index);
}

static void set_candidate_engine(void *context, int index)
{
	mls_requests_set_candidate(of(context)->requests, index);
}

static struct mls_swap_ops ops_of(struct run_control *c)
{
	struct mls_swap_ops ops = { put, slot, set_active, set_candidate, counts, mode, c };

	if (c->requests) {
		ops.put = put_engine;
		ops.slot = engine_slot;
		ops.set_active = set_active_engine;
		ops.set_candidate = set_candidate_engine;
	}
	return ops;
}

int run_control_candidate(const struct run_control *c)
{
	return c->requests ? mls_requests_candidate(c->requests) : mls_scx_candidate(c->scx);
}

/* For whoever watches `run` itself. */
static void report(const struct run_control *c, const struct mls_swap_record *r)
{
	const struct cli_common *common = c->view->common;
	char warning[RUN_CONTROL_WARNING];
	json_t *document;

	if (!common->json) {
		cli_note(common, "model     %s: %s: %s", r->model.path,
			 mls_swap_outcome_name(r->outcome), r->reason);
		if (r->outcome == MLS_SWAP_ACTIVATED &&
		    run_control_warning(c, &r->model, warning, sizeof(warning)))
			cli_note(common, "warning   %s", warning);
		return;
	}
	document = run_control_record_json(r);
	json_object_set_new(document, "type", json_string("swap"));
	cli_json(document);
}

void run_control_settle(struct run_control *c)
{
	const struct mls_swap_record *r = mls_swap_record(c->swap, 0);

	if (mls_swap_phase(c->swap) != MLS_SWAP_IDLE) {
		arm(c, 0);
		return;
	}
	if (c->prepare) {
		epoll_ctl(c->epoll, EPOLL_CTL_DEL, mls_prepare_fd(c->prepare), NULL);
		mls_prepare_cancel(c->prepare);
		c->prepare = NULL;
	}
	/* Slots hold what they have. */
	mls_engine_close(c->engine);
	c->engine = NULL;
	if (r && (r->number != c->reported || r->outcome != c->reported_outcome)) {
		c->reported = r->number;
		c->reported_outcome = r->outcome;
		report(c, r);
		if (c->waiting) {
			struct mls_client *client = c->waiting;

			c->waiting = NULL;
			run_control_answer_record(c, client, r);
		}
	}
	if (c->replaced) {
		struct mlsched_error err;

		c->replaced = false;
		run_control_swap(c, c->options->model, -1, &c->options->control.swap.limits, 1,
				 &err);
	}
}

int run_control_swap(struct run_control *c, const char *path, int sent,
		     const struct mls_swap_limits *limits, uint32_t repeat,
		     struct mlsched_error *err)
{
	const struct mls_prepare_options prepare = {
		.path = path,
		.sent = sent,
		.starter = c->starts ? &c->starter : NULL,
		.threshold = c->options->threshold,
		.topology = mls_scx_topology(c->scx),
		.engine = c->requests ? run_engine_name(c->view) : NULL,
		.library = c->options->tensorflow_library,
	};
	int ret = mls_swap_begin(c->swap, path, limits, repeat, mls_now_ns(), err);

	if (ret) {
		if (sent >= 0)
			close(sent);
		return ret;
	}
	ret = mls_prepare_start(&prepare, err, &c->prepare);
	if (!ret) {
		ret = add(c, mls_prepare_fd(c->prepare), RUN_CONTROL_PREPARED);
		if (!ret)
			return 0;
		mls_error(err, ret, "waiting for the model: %s", strerror(-ret));
	}
	mls_swap_prepared(c->swap, NULL, NULL, 0, err->message, mls_now_ns());
	run_control_settle(c);
	return ret;
}

static void on_prepared(struct run_control *c)
{
	struct mls_swap_model model = { 0 };
	struct mls_prepared prepared = { 0 };
	struct mlsched_error err;
	const void *made;
	size_t size;
	int fd, ret;

	if (!c->prepare)
		return;
	snprintf(model.path, sizeof(model.path), "%s", mls_swap_record(c->swap, 0)->model.path);
	fd = mls_prepare_fd(c->prepare);
	ret = mls_prepare_end(c->prepare, &prepared, &err);
	/* The event was of one before it, which a client has ended since the loop woke up. */
	if (ret == -EINPROGRESS)
		return;
	epoll_ctl(c->epoll, EPOLL_CTL_DEL, fd, NULL);
	c->prepare = NULL;
	model.checksum = prepared.checksum;
	model.source = prepared.source;
	model.tuning = prepared.tuning;
	c->engine = prepared.engine;
	made = c->engine ? (const void *)&c->engine : prepared.slot;
	size = c->engine ? sizeof(c->engine) : mls_qnet_slot_size(MLS_SCX_SLOT_WIDTH);
	mls_swap_prepared(c->swap, &model, ret ? NULL : made, size, ret ? err.message : NULL,
			  mls_now_ns());
	free(prepared.slot);
	run_control_settle(c);
}

static void on_timer(struct run_control *c)
{
	uint64_t times, next;

	if (read(c->timer, &times, sizeof(times)) != sizeof(times))
		return;
	next = mls_swap_step(c->swap, mls_now_ns());
	if (mls_swap_phase(c->swap) == MLS_SWAP_IDLE)
		run_control_settle(c);
	arm(c, next);
}

static void on_watch(struct run_control *c)
{
	int ret = mls_watch_poll(c->watch);
	struct mlsched_error err;

	if (ret < 0) {
		cli_note(c->view->common,
			 "--watch: the directory around %s is gone or was moved: it is not watched "
			 "any more",
			 c->options->model);
		mls_watch_close(c->watch);
		c->watch = NULL;
		return;
	}
	if (!ret)
		return;
	/* While another change is under way it waits for its turn. */
	if (run_control_swap(c, c->options->model, -1, &c->options->control.swap.limits, 1, &err) ==
	    -EBUSY)
		c->replaced = true;
}

/* ---- opening, closing ------------------------------------------------------------- */

static size_t line_length(const char *data, size_t n)
{
	const char *end = memchr(data, '\n', n);

	return end ? (size_t)(end - data) + 1 : 0;
}

static void on_gone(void *context, struct mls_client *client)
{
	struct run_control *c = context;

	/* What it has begun goes on. */
	if (c->waiting == client)
		c->waiting = NULL;
}

static int open_socket(struct run_control *c, struct mlsched_error *err)
{
	const struct mls_server_options server = {
		.longest = RUN_CONTROL_LONGEST,
		.length = line_length,
		.handle = run_control_request,
		.gone = on_gone,
		.refuse = "{\"ok\":false,\"error\":\"the request is longer than 8192 bytes\"}\n",
		.owner = true,
		.descriptors = true,
		.context = c,
	};
	const char *asked = c->options->control.socket;
	int ret;

	if (asked && strcmp(asked, "none") == 0)
		return 0;
	c->socket = asked ? asked : RUN_CONTROL_SOCKET;
	ret = mls_server_open(&server, err, &c->control);
	if (!ret)
		ret = mls_server_listen_unix(c->control, c->socket, 0600, err);
	if (!ret || asked)
		return ret ? mls_error_prefix(err, ret, "--socket") : 0;
	/* Nobody asked for one: scheduling goes on without, if there is any. */
	snprintf(c->lacking, sizeof(c->lacking), "%s", err->message);
	mls_server_close(c->control);
	c->control = NULL;
	return 0;
}

/*
 * What replaces a Keras file is one, too, and it will come when the sandbox starts no process
 * any more: one that can is started before.
 */
static int open_starter(struct run_control *c, struct mlsched_error *err)
{
	const struct run_options *o = c->options;
	const struct mls_format *format;
	int ret;

	if (o->no_sandbox || mls_format_of(o->model, NULL, &format) != 0 || !format ||
	    !format->read_by)
		return 0;
	ret = mls_keras_ahead(&c->starter, err);
	c->starts = !ret;
	return ret;
}

static int open_watch(struct run_control *c, struct mlsched_error *err)
{
	int ret;

	if (!c->options->control.watch)
		return 0;
	ret = mls_watch_open(c->options->model, err, &c->watch);
	if (!ret)
		ret = open_starter(c, err);
	return ret ? mls_error_prefix(err, ret, "--watch") : 0;
}

int run_control_open(const struct run_options *o, struct run_view *view, struct mlsched_error *err,
		     struct run_control **control)
{
	struct run_control *c = calloc(1, sizeof(*c));
	int ret;

	if (!c)
		return mls_error(err, -ENOMEM, "no memory for the control socket");
	c->options = o;
	c->view = view;
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	c->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	ret = c->epoll < 0 || c->timer < 0 ? mls_error(err, -errno, "epoll: %s", strerror(errno)) :
					     0;
	if (!ret)
		ret = open_socket(c, err);
	if (!ret && o->control.metrics)
		ret = run_metrics_open(c, err);
	if (!ret)
		ret = open_watch(c, err);
	if (ret) {
		run_control_close(c);
		return ret;
	}
	*control = c;
	return 0;
}

int run_control_start(struct run_control *c, struct mls_scx *scx, struct mls_requests *requests,
		      uint64_t started, struct mlsched_error *err)
{
	const struct mlsched_qmodel *fixed = c->view->fixed;
	bool is_active = requests || mls_scx_active(scx) == 0;
	struct mls_swap_model first = { 0 };
	struct mls_swap_ops ops;
	int ret;

	if (c->lacking[0])
		cli_note(c->view->common, "no control socket: %s", c->lacking);
	c->scx = scx;
	c->requests = requests;
	c->started = started;
	if (is_active) {
		snprintf(first.path, sizeof(first.path), "%s", c->view->model_path);
		first.source = mlsched_model_checksum(c->view->model);
		first.checksum = fixed ? mlsched_qmodel_checksum(fixed) : first.source;
		first.tuning = c->view->tuning;
	}
	ops = ops_of(c);
	ret = mls_swap_open(&ops, is_active ? &first : NULL, err, &c->swap);
	if (!ret)
		tune(c);
	if (!ret)
		ret = add(c, c->timer, RUN_CONTROL_TIMER);
	if (!ret && c->control)
		ret = add(c, mls_server_fd(c->control), RUN_CONTROL_SOCKET_READY);
	if (!ret && c->metrics)
		ret = add(c, mls_server_fd(c->metrics), RUN_CONTROL_METRICS_READY);
	if (!ret && c->watch)
		ret = add(c, mls_watch_fd(c->watch), RUN_CONTROL_WATCH_READY);
	arm(c, 0);
	return ret;
}

int run_control_fd(const struct run_control *c)
{
	return c->epoll;
}

void run_control_handle(struct run_control *c)
{
	struct epoll_event events[RUN_CONTROL_EVENTS];
	int n = epoll_wait(c->epoll, events, RUN_CONTROL_EVENTS, 0);

	for (int i = 0; i < n; i++) {
		switch (events[i].data.u32) {
		case RUN_CONTROL_TIMER:
			on_timer(c);
			break;
		case RUN_CONTROL_PREPARED:
			on_prepared(c);
			break;
		case RUN_CONTROL_SOCKET_READY:
			mls_server_poll(c->control);
			break;
		case RUN_CONTROL_METRICS_READY:
			mls_server_poll(c->metrics);
			break;
		default:
			if (c->watch)
				on_watch(c);
		}
	}
	tune(c);
}

void run_control_restarted(struct run_control *c, uint32_t restarts)
{
	c->restarts = restarts;
	mls_swap_restarted(c->swap, mls_now_ns());
	tune(c);
}

static void look_at_domains(const struct run_control *c, struct snapshot *s)
{
	const struct mls_topology *t = mls_scx_topology(c->scx);

	s->n_domains = t->n_domains;
	mls_scx_domains(c->scx, s->domains);
	for (uint32_t d = 0; d < t->n_domains; d++)
		mls_topology_domain_cpus(t, d, s->lists[d], sizeof(s->lists[d]));
}

void run_control_snapshot(const struct run_control *c, bool domains, struct snapshot *s)
{
	const struct mls_topology *t = mls_scx_topology(c->scx);
	const struct mls_swap_model *model;

	memset(s, 0, sizeof(*s));
	snprintf(s->version, sizeof(s->version), "%s", mlsched_version());
	s->seconds = (double)(mls_now_ns() - c->started) / 1e9;
	s->restarts = c->restarts;
	s->mode = mls_scx_mode(c->scx);
	s->active = mls_swap_active(c->swap);
	s->candidate = run_control_candidate(c);
	s->cpus = t->n_cpus;
	s->online = t->n_online;
	model = s->active >= 0 ? mls_swap_model(c->swap, s->active) : NULL;
	if (model) {
		s->checksum = model->checksum;
		snprintf(s->path, sizeof(s->path), "%s", model->path);
		/* It goes into JSON and into OpenMetrics, and both are UTF-8 or nothing. */
		mls_clean_text(s->path);
	}
	mls_scx_worth(c->scx, s->worth);
	for (int o = 0; o < MLS_SWAP_OUTCOMES; o++)
		s->swaps[o] = mls_swap_count(c->swap, (enum mls_swap_outcome)o);
	mls_scx_counts(c->scx, &s->counts);
	if (domains)
		look_at_domains(c, s);
}

void run_control_text(const struct run_control *c, char *text, size_t size)
{
	char address[256] = "";
	size_t used = 0;

	text[0] = '\0';
	if (c->control)
		used = (size_t)snprintf(text, size, "control   %s\n", c->socket);
	if (c->metrics && used < size) {
		run_metrics_address(c, address, sizeof(address));
		snprintf(text + used, size - used, "metrics   %s\n", address);
	}
}

json_t *run_control_json(const struct run_control *c)
{
	char address[256] = "";

	if (c->metrics)
		run_metrics_address(c, address, sizeof(address));
	return json_pack("{s:o, s:o, s:b}", "socket",
			 c->control ? json_string(c->socket) : json_null(), "metrics",
			 c->metrics ? json_string(address) : json_null(), "watch",
			 c->watch != NULL);
}

void run_control_close(struct run_control *c)
{
	if (!c)
		return;
	mls_prepare_cancel(c->prepare);
	mls_server_close(c->control);
	mls_server_close(c->metrics);
	mls_watch_close(c->watch);
	if (c->starts)
		mls_h5_starter_close(&c->starter);
	mls_swap_close(c->swap);
	mls_engine_close(c->engine);
	if (c->timer >= 0)
		close(c->timer);
	if (c->epoll >= 0)
		close(c->epoll);
	free(c);
}
