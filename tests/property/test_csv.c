// SPDX-License-Identifier: GPL-2.0
/*
 * Damaged CSV files: each is read with finite numbers only or refused with a
 * message that names the file; none does anything else.
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
#include <time.h>

#include <cmocka.h>

#include "src/data/csv.h"
#include "src/util/random.h"

#define N_FILES 30000

static const char good[] = "cpu,cpu_idle,cpu_not_idle,note,src_dom_load,dst_dom_load,migrate\r\n"
			   "0,1,2,\"a, \"\"b\"\"\",0.5,1e-3,1\r\n"
			   "63,64,0,,+1.,.25,0\n"
			   "\n"
			   "1, 2 ,3,\"two\nlines\",0,0,1";

/* What is likely to confuse a reader. */
static const char *const pieces[] = { "\"", ",",   "\n",   "\r", "\r\n", "nan",  "inf", "1e999",
				      "-",  "0x1", "\"\"", " ",  "cpu",  "\xff", "e",   "1.5.2" };

static size_t damage(struct mls_random *random, char *text, size_t size)
{
	for (uint32_t n = 1 + mls_random_below(random, 4); n > 0; n--) {
		size_t at = mls_random_below(random, (uint32_t)size + 1), length;
		const char *piece;

		switch (mls_random_below(random, 4)) {
		case 0: /* take some bytes out */
			length = mls_random_below(random, 8);
			length = length < size - at ? length : size - at;
			memmove(text + at, text + at + length, size - at - length);
			size -= length;
			break;
		case 1: /* end early */
			size = at;
			break;
		case 2: /* any byte, zero too */
			if (at < size)
				text[at] = (char)mls_random_next(random);
			break;
		default:
			piece = pieces[mls_random_below(random, sizeof(pieces) / sizeof(pieces[0]))];
			length = strlen(piece);
			memmove(text + at + length, text + at, size - at);
			memcpy(text + at, piece, length);
			size += length;
		}
	}
	return size;
}

static int read_one(char *text, size_t size, struct mls_dataset *data, struct mlsched_error *err)
{
	FILE *stream = size ? fmemopen(text, size, "r") : fopen("/dev/null", "re");
	int ret;

	assert_non_null(stream);
	*data = (struct mls_dataset){ 0 };
	ret = mls_csv_read(stream, "x.csv", mlsched_schema_find("seed10"), "migrate", data, NULL,
			   err);
	fclose(stream);
	return ret;
}

static void damaged_files_are_refused_or_read_as_finite_numbers(void **state)
{
	const char *given = getenv("MLSCHED_TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
	uint32_t accepted = 0, refused = 0;
	struct mls_random random;

	(void)state;
	print_message("# MLSCHED_TEST_SEED=%llu\n", (unsigned long long)seed);
	mls_random_seed(&random, seed, 0);
	for (int i = 0; i < N_FILES; i++) {
		char text[sizeof(good) + 64];
		struct mls_dataset data;
		struct mlsched_error err;
		size_t size;

		memcpy(text, good, sizeof(good) - 1);
		size = damage(&random, text, sizeof(good) - 1);
		if (read_one(text, size, &data, &err) != 0) {
			refused++;
			assert_int_equal(strncmp(err.message, "x.csv:", 6), 0);
			assert_null(data.inputs);
			continue;
		}
		accepted++;
		assert_true(data.n_rows >= 1);
		for (uint32_t j = 0; j < data.n_rows * data.n_inputs; j++)
			assert_true(isfinite(data.inputs[j]));
		for (uint32_t r = 0; r < data.n_rows; r++)
			assert_true(data.labels[r] == 0 || data.labels[r] == 1);
		mls_dataset_clear(&data);
	}
	print_message("# %u accepted, %u refused\n", accepted, refused);
	assert_true(accepted > N_FILES / 50 && refused > N_FILES / 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(damaged_files_are_refused_or_read_as_finite_numbers),
	};

	return cmocka_run_group_tests_name("damaged csv", tests, NULL, NULL);
}
