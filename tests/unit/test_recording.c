// SPDX-License-Identifier: GPL-2.0
/*
 * Recordings: what is written comes back, what is not a recording or a damaged one is
 * refused with a reason, and whoever is killed loses no more than one transaction.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "src/data/recording_queue.h"
#include "src/util/random.h"

#define MS 1000000ull

static char directory[] = "/tmp/mlsched-recording-XXXXXX";
static char path[64];

static int make_directory(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/r.db", directory);
	return 0;
}

static void remove_files(void)
{
	char other[80];

	unlink(path);
	snprintf(other, sizeof(other), "%s-wal", path);
	unlink(other);
	snprintf(other, sizeof(other), "%s-shm", path);
	unlink(other);
}

static int no_file(void **state)
{
	(void)state;
	remove_files();
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	remove_files();
	return rmdir(directory);
}

/* Two LLCs of two cores of two threads, in two nodes. */
static struct mls_recording *begin(bool append)
{
	struct mls_recording_session session = {
		.source = "test",
		.schema = "seed10",
		.kernel = "6.18",
		.machine = "x86_64",
		.domains = "two",
		.wall = 1700000000000000000,
		.began = 5 * MS,
		.window = 100 * MS,
	};
	struct mls_recording_cpu cpus[8];
	struct mls_recording *r;
	struct mlsched_error err = { 0 };

	for (uint16_t i = 0; i < 8; i++)
		cpus[i] = (struct mls_recording_cpu){ i, i != 7, i / 2 * 2, i / 4, i / 4, i / 4 };
	if (mls_recording_create(path, append, &err, &r) != 0 ||
	    mls_recording_begin(r, &session, cpus, 8, &err) != 0)
		fail_msg("%s", err.message);
	return r;
}

static struct mls_recorded row_of(struct mls_random *random, uint64_t time)
{
	struct mls_recorded row = {
		.time = time,
		.pid = mls_random_below(random, 1 << 22),
		.tgid = mls_random_below(random, 1 << 22),
		.kind = (uint8_t)mls_random_below(random, MLS_RECORDED_KINDS),
		.decider = (uint8_t)mls_random_below(random, MLS_RECORDED_DECIDERS),
		.result = (uint8_t)mls_random_below(random, MLS_RECORDED_RESULTS),
		.flags = (uint8_t)mls_random_below(random, 8),
		.verdict = (int8_t)((int)mls_random_below(random, 3) - 1),
		.accepted = mls_random_below(random, 2),
		.followed = mls_random_below(random, 2),
		.src = (uint16_t)mls_random_below(random, 8),
		.dst = (uint16_t)mls_random_below(random, 8),
		.logit = mls_random_below(random, 4) ? mls_random_unit(random) * 8 - 4 : NAN,
		.propensity = 1 - mls_random_unit(random) / 2,
		.n_features = 10,
	};

	snprintf(row.comm, sizeof(row.comm), "name-%u", mls_random_below(random, 1000000));
	for (int i = 0; i < 10; i++)
		row.features[i] = mls_random_unit(random) * 100 - 50;
	if (!row.followed)
		return row;
	row.observed = mls_random_next(random) >> 20;
	row.wait = mls_random_next(random) >> 20;
	row.run_time = mls_random_next(random) >> 20;
	row.moved = mls_random_next(random) >> 20;
	row.back = mls_random_next(random) >> 20;
	row.ran = mls_random_below(random, 2);
	row.ran_there = mls_random_below(random, 2);
	return row;
}

static void same_row(const struct mls_recorded *a, const struct mls_recorded *b)
{
	struct mls_recorded x = *a, y = *b;

	assert_true(isnan(x.logit) == isnan(y.logit));
	x.id = y.id = 0;
	x.session = y.session = 0;
	x.locality = y.locality = 0;
	if (isnan(x.logit))
		x.logit = y.logit = 0;
	assert_memory_equal(&x, &y, offsetof(struct mls_recorded, features));
	assert_memory_equal(x.features, y.features, x.n_features * sizeof(x.features[0]));
}

