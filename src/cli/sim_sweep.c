// SPDX-License-Identifier: GPL-2.0
/* Sweeps by names. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/cli/progress.h"
#include "src/cli/sim.h"
#include "src/cli/sim_sweep.h"
#include "src/cli/tuning.h"
#include "src/sim/replay.h"
#include "src/util/error.h"

/* ---- options ------------------------------------------------------------------------- */

enum {
	OPTION_COSTS = 0x300,
	OPTION_SEED,
	OPTION_SEEDS,
	OPTION_LIMIT,
	OPTION_MECHANISMS,
	OPTION_OFFERS,
	OPTION_WORKING_SET
};

static const struct argp_option options[] = {
	{ "machine", 'm', "LIST", 0,
	  "CPUs, last-level caches, nodes, threads of a core: 8c2l, 128c16l2n, 16c2l2t; or this, the "
	  "machine that it runs on (8c2l)",
	  0 },
	{ "workload", 'w', "LIST", 0,
	  "make, message, mixed, imbalance, server, make1, makehalf, phases, rt-app's FILE.json, or "
	  "a recording, FILE.db or FILE.db:SESSION (the first four)",
	  0 },
	{ "working-set", OPTION_WORKING_SET, "KIB", 0,
	  "Of each task of a recording, which does not say (256)", 0 },
	{ "mechanisms", OPTION_MECHANISMS, "LIST", 0,
	  "Of ours, but not of base: as for mlsched run (none; with a model that says so, those of "
	  "its training)",
	  0 },
	{ "offers", OPTION_OFFERS, "NEAR,NODE,FAR", 0,
	  "The same: so much waiting, in us, must a move within a domain, from another one, from "
	  "another node spare a task to be offered; no idle CPU is asked to expect more idle time "
	  "than that (2000,2500,3000)",
	  0 },
	{ "costs", OPTION_COSTS, "NAME", 0,
	  "Of moves: server; load, as the load of the virtual machines has them; or a file of "
	  "mlsched sim calibrate (server)",
	  0 },
	{ "seeds", OPTION_SEEDS, "N", 0, "So many runs of each (5; mlsched eval: 10)", 0 },
	{ "seed", OPTION_SEED, "N", 0, "The first seed (1; mlsched eval: 2000001)", 0 },
	{ "limit", OPTION_LIMIT, "S", 0, "Gives a run up after so much simulated time (600)", 0 },
	{ "threads", 't', "N", 0, "Runs at a time; changes no number (one for each CPU)", 0 },
	{ 0 },
};

