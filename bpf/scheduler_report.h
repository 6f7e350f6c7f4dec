/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the loader asks for now and then: how long each CPU's queue is.  Nobody
 * keeps that up to date in the hot paths only to have it shown.  Part of
 * bpf/scheduler.bpf.c.
 */
#ifndef MLS_BPF_SCHEDULER_REPORT_H
#define MLS_BPF_SCHEDULER_REPORT_H

#include "bpf/scheduler_state.h"

SEC("syscall")
int mlsched_report(void *context)
{
	u32 cpu;

	bpf_for(cpu, 0, n_cpus) {
		cpu_at(cpu)->reported = scx_bpf_dsq_nr_queued(cpu);
	}
	return 0;
}

#endif /* MLS_BPF_SCHEDULER_REPORT_H */
