// SPDX-License-Identifier: GPL-2.0
/*
 * The trainer: who owns which weights, the order of rows, batches and epochs,
 * forward and backward through a chunk of rows.  The arithmetic itself is
 * kernels_impl.h, files are checkpoint.c.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/nn/model.h"
#include "src/nn/train/trainer.h"
#include "src/util/error.h"
#include "src/util/random.h"

/* As in Keras. */
#define BETA1   0.9
#define BETA2   0.999
#define EPSILON 1e-7f

/* Sequences of a seed that belong to this file: initial weights, and one an epoch from there on. */
#define WEIGHTS_STREAM 0x77656967687473 /* "weights" */
#define ORDER_STREAM   0x6f72646572000000 /* "order" */

#define CHUNK    MLS_TRAIN_CHUNK
#define NO_EPOCH UINT32_MAX

void mls_train_options_init(struct mls_train_options *options)
{
	*options = (struct mls_train_options){
		.n_hidden = 2,
		.width = { 64, 64 },
		.activation = { MLSCHED_RELU, MLSCHED_RELU },
		.output = MLSCHED_SIGMOID,
		.epochs = 20,
		.batch = 64,
		.rate = 0.001,
		.decay = { MLS_DECAY_COSINE, 1, 1 },
		.class_weight = { 1, 1 },
		.normalize = true,
		.seed = 1,
	};
}

static bool in_range(double x, double low, double high)
{
	return x >= low && x <= high; /* not with NaN */
}

static int check_options(const struct mls_train_options *o, struct mlsched_error *err)
{
	if (o->n_hidden > MLSCHED_MAX_LAYERS - 1)
		return mls_error(err, -EINVAL, "expected at most %d hidden layers, got %u",
				 MLSCHED_MAX_LAYERS - 1, o->n_hidden);
	for (uint32_t l = 0; l < o->n_hidden; l++) {
		if (o->width[l] < 1 || o->width[l] > MLSCHED_MAX_WIDTH)
			return mls_error(err, -EINVAL,
					 "hidden layer %u: expected 1 to %d units, got %u", l + 1,
					 MLSCHED_MAX_WIDTH, o->width[l]);
		if (!mlsched_activation_name(o->activation[l]) ||
		    o->activation[l] == MLSCHED_SOFTMAX)
			return mls_error(err, -EINVAL,
					 "hidden layer %u: cannot train activation %s", l + 1,
					 o->activation[l] == MLSCHED_SOFTMAX ? "softmax" : "?");
		if (!in_range((double)o->alpha[l], 0, 1e6))
			return mls_error(err, -EINVAL,
					 "hidden layer %u: expected an alpha from 0, got %g", l + 1,
					 (double)o->alpha[l]);
	}
	if (o->output != MLSCHED_SIGMOID && o->output != MLSCHED_LINEAR)
		return mls_error(err, -EINVAL, "expected a sigmoid or linear output, got %s",
				 mlsched_activation_name(o->output) ?
					 mlsched_activation_name(o->output) :
					 "?");
	if (o->epochs < 1)
		return mls_error(err, -EINVAL, "expected 1 epoch or more");
	if (o->batch < 1 || o->batch > MLS_TRAIN_MAX_BATCH)
		return mls_error(err, -EINVAL, "expected a batch of 1 to %d rows, got %u",
				 MLS_TRAIN_MAX_BATCH, o->batch);
	if (!in_range(o->rate, 1e-12, 1e3))
		return mls_error(err, -EINVAL, "expected a learning rate above 0, got %g", o->rate);
	if ((unsigned int)o->decay.kind > MLS_DECAY_COSINE || !in_range(o->decay.factor, 1e-6, 1) ||
	    o->decay.every < 1)
		return mls_error(err, -EINVAL,
				 "decay: expected a factor above 0 and up to 1 and 1 epoch or "
				 "more, got %g and %u",
				 o->decay.factor, o->decay.every);
	if (!in_range(o->l2, 0, 1e6) || !in_range(o->activation_penalty, 0, 1e6))
		return mls_error(err, -EINVAL, "expected penalties from 0, got L2 %g and %g", o->l2,
				 o->activation_penalty);
	for (int i = 0; i < 2; i++) {
		if (!in_range(o->class_weight[i], 0, 1e6))
			return mls_error(err, -EINVAL, "expected class weights from 0, got %g",
					 o->class_weight[i]);
	}
	return 0;
}

/* ---- layout -------------------------------------------------------------- */

