/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The fixed-point network ("bounded lanes"): its format and its arithmetic,
 * for BPF, the library and the simulator alike.  Integers only, no division,
 * no libc; every form of it (packed or not, scalar or SIMD) computes the same
 * 64-bit logit.
 *
 *	x = clamp((feature * mult + offset) >> 32, lo, hi)	10 bits, signed
 *	S = bias + sum of w * in				each hidden unit
 *	h = min(max(S, 0) >> shift, 255)			8 bits, between hidden layers
 *	o = bias + sum of v * max(S, 0)				over the last hidden layer
 *	migrate when o > threshold
 *
 * A network without hidden layers is o = bias + sum of v * x.  The biases of
 * units that are shifted hold the half that makes the shift round.
 *
 * |S| <= 2^20 - 1 is proved for each unit from the ranges of what it sums, by
 * the quantiser and again by qnet_check().  That lets three sums share a 64-bit
 * word as 21-bit lanes (core/qnet_packed.h).  Only the final sum matters:
 * partial ones are exact modulo the word, in any order.
 *
 * The first layer's shift is 12, which makes h at most 255 by the same proof:
 * there nothing is clamped.  Later layers come nowhere near their bound, which
 * supposes that all units before are at their largest at once; with 12 they
 * would keep three or four bits.  Theirs is smaller, found on rows.
 */
#ifndef MLS_CORE_QNET_H
#define MLS_CORE_QNET_H

#include "core/types.h"

#define QNET_MAGIC   0x74656e71u /* "qnet" */
#define QNET_VERSION 1

#define QNET_MAX_HIDDEN  7 /* hidden layers: eight layers with the output */
#define QNET_MAX_WIDTH   256
#define QNET_SCHEMA_SIZE 32

#define QNET_INPUT_SHIFT      32
#define QNET_INPUT_LIMIT      511 /* |x| */
#define QNET_SHIFT            12 /* from a sum to an activation */
#define QNET_MIN_SHIFT        4
#define QNET_ACTIVATION_LIMIT 255 /* h */
#define QNET_SUM_LIMIT        ((1 << 20) - 1) /* |S| */
#define QNET_OUT_LIMIT        ((1 << 20) - 1) /* |v| */
#define QNET_BIAS_LIMIT       (1ll << 60) /* |bias| of the output */
#define QNET_OFFSET_LIMIT     ((1ll << 62) - 1) /* |offset|: the sum with feature * mult fits 64 bits */

/**
 * struct qnet_input - from a feature (Q16.16) to an input
 * @offset: added to feature * @mult; contains half of 2^32 for rounding
 * @mult:   steps of x per feature unit, times 65536
 * @lo:     smallest x, what is below is clamped to it
 * @hi:     largest x; an input with @lo == @hi == 0 is dead
 */
struct qnet_input {
	s64 offset;
	s32 mult;
	s16 lo;
	s16 hi;
};

/**
 * struct qnet_layer - one hidden layer inside a struct qnet_model
 * @n_in:    what it sums
 * @n_out:   units
 * @weights: offset in bytes of s16 [n_out][n_in]
 * @bias:    offset in bytes of s32 [n_out]
 * @shift:   from sums to activations: QNET_SHIFT in the first layer and in the
 *           last, where none follow, else QNET_MIN_SHIFT to QNET_SHIFT
 * @reserved: 0
 */
struct qnet_layer {
	u32 n_in;
	u32 n_out;
	u32 weights;
	u32 bias;
	u32 shift;
	u32 reserved;
};

/**
 * struct qnet_model - a whole network in one block without pointers
 * @magic:    QNET_MAGIC
 * @version:  QNET_VERSION
 * @size:     of the block in bytes, arrays included
 * @checksum: CRC-32C of the block with this field 0
 * @n_inputs: features
 * @n_hidden: hidden layers, 0 to QNET_MAX_HIDDEN
 * @n_last:   what the output sums: units of the last hidden layer, or inputs
 * @inputs:   offset of struct qnet_input [n_inputs]
 * @output:   offset of s32 [n_last], the weights v
 * @source:   checksum of the float32 model that this was made of
 * @schema_version: of @schema
 * @bias:     of the output
 * @threshold: migrate when the logit is above it
 * @schema:   name of the feature schema, or ""
 * @hidden:   the first @n_hidden count
 *
 * Little-endian, offsets from the beginning of the block and multiples of 8.
 */
