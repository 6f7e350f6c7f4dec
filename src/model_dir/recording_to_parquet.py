#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Decisions of a recording as a Parquet file, one column for each input.

    recording_to_parquet.py RECORDING OUTPUT.parquet

A recording (docs/recordings.md) is what `mlsched record` and `mlsched run --record`
write.  Names stand for numbers, NULL stays null.  The file's metadata has the sessions,
the models in charge and the counters.  Needs pyarrow, and nothing else beside Python.
"""

import argparse
import json
import pathlib
import sqlite3
import struct
import sys

APPLICATION = 0x6D6C7372
VERSION = 1
# Rows that are in memory at a time.
BATCH = 65536

COLUMNS = (
    # name, type of pyarrow, expression of SQL
    ("id", "int64", "d.id"),
    ("session", "int32", "d.session"),
    ("time", "int64", "d.time"),
    ("pid", "int32", "d.pid"),
    ("tgid", "int32", "d.tgid"),
    ("comm", "string", "CAST(d.comm AS BLOB)"),
    ("kind", "string", "(SELECT name FROM names WHERE what = 'kind' AND value = d.kind)"),
    ("src", "int16", "d.src"),
    ("dst", "int16", "d.dst"),
    ("locality", "string", "(SELECT name FROM names WHERE what = 'locality' AND value = d.locality)"),
    ("verdict", "int8", "d.verdict"),
    ("logit", "float32", "d.logit"),
    ("accepted", "int8", "d.accepted"),
    ("decider", "string", "(SELECT name FROM names WHERE what = 'decider' AND value = d.decider)"),
    ("propensity", "float32", "d.propensity"),
    ("result", "string", "(SELECT name FROM names WHERE what = 'result' AND value = d.result)"),
    ("flags", "int16", "d.flags"),
    ("observed_ns", "int64", "d.observed"),
    ("wait_ns", "int64", "d.wait"),
    ("ran", "int8", "d.ran"),
    ("ran_there", "int8", "d.ran_there"),
    ("run_ns", "int64", "d.run_time"),
    ("moved_ns", "int64", "d.moved"),
    ("back_ns", "int64", "d.back"),
)


def fail(text):
    sys.exit(f"recording_to_parquet.py: {text}")


def open_recording(path):
    if not path.is_file():
        fail(f"{path}: no such file")
    db = sqlite3.connect(f"file:{path.resolve().as_posix()}?mode=ro", uri=True)
    try:
        found = db.execute("PRAGMA application_id").fetchone()[0]
        version = db.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.DatabaseError as error:
        fail(f"{path}: no recording: {error}")
    if found != APPLICATION:
        fail(f"{path}: expected application id {APPLICATION:#x} of a recording, found {found:#x}")
    if not 1 <= version <= VERSION:
        fail(f"{path}: expected version {VERSION} of the format or an older one, found {version}")
    return db


def features_of(db, path):
    """The names of the inputs, which all sessions of the file must have."""
    sessions = db.execute("SELECT session FROM sessions ORDER BY session").fetchall()
    if not sessions:
        fail(f"{path}: no session")
    lists = {}
    for (session,) in sessions:
        rows = db.execute("SELECT name FROM features WHERE session = ? ORDER BY position", (session,))
        lists[session] = [name for (name,) in rows]
    first = next(iter(lists.values()))
    for session, names in lists.items():
        if names != first:
            fail(f"{path}: session {session}: expected the inputs of the first one, {first}, found {names}")
    return first


def records(db, table):
    cursor = db.execute(f"SELECT * FROM {table}")
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row)) for row in cursor]


def batches(db, names):
    """Lists of columns: those of the table, then one for each input."""
    sql = "SELECT " + ", ".join(column[2] for column in COLUMNS) + ", d.features FROM decisions d ORDER BY d.id"
    cursor = db.execute(sql)
    layout = struct.Struct(f"<{len(names)}f")
    comm = [column[0] for column in COLUMNS].index("comm")
    while rows := cursor.fetchmany(BATCH):
        columns = [list(column) for column in zip(*rows)]
        blobs = columns.pop()
        columns[comm] = [name.decode("utf-8", "replace") for name in columns[comm]]
        for row, blob in zip(columns[0], blobs):
            if len(blob) != layout.size:
                raise ValueError(f"row {row}: expected {layout.size} bytes of inputs, found {len(blob)}")
        yield columns + [list(column) for column in zip(*map(layout.unpack, blobs))]


def main():
    parser = argparse.ArgumentParser(description="Decisions of a recording as a Parquet file.")
    parser.add_argument("recording", type=pathlib.Path, help="what mlsched record or mlsched run --record wrote")
    parser.add_argument("output", type=pathlib.Path, help="the Parquet file, which is written over")
    arguments = parser.parse_args()
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        fail("needs pyarrow: pip install pyarrow (`mlsched label --csv` needs nothing)")

    db = open_recording(arguments.recording)
    names = features_of(db, arguments.recording)
    schema = pyarrow.schema(
        [(name, pyarrow.type_for_alias(kind)) for name, kind, _ in COLUMNS] + [(n, pyarrow.float32()) for n in names],
        metadata={table: json.dumps(records(db, table)) for table in ("sessions", "cpus", "models", "counters")},
    )
    n = 0
    try:
        with parquet.ParquetWriter(arguments.output, schema) as writer:
            for columns in batches(db, names):
                arrays = [pyarrow.array(column, field.type) for column, field in zip(columns, schema)]
                writer.write_batch(pyarrow.record_batch(arrays, schema=schema))
                n += len(columns[0])
    except (sqlite3.DatabaseError, ValueError, OSError) as error:
        fail(f"{arguments.recording}: {error}")
    print(f"{arguments.output}: {n} decisions")


if __name__ == "__main__":
    main()
