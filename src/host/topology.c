// SPDX-License-Identifier: GPL-2.0
/*
 * Reads sysfs.  The order of the steps matters: CPUs, then what they share,
 * then domains out of that.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/host/topology.h"
#include "src/util/error.h"

/* The longest list that 1,024 CPUs can make ("0,2,4,...") is below this. */
#define LIST_SIZE       8192
#define CORES_PER_GROUP 4

int mls_cpu_list_parse(const char *text, bool *set)
{
	memset(set, 0, MLS_MAX_CPUS * sizeof(*set));
	while (isspace((unsigned char)*text))
		text++;
	while (*text) {
		unsigned long first, last;
		char *end;

		if (!isdigit((unsigned char)*text))
			return -EINVAL;
		first = last = strtoul(text, &end, 10);
		if (*end == '-') {
			text = end + 1;
			if (!isdigit((unsigned char)*text))
				return -EINVAL;
			last = strtoul(text, &end, 10);
		}
		if (last < first)
			return -EINVAL;
		if (last >= MLS_MAX_CPUS)
			return -E2BIG;
		for (unsigned long cpu = first; cpu <= last; cpu++)
			set[cpu] = true;
		if (*end == ',')
			end++;
		while (isspace((unsigned char)*end))
			end++;
		text = end;
	}
	return 0;
}

/* Reads a small file; the path is put together from a format. */
__attribute__((format(printf, 3, 4))) static int read_text(char *text, size_t size,
							   const char *format, ...)
{
	char path[512];
	va_list args;
	ssize_t n;
	int fd, length;

	va_start(args, format);
	length = vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	if (length < 0 || (size_t)length >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, size - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n < 0)
		return (int)n;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return 0;
}

static int read_cpu_list(const char *sysfs, const char *name, bool *set, struct mlsched_error *err)
{
	char text[LIST_SIZE];
	int ret = read_text(text, sizeof(text), "%s/devices/system/cpu/%s", sysfs, name);

	if (ret)
		return mls_error(err, ret, "%s/devices/system/cpu/%s: %s", sysfs, name,
				 strerror(-ret));
	ret = mls_cpu_list_parse(text, set);
	if (ret)
		return mls_error(err, ret,
				 "%s/devices/system/cpu/%s: expected a list of CPUs below %d, "
				 "got \"%.60s\"",
				 sysfs, name, MLS_MAX_CPUS, text);
	return 0;
}

static uint32_t lowest(const bool *set)
{
	for (uint32_t cpu = 0; cpu < MLS_MAX_CPUS; cpu++) {
		if (set[cpu])
			return cpu;
	}
	return MLS_MAX_CPUS;
}

/* The lowest CPU of the list in a file; @cpu itself if the file is missing or makes no sense. */
static uint32_t first_of(const char *sysfs, uint32_t cpu, const char *name)
{
	char text[LIST_SIZE];
	bool set[MLS_MAX_CPUS];

	if (read_text(text, sizeof(text), "%s/devices/system/cpu/cpu%u/%s", sysfs, cpu, name) ||
	    mls_cpu_list_parse(text, set) || !set[cpu])
		return cpu;
	return lowest(set);
}

static uint32_t core_of(const char *sysfs, uint32_t cpu)
{
	uint32_t first = first_of(sysfs, cpu, "topology/core_cpus_list");

	/* The older name of the same list. */
	return first != cpu ? first : first_of(sysfs, cpu, "topology/thread_siblings_list");
}

/* The cache with the highest level: its lowest CPU, or -1 where sysfs shows none. */
static int cache_of(const char *sysfs, uint32_t cpu, uint32_t *level)
{
	uint32_t best = 0, best_index = 0;
	char text[64], name[64];

	for (uint32_t index = 0; index < 16; index++) {
		uint32_t found;

		if (read_text(text, sizeof(text), "%s/devices/system/cpu/cpu%u/cache/index%u/level",
			      sysfs, cpu, index))
			break;
		found = (uint32_t)strtoul(text, NULL, 10);
		if (found < best || found == 0)
			continue;
		if (read_text(text, sizeof(text), "%s/devices/system/cpu/cpu%u/cache/index%u/type",
			      sysfs, cpu, index) == 0 &&
		    strcmp(text, "Instruction") == 0)
			continue;
		best = found;
		best_index = index;
	}
	if (best == 0)
		return -1;
	*level = best;
	snprintf(name, sizeof(name), "cache/index%u/shared_cpu_list", best_index);
	return (int)first_of(sysfs, cpu, name);
}

