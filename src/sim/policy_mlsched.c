// SPDX-License-Identifier: GPL-2.0
/*
 * Our own scheduler: bpf/scheduler.bpf.c, function by function, on simulated CPUs.  What
 * it decides by is the same code (core/policy.h); what is written twice is only how a
 * kernel and a simulator reach tasks and queues.
 */
#include "core/policy.h"
#include "src/sim/cpus.h"
#include "src/sim/policy.h"

#define LEVELS     MLS_POLICY_LEVELS
#define EVERYWHERE LEVELS /* for find() */
#define PERIOD     (10 * SIM_MS)

#define MLS(t) (&(t)->policy.mls)

static u32 weight_of(const struct sim *s, const struct sim_task *t)
{
	return s->workload->programs[t->program].weight * MLS_POLICY_FINE;
}

/* ---- sets of CPUs --------------------------------------------------------------------- */

/* A CPU of the set on one level around @cpu and not on the one before; @t may run there. */
static u32 find(const struct sim *s, const u64 *set, u32 cpu, u32 level, u32 from,
		const struct sim_task *t)
{
	const struct sim_machine *m = s->machine;
	struct range row = range_of(m, cpu, level), skip = { 0, 0 }, may = { 0, m->n_cpus };
	u32 first, n_words;

	if (level && level < EVERYWHERE)
		skip = range_of(m, cpu, level - 1);
	if (t && t->tied)
		may = range_of(m, (t->tied - 1) * (m->n_cpus / m->n_llcs), MLS_POLICY_NEAR);
	if (from >= m->n_cpus)
		from %= m->n_cpus;
	/* Only the words of the row: from that of @from on, if it is one of them. */
	first = row.from / 64;
	n_words = (row.to - 1) / 64 - first + 1;
	if (from / 64 < first || from / 64 >= first + n_words)
		from = first * 64;
	for (u32 k = 0; k <= n_words; k++) {
		u32 word = first + (from / 64 - first + k) % n_words;
		u64 bits = mls_policy_part(set[word], k, n_words, from);

		if (bits)
			bits &= part_of(word, row) & ~part_of(word, skip) & part_of(word, may);
		if (bits)
			return word * 64 + mls_policy_first(bits);
	}
	return SIM_NONE;
}

/* ---- mechanisms ----------------------------------------------------------------------- */

/* Why a task is put into a queue without a search for an idle CPU. */
enum placed { NOT_PLACED, PLACED, AT_ONCE, IN_PLACE, PREEMPTS };

static bool has(const struct sim *s, enum mls_policy_mechanism which)
{
	return mls_policy_has(s->enabled, which);
}

static u32 length_of(const struct sim *s, u32 cpu)
{
	return s->cpus[cpu].queue.n + !is_in(s->idle, cpu);
}

static bool decide(struct sim *s, u32 kind, u32 task, u32 src, u32 dst)
{
	if (has(s, MLS_POLICY_LEVEL_LARGE) &&
	    mls_policy_is_large(length_of(s, src), kind == MLS_POLICY_STEAL ? s->cpus[dst].queue.n :
									      length_of(s, dst))) {
		s->mechanisms[MLS_POLICY_LEVEL_LARGE]++;
		return sim_decide_large(s, kind, task, src, dst);
	}
	return sim_decide(s, kind, task, src, dst);
}

static void ask_again(struct sim *s, u32 cpu)
{
	if (has(s, MLS_POLICY_ASK_AGAIN) && !sim_is_called(s, cpu))
		sim_call(s, cpu, s->now + MLS_POLICY_AGAIN);
}

/* ---- waking up ---------------------------------------------------------------------------- */

static u32 level_between(const struct sim *s, u32 a, u32 b)
{
	enum sim_distance far = sim_distance(s->machine, a, b);

	return far <= SIM_NEAR ? MLS_POLICY_NEAR :
	       far == SIM_NODE ? MLS_POLICY_NODE :
				 MLS_POLICY_FAR;
}

