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
#include <unistd.h>

#include "src/cli/cli.h"
#include "src/cli/sim.h"
#include "src/cli/sim_sweep.h"
#include "src/cli/tuning.h"
#include "src/sim/report.h"
#include "src/sim/trace.h"
#include "src/util/array.h"
#include "src/util/error.h"

enum {
	OPTION_MODEL = 0x200,
	OPTION_TRACE,
	OPTION_REPORT,
	OPTION_COSTS,
	OPTION_SEED,
	OPTION_SEEDS,
	OPTION_LIMIT,
	OPTION_MECHANISMS,
	OPTION_OFFERS
};

struct sim_cli_options {
	struct cli_common common;
	struct cli_sim_sweep_options sweep;
	const char *trace;
	const char *report;
};

static const struct argp_option options[] = {
	{ "machine", 'm', "LIST", 0,
	  "CPUs, last-level caches, nodes, threads of a core: 8c2l, 128c16l2n, 16c2l2t (8c2l)", 0 },
	{ "workload", 'w', "LIST", 0,
	  "make, message, mixed, imbalance, server, or rt-app's FILE.json (the first four)", 0 },
	{ "policy", 'p', "LIST", 0,
	  "Of those below; the others are compared with the first one (eevdf,mlsched,refuse)", 0 },
	{ "model", OPTION_MODEL, "DIR", 0, "Of the policy \"model\": ours, and this decides", 0 },
	{ "mechanisms", OPTION_MECHANISMS, "LIST", 0,
	  "Of ours, but not of base: as for mlsched run (none)", 0 },
	{ "offers", OPTION_OFFERS, "NEAR,NODE,FAR", 0,
	  "The same: for so long, in us, a CPU must be expected to be idle before it takes a task "
	  "from within a domain, from another one, from another node (2000,2500,3000)",
	  0 },
	{ "costs", OPTION_COSTS, "NAME", 0,
	  "Of moves: server; load, as the load of the virtual machines has them; or a file of "
	  "mlsched sim calibrate (server)",
	  0 },
	{ "seeds", OPTION_SEEDS, "N", 0, "So many runs of each (5)", 0 },
	{ "seed", OPTION_SEED, "N", 0, "The first seed (1)", 0 },
	{ "limit", OPTION_LIMIT, "S", 0, "Gives a run up after so much simulated time (600)", 0 },
	{ "report", OPTION_REPORT, "FILE", 0, "Write one HTML page: tables, waits, who ran where",
	  0 },
	{ "trace", OPTION_TRACE, "FILE", 0,
	  "Write down who ran where in the first run of the last policy, for ui.perfetto.dev", 0 },
	{ "threads", 't', "N", 0, "Runs at a time; changes no number (one for each CPU)", 0 },
	{ 0 },
};

static void split(struct argp_state *state, struct cli_names *names, const char *text)
{
	int ret;

	cli_names_clear(names);
	ret = cli_names_split(names, text);
	if (ret == -ENOMEM)
		argp_failure(state, CLI_FAILURE, ENOMEM, "%s", text);
	if (ret)
		argp_error(state, "\"%s\": expected 1 to %d names between commas", text,
			   CLI_MOST_NAMES);
}