static void everything_comes_back_as_it_was_written(void **state)
{
	struct mls_recording_model model = { .time = 6 * MS,
					     .mode = "active",
					     .engine = "kernel",
					     .path = "/models/a",
					     .schema = "seed10",
					     .schema_version = 1,
					     .checksum = 0xfedcba98,
					     .threshold = 0.25f },
				   found_model;
	struct mls_recording_session session;
	struct mls_recording_reader *reader;
	struct mls_recorded row, found;
	struct mls_random random;
	struct mls_recording *r = begin(false);
	uint64_t value;
	char name[64];

	(void)state;
	mls_random_seed(&random, 1, 0);
	assert_int_equal(mls_recording_model(r, &model, NULL), 0);
	for (uint64_t i = 0; i < 1000; i++) {
		row = row_of(&random, i * MS);
		assert_int_equal(mls_recording_add(r, &row, i * MS, NULL), 0);
	}
	assert_int_equal(mls_recording_counter(r, 7 * MS, "lost", 3, NULL), 0);
	assert_int_equal(mls_recording_counter(r, 8 * MS, "lost", 4, NULL), 0);
	assert_int_equal(mls_recording_end(r, 2000 * MS, NULL), 0);
	mls_recording_close(r);

	assert_int_equal(mls_recording_open(path, NULL, &reader), 0);
	assert_int_equal(mls_recording_check(reader, NULL), 0);
	assert_int_equal(mls_recording_session(reader, 0, &session, NULL), 1);
	assert_string_equal(session.source, "test");
	assert_string_equal(session.kernel, "6.18");
	assert_string_equal(session.schema, "seed10");
	assert_int_equal(session.n_features, 10);
	assert_true(session.began == 5 * MS && session.ended == 2000 * MS);
	assert_true(session.window == 100 * MS && session.wall == 1700000000000000000);
	assert_int_equal(mls_recording_session(reader, 1, &session, NULL), 0);
	assert_int_equal(mls_recording_feature(reader, 1, 3, name, NULL), 1);
	assert_string_equal(name, "src_dom_load");
	assert_int_equal(mls_recording_feature(reader, 1, 10, name, NULL), 0);
	assert_int_equal(mls_recording_next_model(reader, &found_model, NULL), 1);
	model.session = 1;
	assert_memory_equal(&found_model, &model, sizeof(model));
	assert_int_equal(mls_recording_next_model(reader, &found_model, NULL), 0);
	assert_int_equal(mls_recording_value(reader, 1, "lost", &value, NULL), 1);
	assert_int_equal(value, 4);
	assert_int_equal(mls_recording_value(reader, 1, "found", &value, NULL), 0);
	mls_random_seed(&random, 1, 0);
	for (uint64_t i = 0; i < 1000; i++) {
		row = row_of(&random, i * MS);
		assert_int_equal(mls_recording_next(reader, &found, NULL), 1);
		assert_int_equal(found.id, i + 1);
		same_row(&row, &found);
		assert_int_equal(found.locality,
				 row.src / 2 == row.dst / 2 ? MLS_RECORDED_SAME_CORE :
				 row.src / 4 == row.dst / 4 ? MLS_RECORDED_SAME_LLC :
							      MLS_RECORDED_FAR);
	}
	assert_int_equal(mls_recording_next(reader, &found, NULL), 0);
	mls_recording_reader_close(reader);
}

static void a_file_that_exists_is_refused_without_append(void **state)
{
	struct mls_recording_session session;
	struct mls_recording_reader *reader;
	struct mls_recording *r = begin(false);
	struct mlsched_error err = { 0 };
	struct mls_random random;
	struct mls_recorded row;

	(void)state;
	mls_random_seed(&random, 1, 0);
	row = row_of(&random, 0);
	mls_recording_add(r, &row, 0, NULL);
	mls_recording_end(r, 1, NULL);
	mls_recording_close(r);
	assert_int_equal(mls_recording_create(path, false, &err, &r), -EEXIST);
	assert_non_null(strstr(err.message, "r.db: the file exists; --append"));
	r = begin(true);
	mls_recording_add(r, &row, 0, NULL);
	mls_recording_end(r, 1, NULL);
	mls_recording_close(r);
	assert_int_equal(mls_recording_open(path, NULL, &reader), 0);
	assert_int_equal(mls_recording_session(reader, 1, &session, NULL), 1);
	assert_int_equal(mls_recording_next(reader, &row, NULL), 1);
	assert_int_equal(row.session, 1);
	assert_int_equal(mls_recording_next(reader, &row, NULL), 1);
	assert_int_equal(row.session, 2);
	mls_recording_reader_close(reader);
}

