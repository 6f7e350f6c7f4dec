/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What happens next: a heap of slots, each of which has one time or none.  Two slots for
 * each CPU (its task's burst or turn ends; the policy wants to be called for it), one for
 * the policy's timer, one for each task (its sleep ends).  Two at the same time come in the order of their slots.
 */
#ifndef MLS_SIM_EVENTS_H
#define MLS_SIM_EVENTS_H

#include "src/sim/engine.h"

#define SIM_ARITY 4

static inline u32 slot_of_cpu(const struct sim *s, u32 cpu)
{
	(void)s;
	return cpu;
}

static inline u32 slot_of_call(const struct sim *s, u32 cpu)
{
	return s->machine->n_cpus + cpu;
}

static inline u32 slot_of_timer(const struct sim *s)
{
	return 2 * s->machine->n_cpus;
}

static inline u32 slot_of_task(const struct sim *s, u32 task)
{
	return slot_of_timer(s) + 1 + task;
}

static inline bool event_before(const struct sim *s, u32 a, u32 b)
{
	return s->time[a] != s->time[b] ? s->time[a] < s->time[b] : a < b;
}

static inline void event_up(struct sim *s, u32 at, u32 slot)
{
	while (at) {
		u32 parent = (at - 1) / SIM_ARITY;

		if (!event_before(s, slot, s->heap[parent]))
			break;
		s->heap[at] = s->heap[parent];
		s->place[s->heap[at]] = at;
		at = parent;
	}
	s->heap[at] = slot;
	s->place[slot] = at;
}

static inline void event_down(struct sim *s, u32 at, u32 slot)
{
	for (;;) {
		u32 first = at * SIM_ARITY + 1, least = first;

		if (first >= s->n_heap)
			break;
		for (u32 i = first + 1; i < first + SIM_ARITY && i < s->n_heap; i++) {
			if (event_before(s, s->heap[i], s->heap[least]))
				least = i;
		}
		if (!event_before(s, s->heap[least], slot))
			break;
		s->heap[at] = s->heap[least];
		s->place[s->heap[at]] = at;
		at = least;
	}
	s->heap[at] = slot;
	s->place[slot] = at;
}

/** event_set() - when it happens; SIM_NEVER: it does not */
static inline void event_set(struct sim *s, u32 slot, u64 time)
{
	u32 at = s->place[slot];
	u64 before;

	if (at == SIM_NONE) {
		if (time == SIM_NEVER)
			return;
		s->time[slot] = time;
		event_up(s, s->n_heap++, slot);
		return;
	}
	before = s->time[slot];
	if (time == before)
		return;
	s->time[slot] = time;
	if (time == SIM_NEVER) {
		u32 last = s->heap[--s->n_heap];

		s->place[slot] = SIM_NONE;
		if (last == slot)
			return;
		/* It may belong above or below where the other one was. */
		event_up(s, at, last);
		event_down(s, s->place[last], last);
	} else if (time < before) {
		event_up(s, at, slot);
	} else {
		event_down(s, at, slot);
	}
}

#endif /* MLS_SIM_EVENTS_H */
