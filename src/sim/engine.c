// SPDX-License-Identifier: GPL-2.0
/* Events, CPUs, tasks and what they do. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/load.h"
#include "core/policy.h"
#include "src/sim/events.h"
#include "src/sim/policy.h"
#include "src/sim/random.h"

/* Half-life of the loads of CPUs, as mlsched run has it. */
#define LOAD_HALF_LIFE (32 * SIM_MS)
/* Off the CPU for longer than this is a wait, as in bench/vm. */
#define WAIT_FLOOR (20 * SIM_US)

/* ---- the block ------------------------------------------------------------------- */

static size_t align(size_t size)
{
	return (size + 63) & ~(size_t)63;
}

/* Where the arrays are in this copy. */
static void lay_out(struct sim *s, const struct sim_machine *machine,
		    const struct sim_workload *workload)
{
	u32 n_cpus = machine->n_cpus, most_tasks = workload->most_tasks;
	u32 slots = 2 * n_cpus + 1;
	char *at = (char *)s + align(sizeof(*s));

	s->cpus = (struct sim_cpu *)at;
	at += align(n_cpus * sizeof(*s->cpus));
	s->tasks = (struct sim_task *)at;
	at += align(most_tasks * sizeof(*s->tasks));
	s->groups = (struct sim_group *)at;
	at += align(workload->n_groups * sizeof(*s->groups));
	s->objects = (struct sim_object *)at;
	at += align(workload->n_objects * sizeof(*s->objects));
	s->dirty = (u32 *)at;
	at += align(n_cpus * sizeof(*s->dirty));
	/* The first one's children begin a line, and each has all of its own. */
	s->heap = (u64 *)(at + 64) - 1;
	at += 64 + align((slots + SIM_CHILDREN) * sizeof(*s->heap));
	s->place = (u32 *)at;
	at += align(slots * sizeof(*s->place));
	s->sleepers = (u64 *)(at + 64) - 1;
	at += 64 + align((most_tasks + SIM_CHILDREN) * sizeof(*s->sleepers));
	s->size = (size_t)(at - (char *)s);
}

void sim_copy(struct sim *to, const struct sim *from)
{
	struct sim_results *results = to->results;

	memcpy(to, from, from->size);
	to->results = results;
	lay_out(to, to->machine, to->workload);
}

/* Events of a large world touch it all over: huge pages, where there are any. */
#define HUGE_PAGE ((size_t)2 << 20)

static struct sim *new_block(size_t size)
{
	size_t unit = size < HUGE_PAGE ? 64 : HUGE_PAGE;
	size_t whole = (size + unit - 1) / unit * unit;
	struct sim *s = aligned_alloc(unit, whole);

	if (s && unit == HUGE_PAGE)
		madvise(s, whole, MADV_HUGEPAGE);
	return s;
}

struct sim *sim_clone(const struct sim *s)
{
	struct sim *copy = new_block(s->size);

	if (!copy)
		return NULL;
	copy->results = NULL;
	sim_copy(copy, s);
	return copy;
}

void sim_free(struct sim *s)
{
	free(s);
}

/* ---- queues ------------------------------------------------------------------------ */

static void link_after(struct sim *s, struct sim_queue *q, u32 task, u32 before)
{
	struct sim_task *t = &s->tasks[task];

	t->previous = before;
	t->next = before == SIM_NONE ? q->first : s->tasks[before].next;
	*(t->previous == SIM_NONE ? &q->first : &s->tasks[t->previous].next) = task;
	*(t->next == SIM_NONE ? &q->last : &s->tasks[t->next].previous) = task;
	q->n++;
}

void sim_queue_insert(struct sim *s, struct sim_queue *q, u32 task, u64 key)
{
	u32 before = q->last;

	s->tasks[task].key = key;
	while (before != SIM_NONE && mls_policy_before(key, s->tasks[before].key))
		before = s->tasks[before].previous;
	link_after(s, q, task, before);
}

void sim_queue_append(struct sim *s, struct sim_queue *q, u32 task)
{
	link_after(s, q, task, q->last);
}

void sim_queue_remove(struct sim *s, struct sim_queue *q, u32 task)
{
	struct sim_task *t = &s->tasks[task];

	*(t->previous == SIM_NONE ? &q->first : &s->tasks[t->previous].next) = t->next;
	*(t->next == SIM_NONE ? &q->last : &s->tasks[t->next].previous) = t->previous;
	t->next = t->previous = SIM_NONE;
	q->n--;
}

/* What who looks on wants to know. */
#define TELL(s, what, ...)                                                                  \
	do {                                                                                \
		if ((s)->options->watch && (s)->options->watch->what)                       \
			(s)->options->watch->what((s)->options->watcher, (s), __VA_ARGS__); \
	} while (0)

/* ---- a CPU's time ------------------------------------------------------------------- */

static bool sibling_is_busy(const struct sim *s, u32 cpu)
{
	for (u32 other = s->machine->sibling[cpu]; other != cpu; other = s->machine->sibling[other])
		if (!sim_is_idle(s, other))
			return true;
	return false;
}

