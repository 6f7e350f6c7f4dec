// SPDX-License-Identifier: GPL-2.0
/*
 * A scheduler that keeps tasks where they are, and asks a network before it
 * moves one.
 *
 * Policy
 * - Each CPU has a queue of its own, ordered by virtual deadline: the weighted
 *   time that a task has used plus what it usually needs until it sleeps.  A
 *   queue shared by a domain would hand a task to whichever CPU is free, and
 *   nearly every dispatch would be a migration.
 * - Virtual time is each CPU's own.  A task that changes its queue takes along
 *   by how much it is ahead or behind, not an absolute time.
 * - A task that wakes up goes to its previous CPU if that is idle.  Otherwise
 *   an idle CPU of the same domain is offered, then, if others wait at its own,
 *   one of the node, then any; if all is busy or refused, it waits in its own
 *   queue, and takes the place of the running task if it is entitled to.
 * - A CPU that runs dry is offered tasks that wait elsewhere, near ones first,
 *   from a few queues that have something to spare; it never takes the only
 *   runnable task of another CPU.  It does so only if it can expect to be idle
 *   for longer than a move costs: its idle periods were that long of late, or
 *   this one is.  Whose turn is over while others run on calls such a CPU.
 * - A timer levels heavy and light queues, a few queues a turn.
 * - Tasks in cgroups have the part of their group's weight that is theirs
 *   (bpf/scheduler_cgroup.h).
 * - A task that has waited for longer than the limit is served next, whatever
 *   its weight.
 * - Every such offer is a decision (core/policy.h).  Hard rules come first: no
 *   task is offered where it may not run.  Safety rules come last: a task that
 *   has waited longer than the limit moves whatever the network says.
 * - Tasks bound to one CPU by the kernel go straight there.
 * - Mechanisms that make it cheap to stay, each only where it was asked for
 *   (core/policy.h): a new task waits for a parent that is about to sleep, a short
 *   task takes the place of a long one rather than leave its domain, a CPU that was
 *   refused a task asks again, and of a queue that is far too long no model is asked.
 *
 * It does well where tasks have caches worth keeping.  Its known weakness:
 * what is not searched is not found: at most eight queues are looked at when
 * a CPU runs dry, the first in order rather than the longest; and of
 * cgroups only the weights count, not cpu.idle and cpu.max.
 *
 * No loop is over all CPUs or all tasks: sets of CPUs are words of 64, sixteen
 * at most, the loads of 64 CPUs of a domain are computed at a time, and everything
 * else has a small constant bound.
 */
#include "bpf/scx_types.h"

#include <bpf/bpf_tracing.h>

#include "bpf/scheduler_cgroup.h"
#include "bpf/scheduler_decide.h"

char LICENSE[] SEC("license") = "GPL";

#define LEVELS MLS_POLICY_LEVELS

/* ---- waking up ------------------------------------------------------------------ */

/* As it was when the task was put into its queue. */
static __always_inline u32 weight_of(struct task_struct *p)
{
	struct task *t = task_of(p);

	return t ? t->weight : MLS_POLICY_WEIGHT;
}

static __always_inline u64 apart(struct task_struct *p, struct task *t, u64 ns)
{
	return mls_policy_apart(ns, p->scx.weight * MLS_POLICY_FINE, t->weight);
}

static __always_inline bool is_bound(struct task_struct *p)
{
	return (p->flags & PF_KTHREAD) && p->nr_cpus_allowed == 1;
}

/* Its virtual time by the clock of a CPU, wherever it has run. */
static __always_inline void take_clock(struct task *t, u32 cpu)
{
	if (t->queue == cpu)
		return;
	t->own = mls_policy_move(t->own, cpu_at(t->queue)->clock, cpu_at(cpu)->clock);
	t->queue = cpu;
}

/* What a task's virtual time is where it is to run next, on a CPU whose clock it has. */
static __always_inline u64 placed(struct task_struct *p, struct task *t, u32 cpu)
{
	return mls_policy_place(&policy, apart(p, t, policy.credit), t->own, cpu_at(cpu)->clock,
				t->weight, (int)t->went_on);
}

static __always_inline void place(struct task_struct *p, struct task *t, u32 cpu)
{
	take_clock(t, cpu);
	t->own = placed(p, t, cpu);
	t->went_on = 0;
}

static __always_inline bool run_at_once(struct task_struct *p, struct task *t, u32 cpu)
{
	if (!take_out(&idle, cpu))
		return false;
	/*
	 * An ordinary task of the kernel's may take the CPU before it has looked, for long.
	 * In its queue ours is found by others then, in its local one by nobody.
	 */
	if (partial) {
		t->placed = SCHEDULER_CALLED;
		return true;
	}
	t->waiting = bpf_ktime_get_ns();
	place(p, t, cpu);
	scx_bpf_dsq_insert(p, SCX_VALUE(scx_dsq_id_flags, SCX_DSQ_LOCAL), policy.slice, 0);
	return true;
}

/* For how long a CPU without work is expected to have none. */
static __always_inline u64 idle_expected(u32 cpu, u64 now)
{
	struct scheduler_cpu *c = cpu_at(cpu);
	u64 since = c->idle_since;

	return mls_policy_expected(c->idle_mean, since && since < now ? now - since : 0);
}

/* Can an idle CPU expect to be idle for longer than a move from that far costs? */
static __always_inline bool is_worth(u32 cpu, u32 level, u64 now)
{
	return level < LEVELS && mls_policy_is_worth(&policy, level, idle_expected(cpu, now));
}

