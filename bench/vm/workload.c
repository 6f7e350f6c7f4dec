// SPDX-License-Identifier: GPL-2.0
/*
 * A load for comparing CPU schedulers in a virtual machine that has more CPUs than
 * its host has cores: one profile, one seed, one line of JSON.
 *
 * burn.c explains how work and caches are emulated, profiles.c the loads, machine.c
 * the ties (controls), moves.c how migrations are counted.  This file reads the
 * options and prints what came out.
 */
#include <argp.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "workload.h"

#define ARENA_FD 200 /* where the programs of "make" find the arena */

struct arena *arena;
char name_prefix[12];

static const char *const tie_names[] = { "none", "home", "cache", "cpu", NULL };

void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("workload: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

static const struct argp_option options[] = {
	{ "seed", 'S', "N", 0, "The same seed gives the same work (1)", 0 },
	{ "tie", 'P', "TIE", 0,
	  "none; home: each thread to the last-level cache where it starts; cache, cpu: by work "
	  "known in advance",
	  0 },
	{ "refill-cache", 'R', "US", 0, "Owed after a move to another last-level cache (1000)", 0 },
	{ "refill-cpu", 'r', "US", 0, "Owed after a move within one (100)", 0 },
	{ "workers", 'w', "N", 0, "Threads; of make: jobs", 0 },
	{ "bursts", 'n', "N", 0, "Of each worker", 0 },
	{ "burst", 'b', "US", 0, "Their mean length", 0 },
	{ "pause", 's', "US", 0, "Mean pause between them", 0 },
	{ "parallel", 'j', "N", 0, "make: jobs at a time", 0 },
	{ "groups", 'g', "N", 0, "message: groups", 0 },
	{ "messages", 't', "N", 0, "message: under way in each group", 0 },
	{ "sleepers", 'l', "N", 0, "mixed: latency-sensitive threads", 0 },
	{ 0 },
};

static uint64_t number(struct argp_state *state, const char *text, uint64_t min, uint64_t max)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || value < min || value > max)
		argp_error(state, "\"%s\": expected a whole number from %llu to %llu", text,
			   (unsigned long long)min, (unsigned long long)max);
	return value;
}

