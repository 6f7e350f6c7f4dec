/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What happens next.  Two slots for each CPU (its task's burst or turn ends; the policy
 * wants to be called for it) and one for the policy's timer have one time each or none,
 * which changes often: a heap with the place of each slot in it.  The sleeps of tasks, of
 * which there are many more, end when it was said: a heap from which only the first is
 * taken.  Two at the same time come in the order of their slots, tasks last.
 */
#ifndef MLS_SIM_EVENTS_H
#define MLS_SIM_EVENTS_H

#include "src/sim/engine.h"

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

/* ---- events -------------------------------------------------------------------------- */

/*
 * A time and, in the last bits, who: so that one comparison is all, and a line of a cache
 * holds all children of an event.
 */
#define SIM_CHILDREN 8
#define SIM_NOTHING  UINT64_MAX /* behind the last one */

static inline u64 event_of(u64 time, u32 who, u32 bits)
{
	/* Later than any run goes on: struct sim_options. */
	u64 most = (1ull << (64 - bits)) - 2;

	return (time < most ? time : most) << bits | who;
}

static inline u64 event_time(u64 event, u32 bits)
{
	return event == SIM_NOTHING ? SIM_NEVER : event >> bits;
}

static inline u32 event_who(u64 event, u32 bits)
{
	return (u32)(event & ((1ull << bits) - 1));
}

/* The earliest of the children that begin at @first. */
static inline u32 event_least(const u64 *heap, u32 first)
{
	u64 key = heap[first];
	u32 least = first;

	for (u32 i = 1; i < SIM_CHILDREN; i++) {
		u64 other = heap[first + i];

		least = other < key ? first + i : least;
		key = other < key ? other : key;
	}
	return least;
}

/* ---- of slots ------------------------------------------------------------------------- */

static inline void event_put(struct sim *s, u32 at, u64 event)
{
	s->heap[at] = event;
	s->place[event_who(event, s->slot_bits)] = at;
}

static inline void event_up(struct sim *s, u32 at, u64 event)
{
	while (at) {
		u32 parent = (at - 1) / SIM_CHILDREN;

		if (s->heap[parent] < event)
			break;
		event_put(s, at, s->heap[parent]);
		at = parent;
	}
	event_put(s, at, event);
}

static inline void event_down(struct sim *s, u32 at, u64 event)
{
	u32 first;

	while ((first = at * SIM_CHILDREN + 1) < s->n_heap) {
		u32 least = event_least(s->heap, first);

		if (event < s->heap[least])
			break;
		event_put(s, at, s->heap[least]);
		at = least;
	}
	event_put(s, at, event);
}

static inline void event_remove(struct sim *s, u32 slot, u32 at)
{
	u64 last = s->heap[--s->n_heap];

	s->heap[s->n_heap] = SIM_NOTHING;
	s->place[slot] = SIM_NONE;
	if (at == s->n_heap)
		return;
	/* It may belong above or below where the other one was. */
	event_up(s, at, last);
	at = s->place[event_who(last, s->slot_bits)];
	event_down(s, at, last);
}

/** event_set() - when it happens; SIM_NEVER: it does not */
static inline void event_set(struct sim *s, u32 slot, u64 time)
{
	u64 event = event_of(time, slot, s->slot_bits);
	u32 at = s->place[slot];

	if (time == SIM_NEVER) {
		if (at != SIM_NONE)
			event_remove(s, slot, at);
	} else if (at == SIM_NONE) {
		event_up(s, s->n_heap++, event);
	} else if (event < s->heap[at]) {
		event_up(s, at, event);
	} else if (event > s->heap[at]) {
		event_down(s, at, event);
	}
}

/* ---- of tasks that sleep ------------------------------------------------------------- */

/* Three levels are always near. */
#define SIM_NEAR_EVENTS 73

static inline void sleeper_up(struct sim *s, u32 at, u64 event)
{
	while (at) {
		u32 parent = (at - 1) / SIM_CHILDREN;

		if (s->sleepers[parent] < event)
			break;
		s->sleepers[at] = s->sleepers[parent];
		at = parent;
	}
	s->sleepers[at] = event;
}

/** event_sleep() - a task, which sleeps until then */
static inline void event_sleep(struct sim *s, u32 task, u64 time)
{
	sleeper_up(s, s->n_sleepers++, event_of(time, task, s->task_bits));
}

/** event_wake() - the task that sleeps for the shortest time, taken out; there is one */
static inline u32 event_wake(struct sim *s)
{
	u32 task = event_who(s->sleepers[0], s->task_bits), n = --s->n_sleepers, at = 0, first;
	u64 last = s->sleepers[n];

	s->sleepers[n] = SIM_NOTHING;
	if (!n)
		return task;
	/* The last one belongs far down: the hole goes there, and it up from it. */
	while ((first = at * SIM_CHILDREN + 1) < n) {
		u32 least;

		/* Far down, where no cache has them, those below all of them. */
		for (u32 i = 0; i < SIM_CHILDREN && first >= SIM_NEAR_EVENTS; i++)
			__builtin_prefetch(&s->sleepers[(first + i) * SIM_CHILDREN + 1]);
		least = event_least(s->sleepers, first);
		s->sleepers[at] = s->sleepers[least];
		at = least;
	}
	sleeper_up(s, at, last);
	return task;
}

/* ---- of both ----------------------------------------------------------------------------- */

static inline u64 event_next_slot(const struct sim *s)
{
	return event_time(s->heap[0], s->slot_bits);
}

static inline u64 event_next_sleeper(const struct sim *s)
{
	return event_time(s->sleepers[0], s->task_bits);
}

/** event_next() - time of the next one; SIM_NEVER */
static inline u64 event_next(const struct sim *s)
{
	u64 slot = event_next_slot(s), sleeper = event_next_sleeper(s);

	return slot < sleeper ? slot : sleeper;
}

/** event_limit() - a time that no event is behind */
static inline u64 event_limit(const struct sim *s)
{
	u32 bits = s->slot_bits > s->task_bits ? s->slot_bits : s->task_bits;

	return (1ull << (64 - bits)) - 2;
}

#endif /* MLS_SIM_EVENTS_H */
