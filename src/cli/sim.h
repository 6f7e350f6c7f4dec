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

/**
 * cli_sim_machine() - a machine by its name, as sim_machine_parse() takes it, or "this"
 * @sysfs: where that is looked at: "/sys"
 *
 * Of "this" only how many CPUs, caches, nodes and threads there are counts: they are shared out
 * evenly.  Return: 0; -EINVAL for another name, or where they cannot be; of "this", what
 * mls_topology_read() returns.
 */
int cli_sim_machine(struct sim_machine *m, const char *name, const char *sysfs,
		    struct mlsched_error *err);

json_t *cli_sim_costs_json(const struct sim_costs *costs);

#endif /* MLS_CLI_SIM_H */
