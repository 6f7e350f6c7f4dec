/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What another policy would have come to, from decisions that were recorded with the
 * chance with which they were made: by inverse propensity, and doubly robust.
 *
 * With the benefit b of a decision (label.h), its propensity p, and 1[agrees] for whether
 * the policy that is judged answers the same, and a guess q of the benefit of an answer:
 *
 *	inverse propensity  mean of 1[agrees] b / p
 *	doubly robust       mean of q(policy's) + 1[agrees] (b - q(made)) / p
 *
 * (Dudik, Langford, Li, "Doubly Robust Policy Evaluation and Learning", ICML 2011).  q is
 * the mean of the decisions of the same kind, locality and answer among the other half of
 * the rows: none is guessed by what came of itself.  Decisions near each other in time
 * depend on each other: the interval is that of means over blocks of time.
 *
 * What was never tried cannot be judged: where the recorded policy could not have
 * answered as the judged one does there is no support, and that is counted.
 */
#ifndef MLS_DATA_OFFPOLICY_H
#define MLS_DATA_OFFPOLICY_H

#include <stdbool.h>

#include "src/data/label.h"

/* Length of a block of time, in ns, and how many there must be. */
#define MLS_OFFPOLICY_BLOCK  500000000ull
#define MLS_OFFPOLICY_BLOCKS 8

/**
 * struct mls_offpolicy_row - one decision
 * @time:       ns; @session: their clocks differ
 * @benefit:    us
 * @propensity: chance of what was decided
 * @accepted:   what was decided
 * @policy:     what the judged policy says
 * @rival:      what another one says, over which it may have a lead
 */
struct mls_offpolicy_row {
	uint64_t time;
	uint32_t session;
	uint8_t kind;
	uint8_t locality;
	bool accepted;
	bool policy;
	bool rival;
	float propensity;
	double benefit;
};

/* A mean with its interval of 95 %. */
struct mls_estimate {
	double mean;
	double low;
	double high;
};

/**
 * struct mls_offpolicy - what was found
 * @n:           decisions
 * @agree:       of these, those in which the policy says what was decided
 * @unsupported: those in which it says what could not have been decided
 * @blocks:      of time
 * @effective:   Kish's effective sample size of the weights
 * @recorded:    benefit of what was decided, us a decision
 * @inverse:     of the policy, by inverse propensity
 * @robust:      of the policy, doubly robust
 * @gain:        @robust less @recorded, with an interval of its own: they rise and fall together
 * @rival:       doubly robust, of the other policy
 * @lead:        @robust less @rival, the same way
 */
struct mls_offpolicy {
	uint64_t n;
	uint64_t agree;
	uint64_t unsupported;
	uint32_t blocks;
	double effective;
	struct mls_estimate recorded;
	struct mls_estimate inverse;
	struct mls_estimate robust;
	struct mls_estimate gain;
	struct mls_estimate rival;
	struct mls_estimate lead;
};

/** struct mls_offpolicy_rows - a list of them, to be freed with free() */
struct mls_offpolicy_rows {
	uint64_t n;
	uint64_t allocated;
	struct mls_offpolicy_row *rows;
};

/**
 * mls_offpolicy_takes() - is a recorded decision one to judge policies by?
 *
 * Any that a model may make and whose outcome was seen; a move that failed was one, too.
 */
bool mls_offpolicy_takes(const struct mls_recorded *decision);

/** mls_offpolicy_add() - one that is, with what both policies say; returns 0 or -ENOMEM */
int mls_offpolicy_add(struct mls_offpolicy_rows *rows, const struct mls_recorded *decision,
		      bool policy, bool rival, const struct mls_label_options *options);

/**
 * mls_offpolicy_estimate() - [n] @rows in the order of the file
 *
 * Return: 0; -ENODATA without rows or with less than MLS_OFFPOLICY_BLOCKS blocks;
 * -EDOM when more than one row in a thousand is unsupported; -ENOMEM.  Whether the
 * rival has support is not looked at: estimate it as a policy first.
 */
int mls_offpolicy_estimate(const struct mls_offpolicy_row *rows, uint64_t n,
			   struct mls_offpolicy *result, struct mlsched_error *err);

#endif /* MLS_DATA_OFFPOLICY_H */
