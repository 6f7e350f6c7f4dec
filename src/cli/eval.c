// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched eval: an honest judgement of a model on labelled rows, beside the
 * controls that know nothing: always migrate and never migrate.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/cli/eval.h"
#include "src/cli/rows.h"
#include "src/util/array.h"

enum {
	OPTION_SCHEMA = 0x200,
	OPTION_LABEL,
	OPTION_THRESHOLD,
	OPTION_OFF_POLICY,
	OPTION_PRICE,
	OPTION_WAIT,
	OPTION_AGAINST
};

struct eval_options {
	struct cli_common common;
	const char *model;
	const char *data;
	const char *schema; /* or NULL: the model's own */
	const char *label;
	float threshold; /* or NAN: the model's own */
	bool off_policy;
	struct mls_label_options benefit;
	bool against_controls;
	struct cli_sim_sweep_options sweep;
	unsigned int given; /* a bit for each option */
};

/* One judged way to decide. */
struct judged {
	const char *name; /* NULL: there is no such thing for this model */
	struct mls_scores scores;
	double agreement; /* fixed point: share of verdicts that are those of float32 */
};

enum { MODEL, FIXED, ALWAYS, NEVER, N_JUDGED };

static const struct argp_option options[] = {
	{ "schema", OPTION_SCHEMA, "NAME", 0, "Which columns are inputs (the model's own)", 0 },
	{ "label", OPTION_LABEL, "NAME", 0, "Column with 1 for migrate, 0 for keep (migrate)", 0 },
	{ "threshold", OPTION_THRESHOLD, "P", 0, "Migrate above this probability (the model's own)",
	  0 },
	{ "off-policy", OPTION_OFF_POLICY, NULL, 0,
	  "The second file is a recording in which a coin took part of the decisions: what the "
	  "model would have come to, by inverse propensity and doubly robust, with intervals",
	  0 },
	{ "against-controls", OPTION_AGAINST, NULL, 0,
	  "In the simulator, beside EEVDF, a scheduler by the rules of scx_rusty, ours without a "
	  "model, with mechanisms only, with hysteresis, with all moves refused or taken, and the "
	  "bound of what there is to win; no file",
	  0 },
	{ "price", OPTION_PRICE, "US", 0, "Of a move, for --off-policy (500)", 0 },
	{ "wait-weight", OPTION_WAIT, "X", 0,
	  "Of the square of waiting, in ms, for --off-policy (0.3)", 0 },
	{ 0 },
};

/* Options that mean something for some judgements only. */
enum { ROWS = 1, OFF_POLICY = 2, CONTROLS = 4 };

static const struct {
	int key;
	unsigned int judgements;
	const char *message;
} of_judgements[] = {
	{ OPTION_SCHEMA, ROWS | OFF_POLICY, "--schema goes with DATA.csv or --off-policy" },
	{ OPTION_LABEL, ROWS, "--label goes with DATA.csv" },
	{ OPTION_THRESHOLD, ROWS | OFF_POLICY, "--threshold goes with DATA.csv or --off-policy" },
	{ OPTION_PRICE, OFF_POLICY, "--price goes with --off-policy" },
	{ OPTION_WAIT, OFF_POLICY, "--wait-weight goes with --off-policy" },
};

/* What would be passed over is refused: the figures would not be those that were asked for. */
static void check_judgement(struct argp_state *state, const struct eval_options *o)
{
	unsigned int judgement = o->against_controls ? CONTROLS : o->off_policy ? OFF_POLICY : ROWS;

	for (size_t i = 0; i < ARRAY_SIZE(of_judgements); i++) {
		if (o->given & 1u << (of_judgements[i].key - OPTION_SCHEMA) &&
		    !(of_judgements[i].judgements & judgement))
			argp_error(state, "%s, found %s", of_judgements[i].message,
				   o->against_controls ? "--against-controls" :
				   o->off_policy       ? "--off-policy" :
							 o->data);
	}
	if (o->sweep.given && !o->against_controls)
		argp_error(state, "options of the simulation go with --against-controls, found %s",
			   o->off_policy ? "--off-policy" : o->data);
}

