# SPDX-License-Identifier: GPL-2.0
"""docs/training.md, as a reader would follow it: each command in turn, all in one directory.

That directory is the top of a fresh tree with what is built here in it.  COMMANDS has all that the page
may print, and what makes each short: options behind it, or words in place of others; everything else
is run as it is printed.  A command that is not in it fails the test, and so does one that the page has
no more.

Two stand-ins, for no test takes a machine's scheduler away from it (tests/vm does that, in guests):
- decisions of our own scheduler are those of `mlsched sim`, whose kernel is simulated; the model is
  models/default, since the simulator asks none of the schema of the recordings in shadow;
- `mlsched model swap` speaks to tests/fake/fake_scx.c, which is `mlsched run` without a kernel.

What looks at the running kernel needs root and BTF and is skipped without, and so is what needs
TensorFlow.  KEEP=1 keeps what came of it.
"""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from interop import BUILD, BYTECODE, MLSCHED, TOP, WHY_NONE, Scratch, Tap, environments

PAGE = TOP / "docs" / "training.md"
FAKE = BUILD / "tests" / "fake" / "fake_scx"
# What `make model` and the scripts need of the tree.
TREE = ("Makefile", "scripts", "src", "include", "models", "tests/tests.mk", "tests/fuzz.mk")
KERAS_MODEL = TOP / "tests/golden/keras/models/tf221-keras3-h5/model.h5"
# The third is one of the tenth of the programs that `mlsched label` holds out, by a hash of the name.
LOADS = ("load-1", "load-2", "load-30")
# Rows of each part that a recording must have before it is ended.
ROWS = {"train": 40, "time": 10, "program": 10}

tap = Tap()


@dataclass(frozen=True)
class Command:
    """How a command of the page is run."""

    more: str = ""                                  # stands behind it
    instead: tuple[tuple[str, str], ...] = ()       # what is printed, and what is run
    by: str = "run"                                 # of class Reader
    needs: str = ""                                 # "kernel": a look at it; "cpus": two; "tensorflow"
    message: str = ""                               # not "": it fails, with that


LEARN = Command(more="--epochs 2")
# `make` makes what it finds in build/ not again.
MODEL = ' MAKE=: ARGS="--rows 2000 --epochs 1"'
COMMANDS = {
    # Ended by SIGINT, as by Ctrl+C, when there is enough in the file.
    "build/mlsched record -o own.db --duration 60":
        Command(instead=(("--duration 60", "--duration 600"),), by="record", needs="kernel"),
    "build/mlsched record -o own.db --append --duration 60":
        Command(instead=(("--duration 60", "--duration 600"),), by="record", needs="kernel"),
    "build/mlsched sim calibrate -o costs.json": Command(more="--rounds 3 --most 64", needs="cpus"),
    "build/mlsched assess own.db --costs costs.json": Command(needs="kernel"),
    "make model": Command(more=MODEL),
    "build/mlsched train --synthetic seed10 --rows 1000 --write-csv rows.csv --output model": LEARN,
    "build/mlsched train rows.csv --output model --layers 64,64 --checkpoint train.ckpt": LEARN,
    "build/mlsched eval model rows.csv": Command(),
    "build/mlsched train rows.csv --output model --layers 64,64 --checkpoint train.ckpt --resume": LEARN,
    "make install-deps-tf": Command(needs="tensorflow"),
    "make model BY=keras": Command(more=MODEL, needs="tensorflow"),
    "build/tensorflow/bin/python src/model_dir/model_export.py --csv rows.csv --output model":
        Command(more="--epochs 2", needs="tensorflow"),
    "build/mlsched inspect model": Command(),
    "build/mlsched convert model.h5 model": Command(more="--json", by="convert"),
    "build/mlsched label own.db -o own": Command(needs="kernel"),
    "build/mlsched train own/train.csv -o model": Command(more="--epochs 2", needs="kernel"),
    "build/mlsched eval model own/time.csv": Command(needs="kernel"),
    "build/mlsched eval model own/program.csv": Command(needs="kernel"),
    "build/mlsched run --backend scx --mode active --model model --explore 0.1 --record explored.db":
        Command(instead=(("run --backend scx --mode active", "sim --seeds 12 -w message --window 20 -p model"),),
                by="explore"),
    "build/mlsched train --from explored.db --init model -o refined":
        Command(more="--epochs 2 --margin 1000"),
    "build/mlsched model swap refined": Command(by="swap"),
    "build/mlsched train --from sim --costs costs.json --machines 8c2l -o model":
        Command(more="--rounds 1 --runs 1 --workloads message --epochs 1", needs="cpus"),
    "build/mlsched sim --costs costs.json -m 8c2l -p eevdf,mlsched,refuse,model --model model":
        Command(more="--seeds 1 -w message", needs="cpus"),
}
# It stands there twice, and what it is asked to run then is another model.
RUN = "build/mlsched run --model model"
RUNS = {
    "From the running kernel": Command(more="--backend shadow --duration 0.3", needs="kernel"),
    # What the page says of kernels without sched_ext.
    "From the simulator": Command(more="--backend shadow --duration 0.3", needs="cpus",
                                  message="the shadow backend cannot ask a model of schema mig15"),
}


