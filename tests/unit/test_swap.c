// SPDX-License-Identifier: GPL-2.0
/*
 * src/host/swap.c: the course of a change of model, driven through every state
 * by a scheduler that is made up and a clock that is told.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/host/swap.h"

#define SECOND     1000000000ull
#define SLOT_SIZE  16
#define SHORT_WAIT 6 /* bucket: up to 64 us */
#define LONG_WAIT  17 /* up to 131 ms */

/**
 * struct fake - the scheduler
 * @calls: what it was told, one letter each: p put, a active, c candidate
 */
struct fake {
	char slots[SCHEDULER_SLOTS][SLOT_SIZE];
	int filled[SCHEDULER_SLOTS];
	int active;
	int candidate;
	int put_returns;
	enum mls_policy_mode mode;
	struct scheduler_counts counts;
	char calls[4096];
	size_t n_calls;
};

struct state {
	struct fake fake;
	struct mls_swap *swap;
	uint64_t now;
	struct mlsched_error err;
};

static void called(struct fake *f, char what)
{
	if (f->n_calls < sizeof(f->calls) - 1)
		f->calls[f->n_calls++] = what;
}

/* What it was told since it was asked last. */
static const char *calls(struct state *s)
{
	static char text[sizeof(s->fake.calls)];

	memcpy(text, s->fake.calls, sizeof(text));
	memset(s->fake.calls, 0, sizeof(s->fake.calls));
	s->fake.n_calls = 0;
	return text;
}

static int fake_put(void *context, int index, const void *slot, struct mlsched_error *err)
{
	struct fake *f = context;

	called(f, 'p');
	assert_int_not_equal(index, f->active);
	assert_int_not_equal(index, f->candidate);
	if (f->put_returns) {
		snprintf(err->message, sizeof(err->message), "read back something else");
		return f->put_returns;
	}
	memcpy(f->slots[index], slot, SLOT_SIZE);
	f->filled[index] = 1;
	return 0;
}

static const void *fake_slot(void *context, int index)
{
	struct fake *f = context;

	return f->filled[index] ? f->slots[index] : NULL;
}

static void fake_set_active(void *context, int index)
{
	struct fake *f = context;

	called(f, 'a');
	assert_true(index < 0 || f->filled[index]);
	f->active = index;
}

static void fake_set_candidate(void *context, int index)
{
	struct fake *f = context;

	called(f, 'c');
	assert_true(index < 0 || f->filled[index]);
	f->candidate = index;
}

static void fake_counts(void *context, struct scheduler_counts *counts)
{
	*counts = ((struct fake *)context)->counts;
}

static enum mls_policy_mode fake_mode(void *context)
{
	return ((struct fake *)context)->mode;
}

/* @first: what is active in slot 0, or NULL. */
static void open_swap(struct state *s, const char *first)
{
	const struct mls_swap_ops ops = { fake_put,        fake_slot,
					  fake_set_active, fake_set_candidate,
					  fake_counts,     fake_mode,
					  &s->fake };
	struct mls_swap_model model = { .checksum = 1 };

	s->fake.active = first ? 0 : -1;
	s->fake.candidate = -1;
	s->fake.mode = MLS_POLICY_ACTIVE;
	s->now = 5 * SECOND;
	if (first) {
		snprintf(model.path, sizeof(model.path), "%s", first);
		snprintf(s->fake.slots[0], SLOT_SIZE, "%s", first);
		s->fake.filled[0] = 1;
	}
	assert_int_equal(mls_swap_open(&ops, first ? &model : NULL, &s->err, &s->swap), 0);
}

static int setup(void **state)
{
	struct state *s = calloc(1, sizeof(*s));

	*state = s;
	open_swap(s, "/first");
	return 0;
}

static int setup_without_model(void **state)
{
	struct state *s = calloc(1, sizeof(*s));

	*state = s;
	open_swap(s, NULL);
	return 0;
}

static int teardown(void **state)
{
	struct state *s = *state;

	mls_swap_close(s->swap);
	free(s);
	return 0;
}

