// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched record: the migrations of the running kernel and what came of each, into a
 * recording.  Without a model: it watches, and nobody judges.  `mlsched run --record`
 * is the same with a model, and for our own scheduler.
 */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "src/cli/run.h"
#include "src/host/sandbox.h"
#include "src/util/clock.h"

#define TICK_MS    20
#define COUNTS_NS  1000000000ull
#define NS_PER_SEC 1e9

enum { OPTION_DOMAINS = 0x200, OPTION_HALF_LIFE, OPTION_WINDOW, OPTION_APPEND, OPTION_NO_SANDBOX };

struct record_options {
	struct cli_common common;
	struct run_record_options record;
	double duration; /* seconds, 0: until stopped */
	double half_life; /* ms, 0: default */
	double window; /* ms, 0: default */
	uint32_t n_domains;
	bool no_sandbox;
};

static const struct argp_option options[] = {
	{ "output", 'o', "FILE", 0, "The recording, a SQLite file", 0 },
	{ "append", OPTION_APPEND, NULL, 0, "Go on behind what is in FILE", 0 },
	{ "duration", 'd', "SECONDS", 0, "Stop by itself after that time", 0 },
	{ "domains", OPTION_DOMAINS, "N", 0,
	  "Make N groups of cores, instead of what shares a last-level cache", 0 },
	{ "half-life", OPTION_HALF_LIFE, "MS", 0, "Of the load averages, 1 to 60000 (32)", 0 },
	{ "window", OPTION_WINDOW, "MS", 0, "For which a migrated task is followed, 1 to 400 (100)",
	  0 },
	{ "no-sandbox", OPTION_NO_SANDBOX, NULL, 0,
	  "Keep all privileges while it runs: for debuggers and sanitizers", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct record_options *o = state->input;
	double value;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->common;
		return 0;
	case 'o':
		o->record.path = arg;
		return 0;
	case OPTION_APPEND:
		o->record.append = true;
		return 0;
	case 'd':
		o->duration = cli_real(state, "duration", arg, 0.001, 1e9);
		return 0;
	case OPTION_DOMAINS:
		value = cli_real(state, "domains", arg, 1, MLS_MAX_DOMAINS);
		if (value != floor(value))
			argp_error(state, "--domains: expected a whole number, got \"%s\"", arg);
		o->n_domains = (uint32_t)value;
		return 0;
	case OPTION_HALF_LIFE:
		o->half_life = cli_real(state, "half-life", arg, 1, 60000);
		return 0;
	case OPTION_WINDOW:
		o->window = cli_real(state, "window", arg, 1, MLS_RECORD_MAX_WINDOW / 1e6);
		return 0;
	case OPTION_NO_SANDBOX:
		o->no_sandbox = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument \"%s\"", arg);
		return EINVAL;
	case ARGP_KEY_END:
		if (!o->record.path)
			argp_error(state, "no -o FILE for the recording");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = { { &cli_common_argp, 0, NULL, 0 }, { 0 } };
static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "-o FILE",
	.doc = "Records the migrations that the running kernel makes, what was known at each, and "
	       "what came of it.\v"
	       "Needs root and a kernel with BTF.  Nothing about the running system changes.  "
	       "Stops with Ctrl+C or after --duration.  A file that exists is refused without "
	       "--append.  Whoever kills it loses at most the last second.\n\n"
	       "EXAMPLES\n"
	       "  mlsched record -o compile.db --duration 60\n"
	       "  mlsched record -o compile.db --append\n"
	       "  sqlite3 compile.db 'SELECT * FROM readable LIMIT 10'\n",
	.children = children,
};

struct recorder {
	const struct record_options *options;
	struct mls_recorder *recorder;
	struct run_record *record;
	int signals;
	uint64_t until; /* 0: no end */
	bool stopping;
	bool done;
};

static void on_move(void *context, const struct mls_move *move)
{
	struct recorder *r = context;
	struct mls_recorded row;

	mls_record_move(move, NULL, &row);
	run_record_row(r->record, &row);
}

/* The first request to stop waits for the outcomes of open decisions, the second does not. */
static void stop(struct recorder *r)
{
	r->done = r->stopping;
	r->stopping = true;
	mls_recorder_stop(r->recorder);
}

static void count(struct recorder *r)
{
	struct mls_recorder_counts counts;

	mls_recorder_counts(r->recorder, &counts);
	run_record_moves(r->record, &counts);
	run_record_look(r->record);
	if (r->stopping && counts.delivered == counts.taken)
		r->done = true;
}

