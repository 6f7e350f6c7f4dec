// SPDX-License-Identifier: GPL-2.0
/*
 * The course of a change of model.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/host/scx.h"
#include "src/host/scx_sums.h"
#include "src/host/swap.h"
#include "src/util/error.h"

#define SECOND 1000000000ull
/* Between two looks at a trial or a watch, and at a slot that a CPU still reads. */
#define LOOK  (SECOND / 10)
#define AGAIN (SECOND / 1000)
/* Writes at a time where many are asked for: others have business, too. */
#define WRITES_AT_ONCE 4
/* Sums are kept for a while, one a second: what waits were like before. */
#define MEMORIES 64
/* Waits from which on the watch does not wait for its end to judge. */
#define MANY_WAITS 1000

#define NOTHING (-2)

struct memory {
	uint64_t time;
	struct scheduler_counts counts;
};

struct mls_swap {
	struct mls_swap_ops ops;
	struct mls_swap_model models[SCHEDULER_SLOTS];
	bool filled[SCHEDULER_SLOTS];
	int active;
	int previous;
	enum mls_swap_phase phase;
	struct mls_swap_limits limits;
	struct mls_swap_model new_model;
	struct mls_swap_model old_model;
	void *new_slot;
	void *old_slot; /* where repetitions are asked for */
	uint32_t repeat; /* writes to come */
	uint64_t phase_began;
	struct scheduler_counts base; /* when the phase began */
	struct scheduler_counts before; /* the time before the watch */
	struct mls_swap_record records[MLS_SWAP_HISTORY];
	uint32_t n_records; /* ever */
	uint64_t outcomes[MLS_SWAP_OUTCOMES];
	struct memory memories[MEMORIES];
	uint32_t n_memories; /* ever */
};

const char *mls_swap_phase_name(enum mls_swap_phase phase)
{
	static const char *const names[MLS_SWAP_PHASES] = {
		[MLS_SWAP_IDLE] = "idle",       [MLS_SWAP_READING] = "reading",
		[MLS_SWAP_WRITING] = "writing", [MLS_SWAP_TRIAL] = "trial",
		[MLS_SWAP_WATCH] = "watch",
	};

	return names[phase];
}

const char *mls_swap_outcome_name(enum mls_swap_outcome outcome)
{
	static const char *const names[MLS_SWAP_OUTCOMES] = {
		[MLS_SWAP_UNDER_WAY] = "under_way", [MLS_SWAP_ACTIVATED] = "activated",
		[MLS_SWAP_BROKEN] = "broken",       [MLS_SWAP_REFUSED] = "refused",
		[MLS_SWAP_CANCELLED] = "cancelled", [MLS_SWAP_ROLLED_BACK] = "rolled_back",
	};

	return names[outcome];
}

int mls_swap_open(const struct mls_swap_ops *ops, const struct mls_swap_model *first,
		  struct mlsched_error *err, struct mls_swap **swap)
{
	struct mls_swap *s = calloc(1, sizeof(*s));

	if (!s)
		return mls_error(err, -ENOMEM, "no memory for changes of the model");
	s->ops = *ops;
	s->active = first ? 0 : MLS_SCX_NO_SLOT;
	s->previous = NOTHING;
	if (first) {
		s->models[0] = *first;
		s->filled[0] = true;
	}
	*swap = s;
	return 0;
}

static struct mls_swap_record *current(struct mls_swap *s)
{
	return &s->records[(s->n_records - 1) % MLS_SWAP_HISTORY];
}

static void forget_slots(struct mls_swap *s)
{
	free(s->new_slot);
	free(s->old_slot);
	s->new_slot = NULL;
	s->old_slot = NULL;
}

static void end(struct mls_swap *s, uint64_t now, enum mls_swap_outcome outcome, const char *format,
		...) __attribute__((format(printf, 4, 5)));

static void end(struct mls_swap *s, uint64_t now, enum mls_swap_outcome outcome, const char *format,
		...)
{
	struct mls_swap_record *r = current(s);
	va_list args;

	va_start(args, format);
	vsnprintf(r->reason, sizeof(r->reason), format, args);
	va_end(args);
	r->outcome = outcome;
	r->ended = now;
	s->outcomes[outcome]++;
	s->phase = MLS_SWAP_IDLE;
	forget_slots(s);
}

static void enter(struct mls_swap *s, enum mls_swap_phase phase, uint64_t now)
{
	s->phase = phase;
	s->phase_began = now;
	s->ops.counts(s->ops.context, &s->base);
}

/* ---- what was before --------------------------------------------------------------- */

