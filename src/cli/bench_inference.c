// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched bench inference: nanoseconds and cycles of one forward pass by every
 * path that there is, beside what the processor's multiply-adds would allow.
 *
 * The paths are checked against each other before anything is measured.
 */
#include <errno.h>
#include <ftw.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/fixed.h"
#include "bench/harness.h"
#include "bench/peak.h"
#include "bench/peers.h"
#include "src/cli/cli.h"
#include "src/host/engine.h"
#include "src/util/array.h"
#include "src/util/error.h"

/* Single rows come in turn from so many different ones. */
#define N_DIFFERENT 64

enum { OPTION_CPU = 0x200, OPTION_ENGINE, OPTION_TENSORFLOW };

struct inference_options {
	struct cli_common common;
	const char *model;
	const char *tensorflow_library;
	bool tensorflow;
	int cpu;
};

static const struct argp_option options[] = {
	{ "cpu", OPTION_CPU, "N", 0, "CPU to measure on (the last one)", 0 },
	{ "engine", OPTION_ENGINE, "NAME", 0,
	  "Measure this engine of predict and run: native (the default, always measured), or "
	  "tensorflow (TensorFlow's C library, beside it)",
	  0 },
	{ "tensorflow-library", OPTION_TENSORFLOW, "PATH", 0,
	  "libtensorflow.so.2, or libtensorflow_cc.so.2 of a Python package (looked for)", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct inference_options *o = state->input;
	char *end;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->common;
		return 0;
	case OPTION_CPU:
		o->cpu = (int)strtol(arg, &end, 10);
		if (end == arg || *end || o->cpu < 0)
			argp_error(state, "--cpu: expected a number from 0 on, got \"%s\"", arg);
		return 0;
	case OPTION_ENGINE:
		if (strcmp(arg, "native") != 0 && strcmp(arg, "tensorflow") != 0)
			argp_error(state, "--engine: expected native or tensorflow, got \"%s\"",
				   arg);
		o->tensorflow = strcmp(arg, "tensorflow") == 0;
		return 0;
	case OPTION_TENSORFLOW:
		o->tensorflow_library = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (o->model)
			argp_error(state, "more than one model: %s and %s", o->model, arg);
		o->model = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = { { &cli_common_argp, 0, NULL, 0 }, { 0 } };
static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "[MODEL]",
	.doc = "Measures the forward pass of MODEL, or of networks of random weights.\v"
	       "The arithmetic bound is the number of multiply-adds of the network over what one "
	       "core does in a cycle, which is measured with a loop of independent multiply-adds "
	       "on registers.  A ratio of 1 cannot be passed but by leaving work out: paths that "
	       "compute one row skip the hidden units that are zero.  One row alone has to load "
	       "every weight that it uses, so it is also compared with a second bound, L1: the "
	       "same loop with one operand of each multiply-add from the L1 cache.",
	.children = children,
};

/* ---- what is computed ------------------------------------------------------------- */

/* One network and rows for it, as floats and as Q16.16. */
struct subject {
	const struct inference_options *options;
	char name[128];
	struct mlsched_model *model;
	struct mlsched_qmodel *q; /* or NULL, and why */
	char no_q[MLSCHED_ERROR_SIZE];
	uint32_t n_in;
	uint32_t n_out;
	double multiply_adds;
	double activity;
	float *rows; /* [BENCH_MAX_ROWS][n_in] */
	int32_t *features; /* the same */
};

/* SplitMix64: the same networks everywhere. */
static float random_float(uint64_t *state, float low, float high)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	z ^= z >> 31;
	return low + (high - low) * (float)(z >> 40) * 0x1p-24f;
}

/* Range of input i: what the model was calibrated with, what its schema says, or -1 to 1. */
static void input_range(const struct mlsched_model *model, uint32_t i, float *low, float *high)
{
	const struct mlsched_meta *meta = mlsched_model_meta(model);
	const struct mlsched_schema *schema = mlsched_schema_find(meta->schema);

	*low = -1;
	*high = 1;
	if (meta->n_calibration) {
		*low = meta->input_min[i];
		*high = meta->input_max[i];
	} else if (schema && i < schema->n_features) {
		*low = schema->features[i].min;
		*high = schema->features[i].max;
	}
}

