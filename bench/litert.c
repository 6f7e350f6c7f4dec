// SPDX-License-Identifier: GPL-2.0
/*
 * LiteRT by the C interface of its Python package, which holds no header: what
 * is declared here is as in litert/c of google-ai-edge/LiteRT (litert_model.h,
 * litert_compiled_model.h, litert_tensor_buffer.h, litert_options.h) from
 * version 2.1.6 on, where a model came to need its environment.  One thread,
 * and XNNPACK, which is the default on a CPU.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/runtime.h"
#include "src/host/foreign.h"
#include "src/util/error.h"

/* Of the headers' enumerations: CPU, float32. */
enum { ON_CPU = 1, ELEMENT_FLOAT = 1 };

/* LITERT_HOST_MEMORY_BUFFER_ALIGNMENT */
#define ALIGNMENT 64

/* LiteRtRankedTensorType, whose layout the headers promise to keep. */
struct tensor_type {
	int element;
	unsigned int rank : 7;
	unsigned int has_strides : 1;
	int32_t dims[8];
	uint32_t strides[8];
};

_Static_assert(sizeof(struct tensor_type) == 72, "LiteRtRankedTensorType has 72 bytes");

/* Objects are pointers to what we do not look into. */
typedef struct object *handle;

/* name, result, parameters; a status is 0 or what went wrong */
#define LITERT_FUNCTIONS(F)                                                                      \
	F(LiteRtCreateEnvironment, int, (int n, const void *options, handle *environment))       \
	F(LiteRtDestroyEnvironment, void, (handle environment))                                  \
	F(LiteRtCreateModelFromFile, int, (handle environment, const char *path, handle *model)) \
	F(LiteRtDestroyModel, void, (handle model))                                              \
	F(LiteRtCreateOptions, int, (handle * options))                                          \
	F(LiteRtDestroyOptions, void, (handle options))                                          \
	F(LiteRtSetOptionsHardwareAccelerators, int, (handle options, int which))                \
	F(LiteRtCreateOpaqueOptions, int,                                                        \
	  (const char *kind, void *text, void (*release)(void *), handle *opaque))               \
	F(LiteRtAddOpaqueOptions, int, (handle options, handle opaque))                          \
	F(LiteRtCreateCompiledModel, int,                                                        \
	  (handle environment, handle model, handle options, handle * compiled))                 \
	F(LiteRtDestroyCompiledModel, void, (handle compiled))                                   \
	F(LiteRtCompiledModelResizeInputTensor, int,                                             \
	  (handle compiled, size_t signature, size_t input, const int *dims, size_t n_dims))     \
	F(LiteRtCreateTensorBufferFromHostMemory, int,                                           \
	  (const struct tensor_type *, void *memory, size_t size, void (*release)(void *),       \
	   handle *buffer))                                                                      \
	F(LiteRtDestroyTensorBuffer, void, (handle buffer))                                      \
	F(LiteRtRunCompiledModel, int,                                                           \
	  (handle compiled, size_t signature, size_t n_in, handle *in, size_t n_out, handle *out))

/* Came with the interface above: an older library would take other arguments. */
#define SINCE "LiteRtGetBlockWiseQuantization"

struct litert {
	struct bench_runtime runtime;
#define DECLARE(name, result, parameters) result(*name) parameters;
	LITERT_FUNCTIONS(DECLARE)
#undef DECLARE
	handle environment, model, options, compiled;
	size_t n_rows; /* that the buffers have */
	handle in, out;
	float *rows; /* [BENCH_MAX_ROWS][inputs] */
	float *results; /* [BENCH_MAX_ROWS][outputs] */
};

static const struct mls_foreign library_of = {
	.title = "LiteRT",
	.option = "--litert-library",
	.by_name = { "libLiteRt.so" },
	.environment = "litert",
	.in_package = "ai_edge_litert/libLiteRt.so",
};

static int litert_save(const struct mlsched_model *model, const char *directory, char *path,
		       size_t size, struct mlsched_error *err)
{
	snprintf(path, size, "%s/model.tflite", directory);
	return bench_litert_write(model, path, err);
}

