// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched bench: finds the benchmark and hands over.
 */
#include <stdio.h>
#include <string.h>

#include "src/cli/cli.h"
#include "src/util/array.h"

static const struct cli_command benchmarks[] = {
	{ "inference", "one forward pass by every path, beside its arithmetic bound",
	  cli_bench_inference },
	{ "kernel", "the network inside the running kernel, and its features", cli_bench_kernel },
	{ "load", "time to load a model, peak memory of predict", cli_bench_load },
	{ "record", "decisions a second that a recording takes", cli_bench_record },
	{ "sim", "events a second of the simulator, on few and on many CPUs", cli_bench_sim },
	{ "train", "rows a second of training, against Keras", cli_bench_train },
	{ "verifier", "what the kernel's verifier does for each BPF program", cli_bench_verifier },
};

static void print_help(FILE *stream)
{
	fprintf(stream, "Usage: mlsched bench BENCHMARK [OPTION...]\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(benchmarks); i++)
		fprintf(stream, "  %-10s %s\n", benchmarks[i].name, benchmarks[i].summary);
	fprintf(stream, "\n`mlsched bench BENCHMARK --help` describes its options.\n");
}

int cli_bench(int argc, char **argv)
{
	char name[64];

	if (argc < 2) {
		print_help(stderr);
		return CLI_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_help(stdout);
		return CLI_OK;
	}
	for (size_t i = 0; i < ARRAY_SIZE(benchmarks); i++) {
		if (strcmp(argv[1], benchmarks[i].name) != 0)
			continue;
		snprintf(name, sizeof(name), "mlsched bench %s", benchmarks[i].name);
		argv[1] = name;
		return benchmarks[i].run(argc - 1, argv + 1);
	}
	fprintf(stderr, "mlsched bench: %s: no such benchmark; `mlsched bench --help` lists them\n",
		argv[1]);
	return CLI_USAGE;
}
