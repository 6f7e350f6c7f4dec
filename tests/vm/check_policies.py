#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Checks what tests/vm/guest_policies.sh measured in a guest.

check_policies.py CHECK DIRECTORY: status 0 when it holds, otherwise it says what
does not.
"""

import json
import pathlib
import sys


def fail(text):
    print(text)
    sys.exit(1)


def expect(name, found, wanted):
    if found != wanted:
        fail(f"{name}: expected {wanted!r}, found {found!r}")


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


if __name__ == "__main__":
    globals()[sys.argv[1]](pathlib.Path(sys.argv[2]))
