/* SPDX-License-Identifier: GPL-2.0 */
/* The scheduler's counters in the text format of OpenMetrics 1.0. */
#ifndef MLS_CLI_OPENMETRICS_H
#define MLS_CLI_OPENMETRICS_H

#include <stddef.h>

#include "src/cli/snapshot.h"

#define OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

/**
 * openmetrics_text() - everything in a snapshot
 * @text: receives it, to be freed
 *
 * Return: its length, or -ENOMEM.
 */
long openmetrics_text(const struct snapshot *snapshot, char **text);

#endif /* MLS_CLI_OPENMETRICS_H */