static u64 idle_expected(const struct sim *s, u32 cpu)
{
	const struct sim_cpu *c = &s->cpus[cpu];
	u64 since = c->policy.mls.idle_since;

	return mls_policy_expected(c->policy.mls.idle_mean,
				   since && since < s->now ? s->now - since : 0);
}

static bool is_worth(const struct sim *s, u32 cpu, u32 level)
{
	return mls_policy_is_worth(&s->rules, (enum mls_policy_level)level, idle_expected(s, cpu));
}

/* Its virtual time by the clock of a CPU, wherever it has run. */
static void take_clock(const struct sim *s, struct sim_task *t, u32 cpu)
{
	if (MLS(t)->queue == cpu)
		return;
	MLS(t)->own = mls_policy_move(MLS(t)->own, s->cpus[MLS(t)->queue].policy.mls.clock,
				      s->cpus[cpu].policy.mls.clock);
	MLS(t)->queue = cpu;
}

/* What a task's virtual time is where it is to run next, on a CPU whose clock it has. */
static u64 placed(const struct sim *s, const struct sim_task *t, u32 cpu)
{
	return mls_policy_place(&s->rules, s->rules.credit, MLS(t)->own,
				s->cpus[cpu].policy.mls.clock, weight_of(s, t),
				(int)MLS(t)->went_on);
}

static void place(const struct sim *s, struct sim_task *t, u32 cpu)
{
	take_clock(s, t, cpu);
	MLS(t)->own = placed(s, t, cpu);
	MLS(t)->went_on = 0;
}

static bool run_at_once(struct sim *s, struct sim_task *t, u32 cpu)
{
	if (!take_out(s->idle, cpu))
		return false;
	MLS(t)->waiting = s->now;
	MLS(t)->placed = AT_ONCE;
	return true;
}

static void call_idle(struct sim *s, u32 cpu)
{
	if (take_out(s->idle, cpu))
		sim_resched(s, cpu);
}

static u64 kept_for(const struct sim *s, u32 cpu)
{
	const struct sim_cpu *c = &s->cpus[cpu];

	if (s->now - c->policy.mls.kept_last > MLS_POLICY_KEPT_PERIODS * PERIOD)
		return 0;
	return s->now - c->policy.mls.kept_since;
}

static void keep_from_work(struct sim *s, u32 cpu)
{
	struct sim_cpu *c = &s->cpus[cpu];

	if (s->now - c->policy.mls.kept_last > MLS_POLICY_KEPT_PERIODS * PERIOD)
		c->policy.mls.kept_since = s->now;
	c->policy.mls.kept_last = s->now;
	ask_again(s, cpu);
}

static u64 waited(const struct sim *s, const struct sim_task *t)
{
	return MLS(t)->waiting && MLS(t)->waiting < s->now ? s->now - MLS(t)->waiting : 0;
}

struct shorter {
	u32 cpu; /* SIM_NONE */
	u32 others;
};

static u32 running_weight(const struct sim_cpu *c)
{
	return c->policy.mls.weight ? c->policy.mls.weight : MLS_POLICY_WEIGHT;
}

static u64 weight_at(const struct sim_cpu *c, u32 length)
{
	u32 mean = c->policy.mls.mean ? c->policy.mls.mean : MLS_POLICY_WEIGHT;

	return (u64)length * mean + running_weight(c);
}

static struct shorter find_shorter(const struct sim *s, const struct sim_task *t, u32 src, u32 from,
				   bool by_weight)
{
	struct range domain = range_of(s->machine, src, MLS_POLICY_NEAR);
	struct shorter best = { SIM_NONE, UINT32_MAX };
	u64 least = UINT64_MAX;

	for (u32 level = 0; level < LEVELS; level++) {
		u32 cpu = find(s, s->idle, src, level, from, t);

		if (cpu != SIM_NONE)
			return (struct shorter){ cpu, 0 };
	}
	for (u32 k = 0; k < 2 * MLS_POLICY_SAMPLES; k++) {
		u32 n = k < MLS_POLICY_SAMPLES ? domain.to - domain.from : s->machine->n_cpus;
		u32 cpu = (from + k) % n + (k < MLS_POLICY_SAMPLES ? domain.from : 0);
		u32 others;
		u64 load;

		if (cpu == src || !sim_may_run(s, t, cpu))
			continue;
		others = s->cpus[cpu].queue.n + 1;
		load = by_weight ? weight_at(&s->cpus[cpu], others - 1) : others;
		if (load >= least)
			continue;
		least = load;
		best = (struct shorter){ cpu, others };
	}
	return best;
}

