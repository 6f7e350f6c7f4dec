#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Checks what `mlsched run --backend scx --json --engine ...` wrote in a guest.

check_engines.py CHECK DIRECTORY RUN: status 0 when it holds, otherwise it says
what does not.
"""

import json
import pathlib
import sys

from check_scx import adds_up, documents, ended_by_itself, ends_cleanly, expect, fail, summary, text, takes_over

STOOD_IN = ("sent", "full", "pending", "own")
NOT_FOUND = ("none", "mismatched", "waiting", "late", "expired")


def show(v):
    latency = v.get("latency_ns")
    took = f", p50 {latency['p50'] / 1e3:.0f} us, p99 {latency['p99'] / 1e3:.0f} us" if latency else ""
    print(f"{v['engine']}: {v['in_time']} of {v['decisions']} in time{took}; "
          f"{ {name: v['requests'][name] for name in STOOD_IN} if 'requests' in v else ''}")


def sums(directory, run):
    """Every decision had its verdict or the heuristic stood in, each for one reason."""
    adds_up(directory, run)
    s = summary(directory, run)
    v = s["verdicts"]
    show(v)
    expect("decisions", v["decisions"], s["decisions"])
    expect("in time + stood in", v["in_time"] + v["stood_in"], v["decisions"])
    if v["engine"] == "kernel":
        expect("stood in", v["stood_in"], 0)
        return
    expect("reasons to stand in", sum(v["requests"][r] for r in STOOD_IN), v["stood_in"])
    expect("found", v["found"]["keep"] + v["found"]["migrate"], v["in_time"])
    expect("not found", sum(v["found"][r] for r in NOT_FOUND), v["stood_in"] - v["requests"]["own"])
    expect("pending", v["requests"]["pending"], v["found"]["waiting"])
    daemon = v["daemon"]
    expect("received", daemon["answered"] + daemon["stale"] + daemon["failed"], daemon["received"])
    expect("failed", daemon["failed"], 0)
    if not 0 <= v["requests"]["sent"] - daemon["received"] <= 1024:
        fail(f"{v['requests']['sent']} requests sent, {daemon['received']} received")
    expect("latencies", v["latency_ns"]["n"], daemon["answered"])
    if daemon["answered"] and not 0 < v["latency_ns"]["p50"] <= v["latency_ns"]["p99"]:
        fail(f"latencies: {v['latency_ns']}")
    # Where verdicts count for a moment only, a slow machine may be too late for all of them.
    if run == "impatient":
        if daemon["received"] == 0:
            fail("not one question arrived")
    elif daemon["answered"] == 0 or (v["in_time"] == 0 and run != "stopped"):
        fail("not one verdict came in time")


def says(directory, run):
    """Start names the engine and how long a verdict counts."""
    engine = documents(directory, run)[0]["engine"]
    expect("name", engine["name"], {"kernel": "kernel", "tensorflow": "tensorflow"}.get(run, "native"))
    if run == "kernel":
        return
    expect("age", engine["verdict_age_ms"], {"impatient": 0.1}.get(run, 1000))
    print(engine["what"])


def refuses(directory, run):
    """Each decision whose verdict was there is a refusal; only who stood in can have accepted."""
    s = summary(directory, run)
    v = s["verdicts"]
    expect("verdicts to migrate", s["model"]["migrate"], 0)
    expect("answers", s["model"]["asked"], v["in_time"])
    if s["refused"] < v["in_time"]:
        fail(f"{v['in_time']} verdicts to keep, {s['refused']} refusals")
    if s["accepted"] > v["stood_in"]:
        fail(f"{s['accepted']} accepted, {v['stood_in']} without a verdict")
    print(f"{v['in_time']} verdicts, {s['refused']} refused, {s['accepted']} accepted")


def accepts(directory, run):
    s = summary(directory, run)
    v = s["verdicts"]
    expect("verdicts to migrate", s["model"]["migrate"], v["in_time"])
    if s["accepted"] < v["in_time"] or s["refused"] > v["stood_in"]:
        fail(f"{v['in_time']} verdicts to migrate, {s['accepted']} accepted, {s['refused']} refused")


def shadows(directory, run):
    """The verdicts are there, and it does not matter."""
    s = summary(directory, run)
    expect("verdicts to migrate", s["model"]["migrate"], 0)
    if s["model"]["asked"] == 0 or s["accepted"] == 0:
        fail(f"asked {s['model']['asked']}, accepted {s['accepted']}")


def expires(directory, run):
    """What comes after the limit is not used: fewer in time than with patience, and it says why."""
    v, patient = summary(directory, run)["verdicts"], summary(directory, "refuse")["verdicts"]
    if v["found"]["late"] + v["found"]["expired"] == 0:
        fail(f"nothing was late: {v['found']}")
    if v["in_time"] / v["decisions"] >= patient["in_time"] / patient["decisions"]:
        fail(f"{v['in_time']} of {v['decisions']} in time, {patient['in_time']} of {patient['decisions']}")
    show(v)


def same_work(directory, _):
    """The load did the same whatever computed: figures for comparing engines, not to be judged here."""
    units = {}
    for run in ("kernel", "refuse", "tensorflow"):
        load = json.loads(text(directory, f"{run}.load"))
        units[run] = load["units"]
        print(f"{run}: makespan {load['makespan_ms']} ms, {load['moves']} moves, {load['wakeups']} wake-ups")
    expect("units of work", len(set(units.values())), 1)


def stopped(directory, run):
    """While the daemon stood still the work went on; then it answered what was worth it."""
    expect("state while it was stopped", text(directory, "stopped.during"), "enabled")
    ends_cleanly(directory, run)
    v = summary(directory, run)["verdicts"]
    show(v)
    print(f"found {v['found']}, daemon {v['daemon']}")
    if v["requests"]["full"] == 0:
        fail("the ring buffer was never full")
    if v["found"]["late"] == 0:
        fail("no verdict was late")
    if v["daemon"]["stale"] < 500:
        fail(f"{v['daemon']['stale']} questions were too old when it went on")
    if v["daemon"]["answered"] == 0:
        fail("no question was answered")


def restarted(directory, run):
    """It was loaded anew twice, and each time the daemon's thread answered the new one's questions."""
    s = summary(directory, run)
    if s["restarts"] < 2:
        fail(f"{s['restarts']} restarts")
    ended_by_itself(directory, run)
    lines = documents(directory, run)
    for value in "01":
        first, last = (int(text(directory, f"restarted.{end}{value}")) for end in ("from", "to"))
        answered = sum(line["verdicts"]["daemon"]["answered"] for line in lines[first + 1:last]
                       if line["type"] == "interval")
        print(f"CPU 3 {'on' if value == '1' else 'off'}: {answered} answered in lines {first} to {last}")
        # How many are still fresh when the thread sees them is the host's doing.
        if answered < 5:
            fail("the thread does not answer the scheduler that was loaded anew")


def swapped(directory, run):
    """Models change under load: after each switch no verdict of the model before is applied."""

    def verdicts(name):
        model = json.loads(text(directory, f"{run}.{name}"))["model"]
        return model["migrate"], model["asked"] - model["migrate"]

    swap = json.loads(text(directory, f"{run}.many"))["swap"]
    expect("writes", swap["writes"], 100)
    expect("outcome", swap["outcome"], "activated")
    for model, other, index in (("accept", "refuse", 1), ("refuse", "accept", 0)):
        before, after = verdicts(f"{model}.0"), verdicts(f"{model}.1")
        expect(f"verdicts of /{other} while /{model} decides", after[index], before[index])
        if after[1 - index] == before[1 - index]:
            fail(f"/{model} gave no verdict in time: {before}, {after}")
        print(f"/{model}: {after[1 - index] - before[1 - index]} verdicts in time, none of /{other}")
    expect("decides after the rollback", json.loads(text(directory, f"{run}.rollback"))["ok"], True)
    expect("status of the trial", text(directory, f"{run}.trial.status"), "0")
    swap = json.loads(text(directory, f"{run}.trial"))["swap"]
    expect("outcome of the trial", swap["outcome"], "activated")
    expect("disagreed on trial", swap["trial_disagreed"], swap["trial_decisions"])
    expect("refused on trial", swap["trial_refused"], 0)
    print(f"{swap['trial_decisions']} decisions on trial")
    status = json.loads(text(directory, f"{run}.status.json"))
    expect("active", status["slots"][status["active_slot"]]["path"], "/models/accept")
    ended_by_itself(directory, run)
    sums(directory, run)


def refused_none(directory, run):
    expect("status", text(directory, f"{run}.status"), "1")
    expect("state", text(directory, f"{run}.state"), "disabled")
    message = text(directory, run)
    if "--engine tensorflow: found no TensorFlow: looked for libtensorflow.so.2" not in message:
        fail(f"message: {message}")


if __name__ == "__main__":
    check, where, what = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
    globals()[check](where, what)
