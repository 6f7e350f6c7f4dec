// SPDX-License-Identifier: GPL-2.0
/*
 * The writer of recordings.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mlsched/schema.h>
#include <mlsched/version.h>

#include "src/data/recording_sql.h"
#include "src/util/array.h"
#include "src/util/error.h"

/* Of another process's checkpoint or read: longer than either takes. */
#define BUSY_MS 5000
/* 16 MiB: some seconds of decisions at 50,000 a second. */
#define CHECKPOINT_PAGES "4096"

struct mls_recording {
	sqlite3 *db;
	char *path;
	sqlite3_stmt *insert;
	sqlite3_stmt *insert_model;
	sqlite3_stmt *insert_counter;
	uint32_t session;
	uint32_t n_features;
	bool open; /* a transaction is */
	uint64_t opened;
	uint32_t rows; /* in it */
	int failed; /* writing has: nothing more is taken */
	uint32_t n_cpus;
	struct mls_recording_cpu cpus[MLS_RECORDING_CPUS];
};

static const char *const kind_names[MLS_RECORDED_KINDS] = {
	"wakeup", "fork", "steal", "periodic", "balance", "exec", "affinity",
};
static const char *const decider_names[MLS_RECORDED_DECIDERS] = {
	"kernel", "hard rule", "safety", "heuristic", "model", "explored",
};
static const char *const result_names[MLS_RECORDED_RESULTS] = {
	"under way", "moved", "refused", "raced", "replaced", "returned",
};
static const char *const locality_names[MLS_RECORDED_LOCALITIES] = {
	"core",
	"llc",
	"node",
	"far",
};

static const struct {
	const char *what;
	const char *const *names;
	unsigned int n;
} names[] = {
	{ "kind", kind_names, MLS_RECORDED_KINDS },
	{ "decider", decider_names, MLS_RECORDED_DECIDERS },
	{ "result", result_names, MLS_RECORDED_RESULTS },
	{ "locality", locality_names, MLS_RECORDED_LOCALITIES },
};

const char *mls_recorded_kind_name(unsigned int kind)
{
	return kind < MLS_RECORDED_KINDS ? kind_names[kind] : "unknown";
}

const char *mls_recorded_decider_name(unsigned int decider)
{
	return decider < MLS_RECORDED_DECIDERS ? decider_names[decider] : "unknown";
}

const char *mls_recorded_result_name(unsigned int result)
{
	return result < MLS_RECORDED_RESULTS ? result_names[result] : "unknown";
}

const char *mls_recorded_locality_name(unsigned int locality)
{
	return locality < MLS_RECORDED_LOCALITIES ? locality_names[locality] : "unknown";
}

static int sql_error(const struct mls_recording *r, int result, struct mlsched_error *err)
{
	return mls_sql_error(r->db, result, r->path, "cannot write", err);
}

static int execute(const struct mls_recording *r, const char *sql, struct mlsched_error *err)
{
	int result = sqlite3_exec(r->db, sql, NULL, NULL, NULL);

	return result ? sql_error(r, result, err) : 0;
}

static int run(const struct mls_recording *r, sqlite3_stmt *statement, struct mlsched_error *err)
{
	int result = sqlite3_step(statement);
	int ret = result == SQLITE_DONE ? 0 : sql_error(r, result, err);

	sqlite3_reset(statement);
	return ret;
}

static void bind_text(sqlite3_stmt *statement, int column, const char *text)
{
	sqlite3_bind_text(statement, column, text, -1, SQLITE_TRANSIENT);
}

/* ---- opening --------------------------------------------------------------------------- */

static int fill_names(const struct mls_recording *r, struct mlsched_error *err)
{
	sqlite3_stmt *s;
	int ret = mls_sql_prepare(r->db, r->path, "INSERT INTO names VALUES(?,?,?)", &s, err);

	for (size_t i = 0; i < ARRAY_SIZE(names) && !ret; i++) {
		for (unsigned int v = 0; v < names[i].n && !ret; v++) {
			bind_text(s, 1, names[i].what);
			sqlite3_bind_int(s, 2, (int)v);
			bind_text(s, 3, names[i].names[v]);
			ret = run(r, s, err);
		}
	}
	sqlite3_finalize(s);
	return ret;
}

