// SPDX-License-Identifier: GPL-2.0
/* Decisions with both of their futures. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/sim/label.h"
#include "src/sim/random.h"

#define MOST_IN_EVENT 64 /* later decisions of one event are not labelled */
#define BURSTS        6 /* for which a future lasts */

struct sim_label_options sim_label_options_default(void)
{
	return (struct sim_label_options){
		.prices = { .wait = 205,
			    .wait_2 = 600 * SIM_US,
			    .move = { 300 * SIM_US, 1600 * SIM_US, 2000 * SIM_US },
			    .most = 4 },
		.futures = 3,
		.horizon_least = 500 * SIM_US,
		.horizon_most = 12 * SIM_MS,
		.sticky = 3 * SIM_MS,
		.one_of = 7,
		.most = 1000,
		.seed = 1,
	};
}

/* A decision of the event that is just being simulated. */
struct seen {
	u32 number; /* among those of the event */
	u32 task;
	u32 kind;
	u32 src, dst;
	s32 features[MLS_MIG15_INPUTS];
};

/**
 * struct labeller - what is between the worlds and the policy that decides
 * @answers:  of the event, as they were given
 * @n:        decisions of this event so far
 * @replayed: the first so many are answered as they were, and the next one by @forced;
 *            SIM_NONE: in the world itself, where decisions are taken down
 * @refused:  this task is, until
 * @until:    then,
 * @keeps:    and in the event itself nothing goes from @src to @dst
 */
struct labeller {
	const struct sim_contender *contender;
	const struct sim_label_options *o;
	u8 answers[MOST_IN_EVENT];
	struct seen seen[MOST_IN_EVENT];
	u32 n_seen;
	u32 n;
	u32 replayed;
	int forced;
	u32 refused;
	u64 until;
	bool keeps;
	u32 src, dst;
	u64 n_decisions; /* of the run */
};

static int decide(void *context, struct sim *s, const struct sim_decision *d)
{
	struct labeller *l = context;
	u32 number = l->n++;
	struct mls_move_facts facts;
	int verdict;

	if (l->replayed != SIM_NONE) {
		if (number < l->replayed)
			return l->answers[number];
		if (number == l->replayed)
			return l->forced;
		if (d->task == l->refused && s->now < l->until)
			return 0;
		if (l->keeps && d->src == l->src && d->dst == l->dst)
			return 0;
	}
	verdict = l->contender->decide ? l->contender->decide(l->contender->context, s, d) : 1;
	if (l->replayed != SIM_NONE || number >= MOST_IN_EVENT)
		return verdict;
	l->answers[number] = (u8)verdict;
	if (sim_scramble(l->o->seed * 0x9e3779b97f4a7c15ull + l->n_decisions++) % l->o->one_of ==
	    0) {
		struct seen *seen = &l->seen[l->n_seen++];

		sim_facts(s, d, &facts);
		mls_mig15(&facts, seen->features);
		seen->number = number;
		seen->task = d->task;
		seen->kind = d->kind;
		seen->src = d->src;
		seen->dst = d->dst;
	}
	return verdict;
}

static enum sim_load load_of(const struct sim *s)
{
	u32 runnable = 0, n = s->machine->n_cpus;

	for (u32 cpu = 0; cpu < n; cpu++)
		runnable += s->cpus[cpu].queue.n + s->cpus[cpu].local.n +
			    (s->cpus[cpu].current != SIM_NONE);
	return 10 * runnable < 9 * n ? SIM_LIGHT : 10 * runnable > 13 * n ? SIM_OVER : SIM_FULL;
}

static u64 six_bursts(const struct sim *s, u32 task)
{
	return BURSTS * s->tasks[task].policy.mls.burst;
}

static u64 within(u64 value, u64 least, u64 most)
{
	return value < least ? least : value > most ? most : value;
}

/* Of a move of this task, ns of useful work. */
static u64 price_of(const struct sim *s, u32 task, const struct sim_label_options *o)
{
	u64 holds = within(six_bursts(s, task), o->horizon_least, o->prices.most * o->horizon_most);

	return o->prices.move[load_of(s)] * (holds / SIM_US) / (o->horizon_most / SIM_US);
}

/* What is to be said for this world so far, ns of useful work; @price: of a move. */
static s64 merit(const struct sim *s, const struct sim_prices *prices, u64 price)
{
	u64 waited = s->sum.waited, waited_2 = s->sum.waited_2, moves;

	for (u32 cpu = 0; cpu < s->machine->n_cpus; cpu++) {
		const struct sim_cpu *c = &s->cpus[cpu];

		for (int k = 0; k < 2; k++) {
			const struct sim_queue *q = k ? &c->local : &c->queue;

			for (u32 task = q->first; task != SIM_NONE; task = s->tasks[task].next) {
				u64 wait = s->now - s->tasks[task].since;

				waited += wait;
				waited_2 += (wait / SIM_US) * (wait / SIM_US);
			}
		}
	}
	moves = sim_moves(&s->sum, SIM_NEAR) + sim_moves(&s->sum, SIM_NODE);
	return (s64)s->sum.useful - (s64)(waited / 1024 * prices->wait) -
	       (s64)(waited_2 / 1000 * prices->wait_2 / 1000) - (s64)(moves * price);
}

