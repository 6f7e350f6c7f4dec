// SPDX-License-Identifier: GPL-2.0
/*
 * Tasks of different policies on one CPU, and what each gets of it.
 *
 *	policies SECONDS CPU TASK...
 *
 * TASK is a policy, normal, batch, idle or ext (SCHED_EXT), with ":NICE" and "+wakes" if wanted:
 * a task that computes all the time, or one that wakes up every other millisecond for a little
 * work.  All are threads tied to CPU; the time that each has had is read from its own clock at
 * the beginning and at the end of the same SECONDS.  Times that had passed before the task could
 * sleep until them are no wake-ups, and counted apart.
 *
 * Prints one line of JSON, an object for each task: its name, CPU time in ns, wake-ups, the mean
 * lateness of these in ns, times that had passed, and whether it is sched_ext's ("ext.enabled" of /proc/PID/sched).
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MAX_TASKS 16
#define PERIOD_NS 2000000ll
#define BURST_NS  20000ll

/* include/uapi/linux/sched/types.h, which older C libraries contradict */
struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

struct task {
	const char *name;
	pthread_t thread;
	pid_t tid;
	uint32_t policy;
	int nice;
	bool wakes;
	int64_t used;
	_Atomic int64_t n_wakes;
	_Atomic int64_t passed;
	_Atomic int64_t late;
};

static const struct {
	const char *name;
	uint32_t number;
} names[] = { { "normal", 0 }, { "batch", 3 }, { "idle", 5 }, { "ext", 7 } };

static struct task tasks[MAX_TASKS];
static int n_tasks, cpu;
static pthread_barrier_t ready;
static atomic_bool over;

static void die(const char *what)
{
	fprintf(stderr, "policies: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts) != 0)
		die("clock_gettime");
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

static void sleep_until(int64_t ns)
{
	const struct timespec ts = { ns / 1000000000, ns % 1000000000 };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

static void wake_up(struct task *t)
{
	int64_t next = clock_ns(CLOCK_MONOTONIC), began;

	while (!over) {
		next += PERIOD_NS;
		if (clock_ns(CLOCK_MONOTONIC) >= next) {
			t->passed++;
		} else {
			sleep_until(next);
			t->n_wakes++;
			t->late += clock_ns(CLOCK_MONOTONIC) - next;
		}
		began = clock_ns(CLOCK_MONOTONIC);
		next = began;
		while (clock_ns(CLOCK_MONOTONIC) - began < BURST_NS)
			;
	}
}

static void *run(void *argument)
{
	struct task *t = argument;
	struct attributes a = { .size = sizeof(a), .policy = t->policy, .nice = t->nice };
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	t->tid = (pid_t)syscall(SYS_gettid);
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		die("sched_setaffinity");
	if (syscall(SYS_sched_setattr, 0, &a, 0) != 0)
		die(t->name);
	pthread_barrier_wait(&ready);
	if (t->wakes)
		wake_up(t);
	while (!over)
		;
	return NULL;
}

static void parse(struct task *t, char *text)
{
	char *plus, *colon;

	t->name = strdup(text);
	plus = strchr(text, '+');
	t->wakes = plus && strcmp(plus, "+wakes") == 0;
	if (plus)
		*plus = '\0';
	colon = strchr(text, ':');
	t->nice = colon ? atoi(colon + 1) : 0;
	if (colon)
		*colon = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i].name, text) != 0)
			continue;
		t->policy = names[i].number;
		return;
	}
	errno = EINVAL;
	die(t->name);
}

/* 1, 0, or -1: the kernel does not say. */
static int is_ext(const struct task *t)
{
	char path[64], line[256];
	int value = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/sched", t->tid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "ext.enabled", 11) == 0)
			value = atoi(strchr(line, ':') + 1);
	}
	if (f)
		fclose(f);
	return value;
}

static void measure(double seconds)
{
	clockid_t clocks[MAX_TASKS];
	int64_t began = clock_ns(CLOCK_MONOTONIC);

	for (int i = 0; i < n_tasks; i++) {
		if (pthread_getcpuclockid(tasks[i].thread, &clocks[i]) != 0)
			die("pthread_getcpuclockid");
		tasks[i].used = -clock_ns(clocks[i]);
	}
	sleep_until(began + (int64_t)(seconds * 1e9));
	for (int i = 0; i < n_tasks; i++)
		tasks[i].used += clock_ns(clocks[i]);
}

int main(int argc, char **argv)
{
	if (argc < 4 || argc - 3 > MAX_TASKS) {
		fprintf(stderr, "usage: policies SECONDS CPU TASK...\n");
		return 2;
	}
	cpu = atoi(argv[2]);
	n_tasks = argc - 3;
	pthread_barrier_init(&ready, NULL, (unsigned int)n_tasks + 1);
	for (int i = 0; i < n_tasks; i++) {
		parse(&tasks[i], argv[3 + i]);
		if (pthread_create(&tasks[i].thread, NULL, run, &tasks[i]) != 0)
			die("pthread_create");
	}
	pthread_barrier_wait(&ready);
	measure(atof(argv[1]));
	printf("[");
	for (int i = 0; i < n_tasks; i++) {
		struct task *t = &tasks[i];

		printf("%s{\"task\": \"%s\", \"cpu_ns\": %lld, \"wakes\": %lld, \"late_ns\": %lld, "
		       "\"passed\": %lld, \"ext\": %d}",
		       i ? ", " : "", t->name, (long long)t->used, (long long)t->n_wakes,
		       (long long)(t->n_wakes ? t->late / t->n_wakes : 0), (long long)t->passed,
		       is_ext(t));
	}
	printf("]\n");
	over = true;
	for (int i = 0; i < n_tasks; i++)
		pthread_join(tasks[i].thread, NULL);
	return 0;
}
