// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched sim: schedulers side by side in a simulator, on machines that nobody has at
 * hand, the same work for all.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/cli/cli.h"
#include "src/cli/sim.h"
#include "src/cli/sim_record.h"
#include "src/cli/sim_sweep.h"
#include "src/cli/tuning.h"
#include "src/host/scx.h"
#include "src/sim/figures.h"
#include "src/sim/replay.h"
#include "src/sim/report.h"
#include "src/sim/trace.h"
#include "src/util/array.h"
#include "src/util/error.h"

enum {
	OPTION_MODEL = 0x200,
	OPTION_TRACE,
	OPTION_REPORT,
	OPTION_RECORD,
	OPTION_APPEND,
	OPTION_EXPLORE,
	OPTION_WINDOW
};

struct sim_cli_options {
	struct cli_common common;
	struct cli_sim_sweep_options sweep;
	struct cli_sim_record_options record;
	const char *trace;
	const char *report;
	bool windowed; /* --window was given */
};

static const struct argp_option options[] = {
	{ "policy", 'p', "LIST", 0,
	  "Of those below; the others are compared with the first one (eevdf,mlsched,refuse)", 0 },
	{ "model", OPTION_MODEL, "DIR", 0,
	  "Of the policies \"model\" and \"model-float32\": ours, and this decides", 0 },
	{ "report", OPTION_REPORT, "FILE", 0, "Write one HTML page: tables, waits, who ran where",
	  0 },
	{ "trace", OPTION_TRACE, "FILE", 0,
	  "Write down who ran where in the first run of the last policy, for ui.perfetto.dev", 0 },
	{ "record", OPTION_RECORD, "FILE", 0,
	  "Write each decision of the last policy, and what came of it, to a recording: a session "
	  "for each run",
	  0 },
	{ "append", OPTION_APPEND, NULL, 0, "Go on behind what is in the recording's file", 0 },
	{ "explore", OPTION_EXPLORE, "SHARE", 0,
	  "Of what is recorded: let a coin take that share of the decisions, up to 0.2 (0), and "
	  "write down with what chance each was made",
	  0 },
	{ "window", OPTION_WINDOW, "MS", 0,
	  "For which a task is followed after a decision, 1 to 400 (100)", 0 },
	{ 0 },
};

static bool has_model(const struct cli_names *policies)
{
	for (uint32_t i = 0; i < policies->n; i++)
		if (cli_sim_sweep_asks_model(policies->name[i]))
			return true;
	return false;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct sim_cli_options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->common;
		state->child_inputs[1] = &o->sweep;
		return 0;
	case 'p':
		cli_sim_sweep_names(state, &o->sweep.policies, arg);
		return 0;
	case OPTION_MODEL:
		o->sweep.model = o->record.model = arg;
		return 0;
	case OPTION_REPORT:
		o->report = arg;
		return 0;
	case OPTION_TRACE:
		o->trace = arg;
		return 0;
	case OPTION_RECORD:
		o->record.file.path = arg;
		return 0;
	case OPTION_APPEND:
		o->record.file.append = true;
		return 0;
	case OPTION_EXPLORE:
		o->record.explore = cli_real(state, "explore", arg, 0, MLS_SCX_MAX_EXPLORE);
		return 0;
	case OPTION_WINDOW:
		o->record.window = cli_real(state, "window", arg, 1, MLS_RECORD_MAX_WINDOW / 1e6);
		o->windowed = true;
		return 0;
	case ARGP_KEY_END:
		if (o->record.file.append && !o->record.file.path)
			argp_error(state, "--append needs --record FILE");
		if (o->record.explore > 0 && !o->record.file.path)
			argp_error(state, "--explore needs --record FILE");
		if (o->windowed && !o->record.file.path)
			argp_error(state, "--window needs --record FILE");
		if (o->sweep.model && !has_model(&o->sweep.policies))
			argp_error(state,
				   "--model %s: expected the policy \"model\" in --policy, "
				   "which asks it, found none",
				   o->sweep.model);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* The policies stand in the simulator's own table. */
static char *help(int key, const char *text, void *input)
{
	char *all = NULL;
	size_t size;
	FILE *file;

	(void)input;
	if (key != ARGP_KEY_HELP_POST_DOC || !text)
		return (char *)text;
	file = open_memstream(&all, &size);
	if (!file)
		return (char *)text;
	fputs("POLICIES\n", file);
	for (uint32_t i = 0; sim_contender_name(i); i++)
		fprintf(file, "  %-22s %s\n", sim_contender_name(i), sim_contender_about(i));
	fprintf(file, "  %-22s %s\n", "model", "ours, and the model of --model decides");
	fprintf(file, "  %-22s %s\n\n%s", "model-float32",
		"the same in float32 instead of the kernel's integers", text);
	fclose(file);
	return all;
}

static const struct argp_child children[] = { { &cli_common_argp, 0, NULL, 0 },
					      { &cli_sim_sweep_argp, 0, NULL, 0 },
					      { 0 } };
static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "",
	.doc = "Runs workloads on simulated machines under several schedulers, each of them with the "
	       "same work, and compares time, moves and waits.\v"
	       "All figures are of a simulation, the same to the bit for a seed.  Behind the "
	       "difference to the first policy stands its standard deviation over the seeds.\n\n"
	       "COMMANDS\n  calibrate  what moves cost on this machine (mlsched sim calibrate --help)\n\n"
	       "EXAMPLES\n  mlsched sim\n"
	       "  mlsched sim -m 32c4l,128c16l2n -w make,message --seeds 10\n"
	       "  mlsched sim -p mlsched --record explored.db --explore 0.1\n",
	.children = children,
	.help_filter = help,
};

