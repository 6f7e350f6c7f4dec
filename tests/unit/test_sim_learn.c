// SPDX-License-Identifier: GPL-2.0
/* src/sim/learn.c: what each round learns from, and which model is kept. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/sim/decider.h"
#include "src/sim/learn.h"
#include "src/util/array.h"

#define ROUNDS 3

/* Runs that a round is judged by have these numbers and those that follow. */
#define HELD_OUT 1000000

/* A model of this threshold refuses everything, be it trained or not. */
#define NEVER 0.999999f

static struct sim_workload workload;
static struct sim_lesson lesson;

/* Message passing on four CPUs, which takes far longer where nothing is moved. */
static struct sim_learn_options options_for(uint32_t rounds)
{
	struct sim_learn_options o;

	assert_int_equal(sim_machine_parse(&lesson.machine, "4c2l", NULL), 0);
	assert_int_equal(sim_workload_make(&workload, "message", 4, NULL), 0);
	lesson.workload = &workload;
	sim_learn_options_init(&o);
	o.lessons = &lesson;
	o.n_lessons = 1;
	o.rounds = rounds;
	o.limit = SIM_S / 4;
	o.held_out = 2;
	o.train.epochs = 3;
	o.threshold = 0.5f;
	return o;
}

struct learned {
	struct sim_learn_round rounds[ROUNDS];
	struct sim_learn_round none;
	uint32_t best;
	struct mls_dataset data;
	struct mlsched_model *model;
};

static void learn(const struct sim_learn_options *o, struct learned *l)
{
	struct mlsched_error err = { 0 };

	if (sim_learn(o, l->rounds, &l->none, &l->best, &l->data, &err, &l->model) != 0)
		fail_msg("%s", err.message);
}

static void forget(struct learned *l)
{
	mlsched_model_free(l->model);
	sim_learn_clear(&l->data);
}

/* ---- what is learned from ---------------------------------------------------------------- */

/* Of the first run; those of a round, and of all rounds, follow each other. */
static uint64_t first_seed(const struct sim_learn_options *o)
{
	uint64_t seed = o->seed * 1000;

	return seed < HELD_OUT ? seed : seed | 1ull << 63;
}

/* The rows of one round are those of this contender, each with the weight of what it is worth. */
static void rows_are_of(const struct sim_learn_options *o, const struct mls_dataset *data,
			uint32_t first, uint32_t round, const struct sim_contender *contender,
			uint32_t n)
{
	struct sim_rows rows = { 0 };

	for (uint32_t k = 0; k < o->seeds; k++) {
		struct sim_label_options label = o->label;

		label.seed = first_seed(o) + round * o->seeds + k;
		assert_int_equal(sim_label(&lesson.machine, lesson.workload, contender, label.seed,
					   o->limit, &label, &rows),
				 0);
	}
	assert_int_equal(rows.n, n);
	for (uint32_t i = 0; i < n; i++) {
		const struct sim_row *row = &rows.row[i];
		const float *inputs = &data->inputs[(size_t)(first + i) * MLS_MIG15_INPUTS];

		for (uint32_t k = 0; k < MLS_MIG15_INPUTS; k++)
			assert_true(inputs[k] == (float)row->features[k] / 65536);
		assert_true(data->labels[first + i] == (float)(row->benefit > 0));
		/* In ms; beyond two it counts no more, or few would outweigh all others. */
		assert_true(data->weights[first + i] ==
			    (float)(fmin(fabs((double)row->benefit), 2e6) / 1e6));
	}
	sim_rows_clear(&rows);
}

/* The first round's rows are of the heuristic, the second one's of the model of the first one. */
static void each_round_learns_what_the_model_before_it_meets(void **state)
{
	struct sim_learn_options o = options_for(1);
	struct learned first = { 0 }, both = { 0 };
	struct sim_decider decider = { 0 };
	struct sim_contender contender = { .policy = &sim_policy_mlsched, .tuning = &o.tuning };
	struct mlsched_error err;

	(void)state;
	learn(&o, &first);
	rows_are_of(&o, &first.data, 0, 0, &contender, first.rounds[0].rows);
	o.rounds = 2;
	learn(&o, &both);
	assert_int_equal(both.rounds[0].rows, first.rounds[0].rows);
	assert_int_equal(both.data.n_rows, both.rounds[0].rows + both.rounds[1].rows);
	assert_int_equal(both.rounds[1].all_rows, both.data.n_rows);
	assert_in_range(both.rounds[1].rows, 10, UINT32_MAX);
	assert_int_equal(sim_decider_init(&decider, first.model, &err), 0);
	contender.decide = sim_decider_decide;
	contender.context = &decider;
	rows_are_of(&o, &both.data, both.rounds[0].rows, 1, &contender, both.rounds[1].rows);
	sim_decider_clear(&decider);
	forget(&first);
	forget(&both);
}

