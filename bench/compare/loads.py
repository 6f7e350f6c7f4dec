# SPDX-License-Identifier: GPL-2.0
"""What is compared under: how each load comes into the guest, is started, and is measured."""

import json
import pathlib
import subprocess

from compare import schedtrace

HERE = pathlib.Path(__file__).resolve().parent
COMPILE = "compile"
# Inside the guest: starts what is measured by the kernel's events.
TRACED = HERE / "traced.sh"


class Workload:
    """The synthetic loads of bench/vm: one program, which measures itself."""

    def __init__(self, program):
        self.inputs, self.options = [program], ["-p", program]

    @staticmethod
    def command(run, tie):
        words = ["mls-workload", run["profile"], "-S", str(run["seed"])]
        return " ".join(words + (["-P", tie] if tie else []) + run["options"].split())

    @staticmethod
    def measure(out, _run):
        """Its line, or None."""
        lines = documents_of(text_of(out / "load"))
        return lines[-1] if lines else None


class Traced(Workload):
    """The same with the kernel's events beside, which tell when a CPU was idle while a thread waited for one."""

    def __init__(self, program):
        super().__init__(program)
        self.inputs = self.inputs + [TRACED]
        self.options = self.options + ["-p", TRACED, "-m", "2048"]

    @staticmethod
    def command(run, tie):
        return "traced.sh /bin/" + Workload.command(run, tie)

    @staticmethod
    def measure(out, run):
        found = Workload.measure(out, run)
        traced = measure_trace(out, "/bin/mls-workload") if found else None
        # Work is counted by the guest's clock here, and so is what is compared with it.
        return found and traced and dict(found, idle_ms=traced["idle_ms"])


class Compile:
    """A real build with make and gcc in a root directory of its own, measured by the kernel's events."""

    def __init__(self, tree):
        script = HERE / "compile.sh"
        # Of the tree the list of the packages that it consists of, and the hash of each of its files.
        self.inputs = [script, TRACED, tree.parent / "packages", tree.parent / "hashes"]
        self.options = ["-p", script, "-p", TRACED, "-f", f"{tree}=/compile"]

    @staticmethod
    def command(run, _tie):
        return " ".join(["compile.sh", str(run["seed"])] + run["options"].split())

    @staticmethod
    def measure(out, run):
        found = measure_trace(out, "/usr/bin/make")
        return found and dict({"profile": run["profile"], "seed": run["seed"]}, **found)


def measure_trace(out, program):
    """What the guest's kernel did with the process in "pid" from when it executes program on; None without a trace."""
    if not (out / "trace").exists():
        return None
    with open(out / "trace", encoding="utf-8", errors="replace") as lines:
        return schedtrace.measure(lines, int(text_of(out / "pid")), program, schedtrace.machine_of(text_of(out / "cpus")))


def text_of(path):
    return path.read_text(errors="replace").strip() if path.exists() else None


def documents_of(text):
    """JSON documents, one a line; what is no JSON is left out."""
    found = []
    for line in (text or "").splitlines():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return found


def compile_tree(name):
    """The directory of scripts/vm/compile-tree, which fetches what is missing; None when it has said why not."""
    done = subprocess.run([HERE.parent.parent / "scripts/vm/compile-tree", name], stdout=subprocess.PIPE, text=True,
                          check=False)
    return None if done.returncode else pathlib.Path(done.stdout.strip())
