// SPDX-License-Identifier: GPL-2.0
/*
 * What mlsched bench inference says: the tables, the goals beside what came of
 * them, and the same as one JSON document.
 */
#include <math.h>
#include <string.h>

#include "src/cli/bench_inference.h"
#include "src/util/array.h"

#define NAME_WIDTH 15
#define GOAL_WIDTH 66

/*
 * Cycles that the multiply-adds alone need with a path's instructions, at the
 * rate from registers and at that with one operand from the L1 cache; 0 in fixed
 * point.
 */
struct bounds {
	double registers;
	double cache;
};

static struct bounds bounds_of(const struct inference_report *report, const struct bench_path *path,
			       const struct bench_subject *s)
{
	const struct inference_peaks *peaks = report->peaks;
	const struct bench_peak *peak = &peaks->all[peaks->n - 1];

	if (path->type->fixed)
		return (struct bounds){ 0 };
	for (size_t i = 0; i < peaks->n; i++) {
		if (peaks->all[i].isa == path->type->isa)
			peak = &peaks->all[i];
	}
	return (struct bounds){ s->multiply_adds / peak->lanes / peak->per_cycle,
				s->multiply_adds / peak->lanes / peak->fed_per_cycle };
}

/* A list in the document, made when it is first asked for. */
static json_t *list_of(const struct inference_report *report, const char *name)
{
	json_t *list = json_object_get(report->json, name);

	if (!list) {
		list = json_array();
		json_object_set_new(report->json, name, list);
	}
	return list;
}

/* ---- the processor and the runtimes ---------------------------------------------------- */

void inference_report_head(const struct inference_report *report, int cpu)
{
	for (size_t i = 0; i < report->peaks->n; i++) {
		const struct bench_peak *p = &report->peaks->all[i];

		if (report->json)
			json_array_append_new(list_of(report, "peaks"),
					      json_pack("{s:s,s:i,s:f,s:f,s:s}", "isa", p->name,
							"lanes", (int)p->lanes, "per_cycle",
							p->per_cycle, "per_cycle_from_cache",
							p->fed_per_cycle, "method", p->method));
		else
			printf("%-7s %2u lanes, %.2f multiply-adds a cycle, %.2f with one operand "
			       "from the L1 cache (%s)\n",
			       p->name, p->lanes, p->per_cycle, p->fed_per_cycle, p->method);
	}
	if (report->json) {
		json_object_set_new(report->json, "cpu", json_integer(cpu));
		list_of(report, "results");
		return;
	}
	printf("CPU %d; ns of one row: the median of the samples and their 99th percentile, each "
	       "sample 30 us of\ncalls or one call that is longer; ratio = cycles / (multiply-adds "
	       "/ lanes / multiply-adds a cycle),\na cycle being what a chain of additions beside "
	       "each sample takes; to L1: the same at the rate\nwith one operand from the L1 cache, "
	       "because one row alone uses every weight once\n",
	       cpu);
}

/* Of a Python package what stands below the directory of all packages: where that is tells no one. */
static const char *shown(const char *file)
{
	const char *packages = strstr(file, "-packages/");

	return packages ? strchr(packages, '/') + 1 : file;
}

static void print_runtime(const struct inference_report *report, const struct bench_runtime *r)
{
	printf("%-*s %s, called from %s", NAME_WIDTH, r->type->title,
	       r->version[0] ? r->version : "(version unknown)", r->type->language);
	if (r->overhead > 0)
		printf(", which takes %.0f ns a call before anything is computed", r->overhead);
	printf("; %s\n", report->common->verbosity > 0 ? r->from : shown(r->from));
}

void inference_report_runtimes(const struct inference_report *report,
			       const struct bench_path *paths, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct bench_runtime *r = paths[i].object;

		if (!paths[i].runtime || !r)
			continue;
		if (report->json)
			json_array_append_new(
				list_of(report, "runtimes"),
				json_pack("{s:s,s:s,s:s,s:s,s:s,s:o}", "engine", r->type->key,
					  "path", r->type->title, "version", r->version, "language",
					  r->type->language, "file", r->from, "call_overhead_ns",
					  r->overhead > 0 ? json_real(r->overhead) : json_null()));
		else
			print_runtime(report, r);
	}
}

/* ---- the table ------------------------------------------------------------------------- */

