/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a move costs on the machine in front of us: how much longer a program needs for
 * its working set once, after it has gone to another CPU, than where it was.
 */
#ifndef MLS_SIM_CALIBRATE_H
#define MLS_SIM_CALIBRATE_H

#include <stdint.h>

#include <mlsched/error.h>

#include "src/sim/machine.h"

/* How a program goes through its working set. */
enum sim_walk {
	SIM_WALK_STREAM, /* line after line; a third of them is written */
	SIM_WALK_CHASE, /* each line says where the next one is */
	SIM_WALKS
};

/**
 * struct sim_refill - one working set, moved so far
 * @kib:    its size
 * @walk:   how it is gone through
 * @far:    from where it was to where it goes
 * @warm:   ns for once where it was
 * @moved:  ns for the first time after the move
 * @slow:   the same, of the upper quartile: far above where other work disturbs
 * @refill: the difference, and 0 if it is below
 */
struct sim_refill {
	uint32_t kib;
	enum sim_walk walk;
	enum sim_distance far;
	double warm;
	double moved;
	double slow;
	double refill;
};

/**
 * sim_measure_refill() - one of them
 * @src:    CPU on which the working set is warm
 * @dst:    CPU to which it goes
 * @rounds: of which the lower quartile counts: what else runs makes only longer ones
 * @r:      kib and walk say what is measured; the times are filled in
 *
 * Ties the calling thread to these CPUs and gives it its old ones back.
 * Return: 0; -ENOMEM; -errno of sched_setaffinity().
 */
int sim_measure_refill(uint32_t src, uint32_t dst, uint32_t rounds, struct sim_refill *r,
		       struct mlsched_error *err);

#endif /* MLS_SIM_CALIBRATE_H */
