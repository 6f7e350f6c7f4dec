// SPDX-License-Identifier: GPL-2.0
/*
 * The packed network in the hands of a benchmark.  In the kernel it runs as a
 * program of its own (bpf/qnet_test.bpf.c), many rows to a call, so that the
 * call is not what is measured.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bench/fixed.h"
#include "bench/harness.h"
#include "bpf/qnet_test.h"
#include "bpf/qnet_test.skel.h"
#include "core/qnet_packed.h"
#include "src/nn/qnet.h"
#include "src/nn/qnet_pack.h"
#include "src/util/error.h"

struct bench_packed {
	uint32_t n_inputs;
	struct qnet_slot slot;
};

int bench_packed_open(const struct mlsched_qmodel *q, struct mlsched_error *err,
		      struct bench_packed **out)
{
	struct bench_packed *packed = aligned_alloc(64, (sizeof(*packed) + 63) / 64 * 64);
	int ret;

	if (!packed)
		return mls_error(err, -ENOMEM, "no memory for a slot");
	packed->n_inputs = mlsched_qmodel_inputs(q);
	ret = mls_qnet_pack(mls_qmodel_net(q), QNET_SLOT_WIDTH, false, &packed->slot, err);
	if (ret)
		free(packed);
	else
		*out = packed;
	return ret;
}

void bench_packed_predict(const struct bench_packed *packed, const int32_t *features, size_t n_rows,
			  int64_t *logits)
{
	struct qnet_scratch s;

	for (size_t r = 0; r < n_rows; r++, features += packed->n_inputs) {
		memcpy(s.features, features, packed->n_inputs * sizeof(*features));
		logits[r] = qnet_infer(&packed->slot, &s);
	}
}

void bench_packed_close(struct bench_packed *packed)
{
	free(packed);
}

struct bench_kernel {
	struct qnet_test_bpf *skel;
	struct qnet_test_rows rows;
};

static const uint32_t zero;

static int load(struct bench_kernel *kernel, const struct mlsched_qmodel *q,
		struct mlsched_error *err)
{
	libbpf_print_fn_t print = libbpf_set_print(NULL);
	struct bench_packed *packed = NULL;
	int ret = bench_packed_open(q, err, &packed);

	if (ret)
		return ret;
	kernel->skel = qnet_test_bpf__open_and_load();
	ret = kernel->skel ? 0 : -errno;
	libbpf_set_print(print);
	if (!ret)
		ret = bpf_map__update_elem(kernel->skel->maps.slots, &zero, sizeof(zero),
					   &packed->slot, sizeof(packed->slot), 0);
	bench_packed_close(packed);
	if (ret)
		mls_error(err, ret, "cannot load the BPF program: %s%s", strerror(-ret),
			  ret == -EPERM ? " (needs root)" : "");
	return ret;
}

int bench_kernel_open(const struct mlsched_qmodel *q, struct mlsched_error *err,
		      struct bench_kernel **out)
{
	struct bench_kernel *kernel = calloc(1, sizeof(*kernel));
	int ret;

	if (!kernel)
		return mls_error(err, -ENOMEM, "no memory for rows");
	kernel->rows.n_features = mlsched_qmodel_inputs(q);
	ret = load(kernel, q, err);
	if (ret)
		bench_kernel_close(kernel);
	else
		*out = kernel;
	return ret;
}

static int run(struct bench_kernel *kernel, uint32_t n_rows)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	kernel->skel->data->n_rows = n_rows;
	return bpf_prog_test_run_opts(bpf_program__fd(kernel->skel->progs.qnet_run), &opts);
}

int bench_kernel_predict(struct bench_kernel *kernel, const int32_t *features, size_t n_rows,
			 int64_t *logits)
{
	struct qnet_test_rows *rows = &kernel->rows;
	struct bpf_map *map = kernel->skel->maps.rows;

	for (size_t done = 0; done < n_rows; done += QNET_TEST_ROWS) {
		uint32_t n =
			(uint32_t)(n_rows - done < QNET_TEST_ROWS ? n_rows - done : QNET_TEST_ROWS);
		int ret;

		for (uint32_t r = 0; r < n; r++, features += rows->n_features)
			memcpy(rows->features[r], features, rows->n_features * sizeof(*features));
		ret = bpf_map__update_elem(map, &zero, sizeof(zero), rows, sizeof(*rows), 0);
		if (!ret)
			ret = run(kernel, n);
		if (!ret)
			ret = bpf_map__lookup_elem(map, &zero, sizeof(zero), rows, sizeof(*rows),
						   0);
		if (ret)
			return ret;
		for (uint32_t r = 0; r < n; r++)
			logits[done + r] = rows->logits[r];
	}
	return 0;
}

void bench_kernel_repeat(struct bench_kernel *kernel, size_t n_rows)
{
	run(kernel, (uint32_t)n_rows);
}

long bench_kernel_bytes(const struct bench_kernel *kernel)
{
	struct bpf_prog_info info = { 0 };
	u32 size = sizeof(info);
	char path[64];
	long map;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", bpf_map__fd(kernel->skel->maps.slots));
	map = bench_number_in(path, "memlock:");
	if (map < 0 || bpf_prog_get_info_by_fd(bpf_program__fd(kernel->skel->progs.qnet_run), &info,
					       &size) != 0)
		return -1;
	return map + (long)info.jited_prog_len;
}

void bench_kernel_close(struct bench_kernel *kernel)
{
	if (!kernel)
		return;
	qnet_test_bpf__destroy(kernel->skel);
	free(kernel);
}
