// SPDX-License-Identifier: GPL-2.0
/* Rounds of labelling and training. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/sim/decider.h"
#include "src/sim/learn.h"
#include "src/util/clock.h"
#include "src/util/error.h"

/* Beyond that a benefit counts no more: a few rows must not outweigh all others. */
#define BENEFIT_MOST 2e6
/* Seeds that are judged by are these and those that follow. */
#define HELD_OUT 1000000
/* What a p99 wait, and moves, count beside a makespan: by their logarithms. */
#define WAIT_COUNTS  0.05
#define MOVES_COUNTS 0.02
/* Beyond these a makespan and a p99 wait count so much more: no gain elsewhere makes good. */
#define TIME_MOST     0.01
#define WAIT_MOST     0.1
#define BEYOND_COUNTS 2

/*
 * Of the probability that a move pays, where the simulator chooses the threshold.  Labels look
 * ahead for some ms: what a move does for the end of a run, and how often it comes up again,
 * shows only in whole runs.
 */
static const float thresholds[] = { 0.5f, 0.4f, 0.3f, 0.2f, 0.1f };
#define N_THRESHOLDS (sizeof(thresholds) / sizeof(thresholds[0]))

void sim_learn_options_init(struct sim_learn_options *o)
{
	memset(o, 0, sizeof(*o));
	o->seeds = 2;
	o->held_out = 8;
	o->rounds = 3;
	o->limit = SIM_S;
	o->tuning = (struct sim_tuning)SIM_TUNING_DEFAULT;
	o->label = sim_label_options_default();
	mls_train_options_init(&o->train);
	o->train.epochs = 20;
	o->train.batch = 512;
	o->train.rate = 2e-3;
	o->train.decay.kind = MLS_DECAY_COSINE;
	o->threshold = NAN;
	o->seed = 1;
	o->n_threads = 1;
}

/* ---- labelling ----------------------------------------------------------------------- */

/*
 * Of run @n: none that a round is judged by, whatever the seed of the training is, nor one of
 * those that people judge by later.
 */
static u64 training_seed(const struct sim_learn_options *o, u64 n)
{
	u64 seed = o->seed * 1000 + n;

	return seed < HELD_OUT ? seed : seed | 1ull << 63;
}

struct labelling {
	const struct sim_learn_options *o;
	const struct sim_contender *contender;
	u32 round;
	struct sim_rows *rows; /* of each job */
	int *status;
};

static void label_job(void *context, uint32_t number, uint32_t thread)
{
	struct labelling *l = context;
	const struct sim_learn_options *o = l->o;
	const struct sim_lesson *lesson = &o->lessons[number / o->seeds];
	struct sim_label_options label = o->label;
	u64 seed = training_seed(o, (u64)l->round * o->seeds + number % o->seeds);

	(void)thread;
	label.seed = seed;
	l->status[number] = sim_label(&lesson->machine, lesson->workload, l->contender, seed,
				      o->limit, &label, &l->rows[number]);
}

struct learning {
	const struct sim_learn_options *o;
	struct mls_pool *pool;
	struct mls_dataset *data;
	float *weights;
	u32 n_weights;
	struct mlsched_error *err;
	struct sim_cell *base; /* EEVDF on the held-out seeds */
};

static int add_rows(struct learning *l, const struct sim_rows *rows, struct sim_learn_round *r)
{
	u32 positive = 0;
	float *weights = realloc(l->weights, (l->data->n_rows + rows->n) * sizeof(*weights));
	int ret = weights || !rows->n ? 0 : -ENOMEM;

	if (weights)
		l->weights = weights;
	l->data->weights = l->weights;
	for (u32 i = 0; i < rows->n && !ret; i++) {
		const struct sim_row *row = &rows->row[i];
		double worth = fabs((double)row->benefit);
		float inputs[MLS_MIG15_INPUTS];

		for (u32 k = 0; k < MLS_MIG15_INPUTS; k++)
			inputs[k] = (float)row->features[k] / 65536;
		l->weights[l->data->n_rows] =
			(float)((worth < BENEFIT_MOST ? worth : BENEFIT_MOST) / 1e6);
		ret = mls_dataset_append(l->data, inputs, row->benefit > 0, l->err);
		positive += row->benefit > 0;
	}
	r->rows += rows->n;
	r->moves += positive;
	return ret;
}

static int label(struct learning *l, u32 round, const struct sim_contender *contender,
		 struct sim_learn_round *r)
{
	const struct sim_learn_options *o = l->o;
	u32 n = o->n_lessons * o->seeds;
	struct labelling labelling = { .o = o,
				       .contender = contender,
				       .round = round,
				       .rows = calloc(n, sizeof(*labelling.rows)),
				       .status = calloc(n, sizeof(*labelling.status)) };
	double begin = mls_now_s();
	int ret = labelling.rows && labelling.status ? 0 : -ENOMEM;

