/* SPDX-License-Identifier: GPL-2.0 */
/* What the loaders of the recorder and of the scheduler share. */
#ifndef MLS_HOST_LOADER_H
#define MLS_HOST_LOADER_H

#include <stdbool.h>
#include <stdint.h>

#include <mlsched/error.h>

/** mls_loader_check_half_life() - 0, or -ERANGE when @half_life (ns) is none of core/load.h */
int mls_loader_check_half_life(uint64_t half_life, struct mlsched_error *err);

/**
 * mls_loader_refresh() - how old the load of a domain may become
 * @largest:   CPUs of the largest domain
 * @half_life: of the loads, in ns
 *
 * Return: ns; 0 where domains are small enough to be summed up each time.
 */
uint64_t mls_loader_refresh(uint32_t largest, uint64_t half_life);

/** mls_loader_has_may_goto() - whether the kernel loads that instruction (6.9; needs the right to load) */
bool mls_loader_has_may_goto(void);

/** mls_loader_last_line() - the last line of the verifier's log that says something; cuts @log */
const char *mls_loader_last_line(char *log);

#endif /* MLS_HOST_LOADER_H */
