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
	refuse("cpu;cpu_idle;migrate\n1;0;1\n",
	       "rows.csv:1: expected columns separated by commas, found semicolons");
	refuse("cpu\tcpu_idle\tmigrate\n1\t0\t1\n",
	       "rows.csv:1: expected columns separated by commas, found tabs");
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

/* ---- streams that come in pieces ---------------------------------------------------------- */

/*
 * A stream of @size bytes: at most @most of them at a time; before each piece a
 * signal, if @interrupted; behind @good of them no more, by @error or (0) as if
 * it had been cut.
 */
struct source {
	const char *text;
	size_t size, most, good, at;
	bool interrupted, next_is_whole;
	int error;
	int n_reads;
};

static ssize_t take_piece(void *cookie, char *to, size_t size)
{
	struct source *s = cookie;
	size_t n = s->good - s->at;

	s->n_reads++;
	s->next_is_whole = !s->next_is_whole;
	if (s->interrupted && s->next_is_whole) {
		errno = EINTR;
		return -1;
	}
	if (n == 0 && s->error) {
		errno = s->error;
		return -1;
	}
	n = n < size ? n : size;
	n = n < s->most ? n : s->most;
	memcpy(to, s->text + s->at, n);
	s->at += n;
	return (ssize_t)n;
}

static int read_source(struct source *s, struct mls_dataset *data, struct mlsched_error *err)
{
	FILE *stream = fopencookie(s, "r", (cookie_io_functions_t){ .read = take_piece });
	int ret;

	assert_non_null(stream);
	*data = (struct mls_dataset){ 0 };
	*err = (struct mlsched_error){ 0 };
	ret = mls_csv_read(stream, "rows.csv", mlsched_schema_find("seed10"), "migrate", data, NULL,
			   err);
	fclose(stream);
	return ret;
}

static const char quoted_rows[] =
	"\xef\xbb\xbf\"cpu\",cpu_idle,cpu_not_idle,src_dom_load,dst_dom_load,note,migrate\r\n"
	"1,2,3,0.5,0.25,\"a \"\"b\"\",\nc\",0\r\n"
	"4,5,6,0.75,0.125,,\"1\"\n";

static void rows_are_the_same_when_reads_come_in_pieces_or_are_interrupted(void **state)
{
	static const size_t pieces[] = { 1, 2, 7, 4096 };
	const size_t size = strlen(quoted_rows);
	struct mls_dataset whole;
	uint64_t checksum;

	(void)state;
	accept(quoted_rows, &whole, NULL);
	assert_int_equal(whole.n_rows, 2);
	checksum = mls_dataset_checksum(&whole);
	mls_dataset_clear(&whole);
	for (size_t i = 0; i < 8; i++) {
		struct source s = {
			.text = quoted_rows,
			.size = size,
			.good = size,
			.most = pieces[i / 2],
			.interrupted = i % 2 != 0,
		};
		struct mls_dataset data;
		struct mlsched_error err;

		if (read_source(&s, &data, &err) != 0)
			fail_msg("%zu bytes at a time: %s", s.most, err.message);
		assert_int_equal(data.n_rows, 2);
		assert_int_equal(mls_dataset_checksum(&data), checksum);
		assert_true(s.n_reads > 2 || (!s.interrupted && s.most == 4096));
		mls_dataset_clear(&data);
	}
}

/* Wherever it is, also within quotation marks and within the mark of UTF-8. */
static void stream_that_breaks_anywhere_is_an_error_and_no_data(void **state)
{
	const size_t size = strlen(quoted_rows);

	(void)state;
	for (size_t good = 0; good <= size; good++) {
		struct source s = {
			.text = quoted_rows, .size = size, .good = good, .most = 5, .error = EIO
		};
		struct mls_dataset data;
		struct mlsched_error err;

		assert_int_equal(read_source(&s, &data, &err), -EIO);
		assert_string_equal(err.message, "rows.csv: Input/output error");
		assert_null(data.inputs);
	}
}

/* A file has no length in it: what is cut between two rows is a file of fewer rows. */
static void file_that_is_cut_anywhere_is_refused_or_has_the_rows_before(void **state)
{
	const size_t size = strlen(quoted_rows);
	struct mls_dataset whole;
	int n_one = 0, n_two = 0;

	(void)state;
	accept(quoted_rows, &whole, NULL);
	for (size_t good = 0; good <= size; good++) {
		struct source s = { .text = quoted_rows, .size = size, .good = good, .most = 64 };
		struct mls_dataset data;
		struct mlsched_error err;

		if (read_source(&s, &data, &err) != 0) {
			assert_int_equal(err.code, -EINVAL);
			assert_int_equal(strncmp(err.message, "rows.csv:", 9), 0);
			assert_null(data.inputs);
			continue;
		}
		n_one += data.n_rows == 1;
		n_two += data.n_rows == 2;
		assert_memory_equal(data.inputs, whole.inputs,
				    data.n_rows * data.n_inputs * sizeof(float));
		assert_memory_equal(data.labels, whole.labels, data.n_rows * sizeof(float));
		mls_dataset_clear(&data);
	}
	/* Behind the label, its line end of two bytes; the other one is quoted. */
	assert_int_equal(n_one, 3);
	assert_int_equal(n_two, 2);
	mls_dataset_clear(&whole);
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
		cmocka_unit_test(rows_are_the_same_when_reads_come_in_pieces_or_are_interrupted),
		cmocka_unit_test(stream_that_breaks_anywhere_is_an_error_and_no_data),
		cmocka_unit_test(file_that_is_cut_anywhere_is_refused_or_has_the_rows_before),
		cmocka_unit_test(what_is_written_is_read_back_bit_for_bit),
	};

	return cmocka_run_group_tests_name("csv", tests, NULL, NULL);
}
