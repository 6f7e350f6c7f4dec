// SPDX-License-Identifier: GPL-2.0
/*
 * core/features.h: the inputs of schema mig15 stay within the ranges that
 * core/features.def promises, rise with what they measure, are close to what
 * libm computes, and are the same bits in the running kernel.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
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

#include <mlsched/schema.h>

#include "bpf/features_test.h"
#include "bpf/features_test.skel.h"
#include "src/host/shadow.h"
#include "src/nn/qnet.h"
#include "src/util/array.h"
#include "src/util/random.h"
#include "tests/lib/bpf.h"
#include "tests/lib/networks.h"

#define TRIALS 300000
#define SECOND 1000000000ull

static struct mls_random random_state;

/* Of every order of magnitude. */
static u64 any_time(void)
{
	return mls_random_next(&random_state) >> mls_random_below(&random_state, 64);
}

static u32 any_length(void)
{
	return (u32)(mls_random_next(&random_state) >> (32 + mls_random_below(&random_state, 32)));
}

/* With @sane, what a scheduler may know; else whatever bits. */
static struct mls_move_facts any_facts(bool sane)
{
	struct mls_move_facts m = {
		.kind = any_length(),
		.level = any_length(),
		.src_len = any_length(),
		.dst_len = any_length(),
		.src_load = any_length(),
		.dst_load = any_length(),
		.home_src = any_length(),
		.home_dst = any_length(),
		.since_run = any_time(),
		.waited = any_time(),
		.src_burst = any_time(),
		.src_ran = any_time(),
		.src_stint = any_time(),
		.sleep = any_time(),
		.owner_eta = any_time(),
	};

	if (!sane)
		return m;
	m.kind %= MLS_POLICY_KINDS;
	m.level %= MLS_POLICY_LEVELS;
	m.home_src %= MLS_POLICY_LEVELS;
	m.home_dst %= MLS_POLICY_LEVELS;
	m.src_load %= 65537;
	m.dst_load %= 65537;
	m.src_burst >>= 20;
	return m;
}

static int index_of(const char *name)
{
	const struct mlsched_schema *schema = mlsched_schema_find("mig15");

	for (uint32_t i = 0; i < schema->n_features; i++) {
		if (strcmp(schema->features[i].name, name) == 0)
			return (int)i;
	}
	fail_msg("schema mig15 has no input %s", name);
	return -1;
}

static s32 input(const struct mls_move_facts *m, const char *name)
{
	s32 features[MLS_MIG15_INPUTS];

	mls_mig15(m, features);
	return features[index_of(name)];
}

static void logarithms_are_within_their_bound_and_never_fall(void **state)
{
	double worst = 0;
	u64 last = 0;

	(void)state;
	for (u64 x = 1; x <= 1u << 22; x++) {
		u64 found = mls_log2(x);

		worst = fmax(worst, fabs((double)found / 0x1p30 - log2((double)x)));
		assert_true(found >= last);
		last = found;
	}
	/* Further on, each with its neighbours. */
	for (int k = 0; k < 1000000; k++) {
		u64 x = (1u << 22) + mls_random_below(&random_state, (1u << 30) - (1u << 22) - 1);

		worst = fmax(worst, fabs((double)mls_log2(x) / 0x1p30 - log2((double)x)));
		assert_true(mls_log2(x + 1) >= mls_log2(x));
	}
	for (u32 k = 0; k <= 30; k++)
		assert_int_equal(mls_log2(1ull << k), (u64)k << 30);
	print_message("# worst error of a logarithm %.2e\n", worst);
	assert_true(worst < 1.2e-4);
}

