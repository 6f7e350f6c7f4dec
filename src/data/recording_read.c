// SPDX-License-Identifier: GPL-2.0
/*
 * The reader of recordings.  Whatever a file says of itself is looked at before it
 * is used: numbers by their ranges, texts and blobs by their lengths.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/data/recording_sql.h"
#include "src/util/array.h"
#include "src/util/error.h"

#define BUSY_MS 5000
/* Bytes of a text, of a blob, or of a row: none of ours has more than some hundred. */
#define LENGTH_MOST (1 << 20)
/* Sessions of one file. */
#define SESSIONS 100000

struct mls_recording_reader {
	sqlite3 *db;
	char *path;
	sqlite3_stmt *decisions;
	sqlite3_stmt *models;
	int64_t last; /* decision that was read */
	uint32_t n_sessions;
	uint8_t *n_features; /* of each session */
};

/* One column, and where it stands, for messages. */
struct place {
	const struct mls_recording_reader *r;
	sqlite3_stmt *s;
	const char *table;
	int64_t row;
	struct mlsched_error *err;
	int failed; /* the first of what was wrong */
};

static int64_t whole(struct place *p, int column, const char *name, int64_t low, int64_t high)
{
	int64_t value = sqlite3_column_int64(p->s, column);

	if (p->failed)
		return low;
	if (sqlite3_column_type(p->s, column) != SQLITE_INTEGER)
		p->failed = mls_error(p->err, -EBADMSG,
				      "%s: %s, row %" PRId64
				      ", %s: expected a whole number, found another type",
				      p->r->path, p->table, p->row, name);
	else if (value < low || value > high)
		p->failed = mls_error(p->err, -EBADMSG,
				      "%s: %s, row %" PRId64 ", %s: expected %" PRId64
				      " to %" PRId64 ", found %" PRId64,
				      p->r->path, p->table, p->row, name, low, high, value);
	return p->failed ? low : value;
}

static double real(struct place *p, int column, const char *name, double low, double high)
{
	double value = sqlite3_column_double(p->s, column);
	int type = sqlite3_column_type(p->s, column);

	if (p->failed)
		return low;
	if ((type != SQLITE_FLOAT && type != SQLITE_INTEGER) || !(value >= low && value <= high))
		p->failed = mls_error(p->err, -EBADMSG,
				      "%s: %s, row %" PRId64
				      ", %s: expected a number from %g to %g, found %g",
				      p->r->path, p->table, p->row, name, low, high, value);
	return p->failed ? low : value;
}

static void text(struct place *p, int column, const char *name, char *to, size_t size)
{
	const unsigned char *from = sqlite3_column_text(p->s, column);
	size_t n = from ? (size_t)sqlite3_column_bytes(p->s, column) : 0;

	to[0] = '\0';
	if (p->failed)
		return;
	if (!from || n > size) {
		p->failed = mls_error(p->err, -EBADMSG,
				      "%s: %s, row %" PRId64
				      ", %s: expected a text of up to %zu bytes, found %s",
				      p->r->path, p->table, p->row, name, size - 1,
				      from ? "a longer one" : "none");
		return;
	}
	memset(to, 0, size);
	memcpy(to, from, n);
}

/* As text(), with a zero behind it. */
static void string(struct place *p, int column, const char *name, char *to, size_t size)
{
	text(p, column, name, to, size - 1);
	to[size - 1] = '\0';
}

static int step(const struct mls_recording_reader *r, sqlite3_stmt *s, const char *what,
		struct mlsched_error *err)
{
	int result = sqlite3_step(s);

	if (result == SQLITE_ROW)
		return 1;
	return result == SQLITE_DONE ? 0 : mls_sql_error(r->db, result, r->path, what, err);
}

/* ---- opening ------------------------------------------------------------------------------- */