static int failed(struct litert *l, int status, const char *what, struct mlsched_error *err)
{
	return status ? mls_error(err, -EINVAL, "LiteRT %s %s: its status %d", l->runtime.version,
				  what, status) :
			0;
}

static void release_buffers(struct litert *l)
{
	if (l->in)
		l->LiteRtDestroyTensorBuffer(l->in);
	if (l->out)
		l->LiteRtDestroyTensorBuffer(l->out);
	l->in = l->out = NULL;
	l->n_rows = 0;
}

/*
 * It tells standard error what accelerators it looks for and which it lets go,
 * whatever one sets.  Returns what loud() takes.
 */
static int quiet(void)
{
	int saved = dup(STDERR_FILENO), nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

	fflush(stderr);
	if (saved >= 0 && nowhere >= 0)
		dup2(nowhere, STDERR_FILENO);
	if (nowhere >= 0)
		close(nowhere);
	return saved;
}

static void loud(int saved)
{
	if (saved < 0)
		return;
	dup2(saved, STDERR_FILENO);
	close(saved);
}

static void litert_close(struct bench_runtime *runtime)
{
	struct litert *l = (struct litert *)runtime;
	int saved = quiet();

	release_buffers(l);
	if (l->compiled)
		l->LiteRtDestroyCompiledModel(l->compiled);
	if (l->options)
		l->LiteRtDestroyOptions(l->options);
	if (l->model)
		l->LiteRtDestroyModel(l->model);
	if (l->environment)
		l->LiteRtDestroyEnvironment(l->environment);
	loud(saved);
	free(l->rows);
	free(l->results);
	free(l);
}

static int make_buffer(struct litert *l, size_t n_rows, size_t width, float *memory, handle *buffer)
{
	struct tensor_type type = { .element = ELEMENT_FLOAT,
				    .rank = 2,
				    .dims = { (int32_t)n_rows, (int32_t)width } };

	return l->LiteRtCreateTensorBufferFromHostMemory(
		&type, memory, n_rows * width * sizeof(float), NULL, buffer);
}

/* The buffers are memory of our own, which is written and read in place. */
static int make_buffers(struct litert *l, size_t n_rows, struct mlsched_error *err)
{
	uint32_t n_in = mlsched_model_inputs(l->runtime.model);
	int dims[] = { (int)n_rows, (int)n_in };
	int status;

	release_buffers(l);
	status = l->LiteRtCompiledModelResizeInputTensor(l->compiled, 0, 0, dims, 2);
	if (!status)
		status = make_buffer(l, n_rows, n_in, l->rows, &l->in);
	if (!status)
		status = make_buffer(l, n_rows, mlsched_model_outputs(l->runtime.model), l->results,
				     &l->out);
	l->n_rows = n_rows;
	return failed(l, status, "takes no such batch", err);
}

static int litert_predict(struct bench_runtime *runtime, const float *rows, size_t n_rows,
			  float *out, struct mlsched_error *err)
{
	struct litert *l = (struct litert *)runtime;
	int status;

	if (n_rows != l->n_rows && make_buffers(l, n_rows, err) != 0)
		return err->code;
	memcpy(l->rows, rows, n_rows * mlsched_model_inputs(runtime->model) * sizeof(*rows));
	status = l->LiteRtRunCompiledModel(l->compiled, 0, 1, &l->in, 1, &l->out);
	if (status)
		return failed(l, status, "does not compute the model", err);
	memcpy(out, l->results, n_rows * mlsched_model_outputs(runtime->model) * sizeof(*out));
	return 0;
}

