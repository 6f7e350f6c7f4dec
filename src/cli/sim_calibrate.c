// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched sim calibrate: what moves cost on this machine, by distance and working set, as
 * a file that `mlsched sim --costs FILE` takes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "src/cli/progress.h"
#include "src/cli/sim.h"
#include "src/formats/replace.h"
#include "src/host/topology.h"
#include "src/sim/calibrate.h"
#include "src/util/array.h"

enum { OPTION_ROUNDS = 0x200, OPTION_MOST };

struct calibrate_options {
	struct cli_common common;
	const char *output;
	uint32_t rounds;
	uint32_t most; /* KiB */
};

static const struct argp_option options[] = {
	{ "output", 'o', "FILE", 0, "Write the costs, for mlsched sim --costs FILE", 0 },
	{ "rounds", OPTION_ROUNDS, "N", 0, "Moves of each working set (101)", 0 },
	{ "most", OPTION_MOST, "KIB", 0, "Largest working set (2048)", 0 },
	{ 0 },
};

static uint32_t number(struct argp_state *state, const char *what, const char *text, long least,
		       long most)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || n < least || n > most)
		argp_error(state, "--%s: expected a number from %ld to %ld, got \"%s\"", what,
			   least, most, text);
	return (uint32_t)n;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct calibrate_options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->common;
		return 0;
	case 'o':
		o->output = arg;
		return 0;
	case OPTION_ROUNDS:
		o->rounds = number(state, "rounds", arg, 1, 100000);
		return 0;
	case OPTION_MOST:
		o->most = number(state, "most", arg, 32, 1 << 20);
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
	.doc = "Measures how much longer a program needs for its working set once, after it has moved "
	       "to another CPU: line after line, and by pointers.\v"
	       "What else runs makes it longer: the lower quartile counts.\n\n"
	       "EXAMPLES\n  mlsched sim calibrate -o costs.json\n  mlsched sim --costs costs.json\n",
	.children = children,
};

static const char *const walk_names[SIM_WALKS] = { "stream", "chase" };
static const char *const distance_names[SIM_DISTANCES] = { "stays", "same cache", "other cache",
							   "other node" };

/* The first CPU that is so far from @src; SIM_MAX_CPUS: there is none. */
static uint32_t cpu_at(const struct mls_topology *t, uint32_t src, enum sim_distance far)
{
	for (uint32_t cpu = 0; cpu < t->n_cpus && cpu < SIM_MAX_CPUS; cpu++) {
		const struct mls_cpu *a = &t->cpus[src], *b = &t->cpus[cpu];
		enum sim_distance is = cpu == src           ? SIM_SAME :
				       a->cache == b->cache ? SIM_NEAR :
				       a->node == b->node   ? SIM_NODE :
							      SIM_FAR;

		/* A thread of the same core has the same caches. */
		if (b->online && is == far && (far == SIM_SAME || a->core != b->core))
			return cpu;
	}
	return SIM_MAX_CPUS;
}

/* Percent: so far apart are quartiles on a machine with nothing else to do at the most. */
#define DISTURBED 50

struct measured {
	struct sim_refill row[SIM_DISTANCES * SIM_WALKS * 24];
	uint32_t n;
};

static int measure_all(const struct calibrate_options *o, const struct mls_topology *t,
		       struct measured *m)
{
	uint32_t src = cpu_at(t, 0, SIM_SAME);
	struct mlsched_error err;

	for (enum sim_distance far = SIM_NEAR; far < SIM_DISTANCES; far++) {
		uint32_t dst = cpu_at(t, src, far);

		if (dst == SIM_MAX_CPUS)
			continue;
		for (enum sim_walk walk = 0; walk < SIM_WALKS; walk++) {
			for (uint32_t kib = 32; kib <= o->most && m->n < ARRAY_SIZE(m->row);
			     kib *= 2) {
				struct sim_refill *r = &m->row[m->n++];

				*r = (struct sim_refill){ .kib = kib, .walk = walk, .far = far };
				if (sim_measure_refill(src, dst, o->rounds, r, &err) != 0)
					return cli_fail(&o->common, "%s", err.message);
			}
		}
	}
	return m->n ? 0 : cli_fail(&o->common, "no other core is online: nothing can move");
}

/* What costs are made of: one distance, and working sets that a core's own cache may hold. */
static bool counts(const struct sim_refill *r, enum sim_distance far)
{
	return r->far == far && r->kib <= sim_costs_default().private_kib / 2;
}

static bool is_measured(const struct measured *m, enum sim_distance far)
{
	for (uint32_t i = 0; i < m->n; i++)
		if (counts(&m->row[i], far))
			return true;
	return false;
}

/*
 * ns for each KiB: of the working sets up to what a core's own cache may hold, the mean of
 * both walks.  Distances that this machine has not are as much dearer than the one before
 * as with the costs that are built in.
 */
static struct sim_costs costs_of(const struct measured *m)
{
	struct sim_costs costs = sim_costs_default(), built_in = costs;

