/* SPDX-License-Identifier: GPL-2.0 */
/* Version of the library that these headers belong to. */
#ifndef MLSCHED_VERSION_H
#define MLSCHED_VERSION_H

#define MLSCHED_VERSION_MAJOR 0
#define MLSCHED_VERSION_MINOR 1
#define MLSCHED_VERSION_PATCH 0
#define MLSCHED_VERSION       "0.1.0"

#ifdef __cplusplus
extern "C" {
#endif

/** mlsched_version() - "0.1.0" of the library that is running */
const char *mlsched_version(void);

#ifdef __cplusplus
}
#endif

#endif /* MLSCHED_VERSION_H */
