// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's own scheduler as of 6.18, as a baseline: what its documentation and
 * kernel/sched/fair.c say of picking (EEVDF), waking up (wake_affine, idle siblings),
 * forking and executing (the idlest CPU) and balancing (newly idle, periodic).
 *
 * What is left out: groups, bandwidth, capacity and energy, NUMA balancing, cores that
 * are idle as a whole, misfits; the rules between nodes that differ from those within one
 * (an imbalance that is allowed, one more attempt for hot tasks).
 */
#include <stddef.h>

#include "core/policy.h"
#include "src/sim/cpu_load.h"
#include "src/sim/cpus.h"
#include "src/sim/policy.h"
#include "src/sim/random.h"

#define LEVELS         3 /* of domains: a cache, a node, all */
#define WEIGHT         1024 /* of nice 0 */
#define MIGRATION_COST (500 * SIM_US) /* sysctl_sched_migration_cost */
#define IDLE_MOST      (2 * MIGRATION_COST) /* of rq->avg_idle */
#define IMBALANCE      117 /* sd->imbalance_pct */
#define HOT_TRIES      1 /* sd->cache_nice_tries */
#define BUSY_FACTOR    16 /* sd->busy_factor */
#define NEWIDLE_ONE    1024 /* of sd->newidle_ratio */
#define FLIPS_PERIOD   SIM_S /* wakee_flips are halved */

/* Of sim_stream(): beyond all tasks. */
#define NEWIDLE_STREAMS (1ull << 48)

#define FAIR(t) (&(t)->policy.fair)

static u32 weight_of(const struct sim *s, const struct sim_task *t)
{
	return s->workload->programs[t->program].weight * WEIGHT / 100;
}

static u64 virtual(u64 ns, u32 weight)
{
	return weight == WEIGHT ? ns : ns * WEIGHT / weight;
}

/* sysctl_sched_base_slice: 0.7 ms, scaled by one and the logarithm of up to 8 CPUs. */
static u64 base_slice(const struct sim *s)
{
	u32 cpus = s->machine->n_cpus < 8 ? s->machine->n_cpus : 8;

	return 700 * SIM_US * (32 - (u32)__builtin_clz(cpus));
}

static u32 n_running(const struct sim *s, u32 cpu)
{
	return s->cpus[cpu].queue.n + (s->cpus[cpu].current != SIM_NONE);
}

static u32 first_of(const struct sim_machine *m, u32 cpu, u32 level)
{
	return range_of(m, cpu, level).from;
}

static u32 size_of(const struct sim_machine *m, u32 level)
{
	return range_of(m, 0, level).to;
}

/* ---- virtual time ---------------------------------------------------------------------- */

static s64 vruntime_of_current(const struct sim *s, u32 cpu)
{
	const struct sim_cpu *c = &s->cpus[cpu];

	return (s64)(c->policy.fair.vruntime +
		     virtual(sim_ran(s, cpu), weight_of(s, &s->tasks[c->current])));
}

/* avg_vruntime(): the running task takes part. */
static s64 average(const struct sim *s, u32 cpu)
{
	const struct sim_cpu *c = &s->cpus[cpu];
	__int128 sum = c->policy.fair.weighted;
	s64 weight = (s64)c->policy.fair.weight;

	if (c->current != SIM_NONE) {
		u32 w = weight_of(s, &s->tasks[c->current]);

		sum += (__int128)vruntime_of_current(s, cpu) * w;
		weight += w;
	}
	if (!weight)
		return (s64)c->policy.fair.zero;
	/* Rounded down, as there. */
	return (s64)(sum / weight);
}

static void put(struct sim *s, u32 cpu, u32 task, u64 deadline)
{
	struct sim_cpu *c = &s->cpus[cpu];
	u32 weight = weight_of(s, &s->tasks[task]);

	c->policy.fair.weighted += (__int128)(s64)FAIR(&s->tasks[task])->vruntime * weight;
	c->policy.fair.weight += weight;
	sim_queue_insert(s, &c->queue, task, deadline);
	put_in(s->queued, cpu);
}

static void take(struct sim *s, u32 cpu, u32 task)
{
	struct sim_cpu *c = &s->cpus[cpu];
	u32 weight = weight_of(s, &s->tasks[task]);

	c->policy.fair.zero = (u64)average(s, cpu);
	c->policy.fair.weighted -= (__int128)(s64)FAIR(&s->tasks[task])->vruntime * weight;
	c->policy.fair.weight -= weight;
	sim_queue_remove(s, &c->queue, task);
	if (!c->queue.n)
		take_out(s->queued, cpu);
}

