// SPDX-License-Identifier: GPL-2.0
/*
 * Loads that are hard on a scheduler, each with an end that can be counted.
 *
 *	misbehave affinity TASKS ROUNDS   each changes its affinity in each round
 *	misbehave forks PARENTS TASKS     as fast as they can, then waits for all
 *	misbehave realtime SECONDS        SCHED_FIFO on every CPU at once
 *	misbehave spin SECONDS            one task that never sleeps
 *
 * Prints one line of JSON.  Status 0 says that all was done and no task ran on a CPU
 * that was forbidden to it, or was lost.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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

int main(int argc, char **argv)
{
	find_cpus();
	if (argc == 4 && strcmp(argv[1], "affinity") == 0)
		return affinity(atol(argv[2]), atol(argv[3]));
	if (argc == 4 && strcmp(argv[1], "forks") == 0)
		return forks(atol(argv[2]), atol(argv[3]));
	if (argc == 3 && strcmp(argv[1], "realtime") == 0)
		return realtime(atof(argv[2]));
	if (argc == 3 && strcmp(argv[1], "spin") == 0)
		return spin(atof(argv[2]));
	fprintf(stderr, "usage: misbehave affinity|forks|realtime|spin ...; see the source\n");
	return 2;
}
