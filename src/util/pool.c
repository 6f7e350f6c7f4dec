// SPDX-License-Identifier: GPL-2.0
/*
 * Threads that wait for numbered jobs.  A single job never wakes anyone: with
 * a batch of one chunk all threads but the caller's sleep on.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "src/util/pool.h"

struct worker {
	struct mls_pool *pool;
	pthread_t thread;
	uint32_t index;
};

struct mls_pool {
	pthread_mutex_t lock;
	pthread_cond_t wake; /* there are jobs, or it is time to end */
	pthread_cond_t idle; /* the last job is done */
	mls_pool_job *job;
	void *context;
	uint32_t n_jobs;
	uint32_t next; /* first job that nobody has taken */
	uint32_t undone; /* jobs not finished */
	bool end;
	uint32_t n_workers;
	struct worker workers[];
};

/* Takes and does jobs until none is left.  Called and returns with the lock held. */
static void work(struct mls_pool *pool, uint32_t thread)
{
	while (pool->next < pool->n_jobs) {
		uint32_t number = pool->next++;
		mls_pool_job *job = pool->job;
		void *context = pool->context;

		pthread_mutex_unlock(&pool->lock);
		job(context, number, thread);
		pthread_mutex_lock(&pool->lock);
		if (--pool->undone == 0)
			pthread_cond_signal(&pool->idle);
	}
}

static void *worker_main(void *argument)
{
	struct worker *worker = argument;
	struct mls_pool *pool = worker->pool;

	pthread_mutex_lock(&pool->lock);
	while (!pool->end) {
		if (pool->next < pool->n_jobs)
			work(pool, worker->index);
		else
			pthread_cond_wait(&pool->wake, &pool->lock);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

int mls_pool_create(uint32_t n_threads, struct mls_pool **out)
{
	struct mls_pool *pool = calloc(1, sizeof(*pool) + n_threads * sizeof(pool->workers[0]));

	if (!pool)
		return -ENOMEM;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->wake, NULL);
	pthread_cond_init(&pool->idle, NULL);
	for (uint32_t i = 1; i < n_threads; i++) {
		struct worker *worker = &pool->workers[pool->n_workers];
		int ret;

		*worker = (struct worker){ .pool = pool, .index = i };
		ret = pthread_create(&worker->thread, NULL, worker_main, worker);
		if (ret) {
			mls_pool_free(pool);
			return -ret;
		}
		pool->n_workers++;
	}
	*out = pool;
	return 0;
}

void mls_pool_free(struct mls_pool *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->end = true;
	pthread_cond_broadcast(&pool->wake);
	pthread_mutex_unlock(&pool->lock);
	for (uint32_t i = 0; i < pool->n_workers; i++)
		pthread_join(pool->workers[i].thread, NULL);
	pthread_cond_destroy(&pool->idle);
	pthread_cond_destroy(&pool->wake);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

void mls_pool_run(struct mls_pool *pool, mls_pool_job *job, void *context, uint32_t n_jobs)
{
	if (n_jobs <= 1 || pool->n_workers == 0) {
		for (uint32_t i = 0; i < n_jobs; i++)
			job(context, i, 0);
		return;
	}
	pthread_mutex_lock(&pool->lock);
	pool->job = job;
	pool->context = context;
	pool->next = 0;
	pool->n_jobs = n_jobs;
	pool->undone = n_jobs;
	pthread_cond_broadcast(&pool->wake);
	work(pool, 0);
	while (pool->undone > 0)
		pthread_cond_wait(&pool->idle, &pool->lock);
	pthread_mutex_unlock(&pool->lock);
}
