// SPDX-License-Identifier: GPL-2.0
/*
 * Feeds anything to the SavedModel reader: for libFuzzer (`make fuzz`), and
 * for the test that replays the kept corpus.
 *
 * An input is an archive: four sizes (32 bits, little-endian; cut to what is
 * there) of saved_model.pb, variables.index, the data file and
 * assets/mlsched.json, and then these files.  Size 0 means that the file is
 * missing.  make_seeds.py makes such archives of SavedModel directories.
 */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/formats/savedmodel.h"
#include "tests/fuzz/fuzz.h"

#define N_FILES 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[N_FILES] = {
		"saved_model.pb",
		"variables/variables.index",
		"variables/variables.data-00000-of-00001",
		"assets/mlsched.json",
	};
	struct mls_blob blobs[N_FILES];
	struct mls_files files = { .path = "fuzz", .dir = -1, .blobs = blobs };
	struct mlsched_error err = { 0 };
	struct mlsched_model *model;
	const uint8_t *sizes = data;
	int ret;

	if (size < N_FILES * sizeof(uint32_t))
		return 0;
	data += N_FILES * sizeof(uint32_t);
	size -= N_FILES * sizeof(uint32_t);
	for (int i = 0; i < N_FILES; i++) {
		uint32_t wanted;
		uint8_t *copy;

		memcpy(&wanted, sizes + i * sizeof(wanted), sizeof(wanted));
		wanted = le32toh(wanted);
		if (wanted > size)
			wanted = (uint32_t)size;
		if (!wanted)
			continue;
		/* A copy of just this size, so that the sanitizer sees a byte too much. */
		copy = malloc(wanted);
		if (!copy)
			abort();
		memcpy(copy, data, wanted);
		blobs[files.n_blobs++] = (struct mls_blob){ names[i], copy, wanted };
		data += wanted;
		size -= wanted;
	}
	ret = mls_savedmodel_read(&files, &err, &model);
	if (ret == 0) {
		use(model);
		mlsched_model_free(model);
	} else {
		check_message(ret, &err);
	}
	for (uint32_t i = 0; i < files.n_blobs; i++)
		free((void *)blobs[i].data);
	return 0;
}
