// SPDX-License-Identifier: GPL-2.0
/*
 * What a decision of the scheduler costs in the running kernel: the network
 * from converted inputs, the network from features, and the features.
 *
 * Run by bpf_prog_test_run_opts(); nothing is attached to anything.  Each
 * program does one thing n_turns times on rows in pseudo-random order.  What
 * the turning itself costs, another program with the same turns and nothing
 * in them says.
 */
#include "bpf/scx_types.h"

#include "bpf/qnet_bench.h"
#include "bpf/scheduler_features.h"

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct qnet_bench_rows);
} vectors SEC(".maps");

u32 n_turns;
u32 dependent; /* which row is next depends on the last result */
u64 seed; /* not a constant: the verifier would follow its every value */
u64 result;

struct loop {
	u64 random;
	u64 sum;
};

/* Knuth's multiplier; the high bits are the good ones. */
static __always_inline u64 next_random(struct loop *loop)
{
	loop->random = loop->random * 6364136223846793005ull + 1442695040888963407ull;
	return loop->random >> 32;
}

static __always_inline void take(struct loop *loop, u64 value)
{
	loop->sum ^= value;
	/* A branch is foretold, so that nothing waits for @value where it need not. */
	if (dependent)
		loop->random ^= value;
}

/* Unrolled, so that it costs the same in every loop around it. */
static __always_inline void copy_inputs(struct qnet_scratch *s, struct qnet_bench_rows *all, u32 r)
{
	r &= QNET_BENCH_ROWS - 1;
#pragma unroll
	for (u32 k = 0; k < QNET_BENCH_INPUTS; k++)
		s->x[k] = all->x[r][k];
	QNET_BARRIER();
}

static __always_inline void copy_features(struct qnet_scratch *s, struct qnet_bench_rows *all,
					  u32 r)
{
	r &= QNET_BENCH_ROWS - 1;
#pragma unroll
	for (u32 k = 0; k < QNET_BENCH_INPUTS; k++)
		s->features[k] = all->features[r][k];
	QNET_BARRIER();
}

/* As qnet_infer(), but from s->x. */
QNET_STAGE s64 network(const struct qnet_slot *slot, struct qnet_scratch *s)
{
	if (QNET_NONE(slot, s))
		return 0;
	if (slot->shape != QNET_SHAPE_12 && slot->shape != QNET_SHAPE_64_64)
		return qnet_any(slot, s);
	return qnet_fixed(slot, s);
}

/* The value of what is measured, from @slot, @s, @all and @random. */
#define BENCH(name, expression)                                                     \
	static long name##_once(u32 i, struct loop *loop)                           \
	{                                                                           \
		struct qnet_scratch *s = qnet_scratch();                            \
		u32 zero = 0;                                                       \
		struct qnet_slot *slot = bpf_map_lookup_elem(&slots, &zero);        \
		struct qnet_bench_rows *all = bpf_map_lookup_elem(&vectors, &zero); \
		u64 random = next_random(loop);                                     \
                                                                                    \
		if (!s || !slot || !all)                                            \
			return 1;                                                   \
		take(loop, (u64)(expression));                                      \
		return 0;                                                           \
	}                                                                           \
                                                                                    \
	SEC("syscall")                                                              \
	int qnet_bench_##name(void *context)                                        \
	{                                                                           \
		struct loop loop = { seed, result };                                \
		int turns = (int)bpf_loop(n_turns, name##_once, &loop, 0);          \
                                                                                    \
		result = loop.sum;                                                  \
		return turns;                                                       \
	}

BENCH(inputs_only, (copy_inputs(s, all, random), *(volatile s64 *)&s->x[0]))
BENCH(network, (copy_inputs(s, all, random), network(slot, s)))
BENCH(features_only, (copy_features(s, all, random), *(volatile s32 *)&s->features[0]))
BENCH(infer, (copy_features(s, all, random), qnet_infer(slot, s)))

/* Two CPUs of the machine, whichever. */
static __always_inline u32 random_cpu(u64 random)
{
	return (u32)((random & 0xffff) * n_cpus >> 16);
}

static __always_inline u64 fill(struct qnet_scratch *s, u32 src, u32 dst)
{
	fill_seed10(s->features, src, dst);
	return (u64)s->features[1] + (u64)s->features[3] + (u64)s->features[4];
}

/* One that has run, slept, and waits: all for long, which costs as much as other times. */
static struct task a_task = {
	.stopped = 1,
	.waiting = 1,
	.sleep = 300000,
	.home = { 0, 1000000 },
};

/* As for a task that waits at the one CPU and is offered to the other. */
static __always_inline u64 fill15(struct qnet_scratch *s, u32 src, u32 dst)
{
	fill_mig15(&a_task, mls_verdict_move(MLS_POLICY_STEAL, src, dst), 2, 0);
	return (u64)s->features[6] + (u64)s->features[9] + (u64)s->features[13];
}

BENCH(fill_15, fill15(s, random_cpu(random), random_cpu(random >> 16)))
BENCH(cpus_only, random_cpu(random) + random_cpu(random >> 16))
BENCH(fill, fill(s, random_cpu(random), random_cpu(random >> 16)))

/* What the scheduler's timer does for large domains; only tests want it. */
u32 next_member;
BENCH(recount, random + (next_member = recount_some(next_member, bpf_ktime_get_ns())))

static long check_once(u32 r, void *context)
{
	struct qnet_scratch *s = qnet_scratch();
	u32 zero = 0;
	struct qnet_slot *slot = bpf_map_lookup_elem(&slots, &zero);
	struct qnet_bench_rows *all = bpf_map_lookup_elem(&vectors, &zero);

	if (!s || !slot || !all)
		return 1;
	r &= QNET_BENCH_ROWS - 1;
	copy_inputs(s, all, r);
	all->from_x[r] = network(slot, s);
	copy_features(s, all, r);
	all->from_features[r] = qnet_infer(slot, s);
	return 0;
}

/* Every row once, for comparison with user space. */
SEC("syscall")
int qnet_bench_check(void *context)
{
	return (int)bpf_loop(QNET_BENCH_ROWS, check_once, NULL, 0);
}
