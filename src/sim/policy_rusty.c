// SPDX-License-Identifier: GPL-2.0
/*
 * A scheduler by the rules of scx_rusty 1.0.8, as a baseline; written anew after its
 * documentation and sources (github.com/sched-ext/scx, scheds/rust/scx_rusty):
 *
 * - A domain for each last-level cache has one queue for all of its CPUs, in the order of
 *   deadlines: virtual time, and the longer a task usually runs the later.  New tasks are
 *   dealt to the domains in turn.
 * - A task that wakes up goes to its CPU if that is idle, to another idle one of its domain,
 *   to an idle one of another domain of its node if that is less than 90 % busy; otherwise
 *   into its domain's queue, and any idle CPU is woken to look for work.
 * - A CPU without work takes the first task of another domain of its node ("greedy"); the
 *   task still belongs to its own.
 * - Nobody is preempted.  Turns are 20 ms, and 1 ms while the machine is busy all the time,
 *   which means to the next tick.
 * - Each 100 ms the tuner looks how busy CPUs were, in the units of /proc/stat; each 2 s the
 *   balancer moves tasks between domains, by the loads of the last second or so: between
 *   nodes where they differ by more than 17 % of the average, within one by more than 5 %.
 *
 * Left out: weights that no CPU could serve (infeasible), kernel threads, memory policies,
 * wake-ups said to be synchronous, hot-plug.  From 1.0.9 to 1.1.4 the balancer asks for
 * moves that nobody carries out; here it works, as in 1.0.8.
 */
#include <string.h>

#include "core/load.h"
#include "core/policy.h"
#include "src/sim/cpus.h"
#include "src/sim/policy.h"

#define TUNE          (100 * SIM_MS)
#define BALANCE_TURNS 20 /* of the tuner */
#define SLICE         (20 * SIM_MS)
#define SLICE_BUSY    SIM_MS
#define PROC_STAT     (10 * SIM_MS) /* USER_HZ */
#define DIRECT_UNDER  90 /* percent busy */
#define HALF_LIFE     SIM_S
#define DOMAIN_OFF    5 /* percent of the average that a load may be off, */
#define NODE_OFF      17

/* Of deadlines. */
#define FREQUENCY_PERIOD (100 * SIM_MS)
#define FREQUENCY_MOST   100000
#define RUN_SCALE        2
#define RUN_MOST         (50 * SIM_MS)
#define PRIORITIES       39
#define PRIORITY_NICE_0  18
#define LATENCY_MOST     10000

#define RUSTY(t) (&(t)->policy.rusty)

static u32 weight_of(const struct sim *s, const struct sim_task *t)
{
	return s->workload->programs[t->program].weight;
}

/* ---- domains ------------------------------------------------------------------------- */

static u32 domain_size(const struct sim *s)
{
	return s->machine->n_cpus / s->machine->n_llcs;
}

static u32 first_of(const struct sim *s, u32 domain)
{
	return domain * domain_size(s);
}

/* A domain's queue and state are those of its first CPU. */
static struct sim_cpu *domain_at(const struct sim *s, u32 domain)
{
	return &s->cpus[first_of(s, domain)];
}

static u32 node_of(const struct sim *s, u32 domain)
{
	return s->machine->node[first_of(s, domain)];
}

static bool is_domestic(const struct sim *s, const struct sim_task *t, u32 cpu)
{
	return s->machine->llc[cpu] == RUSTY(t)->domain;
}

/* An average of a count, brought up to now. */
static u64 decayed(u64 average, u64 count, u64 passed)
{
	const struct mls_load_decay decay = mls_load_decay_of(HALF_LIFE);
	u64 units = passed >> MLS_LOAD_UNIT_SHIFT;
	u64 rest = units >= decay.longest ? 0 : mls_load_exp2_neg(units * decay.per_unit);
	s64 off = (s64)average - (s64)(count << 8);

	return (u64)((s64)(count << 8) + (s64)((__int128)off * (s64)rest >> 30));
}

static void bring_up(struct sim *s, u32 domain)
{
	struct sim_cpu *d = domain_at(s, domain);
	u64 passed = s->now - d->policy.rusty.at;

	d->policy.rusty.averages[0] =
		decayed(d->policy.rusty.averages[0], d->policy.rusty.runnable, passed);
	d->policy.rusty.averages[1] =
		decayed(d->policy.rusty.averages[1], d->policy.rusty.weight, passed);
	d->policy.rusty.at = s->now;
}

