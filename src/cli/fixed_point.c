// SPDX-License-Identifier: GPL-2.0
/*
 * How a model does in fixed point: quantised by the ranges that it brings
 * along, whatever the agreement turns out to be.
 */
#include <errno.h>
#include <string.h>

#include "src/cli/fixed_point.h"
#include "src/util/error.h"

void cli_fixed_point_find(const struct mlsched_model *model, struct cli_fixed_point *found)
{
	struct mlsched_quantize_opts opts = { .size = sizeof(opts), .min_agreement = 0 };
	struct mlsched_quantize_report *r = &found->report;
	struct mlsched_error err = { 0 };
	struct mlsched_qmodel *q;

	memset(found, 0, sizeof(*found));
	if (mlsched_quantize(model, NULL, 0, &opts, r, &err, &q) == 0) {
		found->quantized = true;
		found->kernel = mlsched_qmodel_fits_kernel(q, &err) == 0;
		mlsched_qmodel_free(q);
	}
	if (found->kernel && r->agreement < MLSCHED_MIN_AGREEMENT) {
		found->kernel = false;
		mls_error(&err, -ERANGE,
			  "expected at least %g %% of verdicts as in float32, found %.2f %%",
			  100 * MLSCHED_MIN_AGREEMENT, 100 * r->agreement);
	}
	memcpy(found->why, err.message, sizeof(found->why));
}

static const char *range_name(enum mlsched_range_source range)
{
	return range == MLSCHED_RANGE_META ? "calibration" : "schema";
}

void cli_fixed_point_print(const struct cli_fixed_point *found)
{
	const struct mlsched_quantize_report *r = &found->report;

	if (!found->quantized) {
		printf("fixed point    no: %s\n", found->why);
		return;
	}
	printf("fixed point    %.2f %% of verdicts as in float32, on %zu rows drawn from its %s\n",
	       100 * r->agreement, r->n_rows, range_name(r->range));
	printf("               logit off by %.4f of its standard deviation (median; at most "
	       "%.4f)\n",
	       r->median_error, r->max_error);
	if (r->disagreements)
		printf("               %zu verdict%s change%s, within %.4f of the threshold\n",
		       r->disagreements, r->disagreements == 1 ? "" : "s",
		       r->disagreements == 1 ? "s" : "", r->worst_margin);
	else
		printf("               no verdict changes\n");
	printf("               weights of");
	for (uint32_t l = 0; l <= r->n_hidden; l++)
		printf("%s %u", l ? "," : "", r->weight_bits[l]);
	printf(" bits; %u of %u inputs not constant; %zu bytes\n", r->n_live_inputs, r->n_inputs,
	       r->bytes);
	for (uint32_t l = 0; l < r->n_hidden; l++)
		printf("               hidden layer %u: %u units, %.0f %% active\n", l, r->units[l],
		       100 * r->active[l]);
	printf("kernel engine  %s%s\n",
	       found->kernel ? "takes it" : "does not take it: ", found->why);
}

json_t *cli_fixed_point_json(const struct cli_fixed_point *found)
{
	const struct mlsched_quantize_report *r = &found->report;
	json_t *hidden, *bits;

	if (!found->quantized)
		return json_pack("{s:s}", "unavailable", found->why);
	hidden = json_array();
	bits = json_array();
	for (uint32_t l = 0; l < r->n_hidden; l++)
		json_array_append_new(hidden, json_pack("{s:i, s:f}", "units", (int)r->units[l],
							"active", r->active[l]));
	for (uint32_t l = 0; l <= r->n_hidden; l++)
		json_array_append_new(bits, json_integer(r->weight_bits[l]));
	return json_pack(
		"{s:s, s:I, s:f, s:I, s:f, s:f, s:f, s:f, s:i, s:i, s:o, s:o, s:I, s:b, s:o}",
		"range", range_name(r->range), "rows", (json_int_t)r->n_rows, "agreement",
		r->agreement, "disagreements", (json_int_t)r->disagreements, "logit_std",
		r->logit_std, "median_error", r->median_error, "max_error", r->max_error,
		"worst_margin", r->worst_margin, "inputs", (int)r->n_inputs, "live_inputs",
		(int)r->n_live_inputs, "hidden", hidden, "weight_bits", bits, "bytes",
		(json_int_t)r->bytes, "kernel_engine", found->kernel, "kernel_objection",
		found->kernel ? json_null() : json_string(found->why));
}
