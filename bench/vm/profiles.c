// SPDX-License-Identifier: GPL-2.0
/*
 * The loads.  Each gives the same work for the same seed, whatever the scheduler does.
 *
 * make: jobs of three programs one after the other, so many at a time; what a
 * scheduler does at fork and exec, with short and (one in eight) long jobs.
 * message: groups in which messages go from worker to worker, each some work; what
 * it does at wake-ups, and whether it keeps together what talks to each other.
 * mixed: more CPU-bound threads than CPUs, and some that sleep and want a CPU at
 * once; fairness against latency.
 * imbalance: everything begins on one last-level cache; how soon it is balanced.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workload.h"

/* Streams of chance: one for each thing that is drawn, so that no two share their numbers. */
enum stream { OF_MEAN = 1, OF_BURST, OF_PAUSE, OF_SLEEPS, OF_HOP, OF_NEXT, OF_LENGTH, OF_SLEEPER };
#define STREAM(what, id) ((uint64_t)(id) * 16 + (what))

static pthread_barrier_t ready, go;

static void name_self(const char *what, uint32_t id)
{
	char name[32];

	snprintf(name, sizeof(name), "%s%s%u", name_prefix, what, id);
	prctl(PR_SET_NAME, name);
	/* A sleep ends when it should, not up to 50 us later. */
	prctl(PR_SET_TIMERSLACK, 1);
}

/* ---- mixed, imbalance: bursts, sometimes a pause ---------------------------- */

/* Burst i of a CPU-bound worker, whose mean is its own. */
static uint64_t burst_of(const struct worker *w, uint32_t i)
{
	uint64_t mean = draw_around(STREAM(OF_MEAN, w->id), 0, arena->settings.burst);

	return draw_around(STREAM(OF_BURST, w->id), i, mean);
}

static void run_bursts(struct worker *w)
{
	for (uint32_t i = 0; i < arena->settings.bursts; i++) {
		burn(w, burst_of(w, i));
		w->units++;
		if (draw(STREAM(OF_SLEEPS, w->id), i) % 4 == 0)
			sleep_ns(w, draw_around(STREAM(OF_PAUSE, w->id), i, arena->settings.pause));
	}
}

static void run_sleeper(struct worker *w)
{
	for (uint64_t i = 0; !atomic_load(&arena->stop); i++) {
		sleep_ns(w, draw_around(STREAM(OF_SLEEPER, w->id), 2 * i, 4 * MS));
		burn(w, draw_around(STREAM(OF_SLEEPER, w->id), 2 * i + 1, 200 * US));
	}
}

/* ---- message --------------------------------------------------------------- */

