# SPDX-License-Identifier: GPL-2.0
"""What pyproject.toml cannot say: the version of the C library, its sources and what it needs, and
one wheel for all CPythons."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_ext import build_ext
from setuptools.command.sdist import sdist

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from build_native import BUNDLED, LIBRARIES, TOP  # noqa: E402

# What `make build/libmlsched.a` reads.
SOURCES = ("Makefile", "LICENSE", "include/mlsched", "core", "src/util", "src/nn", "src/formats",
           "src/data", "src/libmlsched.map", "scripts/rules.mk", "scripts/vm/vm.mk", "tests/tests.mk",
           "tests/fuzz.mk")


def version() -> str:
    text = (TOP / "include" / "mlsched" / "version.h").read_text()
    found = re.search(r'#define MLSCHED_VERSION\s+"(.*)"', text)
    assert found, "include/mlsched/version.h: expected MLSCHED_VERSION"
    return found[1]


def output_of(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


class BuildExtension(build_ext):
    """With the shared libraries that the extension needs beside it, under the names that it knows."""

    def run(self) -> None:
        super().run()
        target = Path(self.get_ext_fullpath("mlsched._native")).parent / LIBRARIES
        target.mkdir(parents=True, exist_ok=True)
        for name in BUNDLED:
            found = output_of(os.environ.get("CC", "cc"), f"-print-file-name=lib{name}.so").strip()
            soname = re.search(r"SONAME\s+(\S+)", output_of("objdump", "-p", found))
            assert soname, f"{found}: expected a SONAME"
            shutil.copyfile(Path(found).resolve(), target / soname[1])
            # Both licences ask for their text beside the library.
            for notice in Path("/usr/share/doc").glob(f"lib{name}[0-9]*/copyright"):
                shutil.copyfile(notice, target / f"lib{name}.copyright")


class SourceDistribution(sdist):
    """With the C sources, in csrc/."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        super().make_release_tree(base_dir, files)
        for name in SOURCES:
            source, target = TOP / name, Path(base_dir) / "csrc" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, target)


setup(
    version=version(),
    cffi_modules=["build_native.py:builder"],
    cmdclass={"build_ext": BuildExtension, "sdist": SourceDistribution},
    options={"bdist_wheel": {"py_limited_api": "cp310"}},
)
