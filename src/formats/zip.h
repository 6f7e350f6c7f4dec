/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reading members of a zip archive that nobody vouches for, and making one, through
 * libzip.
 *
 * The archive is in memory, nothing is ever unpacked to a file system, and a member
 * grows to no more than is allowed beforehand.
 */
#ifndef MLS_FORMATS_ZIP_H
#define MLS_FORMATS_ZIP_H

#include "src/formats/files.h"

struct mls_zip;

/** mls_zip_detect() - does a file begin like this? */
bool mls_zip_detect(const uint8_t *head, size_t n);

/**
 * mls_zip_open() - look through the archive
 * @file:  its content stays as it is until mls_zip_close()
 * @arena: for what is read; its limit bounds it
 *
 * Return: 0; -EINVAL; -ENOTSUP, also when there is no libzip; -ENOMEM.
 */
int mls_zip_open(const struct mls_blob *file, struct mls_arena *arena, struct mlsched_error *err,
		 struct mls_zip **zip);
void mls_zip_close(struct mls_zip *zip);

/** mls_zip_ahead() - look libzip up now, for who will not be able to; what is missing is said when it is needed */
void mls_zip_ahead(void);

/**
 * mls_zip_read() - a member, whole and with its checksum compared
 * @max: largest size that makes sense
 *
 * Return: 0; -ENOENT with no message written; -EINVAL; -EBADMSG; -EFBIG; -ENOTSUP;
 * -ENOMEM.
 */
int mls_zip_read(struct mls_zip *zip, const char *name, size_t max, struct mls_blob *blob);

/**
 * mls_zip_make() - an archive in memory, of members that are stored as they are
 * @path:    of the archive, for messages
 * @members: [n], their paths within it
 * @arena:   receives the content
 *
 * No times are written: the same members are the same archive.
 * Return: 0; -ENOTSUP when there is no libzip; -EINVAL; -ENOMEM.
 */
int mls_zip_make(const char *path, const struct mls_blob *members, size_t n,
		 struct mls_arena *arena, struct mlsched_error *err, struct mls_blob *content);

#endif /* MLS_FORMATS_ZIP_H */
