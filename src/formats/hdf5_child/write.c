// SPDX-License-Identifier: GPL-2.0
/*
 * Making an HDF5 file in memory, as h5py makes it for Keras: attributes that are single
 * strings have any length, lists of strings are padded, tensors are float32 in one piece.
 * No times are written: the same model is the same file.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/formats/hdf5_child/write.h"
#include "src/util/error.h"

static const struct mls_h5_api *api;
static const char *file_path;
static struct mlsched_error *error;
static mls_hid file = -1;

static int take_text(unsigned int n, const struct mls_h5e_error *e, void *to)
{
	if (n == 0 && e->text)
		snprintf(to, 128, "%s", e->text);
	return 0;
}

static int failed(const char *place)
{
	char text[128] = "no reason";

	api->H5Ewalk2(MLS_H5_DEFAULT, MLS_H5_MOST_SPECIFIC_FIRST, take_text, text);
	return mls_error(error, -EINVAL,
			 "Cannot write model: %s: %s: expected libhdf5 to take it, found that it "
			 "says: %s",
			 file_path, place, text);
}

int mls_h5_write_begin(const struct mls_h5_api *library, const char *path,
		       struct mlsched_error *err)
{
	mls_hid access;

	api = library;
	file_path = path;
	error = err;
	api->H5Eset_auto2(MLS_H5_DEFAULT, NULL, NULL);
	api->H5PLset_loading_state(0);
	access = api->H5Pcreate(api->file_access);
	/* Nothing is kept in a file when it is closed. */
	if (access >= 0 && api->H5Pset_fapl_core(access, 64 << 10, false) >= 0)
		file = api->H5Fcreate("mlsched", MLS_H5F_TRUNCATE, MLS_H5_DEFAULT, access);
	return file < 0 ? failed("a new file") : 0;
}

int mls_h5_write_group(const char *path)
{
	mls_hid group = api->H5Gcreate2(file, path, MLS_H5_DEFAULT, MLS_H5_DEFAULT, MLS_H5_DEFAULT);

	return group < 0 || api->H5Oclose(group) < 0 ? failed(path) : 0;
}

int mls_h5_write_link(const char *path, const char *to)
{
	return api->H5Lcreate_hard(file, to, file, path, MLS_H5_DEFAULT, MLS_H5_DEFAULT) < 0 ?
		       failed(path) :
		       0;
}

/* Takes @type and @space over. */
static int write_attribute(const char *object, const char *name, mls_hid type, mls_hid space,
			   const void *value)
{
	mls_hid at = api->H5Oopen(file, object[0] ? object : "/", MLS_H5_DEFAULT), id = -1;
	int ret = 0;

	if (at >= 0 && type >= 0 && space >= 0)
		id = api->H5Acreate2(at, name, type, space, MLS_H5_DEFAULT, MLS_H5_DEFAULT);
	if (id < 0 || (value && api->H5Awrite(id, type, value) < 0))
		ret = failed(name);
	if (id >= 0)
		api->H5Aclose(id);
	if (space >= 0)
		api->H5Sclose(space);
	if (type >= 0)
		api->H5Tclose(type);
	if (at >= 0)
		api->H5Oclose(at);
	return ret;
}

int mls_h5_write_text(const char *object, const char *name, const char *text)
{
	mls_hid type = api->H5Tcopy(api->string);

	if (type < 0 || api->H5Tset_size(type, MLS_H5T_VARIABLE) < 0 ||
	    api->H5Tset_cset(type, MLS_H5T_UTF8) < 0)
		return failed(name);
	return write_attribute(object, name, type, api->H5Screate(MLS_H5S_SCALAR), &text);
}

int mls_h5_write_texts(const char *object, const char *name, const char *const *texts, uint32_t n)
{
	mls_hid type = api->H5Tcopy(api->string);
	const mls_hsize dims[1] = { n };
	size_t size = 1;
	char *all;
	int ret;

	for (uint32_t i = 0; i < n; i++)
		size = strlen(texts[i]) > size ? strlen(texts[i]) : size;
	all = calloc(n ? n : 1, size);
	if (!all)
		return mls_error(error, -ENOMEM, "Cannot write model: %s: no memory", file_path);
	for (uint32_t i = 0; i < n; i++)
		memcpy(all + i * size, texts[i], strlen(texts[i]));
	ret = type < 0 || api->H5Tset_size(type, size) < 0 ||
			      api->H5Tset_strpad(type, MLS_H5T_NULL_PADDED) < 0 ?
		      failed(name) :
		      write_attribute(object, name, type, api->H5Screate_simple(1, dims, NULL),
				      n ? all : NULL);
	free(all);
	return ret;
}

int mls_h5_write_tensor(const char *path, uint32_t rank, const uint32_t dims[2],
			const float *numbers)
{
	const mls_hsize extent[2] = { dims[0], dims[1] };
	mls_hid space, plist = api->H5Pcreate(api->dataset_create), id = -1;
	int ret = 0;

	space = rank ? api->H5Screate_simple((int)rank, extent, NULL) :
		       api->H5Screate(MLS_H5S_SCALAR);
	if (space >= 0 && plist >= 0 && api->H5Pset_obj_track_times(plist, false) >= 0)
		id = api->H5Dcreate2(file, path, api->file_float, space, MLS_H5_DEFAULT, plist,
				     MLS_H5_DEFAULT);
	if (id < 0 || api->H5Dwrite(id, api->native_float, 0, 0, MLS_H5_DEFAULT, numbers) < 0)
		ret = failed(path);
	if (id >= 0)
		api->H5Oclose(id);
	if (plist >= 0)
		api->H5Pclose(plist);
	if (space >= 0)
		api->H5Sclose(space);
	return ret;
}

int mls_h5_write_content(void **bytes, size_t *size)
{
	ssize_t n = api->H5Fflush(file, 0) < 0 ? -1 : api->H5Fget_file_image(file, NULL, 0);

	if (n <= 0)
		return failed("its content");
	*bytes = malloc((size_t)n);
	if (!*bytes)
		return mls_error(error, -ENOMEM, "Cannot write model: %s: no memory", file_path);
	if (api->H5Fget_file_image(file, *bytes, (size_t)n) != n)
		return failed("its content");
	*size = (size_t)n;
	return 0;
}
