/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the scheduler decides, in integers, for the BPF program and the
 * simulator alike: how tasks of one queue are ordered, how long they run,
 * which moves are offered, and what becomes of an offer.
 *
 * A move from one CPU to another is either forced (the task may not stay),
 * allowed by a safety rule (something has waited too long), or *optional*.
 * Only an optional move is a decision that a model may refuse; what the
 * heuristic would not do is never offered, so a model that accepts everything
 * is the heuristic.
 *
 * Leaves to others: finding candidates (bpf/scheduler.bpf.c), features,
 * computing the network (core/qnet_packed.h).
 */
#ifndef MLS_CORE_POLICY_H
#define MLS_CORE_POLICY_H

#include "core/types.h"

/* Who answers (design section 2). */
enum mls_policy_mode {
	MLS_POLICY_COLLECT, /* the heuristic; no model is asked */
	MLS_POLICY_SHADOW, /* the heuristic; the model is asked, too, and compared */
	MLS_POLICY_ACTIVE, /* the model; the heuristic where there is none */
	MLS_POLICY_MODES
};

/* Where a move is optional. */
enum mls_policy_kind {
	MLS_POLICY_WAKEUP, /* a task that wakes up, to an idle CPU instead of its own */
	MLS_POLICY_FORK, /* a new task, to an idle CPU instead of its parent's */
	MLS_POLICY_STEAL, /* a waiting task, to a CPU that has nothing to do */
	MLS_POLICY_BALANCE, /* a waiting task, from a long queue to a short one */
	MLS_POLICY_KINDS
};

/* What stands above any verdict. */
enum mls_policy_rule {
	MLS_POLICY_FORBIDDEN, /* hard rule: the task may not run there */
	MLS_POLICY_FORCED, /* hard rule: it may not stay where it is */
	MLS_POLICY_WAITED, /* safety rule: the task has waited too long */
	MLS_POLICY_KEPT, /* safety rule: the CPU has been kept from work for too long */
	MLS_POLICY_OPEN, /* a decision */
};

/* How far a task would go; each level holds those before it. */
enum mls_policy_level {
	MLS_POLICY_NEAR, /* within a domain */
	MLS_POLICY_NODE, /* to another domain of the node */
	MLS_POLICY_FAR, /* to another node */
	MLS_POLICY_LEVELS
};

/*
 * A nice-0 task has this weight; a CPU's virtual time runs in ns of such a task.  Finer
 * by so much than sched_ext's 1 to 10000, because groups divide theirs (core/group.h).
 */
#define MLS_POLICY_FINE   256
#define MLS_POLICY_WEIGHT (100 * MLS_POLICY_FINE)

/**
 * struct mls_policy - the numbers of the policy, in ns
 * @slice:       that a task runs before others get their turn, which they do with the first
 *               tick behind that; no longer than EEVDF's on 4 CPUs (its base slice), or who
 *               wakes up and may not preempt waits for a tick more than there
 * @slice_min:   the same where many wait, a tick less at HZ=1000: not 1 ms, which costs more
 *               in switches and lost caches than it gains in latency
 * @turn:        what such a turn is taken to last where a move would spare a task from waiting
 *               for it: the ticks of HZ=1000 make 3 ms of a slice, those of HZ=250 4 ms, less
 *               where it has begun between two
 * @credit:      virtual time that a task which slept may be ahead of the others
 * @granularity: virtual time by which a task that wakes up must be ahead of the
 *               one that runs to take its place
 * @limit:       of the safety rules
 * @worth:       of waiting that a move from each level must spare the task: what it
 *               costs, and then some
 */
struct mls_policy {
	u64 slice;
	u64 slice_min;
	u64 turn;
	u64 credit;
	u64 granularity;
	u64 limit;
	u64 worth[MLS_POLICY_LEVELS];
};

#define MLS_POLICY_SLICE       2100000ull
#define MLS_POLICY_SLICE_MIN   2000000ull
#define MLS_POLICY_TURN        3000000ull
#define MLS_POLICY_CREDIT      500000ull
#define MLS_POLICY_GRANULARITY 500000ull
#define MLS_POLICY_LIMIT       100000000ull
#define MLS_POLICY_WORTH_NEAR  2000000ull
#define MLS_POLICY_WORTH_NODE  2500000ull
#define MLS_POLICY_WORTH_FAR   3000000ull

