// SPDX-License-Identifier: GPL-2.0
/*
 * The loader of bpf/scheduler.bpf.c.  What changes while it runs, models and
 * mode, is in scx_slots.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "core/load.h"
#include "src/host/loader.h"
#include "src/host/scx_state.h"
#include "src/util/clock.h"
#include "src/util/error.h"

/* Turns of the timer in the safety limit, and the longest time between two. */
#define TURNS_PER_LIMIT 8
#define LONGEST_PERIOD  10000000ull
#define LOG_SIZE        (1024 * 1024)

/* enum scx_exit_kind and scx_exit_code: the same since 6.12. */
#define EXIT_UNREG        64
#define EXIT_ERROR        1024
#define ECODE_ACT_RESTART (1ull << 48)

static int read_line(char *text, size_t size, const char *sysfs, const char *name)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/kernel/sched_ext/%s", sysfs, name);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	if (!fgets(text, (int)size, f))
		text[0] = '\0';
	fclose(f);
	text[strcspn(text, "\n")] = '\0';
	return 0;
}

int mls_scx_usable(const char *sysfs, struct mls_kfuncs *kernel, struct mlsched_error *err)
{
	char state[64] = "", name[128] = "", path[512];
	int ret = read_line(state, sizeof(state), sysfs, "state");

	if (ret)
		return mls_error(err, -ENOSYS,
				 "this kernel has no sched_ext (%s/kernel/sched_ext/state: %s): it "
				 "needs one from 6.12 on, built with CONFIG_SCHED_CLASS_EXT=y",
				 sysfs, strerror(-ret));
	snprintf(path, sizeof(path), "%s/kernel/btf/vmlinux", sysfs);
	ret = kernel->known ? 0 : mls_kfuncs_read(path, kernel, err);
	if (ret)
		return ret;
	if (strcmp(state, "disabled") == 0)
		return 0;
	if (read_line(name, sizeof(name), sysfs, "root/ops") || !name[0])
		snprintf(name, sizeof(name), "with a name that the kernel does not show");
	return mls_error(err, -EBUSY,
			 "another scheduler is attached (%.100s, sched_ext says \"%s\"): only one "
			 "can be; stop it first",
			 name, state);
}

static int check_options(struct mls_scx_options *o, struct mlsched_error *err)
{
	int ret;

	o->sysfs = o->sysfs ? o->sysfs : "/sys";
	o->half_life = o->half_life ? o->half_life : MLS_SCX_HALF_LIFE;
	o->limit = o->limit ? o->limit : MLS_POLICY_LIMIT;
	ret = mls_loader_check_half_life(o->half_life, err);
	if (ret)
		return ret;
	if (o->limit < MLS_SCX_MIN_LIMIT || o->limit > MLS_SCX_MAX_LIMIT)
		return mls_error(err, -ERANGE, "expected a limit of %llu to %llu ms, got %.3f ms",
				 MLS_SCX_MIN_LIMIT / 1000000, MLS_SCX_MAX_LIMIT / 1000000,
				 (double)o->limit / 1e6);
	if (o->record > MLS_SCX_MAX_RECORD)
		return mls_error(err, -ERANGE,
				 "expected to follow tasks for at most %llu ms, got %.3f ms",
				 MLS_SCX_MAX_RECORD / 1000000, (double)o->record / 1e6);
	if (!(o->explore >= 0 && o->explore <= MLS_SCX_MAX_EXPLORE))
		return mls_error(err, -ERANGE,
				 "expected to explore in 0 to %g of decisions, got %g",
				 MLS_SCX_MAX_EXPLORE, o->explore);
	return 0;
}

/* Online CPUs only: what is not in a row is never looked at. */
static void put_in_rows(struct scheduler_bpf__bss *bss, uint32_t cpu, const struct mls_cpu *c)
{
	uint64_t bit = 1ull << (cpu % 64);
	uint32_t word = cpu / 64;

	bss->rows[c->domain].word[word] |= bit;
	bss->rows[SCHEDULER_ROW_NODES + c->node].word[word] |= bit;
	bss->rows[SCHEDULER_ROW_ALL].word[word] |= bit;
	/* Busy ones put that right with the first task that they run. */
	bss->idle.word[word] |= bit;
}

