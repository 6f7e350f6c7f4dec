// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel functions without which bpf/scheduler.bpf.c is nothing, looked for
 * in the kernel's BTF before anything is loaded, so that a kernel that lacks
 * one is refused in plain words and not in the verifier's.
 *
 * Since 7.1 the kernel hands the functions of sched_ext one argument more, the
 * program's own description, which programs do not see: the build splits each
 * such function's type in two, NAME as programs call it and NAME_impl with the
 * argument.  It knows them by a mark that goes lost for some of them in some
 * builds (Debian's 7.1.13 and 7.2.12).  Such a function shows the argument under
 * its own name and has no NAME_impl, and the verifier, which looks for NAME_impl
 * whenever NAME is called, lets nobody call it: "cannot find function
 * scx_bpf_create_dsq_impl in BTF".  There is no way around it from outside.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "src/host/kfuncs.h"
#include "src/util/array.h"
#include "src/util/error.h"

#define IMPLICIT_TYPE   "bpf_prog_aux"
#define IMPLICIT_SUFFIX "_impl"

static const char *const required[] = {
	"scx_bpf_create_dsq",         "scx_bpf_dsq_insert",         "scx_bpf_dsq_insert_vtime",
	"scx_bpf_dsq_move_to_local",  "scx_bpf_dsq_move",           "scx_bpf_dsq_move_vtime",
	"scx_bpf_dsq_move_set_slice", "scx_bpf_dsq_move_set_vtime", "scx_bpf_dsq_nr_queued",
	"scx_bpf_task_cpu",           "scx_bpf_kick_cpu",           "bpf_iter_scx_dsq_new",
	"bpf_iter_scx_dsq_next",      "bpf_iter_scx_dsq_destroy",   "bpf_rcu_read_lock",
	"bpf_rcu_read_unlock",
};

static struct btf *open_btf(const char *path, struct mlsched_error *err)
{
	struct btf *btf = btf__parse_raw(path);

	if (!btf)
		mls_error(err, -ENOENT,
			  "this kernel has no BTF (%s: %s): it needs one built with "
			  "CONFIG_DEBUG_INFO_BTF=y",
			  path, strerror(errno));
	return btf;
}

/* Does the last argument of function @id point to the implicit one's type? */
static bool shows_implicit(const struct btf *btf, int id)
{
	const struct btf_type *proto = btf__type_by_id(btf, btf__type_by_id(btf, (__u32)id)->type);
	const struct btf_type *last;
	__u16 n;

	if (!proto || !btf_is_func_proto(proto))
		return false;
	n = btf_vlen(proto);
	if (!n)
		return false;
	last = btf__type_by_id(btf, btf_params(proto)[n - 1].type);
	if (!last || !btf_is_ptr(last))
		return false;
	last = btf__type_by_id(btf, last->type);
	while (last && btf_is_mod(last))
		last = btf__type_by_id(btf, last->type);
	return last && btf_is_struct(last) &&
	       strcmp(btf__name_by_offset(btf, last->name_off), IMPLICIT_TYPE) == 0;
}

static int check_one(const struct btf *btf, const char *name, struct mlsched_error *err)
{
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_FUNC);
	char implied[128];

	if (id <= 0)
		return mls_error(
			err, -ENOSYS,
			"this kernel's sched_ext has no %s(): kernels from 6.13 on have it", name);
	snprintf(implied, sizeof(implied), "%s" IMPLICIT_SUFFIX, name);
	if (!shows_implicit(btf, id) || btf__find_by_name_kind(btf, implied, BTF_KIND_FUNC) > 0)
		return 0;
	return mls_error(err, -ENOEXEC,
			 "no BPF program can call %s() on this kernel: its build has lost part of "
			 "the kernel's own description of it (the BTF has no %s), and the verifier "
			 "refuses every call; another build of the kernel is needed",
			 name, implied);
}

/* Enums of more than 32 bits are of a kind of their own. */
static int find_value(const struct btf *btf, const char *type, const char *name, uint64_t *value)
{
	int id = btf__find_by_name_kind(btf, type, BTF_KIND_ENUM);
	const struct btf_type *t;

	if (id <= 0)
		id = btf__find_by_name_kind(btf, type, BTF_KIND_ENUM64);
	if (id <= 0)
		return -ENOENT;
	t = btf__type_by_id(btf, (__u32)id);
	for (__u16 i = 0; i < btf_vlen(t); i++) {
		bool wide = btf_kind(t) == BTF_KIND_ENUM64;
		__u32 at = wide ? btf_enum64(t)[i].name_off : btf_enum(t)[i].name_off;

		if (strcmp(btf__name_by_offset(btf, at), name) != 0)
			continue;
		*value = wide ? btf_enum64_value(&btf_enum64(t)[i]) : (__u32)btf_enum(t)[i].val;
		return 0;
	}
	return -ENOENT;
}

static bool has_member(const struct btf *btf, const char *type, const char *name)
{
	int id = btf__find_by_name_kind(btf, type, BTF_KIND_STRUCT);
	const struct btf_type *t = id > 0 ? btf__type_by_id(btf, (__u32)id) : NULL;

	for (__u16 i = 0; t && i < btf_vlen(t); i++) {
		if (strcmp(btf__name_by_offset(btf, btf_members(t)[i].name_off), name) == 0)
			return true;
	}
	return false;
}

int mls_kfuncs_read(const char *path, struct mls_kfuncs *found, struct mlsched_error *err)
{
	struct btf *btf = open_btf(path, err);
	int ret = 0;

	*found = (struct mls_kfuncs){ 0 };
	if (!btf)
		return -ENOENT;
	for (size_t i = 0; i < ARRAY_SIZE(required) && !ret; i++)
		ret = check_one(btf, required[i], err);
	if (!ret) {
		found->known = true;
		found->groups = has_member(btf, "sched_ext_ops", "cgroup_init");
		if (find_value(btf, "scx_ops_flags", "SCX_OPS_SWITCH_PARTIAL",
			       &found->switch_partial) != 0)
			found->switch_partial = 0;
	}
	btf__free(btf);
	return ret;
}
