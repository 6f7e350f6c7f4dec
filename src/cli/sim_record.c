// SPDX-License-Identifier: GPL-2.0
/* Recordings of the simulator: a session for each run. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "src/cli/sim_record.h"
#include "src/sim/record.h"

/* Who decides, for the file. */
static int describe(const struct cli_sim_record_options *o, bool fixed,
		    struct mls_recording_model *row, struct mlsched_error *err)
{
	struct mlsched_model *model;
	int ret = mlsched_model_load(o->model, err, &model);

	if (ret)
		return ret;
	*row = (struct mls_recording_model){ 0 };
	snprintf(row->engine, sizeof(row->engine), "%s", fixed ? "kernel" : "native");
	snprintf(row->path, sizeof(row->path), "%s", o->model);
	run_record_describe(row, model);
	mlsched_model_free(model);
	return 0;
}

static int record_all(const struct cli_sim_record_options *o, const struct sim_sweep *sweep,
		      uint32_t n_contenders, struct mls_recording *recording,
		      struct sim_record_counts *sum, struct mlsched_error *err)
{
	struct mls_recording_model model;
	struct sim_record_options options = { .explore = o->explore,
					      .window = (uint64_t)(o->window * 1e6) };
	int ret = 0;

	for (uint32_t c = n_contenders - 1; c < sweep->n_cells && !ret; c += n_contenders) {
		const struct sim_cell *cell = &sweep->cells[c];

		options.model = NULL;
		if (cli_sim_sweep_asks_model(cell->contender->name)) {
			ret = describe(o, strcmp(cell->contender->name, "model") == 0, &model, err);
			options.model = &model;
		}
		for (uint32_t k = 0; k < sweep->n_seeds && !ret; k++) {
			struct sim_record_counts counts;

			ret = sim_record(recording, cell->machine, cell->workload, cell->contender,
					 sweep->seed + k, sweep->limit, &options, &counts, err);
			sum->decisions += counts.decisions;
			sum->explored += counts.explored;
			sum->rules += counts.rules;
		}
	}
	return ret;
}

int cli_sim_record(const struct cli_sim_record_options *o, const struct sim_sweep *sweep,
		   uint32_t n_contenders, const struct cli_common *common, json_t **document)
{
	struct sim_record_counts sum = { 0 };
	struct mls_recording *recording;
	struct mlsched_error err;
	uint32_t sessions = sweep->n_cells / n_contenders * sweep->n_seeds;
	int ret = mls_recording_create(o->file.path, o->file.append, &err, &recording);

	if (ret)
		return cli_fail(common, "%s", err.message);
	ret = record_all(o, sweep, n_contenders, recording, &sum, &err);
	mls_recording_close(recording);
	if (ret)
		return cli_fail(common, "%s", err.message);
	*document = json_pack("{s:s, s:i, s:I, s:I, s:I}", "path", o->file.path, "sessions",
			      (int)sessions, "decisions", (json_int_t)sum.decisions, "explored",
			      (json_int_t)sum.explored, "rules", (json_int_t)sum.rules);
	cli_note(common,
		 "%s: %u sessions of %s, %" PRIu64 " decisions, of which a coin took %" PRIu64
		 ", and %" PRIu64 " moves by rules",
		 o->file.path, sessions, sweep->cells[n_contenders - 1].contender->name,
		 sum.decisions, sum.explored, sum.rules);
	return CLI_OK;
}