def printed(text: str) -> list[tuple[str, str]]:
    """The lines of all blocks, without what they say behind them, each with the heading above it."""
    found, heading, inside = [], "", False
    for line in text.splitlines():
        if line.startswith("```"):
            inside = not inside
        elif inside:
            found.append((heading, re.sub(r"\s+# .*", "", line)))
        elif line.startswith("#"):
            heading = line.lstrip("# ")
    return found


def lacking(need: str) -> str:
    """Why a command cannot be run here, or ""."""
    if need and (os.cpu_count() or 1) < 2:
        return "needs two CPUs"
    if need == "kernel" and os.geteuid() != 0:
        return "needs root"
    if need == "kernel" and not Path("/sys/kernel/btf/vmlinux").exists():
        return "this kernel has no BTF"
    if need == "tensorflow" and not any(e.name == "newest" for e in environments()):
        return WHY_NONE
    return ""


def make_tree(top: Path) -> None:
    for name in TREE:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        if (TOP / name).is_dir():
            shutil.copytree(TOP / name, top / name,
                            ignore=shutil.ignore_patterns("__pycache__", "model_path"))
        else:
            shutil.copy(TOP / name, top / name)
    (top / "build").mkdir()
    for name, there in (("mlsched", Path(MLSCHED)), ("libbpf", BUILD / "libbpf"),
                        ("tensorflow", BUILD / "tensorflow")):
        if there.exists():
            (top / "build" / name).symlink_to(there.resolve())


@contextmanager
def loads(top: Path):
    """Programs that wait for programs of their own: with each the kernel finds CPUs for both."""
    running = []
    for name in LOADS * 2:
        program = top / name
        if not program.exists():
            program.symlink_to(Path(shutil.which("sh")).resolve())
        running.append(subprocess.Popen([program, "-c", "while :; do sleep 0.001; done"]))
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


