// SPDX-License-Identifier: GPL-2.0
/*
 * mlsched_model_load(): finds out by content which format a path holds and
 * hands over to its reader.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <mlsched/model.h>

#include "src/formats/format.h"
#include "src/formats/onnx.h"
#include "src/formats/outline.h"
#include "src/formats/tflite.h"
#include "src/util/error.h"
#include "src/util/read.h"
#include "src/util/text.h"

/* Length of the UTF-8 sequence at @p, 0 when it is none. */
static size_t utf8_length(const unsigned char *p)
{
	size_t n = p[0] < 0x80 ? 1 :
		   p[0] < 0xc2 ? 0 :
		   p[0] < 0xe0 ? 2 :
		   p[0] < 0xf0 ? 3 :
		   p[0] < 0xf5 ? 4 :
				 0;

	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((n == 3 && ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f))) ||
	    (n == 4 && ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))))
		return 0;
	return n;
}

/* The second half of the control characters: U+009B alone begins an escape sequence. */
static bool is_c1(const unsigned char *p)
{
	return p[0] == 0xc2 && p[1] < 0xa0;
}

void mls_clean_text(char *text)
{
	unsigned char *p = (unsigned char *)text;

	while (*p) {
		size_t n = utf8_length(p);

		if (n == 0 || *p < 0x20 || *p == 0x7f || is_c1(p)) {
			*p = '?';
			n = 1;
		}
		p += n;
	}
}

static const struct mls_format formats[] = {
	{ "savedmodel", "TensorFlow SavedModel directory", "", mls_savedmodel_detect,
	  mls_savedmodel_load, NULL, mls_savedmodel_outline_path, mlsched_model_save },
	{ "h5", "Keras .h5 file", ".h5", mls_h5_format_detect, mls_keras_load, mls_keras_load_by,
	  mls_keras_outline_path, mls_h5_save },
	{ "keras", "Keras .keras archive", ".keras", mls_keras_format_detect, mls_keras_load,
	  mls_keras_load_by, mls_keras_outline_path, mls_keras_save },
	{ "onnx", "ONNX file", ".onnx", mls_onnx_detect, mls_onnx_load, NULL, mls_onnx_outline_path,
	  mls_onnx_save },
	{ "tflite", "LiteRT .tflite file", ".tflite", mls_tflite_detect, mls_tflite_load, NULL,
	  mls_tflite_outline_path, NULL },
};

#define N_FORMATS (sizeof(formats) / sizeof(formats[0]))

const struct mls_format *mls_format_at(size_t index)
{
	return index < N_FORMATS ? &formats[index] : NULL;
}

const struct mls_format *mls_format_find(const char *name)
{
	for (size_t i = 0; i < N_FORMATS; i++) {
		if (strcmp(formats[i].name, name) == 0)
			return &formats[i];
	}
	return NULL;
}

const struct mls_format *mls_format_for_path(const char *path)
{
	const struct mls_format *other = NULL;

	for (size_t i = 0; i < N_FORMATS; i++) {
		if (!formats[i].suffix[0])
			other = &formats[i];
		else if (mls_has_suffix(path, formats[i].suffix))
			return &formats[i];
	}
	return other;
}

/* Reads as much of a file as tells its format. */
static int look_at(const char *path, struct mlsched_error *err, struct mls_look *look)
{
	struct stat st;
	ssize_t n;
	int fd;

	*look = (struct mls_look){ .path = path };
	if (stat(path, &st) != 0)
		return errno == ENOENT || errno == ENOTDIR ?
			       mls_error(err, -ENOENT, "Model not found at path: %s: %s", path,
					 strerror(errno)) :
			       mls_error(err, -errno, "Cannot read model: %s: %s", path,
					 strerror(errno));
	look->is_directory = S_ISDIR(st.st_mode);
	if (!S_ISREG(st.st_mode))
		return 0;
	/* O_NONBLOCK: what was a regular file may be a FIFO by now. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	n = fd < 0 ? -errno : mls_read_at(fd, look->head, sizeof(look->head), 0);
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return mls_error(err, (int)n, "Cannot read model: %s: %s", path, strerror((int)-n));
	look->n_head = (size_t)n;
	return 0;
}

static const struct mls_format *recognize(const struct mls_look *look)
{
	for (size_t i = 0; i < N_FORMATS; i++) {
		if (formats[i].detect(look))
			return &formats[i];
	}
	return NULL;
}

int mls_format_of(const char *path, struct mlsched_error *err, const struct mls_format **format)
{
	struct mls_look look;
	int ret = look_at(path, err, &look);

	if (!ret)
		*format = recognize(&look);
	return ret;
}

static int load(const char *path, const struct mls_h5_starter *starter, struct mlsched_error *err,
		struct mlsched_model **model)
{
	const struct mls_format *format;
	char known[256] = "";
	size_t used = 0;
	int ret = mls_format_of(path, err, &format);

	if (ret)
		return ret;
	if (format && starter && format->read_by)
		return format->read_by(path, starter, err, model);
	if (format)
		return format->read(path, err, model);
	for (size_t i = 0; i < N_FORMATS && used < sizeof(known); i++)
		used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", i ? ", " : "",
					 formats[i].summary);
	return mls_error(err, -EINVAL,
			 "Invalid model format: %s: expected one of: %s; found a file that is none",
			 path, known);
}

int mlsched_model_load(const char *path, struct mlsched_error *err, struct mlsched_model **model)
{
	return mls_model_load_by(path, NULL, err, model);
}

int mls_model_load_by(const char *path, const struct mls_h5_starter *starter,
		      struct mlsched_error *err, struct mlsched_model **model)
{
	int ret = load(path, starter, err, model);

	if (ret && err)
		mls_clean_text(err->message);
	return ret;
}

int mls_model_outline(const char *path, struct mls_outline *outline)
{
	const struct mls_format *format = NULL;
	int ret = mls_format_of(path, NULL, &format);

	*outline = (struct mls_outline){ .format = "", .what = "part" };
	if (ret || !format)
		return ret ? ret : -EINVAL;
	outline->format = format->name;
	format->outline(path, outline);
	return 0;
}

int mlsched_model_expect_inputs(const struct mlsched_model *model, uint32_t n_inputs,
				const char *name, struct mlsched_error *err)
{
	uint32_t found = mlsched_model_inputs(model);

	if (found == n_inputs)
		return 0;
	return mls_error(err, -EINVAL, "Expected shape [?, %u], got [?, %u]%s%s", n_inputs, found,
			 name ? ": " : "", name ? name : "");
}