/* ---- steps of the tests -------------------------------------------------------------- */

static const struct mls_swap_limits defaults = MLS_SWAP_LIMITS;

static struct mls_swap_limits at_once(void)
{
	struct mls_swap_limits limits = defaults;

	limits.trial = limits.watch = 0;
	return limits;
}

static uint64_t after(struct state *s, double seconds)
{
	s->now += (uint64_t)(seconds * 1e9);
	return mls_swap_step(s->swap, s->now);
}

static void wait_for(struct state *s, int bucket, uint64_t n)
{
	s->fake.counts.waits[bucket] += n;
	s->fake.counts.waited_ns += n * (750ull << bucket);
}

static void decided(struct state *s, uint64_t n, uint64_t migrates)
{
	s->fake.counts.model += n;
	s->fake.counts.model_migrates += migrates;
}

static void tried(struct state *s, uint64_t n, uint64_t migrates, uint64_t same)
{
	s->fake.counts.trial += n;
	s->fake.counts.trial_migrates += migrates;
	s->fake.counts.trial_same += same;
}

static void begin(struct state *s, const char *path, const struct mls_swap_limits *limits,
		  uint32_t repeat)
{
	assert_int_equal(mls_swap_begin(s->swap, path, limits, repeat, s->now, &s->err), 0);
	assert_int_equal(mls_swap_phase(s->swap), MLS_SWAP_READING);
}

static void prepared(struct state *s, const char *path)
{
	struct mls_swap_model model = { .checksum = 7, .source = 8 };
	char slot[SLOT_SIZE] = "";

	snprintf(model.path, sizeof(model.path), "%s", path);
	snprintf(slot, sizeof(slot), "%s", path);
	mls_swap_prepared(s->swap, &model, slot, sizeof(slot), NULL, s->now);
}

/* Up to the moment at which it is in its slot. */
static void write_model(struct state *s, const char *path, const struct mls_swap_limits *limits)
{
	begin(s, path, limits, 1);
	prepared(s, path);
	assert_int_equal(mls_swap_phase(s->swap), MLS_SWAP_WRITING);
	after(s, 0);
}

static void assert_outcome(struct state *s, enum mls_swap_outcome outcome, const char *reason)
{
	const struct mls_swap_record *r = mls_swap_record(s->swap, 0);

	assert_int_equal(mls_swap_phase(s->swap), MLS_SWAP_IDLE);
	assert_string_equal(mls_swap_outcome_name(r->outcome), mls_swap_outcome_name(outcome));
	if (!strstr(r->reason, reason))
		fail_msg("expected \"%s\" in \"%s\"", reason, r->reason);
	assert_int_equal(r->ended, s->now);
	assert_int_equal(s->fake.candidate, -1);
}

static void assert_decides(struct state *s, int slot, const char *path)
{
	assert_int_equal(s->fake.active, slot);
	assert_int_equal(mls_swap_active(s->swap), slot);
	if (slot >= 0) {
		assert_string_equal(mls_swap_model(s->swap, slot)->path, path);
		assert_string_equal(s->fake.slots[slot], path);
	}
}

/* ---- the course ---------------------------------------------------------------------- */

