/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The coin that decides now and then instead of whoever does (--explore): what is never
 * tried cannot be learned.  It takes a share of the decisions and gives either answer as
 * often; the chance of what was decided then goes into the recording, for estimates that
 * weigh by its inverse (src/data/offpolicy.h).
 *
 * In integers, for the BPF program and the simulator alike.  Leaves to others: random
 * numbers, counting.
 */
#ifndef MLS_CORE_COIN_H
#define MLS_CORE_COIN_H

#include "core/types.h"

#define MLS_COIN_CERTAIN 65536 /* the chance 1, a power of two */

/**
 * mls_coin_takes() - whether the coin decides
 * @random: 32 bits; the low ones say it
 * @share:  of MLS_COIN_CERTAIN decisions it takes so many
 */
static inline int mls_coin_takes(u32 random, u32 share)
{
	return (random & (MLS_COIN_CERTAIN - 1)) < share;
}

/** mls_coin_answer() - what it then says, 0 or 1: the highest bit of @random */
static inline int mls_coin_answer(u32 random)
{
	return (int)(random >> 31);
}

/**
 * mls_coin_chance() - the chance of @verdict, of MLS_COIN_CERTAIN
 * @share:   of the coin
 * @own:     what is decided where the coin does not take it
 * @verdict: what was decided
 */
static inline u32 mls_coin_chance(u32 share, int own, int verdict)
{
	u32 half = share / 2; /* the coin's share in either answer, rounded */

	return verdict == own ? MLS_COIN_CERTAIN - half : half;
}

#endif /* MLS_CORE_COIN_H */
