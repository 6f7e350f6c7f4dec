// SPDX-License-Identifier: GPL-2.0
/* Figures of runs, and paired differences. */
#include <math.h>

#include "src/sim/figures.h"

double sim_figure(const struct sim_results *r, enum sim_figure which)
{
	uint64_t longest;

	switch (which) {
	case SIM_MAKESPAN:
		return (double)r->makespan / 1e6;
	case SIM_MOVES:
		return (double)sim_moves(&r->sum, SIM_NEAR);
	case SIM_MOVES_LLC:
		return (double)sim_moves(&r->sum, SIM_NODE);
	case SIM_MOVES_NODE:
		return (double)sim_moves(&r->sum, SIM_FAR);
	case SIM_REFILL:
		return (double)r->sum.refill / 1e6;
	case SIM_WAKEUP_P50:
		return (double)sim_durations_at(&r->wakeup, 0.5) / 1e6;
	case SIM_WAKEUP_P99:
		return (double)sim_durations_at(&r->wakeup, 0.99) / 1e6;
	case SIM_WAIT_P99:
		return (double)sim_durations_at(&r->wait, 0.99) / 1e6;
	case SIM_LONGEST:
		longest = r->wait.longest > r->wakeup.longest ? r->wait.longest : r->wakeup.longest;
		return (double)longest / 1e6;
	case SIM_FIGURES:
		break;
	}
	return NAN;
}

/* Student's t, two-sided 95 %. */
static double student(uint32_t freedom)
{
	static const double t[] = { 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365,
				    2.306,  2.262, 2.228, 2.201, 2.179, 2.160, 2.145,
				    2.131,  2.120, 2.110, 2.101, 2.093, 2.086 };
	const uint32_t n = sizeof(t) / sizeof(t[0]);

	/* Beyond the table, its expansion: within 0.001. */
	return freedom <= n ? t[freedom - 1] :
			      1.95996 + 2.3723 / freedom + 2.8225 / freedom / freedom;
}

struct sim_change sim_change(const struct sim_results *runs, const struct sim_results *others,
			     uint32_t n, enum sim_figure which)
{
	double base = 0, mean = 0, squares = 0, half;

	for (uint32_t i = 0; i < n; i++)
		base += sim_figure(&others[i], which) / n;
	for (uint32_t i = 0; i < n; i++)
		mean += 100 * (sim_figure(&runs[i], which) - sim_figure(&others[i], which)) / n;
	for (uint32_t i = 0; i < n; i++) {
		double off =
			100 * (sim_figure(&runs[i], which) - sim_figure(&others[i], which)) - mean;

		squares += off * off;
	}
	if (base <= 0 || n < 2)
		return (struct sim_change){ base > 0 ? mean / base :
					    mean > 0 ? INFINITY :
						       0,
					    -INFINITY, INFINITY };
	half = student(n - 1) * sqrt(squares / (n - 1) / n);
	return (struct sim_change){ mean / base, (mean - half) / base, (mean + half) / base };
}