static void count(struct sim *s, u32 domain, const struct sim_task *t, bool more)
{
	struct sim_cpu *d = domain_at(s, domain);
	u32 weight = weight_of(s, t);

	bring_up(s, domain);
	d->policy.rusty.runnable += more ? 1u : -1u;
	d->policy.rusty.weight += more ? weight : -weight;
}

/* Share of the time that a task was runnable of late, in 1/256. */
static u64 load_of(const struct sim *s, const struct sim_task *t)
{
	const struct mls_load_decay decay = mls_load_decay_of(HALF_LIFE);

	return mls_load_at(RUSTY(t)->load, s->now, &decay) >> (MLS_LOAD_BITS - 8);
}

static void change_load(const struct sim *s, struct sim_task *t, bool runs)
{
	const struct mls_load_decay decay = mls_load_decay_of(HALF_LIFE);

	RUSTY(t)->load = mls_load_change(RUSTY(t)->load, runs ? MLS_LOAD_IDLE : MLS_LOAD_BUSY,
					 runs ? MLS_LOAD_BUSY : MLS_LOAD_IDLE, s->now, &decay);
}

/* The next one in turn, of those in which the task may run. */
static u32 pick_domain(struct sim *s, const struct sim_task *t)
{
	if (t->tied)
		return t->tied - 1;
	return (s->cpus[t->cpu].policy.rusty.next_domain++ + 1) % s->machine->n_llcs;
}

static u64 slice_of(const struct sim *s)
{
	return s->cpus[0].policy.rusty.busy ? SLICE_BUSY : SLICE;
}

/* ---- deadlines ------------------------------------------------------------------------- */

static u64 average_of(u64 old, u64 value)
{
	return old - old / 4 + value / 4;
}

static u64 frequency(u64 old, u64 interval)
{
	return average_of(old, interval ? FREQUENCY_PERIOD / interval : 0);
}

static u32 bits_of(u64 value)
{
	return 64 - (u32)__builtin_clzll(value);
}

/* What nice levels weigh, 25 % between two. */
static u64 latency_weight(u32 priority)
{
	u64 weight = 1024 << 8;

	for (u32 p = PRIORITY_NICE_0; p < priority; p++)
		weight = weight * 5 / 4;
	for (u32 p = priority; p < PRIORITY_NICE_0; p++)
		weight = weight * 4 / 5;
	weight >>= 8;
	return weight < LATENCY_MOST ? weight : LATENCY_MOST;
}

/* Who often wakes others and often blocks, and runs for short times, is served early. */
static u64 deadline_of(const struct sim *s, const struct sim_task *t)
{
	u64 wakes = RUSTY(t)->wakes < FREQUENCY_MOST ? RUSTY(t)->wakes : FREQUENCY_MOST;
	u64 blocks = RUSTY(t)->blocks < FREQUENCY_MOST ? RUSTY(t)->blocks : FREQUENCY_MOST;
	u64 runs = RUSTY(t)->average / RUN_SCALE < RUN_MOST ? RUSTY(t)->average / RUN_SCALE :
							      RUN_MOST;
	u32 for_it = bits_of(blocks * wakes * wakes * weight_of(s, t) / 100 + 1);
	u32 against = bits_of(runs * 100 / weight_of(s, t) + 1);
	u32 priority = for_it > against ? for_it - against : 0;

	if (priority > PRIORITIES - 1)
		priority = PRIORITIES - 1;
	return RUSTY(t)->vtime + RUSTY(t)->average * 100 / latency_weight(priority);
}

/* Who slept for long is ahead of the others by one slice and no more. */
static void clamp(const struct sim *s, struct sim_task *t)
{
	u64 least = domain_at(s, RUSTY(t)->domain)->policy.rusty.clock - slice_of(s);

	if (!mls_policy_before(RUSTY(t)->vtime, least))
		return;
	RUSTY(t)->vtime = least;
	RUSTY(t)->deadline = deadline_of(s, t);
}

/* ---- idle CPUs ---------------------------------------------------------------------------- */

static bool core_is_idle(const struct sim *s, u32 cpu)
{
	u32 other = cpu;

	do {
		if (!is_in(s->idle, other))
			return false;
		other = s->machine->sibling[other];
	} while (other != cpu);
	return true;
}

