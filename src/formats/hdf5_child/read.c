// SPDX-License-Identifier: GPL-2.0
/*
 * What of libhdf5 is used, and what is asked before it is let loose on a file: the other
 * side of hdf5.h.
 *
 * Damage that it is known to take badly is looked for first, although all of this is
 * in a process of its own: a refusal says what is wrong with the file, a crash does not,
 * and bytes from beyond a buffer would not even be one.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mlsched/model.h>

#include "src/formats/hdf5.h"
#include "src/formats/hdf5_child/api.h"
#include "src/formats/hdf5_protocol.h"
#include "src/util/error.h"

#define MAX_PATH     MLS_H5_MAX_PATH
#define MAX_CHILDREN MLS_H5_MAX_NAMES
#define MAX_TEXT     ((size_t)1 << 20)
/* One layer in doubles, and what is between that and a power of two. */
#define MAX_TENSOR ((mls_hsize)MLSCHED_MAX_WIDTH * MLSCHED_MAX_WIDTH)
#define MAX_CHUNK  (2 * MAX_TENSOR * sizeof(double))

struct mls_h5 {
	const struct mls_blob *blob;
	struct mls_arena *arena;
	struct mlsched_error *err;
	mls_hid file;
};

/* The library, and the file: there is one of each in this process. */
static const struct mls_h5_api *api;

