// SPDX-License-Identifier: GPL-2.0
/*
 * TensorFlow's C library and its functions; foreign.c finds the file.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "src/host/foreign.h"
#include "src/host/tensorflow_api.h"
#include "src/util/error.h"

static const struct mls_foreign library_of = {
	.title = "TensorFlow",
	.option = "--tensorflow-library",
	/* TensorFlow's own archive, and a distribution's. */
	.by_name = { "libtensorflow.so.2", "libtensorflow_cc.so.2" },
	.environment = "tensorflow",
	/* Its own search path finds the second library beside it. */
	.in_package = "tensorflow/libtensorflow_cc.so.2",
};

static int resolve(struct mls_tensorflow *tf, struct mlsched_error *err)
{
	void *symbol;

#define RESOLVE(name, result, parameters)                                                \
	symbol = dlsym(tf->handle, #name);                                               \
	if (!symbol)                                                                     \
		return mls_error(err, -ENOTSUP,                                          \
				 "%s: expected TensorFlow's C library, found no " #name, \
				 tf->path);                                              \
	memcpy(&tf->name, &symbol, sizeof(symbol));
	MLS_TF_FUNCTIONS(RESOLVE)
#undef RESOLVE
	return 0;
}

int mls_tensorflow_load(const char *library, struct mls_tensorflow *tf, struct mlsched_error *err)
{
	int ret;

	memset(tf, 0, sizeof(*tf));
	/* Before it starts: it tells standard error about itself, and about oneDNN, which would
	 * add in another order. */
	setenv("TF_CPP_MIN_LOG_LEVEL", "2", 0);
	setenv("TF_ENABLE_ONEDNN_OPTS", "0", 0);
	ret = mls_foreign_open(&library_of, library, &tf->handle, tf->path, sizeof(tf->path), err);
	return ret ? ret : resolve(tf, err);
}