/* ---- transactions ----------------------------------------------------------------------------- */

static int count_rows(int64_t *last)
{
	struct mls_recording_reader *reader;
	struct mlsched_error err = { 0 };
	struct mls_recorded row;
	int n = 0, ret;

	if (mls_recording_open(path, &err, &reader) != 0)
		fail_msg("%s", err.message);
	if (mls_recording_check(reader, &err) != 0)
		fail_msg("%s", err.message);
	*last = 0;
	while ((ret = mls_recording_next(reader, &row, &err)) == 1) {
		assert_int_equal(row.pid, ++n);
		*last = (int64_t)row.time;
	}
	if (ret)
		fail_msg("%s", err.message);
	mls_recording_reader_close(reader);
	return n;
}

/* Adds @n rows a virtual ms apart and leaves without an end, as one that was killed. */
static int rows_of_one_that_left(uint32_t n)
{
	int64_t last;

	if (fork() == 0) {
		struct mls_recording *r = begin(false);
		struct mls_random random;

		mls_random_seed(&random, 1, 0);
		for (uint32_t i = 1; i <= n; i++) {
			struct mls_recorded row = row_of(&random, i * MS);

			row.pid = i;
			if (mls_recording_add(r, &row, i * MS, NULL) != 0)
				_exit(1);
		}
		_exit(0);
	}
	assert_int_not_equal(wait(NULL), -1);
	return count_rows(&last);
}

static void a_transaction_is_closed_after_a_quarter_of_a_second(void **state)
{
	(void)state;
	/* Opened with row 1, closed with the one that comes 250 ms after it. */
	assert_int_equal(rows_of_one_that_left(250), 0);
	remove_files();
	assert_int_equal(rows_of_one_that_left(251), 251);
	remove_files();
	assert_int_equal(rows_of_one_that_left(1000), 753);
}

static void a_tick_closes_it_when_nothing_comes(void **state)
{
	struct mls_recording *r = begin(false);
	struct mls_random random;
	struct mls_recorded row;
	int64_t last;

	(void)state;
	mls_random_seed(&random, 1, 0);
	row = row_of(&random, 1);
	row.pid = 1;
	assert_int_equal(mls_recording_add(r, &row, MS, NULL), 0);
	assert_int_equal(mls_recording_tick(r, 250 * MS, NULL), 0);
	assert_int_equal(count_rows(&last), 0);
	assert_int_equal(mls_recording_tick(r, 251 * MS, NULL), 0);
	assert_int_equal(count_rows(&last), 1);
	mls_recording_close(r);
}

/* What the child tells whoever kills it. */
struct told {
	uint32_t added; /* rows, each a virtual ms after the last */
};

static void add_for_ever(struct told *told)
{
	struct mls_recording *r = begin(false);
	struct mls_random random;

	mls_random_seed(&random, 1, 0);
	for (uint32_t i = 1;; i++) {
		struct mls_recorded row = row_of(&random, i * MS);

		row.pid = i;
		if (mls_recording_add(r, &row, i * MS, NULL) != 0)
			_exit(1);
		__atomic_store_n(&told->added, i, __ATOMIC_RELEASE);
	}
}

static void who_is_killed_at_any_moment_loses_one_transaction(void **state)
{
	struct told *told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t seed = (uint64_t)time(NULL);
	struct mls_random random;
	uint32_t most = 0;

	(void)state;
	print_message("# seed %llu\n", (unsigned long long)seed);
	mls_random_seed(&random, seed, 0);
	for (int round = 0; round < 30; round++) {
		/* From the first rows on to several checkpoints of the log. */
		uint32_t after = 1 + mls_random_below(&random, round % 3 ? 3000 : 60000);
		uint32_t added, found;
		int64_t last;
		int status;
		pid_t child;

		remove_files();
		told->added = 0;
		child = fork();
		if (child == 0)
			add_for_ever(told);
		while (__atomic_load_n(&told->added, __ATOMIC_ACQUIRE) < after) {
			assert_int_equal(waitpid(child, &status, WNOHANG), 0);
			usleep(50);
		}
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
		added = told->added;
		found = (uint32_t)count_rows(&last);
		/* Its clock goes a ms a row: no more than the transaction that was open. */
		assert_in_range(found, added > 251 ? added - 251 : 0, added + 1);
		if (added > found && added - found > most)
			most = added - found;
	}
	print_message("# at most %u ms of decisions were lost\n", most);
	munmap(told, sizeof(*told));
}

