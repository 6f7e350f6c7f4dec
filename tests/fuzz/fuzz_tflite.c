// SPDX-License-Identifier: GPL-2.0
/*
 * Feeds anything to the LiteRT reader: for libFuzzer (`make fuzz FUZZ=tflite`), and
 * for the test that replays the kept corpus.  An input is a file.
 */
#include "src/formats/tflite.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct mls_blob blob = { "fuzz", data, size };
	struct mls_arena arena = MLS_ARENA_INIT(((size_t)1 << 20) + 8 * size);
	struct mlsched_error err = { 0 };
	struct mlsched_model *model;
	int ret;

	arena.format = "LiteRT";
	arena.fixed = true;
	ret = mls_tflite_read(&blob, &arena, &err, &model);
	mls_arena_free(&arena);
	if (ret == 0) {
		use(model);
		mlsched_model_free(model);
	} else {
		check_message(ret, &err);
	}
	return 0;
}
