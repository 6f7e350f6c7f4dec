/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The inside of struct mlsched_qmodel: the integer model of core/qnet.h, and
 * its weights once more in the order that SIMD instructions want them.
 */
#ifndef MLS_NN_QNET_H
#define MLS_NN_QNET_H

#include <mlsched/quantize.h>

#include "core/qnet.h"

/*
 * Widths are padded to whole registers of 32-bit sums.  Weights lie in pairs
 * of inputs, as vpmaddwd, vpdpwssd and ld2 take them:
 * [n_in / 2][stride][2], zeros where there is no input or no unit.
 */
#define MLS_QNET_LANES  16
#define MLS_QNET_PAD(n) (((n) + MLS_QNET_LANES - 1) / MLS_QNET_LANES * MLS_QNET_LANES)

struct mls_qlayer {
	uint32_t n_pairs; /* of inputs, even */
	uint32_t stride; /* units, padded */
	uint32_t shift; /* of the sums, as in struct qnet_layer */
	const int16_t *pairs; /* 64-byte aligned */
	const int32_t *bias; /* [stride] */
};

typedef void mls_qnet_fn(const struct mlsched_qmodel *q, const int32_t *features, size_t n_rows,
			 int64_t *logits);

struct mlsched_qmodel {
	mls_qnet_fn *logit;
	enum mlsched_isa isa;
	uint32_t n_inputs;
	uint32_t n_hidden;
	uint32_t last_stride; /* of @output */
	const struct qnet_input *inputs;
	/* The same as arrays, padded with dead inputs: in_mult[], ... */
	const int64_t *in_offset;
	const int32_t *in_mult;
	const int32_t *in_lo;
	const int32_t *in_hi;
	const int32_t *output; /* [last_stride], zeros behind the last unit */
	int64_t bias;
	double scale;
	struct mls_qlayer hidden[QNET_MAX_HIDDEN];
	const struct qnet_model *net;
	/* What the pointers above point into follows in the same block. */
};

mls_qnet_fn mls_qnet_scalar;
mls_qnet_fn mls_qnet_avx2;
mls_qnet_fn mls_qnet_avx512vnni;
mls_qnet_fn mls_qnet_neon;

/**
 * mls_qnet_checksum() - CRC-32C of a block, its own checksum counted as 0
 * @net: at least its @size bytes
 */
uint32_t mls_qnet_checksum(const struct qnet_model *net);

/**
 * mls_qnet_check() - qnet_check(), the checksum, and a sentence
 * @net:  @size bytes aligned to 8
 * @name: what the message calls the block
 *
 * Return: 0; -EBADMSG when the checksum is wrong, -EINVAL when a field is.
 */
int mls_qnet_check(const struct qnet_model *net, size_t size, const char *name,
		   struct mlsched_error *err);

/**
 * mls_qmodel_create() - an object from a block
 * @net:   @size bytes aligned to 8; checked, then copied
 * @scale: what mlsched_qmodel_scale() will say
 *
 * Return: as mls_qnet_check(), and -ENOMEM.
 */
int mls_qmodel_create(const struct qnet_model *net, size_t size, double scale,
		      struct mlsched_error *err, struct mlsched_qmodel **q);

/** mls_qmodel_net() - its block, owned by @q */
const struct qnet_model *mls_qmodel_net(const struct mlsched_qmodel *q);

/**
 * mls_quantize_measure() - fill in a report's figures
 * @rows:      [n_rows][inputs], finite
 *
 * Return: 0 or -ENOMEM.
 */
int mls_quantize_measure(const struct mlsched_model *model, const struct mlsched_qmodel *q,
			 const float *rows, size_t n_rows, struct mlsched_quantize_report *report,
			 struct mlsched_error *err);

#endif /* MLS_NN_QNET_H */
