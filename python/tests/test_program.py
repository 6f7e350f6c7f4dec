# SPDX-License-Identifier: GPL-2.0
"""The package beside the program: the same answers, and recordings as Parquet."""

from __future__ import annotations

import importlib.metadata
import json
import os
import sqlite3
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import GOLDEN, golden
from numpy.typing import NDArray

import mlsched

OURS = [GOLDEN.parents[1] / "models" / "default"] if GOLDEN.exists() else []


def output(*command: str | Path, text: str = "") -> str:
    return subprocess.run([*map(str, command)], input=text, capture_output=True, text=True,
                          check=True).stdout


def test_version_is_the_programs(program: str) -> None:
    assert output(program, "--version").split()[1] == mlsched.__version__


def nearly(found: Any, wanted: Any) -> bool:
    """The program prints nine digits."""
    if isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(nearly(found[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(nearly, found, wanted))
    if isinstance(wanted, float):
        return isinstance(found, (int, float)) and found == pytest.approx(wanted, rel=1e-8, abs=1e-12)
    return bool(found == wanted)


@pytest.mark.parametrize("path", OURS + golden("models"), ids=lambda path: path.parent.name)
def test_inspect_says_what_the_program_says(path: Path, program: str) -> None:
    wanted = json.loads(output(program, "inspect", "--json", path))
    assert wanted.pop("model") == str(path)
    del wanted["advice"]  # of commands
    looked = mlsched.inspect(path)
    found = looked.to_dict()
    for key, value in wanted.items():
        # Added to the program later: what it says beyond this is its own.
        assert key in found, key
        assert nearly(found[key], value), key
    assert looked.kernel_engine == wanted["fixed_point"].get("kernel_engine", False)
    text = output(program, "inspect", path).splitlines()
    lines = str(looked).splitlines()
    assert lines[0].split()[1] == wanted["format"]
    # What is of commands the program alone says, and it breaks its lines.
    for name in ("threshold", "checksum", "mlsched run"):
        assert [x for x in lines if x.startswith(name)] == [x for x in text if x.startswith(name)]


def test_predict_gives_the_programs_bits(program: str, tmp_path: Path, model: mlsched.Model,
                                         rows: NDArray[np.float32]) -> None:
    model.save(tmp_path / "model")
    lines = "".join(" ".join(f"{x:.9g}" for x in row) + "\n" for row in rows)
    printed = output(program, "predict", tmp_path / "model", text=lines)
    assert (np.array(printed.split(), np.float32) == model.predict(rows)[:, 0]).all()


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = os.environ.get("MLSCHED")
    if not program:
        pytest.skip("MLSCHED does not name the program")
    path = tmp_path_factory.mktemp("recording") / "sim.db"
    output(program, "sim", "-q", "-m", "4c2l", "-w", "message", "-p", "mlsched", "--seeds", "1",
           "--record", path)
    return path


def test_a_recording_becomes_parquet_that_says_the_same(recording: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    target = tmp_path / "sim.parquet"
    n = mlsched.to_parquet(recording, target)
    table = parquet.read_table(target)
    db = sqlite3.connect(recording)
    rows = db.execute("SELECT id, pid, wait, kind, features FROM decisions ORDER BY id").fetchall()
    kinds = dict(db.execute("SELECT value, name FROM names WHERE what = 'kind'"))
    names = [name for (name,) in db.execute("SELECT name FROM features WHERE session = 1 ORDER BY position")]
    db.close()
    assert n == len(rows) == table.num_rows > 100
    for i, column in enumerate(("id", "pid", "wait_ns")):
        assert table[column].to_pylist() == [row[i] for row in rows]
    assert table["kind"].to_pylist() == [kinds.get(row[3]) for row in rows]
    features = np.column_stack([table[name].to_numpy() for name in names])
    wanted = np.array([struct.unpack(f"<{len(names)}f", row[4]) for row in rows], np.float32)
    assert features.tobytes() == wanted.tobytes()
    assert len(json.loads(table.schema.metadata[b"sessions"])) == 1
    # Rows of the simulated scheduler are rows of a model.
    schema = next(schema for schema in mlsched.schemas() if schema.name == "mig15")
    assert names == [feature.name for feature in schema.features]


def test_mlsched_parquet_is_a_command(recording: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    target = tmp_path / "sim.parquet"
    (entry,) = importlib.metadata.entry_points(group="console_scripts", name="mlsched-parquet")
    command = [sys.executable, "-c", f"import sys, {entry.module}; sys.argv[0] = '/bin/{entry.name}'; "
               f"{entry.value.replace(':', '.')}()"]
    said = output(*command, recording, target)
    assert said == f"{target}: {parquet.read_metadata(target).num_rows} decisions\n"
    done = subprocess.run([*command, target, target], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == f"mlsched-parquet: {target}: no recording: file is not a database\n"


def test_what_is_no_recording_is_refused_and_leaves_no_file(recording: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    target, other = tmp_path / "out.parquet", tmp_path / "other.db"
    with pytest.raises(mlsched.FileError, match="no such file"):
        mlsched.to_parquet(other, target)
    other.write_text("no database at all, " * 100)
    with pytest.raises(mlsched.RecordingError, match="no recording: "):
        mlsched.to_parquet(other, target)
    other.unlink()
    sqlite3.connect(other).close()
    other.touch()
    with pytest.raises(mlsched.RecordingError, match="expected application id 0x6d6c7372 of a recording, found 0x0"):
        mlsched.to_parquet(other, target)
    other.write_bytes(recording.read_bytes())
    db = sqlite3.connect(other)
    db.execute("UPDATE decisions SET features = x'00' WHERE id = (SELECT max(id) FROM decisions)")
    db.commit()
    db.close()
    with pytest.raises(mlsched.RecordingError, match="expected 60 bytes of inputs, found 1"):
        mlsched.to_parquet(other, target)
    with pytest.raises(mlsched.FileError):
        mlsched.to_parquet(recording, tmp_path / "none" / "out.parquet")
    assert not target.exists()
