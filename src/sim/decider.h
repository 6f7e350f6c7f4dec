/* SPDX-License-Identifier: GPL-2.0 */
/* A model as what decides on simulated moves, with the integers of the kernel or in float32. */
#ifndef MLS_SIM_DECIDER_H
#define MLS_SIM_DECIDER_H

#include <mlsched/quantize.h>

#include "src/sim/policy.h"

/**
 * struct sim_decider - a model in fixed point
 * @q:         of schema mig15
 * @threshold: of its logit
 */
struct sim_decider {
	struct mlsched_qmodel *q;
	int64_t threshold;
};

/**
 * sim_decider_init() - quantise a model
 *
 * Return: 0; -EINVAL for another schema than mig15; what mlsched_quantize() returns.
 */
int sim_decider_init(struct sim_decider *d, const struct mlsched_model *model,
		     struct mlsched_error *err);

void sim_decider_clear(struct sim_decider *d);

/** sim_decider_decide() - for struct sim_contender and struct sim_options; @context: the decider */
int sim_decider_decide(void *context, struct sim *s, const struct sim_decision *decision);

/**
 * sim_decider_decide_float32() - the same by the engine native's float32, of the same features
 * @context: a model of schema mig15
 */
int sim_decider_decide_float32(void *context, struct sim *s, const struct sim_decision *decision);

#endif /* MLS_SIM_DECIDER_H */
