// SPDX-License-Identifier: GPL-2.0
/*
 * Feeds anything to the SavedModel reader: for libFuzzer (`make fuzz`), and
 * for the test that replays the kept corpus.
 *
 * An input is an archive (archive.h).
 */
#include "src/formats/savedmodel.h"
#include "tests/fuzz/archive.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mls_blob blobs[ARCHIVE_FILES];
	int n = archive_take(data, size, blobs), ret;
	struct mls_files files = { .path = "fuzz", .dir = -1, .blobs = blobs };
	struct mlsched_model *model = NULL;
	struct mlsched_error err = { 0 };
	struct mls_outline outline = { .arena = MLS_ARENA_INIT(MLS_UNFOLD_BASE) };

	if (n < 0)
		return 0;
	files.n_blobs = (uint32_t)n;
	ret = mls_savedmodel_read(&files, &err, &model);
	check_outcome(ret, model, &err);
	outline.arena.fixed = true;
	mls_savedmodel_outline(&files, &outline);
	check_outline(&outline, &err);
	archive_free(blobs, n);
	return 0;
}
