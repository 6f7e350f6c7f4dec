// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched train --from FILE.db --init MODEL: a model goes on learning from what came of
 * real decisions, and what it has become is written only if, by decisions that it has
 * not learned from, it is not worse than it was.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/cli/progress.h"
#include "src/cli/rows.h"
#include "src/cli/train_options.h"
#include "src/data/offpolicy.h"
#include "src/formats/replace.h"
#include "src/util/error.h"
#include "src/util/json_text.h"

/* Beyond that, in us, a benefit counts no more: a few rows must not outweigh all others. */
#define MARGIN_MOST 2000.0
/* Of the rows for training, at their end: which epoch was the best one? */
#define VALIDATION 0.1

/**
 * struct refinement - everything of one run
 * @labels:  of the recording
 * @data:    its rows for training; @weights: theirs
 * @held:    decisions that are held out, with the answers of both models
 * @before:  what the estimates say of the model as it was,
 * @after:   and of the refined one, over the other
 */
struct refinement {
	const struct cli_train_options *o;
	struct mlsched_model *model;
	struct mlsched_model *refined;
	struct mls_labels labels;
	struct mls_dataset data;
	float *weights;
	struct mls_split split;
	struct mls_offpolicy_rows held;
	struct mls_offpolicy before, after;
	struct mls_train_progress trained;
	bool not_worse;
};

static int fail(const struct refinement *r, const struct mlsched_error *err)
{
	return cli_fail(&r->o->common, "%s", err->message);
}

/* ---- rows ----------------------------------------------------------------------------- */

static int read_labels(struct refinement *r, struct mlsched_error *err)
{
	const struct cli_train_recording *o = &r->o->recording;
	const char *schema = mlsched_model_meta(r->model)->schema;
	struct mls_recording_reader *reader;
	int ret = mls_recording_open(o->path, err, &reader);

	if (ret)
		return ret;
	ret = mls_labels_read(reader, o->path, &o->label, &r->labels, err);
	mls_recording_reader_close(reader);
	if (ret)
		return ret;
	/* As everywhere: a model that names no schema is of the first one. */
	if (!schema[0])
		schema = "seed10";
	if (strcmp(schema, r->labels.schema->name) != 0)
		return mls_error(err, -EINVAL,
				 "%s: expected decisions of schema %s as of %s, found %s", o->path,
				 schema, o->init, r->labels.schema->name);
	return mlsched_model_expect_inputs(r->model, r->labels.schema->n_features, o->init, err);
}

/* What a row weighs is what was at stake: label.h. */
static int make_rows(struct refinement *r, struct mlsched_error *err)
{
	uint32_t n = 0;
	int ret = mls_labels_dataset(&r->labels, MLS_LABEL_TRAIN, &r->data, err);

	if (ret)
		return ret;
	if (!r->data.n_rows)
		return mls_error(err, -ENODATA,
				 "%s: no decision is left to learn from: all are held out",
				 r->o->recording.path);
	r->weights = malloc(r->data.n_rows * sizeof(*r->weights));
	if (!r->weights)
		return mls_error(err, -ENOMEM, "no memory for %u rows", r->data.n_rows);
	for (uint64_t i = 0; i < r->labels.n; i++) {
		const struct mls_label_row *row = &r->labels.rows[i];
		double most = MARGIN_MOST / (double)row->decision.propensity;

		if (row->part == MLS_LABEL_TRAIN)
			r->weights[n++] = (float)(fmin(fabs(row->margin), most) / MARGIN_MOST);
	}
	r->data.weights = r->weights;
	return mls_split_make(&r->data, r->data.n_rows > 1 / VALIDATION ? VALIDATION : 0,
			      MLS_SPLIT_TIME, r->o->train.seed, &r->split, err);
}

/* ---- training --------------------------------------------------------------------------- */

