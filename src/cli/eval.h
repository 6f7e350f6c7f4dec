/* SPDX-License-Identifier: GPL-2.0 */
/* What `mlsched eval` hands over for --off-policy. */
#ifndef MLS_CLI_EVAL_H
#define MLS_CLI_EVAL_H

#include "src/cli/cli.h"
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

#endif /* MLS_CLI_EVAL_H */