static void a_model_goes_through_trial_and_watch(void **state)
{
	struct state *s = *state;
	const struct mls_swap_record *r;

	write_model(s, "/new", &defaults);
	assert_int_equal(mls_swap_phase(s->swap), MLS_SWAP_TRIAL);
	assert_string_equal(calls(s), "pc");
	assert_int_equal(s->fake.candidate, 1);
	assert_decides(s, 0, "/first");
	assert_int_equal(mls_swap_left(s->swap, s->now), 10 * SECOND);

	tried(s, 200, 150, 120);
	after(s, 9.9);
	assert_int_equal(mls_swap_phase(s->swap), MLS_SWAP_TRIAL);
	assert_decides(s, 0, "/first");
	after(s, 0.1);
	assert_int_equal(mls_swap_phase(s->swap), MLS_SWAP_WATCH);
	/* It is the candidate until it decides: nobody asks a slot that is neither. */
	assert_string_equal(calls(s), "ac");
	assert_decides(s, 1, "/new");

	decided(s, 1000, 900);
	wait_for(s, SHORT_WAIT, 1000);
	after(s, 29.9);
	assert_int_equal(mls_swap_phase(s->swap), MLS_SWAP_WATCH);
	after(s, 0.1);
	assert_outcome(s, MLS_SWAP_ACTIVATED, "decides, and kept to the limits for 30 s");
	assert_decides(s, 1, "/new");
	r = mls_swap_record(s->swap, 0);
	assert_int_equal(r->decisions, 200);
	assert_int_equal(r->refused, 50);
	assert_int_equal(r->disagreed, 80);
	assert_int_equal(r->writes, 1);
	assert_int_equal(r->slot, 1);
	assert_int_equal(r->model.checksum, 7);
	assert_int_equal(mls_swap_count(s->swap, MLS_SWAP_ACTIVATED), 1);
	assert_int_equal(mls_swap_previous(s->swap), 0);
}

static void it_wants_to_be_called_when_there_is_something_to_do(void **state)
{
	struct state *s = *state;

	assert_int_equal(after(s, 0), SECOND);
	begin(s, "/new", &defaults, 1);
	assert_int_equal(after(s, 0), SECOND);
	prepared(s, "/new");
	s->fake.put_returns = -EAGAIN;
	assert_int_equal(after(s, 0), SECOND / 1000);
	s->fake.put_returns = 0;
	assert_int_equal(after(s, 0), SECOND / 10);
}

static void a_slot_that_is_read_is_waited_for(void **state)
{
	const struct mls_swap_limits limits = at_once();
	struct state *s = *state;

	begin(s, "/new", &limits, 1);
	prepared(s, "/new");
	s->fake.put_returns = -EAGAIN;
	for (int i = 0; i < 1000; i++) {
		after(s, 0.001);
		assert_int_equal(mls_swap_phase(s->swap), MLS_SWAP_WRITING);
		assert_decides(s, 0, "/first");
	}
	s->fake.put_returns = 0;
	after(s, 0.001);
	assert_outcome(s, MLS_SWAP_ACTIVATED, "decides");
	assert_decides(s, 1, "/new");
}

static void what_cannot_be_read_changes_nothing(void **state)
{
	struct state *s = *state;

	begin(s, "/new", &defaults, 1);
	mls_swap_prepared(s->swap, NULL, NULL, 0, "it is no model", s->now);
	assert_outcome(s, MLS_SWAP_BROKEN, "it is no model");
	assert_string_equal(calls(s), "");
	assert_decides(s, 0, "/first");
	assert_null(mls_swap_model(s->swap, 1));
	assert_int_equal(mls_swap_previous(s->swap), -2);
}

static void what_is_read_back_damaged_does_not_decide(void **state)
{
	const struct mls_swap_limits limits = at_once();
	struct state *s = *state;

	/* A good one first, so that there is something to go back to. */
	write_model(s, "/second", &limits);
	assert_decides(s, 1, "/second");
	assert_int_equal(mls_swap_previous(s->swap), 0);

	begin(s, "/new", &defaults, 1);
	prepared(s, "/new");
	s->fake.put_returns = -EIO;
	after(s, 0);
	assert_outcome(s, MLS_SWAP_BROKEN, "read back something else");
	assert_decides(s, 1, "/second");
	/* Nobody knows what is in slot 0 now: it is no place to go back to. */
	assert_null(mls_swap_model(s->swap, 0));
	assert_int_equal(mls_swap_previous(s->swap), -2);
	s->fake.put_returns = 0;
	assert_int_equal(mls_swap_rollback(s->swap, s->now, &s->err), -ENOENT);
	assert_decides(s, 1, "/second");
	/* And the next one is not kept from it. */
	write_model(s, "/third", &limits);
	assert_decides(s, 0, "/third");
}