static int on_progress(void *context, const struct mls_train_progress *p)
{
	struct cli_progress *bar = context;
	char label[48], note[48];

	snprintf(label, sizeof(label), "epoch %u/%u", p->epoch + (p->epoch_ended ? 0 : 1),
		 p->epochs);
	snprintf(note, sizeof(note), "loss %.4f", p->loss);
	cli_progress_update(bar, (double)p->epoch * p->rows + p->row, (double)p->epochs * p->rows,
			    label, note);
	return 0;
}

static float smaller(float a, float b)
{
	return a < b ? a : b;
}

/* The ranges of what either has seen: the fixed-point form must hold both. */
static void widen(const struct refinement *r, float *min, float *max)
{
	const struct mlsched_meta *meta = mlsched_model_meta(r->model);

	mls_dataset_range(&r->data, r->split.train, r->split.n_train, min, max);
	for (uint32_t i = 0; i < meta->n_calibration; i++) {
		min[i] = smaller(min[i], meta->input_min[i]);
		max[i] = -smaller(-max[i], -meta->input_max[i]);
	}
}

/* A model of the trainer's weights that says what the first one said, besides @provenance. */
static int make_model(const struct refinement *r, const struct mls_trainer *trainer,
		      const char *provenance, struct mlsched_error *err,
		      struct mlsched_model **model)
{
	struct mlsched_meta meta = *mlsched_model_meta(r->model);
	float min[MLSCHED_MAX_WIDTH], max[MLSCHED_MAX_WIDTH];

	widen(r, min, max);
	snprintf(meta.schema, sizeof(meta.schema), "%s", r->labels.schema->name);
	snprintf(meta.producer, sizeof(meta.producer), "mlsched %s", mlsched_version());
	meta.n_calibration = r->data.n_inputs;
	meta.input_min = min;
	meta.input_max = max;
	meta.provenance = provenance;
	return mls_trainer_model(trainer, &meta, err, model);
}

static int make_trainer(struct refinement *r, struct mlsched_error *err,
			struct mls_trainer **trainer)
{
	struct mls_train_options options = r->o->train;
	int ret = mls_train_options_from(r->model, r->o->recording.init, &options, err);

	if (!ret)
		ret = mls_trainer_create(&options, &r->data, &r->split, r->o->n_threads,
					 MLSCHED_ISA_BEST, err, trainer);
	if (!ret)
		mls_trainer_start_from(*trainer, r->model);
	return ret;
}

static int train(struct refinement *r, struct mls_trainer *trainer, struct mlsched_error *err)
{
	struct cli_progress bar;
	int ret;

	cli_progress_init(&bar, "rows", r->o->common.verbosity >= 0 && !r->o->common.json);
	ret = mls_trainer_run(trainer, on_progress, &bar, err);
	cli_progress_clear(&bar);
	if (ret)
		return ret;
	mls_trainer_restore_best(trainer);
	mls_trainer_progress(trainer, &r->trained);
	return make_model(r, trainer, NULL, err, &r->refined);
}

/* ---- judging -------------------------------------------------------------------------------- */

static int ask(const struct mlsched_model *model, const struct mls_recorded *d, bool *migrate,
	       struct mlsched_error *err)
{
	struct mlsched_verdict verdict;
	int ret = mlsched_decide_features(model, d->features, 1, d->n_features, &verdict, err);

	*migrate = !ret && verdict.migrate;
	return ret;
}

static int read_held_out(struct refinement *r, struct mls_recording_reader *reader,
			 struct mlsched_error *err)
{
	struct mls_recorded d;
	int ret;

	while ((ret = mls_recording_next(reader, &d, err)) == 1) {
		enum mls_label_part part = mls_labels_part(&r->labels, &d);
		bool refined, before;

		if (!mls_offpolicy_takes(&d) ||
		    (part != MLS_LABEL_TIME && part != MLS_LABEL_PROGRAM))
			continue;
		ret = ask(r->model, &d, &before, err);
		if (!ret)
			ret = ask(r->refined, &d, &refined, err);
		if (!ret &&
		    mls_offpolicy_add(&r->held, &d, refined, before, &r->o->recording.label) != 0)
			ret = mls_error(err, -ENOMEM, "no memory for %llu decisions",
					(unsigned long long)r->held.n + 1);
		if (ret)
			break;
	}
	return ret;
}

