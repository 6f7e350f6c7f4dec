// SPDX-License-Identifier: GPL-2.0
#include <stddef.h>
#include <unistd.h>

#include <bpf/bpf.h>

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