/*
 * In one transaction of the old kind of journal: whoever is killed in it leaves an
 * empty file.  Afterwards the header stands in the file itself, not in the log.
 */
static int make_tables(const struct mls_recording *r, struct mlsched_error *err)
{
	char sql[160];
	int ret = execute(r, "BEGIN IMMEDIATE", err);

	snprintf(sql, sizeof(sql),
		 "PRAGMA application_id=%d; PRAGMA user_version=%d;"
		 "INSERT INTO meta VALUES('format','mlsched recording'),('version','%d')",
		 MLS_RECORDING_APPLICATION, MLS_RECORDING_VERSION, MLS_RECORDING_VERSION);
	if (!ret)
		ret = execute(r, mls_recording_tables, err);
	if (!ret)
		ret = execute(r, sql, err);
	if (!ret)
		ret = fill_names(r, err);
	return ret ? ret : execute(r, "COMMIT", err);
}

static int prepare(struct mls_recording *r, struct mlsched_error *err)
{
	int ret = mls_sql_prepare(r->db, r->path,
				  "INSERT INTO decisions(" MLS_RECORDING_COLUMNS
				  ") VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
				  &r->insert, err);

	if (!ret)
		ret = mls_sql_prepare(r->db, r->path,
				      "INSERT INTO models VALUES(?,?,?,?,?,?,?,?,?)",
				      &r->insert_model, err);
	if (!ret)
		ret = mls_sql_prepare(r->db, r->path, "INSERT INTO counters VALUES(?,?,?,?)",
				      &r->insert_counter, err);
	return ret;
}

/* 1: a recording is there; 0: nothing, or an empty file. */
static int look(const char *path, bool append, struct mlsched_error *err)
{
	int found = mls_recording_check_header(path, err);

	if (found == -ENOENT)
		return 0;
	if (found >= 0 && !append)
		return mls_error(err, -EEXIST,
				 "%s: the file exists; --append goes on behind what is in it",
				 path);
	return found;
}

int mls_recording_may_create(const char *path, bool append, struct mlsched_error *err)
{
	int found = look(path, append, err);

	return found < 0 ? found : 0;
}

static int open_file(struct mls_recording *r, bool append, struct mlsched_error *err)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, result, ret;
	int found = look(r->path, append, err);

	if (found < 0)
		return found;
	result = sqlite3_open_v2(r->path, &r->db, flags, NULL);
	if (result)
		return mls_sql_error(r->db, result, r->path, "cannot open it for writing", err);
	sqlite3_busy_timeout(r->db, BUSY_MS);
	ret = execute(r, "PRAGMA temp_store=MEMORY", err);
	if (!ret && !found)
		ret = make_tables(r, err);
	/*
	 * A commit is in the kernel when it returns, on the disk with the next checkpoint: an
	 * end of this process loses nothing of it, one of the machine leaves a file that is
	 * whole.  To wait for the disk four times a second would lose more decisions.
	 */
	if (!ret)
		ret = execute(r,
			      "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
			      "PRAGMA wal_autocheckpoint=" CHECKPOINT_PAGES,
			      err);
	return ret ? ret : prepare(r, err);
}

int mls_recording_create(const char *path, bool append, struct mlsched_error *err,
			 struct mls_recording **recording)
{
	struct mls_recording *r = calloc(1, sizeof(*r));
	int ret;

	if (!r)
		return mls_error(err, -ENOMEM, "%s: no memory", path);
	r->path = strdup(path);
	ret = r->path ? open_file(r, append, err) : mls_error(err, -ENOMEM, "%s: no memory", path);
	if (ret) {
		mls_recording_close(r);
		return ret;
	}
	*recording = r;
	return 0;
}

/* ---- transactions ------------------------------------------------------------------------ */

static int open_transaction(struct mls_recording *r, uint64_t now, struct mlsched_error *err)
{
	if (r->failed)
		return mls_error(err, r->failed, "%s: writing has failed before", r->path);
	if (r->open)
		return 0;
	r->failed = execute(r, "BEGIN IMMEDIATE", err);
	r->open = !r->failed;
	r->opened = now;
	r->rows = 0;
	return r->failed;
}

