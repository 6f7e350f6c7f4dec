/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Random networks for tests, and what they must compute: a forward pass in
 * double precision that also says how far off single precision may be.
 */
#ifndef MLS_TESTS_NETWORKS_H
#define MLS_TESTS_NETWORKS_H

#include <stdbool.h>
#include <stdint.h>

#include <mlsched/model.h>

/* SplitMix64: any seed is a good one. */
struct test_random {
	uint64_t state;
};

uint64_t test_random_u64(struct test_random *random);

/** test_random_range() - an integer from @low to @high, both included */
uint32_t test_random_range(struct test_random *random, uint32_t low, uint32_t high);

/** test_random_float() - evenly from [low, high) */
float test_random_float(struct test_random *random, float low, float high);

/**
 * test_seed() - from the environment variable SEED, else @fixed; printed
 *
 * Printed as a TAP comment, so that a failure can be repeated.
 */
uint64_t test_seed(uint64_t fixed);

/* A description with room for everything that it points to. */
struct test_network {
	struct mlsched_model_desc desc;
	struct mlsched_layer layers[MLSCHED_MAX_LAYERS];
	float *weights[MLSCHED_MAX_LAYERS];
	float *bias[MLSCHED_MAX_LAYERS];
	float mean[MLSCHED_MAX_WIDTH];
	float deviation[MLSCHED_MAX_WIDTH];
};

/**
 * test_network_shape() - a network of given widths with random weights
 * @widths: [n_layers + 1], inputs first
 *
 * Hidden layers are @hidden, the last one is @output; He-uniform weights.
 */
void test_network_shape(struct test_network *net, struct test_random *random, uint32_t n_layers,
			const uint32_t *widths, enum mlsched_activation hidden,
			enum mlsched_activation output);

/** test_network_random() - anything within the limits: shapes, activations, normalisation */
void test_network_random(struct test_network *net, struct test_random *random);

void test_network_free(struct test_network *net);

/**
 * test_network_reference() - the forward pass in double precision
 * @row:   [inputs]
 * @out:   receives [outputs]
 * @error: receives [outputs]: what rounding to single precision may be
 *         expected to change, taking the roundings as independent of each other
 *         (the sure bound is useless: it grows twentyfold with each wide layer)
 * @sums:  stop in front of the last activation
 */
void test_network_reference(const struct test_network *net, const float *row, double *out,
			    double *error, bool sums);

#endif /* MLS_TESTS_NETWORKS_H */
