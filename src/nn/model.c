// SPDX-License-Identifier: GPL-2.0
/*
 * The model object: checks a description, copies it into one block, chooses
 * the code for this processor.  Reading and writing files is src/formats.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#ifdef __aarch64__
#include <sys/auxv.h>
#endif

#include "src/nn/model.h"
#include "src/nn/simd.h"
#include "src/util/crc32c.h"
#include "src/util/error.h"

const char *mlsched_activation_name(enum mlsched_activation activation)
{
	static const char *const names[MLSCHED_ACTIVATION_COUNT] = {
		[MLSCHED_LINEAR] = "linear", [MLSCHED_RELU] = "relu",
		[MLSCHED_RELU6] = "relu6",   [MLSCHED_LEAKY_RELU] = "leaky_relu",
		[MLSCHED_ELU] = "elu",       [MLSCHED_SIGMOID] = "sigmoid",
		[MLSCHED_TANH] = "tanh",     [MLSCHED_SOFTMAX] = "softmax",
	};

	return (unsigned int)activation < MLSCHED_ACTIVATION_COUNT ? names[activation] : NULL;
}

const char *mlsched_isa_name(enum mlsched_isa isa)
{
	static const char *const names[] = {
		[MLSCHED_ISA_BEST] = "best", [MLSCHED_ISA_SCALAR] = "scalar",
		[MLSCHED_ISA_AVX2] = "avx2", [MLSCHED_ISA_AVX512] = "avx512",
		[MLSCHED_ISA_NEON] = "neon",
	};

	return (size_t)isa < sizeof(names) / sizeof(names[0]) ? names[isa] : NULL;
}

static bool all_finite(const float *x, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!isfinite(x[i]))
			return false;
	}
	return true;
}

static int check_layer(const struct mlsched_layer *layer, uint32_t index, struct mlsched_error *err)
{
	if (layer->n_in < 1 || layer->n_in > MLSCHED_MAX_WIDTH || layer->n_out < 1 ||
	    layer->n_out > MLSCHED_MAX_WIDTH)
		return mls_error(err, -EINVAL,
				 "layer %u: expected 1 to %d inputs and units, got %u and %u",
				 index, MLSCHED_MAX_WIDTH, layer->n_in, layer->n_out);
	if (!mlsched_activation_name(layer->activation))
		return mls_error(err, -EINVAL, "layer %u: unknown activation %d", index,
				 (int)layer->activation);
	if (!isfinite(layer->alpha))
		return mls_error(err, -EINVAL, "layer %u: alpha is not finite", index);
	if (!layer->weights)
		return mls_error(err, -EINVAL, "layer %u: no weights", index);
	if (!all_finite(layer->weights, (size_t)layer->n_in * layer->n_out))
		return mls_error(err, -EINVAL, "layer %u: a weight is not finite", index);
	if (layer->bias && !all_finite(layer->bias, layer->n_out))
		return mls_error(err, -EINVAL, "layer %u: a bias is not finite", index);
	return 0;
}

static int check_desc(const struct mlsched_model_desc *desc, struct mlsched_error *err)
{
	uint32_t n_in;

	if (desc->size < sizeof(*desc))
		return mls_error(err, -EINVAL, "model description of %zu bytes, expected %zu",
				 desc->size, sizeof(*desc));
	if (desc->n_layers < 1 || desc->n_layers > MLSCHED_MAX_LAYERS)
		return mls_error(err, -EINVAL, "expected 1 to %d layers, got %u",
				 MLSCHED_MAX_LAYERS, desc->n_layers);
	if (!desc->layers)
		return mls_error(err, -EINVAL, "a model description without layers");
	for (uint32_t l = 0; l < desc->n_layers; l++) {
		int ret = check_layer(&desc->layers[l], l, err);

		if (ret)
			return ret;
		if (l > 0 && desc->layers[l].n_in != desc->layers[l - 1].n_out)
			return mls_error(err, -EINVAL, "layer %u: expected %u inputs, got %u", l,
					 desc->layers[l - 1].n_out, desc->layers[l].n_in);
	}
	n_in = desc->layers[0].n_in;
	if (!desc->mean != !desc->deviation)
		return mls_error(err, -EINVAL, "normalisation needs both mean and deviation");
	for (uint32_t i = 0; desc->mean && i < n_in; i++) {
		if (!isfinite(desc->mean[i]) || !isfinite(desc->deviation[i]) ||
		    desc->deviation[i] == 0)
			return mls_error(err, -EINVAL, "normalisation of input %u: (x - %g) / %g",
					 i, (double)desc->mean[i], (double)desc->deviation[i]);
	}
	if (!desc->meta)
		return 0;
	if (!(desc->meta->threshold > 0 && desc->meta->threshold < 1))
		return mls_error(err, -EINVAL, "expected a threshold between 0 and 1, got %g",
				 (double)desc->meta->threshold);
	if (desc->meta->n_calibration && desc->meta->n_calibration != n_in)
		return mls_error(err, -EINVAL, "expected calibration of %u inputs, got %u", n_in,
				 desc->meta->n_calibration);
	if (desc->meta->n_calibration && !(desc->meta->input_min && desc->meta->input_max))
		return mls_error(err, -EINVAL, "calibration without ranges");
	if (desc->meta->n_calibration &&
	    !(all_finite(desc->meta->input_min, n_in) && all_finite(desc->meta->input_max, n_in)))
		return mls_error(err, -EINVAL, "calibration is not finite");
	return 0;
}

/* Hands out pieces of one block; with base NULL it only counts. */
struct arena {
	char *base;
	size_t used;
};

