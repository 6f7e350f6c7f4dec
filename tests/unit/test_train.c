// SPDX-License-Identifier: GPL-2.0
/*
 * The trainer: gradients against finite differences in double, the same bits
 * whatever the threads and instructions, early stopping, weights of classes,
 * penalties, what it refuses.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/data/synthetic.h"
#include "src/nn/train/train.h"
#include "src/util/random.h"
#include "tests/lib/train_cases.h"

/* ---- a reference in double, written without a look at the trainer -------------- */

#define MAX_UNITS 24

struct net {
	uint32_t n_layers;
	uint32_t width[MLSCHED_MAX_LAYERS + 1];
	double weights[MLSCHED_MAX_LAYERS][MAX_UNITS][MAX_UNITS];
	double bias[MLSCHED_MAX_LAYERS][MAX_UNITS];
	double nearest; /* distance of a hidden sum from a kink of its activation or penalty */
};

static double act(enum mlsched_activation activation, double alpha, double x)
{
	switch (activation) {
	case MLSCHED_RELU:
		return x > 0 ? x : 0;
	case MLSCHED_RELU6:
		return x > 0 ? (x < 6 ? x : 6) : 0;
	case MLSCHED_LEAKY_RELU:
		return x > 0 ? x : alpha * x;
	case MLSCHED_ELU:
		return x > 0 ? x : alpha * (exp(x) - 1);
	case MLSCHED_SIGMOID:
		return 1 / (1 + exp(-x));
	case MLSCHED_TANH:
		return tanh(x);
	default:
		return x;
	}
}

static void note_kinks(struct net *net, enum mlsched_activation activation, double x)
{
	net->nearest = fmin(net->nearest, fabs(x));
	if (activation == MLSCHED_RELU6)
		net->nearest = fmin(net->nearest, fabs(x - 6));
}

static double row_loss(struct net *net, const struct mls_train_options *o, const float *row,
		       double label)
{
	double x[MAX_UNITS], y[MAX_UNITS], penalty = 0;

	for (uint32_t i = 0; i < net->width[0]; i++)
		x[i] = (double)row[i];
	for (uint32_t l = 0; l < net->n_layers; l++) {
		for (uint32_t j = 0; j < net->width[l + 1]; j++) {
			y[j] = net->bias[l][j];
			for (uint32_t i = 0; i < net->width[l]; i++)
				y[j] += x[i] * net->weights[l][i][j];
			if (l + 1 < net->n_layers) {
				note_kinks(net, o->activation[l], y[j]);
				y[j] = act(o->activation[l], (double)o->alpha[l], y[j]);
				penalty += fabs(y[j]);
			}
		}
		memcpy(x, y, sizeof(x));
	}
	return o->class_weight[label > 0.5] *
		       (label * log1p(exp(-x[0])) + (1 - label) * log1p(exp(x[0]))) +
	       o->activation_penalty * penalty;
}

static double total_loss(struct net *net, const struct mls_train_options *o,
			 const struct mls_dataset *data)
{
	double sum = 0, squares = 0;

	for (uint32_t r = 0; r < data->n_rows; r++)
		sum += row_loss(net, o, data->inputs + (size_t)r * data->n_inputs,
				(double)data->labels[r]);
	for (uint32_t l = 0; l < net->n_layers; l++) {
		for (uint32_t i = 0; i < net->width[l]; i++) {
			for (uint32_t j = 0; j < net->width[l + 1]; j++)
				squares += net->weights[l][i][j] * net->weights[l][i][j];
		}
	}
	return sum / data->n_rows + o->l2 * squares;
}

static void copy_net(const struct mls_trainer *t, const struct mls_train_options *o,
		     uint32_t n_inputs, struct net *net)
{
	float weights[MAX_UNITS * MAX_UNITS], bias[MAX_UNITS];

	net->n_layers = o->n_hidden + 1;
	net->width[0] = n_inputs;
	for (uint32_t l = 0; l < net->n_layers; l++) {
		uint32_t n_out = l < o->n_hidden ? o->width[l] : 1;

		net->width[l + 1] = n_out;
		mls_trainer_get_layer(t, l, weights, bias);
		for (uint32_t j = 0; j < n_out; j++) {
			net->bias[l][j] = (double)bias[j];
			for (uint32_t i = 0; i < net->width[l]; i++)
				net->weights[l][i][j] = (double)weights[i * n_out + j];
		}
	}
}

