// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/host/topology.h"
#include "src/host/waits.h"

/* Of one CPU; one that is offline is not in the file, and counts on when it comes back. */
struct counted {
	bool seen;
	uint64_t waited, turns;
};

struct mls_waits_source {
	FILE *pressure;
	FILE *schedstat;
	struct mls_waits begun;
	struct counted cpu[MLS_MAX_CPUS]; /* when it was there first */
};

static FILE *open_in(const char *proc, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", proc, name);
	return fopen(path, "re");
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=12345", in us. */
static void read_pressure(FILE *file, struct mls_waits *w)
{
	char line[256];

	rewind(file);
	while (fgets(line, sizeof(line), file)) {
		const char *total = strstr(line, "total=");
		uint64_t us;

		if (strncmp(line, "some ", 5) == 0 && total &&
		    sscanf(total, "total=%" SCNu64, &us) == 1) {
			w->has_some = true;
			w->some = us * 1000;
		}
	}
}

/*
 * "cpu0 yld - sched idle ttwu local run_ns wait_ns turns"; behind each CPU stand its domains,
 * in lines of more than any of ours has.
 */
static void read_schedstat(struct mls_waits_source *s, struct mls_waits *w)
{
	char line[256];
	bool begins = true;

	rewind(s->schedstat);
	while (fgets(line, sizeof(line), s->schedstat)) {
		struct counted now = { .seen = true }, *then;
		unsigned int cpu;

		if (begins &&
		    sscanf(line, "cpu%u %*u %*u %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64, &cpu,
			   &now.waited, &now.turns) == 3 &&
		    cpu < MLS_MAX_CPUS) {
			then = &s->cpu[cpu];
			if (!then->seen)
				*then = now;
			w->has_turns = true;
			w->waited += now.waited - then->waited;
			w->turns += now.turns - then->turns;
		}
		begins = strchr(line, '\n') != NULL;
	}
}

static void read_all(struct mls_waits_source *s, struct mls_waits *w)
{
	memset(w, 0, sizeof(*w));
	if (s->pressure)
		read_pressure(s->pressure, w);
	if (s->schedstat)
		read_schedstat(s, w);
}

struct mls_waits_source *mls_waits_open(const char *proc)
{
	struct mls_waits_source *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->pressure = open_in(proc, "pressure/cpu");
	s->schedstat = open_in(proc, "schedstat");
	read_all(s, &s->begun);
	return s;
}

void mls_waits_read(struct mls_waits_source *s, struct mls_waits *w)
{
	read_all(s, w);
	w->has_some = w->has_some && s->begun.has_some;
	w->has_turns = w->has_turns && s->begun.has_turns;
	w->some -= s->begun.some;
}

void mls_waits_close(struct mls_waits_source *s)
{
	if (!s)
		return;
	if (s->pressure)
		fclose(s->pressure);
	if (s->schedstat)
		fclose(s->schedstat);
	free(s);
}
