/* SPDX-License-Identifier: GPL-2.0 */
/* Filling the slot of a BPF program with a fixed-point network. */
#ifndef MLS_NN_QNET_PACK_H
#define MLS_NN_QNET_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mlsched/error.h>

#include "core/qnet.h"

/** mls_qnet_slot_size() - bytes of a struct qnet_slot of a QNET_SLOT_WIDTH: 64, 128 or 256 */
size_t mls_qnet_slot_size(uint32_t width);

/**
 * mls_qnet_pack() - put a network into a slot
 * @net:     checked
 * @width:   QNET_SLOT_WIDTH of the program that will compute it
 * @generic: not the kernel for its shape but the one for any network: for tests
 * @slot:    mls_qnet_slot_size(@width) bytes aligned to 8; overwritten
 *
 * Constant inputs are left out.
 * Return: 0; -ENOTSUP when it does not fit (the message says what).
 */
int mls_qnet_pack(const struct qnet_model *net, uint32_t width, bool generic, void *slot,
		  struct mlsched_error *err);

#endif /* MLS_NN_QNET_PACK_H */
