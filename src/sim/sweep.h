/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Many runs side by side: machines, workloads, contenders, seeds.  Every contender is given the same work by the same seed, and the results
 * do not depend on the number of threads.
 */
#ifndef MLS_SIM_SWEEP_H
#define MLS_SIM_SWEEP_H

#include "src/sim/contenders.h"
#include "src/util/pool.h"

/**
 * struct sim_cell - of a sweep: all seeds of one contender
 * @workload: made for the machine; constant, and shared by all runs of it
 * @title:    its name for people: a file's path is longer than a workload's own
 */
struct sim_cell {
	const struct sim_machine *machine;
	const struct sim_workload *workload;
	const char *title;
	const struct sim_contender *contender;
	struct sim_results *results; /* [n_seeds] */
	int *status; /* [n_seeds]: 1, or -errno of a run that failed */
};

/**
 * struct sim_sweep
 * @seed:    the first one; the others follow it
 * @limit:   of simulated time, ns
 * @done:    called after each run, one thread at a time; may be NULL
 */
struct sim_sweep {
	struct sim_cell *cells;
	uint32_t n_cells;
	uint32_t n_seeds;
	uint64_t seed;
	uint64_t limit;
	void (*done)(void *context, uint32_t n_runs);
	void *context;
};

/** sim_sweep_run() - all of it; Return: 0, or -ENOMEM with nothing run */
int sim_sweep_run(struct sim_sweep *sweep, struct mls_pool *pool);

void sim_sweep_clear(struct sim_sweep *sweep);

#endif /* MLS_SIM_SWEEP_H */
