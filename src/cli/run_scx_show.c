// SPDX-License-Identifier: GPL-2.0
/*
 * What mlsched run shows with the scx backend, text and JSON side by side.
 */
#include <string.h>
#include <sys/utsname.h>

#include "src/cli/run_control_state.h"
#include "src/cli/run_scx.h"
#include "src/cli/tuning.h"
#include "src/util/clock.h"

#define HEADER_EVERY 20

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
		"backend", "name", "scx", "why", view->backend_why, "mode",
		snapshot_mode_names[r->mode], "engine", "name", run_engine_name(view), "why",
		view->engine_why, "domains", "are", text, "cpus", lists);
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
	json_object_set_new(document, "mode_why",
			    view->mode_why ? json_string(view->mode_why) : json_null());
	json_object_set_new(document, "partial", json_boolean(r->options->partial));
	json_object_set_new(document, "mechanisms", cli_mechanisms_json(r->view->mechanisms));
	if (view->tuning.stated)
		json_object_set_new(document, "model_offers_us",
				    cli_offers_json(view->tuning.worth));
	json_object_set_new(document, "control", run_control_json(r->control));
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

/* What the scheduler has, because it was told to or because the model wants it. */
static void show_tuning(const struct scx_run *r)
{
	const struct run_view *view = r->view;
	const struct mls_tuning *t = &view->tuning;
	char names[128];

	mls_mechanisms_text(view->mechanisms, names, sizeof(names));
	if (view->mechanisms)
		printf("with      %s%s\n", names,
		       r->options->mechanisms_given ? "" : " (the model was trained with that)");
	if (t->stated && t->mechanisms != view->mechanisms) {
		mls_mechanisms_text(t->mechanisms, names, sizeof(names));
		printf("          the model was trained with %s: it may decide badly\n", names);
	}
	if (t->stated)
		printf("offers    while the model decides, to CPUs that are expected to be idle for "
		       "%g, %g, %g us (by distance)\n",
		       (double)t->worth[MLS_POLICY_NEAR] / 1000,
		       (double)t->worth[MLS_POLICY_NODE] / 1000,
		       (double)t->worth[MLS_POLICY_FAR] / 1000);
}

void run_scx_show_start(const struct scx_run *r)
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
	printf("backend   scx (%s): mlsched schedules %s\n", view->backend_why,
	       r->options->partial ?
		       "the tasks that ask for it (SCHED_EXT), the kernel the others" :
		       "all ordinary tasks");
	printf("mode      %s\n", mode_text(r->mode));
	if (view->mode_why)
		printf("          %s\n", view->mode_why);
	show_tuning(r);
	if (view->engine)
		printf("engine    %s (%s): %s; a verdict counts for %g ms, the heuristic decides "
		       "until it is there\n",
		       run_engine_name(view), view->engine_why, view->engine->what,
		       (double)mls_requests_age(r->requests) / 1e6);
	if (view->fixed)
		printf("engine    kernel (%s): fixed point in BPF, checksum %08x, agrees with "
		       "float32 in %.2f %% of %zu verdicts on %s inputs\n",
		       view->engine_why, mlsched_qmodel_checksum(view->fixed),
		       view->report.agreement * 100, view->report.n_rows,
		       view->report.rows_made ? "random" : "this machine's");
	if (view->model) {
		run_model_text(view, text, sizeof(text));
		printf("model     %s\n", text);
	}
	run_show_domains(t);
	run_control_text(r->control, text, sizeof(text));
	fputs(text, stdout);
	putchar('\n');
	fflush(stdout);
}

static void print_interval(struct run_view *view, double seconds, const struct scheduler_counts *n)
{
	struct mls_scx_sums s = mls_scx_sums(n);
	char refused[32] = "-", p50[32], p99[32];

	if (view->lines++ % HEADER_EVERY == 0)
		printf("%s                               |             moves of tasks            |  wait for a CPU\n"
		       "  seconds decisions  refused   | optional  safety  forced  elsewhere   |      p50      p99\n",
		       view->lines > 1 ? "\n" : "");
	if (s.asked)
		snprintf(refused, sizeof(refused), "%.1f %%",
			 100.0 * (double)s.refused / (double)s.asked);
	printf("%9.1f %9llu %8s   | %8llu %7llu %7llu %10llu   | %8s %8s\n", seconds, s.asked,
	       refused, s.moved, mls_scx_moved(n, SCHEDULER_BY_SAFETY),
	       mls_scx_moved(n, SCHEDULER_BY_FORCE), mls_scx_moved(n, SCHEDULER_BY_KERNEL),
	       run_time_text(p50, mls_scx_wait_at(n, 0.5)),
	       run_time_text(p99, mls_scx_wait_at(n, 0.99)));
	fflush(stdout);
}

