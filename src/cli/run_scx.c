// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched run with the scx backend: attaches our scheduler, shows what it
 * counts, and follows the exit protocol: ask every now and then whether the
 * kernel has taken it out, say why, load it anew when a CPU came or went.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "src/cli/run.h"
#include "src/host/scx.h"
#include "src/nn/qnet.h"
#include "src/nn/qnet_pack.h"

#define LOOK_SECONDS 0.05
#define HEADER_EVERY 20
/* Attempts to come back after a CPU came or went: more may follow meanwhile. */
#define RESTARTS 10

enum event { EVENT_LOOK, EVENT_INTERVAL, EVENT_DURATION, EVENT_SIGNAL, EVENTS };

struct scx_run {
	const struct run_options *options;
	struct run_view *view;
	struct mls_scx *scx;
	enum mls_policy_mode mode;
	struct mls_requests *requests; /* NULL: the kernel computes */
	struct scheduler_counts last; /* at the last line */
	struct mls_requests_counts last_requests;
	uint64_t started; /* CLOCK_MONOTONIC, ns */
	uint64_t shown;
	uint32_t restarts;
	enum mls_scx_end end;
	char reason[512];
	bool done;
	int status;
	int epoll;
	int fds[EVENTS];
};

static const char *const kind_names[MLS_POLICY_KINDS] = {
	[MLS_POLICY_WAKEUP] = "wakeup",
	[MLS_POLICY_FORK] = "fork",
	[MLS_POLICY_STEAL] = "steal",
	[MLS_POLICY_BALANCE] = "balance",
};

static const char *const cause_names[SCHEDULER_CAUSES] = {
	[MLS_POLICY_WAKEUP] = "wakeup",      [MLS_POLICY_FORK] = "fork",
	[MLS_POLICY_STEAL] = "steal",        [MLS_POLICY_BALANCE] = "balance",
	[SCHEDULER_BY_SAFETY] = "safety",    [SCHEDULER_BY_FORCE] = "forced",
	[SCHEDULER_BY_KERNEL] = "by_kernel",
};

static const char *const failure_names[SCHEDULER_FAILURES] = {
	[SCHEDULER_RACED] = "raced",
	[SCHEDULER_REPLACED] = "replaced",
	[SCHEDULER_RETURNED] = "returned",
};

static const char *const distance_names[SCHEDULER_DISTANCES] = {
	[SCHEDULER_NEAR] = "domain",
	[SCHEDULER_NODE] = "node",
	[SCHEDULER_FAR] = "machine",
};

static const char *const mode_names[MLS_POLICY_MODES] = {
	[MLS_POLICY_COLLECT] = "collect",
	[MLS_POLICY_SHADOW] = "shadow",
	[MLS_POLICY_ACTIVE] = "active",
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

/* ---- sums ---------------------------------------------------------------------- */

static void subtract(struct scheduler_counts *n, const struct scheduler_counts *before)
{
	const unsigned long long longest = n->wait_ns, *from = (const void *)before;
	unsigned long long *to = (unsigned long long *)n;

	for (size_t i = 0; i < sizeof(*n) / sizeof(*to); i++)
		to[i] -= from[i];
	n->wait_ns = longest;
}

struct sums {
	unsigned long long asked, accepted, refused, optional, failed, waits;
};

static struct sums sums_of(const struct scheduler_counts *n)
{
	struct sums s = { 0 };

	for (int k = 0; k < MLS_POLICY_KINDS; k++) {
		s.asked += n->asked[k];
		s.accepted += n->accepted[k];
		s.refused += n->refused[k];
		for (int d = 0; d < SCHEDULER_DISTANCES; d++)
			s.optional += n->moved[k][d];
		for (int f = 0; f < SCHEDULER_FAILURES; f++)
			s.failed += n->failed[k][f];
	}
	for (int b = 0; b < SCHEDULER_BUCKETS; b++)
		s.waits += n->waits[b];
	return s;
}

static unsigned long long moved_by(const struct scheduler_counts *n, int cause)
{
	unsigned long long sum = 0;

	for (int d = 0; d < SCHEDULER_DISTANCES; d++)
		sum += n->moved[cause][d];
	return sum;
}

/* The upper end of the bucket in which a share of all waits is reached, in ns. */
static double wait_at(const struct scheduler_counts *n, double share)
{
	unsigned long long all = sums_of(n).waits, below = 0;

	for (int b = 0; b < SCHEDULER_BUCKETS && all; b++) {
		below += n->waits[b];
		if ((double)below >= share * (double)all)
			return (double)(1ull << b) * 1e3;
	}
	return 0;
}

/* ---- lines ----------------------------------------------------------------------- */

static json_t *integer(unsigned long long n)
{
	return json_integer((json_int_t)n);
}

static json_t *kind_json(const struct scheduler_counts *n, int kind)
{
	json_t *failed = json_object();

	for (int f = 0; f < SCHEDULER_FAILURES; f++)
		json_object_set_new(failed, failure_names[f], integer(n->failed[kind][f]));
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "decisions", integer(n->asked[kind]),
			 "accepted", integer(n->accepted[kind]), "refused",
			 integer(n->refused[kind]), "moved", integer(moved_by(n, kind)), "failed",
			 failed, "safety", integer(n->safety[kind]));
}

