// SPDX-License-Identifier: GPL-2.0
/*
 * Which system calls the daemon may make: a table, and the seccomp filter that is
 * made from it.
 *
 * A table and sixty lines that compile it, instead of a library for it: the rules
 * are few, every one is to be seen here, and nothing more need be installed where
 * mlsched runs.
 *
 * What is not in the table fails with EPERM: libraries probe, and cope.  Only what
 * nobody tries by chance kills (KILL below).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "src/host/sandbox_parts.h"
#include "src/util/array.h"
#include "src/util/error.h"

#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
#define X32_BIT   0x40000000u /* of the numbers of the other calls behind the same entry */
#elif defined(__aarch64__)
#define THIS_ARCH AUDIT_ARCH_AARCH64
#else
#define THIS_ARCH 0
#define UNTRIED   1 /* the table may lack a call that its C library makes */
#endif

#define KILL   SECCOMP_RET_KILL_PROCESS
#define ALLOW  SECCOMP_RET_ALLOW
#define REFUSE (SECCOMP_RET_ERRNO | EPERM)
/* For what libraries have a way around: "this kernel does not know it". */
#define UNKNOWN (SECCOMP_RET_ERRNO | ENOSYS)

/* When a rule is there. */
enum when {
	ALWAYS = 0,
	IF_WRITES, /* something may be written */
	IF_READS_ONLY, /* nothing may */
	IF_STORES, /* something may be written, or stored in files that are open */
	IF_LOADS_BPF,
	IF_PASSES_FILES,
	IF_MAPS_ONLY, /* BPF maps are used, and nothing is loaded */
	IF_NO_CODE, /* no memory may be made executable */
	IF_CODE,
};

/* What must be true of the argument for the rule's action; otherwise REFUSE, or KILL. */
enum check {
	ANY = 0,
	ONE_OF, /* its lower half is one of the values */
	HAS, /* it has all bits of the value */
	LACKS, /* it has none of them */
	IS_NULL,
	OWN_PID,
	MUST_BE, /* its lower half is the value; and then the next rule of the call decides */
};

struct rule {
	int call;
	uint32_t action;
	enum when when;
	uint8_t argument;
	enum check check;
	const uint32_t *values;
	uint32_t n; /* values */
	bool kill; /* what does not pass the check */
};

