# SPDX-License-Identifier: GPL-2.0
"""Decisions of a recording as a Parquet file, one column for each input.

    mlsched-parquet RECORDING OUTPUT.parquet

A recording (docs/recordings.md) is what `mlsched record`, `mlsched run --record` and `mlsched sim
--record` write.  Names stand for numbers, NULL stays null.  The file's metadata has the sessions,
the models in charge and the counters.  Needs pyarrow, and of this package its errors alone.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import sqlite3
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlsched.errors import Error, FileError, RecordingError, UnsupportedError

__all__ = ["to_parquet"]

APPLICATION = 0x6D6C7372
VERSION = 1
# Rows that are in memory at a time.
BATCH = 65536


def name_of(what: str) -> str:
    return f"(SELECT name FROM names WHERE what = '{what}' AND value = d.{what})"


COLUMNS = (
    # name, type of pyarrow, expression of SQL
    ("id", "int64", "d.id"),
    ("session", "int32", "d.session"),
    ("time", "int64", "d.time"),
    ("pid", "int32", "d.pid"),
    ("tgid", "int32", "d.tgid"),
    ("comm", "string", "CAST(d.comm AS BLOB)"),
    ("kind", "string", name_of("kind")),
    ("src", "int16", "d.src"),
    ("dst", "int16", "d.dst"),
    ("locality", "string", name_of("locality")),
    ("verdict", "int8", "d.verdict"),
    ("logit", "float32", "d.logit"),
    ("accepted", "int8", "d.accepted"),
    ("decider", "string", name_of("decider")),
    ("propensity", "float32", "d.propensity"),
    ("result", "string", name_of("result")),
    ("flags", "int16", "d.flags"),
    ("observed_ns", "int64", "d.observed"),
    ("wait_ns", "int64", "d.wait"),
    ("ran", "int8", "d.ran"),
    ("ran_there", "int8", "d.ran_there"),
    ("run_ns", "int64", "d.run_time"),
    ("moved_ns", "int64", "d.moved"),
    ("back_ns", "int64", "d.back"),
)


def open_recording(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise FileError(f"{path}: no such file", errno.ENOENT)
    db = sqlite3.connect(f"file:{path.resolve().as_posix()}?mode=ro", uri=True)
    try:
        found = db.execute("PRAGMA application_id").fetchone()[0]
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if found != APPLICATION:
            raise RecordingError(f"{path}: expected application id {APPLICATION:#x} of a recording, "
                                 f"found {found:#x}", errno.EINVAL)
        if not 1 <= version <= VERSION:
            raise RecordingError(f"{path}: expected version {VERSION} of the format or an older one, "
                                 f"found {version}", errno.EINVAL)
    except sqlite3.DatabaseError as error:
        db.close()
        raise RecordingError(f"{path}: no recording: {error}", errno.EINVAL) from None
    except RecordingError:
        db.close()
        raise
    return db


def features_of(db: sqlite3.Connection, path: Path) -> list[str]:
    """The names of the inputs, which all sessions of the file must have."""
    sessions = db.execute("SELECT session FROM sessions ORDER BY session").fetchall()
    if not sessions:
        raise RecordingError(f"{path}: no session", errno.EINVAL)
    lists: dict[int, list[str]] = {}
    for (session,) in sessions:
        rows = db.execute("SELECT name FROM features WHERE session = ? ORDER BY position", (session,))
        lists[session] = [name for (name,) in rows]
    first = next(iter(lists.values()))
    for session, names in lists.items():
        if names != first:
            raise RecordingError(f"{path}: session {session}: expected the inputs of the first one, "
                                 f"{first}, found {names}", errno.EINVAL)
    return first


def records(db: sqlite3.Connection, table: str) -> list[dict[str, Any]]:
    cursor = db.execute(f"SELECT * FROM {table}")
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def batches(db: sqlite3.Connection, names: list[str]) -> Iterator[list[list[Any]]]:
    """Lists of columns: those of the table, then one for each input."""
    sql = "SELECT " + ", ".join(column[2] for column in COLUMNS) + ", d.features FROM decisions d ORDER BY d.id"
    cursor = db.execute(sql)
    layout = struct.Struct(f"<{len(names)}f")
    comm = [column[0] for column in COLUMNS].index("comm")
    while rows := cursor.fetchmany(BATCH):
        columns = [list(column) for column in zip(*rows, strict=True)]
        blobs = columns.pop()
        columns[comm] = [name.decode("utf-8", "replace") for name in columns[comm]]
        for row, blob in zip(columns[0], blobs, strict=True):
            if len(blob) != layout.size:
                raise ValueError(f"row {row}: expected {layout.size} bytes of inputs, found {len(blob)}")
        yield columns + [list(column) for column in zip(*map(layout.unpack, blobs), strict=True)]


def to_parquet(recording: str | os.PathLike[str], output: str | os.PathLike[str]) -> int:
    """Write the decisions of a recording as a Parquet file.

    recording: an SQLite file of `mlsched record`; it is only read.
    output: written over; what a failure leaves of it is removed.

    Returns the number of decisions.  Times are in ns, shares and logits as in the recording.
    Raises UnsupportedError without pyarrow; FileError; RecordingError when it is no recording,
    a newer one, or its sessions have different inputs.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise UnsupportedError("needs pyarrow: pip install pyarrow (`mlsched label --csv` needs nothing)",
                               errno.ENOTSUP) from None

    source, target = Path(recording), Path(output)
    db = open_recording(source)
    n, begun = 0, False
    try:
        names = features_of(db, source)
        schema = pyarrow.schema(
            [(name, pyarrow.type_for_alias(kind)) for name, kind, _ in COLUMNS]
            + [(name, pyarrow.float32()) for name in names],
            metadata={table: json.dumps(records(db, table))
                      for table in ("sessions", "cpus", "models", "counters")},
        )
        with parquet.ParquetWriter(target, schema) as writer:
            begun = True
            for columns in batches(db, names):
                arrays = [pyarrow.array(column, field.type)
                          for column, field in zip(columns, schema, strict=True)]
                writer.write_batch(pyarrow.record_batch(arrays, schema=schema))
                n += len(columns[0])
    except BaseException as error:
        if begun:
            target.unlink(missing_ok=True)
        if isinstance(error, OSError) and not isinstance(error, Error):
            raise FileError(f"{target}: {error.strerror or error}", error.errno or errno.EIO) from error
        if isinstance(error, (sqlite3.DatabaseError, ValueError)) and not isinstance(error, Error):
            raise RecordingError(f"{source}: {error}", errno.EINVAL) from error
        raise
    finally:
        db.close()
    return n


def main() -> None:
    name = Path(sys.argv[0]).name
    parser = argparse.ArgumentParser(prog=name, description="Decisions of a recording as a Parquet file.")
    parser.add_argument("recording", type=Path, help="what mlsched record or mlsched run --record wrote")
    parser.add_argument("output", type=Path, help="the Parquet file, which is written over")
    arguments = parser.parse_args()
    try:
        n = to_parquet(arguments.recording, arguments.output)
    except Error as error:
        sys.exit(f"{name}: {error}")
    print(f"{arguments.output}: {n} decisions")
