// SPDX-License-Identifier: GPL-2.0
/*
 * Loads that are hard on a scheduler, each with an end that can be counted.
 *
 *	misbehave affinity TASKS ROUNDS   each changes its affinity in each round
 *	misbehave cpusets TASKS ROUNDS    cpusets change, and tasks move between them (cgroup v2)
 *	misbehave forks PARENTS TASKS     as fast as they can, then waits for all
 *	misbehave realtime SECONDS        SCHED_FIFO on every CPU at once
 *	misbehave spin SECONDS            one task that never sleeps
 *	misbehave hog                     the same, for ever
 *	misbehave wake MS SLEEP TIMES     one that has so many ms of a CPU and sleeps for so many
 *
 * Prints one line of JSON.  Status 0 says that all was done and no task ran on a CPU
 * that was forbidden to it, or was lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_CPUS   64
#define STACK_SIZE 65536

static int cpus[MAX_CPUS], n_cpus;

static void die(const char *what, int error)
{
	fprintf(stderr, "misbehave: %s: %s\n", what, strerror(error));
	exit(1);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void spin_until(double end)
{
	while (now() < end)
		;
}

static void find_cpus(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		die("sched_getaffinity", errno);
	for (int cpu = 0; cpu < CPU_SETSIZE && n_cpus < MAX_CPUS; cpu++) {
		if (CPU_ISSET(cpu, &set))
			cpus[n_cpus++] = cpu;
	}
}

/* ---- affinity ------------------------------------------------------------------- */

struct changer {
	pthread_t thread;
	unsigned int seed;
	long rounds;
	long done;
	long forbidden; /* rounds after which it ran where it may not */
};

/* A set that is not empty, another one each time. */
static void change(struct changer *c)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (int i = 0; i < n_cpus; i++) {
		if (rand_r(&c->seed) & 0x400)
			CPU_SET(cpus[i], &set);
	}
	CPU_SET(cpus[(unsigned int)rand_r(&c->seed) % (unsigned int)n_cpus], &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		die("sched_setaffinity", errno);
	if (!CPU_ISSET(sched_getcpu(), &set))
		c->forbidden++;
	c->done++;
}

static void *change_always(void *argument)
{
	struct changer *c = argument;

	for (long i = 0; i < c->rounds; i++) {
		change(c);
		if (i % 4 == 0) /* asleep and awake, in the queue and running */
			sched_yield();
		else if (i % 4 == 1)
			usleep(1);
	}
	return NULL;
}

static int affinity(long tasks, long rounds)
{
	struct changer *changers = calloc((size_t)tasks, sizeof(*changers));
	long done = 0, forbidden = 0;
	pthread_attr_t attr;

	if (!changers)
		die("changers", ENOMEM);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	for (long i = 0; i < tasks; i++) {
		changers[i].seed = (unsigned int)i + 1;
		changers[i].rounds = rounds;
		if (pthread_create(&changers[i].thread, &attr, change_always, &changers[i]) != 0)
			die("pthread_create", EAGAIN);
	}
	for (long i = 0; i < tasks; i++) {
		pthread_join(changers[i].thread, NULL);
		done += changers[i].done;
		forbidden += changers[i].forbidden;
	}
	free(changers);
	printf("{\"tasks\": %ld, \"changes\": %ld, \"forbidden\": %ld}\n", tasks, done, forbidden);
	return done != tasks * rounds || forbidden;
}

/* ---- cpusets -------------------------------------------------------------------- */

#define CGROUPS   "/sys/fs/cgroup"
#define CPUSETS   4
#define MAX_TASKS 1024
#define ENTRIES   5 /* in each round: each waits for the kernel to see all CPUs pass by */

/* Odd while the parent changes it: where a task may run is not certain then. */
struct cpuset {
	atomic_uint version;
	cpu_set_t cpus;
};

struct member {
	atomic_uint version;
	atomic_int cpuset;
	pid_t pid;
	long checks; /* looks at its CPU while nothing was being changed */
	long outside; /* of these, those that found it on a CPU that is not in its cpuset */
};

static struct {
	atomic_bool stop;
	struct cpuset cpusets[CPUSETS];
	struct member members[MAX_TASKS];
} *crowd; /* shared by all */

/* file is below the group's directory. */
static void cgroup_write(const char *group, const char *file, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), CGROUPS "/%s/%s", group, file);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		die(path, errno);
	close(fd);
}

static void cpuset_name(int n, char *name, size_t size)
{
	snprintf(name, size, "misbehave%d", n);
}

