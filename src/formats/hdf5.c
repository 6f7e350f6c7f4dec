// SPDX-License-Identifier: GPL-2.0
/*
 * HDF5 files, through the process that reads them: what it is asked, and what of its
 * answers is believed.
 *
 * A damaged file can make libhdf5 answer anything.  So nothing it says is used as a
 * length, an index or a number before it has been looked at here.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <mlsched/model.h>

#include "src/formats/hdf5.h"
#include "src/formats/hdf5_process.h"
#include "src/util/error.h"

#define MAX_NAME 8192U

struct mls_h5 {
	const struct mls_blob *blob;
	struct mls_arena *arena;
	struct mlsched_error *err;
	struct mls_h5_process process;
};

static const uint8_t signature[8] = { 0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n' };

#define bad(h5, code, format_, ...)                                                        \
	mls_error((h5)->err, code, "Invalid %s format: %s: " format_, (h5)->arena->format, \
		  (h5)->blob->path, ##__VA_ARGS__)

bool mls_h5_detect(const uint8_t *head, size_t n)
{
	return n >= sizeof(signature) && memcmp(head, signature, sizeof(signature)) == 0;
}

/* ---- reading ------------------------------------------------------------------------------ */

/* Asks about one or two names; @second may be NULL. */
static int ask(struct mls_h5 *h5, struct mls_h5_frame *frame, const char *first, const char *second,
	       const char **answered)
{
	size_t n_first = strlen(first) + 1, n_second = second ? strlen(second) + 1 : 0;
	const struct mls_h5_frame question = {
		.what = frame->what,
		.values = { frame->values[0], frame->values[1] },
		.size = (uint32_t)(n_first + n_second),
	};
	char *payload;

	if (n_first > MAX_NAME || n_second > MAX_NAME)
		return bad(h5, -EINVAL,
			   "%.60s...: expected a name below %u bytes, found a longer one",
			   n_first > n_second ? first : second, MAX_NAME);
	payload = mls_arena_array(h5->arena, n_first + n_second, 1);
	if (!payload)
		return mls_no_memory(h5->arena, h5->blob->path, h5->err);
	memcpy(payload, first, n_first);
	if (second)
		memcpy(payload + n_first, second, n_second);
	return mls_h5_process_ask(&h5->process, &question, payload, h5->arena, frame, answered);
}

/* A process for the file, which is asked its first question. */
static int start(const struct mls_blob *file, const struct mls_h5_starter *starter,
		 struct mls_arena *arena, struct mlsched_error *err, struct mls_h5_frame *frame,
		 struct mls_h5 **h5)
{
	static const struct mls_h5_limits limits = MLS_H5_LIMITS;
	struct mls_h5 *new = mls_arena_alloc(arena, sizeof(*new));
	const char *nothing;
	int ret;

	if (!new)
		return mls_no_memory(arena, file->path, err);
	*new = (struct mls_h5){ .blob = file, .arena = arena, .err = err };
	ret = mls_h5_process_start(file, arena->format, &limits, starter, err, &new->process);
	if (ret)
		return ret;
	ret = ask(new, frame, arena->format, file->path, &nothing);
	if (ret)
		mls_h5_close(new);
	else
		*h5 = new;
	return ret;
}

int mls_h5_open(const struct mls_blob *file, struct mls_arena *arena, struct mlsched_error *err,
		struct mls_h5 **h5)
{
	return mls_h5_open_by(file, NULL, arena, err, h5);
}

int mls_h5_open_by(const struct mls_blob *file, const struct mls_h5_starter *starter,
		   struct mls_arena *arena, struct mlsched_error *err, struct mls_h5 **h5)
{
	struct mls_h5_frame frame = {
		.what = MLS_H5_ASK_OPEN,
		.values = { (uint32_t)arena->limit, (uint32_t)((uint64_t)arena->limit >> 32) },
	};

	if (!mls_h5_detect(file->data, file->size))
		return mls_error(err, -EINVAL,
				 "Invalid %s format: %s: expected an HDF5 file, found %s",
				 arena->format, file->path,
				 file->size ? "one that begins otherwise" : "0 bytes");
	return start(file, starter, arena, err, &frame, h5);
}

void mls_h5_close(struct mls_h5 *h5)
{
	if (h5)
		mls_h5_process_end(&h5->process);
}

const char *mls_h5_path(const struct mls_h5 *h5)
{
	return h5->blob->path;
}

