// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched assess: what there is to win on a machine and load before anything is trained,
 * by a recording of the kernel's own scheduler: how often it moves tasks and how far, what
 * the caches that they leave cost at most, and how long tasks waited.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/cli/cli.h"
#include "src/cli/sim.h"
#include "src/data/recording.h"
#include "src/sim/results.h"
#include "src/util/array.h"

struct assess_options {
	struct cli_common common;
	const char *recording;
	const char *costs;
};

static const struct argp_option options[] = {
	{ "costs", 'c', "NAME", 0, "Of moves: server, or a file of mlsched sim calibrate (server)",
	  0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct assess_options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->common;
		return 0;
	case 'c':
		o->costs = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (o->recording)
			argp_error(state, "more than one recording: %s and %s", o->recording, arg);
		o->recording = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->recording)
			argp_error(state, "no recording named");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = { { &cli_common_argp, 0, NULL, 0 }, { 0 } };
static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "RECORDING",
	.doc = "Says what there is to win on this machine and load, before anything is trained: "
	       "migrations by distance, what the caches that tasks leave cost at most, waits.\v"
	       "The recording is one of the kernel's own scheduler.\n\n"
	       "EXAMPLES\n  mlsched record -d 60 -o own.db\n  mlsched sim calibrate -o costs.json\n"
	       "  mlsched assess own.db --costs costs.json\n",
	.children = children,
};

/* Nobody knows how large a working set is: what moves cost is said for several. */
static const uint32_t sizes[] = { 64, 256, 1024, 4096 };

/**
 * struct found - what is in a recording
 * @moves:    by locality, of tasks that need not have moved
 * @other:    threads of the kernel, and moves that had to be
 * @refill:   ns that the caches cost at most, by size; never more than a task ran after it
 * @busy:     ns of CPUs at work, by the loads of domains, 0: the inputs do not say
 * @seconds:  of sessions of which it is known how long they were
 * @some:     ns in which some thread waited for a CPU, in
 * @some_of:  seconds of sessions that say so
 * @turns:    of threads that got a CPU, and
 * @waited:   ns that they had waited for it, in
 * @turns_of: seconds of sessions that say so
 * @n_cpus:   online
 * @back:     moves after which the task was moved back within the window
 */
struct found {
	uint64_t moves[MLS_RECORDED_LOCALITIES];
	uint64_t other;
	uint64_t back;
	double refill[ARRAY_SIZE(sizes)];
	double busy;
	double seconds;
	double some, some_of, turns_of;
	uint64_t turns, waited;
	uint32_t n_cpus;
	uint32_t sessions;
	struct sim_durations wait;
};

static const enum sim_distance distance_of[MLS_RECORDED_LOCALITIES] = {
	[MLS_RECORDED_SAME_CORE] = SIM_SAME,
	[MLS_RECORDED_SAME_LLC] = SIM_NEAR,
	[MLS_RECORDED_SAME_NODE] = SIM_NODE,
	[MLS_RECORDED_FAR] = SIM_FAR,
};

static void add(struct found *f, const struct mls_recorded *row, const struct sim_costs *costs)
{
	uint32_t locality = row->locality < MLS_RECORDED_LOCALITIES ? row->locality : 0;
	double per_kib = costs->refill_per_kib[distance_of[locality]];

	if (row->flags & (MLS_RECORDED_FORCED | MLS_RECORDED_KTHREAD) ||
	    row->kind == MLS_RECORDED_FORK || row->kind == MLS_RECORDED_EXEC) {
		f->other++;
		return;
	}
	f->moves[locality]++;
	if (!row->followed)
		return;
	f->back += row->back > 0;
	if (row->ran)
		sim_durations_add(&f->wait, row->wait);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint32_t kib = sizes[i];
		double cost;

		/* Within a last level only what a core's own caches hold is lost. */
		if (distance_of[locality] <= SIM_NEAR && kib > costs->private_kib)
			kib = costs->private_kib;
		cost = per_kib * kib;
		f->refill[i] += cost < (double)row->run_time ? cost : (double)row->run_time;
	}
}

