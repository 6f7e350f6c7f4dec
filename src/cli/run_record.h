/* SPDX-License-Identifier: GPL-2.0 */
/* Recordings of `mlsched run` and `mlsched record`: the file, its thread, its counters. */
#ifndef MLS_CLI_RUN_RECORD_H
#define MLS_CLI_RUN_RECORD_H

#include "src/cli/cli.h"
#include "src/data/recording_queue.h"
#include "src/host/record.h"

/* -o, --record and --append. */
struct run_record_options {
	const char *path; /* NULL: nothing is recorded */
	bool append;
};

struct run_record;

/**
 * run_record_check() - what can be said before anything is opened
 * @window: ms, 0: default
 *
 * Return: CLI_OK, or CLI_FAILURE with the reason printed.
 */
int run_record_check(const struct cli_common *common, const struct run_record_options *options,
		     double window);

/**
 * run_record_open() - the file, and a session in it
 * @schema: of the inputs; with --append mls_recording_takes() has said yes to it
 * @since:  mls_now_ns() of the beginning: no decision is older
 * @record: receives it; NULL when nothing is to be recorded
 *
 * Before the sandbox is entered: all files are open then.
 * Return: CLI_OK, or CLI_FAILURE with the reason printed.
 */
int run_record_open(const struct cli_common *common, const struct run_record_options *options,
		    const struct mls_topology *topology, const char *source, const char *schema,
		    uint64_t window, uint64_t since, struct run_record **record);

/** run_record_open_moves() - the same of the kernel's own migrations, as this recorder sees them */
int run_record_open_moves(const struct cli_common *common, const struct run_record_options *options,
			  const struct mls_recorder *recorder, struct run_record **record);

/** run_record_start() - its thread: after the sandbox was entered, for it holds of that, too */
int run_record_start(struct run_record *record);

/* With NULL for a record the following do nothing, but for run_record_describe(). */

/**
 * run_record_model() - who is in charge from now on
 * @path: NULL without a model
 * @model: for schema, checksum and threshold; NULL: @checksum is all that is known
 */
void run_record_model(struct run_record *record, const char *mode, const char *engine,
		      const char *path, const struct mlsched_model *model, uint32_t checksum);

/** run_record_describe() - schema, checksum and threshold of a model */
void run_record_describe(struct mls_recording_model *row, const struct mlsched_model *model);

/** run_record_row() - one decision */
void run_record_row(struct run_record *record, const struct mls_recorded *row);

/** run_record_moves() - the counters of the kernel's migrations */
void run_record_moves(struct run_record *record, const struct mls_recorder_counts *counts);

/** run_record_scheduler() - the counters of our own scheduler */
void run_record_scheduler(struct run_record *record, const struct scheduler_counts *counts);

/** run_record_look() - says once when writing has failed; every now and then */
void run_record_look(struct run_record *record);

/**
 * run_record_end() - write everything
 * @document: NULL, or receives what became of it; NULL when nothing was recorded
 *
 * Return: CLI_OK, or CLI_FAILURE with the reason printed.
 */
int run_record_end(struct run_record *record, json_t **document);

/** run_record_show() - the document as a line of text; NULL is allowed */
void run_record_show(const json_t *document);

#endif /* MLS_CLI_RUN_RECORD_H */
