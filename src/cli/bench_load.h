/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The second table of mlsched bench load: what it takes to have a model ready in
 * each runtime.
 */
#ifndef MLS_CLI_BENCH_LOAD_H
#define MLS_CLI_BENCH_LOAD_H

#include "src/cli/bench_runtimes.h"
#include "src/cli/cli.h"

/* Ours: in float32, in fixed point, and as a BPF program in the running kernel. */
#define BENCH_LOAD_OURS 3
extern const struct bench_runtime_type bench_load_ours[BENCH_LOAD_OURS];

/* "VmHWM" of a running process in KiB, -1 when it cannot be read. */
long bench_peak_of(pid_t pid);

/**
 * bench_load_runtimes() - measure ours and those that are chosen, each in a process of its own
 * @paths:   [@n_paths] models; none: the networks of random weights that bench inference has
 * @n_loads: how often it is loaded again, or fewer times within two seconds
 *
 * Return: an exit status.
 */
int bench_load_runtimes(const struct cli_common *common, const struct bench_choice *choice,
			const char *const *paths, size_t n_paths, uint32_t n_loads);

#endif /* MLS_CLI_BENCH_LOAD_H */
