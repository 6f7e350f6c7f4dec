// SPDX-License-Identifier: GPL-2.0
/*
 * Labels from outcomes, and which rows are for what.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "src/data/label.h"
#include "src/util/crc32c.h"
#include "src/util/error.h"

/* Steps of the share of programs that are held out. */
#define PROGRAM_STEPS 1000

/* Means are taken over rows of one kind, one locality and one answer. */
struct stratum {
	uint64_t n;
	double sum;
};

struct strata {
	struct stratum of[MLS_RECORDED_KINDS][MLS_RECORDED_LOCALITIES][2];
};

/* When a session begins and ends by its rows, and from where on they are for validation. */
struct mls_label_span {
	uint64_t first;
	uint64_t last;
	uint64_t window;
	uint64_t boundary;
};

static const char *const part_names[MLS_LABEL_PARTS] = { "train", "time", "program", "gap" };
static const char *const skip_names[MLS_LABEL_SKIPS] = { "rule", "asleep", "failed", "unknown" };

const char *mls_label_part_name(unsigned int part)
{
	return part < MLS_LABEL_PARTS ? part_names[part] : "unknown";
}

const char *mls_label_skip_name(unsigned int skip)
{
	return skip < MLS_LABEL_SKIPS ? skip_names[skip] : "unknown";
}

int mls_label_skips(const struct mls_recorded *d)
{
	if (d->decider == MLS_RECORDED_BY_HARD_RULE || d->decider == MLS_RECORDED_BY_SAFETY ||
	    d->flags & MLS_RECORDED_FORCED)
		return MLS_LABEL_RULE;
	if (d->flags & MLS_RECORDED_ASLEEP)
		return MLS_LABEL_ASLEEP;
	if (d->result != MLS_RECORDED_MOVED && d->result != MLS_RECORDED_REFUSED)
		return MLS_LABEL_FAILED;
	if (!d->followed || d->observed == 0)
		return MLS_LABEL_UNKNOWN;
	return -1;
}

double mls_label_benefit(const struct mls_recorded *d, const struct mls_label_options *o)
{
	double wait = (double)d->wait / 1e3;
	int moves = (d->result == MLS_RECORDED_MOVED) + (d->moved != 0) + (d->back != 0);

	return (double)d->run_time / 1e3 - wait - o->wait_weight * wait * wait / 1e3 -
	       o->price * moves;
}

static bool is_held_out(const struct mls_labels *labels, const struct mls_recorded *d)
{
	uint32_t hash = mls_crc32c(0, d->comm, strnlen(d->comm, sizeof(d->comm)));
	double steps = labels->options.program_share * PROGRAM_STEPS + 0.5;

	return hash % PROGRAM_STEPS < (uint32_t)steps ||
	       (labels->one_held_out && strncmp(d->comm, labels->held_out, sizeof(d->comm)) == 0);
}

enum mls_label_part mls_labels_part(const struct mls_labels *labels, const struct mls_recorded *d)
{
	const struct mls_label_span *span = &labels->spans[d->session - 1];
	const struct mls_label_options *o = &labels->options;

	if (is_held_out(labels, d))
		return MLS_LABEL_PROGRAM;
	if (d->time >= span->boundary)
		return o->time_share > 0 ? MLS_LABEL_TIME : MLS_LABEL_TRAIN;
	return o->time_share > 0 && d->time + span->window > span->boundary ? MLS_LABEL_GAP :
									      MLS_LABEL_TRAIN;
}

/* ---- reading ------------------------------------------------------------------------------- */

static int read_spans(struct mls_recording_reader *reader, const char *path,
		      struct mls_labels *labels, uint32_t *n, struct mlsched_error *err)
{
	struct mls_recording_session session;
	int ret;

