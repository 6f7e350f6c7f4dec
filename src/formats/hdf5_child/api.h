/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The few functions of libhdf5 that we use, looked up at run time.
 *
 * Nothing of ours links with it: Debian's brings 37 libraries along (curl, OpenSSL,
 * Kerberos), which have no business in a scheduler that never sees a Keras file, nor
 * in the memory image of a virtual machine.  Their types are the same from 1.10 on.
 */
#ifndef MLS_FORMATS_HDF5_CHILD_API_H
#define MLS_FORMATS_HDF5_CHILD_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <mlsched/error.h>

typedef int64_t mls_hid;
typedef unsigned long long mls_hsize;

/* Constants of its headers that we hand over or compare with. */
enum {
	MLS_H5_READ_ONLY = 0,
	MLS_H5_DEFAULT = 0, /* property list, error stack */
	MLS_H5_BY_NAME = 0,
	MLS_H5_INCREASING = 0,
	MLS_H5_MOST_SPECIFIC_FIRST = 0,
	MLS_H5I_GROUP = 2,
	MLS_H5I_DATASET = 5,
	MLS_H5T_FLOAT = 1,
	MLS_H5T_STRING = 3,
	MLS_H5L_HARD = 0,
	MLS_H5L_SOFT = 1,
	MLS_H5L_EXTERNAL = 64,
	MLS_H5D_COMPACT = 0,
	MLS_H5D_CONTIGUOUS = 1,
	MLS_H5D_CHUNKED = 2,
	MLS_H5D_VIRTUAL = 3,
	MLS_H5Z_DEFLATE = 1,
	MLS_H5Z_SHUFFLE = 2,
	MLS_H5F_TRUNCATE = 2,
	MLS_H5S_SCALAR = 0,
	MLS_H5T_NULL_PADDED = 1,
	MLS_H5T_UTF8 = 1,
};

/* Of a string: as long as it is. */
#define MLS_H5T_VARIABLE ((size_t)-1)

/* H5L_info_t: only its first member is the same in all versions. */
union mls_h5l_info {
	int type;
	uint8_t room[256];
};

/* H5E_error2_t */
struct mls_h5e_error {
	mls_hid class_id, major, minor;
	unsigned int line;
	const char *function, *file, *text;
};

/* H5FD_file_image_callbacks_t */
struct mls_h5fd_image {
	void *(*allocate)(size_t size, int op, void *data);
	void *(*copy)(void *to, const void *from, size_t size, int op, void *data);
	void *(*reallocate)(void *block, size_t size, int op, void *data);
	int (*release)(void *block, int op, void *data);
	void *(*copy_data)(void *data);
	int (*release_data)(void *data);
	void *data;
};