static bool is_last(const struct mls_trainer *t, uint32_t layer)
{
	return layer + 1 == t->n_layers;
}

static void plan_layers(struct mls_trainer *t)
{
	const struct mls_train_options *o = &t->options;
	uint32_t n_in = t->data->n_inputs;
	size_t at = 0;

	t->n_layers = o->n_hidden + 1;
	t->in_stride = MLS_PAD(n_in);
	t->max_stride = t->in_stride;
	for (uint32_t l = 0; l < t->n_layers; l++) {
		struct mls_train_layer *layer = &t->layers[l];
		bool last = is_last(t, l);

		layer->n_in = n_in;
		layer->n_out = last ? 1 : o->width[l];
		layer->stride = MLS_PAD(last ? n_in : layer->n_out);
		layer->activation = last ? o->output : o->activation[l];
		layer->alpha = last ? 0 : o->alpha[l];
		layer->weights = at;
		layer->bias = at + (last ? layer->stride : (size_t)n_in * layer->stride);
		at = layer->bias + (last ? MLS_LANES : layer->stride);
		layer->transposed = t->n_transposed;
		if (l > 0 && !last)
			t->n_transposed += (size_t)layer->n_out * MLS_PAD(n_in);
		if (layer->stride > t->max_stride)
			t->max_stride = layer->stride;
		n_in = layer->n_out;
	}
	t->n_weights = at;
}

static float *take(char **at, size_t n)
{
	float *piece = (float *)*at;

	*at += n * sizeof(float);
	return piece;
}

/* One block for all arrays, each a multiple of 64 bytes; order gets the rest. */
static int allocate(struct mls_trainer *t, struct mlsched_error *err)
{
	size_t n = t->n_weights, rows = CHUNK, hidden = 0;
	size_t order = MLS_PAD((size_t)t->split->n_train), size;
	char *at;

	for (uint32_t l = 0; l + 1 < t->n_layers; l++)
		hidden += t->layers[l].stride;
	t->scratch_size = rows * (t->in_stride + hidden + 2 * (size_t)t->max_stride + 5);
	size = (5 * n + MLS_TRAIN_WAVE * n + t->n_transposed + 2 * (size_t)t->in_stride +
		t->n_threads * t->scratch_size + order) *
	       sizeof(float);
	t->memory = aligned_alloc(64, size);
	if (!t->memory)
		return mls_error(err, -ENOMEM, "no memory for training: %zu bytes", size);
	memset(t->memory, 0, size);
	at = t->memory;
	t->weights = take(&at, n);
	t->first = take(&at, n);
	t->second = take(&at, n);
	t->best = take(&at, n);
	t->gradient = take(&at, n);
	t->wave = take(&at, MLS_TRAIN_WAVE * n);
	t->transposed = take(&at, t->n_transposed);
	t->mean = take(&at, t->in_stride);
	t->deviation = take(&at, t->in_stride);
	t->scratch = take(&at, t->n_threads * t->scratch_size);
	t->order = (uint32_t *)take(&at, order);
	t->order_epoch = NO_EPOCH;
	return 0;
}

/* ---- beginning ----------------------------------------------------------- */

/*
 * Mean and deviation of input @i over the training rows, in double and in
 * order.  An input that never varies gets deviation 1: nothing is divided by 0.
 */
static bool fit_input(struct mls_trainer *t, uint32_t i)
{
	const struct mls_split *split = t->split;
	const float *x = t->data->inputs + i;
	size_t width = t->data->n_inputs;
	float first = x[split->train[0] * width];
	double sum = 0, squares = 0, mean;
	bool varies = false;

	for (uint32_t r = 0; r < split->n_train; r++) {
		float value = x[split->train[r] * width];

		sum += (double)value;
		varies |= value != first;
	}
	t->mean[i] = first;
	if (!varies)
		return false;
	mean = sum / split->n_train;
	for (uint32_t r = 0; r < split->n_train; r++) {
		double d = (double)x[split->train[r] * width] - mean;

		squares += d * d;
	}
	t->mean[i] = (float)mean;
	t->deviation[i] = (float)sqrt(squares / split->n_train);
	/* Values so close together or so small that float cannot hold their deviation. */
	if (!(t->deviation[i] >= 1e-30f))
		t->deviation[i] = 1;
	return true;
}

