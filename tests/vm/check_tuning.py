#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Checks what guest_tuning.sh left: check_tuning.py CHECK DIRECTORY."""

import json
import pathlib
import sys

from check_scx import expect, fail, text

USUAL = [2000, 2500, 3000]
EAGER = [100, 300, 500]
OTHER = [0, 1, 2]
MECHANISMS = ["fork-in-place", "ask-again"]


def steps(directory):
    lines = [line.split("\t", 1) for line in text(directory, "offers").splitlines()]
    return {name: json.loads(document) for name, document in lines}


def start(directory, name):
    return json.loads(text(directory, name).splitlines()[0])


def offers(directory):
    """Its own while a model decides, the usual ones else; a restart changes nothing."""
    wanted = {"begin": EAGER, "load": EAGER, "shadow": USUAL, "collect": USUAL, "active": EAGER, "unplugged": EAGER,
              "untuned": USUAL, "replugged": USUAL, "rollback": EAGER, "other": OTHER, "named": EAGER, "warned": EAGER,
              "collected": USUAL}
    found = {name: document["offers_us"] for name, document in steps(directory).items()}
    expect("offers", found, wanted)
    expect("restarts", steps(directory)["other"]["restarts"] >= 2, True)
    expect("status", json.loads(text(directory, "status"))["offers_us"], OTHER)


def decides(directory):
    """The load was scheduled by what the kernel side computed with these numbers."""
    document = steps(directory)["load"]
    if not document["decisions"] or document["model"]["missing"]:
        fail(f"no decisions of the model: {document}")


def mechanisms(directory):
    """The model's, unless others are named; and then who swaps is warned."""
    expect("the model's", start(directory, "tuned")["mechanisms"], MECHANISMS)
    expect("named", start(directory, "named")["mechanisms"], ["level-large"])
    expect("status", json.loads(text(directory, "status"))["mechanisms"], MECHANISMS)
    answer = json.loads(text(directory, "step-other"))
    if "warning" in answer:
        fail(f"a warning about the same mechanisms: {answer}")
    warning = json.loads(text(directory, "step-warned")).get("warning", "")
    if "mechanisms fork-in-place,ask-again, and this one has level-large" not in warning:
        fail(f"no warning about others: {warning}")


if __name__ == "__main__":
    globals()[sys.argv[1]](pathlib.Path(sys.argv[2]))
