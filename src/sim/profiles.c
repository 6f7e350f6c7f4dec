// SPDX-License-Identifier: GPL-2.0
/*
 * The named workloads.  The first four are those of bench/vm/profiles.c, number by
 * number: with the same seed each task is given the same work there and here.  The others
 * are: requests that come and go, the compile with as many jobs as CPUs and with half of
 * that (make has half as many again), and a program of parallel loops.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "src/sim/replay.h"
#include "src/sim/rtapp.h"
#include "src/sim/workload.h"
#include "src/util/error.h"
#include "src/util/text.h"

/* As in bench/vm/profiles.c. */
enum stream { OF_MEAN = 1, OF_BURST, OF_PAUSE, OF_SLEEPS, OF_HOP, OF_NEXT, OF_LENGTH, OF_SLEEPER };

static struct sim_instruction *add(struct sim_workload *w, struct sim_instruction instruction)
{
	w->code[w->n_code] = instruction;
	return &w->code[w->n_code++];
}

/* Begins program number @n. */
static void begin(struct sim_workload *w, uint32_t n, const char *name, uint32_t kib)
{
	w->programs[n] = (struct sim_program){
		.name = name, .code = &w->code[w->n_code], .kib = kib, .weight = 100
	};
}

static void fixed(struct sim_workload *w, enum sim_op op, uint64_t ns)
{
	add(w, (struct sim_instruction){ .op = op, .mean = ns });
}

static struct sim_instruction *around(struct sim_workload *w, enum sim_op op, uint64_t ns,
				      enum stream stream)
{
	return add(
		w,
		(struct sim_instruction){
			.op = op, .vary = SIM_AROUND, .stream = stream, .mean = ns, .stride = 1 });
}

static void end(struct sim_workload *w)
{
	add(w, (struct sim_instruction){ .op = SIM_EXIT });
}

/* CPU-bound, one burst after the other, with a pause after one of four. */
static void bursts(struct sim_workload *w, uint32_t n, uint64_t burst, uint64_t pause)
{
	uint16_t first = (uint16_t)(&w->code[w->n_code] - w->programs[0].code);

	around(w, SIM_RUN, burst, OF_BURST)->own = OF_MEAN;
	add(w, (struct sim_instruction){
		       .op = SIM_CHANCE, .stream = OF_SLEEPS, .stride = 1, .count = 4 });
	around(w, SIM_SLEEP, pause, OF_PAUSE);
	add(w, (struct sim_instruction){ .op = SIM_LOOP, .to = first, .count = n });
	end(w);
}

/* A compile with so many jobs at a time. */
static void compile(struct sim_workload *w, uint32_t cpus, uint32_t parallel)
{
	enum { MAKE, DRIVER, CC, AS };
	uint32_t jobs = 12 * cpus;

	begin(w, MAKE, "make", 256);
	add(w, (struct sim_instruction){ .op = SIM_SPAWN, .to = DRIVER, .count = 1 });
	add(w, (struct sim_instruction){ .op = SIM_LOOP, .to = 0, .count = parallel });
	add(w, (struct sim_instruction){ .op = SIM_WAIT });
	add(w, (struct sim_instruction){ .op = SIM_SPAWN, .to = DRIVER, .count = 1 });
	add(w, (struct sim_instruction){ .op = SIM_LOOP, .to = 2, .count = jobs - parallel });
	add(w, (struct sim_instruction){ .op = SIM_WAIT, .count = 1 });
	end(w);

	begin(w, DRIVER, "driver", 256);
	fixed(w, SIM_EXEC, 0);
	fixed(w, SIM_RUN, 300 * SIM_US);
	add(w, (struct sim_instruction){ .op = SIM_SPAWN, .to = CC });
	add(w, (struct sim_instruction){ .op = SIM_WAIT, .count = 1 });
	add(w, (struct sim_instruction){ .op = SIM_SPAWN, .to = AS });
	add(w, (struct sim_instruction){ .op = SIM_WAIT, .count = 1 });
	end(w);

	begin(w, CC, "cc", 1800);
	fixed(w, SIM_EXEC, 0);
	*around(w, SIM_RUN, 40 * SIM_MS, OF_BURST) =
		(struct sim_instruction){ .op = SIM_RUN,
					  .vary = SIM_AROUND,
					  .stream = OF_BURST,
					  .stride = 1,
					  .mean = 40 * SIM_MS,
					  .rare = 8,
					  .times = 5,
					  .own_rare = OF_LENGTH };
	around(w, SIM_SLEEP, 500 * SIM_US, OF_PAUSE);
	add(w, (struct sim_instruction){ .op = SIM_LOOP, .to = 1, .count = 4 });
	end(w);

	begin(w, AS, "as", 512);
	fixed(w, SIM_EXEC, 0);
	around(w, SIM_RUN, 20 * SIM_MS, OF_HOP);
	end(w);

	w->starts[w->n_starts++] = (struct sim_start){ .program = MAKE, .n = 1 };
	w->numbers = jobs;
	w->most_tasks = 1 + 2 * parallel;
}

