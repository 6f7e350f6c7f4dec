// SPDX-License-Identifier: GPL-2.0
/* HDF5 files out of words. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "src/util/array.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/hdf5_image.h"
#include "tests/fuzz/hdf5_inside.h"

/* More would only be slow: of strings and of numbers in an object, and of numbers in all. */
#define MOST_STRINGS 64
#define MOST_SIZE    4096
#define MOST_NUMBERS 70000
#define MOST_IN_ALL  400000

/* Of libhdf5 what files are made with that mlsched does not write. */
static struct {
	const struct mls_h5_api *h5;
	int (*set_libver_bounds)(mls_hid, int low, int high);
	int (*set_chunk)(mls_hid, int rank, const mls_hsize *);
	int (*set_deflate)(mls_hid, unsigned int level);
	int (*set_shuffle)(mls_hid);
	int (*set_fletcher32)(mls_hid);
	int (*set_layout)(mls_hid, int layout);
	int (*link_soft)(const char *target, mls_hid, const char *, mls_hid, mls_hid);
	int (*link_hard)(mls_hid, const char *target, mls_hid, const char *, mls_hid, mls_hid);
	int (*link_external)(const char *file, const char *target, mls_hid, const char *, mls_hid,
			     mls_hid);
	int (*set_fields)(mls_hid, size_t sign, size_t at, size_t bits, size_t m, size_t m_bits);
	int (*set_ebias)(mls_hid, size_t);
	mls_hid *f8, *f4_other, *i4;
} lib;

static void look_up(void *to, const char *name)
{
	void *address = dlsym(lib.h5->handle, name);

	must(address);
	memcpy(to, &address, sizeof(address));
}

static void find_library(void)
{
	static const struct {
		void *to;
		const char *name;
	} names[] = {
		{ &lib.set_libver_bounds, "H5Pset_libver_bounds" },
		{ &lib.set_chunk, "H5Pset_chunk" },
		{ &lib.set_deflate, "H5Pset_deflate" },
		{ &lib.set_shuffle, "H5Pset_shuffle" },
		{ &lib.set_fletcher32, "H5Pset_fletcher32" },
		{ &lib.set_layout, "H5Pset_layout" },
		{ &lib.link_soft, "H5Lcreate_soft" },
		{ &lib.link_hard, "H5Lcreate_hard" },
		{ &lib.link_external, "H5Lcreate_external" },
		{ &lib.set_fields, "H5Tset_fields" },
		{ &lib.set_ebias, "H5Tset_ebias" },
		{ &lib.f8, "H5T_IEEE_F64LE_g" },
		{ &lib.f4_other, "H5T_IEEE_F32BE_g" },
		{ &lib.i4, "H5T_STD_I32LE_g" },
	};

	if (lib.h5)
		return;
	lib.h5 = inside_api();
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		look_up(names[i].to, names[i].name);
}

struct h5_image {
	mls_hid file;
	size_t n_numbers; /* in all tensors */
};

struct h5_image *h5_image_begin(bool latest)
{
	struct h5_image *image = calloc(1, sizeof(*image));
	mls_hid access;

	find_library();
	access = lib.h5->H5Pcreate(lib.h5->file_access);
	must(image && access >= 0);
	must(lib.h5->H5Pset_fapl_core(access, 16 << 10, false) >= 0);
	must(lib.set_libver_bounds(access, latest ? 2 : 0, 2) >= 0);
	image->file = lib.h5->H5Fcreate("fuzz", MLS_H5F_TRUNCATE, MLS_H5_DEFAULT, access);
	must(image->file >= 0);
	lib.h5->H5Pclose(access);
	return image;
}

uint8_t *h5_image_end(struct h5_image *image, size_t *size)
{
	ssize_t n = lib.h5->H5Fflush(image->file, 0) < 0 ?
			    -1 :
			    lib.h5->H5Fget_file_image(image->file, NULL, 0);
	uint8_t *content = n > 0 ? malloc((size_t)n) : NULL;

	must(content);
	must(lib.h5->H5Fget_file_image(image->file, content, (size_t)n) == n);
	must(lib.h5->H5Fclose(image->file) >= 0);
	free(image);
	*size = (size_t)n;
	return content;
}

/* ---- attributes ------------------------------------------------------------------------- */

