/* SPDX-License-Identifier: GPL-2.0 */
/* Labelled rows and scores, as several commands read and print them. */
#ifndef MLS_CLI_ROWS_H
#define MLS_CLI_ROWS_H

#include "src/cli/cli.h"
#include "src/data/dataset.h"
#include "src/data/scores.h"

/**
 * cli_read_rows() - read a CSV file with notes on what was ignored
 * @path: "-" for standard input
 *
 * Return: 0, or CLI_FAILURE after a message.
 */
int cli_read_rows(const struct cli_common *common, const char *path,
		  const struct mlsched_schema *schema, const char *label, struct mls_dataset *data);

/** cli_scores_json() - all scores as an object; a ratio without a denominator is null */
json_t *cli_scores_json(const struct mls_scores *scores);

/** cli_real_json() - a number, or null when it is not finite */
json_t *cli_real_json(double value);

/** cli_format_share() - "0.8991" or "-" when there is none, into [16] @text, which is returned */
const char *cli_format_share(double share, char *text);

#endif /* MLS_CLI_ROWS_H */