/* Of a struct mls_policy. */
#define MLS_POLICY_INITIAL                                                                   \
	{                                                                                    \
		.slice = MLS_POLICY_SLICE, .slice_min = MLS_POLICY_SLICE_MIN,                \
		.turn = MLS_POLICY_TURN, .credit = MLS_POLICY_CREDIT,                        \
		.granularity = MLS_POLICY_GRANULARITY, .limit = MLS_POLICY_LIMIT, .worth = { \
			MLS_POLICY_WORTH_NEAR,                                               \
			MLS_POLICY_WORTH_NODE,                                               \
			MLS_POLICY_WORTH_FAR                                                 \
		}                                                                            \
	}

/* Longer idle periods count as that: an idle CPU learns soon that work has come. */
#define MLS_POLICY_IDLE_MOST 4000000ull

/* Queued tasks up to which everybody gets the whole slice. */
#define MLS_POLICY_FEW 3

/** mls_policy_slice() - how long a task runs when @queued others wait behind it */
static inline u64 mls_policy_slice(const struct mls_policy *policy, u32 queued)
{
	u64 slice;

	if (queued <= MLS_POLICY_FEW)
		return policy->slice;
	slice = policy->slice * MLS_POLICY_FEW / queued;
	return slice > policy->slice_min ? slice : policy->slice_min;
}

/**
 * mls_policy_apart() - virtual time that means to a task what @ns mean to one in no group
 * @alone:  the weight that it would have in no group
 * @weight: the one that it has
 *
 * Of a group with much to do each task has a small part, and its virtual time runs the
 * faster: what is a short time for it must be a short one in that measure.
 */
static inline u64 mls_policy_apart(u64 ns, u32 alone, u32 weight)
{
	return ns * alone / (weight ? weight : 1);
}

/** mls_policy_charge() - virtual time for @ran ns of a task of @weight */
static inline u64 mls_policy_charge(u64 ran, u32 weight)
{
	return mls_policy_apart(ran, MLS_POLICY_WEIGHT, weight);
}

/** mls_policy_before() - @a is earlier than @b; virtual times may wrap */
static inline int mls_policy_before(u64 a, u64 b)
{
	return (s64)(a - b) < 0;
}

/**
 * mls_policy_place() - the virtual time of a task that enters a queue
 * @credit: policy.credit for this task: mls_policy_apart()
 * @own:    what it has used
 * @clock:  of the queue's CPU
 * @went_on: it has just run for more than a turn, before lighter ones that waited
 *
 * Who slept for long is not owed all of that time, and who ran ahead on a CPU
 * whose clock stood still is not made to wait for ever.  But who went on before
 * others has had its next turns already: several lighter ones are owed theirs.
 */
static inline u64 mls_policy_place(const struct mls_policy *policy, u64 credit, u64 own, u64 clock,
				   u32 weight, int went_on)
{
	u64 ahead = went_on ? policy->limit : 2 * policy->slice;
	u64 latest = clock + mls_policy_charge(ahead, weight);

	if (mls_policy_before(own, clock - credit))
		return clock - credit;
	return mls_policy_before(latest, own) ? latest : own;
}

/**
 * mls_policy_clock() - a CPU's virtual time after a task ran for @ran ns on it
 * @clock:  before
 * @own:    of the task, after
 * @queued: tasks that wait
 *
 * It goes on at the pace at which each of them is served, whoever was served:
 * otherwise an endless row of new tasks, each placed at the clock, would keep
 * those that wait from their turn.  Never ahead of the one that ran.
 */
static inline u64 mls_policy_clock(u64 clock, u64 own, u64 ran, u32 queued)
{
	u64 next = clock + ran / (queued + 1);

	if (mls_policy_before(own, next))
		next = own;
	return mls_policy_before(clock, next) ? next : clock;
}

