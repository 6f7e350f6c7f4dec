// SPDX-License-Identifier: GPL-2.0
/*
 * Peers of the forward pass, see peers.h.
 */
#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/peers.h"
#include "src/nn/model.h"
#include "src/util/error.h"

void bench_plain_predict(const struct mlsched_model *model, const float *rows, size_t n_rows,
			 float *out)
{
	uint32_t n_layers = mlsched_model_layers(model);
	uint32_t n_in = mlsched_model_inputs(model), n_out = mlsched_model_outputs(model);
	float buffer[2][MLSCHED_MAX_WIDTH];

	for (size_t r = 0; r < n_rows; r++) {
		const float *x = rows + r * n_in;

		for (uint32_t l = 0; l < n_layers; l++) {
			float *y = buffer[l & 1];
			struct mlsched_layer layer;

			mlsched_model_layer(model, l, &layer);
			for (uint32_t j = 0; j < layer.n_out; j++) {
				float sum = layer.bias ? layer.bias[j] : 0;

				for (uint32_t i = 0; i < layer.n_in; i++)
					sum += x[i] * layer.weights[i * layer.n_out + j];
				y[j] = sum;
			}
			mls_activate(layer.activation, layer.alpha, y, layer.n_out);
			x = y;
		}
		memcpy(out + r * n_out, x, n_out * sizeof(*out));
	}
}

double bench_hidden_activity(const struct mlsched_model *model, const float *rows, size_t n_rows)
{
	uint32_t n_layers = mlsched_model_layers(model), n_in = mlsched_model_inputs(model);
	size_t units = 0, active = 0;

	for (size_t r = 0; r < n_rows; r++) {
		float buffer[2][MLSCHED_MAX_WIDTH];
		const float *x = rows + r * n_in;

		for (uint32_t l = 0; l + 1 < n_layers; l++) {
			float *y = buffer[l & 1];
			struct mlsched_layer layer;

			mlsched_model_layer(model, l, &layer);
			for (uint32_t j = 0; j < layer.n_out; j++) {
				y[j] = layer.bias ? layer.bias[j] : 0;
				for (uint32_t i = 0; i < layer.n_in; i++)
					y[j] += x[i] * layer.weights[i * layer.n_out + j];
			}
			mls_activate(layer.activation, layer.alpha, y, layer.n_out);
			for (uint32_t j = 0; j < layer.n_out; j++)
				active += y[j] != 0;
			units += layer.n_out;
			x = y;
		}
	}
	return units ? (double)active / (double)units : 1;
}

/* cblas.h: CblasRowMajor, CblasNoTrans, CblasTrans. */
enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111, TRANSPOSE = 112 };

typedef void sgemv_fn(int order, int transpose, int m, int n, float alpha, const float *a, int lda,
		      const float *x, int incx, float beta, float *y, int incy);
typedef void sgemm_fn(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha,
		      const float *a, int lda, const float *b, int ldb, float beta, float *c,
		      int ldc);
typedef void set_threads_fn(int n);

struct bench_blas {
	void *library;
	sgemv_fn *sgemv;
	sgemm_fn *sgemm;
	uint32_t n_layers;
	struct mlsched_layer layers[MLSCHED_MAX_LAYERS];
	float *buffer[2]; /* [BENCH_MAX_ROWS][MLSCHED_MAX_WIDTH] */
};

void bench_blas_close(struct bench_blas *blas)
{
	if (!blas)
		return;
	free(blas->buffer[0]);
	free(blas->buffer[1]);
	if (blas->library)
		dlclose(blas->library);
	free(blas);
}

int bench_blas_open(const struct mlsched_model *model, struct mlsched_error *err,
		    struct bench_blas **out)
{
	struct bench_blas *blas = calloc(1, sizeof(*blas));
	set_threads_fn *set_threads;

	if (!blas)
		return mls_error(err, -ENOMEM, "no memory");
	for (int i = 0; i < 2; i++)
		blas->buffer[i] =
			malloc(sizeof(float) * (size_t)BENCH_MAX_ROWS * MLSCHED_MAX_WIDTH);
	if (!blas->buffer[0] || !blas->buffer[1]) {
		bench_blas_close(blas);
		return mls_error(err, -ENOMEM, "no memory");
	}
	blas->library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
	if (blas->library) {
		blas->sgemv = (sgemv_fn *)dlsym(blas->library, "cblas_sgemv");
		blas->sgemm = (sgemm_fn *)dlsym(blas->library, "cblas_sgemm");
		set_threads = (set_threads_fn *)dlsym(blas->library, "openblas_set_num_threads");
		if (set_threads)
			set_threads(1);
	}
	if (!blas->sgemv || !blas->sgemm) {
		bench_blas_close(blas);
		return mls_error(err, -ENOENT,
				 "libopenblas.so.0 is not there (package libopenblas0)");
	}
	blas->n_layers = mlsched_model_layers(model);
	for (uint32_t l = 0; l < blas->n_layers; l++)
		mlsched_model_layer(model, l, &blas->layers[l]);
	*out = blas;
	return 0;
}

static void blas_layer(const struct bench_blas *blas, const struct mlsched_layer *layer,
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

void bench_blas_predict(const struct bench_blas *blas, const float *rows, size_t n_rows, float *out)
{
	const float *x = rows;

	for (uint32_t l = 0; l < blas->n_layers; l++) {
		float *y = l + 1 < blas->n_layers ? blas->buffer[l & 1] : out;

		blas_layer(blas, &blas->layers[l], x, n_rows, y);
		x = y;
	}
}