#define bad(h5, code, format_, ...)                                                        \
	mls_error((h5)->err, code, "Invalid %s format: %s: " format_, (h5)->arena->format, \
		  (h5)->blob->path, ##__VA_ARGS__)

static int take_text(unsigned int n, const struct mls_h5e_error *error, void *to)
{
	if (n == 0 && error->text)
		snprintf(to, 128, "%s", error->text);
	return 0;
}

/* What libhdf5 says about its last failure; the next call to it forgets that. */
static int failed(struct mls_h5 *h5, const char *place, const char *expected)
{
	char text[128] = "no reason";

	api->H5Ewalk2(MLS_H5_DEFAULT, MLS_H5_MOST_SPECIFIC_FIRST, take_text, text);
	return bad(h5, -EINVAL, "%s%sexpected %s, found that libhdf5 says: %s", place,
		   place[0] ? ": " : "", expected, text);
}

/* ---- the file as an image in memory ---------------------------------------------------- */

/*
 * libhdf5 would copy the image three times over.  It only reads, so each copy that it
 * asks for is the image itself.
 */
static void *image_allocate(size_t size, int op, void *data)
{
	const struct mls_blob *blob = data;

	(void)op;
	return size == blob->size ? (void *)(uintptr_t)blob->data : NULL;
}

static void *image_copy(void *to, const void *from, size_t size, int op, void *data)
{
	const struct mls_blob *blob = data;

	(void)op;
	return to == from && size == blob->size ? to : NULL;
}

static void *image_reallocate(void *block, size_t size, int op, void *data)
{
	(void)block;
	(void)size;
	(void)op;
	(void)data;
	return NULL;
}

static int image_release(void *block, int op, void *data)
{
	(void)block;
	(void)op;
	(void)data;
	return 0;
}

static void *image_copy_data(void *data)
{
	return data;
}

static int image_release_data(void *data)
{
	(void)data;
	return 0;
}

static int open_image(struct mls_h5 *h5)
{
	const struct mls_blob *blob = h5->blob;
	struct mls_h5fd_image image = {
		.allocate = image_allocate,
		.copy = image_copy,
		.reallocate = image_reallocate,
		.release = image_release,
		.copy_data = image_copy_data,
		.release_data = image_release_data,
		.data = (void *)(uintptr_t)blob,
	};
	mls_hid access = api->H5Pcreate(api->file_access);
	int ret = 0;
	void *data = (void *)(uintptr_t)blob->data;
	char name[64];

	/* Files in memory are one and the same to it when their names are. */
	snprintf(name, sizeof(name), "mlsched-image-%p", data);
	if (access < 0)
		return failed(h5, "", "room for a file in memory");
	if (api->H5Pset_fapl_core(access, 64 << 10, false) >= 0 &&
	    api->H5Pset_file_image_callbacks(access, &image) >= 0 &&
	    api->H5Pset_file_image(access, data, blob->size) >= 0)
		h5->file = api->H5Fopen(name, MLS_H5_READ_ONLY, access);
	if (h5->file < 0)
		ret = failed(h5, "", "an HDF5 file");
	api->H5Pclose(access);
	return ret;
}

static uint64_t number_at(const uint8_t *data)
{
	uint64_t number = 0;

	for (int i = 7; i >= 0; i--)
		number = number << 8 | data[i];
	return number;
}

/*
 * Strings lie in heaps: a header of 16 bytes ("GCOL", version, length), then objects,
 * each with a header of 16 bytes and padded to 8; number 0 is what is left.  libhdf5
 * 1.10 adds up their lengths without a look at whether the sum wraps round, and then
 * goes round for ever: so they are added up here first, wherever such a heap may be.
 */
static int check_heap(struct mls_h5 *h5, size_t at)
{
	const uint8_t *heap = h5->blob->data + at;
	size_t left = h5->blob->size - at;
	uint64_t size = number_at(heap + 8);

	if (heap[4] != 1)
		return 0;
	if (size < 16 || size > left)
		return bad(h5, -EINVAL,
			   "heap at byte %zu: expected at most %zu bytes, found %" PRIu64, at, left,
			   size);
	left = (size_t)size - 16;
	for (const uint8_t *object = heap + 16; left >= 16;) {
		bool is_rest = object[0] == 0 && object[1] == 0;
		uint64_t length = number_at(object + 8);

		if (is_rest ? length < 16 || length > left : length > left - 16)
			return bad(
				h5, -EINVAL,
				"heap at byte %zu: expected an object of at most %zu bytes, found "
				"%" PRIu64,
				at, left, length);
		length = is_rest ? length : 16 + (length + 7) / 8 * 8;
		if (length >= left)
			break;
		left -= (size_t)length;
		object += length;
	}
	return 0;
}

static int check_heaps(struct mls_h5 *h5)
{
	int ret = 0;

	for (size_t at = 0; !ret && at + 32 <= h5->blob->size; at++) {
		if (memcmp(h5->blob->data + at, "GCOL", 4) == 0)
			ret = check_heap(h5, at);
	}
	return ret;
}

/* It prints its errors, and looks for filters in places that an environment names. */
static int begin(const char *path, struct mlsched_error *err)
{
	int ret = mls_h5_api_get(path, false, err, &api);

	if (ret)
		return ret;
	api->H5Eset_auto2(MLS_H5_DEFAULT, NULL, NULL);
	api->H5PLset_loading_state(0);
	return 0;
}

int mls_h5_open(const struct mls_blob *file, struct mls_arena *arena, struct mlsched_error *err,
		struct mls_h5 **h5)
{
	static struct mls_h5 only;
	int ret;

	only = (struct mls_h5){ .blob = file, .arena = arena, .err = err, .file = -1 };
	ret = begin(file->path, err);
	if (!ret)
		ret = check_heaps(&only);
	if (!ret)
		ret = open_image(&only);
	if (!ret)
		*h5 = &only;
	return ret;
}

/* ---- finding ---------------------------------------------------------------------------- */

/* One step of a way: is there a link, and is it a plain one? */
static int look_at_link(struct mls_h5 *h5, const char *path, bool *exists)
{
	union mls_h5l_info info = { 0 };
	int found = api->H5Lexists(h5->file, path, MLS_H5_DEFAULT);

	*exists = found > 0;
	if (found < 0)
		return failed(h5, path, "a group in front of it");
	if (!found)
		return 0;
	if (api->link_info(h5->file, path, &info, MLS_H5_DEFAULT) < 0)
		return failed(h5, path, "a link");
	if (info.type == MLS_H5L_HARD)
		return 0;
	return bad(h5, -ENOTSUP, "%s: expected an object of this file, found a link %s", path,
		   info.type == MLS_H5L_EXTERNAL ? "to another file" :
		   info.type == MLS_H5L_SOFT     ? "by name" :
						   "of another kind");
}

int mls_h5_look(struct mls_h5 *h5, const char *path, enum mls_h5_kind *kind)
{
	char way[MAX_PATH];
	size_t n = strlen(path);
	int depth = 0;
	mls_hid object;

	*kind = MLS_H5_GROUP;
	if (n >= sizeof(way))
		return bad(h5, -EINVAL, "%.60s...: expected a path below %d bytes, found %zu", path,
			   MAX_PATH, n);
	*kind = n ? MLS_H5_NOTHING : MLS_H5_GROUP;
	for (size_t end = 0; n && end <= n; end++) {
		bool exists;
		int ret;

		if (path[end] && path[end] != '/')
			continue;
		memcpy(way, path, end);
		way[end] = '\0';
		if (++depth > MLS_H5_MAX_DEPTH)
			return bad(h5, -EINVAL,
				   "%s: expected at most %d groups inside each other, found more",
				   way, MLS_H5_MAX_DEPTH);
		ret = look_at_link(h5, way, &exists);
		if (ret || !exists)
			return ret;
		object = api->H5Oopen(h5->file, way, MLS_H5_DEFAULT);
		if (object < 0)
			return failed(h5, way, "an object");
		*kind = api->H5Iget_type(object) == MLS_H5I_GROUP   ? MLS_H5_GROUP :
			api->H5Iget_type(object) == MLS_H5I_DATASET ? MLS_H5_TENSOR :
								      MLS_H5_NOTHING;
		api->H5Oclose(object);
		/* What lies below a tensor is nothing. */
		if (*kind != MLS_H5_GROUP && end < n) {
			*kind = MLS_H5_NOTHING;
			return 0;
		}
	}
	return 0;
}

static int add_name(struct mls_h5 *h5, struct mls_h5_names *names, const char *name, size_t size)
{
	char *copy = mls_arena_string(h5->arena, name, size);

	if (!copy)
		return mls_no_memory(h5->arena, h5->blob->path, h5->err);
	names->names[names->n++] = copy;
	return 0;
}

int mls_h5_list(struct mls_h5 *h5, const char *group, struct mls_h5_names *names)
{
	/* A link takes 40 bytes of the file at least. */
	uint32_t most =
		(uint32_t)(h5->blob->size / 40 < MAX_CHILDREN ? h5->blob->size / 40 : MAX_CHILDREN);
	const char *where = group[0] ? group : "/";
	int ret = 0;

	*names = (struct mls_h5_names){ 0 };
	names->names = mls_arena_array(h5->arena, most, sizeof(*names->names));
	if (!names->names)
		return mls_no_memory(h5->arena, h5->blob->path, h5->err);
	for (uint32_t i = 0; !ret; i++) {
		char name[MAX_PATH];
		ssize_t n = api->H5Lget_name_by_idx(h5->file, where, MLS_H5_BY_NAME,
						    MLS_H5_INCREASING, i, name, sizeof(name),
						    MLS_H5_DEFAULT);

		/* That there is no more it calls a failure, too. */
		if (n < 0)
			break;
		if ((size_t)n >= sizeof(name) || i >= most)
			return bad(h5, -EINVAL,
				   "%s: expected at most %u names below %d bytes, found more",
				   where, most, MAX_PATH);
		ret = add_name(h5, names, name, (size_t)n);
	}
	return ret;
}

/* ---- attributes --------------------------------------------------------------------------- */

struct attribute {
	const char *place, *name;
	mls_hid object, id, type, space;
	long long n; /* strings */
	size_t size; /* of each, when all have the same */
	bool variable;
};

static void close_attribute(struct attribute *a)
{
	if (a->space >= 0)
		api->H5Sclose(a->space);
	if (a->type >= 0)
		api->H5Tclose(a->type);
	if (a->id >= 0)
		api->H5Aclose(a->id);
	if (a->object >= 0)
		api->H5Oclose(a->object);
}

/* Opens an attribute of strings; a->id is -1 and the return value 0 when there is none. */
static int open_attribute(struct mls_h5 *h5, const char *object, const char *name,
			  struct attribute *a)
{
	int exists;

	*a = (struct attribute){ .name = name, .object = -1, .id = -1, .type = -1, .space = -1 };
	a->place = mls_arena_printf(h5->arena, "%s%sattribute %s", object, object[0] ? ": " : "",
				    name);
	if (!a->place)
		return mls_no_memory(h5->arena, h5->blob->path, h5->err);
	a->object = api->H5Oopen(h5->file, object[0] ? object : "/", MLS_H5_DEFAULT);
	exists = a->object < 0 ? -1 : api->H5Aexists(a->object, name);
	if (exists == 0)
		return 0;
	if (exists > 0)
		a->id = api->H5Aopen(a->object, name, MLS_H5_DEFAULT);
	if (a->id >= 0) {
		a->type = api->H5Aget_type(a->id);
		a->space = api->H5Aget_space(a->id);
	}
	if (a->type < 0 || a->space < 0)
		return failed(h5, a->place, "text");
	a->n = api->H5Sget_simple_extent_npoints(a->space);
	/* A list of no strings is one of no numbers to NumPy. */
	if (api->H5Tget_class(a->type) != MLS_H5T_STRING && a->n != 0)
		return bad(h5, -EINVAL, "%s: expected text, found another type", a->place);
	a->size = api->H5Tget_size(a->type);
	a->variable = api->H5Tis_variable_str(a->type) > 0;
	return 0;
}

/*
 * libhdf5 1.10 reads the string that an attribute names from its heap without a look at
 * whether the heap has such an object, and at how long it is: bytes from nowhere, or
 * into nowhere.  Attributes store what they name behind their own name, so each place
 * in the file that looks like this attribute is checked before any of them is read.
 */
static bool is_in_heap(const struct mls_h5 *h5, uint64_t address, uint32_t number, uint32_t length)
{
	const uint8_t *data = h5->blob->data;
	size_t size = h5->blob->size, at, end;
	bool found = false;

	if (address > size - 32 || memcmp(data + address, "GCOL", 4) != 0 || data[address + 4] != 1)
		return false;
	end = (size_t)address + (size_t)number_at(data + address + 8);
	/* check_heaps() has seen to it that the lengths add up. */
	for (at = (size_t)address + 16; at + 16 <= end && at + 16 <= size;) {
		uint32_t other = data[at] | (uint32_t)data[at + 1] << 8;
		uint64_t n = number_at(data + at + 8);

		if (other == 0)
			break;
		if (other == number && n != length)
			return false;
		found = found || other == number;
		at += 16 + (size_t)((n + 7) / 8 * 8);
	}
	return found;
}

static uint32_t short_at(const uint8_t *data)
{
	return data[0] | (uint32_t)data[1] << 8;
}

/* How many strings a data space has; false when it is none that we know. */
static bool count_strings(const uint8_t *space, size_t size, uint64_t *n)
{
	size_t header = size && space[0] == 1 ? 8 : 4;
	uint32_t rank = size > header - 1 ? space[1] : UINT32_MAX;

	*n = 1;
	if (rank > 2 || (space[0] != 1 && space[0] != 2) || header + 8 * rank > size)
		return false;
	for (uint32_t i = 0; i < rank; i++) {
		uint64_t dim = number_at(space + header + (size_t)8 * i);

		if (dim > MAX_CHILDREN)
			return false;
		*n *= dim;
	}
	return true;
}

/* An attribute of this version whose name is at @at: are all its strings there? */
static bool strings_are_there(const struct mls_h5 *h5, size_t at, size_t name_size, int version)
{
	const uint8_t *data = h5->blob->data, *head = data + at - (version == 3 ? 9 : 8);
	size_t size = h5->blob->size, type_size = short_at(head + 4),
	       space_size = short_at(head + 6);
	size_t round = version == 1 ? 7 : 0, type, space, value;
	uint64_t n;

	type = at + ((name_size + round) & ~round);
	space = type + ((type_size + round) & ~round);
	value = space + ((space_size + round) & ~round);
	/* Shared types lie elsewhere. */
	if (value > size || !type_size || (version > 1 && head[1]))
		return false;
	if ((data[type] & 15) != 9)
		return true;
	/* 16 bytes that name characters of one byte each, whatever the type of these says. */
	if (type_size < 16 || short_at(data + type + 4) != 16 || short_at(data + type + 6) ||
	    short_at(data + type + 12) != 1 || short_at(data + type + 14))
		return false;
	if (!count_strings(data + space, space_size, &n) || n * 16 > size - value)
		return false;
	for (uint64_t i = 0; i < n; i++, value += 16) {
		const uint8_t *v = data + value;
		uint64_t address = number_at(v + 4);

		if (address && !is_in_heap(h5, address, short_at(v + 12) | short_at(v + 14) << 16,
					   short_at(v) | short_at(v + 2) << 16))
			return false;
	}
	return true;
}

static int check_strings(struct mls_h5 *h5, const struct attribute *a)
{
	const char *name = a->name;
	const uint8_t *data = h5->blob->data;
	size_t n = strlen(name) + 1;
	uint32_t n_found = 0;

	/* Addresses of 8 bytes that count from the beginning of the file. */
	if (h5->blob->size < 64 || (data[8] < 2 ? data[13] != 8 || number_at(data + 24) :
						  data[9] != 8 || number_at(data + 12)))
		return bad(h5, -ENOTSUP,
			   "%s: expected addresses of 8 bytes that count from the file's first "
			   "one, found others",
			   a->place);
	for (size_t at = 9; at + n <= h5->blob->size; at++) {
		if (data[at] != (uint8_t)name[0] || memcmp(data + at, name, n) != 0)
			continue;
		for (int version = 1; version <= 3; version++) {
			const uint8_t *head = data + at - (version == 3 ? 9 : 8);

			if (head[0] != version || short_at(head + 2) != n)
				continue;
			n_found++;
			if (!strings_are_there(h5, at, n, version))
				return bad(h5, -EINVAL,
					   "%s: expected strings that are in the file, found one "
					   "that is not",
					   a->place);
		}
	}
	return n_found ? 0 :
			 bad(h5, -ENOTSUP,
			     "%s: expected an attribute that is stored as it is, found none in the "
			     "file's bytes",
			     a->place);
}

/* Strings of any length: each may be as long as the file, and one may be named many times. */
static int read_variable(struct mls_h5 *h5, const struct attribute *a, struct mls_h5_names *texts)
{
	char **strings = mls_arena_array(h5->arena, (size_t)a->n, sizeof(*strings));
	int ret = 0;

	if (!strings)
		return mls_no_memory(h5->arena, h5->blob->path, h5->err);
	if (api->H5Aread(a->id, a->type, strings) < 0)
		return failed(h5, a->place, "text");
	for (long long i = 0; !ret && i < a->n; i++) {
		size_t n = strings[i] ? strlen(strings[i]) : 0;

		ret = n > MAX_TEXT ? bad(h5, -EFBIG, "%s: expected at most %zu bytes, found %zu",
					 a->place, MAX_TEXT, n) :
				     add_name(h5, texts, strings[i] ? strings[i] : "", n);
	}
	api->H5Dvlen_reclaim(a->type, a->space, MLS_H5_DEFAULT, strings);
	return ret;
}

static int read_fixed(struct mls_h5 *h5, const struct attribute *a, struct mls_h5_names *texts)
{
	char *all = mls_arena_array(h5->arena, (size_t)a->n, a->size);
	int ret = 0;

	if (!all)
		return mls_no_memory(h5->arena, h5->blob->path, h5->err);
	if (api->H5Aread(a->id, a->type, all) < 0)
		return failed(h5, a->place, "text");
	for (long long i = 0; !ret && i < a->n; i++) {
		const char *text = all + (size_t)i * a->size;

		ret = add_name(h5, texts, text, strnlen(text, a->size));
	}
	return ret;
}

static int read_texts(struct mls_h5 *h5, const struct attribute *a, struct mls_h5_names *texts)
{
	size_t size = h5->blob->size;
	/* 8 times the file and 1 MiB, whatever the strings turn out to be. */
	long long most = a->variable ? (long long)(6 + ((size_t)1 << 20) / (size + 1)) :
				       (long long)MAX_CHILDREN;
	int ret;

	if (a->n < 0 || a->n > most || (!a->variable && (size_t)a->n * a->size > MAX_TEXT))
		return bad(h5, -EINVAL,
			   "%s: expected at most %lld strings, found %lld of %zu bytes", a->place,
			   most, a->n, a->size);
	texts->names = mls_arena_array(h5->arena, (size_t)a->n, sizeof(*texts->names));
	if (!texts->names)
		return mls_no_memory(h5->arena, h5->blob->path, h5->err);
	if (a->n == 0)
		return 0;
	if (!a->variable)
		return read_fixed(h5, a, texts);
	ret = check_strings(h5, a);
	return ret ? ret : read_variable(h5, a, texts);
}

int mls_h5_texts(struct mls_h5 *h5, const char *object, const char *attribute,
		 struct mls_h5_names *texts)
{
	struct attribute a;
	int ret = open_attribute(h5, object, attribute, &a);

	*texts = (struct mls_h5_names){ 0 };
	if (!ret && a.id >= 0)
		ret = read_texts(h5, &a, texts);
	close_attribute(&a);
	return ret;
}

/* ---- tensors -------------------------------------------------------------------------------- */

struct reading {
	struct mls_h5 *h5;
	const char *path;
	mls_hid id, type, space, plist;
	size_t size; /* bytes of an element in the file */
	struct mls_h5_tensor *tensor;
};

static int measure(struct reading *r)
{
	struct mls_h5_tensor *t = r->tensor;
	mls_hsize dims[2] = { 1, 1 };
	int rank = api->H5Sget_simple_extent_ndims(r->space);

	if (rank < 0)
		return failed(r->h5, r->path, "a tensor");
	if (rank > 2)
		return bad(r->h5, -ENOTSUP, "%s: expected at most 2 dimensions, found %d", r->path,
			   rank);
	if (rank > 0 && api->H5Sget_simple_extent_dims(r->space, dims, NULL) < 0)
		return failed(r->h5, r->path, "a tensor");
	for (int i = 0; i < rank; i++) {
		if (dims[i] < 1 || dims[i] > MLSCHED_MAX_WIDTH)
			return bad(r->h5, -EINVAL,
				   "%s: expected 1 to %d in dimension %d, found %llu", r->path,
				   MLSCHED_MAX_WIDTH, i, dims[i]);
	}
	/* A data space without any extent has rank 0, too. */
	if (api->H5Sget_simple_extent_npoints(r->space) != (long long)(dims[0] * dims[1]))
		return bad(r->h5, -EINVAL, "%s: expected numbers, found none", r->path);
	t->rank = (uint32_t)rank;
	t->dims[0] = (uint32_t)dims[0];
	t->dims[1] = (uint32_t)dims[1];
	t->n = t->dims[0] * t->dims[1];
	if (api->H5Tget_class(r->type) != MLS_H5T_FLOAT)
		return bad(r->h5, -ENOTSUP,
			   "%s: expected floating point numbers, found another type", r->path);
	r->size = api->H5Tget_size(r->type);
	if (r->size < 1 || r->size > 16)
		return bad(r->h5, -ENOTSUP, "%s: expected numbers of at most 16 bytes, found %zu",
			   r->path, r->size);
	return 0;
}

/* The filters that are there, as a bit each: 1 shuffle, 2 gzip; both in this order only. */
static int filters_of(struct reading *r, unsigned int *filters)
{
	int n = api->H5Pget_nfilters(r->plist);

	*filters = 0;
	for (int i = 0; i < n; i++) {
		unsigned int flags = 0, values[8], config = 0;
		size_t n_values = 8;
		char name[16];
		int id = api->H5Pget_filter2(r->plist, (unsigned int)i, &flags, &n_values, values,
					     sizeof(name), name, &config);
		unsigned int bit = id == MLS_H5Z_SHUFFLE ? 1 : id == MLS_H5Z_DEFLATE ? 2 : 0;

		if (bit <= *filters)
			return bad(r->h5, -ENOTSUP,
				   "%s: expected shuffle and gzip as filters at most, found number "
				   "%d as filter %d",
				   r->path, id, i);
		*filters |= bit;
	}
	return n < 0 ? failed(r->h5, r->path, "filters") : 0;
}

static void unshuffle(const uint8_t *from, uint8_t *to, size_t n, size_t size)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t byte = 0; byte < size; byte++)
			to[i * size + byte] = from[byte * n + i];
	}
}