static int commit(struct mls_recording *r, struct mlsched_error *err)
{
	if (!r->open)
		return r->failed;
	r->failed = execute(r, "COMMIT", err);
	if (r->failed)
		sqlite3_exec(r->db, "ROLLBACK", NULL, NULL, NULL);
	r->open = false;
	return r->failed;
}

int mls_recording_tick(struct mls_recording *r, uint64_t now, struct mlsched_error *err)
{
	if (!r->open || (now - r->opened < MLS_RECORDING_INTERVAL && r->rows < MLS_RECORDING_BATCH))
		return r->failed ?
			       mls_error(err, r->failed, "%s: writing has failed before", r->path) :
			       0;
	return commit(r, err);
}

/* ---- sessions ------------------------------------------------------------------------------ */

static int add_features(const struct mls_recording *r, const struct mls_recording_session *s,
			struct mlsched_error *err)
{
	const struct mlsched_schema *schema = mlsched_schema_find(s->schema);
	sqlite3_stmt *insert;
	int ret = mls_sql_prepare(r->db, r->path, "INSERT INTO features VALUES(?,?,?,?)", &insert,
				  err);

	for (uint32_t i = 0; i < s->n_features && !ret; i++) {
		sqlite3_bind_int64(insert, 1, r->session);
		sqlite3_bind_int64(insert, 2, i);
		bind_text(insert, 3, schema->features[i].name);
		bind_text(insert, 4, schema->features[i].unit);
		ret = run(r, insert, err);
	}
	sqlite3_finalize(insert);
	return ret;
}

static int add_cpus(const struct mls_recording *r, struct mlsched_error *err)
{
	sqlite3_stmt *insert;
	int ret = mls_sql_prepare(r->db, r->path, "INSERT INTO cpus VALUES(?,?,?,?,?,?,?)", &insert,
				  err);

	for (uint32_t i = 0; i < r->n_cpus && !ret; i++) {
		const struct mls_recording_cpu *c = &r->cpus[i];
		const int values[] = { c->cpu, c->online, c->core, c->llc, c->node, c->domain };

		sqlite3_bind_int64(insert, 1, r->session);
		for (int v = 0; v < (int)ARRAY_SIZE(values); v++)
			sqlite3_bind_int(insert, v + 2, values[v]);
		ret = run(r, insert, err);
	}
	sqlite3_finalize(insert);
	return ret;
}

static int add_session(struct mls_recording *r, const struct mls_recording_session *s,
		       struct mlsched_error *err)
{
	sqlite3_stmt *insert;
	int ret = mls_sql_prepare(r->db, r->path,
				  "INSERT INTO sessions VALUES(NULL,?,?,?,?,?,?,?,NULL,?,?,?,?)",
				  &insert, err);

	if (ret)
		return ret;
	bind_text(insert, 1, s->source);
	bind_text(insert, 2, s->producer);
	bind_text(insert, 3, s->kernel);
	bind_text(insert, 4, s->machine);
	bind_text(insert, 5, s->domains);
	sqlite3_bind_int64(insert, 6, s->wall);
	sqlite3_bind_int64(insert, 7, (int64_t)s->began);
	sqlite3_bind_int64(insert, 8, (int64_t)s->window);
	bind_text(insert, 9, s->schema);
	sqlite3_bind_int64(insert, 10, s->schema_version);
	sqlite3_bind_int64(insert, 11, s->n_features);
	ret = run(r, insert, err);
	sqlite3_finalize(insert);
	r->session = (uint32_t)sqlite3_last_insert_rowid(r->db);
	return ret;
}

int mls_recording_begin(struct mls_recording *r, struct mls_recording_session *session,
			const struct mls_recording_cpu *cpus, uint32_t n_cpus,
			struct mlsched_error *err)
{
	const struct mlsched_schema *schema = mlsched_schema_find(session->schema);
	int ret;

