/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the scheduler knows: options, CPUs, domains, tasks, counters.  Part of
 * bpf/scheduler.bpf.c, which says what the policy is.
 */
#ifndef MLS_BPF_SCHEDULER_STATE_H
#define MLS_BPF_SCHEDULER_STATE_H

#include "bpf/scx_types.h"

#include "bpf/scheduler.h"
#include "core/features.h"
#include "core/load.h"
#define QNET_MAY_GOTO /* a kernel that has sched_ext has it */
#include "core/qnet_bpf.h"

/* Options: set between open and load. */
const volatile struct mls_load_decay decay;
const volatile u64 refresh_ns;
const volatile u64 period_ns = 10000000;
const volatile u32 n_cpus = 1;
const volatile u32 n_words = 1;
const volatile u32 n_online = 1;
const volatile u32 n_recounted; /* members, if one of the domains is large; 0: none is */
const volatile bool partial; /* ordinary tasks are the kernel's */
const volatile u32 mechanisms; /* bits 1 << enum mls_policy_mechanism: what is off is not loaded */

const volatile u32 engine; /* enum scheduler_engine */
const volatile u64 verdict_age = MLS_VERDICT_AGE;
const volatile bool asks_mig15; /* the daemon, instead of seed10 */

/* The loader may change it.  Not among the options above: copies of what is volatile
 * would cost stack in each function that hands it on. */
struct mls_policy policy = MLS_POLICY_INITIAL;

/* Written by the loader; @mode, @active and @candidate while we run. */
u32 mode;
u32 active; /* slot of the network and one; 0: there is none */
u32 candidate; /* slot of one that is asked, too, and compared; the same way */
u16 members[SCHEDULER_MAX_CPUS]; /* CPUs, domain after domain */

/* Sets of CPUs. */
struct scheduler_row rows[SCHEDULER_ROWS]
	__attribute__((aligned(64))); /* online ones; by the loader */
struct scheduler_row idle __attribute__((aligned(64)));
struct scheduler_row queued __attribute__((aligned(64))); /* a hint: their queues were not empty */

struct scheduler_domain domains[SCHEDULER_MAX_DOMAINS];
struct scheduler_cpu cpus[SCHEDULER_MAX_CPUS];
struct scheduler_exit ended __attribute__((aligned(64)));

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SCHEDULER_SLOTS);
	__type(key, u32);
	__type(value, struct qnet_slot);
} slots SEC(".maps");

/* The timer's own scratch: a wake-up may interrupt it on its CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct qnet_scratch);
} timer_scratches SEC(".maps");

struct turn {
	struct bpf_timer timer;
	u32 next; /* CPU at which the next turn begins */
	u32 number;
	u32 member; /* whose load is counted next: see recount_some() */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct turn);
} turns SEC(".maps");

/**
 * struct task - what we know of one task
 * @own:     virtual time, on the clock of @queue
 * @waiting: since when it waits for a CPU; 0: it does not
 * @began:   when it began to run
 * @ran:     ns since it woke up
 * @burst:   average of that
 * @stopped: when it ran last; 0: it never has
 * @slept:   since when it sleeps; 0: it does not
 * @sleep:   average of that
 * @home:    where it has run for most of the time
 * @forked:  @ran and one, up to when it last made a task; 0: it has been judged by that
 * @blocks:  mls_policy_blocks()
 * @move:    the one that is under way: its cause, a decision's kind or enum
 *           scheduler_cause, in the low byte, its record, if there is one, above that
 * @queue:   CPU whose clock @own refers to
 * @ran_on:  CPU on which it ran last
 * @pulls:   by wakers in other domains: mls_policy_pulls()
 * @placed:  enum scheduler_placed
 * @went_on: its slice was over, and it was let go on before lighter tasks
 * @daemons: it is one of the daemon's own
 * @pid:     for people
 * @weight:  in units of the policy, when it was last put into a queue or began to run
 * @group:   id of the cgroup in which it is counted as active,
 * @counted: with this weight; 0: it is not
 * @asked:   of the daemon, about it
 * @record:  its newest open record, 0: none; like the following only with a recording
 */
struct task {
	u64 own;
	u64 waiting;
	u64 began;
	u64 ran;
	u64 burst;
	u64 stopped;
	u64 slept;
	u64 sleep;
	struct mls_home home;
	u64 forked;
	u64 move;
	u32 blocks;
	u32 queue;
	u32 ran_on;
	u32 pulls;
	u32 placed;
	u32 daemons;
	u32 pid;
	u32 weight;
	u32 counted;
	u32 went_on;
	u64 group;
	struct mls_question asked[MLS_VERDICT_QUESTIONS];
	u64 record;
	u32 tgid;
	char comm[SCHEDULER_COMM_SIZE];
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task);
} tasks SEC(".maps");

/* For the mechanism of that name: a CPU that was refused a task is called again. */
struct again {
	struct bpf_timer timer;
	u32 armed;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SCHEDULER_MAX_CPUS);
	__type(key, u32);
	__type(value, struct again);
} agains SEC(".maps");

static __always_inline struct scheduler_cpu *cpu_at(u32 cpu)
{
	return &cpus[cpu & (SCHEDULER_MAX_CPUS - 1)];
}

static __always_inline struct scheduler_counts *counts(void)
{
	return &cpu_at(bpf_get_smp_processor_id())->counts;
}

/* Atomic, because a wake-up may interrupt the timer in the middle of it. */
#define COUNT(what) __sync_fetch_and_add(&counts()->what, 1)

static __always_inline struct task *task_of(struct task_struct *p)
{
	return bpf_task_storage_get(&tasks, p, NULL, 0);
}

static __always_inline bool has(enum mls_policy_mechanism which)
{
	return mls_policy_has(mechanisms, which);
}

static __always_inline u32 distance(u32 src, u32 dst)
{
	struct scheduler_cpu *a = cpu_at(src), *b = cpu_at(dst);

	return a->domain == b->domain ? SCHEDULER_NEAR :
	       a->node == b->node     ? SCHEDULER_NODE :
					SCHEDULER_FAR;
}

static __always_inline u64 waited(struct task *t, u64 now)
{
	u64 since = t->waiting;

	return since && since < now ? now - since : 0;
}

/*
 * For reading pointers out of a task.  Of each that is read from a task which the verifier
 * trusts it asks how far to trust it, and goes through all types of the kernel by name, up
 * to four times: a quarter of all that loading took.  Of this one it asks nothing, and lets
 * what comes be read only, which is a load as before.
 */
static __always_inline const struct task_struct *unproved(const struct task_struct *p)
{
	return bpf_core_cast(p, struct task_struct);
}

#endif /* MLS_BPF_SCHEDULER_STATE_H */