static void make(struct sim_workload *w, uint32_t cpus)
{
	compile(w, cpus, cpus * 3 / 2);
}

static void make_one(struct sim_workload *w, uint32_t cpus)
{
	compile(w, cpus, cpus);
}

static void make_half(struct sim_workload *w, uint32_t cpus)
{
	compile(w, cpus, (cpus + 1) / 2);
}

/* Forty loops in parallel: five parts for four CPUs, and the next one when all are done. */
static void phases(struct sim_workload *w, uint32_t cpus)
{
	enum { MAIN, PART, PHASES = 40 };
	uint32_t parts = (cpus * 5 + 3) / 4;

	begin(w, MAIN, "main", 256);
	add(w, (struct sim_instruction){ .op = SIM_SPAWN, .to = PART, .count = 1 });
	add(w, (struct sim_instruction){ .op = SIM_LOOP, .to = 0, .count = parts });
	add(w, (struct sim_instruction){ .op = SIM_WAIT, .count = 1 });
	fixed(w, SIM_RUN, 500 * SIM_US);
	add(w, (struct sim_instruction){ .op = SIM_LOOP, .to = 0, .level = 1, .count = PHASES });
	end(w);
	begin(w, PART, "part", 768);
	around(w, SIM_RUN, 6 * SIM_MS, OF_BURST);
	around(w, SIM_SLEEP, 300 * SIM_US, OF_PAUSE);
	around(w, SIM_RUN, 6 * SIM_MS, OF_HOP);
	end(w);
	w->starts[w->n_starts++] = (struct sim_start){ .program = MAIN, .n = 1 };
	w->numbers = PHASES * parts;
	w->most_tasks = 1 + parts;
}

static void message(struct sim_workload *w, uint32_t cpus)
{
	begin(w, 0, "worker", 128);
	fixed(w, SIM_BEGIN, 0);
	add(w, (struct sim_instruction){ .op = SIM_RECEIVE, .to = 5 });
	around(w, SIM_RUN, 1 * SIM_MS, OF_HOP)->by = SIM_BY_HOP;
	add(w, (struct sim_instruction){
		       .op = SIM_SEND, .stream = OF_NEXT, .stride = 1, .offset = 1 });
	add(w, (struct sim_instruction){ .op = SIM_LOOP, .to = 1 });
	end(w);
	w->starts[w->n_starts++] =
		(struct sim_start){ .program = 0, .n = 6 * cpus, .groups = cpus };
	w->n_groups = cpus;
	w->messages = 3;
	w->hops = 400 * 6;
	w->most_tasks = 6 * cpus;
}

