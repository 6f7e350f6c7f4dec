/* SPDX-License-Identifier: GPL-2.0 */
/* Workloads in the JSON of rt-app (github.com/scheduler-tools/rt-app, doc/tutorial.txt). */
#ifndef MLS_SIM_RTAPP_H
#define MLS_SIM_RTAPP_H

#include "src/sim/workload.h"

/**
 * sim_rtapp_load() - tasks with their phases and events
 *
 * Events: run, runtime, sleep, timer, suspend, resume, lock, unlock, wait, signal, broad,
 * sync, sem_post, sem_wait, barrier.  Others, scheduling policies but SCHED_OTHER, and CPUs
 * to which a task is tied are refused and not passed over.
 *
 * Return: 0; -EINVAL for what is not as expected (the message names file, task and
 * event); -E2BIG when there is more of it than a workload has room for; -ENOMEM; -errno
 * of reading the file.
 */
int sim_rtapp_load(struct sim_workload *w, const char *path, struct mlsched_error *err);

#endif /* MLS_SIM_RTAPP_H */
