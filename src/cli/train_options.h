/* SPDX-License-Identifier: GPL-2.0 */
/* The options of `mlsched train`, parsed: train.c and train_options.c. */
#ifndef MLS_CLI_TRAIN_OPTIONS_H
#define MLS_CLI_TRAIN_OPTIONS_H

#include "src/cli/cli.h"
#include "src/data/dataset.h"
#include "src/data/label.h"
#include "src/nn/train/train.h"
#include "src/sim/label.h"
#include "src/sim/engine.h"

/* Exit statuses of a refinement that is not written: worse, for all that is known; nobody can tell. */
#define CLI_WORSE       3
#define CLI_NO_ESTIMATE 4

/* What `mlsched train --from sim` simulates; lists are of names between commas. */
struct cli_train_sim {
	const char *machines;
	const char *workloads;
	const char *costs;
	uint32_t runs; /* of each workload on each machine in a round */
	uint32_t rounds;
	uint32_t futures;
	double move_price[SIM_LOADS]; /* us of useful work */
	uint32_t price_most;
	double wait_price; /* us, of a wait of 1 ms; others by the square */
	struct sim_tuning tuning;
};

/* What `mlsched train --from FILE.db --init MODEL` takes. */
struct cli_train_recording {
	const char *path; /* or NULL */
	const char *init;
	struct mls_label_options label;
	double margin; /* us a decision */
};

struct cli_train_options {
	struct cli_common common;
	bool from_sim;
	struct cli_train_sim sim;
	struct cli_train_recording recording;
	uint64_t given; /* a bit for each option */
	uint32_t n_activations; /* names on the command line */
	const char *data; /* CSV file, or NULL */
	const char *synthetic; /* name of a schema, or NULL */
	uint32_t n_rows; /* synthetic rows */
	const char *output;
	const char *write_csv;
	const char *schema;
	const char *label;
	const char *checkpoint;
	uint32_t checkpoint_every; /* epochs */
	bool resume;
	double validation;
	enum mls_split_kind split;
	float threshold; /* probability; NAN: the best on validation rows, or in simulated runs */
	bool auto_class_weight;
	uint32_t n_threads;
	struct mls_train_options train;
};

/** cli_train_from_sim() - all of it; returns an exit status */
int cli_train_from_sim(const struct cli_train_options *o);

/**
 * cli_train_from_recording() - go on training a model with a recording
 *
 * Return: an exit status; CLI_WORSE and CLI_NO_ESTIMATE with nothing written.
 */
int cli_train_from_recording(const struct cli_train_options *o);

/** cli_train_parse() - argv into @options; returns 0 or ends the process with a usage error */
int cli_train_parse(int argc, char **argv, struct cli_train_options *options);

/** cli_parse_activation() - "relu" to MLSCHED_RELU; returns false for no such name */
bool cli_parse_activation(const char *name, enum mlsched_activation *activation);

#endif /* MLS_CLI_TRAIN_OPTIONS_H */
