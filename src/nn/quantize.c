// SPDX-License-Identifier: GPL-2.0
/*
 * The quantiser: a float32 model as the integers of core/qnet.h.
 *
 * First everything that is linear is folded in double precision, so that only
 * ReLUs stand between sums: normalisation and the inputs' own scales into the
 * first layer, linear layers into the next; a leaky ReLU becomes two units.
 * Then each unit gets the largest scale for which its sum cannot leave its
 * lane: as ReLU(c * x) = c * ReLU(x), the next layer's weights absorb it.  The
 * shifts behind the second and later layers are found on rows.
 *
 * Leaves to others: measuring what it cost (quantize_report.c).
 */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <mlsched/schema.h>

#include "src/nn/model.h"
#include "src/nn/qnet.h"
#include "src/util/error.h"
#include "src/util/random.h"

#define N_MADE_ROWS 4096

/* The shifts of later layers are found on so many rows at most. */
#define MAX_SHIFT_ROWS 1024

/* One layer in double precision. */
struct dense {
	uint32_t n_in;
	uint32_t n_out;
	enum mlsched_activation activation;
	double alpha;
	double *w; /* [n_in][n_out] */
	double *b; /* [n_out] */
};

/* Everything that is under way; freed by release(). */
struct work {
	const struct mlsched_model *model;
	struct mlsched_error *err;
	uint32_t n_layers;
	struct dense layers[MLSCHED_MAX_LAYERS];
	/* Smallest and largest value of each input. */
	double min[MLSCHED_MAX_WIDTH];
	double max[MLSCHED_MAX_WIDTH];
	/* What the layer at hand sums, as integers: their range. */
	int32_t lo[MLSCHED_MAX_WIDTH];
	int32_t hi[MLSCHED_MAX_WIDTH];
	const float *rows; /* [n_rows][inputs]: calibration rows, or @made */
	size_t n_rows;
	float *made;
	struct qnet_model *net;
	double scale;
};

static int no_memory(struct work *work)
{
	return mls_error(work->err, -ENOMEM, "no memory to quantise the model");
}

/* ---- the layers in double precision ----------------------------------------- */

static int dense_make(struct work *work, struct dense *d, uint32_t n_in, uint32_t n_out)
{
	d->n_in = n_in;
	d->n_out = n_out;
	d->w = calloc((size_t)n_in * n_out, sizeof(*d->w));
	d->b = calloc(n_out, sizeof(*d->b));
	return d->w && d->b ? 0 : no_memory(work);
}

static void dense_free(struct dense *d)
{
	free(d->w);
	free(d->b);
	d->w = NULL;
	d->b = NULL;
}

static void dense_replace(struct dense *d, const struct dense *by)
{
	dense_free(d);
	*d = *by;
}

static int copy_layers(struct work *work)
{
	work->n_layers = work->model->n_layers;
	for (uint32_t l = 0; l < work->n_layers; l++) {
		const struct mls_layer *from = &work->model->layers[l];
		struct dense *to = &work->layers[l];

		if (dense_make(work, to, from->n_in, from->n_out))
			return -ENOMEM;
		to->activation = from->activation;
		to->alpha = from->alpha;
		for (size_t k = 0; k < (size_t)to->n_in * to->n_out; k++)
			to->w[k] = from->weights[k];
		for (uint32_t u = 0; u < to->n_out && from->bias; u++)
			to->b[u] = from->bias[u];
	}
	return 0;
}

/* Puts (x - offset) * factor of input @i in front of the first layer. */
static void fold_input(struct dense *first, uint32_t i, double offset, double factor)
{
	double *row = first->w + (size_t)i * first->n_out;

	for (uint32_t u = 0; u < first->n_out; u++) {
		row[u] *= factor;
		first->b[u] -= row[u] * offset;
	}
}

static void fold_normalization(struct work *work)
{
	const float *mean = work->model->mean, *deviation = work->model->deviation;

	for (uint32_t i = 0; i < work->layers[0].n_in && mean; i++)
		fold_input(&work->layers[0], i, mean[i], 1.0 / deviation[i]);
}

