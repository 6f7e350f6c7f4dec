// SPDX-License-Identifier: GPL-2.0
/*
 * The sandbox of `mlsched run`, from inside: each attempt is made in a process of
 * its own that has entered it, and ends as the table says.  Needs no privileges, and
 * drops them where it has some; tests/vm/test_sandbox.sh runs it as root in a guest.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <mlsched/model.h>

#include "src/formats/format.h"
#include "src/formats/hdf5_starter.h"
#include "src/host/sandbox.h"
#include "src/util/array.h"

/* How an attempt ends: 0, an errno, or this and a signal. */
#define DIES(by) (256 + (by))

static char root[64], models[96], out[96], model[128], outside[128], leads_out[128],
	keras_model[128];
static int open_before = -1; /* a file outside, open for writing */
static int listening = -1; /* a Unix socket below out, with one in its queue */
static struct mls_sandbox_report in_force;
static struct mls_h5_starter starter;

static const char *const *readable(void)
{
	static const char *paths[3];

	paths[0] = "/sys";
	paths[1] = models;
	return paths;
}

static const char *const *writable(void)
{
	static const char *paths[2];

	paths[0] = out;
	return paths;
}

/* As the daemon is with --backend shadow, with scx, and when it records. */
static struct mls_sandbox_options shadow(void)
{
	return (struct mls_sandbox_options){ .readable = readable() };
}

static struct mls_sandbox_options scx(void)
{
	return (struct mls_sandbox_options){ .readable = readable(), .loads_bpf = true };
}

static struct mls_sandbox_options recording(void)
{
	return (struct mls_sandbox_options){ .readable = readable(), .writable = writable() };
}

/* What mlsched record and mlsched run --record do: their files are open already. */
static struct mls_sandbox_options storing(void)
{
	return (struct mls_sandbox_options){ .readable = readable(), .stores = true };
}

/* What mlsched run --watch hands to the process that starts readers of Keras files. */
static struct mls_sandbox_options watching(void)
{
	return (struct mls_sandbox_options){ .readable = readable(), .passes_files = true };
}

static struct mls_sandbox_options watching_scx(void)
{
	struct mls_sandbox_options options = scx();

	options.passes_files = true;
	return options;
}

static struct mls_sandbox_options tensorflow(void)
{
	return (struct mls_sandbox_options){ .readable = readable(), .makes_code = true };
}

/* ---- one attempt ---------------------------------------------------------------- */

static int result(long ret)
{
	return ret < 0 ? errno : 0;
}

static int ending(pid_t child)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? DIES(WTERMSIG(status)) : WEXITSTATUS(status);
}

static int attempt(struct mls_sandbox_options options, int (*act)(void))
{
	const struct rlimit no_core = { 0, 0 };
	struct mlsched_error err;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child)
		return ending(child);
	setrlimit(RLIMIT_CORE, &no_core);
	if (mls_sandbox_enter(&options, &in_force, &err) != 0) {
		dprintf(STDERR_FILENO, "%s\n", err.message);
		_exit(255);
	}
	_exit(act());
}

struct attempt {
	const char *name;
	int (*act)(void);
	struct mls_sandbox_options (*as)(void); /* NULL: shadow */
	int ends;
};

static void try_all(const struct attempt *attempts, size_t n)
{
	int wrong = 0;

	for (size_t i = 0; i < n; i++) {
		int found = attempt(attempts[i].as ? attempts[i].as() : shadow(), attempts[i].act);

		if (found == attempts[i].ends)
			continue;
		wrong++;
		print_error("%s: expected %d, found %d (errno, or 256 and a signal)\n",
			    attempts[i].name, attempts[i].ends, found);
	}
	assert_int_equal(wrong, 0);
}

static void needs_filter(void)
{
	if (in_force.filtered)
		return;
	print_message("# no filter of system calls: %s\n", in_force.missing);
	skip();
}

static void needs_landlock(void)
{
	if (in_force.landlock)
		return;
	print_message("# no Landlock: %s\n", in_force.missing);
	skip();
}

/* ---- other programs, processes, and the machine ------------------------------------ */

static char *const shell[] = { (char *)"/bin/sh", (char *)"-c", (char *)"exit 77", NULL };

