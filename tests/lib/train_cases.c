// SPDX-License-Identifier: GPL-2.0
/*
 * The numbers stand here so that another processor, compiler or build shows
 * when it computes others.  They change only when the arithmetic or the
 * synthetic rows change on purpose: then every instruction set fails alike.
 */
#include <stdlib.h>

#include "src/data/synthetic.h"
#include "src/util/crc32c.h"
#include "tests/lib/train_cases.h"

const struct test_train_case test_train_cases[TEST_TRAIN_CASES] = {
	{ MLSCHED_LINEAR, 0x50cd8ad0 }, { MLSCHED_RELU, 0xbae53079 },
	{ MLSCHED_RELU6, 0x4b6912a0 },  { MLSCHED_LEAKY_RELU, 0xbf141784 },
	{ MLSCHED_ELU, 0x8966cd21 },    { MLSCHED_SIGMOID, 0x624a1ca1 },
	{ MLSCHED_TANH, 0x1215d052 },
};

uint32_t test_train_checksum(const struct mls_trainer *trainer)
{
	const float *mean, *deviation;
	struct mlsched_model *model;
	struct mlsched_layer layer;
	uint32_t checksum = 0, n_in;

	if (mls_trainer_model(trainer, NULL, NULL, &model) != 0)
		return 0;
	for (uint32_t l = 0; mlsched_model_layer(model, l, &layer) == 0; l++) {
		checksum = mls_crc32c(checksum, layer.weights,
				      (size_t)layer.n_in * layer.n_out * sizeof(float));
		checksum = mls_crc32c(checksum, layer.bias, layer.n_out * sizeof(float));
	}
	n_in = mlsched_model_inputs(model);
	mlsched_model_normalization(model, &mean, &deviation);
	if (mean)
		checksum = mls_crc32c(checksum, mean, n_in * sizeof(float));
	if (deviation)
		checksum = mls_crc32c(checksum, deviation, n_in * sizeof(float));
	mlsched_model_free(model);
	return checksum;
}

int test_train_run(const struct test_train_case *item, enum mlsched_isa isa, uint32_t n_threads,
		   uint32_t *checksum)
{
	struct mls_trainer *trainer = NULL;
	struct mls_train_options options;
	struct mls_dataset data = { 0 };
	struct mls_split split = { 0 };
	int ret;

	mls_train_options_init(&options);
	options.epochs = 3;
	options.batch = 200; /* four chunks, the last one not full */
	options.l2 = 1e-5;
	options.activation_penalty = 1e-4;
	options.width[0] = 33; /* two registers and one unit */
	options.activation[0] = options.activation[1] = item->activation;
	options.alpha[0] = options.alpha[1] = 0.5f;
	/* CPU numbers as they are reach beyond 6. */
	options.normalize = item->activation != MLSCHED_RELU6;
	ret = mls_synthetic_seed10(1000, 3, &data, NULL);
	if (!ret)
		ret = mls_split_make(&data, 0.2, MLS_SPLIT_RANDOM, 3, &split, NULL);
	if (!ret)
		ret = mls_trainer_create(&options, &data, &split, n_threads, isa, NULL, &trainer);
	if (!ret)
		ret = mls_trainer_run(trainer, NULL, NULL, NULL);
	if (!ret) {
		mls_trainer_restore_best(trainer);
		*checksum = test_train_checksum(trainer);
	}
	mls_trainer_free(trainer);
	free(split.train);
	mls_dataset_clear(&data);
	return ret;
}
