# SPDX-License-Identifier: GPL-2.0
"""The file of results: one JSON object a line, appended as runs end, read again to go on."""

import json
import os

from compare import loads

# Two runs with the same values of these are the same run: its numbers would be the same, too.
KEY = ("kernel", "topology", "profile", "options", "scheduler", "command", "seed", "inputs")


def key_of(run):
    return tuple(run[name] for name in KEY)


def read(path):
    """All runs of a file that ended; a last line that was cut off is left out."""
    runs = []
    if not os.path.exists(path):
        return runs
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            runs.append(json.loads(line))
        except json.JSONDecodeError as error:
            if number == len(lines):
                break
            raise SystemExit(f"{path}: line {number}: {error}") from error
    return runs


def opened(path):
    """For append(): what was cut off in the middle of a line goes."""
    if os.path.exists(path):
        with open(path, "rb+") as file:
            file.truncate(file.read().rfind(b"\n") + 1)
    return open(path, "a", encoding="utf-8")


def append(file, run):
    file.write(json.dumps(run, separators=(", ", ": ")) + "\n")
    file.flush()
    os.fsync(file.fileno())


def newest(runs):
    """Of each scheduler on each machine only runs of the build that ran last (a file may hold older ones).

    What a run depends on is hashed into its inputs: for the compile that is more, and another hash.
    """
    def who(run):
        return run["scheduler"], run["topology"], run["profile"] == loads.COMPILE

    last = {}
    for run in runs:
        last[who(run)] = run["command"], run["inputs"]
    return [run for run in runs if (run["command"], run["inputs"]) == last[who(run)]]
