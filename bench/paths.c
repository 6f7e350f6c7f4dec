// SPDX-License-Identifier: GPL-2.0
/*
 * The table of paths: how each is opened, called, checked and timed.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/fixed.h"
#include "bench/paths.h"
#include "src/util/array.h"
#include "src/util/error.h"

/* Single rows come in turn from so many different ones. */
#define N_DIFFERENT 64

/* @n rows of one path: alone or in batches, each row waiting for the last result or not. */
struct work {
	const struct bench_path *path;
	const struct bench_subject *subject;
	size_t batch;
	bool dependent;
	void *rows;
	void *out;
};

typedef void predict_fn(const void *object, const void *rows, size_t n_rows, void *out);

/* Inlined into one function a path, so that the calls in it are direct ones. */
static inline __attribute__((always_inline)) void run_work(void *context, size_t n,
							   predict_fn *predict, size_t out_size)
{
	struct work *work = context;
	const void *object = work->path->object;
	size_t row_size = work->subject->n_in * sizeof(float);
	char *rows = work->rows, *out = work->out;

	if (work->dependent) {
		for (size_t i = 0; i < n; i++) {
			predict(object, rows, 1, out);
			/* The low bits of the result: a number like the others in size. */
			memcpy(rows, out, sizeof(float));
			if (work->path->type->fixed)
				*(int32_t *)(void *)rows &= 0xffff;
		}
	} else if (work->batch == 1) {
		for (size_t i = 0; i < n; i++)
			predict(object, rows + i % N_DIFFERENT * row_size, 1,
				out + i % N_DIFFERENT * out_size);
	} else {
		for (size_t i = 0; i < n; i++)
			predict(object, rows, work->batch, out);
	}
}

