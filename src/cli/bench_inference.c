// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched bench inference: nanoseconds of one forward pass by every path that
 * there is, beside the runtimes of others and what the processor's multiply-adds
 * would allow.
 *
 * Of one network all paths are opened, then all are checked against the same
 * reference, and only then one after the other is measured.  What is printed is
 * bench_inference_report.c's to say.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/harness.h"
#include "src/cli/bench_inference.h"
#include "src/util/array.h"
#include "src/util/error.h"

enum { OPTION_CPU = 0x200 };

struct inference_options {
	struct cli_common common;
	struct bench_choice choice;
	const char *model;
	int cpu;
};

const struct inference_column inference_columns[INFERENCE_COLUMNS] = {
	[COLUMN_ONE] = { "1 row, independent", "independent", 1, false },
	[COLUMN_CHAINED] = { "1 row, dependent", "dependent", 1, true },
	[COLUMN_64] = { "64 rows, each", "batch_64", 64, false },
	[COLUMN_1024] = { "1024 rows, each", "batch_1024", 1024, false },
};

static const struct argp_option options[] = {
	{ "cpu", OPTION_CPU, "N", 0, "CPU to measure on (the last one)", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct inference_options *o = state->input;
	char *end;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->common;
		state->child_inputs[1] = &o->choice;
		return 0;
	case OPTION_CPU:
		o->cpu = (int)strtol(arg, &end, 10);
		if (end == arg || *end || o->cpu < 0)
			argp_error(state, "--cpu: expected a number from 0 on, got \"%s\"", arg);
		return 0;
	case ARGP_KEY_ARG:
		if (o->model)
			argp_error(state, "more than one model: %s and %s", o->model, arg);
		o->model = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->choice.named)
			bench_choice_all(&o->choice);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = {
	{ &cli_common_argp, 0, NULL, 0 },
	{ &bench_runtimes_argp, 0, NULL, 0 },
	{ 0 },
};
static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "[MODEL]",
	.doc = "Measures the forward pass of MODEL, or of networks of random weights, by every path of "
	       "ours and by the runtimes of others that are installed.  Before anything is timed, all "
	       "are given the same rows, and who computes something else is refused.\v"
	       "The arithmetic bound is the number of multiply-adds of the network over what one "
	       "core does in a cycle, which is measured with a loop of independent multiply-adds "
	       "on registers.  A ratio of 1 cannot be passed but by leaving work out: paths that "
	       "compute one row skip the hidden units that are zero.  One row alone has to load "
	       "every weight that it uses, so it is also compared with a second bound, L1: the "
	       "same loop with one operand of each multiply-add from the L1 cache.",
	.children = children,
};

static int measure_peaks(struct inference_peaks *peaks, const struct mlsched_model *model,
			 struct mlsched_error *err)
{
	static const struct bench_peak *const known[] = {
		&bench_peak_scalar,
#if defined(__x86_64__)
		&bench_peak_avx2,
		&bench_peak_avx512,
#elif defined(__aarch64__)
		&bench_peak_neon,
#endif
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		struct mlsched_model *clone;

		if (mlsched_model_clone_for_isa(model, known[i]->isa, NULL, &clone) != 0)
			continue;
		mlsched_model_free(clone);
		peaks->all[peaks->n] = *known[i];
		if (bench_peak_measure(&peaks->all[peaks->n++]) != 0)
			return mls_error(err, -ENOMEM, "no memory for the peak loops");
	}
	return 0;
}

static int check_all(const struct bench_path *paths, size_t n, const struct bench_subject *s,
		     struct mlsched_error *err)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < n; i++)
		ret = paths[i].object ? bench_path_check(&paths[i], s, err) : 0;
	return ret;
}

static int measure_path(const struct bench_path *path, const struct bench_subject *s,
			struct inference_result *result, struct mlsched_error *err)
{
	size_t n = path->type->at_once ? 1 : INFERENCE_COLUMNS;
	int ret = 0;

