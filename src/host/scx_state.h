/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of the scx backend share: src/host/scx.h is for others. */
#ifndef MLS_HOST_SCX_STATE_H
#define MLS_HOST_SCX_STATE_H

#include "src/host/scx.h"

#include "bpf/scheduler.skel.h"

/**
 * struct mls_scx - the scheduler that is loaded, and what outlives a restart
 * @slots:     copies of what is in the kernel's, [SCHEDULER_SLOTS]; NULL: nothing
 * @active:    its index, or MLS_SCX_NO_SLOT
 * @candidate: the same
 * @worth:     what is offered
 * @records:   the kernel's array of them, [mls_scx_records_size()], or NULL
 * @before:    counts of those that were loaded before the last restart
 */
struct mls_scx {
	struct scheduler_bpf *skel;
	struct bpf_link *link;
	struct mls_scx_options options;
	struct mls_topology topology;
	u64 since;
	void *slots[SCHEDULER_SLOTS];
	int active;
	int candidate;
	u64 worth[MLS_POLICY_LEVELS];
	const struct scheduler_record *records;
	size_t records_bytes;
	struct scheduler_counts before;
};

/** mls_scx_records_size() - slots for a window of so many ns */
uint32_t mls_scx_records_size(uint64_t window);

/** mls_scx_records_map() - of a program that is loaded; nothing without a recording */
int mls_scx_records_map(struct mls_scx *scx, struct mlsched_error *err);

void mls_scx_records_unmap(struct mls_scx *scx);

/** mls_scx_keep() - copy a network for mls_scx_put_all() */
int mls_scx_keep(struct mls_scx *scx, int index, const void *slot, struct mlsched_error *err);

/** mls_scx_put_all() - write what was kept into a program that is loaded, not yet attached */
int mls_scx_put_all(struct mls_scx *scx, struct mlsched_error *err);

#endif /* MLS_HOST_SCX_STATE_H */
