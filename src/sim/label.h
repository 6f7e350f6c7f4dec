/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a move is worth: the world is copied at a decision, one copy takes the move and
 * the other does not, and both go on for a while under the same chance.
 *
 * Four things would make such labels lie:
 * - Both copies must repeat the event in which the decision falls with all answers
 *   before it as they were.  So the copy is made before the event, and the future
 *   changes after it.
 * - "No" must last: a copy in which the same task is moved by the next opportunity says
 *   only that it may wait a little.  A refused task stays refused for a while.
 * - "No" must mean that nothing goes: a copy in which the next task of that queue, which is
 *   offered then, is taken at once says which of the two should go, not whether one should.
 * - The copies go on under the policy that is being learned: under one that moves
 *   everything a refusal costs nothing, and a network would learn to refuse for ever.
 */
#ifndef MLS_SIM_LABEL_H
#define MLS_SIM_LABEL_H

#include "src/sim/sweep.h"

/* How much there is to do at the moment of a decision, by the runnable tasks. */
enum sim_load {
	SIM_LIGHT, /* less than nine for ten CPUs */
	SIM_FULL,
	SIM_OVER, /* more than thirteen for ten */
	SIM_LOADS
};

/**
 * struct sim_prices - what counts in a copy's future, in ns of useful work
 * @wait:   of one ns of waiting, in 1/1024
 * @wait_2: of a wait of 1 ms, beyond that; others by the square of their length
 * @move:   by the load, of a move of a task of which six bursts last for @horizon_most;
 *          across last-level caches it counts twice
 * @most:   of others in proportion, up to so many times that: a move of a task that runs for
 *          long is one that holds for long, and need not be made at once
 */
struct sim_prices {
	u32 wait;
	u64 wait_2;
	u64 move[SIM_LOADS];
	u32 most;
};

/**
 * struct sim_label_options
 * @prices:  what a future is judged by
 * @futures: of each decision, of which the mean counts
 * @horizon_least: a future lasts for 6 bursts of the task, not less than that
 * @horizon_most:  and not more
 * @sticky:  a refused task stays refused for so long; never longer than the future
 * @one_of:  so many decisions is labelled
 * @most:    rows of one run
 * @seed:    of futures and of the choice of decisions
 */
struct sim_label_options {
	struct sim_prices prices;
	u32 futures;
	u64 horizon_least;
	u64 horizon_most;
	u64 sticky;
	u32 one_of;
	u32 most;
	u64 seed;
};

struct sim_label_options sim_label_options_default(void);

/**
 * struct sim_row - one labelled decision
 * @features: of schema mig15, Q16.16
 * @benefit:  ns of useful work that the move is worth, mean of the futures
 * @spread:   standard deviation of a future's
 * @kind:     enum mls_policy_kind
 */
struct sim_row {
	s32 features[MLS_MIG15_INPUTS];
	s64 benefit;
	u64 spread;
	u32 kind;
};

struct sim_rows {
	struct sim_row *row;
	u32 n, allocated;
};

/**
 * sim_label() - labels decisions of one run
 * @contender: who decides, and under which tuning
 * @limit: of simulated time, at which it ends
 * @rows:  get more
 *
 * Return: 0 or -ENOMEM.
 */
int sim_label(const struct sim_machine *machine, const struct sim_workload *workload,
	      const struct sim_contender *contender, u64 seed, u64 limit,
	      const struct sim_label_options *o, struct sim_rows *rows);

void sim_rows_clear(struct sim_rows *rows);

#endif /* MLS_SIM_LABEL_H */
