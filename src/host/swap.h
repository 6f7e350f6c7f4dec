/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Changing the model of a scheduler that runs: into the idle slot, on trial
 * beside the active one, switched to, watched, and taken back if waits or
 * refusals run away.
 *
 * A state machine: it is told the time, does not block, and touches the
 * scheduler only by its operations, so that tests drive it with any course of
 * events.  Leaves to others: reading and quantising a model (prepare.h).
 */
#ifndef MLS_HOST_SWAP_H
#define MLS_HOST_SWAP_H

#include <stdbool.h>
#include <stdint.h>

#include <mlsched/error.h>

#include "bpf/scheduler.h"
#include "src/host/tuning.h"

/**
 * struct mls_swap_limits - what a new model must keep to
 * @trial:            seconds on trial before it decides; 0: none
 * @watch:            seconds of watching after it has begun to decide; 0: none
 * @min_decisions:    that a trial needs for a judgement, and waits that one of
 *                    the watch needs
 * @max_disagreement: with the active model, share of the decisions, 0 to 1; not
 *                    applied while there is none to disagree with
 * @max_refusals:     share of the decisions that it refuses, 0 to 1
 * @max_wait_growth:  factor by which p99 or mean of the waits for a CPU may grow
 * @wait_floor:       seconds below which no wait counts as too long
 */
struct mls_swap_limits {
	double trial;
	double watch;
	double min_decisions;
	double max_disagreement;
	double max_refusals;
	double max_wait_growth;
	double wait_floor;
};

#define MLS_SWAP_LIMITS            \
	{ .trial = 10,             \
	  .watch = 30,             \
	  .min_decisions = 100,    \
	  .max_disagreement = 0.5, \
	  .max_refusals = 0.95,    \
	  .max_wait_growth = 3,    \
	  .wait_floor = 0.01 }

enum mls_swap_phase {
	MLS_SWAP_IDLE,
	MLS_SWAP_READING, /* somebody else prepares the model */
	MLS_SWAP_WRITING, /* to the idle slot, as soon as no CPU reads it any more */
	MLS_SWAP_TRIAL,
	MLS_SWAP_WATCH, /* it decides */
	MLS_SWAP_PHASES
};

/* How it ended. */
enum mls_swap_outcome {
	MLS_SWAP_UNDER_WAY,
	MLS_SWAP_ACTIVATED, /* and kept to the limits afterwards */
	MLS_SWAP_BROKEN, /* could not be read, quantised or written */
	MLS_SWAP_REFUSED, /* did not keep to the limits on trial */
	MLS_SWAP_ROLLED_BACK, /* did not keep to them afterwards: the model before is back */
	MLS_SWAP_CANCELLED, /* somebody asked for the model before */
	MLS_SWAP_OUTCOMES
};

const char *mls_swap_phase_name(enum mls_swap_phase phase);
const char *mls_swap_outcome_name(enum mls_swap_outcome outcome);

/**
 * struct mls_swap_ops - the scheduler: see mls_scx_put() and its neighbours
 */
struct mls_swap_ops {
	int (*put)(void *context, int index, const void *slot, struct mlsched_error *err);
	const void *(*slot)(void *context, int index);
	void (*set_active)(void *context, int index);
	void (*set_candidate)(void *context, int index);
	void (*counts)(void *context, struct scheduler_counts *counts);
	enum mls_policy_mode (*mode)(void *context);
	void *context;
};

#define MLS_SWAP_PATH   512
#define MLS_SWAP_REASON 320

/* What is in a slot, for people. */
struct mls_swap_model {
	char path[MLS_SWAP_PATH];
	uint32_t checksum; /* of the integers */
	uint32_t source; /* of the float32 model */
	struct mls_tuning tuning; /* that it was trained for */
};

