// SPDX-License-Identifier: GPL-2.0
/*
 * Which CPUs share a last-level cache and a node, and tying threads to them.
 *
 * Ties are the controls of a comparison: "home" refuses every move between caches
 * (a thread keeps the one where it finds itself at the start), "cache" and "cpu"
 * are what someone would choose who knew each worker's work in advance: the
 * heaviest first, each to the place that has least so far, groups kept together.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "workload.h"

/* Gives every CPU of a list like "0-3,8" the value. */
static void set_cpus(uint32_t *of_cpu, const char *list, uint32_t value)
{
	unsigned int first, last;
	int length;

	while (sscanf(list, "%u%n", &first, &length) == 1) {
		list += length;
		last = first;
		if (sscanf(list, "-%u%n", &last, &length) == 1)
			list += length;
		for (; first <= last && first < MAX_CPUS; first++)
			of_cpu[first] = value;
		if (*list++ != ',')
			return;
	}
}

/* Numbers the groups of CPUs that a file of each CPU lists; returns how many there are. */
static uint32_t read_groups(uint32_t *of_cpu, uint32_t n_cpus, const char *format)
{
	char path[128], list[1024];
	uint32_t n = 0;

	for (uint32_t cpu = 0; cpu < n_cpus; cpu++)
		of_cpu[cpu] = UINT32_MAX;
	for (uint32_t cpu = 0; cpu < n_cpus; cpu++) {
		FILE *file;

		if (of_cpu[cpu] != UINT32_MAX)
			continue;
		snprintf(path, sizeof(path), format, cpu);
		of_cpu[cpu] = n;
		file = fopen(path, "r");
		if (file && fgets(list, sizeof(list), file))
			set_cpus(of_cpu, list, n);
		if (file)
			fclose(file);
		n++;
	}
	return n;
}

static void read_nodes(struct machine *m)
{
	char path[128], list[1024];
	FILE *file;

	m->n_nodes = 0;
	memset(m->node, 0, sizeof(m->node));
	for (uint32_t node = 0; node < MAX_CPUS; node++) {
		snprintf(path, sizeof(path), "/sys/devices/system/node/node%u/cpulist", node);
		file = fopen(path, "r");
		if (!file)
			break;
		if (fgets(list, sizeof(list), file))
			set_cpus(m->node, list, node);
		fclose(file);
		m->n_nodes++;
	}
	if (!m->n_nodes)
		m->n_nodes = 1;
}

void machine_read(struct machine *m)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	if (n < 1 || n > MAX_CPUS)
		fail("%ld CPUs: expected 1 to %d", n, MAX_CPUS);
	m->n_cpus = (uint32_t)n;
	m->n_caches = read_groups(m->cache, m->n_cpus,
				  "/sys/devices/system/cpu/cpu%u/cache/index3/shared_cpu_list");
	read_nodes(m);
}

static void tie(int cache, int cpu)
{
	const struct machine *m = &arena->machine;
	cpu_set_t set;

	CPU_ZERO(&set);
	for (uint32_t i = 0; i < m->n_cpus; i++) {
		if ((cache < 0 || m->cache[i] == (uint32_t)cache) &&
		    (cpu < 0 || i == (uint32_t)cpu))
			CPU_SET(i, &set);
	}
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		fail("sched_setaffinity: %s", strerror(errno));
}

void tie_to_cpu(uint32_t cpu)
{
	tie(-1, (int)cpu);
}

void tie_to_cache(uint32_t cache)
{
	tie((int)cache, -1);
}

void tie_to_nothing(void)
{
	tie(-1, -1);
}

/* What the calling thread's settings say; the place was planned before. */
void tie_apply(const struct worker *w)
{
	switch (arena->settings.tie) {
	case TIE_NONE:
		return;
	case TIE_HOME:
		tie_to_cache(arena->machine.cache[sched_getcpu()]);
		return;
	case TIE_CACHE:
		tie_to_cache((uint32_t)w->place);
		return;
	case TIE_CPU:
		tie_to_cpu((uint32_t)w->place);
		return;
	}
}

static int heavier_first(const void *a, const void *b)
{
	const struct worker *x = &arena->worker[*(const uint32_t *)a];
	const struct worker *y = &arena->worker[*(const uint32_t *)b];

	if (x->expected != y->expected)
		return x->expected < y->expected ? 1 : -1;
	return x->id < y->id ? -1 : x->id > y->id;
}

/* The place with the least load; of the CPUs only those of one cache, unless that is -1. */
static uint32_t lightest(const uint64_t *load, uint32_t n, int cache)
{
	uint32_t best = UINT32_MAX;

	for (uint32_t i = 0; i < n; i++) {
		if (cache >= 0 && arena->machine.cache[i] != (uint32_t)cache)
			continue;
		if (best == UINT32_MAX || load[i] < load[best])
			best = i;
	}
	return best;
}

/* Chooses the place of each worker. */
void tie_plan(uint32_t n_workers)
{
	const struct machine *m = &arena->machine;
	uint64_t cache_load[MAX_CPUS] = { 0 }, cpu_load[MAX_CPUS] = { 0 };
	uint32_t order[MAX_WORKERS];
	int group_cache[MAX_WORKERS];

	for (uint32_t i = 0; i < n_workers; i++) {
		order[i] = i;
		group_cache[i] = -1;
	}
	qsort(order, n_workers, sizeof(order[0]), heavier_first);
	for (uint32_t i = 0; i < n_workers; i++) {
		struct worker *w = &arena->worker[order[i]];
		int *cache = &group_cache[w->group];

		/* Workers without a group are one each. */
		if (*cache < 0)
			*cache = (int)lightest(cache_load, m->n_caches, -1);
		cache_load[*cache] += w->expected;
		w->place = *cache;
		if (arena->settings.tie == TIE_CPU) {
			w->place = (int)lightest(cpu_load, m->n_cpus, *cache);
			cpu_load[w->place] += w->expected;
		}
	}
}
