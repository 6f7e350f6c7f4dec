// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched label: from a recording to rows that `mlsched train` and `mlsched eval` take,
 * and to one table of everything.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "src/cli/cli.h"
#include "src/data/csv.h"
#include "src/data/label.h"

enum { OPTION_CSV = 0x200, OPTION_PRICE, OPTION_WAIT, OPTION_TIME, OPTION_PROGRAM };

struct label_options {
	struct cli_common common;
	const char *recording;
	const char *output;
	const char *csv;
	struct mls_label_options label;
};

static const struct argp_option options[] = {
	{ "output", 'o', "DIR", 0,
	  "The data set: train.csv, time.csv, program.csv and label.json in a new directory", 0 },
	{ "csv", OPTION_CSV, "FILE", 0,
	  "All rows as one table, with times, names, benefits and labels (- for standard output)",
	  0 },
	{ "price", OPTION_PRICE, "US", 0, "Of a move, in us of useful time (500)", 0 },
	{ "wait-weight", OPTION_WAIT, "X", 0, "Of the square of waiting, in ms (0.3)", 0 },
	{ "time-share", OPTION_TIME, "SHARE", 0,
	  "Of each session's time, at its end, for validation (0.2)", 0 },
	{ "program-share", OPTION_PROGRAM, "SHARE", 0,
	  "Of programs, that are held out for validation (0.1)", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct label_options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->common;
		return 0;
	case 'o':
		o->output = arg;
		return 0;
	case OPTION_CSV:
		o->csv = arg;
		return 0;
	case OPTION_PRICE:
		o->label.price = cli_real(state, "price", arg, 0, 1e9);
		return 0;
	case OPTION_WAIT:
		o->label.wait_weight = cli_real(state, "wait-weight", arg, 0, 1e6);
		return 0;
	case OPTION_TIME:
		o->label.time_share = cli_real(state, "time-share", arg, 0, 0.9);
		return 0;
	case OPTION_PROGRAM:
		o->label.program_share = cli_real(state, "program-share", arg, 0, 0.9);
		return 0;
	case ARGP_KEY_ARG:
		if (o->recording)
			argp_error(state, "more than one recording: %s and %s", o->recording, arg);
		o->recording = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->recording)
			argp_error(state, "no recording named");
		if (!o->output && !o->csv)
			argp_error(state, "neither -o DIR nor --csv FILE");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = { { &cli_common_argp, 0, NULL, 0 }, { 0 } };
static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "RECORDING",
	.doc = "Makes training rows of the decisions in a recording: 1 where to migrate was, or "
	       "would have been, better, by useful time less waiting and a price for each move.\v"
	       "Rows are split by time and by program, never at random: neighbours are alike.  The "
	       "same recording and options give the same bytes.\n\n"
	       "EXAMPLES\n"
	       "  mlsched label compile.db -o compile\n"
	       "  mlsched train compile/train.csv -o model\n"
	       "  mlsched eval model compile/time.csv\n"
	       "  mlsched eval model compile/program.csv\n"
	       "  mlsched label compile.db --csv - | head\n",
	.children = children,
};

/* ---- the data set ------------------------------------------------------------------------ */

static int write_part(const struct label_options *o, const struct mls_labels *labels,
		      enum mls_label_part part)
{
	struct mls_dataset data;
	struct mlsched_error err;
	char path[4096];
	FILE *stream;
	int ret;

	snprintf(path, sizeof(path), "%s/%s.csv", o->output, mls_label_part_name(part));
	if (mls_labels_dataset(labels, part, &data, &err) != 0)
		return cli_fail(&o->common, "%s: %s", path, err.message);
	stream = fopen(path, "wxe");
	if (!stream) {
		mls_dataset_clear(&data);
		return cli_fail(&o->common, "%s: %s", path, strerror(errno));
	}
	ret = mls_csv_write(stream, path, &data, "migrate", &err);
	if (fclose(stream) != 0 && !ret)
		ret = cli_fail(&o->common, "%s: %s", path, strerror(errno));
	else if (ret)
		ret = cli_fail(&o->common, "%s", err.message);
	mls_dataset_clear(&data);
	return ret ? CLI_FAILURE : CLI_OK;
}