static void *take(struct arena *arena, size_t size)
{
	void *piece = arena->base ? arena->base + arena->used : NULL;

	arena->used += (size + 63) / 64 * 64;
	return piece;
}

static const float *take_copy(struct arena *arena, const float *from, size_t n)
{
	float *to;

	if (!from)
		return NULL;
	to = take(arena, n * sizeof(*to));
	if (to)
		memcpy(to, from, n * sizeof(*to));
	return to;
}

static const float *take_packed(struct arena *arena, const struct mls_simd *simd,
				const struct mlsched_layer *layer)
{
	float *packed = take(arena, mls_pack_size(simd, layer->n_in, layer->n_out) * sizeof(float));

	if (packed)
		mls_pack(simd, layer, packed);
	return packed;
}

static void place_layer(struct arena *arena, const struct mls_simd *simd,
			const struct mlsched_layer *from, struct mls_layer *to)
{
	float *padded_bias;

	to->n_in = from->n_in;
	to->n_out = from->n_out;
	to->activation = from->activation;
	to->alpha = from->alpha;
	to->weights = take_copy(arena, from->weights, (size_t)from->n_in * from->n_out);
	to->bias = take_copy(arena, from->bias, from->n_out);
	padded_bias = take(arena, MLS_PAD(from->n_out) * sizeof(*padded_bias));
	/* The block came zeroed: only what is there is copied. */
	if (padded_bias && from->bias)
		memcpy(padded_bias, from->bias, from->n_out * sizeof(*padded_bias));
	to->padded_bias = padded_bias;
	to->packed = simd ? take_packed(arena, simd, from) : NULL;
	to->packed_one = to->packed;
	if (simd && simd->group > 1) {
		struct mls_simd one = mls_simd_one(simd);

		to->packed_one = take_packed(arena, &one, from);
	}
}

/* Whole registers of a normalisation that leaves alone what stands behind the inputs. */
static const float *take_padded(struct arena *arena, const float *from, size_t n, float padding)
{
	float *to;

	if (!from)
		return NULL;
	to = take(arena, MLS_PAD(n) * sizeof(*to));
	for (size_t i = 0; to && i < MLS_PAD(n); i++)
		to[i] = i < n ? from[i] : padding;
	return to;
}

/* Lays the model out behind its struct; the same steps count with arena->base NULL. */
static void place(struct arena *arena, const struct mls_simd *simd,
		  const struct mlsched_model_desc *desc, struct mlsched_model *model)
{
	static const struct mlsched_meta no_meta = { .threshold = 0.5f };
	const struct mlsched_meta *meta = desc->meta ? desc->meta : &no_meta;
	uint32_t n_in = desc->layers[0].n_in;

	take(arena, sizeof(*model));
	model->n_layers = desc->n_layers;
	for (uint32_t l = 0; l < desc->n_layers; l++)
		place_layer(arena, simd, &desc->layers[l], &model->layers[l]);
	model->mean = take_padded(arena, desc->mean, n_in, 0);
	model->deviation = take_padded(arena, desc->deviation, n_in, 1);
	model->meta = *meta;
	model->meta.schema[sizeof(meta->schema) - 1] = '\0';
	model->meta.format[sizeof(meta->format) - 1] = '\0';
	model->meta.producer[sizeof(meta->producer) - 1] = '\0';
	model->meta.input_min = NULL;
	model->meta.input_max = NULL;
	if (meta->n_calibration) {
		model->meta.input_min = take_copy(arena, meta->input_min, n_in);
		model->meta.input_max = take_copy(arena, meta->input_max, n_in);
	}
	if (meta->provenance) {
		size_t size = strlen(meta->provenance) + 1;
		char *copy = take(arena, size);

		if (copy)
			memcpy(copy, meta->provenance, size);
		model->meta.provenance = copy;
	}
}

