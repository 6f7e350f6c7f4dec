// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched bench record --kernel: `mlsched record` as people run it, in a process of its own, and
 * here a thread that sleeps, is sent to another CPU and woken up, again and again: each time the
 * kernel moves it, once.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "src/cli/bench_record.h"
#include "src/util/clock.h"

/* ---- the recorder ------------------------------------------------------------------------ */

struct recorder {
	pid_t pid;
	FILE *said; /* documents, one a line */
	double before; /* seconds of a processor until it was ready */
};

static json_t *next_document(struct recorder *r)
{
	char *line = NULL;
	size_t size = 0;
	json_t *document = getline(&line, &size, r->said) > 0 ? json_loads(line, 0, NULL) : NULL;

	free(line);
	return document;
}

static double processor_seconds_of(pid_t pid)
{
	struct timespec ts;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &ts) != 0)
		return 0;
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* The second number of each thread's schedstat. */
static double waited_seconds_of(pid_t pid)
{
	unsigned long long ran, waited;
	char name[340], path[64];
	struct dirent *entry;
	double sum = 0;
	DIR *threads;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%ld/task", (long)pid);
	threads = opendir(path);
	while (threads && (entry = readdir(threads))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s/schedstat", path, entry->d_name);
		file = fopen(name, "r");
		if (file && fscanf(file, "%llu %llu", &ran, &waited) == 2)
			sum += (double)waited / 1e9;
		if (file)
			fclose(file);
	}
	if (threads)
		closedir(threads);
	return sum;
}

/* Until it has attached what it watches by. */
static int start(const struct cli_common *common, const char *path, struct recorder *r)
{
	const char *type = NULL, *why = NULL;
	json_t *document;
	int pipe_of[2], status = CLI_OK;
	pid_t parent = getpid();

	if (pipe2(pipe_of, O_CLOEXEC) != 0)
		return cli_fail(common, "a pipe: %s", strerror(errno));
	r->pid = fork();
	if (r->pid == 0) {
		/* It would record for ever. */
		prctl(PR_SET_PDEATHSIG, SIGINT);
		if (getppid() != parent)
			_exit(127);
		dup2(pipe_of[1], STDOUT_FILENO);
		execl("/proc/self/exe", "mlsched", "record", "--json", "-o", path, (char *)NULL);
		_exit(127);
	}
	close(pipe_of[1]);
	r->said = fdopen(pipe_of[0], "r");
	if (r->pid < 0 || !r->said) {
		if (!r->said)
			close(pipe_of[0]);
		return cli_fail(common, "mlsched record: %s", strerror(errno));
	}
	document = next_document(r);
	if (json_unpack(document, "{s?s, s?s}", "type", &type, "error", &why) != 0 || !type)
		status = cli_fail(common, "mlsched record: %s", why ? why : "it does not begin");
	json_decref(document);
	r->before = processor_seconds_of(r->pid);
	return status;
}

static int end(const struct cli_common *common, struct recorder *r, struct record_result *result)
{
	json_int_t decisions = 0, dropped = 0, lost = 0;
	json_t *document;
	int status;

	result->waited = waited_seconds_of(r->pid);
	kill(r->pid, SIGINT);
	document = next_document(r);
	/* It has printed its last; what it takes from here on is its exit. */
	result->processor = processor_seconds_of(r->pid) - r->before;
	status = json_unpack(document, "{s:{s:I, s:I}, s:{s:I}}", "recording", "decisions",
			     &decisions, "dropped", &dropped, "kernel", "lost", &lost);
	json_decref(document);
	result->counts = (struct mls_recording_counts){
		.put = (uint64_t)(decisions + dropped),
		.written = (uint64_t)decisions,
		.dropped = (uint64_t)dropped,
	};
	result->lost = (uint64_t)lost;
	return status ? cli_fail(common, "mlsched record: it ended without a summary") : CLI_OK;
}

static void clear(struct recorder *r)
{
	if (r->said)
		fclose(r->said);
	if (r->pid > 0) {
		kill(r->pid, SIGTERM);
		waitpid(r->pid, NULL, 0);
	}
}

/* ---- moves ------------------------------------------------------------------------------- */

/* The thread that is moved. */
struct moved {
	pthread_t thread;
	atomic_int tid; /* 0: not there yet */
	atomic_int woken; /* so often */
	atomic_bool over;
};

static void wake(struct moved *m)
{
	atomic_fetch_add(&m->woken, 1);
	syscall(SYS_futex, &m->woken, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *sleep_on(void *context)
{
	struct moved *m = context;

	atomic_store(&m->tid, (int)syscall(SYS_gettid));
	while (!atomic_load(&m->over)) {
		int seen = atomic_load(&m->woken);

		syscall(SYS_futex, &m->woken, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
	}
	return NULL;
}

static int send_to(int tid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(tid, sizeof(set), &set) ? -errno : 0;
}

/* At the rate as long as that can be kept, otherwise as fast as they go. */
static int make_moves(struct moved *m, const int cpus[2], double rate, double seconds,
		      struct record_result *result)
{
	const struct timespec nap = { 0, 1000000 };
	uint64_t began = mls_now_ns(), all = (uint64_t)(rate * seconds);

	while (result->made < all) {
		uint64_t due = (uint64_t)((double)(mls_now_ns() - began) / 1e9 * rate);

		for (; result->made < due && result->made < all; result->made++) {
			/* Asleep, it goes there when it wakes up; awake, at once. */
			int ret = send_to(atomic_load(&m->tid), cpus[(result->made + 1) % 2]);

			if (ret)
				return ret;
			wake(m);
		}
		if (result->made < all)
			nanosleep(&nap, NULL);
	}
	result->seconds = (double)(mls_now_ns() - began) / 1e9;
	return 0;
}

static int move_for(const struct cli_common *common, const int cpus[2], double rate, double seconds,
		    struct record_result *result)
{
	const struct timespec nap = { 0, 100000 };
	struct moved m = { 0 };
	int ret = pthread_create(&m.thread, NULL, sleep_on, &m);

	if (ret)
		return cli_fail(common, "a thread to be moved: %s", strerror(ret));
	while (!atomic_load(&m.tid))
		nanosleep(&nap, NULL);
	ret = send_to(atomic_load(&m.tid), cpus[0]);
	if (!ret)
		ret = make_moves(&m, cpus, rate, seconds, result);
	atomic_store(&m.over, true);
	wake(&m);
	pthread_join(m.thread, NULL);
	return ret ? cli_fail(common, "moving a thread: %s", strerror(-ret)) : CLI_OK;
}

static int find_cpus(int cpus[2])
{
	cpu_set_t set;
	int n = 0;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return -errno;
	for (int cpu = 0; cpu < CPU_SETSIZE && n < 2; cpu++) {
		if (CPU_ISSET(cpu, &set))
			cpus[n++] = cpu;
	}
	return n == 2 ? 0 : -ENODEV;
}

int bench_record_kernel(const struct cli_common *common, const char *path, double rate,
			double seconds, struct record_result *result)
{
	struct recorder recorder = { 0 };
	int cpus[2], status;

	*result = (struct record_result){ 0 };
	if (find_cpus(cpus) != 0)
		return cli_fail(common, "--kernel: moves need two CPUs");
	status = start(common, path, &recorder);
	if (!status)
		status = move_for(common, cpus, rate, seconds, result);
	if (!status)
		status = end(common, &recorder, result);
	clear(&recorder);
	return status;
}
