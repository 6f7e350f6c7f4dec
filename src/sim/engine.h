/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The simulator: tasks that run on CPUs, event by event, under a policy.
 *
 * All that changes lies in one block of memory without pointers, so that a copy of it is
 * another world that goes on by itself (sim_clone()).  What does not change (machine,
 * workload, policy, options) is shared, and outlives all of them.
 *
 * Times are ns; times of day begin at 0.  The same seed gives the same to the bit.
 *
 * Leaves to others: what tasks do (workload.h), who runs where (policy.h), figures and
 * their tables (results.h).
 */
#ifndef MLS_SIM_ENGINE_H
#define MLS_SIM_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mlsched/error.h>

#include "core/features.h"
#include "core/load.h"
#include "core/policy.h"
#include "core/types.h"
#include "src/sim/cpu_load.h"
#include "src/sim/machine.h"
#include "src/sim/results.h"
#include "src/sim/workload.h"

#define SIM_NONE  UINT32_MAX
#define SIM_NEVER UINT64_MAX

/* CONFIG_HZ=250, as distributions have it. */
#define SIM_TICK (4 * SIM_MS)

enum sim_state { SIM_FREE, SIM_BLOCKED, SIM_QUEUED, SIM_RUNNING };

/* Why a task becomes runnable. */
enum sim_why {
	SIM_WOKEN,
	SIM_FORKED,
	SIM_PUT_BACK, /* it ran, and others are to have their turn */
};

/* What a policy knows of a task; each has its own.  Virtual times may wrap. */
union sim_task_policy {
	struct {
		u64 own;
		u64 waiting;
		u64 ran; /* since it woke up */
		u64 burst;
		u64 stopped; /* when it ran last; 0: never */
		u64 sleep; /* average */
		u64 slept; /* since when; 0: it does not */
		u64 forked; /* ns of this run, and one, when it made a task */
		struct mls_home home;
		u32 blocks; /* mls_policy_blocks() */
		u32 queue;
		u32 pulls;
		u32 placed;
		u32 went_on;
	} mls;
	struct {
		u64 vruntime;
		s64 lag;
		u64 load; /* decaying average of being runnable, as core/load.h, */
		u64 util; /* and of running */
		u32 recent; /* CPU that it used before */
		u32 wakee; /* of the last one that it woke */
		u32 flips;
		u64 flips_at;
		u32 lag_on; /* the CPU on which it had its lag */
		u32 asleep_on; /* the CPU whose load it is while it sleeps, and one; 0: none */
	} fair;
	struct {
		u64 vtime, deadline;
		u64 average, burst; /* ns that it runs: of late, and since it woke up */
		u64 wakes, blocks; /* in 100 ms, of late */
		u64 woke, blocked; /* when it did last */
		u64 load; /* decaying average of being runnable */
		u32 domain;
		u32 target; /* domain that the balancer wants it in, and one; 0: none */
		u32 active; /* balancing before which it ran last, and one */
		bool at_once; /* goes to the CPU that was chosen, past the queue */
	} rusty;
};

/**
 * struct sim_task - one task; its number is its place in the array
 * @who:     number in the workload, by which its chance is drawn
 * @group:   that it sends messages in
 * @instance: among those that began with the same program
 * @pc:      next instruction
 * @times:   of each loop
 * @left:    ns of its burst that are still to do
 * @debt:    ns of CPU time to refill caches; while there is some, half of the time pays it
 * @extra:   ns of the kernel's work that it does before
 * @since:   when it became runnable, was put back, or fell asleep
 * @due:     when it should have run: for the latency of its waking up; 0: it was put back;
 *           SIM_NEVER: nobody counts
 * @cpu:     where it is queued, runs or ran last
 * @ran_on:  where it ran last; SIM_NONE: nowhere
 * @home:    node of its memory
 * @cooled:  what had come into the caches of @ran_on, its core and its last level, by then
 * @tied:    to a last-level cache and one; 0: not
 * @parent:  whose child it is; SIM_NONE
 * @children: that have not ended,
 * @ended:   have ended and not been waited for
 * @waits:   for one child (1) or all (2)
 * @mail:    messages that it has not received
 * @from:    last-level cache of the last one's sender; SIM_NONE
 * @key:     by which queues are ordered
 */