static int subject_rows(struct subject *s, struct mlsched_error *err)
{
	struct mlsched_quantize_opts opts = { .size = sizeof(opts), .min_agreement = 0.9 };
	size_t n = (size_t)BENCH_MAX_ROWS * mlsched_model_inputs(s->model);
	struct mlsched_error why;
	uint64_t state = 7;

	s->n_in = mlsched_model_inputs(s->model);
	s->n_out = mlsched_model_outputs(s->model);
	for (uint32_t l = 0; l < mlsched_model_layers(s->model); l++) {
		struct mlsched_layer layer;

		mlsched_model_layer(s->model, l, &layer);
		s->multiply_adds += (double)layer.n_in * layer.n_out;
	}
	s->rows = malloc(n * sizeof(*s->rows));
	s->features = malloc(n * sizeof(*s->features));
	if (!s->rows || !s->features) {
		strcpy(err->message, "no memory for rows");
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		float low, high;

		input_range(s->model, i % s->n_in, &low, &high);
		s->rows[i] = random_float(&state, low, high);
		s->features[i] = mlsched_feature_to_q16(s->rows[i]);
	}
	s->activity = bench_hidden_activity(s->model, s->rows, BENCH_MAX_ROWS);
	if (mlsched_quantize(s->model, s->rows, BENCH_MAX_ROWS, &opts, NULL, &why, &s->q) != 0) {
		s->q = NULL;
		memcpy(s->no_q, why.message, sizeof(s->no_q));
	}
	return 0;
}

static void subject_free(struct subject *s)
{
	mlsched_qmodel_free(s->q);
	mlsched_model_free(s->model);
	free(s->rows);
	free(s->features);
}

struct shape {
	const char *name;
	float bias; /* of the hidden units */
	uint32_t widths[6];
};

static const struct shape shapes[] = {
	{ "10-64-64-1", 0, { 10, 64, 64, 1 } },
	{ "10-64-64-1, no hidden unit at zero", 40, { 10, 64, 64, 1 } },
	{ "15-10-1", 0, { 15, 10, 1 } },
	{ "10-128-128-64-1", 0, { 10, 128, 128, 64, 1 } },
};

/* He-uniform weights, ReLU, a sigmoid at the end. */
static int subject_random(struct subject *s, const struct shape *shape, struct mlsched_error *err)
{
	struct mlsched_layer layers[MLSCHED_MAX_LAYERS];
	struct mlsched_model_desc desc = { .size = sizeof(desc), .layers = layers };
	static float weights[ARRAY_SIZE(shape->widths)][MLSCHED_MAX_WIDTH * MLSCHED_MAX_WIDTH];
	static float bias[ARRAY_SIZE(shape->widths)][MLSCHED_MAX_WIDTH];
	uint64_t state = 1;
	int ret;

	snprintf(s->name, sizeof(s->name), "%s", shape->name);
	while (shape->widths[desc.n_layers + 1]) {
		uint32_t l = desc.n_layers++, n_in = shape->widths[l], n_out = shape->widths[l + 1];
		float limit = sqrtf(6.0f / (float)n_in);

		for (uint32_t i = 0; i < n_in * n_out; i++)
			weights[l][i] = random_float(&state, -limit, limit);
		for (uint32_t i = 0; i < n_out; i++)
			bias[l][i] = shape->bias * powf(100, (float)l);
		layers[l] = (struct mlsched_layer){
			.n_in = n_in,
			.n_out = n_out,
			.activation = shape->widths[l + 2] ? MLSCHED_RELU : MLSCHED_SIGMOID,
			.weights = weights[l],
			.bias = shape->widths[l + 2] ? bias[l] : NULL,
		};
	}
	/* The constant that the biases carry through would push the output out of the sigmoid. */
	for (uint32_t i = 0; shape->bias != 0 && i < layers[desc.n_layers - 1].n_in; i++)
		weights[desc.n_layers - 1][i] *= 1e-4f;
	ret = mlsched_model_create(&desc, err, &s->model);
	return ret ? ret : subject_rows(s, err);
}

