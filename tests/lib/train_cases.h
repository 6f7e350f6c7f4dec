/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Small trainings whose results are known: for the unit test on this machine,
 * and for AArch64 in the emulator.
 */
#ifndef TEST_TRAIN_CASES_H
#define TEST_TRAIN_CASES_H

#include <stdint.h>

#include "src/nn/train/train.h"

#define TEST_TRAIN_CASES 7

struct test_train_case {
	enum mlsched_activation activation;
	uint32_t checksum; /* of what training makes */
};

extern const struct test_train_case test_train_cases[TEST_TRAIN_CASES];

/** test_train_checksum() - CRC-32C of all weights and of the normalisation; 0 on failure */
uint32_t test_train_checksum(const struct mls_trainer *trainer);

/** test_train_run() - train a case; returns 0, or what mls_trainer_create() returned */
int test_train_run(const struct test_train_case *item, enum mlsched_isa isa, uint32_t n_threads,
		   uint32_t *checksum);

#endif /* TEST_TRAIN_CASES_H */
