/* SPDX-License-Identifier: GPL-2.0 */
/* What can be said about the scheduler's counts: sums, differences, percentiles. */
#ifndef MLS_HOST_SCX_SUMS_H
#define MLS_HOST_SCX_SUMS_H

#include "bpf/scheduler.h"

/**
 * struct mls_scx_sums - over all kinds of decisions
 * @asked:    = @accepted + @refused
 * @accepted: = @moved + @failed + @under_way
 * @moved:    optional moves that came about
 * @failed:   for whatever reason
 * @under_way: accepted, and the task has not run yet
 * @waits:    waits for a CPU
 */
struct mls_scx_sums {
	unsigned long long asked;
	unsigned long long accepted;
	unsigned long long refused;
	unsigned long long moved;
	unsigned long long failed;
	unsigned long long under_way;
	unsigned long long waits;
};

struct mls_scx_sums mls_scx_sums(const struct scheduler_counts *counts);

/** mls_scx_subtract() - what was counted since @before; wait_ns stays as it is */
void mls_scx_subtract(struct scheduler_counts *counts, const struct scheduler_counts *before);

/** mls_scx_moved() - moves by one cause, whatever the distance */
unsigned long long mls_scx_moved(const struct scheduler_counts *counts, int cause);

/** mls_scx_failed() - accepted moves of a kind that came to nothing */
unsigned long long mls_scx_failed(const struct scheduler_counts *counts, int kind);

/** mls_scx_wait_at() - upper end of the bucket in which a share of all waits is reached, in ns */
double mls_scx_wait_at(const struct scheduler_counts *counts, double share);

/** mls_scx_wait_within() - the same, taking waits to lie evenly in the bucket: for comparisons */
double mls_scx_wait_within(const struct scheduler_counts *counts, double share);

/** mls_scx_wait_mean() - in ns; 0 when nothing waited */
double mls_scx_wait_mean(const struct scheduler_counts *counts);

#endif /* MLS_HOST_SCX_SUMS_H */