static int subject_load(struct subject *s, const char *path, struct mlsched_error *err)
{
	int ret = mlsched_model_load(path, err, &s->model);

	snprintf(s->name, sizeof(s->name), "%s", path);
	return ret ? ret : subject_rows(s, err);
}

/* ---- paths ------------------------------------------------------------------------- */

/* A way to compute a subject; one entry of the table below for one instruction set. */
struct path {
	const char *name;
	enum mlsched_isa isa;
	int (*open)(struct path *path, const struct subject *s, struct mlsched_error *err);
	void (*close)(struct path *path);
	bench_fn *run; /* context: struct work */
	bool fixed; /* rows are int32_t, outputs int64_t logits */
	bool tensorflow; /* measured only when it is asked for */
	size_t at_once; /* 0, or rows that one operation computes: it is measured so only */
	void *object; /* model, qmodel, ... */
};

/* @n rows of one path: alone or in batches, each row waiting for the last result or not. */
struct work {
	const struct path *path;
	const struct subject *subject;
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
			if (work->path->fixed)
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

RUN(model, work->subject->n_out * sizeof(float), mlsched_model_predict)
RUN(plain, work->subject->n_out * sizeof(float), bench_plain_predict)
RUN(blas, work->subject->n_out * sizeof(float), bench_blas_predict)
RUN(fixed, sizeof(int64_t), mlsched_qmodel_logit)

static int open_model(struct path *path, const struct subject *s, struct mlsched_error *err)
{
	struct mlsched_model *clone = NULL;
	int ret = mlsched_model_clone_for_isa(s->model, path->isa, err, &clone);

	path->object = clone;
	return ret;
}

static void close_model(struct path *path)
{
	mlsched_model_free(path->object);
}

static int open_plain(struct path *path, const struct subject *s, struct mlsched_error *err)
{
	(void)err;
	path->object = s->model;
	return 0;
}

static int open_blas(struct path *path, const struct subject *s, struct mlsched_error *err)
{
	struct bench_blas *blas = NULL;
	int ret = bench_blas_open(s->model, err, &blas);

	path->object = blas;
	return ret;
}

static void close_blas(struct path *path)
{
	bench_blas_close(path->object);
}

static int open_fixed(struct path *path, const struct subject *s, struct mlsched_error *err)
{
	struct mlsched_qmodel *clone = NULL;
	int ret;

	if (!s->q) {
		snprintf(err->message, sizeof(err->message), "%s", s->no_q);
		return -ENOTSUP;
	}
	ret = mlsched_qmodel_clone_for_isa(s->q, path->isa, err, &clone);
	path->object = clone;
	return ret;
}

static void close_fixed(struct path *path)
{
	mlsched_qmodel_free(path->object);
}

static int open_packed(struct path *path, const struct subject *s, struct mlsched_error *err)
{
	struct bench_packed *packed = NULL;
	int ret = -ENOTSUP;

	if (s->q)
		ret = bench_packed_open(s->q, err, &packed);
	else
		snprintf(err->message, sizeof(err->message), "%s", s->no_q);
	path->object = packed;
	return ret;
}

static void close_packed(struct path *path)
{
	bench_packed_close(path->object);
}

RUN(packed, sizeof(int64_t), bench_packed_predict)

static int open_kernel(struct path *path, const struct subject *s, struct mlsched_error *err)
{
	struct bench_kernel *kernel = NULL;
	int ret = -ENOTSUP;

	if (s->q)
		ret = bench_kernel_open(s->q, err, &kernel);
	else
		snprintf(err->message, sizeof(err->message), "%s", s->no_q);
	path->object = kernel;
	return ret;
}

static void close_kernel(struct path *path)
{
	bench_kernel_close(path->object);
}

/* The first call gives the logits for check_path(), later ones go over its rows again. */
static void run_kernel(void *context, size_t n)
{
	struct work *work = context;

	if (work->batch == BENCH_MAX_ROWS)
		bench_kernel_predict(work->path->object, work->rows, work->batch, work->out);
	else
		bench_kernel_repeat(work->path->object, n * work->batch);
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path);
}

