// SPDX-License-Identifier: GPL-2.0
/*
 * Rows of recordings from the backends' own structures.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "src/host/record.h"
#include "src/util/array.h"
#include "src/util/clock.h"

_Static_assert(MLS_SEED10_WIDTH <= MLS_RECORDING_FEATURES, "a row holds them");

static int64_t wall_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

uint32_t mls_record_session(const struct mls_topology *t, const char *source, const char *schema,
			    uint64_t window, uint64_t since, struct mls_recording_session *s,
			    struct mls_recording_cpu *cpus)
{
	struct utsname uts = { 0 };

	*s = (struct mls_recording_session){ .wall = wall_ns() - (int64_t)(mls_now_ns() - since),
					     .began = since,
					     .window = window };
	uname(&uts);
	snprintf(s->source, sizeof(s->source), "%s", source);
	snprintf(s->kernel, sizeof(s->kernel), "%.95s", uts.release);
	snprintf(s->machine, sizeof(s->machine), "%.31s", uts.machine);
	snprintf(s->schema, sizeof(s->schema), "%s", schema);
	mls_topology_describe(t, s->domains, sizeof(s->domains));
	for (uint32_t cpu = 0; cpu < t->n_cpus; cpu++) {
		const struct mls_cpu *c = &t->cpus[cpu];

		cpus[cpu] = (struct mls_recording_cpu){ (uint16_t)cpu, c->online, c->core,
							c->cache,      c->node,   c->domain };
	}
	return t->n_cpus;
}

static const uint8_t kinds[MLS_MOVE_KINDS] = {
	[MLS_MOVE_WAKEUP] = MLS_RECORDED_WAKEUP,
	[MLS_MOVE_BALANCE] = MLS_RECORDED_BALANCE,
	[MLS_MOVE_EXEC] = MLS_RECORDED_EXEC,
	[MLS_MOVE_AFFINITY] = MLS_RECORDED_AFFINITY,
};

/* The kernel has moved it, whatever the model says. */
void mls_record_move(const struct mls_move *m, const struct mlsched_verdict *verdict,
		     struct mls_recorded *row)
{
	*row = (struct mls_recorded){
		.time = m->time,
		.pid = m->pid,
		.tgid = m->tgid,
		.kind = kinds[m->kind],
		.decider = m->forced ? MLS_RECORDED_BY_HARD_RULE : MLS_RECORDED_BY_KERNEL,
		.result = MLS_RECORDED_MOVED,
		.flags = (uint8_t)((m->forced ? MLS_RECORDED_FORCED : 0) |
				   (m->kthread ? MLS_RECORDED_KTHREAD : 0) |
				   (m->asleep ? MLS_RECORDED_ASLEEP : 0)),
		.verdict = verdict ? verdict->migrate : -1,
		.accepted = true,
		.followed = m->followed,
		.ran = m->ran,
		.ran_there = m->ran_there,
		.src = m->src_cpu,
		.dst = m->dst_cpu,
		.logit = verdict ? verdict->logit : NAN,
		.propensity = 1,
		.observed = m->observed,
		.wait = m->wait,
		.run_time = m->run_time,
		.moved = m->moved,
		.back = m->back,
		.n_features = MLS_SEED10_WIDTH,
	};
	memcpy(row->comm, m->comm, sizeof(row->comm));
	for (int i = 0; i < MLS_SEED10_WIDTH; i++)
		row->features[i] = (float)m->features[i] / 65536;
}

/* ---- our own scheduler ------------------------------------------------------------------ */

static const uint8_t scheduler_kinds[MLS_POLICY_KINDS] = {
	[MLS_POLICY_WAKEUP] = MLS_RECORDED_WAKEUP,
	[MLS_POLICY_FORK] = MLS_RECORDED_FORK,
	[MLS_POLICY_STEAL] = MLS_RECORDED_STEAL,
	[MLS_POLICY_BALANCE] = MLS_RECORDED_PERIODIC,
};

static const uint8_t deciders[] = {
	[SCHEDULER_DECIDED_FORCE] = MLS_RECORDED_BY_HARD_RULE,
	[SCHEDULER_DECIDED_SAFETY] = MLS_RECORDED_BY_SAFETY,
	[SCHEDULER_DECIDED_HEURISTIC] = MLS_RECORDED_BY_HEURISTIC,
	[SCHEDULER_DECIDED_MODEL] = MLS_RECORDED_BY_MODEL,
	[SCHEDULER_DECIDED_COIN] = MLS_RECORDED_BY_EXPLORATION,
};

static const uint8_t results[] = {
	[SCHEDULER_UNDER_WAY] = MLS_RECORDED_UNDER_WAY,
	[SCHEDULER_MOVED] = MLS_RECORDED_MOVED,
	[SCHEDULER_REFUSED] = MLS_RECORDED_REFUSED,
	[SCHEDULER_FAILED + SCHEDULER_RACED] = MLS_RECORDED_RACED,
	[SCHEDULER_FAILED + SCHEDULER_REPLACED] = MLS_RECORDED_REPLACED,
	[SCHEDULER_FAILED + SCHEDULER_RETURNED] = MLS_RECORDED_RETURNED,
};

/* The time that it ran: finished runs, and the one that went on past the end. */
static uint64_t run_time_of(uint64_t run, uint64_t end)
{
	uint64_t since = run >> 32, done = (uint32_t)run;

	if (since && since - 1 < end)
		done += end - (since - 1);
	return done < end ? done : end;
}

static void fill_outcome(const struct scheduler_record *r, uint64_t end, struct mls_recorded *row)
{
	if (r->observed && r->observed < end)
		end = r->observed;
	row->followed = true;
	row->observed = end;
	/* It may have been written just when the end was reached. */
	row->ran = r->wait && r->wait <= end;
	row->ran_there = row->ran && r->ran_on == r->dst;
	row->wait = row->ran ? r->wait : end;
	row->run_time = row->ran ? run_time_of(r->run, end) : 0;
	row->moved = r->moved <= end ? r->moved : 0;
	row->back = r->back <= end ? r->back : 0;
}

void mls_record_scheduler(const struct scheduler_record *r, uint64_t end, double scale,
			  uint32_t width, struct mls_recorded *row)
{
	*row = (struct mls_recorded){
		.time = r->time,
		.pid = r->pid,
		.tgid = r->tgid,
		.kind = scheduler_kinds[r->kind % MLS_POLICY_KINDS],
		.decider = deciders[r->decider % ARRAY_SIZE(deciders)],
		.result = results[r->result % ARRAY_SIZE(results)],
		.flags = r->decider == SCHEDULER_DECIDED_FORCE ? MLS_RECORDED_FORCED : 0,
		.verdict = r->verdict == SCHEDULER_NO_VERDICT ? -1 : (int8_t)(r->verdict != 0),
		.accepted = r->accepted,
		.src = r->src,
		.dst = r->dst,
		.logit = r->slot && scale > 0 ? (float)((double)r->logit / scale) : NAN,
		.propensity = (float)r->propensity / MLS_COIN_CERTAIN,
		.n_features = width,
	};
	memcpy(row->comm, r->comm, sizeof(row->comm));
	for (uint32_t i = 0; i < width && i < SCHEDULER_FEATURES; i++)
		row->features[i] = (float)r->features[i] / 65536;
	fill_outcome(r, end, row);
}
