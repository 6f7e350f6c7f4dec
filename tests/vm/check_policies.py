#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Checks what tests/vm/guest_policies.sh measured in a guest.

check_policies.py CHECK DIRECTORY: status 0 when it holds, otherwise it says what
does not.
"""

import json
import pathlib
import sys

from check_scx import expect, fail


def tasks(directory, name):
    found = json.loads((directory / name).read_text())
    for t in found:
        late = f", {t['wakes']} wake-ups, late by {t['late_ns'] / 1e3:.0f} us, {t['passed']} not slept" if t["wakes"] else ""
        print(f"{name}: {t['task']}: {t['cpu_ns'] / 1e6:.1f} ms{late}")
    return found


def waits(directory, name):
    """Waits for a CPU that the scheduler saw while these tasks ran."""
    before, after = (json.loads((directory / f"{name}.{when}").read_text()) for when in ("before", "after"))
    return after["wait_ns"]["n"] - before["wait_ns"]["n"]


def is_partial(directory):
    start = json.loads((directory / "partial").read_text().splitlines()[0])
    expect("partial", start["partial"], True)


def asked(directory):
    is_partial(directory)
    [task] = tasks(directory, "partial.asked")
    expect("sched_ext has it", task["ext"], 1)
    n = waits(directory, "partial.asked")
    print(f"{n} waits")
    # A time may pass between the look at the clock and the sleep: then there is none, and no wait.
    if task["wakes"] < 20 or n < 0.95 * task["wakes"]:
        fail("its wake-ups did not go through us")


def ordinary(directory):
    is_partial(directory)
    [task] = tasks(directory, "partial.ordinary")
    expect("sched_ext has it", task["ext"], 0)
    expect("waits", waits(directory, "partial.ordinary"), 0)
    if task["wakes"] < 20:
        fail("it did not wake up often enough to show anything")


def late(directory, scheduler, policy, running):
    """Mean lateness in ns of a task of this policy that wakes up while one of policy @running computes."""
    name = f"{scheduler}.{policy}" + (".idle" if running == "idle" else "")
    busy, wakes = tasks(directory, name)
    if wakes["wakes"] < 20:
        fail("it did not wake up often enough to show anything")
    return wakes["late_ns"]


# A turn ends with a tick, 4 ms apart: who has to wait for that is late by more than 1 ms in the mean.
SOON_NS = 300_000
TURN_NS = 1_000_000


def over(directory, policy, running, soon):
    """Does the one that wakes up run at once or in its turn, with us and with the kernel's own scheduler?"""
    for scheduler in ("all", "kernel"):
        ns = late(directory, scheduler, policy, running)
        if soon and ns > SOON_NS or not soon and ns < TURN_NS:
            fail(f"{scheduler}: expected {'less' if soon else 'more'}, found {ns / 1e3:.0f} us")


def normal(directory):
    over(directory, "normal", "normal", True)


def batch(directory):
    over(directory, "batch", "normal", False)


def idle(directory):
    over(directory, "idle", "normal", False)


def over_idle(directory):
    over(directory, "normal", "idle", True)
    over(directory, "batch", "idle", True)


if __name__ == "__main__":
    globals()[sys.argv[1]](pathlib.Path(sys.argv[2]))
