// SPDX-License-Identifier: GPL-2.0
/*
 * The engine "tensorflow": the graph as it stands in the SavedModel, computed by
 * TensorFlow itself.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/formats/format.h"
#include "src/formats/savedmodel.h"
#include "src/host/engine.h"
#include "src/host/tensorflow_api.h"
#include "src/util/error.h"
#include "src/util/temporary.h"

/*
 * A serialised ConfigProto: one thread within an operation (field 2), the
 * caller's for what can run side by side (field 5: -1), and of the experimental
 * ones (16) the executor (3).  A verdict takes a third less than with the
 * defaults, its 99th percentile a tenth, and no thread of TensorFlow's competes
 * with what we schedule.
 */
static const unsigned char config[] = "\x10\x01"
				      "\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
				      "\x82\x01\x1a\x1a\x18SINGLE_THREADED_EXECUTOR";

/* Rows that are compared when it is opened, and by how much results may differ. */
#define PROBES    32
#define TOLERANCE 2e-6f

struct tensorflow {
	struct mls_engine engine;
	struct mls_tensorflow tf;
	struct mls_signature signature;
	TF_Status *status;
	TF_Graph *graph;
	TF_Session *session;
	TF_Output in;
	TF_Output out;
};

static struct tensorflow *of(struct mls_engine *engine)
{
	return (struct tensorflow *)engine;
}

static int failed(struct tensorflow *t, const char *what, struct mlsched_error *err)
{
	if (t->tf.TF_GetCode(t->status) == 0)
		return 0;
	return mls_error(err, -EINVAL, "TensorFlow %s %s: %.300s", t->tf.TF_Version(), what,
			 t->tf.TF_Message(t->status));
}

/* The rows in the shape that the signature says, as float32. */
static TF_Tensor *tensor_of(const struct tensorflow *t, const float *rows, size_t n_rows)
{
	size_t size = n_rows * mlsched_model_inputs(t->engine.model) * sizeof(*rows);
	int64_t dims[MLS_SIGNATURE_DIMS];
	TF_Tensor *tensor;

	memcpy(dims, t->signature.dims, sizeof(dims));
	dims[0] = (int64_t)n_rows;
	tensor = t->tf.TF_AllocateTensor(MLS_TF_FLOAT, dims, (int)t->signature.n_dims, size);
	if (tensor)
		memcpy(t->tf.TF_TensorData(tensor), rows, size);
	return tensor;
}

static int tensorflow_predict(struct mls_engine *engine, const float *rows, size_t n_rows,
			      float *out, struct mlsched_error *err)
{
	struct tensorflow *t = of(engine);
	size_t size = n_rows * mlsched_model_outputs(engine->model) * sizeof(*out);
	TF_Tensor *in = tensor_of(t, rows, n_rows), *result = NULL;
	int ret;

	if (!in)
		return mls_error(err, -ENOMEM, "no memory for TensorFlow's input");
	t->tf.TF_SessionRun(t->session, NULL, &t->in, &in, 1, &t->out, &result, 1, NULL, 0, NULL,
			    t->status);
	ret = failed(t, "does not compute the model", err);
	if (!ret && (t->tf.TF_TensorType(result) != MLS_TF_FLOAT ||
		     t->tf.TF_TensorByteSize(result) != size))
		ret = mls_error(err, -ENOTSUP,
				"expected %zu bytes of float32 from TensorFlow, found %zu of its "
				"type %d",
				size, t->tf.TF_TensorByteSize(result), t->tf.TF_TensorType(result));
	if (!ret)
		memcpy(out, t->tf.TF_TensorData(result), size);
	if (result)
		t->tf.TF_DeleteTensor(result);
	t->tf.TF_DeleteTensor(in);
	return ret;
}