static void check_gradient(struct net *net, const struct mls_train_options *o,
			   const struct mls_dataset *data, double *weight, float found)
{
	const double h = 1e-6;
	double at = *weight, above, below, expected;

	*weight = at + h;
	above = total_loss(net, o, data);
	*weight = at - h;
	below = total_loss(net, o, data);
	*weight = at;
	expected = (above - below) / (2 * h);
	if (fabs(expected - (double)found) > 2e-6 + 1e-4 * fabs(expected))
		fail_msg("%u hidden layers, l2 %g, penalty %g: expected %.9g, got %.9g",
			 o->n_hidden, o->l2, o->activation_penalty, expected, (double)found);
}

/*
 * All gradients of one step on all rows of the data.  Returns false when a sum
 * lies so close to a kink that a difference would reach across it.
 */
static bool check_gradients(const struct mls_train_options *o, const struct mls_dataset *data)
{
	float weights[MAX_UNITS * MAX_UNITS], bias[MAX_UNITS], some[MAX_UNITS];
	struct net *net = calloc(1, sizeof(*net));
	struct mls_split split;
	struct mls_trainer *t;
	struct mls_random random;
	bool usable;

	assert_non_null(net);
	assert_int_equal(mls_split_make(data, 0, MLS_SPLIT_TIME, 0, &split, NULL), 0);
	assert_int_equal(mls_trainer_create(o, data, &split, 1, MLSCHED_ISA_BEST, NULL, &t), 0);
	/* Biases other than zero, or a mistake in them would not show. */
	mls_random_seed(&random, 5, 0);
	for (uint32_t l = 0; l <= o->n_hidden; l++) {
		mls_trainer_get_layer(t, l, weights, bias);
		for (uint32_t j = 0; j < MAX_UNITS; j++)
			some[j] = mls_random_unit(&random) - 0.5f;
		mls_trainer_set_layer(t, l, weights, some);
	}
	copy_net(t, o, data->n_inputs, net);
	net->nearest = INFINITY;
	total_loss(net, o, data);
	usable = net->nearest > 1e-5;
	mls_trainer_step(t, split.train, data->n_rows);
	for (uint32_t l = 0; usable && l < net->n_layers; l++) {
		uint32_t n_out = net->width[l + 1];

		mls_trainer_get_gradient(t, l, weights, bias);
		for (uint32_t j = 0; j < n_out; j++) {
			check_gradient(net, o, data, &net->bias[l][j], bias[j]);
			for (uint32_t i = 0; i < net->width[l]; i++)
				check_gradient(net, o, data, &net->weights[l][i][j],
					       weights[i * n_out + j]);
		}
	}
	mls_trainer_free(t);
	free(split.train);
	free(net);
	return usable;
}

static void make_rows(uint32_t n_rows, uint32_t n_inputs, uint64_t seed, float spread,
		      struct mls_dataset *data)
{
	struct mls_random random;
	float row[MAX_UNITS];

	*data = (struct mls_dataset){ .n_inputs = n_inputs };
	mls_random_seed(&random, seed, 0);
	for (uint32_t r = 0; r < n_rows; r++) {
		for (uint32_t i = 0; i < n_inputs; i++)
			row[i] = spread * (2 * mls_random_unit(&random) - 1);
		assert_int_equal(mls_dataset_append(data, row, mls_random_below(&random, 2), NULL),
				 0);
	}
}

static void gradients_on_some_rows(const struct mls_train_options *o)
{
	struct mls_dataset data;
	bool usable = false;

	for (uint64_t seed = 11; !usable; seed++) {
		assert_true(seed < 100);
		/* Three chunks, the last one not full; for ReLU6 sums above 6 too. */
		make_rows(150, 7, seed, o->activation[0] == MLSCHED_RELU6 ? 8 : 2, &data);
		usable = check_gradients(o, &data);
		mls_dataset_clear(&data);
	}
}

