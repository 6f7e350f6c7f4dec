// SPDX-License-Identifier: GPL-2.0
/*
 * Puts recorded migrations to a model.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "src/host/prepare.h"
#include "src/host/shadow.h"
#include "src/nn/qnet.h"
#include "src/nn/qnet_pack.h"
#include "src/util/clock.h"
#include "src/util/error.h"

#define CLOCK_TRIALS 64
#define WARM_ROUNDS  16
#define WARM_TIMES   256
/* Values of each input among the calibration rows, at most. */
#define CPU_STEPS  32
#define BUSY_STEPS 17
#define LOAD_STEPS 5

struct mls_shadow {
	struct mls_recorder *recorder;
	const struct mlsched_model *model;
	const struct mlsched_qmodel *fixed;
	struct mls_engine *engine; /* other than the library's, or NULL */
	uint64_t failed;
	uint64_t clock_ns; /* between two readings of the clock with nothing between them */
	bool decided;
	float last[MLS_SEED10_WIDTH];
	mls_decision_fn *fn;
	void *context;
};

static uint64_t cost_of_clock(void)
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < CLOCK_TRIALS; i++) {
		uint64_t before = mls_now_ns(), passed = mls_now_ns() - before;

		least = passed < least ? passed : least;
	}
	return least;
}

/* Evenly between 0 and @last, both ends included; fewer when there are no more whole numbers. */
static uint32_t steps_of(uint32_t last, uint32_t most)
{
	return last + 1 < most ? last + 1 : most;
}

static float step(uint32_t i, uint32_t steps, uint32_t last)
{
	return steps > 1 ? roundf((float)last * (float)i / (float)(steps - 1)) : 0;
}

/* All situations of this machine on a grid. */
static size_t calibration_rows(const struct mls_topology *t, float (*rows)[MLS_SEED10_WIDTH])
{
	uint32_t cpus = steps_of(t->n_cpus - 1, CPU_STEPS),
		 busy = steps_of(t->n_online, BUSY_STEPS);
	size_t n = 0;

	for (uint32_t i = 0; i < cpus * busy * LOAD_STEPS * LOAD_STEPS; i++) {
		uint32_t loads = i % (LOAD_STEPS * LOAD_STEPS),
			 rest = i / (LOAD_STEPS * LOAD_STEPS);
		float *row = rows[n++];

		memset(row, 0, sizeof(rows[0]));
		row[0] = step(rest / busy, cpus, t->n_cpus - 1);
		row[2] = step(rest % busy, busy, t->n_online);
		row[1] = (float)t->n_online - row[2];
		row[3] = (float)(loads % LOAD_STEPS) / (LOAD_STEPS - 1);
		row[4] = (float)(loads / LOAD_STEPS) / (LOAD_STEPS - 1);
	}
	return n;
}

int mls_shadow_quantize(const struct mlsched_model *model, const struct mls_topology *topology,
			struct mlsched_quantize_report *report, struct mlsched_error *err,
			struct mlsched_qmodel **fixed)
{
	size_t most = (size_t)CPU_STEPS * BUSY_STEPS * LOAD_STEPS * LOAD_STEPS;
	float(*rows)[MLS_SEED10_WIDTH];
	int ret;

	/* From what the model says of its inputs, as the simulator does: the same integers. */
	if (mls_model_is_mig15(model))
		return mlsched_quantize(model, NULL, 0, NULL, report, err, fixed);
	rows = calloc(most, sizeof(*rows));
	if (!rows)
		return mls_error(err, -ENOMEM, "no memory for calibration rows");
	ret = mlsched_quantize(model, rows[0], calibration_rows(topology, rows), NULL, report, err,
			       fixed);
	free(rows);
	return ret;
}

/* The recorder copies the slot, so it lives only here. */
static int open_recorder(const struct mls_shadow_options *options, struct mlsched_error *err,
			 struct mls_recorder **recorder)
{
	struct mls_recorder_options with_slot = options->recorder;
	void *slot;
	int ret;

	if (!options->fixed)
		return mls_recorder_open(&options->recorder, err, recorder);
	slot = calloc(1, mls_qnet_slot_size(MLS_RECORDER_SLOT_WIDTH));
	if (!slot)
		return mls_error(err, -ENOMEM, "no memory for the network's slot");
	ret = mls_qnet_pack(mls_qmodel_net(options->fixed), MLS_RECORDER_SLOT_WIDTH, false, slot,
			    err);
	with_slot.slot = slot;
	if (!ret)
		ret = mls_recorder_open(&with_slot, err, recorder);
	free(slot);
	return ret;
}

