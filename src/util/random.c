// SPDX-License-Identifier: GPL-2.0
/*
 * xoshiro256** and what is drawn from it.
 */
#include "src/util/random.h"

static uint64_t splitmix64(uint64_t *x)
{
	uint64_t z = *x += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

void mls_random_seed(struct mls_random *random, uint64_t seed, uint64_t stream)
{
	/* The stream goes through the mixer first: seeds and streams that lie side by side
	 * must not give sequences that overlap. */
	uint64_t x = stream;

	x = seed ^ splitmix64(&x);
	for (int i = 0; i < 4; i++)
		random->state[i] = splitmix64(&x);
}

static uint64_t rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

uint64_t mls_random_next(struct mls_random *random)
{
	uint64_t *s = random->state;
	uint64_t result = rotate(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate(s[3], 45);
	return result;
}

uint32_t mls_random_below(struct mls_random *random, uint32_t bound)
{
	/* Lemire's method: the high half of a product, rejecting the few that would be biased. */
	uint32_t reject = -bound % bound;
	uint64_t product;

	do
		product = (mls_random_next(random) >> 32) * bound;
	while ((uint32_t)product < reject);
	return (uint32_t)(product >> 32);
}

float mls_random_unit(struct mls_random *random)
{
	return (float)(mls_random_next(random) >> 40) * 0x1p-24f;
}

void mls_random_shuffle(struct mls_random *random, uint32_t *index, uint32_t n)
{
	for (uint32_t i = n; i > 1; i--) {
		uint32_t j = mls_random_below(random, i);
		uint32_t t = index[i - 1];

		index[i - 1] = index[j];
		index[j] = t;
	}
}
