// SPDX-License-Identifier: GPL-2.0
/*
 * What is read beside models: rt-app's workloads, costs of moves, recordings.  Every allocation
 * fails once, jansson's and SQLite's among them, and every read: each time there is an error that
 * says so, and nothing is lost.  No file makes the readers of JSON allocate more than eight times
 * its size and a mebibyte.
 *
 * The linker sends the calls of the whole program to those below (tests/tests.mk).
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>
#include <sqlite3.h>

#include "src/cli/sim.h"
#include "src/data/label.h"
#include "src/data/recording.h"
#include "src/sim/rtapp.h"
#include "src/util/error.h"
#include "tests/lib/counting.h"

#define MS 1000000ull

static long calls_left = -1;

ssize_t __real_pread(int fd, void *to, size_t size, off_t offset);
ssize_t __wrap_pread(int fd, void *to, size_t size, off_t offset);
ssize_t __wrap_pread(int fd, void *to, size_t size, off_t offset)
{
	if (!fails(&calls_left))
		return __real_pread(fd, to, size, offset);
	errno = EIO;
	return -1;
}

ssize_t __real_read(int fd, void *to, size_t size);
ssize_t __wrap_read(int fd, void *to, size_t size);
ssize_t __wrap_read(int fd, void *to, size_t size)
{
	if (!fails(&calls_left))
		return __real_read(fd, to, size);
	errno = EIO;
	return -1;
}

int __real_fstat(int fd, struct stat *st);
int __wrap_fstat(int fd, struct stat *st);
int __wrap_fstat(int fd, struct stat *st)
{
	if (!fails(&calls_left))
		return __real_fstat(fd, st);
	errno = EIO;
	return -1;
}

char *__wrap_strdup(const char *text);
char *__wrap_strdup(const char *text)
{
	size_t n = strlen(text) + 1;
	char *copy = malloc(n);

	return copy ? memcpy(copy, text, n) : NULL;
}

/* ---- libraries that allocate for themselves ------------------------------------------------- */

static void *jansson_malloc(size_t size)
{
	return malloc(size);
}

static void jansson_free(void *block)
{
	free(block);
}

/* SQLite keeps some: what it has is not counted, and its allocations fail all the same. */
static void *sqlite_malloc(int size)
{
	return fails(&allocations_left) ? NULL : __real_malloc((size_t)size);
}

static void sqlite_release(void *block)
{
	__real_free(block);
}

static void *sqlite_realloc(void *block, int size)
{
	return fails(&allocations_left) ? NULL : __real_realloc(block, (size_t)size);
}

static int sqlite_size(void *block)
{
	return block ? (int)malloc_usable_size(block) : 0;
}

static int sqlite_roundup(int size)
{
	return (size + 7) & ~7;
}

static int sqlite_init(void *data)
{
	(void)data;
	return SQLITE_OK;
}

static void sqlite_shutdown(void *data)
{
	(void)data;
}

/* ---- the readers ------------------------------------------------------------------------------ */

static char path[64];

static void write_file(const void *text, size_t n)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, n, file), n);
	assert_int_equal(fclose(file), 0);
}

/* What was read without a failure: with one it is the same, or an error. */
static struct sim_workload workload, whole_workload;
static struct sim_costs costs, whole_costs;

static int read_rtapp(struct mlsched_error *err)
{
	memset(&workload, 0, sizeof(workload));
	return sim_rtapp_load(&workload, path, err);
}

static bool same_rtapp(void)
{
	return workload.n_code == whole_workload.n_code &&
	       workload.n_starts == whole_workload.n_starts &&
	       workload.duration == whole_workload.duration &&
	       memcmp(workload.code, whole_workload.code,
		      workload.n_code * sizeof(*workload.code)) == 0;
}

static int read_costs(struct mlsched_error *err)
{
	return cli_sim_costs(path, &costs, err);
}

static bool same_costs(void)
{
	return memcmp(&costs, &whole_costs, sizeof(costs)) == 0;
}

static int read_recording(struct mlsched_error *err)
{
	const struct mls_label_options options = MLS_LABEL_OPTIONS;
	struct mls_labels labels = { 0 };
	struct mls_recording_reader *reader;
	struct mls_dataset data;
	int ret = mls_recording_open(path, err, &reader);

	if (ret)
		return ret;
	ret = mls_labels_read(reader, path, &options, &labels, err);
	if (!ret) {
		ret = mls_labels_dataset(&labels, MLS_LABEL_TRAIN, &data, err);
		if (ret)
			mls_error_prefix(err, ret, "%s", path);
		else
			mls_dataset_clear(&data);
	}
	mls_labels_clear(&labels);
	mls_recording_reader_close(reader);
	return ret;
}