/**
 * struct mls_swap_record - one swap
 * @number:   of the swap since the start: 1, 2, ...
 * @model:    the new one
 * @slot:     it went to, or -1
 * @started, @ended: ns, the clock of mls_swap_step()
 * @decisions, @refused, @disagreed: of the trial
 * @wait_before, @wait_after: p99 in ns, of the time before and of the watch
 * @writes:   to a slot, with reading back and switching: more than one where
 *            repetitions were asked for
 */
struct mls_swap_record {
	uint32_t number;
	struct mls_swap_model model;
	int slot;
	uint64_t started;
	uint64_t ended;
	enum mls_swap_outcome outcome;
	uint64_t decisions;
	uint64_t refused;
	uint64_t disagreed;
	double wait_before;
	double wait_after;
	uint32_t writes;
	char reason[MLS_SWAP_REASON];
};

/* Swaps that are remembered. */
#define MLS_SWAP_HISTORY 16

struct mls_swap;

/** mls_swap_open() - @first: what is active in slot 0 from the start on, or NULL */
int mls_swap_open(const struct mls_swap_ops *ops, const struct mls_swap_model *first,
		  struct mlsched_error *err, struct mls_swap **swap);

/**
 * mls_swap_begin() - a new model is to come: it is being prepared
 * @repeat: times that it is written and switched to, 1 or more; the model before
 *          is written to the other slot and switched to in between.  More than
 *          one is for trying the machinery, and goes without trial and watch
 *
 * Return: 0; -EBUSY when another swap is under way.
 */
int mls_swap_begin(struct mls_swap *swap, const char *path, const struct mls_swap_limits *limits,
		   uint32_t repeat, uint64_t now, struct mlsched_error *err);

/**
 * mls_swap_prepared() - it is ready, or could not be made
 * @model: checksums and path
 * @slot:  a struct qnet_slot of @size bytes, copied; NULL: it could not be made
 * @why:   then: the reason
 */
void mls_swap_prepared(struct mls_swap *swap, const struct mls_swap_model *model, const void *slot,
		       size_t size, const char *why, uint64_t now);

/**
 * mls_swap_step() - go on as far as is possible now
 *
 * Return: ns until it wants to be called again, at most a second: it remembers
 * what waits were like before.
 */
uint64_t mls_swap_step(struct mls_swap *swap, uint64_t now);

/**
 * mls_swap_rollback() - back to the model before, or out of a trial
 *
 * Return: 0; -ENOENT when there is nothing to go back to.
 */
int mls_swap_rollback(struct mls_swap *swap, uint64_t now, struct mlsched_error *err);

/** mls_swap_restarted() - counters may have jumped: a trial or watch begins anew */
void mls_swap_restarted(struct mls_swap *swap, uint64_t now);

enum mls_swap_phase mls_swap_phase(const struct mls_swap *swap);

/** mls_swap_left() - ns until the phase ends by itself, or 0 */
uint64_t mls_swap_left(const struct mls_swap *swap, uint64_t now);

/**
 * mls_swap_count() - how often there was an outcome; of MLS_SWAP_UNDER_WAY: all that were begun
 *
 * A swap that was activated and rolled back by request later is counted twice.
 */
uint64_t mls_swap_count(const struct mls_swap *swap, enum mls_swap_outcome outcome);

/** mls_swap_record() - the last (@age 0) or an earlier swap; NULL: not remembered */
const struct mls_swap_record *mls_swap_record(const struct mls_swap *swap, uint32_t age);

/** mls_swap_active() - slot that decides, or -1; mls_swap_previous(): to which a rollback goes */
int mls_swap_active(const struct mls_swap *swap);

/** mls_swap_previous() - -1: the heuristic; -2: there is nothing to go back to */
int mls_swap_previous(const struct mls_swap *swap);

/** mls_swap_model() - what is in a slot; NULL: nothing */
const struct mls_swap_model *mls_swap_model(const struct mls_swap *swap, int slot);

/** mls_swap_close() - NULL is allowed */
void mls_swap_close(struct mls_swap *swap);

#endif /* MLS_HOST_SWAP_H */