/* ---- the queue ------------------------------------------------------------------------------------ */

static struct mls_recorded numbered(uint32_t i)
{
	struct mls_random random;
	struct mls_recorded row;

	mls_random_seed(&random, i, 0);
	row = row_of(&random, i);
	row.pid = i;
	return row;
}

static void a_full_queue_drops_and_counts(void **state)
{
	struct mls_recording_model model = { .mode = "active", .engine = "kernel" };
	struct mls_recording_queue *queue;
	struct mls_recording_reader *reader;
	struct mls_recording_counts counts;
	uint64_t value;
	int64_t last;

	(void)state;
	assert_int_equal(mls_recording_queue_open(begin(false), 100, NULL, &queue), 0);
	/* Its thread does not run yet. */
	for (uint32_t i = 1; i <= 130; i++) {
		struct mls_recorded row = numbered(i);

		if (i == 50)
			assert_int_equal(mls_recording_queue_model(queue, &model), 0);
		mls_recording_queue_put(queue, &row);
	}
	mls_recording_queue_counts(queue, &counts);
	assert_int_equal(counts.put, 130);
	assert_int_equal(counts.dropped, 30);
	assert_int_equal(counts.written, 0);
	mls_recording_queue_counter(queue, "kernel.lost", 7);
	mls_recording_queue_counter(queue, "kernel.lost", 8);
	assert_int_equal(mls_recording_queue_start(queue, NULL), 0);
	assert_int_equal(mls_recording_queue_close(queue, &counts, NULL), 0);
	assert_int_equal(counts.written, 100);
	assert_int_equal(counts.dropped, 30);
	assert_int_equal(count_rows(&last), 100);
	assert_int_equal(mls_recording_open(path, NULL, &reader), 0);
	assert_int_equal(mls_recording_value(reader, 1, "kernel.lost", &value, NULL), 1);
	assert_int_equal(value, 8);
	assert_int_equal(mls_recording_value(reader, 1, "recording.dropped", &value, NULL), 1);
	assert_int_equal(value, 30);
	assert_int_equal(mls_recording_value(reader, 1, "recording.written", &value, NULL), 1);
	assert_int_equal(value, 100);
	assert_int_equal(mls_recording_next_model(reader, &model, NULL), 1);
	mls_recording_reader_close(reader);
}

static void a_file_that_cannot_be_written_is_told_and_counted(void **state)
{
	struct mls_recording_queue *queue;
	struct mls_recording_counts counts;
	struct mlsched_error err = { 0 };
	sqlite3 *db;
	int64_t last;

	(void)state;
	assert_int_equal(mls_recording_queue_open(begin(false), 0, NULL, &queue), 0);
	/* Another connection holds the file for longer than the writer is willing to wait. */
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	for (uint32_t i = 1; i <= 20; i++) {
		struct mls_recorded row = numbered(i);

		mls_recording_queue_put(queue, &row);
	}
	assert_int_equal(mls_recording_queue_start(queue, NULL), 0);
	assert_int_equal(mls_recording_queue_close(queue, &counts, &err), -EBUSY);
	assert_non_null(strstr(err.message, "cannot write: database is locked"));
	assert_int_equal(counts.put, 20);
	assert_int_equal(counts.dropped, 20);
	sqlite3_close(db);
	assert_int_equal(count_rows(&last), 0);
}

/* A recording with a few hundred rows, in the file itself. */
static void make_recording(uint32_t rows)
{
	struct mls_recording *r;

	remove_files();
	r = begin(false);
	for (uint32_t i = 1; i <= rows; i++) {
		struct mls_recorded row = numbered(i);

		assert_int_equal(mls_recording_add(r, &row, i, NULL), 0);
	}
	assert_int_equal(mls_recording_end(r, 1, NULL), 0);
	mls_recording_close(r);
}