static void one_swap_at_a_time(void **state)
{
	struct state *s = *state;

	begin(s, "/new", &defaults, 1);
	for (int phase = MLS_SWAP_READING; phase <= MLS_SWAP_WATCH; phase++) {
		assert_int_equal(mls_swap_phase(s->swap), phase);
		assert_int_equal(mls_swap_begin(s->swap, "/other", &defaults, 1, s->now, &s->err),
				 -EBUSY);
		assert_non_null(strstr(s->err.message, mls_swap_phase_name(phase)));
		assert_non_null(strstr(s->err.message, "/new"));
		if (phase == MLS_SWAP_READING)
			prepared(s, "/new");
		else if (phase == MLS_SWAP_TRIAL)
			tried(s, 200, 200, 200);
		after(s, phase == MLS_SWAP_TRIAL ? 10 : 0);
		if (phase == MLS_SWAP_READING) {
			/* That step has written it, too. */
			assert_int_equal(mls_swap_phase(s->swap), MLS_SWAP_TRIAL);
			phase = MLS_SWAP_WRITING;
		}
	}
	assert_int_equal(mls_swap_count(s->swap, MLS_SWAP_UNDER_WAY), 1);
}

/* ---- trials that fail ----------------------------------------------------------------- */

/* A trial with these counts, in this mode: refused for @reason, or NULL: it decides after it. */
static void assert_trial(struct state *s, uint64_t n, uint64_t migrates, uint64_t same,
			 const char *reason)
{
	const struct mls_swap_limits limits = {
		.trial = 10,
		.min_decisions = 100,
		.max_disagreement = 0.5,
		.max_refusals = 0.95,
		.max_wait_growth = 3,
	};
	int active = s->fake.active;

	write_model(s, "/new", &limits);
	tried(s, n, migrates, same);
	after(s, 10);
	if (!reason) {
		assert_outcome(s, MLS_SWAP_ACTIVATED, "decides");
		assert_int_equal(s->fake.active, !active);
		return;
	}
	assert_outcome(s, MLS_SWAP_REFUSED, reason);
	assert_int_equal(s->fake.active, active);
	assert_int_equal(mls_swap_active(s->swap), active);
}

static void too_few_decisions_are_no_judgement(void **state)
{
	assert_trial(*state, 99, 99, 99, "99 decisions in 10 s on trial are too few");
	assert_trial(*state, 0, 0, 0, "0 decisions in 10 s on trial are too few");
	assert_trial(*state, 100, 100, 100, NULL);
}

static void refusals_on_trial_are_limited(void **state)
{
	assert_trial(*state, 1000, 49, 500, "it refused 95.1 % of 1000 decisions on trial");
	assert_trial(*state, 1000, 50, 500, NULL);
}

static void disagreement_on_trial_is_limited(void **state)
{
	assert_trial(*state, 1000, 500, 499, "it disagreed with the active model in 50.1 %");
	assert_trial(*state, 1000, 500, 500, NULL);
}

static void in_collect_there_is_no_model_to_disagree_with(void **state)
{
	struct state *s = *state;

	s->fake.mode = MLS_POLICY_COLLECT;
	assert_trial(s, 1000, 500, 0, NULL);
}

static void without_a_model_there_is_none_to_disagree_with(void **state)
{
	struct state *s = *state;

	write_model(s, "/new", &defaults);
	tried(s, 1000, 500, 0);
	after(s, 10);
	assert_int_equal(mls_swap_phase(s->swap), MLS_SWAP_WATCH);
	assert_decides(s, 0, "/new");
	/* To the heuristic. */
	assert_int_equal(mls_swap_previous(s->swap), -1);
	assert_int_equal(mls_swap_rollback(s->swap, s->now, &s->err), 0);
	assert_decides(s, -1, NULL);
	assert_outcome(s, MLS_SWAP_CANCELLED, "rolled back by request while it was watched");
}