int mls_h5_look(struct mls_h5 *h5, const char *path, enum mls_h5_kind *kind)
{
	struct mls_h5_frame frame = { .what = MLS_H5_ASK_LOOK };
	const char *nothing;
	int ret = ask(h5, &frame, path, NULL, &nothing);

	*kind = MLS_H5_NOTHING;
	if (ret)
		return ret;
	if (frame.values[0] > MLS_H5_TENSOR)
		return mls_h5_process_distrust(&h5->process, "no kind of object");
	*kind = (enum mls_h5_kind)frame.values[0];
	return 0;
}

/* Texts, each with a zero behind it: exactly as many as the answer says. */
static int take_names(struct mls_h5 *h5, const struct mls_h5_frame *frame, const char *all,
		      struct mls_h5_names *names)
{
	const char *end = all + frame->size;

	*names = (struct mls_h5_names){ 0 };
	if (frame->values[0] > MLS_H5_MAX_NAMES)
		return mls_h5_process_distrust(&h5->process, "too many names");
	names->names = mls_arena_array(h5->arena, frame->values[0], sizeof(*names->names));
	if (!names->names)
		return mls_no_memory(h5->arena, h5->blob->path, h5->err);
	/* Behind the last byte is a zero of our own. */
	for (; all < end && names->n < frame->values[0]; all += strlen(all) + 1)
		names->names[names->n++] = all;
	return all == end && names->n == frame->values[0] ?
		       0 :
		       mls_h5_process_distrust(&h5->process, "another number of names");
}

int mls_h5_list(struct mls_h5 *h5, const char *group, struct mls_h5_names *names)
{
	struct mls_h5_frame frame = { .what = MLS_H5_ASK_LIST };
	const char *all;
	int ret = ask(h5, &frame, group, NULL, &all);

	*names = (struct mls_h5_names){ 0 };
	return ret ? ret : take_names(h5, &frame, all, names);
}

int mls_h5_texts(struct mls_h5 *h5, const char *object, const char *attribute,
		 struct mls_h5_names *texts)
{
	struct mls_h5_frame frame = { .what = MLS_H5_ASK_TEXTS };
	const char *all;
	int ret = ask(h5, &frame, object, attribute, &all);

	*texts = (struct mls_h5_names){ 0 };
	return ret ? ret : take_names(h5, &frame, all, texts);
}

int mls_h5_text(struct mls_h5 *h5, const char *object, const char *attribute, const char **text)
{
	struct mls_h5_names texts;
	int ret = mls_h5_texts(h5, object, attribute, &texts);

	*text = NULL;
	if (ret)
		return ret;
	if (texts.n > 1)
		return bad(h5, -EINVAL, "attribute %s: expected one string, found %u", attribute,
			   texts.n);
	if (texts.n == 1)
		*text = texts.names[0];
	return 0;
}

static bool is_tensor(const struct mls_h5_frame *frame)
{
	const uint32_t *dims = &frame->values[1];

	return frame->values[0] <= 2 && dims[0] >= 1 && dims[0] <= MLSCHED_MAX_WIDTH &&
	       dims[1] >= 1 && dims[1] <= MLSCHED_MAX_WIDTH &&
	       frame->size == dims[0] * dims[1] * sizeof(float);
}

int mls_h5_tensor(struct mls_h5 *h5, const char *path, struct mls_h5_tensor *tensor)
{
	struct mls_h5_frame frame = { .what = MLS_H5_ASK_TENSOR };
	const char *numbers;
	int ret;

	*tensor = (struct mls_h5_tensor){ 0 };
	tensor->path = mls_arena_string(h5->arena, path, strlen(path));
	if (!tensor->path)
		return mls_no_memory(h5->arena, h5->blob->path, h5->err);
	ret = ask(h5, &frame, path, NULL, &numbers);
	if (ret)
		return ret;
	if (!is_tensor(&frame))
		return mls_h5_process_distrust(&h5->process, "no tensor");
	tensor->rank = frame.values[0];
	tensor->dims[0] = frame.values[1];
	tensor->dims[1] = frame.values[2];
	tensor->n = tensor->dims[0] * tensor->dims[1];
	tensor->numbers = (const float *)(const void *)numbers;
	for (uint32_t i = 0; i < tensor->n; i++) {
		if (!isfinite(tensor->numbers[i]))
			return mls_h5_process_distrust(&h5->process, "numbers that are not finite");
	}
	return 0;
}

