/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Loads bpf/recorder.bpf.c and hands out the migrations that the running
 * kernel made, each with what was known at that moment and what came of it.
 * What to do with them (judge, print, store) is left to the caller.
 */
#ifndef MLS_HOST_RECORDER_H
#define MLS_HOST_RECORDER_H

#include <stdbool.h>
#include <stdint.h>

#include <mlsched/error.h>

#include "src/host/topology.h"

#define MLS_SEED10_WIDTH 10

/* Why the kernel moved a task. */
enum mls_move_kind {
	MLS_MOVE_WAKEUP, /* it woke up and was placed on another CPU */
	MLS_MOVE_BALANCE, /* it was taken from one run queue to another */
	MLS_MOVE_EXEC, /* placed anew by execve() */
	MLS_MOVE_AFFINITY, /* taken off a CPU that it may no longer run on */
	MLS_MOVE_KINDS
};

/**
 * struct mls_move - one migration that the kernel made, and its outcome
 * @id:         1, 2, ... in the order in which they were taken
 * @time:       CLOCK_MONOTONIC in ns
 * @pid:        of the thread; @tgid: of its process; @comm: its name
 * @kind:       why
 * @forced:     the task was not allowed to stay on @src_cpu: nobody could have
 *              refused (affinity, cpuset)
 * @kthread:    a thread of the kernel
 * @asleep:     it had gone to sleep and was still on a run queue (kernels from
 *              6.12 on do that): it waits for its waker, not for a CPU
 * @features:   inputs of schema seed10 at that moment, Q16.16
 * @logit:      of the fixed-point network in the recorder, in its own units;
 *              0 without one
 * @infer_ns:   what computing it took there
 * @idle_for:   ns since the task last ran, or -1 when that was not seen
 * @followed:   whether anything below is known
 * @observed:   ns for which it was followed: the window, or less if the task
 *              moved on too often or the recorder was stopped
 * @ran:        whether the task ran in that time
 * @wait:       ns until it ran; @observed when it did not; of one that was
 *              asleep mostly sleep
 * @ran_there:  that was on @dst_cpu
 * @run_time:   ns that it ran in that time, wherever
 * @moved:      ns until it was moved again, 0 if it was not
 * @back:       ns until it was moved back to @src_cpu ("bounced"), 0 if not
 */
struct mls_move {
	uint64_t id;
	uint64_t time;
	uint32_t pid;
	uint32_t tgid;
	char comm[16];
	uint16_t src_cpu;
	uint16_t dst_cpu;
	uint16_t src_domain;
	uint16_t dst_domain;
	enum mls_move_kind kind;
	bool forced;
	bool kthread;
	bool asleep;
	bool followed;
	bool ran;
	bool ran_there;
	int32_t features[MLS_SEED10_WIDTH];
	int64_t logit;
	uint32_t infer_ns;
	int64_t idle_for;
	uint64_t observed;
	uint64_t wait;
	uint64_t run_time;
	uint64_t moved;
	uint64_t back;
};

/**
 * struct mls_recorder_options - zero means the default
 * @sysfs:     "/sys"
 * @n_domains: as for mls_topology_read()
 * @half_life: of the load averages, in ns; default 32 ms
 * @window:    for which the outcome is followed, in ns; default 100 ms
 * @slot:      a network to be computed at each migration, a struct qnet_slot of
 *             MLS_RECORDER_SLOT_WIDTH made by mls_qnet_pack(), or NULL
 */
struct mls_recorder_options {
	const char *sysfs;
	uint32_t n_domains;
	uint64_t half_life;
	uint64_t window;
	const void *slot;
};

/* QNET_SLOT_WIDTH of bpf/recorder.bpf.c */
#define MLS_RECORDER_SLOT_WIDTH 128

#define MLS_RECORDER_HALF_LIFE  32000000ull
#define MLS_RECORDER_WINDOW     100000000ull
#define MLS_RECORDER_MIN_WINDOW 1000000ull
#define MLS_RECORDER_MAX_WINDOW 4000000000ull

