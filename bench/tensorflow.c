// SPDX-License-Identifier: GPL-2.0
/*
 * TensorFlow's C library, as the engine of `mlsched run` calls it, with the
 * options that make it quickest there.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/runtime.h"
#include "src/host/engine.h"
#include "src/util/error.h"

struct tensorflow {
	struct bench_runtime runtime;
	struct mls_engine *engine;
};

static int tensorflow_save(const struct mlsched_model *model, const char *directory, char *path,
			   size_t size, struct mlsched_error *err)
{
	snprintf(path, size, "%s/model", directory);
	return mlsched_model_save(model, path, MLSCHED_SAVEDMODEL_VARIABLES, err);
}

static void tensorflow_close(struct bench_runtime *runtime)
{
	struct tensorflow *t = (struct tensorflow *)runtime;

	mls_engine_close(t->engine);
	free(t);
}

static int tensorflow_open(const struct bench_runtime_type *type, const struct mlsched_model *model,
			   const char *path, const char *from, struct mlsched_error *err,
			   struct bench_runtime **runtime)
{
	struct tensorflow *t = calloc(1, sizeof(*t));
	int ret;

	if (!t)
		return mls_error(err, -ENOMEM, "no memory for TensorFlow");
	t->runtime.type = type;
	t->runtime.model = model;
	ret = mls_engine_open_tensorflow(model, path, from, err, &t->engine);
	if (ret) {
		free(t);
		return ret;
	}
	/* "TensorFlow 2.21.0, float32, /usr/lib/..." */
	sscanf(t->engine->what, "TensorFlow %63[^,], float32, %255[^\n]", t->runtime.version,
	       t->runtime.from);
	*runtime = &t->runtime;
	return 0;
}

static int tensorflow_predict(struct bench_runtime *runtime, const float *rows, size_t n_rows,
			      float *out, struct mlsched_error *err)
{
	return mls_engine_predict(((struct tensorflow *)runtime)->engine, rows, n_rows, out, err);
}

const struct bench_runtime_type bench_tensorflow = {
	.key = "tensorflow",
	.title = "TensorFlow",
	.language = "C",
	.option = "tensorflow-library",
	.install = "make install-deps-tf",
	.save = tensorflow_save,
	.open = tensorflow_open,
	.predict = tensorflow_predict,
	.close = tensorflow_close,
};
