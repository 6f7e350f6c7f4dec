// SPDX-License-Identifier: GPL-2.0
/*
 * Records of simulated decisions.  Function by function bpf/scheduler_record.h and what
 * bpf/scheduler_decide.h does with it, without what several CPUs at a time make necessary.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/sim/observer.h"
#include "src/sim/random.h"

/* Of draws: no task's number comes near it. */
#define COIN_STREAM UINT64_MAX
#define SIZE_FIRST  4096

_Static_assert(MLS_MIG15_INPUTS <= SCHEDULER_RECORD_FEATURES, "a record holds them");

/* ---- the coin ------------------------------------------------------------------------- */

int sim_toss(u64 seed, u64 n, u32 explore, int verdict, bool *explored, u32 *chance)
{
	u32 random = (u32)sim_draw(seed, COIN_STREAM, n);
	int own = verdict;

	*explored = mls_coin_takes(random, explore);
	if (*explored)
		verdict = mls_coin_answer(random);
	*chance = mls_coin_chance(explore, own, verdict);
	return verdict;
}

/* ---- records -------------------------------------------------------------------------- */

static struct scheduler_record *record_at(struct sim_observer *o, u64 id)
{
	return &o->records[id & (o->size - 1)];
}

/* Gives away those whose window is over. */
static void give_away(struct sim_observer *o, u64 now)
{
	while (o->tail < o->head) {
		const struct scheduler_record *r = record_at(o, o->tail + 1);

		if (now < r->time + o->window)
			break;
		o->observed(o->context, r, o->window);
		o->tail++;
	}
}

/* The record if it is still followed; *age: ns since it. */
static struct scheduler_record *open_record(struct sim_observer *o, u64 id, u64 now, u64 *age)
{
	struct scheduler_record *r;

	if (id <= o->tail)
		return NULL;
	r = record_at(o, id);
	*age = now - r->time;
	return *age < o->window && !r->observed ? r : NULL;
}

static void end_record(struct sim_observer *o, u64 id, u32 result)
{
	if (id > o->tail)
		record_at(o, id)->result = (u8)result;
}

/* Twice as many places; each record goes where its id belongs then. */
static int grow(struct sim_observer *o)
{
	u64 size = o->size ? 2 * o->size : SIZE_FIRST;
	struct scheduler_record *more = calloc(size, sizeof(*more));

	if (!more)
		return -ENOMEM;
	for (u64 id = o->tail + 1; id <= o->head; id++)
		more[id & (size - 1)] = *record_at(o, id);
	free(o->records);
	o->records = more;
	o->size = size;
	return 0;
}

/* All but the features, put in front of the others of its task; NULL without memory. */
static struct scheduler_record *take_record(struct sim_observer *o, const struct sim *s,
					    const struct sim_decision *d, u32 decider)
{
	struct sim_observed_task *t = &o->tasks[d->task];
	const char *name = s->workload->programs[s->tasks[d->task].program].name;
	struct scheduler_record *r;
	u64 age, older = t->newest;

	give_away(o, s->now);
	if (o->head - o->tail == o->size && grow(o) != 0) {
		o->failed = -ENOMEM;
		return NULL;
	}
	r = record_at(o, ++o->head);
	*r = (struct scheduler_record){ .id = o->head,
					.older = older,
					.time = s->now,
					.pid = t->pid,
					.tgid = t->pid,
					.src = (u16)d->src,
					.dst = (u16)d->dst,
					.ran_on = (u16)d->dst,
					.kind = (u8)d->kind,
					.decider = (u8)decider,
					.verdict = SCHEDULER_NO_VERDICT,
					.accepted = 1,
					.result = SCHEDULER_UNDER_WAY,
					.propensity = MLS_COIN_CERTAIN };
	snprintf(r->comm, sizeof(r->comm), "%s", name);
	t->newest = r->id;
	/* One more is in front of it: the last one that is followed has to make room. */
	for (int i = 1; i < SCHEDULER_FOLLOWED && older; i++) {
		struct scheduler_record *other = open_record(o, older, s->now, &age);

		if (!other)
			break;
		if (i == SCHEDULER_FOLLOWED - 1)
			other->observed = (u32)age | 1;
		older = other->older;
	}
	return r;
}

int sim_observer_decided(void *observer, const struct sim *s, const struct sim_decision *d,
			 bool asked, int verdict)
{
	struct sim_observer *o = observer;
	bool explored, model = asked && o->models;
	struct scheduler_record *r;
	struct mls_move_facts facts;
	int own = verdict;
	u32 chance;

	verdict = sim_toss(o->seed, o->n_decided++, o->explore, own, &explored, &chance);
	o->n_explored += explored;
	o->decided = 0;
	r = take_record(o, s, d,
			explored ? SCHEDULER_DECIDED_COIN :
			model    ? SCHEDULER_DECIDED_MODEL :
				   SCHEDULER_DECIDED_HEURISTIC);
	if (!r)
		return verdict;
	sim_facts(s, d, &facts);
	mls_mig15(&facts, r->features);
	if (model)
		r->verdict = (u8)own;
	r->propensity = chance;
	r->accepted = (u8)verdict;
	if (verdict)
		o->decided = r->id;
	else
		r->result = SCHEDULER_REFUSED;
	return verdict;
}

/* ---- what comes of it ----------------------------------------------------------------- */

