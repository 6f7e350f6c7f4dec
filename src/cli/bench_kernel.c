// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched bench kernel: what the network and its features cost inside the
 * running kernel, in cycles and nanoseconds, by the kernels for fixed shapes
 * and by the one for any network.
 *
 * Every logit is compared with user space's before anything is timed.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/in_kernel.h"
#include "src/cli/cli.h"
#include "src/cli/progress.h"
#include "src/nn/qnet.h"
#include "src/util/array.h"
#include "src/util/error.h"
#include "src/util/random.h"

#define N_ROWS  4096
#define SAMPLES 61
#define LOADS   5

enum { OPTION_CPU = 0x200, OPTION_LOADS, OPTION_SAMPLES };

struct kernel_options {
	struct cli_common common;
	int cpu;
	uint32_t loads;
	uint32_t samples;
};

static const struct argp_option options[] = {
	{ "cpu", OPTION_CPU, "N", 0, "CPU to measure on (the last one)", 0 },
	{ "loads", OPTION_LOADS, "N", 0,
	  "How often the object is loaded, each time to other addresses; the best counts (5)", 0 },
	{ "samples", OPTION_SAMPLES, "N", 0,
	  "Samples of each row in each load, of which the lowest but two of 61 counts (61)", 0 },
	{ 0 },
};

static uint32_t number(const char *option, const char *arg, long least, long most,
		       struct argp_state *state)
{
	char *end;
	long value = strtol(arg, &end, 10);

