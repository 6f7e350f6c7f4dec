/* SPDX-License-Identifier: GPL-2.0 */
/* How a model does in fixed point, for mlsched inspect. */
#ifndef MLS_CLI_FIXED_POINT_H
#define MLS_CLI_FIXED_POINT_H

#include "src/cli/cli.h"

/** cli_fixed_point_print() - a few lines on standard output */
void cli_fixed_point_print(const struct mlsched_model *model);

/** cli_fixed_point_json() - the same as one object; the caller owns it */
json_t *cli_fixed_point_json(const struct mlsched_model *model);

#endif /* MLS_CLI_FIXED_POINT_H */