#define CALL(name)        { .call = SYS_##name, .action = ALLOW }
#define CALL_IF(name, on) { .call = SYS_##name, .action = ALLOW, .when = (on) }
#define DEADLY(name)      { .call = SYS_##name, .action = KILL }
#define LIST(array)       .values = (array), .n = ARRAY_SIZE(array)
#define CHECKED(name, arg, how, ...) \
	{ .call = SYS_##name, .action = ALLOW, .argument = (arg), .check = (how), __VA_ARGS__ }

static const uint32_t writing[] = { O_ACCMODE | O_CREAT | O_TRUNC };
static const uint32_t executable[] = { PROT_EXEC };
static const uint32_t thread[] = { CLONE_THREAD };
static const uint32_t oneself[] = { 0 };
static const uint32_t unix_sockets[] = { AF_UNIX };
/* Not of datagrams: they can be sent to any socket whose path is known. */
static const uint32_t connections[] = { SOCK_STREAM, SOCK_STREAM | SOCK_CLOEXEC,
					SOCK_SEQPACKET | SOCK_CLOEXEC };
static const uint32_t terminal[] = { TCGETS, TIOCGWINSZ };
/*
 * Flags, copies, locks, seals.  Not F_SETOWN and F_SETSIG: a descriptor that becomes ready
 * sends its owner any signal, and where the user is root the owner may be any process.
 */
static const uint32_t descriptor[] = {
	F_GETFD, F_SETFD, F_GETFL,  F_SETFL,     F_DUPFD,     F_DUPFD_CLOEXEC,
	F_GETLK, F_SETLK, F_SETLKW, F_GET_SEALS, F_ADD_SEALS,
};
/* Not PR_GET_SECCOMP: src/formats/hdf5_process.c knows the sandbox by its EPERM. */
static const uint32_t names[] = { PR_SET_NAME, PR_GET_NAME };
/* On maps and programs that are open. */
static const uint32_t bpf_maps[] = {
	BPF_MAP_LOOKUP_ELEM,  BPF_MAP_UPDATE_ELEM,    BPF_MAP_DELETE_ELEM,
	BPF_MAP_GET_NEXT_KEY, BPF_OBJ_GET_INFO_BY_FD, BPF_PROG_TEST_RUN,
};
/* Nothing of others: no pinning, no looking up by id, no attaching to cgroups or the network. */
static const uint32_t bpf_loading[] = {
	BPF_MAP_LOOKUP_ELEM,    BPF_MAP_UPDATE_ELEM, BPF_MAP_DELETE_ELEM, BPF_MAP_GET_NEXT_KEY,
	BPF_OBJ_GET_INFO_BY_FD, BPF_PROG_TEST_RUN,   BPF_MAP_CREATE,      BPF_MAP_FREEZE,
	BPF_BTF_LOAD,           BPF_PROG_LOAD,       BPF_PROG_BIND_MAP,   BPF_LINK_CREATE,
};

static const struct rule rules[] = {
	/* Descriptors that are open. */
	CALL(read),
	CALL(write),
	CALL(readv),
	CALL(writev),
	CALL(pread64),
	CALL(lseek),
	CALL(close),
	CALL(fstat),
	CHECKED(fcntl, 1, ONE_OF, LIST(descriptor)),
	CALL(dup),
	CALL(dup3),
	CALL(getdents64),
	CHECKED(ioctl, 1, ONE_OF, LIST(terminal)),
	/* Waiting. */
	CALL(epoll_create1),
	CALL(epoll_ctl),
	CALL(epoll_pwait),
	CALL(ppoll),
	CALL(timerfd_create),
	CALL(timerfd_settime),
	CALL(timerfd_gettime),
	CALL(signalfd4),
	CALL(eventfd2),
	CALL(inotify_init1),
	CALL(inotify_add_watch),
	CALL(inotify_rm_watch),
	CALL(futex),
	CALL(nanosleep),
	CALL(clock_nanosleep),
	CALL(restart_syscall),
	/* Who is connected to a socket that is there; none is made but pairs, which lead nowhere. */
	CHECKED(socketpair, 0, MUST_BE, LIST(unix_sockets)),
	CHECKED(socketpair, 1, ONE_OF, LIST(connections)),
	CALL(accept4),
	CALL(recvfrom),
	CALL(recvmsg),
	CHECKED(sendto, 4, IS_NULL), /* send() */
	CALL_IF(sendmsg, IF_PASSES_FILES), /* whether it names another socket cannot be seen */
	CALL(getsockopt),
	CALL(setsockopt),
	CALL(getsockname),
	CALL(getpeername),
	CALL(shutdown),
	/* Memory. */
	CALL(brk),
	CALL(munmap),
	CALL(mremap),
	CALL(madvise),
	CALL(memfd_create),
	CALL(membarrier),
	CALL_IF(mmap, IF_CODE),
	CALL_IF(mprotect, IF_CODE),
	CHECKED(mmap, 2, LACKS, LIST(executable), .when = IF_NO_CODE),
	CHECKED(mprotect, 2, LACKS, LIST(executable), .when = IF_NO_CODE),
	/* Threads, of this process only. */
	CHECKED(clone, 0, HAS, LIST(thread), .kill = true),
	{ .call = SYS_clone3, .action = UNKNOWN }, /* its flags cannot be seen: clone() can do it */
	CALL(set_robust_list),
	CALL(rseq),
	CALL(gettid),
	CALL(getpid),
	CALL(sched_yield),
	CALL(sched_getaffinity),
	CALL(getcpu),
	CALL(exit),
	CALL(exit_group),
	CHECKED(sched_setaffinity, 0, ONE_OF, LIST(oneself)),
	CHECKED(prctl, 0, ONE_OF, LIST(names)),
	/* Signals; only to itself, as abort() does. */
	CALL(rt_sigaction),
	CALL(rt_sigprocmask),
	CALL(rt_sigreturn),
	CALL(sigaltstack),
	CHECKED(tgkill, 0, OWN_PID),
	/* Facts. */
	CALL(clock_gettime),
	CALL(clock_getres),
	CALL(gettimeofday),
	CALL(getrusage),
	CALL(sysinfo),
	CALL(uname),
	CALL(getrandom),
	CALL(getuid),
	CALL(geteuid),
	CALL(getgid),
	CALL(getegid),
	CALL(getppid),
	CALL(getcwd),
	CHECKED(prlimit64, 2, IS_NULL),
	/* Files: Landlock says which; without something to write none is opened for it. */
	CALL(newfstatat),
	CALL(statx),
	CALL(faccessat),
	CALL(faccessat2),
	CALL(readlinkat),
	CALL_IF(openat, IF_WRITES),
	CHECKED(openat, 2, LACKS, LIST(writing), .when = IF_READS_ONLY),
	CALL_IF(pwrite64, IF_STORES),
	CALL_IF(pwritev, IF_STORES),
	CALL_IF(fsync, IF_STORES),
	CALL_IF(fdatasync, IF_STORES),
	CALL_IF(ftruncate, IF_STORES),
	CALL_IF(fallocate, IF_STORES),
	CALL_IF(flock, IF_WRITES),
	CALL_IF(unlinkat, IF_WRITES),
	CALL_IF(renameat2, IF_WRITES),
	/* BPF. */
	CHECKED(bpf, 0, ONE_OF, LIST(bpf_maps), .when = IF_MAPS_ONLY),
	CHECKED(bpf, 0, ONE_OF, LIST(bpf_loading), .when = IF_LOADS_BPF),

	/* Another program, another process. */
	DEADLY(execve),
	DEADLY(execveat),
	/* What other processes hold, and ways into them. */
	DEADLY(ptrace),
	DEADLY(process_vm_readv),
	DEADLY(process_vm_writev),
	DEADLY(pidfd_getfd),
	/* The kernel and the machine. */
	DEADLY(init_module),
	DEADLY(finit_module),
	DEADLY(delete_module),
	DEADLY(kexec_load),
	DEADLY(reboot),
	DEADLY(mount),
	DEADLY(umount2),
	DEADLY(pivot_root),
	DEADLY(chroot),
	DEADLY(setns),
	DEADLY(unshare),
	/* Privileges that were given up. */
	DEADLY(setuid),
	DEADLY(setgid),
	DEADLY(setresuid),
	DEADLY(setresgid),
	DEADLY(setgroups),

/* The older calls that some architectures have beside those above. */
#ifdef SYS_open
	CALL_IF(open, IF_WRITES),
	CHECKED(open, 1, LACKS, LIST(writing), .when = IF_READS_ONLY),
#endif
#ifdef SYS_fork
	DEADLY(fork),
	DEADLY(vfork),
#endif
#ifdef SYS_epoll_wait
	CALL(epoll_wait),
	CALL(poll),
	CALL(stat),
	CALL(lstat),
	CALL(access),
	CALL(readlink),
	CALL(dup2),
	CALL(time),
	CALL_IF(unlink, IF_WRITES),
	CALL_IF(rename, IF_WRITES),
#endif
#ifdef SYS_renameat
	CALL_IF(renameat, IF_WRITES),
#endif
#ifdef SYS_kexec_file_load
	DEADLY(kexec_file_load),
#endif
};

/* ---- the compiler ------------------------------------------------------------------- */

#define PROGRAM_MAX 1024

struct program {
	struct sock_filter code[PROGRAM_MAX];
	uint16_t n;
};

static void add(struct program *p, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
	if (p->n < PROGRAM_MAX)
		p->code[p->n++] = (struct sock_filter){ code, yes, no, k };
}

static void load(struct program *p, size_t offset)
{
	add(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void give(struct program *p, uint32_t action)
{
	add(p, BPF_RET | BPF_K, action, 0, 0);
}

/* Both architectures are little endian: the lower half of an argument comes first. */
static size_t lower(uint8_t argument)
{
	return offsetof(struct seccomp_data, args) + 8u * argument;
}

/* All ways end in a return, or of MUST_BE behind it, with the call's number loaded. */
static void add_check(struct program *p, const struct rule *rule)
{
	const uint32_t otherwise = rule->kill ? KILL : REFUSE;

	if (rule->check == IS_NULL) {
		load(p, lower(rule->argument) + 4);
		add(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
		give(p, otherwise);
	}
	load(p, lower(rule->argument));
	switch (rule->check) {
	case HAS:
	case LACKS:
		add(p, BPF_ALU | BPF_AND | BPF_K, rule->values[0], 0, 0);
		add(p, BPF_JMP | BPF_JEQ | BPF_K, rule->check == HAS ? rule->values[0] : 0, 0, 1);
		give(p, rule->action);
		break;
	case MUST_BE:
		add(p, BPF_JMP | BPF_JEQ | BPF_K, rule->values[0], 1, 0);
		give(p, otherwise);
		load(p, offsetof(struct seccomp_data, nr));
		return;
	case ONE_OF:
		for (uint32_t i = 0; i < rule->n; i++) {
			add(p, BPF_JMP | BPF_JEQ | BPF_K, rule->values[i], 0, 1);
			give(p, rule->action);
		}
		break;
	case OWN_PID:
	case IS_NULL:
	default:
		add(p, BPF_JMP | BPF_JEQ | BPF_K, rule->check == OWN_PID ? (uint32_t)getpid() : 0,
		    0, 1);
		give(p, rule->action);
		break;
	}
	give(p, otherwise);
}

static void add_rule(struct program *p, const struct rule *rule)
{
	uint16_t jump = p->n;

	add(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)rule->call, 0, 0);
	if (rule->check == ANY)
		give(p, rule->action);
	else
		add_check(p, rule);
	p->code[jump].jf = (uint8_t)(p->n - jump - 1);
}

static bool applies(const struct rule *rule, const struct mls_sandbox_options *options)
{
	switch (rule->when) {
	case IF_WRITES:
		return options->writable != NULL;
	case IF_READS_ONLY:
		return options->writable == NULL;
	case IF_STORES:
		return options->writable != NULL || options->stores;
	case IF_LOADS_BPF:
		return options->loads_bpf;
	case IF_PASSES_FILES:
		return options->passes_files;
	case IF_MAPS_ONLY:
		return !options->loads_bpf;
	case IF_CODE:
		return options->makes_code;
	case IF_NO_CODE:
		return !options->makes_code;
	case ALWAYS:
	default:
		return true;
	}
}

static void compile(struct program *p, const struct mls_sandbox_options *options)
{
	/* Another architecture's calls have other numbers. */
	load(p, offsetof(struct seccomp_data, arch));
	add(p, BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCH, 1, 0);
	give(p, KILL);
	load(p, offsetof(struct seccomp_data, nr));
#ifdef X32_BIT
	add(p, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
	give(p, KILL);
#endif
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		if (applies(&rules[i], options))
			add_rule(p, &rules[i]);
	}
	give(p, REFUSE);
}

#if defined(MLS_SANITIZED) || defined(UNTRIED)
/* A sanitizer's leak checker starts a process that looks into this one. */
static bool possible(void)
{
	return false;
}
#else
/* Whether the kernel can kill the process, which it has known since it has had filters here. */
static bool possible(void)
{
	const uint32_t action = KILL;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}
#endif

int mls_sandbox_calls(const struct mls_sandbox_options *options, struct mls_sandbox_report *report,
		      struct mlsched_error *err)
{
	struct sock_fprog filter;
	struct program *p;
	int ret = 0;

	errno = ENOSYS;
	if (!possible()) {
		mls_sandbox_lacks(report, "seccomp", errno);
		return 0;
	}
	p = calloc(1, sizeof(*p));
	if (!p)
		return mls_error(err, -ENOMEM, "no memory for the filter of system calls");
	compile(p, options);
	filter = (struct sock_fprog){ .len = p->n, .filter = p->code };
	if (p->n == PROGRAM_MAX)
		ret = mls_error(err, -E2BIG, "the filter of system calls has too many rules");
	else if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0)
		ret = mls_error(err, -errno, "the filter of system calls: %s", strerror(errno));
	else
		report->filtered = true;
	free(p);
	return ret;
}
