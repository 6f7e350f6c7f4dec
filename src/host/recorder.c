// SPDX-License-Identifier: GPL-2.0
/*
 * The loader of bpf/recorder.bpf.c, and the reader of its ring.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/recorder.h"
#include "core/load.h"
#include "src/host/move.h"
#include "src/host/loader.h"
#include "src/host/recorder.h"
#include "src/util/clock.h"
#include "src/util/error.h"

#include "bpf/recorder.skel.h"

/* A program that began within the window may still be writing: hooks take microseconds. */
#define SETTLE_NS 1000000ull
/*
 * The ring holds a window of this many migrations per millisecond, within limits; at least a second
 * of 50,000 behind a window of 100 ms, for who empties it may have to wait for a CPU.
 */
#define MOVES_PER_MS  160
#define RING_SMALLEST 65536
#define RING_LARGEST  (1u << 18)
#define LOG_SIZE      (256 * 1024)

struct mls_recorder {
	struct recorder_bpf *skel;
	struct mls_recorder_options options;
	struct mls_topology topology;
	uint64_t since;
	const struct recorder_decision *ring;
	size_t ring_bytes;
	uint32_t ring_size;
	int stats_fd;
};

static int check_options(struct mls_recorder_options *o, struct mlsched_error *err)
{
	int ret;

	o->sysfs = o->sysfs ? o->sysfs : "/sys";
	o->half_life = o->half_life ? o->half_life : MLS_RECORDER_HALF_LIFE;
	o->window = o->window ? o->window : MLS_RECORDER_WINDOW;
	ret = mls_loader_check_half_life(o->half_life, err);
	if (ret)
		return ret;
	if (o->window < MLS_RECORDER_MIN_WINDOW || o->window > MLS_RECORDER_MAX_WINDOW)
		return mls_error(err, -ERANGE, "expected a window of %llu to %llu ms, got %.3f ms",
				 MLS_RECORDER_MIN_WINDOW / 1000000,
				 MLS_RECORDER_MAX_WINDOW / 1000000, (double)o->window / 1e6);
	return 0;
}

static int check_kernel(struct mlsched_error *err)
{
	if (access("/sys/kernel/btf/vmlinux", R_OK) == 0)
		return 0;
	return mls_error(
		err, -ENOENT,
		"this kernel has no BTF (/sys/kernel/btf/vmlinux: %s): watching its "
		"scheduler needs one built with CONFIG_DEBUG_INFO_BTF=y, as those of Debian 12, "
		"Ubuntu 22.04 and Fedora are",
		strerror(errno));
}

static void set_domain_shares(struct mls_recorder *r)
{
	const struct mls_topology *t = &r->topology;
	uint32_t online[MLS_MAX_DOMAINS] = { 0 };

	for (uint32_t cpu = 0; cpu < t->n_cpus; cpu++) {
		if (t->cpus[cpu].online)
			online[t->cpus[cpu].domain]++;
	}
	for (uint32_t d = 0; d < t->n_domains; d++)
		r->skel->bss->domains[d].share = online[d] ? (1u << 28) / online[d] : 0;
	r->skel->bss->n_online = t->n_online;
}

/* The CPUs, domain after domain; returns the CPUs of the largest domain. */
static uint32_t set_domains(struct mls_recorder *r)
{
	const struct mls_topology *t = &r->topology;
	uint32_t n = 0, largest = 1;

	for (uint32_t d = 0; d < t->n_domains; d++) {
		struct recorder_domain *domain = &r->skel->bss->domains[d];

		domain->first = n;
		for (uint32_t cpu = 0; cpu < t->n_cpus; cpu++) {
			if (!t->cpus[cpu].possible || t->cpus[cpu].domain != d)
				continue;
			r->skel->bss->members[n++] = (uint16_t)cpu;
			r->skel->bss->cpus[cpu].domain = d;
		}
		domain->n_cpus = n - domain->first;
		largest = domain->n_cpus > largest ? domain->n_cpus : largest;
	}
	set_domain_shares(r);
	return largest;
}

