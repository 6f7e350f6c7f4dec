// SPDX-License-Identifier: GPL-2.0
/*
 * What engines have in common, and the native one.  TensorFlow's is
 * tensorflow.c.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/host/engine.h"
#include "src/util/error.h"

/* Rows on the stack at a time. */
#define CHUNK 32

static int native_predict(struct mls_engine *e, const float *rows, size_t n_rows, float *out,
			  struct mlsched_error *err)
{
	(void)err;
	mlsched_model_predict(e->model, rows, n_rows, out);
	return 0;
}

static int native_decide(struct mls_engine *e, const float *rows, size_t n_rows,
			 struct mlsched_verdict *verdicts, struct mlsched_error *err)
{
	return mlsched_decide_features(e->model, rows, n_rows, mlsched_model_inputs(e->model),
				       verdicts, err);
}

static void native_close(struct mls_engine *e)
{
	free(e);
}

static const struct mls_engine_type native = {
	.name = "native",
	.predict = native_predict,
	.decide = native_decide,
	.close = native_close,
};

int mls_engine_open_native(const struct mlsched_model *model, struct mlsched_error *err,
			   struct mls_engine **engine)
{
	struct mls_engine *e = calloc(1, sizeof(*e));

	if (!e)
		return mls_error(err, -ENOMEM, "no memory for the engine");
	e->type = &native;
	e->model = model;
	e->users = 1;
	snprintf(e->what, sizeof(e->what), "float32, %s code",
		 mlsched_isa_name(mlsched_model_isa(model)));
	*engine = e;
	return 0;
}

int mls_engine_open(const char *name, const struct mlsched_model *model, const char *path,
		    const char *library, struct mlsched_error *err, struct mls_engine **engine)
{
	if (strcmp(name, "native") == 0)
		return mls_engine_open_native(model, err, engine);
	if (strcmp(name, "tensorflow") == 0)
		return mls_engine_open_tensorflow(model, path, library, err, engine);
	return mls_error(err, -EINVAL, "expected an engine native or tensorflow, got \"%.40s\"",
			 name);
}

bool mls_engine_reads_path(const char *name)
{
	return strcmp(name, "tensorflow") == 0;
}

int mls_engine_predict(struct mls_engine *e, const float *rows, size_t n_rows, float *out,
		       struct mlsched_error *err)
{
	return n_rows ? e->type->predict(e, rows, n_rows, out, err) : 0;
}

/* The inverse of what the last layer does to the sum in front of it. */
static float logit_of(const struct mlsched_model *model, const float *out)
{
	struct mlsched_layer last;

	mlsched_model_layer(model, mlsched_model_layers(model) - 1, &last);
	if (last.activation == MLSCHED_SIGMOID)
		return logf(out[0] / (1 - out[0]));
	if (last.activation == MLSCHED_SOFTMAX)
		return logf(out[1] / out[0]);
	return out[0];
}

static int decide_by_outputs(struct mls_engine *e, const float *rows, size_t n_rows,
			     struct mlsched_verdict *verdicts, struct mlsched_error *err)
{
	uint32_t n_out = mlsched_model_outputs(e->model);
	float threshold = mlsched_model_threshold(e->model);
	float out[CHUNK * 2];

	for (size_t done = 0; done < n_rows;) {
		size_t now = n_rows - done < CHUNK ? n_rows - done : CHUNK;
		int ret = mls_engine_predict(e, rows + done * mlsched_model_inputs(e->model), now,
					     out, err);

		if (ret)
			return ret;
		for (size_t i = 0; i < now; i++) {
			float logit = logit_of(e->model, out + i * n_out);

			verdicts[done + i] = (struct mlsched_verdict){
				.migrate = logit > threshold,
				.logit = logit,
				.probability = 1 / (1 + expf(-logit)),
			};
		}
		done += now;
	}
	return 0;
}

int mls_engine_decide(struct mls_engine *e, const float *rows, size_t n_rows,
		      struct mlsched_verdict *verdicts, struct mlsched_error *err)
{
	float logit;

	if (e->type->decide)
		return e->type->decide(e, rows, n_rows, verdicts, err);
	/* A single logit means one output, or two of a softmax. */
	if (mlsched_model_logit(e->model, NULL, 0, &logit) != 0)
		return mls_error(err, -EINVAL,
				 "Expected shape [?, 1], got [?, %u]: the model's outputs have no "
				 "single logit",
				 mlsched_model_outputs(e->model));
	return decide_by_outputs(e, rows, n_rows, verdicts, err);
}

struct mls_engine *mls_engine_hold(struct mls_engine *e)
{
	__atomic_add_fetch(&e->users, 1, __ATOMIC_RELAXED);
	return e;
}

void mls_engine_close(struct mls_engine *e)
{
	struct mlsched_model *owned;

	if (!e || __atomic_sub_fetch(&e->users, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	owned = e->owned;
	e->type->close(e);
	mlsched_model_free(owned);
}