/* Of the running task, as far as we know. */
static __always_inline u32 running_weight(u32 cpu)
{
	u32 weight = cpu_at(cpu)->weight;

	return weight ? weight : MLS_POLICY_WEIGHT;
}

/* What is runnable on a busy CPU weighs about so much, its queue being of this length. */
static __always_inline u64 weight_at(u32 cpu, u32 length)
{
	u32 mean = cpu_at(cpu)->mean;

	return (u64)length * (mean ? mean : MLS_POLICY_WEIGHT) + running_weight(cpu);
}

/*
 * The CPU with the shortest queue, or the lightest one @by_weight, among a few that
 * a task with this mask may run on, an idle one if there is one, which may be @src by
 * now.  Return: its runnable tasks and, above them, the CPU and one; 0: there is none.
 */
__noinline u64 find_shorter(u64 first_word, u64 mask, u32 src, u32 from, u32 by_weight)
{
	struct scheduler_domain *domain =
		&domains[cpu_at(src)->domain & (SCHEDULER_MAX_DOMAINS - 1)];
	u64 best = 0, least = ~0ull;
	u32 k;

	bpf_for(k, 0, LEVELS) {
		s32 cpu = find(IDLE, rows_of(src, k), from, first_word, mask);

		if (cpu >= 0)
			return (u64)(cpu + 1) << 32;
	}
	bpf_for(k, 0, 2 * MLS_POLICY_SAMPLES) {
		u32 n = k < MLS_POLICY_SAMPLES ? domain->n_cpus : n_cpus, cpu;
		u64 may = first_word, load;
		s32 others;

		if (!n)
			continue;
		cpu = (from + k) % n;
		if (k < MLS_POLICY_SAMPLES)
			cpu = members[(domain->first + cpu) & (SCHEDULER_MAX_CPUS - 1)];
		if (cpu == src || cpu >= n_cpus || !is_in(&rows[SCHEDULER_ROW_ALL], cpu))
			continue;
		if (n_words > 1)
			bpf_probe_read_kernel(&may, sizeof(may), (void *)(mask + cpu / 64 * 8));
		if (!(may & bit_of(cpu)))
			continue;
		others = scx_bpf_dsq_nr_queued(cpu);
		if (others < 0)
			continue;
		load = by_weight ? weight_at(cpu, (u32)others) : (u64)others + 1;
		/* The near ones come first and win a tie. */
		if (load >= least)
			continue;
		least = load;
		best = (u64)(cpu + 1) << 32 | ((u64)others + 1);
	}
	return best;
}

/* Who is woken again and again from elsewhere may follow its waker. */
static __always_inline s32 follow(struct task_struct *p, struct task *t, u32 prev, u32 waker)
{
	u32 level = distance(prev, waker);

	if (waker == prev || !may_run_on(p, waker) ||
	    !mls_policy_offers_pull(level, t->pulls, cpu_at(prev)->length, cpu_at(waker)->length) ||
	    !decide(t, MLS_POLICY_WAKEUP, prev, waker, false))
		return (s32)prev;
	t->pulls = 0;
	set_cause(t, MLS_POLICY_WAKEUP, false);
	return (s32)waker;
}

/* A new task has nothing in a cache yet: where few wait it starts best. */
static __always_inline s32 place_new(struct task_struct *p, struct task *t, u32 parent)
{
	u32 length = cpu_at(parent)->length;
	u64 found;
	u32 dst;

	if (!length)
		return (s32)parent;
	found = find_shorter(allowed_word(p, 0), mask_of(p), parent, (u32)p->pid, 0);
	dst = (u32)(found >> 32) - 1;
	if (!found || dst == parent || (u32)found > length ||
	    !decide(t, MLS_POLICY_FORK, parent, dst, false))
		return (s32)parent;
	set_cause(t, MLS_POLICY_FORK, false);
	return (s32)dst;
}

/* A task has woken up: how long did it sleep, and whose CPU was free meanwhile? */
static __always_inline void wakes(struct task *t, u64 now)
{
	struct scheduler_cpu *c = cpu_at(t->ran_on);

	if (!t->slept)
		return;
	t->sleep = mls_sleep_average(t->sleep, passed(t->slept, now));
	t->slept = 0;
	if (c->owner == t->pid)
		c->owner = 0;
}

/*
 * Who makes a task runs on @parent just now: is it about to sleep?  What it does will
 * be seen when it stops (mlsched_stopping), and one that makes the next before that did
 * not sleep after the last.
 */
static __always_inline bool forks_in_place(struct task *t, u32 parent, u64 now)
{
	struct task *maker = task_of(bpf_get_current_task_btf());

	if (!maker)
		return false;
	if (maker->forked)
		maker->blocks = mls_policy_blocks(maker->blocks, 0);
	maker->forked = maker->ran + passed(maker->began, now) + 1;
	t->blocks = maker->blocks;
	return parent == bpf_get_smp_processor_id() &&
	       mls_policy_forks_in_place(maker->blocks, cpu_at(parent)->length);
}

/* What the running task's deadline is by now. */
static __always_inline u64 running_deadline(struct scheduler_cpu *c, u64 now)
{
	u64 own = c->own + mls_policy_charge(passed(c->began, now), c->weight);

	return mls_policy_deadline(&policy, own, c->burst, c->weight);
}

/* Does a task that wakes up take the place of a longer one, because its domain has no idle CPU? */
static __always_inline bool preempts_short(struct task_struct *p, struct task *t, u32 prev, u64 now)
{
	struct scheduler_cpu *c = cpu_at(prev);

	if (t->queue != prev || !c->ours || is_in(&idle, prev) ||
	    find_idle(p, MLS_POLICY_NEAR, prev) >= 0)
		return false;
	return mls_policy_preempts_short(p->policy, c->policy, t->burst, c->burst,
					 mls_policy_deadline(&policy, placed(p, t, prev), t->burst,
							     t->weight),
					 running_deadline(c, now), apart(p, t, policy.slice));
}

