// SPDX-License-Identifier: GPL-2.0
/*
 * Fixed point, proved on a million random networks and inputs: every form of
 * it gives the same logit as plain 64-bit arithmetic, no sum leaves its lane,
 * and what is not sound is refused.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/nn/qnet.h"
#include "src/nn/qnet_pack.h"
#include "tests/lib/networks.h"
#include "tests/lib/qnet_infer.h"
#include "tests/lib/qnet_make.h"

#ifdef MLS_SANITIZED
#define N_NETWORKS  1000
#define N_CORRUPTED 30
#else
#define N_NETWORKS  25000
#define N_CORRUPTED 300
#endif
#define N_ROWS 44

static const enum mlsched_isa isas[] = { MLSCHED_ISA_SCALAR, MLSCHED_ISA_AVX2, MLSCHED_ISA_AVX512,
					 MLSCHED_ISA_NEON };
#define N_ISAS (sizeof(isas) / sizeof(isas[0]))

static const u32 slot_widths[] = { 64, 128, 256 };

/* What the cases have reached. */
struct reached {
	uint64_t cases;
	uint64_t largest; /* sums that were exactly +QNET_SUM_LIMIT */
	uint64_t smallest; /* exactly -QNET_SUM_LIMIT */
	uint64_t later_largest; /* the same behind the first layer */
	uint64_t later_smallest;
	uint64_t all_on; /* rows of which a whole layer was active */
	uint64_t all_off;
	uint64_t clamped; /* activations that would have been above 255 */
	uint64_t full_inputs; /* rows with all inputs at +-511 */
	uint64_t shapes[3]; /* slots packed for each QNET_SHAPE */
};

struct trial {
	struct mls_random random;
	struct qnet_model *net;
	void *slot;
	u32 slot_width; /* 0: it fits none */
	struct mlsched_qmodel *q[N_ISAS];
	int32_t *features; /* [N_ROWS][n_inputs], exactly as large, for the address sanitizer */
	int64_t expected[N_ROWS];
	struct reached reached;
};

/* One layer in 64 bits; every sum must be inside the limits. */
static void reference_layer(struct reached *reached, const struct qnet_model *m, u32 l,
			    const s64 *in, s64 *sums)
{
	const struct qnet_layer *layer = &m->hidden[l];
	u32 on = 0;

	for (u32 u = 0; u < layer->n_out; u++) {
		const s16 *w = qnet_weights(m, l) + (size_t)u * layer->n_in;
		s64 sum = qnet_bias(m, l)[u];

		for (u32 i = 0; i < layer->n_in; i++)
			sum += w[i] * in[i];
		assert_true(sum >= -QNET_SUM_LIMIT && sum <= QNET_SUM_LIMIT);
		reached->largest += sum == QNET_SUM_LIMIT;
		reached->smallest += sum == -QNET_SUM_LIMIT;
		reached->later_largest += l && sum == QNET_SUM_LIMIT;
		reached->later_smallest += l && sum == -QNET_SUM_LIMIT;
		on += sum >= 0;
		sums[u] = sum > 0 ? sum : 0;
	}
	reached->all_on += on == layer->n_out;
	reached->all_off += on == 0;
}

/* The logit by the book, in 64 bits throughout. */
static s64 reference(struct reached *reached, const struct qnet_model *m, const s32 *features)
{
	s64 in[QNET_MAX_WIDTH], sums[QNET_MAX_WIDTH], o = m->bias;
	u32 full = 0;

	for (u32 i = 0; i < m->n_inputs; i++) {
		const struct qnet_input *input = &qnet_inputs(m)[i];
		__int128 x = ((__int128)features[i] * input->mult + input->offset) >> 32;

		in[i] = x < input->lo ? input->lo : x > input->hi ? input->hi : (s64)x;
		full += in[i] == QNET_INPUT_LIMIT || in[i] == -QNET_INPUT_LIMIT;
	}
	reached->full_inputs += full == m->n_inputs;
	memcpy(sums, in, sizeof(in));
	for (u32 l = 0; l < m->n_hidden; l++) {
		reference_layer(reached, m, l, in, sums);
		for (u32 u = 0; u < m->hidden[l].n_out; u++) {
			in[u] = sums[u] / (1 << m->hidden[l].shift);
			reached->clamped += in[u] > 255;
			in[u] = in[u] > 255 ? 255 : in[u];
		}
	}
	for (u32 i = 0; i < m->n_last; i++)
		o += sums[i] * qnet_output(m)[i];
	return o;
}

