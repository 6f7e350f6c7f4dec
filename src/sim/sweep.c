// SPDX-License-Identifier: GPL-2.0
/* Many runs of contenders. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "src/sim/sweep.h"

/* ---- runs ----------------------------------------------------------------------------- */

struct running {
	struct sim_sweep *sweep;
	pthread_mutex_t lock;
	uint32_t n_done;
};

static int run(const struct sim_cell *cell, uint64_t seed, uint64_t limit,
	       struct sim_results *results)
{
	const struct sim_options options = sim_contender_options(cell->contender, limit);
	struct sim *s;
	int ret;

	s = sim_new(cell->machine, cell->workload, cell->contender->policy, &options, seed,
		    results);
	if (!s)
		return -ENOMEM;
	ret = sim_run(s, SIM_NEVER - 1);
	sim_free(s);
	return ret;
}

static void job(void *context, uint32_t number, uint32_t thread)
{
	struct running *r = context;
	struct sim_sweep *sweep = r->sweep;
	/* Cells of one seed side by side: if it is interrupted, whole seeds are there. */
	struct sim_cell *cell = &sweep->cells[number % sweep->n_cells];
	uint32_t seed = number / sweep->n_cells;

	(void)thread;
	cell->status[seed] = run(cell, sweep->seed + seed, sweep->limit, &cell->results[seed]);
	if (!sweep->done)
		return;
	pthread_mutex_lock(&r->lock);
	sweep->done(sweep->context, ++r->n_done);
	pthread_mutex_unlock(&r->lock);
}

int sim_sweep_run(struct sim_sweep *sweep, struct mls_pool *pool)
{
	struct running r = { .sweep = sweep, .lock = PTHREAD_MUTEX_INITIALIZER };

	for (uint32_t i = 0; i < sweep->n_cells; i++) {
		struct sim_cell *cell = &sweep->cells[i];

		cell->results = calloc(sweep->n_seeds, sizeof(*cell->results));
		cell->status = calloc(sweep->n_seeds, sizeof(*cell->status));
		if (!cell->results || !cell->status) {
			sim_sweep_clear(sweep);
			return -ENOMEM;
		}
	}
	mls_pool_run(pool, job, &r, sweep->n_cells * sweep->n_seeds);
	return 0;
}

void sim_sweep_clear(struct sim_sweep *sweep)
{
	for (uint32_t i = 0; i < sweep->n_cells; i++) {
		free(sweep->cells[i].results);
		free(sweep->cells[i].status);
		sweep->cells[i].results = NULL;
		sweep->cells[i].status = NULL;
	}
}
