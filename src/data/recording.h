/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Recordings: decisions with what was known, what was decided, by whom, and
 * what came of it, in a SQLite file.  docs/recordings.md is the format.
 *
 * A writer puts rows into transactions of at most MLS_RECORDING_INTERVAL ns in
 * write-ahead mode: whoever is killed loses no more than that, and what is in
 * the file is whole.  A reader trusts nothing in it.
 *
 * Leaves to others: where decisions come from (src/host/record.h), threads
 * (recording_queue.h), what is a good decision (label.h).
 */
#ifndef MLS_DATA_RECORDING_H
#define MLS_DATA_RECORDING_H

#include <stdbool.h>
#include <stdint.h>

#include <mlsched/error.h>

/* "mlsr" at offset 68 of the file, and the version of the format at offset 60. */
#define MLS_RECORDING_APPLICATION 0x6d6c7372
#define MLS_RECORDING_VERSION     1

/* Inputs that a decision may have. */
#define MLS_RECORDING_FEATURES 32

/* A transaction is closed after so many ns or rows. */
#define MLS_RECORDING_INTERVAL 250000000ull
#define MLS_RECORDING_BATCH    32768

/* What kind of move was in question. */
enum mls_recorded_kind {
	MLS_RECORDED_WAKEUP, /* a task that wakes up, to another CPU than its own */
	MLS_RECORDED_FORK, /* a new task, to another CPU than its parent's */
	MLS_RECORDED_STEAL, /* a waiting task, to a CPU that has nothing to do */
	MLS_RECORDED_PERIODIC, /* a waiting task, from a long queue to a short one, by a timer */
	MLS_RECORDED_BALANCE, /* one of the last two: the kernel's own does not say which */
	MLS_RECORDED_EXEC, /* placed anew by execve() */
	MLS_RECORDED_AFFINITY, /* taken off a CPU that it may no longer run on */
	MLS_RECORDED_KINDS
};

/* Who decided. */
enum mls_recorded_decider {
	MLS_RECORDED_BY_KERNEL, /* its own scheduler: the model only watched */
	MLS_RECORDED_BY_HARD_RULE, /* it may not stay */
	MLS_RECORDED_BY_SAFETY, /* something had waited too long */
	MLS_RECORDED_BY_HEURISTIC,
	MLS_RECORDED_BY_MODEL,
	MLS_RECORDED_BY_EXPLORATION, /* drawn at random, with @propensity */
	MLS_RECORDED_DECIDERS
};

/* What became of the move. */
enum mls_recorded_result {
	MLS_RECORDED_UNDER_WAY, /* not known when the window was over */
	MLS_RECORDED_MOVED, /* it ran at the destination, or was put there by the kernel */
	MLS_RECORDED_REFUSED,
	MLS_RECORDED_RACED, /* the idle CPU or the task was taken by somebody else */
	MLS_RECORDED_REPLACED, /* another move of the same task came before it ran */
	MLS_RECORDED_RETURNED, /* it ran where it was after all, or never ran again */
	MLS_RECORDED_RESULTS
};

/* How far it is from source to destination. */
enum mls_recorded_locality {
	MLS_RECORDED_SAME_CORE,
	MLS_RECORDED_SAME_LLC,
	MLS_RECORDED_SAME_NODE,
	MLS_RECORDED_FAR,
	MLS_RECORDED_LOCALITIES
};

/* Flags of a decision. */
#define MLS_RECORDED_FORCED  1 /* the task could not have stayed */
#define MLS_RECORDED_KTHREAD 2
#define MLS_RECORDED_ASLEEP  4 /* it waited for its waker, not for a CPU */

/**
 * struct mls_recorded - one decision and its outcome
 * @id:         1, 2, ... in the file; only read
 * @session:    of which; only read
 * @time:       CLOCK_MONOTONIC in ns
 * @comm:       the task's name; only its first byte that is not zero must be
 * @kind:       enum mls_recorded_kind; @decider, @result, @locality the same way
 * @locality:   only read: the writer knows it from the session's CPUs
 * @n_features: as the session's schema has; @features in its order
 * @verdict:    the model's: 1 migrate, 0 keep, -1 it was not asked
 * @logit:      its, or NaN
 * @accepted:   what was decided: the move was wanted
 * @propensity: chance with which whoever decided would have decided so, (0, 1]
 * @followed:   everything below is known
 * @observed:   ns for which it was followed: the window, or less
 * @ran:        whether the task ran in that time
 * @ran_there:  first at the destination
 * @wait:       ns until it ran; @observed if it did not
 * @run_time:   ns that it ran in that time, wherever
 * @moved:      ns until it was moved again, 0: it was not
 * @back:       ns until it was moved to the source, 0: it was not
 */
