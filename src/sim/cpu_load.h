/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A CPU's load as EEVDF's balancing has it (cfs_rq->avg.load_avg): what its tasks, those that
 * sleep among them, were runnable of late, each a decaying average as of core/load.h.
 *
 * Of a task that is runnable what it lacks of always having been decays, of one that sleeps what
 * it was.  So two numbers know the sum at any time: how many are runnable, and what they lack
 * together, less what those that sleep were.
 *
 * Loads are in MLS_LOAD_ONE for a task of nice 0 that is always runnable, or by 1024: said there.
 */
#ifndef MLS_SIM_CPU_LOAD_H
#define MLS_SIM_CPU_LOAD_H

#include "core/load.h"

#define CPU_LOAD_SHIFT (MLS_LOAD_BITS - 10) /* to 1024 for a task */

/**
 * struct cpu_load
 * @lacking: of MLS_LOAD_ONE for each task that is runnable,
 * @at:      at that time, in ns
 */
struct cpu_load {
	s64 lacking;
	u64 at;
};

/** cpu_load_lacking() - what is lacking at the time @now, not before the last change */
static inline s64 cpu_load_lacking(const struct cpu_load *l, u64 now,
				   const struct mls_load_decay *decay)
{
	u64 whole = mls_load_word(MLS_LOAD_IDLE, l->at, MLS_LOAD_ONE);

	return l->lacking * (s64)mls_load_at(whole, now, decay) / MLS_LOAD_ONE;
}

/** cpu_load_change() - so much more is lacking from @now on */
static inline void cpu_load_change(struct cpu_load *l, s64 more, u64 now,
				   const struct mls_load_decay *decay)
{
	l->lacking = cpu_load_lacking(l, now, decay) + more;
	l->at = now;
}

/** cpu_load_at() - of a CPU with @n runnable tasks; by 1024 */
static inline u64 cpu_load_at(const struct cpu_load *l, u32 n, u64 now,
			      const struct mls_load_decay *decay)
{
	s64 load = (s64)n * MLS_LOAD_ONE - cpu_load_lacking(l, now, decay);

	return load > 0 ? (u64)load >> CPU_LOAD_SHIFT : 0;
}

/**
 * cpu_load_at_most() - cpu_load_at() is not more, and takes several times as long
 *
 * What is lacking decays by 2^-x, which is at least 1 - x * ln 2.
 */
static inline u64 cpu_load_at_most(const struct cpu_load *l, u32 n, u64 now,
				   const struct mls_load_decay *decay)
{
	u64 passed = (now >> MLS_LOAD_UNIT_SHIFT) - (l->at >> MLS_LOAD_UNIT_SHIFT);
	u64 x = passed < decay->longest ? passed * decay->per_unit : 1ull << 40;
	s64 load = (s64)n * MLS_LOAD_ONE;

	/* ln 2 is below 711 / 1024, and x has 40 bits behind the point. */
	if (l->lacking <= 0)
		load -= l->lacking;
	else if (x < 1ull << 40)
		load -= l->lacking - (l->lacking * (s64)(x >> 20) / 1024 * 711 >> 20);
	/* One more for what both round. */
	return load > 0 ? ((u64)load >> CPU_LOAD_SHIFT) + 1 : 1;
}

#endif /* MLS_SIM_CPU_LOAD_H */