	for (*n = 0; (ret = mls_recording_session(reader, *n, &session, err)) == 1; (*n)++) {
		const struct mlsched_schema *schema = mlsched_schema_find(session.schema);
		struct mls_label_span *more;

		if (!schema || schema->version != session.schema_version ||
		    schema->n_features != session.n_features)
			return mls_error(err, -EINVAL,
					 "%s: session %u: schema %s, version %u, of %u features is "
					 "not known here",
					 path, *n + 1, session.schema, session.schema_version,
					 session.n_features);
		if (labels->schema && schema != labels->schema)
			return mls_error(err, -EINVAL,
					 "%s: session %u: expected schema %s as in the first one, "
					 "found %s",
					 path, *n + 1, labels->schema->name, schema->name);
		labels->schema = schema;
		more = realloc(labels->spans, (*n + 1) * sizeof(*more));
		if (!more)
			return mls_error(err, -ENOMEM, "%s: no memory for the sessions", path);
		labels->spans = more;
		more[*n] = (struct mls_label_span){ .first = UINT64_MAX, .window = session.window };
	}
	return ret;
}

static int append(struct mls_labels *labels, const struct mls_recorded *d, uint64_t *allocated)
{
	if (labels->n == *allocated) {
		uint64_t size = *allocated ? 2 * *allocated : 1024;
		struct mls_label_row *more = realloc(labels->rows, size * sizeof(*more));

		if (!more)
			return -ENOMEM;
		labels->rows = more;
		*allocated = size;
	}
	labels->rows[labels->n++] =
		(struct mls_label_row){ .decision = *d,
					.benefit = mls_label_benefit(d, &labels->options) };
	return 0;
}

static int read_rows(struct mls_recording_reader *reader, const char *path,
		     struct mls_labels *labels, struct mlsched_error *err)
{
	uint64_t allocated = 0;
	struct mls_recorded d;
	int ret;

	while ((ret = mls_recording_next(reader, &d, err)) == 1) {
		struct mls_label_span *span = &labels->spans[d.session - 1];
		int skip = mls_label_skips(&d);

		labels->counts.decisions++;
		span->first = d.time < span->first ? d.time : span->first;
		span->last = d.time > span->last ? d.time : span->last;
		if (skip >= 0) {
			labels->counts.skipped[skip]++;
			continue;
		}
		ret = append(labels, &d, &allocated);
		if (ret)
			return mls_error(err, ret, "%s: no memory for %llu rows", path,
					 (unsigned long long)labels->n + 1);
	}
	return ret;
}

/* ---- labels ---------------------------------------------------------------------------------- */

static int by_program(const void *a, const void *b)
{
	const struct mls_label_row *const *x = a, *const *y = b;

	return strncmp((*x)->decision.comm, (*y)->decision.comm, sizeof((*x)->decision.comm));
}

/* Of rows by program: the most that are no more than the share, or else the fewest. */
static const struct mls_label_row *fits_best(const struct mls_label_row **rows, uint64_t n,
					     double share)
{
	const struct mls_label_row *best = NULL;
	uint64_t most = (uint64_t)(share * (double)n), of_best = 0, end;

	for (uint64_t i = 0; i < n; i = end) {
		uint64_t own;

		for (end = i + 1; end < n && by_program(&rows[i], &rows[end]) == 0;)
			end++;
		own = end - i;
		if (own == n)
			return NULL;
		if (!best || (own <= most ? own > of_best || of_best > most : own < of_best)) {
			best = rows[i];
			of_best = own;
		}
	}
	return best;
}

