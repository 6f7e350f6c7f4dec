/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Writes decisions down, with what was known and what came of them.  Part of
 * bpf/scheduler.bpf.c.  Without a recording @record_size is 0, and the verifier
 * drops all of it.
 *
 * As in bpf/recorder.bpf.c records lie in an array that user space maps and reads in
 * place: the id is written last, and user space takes a slot when its window is over.
 * Until then the task's own steps fill in when it ran and moved.  Nothing waits: when
 * the array is full a decision is counted and not written down.
 *
 * A task's open records are a list, newest first.  Two CPUs that decide about one task
 * at once each put theirs in front of what they found, by an exchange: none is lost.
 */
#ifndef MLS_BPF_SCHEDULER_RECORD_H
#define MLS_BPF_SCHEDULER_RECORD_H

#include "bpf/scheduler_state.h"

const volatile u32 record_size; /* a power of two; 0: nothing is recorded */
const volatile u64 record_window = 100000000;
const volatile bool records_mig15; /* instead of seed10 */
const volatile u32 explore; /* of MLS_COIN_CERTAIN decisions a coin takes so many */

/* Records taken by us, and by user space: ids up to and with these. */
u64 record_head __attribute__((aligned(64)));
u64 record_tail __attribute__((aligned(64)));

/* What the network of the active slot said last on each CPU, and in the timer there. */
s64 record_logits[2 * SCHEDULER_MAX_CPUS] __attribute__((aligned(64)));

/* Record of the move that was just decided there, the same way; 0: there is none. */
u64 record_decided[2 * SCHEDULER_MAX_CPUS] __attribute__((aligned(64)));

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* the loader sets it to record_size */
	__type(key, u32);
	__type(value, struct scheduler_record);
} records SEC(".maps");

static __always_inline u32 record_place(bool in_timer)
{
	u32 cpu = bpf_get_smp_processor_id() & (SCHEDULER_MAX_CPUS - 1);

	return cpu + (in_timer ? SCHEDULER_MAX_CPUS : 0);
}

static __always_inline struct scheduler_record *record_at(u64 id)
{
	u32 slot = id & (record_size - 1);

	return bpf_map_lookup_elem(&records, &slot);
}

/* The record if it is still @id's and followed; *age: ns since it. */
static __always_inline struct scheduler_record *open_record(u64 id, u64 now, u64 *age)
{
	struct scheduler_record *r = record_at(id);

	if (!r || r->id != id)
		return NULL;
	*age = now - r->time;
	return *age < record_window && !r->observed ? r : NULL;
}

static __always_inline void end_record(u64 id, u32 result)
{
	struct scheduler_record *r = id ? record_at(id) : NULL;

	if (r && r->id == id)
		r->result = result;
}

/* For people, and for who splits by programs; execve() changes it. */
static __always_inline void record_name(struct task *t, struct task_struct *p)
{
	if (!record_size)
		return;
	t->tgid = (u32)p->tgid;
	bpf_probe_read_kernel(t->comm, sizeof(t->comm), p->comm);
}

/*
 * Now and then a coin decides instead of whoever does: what is never tried cannot be
 * learned.  Only where either answer is allowed; and who is refused by it is under the
 * safety rules like everybody.
 */
static __always_inline int toss(int verdict, u32 *explored)
{
	u32 random = bpf_get_prandom_u32();

	if (!mls_coin_takes(random, explore))
		return verdict;
	*explored = 1;
	COUNT(explored);
	return mls_coin_answer(random);
}

/* A place in the array, or NULL: it is full. */
static __always_inline struct scheduler_record *take_record(u64 *id)
{
	struct scheduler_record *r;

	if (record_head - record_tail >= record_size - SCHEDULER_RECORD_MARGIN)
		return NULL;
	*id = __sync_fetch_and_add(&record_head, 1) + 1;
	r = record_at(*id);
	if (r)
		r->id = 0;
	return r;
}

