/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The types, constants and functions of sched_ext that we use, so that the
 * scheduler builds where the kernel has none.  Offsets, values and functions
 * are those of the running kernel: the loader finds them in its BTF by name.
 */
#ifndef MLS_BPF_SCX_TYPES_H
#define MLS_BPF_SCX_TYPES_H

#include "bpf/kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

enum scx_exit_kind {
	SCX_EXIT_NONE,
};

struct scx_exit_info {
	enum scx_exit_kind kind;
	s64 exit_code;
	const char *reason;
	char *msg;
} CO_RE;

struct scx_cgroup_init_args {
	u32 weight;
} CO_RE;

struct bpf_iter_scx_dsq {
	u64 __opaque[6];
} __attribute__((aligned(8)));

/* The numbers are those of 6.18; each is relocated by its name. */
enum scx_dsq_id_flags {
	SCX_DSQ_LOCAL = 0x8000000000000002ull,
};

enum scx_dsq_iter_flags {
	SCX_DSQ_ITER_REV = 1u << 16,
};

enum scx_enq_flags {
	SCX_ENQ_WAKEUP = 1,
	SCX_ENQ_PREEMPT = 1ull << 32,
	SCX_ENQ_REENQ = 1ull << 40,
};

enum scx_deq_flags {
	SCX_DEQ_SLEEP = 1,
};

enum scx_kick_flags {
	SCX_KICK_IDLE = 1,
	SCX_KICK_PREEMPT = 2,
};

enum scx_wake_flags {
	SCX_WAKE_FORK = 4,
};

enum scx_ent_flags {
	SCX_TASK_QUEUED = 1,
};

#define SCX_VALUE(type, name) bpf_core_enum_value(enum type, name)

#define KFUNC __ksym __weak

extern s32 scx_bpf_create_dsq(u64 dsq_id, s32 node) KFUNC;
extern void scx_bpf_dsq_insert(struct task_struct *p, u64 dsq_id, u64 slice, u64 enq_flags) KFUNC;
extern void scx_bpf_dsq_insert_vtime(struct task_struct *p, u64 dsq_id, u64 slice, u64 vtime,
				     u64 enq_flags) KFUNC;
extern bool scx_bpf_dsq_move_to_local(u64 dsq_id) KFUNC;
extern bool scx_bpf_dsq_move(struct bpf_iter_scx_dsq *it__iter, struct task_struct *p, u64 dsq_id,
			     u64 enq_flags) KFUNC;
extern bool scx_bpf_dsq_move_vtime(struct bpf_iter_scx_dsq *it__iter, struct task_struct *p,
				   u64 dsq_id, u64 enq_flags) KFUNC;
extern void scx_bpf_dsq_move_set_slice(struct bpf_iter_scx_dsq *it__iter, u64 slice) KFUNC;
extern void scx_bpf_dsq_move_set_vtime(struct bpf_iter_scx_dsq *it__iter, u64 vtime) KFUNC;
extern s32 scx_bpf_dsq_nr_queued(u64 dsq_id) KFUNC;
extern s32 scx_bpf_task_cpu(const struct task_struct *p) KFUNC;
extern void scx_bpf_kick_cpu(s32 cpu, u64 flags) KFUNC;
extern u32 scx_bpf_reenqueue_local(void) KFUNC;
extern void bpf_rcu_read_lock(void) KFUNC;
extern void bpf_rcu_read_unlock(void) KFUNC;
extern int bpf_iter_scx_dsq_new(struct bpf_iter_scx_dsq *it, u64 dsq_id, u64 flags) KFUNC;
extern struct task_struct *bpf_iter_scx_dsq_next(struct bpf_iter_scx_dsq *it) KFUNC;
extern void bpf_iter_scx_dsq_destroy(struct bpf_iter_scx_dsq *it) KFUNC;

/* The iterator of the bpf_for_each(scx_dsq, ...) around: a name of libbpf's macro. */
#define THE_ITERATOR (&___it)

#endif /* MLS_BPF_SCX_TYPES_H */
