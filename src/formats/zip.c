// SPDX-License-Identifier: GPL-2.0
/*
 * The few functions of libzip that we use, looked up at run time, as those of libhdf5
 * are (hdf5_api.h says why).
 */
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "src/formats/zip.h"
#include "src/util/array.h"
#include "src/util/error.h"

#define MAX_MEMBERS 4096
/* End of central directory: 22 bytes and a comment. */
#define END_SIZE    22
#define MAX_COMMENT 65535
/* Keras stores; whoever packs again with another tool shrinks no further than this. */
#define MAX_RATIO 100

#define NEEDS "%s zip archives needs libzip (Debian: apt install libzip4)"

/* struct zip_stat and struct zip_error of its header: the same in all versions 5 of libzip.so. */
struct stat_of_member {
	uint64_t valid;
	const char *name;
	uint64_t index, size, packed;
	time_t time;
	uint32_t crc;
	uint16_t method, encryption;
	uint32_t flags;
};

#define ALL_VALID (1u << 0 | 1u << 2 | 1u << 3 | 1u << 6 | 1u << 7)

struct zip_failure {
	int code, system;
	char *text;
};

enum {
	TRUNCATE = 8,
	READ_ONLY = 16,
	NAMES_AS_THEY_ARE = 64,
	STORED = 0,
	DEFLATED = 8,
};

/* name, result, parameters */
#define FUNCTIONS(F)                                                                        \
	F(zip_error_init, void, (struct zip_failure *))                                     \
	F(zip_error_fini, void, (struct zip_failure *))                                     \
	F(zip_error_strerror, const char *, (struct zip_failure *))                         \
	F(zip_source_buffer_create, void *,                                                 \
	  (const void *, uint64_t, int release, struct zip_failure *))                      \
	F(zip_source_free, void, (void *))                                                  \
	F(zip_open_from_source, void *, (void *source, int flags, struct zip_failure *))    \
	F(zip_discard, void, (void *))                                                      \
	F(zip_get_num_entries, int64_t, (void *, uint32_t flags))                           \
	F(zip_stat_index, int, (void *, uint64_t, uint32_t flags, struct stat_of_member *)) \
	F(zip_fopen_index, void *, (void *, uint64_t, uint32_t flags))                      \
	F(zip_fread, int64_t, (void *, void *, uint64_t))                                   \
	F(zip_fclose, int, (void *))                                                        \
	F(zip_file_strerror, const char *, (void *))                                        \
	F(zip_strerror, const char *, (void *))                                             \
	F(zip_source_buffer, void *, (void *, const void *, uint64_t, int release))         \
	F(zip_file_add, int64_t, (void *, const char *, void *source, uint32_t flags))      \
	F(zip_set_file_compression, int, (void *, uint64_t, int32_t method, uint32_t))      \
	F(zip_file_set_dostime, int,                                                        \
	  (void *, uint64_t, uint16_t time, uint16_t date, uint32_t flags))                 \
	F(zip_source_keep, void, (void *))                                                  \
	F(zip_source_open, int, (void *))                                                   \
	F(zip_source_read, int64_t, (void *, void *, uint64_t))                             \
	F(zip_source_close, int, (void *))                                                  \
	F(zip_source_stat, int, (void *, struct stat_of_member *))                          \
	F(zip_close, int, (void *))

static struct {
	void *handle;
#define DECLARE(name, result, parameters) result(*name) parameters;
	FUNCTIONS(DECLARE)
#undef DECLARE
} api;

struct mls_zip {
	const struct mls_blob *blob;
	struct mls_arena *arena;
	struct mlsched_error *err;
	void *archive;
	uint64_t n;
};

