/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Verdicts that come from elsewhere, and later: when may one be applied?
 *
 * A program that must not wait puts a *question* (may this task make this
 * move?) to somebody who answers in his own time.  Until then the heuristic
 * decides.  An answer that has come belongs to one task and one move, and grows
 * old: a later decision may use it if it is about the same task and the same
 * move while the question is younger than a limit, and nothing else ever may.
 *
 * Each task keeps its own last questions, so that a task's answers cannot
 * outlive it, nor become another's.  Answers lie in a table of single words,
 * each with the whole number of its question: a word is read and written at
 * once, so nobody sees half an answer, and one that was written for an older
 * question of the same slot does not match.
 *
 * In integers, for the BPF program and the simulator alike.  Leaves to others:
 * sending questions, computing answers, counting.
 */
#ifndef MLS_CORE_VERDICT_H
#define MLS_CORE_VERDICT_H

#include "core/types.h"

/* Questions that a task keeps, of the moves that it is offered again and again; a power of two. */
#define MLS_VERDICT_QUESTIONS 8
/* Answers that are kept: a power of two.  More are not worth waiting for. */
#define MLS_VERDICT_ANSWERS 1024

/* Bits of a CPU's number (design section 7: 1,024 of them), and of a move. */
#define MLS_VERDICT_CPU_BITS  10
#define MLS_VERDICT_MOVE_BITS 24

/* An answer may be used for so long after the question, in ns, unless told otherwise: half of a
 * half-life of the loads that the features hold. */
#define MLS_VERDICT_AGE     16000000ull
#define MLS_VERDICT_MIN_AGE 100000ull
#define MLS_VERDICT_MAX_AGE 1000000000ull

/**
 * struct mls_question - one that a task has put
 * @what: its number and the move, in one word; 0: none
 * @time: when it was put, in ns
 *
 * Two CPUs may put questions about one task into one place at the same moment:
 * then @time may be the other's, which is of the same moment and as good.
 */
struct mls_question {
	u64 what;
	u64 time;
};

/* What looking for a verdict comes to. */
enum mls_verdict {
	MLS_VERDICT_NONE, /* nothing was asked */
	MLS_VERDICT_OTHER, /* what was asked was about another move */
	MLS_VERDICT_WAITING, /* asked, not answered yet, and still worth waiting for */
	MLS_VERDICT_LATE, /* asked, and not answered in time */
	MLS_VERDICT_EXPIRED, /* answered, too long ago */
	MLS_VERDICT_KEEP, /* there it is */
	MLS_VERDICT_MIGRATE,
	MLS_VERDICTS
};

/** mls_verdict_move() - a move as one number; @kind below 16, CPUs below 1,024 */
static inline u32 mls_verdict_move(u32 kind, u32 src, u32 dst)
{
	const u32 mask = (1u << MLS_VERDICT_CPU_BITS) - 1;

	return (kind & 15) << 2 * MLS_VERDICT_CPU_BITS | (src & mask) << MLS_VERDICT_CPU_BITS |
	       (dst & mask);
}

/** mls_verdict_kind() - of a move that was made one number, like the next two */
static inline u32 mls_verdict_kind(u32 move)
{
	return move >> 2 * MLS_VERDICT_CPU_BITS & 15;
}

static inline u32 mls_verdict_src(u32 move)
{
	return move >> MLS_VERDICT_CPU_BITS & ((1u << MLS_VERDICT_CPU_BITS) - 1);
}

static inline u32 mls_verdict_dst(u32 move)
{
	return move & ((1u << MLS_VERDICT_CPU_BITS) - 1);
}

/** mls_verdict_place() - where a task keeps its question about @move */
static inline u32 mls_verdict_place(u32 move)
{
	/* Multiplied by 2^32 over the golden ratio, neighbours are far apart. */
	return move * 2654435769u >> 29;
}

/**
 * mls_verdict_what() - number and move of a question in one word
 * @id: 1, 2, ...; its 40 low bits count: at a million questions a second they
 *      repeat after twelve days, and no answer is in use for longer than a second
 */
static inline u64 mls_verdict_what(u64 id, u32 move)
{
	return id << MLS_VERDICT_MOVE_BITS | move;
}

static inline u64 mls_verdict_id(u64 what)
{
	return what >> MLS_VERDICT_MOVE_BITS;
}

/**
 * mls_verdict_put() - keep a question
 *
 * Nobody finds an old question with the new one's time: there is none in between.
 */
static inline void mls_verdict_put(struct mls_question *q, u64 what, u64 time)
{
	__sync_lock_test_and_set(&q->what, 0);
	*(volatile u64 *)&q->time = time;
	__sync_lock_test_and_set(&q->what, what);
}

/** mls_verdict_get() - a question as it was put; 0: there is none, or it is just being replaced */
static inline u64 mls_verdict_get(struct mls_question *q, u64 *time)
{
	/* Additions of 0, because BPF has no other load that orders. */
	u64 what = __sync_fetch_and_add(&q->what, 0);

	*time = *(volatile u64 *)&q->time;
	return __sync_fetch_and_add(&q->what, 0) == what ? what : 0;
}

/** mls_verdict_slot() - where the answer to question @id is */
static inline u32 mls_verdict_slot(u64 id)
{
	return (u32)id & (MLS_VERDICT_ANSWERS - 1);
}

/** mls_verdict_answer() - the word that is written there */
static inline u64 mls_verdict_answer(u64 id, int migrate)
{
	return id << MLS_VERDICT_MOVE_BITS >> (MLS_VERDICT_MOVE_BITS - 1) | !!migrate;
}

/** mls_verdict_is_fresh() - a question of @time is younger than @age; clocks of CPUs may differ */
static inline int mls_verdict_is_fresh(u64 time, u64 now, u64 age)
{
	return (s64)(now - time) < (s64)age;
}

/**
 * mls_verdict_find() - is there a verdict on @move?
 * @what:   the question at mls_verdict_place(), as it was read
 * @time:   of it
 * @answer: the word at mls_verdict_slot(mls_verdict_id(@what))
 * @age:    that a question may have
 */
static inline enum mls_verdict mls_verdict_find(u64 what, u64 time, u32 move, u64 answer, u64 now,
						u64 age)
{
	int fresh = mls_verdict_is_fresh(time, now, age);

	if (!what)
		return MLS_VERDICT_NONE;
	if ((what & ((1u << MLS_VERDICT_MOVE_BITS) - 1)) != move)
		return MLS_VERDICT_OTHER;
	if (answer >> 1 != mls_verdict_id(what))
		return fresh ? MLS_VERDICT_WAITING : MLS_VERDICT_LATE;
	if (!fresh)
		return MLS_VERDICT_EXPIRED;
	return answer & 1 ? MLS_VERDICT_MIGRATE : MLS_VERDICT_KEEP;
}

#endif /* MLS_CORE_VERDICT_H */
