// SPDX-License-Identifier: GPL-2.0
/*
 * Loads SavedModels with TensorFlow's C library, as a C or C++ server does, and
 * prints what comes out.  For tests/interop: compiled there, no part of mlsched.
 *
 *   tf_c_load LIBRARY < LIST
 *
 * LIBRARY is libtensorflow_cc.so.2 of a Python wheel; it is opened at run time,
 * so that one program serves every version and needs no headers: what it uses
 * of c_api.h is declared below.  Each line of LIST is
 *
 *   DIRECTORY INPUT_OPERATION OUTPUT_OPERATION WIDTH ROWS_FILE
 *
 * with the rows as raw float32.  For each comes a line "model DIRECTORY N_ROWS"
 * and N_ROWS lines of outputs, or a line "error DIRECTORY MESSAGE".
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct TF_Status TF_Status;
typedef struct TF_Graph TF_Graph;
typedef struct TF_Session TF_Session;
typedef struct TF_SessionOptions TF_SessionOptions;
typedef struct TF_Operation TF_Operation;
typedef struct TF_Tensor TF_Tensor;
typedef struct {
	TF_Operation *oper;
	int index;
} TF_Output;

enum { TF_FLOAT = 1 };

/* name, result, parameters */
#define TF_FUNCTIONS(F)                                                                          \
	F(TF_Version, const char *, (void))                                                      \
	F(TF_NewStatus, TF_Status *, (void))                                                     \
	F(TF_DeleteStatus, void, (TF_Status *))                                                  \
	F(TF_GetCode, int, (const TF_Status *))                                                  \
	F(TF_Message, const char *, (const TF_Status *))                                         \
	F(TF_NewGraph, TF_Graph *, (void))                                                       \
	F(TF_DeleteGraph, void, (TF_Graph *))                                                    \
	F(TF_GraphOperationByName, TF_Operation *, (TF_Graph *, const char *))                   \
	F(TF_NewSessionOptions, TF_SessionOptions *, (void))                                     \
	F(TF_DeleteSessionOptions, void, (TF_SessionOptions *))                                  \
	F(TF_LoadSessionFromSavedModel, TF_Session *,                                            \
	  (const TF_SessionOptions *, const void *run_options, const char *path,                 \
	   const char *const *tags, int n_tags, TF_Graph *, void *meta_graph, TF_Status *))      \
	F(TF_CloseSession, void, (TF_Session *, TF_Status *))                                    \
	F(TF_DeleteSession, void, (TF_Session *, TF_Status *))                                   \
	F(TF_SessionRun, void,                                                                   \
	  (TF_Session *, const void *run_options, const TF_Output *inputs, TF_Tensor *const *in, \
	   int n_inputs, const TF_Output *outputs, TF_Tensor **out, int n_outputs,               \
	   const TF_Operation *const *targets, int n_targets, void *metadata, TF_Status *))      \
	F(TF_AllocateTensor, TF_Tensor *, (int type, const int64_t *dims, int n_dims, size_t))   \
	F(TF_DeleteTensor, void, (TF_Tensor *))                                                  \
	F(TF_TensorData, void *, (const TF_Tensor *))                                            \
	F(TF_TensorType, int, (const TF_Tensor *))                                               \
	F(TF_NumDims, int, (const TF_Tensor *))                                                  \
	F(TF_Dim, int64_t, (const TF_Tensor *, int))

struct tf {
#define DECLARE(name, result, parameters) result(*name) parameters;
	TF_FUNCTIONS(DECLARE)
#undef DECLARE
};

static int open_library(const char *path, struct tf *tf)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	void *symbol;

	if (!library) {
		fprintf(stderr, "tf_c_load: %s\n", dlerror());
		return -1;
	}
