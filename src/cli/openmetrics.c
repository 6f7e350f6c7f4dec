// SPDX-License-Identifier: GPL-2.0
/*
 * Counters in the text format of OpenMetrics 1.0.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "src/cli/openmetrics.h"
#include "src/util/array.h"

static void family(FILE *f, const char *name, const char *type, const char *unit, const char *help)
{
	fprintf(f, "# TYPE mlsched_%s %s\n", name, type);
	if (unit)
		fprintf(f, "# UNIT mlsched_%s %s\n", name, unit);
	fprintf(f, "# HELP mlsched_%s %s\n", name, help);
}

/* A label's value: what the format wants escaped, is. */
static void label_value(FILE *f, const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			fputc('\\', f);
		fputc(*text == '\n' ? ' ' : *text, f);
	}
}

static void decisions(FILE *f, const struct scheduler_counts *n)
{
	family(f, "decisions", "counter", NULL,
	       "Optional moves that were decided on: accepted and refused.");
	for (int k = 0; k < MLS_POLICY_KINDS; k++) {
		fprintf(f, "mlsched_decisions_total{kind=\"%s\",verdict=\"accepted\"} %llu\n",
			snapshot_kind_names[k], n->accepted[k]);
		fprintf(f, "mlsched_decisions_total{kind=\"%s\",verdict=\"refused\"} %llu\n",
			snapshot_kind_names[k], n->refused[k]);
	}
	family(f, "moves", "counter", NULL, "Tasks that ran on another CPU than before.");
	for (int c = 0; c < SCHEDULER_CAUSES; c++) {
		for (int d = 0; d < SCHEDULER_DISTANCES; d++)
			fprintf(f, "mlsched_moves_total{cause=\"%s\",distance=\"%s\"} %llu\n",
				snapshot_cause_names[c], snapshot_distance_names[d],
				n->moved[c][d]);
	}
	family(f, "failed_moves", "counter", NULL,
	       "Accepted moves that did not come about, with the reason.");
	for (int k = 0; k < MLS_POLICY_KINDS; k++) {
		for (int r = 0; r < SCHEDULER_FAILURES; r++)
			fprintf(f, "mlsched_failed_moves_total{kind=\"%s\",reason=\"%s\"} %llu\n",
				snapshot_kind_names[k], snapshot_failure_names[r], n->failed[k][r]);
	}
	family(f, "safety_moves", "counter", NULL, "Moves that a safety rule allowed, by kind.");
	for (int k = 0; k < MLS_POLICY_KINDS; k++)
		fprintf(f, "mlsched_safety_moves_total{kind=\"%s\"} %llu\n", snapshot_kind_names[k],
			n->safety[k]);
	family(f, "safety_rules", "counter", NULL,
	       "The same moves, by the rule that allowed them.");
	fprintf(f, "mlsched_safety_rules_total{rule=\"waited\"} %llu\n", n->safety_waited);
	fprintf(f, "mlsched_safety_rules_total{rule=\"kept_idle\"} %llu\n", n->safety_kept);
}

static void single_counters(FILE *f, const struct scheduler_counts *n)
{
	const struct {
		const char *name;
		const char *help;
		unsigned long long value;
	} list[] = {
		{ "forbidden_candidates", "Candidates that a hard rule took out.", n->forbidden },
		{ "overdue_tasks", "Tasks served before their turn: they had waited too long.",
		  n->overdue },
		{ "bound_tasks", "Tasks bound to a CPU that were put there at once.", n->bound },
		{ "preemptions", "Running tasks that one which woke up took the place of.",
		  n->preempted },
		{ "kicks", "Idle CPUs called to look for work.", n->kicked },
		{ "model_missing", "Decisions in a mode that wants a model, without one.",
		  n->no_model },
		{ "model_same_as_heuristic",
		  "Decisions where the model said what the heuristic says.", n->same },
	};

	for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
		family(f, list[i].name, "counter", NULL, list[i].help);
		fprintf(f, "mlsched_%s_total %llu\n", list[i].name, list[i].value);
	}
	family(f, "mechanisms", "counter", NULL, "How often each mechanism acted (--mechanisms).");
	for (int m = 0; m < MLS_POLICY_MECHANISMS; m++)
		fprintf(f, "mlsched_mechanisms_total{mechanism=\"%s\"} %llu\n",
			mls_mechanism_names[m], n->mechanisms[m]);
	family(f, "model_verdicts", "counter", NULL,
	       "Decisions that the active model was asked for.");
	fprintf(f, "mlsched_model_verdicts_total{verdict=\"migrate\"} %llu\n", n->model_migrates);
	fprintf(f, "mlsched_model_verdicts_total{verdict=\"keep\"} %llu\n",
		n->model - n->model_migrates);
	family(f, "slot_asked", "counter", NULL,
	       "Decisions that the active model was asked for, by the slot that it was in.");
	for (int slot = 0; slot < SCHEDULER_SLOTS; slot++)
		fprintf(f, "mlsched_slot_asked_total{slot=\"%d\"} %llu\n", slot, n->by_slot[slot]);
	family(f, "candidate_verdicts", "counter", NULL,
	       "Decisions that a model on trial was asked for besides.");
	fprintf(f, "mlsched_candidate_verdicts_total{verdict=\"migrate\"} %llu\n",
		n->trial_migrates);
	fprintf(f, "mlsched_candidate_verdicts_total{verdict=\"keep\"} %llu\n",
		n->trial - n->trial_migrates);
	family(f, "candidate_same", "counter", NULL,
	       "Decisions where it said what the active model, or without one the heuristic, said.");
	fprintf(f, "mlsched_candidate_same_total %llu\n", n->trial_same);
}