/* All but the features. */
static __always_inline void fill_record(struct scheduler_record *r, struct task *t, u32 move,
					u32 decider)
{
	r->time = bpf_ktime_get_ns();
	r->run = 0;
	r->logit = 0;
	r->wait = 0;
	r->moved = 0;
	r->back = 0;
	r->observed = 0;
	r->pid = t->pid;
	r->tgid = t->tgid;
	__builtin_memcpy(r->comm, t->comm, sizeof(r->comm));
	r->src = (u16)mls_verdict_src(move);
	r->dst = (u16)mls_verdict_dst(move);
	r->ran_on = r->dst;
	r->kind = (u8)mls_verdict_kind(move);
	r->decider = (u8)decider;
	r->verdict = SCHEDULER_NO_VERDICT;
	r->accepted = 1;
	r->result = SCHEDULER_UNDER_WAY;
	r->slot = 0;
	r->propensity = MLS_COIN_CERTAIN;
}

/* One more is put in front of @id's: the last one that is followed has to make room. */
static __always_inline void close_oldest(u64 id, u64 now)
{
	u64 age;

	for (int i = 1; i < SCHEDULER_FOLLOWED && id; i++) {
		struct scheduler_record *r = open_record(id, now, &age);

		if (!r)
			break;
		if (i == SCHEDULER_FOLLOWED - 1)
			r->observed = (u32)age | 1;
		id = r->older;
	}
}

static __always_inline void publish_record(struct scheduler_record *r, struct task *t, u64 id,
					   bool in_timer)
{
	r->older = __sync_lock_test_and_set(&t->record, id);
	close_oldest(r->older, r->time);
	if (r->accepted)
		record_decided[record_place(in_timer)] = id;
	/* An exchange is a full barrier: who reads the id finds the rest. */
	__sync_lock_test_and_set(&r->id, id);
}

/* A move that no verdict was asked for: by a safety rule, or because the task may not stay. */
static __noinline int record_rule(struct task *t, u32 move, u32 cause, u32 in_timer)
{
	struct scheduler_record *r;
	u64 id;

	if (!record_size || !t || cause < MLS_POLICY_KINDS)
		return 0;
	r = take_record(&id);
	if (!r) {
		COUNT(unrecorded_rules);
		return 0;
	}
	fill_record(r, t, move,
		    cause == SCHEDULER_BY_SAFETY ? SCHEDULER_DECIDED_SAFETY :
						   SCHEDULER_DECIDED_FORCE);
#pragma unroll
	for (int i = 0; i < SCHEDULER_RECORD_FEATURES; i++)
		r->features[i] = 0;
	publish_record(r, t, id, in_timer);
	COUNT(recorded_rules);
	return 0;
}

/* ---- what comes of it -------------------------------------------------------------- */

/* It runs on another CPU than before: the others of its records see it moved on. */
static __always_inline void record_moved(struct task *t, u64 own, u32 cpu, u64 now)
{
	u64 id = t->record, age;

	for (int i = 0; i < SCHEDULER_FOLLOWED && id; i++) {
		struct scheduler_record *r = open_record(id, now, &age);

		if (!r)
			break;
		if (id != own) {
			if (!r->back && r->src == cpu && (r->moved || r->result == SCHEDULER_MOVED))
				r->back = (u32)age | 1;
			if (!r->moved)
				r->moved = (u32)age | 1;
		}
		id = r->older;
	}
}

static __noinline int record_starts(struct task *t, u32 cpu, u64 now)
{
	u64 id, age;

	if (!t)
		return 0;
	id = t->record;
	for (int i = 0; i < SCHEDULER_FOLLOWED && id; i++) {
		struct scheduler_record *r = open_record(id, now, &age);

		if (!r) {
			/* Unless another has just been put in front of it. */
			if (i == 0)
				__sync_val_compare_and_swap(&t->record, id, 0);
			break;
		}
		if (!r->wait) {
			r->ran_on = (u16)cpu;
			r->wait = (u32)age | 1;
		}
		r->run = (age + 1) << 32 | (u32)r->run;
		id = r->older;
	}
	return 0;
}

static __noinline int record_stops(struct task *t, u64 now)
{
	u64 id, age;

	if (!t)
		return 0;
	id = t->record;
	for (int i = 0; i < SCHEDULER_FOLLOWED && id; i++) {
		struct scheduler_record *r = open_record(id, now, &age);
		u64 since;

		/* A task that runs on past the window's end is reckoned by user space. */
		if (!r)
			break;
		since = r->run >> 32;
		if (since)
			r->run = (u32)r->run + age - (since - 1);
		id = r->older;
	}
	return 0;
}

#endif /* MLS_BPF_SCHEDULER_RECORD_H */