/* Mostly small networks, all that have a kernel of their own, and some of the largest. */
static u32 choose_shape(struct mls_random *random, enum qnet_make_kind kind, u32 *widths)
{
	u32 kind_of_shape = mls_random_below(random, 100), n_hidden, top;

	if (kind_of_shape < 20) {
		widths[0] = mls_random_below(random, 2) ? 10 : 15;
		widths[1] = 49 + mls_random_below(random, 16);
		widths[2] = 49 + mls_random_below(random, 16);
		return 2;
	}
	if (kind_of_shape < 35) {
		widths[0] = 1 + mls_random_below(random, 15);
		widths[1] = 1 + mls_random_below(random, 12);
		return 1;
	}
	top = kind_of_shape < 85 ? 16 : kind_of_shape < 97 ? 64 : QNET_MAX_WIDTH;
	n_hidden = mls_random_below(random, top > 64 ? 4 : QNET_MAX_HIDDEN + 1);
	for (u32 l = 0; l <= n_hidden; l++)
		widths[l] = 1 + mls_random_below(random, top);
	/* Few inputs have few ends: each is met. */
	if (kind == QNET_MAKE_SWITCHES && widths[0] > 6)
		widths[0] = 6;
	return n_hidden;
}

static void trial_network(struct trial *t)
{
	enum qnet_make_kind kind = mls_random_below(&t->random, QNET_MAKE_KINDS);
	u32 widths[QNET_MAX_HIDDEN + 1], n_hidden = choose_shape(&t->random, kind, widths);
	struct qnet_fault fault;

	qnet_make(&t->random, kind, n_hidden, widths, t->net);
	if (qnet_check(t->net, t->net->size, &fault)) {
		printf("# kind %d: %s %d %d %lld %lld\n", kind, fault.what, fault.layer,
		       fault.index, fault.found, fault.limit);
		fail();
	}
	assert_int_equal(mls_qmodel_create(t->net, t->net->size, 1, NULL, &t->q[0]), 0);
	for (size_t k = N_ISAS; k-- > 0;) {
		struct mlsched_qmodel *best = t->q[0];

		if (mlsched_qmodel_clone_for_isa(best, isas[k], NULL, &t->q[k]))
			t->q[k] = NULL;
		if (k == 0)
			mlsched_qmodel_free(best);
	}
	t->features = malloc(sizeof(*t->features) * N_ROWS * widths[0]);
	assert_non_null(t->features);
	for (size_t r = 0; r < N_ROWS; r++) {
		s32 *row = t->features + r * widths[0];

		qnet_make_features(&t->random, t->net, mls_random_below(&t->random, 5), row);
		t->expected[r] = reference(&t->reached, t->net, row);
		t->reached.cases++;
	}
}

static void compare_isas(struct trial *t)
{
	int64_t logits[N_ROWS];

	for (size_t k = 0; k < N_ISAS; k++) {
		if (!t->q[k])
			continue;
		memset(logits, 0, sizeof(logits));
		mlsched_qmodel_logit(t->q[k], t->features, N_ROWS, logits);
		assert_memory_equal(logits, t->expected, sizeof(logits));
		mlsched_qmodel_free(t->q[k]);
	}
}

static s64 infer(u32 width, const void *slot, const s32 *features, u32 n)
{
	return width == 64  ? qnet_infer_64(slot, features, n) :
	       width == 128 ? qnet_infer_128(slot, features, n) :
			      qnet_infer_256(slot, features, n);
}

static void compare_packed(struct trial *t, bool generic)
{
	/* A width at random, and a wider one where it does not fit. */
	u32 first = mls_random_below(&t->random, 8), n = t->net->n_inputs;

	for (first = first < 4 ? 0 : first < 7 ? 1 : 2; first < 3; first++) {
		if (mls_qnet_pack(t->net, slot_widths[first], generic, t->slot, NULL) == 0)
			break;
	}
	assert_true(first < 3);
	t->reached.shapes[((u32 *)t->slot)[4]]++;
	for (size_t r = 0; r < N_ROWS; r++)
		assert_int_equal(infer(slot_widths[first], t->slot, t->features + r * n, n),
				 t->expected[r]);
}

