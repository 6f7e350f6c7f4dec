/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Processes of libhdf5 for who will not be able to start any himself: a daemon that gives
 * up what it would need for that.
 *
 * A starter is the program of hdf5_child/, which has loaded libhdf5, waits, and copies
 * itself for each file (hdf5_child/starter.c).  It gets the file's content and sockets as
 * descriptors and looks at none of them; it has no capabilities, can open and execute
 * nothing, and ends with whoever has opened it.
 */
#ifndef MLS_FORMATS_HDF5_STARTER_H
#define MLS_FORMATS_HDF5_STARTER_H

#include <sys/types.h>

#include <mlsched/error.h>

#include "src/formats/hdf5_protocol.h"

/* Several threads may use one. */
struct mls_h5_starter {
	pid_t pid;
	int socket;
};

/**
 * mls_h5_starter_open() - start one, and wait until it is ready
 *
 * Return: 0; -ENOTSUP without libhdf5; -errno where no process could be started.
 */
int mls_h5_starter_open(struct mlsched_error *err, struct mls_h5_starter *starter);

/** mls_h5_starter_close() - what it has started ends with it */
void mls_h5_starter_close(struct mls_h5_starter *starter);

/**
 * mls_h5_starter_order() - have a process started; does not wait for it
 * @cpu_s:  seconds of processor time that it may take
 * @socket: its end of the socket over which it is asked; stays the caller's to close, as @image,
 *          the content of its file, a sealed file in memory
 * @ending: receives a socket for mls_h5_starter_ended(), the caller's to close; once it is shut
 *          down for writing, or closed, the process is killed
 *
 * Return: 0, or an errno (above 0).
 */
int mls_h5_starter_order(const struct mls_h5_starter *starter, unsigned int cpu_s, int socket,
			 int image, int *ending);

/**
 * mls_h5_starter_ended() - wait until it has ended, for @wait_s seconds at most
 *
 * Return: 0; -ETIME; -EPIPE when the starter has ended as well.
 */
int mls_h5_starter_ended(int ending, unsigned int wait_s, struct mls_h5_ended *ended);

#endif /* MLS_FORMATS_HDF5_STARTER_H */