/* Where no caches are shown: CPUs of a package share one, as far as can be known. */
static int package_of(const char *sysfs, uint32_t cpu)
{
	char text[64];

	if (read_text(text, sizeof(text),
		      "%s/devices/system/cpu/cpu%u/topology/physical_package_id", sysfs, cpu))
		return 0;
	/* -1 is what some machines say: one package. */
	return text[0] == '-' ? 0 : atoi(text);
}

/*
 * Turns arbitrary identities, one a CPU, into 0, 1, 2, ... in the order of
 * the CPUs; returns how many there are.
 */
static uint32_t number(const struct mls_topology *t, const int *identity, uint16_t *index)
{
	int seen[MLS_MAX_CPUS];
	uint32_t n = 0;

	for (uint32_t cpu = 0; cpu < t->n_cpus; cpu++) {
		uint32_t i = 0;

		if (!t->cpus[cpu].online)
			continue;
		while (i < n && seen[i] != identity[cpu])
			i++;
		if (i == n)
			seen[n++] = identity[cpu];
		index[cpu] = (uint16_t)i;
	}
	return n;
}

static int read_nodes(const char *sysfs, struct mls_topology *t, struct mlsched_error *err)
{
	int identity[MLS_MAX_CPUS] = { 0 };
	uint16_t index[MLS_MAX_CPUS] = { 0 };
	bool nodes[MLS_MAX_CPUS], cpus[MLS_MAX_CPUS];
	char text[LIST_SIZE];

	/* A kernel without NUMA has no such directory: everything is node 0. */
	if (read_text(text, sizeof(text), "%s/devices/system/node/online", sysfs) ||
	    mls_cpu_list_parse(text, nodes)) {
		t->n_nodes = 1;
		return 0;
	}
	for (uint32_t node = 0; node < MLS_MAX_CPUS; node++) {
		if (!nodes[node] ||
		    read_text(text, sizeof(text), "%s/devices/system/node/node%u/cpulist", sysfs,
			      node) ||
		    mls_cpu_list_parse(text, cpus))
			continue;
		for (uint32_t cpu = 0; cpu < t->n_cpus; cpu++) {
			if (cpus[cpu])
				identity[cpu] = (int)node;
		}
	}
	t->n_nodes = number(t, identity, index);
	if (t->n_nodes > MLS_MAX_NODES)
		return mls_error(err, -E2BIG,
				 "%s/devices/system/node: expected up to %d NUMA nodes, got %u",
				 sysfs, MLS_MAX_NODES, t->n_nodes);
	for (uint32_t cpu = 0; cpu < t->n_cpus; cpu++)
		t->cpus[cpu].node = index[cpu];
	return 0;
}

static void read_caches(const char *sysfs, struct mls_topology *t)
{
	int identity[MLS_MAX_CPUS] = { 0 };
	uint16_t index[MLS_MAX_CPUS] = { 0 };
	bool shown = true;

	t->cache_level = 0;
	for (uint32_t cpu = 0; cpu < t->n_cpus && shown; cpu++) {
		if (!t->cpus[cpu].online)
			continue;
		identity[cpu] = cache_of(sysfs, cpu, &t->cache_level);
		shown = identity[cpu] >= 0;
	}
	if (!shown) {
		t->cache_level = 0;
		for (uint32_t cpu = 0; cpu < t->n_cpus; cpu++)
			identity[cpu] = package_of(sysfs, cpu);
	}
	t->n_caches = number(t, identity, index);
	for (uint32_t cpu = 0; cpu < t->n_cpus; cpu++)
		t->cpus[cpu].cache = index[cpu];
}