/* When the write returns the kernel has moved everybody whom it concerns. */
static void cpuset_change(int n, unsigned int *seed)
{
	struct cpuset *c = &crowd->cpusets[n];
	int chosen = (int)((unsigned int)rand_r(seed) % (unsigned int)n_cpus);
	char name[32], list[MAX_CPUS * 4 + 1];
	size_t length = 0;

	atomic_fetch_add(&c->version, 1);
	CPU_ZERO(&c->cpus);
	for (int i = 0; i < n_cpus; i++) {
		if (i != chosen && !(rand_r(seed) & 0x400))
			continue;
		CPU_SET(cpus[i], &c->cpus);
		length += (size_t)snprintf(list + length, sizeof(list) - length, "%s%d",
					   length ? "," : "", cpus[i]);
	}
	cpuset_name(n, name, sizeof(name));
	cgroup_write(name, "cpuset.cpus", list);
	atomic_fetch_add(&c->version, 1);
}

static void cpuset_enter(struct member *m, int n)
{
	char name[32], pid[16];

	atomic_fetch_or(&m->version, 1);
	cpuset_name(n, name, sizeof(name));
	snprintf(pid, sizeof(pid), "%d", (int)m->pid);
	cgroup_write(name, "cgroup.procs", pid);
	atomic_store(&m->cpuset, n);
	atomic_fetch_add(&m->version, 1);
}

/* Of a task: counts only if both versions are even, and the same before and after. */
static void cpuset_look(struct member *m)
{
	unsigned int own = atomic_load(&m->version), of_set;
	struct cpuset *c = &crowd->cpusets[atomic_load(&m->cpuset)];
	bool inside;

	of_set = atomic_load(&c->version);
	if (own % 2 || of_set % 2)
		return;
	inside = CPU_ISSET(sched_getcpu(), &c->cpus);
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load(&m->version) != own || atomic_load(&c->version) != of_set)
		return;
	m->checks++;
	m->outside += !inside;
}

static void cpuset_member(struct member *m)
{
	for (long i = 0; !atomic_load(&crowd->stop); i++) {
		cpuset_look(m);
		if (i % 4 == 0) /* asleep and awake, in the queue and running */
			sched_yield();
		else if (i % 4 == 1)
			usleep(5000);
	}
	_exit(0);
}

/* In each round one cpuset changes, and some tasks go to another one. */
static void cpusets_change(long tasks, long rounds)
{
	unsigned int seed = 1;

	for (long i = 0; i < rounds; i++) {
		cpuset_change((int)(i % CPUSETS), &seed);
		for (long k = 0; k < ENTRIES; k++)
			cpuset_enter(
				&crowd->members[(unsigned int)rand_r(&seed) % (unsigned int)tasks],
				(int)((unsigned int)rand_r(&seed) % CPUSETS));
	}
}

/* Forked inside: that is one entry for all of them. */
static void cpuset_fill(int n, long tasks)
{
	char name[32], pid[16];
	pid_t child;

	cpuset_name(n, name, sizeof(name));
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	cgroup_write(name, "cgroup.procs", pid);
	for (long i = n; i < tasks; i += CPUSETS) {
		struct member *m = &crowd->members[i];

		atomic_store(&m->cpuset, n);
		child = fork();
		if (child < 0)
			die("fork", errno);
		if (child == 0)
			cpuset_member(m);
		m->pid = child;
	}
	cgroup_write(".", "cgroup.procs", pid);
}

