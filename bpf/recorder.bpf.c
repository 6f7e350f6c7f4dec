// SPDX-License-Identifier: GPL-2.0
/*
 * Watches the kernel's own scheduler and writes down each migration that it
 * makes, with what was known at that moment and with what came of it.  It
 * decides nothing and changes nothing.
 *
 * Policy
 * - At a context switch a CPU writes only its own cache line, and only if it
 *   became busy or idle; "busy" is: it runs something else than its idle task.
 *   The average load follows from that one word (core/load.h).
 * - A domain's busy CPUs are a counter that each CPU changes by the difference
 *   between what it was and what it is: nothing can drift, a change that was
 *   missed is made good by the next.
 * - At a migration the loads of the two domains are the means over their CPUs,
 *   taken then, or up to @refresh_ns ago where domains are large.
 * - Decisions lie in one array that user space maps and reads in place: the
 *   slot's id is written last, and user space takes a slot when its window is
 *   over.  While the window is open, switches of the task fill in how long it
 *   waited and ran; later migrations of it, whether it moved on or back.  So
 *   nothing is sent for a switch, and one slot is used for a migration.
 * - With a network in the slot, it is computed right there, as a scheduler
 *   would have to: the logit stands in the decision.
 * - What cannot be written is counted, each reason on its own.
 * - Tasks get their storage where they are made and, those that were there
 *   before, from an iterator.  The iterator may not see all; on kernels from
 *   6.4 on, whose allocator works under any lock, the others get theirs when
 *   they migrate.  The kernel frees it with the task: exits need no program.
 *
 * Every loop has a bound that the verifier knows: CPUs of a domain, domains,
 * four open decisions of a task.
 *
 * Weakness: a CPU that has not switched since the start counts as idle; the
 * loader therefore visits each CPU once before the first decision.
 */
#include "bpf/kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/recorder.h"
#include "core/load.h"
#include "core/qnet_bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* Options: set between open and load. */
const volatile u64 window_ns = 100000000;
const volatile u64 refresh_ns;
const volatile u32 ring_size = 16384; /* a power of two */
const volatile u32 n_domains = 1;
const volatile u32 largest_domain = 1; /* CPUs */
const volatile struct mls_load_decay decay;
const volatile bool has_network;

/* Written by the loader. */
u16 members[RECORDER_MAX_CPUS]; /* CPUs, domain after domain */
u32 n_online;
bool closing; /* follow what is open, take nothing new */

/* Decisions taken by the recorder, and by user space: ids up to and with these. */
u64 head __attribute__((aligned(64)));
u64 tail __attribute__((aligned(64)));

struct recorder_domain domains[RECORDER_MAX_DOMAINS] __attribute__((aligned(64)));
struct recorder_cpu cpus[RECORDER_MAX_CPUS] __attribute__((aligned(64)));

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 16384); /* the loader sets it to ring_size */
	__type(key, u32);
	__type(value, struct recorder_decision);
} ring SEC(".maps");

/* The network of --engine kernel, put there before anything is attached. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct qnet_slot);
} slots SEC(".maps");

/* The last run of a task, and its newest open decision. */
struct task_run {
	u64 stopped; /* when it last ceased to run; 0: not seen */
	u64 decision; /* 0: none is open */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task_run);
} tasks SEC(".maps");

static __always_inline struct recorder_cpu *this_cpu(void)
{
	return &cpus[bpf_get_smp_processor_id() & (RECORDER_MAX_CPUS - 1)];
}

static __always_inline struct recorder_decision *decision_at(u64 id)
{
	u32 slot = id & (ring_size - 1);

	return bpf_map_lookup_elem(&ring, &slot);
}

/* The decision if it is still @id and its window open; *age is the time since it in ns. */
static __always_inline struct recorder_decision *open_decision(u64 id, u64 now, u64 *age)
{
	struct recorder_decision *d = decision_at(id);

	/*
	 * A slot is used again a whole ring later; a task whose id is that old
	 * finds another id, or a window that is long over.
	 */
	if (!d || d->id != id)
		return NULL;
	*age = now - d->time;
	return *age < window_ns ? d : NULL;
}

static __always_inline void task_stops(struct task_struct *p, u64 now)
{
	struct task_run *t = bpf_task_storage_get(&tasks, p, NULL, 0);
	u64 id, age;

	if (!t)
		return;
	t->stopped = now;
	id = t->decision;
	for (int i = 0; i < RECORDER_FOLLOWED && id; i++) {
		struct recorder_decision *d = open_decision(id, now, &age);
		u64 since;

		/* A task that runs on past the window's end is reckoned by user space. */
		if (!d)
			break;
		since = d->run >> 32;
		if (since)
			d->run = (u32)d->run + age - (since - 1);
		id = d->older;
	}
}

