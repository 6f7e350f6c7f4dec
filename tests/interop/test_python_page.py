# SPDX-License-Identifier: GPL-2.0
"""docs/python.md, as a reader would follow it: each script under its name, each command in turn.

Blocks of ```python begin with the name of their file, and are written; the lines of ```sh are run.
Each part of the page runs in an environment with the tool that it is about, in one directory.

KEEP=1 keeps what came of it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from interop import BUILD, TOP, WHY_NONE, Environment, Scratch, Tap, environments, mlsched
from python_package import WHY_NO_TOOLS, Installed, beside, lend, run, site_packages, tools

PAGE = TOP / "docs" / "python.md"
# PyTorch of PyPI brings gigabytes of CUDA along; Debian's is for CPUs.
DEBIAN = Path("/usr/lib/python3/dist-packages")
WHY_NO_TORCH = "no PyTorch: apt install python3-torch"

tap = Tap()


@dataclass
class Part:
    """What stands below one heading: files to write and lines to run, in their order."""

    title: str
    steps: list[tuple[str, str]] = field(default_factory=list)      # ("python" or "sh", text)


def parts(text: str) -> list[Part]:
    found: list[Part] = []
    language, lines = "", []
    for line in text.splitlines():
        if line.startswith("```"):
            if language in ("python", "sh"):
                found[-1].steps.append((language, "\n".join(lines) + "\n"))
            language, lines = ("", []) if language else (line[3:] or "none", [])
        elif language:
            lines.append(line)
        elif line.startswith("## "):
            found.append(Part(line[3:]))
    return [part for part in found if part.steps]


def has_torch(environment: Environment) -> bool:
    """Debian's PyTorch is for Debian's Python."""
    done = subprocess.run([environment.python, "-c", f"import sys; sys.path.insert(0, '{DEBIAN}'); import torch"],
                          capture_output=True, check=False)
    return done.returncode == 0


def prepare(part: Part, environment: Environment, scratch: Path) -> Installed | str:
    """The environment of a part, or why there is none."""
    root, own = scratch / f"venv-{part.title.split()[0]}", site_packages(environment)
    if part.title == "Keras":
        newest = [other for other in environments() if other.name == "newest"]
        # First what the tool wants: NumPy is of the first directory that has one.
        return beside(root, newest[0], sites=(site_packages(newest[0]), own)) if newest else WHY_NONE
    if part.title == "PyTorch":
        return beside(root, environment, sites=(DEBIAN, own)) if has_torch(environment) else WHY_NO_TORCH
    return beside(root, environment)


def follow(part: Part, installed: Installed, work: Path) -> bool:
    """Write and run what the part says; False when a command failed."""
    variables = {"PATH": f"{installed.root / 'bin'}:{BUILD}:/usr/bin:/bin", # Not ours: what is built by another path of the same directory is built again.
                 "MLSCHED_BUILD": str(work.parent / "build"),
                 # What is not there already may not come from a network, nor be built from one.
                 "PIP_NO_BUILD_ISOLATION": "0", "CUDA_VISIBLE_DEVICES": "-1"}
    for language, text in part.steps:
        if language == "python":
            name = re.match(r"# (\w+\.py)\n", text)
            assert name, f"{PAGE.name}: {part.title}: expected a script that begins with its name"
            (work / name[1]).write_text(text)
            continue
        for line in text.splitlines():
            done = run(["bash", "-c", line], work, **variables)
            said = f"{done.stdout[-3000:]}{done.stderr[-3000:]}"
            if not tap.result(done.returncode == 0, f"page_{part.title.split()[0]}: {line}",
                              f"status {done.returncode}\n{said}"):
                return False
            if line.startswith("python "):
                print("".join(f"# {line}\n" for line in done.stdout.splitlines()[-14:]), end="")
    return True


def check_model(name: str, work: Path) -> None:
    """What the scheduler would ask of it."""
    about = json.loads(mlsched("inspect", "--json", work / name).stdout)
    tap.same(f"{name}_is_of_the_schedulers_schema", ["mig15", True, 15],
             [about["schema"], about["fixed_point"].get("kernel_engine"),
              len(about["calibration"]["min"])])
    # Both learned something: better than a coin on what came later.
    scores = json.loads(mlsched("eval", "--json", work / name, work / "rows" / "time.csv").stdout)
    tap.result(scores["scores"]["auc"] > 0.55, f"{name}_tells_later_decisions_apart", str(scores))


def main() -> None:
    environment = tools()
    if not environment:
        tap.skip("python_page", WHY_NO_TOOLS)
        tap.finish()
    page = parts(PAGE.read_text())
    tap.same("page_has_its_parts", ["The package, and rows to learn from", "Keras", "PyTorch"],
             [part.title for part in page])
    with Scratch() as scratch:
        work = scratch / "work"
        work.mkdir()
        (work / "python").symlink_to(TOP / "python")
        first: Installed | None = None
        for part in page:
            installed = prepare(part, environment, scratch)
            if isinstance(installed, str):
                tap.skip(f"page_{part.title}", installed)
                continue
            # Installed by the first part's own command.
            if first:
                lend(first, installed)
            if not follow(part, installed, work):
                break
            first = first or installed
            if part.title != page[0].title:
                check_model(f"own_{part.title.lower().removeprefix('py')}", work)
    tap.finish()


if __name__ == "__main__":
    sys.exit(main())
