// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched: finds the subcommand and hands over.  By the name scx_mlsched it is
 * `mlsched run`, as other schedulers for sched_ext are programs of their own.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/cli/cli.h"
#include "src/util/array.h"

static const struct cli_command commands[] = {
	{ "assess", "what there is to win on this machine and load", cli_assess },
	{ "bench", "tables against peers: inference, load, train", cli_bench },
	{ "convert", "a model from one format into another", cli_convert },
	{ "eval", "an honest judgement of a model on labelled rows", cli_eval },
	{ "inspect", "what a model is and where it comes from", cli_inspect },
	{ "label", "from a recording to labelled rows", cli_label },
	{ "model", "change the model of a running scheduler, or its mode", cli_model },
	{ "predict", "outputs of a model for rows of numbers on standard input", cli_predict },
	{ "record", "the kernel's migrations and what came of them, into a file", cli_record },
	{ "run", "schedule with a model, or judge the kernel's own migrations by it", cli_run },
	{ "sim", "schedulers side by side on simulated machines", cli_sim },
	{ "stats", "counters of a running scheduler", cli_stats },
	{ "top", "a live view of a running scheduler", cli_top },
	{ "train", "from labelled rows to a model", cli_train },
};

/*
 * What /etc/default/scx names as SCX_SCHEDULER is a program, to which the
 * distributions' services hand SCX_FLAGS and nothing else.
 */
#define SCHEDULER_NAME "scx_mlsched"

#define SCHEDULER_MODEL "/var/lib/mlsched/model"

static int run_as_scheduler(int argc, char **argv)
{
	/* In front of its arguments, which therefore win. */
	const char *defaults[5] = { "--backend", "scx" };
	size_t n = 2;
	char **args;
	int status;

	/* Without one of the machine's own the model that was installed with the program decides. */
	if (access(SCHEDULER_MODEL, F_OK) == 0 || errno != ENOENT) {
		defaults[n++] = "--model";
		defaults[n++] = SCHEDULER_MODEL;
	}
	/* In a journal nobody wants a line a second. */
	if (!isatty(STDOUT_FILENO))
		defaults[n++] = "--quiet";
	args = calloc((size_t)argc + n + 1, sizeof(*args));
	if (!args) {
		fprintf(stderr, SCHEDULER_NAME ": no memory\n");
		return CLI_FAILURE;
	}
	args[0] = (char[]){ SCHEDULER_NAME };
	memcpy(args + 1, defaults, n * sizeof(*args));
	memcpy(args + 1 + n, argv + 1, (size_t)(argc - 1) * sizeof(*args));
	status = cli_run(argc + (int)n, args);
	free(args);
	return status;
}

static void print_help(FILE *stream)
{
	fprintf(stream, "Usage: mlsched COMMAND [OPTION...]\n\n"
			"Learned migration decisions for the Linux scheduler.\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(stream, "  %-10s %s\n", commands[i].name, commands[i].summary);
	fprintf(stream, "\n`mlsched COMMAND --help` describes the options of a command.\n");
}

/*
 * Without this the first file that a command opens would become its closed
 * standard output, and take what is printed.  Opened against its direction a
 * stream still fails when it is used.
 */
static void hold_standard_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
		    open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			_exit(CLI_FAILURE);
	}
}

/* Output that a full disk swallowed is no success; at exit, since argp leaves by exit() too. */
static void check_output(void)
{
	bool failed = ferror(stdout) != 0;

	errno = 0;
	if (fflush(stdout) == 0 && !failed)
		return;
	fprintf(stderr, "mlsched: cannot write to standard output%s%s\n", errno ? ": " : "",
		errno ? strerror(errno) : "");
	_exit(CLI_FAILURE);
}

int main(int argc, char **argv)
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
	bool scheduler = argc > 0 && strcmp(slash ? slash + 1 : argv[0], SCHEDULER_NAME) == 0;
	char name[64];

	hold_standard_streams();
	atexit(check_output);
	if (scheduler && (argc != 2 || strcmp(argv[1], "--version") != 0))
		return run_as_scheduler(argc, argv);
	if (argc < 2) {
		print_help(stderr);
		return CLI_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		print_help(stdout);
		return CLI_OK;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		printf("mlsched %s\n", mlsched_version());
		return CLI_OK;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		snprintf(name, sizeof(name), "mlsched %s", commands[i].name);
		argv[1] = name;
		return commands[i].run(argc - 1, argv + 1);
	}
	fprintf(stderr, "mlsched: %s: no such command; `mlsched --help` lists them\n", argv[1]);
	return CLI_USAGE;
}
