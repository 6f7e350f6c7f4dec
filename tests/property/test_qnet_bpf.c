// SPDX-License-Identifier: GPL-2.0
/*
 * Fixed point in the running kernel: the packed network, verified, compiled
 * and run there, gives the same logits as user space, bit for bit.  Its loops
 * are those of the recorder here, those of the scheduler where
 * test_qnet_may_goto.c includes this.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>

#include "bpf/qnet_test.h"
#ifdef QNET_MAY_GOTO
#include "bpf/qnet_test_may_goto.skel.h"
#define GROUP                        "qnet_may_goto"
#define qnet_test_bpf                qnet_test_may_goto_bpf
#define qnet_test_bpf__open          qnet_test_may_goto_bpf__open
#define qnet_test_bpf__open_and_load qnet_test_may_goto_bpf__open_and_load
#define qnet_test_bpf__destroy       qnet_test_may_goto_bpf__destroy
#else
#define GROUP "qnet_bpf"
#include "bpf/qnet_test.skel.h"
#endif
#include "core/qnet_packed.h"
#include "src/host/loader.h"
#include "src/nn/qnet_pack.h"
#include "src/nn/qnet.h"
#include "src/util/array.h"
#include "tests/lib/bpf.h"
#include "tests/lib/networks.h"
#include "tests/lib/qnet_make.h"

#define SLOT_WIDTH QNET_SLOT_WIDTH /* the default, as in bpf/qnet_test.bpf.c */
#ifdef MLS_SANITIZED
#define N_NETWORKS 60
#define N_MANY     2000
#else
#define N_NETWORKS 600
#define N_MANY     100000
#endif
#define N_FEW_ROWS 4 /* for each of the many */

/* How often the ends of what can be were met. */
struct edges {
	uint64_t largest_input; /* rows with an input of +511 */
	uint64_t smallest_input; /* ... -511 */
	uint64_t none_active; /* rows without an active unit in the first layer */
	uint64_t all_active; /* rows with nothing else */
	uint64_t highest_sum; /* rows with a sum of +(2^20 - 1) */
	uint64_t lowest_sum; /* ... -(2^20 - 1) */
};

struct trial {
	struct qnet_test_bpf *skel;
	struct mls_random random;
	struct qnet_model *net;
	/* The values of the maps, mapped: what is written is there for the program. */
	struct qnet_slot *slot;
	struct qnet_test_rows *rows;
	uint64_t pairs;
	uint64_t shapes[3];
	struct edges edges;
};

static const char *why_not(void)
{
	const char *reason = test_no_bpf();

	if (reason)
		return reason;
#ifdef QNET_MAY_GOTO
	if (!mls_loader_has_may_goto())
		return "the kernel has no may_goto: it is older than 6.9";
#endif
	return NULL;
}

static size_t mapped_size(const struct bpf_map *map)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (bpf_map__value_size(map) + page - 1) / page * page;
}

static void *map_value(const struct bpf_map *map)
{
	void *value = mmap(NULL, mapped_size(map), PROT_READ | PROT_WRITE, MAP_SHARED,
			   bpf_map__fd(map), 0);

	assert_ptr_not_equal(value, MAP_FAILED);
	return value;
}

static int setup(void **state)
{
	struct trial *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->net = aligned_alloc(64, QNET_MAKE_MAX_SIZE);
	assert_non_null(t->net);
	libbpf_set_print(NULL);
	t->skel = qnet_test_bpf__open_and_load();
	if (!t->skel)
		printf("# qnet_test.bpf.c: %s\n", strerror(errno));
	assert_non_null(t->skel);
	t->slot = map_value(t->skel->maps.slots);
	t->rows = map_value(t->skel->maps.rows);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct trial *t = *state;

	if (!t)
		return 0;
	munmap(t->slot, mapped_size(t->skel->maps.slots));
	munmap(t->rows, mapped_size(t->skel->maps.rows));
	qnet_test_bpf__destroy(t->skel);
	free(t->net);
	free(t);
	return 0;
}