static void remember(struct mls_swap *s, uint64_t now)
{
	struct memory *last = &s->memories[(s->n_memories - 1) % MEMORIES], *m;

	if (s->n_memories && now - last->time < SECOND)
		return;
	m = &s->memories[s->n_memories++ % MEMORIES];
	m->time = now;
	s->ops.counts(s->ops.context, &m->counts);
}

/* Counts of the time before, as long as the watch will be if we remember so much. */
static void recall(struct mls_swap *s, uint64_t now)
{
	uint64_t longest = (uint64_t)(s->limits.watch * 1e9);
	uint32_t kept = s->n_memories < MEMORIES ? s->n_memories : MEMORIES;
	const struct memory *found = NULL;

	memset(&s->before, 0, sizeof(s->before));
	for (uint32_t i = 1; i <= kept; i++) {
		const struct memory *m = &s->memories[(s->n_memories - i) % MEMORIES];

		if (found && now - m->time > longest)
			break;
		found = m;
	}
	if (!found)
		return;
	s->ops.counts(s->ops.context, &s->before);
	mls_scx_subtract(&s->before, &found->counts);
}

/* ---- the course ---------------------------------------------------------------------- */

int mls_swap_begin(struct mls_swap *s, const char *path, const struct mls_swap_limits *limits,
		   uint32_t repeat, uint64_t now, struct mlsched_error *err)
{
	struct mls_swap_record *r;

	if (s->phase != MLS_SWAP_IDLE)
		return mls_error(err, -EBUSY, "another swap is under way: %s of %s",
				 mls_swap_phase_name(s->phase), current(s)->model.path);
	s->n_records++;
	s->outcomes[MLS_SWAP_UNDER_WAY]++;
	r = current(s);
	memset(r, 0, sizeof(*r));
	r->number = s->n_records;
	snprintf(r->model.path, sizeof(r->model.path), "%s", path);
	r->slot = MLS_SCX_NO_SLOT;
	r->started = now;
	s->limits = *limits;
	s->repeat = repeat;
	if (repeat > 1)
		s->limits.trial = s->limits.watch = 0;
	enter(s, MLS_SWAP_READING, now);
	return 0;
}

void mls_swap_prepared(struct mls_swap *s, const struct mls_swap_model *model, const void *slot,
		       size_t size, const char *why, uint64_t now)
{
	const void *old = s->active >= 0 ? s->ops.slot(s->ops.context, s->active) : NULL;

	if (s->phase != MLS_SWAP_READING)
		return;
	if (!slot) {
		end(s, now, MLS_SWAP_BROKEN, "%s", why);
		return;
	}
	s->new_model = *model;
	current(s)->model = *model;
	s->new_slot = malloc(size);
	if (s->new_slot)
		memcpy(s->new_slot, slot, size);
	if (s->repeat > 1 && old) {
		s->old_model = s->models[s->active];
		s->old_slot = malloc(size);
		if (s->old_slot)
			memcpy(s->old_slot, old, size);
	}
	if (!s->new_slot || (s->repeat > 1 && old && !s->old_slot)) {
		end(s, now, MLS_SWAP_BROKEN, "no memory for the network's slot");
		return;
	}
	enter(s, MLS_SWAP_WRITING, now);
}

static void activate(struct mls_swap *s, int index)
{
	/* One store is the switch; only then nobody needs the candidate any more. */
	s->ops.set_active(s->ops.context, index);
	s->ops.set_candidate(s->ops.context, MLS_SCX_NO_SLOT);
	s->previous = s->active;
	s->active = index;
}

static void begin_watch(struct mls_swap *s, uint64_t now)
{
	recall(s, now);
	activate(s, current(s)->slot);
	current(s)->wait_before = mls_scx_wait_within(&s->before, 0.99);
	if (s->limits.watch > 0)
		enter(s, MLS_SWAP_WATCH, now);
	else
		end(s, now, MLS_SWAP_ACTIVATED, "decides");
}

/* The slot that neither decides nor, if that can be helped, is what a rollback goes to. */
static int idle_slot(const struct mls_swap *s)
{
	if (s->active >= 0)
		return !s->active;
	return s->previous >= 0 ? !s->previous : 0;
}

