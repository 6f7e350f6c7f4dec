/* SPDX-License-Identifier: GPL-2.0 */
/* The time that only goes forward: what durations and deadlines are measured by. */
#ifndef MLS_UTIL_CLOCK_H
#define MLS_UTIL_CLOCK_H

#include <stdint.h>
#include <time.h>

/** mls_now_ns() - CLOCK_MONOTONIC, the clock of bpf_ktime_get_ns(), in ns */
static inline uint64_t mls_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

/** mls_now_s() - the same in seconds */
static inline double mls_now_s(void)
{
	return (double)mls_now_ns() / 1e9;
}

#endif /* MLS_UTIL_CLOCK_H */
