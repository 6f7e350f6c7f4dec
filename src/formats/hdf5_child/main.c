// SPDX-License-Identifier: GPL-2.0
/*
 * The program that runs libhdf5: it is part of the library (hdf5_program.c), started by
 * hdf5_process.c, or by a starter (starter.c), for one file, and answers questions about it
 * until nobody asks any more.
 * Files are made here as well, so that libhdf5 is never in the caller's memory at all.
 *
 * Its order matters.  It closes what it should not have got, limits what it may take,
 * loads libhdf5, gives up every system call but those for memory and its socket, and
 * only then lets the library look at the file, whose content it finds in memory.  What
 * takes it over has a file that its owner knows and a socket to somebody who does not
 * trust it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "src/formats/hdf5.h"
#include "src/formats/hdf5_child/api.h"
#include "src/formats/hdf5_child/limits.h"
#include "src/formats/hdf5_child/starter.h"
#include "src/formats/hdf5_child/write.h"
#include "src/formats/hdf5_protocol.h"

/* How it ends when it is not killed. */
enum {
	END_ASKED_NO_MORE = 0,
	END_STARTED_OTHERWISE = 1, /* by hand, perhaps */
	END_NOT_LIMITED = 2,
	END_QUESTION = 3, /* that makes no sense */
	END_NO_MEMORY = 4,
};

/* What an answer needs while it is made: given back after each. */
static struct mls_arena arena = MLS_ARENA_INIT(0);
static struct mlsched_error error;
static struct mls_blob file;
static struct mls_h5 *h5;

/* ---- the socket ------------------------------------------------------------------------ */

static void receive(void *to, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = read(MLS_H5_SOCKET, (char *)to + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(END_ASKED_NO_MORE);
		done += (size_t)n;
	}
}

static void put(const void *from, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = write(MLS_H5_SOCKET, (const char *)from + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(END_ASKED_NO_MORE);
		done += (size_t)n;
	}
}

static void answer(struct mls_h5_frame *frame, const void *payload, size_t size)
{
	frame->code = 0;
	frame->size = (uint32_t)size;
	put(frame, sizeof(*frame));
	put(payload, size);
}

static void refuse(struct mls_h5_frame *frame, int code)
{
	frame->code = code;
	frame->size = (uint32_t)strlen(error.message);
	put(frame, sizeof(*frame));
	put(error.message, frame->size);
}

/* ---- questions --------------------------------------------------------------------------- */

/* The question's first and second text; one that is not there ends the process. */
static const char *text_of(const char *payload, size_t size, int index)
{
	for (const char *end = payload + size; payload < end; index--) {
		if (index == 0)
			return payload;
		payload += strnlen(payload, (size_t)(end - payload)) + 1;
	}
	_exit(END_QUESTION);
}

static void answer_names(struct mls_h5_frame *frame, const struct mls_h5_names *names)
{
	size_t size = 0, used = 0;
	char *all;

	for (uint32_t i = 0; i < names->n; i++)
		size += strlen(names->names[i]) + 1;
	all = malloc(size + 1);
	if (!all)
		_exit(END_NO_MEMORY);
	for (uint32_t i = 0; i < names->n; i++) {
		size_t n = strlen(names->names[i]) + 1;

		memcpy(all + used, names->names[i], n);
		used += n;
	}
	frame->values[0] = names->n;
	answer(frame, all, size);
	free(all);
}

/* From here on there is the library, and little else. */
static int begin(const struct mls_h5_frame *frame, const char *payload,
		 const struct mls_h5_api **api)
{
	bool writes = frame->what == MLS_H5_ASK_MAKE;
	char *kept = malloc(frame->size);
	int ret;

	if (!kept)
		_exit(END_NO_MEMORY);
	memcpy(kept, payload, frame->size);
	arena.format = text_of(kept, frame->size, 0);
	file.path = text_of(kept, frame->size, 1);
	ret = mls_h5_api_get(file.path, writes, &error, api);
	if (ret)
		return ret;
	if (mls_limit_calls() != 0)
		_exit(END_NOT_LIMITED);
	return 0;
}

static int open_file(const struct mls_h5_frame *frame, const char *payload)
{
	const struct mls_h5_api *api;
	int ret = begin(frame, payload, &api);

	arena.limit = frame->values[0] | (size_t)frame->values[1] << 32;
	return ret ? ret : mls_h5_open(&file, &arena, &error, &h5);
}

/* ---- making a file: its content is the caller's own ---------------------------------------- */

static int make_file(const struct mls_h5_frame *frame, const char *payload)
{
	const struct mls_h5_api *api;
	int ret = begin(frame, payload, &api);

	return ret ? ret : mls_h5_write_begin(api, file.path, &error);
}

static int put_texts(const struct mls_h5_frame *frame, const char *payload)
{
	const char *texts[MLS_H5_MAX_NAMES];

	if (frame->values[0] > MLS_H5_MAX_NAMES)
		_exit(END_QUESTION);
	for (uint32_t i = 0; i < frame->values[0]; i++)
		texts[i] = text_of(payload, frame->size, 2 + (int)i);
	return mls_h5_write_texts(text_of(payload, frame->size, 0),
				  text_of(payload, frame->size, 1), texts, frame->values[0]);
}

