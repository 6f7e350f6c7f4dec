// SPDX-License-Identifier: GPL-2.0
/*
 * Training that is interrupted after any batch and goes on from its checkpoint
 * in a new trainer ends with the same bits; and what no checkpoint may pass as.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "src/data/synthetic.h"
#include "src/nn/train/train.h"
#include "src/util/crc32c.h"
#include "src/util/random.h"

#define N_CASES 40

static char directory[] = "/tmp/mlsched-test-XXXXXX";
static char checkpoint[64];

struct training {
	struct mls_dataset data;
	struct mls_split split;
	struct mls_train_options options;
};

static struct mls_trainer *start(const struct training *t, uint32_t n_threads)
{
	struct mls_trainer *trainer;
	struct mlsched_error err;

	if (mls_trainer_create(&t->options, &t->data, &t->split, n_threads, MLSCHED_ISA_BEST, &err,
			       &trainer) != 0)
		fail_msg("%s", err.message);
	return trainer;
}

static uint32_t finish(struct mls_trainer *trainer)
{
	struct mlsched_model *model;
	uint32_t checksum;

	mls_trainer_restore_best(trainer);
	assert_int_equal(mls_trainer_model(trainer, NULL, NULL, &model), 0);
	checksum = mlsched_model_checksum(model);
	mlsched_model_free(model);
	mls_trainer_free(trainer);
	return checksum;
}

static int stop_after(void *context, const struct mls_train_progress *p)
{
	uint32_t *left = context;

	(void)p;
	return (*left)-- == 1;
}

/* Random options, small enough that forty of them take a second. */
static void draw(struct training *t, struct mls_random *random)
{
	struct mls_train_options *o = &t->options;

	*t = (struct training){ 0 };
	assert_int_equal(mls_synthetic_seed10(2 + mls_random_below(random, 900),
					      mls_random_next(random), &t->data, NULL),
			 0);
	assert_int_equal(mls_split_make(&t->data, 0.5 * mls_random_below(random, 2),
					MLS_SPLIT_RANDOM, mls_random_next(random), &t->split, NULL),
			 0);
	mls_train_options_init(o);
	o->n_hidden = mls_random_below(random, 4);
	for (uint32_t l = 0; l < o->n_hidden; l++) {
		o->width[l] = 1 + mls_random_below(random, 40);
		o->activation[l] = mls_random_below(random, MLSCHED_SOFTMAX);
		o->alpha[l] = mls_random_unit(random);
	}
	o->epochs = 1 + mls_random_below(random, 5);
	o->batch = 1 + mls_random_below(random, 300);
	o->decay.kind = mls_random_below(random, MLS_DECAY_COSINE + 1);
	o->decay.factor = 0.7;
	o->l2 = 1e-4 * mls_random_below(random, 2);
	o->activation_penalty = 1e-3 * mls_random_below(random, 2);
	o->patience = mls_random_below(random, 3);
	o->class_weight[1] = 1 + (double)mls_random_unit(random);
	o->seed = mls_random_next(random);
}

/* Runs to the end in pieces of random length, each with a trainer of its own. */
static uint32_t in_pieces(const struct training *t, struct mls_random *random, uint32_t *pieces)
{
	struct mlsched_error err;
	int ret;

	for (*pieces = 0;; ++*pieces) {
		struct mls_trainer *trainer = start(t, 1 + mls_random_below(random, 3));
		uint32_t left = 1 + mls_random_below(random, 12);

		if (*pieces > 0 && mls_trainer_load(trainer, checkpoint, &err) != 0)
			fail_msg("%s", err.message);
		ret = mls_trainer_run(trainer, stop_after, &left, &err);
		if (ret < 0)
			fail_msg("%s", err.message);
		if (ret == 0)
			return finish(trainer);
		if (mls_trainer_save(trainer, checkpoint, &err) != 0)
			fail_msg("%s", err.message);
		mls_trainer_free(trainer);
	}
}

