// SPDX-License-Identifier: GPL-2.0
/*
 * What `mlsched run` shows: one function a kind of line, text and JSON side by
 * side.
 */
#include <poll.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "src/cli/rows.h"
#include "src/cli/run.h"
#include "src/util/text.h"

#define HEADER_EVERY 20
#define TEXT_SIZE    512

static const char *const judgement_names[MLS_JUDGEMENTS] = {
	[MLS_ACCEPTED] = "accepted",
	[MLS_REFUSED] = "refused",
	[MLS_FORCED] = "forced",
};

static void show_json(json_t *document)
{
	cli_json(document);
}

const char *run_time_text(char text[32], double ns)
{
	if (ns < 1000)
		snprintf(text, 32, "%.0f ns", ns);
	else if (ns < 1e6)
		snprintf(text, 32, "%.1f us", ns / 1e3);
	else if (ns < 1e9)
		snprintf(text, 32, "%.2f ms", ns / 1e6);
	else
		snprintf(text, 32, "%.2f s", ns / 1e9);
	return text;
}

static const char *share_text(char text[32], double share, uint64_t of)
{
	if (of)
		snprintf(text, 32, "%.1f %%", share * 100);
	else
		snprintf(text, 32, "-");
	return text;
}

static const char *mean_text(char text[32], double ns, uint64_t of)
{
	if (of)
		return run_time_text(text, ns);
	snprintf(text, 32, "-");
	return text;
}

/* "10-64-64-1" */
static void shape_text(const struct mlsched_model *model, char *text, size_t size)
{
	size_t used = (size_t)snprintf(text, size, "%u", mlsched_model_inputs(model));
	struct mlsched_layer layer;

	for (uint32_t l = 0; mlsched_model_layer(model, l, &layer) == 0 && used < size; l++)
		used += (size_t)snprintf(text + used, size - used, "-%u", layer.n_out);
}

static uint64_t parameters(const struct mlsched_model *model)
{
	struct mlsched_layer layer;
	uint64_t n = 0;

	for (uint32_t l = 0; mlsched_model_layer(model, l, &layer) == 0; l++)
		n += (uint64_t)layer.n_in * layer.n_out + (layer.bias ? layer.n_out : 0);
	return n;
}

void run_model_text(const struct run_view *view, char *text, size_t size)
{
	const struct mlsched_meta *meta = mlsched_model_meta(view->model);
	char shape[TEXT_SIZE];

	shape_text(view->model, shape, sizeof(shape));
	snprintf(text, size, "%s: %s, %llu parameters, schema %s, threshold %g, checksum %08x",
		 view->model_path, shape, (unsigned long long)parameters(view->model),
		 meta->schema[0] ? meta->schema : "seed10 (by its width)", (double)meta->threshold,
		 mlsched_model_checksum(view->model));
}

static void show_start_json(const struct run_view *view, const struct utsname *uts,
			    const char *shape, const char *domains)
{
	struct mls_recorder *recorder = mls_shadow_recorder(view->shadow);
	const struct mls_topology *t = mls_recorder_topology(recorder);
	const struct mlsched_meta *meta = mlsched_model_meta(view->model);
	json_t *lists = json_array(), *document;
	char text[MLS_TOPOLOGY_LIST_SIZE], checksum[16];

	for (uint32_t d = 0; d < t->n_domains; d++) {
		mls_topology_domain_cpus(t, d, text, sizeof(text));
		json_array_append_new(lists, json_string(text));
	}
	snprintf(checksum, sizeof(checksum), "%08x", mlsched_model_checksum(view->model));
	document = json_pack(
		"{s:s, s:s, s:{s:s, s:s}, s:{s:i, s:i, s:i, s:i, s:i}, s:{s:s, s:s}, s:{s:s, s:s, "
		"s:s}, s:{s:s, s:o}, s:{s:s, s:s, s:s, s:s, s:f}, s:f, s:f}",
		"type", "start", "version", mlsched_version(), "kernel", "release", uts->release,
		"machine", uts->machine, "topology", "cpus", t->n_cpus, "online", t->n_online,
		"cores", t->n_cores, "last_level_caches", t->n_caches, "numa_nodes", t->n_nodes,
		"backend", "name", "shadow", "why", view->backend_why, "engine", "name",
		run_engine_name(view), "code", mlsched_isa_name(mlsched_model_isa(view->model)),
		"why", view->engine_why, "domains", "are", domains, "cpus", lists, "model", "path",
		view->model_path, "shape", shape, "schema", meta->schema, "checksum", checksum,
		"threshold", (double)meta->threshold, "half_life_ms", (double)view->half_life / 1e6,
		"window_ms", (double)mls_recorder_window(recorder) / 1e6);
	if (view->engine)
		json_object_set_new(json_object_get(document, "engine"), "what",
				    json_string(view->engine->what));
	show_json(document);
}