static json_t *counts_json(const struct label_options *o, const struct mls_labels *labels)
{
	const struct mls_label_counts *n = &labels->counts;
	json_t *parts = json_object(), *skipped = json_object();

	for (unsigned int p = 0; p < MLS_LABEL_PARTS; p++)
		json_object_set_new(parts, mls_label_part_name(p),
				    json_pack("{s:I, s:I}", "rows", (json_int_t)n->rows[p],
					      "migrate", (json_int_t)n->migrate[p]));
	for (unsigned int s = 0; s < MLS_LABEL_SKIPS; s++)
		json_object_set_new(skipped, mls_label_skip_name(s),
				    json_integer((json_int_t)n->skipped[s]));
	return json_pack("{s:o, s:s, s:s, s:f, s:f, s:f, s:f, s:I, s:o, s:o}", "recording",
			 cli_text_json(cli_file_name(o->recording)), "version", mlsched_version(),
			 "schema", labels->schema->name, "price_us", o->label.price, "wait_weight",
			 o->label.wait_weight, "time_share", o->label.time_share, "program_share",
			 o->label.program_share, "decisions", (json_int_t)n->decisions, "skipped",
			 skipped, "parts", parts);
}

static int write_json(const struct label_options *o, const struct mls_labels *labels)
{
	json_t *document = counts_json(o, labels);
	char path[4096];
	FILE *stream;
	int ret;

	snprintf(path, sizeof(path), "%s/label.json", o->output);
	stream = fopen(path, "wxe");
	ret = stream ? json_dumpf(document, stream, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : -1;
	if (stream) {
		fputc('\n', stream);
		ret |= fclose(stream);
	}
	json_decref(document);
	return ret ? cli_fail(&o->common, "%s: %s", path, strerror(errno)) : CLI_OK;
}

static int write_directory(const struct label_options *o, const struct mls_labels *labels)
{
	int status = CLI_OK;

	if (mkdir(o->output, 0777) != 0)
		return cli_fail(&o->common, "%s: %s", o->output, strerror(errno));
	for (unsigned int p = 0; p < MLS_LABEL_GAP && !status; p++)
		status = write_part(o, labels, (enum mls_label_part)p);
	return status ? status : write_json(o, labels);
}

/* ---- one table ------------------------------------------------------------------------------ */

/* A name may hold anything: RFC 4180. */
static void put_text(FILE *stream, const char *text, size_t most)
{
	size_t n = strnlen(text, most);

	fputc('"', stream);
	for (size_t i = 0; i < n; i++) {
		if (text[i] == '"')
			fputc('"', stream);
		fputc(text[i], stream);
	}
	fputc('"', stream);
}

static void put_row(FILE *stream, const struct mls_label_row *row)
{
	const struct mls_recorded *d = &row->decision;

	fprintf(stream, "%lld,%u,%llu,%u,", (long long)d->id, d->session,
		(unsigned long long)d->time, d->pid);
	put_text(stream, d->comm, sizeof(d->comm));
	fprintf(stream, ",%s,%u,%u,%s,", mls_recorded_kind_name(d->kind), d->src, d->dst,
		mls_recorded_locality_name(d->locality));
	if (d->verdict >= 0)
		fprintf(stream, "%d", d->verdict);
	fputc(',', stream);
	if (isfinite(d->logit))
		fprintf(stream, "%.9g", (double)d->logit);
	fprintf(stream, ",%d,%s,%.9g,%s,%llu,%llu,%llu,%llu,%llu,%.17g,%.17g,%s", d->accepted,
		mls_recorded_decider_name(d->decider), (double)d->propensity,
		mls_recorded_result_name(d->result), (unsigned long long)d->observed,
		(unsigned long long)d->wait, (unsigned long long)d->run_time,
		(unsigned long long)d->moved, (unsigned long long)d->back, row->benefit,
		row->margin, mls_label_part_name(row->part));
	for (uint32_t i = 0; i < d->n_features; i++)
		fprintf(stream, ",%.9g", (double)d->features[i]);
	fprintf(stream, ",%u\n", row->label);
}

static int write_table(const struct label_options *o, const struct mls_labels *labels)
{
	bool to_stdout = strcmp(o->csv, "-") == 0;
	FILE *stream = to_stdout ? stdout : fopen(o->csv, "we");
	int failed;

	if (!stream)
		return cli_fail(&o->common, "%s: %s", o->csv, strerror(errno));
	fputs("id,session,time,pid,comm,kind,src,dst,locality,verdict,logit,accepted,decider,"
	      "propensity,result,observed_ns,wait_ns,run_ns,moved_ns,back_ns,benefit_us,margin_us,"
	      "part",
	      stream);
	for (size_t i = 0; i < labels->schema->n_features; i++)
		fprintf(stream, ",%s", labels->schema->features[i].name);
	fputs(",migrate\n", stream);
	for (uint64_t i = 0; i < labels->n; i++)
		put_row(stream, &labels->rows[i]);
	failed = fflush(stream) != 0 || ferror(stream);
	if (!to_stdout && fclose(stream) != 0)
		failed = 1;
	return failed ? cli_fail(&o->common, "%s: %s", o->csv, strerror(errno)) : CLI_OK;
}

static void show(const struct label_options *o, const struct mls_labels *labels)
{
	const struct mls_label_counts *n = &labels->counts;

	/* The table may be on standard output. */
	if (o->common.json && (!o->csv || strcmp(o->csv, "-") != 0)) {
		cli_json(counts_json(o, labels));
		return;
	}
	for (unsigned int p = 0; p < MLS_LABEL_PARTS; p++)
		cli_note(&o->common, "%-8s %10llu rows, %5.1f %% to migrate",
			 mls_label_part_name(p), (unsigned long long)n->rows[p],
			 n->rows[p] ? 100.0 * (double)n->migrate[p] / (double)n->rows[p] : 0);
	if (labels->one_held_out)
		cli_note(
			&o->common,
			"of these programs none is within the share by its hash: %.16s is held out",
			labels->held_out);
	if (!n->rows[MLS_LABEL_PROGRAM] && o->label.program_share > 0)
		cli_note(&o->common, "no program is held out: all rows are of one program");
	for (unsigned int s = 0; s < MLS_LABEL_SKIPS; s++) {
		if (n->skipped[s])
			cli_note(&o->common, "skipped  %10llu (%s)",
				 (unsigned long long)n->skipped[s], mls_label_skip_name(s));
	}
}

int cli_label(int argc, char **argv)
{
	struct label_options o = { .common.command = argv[0], .label = MLS_LABEL_OPTIONS };
	struct mls_recording_reader *reader;
	struct mls_labels labels = { 0 };
	struct mlsched_error err;
	int status = CLI_OK;

	if (cli_parse(&argp, argc, argv, &o) != 0)
		return CLI_USAGE;
	if (cli_may_write(&o.common, "--csv", o.csv, &o.recording, 1) != CLI_OK)
		return CLI_FAILURE;
	if (mls_recording_open(o.recording, &err, &reader) != 0)
		return cli_fail(&o.common, "%s", err.message);
	if (mls_labels_read(reader, o.recording, &o.label, &labels, &err) != 0)
		status = cli_fail(&o.common, "%s", err.message);
	if (!status && o.output)
		status = write_directory(&o, &labels);
	if (!status && o.csv)
		status = write_table(&o, &labels);
	if (!status)
		show(&o, &labels);
	mls_labels_clear(&labels);
	mls_recording_reader_close(reader);
	return status;
}
