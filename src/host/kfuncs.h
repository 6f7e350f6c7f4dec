/* SPDX-License-Identifier: GPL-2.0 */
/* What a kernel's BTF says of sched_ext: functions that the scheduler needs, and what differs between kernels. */
#ifndef MLS_HOST_KFUNCS_H
#define MLS_HOST_KFUNCS_H

#include <stdbool.h>
#include <stdint.h>

#include <mlsched/error.h>

/**
 * struct mls_kfuncs - what was found
 * @known:          it was looked for, and everything that is needed is there
 * @groups:         tasks compete in groups: struct sched_ext_ops has cgroup_init
 * @switch_partial: the number of SCX_OPS_SWITCH_PARTIAL, 0 when there is no such flag
 *
 * For what stands in data that we hand to the kernel; programs' own values are
 * relocated by libbpf.
 */
struct mls_kfuncs {
	bool known;
	bool groups;
	uint64_t switch_partial;
};

/**
 * mls_kfuncs_read() - look for the functions of sched_ext in a kernel's BTF
 * @path:  the BTF, usually /sys/kernel/btf/vmlinux
 * @found: written; not @known on failure
 *
 * Features are probed here and nowhere by version number.  What is optional (the
 * program asks with bpf_ksym_exists()) is not looked for.  The BTF is megabytes: to be
 * called once, the answer is the same as long as the kernel runs.
 *
 * Return: 0; -ENOENT when the BTF cannot be read; -ENOSYS when a function is
 * missing; -ENOEXEC when the kernel was built so that no program can call one
 * (see the source).  The message names the function and what it means.
 */
int mls_kfuncs_read(const char *path, struct mls_kfuncs *found, struct mlsched_error *err);

#endif /* MLS_HOST_KFUNCS_H */
