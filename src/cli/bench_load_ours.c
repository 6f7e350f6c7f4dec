// SPDX-License-Identifier: GPL-2.0
/*
 * Our own ways to have a model ready, as runtimes: in float32, in fixed point,
 * and as a BPF program in the running kernel.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/fixed.h"
#include "src/cli/bench_load.h"
#include "src/util/error.h"

/* The file itself is what each of them loads. */
struct ours {
	struct bench_runtime runtime;
	struct mlsched_model *model;
	struct mlsched_qmodel *q;
	struct bench_kernel *kernel;
};

static void ours_close(struct bench_runtime *runtime)
{
	struct ours *ours = (struct ours *)runtime;

	bench_kernel_close(ours->kernel);
	mlsched_qmodel_free(ours->q);
	mlsched_model_free(ours->model);
	free(ours);
}

/* @q, @kernel: whether that is wanted too. */
static int ours_open(const struct bench_runtime_type *type, const struct mlsched_model *model,
		     const char *path, bool q, bool kernel, struct mlsched_error *err,
		     struct bench_runtime **runtime)
{
	struct ours *ours = calloc(1, sizeof(*ours));
	int ret;

	if (!ours)
		return mls_error(err, -ENOMEM, "no memory for a model");
	ours->runtime.type = type;
	ours->runtime.model = model;
	snprintf(ours->runtime.version, sizeof(ours->runtime.version), "%s", mlsched_version());
	ret = mlsched_model_load(path, err, &ours->model);
	if (!ret && q)
		ret = mlsched_quantize(ours->model, NULL, 0, NULL, NULL, err, &ours->q);
	if (!ret && kernel)
		ret = bench_kernel_open(ours->q, err, &ours->kernel);
	if (ret)
		ours_close(&ours->runtime);
	else
		*runtime = &ours->runtime;
	return ret;
}

static int native_open(const struct bench_runtime_type *type, const struct mlsched_model *model,
		       const char *path, const char *from, struct mlsched_error *err,
		       struct bench_runtime **runtime)
{
	(void)from;
	return ours_open(type, model, path, false, false, err, runtime);
}

static int fixed_open(const struct bench_runtime_type *type, const struct mlsched_model *model,
		      const char *path, const char *from, struct mlsched_error *err,
		      struct bench_runtime **runtime)
{
	(void)from;
	return ours_open(type, model, path, true, false, err, runtime);
}

static int bpf_open(const struct bench_runtime_type *type, const struct mlsched_model *model,
		    const char *path, const char *from, struct mlsched_error *err,
		    struct bench_runtime **runtime)
{
	(void)from;
	return ours_open(type, model, path, true, true, err, runtime);
}

static int native_predict(struct bench_runtime *runtime, const float *rows, size_t n_rows,
			  float *out, struct mlsched_error *err)
{
	(void)err;
	mlsched_model_predict(((struct ours *)runtime)->model, rows, n_rows, out);
	return 0;
}

/* Row by row, with the logit as the answer, which is what is compared with the threshold. */
static int fixed_predict(struct bench_runtime *runtime, const float *rows, size_t n_rows,
			 float *out, struct mlsched_error *err)
{
	const struct ours *ours = (struct ours *)runtime;
	uint32_t n_inputs = mlsched_qmodel_inputs(ours->q);

	for (size_t r = 0; r < n_rows; r++, rows += n_inputs) {
		int32_t features[MLSCHED_MAX_WIDTH];
		int64_t logit;
		int ret = 0;

		for (uint32_t i = 0; i < n_inputs; i++)
			features[i] = mlsched_feature_to_q16(rows[i]);
		if (ours->kernel)
			ret = bench_kernel_predict(ours->kernel, features, 1, &logit);
		else
			mlsched_qmodel_logit(ours->q, features, 1, &logit);
		if (ret)
			return mls_error(err, ret, "computing in the kernel: %s", strerror(-ret));
		out[r] = (float)((double)logit / mlsched_qmodel_scale(ours->q));
	}
	return 0;
}

static long bpf_bytes(const struct bench_runtime *runtime)
{
	return bench_kernel_bytes(((const struct ours *)runtime)->kernel);
}

const struct bench_runtime_type bench_load_ours[BENCH_LOAD_OURS] = {
	{
		.key = "native",
		.title = "mlsched",
		.language = "C",
		.open = native_open,
		.predict = native_predict,
		.close = ours_close,
	},
	{
		.key = "fixed",
		.title = "mlsched, fixed",
		.language = "C",
		.open = fixed_open,
		.predict = fixed_predict,
		.close = ours_close,
	},
	{
		.key = "bpf",
		.title = "mlsched, BPF",
		.language = "C",
		.open = bpf_open,
		.predict = fixed_predict,
		.kernel_bytes = bpf_bytes,
		.close = ours_close,
	},
};
