// SPDX-License-Identifier: GPL-2.0
/*
 * OpenBLAS as one would use it by hand: sgemv for one row, sgemm for more of
 * them, and the activations of our portable code between.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/runtime.h"
#include "src/host/foreign.h"
#include "src/nn/model.h"
#include "src/util/error.h"

/* cblas.h: CblasRowMajor, CblasNoTrans, CblasTrans. */
enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111, TRANSPOSE = 112 };

typedef void sgemv_fn(int order, int transpose, int m, int n, float alpha, const float *a, int lda,
		      const float *x, int incx, float beta, float *y, int incy);
typedef void sgemm_fn(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha,
		      const float *a, int lda, const float *b, int ldb, float beta, float *c,
		      int ldc);
typedef void set_threads_fn(int n);
typedef const char *get_text_fn(void);

struct openblas {
	struct bench_runtime runtime;
	sgemv_fn *sgemv;
	sgemm_fn *sgemm;
	uint32_t n_layers;
	struct mlsched_layer layers[MLSCHED_MAX_LAYERS];
	float *buffer[2]; /* [BENCH_MAX_ROWS][MLSCHED_MAX_WIDTH] */
};

static const struct mls_foreign library_of = {
	.title = "OpenBLAS",
	.option = "--openblas-library",
	.by_name = { "libopenblas.so.0", "libopenblas.so" },
	.environment = "openblas",
	.in_package = "scipy_openblas64/lib/libscipy_openblas64_.so",
};

static void openblas_close(struct bench_runtime *runtime)
{
	struct openblas *blas = (struct openblas *)runtime;

	free(blas->buffer[0]);
	free(blas->buffer[1]);
	free(blas);
}

/* "OpenBLAS 0.3.21 NO_AFFINITY ...", and the processor that it computes for. */
static void take_version(struct openblas *blas, const char *config, const char *core)
{
	char version[32] = "";

	sscanf(config, "OpenBLAS %31s", version);
	snprintf(blas->runtime.version, sizeof(blas->runtime.version), "%s for %.24s", version,
		 core);
}

static int resolve(struct openblas *blas, void *library, struct mlsched_error *err)
{
	set_threads_fn *set_threads = (set_threads_fn *)dlsym(library, "openblas_set_num_threads");
	get_text_fn *get_config = (get_text_fn *)dlsym(library, "openblas_get_config");
	get_text_fn *get_core = (get_text_fn *)dlsym(library, "openblas_get_corename");

	blas->sgemv = (sgemv_fn *)dlsym(library, "cblas_sgemv");
	blas->sgemm = (sgemm_fn *)dlsym(library, "cblas_sgemm");
	if (!blas->sgemv || !blas->sgemm || !set_threads || !get_config || !get_core)
		return mls_error(err, -ENOTSUP, "%s: expected OpenBLAS, found no cblas_sgemv",
				 blas->runtime.from);
	set_threads(1);
	take_version(blas, get_config(), get_core());
	return 0;
}

static int openblas_open(const struct bench_runtime_type *type, const struct mlsched_model *model,
			 const char *path, const char *from, struct mlsched_error *err,
			 struct bench_runtime **runtime)
{
	struct openblas *blas = calloc(1, sizeof(*blas));
	void *library;
	int ret = 0;

	(void)path;
	if (!blas)
		return mls_error(err, -ENOMEM, "no memory for OpenBLAS");
	blas->runtime.type = type;
	blas->runtime.model = model;
	for (int i = 0; i < 2; i++) {
		blas->buffer[i] =
			malloc(sizeof(float) * (size_t)BENCH_MAX_ROWS * MLSCHED_MAX_WIDTH);
		if (!blas->buffer[i])
			ret = mls_error(err, -ENOMEM, "no memory for OpenBLAS");
	}
	if (!ret)
		ret = mls_foreign_open(&library_of, from, &library, blas->runtime.from,
				       sizeof(blas->runtime.from), err);
	if (!ret)
		ret = resolve(blas, library, err);
	if (ret) {
		openblas_close(&blas->runtime);
		return ret;
	}
	blas->n_layers = mlsched_model_layers(model);
	for (uint32_t l = 0; l < blas->n_layers; l++)
		mlsched_model_layer(model, l, &blas->layers[l]);
	*runtime = &blas->runtime;
	return 0;
}

static void compute_layer(const struct openblas *blas, const struct mlsched_layer *layer,
			  const float *x, size_t n_rows, float *y)
{
	int n_in = (int)layer->n_in, n_out = (int)layer->n_out;

	for (size_t r = 0; r < n_rows; r++) {
		if (layer->bias)
			memcpy(y + r * layer->n_out, layer->bias, layer->n_out * sizeof(*y));
		else
			memset(y + r * layer->n_out, 0, layer->n_out * sizeof(*y));
	}
	if (n_rows == 1)
		blas->sgemv(ROW_MAJOR, TRANSPOSE, n_in, n_out, 1, layer->weights, n_out, x, 1, 1, y,
			    1);
	else
		blas->sgemm(ROW_MAJOR, NO_TRANSPOSE, NO_TRANSPOSE, (int)n_rows, n_out, n_in, 1, x,
			    n_in, layer->weights, n_out, 1, y, n_out);
	if (layer->activation != MLSCHED_SOFTMAX) {
		mls_activate(layer->activation, layer->alpha, y, (uint32_t)(n_rows * layer->n_out));
		return;
	}
	for (size_t r = 0; r < n_rows; r++)
		mls_activate(MLSCHED_SOFTMAX, 0, y + r * layer->n_out, layer->n_out);
}

static int openblas_predict(struct bench_runtime *runtime, const float *rows, size_t n_rows,
			    float *out, struct mlsched_error *err)
{
	struct openblas *blas = (struct openblas *)runtime;
	uint32_t n_in = mlsched_model_inputs(runtime->model);
	const float *x = rows, *mean, *deviation;

	(void)err;
	mlsched_model_normalization(runtime->model, &mean, &deviation);
	if (mean) {
		/* The first layer writes into the other buffer. */
		for (size_t i = 0; i < n_rows * n_in; i++)
			blas->buffer[1][i] = (rows[i] - mean[i % n_in]) / deviation[i % n_in];
		x = blas->buffer[1];
	}
	for (uint32_t l = 0; l < blas->n_layers; l++) {
		float *y = l + 1 < blas->n_layers ? blas->buffer[l & 1] : out;

		compute_layer(blas, &blas->layers[l], x, n_rows, y);
		x = y;
	}
	return 0;
}

const struct bench_runtime_type bench_openblas = {
	.key = "openblas",
	.title = "OpenBLAS",
	.language = "C",
	.option = "openblas-library",
	.install = "apt install libopenblas0",
	.open = openblas_open,
	.predict = openblas_predict,
	.close = openblas_close,
};
