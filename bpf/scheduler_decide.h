/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Decisions: the question to the model, what became of the answer.  Part of
 * bpf/scheduler.bpf.c.
 */
#ifndef MLS_BPF_SCHEDULER_DECIDE_H
#define MLS_BPF_SCHEDULER_DECIDE_H

#include "bpf/scheduler_features.h"
#include "bpf/scheduler_requests.h"
#include "bpf/scheduler_sets.h"

#define KEPT_PERIODS 4 /* of the timer */

static __always_inline struct qnet_scratch *scratch_of(bool in_timer)
{
	u32 zero = 0;

	if (in_timer)
		return bpf_map_lookup_elem(&timer_scratches, &zero);
	/* Elsewhere a run queue or a task is locked, and nothing interrupts us. */
	return qnet_scratch();
}

/*
 * What the model in slot @number - 1 says: 1 or 0, or -1 when there is none.
 * A function of its own: the verifier looks at the network once.
 */
__noinline int ask_slot(u32 number, u32 in_timer)
{
	struct qnet_scratch *scratch = scratch_of(in_timer);
	u32 index = number - 1;
	struct qnet_slot *slot = bpf_map_lookup_elem(&slots, &index);

	if (!slot || !scratch || slot->magic != QNET_MAGIC)
		return -1;
	return qnet_infer(slot, scratch) > slot->threshold;
}

/* What the daemon has said of this move of the task: 1 or 0, or -1 while it has not; then ask it. */
static __always_inline int ask_daemon(struct task *t, u32 kind, u32 src, u32 dst, bool in_timer)
{
	u32 move = mls_verdict_move(kind, src, dst), found;
	struct mls_question *q = &t->asked[mls_verdict_place(move)];
	struct qnet_scratch *scratch;
	u64 now = bpf_ktime_get_ns();

	if (t->daemons)
		return stands_in(SCHEDULER_OWN);
	found = find_verdict(q, move, now);
	if (found == MLS_VERDICT_WAITING)
		return stands_in(SCHEDULER_PENDING);
	if (found >= MLS_VERDICT_KEEP)
		return found == MLS_VERDICT_MIGRATE;
	scratch = scratch_of(in_timer);
	if (!scratch)
		return stands_in(SCHEDULER_FULL);
	fill_features(scratch->features, src, dst);
	return send_request(q, kind, src, dst, t->pid, scratch->features, now);
}

/* @number: the slot's and one, 0: it was the daemon that answered. */
static __always_inline void count_model(u32 number, int model, int heuristic)
{
	if (model < 0) {
		COUNT(no_model);
		return;
	}
	COUNT(model);
	if (number)
		COUNT(by_slot[(number - 1) & (SCHEDULER_SLOTS - 1)]);
	if (model)
		COUNT(model_migrates);
	if (model == heuristic)
		COUNT(same);
}

static __always_inline void count_trial(int trial, int reference)
{
	if (trial < 0)
		return;
	COUNT(trial);
	if (trial)
		COUNT(trial_migrates);
	if (trial == reference)
		COUNT(trial_same);
}

/*
 * Asks the active model and, while one is on trial, that too.  Return: what the
 * active one says, 1 or 0, or -1 when there is none or the mode wants none.
 *
 * The exchanges are full barriers.  Either the loader, which switches first and
 * looks at @asking then, sees that we are here, or we see that it has switched.
 */
static __always_inline int ask_models(u32 src, u32 dst, u32 how, int heuristic, bool in_timer)
{
	u32 *asking = &cpu_at(bpf_get_smp_processor_id())->asking;
	u32 outer = __sync_lock_test_and_set(asking, 1);
	struct qnet_scratch *scratch = scratch_of(in_timer);
	u32 number = how != MLS_POLICY_COLLECT ? *(volatile u32 *)&active : 0;
	u32 on_trial = *(volatile u32 *)&candidate;
	int model = -1, trial = -1;

	if (scratch && (number || on_trial)) {
		fill_features(scratch->features, src, dst);
		if (number)
			model = ask_slot(number, in_timer);
		if (on_trial)
			trial = ask_slot(on_trial, in_timer);
	}
	__sync_lock_test_and_set(asking, outer);
	if (how != MLS_POLICY_COLLECT)
		count_model(number, model, heuristic);
	count_trial(trial, model >= 0 ? model : heuristic);
	return model;
}

/* May @t move from @src to @dst?  For optional moves only; a function of its own as above. */
__noinline int decide(struct task *t, u32 kind, u32 src, u32 dst, u32 in_timer)
{
	u32 how = *(volatile u32 *)&mode;
	int heuristic, model = -1, verdict;

	if (!t || kind >= MLS_POLICY_KINDS)
		return 0;
	heuristic = mls_policy_heuristic(kind);
	if (engine == SCHEDULER_ASK_KERNEL) {
		model = ask_models(src, dst, how, heuristic, in_timer);
	} else if (how != MLS_POLICY_COLLECT) {
		model = ask_daemon(t, kind, src, dst, in_timer);
		count_model(0, model, heuristic);
	}
	verdict = mls_policy_verdict(how, model >= 0, model, heuristic);
	COUNT(asked[kind]);
	if (verdict)
		COUNT(accepted[kind]);
	else
		COUNT(refused[kind]);
	return verdict;
}

static __always_inline void count_failure(u32 cause, u32 failure)
{
	if (cause < MLS_POLICY_KINDS && failure < SCHEDULER_FAILURES)
		__sync_fetch_and_add(&counts()->failed[cause][failure], 1);
}

/*
 * An idle CPU was refused a task.  While something waits the timer offers it
 * again each turn: a longer pause means that nothing did.
 */
static __always_inline void keep_from_work(u32 cpu, u64 now)
{
	struct scheduler_cpu *c = cpu_at(cpu);

	/* Two at a time may both begin the period: they differ by nothing that matters. */
	if (now - c->kept_last > KEPT_PERIODS * period_ns)
		c->kept_since = now;
	c->kept_last = now;
}

static __always_inline u64 kept_for(u32 cpu, u64 now)
{
	struct scheduler_cpu *c = cpu_at(cpu);

	if (now - c->kept_last > KEPT_PERIODS * period_ns)
		return 0;
	return now - c->kept_since;
}

static __always_inline u64 waited(struct task *t, u64 now)
{
	u64 since = t->waiting;

	return since && since < now ? now - since : 0;
}

/* The task is about to run elsewhere, and this is why. */
static __always_inline void set_cause(struct task *t, u32 cause)
{
	count_failure(__sync_lock_test_and_set(&t->cause, cause), SCHEDULER_REPLACED);
}

/* It will not, unless it has run in the meantime, which then was counted. */
static __always_inline void take_back(struct task *t, u32 cause)
{
	if (__sync_val_compare_and_swap(&t->cause, cause, SCHEDULER_STAYS) == cause)
		count_failure(cause, SCHEDULER_RACED);
}

#endif /* MLS_BPF_SCHEDULER_DECIDE_H */
