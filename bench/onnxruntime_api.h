/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The few functions of ONNX Runtime's C interface that we call: nothing of ours
 * needs its header.  The interface is one table, which only grows at its end:
 * the places here are those of struct OrtApi in onnxruntime_c_api.h, whose order
 * that header promises not to change.
 */
#ifndef MLS_BENCH_ONNXRUNTIME_API_H
#define MLS_BENCH_ONNXRUNTIME_API_H

#include <stddef.h>
#include <stdint.h>

typedef struct OrtStatus OrtStatus;
typedef struct OrtEnv OrtEnv;
typedef struct OrtSession OrtSession;
typedef struct OrtSessionOptions OrtSessionOptions;
typedef struct OrtMemoryInfo OrtMemoryInfo;
typedef struct OrtValue OrtValue;

/* Of the header's enumerations. */
enum {
	BENCH_ORT_LOG_ERROR = 3,
	BENCH_ORT_OPTIMISE_ALL = 99,
	BENCH_ORT_ELEMENT_FLOAT = 1,
	BENCH_ORT_ARENA_ALLOCATOR = 1,
	BENCH_ORT_MEM_DEFAULT = 0
};

/* name, place in the table, result, parameters */
#define BENCH_ORT_FUNCTIONS(F)                                                                   \
	F(GetErrorMessage, 2, const char *, (const OrtStatus *))                                 \
	F(CreateEnv, 3, OrtStatus *, (int level, const char *name, OrtEnv **))                   \
	F(CreateSession, 7, OrtStatus *,                                                         \
	  (const OrtEnv *, const char *path, const OrtSessionOptions *, OrtSession **))          \
	F(Run, 9, OrtStatus *,                                                                   \
	  (OrtSession *, const void *options, const char *const *in_names,                       \
	   const OrtValue *const *in, size_t n_in, const char *const *out_names, size_t n_out,   \
	   OrtValue **out))                                                                      \
	F(CreateSessionOptions, 10, OrtStatus *, (OrtSessionOptions **))                         \
	F(SetSessionGraphOptimizationLevel, 23, OrtStatus *, (OrtSessionOptions *, int level))   \
	F(SetIntraOpNumThreads, 24, OrtStatus *, (OrtSessionOptions *, int n))                   \
	F(SetInterOpNumThreads, 25, OrtStatus *, (OrtSessionOptions *, int n))                   \
	F(SessionGetInputName, 36, OrtStatus *,                                                  \
	  (const OrtSession *, size_t index, void *allocator, char **name))                      \
	F(SessionGetOutputName, 37, OrtStatus *,                                                 \
	  (const OrtSession *, size_t index, void *allocator, char **name))                      \
	F(CreateTensorWithDataAsOrtValue, 49, OrtStatus *,                                       \
	  (const OrtMemoryInfo *, void *data, size_t size, const int64_t *shape, size_t n_shape, \
	   int type, OrtValue **))                                                               \
	F(CreateCpuMemoryInfo, 69, OrtStatus *, (int allocator, int memory, OrtMemoryInfo **))   \
	F(AllocatorFree, 76, OrtStatus *, (void *allocator, void *memory))                       \
	F(GetAllocatorWithDefaultOptions, 78, OrtStatus *, (void **allocator))                   \
	F(ReleaseEnv, 92, void, (OrtEnv *))                                                      \
	F(ReleaseStatus, 93, void, (OrtStatus *))                                                \
	F(ReleaseMemoryInfo, 94, void, (OrtMemoryInfo *))                                        \
	F(ReleaseSession, 95, void, (OrtSession *))                                              \
	F(ReleaseValue, 96, void, (OrtValue *))                                                  \
	F(ReleaseSessionOptions, 100, void, (OrtSessionOptions *))

/* OrtApiBase, and the version of the table that has all of the above: the first. */
struct bench_ort_base {
	const void *const *(*get_api)(uint32_t version);
	const char *(*get_version)(void);
};

#define BENCH_ORT_VERSION 1

#endif /* MLS_BENCH_ONNXRUNTIME_API_H */