/* Of 1024: work done in so many ns. */
static u32 speed_of(const struct sim *s, u32 cpu, const struct sim_task *t)
{
	const struct sim_costs *costs = &s->machine->costs;
	u32 speed = 1024;

	if (s->machine->threads > 1 && sibling_is_busy(s, cpu))
		speed = speed * costs->smt_percent / 100;
	if (costs->remote_percent && t->home != s->machine->node[cpu] && !s->options->free)
		speed = speed * 100 / (100 + costs->remote_percent);
	return speed;
}

/* ns until the burst is done if nothing comes between. */
static u64 time_left(const struct sim *s, u32 cpu, const struct sim_task *t)
{
	u64 work = t->left + (t->debt < t->left ? t->debt : t->left);
	u32 speed = speed_of(s, cpu, t);

	return t->extra + (speed == 1024 ? work : (work * 1024 + speed - 1) / speed);
}

/* Books what the CPU's task has done since the last booking. */
static void book(struct sim *s, u32 cpu)
{
	struct sim_cpu *c = &s->cpus[cpu];
	struct sim_task *t = &s->tasks[c->current];
	u64 used = s->now - c->began, paid, work;
	u32 speed;

	c->began = s->now;
	if (!used)
		return;
	t->ran += used;
	paid = used < t->extra ? used : t->extra;
	t->extra -= paid;
	s->sum.kernel += paid;
	used -= paid;
	speed = speed_of(s, cpu, t);
	work = speed == 1024 ? used : used * speed / 1024;
	paid = work / 2 < t->debt ? work / 2 : t->debt;
	t->debt -= paid;
	s->sum.refill += paid;
	work -= paid;
	if (work > t->left)
		work = t->left;
	t->left -= work;
	s->sum.useful += work;
}

/* When something will happen here. */
static void set_event(struct sim *s, u32 cpu)
{
	struct sim_cpu *c = &s->cpus[cpu];
	u64 at = SIM_NEVER, turn;

	if (c->current != SIM_NONE) {
		at = c->began + time_left(s, cpu, &s->tasks[c->current]);
		if (c->queue.n || c->local.n || s->policy->shares) {
			turn = s->policy->slice_end(s, cpu);
			if (turn < at)
				at = turn > s->now ? turn : s->now;
		}
	}
	event_set(s, slot_of_cpu(s, cpu), at);
}

void sim_resched(struct sim *s, u32 cpu)
{
	if (s->cpus[cpu].resched)
		return;
	s->cpus[cpu].resched = true;
	s->dirty[s->n_dirty++] = cpu;
}

void sim_waits(struct sim *s, u32 cpu)
{
	if (!s->cpus[cpu].resched)
		set_event(s, cpu);
}

void sim_call(struct sim *s, u32 cpu, u64 time)
{
	event_set(s, slot_of_call(s, cpu), time);
}

bool sim_is_called(const struct sim *s, u32 cpu)
{
	return s->place[slot_of_call(s, cpu)] != SIM_NONE;
}

/* Another thread of its core has begun or ceased to run: they share it. */
static void siblings_change(struct sim *s, u32 cpu, bool before)
{
	for (u32 other = s->machine->sibling[cpu]; other != cpu;
	     other = s->machine->sibling[other]) {
		if (sim_is_idle(s, other))
			continue;
		if (before)
			book(s, other);
		else
			set_event(s, other);
	}
}

/* ---- caches -------------------------------------------------------------------------- */

/* What is left, in 1/65536, of a cache of @kib after @came more have come. */
static u64 warm(u64 came, u64 kib)
{
	/* e^-x = 2^-(x log2 e); the exponent in Q40. */
	u64 x = came >= 16 * kib ? 0 : (came << 40) / kib * 1477 / 1024;

	return came >= 16 * kib ? 0 : mls_load_exp2_neg(x) >> 14;
}

/*
 * What the task owes here.  What it finds depends on how far it is from where it ran, and
 * on what has come into the caches there since.
 */
static u64 owes(const struct sim *s, const struct sim_task *t, u32 cpu)
{
	const struct sim_costs *costs = &s->machine->costs;
	u64 kib = s->workload->programs[t->program].kib, near, lost;
	enum sim_distance far;

	if (t->ran_on == SIM_NONE || s->options->free)
		return 0;
	far = sim_distance(s->machine, t->ran_on, cpu);
	if (costs->refill[SIM_NEAR] || costs->refill[SIM_NODE])
		return costs->refill[far];
	near = kib < costs->private_kib ? kib : costs->private_kib;
	if (far > SIM_NEAR)
		return kib * costs->refill_per_kib[far];
	lost = 65536;
	if (far == SIM_SAME)
		lost -= warm(s->cpus[cpu].cooled - t->cooled[0], costs->private_kib);
	near = near * costs->refill_per_kib[SIM_NEAR] * lost >> 16;
	lost = 65536 - warm(s->llc_cooled[s->machine->llc[cpu]] - t->cooled[1], costs->shared_kib);
	/* From beyond the last level it is as from another cache. */
	return near +
	       (kib * (costs->refill_per_kib[SIM_NODE] - costs->refill_per_kib[SIM_NEAR]) * lost >>
		16);
}