static void make_rows(struct trial *t, u32 n_inputs, u32 n_rows)
{
	t->rows->n_features = n_inputs;
	t->skel->data->n_rows = n_rows;
	for (u32 r = 0; r < n_rows; r++)
		qnet_make_features(&t->random, t->net, mls_random_below(&t->random, 5),
				   t->rows->features[r]);
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
	make_rows(t, widths[0], QNET_TEST_ROWS);
}

/*
 * One of a hundred thousand: mostly small, since time goes into making them,
 * but one in five for the kernel of two layers, one in fifty of any size.
 */
static void make_one_of_many(struct trial *t, enum qnet_make_kind kind)
{
	u32 widths[QNET_MAX_HIDDEN + 1], how = mls_random_below(&t->random, 50), n_hidden, top;

	if (how < 10) {
		n_hidden = 2;
		widths[0] = 1 + mls_random_below(&t->random, 15);
		widths[1] = 49 + mls_random_below(&t->random, 16);
		widths[2] = 49 + mls_random_below(&t->random, 16);
	} else if (how < 20) {
		n_hidden = 1;
		widths[0] = 1 + mls_random_below(&t->random, 15);
		widths[1] = 1 + mls_random_below(&t->random, 12);
	} else {
		top = how == 20 ? SLOT_WIDTH : how < 25 ? 50 : 20;
		n_hidden = mls_random_below(&t->random, top == 20 ? 8 : 4);
		for (u32 l = 0; l <= n_hidden; l++)
			widths[l] = 1 + mls_random_below(&t->random, top);
	}
	qnet_make(&t->random, kind, n_hidden, widths, t->net);
	make_rows(t, widths[0], N_FEW_ROWS);
}

static void count_edges(struct edges *edges, const struct qnet_model *net, const s16 *x,
			const s32 *sums)
{
	u32 active = 0, n_first = net->n_hidden ? net->hidden[0].n_out : 0;
	bool largest = false, smallest = false, highest = false, lowest = false;

	for (u32 i = 0; i < net->n_inputs; i++) {
		largest |= x[i] == QNET_INPUT_LIMIT;
		smallest |= x[i] == -QNET_INPUT_LIMIT;
	}
	for (u32 u = 0; u < n_first; u++)
		active += sums[u] >= 0;
	for (u32 l = 0; l < net->n_hidden; l++) {
		for (u32 u = 0; u < net->hidden[l].n_out; u++) {
			highest |= sums[l * QNET_MAX_WIDTH + u] == QNET_SUM_LIMIT;
			lowest |= sums[l * QNET_MAX_WIDTH + u] == -QNET_SUM_LIMIT;
		}
	}
	edges->largest_input += largest;
	edges->smallest_input += smallest;
	edges->none_active += n_first && active == 0;
	edges->all_active += n_first && active == n_first;
	edges->highest_sum += highest;
	edges->lowest_sum += lowest;
}

/* By the kernel for its shape and, where that is another, by the one for any network. */
static void run_and_compare(struct trial *t)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	u32 n_rows = t->skel->data->n_rows, shape = QNET_SHAPE_GENERIC;
	static s32 sums[QNET_MAX_HIDDEN * QNET_MAX_WIDTH];
	s64 expected[QNET_TEST_ROWS];

	for (u32 r = 0; r < n_rows; r++) {
		s16 x[QNET_MAX_WIDTH];

		qnet_quantize_inputs(t->net, t->rows->features[r], x);
		expected[r] = qnet_sums(t->net, x, sums);
		count_edges(&t->edges, t->net, x, sums);
	}
	for (u32 generic = 0; generic < 2; generic++) {
		assert_int_equal(mls_qnet_pack(t->net, SLOT_WIDTH, generic, t->slot, NULL), 0);
		if (generic && shape == QNET_SHAPE_GENERIC)
			break; /* that was it */
		shape = t->slot->shape;
		t->shapes[shape]++;
		memset(t->rows->logits, 0xff, n_rows * sizeof(*t->rows->logits));
		assert_int_equal(
			bpf_prog_test_run_opts(bpf_program__fd(t->skel->progs.qnet_run), &opts), 0);
		assert_int_equal(opts.retval, n_rows);
		for (u32 r = 0; r < n_rows; r++)
			assert_int_equal(t->rows->logits[r], expected[r]);
		t->pairs += n_rows;
	}
}