/* Whether the old model has support must be known as well, so it is judged as the policy first. */
static int estimate(struct refinement *r, struct mlsched_error *err)
{
	bool *refined = malloc(r->held.n + 1);
	int ret = refined ? 0 : mls_error(err, -ENOMEM, "no memory for the estimates");

	for (uint64_t i = 0; i < r->held.n && !ret; i++) {
		refined[i] = r->held.rows[i].policy;
		r->held.rows[i].policy = r->held.rows[i].rival;
	}
	if (!ret)
		ret = mls_offpolicy_estimate(r->held.rows, r->held.n, &r->before, err);
	for (uint64_t i = 0; i < r->held.n && refined; i++)
		r->held.rows[i].policy = refined[i];
	if (!ret)
		ret = mls_offpolicy_estimate(r->held.rows, r->held.n, &r->after, err);
	free(refined);
	r->not_worse = !ret && r->after.lead.low >= -r->o->recording.margin;
	return ret;
}

static int judge(struct refinement *r)
{
	const char *path = r->o->recording.path;
	struct mls_recording_reader *reader;
	struct mlsched_error err;
	int ret = mls_recording_open(path, &err, &reader);

	if (ret)
		return fail(r, &err);
	ret = read_held_out(r, reader, &err);
	mls_recording_reader_close(reader);
	if (ret)
		return fail(r, &err);
	ret = estimate(r, &err);
	if (ret != -EDOM && ret != -ENODATA)
		return ret ? fail(r, &err) : CLI_OK;
	cli_fail(&r->o->common,
		 "nothing is written, because what the refined model would come to cannot be "
		 "estimated: %s: %s%s",
		 path, err.message,
		 ret == -EDOM ? " (mlsched run --backend scx --mode active --model ... --explore "
				"0.1 --record FILE.db)" :
				"; record for longer, or hold out more (--time-share)");
	return CLI_NO_ESTIMATE;
}

/* ---- saying and writing --------------------------------------------------------------------- */

static json_t *estimate_json(const struct mls_estimate *e)
{
	return json_pack("{s:f, s:f, s:f}", "mean", e->mean, "low", e->low, "high", e->high);
}

static json_t *estimates_json(const struct refinement *r)
{
	return json_pack("{s:I, s:i, s:o, s:o, s:o, s:o}", "decisions", (json_int_t)r->held.n,
			 "blocks", (int)r->after.blocks, "recorded",
			 estimate_json(&r->after.recorded), "before",
			 estimate_json(&r->before.robust), "refined",
			 estimate_json(&r->after.robust), "lead", estimate_json(&r->after.lead));
}

/* Nothing in it differs between two refinements of the same model by the same recording. */
static char *provenance(const struct refinement *r)
{
	const struct cli_train_recording *o = &r->o->recording;
	const char *before = mlsched_model_meta(r->model)->provenance;
	char checksum[9], data[9], *text;
	json_t *object, *history;

	snprintf(checksum, sizeof(checksum), "%08x", mlsched_model_checksum(r->model));
	snprintf(data, sizeof(data), "%08x", mls_dataset_checksum(&r->data));
	object = json_pack("{s:s, s:s, s:o, s:i, s:s, s:I, s:i, s:f, s:f, s:f, s:s, s:o}", "tool",
			   "mlsched train --from recording", "version", mlsched_version(), "data",
			   cli_text_json(cli_file_name(o->path)), "rows", (int)r->data.n_rows,
			   "data_crc32c", data, "seed", (json_int_t)r->o->train.seed, "epochs",
			   (int)r->trained.epoch, "rate", r->o->train.rate, "price_us",
			   o->label.price, "wait_weight", o->label.wait_weight, "init_crc32c",
			   checksum, "held_out", estimates_json(r));
	history = before ? json_loads(before, 0, NULL) : NULL;
	if (before && json_object_set_new(object, "init", history) != 0)
		text = NULL;
	else
		text = mls_json_dump(object, JSON_COMPACT | JSON_REAL_PRECISION(6));
	json_decref(object);
	return text;
}

