// SPDX-License-Identifier: GPL-2.0
/*
 * ONNX Runtime by its C interface, with the ONNX file that `mlsched convert`
 * writes: one thread, all optimisations, tensors that are made once.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mlsched/format.h>

#include "bench/onnxruntime_api.h"
#include "bench/runtime.h"
#include "src/host/foreign.h"
#include "src/util/error.h"

struct onnxruntime {
	struct bench_runtime runtime;
#define DECLARE(name, place, result, parameters) result(*name) parameters;
	BENCH_ORT_FUNCTIONS(DECLARE)
#undef DECLARE
	OrtEnv *env;
	OrtSession *session;
	OrtMemoryInfo *memory;
	void *allocator;
	char *in_name, *out_name; /* the allocator's */
	size_t n_rows; /* that the tensors have */
	OrtValue *in, *out;
	float *rows; /* [BENCH_MAX_ROWS][inputs] */
	float *results; /* [BENCH_MAX_ROWS][outputs] */
};

static const struct mls_foreign library_of = {
	.title = "ONNX Runtime",
	.option = "--onnxruntime-library",
	.by_name = { "libonnxruntime.so.1", "libonnxruntime.so" },
	.environment = "onnx",
	.in_package = "onnxruntime/capi/libonnxruntime.so.1*",
};

static int onnxruntime_save(const struct mlsched_model *model, const char *directory, char *path,
			    size_t size, struct mlsched_error *err)
{
	snprintf(path, size, "%s/model.onnx", directory);
	return mlsched_model_write(model, path, NULL, NULL, err);
}

/* Takes @status; 0 when there is none. */
static int failed(struct onnxruntime *o, OrtStatus *status, const char *what,
		  struct mlsched_error *err)
{
	int ret;

	if (!status)
		return 0;
	ret = mls_error(err, -EINVAL, "ONNX Runtime %s %s: %.300s", o->runtime.version, what,
			o->GetErrorMessage(status));
	o->ReleaseStatus(status);
	return ret;
}

static void release_tensors(struct onnxruntime *o)
{
	if (o->in)
		o->ReleaseValue(o->in);
	if (o->out)
		o->ReleaseValue(o->out);
	o->in = o->out = NULL;
	o->n_rows = 0;
}

static void onnxruntime_close(struct bench_runtime *runtime)
{
	struct onnxruntime *o = (struct onnxruntime *)runtime;

	release_tensors(o);
	if (o->in_name)
		o->AllocatorFree(o->allocator, o->in_name);
	if (o->out_name)
		o->AllocatorFree(o->allocator, o->out_name);
	if (o->memory)
		o->ReleaseMemoryInfo(o->memory);
	if (o->session)
		o->ReleaseSession(o->session);
	if (o->env)
		o->ReleaseEnv(o->env);
	free(o->rows);
	free(o->results);
	free(o);
}

/* The tensors are over memory of our own: nothing is allocated in a call. */
static int make_tensors(struct onnxruntime *o, size_t n_rows, struct mlsched_error *err)
{
	int64_t n_in = mlsched_model_inputs(o->runtime.model);
	int64_t n_out = mlsched_model_outputs(o->runtime.model);
	int64_t in[] = { (int64_t)n_rows, n_in }, out[] = { (int64_t)n_rows, n_out };
	OrtStatus *status;

	release_tensors(o);
	status = o->CreateTensorWithDataAsOrtValue(o->memory, o->rows,
						   n_rows * (size_t)n_in * sizeof(float), in, 2,
						   BENCH_ORT_ELEMENT_FLOAT, &o->in);
	if (!status)
		status = o->CreateTensorWithDataAsOrtValue(o->memory, o->results,
							   n_rows * (size_t)n_out * sizeof(float),
							   out, 2, BENCH_ORT_ELEMENT_FLOAT,
							   &o->out);
	o->n_rows = n_rows;
	return failed(o, status, "makes no tensor", err);
}

static int onnxruntime_predict(struct bench_runtime *runtime, const float *rows, size_t n_rows,
			       float *out, struct mlsched_error *err)
{
	struct onnxruntime *o = (struct onnxruntime *)runtime;
	const char *const in_names[] = { o->in_name }, *const out_names[] = { o->out_name };
	const OrtValue *in[1];
	OrtStatus *status;

	if (n_rows != o->n_rows && make_tensors(o, n_rows, err) != 0)
		return err->code;
	in[0] = o->in;
	memcpy(o->rows, rows, n_rows * mlsched_model_inputs(runtime->model) * sizeof(*rows));
	status = o->Run(o->session, NULL, in_names, in, 1, out_names, 1, &o->out);
	if (status)
		return failed(o, status, "does not compute the model", err);
	memcpy(out, o->results, n_rows * mlsched_model_outputs(runtime->model) * sizeof(*out));
	return 0;
}