/* Glorot's uniform weights: within sqrt(6 / (inputs + units)); no bias. */
static void draw_weights(struct mls_trainer *t)
{
	struct mls_random random;

	mls_random_seed(&random, t->options.seed, WEIGHTS_STREAM);
	for (uint32_t l = 0; l < t->n_layers; l++) {
		const struct mls_train_layer *layer = &t->layers[l];
		float limit = (float)sqrt(6.0 / (layer->n_in + layer->n_out));

		for (uint32_t i = 0; i < layer->n_in; i++) {
			for (uint32_t j = 0; j < layer->n_out; j++) {
				float u = 2 * mls_random_unit(&random) - 1;
				size_t at = is_last(t, l) ? i : (size_t)i * layer->stride + j;

				t->weights[layer->weights + at] = u * limit;
			}
		}
	}
}

/*
 * What training sees of an input that never varies is zero, so its weights
 * would stay as they were drawn, and become noise when it varies one day.
 */
static void forget_input(struct mls_trainer *t, uint32_t i)
{
	const struct mls_train_layer *layer = &t->layers[0];
	size_t n = is_last(t, 0) ? 1 : layer->stride;

	memset(t->weights + layer->weights + i * n, 0, n * sizeof(float));
}

static void begin(struct mls_trainer *t)
{
	draw_weights(t);
	for (uint32_t i = 0; i < t->in_stride; i++)
		t->deviation[i] = 1;
	for (uint32_t i = 0; t->options.normalize && i < t->data->n_inputs; i++) {
		if (!fit_input(t, i))
			forget_input(t, i);
	}
	t->state = (struct mls_train_state){
		.beta1_power = 1,
		.beta2_power = 1,
		.rate = t->options.rate,
		.epoch_rate = t->options.rate,
		.loss = NAN,
		.validation_loss = NAN,
		.best_loss = NAN,
	};
}

int mls_trainer_create(const struct mls_train_options *options, const struct mls_dataset *data,
		       const struct mls_split *split, uint32_t n_threads, enum mlsched_isa isa,
		       struct mlsched_error *err, struct mls_trainer **trainer)
{
	struct mls_trainer *t;
	int ret = check_options(options, err);

	if (ret)
		return ret;
	if (n_threads < 1 || n_threads > MLS_TRAIN_MAX_THREADS)
		return mls_error(err, -EINVAL, "expected 1 to %d threads, got %u",
				 MLS_TRAIN_MAX_THREADS, n_threads);
	if (data->n_inputs < 1 || data->n_inputs > MLSCHED_MAX_WIDTH || split->n_train < 1)
		return mls_error(err, -EINVAL, "expected 1 to %d inputs and a row, got %u and %u",
				 MLSCHED_MAX_WIDTH, data->n_inputs, split->n_train);
	t = calloc(1, sizeof(*t));
	if (!t)
		return mls_error(err, -ENOMEM, "no memory for a trainer");
	t->options = *options;
	t->data = data;
	t->split = split;
	t->n_threads = n_threads;
	t->kernels = mls_train_kernels_for(isa);
	if (!t->kernels) {
		ret = mls_error(err, -ENOTSUP, "%s: not on this processor or not in this build",
				mlsched_isa_name(isa) ? mlsched_isa_name(isa) : "unknown");
		goto out_free;
	}
	plan_layers(t);
	ret = allocate(t, err);
	if (ret)
		goto out_free;
	ret = mls_pool_create(n_threads, &t->pool);
	if (ret) {
		ret = mls_error(err, ret, "cannot start %u threads: %s", n_threads, strerror(-ret));
		goto out_free;
	}
	begin(t);
	*trainer = t;
	return 0;

out_free:
	mls_trainer_free(t);
	return ret;
}

void mls_trainer_free(struct mls_trainer *t)
{
	if (!t)
		return;
	mls_pool_free(t->pool);
	free(t->memory);
	free(t);
}

/* ---- a chunk of rows ------------------------------------------------------- */

/* What one thread needs for one chunk: pieces of its scratch memory. */
struct chunk {
	const uint32_t *rows;
	uint32_t n;
	float *inputs; /* [CHUNK][in_stride] */
	float *hidden[MLSCHED_MAX_LAYERS]; /* [CHUNK][stride]: results of hidden layers */
	float *delta[2]; /* [CHUNK][max_stride] */
	float *logits, *labels, *weights, *losses, *logit_deltas; /* [CHUNK] */
};