void cli_sim_sweep_names(struct argp_state *state, struct cli_names *names, const char *text)
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
	struct cli_sim_sweep_options *o = state->input;
	char *end;

	o->given |= key == 'm' || key == 'w' || key == 't' ||
		    (key >= OPTION_COSTS && key <= OPTION_WORKING_SET);
	switch (key) {
	case 'm':
		cli_sim_sweep_names(state, &o->machines, arg);
		return 0;
	case 'w':
		cli_sim_sweep_names(state, &o->workloads, arg);
		return 0;
	case OPTION_MECHANISMS:
		o->tuning.mechanisms = cli_mechanisms(state, arg);
		o->tuned_mechanisms = true;
		return 0;
	case OPTION_OFFERS:
		cli_offers(state, arg, o->tuning.worth);
		o->tuned_offers = true;
		return 0;
	case OPTION_WORKING_SET:
		o->working_set = (uint32_t)number(state, "working-set", arg, 0, 1 << 20);
		return 0;
	case OPTION_COSTS:
		o->costs = arg;
		return 0;
	case OPTION_SEEDS:
		o->seeds = (uint32_t)number(state, "seeds", arg, 1, 10000);
		return 0;
	case OPTION_SEED:
		o->seed = number(state, "seed", arg, 0, UINT32_MAX);
		return 0;
	case OPTION_LIMIT:
		o->limit = strtod(arg, &end);
		if (end == arg || *end || !(o->limit > 0 && o->limit <= 1e6))
			argp_error(state, "--limit: expected seconds up to 1000000, got \"%s\"",
				   arg);
		return 0;
	case 't':
		o->threads = (uint32_t)number(state, "threads", arg, 1, 1024);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp cli_sim_sweep_argp = { .options = options, .parser = parse };

struct cli_sim_sweep_options cli_sim_sweep_default(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	return (struct cli_sim_sweep_options){
		.machines = { NULL, { "8c2l" }, 1 },
		.workloads = { NULL, { "make", "message", "mixed", "imbalance" }, 4 },
		.costs = "server",
		.working_set = SIM_REPLAY_KIB,
		.tuning = SIM_TUNING_DEFAULT,
		.seeds = 5,
		.seed = 1,
		.limit = 600,
		.threads = cpus > 0 ? (uint32_t)cpus : 1,
	};
}

void cli_sim_sweep_options_clear(struct cli_sim_sweep_options *o)
{
	cli_names_clear(&o->machines);
	cli_names_clear(&o->workloads);
	cli_names_clear(&o->policies);
}

/* ---- all that runs ----------------------------------------------------------------------- */

/* The scheduler that the model was trained for, unless another one was asked for. */
static int tune(struct cli_sim_sweep *s, const struct cli_sim_sweep_options *o,
		const struct mlsched_model *model, struct mlsched_error *err)
{
	int ret;

	s->of_model = o->tuning;
	if (!mlsched_model_meta(model)->tuned)
		return 0;
	ret = cli_tuning_of_model(model, &s->of_model, err);
	if (o->tuned_mechanisms)
		s->of_model.mechanisms = o->tuning.mechanisms;
	if (o->tuned_offers)
		memcpy(s->of_model.worth, o->tuning.worth, sizeof(o->tuning.worth));
	return ret;
}

/* In fixed point, as the kernel asks it, and in float32. */
static const char *const asking[] = { "model", "model-float32" };

bool cli_sim_sweep_asks_model(const char *name)
{
	return strcmp(name, asking[0]) == 0 || strcmp(name, asking[1]) == 0;
}

static int load_model(struct cli_sim_sweep *s, const struct cli_sim_sweep_options *o,
		      struct mlsched_error *err)
{
	struct mlsched_model *model;
	int ret = mlsched_model_load(o->model, err, &model);

	if (ret)
		return ret;
	/* By the code that gives the same bits on all processors. */
	ret = mlsched_model_clone_for_isa(model, MLSCHED_ISA_SCALAR, err, &s->model);
	mlsched_model_free(model);
	if (ret)
		return ret;
	ret = sim_decider_init(&s->decider, s->model, err);
	return ret ? ret : tune(s, o, s->model, err);
}

static int find_contender(struct cli_sim_sweep *s, const struct cli_sim_sweep_options *o,
			  const char *name, struct sim_contender *c, struct mlsched_error *err)
{
	bool fixed = strcmp(name, asking[0]) == 0;
	int ret = 0;

	if (!cli_sim_sweep_asks_model(name))
		return sim_contender_find(c, name, err);
	if (!o->model)
		return mls_error(err, -EINVAL, "policy %s: no --model DIR", name);
	if (!s->model)
		ret = load_model(s, o, err);
	*c = (struct sim_contender){ .name = fixed ? asking[0] : asking[1],
				     .policy = &sim_policy_mlsched,
				     .decide = fixed ? sim_decider_decide :
						       sim_decider_decide_float32,
				     .context = fixed ? (void *)&s->decider : s->model,
				     .tuning = &s->of_model };
	return ret ? mls_error_prefix(err, ret, "%s", o->model) : 0;
}

/* How much of a recording is known is said once, and not for each machine. */
static int make_workload(struct sim_workload *w, const struct cli_sim_sweep_options *o,
			 const char *name, const struct sim_machine *machine, bool says,
			 const struct cli_common *common, struct mlsched_error *err)
{
	int ret = sim_workload_make(w, name, machine->n_cpus, err);

	if (ret || !w->replay)
		return ret;
	for (uint32_t i = 0; i < SIM_MAX_PROGRAMS; i++)
		if (w->programs[i].kib)
			w->programs[i].kib = o->working_set;
	if (says)
		cli_note(common, "%s: %s", name, w->replay->about);
	return 0;
}

static int make_parts(struct cli_sim_sweep *s, const struct cli_sim_sweep_options *o,
		      const struct cli_common *common, struct mlsched_error *err)
{
	struct sim_workload *workload = s->workloads;
	struct sim_costs costs;
	int ret = cli_sim_costs(o->costs, &costs, err);

	for (uint32_t i = 0; i < o->machines.n && !ret; i++) {
		ret = cli_sim_machine(&s->machines[i], o->machines.name[i], "/sys", err);
		if (!ret)
			s->machines[i].costs = costs;
	}
	for (uint32_t i = 0; i < o->policies.n && !ret; i++) {
		ret = find_contender(s, o, o->policies.name[i], &s->contenders[i], err);
		if (!ret && !s->contenders[i].tuning)
			s->contenders[i].tuning = &o->tuning;
	}
	for (uint32_t m = 0; m < o->machines.n && !ret; m++)
		for (uint32_t w = 0; w < o->workloads.n && !ret; w++)
			ret = make_workload(workload++, o, o->workloads.name[w], &s->machines[m],
					    m == 0, common, err);
	return ret;
}

int cli_sim_sweep_make(struct cli_sim_sweep *s, const struct cli_sim_sweep_options *o,
		       const struct cli_common *common)
{
	uint32_t n_loads = o->machines.n * o->workloads.n, n = n_loads * o->policies.n;
	struct mlsched_error err;
	int ret = -ENOMEM;

	*s = (struct cli_sim_sweep){ .machines = calloc(o->machines.n, sizeof(*s->machines)),
				     .workloads = calloc(n_loads, sizeof(*s->workloads)),
				     .contenders = calloc(o->policies.n, sizeof(*s->contenders)),
				     .sweep = { .cells = calloc(n, sizeof(*s->sweep.cells)),
						.n_seeds = o->seeds,
						.seed = o->seed,
						.limit = (uint64_t)(o->limit * 1e9) } };
	s->n_workloads = s->workloads ? n_loads : 0;
	if (s->machines && s->workloads && s->contenders && s->sweep.cells)
		ret = make_parts(s, o, common, &err);
	if (ret)
		return cli_fail(common, "%s", ret == -ENOMEM ? "no memory" : err.message);
	for (uint32_t load = 0; load < n_loads; load++)
		for (uint32_t p = 0; p < o->policies.n; p++)
			s->sweep.cells[s->sweep.n_cells++] = (struct sim_cell){
				.machine = &s->machines[load / o->workloads.n],
				.workload = &s->workloads[load],
				.title = o->workloads.name[load % o->workloads.n],
				.contender = &s->contenders[p],
			};
	return CLI_OK;
}

struct shown {
	struct cli_progress progress;
	uint32_t total;
};

static void show(void *context, uint32_t n_runs)
{
	struct shown *shown = context;

	cli_progress_update(&shown->progress, n_runs, shown->total, "simulating", "");
}

static int cell_failed(const struct cli_common *common, const struct sim_sweep *sweep,
		       const struct sim_cell *cell, uint32_t k)
{
	char why[160];

	if (cell->status[k] == -ETIMEDOUT)
		snprintf(
			why, sizeof(why),
			"not done within %g s of simulated time (--limit; one of rt-app without an "
			"end needs a \"duration\" in \"global\")",
			(double)sweep->limit / SIM_S);
	else
		snprintf(why, sizeof(why), "%s", strerror(-cell->status[k]));
	return cli_fail(common, "%s on %s, %s, seed %" PRIu64 ": %s", cell->title,
			cell->machine->name, cell->contender->name, sweep->seed + k, why);
}

int cli_sim_sweep_run(struct cli_sim_sweep *s, const struct cli_sim_sweep_options *o,
		      const struct cli_common *common)
{
	struct sim_sweep *sweep = &s->sweep;
	struct shown shown = { .total = sweep->n_cells * sweep->n_seeds };
	struct mls_pool *pool;
	int ret;

	ret = mls_pool_create(o->threads, &pool);
	if (ret)
		return cli_fail(common, "%u threads: %s", o->threads, strerror(-ret));
	cli_progress_init(&shown.progress, "runs", common->verbosity >= 0 && !common->json);
	sweep->done = show;
	sweep->context = &shown;
	ret = sim_sweep_run(sweep, pool);
	mls_pool_free(pool);
	cli_progress_clear(&shown.progress);
	if (ret)
		return cli_fail(common, "no memory for %u runs", shown.total);
	for (uint32_t i = 0; i < sweep->n_cells; i++) {
		const struct sim_cell *cell = &sweep->cells[i];

		for (uint32_t k = 0; k < sweep->n_seeds; k++) {
			if (cell->status[k] == 1)
				continue;
			return cell_failed(common, sweep, cell, k);
		}
	}
	return CLI_OK;
}

void cli_sim_sweep_clear(struct cli_sim_sweep *s)
{
	if (s->sweep.cells)
		sim_sweep_clear(&s->sweep);
	free(s->sweep.cells);
	sim_decider_clear(&s->decider);
	mlsched_model_free(s->model);
	for (uint32_t i = 0; i < s->n_workloads; i++)
		sim_workload_clear(&s->workloads[i]);
	free(s->contenders);
	free(s->workloads);
	free(s->machines);
	*s = (struct cli_sim_sweep){ 0 };
}
