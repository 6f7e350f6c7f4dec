// SPDX-License-Identifier: GPL-2.0
/*
 * From the integers of a network to the words of core/qnet_packed.h: three
 * weights in each, rows where the kernel for that shape looks for them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/qnet_packed.h"
#include "src/nn/qnet.h"
#include "src/nn/qnet_pack.h"
#include "src/util/error.h"

/* What the kernel of two layers computes is 22 words a layer, however few are needed. */
#define FEWEST_64 49

struct packer {
	const struct qnet_model *net;
	struct mlsched_error *err;
	uint32_t width;
	struct qnet_slot *slot; /* its pool ends where @width says, not where its type does */
	uint32_t used; /* bytes of the pool */
	uint32_t n_live;
	uint32_t live[QNET_MAX_WIDTH]; /* inputs that are not constant */
};

size_t mls_qnet_slot_size(uint32_t width)
{
	return QNET_SLOT_HEAD + QNET_POOL_BYTES_OF(width) + QNET_WORDS_OF(width) * sizeof(u64);
}

static uint32_t words_of(uint32_t units)
{
	return (units + 2) / 3;
}

/* The words of input @i of a hidden layer, @step words apart. */
static void put_row(struct packer *p, uint32_t l, uint32_t i, u64 *to, uint32_t step)
{
	const struct qnet_layer *layer = &p->net->hidden[l];
	const s16 *w = qnet_weights(p->net, l) + i;

	for (uint32_t u = 0; u < layer->n_out; u++)
		to[u / 3 * step] += (u64)(s64)w[(size_t)u * layer->n_in] << 21 * (u % 3);
}

/*
 * The words that sums start from.  Lanes without a unit end "negative" where a
 * list is made of them, and as zero where the output follows.
 */
static void put_bias(struct packer *p, uint32_t l, u64 *to, uint32_t words)
{
	const s32 *bias = qnet_bias(p->net, l);
	bool last = l + 1 == p->net->n_hidden;

	for (uint32_t u = 0; u < 3 * words; u++) {
		s64 lane = last ? 1 << 20 : 1 << 19;

		if (u < p->net->hidden[l].n_out)
			lane = (1 << 20) + (s64)bias[u];
		to[u / 3] += (u64)lane << 21 * (u % 3);
	}
}

static void put_inputs(struct packer *p, uint32_t n_padded)
{
	static const struct qnet_input dead;

	p->slot->n_inputs = n_padded;
	for (uint32_t k = 0; k < n_padded; k++) {
		bool there = k < p->n_live;

		p->slot->feature[k] = (u16)(there ? p->live[k] : 0);
		p->slot->inputs[k] = there ? qnet_inputs(p->net)[p->live[k]] : dead;
	}
}

static void put_64_64(struct packer *p)
{
	char *pool = (char *)p->slot->pool;

	p->slot->shape = QNET_SHAPE_64_64;
	put_inputs(p, (p->n_live + 4) / 5 * 5);
	for (uint32_t k = 0; k < p->n_live; k++)
		put_row(p, 0, p->live[k], (u64 *)(void *)(pool + QNET_64_W1) + k, 16);
	put_bias(p, 0, (void *)(pool + QNET_64_B1), QNET_64_GROUPS);
	put_bias(p, 1, (void *)(pool + QNET_64_B2), QNET_64_GROUPS);
	for (uint32_t i = 0; i < p->net->hidden[1].n_in; i++)
		put_row(p, 1, i, (void *)(pool + QNET_64_W2 + 256 * i), 1);
	/* For a reader of the slot; this kernel knows its places. */
	for (uint32_t l = 0; l < 2; l++)
		p->slot->hidden[l].words = words_of(p->net->hidden[l].n_out);
}

static void put_12(struct packer *p)
{
	char *pool = (char *)p->slot->pool;

	p->slot->shape = QNET_SHAPE_12;
	put_inputs(p, QNET_12_INPUTS);
	for (uint32_t k = 0; k < p->n_live; k++)
		put_row(p, 0, p->live[k], (void *)(pool + QNET_12_W + 32 * k), 1);
	put_bias(p, 0, (void *)(pool + QNET_12_B), 4);
	p->slot->hidden[0].words = words_of(p->net->hidden[0].n_out);
}

