// SPDX-License-Identifier: GPL-2.0
/*
 * Labelled rows as CSV: what is read, and the exact message for each file that
 * is not.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/data/csv.h"
#include "src/data/synthetic.h"

#define HEADER "cpu,cpu_idle,cpu_not_idle,src_dom_load,dst_dom_load,migrate\n"

static int read_bytes(const char *text, size_t size, struct mls_dataset *data,
		      struct mls_csv_report *report, struct mlsched_error *err)
{
	FILE *stream = fmemopen((void *)text, size, "r");
	int ret;

	assert_non_null(stream);
	*data = (struct mls_dataset){ 0 };
	ret = mls_csv_read(stream, "rows.csv", mlsched_schema_find("seed10"), "migrate", data,
			   report, err);
	fclose(stream);
	return ret;
}

static void accept(const char *text, struct mls_dataset *data, struct mls_csv_report *report)
{
	struct mlsched_error err;

	if (read_bytes(text, strlen(text), data, report, &err) != 0)
		fail_msg("%s", err.message);
}

static void refuse(const char *text, const char *expected)
{
	struct mls_dataset data;
	struct mlsched_error err;

	assert_int_equal(read_bytes(text, strlen(text), &data, NULL, &err), -EINVAL);
	assert_string_equal(err.message, expected);
	assert_null(data.inputs);
	assert_int_equal(read_bytes(text, strlen(text), &data, NULL, NULL), -EINVAL);
}

static void columns_are_found_by_name(void **state)
{
	struct mls_csv_report report;
	struct mls_dataset data;

	(void)state;
	accept("migrate,comm,dst_dom_load,src_dom_load,pid,cpu_not_idle,cpu_idle,cpu\n"
	       "1,make,0.25,0.75,17,2,6,3\n",
	       &data, &report);
	assert_int_equal(data.n_rows, 1);
	assert_int_equal(data.n_inputs, 10);
	assert_true(data.inputs[0] == 3 && data.inputs[1] == 6 && data.inputs[2] == 2);
	assert_true(data.inputs[3] == 0.75f && data.inputs[4] == 0.25f && data.inputs[9] == 0);
	assert_true(data.labels[0] == 1);
	assert_int_equal(report.n_columns, 8);
	assert_int_equal(report.n_ignored, 2);
	assert_string_equal(report.ignored, "comm, pid");
	assert_int_equal(report.n_zero, 5);
	mls_dataset_clear(&data);
}

static void quotes_line_ends_and_blanks_are_read(void **state)
{
	struct mls_dataset data;

	(void)state;
	accept("\xef\xbb\xbf\"cpu\",cpu_idle,cpu_not_idle,src_dom_load,dst_dom_load,"
	       "\"a \"\"note\"\", with\ntwo lines\",migrate\r\n"
	       "\"1\", 2 ,3,.5,5e-1,\"x,y\r\nz\",0\r\n"
	       "\n"
	       "1,2,3,+0.5,-0,,\"1\"",
	       &data, NULL);
	assert_int_equal(data.n_rows, 2);
	assert_true(data.inputs[1] == 2 && data.inputs[3] == 0.5f && data.inputs[4] == 0.5f);
	assert_true(data.inputs[13] == 0.5f && data.inputs[14] == 0);
	assert_true(data.labels[0] == 0 && data.labels[1] == 1);
	mls_dataset_clear(&data);
}

static void headers_that_do_not_fit_are_refused(void **state)
{
	(void)state;
	refuse("cpu,cpu_idle,src_dom_load,dst_dom_load,migrate\n1,2,3,4,1\n",
	       "rows.csv:1: no column \"cpu_not_idle\", which schema seed10 needs");
	refuse("cpu,cpu_idle,cpu_not_idle,src_dom_load,dst_dom_load\n1,2,3,4,5\n",
	       "rows.csv:1: no column \"migrate\" for the label");
	refuse("cpu,cpu_idle,cpu,src_dom_load,dst_dom_load,migrate\n",
	       "rows.csv:1:3: column \"cpu\" is there twice");
	refuse(HEADER, "rows.csv: no rows behind the header");
	refuse("\n", "rows.csv:1: no column \"cpu\", which schema seed10 needs");
}

static void an_empty_file_is_refused(void **state)
{
	FILE *stream = fopen("/dev/null", "re");
	struct mls_dataset data = { 0 };
	struct mlsched_error err;

	(void)state;
	assert_non_null(stream);
	assert_int_equal(mls_csv_read(stream, "rows.csv", mlsched_schema_find("seed10"), "migrate",
				      &data, NULL, &err),
			 -EINVAL);
	assert_string_equal(err.message,
			    "rows.csv: empty: expected a header with the columns' names");
	fclose(stream);
}

static void numbers_that_are_none_are_refused(void **state)
{
	(void)state;
	refuse(HEADER "1,2,3,0.5,0.5,1\n1,2,3,0.5,high,1\n",
	       "rows.csv:3:5: column \"dst_dom_load\": expected a finite number, got \"high\"");
	refuse(HEADER "1,2,3,nan,0.5,1\n",
	       "rows.csv:2:4: column \"src_dom_load\": expected a finite number, got \"nan\"");
	refuse(HEADER "1,2,3,-inf,0.5,1\n",
	       "rows.csv:2:4: column \"src_dom_load\": expected a finite number, got \"-inf\"");
	refuse(HEADER "1,2,3,1e60,0.5,1\n",
	       "rows.csv:2:4: column \"src_dom_load\": expected a finite number, got \"1e60\"");
	refuse(HEADER "0x10,2,3,1,0.5,1\n",
	       "rows.csv:2:1: column \"cpu\": expected a finite number, got \"0x10\"");
	refuse(HEADER "1,,3,1,0.5,1\n",
	       "rows.csv:2:2: column \"cpu_idle\": expected a finite number, got \"\"");
	refuse(HEADER "1,2 3,3,1,0.5,1\n",
	       "rows.csv:2:2: column \"cpu_idle\": expected a finite number, got \"2 3\"");
	refuse(HEADER "1,2,3,1,0.5,2\n",
	       "rows.csv:2:6: column \"migrate\": expected 0 or 1, got \"2\"");
	refuse(HEADER "1,2,3,1,0.5,yes\n",
	       "rows.csv:2:6: column \"migrate\": expected a finite number, got \"yes\"");
}

static void rows_that_do_not_fit_the_header_are_refused(void **state)
{
	(void)state;
	refuse(HEADER "1,2,3,0.5,0.5,1\n\n1,2,3,0.5\n",
	       "rows.csv:4:4: expected 6 fields as in the header, got 4");
	refuse(HEADER "1,2,3,0.5,0.5,1,7\n",
	       "rows.csv:2:7: expected 6 fields as in the header, got more");
}

static void broken_quotes_are_refused(void **state)
{
	(void)state;
	refuse(HEADER "1,2,\"3\n,0.5,0.5,1\n", "rows.csv:2:3: a quoted field that does not end");
	refuse(HEADER "1,2,\"3\"4,0.5,0.5,1\n",
	       "rows.csv:2:3: expected a comma after the closing quote, got \"4\"");
	refuse(HEADER "1,2,3\r4,0.5,0.5,1\n", "rows.csv:2:3: a carriage return within a row");
}

static void binary_files_are_refused(void **state)
{
	static const char bytes[] = HEADER "1,2\0,3,4,5,1\n";
	static const char quoted[] = HEADER "1,2,3,0.5,0.5,\"1\"\0\n1,2,3,0.5,0.5,1\n";
	struct mls_dataset data;
	struct mlsched_error err;
	char *longest;

	(void)state;
	assert_int_equal(read_bytes(bytes, sizeof(bytes) - 1, &data, NULL, &err), -EINVAL);
	assert_string_equal(err.message, "rows.csv:2:2: a zero byte: this is not a CSV file");
	/* Behind a closing quote it must not pass for the end of the file. */
	assert_int_equal(read_bytes(quoted, sizeof(quoted) - 1, &data, NULL, &err), -EINVAL);
	assert_string_equal(err.message, "rows.csv:2:6: a zero byte: this is not a CSV file");
	longest = malloc(10000);
	assert_non_null(longest);
	memset(longest, 'x', 9999);
	longest[9999] = '\0';
	refuse(longest, "rows.csv:1:1: a field of more than 4095 bytes");
	free(longest);
}

