// SPDX-License-Identifier: GPL-2.0
/*
 * Which kernels the scheduler refuses, from made-up BTF: one that has all the
 * functions, one that lacks a function, one whose build lost half of one.  And
 * the numbers that kernels give their values, and the members of their structs.
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

/* A kernel without function @absent, and with function @odd built as @build says. */
static void write_btf(const char *absent, const char *odd, enum build build)
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
	write_out(btf);
}

/* A kernel whose flags have numbers above 32 bits, or not. */
static void write_flags(bool wide)
{
	struct btf *btf = btf__new_empty();

	assert_non_null(btf);
	if (wide) {
		assert_true(btf__add_enum64(btf, "scx_flags", 8, false) > 0);
		assert_int_equal(btf__add_enum64_value(btf, "LOW", 1u << 3), 0);
		assert_int_equal(btf__add_enum64_value(btf, "HIGH", 1ull << 56), 0);
	} else {
		assert_true(btf__add_enum(btf, "scx_flags", 4) > 0);
		assert_int_equal(btf__add_enum_value(btf, "LOW", 1u << 3), 0);
		assert_int_equal(btf__add_enum_value(btf, "HIGH", 1u << 31), 0);
	}
	write_out(btf);
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
	assert_int_equal(mls_kfuncs_check(path, &err), 0);
}

static void kernel_with_a_split_function_is_taken(void **state)
{
	(void)state;
	for (int i = 0; i < N; i++) {
		write_btf(NULL, names[i], SPLIT);
		assert_int_equal(mls_kfuncs_check(path, &err), 0);
	}
}

static void kernel_without_any_one_function_is_refused_by_its_name(void **state)
{
	(void)state;
	for (int i = 0; i < N; i++) {
		write_btf(names[i], NULL, PLAIN);
		assert_int_equal(mls_kfuncs_check(path, &err), -ENOSYS);
		assert_non_null(strstr(err.message, names[i]));
	}
}

static void kernel_whose_build_lost_half_a_function_is_refused(void **state)
{
	(void)state;
	for (int i = 0; i < N; i++) {
		write_btf(NULL, names[i], LOST);
		assert_int_equal(mls_kfuncs_check(path, &err), -ENOEXEC);
		assert_non_null(strstr(err.message, names[i]));
		assert_non_null(strstr(err.message, "another build of the kernel"));
	}
}

static void missing_or_damaged_btf_is_refused(void **state)
{
	(void)state;
	assert_int_equal(mls_kfuncs_check("/nonexistent", &err), -ENOENT);
	assert_non_null(strstr(err.message, "/nonexistent"));
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(mls_kfuncs_check(path, &err), -ENOENT);
}

static void values_are_the_kernels_by_their_names(void **state)
{
	uint64_t value = 0;

	(void)state;
	write_flags(false);
	assert_int_equal(mls_kfuncs_value(path, "scx_flags", "LOW", &err, &value), 0);
	assert_int_equal(value, 1u << 3);
	assert_int_equal(mls_kfuncs_value(path, "scx_flags", "HIGH", &err, &value), 0);
	assert_int_equal(value, 1u << 31);
	write_flags(true);
	assert_int_equal(mls_kfuncs_value(path, "scx_flags", "LOW", &err, &value), 0);
	assert_int_equal(value, 1u << 3);
	assert_int_equal(mls_kfuncs_value(path, "scx_flags", "HIGH", &err, &value), 0);
	assert_true(value == 1ull << 56);
}

static void values_that_are_not_there_are_named(void **state)
{
	uint64_t value;

	(void)state;
	write_flags(true);
	assert_int_equal(mls_kfuncs_value(path, "scx_flags", "NEXT", &err, &value), -ENOSYS);
	assert_non_null(strstr(err.message, "enum scx_flags has no NEXT"));
	assert_int_equal(mls_kfuncs_value(path, "scx_ops", "LOW", &err, &value), -ENOSYS);
	assert_int_equal(mls_kfuncs_value("/nonexistent", "scx_flags", "LOW", &err, &value),
			 -ENOENT);
}

static void members_are_found_by_their_names(void **state)
{
	struct btf *btf = btf__new_empty();
	int u64_id;

	(void)state;
	assert_non_null(btf);
	u64_id = btf__add_int(btf, "u64", 8, 0);
	assert_true(btf__add_struct(btf, "sched_ext_ops", 16) > 0);
	assert_int_equal(btf__add_field(btf, "enqueue", u64_id, 0, 0), 0);
	assert_int_equal(btf__add_field(btf, "cgroup_init", u64_id, 64, 0), 0);
	write_out(btf);
	assert_int_equal(mls_kfuncs_has_member(path, "sched_ext_ops", "enqueue", &err), 1);
	assert_int_equal(mls_kfuncs_has_member(path, "sched_ext_ops", "cgroup_init", &err), 1);
	assert_int_equal(mls_kfuncs_has_member(path, "sched_ext_ops", "cgroup_exit", &err), 0);
	assert_int_equal(mls_kfuncs_has_member(path, "scx_ops", "enqueue", &err), 0);
	assert_int_equal(mls_kfuncs_has_member("/nonexistent", "scx_ops", "enqueue", &err),
			 -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kernel_with_all_functions_is_taken),
		cmocka_unit_test(kernel_with_a_split_function_is_taken),
		cmocka_unit_test(kernel_without_any_one_function_is_refused_by_its_name),
		cmocka_unit_test(kernel_whose_build_lost_half_a_function_is_refused),
		cmocka_unit_test(missing_or_damaged_btf_is_refused),
		cmocka_unit_test(values_are_the_kernels_by_their_names),
		cmocka_unit_test(values_that_are_not_there_are_named),
		cmocka_unit_test(members_are_found_by_their_names),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