struct mls_recorded {
	int64_t id;
	uint32_t session;
	uint64_t time;
	uint32_t pid;
	uint32_t tgid;
	char comm[16];
	uint8_t kind;
	uint8_t decider;
	uint8_t result;
	uint8_t locality;
	uint8_t flags;
	int8_t verdict;
	bool accepted;
	bool followed;
	bool ran;
	bool ran_there;
	uint16_t src;
	uint16_t dst;
	float logit;
	float propensity;
	uint64_t observed;
	uint64_t wait;
	uint64_t run_time;
	uint64_t moved;
	uint64_t back;
	uint32_t n_features;
	float features[MLS_RECORDING_FEATURES];
};

/* One CPU of the machine; core, LLC, node and domain are numbers that only compare. */
struct mls_recording_cpu {
	uint16_t cpu;
	bool online;
	uint16_t core;
	uint16_t llc;
	uint16_t node;
	uint16_t domain;
};

/**
 * struct mls_recording_session - one recorder's time on one machine
 * @number:   1, 2, ... in the file
 * @source:   "shadow": the kernel's own scheduler; "scx": ours; ...
 * @producer: program and version
 * @kernel:   release; @machine: architecture
 * @domains:  what a domain is there, for people
 * @wall:     ns since 1970 when it began
 * @began:    the same moment on CLOCK_MONOTONIC, in ns
 * @ended:    its orderly end there, 0: there was none
 * @window:   ns for which tasks are followed
 * @schema:   of the features, by name and version
 */
struct mls_recording_session {
	uint32_t number;
	char source[16];
	char producer[32];
	char kernel[96];
	char machine[32];
	char domains[160];
	int64_t wall;
	uint64_t began;
	uint64_t ended;
	uint64_t window;
	char schema[32];
	uint32_t schema_version;
	uint32_t n_features;
};

/**
 * struct mls_recording_model - who is in charge from a moment on
 * @session:  only read
 * @time:     CLOCK_MONOTONIC in ns
 * @mode:     "collect", "shadow", "active"
 * @engine:   "kernel", "native", "tensorflow", "none"
 * @path:     of the model, "" without one, as @schema
 * @checksum: of its float32 weights, or 0
 * @threshold: probability, NaN: without a model, or not known
 */
struct mls_recording_model {
	uint32_t session;
	uint64_t time;
	char mode[16];
	char engine[16];
	char path[512];
	char schema[32];
	uint32_t schema_version;
	uint32_t checksum;
	float threshold;
};

const char *mls_recorded_kind_name(unsigned int kind);
const char *mls_recorded_decider_name(unsigned int decider);
const char *mls_recorded_result_name(unsigned int result);
const char *mls_recorded_locality_name(unsigned int locality);

/* ---- writing ------------------------------------------------------------------------ */

struct mls_recording;

/**
 * mls_recording_create() - a new file, or one more session in an old one
 * @append: go on behind what is there; else a file that exists is refused
 *
 * One process writes at a time; others may read meanwhile.  Of one thread at a
 * time only.
 * Return: 0; -EEXIST without @append; what mls_recording_open() returns for a
 * file that is no recording; -EACCES, -EROFS, -ENOSPC, -ENOENT, -EBUSY, -ENOMEM, -EIO.
 */
int mls_recording_create(const char *path, bool append, struct mlsched_error *err,
			 struct mls_recording **recording);

/** mls_recording_may_create() - what mls_recording_create() would say of what is there; makes nothing */
int mls_recording_may_create(const char *path, bool append, struct mlsched_error *err);

/**
 * mls_recording_begin() - a session: machine, CPUs, inputs
 * @session: with @number filled in
 * @cpus:    [n_cpus], by @cpu
 */
int mls_recording_begin(struct mls_recording *recording, struct mls_recording_session *session,
			const struct mls_recording_cpu *cpus, uint32_t n_cpus,
			struct mlsched_error *err);

/** mls_recording_model() - who is in charge from now on */
int mls_recording_model(struct mls_recording *recording, const struct mls_recording_model *model,
			struct mlsched_error *err);