static void what_is_written_is_read_back_bit_for_bit(void **state)
{
	struct mls_dataset written = { 0 }, read = { 0 };
	FILE *stream = tmpfile();

	(void)state;
	assert_non_null(stream);
	assert_int_equal(mls_synthetic_seed10(3000, 8, &written, NULL), 0);
	assert_int_equal(mls_csv_write(stream, "t", &written, "answer", NULL), 0);
	rewind(stream);
	assert_int_equal(mls_csv_read(stream, "t", written.schema, "answer", &read, NULL, NULL), 0);
	assert_int_equal(mls_dataset_checksum(&read), mls_dataset_checksum(&written));
	fclose(stream);
	mls_dataset_clear(&written);
	mls_dataset_clear(&read);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_found_by_name),
		cmocka_unit_test(quotes_line_ends_and_blanks_are_read),
		cmocka_unit_test(headers_that_do_not_fit_are_refused),
		cmocka_unit_test(an_empty_file_is_refused),
		cmocka_unit_test(numbers_that_are_none_are_refused),
		cmocka_unit_test(rows_that_do_not_fit_the_header_are_refused),
		cmocka_unit_test(broken_quotes_are_refused),
		cmocka_unit_test(binary_files_are_refused),
		cmocka_unit_test(what_is_written_is_read_back_bit_for_bit),
	};

	return cmocka_run_group_tests_name("csv", tests, NULL, NULL);
}
