/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Decisions: the question to the model, what became of the answer.  Part of
 * bpf/scheduler.bpf.c.
 */
#ifndef MLS_BPF_SCHEDULER_DECIDE_H
#define MLS_BPF_SCHEDULER_DECIDE_H

#include "bpf/scheduler_features.h"
#include "bpf/scheduler_record.h"
#include "bpf/scheduler_requests.h"
#include "bpf/scheduler_sets.h"

_Static_assert((MLS_POLICY_KINDS & (MLS_POLICY_KINDS - 1)) == 0, "for masks");

/* Runnable tasks of a CPU, from its queue and what it is doing. */
static __always_inline u32 length_of(u32 cpu, bool is_idle)
{
	s32 queue = scx_bpf_dsq_nr_queued(cpu);

	return (queue > 0 ? (u32)queue : 0) + !is_idle;
}

/* Those of both ends of a move, the destination's above the source's. */
static __noinline u64 lengths_of(u32 move)
{
	u32 src = mls_verdict_src(move), dst = mls_verdict_dst(move);
	bool free = mls_verdict_kind(move) == MLS_POLICY_STEAL || is_in(&idle, dst);

	return (u64)length_of(dst, free) << 32 | length_of(src, is_in(&idle, src));
}

/*
 * The features that the model in slot @number - 1 wants.  Functions of their own, this
 * and the next: the verifier looks at each once, and none lies under the other on the
 * stack.
 */
__noinline int fill_features(u32 number, struct task *t, u32 move, u32 in_timer)
{
	struct qnet_scratch *scratch = scratch_of(in_timer);
	u32 index = number - 1;
	struct qnet_slot *slot = bpf_map_lookup_elem(&slots, &index);

	if (!slot || !scratch)
		return 0;
	/* The loader takes models of these two schemas only. */
	if (slot->n_features == MLS_MIG15_INPUTS)
		return fill_mig15(t, move, lengths_of(move), in_timer);
	fill_seed10(scratch->features, mls_verdict_src(move), mls_verdict_dst(move));
	return 0;
}

