#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Checks what a soak left behind: check_soak.py CHECK DIRECTORY [ARGUMENT]

A turn of a model has three sets of counters: "last" from before it was swapped in, "from"
when no decision of the model before was under way any more, and "to" from its end.
"""

import json
import pathlib
import sys

from check_scx import KINDS, adds_up, expect, fail, moves, summary, text


def lines(directory, name):
    """Where the scheduler was ejected in the middle of a turn its answers may be missing."""
    documents = []
    for line in text(directory, name).splitlines():
        try:
            documents.append(json.loads(line))
        except json.JSONDecodeError:
            fail(f"{name}: no answer from the scheduler: {line}")
    return documents


def turns(directory):
    """Those at whose end somebody was still there to tell the counters."""
    return [turn for turn in lines(directory, "turns") if all("wait_ns" in turn[when] for when in ("last", "from", "to"))]


def place(model):
    return f"/models/{model}"


def stays(directory, least):
    """Attached from beginning to end, and all that was counted is there."""
    n = len(turns(directory))
    s = summary(directory, "run")
    if s["ejected"]:
        fail(f"ejected after {s['seconds']:.0f} s: {s['reason']}\n{text(directory, 'lost')}")
    expect("lost", text(directory, "lost"), "")
    expect("state before the end", text(directory, "run.still"), "enabled")
    expect("state afterwards", text(directory, "run.state"), "disabled")
    expect("status", text(directory, "run.status"), "0")
    expect("standard error", text(directory, "run.stderr"), "")
    expect("restarts", s["restarts"], 0)
    adds_up(directory, "run")
    expect("asked and missing", s["model"]["asked"] + s["model"]["missing"], s["decisions"])
    expect("missing", s["model"]["missing"], 0)
    expect("asked by slot", s["model"]["slot_0"] + s["model"]["slot_1"], s["model"]["asked"])
    expect("said migrate", s["model"]["migrate"], s["accepted"])
    if n < int(least):
        fail(f"{n} turns of at least {least}")
    print(f"{n} turns in {s['seconds']:.0f} s")


def swaps(directory, _):
    """Each ended as it must, and the right model decided afterwards."""
    found, tried = {}, 0
    for swap in lines(directory, "swaps"):
        how, answer = swap["how"], swap["answer"]
        found[how] = found.get(how, 0) + 1
        if swap["status"] != swap["wanted"]:
            fail(f"expected status {swap['wanted']}: {swap}")
        if how in ("now", "trial"):
            expect(f"{how}: outcome", answer["swap"]["outcome"], "activated")
            expect(f"{how}: who decides", swap["is"], answer["swap"]["path"])
            tried += answer["swap"]["trial_decisions"]
        elif how == "refused":
            expect("who decides after a trial that failed", swap["is"], swap["was"])
            # On a slow host nothing may have been decided meanwhile: that is no judgement, either.
            if not any(words in answer["swap"]["reason"] for words in ("refused", "too few")):
                fail(f"reason: {answer['swap']['reason']}")
        elif how != "back":
            expect(f"{how}: who decides", swap["is"], swap["was"])
    missing = {"now", "trial", "refused", "broken", "begun", "cancelled", "back"} - found.keys()
    if missing or not tried:
        fail(f"none of {missing}, {tried} decisions on trial")
    print(", ".join(f"{n} {how}" for how, n in sorted(found.items())))


def refuses(directory, _):
    """What cannot be computed or read is refused with a reason, and the model before goes on."""
    broken = [swap for swap in lines(directory, "swaps") if swap["how"] == "broken"]
    models = set()
    for swap in broken:
        answer = swap["answer"]
        expect("who decides", swap["is"], swap["was"])
        if not answer["error"]:
            fail(f"no reason: {swap}")
        # What the client cannot read it does not send; what cannot be computed the scheduler says.
        if "swap" in answer:
            expect("outcome", answer["swap"]["outcome"], "broken")
            models.add((answer["swap"]["path"], answer["error"]))
        elif place("bad-damaged") in answer["error"]:
            models.add((place("bad-damaged"), answer["error"]))
        else:
            fail(f"neither sent nor damaged: {swap}")
    expect("refused", {path for path, _ in models}, {place("bad-damaged"), place("bad-overflow")})
    for path, error in sorted(models):
        print(f"{path}: {error}")


def grown(turn, get, since="from"):
    return get(turn["to"]) - get(turn[since])


def decides(directory, _):
    """In its turn each model alone is asked, and the constant ones have their way."""
    total = {}
    for turn in turns(directory):
        of, slot = turn["of"], turn["to"]["active_slot"]
        for when in ("from", "to"):
            expect(f"{of}: who decides", turn[when]["active_path"], place(of))
            expect(f"{of}: in slot", turn[when]["active_slot"], slot)
        expect(f"{of}: asked of the other", grown(turn, lambda s: s["model"][f"slot_{1 - slot}"]), 0)
        expect(f"{of}: missing", grown(turn, lambda s: s["model"]["missing"]), 0)
        asked = grown(turn, lambda s: s["model"][f"slot_{slot}"])
        accepted = grown(turn, lambda s: s["accepted"])
        refused = grown(turn, lambda s: s["refused"])
        if of == "refuse":
            expect("accepted while the one that refuses decides", accepted, 0)
            # What had been accepted before may come to its end.
            moved, before = grown(turn, lambda s: moves(s, KINDS)), turn["from"]["under_way"]
            if moved > before:
                fail(f"refuse: {moved} optional moves, {before} were under way before")
        if of == "accept":
            expect("refused while the one that accepts decides", refused, 0)
        was = total.setdefault(of, [0, 0, 0, 0])
        total[of] = [a + b for a, b in zip(was, (1, asked, accepted, refused))]
    for of, (times, asked, accepted, refused) in sorted(total.items()):
        print(f"{of}: {times} turns, asked {asked}, accepted {accepted}, refused {refused}")
    if len(total) != 7 or any(asked == 0 for _, asked, _, _ in total.values()):
        fail("expected seven models, each of them asked")


def stressed(directory, _):
    log = text(directory, "stress")
    if text(directory, "stress.status") != "0" or "successful run completed" not in log:
        fail(log)
    print("\n".join(line for line in log.splitlines() if "metrc" in line or "bogo" in line))


def at_most(buckets, share):
    """Upper end in ms of the bucket in which a share of the waits is reached."""
    seen, wanted = 0, share * sum(buckets)
    for power, n in enumerate(buckets):
        seen += n
        if n and seen >= wanted:
            return 2**power / 1e3
    return 0.0


def waits(directory, bound_ms):
    """The longest wait of any task in the whole run, and in whose turn it ended."""
    longest, buckets = {}, {}
    for turn in turns(directory):
        last, to = turn["last"]["wait_ns"], turn["to"]["wait_ns"]
        new = [b - a for a, b in zip(last["buckets"], to["buckets"])]
        buckets[turn["of"]] = [a + b for a, b in zip(buckets.get(turn["of"], [0] * len(new)), new)]
        # The counter is a maximum: a turn is known to have had it only if it grew then.
        if to["longest"] > last["longest"]:
            longest[turn["of"]] = max(longest.get(turn["of"], 0), to["longest"] / 1e6)
    for of, n in sorted(buckets.items()):
        record = f", the longest so far {longest[of]:.1f} ms" if of in longest else ""
        print(f"{of}: {sum(n)} waits, p99 <= {at_most(n, 0.99):.1f} ms, "
              f"p99.9 <= {at_most(n, 0.999):.1f} ms, all <= {at_most(n, 1):.1f} ms{record}")
    whole = summary(directory, "run")["wait_ns"]
    found = whole["longest"] / 1e6
    print(f"longest of {whole['n']} waits: {found:.1f} ms")
    if whole["n"] < 1000:
        fail("that says nothing of the longest")
    if bound_ms and found > float(bound_ms):
        fail(f"a task waited {found:.1f} ms, expected at most {bound_ms} ms")


if __name__ == "__main__":
    check, where = sys.argv[1], pathlib.Path(sys.argv[2])
    globals()[check](where, sys.argv[3] if len(sys.argv) > 3 else None)