static int put_tensor(const struct mls_h5_frame *frame, const char *payload)
{
	const char *path = text_of(payload, frame->size, 0);
	size_t used = strlen(path) + 1, size = frame->size - used;
	float *numbers = malloc(size + 1);
	int ret;

	if (!numbers)
		_exit(END_NO_MEMORY);
	if (frame->values[0] > 2 ||
	    size != (size_t)frame->values[1] * frame->values[2] * sizeof(float))
		_exit(END_QUESTION);
	/* Behind a path of any length they are not aligned. */
	memcpy(numbers, path + used, size);
	ret = mls_h5_write_tensor(path, frame->values[0], &frame->values[1], numbers);
	free(numbers);
	return ret;
}

static void serve_writer(struct mls_h5_frame *frame, const char *payload)
{
	const char *first = text_of(payload, frame->size, 0);
	size_t size = 0;
	void *content = NULL;
	int ret;

	switch (frame->what) {
	case MLS_H5_ASK_MAKE:
		ret = make_file(frame, payload);
		break;
	case MLS_H5_ASK_PUT_GROUP:
		ret = mls_h5_write_group(first);
		break;
	case MLS_H5_ASK_PUT_LINK:
		ret = mls_h5_write_link(first, text_of(payload, frame->size, 1));
		break;
	case MLS_H5_ASK_PUT_TEXT:
		ret = mls_h5_write_text(first, text_of(payload, frame->size, 1),
					text_of(payload, frame->size, 2));
		break;
	case MLS_H5_ASK_PUT_TEXTS:
		ret = put_texts(frame, payload);
		break;
	case MLS_H5_ASK_PUT_TENSOR:
		ret = put_tensor(frame, payload);
		break;
	case MLS_H5_ASK_CONTENT:
		ret = mls_h5_write_content(&content, &size);
		break;
	default:
		_exit(END_QUESTION);
	}
	if (ret)
		refuse(frame, ret);
	else
		answer(frame, content, size);
	free(content);
}

static void serve(struct mls_h5_frame *frame, char *payload)
{
	const char *first = text_of(payload, frame->size, 0);
	struct mls_h5_tensor tensor;
	struct mls_h5_names names;
	enum mls_h5_kind kind;
	int ret;

	if (!h5 != (frame->what == MLS_H5_ASK_OPEN))
		_exit(END_QUESTION);
	switch (frame->what) {
	case MLS_H5_ASK_OPEN:
		ret = open_file(frame, payload);
		if (!ret)
			answer(frame, NULL, 0);
		break;
	case MLS_H5_ASK_LOOK:
		ret = mls_h5_look(h5, first, &kind);
		frame->values[0] = kind;
		if (!ret)
			answer(frame, NULL, 0);
		break;
	case MLS_H5_ASK_LIST:
		ret = mls_h5_list(h5, first, &names);
		if (!ret)
			answer_names(frame, &names);
		break;
	case MLS_H5_ASK_TEXTS:
		ret = mls_h5_texts(h5, first, text_of(payload, frame->size, 1), &names);
		if (!ret)
			answer_names(frame, &names);
		break;
	case MLS_H5_ASK_TENSOR:
		ret = mls_h5_tensor(h5, first, &tensor);
		memcpy(frame->values, (uint32_t[]){ tensor.rank, tensor.dims[0], tensor.dims[1] },
		       sizeof(frame->values));
		if (!ret)
			answer(frame, tensor.numbers, tensor.n * sizeof(float));
		break;
	default:
		_exit(END_QUESTION);
	}
	if (ret)
		refuse(frame, ret);
	mls_arena_free(&arena);
}

/* ---- start ------------------------------------------------------------------------------------ */

/* What somebody has open without saying that programs he starts shall not get it. */
static void close_others(void)
{
	struct rlimit limit;

	if (syscall(SYS_close_range, MLS_H5_IMAGE + 1, ~0U, 0) == 0)
		return;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > 65536)
		limit.rlim_cur = 65536;
	for (int fd = MLS_H5_IMAGE + 1; fd < (int)limit.rlim_cur; fd++)
		close(fd);
}

static void map_file(void)
{
	struct stat st;
	void *data;

	if (fstat(MLS_H5_IMAGE, &st) != 0 || st.st_size < 0)
		_exit(END_STARTED_OTHERWISE);
	/* Nothing is to be read: one will be made. */
	file.size = (size_t)st.st_size;
	if (!file.size) {
		close(MLS_H5_IMAGE);
		return;
	}
	data = mmap(NULL, file.size, PROT_READ, MAP_PRIVATE, MLS_H5_IMAGE, 0);
	if (data == MAP_FAILED)
		_exit(END_NO_MEMORY);
	file.data = data;
	close(MLS_H5_IMAGE);
}

int main(int argc, char **argv)
{
	static char payload[MLS_H5_MAX_QUESTION + 1];
	bool starts = argc == 2 && strcmp(argv[1], MLS_H5_STARTER) == 0;
	int seconds = argc == 2 && !starts ? atoi(argv[1]) : 0;

	if (seconds <= 0 && !starts)
		_exit(END_STARTED_OTHERWISE);
	close_others();
	/* From here on in a process of its own for each file. */
	if (starts) {
		seconds = (int)mls_starter_serve();
		close_others();
	}
	map_file();
	mls_limit_resources((unsigned int)seconds, file.size);
	while (1) {
		struct mls_h5_frame frame;

		receive(&frame, sizeof(frame));
		if (frame.size == 0 || frame.size > MLS_H5_MAX_QUESTION)
			_exit(END_QUESTION);
		receive(payload, frame.size);
		payload[frame.size] = '\0';
		if (file.size)
			serve(&frame, payload);
		else
			serve_writer(&frame, payload);
	}
}