static void read_cores(const char *sysfs, struct mls_topology *t)
{
	t->n_cores = 0;
	for (uint32_t cpu = 0; cpu < t->n_cpus; cpu++) {
		if (!t->cpus[cpu].online)
			continue;
		t->cpus[cpu].core = (uint16_t)core_of(sysfs, cpu);
		if (!t->cpus[t->cpus[cpu].core].online)
			t->cpus[cpu].core = (uint16_t)cpu;
		t->n_cores += t->cpus[cpu].core == cpu;
	}
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Neighbouring cores into groups that are as equal as can be, not across nodes or caches first. */
static void group_cores(struct mls_topology *t, uint32_t n)
{
	uint64_t cores[MLS_MAX_CPUS];
	uint32_t n_cores = 0;

	for (uint32_t cpu = 0; cpu < t->n_cpus; cpu++) {
		const struct mls_cpu *c = &t->cpus[cpu];

		if (c->online && c->core == cpu)
			cores[n_cores++] = (uint64_t)c->node << 40 | (uint64_t)c->cache << 20 | cpu;
	}
	qsort(cores, n_cores, sizeof(cores[0]), by_value);
	for (uint32_t i = 0; i < n_cores; i++)
		t->cpus[cores[i] & 0xfffff].domain = (uint16_t)((uint64_t)i * n / n_cores);
	for (uint32_t cpu = 0; cpu < t->n_cpus; cpu++) {
		if (t->cpus[cpu].online)
			t->cpus[cpu].domain = t->cpus[t->cpus[cpu].core].domain;
	}
	t->n_domains = n;
}

static int make_domains(struct mls_topology *t, uint32_t n, struct mlsched_error *err)
{
	if (n > t->n_cores || n > MLS_MAX_DOMAINS)
		return mls_error(err, -ERANGE,
				 "expected 1 to %u domains (cores of this machine), got %u",
				 t->n_cores < MLS_MAX_DOMAINS ? t->n_cores : MLS_MAX_DOMAINS, n);
	if (n) {
		t->domains_are = MLS_DOMAINS_CHOSEN;
		group_cores(t, n);
	} else if (t->n_caches > MLS_MAX_DOMAINS) {
		t->domains_are = MLS_DOMAINS_MERGED;
		group_cores(t, MLS_MAX_DOMAINS);
	} else if (t->n_caches > 1) {
		t->domains_are = MLS_DOMAINS_CACHES;
		t->n_domains = t->n_caches;
		for (uint32_t cpu = 0; cpu < t->n_cpus; cpu++)
			t->cpus[cpu].domain = t->cpus[cpu].cache;
	} else {
		n = t->n_cores / CORES_PER_GROUP;
		n = n < 2 ? 2 : n;
		n = n > MLS_MAX_DOMAINS ? MLS_MAX_DOMAINS : n;
		t->domains_are = MLS_DOMAINS_CORES;
		group_cores(t, n < t->n_cores ? n : t->n_cores);
	}
	return 0;
}

static void fill_in_offline(struct mls_topology *t)
{
	uint32_t like = 0;

	while (like + 1 < t->n_cpus && !t->cpus[like].online)
		like++;
	for (uint32_t cpu = 0; cpu < t->n_cpus; cpu++) {
		struct mls_cpu *c = &t->cpus[cpu];

		if (c->online) {
			like = cpu;
			continue;
		}
		c->core = (uint16_t)cpu;
		c->cache = t->cpus[like].cache;
		c->node = t->cpus[like].node;
		c->domain = t->cpus[like].domain;
	}
}

static int read_cpus(const char *sysfs, struct mls_topology *t, struct mlsched_error *err)
{
	bool possible[MLS_MAX_CPUS], online[MLS_MAX_CPUS];
	int ret = read_cpu_list(sysfs, "possible", possible, err);

	if (!ret)
		ret = read_cpu_list(sysfs, "online", online, err);
	if (ret)
		return ret;
	t->n_online = 0;
	for (uint32_t cpu = 0; cpu < MLS_MAX_CPUS; cpu++) {
		t->cpus[cpu].possible = possible[cpu];
		t->cpus[cpu].online = possible[cpu] && online[cpu];
		t->n_online += t->cpus[cpu].online;
		if (possible[cpu])
			t->n_cpus = cpu + 1;
	}
	if (t->n_online == 0)
		return mls_error(err, -EINVAL, "%s/devices/system/cpu/online: no CPU is online",
				 sysfs);
	return 0;
}

int mls_topology_read(const char *sysfs, uint32_t n_domains, struct mls_topology *t,
		      struct mlsched_error *err)
{
	int ret;

	memset(t, 0, sizeof(*t));
	ret = read_cpus(sysfs, t, err);
	if (!ret)
		ret = read_nodes(sysfs, t, err);
	if (ret)
		return ret;
	read_caches(sysfs, t);
	read_cores(sysfs, t);
	ret = make_domains(t, n_domains, err);
	if (ret)
		return ret;
	fill_in_offline(t);
	return 0;
}

int mls_topology_read_again(const char *sysfs, uint32_t n_domains, struct mls_topology *t,
			    struct mlsched_error *err)
{
	int ret = mls_topology_read(sysfs, n_domains, t, err);

	return ret == -ERANGE && n_domains <= MLS_MAX_DOMAINS ?
		       mls_topology_read(sysfs, t->n_cores, t, err) :
		       ret;
}

int mls_topology_refresh(const char *sysfs, struct mls_topology *t, bool *changed,
			 struct mlsched_error *err)
{
	bool online[MLS_MAX_CPUS];
	int ret = read_cpu_list(sysfs, "online", online, err);

	*changed = false;
	if (ret)
		return ret;
	t->n_online = 0;
	for (uint32_t cpu = 0; cpu < t->n_cpus; cpu++) {
		struct mls_cpu *c = &t->cpus[cpu];
		bool now = c->possible && online[cpu];

		*changed |= c->online != now;
		c->online = now;
		t->n_online += now;
	}
	return 0;
}

static void cache_name(const struct mls_topology *t, char *name, size_t size)
{
	if (t->cache_level)
		snprintf(name, size, "L%u cache", t->cache_level);
	else
		snprintf(name, size, "package (sysfs shows no caches)");
}

void mls_topology_describe(const struct mls_topology *t, char *text, size_t size)
{
	const char *s = t->n_domains == 1 ? "" : "s";
	char cache[64];

	cache_name(t, cache, sizeof(cache));
	switch (t->domains_are) {
	case MLS_DOMAINS_CACHES:
		snprintf(text, size, "%u domain%s: the CPUs that share one %s", t->n_domains, s,
			 cache);
		break;
	case MLS_DOMAINS_CORES:
		snprintf(text, size,
			 "%u domain%s: groups of neighbouring cores, since all CPUs share one %s; "
			 "--domains N makes other groups",
			 t->n_domains, s, cache);
		break;
	case MLS_DOMAINS_CHOSEN:
		snprintf(text, size,
			 "%u domain%s: groups of neighbouring cores, as many as --domains says "
			 "(%u core%s, last-level caches: %u)",
			 t->n_domains, s, t->n_cores, t->n_cores == 1 ? "" : "s", t->n_caches);
		break;
	case MLS_DOMAINS_MERGED:
		snprintf(text, size,
			 "%u domain%s: neighbouring caches together, since this machine has %u "
			 "last-level caches and %d domains are the limit",
			 t->n_domains, s, t->n_caches, MLS_MAX_DOMAINS);
		break;
	}
}

void mls_topology_domain_cpus(const struct mls_topology *t, uint32_t domain, char *text,
			      size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (uint32_t cpu = 0; cpu < t->n_cpus; cpu++) {
		uint32_t first = cpu;
		char piece[32];
		size_t n;

		if (!t->cpus[cpu].online || t->cpus[cpu].domain != domain)
			continue;
		while (cpu + 1 < t->n_cpus && t->cpus[cpu + 1].online &&
		       t->cpus[cpu + 1].domain == domain)
			cpu++;
		n = (size_t)snprintf(piece, sizeof(piece), cpu > first ? "%s%u-%u" : "%s%u",
				     used ? "," : "", first, cpu);
		/* Half of a number would be another number. */
		if (used + n + sizeof(",...") > size) {
			snprintf(text + used, size - used, ",...");
			return;
		}
		memcpy(text + used, piece, n + 1);
		used += n;
	}
}