static void configure(struct mls_recorder *r)
{
	struct recorder_bpf__rodata *rodata = r->skel->rodata;
	uint64_t wanted = r->options.window / 1000000 * MOVES_PER_MS;

	r->ring_size = RING_SMALLEST;
	while (r->ring_size < wanted && r->ring_size < RING_LARGEST)
		r->ring_size *= 2;
	rodata->ring_size = r->ring_size;
	rodata->window_ns = r->options.window;
	rodata->decay = mls_load_decay_of(r->options.half_life);
	rodata->n_domains = r->topology.n_domains;
	rodata->largest_domain = set_domains(r);
	rodata->has_network = r->options.slot != NULL;
	rodata->refresh_ns = mls_loader_refresh(rodata->largest_domain, r->options.half_life);
	bpf_map__set_max_entries(r->skel->maps.ring, r->ring_size);
}

static int load(struct mls_recorder *r, struct mlsched_error *err)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts);
	char *log = calloc(1, LOG_SIZE);
	int ret;

	if (!log)
		return mls_error(err, -ENOMEM, "no memory for the verifier's log");
	opts.kernel_log_buf = log;
	opts.kernel_log_size = LOG_SIZE;
	/* What libbpf would print stands in our message. */
	libbpf_set_print(NULL);
	r->skel = recorder_bpf__open_opts(&opts);
	if (!r->skel) {
		ret = mls_error(err, -errno, "the recorder's BPF object: %s", strerror(errno));
		goto out;
	}
	configure(r);
	ret = recorder_bpf__load(r->skel);
	if (ret == -EPERM || ret == -EACCES)
		mls_error(err, ret,
			  "watching the kernel's scheduler needs root: run it as root, with "
			  "sudo, or with CAP_BPF and CAP_PERFMON");
	else if (ret)
		mls_error(err, ret, "loading the recorder into this kernel: %s%s%.200s",
			  strerror(-ret), log[0] ? ": " : "",
			  log[0] ? mls_loader_last_line(log) : "");
out:
	free(log);
	return ret;
}

static int map_ring(struct mls_recorder *r, struct mlsched_error *err)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *ring;

	r->ring_bytes = (r->ring_size * sizeof(*r->ring) + page - 1) / page * page;
	ring = mmap(NULL, r->ring_bytes, PROT_READ, MAP_SHARED, bpf_map__fd(r->skel->maps.ring), 0);
	if (ring == MAP_FAILED)
		return mls_error(err, -errno, "mapping the recorder's ring of %zu bytes: %s",
				 r->ring_bytes, strerror(errno));
	r->ring = ring;
	return 0;
}

static int put_network(struct mls_recorder *r, struct mlsched_error *err)
{
	const struct bpf_map *map = r->skel->maps.slots;
	const uint32_t zero = 0;
	int ret;

	if (!r->options.slot)
		return 0;
	ret = bpf_map__update_elem(map, &zero, sizeof(zero), r->options.slot,
				   bpf_map__value_size(map), 0);
	return ret ? mls_error(err, ret, "putting the network into the kernel: %s",
			       strerror(-ret)) :
		     0;
}

static int attach(struct bpf_program *program, struct bpf_link **link, struct mlsched_error *err)
{
	*link = bpf_program__attach(program);
	if (*link)
		return 0;
	return mls_error(err, -errno, "attaching %s (%s): %s", bpf_program__name(program),
			 bpf_program__section_name(program), strerror(errno));
}

/* Storage for the tasks that are there; new ones have got theirs from on_new_task. */
static int visit_tasks(struct mls_recorder *r, struct mlsched_error *err)
{
	int ret = attach(r->skel->progs.each_task, &r->skel->links.each_task, err);
	char nothing[64];
	ssize_t n;
	int fd;

	if (ret)
		return ret;
	fd = bpf_iter_create(bpf_link__fd(r->skel->links.each_task));
	if (fd < 0)
		return mls_error(err, fd, "going through the tasks: %s", strerror(-fd));
	do {
		n = read(fd, nothing, sizeof(nothing));
	} while (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)));
	ret = n < 0 ? mls_error(err, -errno, "going through the tasks: %s", strerror(errno)) : 0;
	close(fd);
	return ret;
}

