// SPDX-License-Identifier: GPL-2.0
/* From the decisions of a recording to what its tasks did. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mlsched/schema.h>

#include "core/features.h"
#include "src/data/recording.h"
#include "src/sim/replay.h"
#include "src/util/error.h"
#include "src/util/text.h"

/* Times that nobody records: longer windows and sessions. */
#define WINDOW_MOST (10 * SIM_S)
#define SPAN_MOST   (86400 * SIM_S)
/* What the inputs do not say. */
#define UNKNOWN UINT64_MAX
/* The program that launches the others is one of them. */
#define PROGRAMS_MOST (SIM_MAX_PROGRAMS - 1)

/* One decision, as far as it says what its task did. */
struct seen {
	int64_t id;
	uint64_t time;
	uint64_t observed, wait, run; /* 0 without an outcome */
	uint64_t since_run, waited, sleep; /* of the inputs; UNKNOWN: they do not say */
	uint32_t pid;
	uint16_t program;
	uint8_t kind;
};

/* Of a program: of all of its tasks together. */
struct program {
	char name[16];
	uint64_t sleeps, n_sleeps; /* ns, and how often it was known */
	uint64_t run, cycles; /* of windows whose runs could be counted */
};

struct loading {
	const char *path;
	struct mlsched_error *err;
	struct mls_recording_reader *reader;
	struct mls_recording_session session;
	int since_run, waited, sleep, src_load, dst_load; /* positions of inputs; -1 */
	struct seen *seen;
	uint64_t n_seen, allocated;
	struct program programs[PROGRAMS_MOST];
	uint32_t n_programs;
	double busy; /* ns of CPUs, by the loads of domains */
	uint64_t watched, reckoned; /* ns of CPU time: in windows, and between them */
	struct sim_replay *replay;
	uint32_t steps_allocated, tasks_allocated;
};

/* ---- the name --------------------------------------------------------------------------- */

size_t sim_replay_split(const char *name, uint32_t *session)
{
	size_t n = strlen(name), digits = n;

	*session = 1;
	while (digits && name[digits - 1] >= '0' && name[digits - 1] <= '9')
		digits--;
	if (digits > 1 && digits < n && n - digits < 7 && name[digits - 1] == ':') {
		*session = (uint32_t)strtoul(name + digits, NULL, 10);
		n = digits - 1;
	}
	return n > 3 && strncmp(name + n - 3, ".db", 3) == 0 ? n : 0;
}

bool sim_replay_is(const char *name)
{
	uint32_t session;

	return sim_replay_split(name, &session) > 0;
}

/* ---- reading ---------------------------------------------------------------------------- */

static int absurd(const struct loading *l, const struct mls_recorded *d, const char *column,
		  uint64_t low, uint64_t high, uint64_t found)
{
	return mls_error(l->err, -EINVAL,
			 "%s: decisions, row %" PRId64 ", %s: expected %" PRIu64 " to %" PRIu64
			 " ns, found %" PRIu64,
			 l->path, d->id, column, low, high, found);
}

static int check_times(const struct loading *l, const struct mls_recorded *d)
{
	uint64_t began = l->session.began, ended = l->session.ended;

	if (d->time < began || (ended && d->time > ended) || d->time - began > SPAN_MOST)
		return absurd(l, d, "time", began, ended ? ended : began + SPAN_MOST, d->time);
	if (!d->followed)
		return 0;
	if (d->observed > l->session.window)
		return absurd(l, d, "observed", 0, l->session.window, d->observed);
	if (d->wait > d->observed)
		return absurd(l, d, "wait", 0, d->observed, d->wait);
	if (d->run_time > d->observed - d->wait * !d->ran)
		return absurd(l, d, "run_time", 0, d->observed - d->wait * !d->ran, d->run_time);
	return 0;
}

/* The inverse of mls_feature_time(): the end of its range is "never". */
static uint64_t time_of(const struct mls_recorded *d, int position)
{
	double x;

	if (position < 0)
		return UNKNOWN;
	x = (double)d->features[position];
	if (x >= (double)MLS_FEATURE_TIME_MOST / 65536)
		return MLS_FEATURE_NEVER;
	return x > 0 ? (uint64_t)(1024 * (exp2(16 * x) - 1)) : 0;
}

/*
 * By its name; what is too much for the table goes together.  Anybody may give his program
 * any name: what would be more than text in a page or a trace is not taken over.
 */