static int read_sessions(struct mls_recording_reader *r, struct mlsched_error *err)
{
	struct place p = { .r = r, .table = "sessions", .err = err };
	int ret = mls_sql_prepare(r->db, r->path,
				  "SELECT session, n_features FROM sessions ORDER BY session", &p.s,
				  err);

	while (!ret && (ret = step(r, p.s, "sessions", err)) == 1) {
		uint8_t *more;

		p.row = r->n_sessions + 1;
		whole(&p, 0, "session", p.row, p.row);
		more = realloc(r->n_features, r->n_sessions + 1);
		if (!more) {
			ret = mls_error(err, -ENOMEM, "%s: no memory for the sessions", r->path);
			break;
		}
		r->n_features = more;
		more[r->n_sessions++] =
			(uint8_t)whole(&p, 1, "n_features", 1, MLS_RECORDING_FEATURES);
		ret = p.failed;
		if (!ret && r->n_sessions == SESSIONS)
			ret = mls_error(err, -E2BIG, "%s: more than %d sessions", r->path,
					SESSIONS);
	}
	sqlite3_finalize(p.s);
	return ret;
}

/*
 * A view may have no end, and a virtual table is somebody's code: whoever asks for rows
 * gets what lies in the file, or nothing.
 */
static int check_tables(struct mls_recording_reader *r, struct mlsched_error *err)
{
	sqlite3_stmt *s;
	int ret = mls_sql_prepare(r->db, r->path,
				  "SELECT name,type FROM sqlite_master WHERE lower(name) IN "
				  "('sessions','features','cpus','models','counters','decisions') "
				  "AND (type<>'table' OR rootpage=0)",
				  &s, err);

	if (ret)
		return ret;
	ret = step(r, s, "its tables", err);
	if (ret == 1)
		ret = mls_error(err, -EINVAL,
				"%s: %.20s: expected a table of a recording, found a %s", r->path,
				sqlite3_column_text(s, 0),
				sqlite3_stricmp((const char *)sqlite3_column_text(s, 1), "view") ?
					"virtual one" :
					"view");
	sqlite3_finalize(s);
	return ret;
}

