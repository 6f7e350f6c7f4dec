// SPDX-License-Identifier: GPL-2.0
/*
 * What libzip allocates counts, too: no .keras archive makes us and libzip together allocate
 * more than eight times its size and a mebibyte, whatever is in its directory.
 *
 * (test_memory.c counts what our own code allocates, of all formats; libzip is a library that is
 * loaded at run time, whose calls no linker can lead elsewhere.  So here the allocator of the whole
 * program is replaced.)
 */
#include <glob.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <mlsched/mlsched.h>

#include "src/formats/keras.h"
#include "src/formats/outline.h"
#include "src/formats/zip.h"
#include "tests/lib/files.h"

static size_t live_bytes, peak_bytes;

#ifndef MLS_SANITIZED
/* Of glibc, under the names that are left when those of the standard are replaced. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *block);

static void *counted(void *block)
{
	live_bytes += block ? malloc_usable_size(block) : 0;
	peak_bytes = live_bytes > peak_bytes ? live_bytes : peak_bytes;
	return block;
}

void *malloc(size_t size)
{
	return counted(__libc_malloc(size));
}

void *calloc(size_t n, size_t size)
{
	return counted(__libc_calloc(n, size));
}

void *realloc(void *old, size_t size)
{
	size_t before = old ? malloc_usable_size(old) : 0;
	void *block = __libc_realloc(old, size);

	live_bytes -= block || !size ? before : 0;
	return counted(block);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return counted(__libc_memalign(alignment, size));
}

void free(void *block)
{
	live_bytes -= block ? malloc_usable_size(block) : 0;
	__libc_free(block);
}
#endif

/* Largest share of what there may be that anything took, in percent. */
static size_t worst;

static void within(const char *what, size_t size, size_t before)
{
	size_t used = peak_bytes - before, most = MLS_UNFOLD * size + MLS_UNFOLD_BASE;

	if (used > most)
		fail_msg("%s: of %zu bytes: expected at most %zu bytes, found %zu allocated", what,
			 size, most, used);
	worst = 100 * used / most > worst ? 100 * used / most : worst;
}

/* The file itself counts as well: a loader has it in memory.  Return: as the reader. */
static int read_within(const char *what, const uint8_t *data, size_t size,
		       struct mlsched_error *err)
{
	const struct mls_blob blob = { what, data, size };
	struct mls_outline outline = { .arena = mls_keras_arena(size) };
	struct mlsched_model *model = NULL;
	size_t before = peak_bytes = live_bytes;
	int ret = mls_keras_read(&blob, err, &model);

	peak_bytes += size;
	within(what, size, before);
	mlsched_model_free(model);
	peak_bytes = live_bytes;
	mls_keras_outline(&blob, &outline);
	peak_bytes += size;
	within(what, size, before);
	mls_outline_free(&outline);
	return ret;
}

/* ---- archives that are there --------------------------------------------------------------- */

static void all_that_match(const char *pattern, size_t at_least)
{
	glob_t found;

	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	assert_true(found.gl_pathc >= at_least);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct mlsched_error err;
		size_t size;
		uint8_t *data = test_read_whole(found.gl_pathv[i], &size);

		assert_non_null(data);
		read_within(found.gl_pathv[i], data, size, &err);
		free(data);
	}
	globfree(&found);
}

static void every_archive_is_within_the_limit(void **state)
{
	(void)state;
	all_that_match("tests/golden/keras/models/*/*.keras", 10);
	all_that_match("tests/golden/keras/bad/*/*.keras", 10);
	all_that_match("tests/fuzz/corpus/hdf5/*", 10);
}

/* ---- archives that mean harm --------------------------------------------------------------- */

struct archive {
	uint8_t *data;
	size_t size, room;
	size_t directory; /* where it begins */
	uint32_t n;
};

static void put(struct archive *a, const void *data, size_t size)
{
	if (a->size + size > a->room) {
		a->room = 2 * (a->size + size);
		a->data = realloc(a->data, a->room);
		assert_non_null(a->data);
	}
	if (size)
		memcpy(a->data + a->size, data, size);
	a->size += size;
}

static void put_number(struct archive *a, uint32_t value, int size)
{
	for (int i = 0; i < size; i++)
		put(a, &(uint8_t){ (uint8_t)(value >> 8 * i) }, 1);
}

static void put_filled(struct archive *a, int byte, size_t size)
{
	for (size_t i = 0; i < size; i++)
		put(a, &(uint8_t){ (uint8_t)byte }, 1);
}

/* What a member's name, extra field and comment are long. */
struct lengths {
	uint16_t name, extra, comment;
};

/* Of a member there is what the directory says, and nothing else: libzip looks no further yet. */
static void put_member(struct archive *a, struct lengths length)
{
	char number[16];

	snprintf(number, sizeof(number), "%04x", a->n);
	put(a, "PK\1\2", 4);
	put_number(a, 20 | 20 << 16, 4);
	put_filled(a, 0, 20);
	put_number(a, length.name, 2);
	put_number(a, length.extra, 2);
	put_number(a, length.comment, 2);
	put_filled(a, 0, 12);
	/* Letters that become three bytes each where they are made UTF-8, behind a number. */
	put(a, number, length.name < 4 ? length.name : 4);
	put_filled(a, 0xdb, length.name > 4 ? length.name - 4u : 0);
	/* One extra field of a kind that nobody knows. */
	if (length.extra) {
		put_number(a, 0x7777, 2);
		put_number(a, length.extra - 4u, 2);
		put_filled(a, 'e', length.extra - 4u);
	}
	put_filled(a, 0xdb, length.comment);
	a->n++;
}

