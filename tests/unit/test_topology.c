// SPDX-License-Identifier: GPL-2.0
/*
 * Topology from made-up sysfs trees in a temporary directory.
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
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "src/host/topology.h"

static char root[64];
static struct mls_topology topology;
static struct mlsched_error err;

static void run(const char *format, const char *what)
{
	char command[256];

	snprintf(command, sizeof(command), format, what);
	assert_int_equal(system(command), 0);
}

static int setup(void **state)
{
	(void)state;
	strcpy(root, "/tmp/mlsched-sysfs-XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	run("rm -rf %s", root);
	return 0;
}

/* Writes a file below the root, with the directories on the way. */
__attribute__((format(printf, 1, 3))) static void put(const char *path_format, const char *text,
						      ...)
{
	char path[512], name[256];
	va_list args;
	FILE *file;

	va_start(args, text);
	vsnprintf(name, sizeof(name), path_format, args);
	va_end(args);
	snprintf(path, sizeof(path), "%s/%s", root, name);
	for (char *slash = path + strlen(root); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0777);
		*slash = '/';
	}
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "%s\n", text);
	fclose(file);
}

static const char *list(unsigned int first, unsigned int last)
{
	static char text[32];

	snprintf(text, sizeof(text), first == last ? "%u" : "%u-%u", first, last);
	return text;
}

#define CPU "devices/system/cpu/cpu%u/"

/* A CPU with an own L1 for data and instructions and a shared cache of @level. */
static void put_cpu(unsigned int cpu, unsigned int core_first, unsigned int core_last,
		    const char *level, unsigned int cache_first, unsigned int cache_last)
{
	put(CPU "topology/core_cpus_list", list(core_first, core_last), cpu);
	put(CPU "topology/physical_package_id", "0", cpu);
	put(CPU "cache/index0/level", "1", cpu);
	put(CPU "cache/index0/type", "Data", cpu);
	put(CPU "cache/index0/shared_cpu_list", list(core_first, core_last), cpu);
	put(CPU "cache/index1/level", "1", cpu);
	put(CPU "cache/index1/type", "Instruction", cpu);
	put(CPU "cache/index1/shared_cpu_list", list(core_first, core_last), cpu);
	put(CPU "cache/index2/level", level, cpu);
	put(CPU "cache/index2/type", "Unified", cpu);
	put(CPU "cache/index2/shared_cpu_list", list(cache_first, cache_last), cpu);
}

static void put_lists(const char *possible, const char *online)
{
	put("devices/system/cpu/possible", possible);
	put("devices/system/cpu/online", online);
}

static void read_ok(uint32_t n_domains)
{
	int ret = mls_topology_read(root, n_domains, &topology, &err);

	if (ret)
		print_message("# %s\n", err.message);
	assert_int_equal(ret, 0);
}

static void expect_description(const char *expected)
{
	char text[256];

	mls_topology_describe(&topology, text, sizeof(text));
	assert_string_equal(text, expected);
}

static void expect_domain(uint32_t domain, const char *expected)
{
	char text[256];

	mls_topology_domain_cpus(&topology, domain, text, sizeof(text));
	assert_string_equal(text, expected);
}

static void put_two_caches_of_four(void)
{
	put_lists("0-7", "0-7");
	for (unsigned int cpu = 0; cpu < 8; cpu++)
		put_cpu(cpu, cpu, cpu, "3", cpu / 4 * 4, cpu / 4 * 4 + 3);
}

static void two_caches_make_two_domains(void **state)
{
	(void)state;
	put_two_caches_of_four();
	read_ok(0);
	assert_int_equal(topology.n_cpus, 8);
	assert_int_equal(topology.n_cores, 8);
	assert_int_equal(topology.n_caches, 2);
	assert_int_equal(topology.n_nodes, 1);
	assert_int_equal(topology.cache_level, 3);
	assert_int_equal(topology.n_domains, 2);
	expect_domain(0, "0-3");
	expect_domain(1, "4-7");
	expect_description("2 domains: the CPUs that share one L3 cache");
}

