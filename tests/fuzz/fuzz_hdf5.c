// SPDX-License-Identifier: GPL-2.0
/*
 * Feeds anything to the reader of Keras models: a .h5 file or a .keras archive, byte for
 * byte, as it would come from a disk.  libhdf5 reads it where it always does, in a process
 * of its own, and may crash there or never end: that must be an error like any other.
 * (fuzz_keras.c has valid files of any content, without the process.)
 */
#include "src/formats/keras.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct mls_blob blob = { "fuzz", data, size };
	struct mlsched_error err = { 0 };
	struct mlsched_model *model = NULL;
	struct mls_outline outline = { .arena = mls_keras_arena(size) };
	int ret = mls_keras_read(&blob, &err, &model);

	check_outcome(ret, model, &err);
	mls_keras_outline(&blob, &outline);
	check_outline(&outline, &err);
	return 0;
}
