/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The few functions of TensorFlow's C library (its tensorflow/c/c_api.h) that
 * we use, looked up at run time: nothing of ours links with it or needs its
 * headers.  Their types are the same from TensorFlow 2.2 on.
 */
#ifndef MLS_HOST_TENSORFLOW_API_H
#define MLS_HOST_TENSORFLOW_API_H

#include <stddef.h>
#include <stdint.h>

#include <mlsched/error.h>

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

/* TF_DataType: the only one that we hand over. */
#define MLS_TF_FLOAT 1

/* name, result, parameters */
#define MLS_TF_FUNCTIONS(F)                                                                       \
	F(TF_Version, const char *, (void))                                                       \
	F(TF_NewStatus, TF_Status *, (void))                                                      \
	F(TF_DeleteStatus, void, (TF_Status *))                                                   \
	F(TF_GetCode, int, (const TF_Status *))                                                   \
	F(TF_Message, const char *, (const TF_Status *))                                          \
	F(TF_NewGraph, TF_Graph *, (void))                                                        \
	F(TF_DeleteGraph, void, (TF_Graph *))                                                     \
	F(TF_GraphOperationByName, TF_Operation *, (TF_Graph *, const char *name))                \
	F(TF_NewSessionOptions, TF_SessionOptions *, (void))                                      \
	F(TF_DeleteSessionOptions, void, (TF_SessionOptions *))                                   \
	F(TF_SetConfig, void, (TF_SessionOptions *, const void *proto, size_t size, TF_Status *)) \
	F(TF_LoadSessionFromSavedModel, TF_Session *,                                             \
	  (const TF_SessionOptions *, const void *run_options, const char *path,                  \
	   const char *const *tags, int n_tags, TF_Graph *, void *meta_graph, TF_Status *))       \
	F(TF_CloseSession, void, (TF_Session *, TF_Status *))                                     \
	F(TF_DeleteSession, void, (TF_Session *, TF_Status *))                                    \
	F(TF_SessionRun, void,                                                                    \
	  (TF_Session *, const void *run_options, const TF_Output *inputs, TF_Tensor *const *in,  \
	   int n_inputs, const TF_Output *outputs, TF_Tensor **out, int n_outputs,                \
	   const TF_Operation *const *targets, int n_targets, void *metadata, TF_Status *))       \
	F(TF_AllocateTensor, TF_Tensor *,                                                         \
	  (int type, const int64_t *dims, int n_dims, size_t size))                               \
	F(TF_DeleteTensor, void, (TF_Tensor *))                                                   \
	F(TF_TensorData, void *, (const TF_Tensor *))                                             \
	F(TF_TensorByteSize, size_t, (const TF_Tensor *))                                         \
	F(TF_TensorType, int, (const TF_Tensor *))

/**
 * struct mls_tensorflow - the library
 * @path: where it came from
 */
struct mls_tensorflow {
	void *handle;
	char path[256];
#define MLS_TF_DECLARE(name, result, parameters) result(*name) parameters;
	MLS_TF_FUNCTIONS(MLS_TF_DECLARE)
#undef MLS_TF_DECLARE
};

/**
 * mls_tensorflow_load() - find it and look its functions up
 * @library: the file, or NULL: what the system's loader finds, then that of a
 *           Python package in the usual places
 *
 * It stays loaded until the process ends: TensorFlow cannot be unloaded.
 * Return: 0; -ENOENT with all places that were looked at; -ENOTSUP when a
 * file is no TensorFlow, with what is missing in it.
 */
int mls_tensorflow_load(const char *library, struct mls_tensorflow *tf, struct mlsched_error *err);

#endif /* MLS_HOST_TENSORFLOW_API_H */