static void gradients_for(enum mlsched_activation activation, double l2, double penalty)
{
	struct mls_train_options o;

	mls_train_options_init(&o);
	o.normalize = false;
	o.batch = 512;
	o.l2 = l2;
	o.activation_penalty = penalty;
	o.class_weight[0] = 0.7;
	o.class_weight[1] = 1.9;
	o.width[0] = 17; /* one more than a padded row */
	o.width[1] = 5;
	for (int l = 0; l < 2; l++) {
		o.activation[l] = activation;
		o.alpha[l] = activation == MLSCHED_ELU ? 1.3f : 0.2f;
	}
	gradients_on_some_rows(&o);
	o.n_hidden = 0;
	gradients_on_some_rows(&o);
	o.n_hidden = 3;
	o.width[2] = 16;
	o.activation[2] = MLSCHED_TANH;
	gradients_on_some_rows(&o);
}

#define GRADIENT_TEST(name, activation)                                       \
	static void gradient_of_##name##_is_that_of_differences(void **state) \
	{                                                                     \
		(void)state;                                                  \
		gradients_for(activation, 0, 0);                              \
		gradients_for(activation, 0.01, 0);                           \
		gradients_for(activation, 0, 0.01);                           \
		gradients_for(activation, 0.003, 0.02);                       \
	}

GRADIENT_TEST(linear, MLSCHED_LINEAR)
GRADIENT_TEST(relu, MLSCHED_RELU)
GRADIENT_TEST(relu6, MLSCHED_RELU6)
GRADIENT_TEST(leaky_relu, MLSCHED_LEAKY_RELU)
GRADIENT_TEST(elu, MLSCHED_ELU)
GRADIENT_TEST(sigmoid, MLSCHED_SIGMOID)
GRADIENT_TEST(tanh, MLSCHED_TANH)

/* ---- whole trainings --------------------------------------------------------------- */

struct training {
	struct mls_dataset data;
	struct mls_split split;
	struct mls_train_options options;
};

static void begin(struct training *t, uint32_t n_rows, double validation)
{
	*t = (struct training){ 0 };
	assert_int_equal(mls_synthetic_seed10(n_rows, 3, &t->data, NULL), 0);
	assert_int_equal(mls_split_make(&t->data, validation, MLS_SPLIT_RANDOM, 3, &t->split, NULL),
			 0);
	mls_train_options_init(&t->options);
	t->options.epochs = 3;
	t->options.l2 = 1e-5;
	t->options.activation_penalty = 1e-4;
}

static void end(struct training *t)
{
	free(t->split.train);
	mls_dataset_clear(&t->data);
}

static struct mls_trainer *trained(const struct training *t, uint32_t n_threads,
				   enum mlsched_isa isa)
{
	struct mls_trainer *trainer;

	if (mls_trainer_create(&t->options, &t->data, &t->split, n_threads, isa, NULL, &trainer))
		return NULL;
	assert_int_equal(mls_trainer_run(trainer, NULL, NULL, NULL), 0);
	mls_trainer_restore_best(trainer);
	return trainer;
}

static uint32_t checksum_of(struct mls_trainer *trainer)
{
	uint32_t checksum = test_train_checksum(trainer);

	mls_trainer_free(trainer);
	return checksum;
}

static void same_model_for_1_2_and_3_threads(void **state)
{
	struct training t;
	uint32_t expected;

	(void)state;
	begin(&t, 5000, 0.3);
	t.options.batch = 1500; /* more chunks than are held at a time, the last one not full */
	expected = checksum_of(trained(&t, 1, MLSCHED_ISA_BEST));
	assert_int_equal(checksum_of(trained(&t, 2, MLSCHED_ISA_BEST)), expected);
	assert_int_equal(checksum_of(trained(&t, 3, MLSCHED_ISA_BEST)), expected);
	t.options.seed++;
	assert_int_not_equal(checksum_of(trained(&t, 1, MLSCHED_ISA_BEST)), expected);
	end(&t);
}