/**
 * mls_recording_add() - one decision
 * @now: CLOCK_MONOTONIC in ns, for the length of transactions
 *
 * Return: 0; -EINVAL when a field is out of its range; what writing returns.  After an
 * error of writing nothing more is taken.
 */
int mls_recording_add(struct mls_recording *recording, const struct mls_recorded *row, uint64_t now,
		      struct mlsched_error *err);

/* Counters of the kernel's own scheduler that others read again, in ns: src/host/waits.h. */
#define MLS_COUNTER_SOME_WAITED "kernel.some_waited_ns"
#define MLS_COUNTER_WAITED      "kernel.waited_ns"
#define MLS_COUNTER_TURNS       "kernel.turns"

/** mls_recording_counter() - the value of a counter of the session at a time */
int mls_recording_counter(struct mls_recording *recording, uint64_t time, const char *name,
			  uint64_t value, struct mlsched_error *err);

/** mls_recording_tick() - close a transaction that has been open for long enough */
int mls_recording_tick(struct mls_recording *recording, uint64_t now, struct mlsched_error *err);

/** mls_recording_end() - the session's orderly end; synchronised to disk */
int mls_recording_end(struct mls_recording *recording, uint64_t now, struct mlsched_error *err);

/** mls_recording_close() - without an end what is not yet written is lost; NULL is allowed */
void mls_recording_close(struct mls_recording *recording);

/* ---- reading ------------------------------------------------------------------------- */

struct mls_recording_reader;

/**
 * mls_recording_open() - open for reading, also while it is written
 *
 * Return: 0; -ENOENT, -EACCES; -EINVAL when it is no SQLite file, of another
 * application or lacks what its version has; -ENOTSUP when a newer version made it;
 * -EBADMSG when it is damaged; -ENOMEM, -EIO, -EBUSY.  The message names file, place,
 * what was expected and what was found.
 */
int mls_recording_open(const char *path, struct mlsched_error *err,
		       struct mls_recording_reader **reader);

/** mls_recording_session() - by index, 0, 1, ...: 1; 0: there are no more; -errno */
int mls_recording_session(struct mls_recording_reader *reader, uint32_t index,
			  struct mls_recording_session *session, struct mlsched_error *err);

/** mls_recording_feature() - name of an input of a session: 1; 0: there is none; -errno */
int mls_recording_feature(struct mls_recording_reader *reader, uint32_t session, uint32_t position,
			  char name[64], struct mlsched_error *err);

/** mls_recording_next_model() - in the order of the file: 1; 0: there are no more; -errno */
int mls_recording_next_model(struct mls_recording_reader *reader, struct mls_recording_model *model,
			     struct mlsched_error *err);

/** mls_recording_next() - the next decision: 1; 0: there are no more; -EBADMSG, -EIO, ... */
int mls_recording_next(struct mls_recording_reader *reader, struct mls_recorded *row,
		       struct mlsched_error *err);

/** mls_recording_cpus() - how many CPUs of a session were online */
int mls_recording_cpus(struct mls_recording_reader *reader, uint32_t session, uint32_t *n,
		       struct mlsched_error *err);

/** mls_recording_value() - of a counter, the last that a session wrote: 1; 0: none; -errno */
int mls_recording_value(struct mls_recording_reader *reader, uint32_t session, const char *name,
			uint64_t *value, struct mlsched_error *err);

/**
 * mls_recording_takes() - may a session of this schema go behind what is in a file?
 *
 * Nothing learns, labels or judges by sessions of several.  Return: 0, also when there is no
 * such file; -EEXIST; what mls_recording_open() returns.
 */
int mls_recording_takes(const char *path, const char *schema, struct mlsched_error *err);

/**
 * mls_recording_seen() - until when a session is known to have gone on, by its counters
 *
 * One that was killed has no end, and what it counted every second.
 * Return: 1; 0: it has no counters; -errno.
 */
int mls_recording_seen(struct mls_recording_reader *reader, uint32_t session, uint64_t *time,
		       struct mlsched_error *err);

/** mls_recording_check() - look at every page (PRAGMA integrity_check): 0; -EBADMSG */
int mls_recording_check(struct mls_recording_reader *reader, struct mlsched_error *err);

/** mls_recording_reader_close() - NULL is allowed */
void mls_recording_reader_close(struct mls_recording_reader *reader);

#endif /* MLS_DATA_RECORDING_H */
