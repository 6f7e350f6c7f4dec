// SPDX-License-Identifier: GPL-2.0
/*
 * Training on AArch64, or in its emulator, gives the bits that it gives on
 * x86-64.  Prints TAP; tests/unit/test_train_arm64.sh runs it.
 */
#include <stdio.h>

#include "tests/lib/train_cases.h"

int main(void)
{
	int bad = 0;

	for (int i = 0; i < TEST_TRAIN_CASES; i++) {
		const struct test_train_case *item = &test_train_cases[i];
		uint32_t found = 0;
		int ret = test_train_run(item, MLSCHED_ISA_BEST, 2, &found);
		int ok = ret == 0 && found == item->checksum;

		bad |= !ok;
		printf("%s %d - training_with_%s_gives_the_same_bits_on_arm64\n",
		       ok ? "ok" : "not ok", i + 1, mlsched_activation_name(item->activation));
		if (!ok)
			printf("# returned %d, expected %08x, got %08x\n", ret, item->checksum,
			       found);
	}
	printf("1..%d\n", TEST_TRAIN_CASES);
	return bad;
}
