/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How many multiply-adds a processor can do: measured, not looked up.
 */
#ifndef MLS_BENCH_PEAK_H
#define MLS_BENCH_PEAK_H

#include <mlsched/model.h>

#include "bench/harness.h"

/**
 * struct bench_peak - the multiply-add throughput of one instruction set
 * @isa:       whose; the scalar one is what the compiler may use everywhere
 * @name:      "avx512", ...
 * @lanes:     floats in a register
 * @method:    how it is measured, for a person
 * @registers: loop of independent multiply-adds on registers; an operation is
 *             BENCH_PEAK_STEPS of them
 * @memory:    the same, each with one operand from 16 KiB of L1 cache
 * @per_cycle: multiply-adds a cycle from registers, filled in by
 *             bench_peak_measure()
 * @fed_per_cycle: the same with operands from the cache
 */
struct bench_peak {
	enum mlsched_isa isa;
	const char *name;
	unsigned int lanes;
	const char *method;
	bench_fn *registers;
	bench_fn *memory;
	double per_cycle;
	double fed_per_cycle;
};

/* Multiply-adds in an operation of the loops. */
#define BENCH_PEAK_STEPS 12

/* In context: what the memory loop reads, 64-byte aligned. */
#define BENCH_PEAK_BYTES 16384

extern const struct bench_peak bench_peak_scalar;
extern const struct bench_peak bench_peak_avx2;
extern const struct bench_peak bench_peak_avx512;
extern const struct bench_peak bench_peak_neon;

/**
 * bench_peak_measure() - measure both loops
 * @peak: a copy of one of the above; the processor must have its instructions
 *
 * Return: 0 or -ENOMEM.
 */
int bench_peak_measure(struct bench_peak *peak);

#endif /* MLS_BENCH_PEAK_H */