static u32 next_idle(const struct sim *s, struct range range, bool core, bool direct)
{
	for (u32 word = range.from / 64; range.from < range.to && word <= (range.to - 1) / 64;
	     word++) {
		u64 bits = s->idle[word] & part_of(word, range);

		for (; bits; bits &= bits - 1) {
			u32 cpu = word * 64 + (u32)__builtin_ctzll(bits);

			if ((!core || core_is_idle(s, cpu)) &&
			    (!direct || domain_at(s, s->machine->llc[cpu])->policy.rusty.direct))
				return cpu;
		}
	}
	return SIM_NONE;
}

/*
 * An idle one of the range, which is idle no more: the next after the last one that was
 * found. @core: all threads of its core are idle; @direct: of a domain that is not busy.
 */
static u32 take_idle(struct sim *s, struct range range, bool core, bool direct)
{
	struct range behind = range, before = range;
	u32 from = s->cpus[0].policy.rusty.next_idle % s->machine->n_cpus, cpu;

	if (from > range.from && from < range.to)
		behind.from = before.to = from;
	else
		before.to = before.from;
	cpu = next_idle(s, behind, core, direct);
	if (cpu == SIM_NONE)
		cpu = next_idle(s, before, core, direct);
	if (cpu == SIM_NONE)
		return SIM_NONE;
	take_out(s->idle, cpu);
	s->cpus[0].policy.rusty.next_idle = cpu + 1;
	return cpu;
}

/* A whole core first. */
static u32 take_best(struct sim *s, struct range range, bool direct)
{
	u32 cpu = s->machine->threads > 1 ? take_idle(s, range, true, direct) : SIM_NONE;

	return cpu == SIM_NONE ? take_idle(s, range, false, direct) : cpu;
}

/* ---- waking up ------------------------------------------------------------------------------ */

static u32 find_idle(struct sim *s, const struct sim_task *t, u32 prev)
{
	struct range domain = range_of(s->machine, first_of(s, RUSTY(t)->domain), MLS_POLICY_NEAR);
	bool domestic = is_domestic(s, t, prev), many = s->machine->threads > 1;
	u32 cpu;

	/* From a foreign CPU it comes back, unless that one's domain has little to do. */
	if (is_in(s->idle, prev) && core_is_idle(s, prev) && sim_may_run(s, t, prev) &&
	    (domestic || domain_at(s, s->machine->llc[prev])->policy.rusty.direct)) {
		take_out(s->idle, prev);
		return prev;
	}
	cpu = many ? take_idle(s, domain, true, false) : SIM_NONE;
	if (cpu == SIM_NONE && domestic && take_out(s->idle, prev))
		return prev;
	if (cpu == SIM_NONE)
		cpu = take_idle(s, domain, false, false);
	if (cpu != SIM_NONE || t->tied)
		return cpu;
	cpu = take_best(s, range_of(s->machine, prev, MLS_POLICY_NEAR), true);
	if (cpu == SIM_NONE)
		cpu = take_best(s, range_of(s->machine, prev, MLS_POLICY_NODE), true);
	return cpu;
}

static void becomes_runnable(struct sim *s, struct sim_task *t, u32 by)
{
	change_load(s, t, true);
	count(s, RUSTY(t)->domain, t, true);
	RUSTY(t)->burst = 0;
	if (s->cpus[by].current != SIM_NONE) {
		struct sim_task *waker = &s->tasks[s->cpus[by].current];

		RUSTY(waker)->wakes = frequency(RUSTY(waker)->wakes, s->now - RUSTY(waker)->woke);
		RUSTY(waker)->woke = s->now;
	}
}

static u32 select_cpu(struct sim *s, u32 task, enum sim_why why, u32 by)
{
	struct sim_task *t = &s->tasks[task];
	u32 prev = t->cpu, cpu = find_idle(s, t, prev);

	(void)why;
	becomes_runnable(s, t, by);
	if (cpu != SIM_NONE) {
		RUSTY(t)->at_once = true;
		return cpu;
	}
	if (is_domestic(s, t, prev))
		return prev;
	return first_of(s, RUSTY(t)->domain) + s->cpus[0].policy.rusty.next_idle++ % domain_size(s);
}

