/* SPDX-License-Identifier: GPL-2.0 */
/* How a model does in fixed point, for mlsched inspect. */
#ifndef MLS_CLI_FIXED_POINT_H
#define MLS_CLI_FIXED_POINT_H

#include "src/cli/cli.h"

/**
 * struct cli_fixed_point - how a model does
 * @quantized: it can be: @report is filled in
 * @kernel:    the kernel engine takes it: it fits into a slot, and enough of its
 *             verdicts are as in float32
 * @why:       why not, of the first of these that it is not; else ""
 */
struct cli_fixed_point {
	struct mlsched_quantize_report report;
	bool quantized;
	bool kernel;
	char why[MLSCHED_ERROR_SIZE];
};

/** cli_fixed_point_find() - quantise a model by the ranges that it brings along */
void cli_fixed_point_find(const struct mlsched_model *model, struct cli_fixed_point *found);

/** cli_fixed_point_print() - a few lines on standard output */
void cli_fixed_point_print(const struct cli_fixed_point *found);

/** cli_fixed_point_json() - the same as one object; the caller owns it */
json_t *cli_fixed_point_json(const struct cli_fixed_point *found);

#endif /* MLS_CLI_FIXED_POINT_H */