static int exec_shell(void)
{
	return result(execv(shell[0], shell));
}

static int exec_shell_at(void)
{
	return result(syscall(SYS_execveat, AT_FDCWD, shell[0], shell, NULL, 0));
}

static int system_shell(void)
{
	return system("exit 77") == 0 ? 0 : 78;
}

static int spawn_shell(void)
{
	pid_t pid;

	return posix_spawn(&pid, shell[0], NULL, NULL, shell, NULL);
}

static int fork_itself(void)
{
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	return result(child);
}

static int trace_others(void)
{
	return result(ptrace(PTRACE_ATTACH, getppid(), 0, 0));
}

static int read_parents_memory(void)
{
	char text[8];
	struct iovec to = { text, sizeof(text) }, from = { root, sizeof(text) };

	return result(process_vm_readv(getppid(), &to, 1, &from, 1, 0));
}

static int load_module(void)
{
	return result(syscall(SYS_init_module, "", 0, ""));
}

static int mount_something(void)
{
	return result(mount("none", out, "tmpfs", 0, NULL));
}

static int new_namespace(void)
{
	return result(unshare(CLONE_NEWUSER));
}

static int become_root(void)
{
	return result(syscall(SYS_setuid, 0));
}

static int change_root(void)
{
	return result(chroot(root));
}

#ifdef __x86_64__
/* getpid() by the entry for 32-bit programs, whose numbers mean something else. */
static int call_as_i386(void)
{
	long ret;

	__asm__ volatile("int $0x80" : "=a"(ret) : "a"(20) : "memory", "r8", "r9", "r10", "r11");
	return ret > 0 ? 0 : 1;
}

static int call_as_x32(void)
{
	return result(syscall(0x40000000 | SYS_getpid));
}
#endif

static void no_shell_no_process_no_module(void **state)
{
	static const struct attempt attempts[] = {
		{ "execve of a shell", exec_shell, NULL, DIES(SIGSYS) },
		{ "execve of a shell with scx", exec_shell, scx, DIES(SIGSYS) },
		{ "execve of a shell while recording", exec_shell, recording, DIES(SIGSYS) },
		{ "execve of a shell with TensorFlow", exec_shell, tensorflow, DIES(SIGSYS) },
		{ "execveat of a shell", exec_shell_at, NULL, DIES(SIGSYS) },
		{ "system()", system_shell, NULL, DIES(SIGSYS) },
		{ "posix_spawn()", spawn_shell, NULL, DIES(SIGSYS) },
		{ "fork()", fork_itself, NULL, DIES(SIGSYS) },
		{ "ptrace()", trace_others, NULL, DIES(SIGSYS) },
		{ "process_vm_readv()", read_parents_memory, NULL, DIES(SIGSYS) },
		{ "init_module()", load_module, NULL, DIES(SIGSYS) },
		{ "mount()", mount_something, NULL, DIES(SIGSYS) },
		{ "unshare()", new_namespace, NULL, DIES(SIGSYS) },
		{ "setuid()", become_root, NULL, DIES(SIGSYS) },
		{ "chroot()", change_root, NULL, DIES(SIGSYS) },
#ifdef __x86_64__
		{ "a call of i386", call_as_i386, NULL, DIES(SIGSYS) },
		{ "a call of x32", call_as_x32, NULL, DIES(SIGSYS) },
#endif
	};

	(void)state;
	needs_filter();
	try_all(attempts, ARRAY_SIZE(attempts));
}

/* ---- what fails and lets live -------------------------------------------------------- */

static int make_inet_socket(void)
{
	return result(socket(AF_INET, SOCK_STREAM, 0));
}