/* ---- reads that come short ------------------------------------------------------------------------ */

/*
 * How reads come: at most so many bytes at a time, every second one interrupted
 * by a signal, and nothing from the n-th on (-1: never).
 */
static struct {
	size_t most;
	bool interrupted;
	long n, n_short, ends_at;
} reads = { .most = SIZE_MAX, .ends_at = -1 };

static void read_all_at_once(void)
{
	reads.most = SIZE_MAX;
	reads.interrupted = false;
	reads.n = reads.n_short = 0;
	reads.ends_at = -1;
}

ssize_t __real_pread(int fd, void *to, size_t size, off_t offset);
ssize_t __wrap_pread(int fd, void *to, size_t size, off_t offset);
ssize_t __wrap_pread(int fd, void *to, size_t size, off_t offset)
{
	long n = reads.n++;

	if (reads.interrupted && n % 2 == 0) {
		errno = EINTR;
		return -1;
	}
	if (reads.ends_at >= 0 && n >= reads.ends_at)
		return 0;
	reads.n_short += size > reads.most;
	return __real_pread(fd, to, size < reads.most ? size : reads.most, offset);
}

/* SQLite's build may know it by another name, or read() where it has sought to. */
static ssize_t short_read(int fd, void *to, size_t size)
{
	off_t at = lseek(fd, 0, SEEK_CUR);
	ssize_t n = __wrap_pread(fd, to, size, at);

	if (n > 0)
		lseek(fd, n, SEEK_CUR);
	return n;
}

/* As SQLite's tests do it: its system calls are in a table that may be changed. */
static void set_reads_of_sqlite(bool ours)
{
	static const struct {
		const char *name;
		sqlite3_syscall_ptr call;
	} calls[] = {
		{ "pread", (sqlite3_syscall_ptr)__wrap_pread },
		{ "pread64", (sqlite3_syscall_ptr)__wrap_pread },
		{ "read", (sqlite3_syscall_ptr)short_read },
	};
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (vfs->xGetSystemCall(vfs, calls[i].name))
			assert_int_equal(vfs->xSetSystemCall(vfs, calls[i].name,
							     ours ? calls[i].call : NULL),
					 SQLITE_OK);
	}
}

/* Reads a recording that make_recording() made: @rows of them, each as it was written; or an error. */
static int read_numbered(uint32_t rows, struct mlsched_error *err)
{
	struct mls_recording_reader *reader;
	struct mls_recorded row;
	uint32_t n = 0;
	int ret = mls_recording_open(path, err, &reader);

	if (ret)
		return ret;
	while ((ret = mls_recording_next(reader, &row, err)) == 1) {
		struct mls_recorded written = numbered(++n);

		same_row(&written, &row);
	}
	if (ret == 0)
		ret = mls_recording_check(reader, err);
	if (ret == 0)
		assert_int_equal(n, rows);
	mls_recording_reader_close(reader);
	return ret;
}

static void rows_are_the_same_when_reads_come_in_pieces_or_are_interrupted(void **state)
{
	static const size_t pieces[] = { 1, 13, 1000, SIZE_MAX };

	(void)state;
	make_recording(300);
	set_reads_of_sqlite(true);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct mlsched_error err;

		read_all_at_once();
		reads.most = pieces[i];
		reads.interrupted = i % 2 != 0;
		if (read_numbered(300, &err) != 0)
			fail_msg("%zu bytes at a time: %s", pieces[i], err.message);
		/* The header, and then SQLite's pages. */
		assert_true(reads.n > 10);
		assert_true(reads.n_short > 10 || pieces[i] == SIZE_MAX);
	}
	read_all_at_once();
	set_reads_of_sqlite(false);
}

static void a_file_that_shrinks_while_it_is_read_is_an_error(void **state)
{
	long n_reads, n_refused;
	int ret;

	(void)state;
	make_recording(300);
	set_reads_of_sqlite(true);
	for (int k = 0; k < 2; k++) {
		const size_t most = k ? 1000 : SIZE_MAX;
		struct mlsched_error err = { 0 };

		read_all_at_once();
		reads.most = most;
		assert_int_equal(read_numbered(300, &err), 0);
		n_reads = reads.n;
		assert_true(n_reads > 10);
		n_refused = 0;
		for (long n = 0; n < n_reads; n++) {
			read_all_at_once();
			reads.most = most;
			reads.ends_at = n;
			ret = read_numbered(300, &err);
			/* SQLite asks now and then whether others have changed the file, too. */
			if (ret == 0)
				continue;
			n_refused++;
			assert_int_equal(err.code, ret);
			assert_non_null(strstr(err.message, path));
		}
		assert_true(n_refused > n_reads * 3 / 4);
	}
	read_all_at_once();
	set_reads_of_sqlite(false);
}

