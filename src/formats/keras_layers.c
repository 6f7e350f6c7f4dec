// SPDX-License-Identifier: GPL-2.0
/* What each kind of Keras layer does, as steps that network.c folds into dense layers. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "src/formats/keras.h"
#include "src/util/array.h"
#include "src/util/error.h"

/* A layer with more values in its settings than that is none of ours. */
#define MAX_NUMBERS MLSCHED_MAX_WIDTH

static struct mls_step *new_step(struct mls_keras *k, enum mls_step_kind kind, const char *place)
{
	struct mls_step *step = mls_arena_alloc(k->arena, sizeof(*step));

	if (!step) {
		mls_no_memory(k->arena, k->path, k->err);
		return NULL;
	}
	*step = (struct mls_step){
		.kind = kind, .previous = k->last, .place = place, .width = k->width
	};
	k->last = step;
	return step;
}

static int out_of_memory(const struct mls_keras *k)
{
	return mls_no_memory(k->arena, k->path, k->err);
}

static int expect_rows(struct mls_keras *k, const char *place)
{
	return k->n_dims <= 1 ? 0 :
				mls_keras_bad(k, -ENOTSUP, place,
					      "expected rows of numbers, found %u dimensions: a "
					      "Flatten in front of it is missing",
					      k->n_dims);
}

/* One operation with a number or with one for each column. */
static int add_arithmetic(struct mls_keras *k, const char *place, enum mls_step_kind kind,
			  const float *numbers, uint32_t n)
{
	struct mls_step *step;

	if (n != 1) {
		int ret = expect_rows(k, place);

		if (ret)
			return ret;
		if (k->width && n != k->width)
			return mls_keras_bad(k, -EINVAL, place,
					     "expected one number or %u, found %u", k->width, n);
		if (n > MLSCHED_MAX_WIDTH)
			return mls_keras_bad(k, -ENOTSUP, place,
					     "expected at most %d numbers, found %u",
					     MLSCHED_MAX_WIDTH, n);
		k->width = n;
	}
	step = new_step(k, kind, place);
	if (!step)
		return out_of_memory(k);
	step->numbers = numbers;
	step->n = n;
	return 0;
}

int mls_keras_add_dense(struct mls_keras *k, const char *place, const struct mls_h5_tensor *kernel,
			const struct mls_h5_tensor *bias)
{
	struct mls_step *step;
	int ret = expect_rows(k, place);

	if (ret)
		return ret;
	if (kernel->rank != 2)
		return mls_keras_bad(k, -EINVAL, place,
				     "%s: expected a kernel of 2 dimensions, found %u",
				     kernel->path, kernel->rank);
	if (k->width && kernel->dims[0] != k->width)
		return mls_keras_bad(k, -EINVAL, place,
				     "%s: expected a kernel of %u rows, found %u", kernel->path,
				     k->width, kernel->dims[0]);
	if (bias && (bias->rank != 1 || bias->n != kernel->dims[1]))
		return mls_keras_bad(k, -EINVAL, place,
				     "%s: expected a bias of %u numbers, found %u", bias->path,
				     kernel->dims[1], bias->n);
	k->width = kernel->dims[1];
	k->n_dims = 1;
	step = new_step(k, MLS_STEP_MATMUL, place);
	if (!step)
		return out_of_memory(k);
	step->numbers = kernel->numbers;
	step->n = kernel->n;
	return bias ? add_arithmetic(k, place, MLS_STEP_ADD, bias->numbers, bias->n) : 0;
}

int mls_keras_add_normalization(struct mls_keras *k, const char *place, const float *mean,
				uint32_t n_mean, const float *variance, uint32_t n_variance,
				bool invert)
{
	float *deviation = mls_arena_array(k->arena, n_variance, sizeof(*deviation));
	int ret;

	if (!deviation)
		return out_of_memory(k);
	for (uint32_t i = 0; i < n_variance; i++) {
		if (!(variance[i] >= 0))
			return mls_keras_bad(k, -EINVAL, place,
					     "variance: expected 0 or more, found %g at [%u]",
					     (double)variance[i], i);
		deviation[i] = fmaxf(sqrtf(variance[i]), 1e-7f);
	}
	ret = add_arithmetic(k, place, invert ? MLS_STEP_MULTIPLY : MLS_STEP_SUBTRACT,
			     invert ? deviation : mean, invert ? n_variance : n_mean);
	if (ret)
		return ret;
	return add_arithmetic(k, place, invert ? MLS_STEP_ADD : MLS_STEP_DIVIDE,
			      invert ? mean : deviation, invert ? n_mean : n_variance);
}

