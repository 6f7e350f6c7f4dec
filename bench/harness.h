/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Measuring code that takes nanoseconds on a machine that is not quiet.
 *
 * A sample is a number of operations long enough for the clock to resolve;
 * there are many of them, and what counts is the median.  The frequency of the
 * processor changes under way, so each sample is put between two runs of a
 * chain of additions, each of which needs exactly one cycle: that makes cycles
 * of nanoseconds without hardware counters.
 */
#ifndef MLS_BENCH_HARNESS_H
#define MLS_BENCH_HARNESS_H

#include <stddef.h>

/** typedef bench_fn - what is measured: @n operations on @context */
typedef void bench_fn(void *context, size_t n);

/**
 * struct bench_result - one measurement; times are of one operation
 * @samples: how many there were
 * @min:     fastest sample, ns
 * @median:  ns
 * @p99:     ns
 * @cycles:  median of the cycles
 * @ghz:     median of the clock
 */
struct bench_result {
	size_t samples;
	double min;
	double median;
	double p99;
	double cycles;
	double ghz;
};

/**
 * bench_pin() - stay on one CPU
 * @cpu: its number, or -1 for the last one that this process may use
 *
 * Return: the CPU, or -errno.
 */
int bench_pin(int cpu);

/**
 * bench_measure() - warm up, then time @fn again and again
 * @fn:      does operations; their results must not be optimised away
 * @context: handed on
 *
 * Takes about a tenth of a second, more when a single operation is longer than
 * a millisecond.
 */
void bench_measure(bench_fn *fn, void *context, struct bench_result *result);

#endif /* MLS_BENCH_HARNESS_H */
