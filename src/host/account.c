// SPDX-License-Identifier: GPL-2.0
/*
 * Sums over judged migrations.
 */
#include "src/host/account.h"

void mls_account_add(struct mls_account *account, const struct mls_move *move, bool accepted,
		     uint64_t inference_ns)
{
	enum mls_judgement judgement = accepted ? MLS_ACCEPTED : MLS_REFUSED;
	struct mls_tally *t;

	if (move->forced)
		judgement = MLS_FORCED;
	t = &account->tally[judgement];
	t->n++;
	account->kinds[move->kind]++;
	mls_times_add(&account->inference, inference_ns);
	if (!move->followed)
		return;
	t->followed++;
	t->ran += move->ran;
	t->moved += move->moved != 0;
	t->bounced += move->back != 0;
	t->waiting += !move->asleep;
	t->wait += move->asleep ? 0 : move->wait;
	t->run_time += move->run_time;
}

static double share(uint64_t part, uint64_t whole)
{
	return whole ? (double)part / (double)whole : 0;
}

uint64_t mls_account_moves(const struct mls_account *account)
{
	uint64_t n = 0;

	for (int i = 0; i < MLS_JUDGEMENTS; i++)
		n += account->tally[i].n;
	return n;
}

double mls_account_refused_share(const struct mls_account *account)
{
	uint64_t refused = account->tally[MLS_REFUSED].n;

	return share(refused, refused + account->tally[MLS_ACCEPTED].n);
}

double mls_tally_bounced_share(const struct mls_tally *tally)
{
	return share(tally->bounced, tally->followed);
}

double mls_tally_mean_wait(const struct mls_tally *tally)
{
	return share(tally->wait, tally->waiting);
}

double mls_tally_mean_run_time(const struct mls_tally *tally)
{
	return share(tally->run_time, tally->followed);
}

static uint32_t bucket_of(uint64_t ns)
{
	uint32_t octave, index;

	if (ns < MLS_TIMES_LINEAR)
		return (uint32_t)ns;
	octave = 63 - (uint32_t)__builtin_clzll(ns);
	index = MLS_TIMES_LINEAR + (octave - 6) * MLS_TIMES_PER_OCT +
		(uint32_t)(ns >> (octave - 5) & (MLS_TIMES_PER_OCT - 1));
	return index < MLS_TIMES_BUCKETS ? index : MLS_TIMES_BUCKETS - 1;
}

/* The middle of a bucket. */
static double time_of(uint32_t index)
{
	uint32_t octave = (index - MLS_TIMES_LINEAR) / MLS_TIMES_PER_OCT;
	uint32_t step = (index - MLS_TIMES_LINEAR) % MLS_TIMES_PER_OCT;

	if (index < MLS_TIMES_LINEAR)
		return index;
	return (double)((uint64_t)(2 * (MLS_TIMES_PER_OCT + step) + 1) << octave);
}

void mls_times_add(struct mls_times *times, uint64_t ns)
{
	times->n++;
	times->bucket[bucket_of(ns)]++;
}

double mls_times_at(const struct mls_times *times, double share)
{
	uint64_t seen = 0;

	for (uint32_t i = 0; i < MLS_TIMES_BUCKETS; i++) {
		seen += times->bucket[i];
		if ((double)seen >= share * (double)times->n && seen)
			return time_of(i);
	}
	return 0;
}

double mls_times_median(const struct mls_times *times)
{
	return mls_times_at(times, 0.5);
}

void mls_times_subtract(struct mls_times *times, const struct mls_times *before)
{
	times->n -= before->n;
	for (uint32_t i = 0; i < MLS_TIMES_BUCKETS; i++)
		times->bucket[i] -= before->bucket[i];
}
