/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Recordings (src/data/recording.h) as workloads.
 *
 * A recording holds decisions, and for a window behind each how long its task ran: neither
 * single runs and sleeps, nor who woke whom, nor working sets, nor tasks that no decision
 * was ever about.  From what is there each task gets a start and steps, of which each is a time
 * on a CPU, a time asleep, and into how many runs they fall:
 *
 * - windows that do not overlap, as they were: the rest of one is for sleeps of the average
 *   length that schema mig15 has of the task, or of its program; what is left was waiting,
 *   and comes of itself;
 * - between two of them: asleep for as long as the inputs of the second one say; for the
 *   rest it is taken to have gone on as in the first;
 * - behind the last one: nothing.
 *
 * The time on a CPU is the recorded one to the ns, whatever the seed; by chance goes only how
 * it falls into runs.  docs/simulator.md says how far that carries.
 *
 * Leaves to others: launching and replaying (engine.c).
 */
#ifndef MLS_SIM_REPLAY_H
#define MLS_SIM_REPLAY_H

#include "src/sim/workload.h"

/* Nobody records working sets. */
#define SIM_REPLAY_KIB 256

/* Tasks and decisions of one session. */
#define SIM_REPLAY_TASKS     65535
#define SIM_REPLAY_DECISIONS 4000000

/** sim_replay_is() - a name that ends with .db, or .db:SESSION */
bool sim_replay_is(const char *name);

/**
 * sim_replay_split() - such a name's two parts
 * @session: its number, 1 if the name does not say
 *
 * Return: length of the path in bytes; 0: it is no such name.
 */
size_t sim_replay_split(const char *name, uint32_t *session);

/**
 * sim_replay_load() - a session of a recording, its first one if the name does not say
 * @w: to be freed with sim_workload_clear(), also after a failure
 *
 * Return: 0; -EINVAL when there is no such session, its schema is not known here, or a
 * time cannot be (the message names file, row and column); -ENODATA without decisions;
 * -E2BIG; -ENOMEM; what mls_recording_open() and mls_recording_next() return.
 */
int sim_replay_load(struct sim_workload *w, const char *name, struct mlsched_error *err);

#endif /* MLS_SIM_REPLAY_H */