	if (!ret)
		mls_pool_run(l->pool, label_job, &labelling, n);
	/* In the order of the jobs, whoever was done first. */
	for (u32 i = 0; i < n && !ret; i++) {
		ret = labelling.status[i];
		if (!ret)
			ret = add_rows(l, &labelling.rows[i], r);
	}
	for (u32 i = 0; i < n && labelling.rows; i++)
		sim_rows_clear(&labelling.rows[i]);
	free(labelling.rows);
	free(labelling.status);
	r->all_rows = l->data->n_rows;
	r->moves /= r->rows ? r->rows : 1;
	r->label_s = mls_now_s() - begin;
	return ret == -ENOMEM ? mls_error(l->err, ret, "no memory to label decisions") : ret;
}

/* ---- training ---------------------------------------------------------------------------- */

static int train(struct learning *l, u32 round, struct sim_learn_round *r,
		 struct mlsched_model **model)
{
	const struct sim_learn_options *o = l->o;
	struct mls_train_options options = o->train;
	float min[MLSCHED_MAX_WIDTH], max[MLSCHED_MAX_WIDTH];
	struct mlsched_meta meta = { .schema = "mig15",
				     .threshold = 0.5f, /* until try_threshold() */
				     .n_calibration = MLS_MIG15_INPUTS,
				     .input_min = min,
				     .input_max = max };
	struct mls_trainer *trainer = NULL;
	struct mls_split split = { 0 };
	double begin = mls_now_s();
	int ret;

	options.seed = o->seed * 1000 + round;
	ret = mls_split_make(l->data, 0, MLS_SPLIT_TIME, options.seed, &split, l->err);
	if (!ret)
		ret = mls_trainer_create(&options, l->data, &split, o->n_threads, MLSCHED_ISA_BEST,
					 l->err, &trainer);
	if (!ret)
		ret = mls_trainer_run(trainer, NULL, NULL, l->err);
	if (!ret) {
		mls_dataset_range(l->data, split.train, split.n_train, min, max);
		ret = mls_trainer_model(trainer, &meta, l->err, model);
	}
	mls_trainer_free(trainer);
	free(split.train);
	r->train_s = mls_now_s() - begin;
	return ret;
}

/* ---- judging ------------------------------------------------------------------------------- */

static int sweep(struct learning *l, const struct sim_contender *contender, struct sim_cell *cells)
{
	struct sim_sweep s = { .cells = cells,
			       .n_cells = l->o->n_lessons,
			       .n_seeds = l->o->held_out,
			       .seed = HELD_OUT,
			       .limit = 600 * SIM_S };

	for (u32 i = 0; i < l->o->n_lessons; i++)
		cells[i] = (struct sim_cell){ .machine = &l->o->lessons[i].machine,
					      .workload = l->o->lessons[i].workload,
					      .contender = contender };
	return sim_sweep_run(&s, l->pool);
}

static void clear_cells(struct learning *l, struct sim_cell *cells)
{
	struct sim_sweep s = { .cells = cells, .n_cells = l->o->n_lessons };

	sim_sweep_clear(&s);
}

/* Logarithm of what it is against the base; a little of both is nothing. */
static double against(double value, double base, double floor)
{
	return log((value + floor) / (base + floor));
}

static int judge(struct learning *l, const struct sim_contender *contender,
		 struct sim_learn_round *r)
{
	const struct sim_learn_options *o = l->o;
	struct sim_cell *cells = calloc(o->n_lessons, sizeof(*cells));
	double time = 0, moved = 0, wait = 0, beyond = 0;
	int ret = cells ? sweep(l, contender, cells) : -ENOMEM;

	for (u32 i = 0; i < o->n_lessons && !ret; i++) {
		double own_time = 0, own_wait = 0;

		for (u32 k = 0; k < o->held_out; k++) {
			const struct sim_results *a = &cells[i].results[k],
						 *b = &l->base[i].results[k];

			own_time +=
				against((double)a->makespan, (double)b->makespan, 0) / o->held_out;
			moved += against((double)sim_moves(&a->sum, SIM_NEAR),
					 (double)sim_moves(&b->sum, SIM_NEAR), 5) /
				 o->held_out;
			own_wait += against((double)sim_durations_at(&a->wait, 0.99),
					    (double)sim_durations_at(&b->wait, 0.99), 1e5) /
				    o->held_out;
		}
		time += own_time;
		wait += own_wait;
		beyond +=
			fmax(0, own_time - TIME_MOST) + WAIT_COUNTS * fmax(0, own_wait - WAIT_MOST);
	}
	time /= o->n_lessons;
	moved /= o->n_lessons;
	wait /= o->n_lessons;
	r->time = exp(time);
	r->moved = exp(moved);
	r->wait = exp(wait);
	r->score = time + WAIT_COUNTS * fmax(0, wait) + MOVES_COUNTS * moved +
		   BEYOND_COUNTS * beyond / o->n_lessons;
	if (cells)
		clear_cells(l, cells);
	free(cells);
	return ret ? mls_error(l->err, ret, "no memory for %u runs", o->n_lessons * o->held_out) :
		     0;
}

/* ---- rounds ----------------------------------------------------------------------------------- */

