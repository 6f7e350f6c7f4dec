#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Checks what a soak left behind: check_soak.py CHECK DIRECTORY [ARGUMENT]"""

import json
import pathlib
import sys


def fail(text):
    print(text)
    sys.exit(1)


def runs(directory):
    """The last document of each run; one that was killed at once has counted nothing."""
    lines = (directory / "runs").read_text().splitlines()
    return [d for d in map(json.loads, filter(None, lines)) if "wait_ns" in d]


def text(directory, name):
    path = directory / name
    return path.read_text().strip() if path.exists() else ""


def stays(directory, least):
    """Attached from beginning to end of each run, and each ended when it was told to."""
    turns = int(text(directory, "turns"))
    ejected = [(r["of"], r["reason"]) for r in runs(directory) if r.get("ejected")]
    if text(directory, "lost") or ejected:
        fail(f"{text(directory, 'lost')}\nejected: {ejected}")
    endings = text(directory, "endings").splitlines()
    bad = [line for line in endings if not line.startswith("0 ")]
    if bad or text(directory, "stderr"):
        fail(f"{bad} {text(directory, 'stderr')}")
    if turns < int(least) or len(endings) + turns // 3 != turns:
        fail(f"{turns} turns of at least {least}, {len(endings)} ended in order")
    print(f"{turns} models took over, {len(endings)} were ended, {turns // 3} killed")


def decides(directory, _):
    """Each model was asked, and the constant ones had their way."""
    total = {"refuse": [0, 0], "accept": [0, 0]}
    decisions = 0
    for r in runs(directory):
        decisions += r["decisions"]
        if r["type"] == "summary" and r["of"] in total:
            total[r["of"]][0] += r["accepted"]
            total[r["of"]][1] += r["refused"]
    if decisions < 1000 or total["refuse"][0] or total["accept"][1]:
        fail(f"{decisions} decisions; accepted and refused by {total}")
    print(f"{decisions} decisions")


def refuses(directory, _):
    refusals = text(directory, "refusals").splitlines()
    if not refusals or any(not line.startswith("1 ") for line in refusals):
        fail(f"expected a refusal with status 1 of each bad model: {refusals}")
    print(f"{len(refusals)} refused")


def stressed(directory, _):
    log = text(directory, "stress")
    if text(directory, "stress.status") != "0" or "successful run completed" not in log:
        fail(log)
    print("\n".join(line for line in log.splitlines() if "metrc" in line or "bogo" in line))


def waits(directory, bound_ms):
    """The longest wait of any task in any run."""
    found = sorted(((r["wait_ns"]["longest"] / 1e6, r["of"], r["type"]) for r in runs(directory)), reverse=True)
    seen = sum(r["wait_ns"]["n"] for r in runs(directory))
    if seen < 1000:
        fail(f"{seen} waits were seen: that says nothing of the longest")
    p999 = max(r["wait_ns"]["p999"] / 1e6 for r in runs(directory))
    print(f"longest waits {[(round(ms, 1), model) for ms, model, _ in found[:5]]}; worst p99.9 {p999:.1f} ms")
    if bound_ms and found[0][0] > float(bound_ms):
        fail(f"a task waited {found[0][0]:.1f} ms, expected at most {bound_ms} ms")


if __name__ == "__main__":
    check, where = sys.argv[1], pathlib.Path(sys.argv[2])
    globals()[check](where, sys.argv[3] if len(sys.argv) > 3 else None)