/* The library cannot say: its package does, in the name of a directory beside it. */
static void find_version(struct litert *l)
{
	const char *package = "/ai_edge_litert/", *in = strstr(l->runtime.from, package);
	char pattern[320];
	glob_t found;

	if (!in)
		return;
	snprintf(pattern, sizeof(pattern), "%.*s/ai_edge_litert-*.dist-info",
		 (int)(in - l->runtime.from), l->runtime.from);
	if (glob(pattern, 0, NULL, &found) != 0)
		return;
	sscanf(strrchr(found.gl_pathv[0], '/'), "/ai_edge_litert-%63[0-9.]", l->runtime.version);
	/* The dot before "dist-info". */
	if (l->runtime.version[0] && l->runtime.version[strlen(l->runtime.version) - 1] == '.')
		l->runtime.version[strlen(l->runtime.version) - 1] = '\0';
	globfree(&found);
}

static int resolve(struct litert *l, void *library, struct mlsched_error *err)
{
	void *symbol;

#define RESOLVE(name, result, parameters)                                            \
	symbol = dlsym(library, #name);                                              \
	if (!symbol)                                                                 \
		return mls_error(err, -ENOTSUP,                                      \
				 "%s: expected LiteRT's C library, found no " #name, \
				 l->runtime.from);                                   \
	memcpy(&l->name, &symbol, sizeof(symbol));
	LITERT_FUNCTIONS(RESOLVE)
#undef RESOLVE
	if (!dlsym(library, SINCE))
		return mls_error(err, -ENOTSUP,
				 "%s: expected LiteRT 2.1.6 or later, found no " SINCE,
				 l->runtime.from);
	return 0;
}

static int compile(struct litert *l, const char *path)
{
	handle threads = NULL;
	char *text = strdup("num_threads = 1\n");
	int status = text ? 0 : -1;

	if (!status)
		status = l->LiteRtCreateEnvironment(0, NULL, &l->environment);
	if (!status)
		status = l->LiteRtCreateModelFromFile(l->environment, path, &l->model);
	if (!status)
		status = l->LiteRtCreateOptions(&l->options);
	if (!status)
		status = l->LiteRtSetOptionsHardwareAccelerators(l->options, ON_CPU);
	if (!status)
		status = l->LiteRtCreateOpaqueOptions("xnnpack", text, free, &threads);
	if (!threads)
		free(text);
	if (!status)
		status = l->LiteRtAddOpaqueOptions(l->options, threads);
	if (!status)
		status = l->LiteRtCreateCompiledModel(l->environment, l->model, l->options,
						      &l->compiled);
	return status;
}

static int litert_open(const struct bench_runtime_type *type, const struct mlsched_model *model,
		       const char *path, const char *from, struct mlsched_error *err,
		       struct bench_runtime **runtime)
{
	size_t in = (size_t)BENCH_MAX_ROWS * mlsched_model_inputs(model) * sizeof(float);
	size_t out = (size_t)BENCH_MAX_ROWS * mlsched_model_outputs(model) * sizeof(float);
	struct litert *l = calloc(1, sizeof(*l));
	int ret = 0, saved;
	void *library;

	if (!l)
		return mls_error(err, -ENOMEM, "no memory for LiteRT");
	l->runtime.type = type;
	l->runtime.model = model;
	/* BENCH_MAX_ROWS floats are a multiple of the alignment. */
	l->rows = aligned_alloc(ALIGNMENT, in);
	l->results = aligned_alloc(ALIGNMENT, out);
	if (!l->rows || !l->results)
		ret = mls_error(err, -ENOMEM, "no memory for LiteRT");
	if (!ret)
		ret = mls_foreign_open(&library_of, from, &library, l->runtime.from,
				       sizeof(l->runtime.from), err);
	if (!ret)
		find_version(l);
	if (!ret)
		ret = resolve(l, library, err);
	if (!ret) {
		saved = quiet();
		ret = compile(l, path);
		loud(saved);
		ret = failed(l, ret, "does not load the model", err);
	}
	if (ret) {
		litert_close(&l->runtime);
		return ret;
	}
	*runtime = &l->runtime;
	return 0;
}

const struct bench_runtime_type bench_litert = {
	.key = "litert",
	.title = "LiteRT",
	.language = "C",
	.option = "litert-library",
	.install = "make install-runtimes",
	.save = litert_save,
	.open = litert_open,
	.predict = litert_predict,
	.close = litert_close,
};