/* Return: whether the phase is over, or one of several writes is done. */
static bool write_one(struct mls_swap *s, uint64_t now)
{
	bool old = s->repeat % 2 == 0 && s->old_slot;
	int index = idle_slot(s), ret;
	struct mlsched_error err;

	ret = s->ops.put(s->ops.context, index, old ? s->old_slot : s->new_slot, &err);
	if (ret == -EAGAIN)
		return false;
	if (s->previous == index)
		s->previous = NOTHING;
	s->filled[index] = ret == 0;
	if (ret) {
		end(s, now, MLS_SWAP_BROKEN, "%s", err.message);
		return true;
	}
	s->models[index] = old ? s->old_model : s->new_model;
	current(s)->slot = index;
	current(s)->writes++;
	if (--s->repeat) {
		activate(s, index);
		return true;
	}
	if (s->limits.trial > 0) {
		s->ops.set_candidate(s->ops.context, index);
		enter(s, MLS_SWAP_TRIAL, now);
	} else {
		begin_watch(s, now);
	}
	return true;
}

static bool write_some(struct mls_swap *s, uint64_t now)
{
	for (int i = 0; i < WRITES_AT_ONCE && s->phase == MLS_SWAP_WRITING; i++) {
		if (!write_one(s, now))
			return false;
	}
	return true;
}

static double share(uint64_t part, uint64_t all)
{
	return all ? (double)part / (double)all : 0;
}

static bool is_over(const struct mls_swap *s, uint64_t now)
{
	double seconds = s->phase == MLS_SWAP_TRIAL ? s->limits.trial : s->limits.watch;

	return (double)(now - s->phase_began) >= seconds * 1e9;
}

static void since_base(struct mls_swap *s, struct scheduler_counts *n)
{
	s->ops.counts(s->ops.context, n);
	mls_scx_subtract(n, &s->base);
}

static void refuse(struct mls_swap *s, uint64_t now)
{
	s->ops.set_candidate(s->ops.context, MLS_SCX_NO_SLOT);
	s->phase = MLS_SWAP_IDLE;
	forget_slots(s);
	current(s)->outcome = MLS_SWAP_REFUSED;
	current(s)->ended = now;
	s->outcomes[MLS_SWAP_REFUSED]++;
}

static void judge_trial(struct mls_swap *s, uint64_t now)
{
	const struct mls_swap_limits *l = &s->limits;
	struct mls_swap_record *r = current(s);
	struct scheduler_counts n;
	double refused, disagreed;

	since_base(s, &n);
	r->decisions = n.trial;
	r->refused = n.trial - n.trial_migrates;
	r->disagreed = n.trial - n.trial_same;
	if (!is_over(s, now))
		return;
	refused = share(r->refused, r->decisions);
	disagreed = share(r->disagreed, r->decisions);
	if ((double)r->decisions < l->min_decisions) {
		snprintf(r->reason, sizeof(r->reason),
			 "%llu decisions in %g s on trial are too few to judge it: at least %g "
			 "are wanted",
			 (unsigned long long)r->decisions, l->trial, l->min_decisions);
		refuse(s, now);
	} else if (refused > l->max_refusals) {
		snprintf(r->reason, sizeof(r->reason),
			 "it refused %.1f %% of %llu decisions on trial: at most %.1f %% are "
			 "allowed",
			 refused * 100, (unsigned long long)r->decisions, l->max_refusals * 100);
		refuse(s, now);
	} else if (s->active >= 0 && s->ops.mode(s->ops.context) != MLS_POLICY_COLLECT &&
		   disagreed > l->max_disagreement) {
		snprintf(r->reason, sizeof(r->reason),
			 "it disagreed with the active model in %.1f %% of %llu decisions on "
			 "trial: at most %.1f %% are allowed",
			 disagreed * 100, (unsigned long long)r->decisions,
			 l->max_disagreement * 100);
		refuse(s, now);
	} else {
		begin_watch(s, now);
	}
}

/* Back to what decided before; a second time there is nothing to go back to. */
static void go_back(struct mls_swap *s)
{
	s->ops.set_active(s->ops.context, s->previous);
	s->active = s->previous;
	s->previous = NOTHING;
}

static bool grew(const struct mls_swap_limits *l, double before, double after)
{
	return after > l->wait_floor * 1e9 && before > 0 && after > l->max_wait_growth * before;
}