static __always_inline void task_starts(struct task_struct *p, u64 now)
{
	struct task_run *t = bpf_task_storage_get(&tasks, p, NULL, 0);
	u64 id, age;

	if (!t || !t->decision)
		return;
	id = t->decision;
	for (int i = 0; i < RECORDER_FOLLOWED && id; i++) {
		struct recorder_decision *d = open_decision(id, now, &age);

		if (!d) {
			if (i == 0)
				t->decision = 0;
			break;
		}
		if (!d->wait) {
			d->ran_on = bpf_get_smp_processor_id();
			d->wait = age | 1;
		}
		d->run = (age + 1) << 32 | (u32)d->run;
		id = d->older;
	}
}

static __noinline void cpu_changes(struct recorder_cpu *c, bool was_busy, bool busy, u64 now)
{
	struct mls_load_decay d = { decay.per_unit, decay.longest };
	enum mls_load_state old = mls_load_state(c->load);
	s64 step = busy - (old == MLS_LOAD_BUSY);

	c->load = mls_load_change(c->load, was_busy ? MLS_LOAD_BUSY : MLS_LOAD_IDLE,
				  busy ? MLS_LOAD_BUSY : MLS_LOAD_IDLE, now, &d);
	if (step)
		__sync_fetch_and_add(&domains[c->domain & (RECORDER_MAX_DOMAINS - 1)].busy, step);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	u64 now = bpf_ktime_get_ns();
	struct recorder_cpu *c = this_cpu();
	bool was_busy = prev->pid != 0, busy = next->pid != 0;

	c->switches++;
	if (mls_load_state(c->load) != (busy ? MLS_LOAD_BUSY : MLS_LOAD_IDLE))
		cpu_changes(c, was_busy, busy, now);
	if (was_busy)
		task_stops(prev, now);
	if (busy)
		task_starts(next, now);
	return 0;
}

/*
 * May a task get its storage while a run queue is locked?  Where it comes from an allocator that
 * works under any lock, BPF's own or, later, the kernel's.
 */
static __always_inline u64 storage_flags(void)
{
	if (bpf_core_field_exists(struct bpf_local_storage_map, selem_ma) ||
	    bpf_core_field_exists(struct bpf_local_storage_map, use_kmalloc_nolock) ||
	    bpf_core_field_exists(struct bpf_local_storage_elem, state))
		return BPF_LOCAL_STORAGE_GET_F_CREATE;
	return 0;
}

/* Mean load of a domain's CPUs, Q16.16; a function of its own for the verifier. */
__noinline u32 domain_load(u32 index, u64 now)
{
	struct recorder_domain *domain = &domains[index & (RECORDER_MAX_DOMAINS - 1)];
	struct mls_load_decay d = { decay.per_unit, decay.longest };
	u64 sum = 0;
	u32 load;

	/* Two CPUs may both find it old, and both are right: the race only costs time. */
	if (refresh_ns && now - domain->stamp < refresh_ns)
		return domain->load;
	for (u32 i = 0; i < largest_domain; i++) {
		u32 cpu;

		if (i >= domain->n_cpus)
			break;
		cpu = members[(domain->first + i) & (RECORDER_MAX_CPUS - 1)];
		sum += mls_load_at(cpus[cpu & (RECORDER_MAX_CPUS - 1)].load, now, &d);
	}
	sum = sum * domain->share >> 28;
	load = mls_load_q16(sum < MLS_LOAD_ONE ? sum : MLS_LOAD_ONE);
	domain->load = load;
	domain->stamp = now;
	return load;
}

static __always_inline u32 task_cpu(struct task_struct *p)
{
	if (bpf_core_field_exists(p->thread_info.cpu))
		return p->thread_info.cpu;
	return BPF_CORE_READ((struct task_struct___cpu *)p, cpu);
}

static __always_inline bool may_run_on(struct task_struct *p, u32 cpu)
{
	const struct cpumask *mask = BPF_CORE_READ(p, cpus_ptr);
	unsigned long bits = 0;

	if (bpf_probe_read_kernel(&bits, sizeof(bits), &mask->bits[cpu / 64 & 15]))
		return true;
	return bits >> (cpu & 63) & 1;
}

static __always_inline u8 kind_of(struct task_struct *p, bool forced)
{
	if (BPF_CORE_READ(p, __state) & TASK_WAKING)
		return RECORDER_WAKEUP;
	if (bpf_core_field_exists(p->in_execve) && BPF_CORE_READ_BITFIELD_PROBED(p, in_execve))
		return RECORDER_EXEC;
	return forced ? RECORDER_AFFINITY : RECORDER_BALANCE;
}

/* From 6.12 on a task that sleeps may stay on its queue, and be moved with it, until picked. */
static __always_inline bool is_asleep(struct task_struct *p)
{
	return bpf_core_field_exists(p->se.sched_delayed) && BPF_CORE_READ(p, se.sched_delayed);
}