static void show_engine(const struct run_view *view)
{
	const struct mlsched_quantize_report *report = &view->report;

	if (view->engine) {
		printf("engine    %s (%s): %s\n", run_engine_name(view), view->engine_why,
		       view->engine->what);
		return;
	}
	printf("engine    kernel (%s): fixed point in the recorder, checksum %08x, agrees with "
	       "float32 in %.2f %% of %zu verdicts on this machine's inputs\n",
	       view->engine_why, mlsched_qmodel_checksum(view->fixed), report->agreement * 100,
	       report->n_rows);
}

void run_show_domains(const struct mls_topology *t)
{
	char text[TEXT_SIZE];

	mls_topology_describe(t, text, sizeof(text));
	printf("domains   %s\n", text);
	for (uint32_t d = 0; d < t->n_domains && d < 8; d++) {
		mls_topology_domain_cpus(t, d, text, sizeof(text));
		printf("          %u: CPU %s\n", d, text);
	}
	if (t->n_domains > 8)
		printf("          and %u more\n", t->n_domains - 8);
}

void run_show_start(struct run_view *view)
{
	struct mls_recorder *recorder = mls_shadow_recorder(view->shadow);
	const struct mls_topology *t = mls_recorder_topology(recorder);
	char shape[TEXT_SIZE], domains[TEXT_SIZE], model[2 * TEXT_SIZE];
	struct utsname uts;

	uname(&uts);
	shape_text(view->model, shape, sizeof(shape));
	mls_topology_describe(t, domains, sizeof(domains));
	if (view->common->json) {
		show_start_json(view, &uts, shape, domains);
		return;
	}
	if (view->common->verbosity < 0)
		return;
	printf("mlsched %s\n", mlsched_version());
	printf("machine   %s, %u CPU%s online of %u, %u core%s, last-level caches: %u, NUMA nodes: %u\n",
	       uts.machine, t->n_online, t->n_online == 1 ? "" : "s", t->n_cpus, t->n_cores,
	       t->n_cores == 1 ? "" : "s", t->n_caches, t->n_nodes);
	printf("kernel    %s %s\n", uts.sysname, uts.release);
	printf("backend   shadow (%s): the kernel goes on deciding, the model judges each migration\n",
	       view->backend_why);
	show_engine(view);
	run_show_domains(t);
	run_model_text(view, model, sizeof(model));
	printf("model     %s\n", model);
	printf("outcomes  followed for %g ms; loads have a half-life of %g ms\n\n",
	       (double)mls_recorder_window(recorder) / 1e6, (double)view->half_life / 1e6);
	fflush(stdout);
}

/* A task names itself as it likes: what is not plain text must not reach a terminal or JSON. */
static const char *plain(const char *comm, char text[16])
{
	snprintf(text, 16, "%.15s", comm);
	mls_plain_text(text, "");
	return text;
}

static json_t *outcome_json(const struct mls_move *m)
{
	if (!m->followed)
		return json_null();
	return json_pack("{s:I, s:b, s:b, s:I, s:I, s:b, s:I, s:b, s:I}", "observed_ns",
			 (json_int_t)m->observed, "ran", m->ran, "ran_there", m->ran_there,
			 "wait_ns", (json_int_t)m->wait, "run_ns", (json_int_t)m->run_time,
			 "moved_again", m->moved != 0, "moved_after_ns", (json_int_t)m->moved,
			 "bounced", m->back != 0, "back_after_ns", (json_int_t)m->back);
}

static json_t *features_json(const float *features)
{
	json_t *array = json_array();

	for (int i = 0; i < MLS_SEED10_WIDTH; i++)
		json_array_append_new(array, json_real((double)features[i]));
	return array;
}

