/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the load generator share.  workload.c says what it is for.
 *
 * Everything lies in one shared mapping, because the jobs of "make" are processes
 * that start new programs; a worker is one thread, or one such job.
 */
#ifndef WORKLOAD_H
#define WORKLOAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define MAX_CPUS    256
#define MAX_WORKERS 1024
#define US          1000ull
#define MS          1000000ull

/* Counts of durations: 32 buckets for each power of two, so that none is off by more than 3 %. */
#define BUCKETS (28 * 32)
struct durations {
	uint64_t n, sum_us, max_us;
	uint32_t bucket[BUCKETS];
};

struct machine {
	uint32_t n_cpus, n_caches, n_nodes;
	uint32_t cache[MAX_CPUS]; /* the last-level cache of each CPU */
	uint32_t node[MAX_CPUS];
};

enum tie { TIE_NONE, TIE_HOME, TIE_CACHE, TIE_CPU };

struct settings {
	uint32_t profile; /* index into profiles[] */
	enum tie tie;
	uint32_t workers; /* threads; of "make": jobs */
	uint32_t parallel; /* "make": jobs at a time */
	uint32_t groups; /* "message": workers come in so many groups */
	uint32_t messages; /* "message": under way in each group */
	uint32_t sleepers; /* "mixed": latency-sensitive threads */
	uint32_t bursts; /* of each worker; "message": hops for each worker of a group */
	uint64_t burst; /* mean, ns */
	uint64_t pause; /* mean, ns */
	uint64_t refill_cache; /* ns of CPU time owed after a move to another last-level cache */
	uint64_t refill_cpu; /* after one within it, and for a message from another cache */
	uint64_t seed;
};

struct worker {
	uint32_t id, group;
	bool sleeper;
	int place; /* the CPU or cache that it is tied to, or -1 */
	uint64_t expected; /* all its work, ns; known in advance */
	/* The emulated cache, and the burst under way: burn.c. */
	int cpu; /* where it last found itself, or -1 */
	uint64_t cpu_mark, mono_mark; /* the two clocks at the last booking */
	uint64_t debt, left;
	uint64_t surplus; /* done beyond the end of the last burst */
	/* A mailbox: mail.c. */
	atomic_uint mail;
	atomic_ullong posted; /* when, if it slept then */
	atomic_int from_cache;
	/* What is reported. */
	uint64_t work, refill, units, seen_cache, seen_cpu;
	uint64_t queued, slices; /* waiting to run, by the kernel's account */
	struct durations wakeup, wait;
};

struct group {
	atomic_int hops; /* still to do */
};

struct arena {
	struct settings settings;
	struct machine machine;
	atomic_bool stop; /* the sleepers of "mixed" */
	struct group group[MAX_WORKERS];
	struct worker worker[MAX_WORKERS];
};

extern struct arena *arena;

/* The name that all our threads and programs begin with: it is by this that the kernel counts. */
extern char name_prefix[12];

__attribute__((noreturn, format(printf, 1, 2))) void fail(const char *format, ...);

/* machine.c: sysfs, affinity. */
void machine_read(struct machine *machine);
void tie_to_cpu(uint32_t cpu);
void tie_to_cache(uint32_t cache);
void tie_to_nothing(void);
void tie_plan(uint32_t n_workers);
void tie_apply(const struct worker *worker);

/* moves.c: migrations of our tasks, counted by the kernel. */
struct moves {
	long long all, caches, nodes; /* -1: the kernel does not tell */
};
void moves_start(void);
void moves_end(struct moves *moves);

/* burn.c: work, sleep, chance. */
uint64_t mono_ns(void);
uint64_t draw(uint64_t stream, uint64_t n);
uint64_t draw_around(uint64_t stream, uint64_t n, uint64_t mean);
void burn(struct worker *worker, uint64_t ns);
void owe(struct worker *worker, uint64_t ns);
void sleep_ns(struct worker *worker, uint64_t ns);
void durations_add(struct durations *durations, uint64_t ns);
void durations_merge(struct durations *into, const struct durations *from);
uint64_t durations_us(const struct durations *durations, double quantile);
void account_start(struct worker *worker);
void account_end(struct worker *worker);
void account_add(struct worker *worker);

/* profiles.c */
struct profile {
	const char *name, *what;
	struct {
		double workers, parallel, groups, sleepers; /* for each CPU */
		uint32_t messages, bursts;
		uint64_t burst, pause;
	} defaults;
	/* Runs it; returns its beginning and sets its end, CLOCK_MONOTONIC. */
	uint64_t (*run)(uint64_t *end);
};
extern const struct profile profiles[];
extern const uint32_t n_profiles;
int job_stage(int argc, char **argv);

#endif /* WORKLOAD_H */
