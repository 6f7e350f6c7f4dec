// SPDX-License-Identifier: GPL-2.0
/*
 * Estimates of a policy from decisions that another one made.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "src/data/offpolicy.h"
#include "src/util/error.h"

#define UNSUPPORTED_MOST 0.001
#define NORMAL_95        1.959964
#define ROWS_AT_FIRST    4096

/* Halves are made of blocks in turn: each is spread over the whole time. */
#define HALVES 2

enum column { RECORDED, INVERSE, ROBUST, GAIN, RIVAL, LEAD, COLUMNS };

struct mean {
	uint64_t n;
	double sum;
};

/* Means of answers in one half; @all: whatever kind and locality. */
struct guess {
	struct mean of[MLS_RECORDED_KINDS][MLS_RECORDED_LOCALITIES][2];
	struct mean all[2];
};

struct block {
	uint64_t n;
	double sum[COLUMNS];
};

bool mls_offpolicy_takes(const struct mls_recorded *d)
{
	int skip = mls_label_skips(d);

	return (skip < 0 || skip == MLS_LABEL_FAILED) && d->followed && d->observed > 0 &&
	       d->decider != MLS_RECORDED_BY_KERNEL;
}

int mls_offpolicy_add(struct mls_offpolicy_rows *rows, const struct mls_recorded *d, bool policy,
		      bool rival, const struct mls_label_options *options)
{
	if (rows->n == rows->allocated) {
		uint64_t size = rows->allocated ? 2 * rows->allocated : ROWS_AT_FIRST;
		struct mls_offpolicy_row *more = realloc(rows->rows, size * sizeof(*more));

		if (!more)
			return -ENOMEM;
		rows->rows = more;
		rows->allocated = size;
	}
	rows->rows[rows->n++] = (struct mls_offpolicy_row){
		.time = d->time,
		.session = d->session,
		.kind = d->kind,
		.locality = d->locality,
		.accepted = d->accepted,
		.policy = policy,
		.rival = rival,
		.propensity = d->propensity,
		.benefit = mls_label_benefit(d, options),
	};
	return 0;
}

static uint32_t block_of(const struct mls_offpolicy_row *row, const uint64_t *first,
			 const uint32_t *offset)
{
	return offset[row->session] +
	       (uint32_t)((row->time - first[row->session]) / MLS_OFFPOLICY_BLOCK);
}

/*
 * Where each session begins, and its first block.  Rows of a session come in nearly the
 * order of their times: some are earlier than the first of them.
 */
static int lay_out(const struct mls_offpolicy_row *rows, uint64_t n, uint64_t **first,
		   uint32_t **offset, uint32_t *blocks, struct mlsched_error *err)
{
	uint32_t sessions = 0;
	uint64_t *last;

	for (uint64_t i = 0; i < n; i++)
		sessions = rows[i].session > sessions ? rows[i].session : sessions;
	*first = malloc((sessions + 1) * sizeof(**first));
	*offset = calloc(sessions + 1, sizeof(**offset));
	last = calloc(sessions + 1, sizeof(*last));
	if (!*first || !*offset || !last) {
		free(last);
		return mls_error(err, -ENOMEM, "no memory for %u sessions", sessions);
	}
	for (uint32_t s = 0; s <= sessions; s++)
		(*first)[s] = UINT64_MAX;
	for (uint64_t i = 0; i < n; i++) {
		uint32_t s = rows[i].session;

		(*first)[s] = rows[i].time < (*first)[s] ? rows[i].time : (*first)[s];
		last[s] = rows[i].time > last[s] ? rows[i].time : last[s];
	}
	*blocks = 0;
	for (uint32_t s = 0; s <= sessions; s++) {
		(*offset)[s] = *blocks;
		if ((*first)[s] != UINT64_MAX)
			*blocks += (uint32_t)((last[s] - (*first)[s]) / MLS_OFFPOLICY_BLOCK) + 1;
	}
	free(last);
	return 0;
}

static void add(struct mean *mean, double value)
{
	mean->n++;
	mean->sum += value;
}

static double guess(const struct guess *g, const struct mls_offpolicy_row *row, bool answer)
{
	const struct mean *m = &g->of[row->kind][row->locality][answer];

	if (m->n < MLS_LABEL_ENOUGH)
		m = &g->all[answer];
	return m->n ? m->sum / (double)m->n : 0;
}

/* Doubly robust, of an answer to one decision. */
static double robust(const struct guess *g, const struct mls_offpolicy_row *row, bool answer)
{
	double rest = row->accepted == answer ? row->benefit - guess(g, row, row->accepted) : 0;

	return guess(g, row, answer) + rest / (double)row->propensity;
}

/* The sums of each block, by guesses from the other half. */
static void fill_blocks(const struct mls_offpolicy_row *rows, uint64_t n, const uint64_t *first,
			const uint32_t *offset, const struct guess guesses[HALVES],
			struct block *blocks, struct mls_offpolicy *result)
{
	double weights = 0, squares = 0;

