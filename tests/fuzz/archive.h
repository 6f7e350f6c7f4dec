/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A SavedModel as one input: four sizes (32 bits, little-endian; cut to what is there) of its
 * files, and then these.  Size 0 means that the file is missing.  make_seeds.py makes such
 * archives of directories.
 */
#ifndef MLS_TESTS_ARCHIVE_H
#define MLS_TESTS_ARCHIVE_H

#include <endian.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "src/formats/files.h"

#define ARCHIVE_FILES 4

static const char *const archive_names[ARCHIVE_FILES] = {
	"saved_model.pb",
	"variables/variables.index",
	"variables/variables.data-00000-of-00001",
	"assets/mlsched.json",
};

/*
 * The files that are there, each a copy of just its size, so that the sanitizers see a byte too
 * much.  Return: how many, for archive_free(); -1: not even the sizes are there.
 */
static inline int archive_take(const uint8_t *data, size_t size, struct mls_blob *blobs)
{
	const uint8_t *sizes = data;
	int n = 0;

	if (size < ARCHIVE_FILES * sizeof(uint32_t))
		return -1;
	data += ARCHIVE_FILES * sizeof(uint32_t);
	size -= ARCHIVE_FILES * sizeof(uint32_t);
	for (size_t i = 0; i < ARCHIVE_FILES; i++) {
		uint32_t wanted;
		uint8_t *copy;

		memcpy(&wanted, sizes + i * sizeof(wanted), sizeof(wanted));
		wanted = le32toh(wanted);
		if (wanted > size)
			wanted = (uint32_t)size;
		if (!wanted)
			continue;
		copy = malloc(wanted);
		if (!copy)
			abort();
		memcpy(copy, data, wanted);
		blobs[n++] = (struct mls_blob){ archive_names[i], copy, wanted };
		data += wanted;
		size -= wanted;
	}
	return n;
}

static inline void archive_free(struct mls_blob *blobs, int n)
{
	for (int i = 0; i < n; i++)
		free((void *)(uintptr_t)blobs[i].data);
}

#endif /* MLS_TESTS_ARCHIVE_H */