static u32 follow(struct sim *s, u32 task, u32 prev, u32 waker)
{
	struct sim_task *t = &s->tasks[task];

	if (waker == prev || !sim_may_run(s, t, waker) ||
	    !mls_policy_offers_pull((enum mls_policy_level)level_between(s, prev, waker),
				    MLS(t)->pulls, s->cpus[prev].policy.mls.length,
				    s->cpus[waker].policy.mls.length) ||
	    !decide(s, MLS_POLICY_WAKEUP, task, prev, waker))
		return prev;
	MLS(t)->pulls = 0;
	return waker;
}

static u32 place_new(struct sim *s, u32 task, u32 parent)
{
	u32 length = s->cpus[parent].policy.mls.length;
	struct shorter found;

	if (!length)
		return parent;
	found = find_shorter(s, &s->tasks[task], parent, s->tasks[task].who, false);
	if (found.cpu == SIM_NONE || found.others > length ||
	    !decide(s, MLS_POLICY_FORK, task, parent, found.cpu))
		return parent;
	return found.cpu;
}

static u64 running_deadline(const struct sim *s, u32 cpu)
{
	const struct sim_cpu *c = &s->cpus[cpu];
	u32 weight = c->current == SIM_NONE ? MLS_POLICY_WEIGHT :
					      weight_of(s, &s->tasks[c->current]);
	u64 own = c->policy.mls.own + mls_policy_charge(sim_ran(s, cpu), weight);

	return mls_policy_deadline(&s->rules, own, c->policy.mls.burst, weight);
}

static void disown(struct sim *s, u32 task)
{
	struct sim_cpu *c = &s->cpus[s->tasks[task].cpu];

	if (c->policy.mls.owner == task + 1)
		c->policy.mls.owner = 0;
}

/* A task has woken up: how long did it sleep, and whose CPU was free meanwhile? */
static void wakes(struct sim *s, u32 task)
{
	struct sim_task *t = &s->tasks[task];

	if (!MLS(t)->slept)
		return;
	MLS(t)->sleep = mls_sleep_average(MLS(t)->sleep, s->now - MLS(t)->slept);
	MLS(t)->slept = 0;
	disown(s, task);
}

/* Who makes a task runs on its CPU just now: is it about to sleep? */
static bool forks_in_place(struct sim *s, struct sim_task *t, u32 parent, u32 by)
{
	struct sim_task *maker;

	if (s->cpus[by].current == SIM_NONE)
		return false;
	maker = &s->tasks[s->cpus[by].current];
	if (MLS(maker)->forked)
		MLS(maker)->blocks = mls_policy_blocks(MLS(maker)->blocks, 0);
	MLS(maker)->forked = MLS(maker)->ran + sim_ran(s, by) + 1;
	MLS(t)->blocks = MLS(maker)->blocks;
	if (parent != by ||
	    !mls_policy_forks_in_place(MLS(maker)->blocks, s->cpus[parent].policy.mls.length))
		return false;
	s->mechanisms[MLS_POLICY_FORK_IN_PLACE]++;
	return true;
}

static bool preempts_short(const struct sim *s, const struct sim_task *t, u32 prev)
{
	const struct sim_cpu *c = &s->cpus[prev];

	if (MLS(t)->queue != prev || is_in(s->idle, prev) ||
	    find(s, s->idle, prev, MLS_POLICY_NEAR, prev, t) != SIM_NONE)
		return false;
	return mls_policy_preempts_short(0, 0, MLS(t)->burst, c->policy.mls.burst,
					 mls_policy_deadline(&s->rules, placed(s, t, prev),
							     MLS(t)->burst, weight_of(s, t)),
					 running_deadline(s, prev), s->rules.slice);
}

