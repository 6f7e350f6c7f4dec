// SPDX-License-Identifier: GPL-2.0
/*
 * Feeds recordings to everything that reads them: the reader itself, the labels, the
 * off-policy estimate, and the replay in the simulator.
 *
 * The first byte of an input is 'r': the rest is a file of SQLite, byte for byte; or else
 * what follows is done to a small recording, which so stays a file that SQLite can read:
 *
 *	u TABLE COLUMN ROW VALUE  another value (bytes: numbers in a table's lists below)
 *	d TABLE ROW               no such row
 *	i ROW                     the decision again, as a new one
 *	s SQL \n                  a statement, which may change what the tables are
 *
 * VALUE is one of: 0 (null); i and 8 bytes; b and one byte: an integer; f and 8 bytes: a
 * float64; t, length and a text; x, length and bytes.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>

#include "src/data/label.h"
#include "src/data/offpolicy.h"
#include "src/data/recording_sql.h"
#include "src/sim/replay.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST_CHANGES 200
#define MOST_FILE    ((size_t)1 << 20)

/* ---- where the file lies: SQLite wants a path ----------------------------------------------- */

static char directory[] = "/tmp/fuzz-recording-XXXXXX";
static char path[sizeof(directory) + 16];

static void remove_files(void)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
}

static void remove_directory(void)
{
	remove_files();
	rmdir(directory);
}

static void put_file(const void *data, size_t size)
{
	FILE *file;

	if (!path[0]) {
		must(mkdtemp(directory));
		atexit(remove_directory);
		snprintf(path, sizeof(path), "%s/fuzz.db", directory);
	}
	remove_files();
	file = fopen(path, "wb");
	must(file);
	must(fwrite(data, 1, size, file) == size);
	must(fclose(file) == 0);
}

/* ---- a small recording --------------------------------------------------------------------- */

static const char rows[] =
	"PRAGMA application_id=0x6d6c7372; PRAGMA user_version=1;"
	"INSERT INTO sessions VALUES(1,'scx','mlsched 0.1.0','6.18.15','x86_64','two',17,1000,"
	"900000000,100000000,'seed10',1,10);"
	"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE i<9)"
	" INSERT INTO features SELECT 1,i,'f'||i,'' FROM n;"
	"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE i<3)"
	" INSERT INTO cpus SELECT 1,i,1,i,i/2,0,i/2 FROM n;"
	"INSERT INTO models VALUES(1,1000,'active','kernel','/m','seed10',1,77,0.5);"
	"INSERT INTO counters VALUES(1,2000,'recording.written',24),(1,2000,'kernel.lost',0);"
	"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<24)"
	" INSERT INTO decisions SELECT i,1,i*30000000,10+i%3,10+i%3,'task'||(i%3),i%4,i%4,(i+2)%4,"
	"i%3,zeroblob(40),i%2,0.5,i%2,4,0.9,1,0,90000000,1000000*(i%5),1,1,20000000,0,0 FROM n;";

/* What a description of changes names by numbers. */
static const struct {
	const char *table;
	const char *columns[26];
} tables[] = {
	{ "decisions",
	  { "id",        "session",    "time",     "pid",      "tgid",     "comm",  "kind",
	    "src",       "dst",        "locality", "features", "verdict",  "logit", "accepted",
	    "decider",   "propensity", "result",   "flags",    "observed", "wait",  "ran",
	    "ran_there", "run_time",   "moved",    "back" } },
	{ "sessions",
	  { "session", "source", "producer", "kernel", "machine", "domains", "wall", "began",
	    "ended", "window", "schema", "schema_version", "n_features" } },
	{ "features", { "session", "position", "name", "unit" } },
	{ "cpus", { "session", "cpu", "online", "core", "llc", "node", "domain" } },
	{ "models",
	  { "session", "time", "mode", "engine", "path", "schema", "schema_version", "checksum",
	    "threshold" } },
	{ "counters", { "session", "time", "name", "value" } },
};

#define N_TABLES (sizeof(tables) / sizeof(tables[0]))

static size_t count_columns(size_t table)
{
	size_t n = 0;

	while (tables[table].columns[n])
		n++;
	return n;
}

/* No statement may touch another file. */
static int authorize(void *context, int what, const char *a, const char *b, const char *c,
		     const char *d)
{
	(void)context;
	(void)a;
	(void)b;
	(void)c;
	(void)d;
	return what == SQLITE_ATTACH || what == SQLITE_DETACH ? SQLITE_DENY : SQLITE_OK;
}

/* Nor take long: this is not what is tried here. */
static int stop(void *context)
{
	(void)context;
	return 1;
}

