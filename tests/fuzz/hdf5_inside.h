/* SPDX-License-Identifier: GPL-2.0 */
/* libhdf5 in this process, for a fuzz target that is linked with --wrap of mls_h5_process_*(). */
#ifndef MLS_TESTS_FUZZ_HDF5_INSIDE_H
#define MLS_TESTS_FUZZ_HDF5_INSIDE_H

#include "src/formats/hdf5_child/api.h"
#include "src/formats/hdf5_process.h"

/** inside_api() - the library, which prints no errors */
const struct mls_h5_api *inside_api(void);

int __wrap_mls_h5_process_start(const struct mls_blob *file, const char *format,
				const struct mls_h5_limits *limits,
				const struct mls_h5_starter *starter, struct mlsched_error *err,
				struct mls_h5_process *process);
int __wrap_mls_h5_process_ask(struct mls_h5_process *process, const struct mls_h5_frame *question,
			      const void *payload, struct mls_arena *arena,
			      struct mls_h5_frame *answer, const char **answered);
int __wrap_mls_h5_process_distrust(struct mls_h5_process *process, const char *what);
void __wrap_mls_h5_process_end(struct mls_h5_process *process);

#endif