static void domains_option_overrides_caches(void **state)
{
	(void)state;
	put_two_caches_of_four();
	read_ok(4);
	assert_int_equal(topology.n_domains, 4);
	expect_domain(0, "0-1");
	expect_domain(3, "6-7");
	expect_description("4 domains: groups of neighbouring cores, as many as --domains says "
			   "(8 cores, last-level caches: 2)");
}

static void more_domains_than_cores_are_refused(void **state)
{
	(void)state;
	put_two_caches_of_four();
	assert_int_equal(mls_topology_read(root, 9, &topology, &err), -ERANGE);
	assert_string_equal(err.message, "expected 1 to 8 domains (cores of this machine), got 9");
}

/* They were not more at the start; when the cores are back the domains are, too. */
static void fewer_cores_than_domains_after_a_change_are_a_domain_each(void **state)
{
	(void)state;
	put_two_caches_of_four();
	read_ok(8);
	put_lists("0-7", "0-4,7");
	assert_int_equal(mls_topology_read_again(root, 8, &topology, &err), 0);
	assert_int_equal(topology.n_domains, 6);
	expect_domain(4, "4");
	expect_domain(5, "7");
	put_lists("0-7", "0-7");
	assert_int_equal(mls_topology_read_again(root, 8, &topology, &err), 0);
	assert_int_equal(topology.n_domains, 8);
	assert_int_equal(mls_topology_read_again(root, 2, &topology, &err), 0);
	assert_int_equal(topology.n_domains, 2);
	assert_int_equal(mls_topology_read_again(root, 0, &topology, &err), 0);
	assert_int_equal(topology.n_domains, 2);
	assert_int_equal(mls_topology_read_again(root, MLS_MAX_DOMAINS + 1, &topology, &err),
			 -ERANGE);
}

static void threads_of_a_core_stay_in_one_domain(void **state)
{
	(void)state;
	/* Four cores of two threads, numbered as Linux does on x86: the second threads behind. */
	put_lists("0-7", "0-7");
	for (unsigned int cpu = 0; cpu < 8; cpu++) {
		char threads[32];

		put_cpu(cpu, cpu, cpu, "3", 0, 7);
		snprintf(threads, sizeof(threads), "%u,%u", cpu % 4, cpu % 4 + 4);
		put(CPU "topology/core_cpus_list", threads, cpu);
	}
	read_ok(0);
	assert_int_equal(topology.n_cores, 4);
	assert_int_equal(topology.n_domains, 2);
	expect_domain(0, "0-1,4-5");
	expect_domain(1, "2-3,6-7");
	expect_description("2 domains: groups of neighbouring cores, since all CPUs share one L3 "
			   "cache; --domains N makes other groups");
}

static void older_kernels_name_the_threads_otherwise(void **state)
{
	(void)state;
	put_lists("0-3", "0-3");
	for (unsigned int cpu = 0; cpu < 4; cpu++)
		put(CPU "topology/thread_siblings_list", list(cpu / 2 * 2, cpu / 2 * 2 + 1), cpu);
	read_ok(0);
	assert_int_equal(topology.n_cores, 2);
}

static void nodes_are_numbered_without_gaps(void **state)
{
	(void)state;
	put_two_caches_of_four();
	put("devices/system/node/online", "0,2");
	put("devices/system/node/node0/cpulist", "0-3");
	put("devices/system/node/node2/cpulist", "4-7");
	read_ok(0);
	assert_int_equal(topology.n_nodes, 2);
	assert_int_equal(topology.cpus[3].node, 0);
	assert_int_equal(topology.cpus[4].node, 1);
}

