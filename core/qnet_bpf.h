/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The packed network for a BPF program: include it behind bpf_helpers.h, fill
 * qnet_scratch()->features, call qnet_infer(slot, scratch).
 *
 * The scratch is one for each CPU: a program that another one of the same
 * object may interrupt on the same CPU needs a map of its own.  Under the
 * locks of the scheduler interrupts are off, and nothing interrupts it.
 */
#ifndef MLS_CORE_QNET_BPF_H
#define MLS_CORE_QNET_BPF_H

#include "core/qnet_packed.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct qnet_scratch);
} qnet_scratches SEC(".maps");

static __always_inline struct qnet_scratch *qnet_scratch(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&qnet_scratches, &zero);
}

#endif /* MLS_CORE_QNET_BPF_H */
