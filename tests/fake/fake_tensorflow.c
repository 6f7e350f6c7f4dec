// SPDX-License-Identifier: GPL-2.0
/*
 * TensorFlow's C library as the engine sees it, for tests without TensorFlow:
 * it writes down the type, shape and size of every tensor that it is asked for,
 * and computes by our own library.  FAKE_TF_LOG names the file; FAKE_TF_TYPE
 * is the type that results are said to have (1: float32).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mlsched/model.h>

#include "src/host/tensorflow_api.h"

struct TF_Status {
	char message[MLSCHED_ERROR_SIZE];
};

struct TF_Graph {
	int unused;
};

struct TF_SessionOptions {
	int unused;
};

struct TF_Session {
	struct mlsched_model *model;
};

struct TF_Tensor {
	int type;
	int64_t rows;
	size_t size;
	float data[];
};

#define DECLARE(name, result, parameters) \
	__attribute__((visibility("default"))) result name parameters;
MLS_TF_FUNCTIONS(DECLARE)

static struct TF_Tensor *new_tensor(int type, int64_t rows, size_t size)
{
	struct TF_Tensor *tensor = calloc(1, sizeof(*tensor) + size);

	if (!tensor)
		abort();
	tensor->type = type;
	tensor->rows = rows;
	tensor->size = size;
	return tensor;
}

static void *object(size_t size)
{
	void *made = calloc(1, size);

	if (!made)
		abort();
	return made;
}

const char *TF_Version(void)
{
	return "0.0.0-fake";
}

TF_Status *TF_NewStatus(void)
{
	return object(sizeof(TF_Status));
}

void TF_DeleteStatus(TF_Status *status)
{
	free(status);
}

int TF_GetCode(const TF_Status *status)
{
	return status->message[0] != 0;
}

const char *TF_Message(const TF_Status *status)
{
	return status->message;
}

TF_Graph *TF_NewGraph(void)
{
	return object(sizeof(TF_Graph));
}

void TF_DeleteGraph(TF_Graph *graph)
{
	free(graph);
}

/* Nothing but its address is used. */
TF_Operation *TF_GraphOperationByName(TF_Graph *graph, const char *name)
{
	(void)name;
	return (TF_Operation *)graph;
}

TF_SessionOptions *TF_NewSessionOptions(void)
{
	return object(sizeof(TF_SessionOptions));
}

void TF_DeleteSessionOptions(TF_SessionOptions *options)
{
	free(options);
}

void TF_SetConfig(TF_SessionOptions *options, const void *proto, size_t size, TF_Status *status)
{
	(void)options;
	(void)proto;
	(void)size;
	status->message[0] = 0;
}

TF_Session *TF_LoadSessionFromSavedModel(const TF_SessionOptions *options, const void *run_options,
					 const char *path, const char *const *tags, int n_tags,
					 TF_Graph *graph, void *meta_graph, TF_Status *status)
{
	TF_Session *session = object(sizeof(*session));
	struct mlsched_error err = { 0 };

	(void)options;
	(void)run_options;
	(void)tags;
	(void)n_tags;
	(void)graph;
	(void)meta_graph;
	status->message[0] = 0;
	if (mlsched_model_load(path, &err, &session->model) != 0)
		memcpy(status->message, err.message, sizeof(status->message));
	return session;
}

void TF_CloseSession(TF_Session *session, TF_Status *status)
{
	(void)session;
	status->message[0] = 0;
}

void TF_DeleteSession(TF_Session *session, TF_Status *status)
{
	status->message[0] = 0;
	mlsched_model_free(session->model);
	free(session);
}

void TF_SessionRun(TF_Session *session, const void *run_options, const TF_Output *inputs,
		   TF_Tensor *const *in, int n_inputs, const TF_Output *outputs, TF_Tensor **out,
		   int n_outputs, const TF_Operation *const *targets, int n_targets, void *metadata,
		   TF_Status *status)
{
	const char *type = getenv("FAKE_TF_TYPE");
	size_t n = (size_t)in[0]->rows;

	(void)run_options;
	(void)inputs;
	(void)n_inputs;
	(void)outputs;
	(void)n_outputs;
	(void)targets;
	(void)n_targets;
	(void)metadata;
	/* As TensorFlow does when it is given float64: nothing is computed. */
	status->message[0] = 0;
	if (in[0]->type != MLS_TF_FLOAT) {
		snprintf(status->message, sizeof(status->message), "expected float, found type %d",
			 in[0]->type);
		return;
	}
	out[0] = new_tensor(type ? atoi(type) : MLS_TF_FLOAT, in[0]->rows,
			    n * mlsched_model_outputs(session->model) * sizeof(float));
	mlsched_model_predict(session->model, in[0]->data, n, out[0]->data);
}

TF_Tensor *TF_AllocateTensor(int type, const int64_t *dims, int n_dims, size_t size)
{
	const char *path = getenv("FAKE_TF_LOG");
	FILE *log = path ? fopen(path, "a") : NULL;

	if (log) {
		fprintf(log, "type %d, [%lld, %lld] of %d, %zu bytes\n", type, (long long)dims[0],
			n_dims > 1 ? (long long)dims[1] : 0, n_dims, size);
		fclose(log);
	}
	return new_tensor(type, dims[0], size);
}

void TF_DeleteTensor(TF_Tensor *tensor)
{
	free(tensor);
}

void *TF_TensorData(const TF_Tensor *tensor)
{
	return (void *)tensor->data;
}

size_t TF_TensorByteSize(const TF_Tensor *tensor)
{
	return tensor->size;
}

int TF_TensorType(const TF_Tensor *tensor)
{
	return tensor->type;
}
