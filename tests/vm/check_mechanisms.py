#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Checks what guest_mechanisms.sh left behind.

check_mechanisms.py CHECK DIRECTORY [RUN]: status 0 when it holds, otherwise it says
what does not.
"""

import json
import pathlib
import sys

KINDS = ("wakeup", "fork", "steal", "balance")
NAMES = ("fork-in-place", "preempt-short", "ask-again", "level-large")


def fail(text):
    print(text)
    sys.exit(1)


def expect(name, found, wanted):
    if found != wanted:
        fail(f"{name}: expected {wanted!r}, found {found!r}")


def documents(directory, run):
    return [json.loads(line) for line in (directory / run).read_text().splitlines() if line]


def summary(directory, run):
    last = documents(directory, run)[-1]
    expect("type of the last document", last["type"], "summary")
    expect("status", (directory / f"{run}.status").read_text().strip(), "0")
    expect("ejected", last["ejected"], False)
    return last


def load(directory, run):
    return json.loads((directory / f"{run}.load").read_text())


def moved(s, causes=KINDS):
    return sum(sum(s["moves"][cause].values()) for cause in causes)


def acts(directory, run):
    """It says that it is on, it acts, and no other does."""
    s = summary(directory, run)
    expect("mechanisms of the start", documents(directory, run)[0]["mechanisms"], [run])
    if not s["mechanisms"][run]:
        fail(f"{run} never acted")
    expect("others", [n for n in NAMES if n != run and s["mechanisms"][n]], [])
    print(f"{run} acted {s['mechanisms'][run]} times, {s['decisions']} decisions")


def off(directory, run):
    """Nothing of all that without the option."""
    s = summary(directory, run)
    expect("mechanisms of the start", documents(directory, run)[0]["mechanisms"], [])
    expect("mechanisms", s["mechanisms"], dict.fromkeys(NAMES, 0))


def fewer_forks(directory, _):
    """New tasks that stay with their parent are not moved."""
    without, with_it = summary(directory, "make"), summary(directory, "fork-in-place")
    before, after = moved(without, ["fork"]), moved(with_it, ["fork"])
    print(f"new tasks moved: {before} without, {after} with fork-in-place; makespan "
          f"{load(directory, 'make')['makespan_ms']} and {load(directory, 'fork-in-place')['makespan_ms']} ms")
    if after > before / 2:
        fail("not fewer by half")


def fewer_wakeups(directory, _):
    """Short tasks that take the place of a long one need not go to another domain."""
    without, with_it = ({"far": sum(s["moves"]["wakeup"][level] for level in ("node", "machine")),
                         "all": moved(s, ["wakeup"])}
                        for s in (summary(directory, run) for run in ("sleepers", "preempt-short")))
    print(f"tasks that woke up in another domain: {without['far']} without, {with_it['far']} with preempt-short; "
          f"elsewhere in all {without['all']} and {with_it['all']}")
    if without["far"] < 8:
        fail("too few to compare")
    if with_it["far"] > without["far"] / 2:
        fail("not fewer by half")


def asks_again(directory, _):
    """CPUs that were refused a task ask more often, and find out sooner that they may have one."""
    without, with_it = summary(directory, "refuse"), summary(directory, "ask-again")
    for s in (without, with_it):
        expect("refused", s["refused"], s["decisions"])
    before, after = without["kinds"]["steal"]["decisions"], with_it["kinds"]["steal"]["decisions"]
    print(f"CPUs without work asked {before} times without, {after} with ask-again")
    if after < 1.5 * before:
        fail("not half as often again")


def levels(directory, _):
    """The model refuses everything, and is not asked where one queue is far too long."""
    without, with_it = summary(directory, "refuse"), summary(directory, "level-large")
    expect("accepted without", without["accepted"], 0)
    n = with_it["mechanisms"]["level-large"]
    expect("accepted", with_it["accepted"], n)
    expect("asked", with_it["model"]["asked"], with_it["decisions"] - n)
    expect("missing", with_it["model"]["missing"], 0)
    print(f"{n} of {with_it['decisions']} decisions without asking")


def asked(s):
    expect("asked", s["model"]["asked"], s["decisions"])
    expect("missing", s["model"]["missing"], 0)
    if not s["decisions"]:
        fail("not one decision was made")
    return {kind: (s["kinds"][kind]["accepted"], s["kinds"][kind]["refused"]) for kind in KINDS}


def by_kind(directory, run):
    """A model that looks at the flag of a kind of decision accepts that kind and no other."""
    kinds = asked(summary(directory, run))
    accepts = {"wake": ("wakeup", "fork"), "newidle": ("steal",)}[run]
    for kind, (accepted, refused) in kinds.items():
        if accepted if kind not in accepts else refused:
            fail(f"{kind}: {accepted} accepted, {refused} refused")
    if not sum(kinds[kind][0] for kind in accepts) or not sum(kinds[k][1] for k in KINDS if k not in accepts):
        fail(f"one side was never met: {kinds}")
    print(kinds)


def same_llc(directory, run):
    """A model that accepts moves within a domain alone: hardly one goes further.

    It is asked about the way from the queue in which a task waits, and a move is counted from
    where the task ran last: now and then that is elsewhere.
    """
    s = summary(directory, run)
    asked(s)
    beyond = sum(s["moves"][kind]["node"] + s["moves"][kind]["machine"] for kind in KINDS)
    if beyond > moved(s) / 10:
        fail(f"{beyond} of {moved(s)} moves went beyond the domain")
    if not moved(s) or not s["refused"]:
        fail(f"{moved(s)} moved, {s['refused']} refused")
    print(f"{moved(s)} moved, {beyond} beyond the domain, {s['refused']} refused")


def t_wait(directory, run):
    """Who has waited for a millisecond may go: nobody has who wakes up or is new."""
    kinds = asked(summary(directory, run))
    expect("accepted at wake-ups", kinds["wakeup"][0] + kinds["fork"][0], 0)
    if not kinds["steal"][0] or not kinds["steal"][1]:
        fail(f"steals: {kinds['steal']}")
    print(kinds)


def t_since_run(directory, run):
    """A model that takes tasks which have never run: new ones, and hardly another.

    A few that sleep for long have not run since the scheduler was attached.
    """
    kinds = asked(summary(directory, run))
    if kinds["wakeup"][0] > kinds["wakeup"][1] / 4:
        fail(f"wake-ups: {kinds['wakeup']}")
    expect("refused at forks", kinds["fork"][1], 0)
    if not kinds["fork"][0]:
        fail(f"forks: {kinds['fork']}")
    print(kinds)


def src_len(directory, run):
    """Three runnable tasks at the source, or it stays: a task is never taken from two."""
    kinds = asked(summary(directory, run))
    if not sum(refused for _, refused in kinds.values()):
        fail(f"nothing refused: {kinds}")
    print(kinds)


def home_delta(directory, run):
    """Away from home is refused, within it or to it is not."""
    s = summary(directory, run)
    kinds = asked(s)
    if not s["accepted"] or not s["refused"]:
        fail(f"one side was never met: {kinds}")
    # New tasks have none.
    expect("refused forks", kinds["fork"][1], 0)
    print(kinds)


def engine(directory, run):
    """An engine of user space is asked with the same inputs: whatever it answers is of a kind."""
    s = summary(directory, run)
    expect("asked and missed", s["model"]["asked"] + s["model"]["missing"], s["decisions"])
    requests = s["verdicts"]["daemon"]
    expect("failed", requests["failed"], 0)
    if not requests["answered"]:
        fail(f"nothing was answered: {s['verdicts']}")
    print(f"{requests['answered']} of {requests['received']} questions answered")


def swap(directory, run):
    """Models of both schemas follow each other in the slots, and each is asked with its own inputs."""
    before, after, end = (json.loads((directory / f"{run}.{when}").read_text()) for when in ("before", "after", "last"))
    for kind in KINDS:
        accepted, refused = (after["kinds"][kind][v] - before["kinds"][kind][v] for v in ("accepted", "refused"))
        if accepted if kind != "steal" else refused:
            fail(f"with mig15, {kind}: {accepted} accepted, {refused} refused")
    if after["accepted"] == before["accepted"] or after["refused"] == before["refused"]:
        fail("one side was never met")
    last = asked(summary(directory, run))
    for kind in ("wakeup", "fork"):
        expect(f"refused at {kind} after the second swap", last[kind][1], end["kinds"][kind]["refused"])
    if last["fork"][0] <= end["kinds"]["fork"]["accepted"]:
        fail("nothing was accepted after the second swap")
    print(f"{after['accepted'] - before['accepted']} accepted, {after['refused'] - before['refused']} refused in between")


def together(directory, run):
    """They do not stand in each other's way, and a model decides what is left."""
    s = summary(directory, run)
    expect("mechanisms of the start", documents(directory, run)[0]["mechanisms"], list(NAMES))
    expect("asked", s["model"]["asked"], s["decisions"] - s["mechanisms"]["level-large"])
    if s["wait_ns"]["longest"] > 1e9:
        fail(f"a task waited for {s['wait_ns']['longest'] / 1e6:.0f} ms")
    print(s["mechanisms"])


if __name__ == "__main__":
    check, where = sys.argv[1], pathlib.Path(sys.argv[2])
    globals()[check](where, sys.argv[3] if len(sys.argv) > 3 else check)
