#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Checks what guest_faults.sh left: check_faults.py CHECK DIRECTORY.

Status 0 when it holds, otherwise it says what does not.
"""

import json
import pathlib
import re
import sys

from check_scx import adds_up, ejected, ended_by_itself, expect, fail, summary, text


def document(directory, name):
    return json.loads(text(directory, name))


def lived(directory, run):
    """It scheduled until it was told to end, and nothing that it counted is lost."""
    ended_by_itself(directory, run)
    expect("state before the end", text(directory, f"{run}.still"), "enabled")
    expect("state afterwards", text(directory, f"{run}.state"), "disabled")
    s = summary(directory, run)
    expect("ejected", s["ejected"], False)
    expect("work after the fault", document(directory, f"{run}.work")["profile"], "message")
    adds_up(directory, run)
    return s


def stopped(directory):
    """The BPF program does not need its daemon: work goes on while it is stopped."""
    lived(directory, "stopped")
    expect("state of the process meanwhile", text(directory, "stopped.process"), "T")
    expect("state of sched_ext meanwhile", text(directory, "stopped.meanwhile"), "enabled")
    expect("status of stats", text(directory, "stopped.stats.status"), "0")
    stats = document(directory, "stopped.stats")
    if stats["seconds"] < 10 or not stats["decisions"]:
        fail(f"stats: {stats['seconds']} s, {stats['decisions']} decisions")
    print(f"{text(directory, 'stopped.rounds')} loads came to their end meanwhile")


def affinity(directory):
    s = lived(directory, "affinity")
    load = document(directory, "affinity.load")
    expect("changes", load["changes"], 20000)
    expect("on a CPU that is forbidden", load["forbidden"], 0)
    forced = sum(s["moves"]["forced"].values()) + sum(s["moves"]["by_kernel"].values())
    # Half of the CPUs are forbidden at each change, the own one as often as not.
    if forced < 1000:
        fail(f"{forced} forced moves")
    # Idle CPUs looked at tasks that may not go there.
    if s["forbidden"] < 100:
        fail(f"{s['forbidden']} candidates were forbidden")
    print(f"{load['changes']} changes, {forced} moves by affinity, {s['forbidden']} candidates forbidden")


def cpusets(directory):
    s = lived(directory, "cpusets")
    load = document(directory, "cpusets.load")
    expect("tasks that ended", load["ended"], 200)
    expect("looks outside of the cpuset", load["outside"], 0)
    expect("changes", load["changes"], 10)
    expect("restarts", s["restarts"], 0)
    if load["fewest_checks"] < 1:
        fail(f"a task never looked: {load}")
    # Half of the CPUs are not in a task's new cpuset, its own one as often as not.
    moved = sum(s["moves"]["forced"].values()) + sum(s["moves"]["by_kernel"].values())
    if moved < 50:
        fail(f"{moved} forced moves")
    print(f"{load['changes']} changes and {load['entries']} entries, {moved} moves by them; {load['checks']} looks")


def forks(directory):
    s = lived(directory, "forks")
    expect("tasks that ended", document(directory, "forks.load")["ended"], 5000)
    # Each of them had to wait for a CPU once, if only for a moment.
    if s["wait_ns"]["n"] < 5000:
        fail(f"{s['wait_ns']['n']} waits were counted")
    print(f"{s['wait_ns']['n']} waits, {s['kinds']['fork']['decisions']} decisions about new tasks")


def killed(directory):
    """Nobody tells it to end, and nobody is lost: what was under way comes to its end."""
    expect("status", text(directory, "killed.status"), str(128 + 9))
    expect("state afterwards", text(directory, "killed.state"), "disabled")
    for when in ("during", "work"):
        expect(f"work {when}", document(directory, f"killed.{when}")["profile"], "message")


def realtime(directory):
    s = lived(directory, "realtime")
    load = document(directory, "realtime.load")
    expect("CPUs", load["cpus"], 4)
    if load["seconds"] < 1.5:
        fail(f"{load['seconds']} s")
    # Somebody did wait for the real-time tasks: they did what they are here for.
    if s["wait_ns"]["longest"] < 0.5e9:
        fail(f"longest wait {s['wait_ns']['longest']} ns")
    print(f"all CPUs taken for {load['seconds']} s, longest wait {s['wait_ns']['longest'] / 1e9:.2f} s")


def garbage(directory):
    """Models of random bytes decide something, none at all leaves it to the heuristic."""
    lived(directory, "garbage")
    before, after = (document(directory, f"garbage.{when}")["model"] for when in ("before", "after"))
    slots = [slot for slot in document(directory, "garbage.model")["slots"] if slot]
    expect("slots that are seen to be spoiled", [slot["intact"] for slot in slots], [False])
    expect("missing while the magic number is there", before["missing"], 0)
    rounds = int(text(directory, "garbage.rounds"))
    if before["asked"] == 0 or after["missing"] == 0:
        fail(f"before {before}, after {after}")
    print(
        f"2 slots of garbage by bpftool, {rounds} times 40 by us: asked {before['asked']} times; "
        f"then missed {after['missing']} times"
    )


def hotplug(directory):
    s = lived(directory, "hotplug")
    if s["restarts"] < 2:
        fail(f"{s['restarts']} restarts")
    if (directory / "hotplug.lost").exists():
        fail("a load failed")


def suspend(directory):
    """The machine slept in ACPI S3, twice, and all goes on after it."""
    s = lived(directory, "suspend")
    expect("times that it slept", text(directory, "suspend.times"), "2")
    if (directory / "suspend.lost").exists():
        fail("a load failed")
    # QEMU now and then fails to start one of them within the kernel's 10 s.
    print(f"{text(directory, 'suspend.cpus')} of 4 CPUs afterwards, {s['restarts']} restarts")


def stall(directory):
    """The kernel ejects it, the daemon hands on why and says so by its status."""
    reason = ejected(directory, "stall", False)
    if "stall" not in reason:
        fail(f"reason: {reason}")
    expect("work afterwards", document(directory, "stall.work")["profile"], "message")
    print(reason)


def memory(directory):
    """Killed for memory as by anybody else: the kernel's own scheduler goes on."""
    expect("status", text(directory, "memory.status"), str(128 + 9))
    expect("state", text(directory, "memory.state"), "disabled")
    events = dict(line.split() for line in text(directory, "memory.events").splitlines())
    expect("killed for memory", events["oom_kill"], "1")
    expect("work afterwards", document(directory, "memory.work")["profile"], "message")
    print(f"it had {int(text(directory, 'memory.used')) >> 10} KiB")


def killer_only(directory):
    """The only call traces in the kernel's log are those of who asked for the memory."""
    log = pathlib.Path(f"{directory}.log").read_text(errors="replace")
    traces, killer = (len(re.findall(words, log)) for words in ("Call Trace:", "invoked oom-killer"))
    expect("call traces", traces, killer)


if __name__ == "__main__":
    globals()[sys.argv[1]](pathlib.Path(sys.argv[2]))