/* The balancer wants it in another domain: its load goes with it. */
static void follow_balancer(struct sim *s, struct sim_task *t)
{
	u32 from = RUSTY(t)->domain, to = RUSTY(t)->target - 1;
	u64 load = load_of(s, t), weighted = load * weight_of(s, t);
	struct sim_cpu *a = domain_at(s, from), *b = domain_at(s, to);

	count(s, from, t, false);
	count(s, to, t, true);
	/* What is left of others cannot be less than nothing. */
	a->policy.rusty.averages[0] -=
		load < a->policy.rusty.averages[0] ? load : a->policy.rusty.averages[0];
	a->policy.rusty.averages[1] -=
		weighted < a->policy.rusty.averages[1] ? weighted : a->policy.rusty.averages[1];
	b->policy.rusty.averages[0] += load;
	b->policy.rusty.averages[1] += weighted;
	RUSTY(t)->domain = to;
	RUSTY(t)->target = 0;
	RUSTY(t)->vtime = b->policy.rusty.clock;
	RUSTY(t)->deadline = RUSTY(t)->vtime + RUSTY(t)->average * 100 / weight_of(s, t);
}

/* It looks for work if it has none; who runs goes on until its turn is over. */
static void kick(struct sim *s, u32 cpu)
{
	take_out(s->idle, cpu);
	if (sim_is_idle(s, cpu))
		sim_resched(s, cpu);
}

static void kick_domain(struct sim *s, u32 domain)
{
	struct range cpus = range_of(s->machine, first_of(s, domain), MLS_POLICY_NEAR);
	u32 cpu = take_idle(s, cpus, false, false);

	if (cpu != SIM_NONE)
		kick(s, cpu);
}

static void enqueue(struct sim *s, u32 task, enum sim_why why)
{
	struct sim_task *t = &s->tasks[task];
	u32 cpu;

	(void)why;
	if (RUSTY(t)->target && RUSTY(t)->target - 1 != RUSTY(t)->domain) {
		if (RUSTY(t)->at_once)
			put_in(s->idle, t->cpu);
		RUSTY(t)->at_once = false;
		follow_balancer(s, t);
		kick_domain(s, RUSTY(t)->domain);
	} else if (RUSTY(t)->at_once) {
		RUSTY(t)->at_once = false;
		sim_queue_append(s, &s->cpus[t->cpu].local, task);
		sim_resched(s, t->cpu);
		return;
	} else if (!is_domestic(s, t, t->cpu)) {
		kick_domain(s, RUSTY(t)->domain);
	}
	clamp(s, t);
	sim_queue_insert(s, &domain_at(s, RUSTY(t)->domain)->queue, task, RUSTY(t)->deadline);
	if (t->tied)
		return;
	cpu = take_idle(s, (struct range){ 0, s->machine->n_cpus }, false, false);
	if (cpu != SIM_NONE)
		kick(s, cpu);
}

/* ---- who runs --------------------------------------------------------------------------------- */

/* The first task of the domain's queue that may run here. */
static u32 consume(struct sim *s, u32 domain, u32 cpu)
{
	struct sim_queue *q = &domain_at(s, domain)->queue;

	for (u32 task = q->first; task != SIM_NONE; task = s->tasks[task].next) {
		if (!sim_may_run(s, &s->tasks[task], cpu))
			continue;
		sim_queue_remove(s, q, task);
		sim_move(s, task, cpu, SIM_MOVED_STEAL);
		return task;
	}
	return SIM_NONE;
}

static u32 steal(struct sim *s, u32 cpu)
{
	u32 own = s->machine->llc[cpu], n = s->machine->n_llcs, task;

	for (u32 k = 1; k < n; k++) {
		u32 domain = s->cpus[cpu].policy.rusty.next_domain++ % n;

		if (domain == own || node_of(s, domain) != s->machine->node[cpu])
			continue;
		task = consume(s, domain, cpu);
		if (task != SIM_NONE)
			return task;
	}
	return SIM_NONE;
}

static u64 slice_end(struct sim *s, u32 cpu)
{
	const struct sim_cpu *c = &s->cpus[cpu];

	return sim_tick_from(c->policy.rusty.turn + c->policy.rusty.slice);
}

