// SPDX-License-Identifier: GPL-2.0
/*
 * The programs of bpf/qnet_bench.bpf.c, see in_kernel.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bench/in_kernel.h"
#include "bpf/qnet_bench.h"
#include "bpf/scheduler.h"
#include "core/load.h"
#include "core/qnet_packed.h"
#include "src/host/loader.h"
#include "src/host/scx.h"
#include "src/nn/qnet_pack.h"
#include "src/util/array.h"
#include "src/util/error.h"

#include "bpf/qnet_bench.skel.h"

#define LACKS_MAY_GOTO " (the scheduler's loops need a kernel from 6.9 on)"

/* In one sample: long beside the way into the kernel, short beside a time slice. */
#define TURNS 1500

struct bench_object {
	struct qnet_bench_bpf *skel;
	struct qnet_slot *slot;
	struct qnet_bench_rows *rows;
	int ret; /* of the first run that failed */
};

static const uint32_t zero;

/* Loads of CPUs that have been busy and idle in turn, some more, some less. */
static void set_loads(struct qnet_bench_bpf__bss *bss, const struct mls_topology *t,
		      const struct mls_load_decay *decay)
{
	for (uint32_t cpu = 0; cpu < t->n_cpus; cpu++) {
		enum mls_load_state state = cpu % 3 ? MLS_LOAD_BUSY : MLS_LOAD_IDLE;
		uint64_t now = bench_now_ns() - 100000000;

		for (uint32_t k = 0; k < 8; k++, now += 1000000 * (1 + (cpu + k) % 8))
			bss->cpus[cpu].load = mls_load_change(
				bss->cpus[cpu].load, MLS_LOAD_IDLE,
				k % 2 ? state : MLS_LOAD_IDLE + MLS_LOAD_BUSY - state, now, decay);
		if (state == MLS_LOAD_IDLE)
			bss->idle.word[cpu / 64] |= 1ull << cpu % 64;
	}
}

/* What mig15 wants to know besides, of those that run and of those that have left. */
static void set_history(struct qnet_bench_bpf__bss *bss, const struct mls_topology *t)
{
	uint64_t now = bench_now_ns();

	for (uint32_t cpu = 0; cpu < t->n_cpus; cpu++) {
		bss->cpus[cpu].began = now - 1000 * cpu;
		bss->cpus[cpu].burst = 5000000;
		bss->cpus[cpu].left = now - 3000 * cpu;
		bss->cpus[cpu].left_sleep = 2000000;
		bss->cpus[cpu].owner = cpu % 4;
	}
}

/* As the loader of the scheduler does. */
static void configure(struct qnet_bench_bpf *skel, const struct mls_topology *t)
{
	struct qnet_bench_bpf__rodata *rodata = skel->rodata;
	struct mls_load_decay decay = mls_load_decay_of(MLS_SCX_HALF_LIFE);
	uint32_t n = 0, largest = 1;

	for (uint32_t d = 0; d < t->n_domains; d++) {
		struct scheduler_domain *domain = (void *)&skel->bss->domains[d];

		domain->first = n;
		for (uint32_t cpu = 0; cpu < t->n_cpus; cpu++) {
			if (!t->cpus[cpu].possible || t->cpus[cpu].domain != d)
				continue;
			skel->bss->members[n++] = (uint16_t)cpu;
			skel->bss->cpus[cpu].domain = (uint16_t)d;
		}
		domain->n_cpus = n - domain->first;
		domain->share = domain->n_cpus ? (1u << 28) / domain->n_cpus : 0;
		largest = domain->n_cpus > largest ? domain->n_cpus : largest;
	}
	rodata->decay.per_unit = decay.per_unit;
	rodata->decay.longest = decay.longest;
	rodata->refresh_ns = mls_loader_refresh(largest, MLS_SCX_HALF_LIFE);
	rodata->n_cpus = t->n_cpus;
	rodata->n_words = (t->n_cpus + 63) / 64;
	rodata->n_online = t->n_online;
	set_loads(skel->bss, t, &decay);
	set_history(skel->bss, t);
}

