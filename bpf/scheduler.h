/* SPDX-License-Identifier: GPL-2.0 */
/* What the scheduler's BPF program and its loader share: limits, counters, the end. */
#ifndef MLS_BPF_SCHEDULER_H
#define MLS_BPF_SCHEDULER_H

#include "core/coin.h"
#include "core/features.h"
#include "core/policy.h"
#include "core/types.h"
#include "core/verdict.h"

/* Design section 7. */
#define SCHEDULER_MAX_CPUS    1024
#define SCHEDULER_MAX_DOMAINS 64
#define SCHEDULER_MAX_NODES   16
#define SCHEDULER_WORDS       (SCHEDULER_MAX_CPUS / 64)

/* Sets of CPUs, one row each: domains, then nodes, then all. */
#define SCHEDULER_ROW_NODES 64
#define SCHEDULER_ROW_ALL   80
#define SCHEDULER_ROWS      128 /* a power of two, for masks */

/* CPUs of a domain whose loads are computed at a time; one with more is large. */
#define SCHEDULER_LOADS 64

#define SCHEDULER_SLOTS 2

/* Waits by powers of two: bucket b counts those below 2^b microseconds. */
#define SCHEDULER_BUCKETS 32

/* Why a task runs on another CPU than before: a decision's kind, or one of these. */
enum scheduler_cause {
	SCHEDULER_BY_SAFETY = MLS_POLICY_KINDS,
	SCHEDULER_BY_FORCE, /* affinity: it could not stay */
	SCHEDULER_BY_KERNEL, /* not by us: affinity that was changed, bypass */
	SCHEDULER_CAUSES,
	SCHEDULER_STAYS = 255,
};

/* Why an accepted move did not come about. */
enum scheduler_failure {
	SCHEDULER_RACED, /* the idle CPU or the task was taken by somebody else */
	SCHEDULER_REPLACED, /* another move of the same task came before it ran */
	SCHEDULER_RETURNED, /* it ran where it was after all, or never ran again */
	SCHEDULER_FAILURES
};

/* Distance of a move. */
enum scheduler_distance {
	SCHEDULER_NEAR = MLS_POLICY_NEAR,
	SCHEDULER_NODE = MLS_POLICY_NODE,
	SCHEDULER_FAR = MLS_POLICY_FAR,
	SCHEDULER_DISTANCES
};

/* Who computes the network. */
enum scheduler_engine {
	SCHEDULER_ASK_KERNEL, /* the BPF program, at once */
	SCHEDULER_ASK_DAEMON, /* a program in user space, which answers later (core/verdict.h) */
};

/* What became of a decision that needed the daemon's verdict and had none. */
enum scheduler_request_end {
	SCHEDULER_SENT, /* the question is on its way */
	SCHEDULER_FULL, /* the ring buffer was full */
	SCHEDULER_PENDING, /* the same question is on its way already */
	SCHEDULER_OWN, /* about the daemon itself: never asked */
	SCHEDULER_REQUEST_ENDS
};

/* Of the ten inputs of seed10 those that are not always zero. */
#define SCHEDULER_SEED10 5
/* Of the longest schema. */
#define SCHEDULER_FEATURES MLS_FEATURES_MOST

/* How far select_cpu() has got with a task that enqueue() is to deal with. */
enum scheduler_placed {
	SCHEDULER_NOT_PLACED,
	SCHEDULER_PLACED, /* no idle CPU was found, or none is to be taken */
	SCHEDULER_IN_PLACE, /* its parent is about to leave it the CPU */
	SCHEDULER_PREEMPTS, /* it takes the place of the longer one that runs there */
	SCHEDULER_CALLED, /* an idle CPU was taken for it, which will look into its queue */
};

/* Room for as many requests as there are answers; a header of the kernel's 8 bytes with each. */
#define SCHEDULER_REQUESTS_SIZE (MLS_VERDICT_ANSWERS * (sizeof(struct scheduler_request) + 8))

