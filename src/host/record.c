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

_Static_assert(MLS_SEED10_WIDTH <= MLS_RECORDING_FEATURES, "a row holds them");

static int64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

uint32_t mls_record_session(const struct mls_topology *t, const char *source, uint64_t window,
			    struct mls_recording_session *s, struct mls_recording_cpu *cpus)
{
	struct utsname uts = { 0 };

	*s = (struct mls_recording_session){ .wall = clock_ns(CLOCK_REALTIME),
					     .began = (uint64_t)clock_ns(CLOCK_MONOTONIC),
					     .window = window };
	uname(&uts);
	snprintf(s->source, sizeof(s->source), "%s", source);
	snprintf(s->kernel, sizeof(s->kernel), "%.95s", uts.release);
	snprintf(s->machine, sizeof(s->machine), "%.31s", uts.machine);
	snprintf(s->schema, sizeof(s->schema), "seed10");
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
