// SPDX-License-Identifier: GPL-2.0
/*
 * The scheduler at one moment, as JSON and back.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "src/cli/snapshot.h"
#include "src/cli/tuning.h"
#include "src/formats/format.h"
#include "src/util/array.h"
#include "src/util/error.h"

const char *const snapshot_kind_names[MLS_POLICY_KINDS] = {
	[MLS_POLICY_WAKEUP] = "wakeup",
	[MLS_POLICY_FORK] = "fork",
	[MLS_POLICY_STEAL] = "steal",
	[MLS_POLICY_BALANCE] = "balance",
};

const char *const snapshot_cause_names[SCHEDULER_CAUSES] = {
	[MLS_POLICY_WAKEUP] = "wakeup",      [MLS_POLICY_FORK] = "fork",
	[MLS_POLICY_STEAL] = "steal",        [MLS_POLICY_BALANCE] = "balance",
	[SCHEDULER_BY_SAFETY] = "safety",    [SCHEDULER_BY_FORCE] = "forced",
	[SCHEDULER_BY_KERNEL] = "by_kernel",
};

const char *const snapshot_failure_names[SCHEDULER_FAILURES] = {
	[SCHEDULER_RACED] = "raced",
	[SCHEDULER_REPLACED] = "replaced",
	[SCHEDULER_RETURNED] = "returned",
};

const char *const snapshot_distance_names[SCHEDULER_DISTANCES] = {
	[SCHEDULER_NEAR] = "domain",
	[SCHEDULER_NODE] = "node",
	[SCHEDULER_FAR] = "machine",
};

const char *const snapshot_mode_names[MLS_POLICY_MODES] = {
	[MLS_POLICY_COLLECT] = "collect",
	[MLS_POLICY_SHADOW] = "shadow",
	[MLS_POLICY_ACTIVE] = "active",
};

int snapshot_mode(const char *name, enum mls_policy_mode *mode)
{
	for (int i = 0; i < MLS_POLICY_MODES; i++) {
		if (strcmp(name, snapshot_mode_names[i]) == 0) {
			*mode = (enum mls_policy_mode)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* ---- counts: a table of single ones, and loops over those by kind, cause, ... ------------ */

static const struct count {
	const char *group; /* NULL: of the document itself */
	const char *name;
	size_t offset;
} counts[] = {
#define COUNT(group, name, field) { group, name, offsetof(struct scheduler_counts, field) }
	COUNT("model", "asked", model),
	COUNT("model", "migrate", model_migrates),
	COUNT("model", "same_as_heuristic", same),
	COUNT("model", "slot_0", by_slot[0]),
	COUNT("model", "slot_1", by_slot[1]),
	COUNT("model", "missing", no_model),
	COUNT("candidate", "asked", trial),
	COUNT("candidate", "migrate", trial_migrates),
	COUNT("candidate", "same", trial_same),
	COUNT("safety_rules", "waited", safety_waited),
	COUNT("safety_rules", "kept_idle", safety_kept),
	COUNT(NULL, "overdue", overdue),
	COUNT(NULL, "forbidden", forbidden),
	COUNT(NULL, "bound", bound),
	COUNT(NULL, "preempted", preempted),
	COUNT(NULL, "kicked", kicked),
	COUNT("mechanisms", "fork-in-place", mechanisms[MLS_POLICY_FORK_IN_PLACE]),
	COUNT("mechanisms", "preempt-short", mechanisms[MLS_POLICY_PREEMPT_SHORT]),
	COUNT("mechanisms", "ask-again", mechanisms[MLS_POLICY_ASK_AGAIN]),
	COUNT("mechanisms", "level-large", mechanisms[MLS_POLICY_LEVEL_LARGE]),
#undef COUNT
};

_Static_assert(SCHEDULER_SLOTS == 2, "the table has a line for each slot");
_Static_assert(MLS_POLICY_MECHANISMS == 4, "the table has a line for each mechanism");

static json_t *integer(unsigned long long n)
{
	return json_integer((json_int_t)n);
}