static void same_model_for_every_activation_and_instruction_set(void **state)
{
	static const enum mlsched_isa isas[] = { MLSCHED_ISA_SCALAR, MLSCHED_ISA_AVX2,
						 MLSCHED_ISA_AVX512, MLSCHED_ISA_BEST };

	(void)state;
	for (int c = 0; c < TEST_TRAIN_CASES; c++) {
		const struct test_train_case *item = &test_train_cases[c];

		for (size_t i = 0; i < sizeof(isas) / sizeof(isas[0]); i++) {
			uint32_t found;
			int ret = test_train_run(item, isas[i], 1, &found);

			if (ret == -ENOTSUP) /* not on this processor */
				continue;
			assert_int_equal(ret, 0);
			if (found != item->checksum)
				fail_msg("%s on %s: expected %08x, got %08x",
					 mlsched_activation_name(item->activation),
					 mlsched_isa_name(isas[i]), item->checksum, found);
		}
	}
}

static double accuracy(struct mls_trainer *trainer, const struct mls_dataset *data)
{
	struct mlsched_model *model;
	uint32_t right = 0;

	assert_int_equal(mls_trainer_model(trainer, NULL, NULL, &model), 0);
	for (uint32_t r = 0; r < data->n_rows; r++) {
		const float *row = data->inputs + (size_t)r * data->n_inputs;
		float logit;

		assert_int_equal(mlsched_model_logit(model, row, 1, &logit), 0);
		right += (logit > 0) == mls_synthetic_rule(row);
	}
	mlsched_model_free(model);
	return (double)right / data->n_rows;
}

static void the_rule_behind_noisy_labels_is_learnt(void **state)
{
	struct mls_dataset unseen = { 0 };
	struct mls_trainer *trainer;
	struct training t;

	(void)state;
	begin(&t, 30000, 0.1);
	t.options.epochs = 10;
	trainer = trained(&t, 1, MLSCHED_ISA_BEST);
	assert_int_equal(mls_synthetic_seed10(20000, 77, &unseen, NULL), 0);
	assert_true(accuracy(trainer, &unseen) > 0.98);
	mls_trainer_free(trainer);
	mls_dataset_clear(&unseen);
	end(&t);
}

static void output_without_sigmoid_has_the_same_weights(void **state)
{
	struct mlsched_model *with, *without;
	struct mls_trainer *a, *b;
	struct mlsched_layer x, y;
	struct training t;
	float logit, output;

	(void)state;
	begin(&t, 500, 0);
	a = trained(&t, 1, MLSCHED_ISA_BEST);
	t.options.output = MLSCHED_LINEAR;
	b = trained(&t, 1, MLSCHED_ISA_BEST);
	assert_int_equal(mls_trainer_model(a, NULL, NULL, &with), 0);
	assert_int_equal(mls_trainer_model(b, NULL, NULL, &without), 0);
	assert_int_equal(mlsched_model_layer(with, 2, &x), 0);
	assert_int_equal(mlsched_model_layer(without, 2, &y), 0);
	assert_memory_equal(x.weights, y.weights, 64 * sizeof(float));
	assert_int_equal(mlsched_model_logit(with, t.data.inputs, 1, &logit), 0);
	mlsched_model_predict(without, t.data.inputs, 1, &output);
	assert_true(logit == output);
	mlsched_model_free(with);
	mlsched_model_free(without);
	mls_trainer_free(a);
	mls_trainer_free(b);
	end(&t);
}

/* ---- early stopping ---------------------------------------------------------------- */

struct watch {
	double best;
	uint32_t best_epoch;
	uint32_t epochs;
};

static int watch_epochs(void *context, const struct mls_train_progress *p)
{
	struct watch *w = context;

	if (!p->epoch_ended)
		return 0;
	if (w->epochs == 0 || p->validation_loss < w->best) {
		w->best = p->validation_loss;
		w->best_epoch = p->epoch;
	}
	w->epochs = p->epoch;
	return 0;
}

