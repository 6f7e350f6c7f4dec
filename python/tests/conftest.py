# SPDX-License-Identifier: GPL-2.0
"""What the tests share: the models of other tools in tests/golden, and networks by hand.

The environment variable MLSCHED names the program for the tests that compare the two; those that
need it, or the golden files, are skipped in a source distribution, which has neither.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import mlsched

GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "golden"


def golden(kind: str) -> list[Path]:
    """The model files and directories below tests/golden/*/KIND."""
    return sorted(next(path for path in case.iterdir() if path.name.startswith("model"))
                  for case in GOLDEN.glob(f"*/{kind}/*"))


@pytest.fixture
def program() -> str:
    found = os.environ.get("MLSCHED")
    if not found:
        pytest.skip("MLSCHED does not name the program")
    return found


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(1)


def floats(generator: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    return generator.standard_normal(shape).astype(np.float32)


def network(generator: np.random.Generator, *widths: int, activation: str = "relu",
            last: str = "sigmoid", schema: str = "") -> mlsched.Model:
    """Random weights of a size that keeps sums near 1."""
    layers = [
        mlsched.Layer(floats(generator, a, b) / np.sqrt(np.float32(a)), floats(generator, b) / 4,
                      last if i == len(widths) - 2 else activation)
        for i, (a, b) in enumerate(zip(widths, widths[1:], strict=False))]
    return mlsched.Model(layers, schema=schema)


@pytest.fixture
def model(generator: np.random.Generator) -> mlsched.Model:
    """10-32-16-1, of schema seed10, its inputs normalised."""
    layers = network(generator, 10, 32, 16, 1).layers
    mean, deviation = np.zeros(10), np.ones(10)
    mean[:5], deviation[:5] = (512, 512, 512, 0.5, 0.5), (300, 300, 300, 0.3, 0.3)
    return mlsched.Model(layers, mean=mean, deviation=deviation, schema="seed10")


@pytest.fixture
def rows(generator: np.random.Generator) -> NDArray[np.float32]:
    """1,000 rows as seed10 has them."""
    found = np.zeros((1000, 10), np.float32)
    found[:, 0] = generator.integers(0, 1024, 1000)
    found[:, 1:3] = generator.integers(0, 1025, (1000, 2))
    found[:, 3:5] = generator.random((1000, 2))
    return found
