// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched run: engines of user space, and what there is to show of verdicts: how
 * many came in time, who stood in for the others, how long they took.
 */
#include <string.h>

#include "src/cli/run.h"

static const char *const end_names[SCHEDULER_REQUEST_ENDS] = {
	[SCHEDULER_SENT] = "sent",
	[SCHEDULER_FULL] = "full",
	[SCHEDULER_PENDING] = "pending",
	[SCHEDULER_OWN] = "own",
};

static const char *const found_names[MLS_VERDICTS] = {
	[MLS_VERDICT_NONE] = "none",       [MLS_VERDICT_OTHER] = "mismatched",
	[MLS_VERDICT_WAITING] = "waiting", [MLS_VERDICT_LATE] = "late",
	[MLS_VERDICT_EXPIRED] = "expired", [MLS_VERDICT_KEEP] = "keep",
	[MLS_VERDICT_MIGRATE] = "migrate",
};

static bool is_scx(const struct run_options *o)
{
	return strcmp(o->backend, "scx") == 0;
}

bool run_wants_kernel(const struct run_options *o)
{
	return strcmp(o->engine, "kernel") == 0 || (is_scx(o) && strcmp(o->engine, "auto") == 0);
}

const char *run_engine_why(const struct run_options *o)
{
	if (strcmp(o->engine, "auto") != 0)
		return "as asked for";
	if (is_scx(o))
		return "its verdict is there at the moment of the decision";
	return "the exact one: nothing waits for its verdicts in shadow";
}

const char *run_engine_name(const struct run_view *view)
{
	if (view->engine)
		return view->engine->type->name;
	return view->fixed ? "kernel" : "none";
}

int run_open_engine(const struct run_options *o, struct run_view *view)
{
	const char *name = strcmp(o->engine, "auto") == 0 ? "native" : o->engine;
	struct mlsched_error err;

	if (run_wants_kernel(o) || !view->model)
		return 0;
	if (mls_engine_open(name, view->model, o->model, o->tensorflow_library, &err,
			    &view->engine) == 0)
		return 0;
	return cli_fail(&o->common, "--engine %s: %s", name, err.message);
}

/* ---- verdicts of the scx backend ------------------------------------------------------ */

static json_t *integer(unsigned long long n)
{
	return json_integer((json_int_t)n);
}

static json_t *numbers(const char *const *names, const unsigned long long *n, int count)
{
	json_t *object = json_object();

	for (int i = 0; i < count; i++)
		json_object_set_new(object, names[i], integer(n[i]));
	return object;
}

static json_t *times(const struct mls_times *t)
{
	return json_pack("{s:o, s:f, s:f}", "n", integer(t->n), "p50", mls_times_at(t, 0.5), "p99",
			 mls_times_at(t, 0.99));
}

json_t *run_verdicts_json(const struct run_view *view, const struct scheduler_counts *n,
			  const struct mls_requests_counts *daemon)
{
	json_t *document = json_pack("{s:s, s:o, s:o, s:o}", "engine", run_engine_name(view),
				     "decisions", integer(n->model + n->no_model), "in_time",
				     integer(n->model), "stood_in", integer(n->no_model));

	if (!daemon)
		return document;
	json_object_set_new(document, "requests",
			    numbers(end_names, n->requests, SCHEDULER_REQUEST_ENDS));
	json_object_set_new(document, "found", numbers(found_names, n->verdicts, MLS_VERDICTS));
	json_object_set_new(
		document, "daemon",
		json_pack("{s:o, s:o, s:o, s:o, s:o}", "received", integer(daemon->received),
			  "answered", integer(daemon->answered), "stale", integer(daemon->stale),
			  "failed", integer(daemon->failed), "batches", integer(daemon->batches)));
	json_object_set_new(document, "latency_ns", times(&daemon->latency));
	json_object_set_new(document, "compute_ns", times(&daemon->compute));
	return document;
}

void run_show_verdicts(const struct run_view *view, const struct scheduler_counts *n,
		       const struct mls_requests_counts *daemon)
{
	const unsigned long long all = n->model + n->no_model;
	char p50[32], p99[32];

	if (!all)
		return;
	printf("verdicts   %s: in time for %llu of %llu decisions (%.1f %%), the heuristic stood in "
	       "for %llu\n",
	       run_engine_name(view), n->model, all, 100.0 * (double)n->model / (double)all,
	       n->no_model);
	if (!daemon)
		return;
	printf("requests   %llu sent, %llu found the ring full, %llu were under way already, %llu "
	       "about mlsched itself\n",
	       n->requests[SCHEDULER_SENT], n->requests[SCHEDULER_FULL],
	       n->requests[SCHEDULER_PENDING], n->requests[SCHEDULER_OWN]);
	printf("answers    %llu in %llu batches, %llu too late to matter; from request to verdict "
	       "p50 %s, p99 %s\n",
	       (unsigned long long)daemon->answered, (unsigned long long)daemon->batches,
	       (unsigned long long)daemon->stale,
	       run_time_text(p50, mls_times_at(&daemon->latency, 0.5)),
	       run_time_text(p99, mls_times_at(&daemon->latency, 0.99)));
	if (daemon->failed)
		printf("failed     %llu: %s\n", (unsigned long long)daemon->failed,
		       daemon->error.message);
}

void run_requests_subtract(struct mls_requests_counts *n, const struct mls_requests_counts *before)
{
	n->received -= before->received;
	n->answered -= before->answered;
	n->stale -= before->stale;
	n->failed -= before->failed;
	n->batches -= before->batches;
	mls_times_subtract(&n->latency, &before->latency);
	mls_times_subtract(&n->compute, &before->compute);
}