static u32 select_cpu(struct sim *s, u32 task, enum sim_why why, u32 waker)
{
	u32 kind = why == SIM_FORKED ? MLS_POLICY_FORK : MLS_POLICY_WAKEUP;
	struct sim_task *t = &s->tasks[task];
	u32 prev = t->cpu;
	const struct sim_cpu *c = &s->cpus[prev];
	bool may_stay = sim_may_run(s, t, prev), refused = false;

	MLS(t)->pulls = mls_policy_pulls(MLS(t)->pulls,
					 (enum mls_policy_level)level_between(s, prev, waker));
	wakes(s, task);
	if (may_stay && run_at_once(s, t, prev))
		return prev;
	if (has(s, MLS_POLICY_FORK_IN_PLACE) && kind == MLS_POLICY_FORK &&
	    forks_in_place(s, t, prev, waker) && may_stay) {
		MLS(t)->placed = IN_PLACE;
		return prev;
	}
	if (has(s, MLS_POLICY_PREEMPT_SHORT) && kind == MLS_POLICY_WAKEUP && may_stay &&
	    preempts_short(s, t, prev)) {
		MLS(t)->placed = PREEMPTS;
		return prev;
	}
	for (u32 level = 0; level < LEVELS; level++) {
		u32 cpu;

		if (may_stay && kind == MLS_POLICY_WAKEUP &&
		    !mls_policy_offers_wakeup(&s->rules, (enum mls_policy_level)level,
					      c->policy.mls.length, c->policy.mls.burst))
			break;
		cpu = find(s, s->idle, prev, level, prev, t);
		if (cpu == SIM_NONE ||
		    (kind == MLS_POLICY_WAKEUP && may_stay && !is_worth(s, cpu, level)))
			continue;
		if (may_stay && !decide(s, kind, task, prev, cpu)) {
			refused = true;
			continue;
		}
		if (run_at_once(s, t, cpu))
			return cpu;
	}
	MLS(t)->placed = PLACED;
	if (!may_stay)
		return (t->tied - 1) * (s->machine->n_cpus / s->machine->n_llcs);
	if (refused)
		return prev;
	return kind == MLS_POLICY_FORK ? place_new(s, task, prev) : follow(s, task, prev, waker);
}

static void after_enqueue(struct sim *s, struct sim_task *t, u32 cpu, u64 deadline,
			  enum sim_why why)
{
	u32 placed = MLS(t)->placed;

	MLS(t)->placed = NOT_PLACED;
	if (is_in(s->idle, cpu)) {
		call_idle(s, cpu);
		return;
	}
	/* Its parent may go on until it sleeps. */
	if (placed == IN_PLACE)
		return;
	if (!placed) {
		for (u32 level = 0; level < LEVELS; level++) {
			u32 other = find(s, s->idle, cpu, level, cpu, t);

			if (other == SIM_NONE || !is_worth(s, other, level))
				continue;
			call_idle(s, other);
			return;
		}
		if (why != SIM_WOKEN)
			return;
	}
	if (mls_policy_preempts(s->rules.granularity, deadline, running_deadline(s, cpu)))
		sim_resched(s, cpu);
}

static void enqueue(struct sim *s, u32 task, enum sim_why why)
{
	struct sim_task *t = &s->tasks[task];
	u32 cpu = t->cpu;
	struct sim_cpu *c = &s->cpus[cpu];
	u64 deadline;

	if (MLS(t)->placed == AT_ONCE) {
		MLS(t)->placed = NOT_PLACED;
		place(s, t, cpu);
		sim_queue_append(s, &c->local, task);
		sim_resched(s, cpu);
		return;
	}
	MLS(t)->waiting = s->now;
	place(s, t, cpu);
	if (MLS(t)->placed == PREEMPTS && !is_in(s->idle, cpu)) {
		MLS(t)->placed = NOT_PLACED;
		s->mechanisms[MLS_POLICY_PREEMPT_SHORT]++;
		sim_queue_append(s, &c->local, task);
		sim_resched(s, cpu);
		return;
	}
	deadline = mls_policy_deadline(&s->rules, MLS(t)->own, MLS(t)->burst, weight_of(s, t));
	c->policy.mls.length = c->queue.n + 1;
	sim_queue_insert(s, &c->queue, task, deadline);
	put_in(s->queued, cpu);
	after_enqueue(s, t, cpu, deadline, why);
}