static int resolve(struct onnxruntime *o, void *library, struct mlsched_error *err)
{
	void *symbol = dlsym(library, "OrtGetApiBase");
	const struct bench_ort_base *(*get_base)(void);
	const void *const *table;

	if (!symbol)
		return mls_error(err, -ENOTSUP,
				 "%s: expected ONNX Runtime's C library, found no OrtGetApiBase",
				 o->runtime.from);
	memcpy(&get_base, &symbol, sizeof(symbol));
	snprintf(o->runtime.version, sizeof(o->runtime.version), "%s", get_base()->get_version());
	table = get_base()->get_api(BENCH_ORT_VERSION);
	if (!table)
		return mls_error(err, -ENOTSUP, "%s: version %s has no interface %d any more",
				 o->runtime.from, o->runtime.version, BENCH_ORT_VERSION);
#define RESOLVE(name, place, result, parameters) memcpy(&o->name, &table[place], sizeof(o->name));
	BENCH_ORT_FUNCTIONS(RESOLVE)
#undef RESOLVE
	return 0;
}

static int make_session(struct onnxruntime *o, const char *path, struct mlsched_error *err)
{
	OrtSessionOptions *options = NULL;
	OrtStatus *status = o->CreateEnv(BENCH_ORT_LOG_ERROR, "mlsched", &o->env);

	if (!status)
		status = o->CreateSessionOptions(&options);
	if (!status)
		status = o->SetSessionGraphOptimizationLevel(options, BENCH_ORT_OPTIMISE_ALL);
	if (!status)
		status = o->SetIntraOpNumThreads(options, 1);
	if (!status)
		status = o->SetInterOpNumThreads(options, 1);
	if (!status)
		status = o->CreateSession(o->env, path, options, &o->session);
	if (options)
		o->ReleaseSessionOptions(options);
	if (!status)
		status = o->GetAllocatorWithDefaultOptions(&o->allocator);
	if (!status)
		status = o->SessionGetInputName(o->session, 0, o->allocator, &o->in_name);
	if (!status)
		status = o->SessionGetOutputName(o->session, 0, o->allocator, &o->out_name);
	if (!status)
		status = o->CreateCpuMemoryInfo(BENCH_ORT_ARENA_ALLOCATOR, BENCH_ORT_MEM_DEFAULT,
						&o->memory);
	return failed(o, status, "does not load the model", err);
}

static int onnxruntime_open(const struct bench_runtime_type *type,
			    const struct mlsched_model *model, const char *path, const char *from,
			    struct mlsched_error *err, struct bench_runtime **runtime)
{
	struct onnxruntime *o = calloc(1, sizeof(*o));
	void *library;
	int ret = 0;

	if (!o)
		return mls_error(err, -ENOMEM, "no memory for ONNX Runtime");
	o->runtime.type = type;
	o->runtime.model = model;
	o->rows = calloc(BENCH_MAX_ROWS, mlsched_model_inputs(model) * sizeof(float));
	o->results = calloc(BENCH_MAX_ROWS, mlsched_model_outputs(model) * sizeof(float));
	if (!o->rows || !o->results)
		ret = mls_error(err, -ENOMEM, "no memory for ONNX Runtime");
	if (!ret)
		ret = mls_foreign_open(&library_of, from, &library, o->runtime.from,
				       sizeof(o->runtime.from), err);
	if (!ret)
		ret = resolve(o, library, err);
	if (!ret)
		ret = make_session(o, path, err);
	if (ret) {
		onnxruntime_close(&o->runtime);
		return ret;
	}
	*runtime = &o->runtime;
	return 0;
}

const struct bench_runtime_type bench_onnxruntime = {
	.key = "onnxruntime",
	.title = "ONNX Runtime",
	.language = "C",
	.option = "onnxruntime-library",
	.install = "make install-runtimes",
	.save = onnxruntime_save,
	.open = onnxruntime_open,
	.predict = onnxruntime_predict,
	.close = onnxruntime_close,
};
