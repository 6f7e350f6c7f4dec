// SPDX-License-Identifier: GPL-2.0
/* Runs of the simulator, written down. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "src/host/record.h"
#include "src/sim/observer.h"
#include "src/sim/record.h"
#include "src/util/array.h"
#include "src/util/error.h"

struct writing {
	struct mls_recording *recording;
	struct mlsched_error *err;
	uint64_t written;
	int ret; /* the first failure */
};

static void write_down(void *context, const struct scheduler_record *record, u64 end)
{
	struct writing *w = context;
	struct mls_recorded row;

	if (w->ret)
		return;
	mls_record_scheduler(record, end, 0, MLS_MIG15_INPUTS, &row);
	w->ret = mls_recording_add(w->recording, &row, record->time + end, w->err);
	w->written += !w->ret;
}

static int begin(struct mls_recording *recording, const struct sim_machine *m, const char *title,
		 const struct sim_record_options *o, struct mlsched_error *err)
{
	struct mls_recording_session session = { .window = o->window };
	struct mls_recording_cpu cpus[SIM_MAX_CPUS];
	struct mls_recording_model none = { .threshold = NAN };
	struct mls_recording_model model = o->model ? *o->model : none;
	int ret;

	snprintf(session.source, sizeof(session.source), "sim");
	snprintf(session.kernel, sizeof(session.kernel), "none (simulation)");
	snprintf(session.machine, sizeof(session.machine), "%s", m->name);
	snprintf(session.domains, sizeof(session.domains), "last-level caches (%s)", title);
	snprintf(session.schema, sizeof(session.schema), "mig15");
	for (uint32_t cpu = 0; cpu < m->n_cpus; cpu++) {
		uint16_t core = (uint16_t)cpu;

		for (uint32_t t = m->sibling[cpu]; t != cpu; t = m->sibling[t])
			core = t < core ? (uint16_t)t : core;
		cpus[cpu] = (struct mls_recording_cpu){ (uint16_t)cpu, true,         core,
							m->llc[cpu],   m->node[cpu], m->llc[cpu] };
	}
	ret = mls_recording_begin(recording, &session, cpus, m->n_cpus, err);
	model.time = 0;
	snprintf(model.mode, sizeof(model.mode), "active");
	if (!model.engine[0])
		snprintf(model.engine, sizeof(model.engine), "none");
	return ret ? ret : mls_recording_model(recording, &model, err);
}

static int end(struct mls_recording *recording, const struct sim_observer *o, uint64_t written,
	       uint64_t now, struct mlsched_error *err)
{
	const struct {
		const char *name;
		uint64_t value;
	} counters[] = {
		{ "scx.decisions", o->n_decided }, { "scx.explored", o->n_explored },
		{ "scx.recorded", o->n_decided },  { "scx.recorded_rules", o->n_rules },
		{ "scx.unrecorded", 0 },           { "scx.unrecorded_rules", 0 },
		{ "recording.written", written },  { "recording.dropped", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
		int ret = mls_recording_counter(recording, now, counters[i].name, counters[i].value,
						err);

		if (ret)
			return ret;
	}
	return mls_recording_end(recording, now, err);
}

static int run(const struct sim_machine *machine, const struct sim_workload *workload,
	       const struct sim_contender *contender, uint64_t seed, uint64_t limit,
	       struct sim_observer *observer, uint64_t *now, struct mlsched_error *err)
{
	struct sim_options options = sim_contender_options(contender, limit);
	struct sim *s;
	int ret;

	options.watch = &sim_observer_watch;
	options.watcher = observer;
	s = sim_new(machine, workload, contender->policy, &options, seed, NULL);
	if (!s)
		return mls_error(err, -ENOMEM, "no memory for a run of %s", workload->name);
	ret = sim_run(s, SIM_NEVER - 1);
	*now = s->now;
	sim_free(s);
	if (ret == -EDEADLK)
		return mls_error(err, ret, "%s on %s: all tasks wait for each other",
				 workload->name, machine->name);
	if (sim_observer_end(observer, *now) != 0)
		return mls_error(err, -ENOMEM, "no memory for the decisions of %s", workload->name);
	return 0;
}

int sim_record(struct mls_recording *recording, const struct sim_machine *machine,
	       const struct sim_workload *workload, const struct sim_contender *contender,
	       uint64_t seed, uint64_t limit, const struct sim_record_options *o,
	       struct sim_record_counts *counts, struct mlsched_error *err)
{
	struct writing w = { .recording = recording, .err = err };
	struct sim_observer observer = { .explore = (u32)(o->explore * MLS_COIN_CERTAIN),
					 .window = o->window,
					 .seed = seed,
					 .models = o->model != NULL,
					 .observed = write_down,
					 .context = &w };
	uint64_t now = 0;
	char title[128];
	int ret;

	if (contender->policy != &sim_policy_mlsched)
		return mls_error(err, -EINVAL,
				 "policy %s: expected one of ours (mlsched, model, refuse, ...): "
				 "the others decide nothing that a model could",
				 contender->name);
	snprintf(title, sizeof(title), "%s under %s, seed %" PRIu64, workload->name,
		 contender->name, seed);
	ret = begin(recording, machine, title, o, err);
	if (ret)
		return ret;
	ret = sim_observer_init(&observer, workload->most_tasks);
	if (ret)
		mls_error(err, ret, "no memory for %u tasks", workload->most_tasks);
	else
		ret = run(machine, workload, contender, seed, limit, &observer, &now, err);
	if (!ret)
		ret = w.ret;
	*counts = (struct sim_record_counts){ observer.n_decided, observer.n_explored,
					      observer.n_rules };
	if (!ret)
		ret = end(recording, &observer, w.written, now, err);
	sim_observer_clear(&observer);
	return ret;
}
