/* SPDX-License-Identifier: GPL-2.0 */
/*
 * src/host/scx.h without a kernel: decides as bpf/scheduler.bpf.c does, on random
 * features, whenever its counters are looked at.  What is linked with it gets no
 * other scheduler.
 *
 * FAKE_SLOW_SLOT=N: tasks wait long while slot N decides.  FAKE_PUT_ERROR=1: what is
 * read back is not what was written.
 */
#ifndef MLS_TESTS_SCX_WITHOUT_KERNEL_H
#define MLS_TESTS_SCX_WITHOUT_KERNEL_H

#include "src/host/requests.h"
#include "src/host/scx.h"
#include "src/util/random.h"

/**
 * struct mls_scx - what of a scheduler is seen from outside
 * @slots:     [MLS_SCX_SLOT_WIDTH] each, or NULL; owned
 * @requests:  questions go to an engine of user space, or NULL; not owned
 * @answers:   where that puts its verdicts
 * @last:      when it last decided, ns
 */
struct mls_scx {
	struct mls_topology topology;
	enum mls_policy_mode mode;
	int active;
	int candidate;
	u64 worth[MLS_POLICY_LEVELS];
	void *slots[SCHEDULER_SLOTS];
	struct mls_requests *requests;
	uint64_t answers[MLS_VERDICT_ANSWERS];
	uint64_t questions;
	struct scheduler_counts counts;
	uint64_t last;
	struct mls_random random;
};

/** fake_scx_init() - 16 CPUs in four domains on two nodes, no model, mode active */
void fake_scx_init(struct mls_scx *scx);

/** fake_scx_clear() - free its slots */
void fake_scx_clear(struct mls_scx *scx);

#endif