/**
 * struct scheduler_request - a question to the daemon
 * @id:       its answer is mls_verdict_answer(@id, ...) at mls_verdict_slot(@id)
 * @time:     when the features were taken, CLOCK_MONOTONIC in ns
 * @features: Q16.16, of the schema that the daemon's engines are of
 * @kind:     enum mls_policy_kind
 * @pid:      of the task; for people, nothing is looked up by it
 */
struct scheduler_request {
	u64 id;
	u64 time;
	s32 features[SCHEDULER_FEATURES];
	u32 kind;
	u32 src;
	u32 dst;
	u32 pid;
	u32 pad[7]; /* to a power of two with the ring buffer's header */
};

/* Inputs of the longest schema. */
#define SCHEDULER_RECORD_FEATURES 16
/* Open records of one task that are followed; one more closes the oldest. */
#define SCHEDULER_FOLLOWED 8
/* Slots that stay free, so that CPUs which look at the same moment cannot overrun the array. */
#define SCHEDULER_RECORD_MARGIN SCHEDULER_MAX_CPUS
#define SCHEDULER_COMM_SIZE     16

/* Who decided. */
enum scheduler_decider {
	SCHEDULER_DECIDED_FORCE,
	SCHEDULER_DECIDED_SAFETY,
	SCHEDULER_DECIDED_HEURISTIC,
	SCHEDULER_DECIDED_MODEL,
	SCHEDULER_DECIDED_COIN,
};

/* What became of it. */
enum scheduler_result {
	SCHEDULER_UNDER_WAY,
	SCHEDULER_MOVED,
	SCHEDULER_REFUSED,
	SCHEDULER_FAILED, /* and enum scheduler_failure */
};

#define SCHEDULER_NO_VERDICT 2

/**
 * struct scheduler_record - a decision, or a move by a rule, and what came of it
 * @id:       1, 2, ...: written last; the slot is @id modulo the array's size
 * @older:    the task's record before this one, or 0
 * @time:     CLOCK_MONOTONIC in ns
 * @run:      low half: ns that the task ran since, within the window; high half: 0,
 *            or 1 + the ns after @time at which it last began to run
 * @logit:    of the network, in its own units; 0 where there is none
 * @wait:     ns until the task ran anywhere, at least 1; 0 until then
 * @moved:    ns until it ran on another CPU than before, other than by this move
 * @back:     ns until that was @src
 * @observed: 0, or ns after which it was no longer followed
 * @features: Q16.16
 * @kind:     enum mls_policy_kind
 * @decider:  enum scheduler_decider
 * @verdict:  of the model, SCHEDULER_NO_VERDICT: it has said none
 * @slot:     of the network that was asked, and one; 0: none, or the daemon
 * @propensity: chance of this decision, of MLS_COIN_CERTAIN
 *
 * Times after @time end at the window, which fits 32 bits of ns.
 */
struct scheduler_record {
	u64 id;
	u64 older;
	u64 time;
	u64 run;
	s64 logit;
	u32 wait;
	u32 moved;
	u32 back;
	u32 observed;
	u32 pid;
	u32 tgid;
	char comm[SCHEDULER_COMM_SIZE];
	s32 features[SCHEDULER_RECORD_FEATURES];
	u16 src;
	u16 dst;
	u16 ran_on;
	u8 kind;
	u8 decider;
	u8 verdict;
	u8 accepted;
	u8 result;
	u8 slot;
	u32 propensity;
};

struct scheduler_row {
	u64 word[SCHEDULER_WORDS];
};