static json_t *kind_json(const struct scheduler_counts *n, int kind)
{
	json_t *failed = json_object();

	for (int f = 0; f < SCHEDULER_FAILURES; f++)
		json_object_set_new(failed, snapshot_failure_names[f], integer(n->failed[kind][f]));
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "decisions", integer(n->asked[kind]),
			 "accepted", integer(n->accepted[kind]), "refused",
			 integer(n->refused[kind]), "moved", integer(mls_scx_moved(n, kind)),
			 "failed", failed, "safety", integer(n->safety[kind]));
}

static json_t *moved_json(const struct scheduler_counts *n)
{
	json_t *moved = json_object();

	for (int c = 0; c < SCHEDULER_CAUSES; c++) {
		json_t *by = json_object();

		for (int d = 0; d < SCHEDULER_DISTANCES; d++)
			json_object_set_new(by, snapshot_distance_names[d],
					    integer(n->moved[c][d]));
		json_object_set_new(moved, snapshot_cause_names[c], by);
	}
	return moved;
}

static json_t *waits_json(const struct scheduler_counts *n)
{
	json_t *buckets = json_array();

	for (int b = 0; b < SCHEDULER_BUCKETS; b++)
		json_array_append_new(buckets, integer(n->waits[b]));
	return json_pack("{s:o, s:o, s:f, s:f, s:f, s:o, s:o}", "n", integer(mls_scx_sums(n).waits),
			 "sum", integer(n->waited_ns), "p50", mls_scx_wait_at(n, 0.5), "p99",
			 mls_scx_wait_at(n, 0.99), "p999", mls_scx_wait_at(n, 0.999), "longest",
			 integer(n->wait_ns), "buckets", buckets);
}

json_t *snapshot_counts_json(const char *type, double seconds, const struct scheduler_counts *n)
{
	struct mls_scx_sums s = mls_scx_sums(n);
	json_t *document = json_pack("{s:s, s:f, s:o, s:o, s:o, s:o, s:o, s:o}", "type", type,
				     "seconds", seconds, "decisions", integer(s.asked), "accepted",
				     integer(s.accepted), "refused", integer(s.refused), "moved",
				     integer(s.moved), "failed", integer(s.failed), "under_way",
				     integer(s.under_way));
	json_t *kinds = json_object();

	for (int k = 0; k < MLS_POLICY_KINDS; k++)
		json_object_set_new(kinds, snapshot_kind_names[k], kind_json(n, k));
	json_object_set_new(document, "kinds", kinds);
	json_object_set_new(document, "moves", moved_json(n));
	json_object_set_new(document, "wait_ns", waits_json(n));
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		json_t *group = document;

		if (counts[i].group) {
			if (!json_object_get(document, counts[i].group))
				json_object_set_new(document, counts[i].group, json_object());
			group = json_object_get(document, counts[i].group);
		}
		json_object_set_new(group, counts[i].name,
				    integer(*(const u64 *)((const char *)n + counts[i].offset)));
	}
	return document;
}

static json_t *length_json(int64_t length)
{
	return length < 0 ? json_null() : json_integer(length);
}

static json_t *domains_json(const struct snapshot *s)
{
	json_t *list = json_array();

	for (uint32_t d = 0; d < s->n_domains; d++) {
		const struct mls_scx_domain *domain = &s->domains[d];

		json_array_append_new(list,
				      json_pack("{s:s, s:I, s:I, s:f, s:o, s:o}", "cpus",
						s->lists[d], "online", (json_int_t)domain->online,
						"idle", (json_int_t)domain->idle, "load",
						domain->load, "queued", length_json(domain->queued),
						"longest_queue", length_json(domain->longest)));
	}
	return list;
}

