/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the subcommands share: the table of commands, the options that every
 * one of them takes, messages, and the one way to print JSON.
 */
#ifndef MLS_CLI_H
#define MLS_CLI_H

#include <argp.h>
#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

#include <mlsched/mlsched.h>

/* Exit statuses (design section 4). */
#define CLI_OK      0
#define CLI_FAILURE 1
#define CLI_USAGE   2

/* Options that every command takes; filled in by cli_common_argp. */
struct cli_common {
	const char *command; /* "mlsched predict": for messages */
	bool json;
	int verbosity; /* -1 with -q, 0, 1 or more with each -v */
};

/* A child parser for --json, -q and -v; its input is a struct cli_common. */
extern const struct argp cli_common_argp;

/**
 * struct cli_command - one subcommand
 * @name:    as typed
 * @summary: for `mlsched --help`
 * @run:     gets argv with argv[0] being "mlsched NAME"; returns an exit status
 */
struct cli_command {
	const char *name;
	const char *summary;
	int (*run)(int argc, char **argv);
};

int cli_assess(int argc, char **argv);
int cli_bench(int argc, char **argv);
int cli_bench_inference(int argc, char **argv);
int cli_bench_kernel(int argc, char **argv);
int cli_bench_load(int argc, char **argv);
int cli_bench_record(int argc, char **argv);
int cli_bench_sim(int argc, char **argv);
int cli_bench_train(int argc, char **argv);
int cli_bench_verifier(int argc, char **argv);
int cli_convert(int argc, char **argv);
int cli_eval(int argc, char **argv);
int cli_inspect(int argc, char **argv);
int cli_label(int argc, char **argv);
int cli_model(int argc, char **argv);
int cli_predict(int argc, char **argv);
int cli_record(int argc, char **argv);
int cli_run(int argc, char **argv);
int cli_sim(int argc, char **argv);
int cli_stats(int argc, char **argv);
int cli_top(int argc, char **argv);
int cli_train(int argc, char **argv);

/**
 * cli_parse() - argp_parse() that ends a usage error with status 2
 * @common: also filled in; its command is argv[0]
 *
 * The parser of the command must have cli_common_argp as a child and pass
 * @common on to it (cli_common_child()).
 */
int cli_parse(const struct argp *argp, int argc, char **argv, void *input);

/** cli_file_name() - the last part of a path, which may end with a slash: then all of it */
const char *cli_file_name(const char *path);

/** cli_real() - a number of an option, from @low to @high; anything else is a usage error */
double cli_real(struct argp_state *state, const char *option, const char *text, double low,
		double high);

/**
 * cli_fail() - say what went wrong, as text on standard error or as JSON on
 *              standard output when --json was given
 *
 * Return: CLI_FAILURE.
 */
int cli_fail(const struct cli_common *common, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * cli_may_write() - asked before the work: whether the file that is to hold its result can be written
 * @option: for the message: "--csv"
 * @path:   of the file; NULL and "-" (standard output) may always be
 * @inputs: [@n] files that the command reads, which it must not write over by whatever name;
 *          NULL and what is no file's name are passed over
 *
 * Return: CLI_OK, or CLI_FAILURE after a message.
 */
int cli_may_write(const struct cli_common *common, const char *option, const char *path,
		  const char *const *inputs, uint32_t n);

/** cli_note() - a message for a person on standard error, unless -q */
void cli_note(const struct cli_common *common, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * cli_text_json() - a string of JSON; what is not UTF-8, as names of files may be, becomes '?'
 *
 * Return: owned by the caller; NULL: no memory.
 */
json_t *cli_text_json(const char *text);

/** cli_json() - print one JSON document in one line and free it */
void cli_json(json_t *document);

/** cli_json_pretty() - print one JSON document indented and free it */
void cli_json_pretty(json_t *document);

#endif /* MLS_CLI_H */
