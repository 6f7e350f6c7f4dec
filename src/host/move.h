/* SPDX-License-Identifier: GPL-2.0 */
/* From a slot of the recorder's ring to what became of a migration: arithmetic only. */
#ifndef MLS_HOST_MOVE_H
#define MLS_HOST_MOVE_H

#include "bpf/recorder.h"
#include "src/host/recorder.h"

/**
 * mls_move_finish() - read a slot whose window is over
 * @d:    the slot; a task that runs in it is taken to run until @end
 * @end:  ns after the migration up to which is known what happened
 * @move: filled in
 */
void mls_move_finish(const struct recorder_decision *d, uint64_t end, struct mls_move *move);

#endif /* MLS_HOST_MOVE_H */