json_t *snapshot_json(const char *type, const struct snapshot *s)
{
	json_t *document = snapshot_counts_json(type, s->seconds, &s->counts);
	json_t *swaps = json_object();

	for (int o = 0; o < MLS_SWAP_OUTCOMES; o++)
		json_object_set_new(swaps,
				    o == MLS_SWAP_UNDER_WAY ?
					    "begun" :
					    mls_swap_outcome_name((enum mls_swap_outcome)o),
				    integer(s->swaps[o]));
	json_object_update_new(
		document,
		json_pack("{s:s, s:I, s:s, s:i, s:i, s:I, s:s, s:o, s:o, s:I, s:I, s:o}", "version",
			  s->version, "restarts", (json_int_t)s->restarts, "mode",
			  snapshot_mode_names[s->mode], "active_slot", s->active, "candidate_slot",
			  s->candidate, "active_checksum", (json_int_t)s->checksum, "active_path",
			  s->path, "offers_us", cli_offers_json(s->worth), "swaps", swaps, "cpus",
			  (json_int_t)s->cpus, "online", (json_int_t)s->online, "domains",
			  domains_json(s)));
	return document;
}

/* ---- and back -------------------------------------------------------------------------- */

/* Keeps the first thing that was wrong. */
struct reader {
	struct mlsched_error *err;
	int ret;
};

static void wrong(struct reader *r, const char *name, const char *expected)
{
	if (!r->ret)
		r->ret =
			mls_error(r->err, -EINVAL,
				  "the scheduler's answer: expected %s as \"%s\": it is of another "
				  "version of mlsched, perhaps",
				  expected, name);
}

static const json_t *member(struct reader *r, const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	if (!value)
		wrong(r, name, "something");
	return value;
}

static unsigned long long count_of(struct reader *r, const json_t *object, const char *name)
{
	const json_t *value = member(r, object, name);

	if (!json_is_integer(value) || json_integer_value(value) < 0) {
		wrong(r, name, "a count");
		return 0;
	}
	return (unsigned long long)json_integer_value(value);
}

static double number_of(struct reader *r, const json_t *object, const char *name)
{
	const json_t *value = member(r, object, name);

	if (!json_is_number(value))
		wrong(r, name, "a number");
	return json_number_value(value);
}

static int slot_of(struct reader *r, const json_t *object, const char *name)
{
	const json_t *value = member(r, object, name);
	json_int_t slot = json_integer_value(value);

	if (!json_is_integer(value) || slot < -1 || slot >= SCHEDULER_SLOTS)
		wrong(r, name, "a slot");
	return (int)slot;
}

/* What another process sends must not reach a terminal as it is. */
static void text_of(struct reader *r, const json_t *object, const char *name, char *text,
		    size_t size)
{
	const char *value = json_string_value(member(r, object, name));

	if (!value) {
		wrong(r, name, "a string");
		value = "";
	}
	snprintf(text, size, "%s", value);
	mls_clean_text(text);
}

static int64_t length_of(struct reader *r, const json_t *object, const char *name)
{
	return json_is_null(json_object_get(object, name)) ? -1 :
							     (int64_t)count_of(r, object, name);
}

static void read_kinds(struct reader *r, const json_t *document, struct scheduler_counts *n)
{
	const json_t *kinds = member(r, document, "kinds"), *moves = member(r, document, "moves");

	for (int k = 0; k < MLS_POLICY_KINDS; k++) {
		const json_t *kind = member(r, kinds, snapshot_kind_names[k]);
		const json_t *failed = member(r, kind, "failed");

		n->asked[k] = count_of(r, kind, "decisions");
		n->accepted[k] = count_of(r, kind, "accepted");
		n->refused[k] = count_of(r, kind, "refused");
		n->safety[k] = count_of(r, kind, "safety");
		for (int f = 0; f < SCHEDULER_FAILURES; f++)
			n->failed[k][f] = count_of(r, failed, snapshot_failure_names[f]);
	}
	for (int c = 0; c < SCHEDULER_CAUSES; c++) {
		const json_t *by = member(r, moves, snapshot_cause_names[c]);

		for (int d = 0; d < SCHEDULER_DISTANCES; d++)
			n->moved[c][d] = count_of(r, by, snapshot_distance_names[d]);
	}
}

static void read_waits(struct reader *r, const json_t *document, struct scheduler_counts *n)
{
	const json_t *waits = member(r, document, "wait_ns");
	const json_t *buckets = member(r, waits, "buckets");

	n->wait_ns = count_of(r, waits, "longest");
	n->waited_ns = count_of(r, waits, "sum");
	if (json_array_size(buckets) != SCHEDULER_BUCKETS) {
		wrong(r, "buckets", "32 counts");
		return;
	}
	for (size_t b = 0; b < SCHEDULER_BUCKETS; b++) {
		const json_t *value = json_array_get(buckets, b);

		if (!json_is_integer(value) || json_integer_value(value) < 0)
			wrong(r, "buckets", "32 counts");
		else
			n->waits[b] = (unsigned long long)json_integer_value(value);
	}
}