struct sim_task {
	u32 who;
	u32 group;
	u32 instance;
	u16 program;
	u16 pc;
	u32 times[SIM_LOOPS];
	u8 state;
	u8 waits;
	bool in_begin;
	bool receives;
	u64 left;
	u64 debt;
	u64 extra;
	u64 since;
	u64 due;
	u64 ran; /* in all */
	u32 cpu;
	u32 ran_on;
	u32 home;
	u32 tied;
	u64 cooled[2];
	u32 parent;
	u32 children;
	u32 ended;
	u32 mail;
	u32 hop;
	u32 from;
	u32 next, previous; /* in its queue; SIM_NONE */
	u64 key;
	u64 looped; /* when it went back last */
	union sim_task_policy policy;
};

/* Tasks in the order of their keys, equal ones in the order in which they came. */
struct sim_queue {
	u32 first, last;
	u32 n;
};

union sim_cpu_policy {
	struct {
		u64 clock;
		u64 own, burst;
		u64 idle_since, idle_mean;
		u64 kept_since, kept_last;
		u64 checked;
		u64 turn, slice; /* began, and lasts so long */
		u64 ran; /* of the running task since it woke up, when it began */
		u64 left, left_sleep; /* when its owner did, and how long that sleeps */
		u32 weight; /* of the running task */
		u32 mean; /* weight of a task in the queue, when the timer last looked */
		u32 owner; /* task that ran last and sleeps, and one; 0: none */
		u32 length;
		struct mls_policy_turns turns;
	} mls;
	struct {
		u64 zero; /* the average when there was somebody last */
		__int128 weighted; /* sum over the queue of weight times virtual time */
		u64 weight; /* of the queue */
		u64 vruntime; /* of the running task when it began, */
		u64 protected; /* and its deadline then */
		u64 balanced_at[3]; /* last periodic balancing on each level, */
		u32 interval[3]; /* the time to the next one in ms, while it is idle, */
		u32 failed[3]; /* and how often that found tasks and could take none */
		struct {
			u32 calls, successes, ratio;
		} newidle[3]; /* of each level, as the kernel counts them */
		u64 dice; /* thrown by a newly idle CPU */
		u64 idle_since, idle_mean;
		struct cpu_load load;
	} fair;
	struct {
		u64 turn, slice; /* began, and lasts so long */
		u64 idle_since, idle_time; /* SIM_NEVER: it runs */
		u32 told_idle, told_busy; /* by the last tuning, in units of its clock */
		u32 next_domain; /* to look at, or to give a new task to */
		/* Of the domain that begins with this CPU: */
		u32 runnable, weight; /* tasks, and the sum of their weights */
		bool direct; /* idle enough to be given tasks of others */
		u64 clock;
		u64 averages[2], at; /* of the two, by then */
		/* Of the machine, if it is the first one: */
		bool busy; /* all the time */
		u32 next_idle; /* CPU at which a search begins */
	} rusty;
};

/**
 * struct sim_cpu
 * @current: task that runs; SIM_NONE: it is idle
 * @began:   when its progress was last booked
 * @picked:  when it was picked
 * @loads:   how busy it was of late: core/load.h
 * @cooled:  KiB that came into its caches so far
 */
struct sim_cpu {
	u32 current;
	bool resched;
	bool moves; /* takes a task from another CPU just now: that costs */
	u64 began;
	u64 picked;
	u64 loads;
	u64 cooled;
	struct sim_queue queue;
	struct sim_queue local; /* sched_ext's: before its own queue */
	union sim_cpu_policy policy;
};

/**
 * struct sim_group - tasks that send each other messages
 * @first: of them, which are neighbours
 * @n:     tasks
 * @hops:  of messages, still to do
 */
struct sim_group {
	u32 first;
	u32 n;
	u32 hops;
};

/**
 * struct sim_object - what tasks wait for each other by
 * @waiting: in the order in which they came
 * @value:   of a semaphore; arrivals at a barrier; who holds a mutex, and one
 * @time:    of a timer, when it was due last
 */
struct sim_object {
	struct sim_queue waiting;
	u32 value;
	u64 time;
};

/* A move that is optional, and may be refused. */
struct sim_decision {
	u32 kind; /* enum mls_policy_kind */
	u32 task;
	u32 src, dst;
	bool large; /* so large an imbalance that no model is asked */
};

