// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched train --from sim: a model from what the simulator says of both futures of each
 * decision, in rounds.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/cli/names.h"
#include "src/cli/sim.h"
#include "src/cli/train_options.h"
#include "src/cli/tuning.h"
#include "src/formats/replace.h"
#include "src/sim/learn.h"
#include "src/util/json_text.h"

struct lessons {
	struct cli_names machines, workloads;
	struct sim_lesson *lesson;
	struct sim_workload *workload; /* of each */
	uint32_t n;
};

static void clear_lessons(struct lessons *l)
{
	for (uint32_t i = 0; i < l->n; i++)
		sim_workload_clear(&l->workload[i]);
	free(l->lesson);
	free(l->workload);
	cli_names_clear(&l->machines);
	cli_names_clear(&l->workloads);
}

static int make_lessons(const struct cli_train_options *o, struct lessons *l)
{
	struct mlsched_error err = { 0 };
	struct sim_costs costs;
	int ret = cli_names_split(&l->machines, o->sim.machines);

	if (!ret && cli_sim_costs(o->sim.costs, &costs, &err) != 0)
		return cli_fail(&o->common, "%s", err.message);
	if (!ret)
		ret = cli_names_split(&l->workloads, o->sim.workloads);
	if (ret == -EINVAL)
		snprintf(err.message, sizeof(err.message),
			 "expected 1 to %d machines and workloads between commas", CLI_MOST_NAMES);
	if (!ret) {
		size_t n = (size_t)l->machines.n * l->workloads.n;

		l->lesson = calloc(n, sizeof(*l->lesson));
		l->workload = calloc(n, sizeof(*l->workload));
		ret = l->lesson && l->workload ? 0 : -ENOMEM;
	}
	for (uint32_t m = 0; !ret && m < l->machines.n; m++) {
		for (uint32_t w = 0; !ret && w < l->workloads.n; w++) {
			struct sim_workload *workload = &l->workload[l->n];
			struct sim_lesson *lesson = &l->lesson[l->n++];

			lesson->workload = workload;
			ret = cli_sim_machine(&lesson->machine, l->machines.name[m], "/sys", &err);
			if (!ret)
				ret = sim_workload_make(workload, l->workloads.name[w],
							lesson->machine.n_cpus, &err);
			lesson->machine.costs = costs;
		}
	}
	if (ret)
		return cli_fail(&o->common, "%s", ret == -ENOMEM ? "no memory" : err.message);
	return 0;
}

static void report(void *context, uint32_t number, const struct sim_learn_round *r)
{
	const struct cli_train_options *o = context;

	if (r->no_use) {
		cli_note(
			&o->common,
			"round %u of %u: %u rows; its fixed-point form decides otherwise: not taken",
			number + 1, o->sim.rounds, r->rows);
		return;
	}
	cli_note(
		&o->common,
		"round %u of %u: %u rows (%.0f a second), %.0f %% better moved; threshold %g; on held-out "
		"seeds makespan %+.2f %%, moves %+.0f %%, p99 wait %+.1f %%%s",
		number + 1, o->sim.rounds, r->rows, r->label_s > 0 ? r->rows / r->label_s : 0,
		100 * r->moves, (double)r->threshold, 100 * (r->time - 1), 100 * (r->moved - 1),
		100 * (r->wait - 1), r->accepted ? "" : " (no better than before: not taken)");
}

/* What goes into the model is rounded: libm's last bits differ between machines. */
static double rounded(double x)
{
	return round(x * 1e4) / 1e4;
}

/* NULL without memory for all of it. */
static json_t *rounds_json(const struct sim_learn_round *rounds, uint32_t n, bool times)
{
	json_t *list = json_array();
	bool whole = list;

	for (uint32_t i = 0; i < n && whole; i++) {
		const struct sim_learn_round *r = &rounds[i];
		json_t *object = json_pack("{s:i, s:f, s:f, s:f, s:f, s:f, s:b}", "rows",
					   (int)r->rows, "better_moved", rounded(r->moves),
					   "threshold", rounded((double)r->threshold), "makespan",
					   rounded(r->time), "moves", rounded(r->moved), "wait_p99",
					   rounded(r->wait), "accepted", r->accepted);

		if (times)
			whole = json_object_set_new(object, "label_seconds",
						    json_real(r->label_s)) == 0 &&
				json_object_set_new(object, "train_seconds",
						    json_real(r->train_s)) == 0;
		whole = json_array_append_new(list, object) == 0 && whole;
	}
	if (whole)
		return list;
	json_decref(list);
	return NULL;
}

/* By their names, also that of the one which it ran on. */
static json_t *machines_json(const struct lessons *l)
{
	char text[CLI_MOST_NAMES * sizeof(((struct sim_machine *)0)->name)] = "";
	size_t used = 0;

	for (uint32_t m = 0; m < l->machines.n; m++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", m ? "," : "",
					 l->lesson[m * l->workloads.n].machine.name);
	return json_string(text);
}

