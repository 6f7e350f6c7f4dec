// SPDX-License-Identifier: GPL-2.0
/*
 * Sums of the scheduler's counts.
 */
#include <stddef.h>

#include "src/host/scx_sums.h"

void mls_scx_subtract(struct scheduler_counts *n, const struct scheduler_counts *before)
{
	const unsigned long long longest = n->wait_ns, *from = (const void *)before;
	unsigned long long *to = (void *)n;

	for (size_t i = 0; i < sizeof(*n) / sizeof(*to); i++)
		to[i] -= from[i];
	n->wait_ns = longest;
}

unsigned long long mls_scx_moved(const struct scheduler_counts *n, int cause)
{
	unsigned long long sum = 0;

	for (int d = 0; d < SCHEDULER_DISTANCES; d++)
		sum += n->moved[cause][d];
	return sum;
}

unsigned long long mls_scx_failed(const struct scheduler_counts *n, int kind)
{
	unsigned long long sum = 0;

	for (int f = 0; f < SCHEDULER_FAILURES; f++)
		sum += n->failed[kind][f];
	return sum;
}

struct mls_scx_sums mls_scx_sums(const struct scheduler_counts *n)
{
	struct mls_scx_sums s = { 0 };

	for (int k = 0; k < MLS_POLICY_KINDS; k++) {
		s.asked += n->asked[k];
		s.accepted += n->accepted[k];
		s.refused += n->refused[k];
		s.moved += mls_scx_moved(n, k);
		s.failed += mls_scx_failed(n, k);
	}
	/* The counts are read while others write: the end of a move may be there before its begin. */
	if (s.accepted > s.moved + s.failed)
		s.under_way = s.accepted - s.moved - s.failed;
	for (int b = 0; b < SCHEDULER_BUCKETS; b++)
		s.waits += n->waits[b];
	return s;
}

/* The bucket in which a share is reached, and how far into it, 0 to 1; -1 without waits. */
static int bucket_at(const struct scheduler_counts *n, double share, double *part)
{
	const double all = (double)mls_scx_sums(n).waits, wanted = share * all;
	double below = 0;

	for (int b = 0; b < SCHEDULER_BUCKETS && all > 0; b++) {
		double here = (double)n->waits[b];

		if (below + here >= wanted && here > 0) {
			*part = (wanted - below) / here;
			return b;
		}
		below += here;
	}
	return -1;
}

double mls_scx_wait_at(const struct scheduler_counts *n, double share)
{
	double part;
	int b = bucket_at(n, share, &part);

	return b < 0 ? 0 : (double)(1ull << b) * 1e3;
}

double mls_scx_wait_within(const struct scheduler_counts *n, double share)
{
	double part, low;
	int b = bucket_at(n, share, &part);

	if (b < 0)
		return 0;
	low = b ? (double)(1ull << (b - 1)) : 0;
	return (low + part * ((double)(1ull << b) - low)) * 1e3;
}

double mls_scx_wait_mean(const struct scheduler_counts *n)
{
	unsigned long long waits = mls_scx_sums(n).waits;

	return waits ? (double)n->waited_ns / (double)waits : 0;
}
