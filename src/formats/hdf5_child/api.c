// SPDX-License-Identifier: GPL-2.0
/* Finding libhdf5: under the names that the distributions give it. */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "src/formats/hdf5_child/api.h"
#include "src/util/array.h"
#include "src/util/error.h"

/* Debian and Ubuntu build several side by side and call the plain one "serial". */
static const char *const names[] = {
	"libhdf5_serial.so.103", "libhdf5_serial.so.310", "libhdf5_serial.so.320",
	"libhdf5.so.103",        "libhdf5.so.200",        "libhdf5.so.310",
	"libhdf5.so.320",        "libhdf5_serial.so",     "libhdf5.so",
};

#define NEEDS "%s HDF5 needs libhdf5 1.10 or later (Debian: apt install libhdf5-103-1)"

static void *address_of(void *handle, const char *name, const char **missing)
{
	void *address = dlsym(handle, name);

	if (!address && !*missing)
		*missing = name;
	return address;
}

/* Returns what is missing, or NULL. */
static const char *look_up(struct mls_h5_api *api)
{
	static const struct {
		const char *name;
		size_t offset;
	} ids[] = {
		{ "H5P_CLS_FILE_ACCESS_ID_g", offsetof(struct mls_h5_api, file_access) },
		{ "H5P_CLS_DATASET_CREATE_ID_g", offsetof(struct mls_h5_api, dataset_create) },
		{ "H5T_NATIVE_FLOAT_g", offsetof(struct mls_h5_api, native_float) },
		{ "H5T_IEEE_F32LE_g", offsetof(struct mls_h5_api, file_float) },
		{ "H5T_C_S1_g", offsetof(struct mls_h5_api, string) },
	};
	const char *missing = NULL;

/* A pointer to data made one to a function: POSIX demands that this works. */
#define LOOK_UP(name, result, parameters)                                 \
	do {                                                              \
		void *address = address_of(api->handle, #name, &missing); \
		memcpy(&api->name, &address, sizeof(address));            \
	} while (0);
	MLS_H5_FUNCTIONS(LOOK_UP)
#undef LOOK_UP
	if (missing)
		return missing;
	*(void **)&api->link_info = dlsym(api->handle, "H5Lget_info");
	if (!api->link_info)
		*(void **)&api->link_info = address_of(api->handle, "H5Lget_info1", &missing);
	*(void **)&api->uncompress = dlsym(api->handle, "uncompress");
	if (missing || api->H5open() < 0)
		return missing ? missing : "a start without an error";
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		const mls_hid *id = address_of(api->handle, ids[i].name, &missing);

		*(mls_hid *)(void *)((char *)api + ids[i].offset) = id ? *id : -1;
	}
	return missing;
}

int mls_h5_api_get(const char *path, bool writes, struct mlsched_error *err,
		   const struct mls_h5_api **api)
{
	const char *verb = writes ? "write" : "read", *gerund = writes ? "writing" : "reading";
	static struct mls_h5_api found;
	static bool is_there;
	unsigned int major = 0, minor = 0, release = 0;
	const char *missing;

	*api = &found;
	if (is_there)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(names) && !found.handle; i++)
		found.handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
	if (!found.handle)
		return mls_error(err, -ENOTSUP, "Cannot %s model: %s: " NEEDS ": %s", verb, path,
				 gerund, dlerror());
	missing = look_up(&found);
	if (!missing)
		found.H5get_libversion(&major, &minor, &release);
	is_there = !missing && (major > 1 || minor >= 10);
	if (is_there)
		return 0;
	dlclose(found.handle);
	found.handle = NULL;
	if (missing)
		return mls_error(err, -ENOTSUP,
				 "Cannot %s model: %s: " NEEDS ", found one that lacks %s", verb,
				 path, gerund, missing);
	return mls_error(err, -ENOTSUP, "Cannot %s model: %s: " NEEDS ", found %u.%u.%u", verb,
			 path, gerund, major, minor, release);
}
