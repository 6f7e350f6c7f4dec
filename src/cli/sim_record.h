/* SPDX-License-Identifier: GPL-2.0 */
/* mlsched sim --record: simulated decisions in a recording, with or without a coin. */
#ifndef MLS_CLI_SIM_RECORD_H
#define MLS_CLI_SIM_RECORD_H

#include "src/cli/run_record.h"
#include "src/cli/sim_sweep.h"

/* As of mlsched run: the default of --window, in ms. */
#define CLI_SIM_WINDOW 100.0

/**
 * struct cli_sim_record_options
 * @file:    path, and whether sessions go behind what is there
 * @explore: share of decisions that a coin takes
 * @window:  ms for which a task is followed
 * @model:   DIR of the policy "model", or NULL
 */
struct cli_sim_record_options {
	struct run_record_options file;
	double explore;
	double window;
	const char *model;
};

/**
 * cli_sim_record() - all runs of the last contender of each load, once more
 * @n_contenders: cells in a row that are of one load
 * @document:     receives what was written, for JSON
 *
 * Return: CLI_OK, or CLI_FAILURE after a message.
 */
int cli_sim_record(const struct cli_sim_record_options *o, const struct sim_sweep *sweep,
		   uint32_t n_contenders, const struct cli_common *common, json_t **document);

#endif /* MLS_CLI_SIM_RECORD_H */
