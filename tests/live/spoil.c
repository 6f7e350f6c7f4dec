// SPDX-License-Identifier: GPL-2.0
/*
 * Spoils what a running mlsched scheduler has in the kernel, from outside.
 *
 *	spoil garbage TIMES   random bytes into both slots of the model, but for the
 *	                      magic number: they still count as models
 *	spoil policy          slices that never end, nobody is ever overdue
 *
 * The BPF program must cope with the first.  The other makes it a bad
 * scheduler, as the kernel's watchdog should find.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "core/load.h"
#include "core/qnet_packed.h"
#include "src/host/scx_state.h"

#define FOR_EVER (1ull << 40) /* ns: 18 minutes */

static void die(const char *what)
{
	fprintf(stderr, "spoil: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* The map of that name with values of at least that size. */
static int find_map(const char *name, size_t value_size)
{
	uint32_t id = 0;

	while (bpf_map_get_next_id(id, &id) == 0) {
		struct bpf_map_info info = { 0 };
		uint32_t size = sizeof(info);
		int fd = bpf_map_get_fd_by_id(id);

		if (fd < 0)
			continue;
		if (bpf_map_get_info_by_fd(fd, &info, &size) != 0)
			die("bpf_map_get_info_by_fd");
		if (strcmp(info.name, name) == 0 && info.value_size >= value_size)
			return fd;
		close(fd);
	}
	fprintf(stderr, "spoil: no map \"%s\" with values of %zu bytes\n", name, value_size);
	exit(1);
}

static void fill(void *to, size_t size)
{
	for (size_t n = 0; n < size;) {
		ssize_t got = getrandom((char *)to + n, size - n, 0);

		if (got < 0)
			die("getrandom");
		n += (size_t)got;
	}
}

static void spoil_slots(long times)
{
	static struct qnet_slot slot;
	int fd = find_map("slots", sizeof(slot));

	for (long i = 0; i < times; i++) {
		for (uint32_t key = 0; key < SCHEDULER_SLOTS; key++) {
			fill(&slot, sizeof(slot));
			slot.magic = QNET_MAGIC;
			if (bpf_map_update_elem(fd, &key, &slot, 0) != 0)
				die("bpf_map_update_elem");
		}
	}
}

static void spoil_policy(void)
{
	/* libbpf's name for it: eight letters of the object's. */
	const size_t end = offsetof(struct scheduler_bpf__data, policy) + sizeof(struct mls_policy);
	int fd = find_map("schedule.data", end);
	struct scheduler_bpf__data *data;

	data = mmap(NULL, end, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (data == MAP_FAILED)
		die("mmap");
	data->policy.slice = FOR_EVER;
	data->policy.slice_min = FOR_EVER;
	data->policy.granularity = FOR_EVER;
	data->policy.limit = FOR_EVER;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "garbage") == 0)
		spoil_slots(atol(argv[2]));
	else if (argc == 2 && strcmp(argv[1], "policy") == 0)
		spoil_policy();
	else
		return 2;
	return 0;
}