/* name, result, parameters */
#define MLS_H5_FUNCTIONS(F)                                                                        \
	F(H5open, int, (void))                                                                     \
	F(H5get_libversion, int, (unsigned *, unsigned *, unsigned *))                             \
	F(H5Eset_auto2, int, (mls_hid, void *function, void *data))                                \
	F(H5Ewalk2, int,                                                                           \
	  (mls_hid, int direction, int (*)(unsigned, const struct mls_h5e_error *, void *),        \
	   void *data))                                                                            \
	F(H5PLset_loading_state, int, (unsigned))                                                  \
	F(H5Pcreate, mls_hid, (mls_hid class_id))                                                  \
	F(H5Pset_fapl_core, int, (mls_hid, size_t increment, bool keep))                           \
	F(H5Pset_file_image_callbacks, int, (mls_hid, struct mls_h5fd_image *))                    \
	F(H5Pset_file_image, int, (mls_hid, void *, size_t))                                       \
	F(H5Pget_layout, int, (mls_hid))                                                           \
	F(H5Pget_chunk, int, (mls_hid, int n, mls_hsize *))                                        \
	F(H5Pget_external_count, int, (mls_hid))                                                   \
	F(H5Pget_nfilters, int, (mls_hid))                                                         \
	F(H5Pget_filter2, int,                                                                     \
	  (mls_hid, unsigned index, unsigned *flags, size_t *n, unsigned *values, size_t size,     \
	   char *name, unsigned *config))                                                          \
	F(H5Pclose, int, (mls_hid))                                                                \
	F(H5Fopen, mls_hid, (const char *, unsigned flags, mls_hid access))                        \
	F(H5Fclose, int, (mls_hid))                                                                \
	F(H5Oopen, mls_hid, (mls_hid, const char *, mls_hid access))                               \
	F(H5Oclose, int, (mls_hid))                                                                \
	F(H5Iget_type, int, (mls_hid))                                                             \
	F(H5Lexists, int, (mls_hid, const char *, mls_hid access))                                 \
	F(H5Lget_name_by_idx, ssize_t,                                                             \
	  (mls_hid, const char *group, int index, int order, mls_hsize n, char *, size_t,          \
	   mls_hid access))                                                                        \
	F(H5Aexists, int, (mls_hid, const char *))                                                 \
	F(H5Aopen, mls_hid, (mls_hid, const char *, mls_hid access))                               \
	F(H5Aget_type, mls_hid, (mls_hid))                                                         \
	F(H5Aget_space, mls_hid, (mls_hid))                                                        \
	F(H5Aread, int, (mls_hid, mls_hid type, void *))                                           \
	F(H5Aclose, int, (mls_hid))                                                                \
	F(H5Tget_class, int, (mls_hid))                                                            \
	F(H5Tget_size, size_t, (mls_hid))                                                          \
	F(H5Tis_variable_str, int, (mls_hid))                                                      \
	F(H5Tconvert, int, (mls_hid from, mls_hid to, size_t n, void *, void *, mls_hid))          \
	F(H5Tclose, int, (mls_hid))                                                                \
	F(H5Sget_simple_extent_ndims, int, (mls_hid))                                              \
	F(H5Sget_simple_extent_dims, int, (mls_hid, mls_hsize *, mls_hsize * most))                \
	F(H5Sget_simple_extent_npoints, long long, (mls_hid))                                      \
	F(H5Sclose, int, (mls_hid))                                                                \
	F(H5Dget_type, mls_hid, (mls_hid))                                                         \
	F(H5Dget_space, mls_hid, (mls_hid))                                                        \
	F(H5Dget_create_plist, mls_hid, (mls_hid))                                                 \
	F(H5Dread, int, (mls_hid, mls_hid type, mls_hid to, mls_hid from, mls_hid, void *))        \
	F(H5Dget_chunk_storage_size, int, (mls_hid, const mls_hsize *offset, mls_hsize *))         \
	F(H5Dread_chunk, int,                                                                      \
	  (mls_hid, mls_hid, const mls_hsize *offset, uint32_t *filters, void *))                  \
	F(H5Dvlen_reclaim, int, (mls_hid type, mls_hid space, mls_hid, void *))                    \
	F(H5Fcreate, mls_hid, (const char *, unsigned flags, mls_hid, mls_hid access))             \
	F(H5Fflush, int, (mls_hid, int scope))                                                     \
	F(H5Fget_file_image, ssize_t, (mls_hid, void *, size_t))                                   \
	F(H5Gcreate2, mls_hid, (mls_hid, const char *, mls_hid, mls_hid, mls_hid))                 \
	F(H5Lcreate_hard, int, (mls_hid, const char *, mls_hid, const char *, mls_hid, mls_hid))   \
	F(H5Tcopy, mls_hid, (mls_hid))                                                             \
	F(H5Tset_size, int, (mls_hid, size_t))                                                     \
	F(H5Tset_cset, int, (mls_hid, int))                                                        \
	F(H5Tset_strpad, int, (mls_hid, int))                                                      \
	F(H5Screate, mls_hid, (int class_id))                                                      \
	F(H5Screate_simple, mls_hid, (int rank, const mls_hsize *, const mls_hsize *most))         \
	F(H5Acreate2, mls_hid,                                                                     \
	  (mls_hid, const char *, mls_hid type, mls_hid space, mls_hid, mls_hid access))           \
	F(H5Awrite, int, (mls_hid, mls_hid type, const void *))                                    \
	F(H5Dcreate2, mls_hid,                                                                     \
	  (mls_hid, const char *, mls_hid type, mls_hid space, mls_hid, mls_hid plist,             \
	   mls_hid access))                                                                        \
	F(H5Dwrite, int, (mls_hid, mls_hid type, mls_hid to, mls_hid from, mls_hid, const void *)) \
	F(H5Pset_obj_track_times, int, (mls_hid, bool))

/**
 * struct mls_h5_api - the library
 * @link_info:   H5Lget_info(), later called H5Lget_info1()
 * @uncompress:  zlib's, which libhdf5 brings along; NULL when it was built without
 * @file_access: the class of property lists for opening a file
 * @dataset_create: that for making data sets
 * @native_float, @file_float: the type of a C float, of one as files have it
 * @string: the type of a string in C
 */
struct mls_h5_api {
	void *handle;
#define MLS_H5_DECLARE(name, result, parameters) result(*name) parameters;
	MLS_H5_FUNCTIONS(MLS_H5_DECLARE)
#undef MLS_H5_DECLARE
	int (*link_info)(mls_hid, const char *, union mls_h5l_info *, mls_hid access);
	int (*uncompress)(uint8_t *to, unsigned long *n, const uint8_t *from, unsigned long size);
	mls_hid file_access;
	mls_hid dataset_create;
	mls_hid native_float, file_float;
	mls_hid string;
};

/**
 * mls_h5_api_get() - find the library, look its functions up
 * @path:   of the file that is to be read or written, for messages
 * @writes: which of the two
 *
 * Once found it stays loaded.
 * Return: 0; -ENOTSUP with what to install.
 */
int mls_h5_api_get(const char *path, bool writes, struct mlsched_error *err,
		   const struct mls_h5_api **api);

#endif /* MLS_FORMATS_HDF5_CHILD_API_H */