/**
 * struct scheduler_counts - what one CPU counted
 * @asked:      decisions, by kind: = @accepted + @refused
 * @accepted:   by the verdict that counts: = moved[kind] + failed[kind], and
 *              those under way
 * @moved:      tasks that ran elsewhere than before, by cause and distance
 * @failed:     accepted moves that did not come about
 * @forbidden:  candidates that a hard rule took out
 * @model:      decisions that a model was asked for
 * @model_migrates: of these, those where it said "migrate"
 * @same:       of these, those where it said what the heuristic says
 * @by_slot:    of @model, by the slot that answered
 * @no_model:   decisions in a mode that wants a model, without one; with a daemon
 *              for an engine = all of @requests
 * @requests:   what became of these
 * @verdicts:   what looking for the daemon's verdict came to, by enum mls_verdict:
 *              KEEP and MIGRATE = @model, the others = @requests but for
 *              SCHEDULER_OWN
 * @trial:      decisions that the candidate was asked for besides
 * @trial_migrates: of these, those where it said "migrate"
 * @trial_same: of these, those where it said what the active model says, or
 *              where there is none what the heuristic says
 * @safety:     moves that a safety rule allowed, by kind
 * @safety_waited: of these, those of a task that had waited too long,
 * @safety_kept:   and those to a CPU that had been kept from work for too long
 * @overdue:    tasks served before their turn, because they had waited too long
 * @explored:   decisions that a coin took
 * @recorded:   decisions that were written down: with @unrecorded, which found no room,
 *              all of @asked since a recording began
 * @recorded_rules: moves by safety and hard rules that were written down; the same way
 * @bound:      tasks bound to a CPU, put there at once
 * @preempted:  running tasks that one which woke up took the place of
 * @kicked:     idle CPUs called to look for work
 * @mechanisms: how often each of them acted, by enum mls_policy_mechanism
 * @wait_ns:    the longest wait for a CPU
 * @waited_ns:  sum of all waits
 * @waits:      all waits
 */
struct scheduler_counts {
	u64 asked[MLS_POLICY_KINDS];
	u64 accepted[MLS_POLICY_KINDS];
	u64 refused[MLS_POLICY_KINDS];
	u64 moved[SCHEDULER_CAUSES][SCHEDULER_DISTANCES];
	u64 failed[MLS_POLICY_KINDS][SCHEDULER_FAILURES];
	u64 safety[MLS_POLICY_KINDS];
	u64 safety_waited;
	u64 safety_kept;
	u64 overdue;
	u64 forbidden;
	u64 model;
	u64 model_migrates;
	u64 same;
	u64 by_slot[SCHEDULER_SLOTS];
	u64 no_model;
	u64 requests[SCHEDULER_REQUEST_ENDS];
	u64 verdicts[MLS_VERDICTS + 1]; /* a power of two, for masks */
	u64 trial;
	u64 trial_migrates;
	u64 trial_same;
	u64 explored;
	u64 recorded;
	u64 unrecorded;
	u64 recorded_rules;
	u64 unrecorded_rules;
	u64 bound;
	u64 preempted;
	u64 kicked;
	u64 mechanisms[MLS_POLICY_MECHANISMS];
	u64 wait_ns;
	u64 waited_ns;
	u64 waits[SCHEDULER_BUCKETS];
};

/**
 * struct scheduler_cpu - one CPU
 * @load:       core/load.h
 * @clock:      virtual time: of the task that has used most among those that ran
 * @own:        virtual time of the running task when it began
 * @began:      when that was
 * @burst:      of the running task
 * @ran:        ns for which the running task had run since it woke up, when it began
 * @kept_since: refusals keep it from work since then,
 * @kept_last:  and did so last at this time
 * @idle_since: when it became idle; 0: it is busy
 * @idle_mean:  average of its idle periods
 * @checked:    when its queue was last searched for overdue tasks
 * @left:       when the task that ran last went to sleep,
 * @left_sleep: its average sleep,
 * @owner:      its pid; 0: it has come back, or is gone
 * @length:     of its queue when a task was last put in or taken out
 * @weight:     of the running task
 * @mean:       weight of a task in its queue, when the timer last looked
 * @policy:     of the running task, the kernel's number
 * @turns:      of the timer for which its queue has been unlike others
 * @ours:       such a task runs, and not one of another class
 * @asking:     it is reading a slot: nobody may write to one that it may have found
 * @counted:    its load in the sum of its domain, if that is large
 * @reported:   length of its queue, when mlsched_report() last looked
 * @domain:     set by the loader, like @node
 */