static int trial_setup(void **state)
{
	struct trial *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->net = aligned_alloc(64, QNET_MAKE_MAX_SIZE);
	t->slot = aligned_alloc(64, (mls_qnet_slot_size(256) + 63) / 64 * 64);
	assert_true(t->net && t->slot);
	*state = t;
	return 0;
}

static int trial_teardown(void **state)
{
	struct trial *t = *state;

	free(t->net);
	free(t->slot);
	free(t);
	return 0;
}

static void every_form_gives_the_logit_of_exact_arithmetic(void **state)
{
	struct trial *t = *state;
	const struct reached *r = &t->reached;

	mls_random_seed(&t->random, test_seed(20261121), 0);
	for (int k = 0; k < N_NETWORKS; k++) {
		trial_network(t);
		compare_isas(t);
		compare_packed(t, false);
		compare_packed(t, true);
		free(t->features);
	}
	printf("# %lu cases; sums at +limit %lu, at -limit %lu, behind the first layer %lu and %lu; "
	       "layers all on %lu, all off %lu; clamped %lu; inputs all at +-511 %lu; slots of each shape %lu "
	       "%lu %lu\n",
	       r->cases, r->largest, r->smallest, r->later_largest, r->later_smallest, r->all_on,
	       r->all_off, r->clamped, r->full_inputs, r->shapes[0], r->shapes[1], r->shapes[2]);
	/* The edges were there: otherwise this proves less than it says. */
	assert_true(r->largest > 1000 && r->smallest > 1000);
	assert_true(r->later_largest > 100 && r->later_smallest > 100);
	assert_true(r->all_on > 100 && r->all_off > 100 && r->full_inputs > 100 &&
		    r->clamped > 1000);
	assert_true(r->shapes[0] > 100 && r->shapes[1] > 100 && r->shapes[2] > 100);
}

/* A block that was accepted may compute anything, but only inside of itself. */
static void use_if_accepted(struct trial *t, size_t size, uint64_t *accepted)
{
	struct mlsched_qmodel *q;
	int64_t logits[4];

	t->net->checksum = t->net->size <= size && t->net->size >= sizeof(*t->net) ?
				   mls_qnet_checksum(t->net) :
				   0;
	if (mls_qmodel_create(t->net, size, 1, NULL, &q))
		return;
	(*accepted)++;
	t->features = calloc(4 * (size_t)q->n_inputs, sizeof(*t->features));
	assert_non_null(t->features);
	for (u32 r = 0; r < 4; r++) {
		s32 *row = t->features + (size_t)r * q->n_inputs;

		qnet_make_features(&t->random, t->net, r, row);
		t->expected[r] = reference(&t->reached, t->net, row);
	}
	mlsched_qmodel_logit(q, t->features, 4, logits);
	assert_memory_equal(logits, t->expected, sizeof(logits));
	if (mls_qnet_pack(t->net, 256, true, t->slot, NULL) == 0)
		assert_int_equal(qnet_infer_256(t->slot, t->features, q->n_inputs), logits[0]);
	free(t->features);
	mlsched_qmodel_free(q);
}

static void small_network(struct trial *t)
{
	u32 widths[3] = { 3, 5, 4 };

	qnet_make(&t->random, QNET_MAKE_RANDOM, 2, widths, t->net);
}

static void check_refuses_every_flipped_byte(void **state)
{
	struct trial *t = *state;
	struct mlsched_error err;
	struct mlsched_qmodel *q;

	mls_random_seed(&t->random, test_seed(1), 1);
	small_network(t);
	for (size_t at = 0; at < t->net->size; at++) {
		size_t size = t->net->size;
		unsigned char *byte = (unsigned char *)t->net + at;

		for (int bit = 0; bit < 8; bit++) {
			*byte ^= 1u << bit;
			assert_int_not_equal(mls_qmodel_create(t->net, size, 1, &err, &q), 0);
			assert_true(err.code == -EINVAL || err.code == -EBADMSG);
			*byte ^= 1u << bit;
		}
	}
}

