#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Checks recordings that our scheduler made in a guest, by SQLite alone.

check_record.py CHECK DIRECTORY ARGUMENT...: status 0 when it holds, otherwise it says
what does not.
"""

import json
import pathlib
import sqlite3
import struct
import subprocess
import sys

# The file's names of what the scheduler calls otherwise.
KINDS = {"wakeup": "wakeup", "fork": "fork", "steal": "steal", "balance": "periodic"}
DECISIONS = "decider IN (SELECT value FROM names WHERE what = 'decider' AND name IN ('heuristic', 'model', 'explored'))"


def fail(text):
    print(text)
    sys.exit(1)


def expect(name, found, wanted):
    if found != wanted:
        fail(f"{name}: expected {wanted!r}, found {found!r}")


def database(directory, run):
    db = sqlite3.connect(pathlib.Path(directory) / f"{run}.db")
    expect("integrity_check", one(db, "PRAGMA integrity_check"), "ok")
    return db


def one(db, sql, *values):
    return db.execute(sql, values).fetchone()[0]


def number(db, what, name):
    return one(db, "SELECT value FROM names WHERE what = ? AND name = ?", what, name)


def summary(directory, run):
    last = json.loads((pathlib.Path(directory) / run).read_text().splitlines()[-1])
    expect("type of the last document", last["type"], "summary")
    return last


def counters(db):
    return dict(db.execute("SELECT name, value FROM counters ORDER BY time, rowid").fetchall())


def counts(directory, run):
    db, s = database(directory, run), summary(directory, run)
    c = counters(db)
    decisions = one(db, f"SELECT count(*) FROM decisions WHERE {DECISIONS}")
    rules = one(db, f"SELECT count(*) FROM decisions WHERE NOT {DECISIONS}")
    expect("decisions counted in the file", c["scx.decisions"], s["decisions"])
    expect("recorded + found no room", c["scx.recorded"] + c["scx.unrecorded"], s["decisions"])
    expect("written", c["recording.written"], decisions + rules)
    expect("written + dropped", decisions + rules + c["recording.dropped"], c["scx.recorded"] + c["scx.recorded_rules"])
    expect("printed", s["recording"]["decisions"], decisions + rules)
    safety = sum(s["kinds"][k]["safety"] for k in KINDS)
    recorded = one(db, "SELECT count(*) FROM decisions WHERE decider = ?", number(db, "decider", "safety"))
    if not c["recording.dropped"] and not c["scx.unrecorded_rules"]:
        expect("moves by a safety rule", recorded, safety)
    if decisions == 0:
        fail("no decision was recorded")
    print(
        f"{decisions} decisions and {rules} moves by rules recorded; no room for {c['scx.unrecorded']}, "
        f"queue full for {c['recording.dropped']}"
    )


def results(directory, run):
    db, s = database(directory, run), summary(directory, run)
    c = counters(db)
    if c["scx.unrecorded"] or c["recording.dropped"]:
        print("some were dropped: the sums cannot agree")
        return
    for ours, name in KINDS.items():
        kind = s["kinds"][ours]
        rows = db.execute(
            "SELECT n.name, count(*) FROM decisions d JOIN names n ON n.what = 'result' AND n.value = d.result"
            f" WHERE kind = ? AND {DECISIONS} GROUP BY 1",
            (number(db, "kind", name),),
        )
        found = dict(rows.fetchall())
        under_way = found.pop("under way", 0)
        expect(f"{name}: refused", found.pop("refused", 0), kind["refused"])
        wanted = {"moved": kind["moved"], **kind["failed"]}
        # Of those that took longer than the window the file does not know.
        for result, n in wanted.items():
            if not found.get(result, 0) <= n <= found.get(result, 0) + under_way:
                fail(f"{name}: {n} {result}, in the file {found.get(result, 0)} and {under_way} under way")
        expect(f"{name}: sum", sum(found.values()) + under_way, kind["accepted"])
        print(f"{name}: {wanted}, {under_way} under way in the file")


def outcomes(directory, run):
    db = database(directory, run)
    early = "time < (SELECT began FROM sessions WHERE sessions.session = decisions.session)"
    expect("decisions before the session began", one(db, f"SELECT count(*) FROM decisions WHERE {early}"), 0)
    window, online = one(db, "SELECT window FROM sessions"), one(db, "SELECT sum(online) FROM cpus")
    schema, width = db.execute("SELECT schema, n_features FROM sessions").fetchone()
    n = 0
    for row in db.execute(
        "SELECT id, src, dst, kind, accepted, result, observed, wait, ran, ran_there, run_time, moved, back, locality,"
        f" features, comm, pid FROM decisions WHERE {DECISIONS}"
    ):
        id_, src, dst, kind, accepted, result, observed, wait, ran, there, run_time, moved, back, locality, features, comm, pid = row
        n += 1
        features = struct.unpack(f"<{width}f", features)
        if schema == "mig15":
            kind = one(db, "SELECT name FROM names WHERE what = 'kind' AND value = ?", kind)
            expect(f"{id_}: newidle", features[1], float(kind == "steal"))
            expect(f"{id_}: same LLC", features[2], float(locality < number(db, "locality", "node")))
        else:
            expect(f"{id_}: cpu", features[0], float(src))
            if run != "hotplug":
                expect(f"{id_}: idle and busy CPUs", features[1] + features[2], float(online))
            if not (0 <= features[3] <= 1 and 0 <= features[4] <= 1):
                fail(f"{id_}: loads {features[3:5]}")
        if not (0 <= wait <= observed <= window and run_time <= observed and moved <= observed and back <= observed):
            fail(f"{id_}: {row}")
        if ran and wait + run_time > observed + 1000:
            fail(f"{id_}: waited {wait} and ran {run_time} within {observed}")
        if src == dst or (moved and not ran and not accepted):
            fail(f"{id_}: {row}")
        if (result == number(db, "result", "moved")) and not accepted:
            fail(f"{id_}: moved although it was refused")
        if there and not ran:
            fail(f"{id_}: ran there and did not run")
        if not comm or not pid:
            fail(f"{id_}: no name or number of the task")
    ran = one(db, f"SELECT avg(ran) FROM decisions WHERE {DECISIONS} AND observed = (SELECT window FROM sessions)")
    if ran is None or ran < 0.5:
        fail(f"of those that were followed to the end {ran} ran")
    moved_there = one(
        db, f"SELECT avg(ran_there) FROM decisions WHERE {DECISIONS} AND result = ?", number(db, "result", "moved")
    )
    if moved_there is not None and moved_there < 0.9:
        fail(f"of those that moved {moved_there} ran at their destination first")
    localities = {row[0] for row in db.execute("SELECT DISTINCT locality FROM decisions")}
    print(f"{n} decisions, of those followed to the end {ran:.3f} ran; localities {localities}")


def deciders(db, where="1"):
    rows = db.execute(
        "SELECT n.name, d.verdict IS NULL, d.verdict = d.accepted, count(*) FROM decisions d JOIN names n"
        f" ON n.what = 'decider' AND n.value = d.decider WHERE {DECISIONS} AND {where} GROUP BY 1, 2, 3"
    )
    return rows.fetchall()


def collect(directory):
    db = database(directory, "collect")
    found = deciders(db)
    expect("deciders", [row[:2] for row in found], [("heuristic", 1)])
    expect("models", db.execute("SELECT mode, engine, path FROM models").fetchall(), [("collect", "none", "")])


def active(directory):
    db = database(directory, "active")
    expect("deciders", [row[:3] for row in deciders(db)], [("model", 0, 1)])
    rows = db.execute("SELECT mode, engine, path, schema, checksum != 0 FROM models").fetchall()
    expect("models", rows, [("active", "kernel", "/model", "seed10", 1)])


def shadow(directory):
    """It is told to listen to the model in the middle of it."""
    db = database(directory, "shadow")
    rows = db.execute("SELECT mode, engine, path, checksum, time FROM models ORDER BY rowid").fetchall()
    expect("modes", [row[0] for row in rows], ["shadow", "active"])
    expect("model", rows[0][1:4], rows[1][1:4])
    found = {row[:2] for row in deciders(db)}
    expect("deciders", found, {("heuristic", 0), ("model", 0)})
    # The change takes effect with the next decision; a guest CPU that the host stops in the middle of one is late.
    model = number(db, "decider", "model")
    first = one(db, "SELECT min(time) FROM decisions WHERE decider = ?", model)
    last = one(db, f"SELECT max(time) FROM decisions WHERE {DECISIONS} AND decider != ?", model)
    if first < last - 500_000_000:
        fail(f"the model decided {last - first} ns before the heuristic ended")


def explore(directory):
    """A model that refuses everything, and a coin for a fifth of the decisions: one in ten moves."""
    db, c = database(directory, "explore"), counters(database(directory, "explore"))
    n = one(db, f"SELECT count(*) FROM decisions WHERE {DECISIONS}")
    coin = one(db, "SELECT count(*) FROM decisions WHERE decider = ?", number(db, "decider", "explored"))
    if not c["recording.dropped"] and not c["scx.unrecorded"]:
        expect("explored", coin, c["scx.explored"])
    rows = db.execute(
        f"SELECT accepted, round(propensity, 3), count(*) FROM decisions WHERE {DECISIONS} GROUP BY 1, 2 ORDER BY 1"
    ).fetchall()
    expect("chances", [row[:2] for row in rows], [(0, 0.9), (1, 0.1)])
    # Six standard deviations: by chance once in 500 million runs.
    for name, found, share in (("coins", coin, 0.2), ("moves", rows[1][2], 0.1)):
        spread = 6 * (n * share * (1 - share)) ** 0.5
        if abs(found - n * share) > spread + 1:
            fail(f"{found} {name} of {n} decisions, expected {n * share:.0f} +- {spread:.0f}")
    if one(db, f"SELECT count(*) FROM decisions WHERE {DECISIONS} AND verdict != 0"):
        fail("the model's own word is not what is written down")
    print(f"{n} decisions, {coin} by a coin, {rows[1][2]} moves")


def off_policy(directory, mlsched, accept, refuse):
    """The policy in charge is worth what was recorded but for the coin; both controls are models here."""
    recording = str(pathlib.Path(directory) / "explore.db")

    def judge(model):
        command = [mlsched, "eval", "--json", "--off-policy", "--schema", "seed10", model, recording]
        out = subprocess.run(command, capture_output=True, text=True)
        expect("status", (out.returncode, out.stderr), (0, ""))
        return json.loads(out.stdout)

    judged = {name: judge(path) for name, path in (("always", accept), ("never", refuse))}
    for name, document in judged.items():
        expect(f"a model that says {name}", document["estimates"], document[name])
    print(json.dumps(judged["always"]))


def logits(directory, run, mlsched, model):
    """The logit that the kernel computed is the one that float32 gives of what is recorded."""
    db = database(directory, run)
    rows = db.execute("SELECT features, logit, verdict FROM decisions WHERE logit IS NOT NULL LIMIT 2000").fetchall()
    if len(rows) < 20:
        fail(f"{len(rows)} logits")
    text = "".join(" ".join(f"{x:.9g}" for x in struct.unpack("<10f", row[0])) + "\n" for row in rows)
    out = subprocess.run([mlsched, "predict", "--logit", model], input=text, capture_output=True, text=True)
    expect("status of predict", (out.returncode, out.stderr), (0, ""))
    worst = 0.0
    for line, (_, logit, verdict) in zip(out.stdout.split(), rows, strict=True):
        worst = max(worst, abs(float(line) - logit))
        if verdict != (logit > 0):
            fail(f"verdict {verdict} of logit {logit}")
    spread = max(row[1] for row in rows) - min(row[1] for row in rows)
    print(f"{len(rows)} logits over a range of {spread:.3f}, worst difference {worst:.4f}")
    if worst > 0.05 + 0.02 * spread:
        fail("that is more than rounding")


def killed(directory):
    db = database(directory, "killed")
    expect("ended", one(db, "SELECT ended FROM sessions"), None)
    n, last = db.execute("SELECT count(*), max(id) FROM decisions").fetchone()
    expect("the last row", last, n)
    if n == 0:
        fail("no decision was recorded")
    print(f"{n} decisions")


def exists(directory):
    expect("status", (pathlib.Path(directory) / "exists.status").read_text().strip(), "1")
    message = (pathlib.Path(directory) / "exists").read_text().strip()
    expect("message", message, "mlsched run: /tmp/hotplug.db: the file exists; --append goes on behind what is in it")


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
