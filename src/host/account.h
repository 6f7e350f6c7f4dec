/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sums over judged migrations: how many, what became of them, what a verdict
 * took.  Arithmetic only; no clock, no kernel.
 */
#ifndef MLS_HOST_ACCOUNT_H
#define MLS_HOST_ACCOUNT_H

#include <stdint.h>

#include "src/host/recorder.h"

/* What the model said of a migration. */
enum mls_judgement {
	MLS_ACCEPTED,
	MLS_REFUSED,
	MLS_FORCED, /* whatever it says: the task could not stay where it was */
	MLS_JUDGEMENTS
};

/**
 * struct mls_tally - migrations of one judgement
 * @n:        all; the rest counts those of them whose outcome was followed
 * @followed: these
 * @ran:      ran in the window
 * @moved:    were moved again
 * @bounced:  were moved back to where they came from
 * @waiting:  were not asleep, so that their wait was one for a CPU
 * @wait:     sum of the waits of those @waiting, in ns
 * @run_time: sum of the times run, in ns
 */
struct mls_tally {
	uint64_t n;
	uint64_t followed;
	uint64_t ran;
	uint64_t moved;
	uint64_t bounced;
	uint64_t waiting;
	uint64_t wait;
	uint64_t run_time;
};

/* 1 ns each up to 64, then 32 to a doubling: within 3 %. */
#define MLS_TIMES_LINEAR  64
#define MLS_TIMES_PER_OCT 32
#define MLS_TIMES_BUCKETS (MLS_TIMES_LINEAR + 34 * MLS_TIMES_PER_OCT)

/* A distribution of times in ns; of longer ones than 2^40 ns only that they were long. */
struct mls_times {
	uint64_t n;
	uint32_t bucket[MLS_TIMES_BUCKETS];
};

/**
 * struct mls_account - the sums
 * @tally:       by judgement
 * @kinds:       by why the kernel moved the task
 * @inference:   of each verdict
 * @same_verdict: of fixed-point verdicts, those that float32 shares
 * @same_integers: of fixed-point logits, those that the library computes, too
 */
struct mls_account {
	struct mls_tally tally[MLS_JUDGEMENTS];
	uint64_t kinds[MLS_MOVE_KINDS];
	struct mls_times inference;
	uint64_t same_verdict;
	uint64_t same_integers;
};

/** mls_account_add() - one migration; forced ones count as such whatever @accepted says */
void mls_account_add(struct mls_account *account, const struct mls_move *move, bool accepted,
		     uint64_t inference_ns);

/** mls_account_moves() - all migrations in it */
uint64_t mls_account_moves(const struct mls_account *account);

/** mls_account_refused_share() - of those that could be refused, 0..1; 0 if there were none */
double mls_account_refused_share(const struct mls_account *account);

/** mls_tally_bounced_share() - of those followed, 0..1; 0 if there were none */
double mls_tally_bounced_share(const struct mls_tally *tally);

/** mls_tally_mean_wait() - in ns; of one that did not run, the time that it was followed */
double mls_tally_mean_wait(const struct mls_tally *tally);

/** mls_tally_mean_run_time() - in ns */
double mls_tally_mean_run_time(const struct mls_tally *tally);

void mls_times_add(struct mls_times *times, uint64_t ns);

/** mls_times_at() - that below which a @share of them is, in ns; 0 if there is none */
double mls_times_at(const struct mls_times *times, double share);

/** mls_times_median() - in ns; 0 if there is none */
double mls_times_median(const struct mls_times *times);

/** mls_times_subtract() - what is in @times and was not yet in @before */
void mls_times_subtract(struct mls_times *times, const struct mls_times *before);

#endif /* MLS_HOST_ACCOUNT_H */
