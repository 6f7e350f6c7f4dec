/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Labelled rows as CSV (RFC 4180) with a header: columns are found by name,
 * so their order and what else the file has do not matter.
 */
#ifndef MLS_DATA_CSV_H
#define MLS_DATA_CSV_H

#include <stdio.h>

#include "src/data/dataset.h"

/* Longest field in bytes and largest number of columns that are read. */
#define MLS_CSV_MAX_FIELD   4096
#define MLS_CSV_MAX_COLUMNS 4096

/* What mls_csv_read() found besides the rows, for a note to the person. */
struct mls_csv_report {
	uint32_t n_columns;
	uint32_t n_ignored; /* columns that the schema does not know */
	uint32_t n_zero; /* always-zero inputs of the schema without a column */
	char ignored[256]; /* the first of their names, joined by ", " */
};

/**
 * mls_csv_read() - read a stream to its end
 * @stream: read row by row, nothing of it is kept but numbers
 * @name:   of the file, for messages
 * @schema: whose features are the columns to take; one that is always zero
 *          (min and max 0) may be missing
 * @label:  name of the column with 0 or 1
 * @data:   empty; receives the rows, to be freed with mls_dataset_clear()
 * @report: or NULL
 *
 * Return: 0; -EINVAL ("FILE:LINE:FIELD: ..." with fields counted from 1) when
 * a column is missing or there twice, a row is longer or shorter than the
 * header, or a field is no finite number; -EIO; -ENOMEM.
 */
int mls_csv_read(FILE *stream, const char *name, const struct mlsched_schema *schema,
		 const char *label, struct mls_dataset *data, struct mls_csv_report *report,
		 struct mlsched_error *err);

/**
 * mls_csv_write() - write rows that mls_csv_read() reads back bit for bit
 * @label: name of the last column
 *
 * Return: 0 or -errno of the stream.
 */
int mls_csv_write(FILE *stream, const char *name, const struct mls_dataset *data, const char *label,
		  struct mlsched_error *err);

#endif /* MLS_DATA_CSV_H */