static void show_decision_json(const struct run_view *view, const struct mls_decision *d)
{
	const struct mls_move *m = d->move;
	char comm[16];
	json_t *document = json_pack(
		"{s:s, s:I, s:I, s:i, s:i, s:s, s:s, s:b, s:b, s:b, s:i, s:i, s:i, s:i, s:I}",
		"type", "decision", "id", (json_int_t)m->id, "time_ns", (json_int_t)m->time, "pid",
		m->pid, "tgid", m->tgid, "comm", plain(m->comm, comm), "kind",
		mls_move_kind_name(m->kind), "forced", m->forced, "kthread", m->kthread, "asleep",
		m->asleep, "src_cpu", m->src_cpu, "dst_cpu", m->dst_cpu, "src_domain",
		m->src_domain, "dst_domain", m->dst_domain, "last_ran_ns_ago",
		(json_int_t)m->idle_for);

	json_object_set_new(document, "features", features_json(d->features));
	json_object_update_new(
		document, json_pack("{s:b, s:o, s:o, s:I}", "migrate", d->verdict.migrate, "logit",
				    cli_real_json((double)d->verdict.logit), "probability",
				    cli_real_json((double)d->verdict.probability), "inference_ns",
				    (json_int_t)d->inference_ns));
	if (view->fixed)
		json_object_set_new(document, "fixed_point",
				    json_pack("{s:I, s:b, s:b, s:o}", "logit", (json_int_t)m->logit,
					      "same_integers", d->same_integers, "native_migrate",
					      d->native.migrate, "native_logit",
					      cli_real_json((double)d->native.logit)));
	else if (view->engine)
		json_object_set_new(document, "native",
				    json_pack("{s:b, s:o}", "migrate", d->native.migrate, "logit",
					      cli_real_json((double)d->native.logit)));
	json_object_set_new(document, "outcome", outcome_json(m));
	show_json(document);
}

static void print_outcome(const struct mls_move *m)
{
	const char *verb = m->asleep ? "slept" : m->ran ? "waited" : "waits";
	char wait[32], ran[32], back[32];

	if (!m->followed) {
		printf("  not followed\n");
		return;
	}
	printf("  %s %s, ran %s%s", verb, run_time_text(wait, (double)m->wait),
	       run_time_text(ran, (double)m->run_time),
	       m->ran && !m->ran_there ? " elsewhere" : "");
	if (m->back)
		printf(", back after %s", run_time_text(back, (double)m->back));
	else if (m->moved)
		printf(", moved on after %s", run_time_text(back, (double)m->moved));
	putchar('\n');
}

void run_show_decision(const struct run_view *view, const struct mls_decision *d)
{
	const struct mls_move *m = d->move;
	const char *verdict = d->verdict.migrate ? "accept" : "refuse";
	double at = (double)(int64_t)(m->time - view->started) / 1e9;
	char comm[16];

	if (view->common->json) {
		show_decision_json(view, d);
		return;
	}
	printf("%10.6f %-8s %7u %-15s CPU %u>%u dom %u>%u idle %.0f busy %.0f load %.2f>%.2f  "
	       "%-6s %+.3f",
	       at, mls_move_kind_name(m->kind), m->pid, plain(m->comm, comm), m->src_cpu,
	       m->dst_cpu, m->src_domain, m->dst_domain, (double)d->features[1],
	       (double)d->features[2], (double)d->features[3], (double)d->features[4],
	       m->forced ? "forced" : verdict, (double)d->verdict.logit);
	if (view->fixed)
		printf(" (float32 %+.3f)", (double)d->native.logit);
	print_outcome(m);
}

static json_t *tally_json(const struct mls_tally *t)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f}", "n", (json_int_t)t->n,
			 "followed", (json_int_t)t->followed, "ran", (json_int_t)t->ran,
			 "moved_again", (json_int_t)t->moved, "bounced", (json_int_t)t->bounced,
			 "bounced_share", mls_tally_bounced_share(t), "mean_wait_ns",
			 mls_tally_mean_wait(t), "mean_run_ns", mls_tally_mean_run_time(t));
}

/* What an interval and the summary have in common. */
static json_t *account_json(const char *type, double seconds, const struct mls_account *a)
{
	json_t *document = json_pack("{s:s, s:f, s:I, s:f, s:f}", "type", type, "seconds", seconds,
				     "migrations", (json_int_t)mls_account_moves(a),
				     "refused_share", mls_account_refused_share(a), "inference_ns",
				     mls_times_median(&a->inference));

	for (int i = 0; i < MLS_JUDGEMENTS; i++)
		json_object_set_new(document, judgement_names[i], tally_json(&a->tally[i]));
	for (int i = 0; i < MLS_MOVE_KINDS; i++)
		json_object_set_new(document, mls_move_kind_name((enum mls_move_kind)i),
				    json_integer((json_int_t)a->kinds[i]));
	return document;
}