/* Judges @model with this threshold; keeps it in *@best, @decider and @r if it is the better one. */
static int try_threshold(struct learning *l, float threshold, const struct mlsched_model *model,
			 struct sim_contender *contender, struct sim_learn_round *r,
			 struct sim_decider *decider, struct mlsched_model **best)
{
	struct mlsched_meta meta = *mlsched_model_meta(model);
	struct sim_learn_round tried = *r;
	struct mlsched_model *made = NULL;
	struct sim_decider asked = { 0 };
	int ret;

	meta.threshold = threshold;
	ret = mlsched_model_with_meta(model, &meta, l->err, &made);
	if (!ret)
		ret = sim_decider_init(&asked, made, l->err);
	contender->decide = sim_decider_decide;
	contender->context = &asked;
	if (!ret)
		ret = judge(l, contender, &tried);
	if (!ret && (!decider->q || tried.score < r->score)) {
		tried.threshold = threshold;
		*r = tried;
		sim_decider_clear(decider);
		*decider = asked;
		asked.q = NULL;
		mlsched_model_free(*best);
		*best = made;
		made = NULL;
	}
	sim_decider_clear(&asked);
	mlsched_model_free(made);
	return ret;
}

static int one_round(struct learning *l, u32 round, const struct sim_decider *teacher,
		     struct sim_learn_round *r, struct sim_decider *decider,
		     struct mlsched_model **model)
{
	const struct sim_learn_options *o = l->o;
	struct sim_contender contender = { .name = "",
					   .policy = &sim_policy_mlsched,
					   .tuning = &o->tuning };
	u32 n = isnan(o->threshold) ? N_THRESHOLDS : 1;
	struct mlsched_model *trained = NULL;
	int ret;

	if (teacher->q) {
		contender.decide = sim_decider_decide;
		contender.context = (void *)teacher;
	}
	ret = label(l, round, &contender, r);
	if (!ret)
		ret = train(l, round, r, &trained);
	for (u32 i = 0; i < n && !ret; i++)
		ret = try_threshold(l, n > 1 ? thresholds[i] : o->threshold, trained, &contender, r,
				    decider, model);
	r->no_use = ret == -ERANGE && trained && !decider->q;
	mlsched_model_free(trained);
	return ret;
}

int sim_learn(const struct sim_learn_options *o, struct sim_learn_round *rounds,
	      struct sim_learn_round *none, u32 *best, struct mls_dataset *data,
	      struct mlsched_error *err, struct mlsched_model **model)
{
	const struct sim_contender eevdf = { .name = "eevdf", .policy = &sim_policy_eevdf };
	const struct sim_contender base = { .name = "base", .policy = &sim_policy_mlsched };
	struct learning l = { .o = o, .data = data, .err = err };
	struct sim_decider teacher = { 0 };
	int ret;

	*model = NULL;
	memset(data, 0, sizeof(*data));
	data->n_inputs = MLS_MIG15_INPUTS;
	data->schema = mlsched_schema_find("mig15");
	memset(rounds, 0, o->rounds * sizeof(*rounds));
	ret = mls_pool_create(o->n_threads, &l.pool);
	if (ret)
		return mls_error(err, ret, "%u threads: %s", o->n_threads, strerror(-ret));
	l.base = calloc(o->n_lessons, sizeof(*l.base));
	ret = l.base ? sweep(&l, &eevdf, l.base) : -ENOMEM;
	if (ret)
		mls_error(err, ret, "no memory for %u runs", o->n_lessons * o->held_out);
	memset(none, 0, sizeof(*none));
	if (!ret)
		ret = judge(&l, &base, none);
	for (u32 round = 0; round < o->rounds && !ret; round++) {
		struct sim_decider decider = { 0 };
		struct mlsched_model *made = NULL;

		ret = one_round(&l, round, &teacher, &rounds[round], &decider, &made);
		/* Its integers do not decide as it does, so the kernel cannot use it: the next one may do. */
		if (rounds[round].no_use && (*model || round + 1 < o->rounds))
			ret = 0;
		rounds[round].accepted = !ret && !rounds[round].no_use &&
					 (!*model || rounds[round].score < rounds[*best].score);
		if (rounds[round].accepted) {
			mlsched_model_free(*model);
			*model = made;
			*best = round;
			made = NULL;
		}
		mlsched_model_free(made);
		/* The next one learns what this one meets, also if it was worse. */
		if (decider.q) {
			sim_decider_clear(&teacher);
			teacher = decider;
		}
		if (!ret && o->report)
			o->report(o->context, round, &rounds[round]);
	}
	sim_decider_clear(&teacher);
	if (l.base)
		clear_cells(&l, l.base);
	free(l.base);
	mls_pool_free(l.pool);
	if (ret) {
		mlsched_model_free(*model);
		*model = NULL;
	}
	return ret;
}

void sim_learn_clear(struct mls_dataset *data)
{
	free((void *)data->weights);
	data->weights = NULL;
	mls_dataset_clear(data);
}
