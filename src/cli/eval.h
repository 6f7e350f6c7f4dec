/* SPDX-License-Identifier: GPL-2.0 */
/* What `mlsched eval` hands over for --off-policy and --against-controls. */
#ifndef MLS_CLI_EVAL_H
#define MLS_CLI_EVAL_H

#include "src/cli/cli.h"
#include "src/cli/sim_sweep.h"
#include "src/data/label.h"

struct cli_off_policy {
	const struct cli_common *common;
	const char *model;
	const char *recording;
	double logit; /* the model says "migrate" above it */
	struct mls_label_options label; /* price and weight of waiting */
};

/**
 * cli_eval_off_policy() - judge a model by a recording
 * @schema: the model's
 *
 * Return: CLI_OK, or CLI_FAILURE after a message.
 */
int cli_eval_off_policy(const struct cli_off_policy *options, const struct mlsched_model *model,
			const char *schema);

/**
 * cli_eval_against_controls() - a model in the simulator, beside what needs none
 * @o: with the model, and the tuning that it is asked under; its policies are set
 *
 * accept, refuse and hysteresis are asked what the model is asked; the other controls have
 * tunings of their own.
 *
 * Return: CLI_OK, or CLI_FAILURE after a message.
 */
int cli_eval_against_controls(const struct cli_common *common, struct cli_sim_sweep_options *o);

#endif /* MLS_CLI_EVAL_H */