struct qnet_model {
	u32 magic;
	u32 version;
	u32 size;
	u32 checksum;
	u32 n_inputs;
	u32 n_hidden;
	u32 n_last;
	u32 inputs;
	u32 output;
	u32 source;
	u32 schema_version;
	u32 reserved;
	s64 bias;
	s64 threshold;
	char schema[QNET_SCHEMA_SIZE];
	struct qnet_layer hidden[QNET_MAX_HIDDEN];
};

_Static_assert(sizeof(struct qnet_input) == 16, "part of the format");
_Static_assert(sizeof(struct qnet_model) == 264, "part of the format");

/* Hides from the compiler where a value comes from: no branch is made of arithmetic on it. */
#define QNET_OPAQUE(var) __asm__ volatile("" : "+r"(var))

static inline s64 qnet_max(s64 a, s64 b)
{
	s64 d = a - b, mask = d >> 63;

	QNET_OPAQUE(mask);
	return a - (d & mask);
}

static inline s64 qnet_min(s64 a, s64 b)
{
	s64 d = a - b, mask = d >> 63;

	QNET_OPAQUE(mask);
	return b + (d & mask);
}

/** qnet_activation() - from a sum to what the next layer sums */
static inline s32 qnet_activation(s32 sum, u32 shift)
{
	s32 h = sum > 0 ? sum >> shift : 0;

	return h < QNET_ACTIVATION_LIMIT ? h : QNET_ACTIVATION_LIMIT;
}

/** qnet_input_value() - one feature, Q16.16, as an input of the network */
static inline s64 qnet_input_value(const struct qnet_input *in, s32 feature)
{
	/* Unsigned, so that even garbage in a slot wraps instead of overflowing. */
	u64 sum = (u64)((s64)feature * in->mult) + (u64)in->offset;
	s64 x = (s64)sum >> QNET_INPUT_SHIFT;

	return qnet_min(qnet_max(x, in->lo), in->hi);
}

static inline const struct qnet_input *qnet_inputs(const struct qnet_model *m)
{
	return (const void *)((const char *)m + m->inputs);
}

static inline const s16 *qnet_weights(const struct qnet_model *m, u32 layer)
{
	return (const void *)((const char *)m + m->hidden[layer].weights);
}

static inline const s32 *qnet_bias(const struct qnet_model *m, u32 layer)
{
	return (const void *)((const char *)m + m->hidden[layer].bias);
}

static inline const s32 *qnet_output(const struct qnet_model *m)
{
	return (const void *)((const char *)m + m->output);
}

/**
 * struct qnet_fault - why qnet_check() refuses
 * @what:  the field or the proof that failed
 * @layer: hidden layer, or -1
 * @index: unit or input, or -1
 * @found: what is there
 * @limit: what was expected, or the limit
 */
struct qnet_fault {
	const char *what;
	s32 layer;
	s32 index;
	s64 found;
	s64 limit;
};

/**
 * qnet_check() - may this block be used?
 * @m:     @size bytes, aligned to 8; trusted in nothing
 * @size:  bytes that are there
 * @fault: filled in on failure, or NULL
 *
 * Checks every field and offset, and proves for each hidden unit that its sum
 * stays inside +-QNET_SUM_LIMIT whatever the features are.  Does not look at
 * the checksum.
 * Return: 0 or -1.
 */
int qnet_check(const struct qnet_model *m, u64 size, struct qnet_fault *fault);

/**
 * qnet_quantize_inputs() - features to inputs
 * @m:        a checked model
 * @features: [n_inputs], Q16.16
 * @x:        [n_inputs]
 */
void qnet_quantize_inputs(const struct qnet_model *m, const s32 *features, s16 *x);

/**
 * qnet_sums() - the reference forward pass, one unit after the other
 * @m:    a checked model
 * @x:    [n_inputs] from qnet_quantize_inputs()
 * @sums: NULL, or receives every S: hidden layer l's at [l * QNET_MAX_WIDTH]
 *
 * Return: the logit.
 */
s64 qnet_sums(const struct qnet_model *m, const s16 *x, s32 *sums);

#endif /* MLS_CORE_QNET_H */
