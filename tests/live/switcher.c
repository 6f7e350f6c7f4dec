// SPDX-License-Identifier: GPL-2.0
/*
 * A load whose context switches and migrations are known.
 *
 *	switcher SECONDS PAIRS MOVES [spin]
 *
 * PAIRS pairs of threads throw a byte to each other through pipes for SECONDS,
 * both of a pair on the same CPU, so that each byte is a context switch and
 * nothing migrates.  Then a thread of its own is moved MOVES times between the
 * first two CPUs by sched_setaffinity(): each move is a migration that the
 * kernel cannot avoid.  With "spin", a thread on each CPU keeps it busy during
 * the moves and half a second before.
 *
 * Prints one line of JSON: the moving thread's id, its moves, and what the
 * kernel says of its migrations (-1 if it does not).
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

#define MAX_CPUS  1024
#define MAX_PAIRS 64

struct pair {
	int ping[2];
	int pong[2];
	int cpu;
	uint64_t bytes;
};

static struct pair pairs[MAX_PAIRS];
static int cpus[MAX_CPUS], n_cpus;
static atomic_bool over;
static long moves_wanted;

static void die(const char *what)
{
	fprintf(stderr, "switcher: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		die("sched_setaffinity");
}

static void *answer(void *argument)
{
	struct pair *p = argument;
	char byte;

	pin(p->cpu);
	while (read(p->ping[0], &byte, 1) == 1) {
		if (write(p->pong[1], &byte, 1) != 1)
			break;
	}
	return NULL;
}

static void *ask(void *argument)
{
	struct pair *p = argument;
	char byte = 1;

	pin(p->cpu);
	while (!atomic_load_explicit(&over, memory_order_relaxed)) {
		if (write(p->ping[1], &byte, 1) != 1 || read(p->pong[0], &byte, 1) != 1)
			die("pipe");
		p->bytes += 2;
	}
	close(p->ping[1]);
	return NULL;
}

static void *spin(void *argument)
{
	pin(*(int *)argument);
	while (!atomic_load_explicit(&over, memory_order_relaxed))
		;
	return NULL;
}

/* What the kernel counted for this thread. */
static long kernel_migrations(void)
{
	FILE *file = fopen("/proc/thread-self/sched", "r");
	char line[256];
	long n = -1;

	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "se.nr_migrations : %ld", &n) == 1)
			break;
	}
	fclose(file);
	return n;
}

static void *move(void *argument)
{
	long before, after;

	(void)argument;
	pin(cpus[0]);
	before = kernel_migrations();
	for (long i = 0; i < moves_wanted; i++)
		pin(cpus[(i + 1) % 2]);
	after = kernel_migrations();
	printf("{\"tid\": %ld, \"moves\": %ld, \"kernel\": %ld, ", (long)syscall(SYS_gettid),
	       moves_wanted, before < 0 ? -1 : after - before);
	return NULL;
}

static void pause_for(double seconds)
{
	struct timespec ts = { (time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9) };

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &ts) == EINTR)
		;
}

static uint64_t throw_bytes(double seconds, int n_pairs)
{
	pthread_t threads[2 * MAX_PAIRS];
	uint64_t bytes = 0;

	for (int i = 0; i < n_pairs; i++) {
		struct pair *p = &pairs[i];

		p->cpu = cpus[i % n_cpus];
		if (pipe(p->ping) != 0 || pipe(p->pong) != 0)
			die("pipe");
		if (pthread_create(&threads[2 * i], NULL, answer, p) ||
		    pthread_create(&threads[2 * i + 1], NULL, ask, p))
			die("pthread_create");
	}
	pause_for(seconds);
	atomic_store(&over, true);
	for (int i = 0; i < 2 * n_pairs; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < n_pairs; i++)
		bytes += pairs[i].bytes;
	return bytes;
}

int main(int argc, char **argv)
{
	pthread_t mover, spinners[MAX_CPUS];
	int n_pairs, n_spinners = 0;
	uint64_t bytes;
	cpu_set_t set;

	if (argc < 4) {
		fprintf(stderr, "usage: switcher SECONDS PAIRS MOVES [spin]\n");
		return 2;
	}
	n_pairs = atoi(argv[2]) < MAX_PAIRS ? atoi(argv[2]) : MAX_PAIRS;
	moves_wanted = atol(argv[3]);
	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		die("sched_getaffinity");
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &set))
			cpus[n_cpus++] = cpu;
	}
	if (n_cpus < 2 && moves_wanted) {
		fprintf(stderr, "switcher: moves need two CPUs\n");
		return 1;
	}
	bytes = throw_bytes(atof(argv[1]), n_pairs);
	if (argc > 4) {
		atomic_store(&over, false);
		for (; n_spinners < n_cpus; n_spinners++)
			pthread_create(&spinners[n_spinners], NULL, spin, &cpus[n_spinners]);
		pause_for(0.5);
	}
	if (pthread_create(&mover, NULL, move, NULL))
		die("pthread_create");
	pthread_join(mover, NULL);
	atomic_store(&over, true);
	for (int i = 0; i < n_spinners; i++)
		pthread_join(spinners[i], NULL);
	printf("\"bytes\": %llu}\n", (unsigned long long)bytes);
	return 0;
}
