// SPDX-License-Identifier: GPL-2.0
/*
 * For tests and benchmarks: computes the packed network of a map for many rows
 * of features, so that its logits can be compared with those of user space.
 *
 * Run by bpf_prog_test_run_opts(); nothing is attached to anything.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/qnet_test.h"
#include "core/qnet_bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct qnet_slot);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct qnet_test_rows);
} rows SEC(".maps");

/* Rows to compute, beginning again behind the last one: more than there are for benchmarks. */
u32 n_rows = QNET_TEST_ROWS;

static long one_row(u32 r, void *context)
{
	struct qnet_scratch *s = qnet_scratch();
	u32 zero = 0, n;
	struct qnet_slot *slot = bpf_map_lookup_elem(&slots, &zero);
	struct qnet_test_rows *t = bpf_map_lookup_elem(&rows, &zero);

	if (!s || !slot || !t)
		return 1;
	r %= QNET_TEST_ROWS;
	n = t->n_features;
	for (u32 i = 0; i < QNET_MAX_WIDTH && i < n; i++)
		s->features[i] = t->features[r][i];
	t->logits[r] = qnet_infer(slot, s);
	return 0;
}

SEC("syscall")
int qnet_run(void *context)
{
	return (int)bpf_loop(n_rows, one_row, NULL, 0);
}

char LICENSE[] SEC("license") = "GPL";
