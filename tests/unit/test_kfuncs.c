// SPDX-License-Identifier: GPL-2.0
/*
 * Which kernels the scheduler refuses, from made-up BTF: one that has all the
 * functions, one that lacks a function, one whose build lost half of one.  And
 * what differs between those that are taken: groups, and the number of a flag.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/btf.h>

#include "src/host/kfuncs.h"

static const char *const names[] = {
	"scx_bpf_create_dsq",         "scx_bpf_dsq_insert",         "scx_bpf_dsq_insert_vtime",
	"scx_bpf_dsq_move_to_local",  "scx_bpf_dsq_move",           "scx_bpf_dsq_move_vtime",
	"scx_bpf_dsq_move_set_slice", "scx_bpf_dsq_move_set_vtime", "scx_bpf_dsq_nr_queued",
	"scx_bpf_task_cpu",           "scx_bpf_kick_cpu",           "bpf_iter_scx_dsq_new",
	"bpf_iter_scx_dsq_next",      "bpf_iter_scx_dsq_destroy",   "bpf_rcu_read_lock",
	"bpf_rcu_read_unlock",
};

enum { N = sizeof(names) / sizeof(names[0]) };

enum build { PLAIN, SPLIT, LOST };

static char path[64];
static struct mls_kfuncs found;
static struct mlsched_error err;

static void add_function(struct btf *btf, const char *name, int u64_id, int aux)
{
	int proto = btf__add_func_proto(btf, 0);

	assert_true(proto > 0);
	assert_int_equal(btf__add_func_param(btf, "dsq_id", u64_id), 0);
	if (aux)
		assert_int_equal(btf__add_func_param(btf, "aux", aux), 0);
	assert_true(btf__add_func(btf, name, BTF_FUNC_STATIC, proto) > 0);
}

static void write_out(struct btf *btf)
{
	uint32_t size;
	const void *data = btf__raw_data(btf, &size);
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
	btf__free(btf);
}

/* What of sched_ext is not a function. */
struct extras {
	const char *member; /* of sched_ext_ops, beside enqueue */
	const char *flag;
	uint64_t value;
	bool wide; /* an enum of 64 bits */
};

static void add_extras(struct btf *btf, const struct extras *e, int u64_id)
{
	assert_true(btf__add_struct(btf, "sched_ext_ops", 16) > 0);
	assert_int_equal(btf__add_field(btf, "enqueue", u64_id, 0, 0), 0);
	if (e->member)
		assert_int_equal(btf__add_field(btf, e->member, u64_id, 64, 0), 0);
	if (!e->flag)
		return;
	if (e->wide) {
		assert_true(btf__add_enum64(btf, "scx_ops_flags", 8, false) > 0);
		assert_int_equal(btf__add_enum64_value(btf, "SCX_OPS_KEEP_BUILTIN_IDLE", 1), 0);
		assert_int_equal(btf__add_enum64_value(btf, e->flag, e->value), 0);
	} else {
		assert_true(btf__add_enum(btf, "scx_ops_flags", 4) > 0);
		assert_int_equal(btf__add_enum_value(btf, "SCX_OPS_KEEP_BUILTIN_IDLE", 1), 0);
		assert_int_equal(btf__add_enum_value(btf, e->flag, (int64_t)e->value), 0);
	}
}

/* A kernel without function @absent, and with function @odd built as @build says. */
static void write_kernel(const char *absent, const char *odd, enum build build,
			 const struct extras *extras)
{
	struct btf *btf = btf__new_empty();
	int u64_id, aux;

	assert_non_null(btf);
	u64_id = btf__add_int(btf, "u64", 8, 0);
	aux = btf__add_struct(btf, "bpf_prog_aux", 0);
	aux = btf__add_const(btf, aux);
	aux = btf__add_ptr(btf, aux);
	for (int i = 0; i < N; i++) {
		bool is_odd = odd && strcmp(odd, names[i]) == 0;
		char implied[128];

		if (absent && strcmp(absent, names[i]) == 0)
			continue;
		add_function(btf, names[i], u64_id, is_odd && build == LOST ? aux : 0);
		snprintf(implied, sizeof(implied), "%s_impl", names[i]);
		if (is_odd && build == SPLIT)
			add_function(btf, implied, u64_id, aux);
	}
	add_extras(btf, extras, u64_id);
	write_out(btf);
}

static void write_btf(const char *absent, const char *odd, enum build build)
{
	write_kernel(absent, odd, build, &(struct extras){ 0 });
}

static int setup(void **state)
{
	int fd;

	(void)state;
	strcpy(path, "/tmp/mlsched-btf-XXXXXX");
	fd = mkstemp(path);
	return fd >= 0 ? close(fd) : -1;
}

static int teardown(void **state)
{
	(void)state;
	return unlink(path);
}