/** mls_policy_move() - virtual time of a task that goes from one CPU's clock to another's */
static inline u64 mls_policy_move(u64 own, u64 old_clock, u64 new_clock)
{
	return own - old_clock + new_clock;
}

/**
 * mls_policy_deadline() - what orders a queue
 * @burst: ns for which the task usually runs until it sleeps: who needs little
 *         is served early, and pays for it like everybody
 */
static inline u64 mls_policy_deadline(const struct mls_policy *policy, u64 own, u64 burst,
				      u32 weight)
{
	return own + mls_policy_charge(burst < policy->slice ? burst : policy->slice, weight);
}

/**
 * mls_policy_preempts() - a task with @deadline takes the place of a running one with @running
 * @granularity: policy.granularity for that task: mls_policy_apart()
 */
static inline int mls_policy_preempts(u64 granularity, u64 deadline, u64 running)
{
	return mls_policy_before(deadline + granularity, running);
}

/* include/uapi/linux/sched.h, the same for ever */
#define MLS_POLICY_SCHED_BATCH 3
#define MLS_POLICY_SCHED_IDLE  5

/**
 * mls_policy_wakes_over() - a task that wakes up takes the place of the running one
 * @granularity:  as for mls_policy_preempts()
 * @task:         the kernel's number of its scheduling policy
 * @running_task: and of the running one's
 * @deadline:     of the task
 * @running:      and of the running one
 *
 * As with the kernel's own scheduler: who asked for batch or idle scheduling
 * interrupts nobody, and who runs idle is in nobody else's way.
 */
static inline int mls_policy_wakes_over(u64 granularity, u32 task, u32 running_task, u64 deadline,
					u64 running)
{
	if (running_task == MLS_POLICY_SCHED_IDLE && task != MLS_POLICY_SCHED_IDLE)
		return 1;
	if (task == MLS_POLICY_SCHED_BATCH || task == MLS_POLICY_SCHED_IDLE)
		return 0;
	return mls_policy_preempts(granularity, deadline, running);
}

/** mls_policy_burst() - the average after a burst of @ran ns */
static inline u64 mls_policy_burst(u64 burst, u64 ran)
{
	return burst - burst / 4 + ran / 4;
}

/** mls_policy_idle() - the average after an idle period of @period ns */
static inline u64 mls_policy_idle(u64 average, u64 period)
{
	if (period > MLS_POLICY_IDLE_MOST)
		period = MLS_POLICY_IDLE_MOST;
	return average - average / 4 + period / 4;
}

/* For so long, in ns, must a CPU be expected to be idle before it takes a task from a domain, */
#define MLS_POLICY_IDLE_NEAR 100000ull
#define MLS_POLICY_IDLE_FAR  1000000ull

/* and before it takes the only one that waits there. */
#define MLS_POLICY_IDLE_LONE 2000000ull

/**
 * mls_policy_expected() - ns for which a CPU is expected to be idle
 * @average:  of its idle periods
 * @idle_for: ns for which it has been idle now
 */
static inline u64 mls_policy_expected(u64 average, u64 idle_for)
{
	return average > idle_for ? average : idle_for;
}

/**
 * mls_policy_is_worth() - may an idle CPU take a task from that far?
 * @expected: mls_policy_expected()
 *
 * A CPU whose own task is back in a moment would only take a cache from another
 * task, and send its own one after it.  Who offers moves that spare less (policy.worth)
 * asks for no longer idle periods either.
 */
static inline int mls_policy_is_worth(const struct mls_policy *policy, enum mls_policy_level level,
				      u64 expected)
{
	u64 least = level == MLS_POLICY_NEAR ? MLS_POLICY_IDLE_NEAR : MLS_POLICY_IDLE_FAR;

	return expected >= (least < policy->worth[level] ? least : policy->worth[level]);
}

/* So often in the safety limit a queue is searched for those that have waited too long. */
#define MLS_POLICY_LOOKS 8

/** mls_policy_look() - ns between two such searches */
static inline u64 mls_policy_look(const struct mls_policy *policy)
{
	return policy->limit / MLS_POLICY_LOOKS;
}

