// SPDX-License-Identifier: GPL-2.0
/*
 * The thread that answers the scheduler's questions.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "src/host/prepare.h"
#include "src/host/requests.h"
#include "src/util/clock.h"
#include "src/util/error.h"

enum event { EVENT_END, EVENT_REQUESTS };

/**
 * struct mls_requests - the thread, and what it works on
 * @lock:    held while a batch is answered; protects all below
 * @slots:   engines, held; NULL: nothing is there
 * @active:  index of the one whose verdicts are handed out
 * @candidate: of the one that is asked besides, or MLS_REQUESTS_NO_SLOT
 * @ring:    of the scheduler that is loaded, or NULL
 * @batch:   questions taken out of @ring
 */
struct mls_requests {
	uint32_t width;
	uint64_t age;
	pthread_t thread;
	bool started;
	int epoll;
	int end;
	pthread_mutex_t lock;
	struct mls_engine *slots[SCHEDULER_SLOTS];
	int active;
	int candidate;
	struct ring_buffer *ring;
	uint64_t *answers;
	struct mls_requests_counts counts;
	size_t n;
	struct scheduler_request batch[MLS_REQUESTS_BATCH];
};

static void fill_row(const struct scheduler_request *request, float *row, uint32_t width)
{
	for (uint32_t i = 0; i < width; i++)
		row[i] = (float)request->features[i] / 65536;
}

/* A candidate that fails says nothing: it is judged by too few decisions, and refused. */
static void try_candidate(struct mls_engine *candidate, const float *rows, size_t n,
			  const struct mlsched_verdict *active, struct mls_requests_counts *counts)
{
	struct mlsched_verdict verdicts[MLS_REQUESTS_BATCH];

	if (mls_engine_decide(candidate, rows, n, verdicts, &counts->error) != 0)
		return;
	counts->trial += n;
	for (size_t i = 0; i < n; i++) {
		counts->trial_migrates += verdicts[i].migrate;
		counts->trial_same += verdicts[i].migrate == active[i].migrate;
	}
}

size_t mls_requests_answer(struct mls_engine *engine, struct mls_engine *candidate, uint64_t age,
			   struct scheduler_request *batch, size_t n, uint64_t now,
			   uint64_t *answers, struct mls_requests_counts *counts)
{
	struct mlsched_verdict verdicts[MLS_REQUESTS_BATCH];
	float rows[MLS_REQUESTS_BATCH * SCHEDULER_FEATURES];
	uint32_t width = mlsched_model_inputs(engine->model);
	size_t fresh = 0;

	counts->received += n;
	for (size_t i = 0; i < n; i++) {
		if (mls_verdict_is_fresh(batch[i].time, now, age)) {
			fill_row(&batch[i], rows + fresh * width, width);
			batch[fresh++] = batch[i];
		}
	}
	counts->stale += n - fresh;
	if (!fresh)
		return 0;
	counts->batches++;
	if (mls_engine_decide(engine, rows, fresh, verdicts, &counts->error) != 0) {
		counts->failed += fresh;
		return 0;
	}
	for (size_t i = 0; i < fresh; i++)
		__atomic_store_n(&answers[mls_verdict_slot(batch[i].id)],
				 mls_verdict_answer(batch[i].id, verdicts[i].migrate),
				 __ATOMIC_RELEASE);
	counts->answered += fresh;
	/* When what is waited for is there. */
	if (candidate)
		try_candidate(candidate, rows, fresh, verdicts, counts);
	return fresh;
}

/* One record of the ring buffer; its place there is free again when this returns. */
static int take(void *context, void *data, size_t size)
{
	struct mls_requests *r = context;

	if (size >= sizeof(r->batch[0]) && r->n < MLS_REQUESTS_BATCH)
		memcpy(&r->batch[r->n++], data, sizeof(r->batch[0]));
	return 0;
}