/**
 * struct mls_recorder_counts - everything since the start, exact
 * @switches:   context switches
 * @migrations: calls of the kernel's sched_migrate_task tracepoint
 *              = @taken + @same_cpu + @closing + @lost
 * @taken:      became a struct mls_move; @delivered of them were handed out
 * @same_cpu:   from a CPU to itself: nothing to judge
 * @closing:    after mls_recorder_stop()
 * @lost:       for want of room
 * @missed:     runs of our programs that the kernel skipped
 * @unfollowed: of @taken, those without an outcome
 */
struct mls_recorder_counts {
	uint64_t switches;
	uint64_t migrations;
	uint64_t taken;
	uint64_t delivered;
	uint64_t same_cpu;
	uint64_t closing;
	uint64_t lost;
	uint64_t missed;
	uint64_t unfollowed;
};

/* What a program cost while the kernel's BPF statistics were on. */
struct mls_recorder_cost {
	uint64_t switch_ns, switch_runs;
	uint64_t migrate_ns, migrate_runs;
};

struct mls_recorder;

/**
 * mls_recorder_open() - load, attach, begin
 *
 * The calling thread visits each CPU once, so that the state of all of them is
 * known.  Needs root (or CAP_BPF, CAP_PERFMON) and a kernel with BTF, 5.15 or
 * later.  Nothing of it stays in the kernel after mls_recorder_close() or the
 * end of the process.
 *
 * Return: 0; -EPERM, -ENOENT (no BTF), -EINVAL and what loading returns, with
 * a message that says what to do.
 */
int mls_recorder_open(const struct mls_recorder_options *options, struct mlsched_error *err,
		      struct mls_recorder **recorder);

struct bpf_object;

/**
 * mls_recorder_load() - load for a machine that need not be this one, attach nothing
 * @topology: copied
 * @object:   receives libbpf's object, to look at; it stays the recorder's
 *
 * The result is good for mls_recorder_close() only.
 * Return: as mls_recorder_open().
 */
int mls_recorder_load(const struct mls_recorder_options *options,
		      const struct mls_topology *topology, struct mlsched_error *err,
		      struct mls_recorder **recorder, struct bpf_object **object);

typedef void mls_move_fn(void *context, const struct mls_move *move);

/**
 * mls_recorder_poll() - hand out every migration whose window is over
 * @flush: also those whose window is still open, as far as they are known
 *
 * Neither blocks nor allocates nor calls the kernel; to be called every 20 ms
 * or so.  Of one thread only.
 * Return: how many there were.
 */
uint64_t mls_recorder_poll(struct mls_recorder *recorder, bool flush, mls_move_fn *fn,
			   void *context);

/** mls_recorder_stop() - take no new migrations, go on following the open ones */
void mls_recorder_stop(struct mls_recorder *recorder);

/** mls_recorder_refresh() - take notice of CPUs that came or went; every second or so */
int mls_recorder_refresh(struct mls_recorder *recorder, struct mlsched_error *err);

void mls_recorder_counts(const struct mls_recorder *recorder, struct mls_recorder_counts *counts);

/** mls_recorder_stats() - switch the kernel's BPF statistics on or off for this process's lifetime */
int mls_recorder_stats(struct mls_recorder *recorder, bool on, struct mlsched_error *err);

/** mls_recorder_cost() - as counted while they were on */
void mls_recorder_cost(const struct mls_recorder *recorder, struct mls_recorder_cost *cost);

const struct mls_topology *mls_recorder_topology(const struct mls_recorder *recorder);

/** mls_recorder_since() - mls_now_ns() when it was attached: no move is older */
uint64_t mls_recorder_since(const struct mls_recorder *recorder);

uint64_t mls_recorder_window(const struct mls_recorder *recorder);

/** mls_recorder_close() - detach and free; NULL is allowed */
void mls_recorder_close(struct mls_recorder *recorder);

/** mls_move_kind_name() - "wakeup", ... */
const char *mls_move_kind_name(enum mls_move_kind kind);

#endif /* MLS_HOST_RECORDER_H */