/* Reserves @bytes of the pool, whole cache lines. */
static int reserve(struct packer *p, uint32_t bytes, uint32_t *at)
{
	uint32_t limit = (uint32_t)QNET_POOL_BYTES_OF(p->width);

	*at = p->used;
	p->used += (bytes + QNET_ROW_ALIGN - 1) / QNET_ROW_ALIGN * QNET_ROW_ALIGN;
	if (p->used <= limit)
		return 0;
	return mls_error(p->err, -ENOTSUP,
			 "the network needs more than the %u bytes of weights that the kernel "
			 "engine holds; the native engine takes this model",
			 limit);
}

static int put_any_layer(struct packer *p, uint32_t l)
{
	const struct qnet_layer *from = &p->net->hidden[l];
	struct qnet_slot_layer *to = &p->slot->hidden[l];
	uint32_t rows = l ? from->n_in : p->slot->n_inputs, n = l ? from->n_in : p->n_live;
	char *pool = (char *)p->slot->pool;

	to->words = words_of(from->n_out);
	to->h_shift = from->shift;
	for (to->shift = 6; 1u << to->shift < 8 * qnet_row_words(to->words); to->shift++)
		;
	if (reserve(p, rows << to->shift, &to->weights) || reserve(p, 8 * to->words, &to->bias))
		return -ENOTSUP;
	for (uint32_t i = 0; i < n; i++)
		put_row(p, l, l ? i : p->live[i],
			(void *)(pool + to->weights + ((size_t)i << to->shift)), 1);
	put_bias(p, l, (void *)(pool + to->bias), to->words);
	return 0;
}

static int put_any(struct packer *p)
{
	if (p->n_live > p->width)
		return mls_error(p->err, -ENOTSUP,
				 "the kernel engine takes at most %u inputs that are not constant, "
				 "got %u; the native engine takes this model",
				 p->width, p->n_live);
	p->slot->shape = QNET_SHAPE_GENERIC;
	put_inputs(p, p->n_live + p->n_live % 2);
	for (uint32_t l = 0; l < p->net->n_hidden; l++) {
		uint32_t units = p->net->hidden[l].n_out;

		if (units > p->width)
			return mls_error(p->err, -ENOTSUP,
					 "hidden layer %u: the kernel engine takes at most %u "
					 "units, got %u; the native engine takes this model",
					 l, p->width, units);
		if (put_any_layer(p, l))
			return -ENOTSUP;
	}
	return 0;
}

static void put_head(struct packer *p)
{
	const struct qnet_model *net = p->net;
	struct qnet_slot *slot = p->slot;

	slot->version = QNET_VERSION;
	slot->checksum = net->checksum;
	slot->source = net->source;
	slot->n_features = net->n_inputs;
	slot->n_hidden = net->n_hidden;
	slot->schema_version = net->schema_version;
	slot->bias = net->bias;
	slot->threshold = net->threshold;
	memcpy(slot->schema, net->schema, sizeof(slot->schema));
	/* Without hidden layers the output's weights follow the inputs that are left. */
	for (uint32_t i = 0; i < (net->n_hidden ? net->n_last : p->n_live); i++)
		slot->v[i] = qnet_output(net)[net->n_hidden ? i : p->live[i]];
	slot->magic = QNET_MAGIC;
}

int mls_qnet_pack(const struct qnet_model *net, uint32_t width, bool generic, void *slot,
		  struct mlsched_error *err)
{
	struct packer p = { .net = net, .err = err, .width = width, .slot = slot };
	const struct qnet_layer *hidden = net->hidden;

	memset(slot, 0, mls_qnet_slot_size(width));
	for (uint32_t i = 0; i < net->n_inputs; i++) {
		const struct qnet_input *in = &qnet_inputs(net)[i];

		if (in->lo || in->hi)
			p.live[p.n_live++] = i;
	}
	put_head(&p);
	if (!generic && net->n_hidden == 1 && p.n_live <= QNET_12_INPUTS && hidden[0].n_out <= 12)
		put_12(&p);
	else if (!generic && net->n_hidden == 2 && p.n_live <= 15 && hidden[0].n_out <= 64 &&
		 hidden[1].n_out <= 64 && hidden[0].n_out >= FEWEST_64 &&
		 hidden[1].n_out >= FEWEST_64)
		put_64_64(&p);
	else
		return put_any(&p);
	return 0;
}

int mlsched_qmodel_fits_kernel(const struct mlsched_qmodel *q, struct mlsched_error *err)
{
	void *slot = malloc(mls_qnet_slot_size(QNET_SLOT_WIDTH));
	int ret = slot ? mls_qnet_pack(mls_qmodel_net(q), QNET_SLOT_WIDTH, false, slot, err) :
			 mls_error(err, -ENOMEM, "no memory for the network's slot");

	free(slot);
	return ret;
}
