/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A model from the simulator: rounds of labelling under the policy of the round before,
 * training on all rows so far, and a judgement on seeds that nobody was trained on.  A
 * round that is worse than the best one before is thrown away.
 *
 * The same options give the same model bit for bit, with any number of threads.
 */
#ifndef MLS_SIM_LEARN_H
#define MLS_SIM_LEARN_H

#include "src/nn/train/train.h"
#include "src/sim/label.h"

#define SIM_MAX_ROUNDS 16

/* What is trained on: one workload, made for one machine. */
struct sim_lesson {
	struct sim_machine machine;
	const struct sim_workload *workload;
};

/**
 * struct sim_learn_round - how one went
 * @rows:     labelled in this round, and
 * @all_rows: in all rounds so far
 * @moves:    share of the rows whose benefit is positive
 * @label_s:  seconds that labelling took,
 * @train_s:  and training
 * @threshold: of the model
 * @score:    of the model on the held-out seeds: sim_learn()
 * @time:     makespan against EEVDF's, geometric mean over the lessons
 * @moved:    moves, the same
 * @wait:     p99 wait, the same
 * @no_use:   its fixed-point form decides otherwise: it was not judged
 * @accepted: it is the best one so far
 */
struct sim_learn_round {
	u32 rows;
	u32 all_rows;
	double moves;
	double label_s;
	double train_s;
	float threshold;
	double score;
	double time, moved, wait;
	bool no_use;
	bool accepted;
};

/**
 * struct sim_learn_options
 * @lessons:    [n_lessons]
 * @seeds:      runs of each lesson in a round
 * @held_out:   runs of each by which a round is judged
 * @rounds:     at most SIM_MAX_ROUNDS
 * @limit:      simulated time of each labelled run
 * @tuning:     under which the model decides
 * @label:      prices and futures
 * @train:      network and training
 * @threshold:  of the model; NAN: the one that is best on the held-out seeds
 * @seed:       of all chance
 * @report:     called after each round; may be NULL
 */
struct sim_learn_options {
	const struct sim_lesson *lessons;
	u32 n_lessons;
	u32 seeds;
	u32 held_out;
	u32 rounds;
	u64 limit;
	struct sim_tuning tuning;
	struct sim_label_options label;
	struct mls_train_options train;
	float threshold;
	u64 seed;
	u32 n_threads;
	void (*report)(void *context, u32 round, const struct sim_learn_round *r);
	void *context;
};

void sim_learn_options_init(struct sim_learn_options *o);

/**
 * sim_learn() - all rounds
 * @rounds: [o->rounds], how they went
 * @none:   receives the score of the scheduler with no model, with its usual tuning
 * @best:   number of the one that is taken
 * @data:   receives the rows of all rounds, to be freed with sim_learn_clear()
 * @model:  receives the best one, without provenance
 *
 * The score is the mean over the lessons of the logarithm of the makespan against
 * EEVDF's, and of what a longer p99 wait and more moves add to it; what a lesson takes longer
 * by more than 1 %, or waits longer by more than 10 %, counts three times.
 *
 * Return: 0; -ENOMEM; -ERANGE when no round gave a model that is finite and that integers
 * can stand for; what
 * mls_trainer_create() returns.
 */
int sim_learn(const struct sim_learn_options *o, struct sim_learn_round *rounds,
	      struct sim_learn_round *none, u32 *best, struct mls_dataset *data,
	      struct mlsched_error *err, struct mlsched_model **model);

void sim_learn_clear(struct mls_dataset *data);

#endif /* MLS_SIM_LEARN_H */
