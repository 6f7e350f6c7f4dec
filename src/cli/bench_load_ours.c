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

/* Each of them is what the one before is, and more: in the order of bench_load_ours. */
enum { FLOAT32, FIXED, BPF };

static int ours_open(const struct bench_runtime_type *type, const struct mlsched_model *model,
		     const char *path, const char *from, struct mlsched_error *err,
		     struct bench_runtime **runtime)
{
	struct ours *ours = calloc(1, sizeof(*ours));
	int ret;

	(void)from;
	if (!ours)
		return mls_error(err, -ENOMEM, "no memory for a model");
	ours->runtime.type = type;
	ours->runtime.model = model;
	snprintf(ours->runtime.version, sizeof(ours->runtime.version), "%s", mlsched_version());
	ret = mlsched_model_load(path, err, &ours->model);
	if (!ret && type >= &bench_load_ours[FIXED])
		ret = mlsched_quantize(ours->model, NULL, 0, NULL, NULL, err, &ours->q);
	if (!ret && type >= &bench_load_ours[BPF])
		ret = bench_kernel_open(ours->q, err, &ours->kernel);
	if (ret)
		ours_close(&ours->runtime);
	else
		*runtime = &ours->runtime;
	return ret;
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

#define OURS(NAME, TITLE, PREDICT)                                                           \
	.key = NAME, .title = TITLE, .language = "C", .open = ours_open, .predict = PREDICT, \
	.close = ours_close

const struct bench_runtime_type bench_load_ours[BENCH_LOAD_OURS] = {
	[FLOAT32] = { OURS("native", "mlsched", native_predict) },
	[FIXED] = { OURS("fixed", "mlsched, fixed", fixed_predict) },
	[BPF] = { OURS("bpf", "mlsched, BPF", fixed_predict), .kernel_bytes = bpf_bytes },
};
