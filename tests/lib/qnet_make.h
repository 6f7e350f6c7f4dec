/* SPDX-License-Identifier: GPL-2.0 */
/* Random fixed-point networks made directly of integers, up to the very edge of the proof. */
#ifndef MLS_TESTS_QNET_MAKE_H
#define MLS_TESTS_QNET_MAKE_H

#include "core/qnet.h"
#include "src/util/random.h"

enum qnet_make_kind {
	QNET_MAKE_RANDOM, /* weights at random, biases anywhere the proof lets them */
	QNET_MAKE_EDGES, /* every unit's bound is met exactly, at one end or at both */
	QNET_MAKE_SWITCHES, /* inputs switch first units fully on and off, which drives the others' ends */
	QNET_MAKE_ALL_ON, /* every unit is always active */
	QNET_MAKE_ALL_OFF, /* none ever is */
	QNET_MAKE_KINDS,
};

/* Longest block that qnet_make() makes. */
#define QNET_MAKE_MAX_SIZE (2 << 20)

/**
 * qnet_make() - a network that qnet_check() accepts
 * @random:   where the numbers come from
 * @kind:     what it should drive
 * @n_hidden: 0 to QNET_MAX_HIDDEN
 * @widths:   [n_hidden + 1]: inputs, then each hidden layer
 * @block:    QNET_MAKE_MAX_SIZE bytes aligned to 8
 *
 * Feature x << 16 becomes input x; some inputs are narrowed or constant.
 */
void qnet_make(struct mls_random *random, enum qnet_make_kind kind, u32 n_hidden, const u32 *widths,
	       struct qnet_model *block);

/**
 * qnet_make_features() - a row of features, [n_inputs]
 * @how: 0 random inputs, 1 each at one of its ends, 2 at the ends that make a
 *       random unit of the first layer largest, 3 smallest, 4 any 32 bits
 */
void qnet_make_features(struct mls_random *random, const struct qnet_model *net, u32 how,
			s32 *features);

#endif /* MLS_TESTS_QNET_MAKE_H */
