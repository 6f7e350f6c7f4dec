// SPDX-License-Identifier: GPL-2.0
/*
 * Measuring, see harness.h.
 */
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/harness.h"

#define MAX_SAMPLES 1001
#define MIN_SAMPLES 31
#define SAMPLE_NS   30e3
#define TOTAL_NS    80e6
#define CHAIN       16384 /* additions, about 5 us */

uint64_t bench_now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static double now(void)
{
	return (double)bench_now_ns();
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

long bench_number_in(const char *path, const char *word)
{
	FILE *file = fopen(path, "r");
	char line[256];
	long number = -1;

	while (file && number < 0 && fgets(line, sizeof(line), file)) {
		if (strncmp(line, word, strlen(word)) == 0)
			number = strtol(line + strlen(word), NULL, 10);
	}
	if (file)
		fclose(file);
	return number;
}

double bench_sorted_median(double *x, size_t n)
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

/* One call of @fn between two looks at the clock. */
struct sample {
	double ns;
	double before; /* GHz */
	double after;
};

static struct sample take_sample(bench_fn *fn, void *context, size_t n)
{
	double a, b, c, d;

	a = now();
	chain_of_additions();
	b = now();
	fn(context, n);
	c = now();
	chain_of_additions();
	d = now();
	return (struct sample){ c - b, CHAIN / (b - a), CHAIN / (d - c) };
}

/* Nothing has come between, as far as the chains can tell. */
static bool is_steady(const struct sample *s)
{
	return s->before < 1.03 * s->after && s->after < 1.03 * s->before;
}

/* What interrupts a chain makes the clock look slow, never fast. */
static double fastest_clock(const struct sample *s)
{
	return s->before > s->after ? s->before : s->after;
}

/* Samples of one side of bench_measure_net(). */
struct side {
	size_t n;
	double cycles[MAX_SAMPLES];
	double ghz[MAX_SAMPLES];
};

static void add_sample(struct side *side, const struct sample *s, size_t n)
{
	side->ghz[side->n] = fastest_clock(s);
	side->cycles[side->n] = s->ns * side->ghz[side->n] / (double)n;
	side->n++;
}

/*
 * Sorts the cycles, without those of samples whose clock looked much slower
 * than usual: both chains may have been interrupted, and then the sample looks
 * short, which a low figure must not be made of.  Returns the usual clock.
 */
static double sort_samples(struct side *side)
{
	double sorted[MAX_SAMPLES], usual;
	size_t kept = 0;

	for (size_t i = 0; i < side->n; i++)
		sorted[i] = side->ghz[i];
	usual = bench_sorted_median(sorted, side->n);
	for (size_t i = 0; i < side->n; i++) {
		if (side->ghz[i] >= 0.97 * usual)
			side->cycles[kept++] = side->cycles[i];
	}
	side->n = kept;
	qsort(side->cycles, kept, sizeof(double), compare);
	return usual;
}

/* The lowest but two of 61, the lowest of 30. */
static double low(const struct side *side)
{
	return side->cycles[(side->n - 1) / 30];
}

void bench_measure_net(bench_fn *fn, void *context, void *empty, size_t n, size_t samples,
		       struct bench_net *result)
{
	struct side whole = { .n = 0 }, loop = { .n = 0 };
	size_t tries = 0;

	samples = samples < 1 ? 1 : samples > MAX_SAMPLES ? MAX_SAMPLES : samples;
	fn(context, n);
	fn(empty, n);
	while (whole.n < samples) {
		struct sample a = take_sample(fn, context, n), b = take_sample(fn, empty, n);

		/* On a machine that is never quiet the lowest must do. */
		if (!(is_steady(&a) && is_steady(&b)) && tries++ < 4 * samples)
			continue;
		add_sample(&whole, &a, n);
		add_sample(&loop, &b, n);
	}
	result->ghz = sort_samples(&whole);
	sort_samples(&loop);
	result->samples = whole.n;
	result->loop_cycles = low(&loop);
	result->cycles = low(&whole) - low(&loop);
	result->median_cycles = whole.cycles[whole.n / 2] - loop.cycles[loop.n / 2];
}

void bench_summarise(double *ns, size_t n, double ghz, struct bench_result *result)
{
	result->samples = n;
	result->median = bench_sorted_median(ns, n);
	result->min = ns[0];
	result->p90 = ns[n * 90 / 100];
	result->p99 = ns[n * 99 / 100];
	result->cycles = result->median * ghz;
	result->ghz = ghz;
}

double bench_clock(void)
{
	double ghz[MIN_SAMPLES];

	for (size_t i = 0; i < MIN_SAMPLES; i++) {
		double begin = now();

		chain_of_additions();
		ghz[i] = CHAIN / (now() - begin);
	}
	return bench_sorted_median(ghz, MIN_SAMPLES);
}

void bench_measure(bench_fn *fn, void *context, struct bench_result *result)
{
	double ns[MAX_SAMPLES], cycles[MAX_SAMPLES], ghz[MAX_SAMPLES];
	size_t n = calibrate(fn, context), samples = 0;
	double first = now();

	while (samples < MAX_SAMPLES && (samples < MIN_SAMPLES || now() - first < TOTAL_NS)) {
		struct sample s = take_sample(fn, context, n);

		ghz[samples] = 2 / (1 / s.before + 1 / s.after);
		ns[samples] = s.ns / (double)n;
		cycles[samples] = ns[samples] * ghz[samples];
		samples++;
	}
	bench_summarise(ns, samples, bench_sorted_median(ghz, samples), result);
	result->cycles = bench_sorted_median(cycles, samples);
}