/* ---- a CPU looks for work ------------------------------------------------------------------- */

static u32 steal_from(struct sim *s, u32 src, u32 dst)
{
	struct sim_cpu *c = &s->cpus[src];
	u32 seen = 0, refused = 0;

	if (!c->queue.n ||
	    !mls_policy_offers_steal(&s->rules, (enum mls_policy_level)level_between(s, src, dst),
				     c->queue.n, !is_in(s->idle, src), c->policy.mls.burst,
				     idle_expected(s, dst)))
		return SIM_NONE;
	for (u32 task = c->queue.first; task != SIM_NONE; task = s->tasks[task].next) {
		struct sim_task *t = &s->tasks[task];
		enum sim_move_kind kind = SIM_MOVED_STEAL;

		if (++seen > MLS_POLICY_STEAL_TASKS)
			break;
		switch (mls_policy_rule(&s->rules, sim_may_run(s, t, dst), sim_may_run(s, t, src),
					waited(s, t), kept_for(s, dst))) {
		case MLS_POLICY_FORBIDDEN:
			continue;
		case MLS_POLICY_FORCED:
			kind = SIM_MOVED_FORCED;
			break;
		case MLS_POLICY_WAITED:
		case MLS_POLICY_KEPT:
			break;
		case MLS_POLICY_OPEN:
			if (refused >= MLS_POLICY_CANDIDATES)
				continue;
			if (!decide(s, MLS_POLICY_STEAL, task, src, dst)) {
				keep_from_work(s, dst);
				refused++;
				continue;
			}
		}
		sim_queue_remove(s, &c->queue, task);
		sim_move(s, task, dst, kind);
		return task;
	}
	return SIM_NONE;
}

static u32 steal_near(struct sim *s, u32 cpu, u32 level)
{
	u32 from = cpu + 1, first = SIM_NONE;

	if (!is_worth(s, cpu, level))
		return SIM_NONE;
	for (u32 k = 0; k < (level ? MLS_POLICY_STEAL_SOURCES / 2 : MLS_POLICY_STEAL_SOURCES);
	     k++) {
		u32 src = find(s, s->queued, cpu, level, from, NULL), task;

		if (src == SIM_NONE || src == first)
			break;
		if (first == SIM_NONE)
			first = src;
		from = src + 1;
		if (src == cpu)
			continue;
		task = steal_from(s, src, cpu);
		if (task != SIM_NONE)
			return task;
	}
	return SIM_NONE;
}

static bool goes_on(const struct sim *s, u32 cpu)
{
	const struct sim_cpu *c = &s->cpus[cpu];
	const struct sim_task *head = &s->tasks[c->queue.first];

	return weight_of(s, head) < weight_of(s, &s->tasks[c->current]) &&
	       !mls_policy_before(head->key, running_deadline(s, cpu));
}

static u32 take_overdue(struct sim *s, u32 cpu)
{
	struct sim_cpu *c = &s->cpus[cpu];
	u64 limit = mls_policy_overdue(&s->rules, c->queue.n);
	u32 seen = 0;

	for (u32 task = c->queue.last; task != SIM_NONE; task = s->tasks[task].previous) {
		if (++seen > MLS_POLICY_OVERDUE_TASKS)
			break;
		if (waited(s, &s->tasks[task]) <= limit)
			continue;
		c->policy.mls.checked = 0;
		return task;
	}
	c->policy.mls.checked = s->now;
	return SIM_NONE;
}