u64 sim_owes(const struct sim *s, u32 task, u32 cpu)
{
	return owes(s, &s->tasks[task], cpu);
}

/* A task that ran for @ran has brought its working set, or as much as it had time for. */
static void cool(struct sim *s, u32 cpu, struct sim_task *t, u64 ran)
{
	u64 kib = s->workload->programs[t->program].kib, most = ran / 250;

	if (kib > most)
		kib = most;
	s->cpus[cpu].cooled += kib;
	s->llc_cooled[s->machine->llc[cpu]] += kib;
	t->cooled[0] = s->cpus[cpu].cooled;
	t->cooled[1] = s->llc_cooled[s->machine->llc[cpu]];
}

/* ---- who runs ------------------------------------------------------------------------- */

static void cpu_load(struct sim *s, u32 cpu, bool busy)
{
	u64 *word = &s->cpus[cpu].loads;

	*word = mls_load_change(*word, busy ? MLS_LOAD_IDLE : MLS_LOAD_BUSY,
				busy ? MLS_LOAD_BUSY : MLS_LOAD_IDLE, s->now, &s->decay);
}

/* The running task leaves the CPU; it has been booked. */
static void leave(struct sim *s, u32 cpu, bool runnable)
{
	struct sim_cpu *c = &s->cpus[cpu];
	struct sim_task *t = &s->tasks[c->current];
	u64 ran = s->now - c->picked;

	cool(s, cpu, t, ran);
	if (s->options->ran && ran)
		s->options->ran(s->options->observer, s, cpu, c->current, c->picked);
	TELL(s, stops, c->current);
	s->policy->stopping(s, cpu, c->current, ran, runnable);
}

static void enter(struct sim *s, u32 cpu, u32 task)
{
	struct sim_cpu *c = &s->cpus[cpu];
	struct sim_task *t = &s->tasks[task];
	u64 waited = s->now - t->since, debt = owes(s, t, cpu);

	t->state = SIM_RUNNING;
	t->cpu = cpu;
	t->ran_on = cpu;
	/* What had not been loaded yet cannot be lost. */
	if (t->debt < debt)
		t->debt = debt;
	t->extra += s->machine->costs.switch_to + (c->moves ? s->machine->costs.migrate : 0);
	c->moves = false;
	s->sum.switches++;
	s->sum.waited += waited;
	s->sum.waited_2 += (waited / SIM_US) * (waited / SIM_US);
	if (s->results && s->started != SIM_NEVER) {
		if (t->due && t->due != SIM_NEVER)
			sim_durations_add(&s->results->wakeup,
					  s->now > t->due ? s->now - t->due : 0);
		else if (!t->due && waited > WAIT_FLOOR)
			sim_durations_add(&s->results->wait, waited);
	}
	c->current = task;
	c->began = c->picked = s->now;
	TELL(s, starts, task);
	s->policy->running(s, cpu, task);
}

static void choose(struct sim *s, u32 cpu)
{
	struct sim_cpu *c = &s->cpus[cpu];
	u32 before = c->current, next;
	bool goes = before != SIM_NONE;

	if (goes)
		book(s, cpu);
	next = s->policy->pick(s, cpu, before);
	if (next == before) {
		if (goes)
			set_event(s, cpu);
		return;
	}
	if ((next == SIM_NONE) != (before == SIM_NONE) && s->machine->threads > 1)
		siblings_change(s, cpu, true);
	if (goes) {
		struct sim_task *t = &s->tasks[before];

		leave(s, cpu, true);
		t->state = SIM_QUEUED;
		t->since = s->now;
		t->due = 0;
		c->current = SIM_NONE;
		s->policy->enqueue(s, before, SIM_PUT_BACK);
	}
	if (next == SIM_NONE) {
		c->current = SIM_NONE;
	} else {
		if (!goes) {
			cpu_load(s, cpu, true);
			s->policy->idle(s, cpu, false);
		}
		enter(s, cpu, next);
	}
	if ((next == SIM_NONE) != (before == SIM_NONE) && s->machine->threads > 1)
		siblings_change(s, cpu, false);
	set_event(s, cpu);
}

/* Those that are to choose anew, and those that become so meanwhile. */
static void choose_all(struct sim *s)
{
	for (u32 i = 0; i < s->n_dirty; i++) {
		s->cpus[s->dirty[i]].resched = false;
		choose(s, s->dirty[i]);
	}
	s->n_dirty = 0;
}

/* The running task sleeps or ends: what comes next is chosen with the rest. */
static void vacate(struct sim *s, u32 cpu)
{
	struct sim_cpu *c = &s->cpus[cpu];
	u32 next;

	leave(s, cpu, false);
	if (s->machine->threads > 1)
		siblings_change(s, cpu, true);
	c->current = SIM_NONE;
	next = s->policy->pick(s, cpu, SIM_NONE);
	if (next != SIM_NONE) {
		enter(s, cpu, next);
	} else {
		cpu_load(s, cpu, false);
		s->policy->idle(s, cpu, true);
	}
	if (s->machine->threads > 1)
		siblings_change(s, cpu, false);
	set_event(s, cpu);
}

