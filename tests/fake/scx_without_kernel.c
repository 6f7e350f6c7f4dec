// SPDX-License-Identifier: GPL-2.0
/*
 * A scheduler without a kernel, see scx_without_kernel.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/qnet_packed.h"
#include "src/nn/qnet_pack.h"
#include "src/util/clock.h"
#include "src/util/error.h"
#include "tests/fake/scx_without_kernel.h"
#include "tests/lib/qnet_infer.h"

#define DECISIONS_PER_SECOND 2000
#define QUICK_BUCKET         6 /* up to 64 us */
#define SLOW_BUCKET          16 /* up to 65 ms */

static int ask(const struct mls_scx *s, int index, const s32 *features)
{
	const struct qnet_slot *slot = index < 0 ? NULL : s->slots[index];

	return slot ? qnet_infer_128(slot, features, slot->n_features) > slot->threshold : -1;
}

/* A question, its answer, and what the kernel would find of it. */
static int ask_daemon(struct mls_scx *s, const s32 *features)
{
	struct scheduler_request question = { .id = ++s->questions, .time = mls_now_ns() };
	const u32 move = mls_verdict_move(0, 1, 2);
	enum mls_verdict found;

	memcpy(question.features, features, sizeof(question.features));
	mls_requests_answer_these(s->requests, &question, 1);
	found = mls_verdict_find(mls_verdict_what(s->questions, move), question.time, move,
				 s->answers[mls_verdict_slot(s->questions)], question.time,
				 MLS_VERDICT_AGE);
	return found == MLS_VERDICT_MIGRATE ? 1 : found == MLS_VERDICT_KEEP ? 0 : -1;
}

static void wait_once(struct mls_scx *s)
{
	const char *slow = getenv("FAKE_SLOW_SLOT");
	int active = s->requests ? mls_requests_active(s->requests) : s->active;
	int bucket = slow && active == atoi(slow) ? SLOW_BUCKET : QUICK_BUCKET;
	uint64_t wait = (3000ull << bucket) / 4;

	s->counts.waits[bucket]++;
	s->counts.waited_ns += wait;
	if (wait > s->counts.wait_ns)
		s->counts.wait_ns = wait;
}

/* As decide() and what follows it in the kernel. */
static void decide(struct mls_scx *s)
{
	struct scheduler_counts *n = &s->counts;
	uint32_t kind = (uint32_t)(mls_random_next(&s->random) % MLS_POLICY_KINDS);
	uint32_t busy = (uint32_t)(mls_random_next(&s->random) % (s->topology.n_online + 1));
	s32 features[SCHEDULER_FEATURES] = { 0 };
	int model = -1, trial, verdict;

	features[1] = (s32)(s->topology.n_online - busy) << 16;
	features[2] = (s32)busy << 16;
	features[3] = (s32)(mls_random_next(&s->random) & 0xffff);
	features[4] = (s32)(mls_random_next(&s->random) & 0xffff);
	if (s->mode != MLS_POLICY_COLLECT) {
		model = s->requests ? ask_daemon(s, features) : ask(s, s->active, features);
		n->no_model += model < 0;
		n->model += model >= 0;
		n->model_migrates += model == 1;
		n->same += model == 1;
		if (model >= 0 && !s->requests)
			n->by_slot[s->active]++;
	}
	trial = ask(s, s->candidate, features);
	if (trial >= 0) {
		n->trial++;
		n->trial_migrates += trial == 1;
		n->trial_same += trial == (model >= 0 ? model : 1);
	}
	verdict = mls_policy_verdict(s->mode, model >= 0, model, 1);
	n->asked[kind]++;
	n->accepted[kind] += verdict == 1;
	n->refused[kind] += verdict == 0;
	if (!verdict)
		return;
	/* One of eight fails, for each reason in turn; one is always under way. */
	if (n->accepted[kind] % 8 == 7)
		n->failed[kind][n->accepted[kind] / 8 % SCHEDULER_FAILURES]++;
	else if (n->accepted[kind] > 1)
		n->moved[kind][n->accepted[kind] % SCHEDULER_DISTANCES]++;
	wait_once(s);
}

void mls_scx_counts(const struct mls_scx *scx, struct scheduler_counts *counts)
{
	struct mls_scx *s = (struct mls_scx *)scx;
	uint64_t now = mls_now_ns(), each = 1000000000ull / DECISIONS_PER_SECOND;

	for (; s->last + each <= now; s->last += each)
		decide(s);
	*counts = s->counts;
	if (s->requests)
		mls_requests_add(s->requests, counts);
}

/* Its decisions are nobody's tasks': they are not written down. */
uint64_t mls_scx_records_poll(struct mls_scx *s, bool flush, mls_scx_record_fn *fn, void *context)
{
	(void)s;
	(void)flush;
	(void)fn;
	(void)context;
	return 0;
}

