// SPDX-License-Identifier: GPL-2.0
/*
 * Models that are sent, see sent.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "src/formats/lower.h"
#include "src/formats/onnx.h"
#include "src/host/sent.h"
#include "src/util/error.h"
#include "src/util/memory_file.h"

/* With the words around it. */
#define NAME_SIZE 600

int mls_sent_make(const struct mlsched_model *model, const char *path, struct mlsched_error *err,
		  int *fd)
{
	struct mls_arena arena = MLS_ARENA_INIT(MLS_ONNX_WRITE_MEMORY);
	struct mls_blob blob = { .path = path };
	int ret = mls_onnx_pack(model, &arena, err, &blob);

	if (!ret && blob.size > MLS_SENT_MAX)
		ret = mls_error(err, -EFBIG,
				"%s: expected a model of at most %zu bytes to be sent to the "
				"scheduler, found %zu",
				path, MLS_SENT_MAX, blob.size);
	if (!ret) {
		*fd = mls_memory_file("mlsched-model", MFD_NOEXEC_SEAL, blob.data, blob.size);
		if (*fd < 0)
			ret = mls_error(err, -errno, "%s: no file in memory to send it in: %s",
					path, strerror(errno));
	}
	mls_arena_free(&arena);
	return ret;
}

int mls_sent_check(int fd, struct mlsched_error *err)
{
	const int wanted = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK;
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	if (seals < 0)
		return mls_error(err, -EINVAL,
				 "the model that was sent: expected a file in memory, found a "
				 "descriptor of something else");
	if ((seals & wanted) != wanted)
		return mls_error(err, -EINVAL,
				 "the model that was sent: expected a file in memory with the "
				 "seals %#x, found one with %#x, which can still be changed",
				 (unsigned int)wanted, (unsigned int)seals);
	if (fstat(fd, &st) != 0)
		return mls_error(err, -errno, "the model that was sent: %s", strerror(errno));
	if (st.st_size < 1 || (size_t)st.st_size > MLS_SENT_MAX)
		return mls_error(err, -EFBIG,
				 "the model that was sent: expected 1 to %zu bytes, found %lld",
				 MLS_SENT_MAX, (long long)st.st_size);
	return 0;
}

int mls_sent_read(int fd, const char *path, struct mlsched_error *err, struct mlsched_model **model)
{
	char name[NAME_SIZE];

	snprintf(name, sizeof(name), "%s, as it was sent", path);
	return mls_lower_load_open(fd, name, MLS_SENT_MAX, "ONNX", mls_onnx_read, err, model);
}
