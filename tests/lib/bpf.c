// SPDX-License-Identifier: GPL-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <cmocka.h>

#include "tests/lib/bpf.h"

const char *test_no_bpf(void)
{
	int fd;

	if (geteuid() != 0)
		return "needs root to load BPF programs";
	if (access("/sys/kernel/btf/vmlinux", R_OK))
		return "the kernel has no BTF";
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, NULL, 4, 4, 1, NULL);
	if (fd < 0)
		return "bpf() is refused";
	close(fd);
	return NULL;
}

void test_skip_without_bpf(void)
{
	const char *reason = test_no_bpf();

	if (reason) {
		print_message("# %s\n", reason);
		skip();
	}
}
