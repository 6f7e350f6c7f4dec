// SPDX-License-Identifier: GPL-2.0
/*
 * From a slot of the recorder's ring to what became of a migration.
 */
#include <string.h>

#include "src/host/move.h"

const char *mls_move_kind_name(enum mls_move_kind kind)
{
	static const char *const names[MLS_MOVE_KINDS] = {
		[MLS_MOVE_WAKEUP] = "wakeup",
		[MLS_MOVE_BALANCE] = "balance",
		[MLS_MOVE_EXEC] = "exec",
		[MLS_MOVE_AFFINITY] = "affinity",
	};

	return (unsigned int)kind < MLS_MOVE_KINDS ? names[kind] : "unknown";
}

/* The time that it ran: finished runs, and the one that went on past the end. */
static uint64_t run_time_of(uint64_t run, uint64_t end)
{
	uint64_t since = run >> 32, done = (uint32_t)run;

	if (since && since - 1 < end)
		done += end - (since - 1);
	return done < end ? done : end;
}

void mls_move_finish(const struct recorder_decision *d, uint64_t end, struct mls_move *m)
{
	*m = (struct mls_move){
		.id = d->id,
		.time = d->time,
		.pid = d->pid,
		.tgid = d->tgid,
		.src_cpu = d->src_cpu,
		.dst_cpu = d->dst_cpu,
		.src_domain = d->src_domain,
		.dst_domain = d->dst_domain,
		.kind = (enum mls_move_kind)d->kind,
		.forced = d->flags & RECORDER_FORCED,
		.kthread = d->flags & RECORDER_KTHREAD,
		.asleep = d->flags & RECORDER_ASLEEP,
		.followed = d->flags & RECORDER_FOLLOW,
		.logit = d->logit,
		.infer_ns = d->infer_ns,
		.idle_for = d->flags & RECORDER_LAST_RUN ? (int64_t)d->idle_for : -1,
	};
	memcpy(m->comm, d->comm, sizeof(m->comm));
	m->comm[sizeof(m->comm) - 1] = '\0';
	memcpy(m->features, d->features, sizeof(d->features));
	if (!m->followed)
		return;
	if (d->observed && d->observed < end)
		end = d->observed;
	m->observed = end;
	m->ran = d->wait != 0;
	m->wait = m->ran ? d->wait : end;
	m->ran_there = m->ran && d->ran_on == d->dst_cpu;
	m->run_time = run_time_of(d->run, end);
	m->moved = d->moved;
	m->back = d->back;
}
