// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched stats: counters of a running scheduler, once or every now and then.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "src/cli/cli.h"
#include "src/cli/client.h"
#include "src/cli/openmetrics.h"
#include "src/cli/run.h"

#define HEADER_EVERY 20

enum { OPTION_SOCKET = 0x200, OPTION_OPENMETRICS };

struct stats_options {
	struct cli_common common;
	const char *socket;
	bool openmetrics;
	double interval; /* seconds, 0: once */
	double count; /* 0: without end */
	int arguments;
};

static const struct argp_option options[] = {
	{ "socket", OPTION_SOCKET, "PATH", 0, "Of the scheduler (" RUN_CONTROL_SOCKET ")", 0 },
	{ "openmetrics", OPTION_OPENMETRICS, NULL, 0,
	  "Print everything in the text format of OpenMetrics", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct stats_options *o = state->input;
	char *end;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->common;
		return 0;
	case OPTION_SOCKET:
		o->socket = arg;
		return 0;
	case OPTION_OPENMETRICS:
		o->openmetrics = true;
		return 0;
	case ARGP_KEY_ARG:
		if (o->arguments == 0) {
			o->interval = strtod(arg, &end);
			if (end == arg || *end || !(o->interval >= 0.01 && o->interval <= 1e6))
				argp_error(state,
					   "INTERVAL: expected a number of seconds from "
					   "0.01 to 1e6, got \"%s\"",
					   arg);
		} else if (o->arguments == 1) {
			o->count = strtod(arg, &end);
			if (end == arg || *end || !(o->count >= 1 && o->count <= 1e9) ||
			    o->count != floor(o->count))
				argp_error(state,
					   "COUNT: expected a whole number from 1 to 1e9, "
					   "got \"%s\"",
					   arg);
		} else {
			argp_error(state, "unexpected argument \"%s\"", arg);
		}
		o->arguments++;
		return 0;
	case ARGP_KEY_END:
		if (o->openmetrics && (o->interval > 0 || o->common.json))
			argp_error(state, "--openmetrics goes with neither INTERVAL nor --json");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = { { &cli_common_argp, 0, NULL, 0 }, { 0 } };
static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "[INTERVAL [COUNT]]",
	.doc = "Counters of a running scheduler (that of `mlsched run`, backend scx).\v"
	       "Without INTERVAL all counters since its start.  With it one line for what was "
	       "counted since the line before, every INTERVAL seconds, COUNT times; the first "
	       "line is about the time since the start.\n\n"
	       "EXAMPLES\n"
	       "  mlsched stats\n"
	       "  mlsched stats 1 10\n"
	       "  mlsched stats --json | jq .kinds.steal\n"
	       "  mlsched stats --openmetrics\n",
	.children = children,
};

static int get(const struct stats_options *o, struct client *client, struct snapshot *s)
{
	struct mlsched_error err;
	json_t *answer;
	int ret = client_ask(client, json_pack("{s:s}", "request", "stats"), CLIENT_PATIENCE,
			     &answer, &err);

	if (!ret)
		ret = snapshot_parse(answer, s, &err);
	json_decref(answer);
	if (ret)
		cli_fail(&o->common, "%s", err.message);
	return ret;
}

/* ---- everything, once ------------------------------------------------------------- */

static void print_decisions(const struct scheduler_counts *n)
{
	printf("%-10s %12s = %12s + %12s + %12s + %9s  (%s/%s/%s)\n", "decisions", "", "moved",
	       "refused", "failed", "under way", snapshot_failure_names[0],
	       snapshot_failure_names[1], snapshot_failure_names[2]);
	for (int k = 0; k < MLS_POLICY_KINDS; k++) {
		unsigned long long moved = mls_scx_moved(n, k), failed = mls_scx_failed(n, k);
		unsigned long long done = moved + failed;

		printf("%-10s %12llu = %12llu + %12llu + %12llu + %9llu  (%llu/%llu/%llu)\n",
		       snapshot_kind_names[k], n->asked[k], moved, n->refused[k], failed,
		       n->accepted[k] > done ? n->accepted[k] - done : 0,
		       n->failed[k][SCHEDULER_RACED], n->failed[k][SCHEDULER_REPLACED],
		       n->failed[k][SCHEDULER_RETURNED]);
	}
}

static void print_moves(const struct scheduler_counts *n)
{
	printf("\n%-10s %12s %14s %14s\n", "moves", "in domain", "in node", "across");
	for (int c = 0; c < SCHEDULER_CAUSES; c++)
		printf("%-10s %12llu %14llu %14llu\n", snapshot_cause_names[c], n->moved[c][0],
		       n->moved[c][1], n->moved[c][2]);
}

static void print_domains(const struct snapshot *s)
{
	printf("\n%-10s %7s %6s %6s %8s %8s  %s\n", "domain", "online", "idle", "load", "queued",
	       "longest", "CPUs");
	for (uint32_t d = 0; d < s->n_domains; d++) {
		const struct mls_scx_domain *domain = &s->domains[d];
		char queued[24] = "-", longest[24] = "-";

		if (domain->queued >= 0) {
			snprintf(queued, sizeof(queued), "%lld", (long long)domain->queued);
			snprintf(longest, sizeof(longest), "%lld", (long long)domain->longest);
		}
		printf("%-10u %7u %6u %6.2f %8s %8s  %s\n", d, domain->online, domain->idle,
		       domain->load, queued, longest, s->lists[d]);
	}
}

static void print_all(const struct snapshot *s)
{
	char p50[32], p99[32], p999[32], longest[32], mean[32], slots[80] = "";
	const struct scheduler_counts *n = &s->counts;

	printf("mlsched %s, %.1f s, mode %s, %u CPUs online of %u, %llu restarts\n", s->version,
	       s->seconds, snapshot_mode_names[s->mode], s->online, s->cpus,
	       (unsigned long long)s->restarts);
	if (s->active >= 0)
		printf("model %s, checksum %08x, slot %d%s\n\n", s->path, s->checksum, s->active,
		       s->candidate >= 0 ? "; another one is on trial" : "");
	else
		printf("no model\n\n");
	print_decisions(n);
	print_moves(n);
	print_domains(s);
	/* Of an engine of user space the kernel does not know which slot a verdict is from. */
	if (n->by_slot[0] || n->by_slot[1])
		snprintf(slots, sizeof(slots), "slot 0: %llu, slot 1: %llu, ", n->by_slot[0],
			 n->by_slot[1]);
	printf("\nmodel      asked %llu times (%smissing: %llu), said migrate %llu times, like the "
	       "heuristic %llu times\n",
	       n->model, slots, n->no_model, n->model_migrates, n->same);
	printf("candidate  asked %llu times, said migrate %llu times, the same %llu times\n",
	       n->trial, n->trial_migrates, n->trial_same);
	printf("waits      %llu: mean %s, p50 %s, p99 %s, p99.9 %s, longest %s\n",
	       mls_scx_sums(n).waits, run_time_text(mean, mls_scx_wait_mean(n)),
	       run_time_text(p50, mls_scx_wait_at(n, 0.5)),
	       run_time_text(p99, mls_scx_wait_at(n, 0.99)),
	       run_time_text(p999, mls_scx_wait_at(n, 0.999)),
	       run_time_text(longest, (double)n->wait_ns));
	printf("safety     waited too long %llu, CPU kept from work %llu, served before its turn %llu\n",
	       n->safety_waited, n->safety_kept, n->overdue);
	printf("besides    forbidden %llu, bound %llu, preempted %llu, kicked %llu\n", n->forbidden,
	       n->bound, n->preempted, n->kicked);
	for (int m = 0; m < MLS_POLICY_MECHANISMS; m++) {
		if (n->mechanisms[m])
			printf("%-14s %llu times\n", mls_mechanism_names[m], n->mechanisms[m]);
	}
}

static int show_once(const struct stats_options *o, const struct snapshot *s)
{
	char *text;

	if (o->openmetrics) {
		long n = openmetrics_text(s, &text);

		if (n < 0)
			return cli_fail(&o->common, "%s", strerror((int)-n));
		fwrite(text, 1, (size_t)n, stdout);
		free(text);
	} else if (o->common.json) {
		cli_json(snapshot_json("stats", s));
	} else {
		print_all(s);
	}
	return CLI_OK;
}

/* ---- a line now and then ------------------------------------------------------------- */

static void print_line(uint64_t line, double seconds, double span, const struct snapshot *s,
		       const struct scheduler_counts *n)
{
	const struct mls_scx_sums sums = mls_scx_sums(n);
	double per_second = span > 0 ? 1 / span : 0;
	char refused[32] = "-", p50[32], p99[32], p999[32];

	if (line % HEADER_EVERY == 0)
		printf("%s%38s|%22s per second |       wait for a CPU\n"
		       "  seconds    mode decisions/s  refused | optional  safety  forced elsewhere |"
		       "      p50      p99    p99.9\n",
		       line ? "\n" : "", "", "moves");
	if (sums.asked)
		snprintf(refused, sizeof(refused), "%.1f %%",
			 100.0 * (double)sums.refused / (double)sums.asked);
	printf("%9.1f %7s %11.0f %8s | %8.0f %7.0f %7.0f %9.0f | %8s %8s %8s\n", seconds,
	       snapshot_mode_names[s->mode], (double)sums.asked * per_second, refused,
	       (double)sums.moved * per_second,
	       (double)mls_scx_moved(n, SCHEDULER_BY_SAFETY) * per_second,
	       (double)mls_scx_moved(n, SCHEDULER_BY_FORCE) * per_second,
	       (double)mls_scx_moved(n, SCHEDULER_BY_KERNEL) * per_second,
	       run_time_text(p50, mls_scx_wait_at(n, 0.5)),
	       run_time_text(p99, mls_scx_wait_at(n, 0.99)),
	       run_time_text(p999, mls_scx_wait_at(n, 0.999)));
	fflush(stdout);
}

/* Until a moment, not for a time: the interval does not grow by what the work takes. */
static void sleep_until(struct timespec *at, double interval)
{
	at->tv_sec += (time_t)interval;
	at->tv_nsec += (long)(fmod(interval, 1) * 1e9);
	if (at->tv_nsec >= 1000000000) {
		at->tv_nsec -= 1000000000;
		at->tv_sec++;
	}
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, at, NULL) == EINTR)
		;
}

