/* SPDX-License-Identifier: GPL-2.0 */
/* What the writer and the reader of recordings share: the tables, errors of SQLite. */
#ifndef MLS_DATA_RECORDING_SQL_H
#define MLS_DATA_RECORDING_SQL_H

#include <sqlite3.h>

#include "src/data/recording.h"

/* CPUs of a session. */
#define MLS_RECORDING_CPUS 1024

/** mls_sql_error() - what SQLite says of @what in @path, as an error of ours */
int mls_sql_error(sqlite3 *db, int result, const char *path, const char *what,
		  struct mlsched_error *err);

/** mls_sql_prepare() - a statement, or the error */
int mls_sql_prepare(sqlite3 *db, const char *path, const char *sql, sqlite3_stmt **statement,
		    struct mlsched_error *err);

/**
 * mls_recording_check_header() - is it a recording that we know?
 *
 * Looks at the bytes, before SQLite does: its messages name no place.
 * Return: 1; 0: the file is empty; as mls_recording_open().
 */
int mls_recording_check_header(const char *path, struct mlsched_error *err);

/* Columns of table decisions behind @id, in the order in which they are written and read. */
#define MLS_RECORDING_COLUMNS                                                               \
	"session,time,pid,tgid,comm,kind,src,dst,locality,features,verdict,logit,accepted," \
	"decider,propensity,result,flags,observed,wait,ran,ran_there,run_time,moved,back"

extern const char mls_recording_tables[];

#endif /* MLS_DATA_RECORDING_SQL_H */
