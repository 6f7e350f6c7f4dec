/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Simulated decisions as a session of a recording: what `mlsched run --record` writes of a
 * kernel, with the coin of --explore.  Times are those of the simulation, from 0.
 */
#ifndef MLS_SIM_RECORD_H
#define MLS_SIM_RECORD_H

#include "src/data/recording.h"
#include "src/sim/contenders.h"

/**
 * struct sim_record_options
 * @explore: share of decisions that a coin takes, up to MLS_SCX_MAX_EXPLORE
 * @window:  ns for which a task is followed, up to MLS_RECORD_MAX_WINDOW
 * @model:   what decides, for the file; NULL: no model does
 */
struct sim_record_options {
	double explore;
	uint64_t window;
	const struct mls_recording_model *model;
};

/** struct sim_record_counts - what was written */
struct sim_record_counts {
	uint64_t decisions;
	uint64_t explored; /* of them */
	uint64_t rules; /* moves by hard and safety rules, beside them */
};

/**
 * sim_record() - one run
 * @contender: of our policy: others are not asked
 * @limit:     of simulated time, ns, after which the run ends as if it were done
 * @counts:    filled in
 *
 * The same seed and options give the same rows.
 * Return: 0; -EINVAL for another policy; -EDEADLK as sim_run(); -ENOMEM; what writing returns.
 */
int sim_record(struct mls_recording *recording, const struct sim_machine *machine,
	       const struct sim_workload *workload, const struct sim_contender *contender,
	       uint64_t seed, uint64_t limit, const struct sim_record_options *options,
	       struct sim_record_counts *counts, struct mlsched_error *err);

#endif /* MLS_SIM_RECORD_H */
