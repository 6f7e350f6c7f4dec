// SPDX-License-Identifier: GPL-2.0
/*
 * The fixed-point network in its plainest form: the check that every block
 * must pass, and the forward pass that every other form is compared with.
 *
 * Leaves to others: making a block (src/nn/quantize.c), the checksum, speed.
 */
#include "core/qnet.h"

#define ALIGNMENT 8

/* Values that the inputs of a layer can take. */
struct range {
	s32 lo;
	s32 hi;
};

static int refuse(struct qnet_fault *fault, const char *what, s32 layer, s32 index, s64 found,
		  s64 limit)
{
	if (fault) {
		fault->what = what;
		fault->layer = layer;
		fault->index = index;
		fault->found = found;
		fault->limit = limit;
	}
	return -1;
}

static int inside(const struct qnet_model *m, u32 offset, u64 bytes)
{
	return offset % ALIGNMENT == 0 && offset >= sizeof(*m) && offset <= m->size &&
	       bytes <= m->size - offset;
}

static int width_ok(u32 n)
{
	return n >= 1 && n <= QNET_MAX_WIDTH;
}

static int check_head(const struct qnet_model *m, u64 size, struct qnet_fault *fault)
{
	if (size < sizeof(*m))
		return refuse(fault, "size of the block", -1, -1, size, sizeof(*m));
	if (m->magic != QNET_MAGIC)
		return refuse(fault, "magic", -1, -1, m->magic, QNET_MAGIC);
	if (m->version != QNET_VERSION)
		return refuse(fault, "version", -1, -1, m->version, QNET_VERSION);
	if (m->size < sizeof(*m) || m->size > size)
		return refuse(fault, "size", -1, -1, m->size, size);
	if (m->n_hidden > QNET_MAX_HIDDEN)
		return refuse(fault, "number of hidden layers", -1, -1, m->n_hidden,
			      QNET_MAX_HIDDEN);
	if (!width_ok(m->n_inputs))
		return refuse(fault, "number of inputs", -1, -1, m->n_inputs, QNET_MAX_WIDTH);
	if (m->schema[QNET_SCHEMA_SIZE - 1])
		return refuse(fault, "end of the schema's name", -1, -1,
			      m->schema[QNET_SCHEMA_SIZE - 1], 0);
	return 0;
}

static int check_inputs(const struct qnet_model *m, struct range *ranges, struct qnet_fault *fault)
{
	const struct qnet_input *in = qnet_inputs(m);

	if (!inside(m, m->inputs, m->n_inputs * sizeof(*in)))
		return refuse(fault, "offset of the inputs", -1, -1, m->inputs, m->size);
	for (u32 i = 0; i < m->n_inputs; i++) {
		if (in[i].lo < -QNET_INPUT_LIMIT)
			return refuse(fault, "smallest x", -1, i, in[i].lo, -QNET_INPUT_LIMIT);
		if (in[i].hi > QNET_INPUT_LIMIT)
			return refuse(fault, "largest x", -1, i, in[i].hi, QNET_INPUT_LIMIT);
		if (in[i].lo > in[i].hi)
			return refuse(fault, "smallest x", -1, i, in[i].lo, in[i].hi);
		if (in[i].offset < -QNET_OFFSET_LIMIT || in[i].offset > QNET_OFFSET_LIMIT)
			return refuse(fault, "offset of an input", -1, i, in[i].offset,
				      QNET_OFFSET_LIMIT);
		ranges[i].lo = in[i].lo;
		ranges[i].hi = in[i].hi;
	}
	return 0;
}

/* What one unit can sum, at the worst of both sides. */
static int prove_unit(const s16 *w, s32 bias, const struct range *in, u32 n, s64 *lo, s64 *hi)
{
	s64 least = bias, most = bias;

	for (u32 i = 0; i < n; i++) {
		s64 a = (s64)w[i] * in[i].lo, b = (s64)w[i] * in[i].hi;

		least += a < b ? a : b;
		most += a < b ? b : a;
	}
	*lo = least;
	*hi = most;
	return least >= -QNET_SUM_LIMIT && most <= QNET_SUM_LIMIT;
}

/* In @ranges: the layer's inputs; behind it: its activations. */
static int check_hidden(const struct qnet_model *m, u32 layer, u32 n_before, struct range *ranges,
			struct qnet_fault *fault)
{
	const struct qnet_layer *l = &m->hidden[layer];
	struct range out[QNET_MAX_WIDTH];