static int make_unix_socket(void)
{
	return result(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int signal_parent(void)
{
	return result(kill(getppid(), 0));
}

static int signal_parents_thread(void)
{
	return result(syscall(SYS_tgkill, getppid(), getppid(), 0));
}

/* What a descriptor that becomes ready is told to do: the sender is the kernel. */
static int signal_by_descriptor(void)
{
	const int signal = SIGKILL;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		return 78;
	return result(fcntl(pair[0], F_SETSIG, signal));
}

static int own_descriptor_to_parent(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		return 78;
	return result(fcntl(pair[0], F_SETOWN, getppid()));
}

static int map_executable(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? errno : 0;
}

static int make_executable(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? 1 : result(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}

static int raise_limit(void)
{
	const struct rlimit limit = { 0, 0 };

	return result(setrlimit(RLIMIT_NOFILE, &limit));
}

static int change_mode(void)
{
	return result(chmod(model, 0777));
}

static int move_away(void)
{
	return result(rename(model, leads_out));
}

static int become_realtime(void)
{
	const struct sched_param param = { .sched_priority = 1 };

	return result(sched_setscheduler(0, SCHED_FIFO, &param));
}

static int type_into_terminal(void)
{
	return result(syscall(SYS_ioctl, 0, 0x5412 /* TIOCSTI */, "x"));
}

static int count_cycles(void)
{
	char attr[128] = { 0 };

	return result(syscall(SYS_perf_event_open, attr, 0, -1, -1, 0));
}

static int change_securebits(void)
{
	return result(prctl(PR_SET_SECUREBITS, 0, 0, 0, 0));
}

static int regain_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[2] = { 0 };

	return result(syscall(SYS_capset, &header, sets));
}

static int use_clone3(void)
{
	return result(syscall(SYS_clone3, NULL, 0));
}

static int bpf_call(int command)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	return result(syscall(SYS_bpf, command, &attr, sizeof(attr)));
}

static int load_program(void)
{
	return bpf_call(BPF_PROG_LOAD);
}

static int open_pinned(void)
{
	return bpf_call(BPF_OBJ_GET);
}

static int others_program(void)
{
	return bpf_call(BPF_PROG_GET_FD_BY_ID);
}

static int attach_to_cgroup(void)
{
	return bpf_call(BPF_PROG_ATTACH);
}

static int write_to(const char *path, int flags)
{
	int fd = open(path, flags, 0600);

	if (fd < 0)
		return errno;
	return write(fd, "x", 1) == 1 ? 0 : 79;
}

static int write_outside(void)
{
	return write_to(outside, O_WRONLY);
}

static int truncate_by_open(void)
{
	return result(open(outside, O_RDONLY | O_TRUNC));
}

static int create_outside(void)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/created", root);
	return write_to(path, O_WRONLY | O_CREAT);
}

static int write_model(void)
{
	return write_to(model, O_RDWR);
}

static int remove_outside(void)
{
	return result(unlink(outside));
}

/* Of a file that was open before; as a database writes. */
static int store(void)
{
	if (pwrite(open_before, "x", 1, 8192) != 1 || fdatasync(open_before) != 0 ||
	    ftruncate(open_before, 16384) != 0)
		return errno;
	return 0;
}

/* libhdf5 is given a process of its own, and there is no way to one: no reason to die. */
static int read_keras_model(void)
{
	struct mlsched_model *loaded;
	struct mlsched_error err;
	int ret = mlsched_model_load(keras_model, &err, &loaded);

	return ret == -ENOTSUP && strstr(err.message, "the sandbox of a running scheduler") ? 81 :
	       ret                                                                          ? 80 :
											      0;
}

/* The starter was there before: its process comes as far as libhdf5, which says that this is no HDF5 file. */
static int read_keras_model_started(void)
{
	struct mlsched_model *loaded;
	struct mlsched_error err;
	int ret = mls_model_load_by(keras_model, &starter, &err, &loaded);

	return ret == -EINVAL && strstr(err.message, "libhdf5 says") ? 0 : 80;
}

