// SPDX-License-Identifier: GPL-2.0
/*
 * Labelled rows and scores for the commands.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "src/cli/rows.h"
#include "src/data/csv.h"

int cli_read_rows(const struct cli_common *common, const char *path,
		  const struct mlsched_schema *schema, const char *label, struct mls_dataset *data)
{
	bool from_stdin = strcmp(path, "-") == 0;
	FILE *stream = from_stdin ? stdin : fopen(path, "re");
	struct mls_csv_report report;
	struct mlsched_error err;
	int ret;

	if (!stream)
		return cli_fail(common, "%s: %s", path, strerror(errno));
	ret = mls_csv_read(stream, from_stdin ? "<stdin>" : path, schema, label, data, &report,
			   &err);
	if (!from_stdin)
		fclose(stream);
	if (ret)
		return cli_fail(common, "%s", err.message);
	if (report.n_ignored > 0)
		cli_note(common, "%s: %u column%s ignored: %s", path, report.n_ignored,
			 report.n_ignored == 1 ? "" : "s", report.ignored);
	if (report.n_zero > 0 && common->verbosity > 0)
		cli_note(common, "%s: %u input%s of schema %s without a column: zero", path,
			 report.n_zero, report.n_zero == 1 ? "" : "s", schema->name);
	return 0;
}

json_t *cli_real_json(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

json_t *cli_scores_json(const struct mls_scores *s)
{
	json_t *object = json_object(), *bins;
	const struct {
		const char *name;
		double value;
	} ratios[] = {
		{ "accuracy", s->accuracy },
		{ "balanced_accuracy", s->balanced_accuracy },
		{ "precision", s->precision },
		{ "recall", s->recall },
		{ "false_positive_rate", s->false_positive_rate },
		{ "false_negative_rate", s->false_negative_rate },
		{ "refused", s->refused },
		{ "auc", s->auc },
		{ "log_loss", s->log_loss },
		{ "brier", s->brier },
		{ "calibration_error", s->calibration_error },
	};

	json_object_set_new(object, "rows", json_integer(s->n_rows));
	json_object_set_new(object, "true_positive", json_integer(s->true_positive));
	json_object_set_new(object, "false_positive", json_integer(s->false_positive));
	json_object_set_new(object, "true_negative", json_integer(s->true_negative));
	json_object_set_new(object, "false_negative", json_integer(s->false_negative));
	for (size_t i = 0; i < sizeof(ratios) / sizeof(ratios[0]); i++)
		json_object_set_new(object, ratios[i].name, cli_real_json(ratios[i].value));
	if (isnan(s->brier))
		return object;
	bins = json_array();
	for (int b = 0; b < MLS_SCORES_BINS; b++)
		json_array_append_new(bins, json_pack("{s:f, s:f, s:i, s:o, s:o}", "from",
						      (double)b / MLS_SCORES_BINS, "to",
						      (double)(b + 1) / MLS_SCORES_BINS, "rows",
						      (int)s->bins[b].n_rows, "mean_probability",
						      cli_real_json(s->bins[b].mean_probability),
						      "share_positive",
						      cli_real_json(s->bins[b].share_positive)));
	json_object_set_new(object, "calibration", bins);
	return object;
}

const char *cli_format_share(double share, char *text)
{
	if (isnan(share))
		strcpy(text, "-");
	else
		snprintf(text, 16, "%.4f", share);
	return text;
}