	if (l->n_in != n_before)
		return refuse(fault, "number of inputs", layer, -1, l->n_in, n_before);
	if (!width_ok(l->n_out))
		return refuse(fault, "number of units", layer, -1, l->n_out, QNET_MAX_WIDTH);
	if (l->shift > QNET_SHIFT ||
	    l->shift < (layer == 0 || layer + 1 == m->n_hidden ? QNET_SHIFT : QNET_MIN_SHIFT))
		return refuse(fault, "shift", layer, -1, l->shift, QNET_SHIFT);
	if (!inside(m, l->weights, (u64)l->n_in * l->n_out * sizeof(s16)))
		return refuse(fault, "offset of the weights", layer, -1, l->weights, m->size);
	if (!inside(m, l->bias, l->n_out * sizeof(s32)))
		return refuse(fault, "offset of the biases", layer, -1, l->bias, m->size);
	for (u32 u = 0; u < l->n_out; u++) {
		s64 least, most;

		if (!prove_unit(qnet_weights(m, layer) + (u64)u * l->n_in, qnet_bias(m, layer)[u],
				ranges, l->n_in, &least, &most)) {
			if (most > QNET_SUM_LIMIT)
				return refuse(fault, "largest sum", layer, u, most, QNET_SUM_LIMIT);
			return refuse(fault, "smallest sum", layer, u, least, -QNET_SUM_LIMIT);
		}
		out[u].lo = qnet_activation((s32)least, l->shift);
		out[u].hi = qnet_activation((s32)most, l->shift);
	}
	for (u32 u = 0; u < l->n_out; u++)
		ranges[u] = out[u];
	return 0;
}

static int check_output(const struct qnet_model *m, u32 n_before, struct qnet_fault *fault)
{
	const s32 *v = qnet_output(m);

	if (m->n_last != n_before)
		return refuse(fault, "number of inputs of the output", -1, -1, m->n_last, n_before);
	if (!inside(m, m->output, m->n_last * sizeof(*v)))
		return refuse(fault, "offset of the output's weights", -1, -1, m->output, m->size);
	for (u32 i = 0; i < m->n_last; i++) {
		if (v[i] < -QNET_OUT_LIMIT || v[i] > QNET_OUT_LIMIT)
			return refuse(fault, "weight of the output", -1, i, v[i], QNET_OUT_LIMIT);
	}
	if (m->bias < -QNET_BIAS_LIMIT || m->bias > QNET_BIAS_LIMIT)
		return refuse(fault, "bias of the output", -1, -1, m->bias, QNET_BIAS_LIMIT);
	return 0;
}

int qnet_check(const struct qnet_model *m, u64 size, struct qnet_fault *fault)
{
	struct range ranges[QNET_MAX_WIDTH];
	u32 n_before;

	if (check_head(m, size, fault) || check_inputs(m, ranges, fault))
		return -1;
	n_before = m->n_inputs;
	for (u32 l = 0; l < m->n_hidden; l++) {
		if (check_hidden(m, l, n_before, ranges, fault))
			return -1;
		n_before = m->hidden[l].n_out;
	}
	return check_output(m, n_before, fault);
}

void qnet_quantize_inputs(const struct qnet_model *m, const s32 *features, s16 *x)
{
	const struct qnet_input *in = qnet_inputs(m);

	for (u32 i = 0; i < m->n_inputs; i++)
		x[i] = (s16)qnet_input_value(&in[i], features[i]);
}

s64 qnet_sums(const struct qnet_model *m, const s16 *x, s32 *sums)
{
	s32 last[QNET_MAX_WIDTH];
	s16 h[QNET_MAX_WIDTH];
	s64 o = m->bias;

	for (u32 i = 0; i < m->n_last && !m->n_hidden; i++)
		o += (s64)x[i] * qnet_output(m)[i];
	for (u32 l = 0; l < m->n_hidden; l++) {
		const struct qnet_layer *layer = &m->hidden[l];

		for (u32 u = 0; u < layer->n_out; u++) {
			const s16 *w = qnet_weights(m, l) + (u64)u * layer->n_in;
			u32 sum = (u32)qnet_bias(m, l)[u]; /* unsigned: partial sums may wrap */

			for (u32 i = 0; i < layer->n_in; i++)
				sum += (u32)(w[i] * x[i]);
			last[u] = (s32)sum;
			if (sums)
				sums[l * QNET_MAX_WIDTH + u] = (s32)sum;
		}
		for (u32 u = 0; u < layer->n_out; u++)
			h[u] = (s16)qnet_activation(last[u], layer->shift);
		x = h;
	}
	for (u32 i = 0; i < m->n_last && m->n_hidden; i++)
		o += last[i] > 0 ? (s64)last[i] * qnet_output(m)[i] : 0;
	return o;
}
