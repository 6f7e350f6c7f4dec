/* SPDX-License-Identifier: GPL-2.0 */
/* What a run is judged by. */
#ifndef MLS_SIM_RESULTS_H
#define MLS_SIM_RESULTS_H

#include <stdint.h>

#include "src/sim/machine.h"

/* Counts of durations: 32 buckets for each power of two, so that none is off by more than 3 %. */
#define SIM_BUCKETS (34 * 32)

struct sim_durations {
	uint64_t n, sum, longest; /* ns */
	uint64_t bucket[SIM_BUCKETS];
};

/* Why a task went to another CPU. */
enum sim_move_kind {
	SIM_MOVED_WAKEUP,
	SIM_MOVED_FORK, /* the kernel does not count these as migrations */
	SIM_MOVED_EXEC,
	SIM_MOVED_STEAL, /* to a CPU that had nothing to do */
	SIM_MOVED_BALANCE,
	SIM_MOVED_FORCED,
	SIM_MOVE_KINDS
};

/**
 * struct sim_sum - running sums, copied with the world
 * @useful:   ns of work done
 * @refill:   ns of CPU time for caches
 * @kernel:   ns of CPU time for the kernel's own work
 * @waited:   ns that tasks have waited for a CPU
 * @waited_2: and the squares of these times, in us
 * @moves:    by kind and distance
 * @switches: to another task
 */
struct sim_sum {
	uint64_t useful;
	uint64_t refill;
	uint64_t kernel;
	uint64_t waited;
	uint64_t waited_2;
	uint64_t moves[SIM_MOVE_KINDS][SIM_DISTANCES];
	uint64_t switches;
};

/**
 * struct sim_results - of one run
 * @makespan: ns from the beginning of the measurement to the end of the last task
 * @wakeup:   from when a task was woken to when it ran
 * @wait:     off the CPU in the middle of its work
 */
struct sim_results {
	uint64_t makespan;
	uint64_t events;
	uint64_t decisions[4], accepted[4]; /* by enum mls_policy_kind */
	struct sim_sum sum;
	struct sim_durations wakeup;
	struct sim_durations wait;
};

void sim_durations_add(struct sim_durations *d, uint64_t ns);
void sim_durations_merge(struct sim_durations *into, const struct sim_durations *from);

/** sim_durations_at() - the highest duration of the bucket that the quantile falls into, ns */
uint64_t sim_durations_at(const struct sim_durations *d, double quantile);

/** sim_moves() - that the kernel would count as migrations, at least so far */
uint64_t sim_moves(const struct sim_sum *sum, enum sim_distance from);

#endif /* MLS_SIM_RESULTS_H */
