// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched model: changes the model of a running scheduler, or its mode, and
 * says what is in its slots.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/cli/cli.h"
#include "src/cli/client.h"
#include "src/cli/run.h"
#include "src/cli/swap_options.h"
#include "src/host/sent.h"
#include "src/util/array.h"
#include "src/util/error.h"

/* Exit statuses of `model swap` besides those of every command. */
#define MODEL_REFUSED     3
#define MODEL_ROLLED_BACK 4
#define MODEL_CANCELLED   5

enum { OPTION_SOCKET = 0x200, OPTION_NOW, OPTION_NO_WAIT, OPTION_REPEAT };

struct model_options {
	struct cli_common common;
	const char *socket;
	bool takes_argument; /* PATH or MODE */
	bool takes_limits;
	const char *argument;
	bool now;
	bool no_wait;
	uint32_t repeat;
	struct swap_options swap;
};

#define SOCKET_OPTION \
	{ "socket", OPTION_SOCKET, "PATH", 0, "Of the scheduler (" RUN_CONTROL_SOCKET ")", 0 }

static const struct argp_option swap_argp_options[] = {
	SOCKET_OPTION,
	{ "now", OPTION_NOW, NULL, 0, "Without a trial: it decides at once, and is watched", 0 },
	{ "no-wait", OPTION_NO_WAIT, NULL, 0, "Begin, and do not wait for the outcome", 0 },
	{ "repeat", OPTION_REPEAT, "N", 0,
	  "To try the machinery: write, read back, compare and switch N times without trial and "
	  "watch, the model that was active in between",
	  0 },
	{ 0 },
};

static const struct argp_option plain_argp_options[] = { SOCKET_OPTION, { 0 } };

static uint32_t count(struct argp_state *state, const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || value < 1 || value > 1000000)
		argp_error(state, "--repeat: expected a number from 1 to 1000000, got \"%s\"",
			   text);
	return (uint32_t)value;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct model_options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->common;
		if (o->takes_limits)
			state->child_inputs[1] = &o->swap;
		return 0;
	case OPTION_SOCKET:
		o->socket = arg;
		return 0;
	case OPTION_NOW:
		o->now = true;
		return 0;
	case OPTION_NO_WAIT:
		o->no_wait = true;
		return 0;
	case OPTION_REPEAT:
		o->repeat = count(state, arg);
		return 0;
	case ARGP_KEY_ARG:
		if (o->argument || !o->takes_argument)
			argp_error(state, "unexpected argument \"%s\"", arg);
		o->argument = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child plain_children[] = { { &cli_common_argp, 0, NULL, 0 }, { 0 } };
static const struct argp_child swap_children[] = {
	{ &cli_common_argp, 0, NULL, 0 },
	{ &swap_options_argp, 0, NULL, 1 },
	{ 0 },
};

/*
 * Connects, asks, and shows what went wrong; the answer is the caller's to free, if there is
 * one.  @sent goes along, unless it is -1.
 */
static int ask(const struct model_options *o, json_t *request, int sent, double seconds,
	       json_t **answer)
{
	struct client *client = NULL;
	struct mlsched_error err;
	int ret = client_open(o->socket, &err, &client);

	*answer = NULL;
	if (ret) {
		json_decref(request);
	} else {
		client_attach(client, sent);
		ret = client_ask(client, request, seconds, answer, &err);
	}
	client_close(client);
	/* An outcome is data, even where it is a bad one, and is shown as such. */
	if (ret && !(o->common.json && *answer) && !json_object_get(*answer, "swap"))
		cli_fail(&o->common, "%s", err.message);
	return ret;
}

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static long long number_of(const json_t *object, const char *name)
{
	return (long long)json_integer_value(json_object_get(object, name));
}

/* What another process sends must not reach a terminal as it is. */
static const char *plain(const char *text, char *copy, size_t size)
{
	snprintf(copy, size, "%s", text);
	for (char *c = copy; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	}
	return copy;
}

/* ---- swap -------------------------------------------------------------------------- */

static const struct argp swap_argp = {
	.options = swap_argp_options,
	.parser = parse,
	.args_doc = "PATH",
	.doc = "Changes to the model at PATH without stopping the scheduler.\v"
	       "It is read here, of whatever format it is, and sent; the scheduler checks and "
	       "quantises it, writes it into the idle slot, reads that back, asks it for a while "
	       "beside the active one, switches, and watches waits and refusals afterwards.  Limits that are not given are those of `mlsched run`.  "
	       "Waits for the outcome; ended early, it leaves the swap to go on.  Status 3: "
	       "refused on trial, 4: rolled back, 5: cancelled by a rollback.\n\n"
	       "EXAMPLES\n"
	       "  mlsched model swap my_model\n"
	       "  mlsched model swap my_model --now --watch-after 60 --max-wait-growth 2\n",
	.children = swap_children,
};

