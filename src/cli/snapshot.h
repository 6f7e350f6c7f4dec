/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a running scheduler looks like at one moment: what `run` prints of its
 * own, `stats` and `top` get over the control socket, and OpenMetrics shows.
 * One table of names serves JSON in both directions and the metrics.
 */
#ifndef MLS_CLI_SNAPSHOT_H
#define MLS_CLI_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include <mlsched/error.h>

#include "bpf/scheduler.h"
#include "src/host/scx.h"
#include "src/host/scx_sums.h"
#include "src/host/swap.h"
#include "src/host/tuning.h"

#define SNAPSHOT_LIST 48 /* of a domain's CPUs: what is longer ends in ",..." */

/**
 * struct snapshot - the scheduler at one moment
 * @version:   of mlsched
 * @seconds:   since it took over
 * @restarts:  because CPUs came or went
 * @mode:      who decides
 * @active:    slot of the model, or -1
 * @candidate: slot of one on trial, or -1
 * @checksum:  of the active model's integers
 * @path:      that it was read from
 * @worth:     of waiting that a move must spare to be offered, ns
 * @swaps:     by outcome
 * @cpus, @online: of the machine
 * @n_domains: 0: nobody looked
 * @domains:   [n_domains], and their CPUs in @lists
 * @counts:    since it took over
 */
struct snapshot {
	char version[32];
	double seconds;
	uint64_t restarts;
	enum mls_policy_mode mode;
	int active;
	int candidate;
	uint32_t checksum;
	char path[MLS_SWAP_PATH];
	u64 worth[MLS_POLICY_LEVELS];
	uint64_t swaps[MLS_SWAP_OUTCOMES];
	uint32_t cpus;
	uint32_t online;
	uint32_t n_domains;
	struct mls_scx_domain domains[SCHEDULER_MAX_DOMAINS];
	char lists[SCHEDULER_MAX_DOMAINS][SNAPSHOT_LIST];
	struct scheduler_counts counts;
};

extern const char *const snapshot_kind_names[MLS_POLICY_KINDS];
extern const char *const snapshot_cause_names[SCHEDULER_CAUSES];
extern const char *const snapshot_failure_names[SCHEDULER_FAILURES];
extern const char *const snapshot_distance_names[SCHEDULER_DISTANCES];
extern const char *const snapshot_mode_names[MLS_POLICY_MODES];

/** snapshot_mode() - a mode by its name; -EINVAL: there is none */
int snapshot_mode(const char *name, enum mls_policy_mode *mode);

/** snapshot_counts_json() - a document of @type that holds what was counted in @seconds */
json_t *snapshot_counts_json(const char *type, double seconds, const struct scheduler_counts *n);

/** snapshot_json() - the same with all the rest */
json_t *snapshot_json(const char *type, const struct snapshot *snapshot);

/**
 * snapshot_parse() - from what snapshot_json() made
 *
 * Return: 0; -EINVAL when something is missing, wrong or too large (the message
 * names it): the other side may be another version, or lie.
 */
int snapshot_parse(const json_t *document, struct snapshot *snapshot, struct mlsched_error *err);

/** snapshot_since() - what @now counted since @before; counts that went back are refused */
int snapshot_since(const struct snapshot *now, const struct snapshot *before,
		   struct scheduler_counts *counts, struct mlsched_error *err);

#endif /* MLS_CLI_SNAPSHOT_H */