/* y = (x W1 + b1) W2 + b2 = x (W1 W2) + (b1 W2 + b2) */
static int fold_linear(struct work *work, uint32_t l)
{
	struct dense *first = &work->layers[l], *second = first + 1;
	struct dense both = { .activation = second->activation, .alpha = second->alpha };

	if (dense_make(work, &both, first->n_in, second->n_out)) {
		dense_free(&both);
		return -ENOMEM;
	}
	memcpy(both.b, second->b, both.n_out * sizeof(*both.b));
	for (uint32_t k = 0; k < first->n_out; k++) {
		const double *row = second->w + (size_t)k * second->n_out;

		for (uint32_t u = 0; u < both.n_out; u++)
			both.b[u] += first->b[k] * row[u];
		for (uint32_t i = 0; i < both.n_in; i++) {
			double w = first->w[(size_t)i * first->n_out + k];

			for (uint32_t u = 0; u < both.n_out; u++)
				both.w[(size_t)i * both.n_out + u] += w * row[u];
		}
	}
	dense_replace(first, &both);
	dense_free(second);
	work->n_layers--;
	memmove(second, second + 1, (work->n_layers - l - 1) * sizeof(*second));
	memset(&work->layers[work->n_layers], 0, sizeof(*second));
	return 0;
}

/* Every unit s becomes two, s and sign * s - shift; the next layer takes the second times gain. */
static int split_units(struct work *work, uint32_t l, double sign, double shift, double gain)
{
	struct dense *layer = &work->layers[l], *next = layer + 1;
	struct dense twice = { .activation = MLSCHED_RELU };
	struct dense after = { .activation = next->activation, .alpha = next->alpha };
	uint32_t n = layer->n_out;

	if (2 * n > MLSCHED_MAX_WIDTH)
		return mls_error(work->err, -ENOTSUP,
				 "layer %u: in fixed point each of its %u units (%s) takes two, "
				 "and at most %d fit; the native engine takes this model",
				 l, n, mlsched_activation_name(layer->activation),
				 MLSCHED_MAX_WIDTH);
	if (dense_make(work, &twice, layer->n_in, 2 * n) ||
	    dense_make(work, &after, 2 * n, next->n_out)) {
		dense_free(&twice);
		dense_free(&after);
		return -ENOMEM;
	}
	for (uint32_t u = 0; u < n; u++) {
		for (uint32_t i = 0; i < layer->n_in; i++) {
			double w = layer->w[(size_t)i * n + u];

			twice.w[(size_t)i * 2 * n + u] = w;
			twice.w[(size_t)i * 2 * n + n + u] = sign * w;
		}
		twice.b[u] = layer->b[u];
		twice.b[n + u] = sign * layer->b[u] - shift;
	}
	memcpy(after.b, next->b, after.n_out * sizeof(*after.b));
	for (size_t k = 0; k < (size_t)n * after.n_out; k++) {
		after.w[k] = next->w[k];
		after.w[(size_t)n * after.n_out + k] = gain * next->w[k];
	}
	dense_replace(layer, &twice);
	dense_replace(next, &after);
	return 0;
}

/* Leaves only ReLUs between the layers. */
static int fold_activations(struct work *work)
{
	for (uint32_t l = 0; l + 1 < work->n_layers;) {
		const struct dense *d = &work->layers[l];
		int ret = 0;

		switch (d->activation) {
		case MLSCHED_RELU:
			l++;
			break;
		case MLSCHED_LINEAR:
			ret = fold_linear(work, l);
			break;
		case MLSCHED_LEAKY_RELU: /* max(s, 0) - alpha * max(-s, 0) */
			ret = split_units(work, l, -1, 0, -d->alpha);
			break;
		case MLSCHED_RELU6: /* max(s, 0) - max(s - 6, 0) */
			ret = split_units(work, l, 1, 6, -1);
			break;
		default:
			return mls_error(work->err, -ENOTSUP,
					 "layer %u: expected relu, leaky_relu, relu6 or linear "
					 "between layers in fixed point, got %s; the native engine "
					 "takes this model",
					 l, mlsched_activation_name(d->activation));
		}
		if (ret)
			return ret;
	}
	return 0;
}