/* update_entity_lag() */
static s64 lag_of(const struct sim *s, u32 cpu, u32 task, s64 vruntime)
{
	s64 lag = average(s, cpu) - vruntime;
	u64 most = 2 * base_slice(s) > SIM_TICK ? 2 * base_slice(s) : SIM_TICK;
	s64 limit = (s64) virtual(most, weight_of(s, &s->tasks[task]));

	return lag < -limit ? -limit : lag > limit ? limit : lag;
}

/* pick_eevdf(): the running task, which is not in the queue, if it should go on; @current: or SIM_NONE */
static u32 best(const struct sim *s, u32 cpu, u32 current)
{
	const struct sim_cpu *c = &s->cpus[cpu];
	s64 v = average(s, cpu);
	u32 found = SIM_NONE;

	if (current != SIM_NONE) {
		s64 own = vruntime_of_current(s, cpu);

		if (own > v && c->queue.n)
			current = SIM_NONE;
		else if (mls_policy_before((u64)own, c->policy.fair.protected))
			return current; /* RUN_TO_PARITY: until the deadline that it was picked with */
	}
	for (u32 task = c->queue.first; task != SIM_NONE; task = s->tasks[task].next) {
		if ((s64)FAIR(&s->tasks[task])->vruntime <= v) {
			found = task;
			break;
		}
	}
	if (found == SIM_NONE)
		return current != SIM_NONE ? current : c->queue.first;
	if (current != SIM_NONE && mls_policy_before(s->tasks[current].key, s->tasks[found].key))
		return current;
	return found;
}

/* ---- waking up ------------------------------------------------------------------------------ */

static void lacks(struct sim *s, u32 cpu, s64 more)
{
	cpu_load_change(&s->cpus[cpu].policy.fair.load, more, s->now, &s->decay);
}

static s64 exact_load(const struct sim *s, const struct sim_task *t)
{
	return mls_load_at(FAIR(t)->load, s->now, &s->decay);
}

/* By 1024, as all that is compared. */
static u64 load_of(const struct sim *s, u32 cpu)
{
	return cpu_load_at(&s->cpus[cpu].policy.fair.load, n_running(s, cpu), s->now, &s->decay);
}

/* A decaying average of core/load.h, now, by 1024. */
static u64 mean_of(u64 word, const struct sim *s)
{
	return mls_load_at(word, s->now, &s->decay) >> CPU_LOAD_SHIFT;
}

static u64 task_load(const struct sim *s, const struct sim_task *t)
{
	return mean_of(FAIR(t)->load, s);
}

/* cpu_load_without() */
static u64 load_without(const struct sim *s, u32 cpu, const struct sim_task *t)
{
	u64 all = load_of(s, cpu), own = task_load(s, t);

	return all > own ? all - own : 0;
}

/* wake_affine() */
static u32 affine(struct sim *s, u32 task, u32 this, u32 prev)
{
	u64 load = task_load(s, &s->tasks[task]), here, there;

	if (sim_is_idle(s, this) && s->machine->llc[this] == s->machine->llc[prev])
		return sim_is_idle(s, prev) ? prev : this;
	if (sim_is_idle(s, prev))
		return prev;
	here = (load_of(s, this) + load) * 100;
	there = load_without(s, prev, &s->tasks[task]) * (100 + (IMBALANCE - 100) / 2);
	return here < there ? this : prev;
}

/* wake_wide(): a waker of many is not followed. */
static bool is_wide(const struct sim *s, const struct sim_task *waker, const struct sim_task *t)
{
	u32 factor = s->machine->n_cpus / s->machine->n_llcs;
	u32 master = FAIR(waker)->flips, slave = FAIR(t)->flips;

	if (master < slave) {
		u32 swap = master;

		master = slave;
		slave = swap;
	}
	return slave >= factor && master >= slave * factor;
}

static void record_wakee(struct sim *s, u32 waker, u32 task)
{
	struct sim_task *w = &s->tasks[waker];

	if (s->now > FAIR(w)->flips_at + FLIPS_PERIOD) {
		FAIR(w)->flips /= 2;
		FAIR(w)->flips_at = s->now;
	}
	if (FAIR(w)->wakee != task) {
		FAIR(w)->wakee = task;
		FAIR(w)->flips++;
	}
}

/* SIS_UTIL: a busy cache is not searched for long. */
static u32 scan_of(const struct sim *s, u32 first, u32 size)
{
	u64 load = 0, x;

	for (u32 cpu = first; cpu < first + size; cpu++)
		load += mean_of(s->cpus[cpu].loads, s);
	x = load / size * IMBALANCE / 100;
	return x >= 1024 ? 0 : (u32)((1024 * 1024 - x * x) * size >> 20);
}