static int absolute(const char *path, char *to, size_t size)
{
	char directory[MLS_SWAP_PATH];
	int n;

	if (path[0] == '/')
		n = snprintf(to, size, "%s", path);
	else if (getcwd(directory, sizeof(directory)))
		n = snprintf(to, size, "%s/%s", directory, path);
	else
		return -errno;
	return n < (int)size ? 0 : -ENAMETOOLONG;
}

/*
 * The model in the form in which it is sent, read as the user who asks: of any format, at
 * any place that this one may read.  -1: its meta data are too much for that, and the
 * scheduler has to read it by itself.
 */
static int read_model(const struct model_options *o, const char *path, int *sent)
{
	struct mlsched_model *model;
	struct mlsched_error err;
	int ret = mlsched_model_load(path, &err, &model);

	*sent = -1;
	if (ret)
		return cli_fail(&o->common, "%s", err.message);
	ret = mls_sent_make(model, path, &err, sent);
	mlsched_model_free(model);
	if (ret == -EFBIG)
		cli_note(&o->common, "%s; the scheduler is told to read it by itself", err.message);
	else if (ret)
		return cli_fail(&o->common, "%s", err.message);
	return CLI_OK;
}

static int outcome_status(const json_t *swap)
{
	static const struct {
		enum mls_swap_outcome outcome;
		int status;
	} table[] = {
		{ MLS_SWAP_ACTIVATED, CLI_OK },
		{ MLS_SWAP_REFUSED, MODEL_REFUSED },
		{ MLS_SWAP_ROLLED_BACK, MODEL_ROLLED_BACK },
		{ MLS_SWAP_CANCELLED, MODEL_CANCELLED },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (strcmp(text_of(swap, "outcome"), mls_swap_outcome_name(table[i].outcome)) == 0)
			return table[i].status;
	}
	return CLI_FAILURE;
}

static void print_swap(const json_t *swap)
{
	char reason[MLS_SWAP_REASON], path[MLS_SWAP_PATH];

	printf("model      %s\n", plain(text_of(swap, "path"), path, sizeof(path)));
	printf("checksum   %s, slot %lld\n", text_of(swap, "checksum"), number_of(swap, "slot"));
	if (number_of(swap, "trial_decisions"))
		printf("trial      %lld decisions: refused %lld, disagreed in %lld\n",
		       number_of(swap, "trial_decisions"), number_of(swap, "trial_refused"),
		       number_of(swap, "trial_disagreed"));
	if (number_of(swap, "writes") > 1)
		printf("writes     %lld in %.3f s\n", number_of(swap, "writes"),
		       json_number_value(json_object_get(swap, "seconds")));
	printf("outcome    %s: %s\n", text_of(swap, "outcome"),
	       plain(text_of(swap, "reason"), reason, sizeof(reason)));
}

static void print_warning(const json_t *answer)
{
	char warning[512];

	if (json_object_get(answer, "warning"))
		printf("warning    %s\n",
		       plain(text_of(answer, "warning"), warning, sizeof(warning)));
}

static int model_swap(int argc, char **argv)
{
	struct model_options o = {
		.common.command = argv[0],
		.takes_argument = true,
		.takes_limits = true,
		.repeat = 1,
		.swap.limits = MLS_SWAP_LIMITS,
	};
	char path[MLS_SWAP_PATH];
	const json_t *swap;
	int ret, status, sent;
	json_t *answer;

	if (cli_parse(&swap_argp, argc, argv, &o) != 0)
		return CLI_USAGE;
	if (!o.argument) {
		fprintf(stderr, "%s: expected the PATH of a model\n", argv[0]);
		return CLI_USAGE;
	}
	ret = absolute(o.argument, path, sizeof(path));
	if (ret)
		return cli_fail(&o.common, "%s: %s", o.argument, strerror(-ret));
	if (read_model(&o, path, &sent) != CLI_OK)
		return CLI_FAILURE;
	ret = ask(&o,
		  json_pack("{s:s, s:s, s:b, s:b, s:b, s:I, s:o}", "request", "swap", "path", path,
			    "sent", sent >= 0, "now", o.now, "wait", !o.no_wait, "repeat",
			    (json_int_t)o.repeat, "limits", swap_options_json(&o.swap)),
		  sent, o.no_wait ? CLIENT_PATIENCE : 0, &answer);
	if (sent >= 0)
		close(sent);
	swap = json_object_get(answer, "swap");
	status = swap ? outcome_status(swap) : ret ? CLI_FAILURE : CLI_OK;
	if (answer && o.common.json)
		cli_json(json_incref(answer));
	else if (swap && o.common.verbosity >= 0)
		print_swap(swap);
	if (answer && !o.common.json && o.common.verbosity >= 0)
		print_warning(answer);
	json_decref(answer);
	return status;
}