/* Makes the last layer one linear unit: the logit. */
static int fold_output(struct work *work)
{
	struct dense *last = &work->layers[work->n_layers - 1], one = { 0 };
	enum mlsched_activation a = last->activation;

	if (last->n_out == 1 && (a == MLSCHED_LINEAR || a == MLSCHED_SIGMOID))
		return 0;
	if (last->n_out != 2 || a != MLSCHED_SOFTMAX)
		return mls_error(work->err, -ENOTSUP,
				 "output layer: expected one linear or sigmoid unit or two with "
				 "softmax in fixed point, got %u of %s; the native engine takes "
				 "this model",
				 last->n_out, mlsched_activation_name(a));
	if (dense_make(work, &one, last->n_in, 1)) {
		dense_free(&one);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < last->n_in; i++)
		one.w[i] = last->w[2 * i + 1] - last->w[2 * i];
	one.b[0] = last->b[1] - last->b[0];
	dense_replace(last, &one);
	return 0;
}

/* ---- the ranges of the inputs ------------------------------------------------- */

static int range_of_rows(struct work *work)
{
	const float *rows = work->rows;
	uint32_t n = work->model->layers[0].n_in;

	for (size_t r = 0; r < work->n_rows; r++) {
		for (uint32_t i = 0; i < n; i++) {
			double x = rows[r * n + i];

			if (!isfinite(x))
				return mls_error(work->err, -EINVAL,
						 "calibration row %zu, input %u: expected a finite "
						 "number, got %g",
						 r, i, x);
			work->min[i] = x < work->min[i] ? x : work->min[i];
			work->max[i] = x > work->max[i] ? x : work->max[i];
		}
	}
	return 0;
}

static void range_of_meta(struct work *work)
{
	const struct mlsched_meta *meta = &work->model->meta;

	for (uint32_t i = 0; i < meta->n_calibration; i++) {
		work->min[i] = fmin(work->min[i], meta->input_min[i]);
		work->max[i] = fmax(work->max[i], meta->input_max[i]);
	}
}

static int range_of_schema(struct work *work)
{
	const char *name = work->model->meta.schema;
	const struct mlsched_schema *schema = mlsched_schema_find(name);
	uint32_t n = work->model->layers[0].n_in;

	if (!schema)
		return mls_error(work->err, -EINVAL,
				 "no range of the inputs is known: expected calibration rows, "
				 "or input_min and input_max or a known schema in the model, "
				 "got schema \"%s\"",
				 name);
	if (schema->n_features != n)
		return mls_error(work->err, -EINVAL, "schema %s: expected %u inputs, got %u", name,
				 schema->n_features, n);
	for (uint32_t i = 0; i < n; i++) {
		work->min[i] = schema->features[i].min;
		work->max[i] = schema->features[i].max;
	}
	return 0;
}

static int find_ranges(struct work *work, struct mlsched_quantize_report *report)
{
	uint32_t n_calibration = work->model->meta.n_calibration;

	for (uint32_t i = 0; i < MLSCHED_MAX_WIDTH; i++) {
		work->min[i] = DBL_MAX;
		work->max[i] = -DBL_MAX;
	}
	range_of_meta(work);
	if (work->n_rows) {
		report->range = MLSCHED_RANGE_ROWS;
		return range_of_rows(work);
	}
	report->range = n_calibration ? MLSCHED_RANGE_META : MLSCHED_RANGE_SCHEMA;
	return n_calibration ? 0 : range_of_schema(work);
}