static uint32_t checksum_of(const struct mlsched_model *model)
{
	uint32_t crc = mls_crc32c(0, &model->n_layers, sizeof(model->n_layers));

	for (uint32_t l = 0; l < model->n_layers; l++) {
		const struct mls_layer *layer = &model->layers[l];
		uint32_t head[4] = { layer->n_in, layer->n_out, layer->activation, 0 };

		memcpy(&head[3], &layer->alpha, sizeof(head[3]));
		crc = mls_crc32c(crc, head, sizeof(head));
		crc = mls_crc32c(crc, layer->weights,
				 (size_t)layer->n_in * layer->n_out * sizeof(float));
		crc = mls_crc32c(crc, layer->padded_bias, layer->n_out * sizeof(float));
	}
	if (model->mean) {
		crc = mls_crc32c(crc, model->mean, model->layers[0].n_in * sizeof(float));
		crc = mls_crc32c(crc, model->deviation, model->layers[0].n_in * sizeof(float));
	}
	return crc;
}

/* NULL: the scalar path, or not in this build. */
static const struct mls_simd *simd_for(enum mlsched_isa isa)
{
	switch (isa) {
#if defined(__x86_64__)
	case MLSCHED_ISA_AVX2:
		return &mls_simd_avx2;
	case MLSCHED_ISA_AVX512:
		return &mls_simd_avx512;
#elif defined(__aarch64__)
	case MLSCHED_ISA_NEON:
		return &mls_simd_neon;
#endif
	default:
		return NULL;
	}
}

/* Whether the processor has it and the operating system keeps its registers. */
static bool isa_works(enum mlsched_isa isa)
{
	switch (isa) {
	case MLSCHED_ISA_SCALAR:
		return true;
#if defined(__x86_64__)
	case MLSCHED_ISA_AVX2:
		return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
		       __builtin_cpu_supports("bmi");
	case MLSCHED_ISA_AVX512:
		return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
		       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
		       __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi");
#elif defined(__aarch64__)
	case MLSCHED_ISA_NEON:
		return getauxval(AT_HWCAP) & HWCAP_ASIMD;
#endif
	default:
		return false;
	}
}

static enum mlsched_isa best_isa(void)
{
	static const enum mlsched_isa best_first[] = {
		MLSCHED_ISA_AVX512,
		MLSCHED_ISA_AVX2,
		MLSCHED_ISA_NEON,
	};

	for (size_t i = 0; i < sizeof(best_first) / sizeof(best_first[0]); i++) {
		if (isa_works(best_first[i]))
			return best_first[i];
	}
	return MLSCHED_ISA_SCALAR;
}

static int create(const struct mlsched_model_desc *desc, enum mlsched_isa isa,
		  struct mlsched_error *err, struct mlsched_model **out)
{
	struct mlsched_model *model, layout;
	const struct mls_simd *simd = simd_for(isa);
	struct arena arena = { 0 };

	memset(&layout, 0, sizeof(layout));
	place(&arena, simd, desc, &layout);
	model = aligned_alloc(64, arena.used);
	if (!model)
		return mls_error(err, -ENOMEM, "no memory for a model of %zu bytes", arena.used);
	memset(model, 0, arena.used);
	arena = (struct arena){ .base = (char *)model };
	place(&arena, simd, desc, model);
	model->isa = isa;
	model->forward = simd ? simd->forward : mls_forward_scalar;
	model->checksum = checksum_of(model);
	*out = model;
	return 0;
}

int mlsched_model_create(const struct mlsched_model_desc *desc, struct mlsched_error *err,
			 struct mlsched_model **model)
{
	int ret = check_desc(desc, err);

