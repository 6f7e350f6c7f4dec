// SPDX-License-Identifier: GPL-2.0
/*
 * Failures on purpose, one after the other: the n-th allocation, then the
 * n-th system call of loading and of saving a model fails, for every n.
 * Nothing crashes, nothing leaks, the error says what it was, and on the disk
 * is the old model or the new one.  Reads and writes that come in pieces, or that
 * signals interrupt, change nothing, and a file that ends earlier than it said
 * is an error.
 *
 * The linker puts the __wrap_ functions below in front of the real ones
 * (tests/tests.mk); jansson, a shared library, is given ours as allocator.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include <mlsched/mlsched.h>

#include "src/formats/format.h"
#include "src/formats/onnx.h"
#include "src/formats/outline.h"
#include "src/host/sent.h"
#include "src/util/json_text.h"
#include "tests/lib/counting.h"
#include "tests/lib/files.h"
#include "tests/lib/tflite.h"

#define MODELS "tests/golden/savedmodel/models/"

static long calls_left = -1;
static long open_files;

/* A system call that fails with EIO when its turn has come. */
#define WRAP(type, name, parameters, arguments) \
	type __real_##name parameters;          \
	type __wrap_##name parameters;          \
	type __wrap_##name parameters           \
	{                                       \
		if (fails(&calls_left)) {       \
			errno = EIO;            \
			return (type) - 1;      \
		}                               \
		return __real_##name arguments; \
	}

WRAP(int, stat, (const char *path, struct stat *st), (path, st))
WRAP(int, fstat, (int fd, struct stat *st), (fd, st))
WRAP(int, fsync, (int fd), (fd))
WRAP(int, flock, (int fd, int how), (fd, how))
WRAP(int, poll, (struct pollfd * fds, nfds_t n, int timeout), (fds, n, timeout))

/*
 * How bytes come and go: at most so many at a time, every second call
 * interrupted by a signal, and from one read of a file, or of a socket, on
 * nothing any more (counted down; -1: never).
 */
static struct {
	size_t most;
	bool interrupted;
	long n, n_short;
	long file_ends, socket_ends;
} transfers = { .most = SIZE_MAX, .file_ends = -1, .socket_ends = -1 };

static void transfer_all_at_once(void)
{
	transfers.most = SIZE_MAX;
	transfers.interrupted = false;
	transfers.file_ends = transfers.socket_ends = -1;
}

/* True when the call is to fail, with errno; otherwise with how much it is to transfer. */
static bool is_interrupted(size_t *size)
{
	if (fails(&calls_left)) {
		errno = EIO;
		return true;
	}
	if (transfers.interrupted && transfers.n++ % 2 == 0) {
		errno = EINTR;
		return true;
	}
	transfers.n_short += *size > transfers.most;
	*size = *size < transfers.most ? *size : transfers.most;
	return false;
}

/* Once at its end, it stays there. */
static bool ended(long *left)
{
	if (*left > 0)
		(*left)--;
	else if (*left == 0)
		return true;
	return false;
}

static long never = -1;

#define WRAP_TRANSFER(name, parameters, arguments, left) \
	ssize_t __real_##name parameters;                \
	ssize_t __wrap_##name parameters;                \
	ssize_t __wrap_##name parameters                 \
	{                                                \
		if (is_interrupted(&size))               \
			return -1;                       \
		if (ended(left))                         \
			return 0;                        \
		return __real_##name arguments;          \
	}

WRAP_TRANSFER(pread, (int fd, void *to, size_t size, off_t offset), (fd, to, size, offset),
	      &transfers.file_ends)
WRAP_TRANSFER(recv, (int fd, void *to, size_t size, int flags), (fd, to, size, flags),
	      &transfers.socket_ends)
WRAP_TRANSFER(send, (int fd, const void *from, size_t size, int flags), (fd, from, size, flags),
	      &never)
WRAP_TRANSFER(write, (int fd, const void *from, size_t size), (fd, from, size), &never)
WRAP(int, renameat, (int a, const char *from, int b, const char *to), (a, from, b, to))

static bool fail_mkdir;

int __real_mkdirat(int dir, const char *name, mode_t mode);
int __wrap_mkdirat(int dir, const char *name, mode_t mode);
int __wrap_mkdirat(int dir, const char *name, mode_t mode)
{
	errno = EIO;
	return fails(&calls_left) || fail_mkdir ? -1 : __real_mkdirat(dir, name, mode);
}