/* ---- figures ---------------------------------------------------------------------------- */

/* Mean and standard deviation of one figure over the seeds. */
struct figure {
	double mean, deviation;
};

static const struct {
	const char *name; /* in JSON */
	const char *heading;
} figures[SIM_FIGURES] = {
	[SIM_MAKESPAN] = { "makespan_ms", "makespan ms" },
	[SIM_MOVES] = { "moves", "moves" },
	[SIM_MOVES_LLC] = { "moves_llc", "across LLCs" },
	[SIM_MOVES_NODE] = { "moves_node", "nodes" },
	[SIM_REFILL] = { "refill_ms", "refill ms" },
	[SIM_WAKEUP_P50] = { "wakeup_p50_ms", "wake p50 ms" },
	[SIM_WAKEUP_P99] = { "wakeup_p99_ms", "p99 ms" },
	[SIM_WAIT_P99] = { "wait_p99_ms", "wait p99 ms" },
	[SIM_LONGEST] = { "longest_ms", "longest ms" },
};

static struct figure over_seeds(const struct sim_cell *cell, uint32_t n, enum sim_figure what)
{
	struct figure f = { 0, 0 };

	for (uint32_t i = 0; i < n; i++)
		f.mean += sim_figure(&cell->results[i], what) / n;
	for (uint32_t i = 0; i < n && n > 1; i++) {
		double off = sim_figure(&cell->results[i], what) - f.mean;

		f.deviation += off * off / (n - 1);
	}
	f.deviation = sqrt(f.deviation);
	return f;
}

/* Mean and deviation of the differences in makespan to another cell, seed by seed, in %. */
static struct figure against(const struct sim_cell *cell, const struct sim_cell *base, uint32_t n)
{
	struct figure f = { 0, 0 };
	double off;

	for (uint32_t i = 0; i < n; i++)
		f.mean += 100 *
			  ((double)cell->results[i].makespan / (double)base->results[i].makespan -
			   1) /
			  n;
	for (uint32_t i = 0; i < n && n > 1; i++) {
		off = 100 * ((double)cell->results[i].makespan / (double)base->results[i].makespan -
			     1) -
		      f.mean;
		f.deviation += off * off / (n - 1);
	}
	f.deviation = sqrt(f.deviation);
	return f;
}

