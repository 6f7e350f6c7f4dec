/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the network is asked with: the features of schema seed10 at this moment.
 * Of bpf/scheduler.bpf.c, and of bpf/qnet_bench.bpf.c, which measures what they
 * cost.
 */
#ifndef MLS_BPF_SCHEDULER_FEATURES_H
#define MLS_BPF_SCHEDULER_FEATURES_H

#include "bpf/scheduler_state.h"

/* Mean load of a domain's CPUs, Q16.16; a function of its own for the verifier. */
__noinline u32 domain_load(u32 index, u64 now)
{
	struct scheduler_domain *domain = &domains[index & (SCHEDULER_MAX_DOMAINS - 1)];
	struct mls_load_decay d = { decay.per_unit, decay.longest };
	u64 sum = 0;
	u32 load, i;

	/* Two CPUs may both find it old, and both are right: the race only costs time. */
	if (refresh_ns && now - domain->stamp < refresh_ns)
		return domain->load;
	bpf_for(i, 0, domain->n_cpus) {
		u32 cpu = members[(domain->first + i) & (SCHEDULER_MAX_CPUS - 1)];
		sum += mls_load_at(cpu_at(cpu)->load, now, &d);
	}
	sum = sum * domain->share >> 28;
	load = mls_load_q16(sum < MLS_LOAD_ONE ? sum : MLS_LOAD_ONE);
	domain->load = load;
	domain->stamp = now;
	return load;
}

static __always_inline void fill_features(s32 *features, u32 src, u32 dst)
{
	u64 now = bpf_ktime_get_ns();
	u32 free = 0, i;

	bpf_for(i, 0, n_words) {
		free += mls_policy_count(idle.word[i & (SCHEDULER_WORDS - 1)]);
	}
	/* A CPU that goes down or comes up may be counted on one side only for a moment. */
	if (free > n_online)
		free = n_online;
	features[0] = (s32)(src << 16);
	features[1] = (s32)(free << 16);
	features[2] = (s32)((n_online - free) << 16);
	features[3] = (s32)domain_load(cpu_at(src)->domain, now);
	features[4] = (s32)domain_load(cpu_at(dst)->domain, now);
	/* The others of seed10 are zero, and nobody else writes them. */
}

#endif /* MLS_BPF_SCHEDULER_FEATURES_H */
