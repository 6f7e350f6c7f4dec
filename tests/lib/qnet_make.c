// SPDX-License-Identifier: GPL-2.0
/*
 * Random fixed-point networks, made of integers without the quantiser: so they
 * reach the edges of the proof, where quantised ones seldom come.
 */
#include <string.h>

#include "src/nn/qnet.h"
#include "tests/lib/qnet_make.h"

struct range {
	s32 lo;
	s32 hi;
};

static s32 between(struct mls_random *random, s64 lo, s64 hi)
{
	return (s32)(lo + (s64)mls_random_below(random, (uint32_t)(hi - lo + 1)));
}

static void place(struct qnet_model *m, u32 n_hidden, const u32 *widths)
{
	u32 at = sizeof(*m);

	memset(m, 0, sizeof(*m));
	m->magic = QNET_MAGIC;
	m->version = QNET_VERSION;
	m->n_inputs = widths[0];
	m->n_hidden = n_hidden;
	m->n_last = widths[n_hidden];
	m->inputs = at;
	at += widths[0] * (u32)sizeof(struct qnet_input);
	for (u32 l = 0; l < n_hidden; l++) {
		m->hidden[l] =
			(struct qnet_layer){ widths[l], widths[l + 1], at, 0, QNET_SHIFT, 0 };
		at += (widths[l] * widths[l + 1] * 2 + 7) / 8 * 8;
		m->hidden[l].bias = at;
		at += (widths[l + 1] * 4 + 7) / 8 * 8;
	}
	m->output = at;
	at += (m->n_last * 4 + 7) / 8 * 8;
	m->size = at;
	memset(m + 1, 0, at - sizeof(*m));
}

static void make_inputs(struct mls_random *random, struct qnet_model *m, enum qnet_make_kind kind,
			struct range *ranges)
{
	struct qnet_input *in = (void *)((char *)m + m->inputs);

	for (u32 i = 0; i < m->n_inputs; i++) {
		in[i] = (struct qnet_input){ .mult = 1 << 16,
					     .lo = -QNET_INPUT_LIMIT,
					     .hi = QNET_INPUT_LIMIT };
		if (kind == QNET_MAKE_RANDOM && mls_random_below(random, 4) == 0) {
			in[i].lo = (s16)between(random, -QNET_INPUT_LIMIT, QNET_INPUT_LIMIT);
			in[i].hi = (s16)between(random, in[i].lo, QNET_INPUT_LIMIT);
		}
		if (kind != QNET_MAKE_SWITCHES && i > 0 && mls_random_below(random, 8) == 0)
			in[i].lo = in[i].hi = 0;
		ranges[i] = (struct range){ in[i].lo, in[i].hi };
	}
}

/* Where the sum can be with bias 0. */
static void reach(const s16 *w, const struct range *in, u32 n, s64 *least, s64 *most)
{
	*least = *most = 0;
	for (u32 i = 0; i < n; i++) {
		s64 a = (s64)w[i] * in[i].lo, b = (s64)w[i] * in[i].hi;

		*least += a < b ? a : b;
		*most += a < b ? b : a;
	}
}

static void random_weights(struct mls_random *random, const struct range *in, u32 n, s16 *w)
{
	s32 top = (s32[]){ 1, 30, 500, 4000, 32767 }[mls_random_below(random, 5)];
	s64 least, most;

	for (u32 i = 0; i < n; i++)
		w[i] = (s16)(mls_random_below(random, 10) ? between(random, -top, top) : 0);
	/* Smaller until there is a bias with which it fits. */
	for (reach(w, in, n, &least, &most); most - least > 2 * QNET_SUM_LIMIT;
	     reach(w, in, n, &least, &most)) {
		s64 shrink = (most - least) / (2 * QNET_SUM_LIMIT) + 1;

		for (u32 i = 0; i < n; i++)
			w[i] = (s16)(w[i] / (shrink > 1 ? shrink : 2));
	}
}

/* Uses up with larger weights what is left between the reach and the two limits. */
static void fill_up(const struct range *in, u32 n, s16 *w)
{
	s64 least, most, left;

	reach(w, in, n, &least, &most);
	left = 2 * QNET_SUM_LIMIT - (most - least);
	for (u32 i = 0; i < n; i++) {
		s64 span = in[i].hi - in[i].lo, size = w[i] < 0 ? -w[i] : w[i];
		s64 more = span ? left / span : 0;

		if (more > 32767 - size)
			more = 32767 - size;
		w[i] = (s16)(w[i] < 0 ? w[i] - more : w[i] + more);
		left -= more * span;
	}
}

/* One input alone drives the unit from the one limit to the other. */
static void switch_weights(struct mls_random *random, u32 unit, u32 n, s16 *w)
{
	memset(w, 0, n * sizeof(*w));
	w[unit % n] = (s16)(mls_random_below(random, 2) ? 2052 : -2052);
}

/*
 * Lets the weights of the second layer be positive for exactly those units of
 * the first that are on at some choice of the inputs' ends: then this choice
 * drives the unit to its limit.
 */