static void kernel_with_all_functions_is_taken(void **state)
{
	(void)state;
	write_btf(NULL, NULL, PLAIN);
	assert_int_equal(mls_kfuncs_read(path, &found, &err), 0);
}

static void kernel_with_a_split_function_is_taken(void **state)
{
	(void)state;
	for (int i = 0; i < N; i++) {
		write_btf(NULL, names[i], SPLIT);
		assert_int_equal(mls_kfuncs_read(path, &found, &err), 0);
	}
}

static void kernel_without_any_one_function_is_refused_by_its_name(void **state)
{
	(void)state;
	for (int i = 0; i < N; i++) {
		write_btf(names[i], NULL, PLAIN);
		assert_int_equal(mls_kfuncs_read(path, &found, &err), -ENOSYS);
		assert_non_null(strstr(err.message, names[i]));
	}
}

static void kernel_whose_build_lost_half_a_function_is_refused(void **state)
{
	(void)state;
	for (int i = 0; i < N; i++) {
		write_btf(NULL, names[i], LOST);
		assert_int_equal(mls_kfuncs_read(path, &found, &err), -ENOEXEC);
		assert_non_null(strstr(err.message, names[i]));
		assert_non_null(strstr(err.message, "another build of the kernel"));
	}
}

static void missing_or_damaged_btf_is_refused(void **state)
{
	(void)state;
	assert_int_equal(mls_kfuncs_read("/nonexistent", &found, &err), -ENOENT);
	assert_non_null(strstr(err.message, "/nonexistent"));
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(mls_kfuncs_read(path, &found, &err), -ENOENT);
}

static void what_a_refused_kernel_has_is_not_known(void **state)
{
	(void)state;
	found.known = true;
	write_btf(names[N - 1], NULL, PLAIN);
	assert_int_equal(mls_kfuncs_read(path, &found, &err), -ENOSYS);
	assert_false(found.known);
	found.known = true;
	assert_int_equal(mls_kfuncs_read("/nonexistent", &found, &err), -ENOENT);
	assert_false(found.known);
}

/* Flags above 32 bits are in enums of another kind. */
static void a_flag_has_the_number_that_this_kernel_gives_it(void **state)
{
	const struct extras kernels[] = {
		{ .flag = "SCX_OPS_SWITCH_PARTIAL", .value = 1u << 3 },
		{ .flag = "SCX_OPS_SWITCH_PARTIAL", .value = 1u << 31 },
		{ .flag = "SCX_OPS_SWITCH_PARTIAL", .value = 1u << 3, .wide = true },
		{ .flag = "SCX_OPS_SWITCH_PARTIAL", .value = 1ull << 56, .wide = true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++) {
		write_kernel(NULL, NULL, PLAIN, &kernels[i]);
		assert_int_equal(mls_kfuncs_read(path, &found, &err), 0);
		assert_true(found.known && found.switch_partial == kernels[i].value);
	}
}

static void a_flag_that_is_not_there_is_nothing(void **state)
{
	(void)state;
	found.switch_partial = 1;
	write_btf(NULL, NULL, PLAIN);
	assert_int_equal(mls_kfuncs_read(path, &found, &err), 0);
	assert_true(found.switch_partial == 0);
	found.switch_partial = 1;
	write_kernel(NULL, NULL, PLAIN, &(struct extras){ .flag = "SCX_OPS_OTHER", .value = 8 });
	assert_int_equal(mls_kfuncs_read(path, &found, &err), 0);
	assert_true(found.switch_partial == 0);
}

static void groups_are_there_when_their_operation_is(void **state)
{
	(void)state;
	write_kernel(NULL, NULL, PLAIN, &(struct extras){ .member = "cgroup_init" });
	assert_int_equal(mls_kfuncs_read(path, &found, &err), 0);
	assert_true(found.groups);
	write_kernel(NULL, NULL, PLAIN, &(struct extras){ .member = "cgroup_move" });
	assert_int_equal(mls_kfuncs_read(path, &found, &err), 0);
	assert_false(found.groups);
	write_btf(NULL, NULL, PLAIN);
	assert_int_equal(mls_kfuncs_read(path, &found, &err), 0);
	assert_false(found.groups);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kernel_with_all_functions_is_taken),
		cmocka_unit_test(kernel_with_a_split_function_is_taken),
		cmocka_unit_test(kernel_without_any_one_function_is_refused_by_its_name),
		cmocka_unit_test(kernel_whose_build_lost_half_a_function_is_refused),
		cmocka_unit_test(missing_or_damaged_btf_is_refused),
		cmocka_unit_test(what_a_refused_kernel_has_is_not_known),
		cmocka_unit_test(a_flag_has_the_number_that_this_kernel_gives_it),
		cmocka_unit_test(a_flag_that_is_not_there_is_nothing),
		cmocka_unit_test(groups_are_there_when_their_operation_is),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
