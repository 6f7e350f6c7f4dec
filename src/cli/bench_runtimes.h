/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Options by which the benchmarks are told what runtimes of others to measure,
 * and where these are.
 */
#ifndef MLS_CLI_BENCH_RUNTIMES_H
#define MLS_CLI_BENCH_RUNTIMES_H

#include <argp.h>
#include <stdbool.h>

#include "bench/runtime.h"

/**
 * struct bench_choice - filled in by bench_runtimes_argp
 * @named:  --engine was given
 * @wanted: one for each of bench_runtimes[]
 * @from:   the file that was named, or NULL
 */
struct bench_choice {
	bool named;
	bool wanted[BENCH_RUNTIMES];
	const char *from[BENCH_RUNTIMES];
};

/* A child parser for --engine and the options of the runtimes; its input is a struct bench_choice. */
extern const struct argp bench_runtimes_argp;

/** bench_choice_all() - every runtime is wanted */
void bench_choice_all(struct bench_choice *choice);

/** bench_choice_has() - is the runtime of this type wanted? */
bool bench_choice_has(const struct bench_choice *choice, const struct bench_runtime_type *type);

/** bench_choice_from() - its file, or NULL */
const char *bench_choice_from(const struct bench_choice *choice,
			      const struct bench_runtime_type *type);

#endif /* MLS_CLI_BENCH_RUNTIMES_H */
