/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Seeded random numbers that are the same on every machine: xoshiro256** of
 * Blackman and Vigna, its state filled by splitmix64.  Not for secrets.
 */
#ifndef MLS_UTIL_RANDOM_H
#define MLS_UTIL_RANDOM_H

#include <stdint.h>

struct mls_random {
	uint64_t state[4];
};

/**
 * mls_random_seed() - start a sequence
 * @seed:   chosen by a person
 * @stream: which of the independent sequences of that seed
 */
void mls_random_seed(struct mls_random *random, uint64_t seed, uint64_t stream);

/** mls_random_next() - 64 random bits */
uint64_t mls_random_next(struct mls_random *random);

/** mls_random_below() - uniform in 0 to @bound - 1, without bias; @bound > 0 */
uint32_t mls_random_below(struct mls_random *random, uint32_t bound);

/** mls_random_unit() - uniform in [0, 1), a multiple of 2^-24: exact in float */
float mls_random_unit(struct mls_random *random);

/** mls_random_shuffle() - put [n] indices into a random order */
void mls_random_shuffle(struct mls_random *random, uint32_t *index, uint32_t n);

#endif /* MLS_UTIL_RANDOM_H */