/* The CPUs, domain after domain. */
static void set_domains(struct mls_scx *s)
{
	struct scheduler_bpf__rodata *rodata = s->skel->rodata;
	struct scheduler_bpf__bss *bss = s->skel->bss;
	const struct mls_topology *t = &s->topology;
	uint32_t n = 0, largest = 1;

	for (uint32_t d = 0; d < t->n_domains; d++) {
		struct scheduler_domain *domain = (void *)&bss->domains[d];
		uint32_t online = 0;

		domain->first = n;
		for (uint32_t cpu = 0; cpu < t->n_cpus; cpu++) {
			const struct mls_cpu *c = &t->cpus[cpu];

			if (!c->possible || c->domain != d)
				continue;
			bss->members[n++] = (uint16_t)cpu;
			bss->cpus[cpu].domain = c->domain;
			bss->cpus[cpu].node = c->node;
			if (!c->online)
				continue;
			online++;
			put_in_rows(bss, cpu, c);
		}
		domain->n_cpus = n - domain->first;
		domain->share = online ? (1u << 28) / online : 0;
		largest = domain->n_cpus > largest ? domain->n_cpus : largest;
	}
	rodata->n_recounted = largest > SCHEDULER_LOADS ? n : 0;
	rodata->refresh_ns = mls_loader_refresh(largest, s->options.half_life);
}

static void configure(struct mls_scx *s)
{
	struct scheduler_bpf__rodata *rodata = s->skel->rodata;
	uint64_t period = s->options.limit / TURNS_PER_LIMIT;

	s->skel->data->policy.limit = s->options.limit;
	for (int level = 0; level < MLS_POLICY_LEVELS; level++)
		s->skel->data->policy.worth[level] = s->worth[level];
	rodata->decay = mls_load_decay_of(s->options.half_life);
	rodata->period_ns = period < LONGEST_PERIOD ? period : LONGEST_PERIOD;
	rodata->n_cpus = s->topology.n_cpus;
	rodata->n_words = (s->topology.n_cpus + 63) / 64;
	rodata->n_online = s->topology.n_online;
	set_domains(s);
	s->skel->bss->mode = s->options.mode;
	s->skel->bss->active = (uint32_t)(s->active + 1);
	s->skel->bss->candidate = (uint32_t)(s->candidate + 1);
	rodata->partial = s->options.partial;
	rodata->mechanisms = s->options.mechanisms;
	rodata->engine = s->options.requests ? SCHEDULER_ASK_DAEMON : SCHEDULER_ASK_KERNEL;
	if (s->options.requests) {
		rodata->verdict_age = mls_requests_age(s->options.requests);
		rodata->asks_mig15 = mls_requests_width(s->options.requests) == MLS_MIG15_INPUTS;
	} else { /* nobody reads it: a page is the smallest there is */
		bpf_map__set_max_entries(s->skel->maps.requests, (uint32_t)getpagesize());
	}
	rodata->explore = (uint32_t)(s->options.explore * MLS_COIN_CERTAIN);
	if (!s->options.record)
		return;
	rodata->record_size = mls_scx_records_size(s->options.record);
	rodata->records_mig15 = s->options.records_mig15;
	rodata->record_window = s->options.record;
	bpf_map__set_max_entries(s->skel->maps.records, rodata->record_size);
}

static struct bpf_map *ops_map(struct mls_scx *s)
{
	/* By its name: skeletons of older bpftool leave it out. */
	return bpf_object__find_map_by_name(s->skel->obj, "mlsched_ops");
}

/*
 * What depends on the running kernel: it gives its flags what numbers it likes, and
 * libbpf refuses an operation that it does not know unless it is empty.  Without
 * groups in sched_ext every task competes by its own weight.
 */
static int fit_ops(const struct mls_scx *s, struct sched_ext_ops *ops, struct mlsched_error *err)
{
	if (s->options.partial && !s->options.kernel.switch_partial)
		return mls_error(err, -ENOSYS,
				 "this kernel's enum scx_ops_flags has no SCX_OPS_SWITCH_PARTIAL");
	if (s->options.partial)
		ops->flags |= s->options.kernel.switch_partial;
	if (s->options.kernel.groups)
		return 0;
	ops->cgroup_init = NULL;
	ops->cgroup_exit = NULL;
	ops->cgroup_set_weight = NULL;
	return 0;
}