/* Where the numbers of the runs that are labelled would come to those that a round is judged by. */
static void no_seed_trains_on_what_it_is_judged_by(void **state)
{
	struct sim_learn_options o = options_for(1);
	const struct sim_contender heuristic = { .policy = &sim_policy_mlsched,
						 .tuning = &o.tuning };
	struct sim_label_options label = o.label;
	struct sim_rows judged = { 0 };
	struct learned l = { 0 };

	(void)state;
	o.seed = HELD_OUT / 1000;
	o.seeds = 1;
	learn(&o, &l);
	rows_are_of(&o, &l.data, 0, 0, &heuristic, l.rounds[0].rows);
	label.seed = HELD_OUT;
	assert_int_equal(sim_label(&lesson.machine, lesson.workload, &heuristic, HELD_OUT, o.limit,
				   &label, &judged),
			 0);
	assert_true(judged.n != l.rounds[0].rows);
	sim_rows_clear(&judged);
	forget(&l);
}

/* ---- what a round is judged by ----------------------------------------------------------------- */

static struct sim_results *judged(const struct sim_contender *contender, uint64_t seed)
{
	const struct sim_options options = sim_contender_options(contender, 600 * SIM_S);
	struct sim_results *results = calloc(1, sizeof(*results));
	struct sim *s;

	assert_non_null(results);
	s = sim_new(&lesson.machine, lesson.workload, contender->policy, &options, seed, results);
	assert_non_null(s);
	assert_int_equal(sim_run(s, SIM_NEVER - 1), 1);
	sim_free(s);
	return results;
}

/* Logarithm of one figure against another; a little of both is nothing. */
static double against(double value, double base, double little)
{
	return log((value + little) / (base + little));
}

static double most(double a, double b)
{
	return a > b ? a : b;
}

/*
 * Makespan, moves and p99 wait of a contender against EEVDF's, geometric means over the held-out
 * runs; a point of makespan counts as much as 20 of wait or 50 of moves, and what is lost
 * beyond 1 % of makespan or 10 % of wait three times.
 */
static void is_score_of(const struct sim_learn_options *o, const struct sim_contender *contender,
			const struct sim_learn_round *r)
{
	const struct sim_contender eevdf = { .policy = &sim_policy_eevdf };
	double time = 0, moved = 0, wait = 0;

	for (uint32_t k = 0; k < o->held_out; k++) {
		struct sim_results *a = judged(contender, HELD_OUT + k),
				   *b = judged(&eevdf, HELD_OUT + k);

		time += against((double)a->makespan, (double)b->makespan, 0) / o->held_out;
		moved += against((double)sim_moves(&a->sum, SIM_NEAR),
				 (double)sim_moves(&b->sum, SIM_NEAR), 5) /
			 o->held_out;
		wait += against((double)sim_durations_at(&a->wait, 0.99),
				(double)sim_durations_at(&b->wait, 0.99), 1e5) /
			o->held_out;
		free(a);
		free(b);
	}
	assert_true(fabs(r->time - exp(time)) < 1e-9);
	assert_true(fabs(r->moved - exp(moved)) < 1e-9);
	assert_true(fabs(r->wait - exp(wait)) < 1e-9);
	assert_true(fabs(r->score - (time + 0.05 * most(0, wait) + 0.02 * moved +
				     2 * (most(0, time - 0.01) + 0.05 * most(0, wait - 0.1)))) <
		    1e-9);
}

static void a_round_is_judged_by_runs_that_nobody_learned_from(void **state)
{
	static const float thresholds[] = { 0.5f, NEVER };
	const struct sim_contender base = { .policy = &sim_policy_mlsched };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(thresholds); i++) {
		struct sim_learn_options o = options_for(1);
		struct sim_contender contender = { .policy = &sim_policy_mlsched,
						   .tuning = &o.tuning,
						   .decide = sim_decider_decide };
		struct sim_decider decider = { 0 };
		struct mlsched_error err;
		struct learned l = { 0 };

		o.threshold = thresholds[i];
		learn(&o, &l);
		assert_int_equal(sim_decider_init(&decider, l.model, &err), 0);
		contender.context = &decider;
		is_score_of(&o, &contender, &l.rounds[0]);
		is_score_of(&o, &base, &l.none);
		if (thresholds[i] == NEVER) {
			assert_true(l.rounds[0].time > exp(0.01) && l.rounds[0].wait > exp(0.1));
			assert_true(l.rounds[0].score > l.none.score);
		}
		sim_decider_clear(&decider);
		forget(&l);
	}
}

/* ---- which model is kept -------------------------------------------------------------------- */

/* Thresholds of the rounds: the next one is set when one has been reported. */
struct plan {
	struct sim_learn_options *o;
	float thresholds[ROUNDS];
	uint32_t reported;
	bool accepted[ROUNDS];
};

