// SPDX-License-Identifier: GPL-2.0
/*
 * Models and mode of a scheduler that runs, and what its domains look like.
 *
 * A network is written to a slot that nobody uses, read back, compared, and
 * switched to by one store.  That nobody uses it any more must be known: each
 * CPU says while it reads a slot (struct scheduler_cpu's asking).  Who is seen
 * not to do so after the switch has seen the switch, when it does again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "core/load.h"
#include "src/host/scx_state.h"
#include "src/nn/qnet_pack.h"
#include "src/util/error.h"

/* Looks at a CPU that computes: it takes a microsecond, if it is not interrupted. */
#define LOOKS 20000

static size_t slot_size(void)
{
	return mls_qnet_slot_size(MLS_SCX_SLOT_WIDTH);
}

int mls_scx_keep(struct mls_scx *s, int index, const void *slot, struct mlsched_error *err)
{
	if (!s->slots[index])
		s->slots[index] = malloc(slot_size());
	if (!s->slots[index])
		return mls_error(err, -ENOMEM, "no memory for the network's slot");
	memcpy(s->slots[index], slot, slot_size());
	return 0;
}

static int map_of(const struct mls_scx *s)
{
	return bpf_map__fd(s->skel->maps.slots);
}

/* Whether slot @index in the kernel holds @slot; -errno when it cannot be read. */
static int holds(const struct mls_scx *s, int index, const void *slot)
{
	const uint32_t key = (uint32_t)index;
	void *found = malloc(slot_size());
	int ret;

	if (!found)
		return -ENOMEM;
	ret = bpf_map_lookup_elem(map_of(s), &key, found);
	if (!ret)
		ret = memcmp(found, slot, slot_size()) == 0;
	free(found);
	return ret;
}

static int write_slot(struct mls_scx *s, int index, const void *slot, struct mlsched_error *err)
{
	const uint32_t key = (uint32_t)index;
	int ret = bpf_map_update_elem(map_of(s), &key, slot, 0);

	if (ret)
		return mls_error(err, ret, "putting the network into the kernel: %s",
				 strerror(-ret));
	ret = holds(s, index, slot);
	if (ret < 0)
		return mls_error(err, ret, "reading the network back from the kernel: %s",
				 strerror(-ret));
	if (!ret)
		return mls_error(err, -EIO,
				 "the network that was read back from slot %d is not the one that "
				 "was put there",
				 index);
	return 0;
}

int mls_scx_put_all(struct mls_scx *s, struct mlsched_error *err)
{
	int ret = 0;

	for (int i = 0; i < SCHEDULER_SLOTS && !ret; i++)
		ret = s->slots[i] ? write_slot(s, i, s->slots[i], err) : 0;
	return ret;
}

/* Each CPU was seen outside of all slots at some time since the call. */
static bool is_quiet(const struct mls_scx *s)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (uint32_t cpu = 0; cpu < s->topology.n_cpus; cpu++) {
		const uint32_t *asking = &s->skel->bss->cpus[cpu].asking;
		uint32_t looks = 0;

		while (__atomic_load_n(asking, __ATOMIC_ACQUIRE)) {
			if (++looks > LOOKS)
				return false;
		}
	}
	return true;
}

int mls_scx_put(struct mls_scx *s, int index, const void *slot, struct mlsched_error *err)
{
	int ret;

	if (index == s->active || index == s->candidate)
		return mls_error(err, -EBUSY, "slot %d is in use", index);
	if (!s->skel || !s->skel->bss)
		return mls_error(err, -ENODEV, "no scheduler is loaded");
	if (!is_quiet(s))
		return mls_error(err, -EAGAIN, "a CPU still computes with what is in slot %d",
				 index);
	ret = write_slot(s, index, slot, err);
	/* After a failure it holds what nobody has asked for: it is not put back after a restart. */
	if (!ret)
		return mls_scx_keep(s, index, slot, err);
	free(s->slots[index]);
	s->slots[index] = NULL;
	return ret;
}