static void put_end(struct archive *a)
{
	size_t size = a->size - a->directory;

	put(a, "PK\5\6", 4);
	put_number(a, 0, 4);
	put_number(a, a->n | a->n << 16, 4);
	put_number(a, (uint32_t)size, 4);
	put_number(a, (uint32_t)a->directory, 4);
	put_number(a, 0, 2);
}

/* libzip has read all of the directory, and what is looked for is not in it. */
#define COMPLETE "expected the member config.json, found no architecture"

static void directories_of_any_kind_are_within_the_limit(void **state)
{
	static const struct {
		const char *what;
		uint32_t n;
		struct lengths length;
		const char *message;
	} directories[] = {
		{ "short names", 4096, { 4, 0, 0 }, COMPLETE },
		{ "names", 4096, { 40, 0, 0 }, COMPLETE },
		{ "long names", 100, { 65000, 0, 0 }, COMPLETE },
		{ "extra fields", 4096, { 4, 4, 0 }, COMPLETE },
		{ "long extra fields", 100, { 4, 65000, 0 }, COMPLETE },
		{ "comments", 4096, { 4, 0, 1 }, COMPLETE },
		{ "long comments", 100, { 4, 0, 65000 }, COMPLETE },
		{ "everything", 1000, { 1000, 1000, 1000 }, COMPLETE },
		/* More than the end of an archive can say there are: libzip would take what it says. */
		{ "too many", 65000, { 4, 0, 0 }, "expected at most 4096 members, found 65000" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		struct archive a = { 0 };
		struct mlsched_error err = { 0 };

		/* It has to begin like an archive. */
		put(&a, "PK\3\4", 4);
		put_filled(&a, 0, 26);
		a.directory = a.size;
		for (uint32_t n = 0; n < directories[i].n; n++)
			put_member(&a, directories[i].length);
		put_end(&a);
		assert_true(read_within(directories[i].what, a.data, a.size, &err) < 0);
		if (!strstr(err.message, directories[i].message))
			fail_msg("%s: %s", directories[i].what, err.message);
		free(a.data);
	}
}

/* Behind a model's own members, so that it is read with all of them in memory. */
static void model_among_thousands_of_members_is_within_the_limit(void **state)
{
	static const char path[] = "tests/golden/keras/models/tf221-keras3-keras/model.keras";
	struct archive a = { 0 };
	struct mlsched_error err;
	size_t size, end;
	uint8_t *data = test_read_whole(path, &size);
	uint32_t n_own;

	(void)state;
	assert_non_null(data);
	for (end = size - 22; memcmp(data + end, "PK\5\6", 4) != 0; end--)
		assert_true(end > 0);
	put(&a, data, end);
	n_own = data[end + 10];
	a.directory = data[end + 16] | (size_t)data[end + 17] << 8 | (size_t)data[end + 18] << 16;
	for (a.n = n_own; a.n < 4096;)
		put_member(&a, (struct lengths){ 4, 0, 0 });
	put_end(&a);
	assert_int_equal(read_within("model", a.data, a.size, &err), 0);
	free(a.data);
	free(data);
}

static int set_up(void **state)
{
	struct mlsched_error err;
	size_t size;
	uint8_t *data =
		test_read_whole("tests/golden/keras/models/tf221-keras3-keras/model.keras", &size);

	(void)state;
	assert_non_null(data);
	/* What loading the libraries takes is no file's doing. */
	mls_zip_ahead();
	read_within("first", data, size, &err);
	free(data);
	worst = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	print_message("# %zu %% of what there may be at most\n", worst);
	return 0;
}

static void the_allocator_of_libzip_is_counted(void **state)
{
	static const char path[] = "tests/golden/keras/models/tf221-keras3-keras/model.keras";
	struct mls_arena arena = MLS_ARENA_INIT(1 << 20);
	struct mls_blob blob = { .path = "m" };
	struct mlsched_error err;
	struct mls_zip *zip;
	size_t before;

	(void)state;
#ifdef MLS_SANITIZED
	skip();
#endif
	blob.data = test_read_whole(path, &blob.size);
	assert_non_null(blob.data);
	/* Ours is there before. */
	assert_non_null(mls_arena_alloc(&arena, 1));
	before = live_bytes;
	assert_int_equal(mls_zip_open(&blob, &arena, &err, &zip), 0);
	assert_true(live_bytes > before + 200);
	mls_zip_close(zip);
	assert_int_equal(live_bytes, before);
	mls_arena_free(&arena);
	free((void *)(uintptr_t)blob.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_allocator_of_libzip_is_counted),
		cmocka_unit_test(every_archive_is_within_the_limit),
		cmocka_unit_test(directories_of_any_kind_are_within_the_limit),
		cmocka_unit_test(model_among_thousands_of_members_is_within_the_limit),
	};

	return cmocka_run_group_tests_name("memory_zip", tests, set_up, tear_down);
}