static void a_restart_begins_the_trial_anew(void **state)
{
	struct state *s = *state;

	write_model(s, "/new", &defaults);
	tried(s, 500, 0, 0);
	after(s, 9);
	mls_swap_restarted(s->swap, s->now);
	assert_int_equal(mls_swap_left(s->swap, s->now), 10 * SECOND);
	tried(s, 200, 200, 200);
	after(s, 9);
	assert_int_equal(mls_swap_phase(s->swap), MLS_SWAP_TRIAL);
	after(s, 1);
	assert_int_equal(mls_swap_phase(s->swap), MLS_SWAP_WATCH);
	assert_int_equal(mls_swap_record(s->swap, 0)->decisions, 200);
	/* Outside of both it changes nothing. */
	assert_int_equal(mls_swap_rollback(s->swap, s->now, &s->err), 0);
	mls_swap_restarted(s->swap, s->now);
	assert_int_equal(mls_swap_phase(s->swap), MLS_SWAP_IDLE);
}

/* ---- watching ------------------------------------------------------------------------- */

/* Waits of @seconds in which somebody looked each second. */
static void live(struct state *s, int seconds, int bucket, uint64_t n)
{
	for (int i = 0; i < seconds; i++) {
		wait_for(s, bucket, n);
		after(s, 1);
	}
}

static void watch_model(struct state *s, struct mls_swap_limits limits)
{
	limits.trial = 0;
	write_model(s, "/new", &limits);
	assert_int_equal(mls_swap_phase(s->swap), MLS_SWAP_WATCH);
	assert_decides(s, 1, "/new");
}

static void refusals_that_run_away_roll_it_back_before_the_end(void **state)
{
	struct state *s = *state;

	watch_model(s, defaults);
	decided(s, 99, 0);
	after(s, 0.1);
	assert_int_equal(mls_swap_phase(s->swap), MLS_SWAP_WATCH);
	decided(s, 1, 0);
	after(s, 0.1);
	assert_outcome(s, MLS_SWAP_ROLLED_BACK, "it refused 100.0 % of 100 decisions");
	assert_decides(s, 0, "/first");
	assert_int_equal(mls_swap_rollback(s->swap, s->now, &s->err), -ENOENT);
}

static void waits_that_run_away_roll_it_back_before_the_end(void **state)
{
	struct state *s = *state;

	live(s, 30, SHORT_WAIT, 100);
	watch_model(s, defaults);
	wait_for(s, LONG_WAIT, 999);
	after(s, 0.1);
	assert_int_equal(mls_swap_phase(s->swap), MLS_SWAP_WATCH);
	wait_for(s, LONG_WAIT, 1);
	after(s, 0.1);
	assert_outcome(s, MLS_SWAP_ROLLED_BACK, "the waits for a CPU grew: p99 ");
	assert_decides(s, 0, "/first");
	assert_true(mls_swap_record(s->swap, 0)->wait_after >
		    mls_swap_record(s->swap, 0)->wait_before);
}

static void the_mean_of_the_waits_rolls_it_back_too(void **state)
{
	struct state *s = *state;

	/* p99 is long already, and stays so; the mean grows from 2 ms to 33 ms. */
	for (int i = 0; i < 30; i++) {
		wait_for(s, LONG_WAIT, 2);
		wait_for(s, SHORT_WAIT, 98);
		after(s, 1);
	}
	watch_model(s, defaults);
	wait_for(s, LONG_WAIT, 1000);
	wait_for(s, SHORT_WAIT, 2000);
	after(s, 0.1);
	assert_outcome(s, MLS_SWAP_ROLLED_BACK, "the waits for a CPU grew: mean ");
}

static void short_waits_are_never_too_long(void **state)
{
	struct state *s = *state;

	live(s, 30, 0, 100);
	watch_model(s, defaults);
	/* Sixty times as long, and below the floor of 10 ms. */
	wait_for(s, SHORT_WAIT, 5000);
	after(s, 30);
	assert_outcome(s, MLS_SWAP_ACTIVATED, "kept to the limits");
}

static void with_nothing_before_there_is_nothing_to_compare_with(void **state)
{
	struct state *s = *state;

	watch_model(s, defaults);
	wait_for(s, LONG_WAIT, 5000);
	after(s, 30);
	assert_outcome(s, MLS_SWAP_ACTIVATED, "kept to the limits");
}