static void read_counts(struct reader *r, const json_t *document, struct scheduler_counts *n)
{
	read_kinds(r, document, n);
	read_waits(r, document, n);
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		const struct count *c = &counts[i];

		*(u64 *)((char *)n + c->offset) =
			count_of(r, c->group ? member(r, document, c->group) : document, c->name);
	}
}

static void read_offers(struct reader *r, const json_t *document, struct snapshot *s)
{
	const json_t *offers = member(r, document, "offers_us");

	if (json_array_size(offers) != MLS_POLICY_LEVELS)
		wrong(r, "offers_us", "3 numbers");
	for (size_t i = 0; i < MLS_POLICY_LEVELS; i++) {
		double us = json_number_value(json_array_get(offers, i));

		if (!(us >= 0 && us < 1e9))
			wrong(r, "offers_us", "3 numbers");
		else
			s->worth[i] = (u64)(us * 1000);
	}
}

static void read_domains(struct reader *r, const json_t *document, struct snapshot *s)
{
	const json_t *domains = member(r, document, "domains");

	if (!json_is_array(domains) || json_array_size(domains) > SCHEDULER_MAX_DOMAINS) {
		wrong(r, "domains", "an array of at most 64");
		return;
	}
	s->n_domains = (uint32_t)json_array_size(domains);
	for (uint32_t d = 0; d < s->n_domains; d++) {
		const json_t *from = json_array_get(domains, d);
		struct mls_scx_domain *to = &s->domains[d];

		text_of(r, from, "cpus", s->lists[d], sizeof(s->lists[d]));
		to->online = (uint32_t)count_of(r, from, "online");
		to->idle = (uint32_t)count_of(r, from, "idle");
		to->load = number_of(r, from, "load");
		to->queued = length_of(r, from, "queued");
		to->longest = length_of(r, from, "longest_queue");
	}
}

int snapshot_parse(const json_t *document, struct snapshot *s, struct mlsched_error *err)
{
	struct reader r = { .err = err };
	const json_t *swaps;
	char mode[32];

	memset(s, 0, sizeof(*s));
	text_of(&r, document, "version", s->version, sizeof(s->version));
	s->seconds = number_of(&r, document, "seconds");
	s->restarts = count_of(&r, document, "restarts");
	text_of(&r, document, "mode", mode, sizeof(mode));
	if (snapshot_mode(mode, &s->mode))
		wrong(&r, "mode", "one of three");
	s->active = slot_of(&r, document, "active_slot");
	s->candidate = slot_of(&r, document, "candidate_slot");
	s->checksum = (uint32_t)count_of(&r, document, "active_checksum");
	text_of(&r, document, "active_path", s->path, sizeof(s->path));
	s->cpus = (uint32_t)count_of(&r, document, "cpus");
	s->online = (uint32_t)count_of(&r, document, "online");
	swaps = member(&r, document, "swaps");
	for (int o = 0; o < MLS_SWAP_OUTCOMES; o++)
		s->swaps[o] = count_of(&r, swaps,
				       o == MLS_SWAP_UNDER_WAY ?
					       "begun" :
					       mls_swap_outcome_name((enum mls_swap_outcome)o));
	read_offers(&r, document, s);
	read_domains(&r, document, s);
	read_counts(&r, document, &s->counts);
	return r.ret;
}

int snapshot_since(const struct snapshot *now, const struct snapshot *before,
		   struct scheduler_counts *n, struct mlsched_error *err)
{
	*n = now->counts;
	if (now->seconds < before->seconds ||
	    mls_scx_sums(&now->counts).waits < mls_scx_sums(&before->counts).waits)
		return mls_error(err, -ESTALE, "the scheduler was started anew");
	mls_scx_subtract(n, &before->counts);
	return 0;
}