static int load(struct bench_object *object, const struct mls_topology *topology)
{
	libbpf_print_fn_t print = libbpf_set_print(NULL);
	struct bpf_map *map;
	int ret;

	object->skel = qnet_bench_bpf__open();
	if (!object->skel) {
		ret = -errno;
		goto out;
	}
	/* The scheduler's maps that no program of this object uses. */
	bpf_object__for_each_map(map, object->skel->obj)
	{
		if (bpf_map__type(map) == BPF_MAP_TYPE_TASK_STORAGE)
			bpf_map__set_autocreate(map, false);
	}
	if (topology)
		configure(object->skel, topology);
	ret = qnet_bench_bpf__load(object->skel);
	object->skel->bss->n_turns = TURNS;
	object->skel->bss->seed = 88172645463325252ull;
out:
	libbpf_set_print(print);
	return ret;
}

int bench_object_load(const struct mls_topology *topology, struct mlsched_error *err,
		      struct bench_object **out)
{
	struct bench_object *object = calloc(1, sizeof(*object));
	int ret;

	if (!object)
		return mls_error(err, -ENOMEM, "no memory for rows");
	object->slot = calloc(1, sizeof(*object->slot));
	object->rows = calloc(1, sizeof(*object->rows));
	ret = object->slot && object->rows ? load(object, topology) : -ENOMEM;
	if (ret) {
		bench_object_close(object);
		return mls_error(err, ret, "cannot load the BPF program: %s%s", strerror(-ret),
				 ret == -EPERM              ? " (needs root)" :
				 !mls_loader_has_may_goto() ? LACKS_MAY_GOTO :
							      "");
	}
	*out = object;
	return 0;
}

static int run(const struct bpf_program *program)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	return bpf_prog_test_run_opts(bpf_program__fd(program), &opts);
}

/* Row @r: its inputs in the slot's order, its features; returns the logit. */
static int64_t put_row(struct bench_object *object, const struct qnet_model *net, uint32_t r,
		       const int32_t *features)
{
	const struct qnet_slot *slot = object->slot;
	s16 x[QNET_MAX_WIDTH];

	qnet_quantize_inputs(net, features, x);
	memcpy(object->rows->features[r], features, net->n_inputs * sizeof(*features));
	for (uint32_t k = 0; k < slot->n_inputs; k++) {
		bool dead = slot->inputs[k].lo == 0 && slot->inputs[k].hi == 0;

		object->rows->x[r][k] = dead ? 0 : x[slot->feature[k]];
	}
	return qnet_sums(net, x, NULL);
}

static int compare(const struct bench_object *object, const int64_t *expected, uint32_t *compared,
		   struct mlsched_error *err)
{
	const struct qnet_bench_rows *rows = object->rows;

	*compared = 0;
	for (uint32_t r = 0; r < QNET_BENCH_ROWS; r++) {
		if (rows->from_x[r] == expected[r] && rows->from_features[r] == expected[r]) {
			*compared += 2;
			continue;
		}
		return mls_error(err, -ERANGE,
				 "row %u: expected a logit of %lld, the kernel says %lld from its "
				 "inputs and %lld from its features",
				 r, (long long)expected[r], rows->from_x[r],
				 rows->from_features[r]);
	}
	return 0;
}

int bench_object_put(struct bench_object *object, const struct qnet_model *net, bool generic,
		     const int32_t *features, size_t n_rows, uint32_t *compared,
		     struct mlsched_error *err)
{
	const struct qnet_bench_bpf *skel = object->skel;
	size_t size = sizeof(*object->rows);
	int64_t *expected;
	int ret;

