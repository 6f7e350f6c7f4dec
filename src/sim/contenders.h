/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who is compared: a policy, what decides on its optional moves, and with what tuning.
 *
 * Leaves to others: running them (sweep.h), models that decide (decider.h).
 */
#ifndef MLS_SIM_CONTENDERS_H
#define MLS_SIM_CONTENDERS_H

#include "src/sim/policy.h"

/**
 * struct sim_contender - who is compared
 * @name:    for tables
 * @policy:  of the scheduler
 * @decide:  on its optional moves; NULL: its heuristic
 * @context: for @decide; used by several threads at a time
 * @tuning:  of our policy; NULL: the default
 * @free:    moves cost tasks nothing: a bound, not a scheduler
 */
struct sim_contender {
	const char *name;
	const struct sim_policy *policy;
	int (*decide)(void *context, struct sim *s, const struct sim_decision *decision);
	void *context;
	const struct sim_tuning *tuning;
	bool free;
};

/**
 * sim_contender_find() - by its name
 *
 * Those of our policy that are to have one tuning whatever is asked for say so: their
 * tuning is not NULL.
 *
 * Return: 0, or -EINVAL with the names that there are.
 */
int sim_contender_find(struct sim_contender *c, const char *name, struct mlsched_error *err);

/** sim_contender_name() - of contender @i; NULL behind the last one */
const char *sim_contender_name(uint32_t i);

/** sim_contender_about() - of contender @i, in a line; NULL behind the last one */
const char *sim_contender_about(uint32_t i);

/** sim_contender_options() - of a run of it; @limit of simulated time, ns */
struct sim_options sim_contender_options(const struct sim_contender *c, u64 limit);

#endif /* MLS_SIM_CONTENDERS_H */