void inference_report_subject(const struct inference_report *report, const struct bench_subject *s)
{
	if (report->json)
		return;
	printf("\n%s: %.0f multiply-adds, %.0f %% of the hidden units are not zero\n", s->name,
	       s->multiply_adds, 100 * s->activity);
	printf("%-*s %13s", NAME_WIDTH, "", "bounds");
	for (size_t c = 0; c < INFERENCE_COLUMNS; c++)
		printf(" | %-*s", inference_columns[c].batch == 1 ? 33 : 26,
		       inference_columns[c].title);
	printf("\n%-*s %6s %6s", NAME_WIDTH, "path", "cycles", "L1");
	for (size_t c = 0; c < INFERENCE_COLUMNS; c++)
		printf(" |%9s %9s %7s%s", "p50", "p99", "ratio",
		       inference_columns[c].batch == 1 ? "  to L1" : "");
	putchar('\n');
}

void inference_report_missing(const struct inference_report *report, const struct bench_path *path,
			      const struct bench_subject *s)
{
	const struct bench_runtime_type *runtime = path->runtime;
	json_t *json;

	if (!report->json) {
		printf("%-*s not measured: ", NAME_WIDTH, path->name);
		/* The places that were looked at would hide the table. */
		if (runtime && strncmp(path->missing, "found no ", 9) == 0 &&
		    report->common->verbosity < 1)
			printf("not found; `%s` installs it\n", runtime->install);
		else
			printf("%s\n", path->missing);
		return;
	}
	json = json_pack("{s:s,s:s,s:s}", "path", path->name, "network", s->name, "unavailable",
			 path->missing);
	if (runtime) {
		json_object_set_new(json, "engine", json_string(runtime->key));
		json_object_set_new(json, "install", json_string(runtime->install));
	}
	json_array_append_new(list_of(report, "results"), json);
}

static json_t *json_of(const struct bench_result *r, struct bounds bounds, size_t batch)
{
	json_t *json = json_pack("{s:f,s:f,s:f,s:f,s:f,s:f,s:I}", "ns_min", r->min, "ns_median",
				 r->median, "ns_p90", r->p90, "ns_p99", r->p99, "cycles", r->cycles,
				 "ghz", r->ghz, "samples", (json_int_t)r->samples);

	if (bounds.registers > 0)
		json_object_set_new(json, "ratio", json_real(r->cycles / bounds.registers));
	if (bounds.cache > 0 && batch == 1)
		json_object_set_new(json, "ratio_cache", json_real(r->cycles / bounds.cache));
	return json;
}

static void add_json(const struct inference_report *report, const struct bench_path *path,
		     const struct bench_subject *s, const struct inference_result *result,
		     struct bounds bounds)
{
	json_t *json = json_pack("{s:s,s:s}", "path", path->name, "network", s->name);

	if (path->runtime)
		json_object_set_new(json, "engine", json_string(path->runtime->key));
	if (bounds.registers > 0) {
		json_object_set_new(json, "bound_cycles", json_real(bounds.registers));
		json_object_set_new(json, "bound_cache_cycles", json_real(bounds.cache));
	}
	for (size_t c = 0; c < result->n_cells; c++)
		json_object_set_new(json, inference_columns[c].key,
				    json_of(&result->cells[c], bounds,
					    path->type->at_once ? 0 : inference_columns[c].batch));
	json_array_append_new(list_of(report, "results"), json);
}

static void print_ratio(double cycles, double bound, int width)
{
	if (bound > 0)
		printf(" %*.2f", width, cycles / bound);
	else
		printf(" %*s", width, "-");
}

void inference_report_path(const struct inference_report *report, const struct bench_path *path,
			   const struct bench_subject *s, const struct inference_result *result)
{
	struct bounds bounds = bounds_of(report, path, s);

	if (report->json) {
		add_json(report, path, s, result, bounds);
		return;
	}
	if (bounds.registers > 0)
		printf("%-*s %6.0f %6.0f", NAME_WIDTH, path->name, bounds.registers, bounds.cache);
	else
		printf("%-*s %6s %6s", NAME_WIDTH, path->name, "-", "-");
	for (size_t c = 0; c < result->n_cells; c++) {
		const struct bench_result *r = &result->cells[c];

		printf(" |%9.1f %9.1f", r->median, r->p99);
		print_ratio(r->cycles, bounds.registers, 7);
		if (inference_columns[c].batch == 1)
			print_ratio(r->cycles, bounds.cache, 6);
	}
	putchar('\n');
	fflush(stdout);
}

