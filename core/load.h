/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How busy a CPU was of late: the exponentially decaying average of "busy or
 * idle", in integers, for BPF, the library and the simulator alike.
 *
 * The whole state of a CPU is one 64-bit word that only that CPU writes, and
 * that any other may read at any moment without tearing:
 *
 *	bits 63..62	enum mls_load_state
 *	bits 61..24	time of the last change, in units of 256 ns
 *	bits 23..0	the average at that time, MLS_LOAD_ONE being always busy
 *
 * Between two changes the CPU was busy all the time or idle all the time, so
 * the average at any later time follows from the word: a switch from one task
 * to another changes nothing and costs nothing.  Times are differences modulo
 * 2^38 units; a CPU without a change for 19 hours looks as if it had just
 * changed, which a second of switching corrects.
 *
 * No division, no float, no libc.
 */
#ifndef MLS_CORE_LOAD_H
#define MLS_CORE_LOAD_H

#include "core/types.h"

enum mls_load_state {
	MLS_LOAD_UNKNOWN, /* nothing seen of this CPU yet */
	MLS_LOAD_IDLE,
	MLS_LOAD_BUSY,
};

#define MLS_LOAD_BITS       24
#define MLS_LOAD_ONE        ((1u << MLS_LOAD_BITS) - 1)
#define MLS_LOAD_TIME_BITS  38
#define MLS_LOAD_TIME_MASK  ((1ull << MLS_LOAD_TIME_BITS) - 1)
#define MLS_LOAD_UNIT_SHIFT 8 /* 256 ns */
/* A reader's clock may be behind the writer's by this many units. */
#define MLS_LOAD_BEHIND (1ull << 20)

/* Half-lives that the arithmetic is exact enough for, in ns. */
#define MLS_LOAD_MIN_HALF_LIFE 1000000ull
#define MLS_LOAD_MAX_HALF_LIFE 60000000000ull

/**
 * struct mls_load_decay - the half-life, prepared for the hot path
 * @per_unit: half-lives in a unit of time, Q40
 * @longest:  time after which nothing is left of the old average, in units
 */
struct mls_load_decay {
	u64 per_unit;
	u64 longest;
};

/** mls_load_decay_of() - the only division, done once; @half_life in ns, within the limits */
static inline struct mls_load_decay mls_load_decay_of(u64 half_life)
{
	u64 units = half_life >> MLS_LOAD_UNIT_SHIFT;
	struct mls_load_decay decay = { (1ull << 40) / units, 30 * units };

	return decay;
}

/*
 * 2^-x for x in Q40, x < 30, as Q30.  The fraction by a polynomial of degree
 * four through (0, 1) and (1, 1/2), error below 5e-6 of the result.
 */
static inline u64 mls_load_exp2_neg(u64 x)
{
	s64 f = (s64)(x >> 10 & ((1u << 30) - 1));
	s64 p = 7354925;

	p = -57201628 + (p * f >> 30);
	p = 257155957 + (p * f >> 30);
	p = -744180165 + (p * f >> 30);
	p = (1 << 30) + (p * f >> 30);
	return (u64)p >> (x >> 40);
}

static inline u64 mls_load_word(enum mls_load_state state, u64 now, u32 load)
{
	return (u64)state << 62 |
	       (now >> MLS_LOAD_UNIT_SHIFT & MLS_LOAD_TIME_MASK) << MLS_LOAD_BITS | load;
}

static inline enum mls_load_state mls_load_state(u64 word)
{
	return (enum mls_load_state)(word >> 62);
}

/** mls_load_at() - the average at the time @now (ns), 0..MLS_LOAD_ONE */
static inline u32 mls_load_at(u64 word, u64 now, const struct mls_load_decay *decay)
{
	u64 then = word >> MLS_LOAD_BITS & MLS_LOAD_TIME_MASK;
	u64 passed = ((now >> MLS_LOAD_UNIT_SHIFT) - then) & MLS_LOAD_TIME_MASK;
	u32 flip = mls_load_state(word) == MLS_LOAD_BUSY ? MLS_LOAD_ONE : 0;
	u64 rest = (word & MLS_LOAD_ONE) ^ flip; /* what decays: the distance from 0 or from ONE */
	if (passed > MLS_LOAD_TIME_MASK - MLS_LOAD_BEHIND)
		passed = 0;
	if (passed >= decay->longest)
		rest = 0;
	else
		rest = (rest * mls_load_exp2_neg(passed * decay->per_unit) + (1u << 29)) >> 30;
	return (u32)rest ^ flip;
}

/**
 * mls_load_change() - the word after this CPU became busy or idle at @now
 *
 * Of a CPU that nothing was known of, @was says what it did before, and it is
 * taken to have done so for long.
 */
static inline u64 mls_load_change(u64 word, enum mls_load_state was, enum mls_load_state is,
				  u64 now, const struct mls_load_decay *decay)
{
	u32 load;

	if (mls_load_state(word) == MLS_LOAD_UNKNOWN)
		load = was == MLS_LOAD_BUSY ? MLS_LOAD_ONE : 0;
	else
		load = mls_load_at(word, now, decay);
	return mls_load_word(is, now, load);
}

/** mls_load_q16() - an average as Q16.16 fraction, 0..65536 */
static inline u32 mls_load_q16(u32 load)
{
	return (load + (1u << (MLS_LOAD_BITS - 17))) >> (MLS_LOAD_BITS - 16);
}

#endif /* MLS_CORE_LOAD_H */