/* Of few programs there may be none whose hash is within the share: then it is one of them. */
static int hold_one_out(struct mls_labels *labels)
{
	const struct mls_label_row **rows, *best;

	if (labels->options.program_share <= 0)
		return 0;
	for (uint64_t i = 0; i < labels->n; i++)
		if (is_held_out(labels, &labels->rows[i].decision))
			return 0;
	rows = malloc(labels->n * sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	for (uint64_t i = 0; i < labels->n; i++)
		rows[i] = &labels->rows[i];
	qsort(rows, labels->n, sizeof(*rows), by_program);
	best = fits_best(rows, labels->n, labels->options.program_share);
	if (best) {
		labels->one_held_out = true;
		memcpy(labels->held_out, best->decision.comm, sizeof(labels->held_out));
	}
	free(rows);
	return 0;
}

static void set_parts(struct mls_labels *labels, uint32_t n_spans)
{
	for (uint32_t s = 0; s < n_spans; s++) {
		struct mls_label_span *span = &labels->spans[s];
		uint64_t length = span->last >= span->first ? span->last - span->first : 0;

		span->boundary =
			span->first + (uint64_t)((double)length * (1 - labels->options.time_share));
	}
	for (uint64_t i = 0; i < labels->n; i++) {
		struct mls_label_row *row = &labels->rows[i];

		row->part = (uint8_t)mls_labels_part(labels, &row->decision);
	}
}

static void sum_up(const struct mls_labels *labels, struct strata *strata)
{
	for (uint64_t i = 0; i < labels->n; i++) {
		const struct mls_label_row *row = &labels->rows[i];
		const struct mls_recorded *d = &row->decision;
		struct stratum *s = &strata->of[d->kind][d->locality][d->accepted];

		if (row->part != MLS_LABEL_TRAIN)
			continue;
		s->n++;
		s->sum += row->benefit;
	}
}

static double mean_of(const struct strata *strata, const struct mls_recorded *d, bool accepted)
{
	const struct stratum *s = &strata->of[d->kind][d->locality][accepted];

	return s->n >= MLS_LABEL_ENOUGH ? s->sum / (double)s->n : 0;
}

/* What came of it, by how much better that was than usual over the chance that it was tried. */
static double margin_of(const struct strata *strata, const struct mls_label_row *row)
{
	const struct mls_recorded *d = &row->decision;
	double usual = mean_of(strata, d, d->accepted);
	double other = mean_of(strata, d, !d->accepted);
	double gain = usual + (row->benefit - usual) / (double)d->propensity - other;

	return d->accepted ? gain : -gain;
}

static void set_labels(struct mls_labels *labels, const struct strata *strata)
{
	for (uint64_t i = 0; i < labels->n; i++) {
		struct mls_label_row *row = &labels->rows[i];

		row->margin = margin_of(strata, row);
		row->label = row->margin > 0;
		labels->counts.rows[row->part]++;
		labels->counts.migrate[row->part] += row->label;
	}
}

int mls_labels_read(struct mls_recording_reader *reader, const char *path,
		    const struct mls_label_options *o, struct mls_labels *labels,
		    struct mlsched_error *err)
{
	struct strata *strata = calloc(1, sizeof(*strata));
	uint32_t n_spans = 0;
	int ret;

	*labels = (struct mls_labels){ .options = *o };
	ret = strata ? read_spans(reader, path, labels, &n_spans, err) :
		       mls_error(err, -ENOMEM, "%s: no memory", path);
	if (!ret)
		ret = read_rows(reader, path, labels, err);
	if (!ret && labels->n == 0)
		ret = mls_error(err, -ENODATA,
				"%s: of %llu decisions none can be labelled: %llu by rules, %llu "
				"asleep, %llu moves that failed, %llu without an outcome",
				path, (unsigned long long)labels->counts.decisions,
				(unsigned long long)labels->counts.skipped[MLS_LABEL_RULE],
				(unsigned long long)labels->counts.skipped[MLS_LABEL_ASLEEP],
				(unsigned long long)labels->counts.skipped[MLS_LABEL_FAILED],
				(unsigned long long)labels->counts.skipped[MLS_LABEL_UNKNOWN]);
	if (!ret && hold_one_out(labels) != 0)
		ret = mls_error(err, -ENOMEM, "%s: no memory", path);
	if (!ret) {
		set_parts(labels, n_spans);
		sum_up(labels, strata);
		set_labels(labels, strata);
	}
	free(strata);
	return ret;
}

int mls_labels_dataset(const struct mls_labels *labels, enum mls_label_part part,
		       struct mls_dataset *data, struct mlsched_error *err)
{
	*data = (struct mls_dataset){ .n_inputs = labels->schema->n_features,
				      .schema = labels->schema };
	for (uint64_t i = 0; i < labels->n; i++) {
		const struct mls_label_row *row = &labels->rows[i];
		int ret;

		if (row->part != part)
			continue;
		ret = mls_dataset_append(data, row->decision.features, row->label, err);
		if (ret) {
			mls_dataset_clear(data);
			return ret;
		}
	}
	return 0;
}

void mls_labels_clear(struct mls_labels *labels)
{
	free(labels->rows);
	free(labels->spans);
	*labels = (struct mls_labels){ 0 };
}