	if (net->n_inputs >= QNET_BENCH_INPUTS)
		return mls_error(err, -ENOTSUP, "expected at most %d inputs, got %u",
				 QNET_BENCH_INPUTS - 1, net->n_inputs);
	expected = malloc(QNET_BENCH_ROWS * sizeof(*expected));
	if (!expected)
		return mls_error(err, -ENOMEM, "no memory for logits");
	memset(object->rows, 0, size);
	ret = mls_qnet_pack(net, QNET_SLOT_WIDTH, generic, object->slot, err);
	if (ret)
		goto out;
	for (uint32_t r = 0; r < QNET_BENCH_ROWS; r++)
		expected[r] = put_row(object, net, r, features + r % n_rows * net->n_inputs);
	ret = bpf_map__update_elem(skel->maps.slots, &zero, sizeof(zero), object->slot,
				   sizeof(*object->slot), 0);
	if (!ret)
		ret = bpf_map__update_elem(skel->maps.vectors, &zero, sizeof(zero), object->rows,
					   size, 0);
	if (!ret)
		ret = run(skel->progs.qnet_bench_check);
	if (!ret)
		ret = bpf_map__lookup_elem(skel->maps.vectors, &zero, sizeof(zero), object->rows,
					   size, 0);
	ret = ret ? mls_error(err, ret, "computing in the kernel: %s", strerror(-ret)) :
		    compare(object, expected, compared, err);
out:
	free(expected);
	return ret;
}

/* A program of an object, and the same turns with nothing in them. */
struct timed {
	struct bench_object *object;
	const struct bpf_program *program;
};

static void run_timed(void *context, size_t n)
{
	const struct timed *timed = context;
	int ret;

	(void)n;
	ret = run(timed->program);
	if (ret && !timed->object->ret)
		timed->object->ret = ret;
}

int bench_object_measure(struct bench_object *object, enum bench_in_kernel what, bool dependent,
			 size_t samples, struct bench_net *net, struct mlsched_error *err)
{
	const struct qnet_bench_bpf *skel = object->skel;
	const struct {
		const struct bpf_program *program, *empty;
	} all[] = {
		[BENCH_NETWORK] = { skel->progs.qnet_bench_network,
				    skel->progs.qnet_bench_inputs_only },
		[BENCH_INFER] = { skel->progs.qnet_bench_infer,
				  skel->progs.qnet_bench_features_only },
		[BENCH_FEATURES] = { skel->progs.qnet_bench_fill,
				     skel->progs.qnet_bench_cpus_only },
		[BENCH_FEATURES_MIG15] = { skel->progs.qnet_bench_fill_15,
					   skel->progs.qnet_bench_cpus_only },
	};
	struct timed timed = { object, all[what].program }, empty = { object, all[what].empty };

	object->ret = 0;
	skel->bss->dependent = dependent;
	bench_measure_net(run_timed, &timed, &empty, TURNS, samples, net);
	if (object->ret)
		return mls_error(err, object->ret, "running in the kernel: %s",
				 strerror(-object->ret));
	return 0;
}

const struct bpf_object *bench_object_bpf(const struct bench_object *object)
{
	return object->skel->obj;
}

void bench_object_close(struct bench_object *object)
{
	if (!object)
		return;
	qnet_bench_bpf__destroy(object->skel);
	free(object->slot);
	free(object->rows);
	free(object);
}

void bench_topology_make(struct mls_topology *t, uint32_t n_cpus, uint32_t n_domains,
			 uint32_t n_nodes)
{
	memset(t, 0, sizeof(*t));
	t->n_cpus = t->n_online = t->n_cores = n_cpus;
	t->n_domains = t->n_caches = n_domains;
	t->n_nodes = n_nodes;
	t->cache_level = 3;
	t->domains_are = MLS_DOMAINS_CACHES;
	for (uint32_t cpu = 0; cpu < n_cpus; cpu++) {
		uint16_t domain = (uint16_t)(cpu * n_domains / n_cpus);

		t->cpus[cpu] = (struct mls_cpu){
			.possible = true,
			.online = true,
			.core = (uint16_t)cpu,
			.cache = domain,
			.domain = domain,
			.node = (uint16_t)(cpu * n_nodes / n_cpus),
		};
	}
}