/* select_idle_sibling() */
static u32 idle_sibling(const struct sim *s, u32 task, u32 prev, u32 target)
{
	const struct sim_task *t = &s->tasks[task];
	const struct sim_machine *m = s->machine;
	u32 size = size_of(m, 0), first = first_of(m, target, 0), recent = FAIR(t)->recent;
	u32 scan;

	if (sim_is_idle(s, target) && sim_may_run(s, t, target))
		return target;
	if (prev != target && m->llc[prev] == m->llc[target] && sim_is_idle(s, prev) &&
	    sim_may_run(s, t, prev))
		return prev;
	if (recent != prev && recent != target && m->llc[recent] == m->llc[target] &&
	    sim_is_idle(s, recent) && sim_may_run(s, t, recent))
		return recent;
	scan = scan_of(s, first, size);
	for (u32 k = 1; k < size && scan; k++, scan--) {
		u32 cpu = first + (target - first + k) % size;

		if (sim_is_idle(s, cpu) && sim_may_run(s, t, cpu))
			return cpu;
	}
	return target;
}

/* CPUs of a level below the one that is looked at, or one CPU. */
struct group {
	struct range cpus;
	u32 n_idle, n_running;
	u32 without; /* CPU on which one task does not count, which runs there; SIM_NONE */
	const struct sim_task *t; /* that one */
	bool has_load, has_util; /* what follows is known */
	u64 load, util;
};

static u32 n_cpus(const struct group *g)
{
	return g->cpus.to - g->cpus.from;
}

/* @level: of the group, from 1; 0: one CPU */
static struct range group_around(const struct sim *s, u32 cpu, u32 level)
{
	return level ? range_of(s->machine, cpu, level - 1) : (struct range){ cpu, cpu + 1 };
}

static struct group group_of(const struct sim *s, struct range cpus)
{
	struct group g = { .cpus = cpus, .without = SIM_NONE };

	if (cpus.from == cpus.to)
		return g;
	for (u32 word = cpus.from / 64; word <= (cpus.to - 1) / 64; word++) {
		u64 part = part_of(word, cpus), queued = s->queued[word] & part;

		g.n_idle += (u32)__builtin_popcountll(s->idle[word] & ~queued & part);
		g.n_running += (u32)__builtin_popcountll(~s->idle[word] & part);
		for (; queued; queued &= queued - 1)
			g.n_running += s->cpus[word * 64 + (u32)__builtin_ctzll(queued)].queue.n;
	}
	return g;
}

/* Those of them on which the task may run; on @without it does, and does not count there. */
static struct group group_for(const struct sim *s, const struct sim_task *t, struct range cpus,
			      u32 without)
{
	struct group g;

	/* A cache lies in a group, or outside. */
	if (t->tied) {
		struct range own = range_of(s->machine, (t->tied - 1u) * size_of(s->machine, 0), 0);

		if (own.from >= cpus.from && own.to <= cpus.to)
			cpus = own;
		else
			cpus.to = cpus.from;
	}
	g = group_of(s, cpus);
	if (without < cpus.from || without >= cpus.to)
		return g;
	g.without = without;
	g.t = t;
	g.n_running--;
	g.n_idle += !s->cpus[without].queue.n;
	return g;
}

/* Load and use are not added up before somebody asks: of a large group it takes long. */
static u64 load_of_group(const struct sim *s, struct group *g)
{
	if (g->has_load)
		return g->load;
	for (u32 cpu = g->cpus.from; cpu < g->cpus.to; cpu++)
		g->load += cpu == g->without ? load_without(s, cpu, g->t) : load_of(s, cpu);
	g->has_load = true;
	return g->load;
}

static u64 util_of_group(const struct sim *s, struct group *g)
{
	if (g->has_util)
		return g->util;
	for (u32 cpu = g->cpus.from; cpu < g->cpus.to; cpu++)
		g->util += mean_of(s->cpus[cpu].loads, s);
	g->has_util = true;
	return g->util;
}