/* ---- rollback ---------------------------------------------------------------------- */

static const struct argp rollback_argp = {
	.options = plain_argp_options,
	.parser = parse,
	.doc = "Goes back to the model before, or ends a trial.\v"
	       "The model before is the one that was active before the last swap, as long as its "
	       "slot has not been used again; before the first swap without a model it is the "
	       "heuristic.\n",
	.children = plain_children,
};

static int model_rollback(int argc, char **argv)
{
	struct model_options o = { .common.command = argv[0] };
	const json_t *slot;
	json_t *answer;
	int ret;

	if (cli_parse(&rollback_argp, argc, argv, &o) != 0)
		return CLI_USAGE;
	ret = ask(&o, json_pack("{s:s}", "request", "rollback"), -1, CLIENT_PATIENCE, &answer);
	slot = json_object_get(answer, "active_slot");
	if (answer && o.common.json)
		cli_json(json_incref(answer));
	else if (!ret && o.common.verbosity >= 0 && json_is_integer(slot))
		printf("slot %lld decides\n", (long long)json_integer_value(slot));
	else if (!ret && o.common.verbosity >= 0)
		printf("the heuristic decides\n");
	json_decref(answer);
	return ret ? CLI_FAILURE : CLI_OK;
}

/* ---- status -------------------------------------------------------------------------- */

static const struct argp status_argp = {
	.options = plain_argp_options,
	.parser = parse,
	.doc = "Says which models are in the kernel, which decides, and how the last swaps ended.",
	.children = plain_children,
};

static void print_slot(const json_t *answer, size_t i)
{
	const json_t *slot = json_array_get(json_object_get(answer, "slots"), i);
	const json_t *active = json_object_get(answer, "active_slot");
	const json_t *candidate = json_object_get(answer, "candidate_slot");
	const json_t *previous = json_object_get(answer, "previous_slot");
	const char *role = "";
	char path[MLS_SWAP_PATH], version[48] = "";

	if (!json_is_object(slot)) {
		printf("slot %zu     empty\n", i);
		return;
	}
	if (json_is_integer(active) && json_integer_value(active) == (json_int_t)i)
		role = "active";
	else if (json_is_integer(candidate) && json_integer_value(candidate) == (json_int_t)i)
		role = "on trial";
	else if (json_is_integer(previous) && json_integer_value(previous) == (json_int_t)i)
		role = "before";
	if (json_object_get(slot, "schema_version"))
		snprintf(version, sizeof(version), " version %lld",
			 number_of(slot, "schema_version"));
	printf("slot %zu     %s%s%s, %s%s, checksum %s of %s%s\n", i,
	       plain(text_of(slot, "path"), path, sizeof(path)), *role ? ": " : "", role,
	       text_of(slot, "schema"), version, text_of(slot, "checksum"), text_of(slot, "source"),
	       json_is_true(json_object_get(slot, "intact")) ?
		       "" :
		       ", DAMAGED: the kernel's copy is another");
}

static void print_offers(const json_t *answer)
{
	const json_t *offers = json_object_get(answer, "offers_us");

	if (json_array_size(offers) == MLS_POLICY_LEVELS)
		printf("offers     to CPUs that are expected to be idle for %g, %g, %g us: by distance\n",
		       json_number_value(json_array_get(offers, 0)),
		       json_number_value(json_array_get(offers, 1)),
		       json_number_value(json_array_get(offers, 2)));
}

