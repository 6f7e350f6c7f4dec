/* SPDX-License-Identifier: GPL-2.0 */
/* A few threads that share numbered jobs.  Which thread does which job must not matter. */
#ifndef MLS_UTIL_POOL_H
#define MLS_UTIL_POOL_H

#include <stdint.h>

struct mls_pool;

typedef void mls_pool_job(void *context, uint32_t job, uint32_t thread);

/**
 * mls_pool_create() - start n_threads - 1 threads; the caller is the last one
 *
 * Return: 0, -ENOMEM or -EAGAIN.
 */
int mls_pool_create(uint32_t n_threads, struct mls_pool **pool);

/** mls_pool_free() - end the threads; NULL is allowed */
void mls_pool_free(struct mls_pool *pool);

/**
 * mls_pool_run() - do jobs 0 to @n_jobs - 1, return when all are done
 * @job: gets the number of the job and that of the thread, 0 to n_threads - 1
 */
void mls_pool_run(struct mls_pool *pool, mls_pool_job *job, void *context, uint32_t n_jobs);

#endif /* MLS_UTIL_POOL_H */
