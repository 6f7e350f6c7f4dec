/* SPDX-License-Identifier: GPL-2.0 */
/* The inside of struct mlsched_model: for the forward passes, the quantiser and the writers. */
#ifndef MLS_NN_MODEL_H
#define MLS_NN_MODEL_H

#include <mlsched/model.h>

/* Vectors are padded to whole registers of the widest instruction set: floats in 64 bytes. */
#define MLS_LANES  16
#define MLS_PAD(n) (((n) + MLS_LANES - 1) / MLS_LANES * MLS_LANES)

/* How far a forward pass goes. */
enum mls_forward_end {
	MLS_FORWARD_OUTPUT, /* through the last activation */
	MLS_FORWARD_SUM, /* to the sum in front of it */
};

struct mls_layer {
	uint32_t n_in;
	uint32_t n_out;
	enum mlsched_activation activation;
	float alpha;
	const float *weights; /* [n_in][n_out] as given */
	const float *bias; /* [n_out] as given, or NULL */
	const float *padded_bias; /* [MLS_PAD(n_out)], zeros where there is none */
	const float *packed; /* both once more, ordered for model->isa (simd.h), or NULL */
	const float *packed_one; /* the same for one row alone, may be @packed */
};

typedef void mls_forward_fn(const struct mlsched_model *model, const float *rows, size_t n_rows,
			    float *out, enum mls_forward_end end);

struct mlsched_model {
	mls_forward_fn *forward;
	uint32_t n_layers;
	struct mls_layer layers[MLSCHED_MAX_LAYERS];
	const float *mean; /* [MLS_PAD(n_in)], zeros behind n_in, or NULL */
	const float *deviation; /* [MLS_PAD(n_in)], ones behind n_in, or NULL */
	enum mlsched_isa isa;
	uint32_t checksum;
	struct mlsched_meta meta;
	/* The numbers and strings that the pointers above point into follow in the same block. */
};

mls_forward_fn mls_forward_scalar;

/** mls_activate() - one activation in place on [n] sums, portable C with libm */
void mls_activate(enum mlsched_activation activation, float alpha, float *sums, uint32_t n);

#endif /* MLS_NN_MODEL_H */