static void match_switches(struct mls_random *random, const struct qnet_model *m, s16 *w)
{
	u64 high = mls_random_next(random);

	for (u32 i = 0; i < m->hidden[1].n_in; i++) {
		u32 input = i % m->n_inputs;
		bool on = (qnet_weights(m, 0)[(size_t)i * m->n_inputs + input] > 0) ==
			  (high >> input % 64 & 1);
		s16 size = (s16)(w[i] < 0 ? -w[i] : w[i]);

		w[i] = (s16)(on ? size : size ? -size : -1);
	}
}

static s32 choose_bias(struct mls_random *random, enum qnet_make_kind kind, s64 least, s64 most)
{
	s64 lowest = -QNET_SUM_LIMIT - least, highest = QNET_SUM_LIMIT - most;

	switch (kind) {
	case QNET_MAKE_ALL_ON: /* not below a step, if it can be */
		return (s32)highest;
	case QNET_MAKE_ALL_OFF:
		return (s32)(-most - 1 < lowest  ? lowest :
			     -most - 1 > highest ? highest :
						   -most - 1);
	case QNET_MAKE_EDGES:
		return (s32)(mls_random_below(random, 2) ? lowest : highest);
	case QNET_MAKE_SWITCHES:
		return (s32)(mls_random_below(random, 2) ? highest : lowest);
	default:
		return between(random, lowest, highest);
	}
}

static void make_layer(struct mls_random *random, struct qnet_model *m, u32 l,
		       enum qnet_make_kind kind, struct range *ranges)
{
	u32 n_in = m->hidden[l].n_in, n_out = m->hidden[l].n_out;
	s16 *weights = (void *)((char *)m + m->hidden[l].weights);
	s32 *bias = (void *)((char *)m + m->hidden[l].bias);
	struct range out[QNET_MAX_WIDTH];

	if (l > 0 && l + 1 < m->n_hidden)
		m->hidden[l].shift =
			QNET_MIN_SHIFT + mls_random_below(random, QNET_SHIFT - QNET_MIN_SHIFT + 1);
	for (u32 u = 0; u < n_out; u++) {
		s16 *w = weights + (size_t)u * n_in;
		s64 least, most;

		if (kind == QNET_MAKE_SWITCHES && l == 0)
			switch_weights(random, u, n_in, w);
		else
			random_weights(random, ranges, n_in, w);
		if (kind == QNET_MAKE_SWITCHES && l == 1) {
			for (u32 i = 0; i < n_in; i++)
				w[i] = (s16)(w[i] / 2);
			match_switches(random, m, w);
		}
		if (kind == QNET_MAKE_ALL_ON || kind == QNET_MAKE_ALL_OFF) {
			for (u32 i = 0; i < n_in; i++)
				w[i] = (s16)(w[i] / 4);
		} else if (kind == QNET_MAKE_EDGES || (kind == QNET_MAKE_SWITCHES && l)) {
			fill_up(ranges, n_in, w);
		}
		reach(w, ranges, n_in, &least, &most);
		bias[u] = choose_bias(random, kind, least, most);
		least += bias[u];
		most += bias[u];
		out[u].lo = qnet_activation((s32)least, m->hidden[l].shift);
		out[u].hi = qnet_activation((s32)most, m->hidden[l].shift);
	}
	memcpy(ranges, out, n_out * sizeof(*out));
}

void qnet_make(struct mls_random *random, enum qnet_make_kind kind, u32 n_hidden, const u32 *widths,
	       struct qnet_model *m)
{
	struct range ranges[QNET_MAX_WIDTH];
	s32 *v;

	place(m, n_hidden, widths);
	make_inputs(random, m, kind, ranges);
	for (u32 l = 0; l < n_hidden; l++)
		make_layer(random, m, l, kind, ranges);
	v = (void *)((char *)m + m->output);
	for (u32 i = 0; i < m->n_last; i++) {
		v[i] = between(random, -QNET_OUT_LIMIT, QNET_OUT_LIMIT);
		if (kind == QNET_MAKE_EDGES)
			v[i] = mls_random_below(random, 8) ? QNET_OUT_LIMIT : -QNET_OUT_LIMIT;
	}
	m->bias = (s64)mls_random_next(random) >> 4;
	m->threshold = (s64)mls_random_next(random) >> 16;
	m->checksum = mls_qnet_checksum(m);
}

void qnet_make_features(struct mls_random *random, const struct qnet_model *m, u32 how,
			s32 *features)
{
	const struct qnet_input *in = qnet_inputs(m);
	const s16 *w = NULL;

	if (m->n_hidden)
		w = qnet_weights(m, 0) +
		    (size_t)mls_random_below(random, m->hidden[0].n_out) * m->n_inputs;
	for (u32 i = 0; i < m->n_inputs; i++) {
		bool high = mls_random_below(random, 2);
		s32 x;

		if (w && how == 2)
			high = w[i] > 0;
		if (w && how == 3)
			high = w[i] <= 0;
		x = how ? (high ? in[i].hi : in[i].lo) : between(random, in[i].lo, in[i].hi);
		features[i] = how == 4 ? (s32)mls_random_next(random) : x * 65536;
	}
}
