// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lib/files.h"

uint8_t *test_read_whole(const char *path, size_t *size)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data;

	if (!file)
		return NULL;
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	*size = (size_t)ftell(file);
	rewind(file);
	data = malloc(*size ? *size : 1);
	assert_non_null(data);
	assert_int_equal(fread(data, 1, *size, file), *size);
	fclose(file);
	return data;
}

size_t test_count_entries(const char *directory)
{
	DIR *dir = opendir(directory);
	size_t n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	/* Itself, and the one above. */
	return n - 2;
}

void test_corpus(const char *directory, int (*one)(const uint8_t *data, size_t size))
{
	DIR *dir = opendir(directory);
	struct dirent *entry;
	int n = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		char path[512];
		uint8_t *data;
		size_t size;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		data = test_read_whole(path, &size);
		assert_non_null(data);
		assert_int_equal(one(data, size), 0);
		free(data);
		n++;
	}
	closedir(dir);
	assert_true(n > 50);
}