#define bad(z, code, format_, ...)                                                       \
	mls_error((z)->err, code, "Invalid %s format: %s: " format_, (z)->arena->format, \
		  (z)->blob->path, ##__VA_ARGS__)

static int look_up(const char *path, bool writes, struct mlsched_error *err)
{
	const char *verb = writes ? "write" : "read", *gerund = writes ? "writing" : "reading";
	static const char *const names[] = { "libzip.so.5", "libzip.so.4", "libzip.so" };
	const char *missing = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(names) && !api.handle; i++)
		api.handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
	if (!api.handle)
		return mls_error(err, -ENOTSUP, "Cannot %s model: %s: " NEEDS ": %s", verb, path,
				 gerund, dlerror());
/* A pointer to data made one to a function: POSIX demands that this works. */
#define LOOK_UP(name, result, parameters)                     \
	do {                                                  \
		void *address = dlsym(api.handle, #name);     \
		memcpy(&api.name, &address, sizeof(address)); \
		missing = address ? missing : #name;          \
	} while (0);
	FUNCTIONS(LOOK_UP)
#undef LOOK_UP
	if (!missing)
		return 0;
	dlclose(api.handle);
	api.handle = NULL;
	return mls_error(err, -ENOTSUP, "Cannot %s model: %s: " NEEDS ", found one that lacks %s",
			 verb, path, gerund, missing);
}

static int get_api(const char *path, bool writes, struct mlsched_error *err)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	int ret = 0;

	pthread_mutex_lock(&lock);
	if (!api.handle)
		ret = look_up(path, writes, err);
	pthread_mutex_unlock(&lock);
	return ret;
}

void mls_zip_ahead(void)
{
	get_api("", false, NULL);
}

bool mls_zip_detect(const uint8_t *head, size_t n)
{
	return n >= 4 && (memcmp(head, "PK\3\4", 4) == 0 || memcmp(head, "PK\5\6", 4) == 0);
}

/*
 * libzip allocates for as many members as the archive says it has, before it reads
 * them; so that number is looked at first, wherever it may be taken from.
 */
static int check_end(const struct mls_zip *z)
{
	const uint8_t *data = z->blob->data;
	size_t size = z->blob->size, first;
	bool found = false;

	first = size > END_SIZE + MAX_COMMENT ? size - END_SIZE - MAX_COMMENT : 0;
	for (size_t i = first; i + END_SIZE <= size; i++) {
		uint32_t n = data[i + 10] | (uint32_t)data[i + 11] << 8;

		if (memcmp(data + i, "PK\6\6", 4) == 0)
			return bad(z, -ENOTSUP, "expected an archive of 32 bits, found one of 64");
		if (memcmp(data + i, "PK\5\6", 4) != 0)
			continue;
		found = true;
		if (n > MAX_MEMBERS)
			return bad(z, -EINVAL, "expected at most %d members, found %u", MAX_MEMBERS,
				   n);
	}
	return found ? 0 :
		       bad(z, -EINVAL,
			   "expected a zip archive, found none that is whole: no "
			   "directory at its end");
}

static int open_archive(struct mls_zip *z)
{
	struct zip_failure failure;
	void *source;
	int ret = 0;

	api.zip_error_init(&failure);
	source = api.zip_source_buffer_create(z->blob->data, z->blob->size, 0, &failure);
	z->archive = source ? api.zip_open_from_source(source, READ_ONLY, &failure) : NULL;
	if (!z->archive) {
		if (source)
			api.zip_source_free(source);
		ret = bad(z, -EINVAL, "expected a zip archive, found that libzip says: %.200s",
			  api.zip_error_strerror(&failure));
	}
	api.zip_error_fini(&failure);
	return ret;
}

/* Absolute, with a drive, or through "..": written for somebody who unpacks it. */
static bool leaves_directory(const char *name)
{
	const char *part = name;

	if (name[0] == '/' || name[0] == '\\' || (name[0] && name[1] == ':'))
		return true;
	while (part) {
		size_t n = strcspn(part, "/\\");

		if (n == 2 && part[0] == '.' && part[1] == '.')
			return true;
		part = part[n] ? part + n + 1 : NULL;
	}
	return false;
}

static int stat_member(struct mls_zip *z, uint64_t index, struct stat_of_member *st)
{
	if (api.zip_stat_index(z->archive, index, NAMES_AS_THEY_ARE, st) == 0 &&
	    (st->valid & ALL_VALID) == ALL_VALID)
		return 0;
	return bad(z, -EINVAL,
		   "member %" PRIu64 ": expected name and size, found that libzip says: "
		   "%.200s",
		   index, api.zip_strerror(z->archive));
}