static void arrives(void *observer, const struct sim *s, u32 task)
{
	struct sim_observer *o = observer;

	o->tasks[task] =
		(struct sim_observed_task){ .pid = ++o->n_pids, .ran_on = s->tasks[task].cpu };
}

static void departs(void *observer, const struct sim *s, u32 task)
{
	struct sim_observer *o = observer;

	(void)s;
	end_record(o, o->tasks[task].move, SCHEDULER_FAILED + SCHEDULER_RETURNED);
	o->tasks[task].move = 0;
}

static const u8 kind_of_move[SIM_MOVE_KINDS] = {
	[SIM_MOVED_WAKEUP] = MLS_POLICY_WAKEUP,   [SIM_MOVED_FORK] = MLS_POLICY_FORK,
	[SIM_MOVED_EXEC] = MLS_POLICY_WAKEUP,     [SIM_MOVED_STEAL] = MLS_POLICY_STEAL,
	[SIM_MOVED_BALANCE] = MLS_POLICY_BALANCE, [SIM_MOVED_FORCED] = MLS_POLICY_STEAL,
};

/* What nobody decided on is by a rule: the task may not stay, or something had waited too long. */
static void moves(void *observer, const struct sim *s, u32 task, u32 cpu, u32 kind)
{
	struct sim_observer *o = observer;
	struct sim_observed_task *t = &o->tasks[task];
	u32 src = s->tasks[task].cpu;
	struct sim_decision d = { .kind = kind_of_move[kind], .task = task, .src = src, .dst = cpu };
	u64 id = o->decided;

	o->decided = 0;
	if (!id) {
		bool may_stay = sim_may_run(s, &s->tasks[task], src);
		struct scheduler_record *r = take_record(
			o, s, &d, may_stay ? SCHEDULER_DECIDED_SAFETY : SCHEDULER_DECIDED_FORCE);

		o->n_rules++;
		id = r ? r->id : 0;
	}
	end_record(o, t->move, SCHEDULER_FAILED + SCHEDULER_REPLACED);
	t->move = id;
}

/* It runs on another CPU than before: the others of its records see it moved on. */
static void record_moved(struct sim_observer *o, struct sim_observed_task *t, u64 own, u32 cpu,
			 u64 now)
{
	struct scheduler_record *r;
	u64 id = t->newest, age;

	for (int i = 0; i < SCHEDULER_FOLLOWED && id; i++) {
		r = open_record(o, id, now, &age);
		if (!r)
			break;
		if (id != own) {
			if (!r->back && r->src == cpu && (r->moved || r->result == SCHEDULER_MOVED))
				r->back = (u32)age | 1;
			if (!r->moved)
				r->moved = (u32)age | 1;
		}
		id = r->older;
	}
}

static void starts(void *observer, const struct sim *s, u32 task)
{
	struct sim_observer *o = observer;
	struct sim_observed_task *t = &o->tasks[task];
	u32 cpu = s->tasks[task].cpu;
	u64 move = t->move, id, age;

	t->move = 0;
	if (t->ran_on == cpu) {
		end_record(o, move, SCHEDULER_FAILED + SCHEDULER_RETURNED);
	} else {
		end_record(o, move, SCHEDULER_MOVED);
		record_moved(o, t, move, cpu, s->now);
		t->ran_on = cpu;
	}
	id = t->newest;
	for (int i = 0; i < SCHEDULER_FOLLOWED && id; i++) {
		struct scheduler_record *r = open_record(o, id, s->now, &age);

		if (!r)
			break;
		if (!r->wait) {
			r->ran_on = (u16)cpu;
			r->wait = (u32)age | 1;
		}
		r->run = (age + 1) << 32 | (u32)r->run;
		id = r->older;
	}
	if (t->newest && t->newest <= o->tail)
		t->newest = 0;
	give_away(o, s->now);
}

static void stops(void *observer, const struct sim *s, u32 task)
{
	struct sim_observer *o = observer;
	u64 id = o->tasks[task].newest, age;

	for (int i = 0; i < SCHEDULER_FOLLOWED && id; i++) {
		struct scheduler_record *r = open_record(o, id, s->now, &age);
		u64 since;

		/* A task that runs on past the window's end is reckoned when it is given away. */
		if (!r)
			break;
		since = r->run >> 32;
		if (since)
			r->run = (u32)r->run + age - (since - 1);
		id = r->older;
	}
}

const struct sim_watch sim_observer_watch = {
	.arrives = arrives,
	.departs = departs,
	.decided = sim_observer_decided,
	.moves = moves,
	.starts = starts,
	.stops = stops,
};

/* ---- its life ------------------------------------------------------------------------- */

int sim_observer_init(struct sim_observer *o, u32 most_tasks)
{
	o->records = NULL;
	o->size = o->head = o->tail = 0;
	o->tasks = calloc(most_tasks, sizeof(*o->tasks));
	return o->tasks && grow(o) == 0 ? 0 : -ENOMEM;
}

void sim_observer_clear(struct sim_observer *o)
{
	free(o->tasks);
	free(o->records);
	o->tasks = NULL;
	o->records = NULL;
}

int sim_observer_end(struct sim_observer *o, u64 now)
{
	give_away(o, now);
	for (; o->tail < o->head; o->tail++) {
		const struct scheduler_record *r = record_at(o, o->tail + 1);

		o->observed(o->context, r, now - r->time);
	}
	return o->failed;
}
