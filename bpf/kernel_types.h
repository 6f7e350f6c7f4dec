/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The few kernel types that our BPF programs read, each with only the fields
 * that they use.  The loader finds the real offsets in the running kernel's
 * BTF (CO-RE), so no vmlinux.h is needed, and one object fits kernels 5.15 on.
 */
#ifndef MLS_BPF_KERNEL_TYPES_H
#define MLS_BPF_KERNEL_TYPES_H

#include <linux/bpf.h>

#include "core/types.h"

typedef _Bool bool;
#define true  1
#define false 0

#define CO_RE __attribute__((preserve_access_index))

/* include/linux/sched.h: set on a task between being woken and being queued */
#define TASK_WAKING 0x200
#define PF_KTHREAD  0x00200000

struct cpumask {
	unsigned long bits[1];
} CO_RE;

struct thread_info {
	u32 cpu;
} CO_RE;

struct sched_entity {
	unsigned char sched_delayed;
} CO_RE;

/* Kernels from 6.12 on with sched_ext. */
struct sched_ext_entity {
	u32 flags;
	u32 weight;
	u64 slice;
	u64 dsq_vtime;
} CO_RE;

struct kernfs_node {
	u64 id;
} CO_RE;

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
} CO_RE;

struct cgroup {
	struct cgroup_subsys_state self;
	int level;
	struct kernfs_node *kn;
} CO_RE;

/* What the CPU controller makes of a cgroup. */
struct task_group {
	struct cgroup_subsys_state css;
} CO_RE;

struct task_struct {
	struct thread_info thread_info;
	unsigned int __state;
	unsigned int flags;
	unsigned int policy;
	int nr_cpus_allowed;
	struct sched_entity se;
	struct sched_ext_entity scx;
	struct task_group *sched_task_group;
	int pid;
	int tgid;
	const struct cpumask *cpus_ptr;
	unsigned int in_execve : 1;
	char comm[16];
} CO_RE;

/* Until 5.15, x86 kept the CPU here. */
struct task_struct___cpu {
	unsigned int cpu;
} CO_RE;

struct bpf_mem_alloc {
	void *cache;
} CO_RE;

typedef struct {
	int counter;
} atomic_t;

/* Where storage of tasks comes from: the first from 6.4 to 6.18, the second in 6.19 and 7.0, */
struct bpf_local_storage_map {
	struct bpf_mem_alloc selem_ma;
	bool use_kmalloc_nolock;
} CO_RE;

/* and this since 7.0. */
struct bpf_local_storage_elem {
	atomic_t state;
} CO_RE;

struct bpf_iter_meta;

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
} CO_RE;

#endif /* MLS_BPF_KERNEL_TYPES_H */