static int cpusets(long tasks, long rounds)
{
	long ended_well = 0, checks = 0, outside = 0, least = -1;
	unsigned int seed = 2;
	char name[32], path[128];
	int status;

	if (tasks < 1 || tasks > MAX_TASKS)
		die("tasks", EINVAL);
	crowd = mmap(NULL, sizeof(*crowd), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (crowd == MAP_FAILED)
		die("mmap", errno);
	cgroup_write(".", "cgroup.subtree_control", "+cpuset");
	for (int n = 0; n < CPUSETS; n++) {
		cpuset_name(n, name, sizeof(name));
		snprintf(path, sizeof(path), CGROUPS "/%s", name);
		if (mkdir(path, 0755) != 0)
			die(path, errno);
		cpuset_change(n, &seed);
		cpuset_fill(n, tasks);
	}
	cpusets_change(tasks, rounds);
	/* Everybody gets to look once more where nothing changes any more. */
	for (long i = 0; i < tasks; i++) {
		long before = __atomic_load_n(&crowd->members[i].checks, __ATOMIC_RELAXED);

		while (__atomic_load_n(&crowd->members[i].checks, __ATOMIC_RELAXED) == before)
			usleep(1000);
	}
	atomic_store(&crowd->stop, true);
	while (wait(&status) > 0)
		ended_well += status == 0;
	for (long i = 0; i < tasks; i++) {
		checks += crowd->members[i].checks;
		outside += crowd->members[i].outside;
		if (least < 0 || crowd->members[i].checks < least)
			least = crowd->members[i].checks;
	}
	for (int n = 0; n < CPUSETS; n++) {
		cpuset_name(n, name, sizeof(name));
		snprintf(path, sizeof(path), CGROUPS "/%s", name);
		/* Who has ended is in it until its CPU has done with it. */
		while (rmdir(path) != 0) {
			if (errno != EBUSY)
				die(path, errno);
			usleep(1000);
		}
	}
	printf("{\"tasks\": %ld, \"ended\": %ld, \"changes\": %ld, \"entries\": %ld, "
	       "\"checks\": %ld, \"fewest_checks\": %ld, \"outside\": %ld}\n",
	       tasks, ended_well, rounds, rounds * ENTRIES, checks, least, outside);
	return ended_well != tasks || outside;
}

/* ---- forks ---------------------------------------------------------------------- */

static volatile long *ended; /* shared by all: one for each task */

/* Of a parent: its tasks, all of them before it waits for the first. */
static int fork_many(long first, long tasks)
{
	long forked = 0;
	int status, bad = 0;

	for (; forked < tasks; forked++) {
		pid_t pid = fork();

		if (pid < 0)
			break;
		if (pid == 0) {
			ended[first + forked] = 1;
			_exit(0);
		}
	}
	while (wait(&status) > 0)
		bad |= status;
	return forked != tasks || bad;
}

static int forks(long parents, long tasks)
{
	size_t size = (size_t)(parents * tasks) * sizeof(*ended);
	long n = 0;
	int status, bad = 0;

	ended = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (ended == MAP_FAILED)
		die("mmap", errno);
	for (long i = 0; i < parents; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork", errno);
		if (pid == 0)
			_exit(fork_many(i * tasks, tasks));
	}
	while (wait(&status) > 0)
		bad |= status;
	for (long i = 0; i < parents * tasks; i++)
		n += ended[i];
	printf("{\"tasks\": %ld, \"ended\": %ld, \"failed\": %s}\n", parents * tasks, n,
	       bad ? "true" : "false");
	return n != parents * tasks || bad;
}

/* ---- real time ------------------------------------------------------------------ */

static double realtime_end;
static pthread_barrier_t all_there;

static void *hog(void *argument)
{
	(void)argument;
	pthread_barrier_wait(&all_there);
	spin_until(realtime_end);
	return NULL;
}

static int realtime(double seconds)
{
	const struct sched_param param = { .sched_priority = 50 };
	pthread_t threads[MAX_CPUS];
	double began = now();
	pthread_attr_t attr;
	int ret;

	pthread_attr_init(&attr);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
	pthread_attr_setschedparam(&attr, &param);
	pthread_barrier_init(&all_there, NULL, (unsigned int)n_cpus + 1);
	for (int i = 0; i < n_cpus; i++) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET(cpus[i], &set);
		pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
		ret = pthread_create(&threads[i], &attr, hog, NULL);
		if (ret)
			die("a real-time thread", ret);
	}
	/* They all wait at the barrier: the time begins when the last one comes. */
	realtime_end = now() + seconds;
	pthread_barrier_wait(&all_there);
	for (int i = 0; i < n_cpus; i++)
		pthread_join(threads[i], NULL);
	printf("{\"cpus\": %d, \"seconds\": %.3f}\n", n_cpus, now() - began);
	return 0;
}

static int spin(double seconds)
{
	spin_until(now() + seconds);
	puts("{}");
	return 0;
}

/*
 * An emulator translates instructions that do nothing into nothing.  Where time is counted in
 * instructions it passes almost at once, and a shell's loop would take the host ten times as long.
 */
static _Noreturn void hog_for_ever(void)
{
	for (;;) {
#ifdef __x86_64__
		__asm__ volatile(".fill 4000, 1, 0x90");
#else
		__asm__ volatile("");
#endif
	}
}

static int wake(long ms, long sleep, long times)
{
	const struct timespec pause = { sleep / 1000, sleep % 1000 * 1000000 };
	struct timespec ran = { 0, 0 };

	for (long i = 1; i <= times; i++) {
		while (ran.tv_sec * 1000 + ran.tv_nsec / 1000000 < i * ms)
			clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ran);
		nanosleep(&pause, NULL);
	}
	puts("{}");
	return 0;
}

int main(int argc, char **argv)
{
	find_cpus();
	if (argc == 4 && strcmp(argv[1], "affinity") == 0)
		return affinity(atol(argv[2]), atol(argv[3]));
	if (argc == 4 && strcmp(argv[1], "cpusets") == 0)
		return cpusets(atol(argv[2]), atol(argv[3]));
	if (argc == 4 && strcmp(argv[1], "forks") == 0)
		return forks(atol(argv[2]), atol(argv[3]));
	if (argc == 3 && strcmp(argv[1], "realtime") == 0)
		return realtime(atof(argv[2]));
	if (argc == 3 && strcmp(argv[1], "spin") == 0)
		return spin(atof(argv[2]));
	if (argc == 2 && strcmp(argv[1], "hog") == 0)
		hog_for_ever();
	if (argc == 5 && strcmp(argv[1], "wake") == 0)
		return wake(atol(argv[2]), atol(argv[3]), atol(argv[4]));
	fprintf(stderr,
		"usage: misbehave affinity|cpusets|forks|realtime|spin|hog|wake ...; see the source\n");
	return 2;
}
