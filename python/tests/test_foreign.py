# SPDX-License-Identifier: GPL-2.0
"""Models that Keras, TensorFlow, PyTorch and others wrote, with the outputs that these tools gave."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import golden

import mlsched

MODELS, BAD = golden("models"), golden("bad")
pytestmark = pytest.mark.skipif(not MODELS, reason="no tests/golden here")


def test_there_are_as_many_as_there_were() -> None:
    assert len(MODELS) >= 63
    assert len(BAD) >= 50


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.parent.name)
def test_computes_what_the_tool_that_wrote_it_computed(path: Path) -> None:
    wanted = json.loads((path.parent / "expected.json").read_text())
    rows = np.array(wanted["inputs"], np.float32)
    outputs = np.array(wanted["outputs"], np.float32).reshape(len(rows), -1)
    model = mlsched.load(path)
    found = model.predict(rows)
    assert found.dtype == np.float32 and found.shape == outputs.shape
    tolerance = wanted.get("tolerance", 2e-6) * max(1.0, float(np.abs(outputs).max()))
    assert np.abs(found - outputs).max() <= tolerance
    if model.outputs == 1 and model.layers[-1].activation == "sigmoid":
        clear = np.abs(outputs[:, 0] - model.threshold) > tolerance
        assert clear.any()
        assert (model.decide(rows)[clear] == (outputs[clear, 0] > model.threshold)).all()


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.parent.name)
def test_refuses_what_is_damaged_or_not_ours_and_names_it(path: Path) -> None:
    if "wrong-width" in path.parent.name:
        # A good model of fewer inputs: the rows are refused instead.
        model = mlsched.load(path)
        with pytest.raises(mlsched.ShapeError, match=rf"^Expected shape \[\?, {model.inputs}\], got "):
            model.predict(np.zeros((1, 10), np.float32))
        return
    with pytest.raises(mlsched.Error) as caught:
        mlsched.load(path)
    assert isinstance(caught.value, (mlsched.InvalidModelError, mlsched.UnsupportedError,
                                     mlsched.FileError))
    assert str(path) in str(caught.value) and caught.value.code > 0


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.parent.name)
def test_every_writable_format_keeps_the_bits(path: Path, tmp_path: Path) -> None:
    model = mlsched.load(path)
    rows = np.array(json.loads((path.parent / "expected.json").read_text())["inputs"], np.float32)
    outputs = model.predict(rows)
    for form in (f for f in mlsched.formats() if f.can_write):
        target = tmp_path / f"copy{form.suffix}"
        try:
            assert mlsched.convert(path, target) == form.name
        except mlsched.UnsupportedError as error:
            assert form.name in ("h5", "keras") and str(target) in str(error)
            continue
        again = mlsched.load(target)
        assert again.format == form.name
        assert [np.asarray(layer.weights).tobytes() for layer in again.layers] == [
            np.asarray(layer.weights).tobytes() for layer in model.layers]
        assert np.abs(again.predict(rows) - outputs).max() <= 1e-6 * max(1.0, np.abs(outputs).max())
        if form.name in ("savedmodel", "onnx"):
            # These two have a place for everything.
            assert again.checksum == model.checksum
