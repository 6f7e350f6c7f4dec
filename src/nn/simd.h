/* SPDX-License-Identifier: GPL-2.0 */
/* What model.c needs to know of one vector form of the forward pass. */
#ifndef MLS_NN_SIMD_H
#define MLS_NN_SIMD_H

#include "src/nn/model.h"

/*
 * Layers of up to so many units are computed as dot products along the inputs,
 * the others with one unit a lane: four units would leave most lanes empty.
 */
#define MLS_DOT_UNITS 4

/**
 * struct mls_simd - how one instruction set wants its weights
 * @forward: the code; NULL where this build has none
 * @lanes:   floats in a register
 * @group:   neighbouring inputs that share a register: with 2, even lanes hold
 *           the products of even inputs and odd lanes those of odd ones, so
 *           that one load broadcasts two inputs
 * @block:   registers of sums of 64 units
 */
struct mls_simd {
	mls_forward_fn *forward;
	uint32_t lanes;
	uint32_t group;
	uint32_t block;
};

/**
 * mls_simd_one() - the order for one row alone: as @simd, but without groups
 */
static inline struct mls_simd mls_simd_one(const struct mls_simd *simd)
{
	struct mls_simd one = *simd;

	one.block /= one.group;
	one.group = 1;
	return one;
}

extern const struct mls_simd mls_simd_avx2;
extern const struct mls_simd mls_simd_avx512;
extern const struct mls_simd mls_simd_neon;

/**
 * mls_pack_size() - floats that mls_pack() writes for a layer
 *
 * A multiple of MLS_LANES.
 */
size_t mls_pack_size(const struct mls_simd *simd, uint32_t n_in, uint32_t n_out);

/**
 * mls_pack() - weights and biases in the order in which the code reads them
 * @layer:  shapes, weights and bias
 * @packed: [mls_pack_size()], zeroed by the caller, 64-byte aligned
 *
 * A layer of more than MLS_DOT_UNITS units is cut into blocks of @block
 * registers; each block is [1 + groups of inputs][registers][lanes], the first
 * row being the biases.  A smaller layer is [units][inputs, in whole
 * registers], then the biases.
 */
void mls_pack(const struct mls_simd *simd, const struct mlsched_layer *layer, float *packed);

#endif /* MLS_NN_SIMD_H */
