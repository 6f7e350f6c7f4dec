/* SPDX-License-Identifier: GPL-2.0 */
/* The packed network in user space, for each width of slots. */
#ifndef MLS_TESTS_QNET_INFER_H
#define MLS_TESTS_QNET_INFER_H

#include "core/types.h"

s64 qnet_infer_64(const void *slot, const s32 *features, u32 n);
s64 qnet_infer_128(const void *slot, const s32 *features, u32 n);
s64 qnet_infer_256(const void *slot, const s32 *features, u32 n);

#endif /* MLS_TESTS_QNET_INFER_H */
