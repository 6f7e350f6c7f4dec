// SPDX-License-Identifier: GPL-2.0
/*
 * What quantising cost: verdicts and logits of the integers beside those of
 * float32, and how many hidden units are at work.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "src/nn/qnet.h"
#include "src/util/error.h"

/* The share of active units needs the slow reference pass: this many rows of them will do. */
#define MAX_ACTIVE_ROWS 8192

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double deviation_of(const float *logits, size_t n)
{
	double mean = 0, square = 0;

	for (size_t r = 0; r < n; r++)
		mean += (double)logits[r] / (double)n;
	for (size_t r = 0; r < n; r++)
		square += (logits[r] - mean) * (logits[r] - mean);
	return sqrt(square / (double)n);
}

static int measure_active(const struct mlsched_qmodel *q, const float *rows, size_t n_rows,
			  struct mlsched_quantize_report *report, struct mlsched_error *err)
{
	const struct qnet_model *net = q->net;
	size_t step = n_rows / MAX_ACTIVE_ROWS + 1, n = 0;
	uint64_t count[QNET_MAX_HIDDEN] = { 0 };
	s32 *sums = malloc(sizeof(*sums) * QNET_MAX_HIDDEN * QNET_MAX_WIDTH);

	if (!sums)
		return mls_error(err, -ENOMEM, "no memory to measure a fixed-point model");
	for (size_t r = 0; r < n_rows; r += step, n++) {
		s32 features[QNET_MAX_WIDTH];
		s16 x[QNET_MAX_WIDTH];

		for (uint32_t i = 0; i < q->n_inputs; i++)
			features[i] = mlsched_feature_to_q16(rows[r * q->n_inputs + i]);
		qnet_quantize_inputs(net, features, x);
		qnet_sums(net, x, sums);
		for (uint32_t l = 0; l < net->n_hidden; l++)
			for (uint32_t u = 0; u < net->hidden[l].n_out; u++)
				count[l] += sums[l * QNET_MAX_WIDTH + u] > 0;
	}
	for (uint32_t l = 0; l < net->n_hidden; l++)
		report->active[l] = (double)count[l] / (double)(n * net->hidden[l].n_out);
	free(sums);
	return 0;
}

static void compare_logits(const struct mlsched_qmodel *q, const float *logits,
			   const int64_t *integers, double threshold, double *errors,
			   struct mlsched_quantize_report *report)
{
	double unit = report->logit_std > 0 ? report->logit_std : 1;

	for (size_t r = 0; r < report->n_rows; r++) {
		double margin = fabs(logits[r] - threshold) / unit;

		errors[r] = fabs((double)integers[r] / q->scale - logits[r]) / unit;
		if ((integers[r] > q->net->threshold) == (logits[r] > threshold))
			continue;
		report->disagreements++;
		report->worst_margin = fmax(report->worst_margin, margin);
	}
	qsort(errors, report->n_rows, sizeof(*errors), compare);
	report->median_error = errors[report->n_rows / 2];
	report->max_error = errors[report->n_rows - 1];
	report->agreement = 1 - (double)report->disagreements / (double)report->n_rows;
}

int mls_quantize_measure(const struct mlsched_model *model, const struct mlsched_qmodel *q,
			 const float *rows, size_t n_rows, struct mlsched_quantize_report *report,
			 struct mlsched_error *err)
{
	float *logits = malloc(sizeof(*logits) * n_rows);
	int64_t *integers = malloc(sizeof(*integers) * n_rows);
	double *errors = malloc(sizeof(*errors) * n_rows);
	int ret = 0;

	if (!logits || !integers || !errors) {
		ret = mls_error(err, -ENOMEM, "no memory to compare %zu rows", n_rows);
		goto out;
	}
	ret = mlsched_model_logit(model, rows, n_rows, logits);
	if (ret) {
		mls_error(err, ret, "the model has no single logit");
		goto out;
	}
	mlsched_qmodel_logit_float(q, rows, n_rows, integers);
	report->n_rows = n_rows;
	report->logit_std = deviation_of(logits, n_rows);
	compare_logits(q, logits, integers, mlsched_model_threshold(model), errors, report);
	ret = measure_active(q, rows, n_rows, report, err);
out:
	free(logits);
	free(integers);
	free(errors);
	return ret;
}