static void tensorflow_close(struct mls_engine *engine)
{
	struct tensorflow *t = of(engine);

	if (t->session) {
		t->tf.TF_CloseSession(t->session, t->status);
		t->tf.TF_DeleteSession(t->session, t->status);
	}
	if (t->graph)
		t->tf.TF_DeleteGraph(t->graph);
	if (t->status)
		t->tf.TF_DeleteStatus(t->status);
	free(t);
}

static const struct mls_engine_type type = {
	.name = "tensorflow",
	.predict = tensorflow_predict,
	.close = tensorflow_close,
};

/* "serving_default_features:0" */
static int output_named(const struct tensorflow *t, const char *name, struct mlsched_error *err,
			TF_Output *output)
{
	char operation[MLS_SIGNATURE_NAME];
	const char *colon = strchr(name, ':');

	snprintf(operation, sizeof(operation), "%.*s", (int)strcspn(name, ":"), name);
	output->oper = t->tf.TF_GraphOperationByName(t->graph, operation);
	output->index = colon ? atoi(colon + 1) : 0;
	return output->oper ? 0 :
			      mls_error(err, -EINVAL,
					"expected an operation %.100s in the graph that TensorFlow "
					"loaded, found none",
					operation);
}

static int check_signature(const struct tensorflow *t, const char *path, struct mlsched_error *err)
{
	const struct mls_signature *s = &t->signature;
	int64_t width = 1;

	for (uint32_t i = 1; i < s->n_dims; i++)
		width *= s->dims[i];
	if (s->in_type != MLS_TF_FLOAT || s->out_type != MLS_TF_FLOAT)
		return mls_error(err, -ENOTSUP,
				 "%.200s: expected a signature of float32 (TensorFlow's type 1), "
				 "found types %d and %d: the engine has no other tensors",
				 path, s->in_type, s->out_type);
	if (s->n_dims < 2 || width != mlsched_model_inputs(t->engine.model))
		return mls_error(err, -ENOTSUP,
				 "%.200s: expected a signature of shape [?, %u], found another",
				 path, mlsched_model_inputs(t->engine.model));
	return 0;
}

static int load_session(struct tensorflow *t, const char *path, struct mlsched_error *err)
{
	static const char *const tags[] = { "serve" };
	TF_SessionOptions *options = t->tf.TF_NewSessionOptions();
	int ret;

	t->status = t->tf.TF_NewStatus();
	t->graph = t->tf.TF_NewGraph();
	t->tf.TF_SetConfig(options, config, sizeof(config) - 1, t->status);
	ret = failed(t, "does not take its options", err);
	if (!ret) {
		t->session = t->tf.TF_LoadSessionFromSavedModel(options, NULL, path, tags, 1,
								t->graph, NULL, t->status);
		ret = failed(t, "does not load the model", err);
	}
	if (ret)
		t->session = NULL;
	t->tf.TF_DeleteSessionOptions(options);
	return ret;
}

/* Values in the range of the model's inputs, as far as it says; else of seed10's. */
static void fill_probes(const struct mlsched_model *model, float *rows)
{
	const struct mlsched_meta *meta = mlsched_model_meta(model);
	uint32_t n_in = mlsched_model_inputs(model);

	for (uint32_t i = 0; i < PROBES * n_in; i++) {
		uint32_t column = i % n_in;
		float share = (float)(i * 2654435761u >> 8) / (1 << 24);

		rows[i] = share;
		if (meta->n_calibration)
			rows[i] = meta->input_min[column] +
				  share * (meta->input_max[column] - meta->input_min[column]);
	}
}

/*
 * It is the model that we have read and checked, although somebody may have
 * replaced the directory in between, and it computes: TensorFlow loads models
 * without variables, of a wrong width, with infinite weights.
 */