int mls_shadow_open(const struct mls_shadow_options *options, struct mlsched_error *err,
		    struct mls_shadow **shadow)
{
	struct mls_shadow *s;
	int ret;

	if (mls_model_is_mig15(options->model))
		return mls_error(err, -ENOTSUP,
				 "the shadow backend cannot ask a model of schema mig15: how long "
				 "tasks wait and sleep, and whose CPU an idle one is, only our own "
				 "scheduler knows (--backend scx)");
	ret = mlsched_decide(options->model, NULL, 0, NULL, err);
	if (ret)
		return ret;
	s = calloc(1, sizeof(*s));
	if (!s)
		return mls_error(err, -ENOMEM, "no memory for the shadow backend");
	s->model = options->model;
	s->fixed = options->fixed;
	/* The library's own is asked directly, and anyway. */
	if (options->engine && strcmp(options->engine->type->name, "native") != 0)
		s->engine = options->engine;
	s->clock_ns = cost_of_clock();
	ret = open_recorder(options, err, &s->recorder);
	if (ret) {
		free(s);
		return ret;
	}
	*shadow = s;
	return 0;
}

/* What the kernel said; here is only looked whether the library says the same. */
static void judge_fixed(const struct mls_shadow *s, struct mls_decision *decision)
{
	const struct mls_move *move = decision->move;
	struct mlsched_verdict *v = &decision->verdict;
	int64_t logit;

	mlsched_qmodel_logit(s->fixed, move->features, 1, &logit);
	decision->same_integers = logit == move->logit;
	v->migrate = move->logit > mlsched_qmodel_threshold(s->fixed);
	v->logit = (float)((double)move->logit / mlsched_qmodel_scale(s->fixed));
	v->probability = 1 / (1 + expf(-v->logit));
	decision->inference_ns = move->infer_ns > s->clock_ns ? move->infer_ns - s->clock_ns : 0;
}

static void judge_engine(struct mls_shadow *s, struct mls_decision *decision)
{
	uint64_t before = mls_now_ns(), passed;

	if (mls_engine_decide(s->engine, decision->features, 1, &decision->verdict, NULL) != 0) {
		s->failed++;
		decision->verdict = decision->native;
	}
	passed = mls_now_ns() - before;
	decision->inference_ns = passed > s->clock_ns ? passed - s->clock_ns : 0;
}

static void judge(void *context, const struct mls_move *move)
{
	struct mls_decision decision = { .move = move };
	struct mls_shadow *s = context;
	uint64_t before, passed;

	for (int i = 0; i < MLS_SEED10_WIDTH; i++)
		decision.features[i] = (float)move->features[i] / 65536;
	before = mls_now_ns();
	/* The model was checked when we began: this cannot fail. */
	mlsched_decide_features(s->model, decision.features, 1, MLS_SEED10_WIDTH, &decision.native,
				NULL);
	passed = mls_now_ns() - before;
	decision.inference_ns = passed > s->clock_ns ? passed - s->clock_ns : 0;
	memcpy(s->last, decision.features, sizeof(s->last));
	s->decided = true;
	decision.verdict = decision.native;
	if (s->fixed)
		judge_fixed(s, &decision);
	else if (s->engine)
		judge_engine(s, &decision);
	s->fn(s->context, &decision);
}

uint64_t mls_shadow_poll(struct mls_shadow *s, bool flush, mls_decision_fn *fn, void *context)
{
	s->fn = fn;
	s->context = context;
	return mls_recorder_poll(s->recorder, flush, judge, s);
}

double mls_shadow_warm_inference(const struct mls_shadow *s)
{
	struct mlsched_verdict verdict;
	uint64_t least = UINT64_MAX;

	if (!s->decided)
		return 0;
	/* The least of several rounds: others use this CPU, too. */
	for (int round = 0; round < WARM_ROUNDS; round++) {
		uint64_t before = mls_now_ns(), passed;

		for (int i = 0; i < WARM_TIMES; i++) {
			if (s->engine)
				mls_engine_decide(s->engine, s->last, 1, &verdict, NULL);
			else
				mlsched_decide_features(s->model, s->last, 1, MLS_SEED10_WIDTH,
							&verdict, NULL);
		}
		passed = mls_now_ns() - before;
		least = passed < least ? passed : least;
	}
	return (double)least / WARM_TIMES;
}

uint64_t mls_shadow_failed(const struct mls_shadow *s)
{
	return s->failed;
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
