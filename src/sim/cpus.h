/* SPDX-License-Identifier: GPL-2.0 */
/* Sets and ranges of CPUs, for policies: bits in words of 64, neighbours by their numbers. */
#ifndef MLS_SIM_CPUS_H
#define MLS_SIM_CPUS_H

#include "src/sim/engine.h"

static inline bool is_in(const u64 *set, u32 cpu)
{
	return set[cpu / 64] >> (cpu % 64) & 1;
}

static inline void put_in(u64 *set, u32 cpu)
{
	set[cpu / 64] |= 1ull << (cpu % 64);
}

static inline bool take_out(u64 *set, u32 cpu)
{
	bool was = is_in(set, cpu);

	set[cpu / 64] &= ~(1ull << (cpu % 64));
	return was;
}

/* CPUs of one level are neighbours by their numbers. */
struct range {
	u32 from, to;
};

static inline struct range range_of(const struct sim_machine *m, u32 cpu, u32 level)
{
	u32 size = level == MLS_POLICY_NEAR ? m->n_cpus / m->n_llcs :
		   level == MLS_POLICY_NODE ? m->n_cpus / m->n_nodes :
					      m->n_cpus;
	u32 first = cpu / size * size;

	return (struct range){ first, first + size };
}

/* The bits of a word that belong to CPUs of the range. */
static inline u64 part_of(u32 word, struct range range)
{
	u32 first = word * 64;
	u64 bits = ~0ull;

	if (range.from >= first + 64 || range.to <= first)
		return 0;
	if (range.from > first)
		bits &= ~0ull << (range.from - first);
	if (range.to < first + 64)
		bits &= ~0ull >> (first + 64 - range.to);
	return bits;
}

#endif /* MLS_SIM_CPUS_H */