int mls_keras_add_activation(struct mls_keras *k, const char *place,
			     enum mlsched_activation activation, float alpha)
{
	struct mls_step *step;
	int ret = activation == MLSCHED_SOFTMAX ? expect_rows(k, place) : 0;

	if (ret || activation == MLSCHED_LINEAR)
		return ret;
	step = new_step(k, MLS_STEP_ACTIVATE, place);
	if (!step)
		return out_of_memory(k);
	step->activation = activation;
	step->alpha = alpha;
	return 0;
}

/* ---- settings -------------------------------------------------------------------------------- */

/* What Keras takes when a number is missing. */
static int get_number(struct mls_keras *k, const struct mls_keras_layer *layer, const char *key,
		      double otherwise, double *number)
{
	const json_t *value = json_object_get(layer->config, key);

	*number = otherwise;
	if (!value || json_is_null(value))
		return 0;
	/* Numbers of NumPy arrive wrapped. */
	if (json_is_object(value))
		value = json_object_get(json_object_get(value, "config"), "value");
	if (!json_is_number(value) || !isfinite(json_number_value(value)))
		return mls_keras_bad(k, -EINVAL, layer->place, "%s: expected a finite number", key);
	*number = json_number_value(value);
	return 0;
}

static bool get_flag(const struct mls_keras_layer *layer, const char *key, bool otherwise)
{
	const json_t *value = json_object_get(layer->config, key);

	return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

static int add_numbers(struct mls_keras *k, const struct mls_keras_layer *layer, const char *key,
		       const json_t *value, int depth, float *numbers, uint32_t *n)
{
	const json_t *item;
	size_t i;
	int ret = 0;

	if (json_is_array(value) && depth < 4) {
		json_array_foreach(value, i, item) {
			ret = add_numbers(k, layer, key, item, depth + 1, numbers, n);
			if (ret)
				return ret;
		}
		return 0;
	}
	if (!json_is_number(value) || !isfinite((float)json_number_value(value)))
		return mls_keras_bad(k, -EINVAL, layer->place, "%s: expected finite numbers", key);
	if (*n == MAX_NUMBERS)
		return mls_keras_bad(k, -ENOTSUP, layer->place, "%s: expected at most %d numbers",
				     key, MAX_NUMBERS);
	numbers[(*n)++] = (float)json_number_value(value);
	return 0;
}

/* A number, or a list in which lists may be; n is 0 when there is none. */
static int get_numbers(struct mls_keras *k, const struct mls_keras_layer *layer, const char *key,
		       const float **numbers, uint32_t *n)
{
	const json_t *value = json_object_get(layer->config, key);
	float all[MAX_NUMBERS], *copy;
	int ret;

	*n = 0;
	if (!value || json_is_null(value))
		return 0;
	ret = add_numbers(k, layer, key, value, 0, all, n);
	if (ret)
		return ret;
	if (*n == 0)
		return mls_keras_bad(k, -EINVAL, layer->place, "%s: expected numbers, found none",
				     key);
	copy = mls_arena_array(k->arena, *n, sizeof(*copy));
	if (!copy)
		return out_of_memory(k);
	memcpy(copy, all, *n * sizeof(*copy));
	*numbers = copy;
	return 0;
}

/* The columns: axis 1 of rows, or the last; none at all means all together, where @none allows. */
static int check_axis(struct mls_keras *k, const struct mls_keras_layer *layer, bool none)
{
	const json_t *axis = json_object_get(layer->config, "axis");
	json_int_t number;

	if (!axis)
		return 0;
	if (json_is_array(axis) && json_array_size(axis) == 1)
		axis = json_array_get(axis, 0);
	if (none && (json_is_null(axis) || (json_is_array(axis) && !json_array_size(axis))))
		return 0;
	number = json_is_integer(axis) ? json_integer_value(axis) : 0;
	return number == -1 || number == 1 ? 0 :
					     mls_keras_bad(k, -ENOTSUP, layer->place,
							   "axis: expected the columns, -1 or 1, "
							   "found another one");
}

/* Weights of whole numbers need scales that lie elsewhere. */
static int check_type(struct mls_keras *k, const struct mls_keras_layer *layer)
{
	static const char *const taken[] = { "float32",  "float64",       "float16",
					     "bfloat16", "mixed_float16", "mixed_bfloat16" };
	const json_t *type = json_object_get(layer->config, "dtype");
	const char *name;

	if (json_is_object(type))
		type = json_object_get(json_object_get(type, "config"), "name");
	name = json_string_value(type);
	for (size_t i = 0; name && i < ARRAY_SIZE(taken); i++) {
		if (strcmp(name, taken[i]) == 0)
			name = NULL;
	}
	if (name)
		return mls_keras_bad(
			k, -ENOTSUP, layer->place,
			"dtype: expected a type of floating point numbers, found %.40s", name);
	if (json_is_object(json_object_get(layer->config, "quantization_config")))
		return mls_keras_bad(k, -ENOTSUP, layer->place,
				     "expected weights as they were trained, found quantised ones");
	return 0;
}

/* ---- activations ----------------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum mlsched_activation activation;
	float alpha;
} functions[] = {
	{ "linear", MLSCHED_LINEAR, 0 }, { "relu", MLSCHED_RELU, 0 },
	{ "relu6", MLSCHED_RELU6, 0 },   { "sigmoid", MLSCHED_SIGMOID, 0 },
	{ "tanh", MLSCHED_TANH, 0 },     { "softmax", MLSCHED_SOFTMAX, 0 },
	{ "elu", MLSCHED_ELU, 1 },       { "leaky_relu", MLSCHED_LEAKY_RELU, 0.2f },
};

static int add_function(struct mls_keras *k, const struct mls_keras_layer *layer, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		if (strcmp(functions[i].name, name) == 0)
			return mls_keras_add_activation(k, layer->place, functions[i].activation,
							functions[i].alpha);
	}
	return mls_keras_bad(k, -ENOTSUP, layer->place,
			     "activation: expected linear, relu, relu6, leaky_relu, elu, sigmoid, "
			     "tanh or softmax, found %.40s",
			     name);
}

static int add_relu(struct mls_keras *k, const struct mls_keras_layer *layer)
{
	double most, slope, threshold;
	int ret = get_number(k, layer, "max_value", INFINITY, &most);

	if (!ret)
		ret = get_number(k, layer, "negative_slope", 0, &slope);
	if (!ret)
		ret = get_number(k, layer, "threshold", 0, &threshold);
	if (ret)
		return ret;
	if (threshold == 0 && slope == 0 && (isinf(most) || most == 6))
		return mls_keras_add_activation(k, layer->place,
						isinf(most) ? MLSCHED_RELU : MLSCHED_RELU6, 0);
	if (threshold == 0 && isinf(most))
		return mls_keras_add_activation(k, layer->place, MLSCHED_LEAKY_RELU, (float)slope);
	return mls_keras_bad(
		k, -ENOTSUP, layer->place,
		"expected a ReLU, a ReLU6 or a leaky ReLU, found maximum %g, slope %g, "
		"threshold %g",
		most, slope, threshold);
}

static int add_leaky(struct mls_keras *k, const struct mls_keras_layer *layer)
{
	double old, slope;
	int ret = get_number(k, layer, "alpha", 0.3, &old);

	if (!ret)
		ret = get_number(k, layer, "negative_slope", old, &slope);
	return ret ? ret :
		     mls_keras_add_activation(k, layer->place, MLSCHED_LEAKY_RELU, (float)slope);
}

static int add_elu(struct mls_keras *k, const struct mls_keras_layer *layer)
{
	double alpha;
	int ret = get_number(k, layer, "alpha", 1, &alpha);

	return ret ? ret : mls_keras_add_activation(k, layer->place, MLSCHED_ELU, (float)alpha);
}

static int add_softmax(struct mls_keras *k, const struct mls_keras_layer *layer)
{
	int ret = check_axis(k, layer, false);

	return ret ? ret : mls_keras_add_activation(k, layer->place, MLSCHED_SOFTMAX, 0);
}

/* As a layer has it: a name, nothing, a function by its name, or a layer. */
static int add_setting(struct mls_keras *k, const struct mls_keras_layer *layer)
{
	static const struct {
		const char *class_name;
		int (*add)(struct mls_keras *k, const struct mls_keras_layer *layer);
	} classes[] = { { "ReLU", add_relu },
			{ "LeakyReLU", add_leaky },
			{ "ELU", add_elu },
			{ "Softmax", add_softmax } };
	const json_t *value = json_object_get(layer->config, "activation");
	struct mls_keras_layer inner = *layer;

	if (!value || json_is_null(value))
		return 0;
	if (json_is_string(value))
		return add_function(k, layer, json_string_value(value));
	inner.config = json_object_get(value, "config");
	if (json_is_string(inner.config))
		return add_function(k, layer, json_string_value(inner.config));
	inner.class_name = json_string_value(json_object_get(value, "class_name"));
	for (size_t i = 0; inner.class_name && i < ARRAY_SIZE(classes); i++) {
		if (strcmp(classes[i].class_name, inner.class_name) == 0)
			return classes[i].add(k, &inner);
	}
	return add_function(k, layer, inner.class_name ? inner.class_name : "no name");
}

/* ---- layers ------------------------------------------------------------------------------------- */

static int add_dense(struct mls_keras *k, const struct mls_keras_layer *layer)
{
	bool has_bias = get_flag(layer, "use_bias", true);
	struct mls_h5_tensor kernel, bias;
	double units;
	int ret = check_type(k, layer);

	if (!ret)
		ret = get_number(k, layer, "units", 0, &units);
	if (!ret)
		ret = mls_keras_tensor(k, layer, "kernel", 0, &kernel);
	if (!ret && has_bias)
		ret = mls_keras_tensor(k, layer, "bias", 1, &bias);
	if (ret)
		return ret;
	if (kernel.rank == 2 && units != kernel.dims[1])
		return mls_keras_bad(k, -EINVAL, layer->place,
				     "%s: expected a kernel of %g columns, found %u", kernel.path,
				     units, kernel.dims[1]);
	ret = mls_keras_add_dense(k, layer->place, &kernel, has_bias ? &bias : NULL);
	return ret ? ret : add_setting(k, layer);
}

static int add_normalization(struct mls_keras *k, const struct mls_keras_layer *layer)
{
	const float *mean = NULL, *variance = NULL;
	uint32_t n_mean, n_variance;
	struct mls_h5_tensor t;
	int ret = check_axis(k, layer, true);

	if (!ret)
		ret = get_numbers(k, layer, "mean", &mean, &n_mean);
	if (!ret)
		ret = get_numbers(k, layer, "variance", &variance, &n_variance);
	if (!ret && !mean) {
		ret = mls_keras_tensor(k, layer, "mean", 0, &t);
		mean = t.numbers;
		n_mean = t.n;
	}
	if (!ret && !variance) {
		ret = mls_keras_tensor(k, layer, "variance", 1, &t);
		variance = t.numbers;
		n_variance = t.n;
	}
	return ret ? ret :
		     mls_keras_add_normalization(k, layer->place, mean, n_mean, variance,
						 n_variance, get_flag(layer, "invert", false));
}

/* x * s + t with s = gamma / sqrt(variance + epsilon), t = beta - mean * s. */
static int add_batch(struct mls_keras *k, const struct mls_keras_layer *layer)
{
	static const char *const names[] = { "gamma", "beta", "moving_mean", "moving_variance" };
	bool is_there[] = { get_flag(layer, "scale", true), get_flag(layer, "center", true), true,
			    true };
	struct mls_h5_tensor t[4] = { 0 };
	float *scale, *shift;
	double epsilon;
	uint32_t n, index = 0;
	int ret = check_axis(k, layer, false);

	if (!ret)
		ret = get_number(k, layer, "epsilon", 1e-3, &epsilon);
	for (size_t i = 0; !ret && i < ARRAY_SIZE(names); i++) {
		if (is_there[i])
			ret = mls_keras_tensor(k, layer, names[i], index++, &t[i]);
	}
	if (ret)
		return ret;
	n = t[2].n;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (is_there[i] && t[i].n != n)
			return mls_keras_bad(k, -EINVAL, layer->place,
					     "%s: expected %u numbers, found %u", t[i].path, n,
					     t[i].n);
	}
	scale = mls_arena_array(k->arena, n, sizeof(*scale));
	shift = mls_arena_array(k->arena, n, sizeof(*shift));
	if (!scale || !shift)
		return out_of_memory(k);
	for (uint32_t i = 0; i < n; i++) {
		double variance = (double)t[3].numbers[i] + epsilon, s;

		if (!(variance > 0))
			return mls_keras_bad(k, -EINVAL, layer->place,
					     "%s: expected a variance above %g, found %g at [%u]",
					     t[3].path, -epsilon, (double)t[3].numbers[i], i);
		s = (is_there[0] ? (double)t[0].numbers[i] : 1) / sqrt(variance);
		scale[i] = (float)s;
		shift[i] = (float)((is_there[1] ? (double)t[1].numbers[i] : 0) -
				   (double)t[2].numbers[i] * s);
	}
	ret = add_arithmetic(k, layer->place, MLS_STEP_MULTIPLY, scale, n);
	return ret ? ret : add_arithmetic(k, layer->place, MLS_STEP_ADD, shift, n);
}

