/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Weights of cgroups: which groups have something to do, and what that makes of a
 * task's weight (core/group.h).
 *
 * The semantics are those of the kernel's own group scheduling: cgroups compete as
 * one task of their weight each, also where all have the default one.  A group's
 * weight is divided among what it has on all CPUs.  Tasks of the root cgroup, and
 * of sessions that the kernel groups by itself (autogroup), compete as themselves.
 *
 * Per group there are the sum of its members' weights and their number, kept by
 * whoever becomes runnable or ceases to be.  That goes on to the next level only
 * when a group gets its first active member or loses its last.  The factor of a
 * group's tasks is computed anew at most every REFRESH ns, by a walk of at most
 * DEPTH levels.
 *
 * There is no cgroup_move(): the kernel takes a runnable task out and puts it in
 * again around a move, and each task knows the group in which it is counted.  (Some
 * kernels of 6.12 to 7.0 warn without cause where a scheduler has it.)
 *
 * Tasks of a group that has no state here, because there is no memory or it is being
 * removed, compete as those of the root do.  What lies more than DEPTH levels further in
 * counts in the group around it that is at DEPTH.
 *
 * Leaves to others: cpu.idle and cpu.max, which nobody respects yet.
 */
#ifndef MLS_BPF_SCHEDULER_CGROUP_H
#define MLS_BPF_SCHEDULER_CGROUP_H

#include "bpf/scheduler_state.h"
#include "core/group.h"

#define DEPTH       16
#define MAX_CGROUPS 65536
#define REFRESH     1000000 /* ns; tasks come and go more often */
#define RETRIES     8

/**
 * struct group - a cgroup other than the root
 * @parent: id of the group that it is in; 0: the root
 * @as:     id of the one in which its tasks count, for it lies too deep; 0: in itself
 * @sum:    of the weights of its active members, tasks and groups
 * @active: their number
 * @given:  its weight as far as it is in the parent's sum; 0: it is not active there
 * @weight: cpu.weight
 * @gone:   it is being removed
 * @factor: of its tasks, computed at time @stamp
 */
struct group {
	u64 parent;
	u64 as;
	s64 sum;
	u32 active;
	u32 given;
	u32 weight;
	u32 gone;
	u64 factor;
	u64 stamp;
};

/* By the cgroup's id.  Entries are made and removed with their cgroups only. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_CGROUPS);
	__type(key, u64);
	__type(value, struct group);
} groups SEC(".maps");

static __always_inline struct group *group_at(u64 id)
{
	return id ? bpf_map_lookup_elem(&groups, &id) : NULL;
}

/* The id of the cgroup by which the kernel schedules the task; 0: it is in none. */
static __always_inline u64 group_of(struct task_struct *p)
{
	struct cgroup *cgroup;

	if (!bpf_core_field_exists(p->sched_task_group))
		return 0;
	/* A group of the kernel's own making has no cgroup: then this reads zeros. */
	cgroup = unproved(p)->sched_task_group->css.cgroup;
	return cgroup->level ? cgroup->kn->id : 0;
}

/* A member of group @id has begun (@n is 1) or ceased (-1) to be active.  Return: that
 * was the first or the last one. */
static __always_inline bool count_member(struct group *g, s64 weight, s32 n)
{
	u32 before;

	__sync_fetch_and_add(&g->sum, weight);
	before = __sync_fetch_and_add(&g->active, (u32)n);
	return before == (n > 0 ? 0 : 1);
}

/*
 * Makes what the group has given to its parent what it is to give, and so on
 * outwards.  Two may be at it at once: whoever changes @given looks again at what it
 * depends on, so that the last one leaves it right.
 */
