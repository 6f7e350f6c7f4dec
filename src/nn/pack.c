// SPDX-License-Identifier: GPL-2.0
/*
 * Orders a layer's weights for one instruction set, once, when a model is made:
 * the forward pass then reads them from front to back in whole registers.
 */
#include "src/nn/simd.h"

static uint32_t round_up(uint32_t n, uint32_t to)
{
	return (n + to - 1) / to * to;
}

/* Units in one full block. */
static uint32_t block_units(const struct mls_simd *simd)
{
	return simd->block / simd->group * simd->lanes;
}

static uint32_t groups_of(const struct mls_simd *simd, uint32_t n_in)
{
	return (n_in + simd->group - 1) / simd->group;
}

size_t mls_pack_size(const struct mls_simd *simd, uint32_t n_in, uint32_t n_out)
{
	if (n_out <= MLS_DOT_UNITS)
		return (size_t)n_out * round_up(n_in, simd->lanes) + MLS_LANES;
	return (size_t)(groups_of(simd, n_in) + 1) * round_up(n_out, simd->lanes) * simd->group;
}

/*
 * Which unit of a block and which input of a group a lane stands for.  With
 * groups of two, a pair of registers holds @lanes units, in such an order that
 * adding even and odd lanes within 128 bits (the cheap shuffles) brings the
 * units back into their natural order.
 */
static void place_of(const struct mls_simd *simd, uint32_t reg, uint32_t lane, uint32_t *unit,
		     uint32_t *part)
{
	if (simd->group == 1) {
		*unit = reg * simd->lanes + lane;
		*part = 0;
		return;
	}
	*unit = reg / 2 * simd->lanes + lane / 4 * 4 + reg % 2 * 2 + lane % 4 / 2;
	*part = lane % 2;
}

static void pack_block(const struct mls_simd *simd, const struct mlsched_layer *layer,
		       uint32_t first, uint32_t regs, float *packed)
{
	uint32_t row = regs * simd->lanes;
	uint32_t groups = groups_of(simd, layer->n_in);

	for (uint32_t at = 0; at < row; at++) {
		uint32_t unit, part;

		place_of(simd, at / simd->lanes, at % simd->lanes, &unit, &part);
		unit += first;
		if (unit >= layer->n_out)
			continue;
		if (part == 0 && layer->bias)
			packed[at] = layer->bias[unit];
		for (uint32_t g = 0; g < groups; g++) {
			uint32_t input = g * simd->group + part;

			if (input < layer->n_in)
				packed[(size_t)(g + 1) * row + at] =
					layer->weights[(size_t)input * layer->n_out + unit];
		}
	}
}

static void pack_dot(const struct mls_simd *simd, const struct mlsched_layer *layer, float *packed)
{
	uint32_t stride = round_up(layer->n_in, simd->lanes);

	for (uint32_t j = 0; j < layer->n_out; j++) {
		for (uint32_t i = 0; i < layer->n_in; i++)
			packed[(size_t)j * stride + i] =
				layer->weights[(size_t)i * layer->n_out + j];
		if (layer->bias)
			packed[(size_t)layer->n_out * stride + j] = layer->bias[j];
	}
}

void mls_pack(const struct mls_simd *simd, const struct mlsched_layer *layer, float *packed)
{
	uint32_t units = round_up(layer->n_out, simd->lanes);

	if (layer->n_out <= MLS_DOT_UNITS) {
		pack_dot(simd, layer, packed);
		return;
	}
	for (uint32_t first = 0; first < units; first += block_units(simd)) {
		uint32_t left = units - first;
		uint32_t n = left < block_units(simd) ? left : block_units(simd);
		uint32_t regs = n / simd->lanes * simd->group;

		pack_block(simd, layer, first, regs, packed);
		packed += (size_t)(groups_of(simd, layer->n_in) + 1) * regs * simd->lanes;
	}
}
