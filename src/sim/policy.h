/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who runs where, and for how long: what the engine asks a policy.
 *
 * A policy keeps its state in the world (union sim_task_policy, union sim_cpu_policy) and
 * nowhere else, or copies of the world would not go on alike.
 */
#ifndef MLS_SIM_POLICY_H
#define MLS_SIM_POLICY_H

#include "src/sim/engine.h"

/**
 * struct sim_policy
 * @period:   of its timer; 0: it has none
 * @shares:   its queues are not of one CPU: turns end wherever somebody waits
 * @begin:    the world has been made
 * @arrive:   a task has been made; its parent (or SIM_NONE) is where it says
 * @depart:   a task has ended
 * @untied:   it may run anywhere from now on
 * @select:   where a task that becomes runnable goes; @by: the CPU from which it was woken
 * @enqueue:  it is there; the policy says whether that CPU, or another, is to choose anew
 * @pick:     the task that a CPU runs next, taken out of its queue; @runs: the one that ran
 *            and could go on, and is returned if it should, or SIM_NONE
 * @running:  the task begins to run
 * @stopping: it has run for @ran ns; @runnable: and could go on
 * @slice_end: when the running task's turn is over if others wait by then; on a tick
 * @exec:     where the running task, which becomes a new program, goes
 * @idle:     the CPU has nothing to do now, or has again
 * @timer:    each period
 * @cpu_timer: what sim_call() asked for
 */
struct sim_policy {
	const char *name;
	u64 period;
	bool shares;
	void (*begin)(struct sim *s);
	void (*arrive)(struct sim *s, u32 task);
	void (*depart)(struct sim *s, u32 task);
	void (*untied)(struct sim *s, u32 task);
	u32 (*select)(struct sim *s, u32 task, enum sim_why why, u32 by);
	void (*enqueue)(struct sim *s, u32 task, enum sim_why why);
	u32 (*pick)(struct sim *s, u32 cpu, u32 runs);
	void (*running)(struct sim *s, u32 cpu, u32 task);
	void (*stopping)(struct sim *s, u32 cpu, u32 task, u64 ran, bool runnable);
	u64 (*slice_end)(struct sim *s, u32 cpu);
	u32 (*exec)(struct sim *s, u32 task);
	void (*idle)(struct sim *s, u32 cpu, bool is);
	void (*timer)(struct sim *s);
	void (*cpu_timer)(struct sim *s, u32 cpu);
};

extern const struct sim_policy sim_policy_mlsched;
extern const struct sim_policy sim_policy_eevdf;
extern const struct sim_policy sim_policy_rusty;

/**
 * sim_facts() - what our scheduler knows of a move that it offers, as in the kernel
 *
 * Of sim_policy_mlsched only, and while the decision is being made.
 */
void sim_facts(const struct sim *s, const struct sim_decision *d, struct mls_move_facts *facts);

/** sim_tick_from() - the first tick at or after @time */
static inline u64 sim_tick_from(u64 time)
{
	return (time + SIM_TICK - 1) / SIM_TICK * SIM_TICK;
}

#endif /* MLS_SIM_POLICY_H */