/* Reads one chunk at @offset into @chunk, a buffer of @bytes; @spare is as large. */
static int read_chunk(struct reading *r, const mls_hsize *offset, unsigned int filters,
		      uint8_t *chunk, uint8_t *spare, size_t bytes)
{
	mls_hsize stored = 0;
	uint32_t skipped = 0;
	unsigned long n = bytes;

	if (api->H5Dget_chunk_storage_size(r->id, offset, &stored) < 0)
		return failed(r->h5, r->path, "a chunk");
	/* Deflating makes what cannot be made smaller a little larger. */
	if (stored == 0 || stored > bytes + bytes / 64 + 64)
		return bad(r->h5, -EINVAL, "%s: expected a chunk of at most %zu bytes, found %llu",
			   r->path, bytes, stored);
	if (api->H5Dread_chunk(r->id, MLS_H5_DEFAULT, offset, &skipped, spare) < 0)
		return failed(r->h5, r->path, "a chunk");
	if (skipped)
		return bad(r->h5, -ENOTSUP,
			   "%s: expected the same filters on all chunks, found that one at "
			   "[%llu, %llu] goes without (mask %u)",
			   r->path, offset[0], offset[1], skipped);
	if (filters & 2) {
		if (!api->uncompress)
			return bad(r->h5, -ENOTSUP,
				   "%s: expected a libhdf5 with zlib for its gzip, found one "
				   "without",
				   r->path);
		/* Into a buffer of this size and no larger, which libhdf5 itself would not say. */
		if (api->uncompress(chunk, &n, spare, (unsigned long)stored) != 0 || n != bytes)
			return bad(r->h5, -EINVAL,
				   "%s: expected a chunk that unfolds to %zu bytes, found one of "
				   "%llu bytes that does not",
				   r->path, bytes, stored);
		memcpy(spare, chunk, bytes);
	} else if (stored != bytes) {
		return bad(r->h5, -EINVAL, "%s: expected a chunk of %zu bytes, found %llu", r->path,
			   bytes, stored);
	}
	if (filters & 1)
		unshuffle(spare, chunk, bytes / r->size, r->size);
	else
		memcpy(chunk, spare, bytes);
	return 0;
}