/* Of a SavedModel that has the same weights: networks of other formats have none. */
static int open_tensorflow(struct path *path, const struct subject *s, struct mlsched_error *err)
{
	const char *top = getenv("TMPDIR");
	struct mls_engine *engine = NULL;
	char directory[256], model[300];
	int ret;

	snprintf(directory, sizeof(directory), "%.200s/mlsched-bench-XXXXXX", top ? top : "/tmp");
	if (!mkdtemp(directory))
		return mls_error(err, -errno, "cannot make %s: %s", directory, strerror(errno));
	snprintf(model, sizeof(model), "%s/model", directory);
	ret = mlsched_model_save(s->model, model, MLSCHED_SAVEDMODEL_VARIABLES, err);
	if (!ret)
		ret = mls_engine_open_tensorflow(s->model, model, s->options->tensorflow_library,
						 err, &engine);
	nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	path->object = engine;
	return ret;
}

static void close_tensorflow(struct path *path)
{
	mls_engine_close(path->object);
}

/* What fails gives no numbers, which check_path() sees. */
static void tensorflow_predict(const void *object, const void *rows, size_t n, void *out)
{
	struct mls_engine *engine = (struct mls_engine *)object;
	size_t n_out = n * mlsched_model_outputs(engine->model);
	struct mlsched_error err;

	if (mls_engine_predict(engine, rows, n, out, &err) == 0)
		return;
	for (size_t i = 0; i < n_out; i++)
		((float *)out)[i] = NAN;
}

RUN(tensorflow, work->subject->n_out * sizeof(float), tensorflow_predict)

#define MODEL_PATH(label, which) \
	{ .name = label, .isa = which, .open = open_model, .close = close_model, .run = run_model }
#define PACKED_PATH                  \
	{ .name = "fixed packed",    \
	  .isa = MLSCHED_ISA_SCALAR, \
	  .open = open_packed,       \
	  .close = close_packed,     \
	  .run = run_packed,         \
	  .fixed = true }
/* Many rows a call: to enter the kernel takes longer than to compute one. */
#define KERNEL_PATH                  \
	{ .name = "fixed in BPF",    \
	  .isa = MLSCHED_ISA_SCALAR, \
	  .open = open_kernel,       \
	  .close = close_kernel,     \
	  .run = run_kernel,         \
	  .fixed = true,             \
	  .at_once = 10000 }
#define FIXED_PATH(label, which) \
	{ .name = label,         \
	  .isa = which,          \
	  .open = open_fixed,    \
	  .close = close_fixed,  \
	  .run = run_fixed,      \
	  .fixed = true }

static const struct path all_paths[] = {
	{ .name = "plain C loop", .isa = MLSCHED_ISA_SCALAR, .open = open_plain, .run = run_plain },
	MODEL_PATH("float scalar", MLSCHED_ISA_SCALAR),
	{ .name = "OpenBLAS",
	  .isa = MLSCHED_ISA_BEST,
	  .open = open_blas,
	  .close = close_blas,
	  .run = run_blas },
	{ .name = "TensorFlow",
	  .isa = MLSCHED_ISA_BEST,
	  .open = open_tensorflow,
	  .close = close_tensorflow,
	  .run = run_tensorflow,
	  .tensorflow = true },
#if defined(__x86_64__)
	MODEL_PATH("float avx2", MLSCHED_ISA_AVX2),
	MODEL_PATH("float avx512", MLSCHED_ISA_AVX512),
	FIXED_PATH("fixed scalar", MLSCHED_ISA_SCALAR),
	FIXED_PATH("fixed avx2", MLSCHED_ISA_AVX2),
	FIXED_PATH("fixed avx512", MLSCHED_ISA_AVX512),
	PACKED_PATH,
	KERNEL_PATH,
#elif defined(__aarch64__)
	MODEL_PATH("float neon", MLSCHED_ISA_NEON),
	FIXED_PATH("fixed scalar", MLSCHED_ISA_SCALAR),
	FIXED_PATH("fixed neon", MLSCHED_ISA_NEON),
	PACKED_PATH,
	KERNEL_PATH,
#endif
};

