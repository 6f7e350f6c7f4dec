/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The machine that is simulated: which CPUs share a core, a last-level cache and a
 * node, and what a move between them costs.
 *
 * Leaves to others: what happens on it (engine.c), and measuring the costs of a real
 * machine.
 */
#ifndef MLS_SIM_MACHINE_H
#define MLS_SIM_MACHINE_H

#include <stdint.h>

#include <mlsched/error.h>

/* Design section 7. */
#define SIM_MAX_CPUS  1024
#define SIM_MAX_LLCS  64
#define SIM_MAX_NODES 16

/* How far it is from one CPU to another. */
enum sim_distance {
	SIM_SAME, /* the same CPU */
	SIM_NEAR, /* another one below the same last-level cache */
	SIM_NODE, /* another cache of the same node */
	SIM_FAR, /* another node */
	SIM_DISTANCES
};

/**
 * struct sim_costs - what moves and the kernel's own work cost, in ns of CPU time
 * @refill_per_kib: of a task's working set, after a move so far
 * @refill:         for tasks whose working set nobody knows: the same in a sum
 * @private_kib:    cache of each core; what is beyond it is refilled from the last level
 * @shared_kib:     last-level cache
 * @remote_percent: a task away from the node of its memory is slower by so much
 * @smt_percent:    speed of a hardware thread beside a busy one
 * @switch_to:      from one task to another
 * @wake:           of who wakes another task
 * @migrate:        of the CPU that takes a task from another
 * @fork:           of the parent
 * @exec:           of a program that begins
 * @balance:        that EEVDF has measured for a search for work within a cache; twice as
 *                  much within a node, three times on all of the machine
 */
struct sim_costs {
	uint32_t refill_per_kib[SIM_DISTANCES];
	uint32_t refill[SIM_DISTANCES];
	uint32_t private_kib;
	uint32_t shared_kib;
	uint32_t remote_percent;
	uint32_t smt_percent;
	uint32_t switch_to;
	uint32_t wake;
	uint32_t migrate;
	uint32_t fork;
	uint32_t exec;
	uint32_t balance;
};

/**
 * struct sim_machine - CPUs are numbered cache by cache and node by node
 * @name: as sim_machine_parse() took it
 */
struct sim_machine {
	char name[32];
	uint32_t n_cpus;
	uint32_t n_llcs;
	uint32_t n_nodes;
	uint32_t threads; /* of a core */
	struct sim_costs costs;
	uint16_t llc[SIM_MAX_CPUS];
	uint16_t node[SIM_MAX_CPUS];
	uint16_t sibling[SIM_MAX_CPUS]; /* the next thread of its core, in a ring */
};

/** sim_costs_default() - a server of 2024, after the study's measurements (docs/simulator.md) */
struct sim_costs sim_costs_default(void);

/** sim_costs_of_load() - what bench/vm's load makes of moves in a guest without caches */
struct sim_costs sim_costs_of_load(void);

/**
 * sim_machine_parse() - "8c2l", "32c4l", "128c16l2n", "16c2l2t"
 * @name: CPUs, last-level caches, nodes (1), threads of a core (1), in this order
 *
 * Return: 0, or -EINVAL with what was expected.
 */
int sim_machine_parse(struct sim_machine *m, const char *name, struct mlsched_error *err);

/** sim_distance() - between two CPUs */
static inline enum sim_distance sim_distance(const struct sim_machine *m, uint32_t a, uint32_t b)
{
	if (a == b)
		return SIM_SAME;
	if (m->llc[a] == m->llc[b])
		return SIM_NEAR;
	return m->node[a] == m->node[b] ? SIM_NODE : SIM_FAR;
}

#endif /* MLS_SIM_MACHINE_H */