/**
 * mls_policy_overdue() - ns of waiting after which a task is served before all others
 * @queued: tasks that wait in its queue
 *
 * So early that one found by the next search only is still within the limit; but later
 * where so many wait that one round takes longer: there everybody would be overdue,
 * and weights would count for nothing.
 */
static inline u64 mls_policy_overdue(const struct mls_policy *policy, u32 queued)
{
	u64 round = policy->slice_min * ((u64)queued + 1);
	u64 limit = policy->limit - mls_policy_look(policy);

	return round > limit ? round : limit;
}

/**
 * mls_policy_spared() - ns of waiting that a task is spared by an idle CPU
 * @before: runnable tasks before it where it is, the running one among them
 * @burst:  for which that one usually runs; more than a turn counts as one
 */
static inline u64 mls_policy_spared(const struct mls_policy *policy, u32 before, u64 burst)
{
	return before * (burst < policy->turn ? burst : policy->turn);
}

/**
 * mls_policy_offers_wakeup() - may a task that wakes up go that far for an idle CPU?
 * @queued: tasks that wait for its own CPU
 * @burst:  of the task that runs there
 *
 * Not if a move costs more than it spares; far only if it would have to wait behind
 * others, not for one that runs.
 */
static inline int mls_policy_offers_wakeup(const struct mls_policy *policy,
					   enum mls_policy_level level, u32 queued, u64 burst)
{
	return (level == MLS_POLICY_NEAR || queued > 0) &&
	       mls_policy_spared(policy, queued + 1, burst) >= policy->worth[level];
}

/* Wake-ups from another domain, less those from its own, after which a task may follow. */
#define MLS_POLICY_PULLS      2
#define MLS_POLICY_PULLS_MOST 8

/** mls_policy_pulls() - the count after a wake-up by a task that runs at @level from it */
static inline u32 mls_policy_pulls(u32 pulls, enum mls_policy_level level)
{
	if (level == MLS_POLICY_NEAR)
		return pulls ? pulls - 1 : 0;
	return pulls < MLS_POLICY_PULLS_MOST ? pulls + 1 : pulls;
}

/**
 * mls_policy_offers_pull() - may a task that wakes up wait at the CPU of its waker?
 * @level:       from its own CPU to the waker's
 * @pulls:       mls_policy_pulls()
 * @own_queue:   tasks that wait for its own CPU, beside the one that runs
 * @waker_queue: tasks that wait for the waker's, which often is about to sleep
 *
 * Who works together belongs together, if that makes no queue the longer one; and
 * out of a queue that is far too long it may get at once, before the timer levels it.
 */
static inline int mls_policy_offers_pull(enum mls_policy_level level, u32 pulls, u32 own_queue,
					 u32 waker_queue)
{
	if (level == MLS_POLICY_NEAR)
		return own_queue >= waker_queue + 2;
	return pulls >= MLS_POLICY_PULLS && own_queue >= waker_queue;
}

/**
 * mls_policy_offers_steal() - may a task go to a CPU that has nothing to do?
 * @queued:      tasks that wait at the source
 * @source_runs: and one runs there,
 * @burst:       usually for so long
 * @expected:    mls_policy_expected() of the CPU that asks
 *
 * Two runnable tasks at the source, or it keeps its only one; and not if a move costs
 * more than it spares.  The only one that waits has its turn soon, and leaves a CPU behind
 * that is idle as soon as the other sleeps: it goes to one that has nothing else to do for
 * some time.
 */
static inline int mls_policy_offers_steal(const struct mls_policy *policy,
					  enum mls_policy_level level, u32 queued, int source_runs,
					  u64 burst, u64 expected)
{
	u64 worth = policy->worth[level];

	if (queued + !!source_runs < 2 || mls_policy_spared(policy, queued, burst) < worth)
		return 0;
	return queued > 1 ||
	       expected >= (worth < MLS_POLICY_IDLE_LONE ? worth : MLS_POLICY_IDLE_LONE);
}

/* Turns of the timer for which queues must differ: tasks come and go. */
#define MLS_POLICY_UNEVEN 3