static uint64_t number(struct argp_state *state, const char *what, const char *text, uint64_t least,
		       uint64_t most)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || value < least || value > most)
		argp_error(state,
			   "--%s: expected a number from %" PRIu64 " to %" PRIu64 ", got \"%s\"",
			   what, least, most, text);
	return value;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct sim_cli_options *o = state->input;
	char *end;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->common;
		return 0;
	case 'm':
		split(state, &o->sweep.machines, arg);
		return 0;
	case 'w':
		split(state, &o->sweep.workloads, arg);
		return 0;
	case 'p':
		split(state, &o->sweep.policies, arg);
		return 0;
	case OPTION_MODEL:
		o->sweep.model = arg;
		return 0;
	case OPTION_REPORT:
		o->report = arg;
		return 0;
	case OPTION_TRACE:
		o->trace = arg;
		return 0;
	case OPTION_COSTS:
		o->sweep.costs = arg;
		return 0;
	case OPTION_MECHANISMS:
		o->sweep.tuning.mechanisms = cli_mechanisms(state, arg);
		return 0;
	case OPTION_OFFERS:
		cli_offers(state, arg, o->sweep.tuning.worth);
		return 0;
	case OPTION_SEEDS:
		o->sweep.seeds = (uint32_t)number(state, "seeds", arg, 1, 10000);
		return 0;
	case OPTION_SEED:
		o->sweep.seed = number(state, "seed", arg, 0, UINT32_MAX);
		return 0;
	case OPTION_LIMIT:
		o->sweep.limit = strtod(arg, &end);
		if (end == arg || *end || !(o->sweep.limit > 0 && o->sweep.limit <= 1e6))
			argp_error(state, "--limit: expected seconds up to 1000000, got \"%s\"",
				   arg);
		return 0;
	case 't':
		o->sweep.threads = (uint32_t)number(state, "threads", arg, 1, 1024);
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
	fprintf(file, "  %-22s %s\n\n%s", "model", "ours, and the model of --model decides", text);
	fclose(file);
	return all;
}

static const struct argp_child children[] = { { &cli_common_argp, 0, NULL, 0 }, { 0 } };
static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "",
	.doc = "Runs workloads on simulated machines under several schedulers, each of them with the "
	       "same work, and compares time, moves and waits.\v"
	       "All figures are of a simulation, the same to the bit for a seed.\n\n"
	       "COMMANDS\n  calibrate  what moves cost on this machine (mlsched sim calibrate --help)\n\n"
	       "EXAMPLES\n  mlsched sim\n"
	       "  mlsched sim -m 32c4l,128c16l2n -w make,message --seeds 10\n",
	.children = children,
	.help_filter = help,
};

/* ---- figures ---------------------------------------------------------------------------- */

/* Mean and standard deviation of one figure over the seeds. */
struct figure {
	double mean, deviation;
};

enum what {
	MAKESPAN,
	MOVES,
	MOVES_LLC,
	MOVES_NODE,
	REFILL,
	WAKEUP_P50,
	WAKEUP_P99,
	WAIT_P99,
	LONGEST,
	N_FIGURES
};

static const struct {
	const char *name; /* in JSON */
	const char *heading;
} figures[N_FIGURES] = {
	[MAKESPAN] = { "makespan_ms", "makespan ms" },
	[MOVES] = { "moves", "moves" },
	[MOVES_LLC] = { "moves_llc", "across LLCs" },
	[MOVES_NODE] = { "moves_node", "nodes" },
	[REFILL] = { "refill_ms", "refill ms" },
	[WAKEUP_P50] = { "wakeup_p50_ms", "wake p50 ms" },
	[WAKEUP_P99] = { "wakeup_p99_ms", "p99 ms" },
	[WAIT_P99] = { "wait_p99_ms", "wait p99 ms" },
	[LONGEST] = { "longest_ms", "longest ms" },
};

static double figure_of(const struct sim_results *r, enum what what)
{
	uint64_t longest;

	switch (what) {
	case MAKESPAN:
		return (double)r->makespan / 1e6;
	case MOVES:
		return (double)sim_moves(&r->sum, SIM_NEAR);
	case MOVES_LLC:
		return (double)sim_moves(&r->sum, SIM_NODE);
	case MOVES_NODE:
		return (double)sim_moves(&r->sum, SIM_FAR);
	case REFILL:
		return (double)r->sum.refill / 1e6;
	case WAKEUP_P50:
		return (double)sim_durations_at(&r->wakeup, 0.5) / 1e6;
	case WAKEUP_P99:
		return (double)sim_durations_at(&r->wakeup, 0.99) / 1e6;
	case WAIT_P99:
		return (double)sim_durations_at(&r->wait, 0.99) / 1e6;
	case LONGEST:
		longest = r->wait.longest > r->wakeup.longest ? r->wait.longest : r->wakeup.longest;
		return (double)longest / 1e6;
	case N_FIGURES:
		break;
	}
	return NAN;
}

static struct figure over_seeds(const struct sim_cell *cell, uint32_t n, enum what what)
{
	struct figure f = { 0, 0 };