/* Of the groups of one level below @level around @cpu; its own unless another is better. */
static u32 idlest_group(const struct sim *s, const struct sim_task *t, u32 cpu, u32 level,
			u32 without)
{
	const struct sim_machine *m = s->machine;
	u32 first = first_of(m, cpu, level), size = size_of(m, level - 1);
	u32 own = first_of(m, cpu, level - 1), found = own;
	struct group least = group_for(s, t, group_around(s, cpu, level), without);

	for (u32 at = first; at < first + size_of(m, level); at += size) {
		struct group g;

		if (at == own)
			continue;
		g = group_for(s, t, group_around(s, at, level), without);
		if (!n_cpus(&g))
			continue;
		if (!n_cpus(&least)) {
			/* It may run on none of those around it. */
		} else if (g.n_idle || least.n_idle) {
			if (g.n_idle <= least.n_idle)
				continue;
		} else if (load_of_group(s, &g) * IMBALANCE >= load_of_group(s, &least) * 100) {
			continue;
		}
		least = g;
		found = at;
	}
	return found;
}

/* find_idlest_cpu() */
static u32 idlest(struct sim *s, u32 task, u32 cpu, u32 without)
{
	const struct sim_task *t = &s->tasks[task];
	const struct sim_machine *m = s->machine;
	u32 at = cpu, first, found = SIM_NONE;
	u64 least = ~0ull;

	for (u32 level = LEVELS - 1; level > 0; level--) {
		if (size_of(m, level) == size_of(m, level - 1))
			continue;
		first = idlest_group(s, t, at, level, without);
		if (first != first_of(m, at, level - 1))
			at = first;
	}
	first = first_of(m, at, 0);
	for (u32 k = 0; k < size_of(m, 0); k++) {
		u32 other = first + (at - first + k) % size_of(m, 0);
		u64 load;

		if (!sim_may_run(s, t, other))
			continue;
		/* Idle ones come before all others. */
		load = other == without ? load_without(s, other, t) : load_of(s, other);
		if (n_running(s, other) == (other == without))
			load = 0;
		else
			load++;
		if (load < least && (found != cpu || load * IMBALANCE < least * 100)) {
			least = load;
			found = other;
		}
	}
	return found == SIM_NONE ? (t->tied - 1) * size_of(m, 0) : found;
}

/*
 * DELAY_DEQUEUE: who owes something stays in the queue while it sleeps, until the average
 * has come to where it is.
 */
static bool is_delayed(const struct sim *s, const struct sim_task *t)
{
	return FAIR(t)->lag < 0 && (s64)FAIR(t)->vruntime > average(s, FAIR(t)->lag_on);
}

static u32 select_cpu(struct sim *s, u32 task, enum sim_why why, u32 by)
{
	struct sim_task *t = &s->tasks[task];
	u32 prev = t->cpu, target = prev, chosen;

	if (why == SIM_FORKED)
		return idlest(s, task, prev, SIM_NONE);
	if (is_delayed(s, t) && sim_may_run(s, t, prev))
		return prev;
	if (s->cpus[by].current != SIM_NONE) {
		struct sim_task *waker = &s->tasks[s->cpus[by].current];

		record_wakee(s, s->cpus[by].current, task);
		if (by != prev && sim_may_run(s, t, by) && !is_wide(s, waker, t))
			target = affine(s, task, by, prev);
	}
	chosen = idle_sibling(s, task, prev, target);
	FAIR(t)->recent = prev;
	return sim_may_run(s, t, chosen) ? chosen : idlest(s, task, prev, SIM_NONE);
}

static u32 exec(struct sim *s, u32 task)
{
	u32 cpu = s->tasks[task].cpu;

	if (n_running(s, cpu) == 1)
		return cpu; /* nobody else is there: its own is the idlest */
	return idlest(s, task, cpu, cpu);
}

/* place_entity() */
static u64 place(struct sim *s, u32 task, u32 cpu, s64 lag, bool initial)
{
	struct sim_task *t = &s->tasks[task];
	const struct sim_cpu *c = &s->cpus[cpu];
	u32 weight = weight_of(s, t);
	u64 slice = virtual(base_slice(s), weight);
	s64 load = (s64)c->policy.fair.weight;

	if (c->current != SIM_NONE)
		load += weight_of(s, &s->tasks[c->current]);
	/* Its coming draws the average after it: the lag is what is left of it then. */
	if (load)
		lag = lag * (load + weight) / load;
	else
		lag = 0;
	FAIR(t)->vruntime = (u64)(average(s, cpu) - lag);
	return FAIR(t)->vruntime + (initial ? slice / 2 : slice);
}

