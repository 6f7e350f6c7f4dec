/* SPDX-License-Identifier: GPL-2.0 */
/* From what the backends hand out to rows of a recording, and this machine as its session. */
#ifndef MLS_HOST_RECORD_H
#define MLS_HOST_RECORD_H

#include "src/data/recording.h"
#include "bpf/scheduler.h"
#include "src/host/shadow.h"

/*
 * The longest window with a recording: a decision is handed out when its window is over,
 * and with the time until a transaction is closed that has to stay within a second.
 */
#define MLS_RECORD_MAX_WINDOW 400000000ull

/**
 * mls_record_session() - the machine, its kernel and the time
 * @source: "shadow", "scx"
 * @schema: of the inputs
 * @window: ns
 * @since:  mls_now_ns() of the beginning: no decision is older
 * @cpus:   [MLS_MAX_CPUS], filled in
 *
 * Return: how many @cpus there are.
 */
uint32_t mls_record_session(const struct mls_topology *topology, const char *source,
			    const char *schema, uint64_t window, uint64_t since,
			    struct mls_recording_session *session, struct mls_recording_cpu *cpus);

/**
 * mls_record_move() - a migration of the kernel's own scheduler
 * @verdict: what a model said of it, or NULL
 */
void mls_record_move(const struct mls_move *move, const struct mlsched_verdict *verdict,
		     struct mls_recorded *row);

/**
 * mls_record_scheduler() - a decision of our own scheduler
 * @end:   ns after it up to which is known what happened
 * @scale: of the network's logits, 0: not known
 * @width: inputs of the recording's schema
 */
void mls_record_scheduler(const struct scheduler_record *record, uint64_t end, double scale,
			  uint32_t width, struct mls_recorded *row);

#endif /* MLS_HOST_RECORD_H */
