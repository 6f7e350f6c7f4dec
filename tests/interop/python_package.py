# SPDX-License-Identifier: GPL-2.0
"""For the tests of the Python package: built as a user builds it, installed beside other tools."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from interop import BUILD, BYTECODE, MLSCHED, TOP, Environment

PYTHON = TOP / "python"
WHY_NO_TOOLS = ("no build, cffi, NumPy: scripts/install-deps-tf.sh --python needs a network, and CPython "
                "3.11 on x86-64")
# What the package needs at run time, from the environment that built it.
RUNTIME = ("cffi", "_cffi_backend*.so", "pycparser")


def tools() -> Environment | None:
    """What scripts/install-deps-tf.sh --python installs."""
    found = Environment("newest", BUILD / "python")
    return found if Path(found.python).exists() else None


def site_packages(environment: Environment) -> Path:
    (path,) = environment.root.glob("lib/python3*/site-packages")
    return path.resolve()


def run(command: list[str | Path], cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command that knows nothing of this checkout but the program's name and where bytecode is kept, in plain variables."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}
    return subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False,
                          env={**kept, **BYTECODE, "MLSCHED": MLSCHED,
                               "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INDEX": "1",
                               "PIP_NO_INPUT": "1", "TF_CPP_MIN_LOG_LEVEL": "3",
                               "TF_ENABLE_ONEDNN_OPTS": "0", **variables})


@dataclass(frozen=True)
class Installed:
    """A virtual environment with packages of others beside what is installed into it."""

    root: Path

    @property
    def python(self) -> Path:
        return self.root / "bin" / "python"

    @property
    def site(self) -> Path:
        (path,) = self.root.glob("lib/python3*/site-packages")
        return path


def beside(root: Path, environment: Environment, packages: Environment | None = None,
           sites: tuple[Path, ...] = ()) -> Installed:
    """A new virtual environment that sees all of an environment (or of these directories, in this
    order), and of another one what the package needs at run time; what is installed into it leaves
    all of them as they are.  Its pip is the environment's."""
    done = run([environment.python, "-m", "venv", "--without-pip", root], root.parent)
    assert done.returncode == 0, done.stderr
    made = Installed(root)
    pip = root / "bin" / "pip"
    pip.write_text(f'#!/bin/sh\nexec "{made.python}" -m pip "$@"\n')
    pip.chmod(0o755)
    (made.site / "beside.pth").write_text("".join(f"{path}\n" for path in
                                                  sites or [site_packages(environment)]))
    for pattern in RUNTIME if packages else ():
        (source,) = site_packages(packages).glob(pattern)
        (made.site / source.name).symlink_to(source)
    return made


def build(environment: Environment, target: Path) -> tuple[Path, Path]:
    """python -m build: the source distribution, and the wheel made of that."""
    done = run([environment.python, "-m", "build", "--no-isolation", "--outdir", target, PYTHON], TOP)
    if done.returncode != 0:
        raise RuntimeError(f"python -m build ended with {done.returncode}\n{done.stdout[-3000:]}"
                           f"\n{done.stderr[-3000:]}")
    (source,), (wheel,) = target.glob("*.tar.gz"), target.glob("*.whl")
    return source, wheel


def install(environment: Installed, what: Path) -> None:
    done = run([environment.python, "-m", "pip", "install", "--no-deps", "--no-compile", what],
               environment.root)
    if done.returncode != 0:
        sys.exit(f"pip install {what.name} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")


def lend(installed: Installed, other: Installed) -> None:
    """The package that is installed in one, in another one too."""
    for path in installed.site.glob("mlsched*"):
        (other.site / path.name).symlink_to(path)