static __always_inline void fill_features(struct recorder_decision *d)
{
	u64 busy = 0, online = n_online;

	for (u32 i = 0; i < n_domains; i++)
		busy += domains[i & (RECORDER_MAX_DOMAINS - 1)].busy;
	/* A CPU that goes down or comes up may be counted on one side only for a moment. */
	if (busy > online)
		busy = online;
	d->features[0] = d->src_cpu << 16;
	d->features[1] = (online - busy) << 16;
	d->features[2] = busy << 16;
	d->features[3] = domain_load(d->src_domain, d->time);
	d->features[4] = domain_load(d->dst_domain, d->time);
}

/* Run queues are locked here, so nothing else uses this CPU's scratch. */
static __always_inline void infer(struct recorder_decision *d)
{
	struct qnet_scratch *scratch = qnet_scratch();
	u32 zero = 0;
	struct qnet_slot *slot = bpf_map_lookup_elem(&slots, &zero);
	u64 begin;

	if (!scratch || !slot)
		return;
	begin = bpf_ktime_get_ns();
	for (int i = 0; i < RECORDER_FEATURES; i++)
		scratch->features[i] = d->features[i];
	/* The others of seed10 are zero, and nobody else writes them. */
	d->logit = qnet_infer(slot, scratch);
	d->infer_ns = bpf_ktime_get_ns() - begin;
}

/* The open decisions of a task that moves once more; the oldest has to make room. */
static __always_inline u64 mark_moved(struct task_run *t, u64 now, u32 dst)
{
	u64 id = t->decision, newest = 0, age;

	for (int i = 0; i < RECORDER_FOLLOWED && id; i++) {
		struct recorder_decision *d = open_decision(id, now, &age);

		if (!d)
			break;
		if (i == 0)
			newest = id;
		if (!d->moved)
			d->moved = age | 1;
		if (!d->back && d->src_cpu == dst)
			d->back = age | 1;
		if (i == RECORDER_FOLLOWED - 1)
			d->observed = age | 1;
		id = d->older;
	}
	return newest;
}

static __always_inline void fill(struct recorder_decision *d, struct task_struct *p, u32 src,
				 u32 dst)
{
	d->src_cpu = src;
	d->dst_cpu = dst;
	d->src_domain = cpus[src & (RECORDER_MAX_CPUS - 1)].domain;
	d->dst_domain = cpus[dst & (RECORDER_MAX_CPUS - 1)].domain;
	d->pid = p->pid;
	d->tgid = p->tgid;
	bpf_probe_read_kernel(d->comm, sizeof(d->comm), p->comm);
	d->flags = may_run_on(p, src) ? 0 : RECORDER_FORCED;
	d->kind = kind_of(p, d->flags);
	if (is_asleep(p))
		d->flags |= RECORDER_ASLEEP;
	if (p->flags & PF_KTHREAD)
		d->flags |= RECORDER_KTHREAD;
	d->run = 0;
	d->idle_for = 0;
	d->logit = 0;
	d->infer_ns = 0;
	d->wait = 0;
	d->moved = 0;
	d->back = 0;
	d->observed = 0;
	d->ran_on = dst;
	d->older = 0;
	fill_features(d);
	if (has_network)
		infer(d);
}

SEC("tp_btf/sched_migrate_task")
int BPF_PROG(on_migrate, struct task_struct *p, int dst)
{
	struct recorder_cpu *c = this_cpu();
	u64 now = bpf_ktime_get_ns(), id, older = 0;
	struct recorder_decision *d;
	u32 src = task_cpu(p);
	struct task_run *t;

	c->migrations++;
	if (src == dst) {
		c->same_cpu++;
		return 0;
	}
	t = bpf_task_storage_get(&tasks, p, NULL, storage_flags());
	if (t)
		older = mark_moved(t, now, dst);
	if (closing) {
		c->closing++;
		return 0;
	}
	if (head - tail >= ring_size - RECORDER_MARGIN) {
		c->lost++;
		return 0;
	}
	id = __sync_fetch_and_add(&head, 1) + 1;
	d = decision_at(id);
	if (!d)
		return 0;
	d->id = 0;
	d->time = now;
	fill(d, p, src, dst);
	if (t) {
		d->flags |= RECORDER_FOLLOW;
		if (t->stopped) {
			d->flags |= RECORDER_LAST_RUN;
			d->idle_for = now - t->stopped;
		}
		d->older = older;
		t->decision = id;
	} else {
		c->unfollowed++;
	}
	/* An exchange is a full barrier: who reads the id finds the rest. */
	__sync_lock_test_and_set(&d->id, id);
	return 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(on_new_task, struct task_struct *p)
{
	bpf_task_storage_get(&tasks, p, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	return 0;
}

/* Run once by the loader: storage for the tasks that are there already. */
SEC("iter/task")
int each_task(struct bpf_iter__task *ctx)
{
	struct task_struct *p = ctx->task;

	if (p)
		bpf_task_storage_get(&tasks, p, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	return 0;
}