static void put_attribute(struct h5_image *image, const char *object, const char *name,
			  mls_hid type, mls_hid space, const void *value)
{
	mls_hid at = lib.h5->H5Oopen(image->file, object[0] ? object : "/", MLS_H5_DEFAULT);
	mls_hid id = -1;

	if (at >= 0 && type >= 0 && space >= 0 && lib.h5->H5Aexists(at, name) == 0)
		id = lib.h5->H5Acreate2(at, name, type, space, MLS_H5_DEFAULT, MLS_H5_DEFAULT);
	if (id >= 0) {
		lib.h5->H5Awrite(id, type, value);
		lib.h5->H5Aclose(id);
	}
	if (at >= 0)
		lib.h5->H5Oclose(at);
}

/* @size 0: of any length; @is_list false: one string, without dimensions. */
static void put_strings(struct h5_image *image, const char *object, const char *name, size_t size,
			char **texts, size_t n, bool is_list)
{
	mls_hid type = lib.h5->H5Tcopy(lib.h5->string), space;
	const mls_hsize dims[1] = { n };
	char *all = calloc(n + 1, size ? size : 1);

	must(all && type >= 0);
	for (size_t i = 0; size && i < n; i++)
		memcpy(all + i * size, texts[i], strnlen(texts[i], size));
	space = is_list ? lib.h5->H5Screate_simple(1, dims, NULL) :
			  lib.h5->H5Screate(MLS_H5S_SCALAR);
	if (lib.h5->H5Tset_size(type, size ? size : MLS_H5T_VARIABLE) >= 0)
		put_attribute(image, object, name, type, space, size ? (void *)all : (void *)texts);
	if (space >= 0)
		lib.h5->H5Sclose(space);
	lib.h5->H5Tclose(type);
	free(all);
}

static size_t size_of(const char *text)
{
	long n = strtol(text, NULL, 10);

	return n < 1 ? 1 : n > MOST_SIZE ? MOST_SIZE : (size_t)n;
}

static size_t at_most(size_t n)
{
	return n < MOST_STRINGS ? n : MOST_STRINGS;
}

static void put_integers(struct h5_image *image, const char *object, const char *name, size_t n)
{
	static const int32_t numbers[MOST_STRINGS];
	const mls_hsize dims[1] = { at_most(n) };
	mls_hid space = lib.h5->H5Screate_simple(1, dims, NULL);

	put_attribute(image, object, name, *lib.i4, space, numbers);
	if (space >= 0)
		lib.h5->H5Sclose(space);
}

/* ---- tensors ------------------------------------------------------------------------------ */

/* Numbers between commas; *rank: how many there are, at most 4. */
static void read_dims(const char *text, mls_hsize dims[4], int *rank)
{
	*rank = 0;
	while (*rank < 4 && *text >= '0' && *text <= '9') {
		char *end;

		dims[(*rank)++] = strtoul(text, &end, 10) & 0xffff;
		text = end + (*end == ',');
	}
}

static mls_hid type_of(const char *name)
{
	mls_hid type;

	if (strcmp(name, "f8") == 0)
		return lib.h5->H5Tcopy(*lib.f8);
	if (strcmp(name, "F4") == 0)
		return lib.h5->H5Tcopy(*lib.f4_other);
	if (strcmp(name, "i4") == 0)
		return lib.h5->H5Tcopy(*lib.i4);
	if (strcmp(name, "s") == 0)
		return lib.h5->H5Tcopy(lib.h5->string);
	type = lib.h5->H5Tcopy(lib.h5->file_float);
	if (strcmp(name, "f2") == 0 &&
	    (lib.set_fields(type, 15, 10, 5, 0, 10) < 0 || lib.h5->H5Tset_size(type, 2) < 0 ||
	     lib.set_ebias(type, 15) < 0)) {
		lib.h5->H5Tclose(type);
		return -1;
	}
	return type;
}

static void set_layout(mls_hid plist, const char *text, int rank)
{
	mls_hsize chunk[4];
	int chunk_rank;

	if (text[0] == 'c')
		lib.set_layout(plist, MLS_H5D_COMPACT);
	for (; text[0] == 's' || text[0] == 'z' || text[0] == 'x'; text++) {
		if (text[0] == 's')
			lib.set_shuffle(plist);
		else if (text[0] == 'z')
			lib.set_deflate(plist, 1);
		else
			lib.set_fletcher32(plist);
	}
	if (text[0] != 'k')
		return;
	read_dims(text + 1, chunk, &chunk_rank);
	if (chunk_rank == rank)
		lib.set_chunk(plist, rank, chunk);
}