	if (!schema || schema->n_features > MLS_RECORDING_FEATURES)
		return mls_error(err, -EINVAL,
				 "%s: schema \"%s\" is unknown or has more than %d inputs", r->path,
				 session->schema, MLS_RECORDING_FEATURES);
	if (n_cpus > MLS_RECORDING_CPUS)
		return mls_error(err, -E2BIG, "%s: expected at most %d CPUs, got %u", r->path,
				 MLS_RECORDING_CPUS, n_cpus);
	session->schema_version = schema->version;
	session->n_features = r->n_features = schema->n_features;
	if (!session->producer[0])
		snprintf(session->producer, sizeof(session->producer), "mlsched %s",
			 mlsched_version());
	r->n_cpus = n_cpus;
	memcpy(r->cpus, cpus, n_cpus * sizeof(*cpus));
	ret = open_transaction(r, session->began, err);
	if (!ret)
		ret = add_session(r, session, err);
	if (!ret)
		ret = add_features(r, session, err);
	if (!ret)
		ret = add_cpus(r, err);
	session->number = r->session;
	/* At once: from here on an end at any moment leaves a session. */
	return ret ? ret : commit(r, err);
}

int mls_recording_model(struct mls_recording *r, const struct mls_recording_model *m,
			struct mlsched_error *err)
{
	sqlite3_stmt *s = r->insert_model;
	int ret = open_transaction(r, m->time, err);

	if (ret)
		return ret;
	sqlite3_bind_int64(s, 1, r->session);
	sqlite3_bind_int64(s, 2, (int64_t)m->time);
	bind_text(s, 3, m->mode);
	bind_text(s, 4, m->engine);
	bind_text(s, 5, m->path);
	bind_text(s, 6, m->schema);
	sqlite3_bind_int64(s, 7, m->schema_version);
	sqlite3_bind_int64(s, 8, m->checksum);
	/* NaN becomes NULL. */
	sqlite3_bind_double(s, 9, (double)m->threshold);
	return r->failed = run(r, s, err);
}

int mls_recording_counter(struct mls_recording *r, uint64_t time, const char *name, uint64_t value,
			  struct mlsched_error *err)
{
	sqlite3_stmt *s = r->insert_counter;
	int ret = open_transaction(r, time, err);

	if (ret)
		return ret;
	sqlite3_bind_int64(s, 1, r->session);
	sqlite3_bind_int64(s, 2, (int64_t)time);
	bind_text(s, 3, name);
	sqlite3_bind_int64(s, 4, (int64_t)value);
	return r->failed = run(r, s, err);
}

/* ---- decisions ------------------------------------------------------------------------------ */

static uint8_t locality_of(const struct mls_recording *r, const struct mls_recorded *row)
{
	const struct mls_recording_cpu *a, *b;

	if (row->src >= r->n_cpus || row->dst >= r->n_cpus)
		return MLS_RECORDED_FAR;
	a = &r->cpus[row->src];
	b = &r->cpus[row->dst];
	return a->core == b->core ? MLS_RECORDED_SAME_CORE :
	       a->llc == b->llc   ? MLS_RECORDED_SAME_LLC :
	       a->node == b->node ? MLS_RECORDED_SAME_NODE :
				    MLS_RECORDED_FAR;
}

static int check_row(const struct mls_recording *r, const struct mls_recorded *row,
		     struct mlsched_error *err)
{
	if (row->n_features != r->n_features)
		return mls_error(err, -EINVAL, "%s: expected %u features, got %u", r->path,
				 r->n_features, row->n_features);
	if (row->kind >= MLS_RECORDED_KINDS || row->decider >= MLS_RECORDED_DECIDERS ||
	    row->result >= MLS_RECORDED_RESULTS || row->verdict < -1 || row->verdict > 1 ||
	    !(row->propensity > 0 && row->propensity <= 1))
		return mls_error(err, -EINVAL,
				 "%s: kind %u, decider %u, result %u, verdict %d or propensity %g "
				 "is out of range",
				 r->path, row->kind, row->decider, row->result, row->verdict,
				 (double)row->propensity);
	return 0;
}

