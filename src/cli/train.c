// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched train: from labelled rows to a SavedModel.
 */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "src/cli/progress.h"
#include "src/cli/rows.h"
#include "src/cli/train_options.h"
#include "src/data/csv.h"
#include "src/data/synthetic.h"
#include "src/formats/replace.h"
#include "src/util/clock.h"
#include "src/util/error.h"
#include "src/util/json_text.h"

/* Everything of one run. */
struct run {
	const struct cli_train_options *o;
	struct mls_dataset data;
	struct mls_split split;
	struct mls_train_options train; /* with automatic class weights filled in */
	struct mls_trainer *trainer;
	struct cli_progress progress;
	struct mls_train_progress state;
	uint64_t rows_before; /* training rows seen before this run */
	double seconds;
	double rows_per_second;
	bool interrupted;
	int failed; /* exit status of what went wrong in the callback */
	float threshold;
	struct mls_scores scores;
	bool scored_training; /* there were no validation rows */
	double active;
};

static volatile sig_atomic_t stop_requested;

static void request_stop(int signal_number)
{
	(void)signal_number;
	stop_requested = 1;
}

/* The first Ctrl+C ends training after the batch, a second one the program. */
static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = request_stop,
				    .sa_flags = SA_RESETHAND | SA_RESTART };

	stop_requested = 0;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

/* ---- data -------------------------------------------------------------------- */

static int write_csv(struct run *run)
{
	const struct cli_train_options *o = run->o;
	bool to_stdout = strcmp(o->write_csv, "-") == 0;
	FILE *stream = to_stdout ? stdout : fopen(o->write_csv, "we");
	struct mlsched_error err;
	int ret;

	if (!stream)
		return cli_fail(&o->common, "%s: %s", o->write_csv, strerror(errno));
	ret = mls_csv_write(stream, o->write_csv, &run->data, o->label, &err);
	if (!to_stdout && fclose(stream) != 0 && !ret)
		return cli_fail(&o->common, "%s: %s", o->write_csv, strerror(errno));
	return ret ? cli_fail(&o->common, "%s", err.message) : 0;
}

static int get_rows(struct run *run)
{
	const struct cli_train_options *o = run->o;
	struct mlsched_error err;
	int status;

	if (o->synthetic) {
		status = mls_synthetic_seed10(o->n_rows, o->train.seed, &run->data, &err) ?
				 cli_fail(&o->common, "%s", err.message) :
				 0;
	} else {
		status = cli_read_rows(&o->common, o->data, mlsched_schema_find(o->schema),
				       o->label, &run->data);
	}
	if (status == 0 && o->write_csv)
		status = write_csv(run);
	return status;
}

/* Both classes weigh the same in all, and a row weighs 1 on average. */
static int balance_classes(struct run *run)
{
	double n = run->split.n_train, positives = 0;

	for (uint32_t r = 0; r < run->split.n_train; r++)
		positives += (double)run->data.labels[run->split.train[r]];
	if (positives == 0 || positives == n)
		return cli_fail(&run->o->common,
				"--class-weight auto: all %u training rows have the label %d",
				run->split.n_train, positives > 0);
	run->train.class_weight[0] = n / (2 * (n - positives));
	run->train.class_weight[1] = n / (2 * positives);
	return 0;
}

/* ---- training ---------------------------------------------------------------- */

static uint64_t rows_seen(const struct mls_train_progress *p)
{
	return (uint64_t)p->epoch * p->rows + p->row;
}

static int save_checkpoint(struct run *run)
{
	struct mlsched_error err;

	if (!run->o->checkpoint || mls_trainer_save(run->trainer, run->o->checkpoint, &err) == 0)
		return 0;
	cli_progress_clear(&run->progress);
	run->failed = cli_fail(&run->o->common, "%s", err.message);
	return run->failed;
}

static void print_epoch(struct run *run, const struct mls_train_progress *p)
{
	char rate[16], validation[32] = "";

	if (!isnan(p->validation_loss))
		snprintf(validation, sizeof(validation), "  validation %.5f", p->validation_loss);
	cli_progress_clear(&run->progress);
	cli_note(&run->o->common, "epoch %*u/%u  loss %.5f%s  %s rows/s", p->epochs >= 100 ? 3 : 2,
		 p->epoch, p->epochs, p->loss, validation,
		 cli_format_count(cli_progress_rate(&run->progress, (double)rows_seen(p)), rate));
}

