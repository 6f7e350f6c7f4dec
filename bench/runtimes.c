// SPDX-License-Identifier: GPL-2.0
/*
 * The table of runtimes, and what is the same for all of them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/runtime.h"
#include "src/util/error.h"
#include "src/util/temporary.h"

const struct bench_runtime_type *const bench_runtimes[BENCH_RUNTIMES] = {
	&bench_openblas, &bench_tensorflow, &bench_onnxruntime,
	&bench_litert,   &bench_pytorch,    &bench_torchscript,
};

int bench_directory_make(char *path, size_t size, struct mlsched_error *err)
{
	int ret = mls_temporary_make("mlsched-bench", path, size);

	return ret ? mls_error(err, ret, "cannot make %s: %s", path, strerror(-ret)) : 0;
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
		mls_temporary_remove(saved->directory);
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