/* What a profile starts from, on this machine. */
static void set_defaults(struct settings *s, uint32_t profile)
{
	double cpus = arena->machine.n_cpus;

	*s = (struct settings){
		.profile = profile,
		.workers = (uint32_t)(profiles[profile].defaults.workers * cpus),
		.parallel = (uint32_t)(profiles[profile].defaults.parallel * cpus),
		.groups = (uint32_t)(profiles[profile].defaults.groups * cpus),
		.sleepers = (uint32_t)(profiles[profile].defaults.sleepers * cpus),
		.messages = profiles[profile].defaults.messages,
		.bursts = profiles[profile].defaults.bursts,
		.burst = profiles[profile].defaults.burst,
		.pause = profiles[profile].defaults.pause,
		.refill_cache = 1 * MS,
		.refill_cpu = 100 * US,
		.seed = 1,
	};
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct settings *s = &arena->settings;

	switch (key) {
	case 'S':
		s->seed = number(state, arg, 0, UINT32_MAX);
		return 0;
	case 'P':
		for (int i = 0; tie_names[i]; i++) {
			if (strcmp(tie_names[i], arg) == 0) {
				s->tie = (enum tie)i;
				return 0;
			}
		}
		argp_error(state, "--tie: \"%s\": expected none, home, cache or cpu", arg);
		return EINVAL;
	case 'R':
		s->refill_cache = number(state, arg, 0, 1000000) * US;
		return 0;
	case 'r':
		s->refill_cpu = number(state, arg, 0, 1000000) * US;
		return 0;
	case 'w':
		s->workers = (uint32_t)number(state, arg, 1, MAX_WORKERS);
		return 0;
	case 'n':
		s->bursts = (uint32_t)number(state, arg, 1, 1000000);
		return 0;
	case 'b':
		s->burst = number(state, arg, 1, 10000000) * US;
		return 0;
	case 's':
		s->pause = number(state, arg, 0, 10000000) * US;
		return 0;
	case 'j':
		s->parallel = (uint32_t)number(state, arg, 1, MAX_WORKERS);
		return 0;
	case 'g':
		s->groups = (uint32_t)number(state, arg, 1, MAX_WORKERS);
		return 0;
	case 't':
		s->messages = (uint32_t)number(state, arg, 1, MAX_WORKERS);
		return 0;
	case 'l':
		s->sleepers = (uint32_t)number(state, arg, 0, MAX_WORKERS);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "",
	.doc = "PROFILE is make, message, mixed or imbalance; it comes first.  Prints one line of "
	       "JSON.  Moves are counted by the kernel, which needs root and tracefs; without, "
	       "they are -1.",
};

static void check_settings(const struct settings *s)
{
	const char *name = profiles[s->profile].name;

	if (s->workers + s->sleepers > MAX_WORKERS)
		fail("%u workers: at most %d", s->workers + s->sleepers, MAX_WORKERS);
	if (strcmp(name, "message") == 0 && (s->workers % s->groups || s->workers / s->groups < 2))
		fail("%u workers in %u groups: expected groups of the same size, 2 or more",
		     s->workers, s->groups);
	if (strcmp(name, "message") != 0 && s->groups)
		fail("--groups: only message has groups");
	if (strcmp(name, "mixed") != 0 && s->sleepers)
		fail("--sleepers: only mixed has them");
}

/* Shared memory that programs started by us find at ARENA_FD. */
static void make_arena(void)
{
	int fd = memfd_create("workload", 0);

	if (fd < 0 || ftruncate(fd, sizeof(*arena)) != 0 || dup2(fd, ARENA_FD) < 0)
		fail("shared memory: %s", strerror(errno));
	close(fd);
}

static void map_arena(void)
{
	arena = mmap(NULL, sizeof(*arena), PROT_READ | PROT_WRITE, MAP_SHARED, ARENA_FD, 0);
	if (arena == MAP_FAILED)
		fail("shared memory: %s", strerror(errno));
}

/* The first eight characters of the program's name: a new program bears them from its exec on. */
static void set_name_prefix(void)
{
	char path[4096];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
	const char *name;

	if (length < 0)
		fail("/proc/self/exe: %s", strerror(errno));
	path[length] = '\0';
	name = strrchr(path, '/');
	snprintf(name_prefix, 9, "%.8s", name ? name + 1 : path);
}

static void print_durations(const char *name, const struct durations *d)
{
	printf(", \"%ss\": %llu, \"%s_mean_us\": %.1f, \"%s_p50_us\": %llu, \"%s_p99_us\": %llu, "
	       "\"%s_p999_us\": %llu, \"%s_max_us\": %llu",
	       name, (unsigned long long)d->n, name, d->n ? (double)d->sum_us / (double)d->n : 0,
	       name, (unsigned long long)durations_us(d, 0.5), name,
	       (unsigned long long)durations_us(d, 0.99), name,
	       (unsigned long long)durations_us(d, 0.999), name, (unsigned long long)d->max_us);
}

static void print_report(double seconds, const struct moves *moves)
{
	const struct settings *s = &arena->settings;
	const struct machine *m = &arena->machine;
	static struct worker sum;

	for (uint32_t i = 0; i < s->workers + s->sleepers; i++) {
		const struct worker *w = &arena->worker[i];

		/* The work of those that sleep depends on how long the others took. */
		sum.work += w->sleeper ? 0 : w->work;
		sum.refill += w->refill;
		sum.units += w->units;
		sum.seen_cache += w->seen_cache;
		sum.seen_cpu += w->seen_cpu;
		sum.queued += w->queued;
		sum.slices += w->slices;
		durations_merge(&sum.wakeup, &w->wakeup);
		durations_merge(&sum.wait, &w->wait);
	}
	printf("{\"profile\": \"%s\", \"tie\": \"%s\", \"seed\": %llu, \"cpus\": %u, \"caches\": %u, "
	       "\"nodes\": %u, \"makespan_ms\": %.3f, \"work_ms\": %.3f, \"refill_ms\": %.3f",
	       profiles[s->profile].name, tie_names[s->tie], (unsigned long long)s->seed, m->n_cpus,
	       m->n_caches, m->n_nodes, seconds * 1e3, (double)sum.work / 1e6,
	       (double)sum.refill / 1e6);
	printf(", \"moves\": %lld, \"moves_caches\": %lld, \"moves_nodes\": %lld, \"seen_caches\": %llu, "
	       "\"seen_cpus\": %llu, \"units\": %llu, \"units_per_s\": %.1f",
	       moves->all, moves->caches, moves->nodes, (unsigned long long)sum.seen_cache,
	       (unsigned long long)sum.seen_cpu, (unsigned long long)sum.units,
	       (double)sum.units / seconds);
	print_durations("wakeup", &sum.wakeup);
	print_durations("wait", &sum.wait);
	printf(", \"queued_ms\": %.3f, \"slices\": %llu}\n", (double)sum.queued / 1e6,
	       (unsigned long long)sum.slices);
}

int main(int argc, char **argv)
{
	uint32_t profile = 0;
	struct moves moves;
	uint64_t start, end;

	set_name_prefix();
	if (argc > 1 && strcmp(argv[1], "--stage") == 0) {
		map_arena();
		return job_stage(argc, argv);
	}
	make_arena();
	map_arena();
	machine_read(&arena->machine);
	while (argc > 1 && profile < n_profiles && strcmp(argv[1], profiles[profile].name) != 0)
		profile++;
	if (argc < 2 || profile == n_profiles) {
		if (argc < 2 || argv[1][0] != '-')
			fail("expected a profile first: make, message, mixed or imbalance");
		profile = 0;
	}
	set_defaults(&arena->settings, profile);
	argv[1][0] == '-' ? argp_parse(&argp, argc, argv, 0, NULL, NULL) :
			    argp_parse(&argp, argc - 1, argv + 1, 0, NULL, NULL);
	check_settings(&arena->settings);
	prctl(PR_SET_NAME, name_prefix);
	start = profiles[profile].run(&end);
	moves_end(&moves);
	print_report((double)(end - start) / 1e9, &moves);
	return fflush(stdout) == 0 ? 0 : 1;
}