static int on_progress(void *context, const struct mls_train_progress *p)
{
	struct run *run = context;
	const struct cli_train_options *o = run->o;
	char label[48], note[96];

	if (p->epoch_ended) {
		if (o->common.verbosity > 0)
			print_epoch(run, p);
		if (p->epoch % o->checkpoint_every == 0 && save_checkpoint(run))
			return 1;
	}
	snprintf(label, sizeof(label), "epoch %u/%u", p->epoch + (p->epoch_ended ? 0 : 1),
		 p->epochs);
	if (isnan(p->validation_loss))
		snprintf(note, sizeof(note), "loss %.4f", p->loss);
	else
		snprintf(note, sizeof(note), "loss %.4f val %.4f", p->loss, p->validation_loss);
	cli_progress_update(&run->progress, (double)rows_seen(p), (double)p->epochs * p->rows,
			    label, note);
	return stop_requested;
}

static int resume(struct run *run)
{
	const struct cli_train_options *o = run->o;
	struct mls_train_progress p;
	struct mlsched_error err;

	if (access(o->checkpoint, F_OK) != 0 && errno == ENOENT) {
		cli_note(&o->common, "%s: no checkpoint yet: training begins", o->checkpoint);
		return 0;
	}
	if (mls_trainer_load(run->trainer, o->checkpoint, &err) != 0)
		return cli_fail(&o->common, "%s", err.message);
	mls_trainer_progress(run->trainer, &p);
	cli_note(&o->common, "%s: going on after epoch %u, row %u", o->checkpoint, p.epoch, p.row);
	return 0;
}

static int train(struct run *run)
{
	const struct cli_train_options *o = run->o;
	struct mlsched_error err;
	double begin;
	int ret;

	if (mls_trainer_create(&run->train, &run->data, &run->split, o->n_threads, MLSCHED_ISA_BEST,
			       &err, &run->trainer) != 0)
		return cli_fail(&o->common, "%s", err.message);
	if (o->resume && resume(run) != 0)
		return CLI_FAILURE;
	mls_trainer_progress(run->trainer, &run->state);
	run->rows_before = rows_seen(&run->state);
	catch_signals();
	cli_progress_init(&run->progress, "rows", o->common.verbosity >= 0 && !o->common.json);
	begin = mls_now_s();
	ret = mls_trainer_run(run->trainer, on_progress, run, &err);
	run->seconds = mls_now_s() - begin;
	cli_progress_clear(&run->progress);
	if (ret < 0)
		return cli_fail(&o->common, "%s", err.message);
	if (run->failed)
		return run->failed;
	mls_trainer_progress(run->trainer, &run->state);
	if (run->seconds > 0)
		run->rows_per_second =
			(double)(rows_seen(&run->state) - run->rows_before) / run->seconds;
	run->interrupted = ret == 1;
	if (run->interrupted && save_checkpoint(run) != 0)
		return run->failed;
	return 0;
}

/* ---- judging ----------------------------------------------------------------- */

/* What goes into the model is rounded: libm's last bits differ between machines. */
static double rounded(double x)
{
	return isfinite(x) ? round(x * 1e6) / 1e6 : x;
}

static float logit_of(float probability)
{
	return (float)log((double)probability / (1 - (double)probability));
}

static int judge(struct run *run)
{
	const struct cli_train_options *o = run->o;
	bool training = run->split.n_validation == 0;
	const uint32_t *rows = training ? run->split.train : run->split.validation;
	uint32_t n = training ? run->split.n_train : run->split.n_validation;
	float *logits = malloc(n * sizeof(*logits)), *labels = malloc(n * sizeof(*labels));
	struct mlsched_error err = { 0 };
	int ret = 0;

	if (!logits || !labels) {
		ret = mls_error(&err, -ENOMEM, "no memory to judge %u rows", n);
		goto out;
	}
	mls_trainer_restore_best(run->trainer);
	mls_trainer_logits(run->trainer, rows, n, logits);
	for (uint32_t r = 0; r < n; r++)
		labels[r] = run->data.labels[rows[r]];
	run->threshold = o->threshold;
	if (isnan(o->threshold)) {
		float logit;

		ret = mls_scores_best_threshold(logits, labels, n, &logit, &err);
		if (ret)
			goto out;
		run->threshold = (float)rounded(1 / (1 + exp((double)-logit)));
		run->threshold = fminf(fmaxf(run->threshold, 1e-6f), 0.999999f);
	}
	run->scored_training = training;
	run->active = mls_trainer_active_share(run->trainer, rows, n);
	ret = mls_scores_compute(logits, labels, n, logit_of(run->threshold), &run->scores, &err);
out:
	free(logits);
	free(labels);
	if (!ret)
		return 0;
	return cli_fail(&o->common, "judging the %s rows: %s", training ? "training" : "validation",
			err.message);
}

/* ---- writing ----------------------------------------------------------------- */

static json_t *layers_json(const struct mls_train_options *t)
{
	json_t *layers = json_array();

	for (uint32_t l = 0; l < t->n_hidden; l++)
		json_array_append_new(layers, json_integer(t->width[l]));
	return layers;
}

