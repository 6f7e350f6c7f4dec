/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a model says of the scheduler that it was trained for: which mechanisms that has,
 * and what it is offered.  A model that may refuse is offered more than a scheduler
 * without one should take.
 */
#ifndef MLS_HOST_TUNING_H
#define MLS_HOST_TUNING_H

#include <stdbool.h>
#include <stdint.h>

#include <mlsched/model.h>

#include "core/policy.h"

/**
 * struct mls_tuning
 * @stated:     the model says so: else the rest means nothing
 * @mechanisms: bits 1 << enum mls_policy_mechanism
 * @worth:      as of struct mls_policy, ns
 */
struct mls_tuning {
	bool stated;
	uint32_t mechanisms;
	u64 worth[MLS_POLICY_LEVELS];
};

/* As in `mlsched run --mechanisms` and in models. */
extern const char *const mls_mechanism_names[MLS_POLICY_MECHANISMS];

/** mls_mechanism_find() - enum mls_policy_mechanism by its name, or -1 */
int mls_mechanism_find(const char *name);

/** mls_mechanisms_text() - names between commas, or "none", into [size] @text */
void mls_mechanisms_text(uint32_t mechanisms, char *text, size_t size);

/**
 * mls_tuning_of() - what a model says
 *
 * Return: 0; -ENOTSUP for a mechanism that this scheduler does not have.
 */
int mls_tuning_of(const struct mlsched_model *model, struct mls_tuning *tuning,
		  struct mlsched_error *err);

/** mls_tuning_state() - the reverse: into what a model says of itself */
void mls_tuning_state(uint32_t mechanisms, const u64 worth[MLS_POLICY_LEVELS],
		      struct mlsched_meta *meta);

#endif /* MLS_HOST_TUNING_H */