/* ---- bad files ---------------------------------------------------------------------------------------- */

static void refuses(int code, const char *words)
{
	struct mls_recording_reader *reader;
	struct mlsched_error err = { 0 };
	int ret = mls_recording_open(path, &err, &reader);

	if (ret != code || !strstr(err.message, words) || !strstr(err.message, path))
		fail_msg("expected %d and \"%s\", got %d: %s", code, words, ret, err.message);
}

static void put_file(const void *data, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(write(fd, data, n), n);
	close(fd);
}

static void put_at(long offset, const void *data, size_t n)
{
	int fd = open(path, O_WRONLY);

	assert_int_equal(pwrite(fd, data, n, offset), n);
	close(fd);
}

static void execute(const char *sql)
{
	char *message = NULL;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s", message);
	sqlite3_close(db);
}

static void what_is_no_recording_is_refused_with_place_and_contents(void **state)
{
	static const unsigned char newer[] = { 0, 0, 0, 2 }, none[4], other[] = { 1, 2, 3, 4 };

	(void)state;
	refuses(-ENOENT, "No such file");
	put_file("", 0);
	refuses(-EINVAL, "found an empty file");
	put_file("short", 5);
	refuses(-EINVAL, "header of 100 bytes, found a file of 5");
	put_file("time,pid\n1,2\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
		 110);
	refuses(-EINVAL,
		"offset 0: expected \"SQLite format 3\" of a SQLite file, found 74 69 6d 65");
	make_recording(1);
	put_at(60, newer, 4);
	refuses(-ENOTSUP, "offset 60: expected version 1 of the format or an older one, found 2");
	put_at(60, none, 4);
	refuses(-EINVAL, "offset 60: expected version 1 or later, found 0");
	put_at(68, other, 4);
	refuses(-EINVAL, "offset 68: expected application id 0x6d6c7372 of a recording, found "
			 "0x01020304");
	make_recording(1);
	execute("DROP VIEW readable; DROP TABLE decisions");
	refuses(-EINVAL, "not the tables of a recording: no such table: decisions");
	make_recording(1);
	execute("UPDATE sessions SET n_features = 33");
	refuses(-EBADMSG, "sessions, row 1, n_features: expected 1 to 32, found 33");
}

/* Whoever sends a recording may have made it: what it computes might have no end. */
static void what_is_computed_and_not_stored_is_refused(void **state)
{
	struct mls_recording_reader *reader;
	struct mlsched_error err = { 0 };
	uint64_t value;

	(void)state;
	make_recording(1);
	execute("DROP VIEW readable; DROP TABLE models; CREATE VIEW Models AS WITH RECURSIVE n(i) "
		"AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS session FROM n");
	refuses(-EINVAL, "Models: expected a table of a recording, found a view");
	make_recording(1);
	execute("DROP TABLE counters; CREATE TABLE counters(session, time, name, value AS "
		"(hex(zeroblob(100000000)))); INSERT INTO counters VALUES(1, 2, 'n')");
	assert_int_equal(mls_recording_open(path, &err, &reader), 0);
	assert_int_equal(mls_recording_value(reader, 1, "n", &value, &err), -EBADMSG);
	assert_non_null(strstr(err.message, "too big"));
	mls_recording_reader_close(reader);
}

static void what_is_no_file_is_refused_without_waiting(void **state)
{
	struct mls_recording *r;
	struct mlsched_error err;

	(void)state;
	/* Nobody will ever write to it. */
	assert_int_equal(mkfifo(path, 0600), 0);
	refuses(-EINVAL, "expected a regular file, found a device");
	assert_int_equal(mls_recording_create(path, true, &err, &r), -EINVAL);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	refuses(-EINVAL, "expected a regular file, found a directory");
	assert_int_equal(rmdir(path), 0);
}