static void groups_follow_nodes_before_cpu_numbers(void **state)
{
	(void)state;
	/* Even CPUs on node 0, odd ones on node 1, one cache as far as sysfs tells. */
	put_lists("0-7", "0-7");
	put("devices/system/node/online", "0-1");
	put("devices/system/node/node0/cpulist", "0,2,4,6");
	put("devices/system/node/node1/cpulist", "1,3,5,7");
	read_ok(2);
	expect_domain(0, "0,2,4,6");
	expect_domain(1, "1,3,5,7");
}

static void seventeen_nodes_are_too_many(void **state)
{
	(void)state;
	put_lists("0-16", "0-16");
	put("devices/system/node/online", "0-16");
	for (unsigned int node = 0; node < 17; node++)
		put("devices/system/node/node%u/cpulist", list(node, node), node);
	assert_int_equal(mls_topology_read(root, 0, &topology, &err), -E2BIG);
	assert_non_null(strstr(err.message, "expected up to 16 NUMA nodes, got 17"));
}

static void offline_cpus_count_in_nothing_but_possible(void **state)
{
	(void)state;
	put_two_caches_of_four();
	put_lists("0-11", "0-2,4-7");
	run("rm -rf %s/devices/system/cpu/cpu3", root);
	for (unsigned int cpu = 0; cpu < 3; cpu++)
		put_cpu(cpu, cpu, cpu, "3", 0, 2);
	read_ok(0);
	assert_int_equal(topology.n_cpus, 12);
	assert_int_equal(topology.n_online, 7);
	assert_int_equal(topology.n_cores, 7);
	assert_true(topology.cpus[3].possible);
	assert_false(topology.cpus[3].online);
	/* It would come up like its neighbour below. */
	assert_int_equal(topology.cpus[3].domain, 0);
	assert_int_equal(topology.cpus[11].domain, 1);
	expect_domain(0, "0-2");
}

static void refresh_sees_cpus_come_and_go(void **state)
{
	bool changed;

	(void)state;
	put_two_caches_of_four();
	read_ok(0);
	assert_int_equal(mls_topology_refresh(root, &topology, &changed, &err), 0);
	assert_false(changed);
	put("devices/system/cpu/online", "0-2,4-7");
	assert_int_equal(mls_topology_refresh(root, &topology, &changed, &err), 0);
	assert_true(changed);
	assert_int_equal(topology.n_online, 7);
	expect_domain(0, "0-2");
}

static void missing_caches_leave_packages(void **state)
{
	(void)state;
	put_lists("0-3", "0-3");
	for (unsigned int cpu = 0; cpu < 4; cpu++)
		put(CPU "topology/physical_package_id", cpu < 2 ? "0" : "3", cpu);
	read_ok(0);
	assert_int_equal(topology.cache_level, 0);
	assert_int_equal(topology.n_domains, 2);
	expect_domain(1, "2-3");
	expect_description("2 domains: the CPUs that share one package (sysfs shows no caches)");
}

static void single_cpu_is_a_single_domain(void **state)
{
	(void)state;
	put_lists("0", "0");
	read_ok(0);
	assert_int_equal(topology.n_domains, 1);
	expect_domain(0, "0");
}

static void many_cores_below_one_cache_make_groups_of_four(void **state)
{
	(void)state;
	put_lists("0-31", "0-31");
	for (unsigned int cpu = 0; cpu < 32; cpu++)
		put_cpu(cpu, cpu, cpu, "3", 0, 31);
	read_ok(0);
	assert_int_equal(topology.n_domains, 8);
	expect_domain(7, "28-31");
}

static void a_thousand_and_twenty_four_cpus_are_read(void **state)
{
	(void)state;
	put_lists("0-1023", "0-1023");
	for (unsigned int cpu = 0; cpu < 1024; cpu++)
		put_cpu(cpu, cpu / 2 * 2, cpu / 2 * 2 + 1, "3", cpu / 8 * 8, cpu / 8 * 8 + 7);
	read_ok(0);
	assert_int_equal(topology.n_cpus, 1024);
	assert_int_equal(topology.n_cores, 512);
	assert_int_equal(topology.n_caches, 128);
	assert_int_equal(topology.n_domains, 64);
	expect_domain(63, "1008-1023");
	expect_description("64 domains: neighbouring caches together, since this machine has 128 "
			   "last-level caches and 64 domains are the limit");
}