static void waits(FILE *f, const struct scheduler_counts *n)
{
	unsigned long long below = 0;

	family(f, "wait_seconds", "histogram", "seconds", "Time that tasks waited for a CPU.");
	for (int b = 0; b < SCHEDULER_BUCKETS; b++) {
		below += n->waits[b];
		fprintf(f, "mlsched_wait_seconds_bucket{le=\"%.6f\"} %llu\n",
			(double)(1ull << b) / 1e6, below);
	}
	fprintf(f, "mlsched_wait_seconds_bucket{le=\"+Inf\"} %llu\n", below);
	fprintf(f, "mlsched_wait_seconds_count %llu\n", below);
	fprintf(f, "mlsched_wait_seconds_sum %.9f\n", (double)n->waited_ns / 1e9);
	family(f, "longest_wait_seconds", "gauge", "seconds", "The longest of them.");
	fprintf(f, "mlsched_longest_wait_seconds %.9f\n", (double)n->wait_ns / 1e9);
}

enum domain_field { ONLINE, IDLE, LOAD, QUEUED, LONGEST, DOMAIN_FIELDS };

static double field_of(const struct mls_scx_domain *d, enum domain_field field)
{
	switch (field) {
	case ONLINE:
		return d->online;
	case IDLE:
		return d->idle;
	case LOAD:
		return d->load;
	case QUEUED:
		return (double)d->queued;
	default:
		return (double)d->longest;
	}
}

static void domains(FILE *f, const struct snapshot *s)
{
	static const struct {
		const char *name;
		const char *unit;
		const char *help;
	} fields[DOMAIN_FIELDS] = {
		[ONLINE] = { "domain_online_cpus", "cpus", "Online CPUs of a domain." },
		[IDLE] = { "domain_idle_cpus", "cpus", "CPUs without work." },
		[LOAD] = { "domain_load_ratio", "ratio", "Mean of the CPUs' load averages." },
		[QUEUED] = { "domain_queued_tasks", "tasks",
			     "Tasks that wait in the CPUs' queues." },
		[LONGEST] = { "domain_longest_queue_tasks", "tasks",
			      "The longest of these queues." },
	};

	for (int i = 0; i < DOMAIN_FIELDS && s->n_domains; i++) {
		family(f, fields[i].name, "gauge", fields[i].unit, fields[i].help);
		for (uint32_t d = 0; d < s->n_domains; d++) {
			double value = field_of(&s->domains[d], (enum domain_field)i);

			/* What the kernel did not say is not there. */
			if (value >= 0)
				fprintf(f, "mlsched_%s{domain=\"%u\"} %.9g\n", fields[i].name, d,
					value);
		}
	}
}

static void state(FILE *f, const struct snapshot *s)
{
	family(f, "build", "info", NULL, "The program.");
	fprintf(f, "mlsched_build_info{version=\"%s\"} 1\n", s->version);
	family(f, "model", "info", NULL,
	       "The model that is active; without one there is no sample.");
	if (s->active >= 0) {
		fprintf(f, "mlsched_model_info{slot=\"%d\",checksum=\"%08x\",path=\"", s->active,
			s->checksum);
		label_value(f, s->path);
		fprintf(f, "\"} 1\n");
	}
	family(f, "mode", "stateset", NULL, "Who decides.");
	for (int m = 0; m < MLS_POLICY_MODES; m++)
		fprintf(f, "mlsched_mode{mlsched_mode=\"%s\"} %d\n", snapshot_mode_names[m],
			(int)s->mode == m);
	family(f, "candidate", "gauge", NULL, "1 while a model is on trial.");
	fprintf(f, "mlsched_candidate %d\n", s->candidate >= 0);
	family(f, "uptime_seconds", "gauge", "seconds", "Since it took over scheduling.");
	fprintf(f, "mlsched_uptime_seconds %.3f\n", s->seconds);
	family(f, "restarts", "counter", NULL, "Because CPUs came or went.");
	fprintf(f, "mlsched_restarts_total %llu\n", (unsigned long long)s->restarts);
	family(f, "model_swaps", "counter", NULL, "Changes of the model, by outcome.");
	for (int o = MLS_SWAP_UNDER_WAY + 1; o < MLS_SWAP_OUTCOMES; o++)
		fprintf(f, "mlsched_model_swaps_total{outcome=\"%s\"} %llu\n",
			mls_swap_outcome_name((enum mls_swap_outcome)o),
			(unsigned long long)s->swaps[o]);
}

long openmetrics_text(const struct snapshot *s, char **text)
{
	size_t size = 0;
	FILE *f = open_memstream(text, &size);
	bool failed;

	if (!f)
		return -ENOMEM;
	state(f, s);
	decisions(f, &s->counts);
	single_counters(f, &s->counts);
	waits(f, &s->counts);
	domains(f, s);
	fprintf(f, "# EOF\n");
	failed = ferror(f) != 0;
	if (fclose(f) != 0 || failed) {
		free(*text);
		return -ENOMEM;
	}
	return (long)size;
}