/* A file system that cannot exchange says EINVAL to any flag. */
static bool no_exchange;

int __real_renameat2(int a, const char *from, int b, const char *to, unsigned int flags);
int __wrap_renameat2(int a, const char *from, int b, const char *to, unsigned int flags);
int __wrap_renameat2(int a, const char *from, int b, const char *to, unsigned int flags)
{
	errno = no_exchange ? EINVAL : EIO;
	return fails(&calls_left) || no_exchange ? -1 : __real_renameat2(a, from, b, to, flags);
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __real_openat(int dir, const char *path, int flags, ...);
int __wrap_openat(int dir, const char *path, int flags, ...);
int __real_close(int fd);
int __wrap_close(int fd);
DIR *__real_fdopendir(int fd);
DIR *__wrap_fdopendir(int fd);
int __real_closedir(DIR *dir);
int __wrap_closedir(DIR *dir);

int __wrap_open(const char *path, int flags, ...)
{
	int fd;

	errno = EIO;
	fd = fails(&calls_left) ? -1 : __real_open(path, flags, 0666);
	open_files += fd >= 0;
	return fd;
}

/* What is opened below a directory, when anybody wants to know. */
static void (*opened)(const char *path);

int __wrap_openat(int dir, const char *path, int flags, ...)
{
	int fd;

	if (opened)
		opened(path);
	errno = EIO;
	fd = fails(&calls_left) ? -1 : __real_openat(dir, path, flags, 0666);
	open_files += fd >= 0;
	return fd;
}

/* A failing close() has closed. */
int __wrap_close(int fd)
{
	bool fail = fails(&calls_left);
	int ret = __real_close(fd);

	open_files--;
	errno = fail ? EIO : errno;
	return fail ? -1 : ret;
}

/* The process in which libhdf5 reads: its socket, its files, its start. */
int __real_memfd_create(const char *name, unsigned int flags);
int __wrap_memfd_create(const char *name, unsigned int flags);
int __wrap_memfd_create(const char *name, unsigned int flags)
{
	int fd;

	errno = EIO;
	fd = fails(&calls_left) ? -1 : __real_memfd_create(name, flags);
	open_files += fd >= 0;
	return fd;
}

int __real_socketpair(int domain, int type, int protocol, int sockets[2]);
int __wrap_socketpair(int domain, int type, int protocol, int sockets[2]);
int __wrap_socketpair(int domain, int type, int protocol, int sockets[2])
{
	int ret;

	errno = EIO;
	ret = fails(&calls_left) ? -1 : __real_socketpair(domain, type, protocol, sockets);
	open_files += ret == 0 ? 2 : 0;
	return ret;
}

int __real_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *files,
		       const posix_spawnattr_t *attributes, char *const argv[], char *const env[]);
int __wrap_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *files,
		       const posix_spawnattr_t *attributes, char *const argv[], char *const env[]);
int __wrap_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *files,
		       const posix_spawnattr_t *attributes, char *const argv[], char *const env[])
{
	return fails(&calls_left) ? EIO :
				    __real_posix_spawn(pid, path, files, attributes, argv, env);
}

DIR *__wrap_fdopendir(int fd)
{
	errno = EIO;
	return fails(&calls_left) ? NULL : __real_fdopendir(fd);
}

int __wrap_closedir(DIR *dir)
{
	open_files--;
	return __real_closedir(dir);
}

static void *jansson_malloc(size_t size)
{
	return malloc(size);
}

static void jansson_free(void *block)
{
	free(block);
}

/* ---- loading --------------------------------------------------------------------------- */

static char scratch[64], hand_made[80];
static char target[128];
static char onnx_target[128], keras_target[128], dense_file[128], everything_file[128];

static struct mlsched_model *old_model, *new_model;

static uint32_t checksum_at(const char *path)
{
	struct mlsched_model *model;
	struct mlsched_error err;
	uint32_t checksum;

	if (mlsched_model_load(path, &err, &model) != 0)
		fail_msg("%s", err.message);
	checksum = mlsched_model_checksum(model);
	mlsched_model_free(model);
	return checksum;
}

