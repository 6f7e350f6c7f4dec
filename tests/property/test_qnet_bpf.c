// SPDX-License-Identifier: GPL-2.0
/*
 * Fixed point in the running kernel: the packed network, verified, compiled
 * and run there, gives the same logits as user space, bit for bit.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>

#include "bpf/qnet_test.h"
#include "bpf/qnet_test.skel.h"
#include "src/nn/qnet_pack.h"
#include "src/nn/qnet.h"
#include "tests/lib/networks.h"
#include "tests/lib/qnet_make.h"

#define SLOT_WIDTH 128 /* of bpf/qnet_test.bpf.c */
#ifdef MLS_SANITIZED
#define N_NETWORKS 60
#else
#define N_NETWORKS 600
#endif

struct trial {
	struct qnet_test_bpf *skel;
	struct mls_random random;
	struct qnet_model *net;
	void *slot;
	struct qnet_test_rows *rows;
	uint64_t pairs;
	uint64_t shapes[3];
};

static const char *why_not(void)
{
	static char reason[128];
	struct qnet_test_bpf *skel;

	if (geteuid() != 0)
		return "needs root to load BPF programs";
	if (access("/sys/kernel/btf/vmlinux", R_OK))
		return "the kernel has no BTF";
	libbpf_set_print(NULL);
	skel = qnet_test_bpf__open();
	if (!skel)
		return NULL; /* our own fault: the test says so */
	if (bpf_map_create(BPF_MAP_TYPE_ARRAY, NULL, 4, 4, 1, NULL) < 0) {
		snprintf(reason, sizeof(reason), "bpf() is refused: %s", strerror(errno));
		qnet_test_bpf__destroy(skel);
		return reason;
	}
	qnet_test_bpf__destroy(skel);
	return NULL;
}

static int setup(void **state)
{
	struct trial *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->net = aligned_alloc(64, QNET_MAKE_MAX_SIZE);
	t->slot = calloc(1, mls_qnet_slot_size(SLOT_WIDTH));
	t->rows = calloc(1, sizeof(*t->rows));
	assert_true(t->net && t->slot && t->rows);
	libbpf_set_print(NULL);
	t->skel = qnet_test_bpf__open_and_load();
	if (!t->skel)
		printf("# qnet_test.bpf.c: %s\n", strerror(errno));
	assert_non_null(t->skel);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct trial *t = *state;

	if (!t)
		return 0;
	qnet_test_bpf__destroy(t->skel);
	free(t->net);
	free(t->slot);
	free(t->rows);
	free(t);
	return 0;
}

static void make_network(struct trial *t, enum qnet_make_kind kind)
{
	u32 widths[QNET_MAX_HIDDEN + 1], how = mls_random_below(&t->random, 8), n_hidden = 2;

	widths[0] = (u32[]){ 5, 10, 15 }[mls_random_below(&t->random, 3)];
	widths[1] = how < 2 ? 64 : 49 + mls_random_below(&t->random, 16);
	widths[2] = how < 2 ? 64 : 49 + mls_random_below(&t->random, 16);
	if (how == 3) {
		n_hidden = 1;
		widths[1] = 1 + mls_random_below(&t->random, 12);
	} else if (how > 3) {
		u32 top = how < 6 ? 20 : how < 7 ? 64 : SLOT_WIDTH;

		n_hidden = mls_random_below(&t->random, top == SLOT_WIDTH ? 4 : 8);
		for (u32 l = 0; l <= n_hidden; l++)
			widths[l] = 1 + mls_random_below(&t->random, top);
	}
	if (kind == QNET_MAKE_SWITCHES && widths[0] > 8)
		widths[0] = 8;
	qnet_make(&t->random, kind, n_hidden, widths, t->net);
	t->rows->n_features = widths[0];
	for (u32 r = 0; r < QNET_TEST_ROWS; r++)
		qnet_make_features(&t->random, t->net, mls_random_below(&t->random, 5),
				   t->rows->features[r]);
}

static void run_and_compare(struct trial *t, bool generic)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	const u32 zero = 0;

	assert_int_equal(mls_qnet_pack(t->net, SLOT_WIDTH, generic, t->slot, NULL), 0);
	t->shapes[((const u32 *)t->slot)[4]]++;
	assert_int_equal(bpf_map__update_elem(t->skel->maps.slots, &zero, sizeof(zero), t->slot,
					      mls_qnet_slot_size(SLOT_WIDTH), 0),
			 0);
	memset(t->rows->logits, 0xff, sizeof(t->rows->logits));
	assert_int_equal(bpf_map__update_elem(t->skel->maps.rows, &zero, sizeof(zero), t->rows,
					      sizeof(*t->rows), 0),
			 0);
	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(t->skel->progs.qnet_run), &opts),
			 0);
	assert_int_equal(opts.retval, QNET_TEST_ROWS);
	assert_int_equal(bpf_map__lookup_elem(t->skel->maps.rows, &zero, sizeof(zero), t->rows,
					      sizeof(*t->rows), 0),
			 0);
	for (u32 r = 0; r < QNET_TEST_ROWS; r++) {
		s16 x[QNET_MAX_WIDTH];

		qnet_quantize_inputs(t->net, t->rows->features[r], x);
		assert_int_equal(t->rows->logits[r], qnet_sums(t->net, x, NULL));
		t->pairs++;
	}
}

static void kernel_gives_the_logits_of_user_space(void **state)
{
	struct trial *t = *state;

	mls_random_seed(&t->random, test_seed(20261121), 0);
	for (u32 k = 0; k < N_NETWORKS; k++) {
		make_network(t, k % QNET_MAKE_KINDS);
		run_and_compare(t, false);
		run_and_compare(t, true);
	}
	printf("# %lu pairs of network and input; slots of each shape %lu %lu %lu\n", t->pairs,
	       t->shapes[0], t->shapes[1], t->shapes[2]);
	assert_true(t->shapes[0] > 10 && t->shapes[1] > 10 && t->shapes[2] > 3);
}

/* An address outside of the map would be a fault in the kernel's log, or worse. */
static void kernel_survives_a_slot_of_garbage(void **state)
{
	struct trial *t = *state;
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	const u32 zero = 0;

	mls_random_seed(&t->random, test_seed(1), 1);
	for (u32 k = 0; k < 16; k++) {
		u32 *slot = t->slot;

		for (size_t at = 0; at < mls_qnet_slot_size(SLOT_WIDTH) / 4; at++)
			slot[at] = (u32)mls_random_next(&t->random);
		slot[4] = k % 4;
		t->rows->n_features = QNET_MAX_WIDTH;
		bpf_map__update_elem(t->skel->maps.rows, &zero, sizeof(zero), t->rows,
				     sizeof(*t->rows), 0);
		assert_int_equal(bpf_map__update_elem(t->skel->maps.slots, &zero, sizeof(zero),
						      t->slot, mls_qnet_slot_size(SLOT_WIDTH), 0),
				 0);
		assert_int_equal(
			bpf_prog_test_run_opts(bpf_program__fd(t->skel->progs.qnet_run), &opts), 0);
		assert_int_equal(opts.retval, QNET_TEST_ROWS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kernel_gives_the_logits_of_user_space),
		cmocka_unit_test(kernel_survives_a_slot_of_garbage),
	};
	const char *reason = why_not();

	if (reason) {
		printf("1..2\nok 1 - kernel_gives_the_logits_of_user_space # SKIP %s\n"
		       "ok 2 - kernel_survives_a_slot_of_garbage # SKIP %s\n",
		       reason, reason);
		return 0;
	}
	return cmocka_run_group_tests_name("qnet_bpf", tests, setup, teardown);
}
