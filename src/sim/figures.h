/* SPDX-License-Identifier: GPL-2.0 */
/* The figures by which runs are compared, and how sure a difference between two is. */
#ifndef MLS_SIM_FIGURES_H
#define MLS_SIM_FIGURES_H

#include "src/sim/results.h"

enum sim_figure {
	SIM_MAKESPAN, /* ms */
	SIM_MOVES, /* that the kernel would count as migrations, */
	SIM_MOVES_LLC, /* those between last-level caches, */
	SIM_MOVES_NODE, /* and between nodes */
	SIM_REFILL, /* ms of CPU time for caches */
	SIM_WAKEUP_P50, /* ms from waking up to running */
	SIM_WAKEUP_P99,
	SIM_WAIT_P99, /* ms off the CPU in the middle of work */
	SIM_LONGEST, /* ms, of both */
	SIM_FIGURES
};

double sim_figure(const struct sim_results *r, enum sim_figure which);

/* A mean of so many per cent with its interval of 95 %. */
struct sim_change {
	double mean, low, high;
};

/**
 * sim_change() - how much a figure of some runs is off that of others, the same work each
 * @n: runs of both, seed by seed
 *
 * The differences are paired, and in per cent of the others' mean; the interval is
 * Student's.  With one run, or where the others have nothing, it is unbounded.
 */
struct sim_change sim_change(const struct sim_results *runs, const struct sim_results *others,
			     uint32_t n, enum sim_figure which);

#endif /* MLS_SIM_FIGURES_H */