/**
 * mls_policy_offers_balance() - may a waiting task go to a CPU that is less loaded?
 * @src_length: runnable tasks at the source,
 * @dst_length: and at the destination
 * @near:       both are of one domain; far ones must differ by more
 * @excess:     weight of those at the source less that of those at the destination
 * @weight:     of the task
 *
 * A CPU's time is divided by weight: queues of one length are not level when one of
 * them has the heavy tasks.  Of equal tasks those go that leave queues which differ by
 * two (three) for less; of others, those that weigh at most four fifths (two fifths) of
 * the excess, so that it gets less and none goes to and fro, and that are no trifle,
 * unless the queue is the longer one, too.
 */
static inline int mls_policy_offers_balance(u32 src_length, u32 dst_length, int near, s64 excess,
					    u32 weight)
{
	int longer = src_length >= dst_length + (near ? 2 : 3);

	if (!dst_length)
		return longer;
	if (5 * (s64)weight > (near ? 4 : 2) * excess)
		return 0;
	return longer || 8 * (s64)weight >= excess;
}

/* Turns of the timer for which a queue must have been unfair to its tasks, by mls_policy_unfair(). */
#define MLS_POLICY_UNFAIR 8

/**
 * mls_policy_is_unfair() - does a waiting task have less than it would have in another queue?
 * @dst_length: runnable tasks at the destination
 * @excess:     weight of those at the source less that of those at the destination
 * @weight:     of the task
 *
 * Of three tasks on two CPUs two have half as much time as the third for as long as nobody moves.
 * Where that lasts they take turns, one by one: what was uneven one way is so the other way then,
 * by no more than weights are known (a quarter).  And what mls_policy_offers_balance() would leave
 * as it is, two tasks more far away, or heavy ones there and light ones here, gets level.
 */
static inline int mls_policy_is_unfair(u32 dst_length, s64 excess, u32 weight)
{
	return dst_length && 4 * (s64)weight <= 5 * excess && 8 * (s64)weight >= excess;
}

/** mls_policy_unfair() - the measure after a turn in which a queue was unfair or not */
static inline u32 mls_policy_unfair(u32 unfair, int is_unfair)
{
	if (is_unfair)
		return unfair < MLS_POLICY_UNFAIR ? unfair + 1 : unfair;
	/* Somebody passed by: that is not the end of it. */
	return unfair > 2 ? unfair - 2 : 0;
}

/**
 * struct mls_policy_turns - for how long one queue has differed from others, in turns of the timer
 * @uneven: some task may go to be level with another,
 * @unfair: mls_policy_unfair()
 */
struct mls_policy_turns {
	u32 uneven;
	u32 unfair;
};

/* What a turn has seen of a queue, as bits. */
enum mls_policy_seen {
	MLS_POLICY_SEEN_UNEVEN = 1 << 0,
	MLS_POLICY_SEEN_UNFAIR = 1 << 1,
};

/**
 * mls_policy_offers_level() - may the timer take this task to that queue, and has it lasted?
 * @turns:      of the source
 * @seen:       mls_policy_seen of this turn; what is seen now is added
 * @src_length: runnable tasks at the source,
 * @dst_length: and at the destination
 * @near:       both are of one domain
 * @excess:     weight of those at the source less that of those at the destination
 * @weight:     of the task
 */
static inline int mls_policy_offers_level(const struct mls_policy_turns *turns, u32 *seen,
					  u32 src_length, u32 dst_length, int near, s64 excess,
					  u32 weight)
{
	if (mls_policy_offers_balance(src_length, dst_length, near, excess, weight)) {
		*seen |= MLS_POLICY_SEEN_UNEVEN;
		return turns->uneven >= MLS_POLICY_UNEVEN;
	}
	if (!mls_policy_is_unfair(dst_length, excess, weight))
		return 0;
	*seen |= MLS_POLICY_SEEN_UNFAIR;
	return turns->unfair >= MLS_POLICY_UNFAIR;
}

