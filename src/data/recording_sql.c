// SPDX-License-Identifier: GPL-2.0
/*
 * The tables of a recording, its header, and what SQLite's errors mean to us.
 * docs/recordings.md describes every column.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/data/recording_sql.h"
#include "src/util/error.h"
#include "src/util/read.h"

/* Of SQLite's file format: https://sqlite.org/fileformat.html, section 1.3. */
#define HEADER_SIZE        100
#define HEADER_VERSION     60
#define HEADER_APPLICATION 68
static const char magic[16] = "SQLite format 3";

const char mls_recording_tables[] =
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE names(what TEXT, value INTEGER, name TEXT NOT NULL,"
	" PRIMARY KEY(what, value)) WITHOUT ROWID;"
	"CREATE TABLE sessions(session INTEGER PRIMARY KEY, source TEXT NOT NULL,"
	" producer TEXT NOT NULL, kernel TEXT NOT NULL, machine TEXT NOT NULL,"
	" domains TEXT NOT NULL, wall INTEGER NOT NULL, began INTEGER NOT NULL, ended INTEGER,"
	" window INTEGER NOT NULL, schema TEXT NOT NULL, schema_version INTEGER NOT NULL,"
	" n_features INTEGER NOT NULL);"
	"CREATE TABLE features(session INTEGER, position INTEGER, name TEXT NOT NULL,"
	" unit TEXT NOT NULL, PRIMARY KEY(session, position)) WITHOUT ROWID;"
	"CREATE TABLE cpus(session INTEGER, cpu INTEGER, online INTEGER NOT NULL,"
	" core INTEGER NOT NULL, llc INTEGER NOT NULL, node INTEGER NOT NULL,"
	" domain INTEGER NOT NULL, PRIMARY KEY(session, cpu)) WITHOUT ROWID;"
	"CREATE TABLE models(session INTEGER NOT NULL, time INTEGER NOT NULL, mode TEXT NOT NULL,"
	" engine TEXT NOT NULL, path TEXT NOT NULL, schema TEXT NOT NULL,"
	" schema_version INTEGER NOT NULL, checksum INTEGER NOT NULL, threshold REAL);"
	"CREATE TABLE counters(session INTEGER NOT NULL, time INTEGER NOT NULL, name TEXT NOT NULL,"
	" value INTEGER NOT NULL);"
	"CREATE TABLE decisions(id INTEGER PRIMARY KEY, session INTEGER NOT NULL,"
	" time INTEGER NOT NULL, pid INTEGER NOT NULL, tgid INTEGER NOT NULL, comm TEXT NOT NULL,"
	" kind INTEGER NOT NULL, src INTEGER NOT NULL, dst INTEGER NOT NULL,"
	" locality INTEGER NOT NULL, features BLOB NOT NULL, verdict INTEGER, logit REAL,"
	" accepted INTEGER NOT NULL, decider INTEGER NOT NULL, propensity REAL NOT NULL,"
	" result INTEGER NOT NULL, flags INTEGER NOT NULL, observed INTEGER, wait INTEGER,"
	" ran INTEGER, ran_there INTEGER, run_time INTEGER, moved INTEGER, back INTEGER);"
	"CREATE VIEW readable AS SELECT d.id, d.session, (d.time - s.began) / 1e9 AS seconds, d.pid,"
	" d.comm, k.name AS kind, d.src, d.dst, l.name AS locality, d.verdict, d.logit, d.accepted,"
	" w.name AS decider, d.propensity, r.name AS result, d.observed / 1e6 AS observed_ms,"
	" d.wait / 1e6 AS wait_ms, d.run_time / 1e6 AS run_ms, d.moved / 1e6 AS moved_ms,"
	" d.back / 1e6 AS back_ms FROM decisions d JOIN sessions s USING(session)"
	" LEFT JOIN names k ON k.what = 'kind' AND k.value = d.kind"
	" LEFT JOIN names l ON l.what = 'locality' AND l.value = d.locality"
	" LEFT JOIN names w ON w.what = 'decider' AND w.value = d.decider"
	" LEFT JOIN names r ON r.what = 'result' AND r.value = d.result;";

int mls_sql_error(sqlite3 *db, int result, const char *path, const char *what,
		  struct mlsched_error *err)
{
	static const struct {
		int result;
		int code;
	} codes[] = {
		{ SQLITE_PERM, -EACCES },     { SQLITE_BUSY, -EBUSY },
		{ SQLITE_LOCKED, -EBUSY },    { SQLITE_NOMEM, -ENOMEM },
		{ SQLITE_READONLY, -EROFS },  { SQLITE_FULL, -ENOSPC },
		{ SQLITE_CANTOPEN, -EACCES }, { SQLITE_CORRUPT, -EBADMSG },
		{ SQLITE_NOTADB, -EBADMSG },  { SQLITE_SCHEMA, -EINVAL },
		{ SQLITE_ERROR, -EINVAL },    { SQLITE_TOOBIG, -EBADMSG },
	};
	int code = -EIO;

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (codes[i].result == (result & 0xff))
			code = codes[i].code;
	}
	return mls_error(err, code, "%s: %s: %s", path, what,
			 db ? sqlite3_errmsg(db) : sqlite3_errstr(result));
}

