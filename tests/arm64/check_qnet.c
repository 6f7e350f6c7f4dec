// SPDX-License-Identifier: GPL-2.0
/*
 * Fixed point on AArch64 or in its emulator: NEON and the packed words against
 * the reference.  A program of its own, as check_neon.c.
 */
#include <stdio.h>
#include <stdlib.h>

#include "src/nn/qnet.h"
#include "src/nn/qnet_pack.h"
#include "tests/lib/networks.h"
#include "tests/lib/qnet_infer.h"
#include "tests/lib/qnet_make.h"

#define N_NETWORKS 1500
#define N_ROWS     12

struct outcome {
	const char *name;
	uint64_t checked, bad;
};

static void judge(struct outcome *outcome, int64_t found, int64_t expected)
{
	outcome->checked++;
	outcome->bad += found != expected;
}

static struct mlsched_qmodel *create(const struct qnet_model *net)
{
	struct mlsched_qmodel *q;
	struct mlsched_error err;

	if (mls_qmodel_create(net, net->size, 1, &err, &q)) {
		printf("Bail out! %s\n", err.message);
		exit(1);
	}
	if (mlsched_qmodel_isa(q) != MLSCHED_ISA_NEON) {
		printf("Bail out! expected neon, got %s\n",
		       mlsched_isa_name(mlsched_qmodel_isa(q)));
		exit(1);
	}
	return q;
}

static void check_network(struct mls_random *random, struct qnet_model *net, void *slot,
			  struct outcome *neon, struct outcome *packed)
{
	u32 widths[QNET_MAX_HIDDEN + 1], n_hidden = mls_random_below(random, 5);
	u32 top = mls_random_below(random, 10) ? 20 : 64;
	s32 features[N_ROWS * QNET_MAX_WIDTH];
	struct mlsched_qmodel *q;
	int64_t logits[N_ROWS];

	for (u32 l = 0; l <= n_hidden; l++)
		widths[l] = 1 + mls_random_below(random, top);
	qnet_make(random, mls_random_below(random, QNET_MAKE_KINDS), n_hidden, widths, net);
	q = create(net);
	for (u32 r = 0; r < N_ROWS; r++)
		qnet_make_features(random, net, r % 5, features + r * widths[0]);
	mlsched_qmodel_logit(q, features, N_ROWS, logits);
	mls_qnet_pack(net, 64, mls_random_below(random, 2), slot, NULL);
	for (u32 r = 0; r < N_ROWS; r++) {
		const s32 *row = features + r * widths[0];
		s16 x[QNET_MAX_WIDTH];
		s64 expected;

		qnet_quantize_inputs(net, row, x);
		expected = qnet_sums(net, x, NULL);
		judge(neon, logits[r], expected);
		judge(packed, qnet_infer_64(slot, row, widths[0]), expected);
	}
	mlsched_qmodel_free(q);
}

int main(void)
{
	struct outcome outcomes[] = {
		{ .name = "neon_gives_the_logit_of_the_reference" },
		{ .name = "packed_words_give_the_logit_of_the_reference" },
	};
	struct qnet_model *net = aligned_alloc(64, QNET_MAKE_MAX_SIZE);
	void *slot = aligned_alloc(64, (mls_qnet_slot_size(64) + 63) / 64 * 64);
	struct mls_random random;
	int bad = 0;

	mls_random_seed(&random, test_seed(64), 0);
	for (int k = 0; k < N_NETWORKS && net && slot; k++)
		check_network(&random, net, slot, &outcomes[0], &outcomes[1]);
	for (int i = 0; i < 2; i++) {
		printf("# %llu logits\n", (unsigned long long)outcomes[i].checked);
		printf("%s %d - %s\n", outcomes[i].bad || !outcomes[i].checked ? "not ok" : "ok",
		       i + 1, outcomes[i].name);
		bad |= outcomes[i].bad != 0;
	}
	printf("1..2\n");
	free(net);
	free(slot);
	return bad;
}