	for (uint64_t i = 0; i < n; i++) {
		const struct mls_offpolicy_row *row = &rows[i];
		uint32_t b = block_of(row, first, offset);
		const struct guess *g = &guesses[(b + 1) % HALVES];
		bool agrees = row->accepted == row->policy;
		double weight = agrees ? 1 / (double)row->propensity : 0;
		double policy = robust(g, row, row->policy), rival = robust(g, row, row->rival);

		blocks[b].n++;
		blocks[b].sum[RECORDED] += row->benefit;
		blocks[b].sum[INVERSE] += weight * row->benefit;
		blocks[b].sum[ROBUST] += policy;
		blocks[b].sum[GAIN] += policy - row->benefit;
		blocks[b].sum[RIVAL] += rival;
		blocks[b].sum[LEAD] += policy - rival;
		weights += weight;
		squares += weight * weight;
		result->agree += agrees;
		/* The other answer had the rest of the chance. */
		result->unsupported += !agrees && row->propensity >= 1;
	}
	result->effective = squares > 0 ? weights * weights / squares : 0;
}

/* A ratio of sums over blocks, with the variance of a ratio. */
static struct mls_estimate mean_of(const struct block *blocks, uint32_t n, enum column column)
{
	double sum = 0, rows = 0, squares = 0, mean, error;
	uint32_t used = 0;

	for (uint32_t b = 0; b < n; b++) {
		sum += blocks[b].sum[column];
		rows += (double)blocks[b].n;
		used += blocks[b].n > 0;
	}
	mean = sum / rows;
	for (uint32_t b = 0; b < n; b++) {
		double rest = blocks[b].sum[column] - mean * (double)blocks[b].n;

		squares += rest * rest;
	}
	error = NORMAL_95 * sqrt(squares * used / (used > 1 ? used - 1 : 1)) / rows;
	return (struct mls_estimate){ mean, mean - error, mean + error };
}

static int judge(const struct mls_offpolicy_row *rows, uint64_t n, const uint64_t *first,
		 const uint32_t *offset, uint32_t n_blocks, struct guess *guesses,
		 struct block *blocks, struct mls_offpolicy *result, struct mlsched_error *err)
{
	for (uint64_t i = 0; i < n; i++) {
		const struct mls_offpolicy_row *row = &rows[i];
		struct guess *g = &guesses[block_of(row, first, offset) % HALVES];

		add(&g->of[row->kind][row->locality][row->accepted], row->benefit);
		add(&g->all[row->accepted], row->benefit);
	}
	fill_blocks(rows, n, first, offset, guesses, blocks, result);
	result->n = n;
	for (uint32_t b = 0; b < n_blocks; b++)
		result->blocks += blocks[b].n > 0;
	if (result->blocks < MLS_OFFPOLICY_BLOCKS)
		return mls_error(err, -ENODATA,
				 "expected decisions in at least %d blocks of %llu ms, found %llu "
				 "in %u: too short to say how sure the result is",
				 MLS_OFFPOLICY_BLOCKS, MLS_OFFPOLICY_BLOCK / 1000000,
				 (unsigned long long)n, result->blocks);
	if ((double)result->unsupported > UNSUPPORTED_MOST * (double)n)
		return mls_error(
			err, -EDOM,
			"in %llu of %llu decisions the model says what the recorded policy "
			"could not have done: record with --explore",
			(unsigned long long)result->unsupported, (unsigned long long)n);
	result->recorded = mean_of(blocks, n_blocks, RECORDED);
	result->inverse = mean_of(blocks, n_blocks, INVERSE);
	result->robust = mean_of(blocks, n_blocks, ROBUST);
	result->gain = mean_of(blocks, n_blocks, GAIN);
	result->rival = mean_of(blocks, n_blocks, RIVAL);
	result->lead = mean_of(blocks, n_blocks, LEAD);
	return 0;
}

int mls_offpolicy_estimate(const struct mls_offpolicy_row *rows, uint64_t n,
			   struct mls_offpolicy *result, struct mlsched_error *err)
{
	struct guess *guesses = calloc(HALVES, sizeof(*guesses));
	uint32_t *offset = NULL, n_blocks = 0;
	struct block *blocks = NULL;
	uint64_t *first = NULL;
	int ret;

	*result = (struct mls_offpolicy){ 0 };
	if (!n) {
		ret = mls_error(err, -ENODATA, "no decisions");
		goto out;
	}
	ret = guesses ? lay_out(rows, n, &first, &offset, &n_blocks, err) :
			mls_error(err, -ENOMEM, "no memory for the estimates");
	if (ret)
		goto out;
	blocks = calloc(n_blocks, sizeof(*blocks));
	ret = blocks ? judge(rows, n, first, offset, n_blocks, guesses, blocks, result, err) :
		       mls_error(err, -ENOMEM, "no memory for %u blocks of time", n_blocks);
out:
	free(blocks);
	free(first);
	free(offset);
	free(guesses);
	return ret;
}