static int check_names(struct mls_zip *z)
{
	for (uint64_t i = 0; i < z->n; i++) {
		struct stat_of_member st = { 0 };
		int ret = stat_member(z, i, &st);

		if (ret)
			return ret;
		if (leaves_directory(st.name))
			return bad(
				z, -EINVAL,
				"expected members below the archive's own directory, found %.100s",
				st.name);
	}
	return 0;
}

int mls_zip_open(const struct mls_blob *file, struct mls_arena *arena, struct mlsched_error *err,
		 struct mls_zip **zip)
{
	struct mls_zip *z = mls_arena_alloc(arena, sizeof(*z));
	int64_t n;
	int ret;

	if (!z)
		return mls_no_memory(arena, file->path, err);
	*z = (struct mls_zip){ .blob = file, .arena = arena, .err = err };
	if (!mls_zip_detect(file->data, file->size))
		return bad(z, -EINVAL, "expected a zip archive, found %s",
			   file->size ? "a file that begins otherwise" : "0 bytes");
	ret = get_api(file->path, false, err);
	if (!ret)
		ret = check_end(z);
	if (!ret)
		ret = open_archive(z);
	if (ret)
		return ret;
	n = api.zip_get_num_entries(z->archive, 0);
	z->n = n < 0 ? 0 : (uint64_t)n;
	ret = z->n > MAX_MEMBERS ?
		      bad(z, -EINVAL, "expected at most %d members, found more", MAX_MEMBERS) :
		      check_names(z);
	if (ret)
		mls_zip_close(z);
	else
		*zip = z;
	return ret;
}

void mls_zip_close(struct mls_zip *zip)
{
	if (zip)
		api.zip_discard(zip->archive);
}

/* A name twice is read by one tool this way and by another one that way. */
static int find_member(struct mls_zip *z, const char *name, struct stat_of_member *found)
{
	uint32_t n = 0;

	for (uint64_t i = 0; i < z->n; i++) {
		struct stat_of_member st = { 0 };
		int ret = stat_member(z, i, &st);

		if (ret)
			return ret;
		if (strcmp(st.name, name) != 0)
			continue;
		*found = st;
		found->index = i;
		n++;
	}
	if (n > 1)
		return bad(z, -EINVAL, "%s: expected one such member, found %u", name, n);
	return n ? 0 : -ENOENT;
}

static int check_member(struct mls_zip *z, const char *name, size_t max,
			const struct stat_of_member *st)
{
	if (st->encryption)
		return bad(z, -ENOTSUP, "%s: expected an open member, found an encrypted one",
			   name);
	if (st->method != STORED && st->method != DEFLATED)
		return bad(z, -ENOTSUP, "%s: expected a stored or deflated member, found method %u",
			   name, st->method);
	if (st->size > max)
		return bad(z, -EFBIG, "%s: expected at most %zu bytes, found %" PRIu64, name, max,
			   st->size);
	if (st->packed > z->blob->size || st->size / MAX_RATIO > st->packed)
		return bad(z, -EINVAL,
			   "%s: expected a member that unfolds to at most %d times its size, found "
			   "%" PRIu64 " bytes that become %" PRIu64,
			   name, MAX_RATIO, st->packed, st->size);
	return 0;
}

static int unpack(struct mls_zip *z, const char *name, const struct stat_of_member *st, uint8_t *to)
{
	void *member = api.zip_fopen_index(z->archive, st->index, 0);
	uint64_t done = 0;
	int64_t n = 1;
	int ret = 0;

	if (!member)
		return bad(z, -EINVAL, "%s: expected a member, found that libzip says: %.200s",
			   name, api.zip_strerror(z->archive));
	/* Reading on to the end, one byte more than there should be: only there the checksum is compared. */
	while (n > 0 && done <= st->size) {
		n = api.zip_fread(member, to + done, st->size + 1 - done);
		done += n > 0 ? (uint64_t)n : 0;
	}
	if (n < 0)
		ret = bad(z, -EBADMSG,
			  "%s: expected the bytes of a member, found that libzip says: "
			  "%.200s",
			  name, api.zip_file_strerror(member));
	else if (done != st->size)
		ret = bad(z, -EINVAL, "%s: expected %" PRIu64 " bytes, found %s", name, st->size,
			  done > st->size ? "more" : "less");
	api.zip_fclose(member);
	return ret;
}

