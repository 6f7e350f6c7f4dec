/* SPDX-License-Identifier: GPL-2.0 */
/* A machine and a workload for the tests of simulated schedulers: what costs time is told by each test. */
#ifndef MLS_TESTS_SIM_WORLD_H
#define MLS_TESTS_SIM_WORLD_H

#include "src/sim/policy.h"

struct sim_world {
	struct sim_machine machine;
	struct sim_workload workload;
};

extern struct sim_world world;

/**
 * world_machine() - begins a new world: a machine by its name, such as "8c2l2n", and no tasks
 *
 * Its caches hold 1 MiB each, nothing costs time but that two threads of a core run at 60 %.
 */
void world_machine(const char *name);

/**
 * world_program() - program number @n, after those before it
 * @weight: 100 is usual
 * @run:    ns of each burst
 * @sleep:  ns between them; 0: none
 * @times:  so many bursts, then its task is done
 */
void world_program(uint32_t n, uint32_t weight, uint64_t run, uint64_t sleep, uint32_t times);

/**
 * world_tasks() - @n tasks of a program, from the beginning on
 * @tied: to a last-level cache (its number + 1), or 0
 */
void world_tasks(uint16_t of_program, uint32_t n, uint16_t tied);

#endif
