/* SPDX-License-Identifier: GPL-2.0 */
/* Does a kernel offer the functions that the scheduler's BPF program cannot do without? */
#ifndef MLS_HOST_KFUNCS_H
#define MLS_HOST_KFUNCS_H

#include <mlsched/error.h>

/**
 * mls_kfuncs_check() - look for the functions of sched_ext in a kernel's BTF
 * @path: the BTF, usually /sys/kernel/btf/vmlinux
 *
 * Features are probed here and nowhere by version number.  What is optional (the
 * program asks with bpf_ksym_exists()) is not looked for.
 *
 * Return: 0; -ENOENT when the BTF cannot be read; -ENOSYS when a function is
 * missing; -ENOEXEC when the kernel was built so that no program can call one
 * (see the source).  The message names the function and what it means.
 */
int mls_kfuncs_check(const char *path, struct mlsched_error *err);

#endif /* MLS_HOST_KFUNCS_H */