/*
 * Runs on each CPU for a moment: its switch to us says what it did before.
 * A CPU that we may not run on stays unknown until it switches by itself.
 */
static void visit_cpus(const struct mls_topology *t)
{
	cpu_set_t *before = CPU_ALLOC(MLS_MAX_CPUS), *one = CPU_ALLOC(MLS_MAX_CPUS);
	size_t size = CPU_ALLOC_SIZE(MLS_MAX_CPUS);

	if (before && one && sched_getaffinity(0, size, before) == 0) {
		for (uint32_t cpu = 0; cpu < t->n_cpus; cpu++) {
			if (!t->cpus[cpu].online)
				continue;
			CPU_ZERO_S(size, one);
			CPU_SET_S(cpu, size, one);
			sched_setaffinity(0, size, one);
		}
		sched_setaffinity(0, size, before);
	}
	CPU_FREE(before);
	CPU_FREE(one);
}

static int start(struct mls_recorder *r, struct mlsched_error *err)
{
	int ret = load(r, err);

	if (!ret)
		ret = map_ring(r, err);
	if (!ret)
		ret = put_network(r, err);
	if (!ret)
		ret = attach(r->skel->progs.on_new_task, &r->skel->links.on_new_task, err);
	if (!ret)
		ret = visit_tasks(r, err);
	if (!ret)
		ret = attach(r->skel->progs.on_switch, &r->skel->links.on_switch, err);
	if (ret)
		return ret;
	visit_cpus(&r->topology);
	r->since = mls_now_ns();
	return attach(r->skel->progs.on_migrate, &r->skel->links.on_migrate, err);
}

int mls_recorder_open(const struct mls_recorder_options *options, struct mlsched_error *err,
		      struct mls_recorder **recorder)
{
	struct mls_recorder *r = calloc(1, sizeof(*r));
	int ret;

	if (!r)
		return mls_error(err, -ENOMEM, "no memory for the recorder");
	r->options = *options;
	r->stats_fd = -1;
	ret = check_options(&r->options, err);
	if (!ret)
		ret = mls_topology_read(r->options.sysfs, r->options.n_domains, &r->topology, err);
	if (!ret)
		ret = check_kernel(err);
	if (!ret)
		ret = start(r, err);
	if (ret) {
		mls_recorder_close(r);
		return ret;
	}
	*recorder = r;
	return 0;
}

int mls_recorder_load(const struct mls_recorder_options *options,
		      const struct mls_topology *topology, struct mlsched_error *err,
		      struct mls_recorder **recorder, struct bpf_object **object)
{
	struct mls_recorder *r = calloc(1, sizeof(*r));
	int ret;

	if (!r)
		return mls_error(err, -ENOMEM, "no memory for the recorder");
	r->options = *options;
	r->topology = *topology;
	r->stats_fd = -1;
	ret = check_options(&r->options, err);
	if (!ret)
		ret = check_kernel(err);
	if (!ret)
		ret = load(r, err);
	if (ret) {
		mls_recorder_close(r);
		return ret;
	}
	*object = r->skel->obj;
	*recorder = r;
	return 0;
}

void mls_recorder_close(struct mls_recorder *r)
{
	if (!r)
		return;
	if (r->stats_fd >= 0)
		close(r->stats_fd);
	if (r->ring)
		munmap((void *)r->ring, r->ring_bytes);
	recorder_bpf__destroy(r->skel);
	free(r);
}

