// SPDX-License-Identifier: GPL-2.0
/*
 * Puts the sandbox together, and drops the capabilities.  sandbox_files.c has the
 * files, sandbox_calls.c the system calls.
 */
#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "src/host/sandbox.h"
#include "src/host/sandbox_parts.h"
#include "src/util/error.h"

#define BIT64(n) (1ull << (n))
/* Root is an ordinary user, and none of this can be undone. */
#define SECUREBITS                                                                               \
	(SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |                         \
	 SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE | \
	 SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)

void mls_sandbox_lacks(struct mls_sandbox_report *report, const char *what, int error)
{
	size_t used = strlen(report->missing);

	snprintf(report->missing + used, sizeof(report->missing) - used, "%s%s: %s",
		 used ? "; " : "", what, strerror(error));
}

/* Where /proc is missing nobody can say: taken as one. */
static int count_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	const struct dirent *entry;
	int n = 0;

	if (!dir)
		return 1;
	while ((entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

static int get_capabilities(struct __user_cap_data_struct sets[2])
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return syscall(SYS_capget, &header, sets) == 0 ? 0 : -errno;
}

static int set_capabilities(const struct __user_cap_data_struct sets[2])
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return syscall(SYS_capset, &header, sets) == 0 ? 0 : -errno;
}

/*
 * Kernels before 5.19 refuse every use of bpf(), also of maps that are open, to
 * whoever lacks CAP_BPF, if unprivileged BPF is disabled.  Asked without it: a
 * descriptor that is none is EBADF when bpf() may be used at all.
 */
static bool maps_need_capability(void)
{
	struct __user_cap_data_struct before[2], without[2];
	struct bpf_map_info info;
	uint32_t size = sizeof(info);
	bool needed;

	if (get_capabilities(before))
		return true;
	memcpy(without, before, sizeof(without));
	without[CAP_BPF / 32].effective &= ~(1u << CAP_BPF % 32);
	if (set_capabilities(without))
		return true;
	needed = bpf_obj_get_info_by_fd(-1, &info, &size) == -EPERM;
	return set_capabilities(before) || needed;
}

/* What struct_ops programs, their maps and their link need of a kernel from 6.12 on. */
static uint64_t kept(const struct mls_sandbox_options *options)
{
	if (options->loads_bpf)
		return BIT64(CAP_BPF) | BIT64(CAP_PERFMON);
	return maps_need_capability() ? BIT64(CAP_BPF) : 0;
}

/*
 * The bounding set and the bits matter to who executes programs: nobody here.  Not
 * everybody may change them, and that is no reason to stop.
 */
static void close_ways_back(struct mls_sandbox_report *report)
{
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0) {
			mls_sandbox_lacks(report, "bounding set", errno);
			break;
		}
	}
	if (prctl(PR_SET_SECUREBITS, SECUREBITS, 0, 0, 0) != 0)
		mls_sandbox_lacks(report, "securebits", errno);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

static int drop_capabilities(uint64_t keep, struct mls_sandbox_report *report,
			     struct mlsched_error *err)
{
	struct __user_cap_data_struct sets[2];
	int ret = get_capabilities(sets);

	if (ret)
		return mls_error(err, ret, "reading the capabilities: %s", strerror(-ret));
	for (int i = 0; i < 2; i++) {
		sets[i].permitted &= (uint32_t)(keep >> 32 * i);
		sets[i].effective = sets[i].permitted;
		sets[i].inheritable = 0;
		report->capabilities |= (uint64_t)sets[i].permitted << 32 * i;
	}
	close_ways_back(report);
	ret = set_capabilities(sets);
	return ret ? mls_error(err, ret, "dropping the capabilities: %s", strerror(-ret)) : 0;
}

int mls_sandbox_enter(const struct mls_sandbox_options *options, struct mls_sandbox_report *report,
		      struct mlsched_error *err)
{
	int threads = count_threads(), ret;

	*report = (struct mls_sandbox_report){ 0 };
	/* The capabilities of the others could not be dropped from here. */
	if (threads > 1)
		return mls_error(err, -EBUSY, "the sandbox: expected one thread, found %d",
				 threads);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return mls_error(err, -errno, "no_new_privs: %s", strerror(errno));
	ret = mls_sandbox_files(options, report, err);
	if (!ret)
		ret = drop_capabilities(kept(options), report, err);
	if (!ret)
		ret = mls_sandbox_calls(options, report, err);
	return ret;
}
