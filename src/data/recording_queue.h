/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A thread between whoever has decisions and the file: a disk that is slow for a
 * moment holds up nobody.  What finds the queue full is counted, not waited for.
 */
#ifndef MLS_DATA_RECORDING_QUEUE_H
#define MLS_DATA_RECORDING_QUEUE_H

#include "src/data/recording.h"

/* More than two seconds at 50,000 decisions a second: disks do stop for so long. */
#define MLS_RECORDING_QUEUE 131072

struct mls_recording_queue;

/**
 * struct mls_recording_counts - exact
 * @put:     decisions that were handed over = @written + @dropped, and those under way
 * @dropped: of these, found the queue full, or came after writing had failed
 * @written: in the file, or in the transaction that is open
 */
struct mls_recording_counts {
	uint64_t put;
	uint64_t dropped;
	uint64_t written;
};

/**
 * mls_recording_queue_open() - around a recording with a session
 * @recording: the queue's from here on, also when this fails
 * @size:      decisions that it holds; 0: MLS_RECORDING_QUEUE
 */
int mls_recording_queue_open(struct mls_recording *recording, uint32_t size,
			     struct mlsched_error *err, struct mls_recording_queue **queue);

/** mls_recording_queue_start() - the thread; until then what comes only queues up */
int mls_recording_queue_start(struct mls_recording_queue *queue, struct mlsched_error *err);

/** mls_recording_queue_put() - copied; neither blocks for the disk nor allocates */
void mls_recording_queue_put(struct mls_recording_queue *queue, const struct mls_recorded *row);

/** mls_recording_queue_model() - who is in charge from here on; -ENOMEM */
int mls_recording_queue_model(struct mls_recording_queue *queue,
			      const struct mls_recording_model *model);

/**
 * mls_recording_queue_counter() - what a counter says now
 * @name: a string that stays
 *
 * The last value of each name is written with each transaction's end, every second
 * at most, and at the end.
 */
void mls_recording_queue_counter(struct mls_recording_queue *queue, const char *name,
				 uint64_t value);

void mls_recording_queue_counts(struct mls_recording_queue *queue,
				struct mls_recording_counts *counts);

/** mls_recording_queue_failed() - 0, or what writing returned, with the message */
int mls_recording_queue_failed(struct mls_recording_queue *queue, struct mlsched_error *err);

/**
 * mls_recording_queue_close() - write what is there, the counters and the end; NULL is allowed
 * @counts: NULL, or receives what it came to
 *
 * Return: 0, or what writing returned, now or before.
 */
int mls_recording_queue_close(struct mls_recording_queue *queue,
			      struct mls_recording_counts *counts, struct mlsched_error *err);

#endif /* MLS_DATA_RECORDING_QUEUE_H */
