// SPDX-License-Identifier: GPL-2.0
/*
 * ONNX Runtime's C library as `mlsched bench` sees it, for tests without it,
 * computing by our own library.  FAKE_ORT_OFF is added to every result; FAKE_ORT_ERROR is what
 * Run says instead of computing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mlsched/model.h>

#include "bench/onnxruntime_api.h"

/* As many as the table has that we fill. */
#define PLACES 101

struct OrtStatus {
	char message[MLSCHED_ERROR_SIZE];
};

struct OrtEnv {
	int unused;
};

struct OrtSession {
	struct mlsched_model *model;
};

struct OrtSessionOptions {
	int unused;
};

struct OrtMemoryInfo {
	int unused;
};

struct OrtValue {
	float *data;
	int64_t rows;
};

#define DECLARE(name, place, result, parameters) static result fake_##name parameters;
BENCH_ORT_FUNCTIONS(DECLARE)

static void *object(size_t size)
{
	void *made = calloc(1, size);

	if (!made)
		abort();
	return made;
}

static OrtStatus *failure(const char *message)
{
	OrtStatus *status = object(sizeof(*status));

	snprintf(status->message, sizeof(status->message), "%s", message);
	return status;
}

static const char *fake_GetErrorMessage(const OrtStatus *status)
{
	return status->message;
}

static OrtStatus *fake_CreateEnv(int level, const char *name, OrtEnv **env)
{
	(void)level;
	(void)name;
	*env = object(sizeof(**env));
	return NULL;
}

static OrtStatus *fake_CreateSession(const OrtEnv *env, const char *path,
				     const OrtSessionOptions *options, OrtSession **session)
{
	struct mlsched_error err;
	struct mlsched_model *model;

	(void)env;
	(void)options;
	if (mlsched_model_load(path, &err, &model) != 0)
		return failure(err.message);
	*session = object(sizeof(**session));
	(*session)->model = model;
	return NULL;
}

static OrtStatus *fake_Run(OrtSession *session, const void *options, const char *const *in_names,
			   const OrtValue *const *in, size_t n_in, const char *const *out_names,
			   size_t n_out, OrtValue **out)
{
	const char *error = getenv("FAKE_ORT_ERROR"), *off = getenv("FAKE_ORT_OFF");
	size_t n = (size_t)in[0]->rows * mlsched_model_outputs(session->model);

	(void)options;
	if (error)
		return failure(error);
	if (n_in != 1 || n_out != 1 || strcmp(in_names[0], "in") != 0 ||
	    strcmp(out_names[0], "out") != 0)
		return failure("expected the names that the session gave");
	mlsched_model_predict(session->model, in[0]->data, (size_t)in[0]->rows, out[0]->data);
	for (size_t i = 0; off && i < n; i++)
		out[0]->data[i] += strtof(off, NULL);
	return NULL;
}

static OrtStatus *fake_CreateSessionOptions(OrtSessionOptions **options)
{
	*options = object(sizeof(**options));
	return NULL;
}

/* All optimisations, one thread: what is expected of who measures. */
static OrtStatus *fake_SetSessionGraphOptimizationLevel(OrtSessionOptions *options, int level)
{
	(void)options;
	return level == BENCH_ORT_OPTIMISE_ALL ? NULL : failure("expected all optimisations");
}

static OrtStatus *fake_SetIntraOpNumThreads(OrtSessionOptions *options, int n)
{
	(void)options;
	return n == 1 ? NULL : failure("expected one thread");
}

static OrtStatus *fake_SetInterOpNumThreads(OrtSessionOptions *options, int n)
{
	return fake_SetIntraOpNumThreads(options, n);
}

static OrtStatus *fake_SessionGetInputName(const OrtSession *session, size_t index, void *allocator,
					   char **name)
{
	(void)session;
	(void)index;
	(void)allocator;
	*name = strdup("in");
	return NULL;
}

static OrtStatus *fake_SessionGetOutputName(const OrtSession *session, size_t index,
					    void *allocator, char **name)
{
	(void)session;
	(void)index;
	(void)allocator;
	*name = strdup("out");
	return NULL;
}

static OrtStatus *fake_CreateTensorWithDataAsOrtValue(const OrtMemoryInfo *memory, void *data,
						      size_t size, const int64_t *shape,
						      size_t n_shape, int type, OrtValue **value)
{
	(void)memory;
	if (type != BENCH_ORT_ELEMENT_FLOAT || n_shape != 2 ||
	    size != sizeof(float) * (size_t)(shape[0] * shape[1]))
		return failure("expected rows of float32");
	*value = object(sizeof(**value));
	(*value)->data = data;
	(*value)->rows = shape[0];
	return NULL;
}

static OrtStatus *fake_CreateCpuMemoryInfo(int allocator, int kind, OrtMemoryInfo **memory)
{
	(void)allocator;
	(void)kind;
	*memory = object(sizeof(**memory));
	return NULL;
}

static OrtStatus *fake_GetAllocatorWithDefaultOptions(void **allocator)
{
	static int only;

	*allocator = &only;
	return NULL;
}

static OrtStatus *fake_AllocatorFree(void *allocator, void *memory)
{
	(void)allocator;
	free(memory);
	return NULL;
}

static void fake_ReleaseEnv(OrtEnv *env)
{
	free(env);
}

static void fake_ReleaseStatus(OrtStatus *status)
{
	free(status);
}

static void fake_ReleaseMemoryInfo(OrtMemoryInfo *memory)
{
	free(memory);
}

static void fake_ReleaseSession(OrtSession *session)
{
	mlsched_model_free(session->model);
	free(session);
}

static void fake_ReleaseValue(OrtValue *value)
{
	free(value);
}

static void fake_ReleaseSessionOptions(OrtSessionOptions *options)
{
	free(options);
}

static const void *const *get_api(uint32_t version)
{
	static const void *table[PLACES];

	if (version != BENCH_ORT_VERSION)
		return NULL;
#define FILL(name, place, result, parameters) table[place] = (const void *)fake_##name;
	BENCH_ORT_FUNCTIONS(FILL)
#undef FILL
	return table;
}

static const char *get_version(void)
{
	return "0.0.0-fake";
}

__attribute__((visibility("default"))) const struct bench_ort_base *OrtGetApiBase(void);

const struct bench_ort_base *OrtGetApiBase(void)
{
	static const struct bench_ort_base base = { get_api, get_version };

	return &base;
}
