/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From what is known of an offered move to the inputs of schema mig15, in
 * integers, for the BPF program, user space and the simulator alike: the same
 * bits everywhere.  Besides, how the quantities that have a history are kept:
 * average sleeps, whose CPU an idle one is, where a task is at home.
 *
 * Times become binary logarithms: what matters is whether 50 us or 5 ms, not
 * 5 or 6 ms.  Each is 1/16 of log2(1 + t / 1.024 us), so that 67 ms are 1, and
 * all above 1.07 s is that.
 *
 * No division, no float, and no branch but for the flags.
 *
 * Leaves to others: finding the quantities (bpf/scheduler_features.h), what
 * each input means to a reader (core/features.def, in the same order).
 */
#ifndef MLS_CORE_FEATURES_H
#define MLS_CORE_FEATURES_H

#include "core/policy.h"
#include "core/types.h"

/* Inputs of the schemas; what is not used is zero. */
#define MLS_SEED10_INPUTS 10
#define MLS_MIG15_INPUTS  15

/* The longest list of inputs of a schema that a scheduler fills in. */
#define MLS_FEATURES_MOST MLS_MIG15_INPUTS

/* A time that nobody knows, or for ever: the end of the range. */
#define MLS_FEATURE_NEVER (~0ull >> 1)

/* Runnable tasks beyond that count as so many. */
#define MLS_FEATURE_LENGTH_MOST 32

/* Of 1.07 s and of 0 ns, Q16.16. */
#define MLS_FEATURE_TIME_MOST (5 << 14)

/* An average sleep is of sleeps of at most that: longer ones tell no more. */
#define MLS_FEATURE_SLEEP_MOST (1ull << 30)

/* Hides from the compiler where a value comes from: no branch is made of arithmetic on it. */
#define MLS_FEATURE_OPAQUE(var) __asm__ volatile("" : "+r"(var))

/**
 * struct mls_move_facts - what is known of a move that is offered
 * @kind:      enum mls_policy_kind
 * @level:     from source to destination, enum mls_policy_level
 * @src_len:   runnable tasks of the source, the running one and one that waits there to
 *             be moved among them; a task that wakes up or is new is not there yet
 * @dst_len:   the same of the destination, without the task
 * @src_load:  of the domains, Q16.16 from 0 to 65536
 * @dst_load:  the same
 * @home_src:  from the task's home (struct mls_home) to the source, enum mls_policy_level
 * @home_dst:  and to the destination
 * @since_run: ns since the task ran last; MLS_FEATURE_NEVER: a new one
 * @waited:    ns for which it has been waiting for a CPU; 0: it has just woken up
 * @src_burst: average run until it sleeps, in ns, of the task that runs on the source;
 *             0, like the next two: none does
 * @src_ran:   ns for which that one has run since it woke up
 * @src_stint: ns since it got the CPU
 * @sleep:     average sleep of the task, in ns
 * @owner_eta: mls_owner_eta() of the destination; 0: the destination is busy
 */
struct mls_move_facts {
	u32 kind;
	u32 level;
	u32 src_len;
	u32 dst_len;
	u32 src_load;
	u32 dst_load;
	u32 home_src;
	u32 home_dst;
	u64 since_run;
	u64 waited;
	u64 src_burst;
	u64 src_ran;
	u64 src_stint;
	u64 sleep;
	u64 owner_eta;
};

/* ---- arithmetic -------------------------------------------------------------------- */

/** mls_feature_min() - the smaller one, without a branch; both below 2^63 */
static inline u64 mls_feature_min(u64 a, u64 b)
{
	s64 d = (s64)(a - b), mask = d >> 63;

	MLS_FEATURE_OPAQUE(mask);
	return b + (u64)(d & mask);
}

/** mls_feature_less() - @a - @b, or 0 if that is below; both below 2^63 */
static inline u64 mls_feature_less(u64 a, u64 b)
{
	return a - mls_feature_min(a, b);
}

/**
 * mls_log2() - binary logarithm of @x, Q30
 * @x: 1 to 2^30
 *
 * Within 1.2e-4 of it, exact for powers of two, and never falling: the fraction is cut
 * to 20 bits, so that a step of it outweighs what the products are cut by.
 */
static inline u64 mls_log2(u64 x)
{
	u64 below = x, f, g;
	u32 whole;
	s64 q;

	/* All bits below the highest one: as many as its number. */
	below |= below >> 1;
	below |= below >> 2;
	below |= below >> 4;
	below |= below >> 8;
	below |= below >> 16;
	whole = mls_policy_count(below >> 1);
	f = (x << (30 - (whole & 31)) >> 10) & ((1u << 20) - 1);
	/* f + f (1 - f) (0.43873 - 0.23906 f + 0.08213 f^2) */
	g = f * ((1u << 20) - f) >> 10;
	q = -256685056 + ((s64)(88185350 * f) >> 20);
	q = 471077693 + (q * (s64)f >> 20);
	return ((u64)whole << 30) + (f << 10) + (g * (u64)q >> 30);
}

