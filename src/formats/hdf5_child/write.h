/* SPDX-License-Identifier: GPL-2.0 */
/* Making an HDF5 file in memory: there is one at a time, begun once.  All return 0 or -errno. */
#ifndef MLS_FORMATS_HDF5_CHILD_WRITE_H
#define MLS_FORMATS_HDF5_CHILD_WRITE_H

#include "src/formats/hdf5_child/api.h"

/** mls_h5_write_begin() - an empty file; @path is for messages, @err receives those of all that follows */
int mls_h5_write_begin(const struct mls_h5_api *library, const char *path,
		       struct mlsched_error *err);

int mls_h5_write_group(const char *path);

/** mls_h5_write_link() - what is at @to is at @path as well, once: the file grows by a name */
int mls_h5_write_link(const char *path, const char *to);

/** mls_h5_write_text() - an attribute; "" is the root */
int mls_h5_write_text(const char *object, const char *name, const char *text);

/** mls_h5_write_texts() - an attribute that is a list of [n] strings, 0 allowed */
int mls_h5_write_texts(const char *object, const char *name, const char *const *texts, uint32_t n);

/** mls_h5_write_tensor() - float32 [dims[0], dims[1]], of rank 1 [dims[0]], of rank 0 a single one */
int mls_h5_write_tensor(const char *path, uint32_t rank, const uint32_t dims[2],
			const float *numbers);

/** mls_h5_write_content() - all of it as bytes; to be freed with free() */
int mls_h5_write_content(void **bytes, size_t *size);

#endif /* MLS_FORMATS_HDF5_CHILD_WRITE_H */
