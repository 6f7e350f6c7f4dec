// SPDX-License-Identifier: GPL-2.0
/* Working sets that are warm here, and moved. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "src/sim/calibrate.h"
#include "src/util/clock.h"
#include "src/util/error.h"
#include "src/util/random.h"

#define LINE      64
#define WARM_UPS  3 /* walks after which a working set is warm */
#define HUGE_PAGE (2u << 20)

/* One line of a cache. */
struct line {
	uint32_t next;
	uint32_t count;
	char rest[LINE - 8];
};

struct working_set {
	struct line *line;
	uint32_t n;
	size_t size; /* of the mapping */
};

/* One ring through all lines in a random order: no prefetcher knows the next one. */
static int make(struct working_set *w, uint32_t kib)
{
	struct mls_random random;
	uint32_t *order;

	w->n = kib * 1024 / LINE;
	w->size = ((size_t)kib * 1024 + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
	w->line = mmap(NULL, w->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (w->line == MAP_FAILED)
		return -ENOMEM;
	/* Or the walk through page tables would be measured, too.  Without them it is. */
	madvise(w->line, w->size, MADV_HUGEPAGE);
	order = malloc(w->n * sizeof(*order));
	if (!order) {
		munmap(w->line, w->size);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < w->n; i++)
		order[i] = i;
	mls_random_seed(&random, 1, 0);
	mls_random_shuffle(&random, order, w->n);
	for (uint32_t i = 0; i < w->n; i++)
		w->line[order[i]].next = order[(i + 1) % w->n];
	free(order);
	return 0;
}

/* ns for going through it once. */
static double walk(struct working_set *w, enum sim_walk how)
{
	uint64_t begin = mls_now_ns();
	uint32_t at = 0, sum = 0;

	if (how == SIM_WALK_CHASE) {
		for (uint32_t i = 0; i < w->n; i++) {
			at = w->line[at].next;
			w->line[at].count++;
		}
	} else {
		for (uint32_t i = 0; i < w->n; i++) {
			sum += w->line[i].next;
			if (i % 3 == 0)
				w->line[i].count = sum;
		}
	}
	/* The compiler must believe that somebody wants it. */
	__asm__ volatile("" : : "r"(at), "r"(sum) : "memory");
	return (double)(mls_now_ns() - begin);
}

static int go_to(uint32_t cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double quartile(double *times, uint32_t n)
{
	qsort(times, n, sizeof(*times), ascending);
	return times[n / 4];
}

static int measure(struct working_set *w, uint32_t src, uint32_t dst, uint32_t rounds,
		   struct sim_refill *r, double *warm, double *moved)
{
	for (uint32_t i = 0; i < rounds; i++) {
		int ret = go_to(src);

		for (int k = 0; k < WARM_UPS; k++)
			walk(w, r->walk);
		warm[i] = walk(w, r->walk);
		if (!ret)
			ret = go_to(dst);
		if (ret)
			return ret;
		moved[i] = walk(w, r->walk);
	}
	r->warm = quartile(warm, rounds);
	r->moved = quartile(moved, rounds);
	r->slow = moved[rounds * 3 / 4]; /* in order by now */
	r->refill = r->moved > r->warm ? r->moved - r->warm : 0;
	return 0;
}

int sim_measure_refill(uint32_t src, uint32_t dst, uint32_t rounds, struct sim_refill *r,
		       struct mlsched_error *err)
{
	double *times = calloc(2ul * rounds, sizeof(*times));
	struct working_set w;
	cpu_set_t before;
	int ret;

	if (sched_getaffinity(0, sizeof(before), &before) != 0) {
		ret = -errno;
		free(times);
		return mls_error(err, ret, "sched_getaffinity: %s", strerror(-ret));
	}
	ret = times ? make(&w, r->kib) : -ENOMEM;
	if (ret) {
		free(times);
		return mls_error(err, ret, "no memory for a working set of %u KiB", r->kib);
	}
	ret = measure(&w, src, dst, rounds, r, times, times + rounds);
	sched_setaffinity(0, sizeof(before), &before);
	munmap(w.line, w.size);
	free(times);
	return ret ? mls_error(err, ret, "CPU %u or %u: %s", src, dst, strerror(-ret)) : 0;
}
