// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoints: a trainer's state as a file.
 *
 * Little-endian, without padding:
 *
 *   8 bytes   "mlsckpt\n"
 *   u32       version, 1
 *   u32       length of the description
 *   bytes     description: the options that shape the result, as text
 *   u32       CRC-32C of the data set
 *   u32       CRC-32C of the split: training rows, then validation rows
 *   u32       epochs finished
 *   u32       training rows seen in this epoch
 *   u64       steps of Adam
 *   f64 x 8   beta1^step, beta2^step, rate, rate of the epoch, sum of losses of
 *             this epoch, loss, validation loss, best validation loss
 *   u32       best epoch, from 1; 0: none yet
 *   u32       1 when training is finished
 *   u64       n, numbers in each of the four arrays that follow
 *   f32 x 4n  weights, Adam's first and second averages, best weights, each as
 *             struct mls_train_layer lays them out
 *   u32       CRC-32C of everything before
 *
 * The order of rows is not stored: it follows from seed and epoch.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/nn/train/trainer.h"
#include "src/util/array.h"
#include "src/util/crc32c.h"
#include "src/util/error.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "checkpoints are little-endian"
#endif

#define MAGIC    "mlsckpt\n"
#define VERSION  1
#define N_ARRAYS 4
#define MAX_SIZE (16 << 20) /* the largest network's has 8 MB */

/* Everything between description and arrays, in the order of the file. */
struct fields {
	uint32_t data_crc;
	uint32_t split_crc;
	uint32_t epoch;
	uint32_t row;
	uint64_t step;
	double numbers[8];
	uint32_t best_epoch;
	uint32_t finished;
	uint64_t n_weights;
};

_Static_assert(sizeof(struct fields) == 4 * 4 + 8 + 8 * 8 + 2 * 4 + 8, "no padding");

struct head {
	char magic[8];
	uint32_t version;
	uint32_t description_size;
};

static uint32_t split_checksum(const struct mls_split *split)
{
	uint32_t crc = mls_crc32c(0, split->train, split->n_train * sizeof(*split->train));

	return mls_crc32c(crc, split->validation, split->n_validation * sizeof(*split->validation));
}

static void fill_fields(const struct mls_trainer *t, struct fields *f)
{
	const struct mls_train_state *s = &t->state;

	*f = (struct fields){
		.data_crc = mls_dataset_checksum(t->data),
		.split_crc = split_checksum(t->split),
		.epoch = s->epoch,
		.row = s->row,
		.step = s->step,
		.numbers = { s->beta1_power, s->beta2_power, s->rate, s->epoch_rate, s->loss_sum,
			     s->loss, s->validation_loss, s->best_loss },
		.best_epoch = s->best_epoch,
		.finished = s->finished,
		.n_weights = t->n_weights,
	};
}

static int write_all(int fd, const void *data, size_t size, uint32_t *crc)
{
	const char *at = data;

	*crc = mls_crc32c(*crc, data, size);
	while (size > 0) {
		ssize_t n = write(fd, at, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		size -= (size_t)n;
	}
	return 0;
}

static int write_checkpoint(const struct mls_trainer *t, int fd)
{
	const float *arrays[N_ARRAYS] = { t->weights, t->first, t->second, t->best };
	char description[MLS_TRAIN_DESCRIPTION_SIZE];
	struct head head = { MAGIC, VERSION, 0 };
	struct fields fields;
	uint32_t crc = 0;
	int ret;

	mls_train_describe(&t->options, t->data->n_inputs, description, sizeof(description));
	head.description_size = (uint32_t)strlen(description);
	fill_fields(t, &fields);
	ret = write_all(fd, &head, sizeof(head), &crc);
	if (!ret)
		ret = write_all(fd, description, head.description_size, &crc);
	if (!ret)
		ret = write_all(fd, &fields, sizeof(fields), &crc);
	for (int i = 0; !ret && i < N_ARRAYS; i++)
		ret = write_all(fd, arrays[i], t->n_weights * sizeof(float), &crc);
	if (!ret) {
		uint32_t sum = crc;

		ret = write_all(fd, &sum, sizeof(sum), &crc);
	}
	if (!ret && fsync(fd) != 0)
		ret = -errno;
	return ret;
}

/* A rename is on the disk when its directory is. */
static void sync_directory_of(const char *path)
{
	char *copy = strdup(path);
	int fd;

	if (!copy)
		return;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	free(copy);
}

static int refuse_to_replace(const char *path, const char *found, struct mlsched_error *err)
{
	return mls_error(
		err, -EEXIST,
		"%s: expected a checkpoint of mlsched train to replace, or nothing, found %s", path,
		found);
}

int mls_trainer_may_save(const char *path, struct mlsched_error *err)
{
	char magic[sizeof(MAGIC) - 1];
	struct stat st;
	ssize_t n;
	int fd, ret;

	if (stat(path, &st) != 0)
		return errno == ENOENT ? 0 :
					 mls_error(err, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return refuse_to_replace(path, "what is no file", err);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, magic, sizeof(magic));
	if (n < 0)
		ret = mls_error(err, -errno, "%s: %s", path, strerror(errno));
	else if (n > 0 && (n < (ssize_t)sizeof(magic) || memcmp(magic, MAGIC, sizeof(magic)) != 0))
		ret = refuse_to_replace(path, "another file", err);
	else
		ret = 0;
	if (fd >= 0)
		close(fd);
	return ret;
}

int mls_trainer_save(const struct mls_trainer *t, const char *path, struct mlsched_error *err)
{
	char *temporary;
	int fd, ret;

	/* Always the same name beside it: what a killed writer leaves, the next one overwrites. */
	if (asprintf(&temporary, "%s.tmp", path) < 0)
		return mls_error(err, -ENOMEM, "%s: no memory", path);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0) {
		ret = mls_error(err, -errno, "%s: %s", temporary, strerror(errno));
		goto out_free;
	}
	ret = write_checkpoint(t, fd);
	if (close(fd) != 0 && !ret)
		ret = -errno;
	if (!ret && rename(temporary, path) != 0)
		ret = -errno;
	if (ret) {
		unlink(temporary);
		ret = mls_error(err, ret, "%s: cannot write the checkpoint: %s", path,
				strerror(-ret));
		goto out_free;
	}
	sync_directory_of(path);
out_free:
	free(temporary);
	return ret;
}

