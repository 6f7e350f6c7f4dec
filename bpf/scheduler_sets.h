/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sets of CPUs, and how one is found in them.  Part of bpf/scheduler.bpf.c.
 */
#ifndef MLS_BPF_SCHEDULER_SETS_H
#define MLS_BPF_SCHEDULER_SETS_H

#include "bpf/scheduler_state.h"

#define NO_ROW (SCHEDULER_ROWS - 1) /* always empty */

static __always_inline u64 *word_of(struct scheduler_row *row, u32 cpu)
{
	return &row->word[cpu / 64 & (SCHEDULER_WORDS - 1)];
}

static __always_inline u64 bit_of(u32 cpu)
{
	return 1ull << (cpu & 63);
}

static __always_inline bool is_in(struct scheduler_row *row, u32 cpu)
{
	return *word_of(row, cpu) & bit_of(cpu);
}

static __always_inline void put_in(struct scheduler_row *row, u32 cpu)
{
	if (!is_in(row, cpu))
		__sync_fetch_and_or(word_of(row, cpu), bit_of(cpu));
}

/* And a full barrier: what is read next is read when all can see it. */
static __always_inline void show_in(struct scheduler_row *row, u32 cpu)
{
	u64 before = __sync_fetch_and_or(word_of(row, cpu), bit_of(cpu));

	/* An atomic operation whose result nobody wants would be none. */
	asm volatile("" : : "r"(before));
}

/* Whether it was in it; of several that try, one succeeds. */
static __always_inline bool take_out(struct scheduler_row *row, u32 cpu)
{
	if (!is_in(row, cpu))
		return false;
	return __sync_fetch_and_and(word_of(row, cpu), ~bit_of(cpu)) & bit_of(cpu);
}

static __always_inline u64 allowed_word(struct task_struct *p, u32 word)
{
	const struct cpumask *mask = unproved(p)->cpus_ptr;
	unsigned long bits = 0;

	/* Most machines have one word, and this is a load instead of a call. */
	if (n_words == 1)
		return mask->bits[0];
	bpf_probe_read_kernel(&bits, sizeof(bits), &mask->bits[word & (SCHEDULER_WORDS - 1)]);
	return bits;
}

static __always_inline bool may_run_on(struct task_struct *p, u32 cpu)
{
	return allowed_word(p, cpu / 64) & bit_of(cpu);
}

/* The row of a level around @cpu, and above it that of the level before. */
static __always_inline u64 rows_of(u32 cpu, u32 level)
{
	struct scheduler_cpu *c = cpu_at(cpu);
	u64 domain = c->domain & (SCHEDULER_MAX_DOMAINS - 1);
	u64 node = SCHEDULER_ROW_NODES + (c->node & (SCHEDULER_MAX_NODES - 1));

	if (level == 0)
		return domain | (u64)NO_ROW << 32;
	return level == 1 ? node | domain << 32 : SCHEDULER_ROW_ALL | node << 32;
}

/*
 * The functions without "static" are those that the verifier looks at once, by
 * themselves, and not again in each place that calls them.
 */

enum set { IDLE, QUEUED };

/**
 * find() - a CPU that is in one set, in row @row, not in row @skip, and may be used
 * @from: where to begin
 * @may:  the first word of the cpumask of a task, or ~0
 * @mask: address of that cpumask, or 0; matters on machines with more than one word
 *
 * Return: the CPU, or -1.
 */
__noinline s32 find(u32 set, u64 rows_and_skip, u32 from, u64 may, u64 mask)
{
	struct scheduler_row *wanted = set == IDLE ? &idle : &queued;
	struct scheduler_row *row = &rows[rows_and_skip & (SCHEDULER_ROWS - 1)];
	struct scheduler_row *skip = &rows[rows_and_skip >> 32 & (SCHEDULER_ROWS - 1)];
	u32 first, k;
	u64 bits;

	if (from >= n_cpus)
		from %= n_cpus;
	if (n_words == 1) {
		bits = wanted->word[0] & row->word[0] & ~skip->word[0] & may;
		return bits ? (s32)mls_policy_from(bits, from) : -1;
	}
	first = from / 64;
	bpf_for(k, 0, n_words + 1) {
		u32 i = first + k;

		if (i >= n_words)
			i -= n_words;
		i &= SCHEDULER_WORDS - 1;
		bits = wanted->word[i] & row->word[i] & ~skip->word[i];
		bits = mls_policy_part(bits, k, n_words, from);
		may = ~0ull;
		if (bits && mask) {
			bpf_probe_read_kernel(&may, sizeof(may), (void *)(mask + 8 * i));
			bits &= may;
		}
		if (bits)
			return (s32)(i * 64 + mls_policy_first(bits));
	}
	return -1;
}

/* As a number: functions that are verified by themselves take no pointers of the kernel's. */
static __always_inline u64 mask_of(struct task_struct *p)
{
	u64 mask = 0;

	if (n_words > 1)
		bpf_core_read(&mask, sizeof(mask), &p->cpus_ptr);
	return mask;
}

static __always_inline s32 find_idle(struct task_struct *p, u32 level, u32 from)
{
	return find(IDLE, rows_of(from, level), from, allowed_word(p, 0), mask_of(p));
}

#endif /* MLS_BPF_SCHEDULER_SETS_H */
