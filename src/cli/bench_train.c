// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched bench train: rows a second of the trainer, and of Keras on the same
 * rows, network and batch, one after the other in one run.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/cli/progress.h"
#include "src/cli/rows.h"
#include "src/data/csv.h"
#include "src/data/synthetic.h"
#include "src/nn/train/train.h"
#include "src/util/clock.h"

#define DEFAULT_PYTHON "build/tensorflow/bin/python"
#define KERAS_SCRIPT   "bench/keras_train.py"

enum { OPTION_PYTHON = 0x200, OPTION_SCRIPT, OPTION_ROWS, OPTION_BATCH, OPTION_THREADS };

struct bench_options {
	struct cli_common common;
	const char *python; /* or NULL for the default */
	const char *script;
	uint32_t n_rows;
	uint32_t batch;
	uint32_t n_threads;
};

struct result {
	double rows_per_second;
	double loss; /* of the last epoch */
	char what[96];
};

static const struct argp_option options[] = {
	{ "python", OPTION_PYTHON, "PATH", 0,
	  "A Python with TensorFlow (" DEFAULT_PYTHON ", if it is there)", 0 },
	{ "script", OPTION_SCRIPT, "PATH", 0, "What it runs (" KERAS_SCRIPT ")", 0 },
	{ "rows", OPTION_ROWS, "N", 0, "Rows of an epoch (65536)", 0 },
	{ "batch", OPTION_BATCH, "N", 0, "Rows between two steps (64)", 0 },
	{ "threads", OPTION_THREADS, "N", 0, "Threads of mlsched (1); Keras takes what it likes",
	  0 },
	{ 0 },
};

static uint32_t parse_whole(struct argp_state *state, const char *option, const char *text,
			    unsigned long high)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (end == text || *end || text[0] == '-' || value < 1 || value > high)
		argp_error(state, "--%s: expected a whole number from 1 to %lu, got \"%s\"", option,
			   high, text);
	return (uint32_t)value;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct bench_options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->common;
		return 0;
	case OPTION_PYTHON:
		o->python = arg;
		return 0;
	case OPTION_SCRIPT:
		o->script = arg;
		return 0;
	case OPTION_ROWS:
		o->n_rows = parse_whole(state, "rows", arg, 1u << 28);
		return 0;
	case OPTION_BATCH:
		o->batch = parse_whole(state, "batch", arg, MLS_TRAIN_MAX_BATCH);
		return 0;
	case OPTION_THREADS:
		o->n_threads = parse_whole(state, "threads", arg, MLS_TRAIN_MAX_THREADS);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = { { &cli_common_argp, 0, NULL, 0 }, { 0 } };
static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "Trains 10-64-64-1 with Adam on synthetic rows and prints rows a second, for "
	       "mlsched and for Keras on the CPU.\v"
	       "Each trains the same rows with the same batch; a first epoch is not timed, the "
	       "best of those that follow is shown.  Run it from the source directory.  "
	       "`make install-deps-tf` installs TensorFlow with Keras.\n",
	.children = children,
};

#define EPOCHS 4 /* of both; the first one is not timed */

/* ---- ours -------------------------------------------------------------------- */

struct clock {
	double begin;
	double best;
};

static int on_progress(void *context, const struct mls_train_progress *p)
{
	struct clock *clock = context;

	if (p->epoch_ended) {
		double t = mls_now_s();

		if (p->epoch > 1 && t - clock->begin < clock->best)
			clock->best = t - clock->begin;
		clock->begin = t;
	}
	return 0;
}

static int bench_ours(const struct bench_options *o, const struct mls_dataset *data,
		      struct result *result)
{
	struct clock clock = { .best = INFINITY };
	struct mls_train_options options_of;
	struct mls_train_progress p;
	struct mls_trainer *trainer = NULL;
	struct mls_split split = { 0 };
	struct mlsched_error err;
	int ret;

	mls_train_options_init(&options_of);
	options_of.epochs = EPOCHS;
	options_of.batch = o->batch;
	options_of.decay.kind = MLS_DECAY_CONSTANT;
	ret = mls_split_make(data, 0, MLS_SPLIT_TIME, 1, &split, &err);
	if (!ret)
		ret = mls_trainer_create(&options_of, data, &split, o->n_threads, MLSCHED_ISA_BEST,
					 &err, &trainer);
	if (!ret)
		ret = mls_trainer_run(trainer, on_progress, &clock, &err);
	if (!ret) {
		mls_trainer_progress(trainer, &p);
		result->rows_per_second = data->n_rows / clock.best;
		result->loss = p.loss;
		snprintf(result->what, sizeof(result->what), "mlsched %s, %u thread%s",
			 mlsched_version(), o->n_threads, o->n_threads == 1 ? "" : "s");
	}
	mls_trainer_free(trainer);
	free(split.train);
	return ret ? cli_fail(&o->common, "%s", err.message) : 0;
}

/* ---- Keras ------------------------------------------------------------------- */

static int write_rows(const struct bench_options *o, const struct mls_dataset *data, char *path)
{
	struct mlsched_error err;
	FILE *stream;
	int fd = mkstemp(path), ret;

	stream = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!stream)
		return cli_fail(&o->common, "%s: %s", path, strerror(errno));
	ret = mls_csv_write(stream, path, data, "migrate", &err);
	if (fclose(stream) != 0 && !ret)
		return cli_fail(&o->common, "%s: %s", path, strerror(errno));
	return ret ? cli_fail(&o->common, "%s", err.message) : 0;
}

/* Copies what the script wrote to standard error there, and closes it. */
static void show(FILE *said)
{
	int c;

	rewind(said);
	while ((c = getc(said)) != EOF)
		putc(c, stderr);
	fclose(said);
}