/* The same over and over, to the last. */
static float *numbers_of(const char *text, size_t n)
{
	float *numbers = calloc(n + 1, sizeof(*numbers));
	size_t some = 0;

	must(numbers);
	while (some < n) {
		char *end;
		float number = strtof(text, &end);

		if (end == text)
			break;
		numbers[some++] = number;
		text = end;
	}
	for (size_t i = some; some && i < n; i++)
		numbers[i] = numbers[i - some];
	return numbers;
}

static void put_tensor(struct h5_image *image, char **fields)
{
	mls_hsize dims[4], n = 1;
	mls_hid space, plist, type, id;
	float *numbers;
	int rank;

	read_dims(fields[2], dims, &rank);
	for (int i = 0; i < rank; i++)
		n = n > MOST_NUMBERS ? n : n * dims[i];
	if (n > MOST_NUMBERS || image->n_numbers + n > MOST_IN_ALL)
		return;
	image->n_numbers += n;
	type = type_of(fields[1]);
	space = rank ? lib.h5->H5Screate_simple(rank, dims, NULL) :
		       lib.h5->H5Screate(MLS_H5S_SCALAR);
	plist = lib.h5->H5Pcreate(lib.h5->dataset_create);
	if (type < 0 || space < 0 || plist < 0)
		goto out;
	set_layout(plist, fields[3], rank);
	id = lib.h5->H5Dcreate2(image->file, fields[0], type, space, MLS_H5_DEFAULT, plist,
				MLS_H5_DEFAULT);
	if (id < 0)
		goto out;
	numbers = numbers_of(fields[4], n);
	/* Not of strings, which keep what nobody wrote. */
	if (fields[1][0] != 's')
		lib.h5->H5Dwrite(id, lib.h5->native_float, 0, 0, MLS_H5_DEFAULT, numbers);
	free(numbers);
	lib.h5->H5Oclose(id);
out:
	if (plist >= 0)
		lib.h5->H5Pclose(plist);
	if (space >= 0)
		lib.h5->H5Sclose(space);
	if (type >= 0)
		lib.h5->H5Tclose(type);
}

/* ---- lines ---------------------------------------------------------------------------------- */

static void put_group(struct h5_image *image, const char *path)
{
	mls_hid group = lib.h5->H5Gcreate2(image->file, path, MLS_H5_DEFAULT, MLS_H5_DEFAULT,
					   MLS_H5_DEFAULT);

	if (group >= 0)
		lib.h5->H5Oclose(group);
}

void h5_image_line(struct h5_image *image, char **fields, size_t n)
{
	char what = n && fields[0][0] && !fields[0][1] ? fields[0][0] : ' ';

	fields++;
	n -= n > 0;
	if (what == 'g' && n == 1)
		put_group(image, fields[0]);
	else if (what == 'a' && n == 3)
		put_strings(image, fields[0], fields[1], 0, fields + 2, 1, false);
	else if (what == 'f' && n == 4)
		put_strings(image, fields[0], fields[1], size_of(fields[2]), fields + 3, 1, false);
	else if (what == 'l' && n >= 3)
		put_strings(image, fields[0], fields[1], size_of(fields[2]), fields + 3,
			    at_most(n - 3), true);
	else if (what == 'v' && n >= 2)
		put_strings(image, fields[0], fields[1], 0, fields + 2, at_most(n - 2), true);
	else if (what == 'n' && n == 3)
		put_integers(image, fields[0], fields[1], (size_t)atoi(fields[2]));
	else if (what == 't' && n == 5)
		put_tensor(image, fields);
	else if (what == 's' && n == 2)
		lib.link_soft(fields[1], image->file, fields[0], MLS_H5_DEFAULT, MLS_H5_DEFAULT);
	else if (what == 'h' && n == 2)
		lib.link_hard(image->file, fields[1], image->file, fields[0], MLS_H5_DEFAULT,
			      MLS_H5_DEFAULT);
	else if (what == 'x' && n == 3)
		lib.link_external(fields[1], fields[2], image->file, fields[0], MLS_H5_DEFAULT,
				  MLS_H5_DEFAULT);
}