static void print_status(const json_t *answer)
{
	const json_t *swap = json_object_get(answer, "swap");
	const json_t *record;
	char path[MLS_SWAP_PATH], reason[MLS_SWAP_REASON];
	size_t i;

	printf("scheduler  mlsched %s, process %lld, for %.0f s, %lld restart%s\n",
	       text_of(answer, "version"), number_of(answer, "pid"),
	       json_number_value(json_object_get(answer, "seconds")), number_of(answer, "restarts"),
	       number_of(answer, "restarts") == 1 ? "" : "s");
	printf("mode       %s\n", text_of(answer, "mode"));
	print_offers(answer);
	for (i = 0; i < json_array_size(json_object_get(answer, "slots")); i++)
		print_slot(answer, i);
	if (!json_is_integer(json_object_get(answer, "active_slot")))
		printf("           no model is active: the heuristic decides\n");
	if (strcmp(text_of(swap, "phase"), mls_swap_phase_name(MLS_SWAP_IDLE)) != 0)
		printf("swap       %s: %s, %.1f s left\n",
		       plain(text_of(swap, "path"), path, sizeof(path)), text_of(swap, "phase"),
		       json_number_value(json_object_get(swap, "seconds_left")));
	json_array_foreach(json_object_get(answer, "history"), i, record) {
		printf("%s %-4lld %s: %s: %s\n", i ? "          " : "swaps     ",
		       number_of(record, "number"),
		       plain(text_of(record, "path"), path, sizeof(path)),
		       text_of(record, "outcome"),
		       plain(text_of(record, "reason"), reason, sizeof(reason)));
	}
}

static int model_status(int argc, char **argv)
{
	struct model_options o = { .common.command = argv[0] };
	json_t *answer;
	int ret;

	if (cli_parse(&status_argp, argc, argv, &o) != 0)
		return CLI_USAGE;
	ret = ask(&o, json_pack("{s:s}", "request", "status"), -1, CLIENT_PATIENCE, &answer);
	if (answer && o.common.json)
		cli_json(json_incref(answer));
	else if (!ret)
		print_status(answer);
	json_decref(answer);
	return ret ? CLI_FAILURE : CLI_OK;
}

/* ---- mode ---------------------------------------------------------------------------- */

static const struct argp mode_argp = {
	.options = plain_argp_options,
	.parser = parse,
	.args_doc = "[MODE]",
	.doc = "Says who decides, or changes it while the scheduler runs.\v"
	       "MODE is collect (the heuristic decides, no model is asked), shadow (the model is "
	       "asked, the heuristic decides), or active (the model decides, inside the rules).\n",
	.children = plain_children,
};

static int model_mode(int argc, char **argv)
{
	struct model_options o = { .common.command = argv[0], .takes_argument = true };
	enum mls_policy_mode mode;
	json_t *request, *answer;
	int ret;

	if (cli_parse(&mode_argp, argc, argv, &o) != 0)
		return CLI_USAGE;
	if (o.argument && snapshot_mode(o.argument, &mode) != 0) {
		fprintf(stderr, "%s: expected collect, shadow or active, got \"%s\"\n", argv[0],
			o.argument);
		return CLI_USAGE;
	}
	request = json_pack("{s:s}", "request", "mode");
	if (o.argument)
		json_object_set_new(request, "mode", json_string(o.argument));
	ret = ask(&o, request, -1, CLIENT_PATIENCE, &answer);
	if (answer && o.common.json)
		cli_json(json_incref(answer));
	else if (!ret && o.common.verbosity >= 0)
		printf("%s\n", text_of(answer, "mode"));
	json_decref(answer);
	return ret ? CLI_FAILURE : CLI_OK;
}

/* ---- which ---------------------------------------------------------------------------- */

static const struct cli_command actions[] = {
	{ "swap", "change to another model, on trial first", model_swap },
	{ "rollback", "back to the model before", model_rollback },
	{ "status", "what is in the kernel, and how the last swaps ended", model_status },
	{ "mode", "who decides, or change it", model_mode },
};

static void print_help(FILE *stream)
{
	fprintf(stream, "Usage: mlsched model ACTION [OPTION...]\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		fprintf(stream, "  %-10s %s\n", actions[i].name, actions[i].summary);
	fprintf(stream, "\n`mlsched model ACTION --help` describes its options.\n");
}

int cli_model(int argc, char **argv)
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
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		if (strcmp(argv[1], actions[i].name) != 0)
			continue;
		snprintf(name, sizeof(name), "mlsched model %s", actions[i].name);
		argv[1] = name;
		return actions[i].run(argc - 1, argv + 1);
	}
	fprintf(stderr, "mlsched model: %s: no such action; `mlsched model --help` lists them\n",
		argv[1]);
	return CLI_USAGE;
}
