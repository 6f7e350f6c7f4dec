// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched bench load: how long it takes to load a model, all checks included,
 * and how much memory `mlsched predict` needs for it at most.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/harness.h"
#include "src/cli/bench_load.h"
#include "src/cli/bench_runtimes.h"
#include "src/cli/cli.h"
#include "src/util/clock.h"

#define DEFAULT_MODEL "src/model_dir/model_path"
#define MAX_LOADS     100000
#define MAX_CPU       (1 << 20)

enum { OPTION_LOADS = 0x200, OPTION_CPU };

struct load_options {
	struct cli_common common;
	struct bench_choice choice;
	const char **models; /* [n_models] */
	size_t n_models;
	uint32_t n_loads;
	int cpu; /* -1: the last one */
};

struct load_result {
	double min_us, median_us;
	long peak_kb; /* -1: not measured */
	uint64_t bytes; /* of all files */
	char network[128];
};

static const struct argp_option options[] = {
	{ "loads", OPTION_LOADS, "N", 0, "How often each model is loaded (1000)", 0 },
	{ "cpu", OPTION_CPU, "N", 0, "CPU to measure on (the last one)", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct load_options *o = state->input;
	char *end;
	long n;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->common;
		state->child_inputs[1] = &o->choice;
		return 0;
	case OPTION_LOADS:
		n = strtol(arg, &end, 10);
		if (end == arg || *end || n < 1 || n > MAX_LOADS)
			argp_error(state,
				   "--loads: expected a whole number from 1 to %d, got \"%s\"",
				   MAX_LOADS, arg);
		o->n_loads = (uint32_t)n;
		return 0;
	case OPTION_CPU:
		n = strtol(arg, &end, 10);
		if (end == arg || *end || n < 0 || n > MAX_CPU)
			argp_error(state, "--cpu: expected a number from 0 on, got \"%s\"", arg);
		o->cpu = (int)n;
		return 0;
	case ARGP_KEY_ARGS:
		o->models = (const char **)state->argv + state->next;
		o->n_models = (size_t)(state->argc - state->next);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = {
	{ &cli_common_argp, 0, NULL, 0 },
	{ &bench_runtimes_argp, 0, NULL, 0 },
	{ 0 },
};
static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "[MODEL...]",
	.doc = "Loads each MODEL (" DEFAULT_MODEL " if none is named) many times, all checks "
	       "included, and runs `mlsched predict` on one row to see its peak memory.  With "
	       "--engine also loads each of them, or the networks of random weights that "
	       "bench inference has, in that runtime, in a process of its own.\v"
	       "EXAMPLES\n  mlsched bench load\n"
	       "  mlsched bench load --engine all\n"
	       "  mlsched bench load tests/golden/savedmodel/models/*/model\n",
	.children = children,
};

static double now_us(void)
{
	return (double)mls_now_ns() / 1e3;
}

static uint64_t bytes_of(const char *model)
{
	static const char *const names[] = {
		"saved_model.pb",
		"variables/variables.index",
		"variables/variables.data-00000-of-00001",
		"assets/mlsched.json",
	};
	uint64_t sum = 0;
	struct stat st;

	if (stat(model, &st) == 0 && S_ISREG(st.st_mode))
		return (uint64_t)st.st_size;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/%s", model, names[i]);
		if (stat(path, &st) == 0)
			sum += (uint64_t)st.st_size;
	}
	return sum;
}

static void describe(const struct mlsched_model *model, char *text, size_t size)
{
	struct mlsched_layer layer;

	snprintf(text, size, "%u", mlsched_model_inputs(model));
	for (uint32_t i = 0; mlsched_model_layer(model, i, &layer) == 0; i++)
		snprintf(text + strlen(text), size - strlen(text), "-%u", layer.n_out);
}

static int time_loads(const struct load_options *o, const char *path, struct load_result *result)
{
	double *times = calloc(o->n_loads, sizeof(*times));
	struct mlsched_error err;

	if (!times)
		return cli_fail(&o->common, "no memory for %u times", o->n_loads);
	for (uint32_t i = 0; i < o->n_loads; i++) {
		struct mlsched_model *model;
		double start = now_us();

		if (mlsched_model_load(path, &err, &model) != 0) {
			free(times);
			return cli_fail(&o->common, "%s", err.message);
		}
		times[i] = now_us() - start;
		if (i == 0)
			describe(model, result->network, sizeof(result->network));
		mlsched_model_free(model);
	}
	result->median_us = bench_sorted_median(times, o->n_loads);
	result->min_us = times[0];
	free(times);
	return CLI_OK;
}