int mls_zip_read(struct mls_zip *zip, const char *name, size_t max, struct mls_blob *blob)
{
	struct stat_of_member st = { 0 };
	uint8_t *data;
	int ret = find_member(zip, name, &st);

	if (!ret)
		ret = check_member(zip, name, max, &st);
	if (ret)
		return ret;
	data = mls_arena_alloc(zip->arena, (size_t)st.size + 1);
	blob->path = mls_arena_printf(zip->arena, "%s/%s", zip->blob->path, name);
	if (!data || !blob->path)
		return mls_no_memory(zip->arena, zip->blob->path, zip->err);
	blob->data = data;
	blob->size = (size_t)st.size;
	return unpack(zip, name, &st, data);
}

/* ---- making one ---------------------------------------------------------------------------- */

/* The first day that such an archive can name. */
#define FIRST_DAY (1u << 5 | 1u)

static int cannot_make(const char *path, const char *text, struct mlsched_error *err)
{
	return mls_error(
		err, -EINVAL,
		"Cannot write model: %s: expected libzip to make an archive, found that it "
		"says: %.200s",
		path, text);
}

static int add_member(void *archive, const struct mls_blob *member)
{
	void *source = api.zip_source_buffer(archive, member->data, member->size, 0);
	int64_t index = source ? api.zip_file_add(archive, member->path, source, 0) : -1;

	if (index < 0) {
		if (source)
			api.zip_source_free(source);
		return -EINVAL;
	}
	if (api.zip_set_file_compression(archive, (uint64_t)index, STORED, 0) != 0 ||
	    api.zip_file_set_dostime(archive, (uint64_t)index, 0, FIRST_DAY, 0) != 0)
		return -EINVAL;
	return 0;
}

static int read_source(void *source, const char *path, struct mls_arena *arena,
		       struct mlsched_error *err, struct mls_blob *content)
{
	struct stat_of_member st = { 0 };
	uint8_t *bytes;
	int64_t n;

	if (api.zip_source_stat(source, &st) != 0 || !(st.valid & 1u << 2) ||
	    api.zip_source_open(source) != 0)
		return cannot_make(path, "its own buffer cannot be read", err);
	bytes = mls_arena_alloc(arena, (size_t)st.size);
	n = bytes ? api.zip_source_read(source, bytes, st.size) : 0;
	api.zip_source_close(source);
	if (!bytes)
		return mls_error(err, -ENOMEM, "Cannot write model: %s: no memory", path);
	if (n < 0 || (uint64_t)n != st.size)
		return cannot_make(path, "its own buffer is shorter than it says", err);
	content->data = bytes;
	content->size = (size_t)n;
	return 0;
}

int mls_zip_make(const char *path, const struct mls_blob *members, size_t n,
		 struct mls_arena *arena, struct mlsched_error *err, struct mls_blob *content)
{
	void *source, *archive = NULL;
	struct zip_failure failure;
	int ret = get_api(path, true, err);

	if (ret)
		return ret;
	api.zip_error_init(&failure);
	source = api.zip_source_buffer_create(NULL, 0, 0, &failure);
	if (source)
		archive = api.zip_open_from_source(source, TRUNCATE, &failure);
	if (!archive) {
		ret = cannot_make(path, api.zip_error_strerror(&failure), err);
		if (source)
			api.zip_source_free(source);
		goto out;
	}
	/* The archive's end would be the source's. */
	api.zip_source_keep(source);
	for (size_t i = 0; !ret && i < n; i++)
		ret = add_member(archive, &members[i]);
	if (!ret && api.zip_close(archive) == 0) {
		ret = read_source(source, path, arena, err, content);
	} else {
		ret = cannot_make(path, api.zip_strerror(archive), err);
		api.zip_discard(archive);
	}
	api.zip_source_free(source);
out:
	api.zip_error_fini(&failure);
	return ret;
}