/* Where the inputs of a session say how many CPUs are busy and idle; -1: they do not. */
static int position_of(struct mls_recording_reader *reader, const struct mls_recording_session *s,
		       const char *wanted)
{
	char name[64];

	for (uint32_t i = 0; i < s->n_features; i++) {
		if (mls_recording_feature(reader, s->number, i, name, NULL) == 1 &&
		    strcmp(name, wanted) == 0)
			return (int)i;
	}
	return -1;
}

/*
 * How busy the machine was before a decision: as its two domains were of late.  How many
 * CPUs are busy at that moment would say less: moves are made when one is idle.
 */
struct busy {
	uint32_t session;
	int busy, idle, src, dst; /* positions of inputs */
	uint64_t since;
};

static void passes(struct found *f, struct busy *b, const struct mls_recorded *row)
{
	double load;

	if (b->busy < 0 || b->idle < 0 || b->src < 0 || b->dst < 0)
		return;
	load = ((double)row->features[b->src] + (double)row->features[b->dst]) / 2;
	f->n_cpus = (uint32_t)((double)row->features[b->busy] + (double)row->features[b->idle]);
	if (b->since && row->time > b->since)
		f->busy += load * f->n_cpus * (double)(row->time - b->since);
	b->since = row->time;
}

static int find_session(struct mls_recording_reader *reader, uint32_t number,
			struct mls_recording_session *session, struct mlsched_error *err)
{
	int ret;

	for (uint32_t i = 0; (ret = mls_recording_session(reader, i, session, err)) == 1; i++)
		if (session->number == number)
			return 1;
	return ret;
}

/* ns until its end or, of one that was killed, until it counted last; 0: not known. */
static int length_of(struct mls_recording_reader *reader, const struct mls_recording_session *s,
		     uint64_t *length, struct mlsched_error *err)
{
	uint64_t end = s->ended;
	int ret = end ? 0 : mls_recording_seen(reader, s->number, &end, err);

	*length = end > s->began ? end - s->began : 0;
	return ret < 0 ? ret : 0;
}

/* Waits of all threads, where the kernel counts them. */
static int read_waits(struct mls_recording_reader *reader, uint32_t session, double seconds,
		      struct found *f, struct mlsched_error *err)
{
	uint64_t some, turns, waited;
	int ret = mls_recording_value(reader, session, MLS_COUNTER_SOME_WAITED, &some, err);

	if (ret == 1) {
		f->some += (double)some;
		f->some_of += seconds;
	}
	if (ret >= 0)
		ret = mls_recording_value(reader, session, MLS_COUNTER_TURNS, &turns, err);
	if (ret == 1)
		ret = mls_recording_value(reader, session, MLS_COUNTER_WAITED, &waited, err);
	if (ret == 1) {
		f->turns += turns;
		f->waited += waited;
		f->turns_of += seconds;
	}
	return ret < 0 ? ret : 0;
}

static int read_sessions(const struct assess_options *o, struct mls_recording_reader *reader,
			 struct found *f)
{
	struct mls_recording_session session;
	struct mlsched_error err;
	uint64_t length;
	int ret;

	for (uint32_t i = 0; (ret = mls_recording_session(reader, i, &session, &err)) == 1; i++) {
		if (strcmp(session.source, "shadow") != 0)
			return cli_fail(&o->common,
					"%s: session %u is of %s: expected one of the kernel's own "
					"scheduler (mlsched record without ours attached)",
					o->recording, session.number, session.source);
		ret = length_of(reader, &session, &length, &err);
		if (!ret && length)
			ret = read_waits(reader, session.number, (double)length / 1e9, f, &err);
		if (ret)
			break;
		f->seconds += (double)length / 1e9;
		f->sessions++;
	}
	if (ret < 0)
		return cli_fail(&o->common, "%s", err.message);
	if (f->seconds <= 0)
		return cli_fail(&o->common,
				"%s: no session has an end or counted anything: for how long it "
				"was recorded is not known",
				o->recording);
	return 0;
}

