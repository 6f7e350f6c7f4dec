/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The fixed-point network with three units in each 64-bit word: the form that
 * BPF programs compute, and the same C in user space for tests and the
 * simulator.
 *
 * A word holds three signed sums of 21 bits as sum of lane_j * 2^(21 j), borrows
 * included.  Each starts at 2^20 + bias, so at the end, when the proof of
 * qnet_check() says that |S| < 2^20, each lane is an unsigned field whose top
 * bit says "not negative".  One multiply serves three weights, and an input
 * that is zero is skipped by not being in the list of active ones, which is
 * made without branches.
 *
 * What measuring chose: three lanes (two need 45 % more multiplies, four must be
 * emptied too often and are less accurate); a list of active inputs (a branch
 * for each input is slower than to skip none); sums in memory, two inputs a
 * pass (four need more registers than BPF has); rows of 256 bytes for 64 units
 * (512 would use an eighth of the cache's sets); a kernel of its own for the
 * usual shapes, because sizes that are known only at run time cost a fifth to a
 * quarter more (mlsched bench kernel).
 *
 * A slot that does not hold what its maker should have put there gives wrong
 * logits, never an access outside of it: every offset is masked.
 *
 * Leaves to others: filling a slot (src/nn/qnet_pack.c), choosing one.
 */
#ifndef MLS_CORE_QNET_PACKED_H
#define MLS_CORE_QNET_PACKED_H

#include "core/qnet.h"

/* Widest layer, and most inputs, that a slot of this program can hold: 64, 128 or 256. */
#ifndef QNET_SLOT_WIDTH
#define QNET_SLOT_WIDTH 128
#endif

/* Whole lots of four words of a layer, and bytes for rows of weights. */
#define QNET_WORDS_OF(width) ((width) == 64 ? 24 : (width) == 128 ? 44 : 88)
#define QNET_POOL_BYTES_OF(width) \
	((width) == 64 ? 128 << 10 : (width) == 128 ? 256 << 10 : 2048 << 10)
#define QNET_WORDS      QNET_WORDS_OF(QNET_SLOT_WIDTH)
#define QNET_POOL_BYTES QNET_POOL_BYTES_OF(QNET_SLOT_WIDTH)

#define QNET_MAX_WORDS 88
#define QNET_ROW_ALIGN 64
#define QNET_POOL_MASK ((QNET_POOL_BYTES - 1) & ~(QNET_ROW_ALIGN - 1))

/* Which kernel computes the slot; says how layer 0 lies in the pool. */
#define QNET_SHAPE_GENERIC 0 /* any network: rows of words, one row an input */
#define QNET_SHAPE_64_64   1 /* 5, 10 or 15 inputs, two hidden layers of at most 64 */
#define QNET_SHAPE_12      2 /* at most 15 inputs, one hidden layer of at most 12 */

/* Places in the pool of the fixed shapes, in bytes. */
#define QNET_64_GROUPS 22
#define QNET_64_W1     0 /* u64 [22 groups][16 inputs] */
#define QNET_64_B1     2816 /* u64 [22] */
#define QNET_64_B2     3072 /* u64 [22] */
#define QNET_64_W2     4096 /* rows of 256 bytes */
#define QNET_12_W      0 /* u64 [15 inputs][4] */
#define QNET_12_B      480 /* u64 [4] */
#define QNET_12_INPUTS 15

/**
 * struct qnet_slot_layer - one hidden layer in a slot
 * @words:   of three units each
 * @shift:   log2 of the bytes from one row to the next
 * @weights: offset of row 0 in the pool
 * @bias:    offset of the words that sums start from
 * @h_shift: from sums to activations; the kernels of fixed shapes know theirs
 * @reserved: 0
 */
struct qnet_slot_layer {
	u32 words;
	u32 shift;
	u32 weights;
	u32 bias;
	u32 h_shift;
	u32 reserved;
};

/**
 * struct qnet_slot - a network ready to be computed, the value of a BPF map
 * @magic:      QNET_MAGIC, or 0 for an empty slot
 * @version:    QNET_VERSION
 * @checksum:   of the struct qnet_model that it was made of
 * @source:     checksum of the float32 model behind that
 * @shape:      QNET_SHAPE_*
 * @n_features: that the schema has
 * @n_inputs:   that are not constant, padded with dead ones to what the kernel wants
 * @n_hidden:   hidden layers
 * @schema_version: of @schema
 * @zero:       0, which the verifier does not know
 * @bias:       of the output
 * @threshold:  migrate when the logit is above it
 * @schema:     name of the feature schema
 * @hidden:     the first @n_hidden count
 * @feature:    which feature each input comes from
 * @inputs:     how it is converted
 * @v:          weights of the output
 * @pool:       rows of weights, then room for the longest row behind the mask
 */
struct qnet_slot {
	u32 magic;
	u32 version;
	u32 checksum;
	u32 source;
	u32 shape;
	u32 n_features;
	u32 n_inputs;
	u32 n_hidden;
	u32 schema_version;
	u32 zero;
	u32 reserved[2];
	s64 bias;
	s64 threshold;
	char schema[QNET_SCHEMA_SIZE];
	struct qnet_slot_layer hidden[QNET_MAX_HIDDEN];
	u16 feature[QNET_MAX_WIDTH];
	struct qnet_input inputs[QNET_MAX_WIDTH];
	s64 v[QNET_MAX_WORDS * 3];
	u64 pad[7];
	u64 pool[QNET_POOL_BYTES / 8 + QNET_WORDS];
};

/* The same places whatever QNET_SLOT_WIDTH is: only the pool grows. */
#define QNET_SLOT_HEAD 7040
_Static_assert(__builtin_offsetof(struct qnet_slot, pool) == QNET_SLOT_HEAD, "part of the format");
_Static_assert(QNET_SLOT_HEAD % QNET_ROW_ALIGN == 0, "rows begin at cache lines");

/**
 * struct qnet_scratch - what one computation needs besides the slot
 * @features: Q16.16, written by the caller: [n_features]
 * @x:        inputs, and one more that is zero
 * @acc:      sums
 * @list:     active units: index << 8 | activation
 *
 * Too large for BPF's stack: the value of a per-CPU array map, one for each
 * level at which programs can interrupt each other on a CPU.
 */
struct qnet_scratch {
	s32 features[QNET_MAX_WIDTH];
	s64 x[QNET_MAX_WIDTH + 2];
	u64 acc[QNET_MAX_WORDS];
	u16 list[QNET_MAX_WORDS * 3 + 8];
};

#define QNET_LANES(x) ((u64)(x) | (u64)(x) << 21 | (u64)(x) << 42)
#define QNET_TOP      QNET_LANES(1 << 20)

#define QNET_BARRIER() __asm__ volatile("" ::: "memory")

#ifdef __bpf__
/*
 * acc += *(u64 *)(p + off) * a in exactly three instructions, which the
 * compiler neither hoists nor reorders; off must be a constant.
 */
#define QNET_MAC(acc, p, off, a)                                                 \
	do {                                                                     \
		u64 t_;                                                          \
		__asm__ volatile("%[t] = *(u64 *)(%[q] + %[o])\n\t"              \
				 "%[t] *= %[m]\n\t"                              \
				 "%[s] += %[t]"                                  \
				 : [s] "+r"(acc), [t] "=&r"(t_)                  \
				 : [q] "r"(p), [m] "r"((u64)(a)), [o] "i"(off)); \
	} while (0)
#define QNET_LD(p, off)                                         \
	({                                                      \
		u64 t_;                                         \
		__asm__ volatile("%[t] = *(u64 *)(%[q] + %[o])" \
				 : [t] "=r"(t_)                 \
				 : [q] "r"(p), [o] "i"(off)     \
				 : "memory");                   \
		t_;                                             \
	})
#define QNET_ST(p, off, value)                                      \
	__asm__ volatile("*(u64 *)(%[q] + %[o]) = %[t]"             \
			 :                                          \
			 : [t] "r"(value), [q] "r"(p), [o] "i"(off) \
			 : "memory")
/*
 * A stage is a global function: the verifier looks at it once, by itself, and
 * what it returns is any number to the caller.  That keeps the states of one
 * stage out of the next.  Its pointers may be NULL as far as the verifier knows.
 * A return is dear where the kernel must guard it against speculation (about 20
 * cycles on AMD), so stages are few; a piece is part of the stage it stands in.
 */
#define QNET_STAGE         __attribute__((noinline))
#define QNET_PIECE         static inline __attribute__((always_inline))
#define QNET_NONE(slot, s) (!(slot) || !(s))
/*
 * Where paths meet, before much that has no jump in it: no instruction for the processor,
 * but jumps for the verifier, which otherwise notes no state there and goes through what
 * follows once for each path.
 */
#define QNET_JOIN() __asm__ volatile("goto +0\n\tgoto +0")
/*
 * A loop whose first index the verifier does not know, whose last it need not know, and
 * whose index is masked where an address comes of it, is gone through twice and not once
 * for each pass.  Kernels before 6.9 do not have the instruction: it is for objects that
 * are loaded by later ones alone (QNET_MAY_GOTO).
 */
#ifdef QNET_MAY_GOTO
#define QNET_FIRST(slot)    (*(const volatile u32 *)&(slot)->zero)
#define QNET_INDEX(i, size) ((i) & ((size) - 1))
#define QNET_MAY_GO_ON()                                                 \
	({                                                               \
		__label__ end_, on_;                                     \
		u32 may_ = 1;                                            \
		__asm__ volatile goto("may_goto %l[end_]" : : : : end_); \
		goto on_;                                                \
	end_:                                                            \
		may_ = 0;                                                \
	on_:;                                                            \
		may_;                                                    \
	})
#endif
#else
#define QNET_MAC(acc, p, off, a) ((acc) += *(const u64 *)((const char *)(p) + (off)) * (u64)(a))
#define QNET_LD(p, off)          (*(const u64 *)((const char *)(p) + (off)))
#define QNET_ST(p, off, value)   (*(u64 *)((char *)(p) + (off)) = (value))
#define QNET_STAGE               static inline
#define QNET_PIECE               static inline
#define QNET_NONE(slot, s)       0
#define QNET_JOIN()              ((void)0)
#endif
#ifndef QNET_MAY_GO_ON
#define QNET_FIRST(slot)    0
#define QNET_INDEX(i, size) (i)
#define QNET_MAY_GO_ON()    1
#endif

/* A C loop cannot give an assembler constant its offset: lists do. */
#define QNET_REP4(M, k)  M((k)) M((k) + 1) M((k) + 2) M((k) + 3)
#define QNET_REP2(M, k)  M((k)) M((k) + 1)
#define QNET_REP3(M, k)  QNET_REP2(M, k) M((k) + 2)
#define QNET_REP5(M, k)  QNET_REP4(M, k) M((k) + 4)
#define QNET_REP6(M, k)  QNET_REP4(M, k) QNET_REP2(M, (k) + 4)
#define QNET_REP10(M, k) QNET_REP5(M, k) QNET_REP5(M, (k) + 5)
#define QNET_REP20(M, k) QNET_REP10(M, k) QNET_REP10(M, (k) + 10)
#define QNET_REP15(M, k) QNET_REP5(M, k) QNET_REP5(M, (k) + 5) QNET_REP5(M, (k) + 10)
#define QNET_REP22(M)    QNET_REP15(M, 0) QNET_REP5(M, 15) M(20) M(21)

/* ---- inputs ----------------------------------------------------------------- */

QNET_PIECE void qnet_load_input(const struct qnet_slot *slot, struct qnet_scratch *s, u32 k)
{
	u32 f = slot->feature[k] & (QNET_MAX_WIDTH - 1);

	s->x[k] = qnet_input_value(&slot->inputs[k], s->features[f]);
}

/* From s->features to s->x, and a zero behind. */
QNET_STAGE s64 qnet_load_inputs(const struct qnet_slot *slot, struct qnet_scratch *s)
{
	u32 n, k;

	if (QNET_NONE(slot, s))
		return 0;
	n = slot->n_inputs;
	for (k = 0; k < QNET_SLOT_WIDTH && k < n; k++)
		qnet_load_input(slot, s, k);
	s->x[k] = 0;
	return 0;
}

#define QNET_LOAD_INPUT(k) qnet_load_input(slot, s, k);

/* The same for the fixed shapes. */
QNET_PIECE void qnet_load_15_inputs(const struct qnet_slot *slot, struct qnet_scratch *s)
{
	QNET_REP5(QNET_LOAD_INPUT, 0)
	if (slot->n_inputs <= 5)
		return;
	QNET_REP5(QNET_LOAD_INPUT, 5)
	if (slot->n_inputs <= 10)
		return;
	QNET_REP5(QNET_LOAD_INPUT, 10)
}

/* ---- pieces of all kernels ---------------------------------------------------- */

/* Appends the first unit of @w to the list, if it is not negative, and shifts to the next. */
#define QNET_APPEND(lp, t, w)            \
	do {                             \
		*(u16 *)(lp) = (u16)(t); \
		(lp) += (w) & 2;         \
		(w) >>= 21;              \
		(t) >>= 21;              \
		QNET_BARRIER();          \
	} while (0)

/* Three sums to three activations with their indices, appended to the list. */
#define QNET_COLLECT(lp, w, key)                                                            \
	do {                                                                                \
		u64 t_ = (((w) >> QNET_SHIFT) & QNET_LANES(QNET_ACTIVATION_LIMIT)) + (key); \
		u64 w_ = (w) >> 19; /* bit 1: not negative */                               \
		(key) += QNET_LANES(3 << 8);                                                \
		QNET_APPEND(lp, t_, w_);                                                    \
		QNET_APPEND(lp, t_, w_);                                                    \
		QNET_APPEND(lp, t_, w_);                                                    \
	} while (0)
#define QNET_FIRST_KEY (0ull << 8 | 1ull << (21 + 8) | 2ull << (42 + 8))

/* Two entries of index 0 and activation 0, and how many bytes came before. */
static inline u32 qnet_end_list(struct qnet_scratch *s, char *lp)
{
	((u16 *)lp)[0] = 0;
	((u16 *)lp)[1] = 0;
	return (u32)(lp - (char *)s->list);
}

/* ReLU of three lanes, times the three weights at v + 24 g. */
#define QNET_OUTPUT(o, w, v, g)                                          \
	do {                                                             \
		u64 w_ = (w), z_ = w_ & QNET_TOP;                        \
		w_ &= z_ - (z_ >> 20);                                   \
		(o) += (w_ & 0x1fffff) * QNET_LD(v, 24 * (g));           \
		(o) += (w_ >> 21 & 0x1fffff) * QNET_LD(v, 24 * (g) + 8); \
		(o) += (w_ >> 42) * QNET_LD(v, 24 * (g) + 16);           \
		QNET_BARRIER();                                          \
	} while (0)

/* The sums of word g get two more inputs, rows q0 and q1 with a0 and a1. */
#define QNET_ADD_ROWS(g)                          \
	{                                         \
		u64 sum_ = QNET_LD(acc, 8 * (g)); \
		QNET_MAC(sum_, q0, 8 * (g), a0);  \
		QNET_MAC(sum_, q1, 8 * (g), a1);  \
		QNET_ST(acc, 8 * (g), sum_);      \
	}

/* ---- 5, 10 or 15 inputs, two hidden layers of at most 64 ------------------------ */

#define QNET_64_INPUT(k) QNET_MAC(w, w1, 8 * (k), s->x[k]);

/* The first layer with its sums in a register; returns the bytes of the list. */
#define QNET_64_FIRST(name, inputs)                                               \
	QNET_PIECE u32 name(const struct qnet_slot *slot, struct qnet_scratch *s) \
	{                                                                         \
		const char *w1, *b1;                                              \
		u64 key = QNET_FIRST_KEY;                                         \
		char *lp;                                                         \
                                                                                  \
		w1 = (const char *)slot->pool + QNET_64_W1;                       \
		b1 = (const char *)slot->pool + QNET_64_B1;                       \
		lp = (char *)s->list;                                             \
		QNET_NO_UNROLL                                                    \
		for (u32 g = 0; g < QNET_64_GROUPS; g++, w1 += 128, b1 += 8) {    \
			u64 w = QNET_LD(b1, 0);                                   \
                                                                                  \
			inputs;                                                   \
			QNET_BARRIER();                                           \
			QNET_COLLECT(lp, w, key);                                 \
		}                                                                 \
		return qnet_end_list(s, lp);                                      \
	}

#ifdef __clang__
#define QNET_NO_UNROLL _Pragma("clang loop unroll(disable)")
#else
#define QNET_NO_UNROLL
#endif

QNET_64_FIRST(qnet_64_first_5, QNET_REP5(QNET_64_INPUT, 0))
QNET_64_FIRST(qnet_64_first_10, QNET_REP5(QNET_64_INPUT, 0) QNET_REP5(QNET_64_INPUT, 5))
QNET_64_FIRST(qnet_64_first_15, QNET_REP15(QNET_64_INPUT, 0))

#define QNET_64_START(g)  QNET_ST(acc, 8 * (g), QNET_LD(b2, 8 * (g)));
#define QNET_64_OUTPUT(g) QNET_OUTPUT(o, QNET_LD(acc, 8 * (g)), v, g);

/* The second layer and the output. */
QNET_PIECE s64 qnet_64_rest(const struct qnet_slot *slot, struct qnet_scratch *s, u32 n)
{
	const char *b2, *w2, *v;
	char *acc;
	u64 o;

	b2 = (const char *)slot->pool + QNET_64_B2;
	w2 = (const char *)slot->pool + QNET_64_W2;
	v = (const char *)slot->v;
	acc = (char *)s->acc;
	QNET_REP22(QNET_64_START)
	if (n > 128)
		n = 128;
	for (u32 i = 0; i < n; i += 4) {
		const char *e = (const char *)s->list + i, *q0, *q1;
		u64 a0, a1;

		QNET_BARRIER();
		a0 = *(const u8 *)e;
		a1 = *(const u8 *)(e + 2);
		q0 = w2 + (*(const u16 *)e & 0x3f00);
		q1 = w2 + (*(const u16 *)(e + 2) & 0x3f00);
		QNET_REP22(QNET_ADD_ROWS)
	}
	QNET_JOIN();
	o = (u64)slot->bias;
	QNET_REP22(QNET_64_OUTPUT)
	return (s64)o;
}

/* ---- at most 15 inputs, one hidden layer of at most 12 --------------------------- */

#define QNET_12_INPUT(k)                          \
	{                                         \
		u64 x = (u64)s->x[k];             \
		QNET_MAC(a, w, 32 * (k), x);      \
		QNET_MAC(b, w, 32 * (k) + 8, x);  \
		QNET_MAC(c, w, 32 * (k) + 16, x); \
		QNET_MAC(d, w, 32 * (k) + 24, x); \
	}

QNET_PIECE s64 qnet_12(const struct qnet_slot *slot, struct qnet_scratch *s)
{
	const char *w, *v;
	u64 a, b, c, d, o;

	w = (const char *)slot->pool + QNET_12_W;
	v = (const char *)slot->v;
	a = QNET_LD(w, QNET_12_B);
	b = QNET_LD(w, QNET_12_B + 8);
	c = QNET_LD(w, QNET_12_B + 16);
	d = QNET_LD(w, QNET_12_B + 24);
	QNET_REP15(QNET_12_INPUT, 0)
	o = (u64)slot->bias;
	QNET_OUTPUT(o, a, v, 0);
	QNET_OUTPUT(o, b, v, 1);
	QNET_OUTPUT(o, c, v, 2);
	QNET_OUTPUT(o, d, v, 3);
	return (s64)o;
}

/* ---- any network ------------------------------------------------------------------ */

/*
 * Reads the number of words afresh at each test: what the verifier learns of a
 * value that stays in a register would multiply its states.
 */
#define QNET_WORDS_NOW() (*(const volatile u32 *)&layer->words)

/*
 * Words that a layer is computed by: up to here, whatever follows in its rows
 * being zero.  64 and 32 units end exactly, as others end soon.
 */
static inline u32 qnet_row_words(u32 words)
{
	static const u8 ends[] = { 4, 8, 11, 16, 22, 32, 44, 64 };

	for (u32 i = 0; i < sizeof(ends); i++) {
		if (words <= ends[i])
			return ends[i];
	}
	return QNET_MAX_WORDS;
}

/* Of a loop over inputs, at one of those places. */
#define QNET_END(g)                  \
	if (QNET_WORDS_NOW() <= (g)) \
		continue;

#define QNET_ADD_24                  \
	QNET_REP4(QNET_ADD_ROWS, 0)  \
	QNET_END(4)                  \
	QNET_REP4(QNET_ADD_ROWS, 4)  \
	QNET_END(8)                  \
	QNET_REP3(QNET_ADD_ROWS, 8)  \
	QNET_END(11)                 \
	QNET_REP5(QNET_ADD_ROWS, 11) \
	QNET_END(16)                 \
	QNET_REP6(QNET_ADD_ROWS, 16) \
	QNET_END(22)                 \
	QNET_REP2(QNET_ADD_ROWS, 22)
#define QNET_ADD_44                   \
	QNET_ADD_24                   \
	QNET_REP4(QNET_ADD_ROWS, 24)  \
	QNET_REP4(QNET_ADD_ROWS, 28)  \
	QNET_END(32)                  \
	QNET_REP10(QNET_ADD_ROWS, 32) \
	QNET_REP2(QNET_ADD_ROWS, 42)
#define QNET_ADD_88                   \
	QNET_ADD_44                   \
	QNET_END(44)                  \
	QNET_REP20(QNET_ADD_ROWS, 44) \
	QNET_END(64)                  \
	QNET_REP20(QNET_ADD_ROWS, 64) \
	QNET_REP4(QNET_ADD_ROWS, 84)
#if QNET_SLOT_WIDTH == 64
#define QNET_ADD_ALL QNET_ADD_24
#elif QNET_SLOT_WIDTH == 128
#define QNET_ADD_ALL QNET_ADD_44
#elif QNET_SLOT_WIDTH == 256
#define QNET_ADD_ALL QNET_ADD_88
#else
#error "QNET_SLOT_WIDTH must be 64, 128 or 256"
#endif

/* The loops over words below take a few at a time: those behind the last are zero. */

#define QNET_START(g) QNET_ST(acc, 8 * (g), QNET_LD(bias, 8 * (g)));

/* Sums start from the biases. */
QNET_PIECE void qnet_any_start(const struct qnet_slot *slot, struct qnet_scratch *s,
			       const struct qnet_slot_layer *layer)
{
	const char *bias = (const char *)slot->pool + (layer->bias & QNET_POOL_MASK);
	char *acc = (char *)s->acc;

	QNET_NO_UNROLL
	for (u32 g = 0; g < QNET_WORDS; g += 4, acc += 32, bias += 32) {
		if (g >= QNET_WORDS_NOW())
			break;
		QNET_REP4(QNET_START, 0)
	}
}

/* The activations of the first layer as a list; returns its bytes. */
QNET_PIECE u32 qnet_any_collect(struct qnet_scratch *s, const struct qnet_slot_layer *layer)
{
	const char *acc = (const char *)s->acc;
	u64 key = QNET_FIRST_KEY;
	char *lp = (char *)s->list;

	QNET_NO_UNROLL
	for (u32 g = 0; g < QNET_WORDS; g += 2, acc += 16) {
		u64 w;

		if (g >= QNET_WORDS_NOW())
			break;
		w = QNET_LD(acc, 0);
		QNET_COLLECT(lp, w, key);
		w = QNET_LD(acc, 8);
		QNET_COLLECT(lp, w, key);
	}
	return qnet_end_list(s, lp);
}

/* One lane whose activation may have to be clamped; bit 20 says "not negative". */
#define QNET_APPEND_CLAMPED(lp, w, unit, shift)                                            \
	do {                                                                               \
		s64 h_ = qnet_min((s64)((w) & 0xfffff) >> (shift), QNET_ACTIVATION_LIMIT); \
		*(u16 *)(lp) = (u16)((unit) << 8 | (u32)h_);                               \
		(lp) += (w) >> 19 & 2;                                                     \
		(unit)++;                                                                  \
		(w) >>= 21;                                                                \
		QNET_BARRIER();                                                            \
	} while (0)

/* The same of a later layer, whose activations are clamped. */
QNET_PIECE u32 qnet_any_clamp(struct qnet_scratch *s, const struct qnet_slot_layer *layer)
{
	u32 unit = 0, shift = layer->h_shift & 31;
	char *lp = (char *)s->list;

	QNET_NO_UNROLL
	for (u32 g = 0; g < QNET_WORDS; g++) {
		u64 w;

		if (g >= QNET_WORDS_NOW())
			break;
		w = s->acc[g];
		QNET_APPEND_CLAMPED(lp, w, unit, shift);
		QNET_APPEND_CLAMPED(lp, w, unit, shift);
		QNET_APPEND_CLAMPED(lp, w, unit, shift);
	}
	return qnet_end_list(s, lp);
}

/* The output, from the sums of the last hidden layer. */
QNET_PIECE s64 qnet_any_output(const struct qnet_slot *slot, struct qnet_scratch *s,
			       const struct qnet_slot_layer *layer)
{
	const char *acc = (const char *)s->acc, *v = (const char *)slot->v;
	u64 o = (u64)slot->bias;

	QNET_NO_UNROLL
	for (u32 g = 0; g < QNET_WORDS; g += 2, acc += 16, v += 48) {
		if (g >= QNET_WORDS_NOW())
			break;
		QNET_OUTPUT(o, QNET_LD(acc, 0), v, 0);
		QNET_OUTPUT(o, QNET_LD(acc, 8), v, 1);
	}
	return (s64)o;
}

/* The first layer: all inputs, two a pass.  Returns the bytes of the list, or the logit. */
QNET_PIECE s64 qnet_any_first(const struct qnet_slot *slot, struct qnet_scratch *s)
{
	const struct qnet_slot_layer *layer;
	char *acc;
	u32 n;

	layer = &slot->hidden[0];
	acc = (char *)s->acc;
	qnet_any_start(slot, s, layer);
	n = slot->n_inputs;
	if (n > QNET_SLOT_WIDTH)
		n = QNET_SLOT_WIDTH;
	for (u32 k = QNET_FIRST(slot); k < n && QNET_MAY_GO_ON(); k += 2) {
		u32 i = QNET_INDEX(k, QNET_SLOT_WIDTH);
		u32 at = layer->weights + (i << (layer->shift & 15));
		u32 next = at + (1u << (layer->shift & 15));
		const char *q0 = (const char *)slot->pool + (at & QNET_POOL_MASK);
		const char *q1 = (const char *)slot->pool + (next & QNET_POOL_MASK);
		u64 a0 = (u64)s->x[i], a1 = (u64)s->x[i + 1];

		QNET_JOIN();
		QNET_ADD_ALL
	}
	QNET_JOIN();
	if (slot->n_hidden == 1)
		return qnet_any_output(slot, s, layer);
	return qnet_any_collect(s, layer);
}

/* Hidden layer @l from @n bytes of list.  Returns the bytes of the next list, or the logit. */
QNET_STAGE s64 qnet_any_next(const struct qnet_slot *slot, struct qnet_scratch *s, u32 l, u32 n)
{
	const struct qnet_slot_layer *layer;
	char *acc;

	if (QNET_NONE(slot, s) || l >= QNET_MAX_HIDDEN)
		return 0;
	layer = &slot->hidden[l];
	acc = (char *)s->acc;
	qnet_any_start(slot, s, layer);
	if (n > 2 * QNET_WORDS * 3)
		n = 2 * QNET_WORDS * 3;
	for (u32 i = QNET_FIRST(slot); i < n && QNET_MAY_GO_ON(); i += 4) {
		const u8 *e = (const u8 *)s->list + QNET_INDEX(i, 2 * QNET_SLOT_WIDTH);
		u32 shift = layer->shift & 15;
		u32 at = layer->weights + ((u32)e[1] << shift);
		u32 next = layer->weights + ((u32)e[3] << shift);
		const char *q0 = (const char *)slot->pool + (at & QNET_POOL_MASK);
		const char *q1 = (const char *)slot->pool + (next & QNET_POOL_MASK);
		u64 a0 = e[0], a1 = e[2];

		QNET_JOIN();
		QNET_ADD_ALL
	}
	QNET_JOIN();
	if (l + 1 >= slot->n_hidden)
		return qnet_any_output(slot, s, layer);
	return qnet_any_clamp(s, layer);
}

#define QNET_FEW     4 /* words whose sums have room in registers */
#define QNET_FEW_ROW QNET_ROW_ALIGN /* bytes from one of its rows to the next */

/* Four words get one more input, the row behind q with x. */
#define QNET_FEW_INPUT(q, row, x)               \
	do {                                    \
		u64 x_ = (u64)(x);              \
		QNET_MAC(a, q, (row), x_);      \
		QNET_MAC(b, q, (row) + 8, x_);  \
		QNET_MAC(c, q, (row) + 16, x_); \
		QNET_MAC(d, q, (row) + 24, x_); \
	} while (0)

/* A network with one hidden layer of so few words. */
QNET_PIECE s64 qnet_any_few(const struct qnet_slot *slot, struct qnet_scratch *s)
{
	const struct qnet_slot_layer *layer = &slot->hidden[0];
	const char *bias = (const char *)slot->pool + (layer->bias & QNET_POOL_MASK);
	const char *v = (const char *)slot->v;
	u32 n = slot->n_inputs, at = layer->weights;
	u64 a, b, c, d, o;

	a = QNET_LD(bias, 0);
	b = QNET_LD(bias, 8);
	c = QNET_LD(bias, 16);
	d = QNET_LD(bias, 24);
	if (n > QNET_SLOT_WIDTH)
		n = QNET_SLOT_WIDTH;
	s->x[n + 1] = 0;
	for (u32 i = 0; i < n; i += 3, at += 3 * QNET_FEW_ROW) {
		const char *q = (const char *)slot->pool + (at & QNET_POOL_MASK);

		QNET_FEW_INPUT(q, 0, s->x[i]);
		QNET_FEW_INPUT(q, QNET_FEW_ROW, s->x[i + 1]);
		QNET_FEW_INPUT(q, 2 * QNET_FEW_ROW, s->x[i + 2]);
	}
	o = (u64)slot->bias;
	QNET_OUTPUT(o, a, v, 0);
	QNET_OUTPUT(o, b, v, 1);
	QNET_OUTPUT(o, c, v, 2);
	QNET_OUTPUT(o, d, v, 3);
	return (s64)o;
}

/* A network without hidden layers. */
QNET_PIECE s64 qnet_any_linear(const struct qnet_slot *slot, struct qnet_scratch *s)
{
	u64 o;
	u32 n;

	o = (u64)slot->bias;
	n = slot->n_inputs;
	for (u32 k = 0; k < QNET_SLOT_WIDTH && k < n; k++)
		o += (u64)s->x[k] * (u64)slot->v[k];
	return (s64)o;
}

QNET_PIECE s64 qnet_any(const struct qnet_slot *slot, struct qnet_scratch *s)
{
	s64 result;

	if (!slot->n_hidden)
		return qnet_any_linear(slot, s);
	if (slot->n_hidden == 1 && slot->hidden[0].words <= QNET_FEW)
		return qnet_any_few(slot, s);
	result = qnet_any_first(slot, s);
	for (u32 l = 1; l < QNET_MAX_HIDDEN && l < slot->n_hidden; l++)
		result = qnet_any_next(slot, s, l, (u32)result);
	return result;
}

/* The logit from s->x, by one of the kernels for fixed shapes. */
QNET_PIECE s64 qnet_fixed(const struct qnet_slot *slot, struct qnet_scratch *s)
{
	u32 n;

	if (slot->shape == QNET_SHAPE_12)
		return qnet_12(slot, s);
	if (slot->n_inputs <= 5)
		n = qnet_64_first_5(slot, s);
	else if (slot->n_inputs <= 10)
		n = qnet_64_first_10(slot, s);
	else
		n = qnet_64_first_15(slot, s);
	return qnet_64_rest(slot, s, n);
}

/**
 * qnet_infer() - the logit of a slot
 * @slot: filled by user space
 * @s:    its features are filled in by the caller
 *
 * The verdict is "migrate" when the result is above slot->threshold.
 */
QNET_STAGE s64 qnet_infer(const struct qnet_slot *slot, struct qnet_scratch *s)
{
	if (QNET_NONE(slot, s))
		return 0;
	if (slot->shape != QNET_SHAPE_12 && slot->shape != QNET_SHAPE_64_64) {
		qnet_load_inputs(slot, s);
		return qnet_any(slot, s);
	}
	qnet_load_15_inputs(slot, s);
	return qnet_fixed(slot, s);
}

#endif /* MLS_CORE_QNET_PACKED_H */
