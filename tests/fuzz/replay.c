// SPDX-License-Identifier: GPL-2.0
/*
 * The main() of a fuzz target without libFuzzer: gives it what is kept of earlier runs.
 *
 *	fuzz_NAME [FILE...]     without files those of tests/fuzz/corpus/NAME
 *
 * Prints TAP.  Whatever a target finds wrong ends the process; the last line then names
 * the input.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A corpus of fewer files has not been kept, or not been found. */
#define FEWEST 8

static int replay(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data;
	long size;

	if (!file || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0) {
		printf("# %s: cannot be read\n", path);
		return -1;
	}
	rewind(file);
	/* Of just this size, so that the sanitizers see a byte too much. */
	data = malloc(size ? (size_t)size : 1);
	if (!data || fread(data, 1, (size_t)size, file) != (size_t)size) {
		printf("# %s: cannot be read\n", path);
		return -1;
	}
	fclose(file);
	printf("# %s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(data, (size_t)size);
	free(data);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static size_t find(const char *directory, char ***files)
{
	struct dirent *entry;
	DIR *dir = opendir(directory);
	size_t n = 0;

	*files = NULL;
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		*files = realloc(*files, (n + 1) * sizeof(**files));
		if (!*files || asprintf(&(*files)[n++], "%s/%s", directory, entry->d_name) < 0)
			abort();
	}
	if (dir)
		closedir(dir);
	if (n)
		qsort(*files, n, sizeof(**files), by_name);
	return n;
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	const char *name = strstr(slash ? slash : argv[0], "fuzz_");
	char directory[256], **files = argv + 1;
	size_t n = (size_t)argc - 1;
	int bad = 0;

	name = name ? name + strlen("fuzz_") : "";
	snprintf(directory, sizeof(directory), "tests/fuzz/corpus/%s", name);
	if (argc == 1)
		n = find(directory, &files);
	for (size_t i = 0; i < n; i++)
		bad |= replay(files[i]);
	if (argc == 1 && n < FEWEST) {
		printf("# %s: expected at least %d files, found %zu\n", directory, FEWEST, n);
		bad = 1;
	}
	for (size_t i = 0; argc == 1 && i < n; i++)
		free(files[i]);
	if (argc == 1)
		free(files);
	printf("1..1\n%s 1 - %s_does_no_harm_with_%zu_kept_inputs\n", bad ? "not ok" : "ok", name,
	       n);
	return bad != 0;
}
