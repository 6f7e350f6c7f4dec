/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Integer types of the decision core, in BPF programs and in user space.
 *
 * They are the very types that vmlinux.h gives these names, and C11 lets a
 * typedef be repeated: the order of the two headers does not matter.
 */
#ifndef MLS_CORE_TYPES_H
#define MLS_CORE_TYPES_H

typedef unsigned char u8;
typedef signed char s8;
typedef unsigned short u16;
typedef short s16;
typedef unsigned int u32;
typedef int s32;
typedef unsigned long long u64;
typedef long long s64;

#endif /* MLS_CORE_TYPES_H */