static void lay_out_chunk(const struct mls_trainer *t, uint32_t thread, const uint32_t *rows,
			  uint32_t n, struct chunk *c)
{
	float *at = t->scratch + thread * t->scratch_size;

	c->rows = rows;
	c->n = n;
	c->inputs = at;
	at += (size_t)CHUNK * t->in_stride;
	for (uint32_t l = 0; l + 1 < t->n_layers; l++) {
		c->hidden[l] = at;
		at += (size_t)CHUNK * t->layers[l].stride;
	}
	for (int i = 0; i < 2; i++) {
		c->delta[i] = at;
		at += (size_t)CHUNK * t->max_stride;
	}
	c->logits = at;
	c->labels = at + CHUNK;
	c->weights = at + 2 * CHUNK;
	c->losses = at + 3 * CHUNK;
	c->logit_deltas = at + 4 * CHUNK;
}

/* Rows from where they lie into the chunk, normalised as the model will do it. */
static void gather(const struct mls_trainer *t, struct chunk *c)
{
	uint32_t n_inputs = t->data->n_inputs;

	memset(c->labels, 0, CHUNK * sizeof(float));
	memset(c->weights, 0, CHUNK * sizeof(float)); /* rows that are not there weigh nothing */
	memset(c->logits, 0, CHUNK * sizeof(float));
	for (uint32_t r = 0; r < c->n; r++) {
		const float *from = t->data->inputs + (size_t)c->rows[r] * n_inputs;
		float *to = c->inputs + (size_t)r * t->in_stride;
		float label = t->data->labels[c->rows[r]];

		memcpy(to, from, n_inputs * sizeof(*to));
		for (uint32_t i = 0; i < t->in_stride; i++)
			to[i] = (to[i] - t->mean[i]) / t->deviation[i];
		c->labels[r] = label;
		c->weights[r] = (float)t->options.class_weight[label > 0.5f];
		if (t->data->weights)
			c->weights[r] *= t->data->weights[c->rows[r]];
	}
}

static const float *input_of(const struct chunk *c, uint32_t layer)
{
	return layer == 0 ? c->inputs : c->hidden[layer - 1];
}

static uint32_t input_stride(const struct mls_trainer *t, uint32_t layer)
{
	return layer == 0 ? t->in_stride : t->layers[layer - 1].stride;
}

static void forward(const struct mls_trainer *t, struct chunk *c)
{
	const struct mls_train_layer *layer;
	uint32_t l;

	gather(t, c);
	for (l = 0; l + 1 < t->n_layers; l++) {
		layer = &t->layers[l];
		t->kernels->gemm(&(struct mls_gemm){
			.rows = c->n,
			.cols = layer->stride,
			.depth = layer->n_in,
			.a = input_of(c, l),
			.a_row = input_stride(t, l),
			.a_col = 1,
			.b = t->weights + layer->weights,
			.b_row = layer->stride,
			.c = c->hidden[l],
			.c_row = layer->stride,
			.init = t->weights + layer->bias,
		});
		t->kernels->activate(layer->activation, layer->alpha, c->hidden[l], c->n,
				     layer->n_out, layer->stride);
	}
	layer = &t->layers[l];
	t->kernels->dot_rows(input_of(c, l), c->n, layer->stride, t->weights + layer->weights,
			     t->weights[layer->bias], c->logits);
}

/* Gradient of the chunk's losses into [n_weights] @gradient. */
static void backward(const struct mls_trainer *t, struct chunk *c, float penalty, float *gradient)
{
	const struct mls_train_kernels *k = t->kernels;
	uint32_t l = t->n_layers - 1;
	const struct mls_train_layer *layer = &t->layers[l];
	float *delta = c->delta[0], *next = c->delta[1], *swap, bias = 0;

	k->gemm(&(struct mls_gemm){ .rows = 1,
				    .cols = layer->stride,
				    .depth = c->n,
				    .a = c->logit_deltas,
				    .a_col = 1,
				    .b = input_of(c, l),
				    .b_row = layer->stride,
				    .c = gradient + layer->weights });
	for (uint32_t r = 0; r < c->n; r++)
		bias += c->logit_deltas[r];
	memset(gradient + layer->bias, 0, MLS_LANES * sizeof(float));
	gradient[layer->bias] = bias;
	if (l > 0)
		k->outer(c->logit_deltas, c->n, t->weights + layer->weights, layer->stride, delta);
	while (l-- > 0) {
		layer = &t->layers[l];
		k->activate_back(layer->activation, layer->alpha, penalty, c->hidden[l], delta,
				 c->n, layer->stride);
		k->column_sums(delta, c->n, layer->stride, gradient + layer->bias);
		k->gemm(&(struct mls_gemm){ .rows = layer->n_in,
					    .cols = layer->stride,
					    .depth = c->n,
					    .a = input_of(c, l),
					    .a_row = 1,
					    .a_col = input_stride(t, l),
					    .b = delta,
					    .b_row = layer->stride,
					    .c = gradient + layer->weights,
					    .c_row = layer->stride });
		if (l == 0)
			break;
		k->gemm(&(struct mls_gemm){ .rows = c->n,
					    .cols = MLS_PAD(layer->n_in),
					    .depth = layer->n_out,
					    .a = delta,
					    .a_row = layer->stride,
					    .a_col = 1,
					    .b = t->transposed + layer->transposed,
					    .b_row = MLS_PAD(layer->n_in),
					    .c = next,
					    .c_row = MLS_PAD(layer->n_in) });
		swap = delta;
		delta = next;
		next = swap;
	}
}