static int make_pair(void)
{
	int pair[2];

	return result(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
}

static int make_inet_pair(void)
{
	int pair[2];

	return result(socketpair(AF_INET, SOCK_STREAM, 0, pair));
}

static int make_datagram_pair(void)
{
	int pair[2];

	return result(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
}

/* As to systemd: connected before, but a datagram can name another place. */
static int datagrams = -1;

static int send_where_it_is_connected(void)
{
	return send(datagrams, "x", 1, 0) == 1 ? 0 : errno;
}

static int send_elsewhere(void)
{
	const struct sockaddr_un other = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };

	return sendto(datagrams, "x", 1, 0, (const struct sockaddr *)&other, sizeof(other)) == 1 ?
		       0 :
		       errno;
}

static int send_message_elsewhere(void)
{
	struct sockaddr_un other = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
	const struct msghdr message = { .msg_name = &other, .msg_namelen = sizeof(other) };

	return sendmsg(datagrams, &message, 0) == 0 ? 0 : errno;
}

static void datagrams_go_where_they_went_before(void **state)
{
	static const struct attempt attempts[] = {
		{ "send() of a datagram", send_where_it_is_connected, scx, 0 },
		{ "a datagram to another socket", send_elsewhere, scx, EPERM },
		{ "a message to another socket", send_message_elsewhere, scx, EPERM },
		{ "a pair of sockets for datagrams", make_datagram_pair, scx, EPERM },
	};
	int pair[2];

	(void)state;
	needs_filter();
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	datagrams = pair[0];
	try_all(attempts, ARRAY_SIZE(attempts));
	close(pair[0]);
	close(pair[1]);
}

static void a_starter_reads_keras_files_in_the_sandbox(void **state)
{
	static const struct attempt attempts[] = {
		{ "a Keras model with a starter", read_keras_model_started, watching, 0 },
		{ "a Keras model with a starter and scx", read_keras_model_started, watching_scx,
		  0 },
	};
	struct mlsched_error err;
	int ret = mls_keras_ahead(&starter, &err);

	(void)state;
	if (ret == -ENOTSUP) {
		print_message("# SKIP %s\n", err.message);
		skip();
	}
	if (ret)
		fail_msg("%s", err.message);
	try_all(attempts, ARRAY_SIZE(attempts));
	mls_h5_starter_close(&starter);
}

static void forbidden_calls_fail(void **state)
{
	static const struct attempt attempts[] = {
		{ "an Internet socket", make_inet_socket, NULL, EPERM },
		{ "a Unix socket", make_unix_socket, NULL, EPERM },
		{ "a pair of other sockets", make_inet_pair, NULL, EPERM },
		{ "kill() of another process", signal_parent, NULL, EPERM },
		{ "tgkill() of another process", signal_parents_thread, NULL, EPERM },
		{ "a signal by a descriptor", signal_by_descriptor, scx, EPERM },
		{ "a descriptor that another process owns", own_descriptor_to_parent, scx, EPERM },
		{ "executable memory", map_executable, NULL, EPERM },
		{ "memory made executable", make_executable, NULL, EPERM },
		{ "setrlimit()", raise_limit, NULL, EPERM },
		{ "chmod()", change_mode, recording, EPERM },
		{ "rename() with nothing to write", move_away, NULL, EPERM },
		{ "real-time priority", become_realtime, scx, EPERM },
		{ "typing into a terminal", type_into_terminal, NULL, EPERM },
		{ "perf_event_open()", count_cycles, scx, EPERM },
		{ "other securebits", change_securebits, NULL, EPERM },
		{ "other capabilities", regain_capabilities, scx, EPERM },
		{ "a Keras model", read_keras_model, NULL, 81 },
		{ "a Keras model with scx", read_keras_model, scx, 81 },
		{ "clone3(), which has a way around", use_clone3, NULL, ENOSYS },
		{ "loading BPF with shadow", load_program, NULL, EPERM },
		{ "a pinned BPF object", open_pinned, scx, EPERM },
		{ "another's BPF program", others_program, scx, EPERM },
		{ "BPF at a cgroup", attach_to_cgroup, scx, EPERM },
		/* Without Landlock, too. */
		{ "open() for writing", write_outside, NULL, EPERM },
		{ "open() for writing with a recording", write_outside, storing, EPERM },
		{ "removing a file with a recording", remove_outside, storing, EPERM },
		{ "writing at a place of an open file", store, NULL, EPERM },
		{ "open() that empties a file", truncate_by_open, NULL, EPERM },
		{ "open() that makes a file", create_outside, scx, EPERM },
		{ "open() of the model for writing", write_model, NULL, EPERM },
	};

	(void)state;
	needs_filter();
	try_all(attempts, ARRAY_SIZE(attempts));
}

/* ---- files ------------------------------------------------------------------------------- */

static int read_passwords(void)
{
	return result(open("/etc/passwd", O_RDONLY));
}

static int read_own_memory(void)
{
	return result(open("/proc/self/mem", O_RDONLY));
}

static int read_outside(void)
{
	return result(open(outside, O_RDONLY));
}

static int read_by_dots(void)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/../file", models);
	return result(open(path, O_RDONLY));
}

