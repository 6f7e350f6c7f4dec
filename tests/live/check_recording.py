#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Checks recordings by SQLite alone, without our own reader.

check_recording.py CHECK FILE ARGUMENT...: status 0 when it holds, otherwise it says
what does not.
"""

import csv
import json
import pathlib
import re
import sqlite3
import struct
import subprocess
import sys


def fail(text):
    print(text)
    sys.exit(1)


def expect(name, found, wanted):
    if found != wanted:
        fail(f"{name}: expected {wanted!r}, found {found!r}")


def one(db, sql, *values):
    return db.execute(sql, values).fetchone()[0]


def whole(db):
    expect("integrity_check", one(db, "PRAGMA integrity_check"), "ok")
    expect("application_id", one(db, "PRAGMA application_id"), 0x6D6C7372)
    expect("user_version", one(db, "PRAGMA user_version"), 1)


def counters(db, session):
    rows = db.execute("SELECT name, value FROM counters WHERE session = ? ORDER BY time, rowid", (session,))
    return dict(rows.fetchall())


def counts(db, output, session=1):
    """The file, its counters and what was printed say the same."""
    whole(db)
    session = int(session)
    summary = json.loads(pathlib.Path(output).read_text().splitlines()[-1])
    n = one(db, "SELECT count(*) FROM decisions WHERE session = ?", session)
    c = counters(db, session)
    expect("recording.written", c["recording.written"], n)
    expect("decisions printed", summary["recording"]["decisions"], n)
    expect("written + dropped", n + c["recording.dropped"], c["kernel.taken"])
    expect(
        "migrations",
        c["kernel.taken"] + c["kernel.lost"] + c["kernel.same_cpu"] + c["kernel.closing"],
        c["kernel.migrations"],
    )
    waits(db, session, c)
    if n == 0:
        fail("no decision was recorded")
    if one(db, "SELECT ended IS NULL FROM sessions WHERE session = ?", session):
        fail("the session has no end")
    print(f"{n} decisions, {c['recording.dropped']} dropped, {c['kernel.lost']} lost")


def waits(db, session, c):
    """Where this kernel counts how long threads wait, the session has that, and no more than it lasted."""
    lasted = one(db, "SELECT ended - began FROM sessions WHERE session = ?", session)
    has = {"kernel.some_waited_ns": "/proc/pressure/cpu", "kernel.turns": "/proc/schedstat", "kernel.waited_ns": "/proc/schedstat"}
    for name, file in has.items():
        try:
            there = bool(pathlib.Path(file).read_text())
        except OSError:
            there = False
        expect(f"{name} is counted as {file} is there", name in c, there)
    # The kernel sums up its pressure every two seconds, and what was before may come with that.
    if c.get("kernel.some_waited_ns", 0) > lasted + 3e9:
        fail(f"some thread waited for {c['kernel.some_waited_ns']} ns of {lasted}")


def load(db, comm, least):
    """A load whose threads are moved by affinity: each of its moves was forced."""
    rows = db.execute(
        "SELECT d.features, d.src, d.flags, d.accepted, d.observed, d.wait, d.ran, k.name, w.name, r.name"
        " FROM decisions d JOIN names k ON k.what = 'kind' AND k.value = d.kind"
        " JOIN names w ON w.what = 'decider' AND w.value = d.decider"
        " JOIN names r ON r.what = 'result' AND r.value = d.result WHERE d.comm = ? AND d.flags & 1",
        (comm,),
    ).fetchall()
    if len(rows) < int(least):
        fail(f"{len(rows)} forced moves of {comm}, at least {least} were made")
    for features, src, flags, accepted, observed, wait, ran, kind, decider, result in rows:
        values = struct.unpack("<10f", features)
        expect("cpu among the features", values[0], float(src))
        expect("accepted", accepted, 1)
        expect("decider", decider, "hard rule")
        expect("result", result, "moved")
        if ran and not 0 < wait <= observed:
            fail(f"waited {wait} ns of {observed}")
    print(f"{len(rows)} forced moves of {comm}")


def model(db, session, path):
    """The model in charge, and its verdict on every migration."""
    rows = db.execute("SELECT mode, engine, path, schema, checksum FROM models WHERE session = ?", (session,)).fetchall()
    expect("models", len(rows), 1)
    mode, engine, found, schema, checksum = rows[0]
    expect("model", (mode, engine, found, schema), ("shadow", "native", path, "seed10"))
    if checksum == 0:
        fail("no checksum")
    expect("session", one(db, "SELECT source FROM sessions WHERE session = ?", session), "shadow")
    verdicts = db.execute("SELECT DISTINCT verdict, accepted FROM decisions WHERE session = ?", (session,)).fetchall()
    expect("verdicts", verdicts, [(0, 1)])
    if one(db, "SELECT count(*) FROM decisions WHERE session = ? AND logit > -4.9", session):
        fail("a logit is not the model's")


def parts(db, directory, table):
    """train.csv, time.csv and program.csv have the rows of the table, in order."""
    rows = list(csv.DictReader(pathlib.Path(table).open(newline="")))
    if not rows:
        fail("no rows")
    names = [name for (name,) in db.execute("SELECT name FROM features WHERE session = 1 ORDER BY position")]
    for part in ("train", "time", "program"):
        found = list(csv.DictReader((pathlib.Path(directory) / f"{part}.csv").open(newline="")))
        wanted = [{name: row[name] for name in [*names, "migrate"]} for row in rows if row["part"] == part]
        if found != wanted:
            fail(f"{part}.csv has {len(found)} rows, the table {len(wanted)}, or they differ")
    last = max((int(r["time"]) for r in rows if r["part"] == "train" and r["session"] == "1"), default=0)
    first = min((int(r["time"]) for r in rows if r["part"] == "time" and r["session"] == "1"), default=last)
    if first < last:
        fail(f"a row for validation is {last - first} ns before one for training")
    for row in rows:
        d = db.execute("SELECT comm, wait, run_time, moved, back FROM decisions WHERE id = ?", (row["id"],)).fetchone()
        expect(f"{row['id']}: name", row["comm"], d[0])
        wait = d[1] / 1e3
        benefit = d[2] / 1e3 - wait - 0.3 * wait * wait / 1e3 - 500 * (1 + bool(d[3]) + bool(d[4]))
        if abs(float(row["benefit_us"]) - benefit) > 1e-6 * abs(benefit) + 1e-6:
            fail(f"{row['id']}: expected a benefit of {benefit}, found {row['benefit_us']}")
        expect(f"{row['id']}: label", row["migrate"], str(int(benefit > 0)))
    print(f"{len(rows)} rows")


def parquet(db, path):
    """Each value of the database stands in the Parquet file."""
    from pyarrow import parquet as reader

    table = reader.read_table(path)
    expect("rows", table.num_rows, one(db, "SELECT count(*) FROM decisions"))
    for name, column in (("time", "time"), ("src", "src"), ("wait_ns", "wait"), ("verdict", "verdict")):
        wanted = [value for (value,) in db.execute(f"SELECT {column} FROM decisions ORDER BY id")]
        expect(name, table.column(name).to_pylist(), wanted)
    blobs = [struct.unpack("<10f", blob) for (blob,) in db.execute("SELECT features FROM decisions ORDER BY id")]
    expect("src_dom_load", table.column("src_dom_load").to_pylist(), [row[3] for row in blobs])


def replays(db, path, mlsched, session=1):
    """The simulator makes as many tasks and programs of it, with the time that windows saw, and runs them."""
    session = int(session)
    fork = one(db, "SELECT value FROM names WHERE what = 'kind' AND name = 'fork'")
    tasks, watched, pid, end = 0, 0, None, 0
    for row in db.execute(
        "SELECT pid, kind, time, coalesce(observed, 0), coalesce(run_time, 0) FROM decisions"
        " WHERE session = ? ORDER BY pid, time, id",
        (session,),
    ):
        if row[0] != pid or row[1] == fork:
            pid, end = row[0], 0
            tasks += 1
        if row[3] and row[2] >= end:
            watched += row[4]
            end = row[2] + row[3]
    programs = one(db, "SELECT count(DISTINCT comm) FROM decisions WHERE session = ?", session)
    options = ["-w", f"{path}:{session}", "-m", "4c2l", "-p", "mlsched,eevdf", "--seeds", "1", "--json"]
    run = subprocess.run([mlsched, "sim", *options], capture_output=True, text=True, check=False)
    if run.returncode:
        fail(f"status {run.returncode}: {run.stdout}{run.stderr}")
    said = re.search(r"(\d+) tasks of (\d+) programs, ([\d.]+) s of CPU time, of which (\d+) %", run.stderr)
    expect("tasks", int(said[1]), tasks)
    expect("programs", int(said[2]), min(programs, 63))
    all_of_it = float(said[3])
    if abs(all_of_it * int(said[4]) / 100 - watched / 1e9) > 0.006 * all_of_it + 0.01:
        fail(f"expected {watched / 1e9} s in windows, found {said[4]} % of {all_of_it} s")
    for row in json.loads(run.stdout)["runs"]:
        if row["makespan_ms"] < 1000 * all_of_it / 4:
            fail(f"{row['policy']}: {all_of_it} s on 4 CPUs in {row['makespan_ms']} ms")
    print(said[0])


def killed(db):
    """It has a session without an end, and rows one after the other."""
    whole(db)
    expect("sessions", one(db, "SELECT count(*) FROM sessions"), 1)
    expect("ended", one(db, "SELECT ended FROM sessions"), None)
    n, first, last = db.execute("SELECT count(*), min(id), max(id) FROM decisions").fetchone()
    expect("rows", (first, last), (1, n))
    print(f"{n} decisions")


if __name__ == "__main__":
    globals()[sys.argv[1]](sqlite3.connect(sys.argv[2]), *sys.argv[3:])
