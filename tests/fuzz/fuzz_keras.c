// SPDX-License-Identifier: GPL-2.0
/*
 * Feeds Keras models of any content to their reader, in containers that are valid: the
 * input is a description of which HDF5 files and a zip archive are made.  (fuzz_hdf5.c
 * feeds containers of any content.)
 *
 * The first line is "h5" or "keras", with "latest" behind it or not; those that follow are
 *
 *	m NAME CONTENT     a member of the archive
 *	w NAME             an HDF5 file as a member: what follows is in it
 *
 * and those of hdf5_image.h.  Fields stand between tabs.
 */
#include <errno.h>

#include "src/formats/keras.h"
#include "src/formats/zip.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/hdf5_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST_FIELDS  80
#define MOST_MEMBERS 24
#define MOST_LINES   400

struct making {
	bool is_archive;
	bool latest;
	struct h5_image *image; /* that lines are put into, or NULL */
	struct mls_blob members[MOST_MEMBERS];
	size_t n_members;
};

static void end_image(struct making *m)
{
	struct mls_blob *member;

	if (!m->image)
		return;
	member = &m->members[m->n_members - 1];
	member->data = h5_image_end(m->image, &member->size);
	m->image = NULL;
}

static void begin_image(struct making *m, const char *name)
{
	if (m->n_members == MOST_MEMBERS)
		return;
	m->members[m->n_members++].path = name;
	m->image = h5_image_begin(m->latest);
}

static void add_member(struct making *m, const char *name, const char *content)
{
	struct mls_blob *member = &m->members[m->n_members];

	if (m->n_members == MOST_MEMBERS)
		return;
	member->path = name;
	member->size = strlen(content);
	member->data = (const uint8_t *)strdup(content);
	must(member->data);
	m->n_members++;
}

static size_t split(char *line, char **fields)
{
	size_t n = 0;

	while (line && n < MOST_FIELDS)
		fields[n++] = strsep(&line, "\t");
	return n;
}

static void take_line(struct making *m, char *line)
{
	char *fields[MOST_FIELDS];
	size_t n = split(line, fields);

	if (m->is_archive && n == 3 && strcmp(fields[0], "m") == 0) {
		end_image(m);
		add_member(m, fields[1], fields[2]);
	} else if (m->is_archive && n == 2 && strcmp(fields[0], "w") == 0) {
		end_image(m);
		begin_image(m, fields[1]);
	} else if (m->image) {
		h5_image_line(m->image, fields, n);
	}
}

/* The file's content, of the description. */
static int make(struct making *m, char *text, struct mls_arena *arena, struct mls_blob *file)
{
	char *line = strsep(&text, "\n");
	struct mlsched_error err = { 0 };

	m->is_archive = strncmp(line, "keras", 5) == 0;
	m->latest = strstr(line, "latest") != NULL;
	if (!m->is_archive)
		begin_image(m, "fuzz");
	for (int i = 0; text && i < MOST_LINES; i++)
		take_line(m, strsep(&text, "\n"));
	end_image(m);
	file->path = "fuzz";
	if (m->is_archive)
		return mls_zip_make("fuzz", m->members, m->n_members, arena, &err, file);
	file->data = m->members[0].data;
	file->size = m->members[0].size;
	return 0;
}

static void feed(const struct mls_blob *file)
{
	struct mlsched_error err = { 0 };
	struct mlsched_model *model = NULL;
	struct mls_outline outline = { .arena = mls_keras_arena(file->size) };
	int ret = mls_keras_read(file, &err, &model);

	check_outcome(ret, model, &err);
	mls_keras_outline(file, &outline);
	check_outline(&outline, &err);
	must(!ret || ret == -EINVAL || ret == -ENOTSUP || ret == -EFBIG || ret == -EBADMSG);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mls_arena arena = MLS_ARENA_INIT((size_t)64 << 20);
	char *text = strndup((const char *)data, size);
	struct making m = { 0 };
	struct mls_blob file;

	must(text);
	if (make(&m, text, &arena, &file) == 0)
		feed(&file);
	for (size_t i = 0; i < m.n_members; i++)
		free((void *)(uintptr_t)m.members[i].data);
	mls_arena_free(&arena);
	free(text);
	return 0;
}