/* ---- checking ---------------------------------------------------------------------- */

/* Largest difference from the plain loop, in what is allowed: 1 is the limit. */
static double float_difference(const struct subject *s, const float *expected, const float *out)
{
	double worst = 0;

	for (size_t i = 0; i < (size_t)BENCH_MAX_ROWS * s->n_out; i++) {
		double off = fabs((double)out[i] - (double)expected[i]);

		off /= 2e-6 * fmax(1, fabs((double)expected[i]));
		worst = off <= worst ? worst : off;
	}
	return worst;
}

/* For fixed point: the share of verdicts that differ, a tenth being the limit. */
static double fixed_difference(const struct subject *s, const int64_t *logits)
{
	float threshold = mlsched_model_threshold(s->model);
	size_t differ = 0;

	for (size_t r = 0; r < BENCH_MAX_ROWS; r++) {
		float logit;

		mlsched_model_logit(s->model, s->rows + r * s->n_in, 1, &logit);
		differ += (logit > threshold) != (logits[r] > mlsched_qmodel_threshold(s->q));
	}
	return (double)differ / BENCH_MAX_ROWS / 0.1;
}

static int check_path(const struct path *path, const struct subject *s, void *out, float *expected,
		      struct mlsched_error *err)
{
	struct work work = { .path = path,
			     .subject = s,
			     .batch = BENCH_MAX_ROWS,
			     .rows = path->fixed ? (void *)s->features : (void *)s->rows,
			     .out = out };
	double difference;

	bench_plain_predict(s->model, s->rows, BENCH_MAX_ROWS, expected);
	path->run(&work, 1);
	difference = path->fixed ? fixed_difference(s, out) : float_difference(s, expected, out);
	if (difference <= 1)
		return 0;
	snprintf(err->message, sizeof(err->message),
		 "%s: %s differs from the plain loop by %.3g times what is allowed", s->name,
		 path->name, difference);
	return -ERANGE;
}

/* ---- measuring --------------------------------------------------------------------- */

static const struct column {
	const char *title;
	const char *key;
	size_t batch;
	bool dependent;
} columns[] = {
	{ "1 row, independent", "independent", 1, false },
	{ "1 row, dependent", "dependent", 1, true },
	{ "64 rows, each", "batch_64", 64, false },
	{ "1024 rows, each", "batch_1024", 1024, false },
};

/* The instruction sets of this processor, measured once. */
struct peaks {
	struct bench_peak all[4];
	size_t n;
};

static int measure_peaks(struct peaks *peaks, const struct mlsched_model *model)
{
	static const struct bench_peak *const known[] = {
		&bench_peak_scalar,
#if defined(__x86_64__)
		&bench_peak_avx2,
		&bench_peak_avx512,
#elif defined(__aarch64__)
		&bench_peak_neon,
#endif
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		struct mlsched_model *clone;

		if (mlsched_model_clone_for_isa(model, known[i]->isa, NULL, &clone) != 0)
			continue;
		mlsched_model_free(clone);
		peaks->all[peaks->n] = *known[i];
		if (bench_peak_measure(&peaks->all[peaks->n++]) != 0)
			return -ENOMEM;
	}
	return 0;
}

/*
 * Cycles that the multiply-adds alone need with a path's instructions, at the
 * rate from registers and at that with one operand from the L1 cache; 0 in fixed
 * point.
 */
struct bounds {
	double registers;
	double cache;
};

static struct bounds bounds_of(const struct peaks *peaks, const struct path *path,
			       const struct subject *s)
{
	const struct bench_peak *peak = &peaks->all[peaks->n - 1];

	if (path->fixed)
		return (struct bounds){ 0 };
	for (size_t i = 0; i < peaks->n; i++) {
		if (peaks->all[i].isa == path->isa)
			peak = &peaks->all[i];
	}
	return (struct bounds){ s->multiply_adds / peak->lanes / peak->per_cycle,
				s->multiply_adds / peak->lanes / peak->fed_per_cycle };
}