static u32 pick(struct sim *s, u32 cpu, u32 runs)
{
	struct sim_cpu *c = &s->cpus[cpu];
	u32 task;

	if (runs != SIM_NONE && s->now < slice_end(s, cpu))
		return runs;
	c->policy.rusty.turn = s->now;
	c->policy.rusty.slice = slice_of(s);
	if (c->local.n) {
		task = c->local.first;
		sim_queue_remove(s, &c->local, task);
		return task;
	}
	task = consume(s, s->machine->llc[cpu], cpu);
	if (task == SIM_NONE)
		task = steal(s, cpu);
	if (task != SIM_NONE)
		return task;
	if (runs == SIM_NONE) {
		put_in(s->idle, cpu);
		return SIM_NONE;
	}
	/* Who goes on because nobody else is there has a turn of the kernel's own length. */
	c->policy.rusty.slice = SLICE;
	return runs;
}

static void running(struct sim *s, u32 cpu, u32 task)
{
	struct sim_task *t = &s->tasks[task];
	struct sim_cpu *d = domain_at(s, RUSTY(t)->domain);

	take_out(s->idle, cpu);
	RUSTY(t)->active = (u32)(s->now / (BALANCE_TURNS * TUNE)) + 1;
	if (mls_policy_before(d->policy.rusty.clock, RUSTY(t)->vtime))
		d->policy.rusty.clock = RUSTY(t)->vtime;
}

static void stopping(struct sim *s, u32 cpu, u32 task, u64 ran, bool runnable)
{
	struct sim_task *t = &s->tasks[task];

	(void)cpu;
	RUSTY(t)->burst += ran;
	RUSTY(t)->average = average_of(RUSTY(t)->average, RUSTY(t)->burst);
	RUSTY(t)->vtime += ran * 100 / weight_of(s, t);
	RUSTY(t)->deadline = deadline_of(s, t);
	if (runnable)
		return;
	change_load(s, t, false);
	count(s, RUSTY(t)->domain, t, false);
	RUSTY(t)->blocks = frequency(RUSTY(t)->blocks, s->now - RUSTY(t)->blocked);
	RUSTY(t)->blocked = s->now;
}

static void idle(struct sim *s, u32 cpu, bool is)
{
	struct sim_cpu *c = &s->cpus[cpu];

	if (is) {
		c->policy.rusty.idle_since = s->now;
		put_in(s->idle, cpu);
		return;
	}
	c->policy.rusty.idle_time += s->now - c->policy.rusty.idle_since;
	c->policy.rusty.idle_since = SIM_NEVER;
	take_out(s->idle, cpu);
}

/* ---- the tuner ---------------------------------------------------------------------------------- */

/* How busy the CPU was since the last time, in percent times 1000, as /proc/stat has it. */
static u64 busy_since(struct sim *s, u32 cpu)
{
	struct sim_cpu *c = &s->cpus[cpu];
	u64 since = c->policy.rusty.idle_since;
	u64 time = c->policy.rusty.idle_time + (since == SIM_NEVER ? 0 : s->now - since);
	u32 idled = (u32)(time / PROC_STAT), busied = (u32)((s->now - time) / PROC_STAT);
	u32 idles = idled - c->policy.rusty.told_idle, busy = busied - c->policy.rusty.told_busy;

	c->policy.rusty.told_idle = idled;
	c->policy.rusty.told_busy = busied;
	return idles + busy ? 100000ull * busy / (idles + busy) : 100000;
}

static void tune(struct sim *s)
{
	u32 size = domain_size(s);
	u64 all = 0;

	for (u32 domain = 0; domain < s->machine->n_llcs; domain++) {
		u64 sum = 0;

		for (u32 k = 0; k < size; k++)
			sum += busy_since(s, first_of(s, domain) + k);
		domain_at(s, domain)->policy.rusty.direct = sum < DIRECT_UNDER * 1000ull * size;
		all += sum;
	}
	s->cpus[0].policy.rusty.busy = all >= 99999ull * s->machine->n_cpus;
}

/* ---- the balancer -------------------------------------------------------------------------------- */

/**
 * struct balancing - one round
 * @off: what each load is off the average of its kind, in 1/256
 */
struct balancing {
	struct sim *s;
	u32 period; /* that is over */
	bool weighted;
	s64 domain[SIM_MAX_LLCS], node[SIM_MAX_NODES]; /* less the average, */
	s64 domain_average, node_average; /* which is this */
	bool done[SIM_MAX_LLCS];
};

