#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Checks what guest_control.sh left: check_control.py CHECK DIRECTORY."""

import json
import pathlib
import sys

from check_scx import adds_up, expect, fail, summary, text

LIMIT_NS = 100_000_000
SLICE_NS = 4_000_000


def document(directory, name):
    return json.loads(text(directory, name))


def swapped(directory):
    """Each of 1,000 was written, read back, compared and switched to."""
    expect("status", text(directory, "swaps.swap.status"), "0")
    swap = document(directory, "swaps.swap")["swap"]
    expect("writes", swap["writes"], 1000)
    before, after = document(directory, "swaps.before"), document(directory, "swaps.between")
    decisions = after["decisions"] - before["decisions"]
    by_slot = [after["model"][slot] - before["model"][slot] for slot in ("slot_0", "slot_1")]
    if decisions < 200 or min(by_slot) < 50:
        fail(f"{decisions} decisions meanwhile, by slot {by_slot}: hardly under load")
    print(f"1000 swaps in {swap['seconds']:.2f} s, and {decisions} decisions meanwhile, by slot {by_slot}")


def nothing_lost(directory):
    """Each decision asked one model, which said what it always says."""
    s = summary(directory, "swaps")
    adds_up(directory, "swaps")
    model = s["model"]
    expect("asked and missing", model["asked"] + model["missing"], s["decisions"])
    expect("missing", model["missing"], 0)
    expect("asked by slot", model["slot_0"] + model["slot_1"], model["asked"])
    expect("said migrate", model["migrate"], s["accepted"])
    if not (model["slot_0"] and model["slot_1"] and s["refused"] and s["accepted"]):
        fail("both models should have decided something")
    w = s["wait_ns"]
    # How long these were a busy host has its part in: longest_wait() judges those that it has none in.
    print(f"{model['slot_0']} in one slot, {model['slot_1']} in the other; {w['n']} waits, p99 {w['p99'] / 1e6:.1f} ms")


def longest_wait(directory):
    """In time that goes by instructions: no wait is longer than the limit and one slice."""
    expect("status", text(directory, "waits.status"), "0")
    swaps = [json.loads(line)["swap"] for line in text(directory, "waits.swaps").splitlines()]
    expect("writes", sum(swap["writes"] for swap in swaps), 1000)
    expect("outcomes", {swap["outcome"] for swap in swaps}, {"activated"})
    s = document(directory, "waits.stats")
    w, model = s["wait_ns"], s["model"]
    if w["n"] < 2000:
        fail(f"{w['n']} waits")
    if not (model["slot_0"] and model["slot_1"] and s["refused"] and s["accepted"]):
        fail(f"both models should have decided something: {model}")
    print(f"1000 changes in {s['seconds']:.2f} s: {s['decisions']} decisions, {s['refused']} refused; {w['n']} waits, "
          f"p99 {w['p99'] / 1e6:.1f} ms, longest {w['longest'] / 1e6:.1f} ms")
    if w["longest"] > LIMIT_NS + SLICE_NS:
        fail(f"longest wait {w['longest'] / 1e6:.3f} ms, allowed are {(LIMIT_NS + SLICE_NS) / 1e6:.0f} ms")


def tried(directory):
    expect("status", text(directory, "swaps.trial.status"), "0")
    swap = document(directory, "swaps.trial")["swap"]
    expect("outcome", swap["outcome"], "activated")
    expect("refused on trial", swap["trial_refused"], 0)
    if swap["trial_decisions"] < 10 or swap["trial_disagreed"] != swap["trial_decisions"]:
        fail(f"an accepting model beside a refusing one: {swap}")
    expect("candidate asked", document(directory, "swaps.stats")["candidate"]["asked"] >= 10, True)


def taken_back(directory):
    """Status 4, and the model before it decides."""
    expect("status", text(directory, "swaps.rollback.status"), "4")
    expect("outcome", document(directory, "swaps.rollback")["swap"]["outcome"], "rolled_back")
    after = document(directory, "swaps.rolled")
    expect("active model", after["slots"][after["active_slot"]]["path"], "/models/accept")


def followed(directory):
    """The model that took the place of the other one's files took its place in the kernel."""
    before, after = document(directory, "watch.before"), document(directory, "watch.after")
    same = [d["slots"][d["active_slot"]]["checksum"] for d in (before, after)]
    if same[0] == same[1]:
        fail(f"the same model: {same}")
    expect("paths", {d["slots"][d["active_slot"]]["path"] for d in (before, after)}, {"/tmp/model"})


def seen(directory):
    expect("root/ops", text(directory, "swaps.ops"), "mlsched")
    stats = document(directory, "swaps.stats")
    expect("CPUs of the domains", sum(d["online"] for d in stats["domains"]), 4)
    for domain in stats["domains"]:
        if domain["queued"] is None or not 0 <= domain["load"] <= 1 or domain["idle"] > domain["online"]:
            fail(f"domain: {domain}")


def came_back(directory):
    before, after = document(directory, "hotplug.before"), document(directory, "hotplug.after")
    expect("restarts", after["restarts"] >= 1, True)
    for name in ("mode", "active_slot", "slots"):
        expect(name, after[name], before[name])
    expect("mode", after["mode"], "shadow")
    expect("active model", after["slots"][after["active_slot"]]["path"], "/models/refuse")
    expect("intact", [slot["intact"] for slot in after["slots"]], [True, True])


if __name__ == "__main__":
    globals()[sys.argv[1]](pathlib.Path(sys.argv[2]))