/* ---- goals ----------------------------------------------------------------------------- */

/* One row alone: so many times the time of ours. */
static const struct {
	const struct bench_runtime_type *than;
	double times;
} quicker[] = {
	{ &bench_tensorflow, 100 },
	{ &bench_onnxruntime, 20 },
	{ &bench_litert, 5 },
};

/* One row alone, in float32, over the arithmetic bound. */
#define OF_THE_BOUND 1.3

static const struct inference_result *ours(const struct bench_path *paths,
					   const struct inference_result *results, size_t n,
					   const struct bench_path **path)
{
	const struct inference_result *found = NULL;

	for (size_t i = 0; i < n; i++) {
		if (!paths[i].type->ours || !results[i].n_cells)
			continue;
		*path = &paths[i];
		found = &results[i];
	}
	return found;
}

static double median_of(const struct bench_runtime_type *type, const struct bench_path *paths,
			const struct inference_result *results, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (paths[i].runtime == type && results[i].n_cells)
			return results[i].cells[COLUMN_ONE].median;
	}
	return NAN;
}

/* @reached NAN: what it is compared with was not measured. */
static void report_goal(const struct inference_report *report, const struct bench_subject *s,
			const char *what, bool at_least, double wanted, double reached)
{
	bool met = at_least ? reached >= wanted : reached <= wanted;

	if (report->json) {
		json_array_append_new(
			list_of(report, "goals"),
			json_pack("{s:s,s:s,s:s,s:f,s:o,s:o}", "network", s->name, "goal", what,
				  "wanted", at_least ? "at least" : "at most", "limit", wanted,
				  "reached", isnan(reached) ? json_null() : json_real(reached),
				  "met", isnan(reached) ? json_null() : json_boolean(met)));
		return;
	}
	printf("  %-*s %s %6.2f", GOAL_WIDTH, what, at_least ? ">=" : "<=", wanted);
	if (isnan(reached))
		printf(" %9s  not measured\n", "-");
	else
		printf(" %9.2f  %s\n", reached, met ? "yes" : "no");
}

static void report_quicker(const struct inference_report *report, const struct bench_subject *s,
			   const struct bench_path *paths, const struct inference_result *results,
			   size_t n, const struct inference_result *mine, const char *name)
{
	char what[128];

	for (size_t i = 0; i < ARRAY_SIZE(quicker); i++) {
		snprintf(what, sizeof(what), "1 row: %s / %s", quicker[i].than->title, name);
		report_goal(report, s, what, true, quicker[i].times,
			    median_of(quicker[i].than, paths, results, n) /
				    mine->cells[COLUMN_ONE].median);
	}
}

static void report_largest(const struct inference_report *report, const struct bench_subject *s,
			   const struct bench_path *paths, const struct inference_result *results,
			   size_t n, const struct inference_result *mine, const char *name)
{
	const char *best = NULL;
	double least = NAN;
	char what[128];

	for (size_t i = 0; i < n; i++) {
		double median = results[i].cells[COLUMN_1024].median;

		if (!paths[i].runtime || !results[i].n_cells || median >= least)
			continue;
		least = median;
		best = paths[i].name;
	}
	snprintf(what, sizeof(what), "1024 rows: %s / the quickest of the others%s%s", name,
		 best ? ", " : "", best ? best : "");
	report_goal(report, s, what, false, 1, mine->cells[COLUMN_1024].median / least);
}

void inference_report_goals(const struct inference_report *report, const struct bench_subject *s,
			    const struct bench_path *paths, const struct inference_result *results,
			    size_t n)
{
	const struct bench_path *path = NULL;
	const struct inference_result *mine = ours(paths, results, n, &path);
	char what[128];

	if (!mine)
		return;
	if (!report->json)
		printf("  %-*s %9s %9s  met\n", GOAL_WIDTH, "goals, of medians", "wanted",
		       "reached");
	report_quicker(report, s, paths, results, n, mine, path->name);
	snprintf(what, sizeof(what), "1 row: %s / arithmetic bound", path->name);
	report_goal(report, s, what, false, OF_THE_BOUND,
		    mine->cells[COLUMN_ONE].cycles / bounds_of(report, path, s).registers);
	report_largest(report, s, paths, results, n, mine, path->name);
}