/* Rows drawn evenly from the ranges, always the same ones, where none were given. */
static int make_rows(struct work *work)
{
	uint32_t n = work->model->layers[0].n_in;
	struct mls_random random;

	work->made = malloc(sizeof(*work->made) * N_MADE_ROWS * n);
	if (!work->made)
		return no_memory(work);
	mls_random_seed(&random, 0, 0);
	for (size_t k = 0; k < (size_t)N_MADE_ROWS * n; k++)
		work->made[k] =
			(float)(work->min[k % n] + (work->max[k % n] - work->min[k % n]) *
							   (double)mls_random_unit(&random));
	work->rows = work->made;
	work->n_rows = N_MADE_ROWS;
	return 0;
}

/* ---- integers ------------------------------------------------------------------ */

/* A block with all its arrays in place and nothing in them. */
static int make_block(struct work *work)
{
	const struct mlsched_meta *meta = &work->model->meta;
	const struct mlsched_schema *schema = mlsched_schema_find(meta->schema);
	struct qnet_layer hidden[QNET_MAX_HIDDEN] = { 0 };
	uint32_t at = sizeof(struct qnet_model), inputs = at, n_hidden = work->n_layers - 1;
	uint32_t n_last = work->layers[n_hidden].n_in;

	at += work->layers[0].n_in * (uint32_t)sizeof(struct qnet_input);
	for (uint32_t l = 0; l < n_hidden; l++) {
		const struct dense *d = &work->layers[l];

		hidden[l] = (struct qnet_layer){ d->n_in, d->n_out, at, 0, QNET_SHIFT, 0 };
		at += (d->n_in * d->n_out * (uint32_t)sizeof(s16) + 7) / 8 * 8;
		hidden[l].bias = at;
		at += (d->n_out * (uint32_t)sizeof(s32) + 7) / 8 * 8;
	}
	work->net = calloc(1, at + (n_last * sizeof(s32) + 7) / 8 * 8);
	if (!work->net)
		return no_memory(work);
	work->net->magic = QNET_MAGIC;
	work->net->version = QNET_VERSION;
	work->net->size = at + (n_last * (uint32_t)sizeof(s32) + 7) / 8 * 8;
	work->net->n_inputs = work->layers[0].n_in;
	work->net->n_hidden = n_hidden;
	work->net->n_last = n_last;
	work->net->inputs = inputs;
	work->net->output = at;
	work->net->source = work->model->checksum;
	work->net->schema_version = schema ? schema->version : 0;
	memcpy(work->net->schema, meta->schema, sizeof(work->net->schema));
	memcpy(work->net->hidden, hidden, sizeof(hidden));
	return 0;
}

/* Spreads the range of an input over -511..511, and folds that into the first layer. */
static bool make_input(struct work *work, uint32_t i, struct qnet_input *in)
{
	/* What a Q16.16 number can say. */
	double min = fmax(fmin(work->min[i], 32767), -32768);
	double max = fmax(fmin(work->max[i], 32767), -32768);
	double middle = min + (max - min) / 2, steps, mult;

	*in = (struct qnet_input){ .offset = 1ll << (QNET_INPUT_SHIFT - 1) };
	if (max - min < 1.0 / 65536) {
		/* A constant goes into the biases. */
		fold_input(&work->layers[0], i, -middle, 1);
		fold_input(&work->layers[0], i, 0, 0);
		return false;
	}
	mult = fmin(round(2 * QNET_INPUT_LIMIT / (max - min) * 65536), INT32_MAX);
	/* The offset must fit, too. */
	mult = fmin(mult, floor(0x1p45 / fmax(fabs(middle), 1)));
	steps = mult / 65536;
	in->mult = (s32)mult;
	in->offset += llround(-middle * mult * 65536);
	in->lo = (s16)fmax(round((min - middle) * steps), -QNET_INPUT_LIMIT);
	in->hi = (s16)fmin(round((max - middle) * steps), QNET_INPUT_LIMIT);
	/* feature = x / steps + middle, so x stands for (x + middle * steps) / steps */
	fold_input(&work->layers[0], i, -middle * steps, 1 / steps);
	return true;
}

static void make_inputs(struct work *work, struct mlsched_quantize_report *report)
{
	struct qnet_input *in = (void *)((char *)work->net + work->net->inputs);

	report->n_inputs = work->net->n_inputs;
	for (uint32_t i = 0; i < work->net->n_inputs; i++) {
		report->n_live_inputs += make_input(work, i, &in[i]);
		work->lo[i] = in[i].lo;
		work->hi[i] = in[i].hi;
	}
}

