// SPDX-License-Identifier: GPL-2.0
/*
 * The recording that a command makes.  The scheduler never waits for it: when writing
 * fails that is said, once, and everything else goes on.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/cli/run_record.h"
#include "src/host/waits.h"
#include "src/util/clock.h"

struct run_record {
	const struct cli_common *common;
	const char *path;
	struct mls_recording_queue *queue;
	struct mls_waits_source *waits; /* of the kernel's own scheduler, or NULL */
	bool said;
};

int run_record_check(const struct cli_common *common, const struct run_record_options *o,
		     double window)
{
	struct mlsched_error err;

	if (!o->path)
		return CLI_OK;
	/* Before a scheduler is attached for nothing. */
	if (mls_recording_may_create(o->path, o->append, &err) != 0)
		return cli_fail(common, "%s", err.message);
	if (window * 1e6 <= (double)MLS_RECORD_MAX_WINDOW)
		return CLI_OK;
	return cli_fail(common,
			"--window: expected at most %llu ms with a recording, which loses no more "
			"than a second when it is killed, got %g",
			MLS_RECORD_MAX_WINDOW / 1000000, window);
}

int run_record_open(const struct cli_common *common, const struct run_record_options *o,
		    const struct mls_topology *topology, const char *source, const char *schema,
		    uint64_t window, uint64_t since, struct run_record **record)
{
	struct mls_recording_cpu *cpus;
	struct mls_recording_session session;
	struct mls_recording *recording = NULL;
	struct mlsched_error err;
	struct run_record *r;
	uint32_t n;
	int ret;

	*record = NULL;
	if (!o->path)
		return CLI_OK;
	r = calloc(1, sizeof(*r));
	cpus = calloc(MLS_MAX_CPUS, sizeof(*cpus));
	if (!r || !cpus) {
		free(r);
		free(cpus);
		return cli_fail(common, "no memory for the recording");
	}
	r->common = common;
	r->path = o->path;
	n = mls_record_session(topology, source, schema, window, since, &session, cpus);
	ret = mls_recording_create(o->path, o->append, &err, &recording);
	if (!ret)
		ret = mls_recording_begin(recording, &session, cpus, n, &err);
	free(cpus);
	if (ret)
		mls_recording_close(recording);
	else
		ret = mls_recording_queue_open(recording, 0, &err, &r->queue);
	if (ret) {
		free(r);
		return cli_fail(common, "%s", err.message);
	}
	*record = r;
	return CLI_OK;
}

int run_record_open_moves(const struct cli_common *common, const struct run_record_options *o,
			  const struct mls_recorder *recorder, struct run_record **record)
{
	static const char schema[] = "seed10";
	struct mlsched_error err;
	int status;

	*record = NULL;
	if (o->path && o->append && mls_recording_takes(o->path, schema, &err) != 0)
		return cli_fail(common, "%s", err.message);
	status = run_record_open(common, o, mls_recorder_topology(recorder), "shadow", schema,
				 mls_recorder_window(recorder), mls_recorder_since(recorder),
				 record);

	if (*record)
		(*record)->waits = mls_waits_open("/proc");
	return status;
}

int run_record_start(struct run_record *r)
{
	struct mlsched_error err;

	if (!r || mls_recording_queue_start(r->queue, &err) == 0)
		return CLI_OK;
	return cli_fail(r->common, "%s", err.message);
}

void run_record_describe(struct mls_recording_model *m, const struct mlsched_model *model)
{
	const struct mlsched_meta *meta = mlsched_model_meta(model);
	const struct mlsched_schema *schema;

	snprintf(m->schema, sizeof(m->schema), "%s", meta->schema[0] ? meta->schema : "seed10");
	schema = mlsched_schema_find(m->schema);
	m->schema_version = schema ? schema->version : 0;
	m->checksum = mlsched_model_checksum(model);
	m->threshold = meta->threshold;
}