static uint16_t program_of(struct loading *l, const char *comm)
{
	char name[16];

	snprintf(name, sizeof(name), "%.15s", comm);
	mls_plain_text(name, "\"\\<>&");
	for (uint32_t i = 0; i < l->n_programs; i++) {
		if (strcmp(l->programs[i].name, name) == 0)
			return (uint16_t)i;
	}
	if (l->n_programs == PROGRAMS_MOST) {
		snprintf(l->programs[PROGRAMS_MOST - 1].name, sizeof(name), "(others)");
		return PROGRAMS_MOST - 1;
	}
	snprintf(l->programs[l->n_programs].name, sizeof(name), "%s", name);
	return (uint16_t)l->n_programs++;
}

static int take(struct loading *l, const struct mls_recorded *d)
{
	int ret = check_times(l, d);
	struct seen *s;

	if (ret)
		return ret;
	if (l->n_seen == SIM_REPLAY_DECISIONS)
		return mls_error(l->err, -E2BIG, "%s: session %u: more than %d decisions", l->path,
				 l->session.number, SIM_REPLAY_DECISIONS);
	if (l->n_seen == l->allocated) {
		uint64_t size = l->allocated ? 2 * l->allocated : 4096;
		struct seen *more = realloc(l->seen, size * sizeof(*more));

		if (!more)
			return mls_error(l->err, -ENOMEM, "%s: no memory for its decisions",
					 l->path);
		l->seen = more;
		l->allocated = size;
	}
	s = &l->seen[l->n_seen++];
	*s = (struct seen){ .id = d->id,
			    .time = d->time,
			    .since_run = time_of(d, l->since_run),
			    .waited = time_of(d, l->waited),
			    .sleep = time_of(d, l->sleep),
			    .pid = d->pid,
			    .program = program_of(l, d->comm),
			    .kind = d->kind };
	if (d->followed) {
		s->observed = d->observed;
		s->wait = d->wait;
		s->run = d->run_time;
	}
	if (s->sleep != UNKNOWN && s->sleep > 0) {
		l->programs[s->program].sleeps += s->sleep;
		l->programs[s->program].n_sleeps++;
	}
	return 0;
}

/* How busy the CPUs were until now: as the two domains were of late (mlsched assess). */
static void pass(struct loading *l, const struct mls_recorded *d, uint32_t n_cpus, uint64_t *since)
{
	double load;

	if (l->src_load < 0 || l->dst_load < 0)
		return;
	load = ((double)d->features[l->src_load] + (double)d->features[l->dst_load]) / 2;
	if (*since && d->time > *since)
		l->busy += load * n_cpus * (double)(d->time - *since);
	if (d->time > *since)
		*since = d->time;
}

static int position_of(const struct mlsched_schema *schema, const char *name)
{
	for (uint32_t i = 0; i < schema->n_features; i++) {
		if (strcmp(schema->features[i].name, name) == 0)
			return (int)i;
	}
	return -1;
}

static int find_session(struct loading *l, uint32_t number)
{
	const struct mlsched_schema *schema;
	uint32_t n = 0;
	int ret;

	while ((ret = mls_recording_session(l->reader, n, &l->session, l->err)) == 1 &&
	       l->session.number != number)
		n++;
	if (ret < 0)
		return ret;
	if (!ret)
		return mls_error(l->err, -EINVAL,
				 "%s: expected a session of number %u, found %u sessions", l->path,
				 number, n);
	schema = mlsched_schema_find(l->session.schema);
	if (!schema || schema->version != l->session.schema_version)
		return mls_error(l->err, -EINVAL,
				 "%s: session %u: schema %s, version %u, is not known here",
				 l->path, number, l->session.schema, l->session.schema_version);
	if (!l->session.window || l->session.window > WINDOW_MOST)
		return mls_error(l->err, -EINVAL,
				 "%s: session %u, window: expected 1 to %llu ns, found %" PRIu64,
				 l->path, number, WINDOW_MOST, l->session.window);
	l->since_run = position_of(schema, "t_since_run");
	l->waited = position_of(schema, "t_wait");
	l->sleep = position_of(schema, "avg_sleep");
	l->src_load = position_of(schema, "src_dom_load");
	l->dst_load = position_of(schema, "dst_dom_load");
	return 0;
}

