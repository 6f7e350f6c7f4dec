/* SPDX-License-Identifier: GPL-2.0 */
/* What a kernel's BTF says: functions that the scheduler needs, values and members by name. */
#ifndef MLS_HOST_KFUNCS_H
#define MLS_HOST_KFUNCS_H

#include <stdint.h>

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

/**
 * mls_kfuncs_value() - the number that a kernel gives a value of one of its enums
 * @path: the BTF
 * @type: of the enum, without "enum"
 *
 * For what stands in data that we hand to the kernel; programs' own values are
 * relocated by libbpf.
 *
 * Return: 0; -ENOENT when the BTF cannot be read; -ENOSYS when there is no such
 * value.
 */
int mls_kfuncs_value(const char *path, const char *type, const char *name,
		     struct mlsched_error *err, uint64_t *value);

/**
 * mls_kfuncs_has_member() - does a struct of the kernel have a member of this name?
 * @path: the BTF
 * @type: of the struct, without "struct"
 *
 * Return: 1 or 0; -ENOENT when the BTF cannot be read.
 */
int mls_kfuncs_has_member(const char *path, const char *type, const char *name,
			  struct mlsched_error *err);

#endif /* MLS_HOST_KFUNCS_H */
