/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A sweep as one page that needs nothing else: for each workload and machine a table, how
 * long tasks waited, and who ran where under each contender.
 */
#ifndef MLS_SIM_REPORT_H
#define MLS_SIM_REPORT_H

#include "src/sim/sweep.h"

/**
 * sim_report() - write the page
 * @sweep:        whose runs are done; @n_contenders cells in a row are of one workload
 * @path:         of the file, which is replaced
 *
 * The first seed of each cell is simulated again for its timeline.
 * Return: 0; -ENOMEM; -errno of writing.
 */
int sim_report(const struct sim_sweep *sweep, uint32_t n_contenders, const char *path,
	       struct mlsched_error *err);

#endif /* MLS_SIM_REPORT_H */