static const char rtapp[] =
	"{ /* a comment */ \"tasks\": {\n"
	"\"a\": {\"loop\": 2, \"instance\": 3, \"run\": 1000, \"barrier\": \"b\", \"lock\": \"m\", \"unlock\": \"m\"},\n"
	"\"b\": {\"phases\": {\"one\": {\"loop\": 2, \"run\": 9000, \"sleep\": 10}, \"two\": {\"run\": 5}}}},\n"
	"\"global\": {\"duration\": 1,}}\n";

static void write_costs(void)
{
	struct sim_costs written = sim_costs_default();
	json_t *object = json_pack("{s:o}", "costs", cli_sim_costs_json(&written));
	char *text = json_dumps(object, JSON_INDENT(1));

	write_file(text, strlen(text));
	free(text);
	json_decref(object);
}

static void write_rtapp(void)
{
	write_file(rtapp, strlen(rtapp));
}

static void write_recording(void)
{
	struct mls_recording_session session = {
		.source = "test", .schema = "seed10", .began = 1, .window = 100 * MS
	};
	const struct mls_recording_cpu cpus[2] = { { 0, true, 0, 0, 0, 0 },
						   { 1, true, 1, 0, 0, 0 } };
	struct mlsched_error err;
	struct mls_recording *r;

	assert_int_equal(mls_recording_create(path, true, &err, &r), 0);
	assert_int_equal(mls_recording_begin(r, &session, cpus, 2, &err), 0);
	for (uint32_t i = 0; i < 50; i++) {
		struct mls_recorded d = {
			.time = i * 10 * MS,
			.pid = 100 + i,
			.comm = "cc1",
			.dst = 1,
			.accepted = 1,
			.verdict = -1,
			.propensity = 1,
			.result = MLS_RECORDED_MOVED,
			.followed = true,
			.observed = 100 * MS,
			.run_time = i * MS,
			.n_features = 10,
		};

		snprintf(d.comm, sizeof(d.comm), "cc%u", i % 3);
		assert_int_equal(mls_recording_add(r, &d, d.time, &err), 0);
	}
	assert_int_equal(mls_recording_end(r, 1, NULL), 0);
	mls_recording_close(r);
}

static const struct {
	const char *name;
	void (*write)(void);
	int (*read)(struct mlsched_error *err);
	bool (*same)(void);
} readers[] = {
	{ "rt-app", write_rtapp, read_rtapp, same_rtapp },
	{ "costs", write_costs, read_costs, same_costs },
	{ "recording", write_recording, read_recording, NULL },
};

#define N_READERS (sizeof(readers) / sizeof(readers[0]))

/* The n-th fails, for every n until there is none left; how many there were. */
static long let_each_fail(size_t k, long *left, int expected)
{
	struct mlsched_error error;
	long n = 0;

	assert_int_equal(readers[k].read(&error), 0);
	whole_workload = workload;
	whole_costs = costs;
	for (bool all = false; !all; n++) {
		struct mlsched_error err = { 0 };
		long blocks = live_blocks;
		int ret;

		*left = n;
		ret = readers[k].read(&err);
		all = *left >= 0;
		*left = -1;
		if (live_blocks != blocks)
			fail_msg("%s, %ld: %ld blocks lost", readers[k].name, n,
				 live_blocks - blocks);
		if (ret == 0 && readers[k].same && !readers[k].same())
			fail_msg("%s, %ld: something else was read", readers[k].name, n);
		if (all) {
			assert_int_equal(ret, 0);
		} else if (ret) {
			/* A failure that a library makes good is none. */
			if (ret != expected || err.code != ret || !err.message[0] ||
			    !strstr(err.message, path) ||
			    err.message[strlen(err.message) - 1] == ' ')
				fail_msg("%s, %ld: %d, \"%s\"", readers[k].name, n, ret,
					 err.message);
		}
	}
	return n - 1;
}

/* The same of all readers; @least: so many there are of each. */
static void let_all_fail(long *left, int expected, const long least[N_READERS])
{
	for (size_t k = 0; k < N_READERS; k++) {
		readers[k].write();
		assert_true(let_each_fail(k, left, expected) >= least[k]);
		unlink(path);
	}
}

static void every_allocation_may_fail(void **state)
{
	(void)state;
	let_all_fail(&allocations_left, -ENOMEM, (const long[]){ 60, 30, 300 });
}

static void every_read_may_fail(void **state)
{
	(void)state;
	let_all_fail(&calls_left, -EIO, (const long[]){ 2, 2, 1 });
}

/* ---- limits ------------------------------------------------------------------------------------- */