static void enqueue(struct sim *s, u32 task, enum sim_why why)
{
	struct sim_task *t = &s->tasks[task];
	u32 cpu = t->cpu;
	struct sim_cpu *c = &s->cpus[cpu];
	s64 lag = FAIR(t)->lag;
	u64 deadline;

	if (why == SIM_PUT_BACK) {
		put(s, cpu, task, t->key);
		return;
	}
	/* post_init_entity_util_avg(): half of what its CPU has left. */
	if (why == SIM_FORKED)
		FAIR(t)->util = mls_load_word(
			MLS_LOAD_IDLE, s->now,
			(MLS_LOAD_ONE - mls_load_at(c->loads, s->now, &s->decay)) / 2);
	if (FAIR(t)->asleep_on)
		lacks(s, FAIR(t)->asleep_on - 1, exact_load(s, t));
	FAIR(t)->asleep_on = 0;
	lacks(s, cpu, MLS_LOAD_ONE - exact_load(s, t));
	FAIR(t)->load =
		mls_load_change(FAIR(t)->load, MLS_LOAD_IDLE, MLS_LOAD_BUSY, s->now, &s->decay);
	/* requeue_delayed_entity(): as if it had not slept. */
	if (why == SIM_WOKEN && cpu == FAIR(t)->lag_on && is_delayed(s, t))
		deadline = t->key;
	else
		deadline = place(s, task, cpu, lag > 0 || cpu != FAIR(t)->lag_on ? lag : 0,
				 why == SIM_FORKED);
	put(s, cpu, task, deadline);
	/* check_preempt_wakeup_fair() */
	if (c->current == SIM_NONE || best(s, cpu, c->current) == task)
		sim_resched(s, cpu);
}

/* ---- balancing ------------------------------------------------------------------------------------ */

/* can_migrate_task() */
static bool may_migrate(const struct sim *s, const struct sim_task *t, u32 dst, u32 failed)
{
	if (!sim_may_run(s, t, dst))
		return false;
	return s->now - t->since >= MIGRATION_COST || failed > HOT_TRIES;
}

/* What may move: enum migration_type */
struct imbalance {
	enum { ANY_TASK, OF_LOAD, OF_UTIL } of;
	u64 most;
};

static bool fits(const struct sim *s, const struct sim_task *t, struct imbalance imbalance,
		 u32 failed)
{
	switch (imbalance.of) {
	case OF_LOAD:
		return task_load(s, t) >> failed <= imbalance.most;
	case OF_UTIL:
		return mean_of(FAIR(t)->util, s) >> failed <= imbalance.most;
	default:
		return true;
	}
}

/* detach_tasks(), one of them; @pinned: none of those there may run here (LBF_ALL_PINNED) */
static u32 detach(struct sim *s, u32 src, u32 dst, u32 level, struct imbalance imbalance,
		  bool *pinned)
{
	u32 failed = s->cpus[dst].policy.fair.failed[level];

	/* shr_bound() */
	if (failed > 63)
		failed = 63;
	*pinned = true;
	for (u32 task = s->cpus[src].queue.last; task != SIM_NONE; task = s->tasks[task].previous) {
		struct sim_task *t = &s->tasks[task];

		*pinned = *pinned && !sim_may_run(s, t, dst);
		if (!may_migrate(s, t, dst, failed) || !fits(s, t, imbalance, failed))
			continue;
		FAIR(t)->lag = lag_of(s, src, task, (s64)FAIR(t)->vruntime);
		take(s, src, task);
		lacks(s, src, exact_load(s, t) - MLS_LOAD_ONE);
		return task;
	}
	return SIM_NONE;
}

/* The CPU of the level around @dst that has the greatest load and can give something. */
static u32 busiest(const struct sim *s, u32 dst, u32 level)
{
	struct range all = range_of(s->machine, dst, level), own = group_around(s, dst, level);
	u32 found = SIM_NONE;
	u64 most = 0;

	for (u32 word = all.from / 64; word <= (all.to - 1) / 64; word++) {
		u64 bits = s->queued[word] & ~s->idle[word] & part_of(word, all) &
			   ~part_of(word, own);

		for (; bits; bits &= bits - 1) {
			u32 cpu = word * 64 + (u32)__builtin_ctzll(bits);
			const struct cpu_load *of = &s->cpus[cpu].policy.fair.load;
			u64 load;

			if (cpu_load_at_most(of, n_running(s, cpu), s->now, &s->decay) <= most)
				continue;
			load = load_of(s, cpu);
			if (load > most) {
				most = load;
				found = cpu;
			}
		}
	}
	return found;
}

/* The task is out of its queue: it comes here with what it was owed. */
static void attach(struct sim *s, u32 task, u32 dst, enum sim_move_kind kind)
{
	struct sim_task *t = &s->tasks[task];
	u64 left = t->key - FAIR(t)->vruntime; /* PLACE_REL_DEADLINE */

	sim_move(s, task, dst, kind);
	place(s, task, dst, FAIR(t)->lag, false);
	lacks(s, dst, MLS_LOAD_ONE - exact_load(s, t));
	put(s, dst, task, FAIR(t)->vruntime + left);
	sim_waits(s, dst);
}