static void print_interval(struct run_view *view, double seconds, uint64_t lost)
{
	const struct mls_account *a = &view->interval;
	const struct mls_tally *refused = &a->tally[MLS_REFUSED],
			       *accepted = &a->tally[MLS_ACCEPTED];
	char texts[6][32];

	if (view->lines++ % HEADER_EVERY == 0)
		printf("%s                               |     refused by model |    accepted by model |\n"
		       "  seconds   moves forced refused |  bounced   mean wait |  bounced   mean wait | "
		       "inference   lost\n",
		       view->lines > 1 ? "\n" : "");
	printf("%9.1f %7llu %6llu %7s | %8s %11s | %8s %11s | %9s %6llu\n", seconds,
	       (unsigned long long)mls_account_moves(a), (unsigned long long)a->tally[MLS_FORCED].n,
	       share_text(texts[0], mls_account_refused_share(a), refused->n + accepted->n),
	       share_text(texts[1], mls_tally_bounced_share(refused), refused->followed),
	       mean_text(texts[2], mls_tally_mean_wait(refused), refused->waiting),
	       share_text(texts[3], mls_tally_bounced_share(accepted), accepted->followed),
	       mean_text(texts[4], mls_tally_mean_wait(accepted), accepted->waiting),
	       mean_text(texts[5], mls_times_median(&a->inference), a->inference.n),
	       (unsigned long long)lost);
	fflush(stdout);
}

bool run_output_waits(const struct cli_common *common)
{
	struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };

	return (common->json || common->verbosity >= 0) && poll(&out, 1, 0) == 0;
}

void run_show_interval(struct run_view *view, uint64_t now)
{
	double seconds = (double)(now - view->started) / 1e9;
	struct mls_recorder_counts counts;

	/* The next one is about this time as well. */
	if (run_output_waits(view->common))
		return;
	mls_recorder_counts(mls_shadow_recorder(view->shadow), &counts);
	if (view->common->json) {
		json_t *document = account_json("interval", seconds, &view->interval);

		json_object_set_new(document, "lost", json_integer((json_int_t)counts.lost));
		json_object_set_new(document, "switches",
				    json_integer((json_int_t)counts.switches));
		show_json(document);
	} else if (view->common->verbosity >= 0) {
		print_interval(view, seconds, counts.lost);
	}
	memset(&view->interval, 0, sizeof(view->interval));
}

static double each(uint64_t ns, uint64_t runs)
{
	return runs ? (double)ns / (double)runs : 0;
}

static void show_summary_json(const struct run_view *view, double seconds,
			      const struct mls_recorder_counts *c,
			      const struct mls_recorder_cost *cost)
{
	json_t *document = account_json("summary", seconds, &view->total);

	json_object_set_new(document, "kernel",
			    json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "migrations",
				      (json_int_t)c->migrations, "judged", (json_int_t)c->delivered,
				      "lost", (json_int_t)c->lost, "same_cpu",
				      (json_int_t)c->same_cpu, "after_the_end",
				      (json_int_t)c->closing, "not_followed",
				      (json_int_t)c->unfollowed, "skipped_runs",
				      (json_int_t)c->missed, "switches", (json_int_t)c->switches));
	if (view->fixed)
		json_object_set_new(document, "fixed_point",
				    json_pack("{s:I, s:I, s:f}", "same_verdict",
					      (json_int_t)view->total.same_verdict, "same_integers",
					      (json_int_t)view->total.same_integers,
					      "agreement_on_grid", view->report.agreement));
	else
		json_object_update_new(
			document, json_pack("{s:f, s:{s:s, s:I, s:I}}", "inference_warm_ns",
					    mls_shadow_warm_inference(view->shadow), "engine",
					    "name", run_engine_name(view), "same_verdict_as_native",
					    (json_int_t)view->total.same_verdict, "failed",
					    (json_int_t)mls_shadow_failed(view->shadow)));
	json_object_set_new(document, "cost",
			    json_pack("{s:f, s:I, s:f, s:I}", "switch_ns",
				      each(cost->switch_ns, cost->switch_runs), "switch_runs",
				      (json_int_t)cost->switch_runs, "migrate_ns",
				      each(cost->migrate_ns, cost->migrate_runs), "migrate_runs",
				      (json_int_t)cost->migrate_runs));
	if (view->recorded)
		json_object_set(document, "recording", view->recorded);
	show_json(document);
}