static void training_in_pieces_gives_the_same_bits(void **state)
{
	const char *given = getenv("MLSCHED_TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
	uint32_t pieces, all = 0;
	struct mls_random random;

	(void)state;
	print_message("# MLSCHED_TEST_SEED=%llu\n", (unsigned long long)seed);
	mls_random_seed(&random, seed, 0);
	for (int i = 0; i < N_CASES; i++) {
		struct mls_trainer *trainer;
		struct training t;
		uint32_t expected;

		draw(&t, &random);
		trainer = start(&t, 1);
		assert_int_equal(mls_trainer_run(trainer, NULL, NULL, NULL), 0);
		expected = finish(trainer);
		assert_int_equal(in_pieces(&t, &random, &pieces), expected);
		all += pieces;
		free(t.split.train);
		mls_dataset_clear(&t.data);
	}
	assert_true(all > N_CASES); /* or nothing was interrupted */
}

/* ---- what is refused ------------------------------------------------------------------ */

static void begin(struct training *t)
{
	*t = (struct training){ 0 };
	assert_int_equal(mls_synthetic_seed10(300, 1, &t->data, NULL), 0);
	assert_int_equal(mls_split_make(&t->data, 0.1, MLS_SPLIT_RANDOM, 1, &t->split, NULL), 0);
	mls_train_options_init(&t->options);
	t->options.epochs = 2;
}

static void end(struct training *t)
{
	free(t->split.train);
	mls_dataset_clear(&t->data);
}

static void save(const struct training *t)
{
	struct mls_trainer *trainer = start(t, 1);

	assert_int_equal(mls_trainer_run(trainer, NULL, NULL, NULL), 0);
	assert_int_equal(mls_trainer_save(trainer, checkpoint, NULL), 0);
	mls_trainer_free(trainer);
}

static void refused(const struct training *t, int code, const char *expected)
{
	struct mls_trainer *trainer = start(t, 1);
	struct mlsched_error err;
	char message[256];

	assert_int_equal(mls_trainer_load(trainer, checkpoint, &err), code);
	snprintf(message, sizeof(message), "%s: %s", checkpoint, expected);
	if (strncmp(err.message, message, strlen(message)) != 0)
		fail_msg("expected %s, got %s", message, err.message);
	mls_trainer_free(trainer);
}

static void a_checkpoint_of_another_training_is_refused(void **state)
{
	struct training t;

	(void)state;
	begin(&t);
	save(&t);
	t.options.rate = 0.5;
	refused(&t, -EINVAL,
		"checkpoint of other options: expected \"rate=0.5\", found \"rate=0.001");
	t.options.rate = 0.001;
	t.options.width[1] = 32;
	refused(&t, -EINVAL,
		"checkpoint of other options: expected \"layer2=32,relu,0\", found "
		"\"layer2=64,relu,0\"");
	t.options.width[1] = 64;
	t.data.inputs[0]++;
	refused(&t, -EINVAL, "checkpoint of other data: expected checksum ");
	t.data.inputs[0]--;
	t.split.train[0]++;
	refused(&t, -EINVAL, "checkpoint of another split into training and validation rows: ");
	end(&t);
}

static size_t read_checkpoint(char **bytes)
{
	FILE *stream = fopen(checkpoint, "re");
	size_t size;

	assert_non_null(stream);
	assert_int_equal(fseek(stream, 0, SEEK_END), 0);
	size = (size_t)ftell(stream);
	rewind(stream);
	*bytes = malloc(size);
	assert_non_null(*bytes);
	assert_int_equal(fread(*bytes, 1, size, stream), size);
	fclose(stream);
	return size;
}

static void write_checkpoint(const char *bytes, size_t size)
{
	FILE *stream = fopen(checkpoint, "we");

	assert_non_null(stream);
	assert_int_equal(fwrite(bytes, 1, size, stream), size);
	assert_int_equal(fclose(stream), 0);
}

static void a_damaged_checkpoint_is_refused(void **state)
{
	struct training t;
	char *bytes;
	size_t size;

	(void)state;
	begin(&t);
	save(&t);
	size = read_checkpoint(&bytes);
	for (size_t at = 16; at < size; at += size / 37) {
		bytes[at] ^= 4;
		write_checkpoint(bytes, size);
		refused(&t, -EBADMSG, "expected checksum ");
		bytes[at] ^= 4;
	}
	write_checkpoint(bytes, size / 2);
	refused(&t, -EBADMSG, "expected checksum ");
	write_checkpoint(bytes, 7);
	refused(&t, -EINVAL, "not a checkpoint of mlsched train");
	bytes[8] = 9;
	write_checkpoint(bytes, size);
	refused(&t, -EINVAL, "expected version 1, found 9");
	unlink(checkpoint);
	refused(&t, -ENOENT, "No such file or directory");
	free(bytes);
	end(&t);
}

/* Places in the file, as src/nn/train/checkpoint.c describes it. */
#define DESCRIPTION 16
#define FIELDS_SIZE 104
#define NUMBERS     24

/* With a checksum that is right: nobody writes such a file but on purpose. */
static void refused_with(const struct training *t, char *bytes, size_t size, size_t at,
			 const void *value, size_t n, const char *expected)
{
	char before[8];
	uint32_t crc;

	memcpy(before, bytes + at, n);
	memcpy(bytes + at, value, n);
	crc = mls_crc32c(0, bytes, size - sizeof(crc));
	memcpy(bytes + size - sizeof(crc), &crc, sizeof(crc));
	write_checkpoint(bytes, size);
	refused(t, -EINVAL, expected);
	memcpy(bytes + at, before, n);
}

static void numbers_that_no_training_has_are_refused(void **state)
{
	const double not_a_number = NAN, below = -1;
	const float infinite = -INFINITY, negative = -0.5f;
	size_t size, fields, arrays, array;
	uint32_t description;
	struct training t;
	char *bytes;

	(void)state;
	begin(&t);
	save(&t);
	size = read_checkpoint(&bytes);
	memcpy(&description, bytes + DESCRIPTION - sizeof(description), sizeof(description));
	fields = DESCRIPTION + description;
	arrays = fields + FIELDS_SIZE;
	array = (size - sizeof(uint32_t) - arrays) / 4;
	refused_with(&t, bytes, size, fields + NUMBERS, &not_a_number, 8,
		     "expected a finite power of beta1 of at least 0, found nan");
	refused_with(&t, bytes, size, fields + NUMBERS + 16, &below, 8,
		     "expected a finite rate of at least 0, found -1");
	refused_with(&t, bytes, size, arrays + 28, &infinite, 4,
		     "weight 7: expected a finite number, found -inf");
	refused_with(&t, bytes, size, arrays + array, &infinite, 4,
		     "first average of Adam 0: expected a finite number, found -inf");
	refused_with(
		&t, bytes, size, arrays + 2 * array + 4, &negative, 4,
		"second average of Adam 1: expected a finite number of at least 0, found -0.5");
	refused_with(&t, bytes, size, size - 8, &infinite, 4, "best weight ");
	free(bytes);
	end(&t);
}

static void a_refused_checkpoint_leaves_the_trainer_as_it_was(void **state)
{
	struct mls_trainer *a, *b;
	struct training t;
	char *bytes;
	size_t size;

	(void)state;
	begin(&t);
	save(&t);
	size = read_checkpoint(&bytes);
	bytes[size - 100] ^= 1;
	write_checkpoint(bytes, size);
	a = start(&t, 1);
	b = start(&t, 1);
	assert_int_equal(mls_trainer_load(a, checkpoint, NULL), -EBADMSG);
	assert_int_equal(mls_trainer_run(a, NULL, NULL, NULL), 0);
	assert_int_equal(mls_trainer_run(b, NULL, NULL, NULL), 0);
	assert_int_equal(finish(a), finish(b));
	free(bytes);
	end(&t);
}

static void a_checkpoint_that_cannot_be_written_says_so(void **state)
{
	struct mlsched_error err;
	struct mls_trainer *trainer;
	struct training t;

	(void)state;
	begin(&t);
	trainer = start(&t, 1);
	assert_int_equal(mls_trainer_save(trainer, "/nonexistent/x.ckpt", &err), -ENOENT);
	assert_string_equal(err.message, "/nonexistent/x.ckpt.tmp: No such file or directory");
	mls_trainer_free(trainer);
	end(&t);
}

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(checkpoint, sizeof(checkpoint), "%s/x.ckpt", directory);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(checkpoint);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(training_in_pieces_gives_the_same_bits),
		cmocka_unit_test(a_checkpoint_of_another_training_is_refused),
		cmocka_unit_test(a_damaged_checkpoint_is_refused),
		cmocka_unit_test(numbers_that_no_training_has_are_refused),
		cmocka_unit_test(a_refused_checkpoint_leaves_the_trainer_as_it_was),
		cmocka_unit_test(a_checkpoint_that_cannot_be_written_says_so),
	};

	return cmocka_run_group_tests_name("train resume", tests, setup, teardown);
}
