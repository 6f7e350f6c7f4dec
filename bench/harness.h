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
#include <stdint.h>

/** typedef bench_fn - what is measured: @n operations on @context */
typedef void bench_fn(void *context, size_t n);

/**
 * struct bench_result - one measurement; times are of one operation
 * @samples: how many there were
 * @min:     fastest sample, ns
 * @median:  ns
 * @p90:     ns
 * @p99:     ns
 * @cycles:  median of the cycles
 * @ghz:     median of the clock
 */
struct bench_result {
	size_t samples;
	double min;
	double median;
	double p90;
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

/** bench_number_in() - behind a word at the beginning of a line, such as "VmHWM:", of a file of /proc; -1: not there */
long bench_number_in(const char *path, const char *word);

/** bench_sorted_median() - sorts @n numbers, at least one; returns the one in the middle */
double bench_sorted_median(double *x, size_t n);

/**
 * bench_summarise() - what samples that somebody else took come to
 * @ns:  [@n], of one operation each; sorted
 * @ghz: clock meanwhile, see bench_clock()
 */
void bench_summarise(double *ns, size_t n, double ghz, struct bench_result *result);

/** bench_clock() - of this processor now, GHz */
double bench_clock(void);

/**
 * struct bench_net - one measurement less what the loop around it costs; of one
 *                    operation
 * @samples:       how many counted
 * @cycles:        with the lowest but two of 61 samples, of fewer or more in
 *                 that proportion: where the host is shared, what is more than
 *                 that is the neighbours'
 * @median_cycles: with the medians
 * @loop_cycles:   what was subtracted from @cycles
 * @ghz:           median of the clock
 */
struct bench_net {
	size_t samples;
	double cycles;
	double median_cycles;
	double loop_cycles;
	double ghz;
};

/**
 * bench_measure_net() - time @fn on two contexts in turn
 * @context: what is measured
 * @empty:   the same loop without it
 * @n:       operations of one call, of both
 * @samples: 1 to 1001
 *
 * A sample whose clock is not the same before and after is taken again, within
 * limits; one whose clock is not that of the others does not count.
 */
void bench_measure_net(bench_fn *fn, void *context, void *empty, size_t n, size_t samples,
		       struct bench_net *net);

/** bench_now_ns() - CLOCK_MONOTONIC, which is bpf_ktime_get_ns() too */
uint64_t bench_now_ns(void);

#endif /* MLS_BENCH_HARNESS_H */
