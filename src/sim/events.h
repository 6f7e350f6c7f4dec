/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What happens next: a heap of slots, each of which has one time or none.  Two slots for
 * each CPU (its task's burst or turn ends; the policy wants to be called for it), one for
 * the policy's timer, one for each task (its sleep ends).  Two at the same time come in the order of their slots.
 */
#ifndef MLS_SIM_EVENTS_H
#define MLS_SIM_EVENTS_H

#include "src/sim/engine.h"

#define SIM_ARITY 4 /* children, which lie in one line of a cache */

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

static inline bool event_before(struct sim_event a, struct sim_event b)
{
	return a.time != b.time ? a.time < b.time : a.slot < b.slot;
}

static inline void event_put(struct sim *s, u32 at, struct sim_event event)
{
	s->heap[at] = event;
	s->place[event.slot] = at;
}

static inline void event_up(struct sim *s, u32 at, struct sim_event event)
{
	while (at) {
		u32 parent = (at - 1) / SIM_ARITY;

		if (!event_before(event, s->heap[parent]))
			break;
		event_put(s, at, s->heap[parent]);
		at = parent;
	}
	event_put(s, at, event);
}

static inline void event_down(struct sim *s, u32 at, struct sim_event event)
{
	for (;;) {
		u32 first = at * SIM_ARITY + 1, least = first;

		if (first >= s->n_heap)
			break;
		for (u32 i = first + 1; i < first + SIM_ARITY && i < s->n_heap; i++) {
			if (event_before(s->heap[i], s->heap[least]))
				least = i;
		}
		if (!event_before(s->heap[least], event))
			break;
		event_put(s, at, s->heap[least]);
		at = least;
	}
	event_put(s, at, event);
}

/** event_next() - time of the next one; SIM_NEVER */
static inline u64 event_next(const struct sim *s)
{
	return s->n_heap ? s->heap[0].time : SIM_NEVER;
}

/** event_set() - when it happens; SIM_NEVER: it does not */
static inline void event_set(struct sim *s, u32 slot, u64 time)
{
	struct sim_event event = { .time = time, .slot = slot };
	u32 at = s->place[slot];
	u64 before;

	if (at == SIM_NONE) {
		if (time != SIM_NEVER)
			event_up(s, s->n_heap++, event);
		return;
	}
	before = s->heap[at].time;
	if (time == before)
		return;
	if (time == SIM_NEVER) {
		struct sim_event last = s->heap[--s->n_heap];

		s->place[slot] = SIM_NONE;
		if (last.slot == slot)
			return;
		/* It may belong above or below where the other one was. */
		event_up(s, at, last);
		event_down(s, s->place[last.slot], last);
	} else if (time < before) {
		event_up(s, at, event);
	} else {
		event_down(s, at, event);
	}
}

#endif /* MLS_SIM_EVENTS_H */