class Reader:
    """Types what the page prints, in one directory."""

    def __init__(self, top: Path) -> None:
        self.top = top
        # By these `make` and the programs would find our tree, not the reader's.
        self.variables = {name: value for name, value in os.environ.items()
                          if name not in ("O", "MLSCHED", "MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
        self.variables |= {**BYTECODE, "TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}
        self.sessions = 0

    def begin(self, line: str, **options) -> subprocess.Popen[str]:
        return subprocess.Popen(["bash", "-c", f"exec {line}"], cwd=self.top, env=self.variables, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)

    def run(self, line: str) -> tuple[int, str]:
        process = self.begin(line)
        said = "".join(process.communicate())
        return process.returncode, said

    def parts(self, session: int) -> dict[str, int]:
        """Rows that a recording has come to, also while it is written: of a session, and of all for training."""
        done = subprocess.run([MLSCHED, "label", "-q", "own.db", "--csv", "-"], cwd=self.top, text=True,
                              capture_output=True, check=False)
        rows = list(csv.DictReader(io.StringIO(done.stdout))) if done.returncode == 0 else []
        return {part: sum(row["part"] == part and int(row["session"]) == session for row in rows)
                for part in ROWS}

    def record(self, line: str) -> tuple[int, str]:
        self.sessions += 1
        with loads(self.top):
            process = self.begin(line)
            while process.poll() is None:
                found = self.parts(self.sessions)
                if all(found[part] >= ROWS[part] for part in ROWS):
                    process.send_signal(signal.SIGINT)
                    break
                time.sleep(0.1)
            # While the load still runs: the last fifth of the time has rows, however long an end takes.
            said = "".join(process.communicate())
        return process.returncode, said

    def convert(self, line: str) -> tuple[int, str]:
        """A Keras model that exists already."""
        shutil.copy(KERAS_MODEL, self.top / "model.h5")
        return self.run(line)

    def explore(self, line: str) -> tuple[int, str]:
        shutil.rmtree(self.top / "model", ignore_errors=True)
        shutil.copytree(TOP / "models" / "default", self.top / "model")
        return self.run(line)

    def swap(self, line: str) -> tuple[int, str]:
        socket = self.top / "socket"
        scheduler = self.begin(f"{FAKE} --json --socket {socket} --model model")
        try:
            # It listens when that is printed.
            assert scheduler.stdout and scheduler.stdout.readline(), scheduler.communicate()[1]
            status, said = self.run(f"{line} --socket {socket} --now --watch-after 0")
            active = subprocess.run([MLSCHED, "model", "status", "--socket", socket], capture_output=True,
                                    text=True, check=False).stdout
        finally:
            scheduler.terminate()
            scheduler.communicate()
        if str(self.top / "refined") not in active:
            return status or 1, f"{said}\nthe active model is another one:\n{active}"
        return status, said


def outputs(line: str, top: Path) -> dict[Path, int | None]:
    """What a command says that it writes, and when that was last written."""
    names = re.findall(r"(?:-o|--output|--write-csv|--checkpoint|--record) (\S+)", line)
    # Of a training that was done nothing is left to be kept.
    names = [name for name in names if not (name.endswith(".ckpt") and "--resume" in line)]
    if line.split()[1] == "convert":
        names.append(line.split()[-1])
    if line.startswith("make model"):
        names.append("src/model_dir/model_path")
    found: dict[Path, int | None] = {}
    for name in names:
        path = top / name
        files = [path, *path.rglob("*")] if path.exists() else []
        found[path] = max((file.stat().st_mtime_ns for file in files), default=None)
    return found


def follow(line: str, command: Command, reader: Reader) -> bool:
    short = line
    for old, new in command.instead:
        assert old in short, f"{line}: has no {old}"
        short = short.replace(old, new)
    short = f"{short} {command.more}".rstrip()
    before = outputs(line, reader.top)
    way: Callable[[str], tuple[int, str]] = getattr(reader, command.by)
    status, said = way(short)
    after = outputs(line, reader.top)
    stale = [str(path) for path, when in after.items() if when is None or when == before[path]]
    passed = (status == 1 and command.message in said) if command.message else \
        (status == 0 and not stale and bool(said.strip()))
    wrong = f"{short}\nstatus {status}, not written: {', '.join(stale) or 'nothing'}\n{said[-3000:]}"
    return tap.result(passed, f"training_page: {line}{': ' + command.message if command.message else ''}", wrong)


def main() -> None:
    page = printed(PAGE.read_text())
    shown = {line for _, line in page}
    tap.same("page_prints_no_command_that_is_not_run", [],
             [f"{heading}: {line}" for heading, line in page
              if line not in COMMANDS and not (line == RUN and heading in RUNS)])
    tap.same("all_that_is_known_stands_on_the_page", [],
             [line for line in COMMANDS if line not in shown] +
             [f"{heading}: {RUN}" for heading in RUNS if (heading, RUN) not in page])
    with Scratch() as scratch:
        reader = Reader(scratch / "mlsched")
        make_tree(reader.top)
        for heading, line in page:
            command = RUNS.get(heading) if line == RUN else COMMANDS.get(line)
            if not command:
                continue
            why = lacking(command.needs)
            if why:
                tap.skip(f"training_page: {line}", why)
            elif not follow(line, command, reader):
                break
    tap.finish()


if __name__ == "__main__":
    sys.exit(main())