/* ---- a batch --------------------------------------------------------------- */

/* Rows [n] in chunks that the threads share; what each chunk gives has a place of its own. */
struct batch {
	struct mls_trainer *trainer;
	const uint32_t *rows;
	uint32_t n;
	uint32_t first_chunk; /* of this wave */
	float scale; /* 1 / rows of the batch */
	float penalty;
	double losses[MLS_TRAIN_WAVE];
	float *logits; /* of all rows, or NULL */
	uint64_t active[MLS_TRAIN_WAVE];
};

static void batch_chunk(struct batch *b, uint32_t job, uint32_t thread, struct chunk *c)
{
	uint32_t from = (b->first_chunk + job) * CHUNK;
	uint32_t n = b->n - from < CHUNK ? b->n - from : CHUNK;

	lay_out_chunk(b->trainer, thread, b->rows + from, n, c);
	forward(b->trainer, c);
	b->trainer->kernels->loss(c->logits, c->labels, c->weights, b->scale, CHUNK, c->losses,
				  c->logit_deltas);
	b->losses[job] = 0;
	for (uint32_t r = 0; r < n; r++)
		b->losses[job] += (double)c->losses[r];
}

static void train_chunk(void *context, uint32_t job, uint32_t thread)
{
	struct batch *b = context;
	struct mls_trainer *t = b->trainer;
	struct chunk c;

	batch_chunk(b, job, thread, &c);
	/* The first chunk's gradient is where the others' are added. */
	backward(t, &c, b->penalty,
		 b->first_chunk + job == 0 ? t->gradient : t->wave + job * t->n_weights);
}

static void test_chunk(void *context, uint32_t job, uint32_t thread)
{
	struct batch *b = context;
	const struct mls_trainer *t = b->trainer;
	struct chunk c;

	batch_chunk(b, job, thread, &c);
	if (b->logits)
		memcpy(b->logits + (size_t)(b->first_chunk + job) * CHUNK, c.logits,
		       c.n * sizeof(float));
	b->active[job] = 0;
	for (uint32_t l = 0; l + 1 < t->n_layers; l++) {
		for (uint32_t i = 0; i < c.n * t->layers[l].stride; i++)
			b->active[job] += c.hidden[l][i] > 0;
	}
}

/* Runs @job over all chunks wave by wave; returns the sum of losses. */
static double run_batch(struct batch *b, mls_pool_job *job, uint64_t *active)
{
	uint32_t n_chunks = (b->n + CHUNK - 1) / CHUNK;
	struct mls_trainer *t = b->trainer;
	double sum = 0;

	for (b->first_chunk = 0; b->first_chunk < n_chunks; b->first_chunk += MLS_TRAIN_WAVE) {
		uint32_t n = n_chunks - b->first_chunk;

		n = n < MLS_TRAIN_WAVE ? n : MLS_TRAIN_WAVE;
		mls_pool_run(t->pool, job, b, n);
		for (uint32_t i = 0; i < n; i++) {
			sum += b->losses[i];
			if (active)
				*active += b->active[i];
			if (job == train_chunk && b->first_chunk + i > 0)
				t->kernels->add(t->gradient, t->wave + i * t->n_weights,
						t->n_weights);
		}
	}
	return sum;
}