/* One unit: its weights in double precision and where its integers go. */
struct unit {
	const struct dense *layer;
	uint32_t u;
	int32_t half; /* added to the bias to round the shift */
	int16_t *w;
	int32_t *bias;
};

/* Writes the unit's integers at @scale; returns how far its sum can get from zero. */
static double round_unit(const struct work *work, const struct unit *unit, double scale,
			 double *most)
{
	const struct dense *d = unit->layer;
	double bias = round(scale * d->b[unit->u]) + unit->half, least = bias;

	*most = bias;
	for (uint32_t i = 0; i < d->n_in; i++) {
		double w = round(scale * d->w[(size_t)i * d->n_out + unit->u]);

		unit->w[i] = (int16_t)fmax(fmin(w, INT16_MAX), -INT16_MAX);
		*most += fmax(w * work->lo[i], w * work->hi[i]);
		least += fmin(w * work->lo[i], w * work->hi[i]);
	}
	*unit->bias = (int32_t)fmax(fmin(bias, INT32_MAX), -INT32_MAX);
	return fmax(fabs(*most), fabs(least));
}

/*
 * Chooses the largest scale for which the proof holds.  Returns what one step
 * of the unit's activation means, or 0 for a unit that is never active.
 */
static double make_unit(const struct work *work, const struct unit *unit, int32_t *largest)
{
	const struct dense *d = unit->layer;
	double most = d->b[unit->u], least = most, top = 0, scale, reach;

	for (uint32_t i = 0; i < d->n_in; i++) {
		double w = d->w[(size_t)i * d->n_out + unit->u];

		most += fmax(w * work->lo[i], w * work->hi[i]);
		least += fmin(w * work->lo[i], w * work->hi[i]);
		top = work->lo[i] || work->hi[i] ? fmax(top, fabs(w)) : top;
	}
	if (most <= 0) {
		/* Nothing is left of it but a sum that never gets above zero. */
		memset(unit->w, 0, d->n_in * sizeof(*unit->w));
		*unit->bias = -1;
		*largest = 0;
		return 0;
	}
	scale = (QNET_SUM_LIMIT - unit->half) / fmax(most, -least);
	scale = fmin(fmin(scale, INT16_MAX / fmax(top, DBL_MIN)), 0x1p200);
	/* Rounding may carry the sum over the limit: then a little less. */
	while ((reach = round_unit(work, unit, scale, &most)) > QNET_SUM_LIMIT)
		scale *= fmin(QNET_SUM_LIMIT / reach, 0.9999);
	*largest = most > 0 ? (int32_t)most : 0;
	return most > 0 ? 1 / scale : 0;
}

static uint32_t bits_of(double largest)
{
	return largest < 1 ? 1 : (uint32_t)ilogb(largest) + 2;
}

/* The largest sum in hidden layer @l, the last one made so far, over some of the rows. */
static int32_t largest_on_rows(struct work *work, uint32_t l)
{
	struct qnet_model *net = work->net;
	size_t step = work->n_rows / MAX_SHIFT_ROWS + 1;
	uint32_t n_hidden = net->n_hidden, n_last = net->n_last;
	int32_t largest = 0;

	/* As far as it is made. */
	net->n_hidden = l + 1;
	net->n_last = 0;
	for (size_t r = 0; r < work->n_rows; r += step) {
		s32 features[QNET_MAX_WIDTH], sums[QNET_MAX_HIDDEN * QNET_MAX_WIDTH];
		s16 x[QNET_MAX_WIDTH];

		for (uint32_t i = 0; i < net->n_inputs; i++)
			features[i] = mlsched_feature_to_q16(work->rows[r * net->n_inputs + i]);
		qnet_quantize_inputs(net, features, x);
		qnet_sums(net, x, sums);
		for (uint32_t u = 0; u < net->hidden[l].n_out; u++) {
			int32_t sum = sums[l * QNET_MAX_WIDTH + u];

			largest = sum > largest ? sum : largest;
		}
	}
	net->n_hidden = n_hidden;
	net->n_last = n_last;
	return largest;
}