/* The child: `mlsched predict --json MODEL`, which prints a row's outputs as soon as it has them. */
static void exec_predict(const char *path, int input, int output)
{
	dup2(input, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	execl("/proc/self/exe", "mlsched", "predict", "--json", path, (char *)NULL);
	_exit(127);
}

/*
 * Peak resident memory of a whole `mlsched predict` of one row.  Not ru_maxrss:
 * that would count this process too, in whose memory the child begins.
 */
static long peak_of_predict(const char *path, uint32_t n_inputs)
{
	char row[2 * MLSCHED_MAX_WIDTH + 1] = "";
	int in[2], out[2], status;
	long peak = -1;
	ssize_t wrote;
	pid_t child;
	char byte;

	for (uint32_t i = 0; i < n_inputs; i++)
		memcpy(row + 2 * (size_t)i, "0 ", 3);
	row[2 * n_inputs - 1] = '\n';
	if (pipe2(in, O_CLOEXEC) != 0)
		return -1;
	if (pipe2(out, O_CLOEXEC) != 0) {
		close(in[0]);
		close(in[1]);
		return -1;
	}
	/* Before there is a reader that could be gone; the pipe holds one row. */
	wrote = write(in[1], row, strlen(row));
	child = fork();
	if (child == 0)
		exec_predict(path, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	/* With its first byte of output it has done all that it does, and waits for the next row. */
	if (child > 0 && wrote > 0 && read(out[0], &byte, 1) == 1)
		peak = bench_peak_of(child);
	close(in[1]);
	close(out[0]);
	if (child > 0)
		waitpid(child, &status, 0);
	return peak;
}

static int measure(const struct load_options *o, const char *path, struct load_result *result)
{
	int status = time_loads(o, path, result);

	if (status)
		return status;
	result->bytes = bytes_of(path);
	result->peak_kb = peak_of_predict(path, (uint32_t)atoi(result->network));
	return CLI_OK;
}

static void print_result(const struct load_options *o, const char *path,
			 const struct load_result *r)
{
	if (o->common.json) {
		cli_json(json_pack("{s:s, s:s, s:i, s:I, s:i, s:f, s:f, s:o}", "model", path,
				   "network", r->network, "cpu", o->cpu, "bytes",
				   (json_int_t)r->bytes, "loads", (int)o->n_loads, "min_us",
				   r->min_us, "median_us", r->median_us, "predict_peak_kb",
				   r->peak_kb < 0 ? json_null() : json_integer(r->peak_kb)));
		return;
	}
	printf("%-14s  %9llu  %10.1f  %10.1f  ", r->network, (unsigned long long)r->bytes,
	       r->min_us, r->median_us);
	if (r->peak_kb < 0)
		printf("%12s", "-");
	else
		printf("%12.1f", (double)r->peak_kb / 1024);
	printf("  %s\n", path);
}

int cli_bench_load(int argc, char **argv)
{
	static const char *default_models[] = { DEFAULT_MODEL };
	struct load_options o = { .common.command = argv[0], .n_loads = 1000, .cpu = -1 };
	int status = CLI_OK, cpu;

	if (cli_parse(&argp, argc, argv, &o) != 0)
		return CLI_USAGE;
	cpu = bench_pin(o.cpu);
	if (cpu < 0)
		return cli_fail(&o.common, "cannot run on CPU %d: %s", o.cpu, strerror(-cpu));
	o.cpu = cpu;
	if (!o.common.json)
		printf("CPU %d, everything that is measured\n", cpu);
	if (o.n_models == 0 && o.choice.named)
		return bench_load_runtimes(&o.common, &o.choice, NULL, 0, o.n_loads);
	if (o.n_models == 0) {
		o.models = default_models;
		o.n_models = 1;
	}
	for (size_t i = 0; i < o.n_models && status == CLI_OK; i++) {
		struct load_result result = { 0 };

		status = measure(&o, o.models[i], &result);
		if (status != CLI_OK)
			break;
		if (i == 0 && !o.common.json)
			printf("%-14s  %9s  %10s  %10s  %12s  %s\n", "network", "bytes", "min us",
			       "median us", "predict MB", "model");
		print_result(&o, o.models[i], &result);
	}
	if (status == CLI_OK && o.choice.named && !o.common.json)
		putchar('\n');
	if (status == CLI_OK && o.choice.named)
		status = bench_load_runtimes(&o.common, &o.choice, o.models, o.n_models, o.n_loads);
	return status;
}