/** mls_policy_turn() - after a turn that has @seen this of a queue and @moved a task or none */
static inline void mls_policy_turn(struct mls_policy_turns *turns, u32 seen, int moved)
{
	turns->uneven = seen & MLS_POLICY_SEEN_UNEVEN && !moved ? turns->uneven + 1 : 0;
	turns->unfair = moved ? 0 :
				mls_policy_unfair(turns->unfair, !!(seen & MLS_POLICY_SEEN_UNFAIR));
}

/**
 * mls_policy_rule() - hard rules first, safety rules next, and then it is a decision
 * @may_go:   the task may run on the destination
 * @may_stay: it may run on its source
 * @waited:   ns that it has been waiting, or 0
 * @kept:     ns for which the destination has had nothing to do and been kept
 *            from work by refusals, or 0
 */
static inline enum mls_policy_rule mls_policy_rule(const struct mls_policy *policy, int may_go,
						   int may_stay, u64 waited, u64 kept)
{
	if (!may_go)
		return MLS_POLICY_FORBIDDEN;
	if (!may_stay)
		return MLS_POLICY_FORCED;
	if (waited > policy->limit)
		return MLS_POLICY_WAITED;
	return kept > policy->limit ? MLS_POLICY_KEPT : MLS_POLICY_OPEN;
}

/*
 * How far is looked, so that nothing takes longer on a larger machine: by a CPU that runs dry,
 * queues on each level (half as many beyond the domain) and tasks of each, of which so many
 * are offered in turn, each its own decision, while a model refuses;
 */
#define MLS_POLICY_STEAL_SOURCES 4
#define MLS_POLICY_STEAL_TASKS   4
#define MLS_POLICY_CANDIDATES    2
/* by the timer in a turn, queues, tasks of each, and tasks by which one is weighed; */
#define MLS_POLICY_TIMER_SOURCES 16
#define MLS_POLICY_TIMER_TASKS   4
#define MLS_POLICY_TIMER_WEIGHED 32
/* for those that have waited too long, from the end of a queue: such a one has been put there; */
#define MLS_POLICY_OVERDUE_TASKS 32
/* and near and far CPUs whose queues are compared. */
#define MLS_POLICY_SAMPLES 4

/* A CPU has not been kept from work any more when nobody was refused it for so many turns of the timer. */
#define MLS_POLICY_KEPT_PERIODS 4

/** mls_policy_heuristic() - the verdict without a model: it takes what it has offered */
static inline int mls_policy_heuristic(enum mls_policy_kind kind)
{
	(void)kind;
	return 1;
}

/** mls_policy_verdict() - whose answer counts */
static inline int mls_policy_verdict(enum mls_policy_mode mode, int has_model, int model,
				     int heuristic)
{
	return mode == MLS_POLICY_ACTIVE && has_model ? model : heuristic;
}

/* ---- mechanisms: what makes it cheap to stay, each of them to be asked for --------- */

enum mls_policy_mechanism {
	MLS_POLICY_FORK_IN_PLACE, /* a new task stays with a parent that is about to sleep */
	MLS_POLICY_PREEMPT_SHORT, /* a short task takes the place of a long one, and stays */
	MLS_POLICY_ASK_AGAIN, /* an idle CPU that was refused a task asks again soon */
	MLS_POLICY_LEVEL_LARGE, /* no model is asked where one queue is far too long */
	MLS_POLICY_MECHANISMS
};

/** mls_policy_has() - is it in the set, of bits 1 << enum mls_policy_mechanism? */
static inline int mls_policy_has(u32 mechanisms, enum mls_policy_mechanism which)
{
	return mechanisms >> which & 1;
}

/* Who sleeps so soon after it has made a task, in ns, waits for that. */
#define MLS_POLICY_SOON 200000ull

/* Always so, of mls_policy_blocks(). */
#define MLS_POLICY_BLOCKS_ONE 256

/**
 * mls_policy_blocks() - how likely a task sleeps as soon as it has made another
 * @blocks: the same before; a new task has that of its parent
 * @soon:   it has slept within MLS_POLICY_SOON of the last one that it made
 *
 * The last time counts half: a compiler's driver makes two or three tasks in all.
 */
static inline u32 mls_policy_blocks(u32 blocks, int soon)
{
	return blocks / 2 + (soon ? MLS_POLICY_BLOCKS_ONE / 2 : 0);
}