SEC("struct_ops/mlsched_select_cpu")
s32 BPF_PROG(mlsched_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	u32 kind = wake_flags & SCX_VALUE(scx_wake_flags, SCX_WAKE_FORK) ? MLS_POLICY_FORK :
									   MLS_POLICY_WAKEUP;
	struct task *t = task_of(p);
	u64 now = bpf_ktime_get_ns();
	struct scheduler_cpu *c = cpu_at((u32)prev_cpu);
	u32 prev = (u32)prev_cpu, waker = bpf_get_smp_processor_id();
	bool may_stay, refused = false;

	if (!t)
		return prev_cpu;
	record_name(t, p);
	wakes(t, now);
	t->pulls = mls_policy_pulls(t->pulls, distance(prev, waker));
	may_stay = may_run_on(p, prev);
	if (may_stay && run_at_once(p, t, prev))
		return prev_cpu;
	if (has(MLS_POLICY_FORK_IN_PLACE) && kind == MLS_POLICY_FORK &&
	    forks_in_place(t, prev, now) && may_stay) {
		COUNT(mechanisms[MLS_POLICY_FORK_IN_PLACE]);
		t->placed = SCHEDULER_IN_PLACE;
		return prev_cpu;
	}
	if (has(MLS_POLICY_PREEMPT_SHORT) && kind == MLS_POLICY_WAKEUP && may_stay &&
	    preempts_short(p, t, prev, now)) {
		t->placed = SCHEDULER_PREEMPTS;
		return prev_cpu;
	}
	for (u32 level = 0; level < LEVELS; level++) {
		u32 cause = may_stay ? kind : SCHEDULER_BY_FORCE;
		u64 move;
		s32 cpu;

		if (may_stay && kind == MLS_POLICY_WAKEUP &&
		    !mls_policy_offers_wakeup(&policy, level, c->length, c->burst))
			break;
		cpu = find_idle(p, level, prev);
		/* Its own may have become idle since we looked; somebody else may take it first. */
		if ((u32)cpu == prev) {
			if (run_at_once(p, t, prev))
				return prev_cpu;
			cpu = find_idle(p, level, prev);
		}
		if (cpu < 0 || (u32)cpu == prev ||
		    (kind == MLS_POLICY_WAKEUP && may_stay && !is_worth((u32)cpu, level, now)))
			continue;
		if (may_stay && !decide(t, kind, prev, (u32)cpu, false)) {
			refused = true;
			continue;
		}
		record_rule(t, mls_verdict_move(kind, prev, (u32)cpu), cause, false);
		move = set_cause(t, cause, false);
		if (run_at_once(p, t, (u32)cpu))
			return cpu;
		take_back(t, move);
	}
	t->placed = SCHEDULER_PLACED;
	if (!may_stay || refused)
		return prev_cpu;
	return kind == MLS_POLICY_FORK ? place_new(p, t, prev) : follow(p, t, prev, waker);
}

static __always_inline void call_idle(u32 cpu)
{
	if (!take_out(&idle, cpu))
		return;
	COUNT(kicked);
	scx_bpf_kick_cpu((s32)cpu, SCX_VALUE(scx_kick_flags, SCX_KICK_IDLE));
}

static __always_inline void after_enqueue(struct task_struct *p, struct task *t, u32 cpu,
					  u64 deadline, u64 enq_flags, u64 now)
{
	struct scheduler_cpu *c = cpu_at(cpu);
	u32 placed = t->placed;

	t->placed = SCHEDULER_NOT_PLACED;
	/* An idle CPU comes for its own. */
	if (is_in(&idle, cpu)) {
		call_idle(cpu);
		return;
	}
	/* Its parent may go on until it sleeps; and who is put on an idle CPU wakes that. */
	if (placed == SCHEDULER_IN_PLACE || placed == SCHEDULER_CALLED)
		return;
	if (!placed) {
		/* Nobody has looked for an idle CPU yet: let one come and look for work. */
		for (u32 level = 0; level < LEVELS; level++) {
			s32 other = find_idle(p, level, cpu);

			if (other < 0 || !is_worth((u32)other, level, now))
				continue;
			call_idle((u32)other);
			return;
		}
		/* For a task that may run on one CPU only select_cpu() is not called. */
		if (!(enq_flags & SCX_VALUE(scx_enq_flags, SCX_ENQ_WAKEUP)))
			return;
	}
	/* Its neighbour's figures may be a moment old: a preemption too many or too few. */
	if (mls_policy_wakes_over(apart(p, t, policy.granularity), p->policy, c->policy, deadline,
				  running_deadline(c, now))) {
		COUNT(preempted);
		scx_bpf_kick_cpu((s32)cpu, SCX_VALUE(scx_kick_flags, SCX_KICK_PREEMPT));
	}
}

/*
 * Of which we know nothing, because there was no memory.  In turn like all, as if it had come
 * just now: two of them in the local queue would be asked for there, again and again, and
 * nobody would look into ours.
 */
static __always_inline void enqueue_unknown(struct task_struct *p, u32 cpu, u64 enq_flags)
{
	u64 deadline =
		mls_policy_deadline(&policy, cpu_at(cpu)->clock, policy.slice, MLS_POLICY_WEIGHT);

	scx_bpf_dsq_insert_vtime(p, cpu, policy.slice, deadline, enq_flags);
	/* Before it is called if it is idle: see the end of mlsched_dispatch(). */
	show_in(&queued, cpu);
	call_idle(cpu);
}

