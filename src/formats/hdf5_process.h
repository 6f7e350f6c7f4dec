/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The process in which libhdf5 reads a file, or makes one: starting it, asking it, and
 * what to say when it fails.  What is asked, and whether an answer makes sense, is hdf5.c's.
 */
#ifndef MLS_FORMATS_HDF5_PROCESS_H
#define MLS_FORMATS_HDF5_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "src/formats/files.h"
#include "src/formats/hdf5_protocol.h"
#include "src/formats/hdf5_starter.h"

/**
 * struct mls_h5_limits - what a process may take
 * @cpu_s:  seconds of processor time, all in all
 * @wait_s: seconds without an answer, whatever the reason
 */
struct mls_h5_limits {
	unsigned int cpu_s;
	unsigned int wait_s;
};

/* Files of 64 MiB take a tenth of a second; a machine may be busy, a processor is not slow. */
#define MLS_H5_LIMITS { .cpu_s = 5, .wait_s = 120 }

/**
 * struct mls_h5_process - one of them
 * @file:   that it reads, for messages; one that it makes has no content yet
 * @format: as messages call it
 * @runs:   it has to be ended
 * @pid:    of one that was started here, or -1
 * @ending: where the starter says how it ended that has started it, or -1
 */
struct mls_h5_process {
	const struct mls_blob *file;
	const char *format;
	struct mlsched_error *err;
	struct mls_h5_limits limits;
	bool runs;
	pid_t pid;
	int ending;
	int socket;
};

/**
 * mls_h5_process_start() - start one on the content of a file; without any, it makes one
 * @starter: starts it, if something is to be read; NULL: we do
 *
 * Return: 0; -ENOTSUP where no process may be started; -errno; then there is nothing
 * to end.
 */
int mls_h5_process_start(const struct mls_blob *file, const char *format,
			 const struct mls_h5_limits *limits, const struct mls_h5_starter *starter,
			 struct mlsched_error *err, struct mls_h5_process *process);

/**
 * mls_h5_process_ask() - one question, one answer
 * @question: its @size counts the bytes of @payload
 * @answer:   is to this question, and its payload at most MLS_H5_MAX_ANSWER bytes
 * @arena:    receives the payload, with a zero behind it
 *
 * Return: 0; -errno and the message that the process gives; -EINVAL when it failed:
 * it has ended then.
 */
int mls_h5_process_ask(struct mls_h5_process *process, const struct mls_h5_frame *question,
		       const void *payload, struct mls_arena *arena, struct mls_h5_frame *answer,
		       const char **answered);

/** mls_h5_process_distrust() - its answer made no sense: -EINVAL, and the end of it */
int mls_h5_process_distrust(struct mls_h5_process *process, const char *what);

void mls_h5_process_end(struct mls_h5_process *process);

#endif /* MLS_FORMATS_HDF5_PROCESS_H */
