// SPDX-License-Identifier: GPL-2.0
/*
 * From the steps of a graph, whatever its format, to dense layers: y = act(x W + b).
 *
 * Sums and products by column behind a matrix product go into its weights and
 * its bias; in front of one (batch normalisation behind an activation) they go
 * into the next weights.  In front of the whole network a subtraction and a
 * division are kept as the normalisation that they are.
 */
#include <errno.h>
#include <string.h>

#include "src/formats/graph.h"
#include "src/util/error.h"

#define MAX_STEPS 1024

/* x * scale + shift by column, of what stands in front of the next matrix product. */
struct affine {
	double scale[MLSCHED_MAX_WIDTH];
	double shift[MLSCHED_MAX_WIDTH];
	const struct mls_step *last; /* NULL: nothing there */
};

struct folding {
	const char *path;
	struct mls_arena *arena;
	struct mlsched_error *err;
	struct mls_network *network;
	uint32_t n_layers;
	bool open; /* the last layer has no activation yet */
	const struct mls_step *subtract, *divide; /* in front of everything, in this order */
	bool front_is_plain; /* nothing else is there */
	/* What each layer has been folded into: once, however much arithmetic follows it. */
	float *weights[MLSCHED_MAX_LAYERS], *bias[MLSCHED_MAX_LAYERS];
	struct affine *pending;
};

static int refuse(const struct folding *f, const struct mls_step *step, const char *what)
{
	return mls_error(f->err, -ENOTSUP, "Invalid %s format: %s: %s: %s", f->arena->format,
			 f->path, step->place, what);
}

static void *take(struct folding *f, size_t n, size_t size)
{
	mls_arena_raise(f->arena, n * size + 64);
	return mls_arena_array(f->arena, n, size);
}

/* May be written to while it is read: each number only depends on the one in its own place. */
static float *take_once(struct folding *f, float **numbers, size_t n)
{
	if (!*numbers)
		*numbers = take(f, n, sizeof(**numbers));
	return *numbers;
}

static float number_at(const struct mls_step *step, uint32_t i)
{
	return step->numbers[step->n == 1 ? 0 : i];
}

/* One operation as x * scale + shift. */
static void as_affine(const struct mls_step *step, uint32_t i, double *scale, double *shift)
{
	double v = number_at(step, i);

	*scale = 1;
	*shift = 0;
	switch (step->kind) {
	case MLS_STEP_ADD:
		*shift = v;
		break;
	case MLS_STEP_SUBTRACT:
		*shift = -v;
		break;
	case MLS_STEP_SUBTRACT_FROM:
		*scale = -1;
		*shift = v;
		break;
	case MLS_STEP_MULTIPLY:
		*scale = v;
		break;
	case MLS_STEP_DIVIDE:
		*scale = 1 / v;
		break;
	default:
		break;
	}
}

/* Behind a matrix product without activation: into its weights and its bias. */
static int fold_backward(struct folding *f, const struct mls_step *step)
{
	struct mlsched_layer *layer = &f->network->layers[f->n_layers - 1];
	float *bias = take_once(f, &f->bias[f->n_layers - 1], layer->n_out);
	float *weights =
		take_once(f, &f->weights[f->n_layers - 1], (size_t)layer->n_in * layer->n_out);
	bool scaled = false;

	if (!bias || !weights)
		return mls_no_memory(f->arena, f->path, f->err);
	for (uint32_t j = 0; j < layer->n_out; j++) {
		double scale, shift;

		as_affine(step, j, &scale, &shift);
		scaled = scaled || scale != 1;
		bias[j] = (float)((layer->bias ? layer->bias[j] : 0) * scale + shift);
		for (uint32_t i = 0; i < layer->n_in; i++)
			weights[i * layer->n_out + j] =
				(float)(layer->weights[i * layer->n_out + j] * scale);
	}
	/* A product alone leaves a missing bias missing. */
	if (layer->bias || step->kind != MLS_STEP_MULTIPLY)
		layer->bias = bias;
	if (scaled)
		layer->weights = weights;
	return 0;
}

static int add_pending(struct folding *f, const struct mls_step *step)
{
	struct affine *p = f->pending;

	if (f->n_layers == 0) {
		if (step->kind == MLS_STEP_SUBTRACT && !p->last)
			f->subtract = step;
		else if (step->kind == MLS_STEP_DIVIDE && (!p->last || p->last == f->subtract))
			f->divide = step;
		else
			f->front_is_plain = false;
	}
	for (uint32_t i = 0; i < MLSCHED_MAX_WIDTH; i++) {
		double scale = 1, shift = 0;

		if (!p->last) {
			p->scale[i] = 1;
			p->shift[i] = 0;
		}
		if (step->n == 1 || i < step->n)
			as_affine(step, i, &scale, &shift);
		p->scale[i] *= scale;
		p->shift[i] = p->shift[i] * scale + shift;
	}
	p->last = step;
	return 0;
}

static int keep_normalization(struct folding *f, uint32_t n_in)
{
	float *mean = take(f, n_in, sizeof(*mean));
	float *deviation = take(f, n_in, sizeof(*deviation));

	if (!mean || !deviation)
		return mls_no_memory(f->arena, f->path, f->err);
	for (uint32_t i = 0; i < n_in; i++) {
		mean[i] = f->subtract ? number_at(f->subtract, i) : 0;
		deviation[i] = f->divide ? number_at(f->divide, i) : 1;
		if (deviation[i] == 0)
			return mls_error(f->err, -EINVAL,
					 "Invalid %s format: %s: %s: expected a divisor for input "
					 "%u, found 0",
					 f->arena->format, f->path, f->divide->place, i);
	}
	f->network->desc.mean = mean;
	f->network->desc.deviation = deviation;
	return 0;
}