#define RUN(name, out_size, call)                                                             \
	static void predict_##name(const void *object, const void *rows, size_t n, void *out) \
	{                                                                                     \
		call(object, rows, n, out);                                                   \
	}                                                                                     \
	static void run_##name(void *context, size_t n)                                       \
	{                                                                                     \
		const struct work *work = context;                                            \
                                                                                              \
		(void)work;                                                                   \
		run_work(context, n, predict_##name, out_size);                               \
	}

/* ---- ours ------------------------------------------------------------------------------ */

static int open_model(struct bench_path *path, const struct bench_subject *s,
		      struct mlsched_error *err)
{
	struct mlsched_model *clone = NULL;
	int ret = mlsched_model_clone_for_isa(s->model, path->type->isa, err, &clone);

	path->object = clone;
	return ret;
}

static void close_model(struct bench_path *path)
{
	mlsched_model_free(path->object);
}

RUN(model, work->subject->n_out * sizeof(float), mlsched_model_predict)

static int open_plain(struct bench_path *path, const struct bench_subject *s,
		      struct mlsched_error *err)
{
	(void)err;
	path->object = s->model;
	return 0;
}

static void close_plain(struct bench_path *path)
{
	(void)path;
}

RUN(plain, work->subject->n_out * sizeof(float), bench_plain_predict)

static int need_fixed(const struct bench_subject *s, struct mlsched_error *err)
{
	return s->q ? 0 : mls_error(err, -ENOTSUP, "%s", s->no_q);
}

static int open_fixed(struct bench_path *path, const struct bench_subject *s,
		      struct mlsched_error *err)
{
	struct mlsched_qmodel *clone = NULL;
	int ret = need_fixed(s, err);

	if (!ret)
		ret = mlsched_qmodel_clone_for_isa(s->q, path->type->isa, err, &clone);
	path->object = clone;
	return ret;
}

static void close_fixed(struct bench_path *path)
{
	mlsched_qmodel_free(path->object);
}

RUN(fixed, sizeof(int64_t), mlsched_qmodel_logit)

static int open_packed(struct bench_path *path, const struct bench_subject *s,
		       struct mlsched_error *err)
{
	struct bench_packed *packed = NULL;
	int ret = need_fixed(s, err);

	if (!ret)
		ret = bench_packed_open(s->q, err, &packed);
	path->object = packed;
	return ret;
}

static void close_packed(struct bench_path *path)
{
	bench_packed_close(path->object);
}

RUN(packed, sizeof(int64_t), bench_packed_predict)

static int open_kernel(struct bench_path *path, const struct bench_subject *s,
		       struct mlsched_error *err)
{
	struct bench_kernel *kernel = NULL;
	int ret = need_fixed(s, err);

	if (!ret)
		ret = bench_kernel_open(s->q, err, &kernel);
	path->object = kernel;
	return ret;
}

static void close_kernel(struct bench_path *path)
{
	bench_kernel_close(path->object);
}

/* The first call gives the logits for bench_path_check(), later ones go over its rows again. */
static void run_kernel(void *context, size_t n)
{
	struct work *work = context;

	if (work->batch == BENCH_MAX_ROWS)
		bench_kernel_predict(work->path->object, work->rows, work->batch, work->out);
	else
		bench_kernel_repeat(work->path->object, n * work->batch);
}

/* ---- those of others ------------------------------------------------------------------- */

static int open_runtime(struct bench_path *path, const struct bench_subject *s,
			struct mlsched_error *err)
{
	struct bench_runtime *runtime = NULL;
	int ret = bench_runtime_open(path->runtime, s->model, path->from, err, &runtime);

	if (!ret && runtime->type->overhead) {
		ret = runtime->type->overhead(runtime, err);
		if (ret)
			runtime->type->close(runtime);
	}
	path->object = runtime;
	return ret;
}

static void close_runtime(struct bench_path *path)
{
	struct bench_runtime *runtime = path->object;

	runtime->type->close(runtime);
}

/* What fails gives no numbers, which bench_path_check() sees. */
static void runtime_predict(const void *object, const void *rows, size_t n, void *out)
{
	struct bench_runtime *runtime = (struct bench_runtime *)object;
	size_t n_out = n * mlsched_model_outputs(runtime->model);
	struct mlsched_error err;

	if (runtime->type->predict(runtime, rows, n, out, &err) == 0)
		return;
	for (size_t i = 0; i < n_out; i++)
		((float *)out)[i] = NAN;
}

RUN(runtime, work->subject->n_out * sizeof(float), runtime_predict)

/* ---- the table ------------------------------------------------------------------------- */

#define PATH(label, what, which, ...) \
	{ .name = label,              \
	  .isa = MLSCHED_ISA_##which, \
	  .open = open_##what,        \
	  .close = close_##what,      \
	  .run = run_##what,          \
	  __VA_ARGS__ }

static const struct bench_path_type own_paths[] = {
	PATH("plain C loop", plain, SCALAR, .ours = false),
	PATH("float scalar", model, SCALAR, .ours = true),
#if defined(__x86_64__)
	PATH("float avx2", model, AVX2, .ours = true),
	PATH("float avx512", model, AVX512, .ours = true),
	PATH("fixed scalar", fixed, SCALAR, .fixed = true),
	PATH("fixed avx2", fixed, AVX2, .fixed = true),
	PATH("fixed avx512", fixed, AVX512, .fixed = true),
#elif defined(__aarch64__)
	PATH("float neon", model, NEON, .ours = true),
	PATH("fixed scalar", fixed, SCALAR, .fixed = true),
	PATH("fixed neon", fixed, NEON, .fixed = true),
#endif
	PATH("fixed packed", packed, SCALAR, .fixed = true),
	/* Many rows a call: to enter the kernel takes longer than to compute one. */
	PATH("fixed in BPF", kernel, SCALAR, .fixed = true, .at_once = 10000),
};

/* Whose the bound is does not matter to the caller: the best that the processor has. */
static const struct bench_path_type runtime_path = PATH(NULL, runtime, BEST, .ours = false);

size_t bench_paths_fill(struct bench_path paths[BENCH_PATHS])
{
	size_t n = 0;

	_Static_assert(ARRAY_SIZE(own_paths) + BENCH_RUNTIMES <= BENCH_PATHS, "all have room");
	for (size_t i = 0; i < ARRAY_SIZE(own_paths); i++)
		paths[n++] =
			(struct bench_path){ .type = &own_paths[i], .name = own_paths[i].name };
	for (size_t i = 0; i < BENCH_RUNTIMES; i++)
		paths[n++] = (struct bench_path){ .type = &runtime_path,
						  .name = bench_runtimes[i]->title,
						  .runtime = bench_runtimes[i] };
	return n;
}

int bench_path_open(struct bench_path *path, const struct bench_subject *subject,
		    struct mlsched_error *err)
{
	int ret;

	path->object = NULL;
	path->missing[0] = '\0';
	ret = path->type->open(path, subject, err);
	if (!ret)
		return 0;
	path->object = NULL;
	snprintf(path->missing, sizeof(path->missing), "%s", err->message);
	return ret == -EBADMSG ? mls_error_prefix(err, ret, "%s: %s", subject->name, path->name) :
				 0;
}

void bench_path_close(struct bench_path *path)
{
	if (path->object)
		path->type->close(path);
	path->object = NULL;
}

/* ---- checking -------------------------------------------------------------------------- */

static int check_floats(const struct bench_path *path, const struct bench_subject *s,
			const float *out, struct mlsched_error *err)
{
	for (size_t i = 0; i < (size_t)BENCH_MAX_ROWS * s->n_out; i++) {
		double off = fabs((double)out[i] - s->expected[i]);

		/* Also of what is no number. */
		if (!(off <= s->allowed[i]))
			return mls_error(err, -ERANGE,
					 "%s: %s computes %.9g of row %zu, expected %.9g within "
					 "%.2g: it is not measured, nor is anything else",
					 s->name, path->name, (double)out[i], i / s->n_out,
					 s->expected[i], s->allowed[i]);
	}
	return 0;
}

static int check_logits(const struct bench_path *path, const struct bench_subject *s,
			const int64_t *logits, struct mlsched_error *err)
{
	float threshold = mlsched_model_threshold(s->model);
	size_t differ = 0;

	for (size_t r = 0; r < BENCH_MAX_ROWS; r++) {
		float logit;

		mlsched_model_logit(s->model, s->rows + r * s->n_in, 1, &logit);
		differ += (logit > threshold) != (logits[r] > mlsched_qmodel_threshold(s->q));
	}
	return differ <= BENCH_MAX_ROWS / 10 ?
		       0 :
		       mls_error(err, -ERANGE,
				 "%s: %s gives %zu other verdicts of %d than float32, expected at "
				 "most %d",
				 s->name, path->name, differ, BENCH_MAX_ROWS, BENCH_MAX_ROWS / 10);
}

/* Rows that may be written to, and room for results of either kind. */
static int work_room(const struct bench_subject *s, bool fixed, struct work *work,
		     struct mlsched_error *err)
{
	size_t size = (size_t)BENCH_MAX_ROWS * s->n_in * sizeof(float);

	work->rows = malloc(size);
	work->out = calloc((size_t)BENCH_MAX_ROWS * s->n_out, sizeof(int64_t));
	if (!work->rows || !work->out) {
		free(work->rows);
		free(work->out);
		return mls_error(err, -ENOMEM, "no memory for rows");
	}
	memcpy(work->rows, fixed ? (void *)s->features : (void *)s->rows, size);
	return 0;
}

int bench_path_check(const struct bench_path *path, const struct bench_subject *subject,
		     struct mlsched_error *err)
{
	struct work work = { .path = path, .subject = subject, .batch = BENCH_MAX_ROWS };
	struct bench_runtime *runtime = path->object;
	int ret = work_room(subject, path->type->fixed, &work, err);

	if (ret)
		return ret;
	if (path->runtime)
		ret = runtime->type->predict(runtime, work.rows, BENCH_MAX_ROWS, work.out, err);
	else
		path->type->run(&work, 1);
	if (!ret)
		ret = path->type->fixed ? check_logits(path, subject, work.out, err) :
					  check_floats(path, subject, work.out, err);
	free(work.rows);
	free(work.out);
	return ret;
}

/* ---- measuring ------------------------------------------------------------------------- */

static void per_row(struct bench_result *result, size_t batch)
{
	double *const all[] = { &result->min, &result->median, &result->p90, &result->p99,
				&result->cycles };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		*all[i] /= (double)batch;
}

int bench_path_measure(const struct bench_path *path, const struct bench_subject *subject,
		       size_t batch, bool dependent, struct bench_result *result,
		       struct mlsched_error *err)
{
	size_t at_once = path->type->at_once ? path->type->at_once : batch;
	struct work work = { path, subject, at_once, dependent, NULL, NULL };
	struct bench_runtime *runtime = path->object;
	int ret = work_room(subject, path->type->fixed, &work, err);

	if (ret)
		return ret;
	if (path->runtime && runtime->type->measure)
		ret = runtime->type->measure(runtime, work.rows, batch, dependent, result, err);
	else
		bench_measure(path->type->run, &work, result);
	if (!ret)
		per_row(result, at_once);
	free(work.rows);
	free(work.out);
	return ret;
}
