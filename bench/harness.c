// SPDX-License-Identifier: GPL-2.0
/*
 * Measuring, see harness.h.
 */
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "bench/harness.h"

#define MAX_SAMPLES 1001
#define MIN_SAMPLES 31
#define SAMPLE_NS   30e3
#define TOTAL_NS    80e6
#define CHAIN       16384 /* additions, about 5 us */

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/*
 * Two registers, because recent processors add a constant without spending a
 * cycle; a multiple of 8 by hand, so that the loop itself hides behind them.
 */
static void chain_of_additions(void)
{
	uint64_t sum = 1;

	for (int i = 0; i < CHAIN / 8; i++) {
#if defined(__x86_64__)
		__asm__ volatile("add %1, %0\n\tadd %1, %0\n\tadd %1, %0\n\tadd %1, %0\n\t"
				 "add %1, %0\n\tadd %1, %0\n\tadd %1, %0\n\tadd %1, %0"
				 : "+r"(sum)
				 : "r"((uint64_t)i));
#elif defined(__aarch64__)
		__asm__ volatile("add %0, %0, %1\n\tadd %0, %0, %1\n\tadd %0, %0, %1\n\t"
				 "add %0, %0, %1\n\tadd %0, %0, %1\n\tadd %0, %0, %1\n\t"
				 "add %0, %0, %1\n\tadd %0, %0, %1"
				 : "+r"(sum)
				 : "r"((uint64_t)i));
#else
		for (int k = 0; k < 8; k++) {
			sum += (uint64_t)i;
			__asm__ volatile("" : "+r"(sum));
		}
#endif
	}
}

int bench_pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0) {
		if (sched_getaffinity(0, sizeof(set), &set) != 0)
			return -errno;
		for (int i = 0; i < CPU_SETSIZE; i++)
			cpu = CPU_ISSET(i, &set) ? i : cpu;
	}
	if (cpu >= CPU_SETSIZE)
		return -EINVAL;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) == 0 ? cpu : -errno;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double sorted_median(double *x, size_t n)
{
	qsort(x, n, sizeof(*x), compare);
	return x[n / 2];
}

/* Operations in a sample; measuring how many also warms up. */
static size_t calibrate(bench_fn *fn, void *context)
{
	size_t n = 1;

	for (;;) {
		double begin = now(), took;

		fn(context, n);
		took = now() - begin;
		if (took >= SAMPLE_NS || n >= (size_t)1 << 40)
			return n;
		n = took < SAMPLE_NS / 16 ? n * 8 : n + n / 2 + 1;
	}
}

void bench_measure(bench_fn *fn, void *context, struct bench_result *result)
{
	double ns[MAX_SAMPLES], cycles[MAX_SAMPLES], ghz[MAX_SAMPLES];
	size_t n = calibrate(fn, context), samples = 0;
	double first = now();

	while (samples < MAX_SAMPLES && (samples < MIN_SAMPLES || now() - first < TOTAL_NS)) {
		double a, b, c, d;

		a = now();
		chain_of_additions();
		b = now();
		fn(context, n);
		c = now();
		chain_of_additions();
		d = now();
		ghz[samples] = 2 * CHAIN / (b - a + d - c);
		ns[samples] = (c - b) / (double)n;
		cycles[samples] = ns[samples] * ghz[samples];
		samples++;
	}
	result->samples = samples;
	result->median = sorted_median(ns, samples);
	result->min = ns[0];
	result->p99 = ns[samples * 99 / 100];
	result->cycles = sorted_median(cycles, samples);
	result->ghz = sorted_median(ghz, samples);
}