static json_t *activations_json(const struct mls_train_options *t)
{
	json_t *names = json_array();

	for (uint32_t l = 0; l < t->n_hidden; l++)
		json_array_append_new(names,
				      json_string(mlsched_activation_name(t->activation[l])));
	return names;
}

static json_t *options_json(const struct run *run)
{
	static const char *const decays[] = { "constant", "step", "exponential", "cosine" };
	const struct mls_train_options *t = &run->train;

	return json_pack("{s:o, s:o, s:i, s:i, s:f, s:s, s:f, s:f, s:[f,f], s:i, s:s, s:f}",
			 "layers", layers_json(t), "activations", activations_json(t), "epochs",
			 (int)t->epochs, "batch", (int)t->batch, "rate", t->rate, "decay",
			 decays[t->decay.kind], "l2", t->l2, "activation_penalty",
			 t->activation_penalty, "class_weight", rounded(t->class_weight[0]),
			 rounded(t->class_weight[1]), "patience", (int)t->patience, "split",
			 run->o->split == MLS_SPLIT_TIME ? "time" : "random", "validation",
			 run->o->validation);
}

static json_t *provenance_scores(const struct run *run)
{
	const struct mls_scores *s = &run->scores;

	return json_pack("{s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "of",
			 run->scored_training ? "training rows" : "validation rows", "rows",
			 (int)s->n_rows, "accuracy", cli_real_json(rounded(s->accuracy)),
			 "balanced_accuracy", cli_real_json(rounded(s->balanced_accuracy)), "auc",
			 cli_real_json(rounded(s->auc)), "log_loss",
			 cli_real_json(rounded(s->log_loss)), "calibration_error",
			 cli_real_json(rounded(s->calibration_error)), "refused",
			 cli_real_json(rounded(s->refused)), "active_units",
			 cli_real_json(rounded(run->active)));
}

/*
 * Where the model comes from.  Nothing in it differs between two trainings of
 * the same data with the same options, however they were interrupted.
 */
