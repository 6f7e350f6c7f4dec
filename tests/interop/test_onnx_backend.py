# SPDX-License-Identifier: GPL-2.0
"""The ONNX project's own backend test data, of its oldest and newest package that runs here.

onnx_backend.py makes models of every case whose operators we know, and says by rules which of them
we do not claim.  A model that is claimed must be read and give the outputs that the data holds;
one that is not must be refused with a reason, so that no rule can hide more than it says.
docs/formats.md has the counts, which are compared with what is found.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from interop import TOP, WHY_NO_ONNX, Scratch, Tap, compare, environments, in_each, numbers, predict, worker

TOLERANCE = 2e-6            # times the largest output, where that is above 1
OPERATIONS = TOP / "src" / "formats" / "onnx_ops.c"

tap = Tap()


def known_operations() -> list[str]:
    return re.findall(r'^\t\{ "(\w+)", ', OPERATIONS.read_text(), re.MULTILINE)


def check_form(version: str, form: dict) -> None:
    directory = Path(form["directory"])
    found = predict(directory / "model.onnx", (directory / "rows.txt").read_text())
    name = f"onnx_{version}: {form['case']}, as {form['form']}"
    if not form["unclaimed"]:
        wrong = compare(found, numbers((directory / "outputs.txt").read_text()), TOLERANCE, None)
        tap.result(not wrong, f"mlsched_gives_the_outputs_of_{name}", wrong)
        return
    refused = isinstance(found, str) and "Invalid ONNX format: " in found and "xpected" in found
    tap.result(refused, f"mlsched_refuses_what_it_does_not_claim_of_{name}: {form['unclaimed']}",
               str(found))


def sentence(answer: dict) -> str:
    cases = {form["case"] for form in answer["forms"]}
    claimed = {form["case"] for form in answer["forms"] if not form["unclaimed"]}
    return (f"| {answer['onnx']} | {answer['total']:,} | {len(cases)} | {len(claimed)} | "
            f"{len(claimed)} |")


def check_version(version: str, answer: dict) -> None:
    print(f"# {version}: onnx {answer['onnx']}, {answer['total']} cases; no case for us:")
    for reason, count in sorted(answer["others"].items()):
        print(f"#   {count:5} {reason}")
    for form in answer["forms"]:
        check_form(version, form)
    counts = Counter(form["unclaimed"] for form in answer["forms"] if form["unclaimed"])
    print("# models that are not claimed:")
    for reason, count in sorted(counts.items()):
        print(f"#   {count:5} {reason}")
    wanted = sentence(answer)
    tap.result(wanted in (TOP / "docs" / "formats.md").read_text(),
               f"docs_count_the_backend_cases_{version}", f"docs/formats.md: expected {wanted}")


def main() -> None:
    installed = environments("onnx")
    if not installed:
        tap.skip("onnx_backend", WHY_NO_ONNX)
        tap.finish()
    with Scratch() as top:
        made = in_each(installed, lambda e: worker(e, "onnx_backend.py", top / e.name,
                                                   *known_operations()))
        for environment in installed:
            check_version(environment.name, made[environment.name])
    tap.finish()


if __name__ == "__main__":
    main()