static void print_tally(const char *name, const struct mls_tally *t, uint64_t all)
{
	char texts[5][32];

	printf("%-20s %10llu %8s %9s %12s %11s %11s\n", name, (unsigned long long)t->n,
	       share_text(texts[0], all ? (double)t->n / (double)all : 0, all),
	       share_text(texts[1], mls_tally_bounced_share(t), t->followed),
	       share_text(texts[2], t->followed ? (double)t->moved / (double)t->followed : 0,
			  t->followed),
	       mean_text(texts[3], mls_tally_mean_wait(t), t->waiting),
	       mean_text(texts[4], mls_tally_mean_run_time(t), t->followed));
}

static void print_counts(double seconds, const struct mls_recorder_counts *c)
{
	printf("kernel's count    %llu migrations = %llu judged + %llu lost + %llu to the same CPU + "
	       "%llu after the end\n",
	       (unsigned long long)c->migrations, (unsigned long long)c->delivered,
	       (unsigned long long)c->lost, (unsigned long long)c->same_cpu,
	       (unsigned long long)c->closing);
	if (c->unfollowed || c->missed)
		printf("                  without an outcome: %llu; program runs that the kernel "
		       "skipped: %llu\n",
		       (unsigned long long)c->unfollowed, (unsigned long long)c->missed);
	printf("context switches  %llu, %.0f a second\n", (unsigned long long)c->switches,
	       (double)c->switches / seconds);
}

static void show_inference(const struct run_view *view, uint64_t all)
{
	const struct mls_account *a = &view->total;
	char as_found[32], warm[32];

	run_time_text(as_found, mls_times_median(&a->inference));
	if (!view->fixed) {
		printf("inference         %s (median, caches as they are), %s repeated\n", as_found,
		       run_time_text(warm, mls_shadow_warm_inference(view->shadow)));
		return;
	}
	printf("inference         %s in the kernel (median, caches as they are)\n", as_found);
	printf("fixed point       float32 gives the same verdict on %llu of %llu, the library the "
	       "same integer on %llu\n",
	       (unsigned long long)a->same_verdict, (unsigned long long)all,
	       (unsigned long long)a->same_integers);
}

void run_show_summary(const struct run_view *view, uint64_t now)
{
	struct mls_recorder *recorder = mls_shadow_recorder(view->shadow);
	double seconds = (double)(now - view->started) / 1e9;
	uint64_t all = mls_account_moves(&view->total);
	const struct mls_tally *t = view->total.tally;
	struct mls_recorder_counts counts;
	struct mls_recorder_cost cost;

	mls_recorder_counts(recorder, &counts);
	mls_recorder_cost(recorder, &cost);
	if (view->common->json) {
		show_summary_json(view, seconds, &counts, &cost);
		return;
	}
	printf("\n%.1f s             migrations    share   bounced  moved again   mean wait    mean run\n",
	       seconds);
	print_tally("refused by model", &t[MLS_REFUSED], all);
	print_tally("accepted by model", &t[MLS_ACCEPTED], all);
	print_tally("forced (affinity)", &t[MLS_FORCED], all);
	printf("\nmoved because     of a wake-up: %llu, of balancing: %llu, of execve: %llu, of affinity: %llu\n",
	       (unsigned long long)view->total.kinds[MLS_MOVE_WAKEUP],
	       (unsigned long long)view->total.kinds[MLS_MOVE_BALANCE],
	       (unsigned long long)view->total.kinds[MLS_MOVE_EXEC],
	       (unsigned long long)view->total.kinds[MLS_MOVE_AFFINITY]);
	show_inference(view, all);
	print_counts(seconds, &counts);
	run_record_show(view->recorded);
	if (cost.switch_runs)
		printf("recorder's cost   %.0f ns a context switch, %.0f ns a migration (the kernel's BPF "
		       "statistics over %llu and %llu runs)\n",
		       each(cost.switch_ns, cost.switch_runs),
		       each(cost.migrate_ns, cost.migrate_runs),
		       (unsigned long long)cost.switch_runs, (unsigned long long)cost.migrate_runs);
	else
		printf("recorder's cost   not measured: the kernel refused its BPF statistics "
		       "(they need CAP_SYS_ADMIN)\n");
	fflush(stdout);
}
