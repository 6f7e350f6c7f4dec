// SPDX-License-Identifier: GPL-2.0
/*
 * Instead of the process in which libhdf5 reads a file: what that process does, here.  The
 * questions are answered by its own code (src/formats/hdf5_child/read.c), which the
 * sanitizers see and whose ways the fuzzer counts, and nothing has to be started.
 *
 * Only for files that are valid HDF5, which hdf5_image.c makes: on others libhdf5 itself
 * may crash, and then that is what the process is for.
 */
#define mls_h5_open   inside_open
#define mls_h5_look   inside_look
#define mls_h5_list   inside_list
#define mls_h5_texts  inside_texts
#define mls_h5_tensor inside_tensor
#include "src/formats/hdf5_child/read.c"

#include "src/formats/hdf5_process.h"
#include "src/util/array.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/hdf5_inside.h"

/* Of an archive in shards; one more than that is refused by its reader. */
#define MOST_FILES 20

/* What a process has of its file; its number stands where its socket would. */
static struct inside {
	bool open;
	struct mls_h5 h5;
	struct mls_blob blob;
	struct mls_arena arena;
	struct mlsched_error err;
} files[MOST_FILES];

int __wrap_mls_h5_process_start(const struct mls_blob *file, const char *format,
				const struct mls_h5_limits *limits,
				const struct mls_h5_starter *starter, struct mlsched_error *err,
				struct mls_h5_process *process)
{
	size_t i = 0;

	must(!starter);
	while (i < MOST_FILES && files[i].open)
		i++;
	must(i < MOST_FILES);
	files[i] = (struct inside){ .open = true, .blob = *file, .h5 = { .file = -1 } };
	files[i].arena.format = format;
	*process = (struct mls_h5_process){
		.file = file, .format = format, .err = err, .limits = *limits, .socket = (int)i
	};
	return 0;
}

void __wrap_mls_h5_process_end(struct mls_h5_process *process)
{
	struct inside *f = &files[process->socket];

	must(f->open);
	if (f->h5.file >= 0)
		must(api->H5Fclose(f->h5.file) >= 0);
	mls_arena_free(&f->arena);
	f->open = false;
}

/* What is answered here is nothing that may be doubted. */
int __wrap_mls_h5_process_distrust(struct mls_h5_process *process, const char *what)
{
	fprintf(stderr, "%s: the answer is taken for %s\n", process->file->path, what);
	abort();
}

static int ask_open(struct inside *f, const struct mls_h5_frame *question)
{
	struct mls_h5 *only;
	int ret;

	f->arena.limit = question->values[0] | (size_t)question->values[1] << 32;
	ret = inside_open(&f->blob, &f->arena, &f->err, &only);
	/* Each process has one; here the next one takes its place. */
	if (!ret)
		f->h5 = *only;
	return ret;
}

static int put_names(const struct mls_h5_names *names, struct mls_arena *arena,
		     struct mls_h5_frame *answer, const char **answered)
{
	size_t size = 0, used = 0;
	char *all;

	for (uint32_t i = 0; i < names->n; i++)
		size += strlen(names->names[i]) + 1;
	must(size <= MLS_H5_MAX_ANSWER);
	all = mls_arena_array(arena, size + 1, 1);
	if (!all)
		return -ENOMEM;
	for (uint32_t i = 0; i < names->n; i++) {
		size_t n = strlen(names->names[i]) + 1;

		memcpy(all + used, names->names[i], n);
		used += n;
	}
	answer->values[0] = names->n;
	answer->size = (uint32_t)size;
	*answered = all;
	return 0;
}

static int put_tensor(const struct mls_h5_tensor *tensor, struct mls_arena *arena,
		      struct mls_h5_frame *answer, const char **answered)
{
	char *all = mls_arena_array(arena, tensor->n * sizeof(float) + 1, 1);

	if (!all)
		return -ENOMEM;
	memcpy(all, tensor->numbers, tensor->n * sizeof(float));
	answer->values[0] = tensor->rank;
	answer->values[1] = tensor->dims[0];
	answer->values[2] = tensor->dims[1];
	answer->size = (uint32_t)(tensor->n * sizeof(float));
	*answered = all;
	return 0;
}

/* As serve() of hdf5_child/main.c; *@full: the caller's arena has no room for the answer. */
static int serve(struct inside *f, const struct mls_h5_frame *question, const char *first,
		 struct mls_arena *arena, struct mls_h5_frame *answer, const char **answered,
		 bool *full)
{
	struct mls_h5_names names;
	struct mls_h5_tensor tensor;
	enum mls_h5_kind kind;
	int ret = 0;

	switch (question->what) {
	case MLS_H5_ASK_OPEN:
		return ask_open(f, question);
	case MLS_H5_ASK_LOOK:
		ret = inside_look(&f->h5, first, &kind);
		answer->values[0] = kind;
		return ret;
	case MLS_H5_ASK_LIST:
		ret = inside_list(&f->h5, first, &names);
		if (!ret)
			*full = put_names(&names, arena, answer, answered) != 0;
		return ret;
	case MLS_H5_ASK_TEXTS:
		ret = inside_texts(&f->h5, first, first + strlen(first) + 1, &names);
		if (!ret)
			*full = put_names(&names, arena, answer, answered) != 0;
		return ret;
	default:
		must(question->what == MLS_H5_ASK_TENSOR);
		ret = inside_tensor(&f->h5, first, &tensor);
		if (!ret)
			*full = put_tensor(&tensor, arena, answer, answered) != 0;
		return ret;
	}
}

int __wrap_mls_h5_process_ask(struct mls_h5_process *process, const struct mls_h5_frame *question,
			      const void *payload, struct mls_arena *arena,
			      struct mls_h5_frame *answer, const char **answered)
{
	static const int codes[] = { MLS_H5_CODES };
	struct inside *f = &files[process->socket];
	bool full = false, known = false;
	int ret;

	must(f->open);
	*answer = (struct mls_h5_frame){ .what = question->what };
	*answered = "";
	ret = serve(f, question, question->what == MLS_H5_ASK_OPEN ? NULL : payload, arena, answer,
		    answered, &full);
	mls_arena_free(&f->arena);
	/* hdf5_process.c takes no other for an answer. */
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		known = known || ret == codes[i];
	must(known);
	if (ret) {
		check_message(ret, &f->err);
		return mls_error(process->err, ret, "%s", f->err.message);
	}
	return full ? mls_no_memory(arena, process->file->path, process->err) : 0;
}

const struct mls_h5_api *inside_api(void)
{
	struct mlsched_error err;

	must(begin("fuzz", &err) == 0);
	return api;
}