static void print_row(const struct sim_cell *cell, const struct sim_cell *base, uint32_t n)
{
	char text[64];

	printf("%-12s", cell->contender->name);
	for (enum sim_figure what = 0; what < SIM_FIGURES; what++) {
		struct figure f = over_seeds(cell, n, what);

		snprintf(text, sizeof(text),
			 f.mean >= 100 ? "%.0f" :
			 f.mean >= 10  ? "%.1f" :
					 "%.2f",
			 f.mean);
		printf(" %11s", text);
		if (what != SIM_MAKESPAN)
			continue;
		if (cell == base) {
			printf(" %15s", "");
			continue;
		}
		f = against(cell, base, n);
		/* One run has no deviation. */
		if (n > 1)
			snprintf(text, sizeof(text), "%+.1f ± %.1f %%", f.mean, f.deviation);
		else
			snprintf(text, sizeof(text), "%+.1f %%", f.mean);
		printf(" %*s", n > 1 ? 16 : 15, text); /* one byte more than is seen */
	}
	putchar('\n');
}

static void print_table(const struct sim_sweep *sweep, uint32_t n_policies)
{
	for (uint32_t i = 0; i < sweep->n_cells; i += n_policies) {
		const struct sim_cell *cells = &sweep->cells[i];

		printf("%s%s on %s, %u seeds (simulation)\n%-12s", i ? "\n" : "", cells->title,
		       cells->machine->name, sweep->n_seeds, "");
		for (enum sim_figure what = 0; what < SIM_FIGURES; what++) {
			printf(" %11s", figures[what].heading);
			if (what == SIM_MAKESPAN)
				printf(" %15s", "against first");
		}
		putchar('\n');
		for (uint32_t k = 0; k < n_policies; k++)
			print_row(&cells[k], cells, sweep->n_seeds);
	}
}

/* @recorded: NULL: nothing was */
static void print_json(const struct sim_sweep *sweep, const struct sim_cli_options *o,
		       json_t *recorded)
{
	json_t *list = json_array(), *document;

	for (uint32_t i = 0; i < sweep->n_cells; i++) {
		const struct sim_cell *cell = &sweep->cells[i];

		for (uint32_t k = 0; k < sweep->n_seeds; k++) {
			json_t *run = json_pack("{s:s, s:s, s:s, s:I}", "machine",
						cell->machine->name, "workload", cell->title,
						"policy", cell->contender->name, "seed",
						(json_int_t)(sweep->seed + k));

			for (enum sim_figure what = 0; what < SIM_FIGURES; what++)
				json_object_set_new(run, figures[what].name,
						    json_real(sim_figure(&cell->results[k], what)));
			json_object_set_new(run, "events",
					    json_integer((json_int_t)cell->results[k].events));
			json_array_append_new(list, run);
		}
	}
	document = json_pack("{s:s, s:o, s:o, s:o}", "costs", o->sweep.costs, "mechanisms",
			     cli_mechanisms_json(o->sweep.tuning.mechanisms), "offers_us",
			     cli_offers_json(o->sweep.tuning.worth), "runs", list);
	if (recorded)
		json_object_set_new(document, "recording", recorded);
	cli_json(document);
}

/* ---- the sweep ----------------------------------------------------------------------------- */

static int report(const struct sim_cli_options *o, const struct sim_sweep *sweep)
{
	struct mlsched_error err;

	if (sim_report(sweep, o->sweep.policies.n, o->report, &err) != 0)
		return cli_fail(&o->common, "%s", err.message);
	return CLI_OK;
}

static int trace(const struct sim_cli_options *o, const struct sim_cell *cell)
{
	struct mlsched_error err;

	if (sim_trace(cell->machine, cell->workload, cell->contender, o->sweep.seed,
		      (uint64_t)(o->sweep.limit * 1e9), o->trace, &err) != 0)
		return cli_fail(&o->common, "%s", err.message);
	cli_note(&o->common, "%s: %s on %s under %s, seed %" PRIu64, o->trace, cell->title,
		 cell->machine->name, cell->contender->name, o->sweep.seed);
	return CLI_OK;
}