/**
 * mls_policy_forks_in_place() - a new task waits for its parent's CPU, though others are idle
 * @blocks: mls_policy_blocks() of the parent
 * @queued: tasks that wait for that CPU already
 */
static inline int mls_policy_forks_in_place(u32 blocks, u32 queued)
{
	return blocks >= MLS_POLICY_BLOCKS_ONE / 2 && !queued;
}

/* Average runs of tasks that are short, in ns: shorter ones are gone before it matters. */
#define MLS_POLICY_SHORT_LEAST 50000ull
#define MLS_POLICY_SHORT_MOST  2000000ull

/**
 * mls_policy_preempts_short() - a short task that wakes up takes the place of a long one
 * @task:          the kernel's number of its scheduling policy
 * @running_task:  and of the running one's
 * @burst:         average run of the task
 * @running_burst: and of the running one
 * @deadline:      of the task
 * @running:       and of the running one
 * @ahead:         policy.slice in the virtual time of the task: mls_policy_apart()
 *
 * To be asked where no CPU of the domain is idle.  It may have used more than the
 * running one, by a turn: who has had more than that waits like everybody.
 */
static inline int mls_policy_preempts_short(u32 task, u32 running_task, u64 burst,
					    u64 running_burst, u64 deadline, u64 running, u64 ahead)
{
	if (task == MLS_POLICY_SCHED_BATCH || task == MLS_POLICY_SCHED_IDLE)
		return 0;
	if (burst <= MLS_POLICY_SHORT_LEAST || burst >= MLS_POLICY_SHORT_MOST)
		return 0;
	return running_task == MLS_POLICY_SCHED_IDLE ||
	       (running_burst >= 2 * burst && mls_policy_before(deadline, running + ahead));
}

/* ns after which an idle CPU that was refused a task asks again. */
#define MLS_POLICY_AGAIN 300000ull

/* Runnable tasks, beyond twice those of the destination, that are far too many. */
#define MLS_POLICY_LARGE 4

/** mls_policy_is_large() - is it plain that a task must go, whatever a model says? */
static inline int mls_policy_is_large(u32 src_len, u32 dst_len)
{
	return src_len > 2 * (u64)dst_len + MLS_POLICY_LARGE;
}

/* ---- sets of CPUs as words of 64 bits; BPF has no instruction for either -------- */

/** mls_policy_count() - bits that are set */
static inline u32 mls_policy_count(u64 word)
{
	word -= word >> 1 & 0x5555555555555555ull;
	word = (word & 0x3333333333333333ull) + (word >> 2 & 0x3333333333333333ull);
	word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return (u32)(word * 0x0101010101010101ull >> 56);
}

/** mls_policy_first() - number of the lowest bit of a word that is not 0 */
static inline u32 mls_policy_first(u64 word)
{
	return mls_policy_count((word & -word) - 1);
}

/** mls_policy_from() - the lowest bit at or above @start, else the lowest; not 0 */
static inline u32 mls_policy_from(u64 word, u32 start)
{
	u64 above = word & ~0ull << (start & 63);

	return mls_policy_first(above ? above : word);
}

/**
 * mls_policy_part() - where a cyclic search over the bits of several words is to look in one
 * @step:  of the search, 0 to @n_words: at last it comes to the word where it began once more
 * @from:  the bit, of all words, where it began: of its word what is behind comes first, what
 *         is before it last
 *
 * Return: those bits of @word.
 */
static inline u64 mls_policy_part(u64 word, u32 step, u32 n_words, u32 from)
{
	u64 behind = ~0ull << (from & 63);

	if (!step)
		return word & behind;
	return step == n_words ? word & ~behind : word;
}

/**
 * mls_policy_is_around() - a search that began at @begin has come to its beginning again
 * @from:  where it went on, cyclically: behind the last one found
 * @found: where that has led it
 */
static inline int mls_policy_is_around(u32 begin, u32 from, u32 found)
{
	if (from > begin) /* not yet past the end */
		return found < from && found >= begin;
	return found >= begin || found < from;
}

#endif /* MLS_CORE_POLICY_H */
