// SPDX-License-Identifier: GPL-2.0
/*
 * What the process that runs libhdf5 gives up.
 *
 * The filter is as short as it can be: a list of calls without any argument that would
 * have to be looked at but two.  (The daemon's, src/host/sandbox_calls.c, is another
 * one: it is for a program that goes on doing many things.)  What is not in it fails
 * with EPERM, so that a library which probes for something copes.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "src/formats/hdf5_child/limits.h"
#include "src/formats/hdf5_protocol.h"

#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCH AUDIT_ARCH_AARCH64
#endif

/* What the library and those that it brings along take themselves, with room. */
#define OWN_DATA  ((size_t)64 << 20)
#define OWN_SPACE ((size_t)512 << 20)
/* Of a starter: its own four, and three of each process and of the next order. */
#define STARTER_FILES (4 + MLS_H5_ORDER_FILES * (MLS_H5_STARTED + 1))
/* As of everything that reads a model. */
#define UNFOLD 8

static void limit(int what, rlim_t soft, rlim_t hard)
{
	struct rlimit now;

	if (getrlimit(what, &now) != 0)
		return;
	hard = hard < now.rlim_max ? hard : now.rlim_max;
	soft = soft < hard ? soft : hard;
	now = (struct rlimit){ .rlim_cur = soft, .rlim_max = hard };
	setrlimit(what, &now);
}

void mls_limit_resources(unsigned int cpu_s, size_t file_size)
{
	size_t data = OWN_DATA + UNFOLD * file_size;

	limit(RLIMIT_CORE, 0, 0);
	limit(RLIMIT_CPU, cpu_s, cpu_s + 1);
	limit(RLIMIT_DATA, data, data);
	limit(RLIMIT_AS, OWN_SPACE + data, OWN_SPACE + data);
	limit(RLIMIT_FSIZE, 0, 0);
	limit(RLIMIT_NPROC, 0, 0);
	limit(RLIMIT_MEMLOCK, 0, 0);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	/* It ends with whoever waits for its answers, even while it waits for something itself. */
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}

#ifdef THIS_ARCH
/* Both architectures are little endian: the lower half of an argument comes first. */
#define NUMBER       offsetof(struct seccomp_data, nr)
#define ARGUMENT(n)  (offsetof(struct seccomp_data, args) + 8 * (n))
#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
#define GIVE(action) BPF_STMT(BPF_RET | BPF_K, (action))
#define ALLOW(name)  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), GIVE(SECCOMP_RET_ALLOW)
#define REFUSE       (SECCOMP_RET_ERRNO | EPERM)
/* Memory that is not executable: five instructions when it is the call. */
#define UNLESS_EXEC(name)                                                            \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 4), LOAD(ARGUMENT(2)),    \
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1), GIVE(REFUSE), \
		GIVE(SECCOMP_RET_ALLOW)

/* A copy of oneself, as fork() makes it: in no namespace of its own, with no memory in common. */
#define FORK_FLAGS (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)
#define FORK                                                                                 \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 5), LOAD(ARGUMENT(0)),             \
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~(uint32_t)FORK_FLAGS),                  \
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SIGCHLD, 0, 1), GIVE(SECCOMP_RET_ALLOW), \
		GIVE(REFUSE)
/* Another architecture's calls have other numbers, x32's are too high to be here. */
#define BEGIN                                                         \
	LOAD(offsetof(struct seccomp_data, arch)),                    \
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCH, 1, 0), \
		GIVE(SECCOMP_RET_KILL_PROCESS), LOAD(NUMBER)

/* Memory; locks and clocks of the library; its own end. All else is refused. */
#define END                                                                              \
	ALLOW(brk), ALLOW(munmap), ALLOW(mremap), ALLOW(madvise), ALLOW(futex),          \
		ALLOW(clock_gettime), ALLOW(gettimeofday), ALLOW(getpid), ALLOW(gettid), \
		ALLOW(rt_sigprocmask), ALLOW(exit_group), UNLESS_EXEC(mmap),             \
		UNLESS_EXEC(mprotect), GIVE(REFUSE)

static const struct sock_filter calls[] = {
	BEGIN,
	/* The socket: nothing else is open. */
	ALLOW(read),
	ALLOW(write),
	END,
};

/* What those above and itself need until they have limited themselves, and nothing that opens or executes. */
static const struct sock_filter starter_calls[] = {
	BEGIN,
	/* Orders, answers. */
	ALLOW(read),
	ALLOW(write),
	ALLOW(recvmsg),
	ALLOW(sendto),
	ALLOW(ppoll),
	/* Processes. */
	FORK,
	ALLOW(getppid),
	ALLOW(set_robust_list),
	ALLOW(waitid),
	ALLOW(kill),
	ALLOW(pidfd_open),
	/* Their descriptors. */
	ALLOW(dup3),
	ALLOW(close),
	ALLOW(close_range),
	ALLOW(fstat),
	ALLOW(newfstatat),
	/* Their limits. */
	ALLOW(prlimit64),
	ALLOW(prctl),
	ALLOW(seccomp),
/* The older calls that some architectures have beside those above. */
#ifdef SYS_poll
	ALLOW(poll),
	ALLOW(dup2),
	ALLOW(getrlimit),
	ALLOW(setrlimit),
#endif
	END,
};

static int filter(const struct sock_filter *rules, size_t n)
{
	const struct sock_fprog program = {
		.len = (unsigned short)n,
		.filter = (struct sock_filter *)(uintptr_t)rules,
	};

	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0)
		return 0;
	return errno == ENOSYS || errno == EINVAL ? 0 : -errno;
}
#define FILTER(rules) filter(rules, sizeof(rules) / sizeof((rules)[0]))
#else
#define FILTER(rules) 0
#endif

int mls_limit_calls(void)
{
	/* Nothing more can be opened, whatever the filter, and what is open stays usable. */
	limit(RLIMIT_NOFILE, 0, 0);
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? FILTER(calls) : -errno;
}

int mls_limit_starter(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct none[2] = { { 0 } };

	limit(RLIMIT_CORE, 0, 0);
	limit(RLIMIT_NOFILE, STARTER_FILES, STARTER_FILES);
	limit(RLIMIT_FSIZE, 0, 0);
	limit(RLIMIT_MEMLOCK, 0, 0);
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 ||
	    syscall(SYS_capset, &header, none) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -errno;
	return FILTER(starter_calls);
}