static void times_are_what_libm_says_to_the_last_bit_or_two(void **state)
{
	double worst = 0;

	(void)state;
	assert_int_equal(mls_feature_time(0), 0);
	assert_int_equal(mls_feature_time(1024 * 65535), 65536);
	assert_int_equal(mls_feature_time(MLS_FEATURE_NEVER), MLS_FEATURE_TIME_MOST);
	assert_int_equal(mls_feature_time(~0ull), MLS_FEATURE_TIME_MOST);
	for (int k = 0; k < TRIALS; k++) {
		u64 ns = any_time();
		double seconds = fmin((double)ns, 0x1p30 - 1024);
		double expected = log2(1 + seconds / 1024) / 16 * 65536;

		if (ns >> 63)
			continue;
		worst = fmax(worst, fabs(mls_feature_time(ns) - expected));
		assert_true(mls_feature_time(ns + ns / 128) >= mls_feature_time(ns));
	}
	print_message("# worst error of a time %.2f of a last bit\n", worst);
	assert_true(worst < 1);
}

static void minimum_and_difference_need_no_branch_and_are_right(void **state)
{
	(void)state;
	for (int k = 0; k < TRIALS; k++) {
		u64 a = any_time() >> 1, b = k % 3 ? any_time() >> 1 : a;

		assert_int_equal(mls_feature_min(a, b), a < b ? a : b);
		assert_int_equal(mls_feature_less(a, b), a < b ? 0 : a - b);
	}
}

/* Whatever the facts, and the ends of the ranges are met. */
static void inputs_are_within_the_ranges_of_the_schema(void **state)
{
	const struct mlsched_schema *schema = mlsched_schema_find("mig15");
	bool least[MLS_MIG15_INPUTS] = { false }, most[MLS_MIG15_INPUTS] = { false };

	(void)state;
	assert_int_equal(schema->n_features, MLS_MIG15_INPUTS);
	for (int k = 0; k < TRIALS; k++) {
		struct mls_move_facts m = any_facts(k % 2);
		s32 features[MLS_MIG15_INPUTS];

		/* At random the levels are seldom those of a move to one's home. */
		if (k % 4 == 0) {
			m.kind %= MLS_POLICY_KINDS;
			m.home_src %= MLS_POLICY_LEVELS;
			m.home_dst %= MLS_POLICY_LEVELS;
		}
		mls_mig15(&m, features);
		for (int i = 0; i < MLS_MIG15_INPUTS; i++) {
			double value = features[i] / 65536.0;

			if (value < (double)schema->features[i].min ||
			    value > (double)schema->features[i].max)
				fail_msg("input %s is %g", schema->features[i].name, value);
			least[i] |= value <= (double)schema->features[i].min;
			most[i] |= value >= (double)schema->features[i].max;
		}
	}
	for (int i = 0; i < MLS_MIG15_INPUTS; i++)
		assert_true(least[i] && most[i]);
}

/* A field of the facts, and the input that rises with it while all others stay. */
struct rising {
	const char *name;
	size_t offset;
	bool wide;
	int sign;
};

