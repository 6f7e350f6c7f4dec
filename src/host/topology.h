/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The machine's CPUs, cores, last-level caches and NUMA nodes, and the domains
 * between which migrations are judged.  Read from sysfs below a root that the
 * caller names.
 */
#ifndef MLS_HOST_TOPOLOGY_H
#define MLS_HOST_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mlsched/error.h>

/* Design section 7. */
#define MLS_MAX_CPUS    1024
#define MLS_MAX_DOMAINS 64
#define MLS_MAX_NODES   16

/* What a domain is on this machine. */
enum mls_domains_are {
	MLS_DOMAINS_CACHES, /* the CPUs below one last-level cache */
	MLS_DOMAINS_CORES, /* groups of neighbouring cores, one cache being all there is */
	MLS_DOMAINS_CHOSEN, /* groups of neighbouring cores, because the user said how many */
	MLS_DOMAINS_MERGED, /* neighbouring caches together: there are more than the limit */
};

/**
 * struct mls_cpu - one CPU
 * @possible: may exist
 * @online:   takes part now
 * @core:     lowest CPU of its core
 * @cache:    index of its last-level cache
 * @node:     index of its NUMA node
 * @domain:   index of its domain
 *
 * Of a CPU that is possible and not online sysfs says nothing: it is taken to
 * be like the online CPU before it.
 */
struct mls_cpu {
	bool possible;
	bool online;
	uint16_t core;
	uint16_t cache;
	uint16_t node;
	uint16_t domain;
};

struct mls_topology {
	uint32_t n_cpus; /* highest possible CPU and one */
	uint32_t n_online;
	uint32_t n_cores;
	uint32_t n_caches;
	uint32_t n_nodes;
	uint32_t n_domains;
	uint32_t cache_level; /* 3 for L3; 0: sysfs shows no caches, packages are used */
	enum mls_domains_are domains_are;
	struct mls_cpu cpus[MLS_MAX_CPUS];
};

/**
 * mls_topology_read() - read the machine
 * @sysfs:     where sysfs is mounted: "/sys"
 * @n_domains: groups of cores to make, or 0 to choose: the last-level caches
 *             or, if there is only one, two groups of cores, and one for every
 *             four cores where that is more
 * @topology:  filled in
 *
 * Return: 0; -ENOENT, -EINVAL when sysfs is not as expected; -E2BIG beyond
 * the limits above; -ERANGE when @n_domains is more than there are cores.
 */
int mls_topology_read(const char *sysfs, uint32_t n_domains, struct mls_topology *topology,
		      struct mlsched_error *err);

/**
 * mls_topology_read_again() - read the machine after CPUs came or went
 *
 * As mls_topology_read(), but for as long as there are fewer cores than @n_domains each core is
 * a domain: what was right at the start is no reason to stop.
 */
int mls_topology_read_again(const char *sysfs, uint32_t n_domains, struct mls_topology *topology,
			    struct mlsched_error *err);

/**
 * mls_topology_refresh() - look again which CPUs are online
 * @changed: whether that differs from before
 *
 * Cores, caches and domains stay as they are.
 */
int mls_topology_refresh(const char *sysfs, struct mls_topology *topology, bool *changed,
			 struct mlsched_error *err);

/** mls_topology_describe() - one sentence on what the domains are */
void mls_topology_describe(const struct mls_topology *topology, char *text, size_t size);

/* Holds the list of any domain: four digits and a comma for each CPU. */
#define MLS_TOPOLOGY_LIST_SIZE (5 * MLS_MAX_CPUS + 5)

/**
 * mls_topology_domain_cpus() - a domain's online CPUs as "0-3,8"
 * @size: 5 or more; a list that is too long ends in ",..."
 */
void mls_topology_domain_cpus(const struct mls_topology *topology, uint32_t domain, char *text,
			      size_t size);

/**
 * mls_cpu_list_parse() - "0-3,8" into flags
 * @set: [MLS_MAX_CPUS]
 *
 * Return: 0; -EINVAL when it is no list; -E2BIG beyond MLS_MAX_CPUS.
 */
int mls_cpu_list_parse(const char *text, bool *set);

#endif /* MLS_HOST_TOPOLOGY_H */
