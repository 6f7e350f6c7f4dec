// SPDX-License-Identifier: GPL-2.0
/*
 * Stands in for libtensorflow.so.2 in a guest, where the real one, of hundreds of
 * megabytes, has no place: the functions of src/host/tensorflow_api.h, for the two
 * models of tests/live/constant_model.c.  It computes what a model of the logit
 * says that its directory is named after ("-5", "5"), after checking that it is
 * called as the real one has to be: that float32 comes in, in the right shape.
 * That the real library agrees with us is what tests/interop/test_engines.py shows.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
	int code;
	const char *message;
} TF_Status;
typedef struct {
	float probability;
} TF_Session;
typedef struct {
	int64_t dims[2];
	int n_dims;
	int type;
	size_t size;
	float data[];
} TF_Tensor;
typedef struct {
	void *oper;
	int index;
} TF_Output;

static char graph, options, operations[2];

static void set(TF_Status *status, int code, const char *message)
{
	status->code = code;
	status->message = message;
}

const char *TF_Version(void)
{
	return "0.0.0-fake";
}

TF_Status *TF_NewStatus(void)
{
	return calloc(1, sizeof(TF_Status));
}

void TF_DeleteStatus(TF_Status *status)
{
	free(status);
}

int TF_GetCode(const TF_Status *status)
{
	return status->code;
}

const char *TF_Message(const TF_Status *status)
{
	return status->message ? status->message : "";
}

void *TF_NewGraph(void)
{
	return &graph;
}

void TF_DeleteGraph(void *g)
{
	(void)g;
}

void *TF_GraphOperationByName(void *g, const char *name)
{
	(void)g;
	return strncmp(name, "serving_default_", 16) == 0 ? &operations[0] : &operations[1];
}

void *TF_NewSessionOptions(void)
{
	return &options;
}

void TF_DeleteSessionOptions(void *o)
{
	(void)o;
}

void TF_SetConfig(void *o, const void *proto, size_t size, TF_Status *status)
{
	(void)o;
	(void)proto;
	set(status, size == 42 ? 0 : 3, "expected a ConfigProto of 42 bytes");
}

TF_Session *TF_LoadSessionFromSavedModel(const void *o, const void *run_options, const char *path,
					 const char *const *tags, int n_tags, void *g,
					 void *meta_graph, TF_Status *status)
{
	TF_Session *session = calloc(1, sizeof(*session));
	const char *name = strrchr(path, '/');

	(void)o;
	(void)run_options;
	(void)g;
	(void)meta_graph;
	set(status, n_tags == 1 && strcmp(tags[0], "serve") == 0 ? 0 : 5, "expected the tag serve");
	session->probability = 1 / (1 + expf(-strtof(name ? name + 1 : path, NULL)));
	return session;
}

void TF_CloseSession(TF_Session *session, TF_Status *status)
{
	(void)session;
	set(status, 0, NULL);
}

void TF_DeleteSession(TF_Session *session, TF_Status *status)
{
	set(status, 0, NULL);
	free(session);
}

TF_Tensor *TF_AllocateTensor(int type, const int64_t *dims, int n_dims, size_t size)
{
	TF_Tensor *tensor = calloc(1, sizeof(*tensor) + size);

	tensor->type = type;
	tensor->n_dims = n_dims;
	tensor->size = size;
	memcpy(tensor->dims, dims, sizeof(tensor->dims));
	return tensor;
}

void TF_SessionRun(TF_Session *session, const void *run_options, const TF_Output *inputs,
		   TF_Tensor *const *in, int n_inputs, const TF_Output *outputs, TF_Tensor **out,
		   int n_outputs, const void *const *targets, int n_targets, void *metadata,
		   TF_Status *status)
{
	const TF_Tensor *rows = in[0];
	int64_t dims[2] = { rows->dims[0], 1 };

	(void)run_options;
	(void)targets;
	(void)metadata;
	if (n_inputs != 1 || n_outputs != 1 || n_targets || inputs[0].oper != &operations[0] ||
	    outputs[0].oper != &operations[1] || rows->type != 1 || rows->n_dims != 2 ||
	    rows->dims[1] != 10 || rows->size != (size_t)rows->dims[0] * 10 * sizeof(float)) {
		set(status, 3, "expected float32 of shape [?, 10]");
		return;
	}
	set(status, 0, NULL);
	out[0] = TF_AllocateTensor(1, dims, 2, (size_t)dims[0] * sizeof(float));
	for (int64_t i = 0; i < dims[0]; i++)
		out[0]->data[i] = session->probability;
}

void TF_DeleteTensor(TF_Tensor *tensor)
{
	free(tensor);
}

void *TF_TensorData(TF_Tensor *tensor)
{
	return tensor->data;
}

size_t TF_TensorByteSize(const TF_Tensor *tensor)
{
	return tensor->size;
}

int TF_TensorType(const TF_Tensor *tensor)
{
	return tensor->type;
}