static json_t *moved_json(const struct scheduler_counts *n)
{
	json_t *moved = json_object();

	for (int c = 0; c < SCHEDULER_CAUSES; c++) {
		json_t *by = json_object();

		for (int d = 0; d < SCHEDULER_DISTANCES; d++)
			json_object_set_new(by, distance_names[d], integer(n->moved[c][d]));
		json_object_set_new(moved, cause_names[c], by);
	}
	return moved;
}

static json_t *counts_json(const char *type, double seconds, const struct scheduler_counts *n)
{
	struct sums s = sums_of(n);
	json_t *document = json_pack("{s:s, s:f, s:o, s:o, s:o, s:o, s:o}", "type", type, "seconds",
				     seconds, "decisions", integer(s.asked), "accepted",
				     integer(s.accepted), "refused", integer(s.refused), "moved",
				     integer(s.optional), "failed", integer(s.failed));
	json_t *kinds = json_object();

	for (int k = 0; k < MLS_POLICY_KINDS; k++)
		json_object_set_new(kinds, kind_names[k], kind_json(n, k));
	json_object_set_new(document, "kinds", kinds);
	json_object_set_new(document, "moves", moved_json(n));
	json_object_set_new(document, "model",
			    json_pack("{s:o, s:o, s:o, s:o}", "asked", integer(n->model), "migrate",
				      integer(n->model_migrates), "same_as_heuristic",
				      integer(n->same), "missing", integer(n->no_model)));
	json_object_set_new(document, "wait_ns",
			    json_pack("{s:o, s:f, s:f, s:f, s:o}", "n", integer(s.waits), "p50",
				      wait_at(n, 0.5), "p99", wait_at(n, 0.99), "p999",
				      wait_at(n, 0.999), "longest", integer(n->wait_ns)));
	json_object_update_new(document,
			       json_pack("{s:o, s:o, s:o, s:o}", "forbidden", integer(n->forbidden),
					 "bound", integer(n->bound), "preempted",
					 integer(n->preempted), "kicked", integer(n->kicked)));
	return document;
}

static void show_start_json(const struct scx_run *r, const struct utsname *uts)
{
	const struct mls_topology *t = mls_scx_topology(r->scx);
	const struct run_view *view = r->view;
	char text[MLS_TOPOLOGY_LIST_SIZE];
	json_t *lists = json_array(), *document;

	for (uint32_t d = 0; d < t->n_domains; d++) {
		mls_topology_domain_cpus(t, d, text, sizeof(text));
		json_array_append_new(lists, json_string(text));
	}
	mls_topology_describe(t, text, sizeof(text));
	document = json_pack(
		"{s:s, s:s, s:{s:s, s:s}, s:{s:i, s:i, s:i, s:i, s:i}, s:{s:s, s:s}, s:s, s:{s:s, "
		"s:s}, s:{s:s, s:o}}",
		"type", "start", "version", mlsched_version(), "kernel", "release", uts->release,
		"machine", uts->machine, "topology", "cpus", t->n_cpus, "online", t->n_online,
		"cores", t->n_cores, "last_level_caches", t->n_caches, "numa_nodes", t->n_nodes,
		"backend", "name", "scx", "why", view->backend_why, "mode", mode_names[r->mode],
		"engine", "name", run_engine_name(view), "why", view->engine_why, "domains", "are",
		text, "cpus", lists);
	if (view->engine)
		json_object_update_new(json_object_get(document, "engine"),
				       json_pack("{s:s, s:f}", "what", view->engine->what,
						 "verdict_age_ms",
						 (double)mls_requests_age(r->requests) / 1e6));
	if (view->fixed)
		json_object_set_new(document, "model",
				    json_pack("{s:s, s:I, s:f}", "path", view->model_path,
					      "checksum",
					      (json_int_t)mlsched_qmodel_checksum(view->fixed),
					      "agreement_on_grid", view->report.agreement));
	cli_json(document);
}

