// SPDX-License-Identifier: GPL-2.0
/* Traces in the JSON of Chrome's trace viewer, which Perfetto reads. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/sim/trace.h"
#include "src/util/error.h"
#include "src/util/text.h"

struct trace {
	const struct sim_contender *contender;
	FILE *file;
	u32 *last; /* CPU on which each task ran, and one */
};

/* Times are in us there; ours are exact to the ns. */
static void print_us(FILE *file, const char *name, u64 ns)
{
	fprintf(file, ",\"%s\":%" PRIu64 ".%03u", name, (uint64_t)(ns / 1000), (u32)(ns % 1000));
}

static void ran(void *observer, const struct sim *s, u32 cpu, u32 task, u64 from)
{
	static const char *const distances[SIM_DISTANCES] = { "", "to another CPU of its cache",
							      "to another cache",
							      "to another node" };
	struct trace *t = observer;
	const struct sim_task *p = &s->tasks[task];
	u32 last = t->last[task];

	if (last && last != cpu + 1) {
		fprintf(t->file,
			",\n{\"name\":\"%s\",\"cat\":\"move\",\"ph\":\"i\",\"s\":\"t\",\"pid\":1,\"tid\":%u",
			distances[sim_distance(s->machine, last - 1, cpu)], cpu + 1);
		print_us(t->file, "ts", from);
		fprintf(t->file, ",\"args\":{\"task\":%u,\"from\":%u}}", task, last - 1);
	}
	/* A slot is given to another task when this one has ended. */
	t->last[task] = p->ran_on == SIM_NONE ? 0 : cpu + 1;
	fprintf(t->file, ",\n{\"name\":\"%s %u\",\"cat\":\"run\",\"ph\":\"X\",\"pid\":1,\"tid\":%u",
		s->workload->programs[p->program].name, p->who, cpu + 1);
	print_us(t->file, "ts", from);
	print_us(t->file, "dur", s->now - from);
	fprintf(t->file, ",\"args\":{\"task\":%u}}", task);
}

static void print_names(FILE *file, const struct sim_machine *m, const char *title)
{
	fprintf(file,
		"{\"traceEvents\":[\n{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":1,"
		"\"args\":{\"name\":\"%s\"}}",
		title);
	for (u32 cpu = 0; cpu < m->n_cpus; cpu++)
		fprintf(file,
			",\n{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":1,\"tid\":%u,\"args\":"
			"{\"name\":\"CPU %u, cache %u, node %u\"}}",
			cpu + 1, cpu, m->llc[cpu], m->node[cpu]);
}

static int run(struct trace *t, const struct sim_machine *machine,
	       const struct sim_workload *workload, uint64_t seed, uint64_t limit)
{
	struct sim_options options = sim_contender_options(t->contender, limit);
	char title[128];
	struct sim *s;

	options.ran = ran;
	options.observer = t;
	snprintf(title, sizeof(title), "%s on %s under %s, seed %" PRIu64 " (simulation)",
		 workload->name, machine->name, t->contender->name, seed);
	/* A workload has the name of its file, which may be anything. */
	mls_plain_text(title, "\"\\");
	print_names(t->file, machine, title);
	t->last = calloc(workload->most_tasks, sizeof(*t->last));
	s = t->last ? sim_new(machine, workload, t->contender->policy, &options, seed, NULL) : NULL;
	if (s)
		sim_run(s, limit);
	fprintf(t->file, "\n],\"displayTimeUnit\":\"ms\"}\n");
	sim_free(s);
	free(t->last);
	return s ? 0 : -ENOMEM;
}

int sim_trace(const struct sim_machine *machine, const struct sim_workload *workload,
	      const struct sim_contender *contender, uint64_t seed, uint64_t limit,
	      const char *path, struct mlsched_error *err)
{
	struct trace t = { .contender = contender, .file = fopen(path, "we") };
	int ret;

	if (!t.file) {
		ret = -errno;
		return mls_error(err, ret, "%s: %s", path, strerror(-ret));
	}
	ret = run(&t, machine, workload, seed, limit);
	if (ret)
		mls_error(err, ret, "no memory");
	if ((ferror(t.file) | fclose(t.file)) && !ret)
		ret = mls_error(err, -EIO, "%s: cannot be written", path);
	return ret;
}
