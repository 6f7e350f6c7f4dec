/* SPDX-License-Identifier: GPL-2.0 */
/* The parts of the sandbox: only sandbox.c puts them together. */
#ifndef MLS_HOST_SANDBOX_PARTS_H
#define MLS_HOST_SANDBOX_PARTS_H

#include "src/host/sandbox.h"

/** mls_sandbox_lacks() - add "what: reason" to what the report says is missing */
void mls_sandbox_lacks(struct mls_sandbox_report *report, const char *what, int error);

/** mls_sandbox_files() - Landlock; needs no_new_privs; 0 or the failure */
int mls_sandbox_files(const struct mls_sandbox_options *options, struct mls_sandbox_report *report,
		      struct mlsched_error *err);

/** mls_sandbox_calls() - the seccomp filter; needs no_new_privs; 0 or the failure */
int mls_sandbox_calls(const struct mls_sandbox_options *options, struct mls_sandbox_report *report,
		      struct mlsched_error *err);

#endif /* MLS_HOST_SANDBOX_PARTS_H */