static bool is_off(s64 off, s64 average, s64 percent)
{
	return (off < 0 ? -off : off) * 100 > average * percent;
}

static s64 size_of(s64 x)
{
	return x < 0 ? -x : x;
}

static s64 task_load(const struct balancing *b, const struct sim_task *t)
{
	return (s64)(load_of(b->s, t) * (b->weighted ? weight_of(b->s, t) : 100));
}

/* The task of one domain whose load is next to @much goes to another one; what it weighs, or 0. */
static s64 move_task(struct balancing *b, u32 from, s64 to_push, u32 to, s64 to_pull, s64 much)
{
	s64 best = 0, least = 0, below = -1, above = INT64_MAX;
	u32 lower = SIM_NONE, higher = SIM_NONE, found;

	for (u32 i = 0; i < b->s->most_tasks; i++) {
		const struct sim_task *t = &b->s->tasks[i];
		s64 load;

		if (t->state == SIM_FREE || t->tied || RUSTY(t)->domain != from ||
		    RUSTY(t)->target || RUSTY(t)->active < b->period)
			continue;
		load = task_load(b, t);
		if (load <= much && load > below) {
			below = load;
			lower = i;
		}
		if (load >= much && load < above) {
			above = load;
			higher = i;
		}
	}
	if (lower != SIM_NONE) {
		best = below;
		least = size_of(to_push - below) + size_of(to_pull - below);
	}
	found = lower;
	if (higher != SIM_NONE) {
		s64 left = size_of(to_push - above) + size_of(to_pull - above);

		if (lower == SIM_NONE || left < least) {
			best = above;
			least = left;
			found = higher;
		}
	}
	if (found == SIM_NONE || best <= 0 || to_push + to_pull < least)
		return 0;
	RUSTY(&b->s->tasks[found])->target = to + 1;
	b->domain[from] -= best;
	b->domain[to] += best;
	return best;
}

/* The domain of a node (or SIM_NONE: any) that is the furthest off and not done with. */
static u32 furthest(const struct balancing *b, u32 node, bool most)
{
	u32 found = SIM_NONE;

	for (u32 d = 0; d < b->s->machine->n_llcs; d++) {
		if (node_of(b->s, d) != node || b->done[d])
			continue;
		if (found == SIM_NONE ||
		    (most ? b->domain[d] > b->domain[found] : b->domain[d] < b->domain[found]))
			found = d;
	}
	if (found == SIM_NONE || (most ? b->domain[found] <= 0 : b->domain[found] >= 0) ||
	    !is_off(b->domain[found], b->domain_average, DOMAIN_OFF))
		return SIM_NONE;
	return found;
}

static s64 half_of_less(s64 a, s64 b)
{
	return (size_of(a) < size_of(b) ? size_of(a) : size_of(b)) / 2;
}

/* One task from the fullest domains of a node to the emptiest of another. */
static s64 between(struct balancing *b, u32 push, u32 pull)
{
	s64 much = half_of_less(b->node[push], b->node[pull]), moved = 0;
	u32 from, to;

	memset(b->done, 0, sizeof(b->done));
	while (!moved && (from = furthest(b, push, true)) != SIM_NONE) {
		while (!moved && (to = furthest(b, pull, false)) != SIM_NONE) {
			moved = move_task(b, from, b->node[push], to, size_of(b->node[pull]), much);
			b->done[to] = true;
		}
		for (u32 d = 0; d < b->s->machine->n_llcs; d++)
			b->done[d] = b->done[d] && node_of(b->s, d) == push;
		b->done[from] = true;
	}
	b->node[push] -= moved;
	b->node[pull] += moved;
	return moved;
}

static void balance_nodes(struct balancing *b)
{
	u32 n = b->s->machine->n_nodes;
	bool pushed[SIM_MAX_NODES] = { false };

	for (u32 round = 0; round < n; round++) {
		bool pulled[SIM_MAX_NODES] = { false };
		u32 push = SIM_NONE;
		s64 most, moved = 0;

		for (u32 k = 0; k < n; k++)
			if (!pushed[k] && (push == SIM_NONE || b->node[k] > b->node[push]))
				push = k;
		if (push == SIM_NONE || b->node[push] <= 0 ||
		    !is_off(b->node[push], b->node_average, NODE_OFF))
			return;
		pushed[push] = true;
		most = b->node[push] / 2;
		while (moved < most) {
			u32 pull = SIM_NONE;

			for (u32 k = 0; k < n; k++)
				if (k != push && !pulled[k] &&
				    (pull == SIM_NONE || b->node[k] < b->node[pull]))
					pull = k;
			if (pull == SIM_NONE || b->node[pull] >= 0 ||
			    !is_off(b->node[pull], b->node_average, NODE_OFF))
				break;
			pulled[pull] = true;
			moved += between(b, push, pull);
		}
	}
}

