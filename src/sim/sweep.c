// SPDX-License-Identifier: GPL-2.0
/* Contenders, and many runs of them. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/sim/sweep.h"
#include "src/util/array.h"
#include "src/util/error.h"

/* ---- contenders -------------------------------------------------------------------- */

static int accept(void *context, struct sim *s, const struct sim_decision *d)
{
	(void)context;
	(void)s;
	(void)d;
	return 1;
}

static int refuse(void *context, struct sim *s, const struct sim_decision *d)
{
	(void)context;
	(void)s;
	(void)d;
	return 0;
}

static int refuse_llc(void *context, struct sim *s, const struct sim_decision *d)
{
	(void)context;
	return s->machine->llc[d->src] == s->machine->llc[d->dst];
}

static const struct sim_tuning untuned = SIM_TUNING_DEFAULT;

static const struct sim_contender contenders[] = {
	{ .name = "eevdf", .policy = &sim_policy_eevdf },
	{ .name = "mlsched", .policy = &sim_policy_mlsched },
	{ .name = "base", .policy = &sim_policy_mlsched, .tuning = &untuned },
	{ .name = "accept", .policy = &sim_policy_mlsched, .decide = accept },
	{ .name = "refuse", .policy = &sim_policy_mlsched, .decide = refuse },
	{ .name = "refuse-llc", .policy = &sim_policy_mlsched, .decide = refuse_llc },
};

const char *sim_contender_name(uint32_t i)
{
	return i < ARRAY_SIZE(contenders) ? contenders[i].name : NULL;
}

int sim_contender_find(struct sim_contender *c, const char *name, struct mlsched_error *err)
{
	char names[256] = "";

	for (uint32_t i = 0; i < ARRAY_SIZE(contenders); i++) {
		if (strcmp(contenders[i].name, name) == 0) {
			*c = contenders[i];
			return 0;
		}
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s",
			 i ? ", " : "", contenders[i].name);
	}
	return mls_error(err, -EINVAL, "policy %s: expected one of %s", name, names);
}

/* ---- runs ----------------------------------------------------------------------------- */

struct running {
	struct sim_sweep *sweep;
	pthread_mutex_t lock;
	uint32_t n_done;
};

static int run(const struct sim_cell *cell, uint64_t seed, uint64_t limit,
	       struct sim_results *results)
{
	struct sim_options options = { .decide = cell->contender->decide,
				       .context = cell->contender->context,
				       .limit = limit,
				       .tuning = cell->contender->tuning };
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