SEC("struct_ops/mlsched_enqueue")
void BPF_PROG(mlsched_enqueue, struct task_struct *p, u64 enq_flags)
{
	u64 local = SCX_VALUE(scx_dsq_id_flags, SCX_DSQ_LOCAL), now = bpf_ktime_get_ns(), deadline;
	u64 wakes_up = SCX_VALUE(scx_enq_flags, SCX_ENQ_WAKEUP);
	u64 put_back = SCX_VALUE(scx_enq_flags, SCX_ENQ_REENQ);
	u32 cpu = (u32)scx_bpf_task_cpu(p), weight;
	struct task *t = task_of(p);
	struct scheduler_cpu *c = cpu_at(cpu);
	s32 length;

	if (!t) {
		enqueue_unknown(p, cpu, enq_flags);
		return;
	}
	record_name(t, p);
	if (cpu != t->ran_on && t->move == SCHEDULER_STAYS)
		set_cause(t, may_run_on(p, t->ran_on) ? SCHEDULER_BY_KERNEL : SCHEDULER_BY_FORCE,
			  false);
	wakes(t, now);
	weight = t->weight = weigh(p, t, now);
	t->waiting = now;
	place(p, t, cpu);
	if (has(MLS_POLICY_PREEMPT_SHORT) && t->placed == SCHEDULER_PREEMPTS &&
	    !is_in(&idle, cpu)) {
		t->placed = SCHEDULER_NOT_PLACED;
		COUNT(mechanisms[MLS_POLICY_PREEMPT_SHORT]);
		COUNT(preempted);
		scx_bpf_dsq_insert(p, local, policy.slice,
				   enq_flags | SCX_VALUE(scx_enq_flags, SCX_ENQ_PREEMPT));
		return;
	}
	/* When it wakes up.  Whose turn is over waits like all, or the others would have none. */
	if (is_bound(p) && enq_flags & (wakes_up | put_back)) {
		t->placed = SCHEDULER_NOT_PLACED;
		COUNT(bound);
		/*
		 * Put back because a real-time task came, there is nobody to preempt:
		 * the kernel would take its slice from a task that is queued already.
		 */
		if (!(enq_flags & put_back))
			enq_flags |= SCX_VALUE(scx_enq_flags, SCX_ENQ_PREEMPT);
		scx_bpf_dsq_insert(p, local, policy.slice, enq_flags);
		return;
	}
	deadline = mls_policy_deadline(&policy, t->own, t->burst, weight);
	length = scx_bpf_dsq_nr_queued(cpu);
	c->length = (length > 0 ? (u32)length : 0) + 1;
	scx_bpf_dsq_insert_vtime(p, cpu, mls_policy_slice(&policy, c->length - 1), deadline,
				 enq_flags);
	put_in(&queued, cpu);
	after_enqueue(p, t, cpu, deadline, enq_flags, now);
}

/* ---- a CPU looks for work --------------------------------------------------------- */

/*
 * Takes one task of @src to @dst, the CPU that asks.  The kernel refuses a task
 * whose affinity has changed since we looked, for it has queued it anew.
 */
__noinline int steal_from(u32 src, u32 dst, u64 now)
{
	s32 length = scx_bpf_dsq_nr_queued(src);
	struct task_struct *p;
	u32 seen = 0, refused = 0, cause;
	bool moved = false;

	if (length <= 0 ||
	    !mls_policy_offers_steal(&policy, distance(src, dst), (u32)length, !is_in(&idle, src),
				     cpu_at(src)->burst, idle_expected(dst, now)))
		return 0;
	bpf_for_each(scx_dsq, p, src, 0)
	{
		struct task *t;
		u64 move;

		if (++seen > MLS_POLICY_STEAL_TASKS)
			break;
		t = task_of(p);
		if (!t)
			continue;
		switch (mls_policy_rule(&policy, may_run_on(p, dst), may_run_on(p, src),
					waited(t, now), kept_for(dst, now))) {
		case MLS_POLICY_FORBIDDEN:
			COUNT(forbidden);
			continue;
		case MLS_POLICY_FORCED:
			cause = SCHEDULER_BY_FORCE;
			break;
		case MLS_POLICY_WAITED:
			cause = SCHEDULER_BY_SAFETY;
			count_safety(MLS_POLICY_STEAL, true);
			break;
		case MLS_POLICY_KEPT:
			cause = SCHEDULER_BY_SAFETY;
			count_safety(MLS_POLICY_STEAL, false);
			break;
		default:
			if (refused >= MLS_POLICY_CANDIDATES)
				continue;
			if (!decide(t, MLS_POLICY_STEAL, src, dst, false)) {
				keep_from_work(dst, now);
				refused++;
				continue;
			}
			cause = MLS_POLICY_STEAL;
		}
		record_rule(t, mls_verdict_move(MLS_POLICY_STEAL, src, dst), cause, false);
		move = set_cause(t, cause, false);
		scx_bpf_dsq_move_set_slice(THE_ITERATOR, policy.slice);
		moved = scx_bpf_dsq_move(THE_ITERATOR, p,
					 SCX_VALUE(scx_dsq_id_flags, SCX_DSQ_LOCAL), 0);
		if (!moved)
			take_back(t, move);
		break;
	}
	return moved;
}

