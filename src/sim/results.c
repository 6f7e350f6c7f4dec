// SPDX-License-Identifier: GPL-2.0
/* Durations and moves, counted. */
#include "src/sim/results.h"

void sim_durations_add(struct sim_durations *d, uint64_t ns)
{
	uint32_t power, index = (uint32_t)ns;

	d->n++;
	d->sum += ns;
	if (ns > d->longest)
		d->longest = ns;
	if (ns >= 32) {
		power = 63 - (uint32_t)__builtin_clzll(ns);
		index = (power - 4) * 32 + (uint32_t)(ns >> (power - 5) & 31);
	}
	d->bucket[index < SIM_BUCKETS ? index : SIM_BUCKETS - 1]++;
}

void sim_durations_merge(struct sim_durations *into, const struct sim_durations *from)
{
	into->n += from->n;
	into->sum += from->sum;
	if (from->longest > into->longest)
		into->longest = from->longest;
	for (uint32_t i = 0; i < SIM_BUCKETS; i++)
		into->bucket[i] += from->bucket[i];
}

uint64_t sim_durations_at(const struct sim_durations *d, double quantile)
{
	uint64_t rank = (uint64_t)((double)d->n * quantile), seen = 0, top;

	for (uint32_t i = 0; i < SIM_BUCKETS; i++) {
		seen += d->bucket[i];
		if (seen <= rank)
			continue;
		top = i < 32 ? i : ((33ull + i % 32) << (i / 32 - 1)) - 1;
		return top < d->longest ? top : d->longest;
	}
	return d->longest;
}

uint64_t sim_moves(const struct sim_sum *sum, enum sim_distance from)
{
	uint64_t n = 0;

	for (uint32_t kind = 0; kind < SIM_MOVE_KINDS; kind++) {
		if (kind == SIM_MOVED_FORK)
			continue;
		for (uint32_t d = from > SIM_NEAR ? from : SIM_NEAR; d < SIM_DISTANCES; d++)
			n += sum->moves[kind][d];
	}
	return n;
}
