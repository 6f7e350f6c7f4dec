// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched: finds the subcommand and hands over.
 */
#include <stdio.h>
#include <string.h>

#include "src/cli/cli.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const struct cli_command commands[] = {
	{ "bench", "tables against peers: inference, load, train", cli_bench },
	{ "convert", "a model from one format into another", cli_convert },
	{ "eval", "an honest judgement of a model on labelled rows", cli_eval },
	{ "inspect", "what a model is and where it comes from", cli_inspect },
	{ "predict", "outputs of a model for rows of numbers on standard input", cli_predict },
	{ "run", "judge the migrations of the running kernel by a model", cli_run },
	{ "train", "from labelled rows to a model", cli_train },
};

static void print_help(FILE *stream)
{
	fprintf(stream, "Usage: mlsched COMMAND [OPTION...]\n\n"
			"Learned migration decisions for the Linux scheduler.\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(stream, "  %-10s %s\n", commands[i].name, commands[i].summary);
	fprintf(stream, "\n`mlsched COMMAND --help` describes the options of a command.\n");
}

int main(int argc, char **argv)
{
	char name[64];

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
