/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The scx backend: loads bpf/scheduler.bpf.c, which takes over scheduling from
 * the kernel's own class, hands out its counters and how it ended, and changes
 * mode and model while it runs.
 *
 * Leaves to others: which model, and whether it stays (src/host/swap.h).
 */
#ifndef MLS_HOST_SCX_H
#define MLS_HOST_SCX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mlsched/error.h>

#include "bpf/scheduler.h"
#include "src/host/kfuncs.h"
#include "src/host/requests.h"
#include "src/host/topology.h"

/* QNET_SLOT_WIDTH of bpf/scheduler.bpf.c */
#define MLS_SCX_SLOT_WIDTH 128

#define MLS_SCX_HALF_LIFE 32000000ull
#define MLS_SCX_MIN_LIMIT 5000000ull
#define MLS_SCX_MAX_LIMIT 2000000000ull

/**
 * struct mls_scx_options - zero means the default
 * @sysfs:     "/sys"
 * @n_domains: as for mls_topology_read()
 * @half_life: of the load averages, in ns; default 32 ms
 * @limit:     of the safety rules, in ns; default MLS_POLICY_LIMIT
 * @mode:      who decides
 * @partial:   only tasks that ask for the class (SCHED_EXT) are ours
 * @mechanisms: bits 1 << enum mls_policy_mechanism
 * @slot:      the network, a struct qnet_slot of MLS_SCX_SLOT_WIDTH made by
 *             mls_qnet_pack(), or NULL: the heuristic decides; goes to slot
 *             0; copied
 * @record:    ns for which tasks are followed after a decision, 0: nothing is recorded;
 *             up to MLS_SCX_MAX_RECORD
 * @records_mig15: the inputs that are recorded are of schema mig15 instead of seed10
 * @explore:   share of decisions that a coin takes, up to MLS_SCX_MAX_EXPLORE
 * @requests:  who is asked instead, in user space, or NULL; the caller's and
 *             must outlive the object
 * @kernel:    what mls_scx_usable() found; not known: it is looked for
 */
struct mls_scx_options {
	const char *sysfs;
	uint32_t n_domains;
	uint64_t half_life;
	uint64_t limit;
	enum mls_policy_mode mode;
	bool partial;
	uint32_t mechanisms;
	const void *slot;
	uint64_t record;
	bool records_mig15;
	double explore;
	struct mls_requests *requests;
	struct mls_kfuncs kernel;
};

#define MLS_SCX_MAX_RECORD  400000000ull
#define MLS_SCX_MAX_WORTH   1000000000ull
#define MLS_SCX_MAX_EXPLORE 0.2

/* What to do when the kernel has taken the scheduler out. */
enum mls_scx_end {
	MLS_SCX_RUNS, /* it has not */
	MLS_SCX_RESTART, /* a CPU came or went: mls_scx_restart() */
	MLS_SCX_ORDERLY, /* somebody asked for it (SysRq-S, unregistered) */
	MLS_SCX_EJECTED, /* it stalled, or did something wrong */
};

struct mls_scx;

/**
 * mls_scx_usable() - can this kernel run a scheduler of ours now?
 * @sysfs:  "/sys"
 * @kernel: what is known of it; what is not yet is looked for and filled in
 *
 * Return: 0; -ENOSYS without sched_ext, what mls_kfuncs_read() returns for the
 * kernel's BTF, -EBUSY when another scheduler is attached (the message names it).
 */
int mls_scx_usable(const char *sysfs, struct mls_kfuncs *kernel, struct mlsched_error *err);

/**
 * mls_scx_open() - load, attach: when it returns, its tasks are ours
 *
 * Needs root and a kernel with sched_ext and BTF.  With the end of the process,
 * however it comes, the kernel goes back to its own scheduler.
 *
 * Return: 0; what mls_scx_usable() returns; -EPERM; -ERANGE for an option; what
 * loading returns, with the kernel's reason.
 */
int mls_scx_open(const struct mls_scx_options *options, struct mlsched_error *err,
		 struct mls_scx **scx);

struct bpf_object;

/**
 * mls_scx_load() - load for a machine that need not be this one, attach nothing
 * @topology: copied
 * @object:   receives libbpf's object, to look at; it stays the scheduler's
 *
 * The result is good for mls_scx_close() only.
 * Return: as mls_scx_open().
 */
int mls_scx_load(const struct mls_scx_options *options, const struct mls_topology *topology,
		 struct mlsched_error *err, struct mls_scx **scx, struct bpf_object **object);

/**
 * mls_scx_end() - has the kernel taken it out?
 * @text: receives the kernel's reason; untouched while it runs
 *
 * Does not block; to be called every now and then.
 */
enum mls_scx_end mls_scx_end(const struct mls_scx *scx, char *text, size_t size);

/**
 * mls_scx_restart() - load and attach anew with the mode and the networks of that moment
 *
 * Counters go on.  On failure the object is good for counts and closing only.
 * Return: as mls_scx_open().
 */