static json_t *json_of(const struct bench_result *r, struct bounds bounds, size_t batch)
{
	json_t *json = json_pack("{s:f,s:f,s:f,s:f,s:f,s:I}", "ns_min", r->min, "ns_median",
				 r->median, "ns_p99", r->p99, "cycles", r->cycles, "ghz", r->ghz,
				 "samples", (json_int_t)r->samples);

	if (bounds.registers > 0)
		json_object_set_new(json, "ratio", json_real(r->cycles / bounds.registers));
	if (bounds.cache > 0 && batch == 1)
		json_object_set_new(json, "ratio_cache", json_real(r->cycles / bounds.cache));
	return json;
}

static void print_ratio(double cycles, double bound)
{
	if (bound > 0)
		printf(" %6.2f", cycles / bound);
	else
		printf(" %6s", "-");
}

static json_t *measure_path(const struct inference_options *o, const struct peaks *peaks,
			    const struct path *path, const struct subject *s, void *out)
{
	struct bounds bounds = bounds_of(peaks, path, s);
	json_t *json = json_pack("{s:s,s:s}", "path", path->name, "network", s->name);
	/* Dependent calls write into their row. */
	size_t size = (size_t)BENCH_MAX_ROWS * s->n_in * sizeof(float);
	void *rows = malloc(size);

	if (!rows)
		return json;
	if (bounds.registers > 0) {
		json_object_set_new(json, "bound_cycles", json_real(bounds.registers));
		json_object_set_new(json, "bound_cache_cycles", json_real(bounds.cache));
	}
	if (!o->common.json && bounds.registers > 0)
		printf("%-13s %6.0f %6.0f", path->name, bounds.registers, bounds.cache);
	else if (!o->common.json)
		printf("%-13s %6s %6s", path->name, "-", "-");
	for (size_t c = 0; c < ARRAY_SIZE(columns); c++) {
		size_t batch = path->at_once ? path->at_once : columns[c].batch;
		struct work work = { path, s, batch, columns[c].dependent, rows, out };
		struct bench_result r;

		if (path->at_once && c > 0)
			break;
		memcpy(rows, path->fixed ? (void *)s->features : (void *)s->rows, size);
		bench_measure(path->run, &work, &r);
		r.min /= (double)batch;
		r.median /= (double)batch;
		r.p99 /= (double)batch;
		r.cycles /= (double)batch;
		json_object_set_new(json, columns[c].key, json_of(&r, bounds, batch));
		if (o->common.json)
			continue;
		printf(" |%8.1f %7.0f", r.median, r.cycles);
		print_ratio(r.cycles, bounds.registers);
		if (columns[c].batch == 1)
			print_ratio(r.cycles, batch == 1 ? bounds.cache : 0);
		fflush(stdout);
	}
	if (!o->common.json)
		putchar('\n');
	free(rows);
	return json;
}

static void print_head(const struct subject *s)
{
	printf("\n%s: %.0f multiply-adds, %.0f %% of the hidden units are not zero\n", s->name,
	       s->multiply_adds, 100 * s->activity);
	printf("%-13s %13s", "", "bounds");
	for (size_t c = 0; c < ARRAY_SIZE(columns); c++)
		printf(" | %-*s", columns[c].batch == 1 ? 29 : 22, columns[c].title);
	printf("\n%-13s %6s %6s", "path", "cycles", "L1");
	for (size_t c = 0; c < ARRAY_SIZE(columns); c++)
		printf(" |%8s %7s %6s%s", "ns", "cycles", "ratio",
		       columns[c].batch == 1 ? "  to L1" : "");
	putchar('\n');
}

