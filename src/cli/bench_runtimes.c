// SPDX-License-Identifier: GPL-2.0
/*
 * The options of bench_runtimes.h.
 */
#include <string.h>

#include "src/cli/bench_runtimes.h"

enum { OPTION_ENGINE = 0x300, OPTION_FROM };

/* Names of files are those that the runtimes' types say. */
static const struct argp_option options[] = {
	{ "engine", OPTION_ENGINE, "NAME", 0,
	  "Measure this runtime beside ours: openblas, tensorflow, onnxruntime, litert, pytorch, "
	  "torchscript, native (none of them) or all; may be given more than once",
	  0 },
	{ "openblas-library", OPTION_FROM, "PATH", 0, "libopenblas.so.0 (looked for)", 0 },
	{ "tensorflow-library", OPTION_FROM + 1, "PATH", 0,
	  "libtensorflow.so.2, or libtensorflow_cc.so.2 of a Python package (looked for)", 0 },
	{ "onnxruntime-library", OPTION_FROM + 2, "PATH", 0,
	  "libonnxruntime.so.1, or that of a Python package (looked for)", 0 },
	{ "litert-library", OPTION_FROM + 3, "PATH", 0,
	  "libLiteRt.so of the Python package ai-edge-litert (looked for)", 0 },
	{ "pytorch-python", OPTION_FROM + 4, "PATH", 0,
	  "A Python that has PyTorch (/usr/bin/python3)", 0 },
	{ 0 },
};

static size_t index_of(const struct bench_runtime_type *type)
{
	for (size_t i = 0; i < BENCH_RUNTIMES; i++) {
		if (bench_runtimes[i] == type)
			return i;
	}
	return 0;
}

void bench_choice_all(struct bench_choice *choice)
{
	for (size_t i = 0; i < BENCH_RUNTIMES; i++)
		choice->wanted[i] = true;
}

bool bench_choice_has(const struct bench_choice *choice, const struct bench_runtime_type *type)
{
	return choice->wanted[index_of(type)];
}

const char *bench_choice_from(const struct bench_choice *choice,
			      const struct bench_runtime_type *type)
{
	return choice->from[index_of(type)];
}

static int choose(struct bench_choice *choice, const char *name)
{
	choice->named = true;
	if (strcmp(name, "native") == 0)
		return 0;
	if (strcmp(name, "all") == 0) {
		bench_choice_all(choice);
		return 0;
	}
	for (size_t i = 0; i < BENCH_RUNTIMES; i++) {
		if (strcmp(name, bench_runtimes[i]->key) != 0)
			continue;
		choice->wanted[i] = true;
		return 0;
	}
	return -1;
}

static int take_file(struct bench_choice *choice, int key, const char *file)
{
	for (const struct argp_option *o = options; o->name; o++) {
		if (o->key != key)
			continue;
		/* Runtimes that share an option share the file. */
		for (size_t i = 0; i < BENCH_RUNTIMES; i++) {
			if (strcmp(bench_runtimes[i]->option, o->name) == 0)
				choice->from[i] = file;
		}
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	if (key != OPTION_ENGINE)
		return take_file(state->input, key, arg);
	if (choose(state->input, arg) != 0)
		argp_error(state,
			   "--engine: expected native, all or one of the runtimes that --help "
			   "names, got \"%s\"",
			   arg);
	return 0;
}

const struct argp bench_runtimes_argp = { .options = options, .parser = parse };