	if (end == arg || *end || value < least || value > most)
		argp_error(state, "--%s: expected a number from %ld to %ld, got \"%s\"", option,
			   least, most, arg);
	return (uint32_t)value;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct kernel_options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->common;
		return 0;
	case OPTION_CPU:
		o->cpu = (int)number("cpu", arg, 0, 1 << 20, state);
		return 0;
	case OPTION_LOADS:
		o->loads = number("loads", arg, 1, 100, state);
		return 0;
	case OPTION_SAMPLES:
		o->samples = number("samples", arg, 1, 1001, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = { { &cli_common_argp, 0, NULL, 0 }, { 0 } };
static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "Measures the fixed-point network as a BPF program in the running kernel.\v"
	       "Needs root; attaches nothing.  A sample is a call into the kernel that computes "
	       "1,500 of 4,096 rows in pseudo-random order.  What the same loop costs with "
	       "nothing in it is measured beside it and subtracted.  A cycle is what one of a "
	       "chain of additions takes before and after each sample.  \"chained\": which row is "
	       "next depends on the last logit.",
	.children = children,
};

/* ---- networks ----------------------------------------------------------------------- */

/* A network, and cycles that it may take, 0: no such goal. */
struct subject {
	const char *name;
	uint32_t widths[4];
	uint32_t live; /* inputs that are not always zero */
	double active; /* share of the first hidden layer's units, 0: as they come */
	double goal;
};

static const struct subject subjects[] = {
	{ "10-64-64-1", { 10, 64, 64, 1 }, 10, 0.50, 1400 },
	{ "10-64-64-1", { 10, 64, 64, 1 }, 10, 0.33, 1100 },
	{ "10-64-64-1", { 10, 64, 64, 1 }, 10, 0.11, 0 },
	{ "10-64-64-1", { 10, 64, 64, 1 }, 5, 0.50, 0 },
	{ "10-64-64-1", { 10, 64, 64, 1 }, 5, 0.33, 0 },
	{ "10-64-64-1", { 10, 64, 64, 1 }, 5, 0.11, 0 },
	{ "15-64-64-1", { 15, 64, 64, 1 }, 15, 0.50, 0 },
	{ "15-64-64-1", { 15, 64, 64, 1 }, 15, 0.33, 0 },
	{ "15-64-64-1", { 15, 64, 64, 1 }, 15, 0.11, 0 },
	{ "15-10-1", { 15, 10, 1 }, 15, 0.50, 100 },
};

/* What is measured of one, by one of the kernels; cycles are the best of all loads. */
struct cell {
	double independent;
	double chained;
	double infer; /* with the conversion of its inputs */
	double worst; /* of the loads, independent */
};

struct row {
	struct mlsched_qmodel *q;
	int32_t *features;
	double active; /* as computed by the integers */
	uint32_t compared; /* logits with user space's, by both kernels */
	struct cell cells[2]; /* fixed, generic */
};

static int compare_floats(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

/* Biases with which each unit is above zero in the share of the rows that is asked for. */
static void set_biases(const struct subject *s, const float *weights, const float *rows,
		       float *bias)
{
	static float sums[N_ROWS];
	uint32_t n_in = s->widths[0];

	for (uint32_t u = 0; u < s->widths[1]; u++) {
		for (uint32_t r = 0; r < N_ROWS; r++) {
			sums[r] = 0;
			for (uint32_t i = 0; i < n_in; i++)
				sums[r] += weights[u * n_in + i] * rows[r * n_in + i];
		}
		qsort(sums, N_ROWS, sizeof(*sums), compare_floats);
		bias[u] = -sums[(size_t)((1 - s->active) * (N_ROWS - 1))];
	}
}

/* Weights are [units][inputs]; He-uniform, as bench inference has them. */
static int make_model(const struct subject *s, struct mls_random *random, const float *rows,
		      struct mlsched_error *err, struct mlsched_model **model)
{
	static float weights[3][64 * 64], bias[64];
	struct mlsched_layer layers[3];
	struct mlsched_model_desc desc = { .size = sizeof(desc), .layers = layers };

	for (uint32_t l = 0; l < 3 && s->widths[l + 1]; l++) {
		uint32_t n_in = s->widths[l], n_out = s->widths[l + 1];
		bool last = l == 2 || !s->widths[l + 2];

		for (uint32_t i = 0; i < n_in * n_out; i++)
			weights[l][i] =
				sqrtf(6.0f / (float)n_in) * (2 * mls_random_unit(random) - 1);
		layers[l] = (struct mlsched_layer){
			.n_in = n_in,
			.n_out = n_out,
			.activation = last ? MLSCHED_SIGMOID : MLSCHED_RELU,
			.weights = weights[l],
		};
		desc.n_layers++;
	}
	set_biases(s, weights[0], rows, bias);
	layers[0].bias = bias;
	return mlsched_model_create(&desc, err, model);
}

/* Units of the first hidden layer whose sums are not negative: those in the list. */
static double activity(const struct qnet_model *net, const int32_t *features)
{
	static s32 sums[QNET_MAX_HIDDEN * QNET_MAX_WIDTH];
	uint64_t active = 0;

	for (uint32_t r = 0; r < N_ROWS; r++) {
		s16 x[QNET_MAX_WIDTH];

		qnet_quantize_inputs(net, features + (size_t)r * net->n_inputs, x);
		qnet_sums(net, x, sums);
		for (uint32_t u = 0; u < net->hidden[0].n_out; u++)
			active += sums[u] >= 0;
	}
	return (double)active / N_ROWS / net->hidden[0].n_out;
}

static int prepare(const struct subject *s, struct row *row, struct mlsched_error *err)
{
	struct mlsched_quantize_opts opts = { .size = sizeof(opts), .min_agreement = 0.5 };
	size_t n_in = s->widths[0], n = N_ROWS * n_in;
	float *rows = malloc(n * sizeof(*rows));
	struct mlsched_model *model = NULL;
	struct mls_random random;
	int ret;

	row->features = malloc(n * sizeof(*row->features));
	if (!rows || !row->features) {
		ret = mls_error(err, -ENOMEM, "no memory for rows");
		goto out;
	}
	mls_random_seed(&random, 1, 0);
	for (size_t i = 0; i < n; i++) {
		rows[i] = i % n_in < s->live ? 2 * mls_random_unit(&random) - 1 : 0;
		row->features[i] = mlsched_feature_to_q16(rows[i]);
	}
	ret = make_model(s, &random, rows, err, &model);
	if (!ret)
		ret = mlsched_quantize(model, rows, N_ROWS, &opts, NULL, err, &row->q);
	if (!ret)
		row->active = activity(mls_qmodel_net(row->q), row->features);
out:
	mlsched_model_free(model);
	free(rows);
	return ret;
}

/* ---- measuring ---------------------------------------------------------------------- */

/* Machines whose features are filled in. */
struct machine {
	const char *name; /* NULL: this one */
	uint32_t cpus, domains, nodes;
	struct cost {
		double cycles;
		double worst;
	} costs[2]; /* of seed10, of mig15 */
};

struct results {
	const struct kernel_options *o;
	struct row rows[ARRAY_SIZE(subjects)];
	struct machine machines[4];
	double loop; /* cycles of the loop around the network, in the best load */
	double ghz;
	uint32_t load;
	struct cli_progress progress;
	double done;
};

static const struct machine all_machines[] = {
	{ "8 CPUs in 2 domains", 8, 2, 1, { { 0, 0 } } },
	{ "64 CPUs in 8 domains", 64, 8, 2, { { 0, 0 } } },
	{ "1024 CPUs in 64 domains", 1024, 64, 16, { { 0, 0 } } },
};

static int measure(struct results *all, struct bench_object *object, enum bench_in_kernel what,
		   bool chained, double *best, double *worst, struct mlsched_error *err)
{
	struct bench_net net;
	int ret = bench_object_measure(object, what, chained, all->o->samples, &net, err);

	if (ret)
		return ret;
	if (!all->load || net.cycles < *best)
		*best = net.cycles;
	if (worst && (!all->load || net.cycles > *worst))
		*worst = net.cycles;
	if (what == BENCH_NETWORK && !chained && (all->loop <= 0 || net.loop_cycles < all->loop))
		all->loop = net.loop_cycles;
	if (net.ghz > all->ghz)
		all->ghz = net.ghz;
	all->done++;
	cli_progress_update(&all->progress, all->done,
			    all->o->loads *
				    (6.0 * ARRAY_SIZE(subjects) + 2 * ARRAY_SIZE(all->machines)),
			    "kernel", "");
	return 0;
}

static int measure_network(struct results *all, struct bench_object *object, size_t i, bool generic,
			   struct mlsched_error *err)
{
	struct row *row = &all->rows[i];
	struct cell *cell = &row->cells[generic];
	uint32_t compared;
	int ret = bench_object_put(object, mls_qmodel_net(row->q), generic, row->features, N_ROWS,
				   &compared, err);

	if (ret)
		return mls_error(err, ret, "%s, %u inputs, %s kernel: %s", subjects[i].name,
				 subjects[i].live, generic ? "generic" : "fixed",
				 strdupa(err->message));
	row->compared += compared;
	ret = measure(all, object, BENCH_NETWORK, false, &cell->independent, &cell->worst, err);
	if (!ret)
		ret = measure(all, object, BENCH_NETWORK, true, &cell->chained, NULL, err);
	if (!ret)
		ret = measure(all, object, BENCH_INFER, false, &cell->infer, NULL, err);
	return ret;
}

static int measure_features(struct results *all, struct machine *m, struct mlsched_error *err)
{
	struct bench_object *object = NULL;
	struct mls_topology *t = calloc(1, sizeof(*t));
	int ret = 0;

	if (!t)
		return mls_error(err, -ENOMEM, "no memory for a topology");
	if (m->name)
		bench_topology_make(t, m->cpus, m->domains, m->nodes);
	else
		ret = mls_topology_read("/sys", 0, t, err);
	m->cpus = t->n_cpus;
	m->domains = t->n_domains;
	if (!ret)
		ret = bench_object_load(t, err, &object);
	if (!ret)
		ret = measure(all, object, BENCH_FEATURES, false, &m->costs[0].cycles,
			      &m->costs[0].worst, err);
	if (!ret)
		ret = measure(all, object, BENCH_FEATURES_MIG15, false, &m->costs[1].cycles,
			      &m->costs[1].worst, err);
	bench_object_close(object);
	free(t);
	return ret;
}

static int measure_load(struct results *all, struct mlsched_error *err)
{
	struct bench_object *object = NULL;
	int ret = bench_object_load(NULL, err, &object);

	for (size_t i = 0; ret == 0 && i < 2 * ARRAY_SIZE(subjects); i++)
		ret = measure_network(all, object, i / 2, i % 2, err);
	bench_object_close(object);
	for (size_t i = 0; ret == 0 && i < ARRAY_SIZE(all->machines); i++)
		ret = measure_features(all, &all->machines[i], err);
	return ret;
}

static int run(struct results *all, struct mlsched_error *err)
{
	int ret = 0;

	memcpy(&all->machines[1], all_machines, sizeof(all_machines));
	cli_progress_init(&all->progress, "figures",
			  !all->o->common.json && all->o->common.verbosity >= 0);
	for (size_t i = 0; ret == 0 && i < ARRAY_SIZE(subjects); i++)
		ret = prepare(&subjects[i], &all->rows[i], err);
	for (all->load = 0; ret == 0 && all->load < all->o->loads; all->load++)
		ret = measure_load(all, err);
	cli_progress_clear(&all->progress);
	return ret;
}

/* ---- output -------------------------------------------------------------------------- */

static json_t *json_of_cell(const struct results *all, const struct cell *c)
{
	return json_pack("{s:f,s:f,s:f,s:f,s:f}", "cycles", c->independent, "ns",
			 c->independent / all->ghz, "cycles_chained", c->chained,
			 "cycles_with_inputs", c->infer, "cycles_worst_load", c->worst);
}

static void print_json(const struct results *all, int cpu)
{
	json_t *networks = json_array(), *features = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(subjects); i++) {
		const struct row *row = &all->rows[i];
		json_t *json = json_pack(
			"{s:s,s:i,s:f,s:i,s:o,s:o,s:f}", "network", subjects[i].name, "inputs",
			(int)subjects[i].live, "active", row->active, "logits_compared",
			(int)row->compared, "fixed", json_of_cell(all, &row->cells[0]), "generic",
			json_of_cell(all, &row->cells[1]), "ratio",
			row->cells[1].independent / row->cells[0].independent, "exact", 1);

		if (subjects[i].goal > 0)
			json_object_set_new(json, "goal_cycles", json_real(subjects[i].goal));
		json_array_append_new(networks, json);
	}
	for (size_t i = 0; i < ARRAY_SIZE(all->machines); i++) {
		const struct machine *m = &all->machines[i];

		json_array_append_new(
			features,
			json_pack("{s:b,s:i,s:i,s:f,s:f,s:f,s:o}", "this_machine", m->name == NULL,
				  "cpus", (int)m->cpus, "domains", (int)m->domains, "cycles",
				  m->costs[0].cycles, "ns", m->costs[0].cycles / all->ghz,
				  "cycles_worst_load", m->costs[0].worst, "mig15",
				  json_pack("{s:f,s:f,s:f}", "cycles", m->costs[1].cycles, "ns",
					    m->costs[1].cycles / all->ghz, "cycles_worst_load",
					    m->costs[1].worst)));
	}
	cli_json(json_pack("{s:i,s:f,s:i,s:i,s:f,s:o,s:o}", "cpu", cpu, "ghz", all->ghz, "loads",
			   (int)all->o->loads, "samples", (int)all->o->samples, "loop_cycles",
			   all->loop, "networks", networks, "features", features));
}

static void print_text(const struct results *all, int cpu)
{
	printf("CPU %d at %.2f GHz; %u loads, %u samples in each; the loop around, %.0f cycles, is "
	       "subtracted;\nevery logit was that of user space; chained: the next row depends on "
	       "the last logit;\n+inputs: converts its features first; ratio: generic to fixed\n\n",
	       cpu, all->ghz, all->o->loads, all->o->samples, all->loop);
	printf("%-11s %6s %6s |%-38s |%s\n%-11s %6s %6s |", "", "", "", " kernel for the shape",
	       " kernel for any network", "network", "inputs", "active");
	printf("%7s %6s %7s %7s %6s |%7s %6s %7s %7s %6s\n", "cycles", "ns", "chained", "+inputs",
	       "goal", "cycles", "ns", "chained", "+inputs", "ratio");
	for (size_t i = 0; i < ARRAY_SIZE(subjects); i++) {
		const struct row *row = &all->rows[i];
		const struct cell *a = &row->cells[0], *b = &row->cells[1];
		char goal[16] = "-";

		if (subjects[i].goal > 0)
			snprintf(goal, sizeof(goal), "%.0f", subjects[i].goal);
		printf("%-11s %6u %4.0f %% |%7.0f %6.0f %7.0f %7.0f %6s |%7.0f %6.0f %7.0f %7.0f "
		       "%6.2f\n",
		       subjects[i].name, subjects[i].live, 100 * row->active, a->independent,
		       a->independent / all->ghz, a->chained, a->infer, goal, b->independent,
		       b->independent / all->ghz, b->chained, b->infer,
		       b->independent / a->independent);
	}
	printf("\n%-26s |%14s |%14s\n%-26s |%7s %6s |%7s %6s\n", "", "seed10", "mig15", "features",
	       "cycles", "ns", "cycles", "ns");
	for (size_t i = 0; i < ARRAY_SIZE(all->machines); i++) {
		const struct machine *m = &all->machines[i];
		char name[64];

		snprintf(name, sizeof(name), "this machine, %u in %u", m->cpus, m->domains);
		printf("%-26s |%7.0f %6.0f |%7.0f %6.0f\n", m->name ? m->name : name,
		       m->costs[0].cycles, m->costs[0].cycles / all->ghz, m->costs[1].cycles,
		       m->costs[1].cycles / all->ghz);
	}
}

int cli_bench_kernel(int argc, char **argv)
{
	struct kernel_options o = {
		.common.command = argv[0], .cpu = -1, .loads = LOADS, .samples = SAMPLES
	};
	static struct results all;
	struct mlsched_error err = { 0 };
	int cpu, ret;

	if (cli_parse(&argp, argc, argv, &o) != 0)
		return CLI_USAGE;
	cpu = bench_pin(o.cpu);
	if (cpu < 0)
		return cli_fail(&o.common, "cannot run on CPU %d: %s", o.cpu, strerror(-cpu));
	all.o = &o;
	ret = run(&all, &err);
	if (ret)
		cli_fail(&o.common, "%s", err.message);
	else if (o.common.json)
		print_json(&all, cpu);
	else
		print_text(&all, cpu);
	for (size_t i = 0; i < ARRAY_SIZE(subjects); i++) {
		mlsched_qmodel_free(all.rows[i].q);
		free(all.rows[i].features);
	}
	return ret ? CLI_FAILURE : CLI_OK;
}