static sqlite3 *make_recording(void)
{
	sqlite3 *db;

	must(sqlite3_open(":memory:", &db) == SQLITE_OK);
	must(sqlite3_exec(db, mls_recording_tables, NULL, NULL, NULL) == SQLITE_OK);
	must(sqlite3_exec(db, rows, NULL, NULL, NULL) == SQLITE_OK);
	sqlite3_set_authorizer(db, authorize, NULL);
	sqlite3_progress_handler(db, 20000, stop, NULL);
	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 1 << 16);
	return db;
}

/* ---- changes --------------------------------------------------------------------------------- */

struct input {
	const uint8_t *at;
	size_t left;
};

static uint8_t byte(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->at++;
}

static uint64_t eight_bytes(struct input *in)
{
	uint64_t value = 0;

	for (int i = 0; i < 8; i++)
		value |= (uint64_t)byte(in) << 8 * i;
	return value;
}

static void bind_value(struct input *in, sqlite3_stmt *s, int place)
{
	uint8_t kind = byte(in), n;
	uint64_t bits;
	double real;

	switch (kind) {
	case 'i':
		sqlite3_bind_int64(s, place, (int64_t)eight_bytes(in));
		break;
	case 'b':
		sqlite3_bind_int64(s, place, (int8_t)byte(in));
		break;
	case 'f':
		bits = eight_bytes(in);
		memcpy(&real, &bits, sizeof(real));
		sqlite3_bind_double(s, place, real);
		break;
	case 't':
	case 'x':
		n = byte(in);
		n = n < in->left ? n : (uint8_t)in->left;
		if (kind == 't')
			sqlite3_bind_text(s, place, (const char *)in->at, n, SQLITE_TRANSIENT);
		else
			sqlite3_bind_blob(s, place, in->at, n, SQLITE_TRANSIENT);
		in->at += n;
		in->left -= n;
		break;
	}
}

/* Statements fail where others have changed the tables: then nothing changes. */
static void run(sqlite3_stmt *s)
{
	if (s)
		sqlite3_step(s);
	sqlite3_finalize(s);
}

static sqlite3_stmt *prepare(sqlite3 *db, char *sql)
{
	sqlite3_stmt *s = NULL;

	must(sql);
	sqlite3_prepare_v2(db, sql, -1, &s, NULL);
	sqlite3_free(sql);
	return s;
}

/* Tables without row numbers: the row by one of their columns. */
static const char *key_of(size_t table)
{
	return strcmp(tables[table].table, "features") == 0 ? "position" :
	       strcmp(tables[table].table, "cpus") == 0     ? "cpu" :
							      "rowid";
}

static void update(struct input *in, sqlite3 *db)
{
	size_t table = byte(in) % N_TABLES, column = byte(in) % count_columns(table);
	int row = byte(in);
	sqlite3_stmt *s =
		prepare(db, sqlite3_mprintf("UPDATE %s SET %s=? WHERE %s=%d", tables[table].table,
					    tables[table].columns[column], key_of(table), row));

	if (s)
		bind_value(in, s, 1);
	run(s);
}

static void delete_row(struct input *in, sqlite3 *db)
{
	size_t table = byte(in) % N_TABLES;

	run(prepare(db, sqlite3_mprintf("DELETE FROM %s WHERE %s=%d", tables[table].table,
					key_of(table), byte(in))));
}

static void insert_row(struct input *in, sqlite3 *db)
{
	run(prepare(db, sqlite3_mprintf("INSERT INTO decisions SELECT (SELECT max(id)+1 FROM "
					"decisions)," MLS_RECORDING_COLUMNS
					" FROM decisions WHERE id=%d",
					byte(in))));
}

static void statement(struct input *in, sqlite3 *db)
{
	const uint8_t *end = memchr(in->at, '\n', in->left);
	size_t n = end ? (size_t)(end - in->at) : in->left;
	char *sql = strndup((const char *)in->at, n);

	must(sql);
	sqlite3_exec(db, sql, NULL, NULL, NULL);
	free(sql);
	in->at += n;
	in->left -= n;
}

static void change(struct input *in, sqlite3 *db)
{
	for (int i = 0; in->left && i < MOST_CHANGES; i++) {
		switch (byte(in)) {
		case 'u':
			update(in, db);
			break;
		case 'd':
			delete_row(in, db);
			break;
		case 'i':
			insert_row(in, db);
			break;
		case 's':
			statement(in, db);
			break;
		}
	}
}

static bool make_file(struct input *in)
{
	sqlite3 *db = make_recording();
	sqlite3_int64 size = 0;
	unsigned char *content;
	bool fits;

	change(in, db);
	/* What has been left open. */
	sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	content = sqlite3_serialize(db, "main", &size, 0);
	fits = content && (size_t)size <= MOST_FILE;
	if (fits)
		put_file(content, (size_t)size);
	sqlite3_free(content);
	sqlite3_close(db);
	return fits;
}