static double validation_loss(struct mls_trainer *trainer, const struct training *t)
{
	float *logits = malloc(t->split.n_validation * sizeof(*logits));
	double sum = 0;

	assert_non_null(logits);
	mls_trainer_logits(trainer, t->split.validation, t->split.n_validation, logits);
	for (uint32_t r = 0; r < t->split.n_validation; r++) {
		double z = (double)logits[r], y = (double)t->data.labels[t->split.validation[r]];

		sum += fmax(z, 0) - z * y + log1p(exp(-fabs(z)));
	}
	free(logits);
	return sum / t->split.n_validation;
}

static void early_stopping_restores_the_best_weights(void **state)
{
	struct watch w = { 0 };
	struct mls_trainer *trainer;
	struct training t;

	(void)state;
	begin(&t, 600, 0.5);
	/* Few rows, much noise, a high rate: it overfits soon. */
	t.options.epochs = 500;
	t.options.rate = 0.01;
	t.options.decay.kind = MLS_DECAY_CONSTANT;
	t.options.patience = 4;
	assert_int_equal(mls_trainer_create(&t.options, &t.data, &t.split, 1, MLSCHED_ISA_BEST,
					    NULL, &trainer),
			 0);
	assert_int_equal(mls_trainer_run(trainer, watch_epochs, &w, NULL), 0);
	assert_int_equal(w.epochs, w.best_epoch + 4);
	assert_true(w.epochs < 500);
	assert_true(validation_loss(trainer, &t) > w.best + 1e-4);
	mls_trainer_restore_best(trainer);
	assert_true(fabs(validation_loss(trainer, &t) - w.best) < 1e-5);
	mls_trainer_free(trainer);
	end(&t);
}

/* ---- what the options do -------------------------------------------------------------- */

static double share_migrated(const struct training *t)
{
	struct mls_trainer *trainer = trained(t, 1, MLSCHED_ISA_BEST);
	float *logits = malloc(t->split.n_train * sizeof(*logits));
	uint32_t n = 0;

	assert_non_null(trainer);
	assert_non_null(logits);
	mls_trainer_logits(trainer, t->split.train, t->split.n_train, logits);
	for (uint32_t r = 0; r < t->split.n_train; r++)
		n += logits[r] > 0;
	free(logits);
	mls_trainer_free(trainer);
	return (double)n / t->split.n_train;
}

static void class_weights_move_the_verdicts(void **state)
{
	double keep, even, migrate;
	struct training t;

	(void)state;
	begin(&t, 3000, 0);
	even = share_migrated(&t);
	t.options.class_weight[0] = 20;
	keep = share_migrated(&t);
	t.options.class_weight[0] = 1;
	t.options.class_weight[1] = 20;
	migrate = share_migrated(&t);
	assert_true(keep < even - 0.1);
	assert_true(migrate > even + 0.1);
	end(&t);
}

static double sum_of_squares(struct mls_trainer *trainer)
{
	float *weights = malloc(64 * 64 * sizeof(*weights)), bias[64];
	static const uint32_t sizes[] = { 10 * 64, 64 * 64, 64 };
	double sum = 0;

	assert_non_null(weights);
	for (uint32_t l = 0; l < 3; l++) {
		mls_trainer_get_layer(trainer, l, weights, bias);
		for (uint32_t i = 0; i < sizes[l]; i++)
			sum += (double)weights[i] * (double)weights[i];
	}
	free(weights);
	mls_trainer_free(trainer);
	return sum;
}

static void l2_makes_weights_smaller(void **state)
{
	double without, with;
	struct training t;

	(void)state;
	begin(&t, 2000, 0);
	t.options.l2 = 0;
	without = sum_of_squares(trained(&t, 1, MLSCHED_ISA_BEST));
	t.options.l2 = 0.01;
	with = sum_of_squares(trained(&t, 1, MLSCHED_ISA_BEST));
	assert_true(with < 0.8 * without);
	end(&t);
}

static double active_share(const struct training *t)
{
	struct mls_trainer *trainer = trained(t, 1, MLSCHED_ISA_BEST);
	double share;

	assert_non_null(trainer);
	share = mls_trainer_active_share(trainer, t->split.train, t->split.n_train);
	mls_trainer_free(trainer);
	return share;
}