/* The deltas of a layer's inputs are a product with its transposed weights. */
static void transpose_weights(struct mls_trainer *t)
{
	for (uint32_t l = 1; l + 1 < t->n_layers; l++) {
		const struct mls_train_layer *layer = &t->layers[l];
		const float *from = t->weights + layer->weights;
		float *to = t->transposed + layer->transposed;
		uint32_t row = MLS_PAD(layer->n_in);

		for (uint32_t i = 0; i < layer->n_in; i++) {
			for (uint32_t j = 0; j < layer->n_out; j++)
				to[(size_t)j * row + i] = from[(size_t)i * layer->stride + j];
		}
	}
}

/* cos(x) for x in 0 to pi / 2 by its series: libm's differs from machine to machine. */
static double cosine(double x)
{
	double sum = 1, term = 1;

	for (int i = 1; i <= 12; i++) {
		term *= -x * x / ((2 * i - 1) * (2 * i));
		sum += term;
	}
	return sum;
}

static double rate_now(const struct mls_trainer *t)
{
	const struct mls_train_options *o = &t->options;
	uint32_t per_epoch = (t->split->n_train + o->batch - 1) / o->batch;
	double done = (double)t->state.step / ((double)o->epochs * per_epoch), c;

	if (o->decay.kind != MLS_DECAY_COSINE)
		return t->state.epoch_rate;
	if (done > 1)
		done = 1;
	c = cosine(done * 1.5707963267948966);
	return o->rate * c * c;
}

static double step(struct mls_trainer *t, const uint32_t *rows, uint32_t n)
{
	const struct mls_train_options *o = &t->options;
	struct mls_train_state *s = &t->state;
	struct batch b = { .trainer = t,
			   .rows = rows,
			   .n = n,
			   .scale = 1 / (float)n,
			   .penalty = (float)(o->activation_penalty / n) };
	struct mls_adam adam = { .one_less_beta1 = (float)(1 - BETA1),
				 .one_less_beta2 = (float)(1 - BETA2),
				 .epsilon = EPSILON };
	double loss;

	transpose_weights(t);
	loss = run_batch(&b, train_chunk, NULL);
	for (uint32_t l = 0; o->l2 > 0 && l < t->n_layers; l++) {
		const struct mls_train_layer *layer = &t->layers[l];

		t->kernels->add_scaled(t->gradient + layer->weights, t->weights + layer->weights,
				       (float)(2 * o->l2), layer->bias - layer->weights);
	}
	s->rate = rate_now(t);
	s->step++;
	s->beta1_power *= BETA1;
	s->beta2_power *= BETA2;
	adam.rate = (float)(s->rate * sqrt(1 - s->beta2_power) / (1 - s->beta1_power));
	t->kernels->adam(&adam, t->gradient, t->weights, t->first, t->second, t->n_weights);
	return loss;
}

void mls_trainer_step(struct mls_trainer *t, const uint32_t *rows, uint32_t n)
{
	step(t, rows, n);
}

/* ---- epochs ---------------------------------------------------------------- */

/* The order of an epoch's rows depends on seed and epoch alone: nothing of it is in a checkpoint. */
static void shuffle_rows(struct mls_trainer *t)
{
	struct mls_random random;

	if (t->order_epoch == t->state.epoch)
		return;
	memcpy(t->order, t->split->train, t->split->n_train * sizeof(*t->order));
	mls_random_seed(&random, t->options.seed, ORDER_STREAM + t->state.epoch);
	mls_random_shuffle(&random, t->order, t->split->n_train);
	t->order_epoch = t->state.epoch;
}

void mls_trainer_progress(const struct mls_trainer *t, struct mls_train_progress *progress)
{
	const struct mls_train_state *s = &t->state;

	*progress = (struct mls_train_progress){
		.epoch = s->epoch,
		.epochs = t->options.epochs,
		.row = s->row,
		.rows = t->split->n_train,
		.loss = s->row ? s->loss_sum / s->row : s->loss,
		.validation_loss = s->validation_loss,
		.best_loss = s->best_loss,
		.best_epoch = s->best_epoch,
		.rate = s->rate,
	};
}

static int report(const struct mls_trainer *t, mls_train_callback *callback, void *context,
		  bool epoch_ended)
{
	struct mls_train_progress progress;

	if (!callback)
		return 0;
	mls_trainer_progress(t, &progress);
	progress.epoch_ended = epoch_ended;
	return callback(context, &progress);
}

static double validate(struct mls_trainer *t)
{
	struct batch b = { .trainer = t,
			   .rows = t->split->validation,
			   .n = t->split->n_validation };

	return run_batch(&b, test_chunk, NULL) / b.n;
}

