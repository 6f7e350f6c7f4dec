// SPDX-License-Identifier: GPL-2.0
/*
 * What the requests of the control socket do and answer.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/qnet_packed.h"
#include "src/cli/run_control_state.h"
#include "src/cli/tuning.h"
#include "src/host/sent.h"
#include "src/util/array.h"
#include "src/util/clock.h"
#include "src/util/error.h"
#include "src/util/json_text.h"

#define MOST_REPETITIONS 1000000

static void answer(struct mls_client *client, json_t *document)
{
	char *text =
		mls_json_dump(document, JSON_COMPACT | JSON_REAL_PRECISION(9) | JSON_ENSURE_ASCII);
	size_t n = text ? strlen(text) : 0;

	json_decref(document);
	if (!text) {
		static const char failed[] =
			"{\"ok\":false,\"error\":\"no memory for the answer\"}\n";

		mls_server_answer(client, failed, strlen(failed), false);
		return;
	}
	/* In the place of the terminating zero. */
	text[n] = '\n';
	mls_server_answer(client, text, n + 1, false);
	free(text);
}

/* Bytes of a file or of the client may be in it, which JSON does not hold. */
static json_t *plain(const char *text)
{
	json_t *string = json_string(text);
	char copy[2 * MLSCHED_ERROR_SIZE];

	if (string)
		return string;
	snprintf(copy, sizeof(copy), "%s", text);
	for (char *c = copy; *c; c++)
		*c = *c & 0x80 ? '?' : *c;
	return json_string(copy);
}

static void fail(struct mls_client *client, const char *why)
{
	answer(client, json_pack("{s:b, s:o}", "ok", 0, "error", plain(why)));
}

/* ---- what is answered ---------------------------------------------------------------- */

static json_t *checksum_json(uint32_t checksum)
{
	char text[16];

	snprintf(text, sizeof(text), "%08x", checksum);
	return json_string(text);
}

json_t *run_control_record_json(const struct mls_swap_record *r)
{
	json_t *document = json_pack(
		"{s:I, s:o, s:o, s:o, s:s, s:o, s:f}", "number", (json_int_t)r->number, "path",
		plain(r->model.path), "checksum", checksum_json(r->model.checksum), "slot",
		r->slot < 0 ? json_null() : json_integer(r->slot), "outcome",
		mls_swap_outcome_name(r->outcome), "reason", plain(r->reason), "seconds",
		r->outcome == MLS_SWAP_UNDER_WAY ? 0.0 : (double)(r->ended - r->started) / 1e9);

	json_object_update_new(document,
			       json_pack("{s:I, s:I, s:I, s:I, s:f, s:f}", "writes",
					 (json_int_t)r->writes, "trial_decisions",
					 (json_int_t)r->decisions, "trial_refused",
					 (json_int_t)r->refused, "trial_disagreed",
					 (json_int_t)r->disagreed, "wait_p99_before_ns",
					 r->wait_before, "wait_p99_after_ns", r->wait_after));
	return document;
}

void run_control_answer_record(const struct run_control *c, struct mls_client *client,
			       const struct mls_swap_record *r)
{
	bool ok = r->outcome == MLS_SWAP_ACTIVATED;
	char warning[RUN_CONTROL_WARNING];
	json_t *document = json_pack("{s:b, s:i, s:o}", "ok", ok, "active_slot",
				     mls_swap_active(c->swap), "swap", run_control_record_json(r));

	if (!ok)
		json_object_set_new(document, "error", plain(r->reason));
	else if (run_control_warning(c, &r->model, warning, sizeof(warning)))
		json_object_set_new(document, "warning", json_string(warning));
	answer(client, document);
}

/* Null where a model does not say. */
static void add_tuning(json_t *slot, const struct mls_tuning *tuning)
{
	json_object_set_new(slot, "mechanisms",
			    tuning->stated ? cli_mechanisms_json(tuning->mechanisms) : json_null());
	json_object_set_new(slot, "offers_us",
			    tuning->stated ? cli_offers_json(tuning->worth) : json_null());
}

/* Of an engine of user space: there are no integers, and no copy that could be damaged. */
static json_t *engine_json(const struct run_control *c, int index)
{
	const struct mls_swap_model *model = mls_swap_model(c->swap, index);
	struct mls_engine *const *engine = mls_requests_slot(c->requests, index);
	const struct mlsched_meta *meta;
	json_t *document;

	if (!engine || !model)
		return json_null();
	meta = mlsched_model_meta((*engine)->model);
	document = json_pack("{s:o, s:s, s:i, s:i, s:o, s:o, s:b, s:s}", "path", plain(model->path),
			     "schema", meta->schema[0] ? meta->schema : "seed10", "inputs",
			     mlsched_model_inputs((*engine)->model), "hidden_layers",
			     mlsched_model_layers((*engine)->model) - 1, "checksum",
			     checksum_json(model->checksum), "source", checksum_json(model->source),
			     "intact", 1, "computed_by", (*engine)->what);
	add_tuning(document, &model->tuning);
	return document;
}