/* ---- for policies ---------------------------------------------------------------------- */

void sim_move(struct sim *s, u32 task, u32 cpu, u32 kind)
{
	struct sim_task *t = &s->tasks[task];

	if (t->cpu == cpu)
		return;
	TELL(s, moves, task, cpu, kind);
	s->sum.moves[kind][sim_distance(s->machine, t->cpu, cpu)]++;
	t->cpu = cpu;
	if (kind != SIM_MOVED_FORK)
		s->cpus[cpu].moves = true;
}

static bool decide(struct sim *s, const struct sim_decision *d)
{
	const struct sim_watch *watch = s->options->watch;
	int verdict = mls_policy_heuristic((enum mls_policy_kind)d->kind);
	bool asked = s->options->decide && !d->large;

	if (asked)
		verdict = s->options->decide(s->options->context, s, d);
	if (watch && watch->decided)
		verdict = watch->decided(s->options->watcher, s, d, asked, verdict);
	if (s->results && !d->large) {
		s->results->decisions[d->kind]++;
		s->results->accepted[d->kind] += !!verdict;
	}
	return verdict;
}

bool sim_decide(struct sim *s, u32 kind, u32 task, u32 src, u32 dst)
{
	return decide(s, &(struct sim_decision){ kind, task, src, dst, false });
}

bool sim_decide_large(struct sim *s, u32 kind, u32 task, u32 src, u32 dst)
{
	return decide(s, &(struct sim_decision){ kind, task, src, dst, true });
}

/* ---- tasks -------------------------------------------------------------------------------- */

/* It becomes runnable; @due: when it should run. */
static void wake(struct sim *s, u32 task, enum sim_why why, u32 by, u64 due)
{
	struct sim_task *t = &s->tasks[task];
	u32 cpu;

	t->state = SIM_QUEUED;
	t->since = s->now;
	t->due = due;
	cpu = s->policy->select(s, task, why, by);
	sim_move(s, task, cpu, why == SIM_FORKED ? SIM_MOVED_FORK : SIM_MOVED_WAKEUP);
	s->policy->enqueue(s, task, why);
	if (s->cpus[cpu].current != SIM_NONE)
		set_event(s, cpu);
	else
		sim_resched(s, cpu);
}

static u32 make_task(struct sim *s, u32 program, u32 who, u32 cpu)
{
	u32 task = s->free;
	struct sim_task *t;

	if (task == SIM_NONE)
		abort(); /* most_tasks of the workload is wrong */
	t = &s->tasks[task];
	s->free = t->next;
	memset(t, 0, sizeof(*t));
	t->who = who;
	t->program = (u16)program;
	t->group = SIM_NONE;
	t->cpu = cpu;
	t->ran_on = SIM_NONE;
	t->home = s->machine->node[cpu];
	t->parent = t->next = t->previous = t->from = SIM_NONE;
	t->state = SIM_BLOCKED;
	t->since = s->now;
	if (!s->workload->programs[program].daemon)
		s->alive++;
	TELL(s, arrives, task);
	return task;
}

static void post(struct sim *s, u32 task, u32 by, u32 from)
{
	struct sim_task *t = &s->tasks[task];

	t->from = from;
	if (t->mail++ == 0 && t->receives) {
		t->receives = false;
		wake(s, task, SIM_WOKEN, by, s->now);
	}
}

/* A child has ended. */
static void child_ended(struct sim *s, u32 parent, u32 by)
{
	struct sim_task *p = &s->tasks[parent];

	p->children--;
	p->ended++;
	if (p->waits == 1 || (p->waits == 2 && !p->children)) {
		p->ended = p->waits == 1 ? p->ended - 1 : 0;
		p->waits = 0;
		wake(s, parent, SIM_WOKEN, by, s->now);
	}
}

static u64 draw(const struct sim *s, const struct sim_task *t, const struct sim_instruction *i)
{
	u64 who = i->by == SIM_BY_HOP ? t->group : t->who;
	u64 n = i->by == SIM_BY_HOP ? t->hop : (u64)t->times[i->level] * i->stride + i->offset;

	return sim_draw(s->seed + s->salt, sim_stream(who, i->stream), n);
}

static u64 amount(const struct sim *s, const struct sim_task *t, const struct sim_instruction *i)
{
	u64 mean = i->mean;

	/* What a task is like does not change with its future. */
	if (i->own)
		mean = sim_vary(SIM_AROUND, mean, sim_draw(s->seed, sim_stream(t->who, i->own), 0));
	if (i->rare && sim_draw(s->seed, sim_stream(t->who, i->own_rare), 0) % i->rare == 0)
		mean *= i->times;
	return sim_vary((enum sim_vary)i->vary, mean, i->vary == SIM_FIXED ? 0 : draw(s, t, i));
}