uint64_t mls_recorder_poll(struct mls_recorder *r, bool flush, mls_move_fn *fn, void *context)
{
	struct recorder_bpf__bss *bss = r->skel->bss;
	uint64_t head = __atomic_load_n(&bss->head, __ATOMIC_ACQUIRE);
	uint64_t now = mls_now_ns(), n = 0, tail = bss->tail;
	struct mls_move move;

	for (; tail < head; tail++, n++) {
		const struct recorder_decision *d = &r->ring[(tail + 1) & (r->ring_size - 1)];
		uint64_t end = r->options.window;

		/* Another CPU is just filling it in: next time. */
		if (__atomic_load_n(&d->id, __ATOMIC_ACQUIRE) != tail + 1)
			break;
		if (now < d->time + end + SETTLE_NS) {
			if (!flush)
				break;
			if (now < d->time + end)
				end = now > d->time ? now - d->time : 0;
		}
		mls_move_finish(d, end, &move);
		/* From here on the slot belongs to the recorder again. */
		__atomic_store_n(&bss->tail, tail + 1, __ATOMIC_RELEASE);
		fn(context, &move);
	}
	return n;
}

void mls_recorder_stop(struct mls_recorder *r)
{
	__atomic_store_n(&r->skel->bss->closing, true, __ATOMIC_RELEASE);
}

int mls_recorder_refresh(struct mls_recorder *r, struct mlsched_error *err)
{
	bool changed;
	int ret = mls_topology_refresh(r->options.sysfs, &r->topology, &changed, err);

	if (!ret && changed)
		set_domain_shares(r);
	return ret;
}

static void add_info(struct bpf_program *program, uint64_t *missed, uint64_t *ns, uint64_t *runs)
{
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info);

	if (bpf_prog_get_info_by_fd(bpf_program__fd(program), &info, &size) != 0)
		return;
	*missed += info.recursion_misses;
	*ns += info.run_time_ns;
	*runs += info.run_cnt;
}

void mls_recorder_counts(const struct mls_recorder *r, struct mls_recorder_counts *counts)
{
	const struct recorder_bpf__bss *bss = r->skel->bss;
	uint64_t ns = 0, runs = 0;

	*counts = (struct mls_recorder_counts){
		.taken = __atomic_load_n(&bss->head, __ATOMIC_RELAXED),
		.delivered = bss->tail,
	};
	for (uint32_t cpu = 0; cpu < r->topology.n_cpus; cpu++) {
		const struct recorder_cpu *c = &bss->cpus[cpu];

		counts->switches += __atomic_load_n(&c->switches, __ATOMIC_RELAXED);
		counts->migrations += __atomic_load_n(&c->migrations, __ATOMIC_RELAXED);
		counts->same_cpu += __atomic_load_n(&c->same_cpu, __ATOMIC_RELAXED);
		counts->closing += __atomic_load_n(&c->closing, __ATOMIC_RELAXED);
		counts->lost += __atomic_load_n(&c->lost, __ATOMIC_RELAXED);
		counts->unfollowed += __atomic_load_n(&c->unfollowed, __ATOMIC_RELAXED);
	}
	add_info(r->skel->progs.on_switch, &counts->missed, &ns, &runs);
	add_info(r->skel->progs.on_migrate, &counts->missed, &ns, &runs);
}

int mls_recorder_stats(struct mls_recorder *r, bool on, struct mlsched_error *err)
{
	if (!on) {
		if (r->stats_fd >= 0)
			close(r->stats_fd);
		r->stats_fd = -1;
		return 0;
	}
	if (r->stats_fd >= 0)
		return 0;
	r->stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	if (r->stats_fd >= 0)
		return 0;
	return mls_error(err, r->stats_fd, "the kernel's BPF statistics: %s",
			 strerror(-r->stats_fd));
}

void mls_recorder_cost(const struct mls_recorder *r, struct mls_recorder_cost *cost)
{
	uint64_t missed = 0;

	*cost = (struct mls_recorder_cost){ 0 };
	add_info(r->skel->progs.on_switch, &missed, &cost->switch_ns, &cost->switch_runs);
	add_info(r->skel->progs.on_migrate, &missed, &cost->migrate_ns, &cost->migrate_runs);
}

const struct mls_topology *mls_recorder_topology(const struct mls_recorder *r)
{
	return &r->topology;
}

uint64_t mls_recorder_since(const struct mls_recorder *r)
{
	return r->since;
}

uint64_t mls_recorder_window(const struct mls_recorder *r)
{
	return r->options.window;
}