void run_record_model(struct run_record *r, const char *mode, const char *engine, const char *path,
		      const struct mlsched_model *model, uint32_t checksum)
{
	struct mls_recording_model m = { .time = mls_now_ns(),
					 .checksum = checksum,
					 .threshold = NAN };

	if (!r)
		return;
	snprintf(m.mode, sizeof(m.mode), "%s", mode);
	snprintf(m.engine, sizeof(m.engine), "%s", engine);
	if (path)
		snprintf(m.path, sizeof(m.path), "%s", path);
	if (model)
		run_record_describe(&m, model);
	if (mls_recording_queue_model(r->queue, &m) != 0)
		cli_note(r->common, "%s: no memory to record a change of the model", r->path);
}

void run_record_row(struct run_record *r, const struct mls_recorded *row)
{
	if (r)
		mls_recording_queue_put(r->queue, row);
}

void run_record_moves(struct run_record *r, const struct mls_recorder_counts *n)
{
	const struct {
		const char *name;
		uint64_t value;
	} counters[] = {
		{ "kernel.migrations", n->migrations },
		{ "kernel.taken", n->taken },
		{ "kernel.same_cpu", n->same_cpu },
		{ "kernel.closing", n->closing },
		{ "kernel.lost", n->lost },
		{ "kernel.missed", n->missed },
		{ "kernel.unfollowed", n->unfollowed },
		{ "kernel.switches", n->switches },
	};

	struct mls_waits waits;

	for (size_t i = 0; r && i < sizeof(counters) / sizeof(counters[0]); i++)
		mls_recording_queue_counter(r->queue, counters[i].name, counters[i].value);
	if (!r || !r->waits)
		return;
	mls_waits_read(r->waits, &waits);
	if (waits.has_some)
		mls_recording_queue_counter(r->queue, MLS_COUNTER_SOME_WAITED, waits.some);
	if (!waits.has_turns)
		return;
	mls_recording_queue_counter(r->queue, MLS_COUNTER_TURNS, waits.turns);
	mls_recording_queue_counter(r->queue, MLS_COUNTER_WAITED, waits.waited);
}

void run_record_scheduler(struct run_record *r, const struct scheduler_counts *n)
{
	uint64_t asked = 0;

	if (!r)
		return;
	for (int k = 0; k < MLS_POLICY_KINDS; k++)
		asked += n->asked[k];
	mls_recording_queue_counter(r->queue, "scx.decisions", asked);
	mls_recording_queue_counter(r->queue, "scx.explored", n->explored);
	mls_recording_queue_counter(r->queue, "scx.recorded", n->recorded);
	mls_recording_queue_counter(r->queue, "scx.unrecorded", n->unrecorded);
	mls_recording_queue_counter(r->queue, "scx.recorded_rules", n->recorded_rules);
	mls_recording_queue_counter(r->queue, "scx.unrecorded_rules", n->unrecorded_rules);
}

void run_record_look(struct run_record *r)
{
	struct mlsched_error err;

	if (!r || r->said || !mls_recording_queue_failed(r->queue, &err))
		return;
	cli_note(r->common, "%s; everything else goes on", err.message);
	r->said = true;
}

int run_record_end(struct run_record *r, json_t **document)
{
	struct mls_recording_counts n;
	struct mlsched_error err;
	int ret;

	if (document)
		*document = NULL;
	if (!r)
		return CLI_OK;
	ret = mls_recording_queue_close(r->queue, &n, &err);
	if (ret)
		cli_fail(r->common, "%s", err.message);
	if (document)
		*document = json_pack("{s:s, s:I, s:I}", "path", r->path, "decisions",
				      (json_int_t)n.written, "dropped", (json_int_t)n.dropped);
	mls_waits_close(r->waits);
	free(r);
	return ret ? CLI_FAILURE : CLI_OK;
}

void run_record_show(const json_t *document)
{
	if (document)
		printf("recording  %s: %lld decisions, %lld dropped\n",
		       json_string_value(json_object_get(document, "path")),
		       (long long)json_integer_value(json_object_get(document, "decisions")),
		       (long long)json_integer_value(json_object_get(document, "dropped")));
}
