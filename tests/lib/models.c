// SPDX-License-Identifier: GPL-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/models.h"

static void same_floats(const float *a, const float *b, size_t n)
{
	assert_int_equal(!a, !b);
	if (a)
		assert_memory_equal(a, b, n * sizeof(*a));
}

static void same_layers(const struct mlsched_model *model, const struct mlsched_model *read)
{
	struct mlsched_layer x, y;

	assert_int_equal(mlsched_model_layers(model), mlsched_model_layers(read));
	for (uint32_t i = 0; mlsched_model_layer(model, i, &x) == 0; i++) {
		assert_int_equal(mlsched_model_layer(read, i, &y), 0);
		assert_int_equal(x.n_in, y.n_in);
		assert_int_equal(x.n_out, y.n_out);
		assert_int_equal(x.activation, y.activation);
		if (x.activation != MLSCHED_LEAKY_RELU && x.activation != MLSCHED_ELU)
			x.alpha = 0;
		assert_memory_equal(&x.alpha, &y.alpha, sizeof(x.alpha));
		same_floats(x.weights, y.weights, (size_t)x.n_in * x.n_out);
		same_floats(x.bias, y.bias, x.n_out);
	}
}

static void same_meta(const struct mlsched_meta *m, const struct mlsched_meta *n)
{
	assert_string_equal(m->schema, n->schema);
	assert_memory_equal(&m->threshold, &n->threshold, sizeof(m->threshold));
	assert_int_equal(m->n_calibration, n->n_calibration);
	same_floats(m->input_min, n->input_min, m->n_calibration);
	same_floats(m->input_max, n->input_max, m->n_calibration);
	assert_int_equal(m->tuned, n->tuned);
	assert_string_equal(m->mechanisms, n->mechanisms);
	assert_memory_equal(m->offers_us, n->offers_us, sizeof(m->offers_us));
	assert_int_equal(!m->provenance, !n->provenance);
	if (m->provenance)
		assert_string_equal(m->provenance, n->provenance);
}

void test_same_model(const struct mlsched_model *model, const struct mlsched_model *read)
{
	const float *mean[2], *deviation[2];

	same_layers(model, read);
	mlsched_model_normalization(model, &mean[0], &deviation[0]);
	mlsched_model_normalization(read, &mean[1], &deviation[1]);
	same_floats(mean[0], mean[1], mlsched_model_inputs(model));
	same_floats(deviation[0], deviation[1], mlsched_model_inputs(model));
	same_meta(mlsched_model_meta(model), mlsched_model_meta(read));
}
