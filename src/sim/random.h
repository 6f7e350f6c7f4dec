/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Chance without a state: the nth number of a stream depends on the seed alone, as in
 * bench/vm/burn.c, whose numbers these are.  So both branches of a fork of time see the
 * same futures, whatever they draw in which order.
 */
#ifndef MLS_SIM_RANDOM_H
#define MLS_SIM_RANDOM_H

#include <stdint.h>

#include "src/sim/workload.h"

/* The finaliser of splitmix64. */
static inline uint64_t sim_scramble(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

/** sim_draw() - 64 random bits; @stream: STREAM() of bench/vm/profiles.c */
static inline uint64_t sim_draw(uint64_t seed, uint64_t stream, uint64_t n)
{
	uint64_t key = sim_scramble(seed + 0x9e3779b97f4a7c15ull);

	key = sim_scramble(key ^ (stream * 0xd1342543de82ef95ull));
	return sim_scramble(key + (n + 1) * 0x9e3779b97f4a7c15ull);
}

static inline uint64_t sim_stream(uint64_t who, uint32_t what)
{
	return who * 16 + what;
}

/** sim_vary() - an amount of this mean, by the random @bits; integers only */
uint64_t sim_vary(enum sim_vary how, uint64_t mean, uint64_t bits);

#endif /* MLS_SIM_RANDOM_H */
