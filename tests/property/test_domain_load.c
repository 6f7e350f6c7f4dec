// SPDX-License-Identifier: GPL-2.0
/*
 * bpf/scheduler_features.h: the load of a domain as the running kernel computes it is the mean
 * of its CPUs' loads by core/load.h, for domains of any size, at a bounded number of CPUs a time.
 */
#include <pthread.h>
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

/* @n_recounted: see bpf/scheduler_state.h */
static struct qnet_bench_bpf *open_object(uint32_t n_recounted)
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
	skel->rodata->n_recounted = n_recounted;
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
		struct qnet_bench_bpf *skel = open_object(N_CPUS);

		for (int trial = 0; trial < 4; trial++) {
			set_loads(skel, sizes[i]);
			compute(skel, (sizes[i] + SCHEDULER_LOADS - 1) / SCHEDULER_LOADS);
			expect_mean(skel, sizes[i]);
		}
		qnet_bench_bpf__destroy(skel);
	}
}

static void no_more_than_some_are_looked_at(void **state)
{
	struct qnet_bench_bpf *skel = open_object(N_CPUS);
	uint32_t counted = 0;

	(void)state;
	set_loads(skel, N_CPUS);
	compute(skel, 1);
	for (uint32_t cpu = 0; cpu < N_CPUS; cpu++)
		counted += skel->bss->cpus[cpu].counted != 0;
	/* A load may be zero, but hardly those of several. */
	assert_in_range(counted, 2 * SCHEDULER_LOADS - 4, 2 * SCHEDULER_LOADS);
	qnet_bench_bpf__destroy(skel);
}

static void run(const struct bpf_program *program)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(program), &opts), 0);
}

/* Two domains, one of them large: it is counted though nobody asks, and the other never is. */
static void timer_counts_large_domains(void **state)
{
	enum { SMALL = 24 };
	struct qnet_bench_bpf *skel = open_object(N_CPUS);
	int64_t sum = 0;

	(void)state;
	set_loads(skel, N_CPUS);
	skel->bss->domains[0].n_cpus = N_CPUS - SMALL;
	skel->bss->domains[1] =
		(struct scheduler_domain){ .first = N_CPUS - SMALL, .n_cpus = SMALL };
	for (uint32_t cpu = N_CPUS - SMALL; cpu < N_CPUS; cpu++)
		skel->bss->cpus[cpu].domain = 1;
	skel->bss->n_turns = N_CPUS / SCHEDULER_LOADS;
	run(skel->progs.qnet_bench_recount);
	for (uint32_t cpu = 0; cpu < N_CPUS; cpu++) {
		uint32_t load = mls_load_at(skel->bss->cpus[cpu].load, now_ns(), &none);

		assert_int_equal(skel->bss->cpus[cpu].counted, cpu < N_CPUS - SMALL ? load : 0);
		sum += skel->bss->cpus[cpu].counted;
	}
	assert_int_equal(skel->bss->domains[0].sum, sum);
	assert_int_equal(skel->bss->domains[1].sum, 0);
	assert_int_equal(skel->bss->next_member, 0);
	qnet_bench_bpf__destroy(skel);
}

static void no_large_domain_is_no_work(void **state)
{
	struct qnet_bench_bpf *skel = open_object(0);

	(void)state;
	set_loads(skel, SCHEDULER_LOADS);
	skel->bss->n_turns = N_CPUS / SCHEDULER_LOADS;
	run(skel->progs.qnet_bench_recount);
	for (uint32_t cpu = 0; cpu < N_CPUS; cpu++)
		assert_int_equal(skel->bss->cpus[cpu].counted, 0);
	qnet_bench_bpf__destroy(skel);
}

static void *compute_in_thread(void *skel)
{
	for (int i = 0; i < 50; i++) {
		run(((struct qnet_bench_bpf *)skel)->progs.qnet_bench_fill);
		run(((struct qnet_bench_bpf *)skel)->progs.qnet_bench_recount);
	}
	return NULL;
}

/* Several count at the same time while loads change: nothing is counted twice, or lost. */
static void several_count_at_once(void **state)
{
	struct qnet_bench_bpf *skel = open_object(N_CPUS);
	pthread_t threads[4];
	int64_t sum = 0;

	(void)state;
	set_loads(skel, N_CPUS);
	skel->bss->n_turns = 100;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, compute_in_thread, skel), 0);
	for (int i = 0; i < 100; i++)
		set_loads(skel, N_CPUS);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (uint32_t cpu = 0; cpu < N_CPUS; cpu++)
		sum += skel->bss->cpus[cpu].counted;
	assert_int_equal(skel->bss->domains[0].sum, sum);
	compute(skel, N_CPUS / SCHEDULER_LOADS);
	expect_mean(skel, N_CPUS);
	qnet_bench_bpf__destroy(skel);
}

/* Somebody has exchanged what a busy CPU counts for, and not yet added: no load is below none. */
static void half_done_sum_is_no_load(void **state)
{
	struct qnet_bench_bpf *skel = open_object(N_CPUS);

	(void)state;
	set_loads(skel, N_CPUS);
	skel->bss->domains[0].sum = -(1ll << 40);
	compute(skel, 1);
	assert_int_equal(skel->bss->domains[0].load, 0);
	qnet_bench_bpf__destroy(skel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(load_of_a_domain_is_the_mean_of_its_cpus),
		cmocka_unit_test(no_more_than_some_are_looked_at),
		cmocka_unit_test(timer_counts_large_domains),
		cmocka_unit_test(no_large_domain_is_no_work),
		cmocka_unit_test(several_count_at_once),
		cmocka_unit_test(half_done_sum_is_no_load),
	};

	mls_random_seed(&random_state, 20251130, 1);
	return cmocka_run_group_tests_name("domain load", tests, NULL, NULL);
}
