/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Answers the questions of bpf/scheduler_requests.h by an engine, in a thread
 * of its own: whatever else the program is busy with, a verdict that comes
 * after a few milliseconds is worth nothing.
 *
 * The thread outlives a restart of the scheduler, when a CPU comes or goes:
 * questions of one that is loaded anew go on where the last one's ended.
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
	struct mls_times latency;
	struct mls_times compute;
	struct mlsched_error error;
};

struct mls_requests;

/**
 * mls_requests_open() - make everything ready but the thread
 * @engine: of a model of schema seed10; the caller's, and used by nobody else
 *          until mls_requests_close()
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

/** mls_requests_age() - as given to mls_requests_open() */
uint64_t mls_requests_age(const struct mls_requests *requests);

/**
 * mls_requests_attach() - answer the questions of one loaded scheduler
 * @ring_fd: the map "requests"
 * @answers: its table, [MLS_VERDICT_ANSWERS]
 *
 * Return: 0; what libbpf says about the ring buffer.
 */
int mls_requests_attach(struct mls_requests *requests, int ring_fd, uint64_t *answers,
			struct mlsched_error *err);

/** mls_requests_detach() - when it returns, neither of the two is touched any more */
void mls_requests_detach(struct mls_requests *requests);

/** mls_requests_counts() - a copy of the sums */
void mls_requests_counts(struct mls_requests *requests, struct mls_requests_counts *counts);

/** mls_requests_close() - end the thread; NULL is allowed */
void mls_requests_close(struct mls_requests *requests);

/**
 * mls_requests_answer() - what the thread does with one batch
 * @batch:   [n], n up to MLS_REQUESTS_BATCH
 * @now:     CLOCK_MONOTONIC, ns
 * @answers: [MLS_VERDICT_ANSWERS]
 * @counts:  added to, but for the times
 *
 * Return: how many verdicts were written; @batch holds their questions, in front.
 */
size_t mls_requests_answer(struct mls_engine *engine, uint64_t age, struct scheduler_request *batch,
			   size_t n, uint64_t now, uint64_t *answers,
			   struct mls_requests_counts *counts);

#endif /* MLS_HOST_REQUESTS_H */
