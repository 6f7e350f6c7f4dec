/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who ran where and when, as a file that Perfetto (ui.perfetto.dev) and chrome://tracing
 * show: a row for each CPU, a slice for each turn of a task, a mark for each
 * move with its distance.
 */
#ifndef MLS_SIM_TRACE_H
#define MLS_SIM_TRACE_H

#include "src/sim/sweep.h"

/**
 * sim_trace() - one run, written down
 * @path:  of the file, which is replaced
 * @limit: of simulated time, ns; what comes later is not traced
 *
 * Return: 0; -ENOMEM; -errno of writing.
 */
int sim_trace(const struct sim_machine *machine, const struct sim_workload *workload,
	      const struct sim_contender *contender, uint64_t seed, uint64_t limit,
	      const char *path, struct mlsched_error *err);

#endif /* MLS_SIM_TRACE_H */