static void kernel_gives_the_logits_of_user_space(void **state)
{
	struct trial *t = *state;

	mls_random_seed(&t->random, test_seed(20261121), 0);
	for (u32 k = 0; k < N_NETWORKS; k++) {
		make_network(t, k % QNET_MAKE_KINDS);
		run_and_compare(t);
	}
	printf("# %lu pairs of network and input; slots of each shape %lu %lu %lu\n", t->pairs,
	       t->shapes[0], t->shapes[1], t->shapes[2]);
	assert_true(t->shapes[0] > 10 && t->shapes[1] > 10 && t->shapes[2] > 3);
}

static void kernel_gives_the_logits_of_100000_random_networks(void **state)
{
	struct trial *t = *state;
	struct edges *e = &t->edges;

	memset(e, 0, sizeof(*e));
	memset(t->shapes, 0, sizeof(t->shapes));
	t->pairs = 0;
	mls_random_seed(&t->random, test_seed(20261128), 2);
	for (u32 k = 0; k < N_MANY; k++) {
		make_one_of_many(t, k % QNET_MAKE_KINDS);
		run_and_compare(t);
	}
	printf("# %d networks, %lu logits; slots of each shape %lu %lu %lu\n", N_MANY, t->pairs,
	       t->shapes[0], t->shapes[1], t->shapes[2]);
	printf("# rows with an input of 511: %lu, -511: %lu; no unit active: %lu, all: %lu; a sum "
	       "of 2^20-1: %lu, -(2^20-1): %lu\n",
	       e->largest_input, e->smallest_input, e->none_active, e->all_active, e->highest_sum,
	       e->lowest_sum);
	assert_true(t->shapes[0] > N_MANY / 2 && t->shapes[1] > N_MANY / 10 &&
		    t->shapes[2] > N_MANY / 10);
	assert_true(e->largest_input > N_MANY / 10 && e->smallest_input > N_MANY / 10);
	assert_true(e->none_active > N_MANY / 10 && e->all_active > N_MANY / 10);
	assert_true(e->highest_sum > N_MANY / 50 && e->lowest_sum > N_MANY / 50);
}

/* An address outside of the map would be a fault in the kernel's log, or worse. */
static void kernel_survives_a_slot_of_garbage(void **state)
{
	struct trial *t = *state;
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	mls_random_seed(&t->random, test_seed(1), 1);
	for (u32 k = 0; k < 16; k++) {
		u32 *slot = (u32 *)t->slot;

		for (size_t at = 0; at < mls_qnet_slot_size(SLOT_WIDTH) / 4; at++)
			slot[at] = (u32)mls_random_next(&t->random);
		slot[4] = k % 4;
		t->rows->n_features = QNET_MAX_WIDTH;
		t->skel->data->n_rows = QNET_TEST_ROWS;
		assert_int_equal(
			bpf_prog_test_run_opts(bpf_program__fd(t->skel->progs.qnet_run), &opts), 0);
		assert_int_equal(opts.retval, QNET_TEST_ROWS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kernel_gives_the_logits_of_user_space),
		cmocka_unit_test(kernel_gives_the_logits_of_100000_random_networks),
		cmocka_unit_test(kernel_survives_a_slot_of_garbage),
	};
	const char *reason = why_not();

	if (reason) {
		printf("1..%zu\n", ARRAY_SIZE(tests));
		for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
			printf("ok %zu - %s # SKIP %s\n", i + 1, tests[i].name, reason);
		return 0;
	}
	return cmocka_run_group_tests_name(GROUP, tests, setup, teardown);
}
