/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What `mlsched run` gives up once it runs: capabilities, system calls, files.
 *
 * It starts as root, since BPF programs need that.  Afterwards it reads counters,
 * talks over descriptors that it has, and, with the scx backend, loads the same
 * BPF object again when a CPU comes or goes.  Whoever took it over by a hostile
 * model or message should find nothing to take with it.  docs/architecture.md has
 * the table of what is kept and why.
 */
#ifndef MLS_HOST_SANDBOX_H
#define MLS_HOST_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mlsched/error.h>

/**
 * struct mls_sandbox_options
 * @readable:   directories (with all below) and files that may be opened for
 *              reading, ended by NULL; what does not exist is passed over
 * @writable:   directories below which files and sockets may also be made,
 *              written and removed, and files that may be written, ended by
 *              NULL; NULL: nothing is written but what is open already
 * @stores:     files that are open may be written at any place, cut and synchronised
 *              (a database); none is opened for it
 * @loads_bpf:  BPF programs will be loaded and attached again (scx)
 * @passes_files: descriptors are handed to another process by sendmsg(), which may also name
 *              where a datagram goes: for processes that read Keras files
 * @makes_code: memory may be made executable: for a library that is loaded, or
 *              compiles code, later (TensorFlow)
 */
struct mls_sandbox_options {
	const char *const *readable;
	const char *const *writable;
	bool stores;
	bool loads_bpf;
	bool passes_files;
	bool makes_code;
};

#define MLS_SANDBOX_MISSING 256

/**
 * struct mls_sandbox_report - what is in force
 * @capabilities: that are left, one bit each (CAP_* of linux/capability.h)
 * @filtered:     system calls are
 * @landlock:     version of Landlock that guards the files, 0: none does
 * @missing:      what this kernel or these privileges did not allow, as a
 *                sentence; empty: nothing
 */
struct mls_sandbox_report {
	uint64_t capabilities;
	bool filtered;
	int landlock;
	char missing[MLS_SANDBOX_MISSING];
};

/**
 * mls_sandbox_enter() - give up the rest, for good
 *
 * Only of the calling thread and of those that it starts later: to be called
 * while it is the only one.  What the kernel lacks is in @report and no error.
 *
 * Afterwards a forbidden system call fails with EPERM, except those that no
 * library tries and only an intruder wants (another program, another process,
 * another process's memory, a kernel module, ...): they end the process by SIGSYS.
 *
 * Return: 0; -EBUSY when there are other threads; -ENOMEM; -errno of what
 * failed although the kernel has it: then the process must not go on.
 */
int mls_sandbox_enter(const struct mls_sandbox_options *options, struct mls_sandbox_report *report,
		      struct mlsched_error *err);

#endif /* MLS_HOST_SANDBOX_H */