static void run_loop(struct recorder *r)
{
	struct pollfd fd = { .fd = r->signals, .events = POLLIN };
	struct signalfd_siginfo info;
	uint64_t counted = mls_now_ns();

	while (!r->done) {
		uint64_t now;

		if (poll(&fd, 1, TICK_MS) == 1) {
			while (read(r->signals, &info, sizeof(info)) == sizeof(info))
				stop(r);
		}
		now = mls_now_ns();
		if (r->until && now >= r->until && !r->stopping)
			stop(r);
		mls_recorder_poll(r->recorder, false, on_move, r);
		if (!r->stopping && now - counted < COUNTS_NS)
			continue;
		counted = now;
		count(r);
		mls_recorder_refresh(r->recorder, NULL);
	}
	mls_recorder_poll(r->recorder, true, on_move, r);
	count(r);
}

static int enter_sandbox(const struct record_options *o)
{
	static const char *const readable[] = { "/sys", "/proc/sys/vm/overcommit_memory", NULL };
	const struct mls_sandbox_options sandbox = { .readable = readable, .stores = true };
	struct mls_sandbox_report report;
	struct mlsched_error err;

	if (o->no_sandbox || mls_sandbox_enter(&sandbox, &report, &err) == 0)
		return CLI_OK;
	return cli_fail(&o->common, "%s (--no-sandbox goes without)", err.message);
}

static void show_start(const struct recorder *r)
{
	const struct record_options *o = r->options;
	char text[160];

	mls_topology_describe(mls_recorder_topology(r->recorder), text, sizeof(text));
	if (o->common.json)
		cli_json(json_pack("{s:s, s:s, s:s}", "type", "start", "path", o->record.path,
				   "domains", text));
	else
		cli_note(&o->common, "recording the kernel's migrations to %s (%s)", o->record.path,
			 text);
}

/* Everything that was counted, and what is in the file. */
static void show_end(const struct recorder *r, json_t *recorded)
{
	const struct cli_common *common = &r->options->common;
	struct mls_recorder_counts n;

	mls_recorder_counts(r->recorder, &n);
	if (common->json) {
		cli_json(json_pack("{s:s, s:O, s:{s:I, s:I, s:I, s:I, s:I, s:I, s:I}}", "type",
				   "summary", "recording", recorded, "kernel", "migrations",
				   (json_int_t)n.migrations, "taken", (json_int_t)n.taken,
				   "delivered", (json_int_t)n.delivered, "same_cpu",
				   (json_int_t)n.same_cpu, "closing", (json_int_t)n.closing, "lost",
				   (json_int_t)n.lost, "unfollowed", (json_int_t)n.unfollowed));
		return;
	}
	if (common->verbosity < 0)
		return;
	run_record_show(recorded);
	printf("kernel     %llu migrations = %llu taken + %llu lost + %llu to the same CPU + %llu "
	       "after the end\n",
	       (unsigned long long)n.migrations, (unsigned long long)n.taken,
	       (unsigned long long)n.lost, (unsigned long long)n.same_cpu,
	       (unsigned long long)n.closing);
}

static int record(struct recorder *r)
{
	const struct record_options *o = r->options;
	const struct mls_recorder_options recorder = {
		.n_domains = o->n_domains,
		.half_life = (uint64_t)(o->half_life * 1e6),
		.window = (uint64_t)(o->window * 1e6),
	};
	struct mlsched_error err;
	json_t *recorded = NULL;
	int status;

	if (mls_recorder_open(&recorder, &err, &r->recorder) != 0)
		return cli_fail(&o->common, "%s", err.message);
	status = run_record_open_moves(&o->common, &o->record, r->recorder, &r->record);
	run_record_model(r->record, "collect", "none", NULL, NULL, 0);
	if (!status)
		status = enter_sandbox(o);
	if (!status)
		status = run_record_start(r->record);
	if (!status) {
		r->until = o->duration > 0 ? mls_now_ns() + (uint64_t)(o->duration * NS_PER_SEC) :
					     0;
		show_start(r);
		run_loop(r);
		status = run_record_end(r->record, &recorded);
		show_end(r, recorded);
	} else {
		run_record_end(r->record, NULL);
	}
	json_decref(recorded);
	mls_recorder_close(r->recorder);
	return status;
}

int cli_record(int argc, char **argv)
{
	struct record_options o = { .common.command = argv[0] };
	struct recorder r = { .options = &o };
	sigset_t set;
	int status;

	if (cli_parse(&argp, argc, argv, &o) != 0)
		return CLI_USAGE;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	r.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (r.signals < 0)
		return cli_fail(&o.common, "signals: %s", strerror(errno));
	status = record(&r);
	close(r.signals);
	return status;
}