static int read_rows(const struct assess_options *o, struct mls_recording_reader *reader,
		     const struct sim_costs *costs, struct found *f)
{
	struct mls_recording_session session = { 0 };
	struct busy b = { 0 };
	struct mls_recorded row;
	struct mlsched_error err;
	uint64_t length = 0;
	int ret;

	while ((ret = mls_recording_next(reader, &row, &err)) == 1) {
		if (row.session != b.session) {
			if (find_session(reader, row.session, &session, &err) < 0 ||
			    length_of(reader, &session, &length, &err) < 0)
				return cli_fail(&o->common, "%s", err.message);
			b = (struct busy){ .session = row.session,
					   .busy = position_of(reader, &session, "cpu_not_idle"),
					   .idle = position_of(reader, &session, "cpu_idle"),
					   .src = position_of(reader, &session, "src_dom_load"),
					   .dst = position_of(reader, &session, "dst_dom_load") };
		}
		/* For how long it was recorded is not known: its moves would count and no time. */
		if (!length)
			continue;
		add(f, &row, costs);
		passes(f, &b, &row);
	}
	return ret < 0 ? cli_fail(&o->common, "%s", err.message) : 0;
}

/* ---- what it says -------------------------------------------------------------------------- */

static uint64_t all_moves(const struct found *f)
{
	uint64_t n = 0;

	for (int i = 0; i < MLS_RECORDED_LOCALITIES; i++)
		n += f->moves[i];
	return n;
}

/* Of the CPUs' busy time, in percent. */
static double share(const struct found *f, size_t size)
{
	return f->busy > 0 ? 100 * f->refill[size] / f->busy : 0;
}

/* The working set by which the sentence goes, and from which shares on it says more than before. */
#define TYPICAL 2
#define LITTLE  0.5
#define MUCH    3
/* CPUs that are idle, of all, and percent of the time in which somebody waits, that belong together. */
#define IDLE_SHARE 0.1
#define WAITING    10

/* Of what can be won by refusing moves: what a better place for threads would win no refill tells. */
static const char *verdict(const struct found *f)
{
	double most = share(f, TYPICAL);

	if (!all_moves(f))
		return "Nothing moved: there is nothing to win here.";
	/* A share of nothing is none, unless it is so little that it is none of anything. */
	if (f->busy <= 0 && f->refill[TYPICAL] >= f->seconds * 1e9 * LITTLE / 100)
		return "What there is to win is not known: how busy the CPUs were the recording does not "
		       "say, so that there is nothing to compare these moves with.";
	if (most < LITTLE)
		return "There is nothing to win here in time by refusing moves: if all these moves had "
		       "cost nothing, the load would hardly have noticed.  A model may still wait less, or "
		       "move less.";
	if (most < MUCH)
		return "There is little to win here by refusing moves: a model that knew which moves pay would win a part "
		       "of that share, and only if the working sets are that large.";
	return "There may be something to win here by refusing moves: what part of that share a model wins back, the "
	       "simulator says (mlsched train --from sim), and in the end a comparison on this load.";
}

/* Percent of the time in which some thread waited, where sessions say so. */
static double some_waited(const struct found *f)
{
	return f->some / f->some_of / 1e7;
}

/* ms that a turn was waited for, where sessions say so. */
static double turn_wait(const struct found *f)
{
	return (double)f->waited / (double)f->turns / 1e6;
}

/* Of all threads, by the kernel's own count: what moves do not tell. */
static void print_waits(const struct assess_options *o, const struct found *f)
{
	double idle = f->n_cpus - f->busy / 1e9 / f->seconds;

	if (f->turns)
		printf("waits of all threads: mean %.3f ms, %.0f turns a second\n", turn_wait(f),
		       (double)f->turns / f->turns_of);
	if (f->some_of <= 0)
		return;
	printf("some thread waited for a CPU in %.1f %% of the time", some_waited(f));
	if (f->busy > 0 && idle > IDLE_SHARE * f->n_cpus && some_waited(f) > WAITING)
		printf(", while %.1f CPUs were idle in the mean:\n"
		       "what a better place would win there no refill tells, and `mlsched sim -w %s -p "
		       "eevdf,mlsched` may",
		       idle, o->recording);
	putchar('\n');
}

