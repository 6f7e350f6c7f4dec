// SPDX-License-Identifier: GPL-2.0
/*
 * The fixed-point model object: from a checked block to something that SIMD
 * code can run, and the public functions that need no arithmetic of their own.
 *
 * Leaves to others: making the block (quantize.c), computing (qnet_*.c).
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/nn/qnet.h"
#include "src/util/crc32c.h"
#include "src/util/error.h"

uint32_t mls_qnet_checksum(const struct qnet_model *net)
{
	const size_t at = offsetof(struct qnet_model, checksum), after = at + sizeof(net->checksum);
	static const uint32_t none;
	uint32_t crc = mls_crc32c(0, net, at);

	crc = mls_crc32c(crc, &none, sizeof(none));
	return mls_crc32c(crc, (const char *)net + after, net->size - after);
}

int mls_qnet_check(const struct qnet_model *net, size_t size, const char *name,
		   struct mlsched_error *err)
{
	struct qnet_fault fault;
	char place[64] = "";

	if (qnet_check(net, size, &fault) == 0) {
		uint32_t crc = mls_qnet_checksum(net);

		if (crc == net->checksum)
			return 0;
		return mls_error(err, -EBADMSG, "%s: checksum: expected 0x%08x, got 0x%08x", name,
				 net->checksum, crc);
	}
	if (fault.layer >= 0 && fault.index >= 0)
		snprintf(place, sizeof(place), "hidden layer %d, unit %d: ", fault.layer,
			 fault.index);
	else if (fault.layer >= 0)
		snprintf(place, sizeof(place), "hidden layer %d: ", fault.layer);
	else if (fault.index >= 0)
		snprintf(place, sizeof(place), "input %d: ", fault.index);
	return mls_error(err, -EINVAL, "%s: %s%s: got %lld, expected or limit %lld", name, place,
			 fault.what, fault.found, fault.limit);
}

/* Hands out pieces of one block; with base NULL it only counts. */
struct arena {
	char *base;
	size_t used;
};

static void *take(struct arena *arena, size_t size)
{
	void *piece = arena->base ? arena->base + arena->used : NULL;

	arena->used += (size + 63) / 64 * 64;
	return piece;
}

static void place_layer(struct arena *arena, const struct qnet_model *net, uint32_t l,
			struct mls_qlayer *to)
{
	const struct qnet_layer *from = &net->hidden[l];
	uint32_t n_pairs = (from->n_in + 3) / 4 * 2;
	uint32_t stride = MLS_QNET_PAD(from->n_out);
	int16_t *pairs = take(arena, (size_t)n_pairs * stride * 2 * sizeof(*pairs));
	int32_t *bias = take(arena, stride * sizeof(*bias));

	*to = (struct mls_qlayer){ n_pairs, stride, from->shift, pairs, bias };
	if (!arena->base)
		return;
	memcpy(bias, qnet_bias(net, l), from->n_out * sizeof(*bias));
	for (uint32_t u = 0; u < from->n_out; u++) {
		const s16 *w = qnet_weights(net, l) + (size_t)u * from->n_in;

		for (uint32_t i = 0; i < from->n_in; i++)
			pairs[((size_t)i / 2 * stride + u) * 2 + i % 2] = w[i];
	}
}

static void place_inputs(struct arena *arena, const struct qnet_model *net,
			 struct mlsched_qmodel *q)
{
	uint32_t n = MLS_QNET_PAD(net->n_inputs);
	int64_t *offset = take(arena, n * sizeof(*offset));
	int32_t *mult = take(arena, n * sizeof(*mult));
	int32_t *lo = take(arena, n * sizeof(*lo)), *hi = take(arena, n * sizeof(*hi));

	q->in_offset = offset;
	q->in_mult = mult;
	q->in_lo = lo;
	q->in_hi = hi;
	for (uint32_t i = 0; i < net->n_inputs && arena->base; i++) {
		const struct qnet_input *in = &qnet_inputs(net)[i];

		offset[i] = in->offset;
		mult[i] = in->mult;
		lo[i] = in->lo;
		hi[i] = in->hi;
	}
}

/* Lays the object out behind its struct; the same steps count with arena->base NULL. */
static void place(struct arena *arena, const struct qnet_model *net, struct mlsched_qmodel *q)
{
	struct qnet_model *copy;
	int32_t *output;

	take(arena, sizeof(*q));
	copy = take(arena, net->size);
	q->n_inputs = net->n_inputs;
	q->n_hidden = net->n_hidden;
	q->bias = net->bias;
	place_inputs(arena, net, q);
	for (uint32_t l = 0; l < net->n_hidden; l++)
		place_layer(arena, net, l, &q->hidden[l]);
	q->last_stride = MLS_QNET_PAD(net->n_last);
	output = take(arena, q->last_stride * sizeof(*output));
	if (!arena->base)
		return;
	memcpy(copy, net, net->size);
	memcpy(output, qnet_output(net), net->n_last * sizeof(*output));
	q->net = copy;
	q->inputs = qnet_inputs(copy);
	q->output = output;
}