	for (size_t c = 0; !ret && c < n; c++) {
		ret = bench_path_measure(path, s, inference_columns[c].batch,
					 inference_columns[c].dependent, &result->cells[c], err);
		result->n_cells = c + 1;
	}
	return ret;
}

static int measure_all(const struct inference_report *report, const struct bench_path *paths,
		       size_t n, const struct bench_subject *s, struct mlsched_error *err)
{
	struct inference_result results[BENCH_PATHS] = { 0 };
	int ret = 0;

	inference_report_subject(report, s);
	for (size_t i = 0; !ret && i < n; i++) {
		if (!paths[i].object) {
			inference_report_missing(report, &paths[i], s);
			continue;
		}
		ret = measure_path(&paths[i], s, &results[i], err);
		if (!ret)
			inference_report_path(report, &paths[i], s, &results[i]);
	}
	if (!ret)
		inference_report_goals(report, s, paths, results, n);
	return ret;
}

/* The paths that are wanted, which is all of ours. */
static size_t choose_paths(const struct inference_options *o, struct bench_path *paths)
{
	size_t n = bench_paths_fill(paths), kept = 0;

	for (size_t i = 0; i < n; i++) {
		const struct bench_runtime_type *runtime = paths[i].runtime;

		if (runtime && !bench_choice_has(&o->choice, runtime))
			continue;
		paths[kept] = paths[i];
		paths[kept++].from = runtime ? bench_choice_from(&o->choice, runtime) : NULL;
	}
	return kept;
}

static int run_subject(const struct inference_options *o, const struct inference_report *report,
		       const struct bench_subject *s, bool first, struct mlsched_error *err)
{
	struct bench_path paths[BENCH_PATHS];
	size_t n = choose_paths(o, paths);
	int ret = 0;

	for (size_t i = 0; !ret && i < n; i++)
		ret = bench_path_open(&paths[i], s, err);
	if (!ret)
		ret = check_all(paths, n, s, err);
	if (!ret && first)
		inference_report_runtimes(report, paths, n);
	if (!ret)
		ret = measure_all(report, paths, n, s, err);
	for (size_t i = 0; i < n; i++)
		bench_path_close(&paths[i]);
	return ret;
}

static int run(struct inference_options *o, int cpu, json_t *json, struct mlsched_error *err)
{
	size_t n = o->model ? 1 : bench_subject_shapes();
	struct inference_peaks peaks = { .n = 0 };
	struct inference_report report = { &o->common, &peaks, o->common.json ? json : NULL };
	int ret = 0;

	for (size_t i = 0; !ret && i < n; i++) {
		struct bench_subject subject = { .model = NULL };

		ret = o->model ? bench_subject_load(&subject, o->model, err) :
				 bench_subject_random(&subject, i, err);
		if (!ret && i == 0)
			ret = measure_peaks(&peaks, subject.model, err);
		if (!ret && i == 0)
			inference_report_head(&report, cpu);
		if (!ret)
			ret = run_subject(o, &report, &subject, i == 0, err);
		bench_subject_free(&subject);
	}
	return ret;
}

int cli_bench_inference(int argc, char **argv)
{
	struct inference_options o = { .common.command = argv[0], .cpu = -1 };
	struct mlsched_error err = { 0 };
	json_t *json;
	int cpu;

	if (cli_parse(&argp, argc, argv, &o) != 0)
		return CLI_USAGE;
	cpu = bench_pin(o.cpu);
	if (cpu < 0)
		return cli_fail(&o.common, "cannot run on CPU %d: %s", o.cpu, strerror(-cpu));
	json = json_object();
	if (run(&o, cpu, json, &err) != 0) {
		json_decref(json);
		return cli_fail(&o.common, "%s", err.message);
	}
	if (o.common.json)
		cli_json(json);
	else
		json_decref(json);
	return CLI_OK;
}