static int read_by_link(void)
{
	return result(open(leads_out, O_RDONLY));
}

static int list_root(void)
{
	return opendir("/") ? 0 : errno;
}

static int write_sysfs(void)
{
	return write_to("/sys/devices/system/cpu/uevent", O_WRONLY);
}

static int move_model_out(void)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/model", out);
	return result(rename(model, path));
}

static int write_device(void)
{
	return write_to("/dev/null", O_WRONLY);
}

static void files_outside_stay_closed(void **state)
{
	static const struct attempt attempts[] = {
		{ "reading /etc/passwd", read_passwords, NULL, EACCES },
		{ "reading /etc/passwd with scx", read_passwords, scx, EACCES },
		{ "reading /proc/self/mem", read_own_memory, NULL, EACCES },
		{ "reading a file beside the models", read_outside, NULL, EACCES },
		{ "reading it through ..", read_by_dots, NULL, EACCES },
		{ "reading it through a symbolic link", read_by_link, NULL, EACCES },
		{ "listing the root", list_root, NULL, EACCES },
		{ "writing a file outside", write_outside, recording, EACCES },
		{ "making a file outside", create_outside, recording, EACCES },
		{ "writing the model", write_model, recording, EACCES },
		{ "writing in sysfs", write_sysfs, recording, EACCES },
		{ "writing to a device", write_device, recording, EACCES },
		{ "removing a file outside", remove_outside, recording, EACCES },
		{ "moving the model", move_model_out, recording, EACCES },
	};

	(void)state;
	needs_landlock();
	try_all(attempts, ARRAY_SIZE(attempts));
}

/* ---- what the daemon does ------------------------------------------------------------- */

static int read_model(void)
{
	char text[8] = "";
	int fd = open(model, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && read(fd, text, sizeof(text)) == 5 && opendir(models) ? 0 : errno;
}

static int read_topology(void)
{
	FILE *f = fopen("/sys/devices/system/cpu/online", "re");
	char text[64];

	return f && fgets(text, sizeof(text), f) && sysconf(_SC_NPROCESSORS_ONLN) > 0 ? 0 : errno;
}

static int write_open_file(void)
{
	return write(open_before, "x", 1) == 1 && printf("# printed\n") > 0 && fflush(stdout) == 0 ?
		       0 :
		       errno;
}

static void *think(void *argument)
{
	char **text = argument;

	*text = malloc(1 << 20);
	return *text ? memset(*text, 1, 1 << 20) : NULL;
}

static int start_threads(void)
{
	pthread_t threads[4];
	char *text[4];

	for (int i = 0; i < 4; i++) {
		if (pthread_create(&threads[i], NULL, think, &text[i]) != 0)
			return 1;
	}
	for (int i = 0; i < 4; i++) {
		if (pthread_join(threads[i], NULL) != 0 || !text[i])
			return 1;
		free(text[i]);
	}
	return 0;
}

static int wait_for_events(void)
{
	const struct itimerspec soon = { .it_value = { 0, 1000000 } };
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC), timer = timerfd_create(CLOCK_MONOTONIC, 0);
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	if (epoll < 0 || timer < 0 || timerfd_settime(timer, 0, &soon, NULL) != 0 ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event) != 0 || signalfd(-1, &set, 0) < 0)
		return errno;
	return epoll_wait(epoll, &event, 1, -1) == 1 ? 0 : 1;
}

static int watch_models(void)
{
	int fd = inotify_init1(IN_CLOEXEC);

	return fd < 0 ? errno : result(inotify_add_watch(fd, models, IN_MOVED_TO));
}

static int answer_client(void)
{
	int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);

	return fd < 0 ? errno : result(send(fd, "{}\n", 3, MSG_NOSIGNAL));
}

static int use_memory(void)
{
	char *text = malloc(64 << 20);

	if (!text)
		return errno;
	memset(text, 1, 64 << 20);
	text = realloc(text, 80 << 20);
	free(text);
	return text ? 0 : 1;
}

static int visit_cpu(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ?
		       result(sched_setaffinity(0, sizeof(set), &set)) :
		       errno;
}