static void corrupted_blocks_with_a_right_checksum_do_no_harm(void **state)
{
	struct trial *t = *state;
	uint64_t accepted = 0, tried = 0;

	mls_random_seed(&t->random, test_seed(2), 2);
	for (int k = 0; k < N_CORRUPTED; k++) {
		small_network(t);
		/* Every 32-bit word in turn gets a number that is small, large or any. */
		for (size_t at = 0; at < t->net->size / 4; at++) {
			size_t size = t->net->size;
			u32 *word = (u32 *)(void *)t->net + at, old = *word;
			u32 how = mls_random_below(&t->random, 4);

			*word = how == 0 ? mls_random_below(&t->random, 300) :
				how == 1 ? old + mls_random_below(&t->random, 17) - 8 :
				how == 2 ? 0u - 1 - mls_random_below(&t->random, 300) :
					   (u32)mls_random_next(&t->random);
			use_if_accepted(t, size, &accepted);
			*word = old;
			tried++;
		}
	}
	printf("# %lu corrupted blocks, %lu of them still sound\n", tried, accepted);
	assert_true(accepted > 0 && accepted < tried);
}

static void check_refuses_a_block_that_was_cut(void **state)
{
	struct trial *t = *state;

	mls_random_seed(&t->random, test_seed(3), 3);
	small_network(t);
	for (size_t size = 0; size < t->net->size; size++) {
		/* Exactly as much as there is, so that a read beyond it is seen. */
		void *cut = malloc(size ? size : 1);

		assert_non_null(cut);
		memcpy(cut, t->net, size);
		assert_int_equal(qnet_check(cut, size, NULL), -1);
		free(cut);
	}
}

/* With @bias this unit's sum reaches as far as it may: so it is sound, and by one more it is not. */
static void expect_edge(struct trial *t, u32 layer, u32 unit, s32 *bias, s64 room, s64 limit)
{
	struct qnet_fault fault;
	s32 old = *bias, step = limit > 0 ? 1 : -1;

	*bias = (s32)(old + room);
	assert_int_equal(qnet_check(t->net, t->net->size, &fault), 0);
	*bias += step;
	assert_int_equal(qnet_check(t->net, t->net->size, &fault), -1);
	assert_string_equal(fault.what, limit > 0 ? "largest sum" : "smallest sum");
	assert_int_equal(fault.layer, layer);
	assert_int_equal(fault.index, unit);
	assert_int_equal(fault.limit, limit);
	assert_int_equal(fault.found, limit + step);
	*bias = old;
}

static void check_refuses_one_more_than_the_limit(void **state)
{
	struct trial *t = *state;

	mls_random_seed(&t->random, test_seed(5), 5);
	for (u32 k = 0; k < 200; k++) {
		u32 widths[2] = { 1 + mls_random_below(&t->random, 20),
				  1 + mls_random_below(&t->random, 20) };
		s32 *bias;

		qnet_make(&t->random, k % 3, 1, widths, t->net);
		bias = (void *)((char *)t->net + t->net->hidden[0].bias);
		for (u32 u = 0; u < widths[1]; u++) {
			s64 least = bias[u], most = least;

			for (u32 i = 0; i < widths[0]; i++) {
				s64 w = qnet_weights(t->net, 0)[u * widths[0] + i];
				const struct qnet_input *in = &qnet_inputs(t->net)[i];

				most += w * (w > 0 ? in->hi : in->lo);
				least += w * (w > 0 ? in->lo : in->hi);
			}
			expect_edge(t, 0, u, &bias[u], QNET_SUM_LIMIT - most, QNET_SUM_LIMIT);
			expect_edge(t, 0, u, &bias[u], -QNET_SUM_LIMIT - least, -QNET_SUM_LIMIT);
		}
	}
}