static void bind_outcome(sqlite3_stmt *s, const struct mls_recorded *row)
{
	const int64_t values[] = {
		(int64_t)row->observed, (int64_t)row->wait,  row->ran,           row->ran_there,
		(int64_t)row->run_time, (int64_t)row->moved, (int64_t)row->back,
	};

	for (int i = 0; i < (int)ARRAY_SIZE(values); i++) {
		if (row->followed)
			sqlite3_bind_int64(s, 18 + i, values[i]);
		else
			sqlite3_bind_null(s, 18 + i);
	}
}

/* Inputs as little-endian float32, whatever the machine is. */
static int pack_features(const struct mls_recorded *row, unsigned char *blob)
{
	for (uint32_t i = 0; i < row->n_features; i++) {
		uint32_t bits;

		memcpy(&bits, &row->features[i], sizeof(bits));
		for (int b = 0; b < 4; b++)
			*blob++ = (unsigned char)(bits >> 8 * b);
	}
	return 4 * (int)row->n_features;
}

int mls_recording_add(struct mls_recording *r, const struct mls_recorded *row, uint64_t now,
		      struct mlsched_error *err)
{
	unsigned char blob[4 * MLS_RECORDING_FEATURES];
	sqlite3_stmt *s = r->insert;
	int ret = check_row(r, row, err);

	if (!ret)
		ret = open_transaction(r, now, err);
	if (ret)
		return ret;
	sqlite3_bind_int64(s, 1, r->session);
	sqlite3_bind_int64(s, 2, (int64_t)row->time);
	sqlite3_bind_int64(s, 3, row->pid);
	sqlite3_bind_int64(s, 4, row->tgid);
	/* Any bytes: a reader takes them as they are. */
	sqlite3_bind_text(s, 5, row->comm, (int)strnlen(row->comm, sizeof(row->comm)),
			  SQLITE_STATIC);
	sqlite3_bind_int(s, 6, row->kind);
	sqlite3_bind_int(s, 7, row->src);
	sqlite3_bind_int(s, 8, row->dst);
	sqlite3_bind_int(s, 9, locality_of(r, row));
	sqlite3_bind_blob(s, 10, blob, pack_features(row, blob), SQLITE_STATIC);
	if (row->verdict >= 0)
		sqlite3_bind_int(s, 11, row->verdict);
	else
		sqlite3_bind_null(s, 11);
	/* NaN becomes NULL. */
	sqlite3_bind_double(s, 12, (double)row->logit);
	sqlite3_bind_int(s, 13, row->accepted);
	sqlite3_bind_int(s, 14, row->decider);
	sqlite3_bind_double(s, 15, (double)row->propensity);
	sqlite3_bind_int(s, 16, row->result);
	sqlite3_bind_int(s, 17, row->flags);
	bind_outcome(s, row);
	r->rows++;
	r->failed = run(r, s, err);
	return r->failed ? r->failed : mls_recording_tick(r, now, err);
}

int mls_recording_end(struct mls_recording *r, uint64_t now, struct mlsched_error *err)
{
	sqlite3_stmt *s;
	int ret = open_transaction(r, now, err);

	if (!ret)
		ret = mls_sql_prepare(r->db, r->path, "UPDATE sessions SET ended=? WHERE session=?",
				      &s, err);
	if (ret)
		return ret;
	sqlite3_bind_int64(s, 1, (int64_t)now);
	sqlite3_bind_int64(s, 2, r->session);
	ret = run(r, s, err);
	sqlite3_finalize(s);
	if (!ret)
		ret = commit(r, err);
	/*
	 * Everything into the file itself, which from here on needs no others beside it.  Whoever
	 * reads it just now keeps it from that, and then its log stays: no failure.  No journal on
	 * disk, because we may no longer make files; what it would guard is one page.
	 */
	if (!ret)
		sqlite3_exec(r->db,
			     "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA busy_timeout=0;"
			     "PRAGMA journal_mode=MEMORY",
			     NULL, NULL, NULL);
	return ret;
}

void mls_recording_close(struct mls_recording *r)
{
	if (!r)
		return;
	sqlite3_finalize(r->insert);
	sqlite3_finalize(r->insert_model);
	sqlite3_finalize(r->insert_counter);
	sqlite3_close(r->db);
	free(r->path);
	free(r);
}