static int write_model(const struct refinement *r, const struct mls_trainer *trainer)
{
	struct mlsched_model *complete = NULL;
	struct mlsched_error err;
	char *text = provenance(r);
	int ret = text ? make_model(r, trainer, text, &err, &complete) :
			 mls_error(&err, -ENOMEM, "no memory for the provenance");

	if (!ret)
		ret = mlsched_model_save(complete, r->o->output, MLSCHED_SAVEDMODEL_VARIABLES,
					 &err);
	mlsched_model_free(complete);
	free(text);
	return ret ? fail(r, &err) : CLI_OK;
}

static void print_estimate(const char *name, const struct mls_estimate *e)
{
	printf("           %-12s %10.1f %10.1f .. %.1f\n", name, e->mean, e->low, e->high);
}

static void show(const struct refinement *r)
{
	const struct cli_train_options *o = r->o;

	if (o->common.json) {
		cli_json(json_pack("{s:s, s:s, s:s, s:b, s:i, s:o, s:f}", "model", o->output,
				   "recording", o->recording.path, "init", o->recording.init,
				   "written", r->not_worse, "training_rows", (int)r->split.n_train,
				   "held_out", estimates_json(r), "margin", o->recording.margin));
		return;
	}
	if (o->common.verbosity < 0)
		return;
	printf("rows       %u for training, %u for validation, %d epochs (best %u)\n",
	       r->split.n_train, r->split.n_validation, (int)r->trained.epoch,
	       r->trained.best_epoch);
	printf("held out   %llu decisions in %u blocks of time; us a decision, doubly robust, 95 %%:\n",
	       (unsigned long long)r->held.n, r->after.blocks);
	print_estimate("as recorded", &r->after.recorded);
	print_estimate("before", &r->before.robust);
	print_estimate("refined", &r->after.robust);
	print_estimate("lead", &r->after.lead);
	if (r->not_worse)
		printf("model      %s\n", o->output);
}

/* The numbers are in the table, or in the JSON document. */
static int refuse(const struct refinement *r)
{
	if (!r->o->common.json)
		fprintf(stderr,
			"%s: not written: that the refined model is not worse is not sure: %.1f us a "
			"decision, before %.1f; lead %.1f to %.1f, expected at least %.1f\n",
			r->o->common.command, r->after.robust.mean, r->before.robust.mean,
			r->after.lead.low, r->after.lead.high,
			r->o->recording.margin > 0 ? -r->o->recording.margin : 0);
	return CLI_WORSE;
}

static int refine(struct refinement *r)
{
	struct mls_trainer *trainer = NULL;
	struct mlsched_error err;
	int ret = mls_replace_check(r->o->output, &err), status;

	if (!ret)
		ret = mlsched_model_load(r->o->recording.init, &err, &r->model);
	if (!ret)
		ret = read_labels(r, &err);
	if (!ret)
		ret = make_rows(r, &err);
	if (!ret)
		ret = make_trainer(r, &err, &trainer);
	if (!ret)
		ret = train(r, trainer, &err);
	status = ret ? fail(r, &err) : judge(r);
	if (status == CLI_OK && r->not_worse)
		status = write_model(r, trainer);
	mls_trainer_free(trainer);
	if (status)
		return status;
	show(r);
	return r->not_worse ? CLI_OK : refuse(r);
}

int cli_train_from_recording(const struct cli_train_options *o)
{
	struct refinement r = { .o = o };
	int status = refine(&r);

	free(r.held.rows);
	free(r.split.train);
	mls_dataset_clear(&r.data);
	free(r.weights);
	mls_labels_clear(&r.labels);
	mlsched_model_free(r.refined);
	mlsched_model_free(r.model);
	return status;
}