static void inputs_rise_with_what_they_measure_and_no_other_does(void **state)
{
#define U32(field) offsetof(struct mls_move_facts, field), false, 1
#define U64(field) offsetof(struct mls_move_facts, field), true, 1
	static const struct rising all[] = {
		{ "src_len", U32(src_len) },
		{ "dst_len", U32(dst_len) },
		{ "src_dom_load", U32(src_load) },
		{ "dst_dom_load", U32(dst_load) },
		{ "t_since_run", U64(since_run) },
		{ "t_wait", U64(waited) },
		{ "src_rem", U64(src_burst) },
		{ "src_curr_run", U64(src_stint) },
		{ "avg_sleep", U64(sleep) },
		{ "dst_owner_eta", U64(owner_eta) },
		{ "src_rem", offsetof(struct mls_move_facts, src_ran), true, -1 },
	};

	(void)state;
	for (int k = 0; k < TRIALS; k++) {
		const struct rising *r = &all[(size_t)k % ARRAY_SIZE(all)];
		struct mls_move_facts m = any_facts(true), more;
		s32 before[MLS_MIG15_INPUTS], after[MLS_MIG15_INPUTS];
		int at = index_of(r->name);

		/* The highest bit belongs to no time. */
		m.src_burst &= MLS_FEATURE_NEVER >> 2;
		m.src_ran &= MLS_FEATURE_NEVER >> 2;
		more = m;
		if (r->wide) {
			u64 *field = (u64 *)(void *)((char *)&more + r->offset);

			*field &= MLS_FEATURE_NEVER >> 2;
			memcpy((char *)&m + r->offset, field, sizeof(*field));
			*field += any_time() & (MLS_FEATURE_NEVER >> 2);
		} else {
			u32 *field = (u32 *)(void *)((char *)&more + r->offset);

			*field &= ~0u >> 1;
			memcpy((char *)&m + r->offset, field, sizeof(*field));
			*field += any_length() >> 1;
		}
		mls_mig15(&m, before);
		mls_mig15(&more, after);
		for (int i = 0; i < MLS_MIG15_INPUTS; i++) {
			if (i == at)
				assert_true(r->sign * (after[i] - before[i]) >= 0);
			else
				assert_int_equal(after[i], before[i]);
		}
	}
}

static void kinds_and_levels_are_flags(void **state)
{
	/* wake, newidle; same_llc, same_node */
	static const s32 kinds[MLS_POLICY_KINDS][2] = {
		[MLS_POLICY_WAKEUP] = { 1, 0 },
		[MLS_POLICY_FORK] = { 1, 0 },
		[MLS_POLICY_STEAL] = { 0, 1 },
		[MLS_POLICY_BALANCE] = { 0, 0 },
	};
	static const s32 levels[MLS_POLICY_LEVELS][2] = {
		[MLS_POLICY_NEAR] = { 1, 1 },
		[MLS_POLICY_NODE] = { 0, 1 },
		[MLS_POLICY_FAR] = { 0, 0 },
	};

	(void)state;
	for (u32 kind = 0; kind < MLS_POLICY_KINDS; kind++) {
		struct mls_move_facts m = { .kind = kind };

		assert_int_equal(input(&m, "wake"), kinds[kind][0] << 16);
		assert_int_equal(input(&m, "newidle"), kinds[kind][1] << 16);
	}
	for (u32 level = 0; level < MLS_POLICY_LEVELS; level++) {
		struct mls_move_facts m = { .level = level };

		assert_int_equal(input(&m, "same_llc"), levels[level][0] << 16);
		assert_int_equal(input(&m, "same_node"), levels[level][1] << 16);
	}
}

static void the_way_home_is_positive(void **state)
{
	struct mls_move_facts m = { .home_src = MLS_POLICY_FAR, .home_dst = MLS_POLICY_NEAR };

	(void)state;
	assert_int_equal(input(&m, "home_delta"), 1 << 16);
	m.home_dst = MLS_POLICY_NODE;
	assert_int_equal(input(&m, "home_delta"), 1 << 15);
	m.home_src = m.home_dst;
	assert_int_equal(input(&m, "home_delta"), 0);
	m.home_src = MLS_POLICY_NEAR;
	m.home_dst = MLS_POLICY_FAR;
	assert_int_equal(input(&m, "home_delta"), -1 * 65536);
}

static void the_rest_of_a_run_is_never_less_than_30_percent(void **state)
{
	(void)state;
	assert_int_equal(mls_feature_remaining(1000000, 0), 1000000);
	assert_int_equal(mls_feature_remaining(1000000, 400000), 600000);
	assert_int_equal(mls_feature_remaining(1000000, 900000), 300781);
	assert_int_equal(mls_feature_remaining(1000000, SECOND), 300781);
	/* Nothing runs. */
	assert_int_equal(mls_feature_remaining(0, 0), 0);
	for (int k = 0; k < TRIALS; k++) {
		u64 burst = any_time() >> 34, ran = any_time() >> 1;
		u64 left = mls_feature_remaining(burst, ran);

		assert_true(left >= burst * 3 / 10 && left <= burst);
		assert_true(mls_feature_remaining(burst, ran + 1) <= left);
	}
}