static void check_names_the_field_that_is_wrong(void **state)
{
	struct trial *t = *state;
	struct qnet_model *m = t->net;
	struct qnet_input *in;
	struct mlsched_error err;
	struct mlsched_qmodel *q;

	mls_random_seed(&t->random, test_seed(6), 6);
	small_network(t);
	in = (void *)((char *)m + m->inputs);
#define REFUSE(place, value, text)                                                     \
	do {                                                                           \
		__typeof__(place) old_ = place;                                        \
		place = value;                                                         \
		assert_int_equal(mls_qmodel_create(m, m->size, 1, &err, &q), -EINVAL); \
		assert_non_null(strstr(err.message, text));                            \
		place = old_;                                                          \
	} while (0)
	REFUSE(m->magic, 1, "fixed-point model: magic: got 1, expected or limit 1952804465");
	REFUSE(m->version, 2, "fixed-point model: version: got 2, expected or limit 1");
	REFUSE(m->n_hidden, 8, "number of hidden layers: got 8, expected or limit 7");
	REFUSE(m->n_inputs, 0, "number of inputs: got 0");
	REFUSE(m->schema[31], 'x', "end of the schema's name");
	REFUSE(in[1].lo, -512, "input 1: smallest x: got -512, expected or limit -511");
	REFUSE(in[2].hi, 512, "input 2: largest x: got 512, expected or limit 511");
	REFUSE(in[0].offset, INT64_MIN, "input 0: offset of an input");
	REFUSE(m->hidden[0].weights, m->size, "hidden layer 0: offset of the weights");
	REFUSE(m->hidden[1].bias, 4, "hidden layer 1: offset of the biases: got 4");
	REFUSE(m->hidden[1].n_in, 6,
	       "hidden layer 1: number of inputs: got 6, expected or limit 5");
	REFUSE(m->hidden[0].n_out, 257, "hidden layer 0: number of units: got 257");
	REFUSE(m->hidden[0].shift, 11, "hidden layer 0: shift: got 11, expected or limit 12");
	REFUSE(m->hidden[1].shift, 13, "hidden layer 1: shift: got 13, expected or limit 12");
	REFUSE(m->n_last, 3, "number of inputs of the output: got 3, expected or limit 4");
	REFUSE(m->output, m->output + 8, "offset of the output's weights");
	REFUSE(((s32 *)(void *)((char *)m + m->output))[2], 1 << 20,
	       "input 2: weight of the output: got 1048576, expected or limit 1048575");
	REFUSE(m->bias, INT64_MAX, "bias of the output");
#undef REFUSE
	m->threshold++;
	assert_int_equal(mls_qmodel_create(m, m->size, 1, &err, &q), -EBADMSG);
	assert_non_null(strstr(err.message, "fixed-point model: checksum: expected 0x"));
}

/* What is in @slot is no network at all: any logit will do, but no access outside. */
static void packed_kernels_stay_inside_a_slot_of_garbage(void **state)
{
	struct trial *t = *state;
	s32 features[QNET_MAX_WIDTH];

	mls_random_seed(&t->random, test_seed(4), 4);
	for (u32 k = 0; k < 12; k++) {
		u32 width = slot_widths[k / 4];
		size_t size = mls_qnet_slot_size(width);
		u32 *slot = aligned_alloc(64, (size + 63) / 64 * 64);

		assert_non_null(slot);
		for (size_t at = 0; at < size / 4; at++)
			slot[at] = (u32)mls_random_next(&t->random);
		slot[4] = k % 4;
		for (u32 i = 0; i < QNET_MAX_WIDTH; i++)
			features[i] = (s32)mls_random_next(&t->random);
		infer(width, slot, features, QNET_MAX_WIDTH);
		free(slot);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_form_gives_the_logit_of_exact_arithmetic,
						trial_setup, trial_teardown),
		cmocka_unit_test_setup_teardown(check_refuses_every_flipped_byte, trial_setup,
						trial_teardown),
		cmocka_unit_test_setup_teardown(corrupted_blocks_with_a_right_checksum_do_no_harm,
						trial_setup, trial_teardown),
		cmocka_unit_test_setup_teardown(check_refuses_a_block_that_was_cut, trial_setup,
						trial_teardown),
		cmocka_unit_test_setup_teardown(check_refuses_one_more_than_the_limit, trial_setup,
						trial_teardown),
		cmocka_unit_test_setup_teardown(check_names_the_field_that_is_wrong, trial_setup,
						trial_teardown),
		cmocka_unit_test_setup_teardown(packed_kernels_stay_inside_a_slot_of_garbage,
						trial_setup, trial_teardown),
	};

	return cmocka_run_group_tests_name("qnet", tests, NULL, NULL);
}
