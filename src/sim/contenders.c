// SPDX-License-Identifier: GPL-2.0
/* Contenders by their names, and what decides for those that have no model. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "src/sim/contenders.h"
#include "src/util/array.h"
#include "src/util/error.h"

static int accept(void *context, struct sim *s, const struct sim_decision *d)
{
	(void)context;
	(void)s;
	(void)d;
	return 1;
}

static int refuse(void *context, struct sim *s, const struct sim_decision *d)
{
	(void)context;
	(void)s;
	(void)d;
	return 0;
}

static int refuse_llc(void *context, struct sim *s, const struct sim_decision *d)
{
	(void)context;
	return s->machine->llc[d->src] == s->machine->llc[d->dst];
}

/* A move must spare so many times what it costs. */
#define HYSTERESIS 2

/* ns that a task waits behind @others runnable ones, of which one runs for @rest more. */
static u64 wait_behind(const struct sim *s, u32 others, u64 burst, u64 rest)
{
	if (!others)
		return 0;
	return mls_policy_spared(&s->rules, others - 1, burst) +
	       mls_policy_spared(&s->rules, 1, rest);
}

/*
 * What a move spares in waiting against what it costs in refills, with what no kernel
 * knows: the working set, and what is left of it in the caches.
 */
static int hysteresis(void *context, struct sim *s, const struct sim_decision *d)
{
	const struct sim_cpu *dst = &s->cpus[d->dst];
	u64 here = sim_owes(s, d->task, d->src), there = sim_owes(s, d->task, d->dst);
	u64 cost = there > here ? there - here : 0, rest, stays, goes;
	struct mls_move_facts facts;

	(void)context;
	sim_facts(s, d, &facts);
	/* Who has run for longer than usual goes on for a while, too. */
	rest = facts.src_burst > facts.src_ran ? facts.src_burst - facts.src_ran : 0;
	if (rest < facts.src_burst * 3 / 10)
		rest = facts.src_burst * 3 / 10;
	/* A task that waits is one of those at the source. */
	if (d->kind == MLS_POLICY_STEAL || d->kind == MLS_POLICY_BALANCE)
		facts.src_len--;
	stays = wait_behind(s, facts.src_len, facts.src_burst, rest);
	goes = wait_behind(s, facts.dst_len, dst->policy.mls.burst, dst->policy.mls.burst);
	return stays > goes + HYSTERESIS * cost;
}

#define ALL_MECHANISMS ((1u << MLS_POLICY_MECHANISMS) - 1)

static const struct sim_tuning untuned = SIM_TUNING_DEFAULT;
static const struct sim_tuning mechanisms = SIM_TUNING_WITH(ALL_MECHANISMS);

static const struct {
	const char *about;
	struct sim_contender contender;
} contenders[] = {
	{ "the kernel's own scheduler as of 6.18",
	  { .name = "eevdf", .policy = &sim_policy_eevdf } },
	{ "the same where moves cost tasks nothing: a bound",
	  { .name = "eevdf-free", .policy = &sim_policy_eevdf, .free = true } },
	{ "a scheduler by the rules of scx_rusty 1.0.8",
	  { .name = "rusty", .policy = &sim_policy_rusty } },
	{ "ours with no model", { .name = "mlsched", .policy = &sim_policy_mlsched } },
	{ "the same, its tuning always the default",
	  { .name = "base", .policy = &sim_policy_mlsched, .tuning = &untuned } },
	{ "all optional moves are taken",
	  { .name = "accept", .policy = &sim_policy_mlsched, .decide = accept } },
	{ "none is taken", { .name = "refuse", .policy = &sim_policy_mlsched, .decide = refuse } },
	{ "none between last-level caches",
	  { .name = "refuse-llc", .policy = &sim_policy_mlsched, .decide = refuse_llc } },
	{ "those that spare more than twice what they cost",
	  { .name = "hysteresis", .policy = &sim_policy_mlsched, .decide = hysteresis } },
	{ "ours with no model and all mechanisms",
	  { .name = "mechanisms", .policy = &sim_policy_mlsched, .tuning = &mechanisms } },
	{ "the same, none between last-level caches",
	  { .name = "mechanisms-refuse-llc",
	    .policy = &sim_policy_mlsched,
	    .decide = refuse_llc,
	    .tuning = &mechanisms } },
	{ "all mechanisms, and hysteresis",
	  { .name = "mechanisms-hysteresis",
	    .policy = &sim_policy_mlsched,
	    .decide = hysteresis,
	    .tuning = &mechanisms } },
};

const char *sim_contender_name(uint32_t i)
{
	return i < ARRAY_SIZE(contenders) ? contenders[i].contender.name : NULL;
}

const char *sim_contender_about(uint32_t i)
{
	return i < ARRAY_SIZE(contenders) ? contenders[i].about : NULL;
}

int sim_contender_find(struct sim_contender *c, const char *name, struct mlsched_error *err)
{
	char names[256] = "";

	for (uint32_t i = 0; i < ARRAY_SIZE(contenders); i++) {
		if (strcmp(contenders[i].contender.name, name) == 0) {
			*c = contenders[i].contender;
			return 0;
		}
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s",
			 i ? ", " : "", contenders[i].contender.name);
	}
	return mls_error(err, -EINVAL, "policy %s: expected one of %s", name, names);
}

struct sim_options sim_contender_options(const struct sim_contender *c, u64 limit)
{
	return (struct sim_options){ .decide = c->decide,
				     .context = c->context,
				     .limit = limit,
				     .tuning = c->tuning,
				     .free = c->free };
}