/* In front of a matrix product: into its weights, and a bias of its own. */
static int fold_forward(struct folding *f, struct mlsched_layer *layer)
{
	const struct affine *p = f->pending;
	float *bias = take(f, layer->n_out, sizeof(*bias));
	float *weights = take(f, (size_t)layer->n_in * layer->n_out, sizeof(*weights));

	if (!bias || !weights)
		return mls_no_memory(f->arena, f->path, f->err);
	for (uint32_t j = 0; j < layer->n_out; j++) {
		double sum = 0;

		for (uint32_t i = 0; i < layer->n_in; i++) {
			double w = layer->weights[i * layer->n_out + j];

			weights[i * layer->n_out + j] = (float)(w * p->scale[i]);
			sum += w * p->shift[i];
		}
		bias[j] = (float)sum;
	}
	layer->weights = weights;
	layer->bias = bias;
	return 0;
}

static int add_layer(struct folding *f, const struct mls_step *step)
{
	struct mlsched_layer *layer;
	int ret = 0;

	if (f->n_layers == MLSCHED_MAX_LAYERS)
		return refuse(f, step, "expected at most 8 layers, found more");
	layer = &f->network->layers[f->n_layers];
	*layer = (struct mlsched_layer){
		.n_in = step->n / step->width,
		.n_out = step->width,
		.activation = MLSCHED_LINEAR,
		.weights = step->numbers,
	};
	if (f->pending->last && f->n_layers == 0 && f->front_is_plain)
		ret = keep_normalization(f, layer->n_in);
	else if (f->pending->last)
		ret = fold_forward(f, layer);
	f->pending->last = NULL;
	f->n_layers++;
	f->open = true;
	return ret;
}

static int add_step(struct folding *f, const struct mls_step *step)
{
	switch (step->kind) {
	case MLS_STEP_INPUT:
		return 0;
	case MLS_STEP_MATMUL:
		return add_layer(f, step);
	case MLS_STEP_ACTIVATE:
		if (!f->open)
			return refuse(f, step,
				      "expected a dense layer in front of the activation, found "
				      "none");
		f->network->layers[f->n_layers - 1].activation = step->activation;
		f->network->layers[f->n_layers - 1].alpha = step->alpha;
		f->open = false;
		return 0;
	case MLS_STEP_POSITIVE:
		return refuse(f, step,
			      "expected a comparison as part of an ELU only, found "
			      "one by itself");
	default:
		return f->open ? fold_backward(f, step) : add_pending(f, step);
	}
}

int mls_network_fold(const struct mls_step *last, const char *path, struct mls_arena *arena,
		     struct mlsched_error *err, struct mls_network *network)
{
	struct folding f = {
		.path = path,
		.arena = arena,
		.err = err,
		.network = network,
		.front_is_plain = true,
	};
	const struct mls_step *steps[MAX_STEPS];
	uint32_t n = 0;
	int ret = 0;

	memset(network, 0, sizeof(*network));
	f.pending = take(&f, 1, sizeof(*f.pending));
	if (!f.pending)
		return mls_no_memory(arena, path, err);
	for (const struct mls_step *step = last; step; step = step->previous) {
		if (n == MAX_STEPS)
			return refuse(&f, step, "expected a small network, found too many steps");
		steps[n++] = step;
	}
	while (!ret && n > 0)
		ret = add_step(&f, steps[--n]);
	if (ret)
		return ret;
	if (f.n_layers == 0)
		return refuse(&f, last, "expected at least one dense layer, found none");
	if (f.pending->last)
		return refuse(&f, f.pending->last,
			      "expected the output behind a dense layer or its activation, found "
			      "arithmetic on it");
	network->desc.size = sizeof(network->desc);
	network->desc.n_layers = f.n_layers;
	network->desc.layers = network->layers;
	return 0;
}

/* Of a model besides weights and text: less than this. */
#define SMALL_PARTS ((size_t)16 << 10)

/* Is what a model of it allocates still below the limit? */
static bool fits(const struct mls_network *network, const struct mlsched_meta *meta,
		 const struct mls_arena *arena)
{
	/* The object itself, normalisation and ranges; the text; and its layers. */
	size_t size = SMALL_PARTS + (meta->provenance ? strlen(meta->provenance) : 0);

	for (uint32_t i = 0; i < network->desc.n_layers; i++) {
		size_t in = network->layers[i].n_in, out = network->layers[i].n_out;
		size_t units = (out + 15) / 16 * 16;

		/*
		 * As they are, and in blocks of 16 units for one row and for several, by pairs
		 * of inputs.  Not each processor has both: that must not decide what is taken.
		 */
		size += sizeof(float) * (in * out + out + (in + 1) * units + (in + 3) * units);
	}
	return arena->used <= arena->limit && size <= arena->limit - arena->used;
}

int mls_network_model(struct mls_network *network, const struct mlsched_meta *meta,
		      const char *path, struct mls_arena *arena, struct mlsched_error *err,
		      struct mlsched_model **model)
{
	int ret;

	if (arena->fixed && !fits(network, meta, arena)) {
		arena->over_limit = true;
		return mls_no_memory(arena, path, err);
	}
	network->desc.meta = meta;
	ret = mlsched_model_create(&network->desc, err, model);
	if (ret && ret != -ENOMEM)
		return mls_error_prefix(err, ret, "Invalid %s format: %s", arena->format, path);
	return ret;
}