/* Fails the n-th of what @left counts while loading; false when there was no n-th. */
static bool fail_load(const char *path, uint32_t checksum, long *left, long n, int code)
{
	struct mlsched_model *untouched = (struct mlsched_model *)scratch, *model = untouched;
	long blocks = live_blocks, files = open_files;
	struct mlsched_error err = { 0 };
	bool reached;
	int ret;

	*left = n;
	ret = mlsched_model_load(path, &err, &model);
	reached = *left < 0;
	*left = -1;
	if (ret == 0) {
		/* A failure that was got over: the model is complete all the same. */
		assert_ptr_not_equal(model, untouched);
		assert_int_equal(mlsched_model_checksum(model), checksum);
		assert_int_equal(!mlsched_model_meta(model)->provenance,
				 path != target && path != onnx_target);
		mlsched_model_free(model);
	} else {
		assert_int_equal(err.code, ret);
		assert_ptr_equal(model, untouched);
		if (ret != code)
			fail_msg("failure %ld: expected %d, found %d: %s", n, code, ret,
				 err.message);
	}
	assert_int_equal(live_blocks, blocks);
	assert_int_equal(open_files, files);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	return reached;
}

/*
 * Questions to the process that has libhdf5 are many, and much like one another: behind the
 * fiftieth every 31st.  With MLSCHED_EVERY_FAILURE=1 in the environment all, which takes minutes.
 */
static long step(long n)
{
	return n < 50 || getenv("MLSCHED_EVERY_FAILURE") ? 1 : 31;
}

static long fail_every(const char *path, long *left, int code)
{
	uint32_t checksum = checksum_at(path);
	long n = 0;

	while (fail_load(path, checksum, left, n, code))
		n += step(n);
	return n;
}

static const char *const kinds[] = {
	MODELS "hand-frozen-savedmodel/model",
	MODELS "hand-variables-savedmodel/model",
	MODELS "hand-objects-savedmodel/model",
	MODELS "tf221-keras3-15-10-1-savedmodel/model",
	"tests/golden/onnx/models/onnx-torch215/model.onnx",
	"tests/golden/onnx/models/onnx-tf2onnx-norm/model.onnx",
	"tests/golden/tflite/models/tf212-small/model.tflite",
	"tests/golden/tflite/models/tf221-float16/model.tflite",
	dense_file,
	everything_file,
	"tests/golden/keras/models/tf215-keras2-norm-h5/model.h5",
	"tests/golden/keras/models/keras3-nested/model.keras",
	"tests/golden/keras/models/keras3-two-shards/model.keras",
	"tests/golden/keras/models/keras3-legacy-weights/model.weights.h5",
	onnx_target,
	target,
};

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static void every_failing_allocation_of_load_is_reported_and_leaks_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		/* The arena's chunks and the model at least; with a sanitizer every piece. */
		assert_true(fail_every(kinds[i], &allocations_left, -ENOMEM) >= 2);
	}
}

/* What a model tells that is refused; false when there was no n-th failure. */
static bool fail_outline(const char *path, long *left, long n)
{
	long blocks = live_blocks, files = open_files;
	struct mls_outline outline;
	uint32_t n_parts = 0;
	bool reached;

	*left = n;
	mls_model_outline(path, &outline);
	reached = *left < 0;
	*left = -1;
	assert_true(reached || outline.first);
	for (const struct mls_outline_part *p = outline.first; p; p = p->next, n_parts++) {
		assert_non_null(p->name);
		assert_non_null(p->kind);
		assert_non_null(p->detail);
		assert_non_null(p->place);
		assert_non_null(p->group);
		assert_non_null(p->within);
		assert_non_null(p->objection);
	}
	assert_int_equal(n_parts, outline.n_parts);
	mls_outline_free(&outline);
	assert_int_equal(live_blocks, blocks);
	assert_int_equal(open_files, files);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	return reached;
}

static void what_a_refused_model_tells_is_less_when_anything_fails_and_leaks_nothing(void **state)
{
	static const char *const refused[] = {
		"tests/golden/savedmodel/bad/savedmodel-conv/model",
		"tests/golden/onnx/bad/onnx-unknown-op/model.onnx",
		"tests/golden/tflite/bad/tflite-conv/model.tflite",
		"tests/golden/keras/bad/h5-lstm/model.h5",
		"tests/golden/keras/bad/keras3-prelu/model.keras",
		"tests/golden/keras/bad/keras3-weights-activation/model.weights.h5",
	};
	long *const counts[] = { &allocations_left, &calls_left };

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(refused); i++) {
		long n = 0;

		while (fail_outline(refused[i / 2], counts[i % 2], n))
			n += step(n);
		/* Its only chunk may be all that is asked for. */
		assert_true(n >= 1);
	}
}

