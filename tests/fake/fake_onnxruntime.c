// SPDX-License-Identifier: GPL-2.0
/*
 * ONNX Runtime's C library as `mlsched bench` sees it, for tests without it: a
 * table whose places are those that onnxruntime_c_api.h gives, computing by our
 * own library.  FAKE_ORT_OFF is added to every result; FAKE_ORT_ERROR is what
 * Run says instead of computing.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <mlsched/model.h>

#define EXPORT __attribute__((visibility("default")))

/* Places of the table, and how many we fill. */
enum {
	GET_ERROR_MESSAGE = 2,
	CREATE_ENV = 3,
	CREATE_SESSION = 7,
	RUN = 9,
	CREATE_SESSION_OPTIONS = 10,
	SET_OPTIMIZATION = 23,
	SET_INTRA = 24,
	SET_INTER = 25,
	INPUT_NAME = 36,
	OUTPUT_NAME = 37,
	CREATE_TENSOR = 49,
	CREATE_CPU_MEMORY = 69,
	ALLOCATOR_FREE = 76,
	GET_ALLOCATOR = 78,
	RELEASE_ENV = 92,
	RELEASE_STATUS = 93,
	RELEASE_MEMORY = 94,
	RELEASE_SESSION = 95,
	RELEASE_VALUE = 96,
	RELEASE_OPTIONS = 100,
	PLACES = 101,
};

struct value {
	float *data;
	int64_t rows;
};

/* A status is its message, as malloc() gave it. */
static const char *get_error_message(const char *status)
{
	return status;
}

static char *make(void **object, size_t size)
{
	*object = calloc(1, size);
	return *object ? NULL : strdup("no memory");
}

static char *create_env(int level, const char *name, void **env)
{
	(void)level;
	(void)name;
	return make(env, 1);
}

static char *create_session(const void *env, const char *path, const void *options, void **session)
{
	struct mlsched_error err;
	struct mlsched_model *model;

	(void)env;
	(void)options;
	if (mlsched_model_load(path, &err, &model) != 0)
		return strdup(err.message);
	*session = model;
	return NULL;
}

static char *run(void *session, const void *options, const char *const *in_names,
		 const struct value *const *in, size_t n_in, const char *const *out_names,
		 size_t n_out, struct value **out)
{
	const char *error = getenv("FAKE_ORT_ERROR"), *off = getenv("FAKE_ORT_OFF");
	size_t n = (size_t)in[0]->rows * mlsched_model_outputs(session);

	(void)options;
	if (error)
		return strdup(error);
	if (n_in != 1 || n_out != 1 || strcmp(in_names[0], "in") != 0 ||
	    strcmp(out_names[0], "out") != 0)
		return strdup("expected the names that the session gave");
	mlsched_model_predict(session, in[0]->data, (size_t)in[0]->rows, out[0]->data);
	for (size_t i = 0; off && i < n; i++)
		out[0]->data[i] += strtof(off, NULL);
	return NULL;
}

static char *create_options(void **options)
{
	return make(options, 1);
}

/* All optimisations, one thread: what is expected of who measures. */
static char *set_optimization(void *options, int level)
{
	(void)options;
	return level == 99 ? NULL : strdup("expected all optimisations");
}

static char *set_threads(void *options, int n)
{
	(void)options;
	return n == 1 ? NULL : strdup("expected one thread");
}

static char *input_name(const void *session, size_t index, void *allocator, char **name)
{
	(void)session;
	(void)index;
	(void)allocator;
	*name = strdup("in");
	return NULL;
}

static char *output_name(const void *session, size_t index, void *allocator, char **name)
{
	(void)session;
	(void)index;
	(void)allocator;
	*name = strdup("out");
	return NULL;
}

static char *create_tensor(const void *memory, void *data, size_t size, const int64_t *shape,
			   size_t n_shape, int type, struct value **value)
{
	char *status;

	(void)memory;
	if (type != 1 || n_shape != 2 || size != sizeof(float) * (size_t)(shape[0] * shape[1]))
		return strdup("expected rows of float32");
	status = make((void **)value, sizeof(**value));
	if (status)
		return status;
	(*value)->data = data;
	(*value)->rows = shape[0];
	return NULL;
}

static char *create_memory(int allocator, int kind, void **memory)
{
	(void)allocator;
	(void)kind;
	return make(memory, 1);
}

static char *get_allocator(void **allocator)
{
	static int only;

	*allocator = &only;
	return NULL;
}

static char *allocator_free(void *allocator, void *memory)
{
	(void)allocator;
	free(memory);
	return NULL;
}

static void release_session(void *session)
{
	mlsched_model_free(session);
}

static const void *const *get_api(uint32_t version)
{
	static const void *table[PLACES];

	if (version != 1)
		return NULL;
	table[GET_ERROR_MESSAGE] = get_error_message;
	table[CREATE_ENV] = create_env;
	table[CREATE_SESSION] = create_session;
	table[RUN] = run;
	table[CREATE_SESSION_OPTIONS] = create_options;
	table[SET_OPTIMIZATION] = set_optimization;
	table[SET_INTRA] = table[SET_INTER] = set_threads;
	table[INPUT_NAME] = input_name;
	table[OUTPUT_NAME] = output_name;
	table[CREATE_TENSOR] = create_tensor;
	table[CREATE_CPU_MEMORY] = create_memory;
	table[ALLOCATOR_FREE] = allocator_free;
	table[GET_ALLOCATOR] = get_allocator;
	table[RELEASE_SESSION] = release_session;
	table[RELEASE_ENV] = table[RELEASE_STATUS] = table[RELEASE_MEMORY] = free;
	table[RELEASE_VALUE] = table[RELEASE_OPTIONS] = free;
	return table;
}

static const char *get_version(void)
{
	return "0.0.0-fake";
}

struct api_base {
	const void *const *(*get_api)(uint32_t version);
	const char *(*get_version)(void);
};

EXPORT const struct api_base *OrtGetApiBase(void);

const struct api_base *OrtGetApiBase(void)
{
	static const struct api_base base = { get_api, get_version };

	return &base;
}