/* group_is_overloaded() */
static bool has_too_many(const struct sim *s, struct group *g)
{
	u64 capacity = (u64)n_cpus(g) * 1024;

	if (g->n_running <= n_cpus(g))
		return false;
	return capacity * 100 < util_of_group(s, g) * IMBALANCE ||
	       capacity * IMBALANCE < load_of_group(s, g) * 100;
}

/* group_has_capacity() */
static bool has_spare(const struct sim *s, struct group *g)
{
	u64 capacity = (u64)n_cpus(g) * 1024;

	if (g->n_running < n_cpus(g))
		return true;
	return capacity * IMBALANCE >= load_of_group(s, g) * 100 &&
	       capacity * 100 > util_of_group(s, g) * IMBALANCE;
}

/* find_busiest_group() and calculate_imbalance(); false: it is balanced. */
static bool is_uneven(const struct sim *s, struct group *own, struct group *busiest, bool idle_cpu,
		      u32 level, struct imbalance *imbalance)
{
	bool too_many = has_too_many(s, busiest), spare = has_spare(s, own);
	u32 more = busiest->n_running > own->n_running ? busiest->n_running - own->n_running : 0;
	u64 there, here;

	/* prefer_sibling, and then an even number */
	if (!spare || more <= 1) {
		if (!too_many && (!idle_cpu || busiest->n_running == 1 ||
				  (n_cpus(busiest) > 1 && own->n_idle <= busiest->n_idle + 1)))
			return false;
		if (has_too_many(s, own) &&
		    load_of_group(s, busiest) * 100 <= load_of_group(s, own) * IMBALANCE)
			return false;
	}
	if (spare && too_many && level) {
		u64 capacity = (u64)n_cpus(own) * 1024, util = util_of_group(s, own);

		imbalance->of = OF_UTIL;
		imbalance->most = capacity > util ? capacity - util : 0;
		if (!imbalance->most && idle_cpu)
			imbalance->of = ANY_TASK;
		return true;
	}
	if (spare) {
		imbalance->of = ANY_TASK;
		return more > 1;
	}
	there = load_of_group(s, busiest);
	here = load_of_group(s, own);
	imbalance->of = OF_LOAD;
	imbalance->most = there > here ? (there - here) / 2 : 0;
	return imbalance->most > 0;
}

/* sched_balance_rq() for a CPU on one level: a task that comes, and is in no queue yet; SIM_NONE */
static u32 balanced_by(struct sim *s, u32 cpu, u32 level, bool newly_idle, bool idle_cpu)
{
	struct sim_cpu *c = &s->cpus[cpu];
	u32 src = busiest(s, cpu, level), task = SIM_NONE;
	struct imbalance imbalance = { ANY_TASK, 0 };
	bool pinned = false;

	if (src != SIM_NONE) {
		struct group own = group_of(s, group_around(s, cpu, level));
		struct group other = group_of(s, group_around(s, src, level));

		if (!is_uneven(s, &own, &other, idle_cpu, level, &imbalance))
			src = SIM_NONE;
	}
	if (src != SIM_NONE)
		task = detach(s, src, cpu, level, imbalance, &pinned);
	if (pinned)
		src = SIM_NONE;
	if (src == SIM_NONE || task != SIM_NONE)
		c->policy.fair.failed[level] = 0;
	else if (!newly_idle)
		c->policy.fair.failed[level]++;
	if (src != SIM_NONE)
		c->policy.fair.interval[level] = size_of(s->machine, level);
	else if (!newly_idle && c->policy.fair.interval[level] < 2 * size_of(s->machine, level))
		c->policy.fair.interval[level] *= 2;
	return task;
}

/* root_domain.overloaded */
static bool is_overloaded(const struct sim *s)
{
	for (u32 word = 0; word < (s->machine->n_cpus + 63) / 64; word++)
		if (s->queued[word])
			return true;
	return false;
}

/* update_newidle_stats() */
static void count_newidle(struct sim *s, u32 cpu, u32 level, u32 successes)
{
	struct sim_cpu *c = &s->cpus[cpu];
	u32 calls = ++c->policy.fair.newidle[level].calls;

	successes += c->policy.fair.newidle[level].successes;
	c->policy.fair.newidle[level].successes = successes;
	if (calls < NEWIDLE_ONE)
		return;
	c->policy.fair.newidle[level].ratio = successes;
	c->policy.fair.newidle[level].calls = calls / 2;
	c->policy.fair.newidle[level].successes = successes / 2;
}