static void every_failing_system_call_of_load_is_reported_and_leaks_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		assert_true(fail_every(kinds[i], &calls_left, -EIO) >= 8);
	/* What is saved from here on stands alone. */
	assert_int_equal(unlink(onnx_target), 0);
}

static void text_of_json_is_whole_or_none(void **state)
{
	json_t *value = json_object();
	char key[32], *whole;
	long n = 0, n_none = 0;
	bool reached = true;

	(void)state;
	for (int i = 0; i < 40; i++) {
		snprintf(key, sizeof(key), "the key of number %d", i);
		assert_int_equal(json_object_set_new(value, key, json_integer(i)), 0);
	}
	whole = json_dumps(value, JSON_COMPACT);
	assert_non_null(whole);
	for (; reached; n++) {
		long blocks = live_blocks;
		char *text;

		allocations_left = n;
		text = mls_json_dump(value, JSON_COMPACT);
		reached = allocations_left < 0;
		allocations_left = -1;
		assert_true(text || reached);
		if (text)
			assert_string_equal(text, whole);
		n_none += !text;
		free(text);
		assert_int_equal(live_blocks, blocks);
	}
	assert_true(n_none >= 1);
	assert_null(mls_json_dump(NULL, 0));
	free(whole);
	json_decref(value);
}

/* ---- names ----------------------------------------------------------------------------------- */

static uint32_t n_opened;

static void expect_own_file(const char *path)
{
	static const char *const own[] = { "saved_model.pb", "variables/variables.index",
					   "variables/variables.data-00000-of-00001",
					   "assets/mlsched.json" };

	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		if (strcmp(path, own[i]) == 0) {
			n_opened++;
			return;
		}
	}
	fail_msg("%s was opened", path);
}

/* Writes what is at @from with each @name in it replaced by @other, of the same length. */
static uint32_t copy_with_names(const char *from, const char *to, const char *name,
				const char *other)
{
	size_t size, length = strlen(name);
	uint8_t *data = test_read_whole(from, &size);
	uint32_t n = 0;
	FILE *file;

	assert_non_null(data);
	for (size_t at = 0; at + length <= size; at++) {
		if (memcmp(data + at, name, length) == 0) {
			memcpy(data + at, other, length);
			n++;
		}
	}
	file = fopen(to, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
	free(data);
	return n;
}

/* Names of variables, nodes and signatures, and the prefix of the checkpoint, lead elsewhere. */
static void no_name_in_a_savedmodel_is_one_of_a_file(void **state)
{
	static const char from[] = MODELS "tf221-keras3-15-10-1-savedmodel/model";
	static const struct {
		const char *name, *other;
	} names[] = {
		{ "dense", "/etc/" },
		{ "dense", "../.." },
		{ "saver_filename", "../../../../xy" },
		{ "serving_default_", "../../../../etc/" },
		{ ".ATTRIBUTES", "../../../xy" },
	};
	char dir[256], path[512], source[512], command[700];

	(void)state;
	snprintf(dir, sizeof(dir), "%s/names", scratch);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct mlsched_model *model = NULL;
		struct mlsched_error err;

		assert_int_equal(strlen(names[i].name), strlen(names[i].other));
		snprintf(command, sizeof(command), "rm -rf '%s' && cp -r '%s' '%s'", dir, from,
			 dir);
		assert_int_equal(system(command), 0);
		snprintf(source, sizeof(source), "%s/saved_model.pb", from);
		snprintf(path, sizeof(path), "%s/saved_model.pb", dir);
		assert_true(copy_with_names(source, path, names[i].name, names[i].other) > 0);
		n_opened = 0;
		opened = expect_own_file;
		mlsched_model_load(dir, &err, &model);
		opened = NULL;
		mlsched_model_free(model);
		assert_true(n_opened >= 2);
	}
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	assert_int_equal(system(command), 0);
}

/* ---- reads that come short ----------------------------------------------------------------- */

static void load_is_the_same(const char *path, uint32_t checksum)
{
	long blocks = live_blocks, files = open_files;
	struct mlsched_model *model;
	struct mlsched_error err = { 0 };

	if (mlsched_model_load(path, &err, &model) != 0)
		fail_msg("%zu bytes at a time: %s", transfers.most, err.message);
	assert_int_equal(mlsched_model_checksum(model), checksum);
	mlsched_model_free(model);
	assert_int_equal(live_blocks, blocks);
	assert_int_equal(open_files, files);
}

