// SPDX-License-Identifier: GPL-2.0
/* Sweeps by names. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "src/cli/progress.h"
#include "src/cli/sim_sweep.h"
#include "src/util/error.h"

static int find_contender(struct cli_sim_sweep *s, const struct cli_sim_sweep_options *o,
			  const char *name, struct sim_contender *c, struct mlsched_error *err)
{
	struct mlsched_model *model;
	int ret;

	if (strcmp(name, "model") != 0)
		return sim_contender_find(c, name, err);
	if (!o->model)
		return mls_error(err, -EINVAL, "policy model: no --model DIR");
	*c = (struct sim_contender){ .name = "model",
				     .policy = &sim_policy_mlsched,
				     .decide = sim_decider_decide,
				     .context = &s->decider };
	if (s->decider.q)
		return 0;
	ret = mlsched_model_load(o->model, err, &model);
	if (ret)
		return ret;
	ret = sim_decider_init(&s->decider, model, err);
	mlsched_model_free(model);
	return ret ? mls_error_prefix(err, ret, "%s", o->model) : 0;
}

static int make_parts(struct cli_sim_sweep *s, const struct cli_sim_sweep_options *o,
		      struct mlsched_error *err)
{
	struct sim_workload *workload = s->workloads;
	struct sim_costs costs;
	int ret = cli_sim_costs(o->costs, &costs, err);

	for (uint32_t i = 0; i < o->machines.n && !ret; i++) {
		ret = sim_machine_parse(&s->machines[i], o->machines.name[i], err);
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
			ret = sim_workload_make(workload++, o->workloads.name[w],
						s->machines[m].n_cpus, err);
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
	if (s->machines && s->workloads && s->contenders && s->sweep.cells)
		ret = make_parts(s, o, &err);
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
			return cli_fail(common, "%s on %s, %s, seed %" PRIu64 ": %s", cell->title,
					cell->machine->name, cell->contender->name, sweep->seed + k,
					cell->status[k] == -ETIMEDOUT ?
						"not done within the limit of simulated time" :
						strerror(-cell->status[k]));
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
	free(s->contenders);
	free(s->workloads);
	free(s->machines);
	*s = (struct cli_sim_sweep){ 0 };
}