static int add_rescaling(struct mls_keras *k, const struct mls_keras_layer *layer)
{
	const float *scale = NULL, *offset = NULL;
	uint32_t n_scale, n_offset;
	int ret = get_numbers(k, layer, "scale", &scale, &n_scale);

	if (!ret)
		ret = get_numbers(k, layer, "offset", &offset, &n_offset);
	if (!ret && scale)
		ret = add_arithmetic(k, layer->place, MLS_STEP_MULTIPLY, scale, n_scale);
	if (!ret && offset)
		ret = add_arithmetic(k, layer->place, MLS_STEP_ADD, offset, n_offset);
	return ret;
}

/* What only training sees. */
static int add_nothing(struct mls_keras *k, const struct mls_keras_layer *layer)
{
	(void)k;
	(void)layer;
	return 0;
}

static int add_flatten(struct mls_keras *k, const struct mls_keras_layer *layer)
{
	const json_t *order = json_object_get(layer->config, "data_format");

	if (k->n_dims > 1 && json_is_string(order) &&
	    strcmp(json_string_value(order), "channels_last") != 0)
		return mls_keras_bad(k, -ENOTSUP, layer->place,
				     "data_format: expected channels_last, found another order");
	k->n_dims = 1;
	return 0;
}

static int add_reshape(struct mls_keras *k, const struct mls_keras_layer *layer)
{
	const json_t *shape = json_object_get(layer->config, "target_shape"), *dim;
	uint64_t product = 1;
	bool open = false;
	size_t i;

	if (!json_is_array(shape) || json_array_size(shape) < 1 || json_array_size(shape) > 8)
		return mls_keras_bad(k, -EINVAL, layer->place, "target_shape: expected a shape");
	json_array_foreach(shape, i, dim) {
		json_int_t n = json_integer_value(dim);

		if (!json_is_integer(dim) || n < -1 || n == 0 || n > MLSCHED_MAX_WIDTH)
			return mls_keras_bad(
				k, -ENOTSUP, layer->place,
				"target_shape: expected -1 or 1 to %d in dimension %zu",
				MLSCHED_MAX_WIDTH, i);
		open = open || n == -1;
		product = n == -1 ? product : product * (uint64_t)n;
		if (product > MLSCHED_MAX_WIDTH)
			break;
	}
	if (k->width ? (open ? k->width % product != 0 : product != k->width) : !open)
		return mls_keras_bad(
			k, -ENOTSUP, layer->place,
			"target_shape: expected the %u numbers of a row, found another "
			"number",
			k->width);
	k->n_dims = (uint32_t)json_array_size(shape);
	return 0;
}