static void mail_send(struct worker *to, int from_cache)
{
	unsigned long long nothing = 0;

	atomic_store(&to->from_cache, from_cache);
	/* With an empty mailbox it sleeps, or is about to. */
	if (atomic_load(&to->mail) == 0)
		atomic_compare_exchange_strong(&to->posted, &nothing, mono_ns());
	atomic_fetch_add(&to->mail, 1);
	syscall(SYS_futex, &to->mail, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void mail_receive(struct worker *w)
{
	bool slept = false;
	uint64_t posted, now;

	while (atomic_load(&w->mail) == 0) {
		/* What was posted before has been received. */
		if (!slept)
			atomic_store(&w->posted, 0);
		if (atomic_load(&w->mail) == 0 &&
		    syscall(SYS_futex, &w->mail, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0) == 0)
			slept = true;
	}
	now = mono_ns();
	posted = atomic_exchange(&w->posted, 0);
	if (slept && posted)
		durations_add(&w->wakeup, now > posted ? now - posted : 0);
	atomic_fetch_sub(&w->mail, 1);
}

static void run_messages(struct worker *w)
{
	const struct settings *s = &arena->settings;
	uint32_t size = s->workers / s->groups, first = w->group * size;
	struct group *g = &arena->group[w->group];

	int hop;

	for (;;) {
		uint32_t to;
		int cache;

		mail_receive(w);
		hop = atomic_fetch_sub(&g->hops, 1);
		if (hop <= 0)
			break;
		cache = atomic_load(&w->from_cache);
		if (w->cpu >= 0 && cache >= 0 && arena->machine.cache[w->cpu] != (uint32_t)cache)
			owe(w, s->refill_cpu);
		burn(w, draw_around(STREAM(OF_HOP, w->group), (uint64_t)hop, s->burst));
		w->units++;
		to = (uint32_t)(draw(STREAM(OF_NEXT, w->id), w->units) % (size - 1));
		to += to >= w->id - first;
		mail_send(&arena->worker[first + to], (int)arena->machine.cache[w->cpu]);
	}
	/* The first to find that all is done wakes all the others, which find the same. */
	for (uint32_t i = 0; hop == 0 && i < size; i++)
		mail_send(&arena->worker[first + i], -1);
}

static void send_first_messages(void)
{
	const struct settings *s = &arena->settings;
	uint32_t size = s->workers / s->groups;

	for (uint32_t g = 0; g < s->groups; g++) {
		for (uint32_t i = 0; i < s->messages; i++)
			mail_send(&arena->worker[g * size + i % size], -1);
	}
}

/* ---- threads --------------------------------------------------------------- */

static void *worker_main(void *argument)
{
	const struct settings *s = &arena->settings;
	bool imbalance = strcmp(profiles[s->profile].name, "imbalance") == 0;
	struct worker *w = argument;

	name_self(w->sleeper ? "s" : "w", w->id);
	/* All begin at one cache, and work there for so long that the kernel knows their load. */
	if (imbalance && (s->tie == TIE_NONE || s->tie == TIE_HOME)) {
		tie_to_cache(arena->machine.cache[0]);
		burn(w, 5 * MS);
	}
	if (s->tie == TIE_CACHE || s->tie == TIE_CPU)
		tie_apply(w);
	pthread_barrier_wait(&ready);
	pthread_barrier_wait(&go);
	if (s->tie == TIE_HOME)
		tie_apply(w);
	else if (imbalance && s->tie == TIE_NONE)
		tie_to_nothing();
	account_start(w);
	if (s->groups)
		run_messages(w);
	else if (w->sleeper)
		run_sleeper(w);
	else
		run_bursts(w);
	account_end(w);
	return NULL;
}

static void prepare_worker(struct worker *w, uint32_t id)
{
	const struct settings *s = &arena->settings;

	w->id = id;
	w->cpu = -1;
	w->place = -1;
	w->group = s->groups ? id / (s->workers / s->groups) : id;
	w->sleeper = id >= s->workers;
	w->expected = s->groups ? s->bursts * s->burst : 0;
	for (uint32_t i = 0; !s->groups && !w->sleeper && i < s->bursts; i++)
		w->expected += burst_of(w, i);
}

static uint64_t run_threads(uint64_t *end)
{
	const struct settings *s = &arena->settings;
	uint32_t n = s->workers + s->sleepers;
	static pthread_t threads[MAX_WORKERS];
	uint64_t start;

	for (uint32_t i = 0; i < n; i++)
		prepare_worker(&arena->worker[i], i);
	for (uint32_t g = 0; g < s->groups; g++)
		atomic_store(&arena->group[g].hops, (int)(s->bursts * (s->workers / s->groups)));
	tie_plan(n);
	pthread_barrier_init(&ready, NULL, n + 1);
	pthread_barrier_init(&go, NULL, n + 1);
	for (uint32_t i = 0; i < n; i++) {
		if (pthread_create(&threads[i], NULL, worker_main, &arena->worker[i]) != 0)
			fail("thread %u cannot be made", i);
	}
	pthread_barrier_wait(&ready);
	moves_start();
	start = mono_ns();
	pthread_barrier_wait(&go);
	if (s->groups)
		send_first_messages();
	for (uint32_t i = 0; i < s->workers; i++)
		pthread_join(threads[i], NULL);
	*end = mono_ns();
	atomic_store(&arena->stop, true);
	for (uint32_t i = s->workers; i < n; i++)
		pthread_join(threads[i], NULL);
	return start;
}

/* ---- make ------------------------------------------------------------------- */

static char own_path[PATH_MAX];

/* Starts one program of a job: "driver", which starts "cc" and then "as". */
static pid_t start_program(uint32_t id, const char *stage)
{
	struct worker *w = &arena->worker[id];
	char text[16];
	pid_t pid = fork();

	if (pid < 0)
		fail("fork: %s", strerror(errno));
	if (pid > 0)
		return pid;
	if (w->place >= 0 && strcmp(stage, "driver") == 0)
		tie_apply(w);
	snprintf(text, sizeof(text), "%u", id);
	execl(own_path, own_path, "--stage", stage, text, (char *)NULL);
	_exit(127);
}

static void run_program(uint32_t id, const char *stage)
{
	pid_t pid = start_program(id, stage);
	int status;

	if (waitpid(pid, &status, 0) != pid || status != 0)
		fail("job %u, %s: status %#x", id, stage, (unsigned int)status);
}

static void compile(struct worker *w)
{
	const struct settings *s = &arena->settings;
	uint64_t mean = draw(STREAM(OF_LENGTH, w->id), 0) % 8 ? s->burst : 5 * s->burst;

	for (uint32_t i = 0; i < s->bursts; i++) {
		burn(w, draw_around(STREAM(OF_BURST, w->id), i, mean));
		sleep_ns(w, draw_around(STREAM(OF_PAUSE, w->id), i, s->pause));
	}
}

/* The main() of such a program: --stage NAME JOB.  Of a job only one at a time is at work. */
int job_stage(int argc, char **argv)
{
	ssize_t length = readlink("/proc/self/exe", own_path, sizeof(own_path) - 1);
	struct worker *w;
	uint32_t id;

	if (argc != 4 || length < 0 || strtoul(argv[3], NULL, 10) >= MAX_WORKERS)
		return 2;
	id = (uint32_t)strtoul(argv[3], NULL, 10);
	w = &arena->worker[id];
	/* A new program has nothing in a cache yet: it starts where it is, without a debt. */
	w->cpu = sched_getcpu();
	w->debt = 0;
	name_self(argv[2], id);
	if (strcmp(argv[2], "driver") == 0) {
		if (arena->settings.tie == TIE_HOME)
			tie_apply(w);
		burn(w, 300 * US);
		run_program(id, "cc");
		run_program(id, "as");
		w->units++;
	} else if (strcmp(argv[2], "cc") == 0) {
		compile(w);
	} else {
		burn(w, draw_around(STREAM(OF_HOP, id), 0, arena->settings.burst / 2));
	}
	account_add(w);
	return 0;
}

/* The cache or the CPU with the fewest jobs. */
static int free_place(const uint32_t *jobs)
{
	const struct settings *s = &arena->settings;
	uint32_t n = s->tie == TIE_CACHE ? arena->machine.n_caches : arena->machine.n_cpus,
		 best = 0;

	if (s->tie != TIE_CACHE && s->tie != TIE_CPU)
		return -1;
	for (uint32_t i = 1; i < n; i++) {
		if (jobs[i] < jobs[best])
			best = i;
	}
	return (int)best;
}

/* Waits for any job; returns its number. */
static uint32_t wait_for_job(const pid_t *pids, uint32_t started)
{
	int status;
	pid_t pid = wait(&status);
	uint32_t id = 0;

	while (id < started && pids[id] != pid)
		id++;
	if (pid < 0 || status != 0 || id == started)
		fail("a job ended with status %#x", (unsigned int)status);
	return id;
}

static uint64_t run_make(uint64_t *end)
{
	const struct settings *s = &arena->settings;
	ssize_t length = readlink("/proc/self/exe", own_path, sizeof(own_path) - 1);
	uint32_t started = 0, running = 0, jobs[MAX_CPUS] = { 0 };
	static pid_t pids[MAX_WORKERS];
	uint64_t start;

	if (length < 0)
		fail("/proc/self/exe: %s", strerror(errno));
	moves_start();
	start = mono_ns();
	while (started < s->workers || running) {
		struct worker *w = &arena->worker[started];

		if (started < s->workers && running < s->parallel) {
			w->id = started;
			w->place = free_place(jobs);
			if (w->place >= 0)
				jobs[w->place]++;
			pids[started] = start_program(started, "driver");
			started++;
			running++;
			continue;
		}
		w = &arena->worker[wait_for_job(pids, started)];
		if (w->place >= 0)
			jobs[w->place]--;
		running--;
	}
	*end = mono_ns();
	return start;
}

/* ---- the table ----------------------------------------------------------------- */

const struct profile profiles[] = {
	{ "make",
	  "jobs of three programs each, so many at a time",
	  { .workers = 12, .parallel = 1.5, .bursts = 4, .burst = 40 * MS, .pause = 500 * US },
	  run_make },
	{ "message",
	  "groups of workers that send each other messages, each some work",
	  { .workers = 6, .groups = 1, .messages = 3, .bursts = 400, .burst = 1 * MS },
	  run_threads },
	{ "mixed",
	  "CPU-bound threads, and some that sleep and want a CPU at once",
	  { .workers = 2.5, .sleepers = 1, .bursts = 120, .burst = 10 * MS, .pause = 2 * MS },
	  run_threads },
	{ "imbalance",
	  "CPU-bound threads that all begin on one last-level cache",
	  { .workers = 2, .bursts = 120, .burst = 10 * MS, .pause = 2 * MS },
	  run_threads },
};
const uint32_t n_profiles = sizeof(profiles) / sizeof(profiles[0]);
