// SPDX-License-Identifier: GPL-2.0
/*
 * Load patterns of schema seed10, with the rule of the public schedulers that
 * this schema comes from:
 *
 *   migrate when the source domain is busier than the destination by more than
 *   0.3, a CPU is idle, and the destination is below 0.7; one label in ten is
 *   turned round, as noise.
 *
 * Where they draw each input by itself (CPU up to 127, idle and busy CPUs up
 * to 63 each, loads up to 1), a row here is a machine in a situation: a size
 * is drawn, then one of the patterns below, and idle plus busy CPUs are the
 * machine.  Otherwise a machine of two CPUs, which is most virtual machines,
 * would lie in a corner that training hardly ever sees.
 *
 * A network trained on this knows the rule and no real machine: it is there
 * so that everything has a model to begin with.
 */
#include <errno.h>

#include "src/data/synthetic.h"
#include "src/util/error.h"
#include "src/util/random.h"
#include "src/util/array.h"

#define PATTERNS_STREAM 0x7061747465726e /* "pattern" */

/* Inputs of seed10 that carry something, in order; the rest are zeros. */
enum { CPU, CPU_IDLE, CPU_NOT_IDLE, SRC_DOM_LOAD, DST_DOM_LOAD, N_INPUTS = 10 };

/* CPUs of a machine: about as many of each power of two. */
static const uint8_t machine_sizes[] = {
	2, 2, 3, 4, 4, 6, 8, 8, 12, 16, 16, 24, 32, 48, 64, 96, 128
};

struct range {
	float low;
	float high;
};

/**
 * struct pattern - one situation
 * @share:    how often, of the sum of all shares
 * @src:      load of the source domain
 * @dst:      load of the destination domain, or what is added to the source's
 * @relative: @dst is added, and the result kept within 0 to 1
 * @idle:     share of the machine's CPUs that are idle, rounded to whole CPUs
 */
struct pattern {
	uint32_t share;
	struct range src;
	struct range dst;
	bool relative;
	struct range idle;
};

static const struct pattern patterns[] = {
	/* anything goes: no corner of the space stays unseen */
	{ 30, { 0, 1 }, { 0, 1 }, false, { 0, 1 } },
	/* balanced */
	{ 8, { 0, 1 }, { -0.15f, 0.15f }, true, { 0, 1 } },
	/* source overloaded, destination has room */
	{ 12, { 0.6f, 1 }, { 0, 0.5f }, false, { 0.05f, 0.7f } },
	/* destination overloaded */
	{ 8, { 0, 0.6f }, { 0.6f, 1 }, false, { 0, 0.7f } },
	/* the source is busier by about what the rule asks for */
	{ 14, { 0.25f, 1 }, { -0.45f, -0.15f }, true, { 0, 1 } },
	/* the destination is about as busy as the rule allows */
	{ 6, { 0.9f, 1 }, { 0.5f, 0.9f }, false, { 0, 0.6f } },
	/* all CPUs idle */
	{ 4, { 0, 0.3f }, { 0, 0.3f }, false, { 1, 1 } },
	/* all CPUs busy: nowhere to go, however unequal the domains */
	{ 14, { 0.3f, 1 }, { 0, 0.7f }, false, { 0, 0 } },
	/* a CPU or a few have just become idle */
	{ 14, { 0.4f, 1 }, { 0, 0.7f }, false, { 0, 0.1f } },
};

bool mls_synthetic_rule(const float *row)
{
	return row[SRC_DOM_LOAD] - row[DST_DOM_LOAD] > 0.3f && row[CPU_IDLE] > 0 &&
	       row[DST_DOM_LOAD] < 0.7f;
}

static float draw(struct mls_random *random, struct range range)
{
	return range.low + (range.high - range.low) * mls_random_unit(random);
}

static const struct pattern *draw_pattern(struct mls_random *random)
{
	const struct pattern *pattern = patterns;
	uint32_t sum = 0, left;

	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++)
		sum += patterns[i].share;
	left = mls_random_below(random, sum);
	while (left >= pattern->share)
		left -= pattern++->share;
	return pattern;
}

static float draw_row(struct mls_random *random, float *row)
{
	const struct pattern *pattern = draw_pattern(random);
	uint32_t cpus = machine_sizes[mls_random_below(random, ARRAY_SIZE(machine_sizes))];
	uint32_t idle;
	float dst;

	row[CPU] = (float)mls_random_below(random, cpus);
	idle = (uint32_t)(draw(random, pattern->idle) * (float)cpus + 0.5f);
	row[CPU_IDLE] = (float)idle;
	row[CPU_NOT_IDLE] = (float)(cpus - idle);
	row[SRC_DOM_LOAD] = draw(random, pattern->src);
	dst = draw(random, pattern->dst);
	if (pattern->relative)
		dst += row[SRC_DOM_LOAD];
	row[DST_DOM_LOAD] = dst < 0 ? 0 : dst > 1 ? 1 : dst;
	return mls_synthetic_rule(row) != (mls_random_unit(random) < MLS_SYNTHETIC_NOISE);
}

int mls_synthetic_seed10(uint32_t n_rows, uint64_t seed, struct mls_dataset *data,
			 struct mlsched_error *err)
{
	struct mls_random random;
	float row[N_INPUTS] = { 0 };
	int ret = 0;

	if (n_rows < 1)
		return mls_error(err, -EINVAL, "expected 1 synthetic row or more");
	data->schema = mlsched_schema_find("seed10");
	data->n_inputs = N_INPUTS;
	mls_random_seed(&random, seed, PATTERNS_STREAM);
	for (uint32_t r = 0; ret == 0 && r < n_rows; r++) {
		float label = draw_row(&random, row);

		ret = mls_dataset_append(data, row, label, err);
	}
	if (ret)
		mls_dataset_clear(data);
	return ret;
}
