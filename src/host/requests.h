/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Answers the questions of bpf/scheduler_requests.h by an engine, in a thread
 * of its own: whatever else the program is busy with, a verdict that comes
 * after a few milliseconds is worth nothing.
 *
 * The thread outlives a restart of the scheduler, when a CPU comes or goes:
 * questions of one that is loaded anew go on where the last one's ended.
 *
 * Two engines have a place here, as two networks have a slot in the kernel: the
 * active one's verdicts are handed out, a candidate is asked besides, its verdicts
 * are compared and go nowhere.  They change while the thread works.
 */
#ifndef MLS_HOST_REQUESTS_H
#define MLS_HOST_REQUESTS_H

#include <stdint.h>

#include "bpf/scheduler.h"
#include "src/host/account.h"
#include "src/host/engine.h"

/* Questions that are answered together, at most. */
#define MLS_REQUESTS_BATCH 64

/**
 * struct mls_requests_counts - sums since mls_requests_open()
 * @received: questions: = @answered + @stale + @failed
 * @answered: verdicts that were written
 * @stale:    questions that were too old for an answer to be of use
 * @failed:   questions that the engine had no answer to
 * @batches:  calls of the engine
 * @trial:    questions that a candidate was asked besides, of those answered
 * @trial_migrates: of them, those at which it said "migrate"
 * @trial_same: of them, those at which it said what the active engine said
 * @latency:  from a question to its verdict
 * @compute:  of the engine, for a batch
 * @error:    what it said last when it had none
 */
struct mls_requests_counts {
	uint64_t received;
	uint64_t answered;
	uint64_t stale;
	uint64_t failed;
	uint64_t batches;
	uint64_t trial;
	uint64_t trial_migrates;
	uint64_t trial_same;
	struct mls_times latency;
	struct mls_times compute;
	struct mlsched_error error;
};

struct mls_requests;

/* Instead of a slot's index. */
#define MLS_REQUESTS_NO_SLOT (-1)

/**
 * mls_requests_open() - make everything ready but the thread
 * @engine: of a model that mlsched_model_fits_scheduler() is content with: the active one, in slot
 *          0; held, and used by nobody else until mls_requests_close()
 * @age:    of the oldest question that is worth an answer, in ns
 *
 * Return: 0; -EINVAL when the engine has no verdict to give; -ENOMEM, -EMFILE.
 */
int mls_requests_open(struct mls_engine *engine, uint64_t age, struct mlsched_error *err,
		      struct mls_requests **requests);

/**
 * mls_requests_start() - start the thread
 *
 * It has the rights of the caller at that moment, and blocks the signals that the
 * caller blocks.  Questions that were put before wait for it.
 * Return: 0; -EAGAIN.
 */
int mls_requests_start(struct mls_requests *requests, struct mlsched_error *err);

/** mls_requests_width() - inputs of the engines: those of seed10 or of mig15 */
uint32_t mls_requests_width(const struct mls_requests *requests);

/** mls_requests_age() - as given to mls_requests_open() */
uint64_t mls_requests_age(const struct mls_requests *requests);

/**
 * mls_requests_attach() - answer the questions of one loaded scheduler
 * @ring_fd: the map "requests"; -1: questions come by mls_requests_answer_these()
 * @answers: its table, [MLS_VERDICT_ANSWERS]
 *
 * Return: 0; what libbpf says about the ring buffer.
 */
int mls_requests_attach(struct mls_requests *requests, int ring_fd, uint64_t *answers,
			struct mlsched_error *err);

/** mls_requests_detach() - when it returns, neither of the two is touched any more */
void mls_requests_detach(struct mls_requests *requests);

/**
 * mls_requests_fit() - whether an engine can be asked: -EINVAL when it has no verdict to give
 *
 * Computes one, so that its first question takes no longer than the others.
 */
int mls_requests_fit(struct mls_engine *engine, struct mlsched_error *err);

/**
 * mls_requests_put() - an engine into a slot that nobody uses
 * @index:  neither the active slot nor the candidate
 * @engine: that mls_requests_fit() is content with; held as long as it is there
 *
 * Return: 0; -EBUSY when the slot is in use; -EINVAL when it wants other inputs than
 * the first one: the scheduler goes on asking with those.
 */
int mls_requests_put(struct mls_requests *requests, int index, struct mls_engine *engine,
		     struct mlsched_error *err);

/**
 * mls_requests_set_active() - whose verdicts are handed out from now on
 * @index: a slot with an engine in it
 *
 * When it returns, no verdict of the one before is left that a decision could
 * find: questions that are under way are answered by the new one, and what it has
 * not been asked is asked again.
 */
void mls_requests_set_active(struct mls_requests *requests, int index);

/** mls_requests_set_candidate() - who is asked besides, or MLS_REQUESTS_NO_SLOT */
void mls_requests_set_candidate(struct mls_requests *requests, int index);

int mls_requests_active(const struct mls_requests *requests);

/** mls_requests_candidate() - MLS_REQUESTS_NO_SLOT when none is on trial */
int mls_requests_candidate(const struct mls_requests *requests);

/** mls_requests_slot() - where the engine of a slot stands; NULL: the slot is empty */
struct mls_engine *const *mls_requests_slot(const struct mls_requests *requests, int index);

/** mls_requests_counts() - a copy of the sums */
void mls_requests_counts(struct mls_requests *requests, struct mls_requests_counts *counts);

/** mls_requests_add() - add what is known here alone to what the scheduler counts: the trial */
void mls_requests_add(struct mls_requests *requests, struct scheduler_counts *counts);

/** mls_requests_close() - end the thread; NULL is allowed */
void mls_requests_close(struct mls_requests *requests);

/**
 * mls_requests_answer() - what the thread does with one batch
 * @candidate: asked besides, or NULL
 * @batch:     [n], n up to MLS_REQUESTS_BATCH
 * @now:       CLOCK_MONOTONIC, ns
 * @answers:   [MLS_VERDICT_ANSWERS]
 * @counts:    added to, but for the times
 *
 * Return: how many verdicts were written; @batch holds their questions, in front.
 */
size_t mls_requests_answer(struct mls_engine *engine, struct mls_engine *candidate, uint64_t age,
			   struct scheduler_request *batch, size_t n, uint64_t now,
			   uint64_t *answers, struct mls_requests_counts *counts);

/**
 * mls_requests_answer_these() - the same by the engines that are in place, times and all
 *
 * For questions that come by another way than the ring buffer.
 */
size_t mls_requests_answer_these(struct mls_requests *requests, struct scheduler_request *batch,
				 size_t n);

#endif /* MLS_HOST_REQUESTS_H */