static void end_epoch(struct mls_trainer *t)
{
	const struct mls_train_options *o = &t->options;
	struct mls_train_state *s = &t->state;

	s->loss = s->loss_sum / t->split->n_train;
	s->loss_sum = 0;
	s->row = 0;
	s->epoch++;
	if (o->decay.kind == MLS_DECAY_EXPONENTIAL ||
	    (o->decay.kind == MLS_DECAY_STEP && s->epoch % o->decay.every == 0))
		s->epoch_rate *= o->decay.factor;
	if (t->split->n_validation > 0) {
		s->validation_loss = validate(t);
		if (s->best_epoch == 0 || s->validation_loss < s->best_loss) {
			s->best_loss = s->validation_loss;
			s->best_epoch = s->epoch;
			memcpy(t->best, t->weights, t->n_weights * sizeof(float));
		}
		if (o->patience > 0 && s->epoch - s->best_epoch >= o->patience)
			s->finished = 1;
	}
	if (s->epoch >= o->epochs)
		s->finished = 1;
}

int mls_trainer_run(struct mls_trainer *t, mls_train_callback *callback, void *context,
		    struct mlsched_error *err)
{
	struct mls_train_state *s = &t->state;
	uint32_t n_train = t->split->n_train;

	while (!s->finished) {
		shuffle_rows(t);
		while (s->row < n_train) {
			uint32_t left = n_train - s->row;
			uint32_t n = left < t->options.batch ? left : t->options.batch;

			s->loss_sum += step(t, t->order + s->row, n);
			s->row += n;
			if (!isfinite(s->loss_sum))
				return mls_error(err, -ERANGE,
						 "epoch %u, row %u: the loss is no longer finite; "
						 "a learning rate below %g may help",
						 s->epoch + 1, s->row, s->rate);
			if (report(t, callback, context, false) != 0)
				return 1;
		}
		end_epoch(t);
		if (report(t, callback, context, true) != 0 && !s->finished)
			return 1;
	}
	return 0;
}

void mls_trainer_restore_best(struct mls_trainer *t)
{
	if (t->state.best_epoch > 0)
		memcpy(t->weights, t->best, t->n_weights * sizeof(float));
}

/* ---- looking in -------------------------------------------------------------- */

static void copy_layer(const struct mls_trainer *t, uint32_t l, const float *from, float *weights,
		       float *bias)
{
	const struct mls_train_layer *layer = &t->layers[l];

	for (uint32_t i = 0; i < layer->n_in; i++) {
		size_t at = layer->weights + (is_last(t, l) ? i : (size_t)i * layer->stride);

		memcpy(weights + (size_t)i * layer->n_out, from + at,
		       layer->n_out * sizeof(*weights));
	}
	memcpy(bias, from + layer->bias, layer->n_out * sizeof(*bias));
}

void mls_trainer_get_layer(const struct mls_trainer *t, uint32_t layer, float *weights, float *bias)
{
	copy_layer(t, layer, t->weights, weights, bias);
}

void mls_trainer_get_gradient(const struct mls_trainer *t, uint32_t layer, float *weights,
			      float *bias)
{
	copy_layer(t, layer, t->gradient, weights, bias);
}

void mls_trainer_set_layer(struct mls_trainer *t, uint32_t l, const float *weights,
			   const float *bias)
{
	const struct mls_train_layer *layer = &t->layers[l];

	for (uint32_t i = 0; i < layer->n_in; i++) {
		size_t at = layer->weights + (is_last(t, l) ? i : (size_t)i * layer->stride);

		memcpy(t->weights + at, weights + (size_t)i * layer->n_out,
		       layer->n_out * sizeof(*weights));
	}
	memcpy(t->weights + layer->bias, bias, layer->n_out * sizeof(*bias));
}

int mls_train_options_from(const struct mlsched_model *model, const char *name,
			   struct mls_train_options *options, struct mlsched_error *err)
{
	uint32_t n = mlsched_model_layers(model);
	const float *mean, *deviation;

	for (uint32_t l = 0; l < n; l++) {
		struct mlsched_layer layer;
		bool last = l + 1 == n;

		mlsched_model_layer(model, l, &layer);
		if (last && (layer.n_out != 1 || (layer.activation != MLSCHED_SIGMOID &&
						  layer.activation != MLSCHED_LINEAR)))
			return mls_error(err, -ENOTSUP,
					 "%s: expected one output, sigmoid or linear, to go on "
					 "training, found %u, %s",
					 name, layer.n_out,
					 mlsched_activation_name(layer.activation));
		if (!last && layer.activation == MLSCHED_SOFTMAX)
			return mls_error(err, -ENOTSUP,
					 "%s: hidden layer %u: cannot train activation softmax",
					 name, l + 1);
		if (last) {
			options->output = layer.activation;
			continue;
		}
		options->width[l] = layer.n_out;
		options->activation[l] = layer.activation;
		options->alpha[l] = layer.alpha;
	}
	options->n_hidden = n - 1;
	mlsched_model_normalization(model, &mean, &deviation);
	options->normalize = mean != NULL;
	return 0;
}