/* ---- making a file ------------------------------------------------------------------------ */

int mls_h5_make(const struct mls_blob *file, struct mls_arena *arena, struct mlsched_error *err,
		struct mls_h5 **h5)
{
	struct mls_h5_frame frame = { .what = MLS_H5_ASK_MAKE };

	return start(file, NULL, arena, err, &frame, h5);
}

/* Sends what stands behind one or two names, too; nothing comes back. */
static int put(struct mls_h5 *h5, struct mls_h5_frame *frame, const char *first, const char *second,
	       const void *bytes, size_t size)
{
	size_t n_first = strlen(first) + 1, n_second = second ? strlen(second) + 1 : 0;
	size_t all = n_first + n_second + size;
	char *payload = mls_arena_array(h5->arena, all, 1);
	struct mls_h5_frame answer;
	const char *nothing;

	if (!payload)
		return mls_error(h5->err, -ENOMEM, "Cannot write model: %s: no memory",
				 h5->blob->path);
	if (all > MLS_H5_MAX_QUESTION)
		return mls_error(h5->err, -EFBIG,
				 "Cannot write model: %s: %s: expected at most %u bytes, found %zu",
				 h5->blob->path, second ? second : first, MLS_H5_MAX_QUESTION, all);
	memcpy(payload, first, n_first);
	if (second)
		memcpy(payload + n_first, second, n_second);
	if (size)
		memcpy(payload + n_first + n_second, bytes, size);
	frame->size = (uint32_t)all;
	return mls_h5_process_ask(&h5->process, frame, payload, h5->arena, &answer, &nothing);
}

int mls_h5_put_group(struct mls_h5 *h5, const char *path)
{
	struct mls_h5_frame frame = { .what = MLS_H5_ASK_PUT_GROUP };

	return put(h5, &frame, path, NULL, NULL, 0);
}

int mls_h5_put_link(struct mls_h5 *h5, const char *path, const char *to)
{
	struct mls_h5_frame frame = { .what = MLS_H5_ASK_PUT_LINK };

	return put(h5, &frame, path, NULL, to, strlen(to) + 1);
}

int mls_h5_put_text(struct mls_h5 *h5, const char *object, const char *attribute, const char *text)
{
	struct mls_h5_frame frame = { .what = MLS_H5_ASK_PUT_TEXT };

	return put(h5, &frame, object, attribute, text, strlen(text) + 1);
}

int mls_h5_put_texts(struct mls_h5 *h5, const char *object, const char *attribute,
		     const struct mls_h5_names *texts)
{
	struct mls_h5_frame frame = { .what = MLS_H5_ASK_PUT_TEXTS, .values = { texts->n } };
	size_t size = 0, used = 0;
	char *all;

	for (uint32_t i = 0; i < texts->n; i++)
		size += strlen(texts->names[i]) + 1;
	all = mls_arena_array(h5->arena, size + 1, 1);
	if (!all)
		return mls_error(h5->err, -ENOMEM, "Cannot write model: %s: no memory",
				 h5->blob->path);
	for (uint32_t i = 0; i < texts->n; i++) {
		size_t n = strlen(texts->names[i]) + 1;

		memcpy(all + used, texts->names[i], n);
		used += n;
	}
	return put(h5, &frame, object, attribute, all, size);
}

int mls_h5_put_tensor(struct mls_h5 *h5, const char *path, uint32_t rows, uint32_t columns,
		      const float *numbers)
{
	struct mls_h5_frame frame = {
		.what = MLS_H5_ASK_PUT_TENSOR,
		.values = { columns ? 2 : 1, rows, columns ? columns : 1 },
	};

	return put(h5, &frame, path, NULL, numbers,
		   (size_t)rows * (columns ? columns : 1) * sizeof(float));
}

int mls_h5_content(struct mls_h5 *h5, struct mls_blob *content)
{
	struct mls_h5_frame frame = { .what = MLS_H5_ASK_CONTENT };
	const char *bytes;
	int ret = ask(h5, &frame, "", NULL, &bytes);

	if (ret)
		return ret;
	if (!mls_h5_detect((const uint8_t *)bytes, frame.size))
		return mls_h5_process_distrust(&h5->process, "no HDF5 file");
	content->data = (const uint8_t *)bytes;
	content->size = frame.size;
	return 0;
}