static double weight(struct argp_state *state, const char *option, const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= 0 && value <= 1e9))
		argp_error(state, "--%s: expected a number from 0 to 1e9, got \"%s\"", option,
			   text);
	return value;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct eval_options *o = state->input;
	char *end;

	if (key >= OPTION_SCHEMA && key <= OPTION_AGAINST)
		o->given |= 1u << (key - OPTION_SCHEMA);
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->common;
		state->child_inputs[1] = &o->sweep;
		return 0;
	case OPTION_AGAINST:
		o->against_controls = true;
		return 0;
	case OPTION_SCHEMA:
		o->schema = arg;
		if (!mlsched_schema_find(arg))
			argp_error(state, "--schema: there is no schema \"%s\"", arg);
		return 0;
	case OPTION_LABEL:
		o->label = arg;
		return 0;
	case OPTION_THRESHOLD:
		o->threshold = strtof(arg, &end);
		if (end == arg || *end || !(o->threshold > 0 && o->threshold < 1))
			argp_error(state,
				   "--threshold: expected a number between 0 and 1, got \"%s\"",
				   arg);
		return 0;
	case OPTION_OFF_POLICY:
		o->off_policy = true;
		return 0;
	case OPTION_PRICE:
		o->benefit.price = weight(state, "price", arg);
		return 0;
	case OPTION_WAIT:
		o->benefit.wait_weight = weight(state, "wait-weight", arg);
		return 0;
	case ARGP_KEY_ARG:
		if (o->data)
			argp_error(state, "more than a model and a file: %s", arg);
		*(o->model ? &o->data : &o->model) = arg;
		return 0;
	case ARGP_KEY_END:
		if (o->against_controls && (o->data || o->off_policy))
			argp_error(state, "--against-controls takes no data");
		if (o->against_controls && o->sweep.seeds < 2)
			argp_error(state, "--against-controls needs 2 seeds or more");
		if (!o->data && (!o->against_controls || !o->model))
			argp_error(state, o->model ? "no data named" : "no model named");
		check_judgement(state, o);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = { { &cli_common_argp, 0, NULL, 0 },
					      { &cli_sim_sweep_argp, 0,
						"Simulation, with --against-controls:", 1 },
					      { 0 } };
static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "MODEL DATA.csv\n--off-policy MODEL RECORDING\n--against-controls MODEL",
	.doc = "Judges MODEL on labelled rows: verdicts, ranking and calibration, beside the "
	       "controls \"always migrate\" and \"never migrate\".\v"
	       "The CSV file (- for standard input) has a header; columns are found by the "
	       "schema's names.\n\n"
	       "EXAMPLES\n  mlsched eval src/model_dir/model_path decisions.csv\n"
	       "  mlsched eval --off-policy new_model explored.db\n"
	       "  mlsched eval --against-controls new_model -w make,my_load.json -m 8c2l,32c4l\n",
	.children = children,
};

static const struct mlsched_schema *schema_of(const struct eval_options *o,
					      const struct mlsched_model *model, int *status)
{
	const char *name = o->schema ? o->schema : mlsched_model_meta(model)->schema;
	const struct mlsched_schema *schema = mlsched_schema_find(name);

	if (!schema)
		*status = cli_fail(&o->common, "%s: %s%s%s; --schema names one", o->model,
				   name[0] ? "unknown schema \"" : "the model names no schema",
				   name, name[0] ? "\"" : "");
	else if (schema->n_features != mlsched_model_inputs(model))
		*status = cli_fail(&o->common, "Expected shape [?, %u], got [?, %u]: %s, schema %s",
				   mlsched_model_inputs(model), schema->n_features, o->model,
				   schema->name);
	else
		return schema;
	return NULL;
}

static int judge_control(const struct mls_dataset *data, int verdict, struct mls_scores *scores)
{
	uint8_t *verdicts = malloc(data->n_rows);

	if (!verdicts)
		return -1;
	memset(verdicts, verdict, data->n_rows);
	mls_scores_verdicts(verdicts, data->labels, data->n_rows, scores);
	free(verdicts);
	return 0;
}

/* The numbers of the fixed-point path, which decides in the kernel. */
static int judge_integers(const struct mlsched_qmodel *q, const struct mls_dataset *data,
			  int64_t threshold, const float *float32, float float32_threshold,
			  struct judged *judged)
{
	int64_t *integers = malloc(data->n_rows * sizeof(*integers));
	float *logits = malloc(data->n_rows * sizeof(*logits));
	uint8_t *verdicts = malloc(data->n_rows);
	uint32_t agree = 0;
	int ret = -1;