/* Runs the script; its standard output is one JSON document. */
static int run_script(const struct bench_options *o, const char *python, const char *csv,
		      json_t **document)
{
	char batch[16], epochs[16];
	char *arguments[] = { (char *)python, (char *)o->script,  (char *)csv, (char *)"--batch",
			      batch,          (char *)"--epochs", epochs,      NULL };
	FILE *said = tmpfile(); /* TensorFlow chats: shown only when it fails */
	json_error_t bad;
	int pipe_of[2], status = 0;
	FILE *stream;
	pid_t child;

	snprintf(batch, sizeof(batch), "%u", o->batch);
	snprintf(epochs, sizeof(epochs), "%d", EPOCHS - 1);
	if (!said || pipe2(pipe_of, O_CLOEXEC) != 0) {
		status = cli_fail(&o->common, "cannot run %s: %s", python, strerror(errno));
		if (said)
			fclose(said);
		return status;
	}
	child = fork();
	if (child == 0) {
		dup2(pipe_of[1], STDOUT_FILENO);
		dup2(fileno(said), STDERR_FILENO);
		execv(python, arguments);
		fprintf(stderr, "%s: %s\n", python, strerror(errno));
		_exit(127);
	}
	close(pipe_of[1]);
	stream = fdopen(pipe_of[0], "r");
	*document = stream ? json_loadf(stream, 0, &bad) : NULL;
	if (stream)
		fclose(stream);
	if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0 || !*document) {
		bool no_json = status == 0 && !*document;

		json_decref(*document);
		show(said);
		return cli_fail(&o->common, "%s %s: ended with status %d%s%s", python, o->script,
				WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
				no_json ? ": no JSON: " : "", no_json ? bad.text : "");
	}
	fclose(said);
	return 0;
}

static int bench_keras(const struct bench_options *o, const char *python,
		       const struct mls_dataset *data, struct result *result)
{
	char csv[] = "/tmp/mlsched-bench-XXXXXX";
	const char *keras, *tensorflow;
	json_t *document = NULL;
	int status = write_rows(o, data, csv);

	if (status == 0)
		status = run_script(o, python, csv, &document);
	unlink(csv);
	if (status)
		return status;
	if (json_unpack(document, "{s:F, s:F, s:s, s:s}", "rows_per_second",
			&result->rows_per_second, "loss", &result->loss, "keras", &keras,
			"tensorflow", &tensorflow) != 0)
		status = cli_fail(&o->common, "%s: not the JSON that is expected", o->script);
	else
		snprintf(result->what, sizeof(result->what), "Keras %s, TensorFlow %s", keras,
			 tensorflow);
	json_decref(document);
	return status;
}

/* ---- both -------------------------------------------------------------------- */

static void print_results(const struct bench_options *o, const struct result *results, int n)
{
	char rate[16];

	printf("10-64-64-1, batch %u, %u rows an epoch\n", o->batch, o->n_rows);
	printf("%-36s%12s%12s%12s\n", "", "rows/s", "loss", "times Keras");
	for (int i = 0; i < n; i++) {
		printf("%-36s%12s%12.4f", results[i].what,
		       cli_format_count(results[i].rows_per_second, rate), results[i].loss);
		if (n > 1)
			printf("%12.1f", results[i].rows_per_second / results[1].rows_per_second);
		putchar('\n');
	}
}

static void print_json(const struct bench_options *o, const struct result *results, int n)
{
	json_t *rows = json_array();

	for (int i = 0; i < n; i++)
		json_array_append_new(rows, json_pack("{s:s, s:f, s:f}", "what", results[i].what,
						      "rows_per_second", results[i].rows_per_second,
						      "loss", results[i].loss));
	cli_json(json_pack(
		"{s:s, s:i, s:i, s:i, s:o, s:o}", "benchmark", "train", "batch", (int)o->batch,
		"rows", (int)o->n_rows, "threads", (int)o->n_threads, "results", rows,
		"times_keras",
		n > 1 ? json_real(results[0].rows_per_second / results[1].rows_per_second) :
			json_null()));
}

static int bench(const struct bench_options *o, const struct mls_dataset *data)
{
	const char *python = o->python ? o->python : DEFAULT_PYTHON;
	struct result results[2];
	int n = 1, status = CLI_OK;

	if (bench_ours(o, data, &results[0]) != 0)
		return CLI_FAILURE;
	if (!o->python && access(python, X_OK) != 0)
		cli_note(&o->common,
			 "no Keras: %s is not there; `make install-deps-tf` installs it, or name a "
			 "Python that has TensorFlow by --python",
			 python);
	else if (bench_keras(o, python, data, &results[1]) == 0)
		n = 2;
	else
		status = CLI_FAILURE;
	if (status != CLI_OK && o->common.json) /* what there is to say is printed */
		return status;
	if (o->common.json)
		print_json(o, results, n);
	else
		print_results(o, results, n);
	return status;
}

int cli_bench_train(int argc, char **argv)
{
	struct bench_options o = { .common.command = argv[0],
				   .script = KERAS_SCRIPT,
				   .n_rows = 65536,
				   .batch = 64,
				   .n_threads = 1 };
	struct mls_dataset data = { 0 };
	struct mlsched_error err;
	int status;

	if (cli_parse(&argp, argc, argv, &o) != 0)
		return CLI_USAGE;
	if (mls_synthetic_seed10(o.n_rows, 1, &data, &err) != 0)
		return cli_fail(&o.common, "%s", err.message);
	status = bench(&o, &data);
	mls_dataset_clear(&data);
	return status;
}