/* One future of one answer. */
static int branch(struct sim *b, const struct sim *before, struct labeller *l,
		  const struct seen *seen, const struct sim_options *options, int answer, u64 salt,
		  u64 horizon, s64 *result)
{
	u64 end = sim_next(before) + horizon;
	u64 price = price_of(before, seen->task, l->o);
	int ret;

	sim_copy(b, before);
	b->options = options;
	l->n = 0;
	l->replayed = seen->number;
	l->forced = answer;
	l->refused = answer ? SIM_NONE : seen->task;
	l->until = sim_next(before) + (l->o->sticky < horizon ? l->o->sticky : horizon);
	l->keeps = !answer;
	l->src = seen->src;
	l->dst = seen->dst;
	ret = sim_step(b);
	l->keeps = false;
	b->salt = salt;
	/* From now on no decision is one of the event's. */
	l->n = seen->number + 1;
	if (ret == 0)
		ret = sim_run(b, end);
	if (ret < 0)
		return ret;
	/* A workload that is done sooner does no more, and nobody waits. */
	if (ret == 0)
		sim_settle(b, end);
	*result = merit(b, &l->o->prices, price);
	return 0;
}

static u64 horizon_of(const struct sim *s, const struct seen *seen,
		      const struct sim_label_options *o)
{
	return within(six_bursts(s, seen->task), o->horizon_least, o->horizon_most);
}

static struct sim_row *new_row(struct sim_rows *rows)
{
	if (rows->n == rows->allocated) {
		u32 more = rows->allocated ? 2 * rows->allocated : 256;
		struct sim_row *row = realloc(rows->row, more * sizeof(*row));

		if (!row)
			return NULL;
		rows->row = row;
		rows->allocated = more;
	}
	return &rows->row[rows->n++];
}

static int label_one(struct sim *b, const struct sim *before, struct labeller *l,
		     const struct seen *seen, const struct sim_options *options, u64 number,
		     struct sim_rows *rows)
{
	u64 horizon = horizon_of(before, seen, l->o);
	double sum = 0, squares = 0, mean, variance;
	struct sim_row *row;

	for (u32 k = 0; k < l->o->futures; k++) {
		u64 salt = sim_scramble(l->o->seed + number * 64 + k + 1);
		s64 moved, stayed;
		double benefit;

		if (branch(b, before, l, seen, options, 1, salt, horizon, &moved) ||
		    branch(b, before, l, seen, options, 0, salt, horizon, &stayed))
			return 0; /* the end of simulated time */
		benefit = (double)(moved - stayed);
		sum += benefit;
		squares += benefit * benefit;
	}
	row = new_row(rows);
	if (!row)
		return -ENOMEM;
	mean = sum / l->o->futures;
	variance = squares / l->o->futures - mean * mean;
	memcpy(row->features, seen->features, sizeof(row->features));
	row->benefit = (s64)mean;
	row->spread = variance > 0 ? (u64)sqrt(variance) : 0;
	row->kind = seen->kind;
	return 0;
}

int sim_label(const struct sim_machine *machine, const struct sim_workload *workload,
	      const struct sim_contender *contender, u64 seed, u64 limit,
	      const struct sim_label_options *o, struct sim_rows *rows)
{
	struct labeller *l = calloc(1, sizeof(*l));
	struct sim *s, *before, *b;
	u32 n_before = rows->n;
	int ret;
	/* Futures go beyond the end. */
	struct sim_options options = sim_contender_options(contender, limit + 2 * o->horizon_most);

	if (!l)
		return -ENOMEM;
	options.decide = decide;
	options.context = l;
	l->contender = contender;
	l->o = o;
	l->replayed = l->refused = SIM_NONE;
	s = sim_new(machine, workload, contender->policy, &options, seed, NULL);
	before = s ? sim_clone(s) : NULL;
	b = s ? sim_clone(s) : NULL;
	ret = b && before ? 0 : -ENOMEM;
	while (!ret && rows->n - n_before < o->most) {
		u64 number = l->n_decisions;

		sim_copy(before, s);
		l->n = l->n_seen = 0;
		l->replayed = SIM_NONE;
		ret = sim_step(s);
		for (u32 i = 0; i < l->n_seen && ret >= 0; i++) {
			int failed =
				label_one(b, before, l, &l->seen[i], &options, number + i, rows);

			if (failed)
				ret = failed;
		}
		if (s->now >= limit)
			break;
	}
	sim_free(b);
	sim_free(before);
	sim_free(s);
	free(l);
	return ret < 0 && ret != -ETIMEDOUT ? ret : 0;
}

void sim_rows_clear(struct sim_rows *rows)
{
	free(rows->row);
	*rows = (struct sim_rows){ 0 };
}