/* Puts one chunk's part that lies in the tensor into its place, as the file has it. */
static void place_chunk(const struct reading *r, const mls_hsize *offset, const mls_hsize *shape,
			const uint8_t *chunk, uint8_t *to)
{
	const struct mls_h5_tensor *t = r->tensor;
	uint32_t columns = t->rank == 2 ? t->dims[1] : t->dims[0];
	uint32_t rows = t->rank == 2 ? t->dims[0] : 1;
	mls_hsize row = t->rank == 2 ? offset[0] : 0, column = offset[t->rank - 1];
	mls_hsize wide = shape[t->rank - 1], high = t->rank == 2 ? shape[0] : 1;
	size_t n = column + wide > columns ? (size_t)(columns - column) : (size_t)wide;

	for (mls_hsize i = 0; i < high && row + i < rows; i++)
		memcpy(to + ((row + i) * columns + column) * r->size, chunk + i * wide * r->size,
		       n * r->size);
}

static int read_chunks(struct reading *r, uint8_t *to)
{
	const struct mls_h5_tensor *t = r->tensor;
	mls_hsize shape[2] = { 1, 1 }, offset[2] = { 0, 0 };
	uint8_t *chunk, *spare;
	unsigned int filters;
	size_t bytes;
	int ret = filters_of(r, &filters);

	if (ret)
		return ret;
	if (t->rank == 0 || api->H5Pget_chunk(r->plist, (int)t->rank, shape) != (int)t->rank)
		return failed(r->h5, r->path, "chunks as the tensor has dimensions");
	if (shape[0] < 1 || shape[1] < 1 || shape[0] > MAX_TENSOR || shape[1] > MAX_TENSOR ||
	    shape[0] * shape[1] * r->size > MAX_CHUNK)
		return bad(r->h5, -EINVAL,
			   "%s: expected chunks of at most %zu bytes, found %llu x %llu", r->path,
			   (size_t)MAX_CHUNK, shape[0], shape[1]);
	bytes = (size_t)(shape[0] * shape[1]) * r->size;
	chunk = mls_arena_array(r->h5->arena, 1, bytes);
	spare = mls_arena_array(r->h5->arena, 1, bytes + bytes / 64 + 64);
	if (!chunk || !spare)
		return mls_no_memory(r->h5->arena, r->h5->blob->path, r->h5->err);
	for (offset[0] = 0; !ret && offset[0] < t->dims[0]; offset[0] += shape[0]) {
		for (offset[1] = 0; !ret && offset[1] < t->dims[1]; offset[1] += shape[1]) {
			ret = read_chunk(r, offset, filters, chunk, spare, bytes);
			if (!ret)
				place_chunk(r, offset, shape, chunk, to);
		}
	}
	return ret;
}

