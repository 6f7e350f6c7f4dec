#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The rule that golden numbers of scheduling are held to (tests/vm/golden_schedule.py) passes what it should, and no more."""

import contextlib
import copy
import io
import json
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests/lib"), str(ROOT / "tests/vm")]
import golden_schedule  # noqa: E402
import tap  # noqa: E402

PATH = ROOT / "tests/golden/schedule.json"
GOLDEN = json.loads(PATH.read_text())


def seed_of(scheduler, number):
    """The loads of one golden seed, as far as they are held to something."""
    return {profile: {field: values[number] for field, values in fields.items()}
            for profile, fields in GOLDEN[scheduler]["seeds"].items()}


def without(scheduler, number):
    return {profile: {field: values[:number] + values[number + 1:] for field, values in fields.items()}
            for profile, fields in GOLDEN[scheduler]["seeds"].items()}


def compared(scheduler, part):
    """(holds, what is said)"""
    said = io.StringIO()
    with tempfile.NamedTemporaryFile("w") as file, contextlib.redirect_stdout(said):
        json.dump(part, file)
        file.flush()
        status = golden_schedule.compare(PATH, scheduler, file.name)
    return status == 0, said.getvalue()


def the_same_inputs_are_held_to_the_digit():
    for scheduler, part in GOLDEN.items():
        assert compared(scheduler, part)[0]
        other = copy.deepcopy(part)
        other["loads"]["make"]["makespan_ms"] += 0.001
        holds, said = compared(scheduler, other)
        assert not holds and "make.makespan_ms" in said, said
        other["inputs"]["libraries"] = "other"
        holds, said = compared(scheduler, other)
        assert holds and "other inputs (libraries): within tolerance; 1 numbers differ" in said, said


def each_seed_is_one_that_the_others_allow():
    for scheduler in GOLDEN:
        for number in range(8):
            found = golden_schedule.beyond(without(scheduler, number), seed_of(scheduler, number))
            assert not found, f"{scheduler}, seed {number + 1}: {found}"


def another_scheduler_is_none():
    """A scheduler that refuses every move is not taken for one with no model, nor that for EEVDF, on any seed."""
    for golden, other in (("heuristic", "refuse"), ("refuse", "heuristic"), ("refuse", "eevdf"), ("eevdf", "refuse")):
        for number in range(8):
            assert golden_schedule.beyond(GOLDEN[golden]["seeds"], seed_of(other, number)), f"{other}, seed {number + 1}"


def a_scheduler_that_does_not_move_is_none():
    for scheduler in ("eevdf", "heuristic"):
        for number in range(8):
            found = seed_of(scheduler, number)
            for load in found.values():
                load["moves"] = 0
            assert golden_schedule.beyond(GOLDEN[scheduler]["seeds"], found), f"{scheduler}, seed {number + 1}"


def what_is_too_far_is_named():
    found = seed_of("heuristic", 0)
    found["make"]["makespan_ms"] *= 1.2
    (line,) = golden_schedule.beyond(GOLDEN["heuristic"]["seeds"], found)
    assert line.startswith("make: makespan_ms 12") and "after 8 seeds" in line, line
    found = seed_of("heuristic", 0)
    for load in found.values():
        load["makespan_ms"] *= 1.12
    assert any(line.startswith("all loads: makespan_ms") for line in
               golden_schedule.beyond(GOLDEN["heuristic"]["seeds"], found))


def what_decides_has_to_be_what_they_were_made_of():
    other = copy.deepcopy(GOLDEN["heuristic"])
    other["source"] = "another"
    holds, said = compared("heuristic", other)
    assert not holds and "bpf/, core/" in said, said


def nothing_moves_by_choice_where_all_is_refused():
    other = copy.deepcopy(GOLDEN["refuse"])
    other["counters"]["accepted"] = 1
    assert not compared("refuse", other)[0]


TESTS = [a_scheduler_that_does_not_move_is_none, the_same_inputs_are_held_to_the_digit, each_seed_is_one_that_the_others_allow, another_scheduler_is_none,
         what_is_too_far_is_named, what_decides_has_to_be_what_they_were_made_of,
         nothing_moves_by_choice_where_all_is_refused]

if __name__ == "__main__":
    sys.exit(tap.run(TESTS))