int mls_scx_restart(struct mls_scx *scx, struct mlsched_error *err);

/** mls_scx_set_mode() - takes effect with the next decision */
void mls_scx_set_mode(struct mls_scx *scx, enum mls_policy_mode mode);

enum mls_policy_mode mls_scx_mode(const struct mls_scx *scx);

/**
 * mls_scx_set_worth() - what is offered, from the next decision on: as of struct mls_policy
 * @worth: ns, up to MLS_SCX_MAX_WORTH; NULL: the default
 *
 * A decision in this moment may see some of the numbers and not others: any of them is
 * fit to decide with.
 */
void mls_scx_set_worth(struct mls_scx *scx, const u64 worth[MLS_POLICY_LEVELS]);

/** mls_scx_worth() - the numbers by which the kernel offers moves now */
void mls_scx_worth(const struct mls_scx *scx, u64 worth[MLS_POLICY_LEVELS]);

/* Instead of a slot's index. */
#define MLS_SCX_NO_SLOT (-1)

/**
 * mls_scx_put() - write a network into a slot that nobody uses
 * @index: neither the active slot nor the candidate
 * @slot:  as in struct mls_scx_options; copied
 *
 * Reads it back and compares it.  Does not block: a CPU that still computes
 * with what was in the slot before makes it fail.
 * Return: 0; -EBUSY when the slot is in use by intent; -EAGAIN when a CPU has
 * not left it yet: try again later; -EIO when something else came back; what
 * the kernel says about the map.
 */
int mls_scx_put(struct mls_scx *scx, int index, const void *slot, struct mlsched_error *err);

/**
 * mls_scx_set_active() - which network decides from now on, by one store
 * @index: a slot that was put, or MLS_SCX_NO_SLOT: the heuristic
 */
void mls_scx_set_active(struct mls_scx *scx, int index);

/** mls_scx_set_candidate() - which network is asked besides and compared, or MLS_SCX_NO_SLOT */
void mls_scx_set_candidate(struct mls_scx *scx, int index);

/** mls_scx_active() - MLS_SCX_NO_SLOT when the heuristic decides */
int mls_scx_active(const struct mls_scx *scx);

/** mls_scx_candidate() - MLS_SCX_NO_SLOT when none is on trial */
int mls_scx_candidate(const struct mls_scx *scx);

/**
 * mls_scx_slot() - what was put into a slot
 *
 * Return: a struct qnet_slot of MLS_SCX_SLOT_WIDTH, valid until the next
 * mls_scx_put() to it; NULL when nothing was.
 */
const void *mls_scx_slot(const struct mls_scx *scx, int index);

/** mls_scx_intact() - whether the kernel's copy of a slot is what was put there */
bool mls_scx_intact(const struct mls_scx *scx, int index);

/**
 * struct mls_scx_domain - the CPUs of a domain at one moment
 * @online:  CPUs
 * @idle:    of them, those without work
 * @queued:  tasks that wait in their queues, or -1: the kernel did not say
 * @longest: of these queues, or -1
 * @load:    mean of the CPUs' load averages, 0 to 1
 */
struct mls_scx_domain {
	uint32_t online;
	uint32_t idle;
	int64_t queued;
	int64_t longest;
	double load;
};

/** mls_scx_domains() - look at all domains; @domains: [mls_scx_topology()->n_domains] */
void mls_scx_domains(const struct mls_scx *scx, struct mls_scx_domain *domains);

/** mls_scx_counts() - sums over all CPUs since mls_scx_open(); wait_ns is a maximum */
void mls_scx_counts(const struct mls_scx *scx, struct scheduler_counts *counts);

const struct mls_topology *mls_scx_topology(const struct mls_scx *scx);

/** mls_scx_since() - mls_now_ns() when it was first attached: no decision is older */
uint64_t mls_scx_since(const struct mls_scx *scx);

/**
 * @end: ns after the decision up to which is known what happened; a task that runs in
 *       the record is taken to run until then
 */
typedef void mls_scx_record_fn(void *context, const struct scheduler_record *record, uint64_t end);

/**
 * mls_scx_records_poll() - hand out every decision whose window is over
 * @flush: also those whose window is still open, as far as they are known
 *
 * Neither blocks nor allocates nor calls the kernel; every 20 ms or so.  Before a restart
 * and the end with @flush: nothing is kept.
 * Return: how many there were; 0 without a recording.
 */
uint64_t mls_scx_records_poll(struct mls_scx *scx, bool flush, mls_scx_record_fn *fn,
			      void *context);

/** mls_scx_detach() - give scheduling back; counters stay readable */
void mls_scx_detach(struct mls_scx *scx);

/** mls_scx_close() - detach and free; NULL is allowed */
void mls_scx_close(struct mls_scx *scx);

#endif /* MLS_HOST_SCX_H */