/* What stands in the slot itself, and what is known of where it came from. */
static json_t *slot_json(const struct run_control *c, int index)
{
	const struct mls_swap_model *model = mls_swap_model(c->swap, index);
	const struct qnet_slot *slot = mls_scx_slot(c->scx, index);
	char schema[QNET_SCHEMA_SIZE + 1];
	json_t *document;

	if (!slot || !model)
		return json_null();
	snprintf(schema, sizeof(schema), "%.*s", QNET_SCHEMA_SIZE, slot->schema);
	document = json_pack("{s:o, s:i, s:s, s:i, s:i, s:i, s:o, s:o, s:b}", "path",
			     plain(model->path), "version", slot->version, "schema",
			     schema[0] ? schema : "seed10", "schema_version", slot->schema_version,
			     "inputs", slot->n_features, "hidden_layers", slot->n_hidden,
			     "checksum", checksum_json(slot->checksum), "source",
			     checksum_json(slot->source), "intact", mls_scx_intact(c->scx, index));
	add_tuning(document, &model->tuning);
	return document;
}

static json_t *place_json(int slot)
{
	return slot < 0 ? json_null() : json_integer(slot);
}

static json_t *swap_json(const struct run_control *c)
{
	enum mls_swap_phase phase = mls_swap_phase(c->swap);
	const struct mls_swap_record *r = mls_swap_record(c->swap, 0);
	json_t *document = json_pack("{s:s, s:f}", "phase", mls_swap_phase_name(phase),
				     "seconds_left",
				     (double)mls_swap_left(c->swap, mls_now_ns()) / 1e9);

	if (phase != MLS_SWAP_IDLE)
		json_object_set_new(document, "path", plain(r->model.path));
	return document;
}

static json_t *history_json(const struct run_control *c)
{
	json_t *history = json_array();

	for (uint32_t age = 0; mls_swap_record(c->swap, age); age++)
		json_array_append_new(history,
				      run_control_record_json(mls_swap_record(c->swap, age)));
	return history;
}

static int do_status(struct run_control *c, struct mls_client *client, const json_t *request,
		     struct mlsched_error *err)
{
	json_t *slots = json_array();
	int previous = mls_swap_previous(c->swap);
	u64 worth[MLS_POLICY_LEVELS];

	(void)request;
	(void)err;
	for (int i = 0; i < SCHEDULER_SLOTS; i++)
		json_array_append_new(slots, c->requests ? engine_json(c, i) : slot_json(c, i));
	mls_scx_worth(c->scx, worth);
	answer(client,
	       json_pack(
		       "{s:b, s:s, s:i, s:f, s:I, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o}",
		       "ok", 1, "version", mlsched_version(), "pid", (int)getpid(), "seconds",
		       (double)(mls_now_ns() - c->started) / 1e9, "restarts",
		       (json_int_t)c->restarts, "backend", "scx", "mode",
		       snapshot_mode_names[mls_scx_mode(c->scx)], "mechanisms",
		       cli_mechanisms_json(c->view->mechanisms), "offers_us",
		       cli_offers_json(worth), "active_slot", place_json(mls_swap_active(c->swap)),
		       "candidate_slot", place_json(run_control_candidate(c)), "previous_slot",
		       place_json(previous), "can_roll_back", previous >= -1, "slots", slots,
		       "swap", swap_json(c), "history", history_json(c)));
	return 0;
}

static int do_stats(struct run_control *c, struct mls_client *client, const json_t *request,
		    struct mlsched_error *err)
{
	struct snapshot *s = malloc(sizeof(*s));
	json_t *document;

	(void)request;
	if (!s)
		return mls_error(err, -ENOMEM, "no memory for the counters");
	run_control_snapshot(c, true, s);
	document = snapshot_json("stats", s);
	json_object_set_new(document, "ok", json_true());
	answer(client, document);
	free(s);
	return 0;
}

static int do_mode(struct run_control *c, struct mls_client *client, const json_t *request,
		   struct mlsched_error *err)
{
	const json_t *name = json_object_get(request, "mode");
	enum mls_policy_mode mode = mls_scx_mode(c->scx);

	if (name && (!json_is_string(name) || snapshot_mode(json_string_value(name), &mode) != 0))
		return mls_error(err, -EINVAL,
				 "expected \"collect\", \"shadow\" or \"active\" as \"mode\"");
	if (name && mode != MLS_POLICY_COLLECT && mls_swap_active(c->swap) < 0)
		return mls_error(err, -ENOENT,
				 "mode %s needs a model, and none is active: `mlsched model swap "
				 "PATH` brings one",
				 snapshot_mode_names[mode]);
	if (name)
		mls_scx_set_mode(c->scx, mode);
	answer(client, json_pack("{s:b, s:s}", "ok", 1, "mode", snapshot_mode_names[mode]));
	return 0;
}

