/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Between measuring forward passes and printing what came of it.
 */
#ifndef MLS_CLI_BENCH_INFERENCE_H
#define MLS_CLI_BENCH_INFERENCE_H

#include "bench/paths.h"
#include "bench/peak.h"
#include "src/cli/bench_runtimes.h"
#include "src/cli/cli.h"

/* How rows come. */
struct inference_column {
	const char *title;
	const char *key;
	size_t batch;
	bool dependent;
};

enum { COLUMN_ONE, COLUMN_CHAINED, COLUMN_64, COLUMN_1024, INFERENCE_COLUMNS };

extern const struct inference_column inference_columns[INFERENCE_COLUMNS];

/* The instruction sets of this processor, measured once. */
struct inference_peaks {
	struct bench_peak all[4];
	size_t n;
};

/* What came of one path: cells[] of the columns that were measured. */
struct inference_result {
	size_t n_cells;
	struct bench_result cells[INFERENCE_COLUMNS];
};

/* Where everything goes: a table on standard output, or a document that grows. */
struct inference_report {
	struct cli_common *common;
	const struct inference_peaks *peaks;
	json_t *json; /* or NULL: text */
};

/** inference_report_head() - the processor; before anything else */
void inference_report_head(const struct inference_report *report, int cpu);

/** inference_report_runtimes() - whose runtimes are measured, of what version */
void inference_report_runtimes(const struct inference_report *report,
			       const struct bench_path *paths, size_t n);

/** inference_report_subject() - a table begins */
void inference_report_subject(const struct inference_report *report,
			      const struct bench_subject *subject);

/** inference_report_missing() - a line for what is not there */
void inference_report_missing(const struct inference_report *report, const struct bench_path *path,
			      const struct bench_subject *subject);

/** inference_report_path() - a line of the table */
void inference_report_path(const struct inference_report *report, const struct bench_path *path,
			   const struct bench_subject *subject,
			   const struct inference_result *result);

/**
 * inference_report_goals() - what was promised of it, and what came of it
 * @results: [@n], beside @paths
 */
void inference_report_goals(const struct inference_report *report,
			    const struct bench_subject *subject, const struct bench_path *paths,
			    const struct inference_result *results, size_t n);

#endif /* MLS_CLI_BENCH_INFERENCE_H */
