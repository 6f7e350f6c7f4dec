/* SPDX-License-Identifier: GPL-2.0 */
/* What our scheduler can be given on the command line: --mechanisms and --offers. */
#ifndef MLS_CLI_TUNING_H
#define MLS_CLI_TUNING_H

#include <argp.h>

#include <jansson.h>

#include <mlsched/mlsched.h>

#include "src/host/tuning.h"
#include "src/sim/engine.h"

/** cli_mechanisms() - names between commas, none or all; anything else is a usage error */
uint32_t cli_mechanisms(struct argp_state *state, const char *list);

/** cli_mechanisms_json() - a list of their names */
json_t *cli_mechanisms_json(uint32_t mechanisms);

/**
 * cli_offers() - us, NEAR,NODE,FAR; anything else is a usage error
 * @worth: gets them, in ns: as of struct mls_policy
 */
void cli_offers(struct argp_state *state, const char *text, u64 worth[MLS_POLICY_LEVELS]);

/** cli_offers_json() - a list of us */
json_t *cli_offers_json(const u64 worth[MLS_POLICY_LEVELS]);

/**
 * cli_tuning_of_model() - mechanisms and offers that the model was trained under
 *
 * The default of one that does not say.  Return: 0, or what mls_tuning_of() returns.
 */
int cli_tuning_of_model(const struct mlsched_model *model, struct sim_tuning *tuning,
			struct mlsched_error *err);

#endif /* MLS_CLI_TUNING_H */
