/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Noticing that a directory, or file, has been replaced as a whole: by a rename
 * in the directory that holds it (src/formats/replace.h does that).  What is
 * written into it bit by bit is not noticed: it is not whole until nobody
 * knows when.
 */
#ifndef MLS_HOST_WATCH_H
#define MLS_HOST_WATCH_H

#include <stdbool.h>

#include <mlsched/error.h>

struct mls_watch;

/** mls_watch_open() - @path need not exist yet, but the directory around it must */
int mls_watch_open(const char *path, struct mlsched_error *err, struct mls_watch **watch);

/** mls_watch_fd() - readable when mls_watch_poll() has something to say */
int mls_watch_fd(const struct mls_watch *watch);

/**
 * mls_watch_poll() - was it replaced since the last call?  Does not block
 *
 * Return: 1: yes; 0: no; -ESTALE: the directory around it is gone or was moved, and
 * nothing more will come.
 */
int mls_watch_poll(struct mls_watch *watch);

/** mls_watch_close() - NULL is allowed */
void mls_watch_close(struct mls_watch *watch);

#endif /* MLS_HOST_WATCH_H */
