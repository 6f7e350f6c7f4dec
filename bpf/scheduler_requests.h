/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Questions to the daemon and its verdicts, for the engines that compute in
 * user space.  Part of bpf/scheduler.bpf.c; which verdict may be applied to
 * which decision is core/verdict.h.
 *
 * Nothing here waits.  A question goes into a ring buffer; when that is full,
 * because the daemon is slow, stopped or dead, it is not put, and the heuristic
 * decides as it does until an answer is there.  An answer is one word in a
 * table that the daemon has mapped.
 *
 * We run with a run queue or a task locked, and the daemon is a task like
 * others: it must not be woken from here.  The ring buffer does not: it wakes
 * its reader from an interrupt of its own, which comes when the lock is gone,
 * and only if the reader had read everything.  Under load the daemon is awake
 * anyway and finds the next questions when it has answered the last.  That
 * wake-up is a decision, too, and would put the next question: about the
 * daemon's own tasks nothing is asked.
 */
#ifndef MLS_BPF_SCHEDULER_REQUESTS_H
#define MLS_BPF_SCHEDULER_REQUESTS_H

#include "bpf/scheduler_state.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, SCHEDULER_REQUESTS_SIZE);
} requests SEC(".maps");

/* Written by the daemon alone, a word at a time. */
u64 answers[MLS_VERDICT_ANSWERS] __attribute__((aligned(64)));

u64 last_request;

/* Its process, so that we know its tasks; in the numbers of the kernel, not of a namespace. */
u32 daemon;

static __always_inline int stands_in(u32 end)
{
	COUNT(requests[end & 3]);
	return -1;
}

/* Features first: nobody can read past a place in the ring that is taken and not filled. */
static __always_inline int send_request(struct mls_question *q, u32 kind, u32 src, u32 dst, u32 pid,
					const s32 *features, u64 now)
{
	struct scheduler_request *request = bpf_ringbuf_reserve(&requests, sizeof(*request), 0);
	u64 id;

	if (!request)
		return stands_in(SCHEDULER_FULL);
	id = __sync_fetch_and_add(&last_request, 1) + 1;
	request->id = id;
	request->time = now;
#pragma unroll
	for (u32 i = 0; i < SCHEDULER_FEATURES; i++)
		request->features[i] = asks_mig15 || i < SCHEDULER_SEED10 ? features[i] : 0;
	request->kind = kind;
	request->src = src;
	request->dst = dst;
	request->pid = pid;
	__builtin_memset(request->pad, 0, sizeof(request->pad));
	mls_verdict_put(q, mls_verdict_what(id, mls_verdict_move(kind, src, dst)), now);
	bpf_ringbuf_submit(request, 0);
	return stands_in(SCHEDULER_SENT);
}

/* Is the daemon's verdict on this move of the task there?  One of enum mls_verdict. */
static __always_inline u32 find_verdict(struct mls_question *q, u32 move, u64 now)
{
	u64 time, what = mls_verdict_get(q, &time);
	u64 answer = *(volatile u64 *)&answers[mls_verdict_slot(mls_verdict_id(what))];
	u32 found = mls_verdict_find(what, time, move, answer, now, verdict_age);

	COUNT(verdicts[found & 7]);
	return found;
}

SEC("syscall")
int mlsched_introduce(void *ctx)
{
	daemon = bpf_get_current_pid_tgid() >> 32;
	return 0;
}

#endif /* MLS_BPF_SCHEDULER_REQUESTS_H */
