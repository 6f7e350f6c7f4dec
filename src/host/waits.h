/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How long threads wait for a CPU, as the kernel itself counts it: of all of them, not only of
 * those that were moved.
 */
#ifndef MLS_HOST_WAITS_H
#define MLS_HOST_WAITS_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct mls_waits - since the source was opened
 * @has_some: the kernel has pressure stall information (CONFIG_PSI, not switched off by psi=0)
 * @some:     ns in which one thread or more waited ("some" of /proc/pressure/cpu)
 * @has_turns: it has /proc/schedstat (CONFIG_SCHEDSTATS)
 * @turns:    of threads that got a CPU, and
 * @waited:   ns that they had waited for it, together; of CPUs that are online at the end
 */
struct mls_waits {
	bool has_some;
	uint64_t some;
	bool has_turns;
	uint64_t turns;
	uint64_t waited;
};

struct mls_waits_source;

/**
 * mls_waits_open() - open what there is of it
 * @proc: "/proc"
 *
 * Return: NULL without memory.
 */
struct mls_waits_source *mls_waits_open(const char *proc);

/** mls_waits_read() - now; nothing is opened, so that a sandbox may have been entered */
void mls_waits_read(struct mls_waits_source *source, struct mls_waits *waits);

/** mls_waits_close() - NULL is allowed */
void mls_waits_close(struct mls_waits_source *source);

#endif /* MLS_HOST_WAITS_H */