static void model_is_the_same_when_reads_come_in_pieces_or_are_interrupted(void **state)
{
	static const size_t pieces[] = { 1, 13, 4095, SIZE_MAX };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		uint32_t checksum = checksum_at(kinds[i]);

		for (size_t k = 0; k < ARRAY_SIZE(pieces); k++) {
			transfers.n = transfers.n_short = 0;
			transfers.most = pieces[k];
			transfers.interrupted = k % 2 != 0;
			load_is_the_same(kinds[i], checksum);
			/* The calls that are cut are those that read. */
			assert_true(transfers.n_short > 0 || pieces[k] > 13);
			assert_true(transfers.n > 0 || !transfers.interrupted);
			transfer_all_at_once();
		}
	}
}

/* Ends the n-th read; false when there was no n-th. */
static bool end_load(const char *path, uint32_t checksum, long *left, long n, bool *shrank)
{
	struct mlsched_model *untouched = (struct mlsched_model *)scratch, *model = untouched;
	long blocks = live_blocks, files = open_files;
	struct mlsched_error err = { 0 };
	bool reached;
	int ret;

	*left = n;
	ret = mlsched_model_load(path, &err, &model);
	reached = *left == 0;
	transfer_all_at_once();
	if (ret == 0) {
		/* What ended was to end: the file has fewer bytes than are looked at. */
		assert_int_equal(mlsched_model_checksum(model), checksum);
		mlsched_model_free(model);
	} else {
		assert_int_equal(err.code, ret);
		assert_ptr_equal(model, untouched);
		assert_true(ret == -EIO || ret == -EINVAL);
		assert_non_null(strstr(err.message, path));
		*shrank = *shrank || (ret == -EIO && strstr(err.message, "it shrank while it was"));
	}
	assert_int_equal(live_blocks, blocks);
	assert_int_equal(open_files, files);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	return reached;
}

static void file_that_shrinks_while_it_is_read_is_an_error(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		uint32_t checksum = checksum_at(kinds[i]);
		bool shrank = false;

		/* Before a whole piece, and in the middle of one. */
		for (int k = 0; k < 2; k++) {
			for (long n = 0;; n += step(n)) {
				transfers.most = k ? 100 : SIZE_MAX;
				if (!end_load(kinds[i], checksum, &transfers.file_ends, n, &shrank))
					break;
			}
		}
		if (!shrank)
			fail_msg("%s: no file shrank", kinds[i]);
	}
}

/* Of the process that has libhdf5: as if it were gone. */
static void socket_that_ends_in_an_answer_is_an_error(void **state)
{
	int n_socket = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		uint32_t checksum = checksum_at(kinds[i]);
		bool shrank = false;
		long n = 0;

		while (end_load(kinds[i], checksum, &transfers.socket_ends, n, &shrank))
			n += step(n);
		assert_false(shrank);
		n_socket += n > 0;
	}
	/* The .h5, the two .keras that have one inside, and the weights. */
	assert_true(n_socket >= 3);
}

/* Files as large as they get, and meta data that unfolds as far as JSON does. */
static void load_of_onnx_allocates_no_more_than_eight_times_the_file_and_a_mebibyte(void **state)
{
	static float weights[256 * 256];
	char provenance[4000] = "{\"\":[[]";
	struct mlsched_layer layers[MLSCHED_MAX_LAYERS];
	const struct mlsched_meta meta = { .threshold = 0.5f, .provenance = provenance };
	struct mlsched_model_desc desc = {
		.size = sizeof(desc),
		.layers = layers,
		.meta = &meta,
	};
	size_t used = strlen(provenance);

	(void)state;
	for (; used < sizeof(provenance) - 1000; used += 3)
		memcpy(provenance + used, ",[]", 3);
	memcpy(provenance + used, "]}", 3);
	for (uint32_t n = 1; n <= MLSCHED_MAX_LAYERS; n++) {
		struct mlsched_model *model;
		struct stat st;
		size_t before;

		layers[n - 1] = (struct mlsched_layer){ 256, n == 1 ? 1 : 256, MLSCHED_RELU,
							0,   weights,          NULL };
		desc.n_layers = 1;
		desc.layers = &layers[n - 1];
		if (n > 1) {
			desc.layers = &layers[1];
			desc.n_layers = n - 1;
		}
		assert_int_equal(mlsched_model_create(&desc, NULL, &model), 0);
		assert_int_equal(mls_onnx_save(model, onnx_target, 0, NULL), 0);
		mlsched_model_free(model);
		assert_int_equal(stat(onnx_target, &st), 0);
		before = peak_bytes = live_bytes;
		assert_int_equal(mlsched_model_load(onnx_target, NULL, &model), 0);
		mlsched_model_free(model);
		if (peak_bytes - before > 8 * (size_t)st.st_size + ((size_t)1 << 20))
			fail_msg("%u layers, %zu bytes: %zu allocated", desc.n_layers,
				 (size_t)st.st_size, peak_bytes - before);
	}
	assert_int_equal(mls_onnx_save(old_model, onnx_target, 0, NULL), 0);
}

