/* SPDX-License-Identifier: GPL-2.0 */
/*
 * HDF5 files out of words: a valid file whatever the words are, as a fuzzer wants it.
 *
 * A line is one object, its fields stand between tabs; what cannot be made is left out.
 *
 *	g PATH                        a group
 *	a OBJECT NAME TEXT            an attribute, a string of any length
 *	f OBJECT NAME SIZE TEXT       a string of SIZE bytes
 *	l OBJECT NAME SIZE TEXT...    a list of such strings
 *	v OBJECT NAME TEXT...         a list of strings of any length
 *	n OBJECT NAME COUNT           a list of so many integers
 *	t PATH TYPE DIMS LAYOUT NUMBERS   a tensor: TYPE f4, f8, f2, F4 (the other byte order),
 *	                              i4 or s; DIMS such as 10,8; LAYOUT c (compact), o (in
 *	                              one piece), or k4,8 (chunks) with the filters s, z, x in
 *	                              front; NUMBERS are repeated to the end
 *	s PATH TARGET                 a link by name
 *	h PATH TARGET                 another link to an object
 *	x PATH FILE TARGET            a link to another file
 */
#ifndef MLS_TESTS_FUZZ_HDF5_IMAGE_H
#define MLS_TESTS_FUZZ_HDF5_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct h5_image;

/** h5_image_begin() - an empty file in memory; @latest: as libhdf5 1.10 writes it, else as 1.6 */
struct h5_image *h5_image_begin(bool latest);

/** h5_image_line() - one object; @fields: [n], which must not be kept */
void h5_image_line(struct h5_image *image, char **fields, size_t n);

/**
 * h5_image_end() - the file's content
 *
 * Return: to be freed.
 */
uint8_t *h5_image_end(struct h5_image *image, size_t *size);

#endif