struct sim;

/**
 * struct sim_watch - what is told to who looks on; each of it may be NULL
 * @arrives: a task has been made; its number may have been another one's before
 * @departs: it has ended
 * @decided: on an optional move, and may decide otherwise; @asked: by struct sim_options's
 * @moves:   a task that does not run goes from where it is to @cpu; @kind: enum sim_move_kind
 * @starts:  it runs from now on, where it is
 * @stops:   and does so no longer
 */
struct sim_watch {
	void (*arrives)(void *watcher, const struct sim *s, u32 task);
	void (*departs)(void *watcher, const struct sim *s, u32 task);
	int (*decided)(void *watcher, const struct sim *s, const struct sim_decision *decision,
		       bool asked, int verdict);
	void (*moves)(void *watcher, const struct sim *s, u32 task, u32 cpu, u32 kind);
	void (*starts)(void *watcher, const struct sim *s, u32 task);
	void (*stops)(void *watcher, const struct sim *s, u32 task);
};

/**
 * struct sim_tuning - what our policy can be given
 * @mechanisms: that it has: bits 1 << enum mls_policy_mechanism
 * @worth:      ns of waiting that a move from each level must spare: as of struct mls_policy
 */
struct sim_tuning {
	u32 mechanisms;
	u64 worth[MLS_POLICY_LEVELS];
};

/* Initializers: what core/policy.h says a move is worth, with these mechanisms, and with none. */
#define SIM_TUNING_WITH(set)                                                               \
	{                                                                                  \
		(set),                                                                     \
		{                                                                          \
			MLS_POLICY_WORTH_NEAR, MLS_POLICY_WORTH_NODE, MLS_POLICY_WORTH_FAR \
		}                                                                          \
	}
#define SIM_TUNING_DEFAULT SIM_TUNING_WITH(0)

/** sim_tuning_is_default() - it is that */
bool sim_tuning_is_default(const struct sim_tuning *tuning);

/**
 * struct sim_options - constant, and shared by all copies
 * @decide:  the verdict on an optional move: 1 is yes; NULL: the heuristic's
 * @context: for it
 * @limit:   of simulated time, after which a run is given up; never more than 2^64 ns by the
 *           number of tasks at a time (156 hours for 32,768), or of CPUs
 * @ran:     a task has run from then until now; may be NULL
 * @observer: for it
 * @watch:   NULL: nobody looks on
 * @watcher: for it
 * @tuning:  of our policy; NULL: the default
 * @free:    moves cost tasks nothing: no caches to refill, no memory far away; what they cost
 *           the kernel stays
 */
struct sim_options {
	int (*decide)(void *context, struct sim *s, const struct sim_decision *decision);
	void (*ran)(void *observer, const struct sim *s, u32 cpu, u32 task, u64 from);
	void *context;
	void *observer;
	const struct sim_watch *watch;
	void *watcher;
	u64 limit;
	const struct sim_tuning *tuning;
	bool free;
};

struct sim_policy;

/**
 * struct sim - the beginning of the block
 * @salt:    of all draws from now on: another one is another future
 * @alive:   tasks that are no daemons and have not ended
 * @here:    have arrived at SIM_BEGIN,
 * @started: when all had, and the measurement began; SIM_NEVER before
 * @n_jobs:  numbers given out
 * @rules:   of our policy, and its
 * @enabled: mechanisms: by the tuning
 * @sum:     what the policy is judged by: results.h
 */