/* All paths of one network; their JSON is appended to @list. */
static int measure_subject(const struct inference_options *o, const struct peaks *peaks,
			   const struct subject *s, json_t *list, struct mlsched_error *err)
{
	size_t n_out = (size_t)BENCH_MAX_ROWS * s->n_out;
	int64_t *out = calloc(n_out, sizeof(*out));
	float *expected = calloc(n_out, sizeof(*expected));
	int ret = out && expected ? 0 : -ENOMEM;

	if (ret)
		strcpy(err->message, "no memory for outputs");
	else if (!o->common.json)
		print_head(s);
	for (size_t i = 0; ret == 0 && i < ARRAY_SIZE(all_paths); i++) {
		struct path path = all_paths[i];
		json_t *json;

		if (path.tensorflow && !o->tensorflow)
			continue;
		if (path.open(&path, s, err) != 0) {
			json = json_pack("{s:s,s:s,s:s}", "path", path.name, "network", s->name,
					 "unavailable", err->message);
			if (!o->common.json)
				printf("%-13s not measured: %s\n", path.name, err->message);
			json_array_append_new(list, json);
			continue;
		}
		ret = check_path(&path, s, out, expected, err);
		if (ret == 0)
			json_array_append_new(list, measure_path(o, peaks, &path, s, out));
		if (path.close)
			path.close(&path);
	}
	free(out);
	free(expected);
	return ret;
}

/* ---- the whole --------------------------------------------------------------------- */

static void report_peaks(const struct inference_options *o, const struct peaks *peaks, int cpu,
			 json_t *json)
{
	json_t *list = json_array();

	for (size_t i = 0; i < peaks->n; i++) {
		const struct bench_peak *p = &peaks->all[i];

		json_array_append_new(list, json_pack("{s:s,s:i,s:f,s:f,s:s}", "isa", p->name,
						      "lanes", (int)p->lanes, "per_cycle",
						      p->per_cycle, "per_cycle_from_cache",
						      p->fed_per_cycle, "method", p->method));
		if (!o->common.json)
			printf("%-7s %2u lanes, %.2f multiply-adds a cycle, %.2f with one operand "
			       "from the L1 cache (%s)\n",
			       p->name, p->lanes, p->per_cycle, p->fed_per_cycle, p->method);
	}
	json_object_set_new(json, "cpu", json_integer(cpu));
	json_object_set_new(json, "peaks", list);
	if (!o->common.json)
		printf("CPU %d; medians; a cycle is what a chain of additions beside each sample "
		       "takes;\nratio = cycles / (multiply-adds / lanes / multiply-adds a cycle); to L1: the "
		       "same at the rate\nwith one operand from the L1 cache, because one row alone "
		       "uses every weight once\n",
		       cpu);
}

static int run(const struct inference_options *o, int cpu, json_t *json, struct mlsched_error *err)
{
	size_t n = o->model ? 1 : ARRAY_SIZE(shapes);
	json_t *list = json_array();
	struct peaks peaks = { .n = 0 };
	int ret = 0;

	json_object_set_new(json, "results", list);
	for (size_t i = 0; ret == 0 && i < n; i++) {
		struct subject subject = { .options = o };

		ret = o->model ? subject_load(&subject, o->model, err) :
				 subject_random(&subject, &shapes[i], err);
		if (ret == 0 && peaks.n == 0) {
			ret = measure_peaks(&peaks, subject.model);
			if (ret)
				strcpy(err->message, "no memory for the peak loops");
			else
				report_peaks(o, &peaks, cpu, json);
		}
		if (ret == 0)
			ret = measure_subject(o, &peaks, &subject, list, err);
		subject_free(&subject);
	}
	return ret;
}

int cli_bench_inference(int argc, char **argv)
{
	struct inference_options o = { .common.command = argv[0], .cpu = -1 };
	struct mlsched_error err = { 0 };
	json_t *json;
	int cpu;

	if (cli_parse(&argp, argc, argv, &o) != 0)
		return CLI_USAGE;
	cpu = bench_pin(o.cpu);
	if (cpu < 0)
		return cli_fail(&o.common, "cannot run on CPU %d: %s", o.cpu, strerror(-cpu));
	json = json_object();
	if (run(&o, cpu, json, &err) != 0) {
		json_decref(json);
		return cli_fail(&o.common, "%s", err.message);
	}
	if (o.common.json)
		cli_json(json);
	else
		json_decref(json);
	return CLI_OK;
}
