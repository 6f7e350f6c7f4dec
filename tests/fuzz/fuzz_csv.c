// SPDX-License-Identifier: GPL-2.0
/*
 * Feeds anything to the reader of CSV.  The first byte chooses the schema, the rest is
 * the file.  What is read is written and read again: the same bits.
 */
#include <errno.h>

#include "src/data/csv.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_text(const void *text, size_t size, const struct mlsched_schema *schema,
		     struct mls_dataset *rows, struct mls_csv_report *report,
		     struct mlsched_error *err)
{
	/* A stream of no bytes glibc does not open. */
	FILE *stream = size ? fmemopen((void *)(uintptr_t)text, size, "r") :
			      fopen("/dev/null", "r");
	int ret;

	must(stream);
	ret = mls_csv_read(stream, "fuzz", schema, "migrate", rows, report, err);
	fclose(stream);
	return ret;
}

static void check_rows(const struct mls_dataset *rows)
{
	must(rows->n_rows > 0);
	for (size_t i = 0; i < (size_t)rows->n_rows * rows->n_inputs; i++)
		must(isfinite(rows->inputs[i]));
	for (uint32_t i = 0; i < rows->n_rows; i++)
		must(rows->labels[i] == 0 || rows->labels[i] == 1);
}

static void write_and_read(const struct mls_dataset *rows)
{
	struct mls_dataset again = { 0 };
	struct mlsched_error err = { 0 };
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);

	must(stream);
	must(mls_csv_write(stream, "fuzz", rows, "migrate", &err) == 0);
	fclose(stream);
	must(read_text(text, size, rows->schema, &again, NULL, &err) == 0);
	must(mls_dataset_checksum(&again) == mls_dataset_checksum(rows));
	mls_dataset_clear(&again);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct mlsched_schema *schema;
	struct mls_csv_report report;
	struct mls_dataset rows = { 0 };
	struct mlsched_error err = { 0 };
	int ret;

	if (!size)
		return 0;
	schema = mlsched_schema_at(data[0] % 4);
	schema = schema ? schema : mlsched_schema_at(0);
	ret = read_text(data + 1, size - 1, schema, &rows, &report, &err);
	if (ret) {
		check_message(ret, &err);
		must(ret == -EINVAL);
		return 0;
	}
	must(report.n_columns >= 2 && report.n_ignored < report.n_columns);
	check_rows(&rows);
	write_and_read(&rows);
	mls_dataset_clear(&rows);
	return 0;
}
