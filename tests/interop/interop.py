# SPDX-License-Identifier: GPL-2.0
"""For the interop tests: TAP, the environments of the tools, mlsched as a subprocess.

Runs in the system's Python without any package.  Importing TensorFlow takes
seconds, so the tests hand each environment one worker script with all cases.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
BUILD = Path(os.environ.get("O", TOP / "build"))
MLSCHED = os.environ.get("MLSCHED", str(BUILD / "mlsched"))

# Importing TensorFlow takes 12 s of a processor where all of it has to be compiled, and 5 s where
# that has been kept: here, whatever the environment says.
BYTECODE = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(BUILD.resolve() / "pycache")}
SCRIPTS = TOP / "src" / "model_dir"
WHY_NO_ONNX = ("no ONNX Runtime: scripts/install-deps-tf.sh --onnx needs a network, and CPython 3.11 on "
               "x86-64")
WHY_NONE = "no TensorFlow: make install-deps-tf needs a network, and CPython 3.11 on x86-64"


class Tap:
    """Results in the Test Anything Protocol."""

    def __init__(self) -> None:
        self.count = 0
        self.bad = False

    def result(self, passed: bool, name: str, detail: str = "") -> bool:
        self.count += 1
        if not passed:
            self.bad = True
            for line in detail.splitlines():
                print(f"# {line}")
        print(f"{'ok' if passed else 'not ok'} {self.count} - {name}", flush=True)
        return passed

    def same(self, name: str, expected: object, found: object) -> bool:
        return self.result(expected == found, name, f"expected: {expected}\nfound:    {found}")

    def skip(self, name: str, why: str) -> None:
        self.count += 1
        print(f"ok {self.count} - {name} # SKIP {why}", flush=True)

    def finish(self) -> None:
        print(f"1..{self.count}")
        sys.exit(1 if self.bad else 0)


@dataclass(frozen=True)
class Environment:
    """A virtual environment with TensorFlow, or with ONNX Runtime."""

    name: str           # "oldest" or "newest"
    root: Path

    @property
    def python(self) -> str:
        return str(self.root / "bin" / "python")

    @property
    def library(self) -> str:
        """TensorFlow's C library, which the wheel holds."""
        (path,) = self.root.glob("lib/python3*/site-packages/tensorflow/libtensorflow_cc.so.2")
        return str(path)

    def run(self, *arguments: str | Path, text: str = "") -> subprocess.CompletedProcess[str]:
        # What runs here links no sanitizer, and writes nothing beside the sources.
        variables = {**os.environ, **BYTECODE, "TF_CPP_MIN_LOG_LEVEL": "3",
                     "TF_ENABLE_ONEDNN_OPTS": "0"}
        return subprocess.run([self.python, *map(str, arguments)], capture_output=True, text=True,
                              input=text, env=variables, check=False)


def environments(family: str = "tensorflow") -> list[Environment]:
    """Those that are installed; both on a machine with a network."""
    found = [Environment("oldest", BUILD / f"{family}-oldest"),
             Environment("newest", BUILD / family)]
    return [environment for environment in found if Path(environment.python).exists()]


def in_each(environments_: list[Environment],
            function: Callable[[Environment], Any]) -> dict[str, Any]:
    """function(environment) for all at the same time; the results by name."""
    with ThreadPoolExecutor() as pool:
        results = pool.map(function, environments_)
        return dict(zip((environment.name for environment in environments_), results))


def worker(environment: Environment, script: str, *arguments: str | Path, text: str = "") -> dict:
    """Run a worker script of this directory; it prints one JSON document in its last line."""
    done = environment.run(HERE / script, *arguments, text=text)
    if done.returncode != 0:
        raise RuntimeError(f"{script} in {environment.root} ended with {done.returncode}\n"
                           f"{done.stdout[-2000:]}\n{done.stderr[-6000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def mlsched(*arguments: str | Path, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([MLSCHED, *map(str, arguments)], capture_output=True, text=True,
                          input=text, check=False)


def weights_of(model: Path, scratch: Path) -> list[str]:
    """What mlsched has read of it, kernel and bias of each layer in turn, the bytes of their float32 as hexadecimal digits.

    Of a SavedModel that mlsched writes of it: there they stand one after the other, bias before kernel.
    """
    copy = scratch / "weights"
    done = mlsched("convert", "--form", "variables", "--to", "savedmodel", model, copy)
    if done.returncode != 0:
        return [done.stderr]
    found, at = [], 0
    stored = (copy / "variables" / "variables.data-00000-of-00001").read_bytes()
    for layer in json.loads(mlsched("inspect", "--json", copy).stdout)["layers"]:
        sizes = [4 * layer["units"] * layer["bias"], 4 * layer["units"] * layer["inputs"]]
        bias, kernel = stored[at:at + sizes[0]], stored[at + sizes[0]:at + sum(sizes)]
        found += [kernel.hex()] + [bias.hex()] * layer["bias"]
        at += sum(sizes)
    assert at == len(stored), f"{model}: expected {at} bytes of weights, found {len(stored)}"
    shutil.rmtree(copy)
    return found


