// SPDX-License-Identifier: GPL-2.0
/*
 * The thread that writes a recording.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "src/data/recording_queue.h"
#include "src/util/clock.h"
#include "src/util/error.h"

#define COUNTERS       32
#define COUNTERS_EVERY 1000000000ull
/* Taken out of the queue under one lock. */
#define TAKEN 1024

/* A change of the model, at its place among the decisions. */
struct change {
	struct change *next;
	uint64_t before; /* decisions that were put before it */
	struct mls_recording_model model;
};

struct counter {
	const char *name;
	uint64_t value;
};

/**
 * struct mls_recording_queue
 * @lock:    protects what follows, down to @error
 * @head:    decisions that were put into @rows so far; @tail: taken out
 * @changes: in order; @last_change: the end of it
 */
struct mls_recording_queue {
	struct mls_recording *recording;
	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t more;
	bool closing;
	uint32_t size;
	uint64_t head;
	uint64_t tail;
	uint64_t dropped;
	uint64_t written;
	struct change *changes;
	struct change **last_change;
	struct counter counters[COUNTERS];
	struct mlsched_error error;
	/* The thread's own. */
	uint64_t counted;
	struct mls_recorded taken[TAKEN];
	struct mls_recorded rows[];
};

/* For rows, or so long that a transaction is closed in time. */
static void wait_for_more(struct mls_recording_queue *q)
{
	uint64_t until = mls_now_ns() + MLS_RECORDING_INTERVAL / 5;
	struct timespec ts = { (time_t)(until / 1000000000ull), (long)(until % 1000000000ull) };

	if (q->head == q->tail && !q->changes && !q->closing)
		pthread_cond_timedwait(&q->more, &q->lock, &ts);
}

/* A change that is due, or NULL; *n: the rows before the next one. */
static struct change *take(struct mls_recording_queue *q, uint32_t *n)
{
	uint64_t most = q->head - q->tail;
	struct change *change = q->changes;

	*n = 0;
	if (change && change->before <= q->tail) {
		q->changes = change->next;
		if (!q->changes)
			q->last_change = &q->changes;
		return change;
	}
	if (change && change->before - q->tail < most)
		most = change->before - q->tail;
	for (; *n < most && *n < TAKEN; (*n)++)
		q->taken[*n] = q->rows[(q->tail + *n) % q->size];
	q->tail += *n;
	return NULL;
}

static int write_counters(struct mls_recording_queue *q, uint64_t now, struct mlsched_error *err)
{
	struct counter counters[COUNTERS + 2];
	int ret = 0;

	pthread_mutex_lock(&q->lock);
	memcpy(counters, q->counters, sizeof(q->counters));
	counters[COUNTERS] = (struct counter){ "recording.written", q->written };
	counters[COUNTERS + 1] = (struct counter){ "recording.dropped", q->dropped };
	pthread_mutex_unlock(&q->lock);
	for (int i = 0; i < COUNTERS + 2 && !ret; i++) {
		if (counters[i].name)
			ret = mls_recording_counter(q->recording, now, counters[i].name,
						    counters[i].value, err);
	}
	q->counted = now;
	return ret;
}

/* Return: what writing returned; *done: rows that were taken by the file. */
static int write_some(struct mls_recording_queue *q, const struct change *change, uint32_t n,
		      uint32_t *done, struct mlsched_error *err)
{
	uint64_t now = mls_now_ns();
	int ret = change ? mls_recording_model(q->recording, &change->model, err) : 0;

	for (*done = 0; *done < n && !ret; (*done)++) {
		ret = mls_recording_add(q->recording, &q->taken[*done], now, err);
		if (ret)
			break;
	}
	now = mls_now_ns();
	if (!ret && now - q->counted >= COUNTERS_EVERY)
		ret = write_counters(q, now, err);
	return ret ? ret : mls_recording_tick(q->recording, now, err);
}

static void *serve(void *context)
{
	struct mls_recording_queue *q = context;
	bool ends = false;

	q->counted = mls_now_ns();
	while (!ends) {
		struct mlsched_error err = { 0 };
		struct change *change;
		uint32_t n, done;
		bool failed;

		pthread_mutex_lock(&q->lock);
		wait_for_more(q);
		change = take(q, &n);
		ends = q->closing && q->head == q->tail && !q->changes;
		failed = q->error.code != 0;
		pthread_mutex_unlock(&q->lock);
		done = 0;
		if (!failed)
			write_some(q, change, n, &done, &err);
		free(change);
		pthread_mutex_lock(&q->lock);
		q->written += done;
		q->dropped += n - done;
		if (err.code && !failed)
			q->error = err;
		pthread_mutex_unlock(&q->lock);
	}
	return NULL;
}