static void activation_penalty_leaves_fewer_units_active(void **state)
{
	double without, with;
	struct training t;

	(void)state;
	begin(&t, 5000, 0);
	t.options.epochs = 10;
	t.options.activation_penalty = 0;
	without = active_share(&t);
	t.options.activation_penalty = 0.01;
	with = active_share(&t);
	assert_true(without > 0.4 && without < 0.8);
	assert_true(with < 0.7 * without);
	end(&t);
}

static int rate_at_end(void *context, const struct mls_train_progress *p)
{
	double **next = context;

	if (p->epoch_ended)
		*(*next)++ = p->rate;
	return 0;
}

static void rates(const struct training *t, double *found)
{
	struct mls_trainer *trainer;

	assert_int_equal(mls_trainer_create(&t->options, &t->data, &t->split, 1, MLSCHED_ISA_BEST,
					    NULL, &trainer),
			 0);
	assert_int_equal(mls_trainer_run(trainer, rate_at_end, &found, NULL), 0);
	mls_trainer_free(trainer);
}

static void learning_rate_falls_as_told(void **state)
{
	double found[5];
	struct training t;

	(void)state;
	begin(&t, 640, 0); /* ten steps an epoch */
	t.options.epochs = 4;
	t.options.decay = (struct mls_decay){ MLS_DECAY_CONSTANT, 1, 1 };
	rates(&t, found);
	assert_true(found[0] == 0.001 && found[3] == 0.001);
	t.options.decay = (struct mls_decay){ MLS_DECAY_EXPONENTIAL, 0.5, 1 };
	rates(&t, found);
	assert_true(found[0] == 0.001 && found[1] == 0.0005 && found[3] == 0.000125);
	t.options.decay = (struct mls_decay){ MLS_DECAY_STEP, 0.1, 2 };
	rates(&t, found);
	assert_true(found[1] == 0.001 && fabs(found[2] - 0.0001) < 1e-12 && found[3] == found[2]);
	t.options.decay = (struct mls_decay){ MLS_DECAY_COSINE, 1, 1 };
	rates(&t, found);
	for (int e = 0; e < 4; e++) {
		double done = (e * 10 + 9) / 40.0;

		assert_true(fabs(found[e] - 0.001 * (1 + cos(done * M_PI)) / 2) < 1e-12);
	}
	end(&t);
}

static void normalization_is_mean_and_deviation_of_training_rows(void **state)
{
	const float *mean, *deviation;
	struct mlsched_model *model;
	struct mls_trainer *trainer;
	struct training t;
	double sum = 0, squares = 0;

	(void)state;
	begin(&t, 1000, 0.4);
	trainer = trained(&t, 1, MLSCHED_ISA_BEST);
	assert_int_equal(mls_trainer_model(trainer, NULL, NULL, &model), 0);
	mlsched_model_normalization(model, &mean, &deviation);
	for (uint32_t r = 0; r < t.split.n_train; r++)
		sum += (double)t.data.inputs[t.split.train[r] * 10 + 3];
	sum /= t.split.n_train;
	for (uint32_t r = 0; r < t.split.n_train; r++)
		squares += pow((double)t.data.inputs[t.split.train[r] * 10 + 3] - sum, 2);
	assert_true(fabs((double)mean[3] - sum) < 1e-6);
	assert_true(fabs((double)deviation[3] - sqrt(squares / t.split.n_train)) < 1e-6);
	/* The reserved inputs never vary. */
	assert_true(mean[9] == 0 && deviation[9] == 1);
	mlsched_model_free(model);
	mls_trainer_free(trainer);
	end(&t);
}

static void an_input_that_never_varied_has_no_say(void **state)
{
	float row[10] = { 3, 1, 1, 0.9f, 0.2f }, before, after;
	struct mlsched_model *model;
	struct mls_trainer *trainer;
	struct training t;

	(void)state;
	begin(&t, 1000, 0);
	trainer = trained(&t, 1, MLSCHED_ISA_BEST);
	assert_int_equal(mls_trainer_model(trainer, NULL, NULL, &model), 0);
	assert_int_equal(mlsched_model_logit(model, row, 1, &before), 0);
	row[7] = 1000;
	assert_int_equal(mlsched_model_logit(model, row, 1, &after), 0);
	assert_true(before == after);
	mlsched_model_free(model);
	mls_trainer_free(trainer);
	end(&t);
}