void mls_scx_set_active(struct mls_scx *s, int index)
{
	s->active = index;
	if (s->skel && s->skel->bss)
		__atomic_store_n(&s->skel->bss->active, (uint32_t)(index + 1), __ATOMIC_SEQ_CST);
}

void mls_scx_set_candidate(struct mls_scx *s, int index)
{
	s->candidate = index;
	if (s->skel && s->skel->bss)
		__atomic_store_n(&s->skel->bss->candidate, (uint32_t)(index + 1), __ATOMIC_SEQ_CST);
}

int mls_scx_active(const struct mls_scx *s)
{
	return s->active;
}

int mls_scx_candidate(const struct mls_scx *s)
{
	return s->candidate;
}

const void *mls_scx_slot(const struct mls_scx *s, int index)
{
	return s->slots[index];
}

bool mls_scx_intact(const struct mls_scx *s, int index)
{
	return s->skel && s->slots[index] && holds(s, index, s->slots[index]) == 1;
}

void mls_scx_set_mode(struct mls_scx *s, enum mls_policy_mode mode)
{
	s->options.mode = mode;
	if (s->skel && s->skel->bss)
		__atomic_store_n(&s->skel->bss->mode, (uint32_t)mode, __ATOMIC_RELEASE);
}

enum mls_policy_mode mls_scx_mode(const struct mls_scx *s)
{
	return s->options.mode;
}

void mls_scx_set_worth(struct mls_scx *s, const u64 worth[MLS_POLICY_LEVELS])
{
	static const struct mls_policy usual = MLS_POLICY_INITIAL;

	memcpy(s->worth, worth ? worth : usual.worth, sizeof(s->worth));
	for (int level = 0; level < MLS_POLICY_LEVELS && s->skel && s->skel->data; level++)
		__atomic_store_n(&s->skel->data->policy.worth[level], s->worth[level],
				 __ATOMIC_RELAXED);
}

void mls_scx_worth(const struct mls_scx *s, u64 worth[MLS_POLICY_LEVELS])
{
	bool loaded = s->skel && s->skel->data;

	for (int level = 0; level < MLS_POLICY_LEVELS; level++)
		worth[level] = loaded ? __atomic_load_n(&s->skel->data->policy.worth[level],
							__ATOMIC_RELAXED) :
					s->worth[level];
}

static bool ask_lengths(const struct mls_scx *s)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	return bpf_prog_test_run_opts(bpf_program__fd(s->skel->progs.mlsched_report), &opts) == 0;
}

static void add_length(struct mls_scx_domain *d, int32_t length)
{
	if (d->queued < 0 || length < 0)
		return;
	d->queued += length;
	if (length > d->longest)
		d->longest = length;
}

void mls_scx_domains(const struct mls_scx *s, struct mls_scx_domain *domains)
{
	const struct mls_load_decay decay = mls_load_decay_of(s->options.half_life);
	const struct mls_topology *t = &s->topology;
	struct timespec ts;
	bool known;

	memset(domains, 0, t->n_domains * sizeof(*domains));
	if (!s->skel || !s->skel->bss)
		return;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	known = ask_lengths(s);
	for (uint32_t d = 0; d < t->n_domains && !known; d++)
		domains[d].queued = domains[d].longest = -1;
	for (uint32_t cpu = 0; cpu < t->n_cpus; cpu++) {
		struct mls_scx_domain *d = &domains[t->cpus[cpu].domain];
		uint32_t load;

		if (!t->cpus[cpu].online)
			continue;
		d->online++;
		d->idle += s->skel->bss->idle.word[cpu / 64] >> cpu % 64 & 1;
		add_length(d, s->skel->bss->cpus[cpu].reported);
		load = mls_load_at(s->skel->bss->cpus[cpu].load,
				   (u64)ts.tv_sec * 1000000000ull + (u64)ts.tv_nsec, &decay);
		d->load += (double)load / MLS_LOAD_ONE;
	}
	for (uint32_t d = 0; d < t->n_domains; d++)
		domains[d].load /= domains[d].online ? domains[d].online : 1;
}