int mls_recording_queue_open(struct mls_recording *recording, uint32_t size,
			     struct mlsched_error *err, struct mls_recording_queue **queue)
{
	struct mls_recording_queue *q;
	pthread_condattr_t clock;

	size = size ? size : MLS_RECORDING_QUEUE;
	q = calloc(1, sizeof(*q) + size * sizeof(q->rows[0]));
	if (!q) {
		mls_recording_close(recording);
		return mls_error(err, -ENOMEM, "no memory for the recording's queue");
	}
	q->recording = recording;
	q->size = size;
	q->last_change = &q->changes;
	pthread_mutex_init(&q->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&q->more, &clock);
	pthread_condattr_destroy(&clock);
	*queue = q;
	return 0;
}

int mls_recording_queue_start(struct mls_recording_queue *q, struct mlsched_error *err)
{
	int ret = -pthread_create(&q->thread, NULL, serve, q);

	q->started = !ret;
	return ret ? mls_error(err, ret, "a thread for the recording: %s", strerror(-ret)) : 0;
}

void mls_recording_queue_put(struct mls_recording_queue *q, const struct mls_recorded *row)
{
	pthread_mutex_lock(&q->lock);
	if (q->head - q->tail == q->size) {
		q->dropped++;
	} else {
		q->rows[q->head++ % q->size] = *row;
		/* Who sleeps looks by itself every now and then: only a burst wakes it. */
		if (q->head - q->tail == TAKEN)
			pthread_cond_signal(&q->more);
	}
	pthread_mutex_unlock(&q->lock);
}

int mls_recording_queue_model(struct mls_recording_queue *q,
			      const struct mls_recording_model *model)
{
	struct change *change = calloc(1, sizeof(*change));

	if (!change)
		return -ENOMEM;
	change->model = *model;
	pthread_mutex_lock(&q->lock);
	change->before = q->head;
	*q->last_change = change;
	q->last_change = &change->next;
	pthread_cond_signal(&q->more);
	pthread_mutex_unlock(&q->lock);
	return 0;
}

void mls_recording_queue_counter(struct mls_recording_queue *q, const char *name, uint64_t value)
{
	pthread_mutex_lock(&q->lock);
	for (int i = 0; i < COUNTERS; i++) {
		if (q->counters[i].name && strcmp(q->counters[i].name, name) != 0)
			continue;
		q->counters[i] = (struct counter){ name, value };
		break;
	}
	pthread_mutex_unlock(&q->lock);
}

void mls_recording_queue_counts(struct mls_recording_queue *q, struct mls_recording_counts *counts)
{
	pthread_mutex_lock(&q->lock);
	*counts = (struct mls_recording_counts){ .dropped = q->dropped, .written = q->written };
	/* Those that found it full never got a place; others were dropped behind it. */
	counts->put = q->written + q->dropped + (q->head - q->tail);
	pthread_mutex_unlock(&q->lock);
}

int mls_recording_queue_failed(struct mls_recording_queue *q, struct mlsched_error *err)
{
	int ret;

	pthread_mutex_lock(&q->lock);
	ret = q->error.code;
	if (ret && err)
		*err = q->error;
	pthread_mutex_unlock(&q->lock);
	return ret;
}

int mls_recording_queue_close(struct mls_recording_queue *q, struct mls_recording_counts *counts,
			      struct mlsched_error *err)
{
	int ret;

	if (!q)
		return 0;
	pthread_mutex_lock(&q->lock);
	q->closing = true;
	pthread_cond_signal(&q->more);
	pthread_mutex_unlock(&q->lock);
	if (q->started)
		pthread_join(q->thread, NULL);
	ret = mls_recording_queue_failed(q, err);
	if (!ret && q->started)
		ret = write_counters(q, mls_now_ns(), err);
	if (!ret && q->started)
		ret = mls_recording_end(q->recording, mls_now_ns(), err);
	if (counts)
		mls_recording_queue_counts(q, counts);
	mls_recording_close(q->recording);
	while (q->changes) {
		struct change *next = q->changes->next;

		free(q->changes);
		q->changes = next;
	}
	pthread_cond_destroy(&q->more);
	pthread_mutex_destroy(&q->lock);
	free(q);
	return ret;
}