/* The whole file in memory. */
static int read_file(const char *path, size_t limit, char **out, size_t *out_size,
		     struct mlsched_error *err)
{
	size_t size = 0;
	struct stat st;
	char *data;
	int fd, ret = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0) {
		ret = mls_error(err, -errno, "%s: %s", path, strerror(errno));
		goto out_close;
	}
	if (!S_ISREG(st.st_mode)) {
		ret = mls_error(err, -EINVAL, "%s: expected a checkpoint, found what is no file",
				path);
		goto out_close;
	}
	if (st.st_size < 0 || (uint64_t)st.st_size > limit) {
		ret = mls_error(err, -EINVAL,
				"%s: expected a checkpoint of at most %zu bytes, got %lld", path,
				limit, (long long)st.st_size);
		goto out_close;
	}
	data = malloc((size_t)st.st_size + 1);
	if (!data) {
		ret = mls_error(err, -ENOMEM, "%s: no memory for %lld bytes", path,
				(long long)st.st_size);
		goto out_close;
	}
	while (size < (size_t)st.st_size) {
		ssize_t n = read(fd, data + size, (size_t)st.st_size - size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			ret = mls_error(err, -errno, "%s: %s", path, strerror(errno));
			free(data);
			goto out_close;
		}
		if (n == 0)
			break;
		size += (size_t)n;
	}
	*out = data;
	*out_size = size;
out_close:
	if (fd >= 0)
		close(fd);
	return ret;
}

/* Names the first word of the two descriptions that differs. */
static int refuse_options(const char *path, const char *expected, const char *found,
			  struct mlsched_error *err)
{
	char *save_a, *save_b, *a = strdup(expected), *b = strdup(found);
	char *word_a = a ? strtok_r(a, " ", &save_a) : NULL;
	char *word_b = b ? strtok_r(b, " ", &save_b) : NULL;
	int ret;

	while (word_a && word_b && strcmp(word_a, word_b) == 0) {
		word_a = strtok_r(NULL, " ", &save_a);
		word_b = strtok_r(NULL, " ", &save_b);
	}
	ret = mls_error(err, -EINVAL,
			"%s: checkpoint of other options: expected \"%s\", found \"%s\"", path,
			word_a ? word_a : "", word_b ? word_b : "");
	free(a);
	free(b);
	return ret;
}

static int check_fields(const struct mls_trainer *t, const char *path, const struct fields *f,
			struct mlsched_error *err)
{
	uint32_t crc = mls_dataset_checksum(t->data);

	if (f->data_crc != crc)
		return mls_error(
			err, -EINVAL,
			"%s: checkpoint of other data: expected checksum %08x of the rows, "
			"found %08x",
			path, crc, f->data_crc);
	crc = split_checksum(t->split);
	if (f->split_crc != crc)
		return mls_error(err, -EINVAL,
				 "%s: checkpoint of another split into training and validation "
				 "rows: expected checksum %08x, found %08x",
				 path, crc, f->split_crc);
	if (f->n_weights != t->n_weights)
		return mls_error(err, -EINVAL, "%s: expected %zu weights, found %llu", path,
				 t->n_weights, (unsigned long long)f->n_weights);
	if (f->epoch > t->options.epochs || f->row > t->split->n_train || f->best_epoch > f->epoch)
		return mls_error(err, -EINVAL,
				 "%s: expected at most epoch %u and row %u, found %u and %u", path,
				 t->options.epochs, t->split->n_train, f->epoch, f->row);
	return 0;
}

