// SPDX-License-Identifier: GPL-2.0
/*
 * Scores: counts of verdicts, the area under the ROC curve by ranks, and
 * calibration.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "src/data/scores.h"
#include "src/util/error.h"

struct scored {
	float logit;
	float label;
};

static int by_logit(const void *a, const void *b)
{
	float x = ((const struct scored *)a)->logit, y = ((const struct scored *)b)->logit;

	return (x > y) - (x < y);
}

/* Rows by logit.  One that is no number has no place among them: nothing would end at it. */
static int sort_rows(const float *logits, const float *labels, uint32_t n, struct scored **sorted,
		     struct mlsched_error *err)
{
	struct scored *rows = malloc((n ? n : 1) * sizeof(*rows));

	if (!rows)
		return mls_error(err, -ENOMEM, "no memory to sort %u rows", n);
	for (uint32_t i = 0; i < n; i++) {
		if (isnan(logits[i])) {
			free(rows);
			return mls_error(err, -EDOM,
					 "row %u: the logit is not a number: its inputs are too "
					 "large for the network",
					 i + 1);
		}
		rows[i] = (struct scored){ logits[i], labels[i] };
	}
	qsort(rows, n, sizeof(*rows), by_logit);
	*sorted = rows;
	return 0;
}

static double ratio(double part, double whole)
{
	return whole > 0 ? part / whole : NAN;
}

static void ratios(struct mls_scores *s)
{
	double tp = s->true_positive, fp = s->false_positive;
	double tn = s->true_negative, fn = s->false_negative;

	s->accuracy = ratio(tp + tn, s->n_rows);
	s->precision = ratio(tp, tp + fp);
	s->recall = ratio(tp, tp + fn);
	s->false_positive_rate = ratio(fp, fp + tn);
	s->false_negative_rate = ratio(fn, tp + fn);
	s->balanced_accuracy = (s->recall + ratio(tn, fp + tn)) / 2;
	s->refused = ratio(tn + fn, s->n_rows);
}

static void count(struct mls_scores *s, int migrate, float label)
{
	if (label > 0.5f) {
		s->true_positive += migrate != 0;
		s->false_negative += migrate == 0;
	} else {
		s->false_positive += migrate != 0;
		s->true_negative += migrate == 0;
	}
}

void mls_scores_verdicts(const uint8_t *migrate, const float *labels, uint32_t n,
			 struct mls_scores *scores)
{
	*scores = (struct mls_scores){
		.n_rows = n, .auc = NAN, .log_loss = NAN, .brier = NAN, .calibration_error = NAN
	};
	for (uint32_t i = 0; i < n; i++)
		count(scores, migrate[i], labels[i]);
	for (int b = 0; b < MLS_SCORES_BINS; b++)
		scores->bins[b].mean_probability = scores->bins[b].share_positive = NAN;
	ratios(scores);
}

/*
 * The Mann-Whitney statistic: the sum of the positives' ranks, rows with the
 * same logit sharing the mean of their ranks, less the smallest that it could
 * be, over positives times negatives.
 */
static double area(const struct scored *rows, uint32_t n, double positives)
{
	double negatives = n - positives, rank_sum = 0;
	uint32_t i = 0;

	while (i < n) {
		uint32_t from = i, hits = 0;

		for (; i < n && rows[i].logit == rows[from].logit; i++)
			hits += rows[i].label > 0.5f;
		rank_sum += hits * ((double)from + 1 + i) / 2;
	}
	return ratio(rank_sum - positives * (positives + 1) / 2, positives * negatives);
}

static void calibrate(struct mls_scores *s, const float *logits, const float *labels)
{
	double hits[MLS_SCORES_BINS] = { 0 }, sums[MLS_SCORES_BINS] = { 0 };

	s->log_loss = s->brier = s->calibration_error = 0;
	for (uint32_t i = 0; i < s->n_rows; i++) {
		double z = (double)logits[i], y = (double)labels[i];
		double p = 1 / (1 + exp(-z));
		int bin = (int)(p * MLS_SCORES_BINS);

		bin = bin < MLS_SCORES_BINS ? bin : MLS_SCORES_BINS - 1;
		s->bins[bin].n_rows++;
		sums[bin] += p;
		hits[bin] += y;
		s->brier += (p - y) * (p - y);
		s->log_loss += fmax(z, 0) - z * y + log1p(exp(-fabs(z)));
	}
	for (int b = 0; b < MLS_SCORES_BINS; b++) {
		double n = s->bins[b].n_rows;

		s->bins[b].mean_probability = ratio(sums[b], n);
		s->bins[b].share_positive = ratio(hits[b], n);
		s->calibration_error += fabs(sums[b] - hits[b]);
	}
	s->log_loss = ratio(s->log_loss, s->n_rows);
	s->brier = ratio(s->brier, s->n_rows);
	s->calibration_error = ratio(s->calibration_error, s->n_rows);
}

int mls_scores_compute(const float *logits, const float *labels, uint32_t n, float threshold,
		       struct mls_scores *scores, struct mlsched_error *err)
{
	struct scored *rows;
	int ret = sort_rows(logits, labels, n, &rows, err);

	if (ret)
		return ret;
	*scores = (struct mls_scores){ .n_rows = n };
	for (uint32_t i = 0; i < n; i++)
		count(scores, logits[i] > threshold, labels[i]);
	ratios(scores);
	scores->auc = area(rows, n, (double)scores->true_positive + scores->false_negative);
	calibrate(scores, logits, labels);
	free(rows);
	return 0;
}

int mls_scores_best_threshold(const float *logits, const float *labels, uint32_t n,
			      float *threshold, struct mlsched_error *err)
{
	double positives = 0, hits = 0, best = -1;
	struct scored *rows;
	int ret = sort_rows(logits, labels, n, &rows, err);

	if (ret)
		return ret;
	*threshold = 0;
	for (uint32_t i = 0; i < n; i++)
		positives += rows[i].label > 0.5f;
	/* Between row i and the next: what lies above is migrated. */
	for (uint32_t i = 0; positives > 0 && positives < n && i + 1 < n; i++) {
		double balanced;

		hits += rows[i].label > 0.5f;
		if (rows[i].logit == rows[i + 1].logit)
			continue;
		balanced = (positives - hits) / positives + (i + 1 - hits) / (n - positives);
		if (balanced > best) {
			best = balanced;
			*threshold = rows[i].logit + (rows[i + 1].logit - rows[i].logit) / 2;
		}
	}
	free(rows);
	return 0;
}