/* What the model in slot @number - 1 says: 1 or 0, or -1 when there is none. */
__noinline int ask_slot(u32 number, u32 in_timer)
{
	struct qnet_scratch *scratch = scratch_of(in_timer);
	u32 index = number - 1;
	struct qnet_slot *slot = bpf_map_lookup_elem(&slots, &index);
	s64 logit;

	if (!slot || !scratch || slot->magic != QNET_MAGIC)
		return -1;
	logit = qnet_infer(slot, scratch);
	/* The candidate's is nobody's decision. */
	if (record_size && number != *(volatile u32 *)&candidate)
		record_logits[record_place(in_timer)] = logit;
	return logit > slot->threshold;
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
	if (asks_mig15)
		fill_mig15(t, move, lengths_of(move), in_timer);
	else
		fill_seed10(scratch->features, src, dst);
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

/* Of an answer and what becomes of it, in one word: record_decision() takes no more. */
#define ANSWER_VERDICT   0x03u /* of the model, or SCHEDULER_NO_VERDICT */
#define ANSWER_DECIDED   0x04u /* so it was decided, */
#define ANSWER_OWN       0x08u /* and so it would have been without a coin */
#define ANSWER_COIN      0x10u /* one was tossed */
#define ANSWER_CANDIDATE 0x20u /* the network on trial was asked, too, and after the active one */
#define ANSWER_SLOT      8 /* and above it the number of the network that gave the verdict; 0: none */

/*
 * Asks the active model and, while one is on trial, that too.  Return: what the
 * active one says, with ANSWER_CANDIDATE and ANSWER_SLOT.
 *
 * The exchanges are full barriers.  Either the loader, which switches first and
 * looks at @asking then, sees that we are here, or we see that it has switched.
 */
static __always_inline u32 ask_models(struct task *t, u32 move, u32 how, int heuristic,
				      bool in_timer)
{
	u32 *asking = &cpu_at(bpf_get_smp_processor_id())->asking;
	u32 outer = __sync_lock_test_and_set(asking, 1);
	u32 number = how != MLS_POLICY_COLLECT ? *(volatile u32 *)&active : 0;
	u32 on_trial = *(volatile u32 *)&candidate;
	int model = -1, trial = -1;

	if (number) {
		fill_features(number, t, move, in_timer);
		model = ask_slot(number, in_timer);
	}
	if (on_trial) {
		fill_features(on_trial, t, move, in_timer);
		trial = ask_slot(on_trial, in_timer);
	}
	__sync_lock_test_and_set(asking, outer);
	if (how != MLS_POLICY_COLLECT)
		count_model(number, model, heuristic);
	count_trial(trial, model >= 0 ? model : heuristic);
	return (model < 0 ? SCHEDULER_NO_VERDICT : (u32)model | number << ANSWER_SLOT) |
	       (on_trial ? ANSWER_CANDIDATE : 0);
}

/* So many tasks are at the source that no model is asked. */
static __always_inline bool is_large(u32 move)
{
	u64 lengths = lengths_of(move);

	return mls_policy_is_large((u32)lengths, (u32)(lengths >> 32));
}

/* A CPU that was refused a task and has nothing to do is called soon, once for all refusals. */
static __always_inline void ask_again(u32 cpu)
{
	struct again *again;

	if (!has(MLS_POLICY_ASK_AGAIN))
		return;
	again = bpf_map_lookup_elem(&agains, &cpu);
	if (again && !__sync_lock_test_and_set(&again->armed, 1))
		bpf_timer_start(&again->timer, MLS_POLICY_AGAIN, 0);
}

/* In the inputs of the recording, which need not be those of the model. */
static __always_inline bool has_inputs(u32 number)
{
	u32 index = number - 1;
	struct qnet_slot *slot = bpf_map_lookup_elem(&slots, &index);

	return slot && (slot->n_features == MLS_MIG15_INPUTS) == records_mig15;
}

/*
 * Into the scratch; what a network was asked with lies there still, if there was one and no
 * candidate.  Not called by the next function: none lies under the other on the stack.
 */
static __noinline int record_inputs(struct task *t, u32 move, u32 answer, u32 in_timer)
{
	struct qnet_scratch *scratch = scratch_of(in_timer);
	u32 number = answer >> ANSWER_SLOT;

	if (!scratch || (number && !(answer & ANSWER_CANDIDATE) && has_inputs(number)))
		return 0;
	if (records_mig15)
		return fill_mig15(t, move, lengths_of(move), in_timer);
	fill_seed10(scratch->features, mls_verdict_src(move), mls_verdict_dst(move));
	return 0;
}

static __noinline int record_decision(struct task *t, u32 move, u32 how, u32 answer, u32 in_timer)
{
	u32 model = answer & ANSWER_VERDICT, number = answer >> ANSWER_SLOT;
	bool verdict = answer & ANSWER_DECIDED, own = answer & ANSWER_OWN;
	struct qnet_scratch *scratch = scratch_of(in_timer);
	struct scheduler_record *r;
	u64 id;

	if (!t || !scratch)
		return 0;
	r = take_record(&id);
	if (!r) {
		COUNT(unrecorded);
		return 0;
	}
	fill_record(r, t, move,
		    how == MLS_POLICY_ACTIVE && model != SCHEDULER_NO_VERDICT ?
			    SCHEDULER_DECIDED_MODEL :
			    SCHEDULER_DECIDED_HEURISTIC);
#pragma unroll
	for (int i = 0; i < SCHEDULER_RECORD_FEATURES; i++)
		r->features[i] = i < SCHEDULER_FEATURES ? scratch->features[i] : 0;
	r->verdict = (u8)model;
	if (number) {
		r->slot = (u8)number;
		r->logit = record_logits[record_place(in_timer)];
	}
	if (explore) {
		r->propensity = mls_coin_chance(explore, own, verdict);
		if (answer & ANSWER_COIN)
			r->decider = SCHEDULER_DECIDED_COIN;
	}
	r->accepted = (u8)verdict;
	if (!verdict)
		r->result = SCHEDULER_REFUSED;
	publish_record(r, t, id, in_timer);
	COUNT(recorded);
	return 0;
}

/* May @t move from @src to @dst?  For optional moves only; a function of its own as above. */
__noinline int decide(struct task *t, u32 kind, u32 src, u32 dst, u32 in_timer)
{
	u32 how = *(volatile u32 *)&mode;
	u32 explored = 0, answer = SCHEDULER_NO_VERDICT, model;
	int heuristic, verdict, own;

	if (!t || kind >= MLS_POLICY_KINDS)
		return 0;
	heuristic = mls_policy_heuristic(kind);
	if (has(MLS_POLICY_LEVEL_LARGE) && is_large(mls_verdict_move(kind, src, dst))) {
		COUNT(mechanisms[MLS_POLICY_LEVEL_LARGE]);
		how = MLS_POLICY_COLLECT;
	} else if (engine == SCHEDULER_ASK_KERNEL) {
		answer = ask_models(t, mls_verdict_move(kind, src, dst), how, heuristic, in_timer);
	} else if (how != MLS_POLICY_COLLECT) {
		int said = ask_daemon(t, kind, src, dst, in_timer);

		count_model(0, said, heuristic);
		answer = said < 0 ? SCHEDULER_NO_VERDICT : (u32)said;
	}
	model = answer & ANSWER_VERDICT;
	verdict = own =
		mls_policy_verdict(how, model != SCHEDULER_NO_VERDICT, (int)model, heuristic);
	if (explore)
		verdict = toss(own, &explored);
	/* The verifier forgets what was checked when the compiler puts it on the stack. */
	MLS_FEATURE_OPAQUE(kind);
	kind &= MLS_POLICY_KINDS - 1;
	COUNT(asked[kind]);
	if (verdict) {
		COUNT(accepted[kind]);
	} else {
		COUNT(refused[kind]);
		if (kind == MLS_POLICY_STEAL || is_in(&idle, dst))
			ask_again(dst);
	}
	if (record_size) {
		answer |= (verdict ? ANSWER_DECIDED : 0) | (own ? ANSWER_OWN : 0) |
			  (explored ? ANSWER_COIN : 0);
		record_inputs(t, mls_verdict_move(kind, src, dst), answer, in_timer);
		record_decision(t, mls_verdict_move(kind, src, dst), how, answer, in_timer);
	}
	return verdict;
}

/* A move that no model was asked for: a task has waited, or a CPU been kept from work, too long. */
static __always_inline void count_safety(u32 kind, bool waited_too_long)
{
	COUNT(safety[kind & (MLS_POLICY_KINDS - 1)]);
	if (waited_too_long)
		COUNT(safety_waited);
	else
		COUNT(safety_kept);
}

static __always_inline void count_failure(u32 cause, u32 failure)
{
	if (cause < MLS_POLICY_KINDS && failure < SCHEDULER_FAILURES)
		__sync_fetch_and_add(&counts()->failed[cause][failure], 1);
}

/*
 * An idle CPU was refused a task.  While something waits it asks again whenever a turn
 * ends in such a queue (after_enqueue()): a longer pause means that nothing did.
 */
static __always_inline void keep_from_work(u32 cpu, u64 now)
{
	struct scheduler_cpu *c = cpu_at(cpu);

	/* Two at a time may both begin the period: they differ by nothing that matters. */
	if (passed(c->kept_last, now) > MLS_POLICY_KEPT_PERIODS * period_ns)
		c->kept_since = now;
	c->kept_last = now;
}

static __always_inline u64 kept_for(u32 cpu, u64 now)
{
	struct scheduler_cpu *c = cpu_at(cpu);

	if (passed(c->kept_last, now) > MLS_POLICY_KEPT_PERIODS * period_ns)
		return 0;
	return passed(c->kept_since, now);
}

#define MOVE_CAUSE 8 /* bits of it */

/* A move under way ends: it did not come about. */
static __always_inline void end_move(u64 move, u32 failure)
{
	count_failure((u8)move, failure);
	if (record_size)
		end_record(move >> MOVE_CAUSE, SCHEDULER_FAILED + failure);
}

/*
 * The task is about to run elsewhere, and this is why.  Cause and record are one word:
 * of two CPUs that move a task at once each ends the other's as a whole.
 * Return: that word, for take_back().
 */
static __always_inline u64 set_cause(struct task *t, u32 cause, bool in_timer)
{
	u64 move = cause;

	if (record_size) {
		u64 *decided = &record_decided[record_place(in_timer)];

		move |= *decided << MOVE_CAUSE;
		*decided = 0;
	}
	end_move(__sync_lock_test_and_set(&t->move, move), SCHEDULER_REPLACED);
	return move;
}

/* It will not, unless it has run in the meantime, which then was counted. */
static __always_inline void take_back(struct task *t, u64 move)
{
	if (__sync_val_compare_and_swap(&t->move, move, SCHEDULER_STAYS) == move)
		end_move(move, SCHEDULER_RACED);
}

#endif /* MLS_BPF_SCHEDULER_DECIDE_H */
