/* SPDX-License-Identifier: GPL-2.0 */
/* Machines, workloads and contenders by their names, and all runs of them: mlsched sim, mlsched eval. */
#ifndef MLS_CLI_SIM_SWEEP_H
#define MLS_CLI_SIM_SWEEP_H

#include "src/cli/names.h"
#include "src/cli/sim.h"
#include "src/sim/decider.h"
#include "src/sim/sweep.h"

/**
 * struct cli_sim_sweep_options
 * @model:  decides for contenders by cli_sim_sweep_asks_model(); NULL: there may be none
 * @costs:  as of cli_sim_costs()
 * @working_set: KiB of each task of a recording
 * @tuning: of contenders of our policy that have none of their own
 * @tuned_mechanisms, @tuned_offers: they were asked for: else a model that says for which it was
 *          trained has those
 * @limit:  of simulated time, s
 * @given:  one of them was, on the command line
 */
struct cli_sim_sweep_options {
	struct cli_names machines, workloads, policies;
	const char *model;
	const char *costs;
	uint32_t working_set;
	struct sim_tuning tuning;
	bool tuned_mechanisms, tuned_offers;
	uint32_t seeds, threads;
	uint64_t seed;
	double limit;
	bool given;
};

/** cli_sim_sweep_default() - 8c2l, the loads of the virtual machines, five seeds, no contenders */
struct cli_sim_sweep_options cli_sim_sweep_default(void);

void cli_sim_sweep_options_clear(struct cli_sim_sweep_options *o);

/** A child parser for all of it but contenders and model; its input is the options. */
extern const struct argp cli_sim_sweep_argp;

/** cli_sim_sweep_asks_model() - whether the contender of that name asks the model */
bool cli_sim_sweep_asks_model(const char *name);

/** cli_sim_sweep_names() - an option's names between commas; anything else is a usage error */
void cli_sim_sweep_names(struct argp_state *state, struct cli_names *names, const char *text);

/**
 * struct cli_sim_sweep - its cells: of each machine, of each workload, each contender
 * @workloads: of each machine, each of them: [n_workloads]
 * @model:     of contenders by cli_sim_sweep_asks_model(), or NULL
 */
struct cli_sim_sweep {
	struct sim_machine *machines;
	struct sim_workload *workloads;
	uint32_t n_workloads;
	struct sim_contender *contenders;
	struct mlsched_model *model;
	struct sim_decider decider;
	struct sim_tuning of_model;
	struct sim_sweep sweep;
};

/**
 * cli_sim_sweep_make() - all that a sweep needs; nothing runs yet
 * @o: must outlive it
 *
 * Return: CLI_OK, or CLI_FAILURE after a message; cli_sim_sweep_clear() in either case.
 */
int cli_sim_sweep_make(struct cli_sim_sweep *s, const struct cli_sim_sweep_options *o,
		       const struct cli_common *common);

/** cli_sim_sweep_run() - all runs, with progress; one that is not done is a failure */
int cli_sim_sweep_run(struct cli_sim_sweep *s, const struct cli_sim_sweep_options *o,
		      const struct cli_common *common);

void cli_sim_sweep_clear(struct cli_sim_sweep *s);

#endif /* MLS_CLI_SIM_SWEEP_H */