/* ---- sending ------------------------------------------------------------------------------ */

/* Fails the n-th of what @left counts while a model is sent; false when there was no n-th. */
static bool fail_sent(long *left, long n, int code)
{
	long blocks = live_blocks, files = open_files;
	struct mlsched_model *model = NULL;
	struct mlsched_error err = { 0 };
	bool reached;
	int ret, fd;

	*left = n;
	ret = mls_sent_make(new_model, "/new", &err, &fd);
	if (!ret) {
		ret = mls_sent_check(fd, &err);
		if (ret)
			close(fd);
		else
			ret = mls_sent_read(fd, "/new", &err, &model);
	}
	reached = *left < 0;
	*left = -1;
	if (ret == 0) {
		assert_int_equal(mlsched_model_checksum(model), mlsched_model_checksum(new_model));
		mlsched_model_free(model);
	} else {
		assert_int_equal(err.code, ret);
		if (ret != code)
			fail_msg("failure %ld: expected %d, found %d: %s", n, code, ret,
				 err.message);
	}
	assert_int_equal(live_blocks, blocks);
	assert_int_equal(open_files, files);
	return reached;
}

static void every_failure_of_sending_a_model_is_reported_and_leaks_nothing(void **state)
{
	long n = 0, calls = 0;

	(void)state;
	while (fail_sent(&allocations_left, n, -ENOMEM))
		n++;
	while (fail_sent(&calls_left, calls, -EIO))
		calls++;
	/* A file in memory, its content, two looks at its size, reading and closing it. */
	assert_true(n >= 4 && calls >= 6);
}

/* ---- saving ------------------------------------------------------------------------------ */

/* What is saved as what: a directory, or a file. */
static const char *saved = target;
static int (*save_model)(const struct mlsched_model *model, const char *path,
			 enum mlsched_savedmodel_form form,
			 struct mlsched_error *err) = mlsched_model_save;

static int count_entries(const char *path)
{
	DIR *dir = opendir(path);
	int n = -2;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	__real_closedir(dir);
	return n;
}

static bool fail_save(long *left, long n, int code, bool *wrote)
{
	long blocks = live_blocks, files = open_files;
	struct mlsched_error err = { 0 };
	uint32_t found;
	bool reached;
	int ret;

	*left = n;
	ret = save_model(new_model, saved, MLSCHED_SAVEDMODEL_VARIABLES, &err);
	reached = *left < 0;
	*left = -1;
	if (ret && ret != code)
		fail_msg("failure %ld: expected %d, found %d: %s", n, code, ret, err.message);
	assert_int_equal(live_blocks, blocks);
	assert_int_equal(open_files, files);
	found = checksum_at(saved);
	*wrote = found == mlsched_model_checksum(new_model);
	assert_true(*wrote || found == mlsched_model_checksum(old_model));
	assert_true(*wrote || ret != 0);
	return reached;
}

static void remove_model(void)
{
	char command[3 * sizeof(target) + 32];

	snprintf(command, sizeof(command), "rm -rf '%s' '%s' '%s'", target, onnx_target,
		 keras_target);
	assert_int_equal(system(command), 0);
}

static void restore_old_model(void)
{
	assert_int_equal(save_model(old_model, saved, MLSCHED_SAVEDMODEL_VARIABLES, NULL), 0);
	/* Whatever the failure left behind, the next writer has removed it. */
	assert_int_equal(count_entries(scratch), 1);
}

static void every_failing_allocation_of_save_keeps_the_old_model(void **state)
{
	bool reached = true, wrote;
	long n, n_kept = 0;

	(void)state;
	for (n = 0; reached; n += step(n)) {
		restore_old_model();
		reached = fail_save(&allocations_left, n, -ENOMEM, &wrote);
		n_kept += !wrote;
	}
	assert_true(n >= 10 && n_kept >= 10);
}