static void more_cpus_than_the_limit_are_refused(void **state)
{
	char expected[256];

	(void)state;
	put_lists("0-1024", "0-7");
	assert_int_equal(mls_topology_read(root, 0, &topology, &err), -E2BIG);
	snprintf(
		expected, sizeof(expected),
		"%s/devices/system/cpu/possible: expected a list of CPUs below 1024, got \"0-1024\"",
		root);
	assert_string_equal(err.message, expected);
}

static void missing_sysfs_is_named(void **state)
{
	(void)state;
	assert_int_equal(mls_topology_read(root, 0, &topology, &err), -ENOENT);
	assert_non_null(strstr(err.message, "devices/system/cpu/possible: No such file"));
}

static void cpu_lists_are_parsed_or_refused(void **state)
{
	static const char *const bad[] = { "a", "1-", "-1", "3-1", "1;2", "1-2-3" };
	bool set[MLS_MAX_CPUS];

	(void)state;
	assert_int_equal(mls_cpu_list_parse("0-2,5\n", set), 0);
	assert_true(set[0] && set[1] && set[2] && !set[3] && !set[4] && set[5]);
	assert_int_equal(mls_cpu_list_parse("", set), 0);
	assert_false(set[0]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(mls_cpu_list_parse(bad[i], set), -EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void lists_too_long_end_in_dots(void **state)
{
	char text[MLS_TOPOLOGY_LIST_SIZE], cut[16];
	size_t length = 0;

	(void)state;
	topology = (struct mls_topology){ .n_cpus = MLS_MAX_CPUS, .n_domains = 2 };
	for (uint32_t cpu = 0; cpu < MLS_MAX_CPUS; cpu++) {
		topology.cpus[cpu].online = true;
		topology.cpus[cpu].domain = cpu % 2;
		length += cpu % 2 ? (size_t)snprintf(NULL, 0, ",%u", cpu) : 0;
	}
	mls_topology_domain_cpus(&topology, 1, text, sizeof(text));
	assert_int_equal(strlen(text), length - 1);
	assert_string_equal(text + length - 10, "1021,1023");
	mls_topology_domain_cpus(&topology, 1, cut, sizeof(cut));
	/* "1,3,5,7,9,11,13" would fit, but not that there are more. */
	assert_string_equal(cut, "1,3,5,7,9,...");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(two_caches_make_two_domains),
		TEST(domains_option_overrides_caches),
		TEST(more_domains_than_cores_are_refused),
		TEST(fewer_cores_than_domains_after_a_change_are_a_domain_each),
		TEST(threads_of_a_core_stay_in_one_domain),
		TEST(older_kernels_name_the_threads_otherwise),
		TEST(nodes_are_numbered_without_gaps),
		TEST(groups_follow_nodes_before_cpu_numbers),
		TEST(seventeen_nodes_are_too_many),
		TEST(offline_cpus_count_in_nothing_but_possible),
		TEST(refresh_sees_cpus_come_and_go),
		TEST(missing_caches_leave_packages),
		TEST(single_cpu_is_a_single_domain),
		TEST(lists_too_long_end_in_dots),
		TEST(many_cores_below_one_cache_make_groups_of_four),
		TEST(a_thousand_and_twenty_four_cpus_are_read),
		TEST(more_cpus_than_the_limit_are_refused),
		TEST(missing_sysfs_is_named),
		TEST(cpu_lists_are_parsed_or_refused),
	};

	return cmocka_run_group_tests_name("topology", tests, NULL, NULL);
}