static u32 serve_own(struct sim *s, u32 cpu, u32 runs)
{
	struct sim_cpu *c = &s->cpus[cpu];
	u32 task = SIM_NONE;

	c->policy.mls.slice = mls_policy_slice(&s->rules, c->queue.n - 1);
	if (!c->policy.mls.checked) {
		c->policy.mls.checked = s->now - mls_policy_look(&s->rules);
	} else if (s->now - c->policy.mls.checked > mls_policy_look(&s->rules)) {
		task = take_overdue(s, cpu);
		if (task != SIM_NONE)
			c->policy.mls.slice = s->rules.slice_min;
	}
	if (task == SIM_NONE && runs != SIM_NONE && goes_on(s, cpu))
		return runs;
	if (task == SIM_NONE)
		task = c->queue.first;
	sim_queue_remove(s, &c->queue, task);
	return task;
}

static u32 pick(struct sim *s, u32 cpu, u32 runs)
{
	struct sim_cpu *c = &s->cpus[cpu];
	u32 task;

	c->policy.mls.turn = s->now;
	if (c->local.n) {
		task = c->local.first;
		sim_queue_remove(s, &c->local, task);
		c->policy.mls.slice = s->rules.slice;
		return task;
	}
	if (c->queue.n) {
		task = serve_own(s, cpu, runs);
		c->policy.mls.length = c->queue.n;
		if (!c->queue.n)
			take_out(s->queued, cpu);
		if (task == runs) {
			MLS(&s->tasks[runs])->went_on = 1;
			c->policy.mls.slice = mls_policy_slice(&s->rules, c->queue.n);
		}
		return task;
	}
	c->policy.mls.length = 0;
	take_out(s->queued, cpu);
	c->policy.mls.slice = s->rules.slice;
	if (runs != SIM_NONE)
		return runs;
	for (u32 level = 0; level < LEVELS; level++) {
		task = steal_near(s, cpu, level);
		if (task != SIM_NONE)
			return task;
	}
	put_in(s->idle, cpu);
	return SIM_NONE;
}

/* ---- running ------------------------------------------------------------------------------------ */

static void running(struct sim *s, u32 cpu, u32 task)
{
	struct sim_task *t = &s->tasks[task];
	struct sim_cpu *c = &s->cpus[cpu];

	take_out(s->idle, cpu);
	MLS(t)->waiting = 0;
	take_clock(s, t, cpu);
	if (mls_policy_before(c->policy.mls.clock, MLS(t)->own))
		c->policy.mls.clock = MLS(t)->own;
	c->policy.mls.own = MLS(t)->own;
	c->policy.mls.burst = MLS(t)->burst;
	c->policy.mls.ran = MLS(t)->ran;
	c->policy.mls.weight = weight_of(s, t);
}

/* The parent of a new task has had the CPU since then: did it sleep soon? */
static void judge_fork(struct sim_task *t, bool runnable)
{
	u64 since = MLS(t)->ran + 1 - MLS(t)->forked;

	if (!MLS(t)->forked || (runnable && since <= MLS_POLICY_SOON))
		return;
	MLS(t)->blocks = mls_policy_blocks(MLS(t)->blocks, since <= MLS_POLICY_SOON);
	MLS(t)->forked = 0;
}

static void stopping(struct sim *s, u32 cpu, u32 task, u64 ran, bool runnable)
{
	struct sim_task *t = &s->tasks[task];
	struct sim_cpu *c = &s->cpus[cpu];

	MLS(t)->own += mls_policy_charge(ran, weight_of(s, t));
	MLS(t)->ran += ran;
	c->policy.mls.clock =
		mls_policy_clock(c->policy.mls.clock, MLS(t)->own, ran, c->policy.mls.length);
	MLS(t)->stopped = s->now;
	mls_home_ran(&MLS(t)->home, cpu, s->machine->llc[cpu] == s->machine->llc[MLS(t)->home.cpu],
		     ran);
	if (has(s, MLS_POLICY_FORK_IN_PLACE))
		judge_fork(t, runnable);
	if (runnable)
		return;
	MLS(t)->burst = mls_policy_burst(MLS(t)->burst, MLS(t)->ran);
	MLS(t)->ran = 0;
	MLS(t)->slept = s->now;
	c->policy.mls.left = s->now;
	c->policy.mls.left_sleep = MLS(t)->sleep;
	c->policy.mls.owner = task + 1;
}