static void as_much_time_before_is_compared_as_is_watched(void **state)
{
	struct state *s = *state;
	struct mls_swap_limits limits = defaults;

	/* Long ago waits were as long as they will be; in the last ten seconds short. */
	limits.watch = 10;
	live(s, 40, LONG_WAIT, 1000);
	live(s, 11, SHORT_WAIT, 1000);
	watch_model(s, limits);
	wait_for(s, LONG_WAIT, 1000);
	after(s, 0.1);
	assert_outcome(s, MLS_SWAP_ROLLED_BACK, "the waits for a CPU grew");
}

/* ---- rolling back --------------------------------------------------------------------- */

static void a_rollback_ends_what_has_not_decided_yet(void **state)
{
	struct state *s = *state;

	for (int phase = MLS_SWAP_READING; phase <= MLS_SWAP_TRIAL; phase++) {
		begin(s, "/new", &defaults, 1);
		if (phase >= MLS_SWAP_WRITING)
			prepared(s, "/new");
		if (phase >= MLS_SWAP_TRIAL)
			after(s, 0);
		assert_int_equal(mls_swap_phase(s->swap), phase);
		assert_int_equal(mls_swap_rollback(s->swap, s->now, &s->err), 0);
		assert_outcome(s, MLS_SWAP_CANCELLED, "ended by request, before it decided");
		assert_decides(s, 0, "/first");
		/* What comes too late is not wanted any more. */
		prepared(s, "/new");
		after(s, 1);
		assert_int_equal(mls_swap_phase(s->swap), MLS_SWAP_IDLE);
		assert_decides(s, 0, "/first");
	}
	assert_int_equal(mls_swap_count(s->swap, MLS_SWAP_CANCELLED), 3);
}

static void a_rollback_goes_back_once(void **state)
{
	const struct mls_swap_limits limits = at_once();
	struct state *s = *state;

	assert_int_equal(mls_swap_rollback(s->swap, s->now, &s->err), -ENOENT);
	write_model(s, "/new", &limits);
	assert_decides(s, 1, "/new");
	assert_int_equal(mls_swap_rollback(s->swap, s->now, &s->err), 0);
	assert_outcome(s, MLS_SWAP_CANCELLED, "rolled back by request");
	assert_decides(s, 0, "/first");
	assert_int_equal(mls_swap_rollback(s->swap, s->now, &s->err), -ENOENT);
	assert_int_equal(mls_swap_count(s->swap, MLS_SWAP_ACTIVATED), 1);
	assert_int_equal(mls_swap_count(s->swap, MLS_SWAP_CANCELLED), 1);
}

static void a_trial_that_was_refused_has_used_the_slot_of_the_model_before(void **state)
{
	const struct mls_swap_limits limits = at_once();
	struct state *s = *state;

	write_model(s, "/second", &limits);
	write_model(s, "/third", &defaults);
	assert_int_equal(s->fake.candidate, 0);
	after(s, 10);
	assert_outcome(s, MLS_SWAP_REFUSED, "too few");
	/* The first model is gone: the second stays. */
	assert_int_equal(mls_swap_rollback(s->swap, s->now, &s->err), -ENOENT);
	assert_decides(s, 1, "/second");
}

/* ---- repetitions and records ----------------------------------------------------------- */

static void repetitions_alternate_and_end_with_the_new_one(void **state)
{
	struct state *s = *state;
	int steps = 0;

	/* Trial and watch of the limits do not count. */
	begin(s, "/new", &defaults, 7);
	prepared(s, "/new");
	while (mls_swap_phase(s->swap) == MLS_SWAP_WRITING) {
		uint64_t next = after(s, 0);

		steps++;
		/* Others get their turn after four. */
		assert_int_equal(next, mls_swap_phase(s->swap) == MLS_SWAP_WRITING ? 0 : SECOND);
	}
	assert_int_equal(steps, 2);
	assert_string_equal(calls(s), "pacpacpacpacpacpacpac");
	assert_outcome(s, MLS_SWAP_ACTIVATED, "decides");
	assert_int_equal(mls_swap_record(s->swap, 0)->writes, 7);
	assert_decides(s, 1, "/new");
	assert_int_equal(mls_swap_previous(s->swap), 0);
	assert_string_equal(s->fake.slots[0], "/first");
}