	return ret ? ret : create(desc, best_isa(), err, model);
}

int mlsched_model_clone_for_isa(const struct mlsched_model *model, enum mlsched_isa isa,
				struct mlsched_error *err, struct mlsched_model **clone)
{
	struct mlsched_layer layers[MLSCHED_MAX_LAYERS];
	struct mlsched_model_desc desc = {
		.size = sizeof(desc),
		.n_layers = model->n_layers,
		.layers = layers,
		.mean = model->mean,
		.deviation = model->deviation,
		.meta = &model->meta,
	};

	if (isa == MLSCHED_ISA_BEST)
		isa = best_isa();
	if (!isa_works(isa))
		return mls_error(err, -ENOTSUP, "%s: not on this processor or not in this build",
				 mlsched_isa_name(isa) ? mlsched_isa_name(isa) : "unknown");
	for (uint32_t l = 0; l < model->n_layers; l++)
		mlsched_model_layer(model, l, &layers[l]);
	return create(&desc, isa, err, clone);
}

void mlsched_model_free(struct mlsched_model *model)
{
	free(model);
}

uint32_t mlsched_model_inputs(const struct mlsched_model *model)
{
	return model->layers[0].n_in;
}

uint32_t mlsched_model_outputs(const struct mlsched_model *model)
{
	return model->layers[model->n_layers - 1].n_out;
}

uint32_t mlsched_model_layers(const struct mlsched_model *model)
{
	return model->n_layers;
}

int mlsched_model_layer(const struct mlsched_model *model, uint32_t index,
			struct mlsched_layer *layer)
{
	const struct mls_layer *from;

	if (index >= model->n_layers)
		return -EINVAL;
	from = &model->layers[index];
	*layer = (struct mlsched_layer){
		.n_in = from->n_in,
		.n_out = from->n_out,
		.activation = from->activation,
		.alpha = from->alpha,
		.weights = from->weights,
		.bias = from->bias,
	};
	return 0;
}

void mlsched_model_normalization(const struct mlsched_model *model, const float **mean,
				 const float **deviation)
{
	*mean = model->mean;
	*deviation = model->deviation;
}

const struct mlsched_meta *mlsched_model_meta(const struct mlsched_model *model)
{
	return &model->meta;
}

uint32_t mlsched_model_checksum(const struct mlsched_model *model)
{
	return model->checksum;
}

enum mlsched_isa mlsched_model_isa(const struct mlsched_model *model)
{
	return model->isa;
}

void mlsched_model_predict(const struct mlsched_model *model, const float *rows, size_t n_rows,
			   float *out)
{
	model->forward(model, rows, n_rows, out, MLS_FORWARD_OUTPUT);
}

static const struct mls_layer *last_layer(const struct mlsched_model *model)
{
	return &model->layers[model->n_layers - 1];
}

static bool is_probability(enum mlsched_activation activation)
{
	return activation == MLSCHED_SIGMOID || activation == MLSCHED_SOFTMAX;
}

/* So many rows of two sums are kept on the stack at a time. */
#define LOGIT_ROWS 64

int mlsched_model_logit(const struct mlsched_model *model, const float *rows, size_t n_rows,
			float *logits)
{
	const struct mls_layer *last = last_layer(model);
	uint32_t n_in = model->layers[0].n_in;

	if (last->n_out == 1 && last->activation != MLSCHED_SOFTMAX) {
		model->forward(model, rows, n_rows, logits,
			       is_probability(last->activation) ? MLS_FORWARD_SUM :
								  MLS_FORWARD_OUTPUT);
		return 0;
	}
	if (last->n_out != 2 || last->activation != MLSCHED_SOFTMAX)
		return -EINVAL;
	for (size_t r = 0; r < n_rows; r += LOGIT_ROWS) {
		size_t n = n_rows - r < LOGIT_ROWS ? n_rows - r : LOGIT_ROWS;
		float sums[2 * LOGIT_ROWS];

		model->forward(model, rows + r * n_in, n, sums, MLS_FORWARD_SUM);
		for (size_t i = 0; i < n; i++)
			logits[r + i] = sums[2 * i + 1] - sums[2 * i];
	}
	return 0;
}

float mlsched_model_threshold(const struct mlsched_model *model)
{
	double t = model->meta.threshold;

	return (float)log(t / (1 - t));
}