/* Of an input's name, which may say the session as well; owned by the caller. */
static char *path_of(const char *name)
{
	uint32_t session;
	size_t length = sim_replay_split(name, &session);

	return length ? strndup(name, length) : strdup(name);
}

/* What a sweep is written to must not be what it was made from, and be there to be written to. */
static int check_outputs(const struct sim_cli_options *o)
{
	const char *inputs[CLI_MOST_NAMES + 3] = { o->sweep.costs, o->sweep.model,
						   o->record.file.path };
	uint32_t n = o->sweep.workloads.n;
	int status;

	for (uint32_t i = 0; i < n; i++)
		inputs[3 + i] = path_of(o->sweep.workloads.name[i]);
	status = cli_may_write(&o->common, "--report", o->report, inputs, 3 + n);
	if (status == CLI_OK)
		status = cli_may_write(&o->common, "--trace", o->trace, inputs, 3 + n);
	for (uint32_t i = 0; i < n; i++)
		free((char *)inputs[3 + i]);
	return status;
}

/* What can be said before anything runs. */
static int check_record(const struct sim_cli_options *o, const struct sim_contender *last)
{
	struct mlsched_error err;

	if (!o->record.file.path)
		return CLI_OK;
	if (last->policy != &sim_policy_mlsched)
		return cli_fail(&o->common,
				"--record: policy %s: expected one of ours in the last place "
				"(mlsched, model, refuse, ...): the others decide nothing that a "
				"model could",
				last->name);
	if (mls_recording_may_create(o->record.file.path, o->record.file.append, &err) != 0 ||
	    (o->record.file.append && mls_recording_takes(o->record.file.path, "mig15", &err) != 0))
		return cli_fail(&o->common, "%s", err.message);
	return CLI_OK;
}

static int sim(const struct sim_cli_options *o)
{
	struct cli_sim_sweep s;
	int status = cli_sim_sweep_make(&s, &o->sweep, &o->common);
	json_t *recorded = NULL;

	if (status == CLI_OK)
		status = check_record(o, &s.contenders[o->sweep.policies.n - 1]);
	if (status == CLI_OK)
		status = check_outputs(o);
	if (status == CLI_OK)
		status = cli_sim_sweep_run(&s, &o->sweep, &o->common);
	if (status == CLI_OK && o->report)
		status = report(o, &s.sweep);
	if (status == CLI_OK && o->record.file.path)
		status = cli_sim_record(&o->record, &s.sweep, o->sweep.policies.n, &o->common,
					&recorded);
	if (status == CLI_OK && o->trace)
		status = trace(o, &s.sweep.cells[o->sweep.policies.n - 1]);
	if (status == CLI_OK && o->common.json)
		print_json(&s.sweep, o, recorded);
	else if (status == CLI_OK)
		print_table(&s.sweep, o->sweep.policies.n);
	if (!o->common.json)
		json_decref(recorded);
	cli_sim_sweep_clear(&s);
	return status;
}

int cli_sim(int argc, char **argv)
{
	struct sim_cli_options o = { .common.command = argv[0],
				     .sweep = cli_sim_sweep_default(),
				     .record.window = CLI_SIM_WINDOW };
	int status = CLI_FAILURE;

	if (argc > 1 && strcmp(argv[1], "calibrate") == 0) {
		char name[64];

		snprintf(name, sizeof(name), "%s calibrate", argv[0]);
		argv[1] = name;
		return cli_sim_calibrate(argc - 1, argv + 1);
	}
	o.sweep.machines = (struct cli_names){ NULL, { "8c2l" }, 1 };
	o.sweep.workloads =
		(struct cli_names){ NULL, { "make", "message", "mixed", "imbalance" }, 4 };
	o.sweep.policies = (struct cli_names){ NULL, { "eevdf", "mlsched", "refuse" }, 3 };
	if (cli_parse(&argp, argc, argv, &o) != 0)
		status = CLI_USAGE;
	else
		status = sim(&o);
	cli_sim_sweep_options_clear(&o.sweep);
	return status;
}