struct sim {
	const struct sim_machine *machine;
	const struct sim_workload *workload;
	const struct sim_policy *policy;
	const struct sim_options *options;
	struct sim_results *results; /* not copied with the rest; may be NULL */
	size_t size;
	u64 now;
	u64 seed;
	u64 salt;
	u64 events;
	struct mls_policy rules;
	u64 mechanisms[MLS_POLICY_MECHANISMS]; /* how often each was used */
	u64 started, ended;
	u32 alive;
	u32 here, expected;
	u32 n_jobs;
	u32 enabled;
	u32 most_tasks, free;
	u32 task_bits, slot_bits; /* that their numbers have */
	u32 n_dirty;
	u32 turn, turn_from; /* of the policy's timer: its number, and the CPU at which it begins */
	struct sim_sum sum;
	struct mls_load_decay decay;
	u64 llc_cooled[SIM_MAX_LLCS];
	u64 idle[SIM_MAX_CPUS / 64];
	u64 queued[SIM_MAX_CPUS / 64];
	/* Behind it in the block; from here on the addresses differ from copy to copy. */
	struct sim_cpu *cpus;
	struct sim_task *tasks;
	struct sim_group *groups;
	struct sim_object *objects;
	u32 *dirty; /* CPUs that must choose anew */
	u64 *heap; /* of slots, the earliest first: events.h */
	u32 *place; /* of each slot in the heap; SIM_NONE */
	u64 *sleepers; /* tasks, the same */
	u32 n_heap, n_sleepers;
};

/**
 * sim_new() - a world at time 0
 *
 * Return: it, to be freed with sim_free(), or NULL without memory.
 */
struct sim *sim_new(const struct sim_machine *machine, const struct sim_workload *workload,
		    const struct sim_policy *policy, const struct sim_options *options, u64 seed,
		    struct sim_results *results);

/** sim_clone() - another world in the same state, without results; NULL without memory */
struct sim *sim_clone(const struct sim *s);

/** sim_copy() - makes @to, a clone of the same beginning, as @from is */
void sim_copy(struct sim *to, const struct sim *from);

void sim_free(struct sim *s);

/**
 * sim_run() - goes on until the workload is done or the time has come
 *
 * Return: 1: the workload is done; 0: it is @until; -ETIMEDOUT: the limit was reached;
 * -EDEADLK: all tasks wait for each other.
 */
int sim_run(struct sim *s, u64 until);

/** sim_next() - time of the next event; SIM_NEVER */
u64 sim_next(const struct sim *s);

/** sim_step() - the next event with all that follows from it; as sim_run() */
int sim_step(struct sim *s);

/** sim_settle() - nothing more happens until then: books what the running tasks do by then */
void sim_settle(struct sim *s, u64 until);

/* ---- for policies -------------------------------------------------------------------- */

/** sim_resched() - the CPU chooses anew as soon as this event has been dealt with */
void sim_resched(struct sim *s, u32 cpu);

/** sim_waits() - somebody waits for a CPU that has not been told: the running task's turn ends */
void sim_waits(struct sim *s, u32 cpu);

/** sim_may_run() - affinity */
static inline bool sim_may_run(const struct sim *s, const struct sim_task *t, u32 cpu)
{
	return !t->tied || s->machine->llc[cpu] == t->tied - 1;
}

/** sim_move() - the task, which does not run, goes to another CPU; @kind: enum sim_move_kind */
void sim_move(struct sim *s, u32 task, u32 cpu, u32 kind);

/** sim_decide() - is it taken? */
bool sim_decide(struct sim *s, u32 kind, u32 task, u32 src, u32 dst);

/** sim_decide_large() - the same where the imbalance is so large that no model is asked */
bool sim_decide_large(struct sim *s, u32 kind, u32 task, u32 src, u32 dst);

/** sim_call() - the policy's cpu_timer() for this CPU at that time; SIM_NEVER: no more */
void sim_call(struct sim *s, u32 cpu, u64 time);

/** sim_is_called() - it will be */
bool sim_is_called(const struct sim *s, u32 cpu);

/** sim_owes() - ns of CPU time that the task would owe on a CPU if it ran there now */
u64 sim_owes(const struct sim *s, u32 task, u32 cpu);

/** sim_ran() - ns for which a CPU's task has been running since it was picked */
static inline u64 sim_ran(const struct sim *s, u32 cpu)
{
	return s->now - s->cpus[cpu].picked;
}

void sim_queue_insert(struct sim *s, struct sim_queue *q, u32 task, u64 key);
void sim_queue_append(struct sim *s, struct sim_queue *q, u32 task);
void sim_queue_remove(struct sim *s, struct sim_queue *q, u32 task);

static inline struct sim_task *sim_task(const struct sim *s, u32 task)
{
	return &s->tasks[task];
}

static inline bool sim_is_idle(const struct sim *s, u32 cpu)
{
	return s->cpus[cpu].current == SIM_NONE;
}

#endif /* MLS_SIM_ENGINE_H */