/*
 * NI_RANDOM: as often as there was something to be had; that many calls each of these stands for,
 * and 0 is for a call that is left out.
 */
static u32 throw_dice(struct sim *s, u32 cpu, u32 level)
{
	u32 weight = 1 + s->cpus[cpu].policy.fair.newidle[level].ratio;
	u64 bits = sim_draw(s->seed, sim_stream(NEWIDLE_STREAMS + cpu, 0),
			    s->cpus[cpu].policy.fair.dice++);

	if (bits % NEWIDLE_ONE > weight)
		return 0;
	return weight < 2 * NEWIDLE_ONE ? (NEWIDLE_ONE + weight / 2) / weight : 1;
}

/* sched_balance_newidle() */
static bool newly_idle(struct sim *s, u32 cpu)
{
	u64 cost = 0, dear;

	if (!is_overloaded(s))
		return false;
	for (u32 level = 0; level < LEVELS; level++) {
		u32 weight, task;

		if (level && size_of(s->machine, level) == size_of(s->machine, level - 1))
			continue;
		dear = s->machine->costs.balance * (level + 1);
		if (s->cpus[cpu].policy.fair.idle_mean < cost + dear)
			return false;
		weight = throw_dice(s, cpu, level);
		if (!weight) {
			count_newidle(s, cpu, level, 0);
			continue;
		}
		cost += dear;
		task = balanced_by(s, cpu, level, true, true);
		count_newidle(s, cpu, level, task == SIM_NONE ? 0 : weight);
		if (task == SIM_NONE)
			continue;
		attach(s, task, cpu, SIM_MOVED_STEAL);
		return true;
	}
	return false;
}

static void balance(struct sim *s, u32 cpu, u32 level)
{
	struct sim_cpu *c = &s->cpus[cpu];
	bool idle_cpu = c->current == SIM_NONE && !c->queue.n;
	u32 task = balanced_by(s, cpu, level, false, idle_cpu);

	if (task == SIM_NONE)
		return;
	attach(s, task, cpu, SIM_MOVED_BALANCE);
	if (c->current == SIM_NONE || best(s, cpu, c->current) == task)
		sim_resched(s, cpu);
}

/* get_sd_balance_interval(): a busy CPU's is a tick short, so that levels do not come at once. */
static u64 interval_of(u32 ms, bool idle_cpu)
{
	return idle_cpu ? ms * SIM_MS : ms * SIM_MS * BUSY_FACTOR - SIM_TICK;
}

/* Each tick: who is due? */
static void timer(struct sim *s)
{
	if (!is_overloaded(s))
		return;
	for (u32 cpu = 0; cpu < s->machine->n_cpus; cpu++) {
		struct sim_cpu *c = &s->cpus[cpu];
		bool idle_cpu = c->current == SIM_NONE;

		for (u32 level = 0; level < LEVELS; level++) {
			u32 size = size_of(s->machine, level);

			if (size == 1 || (level && size == size_of(s->machine, level - 1)))
				continue;
			if (s->now - c->policy.fair.balanced_at[level] <
			    interval_of(c->policy.fair.interval[level], idle_cpu))
				continue;
			/* should_we_balance(): one CPU for its group, an idle one if there is one. */
			if (level && !idle_cpu && cpu != first_of(s->machine, cpu, level - 1))
				continue;
			c->policy.fair.balanced_at[level] = s->now;
			balance(s, cpu, level);
			idle_cpu = idle_cpu && !c->queue.n;
		}
	}
}

/* ---- running --------------------------------------------------------------------------------------- */

static u32 pick(struct sim *s, u32 cpu, u32 runs)
{
	struct sim_cpu *c = &s->cpus[cpu];
	u32 task;

	/* update_deadline(): a new request. */
	if (runs != SIM_NONE) {
		s64 own = vruntime_of_current(s, cpu);

		if (!mls_policy_before((u64)own, s->tasks[runs].key))
			s->tasks[runs].key = (u64)own +
					     virtual(base_slice(s), weight_of(s, &s->tasks[runs]));
	}
	if (!c->queue.n) {
		if (runs != SIM_NONE)
			return runs;
		if (!newly_idle(s, cpu))
			return SIM_NONE;
	}
	task = best(s, cpu, runs);
	if (task != runs)
		take(s, cpu, task);
	return task;
}