void mls_trainer_start_from(struct mls_trainer *t, const struct mlsched_model *model)
{
	static const float no_bias[MLSCHED_MAX_WIDTH];
	const float *mean, *deviation;

	for (uint32_t l = 0; l < t->n_layers; l++) {
		struct mlsched_layer layer;

		mlsched_model_layer(model, l, &layer);
		mls_trainer_set_layer(t, l, layer.weights, layer.bias ? layer.bias : no_bias);
	}
	mlsched_model_normalization(model, &mean, &deviation);
	if (!mean)
		return;
	memcpy(t->mean, mean, t->data->n_inputs * sizeof(*mean));
	memcpy(t->deviation, deviation, t->data->n_inputs * sizeof(*deviation));
}

double mls_trainer_active_share(struct mls_trainer *t, const uint32_t *rows, uint32_t n)
{
	struct batch b = { .trainer = t, .rows = rows, .n = n };
	uint64_t active = 0, units = 0;

	for (uint32_t l = 0; l + 1 < t->n_layers; l++)
		units += t->layers[l].n_out;
	if (units == 0)
		return 0;
	run_batch(&b, test_chunk, &active);
	return (double)active / ((double)units * n);
}

void mls_trainer_logits(struct mls_trainer *t, const uint32_t *rows, uint32_t n, float *logits)
{
	struct batch b = { .trainer = t, .rows = rows, .n = n, .logits = logits };

	run_batch(&b, test_chunk, NULL);
}

int mls_trainer_model(const struct mls_trainer *t, const struct mlsched_meta *meta,
		      struct mlsched_error *err, struct mlsched_model **model)
{
	struct mlsched_layer layers[MLSCHED_MAX_LAYERS];
	struct mlsched_model_desc desc = {
		.size = sizeof(desc), .n_layers = t->n_layers, .layers = layers, .meta = meta
	};
	float *copy = malloc(t->n_weights * sizeof(*copy)), *at = copy;
	int ret;

	if (!copy)
		return mls_error(err, -ENOMEM, "no memory for a copy of %zu weights", t->n_weights);
	for (uint32_t l = 0; l < t->n_layers; l++) {
		const struct mls_train_layer *layer = &t->layers[l];
		float *bias = at + (size_t)layer->n_in * layer->n_out;

		mls_trainer_get_layer(t, l, at, bias);
		layers[l] = (struct mlsched_layer){ layer->n_in,  layer->n_out, layer->activation,
						    layer->alpha, at,           bias };
		at = bias + layer->n_out;
	}
	if (t->options.normalize) {
		desc.mean = t->mean;
		desc.deviation = t->deviation;
	}
	ret = mlsched_model_create(&desc, err, model);
	free(copy);
	return ret;
}

void mls_train_describe(const struct mls_train_options *o, uint32_t n_inputs, char *text,
			size_t size)
{
	static const char *const decays[] = { "constant", "step", "exponential", "cosine" };
	size_t used = (size_t)snprintf(text, size, "inputs=%u", n_inputs);

	for (uint32_t l = 0; l < o->n_hidden && used < size; l++)
		used += (size_t)snprintf(text + used, size - used, " layer%u=%u,%s,%.9g", l + 1,
					 o->width[l], mlsched_activation_name(o->activation[l]),
					 (double)o->alpha[l]);
	if (used >= size)
		return;
	snprintf(text + used, size - used,
		 " output=%s epochs=%u batch=%u rate=%.17g decay=%s,%.17g,%u l2=%.17g "
		 "activation-penalty=%.17g class-weight=%.17g,%.17g patience=%u normalize=%d "
		 "seed=%llu",
		 mlsched_activation_name(o->output), o->epochs, o->batch, o->rate,
		 decays[o->decay.kind], o->decay.factor, o->decay.every, o->l2,
		 o->activation_penalty, o->class_weight[0], o->class_weight[1], o->patience,
		 o->normalize, (unsigned long long)o->seed);
}
