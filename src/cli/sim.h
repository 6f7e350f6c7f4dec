/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of `mlsched sim` share. */
#ifndef MLS_CLI_SIM_H
#define MLS_CLI_SIM_H

#include "src/cli/cli.h"
#include "src/sim/machine.h"

int cli_sim_calibrate(int argc, char **argv);

/**
 * cli_sim_costs() - costs by their name: server, load, or a file of `mlsched sim calibrate`
 *
 * Return: 0; -EINVAL for a file that is none; -errno of reading it.
 */
int cli_sim_costs(const char *name, struct sim_costs *costs, struct mlsched_error *err);

json_t *cli_sim_costs_json(const struct sim_costs *costs);

#endif /* MLS_CLI_SIM_H */