/* Training begins with finite numbers, and a checkpoint is only written while they are. */
static int check_numbers(const struct mls_trainer *t, const char *path, const struct fields *f,
			 const char *arrays, struct mlsched_error *err)
{
	static const char *const names[N_ARRAYS] = { "weight", "first average of Adam",
						     "second average of Adam", "best weight" };
	static const char *const numbers[] = { "power of beta1", "power of beta2", "rate",
					       "rate of the epoch", "sum of losses" };
	float value;

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		if (!isfinite(f->numbers[i]) || f->numbers[i] < 0)
			return mls_error(err, -EINVAL,
					 "%s: expected a finite %s of at least 0, found %g", path,
					 numbers[i], f->numbers[i]);
	}
	for (size_t i = 0; i < N_ARRAYS * t->n_weights; i++) {
		size_t array = i / t->n_weights;
		/* Of squares. */
		bool signless = array == 2;

		memcpy(&value, arrays + i * sizeof(value), sizeof(value));
		if (!isfinite(value) || (signless && value < 0))
			return mls_error(err, -EINVAL,
					 "%s: %s %zu: expected a finite number%s, found %g", path,
					 names[array], i % t->n_weights,
					 signless ? " of at least 0" : "", (double)value);
	}
	return 0;
}

static void take_state(struct mls_trainer *t, const struct fields *f, const char *arrays)
{
	float *to[N_ARRAYS] = { t->weights, t->first, t->second, t->best };
	size_t size = t->n_weights * sizeof(float);

	t->state = (struct mls_train_state){
		.epoch = f->epoch,
		.row = f->row,
		.step = f->step,
		.beta1_power = f->numbers[0],
		.beta2_power = f->numbers[1],
		.rate = f->numbers[2],
		.epoch_rate = f->numbers[3],
		.loss_sum = f->numbers[4],
		.loss = f->numbers[5],
		.validation_loss = f->numbers[6],
		.best_loss = f->numbers[7],
		.best_epoch = f->best_epoch,
		.finished = f->finished != 0,
	};
	for (int i = 0; i < N_ARRAYS; i++)
		memcpy(to[i], arrays + i * size, size);
}

static int parse_checkpoint(struct mls_trainer *t, const char *path, const char *data, size_t size,
			    struct mlsched_error *err)
{
	char expected[MLS_TRAIN_DESCRIPTION_SIZE], found[MLS_TRAIN_DESCRIPTION_SIZE];
	size_t arrays = N_ARRAYS * t->n_weights * sizeof(float), wanted;
	struct fields fields;
	struct head head;
	uint32_t crc;
	int ret;

	if (size < sizeof(head) || memcmp(data, MAGIC, sizeof(head.magic)) != 0)
		return mls_error(err, -EINVAL, "%s: not a checkpoint of mlsched train", path);
	memcpy(&head, data, sizeof(head));
	if (head.version != VERSION)
		return mls_error(err, -EINVAL, "%s: expected version %d, found %u", path, VERSION,
				 head.version);
	if (head.description_size >= sizeof(found) || size < sizeof(head) + head.description_size)
		return mls_error(err, -EINVAL, "%s: description of %u bytes in a file of %zu", path,
				 head.description_size, size);
	memcpy(&crc, data + size - sizeof(crc), sizeof(crc));
	if (crc != mls_crc32c(0, data, size - sizeof(crc)))
		return mls_error(err, -EBADMSG, "%s: expected checksum %08x, found %08x", path, crc,
				 mls_crc32c(0, data, size - sizeof(crc)));
	memcpy(found, data + sizeof(head), head.description_size);
	found[head.description_size] = '\0';
	mls_train_describe(&t->options, t->data->n_inputs, expected, sizeof(expected));
	if (strcmp(expected, found) != 0)
		return refuse_options(path, expected, found, err);
	wanted = sizeof(head) + head.description_size + sizeof(fields) + arrays + sizeof(crc);
	if (size != wanted)
		return mls_error(err, -EINVAL, "%s: expected %zu bytes, found %zu", path, wanted,
				 size);
	memcpy(&fields, data + sizeof(head) + head.description_size, sizeof(fields));
	data += sizeof(head) + head.description_size + sizeof(fields);
	ret = check_fields(t, path, &fields, err);
	if (!ret)
		ret = check_numbers(t, path, &fields, data, err);
	if (!ret)
		take_state(t, &fields, data);
	return ret;
}

int mls_trainer_load(struct mls_trainer *t, const char *path, struct mlsched_error *err)
{
	size_t size = 0;
	char *data = NULL;
	int ret = read_file(path, MAX_SIZE, &data, &size, err);

	if (ret)
		return ret;
	ret = parse_checkpoint(t, path, data, size, err);
	free(data);
	return ret;
}