static struct mls_engine *engine_of(const struct mls_requests *r, int index)
{
	return index < 0 ? NULL : r->slots[index];
}

static size_t answer_batch(struct mls_requests *r, struct scheduler_request *batch, size_t n)
{
	uint64_t before = mls_now_ns(), now;

	n = mls_requests_answer(r->slots[r->active], engine_of(r, r->candidate), r->age, batch, n,
				before, r->answers, &r->counts);
	if (!n)
		return 0;
	now = mls_now_ns();
	mls_times_add(&r->counts.compute, now - before);
	for (size_t i = 0; i < n; i++)
		mls_times_add(&r->counts.latency, now > batch[i].time ? now - batch[i].time : 0);
	return n;
}

size_t mls_requests_answer_these(struct mls_requests *r, struct scheduler_request *batch, size_t n)
{
	pthread_mutex_lock(&r->lock);
	n = r->answers ? answer_batch(r, batch, n) : 0;
	pthread_mutex_unlock(&r->lock);
	return n;
}

static void answer_some(struct mls_requests *r)
{
	r->n = 0;
	if (ring_buffer__consume_n(r->ring, MLS_REQUESTS_BATCH) > 0)
		answer_batch(r, r->batch, r->n);
}

static void *serve(void *context)
{
	struct mls_requests *r = context;
	struct epoll_event event;

	for (;;) {
		int n = epoll_wait(r->epoll, &event, 1, -1);

		if (n < 0 && errno != EINTR)
			return NULL;
		if (n == 1 && event.data.u32 == EVENT_END)
			return NULL;
		pthread_mutex_lock(&r->lock);
		if (r->ring)
			answer_some(r);
		pthread_mutex_unlock(&r->lock);
	}
}

static int watch(struct mls_requests *r, int fd, enum event what)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = what };

	return epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

int mls_requests_fit(struct mls_engine *engine, struct mlsched_error *err)
{
	static const float row[SCHEDULER_FEATURES];
	struct mlsched_verdict verdict;
	int ret = mlsched_model_fits_scheduler(engine->model, err);

	return ret ? ret : mls_engine_decide(engine, row, 1, &verdict, err);
}

int mls_requests_open(struct mls_engine *engine, uint64_t age, struct mlsched_error *err,
		      struct mls_requests **requests)
{
	struct mls_requests *r;
	int ret = mls_requests_fit(engine, err);

	if (ret)
		return ret;
	r = calloc(1, sizeof(*r));
	if (!r)
		return mls_error(err, -ENOMEM, "no memory for the scheduler's requests");
	r->slots[0] = mls_engine_hold(engine);
	r->candidate = MLS_REQUESTS_NO_SLOT;
	r->width = mlsched_model_inputs(engine->model);
	r->age = age;
	pthread_mutex_init(&r->lock, NULL);
	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	r->end = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ret = r->epoll < 0 || r->end < 0 ? -errno : watch(r, r->end, EVENT_END);
	if (ret) {
		mls_error(err, ret, "waiting for the scheduler's requests: %s", strerror(-ret));
		mls_requests_close(r);
		return ret;
	}
	*requests = r;
	return 0;
}

int mls_requests_start(struct mls_requests *r, struct mlsched_error *err)
{
	int ret = -pthread_create(&r->thread, NULL, serve, r);

	r->started = !ret;
	return ret ? mls_error(err, ret, "a thread for the scheduler's requests: %s",
			       strerror(-ret)) :
		     0;
}

uint32_t mls_requests_width(const struct mls_requests *r)
{
	return r->width;
}

uint64_t mls_requests_age(const struct mls_requests *r)
{
	return r->age;
}

int mls_requests_attach(struct mls_requests *r, int ring_fd, uint64_t *answers,
			struct mlsched_error *err)
{
	struct ring_buffer *ring = ring_fd < 0 ? NULL : ring_buffer__new(ring_fd, take, r, NULL);
	int ret;