/* What `systemctl status` shows. */
static void tell_manager(const struct scx_run *r, const struct scheduler_counts *n)
{
	const struct mls_scx_sums s = mls_scx_sums(n);
	char p99[32];

	mls_notify(&r->view->notify, "STATUS=scx, %s: %llu decisions, %llu refused, wait p99 %s",
		   snapshot_mode_names[mls_scx_mode(r->scx)], s.asked, s.refused,
		   run_time_text(p99, mls_scx_wait_at(n, 0.99)));
}

/* @json: of these counts, to which the verdicts are added. */
static void show_json(const struct scx_run *r, json_t *json, const struct scheduler_counts *n,
		      const struct mls_requests_counts *requests)
{
	json_object_set_new(json, "verdicts",
			    run_verdicts_json(r->view, n, r->requests ? requests : NULL));
	cli_json(json);
}

void run_scx_show_interval(struct scx_run *r)
{
	struct mls_requests_counts requests = { 0 }, all_requests = { 0 };
	uint64_t now = mls_now_ns();
	struct scheduler_counts n;
	struct scheduler_counts all;

	/* The next one is about this time as well. */
	if (run_output_waits(r->view->common))
		return;
	if (r->requests)
		mls_requests_counts(r->requests, &all_requests);
	requests = all_requests;
	run_requests_subtract(&requests, &r->last_requests);
	r->last_requests = all_requests;

	mls_scx_counts(r->scx, &all);
	n = all;
	mls_scx_subtract(&n, &r->last);
	r->last = all;
	tell_manager(r, &n);
	if (r->view->common->json)
		show_json(r, snapshot_counts_json("interval", (double)(now - r->started) / 1e9, &n),
			  &n, &requests);
	else if (r->view->common->verbosity >= 0)
		print_interval(r->view, (double)(now - r->started) / 1e9, &n);
}

static void print_kinds(const struct scheduler_counts *n)
{
	printf("\n%-10s %10s %10s %10s %10s %22s\n", "decisions", "asked", "accepted", "refused",
	       "moved", "raced/replaced/returned");
	for (int k = 0; k < MLS_POLICY_KINDS; k++)
		printf("%-10s %10llu %10llu %10llu %10llu %14llu/%llu/%llu\n",
		       snapshot_kind_names[k], n->asked[k], n->accepted[k], n->refused[k],
		       mls_scx_moved(n, k), n->failed[k][SCHEDULER_RACED],
		       n->failed[k][SCHEDULER_REPLACED], n->failed[k][SCHEDULER_RETURNED]);
	printf("\n%-10s %10s %10s %10s\n", "moves", "in domain", "in node", "across");
	for (int c = 0; c < SCHEDULER_CAUSES; c++)
		printf("%-10s %10llu %10llu %10llu\n", snapshot_cause_names[c], n->moved[c][0],
		       n->moved[c][1], n->moved[c][2]);
}

void run_scx_show_ejected(const struct scx_run *r)
{
	/* An orderly end is one that somebody asked the kernel for, as by SysRq-S. */
	cli_json(json_pack("{s:s, s:f, s:b, s:s}", "type", "ejected", "seconds",
			   (double)(mls_now_ns() - r->started) / 1e9, "orderly",
			   r->end == MLS_SCX_ORDERLY, "reason", r->reason));
}

void run_scx_show_summary(const struct scx_run *r)
{
	double seconds = (double)(mls_now_ns() - r->started) / 1e9;
	char p50[32], p99[32], p999[32], longest[32];
	struct mls_requests_counts requests = { 0 };
	struct scheduler_counts n;

	mls_scx_counts(r->scx, &n);
	if (r->requests)
		mls_requests_counts(r->requests, &requests);
	if (r->view->common->json) {
		json_t *document = snapshot_counts_json("summary", seconds, &n);

		json_object_set_new(document, "restarts", json_integer(r->restarts));
		json_object_set_new(document, "ejected", json_boolean(r->end == MLS_SCX_EJECTED));
		json_object_set_new(document, "reason",
				    r->reason[0] ? json_string(r->reason) : json_null());
		if (r->view->recorded)
			json_object_set(document, "recording", r->view->recorded);
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
	for (int m = 0; m < MLS_POLICY_MECHANISMS; m++) {
		if (mls_policy_has(r->view->mechanisms, (enum mls_policy_mechanism)m))
			printf("%-14s %llu times\n", mls_mechanism_names[m], n.mechanisms[m]);
	}
	printf("waits      %llu: p50 %s, p99 %s, p99.9 %s, longest %s\n", mls_scx_sums(&n).waits,
	       run_time_text(p50, mls_scx_wait_at(&n, 0.5)),
	       run_time_text(p99, mls_scx_wait_at(&n, 0.99)),
	       run_time_text(p999, mls_scx_wait_at(&n, 0.999)),
	       run_time_text(longest, (double)n.wait_ns));
	run_record_show(r->view->recorded);
	printf("%.1f s, %u restart%s; the kernel's own scheduler goes on\n", seconds, r->restarts,
	       r->restarts == 1 ? "" : "s");
}
