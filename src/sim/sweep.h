/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Many runs side by side: machines, workloads, contenders (a policy and what decides for
 * it), seeds.  Every contender is given the same work by the same seed, and the results
 * do not depend on the number of threads.
 */
#ifndef MLS_SIM_SWEEP_H
#define MLS_SIM_SWEEP_H

#include "src/sim/policy.h"
#include "src/util/pool.h"

/**
 * struct sim_contender - who is compared
 * @name:    for tables
 * @policy:  of the scheduler
 * @decide:  on its optional moves; NULL: its heuristic
 * @context: for @decide; used by several threads at a time
 * @tuning:  of our policy; NULL: the default
 */
struct sim_contender {
	const char *name;
	const struct sim_policy *policy;
	int (*decide)(void *context, struct sim *s, const struct sim_decision *decision);
	void *context;
	const struct sim_tuning *tuning;
};

/**
 * sim_contender_find() - by its name
 * @name: eevdf, mlsched (no model), base (the same, and its tuning the default), accept, refuse
 *        (all optional moves), refuse-llc (those between last-level caches)
 *
 * Those of our policy that are to have the default tuning whatever is asked for say so:
 * their tuning is not NULL.
 *
 * Return: 0, or -EINVAL with the names that there are.
 */
int sim_contender_find(struct sim_contender *c, const char *name, struct mlsched_error *err);

/** sim_contender_name() - of contender @i for help; NULL behind the last one */
const char *sim_contender_name(uint32_t i);

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