	if (!ring && ring_fd >= 0)
		return mls_error(err, -errno, "the ring buffer of the scheduler's requests: %s",
				 strerror(errno));
	pthread_mutex_lock(&r->lock);
	r->ring = ring;
	r->answers = answers;
	ret = ring ? watch(r, ring_buffer__epoll_fd(ring), EVENT_REQUESTS) : 0;
	pthread_mutex_unlock(&r->lock);
	if (ret) {
		mls_requests_detach(r);
		return mls_error(err, ret, "waiting for the scheduler's requests: %s",
				 strerror(-ret));
	}
	return 0;
}

void mls_requests_detach(struct mls_requests *r)
{
	pthread_mutex_lock(&r->lock);
	if (r->ring) {
		epoll_ctl(r->epoll, EPOLL_CTL_DEL, ring_buffer__epoll_fd(r->ring), NULL);
		ring_buffer__free(r->ring);
	}
	r->ring = NULL;
	r->answers = NULL;
	pthread_mutex_unlock(&r->lock);
}

/* ---- which engine -------------------------------------------------------------------- */

int mls_requests_put(struct mls_requests *r, int index, struct mls_engine *engine,
		     struct mlsched_error *err)
{
	struct mls_engine *old;

	if (index == r->active || index == r->candidate)
		return mls_error(err, -EBUSY, "slot %d is in use", index);
	if (mlsched_model_inputs(engine->model) != r->width)
		return mls_error(err, -EINVAL,
				 "expected a model of %u inputs, got one of %u: the scheduler asks "
				 "with those of the first model until it is started anew",
				 r->width, mlsched_model_inputs(engine->model));
	/* Nobody computes with what is in it: who does holds the lock, and uses the two others. */
	pthread_mutex_lock(&r->lock);
	old = r->slots[index];
	r->slots[index] = mls_engine_hold(engine);
	pthread_mutex_unlock(&r->lock);
	mls_engine_close(old);
	return 0;
}

void mls_requests_set_active(struct mls_requests *r, int index)
{
	pthread_mutex_lock(&r->lock);
	r->active = index;
	/* 0 answers no question. */
	for (int i = 0; r->answers && i < MLS_VERDICT_ANSWERS; i++)
		__atomic_store_n(&r->answers[i], 0, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&r->lock);
}

void mls_requests_set_candidate(struct mls_requests *r, int index)
{
	pthread_mutex_lock(&r->lock);
	r->candidate = index;
	pthread_mutex_unlock(&r->lock);
}

int mls_requests_active(const struct mls_requests *r)
{
	return r->active;
}

int mls_requests_candidate(const struct mls_requests *r)
{
	return r->candidate;
}

struct mls_engine *const *mls_requests_slot(const struct mls_requests *r, int index)
{
	return r->slots[index] ? &r->slots[index] : NULL;
}

void mls_requests_add(struct mls_requests *r, struct scheduler_counts *counts)
{
	pthread_mutex_lock(&r->lock);
	counts->trial += r->counts.trial;
	counts->trial_migrates += r->counts.trial_migrates;
	counts->trial_same += r->counts.trial_same;
	pthread_mutex_unlock(&r->lock);
}

void mls_requests_counts(struct mls_requests *r, struct mls_requests_counts *counts)
{
	pthread_mutex_lock(&r->lock);
	*counts = r->counts;
	pthread_mutex_unlock(&r->lock);
}

void mls_requests_close(struct mls_requests *r)
{
	const uint64_t one = 1;

	if (!r)
		return;
	if (r->started && write(r->end, &one, sizeof(one)) == sizeof(one))
		pthread_join(r->thread, NULL);
	mls_requests_detach(r);
	for (int i = 0; i < SCHEDULER_SLOTS; i++)
		mls_engine_close(r->slots[i]);
	if (r->end >= 0)
		close(r->end);
	if (r->epoll >= 0)
		close(r->epoll);
	pthread_mutex_destroy(&r->lock);
	free(r);
}