/* The queues of one level around @cpu, a few in turn. */
__noinline int steal_near(u32 cpu, u32 level, u64 now)
{
	u32 from = cpu + 1, k;
	s32 first = -1;

	if (!is_worth(cpu, level, now))
		return 0;
	bpf_for(k, 0, level ? MLS_POLICY_STEAL_SOURCES / 2 : MLS_POLICY_STEAL_SOURCES) {
		s32 src = find(QUEUED, rows_of(cpu, level), from, ~0ull, 0);

		if (src < 0 || src == first)
			break;
		if (first < 0)
			first = src;
		from = (u32)src + 1;
		if ((u32)src != cpu && steal_from((u32)src, cpu, now))
			return 1;
	}
	return 0;
}

/*
 * Is the running task, whose slice is over, still before everybody in the queue?  Only
 * a heavier one: beside its equals it has had its turn.
 */
__noinline int goes_on(u32 cpu, u64 now)
{
	u64 deadline = running_deadline(cpu_at(cpu), now);
	u32 weight = cpu_at(cpu)->weight;
	struct task_struct *p;
	int result = 1;

	bpf_for_each(scx_dsq, p, cpu, 0)
	{
		result = weight_of(p) < weight && !mls_policy_before(p->scx.dsq_vtime, deadline);
		break;
	}
	return result;
}

/*
 * Serves a task of @cpu's own queue that has waited for too long, the one that has
 * been longest at the end of it.  Not for long: it has its turn before others that
 * were entitled to it.
 */
__noinline int serve_overdue(u32 cpu, u32 length, u64 now)
{
	struct scheduler_cpu *c = cpu_at(cpu);
	u64 limit = mls_policy_overdue(&policy, length);
	struct task_struct *p;
	u32 seen = 0;

	bpf_for_each(scx_dsq, p, cpu, SCX_VALUE(scx_dsq_iter_flags, SCX_DSQ_ITER_REV))
	{
		struct task *t;

		if (++seen > MLS_POLICY_OVERDUE_TASKS)
			break;
		t = task_of(p);
		if (!t || waited(t, now) <= limit)
			continue;
		scx_bpf_dsq_move_set_slice(THE_ITERATOR, policy.slice_min);
		if (!scx_bpf_dsq_move(THE_ITERATOR, p, SCX_VALUE(scx_dsq_id_flags, SCX_DSQ_LOCAL),
				      0))
			break;
		COUNT(overdue);
		/* The next turn is somebody else's, the one after it may again be such a task's. */
		c->checked = 0;
		return 1;
	}
	c->checked = now;
	return 0;
}

/*
 * Of a CPU's own queue of @length; @runs: the task that ran is still there.  Who has waited
 * too long comes before one that may go on.  Return: somebody else will run.
 *
 * Where tasks of one core must trust each other (core scheduling) a CPU asks for its @sibling,
 * too, and holds its lock: a single task that is moved would go to the CPU that asks, or wait
 * for that lock for ever.  What is allowed is the head of the queue.
 */
static __always_inline bool serve_own(u32 cpu, u32 length, bool sibling, bool runs, u64 now)
{
	struct scheduler_cpu *c = cpu_at(cpu);

	if (sibling)
		return scx_bpf_dsq_move_to_local(cpu);
	if (!c->checked)
		c->checked = now - mls_policy_look(&policy);
	else if (now - c->checked > mls_policy_look(&policy) && serve_overdue(cpu, length, now))
		return true;
	if (runs && goes_on(cpu, now))
		return false;
	return scx_bpf_dsq_move_to_local(cpu);
}

/* If the timer puts something there at the same moment the hint stays. */
static __always_inline void note_empty(u32 cpu)
{
	if (take_out(&queued, cpu) && scx_bpf_dsq_nr_queued(cpu) > 0)
		put_in(&queued, cpu);
}

SEC("struct_ops/mlsched_dispatch")
void BPF_PROG(mlsched_dispatch, s32 this_cpu, struct task_struct *prev)
{
	bool runs = prev && prev->scx.flags & SCX_VALUE(scx_ent_flags, SCX_TASK_QUEUED);
	u64 now = bpf_ktime_get_ns();
	u32 cpu = (u32)this_cpu;
	struct scheduler_cpu *c = cpu_at(cpu);
	s32 queue = scx_bpf_dsq_nr_queued(cpu);
	u32 length = queue > 0 ? (u32)queue : 0, level;
	bool sibling = cpu != bpf_get_smp_processor_id();

	if (length && serve_own(cpu, length, sibling, runs, now)) {
		c->length = length - 1;
		/* Who reads the hint a moment too early finds an empty queue. */
		if (length == 1)
			note_empty(cpu);
		return;
	}
	c->length = length;
	if (!length)
		note_empty(cpu);
	if (runs) {
		struct task *t = length ? task_of(prev) : NULL;

		if (t)
			t->went_on = 1;
		prev->scx.slice = mls_policy_slice(&policy, length);
		return;
	}
	if (sibling)
		return;
	for (level = 0; level < LEVELS; level++) {
		if (steal_near(cpu, level, now))
			return;
	}
	/* A task of another class may go on, or the next be one: update_idle() knows. */
	if (!prev && bpf_get_current_task_btf()->pid)
		return;
	/*
	 * A task that is just being put here finds an idle CPU once more: at worst
	 * two tasks meet on it, and the second is offered to others in its turn.
	 */
	show_in(&idle, cpu);
	/* Of the timer and us one is second: it finds us idle, or we find what it has put here. */
	if (scx_bpf_dsq_nr_queued(cpu) > 0 && take_out(&idle, cpu) &&
	    !scx_bpf_dsq_move_to_local(cpu))
		show_in(&idle, cpu);
}

/* ---- running ----------------------------------------------------------------------- */