/* The smallest shift that lets the sums of the rows, and a quarter more, through unclamped. */
static uint32_t choose_shift(struct work *work, uint32_t l)
{
	int32_t largest = largest_on_rows(work, l);
	uint32_t shift = QNET_MIN_SHIFT;

	while (shift < QNET_SHIFT && (largest + largest / 4) >> shift > QNET_ACTIVATION_LIMIT)
		shift++;
	return shift;
}

/* Makes the units of hidden layer @l for its shift; what one step of each means, how far it gets. */
static void make_units(struct work *work, uint32_t l, double *steps, int32_t *largest)
{
	const struct qnet_layer *layer = &work->net->hidden[l];
	const struct dense *d = &work->layers[l];
	bool last = l + 1 == work->net->n_hidden;
	int16_t *w = (void *)((char *)work->net + layer->weights);
	int32_t *bias = (void *)((char *)work->net + layer->bias);

	for (uint32_t u = 0; u < d->n_out; u++) {
		struct unit unit = { d, u, last ? 0 : 1 << (layer->shift - 1),
				     w + (size_t)u * d->n_in, bias + u };

		steps[u] = make_unit(work, &unit, &largest[u]);
		if (!last)
			steps[u] *= 1 << layer->shift;
	}
}

/* Makes the integers of hidden layer @l, and hands its scales to the next layer. */
static void make_hidden(struct work *work, uint32_t l, struct mlsched_quantize_report *report)
{
	struct qnet_layer *layer = &work->net->hidden[l];
	const int16_t *w = (const void *)((char *)work->net + layer->weights);
	double steps[MLSCHED_MAX_WIDTH];
	int32_t largest[MLSCHED_MAX_WIDTH];
	int top = 0;

	make_units(work, l, steps, largest);
	if (l > 0 && l + 1 < work->net->n_hidden) {
		layer->shift = choose_shift(work, l);
		make_units(work, l, steps, largest);
	}
	for (uint32_t k = 0; k < layer->n_in * layer->n_out; k++)
		top = abs(w[k]) > top ? abs(w[k]) : top;
	for (uint32_t u = 0; u < layer->n_out; u++) {
		fold_input(&work->layers[l + 1], u, 0, steps[u]);
		work->lo[u] = 0;
		work->hi[u] = qnet_activation(largest[u], layer->shift);
	}
	report->units[l] = layer->n_out;
	report->weight_bits[l] = bits_of(top);
}

static void make_output(struct work *work, struct mlsched_quantize_report *report)
{
	const struct dense *d = &work->layers[work->net->n_hidden];
	double threshold = (double)mlsched_model_threshold(work->model), top = 0;
	int32_t *v = (void *)((char *)work->net + work->net->output);

	for (uint32_t i = 0; i < d->n_in; i++)
		top = fmax(top, fabs(d->w[i]));
	work->scale = top > 0 ? QNET_OUT_LIMIT / top : 1 << 20;
	/* Bias and threshold must fit as well. */
	work->scale = fmin(work->scale, 0x1p59 / fmax(fabs(d->b[0]), fmax(fabs(threshold), 1)));
	for (uint32_t i = 0; i < d->n_in; i++)
		v[i] = (int32_t)lround(d->w[i] * work->scale);
	work->net->bias = llround(d->b[0] * work->scale);
	work->net->threshold = llround(threshold * work->scale);
	report->weight_bits[work->net->n_hidden] = bits_of(round(top * work->scale));
}

/* Products of many large weights can leave even double precision. */
static int check_finite(struct work *work, uint32_t l)
{
	const struct dense *d = &work->layers[l];

	for (uint32_t u = 0; u < d->n_out; u++) {
		double reach = fabs(d->b[u]);

		for (uint32_t i = 0; i < d->n_in; i++)
			reach += fabs(d->w[(size_t)i * d->n_out + u]) * QNET_SUM_LIMIT;
		if (!(reach < 0x1p900))
			return mls_error(
				work->err, -ENOTSUP,
				"layer %u, unit %u: weights too large for fixed point; the "
				"native engine takes this model",
				l, u);
	}
	return 0;
}