struct scheduler_cpu {
	u64 load;
	u64 clock;
	u64 own;
	u64 began;
	u64 burst;
	u64 ran;
	u64 kept_since;
	u64 kept_last;
	u64 idle_since;
	u64 idle_mean;
	u64 checked;
	u64 left;
	u64 left_sleep;
	u32 owner;
	u32 length;
	u32 weight;
	u32 mean;
	u32 policy;
	struct mls_policy_turns turns;
	u32 ours;
	u32 asking;
	u32 counted;
	s32 reported;
	u16 domain;
	u16 node;
	struct scheduler_counts counts;
} __attribute__((aligned(64)));

/**
 * struct scheduler_domain - CPUs that are compared with each other
 * @first:  of its CPUs in the list of members
 * @n_cpus: length there
 * @share:  2^28 / online CPUs of the domain, rounded
 * @stamp:  when @load was computed
 * @sum:    of the loads of its CPUs, as each was counted last; of large domains only
 * @load:   mean of its CPUs, Q16.16
 * @next:   whose load is computed next, where not all are at once
 */
struct scheduler_domain {
	u32 first;
	u32 n_cpus;
	u64 share;
	u64 stamp;
	s64 sum;
	u32 load;
	u32 next;
} __attribute__((aligned(64)));

/**
 * struct scheduler_exit - what the kernel said at the end
 * @kind: enum scx_exit_kind, written last; 0 while we are attached
 * @code: of an orderly end: what the kernel asks for (SCX_ECODE_*)
 */
struct scheduler_exit {
	u64 code;
	u32 kind;
	char reason[128];
	char message[1024];
};

struct task_struct;
struct scx_exit_info;
struct scx_exit_task_args;
struct scx_init_task_args;
struct scx_cpu_release_args;
struct cgroup;
struct scx_cgroup_init_args;

/*
 * The members of the kernel's struct sched_ext_ops that we use; libbpf finds
 * each by its name in the running kernel's BTF.  On the loader's side the
 * pointers have no meaning.
 */
struct sched_ext_ops {
	s32 (*select_cpu)(struct task_struct *p, s32 prev_cpu, u64 wake_flags);
	void (*enqueue)(struct task_struct *p, u64 enq_flags);
	void (*dispatch)(s32 cpu, struct task_struct *prev);
	void (*runnable)(struct task_struct *p, u64 enq_flags);
	void (*running)(struct task_struct *p);
	void (*stopping)(struct task_struct *p, _Bool runnable);
	void (*quiescent)(struct task_struct *p, u64 deq_flags);
	void (*update_idle)(s32 cpu, _Bool idle);
	void (*cpu_release)(s32 cpu, struct scx_cpu_release_args *args);
	s32 (*init_task)(struct task_struct *p, struct scx_init_task_args *args);
	void (*exit_task)(struct task_struct *p, struct scx_exit_task_args *args);
	void (*enable)(struct task_struct *p);
	/* Kernels without CONFIG_EXT_GROUP_SCHED have none of these three. */
	s32 (*cgroup_init)(struct cgroup *cgroup, struct scx_cgroup_init_args *args);
	void (*cgroup_exit)(struct cgroup *cgroup);
	void (*cgroup_set_weight)(struct cgroup *cgroup, u32 weight);
	s32 (*init)(void);
	void (*exit)(struct scx_exit_info *info);
	u64 flags;
	u32 timeout_ms;
	u64 hotplug_seq;
	char name[128];
};

#endif /* MLS_BPF_SCHEDULER_H */
