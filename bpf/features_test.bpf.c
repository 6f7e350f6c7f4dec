// SPDX-License-Identifier: GPL-2.0
/*
 * For tests: computes the inputs of schema mig15 for many moves, so that they
 * can be compared with those of user space.
 *
 * Run by bpf_prog_test_run_opts(); nothing is attached to anything.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/features_test.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct features_test_rows);
} rows SEC(".maps");

static long one_row(u32 r, void *context)
{
	u32 zero = 0;
	struct features_test_rows *t = bpf_map_lookup_elem(&rows, &zero);

	if (!t)
		return 1;
	r &= FEATURES_TEST_ROWS - 1;
	mls_mig15(&t->facts[r], t->features[r]);
	t->log[r] = mls_log2((t->facts[r].waited & ((1u << 30) - 1)) + 1);
	return 0;
}

SEC("syscall")
int features_run(void *context)
{
	return (int)bpf_loop(FEATURES_TEST_ROWS, one_row, NULL, 0);
}

char LICENSE[] SEC("license") = "GPL";