static const struct {
	const char *class_name;
	const char *group; /* as keras.utils.naming.to_snake_case() has it */
	int (*add)(struct mls_keras *k, const struct mls_keras_layer *layer);
} classes[] = {
	{ "InputLayer", "input_layer", add_nothing },
	{ "Dense", "dense", add_dense },
	{ "Activation", "activation", add_setting },
	{ "ReLU", "re_lu", add_relu },
	{ "LeakyReLU", "leaky_re_lu", add_leaky },
	{ "ELU", "elu", add_elu },
	{ "Softmax", "softmax", add_softmax },
	{ "Normalization", "normalization", add_normalization },
	{ "BatchNormalization", "batch_normalization", add_batch },
	{ "Rescaling", "rescaling", add_rescaling },
	{ "Flatten", "flatten", add_flatten },
	{ "Reshape", "reshape", add_reshape },
	{ "Identity", "identity", add_nothing },
	{ "Dropout", "dropout", add_nothing },
	{ "AlphaDropout", "alpha_dropout", add_nothing },
	{ "GaussianDropout", "gaussian_dropout", add_nothing },
	{ "GaussianNoise", "gaussian_noise", add_nothing },
	{ "ActivityRegularization", "activity_regularization", add_nothing },
	/* Models inside models: keras_config.c walks through them. */
	{ "Sequential", "sequential", NULL },
	{ "Functional", "functional", NULL },
	{ "Model", "functional", NULL },
};

const char *mls_keras_group_of(const char *class_name)
{
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		if (strcmp(classes[i].class_name, class_name) == 0)
			return classes[i].group;
	}
	return NULL;
}

int mls_keras_add_layer(struct mls_keras *k, const struct mls_keras_layer *layer)
{
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		if (strcmp(classes[i].class_name, layer->class_name) == 0 && classes[i].add)
			return classes[i].add(k, layer);
	}
	return mls_keras_bad(k, -ENOTSUP, layer->place,
			     "expected a layer of dense networks, found %.60s", layer->class_name);
}
