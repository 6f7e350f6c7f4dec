// SPDX-License-Identifier: GPL-2.0
/*
 * Describes Keras models as fuzz_keras.c reads it: its seeds.
 *
 *	describe_keras OUTPUT_DIRECTORY FILE...
 *
 * Each FILE is called after the directory that it is in.  Of a tensor the first few
 * numbers go along.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/formats/hdf5.h"
#include "src/formats/zip.h"

#define MOST ((size_t)64 << 20)
/* Numbers of a tensor. */
#define SOME 3

static struct mls_arena arena = MLS_ARENA_INIT(MOST);
static struct mlsched_error err;

static int fail(void)
{
	fprintf(stderr, "describe_keras: %s\n", err.message);
	return 1;
}

/* As one field of one line. */
static void put(FILE *to, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fputc(text[i] == '\n' || text[i] == '\t' ? ' ' : text[i], to);
}

static int describe_texts(FILE *to, struct mls_h5 *h5, const char *object, bool is_root)
{
	static const struct {
		const char *name;
		bool is_list;
	} attributes[] = {
		{ "model_config", false }, { "keras_version", false }, { "backend", false },
		{ "mlsched", false },      { "layer_names", true },    { "weight_names", true },
	};

	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
		struct mls_h5_names texts;
		size_t size = 1;

		if (!is_root && !attributes[i].is_list)
			continue;
		if (mls_h5_texts(h5, object, attributes[i].name, &texts) != 0)
			return -1;
		for (uint32_t t = 0; t < texts.n; t++)
			size = strlen(texts.names[t]) > size ? strlen(texts.names[t]) : size;
		if (!texts.n)
			continue;
		fprintf(to, "%s\t%s\t%s", attributes[i].is_list ? "l" : "a", object,
			attributes[i].name);
		if (attributes[i].is_list)
			fprintf(to, "\t%zu", size);
		for (uint32_t t = 0; t < texts.n; t++) {
			fputc('\t', to);
			put(to, texts.names[t], strlen(texts.names[t]));
		}
		fputc('\n', to);
	}
	return 0;
}

static int describe_tensor(FILE *to, struct mls_h5 *h5, const char *path)
{
	struct mls_h5_tensor t;

	/* Integers, such as the count of a normalization, are none that is read. */
	if (mls_h5_tensor(h5, path, &t) != 0) {
		fprintf(to, "t\t%s\ti4\t1\to\t1\n", path);
		return 0;
	}
	fprintf(to, "t\t%s\tf4\t", path);
	for (uint32_t i = 0; i < t.rank; i++)
		fprintf(to, "%s%u", i ? "," : "", t.dims[i]);
	fprintf(to, "\to\t");
	for (uint32_t i = 0; i < t.n && i < SOME; i++)
		fprintf(to, "%s%.4g", i ? " " : "", (double)t.numbers[i]);
	fputc('\n', to);
	return 0;
}

static int describe_group(FILE *to, struct mls_h5 *h5, const char *group, int depth)
{
	struct mls_h5_names names;

	if (depth > MLS_H5_MAX_DEPTH || mls_h5_list(h5, group, &names) != 0)
		return -1;
	for (uint32_t i = 0; i < names.n; i++) {
		const char *path = mls_arena_printf(&arena, "%s%s%s", group, group[0] ? "/" : "",
						    names.names[i]);
		enum mls_h5_kind kind;

		/* Links of other kinds are left to whoever adds them. */
		if (!path || mls_h5_look(h5, path, &kind) != 0)
			continue;
		if (kind == MLS_H5_TENSOR && describe_tensor(to, h5, path) != 0)
			return -1;
		if (kind != MLS_H5_GROUP)
			continue;
		fprintf(to, "g\t%s\n", path);
		if (describe_texts(to, h5, path, false) != 0 ||
		    describe_group(to, h5, path, depth + 1) != 0)
			return -1;
	}
	return 0;
}

static int describe_h5(FILE *to, const struct mls_blob *file)
{
	struct mls_h5 *h5;
	int ret;

	if (mls_h5_open(file, &arena, &err, &h5) != 0)
		return -1;
	ret = describe_texts(to, h5, "", true);
	if (!ret)
		ret = describe_group(to, h5, "", 0);
	mls_h5_close(h5);
	return ret;
}

static int describe_archive(FILE *to, const struct mls_blob *file)
{
	static const char *const members[] = {
		"metadata.json",          "config.json",
		"assets/mlsched.json",    "model.weights.json",
		"model.weights.h5",       "model_00000.weights.h5",
		"model_00001.weights.h5", "model_00002.weights.h5",
	};
	struct mls_zip *zip;
	int ret = 0;

	if (mls_zip_open(file, &arena, &err, &zip) != 0)
		return -1;
	for (size_t i = 0; !ret && i < sizeof(members) / sizeof(members[0]); i++) {
		bool is_h5 = strstr(members[i], ".h5") != NULL;
		struct mls_blob blob;

		ret = mls_zip_read(zip, members[i], MOST, &blob);
		if (ret) {
			ret = ret == -ENOENT ? 0 : ret;
			continue;
		}
		fprintf(to, "%s\t%s", is_h5 ? "w" : "m", members[i]);
		if (!is_h5) {
			fputc('\t', to);
			put(to, (const char *)blob.data, blob.size);
		}
		fputc('\n', to);
		if (is_h5)
			ret = describe_h5(to, &blob);
	}
	mls_zip_close(zip);
	return ret;
}

/* The name of the directory, without those above it. */
static int name_of(const char *path, char *name, size_t size)
{
	const char *end = strrchr(path, '/'), *begin = end;

	while (begin > path && begin[-1] != '/')
		begin--;
	return end && snprintf(name, size, "%.*s", (int)(end - begin), begin) < (int)size ? 0 : -1;
}

static int describe(const char *directory, const char *path)
{
	char name[128], output[512];
	struct mls_blob file;
	bool is_archive;
	FILE *to;
	int ret;

	arena.limit = MOST;
	arena.format = "Keras";
	if (name_of(path, name, sizeof(name)) != 0 ||
	    mls_file_slurp_path(path, MOST, 5, &arena, &err, &file) != 0)
		return -1;
	snprintf(output, sizeof(output), "%s/%s", directory, name);
	to = fopen(output, "w");
	if (!to) {
		snprintf(err.message, sizeof(err.message), "%s: %s", output, strerror(errno));
		return -1;
	}
	is_archive = mls_zip_detect(file.data, file.size);
	fprintf(to, "%s\n", is_archive ? "keras" : "h5");
	ret = is_archive ? describe_archive(to, &file) : describe_h5(to, &file);
	fclose(to);
	if (ret)
		remove(output);
	mls_arena_free(&arena);
	return ret;
}

int main(int argc, char **argv)
{
	int n = 0;

	for (int i = 2; i < argc; i++) {
		/* Damaged ones are for fuzz_hdf5.c. */
		if (describe(argv[1], argv[i]) != 0)
			fprintf(stderr, "describe_keras: left out: %s\n", err.message);
		else
			n++;
	}
	return n ? 0 : fail();
}