static void fail_every_call_of_save(int least_old, int least_new)
{
	bool reached = true, wrote;
	int n_old = 0, n_new = 0;

	for (long n = 0; reached; n += step(n)) {
		restore_old_model();
		reached = fail_save(&calls_left, n, -EIO, &wrote);
		*(wrote ? &n_new : &n_old) += 1;
	}
	if (n_old < least_old || n_new < least_new)
		fail_msg("old %d, new %d", n_old, n_new);
}

static void every_failing_system_call_of_save_leaves_old_or_new(void **state)
{
	(void)state;
	fail_every_call_of_save(20, 2);
}

/* What is written in pieces is what is written at once. */
static void save_in_pieces(void)
{
	restore_old_model();
	for (int k = 0; k < 4; k++) {
		transfers.most = k < 2 ? 1 : 1000;
		transfers.interrupted = k % 2;
		transfers.n_short = 0;
		assert_int_equal(save_model(k % 2 ? old_model : new_model, saved,
					    MLSCHED_SAVEDMODEL_VARIABLES, NULL),
				 0);
		assert_true(transfers.n_short > 0 || k >= 2);
		transfer_all_at_once();
		assert_int_equal(checksum_at(saved),
				 mlsched_model_checksum(k % 2 ? old_model : new_model));
	}
}

static void model_is_the_same_when_writes_come_in_pieces_or_are_interrupted(void **state)
{
	(void)state;
	save_in_pieces();
}

static void save_as_file(const char *path,
			 int (*save)(const struct mlsched_model *model, const char *path,
				     enum mlsched_savedmodel_form form, struct mlsched_error *err))
{
	remove_model();
	saved = path;
	save_model = save;
}

static void save_as_directory(void)
{
	remove_model();
	saved = target;
	save_model = mlsched_model_save;
}

static void every_failure_of_saving_a_file_leaves_old_or_new(void **state)
{
	save_as_file(onnx_target, mls_onnx_save);
	every_failing_allocation_of_save_keeps_the_old_model(state);
	fail_every_call_of_save(8, 2);
	save_in_pieces();
	save_as_directory();
}

/* A .keras has an .h5 in it. */
static void every_failure_of_saving_a_keras_model_leaves_old_or_new(void **state)
{
	save_as_file(keras_target, mls_keras_save);
	every_failing_allocation_of_save_keeps_the_old_model(state);
	fail_every_call_of_save(20, 2);
	save_in_pieces();
	save_as_directory();
}

static void file_system_without_exchange_keeps_old_or_new_when_calls_fail(void **state)
{
	(void)state;
	no_exchange = true;
	fail_every_call_of_save(20, 2);
	/* And a model where there was none. */
	remove_model();
	assert_int_equal(mlsched_model_save(new_model, target, MLSCHED_SAVEDMODEL_FROZEN, NULL), 0);
	assert_int_equal(checksum_at(target), mlsched_model_checksum(new_model));
	assert_int_equal(count_entries(scratch), 1);
	no_exchange = false;
}

static void old_model_put_aside_by_a_killed_writer_comes_back(void **state)
{
	char aside[sizeof(target) + 32];

	(void)state;
	restore_old_model();
	snprintf(aside, sizeof(aside), "%s/.mlsched-old-model", scratch);
	/* As a writer leaves it that was killed between its two renames. */
	assert_int_equal(rename(target, aside), 0);
	/* Making the new directory fails, so the new model does not get into its place. */
	fail_mkdir = true;
	assert_int_equal(mlsched_model_save(new_model, target, MLSCHED_SAVEDMODEL_FROZEN, NULL),
			 -EIO);
	fail_mkdir = false;
	assert_int_equal(checksum_at(target), mlsched_model_checksum(old_model));
	assert_int_equal(count_entries(scratch), 1);
}

/* ---- setting up ---------------------------------------------------------------------------- */

/* One with everything that is optional: the text of its metadata allocates too. */
static struct mlsched_model *make_model(float first)
{
	const float weights[6] = { first, -1, 2, 0.5f, 1, -3 }, bias[2] = { 0.5f, 1 };
	const float mean[3] = { 1, 2, 3 }, deviation[3] = { 1, 2, 4 };
	const struct mlsched_layer layer = { 3, 2, MLSCHED_SOFTMAX, 0, weights, bias };
	const struct mlsched_meta meta = {
		.schema = "s",
		.threshold = 0.25f,
		.n_calibration = 3,
		.input_min = mean,
		.input_max = deviation,
		.provenance = "{\"seed\":7,\"scores\":[0.5,{\"auc\":1.0}]}",
	};
	const struct mlsched_model_desc desc = {
		.size = sizeof(desc),
		.n_layers = 1,
		.layers = &layer,
		.mean = mean,
		.deviation = deviation,
		.meta = &meta,
	};
	struct mlsched_model *model;