static char *provenance(const struct run *run)
{
	const struct cli_train_options *o = run->o;
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	char checksum[9], *text;
	bool whole = true;
	json_t *object;

	snprintf(checksum, sizeof(checksum), "%08x", mls_dataset_checksum(&run->data));
	object =
		json_pack("{s:s, s:s, s:o, s:i, s:i, s:s, s:I, s:i, s:i, s:o, s:o}", "tool",
			  "mlsched train", "version", mlsched_version(), "data",
			  cli_text_json(o->synthetic ? "synthetic seed10" : cli_file_name(o->data)),
			  "rows", (int)run->data.n_rows, "training_rows", (int)run->split.n_train,
			  "data_crc32c", checksum, "seed", (json_int_t)run->train.seed, "epochs",
			  (int)run->state.epoch, "best_epoch", (int)run->state.best_epoch,
			  "options", options_json(run), "scores", provenance_scores(run));
	if (run->interrupted)
		whole = json_object_set_new(object, "interrupted", json_true()) == 0;
	if (epoch && *epoch) {
		time_t when = (time_t)strtoll(epoch, NULL, 10);
		struct tm utc;
		char date[32];

		if (gmtime_r(&when, &utc) && strftime(date, sizeof(date), "%FT%TZ", &utc))
			whole = json_object_set_new(object, "date", json_string(date)) == 0 &&
				whole;
	}
	text = whole ? mls_json_dump(object, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
	json_decref(object);
	return text;
}

static int write_model(struct run *run)
{
	const struct cli_train_options *o = run->o;
	float min[MLSCHED_MAX_WIDTH], max[MLSCHED_MAX_WIDTH];
	struct mlsched_meta meta = { .threshold = run->threshold,
				     .n_calibration = run->data.n_inputs,
				     .input_min = min,
				     .input_max = max };
	struct mlsched_model *model = NULL;
	struct mlsched_error err;
	char *text = provenance(run);
	int ret;

	mls_dataset_range(&run->data, run->split.train, run->split.n_train, min, max);
	snprintf(meta.schema, sizeof(meta.schema), "%s", run->data.schema->name);
	snprintf(meta.producer, sizeof(meta.producer), "mlsched %s", mlsched_version());
	meta.provenance = text;
	ret = mls_trainer_model(run->trainer, &meta, &err, &model);
	if (!ret)
		ret = mlsched_model_save(model, o->output, MLSCHED_SAVEDMODEL_VARIABLES, &err);
	mlsched_model_free(model);
	free(text);
	return ret ? cli_fail(&o->common, "%s", err.message) : 0;
}

static void print_summary(const struct run *run)
{
	const struct cli_train_options *o = run->o;
	const struct mls_scores *s = &run->scores;
	char a[32], b[32], c[32], d[32], seconds[32];

	printf("rows       %u for training, %u for validation\n", run->split.n_train,
	       run->split.n_validation);
	printf("epochs     %u of %u%s", run->state.epoch, run->state.epochs,
	       run->interrupted ? ", interrupted" : "");
	if (run->state.best_epoch)
		printf("; best %u, validation loss %.4f", run->state.best_epoch,
		       run->state.best_loss);
	snprintf(seconds, sizeof(seconds), "%.2f s", run->seconds);
	printf("\nspeed      %s rows/s, %s\n", cli_format_count(run->rows_per_second, a),
	       run->seconds < 60 ? seconds : cli_format_time(run->seconds, b));
	printf("accuracy   %s on %s rows, AUC %s%s\n", cli_format_share(s->accuracy, a),
	       run->scored_training ? "the training" : "validation", cli_format_share(s->auc, b),
	       o->synthetic ? " (one label in ten is wrong: 0.90 is the most)" : "");
	printf("verdicts   precision %s, recall %s, false positives %s, false negatives %s\n",
	       cli_format_share(s->precision, a), cli_format_share(s->recall, b),
	       cli_format_share(s->false_positive_rate, c),
	       cli_format_share(s->false_negative_rate, d));
	printf("refused    %.1f %% of the rows, threshold %g\n", 100 * s->refused,
	       (double)run->threshold);
	printf("calibration error %s, Brier score %s\n", cli_format_share(s->calibration_error, a),
	       cli_format_share(s->brier, b));
	if (run->train.n_hidden)
		printf("active     %.1f %% of the hidden units\n", 100 * run->active);
	printf("model      %s\n", o->output);
}

static void print_json(const struct run *run)
{
	const struct mls_train_progress *p = &run->state;

	cli_json(json_pack("{s:s, s:i, s:i, s:i, s:i, s:b, s:o, s:o, s:o, s:f, s:f, s:f, s:f, s:o}",
			   "model", run->o->output, "training_rows", (int)run->split.n_train,
			   "validation_rows", (int)run->split.n_validation, "epochs", (int)p->epoch,
			   "best_epoch", (int)p->best_epoch, "interrupted", run->interrupted,
			   "loss", cli_real_json(p->loss), "validation_loss",
			   cli_real_json(p->validation_loss), "best_validation_loss",
			   cli_real_json(p->best_loss), "seconds", run->seconds, "rows_per_second",
			   run->rows_per_second, "threshold", (double)run->threshold,
			   "active_units", run->active, "scores", cli_scores_json(&run->scores)));
}

/* What has not seen all rows once is no model that should replace one. */
static int end_early(const struct run *run)
{
	const struct cli_train_options *o = run->o;

	const char *file = o->checkpoint;

	return cli_fail(&o->common, "%s: interrupted in the first epoch: not written%s%s%s",
			o->output, file ? "; --checkpoint " : "", file ? file : "",
			file ? " --resume goes on" : "");
}

static int run_all(struct run *run)
{
	const struct cli_train_options *o = run->o;
	struct mlsched_error err;
	int status;

	/* Now, and not after hours of training. */
	if (o->output && mls_replace_check(o->output, &err) != 0)
		return cli_fail(&o->common, "%s", err.message);
	status = cli_may_write(&o->common, "--write-csv", o->write_csv, &o->data, 1);
	if (status == CLI_OK)
		status = cli_may_write(&o->common, "--checkpoint", o->checkpoint, &o->data, 1);
	if (status != CLI_OK)
		return status;
	if (o->checkpoint && mls_trainer_may_save(o->checkpoint, &err) != 0)
		return cli_fail(&o->common, "%s", err.message);
	status = get_rows(run);
	if (status || !o->output)
		return status;
	if (mls_split_make(&run->data, o->validation, o->split, o->train.seed, &run->split, &err))
		return cli_fail(&o->common, "%s", err.message);
	run->train = o->train;
	if (o->auto_class_weight)
		status = balance_classes(run);
	if (status == 0)
		status = train(run);
	if (status == 0 && run->interrupted && run->state.epoch == 0)
		status = end_early(run);
	if (status == 0)
		status = judge(run);
	if (status == 0)
		status = write_model(run);
	if (status)
		return status;
	if (o->common.json)
		print_json(run);
	else if (o->common.verbosity >= 0)
		print_summary(run);
	return CLI_OK;
}

int cli_train(int argc, char **argv)
{
	struct cli_train_options o;
	struct run run = { .o = &o };
	int status;

	if (cli_train_parse(argc, argv, &o) != 0)
		return CLI_USAGE;
	if (o.from_sim)
		return cli_train_from_sim(&o);
	if (o.recording.path)
		return cli_train_from_recording(&o);
	status = run_all(&run);
	mls_trainer_free(run.trainer);
	free(run.split.train);
	mls_dataset_clear(&run.data);
	return status;
}