static int open_file(struct mls_recording_reader *r, struct mlsched_error *err)
{
	int ret = mls_recording_check_header(r->path, err), result;

	if (ret == 0)
		return mls_error(err, -EINVAL,
				 "%s: expected a recording, found an empty file: whoever made it "
				 "ended before it began",
				 r->path);
	if (ret < 0)
		return ret;
	result = sqlite3_open_v2(r->path, &r->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
	/* What others wrote into the schema of the file does not run as part of our queries. */
	if (!result)
		result = sqlite3_db_config(r->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	if (!result)
		result = sqlite3_db_config(r->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	if (!result)
		result = sqlite3_exec(r->db, "PRAGMA cell_size_check=ON", NULL, NULL, NULL);
	if (result)
		return mls_sql_error(r->db, result, r->path, "cannot open it", err);
	sqlite3_busy_timeout(r->db, BUSY_MS);
	/* Nor what it computes: a column may be an expression. */
	sqlite3_limit(r->db, SQLITE_LIMIT_LENGTH, LENGTH_MOST);
	ret = check_tables(r, err);
	if (ret)
		return ret;
	ret = mls_sql_prepare(r->db, r->path,
			      "SELECT id," MLS_RECORDING_COLUMNS " FROM decisions ORDER BY id",
			      &r->decisions, err);
	if (!ret)
		ret = mls_sql_prepare(r->db, r->path,
				      "SELECT session,time,mode,engine,path,schema,schema_version,"
				      "checksum,threshold FROM models ORDER BY rowid",
				      &r->models, err);
	return ret ? ret : read_sessions(r, err);
}

int mls_recording_open(const char *path, struct mlsched_error *err,
		       struct mls_recording_reader **reader)
{
	struct mls_recording_reader *r = calloc(1, sizeof(*r));
	int ret;

	if (!r)
		return mls_error(err, -ENOMEM, "%s: no memory", path);
	r->path = strdup(path);
	ret = r->path ? open_file(r, err) : mls_error(err, -ENOMEM, "%s: no memory", path);
	if (ret) {
		mls_recording_reader_close(r);
		return ret;
	}
	*reader = r;
	return 0;
}

/* ---- what is not a decision ------------------------------------------------------------------- */

int mls_recording_session(struct mls_recording_reader *r, uint32_t index,
			  struct mls_recording_session *out, struct mlsched_error *err)
{
	struct place p = { .r = r, .table = "sessions", .row = (int64_t)index + 1, .err = err };
	int ret;

	if (index >= r->n_sessions)
		return 0;
	ret = mls_sql_prepare(r->db, r->path,
			      "SELECT source,producer,kernel,machine,domains,wall,began,"
			      "coalesce(ended,0),window,schema,schema_version FROM sessions "
			      "WHERE session=?",
			      &p.s, err);
	if (ret)
		return ret;
	sqlite3_bind_int64(p.s, 1, p.row);
	ret = step(r, p.s, "sessions", err);
	if (ret == 1) {
		*out = (struct mls_recording_session){ .number = index + 1,
						       .n_features = r->n_features[index] };
		string(&p, 0, "source", out->source, sizeof(out->source));
		string(&p, 1, "producer", out->producer, sizeof(out->producer));
		string(&p, 2, "kernel", out->kernel, sizeof(out->kernel));
		string(&p, 3, "machine", out->machine, sizeof(out->machine));
		string(&p, 4, "domains", out->domains, sizeof(out->domains));
		out->wall = whole(&p, 5, "wall", INT64_MIN, INT64_MAX);
		out->began = (uint64_t)whole(&p, 6, "began", 0, INT64_MAX);
		out->ended = (uint64_t)whole(&p, 7, "ended", 0, INT64_MAX);
		out->window = (uint64_t)whole(&p, 8, "window", 0, INT64_MAX);
		string(&p, 9, "schema", out->schema, sizeof(out->schema));
		out->schema_version = (uint32_t)whole(&p, 10, "schema_version", 0, UINT32_MAX);
		ret = p.failed ? p.failed : 1;
	}
	sqlite3_finalize(p.s);
	return ret;
}

int mls_recording_feature(struct mls_recording_reader *r, uint32_t session, uint32_t position,
			  char name[64], struct mlsched_error *err)
{
	struct place p = { .r = r, .table = "features", .row = position, .err = err };
	int ret = mls_sql_prepare(r->db, r->path,
				  "SELECT name FROM features WHERE session=? AND position=?", &p.s,
				  err);

	if (ret)
		return ret;
	sqlite3_bind_int64(p.s, 1, session);
	sqlite3_bind_int64(p.s, 2, position);
	ret = step(r, p.s, "features", err);
	if (ret == 1) {
		string(&p, 0, "name", name, 64);
		ret = p.failed ? p.failed : 1;
	}
	sqlite3_finalize(p.s);
	return ret;
}

int mls_recording_next_model(struct mls_recording_reader *r, struct mls_recording_model *m,
			     struct mlsched_error *err)
{
	struct place p = { .r = r, .s = r->models, .table = "models", .err = err };
	int ret = step(r, r->models, "models", err);

	if (ret != 1)
		return ret;
	*m = (struct mls_recording_model){ 0 };
	m->session = (uint32_t)whole(&p, 0, "session", 1, r->n_sessions);
	m->time = (uint64_t)whole(&p, 1, "time", 0, INT64_MAX);
	string(&p, 2, "mode", m->mode, sizeof(m->mode));
	string(&p, 3, "engine", m->engine, sizeof(m->engine));
	string(&p, 4, "path", m->path, sizeof(m->path));
	string(&p, 5, "schema", m->schema, sizeof(m->schema));
	m->schema_version = (uint32_t)whole(&p, 6, "schema_version", 0, UINT32_MAX);
	m->checksum = (uint32_t)whole(&p, 7, "checksum", 0, UINT32_MAX);
	m->threshold = NAN;
	if (sqlite3_column_type(p.s, 8) != SQLITE_NULL)
		m->threshold = (float)real(&p, 8, "threshold", 0, 1);
	return p.failed ? p.failed : 1;
}

int mls_recording_cpus(struct mls_recording_reader *r, uint32_t session, uint32_t *n,
		       struct mlsched_error *err)
{
	struct place p = { .r = r, .table = "cpus", .row = session, .err = err };
	int ret = mls_sql_prepare(r->db, r->path,
				  "SELECT count(*) FROM cpus WHERE session=? AND online=1", &p.s,
				  err);

	if (ret)
		return ret;
	sqlite3_bind_int64(p.s, 1, session);
	ret = step(r, p.s, "cpus", err);
	if (ret == 1) {
		*n = (uint32_t)whole(&p, 0, "online", 0, MLS_RECORDING_CPUS);
		ret = p.failed;
	}
	sqlite3_finalize(p.s);
	return ret;
}

/* The first column of the first row about counters of a session, and of this name where @name is one. */
static int read_counter(struct mls_recording_reader *r, const char *sql, uint32_t session,
			const char *name, const char *what, uint64_t *value,
			struct mlsched_error *err)
{
	struct place p = { .r = r, .table = "counters", .err = err };
	int ret = mls_sql_prepare(r->db, r->path, sql, &p.s, err);

	if (ret)
		return ret;
	sqlite3_bind_int64(p.s, 1, session);
	if (name)
		sqlite3_bind_text(p.s, 2, name, -1, SQLITE_TRANSIENT);
	ret = step(r, p.s, "counters", err);
	if (ret == 1) {
		*value = (uint64_t)whole(&p, 0, what, 0, INT64_MAX);
		ret = p.failed ? p.failed : 1;
	}
	sqlite3_finalize(p.s);
	return ret;
}

int mls_recording_value(struct mls_recording_reader *r, uint32_t session, const char *name,
			uint64_t *value, struct mlsched_error *err)
{
	return read_counter(r,
			    "SELECT value FROM counters WHERE session=? AND name=? "
			    "ORDER BY time DESC, rowid DESC LIMIT 1",
			    session, name, name, value, err);
}

int mls_recording_takes(const char *path, const char *schema, struct mlsched_error *err)
{
	struct mls_recording_reader *reader;
	struct mls_recording_session s;
	int ret;

	if (access(path, F_OK) != 0)
		return 0;
	ret = mls_recording_open(path, err, &reader);
	if (ret)
		return ret;
	for (uint32_t i = 0; (ret = mls_recording_session(reader, i, &s, err)) == 1; i++)
		if (strcmp(s.schema, schema) != 0) {
			ret = mls_error(err, -EEXIST,
					"%s: session %u: expected schema %s as of what is to go "
					"behind it, found %s: record it into a file of its own",
					path, s.number, schema, s.schema);
			break;
		}
	mls_recording_reader_close(reader);
	return ret;
}

int mls_recording_seen(struct mls_recording_reader *r, uint32_t session, uint64_t *time,
		       struct mlsched_error *err)
{
	return read_counter(r,
			    "SELECT time FROM counters WHERE session=? ORDER BY time DESC LIMIT 1",
			    session, NULL, "time", time, err);
}

/* ---- decisions -------------------------------------------------------------------------------- */

static void read_features(struct place *p, int column, struct mls_recorded *row)
{
	const unsigned char *blob = sqlite3_column_blob(p->s, column);
	int n = sqlite3_column_bytes(p->s, column);

	if (p->failed)
		return;
	row->n_features = p->r->n_features[row->session - 1];
	if (sqlite3_column_type(p->s, column) != SQLITE_BLOB || n != 4 * (int)row->n_features) {
		p->failed = mls_error(p->err, -EBADMSG,
				      "%s: decisions, row %" PRId64
				      ", features: expected %u float32, found %d bytes",
				      p->r->path, p->row, row->n_features, n);
		return;
	}
	for (uint32_t i = 0; i < row->n_features; i++, blob += 4) {
		uint32_t bits = blob[0] | (uint32_t)blob[1] << 8 | (uint32_t)blob[2] << 16 |
				(uint32_t)blob[3] << 24;

		memcpy(&row->features[i], &bits, sizeof(bits));
		if (isfinite(row->features[i]))
			continue;
		p->failed = mls_error(p->err, -EBADMSG,
				      "%s: decisions, row %" PRId64
				      ", features: number %u is not finite",
				      p->r->path, p->row, i);
		return;
	}
}

/* Column 18 and those behind it; all are there or none. */
static void read_outcome(struct place *p, struct mls_recorded *row)
{
	row->followed = sqlite3_column_type(p->s, 18) != SQLITE_NULL;
	if (!row->followed)
		return;
	row->observed = (uint64_t)whole(p, 18, "observed", 0, INT64_MAX);
	row->wait = (uint64_t)whole(p, 19, "wait", 0, INT64_MAX);
	row->ran = whole(p, 20, "ran", 0, 1);
	row->ran_there = whole(p, 21, "ran_there", 0, 1);
	row->run_time = (uint64_t)whole(p, 22, "run_time", 0, INT64_MAX);
	row->moved = (uint64_t)whole(p, 23, "moved", 0, INT64_MAX);
	row->back = (uint64_t)whole(p, 24, "back", 0, INT64_MAX);
}

int mls_recording_next(struct mls_recording_reader *r, struct mls_recorded *row,
		       struct mlsched_error *err)
{
	struct place p = { .r = r, .s = r->decisions, .table = "decisions", .err = err };
	char where[64];
	int ret;

	snprintf(where, sizeof(where), "decisions behind row %" PRId64, r->last);
	ret = step(r, r->decisions, where, err);
	if (ret != 1)
		return ret;
	*row = (struct mls_recorded){ .id = sqlite3_column_int64(p.s, 0) };
	r->last = p.row = row->id;
	row->session = (uint32_t)whole(&p, 1, "session", 1, r->n_sessions);
	row->time = (uint64_t)whole(&p, 2, "time", 0, INT64_MAX);
	row->pid = (uint32_t)whole(&p, 3, "pid", 0, UINT32_MAX);
	row->tgid = (uint32_t)whole(&p, 4, "tgid", 0, UINT32_MAX);
	text(&p, 5, "comm", row->comm, sizeof(row->comm));
	row->kind = (uint8_t)whole(&p, 6, "kind", 0, MLS_RECORDED_KINDS - 1);
	row->src = (uint16_t)whole(&p, 7, "src", 0, MLS_RECORDING_CPUS - 1);
	row->dst = (uint16_t)whole(&p, 8, "dst", 0, MLS_RECORDING_CPUS - 1);
	row->locality = (uint8_t)whole(&p, 9, "locality", 0, MLS_RECORDED_LOCALITIES - 1);
	read_features(&p, 10, row);
	row->verdict = -1;
	if (sqlite3_column_type(p.s, 11) != SQLITE_NULL)
		row->verdict = (int8_t)whole(&p, 11, "verdict", 0, 1);
	row->logit = NAN;
	if (sqlite3_column_type(p.s, 12) != SQLITE_NULL)
		row->logit = (float)real(&p, 12, "logit", -1e30, 1e30);
	row->accepted = whole(&p, 13, "accepted", 0, 1);
	row->decider = (uint8_t)whole(&p, 14, "decider", 0, MLS_RECORDED_DECIDERS - 1);
	row->propensity = (float)real(&p, 15, "propensity", 1e-9, 1);
	row->result = (uint8_t)whole(&p, 16, "result", 0, MLS_RECORDED_RESULTS - 1);
	row->flags = (uint8_t)whole(&p, 17, "flags", 0, 255);
	read_outcome(&p, row);
	return p.failed ? p.failed : 1;
}

int mls_recording_check(struct mls_recording_reader *r, struct mlsched_error *err)
{
	const char *found;
	sqlite3_stmt *s;
	int ret = mls_sql_prepare(r->db, r->path, "PRAGMA integrity_check(1)", &s, err);

	if (ret)
		return ret;
	ret = step(r, s, "integrity_check", err);
	found = ret == 1 ? (const char *)sqlite3_column_text(s, 0) : NULL;
	if (ret >= 0 && (!found || strcmp(found, "ok") != 0))
		ret = mls_error(err, -EBADMSG, "%s: integrity_check: %.300s", r->path,
				found ? found : "no answer");
	sqlite3_finalize(s);
	return ret < 0 ? ret : 0;
}

void mls_recording_reader_close(struct mls_recording_reader *r)
{
	if (!r)
		return;
	sqlite3_finalize(r->decisions);
	sqlite3_finalize(r->models);
	sqlite3_close(r->db);
	free(r->n_features);
	free(r->path);
	free(r);
}