static void judge_watch(struct mls_swap *s, uint64_t now)
{
	const struct mls_swap_limits *l = &s->limits;
	struct mls_swap_record *r = current(s);
	const double enough = is_over(s, now) ? l->min_decisions : MANY_WAITS;
	double mean_before = mls_scx_wait_mean(&s->before), mean_after, waits;
	struct scheduler_counts n;
	uint64_t refused;

	since_base(s, &n);
	waits = (double)mls_scx_sums(&n).waits;
	refused = n.model - n.model_migrates;
	r->wait_after = mls_scx_wait_within(&n, 0.99);
	mean_after = mls_scx_wait_mean(&n);
	if (n.model && (double)n.model >= l->min_decisions &&
	    share(refused, n.model) > l->max_refusals) {
		go_back(s);
		end(s, now, MLS_SWAP_ROLLED_BACK,
		    "it refused %.1f %% of %llu decisions: at most %.1f %% are allowed",
		    share(refused, n.model) * 100, (unsigned long long)n.model,
		    l->max_refusals * 100);
	} else if (waits >= enough && waits > 0 && grew(l, r->wait_before, r->wait_after)) {
		go_back(s);
		end(s, now, MLS_SWAP_ROLLED_BACK,
		    "the waits for a CPU grew: p99 %.3f ms, %.3f ms before: at most %g times as "
		    "long is allowed",
		    r->wait_after / 1e6, r->wait_before / 1e6, l->max_wait_growth);
	} else if (waits >= enough && waits > 0 && grew(l, mean_before, mean_after)) {
		go_back(s);
		end(s, now, MLS_SWAP_ROLLED_BACK,
		    "the waits for a CPU grew: mean %.3f ms, %.3f ms before: at most %g times as "
		    "long is allowed",
		    mean_after / 1e6, mean_before / 1e6, l->max_wait_growth);
	} else if (is_over(s, now)) {
		end(s, now, MLS_SWAP_ACTIVATED, "decides, and kept to the limits for %g s",
		    l->watch);
	}
}

uint64_t mls_swap_step(struct mls_swap *s, uint64_t now)
{
	remember(s, now);
	switch (s->phase) {
	case MLS_SWAP_WRITING:
		if (!write_some(s, now))
			return AGAIN;
		break;
	case MLS_SWAP_TRIAL:
		judge_trial(s, now);
		break;
	case MLS_SWAP_WATCH:
		judge_watch(s, now);
		break;
	default:
		break;
	}
	switch (s->phase) {
	case MLS_SWAP_WRITING:
		return 0;
	case MLS_SWAP_TRIAL:
	case MLS_SWAP_WATCH:
		return LOOK;
	default:
		return SECOND;
	}
}

int mls_swap_rollback(struct mls_swap *s, uint64_t now, struct mlsched_error *err)
{
	struct mls_swap_record *last = s->n_records ? current(s) : NULL;

	switch (s->phase) {
	case MLS_SWAP_READING:
	case MLS_SWAP_WRITING:
	case MLS_SWAP_TRIAL:
		s->ops.set_candidate(s->ops.context, MLS_SCX_NO_SLOT);
		end(s, now, MLS_SWAP_CANCELLED, "ended by request, before it decided");
		return 0;
	case MLS_SWAP_WATCH:
		go_back(s);
		end(s, now, MLS_SWAP_CANCELLED, "rolled back by request while it was watched");
		return 0;
	default:
		break;
	}
	if (s->previous == NOTHING)
		return mls_error(err, -ENOENT,
				 "there is no model to go back to: none was active before, or its "
				 "slot has been used again");
	go_back(s);
	if (last && last->outcome == MLS_SWAP_ACTIVATED)
		end(s, now, MLS_SWAP_CANCELLED, "rolled back by request");
	return 0;
}

void mls_swap_restarted(struct mls_swap *s, uint64_t now)
{
	if (s->phase == MLS_SWAP_TRIAL || s->phase == MLS_SWAP_WATCH)
		enter(s, s->phase, now);
}

enum mls_swap_phase mls_swap_phase(const struct mls_swap *s)
{
	return s->phase;
}

uint64_t mls_swap_left(const struct mls_swap *s, uint64_t now)
{
	double seconds = s->phase == MLS_SWAP_TRIAL ? s->limits.trial :
			 s->phase == MLS_SWAP_WATCH ? s->limits.watch :
						      0;
	uint64_t at = s->phase_began + (uint64_t)(seconds * 1e9);

	return at > now ? at - now : 0;
}

uint64_t mls_swap_count(const struct mls_swap *s, enum mls_swap_outcome outcome)
{
	return s->outcomes[outcome];
}

const struct mls_swap_record *mls_swap_record(const struct mls_swap *s, uint32_t age)
{
	if (age >= s->n_records || age >= MLS_SWAP_HISTORY)
		return NULL;
	return &s->records[(s->n_records - 1 - age) % MLS_SWAP_HISTORY];
}

int mls_swap_active(const struct mls_swap *s)
{
	return s->active;
}

int mls_swap_previous(const struct mls_swap *s)
{
	return s->previous;
}

const struct mls_swap_model *mls_swap_model(const struct mls_swap *s, int slot)
{
	return s->filled[slot] ? &s->models[slot] : NULL;
}

void mls_swap_close(struct mls_swap *s)
{
	if (!s)
		return;
	forget_slots(s);
	free(s);
}