static const char *mode_text(enum mls_policy_mode mode)
{
	switch (mode) {
	case MLS_POLICY_COLLECT:
		return "collect: the heuristic decides";
	case MLS_POLICY_SHADOW:
		return "shadow: the heuristic decides, the model is asked and compared";
	default:
		return "active: the model decides each optional move, inside the rules";
	}
}

static void show_start(const struct scx_run *r)
{
	const struct mls_topology *t = mls_scx_topology(r->scx);
	const struct run_view *view = r->view;
	struct utsname uts;
	char text[1024];

	uname(&uts);
	if (view->common->json) {
		show_start_json(r, &uts);
		return;
	}
	if (view->common->verbosity < 0)
		return;
	printf("mlsched %s\n", mlsched_version());
	printf("machine   %s, %u CPU%s online of %u, %u core%s, last-level caches: %u, NUMA nodes: %u\n",
	       uts.machine, t->n_online, t->n_online == 1 ? "" : "s", t->n_cpus, t->n_cores,
	       t->n_cores == 1 ? "" : "s", t->n_caches, t->n_nodes);
	printf("kernel    %s %s\n", uts.sysname, uts.release);
	printf("backend   scx (%s): mlsched schedules all ordinary tasks\n", view->backend_why);
	printf("mode      %s\n", mode_text(r->mode));
	if (view->engine)
		printf("engine    %s (%s): %s; a verdict counts for %g ms, the heuristic decides "
		       "until it is there\n",
		       run_engine_name(view), view->engine_why, view->engine->what,
		       (double)mls_requests_age(r->requests) / 1e6);
	if (view->fixed)
		printf("engine    kernel (%s): fixed point in BPF, checksum %08x, agrees with "
		       "float32 in %.2f %% of %zu verdicts on this machine's inputs\n",
		       view->engine_why, mlsched_qmodel_checksum(view->fixed),
		       view->report.agreement * 100, view->report.n_rows);
	if (view->model) {
		run_model_text(view, text, sizeof(text));
		printf("model     %s\n", text);
	}
	run_show_domains(t);
	putchar('\n');
	fflush(stdout);
}

static void print_interval(struct run_view *view, double seconds, const struct scheduler_counts *n)
{
	struct sums s = sums_of(n);
	char refused[32] = "-", p50[32], p99[32];

	if (view->lines++ % HEADER_EVERY == 0)
		printf("%s                               |             moves of tasks            |  wait for a CPU\n"
		       "  seconds decisions  refused   | optional  safety  forced  elsewhere   |      p50      p99\n",
		       view->lines > 1 ? "\n" : "");
	if (s.asked)
		snprintf(refused, sizeof(refused), "%.1f %%",
			 100.0 * (double)s.refused / (double)s.asked);
	printf("%9.1f %9llu %8s   | %8llu %7llu %7llu %10llu   | %8s %8s\n", seconds, s.asked,
	       refused, s.optional, moved_by(n, SCHEDULER_BY_SAFETY),
	       moved_by(n, SCHEDULER_BY_FORCE), moved_by(n, SCHEDULER_BY_KERNEL),
	       run_time_text(p50, wait_at(n, 0.5)), run_time_text(p99, wait_at(n, 0.99)));
	fflush(stdout);
}

/* What `systemctl status` shows. */
static void tell_manager(const struct scx_run *r, const struct scheduler_counts *n)
{
	const struct sums s = sums_of(n);
	char p99[32];

	mls_notify(&r->view->notify, "STATUS=scx, %s: %llu decisions, %llu refused, wait p99 %s",
		   mode_names[r->mode], s.asked, s.refused, run_time_text(p99, wait_at(n, 0.99)));
}

/* @json: of these counts, to which the verdicts are added. */
static void show_json(const struct scx_run *r, json_t *json, const struct scheduler_counts *n,
		      const struct mls_requests_counts *requests)
{
	json_object_set_new(json, "verdicts",
			    run_verdicts_json(r->view, n, r->requests ? requests : NULL));
	cli_json(json);
}