/* Nothing in it differs between two trainings with the same options on the same machines. */
static char *provenance(const struct cli_train_options *o, const struct lessons *l,
			const struct mls_dataset *data, const struct sim_learn_round *rounds,
			uint32_t best)
{
	char checksum[9], *text;
	json_t *object;

	snprintf(checksum, sizeof(checksum), "%08x", mls_dataset_checksum(data));
	object = json_pack(
		"{s:s, s:s, s:s, s:o, s:o, s:o, s:i, s:s, s:I, s:i, s:i, s:[f,f,f], s:i, s:f, s:i, s:o}",
		"tool", "mlsched train --from sim", "version", mlsched_version(), "data",
		"simulation", "machines", machines_json(l), "workloads",
		cli_text_json(o->sim.workloads), "costs",
		cli_text_json(cli_file_name(o->sim.costs)), "rows", (int)data->n_rows,
		"data_crc32c", checksum, "seed", (json_int_t)o->train.seed, "runs",
		(int)o->sim.runs, "futures", (int)o->sim.futures, "move_price_us",
		o->sim.move_price[SIM_LIGHT], o->sim.move_price[SIM_FULL],
		o->sim.move_price[SIM_OVER], "price_most", (int)o->sim.price_most, "wait_price_us",
		o->sim.wait_price, "round", (int)best + 1, "rounds",
		rounds_json(rounds, o->sim.rounds, false));
	text = mls_json_dump(object, JSON_COMPACT | JSON_REAL_PRECISION(9));
	json_decref(object);
	return text;
}

/* The same weights with what else the model says. */
static int save(const struct cli_train_options *o, const struct mlsched_model *model, char *text)
{
	struct mlsched_meta meta = *mlsched_model_meta(model);
	struct mlsched_layer layers[MLSCHED_MAX_LAYERS];
	struct mlsched_model_desc desc = { .size = sizeof(desc),
					   .n_layers = mlsched_model_layers(model),
					   .layers = layers,
					   .meta = &meta };
	struct mlsched_model *complete = NULL;
	struct mlsched_error err;
	int ret;

	mlsched_model_normalization(model, &desc.mean, &desc.deviation);
	for (uint32_t i = 0; i < desc.n_layers; i++)
		mlsched_model_layer(model, i, &layers[i]);
	snprintf(meta.producer, sizeof(meta.producer), "mlsched %s", mlsched_version());
	meta.provenance = text;
	mls_tuning_state(o->sim.tuning.mechanisms, o->sim.tuning.worth, &meta);
	ret = mlsched_model_create(&desc, &err, &complete);
	if (!ret)
		ret = mlsched_model_save(complete, o->output, MLSCHED_SAVEDMODEL_VARIABLES, &err);
	mlsched_model_free(complete);
	return ret ? cli_fail(&o->common, "%s", err.message) : 0;
}

static void print_change(const char *what, const struct sim_learn_round *r)
{
	printf("%s makespan %+.2f %%, moves %+.0f %%, p99 wait %+.1f %%\n", what,
	       100 * (r->time - 1), 100 * (r->moved - 1), 100 * (r->wait - 1));
}

static void print_summary(const struct cli_train_options *o, const struct mls_dataset *data,
			  const struct sim_learn_round *best, const struct sim_learn_round *none,
			  uint32_t number)
{
	printf("rows       %u, of %u rounds\n", data->n_rows, o->sim.rounds);
	printf("round      %u; against EEVDF on held-out seeds (simulation):\n", number + 1);
	print_change("          ", best);
	print_change("no model  ", none);
	printf("model      %s\n", o->output);
}

int cli_train_from_sim(const struct cli_train_options *o)
{
	struct lessons lessons = { 0 };
	struct sim_learn_round rounds[SIM_MAX_ROUNDS], none;
	struct sim_learn_options learn;
	struct mls_dataset data = { 0 };
	struct mlsched_model *model = NULL;
	struct mlsched_error err;
	char *text = NULL;
	uint32_t best = 0;
	int status;

	if (mls_replace_check(o->output, &err) != 0)
		return cli_fail(&o->common, "%s", err.message);
	status = make_lessons(o, &lessons);
	if (status)
		goto out;
	sim_learn_options_init(&learn);
	learn.lessons = lessons.lesson;
	learn.n_lessons = lessons.n;
	learn.seeds = o->sim.runs;
	learn.rounds = o->sim.rounds;
	learn.tuning = o->sim.tuning;
	learn.label.futures = o->sim.futures;
	for (int load = 0; load < SIM_LOADS; load++)
		learn.label.prices.move[load] = (uint64_t)(o->sim.move_price[load] * 1000);
	learn.label.prices.most = o->sim.price_most;
	learn.label.prices.wait_2 = (uint64_t)(o->sim.wait_price * 1000);
	learn.train = o->train;
	learn.threshold = o->threshold;
	learn.seed = o->train.seed;
	learn.n_threads = o->n_threads;
	learn.report = report;
	learn.context = (void *)o;
	if (sim_learn(&learn, rounds, &none, &best, &data, &err, &model) != 0) {
		status = cli_fail(&o->common, "%s", err.message);
		goto out;
	}
	text = provenance(o, &lessons, &data, rounds, best);
	status = save(o, model, text);
	if (status)
		goto out;
	if (o->common.json)
		cli_json(json_pack("{s:s, s:i, s:i, s:o, s:{s:f, s:f, s:f}, s:b}", "model",
				   o->output, "rows", (int)data.n_rows, "round", (int)best + 1,
				   "rounds", rounds_json(rounds, o->sim.rounds, true), "no_model",
				   "makespan", rounded(none.time), "moves", rounded(none.moved),
				   "wait_p99", rounded(none.wait), "better_than_none",
				   rounds[best].score < none.score));
	else if (o->common.verbosity >= 0)
		print_summary(o, &data, &rounds[best], &none, best);
	if (rounds[best].score >= none.score)
		cli_note(&o->common,
			 "this model is no better than none: its makespan, moves and p99 waits "
			 "together, on the held-out seeds (--rounds, --runs and --epochs "
			 "give it more to learn)");
out:
	free(text);
	mlsched_model_free(model);
	sim_learn_clear(&data);
	clear_lessons(&lessons);
	return status;
}