/* All are here: from now on it counts. */
static void begin_measuring(struct sim *s, u32 by)
{
	s->started = s->now;
	memset(&s->sum, 0, sizeof(s->sum));
	for (u32 i = 0; i < s->most_tasks; i++) {
		struct sim_task *t = &s->tasks[i];

		if (!t->in_begin)
			continue;
		t->in_begin = false;
		if (t->state == SIM_BLOCKED)
			wake(s, i, SIM_WOKEN, by, s->now);
	}
	for (u32 g = 0; g < s->workload->n_groups; g++) {
		for (u32 i = 0; i < s->workload->messages; i++)
			post(s, s->groups[g].first + i % s->groups[g].n, by, SIM_NONE);
	}
}

enum outcome { RUNS, BLOCKS, ENDS };

static void spawn(struct sim *s, u32 task, u32 program, u32 who)
{
	u32 cpu = s->tasks[task].cpu, child;

	child = make_task(s, program, who, cpu);
	s->tasks[child].parent = task;
	s->tasks[child].tied = s->tasks[task].tied;
	s->tasks[task].children++;
	s->tasks[task].extra += s->machine->costs.fork;
	s->policy->arrive(s, child);
	wake(s, child, SIM_FORKED, cpu, SIM_NEVER);
}

/* ---- recordings ----------------------------------------------------------------------------- */

/* The next task, or waits for its time; ENDS: there are no more. */
static enum outcome launch(struct sim *s, u32 task)
{
	const struct sim_replay *r = s->workload->replay;
	const struct sim_replayed *next = &r->tasks[s->n_jobs];

	if (s->n_jobs == r->n_tasks)
		return ENDS;
	s->tasks[task].pc--;
	if (next->start > s->now) {
		event_sleep(s, task, next->start);
		return BLOCKS;
	}
	spawn(s, task, next->program, s->n_jobs++);
	s->tasks[task].left = 1;
	return RUNS;
}

/*
 * Part number @n of @cycles: each is about as long as the others, by chance, and the sum is
 * @total.  @key: of the draws.
 */
static u64 part_of_step(u64 seed, u64 stream, u64 key, u64 total, u32 cycles, u32 n)
{
	u64 mean = total / cycles, bounds[2];

	for (u32 k = 0; k < 2; k++) {
		u32 at = n + k;

		bounds[k] = at == 0      ? 0 :
			    at == cycles ? total :
					   at * mean - mean / 2 +
						   sim_draw(seed, stream, key + at) % (mean + 1);
	}
	return bounds[1] - bounds[0];
}

/* The next run or sleep of a task; ENDS: it has done what is known of it. */
static enum outcome replay(struct sim *s, u32 task)
{
	const struct sim_replay *r = s->workload->replay;
	struct sim_task *t = &s->tasks[task];
	const struct sim_replayed *own = &r->tasks[t->who];

	while (t->times[0] < own->n) {
		u32 number = own->first + t->times[0], phase = t->times[1]++;
		const struct sim_step *step = &r->steps[number];
		bool sleeps = phase % 2;
		u64 ns = part_of_step(s->seed + s->salt, sim_stream(t->who, sleeps),
				      (u64)number << 32, sleeps ? step->sleep : step->run,
				      step->cycles, phase / 2);

		if (t->times[1] == 2 * step->cycles) {
			t->times[1] = 0;
			t->times[0]++;
		}
		if (!ns)
			continue;
		/* What it did after its last run nobody knows. */
		if (sleeps && t->times[0] == own->n)
			break;
		t->pc--;
		if (sleeps) {
			event_sleep(s, task, s->now + ns);
			return BLOCKS;
		}
		t->left = ns;
		return RUNS;
	}
	return ENDS;
}

static enum outcome receive(struct sim *s, u32 task, const struct sim_instruction *i, u32 cpu)
{
	struct sim_task *t = &s->tasks[task];
	const struct sim_costs *costs = &s->machine->costs;

	if (!t->mail) {
		t->receives = true;
		t->pc--;
		return BLOCKS;
	}
	t->mail--;
	if (!s->groups[t->group].hops) {
		t->pc = i->to;
		return RUNS;
	}
	t->hop = s->groups[t->group].hops--;
	/* The first to find that all is done tells all the others. */
	if (t->from != SIM_NONE && t->from != s->machine->llc[cpu] && !s->options->free) {
		u64 debt = costs->refill[SIM_NEAR] ? costs->refill[SIM_NEAR] :
						     8 * costs->refill_per_kib[SIM_NODE];

		if (t->debt < debt)
			t->debt = debt;
	}
	return RUNS;
}

static void send(struct sim *s, u32 task, const struct sim_instruction *i, u32 cpu)
{
	struct sim_task *t = &s->tasks[task];
	const struct sim_group *g = &s->groups[t->group];
	u32 first = g->first, n = g->n;
	u32 own = task - first, to = (u32)(draw(s, t, i) % (n - 1));

	to += to >= own;
	t->extra += s->machine->costs.wake;
	post(s, first + to, cpu, s->machine->llc[cpu]);
	if (g->hops)
		return;
	for (u32 k = 0; k < n; k++)
		if (k != own)
			post(s, first + k, cpu, SIM_NONE);
	t->mail++;
}

/* ---- objects -------------------------------------------------------------------------------- */