int mls_scx_put(struct mls_scx *s, int index, const void *slot, struct mlsched_error *err)
{
	size_t size = mls_qnet_slot_size(MLS_SCX_SLOT_WIDTH);

	if (index == s->active || index == s->candidate)
		return mls_error(err, -EBUSY, "slot %d is in use", index);
	if (getenv("FAKE_PUT_ERROR"))
		return mls_error(err, -EIO, "the network that was read back is not the one");
	if (!s->slots[index])
		s->slots[index] = malloc(size);
	memcpy(s->slots[index], slot, size);
	return 0;
}

void mls_scx_set_active(struct mls_scx *s, int index)
{
	struct scheduler_counts counts;

	/* What was until now is the old one's. */
	mls_scx_counts(s, &counts);
	s->active = index;
}

void mls_scx_set_candidate(struct mls_scx *s, int index)
{
	struct scheduler_counts counts;

	mls_scx_counts(s, &counts);
	s->candidate = index;
}

void mls_scx_set_mode(struct mls_scx *s, enum mls_policy_mode mode)
{
	struct scheduler_counts counts;

	mls_scx_counts(s, &counts);
	s->mode = mode;
}

int mls_scx_active(const struct mls_scx *s)
{
	return s->active;
}

int mls_scx_candidate(const struct mls_scx *s)
{
	return s->candidate;
}

enum mls_policy_mode mls_scx_mode(const struct mls_scx *s)
{
	return s->mode;
}

void mls_scx_set_worth(struct mls_scx *s, const u64 worth[MLS_POLICY_LEVELS])
{
	const u64 usual[MLS_POLICY_LEVELS] = { MLS_POLICY_WORTH_NEAR, MLS_POLICY_WORTH_NODE,
					       MLS_POLICY_WORTH_FAR };

	memcpy(s->worth, worth ? worth : usual, sizeof(s->worth));
}

void mls_scx_worth(const struct mls_scx *s, u64 worth[MLS_POLICY_LEVELS])
{
	memcpy(worth, s->worth, sizeof(s->worth));
}

const void *mls_scx_slot(const struct mls_scx *s, int index)
{
	return s->slots[index];
}

bool mls_scx_intact(const struct mls_scx *s, int index)
{
	return s->slots[index] != NULL;
}

const struct mls_topology *mls_scx_topology(const struct mls_scx *s)
{
	return &s->topology;
}

uint64_t mls_scx_since(const struct mls_scx *s)
{
	(void)s;
	return mls_now_ns();
}

void mls_scx_domains(const struct mls_scx *s, struct mls_scx_domain *domains)
{
	for (uint32_t d = 0; d < s->topology.n_domains; d++)
		domains[d] = (struct mls_scx_domain){ 4, d % 5, d ? 3 : -1, d ? 2 : -1, 0.25 * d };
}

/* What only `run` itself calls, which is not run here. */
int mls_scx_usable(const char *sysfs, struct mls_kfuncs *kernel, struct mlsched_error *err)
{
	(void)kernel;
	return mls_error(err, -ENOSYS, "%s: no kernel", sysfs);
}

int mls_scx_open(const struct mls_scx_options *options, struct mlsched_error *err,
		 struct mls_scx **scx)
{
	*scx = NULL;
	return mls_error(err, -ENOSYS, "%s: no kernel", options->sysfs);
}

int mls_scx_load(const struct mls_scx_options *options, const struct mls_topology *topology,
		 struct mlsched_error *err, struct mls_scx **scx, struct bpf_object **object)
{
	(void)topology;
	*object = NULL;
	return mls_scx_open(options, err, scx);
}

enum mls_scx_end mls_scx_end(const struct mls_scx *scx, char *text, size_t size)
{
	(void)scx;
	snprintf(text, size, "no kernel");
	return MLS_SCX_EJECTED;
}

int mls_scx_restart(struct mls_scx *scx, struct mlsched_error *err)
{
	(void)scx;
	return mls_error(err, -ENOSYS, "no kernel");
}

void mls_scx_detach(struct mls_scx *scx)
{
	(void)scx;
}

void mls_scx_close(struct mls_scx *scx)
{
	(void)scx;
}

/* 16 CPUs in four domains on two nodes. */
static void make_topology(struct mls_topology *t)
{
	t->n_cpus = t->n_online = t->n_cores = 16;
	t->n_caches = t->n_domains = 4;
	t->n_nodes = 2;
	t->cache_level = 3;
	for (uint16_t cpu = 0; cpu < 16; cpu++)
		t->cpus[cpu] = (struct mls_cpu){ true, true, cpu, cpu / 4, cpu / 8, cpu / 4 };
}

void fake_scx_init(struct mls_scx *s)
{
	*s = (struct mls_scx){ .active = -1, .candidate = -1, .mode = MLS_POLICY_ACTIVE };
	make_topology(&s->topology);
	mls_random_seed(&s->random, 1, 0);
	s->last = mls_now_ns();
}

void fake_scx_clear(struct mls_scx *s)
{
	for (int i = 0; i < SCHEDULER_SLOTS; i++) {
		free(s->slots[i]);
		s->slots[i] = NULL;
	}
}