static __noinline void cpu_changes(struct scheduler_cpu *c, bool was_busy, bool busy, u64 now)
{
	struct mls_load_decay d = { decay.per_unit, decay.longest };

	c->load = mls_load_change(c->load, was_busy ? MLS_LOAD_BUSY : MLS_LOAD_IDLE,
				  busy ? MLS_LOAD_BUSY : MLS_LOAD_IDLE, now, &d);
}

SEC("struct_ops/mlsched_update_idle")
void BPF_PROG(mlsched_update_idle, s32 cpu, bool is_idle)
{
	struct scheduler_cpu *c = cpu_at((u32)cpu);
	u64 now = bpf_ktime_get_ns();

	cpu_changes(c, is_idle, !is_idle, now);
	if (is_idle) {
		/* Called once more after each time that it found nothing to do. */
		if (!c->idle_since)
			c->idle_since = now;
		show_in(&idle, (u32)cpu);
		if (scx_bpf_dsq_nr_queued((u32)cpu) > 0)
			call_idle((u32)cpu);
		return;
	}
	if (c->idle_since)
		c->idle_mean = mls_policy_idle(c->idle_mean, now - c->idle_since);
	c->idle_since = 0;
	take_out(&idle, (u32)cpu);
}

static __always_inline void count_wait(u64 wait)
{
	struct scheduler_counts *n = counts();
	u64 us = wait / 1000;
	u32 bucket = 0;

	if (wait > n->wait_ns)
		n->wait_ns = wait;
	__sync_fetch_and_add(&n->waited_ns, wait);
	/* Number of bits of us, by halves. */
#pragma unroll
	for (u32 step = 16; step; step /= 2) {
		if (us >> step) {
			us >>= step;
			bucket += step;
		}
	}
	bucket += us != 0;
	__sync_fetch_and_add(&n->waits[bucket & (SCHEDULER_BUCKETS - 1)], 1);
}

static __always_inline void count_move(struct task *t, u32 cpu, u64 now)
{
	u64 move = __sync_lock_test_and_set(&t->move, SCHEDULER_STAYS);
	u32 cause = (u8)move, far;

	if (t->ran_on == cpu) {
		end_move(move, SCHEDULER_RETURNED);
		return;
	}
	if (record_size) {
		end_record(move >> MOVE_CAUSE, SCHEDULER_MOVED);
		record_moved(t, move >> MOVE_CAUSE, cpu, now);
	}
	if (cause >= SCHEDULER_CAUSES)
		cause = SCHEDULER_BY_KERNEL;
	far = distance(t->ran_on, cpu);
	if (far < SCHEDULER_DISTANCES)
		__sync_fetch_and_add(&counts()->moved[cause][far], 1);
	t->ran_on = cpu;
}

SEC("struct_ops/mlsched_running")
void BPF_PROG(mlsched_running, struct task_struct *p)
{
	u64 now = bpf_ktime_get_ns();
	struct task *t = task_of(p);
	u32 cpu = (u32)scx_bpf_task_cpu(p);
	struct scheduler_cpu *c = cpu_at(cpu);

	/* Of a CPU that was busy when we were attached nobody has told us. */
	if (mls_load_state(c->load) != MLS_LOAD_BUSY) {
		cpu_changes(c, true, true, now);
		c->idle_since = 0;
	}
	/* Nor of what the kernel put there itself, after it had asked us for work. */
	take_out(&idle, cpu);
	c->ours = !!t;
	if (!t)
		return;
	t->placed = SCHEDULER_NOT_PLACED; /* it may have come here without enqueue() */
	count_move(t, cpu, now);
	if (record_size) {
		record_name(t, p);
		record_starts(t, cpu, now);
	}
	if (t->waiting)
		count_wait(waited(t, now));
	t->waiting = 0;
	take_clock(t, cpu);
	/*
	 * Who is not served in turn does not set the clock: one that uses more than
	 * its share would draw it away from those that wait, and tasks that wake up
	 * would be placed far behind them.
	 */
	if (mls_policy_before(c->clock, t->own) && !is_bound(p))
		c->clock = t->own;
	t->began = now;
	c->own = t->own;
	c->began = now;
	c->burst = t->burst;
	c->ran = t->ran;
	c->weight = t->weight = weigh(p, t, now);
	c->policy = p->policy;
}

/* The parent of a new task has had the CPU since then: did it sleep soon? */
static __always_inline void judge_fork(struct task *t, bool runnable)
{
	u64 since = t->ran + 1 - t->forked;

	if (!has(MLS_POLICY_FORK_IN_PLACE) || !t->forked || (runnable && since <= MLS_POLICY_SOON))
		return;
	t->blocks = mls_policy_blocks(t->blocks, since <= MLS_POLICY_SOON);
	t->forked = 0;
}

/* It had the CPU until just now. */
static __always_inline void falls_asleep(struct task_struct *p, struct task *t)
{
	struct scheduler_cpu *c = cpu_at(t->ran_on);

	judge_fork(t, false);
	t->burst = mls_policy_burst(t->burst, t->ran);
	t->ran = 0;
	t->slept = t->stopped;
	if (is_bound(p))
		return;
	c->left = t->stopped;
	c->left_sleep = t->sleep;
	c->owner = t->pid;
}

SEC("struct_ops/mlsched_stopping")
void BPF_PROG(mlsched_stopping, struct task_struct *p, bool runnable)
{
	u64 now = bpf_ktime_get_ns(), ran;
	u32 cpu = (u32)scx_bpf_task_cpu(p);
	struct scheduler_cpu *c = cpu_at(cpu);
	struct task *t = task_of(p);

	c->ours = 0;
	if (!t)
		return;
	if (record_size)
		record_stops(t, now);
	ran = now - t->began;
	t->own += mls_policy_charge(ran, t->weight);
	t->ran += ran;
	t->stopped = now;
	if (!is_bound(p)) {
		c->clock = mls_policy_clock(c->clock, t->own, ran, c->length);
		mls_home_ran(&t->home, cpu, distance(cpu, t->home.cpu) == MLS_POLICY_NEAR, ran);
	}
	judge_fork(t, true);
}