static void wake_first(struct sim *s, struct sim_object *o, u32 by)
{
	u32 task = o->waiting.first;

	sim_queue_remove(s, &o->waiting, task);
	wake(s, task, SIM_WOKEN, by, s->now);
}

static enum outcome wait_for(struct sim *s, struct sim_object *o, u32 task)
{
	sim_queue_append(s, &o->waiting, task);
	return BLOCKS;
}

static enum outcome until_timer(struct sim *s, u32 task, const struct sim_instruction *i,
				struct sim_object *o)
{
	/* The first time counts from the beginning. */
	o->time += i->mean;
	if (o->time > s->now) {
		event_sleep(s, task, o->time);
		return BLOCKS;
	}
	if (!i->count)
		o->time = s->now;
	return RUNS;
}

static enum outcome use_object(struct sim *s, u32 task, const struct sim_instruction *i, u32 cpu)
{
	struct sim_object *o = &s->objects[i->to + s->tasks[task].instance * i->stride];

	switch ((enum sim_op)i->op) {
	case SIM_LOCK:
		if (o->value)
			return wait_for(s, o, task);
		o->value = task + 1;
		break;
	case SIM_UNLOCK:
		/* To the one that has waited longest, who need not ask again. */
		o->value = o->waiting.n ? o->waiting.first + 1 : 0;
		if (o->waiting.n)
			wake_first(s, o, cpu);
		break;
	case SIM_BLOCK:
		return wait_for(s, o, task);
	case SIM_SIGNAL:
		if (o->waiting.n)
			wake_first(s, o, cpu);
		break;
	case SIM_BROADCAST:
		while (o->waiting.n)
			wake_first(s, o, cpu);
		break;
	case SIM_POST:
		if (o->waiting.n)
			wake_first(s, o, cpu);
		else
			o->value++;
		break;
	case SIM_TAKE:
		if (!o->value)
			return wait_for(s, o, task);
		o->value--;
		break;
	case SIM_BARRIER:
		if (++o->value < i->count)
			return wait_for(s, o, task);
		o->value = 0;
		while (o->waiting.n)
			wake_first(s, o, cpu);
		break;
	default:
		return until_timer(s, task, i, o);
	}
	return RUNS;
}

/*
 * The running task does what takes no time until it has something to do that does.
 * Bursts of no length would be endless: the engine gives each at least 1 ns.
 */
static enum outcome advance(struct sim *s, u32 task, u32 cpu)
{
	for (;;) {
		struct sim_task *t = &s->tasks[task];
		const struct sim_program *program = &s->workload->programs[t->program];
		const struct sim_instruction *i = &program->code[t->pc++];
		u64 ns;

		switch ((enum sim_op)i->op) {
		case SIM_EXIT:
			return ENDS;
		case SIM_RUN:
			ns = amount(s, t, i);
			t->left = ns ? ns : 1;
			return RUNS;
		case SIM_SLEEP:
			ns = amount(s, t, i);
			if (!ns)
				break;
			event_sleep(s, task, s->now + ns);
			return BLOCKS;
		case SIM_LOOP:
			if (++t->times[i->level] == i->count && i->count)
				t->times[i->level] = 0;
			else
				t->pc = i->to;
			break;
		case SIM_CHANCE:
			if (draw(s, t, i) % i->count)
				t->pc++;
			break;
		case SIM_SPAWN:
			spawn(s, task, i->to, i->count ? s->n_jobs++ : t->who);
			if (t->extra) {
				t->left = 1;
				return RUNS;
			}
			break;
		case SIM_EXEC: {
			u32 to = s->policy->exec ? s->policy->exec(s, task) : cpu;

			t->ran_on = SIM_NONE;
			t->debt = 0;
			t->extra += s->machine->costs.exec;
			t->home = s->machine->node[to];
			t->left = 1;
			if (to == cpu)
				return RUNS;
			/* It goes there as one that was put back, and goes on from here. */
			sim_move(s, task, to, SIM_MOVED_EXEC);
			return BLOCKS;
		}
		case SIM_WAIT:
			if (i->count ? !t->children : t->ended > 0) {
				t->ended = i->count ? 0 : t->ended - 1;
				break;
			}
			t->waits = i->count ? 2 : 1;
			return BLOCKS;
		case SIM_BEGIN:
			t->in_begin = true;
			if (++s->here < s->expected)
				return BLOCKS;
			begin_measuring(s, cpu);
			break;
		case SIM_UNTIE:
			t->tied = 0;
			if (s->policy->untied)
				s->policy->untied(s, task);
			break;
		case SIM_RECEIVE:
			if (receive(s, task, i, cpu) == BLOCKS)
				return BLOCKS;
			break;
		case SIM_SEND:
			send(s, task, i, cpu);
			break;
		case SIM_LOCK:
		case SIM_UNLOCK:
		case SIM_BLOCK:
		case SIM_SIGNAL:
		case SIM_BROADCAST:
		case SIM_POST:
		case SIM_TAKE:
		case SIM_BARRIER:
		case SIM_TIMER:
			if (use_object(s, task, i, cpu) == BLOCKS)
				return BLOCKS;
			break;
		case SIM_LAUNCH:
		case SIM_REPLAY: {
			enum outcome next = i->op == SIM_LAUNCH ? launch(s, task) : replay(s, task);

			if (next != ENDS)
				return next;
			break;
		}
		}
		/* A loop without work would be endless: it is given 1 us for each turn. */
		if (i->op == SIM_LOOP && s->now == t->looped) {
			t->left = SIM_US;
			return RUNS;
		}
		if (i->op == SIM_LOOP)
			t->looped = s->now;
	}
}