static void print_text(const struct assess_options *o, const struct found *f)
{
	double moves = (double)all_moves(f), cpus = f->busy / 1e9 / f->seconds;

	printf("%s: %.1f s", o->recording, f->seconds);
	if (f->n_cpus)
		printf(", %u CPUs", f->n_cpus);
	if (f->n_cpus && f->busy > 0)
		printf(", %.2f of them busy", cpus);
	printf("\n\n%-34s %10s %12s\n", "moves of tasks that could have stayed", "number",
	       "a second");
	for (int i = 0; i < MLS_RECORDED_LOCALITIES; i++)
		printf("  %-35s %10llu %12.1f\n",
		       (const char *[]){ "to a thread of the same core",
					 "within a last-level cache",
					 "to another cache of the node", "to another node" }[i],
		       (unsigned long long)f->moves[i], (double)f->moves[i] / f->seconds);
	printf("  %-35s %10.0f %12.1f\n", "all", moves, moves / f->seconds);
	printf("  %-35s %10llu\n", "moved back within the window", (unsigned long long)f->back);
	printf("%-37s %10llu\n", "others (new, bound, of the kernel)",
	       (unsigned long long)f->other);
	printf("\nwaits after a move: median %.2f ms, 99 %% below %.2f ms, the longest %.1f ms\n",
	       (double)sim_durations_at(&f->wait, 0.5) / 1e6,
	       (double)sim_durations_at(&f->wait, 0.99) / 1e6, (double)f->wait.longest / 1e6);
	print_waits(o, f);
	printf("\nwhat their caches cost at most, costs \"%s\":\n", o->costs);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		printf("  if a working set has %4u KiB: %10.1f ms", sizes[i], f->refill[i] / 1e6);
		if (f->busy > 0)
			printf(", %.2f %% of the busy time", share(f, i));
		putchar('\n');
	}
	printf("\n%s\n", verdict(f));
}

/* What says nothing where it is not known how busy the CPUs were. */
static json_t *if_busy(const struct found *f, double value)
{
	return f->busy > 0 ? json_real(value) : json_null();
}

static void print_json(const struct assess_options *o, const struct found *f)
{
	json_t *moves = json_object(), *refill = json_array();

	for (unsigned int i = 0; i < MLS_RECORDED_LOCALITIES; i++)
		json_object_set_new(moves, mls_recorded_locality_name(i),
				    json_integer((json_int_t)f->moves[i]));
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		json_array_append_new(refill, json_pack("{s:i, s:f, s:o}", "kib", (int)sizes[i],
							"ms", f->refill[i] / 1e6, "percent_of_busy",
							if_busy(f, share(f, i))));
	cli_json(json_pack("{s:s, s:f, s:i, s:o, s:o, s:I, s:I, s:f, s:f, s:o, s:o, s:s, s:o, s:s}",
			   "recording", o->recording, "seconds", f->seconds, "cpus", (int)f->n_cpus,
			   "busy_cpus", if_busy(f, f->busy / 1e9 / f->seconds), "moves", moves,
			   "moved_back", (json_int_t)f->back, "others", (json_int_t)f->other,
			   "wait_p50_ms", (double)sim_durations_at(&f->wait, 0.5) / 1e6,
			   "wait_p99_ms", (double)sim_durations_at(&f->wait, 0.99) / 1e6,
			   "some_waited_percent",
			   f->some_of > 0 ? json_real(some_waited(f)) : json_null(), "turn_wait_ms",
			   f->turns ? json_real(turn_wait(f)) : json_null(), "costs", o->costs,
			   "refill", refill, "verdict", verdict(f)));
}

int cli_assess(int argc, char **argv)
{
	struct assess_options o = { .common.command = argv[0], .costs = "server" };
	struct mls_recording_reader *reader;
	struct mlsched_error err;
	struct sim_costs costs;
	struct found *f;
	int status;

	if (cli_parse(&argp, argc, argv, &o) != 0)
		return CLI_USAGE;
	if (cli_sim_costs(o.costs, &costs, &err) != 0 ||
	    mls_recording_open(o.recording, &err, &reader) != 0)
		return cli_fail(&o.common, "%s", err.message);
	f = calloc(1, sizeof(*f));
	status = f ? read_sessions(&o, reader, f) : cli_fail(&o.common, "no memory");
	if (!status)
		status = read_rows(&o, reader, &costs, f);
	mls_recording_reader_close(reader);
	if (!status && o.common.json)
		print_json(&o, f);
	else if (!status)
		print_text(&o, f);
	free(f);
	return status;
}