/* Taken off its queue.  If it ran it has just been stopped: to sleep, or to be put back
 * with another priority, mask or group. */
SEC("struct_ops/mlsched_quiescent")
void BPF_PROG(mlsched_quiescent, struct task_struct *p, u64 deq_flags)
{
	struct task *t = task_of(p);

	if (!t)
		return;
	leave_group(t);
	if (deq_flags & SCX_VALUE(scx_deq_flags, SCX_DEQ_SLEEP))
		falls_asleep(p, t);
}

/*
 * A task of a class above ours took the CPU, in partial mode any ordinary task, maybe for
 * long: what we have put there must not wait for it, and nothing must be put there
 * because just before we had nothing for the CPU to do.
 */
SEC("struct_ops/mlsched_cpu_release")
void BPF_PROG(mlsched_cpu_release, s32 cpu, struct scx_cpu_release_args *args)
{
	take_out(&idle, (u32)cpu);
	if (bpf_ksym_exists(scx_bpf_reenqueue_local))
		scx_bpf_reenqueue_local();
}

/* ---- the timer ---------------------------------------------------------------------- */

/* What is runnable on @cpu, its queue being of @length, weighs so much. */
__noinline u64 weigh_queue(u32 cpu, u32 length, u32 runs)
{
	u32 seen = 0;
	u64 sum = 0;
	struct task_struct *p;

	bpf_rcu_read_lock();
	bpf_for_each(scx_dsq, p, cpu, 0)
	{
		if (seen >= MLS_POLICY_TIMER_WEIGHED)
			break;
		seen++;
		sum += weight_of(p);
	}
	bpf_rcu_read_unlock();
	if (seen)
		cpu_at(cpu)->mean = (u32)(sum / seen);
	return (u64)length * cpu_at(cpu)->mean + (runs ? running_weight(cpu) : 0);
}

/* Looks at one queue: is there somebody who has waited too long, or is it too long? */
__noinline int level_queue(u32 src, u32 from, u64 now)
{
	u32 queue = (u32)scx_bpf_dsq_nr_queued(src), runs = !is_in(&idle, src),
	    length = queue + runs;
	u64 weight = weigh_queue(src, queue, runs);
	u32 seen = 0, what = 0, refused = 0, cause;
	bool moved = false;
	struct scheduler_cpu *c = cpu_at(src);
	struct task_struct *p;

	if (queue && !runs) {
		call_idle(src); /* it comes for its own, or is taken for idle no more */
		mls_policy_turn(&c->turns, 0, 0);
		return 0;
	}
	/* The timer is started where we may sleep, and so it is verified as if it could. */
	bpf_rcu_read_lock();
	bpf_for_each(scx_dsq, p, src, 0)
	{
		u32 other, dst;
		struct task *t;
		enum mls_policy_rule rule;
		u64 found, move;
		s64 excess;
		bool near;

		if (++seen > MLS_POLICY_TIMER_TASKS)
			break;
		t = task_of(p);
		if (!t)
			continue;
		found = find_shorter(allowed_word(p, 0), mask_of(p), src, from, 1);
		if (!found)
			continue;
		other = (u32)found;
		dst = (u32)(found >> 32) - 1;
		if (dst == src)
			break;
		near = distance(src, dst) == SCHEDULER_NEAR;
		excess = (s64)(weight - (other ? weight_at(dst, other - 1) : 0));
		rule = mls_policy_rule(&policy, 1, may_run_on(p, src), waited(t, now),
				       other ? 0 : kept_for(dst, now));
		cause = rule == MLS_POLICY_FORCED ? SCHEDULER_BY_FORCE : SCHEDULER_BY_SAFETY;
		if (rule == MLS_POLICY_OPEN) {
			if (refused >= MLS_POLICY_CANDIDATES ||
			    !mls_policy_offers_level(&c->turns, &what, length, other, near, excess,
						     t->weight))
				continue;
			if (!decide(t, MLS_POLICY_BALANCE, src, dst, true)) {
				if (!other)
					keep_from_work(dst, now);
				refused++;
				continue;
			}
			cause = MLS_POLICY_BALANCE;
		} else if (rule != MLS_POLICY_FORCED) {
			if (length < other + 1)
				continue; /* it would wait there as well */
			count_safety(MLS_POLICY_BALANCE, rule == MLS_POLICY_WAITED);
		}
		record_rule(t, mls_verdict_move(MLS_POLICY_BALANCE, src, dst), cause, 1);
		move = set_cause(t, cause, true);
		scx_bpf_dsq_move_set_vtime(THE_ITERATOR, cpu_at(dst)->clock - policy.credit);
		moved = scx_bpf_dsq_move_vtime(THE_ITERATOR, p, dst, 0);
		if (!moved) {
			take_back(t, move);
			break;
		}
		/* Before we look whether it is idle: see the end of mlsched_dispatch(). */
		show_in(&queued, dst);
		call_idle(dst);
		break;
	}
	bpf_rcu_read_unlock();
	mls_policy_turn(&c->turns, what, moved);
	return moved;
}