static int compare(struct tensorflow *t, struct mlsched_error *err)
{
	const struct mlsched_model *model = t->engine.model;
	uint32_t n_in = mlsched_model_inputs(model), n = PROBES * mlsched_model_outputs(model);
	float *rows = calloc((size_t)PROBES * n_in + 2 * (size_t)n, sizeof(*rows));
	float *ours = rows + (size_t)PROBES * n_in, *theirs = ours + n;
	int ret;

	if (!rows)
		return mls_error(err, -ENOMEM, "no memory for comparing engines");
	fill_probes(model, rows);
	mlsched_model_predict(model, rows, PROBES, ours);
	ret = tensorflow_predict(&t->engine, rows, PROBES, theirs, err);
	for (uint32_t i = 0; !ret && i < n; i++) {
		float allowed = TOLERANCE * fmaxf(1, fabsf(ours[i]));

		if (!(fabsf(theirs[i] - ours[i]) <= allowed))
			ret = mls_error(err, -EBADMSG,
					"TensorFlow %s computes %.9g where we compute %.9g: it "
					"does so in another type than float32, or the model has "
					"just been replaced",
					t->tf.TF_Version(), (double)theirs[i], (double)ours[i]);
	}
	free(rows);
	return ret;
}

/* What stands at a path as TensorFlow can load it: itself, or a SavedModel made of the model. */
struct loadable {
	char made[256]; /* a directory of ours with that, or an empty string */
	char path[272];
};

static void remove_loadable(const struct loadable *l)
{
	if (l->made[0])
		mls_temporary_remove(l->made);
}

static int make_loadable(const struct mlsched_model *model, struct loadable *l,
			 struct mlsched_error *err)
{
	int ret = mls_temporary_make("mlsched-tensorflow", l->made, sizeof(l->made));

	if (ret) {
		ret = mls_error(err, ret,
				"TensorFlow reads SavedModels only, and %.200s, for one that is "
				"made of this model, cannot be made: %s",
				l->made, strerror(-ret));
		l->made[0] = '\0';
		return ret;
	}
	snprintf(l->path, sizeof(l->path), "%s/model", l->made);
	ret = mlsched_model_save(model, l->path, MLSCHED_SAVEDMODEL_VARIABLES, err);
	if (ret)
		remove_loadable(l);
	return ret;
}

static int open_from(struct tensorflow *t, const char *path, const char *library,
		     struct mlsched_error *err)
{
	int ret = mls_savedmodel_signature(path, &t->signature, err);

	if (!ret)
		ret = check_signature(t, path, err);
	if (!ret)
		ret = mls_tensorflow_load(library, &t->tf, err);
	if (!ret)
		ret = load_session(t, path, err);
	return ret;
}

int mls_engine_open_tensorflow(const struct mlsched_model *model, const char *path,
			       const char *library, struct mlsched_error *err,
			       struct mls_engine **engine)
{
	struct tensorflow *t = calloc(1, sizeof(*t));
	struct loadable made = { 0 };
	const struct mls_format *format;
	int ret;

	if (!t)
		return mls_error(err, -ENOMEM, "no memory for the engine");
	t->engine.type = &type;
	t->engine.model = model;
	t->engine.users = 1;
	ret = mls_format_of(path, err, &format);
	if (!ret && format && strcmp(format->name, "savedmodel") != 0)
		ret = make_loadable(model, &made, err);
	if (!ret) {
		ret = open_from(t, made.made[0] ? made.path : path, library, err);
		if (ret && made.made[0])
			mls_error_prefix(err, ret, "%.200s, as a SavedModel", path);
		remove_loadable(&made);
	}
	if (!ret)
		ret = output_named(t, t->signature.input, err, &t->in);
	if (!ret)
		ret = output_named(t, t->signature.output, err, &t->out);
	if (!ret)
		ret = compare(t, err);
	if (ret) {
		tensorflow_close(&t->engine);
		return ret;
	}
	snprintf(t->engine.what, sizeof(t->engine.what), "TensorFlow %.40s, float32, %s",
		 t->tf.TF_Version(), t->tf.path);
	*engine = &t->engine;
	return 0;
}
