/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the network is asked with: the features of schema seed10 or mig15 at this
 * moment.  Of bpf/scheduler.bpf.c, and of bpf/qnet_bench.bpf.c, which measures what
 * they cost.
 *
 * Leaves to others: what mig15 makes of what is known (core/features.h).
 */
#ifndef MLS_BPF_SCHEDULER_FEATURES_H
#define MLS_BPF_SCHEDULER_FEATURES_H

#include "bpf/scheduler_sets.h"
#include "bpf/scheduler_state.h"

static __always_inline struct qnet_scratch *scratch_of(bool in_timer)
{
	u32 zero = 0;

	if (in_timer)
		return bpf_map_lookup_elem(&timer_scratches, &zero);
	/* Elsewhere a run queue or a task is locked, and nothing interrupts us. */
	return qnet_scratch();
}

static __always_inline struct scheduler_cpu *member(struct scheduler_domain *domain, u32 i)
{
	return cpu_at(members[(domain->first + i) & (SCHEDULER_MAX_CPUS - 1)]);
}

/*
 * By how much the sum of a large domain changes with what this CPU counts for now.  That is
 * exchanged, so that the sum is right whoever else does so at the same time.
 */
static __always_inline s64 recount(struct scheduler_cpu *c, u64 now, const struct mls_load_decay *d)
{
	u32 load = mls_load_at(c->load, now, d);

	return (s64)load - __sync_lock_test_and_set(&c->counted, load);
}

/* The sum of the loads of a domain's CPUs. */
static __always_inline u64 sum_loads(struct scheduler_domain *domain, u64 now)
{
	struct mls_load_decay d = { decay.per_unit, decay.longest };
	u32 n = domain->n_cpus, from, i;
	s64 sum = 0, change = 0;

	if (n <= SCHEDULER_LOADS) {
		bpf_for(i, 0, n) {
			sum += mls_load_at(member(domain, i)->load, now, &d);
		}
		return (u64)sum;
	}
	/* Some of them in turn. */
	from = __sync_fetch_and_add(&domain->next, SCHEDULER_LOADS);
	bpf_for(i, 0, SCHEDULER_LOADS) {
		change += recount(member(domain, (from + i) % n), now, &d);
	}
	sum = __sync_fetch_and_add(&domain->sum, change) + change;
	/* Somebody else may have exchanged, and not yet added. */
	return sum > 0 ? (u64)sum : 0;
}

/*
 * In each turn of the timer, from member @first on: some CPUs of large domains, so that none is counted
 * for what it was long ago because nobody asked meanwhile.  Return: which is next.
 */
static __always_inline u32 recount_some(u32 first, u64 now)
{
	struct mls_load_decay d = { decay.per_unit, decay.longest };
	u32 k;

	if (!n_recounted)
		return 0;
	bpf_for(k, 0, SCHEDULER_LOADS) {
		struct scheduler_cpu *c =
			cpu_at(members[(first + k) % n_recounted & (SCHEDULER_MAX_CPUS - 1)]);
		struct scheduler_domain *domain = &domains[c->domain & (SCHEDULER_MAX_DOMAINS - 1)];

		if (domain->n_cpus > SCHEDULER_LOADS)
			__sync_fetch_and_add(&domain->sum, recount(c, now, &d));
	}
	return (first + SCHEDULER_LOADS) % n_recounted;
}

/* Mean load of a domain's CPUs, Q16.16; a function of its own for the verifier. */
__noinline u32 domain_load(u32 index, u64 now)
{
	struct scheduler_domain *domain = &domains[index & (SCHEDULER_MAX_DOMAINS - 1)];
	u64 sum;
	u32 load;

	/* Two CPUs may both find it old, and both are right: the race only costs time. */
	if (refresh_ns && now - domain->stamp < refresh_ns)
		return domain->load;
	sum = sum_loads(domain, now) * domain->share >> 28;
	load = mls_load_q16(sum < MLS_LOAD_ONE ? sum : MLS_LOAD_ONE);
	domain->load = load;
	domain->stamp = now;
	return load;
}

static __always_inline void fill_seed10(s32 *features, u32 src, u32 dst)
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
	/* Those of another schema may be there from the last time. */
#pragma unroll
	for (i = SCHEDULER_SEED10; i < MLS_SEED10_INPUTS; i++)
		features[i] = 0;
}

/* Times of other CPUs may be a moment ahead. */
static __always_inline u64 passed(u64 since, u64 now)
{
	return since < now ? now - since : 0;
}

/* A task goes from @src to @dst; @idle_dst: nothing runs there, @idle_src: nor there. */
static __always_inline void gather(struct mls_move_facts *m, struct task *t, u32 src, u32 dst,
				   bool idle_src, bool idle_dst, u64 now)
{
	struct scheduler_cpu *from = cpu_at(src), *to = cpu_at(dst);

	m->level = distance(src, dst);
	m->src_load = domain_load(from->domain, now);
	m->dst_load = domain_load(to->domain, now);
	/* One that has never run is at home everywhere. */
	m->home_src = t->home.weight ? distance(src, t->home.cpu) : MLS_POLICY_NEAR;
	m->home_dst = t->home.weight ? distance(dst, t->home.cpu) : MLS_POLICY_NEAR;
	m->since_run = t->stopped ? passed(t->stopped, now) : MLS_FEATURE_NEVER;
	m->waited = waited(t, now);
	m->src_stint = idle_src ? 0 : passed(from->began, now);
	m->src_ran = idle_src ? 0 : from->ran + m->src_stint;
	m->src_burst = idle_src ? 0 : from->burst;
	m->sleep = t->sleep;
	m->owner_eta = !idle_dst  ? 0 :
		       !to->owner ? MLS_FEATURE_NEVER :
				    mls_owner_eta(to->left_sleep, passed(to->left, now));
}

/*
 * A function of its own for the verifier.  @move: mls_verdict_move(); @lengths: runnable
 * tasks of the source and, above them, of the destination.
 */
__noinline int fill_mig15(struct task *t, u32 move, u64 lengths, u32 in_timer)
{
	struct qnet_scratch *scratch = scratch_of(in_timer);
	u32 kind = mls_verdict_kind(move), src = mls_verdict_src(move), dst = mls_verdict_dst(move);
	struct mls_move_facts *m;

	if (!t || !scratch)
		return 0;
	/* Where the network will add up: the stack is short. */
	m = (struct mls_move_facts *)scratch->acc;
	m->kind = kind;
	m->src_len = (u32)lengths;
	m->dst_len = (u32)(lengths >> 32);
	gather(m, t, src, dst, is_in(&idle, src), kind == MLS_POLICY_STEAL || is_in(&idle, dst),
	       bpf_ktime_get_ns());
	mls_mig15(m, scratch->features);
	return 0;
}

_Static_assert(sizeof(struct mls_move_facts) <= sizeof(((struct qnet_scratch *)0)->acc),
	       "facts have room there");

#endif /* MLS_BPF_SCHEDULER_FEATURES_H */