static void end_task(struct sim *s, u32 task, u32 cpu)
{
	struct sim_task *t = &s->tasks[task];
	u32 parent = t->parent;

	if (s->policy->depart)
		s->policy->depart(s, task);
	TELL(s, departs, task);
	t->state = SIM_FREE;
	t->next = s->free;
	s->free = task;
	if (!s->workload->programs[t->program].daemon && --s->alive == 0)
		s->ended = s->now;
	if (parent != SIM_NONE)
		child_ended(s, parent, cpu);
}

/* The burst is over. */
static void burst_done(struct sim *s, u32 cpu)
{
	struct sim_cpu *c = &s->cpus[cpu];
	u32 task = c->current;
	struct sim_task *t = &s->tasks[task];

	switch (advance(s, task, cpu)) {
	case RUNS:
		set_event(s, cpu);
		break;
	case BLOCKS:
		t->state = SIM_BLOCKED;
		t->since = s->now;
		vacate(s, cpu);
		if (t->cpu == cpu)
			break;
		t->state = SIM_QUEUED;
		t->due = SIM_NEVER;
		s->policy->enqueue(s, task, SIM_WOKEN);
		if (s->cpus[t->cpu].current == SIM_NONE)
			sim_resched(s, t->cpu);
		else
			set_event(s, t->cpu);
		break;
	case ENDS:
		vacate(s, cpu);
		end_task(s, task, cpu);
		break;
	}
}

/* ---- the run -------------------------------------------------------------------------------- */

u64 sim_next(const struct sim *s)
{
	return event_next(s);
}

/* What the event behind this one will touch is on its way meanwhile. */
static void fetch_lines(const void *of, size_t size)
{
	for (size_t at = 0; at < size; at += 64)
		__builtin_prefetch((const char *)of + at, 1);
}

static void fetch_task(const struct sim *s, u32 task)
{
	fetch_lines(&s->tasks[task], sizeof(*s->tasks));
}

static void fetch_cpu(const struct sim *s, u32 cpu)
{
	fetch_lines(&s->cpus[cpu], sizeof(*s->cpus));
}

/* The same of what is known only now: of CPUs who runs and comes next, of tasks their CPU. */
static void fetch_next(const struct sim *s)
{
	const struct sim_cpu *c;
	u32 slot;

	if (event_next_sleeper(s) < event_next_slot(s)) {
		fetch_cpu(s, s->tasks[event_who(s->sleepers[0], s->task_bits)].cpu);
		return;
	}
	slot = event_who(s->heap[0], s->slot_bits);
	if (slot >= s->machine->n_cpus)
		return;
	c = &s->cpus[slot];
	fetch_task(s, c->current);
	if (c->queue.n)
		fetch_task(s, c->queue.first);
}

static void slot_event(struct sim *s, u32 slot)
{
	u32 n_cpus = s->machine->n_cpus;

	if (s->n_heap > 1) {
		u32 next = event_who(s->heap[event_least(s->heap, 1)], s->slot_bits);

		if (next < n_cpus)
			fetch_cpu(s, next);
	}
	if (slot < n_cpus) {
		book(s, slot);
		if (!s->tasks[s->cpus[slot].current].left)
			burst_done(s, slot);
		else
			sim_resched(s, slot);
	} else if (slot < slot_of_timer(s)) {
		event_set(s, slot, SIM_NEVER);
		s->policy->cpu_timer(s, slot - n_cpus);
	} else {
		event_set(s, slot, s->now + s->policy->period);
		s->policy->timer(s);
	}
}

static void sleep_ends(struct sim *s)
{
	u32 task = event_wake(s), last = s->cpus[s->tasks[task].cpu].queue.last;

	if (last != SIM_NONE)
		__builtin_prefetch(&s->tasks[last].key, 1);
	/* The next one has been fetched by the one before: the next but one, most likely. */
	if (s->n_sleepers > 1)
		fetch_task(s, event_who(s->sleepers[event_least(s->sleepers, 1)], s->task_bits));
	wake(s, task, SIM_WOKEN, s->tasks[task].cpu, s->now);
}

int sim_step(struct sim *s)
{
	u64 next;

	if (s->ended != SIM_NEVER)
		return 1;
	next = event_next(s);
	if (next == SIM_NEVER)
		return -EDEADLK;
	s->now = next;
	if (s->workload->duration && s->now >= s->workload->duration) {
		sim_settle(s, s->workload->duration);
		s->ended = s->now;
		return 1;
	}
	if (s->now > s->options->limit || s->now >= event_limit(s))
		return -ETIMEDOUT;
	s->events++;
	if (event_next_slot(s) == next)
		slot_event(s, event_who(s->heap[0], s->slot_bits));
	else
		sleep_ends(s);
	choose_all(s);
	fetch_next(s);
	return 0;
}