static int load(struct mls_scx *s, uint64_t hotplug_seq, struct mlsched_error *err)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts);
	char *log = calloc(1, LOG_SIZE);
	struct sched_ext_ops *ops;
	int ret;

	if (!log)
		return mls_error(err, -ENOMEM, "no memory for the verifier's log");
	opts.kernel_log_buf = log;
	opts.kernel_log_size = LOG_SIZE;
	/* What libbpf would print stands in our message. */
	libbpf_set_print(NULL);
	s->skel = scheduler_bpf__open_opts(&opts);
	if (!s->skel) {
		ret = mls_error(err, -errno, "the scheduler's BPF object: %s", strerror(errno));
		goto out;
	}
	ops = ops_map(s) ? bpf_map__initial_value(ops_map(s), NULL) : NULL;
	if (!ops) {
		ret = mls_error(err, -ENOENT, "the scheduler's BPF object has no mlsched_ops");
		goto out;
	}
	ret = fit_ops(s, ops, err);
	if (ret)
		goto out;
	/* The kernel refuses us if a CPU came or went since we read the topology. */
	ops->hotplug_seq = hotplug_seq;
	configure(s);
	ret = scheduler_bpf__load(s->skel);
	if (ret == -EPERM || ret == -EACCES)
		mls_error(err, ret,
			  "loading the scheduler: %s: run it as root or with sudo%s%.200s",
			  strerror(-ret), log[0] ? ": " : "",
			  log[0] ? mls_loader_last_line(log) : "");
	else if (ret)
		mls_error(err, ret, "loading the scheduler into this kernel: %s%s%.200s",
			  strerror(-ret), log[0] ? ": " : "",
			  log[0] ? mls_loader_last_line(log) : "");
out:
	free(log);
	return ret;
}

/* Who answers, and who we are: about our own tasks nothing is asked. */
static int open_requests(struct mls_scx *s, struct mlsched_error *err)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	int ret;

	if (!s->options.requests)
		return 0;
	ret = bpf_prog_test_run_opts(bpf_program__fd(s->skel->progs.mlsched_introduce), &opts);
	if (ret)
		return mls_error(err, ret, "telling the scheduler who we are: %s", strerror(-ret));
	return mls_requests_attach(s->options.requests, bpf_map__fd(s->skel->maps.requests),
				   (uint64_t *)s->skel->bss->answers, err);
}

static int attach(struct mls_scx *s, struct mlsched_error *err)
{
	char reason[512] = "";
	int ret;

	if (!s->since)
		s->since = mls_now_ns();
	s->link = bpf_map__attach_struct_ops(ops_map(s));
	if (s->link)
		return 0;
	ret = -errno;
	/* Somebody was faster, perhaps. */
	if (ret == -EBUSY && mls_scx_usable(s->options.sysfs, &s->options.kernel, err) == -EBUSY)
		return ret;
	mls_scx_end(s, reason, sizeof(reason));
	return mls_error(err, ret, "attaching the scheduler: %s%s%s", strerror(-ret),
			 reason[0] ? ": " : "", reason);
}

/* Kernels without the file do not check it either. */
static uint64_t read_hotplug_seq(const char *sysfs)
{
	char text[64];

	return read_line(text, sizeof(text), sysfs, "hotplug_seq") ? 0 : strtoull(text, NULL, 10);
}

/* How the machine is read: at the start, or again. */
typedef int read_topology_fn(const char *sysfs, uint32_t n_domains, struct mls_topology *topology,
			     struct mlsched_error *err);

static int start(struct mls_scx *s, read_topology_fn *read_topology, struct mlsched_error *err)
{
	int ret = mls_scx_usable(s->options.sysfs, &s->options.kernel, err);
	uint64_t hotplug_seq = read_hotplug_seq(s->options.sysfs);

	if (!ret)
		ret = read_topology(s->options.sysfs, s->options.n_domains, &s->topology, err);
	if (!ret)
		ret = load(s, hotplug_seq, err);
	if (!ret)
		ret = mls_scx_put_all(s, err);
	if (!ret)
		ret = mls_scx_records_map(s, err);
	if (!ret)
		ret = open_requests(s, err);
	if (!ret)
		ret = attach(s, err);
	return ret;
}

int mls_scx_open(const struct mls_scx_options *options, struct mlsched_error *err,
		 struct mls_scx **scx)
{
	struct mls_scx *s = calloc(1, sizeof(*s));
	int ret;