def same_weights(tap: Tap, name: str, wanted: list[str], found: list[str]) -> None:
    """Of the lists of weights_of(): each kernel and each bias, in order, with every bit."""
    wrong = "" if len(wanted) == len(found) else f"expected {len(wanted)} arrays, found {len(found)}: {str(found)[:200]}"
    for number, (one, other) in enumerate(zip(wanted, found)):
        if one != other:
            wrong += f"array {number}: expected {one[:80]}, found {other[:80]}\n"
    # Zeros would tell nothing: of a bias that nobody has trained, say.
    tap.result(not wrong and all(one.strip("0") for one in wanted), name, wrong or "an array is all zeros")


def numbers(text: str) -> list[list[float]]:
    return [[float(word) for word in line.split()] for line in text.splitlines()]


def predict(model: Path, rows: str, *options: str) -> list[list[float]] | str:
    """mlsched's outputs for rows as text, or its error message."""
    done = mlsched("predict", *options, model, text=rows)
    return numbers(done.stdout) if done.returncode == 0 else done.stderr.strip()


def seed_rows(generator: random.Random, count: int) -> list[list[float]]:
    """Like the schema seed10: a CPU number, two counts, two loads, five zeros."""
    return [[float(generator.randrange(128)), float(generator.randrange(64)),
             float(generator.randrange(64)), generator.random(), generator.random(),
             0.0, 0.0, 0.0, 0.0, 0.0] for _ in range(count)]


def as_float32(row: list[float]) -> list[float]:
    return list(struct.unpack(f"<{len(row)}f", struct.pack(f"<{len(row)}f", *row)))


def rows_for(model: Path, generator: random.Random) -> list[list[float]]:
    """Rows as in training: within the ranges that the model names, else small numbers."""
    about = json.loads(mlsched("inspect", "--json", model).stdout)
    width = about["inputs"]
    ranges = about.get("calibration")
    limits = list(zip(ranges["min"], ranges["max"])) if ranges else [(0, 2)] * width
    return [as_float32([generator.uniform(low, high) for low, high in limits])
            for _ in range(100)]


def as_text(rows: list[list[float]], digits: int = 9) -> str:
    return "".join(" ".join(f"{value:.{digits}g}" for value in row) + "\n" for row in rows)


def write_rows(directory: Path, rows: list[list[float]]) -> None:
    """rows.txt for mlsched, rows.f32 for the workers and the C program."""
    (directory / "rows.txt").write_text(as_text(rows))
    (directory / "rows.f32").write_bytes(b"".join(struct.pack(f"<{len(row)}f", *row)
                                                  for row in rows))


def compare(found: list[list[float]] | str, wanted: list[list[float]], tolerance: float,
            threshold: float | None) -> str:
    """"" when outputs and, with a threshold, verdicts agree, else what is wrong."""
    if isinstance(found, str):
        return found
    if [len(row) for row in found] != [len(row) for row in wanted]:
        return f"expected {len(wanted)} rows of {len(wanted[0])}, found {len(found)}"
    scale = max(1.0, max(abs(value) for row in wanted for value in row))
    worst = max(abs(a - b) for one, other in zip(found, wanted) for a, b in zip(one, other))
    if not worst <= tolerance * scale:
        return f"largest difference {worst:g}, allowed {tolerance:g} x {scale:g}"
    if threshold is not None:
        for number, (one, other) in enumerate(zip(found, wanted)):
            if (one[-1] > threshold) != (other[-1] > threshold):
                return f"row {number}: verdict {one[-1]!r}, expected {other[-1]!r}"
    return ""


class Scratch:
    """A directory of our own; kept when KEEP is set, to look at."""

    def __enter__(self) -> Path:
        self.path = Path(tempfile.mkdtemp(prefix="mlsched-interop-"))
        return self.path

    def __exit__(self, *_: object) -> None:
        if os.environ.get("KEEP"):
            print(f"# kept: {self.path}")
        else:
            shutil.rmtree(self.path)


def check_reading(tap: Tap, kind: str, version: str, case: dict, model: Path,
                  tolerance: float) -> None:
    """mlsched computes what the tool computed, whose rows and outputs are beside the model."""
    wanted = numbers((model.parent / "outputs.txt").read_text())
    found = predict(model, (model.parent / "rows.txt").read_text())
    wrong = compare(found, wanted, tolerance, case["threshold"])
    tap.result(not wrong, f"mlsched_reads_{kind}_{version}: {case['name']}", wrong)


def check_refusal(tap: Tap, kind: str, version: str, name: str, model: Path, head: str) -> None:
    """By a message that begins with head and says what was expected and found."""
    done = mlsched("predict", model, text="0 0 0 0 0 0 0 0 0 0\n")
    message = done.stderr.strip()
    tap.result(done.returncode == 1 and head in message and "expected" in message and
               "found" in message and not done.stdout,
               f"mlsched_refuses_{kind}_{version}: {name}",
               f"status {done.returncode}: {done.stdout}{message}")