static void an_owner_is_expected_after_its_sleep_and_not_if_it_is_long_overdue(void **state)
{
	(void)state;
	assert_int_equal(mls_owner_eta(1000, 0), 1000);
	assert_int_equal(mls_owner_eta(1000, 900), 100);
	assert_int_equal(mls_owner_eta(1000, 1000), 0);
	assert_int_equal(mls_owner_eta(1000, SECOND), SECOND - 1000);
}

static void sleeps_are_averaged_and_long_ones_count_as_one_second(void **state)
{
	u64 average = 0;

	(void)state;
	for (int k = 0; k < 60; k++)
		average = mls_sleep_average(average, 4000000);
	assert_true(average > 3999000 && average <= 4000000);
	for (int k = 0; k < 200; k++)
		average = mls_sleep_average(average, 3600 * SECOND);
	assert_true(average > MLS_FEATURE_SLEEP_MOST - 10 && average <= MLS_FEATURE_SLEEP_MOST);
	average = mls_sleep_average(average, 0);
	assert_true(average <= MLS_FEATURE_SLEEP_MOST * 3 / 4 + 1);
}

static void home_is_where_most_of_the_time_was_spent(void **state)
{
	struct mls_home home = { 0, 0 };

	(void)state;
	mls_home_ran(&home, 5, 0, 3000000);
	assert_int_equal(home.cpu, 5);
	assert_int_equal(home.weight, 3000000);
	/* A visit changes nothing, a longer stay does. */
	mls_home_ran(&home, 9, 0, 1000000);
	assert_int_equal(home.cpu, 5);
	mls_home_ran(&home, 6, 1, 1000000);
	assert_int_equal(home.weight, 3000000);
	mls_home_ran(&home, 9, 0, 4000000);
	assert_int_equal(home.cpu, 9);
	assert_int_equal(home.weight, 1000000);
	/* However long it was there, after MLS_HOME_MOST elsewhere it has moved. */
	for (int k = 0; k < 1000; k++)
		mls_home_ran(&home, 9, 1, 3000000);
	assert_int_equal(home.weight, MLS_HOME_MOST);
	mls_home_ran(&home, 1, 0, MLS_HOME_MOST);
	assert_int_equal(home.cpu, 9);
	mls_home_ran(&home, 1, 0, 1);
	assert_int_equal(home.cpu, 1);
	mls_home_ran(&home, 1, 1, ~0ull);
	assert_int_equal(home.weight, MLS_HOME_MOST);
}