static int on_timer(void *map, int *key, struct turn *turn)
{
	u64 now = bpf_ktime_get_ns();
	u32 begin = turn->next, from = begin, k;

	bpf_for(k, 0, MLS_POLICY_TIMER_SOURCES) {
		s32 src = find(QUEUED, SCHEDULER_ROW_ALL | (u64)NO_ROW << 32, from, ~0ull, 0);

		/* Once around, though the first may have no queue any more. */
		if (src < 0 || (k && mls_policy_is_around(begin, from, (u32)src)))
			break;
		from = (u32)src + 1;
		level_queue((u32)src, turn->number + k, now);
	}
	turn->member = recount_some(turn->member, now);
	turn->next = from < n_cpus ? from : 0;
	turn->number++;
	bpf_timer_start(&turn->timer, period_ns, 0);
	return 0;
}

static int on_again(void *map, u32 *key, struct again *again)
{
	u32 cpu = *key;

	__sync_lock_test_and_set(&again->armed, 0);
	if (is_in(&idle, cpu)) {
		COUNT(mechanisms[MLS_POLICY_ASK_AGAIN]);
		call_idle(cpu);
	}
	return 0;
}

static __always_inline s32 prepare_again(u32 cpu)
{
	struct again *again = bpf_map_lookup_elem(&agains, &cpu);
	s32 ret = again ? (s32)bpf_timer_init(&again->timer, &agains, 1 /* CLOCK_MONOTONIC */) : -1;

	return ret ? ret : (s32)bpf_timer_set_callback(&again->timer, on_again);
}

static __always_inline s32 start_timer(void)
{
	u32 zero = 0;
	struct turn *turn = bpf_map_lookup_elem(&turns, &zero);
	s32 ret;

	if (!turn)
		return -1;
	ret = (s32)bpf_timer_init(&turn->timer, &turns, 1 /* CLOCK_MONOTONIC */);
	if (!ret)
		ret = (s32)bpf_timer_set_callback(&turn->timer, on_timer);
	if (!ret)
		ret = (s32)bpf_timer_start(&turn->timer, period_ns, 0);
	return ret;
}

/* ---- coming and going ------------------------------------------------------------------ */

SEC("struct_ops.s/mlsched_init_task")
s32 BPF_PROG(mlsched_init_task, struct task_struct *p, struct scx_init_task_args *args)
{
	struct task *t = bpf_task_storage_get(&tasks, p, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);

	/*
	 * Memory is the daemon's cgroup's, and may be used up where the task's is not: that is
	 * no reason why nobody on the machine could fork.  It goes without our knowing it.
	 */
	if (!t)
		return 0;
	t->move = SCHEDULER_STAYS;
	t->pid = (u32)p->pid;
	t->daemons = (u32)p->tgid == daemon;
	return 0;
}

SEC("struct_ops/mlsched_exit_task")
void BPF_PROG(mlsched_exit_task, struct task_struct *p, struct scx_exit_task_args *args)
{
	struct task *t = task_of(p);

	if (!t)
		return;
	leave_group(t);
	if (cpu_at(t->ran_on)->owner == t->pid)
		cpu_at(t->ran_on)->owner = 0;
	end_move(__sync_lock_test_and_set(&t->move, SCHEDULER_STAYS), SCHEDULER_RETURNED);
}

SEC("struct_ops/mlsched_enable")
void BPF_PROG(mlsched_enable, struct task_struct *p)
{
	struct task *t = task_of(p);
	u32 cpu = (u32)scx_bpf_task_cpu(p);

	if (!t)
		return;
	t->queue = cpu;
	t->ran_on = cpu;
	t->own = cpu_at(cpu)->clock;
	t->ran = 0;
	t->slept = 0;
	t->forked = 0;
	t->went_on = 0;
	t->burst = policy.turn;
	t->weight = MLS_POLICY_WEIGHT;
	t->waiting = 0;
}

SEC("struct_ops.s/mlsched_init")
s32 BPF_PROG(mlsched_init)
{
	u32 cpu;

	bpf_for(cpu, 0, n_cpus) {
		s32 ret = scx_bpf_create_dsq(cpu, -1);

		if (!ret && has(MLS_POLICY_ASK_AGAIN))
			ret = prepare_again(cpu);
		if (ret)
			return ret;
	}
	return start_timer();
}

SEC("struct_ops/mlsched_exit")
void BPF_PROG(mlsched_exit, struct scx_exit_info *info)
{
	bpf_probe_read_kernel_str(ended.reason, sizeof(ended.reason), info->reason);
	bpf_probe_read_kernel_str(ended.message, sizeof(ended.message), info->msg);
	ended.code = (u64)info->exit_code;
	/* An exchange is a full barrier: who reads the kind finds the rest. */
	__sync_lock_test_and_set(&ended.kind, info->kind);
}

#include "bpf/scheduler_report.h"

SEC(".struct_ops.link")
struct sched_ext_ops mlsched_ops = {
	.select_cpu = (void *)mlsched_select_cpu,
	.enqueue = (void *)mlsched_enqueue,
	.dispatch = (void *)mlsched_dispatch,
	.runnable = (void *)mlsched_runnable,
	.running = (void *)mlsched_running,
	.stopping = (void *)mlsched_stopping,
	.quiescent = (void *)mlsched_quiescent,
	.update_idle = (void *)mlsched_update_idle,
	.cpu_release = (void *)mlsched_cpu_release,
	.init_task = (void *)mlsched_init_task,
	.exit_task = (void *)mlsched_exit_task,
	.enable = (void *)mlsched_enable,
	.cgroup_init = (void *)mlsched_cgroup_init,
	.cgroup_exit = (void *)mlsched_cgroup_exit,
	.cgroup_set_weight = (void *)mlsched_cgroup_set_weight,
	.init = (void *)mlsched_init,
	.exit = (void *)mlsched_exit,
	.timeout_ms = 10000,
	.name = "mlsched",
};