static int load_program_for_real(void)
{
	const int ret = bpf_call(BPF_PROG_LOAD);

	/* It reaches the kernel, which finds no program there. */
	return ret != EPERM || geteuid() != 0 ? 0 : ret;
}

static int query_map(void)
{
	return bpf_call(BPF_OBJ_GET_INFO_BY_FD) == EPERM ? EPERM : 0;
}

static int give_up(void)
{
	abort();
}

static int record(void)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/record-journal", out);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	if (fd < 0 || pwrite(fd, "x", 1, 0) != 1 || ftruncate(fd, 0) != 0 || fsync(fd) != 0)
		return errno;
	return result(unlink(path));
}

/* What libraries do with descriptors that are open: SQLite locks, libbpf copies. */
static int handle_open_file(void)
{
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int copy = fcntl(open_before, F_DUPFD_CLOEXEC, 3);

	if (copy < 0 || fcntl(copy, F_SETFD, FD_CLOEXEC) != 0 || fcntl(copy, F_GETFL) < 0)
		return errno;
	return result(fcntl(copy, F_SETLK, &all));
}

static void what_the_daemon_needs_works(void **state)
{
	static const struct attempt attempts[] = {
		{ "reading a model", read_model, NULL, 0 },
		{ "reading a model while recording", read_model, recording, 0 },
		{ "reading the topology", read_topology, scx, 0 },
		{ "writing to what is open", write_open_file, NULL, 0 },
		{ "locks and copies of what is open", handle_open_file, storing, 0 },
		{ "threads", start_threads, NULL, 0 },
		{ "timers, signals, events", wait_for_events, NULL, 0 },
		{ "inotify", watch_models, NULL, 0 },
		{ "a client of an open socket", answer_client, NULL, 0 },
		{ "a pair of sockets", make_pair, NULL, 0 },
		{ "memory", use_memory, NULL, 0 },
		{ "its own affinity", visit_cpu, scx, 0 },
		{ "loading BPF again with scx", load_program_for_real, scx, 0 },
		{ "maps with shadow", query_map, NULL, 0 },
		{ "executable memory for TensorFlow", map_executable, tensorflow, 0 },
		{ "a recording with its journal", record, recording, 0 },
		{ "a recording that is open", store, storing, 0 },
		{ "abort()", give_up, NULL, DIES(SIGABRT) },
	};

	(void)state;
	try_all(attempts, ARRAY_SIZE(attempts));
}

/* ---- privileges --------------------------------------------------------------------------- */

/* A line of /proc/PID/status as a number, in hexadecimal if it is a set. */
static uint64_t status_of(pid_t pid, const char *name)
{
	char path[64], line[256];
	uint64_t value = UINT64_MAX;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
			value = strtoull(line + strlen(name) + 1, NULL,
					 strncmp(name, "Cap", 3) == 0 ? 16 : 10);
	}
	fclose(f);
	return value;
}

static void privileges_are(struct mls_sandbox_options options, uint64_t most)
{
	const uint64_t had = status_of(getpid(), "CapPrm");
	struct mlsched_error err;
	int ready[2], end[2];
	pid_t child;
	char c;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(end), 0);
	child = fork();
	if (child == 0) {
		close(end[1]);
		if (mls_sandbox_enter(&options, &in_force, &err) != 0 ||
		    write(ready[1], "", 1) != 1)
			_exit(1);
		_exit(read(end[0], &c, 1) == 0 ? 0 : 1);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(status_of(child, "CapInh"), 0);
	assert_int_equal(status_of(child, "CapAmb"), 0);
	assert_int_equal(status_of(child, "CapPrm") & ~(had & most), 0);
	assert_int_equal(status_of(child, "CapEff"), status_of(child, "CapPrm"));
	assert_int_equal(status_of(child, "NoNewPrivs"), 1);
	if (in_force.filtered)
		assert_int_equal(status_of(child, "Seccomp"), 2);
	if (had >> CAP_SETPCAP & 1)
		assert_int_equal(status_of(child, "CapBnd"), 0);
	if (options.loads_bpf)
		assert_int_equal(status_of(child, "CapPrm"), had & most);
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(end[i]);
	}
	assert_int_equal(ending(child), 0);
}