static void idle(struct sim *s, u32 cpu, bool is)
{
	struct sim_cpu *c = &s->cpus[cpu];

	if (is) {
		if (!c->policy.mls.idle_since)
			c->policy.mls.idle_since = s->now;
		put_in(s->idle, cpu);
		return;
	}
	if (c->policy.mls.idle_since)
		c->policy.mls.idle_mean =
			mls_policy_idle(c->policy.mls.idle_mean, s->now - c->policy.mls.idle_since);
	c->policy.mls.idle_since = 0;
	take_out(s->idle, cpu);
}

/* Turns that others did not want begin anew, each on a tick. */
static u64 slice_end(struct sim *s, u32 cpu)
{
	const struct sim_cpu *c = &s->cpus[cpu];
	u64 end = sim_tick_from(c->policy.mls.turn + c->policy.mls.slice);
	u64 turn = sim_tick_from(c->policy.mls.slice);

	if (end < s->now)
		end += (s->now - end + turn - 1) / turn * turn;
	return end;
}

/* ---- the timer --------------------------------------------------------------------------------------- */

static u64 weigh_queue(struct sim *s, u32 cpu, bool runs)
{
	struct sim_cpu *c = &s->cpus[cpu];
	u64 sum = 0;
	u32 seen = 0;

	for (u32 task = c->queue.first; task != SIM_NONE && seen < MLS_POLICY_TIMER_WEIGHED;
	     task = s->tasks[task].next) {
		seen++;
		sum += weight_of(s, &s->tasks[task]);
	}
	if (seen)
		c->policy.mls.mean = (u32)(sum / seen);
	return (u64)c->queue.n * c->policy.mls.mean + (runs ? running_weight(c) : 0);
}

static void level_queue(struct sim *s, u32 src, u32 from)
{
	struct sim_cpu *c = &s->cpus[src];
	bool runs = !is_in(s->idle, src);
	u32 length = c->queue.n + runs, seen = 0, what = 0, refused = 0;
	u64 weight = weigh_queue(s, src, runs);
	bool moved = false;

	for (u32 task = c->queue.first; task != SIM_NONE; task = s->tasks[task].next) {
		struct sim_task *t = &s->tasks[task];
		struct shorter to;
		s64 excess;
		bool near;

		if (++seen > MLS_POLICY_TIMER_TASKS)
			break;
		to = find_shorter(s, t, src, from, true);
		if (to.cpu == SIM_NONE)
			continue;
		near = level_between(s, src, to.cpu) == MLS_POLICY_NEAR;
		excess = (s64)(weight -
			       (to.others ? weight_at(&s->cpus[to.cpu], to.others - 1) : 0));
		if (mls_policy_rule(&s->rules, 1, sim_may_run(s, t, src), waited(s, t),
				    to.others ? 0 : kept_for(s, to.cpu)) == MLS_POLICY_OPEN) {
			if (refused >= MLS_POLICY_CANDIDATES ||
			    !mls_policy_offers_level(&c->policy.mls.turns, &what, length, to.others,
						     near, excess, weight_of(s, t)))
				continue;
			if (!decide(s, MLS_POLICY_BALANCE, task, src, to.cpu)) {
				if (!to.others)
					keep_from_work(s, to.cpu);
				refused++;
				continue;
			}
		} else if (length < to.others + 1) {
			continue; /* it would wait there as well */
		}
		sim_queue_remove(s, &c->queue, task);
		if (!c->queue.n)
			take_out(s->queued, src);
		sim_move(s, task, to.cpu, SIM_MOVED_BALANCE);
		sim_queue_insert(s, &s->cpus[to.cpu].queue, task,
				 s->cpus[to.cpu].policy.mls.clock - s->rules.credit);
		moved = true;
		put_in(s->queued, to.cpu);
		call_idle(s, to.cpu);
		sim_waits(s, to.cpu);
		break;
	}
	mls_policy_turn(&c->policy.mls.turns, what, moved);
}

