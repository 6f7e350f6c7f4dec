/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A progress bar on a terminal, for what takes over two seconds.  Where
 * standard error is no terminal nothing is drawn.
 */
#ifndef MLS_CLI_PROGRESS_H
#define MLS_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct cli_progress - one bar
 * @enabled: standard error is a terminal and neither -q nor --json was given
 * @unit:    what is counted: "rows"
 * @begin:   when it began, ns
 * @drawn:   when it was drawn last, ns
 * @done_at_begin: what was done already, so that the rate is of this run
 * @shown:   a line stands on the terminal
 */
struct cli_progress {
	bool enabled;
	const char *unit;
	uint64_t begin;
	uint64_t drawn;
	double done_at_begin;
	bool begun;
	bool shown;
};

/** cli_progress_init() - @wanted: not -q, not --json */
void cli_progress_init(struct cli_progress *progress, const char *unit, bool wanted);

/**
 * cli_progress_update() - draw it when a tenth of a second has passed
 * @done:  of @total units
 * @label: what stands in front of the bar: "epoch 3/30"
 * @note:  what stands behind it: "loss 0.31"
 */
void cli_progress_update(struct cli_progress *progress, double done, double total,
			 const char *label, const char *note);

/** cli_progress_clear() - take the line away, before anything else is printed */
void cli_progress_clear(struct cli_progress *progress);

/** cli_progress_rate() - units a second since the first update */
double cli_progress_rate(const struct cli_progress *progress, double done);

/** cli_format_count() - "1.23 M", "45.6 k" or "789" into [16] @text, which is returned */
const char *cli_format_count(double count, char *text);

/** cli_format_time() - "12 s", "3 min 04 s" or "2 h 05 min" into [32] @text, which is returned */
const char *cli_format_time(double seconds, char *text);

#endif /* MLS_CLI_PROGRESS_H */
