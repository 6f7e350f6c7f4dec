// SPDX-License-Identifier: GPL-2.0
/*
 * The table of runtimes, and what is the same for all of them.
 */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/runtime.h"
#include "src/util/error.h"

const struct bench_runtime_type *const bench_runtimes[BENCH_RUNTIMES] = {
	&bench_openblas, &bench_tensorflow, &bench_onnxruntime,
	&bench_litert,   &bench_pytorch,    &bench_torchscript,
};

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path);
}

int bench_directory_make(char *path, size_t size, struct mlsched_error *err)
{
	const char *top = getenv("TMPDIR");

	snprintf(path, size, "%.200s/mlsched-bench-XXXXXX", top ? top : "/tmp");
	if (!mkdtemp(path))
		return mls_error(err, -errno, "cannot make %s: %s", path, strerror(errno));
	return 0;
}

void bench_directory_remove(const char *path)
{
	nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

int bench_runtime_save(const struct bench_runtime_type *type, const struct mlsched_model *model,
		       struct bench_saved *saved, struct mlsched_error *err)
{
	int ret;

	memset(saved, 0, sizeof(*saved));
	if (!type->save)
		return 0;
	ret = bench_directory_make(saved->directory, sizeof(saved->directory), err);
	if (ret)
		return ret;
	ret = type->save(model, saved->directory, saved->path, sizeof(saved->path), err);
	if (ret)
		bench_runtime_unsave(saved);
	return ret;
}

void bench_runtime_unsave(const struct bench_saved *saved)
{
	if (saved->directory[0])
		bench_directory_remove(saved->directory);
}

int bench_runtime_open(const struct bench_runtime_type *type, const struct mlsched_model *model,
		       const char *from, struct mlsched_error *err, struct bench_runtime **runtime)
{
	struct bench_saved saved;
	int ret = bench_runtime_save(type, model, &saved, err);

	if (ret)
		return ret;
	ret = type->open(type, model, saved.path, from, err, runtime);
	bench_runtime_unsave(&saved);
	return ret;
}