static void show_interval(struct scx_run *r)
{
	struct mls_requests_counts requests = { 0 }, all_requests = { 0 };
	uint64_t now = now_ns();
	struct scheduler_counts n;
	struct scheduler_counts all;

	if (r->requests)
		mls_requests_counts(r->requests, &all_requests);
	requests = all_requests;
	run_requests_subtract(&requests, &r->last_requests);
	r->last_requests = all_requests;

	mls_scx_counts(r->scx, &all);
	n = all;
	subtract(&n, &r->last);
	r->last = all;
	tell_manager(r, &n);
	if (r->view->common->json)
		show_json(r, counts_json("interval", (double)(now - r->started) / 1e9, &n), &n,
			  &requests);
	else if (r->view->common->verbosity >= 0)
		print_interval(r->view, (double)(now - r->started) / 1e9, &n);
}

static void print_kinds(const struct scheduler_counts *n)
{
	printf("\n%-10s %10s %10s %10s %10s %22s\n", "decisions", "asked", "accepted", "refused",
	       "moved", "raced/replaced/returned");
	for (int k = 0; k < MLS_POLICY_KINDS; k++)
		printf("%-10s %10llu %10llu %10llu %10llu %14llu/%llu/%llu\n", kind_names[k],
		       n->asked[k], n->accepted[k], n->refused[k], moved_by(n, k),
		       n->failed[k][SCHEDULER_RACED], n->failed[k][SCHEDULER_REPLACED],
		       n->failed[k][SCHEDULER_RETURNED]);
	printf("\n%-10s %10s %10s %10s\n", "moves", "in domain", "in node", "across");
	for (int c = 0; c < SCHEDULER_CAUSES; c++)
		printf("%-10s %10llu %10llu %10llu\n", cause_names[c], n->moved[c][0],
		       n->moved[c][1], n->moved[c][2]);
}

static void show_summary(const struct scx_run *r)
{
	double seconds = (double)(now_ns() - r->started) / 1e9;
	char p50[32], p99[32], p999[32], longest[32];
	struct mls_requests_counts requests = { 0 };
	struct scheduler_counts n;

	mls_scx_counts(r->scx, &n);
	if (r->requests)
		mls_requests_counts(r->requests, &requests);
	if (r->view->common->json) {
		json_t *document = counts_json("summary", seconds, &n);

		json_object_set_new(document, "restarts", json_integer(r->restarts));
		json_object_set_new(document, "ejected", json_boolean(r->end == MLS_SCX_EJECTED));
		json_object_set_new(document, "reason",
				    r->reason[0] ? json_string(r->reason) : json_null());
		show_json(r, document, &n, &requests);
		return;
	}
	if (r->view->common->verbosity < 0)
		return;
	print_kinds(&n);
	printf("\nmodel      asked %llu times, said migrate %llu times, like the heuristic %llu "
	       "times\n",
	       n.model, n.model_migrates, n.same);
	run_show_verdicts(r->view, &n, r->requests ? &requests : NULL);
	printf("waits      %llu: p50 %s, p99 %s, p99.9 %s, longest %s\n", sums_of(&n).waits,
	       run_time_text(p50, wait_at(&n, 0.5)), run_time_text(p99, wait_at(&n, 0.99)),
	       run_time_text(p999, wait_at(&n, 0.999)), run_time_text(longest, (double)n.wait_ns));
	printf("%.1f s, %u restart%s; the kernel's own scheduler goes on\n", seconds, r->restarts,
	       r->restarts == 1 ? "" : "s");
}

/* ---- the loop ---------------------------------------------------------------------- */

/* The kernel has taken the scheduler out because a CPU came or went. */
static void restart(struct scx_run *r)
{
	struct mlsched_error err;
	int ret = -EAGAIN;

	for (int i = 0; i < RESTARTS && ret; i++) {
		r->restarts++;
		ret = mls_scx_restart(r->scx, &err);
	}
	if (ret) {
		r->status = cli_fail(r->view->common, "starting again: %s", err.message);
		r->done = true;
		return;
	}
	cli_note(r->view->common, "a CPU came or went (%s): attached again, %u CPUs online",
		 r->reason, mls_scx_topology(r->scx)->n_online);
	r->reason[0] = '\0';
	r->end = MLS_SCX_RUNS;
}