/* The numbers as the file has them. */
static int read_raw(struct reading *r, uint8_t *to)
{
	int layout = api->H5Pget_layout(r->plist);

	if (api->H5Pget_external_count(r->plist) > 0)
		return bad(r->h5, -ENOTSUP,
			   "%s: expected numbers in this file, found them in "
			   "another one",
			   r->path);
	if (layout == MLS_H5D_CHUNKED)
		return read_chunks(r, to);
	if (layout != MLS_H5D_COMPACT && layout != MLS_H5D_CONTIGUOUS)
		return bad(r->h5, -ENOTSUP, "%s: expected numbers in this data set, found %s",
			   r->path, layout == MLS_H5D_VIRTUAL ? "a virtual one" : "another layout");
	if (api->H5Dread(r->id, r->type, 0, 0, MLS_H5_DEFAULT, to) < 0)
		return failed(r->h5, r->path, "numbers");
	return 0;
}

static int check_finite(struct reading *r, const float *numbers)
{
	const struct mls_h5_tensor *t = r->tensor;

	for (uint32_t i = 0; i < t->n; i++) {
		if (isfinite(numbers[i]))
			continue;
		if (t->rank == 2)
			return bad(r->h5, -EINVAL,
				   "%s: expected finite numbers, found %g at [%u, %u]", r->path,
				   (double)numbers[i], i / t->dims[1], i % t->dims[1]);
		return bad(r->h5, -EINVAL, "%s: expected finite numbers, found %g at [%u]", r->path,
			   (double)numbers[i], i);
	}
	return 0;
}

