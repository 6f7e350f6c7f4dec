// SPDX-License-Identifier: GPL-2.0
/*
 * Puts recorded migrations to a model.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "src/host/shadow.h"
#include "src/util/error.h"

#define CLOCK_TRIALS 64

struct mls_shadow {
	struct mls_recorder *recorder;
	const struct mlsched_model *model;
	uint64_t clock_ns; /* between two readings of the clock with nothing between them */
	mls_decision_fn *fn;
	void *context;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static uint64_t cost_of_clock(void)
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < CLOCK_TRIALS; i++) {
		uint64_t before = now_ns(), passed = now_ns() - before;

		least = passed < least ? passed : least;
	}
	return least;
}

int mls_shadow_open(const struct mls_shadow_options *options, struct mlsched_error *err,
		    struct mls_shadow **shadow)
{
	struct mls_shadow *s;
	int ret = mlsched_decide(options->model, NULL, 0, NULL, err);

	if (ret)
		return ret;
	s = calloc(1, sizeof(*s));
	if (!s)
		return mls_error(err, -ENOMEM, "no memory for the shadow backend");
	s->model = options->model;
	s->clock_ns = cost_of_clock();
	ret = mls_recorder_open(&options->recorder, err, &s->recorder);
	if (ret) {
		free(s);
		return ret;
	}
	*shadow = s;
	return 0;
}

static void judge(void *context, const struct mls_move *move)
{
	struct mls_decision decision = { .move = move };
	struct mls_shadow *s = context;
	uint64_t before, passed;

	for (int i = 0; i < MLS_SEED10_WIDTH; i++)
		decision.features[i] = (float)move->features[i] / 65536;
	before = now_ns();
	/* The model was checked when we began: this cannot fail. */
	mlsched_decide_features(s->model, decision.features, 1, MLS_SEED10_WIDTH, &decision.verdict,
				NULL);
	passed = now_ns() - before;
	decision.inference_ns = passed > s->clock_ns ? passed - s->clock_ns : 0;
	s->fn(s->context, &decision);
}

uint64_t mls_shadow_poll(struct mls_shadow *s, bool flush, mls_decision_fn *fn, void *context)
{
	s->fn = fn;
	s->context = context;
	return mls_recorder_poll(s->recorder, flush, judge, s);
}

struct mls_recorder *mls_shadow_recorder(struct mls_shadow *s)
{
	return s->recorder;
}

void mls_shadow_close(struct mls_shadow *s)
{
	if (!s)
		return;
	mls_recorder_close(s->recorder);
	free(s);
}
