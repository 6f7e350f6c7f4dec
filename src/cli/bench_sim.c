// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched bench sim: how many events a second the simulator deals with on one core, and
 * what an event costs on a machine with many CPUs against one with few.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "src/cli/cli.h"
#include "src/sim/sweep.h"
#include "src/util/array.h"

enum { OPTION_RUNS = 0x200, OPTION_SIMULATED };

struct bench_sim_options {
	struct cli_common common;
	uint32_t runs;
	uint32_t simulated; /* ms */
};

static const struct argp_option options[] = {
	{ "runs", OPTION_RUNS, "N", 0, "Of which the best counts (5)", 0 },
	{ "simulated", OPTION_SIMULATED, "MS", 0, "Time that is simulated in each (1000)", 0 },
	{ 0 },
};

static uint32_t number(struct argp_state *state, const char *what, const char *text, long most)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || n < 1 || n > most)
		argp_error(state, "--%s: expected a number from 1 to %ld, got \"%s\"", what, most,
			   text);
	return (uint32_t)n;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct bench_sim_options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->common;
		return 0;
	case OPTION_RUNS:
		o->runs = number(state, "runs", arg, 1000);
		return 0;
	case OPTION_SIMULATED:
		o->simulated = number(state, "simulated", arg, 1000000);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = { { &cli_common_argp, 0, NULL, 0 }, { 0 } };
static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "",
	.doc = "Measures events a second of the simulator on one core: 25 tasks for each CPU that "
	       "come and go, under each policy, on 8, 128 and 1,024 CPUs.",
	.children = children,
};

static const char *const machines[] = { "8c2l", "128c16l2n", "1024c64l16n" };
static const struct sim_policy *const policies[] = { &sim_policy_eevdf, &sim_policy_mlsched };

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* The best of a few runs: what else runs here only makes it slower. */
static int measure(const struct bench_sim_options *o, const char *machine_name,
		   const struct sim_policy *policy, double *ns)
{
	const struct sim_options limit = { .limit = o->simulated * SIM_MS };
	struct sim_workload *workload = malloc(sizeof(*workload));
	struct sim_machine machine;
	int ret = workload ? sim_machine_parse(&machine, machine_name, NULL) : -ENOMEM;

	*ns = 0;
	if (!ret)
		ret = sim_workload_make(workload, "server", machine.n_cpus, NULL);
	for (uint32_t run = 0; run < o->runs && !ret; run++) {
		struct sim *s = sim_new(&machine, workload, policy, &limit, 1, NULL);
		double begin, each;

		if (!s) {
			ret = -ENOMEM;
			break;
		}
		begin = now();
		sim_run(s, SIM_NEVER - 1);
		each = (now() - begin) * 1e9 / (double)s->events;
		if (!run || each < *ns)
			*ns = each;
		sim_free(s);
	}
	free(workload);
	return ret;
}

int cli_bench_sim(int argc, char **argv)
{
	struct bench_sim_options o = { .common.command = argv[0], .runs = 5, .simulated = 1000 };
	json_t *list = json_array();

	if (cli_parse(&argp, argc, argv, &o) != 0)
		return CLI_USAGE;
	if (!o.common.json)
		printf("%-10s %-14s %8s %14s %12s\n", "policy", "machine", "tasks", "M events/s",
		       "ns an event");
	for (size_t p = 0; p < ARRAY_SIZE(policies); p++) {
		for (size_t m = 0; m < ARRAY_SIZE(machines); m++) {
			int tasks = 25 * atoi(machines[m]);
			double ns;

			if (measure(&o, machines[m], policies[p], &ns) != 0) {
				json_decref(list);
				return cli_fail(&o.common, "no memory");
			}
			json_array_append_new(list,
					      json_pack("{s:s, s:s, s:i, s:f}", "policy",
							policies[p]->name, "machine", machines[m],
							"tasks", tasks, "ns_per_event", ns));
			if (!o.common.json)
				printf("%-10s %-14s %8d %14.2f %12.0f\n", policies[p]->name,
				       machines[m], tasks, 1e3 / ns, ns);
		}
	}
	if (o.common.json)
		cli_json(list);
	else
		json_decref(list);
	return CLI_OK;
}