static int by_task(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;

	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static int read_decisions(struct loading *l, uint32_t number)
{
	uint64_t since = 0;
	struct mls_recorded d;
	uint32_t n_cpus;
	int ret = find_session(l, number);

	if (!ret)
		ret = mls_recording_cpus(l->reader, number, &n_cpus, l->err);
	if (ret)
		return ret;
	while ((ret = mls_recording_next(l->reader, &d, l->err)) == 1) {
		if (d.session != number)
			continue;
		ret = take(l, &d);
		if (ret)
			return ret;
		pass(l, &d, n_cpus, &since);
	}
	if (!ret && !l->n_seen)
		ret = mls_error(l->err, -ENODATA,
				"%s: session %u: expected decisions, found none: nothing can be "
				"replayed",
				l->path, number);
	if (!ret)
		qsort(l->seen, l->n_seen, sizeof(*l->seen), by_task);
	return ret;
}

/* ---- what a task did ---------------------------------------------------------------------- */

static int add_step(struct loading *l, uint64_t run, uint64_t sleep, uint64_t cycles)
{
	struct sim_replay *r = l->replay;

	if (!run && !sleep)
		return 0;
	if (r->n_steps == l->steps_allocated) {
		uint32_t size = l->steps_allocated ? 2 * l->steps_allocated : 1024;
		struct sim_step *more = realloc(r->steps, size * sizeof(*more));

		if (!more)
			return -ENOMEM;
		r->steps = more;
		l->steps_allocated = size;
	}
	/* Of runs of less than a microsecond nobody would know. */
	if (cycles > (run + sleep) / SIM_US)
		cycles = (run + sleep) / SIM_US;
	cycles = cycles > INT32_MAX ? INT32_MAX : cycles ? cycles : 1;
	r->steps[r->n_steps++] = (struct sim_step){ run, sleep, (uint32_t)cycles };
	return 0;
}

/* How a task is between two decisions: ns asleep of a sleep, and waiting beside. */
struct habit {
	uint64_t sleep; /* UNKNOWN: only that it woke up says anything */
	uint64_t wait;
};

/* By the inputs of the next decision about it, or of this one, or of others of its program. */
static uint64_t sleep_of(const struct loading *l, const struct seen *s, const struct seen *next)
{
	const struct program *p = &l->programs[s->program];

	if (s->sleep == UNKNOWN)
		return UNKNOWN;
	if (next && next->sleep > 0)
		return next->sleep;
	if (s->sleep > 0)
		return s->sleep;
	return p->n_sleeps ? p->sleeps / p->n_sleeps : 0;
}

/* One window: what the task did in it. */
static struct sim_step window_of(const struct seen *s, uint32_t wakes, const struct habit *habit)
{
	uint64_t rest = s->observed - s->run, sleep, cycles;

	rest -= s->wait < rest ? s->wait : rest;
	if (habit->sleep == UNKNOWN)
		return (struct sim_step){ s->run, rest, wakes + 1 };
	if (!habit->sleep)
		return (struct sim_step){ s->run, 0, 1 };
	cycles = (rest + (habit->sleep + habit->wait) / 2) / (habit->sleep + habit->wait);
	sleep = cycles * habit->sleep < rest ? cycles * habit->sleep : rest;
	if (cycles > INT32_MAX)
		cycles = INT32_MAX;
	return (struct sim_step){ s->run, sleep, cycles ? (uint32_t)cycles : 1 };
}

/*
 * Of the last one nobody knows how much of the rest comes behind the task's end: it slept
 * once for each run, and runs are as long as those of its program are.
 */
static struct sim_step last_window_of(const struct loading *l, const struct seen *s, uint32_t wakes,
				      struct sim_step step, const struct habit *habit)
{
	const struct program *p = &l->programs[s->program];
	uint64_t burst = p->cycles ? p->run / p->cycles : 0;
	uint64_t cycles = burst ? (s->run + burst / 2) / burst : 0, sleep;

	if (cycles < wakes + 1)
		cycles = wakes + 1;
	if (habit->sleep == UNKNOWN || cycles >= step.cycles)
		return step;
	sleep = cycles * habit->sleep;
	return (struct sim_step){ s->run, sleep < step.sleep ? sleep : step.sleep,
				  (uint32_t)cycles };
}

/*
 * Between the end of a window and the next decision.  That one's inputs say when the task
 * ran last, so it slept or waited from then on, and before it went on as in the window.
 */
static int add_gap(struct loading *l, const struct seen *next, uint64_t gap,
		   const struct seen *window, const struct sim_step *step)
{
	uint64_t waited = next->waited == UNKNOWN ? 0 : next->waited, asleep = 0, rest;
	uint64_t since = next->since_run == UNKNOWN ? 0 : next->since_run, run;
	double share;
	int ret;

	since = since < gap ? since : gap;
	waited = waited < since ? waited : since;
	asleep = since - waited;
	rest = gap - since;
	if (rest && window->observed) {
		share = (double)rest / (double)window->observed;
		run = (uint64_t)(share * (double)step->run);
		l->reckoned += run;
		ret = add_step(l, run, (uint64_t)(share * (double)step->sleep),
			       (uint64_t)(share * step->cycles + 0.5));
		if (ret)
			return ret;
	}
	return add_step(l, 0, asleep, 1);
}

static uint64_t mean_wait(const struct seen *s, uint64_t n)
{
	uint64_t sum = 0, rows = 0;

	for (uint64_t i = 0; i < n; i++) {
		if (s[i].kind != MLS_RECORDED_WAKEUP || !s[i].observed)
			continue;
		sum += s[i].wait;
		rows++;
	}
	return rows ? sum / rows : 0;
}

/* The next decision behind @end, or @n; *wakes: how often it woke up before. */
static uint64_t next_behind(const struct seen *s, uint64_t i, uint64_t n, uint64_t end,
			    uint32_t *wakes)
{
	uint64_t k = i + 1;

	for (*wakes = 0; k < n && s[k].time < end; k++)
		*wakes += s[k].kind == MLS_RECORDED_WAKEUP;
	return k;
}

/* [n] decisions about one task; @counts: only its program's runs are counted. */
static int walk(struct loading *l, const struct seen *s, uint64_t n, bool counts)
{
	struct habit habit = { .wait = mean_wait(s, n) };
	const struct seen *window = NULL;
	struct sim_step step = { 0 };
	uint64_t end = s->time, i = 0, next;
	int ret = 0;

	for (; i < n && !ret; i = next) {
		struct program *p = &l->programs[s[i].program];
		uint32_t wakes;

		next = next_behind(s, i, n, s[i].time + s[i].observed, &wakes);
		if (!s[i].observed) {
			next = i + 1;
			continue;
		}
		if (!counts && window && s[i].time > end)
			ret = add_gap(l, &s[i], s[i].time - end, window, &step);
		habit.sleep = sleep_of(l, &s[i], i + 1 < n ? &s[i + 1] : NULL);
		step = window_of(&s[i], wakes, &habit);
		end = s[i].time + s[i].observed;
		window = &s[i];
		if (counts) {
			/* The last one may have an end in it. */
			p->run += next < n ? step.run : 0;
			p->cycles += next < n ? step.cycles : 0;
			continue;
		}
		if (next == n)
			step = last_window_of(l, &s[i], wakes, step, &habit);
		l->watched += step.run;
		if (!ret)
			ret = add_step(l, step.run, step.sleep, step.cycles);
	}
	return ret;
}

/* When it is first known: new, just awake, or waiting since then. */
static uint64_t start_of(const struct seen *s, uint64_t began)
{
	uint64_t waited = s->waited == UNKNOWN || s->waited == MLS_FEATURE_NEVER ? 0 : s->waited;
	uint64_t since = s->time - began;

	return s->time - (waited < since ? waited : since);
}

static int add_task(struct loading *l, const struct seen *s, uint64_t n)
{
	struct sim_replay *r = l->replay;
	uint32_t first = r->n_steps;
	int ret;

	if (r->n_tasks == SIM_REPLAY_TASKS)
		return mls_error(l->err, -E2BIG, "%s: session %u: more than %d tasks", l->path,
				 l->session.number, SIM_REPLAY_TASKS);
	if (r->n_tasks == l->tasks_allocated) {
		uint32_t size = l->tasks_allocated ? 2 * l->tasks_allocated : 256;
		struct sim_replayed *more = realloc(r->tasks, size * sizeof(*more));

		if (!more)
			return mls_error(l->err, -ENOMEM, "%s: no memory for its tasks", l->path);
		r->tasks = more;
		l->tasks_allocated = size;
	}
	ret = walk(l, s, n, false);
	if (ret)
		return mls_error(l->err, ret, "%s: no memory for what its tasks did", l->path);
	/* A task that is forked has its parent's name until it is another program. */
	r->tasks[r->n_tasks++] = (struct sim_replayed){ .start = start_of(s, l->session.began),
							.first = first,
							.n = r->n_steps - first,
							.program = s[n - 1].program };
	return 0;
}

/* Decisions from @i on that are about one task: who is forked is another than who had its number. */
static uint64_t one_task(const struct loading *l, uint64_t i)
{
	uint64_t k = i + 1;

	while (k < l->n_seen && l->seen[k].pid == l->seen[i].pid &&
	       l->seen[k].kind != MLS_RECORDED_FORK)
		k++;
	return k - i;
}

static int add_tasks(struct loading *l)
{
	int ret = 0;

	for (uint64_t i = 0, n; i < l->n_seen; i += n) {
		n = one_task(l, i);
		walk(l, &l->seen[i], n, true);
	}
	for (uint64_t i = 0, n; i < l->n_seen && !ret; i += n) {
		n = one_task(l, i);
		ret = add_task(l, &l->seen[i], n);
	}
	return ret;
}

/* ---- the workload --------------------------------------------------------------------------- */

static int by_start(const void *a, const void *b)
{
	const struct sim_replayed *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->first < y->first ? -1 : x->first > y->first;
}

static void describe(struct loading *l)
{
	struct sim_replay *r = l->replay;
	double all = (double)(l->watched + l->reckoned);
	int n = snprintf(
		r->about, sizeof(r->about),
		"%u tasks of %u programs, %.2f s of CPU time, of which %.0f %% was watched "
		"and the rest is reckoned",
		r->n_tasks, l->n_programs, all / 1e9, all > 0 ? 100 * (double)l->watched / all : 0);

	if (l->busy > 0)
		snprintf(r->about + n, sizeof(r->about) - (size_t)n,
			 "; by the loads in it the CPUs were busy for %.2f s", l->busy / 1e9);
}

static void make_programs(struct sim_workload *w, const struct loading *l)
{
	struct sim_replay *r = l->replay;
	uint64_t zero = r->tasks[0].start;

	for (uint32_t i = 0; i < r->n_tasks; i++) {
		r->tasks[i].start -= zero;
		r->tasks[i].program++;
	}
	w->code[0] = (struct sim_instruction){ .op = SIM_LAUNCH };
	w->code[1] = (struct sim_instruction){ .op = SIM_WAIT, .count = 1 };
	w->code[2] = (struct sim_instruction){ .op = SIM_EXIT };
	w->code[3] = (struct sim_instruction){ .op = SIM_REPLAY };
	w->code[4] = (struct sim_instruction){ .op = SIM_EXIT };
	w->n_code = 5;
	w->programs[0] =
		(struct sim_program){ .name = "(launcher)", .code = w->code, .weight = 100 };
	for (uint32_t i = 0; i < l->n_programs; i++) {
		snprintf(r->names[i], sizeof(r->names[i]), "%s", l->programs[i].name);
		w->programs[i + 1] = (struct sim_program){ .name = r->names[i],
							   .code = &w->code[3],
							   .kib = SIM_REPLAY_KIB,
							   .weight = 100 };
	}
	w->starts[0] = (struct sim_start){ .program = 0, .n = 1 };
	w->n_starts = 1;
	w->numbers = r->n_tasks;
	w->most_tasks = 1 + r->n_tasks;
}

static int load(struct loading *l, struct sim_workload *w, uint32_t session)
{
	int ret = mls_recording_open(l->path, l->err, &l->reader);

	if (!ret)
		ret = read_decisions(l, session);
	if (ret)
		return ret;
	w->replay = l->replay = calloc(1, sizeof(*l->replay));
	if (l->replay)
		l->replay->names = calloc(PROGRAMS_MOST, sizeof(*l->replay->names));
	if (!l->replay || !l->replay->names)
		return mls_error(l->err, -ENOMEM, "%s: no memory for its tasks", l->path);
	ret = add_tasks(l);
	if (ret)
		return ret;
	qsort(l->replay->tasks, l->replay->n_tasks, sizeof(*l->replay->tasks), by_start);
	make_programs(w, l);
	describe(l);
	return 0;
}

int sim_replay_load(struct sim_workload *w, const char *name, struct mlsched_error *err)
{
	struct loading *l = calloc(1, sizeof(*l));
	uint32_t session;
	size_t n = sim_replay_split(name, &session);
	char *path = strndup(name, n);
	const char *file;
	int ret = -ENOMEM;

	memset(w, 0, sizeof(*w));
	if (l && path) {
		file = strrchr(path, '/');
		snprintf(w->name, sizeof(w->name), "%.31s", file ? file + 1 : path);
		l->path = path;
		l->err = err;
		ret = load(l, w, session);
		mls_recording_reader_close(l->reader);
		free(l->seen);
	} else {
		mls_error(err, ret, "%s: no memory", name);
	}
	free(path);
	free(l);
	return ret;
}

void sim_workload_clear(struct sim_workload *w)
{
	if (w->replay) {
		free(w->replay->tasks);
		free(w->replay->steps);
		free(w->replay->names);
	}
	free(w->replay);
	w->replay = NULL;
}
