/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the simulated tasks do: short programs of instructions, which any number of
 * tasks run at a time.  A workload is constant while it is simulated, and what a task
 * is given depends on the seed alone, in whatever order a policy lets the tasks run.
 *
 * Leaves to others: making workloads (profiles.c), running them (engine.c).
 */
#ifndef MLS_SIM_WORKLOAD_H
#define MLS_SIM_WORKLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include <mlsched/error.h>

#define SIM_US 1000ull
#define SIM_MS 1000000ull
#define SIM_S  1000000000ull

#define SIM_LOOPS 2 /* inside each other */

enum sim_op {
	SIM_EXIT,
	SIM_RUN, /* so much CPU time */
	SIM_SLEEP, /* for so long */
	SIM_LOOP, /* goes to @to until it has been there @count times; 0: for ever */
	SIM_CHANCE, /* goes on in one case of @count; otherwise skips the next instruction */
	SIM_SPAWN, /* a child that runs program @to; @count: with a number of its own */
	SIM_EXEC, /* becomes a new program, with nothing in a cache */
	SIM_WAIT, /* until one child has ended; @count: all of them */
	SIM_BEGIN, /* until all tasks are here; the measurement begins then */
	SIM_UNTIE, /* may run anywhere from now on */
	SIM_RECEIVE, /* a message; goes to @to if its group has done all its hops */
	SIM_SEND, /* to another task of its group */
	/* With an object, number @to, of the task's instance @stride further: */
	SIM_LOCK, /* a mutex */
	SIM_UNLOCK,
	SIM_BLOCK, /* until somebody signals */
	SIM_SIGNAL, /* one that is blocked, if there is one */
	SIM_BROADCAST, /* all of them */
	SIM_POST, /* a semaphore */
	SIM_TAKE,
	SIM_BARRIER, /* until @count tasks are there */
	SIM_TIMER, /* until @mean after the last time; @count: also if that is over already */
	/* Of a recording: */
	SIM_LAUNCH, /* each of its tasks when its time has come, as a child */
	SIM_REPLAY, /* what the task of this number did, to its end */
};

/* How the amounts of an instruction vary. */
enum sim_vary {
	SIM_FIXED,
	SIM_AROUND, /* evenly from half to one and a half times the mean */
	SIM_EXPONENTIAL,
	SIM_LOGNORMAL, /* of a sigma of one */
};

/* What a draw belongs to: no two instructions of a program share their numbers. */
enum sim_by { SIM_BY_TASK, SIM_BY_HOP };

/**
 * struct sim_instruction - one of them
 * @vary:   how the amount varies,
 * @by:     with whom it is drawn
 * @stream: 0 to 15: which numbers of the task's
 * @level:  of the loops, which counts for a draw or is meant
 * @stride: the nth draw of a loop is number n * stride
 * @offset: and that
 * @own:    stream of a factor of the task's own, evenly from half to one and a half; 0: none
 * @rare:   one task of so many has @times the mean; 0: none.  Drawn from stream @own_rare
 */
struct sim_instruction {
	uint8_t op;
	uint8_t vary;
	uint8_t by;
	uint8_t stream;
	uint8_t level;
	uint8_t stride;
	uint8_t offset;
	uint8_t own;
	uint8_t rare;
	uint8_t times;
	uint8_t own_rare;
	uint16_t to;
	uint32_t count;
	uint64_t mean; /* ns */
};

/**
 * struct sim_program
 * @kib:    working set
 * @daemon: ends when all others have
 * @weight: 100 is nice 0
 */
struct sim_program {
	const char *name;
	const struct sim_instruction *code;
	uint32_t kib;
	uint32_t weight;
	bool daemon;
};

/* Tasks that are there from the beginning. */
struct sim_start {
	uint16_t program;
	uint16_t tied; /* to a last-level cache and one, until SIM_UNTIE; 0: not */
	uint32_t n;
	uint32_t groups; /* among which they are divided; 0: none */
};

#define SIM_MAX_PROGRAMS 64
#define SIM_MAX_STARTS   64
#define SIM_MAX_CODE     1024

/* What a task is known to have done for a while: so many times a run and a sleep. */
struct sim_step {
	uint64_t run; /* ns of all of them together */
	uint64_t sleep;
	uint32_t cycles; /* at least 1 */
};

/**
 * struct sim_replayed - a task of a recording
 * @start:   ns from the beginning
 * @first:   of its steps
 * @n:       steps
 * @program: that it runs
 */
struct sim_replayed {
	uint64_t start;
	uint32_t first;
	uint32_t n;
	uint16_t program;
};

/**
 * struct sim_replay - a recording as work to do: replay.h
 * @tasks: [n_tasks], in the order of their starts
 * @steps: [n_steps]
 * @names: of the programs
 * @about: how much of it is known, for people
 */
struct sim_replay {
	struct sim_replayed *tasks;
	uint32_t n_tasks;
	struct sim_step *steps;
	uint32_t n_steps;
	char (*names)[16];
	char about[320];
};

struct sim_workload {
	char name[32];
	struct sim_program programs[SIM_MAX_PROGRAMS];
	struct sim_start starts[SIM_MAX_STARTS];
	uint32_t n_starts;
	uint32_t most_tasks; /* at a time */
	uint32_t n_groups;
	uint32_t hops; /* of each group */
	uint32_t messages; /* under way in each group from the beginning */
	uint32_t n_objects; /* mutexes, conditions, semaphores, barriers, timers */
	uint64_t duration; /* after which it ends; 0: when all tasks have ended */
	uint32_t numbers; /* that SIM_SPAWN gives out: it skips to the end behind the last one */
	struct sim_instruction code[SIM_MAX_CODE]; /* that the programs point into */
	uint32_t n_code;
	struct sim_replay *replay; /* NULL: it is not of a recording */
};

/**
 * sim_workload_make() - one of the named workloads, as large as @cpus want
 * @name: make, message, mixed, imbalance (the loads of bench/vm), server, make1, makehalf,
 *        phases; or a file of rt-app's, whose name ends with .json (rtapp.h); or a
 *        recording, whose name ends with .db or .db:SESSION (replay.h)
 *
 * Not copied: the programs point into it.  Return: 0, or -EINVAL; of a file what
 * sim_rtapp_load() or sim_replay_load() returns.
 */
int sim_workload_make(struct sim_workload *w, const char *name, uint32_t cpus,
		      struct mlsched_error *err);

/** sim_workload_clear() - frees what a recording needed; zeros and other workloads are allowed */
void sim_workload_clear(struct sim_workload *w);

/** sim_workload_name() - of workload @i for help and tables; NULL behind the last one */
const char *sim_workload_name(uint32_t i);

#endif /* MLS_SIM_WORKLOAD_H */