static int read_swap(const struct run_control *c, const json_t *request, const char **path,
		     struct mls_swap_limits *limits, json_int_t *repeat, struct mlsched_error *err)
{
	const json_t *given = json_object_get(request, "limits");
	const json_t *times = json_object_get(request, "repeat");

	*path = json_string_value(json_object_get(request, "path"));
	if (!*path || (*path)[0] != '/' || strlen(*path) >= MLS_SWAP_PATH)
		return mls_error(err, -EINVAL,
				 "expected an absolute path, shorter than %d bytes, "
				 "as \"path\"",
				 MLS_SWAP_PATH);
	*limits = c->options->control.swap.limits;
	if (given && (!json_is_object(given) || swap_options_read(given, limits, err) != 0))
		return json_is_object(given) ?
			       -EINVAL :
			       mls_error(err, -EINVAL, "expected an object as \"limits\"");
	if (json_is_true(json_object_get(request, "now")))
		limits->trial = 0;
	*repeat = times ? json_integer_value(times) : 1;
	if (*repeat < 1 || *repeat > MOST_REPETITIONS)
		return mls_error(err, -EINVAL, "expected a number from 1 to %d as \"repeat\"",
				 MOST_REPETITIONS);
	return 0;
}

/*
 * The model that came with a request, as a descriptor of its file; -1: none did, or the
 * engine computes the files at the path themselves.
 */
static int take_sent(const struct run_control *c, struct mls_client *client, const json_t *request,
		     struct mlsched_error *err, int *sent)
{
	const json_t *is_sent = json_object_get(request, "sent");
	int ret;

	*sent = -1;
	if (is_sent && !json_is_boolean(is_sent))
		return mls_error(err, -EINVAL, "expected true or false as \"sent\"");
	if (!json_is_true(is_sent) ||
	    (c->requests && mls_engine_reads_path(run_engine_name(c->view))))
		return 0;
	*sent = mls_server_take(client);
	if (*sent < 0)
		return mls_error(err, -EINVAL,
				 "expected one descriptor of a model with a request whose "
				 "\"sent\" is true, found none or several");
	ret = mls_sent_check(*sent, err);
	if (ret)
		close(*sent);
	return ret;
}

static int do_swap(struct run_control *c, struct mls_client *client, const json_t *request,
		   struct mlsched_error *err)
{
	struct mls_swap_limits limits;
	json_int_t repeat;
	const char *path;
	int sent, ret = read_swap(c, request, &path, &limits, &repeat, err);
	bool wait = !json_is_false(json_object_get(request, "wait"));

	if (!ret)
		ret = take_sent(c, client, request, err, &sent);
	if (ret)
		return ret;
	if (mls_swap_phase(c->swap) == MLS_SWAP_IDLE && wait)
		c->waiting = client;
	ret = run_control_swap(c, path, sent, &limits, (uint32_t)repeat, err);
	if (ret == -EBUSY)
		return ret;
	/* What failed at once has been answered, if somebody waited. */
	if (!wait)
		answer(client, json_pack("{s:b, s:I}", "ok", 1, "number",
					 (json_int_t)mls_swap_record(c->swap, 0)->number));
	return 0;
}

static int do_rollback(struct run_control *c, struct mls_client *client, const json_t *request,
		       struct mlsched_error *err)
{
	int ret = mls_swap_rollback(c->swap, mls_now_ns(), err);

	(void)request;
	if (ret)
		return ret;
	answer(client, json_pack("{s:b, s:o}", "ok", 1, "active_slot",
				 place_json(mls_swap_active(c->swap))));
	run_control_settle(c);
	return 0;
}

static const struct request {
	const char *name;
	/* Answers and returns 0, or lets the error be the answer. */
	int (*handle)(struct run_control *c, struct mls_client *client, const json_t *request,
		      struct mlsched_error *err);
} requests[] = {
	{ "status", do_status }, { "stats", do_stats },       { "mode", do_mode },
	{ "swap", do_swap },     { "rollback", do_rollback },
};

void run_control_request(void *context, struct mls_client *client, const char *line, size_t n)
{
	json_error_t wrong;
	json_t *request = json_loadb(line, n, JSON_REJECT_DUPLICATES, &wrong);
	const char *name = json_string_value(json_object_get(request, "request"));
	struct mlsched_error err = { 0 };
	size_t i;

	for (i = 0; name && i < ARRAY_SIZE(requests) && strcmp(requests[i].name, name) != 0; i++)
		;
	if (!request) {
		mls_error(&err, -EINVAL, "no JSON object in one line: %s", wrong.text);
		fail(client, err.message);
	} else if (!name || i == ARRAY_SIZE(requests)) {
		fail(client,
		     "expected \"status\", \"stats\", \"mode\", \"swap\" or \"rollback\" as "
		     "\"request\"");
	} else if (requests[i].handle(context, client, request, &err) != 0) {
		fail(client, err.message);
	}
	json_decref(request);
}