static void finish(struct sim *s)
{
	if (!s->results)
		return;
	s->results->makespan = s->ended - s->started;
	s->results->events = s->events;
	s->results->sum = s->sum;
}

int sim_run(struct sim *s, u64 until)
{
	int ret = 0;

	while (!ret && (s->ended != SIM_NEVER || event_next(s) <= until))
		ret = sim_step(s);
	if (ret == 1)
		finish(s);
	return ret;
}

void sim_settle(struct sim *s, u64 until)
{
	s->now = until;
	for (u32 cpu = 0; cpu < s->machine->n_cpus; cpu++)
		if (s->cpus[cpu].current != SIM_NONE)
			book(s, cpu);
}

static void start_tasks(struct sim *s)
{
	const struct sim_workload *w = s->workload;
	u32 who = 0, cpu = 0;
	bool measured = false;

	for (u32 k = 0; k < w->n_starts; k++) {
		const struct sim_start *start = &w->starts[k];

		for (u32 i = 0; i < start->n; i++) {
			u32 task = make_task(s, start->program, who, cpu);
			struct sim_task *t = &s->tasks[task];

			t->tied = start->tied;
			t->instance = i;
			if (start->groups) {
				t->group = i / (start->n / start->groups);
				if (!s->groups[t->group].n++)
					s->groups[t->group].first = task;
			}
			measured |= w->programs[start->program].code[0].op == SIM_BEGIN ||
				    w->programs[start->program].code[1].op == SIM_BEGIN;
			s->policy->arrive(s, task);
			who++;
		}
	}
	s->expected = who;
	if (!measured)
		s->started = 0;
	for (u32 g = 0; g < w->n_groups; g++)
		s->groups[g].hops = w->hops;
	for (u32 i = 0; i < who; i++)
		wake(s, i, SIM_FORKED, 0, SIM_NEVER);
}

static const struct sim_tuning untuned = SIM_TUNING_DEFAULT;

bool sim_tuning_is_default(const struct sim_tuning *tuning)
{
	return tuning->mechanisms == untuned.mechanisms &&
	       memcmp(tuning->worth, untuned.worth, sizeof(untuned.worth)) == 0;
}

static void tune(struct sim *s, const struct sim_tuning *tuning)
{
	if (!tuning)
		tuning = &untuned;
	s->enabled = tuning->mechanisms;
	s->rules = (struct mls_policy)MLS_POLICY_INITIAL;
	memcpy(s->rules.worth, tuning->worth, sizeof(s->rules.worth));
}

/* That numbers below @n have. */
static u32 bits_of(u32 n)
{
	return n > 2 ? 32 - (u32)__builtin_clz(n - 1) : 1;
}

struct sim *sim_new(const struct sim_machine *machine, const struct sim_workload *workload,
		    const struct sim_policy *policy, const struct sim_options *options, u64 seed,
		    struct sim_results *results)
{
	struct sim layout, *s;

	lay_out(&layout, machine, workload);
	s = new_block(layout.size);
	if (!s)
		return NULL;
	memset(s, 0, layout.size);
	s->machine = machine;
	s->workload = workload;
	s->policy = policy;
	s->options = options;
	s->results = results;
	s->seed = seed;
	s->decay = mls_load_decay_of(LOAD_HALF_LIFE);
	tune(s, options->tuning);
	s->most_tasks = workload->most_tasks;
	s->task_bits = bits_of(workload->most_tasks);
	s->slot_bits = bits_of(2 * machine->n_cpus + 1);
	s->started = s->ended = SIM_NEVER;
	lay_out(s, machine, workload);
	for (u32 i = 0; i < 2 * machine->n_cpus + 1; i++)
		s->place[i] = SIM_NONE;
	for (u32 i = 0; i < 2 * machine->n_cpus + 1 + SIM_CHILDREN; i++)
		s->heap[i] = SIM_NOTHING;
	for (u32 i = 0; i < workload->most_tasks + SIM_CHILDREN; i++)
		s->sleepers[i] = SIM_NOTHING;
	for (u32 i = 0; i < workload->most_tasks; i++)
		s->tasks[i].next = i + 1 < workload->most_tasks ? i + 1 : SIM_NONE;
	for (u32 i = 0; i < workload->n_objects; i++)
		s->objects[i].waiting = (struct sim_queue){ SIM_NONE, SIM_NONE, 0 };
	for (u32 cpu = 0; cpu < machine->n_cpus; cpu++) {
		struct sim_cpu *c = &s->cpus[cpu];

		c->current = SIM_NONE;
		c->queue = c->local = (struct sim_queue){ SIM_NONE, SIM_NONE, 0 };
		c->loads = mls_load_word(MLS_LOAD_IDLE, 0, 0);
	}
	if (policy->begin)
		policy->begin(s);
	if (policy->period)
		event_set(s, slot_of_timer(s), policy->period);
	start_tasks(s);
	choose_all(s);
	return s;
}