static void mixed(struct sim_workload *w, uint32_t cpus)
{
	begin(w, 0, "worker", 1024);
	fixed(w, SIM_BEGIN, 0);
	bursts(w, 120, 10 * SIM_MS, 2 * SIM_MS);
	begin(w, 1, "sleeper", 64);
	w->programs[1].daemon = true;
	fixed(w, SIM_BEGIN, 0);
	around(w, SIM_SLEEP, 4 * SIM_MS, OF_SLEEPER)->stride = 2;
	*around(w, SIM_RUN, 200 * SIM_US, OF_SLEEPER) =
		(struct sim_instruction){ .op = SIM_RUN,
					  .vary = SIM_AROUND,
					  .stream = OF_SLEEPER,
					  .stride = 2,
					  .offset = 1,
					  .mean = 200 * SIM_US };
	add(w, (struct sim_instruction){ .op = SIM_LOOP, .to = 1 });
	w->starts[w->n_starts++] = (struct sim_start){ .program = 0, .n = 5 * cpus / 2 };
	w->starts[w->n_starts++] = (struct sim_start){ .program = 1, .n = cpus };
	w->most_tasks = 5 * cpus / 2 + cpus;
}

static void imbalance(struct sim_workload *w, uint32_t cpus)
{
	begin(w, 0, "worker", 1024);
	fixed(w, SIM_RUN, 5 * SIM_MS);
	fixed(w, SIM_BEGIN, 0);
	fixed(w, SIM_UNTIE, 0);
	bursts(w, 120, 10 * SIM_MS, 2 * SIM_MS);
	w->starts[w->n_starts++] = (struct sim_start){ .program = 0, .n = 2 * cpus, .tied = 1 };
	w->most_tasks = 2 * cpus;
}

/* Requests that come and go: 25 tasks for each CPU, each of which wants a fortieth of one. */
static void server(struct sim_workload *w, uint32_t cpus)
{
	begin(w, 0, "request", 256);
	fixed(w, SIM_BEGIN, 0);
	*around(w, SIM_SLEEP, 0, OF_PAUSE) = (struct sim_instruction){ .op = SIM_SLEEP,
								       .vary = SIM_EXPONENTIAL,
								       .stream = OF_PAUSE,
								       .stride = 1,
								       .mean = 20 * SIM_MS };
	*around(w, SIM_RUN, 0, OF_BURST) = (struct sim_instruction){ .op = SIM_RUN,
								     .vary = SIM_LOGNORMAL,
								     .stream = OF_BURST,
								     .stride = 1,
								     .mean = 500 * SIM_US };
	add(w, (struct sim_instruction){ .op = SIM_LOOP, .to = 1, .count = 200 });
	end(w);
	w->starts[w->n_starts++] = (struct sim_start){ .program = 0, .n = 25 * cpus };
	w->most_tasks = 25 * cpus;
}

static const struct {
	const char *name;
	void (*make)(struct sim_workload *w, uint32_t cpus);
} workloads[] = {
	{ "make", make },           { "message", message }, { "mixed", mixed },
	{ "imbalance", imbalance }, { "server", server },   { "make1", make_one },
	{ "makehalf", make_half },  { "phases", phases },
};
#define N_WORKLOADS (sizeof(workloads) / sizeof(workloads[0]))

const char *sim_workload_name(uint32_t i)
{
	return i < N_WORKLOADS ? workloads[i].name : NULL;
}

int sim_workload_make(struct sim_workload *w, const char *name, uint32_t cpus,
		      struct mlsched_error *err)
{
	char names[256] = "";

	if (mls_has_suffix(name, ".json"))
		return sim_rtapp_load(w, name, err);
	if (sim_replay_is(name))
		return sim_replay_load(w, name, err);
	memset(w, 0, sizeof(*w));
	for (uint32_t i = 0; i < N_WORKLOADS; i++) {
		if (strcmp(workloads[i].name, name) == 0) {
			snprintf(w->name, sizeof(w->name), "%s", name);
			workloads[i].make(w, cpus);
			return 0;
		}
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s",
			 i ? ", " : "", workloads[i].name);
	}
	return mls_error(err, -EINVAL,
			 "workload %s: expected one of %s, a file of rt-app's, NAME.json, or a "
			 "recording, NAME.db",
			 name, names);
}
