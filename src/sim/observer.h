/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Decisions of our simulated scheduler with what came of them, as bpf/scheduler_record.h
 * writes down those of the real one: the same records, followed for as long and by the same
 * rules.  And its coin, which now and then decides instead of the policy, with the same
 * chances and in the same places: where either answer is allowed.
 *
 * The coin has no state: the nth toss depends on the seed alone.
 *
 * Leaves to others: files (record.h), what a record means in a recording (src/host/record.h).
 */
#ifndef MLS_SIM_OBSERVER_H
#define MLS_SIM_OBSERVER_H

#include "bpf/scheduler.h"
#include "src/sim/policy.h"

/** A record whose window is over; @end: ns after it up to which is known what happened */
typedef void sim_observed_fn(void *context, const struct scheduler_record *record, u64 end);

/* What is known of a task beside what the world knows. */
struct sim_observed_task {
	u32 pid;
	u32 ran_on; /* CPU, or where it was made */
	u64 newest; /* of its records; 0: none is followed */
	u64 move; /* record of the one that is under way; 0: none, or it has no record */
};

/**
 * struct sim_observer
 * @explore:    of MLS_COIN_CERTAIN decisions a coin takes so many
 * @window:     ns for which a task is followed
 * @seed:       of the coin
 * @models:     who is asked is a model, and no rule
 * @observed:   is given records in the order in which they were made
 * @context:    for it
 * @n_decided:  decisions so far: the number of the next toss
 * @n_explored: of these, those that a coin took
 * @n_rules:    moves by hard and safety rules so far
 */
struct sim_observer {
	u32 explore;
	u64 window;
	u64 seed;
	bool models;
	sim_observed_fn *observed;
	void *context;
	u64 n_decided;
	u64 n_explored;
	u64 n_rules;
	/* From here on its own. */
	struct sim_observed_task *tasks;
	u32 n_pids;
	u64 decided; /* record of the move that was just decided on */
	struct scheduler_record *records; /* [size], by id modulo it */
	u64 size, head, tail; /* ids up to and with these were taken, and given away */
	int failed;
};

/** sim_observer_init() - for worlds of @most_tasks; the fields above are set already; -ENOMEM */
int sim_observer_init(struct sim_observer *o, u32 most_tasks);

void sim_observer_clear(struct sim_observer *o);

/** For struct sim_options; the watcher is a struct sim_observer. */
extern const struct sim_watch sim_observer_watch;

/** sim_observer_decided() - as of struct sim_watch, for who puts something between */
int sim_observer_decided(void *observer, const struct sim *s, const struct sim_decision *decision,
			 bool asked, int verdict);

/**
 * sim_observer_end() - gives away what is left, as far as it is known at @now
 *
 * Return: 0, or -ENOMEM if records were lost.
 */
int sim_observer_end(struct sim_observer *o, u64 now);

/**
 * sim_toss() - mls_policy's answer or a coin's, and with what chance it was that
 * @seed:     of the coin; @n: number of the toss
 * @explore:  of MLS_COIN_CERTAIN tosses so many are the coin's
 * @verdict:  what would be decided without one
 * @explored: whether it was the coin
 * @chance:   of MLS_COIN_CERTAIN, that of the answer
 */
int sim_toss(u64 seed, u64 n, u32 explore, int verdict, bool *explored, u32 *chance);

#endif /* MLS_SIM_OBSERVER_H */