int mls_sql_prepare(sqlite3 *db, const char *path, const char *sql, sqlite3_stmt **statement,
		    struct mlsched_error *err)
{
	int result = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL);

	return result ? mls_sql_error(db, result, path, "not the tables of a recording", err) : 0;
}

static uint32_t big_endian(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int check_header(const char *path, const unsigned char *h, ssize_t n,
			struct mlsched_error *err)
{
	if (n < HEADER_SIZE)
		return mls_error(
			err, -EINVAL,
			"%s: expected a recording, which has a header of %d bytes, found a "
			"file of %zd",
			path, HEADER_SIZE, n);
	if (memcmp(h, magic, sizeof(magic)) != 0)
		return mls_error(err, -EINVAL,
				 "%s: offset 0: expected \"%s\" of a SQLite file, found "
				 "%02x %02x %02x %02x ...",
				 path, magic, h[0], h[1], h[2], h[3]);
	if (big_endian(h + HEADER_APPLICATION) != MLS_RECORDING_APPLICATION)
		return mls_error(err, -EINVAL,
				 "%s: offset %d: expected application id 0x%08x of a recording, "
				 "found 0x%08x: another program's SQLite file",
				 path, HEADER_APPLICATION, MLS_RECORDING_APPLICATION,
				 big_endian(h + HEADER_APPLICATION));
	if (big_endian(h + HEADER_VERSION) > MLS_RECORDING_VERSION)
		return mls_error(
			err, -ENOTSUP,
			"%s: offset %d: expected version %d of the format or an older one, "
			"found %u: a newer mlsched made it",
			path, HEADER_VERSION, MLS_RECORDING_VERSION,
			big_endian(h + HEADER_VERSION));
	if (big_endian(h + HEADER_VERSION) < 1)
		return mls_error(err, -EINVAL,
				 "%s: offset %d: expected version 1 or later, found 0", path,
				 HEADER_VERSION);
	return 1;
}

int mls_recording_check_header(const char *path, struct mlsched_error *err)
{
	unsigned char header[HEADER_SIZE];
	/* O_NONBLOCK: a FIFO is refused, not waited for. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return mls_error(err, -errno, "%s: %s", path, strerror(errno));
	n = fstat(fd, &st) == 0 ? 0 : -errno;
	if (!n && S_ISREG(st.st_mode))
		n = mls_read_at(fd, header, sizeof(header), 0);
	close(fd);
	if (n < 0)
		return mls_error(err, (int)n, "%s: %s", path, strerror((int)-n));
	if (!S_ISREG(st.st_mode))
		return mls_error(err, -EINVAL, "%s: expected a regular file, found %s", path,
				 S_ISDIR(st.st_mode) ? "a directory" : "a device");
	return n ? check_header(path, header, n, err) : 0;
}
