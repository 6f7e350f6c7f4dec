// SPDX-License-Identifier: GPL-2.0
/*
 * Feeds anything to the reader of the checkpoints of `mlsched train`.  The first byte says
 * what the rest is:
 *
 *	r  the file
 *	f  the file, whose checksum is made right
 *	e  changes to the checkpoint of a training after its first epoch, whose checksum is made
 *	   right: three bytes each, a place in the file (16 bits, little-endian, modulo its
 *	   size) and what stands there
 *
 * Training that goes on from what is taken ends with a model, or says why it has none.
 */
#include <endian.h>
#include <errno.h>

#include "src/data/synthetic.h"
#include "src/nn/train/train.h"
#include "src/util/crc32c.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct mls_dataset rows;
static struct mls_split split;
static struct mls_train_options options;

/* After the first epoch. */
static uint8_t *base;
static size_t base_size;

static struct mls_trainer *new_trainer(void)
{
	struct mls_trainer *trainer;
	struct mlsched_error err;

	must(mls_trainer_create(&options, &rows, &split, 1, MLSCHED_ISA_SCALAR, &err, &trainer) ==
	     0);
	return trainer;
}

static int stop_at_epoch(void *context, const struct mls_train_progress *progress)
{
	(void)context;
	return progress->epoch_ended;
}

static void save_base(void)
{
	char directory[] = "/tmp/mlsched-fuzz-XXXXXX", path[64];
	struct mls_trainer *trainer = new_trainer();
	struct mlsched_error err;
	FILE *stream;
	long size;

	must(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/checkpoint", directory);
	must(mls_trainer_run(trainer, stop_at_epoch, NULL, &err) == 1);
	must(mls_trainer_save(trainer, path, &err) == 0);
	mls_trainer_free(trainer);
	stream = fopen(path, "rbe");
	must(stream && fseek(stream, 0, SEEK_END) == 0 && (size = ftell(stream)) > 0);
	base_size = (size_t)size;
	base = malloc(base_size);
	rewind(stream);
	must(base && fread(base, 1, base_size, stream) == base_size);
	fclose(stream);
	unlink(path);
	rmdir(directory);
}

static void begin(void)
{
	struct mlsched_error err;

	mls_train_options_init(&options);
	options.n_hidden = 1;
	options.width[0] = 3;
	options.epochs = 2;
	options.batch = 16;
	must(mls_synthetic_seed10(40, 1, &rows, &err) == 0);
	must(mls_split_make(&rows, 0.25, MLS_SPLIT_RANDOM, 1, &split, &err) == 0);
	save_base();
}

static void go_on(struct mls_trainer *trainer)
{
	struct mlsched_model *model = NULL;
	struct mlsched_error err = { 0 };
	int ret = mls_trainer_run(trainer, NULL, NULL, &err);

	if (!ret) {
		mls_trainer_restore_best(trainer);
		ret = mls_trainer_model(trainer, NULL, &err, &model);
	}
	check_outcome(ret, model, &err);
}

static void load(const uint8_t *data, size_t size)
{
	struct mls_trainer *trainer = new_trainer();
	struct mlsched_error err = { 0 };
	char path[32];
	int fd = as_file(data, size, path), ret = mls_trainer_load(trainer, path, &err);

	close(fd);
	if (ret)
		check_message(ret, &err);
	go_on(trainer);
	mls_trainer_free(trainer);
}

static void mend(uint8_t *data, size_t size)
{
	uint32_t crc;

	if (size < sizeof(crc))
		return;
	crc = htole32(mls_crc32c(0, data, size - sizeof(crc)));
	memcpy(data + size - sizeof(crc), &crc, sizeof(crc));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;
	size_t n;

	if (!base)
		begin();
	if (!size || !memchr("rfe", data[0], 3))
		return 0;
	n = data[0] == 'e' ? base_size : size - 1;
	copy = malloc(n + 1);
	must(copy);
	memcpy(copy, data[0] == 'e' ? base : data + 1, n);
	for (size_t i = 1; data[0] == 'e' && i + 3 <= size; i += 3)
		copy[(data[i] | data[i + 1] << 8) % n] = data[i + 2];
	if (data[0] != 'r')
		mend(copy, n);
	load(copy, n);
	free(copy);
	return 0;
}