	for (uint32_t i = 0; i < n; i++)
		f.mean += figure_of(&cell->results[i], what) / n;
	for (uint32_t i = 0; i < n && n > 1; i++) {
		double off = figure_of(&cell->results[i], what) - f.mean;

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
	for (enum what what = 0; what < N_FIGURES; what++) {
		struct figure f = over_seeds(cell, n, what);

		snprintf(text, sizeof(text),
			 f.mean >= 100 ? "%.0f" :
			 f.mean >= 10  ? "%.1f" :
					 "%.2f",
			 f.mean);
		printf(" %11s", text);
		if (what != MAKESPAN)
			continue;
		if (cell == base) {
			printf(" %15s", "");
			continue;
		}
		f = against(cell, base, n);
		snprintf(text, sizeof(text), "%+.1f ± %.1f %%", f.mean, f.deviation);
		printf(" %16s", text); /* one byte more than is seen */
	}
	putchar('\n');
}

static void print_table(const struct sim_sweep *sweep, uint32_t n_policies)
{
	for (uint32_t i = 0; i < sweep->n_cells; i += n_policies) {
		const struct sim_cell *cells = &sweep->cells[i];

		printf("%s%s on %s, %u seeds (simulation)\n%-12s", i ? "\n" : "", cells->title,
		       cells->machine->name, sweep->n_seeds, "");
		for (enum what what = 0; what < N_FIGURES; what++) {
			printf(" %11s", figures[what].heading);
			if (what == MAKESPAN)
				printf(" %15s", "against first");
		}
		putchar('\n');
		for (uint32_t k = 0; k < n_policies; k++)
			print_row(&cells[k], cells, sweep->n_seeds);
	}
}

static void print_json(const struct sim_sweep *sweep, const struct sim_cli_options *o)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < sweep->n_cells; i++) {
		const struct sim_cell *cell = &sweep->cells[i];

		for (uint32_t k = 0; k < sweep->n_seeds; k++) {
			json_t *run = json_pack("{s:s, s:s, s:s, s:I}", "machine",
						cell->machine->name, "workload", cell->title,
						"policy", cell->contender->name, "seed",
						(json_int_t)(sweep->seed + k));

			for (enum what what = 0; what < N_FIGURES; what++)
				json_object_set_new(run, figures[what].name,
						    json_real(figure_of(&cell->results[k], what)));
			json_object_set_new(run, "events",
					    json_integer((json_int_t)cell->results[k].events));
			json_array_append_new(list, run);
		}
	}
	cli_json(json_pack("{s:s, s:o, s:o, s:o}", "costs", o->sweep.costs, "mechanisms",
			   cli_mechanisms_json(o->sweep.tuning.mechanisms), "offers_us",
			   cli_offers_json(o->sweep.tuning.worth), "runs", list));
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

static int sim(const struct sim_cli_options *o)
{
	struct cli_sim_sweep s;
	int status = cli_sim_sweep_make(&s, &o->sweep, &o->common);

	if (status == CLI_OK)
		status = cli_sim_sweep_run(&s, &o->sweep, &o->common);
	if (status == CLI_OK && o->report)
		status = report(o, &s.sweep);
	if (status == CLI_OK && o->trace)
		status = trace(o, &s.sweep.cells[o->sweep.policies.n - 1]);
	if (status == CLI_OK && o->common.json)
		print_json(&s.sweep, o);
	else if (status == CLI_OK)
		print_table(&s.sweep, o->sweep.policies.n);
	cli_sim_sweep_clear(&s);
	return status;
}

int cli_sim(int argc, char **argv)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct sim_cli_options o = { .common.command = argv[0],
				     .sweep = { .costs = "server",
						.seeds = 5,
						.seed = 1,
						.limit = 600,
						.tuning = SIM_TUNING_DEFAULT,
						.threads = cpus > 0 ? (uint32_t)cpus : 1 } };
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
	cli_names_clear(&o.sweep.machines);
	cli_names_clear(&o.sweep.workloads);
	cli_names_clear(&o.sweep.policies);
	return status;
}