/* Random networks, quantised as for the scheduler, and asked in situations as it meets them. */
static void integers_of_a_model_decide_as_its_floats_do(void **state)
{
	static const uint32_t widths[] = { MLS_MIG15_INPUTS, 64, 64, 1 };
	struct test_random random = { test_seed(15) };

	(void)state;
	for (int n = 0; n < 5; n++) {
		struct mlsched_meta meta = { .schema = "mig15", .threshold = 0.5f };
		struct mlsched_quantize_report report = { 0 };
		struct mlsched_qmodel *fixed = NULL, *again = NULL;
		struct mlsched_model *model = NULL;
		struct test_network net;
		uint32_t same = 0;

		test_network_shape(&net, &random, 3, widths, MLSCHED_RELU, MLSCHED_SIGMOID);
		net.desc.meta = &meta;
		assert_int_equal(mlsched_model_create(&net.desc, NULL, &model), 0);
		assert_int_equal(mls_shadow_quantize(model, NULL, &report, NULL, &fixed), 0);
		assert_int_equal(report.n_live_inputs, MLS_MIG15_INPUTS);
		/* The same integers as in the simulator, and on every machine. */
		assert_int_equal(mlsched_quantize(model, NULL, 0, NULL, NULL, NULL, &again), 0);
		assert_int_equal(mlsched_qmodel_checksum(fixed), mlsched_qmodel_checksum(again));
		for (int k = 0; k < TRIALS / 10; k++) {
			struct mls_move_facts m = any_facts(true);
			s32 features[MLS_MIG15_INPUTS];
			float row[MLS_MIG15_INPUTS], logit;
			int64_t integer;

			mls_mig15(&m, features);
			for (int i = 0; i < MLS_MIG15_INPUTS; i++)
				row[i] = (float)features[i] / 65536;
			assert_int_equal(mlsched_model_logit(model, row, 1, &logit), 0);
			mlsched_qmodel_logit(fixed, features, 1, &integer);
			same += (logit > mlsched_model_threshold(model)) ==
				(integer > mlsched_qmodel_threshold(fixed));
		}
		print_message("# %.2f %% of %d verdicts are those of float32\n",
			      100.0 * same / (TRIALS / 10), TRIALS / 10);
		assert_true(same > TRIALS / 10 * 0.98);
		mlsched_qmodel_free(again);
		mlsched_qmodel_free(fixed);
		mlsched_model_free(model);
		test_network_free(&net);
	}
}

/* ---- in the running kernel ----------------------------------------------------------- */

static void the_kernel_computes_the_same_bits(void **state)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	struct features_test_bpf *skel;
	struct features_test_rows *rows;
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size;

	(void)state;
	test_skip_without_bpf();
	libbpf_set_print(NULL);
	skel = features_test_bpf__open_and_load();
	assert_non_null(skel);
	size = (bpf_map__value_size(skel->maps.rows) + page - 1) / page * page;
	rows = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(skel->maps.rows),
		    0);
	assert_ptr_not_equal(rows, MAP_FAILED);
	for (int round = 0; round < 50; round++) {
		for (u32 r = 0; r < FEATURES_TEST_ROWS; r++)
			rows->facts[r] = any_facts(r % 2);
		assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(skel->progs.features_run),
							&opts),
				 0);
		assert_int_equal(opts.retval, FEATURES_TEST_ROWS);
		for (u32 r = 0; r < FEATURES_TEST_ROWS; r++) {
			s32 features[MLS_MIG15_INPUTS];

			mls_mig15(&rows->facts[r], features);
			assert_memory_equal(rows->features[r], features, sizeof(features));
			assert_int_equal(rows->log[r],
					 mls_log2((rows->facts[r].waited & ((1u << 30) - 1)) + 1));
		}
	}
	munmap(rows, size);
	features_test_bpf__destroy(skel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logarithms_are_within_their_bound_and_never_fall),
		cmocka_unit_test(times_are_what_libm_says_to_the_last_bit_or_two),
		cmocka_unit_test(minimum_and_difference_need_no_branch_and_are_right),
		cmocka_unit_test(inputs_are_within_the_ranges_of_the_schema),
		cmocka_unit_test(inputs_rise_with_what_they_measure_and_no_other_does),
		cmocka_unit_test(kinds_and_levels_are_flags),
		cmocka_unit_test(the_way_home_is_positive),
		cmocka_unit_test(the_rest_of_a_run_is_never_less_than_30_percent),
		cmocka_unit_test(
			an_owner_is_expected_after_its_sleep_and_not_if_it_is_long_overdue),
		cmocka_unit_test(sleeps_are_averaged_and_long_ones_count_as_one_second),
		cmocka_unit_test(home_is_where_most_of_the_time_was_spent),
		cmocka_unit_test(integers_of_a_model_decide_as_its_floats_do),
		cmocka_unit_test(the_kernel_computes_the_same_bits),
	};

	mls_random_seed(&random_state, test_seed(20261128), 0);
	return cmocka_run_group_tests_name("features", tests, NULL, NULL);
}
