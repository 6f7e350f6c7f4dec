/* SPDX-License-Identifier: GPL-2.0 */
/* Writing TensorFlow's checkpoints (checkpoint.h reads them). */
#ifndef MLS_FORMATS_CHECKPOINT_WRITE_H
#define MLS_FORMATS_CHECKPOINT_WRITE_H

#include <mlsched/model.h>

#include "src/formats/files.h"

/* A kernel and a bias of each layer. */
#define MLS_MAX_TENSORS (2 * MLSCHED_MAX_LAYERS)

/* One float32 tensor to be written. */
struct mls_tensor {
	const char *key; /* not empty */
	uint32_t rank; /* 1 or 2 */
	uint32_t dims[2];
	const float *numbers;
};

/**
 * mls_checkpoint_bytes() - the contents of variables.index and of the data file
 * @arena: keeps them
 * @n:     1 to MLS_MAX_TENSORS
 *
 * Return: 0 or -ENOMEM.
 */
int mls_checkpoint_bytes(struct mls_arena *arena, const struct mls_tensor *tensors, uint32_t n,
			 struct mls_blob *index, struct mls_blob *data);

#endif /* MLS_FORMATS_CHECKPOINT_WRITE_H */