static int make_integers(struct work *work, struct mlsched_quantize_report *report)
{
	int ret = make_block(work);

	if (ret)
		return ret;
	make_inputs(work, report);
	report->n_hidden = work->net->n_hidden;
	for (uint32_t l = 0; l < work->net->n_hidden; l++) {
		ret = check_finite(work, l);
		if (ret)
			return ret;
		make_hidden(work, l, report);
	}
	ret = check_finite(work, work->net->n_hidden);
	if (ret)
		return ret;
	make_output(work, report);
	work->net->checksum = mls_qnet_checksum(work->net);
	report->bytes = work->net->size;
	return 0;
}

/* ---- the whole ------------------------------------------------------------------ */

static void release(struct work *work)
{
	for (uint32_t l = 0; l < MLSCHED_MAX_LAYERS; l++)
		dense_free(&work->layers[l]);
	free(work->made);
	free(work->net);
	free(work);
}

static int measure(const struct work *work, const struct mlsched_qmodel *q, double min_agreement,
		   struct mlsched_quantize_report *report)
{
	int ret = mls_quantize_measure(work->model, q, work->rows, work->n_rows, report, work->err);

	report->rows_made = work->made != NULL;
	if (ret || report->agreement >= min_agreement)
		return ret;
	return mls_error(work->err, -ERANGE,
			 "fixed point agrees with float32 in %.3f %% of %zu verdicts, expected at "
			 "least %.3f %%; the farthest wrong one is %.3f standard deviations of the "
			 "logit from the threshold",
			 100 * report->agreement, report->n_rows, 100 * min_agreement,
			 report->worst_margin);
}

static int quantize(struct work *work, double min_agreement, struct mlsched_quantize_report *report,
		    struct mlsched_qmodel **out)
{
	struct mlsched_qmodel *q;
	int ret = copy_layers(work);

	if (ret)
		return ret;
	fold_normalization(work);
	ret = fold_output(work);
	if (!ret)
		ret = fold_activations(work);
	if (!ret)
		ret = find_ranges(work, report);
	if (!ret && !work->n_rows)
		ret = make_rows(work);
	if (!ret)
		ret = make_integers(work, report);
	if (!ret)
		ret = mls_qmodel_create(work->net, work->net->size, work->scale, work->err, &q);
	if (ret)
		return ret;
	ret = measure(work, q, min_agreement, report);
	if (ret)
		mlsched_qmodel_free(q);
	else
		*out = q;
	return ret;
}

int mlsched_quantize(const struct mlsched_model *model, const float *rows, size_t n_rows,
		     const struct mlsched_quantize_opts *opts,
		     struct mlsched_quantize_report *report, struct mlsched_error *err,
		     struct mlsched_qmodel **q)
{
	double min_agreement = opts ? opts->min_agreement : MLSCHED_MIN_AGREEMENT;
	struct mlsched_quantize_report own;
	struct work *work;
	int ret;

	if (opts && opts->size < sizeof(*opts))
		return mls_error(err, -EINVAL, "quantiser options of %zu bytes, expected %zu",
				 opts->size, sizeof(*opts));
	if (!(min_agreement >= 0 && min_agreement <= 1))
		return mls_error(err, -EINVAL, "expected an agreement between 0 and 1, got %g",
				 min_agreement);
	report = report ? report : &own;
	memset(report, 0, sizeof(*report));
	work = calloc(1, sizeof(*work));
	if (!work)
		return mls_error(err, -ENOMEM, "no memory to quantise the model");
	work->model = model;
	work->err = err;
	work->rows = rows;
	work->n_rows = rows ? n_rows : 0;
	ret = quantize(work, min_agreement, report, q);
	release(work);
	return ret;
}
