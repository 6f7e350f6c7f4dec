/* SPDX-License-Identifier: GPL-2.0 */
/* How good verdicts and probabilities are against labels. */
#ifndef MLS_DATA_SCORES_H
#define MLS_DATA_SCORES_H

#include <stdint.h>

#include <mlsched/error.h>

/* Bins of the calibration table: tenths of the probability. */
#define MLS_SCORES_BINS 10

/**
 * struct mls_scores - see mls_scores_compute()
 *
 * Positive is "migrate".  A ratio without a denominator is NaN.
 *
 * @n_rows:          rows
 * @true_positive:   migrated and rightly so; the other three alike
 * @accuracy:        share of right verdicts
 * @balanced_accuracy: mean of the share right among positives and among negatives
 * @precision:       of the rows migrated, the share rightly so
 * @recall:          of the rows to migrate, the share migrated
 * @false_positive_rate: of the rows to keep, the share migrated
 * @false_negative_rate: of the rows to migrate, the share kept
 * @refused:         share of all rows kept
 * @auc:             chance that a row to migrate has a larger logit than one to keep
 * @log_loss:        mean cross-entropy
 * @brier:           mean squared difference of probability and label
 * @calibration_error: expected calibration error over the bins: mean over rows
 *                   of |mean probability - share of positives| of the row's bin
 * @bins:            rows by probability, [k/10, (k+1)/10), the last one with 1
 */
struct mls_scores {
	uint32_t n_rows;
	uint32_t true_positive, false_positive, true_negative, false_negative;
	double accuracy;
	double balanced_accuracy;
	double precision;
	double recall;
	double false_positive_rate;
	double false_negative_rate;
	double refused;
	double auc;
	double log_loss;
	double brier;
	double calibration_error;
	struct {
		uint32_t n_rows;
		double mean_probability; /* NaN when empty */
		double share_positive; /* NaN when empty */
	} bins[MLS_SCORES_BINS];
};

/**
 * mls_scores_compute() - compare logits with labels
 * @logits:    [n]
 * @labels:    [n], 0 or 1
 * @threshold: the verdict is "migrate" when the logit is above it; an infinity
 *             is allowed
 *
 * Return: 0; -EDOM when a logit is not a number; -ENOMEM.
 */
int mls_scores_compute(const float *logits, const float *labels, uint32_t n, float threshold,
		       struct mls_scores *scores, struct mlsched_error *err);

/**
 * mls_scores_verdicts() - the scores that need verdicts only: of the controls
 *                         and of the fixed-point path
 * @migrate: [n], 0 or 1
 *
 * The others (auc, log_loss, brier, calibration) are NaN, the bins empty.
 */
void mls_scores_verdicts(const uint8_t *migrate, const float *labels, uint32_t n,
			 struct mls_scores *scores);

/**
 * mls_scores_best_threshold() - the logit with the largest balanced accuracy
 *
 * In the middle between two logits that occur.  0 when there are no positives
 * or no negatives.
 * Return: 0; -EDOM when a logit is not a number; -ENOMEM.
 */
int mls_scores_best_threshold(const float *logits, const float *labels, uint32_t n,
			      float *threshold, struct mlsched_error *err);

#endif /* MLS_DATA_SCORES_H */