/* Each is one row in the middle, whole for SQLite and wrong for us. */
static void rows_that_cannot_be_are_refused_by_number(void **state)
{
	static const struct {
		const char *sql;
		const char *words;
	} cases[] = {
		{ "kind = 99", "row 7, kind: expected 0 to 6, found 99" },
		{ "kind = 'x'", "row 7, kind: expected a whole number" },
		{ "src = -1", "row 7, src: expected 0 to 1023, found -1" },
		{ "session = 2", "row 7, session: expected 1 to 1, found 2" },
		{ "features = x'00'", "row 7, features: expected 10 float32, found 1 bytes" },
		{ "features = zeroblob(36) || x'0000807f'", "row 7, features: " },
		{ "comm = 'a name of more than 16 bytes'",
		  "row 7, comm: expected a text of up to" },
		{ "propensity = 0", "row 7, propensity: expected a number from" },
		{ "verdict = 2", "row 7, verdict: expected 0 to 1, found 2" },
		{ "observed = 1, wait = NULL", "row 7, wait: expected a whole number" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mls_recording_reader *reader;
		struct mlsched_error err = { 0 };
		struct mls_recorded row;
		char sql[128];
		int n = 0, ret;

		make_recording(10);
		snprintf(sql, sizeof(sql), "UPDATE decisions SET %s WHERE id = 7", cases[i].sql);
		execute(sql);
		assert_int_equal(mls_recording_open(path, NULL, &reader), 0);
		while ((ret = mls_recording_next(reader, &row, &err)) == 1)
			n++;
		mls_recording_reader_close(reader);
		if (n != 6 || ret != -EBADMSG || !strstr(err.message, cases[i].words))
			fail_msg("%s: %d rows, %d: %s", cases[i].sql, n, ret, err.message);
	}
}

/* Everything that a reader can be asked; 0, or the first error. */
static int read_all(struct mlsched_error *err)
{
	struct mls_recording_session session;
	struct mls_recording_reader *reader;
	struct mls_recording_model model;
	struct mls_recorded row;
	char name[64];
	uint64_t value;
	int ret = mls_recording_open(path, err, &reader);

	if (ret)
		return ret;
	for (uint32_t i = 0; (ret = mls_recording_session(reader, i, &session, err)) == 1; i++)
		;
	for (uint32_t i = 0; ret == 0 && i < 10; i++) {
		ret = mls_recording_feature(reader, 1, i, name, err);
		ret = ret > 0 ? 0 : ret;
	}
	while (ret == 0 && (ret = mls_recording_next_model(reader, &model, err)) == 1)
		ret = 0;
	if (ret == 0)
		ret = mls_recording_value(reader, 1, "lost", &value, err);
	ret = ret > 0 ? 0 : ret;
	while (ret == 0) {
		ret = mls_recording_next(reader, &row, err);
		if (ret == 0)
			break;
		ret = ret > 0 ? 0 : ret;
	}
	if (ret == 0)
		ret = mls_recording_check(reader, err);
	mls_recording_reader_close(reader);
	return ret;
}

static unsigned char *load(size_t *n)
{
	int fd = open(path, O_RDONLY);
	unsigned char *data;
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	data = malloc((size_t)st.st_size);
	*n = (size_t)st.st_size;
	assert_int_equal(read(fd, data, *n), *n);
	close(fd);
	return data;
}

static void a_file_that_is_cut_off_anywhere_is_refused(void **state)
{
	struct mls_random random;
	unsigned char *data;
	size_t n;

	(void)state;
	make_recording(300);
	data = load(&n);
	mls_random_seed(&random, 1, 0);
	for (int i = 0; i < 200; i++) {
		size_t cut = i < 101 ? (size_t)i : mls_random_below(&random, (uint32_t)n - 1);
		struct mlsched_error err = { 0 };

		remove_files();
		put_file(data, cut);
		if (read_all(&err) == 0)
			fail_msg("cut off at %zu of %zu: nothing was said", cut, n);
		assert_non_null(strstr(err.message, path));
	}
	free(data);
}

/* Bytes that no check can know to be wrong are read as they are; nothing else may happen. */
static void damage_anywhere_is_refused_or_read_and_nothing_else(void **state)
{
	uint64_t seed = (uint64_t)time(NULL);
	struct mls_random random;
	unsigned char *data, *copy;
	int refused = 0;
	size_t n;

	(void)state;
	print_message("# seed %llu\n", (unsigned long long)seed);
	make_recording(300);
	data = load(&n);
	copy = malloc(n);
	mls_random_seed(&random, seed, 0);
	for (int i = 0; i < 1000; i++) {
		uint32_t changes = 1 + mls_random_below(&random, 8);
		struct mlsched_error err = { 0 };

		memcpy(copy, data, n);
		for (uint32_t c = 0; c < changes; c++) {
			/* Half of them where the structure is: the first pages. */
			uint32_t most = mls_random_below(&random, 2) ? 8192 : (uint32_t)n;

			copy[mls_random_below(&random, most)] =
				(unsigned char)mls_random_next(&random);
		}
		remove_files();
		put_file(copy, n);
		if (read_all(&err) != 0) {
			assert_true(err.code < 0 && strstr(err.message, path));
			refused++;
		}
	}
	print_message("# %d of 1000 were refused\n", refused);
	assert_true(refused > 200);
	free(copy);
	free(data);
}

/* Whoever reads wants one; a file that is not there takes anything. */
static void sessions_of_several_schemas_do_not_go_into_one_file(void **state)
{
	struct mlsched_error err = { 0 };
	struct mls_recording *r;

	(void)state;
	assert_int_equal(mls_recording_takes(path, "mig15", &err), 0);
	r = begin(false);
	mls_recording_end(r, 1, NULL);
	mls_recording_close(r);
	assert_int_equal(mls_recording_takes(path, "seed10", &err), 0);
	assert_int_equal(mls_recording_takes(path, "mig15", &err), -EEXIST);
	assert_non_null(strstr(err.message,
			       "r.db: session 1: expected schema mig15 as of what is to go "
			       "behind it, found seed10"));
}

static void appending_to_what_is_no_recording_leaves_it_alone(void **state)
{
	static const char text[] = "time,pid\n1,2\n";
	struct mls_recording *r;
	struct mlsched_error err = { 0 };
	unsigned char *found;
	size_t n;

	(void)state;
	put_file(text, sizeof(text));
	assert_int_equal(mls_recording_create(path, true, &err, &r), -EINVAL);
	found = load(&n);
	assert_int_equal(n, sizeof(text));
	assert_memory_equal(found, text, n);
	free(found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(everything_comes_back_as_it_was_written, no_file),
		cmocka_unit_test_setup(a_file_that_exists_is_refused_without_append, no_file),
		cmocka_unit_test_setup(a_transaction_is_closed_after_a_quarter_of_a_second,
				       no_file),
		cmocka_unit_test_setup(a_tick_closes_it_when_nothing_comes, no_file),
		cmocka_unit_test_setup(who_is_killed_at_any_moment_loses_one_transaction, no_file),
		cmocka_unit_test_setup(a_full_queue_drops_and_counts, no_file),
		cmocka_unit_test_setup(a_file_that_cannot_be_written_is_told_and_counted, no_file),
		cmocka_unit_test_setup(
			rows_are_the_same_when_reads_come_in_pieces_or_are_interrupted, no_file),
		cmocka_unit_test_setup(a_file_that_shrinks_while_it_is_read_is_an_error, no_file),
		cmocka_unit_test_setup(what_is_no_recording_is_refused_with_place_and_contents,
				       no_file),
		cmocka_unit_test_setup(what_is_computed_and_not_stored_is_refused, no_file),
		cmocka_unit_test_setup(what_is_no_file_is_refused_without_waiting, no_file),
		cmocka_unit_test_setup(rows_that_cannot_be_are_refused_by_number, no_file),
		cmocka_unit_test_setup(a_file_that_is_cut_off_anywhere_is_refused, no_file),
		cmocka_unit_test_setup(damage_anywhere_is_refused_or_read_and_nothing_else,
				       no_file),
		cmocka_unit_test_setup(sessions_of_several_schemas_do_not_go_into_one_file,
				       no_file),
		cmocka_unit_test_setup(appending_to_what_is_no_recording_leaves_it_alone, no_file),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