static int show_lines(const struct stats_options *o, struct client *client, struct snapshot *last)
{
	struct snapshot *now = calloc(1, sizeof(*now));
	struct scheduler_counts n = last->counts;
	struct mlsched_error err;
	struct timespec at;
	int status = CLI_OK;
	double span = last->seconds;

	if (!now)
		return cli_fail(&o->common, "no memory for the counters");
	clock_gettime(CLOCK_MONOTONIC, &at);
	for (uint64_t line = 0;; line++) {
		if (o->common.json)
			cli_json(snapshot_counts_json("interval", last->seconds, &n));
		else
			print_line(line, last->seconds, span, last, &n);
		if ((o->count > 0 && (double)(line + 1) >= o->count) || ferror(stdout))
			break;
		sleep_until(&at, o->interval);
		if (get(o, client, now) != 0) {
			status = CLI_FAILURE;
			break;
		}
		if (snapshot_since(now, last, &n, &err) != 0) {
			status = cli_fail(&o->common, "%s", err.message);
			break;
		}
		span = now->seconds - last->seconds;
		*last = *now;
	}
	free(now);
	return status;
}

int cli_stats(int argc, char **argv)
{
	struct stats_options o = { .common.command = argv[0] };
	struct client *client = NULL;
	struct mlsched_error err;
	struct snapshot *s;
	int status;

	if (cli_parse(&argp, argc, argv, &o) != 0)
		return CLI_USAGE;
	if (client_open(o.socket, &err, &client) != 0)
		return cli_fail(&o.common, "%s", err.message);
	s = calloc(1, sizeof(*s));
	if (!s)
		status = cli_fail(&o.common, "no memory for the counters");
	else if (get(&o, client, s) != 0)
		status = CLI_FAILURE;
	else
		status = o.interval > 0 ? show_lines(&o, client, s) : show_once(&o, s);
	free(s);
	client_close(client);
	return status;
}
