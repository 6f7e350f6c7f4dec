// SPDX-License-Identifier: GPL-2.0
/*
 * bpf/scheduler_features.h: the load of a domain as the running kernel computes it is the mean
 * of its CPUs' loads by core/load.h, for domains of any size, at a bounded number of CPUs a time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>

#include "bpf/scheduler.h"
#include "core/load.h"
#include "core/qnet_packed.h"
#include "src/util/array.h"
#include "src/util/random.h"
#include "tests/lib/bpf.h"

/* Last: it wants their types. */
#include "bpf/qnet_bench.skel.h"

#define AT_ONCE   64 /* as there */
#define TOLERANCE 2 /* of 65536: the share of a CPU is rounded, and so is each load */
#define N_CPUS    1024

static struct mls_random random_state;

/* None: nothing changes while we look, however long that takes. */
static const struct mls_load_decay none = { 0, ~0ull };

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static struct qnet_bench_bpf *open_object(void)
{
	struct qnet_bench_bpf *skel;
	struct bpf_map *map;

	test_skip_without_bpf();
	libbpf_set_print(NULL);
	skel = qnet_bench_bpf__open();
	assert_non_null(skel);
	bpf_object__for_each_map(map, skel->obj)
	{
		if (bpf_map__type(map) == BPF_MAP_TYPE_TASK_STORAGE)
			bpf_map__set_autocreate(map, false);
	}
	skel->rodata->decay.per_unit = none.per_unit;
	skel->rodata->decay.longest = none.longest;
	skel->rodata->n_cpus = N_CPUS;
	skel->rodata->n_words = N_CPUS / 64;
	skel->rodata->n_online = N_CPUS;
	assert_int_equal(qnet_bench_bpf__load(skel), 0);
	skel->bss->seed = 88172645463325252ull;
	return skel;
}

/* All CPUs are of one domain, which has @n of them that count; their loads are whatever. */
static void set_loads(struct qnet_bench_bpf *skel, uint32_t n)
{
	for (uint32_t cpu = 0; cpu < N_CPUS; cpu++) {
		bool busy = mls_random_below(&random_state, 2);
		u32 load = (u32)mls_random_below(&random_state, MLS_LOAD_ONE + 1);

		skel->bss->members[cpu] = (uint16_t)cpu;
		skel->bss->cpus[cpu].domain = 0;
		skel->bss->cpus[cpu].load =
			mls_load_word(busy ? MLS_LOAD_BUSY : MLS_LOAD_IDLE, now_ns(), load);
	}
	skel->bss->domains[0].first = 0;
	skel->bss->domains[0].n_cpus = n;
	skel->bss->domains[0].share = (1u << 28) / n;
}

/* Twice as often is the load of a domain computed: for either end of a move. */
static void compute(struct qnet_bench_bpf *skel, uint32_t turns)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	skel->bss->n_turns = turns;
	assert_int_equal(
		bpf_prog_test_run_opts(bpf_program__fd(skel->progs.qnet_bench_fill), &opts), 0);
	assert_int_equal(opts.retval, turns);
}

static void expect_mean(const struct qnet_bench_bpf *skel, uint32_t n)
{
	uint64_t sum = 0, now = now_ns();
	int64_t mean;

	for (uint32_t cpu = 0; cpu < n; cpu++)
		sum += mls_load_at(skel->bss->cpus[cpu].load, now, &none);
	mean = mls_load_q16((u32)(sum / n));
	assert_in_range(skel->bss->domains[0].load + TOLERANCE, mean, mean + 2 * TOLERANCE);
}

static void load_of_a_domain_is_the_mean_of_its_cpus(void **state)
{
	static const uint32_t sizes[] = { 1, 2, 16, 63, 64, 65, 200, 1000, N_CPUS };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct qnet_bench_bpf *skel = open_object();

		for (int trial = 0; trial < 4; trial++) {
			set_loads(skel, sizes[i]);
			compute(skel, (sizes[i] + AT_ONCE - 1) / AT_ONCE);
			expect_mean(skel, sizes[i]);
		}
		qnet_bench_bpf__destroy(skel);
	}
}

static void no_more_than_some_are_looked_at(void **state)
{
	struct qnet_bench_bpf *skel = open_object();
	uint32_t counted = 0;

	(void)state;
	set_loads(skel, N_CPUS);
	compute(skel, 1);
	for (uint32_t cpu = 0; cpu < N_CPUS; cpu++)
		counted += skel->bss->cpus[cpu].counted != 0;
	/* A load may be zero, but hardly those of several. */
	assert_in_range(counted, 2 * AT_ONCE - 4, 2 * AT_ONCE);
	qnet_bench_bpf__destroy(skel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(load_of_a_domain_is_the_mean_of_its_cpus),
		cmocka_unit_test(no_more_than_some_are_looked_at),
	};

	mls_random_seed(&random_state, 20251130, 1);
	return cmocka_run_group_tests_name("domain load", tests, NULL, NULL);
}
