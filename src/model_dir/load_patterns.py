# SPDX-License-Identifier: GPL-2.0
"""Rows to train on: synthetic load patterns, or a CSV file with named columns.

A row is one migration decision in the feature schema seed10, its label 1 when
the task should move.  Nothing in here needs TensorFlow.
"""

from __future__ import annotations

import csv
import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SCHEMA = "seed10"
# As in core/features.def; the five reserved inputs are always zero.
FEATURES = ("cpu", "cpu_idle", "cpu_not_idle", "src_dom_load", "dst_dom_load",
            "reserved5", "reserved6", "reserved7", "reserved8", "reserved9")
N_INPUTS = len(FEATURES)
N_USED = 5

# The synthetic rule: who should migrate, and how many labels lie.
MIN_LOAD_GAP = 0.3
MAX_DST_LOAD = 0.7
LABEL_NOISE = 0.10


class UserError(Exception):
    """Something that the user can mend; its text is the whole message."""


def shape_error(expected: int, got: int, detail: str) -> UserError:
    """The error that the schedulers, too, give for a wrong number of inputs."""
    return UserError(f"Expected shape [?, {expected}], got [?, {got}]: {detail}")


@dataclass(frozen=True)
class Rows:
    """Labelled rows and where they come from."""

    features: np.ndarray            # float32 [n, N_INPUTS]
    labels: np.ndarray              # float32 [n], 0 or 1
    truth: np.ndarray | None        # the rule's verdict without noise, where it is known
    origin: dict[str, object]       # for the model's provenance

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: np.ndarray) -> Rows:
        """Some of the rows, in the order of the index."""
        truth = None if self.truth is None else self.truth[index]
        return Rows(self.features[index], self.labels[index], truth, self.origin)


def should_migrate(features: np.ndarray) -> np.ndarray:
    """The rule behind the synthetic labels: a real gap, an idle CPU, room at the destination."""
    _cpu, idle, _busy, src, dst = features[:, :N_USED].T
    verdict: np.ndarray = (src - dst > MIN_LOAD_GAP) & (idle > 0) & (dst < MAX_DST_LOAD)
    return verdict


def synthetic_rows(n_rows: int, seed: int) -> Rows:
    """Random load patterns, labelled by the rule, with LABEL_NOISE of the labels flipped."""
    rng = np.random.default_rng(seed)
    features = np.zeros((n_rows, N_INPUTS), np.float32)
    features[:, 0] = rng.integers(0, 128, n_rows)
    features[:, 1] = rng.integers(0, 64, n_rows)
    features[:, 2] = rng.integers(0, 64, n_rows)
    features[:, 3:5] = rng.random((n_rows, 2), np.float32)
    truth = should_migrate(features)
    labels = truth ^ (rng.random(n_rows) < LABEL_NOISE)
    origin = {"data": "synthetic seed10 load patterns", "label_noise": LABEL_NOISE}
    return Rows(features, labels.astype(np.float32), truth.astype(np.float32), origin)


def _number(text: str, path: Path, line: int, column: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f'{path}:{line}: column "{column}": expected a finite number, got "{text}"')
    return value


def _columns(header: list[str], label: str, path: Path) -> list[int | None]:
    """Where each feature and, last, the label stand; None for a reserved one that is not there."""
    if label not in header:
        raise UserError(f'{path}:1: no label column "{label}" among: {", ".join(header)}')
    missing = [name for name in FEATURES[:N_USED] if name not in header]
    if missing:
        got = sum(name != label for name in header)
        raise shape_error(N_INPUTS, got, f"{path}:1: columns missing: {', '.join(missing)}")
    return [header.index(name) if name in header else None for name in (*FEATURES, label)]


def csv_rows(path: Path, label: str) -> Rows:
    """Rows of a CSV file with a header that names the features (others are ignored)."""
    table: list[list[float]] = []
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as text: {error}") from None
    reader = csv.reader(text.splitlines(), skipinitialspace=True)
    header = [name.strip() for name in next(reader, [])]
    where = _columns(header, label, path)
    for fields in reader:
        if not fields:
            continue
        if len(fields) != len(header):
            raise UserError(f"{path}:{reader.line_num}: expected {len(header)} fields as in the "
                            f"header, got {len(fields)}")
        row = [0.0 if at is None else _number(fields[at], path, reader.line_num, header[at])
               for at in where]
        if row[-1] not in (0.0, 1.0):
            raise UserError(f'{path}:{reader.line_num}: column "{label}": expected 0 or 1, '
                            f"got {row[-1]:g}")
        table.append(row)
    if not table:
        raise UserError(f"{path}: no rows below the header")
    array = np.asarray(table, np.float32)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Rows(array[:, :-1], array[:, -1], None, {"data": path.name, "data_sha256": digest})


def split(rows: Rows, seed: int) -> tuple[Rows, Rows, Rows]:
    """Shuffled into 70 % to train on, 15 % to stop on, 15 % to judge by."""
    n = len(rows)
    order = np.random.default_rng([seed, 1]).permutation(n)
    first, second = int(n * 0.70), int(n * 0.85)
    training = rows.take(order[:first])
    validation = rows.take(order[first:second])
    test = rows.take(order[second:])
    for name, part in (("training", training), ("validation", validation), ("test", test)):
        if len(np.unique(part.labels)) != 2:
            raise UserError(f"{len(rows)} rows are too few: the {len(part)} {name} rows must hold "
                            "both labels, 0 and 1")
    return training, validation, test