/* All of them are read or refused within the limit; what is built is not JSON in the end. */
static void memory_keeps_to_the_size_of_the_file(void **state)
{
	static const char *const pieces[] = { "[",   "{\"a\":", "0,",        "[],",
					      "{},", "\"\",",   "\"a\":{},", "/*" };
	const size_t sizes[] = { 2, 2000, 60000, 1 << 20, 3 << 20 };

	(void)state;
	for (size_t k = 0; k < 2; k++)
		for (size_t p = 0; p < sizeof(pieces) / sizeof(pieces[0]); p++)
			for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
				size_t length = strlen(pieces[p]), before, used;
				struct mlsched_error err = { 0 };
				long blocks = live_blocks;
				char *text = malloc(sizes[s] + 16);

				strcpy(text, "{\"tasks\":[");
				for (size_t i = 10; i < sizes[s]; i++)
					text[i] = pieces[p][(i - 10) % length];
				write_file(text, sizes[s]);
				free(text);
				before = peak_bytes = live_bytes;
				assert_true(readers[k].read(&err) < 0);
				assert_true(err.message[0]);
				assert_int_equal(live_blocks, blocks);
				used = peak_bytes - before;
				if (used > 8 * sizes[s] + (1 << 20))
					fail_msg("%s: %s, %zu bytes: %zu allocated",
						 readers[k].name, pieces[p], sizes[s], used);
				unlink(path);
			}
}

/* As many events as there may be, be it in a file that is all values: it is no attack. */
static void a_workload_may_be_written_tightly(void **state)
{
	static const char event[] = "{\"run\":100,\"timer\":{\"ref\":\"t\",\"period\":1000}}";
	struct mlsched_error err = { 0 };
	char *text = malloc(64 + 500 * (sizeof(event) + 16)), *at = text;

	(void)state;
	for (int task = 0; task < 20; task++) {
		at += sprintf(at, "%s\"t%d\":{\"phases\":{", task ? "," : "{\"tasks\":{", task);
		for (int phase = 0; phase < 24; phase++)
			at += sprintf(at, "%s\"p%d\":%s", phase ? "," : "", phase, event);
		at += sprintf(at, "}}");
	}
	strcpy(at, "}}");
	write_file(text, strlen(text));
	if (read_rtapp(&err) != 0)
		fail_msg("%s", err.message);
	assert_true(workload.n_code > 900);
	unlink(path);
	free(text);
}

static void *write_through(void *text)
{
	write_file(text, strlen(text));
	return NULL;
}

/* Of any length, and in as many pieces as it comes. */
static void a_pipe_is_read_to_its_end(void **state)
{
	const size_t blanks = 300000;
	char *text = malloc(blanks + sizeof(rtapp));
	struct mlsched_error err = { 0 };
	pthread_t writer;

	(void)state;
	memset(text, ' ', blanks);
	memcpy(text + blanks, rtapp, sizeof(rtapp));
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(pthread_create(&writer, NULL, write_through, text), 0);
	if (read_rtapp(&err) != 0)
		fail_msg("%s", err.message);
	assert_int_equal(pthread_join(writer, NULL), 0);
	unlink(path);
	free(text);
}

static void what_is_no_file_is_refused(void **state)
{
	(void)state;
	for (size_t k = 0; k < 2; k++) {
		struct mlsched_error err = { 0 };

		assert_int_equal(symlink("/dev/zero", path), 0);
		assert_int_equal(readers[k].read(&err), -EINVAL);
		assert_non_null(strstr(err.message, "expected a file or a pipe, found a device"));
		unlink(path);
		assert_int_equal(mkdir(path, 0700), 0);
		assert_int_equal(readers[k].read(&err), -EISDIR);
		rmdir(path);
		assert_int_equal(readers[k].read(&err), -ENOENT);
		assert_non_null(strstr(err.message, path));
	}
}

static void a_file_that_is_too_large_is_refused(void **state)
{
	static const off_t most[] = { 16 << 20, 64 << 10 };

	(void)state;
	for (size_t k = 0; k < 2; k++) {
		struct mlsched_error err = { 0 };

		write_file("{", 1);
		assert_int_equal(truncate(path, most[k] + 1), 0);
		assert_int_equal(readers[k].read(&err), -EFBIG);
		assert_non_null(strstr(err.message, "expected at most"));
		unlink(path);
	}
}

int main(void)
{
	static sqlite3_mem_methods methods = { .xMalloc = sqlite_malloc,
					       .xFree = sqlite_release,
					       .xRealloc = sqlite_realloc,
					       .xSize = sqlite_size,
					       .xRoundup = sqlite_roundup,
					       .xInit = sqlite_init,
					       .xShutdown = sqlite_shutdown };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_allocation_may_fail),
		cmocka_unit_test(every_read_may_fail),
		cmocka_unit_test(memory_keeps_to_the_size_of_the_file),
		cmocka_unit_test(a_workload_may_be_written_tightly),
		cmocka_unit_test(a_pipe_is_read_to_its_end),
		cmocka_unit_test(what_is_no_file_is_refused),
		cmocka_unit_test(a_file_that_is_too_large_is_refused),
	};

	json_set_alloc_funcs(jansson_malloc, jansson_free);
	if (sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) != SQLITE_OK)
		return 1;
	snprintf(path, sizeof(path), "/tmp/mls-readers-%d", (int)getpid());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