/** mls_feature_time() - a time in ns as an input: Q16.16, 0 to MLS_FEATURE_TIME_MOST */
static inline s32 mls_feature_time(u64 ns)
{
	u64 x = mls_feature_min(ns & MLS_FEATURE_NEVER, (1ull << 30) - 1024) + 1024;

	return (s32)((mls_log2(x) - (10ull << 30) + (1 << 17)) >> 18);
}

/** mls_feature_length() - a number of tasks as an input */
static inline s32 mls_feature_length(u32 length)
{
	return (s32)(mls_feature_min(length, MLS_FEATURE_LENGTH_MOST) << 16);
}

/** mls_feature_load() - a load as an input */
static inline s32 mls_feature_load(u32 load)
{
	return (s32)mls_feature_min(load, 65536);
}

/**
 * mls_feature_remaining() - for how long a task is still expected to run
 * @burst: its average run
 * @ran:   of this one so far
 *
 * Never less than 30 % of the average: who has run for longer than usual is not
 * expected to end at once.
 */
static inline u64 mls_feature_remaining(u64 burst, u64 ran)
{
	u64 least, left;

	burst = mls_feature_min(burst & MLS_FEATURE_NEVER, MLS_FEATURE_SLEEP_MOST);
	least = burst * 77 >> 8;
	left = mls_feature_less(burst, ran & MLS_FEATURE_NEVER);
	return least + mls_feature_less(left, least);
}

/** mls_feature_home() - by how many levels a move brings a task nearer to its home, halves */
static inline s32 mls_feature_home(u32 home_src, u32 home_dst)
{
	return ((s32)mls_feature_min(home_src, MLS_POLICY_FAR) -
		(s32)mls_feature_min(home_dst, MLS_POLICY_FAR)) *
	       (1 << 15);
}

/**
 * mls_mig15() - the inputs of schema mig15
 * @features: receives MLS_MIG15_INPUTS of them, Q16.16, each within its range whatever
 *            the facts are
 */
static inline void mls_mig15(const struct mls_move_facts *m, s32 *features)
{
	features[0] = (m->kind <= MLS_POLICY_FORK) << 16;
	features[1] = (m->kind == MLS_POLICY_STEAL) << 16;
	features[2] = (m->level == MLS_POLICY_NEAR) << 16;
	features[3] = (m->level <= MLS_POLICY_NODE) << 16;
	features[4] = mls_feature_length(m->src_len);
	features[5] = mls_feature_length(m->dst_len);
	features[6] = mls_feature_load(m->src_load);
	features[7] = mls_feature_load(m->dst_load);
	features[8] = mls_feature_time(m->since_run);
	features[9] = mls_feature_time(m->waited);
	features[10] = mls_feature_time(mls_feature_remaining(m->src_burst, m->src_ran));
	features[11] = mls_feature_time(m->src_stint);
	features[12] = mls_feature_time(m->sleep);
	features[13] = mls_feature_time(m->owner_eta);
	features[14] = mls_feature_home(m->home_src, m->home_dst);
}

/* ---- history ----------------------------------------------------------------------- */

/** mls_sleep_average() - the average after a sleep of @slept ns */
static inline u64 mls_sleep_average(u64 average, u64 slept)
{
	if (slept > MLS_FEATURE_SLEEP_MOST)
		slept = MLS_FEATURE_SLEEP_MOST;
	return average - average / 4 + slept / 4;
}

/**
 * mls_owner_eta() - when the owner of an idle CPU is expected back, in ns
 * @average: sleep of the owner, the task that ran there last and went to sleep
 * @slept:   for which it has slept now
 *
 * Before its time, what is left of it; after it, as long as it is overdue already:
 * who has overslept by much is not expected the sooner.  A CPU whose owner is gone,
 * or has woken up elsewhere, has MLS_FEATURE_NEVER.
 */
static inline u64 mls_owner_eta(u64 average, u64 slept)
{
	return average > slept ? average - slept : slept - average;
}

/**
 * struct mls_home - where a task has its memory and its habits
 * @cpu:    one CPU of the domain in which it ran for most of the time
 * @weight: ns by which it did, of the last ones
 */
struct mls_home {
	u32 cpu;
	u32 weight;
};

/* A task that has always been in one place takes so long to have another for a home. */
#define MLS_HOME_MOST 100000000u

/**
 * mls_home_ran() - the task has run for @ran ns on @cpu
 * @near: that is in the domain of its home
 *
 * Each ns is a vote for the domain in which it ran; the vote is that of Boyer and Moore
 * with a ceiling, which needs no table of domains.
 */
static inline void mls_home_ran(struct mls_home *home, u32 cpu, int near, u64 ran)
{
	u32 votes = ran < MLS_HOME_MOST ? (u32)ran : MLS_HOME_MOST;

	if (near) {
		home->weight = home->weight + votes < MLS_HOME_MOST ? home->weight + votes :
								      MLS_HOME_MOST;
	} else if (votes > home->weight) {
		home->cpu = cpu;
		home->weight = votes - home->weight;
	} else {
		home->weight -= votes;
	}
}

#endif /* MLS_CORE_FEATURES_H */
