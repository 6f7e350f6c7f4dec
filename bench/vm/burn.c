// SPDX-License-Identifier: GPL-2.0
/*
 * Work that costs what it would cost on a machine with caches, sleep, and chance.
 *
 * A burst is an amount of CPU time, by the thread's own clock, not an amount of
 * instructions: a guest CPU that waits for a host core lets that clock run, so the
 * host's load hardly shows in the makespan.
 *
 * An emulated CPU has no cache that costs time, so the cache is emulated, too.  A
 * thread that finds itself at another last-level cache owes refill_cache of CPU
 * time, on another CPU of the same one refill_cpu.  While it owes, it works at half
 * speed: one half pays, the other does work.  Another move renews the debt and does
 * not add to it, since what was not loaded yet cannot be lost.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "workload.h"

/* Off the CPU for longer than this within a burst is a wait. */
#define WAIT_FLOOR (20 * US)
/* Between two looks at the clock passes less than this, unless something came between. */
#define GAP (100 * US)

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

uint64_t mono_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* The finaliser of splitmix64. */
static uint64_t scramble(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

/*
 * The nth number of a stream.  No state: what a worker is given depends on the
 * seed alone, in whatever order the scheduler lets the workers run.
 */
uint64_t draw(uint64_t stream, uint64_t n)
{
	uint64_t key = scramble(arena->settings.seed + 0x9e3779b97f4a7c15ull);

	key = scramble(key ^ (stream * 0xd1342543de82ef95ull));
	return scramble(key + (n + 1) * 0x9e3779b97f4a7c15ull);
}

/* From half to one and a half times the mean. */
uint64_t draw_around(uint64_t stream, uint64_t n, uint64_t mean)
{
	return mean ? mean / 2 + draw(stream, n) % (mean + 1) : 0;
}

void durations_add(struct durations *d, uint64_t ns)
{
	uint64_t us = ns / US;
	uint32_t power, index = (uint32_t)us;

	d->n++;
	d->sum_us += us;
	if (us > d->max_us)
		d->max_us = us;
	if (us >= 32) {
		power = 63 - (uint32_t)__builtin_clzll(us);
		index = (power - 4) * 32 + (uint32_t)((us >> (power - 5)) & 31);
	}
	d->bucket[index < BUCKETS ? index : BUCKETS - 1]++;
}

void durations_merge(struct durations *into, const struct durations *from)
{
	into->n += from->n;
	into->sum_us += from->sum_us;
	if (from->max_us > into->max_us)
		into->max_us = from->max_us;
	for (int i = 0; i < BUCKETS; i++)
		into->bucket[i] += from->bucket[i];
}

/* The highest duration of the bucket that the quantile falls into. */
uint64_t durations_us(const struct durations *d, double quantile)
{
	uint64_t rank = (uint64_t)((double)d->n * quantile), seen = 0, top;

	for (uint32_t i = 0; i < BUCKETS; i++) {
		seen += d->bucket[i];
		if (seen <= rank)
			continue;
		top = i < 32 ? i : ((33ull + i % 32) << (i / 32 - 1)) - 1;
		return top < d->max_us ? top : d->max_us;
	}
	return d->max_us;
}

void owe(struct worker *w, uint64_t ns)
{
	if (w->debt < ns)
		w->debt = ns;
}

/* Has the thread moved, and what does it owe for that? */
static void look_around(struct worker *w)
{
	const struct machine *m = &arena->machine;
	int cpu = sched_getcpu();

	if (cpu == w->cpu)
		return;
	if (w->cpu >= 0 && m->cache[cpu] != m->cache[w->cpu]) {
		w->seen_cache++;
		owe(w, arena->settings.refill_cache);
	} else if (w->cpu >= 0) {
		w->seen_cpu++;
		owe(w, arena->settings.refill_cpu);
	}
	w->cpu = cpu;
}

static void set_marks(struct worker *w)
{
	w->cpu_mark = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	w->mono_mark = mono_ns();
}

/* Books the CPU time since the last booking, and what passed besides it as a wait. */
static void book(struct worker *w)
{
	uint64_t cpu_before = w->cpu_mark, mono_before = w->mono_mark, used, passed, paid;

	set_marks(w);
	used = w->cpu_mark - cpu_before;
	passed = w->mono_mark - mono_before;
	if (passed > used + WAIT_FLOOR)
		durations_add(&w->wait, passed - used);
	paid = used / 2 < w->debt ? used / 2 : w->debt;
	w->debt -= paid;
	w->refill += paid;
	used -= paid;
	if (used > w->left) {
		w->surplus += used - w->left;
		used = w->left;
	}
	w->left -= used;
}

/* Computes until the time has come, or something has come between. */
static void spin(const struct worker *w, uint64_t until)
{
	uint64_t before, now = mono_ns();

	do {
		before = now;
		for (int i = 0; i < 300; i++)
			__asm__ volatile("" ::: "memory");
		now = mono_ns();
	} while (now < until && now - before < GAP && sched_getcpu() == w->cpu);
}

/*
 * Asks the CPU clock seldom, since that is a system call in which the kernel
 * looks after the running task's slice: not before the burst can be over, the
 * thread has moved, or was interrupted.  A burst that ends late (because a guest
 * CPU waited for a host core) makes the next one shorter: the sum is exact.
 */
void burn(struct worker *w, uint64_t ns)
{
	uint64_t early = w->surplus < ns ? w->surplus : ns;

	w->surplus -= early;
	w->left = ns - early;
	set_marks(w);
	look_around(w);
	while (w->left) {
		spin(w, w->mono_mark + w->left + (w->debt < w->left ? w->debt : w->left));
		book(w);
		look_around(w);
	}
	w->work += ns;
}

/* How late it wakes up is a wake-up latency. */
void sleep_ns(struct worker *w, uint64_t ns)
{
	uint64_t until = mono_ns() + ns, now;
	struct timespec ts = { (time_t)(until / 1000000000ull), (long)(until % 1000000000ull) };

	if (!ns)
		return;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
	now = mono_ns();
	durations_add(&w->wakeup, now > until ? now - until : 0);
}

/* The kernel's account of this thread: time spent waiting for a CPU, and how often it got one. */
static void read_schedstat(uint64_t *queued, uint64_t *slices)
{
	FILE *file = fopen("/proc/thread-self/schedstat", "r");
	unsigned long long q = 0, s = 0;

	if (!file || fscanf(file, "%*u %llu %llu", &q, &s) != 2)
		q = s = 0;
	if (file)
		fclose(file);
	*queued = q;
	*slices = s;
}

void account_start(struct worker *w)
{
	/* It begins where it is, with what it needs in the cache. */
	w->cpu = sched_getcpu();
	w->debt = 0;
	w->work = w->refill = w->units = w->seen_cache = w->seen_cpu = w->surplus = 0;
	memset(&w->wakeup, 0, sizeof(w->wakeup));
	memset(&w->wait, 0, sizeof(w->wait));
	read_schedstat(&w->queued, &w->slices);
}

void account_end(struct worker *w)
{
	uint64_t queued, slices;

	read_schedstat(&queued, &slices);
	w->queued = queued - w->queued;
	w->slices = slices - w->slices;
}

/* Adds all of a process that has done its part. */
void account_add(struct worker *w)
{
	uint64_t queued, slices;

	read_schedstat(&queued, &slices);
	w->queued += queued;
	w->slices += slices;
}