static void timer(struct sim *s)
{
	u32 begin = s->turn_from, from = begin;

	for (u32 k = 0; k < MLS_POLICY_TIMER_SOURCES; k++) {
		u32 src = find(s, s->queued, 0, EVERYWHERE, from, NULL);

		/* Once around, though the first may have no queue any more. */
		if (src == SIM_NONE || (k && mls_policy_is_around(begin, from, src)))
			break;
		from = src + 1;
		level_queue(s, src, s->turn + k);
	}
	s->turn_from = from < s->machine->n_cpus ? from : 0;
	s->turn++;
}

/* A CPU that was refused a task and has nothing to do asks again. */
static void cpu_timer(struct sim *s, u32 cpu)
{
	if (!is_in(s->idle, cpu))
		return;
	s->mechanisms[MLS_POLICY_ASK_AGAIN]++;
	call_idle(s, cpu);
}

static void begin(struct sim *s)
{
	for (u32 cpu = 0; cpu < s->machine->n_cpus; cpu++) {
		put_in(s->idle, cpu);
		/* Idle from the beginning; 0 would be: not idle. */
		s->cpus[cpu].policy.mls.idle_since = 1;
	}
}

static void arrive(struct sim *s, u32 task)
{
	struct sim_task *t = &s->tasks[task];

	MLS(t)->queue = t->cpu;
	MLS(t)->own = s->cpus[t->cpu].policy.mls.clock;
	MLS(t)->burst = s->rules.turn;
}

/* ---- what a model is asked with ----------------------------------------------------------- */

/* Mean load of the CPUs of a domain, Q16.16. */
static u32 domain_load(const struct sim *s, u32 cpu)
{
	struct range domain = range_of(s->machine, cpu, MLS_POLICY_NEAR);
	u64 sum = 0;

	for (u32 i = domain.from; i < domain.to; i++)
		sum += mls_load_at(s->cpus[i].loads, s->now, &s->decay);
	return mls_load_q16((u32)(sum / (domain.to - domain.from)));
}

void sim_facts(const struct sim *s, const struct sim_decision *d, struct mls_move_facts *m)
{
	const struct sim_task *t = &s->tasks[d->task];
	const struct sim_cpu *from = &s->cpus[d->src], *to = &s->cpus[d->dst];
	bool idle_src = is_in(s->idle, d->src);
	bool idle_dst = d->kind == MLS_POLICY_STEAL || is_in(s->idle, d->dst);
	bool has_home = MLS(t)->home.weight;

	m->kind = d->kind;
	m->level = level_between(s, d->src, d->dst);
	m->src_len = from->queue.n + !idle_src;
	m->dst_len = to->queue.n + !idle_dst;
	m->src_load = domain_load(s, d->src);
	m->dst_load = m->level == MLS_POLICY_NEAR ? m->src_load : domain_load(s, d->dst);
	m->home_src = has_home ? level_between(s, d->src, MLS(t)->home.cpu) : MLS_POLICY_NEAR;
	m->home_dst = has_home ? level_between(s, d->dst, MLS(t)->home.cpu) : MLS_POLICY_NEAR;
	m->since_run = MLS(t)->stopped ? s->now - MLS(t)->stopped : MLS_FEATURE_NEVER;
	m->waited = waited(s, t);
	m->src_stint = idle_src ? 0 : sim_ran(s, d->src);
	m->src_ran = idle_src ? 0 : from->policy.mls.ran + m->src_stint;
	m->src_burst = idle_src ? 0 : from->policy.mls.burst;
	m->sleep = MLS(t)->sleep;
	m->owner_eta = !idle_dst             ? 0 :
		       !to->policy.mls.owner ? MLS_FEATURE_NEVER :
					       mls_owner_eta(to->policy.mls.left_sleep,
							     s->now - to->policy.mls.left);
}

const struct sim_policy sim_policy_mlsched = {
	.name = "mlsched",
	.period = PERIOD,
	.begin = begin,
	.arrive = arrive,
	.depart = disown,
	.select = select_cpu,
	.enqueue = enqueue,
	.pick = pick,
	.running = running,
	.stopping = stopping,
	.slice_end = slice_end,
	.idle = idle,
	.timer = timer,
	.cpu_timer = cpu_timer,
};
