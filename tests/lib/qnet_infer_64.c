// SPDX-License-Identifier: GPL-2.0
/* The packed network in user space, as a program with slots of width 64 has it. */
#define QNET_SLOT_WIDTH 64
#include "core/qnet_packed.h"
#include "tests/lib/qnet_infer.h"

s64 qnet_infer_64(const void *slot, const s32 *features, u32 n)
{
	struct qnet_scratch s;

	__builtin_memset(&s, 0xa5, sizeof(s));
	__builtin_memcpy(s.features, features, n * sizeof(*features));
	return qnet_infer(slot, &s);
}