	if (!integers || !logits || !verdicts)
		goto out;
	mlsched_qmodel_logit_float(q, data->inputs, data->n_rows, integers);
	for (uint32_t r = 0; r < data->n_rows; r++) {
		logits[r] = (float)((double)integers[r] / mlsched_qmodel_scale(q));
		verdicts[r] = integers[r] > threshold;
		agree += verdicts[r] == (float32[r] > float32_threshold);
	}
	judged->agreement = (double)agree / data->n_rows;
	ret = mls_scores_compute(logits, data->labels, data->n_rows, 0, &judged->scores, NULL);
	if (ret == 0) {
		double auc = judged->scores.auc;

		mls_scores_verdicts(verdicts, data->labels, data->n_rows, &judged->scores);
		judged->scores.auc = auc;
	}
out:
	free(verdicts);
	free(logits);
	free(integers);
	return ret;
}

/*
 * The model is quantised by what it says of its inputs' ranges, as on its way
 * into the kernel: the rows that judge it must not calibrate it.
 */
static int judge_fixed(const struct eval_options *o, const struct mlsched_model *model,
		       const struct mls_dataset *data, const float *float32, float threshold,
		       struct judged *judged)
{
	const struct mlsched_quantize_opts any = { .size = sizeof(any), .min_agreement = 0 };
	struct mlsched_qmodel *q;
	struct mlsched_error err;
	int64_t integer;
	int ret;

	if (mlsched_quantize(model, NULL, 0, &any, NULL, &err, &q) != 0) {
		cli_note(&o->common, "%s: no fixed-point form: %s", o->model, err.message);
		judged->name = NULL;
		return 0;
	}
	integer = isnan(o->threshold) ? mlsched_qmodel_threshold(q) :
					llrint((double)threshold * mlsched_qmodel_scale(q));
	ret = judge_integers(q, data, integer, float32, threshold, judged);
	mlsched_qmodel_free(q);
	return ret;
}

static int judge(const struct eval_options *o, const struct mlsched_model *model,
		 const struct mls_dataset *data, float threshold, struct judged *judged)
{
	float *logits = malloc(data->n_rows * sizeof(*logits));
	struct mlsched_error err = { 0 };
	int status = CLI_OK;

	if (!logits || judge_control(data, 1, &judged[ALWAYS].scores) ||
	    judge_control(data, 0, &judged[NEVER].scores))
		status = cli_fail(&o->common, "no memory for %u rows", data->n_rows);
	else if (mlsched_model_logit(model, data->inputs, data->n_rows, logits) != 0)
		status = cli_fail(&o->common, "%s: %u outputs have no single logit", o->model,
				  mlsched_model_outputs(model));
	else if (judge_fixed(o, model, data, logits, threshold, &judged[FIXED]) != 0)
		status = cli_fail(&o->common, "no memory for %u rows", data->n_rows);
	else if (mls_scores_compute(logits, data->labels, data->n_rows, threshold,
				    &judged[MODEL].scores, &err) != 0)
		status = cli_fail(&o->common, "%s", err.message);
	free(logits);
	return status;
}

static void print_table(const struct judged *judged)
{
	static const char *const names[] = { "accuracy",
					     "balanced accuracy",
					     "precision",
					     "recall",
					     "false-positive rate",
					     "false-negative rate",
					     "refused",
					     "AUC" };

	printf("%-20s", "");
	for (int j = 0; j < N_JUDGED; j++) {
		if (judged[j].name)
			printf("%16s", judged[j].name);
	}
	putchar('\n');
	for (int n = 0; n < (int)(sizeof(names) / sizeof(names[0])); n++) {
		printf("%-20s", names[n]);
		for (int j = 0; j < N_JUDGED; j++) {
			const struct mls_scores *s = &judged[j].scores;
			const double values[] = { s->accuracy,
						  s->balanced_accuracy,
						  s->precision,
						  s->recall,
						  s->false_positive_rate,
						  s->false_negative_rate,
						  s->refused,
						  s->auc };
			char text[16];

			if (judged[j].name)
				printf("%16s", cli_format_share(values[n], text));
		}
		putchar('\n');
	}
}

