/* SPDX-License-Identifier: GPL-2.0 */
/* What the recorder's BPF program and its loader share: limits, counters, one migration. */
#ifndef MLS_BPF_RECORDER_H
#define MLS_BPF_RECORDER_H

#include "core/types.h"

/* Design section 7. */
#define RECORDER_MAX_CPUS    1024
#define RECORDER_MAX_DOMAINS 64

#define RECORDER_COMM_SIZE 16
/* Of the ten inputs of seed10 those that are not always zero. */
#define RECORDER_FEATURES 5
/* Open decisions of one task that are followed; a task that moves more often closes its oldest. */
#define RECORDER_FOLLOWED 4
/* Slots that stay free, so that CPUs which look at the same moment cannot overrun the ring. */
#define RECORDER_MARGIN RECORDER_MAX_CPUS

/* Why the kernel moved the task. */
enum recorder_kind {
	RECORDER_WAKEUP, /* it woke up and was placed on another CPU */
	RECORDER_BALANCE, /* it was taken from one run queue to another */
	RECORDER_EXEC, /* placed anew by execve() */
	RECORDER_AFFINITY, /* taken off a CPU that it may no longer run on */
	RECORDER_KINDS
};

/* Flags of a decision. */
#define RECORDER_FORCED   1 /* the task may not run on its source CPU: no policy may refuse */
#define RECORDER_KTHREAD  2
#define RECORDER_LAST_RUN 4 /* @idle_for is known */
#define RECORDER_ASLEEP   16 /* it went to sleep and only waits to be taken off its queue */
#define RECORDER_FOLLOW   8 /* the outcome is followed; without it only features are known */

/**
 * struct recorder_decision - one migration and what became of it
 * @id:        1, 2, ...: written last; the slot is @id modulo the ring's size
 * @older:     the task's decision before this one while that is open, or 0
 * @time:      of the migration, CLOCK_MONOTONIC in ns
 * @run:       low half: ns that the task ran since, within the window; high
 *             half: 0, or 1 + the ns after @time at which it last began to run
 * @idle_for:  ns since the task last ran
 * @logit:     of the network in the recorder, in its own units; 0 without one
 * @infer_ns:  what computing it took, one reading of the clock included
 * @wait:      ns until the task ran anywhere, at least 1; 0 until then
 * @moved:     ns until it moved again, at least 1; 0 if it has not
 * @back:      ns until it moved back to @src_cpu, at least 1; 0 if it has not
 * @observed:  0, or ns after which it was no longer followed
 * @ran_on:    CPU of the end of @wait
 * @features:  Q16.16
 *
 * Times after @time end at the window, which fits 32 bits of ns.
 */
struct recorder_decision {
	u64 id;
	u64 older;
	u64 time;
	u64 run;
	u64 idle_for;
	s64 logit;
	u32 wait;
	u32 moved;
	u32 back;
	u32 observed;
	u32 pid;
	u32 tgid;
	char comm[RECORDER_COMM_SIZE];
	s32 features[RECORDER_FEATURES];
	u16 src_cpu;
	u16 dst_cpu;
	u16 ran_on;
	u8 src_domain;
	u8 dst_domain;
	u8 kind;
	u8 flags;
	u8 pad[6];
	u32 infer_ns;
};

/**
 * struct recorder_cpu - what one CPU writes, in a cache line of its own
 * @load:       core/load.h; the only field that other CPUs read
 * @switches:   context switches seen
 * @migrations: calls of sched_migrate_task on this CPU, whatever became of them
 * @same_cpu:   of these, those from a CPU to itself
 * @closing:    of these, those after the recorder stopped taking decisions
 * @lost:       of these, those that found the ring full
 * @unfollowed: decisions without an outcome: no task storage
 * @domain:     set by the loader
 */
struct recorder_cpu {
	u64 load;
	u64 switches;
	u64 migrations;
	u64 same_cpu;
	u64 closing;
	u64 lost;
	u64 unfollowed;
	u32 domain;
	u32 pad;
};

/**
 * struct recorder_domain - CPUs that are compared with each other
 * @busy:    CPUs that run a task; changed atomically by their own CPUs
 * @first:   of its CPUs in the list of members
 * @n_cpus:  length there
 * @share:   2^28 / online CPUs of the domain, rounded
 * @stamp:   when @load was computed
 * @load:    mean of its CPUs, Q16.16
 */
struct recorder_domain {
	s64 busy;
	u32 first;
	u32 n_cpus;
	u64 share;
	u64 stamp;
	u32 load;
	u32 pad[7];
};

#endif /* MLS_BPF_RECORDER_H */