static __noinline int settle(u64 id)
{
	u32 level, k;

	bpf_for(level, 0, DEPTH) {
		struct group *g = group_at(id), *parent;
		bool first_or_last = false;

		if (!g)
			break;
		parent = group_at(g->parent);
		bpf_for(k, 0, RETRIES) {
			u32 given = *(volatile u32 *)&g->given;
			u32 gives = mls_group_gives(*(volatile u32 *)&g->weight,
						    *(volatile u32 *)&g->active,
						    *(volatile u32 *)&g->gone);

			if (given == gives)
				break;
			if (__sync_val_compare_and_swap(&g->given, given, gives) != given)
				continue;
			if (!parent)
				continue;
			if (given && gives)
				__sync_fetch_and_add(&parent->sum, (s64)gives - given);
			else
				first_or_last |=
					count_member(parent, (s64)gives - given, gives ? 1 : -1);
		}
		if (!first_or_last)
			break;
		id = g->parent;
	}
	return 0;
}

static __noinline u64 compute_factor(u64 id)
{
	u64 factor = MLS_GROUP_ONE;
	u32 level;

	bpf_for(level, 0, DEPTH) {
		struct group *g = group_at(id);
		s64 sum;

		if (!g)
			break;
		sum = g->sum;
		factor = mls_group_factor(factor, g->weight, sum > 0 ? (u64)sum : 0);
		id = g->parent;
	}
	return factor;
}

/* Of the task in units of the policy, as it is by now. */
static __always_inline u32 weigh(struct task_struct *p, struct task *t, u64 now)
{
	struct group *g = group_at(t->group);

	if (!g)
		return mls_group_weight(p->scx.weight, MLS_GROUP_ONE);
	/* Two at a time compute the same. */
	if (now - g->stamp > REFRESH) {
		g->factor = compute_factor(t->group);
		g->stamp = now;
	}
	return mls_group_weight(p->scx.weight, g->factor);
}

/* The task is no longer active. */
static __always_inline void leave_group(struct task *t)
{
	struct group *g = t->counted ? group_at(t->group) : NULL;

	if (g && count_member(g, -(s64)t->counted, -1))
		settle(t->group);
	t->counted = 0;
}

SEC("struct_ops/mlsched_runnable")
void BPF_PROG(mlsched_runnable, struct task_struct *p, u64 enq_flags)
{
	struct task *t = task_of(p);
	struct group *g;

	if (!t)
		return;
	leave_group(t);
	t->group = group_of(p);
	g = group_at(t->group);
	if (g && g->as) {
		t->group = g->as;
		g = group_at(t->group);
	}
	if (!g)
		return;
	t->counted = p->scx.weight;
	if (count_member(g, t->counted, 1))
		settle(t->group);
}

/*
 * Also for each cgroup that there is already, when we are attached; those outside
 * before those in them.  Without memory the cgroup does without us.
 */
SEC("struct_ops.s/mlsched_cgroup_init")
s32 BPF_PROG(mlsched_cgroup_init, struct cgroup *cgroup, struct scx_cgroup_init_args *args)
{
	struct group g = { .weight = args->weight };
	u64 id = cgroup->kn->id;
	struct cgroup *parent;

	if (!cgroup->level)
		return 0;
	parent = cgroup->self.parent->cgroup;
	if (parent->level)
		g.parent = parent->kn->id;
	if (cgroup->level > DEPTH) {
		struct group *around = group_at(g.parent);

		if (!around)
			return 0;
		g.as = around->as ? around->as : g.parent;
	}
	bpf_map_update_elem(&groups, &id, &g, BPF_ANY);
	return 0;
}

SEC("struct_ops.s/mlsched_cgroup_exit")
void BPF_PROG(mlsched_cgroup_exit, struct cgroup *cgroup)
{
	u64 id = cgroup->kn->id;
	struct group *g = group_at(id);

	if (!g)
		return;
	/* A task that is just exiting may still count: it takes the rest with it. */
	__sync_lock_test_and_set(&g->gone, 1);
	settle(id);
	bpf_map_delete_elem(&groups, &id);
}

SEC("struct_ops/mlsched_cgroup_set_weight")
void BPF_PROG(mlsched_cgroup_set_weight, struct cgroup *cgroup, u32 weight)
{
	u64 id = cgroup->kn->id;
	struct group *g = group_at(id);

	if (!g)
		return;
	__sync_lock_test_and_set(&g->weight, weight ? weight : 1);
	settle(id);
	g->stamp = 0;
}

#endif /* MLS_BPF_SCHEDULER_CGROUP_H */
