// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched predict: rows of numbers in, rows of outputs out.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/cli/cli.h"
#include "src/cli/rows.h"
#include "src/host/engine.h"

enum { OPTION_ENGINE = 0x200, OPTION_TENSORFLOW };

struct predict_options {
	struct cli_common common;
	const char *model;
	const char *engine;
	const char *tensorflow_library;
	bool logit;
};

static const struct argp_option options[] = {
	{ "logit", 'l', NULL, 0, "Print the logit, not the output", 0 },
	{ "engine", OPTION_ENGINE, "NAME", 0,
	  "Who computes: native (the default), or tensorflow (TensorFlow's C library)", 0 },
	{ "tensorflow-library", OPTION_TENSORFLOW, "PATH", 0,
	  "libtensorflow.so.2, or libtensorflow_cc.so.2 of a Python package (looked for)", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct predict_options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->common;
		return 0;
	case 'l':
		o->logit = true;
		return 0;
	case OPTION_ENGINE:
		if (strcmp(arg, "native") != 0 && strcmp(arg, "tensorflow") != 0)
			argp_error(state, "--engine: expected native or tensorflow, got \"%s\"",
				   arg);
		o->engine = arg;
		return 0;
	case OPTION_TENSORFLOW:
		o->tensorflow_library = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (o->model)
			argp_error(state, "more than one model: %s and %s", o->model, arg);
		o->model = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "no model named");
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = { { &cli_common_argp, 0, NULL, 0 }, { 0 } };
static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "MODEL",
	.doc = "Computes the outputs of MODEL for rows of numbers read from standard input.\v"
	       "One row a line, numbers separated by blanks, tabs, commas or semicolons; empty lines and what "
	       "follows a # are skipped.  One line of outputs a row, %.9g.\n\n"
	       "EXAMPLES\n  echo 3 1 1 0.9 0.2 0 0 0 0 0 | mlsched predict src/model_dir/model_path\n",
	.children = children,
};

/* Splits one line into at most @max numbers; returns how many there are, or -1 with *bad set. */
static int parse_row(char *line, float *row, int max, const char **bad)
{
	static const char blanks[] = " \t\r\n,;";
	char *save, *comment = strchr(line, '#');
	int n = 0;

	if (comment)
		*comment = '\0';
	for (char *word = strtok_r(line, blanks, &save); word;
	     word = strtok_r(NULL, blanks, &save)) {
		char *end;
		float value = strtof(word, &end);

		if (*end != '\0' || !isfinite(value)) {
			*bad = word;
			return -1;
		}
		if (n < max)
			row[n] = value;
		n++;
	}
	return n;
}

static void print_row(const struct predict_options *o, const float *out, uint32_t n)
{
	if (o->common.json) {
		json_t *array = json_array();

		for (uint32_t i = 0; i < n; i++)
			json_array_append_new(array, cli_real_json((double)out[i]));
		cli_json(json_pack("{s:o}", o->logit ? "logit" : "outputs", array));
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		printf("%s%.9g", i ? " " : "", (double)out[i]);
	putchar('\n');
}

/* One row by the engine, printed; or the failure. */
static int predict_row(const struct predict_options *o, struct mls_engine *engine, const float *row)
{
	const uint32_t n_out = mlsched_model_outputs(engine->model);
	float out[MLSCHED_MAX_WIDTH], logit;
	struct mlsched_verdict verdict;
	struct mlsched_error err;
	int ret;

	if (o->logit && mlsched_model_logit(engine->model, NULL, 0, &logit) != 0)
		return cli_fail(&o->common, "%s: %u outputs have no single logit", o->model, n_out);
	ret = o->logit ? mls_engine_decide(engine, row, 1, &verdict, &err) :
			 mls_engine_predict(engine, row, 1, out, &err);
	if (ret)
		return cli_fail(&o->common, "%s", err.message);
	if (o->logit)
		print_row(o, &verdict.logit, 1);
	else
		print_row(o, out, n_out);
	return CLI_OK;
}

static int predict_rows(const struct predict_options *o, struct mls_engine *engine)
{
	int n_in = (int)mlsched_model_inputs(engine->model);
	float row[MLSCHED_MAX_WIDTH];
	size_t line_size = 0, line_no = 0;
	char *line = NULL;
	int status = CLI_OK;
	ssize_t length;

	while ((length = getline(&line, &line_size, stdin)) >= 0) {
		const char *bad = NULL;
		int n;

		line_no++;
		if (strlen(line) != (size_t)length) {
			status = cli_fail(&o->common, "<stdin>:%zu: expected text, got a zero byte",
					  line_no);
			break;
		}
		n = parse_row(line, row, n_in, &bad);
		if (n == 0)
			continue;
		if (n < 0) {
			status = cli_fail(&o->common,
					  "<stdin>:%zu: expected a finite number, got \"%s\"",
					  line_no, bad);
			break;
		}
		if (n != n_in) {
			status = cli_fail(&o->common,
					  "Expected shape [?, %d], got [?, %d]: <stdin>:%zu", n_in,
					  n, line_no);
			break;
		}
		status = predict_row(o, engine, row);
		if (status != CLI_OK)
			break;
	}
	if (status == CLI_OK && ferror(stdin))
		status = cli_fail(&o->common, "<stdin>:%zu: %s", line_no + 1, strerror(errno));
	free(line);
	return status;
}

int cli_predict(int argc, char **argv)
{
	struct predict_options o = { .common.command = argv[0], .engine = "native" };
	struct mls_engine *engine = NULL;
	struct mlsched_model *model;
	struct mlsched_error err;
	int status;

	if (cli_parse(&argp, argc, argv, &o) != 0)
		return CLI_USAGE;
	if (mlsched_model_load(o.model, &err, &model) != 0)
		return cli_fail(&o.common, "%s", err.message);
	if (mls_engine_open(o.engine, model, o.model, o.tensorflow_library, &err, &engine) != 0)
		status = cli_fail(&o.common, "--engine %s: %s", o.engine, err.message);
	else
		status = predict_rows(&o, engine);
	mls_engine_close(engine);
	mlsched_model_free(model);
	return status;
}