	for (enum sim_distance far = SIM_NEAR; far < SIM_DISTANCES; far++) {
		double sum = 0;
		uint32_t n = 0;

		for (uint32_t i = 0; i < m->n; i++) {
			if (!counts(&m->row[i], far))
				continue;
			sum += m->row[i].refill / m->row[i].kib;
			n++;
		}
		if (n)
			costs.refill_per_kib[far] = (uint32_t)(sum / n + 0.5);
		else if (far > SIM_NEAR)
			costs.refill_per_kib[far] =
				(uint32_t)((uint64_t)costs.refill_per_kib[far - 1] *
					   built_in.refill_per_kib[far] /
					   built_in.refill_per_kib[far - 1]);
		if (costs.refill_per_kib[far] < costs.refill_per_kib[far - 1] &&
		    (!n || is_measured(m, far - 1)))
			costs.refill_per_kib[far] = costs.refill_per_kib[far - 1];
	}
	return costs;
}

/* By how much of what a refill costs the upper quartile of the moves is beyond the lower, in percent. */
static double spread_of(const struct measured *m)
{
	double refill = 0, beyond = 0;

	for (uint32_t i = 0; i < m->n; i++) {
		const struct sim_refill *r = &m->row[i];

		if (!counts(r, r->far))
			continue;
		refill += r->refill / r->kib;
		beyond += (r->slow - r->moved) / r->kib;
	}
	return refill > 0 ? 100 * beyond / refill : 0;
}

static json_t *rows_json(const struct measured *m)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < m->n; i++) {
		const struct sim_refill *r = &m->row[i];

		json_array_append_new(list, json_pack("{s:s, s:s, s:i, s:f, s:f, s:f, s:f}",
						      "distance", distance_names[r->far], "walk",
						      walk_names[r->walk], "kib", (int)r->kib,
						      "warm_ns", r->warm, "moved_ns", r->moved,
						      "slow_ns", r->slow, "refill_ns", r->refill));
	}
	return list;
}

static void print_table(const struct measured *m, const struct sim_costs *costs)
{
	printf("%-12s %-7s %8s %12s %12s %12s %10s\n", "move to", "walk", "KiB", "warm us",
	       "moved us", "refill us", "ns a KiB");
	for (uint32_t i = 0; i < m->n; i++) {
		const struct sim_refill *r = &m->row[i];

		printf("%-12s %-7s %8u %12.1f %12.1f %12.1f %10.0f\n", distance_names[r->far],
		       walk_names[r->walk], r->kib, r->warm / 1e3, r->moved / 1e3, r->refill / 1e3,
		       r->refill / r->kib);
	}
	printf("\ncosts, ns a KiB:");
	for (enum sim_distance far = SIM_NEAR; far < SIM_DISTANCES; far++)
		printf("%s %u to %s%s", far == SIM_NEAR ? "" : ",", costs->refill_per_kib[far],
		       (const char *[]){ "", "a core of the same cache", "another cache",
					 "another node" }[far],
		       is_measured(m, far) ? "" :
		       far == SIM_NEAR     ? " (not here: built in)" :
					     " (not here: from the one before)");
	putchar('\n');
}

/* Those that this machine has. */
static json_t *distances_json(const struct measured *m)
{
	json_t *list = json_array();

	for (enum sim_distance far = SIM_NEAR; far < SIM_DISTANCES; far++)
		if (is_measured(m, far))
			json_array_append_new(list, json_string(distance_names[far]));
	return list;
}

int cli_sim_calibrate(int argc, char **argv)
{
	struct calibrate_options o = { .common.command = argv[0], .rounds = 101, .most = 2048 };
	struct mls_topology *topology;
	struct measured *m;
	struct mlsched_error err;
	struct sim_costs costs;
	json_t *document;
	double spread;
	int status = CLI_OK;

	if (cli_parse(&argp, argc, argv, &o) != 0)
		return CLI_USAGE;
	if (cli_may_write(&o.common, "--output", o.output, NULL, 0) != CLI_OK)
		return CLI_FAILURE;
	topology = malloc(sizeof(*topology));
	m = calloc(1, sizeof(*m));
	if (!topology || !m)
		status = cli_fail(&o.common, "no memory");
	else if (mls_topology_read("/sys", 0, topology, &err) != 0)
		status = cli_fail(&o.common, "%s", err.message);
	else
		status = measure_all(&o, topology, m);
	if (status)
		goto out;
	costs = costs_of(m);
	spread = spread_of(m);
	document = json_pack("{s:o, s:o, s:f, s:o}", "costs", cli_sim_costs_json(&costs),
			     "distances", distances_json(m), "spread_percent", spread, "measured",
			     rows_json(m));
	if (o.output && json_dump_file(document, o.output, JSON_INDENT(1)) != 0)
		status = cli_fail(&o.common, "%s: %s", o.output, strerror(errno));
	if (!status && o.common.json)
		cli_json(json_incref(document));
	else if (!status)
		print_table(m, &costs);
	json_decref(document);
	if (!status && spread > DISTURBED)
		cli_note(
			&o.common,
			"other work ran beside: a quarter of the moves took more than %.0f %% of a "
			"refill longer than what counts; these costs may be too high, measure again "
			"on a quiet machine",
			spread);
out:
	free(m);
	free(topology);
	return status;
}
