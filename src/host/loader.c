// SPDX-License-Identifier: GPL-2.0
/*
 * What the loaders of the recorder and of the scheduler share.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "core/load.h"
#include "src/host/loader.h"
#include "src/util/array.h"
#include "src/util/error.h"

/* Above this many CPUs in a domain its load is computed at most so often in a half-life. */
#define DOMAIN_SMALL       16
#define REFRESHES_PER_HALF 256

int mls_loader_check_half_life(uint64_t half_life, struct mlsched_error *err)
{
	if (half_life >= MLS_LOAD_MIN_HALF_LIFE && half_life <= MLS_LOAD_MAX_HALF_LIFE)
		return 0;
	return mls_error(err, -ERANGE, "expected a half-life of %llu to %llu ms, got %.3f ms",
			 MLS_LOAD_MIN_HALF_LIFE / 1000000, MLS_LOAD_MAX_HALF_LIFE / 1000000,
			 (double)half_life / 1e6);
}

uint64_t mls_loader_refresh(uint32_t largest, uint64_t half_life)
{
	return largest > DOMAIN_SMALL ? half_life / REFRESHES_PER_HALF : 0;
}

bool mls_loader_has_may_goto(void)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_JMP | BPF_JCOND },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = BPF_F_SLEEPABLE);
	int fd = bpf_prog_load(BPF_PROG_TYPE_SYSCALL, NULL, "GPL", insns, ARRAY_SIZE(insns), &opts);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

const char *mls_loader_last_line(char *log)
{
	char *line, *found = log;

	for (line = strtok(log, "\n"); line; line = strtok(NULL, "\n")) {
		if (strncmp(line, "processed ", 10) != 0)
			found = line;
	}
	return found;
}