static void an_even_number_of_repetitions_ends_with_the_new_one_too(void **state)
{
	struct state *s = *state;

	begin(s, "/new", &defaults, 1000);
	prepared(s, "/new");
	while (mls_swap_phase(s->swap) == MLS_SWAP_WRITING)
		after(s, 0);
	assert_int_equal(mls_swap_record(s->swap, 0)->writes, 1000);
	assert_int_equal(mls_swap_active(s->swap), s->fake.active);
	assert_string_equal(s->fake.slots[s->fake.active], "/new");
	assert_string_equal(mls_swap_model(s->swap, s->fake.active)->path, "/new");
}

static void the_last_sixteen_swaps_are_remembered(void **state)
{
	const struct mls_swap_limits limits = at_once();
	struct state *s = *state;
	char path[32];

	assert_null(mls_swap_record(s->swap, 0));
	for (int i = 1; i <= 20; i++) {
		snprintf(path, sizeof(path), "/%d", i);
		write_model(s, path, &limits);
	}
	for (uint32_t age = 0; age < MLS_SWAP_HISTORY; age++) {
		const struct mls_swap_record *r = mls_swap_record(s->swap, age);

		snprintf(path, sizeof(path), "/%u", 20 - age);
		assert_int_equal(r->number, 20 - age);
		assert_string_equal(r->model.path, path);
	}
	assert_null(mls_swap_record(s->swap, MLS_SWAP_HISTORY));
	assert_int_equal(mls_swap_count(s->swap, MLS_SWAP_UNDER_WAY), 20);
	assert_int_equal(mls_swap_count(s->swap, MLS_SWAP_ACTIVATED), 20);
}

static void names_are_all_there(void **state)
{
	(void)state;
	for (int i = 0; i < MLS_SWAP_PHASES; i++)
		assert_true(strlen(mls_swap_phase_name((enum mls_swap_phase)i)) > 2);
	for (int i = 0; i < MLS_SWAP_OUTCOMES; i++)
		assert_true(strlen(mls_swap_outcome_name((enum mls_swap_outcome)i)) > 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_model_goes_through_trial_and_watch),
		TEST(it_wants_to_be_called_when_there_is_something_to_do),
		TEST(a_slot_that_is_read_is_waited_for),
		TEST(what_cannot_be_read_changes_nothing),
		TEST(what_is_read_back_damaged_does_not_decide),
		TEST(one_swap_at_a_time),
		TEST(too_few_decisions_are_no_judgement),
		TEST(refusals_on_trial_are_limited),
		TEST(disagreement_on_trial_is_limited),
		TEST(in_collect_there_is_no_model_to_disagree_with),
		cmocka_unit_test_setup_teardown(without_a_model_there_is_none_to_disagree_with,
						setup_without_model, teardown),
		TEST(a_restart_begins_the_trial_anew),
		TEST(refusals_that_run_away_roll_it_back_before_the_end),
		TEST(waits_that_run_away_roll_it_back_before_the_end),
		TEST(the_mean_of_the_waits_rolls_it_back_too),
		TEST(short_waits_are_never_too_long),
		TEST(with_nothing_before_there_is_nothing_to_compare_with),
		TEST(as_much_time_before_is_compared_as_is_watched),
		TEST(a_rollback_ends_what_has_not_decided_yet),
		TEST(a_rollback_goes_back_once),
		TEST(a_trial_that_was_refused_has_used_the_slot_of_the_model_before),
		TEST(repetitions_alternate_and_end_with_the_new_one),
		TEST(an_even_number_of_repetitions_ends_with_the_new_one_too),
		TEST(the_last_sixteen_swaps_are_remembered),
		TEST(names_are_all_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
