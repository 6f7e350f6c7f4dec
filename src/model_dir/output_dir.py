# SPDX-License-Identifier: GPL-2.0
"""Replace a SavedModel directory at once, and put what mlsched wants to know into it.

Whoever reads the output path, or comes back after a crash, finds the whole old
directory or the whole new one.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from load_patterns import UserError

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def check_output(path: Path) -> None:
    """Refuse early what write_savedmodel() would refuse after minutes of training."""
    path = path.resolve()
    if not path.exists():
        return
    if not path.is_dir():
        raise UserError(f"{path}: is a file, not a directory")
    if any(path.iterdir()) and not (path / "saved_model.pb").exists():
        raise UserError(f"{path}: holds other things than a SavedModel and is left alone; "
                        "name an empty or a new directory")


def _sync(path: str | Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_tree(top: Path) -> None:
    for directory, _, names in os.walk(top):
        for name in names:
            _sync(os.path.join(directory, name))
        _sync(directory)


def _exchange(new: Path, old: Path) -> None:
    """Swap two directories in one step where the kernel and file system can, else in two."""
    libc = ctypes.CDLL(None, use_errno=True)
    renameat2 = getattr(libc, "renameat2", None)
    if renameat2 is not None and renameat2(_AT_FDCWD, os.fsencode(new), _AT_FDCWD, os.fsencode(old),
                                           _RENAME_EXCHANGE) == 0:
        return
    aside = new.with_name(new.name + ".old")
    os.rename(old, aside)
    os.rename(new, old)
    os.rename(aside, new)


def write_savedmodel(output: Path, meta: dict[str, object], write: Callable[[str], None],
                     check: Callable[[str], None]) -> None:
    """Make a SavedModel beside @output with write(), check() it, and swap it in.

    @meta becomes assets/mlsched.json.
    """
    output = output.resolve()
    check_output(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
    try:
        new = work / "model"
        write(str(new))
        (new / "assets").mkdir(exist_ok=True)
        (new / "assets" / "mlsched.json").write_text(json.dumps(meta, indent=1) + "\n")
        check(str(new))
        _sync_tree(new)
        if output.exists():
            _exchange(new, output)
        else:
            os.rename(new, output)
        _sync(output.parent)
    finally:
        shutil.rmtree(work, ignore_errors=True)