	if (!s)
		return mls_error(err, -ENOMEM, "no memory for the scx backend");
	s->options = *options;
	s->active = MLS_SCX_NO_SLOT;
	s->candidate = MLS_SCX_NO_SLOT;
	mls_scx_set_worth(s, NULL);
	ret = check_options(&s->options, err);
	if (!ret && options->slot) {
		ret = mls_scx_keep(s, 0, options->slot, err);
		s->active = 0;
	}
	if (!ret)
		ret = start(s, mls_topology_read, err);
	if (ret) {
		mls_scx_close(s);
		return ret;
	}
	*scx = s;
	return 0;
}

int mls_scx_load(const struct mls_scx_options *options, const struct mls_topology *topology,
		 struct mlsched_error *err, struct mls_scx **scx, struct bpf_object **object)
{
	struct mls_scx *s = calloc(1, sizeof(*s));
	int ret;

	if (!s)
		return mls_error(err, -ENOMEM, "no memory for the scx backend");
	s->options = *options;
	s->topology = *topology;
	s->active = MLS_SCX_NO_SLOT;
	s->candidate = MLS_SCX_NO_SLOT;
	mls_scx_set_worth(s, NULL);
	ret = check_options(&s->options, err);
	if (!ret)
		ret = mls_scx_usable(s->options.sysfs, &s->options.kernel, err);
	if (!ret)
		ret = load(s, 0, err);
	if (ret) {
		mls_scx_close(s);
		return ret;
	}
	*object = s->skel->obj;
	*scx = s;
	return 0;
}

enum mls_scx_end mls_scx_end(const struct mls_scx *s, char *text, size_t size)
{
	struct scheduler_exit *ended;
	uint32_t kind;

	if (!s->skel || !s->skel->bss)
		return MLS_SCX_RUNS;
	ended = (void *)&s->skel->bss->ended;
	kind = __atomic_load_n(&ended->kind, __ATOMIC_ACQUIRE);
	if (kind < EXIT_UNREG)
		return MLS_SCX_RUNS;
	snprintf(text, size, "%.127s%s%.300s", ended->reason, ended->message[0] ? ": " : "",
		 ended->message);
	if (kind >= EXIT_ERROR)
		return MLS_SCX_EJECTED;
	return ended->code & ECODE_ACT_RESTART ? MLS_SCX_RESTART : MLS_SCX_ORDERLY;
}

/* Every field of struct scheduler_counts is a u64. */
static void add_counts(struct scheduler_counts *sum, const struct scheduler_counts *n)
{
	const uint64_t longest = sum->wait_ns > n->wait_ns ? sum->wait_ns : n->wait_ns;
	const unsigned long long *from = (const unsigned long long *)n;
	unsigned long long *to = (unsigned long long *)sum;

	for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
		to[i] += __atomic_load_n(&from[i], __ATOMIC_RELAXED);
	sum->wait_ns = longest;
}

_Static_assert(sizeof(struct scheduler_counts) % sizeof(u64) == 0, "only counters");

/* What the kernel has counted, now and before restarts. */
static void kernel_counts(const struct mls_scx *s, struct scheduler_counts *counts)
{
	*counts = s->before;
	if (!s->skel || !s->skel->bss)
		return;
	for (uint32_t cpu = 0; cpu < s->topology.n_cpus; cpu++)
		add_counts(counts, (const void *)&s->skel->bss->cpus[cpu].counts);
}

void mls_scx_counts(const struct mls_scx *s, struct scheduler_counts *counts)
{
	kernel_counts(s, counts);
	if (s->options.requests)
		mls_requests_add(s->options.requests, counts);
}

void mls_scx_detach(struct mls_scx *s)
{
	bpf_link__destroy(s->link);
	s->link = NULL;
}

static void unload(struct mls_scx *s)
{
	struct scheduler_counts counts;

	mls_scx_detach(s);
	if (s->options.requests)
		mls_requests_detach(s->options.requests);
	kernel_counts(s, &counts);
	s->before = counts;
	mls_scx_records_unmap(s);
	scheduler_bpf__destroy(s->skel);
	s->skel = NULL;
}

int mls_scx_restart(struct mls_scx *s, struct mlsched_error *err)
{
	unload(s);
	return start(s, mls_topology_read_again, err);
}

const struct mls_topology *mls_scx_topology(const struct mls_scx *s)
{
	return &s->topology;
}

uint64_t mls_scx_since(const struct mls_scx *s)
{
	return s->since;
}

void mls_scx_close(struct mls_scx *s)
{
	if (!s)
		return;
	unload(s);
	for (int i = 0; i < SCHEDULER_SLOTS; i++)
		free(s->slots[i]);
	free(s);
}