/* The code for @isa, or NULL when this processor or this build lacks it. */
static mls_qnet_fn *logit_for(enum mlsched_isa isa)
{
	switch (isa) {
	case MLSCHED_ISA_SCALAR:
		return mls_qnet_scalar;
#if defined(__x86_64__)
	case MLSCHED_ISA_AVX2:
		return __builtin_cpu_supports("avx2") ? mls_qnet_avx2 : NULL;
	case MLSCHED_ISA_AVX512:
		return __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
				       __builtin_cpu_supports("avx512dq") &&
				       __builtin_cpu_supports("avx512vnni") ?
			       mls_qnet_avx512vnni :
			       NULL;
#elif defined(__aarch64__)
	case MLSCHED_ISA_NEON:
		return mls_qnet_neon;
#endif
	default:
		return NULL;
	}
}

static enum mlsched_isa best_isa(void)
{
	static const enum mlsched_isa order[] = { MLSCHED_ISA_AVX512, MLSCHED_ISA_AVX2,
						  MLSCHED_ISA_NEON };

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (logit_for(order[i]))
			return order[i];
	}
	return MLSCHED_ISA_SCALAR;
}

static int create(const struct qnet_model *net, double scale, enum mlsched_isa isa,
		  struct mlsched_error *err, struct mlsched_qmodel **out)
{
	struct mlsched_qmodel *q, layout = { 0 };
	struct arena arena = { 0 };

	place(&arena, net, &layout);
	q = aligned_alloc(64, arena.used);
	if (!q)
		return mls_error(err, -ENOMEM, "no memory for a fixed-point model of %zu bytes",
				 arena.used);
	memset(q, 0, arena.used);
	arena = (struct arena){ .base = (char *)q };
	place(&arena, net, q);
	q->scale = scale;
	q->isa = isa;
	q->logit = logit_for(isa);
	*out = q;
	return 0;
}

int mls_qmodel_create(const struct qnet_model *net, size_t size, double scale,
		      struct mlsched_error *err, struct mlsched_qmodel **q)
{
	int ret = mls_qnet_check(net, size, "fixed-point model", err);

	return ret ? ret : create(net, scale, best_isa(), err, q);
}

int mlsched_qmodel_clone_for_isa(const struct mlsched_qmodel *q, enum mlsched_isa isa,
				 struct mlsched_error *err, struct mlsched_qmodel **clone)
{
	if (isa == MLSCHED_ISA_BEST)
		isa = best_isa();
	if (!logit_for(isa))
		return mls_error(err, -ENOTSUP, "%s: not on this processor or not in this build",
				 mlsched_isa_name(isa) ? mlsched_isa_name(isa) : "unknown");
	return create(q->net, q->scale, isa, err, clone);
}

void mlsched_qmodel_free(struct mlsched_qmodel *q)
{
	free(q);
}

const struct qnet_model *mls_qmodel_net(const struct mlsched_qmodel *q)
{
	return q->net;
}

uint32_t mlsched_qmodel_inputs(const struct mlsched_qmodel *q)
{
	return q->n_inputs;
}

int64_t mlsched_qmodel_threshold(const struct mlsched_qmodel *q)
{
	return q->net->threshold;
}

double mlsched_qmodel_scale(const struct mlsched_qmodel *q)
{
	return q->scale;
}

const char *mlsched_qmodel_schema(const struct mlsched_qmodel *q)
{
	return q->net->schema;
}

uint32_t mlsched_qmodel_checksum(const struct mlsched_qmodel *q)
{
	return q->net->checksum;
}

enum mlsched_isa mlsched_qmodel_isa(const struct mlsched_qmodel *q)
{
	return q->isa;
}

int32_t mlsched_feature_to_q16(float value)
{
	double scaled = (double)value * 65536;

	if (!(scaled == scaled))
		return 0;
	if (scaled >= INT32_MAX)
		return INT32_MAX;
	return scaled <= INT32_MIN ? INT32_MIN : (int32_t)lrint(scaled);
}

void mlsched_qmodel_logit(const struct mlsched_qmodel *q, const int32_t *features, size_t n_rows,
			  int64_t *logits)
{
	q->logit(q, features, n_rows, logits);
}

void mlsched_qmodel_logit_float(const struct mlsched_qmodel *q, const float *rows, size_t n_rows,
				int64_t *logits)
{
	int32_t features[QNET_MAX_WIDTH];

	for (size_t r = 0; r < n_rows; r++, rows += q->n_inputs) {
		for (uint32_t i = 0; i < q->n_inputs; i++)
			features[i] = mlsched_feature_to_q16(rows[i]);
		q->logit(q, features, 1, &logits[r]);
	}
}
