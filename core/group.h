/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a task's weight is worth among all tasks, when tasks are in groups that have
 * weights of their own and are in groups again (cgroup v2's cpu.weight), in integers,
 * for the BPF program and its tests alike.
 *
 * A group competes with what is beside it as if it were one task of its weight, and
 * hands what it gets on to its members by theirs.  So of a group's weight each member
 * has the part that its own weight is of the sum of those members that have something
 * to do, and the product of these parts over all levels makes the weights of tasks of
 * different groups comparable: nobody has to choose a group first and then a task.
 * Tasks outside of all groups keep their own.
 *
 * Leaves to others: who has something to do (bpf/scheduler_cgroup.h).
 */
#ifndef MLS_CORE_GROUP_H
#define MLS_CORE_GROUP_H

#include "core/policy.h"

/* Factors are fixed-point numbers of 20 bits behind the point. */
#define MLS_GROUP_SHIFT 20
#define MLS_GROUP_ONE   (1ull << MLS_GROUP_SHIFT)

/* cpu.weight, and a task's weight as sched_ext has it, are at most that. */
#define MLS_GROUP_MOST 10000ull

/**
 * mls_group_factor() - the factor of a member of a group's members
 * @factor: of the group itself: MLS_GROUP_ONE outside of all groups
 * @weight: of the group
 * @sum:    of the weights of its members that have something to do
 *
 * May be computed from the inside to the outside, too: it is a product.  The sum may
 * be a moment old, or be 0 because the only member is about to be counted.
 */
static inline u64 mls_group_factor(u64 factor, u32 weight, u64 sum)
{
	factor = factor * weight / (sum ? sum : 1);
	return factor < MLS_GROUP_MOST * MLS_GROUP_ONE ? factor : MLS_GROUP_MOST * MLS_GROUP_ONE;
}

/** mls_group_weight() - in units of the policy, of a task of @weight as sched_ext has it; never 0 */
static inline u32 mls_group_weight(u32 weight, u64 factor)
{
	u64 scaled = weight * factor / (MLS_GROUP_ONE / MLS_POLICY_FINE);

	if (scaled > MLS_GROUP_MOST * MLS_POLICY_FINE)
		return MLS_GROUP_MOST * MLS_POLICY_FINE;
	return scaled ? (u32)scaled : 1;
}

/** mls_group_gives() - what a group adds to the sum of the group that it is in */
static inline u32 mls_group_gives(u32 weight, u32 active, int gone)
{
	return active && !gone ? weight : 0;
}

#endif /* MLS_CORE_GROUP_H */