static void next_threshold(void *context, uint32_t round, const struct sim_learn_round *r)
{
	struct plan *plan = context;

	assert_int_equal(round, plan->reported++);
	assert_true(r->threshold == plan->thresholds[round]);
	assert_in_range(r->rows, 1, r->all_rows);
	assert_true(r->label_s > 0);
	plan->accepted[round] = r->accepted;
	if (round + 1 < ROUNDS)
		plan->o->threshold = plan->thresholds[round + 1];
}

static void follow(struct plan *plan, uint32_t rounds, struct learned *l)
{
	struct sim_learn_options o = options_for(rounds);

	plan->o = &o;
	plan->reported = 0;
	o.threshold = plan->thresholds[0];
	o.report = next_threshold;
	o.context = plan;
	learn(&o, l);
	assert_int_equal(plan->reported, rounds);
	for (uint32_t i = 0; i < rounds; i++) {
		assert_int_equal(plan->accepted[i], l->rounds[i].accepted);
		assert_false(l->rounds[i].no_use);
	}
}

/* A round whose model does worse on the held-out seeds is not taken: the one before stays. */
static void a_round_that_is_worse_is_not_taken(void **state)
{
	struct plan plan = { .thresholds = { 0.5f, NEVER, NEVER } };
	struct learned first = { 0 }, all = { 0 };

	(void)state;
	follow(&plan, 1, &first);
	assert_true(first.rounds[0].accepted);
	follow(&plan, 3, &all);
	/* All of it is refused, and that takes longer; once more is no better. */
	assert_true(all.rounds[1].time > 1.05 * all.rounds[0].time);
	assert_true(all.rounds[1].score > all.rounds[0].score);
	assert_true(all.rounds[0].accepted);
	assert_false(all.rounds[1].accepted);
	assert_false(all.rounds[2].accepted);
	assert_int_equal(all.best, 0);
	assert_int_equal(mlsched_model_checksum(all.model), mlsched_model_checksum(first.model));
	assert_true(mlsched_model_meta(all.model)->threshold == 0.5f);
	forget(&first);
	forget(&all);
}

static int refuse(void *context, struct sim *s, const struct sim_decision *d)
{
	(void)context;
	(void)s;
	(void)d;
	return 0;
}

/* What a worse model meets is learned from all the same: that is how the next one gets over it. */
static void a_round_that_is_not_taken_is_learned_from(void **state)
{
	struct plan plan = { .thresholds = { 0.5f, NEVER, 0.5f } };
	struct sim_learn_options o = options_for(3);
	const struct sim_contender refuses = { .policy = &sim_policy_mlsched,
					       .tuning = &o.tuning,
					       .decide = refuse };
	struct learned all = { 0 };

	(void)state;
	follow(&plan, 3, &all);
	assert_false(all.rounds[1].accepted);
	assert_in_range(all.rounds[2].rows, 10, UINT32_MAX);
	/* Better than the one before it is not enough: than the best one, it must be. */
	assert_true(all.rounds[2].score < all.rounds[1].score);
	assert_int_equal(all.rounds[2].accepted, all.rounds[2].score < all.rounds[0].score);
	rows_are_of(&o, &all.data, all.rounds[1].all_rows, 2, &refuses, all.rounds[2].rows);
	forget(&all);
}

/* A better one is, and what came after the best one changes nothing. */
static void the_best_round_is_kept_wherever_it_stands(void **state)
{
	struct plan plan = { .thresholds = { NEVER, 0.5f, NEVER } };
	struct learned two = { 0 }, all = { 0 };

	(void)state;
	follow(&plan, 2, &two);
	follow(&plan, 3, &all);
	assert_true(all.rounds[0].accepted); /* there was none before */
	assert_true(all.rounds[1].accepted);
	assert_false(all.rounds[2].accepted);
	assert_int_equal(all.best, 1);
	assert_true(all.rounds[1].score < all.rounds[0].score);
	assert_int_equal(mlsched_model_checksum(all.model), mlsched_model_checksum(two.model));
	assert_true(mlsched_model_meta(all.model)->threshold == 0.5f);
	forget(&two);
	forget(&all);
}

/* What does just as well is not taken either: the first of them stays. */
static void of_equal_rounds_the_first_is_kept(void **state)
{
	struct plan plan = { .thresholds = { NEVER, NEVER, NEVER } };
	struct learned all = { 0 };

	(void)state;
	follow(&plan, 2, &all);
	assert_true(all.rounds[1].score == all.rounds[0].score);
	assert_true(all.rounds[0].accepted);
	assert_false(all.rounds[1].accepted);
	assert_int_equal(all.best, 0);
	forget(&all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_round_learns_what_the_model_before_it_meets),
		cmocka_unit_test(no_seed_trains_on_what_it_is_judged_by),
		cmocka_unit_test(a_round_is_judged_by_runs_that_nobody_learned_from),
		cmocka_unit_test(a_round_that_is_worse_is_not_taken),
		cmocka_unit_test(a_round_that_is_not_taken_is_learned_from),
		cmocka_unit_test(the_best_round_is_kept_wherever_it_stands),
		cmocka_unit_test(of_equal_rounds_the_first_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