static void running(struct sim *s, u32 cpu, u32 task)
{
	take_out(s->idle, cpu);
	s->cpus[cpu].policy.fair.vruntime = FAIR(&s->tasks[task])->vruntime;
	s->cpus[cpu].policy.fair.protected = s->tasks[task].key;
	FAIR(&s->tasks[task])->util = mls_load_change(FAIR(&s->tasks[task])->util, MLS_LOAD_IDLE,
						      MLS_LOAD_BUSY, s->now, &s->decay);
}

static void stopping(struct sim *s, u32 cpu, u32 task, u64 ran, bool runnable)
{
	struct sim_task *t = &s->tasks[task];
	struct sim_cpu *c = &s->cpus[cpu];

	if (!runnable) {
		FAIR(t)->lag = lag_of(s, cpu, task, vruntime_of_current(s, cpu));
		FAIR(t)->lag_on = cpu;
		FAIR(t)->load = mls_load_change(FAIR(t)->load, MLS_LOAD_BUSY, MLS_LOAD_IDLE, s->now,
						&s->decay);
		FAIR(t)->asleep_on = cpu + 1;
		lacks(s, cpu, -(s64)MLS_LOAD_ONE);
	}
	FAIR(t)->util =
		mls_load_change(FAIR(t)->util, MLS_LOAD_BUSY, MLS_LOAD_IDLE, s->now, &s->decay);
	c->policy.fair.zero = (u64)average(s, cpu);
	FAIR(t)->vruntime = c->policy.fair.vruntime + virtual(ran, weight_of(s, t));
	put_in(s->idle, cpu);
}

static u64 slice_end(struct sim *s, u32 cpu)
{
	const struct sim_cpu *c = &s->cpus[cpu];
	const struct sim_task *t = &s->tasks[c->current];
	s64 left = (s64)(t->key - (u64)vruntime_of_current(s, cpu));
	u32 weight = weight_of(s, t);

	if (left < 0)
		left = 0;
	/* A deadline that has passed while nobody waited has been set anew by each tick. */
	if (!left)
		return sim_tick_from(s->now + 1);
	return sim_tick_from(s->now + (weight == WEIGHT ? (u64)left : (u64)left * weight / WEIGHT));
}

static void idle(struct sim *s, u32 cpu, bool is)
{
	struct sim_cpu *c = &s->cpus[cpu];

	if (is) {
		c->policy.fair.idle_since = s->now;
	} else {
		u64 was = s->now - c->policy.fair.idle_since;
		u64 mean = c->policy.fair.idle_mean;

		/* update_avg() */
		mean = was > mean ? mean + (was - mean) / 8 : mean - (mean - was) / 8;
		c->policy.fair.idle_mean = mean < IDLE_MOST ? mean : IDLE_MOST;
	}
}

static void begin(struct sim *s)
{
	for (u32 cpu = 0; cpu < s->machine->n_cpus; cpu++) {
		put_in(s->idle, cpu);
		s->cpus[cpu].policy.fair.idle_mean = IDLE_MOST;
		/* sd_init() */
		for (u32 level = 0; level < LEVELS; level++) {
			s->cpus[cpu].policy.fair.interval[level] = size_of(s->machine, level);
			s->cpus[cpu].policy.fair.newidle[level].calls = NEWIDLE_ONE / 2;
			s->cpus[cpu].policy.fair.newidle[level].successes = NEWIDLE_ONE / 4;
			s->cpus[cpu].policy.fair.newidle[level].ratio = NEWIDLE_ONE / 2;
		}
	}
}

static void arrive(struct sim *s, u32 task)
{
	struct sim_task *t = &s->tasks[task];

	/* init_entity_runnable_average(): taken to be busy. */
	FAIR(t)->load = mls_load_word(MLS_LOAD_IDLE, s->now, MLS_LOAD_ONE);
	FAIR(t)->recent = t->cpu;
	FAIR(t)->wakee = SIM_NONE;
}

/* remove_entity_load_avg() */
static void depart(struct sim *s, u32 task)
{
	const struct sim_task *t = &s->tasks[task];

	if (FAIR(t)->asleep_on)
		lacks(s, FAIR(t)->asleep_on - 1, exact_load(s, t));
}

const struct sim_policy sim_policy_eevdf = {
	.name = "eevdf",
	.period = SIM_TICK,
	.begin = begin,
	.arrive = arrive,
	.depart = depart,
	.select = select_cpu,
	.enqueue = enqueue,
	.pick = pick,
	.running = running,
	.stopping = stopping,
	.slice_end = slice_end,
	.exec = exec,
	.idle = idle,
	.timer = timer,
};