/* ---- reading ---------------------------------------------------------------------------------- */

static void check_failure(int ret, const struct mlsched_error *err)
{
	check_message(ret, err);
	/* There is memory, nobody else writes, and what a file holds is no failure of the disk. */
	must(ret != -ENOMEM && ret != -EIO && ret != -EBUSY);
}

static void check_decision(const struct mls_recorded *d)
{
	must(d->session >= 1 && d->kind < MLS_RECORDED_KINDS);
	must(d->decider < MLS_RECORDED_DECIDERS && d->result < MLS_RECORDED_RESULTS);
	must(d->locality < MLS_RECORDED_LOCALITIES);
	must(d->src < MLS_RECORDING_CPUS && d->dst < MLS_RECORDING_CPUS);
	must(d->n_features >= 1 && d->n_features <= MLS_RECORDING_FEATURES);
	for (uint32_t i = 0; i < d->n_features; i++)
		must(isfinite(d->features[i]));
	must(d->propensity > 0 && d->propensity <= 1);
	must(isnan(d->logit) || fabsf(d->logit) <= 1.1e30f);
	must(d->verdict >= -1 && d->verdict <= 1);
}

static int read_session(struct mls_recording_reader *r, uint32_t index, struct mlsched_error *err)
{
	struct mls_recording_session session;
	uint32_t n_cpus;
	uint64_t value;
	char name[64];
	int ret = mls_recording_session(r, index, &session, err);

	if (ret != 1)
		return ret;
	must(session.number == index + 1);
	for (uint32_t i = 0; ret == 1 && i <= session.n_features; i++)
		ret = mls_recording_feature(r, session.number, i, name, err);
	if (ret >= 0)
		ret = mls_recording_cpus(r, session.number, &n_cpus, err);
	if (ret >= 0)
		must(n_cpus <= MLS_RECORDING_CPUS);
	if (ret >= 0)
		ret = mls_recording_value(r, session.number, "recording.written", &value, err);
	return ret < 0 ? ret : 1;
}

static int read_all(struct mls_recording_reader *r, struct mlsched_error *err)
{
	struct mls_recording_model model;
	struct mls_recorded decision;
	int ret = 1;

	for (uint32_t i = 0; i < 100 && ret == 1; i++)
		ret = read_session(r, i, err);
	if (ret < 0)
		return ret;
	while ((ret = mls_recording_next_model(r, &model, err)) == 1)
		must(isnan(model.threshold) || (model.threshold >= 0 && model.threshold <= 1));
	if (ret < 0)
		return ret;
	while ((ret = mls_recording_next(r, &decision, err)) == 1)
		check_decision(&decision);
	return ret ? ret : mls_recording_check(r, err);
}

static bool feed_reader(void)
{
	struct mls_recording_reader *r = NULL;
	struct mlsched_error err = { 0 };
	int ret = mls_recording_open(path, &err, &r);

	if (!ret)
		ret = read_all(r, &err);
	if (ret)
		check_failure(ret, &err);
	mls_recording_reader_close(r);
	return !ret;
}

static void feed_labels(void)
{
	const struct mls_label_options options = MLS_LABEL_OPTIONS;
	struct mls_recording_reader *r = NULL;
	struct mls_labels labels = { 0 };
	struct mlsched_error err = { 0 };
	int ret = mls_recording_open(path, &err, &r);

	if (!ret)
		ret = mls_labels_read(r, path, &options, &labels, &err);
	if (ret)
		check_failure(ret, &err);
	for (uint64_t i = 0; !ret && i < labels.n; i++) {
		must(isfinite(labels.rows[i].benefit) && isfinite(labels.rows[i].margin));
		must(labels.rows[i].label <= 1 && labels.rows[i].part < MLS_LABEL_PARTS);
	}
	mls_labels_clear(&labels);
	mls_recording_reader_close(r);
}

static void feed_replay(void)
{
	static struct sim_workload w;
	struct mlsched_error err = { 0 };
	int ret = sim_replay_load(&w, path, &err);

	if (ret)
		check_failure(ret, &err);
	for (uint32_t i = 0; !ret && i < w.replay->n_tasks; i++) {
		const struct sim_replayed *t = &w.replay->tasks[i];

		must(t->program < SIM_MAX_PROGRAMS);
		must((uint64_t)t->first + t->n <= w.replay->n_steps);
	}
	for (uint32_t i = 0; !ret && i < w.replay->n_steps; i++)
		must(w.replay->steps[i].cycles >= 1);
	if (!ret)
		check_text(w.replay->about);
	sim_workload_clear(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data + 1, size - 1 };

	if (!size)
		return 0;
	if (data[0] == 'r')
		put_file(in.at, in.left);
	else if (!make_file(&in))
		return 0;
	feed_reader();
	feed_labels();
	feed_replay();
	return 0;
}