static void look(struct scx_run *r)
{
	mls_notify_alive(&r->view->notify, now_ns());
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

static void handle(struct scx_run *r, enum event event)
{
	struct signalfd_siginfo info;
	uint64_t times;

	if (event == EVENT_SIGNAL) {
		while (read(r->fds[event], &info, sizeof(info)) == sizeof(info))
			r->done = true;
		return;
	}
	if (read(r->fds[event], &times, sizeof(times)) != sizeof(times))
		return;
	if (event == EVENT_LOOK)
		look(r);
	else if (event == EVENT_INTERVAL)
		show_interval(r);
	else
		r->done = true;
}

static int open_loop(struct scx_run *r)
{
	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	r->fds[EVENT_LOOK] = run_timer(LOOK_SECONDS, LOOK_SECONDS);
	r->fds[EVENT_INTERVAL] = run_timer(r->options->interval, r->options->interval);
	r->fds[EVENT_DURATION] = run_timer(r->options->duration, 0);
	if (r->epoll < 0)
		return -errno;
	for (int i = 0; i < EVENTS; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = (uint32_t)i };

		if (r->fds[i] < 0 || epoll_ctl(r->epoll, EPOLL_CTL_ADD, r->fds[i], &event) != 0)
			return -errno;
	}
	return 0;
}

static void close_loop(struct scx_run *r)
{
	for (int i = 0; i < EVENTS; i++) {
		if (i != EVENT_SIGNAL && r->fds[i] >= 0)
			close(r->fds[i]);
	}
	if (r->epoll >= 0)
		close(r->epoll);
}

static int run_loop(struct scx_run *r)
{
	struct epoll_event events[EVENTS];

	while (!r->done) {
		int n = epoll_wait(r->epoll, events, EVENTS, -1);

		if (n < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < n && !r->done; i++)
			handle(r, (enum event)events[i].data.u32);
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
	int ret = open_loop(r);

	r->started = now_ns();
	if (!ret && (run_sandbox(r->options) != CLI_OK || start_requests(r) != CLI_OK)) {
		close_loop(r);
		r->status = CLI_FAILURE;
		return;
	}
	if (!ret) {
		show_start(r);
		mls_notify(&r->view->notify, "READY=1\nSTATUS=scx, %s: attached",
			   mode_names[r->mode]);
		ret = run_loop(r);
		mls_notify(&r->view->notify, "STOPPING=1%s%s", r->reason[0] ? "\nSTATUS=" : "",
			   r->reason);
	}
	close_loop(r);
	mls_scx_detach(r->scx);
	if (ret)
		r->status = cli_fail(r->view->common, "waiting for events: %s", strerror(-ret));
	else
		show_summary(r);
	if (r->status == RUN_EJECTED && !r->view->common->json)
		fprintf(stderr, "%s: the kernel has taken the scheduler out: %s\n",
			r->view->common->command, r->reason);
}

static enum mls_policy_mode mode_of(const struct run_options *o)
{
	for (int i = 0; o->mode && i < MLS_POLICY_MODES; i++) {
		if (strcmp(o->mode, mode_names[i]) == 0)
			return (enum mls_policy_mode)i;
	}
	return MLS_POLICY_ACTIVE;
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

int run_scx(const struct run_options *o, struct run_view *view, int signals)
{
	struct scx_run r = {
		.options = o,
		.view = view,
		.mode = mode_of(o),
		.status = CLI_OK,
		.epoll = -1,
		.fds = { -1, -1, -1, signals },
	};
	struct mls_scx_options options = {
		.n_domains = o->n_domains,
		.half_life = (uint64_t)(o->half_life * 1e6),
		.limit = (uint64_t)(o->limit * 1e6),
		.mode = r.mode,
	};
	struct mlsched_error err;
	void *slot;
	int ret = make_slot(view->fixed, &slot, &err);

	options.slot = slot;
	if (!ret && view->engine)
		ret = mls_requests_open(view->engine, verdict_age(o), &err, &r.requests);
	options.requests = r.requests;
	if (!ret)
		ret = mls_scx_open(&options, &err, &r.scx);
	if (ret)
		r.status = cli_fail(&o->common, "%s", err.message);
	else
		run_attached(&r);
	mls_scx_close(r.scx);
	mls_requests_close(r.requests);
	free(slot);
	return r.status;
}