static void capabilities_are_gone(void **state)
{
	(void)state;
	privileges_are(shadow(), 1ull << CAP_BPF);
	privileges_are(recording(), 1ull << CAP_BPF);
}

static void scx_keeps_what_loading_needs(void **state)
{
	(void)state;
	privileges_are(scx(), 1ull << CAP_BPF | 1ull << CAP_PERFMON);
}

static void *wait_for_end(void *fd)
{
	char c;

	return read(*(int *)fd, &c, 1) == 0 ? NULL : fd;
}

static void other_threads_are_an_error(void **state)
{
	struct mls_sandbox_options options = shadow();
	struct mls_sandbox_report report;
	struct mlsched_error err;
	pthread_t thread;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(pthread_create(&thread, NULL, wait_for_end, &fds[0]), 0);
	assert_int_equal(mls_sandbox_enter(&options, &report, &err), -EBUSY);
	assert_string_equal(err.message, "the sandbox: expected one thread, found 2");
	close(fds[1]);
	assert_int_equal(pthread_join(thread, NULL), 0);
	close(fds[0]);
	/* Nothing was given up. */
	assert_int_equal(status_of(getpid(), "NoNewPrivs"), 0);
}

/* ---- the scene --------------------------------------------------------------------------- */

static int put(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	return f && fputs(text, f) >= 0 && fclose(f) == 0 ? 0 : -1;
}

static int put_client(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", out);
	listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listening < 0 || client < 0 ||
	    bind(listening, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    listen(listening, 1) != 0)
		return -1;
	return connect(client, (struct sockaddr *)&address, sizeof(address));
}

/* What this kernel has, found by one who goes in. */
static int look(void)
{
	int fds[2];
	struct mls_sandbox_options options = shadow();
	struct mlsched_error err;
	pid_t child;

	if (pipe(fds) != 0)
		return -1;
	child = fork();
	if (child == 0) {
		if (mls_sandbox_enter(&options, &in_force, &err) != 0)
			_exit(1);
		_exit(write(fds[1], &in_force, sizeof(in_force)) == sizeof(in_force) ? 0 : 1);
	}
	close(fds[1]);
	if (read(fds[0], &in_force, sizeof(in_force)) != sizeof(in_force))
		return -1;
	close(fds[0]);
	return waitpid(child, NULL, 0) == child ? 0 : -1;
}

static int setup(void **state)
{
	(void)state;
	strcpy(root, "/tmp/mlsched-sandbox-XXXXXX");
	if (!mkdtemp(root))
		return -1;
	snprintf(models, sizeof(models), "%s/models", root);
	snprintf(out, sizeof(out), "%s/out", root);
	snprintf(model, sizeof(model), "%s/model", models);
	snprintf(outside, sizeof(outside), "%s/file", root);
	snprintf(leads_out, sizeof(leads_out), "%s/leads_out", models);
	snprintf(keras_model, sizeof(keras_model), "%s/model.h5", models);
	if (mkdir(models, 0700) != 0 || mkdir(out, 0700) != 0 || put(model, "model") != 0 ||
	    put(keras_model, "\x89HDF\r\n\x1a\n, and more") != 0 || put(outside, "outside") != 0 ||
	    symlink(outside, leads_out) != 0)
		return -1;
	open_before = open(outside, O_WRONLY | O_APPEND | O_CLOEXEC);
	return open_before >= 0 && put_client() == 0 ? look() : -1;
}

static int teardown(void **state)
{
	char path[160];

	(void)state;
	snprintf(path, sizeof(path), "%s/socket", out);
	unlink(path);
	unlink(model);
	unlink(leads_out);
	unlink(keras_model);
	unlink(outside);
	rmdir(models);
	rmdir(out);
	return rmdir(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_shell_no_process_no_module),
		cmocka_unit_test(a_starter_reads_keras_files_in_the_sandbox),
		cmocka_unit_test(forbidden_calls_fail),
		cmocka_unit_test(datagrams_go_where_they_went_before),
		cmocka_unit_test(files_outside_stay_closed),
		cmocka_unit_test(what_the_daemon_needs_works),
		cmocka_unit_test(capabilities_are_gone),
		cmocka_unit_test(scx_keeps_what_loading_needs),
		cmocka_unit_test(other_threads_are_an_error),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