#define RESOLVE(name, result, parameters)                                  \
	symbol = dlsym(library, #name);                                    \
	if (!symbol) {                                                     \
		fprintf(stderr, "tf_c_load: %s has no " #name "\n", path); \
		return -1;                                                 \
	}                                                                  \
	memcpy(&tf->name, &symbol, sizeof(symbol));
	TF_FUNCTIONS(RESOLVE)
#undef RESOLVE
	return 0;
}

/* The rows of a file as a tensor, or NULL. */
static TF_Tensor *read_rows(const struct tf *tf, const char *path, int64_t width)
{
	TF_Tensor *tensor = NULL;
	FILE *file = fopen(path, "rb");
	size_t row_size = (size_t)width * sizeof(float);
	int64_t dims[2] = { 0, width };

	if (!file || fseek(file, 0, SEEK_END) != 0)
		goto out;
	dims[0] = ftell(file) / (int64_t)row_size;
	rewind(file);
	tensor = tf->TF_AllocateTensor(TF_FLOAT, dims, 2, (size_t)dims[0] * row_size);
	if (tensor &&
	    fread(tf->TF_TensorData(tensor), row_size, (size_t)dims[0], file) != (size_t)dims[0]) {
		tf->TF_DeleteTensor(tensor);
		tensor = NULL;
	}
out:
	if (file)
		fclose(file);
	return tensor;
}

static void print_outputs(const struct tf *tf, const char *path, const TF_Tensor *tensor)
{
	const float *value = tf->TF_TensorData(tensor);
	int64_t n_rows = tf->TF_Dim(tensor, 0), n_out = tf->TF_Dim(tensor, 1);

	printf("model %s %lld\n", path, (long long)n_rows);
	for (int64_t row = 0; row < n_rows; row++) {
		for (int64_t i = 0; i < n_out; i++)
			printf("%s%.9g", i ? " " : "", (double)*value++);
		putchar('\n');
	}
}

static void run_model(const struct tf *tf, const char *path, const char *in_name,
		      const char *out_name, TF_Tensor *rows)
{
	static const char *const tags[] = { "serve" };
	TF_SessionOptions *options = tf->TF_NewSessionOptions();
	TF_Status *status = tf->TF_NewStatus();
	TF_Graph *graph = tf->TF_NewGraph();
	TF_Tensor *result = NULL;
	TF_Session *session =
		tf->TF_LoadSessionFromSavedModel(options, NULL, path, tags, 1, graph, NULL, status);
	TF_Output in, out;

	if (tf->TF_GetCode(status) != 0) {
		printf("error %s %s\n", path, tf->TF_Message(status));
		goto out;
	}
	in = (TF_Output){ tf->TF_GraphOperationByName(graph, in_name), 0 };
	out = (TF_Output){ tf->TF_GraphOperationByName(graph, out_name), 0 };
	if (!in.oper || !out.oper) {
		printf("error %s no operation %s\n", path, in.oper ? out_name : in_name);
		goto out_session;
	}
	tf->TF_SessionRun(session, NULL, &in, &rows, 1, &out, &result, 1, NULL, 0, NULL, status);
	if (tf->TF_GetCode(status) != 0)
		printf("error %s %s\n", path, tf->TF_Message(status));
	else if (tf->TF_TensorType(result) != TF_FLOAT || tf->TF_NumDims(result) != 2)
		printf("error %s the output is no float32 matrix\n", path);
	else
		print_outputs(tf, path, result);
	if (result)
		tf->TF_DeleteTensor(result);
out_session:
	tf->TF_CloseSession(session, status);
	tf->TF_DeleteSession(session, status);
out:
	tf->TF_DeleteGraph(graph);
	tf->TF_DeleteStatus(status);
	tf->TF_DeleteSessionOptions(options);
}

int main(int argc, char **argv)
{
	char path[4096], in_name[256], out_name[256], rows_path[4096];
	struct tf tf = { 0 };
	int width;

	if (argc != 2 || open_library(argv[1], &tf) != 0)
		return 1;
	printf("version %s\n", tf.TF_Version());
	while (scanf("%4095s %255s %255s %d %4095s", path, in_name, out_name, &width, rows_path) ==
	       5) {
		TF_Tensor *rows = read_rows(&tf, rows_path, width);

		if (!rows) {
			fprintf(stderr, "tf_c_load: %s: cannot be read\n", rows_path);
			return 1;
		}
		run_model(&tf, path, in_name, out_name, rows);
		tf.TF_DeleteTensor(rows);
	}
	return 0;
}