static void balance_domains(struct balancing *b, u32 node)
{
	bool pushed[SIM_MAX_LLCS] = { false };
	u32 from, to;

	for (;;) {
		s64 to_push, most, moved = 0;

		memcpy(b->done, pushed, sizeof(pushed));
		from = furthest(b, node, true);
		if (from == SIM_NONE)
			return;
		pushed[from] = true;
		to_push = b->domain[from];
		most = to_push / 2;
		memset(b->done, 0, sizeof(b->done));
		while (moved < most && (to = furthest(b, node, false)) != SIM_NONE) {
			s64 one = move_task(b, from, to_push, to, size_of(b->domain[to]),
					    half_of_less(b->domain[from], b->domain[to]));

			moved += one;
			/* One that could be given nothing is done with. */
			b->done[to] = !one;
		}
	}
}

static void balance(struct sim *s)
{
	struct balancing b = { .s = s,
			       .period = (u32)(s->now / (BALANCE_TURNS * TUNE)),
			       .weighted = s->cpus[0].policy.rusty.busy };
	u32 n_domains = s->machine->n_llcs, n_nodes = s->machine->n_nodes;
	s64 total = 0;

	for (u32 i = 0; i < s->most_tasks; i++)
		RUSTY(&s->tasks[i])->target = 0;
	for (u32 d = 0; d < n_domains; d++) {
		const struct sim_cpu *c = domain_at(s, d);

		bring_up(s, d);
		b.domain[d] = (s64)(b.weighted ? c->policy.rusty.averages[1] :
						 100 * c->policy.rusty.averages[0]);
		b.node[node_of(s, d)] += b.domain[d];
		total += b.domain[d];
	}
	b.domain_average = total / n_domains;
	b.node_average = total / n_nodes;
	for (u32 d = 0; d < n_domains; d++)
		b.domain[d] -= b.domain_average;
	for (u32 k = 0; k < n_nodes; k++)
		b.node[k] -= b.node_average;
	if (n_nodes > 1)
		balance_nodes(&b);
	for (u32 k = 0; k < n_nodes; k++)
		balance_domains(&b, k);
}

static void timer(struct sim *s)
{
	tune(s);
	if (s->now % (BALANCE_TURNS * TUNE) == 0)
		balance(s);
}

/* ---- tasks ------------------------------------------------------------------------------------------ */

static void begin(struct sim *s)
{
	for (u32 cpu = 0; cpu < s->machine->n_cpus; cpu++)
		put_in(s->idle, cpu);
}

static void arrive(struct sim *s, u32 task)
{
	struct sim_task *t = &s->tasks[task];

	RUSTY(t)->domain = pick_domain(s, t);
	RUSTY(t)->woke = RUSTY(t)->blocked = s->now;
	RUSTY(t)->vtime = RUSTY(t)->deadline = domain_at(s, RUSTY(t)->domain)->policy.rusty.clock;
	RUSTY(t)->load = mls_load_word(MLS_LOAD_IDLE, s->now, 0);
}

/* A new set of CPUs is a new domain, in turn. */
static void untied(struct sim *s, u32 task)
{
	struct sim_task *t = &s->tasks[task];

	RUSTY(t)->target = pick_domain(s, t) + 1;
	if (RUSTY(t)->target - 1 != RUSTY(t)->domain)
		follow_balancer(s, t);
	RUSTY(t)->target = 0;
}

const struct sim_policy sim_policy_rusty = {
	.name = "rusty",
	.period = TUNE,
	.shares = true,
	.begin = begin,
	.arrive = arrive,
	.untied = untied,
	.select = select_cpu,
	.enqueue = enqueue,
	.pick = pick,
	.running = running,
	.stopping = stopping,
	.slice_end = slice_end,
	.idle = idle,
	.timer = timer,
};