static void print_calibration(const struct mls_scores *s)
{
	char error[16], brier[16], loss[16], predicted[16], observed[16];

	printf("\ncalibration error %s, Brier score %s, log loss %s\n",
	       cli_format_share(s->calibration_error, error), cli_format_share(s->brier, brier),
	       cli_format_share(s->log_loss, loss));
	printf("%-12s%10s%12s%12s\n", "probability", "rows", "predicted", "observed");
	for (int b = 0; b < MLS_SCORES_BINS; b++)
		printf("%.1f - %.1f   %10u%12s%12s\n", (double)b / MLS_SCORES_BINS,
		       (double)(b + 1) / MLS_SCORES_BINS, s->bins[b].n_rows,
		       cli_format_share(s->bins[b].mean_probability, predicted),
		       cli_format_share(s->bins[b].share_positive, observed));
}

static void print_text(const struct eval_options *o, const struct mls_dataset *data,
		       double threshold, const struct judged *judged)
{
	const struct mls_scores *s = &judged[MODEL].scores;
	double positives = (double)s->true_positive + s->false_negative;

	printf("%s on %u rows of %s, %.1f %% to migrate; threshold %.6g\n\n", o->model,
	       data->n_rows, o->data, 100 * positives / data->n_rows, threshold);
	print_table(judged);
	if (judged[FIXED].name)
		printf("\nfixed point agrees with float32 in %.3f %% of the verdicts\n",
		       100 * judged[FIXED].agreement);
	print_calibration(s);
}

static json_t *fixed_json(const struct judged *judged)
{
	json_t *object;

	if (!judged->name)
		return json_null();
	object = cli_scores_json(&judged->scores);
	json_object_set_new(object, "agreement", json_real(judged->agreement));
	return object;
}

static void print_json(const struct eval_options *o, const struct mls_dataset *data,
		       double threshold, const struct judged *judged)
{
	cli_json(json_pack("{s:s, s:s, s:s, s:i, s:f, s:o, s:o, s:o, s:o}", "model", o->model,
			   "data", o->data, "schema", data->schema->name, "rows", (int)data->n_rows,
			   "threshold", threshold, "scores", cli_scores_json(&judged[MODEL].scores),
			   "fixed_point", fixed_json(&judged[FIXED]), "always",
			   cli_scores_json(&judged[ALWAYS].scores), "never",
			   cli_scores_json(&judged[NEVER].scores)));
}

static int eval(const struct eval_options *o, const struct mlsched_model *model)
{
	struct judged judged[N_JUDGED] = { [MODEL] = { .name = "float32" },
					   [FIXED] = { .name = "fixed point" },
					   [ALWAYS] = { .name = "always migrate" },
					   [NEVER] = { .name = "never migrate" } };
	double threshold =
		(double)(isnan(o->threshold) ? mlsched_model_meta(model)->threshold : o->threshold);
	const struct mlsched_schema *schema;
	struct mls_dataset data = { 0 };
	int status = CLI_FAILURE;

	schema = schema_of(o, model, &status);
	if (schema && o->off_policy) {
		const struct cli_off_policy off_policy = {
			.common = &o->common,
			.model = o->model,
			.recording = o->data,
			.logit = log(threshold / (1 - threshold)),
			.label = o->benefit,
		};

		return cli_eval_off_policy(&off_policy, model, schema->name);
	}
	if (!schema || cli_read_rows(&o->common, o->data, schema, o->label, &data) != 0)
		return CLI_FAILURE;
	status = judge(o, model, &data, (float)log(threshold / (1 - threshold)), judged);
	if (status == CLI_OK && o->common.json)
		print_json(o, &data, threshold, judged);
	else if (status == CLI_OK)
		print_text(o, &data, threshold, judged);
	mls_dataset_clear(&data);
	return status;
}

int cli_eval(int argc, char **argv)
{
	struct eval_options o = { .common.command = argv[0],
				  .label = "migrate",
				  .threshold = NAN,
				  .benefit = MLS_LABEL_OPTIONS,
				  .sweep = cli_sim_sweep_default() };
	struct mlsched_model *model;
	struct mlsched_error err;
	int status;

	/* Seeds that no training has met: mlsched train --from sim has those below. */
	o.sweep.seeds = 10;
	o.sweep.seed = 2000001;
	if (cli_parse(&argp, argc, argv, &o) != 0)
		return CLI_USAGE;
	if (mlsched_model_load(o.model, &err, &model) != 0) {
		status = cli_fail(&o.common, "%s", err.message);
	} else {
		o.sweep.model = o.model;
		status = o.against_controls ? cli_eval_against_controls(&o.common, &o.sweep) :
					      eval(&o, model);
		mlsched_model_free(model);
	}
	cli_sim_sweep_options_clear(&o.sweep);
	return status;
}