static int read_tensor(struct reading *r)
{
	size_t room;
	uint8_t *raw;
	int ret;

	r->type = api->H5Dget_type(r->id);
	r->space = api->H5Dget_space(r->id);
	r->plist = api->H5Dget_create_plist(r->id);
	if (r->type < 0 || r->space < 0 || r->plist < 0)
		return failed(r->h5, r->path, "a tensor");
	ret = measure(r);
	if (ret)
		return ret;
	/* Converted in place. */
	room = r->size > sizeof(float) ? r->size : sizeof(float);
	raw = mls_arena_array(r->h5->arena, r->tensor->n, room);
	if (!raw)
		return mls_no_memory(r->h5->arena, r->h5->blob->path, r->h5->err);
	ret = read_raw(r, raw);
	if (ret)
		return ret;
	if (api->H5Tconvert(r->type, api->native_float, r->tensor->n, raw, NULL, MLS_H5_DEFAULT) <
	    0)
		return failed(r->h5, r->path, "numbers that become float32");
	r->tensor->numbers = (const float *)(const void *)raw;
	return check_finite(r, r->tensor->numbers);
}

int mls_h5_tensor(struct mls_h5 *h5, const char *path, struct mls_h5_tensor *tensor)
{
	struct reading r = {
		.h5 = h5, .path = path, .type = -1, .space = -1, .plist = -1, .tensor = tensor
	};
	int ret;

	*tensor = (struct mls_h5_tensor){ 0 };
	tensor->path = path;
	r.id = api->H5Oopen(h5->file, path, MLS_H5_DEFAULT);
	if (r.id < 0)
		return failed(h5, path, "a tensor");
	ret = read_tensor(&r);
	if (r.plist >= 0)
		api->H5Pclose(r.plist);
	if (r.space >= 0)
		api->H5Sclose(r.space);
	if (r.type >= 0)
		api->H5Tclose(r.type);
	api->H5Oclose(r.id);
	return ret;
}