static void a_loss_that_explodes_is_an_error(void **state)
{
	struct mls_trainer *trainer;
	struct mlsched_error err;
	struct training t;

	(void)state;
	begin(&t, 1000, 0);
	t.options.rate = 1000;
	t.options.epochs = 100;
	t.options.activation[0] = t.options.activation[1] = MLSCHED_LINEAR;
	t.options.n_hidden = 7;
	for (int l = 0; l < 7; l++) {
		t.options.width[l] = 64;
		t.options.activation[l] = MLSCHED_LINEAR;
	}
	assert_int_equal(mls_trainer_create(&t.options, &t.data, &t.split, 1, MLSCHED_ISA_BEST,
					    NULL, &trainer),
			 0);
	assert_int_equal(mls_trainer_run(trainer, NULL, NULL, &err), -ERANGE);
	assert_non_null(
		strstr(err.message, "the loss is no longer finite; a learning rate below "));
	mls_trainer_free(trainer);
	end(&t);
}

static void refused(const struct training *t, const char *expected)
{
	struct mls_trainer *trainer;
	struct mlsched_error err;

	assert_int_equal(mls_trainer_create(&t->options, &t->data, &t->split, 1, MLSCHED_ISA_BEST,
					    &err, &trainer),
			 -EINVAL);
	assert_string_equal(err.message, expected);
}

static void options_out_of_range_are_refused(void **state)
{
	struct training t;

	(void)state;
	begin(&t, 10, 0);
	t.options.activation[1] = MLSCHED_SOFTMAX;
	refused(&t, "hidden layer 2: cannot train activation softmax");
	t.options.activation[1] = MLSCHED_RELU;
	t.options.width[0] = 257;
	refused(&t, "hidden layer 1: expected 1 to 256 units, got 257");
	t.options.width[0] = 64;
	t.options.output = MLSCHED_RELU;
	refused(&t, "expected a sigmoid or linear output, got relu");
	t.options.output = MLSCHED_SIGMOID;
	t.options.batch = 0;
	refused(&t, "expected a batch of 1 to 65536 rows, got 0");
	t.options.batch = 64;
	t.options.rate = (double)NAN;
	refused(&t, "expected a learning rate above 0, got nan");
	t.options.rate = 0.1;
	t.options.alpha[0] = -1;
	refused(&t, "hidden layer 1: expected an alpha from 0, got -1");
	end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gradient_of_linear_is_that_of_differences),
		cmocka_unit_test(gradient_of_relu_is_that_of_differences),
		cmocka_unit_test(gradient_of_relu6_is_that_of_differences),
		cmocka_unit_test(gradient_of_leaky_relu_is_that_of_differences),
		cmocka_unit_test(gradient_of_elu_is_that_of_differences),
		cmocka_unit_test(gradient_of_sigmoid_is_that_of_differences),
		cmocka_unit_test(gradient_of_tanh_is_that_of_differences),
		cmocka_unit_test(same_model_for_1_2_and_3_threads),
		cmocka_unit_test(same_model_for_every_activation_and_instruction_set),
		cmocka_unit_test(the_rule_behind_noisy_labels_is_learnt),
		cmocka_unit_test(output_without_sigmoid_has_the_same_weights),
		cmocka_unit_test(early_stopping_restores_the_best_weights),
		cmocka_unit_test(class_weights_move_the_verdicts),
		cmocka_unit_test(l2_makes_weights_smaller),
		cmocka_unit_test(activation_penalty_leaves_fewer_units_active),
		cmocka_unit_test(learning_rate_falls_as_told),
		cmocka_unit_test(normalization_is_mean_and_deviation_of_training_rows),
		cmocka_unit_test(an_input_that_never_varied_has_no_say),
		cmocka_unit_test(a_loss_that_explodes_is_an_error),
		cmocka_unit_test(options_out_of_range_are_refused),
	};

	return cmocka_run_group_tests_name("train", tests, NULL, NULL);
}