	assert_int_equal(mlsched_model_create(&desc, NULL, &model), 0);
	return model;
}

static void put_tflite(const char *path, void describe(struct test_tflite *m))
{
	static struct test_tflite m;
	FILE *stream = fopen(path, "we");
	uint8_t *bytes;
	size_t size;

	describe(&m);
	bytes = test_tflite_pack(&m, &size);
	assert_non_null(stream);
	assert_int_equal(fwrite(bytes, 1, size, stream), size);
	assert_int_equal(fclose(stream), 0);
	free(bytes);
}

static int set_up(void **state)
{
	(void)state;
	json_set_alloc_funcs(jansson_malloc, jansson_free);
	/* In memory where that is possible: the disk is asked to keep its promise thousands of times. */
	snprintf(scratch, sizeof(scratch), "%s/mlsched-failure-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(scratch));
	snprintf(target, sizeof(target), "%s/model", scratch);
	snprintf(onnx_target, sizeof(onnx_target), "%s/model.onnx", scratch);
	snprintf(keras_target, sizeof(keras_target), "%s/model.keras", scratch);
	/* In a directory of their own: what is saved is alone in its own. */
	snprintf(hand_made, sizeof(hand_made), "%s-tflite", scratch);
	assert_int_equal(mkdir(hand_made, 0700), 0);
	snprintf(dense_file, sizeof(dense_file), "%s/dense.tflite", hand_made);
	snprintf(everything_file, sizeof(everything_file), "%s/everything.tflite", hand_made);
	put_tflite(dense_file, test_tflite_dense);
	put_tflite(everything_file, test_tflite_everything);
	old_model = make_model(1);
	new_model = make_model(2);
	/* min <= max is checked when the file is read: 1..3 and 1..4 are in order. */
	return mls_onnx_save(old_model, onnx_target, MLSCHED_SAVEDMODEL_VARIABLES, NULL) ||
	       mlsched_model_save(old_model, target, MLSCHED_SAVEDMODEL_VARIABLES, NULL);
}

static int tear_down(void **state)
{
	char command[256];

	(void)state;
	mlsched_model_free(old_model);
	mlsched_model_free(new_model);
	snprintf(command, sizeof(command), "rm -rf '%s' '%s'", scratch, hand_made);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_failing_allocation_of_load_is_reported_and_leaks_nothing),
		cmocka_unit_test(
			what_a_refused_model_tells_is_less_when_anything_fails_and_leaks_nothing),
		cmocka_unit_test(text_of_json_is_whole_or_none),
		cmocka_unit_test(no_name_in_a_savedmodel_is_one_of_a_file),
		cmocka_unit_test(
			load_of_onnx_allocates_no_more_than_eight_times_the_file_and_a_mebibyte),
		cmocka_unit_test(model_is_the_same_when_reads_come_in_pieces_or_are_interrupted),
		cmocka_unit_test(file_that_shrinks_while_it_is_read_is_an_error),
		cmocka_unit_test(socket_that_ends_in_an_answer_is_an_error),
		cmocka_unit_test(every_failing_system_call_of_load_is_reported_and_leaks_nothing),
		cmocka_unit_test(every_failure_of_sending_a_model_is_reported_and_leaks_nothing),
		cmocka_unit_test(every_failing_allocation_of_save_keeps_the_old_model),
		cmocka_unit_test(every_failing_system_call_of_save_leaves_old_or_new),
		cmocka_unit_test(model_is_the_same_when_writes_come_in_pieces_or_are_interrupted),
		cmocka_unit_test(every_failure_of_saving_a_file_leaves_old_or_new),
		cmocka_unit_test(every_failure_of_saving_a_keras_model_leaves_old_or_new),
		cmocka_unit_test(file_system_without_exchange_keeps_old_or_new_when_calls_fail),
		cmocka_unit_test(old_model_put_aside_by_a_killed_writer_comes_back),
	};

	return cmocka_run_group_tests_name("alloc_failure", tests, set_up, tear_down);
}
