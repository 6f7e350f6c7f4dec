/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tells the service manager how we are, by the protocol of sd_notify(3): one
 * datagram of lines to the socket that NOTIFY_SOCKET names.  Without that variable
 * nothing happens.
 */
#ifndef MLS_HOST_NOTIFY_H
#define MLS_HOST_NOTIFY_H

#include <stdint.h>

#include <mlsched/error.h>

/**
 * struct mls_notify
 * @fd:    connected, or -1: nobody wants to know
 * @every: ns between two signs of life, 0: none are wanted
 * @next:  when the next is due, CLOCK_MONOTONIC, ns
 */
struct mls_notify {
	int fd;
	uint64_t every;
	uint64_t next;
};

/**
 * mls_notify_open() - to be called before the sandbox closes the way there
 *
 * Return: 0, also when nobody wants to know; -errno with the reason: @notify is
 * then good for silence.
 */
int mls_notify_open(struct mls_notify *notify, struct mlsched_error *err);

/**
 * mls_notify() - send lines, "READY=1\nSTATUS=..."
 *
 * Waits for nobody: what a full or dead socket does not take is lost.
 */
void mls_notify(const struct mls_notify *notify, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** mls_notify_alive() - WATCHDOG=1, when that is due; call it far more often */
void mls_notify_alive(struct mls_notify *notify, uint64_t now);

/** mls_notify_close() - of an open one, or one that is all zero but fd -1 */
void mls_notify_close(struct mls_notify *notify);

#endif /* MLS_HOST_NOTIFY_H */
